"""Rows by their numbers: gather, and lookups in an embedding.

Law of this file: an index outside of its axis is an error, while the graph is built where both are known, else when the
step runs, before anything has changed.  The derivative by the params is an array of their shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import build
from ..graph import Tensor, builder, convert
from ..node import Node
from .core import ANY, INDICES, need, recording
from .reduce import axis_list


@builder("GatherV2")
def _gather(params: Node, indices: Node, axis: int) -> Node:
    a = build.axis_in(axis, params.rank) if params.rank else 0
    if a == 0:
        return build.gather(params, indices)
    rows = build.gather(build.permute(params, [a, *(k for k in range(params.rank) if k != a)]), indices)
    r = indices.rank
    return build.permute(rows, [*range(r, r + a), *range(r), *range(r + a, rows.rank)])


def gather(params: Any, indices: Any, validate_indices: Any = None, name: str | None = None, axis: Any = 0) -> Tensor:
    """The slices of `params` along `axis` that `indices` number: params.shape[:axis] + indices.shape + params.shape[axis + 1:].

    Indices are int32 or int64 of any rank.  ValueError for a constant index outside of a known extent;
    InvalidArgumentError for any other one when it runs."""
    return _record("GatherV2", name or "GatherV2", params, indices, axis, 2)


def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: float | None = None,
) -> Tensor:
    """The rows of one table `params` that `ids` number: ids.shape + params.shape[1:]."""
    if isinstance(params, Sequence):
        if len(params) != 1:
            raise ValueError(f"embedding_lookup takes one table here, not {len(params)} parts of one")
        (params,) = params
    if max_norm is not None:
        raise ValueError("embedding_lookup takes no max_norm here\nuse a function that clips on what it gives")
    return _record("GatherV2", name or "embedding_lookup", params, ids, 0, 3, "ids")


def _record(kind: str, name: str, params: Any, indices: Any, axis: Any, count: int, called: str = "indices") -> Tensor:
    with recording(kind, name, params=params, **{called: indices}) as (graph, scope):
        table = convert(params, name="params", graph=graph)
        numbers = convert(indices, name=called, graph=graph)
        need(table, *ANY, parameter="params")
        need(numbers, *INDICES, parameter=called)
        axes = axis_list(axis)
        if axes is None or len(axes) != 1:
            raise TypeError(f"axis of tf.gather must be one int, not {axis!r}")
        return graph.add(kind, (table, numbers), {"axis": axes[0]}, scope, count).outputs[0]
