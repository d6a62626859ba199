"""Elements moved along axes: repeated, padded, split, reversed, rolled.

Law of this file: amounts are shape arguments, ints or integer tensors whose values are known or fed (`statics`); what
they say becomes slices, places, concatenations and reshapes, or a gather where a position is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..dtypes import int32, int64
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import Extent, ShapeError, TensorShape, agree, broadcast, compatible, normal, product, quotient
from ..statics import static_shape, static_value
from .array import shape_tensor, size_vector
from .core import ANY, INDICES, apply, is_tensor, need, recording
from .gather import along, numbered
from .reduce import axis_list, one_of
from .slicing import window


def _one_axis(axis: Any, function: str) -> int:
    axes = axis_list(axis)
    if axes is None or len(axes) != 1:
        raise TypeError(f"axis of tf.{function} must be one int, not {axis!r}")
    return axes[0]


def whole(value: Any, graph: Any, name: str) -> Tensor:
    """Whole numbers as a tensor, of any rank."""
    t = convert(value if is_tensor(value) else np.asarray(value, np.int32), name=name, graph=graph)
    need(t, *INDICES, parameter=name)
    return t


# ---------------------------------------------------------------- repeating
@builder("Tile")
def _tile(x: Node, multiples: Node) -> Node:
    times = static_value(multiples)
    if len(times) != x.rank:
        raise ShapeError(f"Expected argument multiples to be a vector of length {x.rank} but got length {len(times)}")
    if bad := [m for m in times if isinstance(m, int) and m < 0]:
        raise ShapeError(f"Expected multiples >= 0, but got {bad[0]}")
    space: list[Extent] = []
    index: list[int | None] = []
    for d, m in zip(x.shape, times, strict=True):
        if m != 1:
            space.append(m)
        index.append(None if d == 1 and m != 1 else len(space))
        if d != 1 or m == 1:
            space.append(d)
    many = build.generic(scalar.x(0), (x,), (tuple(index),), tuple(space), len(space), None, x.dtype)
    return build.reshape(many, tuple(normal(d * m) for d, m in zip(x.shape, times, strict=True)))


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """The tensor repeated `multiples[a]` times along each axis a."""
    with recording("Tile", name or "Tile", input=input, multiples=multiples) as (graph, scope):
        x = convert(input, name="input", graph=graph)
        need(x, *ANY, parameter="input")
        return graph.add("Tile", (x, shape_tensor(multiples, graph, "multiples")), {}, scope).outputs[0]


@builder("Repeat")
def _repeat(x: Node, repeats: Node, axis: int | None) -> Node:
    if axis is None:
        x = build.reshape(x, (product(x.shape),))
    a = build.axis_in(axis or 0, x.rank)
    times, d = static_value(repeats), x.shape[a]
    if len(times) == 1:
        labels = [*range(a + 1), *range(a + 2, x.rank + 1)]
        many = build.generic(
            scalar.x(0), (x,), (tuple(labels),), (*x.shape[: a + 1], times[0], *x.shape[a + 1 :]), x.rank + 1, None, x.dtype
        )
        return build.reshape(many, (*x.shape[:a], normal(d * times[0]), *x.shape[a + 1 :]))
    if not compatible(d, len(times)) or not all(isinstance(v, int) for v in times):
        raise ShapeError(f"repeats must be one number, or one for each of the {d} slices, not {len(times)}")
    x = build.reshape(x, (*x.shape[:a], len(times), *x.shape[a + 1 :]))
    return along(x, build.const(np.repeat(np.arange(len(times)), times), int64), a)


def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """Each slice along `axis` `repeats` times, one number or one for each; without an axis, the elements in C order."""
    with recording("Repeat", name or "Repeat", input=input, repeats=repeats) as (graph, scope):
        x = convert(input, name="input", graph=graph)
        at = None if axis is None else _one_axis(axis, "repeat")
        return graph.add("Repeat", (x, whole(repeats, graph, "repeats")), {"axis": at}, scope, 27 + 2 * (at is None)).outputs[0]


@builder("BroadcastTo")
def _broadcast_to(x: Node, shape: Node) -> Node:
    return build.broadcast_to(x, static_shape(shape))


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """The tensor repeated along new leading axes and axes of extent 1, up to `shape`."""
    with recording("BroadcastTo", name or "BroadcastTo", input=input, shape=shape) as (graph, scope):
        x = convert(input, name="input", graph=graph)
        return graph.add("BroadcastTo", (x, shape_tensor(shape, graph)), {}, scope).outputs[0]


@builder("BroadcastArgs")
def _broadcast_args(x: Node, y: Node) -> Node:
    return size_vector(broadcast(static_shape(x), static_shape(y)), x.dtype)


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape to which tensors of two shapes broadcast, as an integer vector."""
    with recording("BroadcastArgs", "BroadcastArgs", x=shape_x, y=shape_y) as (graph, scope):
        pair = shape_tensor(shape_x, graph, "s0"), shape_tensor(shape_y, graph, "s1")
        return graph.add("BroadcastArgs", pair, {}, scope).outputs[0]


def broadcast_static_shape(shape_x: TensorShape, shape_y: TensorShape) -> TensorShape:
    """The TensorShape to which two of them broadcast; ValueError where they do not."""
    a, b = TensorShape(shape_x), TensorShape(shape_y)
    if a.dims is None or b.dims is None:
        return TensorShape(None)
    rank = max(len(a), len(b))
    pairs = zip(*([*[1] * (rank - len(s)), *s.as_list()] for s in (a, b)), strict=True)
    found = [q if p == 1 else p if q == 1 or q is None else q if p is None or p == q else -1 for p, q in pairs]
    if -1 in found:
        raise ValueError(f"Incompatible shapes for broadcasting: {a} and {b}")
    return TensorShape(found)


# ---------------------------------------------------------------- padding
def paddings_of(paddings: Node, rank: int) -> list[tuple[Extent, Extent]]:
    flat = static_value(paddings)
    if len(flat) != 2 * rank:
        raise ShapeError(f"paddings must be the rank of the input x 2: {rank} pairs are wanted, not {len(flat)} numbers")
    if bad := [p for p in flat if isinstance(p, int) and p < 0]:
        raise ShapeError(f"paddings must be non-negative: {bad[0]}")
    return list(zip(flat[::2], flat[1::2], strict=True))


@builder("Pad")
def _pad(x: Node, paddings: Node, *constant_values: Node) -> Node:
    pairs = paddings_of(paddings, x.rank)
    shape = tuple(normal(p + d + q) for d, (p, q) in zip(x.shape, pairs, strict=True))
    placed = build.place(x, [p for p, _ in pairs], shape, [1] * x.rank)
    if not constant_values or placed is x:
        return placed
    body: sp.Expr = scalar.x(0)
    for a, (d, (p, q)) in enumerate(zip(x.shape, pairs, strict=True)):
        if q != 0:
            body = fn.select(fn.lt(scalar.i(a), p + d), body, scalar.x(1))
        if p != 0:
            body = fn.select(fn.ge(scalar.i(a), p), body, scalar.x(1))
    return build.elementwise(body, placed, constant_values[0])


@builder("MirrorPad")
def _mirror_pad(x: Node, paddings: Node, mode: str) -> Node:
    edge = 1 if mode == "REFLECT" else 0  # what is mirrored begins behind the edge, or with it
    for a, (p, q) in enumerate(paddings_of(paddings, x.rank)):
        d = x.shape[a]
        if isinstance(d, int) and any(isinstance(k, int) and k > d - edge for k in (p, q)):
            than = "less than" if edge else "no greater than"
            raise ShapeError(f"paddings must be {than} the dimension size: {p}, {q} not {than} {d}")
        sides = [(window(x, a, normal(p + edge - 1), p, -1), p), (x, 1), (window(x, a, normal(d - 1 - edge), q, -1), q)]
        x = build.concat([part for part, k in sides if k != 0], a)
    return x


def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", name: str | None = None, constant_values: Any = 0) -> Tensor:
    """`paddings[a] = [before, after]` elements added along each axis a: zeros or `constant_values`, or with the mode
    'REFLECT' or 'SYMMETRIC' the tensor's own elements mirrored, without the edge or with it."""
    kinds = {"CONSTANT": "Pad", "REFLECT": "MirrorPad", "SYMMETRIC": "MirrorPad"}
    kind = kinds.get(str(mode).upper())
    constant = kind == "Pad" and (is_tensor(constant_values) or constant_values != 0)
    with recording(kind or "Pad", name or ("PadV2" if constant else kind or "Pad"), tensor=tensor, paddings=paddings) as (graph, scope):
        if kind is None:
            raise ValueError(f"Unknown padding mode: {mode}\nmodes are {', '.join(kinds)}")
        x = convert(tensor, name="tensor", graph=graph)
        need(x, *ANY, parameter="input")
        inputs = [x, whole(paddings, graph, "paddings")]
        if kind == "MirrorPad":
            return graph.add(kind, inputs, {"mode": str(mode).upper()}, scope).outputs[0]
        if constant:
            inputs.append(convert(constant_values, like=x.dtype, name="constant_values", graph=graph))
        return graph.add(kind, inputs, {}, scope).outputs[0]


# ---------------------------------------------------------------- splitting
def _parts(x: Node, axis: int, sizes: Sequence[Extent]) -> tuple[Node, ...]:
    """Parts of such sizes, which together are all of the axis."""
    total = normal(sum(sizes, sp.S.Zero))
    x = build.reshape(x, (*x.shape[:axis], total, *x.shape[axis + 1 :]))
    out, at = [], sp.S.Zero
    for s in sizes:
        out.append(window(x, axis, normal(at), s))
        at = at + s
    return tuple(out)


@builder("Split")
def _split(value: Node, axis: int, num: int) -> tuple[Node, ...]:
    a = build.axis_in(axis, value.rank)
    d = value.shape[a]
    if isinstance(d, int) and d % num:
        raise ShapeError(
            f"Number of ways to split should evenly divide the split dimension, but got split_dim {a} (size = {d}) and num_split {num}"
        )
    return _parts(value, a, [quotient(d, num)] * num)


@builder("SplitV")
def _split_sizes(value: Node, sizes: Node, axis: int) -> tuple[Node, ...]:
    a = build.axis_in(axis, value.rank)
    given, d = static_value(sizes), value.shape[a]
    known = sp.Add(*(s for s in given if s != -1))
    if given.count(-1) > 1:
        raise ShapeError("There can only be one -1 in the sizes of a split")
    rest = [normal(d - known) if s == -1 else s for s in given]
    if isinstance(d, int) and (sum(rest) != d or any(isinstance(s, int) and s < 0 for s in rest)):
        raise ShapeError(f"The sizes of a split must add up to the dimension of the input along it, {d}, but are {given}")
    return _parts(value, a, rest)


def split(value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split") -> list[Tensor]:
    """`num_or_size_splits` equal parts along `axis`, or parts of these sizes, of which one may be -1, as a list."""
    with recording("Split", name, value=value, num_or_size_splits=num_or_size_splits) as (graph, scope):
        x = convert(value, name="value", graph=graph)
        need(x, *ANY, parameter="value")
        at, how = _one_axis(axis, "split"), num_or_size_splits
        if not is_tensor(how) and np.ndim(how) == 0:
            if not hasattr(how, "__index__") or how < 1:
                raise ValueError(f"the number of parts must be an int of 1 or more, not {how!r}")
            count = how.__index__()
            return list(graph.add("Split", (x,), {"axis": at, "num": count, "_shapes": [None] * count}, scope, 2).outputs)
        sizes = shape_tensor(how, graph, "Const")
        if sizes.extents == ():
            raise TypeError("the number of parts must be a Python int, not a tensor: it says how many tensors there are")
        known = sizes.extents[0] if sizes.extents and len(sizes.extents) == 1 else num
        if not isinstance(known, int):
            raise ValueError("Cannot infer argument `num` from the shape of num_or_size_splits\npass num=")
        return list(graph.add("SplitV", (x, sizes), {"axis": at, "_shapes": [None] * known}, scope, 2).outputs)


# ---------------------------------------------------------------- order
@builder("ReverseV2")
def _reverse(x: Node, axis: tuple[int, ...]) -> Node:
    axes = [build.axis_in(a, x.rank) for a in axis]
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axis {axes[0]} specified more than once: {list(axis)}")
    for a in axes:
        x = window(x, a, normal(x.shape[a] - 1), x.shape[a], -1) if x.shape[a] != 0 else x
    return x


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """The tensor with the elements along the axes of the list `axis` in reverse."""
    return apply("ReverseV2", "ReverseV2", tensor, name=name, hidden=1, axis=axis_list(axis) or ())


reverse_v2 = reverse


@builder("ReverseSequence")
def _reverse_sequence(x: Node, seq_lengths: Node, seq_axis: int, batch_axis: int) -> Node:
    s, b = build.axis_in(seq_axis, x.rank), build.axis_in(batch_axis, x.rank)
    if s == b:
        raise ShapeError(f"batch_dim == seq_dim == {s}")
    rest = [a for a in range(x.rank) if a not in (s, b)]
    rows, steps = x.shape[b], x.shape[s]
    agree((rows,), seq_lengths.shape)
    length, t = scalar.x(0), scalar.i(1)
    place = build.generic(
        fn.select(fn.lt(t, length), length - 1 - t, t), (build.cast(seq_lengths, int64),), ((0,),), (rows, steps), 2, None, int64
    )
    flat = build.reshape(build.permute(x, [b, s, *rest]), (normal(rows * steps), *(x.shape[a] for a in rest)))
    out = build.gather(flat, numbered([place], (steps,), (rows,)))
    order = [b, s, *rest]
    return build.permute(out, [order.index(a) for a in range(x.rank)])


def reverse_sequence(
    input: Any,
    seq_lengths: Any,
    seq_axis: Any = None,
    batch_axis: Any = None,
    name: str | None = None,
    seq_dim: Any = None,
    batch_dim: Any = None,
) -> Tensor:
    """Slice k along `batch_axis` (default 0) with its first `seq_lengths[k]` elements along `seq_axis` in reverse."""
    with recording("ReverseSequence", name or "ReverseSequence", input=input, seq_lengths=seq_lengths) as (graph, scope):
        along_, batch = one_of(seq_axis, seq_dim, "seq_dim"), one_of(batch_axis, batch_dim, "batch_dim")
        if along_ is None:
            raise ValueError("tf.reverse_sequence needs seq_axis")
        x, n = convert(input, name="input", graph=graph), whole(seq_lengths, graph, "seq_lengths")
        attrs = {"seq_axis": int(along_), "batch_axis": int(batch or 0)}
        return graph.add("ReverseSequence", (x, n), attrs, scope).outputs[0]


@builder("Roll")
def _roll(x: Node, shift: Node, axis: tuple[int, ...]) -> Node:
    for k, a in enumerate(axis):
        a = build.axis_in(a, x.rank)
        by = build.slice_(shift, [k], (1,), [1]) if shift.rank else shift
        if x.shape[a] == 0:
            continue
        body = fn.floormod(scalar.i(0) - scalar.x(0), x.shape[a])
        at = build.generic(body, (build.cast(build.reshape(by, ()), int64),), ((),), (x.shape[a],), 1, None, int64)
        x = along(x, at, a)
    return x


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    """Elements moved by `shift` places along `axis`, what leaves at one end entering at the other; both may be lists."""
    with recording("Roll", name or "Roll", input=input, shift=shift) as (graph, scope):
        x, by, axes = convert(input, name="input", graph=graph), whole(shift, graph, "shift"), axis_list(axis) or ()
        if by.extents not in ((), (len(axes),)) or by.extents == () and len(axes) != 1:
            raise ValueError(f"shift and axis must have the same size, not {by.shape} and {len(axes)}")
        return graph.add("Roll", (x, by), {"axis": axes}, scope, 2).outputs[0]


# ---------------------------------------------------------------- several at once
@builder("IdentityN")
def _identity_n(*inputs: Node) -> tuple[Node, ...]:
    return inputs


def identity_n(input: Sequence[Any], name: str | None = None) -> list[Tensor]:
    """The same values under other names."""
    with recording("IdentityN", name or "IdentityN", input=input) as (graph, scope):
        parts = [convert(t, name=f"input_{k}", graph=graph) for k, t in enumerate(input)]
        attrs = {"_shapes": [None] * len(parts), "_dtypes": [t.dtype for t in parts]}
        return list(graph.add("IdentityN", parts, attrs, scope).outputs)


@builder("ShapeN")
def _shape_n(*inputs: Node, out_type: Any) -> tuple[Node, ...]:
    return tuple(build.reshape(size_vector(x.shape, out_type), (x.rank,)) if x.rank else build.const([], out_type) for x in inputs)


def shape_n(input: Sequence[Any], out_type: Any = int32, name: str | None = None) -> list[Tensor]:
    """The shapes of several tensors."""
    with recording("ShapeN", name or "ShapeN", input=input) as (graph, scope):
        parts = [convert(t, name=f"input_{k}", graph=graph) for k, t in enumerate(input)]
        attrs = {"out_type": out_type, "_shapes": [None] * len(parts), "_dtypes": [out_type] * len(parts)}
        return list(graph.add("ShapeN", parts, attrs, scope).outputs)
