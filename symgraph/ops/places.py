"""Where in a tensor: positions and distinct values, whose number depends on the values.

Law of this file: Python computes them between two stages of a run (host.py); every size that is not known is a symbol of
the operation's own, shared by its outputs.  They have no derivative; what is gathered by them has one.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import DType, as_dtype
from ..graph import Graph, Operation, Tensor, convert
from ..host import host
from ..shapes import ShapeError, from_user
from .core import ANY, BOOLS, INDICES, need, recording

Unique = namedtuple("Unique", ["y", "idx"])
UniqueWithCounts = namedtuple("UniqueWithCounts", ["y", "idx", "count"])
ListDiff = namedtuple("ListDiff", ["out", "idx"])


def record(graph: Graph, kind: str, inputs: Any, shapes: Any, types: Any, scope: str, **attrs: Any) -> list[Tensor]:
    """The outputs of a host operation; None in a shape is a size that only a run tells, the same one in all of them."""
    named = [from_user(s, scope[:-1]) for s in shapes]
    return list(graph.add(kind, inputs, {**attrs, "_shapes": named, "_dtypes": list(types)}, scope).outputs)


# ---------------------------------------------------------------- where
@host("Where", first=True)
def _where(op: Operation, condition: Any) -> Any:
    return np.argwhere(condition)


def places(condition: Any, name: str | None = None) -> Tensor:
    """The positions, int64 [how many, rank], at which the condition (bool, or numbers other than 0) holds, in C order."""
    with recording("Where", name or "Where", condition=condition) as (graph, scope):
        c = convert(condition, name="condition", graph=graph)
        need(c, *(BOOLS if c.dtype.is_bool else ANY), parameter="condition")
        return record(graph, "Where", (c,), [(None, None if c.extents is None else len(c.extents))], [dtypes.int64], scope)[0]


# ---------------------------------------------------------------- distinct values
def _first_seen(x: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Distinct values in the order of their first appearance, where those are, which one each element is, and how many."""
    _, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return np.asarray(x)[first[order]], first[order], rank[inverse], counts[order]


@host("Unique", first=True)
def _unique(op: Operation, x: Any) -> Any:
    y, _, idx, _ = _first_seen(x)
    return y, idx


@host("UniqueWithCounts", first=True)
def _unique_with_counts(op: Operation, x: Any) -> Any:
    y, _, idx, count = _first_seen(x)
    return y, idx, count


@host("ListDiff", first=True)
def _list_diff(op: Operation, x: Any, y: Any) -> Any:
    idx = np.flatnonzero(~np.isin(x, y))
    return np.asarray(x)[idx], idx


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Unique:
    """(y, idx): the distinct values of a vector in the order in which they come, and for each element which one it is."""
    return Unique(*_distinct("Unique", x, out_idx, name, 2))


def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> UniqueWithCounts:
    """(y, idx, count): as `unique`, and how often each value comes."""
    return UniqueWithCounts(*_distinct("UniqueWithCounts", x, out_idx, name, 3))


def _distinct(kind: str, x: Any, out_idx: Any, name: str | None, outputs: int) -> list[Tensor]:
    with recording(kind, name or kind, x=x) as (graph, scope):
        t, index = convert(x, name="x", graph=graph), _index_type(out_idx)
        need(t, *ANY)
        n = _vector(t)
        return record(graph, kind, (t,), [(None,), (n,), (None,)][:outputs], [t.dtype, index, index][:outputs], scope)


def setdiff1d(x: Any, y: Any, index_dtype: Any = dtypes.int32, name: str | None = None) -> ListDiff:
    """(out, idx): the elements of the vector x that y does not have, in x's order, and where they are in x."""
    with recording("ListDiff", name or "ListDiff", x=x, y=y) as (graph, scope):
        a = convert(x, name="x", graph=graph)
        b = convert(y, like=a.dtype, name="y", graph=graph)
        need(a, *ANY)
        if a.dtype is not b.dtype:
            raise TypeError(f"Input 'y' of 'ListDiff' Op has type {b.dtype.name} that does not match type {a.dtype.name} of argument 'x'.")
        _vector(a), _vector(b)
        return ListDiff(*record(graph, "ListDiff", (a, b), [(None,), (None,)], [a.dtype, _index_type(index_dtype)], scope))


def _index_type(dtype: Any) -> DType:
    found = as_dtype(dtype)
    if not INDICES[0](found):
        raise TypeError(f"positions are {INDICES[1]}, not {found.name}")
    return found


def _vector(t: Tensor) -> Any:
    """The extent of a vector."""
    if t.extents is None:
        return None
    if len(t.extents) != 1:
        raise ShapeError(f"Shape must be rank 1 but is rank {len(t.extents)}")
    return t.extents[0]
