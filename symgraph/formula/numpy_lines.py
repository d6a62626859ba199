"""Lining up arrays for NumPy: which index brings an operand's axes to their places.

Law of this file: plain functions of axes and extents; an index is written only where broadcasting from the last axis would
not do the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..node import Node
from .bodies import Written


@dataclass(frozen=True)
class Lined:
    """An array in the layout of a body: its text, the axes of the layout that it spans, and its rank; or a Python number."""

    written: Written
    spans: frozenset[int]
    rank: int
    is_number: bool = False


def dtype_name(n: Node) -> str:
    return "bool" if n.dtype.is_bool else f"np.{n.dtype.name}"


def dropped(o: Node, n: Node) -> list[int] | None:
    """The axes of extent 1 that n lacks, if n has no new ones."""
    dropped, b = [], 0
    for a, d in enumerate(o.shape):
        if b < n.rank and n.shape[b] == d and (d != 1 or o.rank - a <= n.rank - b):
            b += 1
        elif d == 1:
            dropped.append(a)
        else:
            return None
    return dropped if b == n.rank else None


def extents(o: Node, ix: tuple[int | None, ...], at: dict[int, int], axes: Sequence[int | None]) -> list[Any]:
    """The extent of the operand along each axis that it has in a layout."""
    of = {at[a]: d for a, d in zip(ix, o.shape, strict=True) if a is not None}
    return [None if p is None else of[p] for p in axes]


def entries(axes: Sequence[int | None], rank: int) -> list[str]:
    """The index that brings axes, in increasing order and with extents of 1 between them, to their places in `rank`."""
    first = min((p for p in axes if p is not None), default=rank)
    wanted = {p for p in axes if p is not None}
    entries: list[str] = []
    k, p = len(axes) - 1, rank - 1
    while k >= 0 or p >= first:
        have = axes[k] if k >= 0 else -1
        if p >= first and p in wanted and have != p:
            entry = "0"
        elif p >= first and p not in wanted and have is not None:
            entry = "None"
        else:
            entry = ":" if p >= 0 else "0"
        entries.append(entry)
        k, p = k - (entry != "None"), p - (entry != "0")
    return entries[::-1]
