"""Lookups in an embedding.

Law of this file: a lookup is a gather, which knows what its derivative is (see indexed_slices.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Tensor, convert
from .clip import clip_by_norm
from .gather import lookup


def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: float | None = None,
) -> Tensor:
    """The rows of one table `params` that `ids` number: ids.shape + params.shape[1:]; with `max_norm`, each shrunk to that norm."""
    if isinstance(params, Sequence):
        if len(params) != 1:
            raise ValueError(f"embedding_lookup takes one table here, not {len(params)} parts of one")
        (params,) = params
    found = lookup("GatherV2", name or "embedding_lookup", params, ids, 0, 3, "ids")
    if max_norm is None:
        return found
    rank, row = found.shape.ndims, convert(params).shape.ndims
    if rank is None or row is None:
        raise ValueError("embedding_lookup with max_norm needs ranks that are known")
    return clip_by_norm(found, max_norm, list(range(rank - row + 1, rank)))
