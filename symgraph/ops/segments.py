"""Rows that belong together: sums and extremes by segments, counts, and values put where numbers say.

Law of this file: how many segments there are must be known or fed.  Sums are scatters; other reductions read every row
for every segment and keep those that are its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..dtypes import DType, as_dtype, int32, int64
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import Extent, ShapeError, agree, brackets
from ..statics import static_value
from .core import INDICES, NUMBERS, need, recording, same_dtype
from .gather import numbered

x0, x1, x2 = (scalar.x(k) for k in range(3))


# ---------------------------------------------------------------- reductions
def _over(body: sp.Expr, ids: Node, data: Node, dtype: DType | None = None) -> Node:
    """body(id, element), element by element of the data."""
    axes = tuple(range(data.rank))
    return build.generic(body, (ids, data), (axes[: ids.rank], axes), data.shape, data.rank, None, dtype or data.dtype)


def _sum(data: Node, ids: Node, count: Extent) -> Node:
    """Sums by segments; rows whose number is negative belong to none."""
    kept = _over(fn.select(fn.ge(x0, 0), x1, 0), ids, data)
    return build.scatter(kept, build.elementwise(fn.maximum(x0, 0), ids), (count, *data.shape[ids.rank :]))


def _counts(data: Node, ids: Node, count: Extent, least: int) -> Node:
    """How many rows each segment has, `least` at least, with an axis of extent 1 for each further axis of the data."""
    rows = build.elementwise(fn.maximum(x0, least), _sum(build.filled(1, ids.shape, data.dtype), ids, count))
    return build.reshape(rows, (count, *(1,) * (data.rank - ids.rank)))


def _mean(data: Node, ids: Node, count: Extent) -> Node:
    body = x0 / x1 if data.dtype.is_floating else fn.truncdiv(x0, x1)
    return build.elementwise(body, _sum(data, ids, count), _counts(data, ids, count, 1))


def _sqrt_n(data: Node, ids: Node, count: Extent) -> Node:
    return build.elementwise(x0 / sp.sqrt(x1), _sum(data, ids, count), _counts(data, ids, count, 1))


def _fold(reducer: str) -> Callable[[Node, Node, Extent], Node]:
    def fold(data: Node, ids: Node, count: Extent) -> Node:
        r, n = ids.rank, data.rank
        at = np.arange(n).tolist()
        own = fn.select(fn.eq(scalar.i(r), x0), x1, x2)
        axes = (*at[:r], *(a + 1 for a in at[r:]))
        space = (*data.shape[:r], count, *data.shape[r:])
        each = build.generic(
            own, (build.cast(ids, int64), data, _nothing(reducer, data.dtype)), (axes[:r], axes, ()), space, n + 1, None, data.dtype
        )
        return build.reduce(reducer, each, at[:r])

    return fold


def _nothing(reducer: str, dtype: DType) -> Node:
    """What a reduction of no rows is: 1, or the least or greatest number of the dtype."""
    if reducer == "prod":
        return build.const(1, dtype)
    limits = np.finfo(dtype.as_numpy_dtype) if dtype.is_floating else np.iinfo(dtype.as_numpy_dtype)
    return build.const(limits.min if reducer == "max" else limits.max, dtype)


_BY = {"sum": _sum, "mean": _mean, "sqrt_n": _sqrt_n, "max": _fold("max"), "min": _fold("min"), "prod": _fold("prod")}
_COUNTS = {"sum": 1, "mean": 22, "sqrt_n": 23, "max": 1, "min": 1, "prod": 1}


@builder("UnsortedSegment")
def _unsorted(data: Node, segment_ids: Node, num_segments: Node, by: str) -> Node:
    agree(segment_ids.shape, data.shape[: segment_ids.rank])
    (count,) = static_value(num_segments)
    return _BY[by](data, segment_ids, count)


@builder("Segment")
def _sorted(data: Node, segment_ids: Node, by: str) -> Node:
    if segment_ids.rank != 1:
        raise ShapeError(f"segment_ids should be a vector, not {brackets(segment_ids.shape)}")
    agree(segment_ids.shape, data.shape[:1])
    try:
        ids = static_value(segment_ids)
    except ShapeError as e:
        raise ShapeError(
            f"{e}\nhow many segments there are is the last id plus 1: use tf.unsorted_segment_{by} with num_segments"
        ) from None
    if any(not isinstance(b, int) or not isinstance(a, int) or b < a or a < 0 for a, b in zip(ids, [*ids[1:], *ids[-1:]], strict=True)):
        raise ShapeError("segment ids are not increasing")
    count = ids[-1] + 1 if ids else 0
    out = _BY[by](data, segment_ids, count)
    if by not in ("max", "min") or not ids or len(set(ids)) == count:
        return out
    return build.elementwise(fn.select(fn.gt(x1, 0), x0, 0), out, _counts(data, segment_ids, count, 0))


def _record(data: Any, segment_ids: Any, num_segments: Any, by: str, name: str) -> Tensor:
    kind = "Segment" if num_segments is None else "UnsortedSegment"
    with recording(kind, name, data=data, segment_ids=segment_ids, num_segments=num_segments) as (graph, scope):
        rows, ids = convert(data, name="data", graph=graph), convert(segment_ids, name="segment_ids", graph=graph)
        need(rows, *NUMBERS, parameter="data")
        need(ids, *INDICES, parameter="segment_ids")
        if num_segments is None:
            return graph.add(kind, (rows, ids), {"by": by}, scope).outputs[0]
        count = convert(num_segments, name="num_segments", graph=graph)
        return graph.add(kind, (rows, ids, count), {"by": by}, scope, _COUNTS[by]).outputs[0]


def _named(by: str) -> str:
    return "".join(map(str.capitalize, by.split("_")))


def _segment(by: str) -> Callable[..., Tensor]:
    def f(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
        return _record(data, segment_ids, None, by, name or f"Segment{_named(by)}")

    f.__name__ = f.__qualname__ = f"segment_{by}"
    f.__doc__ = (
        f"The {by} of the rows of `data` with equal `segment_ids`, a vector that never decreases: [ids[-1] + 1, ...].\n\n"
        "The ids must be known or fed, since they say how many rows there are; ids that do not occur have 0."
    )
    return f


def _unsorted_segment(by: str) -> Callable[..., Tensor]:
    def f(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
        return _record(data, segment_ids, num_segments, by, name or f"UnsortedSegment{_named(by)}")

    f.__name__ = f.__qualname__ = f"unsorted_segment_{by}"
    f.__doc__ = (
        f"The {by} of what lies in `data` at equal `segment_ids`, whose axes are the first of data's: [num_segments, ...].\n\n"
        "Negative ids are left out; an id of num_segments or more is an error when it runs for sums and means, else left out."
    )
    return f


segment_sum, segment_mean, segment_max, segment_min, segment_prod = map(_segment, ("sum", "mean", "max", "min", "prod"))
unsorted_segment_sum, unsorted_segment_mean, unsorted_segment_sqrt_n = map(_unsorted_segment, ("sum", "mean", "sqrt_n"))
unsorted_segment_max, unsorted_segment_min, unsorted_segment_prod = map(_unsorted_segment, ("max", "min", "prod"))


# ---------------------------------------------------------------- counts
def _greatest(values: Node, what: str) -> Extent:
    """The greatest of some whole numbers plus 1, 0 of none."""
    try:
        found = static_value(values)
    except ShapeError as e:
        raise ShapeError(f"{e}\nthe size of the result is the greatest value plus 1: pass {what}") from None
    return max((int(v) for v in found), default=-1) + 1  # type: ignore[arg-type]


@builder("Bincount", lambda op: op.attrs["dtype"])
def _bincount(arr: Node, *weights: Node, minlength: int | None, maxlength: int | None, dtype: DType) -> Node:
    size: Extent | None = maxlength if maxlength == minlength else None
    if size is None:
        size = max(_greatest(arr, "equal minlength and maxlength"), minlength or 0)  # type: ignore[type-var]
        size = size if maxlength is None else min(size, maxlength)  # type: ignore[type-var]
    counted = weights[0] if weights else build.filled(1, arr.shape, dtype)
    agree(arr.shape, counted.shape)
    if size == 0:
        return build.filled(0, (0,), dtype)
    kept = _over(fn.select(fn.lt(x0, size), x1, 0), arr, counted)
    return build.scatter(kept, build.elementwise(fn.minimum(x0, size - 1), arr), (size,))


def bincount(
    arr: Any, weights: Any = None, minlength: int | None = None, maxlength: int | None = None, dtype: Any = int32, name: str = "bincount"
) -> Tensor:
    """How often each whole number from 0 on occurs in `arr`, or the sum of its `weights`: a vector up to the greatest.

    `arr` must be known or fed, or minlength and maxlength be equal; numbers of maxlength or more are left out."""
    with recording("Bincount", name, arr=arr, weights=weights) as (graph, scope):
        numbers = convert(arr, name="arr", graph=graph)
        need(numbers, *INDICES, parameter="arr")
        inputs = [numbers] if weights is None else [numbers, convert(weights, name="weights", graph=graph)]
        attrs = {"minlength": minlength, "maxlength": maxlength, "dtype": inputs[1].dtype if len(inputs) > 1 else as_dtype(dtype)}
        count = 13 + 2 * (minlength is not None) + 2 * (maxlength is not None)
        return graph.add("Bincount", inputs, attrs, scope, count).outputs[0]


@builder("ConfusionMatrix", lambda op: op.attrs["dtype"])
def _confusion(labels: Node, predictions: Node, *weights: Node, num_classes: int | None, dtype: DType) -> Node:
    a, b = (v if v.rank < 2 else build.reshape(v, v.shape[:1]) for v in (labels, predictions))
    agree(a.shape, b.shape)
    n = num_classes
    if n is None:
        n = max(int(_greatest(v, "num_classes")) for v in (a, b))
    counted = build.cast(weights[0], dtype) if weights else build.filled(1, a.shape, dtype)
    return build.reshape(build.scatter(counted, numbered([a, b], (n, n)), (n * n,)), (n, n))


def confusion_matrix(
    labels: Any, predictions: Any, num_classes: int | None = None, dtype: Any = int32, name: str | None = None, weights: Any = None
) -> Tensor:
    """How often each label (row) meets each prediction (column), or the sum of such weights: [num_classes, num_classes].

    Without num_classes, labels and predictions must be known or fed.  A class outside of the matrix is an error."""
    with recording("ConfusionMatrix", name or "confusion_matrix", labels=labels, predictions=predictions) as (graph, scope):
        y, p = convert(labels, name="labels", graph=graph), convert(predictions, name="predictions", graph=graph)
        need(y, lambda d: d.is_integer, "integers", parameter="labels")
        need(p, lambda d: d.is_integer, "integers", parameter="predictions")
        inputs = [y, p] if weights is None else [y, p, convert(weights, name="weights", graph=graph)]
        attrs = {"num_classes": None if num_classes is None else int(num_classes), "dtype": as_dtype(dtype)}
        return graph.add("ConfusionMatrix", inputs, attrs, scope, 51).outputs[0]


# ---------------------------------------------------------------- putting together
@builder("DynamicStitch", lambda op: op.inputs[-1].dtype)
def _stitch(*parts: Node) -> Node:
    half = len(parts) // 2
    indices, data = parts[:half], parts[half:]
    rest = data[0].shape[indices[0].rank :]
    source: dict[int, int] = {}
    rows, total = [], 0
    for at, values in zip(indices, data, strict=True):
        agree((*at.shape, *rest), values.shape)
        numbers = [int(v) for v in static_value(at)]  # type: ignore[arg-type]
        source.update((number, total + k) for k, number in enumerate(numbers))
        rows.append(build.reshape(values, (len(numbers), *rest)))
        total += len(numbers)
    size = max(source, default=-1) + 1
    if lacking := [k for k in np.arange(size).tolist() if k not in source]:
        raise ShapeError(f"no index is {lacking[0]}: its row would have no value")
    return build.gather(build.concat(rows, 0), build.const(np.asarray([source[k] for k in np.arange(size).tolist()], np.int64), int64))


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """Rows of several tensors in one: out[indices[m][i]] = data[m][i], the last of those with one index.

    Indices must be known or fed, and number every row."""
    with recording("DynamicStitch", name or "DynamicStitch", indices=indices, data=data) as (graph, scope):
        if len(indices) != len(data) or not data:
            raise ValueError(f"as many indices as data, not {len(indices)} and {len(data)}")
        numbers = [convert(v, name=f"indices_{k}", graph=graph) for k, v in enumerate(indices)]
        values = [convert(v, name=f"data_{k}", graph=graph) for k, v in enumerate(data)]
        for k, v in enumerate(values):
            need(numbers[k], *INDICES, parameter="indices")
            same_dtype("DynamicStitch", values[0], v, ("data_0", f"data_{k}"))
        return graph.add("DynamicStitch", [*numbers, *values], {}, scope).outputs[0]


@builder("InvertPermutation")
def _invert(x: Node) -> Node:
    if x.rank != 1:
        raise ShapeError(f"invert_permutation expects a 1D vector, not {brackets(x.shape)}")
    return build.scatter(build.generic(scalar.i(0), (), (), x.shape, 1, None, x.dtype), x, x.shape)


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The vector y with y[x[k]] = k, for a permutation x of 0, 1, ..., n - 1; an entry outside is an error when it runs."""
    with recording("InvertPermutation", name or "InvertPermutation", x=x) as (graph, scope):
        t = convert(x, name="x", graph=graph)
        need(t, *INDICES)
        return graph.add("InvertPermutation", (t,), {}, scope).outputs[0]
