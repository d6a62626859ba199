"""Constants, placeholders and movement: shapes, concatenation.

Law of this file: shape arguments may be Python ints or integer tensors; a tensor is read by `statics`, so a shape made
of constants and of other tensors' sizes is known while the graph is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

from .. import build, dtypes, scalar
from ..codegen import scalar as fn
from ..dtypes import as_dtype
from ..graph import Arithmetic, Attempt, Tensor, Unknown, builder, convert, get_default_graph
from ..node import Kind, Node
from ..shapes import Extent, ShapeError, TensorShape, agree, brackets, compatible, from_user, is_known
from ..statics import static_shape, static_value
from ..values import to_array
from .core import INDICES, apply, graph_of, is_tensor, need, recording, same_dtype
from .math import cast
from .reduce import axis_list, one_of


# ---------------------------------------------------------------- leaves
def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const", verify_shape: bool = False) -> Tensor:
    """A constant.  Python floats are float32, ints int32, NumPy values keep their dtype; a short value is repeated at
    its end to fill `shape`.  TypeError for a float under an integer dtype."""
    with Attempt(get_default_graph(), "Const", name, {"value": value}) as (graph, _):
        array = to_array(value, None if dtype is None else as_dtype(dtype))
        if shape is not None:
            array = _filling(array, shape, verify_shape)
        return graph.add("Const", (), {"value": array, "dtype": as_dtype(array.dtype)}, name).outputs[0]


def convert_to_tensor(value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None) -> Tensor:
    """A tensor for a tensor, variable, number, array or nested list, which may hold tensors.

    TypeError for a tensor of another dtype than `dtype`; `preferred_dtype` is taken where it loses nothing."""
    like = None if preferred_dtype is None else as_dtype(preferred_dtype)
    with Attempt(graph_of((value,)), "Const", name or "Const", {"value": value}) as (graph, _):
        return convert(value, dtype, name, like, graph)


def _filling(array: np.ndarray, shape: Any, exactly: bool) -> np.ndarray:
    """The array in another shape, its last element repeated."""
    wanted = from_user(shape)
    if wanted is None or not is_known(wanted):
        raise ValueError(f"the shape of a constant must be known, not {shape!r}")
    count = int(np.prod(wanted, dtype=np.int64))
    if array.shape == wanted:
        return array
    if array.size > count or array.size == 0 and count or exactly:
        raise ValueError(f"Too many elements provided. Needed at most {count}, but received {array.size}")
    flat = array.ravel()
    return np.concatenate([flat, np.repeat(flat[-1:], count - flat.size)]).reshape(wanted)


@builder("Placeholder", lambda op: op.attrs["dtype"], contextual=True, leaf=True)
def _placeholder(context: Any, op: Any) -> Node:
    if op.attrs["_node"] is None:
        raise Unknown
    return op.attrs["_node"]


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A value to be fed.  `shape=None` is an unknown rank; None entries are sizes known when fed."""
    with recording("Placeholder", name or "Placeholder") as (graph, scope):
        d = as_dtype(dtype)
        extents = from_user(shape, scope[:-1])
        node = None if extents is None else build.leaf(Kind.PLACEHOLDER, scope[:-1], extents, d)
        return graph.add("Placeholder", (), {"dtype": d, "shape": extents, "_node": node}, scope).outputs[0]


@builder("PlaceholderWithDefault", lambda op: op.attrs["dtype"], contextual=True)
def _with_default(context: Any, op: Any) -> Node:
    if is_known(op.attrs["shape"]) or getattr(context, "final", False):
        return context.node(op.inputs[0])
    return _placeholder(context, op)  # sizes that a feed may change: those of the default count only when it runs


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A value that may be fed, `input` where it is not.  ValueError if `input` cannot have the shape."""
    with recording("PlaceholderWithDefault", name or "PlaceholderWithDefault", input=input) as (graph, scope):
        default = convert(input, name="input", graph=graph)
        extents = from_user(shape, scope[:-1])
        default.shape.assert_is_compatible_with(shape)
        node = None if extents is None else build.leaf(Kind.PLACEHOLDER, scope[:-1], extents, default.dtype)
        attrs = {"dtype": default.dtype, "shape": extents, "_node": node}
        return graph.add("PlaceholderWithDefault", (default,), attrs, scope).outputs[0]


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """A tensor of zeros."""
    return _full(0, shape, dtype, name or "zeros")


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """A tensor of ones."""
    return _full(1, shape, dtype, name or "ones")


def _full(value: int, shape: Any, dtype: Any, name: str) -> Tensor:
    with recording("Fill", name, shape=shape) as (graph, scope):
        d = as_dtype(dtype)
        if d is dtypes.string and value:
            raise TypeError(f"Expected string, got {value} of type 'int' instead.")
        element: Any = b"" if d is dtypes.string else value
        s = None if _has_tensor(shape) else from_user(shape)
        if s is not None and is_known(s) and (d is dtypes.string or int(np.prod(s, dtype=np.int64)) < 1000):
            return graph.add("Const", (), {"value": np.full(s, element, d.as_numpy_dtype), "dtype": d}, scope).outputs[0]
        return fill(shape, to_array(element, d), scope)


def _has_tensor(shape: Any) -> bool:
    """Is the shape a tensor, or a list with one in it?"""
    return is_tensor(shape) or isinstance(shape, list | tuple) and any(map(is_tensor, shape))


@builder("Fill", lambda op: op.inputs[1].dtype)
def _fill_node(dims: Node, value: Node) -> Node:
    return build.broadcast_to(value, static_shape(dims))


def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """A tensor of shape `dims` with the scalar `value` everywhere."""
    with recording("Fill", name or "Fill", dims=dims, value=value) as (graph, scope):
        d = shape_tensor(dims, graph, "dims")
        v = convert(value, name="value", graph=graph)
        if v.extents not in ((), None):
            raise ValueError(f"Shape must be rank 0 but is rank {v.shape.ndims}\nthe value is one number")
        return graph.add("Fill", (d, v), {}, scope).outputs[0]


def shape_tensor(shape: Any, graph: Any, name: str = "shape") -> Tensor:
    """A shape argument as an int32 vector tensor; lists may mix ints and scalar tensors."""
    if isinstance(shape, TensorShape):
        shape = shape.as_list()
    if is_tensor(shape):
        t = convert(shape)
        need(t, *INDICES, parameter="shape")
        return t
    if _has_tensor(shape):
        like = next(convert(d).dtype for d in shape if is_tensor(d))
        return stack([convert(d, like=like, graph=graph) for d in shape], name=f"{name}_packed")
    entries = list(shape) if isinstance(shape, Sequence | np.ndarray) else [shape]
    if any(d is None for d in entries):
        raise ValueError(f"Cannot convert a partially known shape {shape} to a Tensor: every entry must be a number here")
    if not all(hasattr(d, "__index__") for d in entries):
        raise TypeError(f"a shape is made of integers, not {shape!r}")
    return convert(np.asarray([d.__index__() for d in entries], np.int32), name=name, graph=graph)


@builder("ZerosLike", lambda op: op.attrs["dtype"])
def _zeros_like(x: Node, dtype: dtypes.DType) -> Node:
    return build.filled(0, x.shape, dtype)


@builder("OnesLike", lambda op: op.attrs["dtype"])
def _ones_like(x: Node, dtype: dtypes.DType) -> Node:
    return build.filled(1, x.shape, dtype)


def zeros_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    """Zeros of the tensor's shape and, by default, dtype."""
    t = convert(tensor)
    return apply("ZerosLike", "zeros_like", t, name=name, dtype=as_dtype(dtype) if dtype else t.dtype)


def ones_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    """Ones of the tensor's shape and, by default, dtype."""
    t = convert(tensor)
    return apply("OnesLike", "ones_like", t, name=name, hidden=2, dtype=as_dtype(dtype) if dtype else t.dtype)


@builder("Range", lambda op: op.inputs[0].dtype)
def _range(start: Node, limit: Node, delta: Node) -> Node:
    d = start.dtype
    if d.is_integer:
        (a,), (b,), (s,) = static_value(start), static_value(limit), static_value(delta)
        if s == 0:
            raise ValueError("Requires delta != 0")
        n: Extent = (
            max(0, -(-(b - a) // s)) if all(isinstance(v, int) for v in (a, b, s)) else b - a if s == 1 else sp.floor((b - a + s - 1) / s)
        )
        return build.generic(a + s * scalar.i(0), (), (), (int(n) if isinstance(n, sp.Integer) else n,), 1, None, d)
    values = [build.is_filled(v) if v.kind is not Kind.CONST else v.attrs[0].value.item() for v in (start, limit, delta)]
    if any(v is None for v in values):
        raise ShapeError("the length of a range of floats must be known: its bounds must be constants")
    lo, hi, st = (float(v) for v in values)  # type: ignore[arg-type]
    if st == 0:
        raise ValueError("Requires delta != 0")
    n = max(0, int(np.ceil((hi - lo) / st)))
    return build.generic(scalar.x(0) + scalar.x(1) * scalar.i(0), (start, delta), ((), ()), (n,), 1, None, d)


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Tensor:  # noqa: A001
    """start, start + delta, ... below limit; one argument is the limit."""
    if limit is None:
        start, limit = 0, start
    with recording("Range", name, start=start, limit=limit, delta=delta) as (graph, scope):
        given = [convert(v).dtype if isinstance(v, Tensor) else dtypes.of_python(v) for v in (start, limit, delta)]
        order = (dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64)
        for d in given:
            if d not in order:
                raise TypeError(f"range takes numbers, not {d}")
        wanted = as_dtype(dtype) if dtype else max(given, key=order.index)  # type: ignore[arg-type]
        ends = []
        for label, v in (("start", start), ("limit", limit), ("delta", delta)):
            if isinstance(v, Tensor):
                ends.append(cast(v, wanted))
            else:
                ends.append(convert(to_array(v, wanted), name=label, graph=graph))
        return graph.add("Range", ends, {}, scope).outputs[0]


@builder("Eye", lambda op: op.attrs["dtype"])
def _eye(rows: Node, columns: Node, dtype: dtypes.DType, batch: tuple[int, ...]) -> Node:
    (n,), (m,) = static_value(rows), static_value(columns)
    r = len(batch)
    return build.generic(fn.select(fn.eq(scalar.i(r), scalar.i(r + 1)), 1, 0), (), (), (*batch, n, m), r + 2, None, dtype)


def eye(num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Identity matrices: 1 where row equals column."""
    with recording("Eye", name or "eye", num_rows=num_rows, num_columns=num_columns) as (graph, scope):
        n = convert(num_rows, name="num_rows", graph=graph)
        m = n if num_columns is None else convert(num_columns, name="num_columns", graph=graph)
        batch = from_user(batch_shape) or ()
        return graph.add("Eye", (n, m), {"dtype": as_dtype(dtype), "batch": batch}, scope).outputs[0]


# ---------------------------------------------------------------- shape, size, rank
def size_vector(extents: Sequence[Extent], dtype: dtypes.DType) -> Node:
    if all(isinstance(d, int) for d in extents):
        return build.const(np.asarray(extents, dtype.as_numpy_dtype), dtype)
    return build.concat([build.filled(d, (1,), dtype) for d in extents], 0)


@builder("Shape", lambda op: op.attrs["out_type"])
def _shape(x: Node, out_type: dtypes.DType) -> Node:
    return size_vector(x.shape, out_type) if x.shape else build.const(np.zeros(0, out_type.as_numpy_dtype), out_type)


def shape(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    """The tensor's shape as an integer vector."""
    return apply("Shape", "Shape", input, name=name, out_type=as_dtype(out_type))


@builder("Size", lambda op: op.attrs["out_type"])
def _size(x: Node, out_type: dtypes.DType) -> Node:
    return build.reshape(size_vector([build.product(x.shape)], out_type), ())


def size(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    """How many elements the tensor has."""
    return apply("Size", "Size", input, name=name, out_type=as_dtype(out_type))


@builder("Rank", lambda op: dtypes.int32)
def _rank(x: Node) -> Node:
    return build.const(x.rank, dtypes.int32)


def rank(input: Any, name: str | None = None) -> Tensor:
    """How many axes the tensor has."""
    return apply("Rank", "Rank", input, name=name)


# ---------------------------------------------------------------- movement
@builder("Reshape")
def _reshape(x: Node, target: Node) -> Node:
    return build.reshape(x, build.resolve_shape(x, static_shape(target, wild=True)))


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The same elements in C order with another shape; one entry may be -1."""
    with recording("Reshape", name or "Reshape", tensor=tensor, shape=shape) as (graph, scope):
        t = convert(tensor, name="tensor", graph=graph)
        return graph.add("Reshape", (t, shape_tensor(shape, graph)), {}, scope).outputs[0]


@builder("Transpose")
def _transpose(x: Node, perm: tuple[int, ...] | None) -> Node:
    return build.permute(x, perm if perm is not None else tuple(reversed(np.arange(x.rank).tolist())))


def transpose(a: Any, perm: Any = None, name: str = "transpose", conjugate: bool = False) -> Tensor:
    """Axes in the order `perm`, by default reversed."""
    p = None if perm is None else tuple(int(v) for v in np.asarray(perm).ravel())
    reversing = p is None and getattr(a, "extents", ()) is None  # TF1 then computes the order from the rank
    return apply("Transpose", "transpose", a, name=name, hidden=6 if reversing else 1, perm=p)


@builder("EnsureShape")
def _ensure_shape(x: Node, shape: tuple | None) -> Node:
    if shape is None:
        return x
    if len(shape) != x.rank or not all(d is None or compatible(d, e) for d, e in zip(shape, x.shape, strict=True)):
        raise ShapeError(f"Shape of tensor {brackets(x.shape)} is not compatible with expected shape {TensorShape(shape)}.")
    return build.reshape(x, tuple(e if d is None else d for d, e in zip(shape, x.shape, strict=True)))


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """`x`, of which from here on this shape is known; an error where it has another one, at the latest when it runs."""
    wanted = TensorShape(shape)
    return apply("EnsureShape", "EnsureShape", x, name=name, shape=None if wanted.dims is None else tuple(wanted.as_list()))


@builder("ExpandDims")
def _expand_dims(x: Node, axis: int) -> Node:
    a = build.axis_in(axis, x.rank + 1)
    return build.reshape(x, (*x.shape[:a], 1, *x.shape[a:]))


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """A new axis of extent 1 at `axis`."""
    with recording("ExpandDims", name or "ExpandDims", input=input, axis=axis, dim=dim) as (graph, scope):
        axes = axis_list(one_of(axis, dim, "dim"))
        if axes is None or len(axes) != 1:
            raise ValueError("Must specify an axis argument to tf.expand_dims()")
        return graph.add("ExpandDims", (convert(input, name="Const", graph=graph),), {"axis": axes[0]}, scope, 2).outputs[0]


@builder("Squeeze")
def _squeeze(x: Node, axis: tuple[int, ...] | None) -> Node:
    axes = {build.axis_in(a, x.rank) for a in axis} if axis else {a for a, d in enumerate(x.shape) if d == 1}
    bad = [a for a in axes if isinstance(x.shape[a], int) and x.shape[a] != 1]
    if bad:
        raise ShapeError(f"Can not squeeze dim[{bad[0]}], expected a dimension of 1, got {x.shape[bad[0]]}")
    return build.reshape(x, tuple(d for a, d in enumerate(x.shape) if a not in axes))


def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Tensor:
    """Without the axes of extent 1, or without those named."""
    with recording("Squeeze", name or "Squeeze", input=input, axis=axis, squeeze_dims=squeeze_dims) as (graph, scope):
        axes = axis_list(one_of(axis, squeeze_dims, "squeeze_dims"))
        return graph.add("Squeeze", (convert(input, name="Const", graph=graph),), {"axis": axes}, scope).outputs[0]


@builder("ConcatV2")
def _concat(*parts: Node, axis: int) -> Node:
    return build.concat(parts, axis)


def concat(values: Any, axis: Any, name: str = "concat") -> Tensor:
    """Tensors one after another along `axis`."""
    with recording("ConcatV2", name, values=values, axis=axis) as (graph, scope):
        if isinstance(values, int) and not isinstance(axis, int):
            raise TypeError("the arguments are in the wrong order: tf.concat takes the tensors first, tf.concat(values, axis)")
        axes = axis_list(axis)
        if axes is None or len(axes) != 1:
            raise TypeError(f"axis of tf.concat must be one int, not {axis!r}")
        parts = _same(values if isinstance(values, list | tuple) else [values], graph, "ConcatV2")
        return graph.add("ConcatV2", parts, {"axis": axes[0]}, scope, 2).outputs[0]


def _same(values: Sequence[Any], graph: Any, kind: str) -> list[Tensor]:
    """Values as tensors of one dtype, that of the first tensor among them."""
    if not values:
        raise ValueError(f"{kind} needs at least one tensor")
    firm = next((convert(v) for v in values if is_tensor(v)), None)
    like = None if firm is None else firm.dtype
    parts = [convert(v, like=like, name=f"values_{k}", graph=graph) for k, v in enumerate(values)]
    for k, p in enumerate(parts[1:], 1):
        same_dtype(kind, parts[0], p, ("values_0", f"values_{k}"))
    return parts


@builder("Pack")
def _pack(*parts: Node, axis: int) -> Node:
    first = parts[0]
    a = build.axis_in(axis, first.rank + 1)
    for p in parts[1:]:
        agree(first.shape, p.shape)
    return build.concat([build.reshape(p, (*p.shape[:a], 1, *p.shape[a:])) for p in parts], a)


def stack(values: Any, axis: int = 0, name: str = "stack") -> Tensor:
    """Tensors of one shape along a new axis."""
    with recording("Pack", name, values=values, axis=axis) as (graph, scope):
        if is_tensor(values):
            raise TypeError("tf.stack takes a list of tensors, not a tensor")
        parts = _same(list(values), graph, "Pack")
        return graph.add("Pack", parts, {"axis": int(axis)}, scope).outputs[0]


@builder("Unpack")
def _unpack(x: Node, num: int, axis: int) -> tuple[Node, ...]:
    a = build.axis_in(axis, x.rank)
    if isinstance(x.shape[a], int) and x.shape[a] != num:
        raise ShapeError(f"Dimension must be {num} but is {x.shape[a]}\nnum={num} is not the extent of axis {axis}")
    return tuple(_take(x, a, k) for k in np.arange(num).tolist())


def _take(x: Node, axis: int, k: Extent) -> Node:
    start: list[Extent] = [0] * x.rank
    start[axis] = k
    part = build.slice_(x, start, tuple(1 if a == axis else d for a, d in enumerate(x.shape)), [1] * x.rank)
    return build.reshape(part, tuple(d for a, d in enumerate(x.shape) if a != axis))


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Tensor]:
    """The slices along `axis` as a list; its extent must be known or given as `num`."""
    with recording("Unpack", name, value=value, axis=axis) as (graph, scope):
        t = convert(value, graph=graph)
        if num is None:
            extents = t.extents
            if extents is None or not isinstance(d := extents[build.axis_in(axis, len(extents))], int):
                raise ValueError(f"Cannot infer argument `num` from shape {t.shape}\npass num=")
            num = d
        return list(graph.add("Unpack", (t,), {"num": num, "axis": axis, "_shapes": [None] * num}, scope).outputs)


Arithmetic.operators["stack"] = stack
