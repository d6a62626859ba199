"""Windows of tensors: indexing, slices and strided slices.

Law of this file: how large a result is must be known while the graph is built, or when it is fed; where it begins may be
computed.  An index entry is an int, a slice, None, Ellipsis or, where the user gave a tensor, the number of the input
that holds it, as a string; a slice may hold such strings too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..dtypes import int64
from ..graph import Arithmetic, NeedsValue, Tensor, builder, convert
from ..node import Node
from ..shapes import Extent, Shape, ShapeError, normal
from ..statics import static_value
from .array import shape_tensor
from .core import INDICES, is_tensor, need, recording
from .gather import along


# ---------------------------------------------------------------- what an index means
@builder("StridedSlice")
def _strided_slice(x: Node, *places: Node, key: tuple) -> Node:
    start: list[Extent] = []
    extent: list[Extent] = []
    step: list[int] = []
    shape_out: list[Extent] = []
    computed: list[tuple[int, Node]] = []
    for k in _entries(key, x.rank):
        axis = len(start)
        if k is None:
            shape_out.append(1)
            continue
        d = x.shape[axis]
        first: Extent = 0
        count: Extent = d
        stride = 1
        if isinstance(k, slice):
            first, count, stride = _bounds(slice(*(_known(v, places) for v in (k.start, k.stop, k.step))), d)
            shape_out.append(count)
        elif (at := _number(k, places)) is None:
            computed.append((axis, _counted(places[int(k)], d)))
        else:
            first, count = (d + at if _from_end(at) else at), 1
            if isinstance(d, int) and isinstance(first, int) and not 0 <= first < d:
                raise ShapeError(f"slice index {k} of dimension {axis} out of bounds\nits extent is {d}")
        start.append(first)
        extent.append(count)
        step.append(stride)
    part = build.slice_(x, start, tuple(extent), step)
    for axis, at in computed:
        part = along(part, build.reshape(at, (1,)), axis)
    return build.reshape(part, tuple(shape_out))


def _entries(key: tuple, rank: int) -> list[Any]:
    """An entry for each axis, and None for each new one: what is not named is taken whole."""
    consumed = sum(1 for k in key if k is not None and k is not Ellipsis)
    if consumed > rank:
        raise ShapeError(f"Index out of range using input dim {rank}; input has only {rank} dims")
    whole = [slice(None)] * (rank - consumed)
    at = next((p for p, k in enumerate(key) if k is Ellipsis), len(key))
    return [*key[:at], *whole, *key[at + 1 :]]


def _known(v: Any, places: Sequence[Node]) -> Any:
    """A bound of a slice, which must be known."""
    return static_value(places[int(v)])[0] if isinstance(v, str) else v


def _number(v: Any, places: Sequence[Node]) -> Extent | None:
    """An index as an extent, None where it is computed."""
    try:
        return _known(v, places)
    except (NeedsValue, ShapeError):
        return None


def _counted(at: Node, d: Extent) -> Node:
    """A computed index counted from the front."""
    x = scalar.x(0)
    return build.elementwise(fn.select(fn.lt(x, 0), x + d, x), build.cast(at, int64))


def _from_end(v: Extent) -> bool:
    """Does a bound count from the end?  A size less something does not."""
    return v < 0 if isinstance(v, int) else v.is_negative is True


def _bounds(k: slice, d: Extent) -> tuple[Extent, Extent, int]:
    """First element, count and stride of a slice of an axis of extent d; bounds and extent may be size expressions."""
    stride = 1 if k.step is None else int(k.step)
    if stride == 0:
        raise ShapeError("strides[0] must be non-zero")
    if isinstance(d, int) and not any(isinstance(v, sp.Expr) for v in (k.start, k.stop)):
        first, stop, stride = slice(k.start, k.stop, stride).indices(d)
        count = len(range(first, stop, stride))
        return first if count else 0, count, stride
    if stride < 0:
        if k.start is not None or k.stop is not None:
            raise ShapeError("a slice of an unknown dimension with a negative stride takes no bounds")
        return d - 1, d if stride == -1 else sp.floor((d - stride - 1) / -stride), stride
    first = 0 if k.start is None else sp.Max(d + k.start, 0) if _from_end(k.start) else k.start
    stop = d if k.stop is None else d + k.stop if _from_end(k.stop) else sp.Min(k.stop, d)
    count = normal(sp.Max(stop - first, 0))
    return first, count if stride == 1 else normal(sp.floor((sp.sympify(count) + stride - 1) / stride)), stride


# ---------------------------------------------------------------- indexing
def _getitem(t: Any, key: Any) -> Tensor:
    x = convert(t)
    with recording("StridedSlice", "strided_slice", tensor=x, index=key) as (graph, scope):
        inputs = [x]
        clean = _clean(key, inputs)
        return graph.add("StridedSlice", inputs, {"key": clean}, scope, 4 + 2 * (len(inputs) > 1)).outputs[0]


def _clean(key: Any, inputs: list[Tensor]) -> tuple:
    """An index as a tuple of entries; tensors in it join the inputs."""
    entries = key if isinstance(key, tuple) else (key,)
    clean: list[Any] = []
    for k in entries:
        if k is None or k is Ellipsis:
            clean.append(k)
        elif isinstance(k, slice):
            clean.append(slice(*(_int(v, inputs) for v in (k.start, k.stop, k.step))))
        else:
            clean.append(_int(k, inputs))
    if sum(k is Ellipsis for k in clean) > 1:
        raise ValueError("Multiple ellipses are not allowed")
    return tuple(clean)


def _int(k: Any, inputs: list[Tensor]) -> int | str | None:
    if k is None:
        return None
    if is_tensor(k):
        t = convert(k)
        if t.dtype.is_bool:
            raise TypeError("a tensor of truth values is no index here\nuse tf.boolean_mask, or tf.where with the values that shall remain")
        need(t, *INDICES, parameter="begin")
        if t.extents not in ((), None):
            raise TypeError(f"an index is one number, not a tensor of shape {t.shape}\nuse tf.gather to take several")
        inputs.append(t)
        return str(len(inputs) - 2)
    if isinstance(k, bool | np.bool_) or not hasattr(k, "__index__"):
        raise TypeError(f"Only integers, slices (`:`), ellipsis (`...`) and tf.newaxis (`None`) are valid indices, got {k!r}")
    return k.__index__()


# ---------------------------------------------------------------- as functions
@builder("Slice")
def _slice(x: Node, begin: Node, size: Node) -> Node:
    sizes = static_value(size)
    if len(sizes) != x.rank or begin.shape != size.shape:
        raise ShapeError(
            f"Expected begin and size arguments to be 1-D tensors of size {x.rank}, but got shapes {begin.shape} and {size.shape}"
        )
    firsts = [_number("0", [build.slice_(begin, [k], (1,), [1])]) for k in range(x.rank)]
    start: list[Extent] = []
    extent: list[Extent] = []
    for axis, (p, q, d) in enumerate(zip(firsts, sizes, x.shape, strict=True)):
        if isinstance(q, int) and q < -1 or isinstance(p, int) and p < 0:
            raise ShapeError(f"Expected begin[{axis}] and size[{axis}] to lie in [0, {d}], but got {p} and {q}")
        if p is None and q == -1:
            raise ShapeError("a size of -1 needs a begin that is known\nhow much remains is not known while the graph is built")
        last = 0 if p is None else p
        if all(isinstance(v, int) for v in (last, q, d)) and (last > d or q > d - last):  # type: ignore[operator]
            raise ShapeError(f"Expected begin[{axis}] and size[{axis}] to lie in [0, {d}], but got {p} and {q}")
        start.append(last)
        extent.append(d if p is None else normal(sp.sympify(d - p)) if q == -1 else q)
    part = build.slice_(x, start, tuple(extent), [1] * x.rank)
    for axis, p in enumerate(firsts):
        if p is None:
            at = build.generic(scalar.x(0) + scalar.i(0), (_element(begin, axis),), ((),), (sizes[axis],), 1, None, int64)
            part = along(part, at, axis)
    return part


def _element(v: Node, k: int) -> Node:
    return build.cast(build.reshape(build.slice_(v, [k], (1,), [1]), ()), int64)


def slice_(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """`size` elements from `begin` along each axis; a size of -1 is all that remain.

    `begin` may be computed, `size` must be known or fed."""
    with recording("Slice", name or "Slice", input=input_, begin=begin, size=size) as (graph, scope):
        x = convert(input_, name="input", graph=graph)
        ends = shape_tensor(begin, graph, "begin"), shape_tensor(size, graph, "size")
        return graph.add("Slice", (x, *ends), {}, scope).outputs[0]


def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: Any = None,
    name: str | None = None,
) -> Tensor:
    """`input_[begin[0]:end[0]:strides[0], ...]`; a bit set in a mask leaves that bound out, or says what else an entry is.

    Entries of `begin`, `end` and `strides` are ints, those of `begin` and `end` also scalar tensors."""
    if var is not None:
        raise NotImplementedError("tf.strided_slice cannot assign to a part of a variable: use tf.scatter_update or tf.assign")
    with recording("StridedSlice", name or "StridedSlice", input=input_, begin=begin, end=end, strides=strides) as (graph, scope):
        if any(is_tensor(v) for v in (begin, end, strides)):
            raise TypeError("tf.strided_slice takes lists of ints and scalar tensors: use tf.unstack on a tensor of bounds, or tf.slice")
        x = convert(input_, name="input", graph=graph)
        n = len(begin)
        steps = [1] * n if strides is None else list(strides)
        if not n == len(end) == len(steps):
            raise ValueError(f"begin, end and strides must be of one length, not {n}, {len(end)} and {len(steps)}")
        key: list[Any] = []
        for k, (a, b, s) in enumerate(zip(begin, end, steps, strict=True)):
            bit = 1 << k
            if ellipsis_mask & bit or new_axis_mask & bit:
                key.append(... if ellipsis_mask & bit else None)
            elif shrink_axis_mask & bit:
                key.append(a)
            else:
                key.append(slice(None if begin_mask & bit else a, None if end_mask & bit else b, s))
        inputs = [x]
        clean = _clean(tuple(key), inputs)
        return graph.add("StridedSlice", inputs, {"key": clean}, scope, 4 if strides is not None else 7).outputs[0]


def window(x: Node, axis: int, first: Extent, count: Extent, step: int = 1) -> Node:
    """`count` slices along one axis, from `first` on."""
    start: list[Extent] = [0] * x.rank
    steps, shape = [1] * x.rank, list(x.shape)
    start[axis], steps[axis], shape[axis] = first, step, count
    size: Shape = tuple(shape)
    return build.slice_(x, start, size, steps)


Arithmetic.operators["getitem"] = _getitem
