"""The order of values: top_k, sort, argsort, and whether a target is among the first.

Law of this file: one primitive gives the places of the greatest elements of each row; values are gathered by them, so that
gradients reach the elements that were taken.  Of equal values the first comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import build, dtypes, scalar
from ..codegen import scalar as fn
from ..dtypes import int32, int64
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import Extent, ShapeError, brackets, compatible, product
from ..statics import constant_value
from .core import FLOATS, INDICES, NUMBERS, is_tensor, need, recording

x0, x1 = scalar.x(0), scalar.x(1)


class TopKV2(NamedTuple):
    """What `top_k` gives."""

    values: Tensor
    indices: Tensor


def _places(x: Node, k: Extent, ascending: bool = False) -> Node:
    """The places of the k first elements of each row; whole numbers are compared as float64."""
    wide = x if x.dtype.is_floating else build.cast(x, dtypes.float64)
    return build.top(build.elementwise(-x0, wide) if ascending else wide, k)


def _taken(x: Node, at: Node) -> Node:
    """x[..., at[..., j]] for each row."""
    if x.rank == 1:
        return build.gather(x, at)
    rows, n, k = product(x.shape[:-1]), x.shape[-1], at.shape[-1]
    flat = build.cast(build.reshape(at, (rows, k)), int64)
    number = build.generic(x0 + n * scalar.i(0), (flat,), ((0, 1),), (rows, k), 2, None, int64)
    return build.reshape(build.gather(build.reshape(x, (rows * n,)), number), at.shape)


@builder("TopKV2")
def _top_k(input: Node, k: int) -> tuple[Node, Node]:
    at = _places(input, k)
    return _taken(input, at), at


def top_k(input: Any, k: int = 1, sorted: bool = True, name: str | None = None) -> TopKV2:
    """(values, indices) of the k greatest elements along the last axis, the greatest first: [..., n] to [..., k] twice, int32 the
    second.  ValueError where k is more than n."""
    with recording("TopKV2", name or "TopKV2", input=input, k=k) as (graph, scope):
        t = convert(input, name="input", graph=graph)
        need(t, *NUMBERS, parameter="input")
        count = constant_value(convert(k)) if is_tensor(k) else k
        if count is None:
            raise TypeError("k of tf.nn.top_k must be an int, not a computed tensor\nthe shape of the result depends on it")
        if int(count) < 0:
            raise ValueError(f"Need k >= 0, got {int(count)}")
        attrs = {"k": int(count), "_shapes": [None, None], "_dtypes": [t.dtype, int32]}
        return TopKV2(*graph.add("TopKV2", (t,), attrs, scope, 2).outputs)


def _ordered(x: Node, axis: int, ascending: bool, by_value: bool) -> Node:
    """All elements along an axis in order, or their places."""
    a = build.axis_in(axis, x.rank)
    turn = [*(b for b in range(x.rank) if b != a), a]
    rows = build.permute(x, turn)
    at = _places(rows, rows.shape[-1], ascending)
    return build.permute(_taken(rows, at) if by_value else at, [turn.index(b) for b in range(x.rank)])


@builder("Sort")
def _sort(values: Node, axis: int, ascending: bool) -> Node:
    return _ordered(values, axis, ascending, True)


@builder("ArgSort", lambda op: int32)
def _argsort(values: Node, axis: int, ascending: bool) -> Node:
    return _ordered(values, axis, ascending, False)


def _sorter(kind: str, default: str, values: Any, axis: int, direction: str, name: str | None, count: int) -> Tensor:
    with recording(kind, name or default, values=values) as (graph, scope):
        if direction not in ("ASCENDING", "DESCENDING"):
            raise ValueError(f"direction should be one of ASCENDING, DESCENDING, not {direction!r}")
        t = convert(values, name="values", graph=graph)
        need(t, *NUMBERS, parameter="values")
        ascending = direction == "ASCENDING"
        count += ascending * (1 if kind == "ArgSort" else 2)
        return graph.add(kind, (t,), {"axis": int(axis), "ascending": ascending}, scope, count).outputs[0]


def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """The values in order along `axis`: numbers of any shape and rank of 1 or more."""
    return _sorter("Sort", "sort", values, axis, direction, name, 8)


def argsort(values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None) -> Tensor:
    """The places, int32, from which `sort` takes its values; equal values stay in their order."""
    return _sorter("ArgSort", "argsort", values, axis, direction, name, 8)


@builder("InTopKV2", lambda op: dtypes.bool)
def _in_top_k(predictions: Node, targets: Node, k: int) -> Node:
    if predictions.rank != 2 or targets.rank != 1:
        raise ShapeError(
            f"predictions must be 2-dimensional and targets 1-dimensional, not {brackets(predictions.shape)} and {brackets(targets.shape)}"
        )
    if not compatible(predictions.shape[0], targets.shape[0]):
        raise ShapeError(f"First dimension of predictions {predictions.shape[0]} must match length of targets {targets.shape[0]}")
    rows, d = ((0, 1), (0,)), predictions.dtype
    here = fn.eq(scalar.i(1), x1)
    own = build.generic(fn.select(here, x0, 0), (predictions, build.cast(targets, int64)), rows, predictions.shape, 1, "sum", d)
    met = build.generic(fn.select(here, 1, 0), (predictions, build.cast(targets, int64)), rows, predictions.shape, 1, "sum", d)
    more = build.generic(fn.select(fn.gt(x0, x1), 1, 0), (predictions, own), rows, predictions.shape, 1, "sum", d)
    finite = build.reduce("all", build.elementwise(fn.isfinite(x0), predictions, dtype=dtypes.bool), (1,))
    among = fn.logical_and(fn.logical_and(fn.lt(x0, k), fn.gt(x1, 0)), scalar.x(2))
    return build.elementwise(among, more, met, finite, dtype=dtypes.bool)


def in_top_k(predictions: Any, targets: Any, k: int, name: str | None = None) -> Tensor:
    """Is the target among the k greatest of its row?  float32 [batch, classes] and int32 or int64 [batch] to bool [batch].

    Classes of the target's own value do not count against it; a target that is no class, or a row with a value that is not
    finite, is out."""
    with recording("InTopKV2", name or "in_top_k", predictions=predictions, targets=targets, k=k) as (graph, scope):
        p = convert(predictions, name="predictions", graph=graph)
        t = convert(targets, name="targets", graph=graph)
        need(p, *FLOATS, parameter="predictions")
        need(t, *INDICES, parameter="targets")
        count = constant_value(convert(k)) if is_tensor(k) else k
        if count is None:
            raise TypeError("k of tf.nn.in_top_k must be an int, not a computed tensor")
        return graph.add("InTopKV2", (p, t), {"k": int(count)}, f"{scope}InTopKV2/", 2).outputs[0]


__all__: Sequence[str] = ("in_top_k", "top_k")
