"""Arrays made of positions: one-hot rows, masks, bands, grids and steps.

Law of this file: each is one body that compares or computes with the positions along its axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from .. import build, dtypes, scalar
from ..codegen import scalar as fn
from ..dtypes import as_dtype, float32, int32, int64
from ..dtypes import bool as bool_
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import Extent, ShapeError, agree, normal
from ..statics import static_value
from .core import ANY, FLOATS, NUMBERS, apply, is_tensor, need, pair, recording, same_dtype

x0, x1, x2 = (scalar.x(k) for k in range(3))


# ---------------------------------------------------------------- one-hot rows and masks
@builder("OneHot", lambda op: op.inputs[2].dtype)
def _one_hot(indices: Node, depth: Node, on_value: Node, off_value: Node, axis: int) -> Node:
    (classes,) = static_value(depth)
    a = build.axis_in(axis, indices.rank + 1)
    own = tuple(np.delete(np.arange(indices.rank + 1), a).tolist())
    space = (*indices.shape[:a], classes, *indices.shape[a:])
    body = fn.select(fn.eq(scalar.i(a), x0), x1, x2)
    operands = build.cast(indices, int64), on_value, off_value
    return build.generic(body, operands, (own, (), ()), space, len(space), None, on_value.dtype)


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: Any = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """`on_value` (1) where the position along the new axis, of extent `depth`, is the index, `off_value` (0) elsewhere.

    The new axis is the last by default; an index outside of [0, depth) gives off_value everywhere.  The dtype is that of the
    values, by default float32."""
    with recording("OneHot", name or "one_hot", indices=indices, depth=depth, on_value=on_value, off_value=off_value) as (graph, scope):
        given = next((convert(v) for v in (on_value, off_value) if is_tensor(v)), None)
        wanted = as_dtype(dtype) if dtype is not None else None if given is None else given.dtype
        if wanted is None:
            wanted = next((dtypes.of_python(v) for v in (on_value, off_value) if v is not None), None) or float32
        at = convert(indices, name="indices", graph=graph)
        need(at, lambda d: d.is_integer, "uint8, int32, int64", parameter="indices")
        ends = []
        for v, default, called in ((on_value, 1, "on_value"), (off_value, 0, "off_value")):
            if v is None:
                ends.append(convert(np.asarray(default, wanted.as_numpy_dtype), name=called, graph=graph))
            else:
                ends.append(convert(v, dtype=None if is_tensor(v) else wanted, name="Const", graph=graph))
        if any(v.dtype is not wanted for v in ends):
            raise TypeError(
                f"dtype {wanted.name} of on_value does not match dtype parameter: on_value is {ends[0].dtype.name}, "
                f"off_value {ends[1].dtype.name}"
            )
        size = convert(depth, name="depth", graph=graph)
        attrs = {"axis": -1 if axis is None else int(axis)}
        return graph.add("OneHot", (at, size, *ends), attrs, scope).outputs[0]


@builder("SequenceMask", lambda op: op.attrs["dtype"])
def _sequence_mask(lengths: Node, *maxlen: Node, dtype: dtypes.DType) -> Node:
    longest = maxlen[0] if maxlen else build.reduce("max", build.reshape(lengths, (build.product(lengths.shape),)))
    (n,) = static_value(longest)
    r = lengths.rank
    space = (*lengths.shape, n)
    mask = build.generic(fn.lt(scalar.i(r), x0), (build.cast(lengths, int64),), (tuple(range(r)),), space, r + 1, None, bool_)
    return build.cast(mask, dtype)


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = bool_, name: str | None = None) -> Tensor:
    """True (1) at the first `lengths[...]` places of a new last axis of extent `maxlen`, False (0) at the others.

    Without maxlen it is the greatest length, which must then be known or fed."""
    with recording("SequenceMask", name or "SequenceMask", lengths=lengths, maxlen=maxlen) as (graph, scope):
        n = convert(lengths, name="lengths", graph=graph)
        need(n, lambda d: d.is_integer, "int32, int64", parameter="lengths")
        count = 7 + (as_dtype(dtype) is not bool_)
        if maxlen is None:
            return graph.add("SequenceMask", (n,), {"dtype": as_dtype(dtype)}, scope, count + 4).outputs[0]
        most = convert(maxlen, name="Const", graph=graph)
        return graph.add("SequenceMask", (n, most), {"dtype": as_dtype(dtype)}, scope, count).outputs[0]


# ---------------------------------------------------------------- matrices
def _matrix(x: Node) -> int:
    if x.rank < 2:
        raise ShapeError(f"Shape must be at least rank 2 but is rank {x.rank}")
    return x.rank - 2


@builder("MatrixBandPart")
def _band_part(input: Node, num_lower: Node, num_upper: Node) -> Node:
    r = _matrix(input)
    below = scalar.i(r) - scalar.i(r + 1)
    body: sp.Expr = x0
    for k, (bound, distance) in enumerate(((num_lower, below), (num_upper, -below))):
        limit, number = scalar.x(k + 1), build.is_filled(bound)
        if number is None:
            body = fn.select(fn.logical_or(fn.lt(limit, 0), fn.le(distance, limit)), body, 0)
        elif number >= 0:
            body = fn.select(fn.le(distance, number), body, 0)
    bounds = (build.cast(build.reshape(b, ()), int64) for b in (num_lower, num_upper))
    axes = tuple(range(input.rank))
    return build.generic(body, (input, *bounds), (axes, (), ()), input.shape, input.rank, None, input.dtype)


def matrix_band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Tensor:
    """Matrices [..., m, n] with 0 outside of a band of `num_lower` diagonals below the main one and `num_upper` above it; a
    negative number keeps all of them, so (-1, 0) is the lower triangle."""
    with recording("MatrixBandPart", name or "MatrixBandPart", input=input, num_lower=num_lower, num_upper=num_upper) as (graph, scope):
        x = convert(input, name="input", graph=graph)
        need(x, *NUMBERS, parameter="input")
        bounds = [convert(v, name=called, graph=graph) for v, called in ((num_lower, "num_lower"), (num_upper, "num_upper"))]
        for v in bounds:
            need(v, lambda d: d.is_integer, "int32, int64", parameter="num_lower")
        return graph.add("MatrixBandPart", (x, *bounds), {}, scope).outputs[0]


@builder("MatrixSetDiag")
def _set_diag(input: Node, diagonal: Node) -> Node:
    r = _matrix(input)
    rows, columns = input.shape[-2:]
    n = rows if rows == columns else normal(sp.Min(rows, columns))
    agree((*input.shape[:-2], n), diagonal.shape)
    if rows != n:
        diagonal = build.place(diagonal, [0] * diagonal.rank, (*diagonal.shape[:-1], rows), [1] * diagonal.rank)
    axes = tuple(range(input.rank))
    body = fn.select(fn.eq(scalar.i(r), scalar.i(r + 1)), x1, x0)
    return build.generic(body, (input, diagonal), (axes, axes[:-1]), input.shape, input.rank, None, input.dtype)


def matrix_set_diag(input: Any, diagonal: Any, name: str = "set_diag", k: int = 0) -> Tensor:
    """Matrices [..., m, n] with the main diagonal [..., min(m, n)] replaced."""
    with recording("MatrixSetDiag", name, input=input, diagonal=diagonal) as (graph, scope):
        if k != 0:
            raise NotImplementedError(f"tf.matrix_set_diag sets the main diagonal only here, not k={k!r}")
        x = convert(input, name="input", graph=graph)
        d = convert(diagonal, like=x.dtype, name="diagonal", graph=graph)
        same_dtype("MatrixSetDiag", x, d, ("input", "diagonal"))
        return graph.add("MatrixSetDiag", (x, d), {}, scope).outputs[0]


# ---------------------------------------------------------------- grids and steps
@builder("Meshgrid")
def _meshgrid(*args: Node, order: tuple[int, ...]) -> tuple[Node, ...]:
    flat = [build.reshape(v, (build.product(v.shape),)) for v in args]
    axis = {k: a for a, k in enumerate(order)}
    space = tuple(flat[k].shape[0] for k in order)
    return tuple(
        build.generic(x0, (v,), ((axis[k] if v.shape[0] != 1 else None,),), space, len(space), None, v.dtype) for k, v in enumerate(flat)
    )


def meshgrid(*args: Any, indexing: str = "xy", name: str = "meshgrid") -> list[Tensor]:
    """A grid of N vectors: N tensors of N axes, of which each repeats its vector along all axes but its own.

    With indexing='xy' the first two axes are exchanged, as for pictures; 'ij' keeps the order of the vectors."""
    with recording("Meshgrid", name, args=args) as (graph, scope):
        if indexing not in ("xy", "ij"):
            raise ValueError("indexing parameter must be either 'xy' or 'ij'")
        parts = [convert(v, name=f"arg_{k}", graph=graph) for k, v in enumerate(args)]
        if not parts:
            return []
        swapped = indexing == "xy" and len(parts) > 1
        order = np.arange(len(parts)).tolist()
        if swapped:
            order[:2] = [1, 0]
        attrs = {"order": tuple(order), "_shapes": [None] * len(parts), "_dtypes": [v.dtype for v in parts]}
        return list(graph.add("Meshgrid", parts, attrs, scope, 4 * len(parts) + 3 + 4 * swapped).outputs)


@builder("LinSpace")
def _linspace(start: Node, stop: Node, num: Node) -> Node:
    (n,) = static_value(num)
    if isinstance(n, int) and n < 1:
        raise ValueError(f"Requires num > 0: {n}")
    body = x0 if n == 1 else fn.select(fn.eq(scalar.i(0), n - 1), x1, x0 + (x1 - x0) / (n - 1) * scalar.i(0))
    size: Extent = n
    return build.generic(body, (start, stop), ((), ()), (size,), 1, None, start.dtype)


def linspace(start: Any, stop: Any, num: Any, name: str | None = None) -> Tensor:
    """`num` numbers in equal steps from `start` to `stop`, both included; floats only, num known or fed."""
    with recording("LinSpace", name or "LinSpace", start=start, stop=stop, num=num) as (graph, scope):
        a, b = pair(start, stop, "LinSpace", graph, ("start", "stop"))
        need(a, *FLOATS, parameter="start")
        n = convert(num, name="num", graph=graph)
        need(n, lambda d: d.is_integer, "int32, int64", parameter="num")
        return graph.add("LinSpace", (a, b, n), {}, scope).outputs[0]


lin_space = linspace


@builder("SearchSorted", lambda op: op.attrs["out_type"])
def _searchsorted(sorted_sequence: Node, values: Node, side: str, out_type: dtypes.DType) -> Node:
    agree(sorted_sequence.shape[:-1], values.shape[:-1])
    r = values.rank
    before = (fn.lt if side == "left" else fn.le)(x0, x1)
    axes = tuple(range(r))
    space = (*values.shape, sorted_sequence.shape[-1])
    body = fn.select(before, 1, 0)
    return build.generic(body, (sorted_sequence, values), ((*axes[:-1], r), axes), space, r, "sum", out_type)


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = int32, name: str | None = None) -> Tensor:
    """Where `values` would go into rows sorted in increasing order: before equal ones (side='left') or behind ('right').

    [..., n] and [..., m] to [..., m].  Every value is compared with the whole row."""
    with recording("SearchSorted", name or "SearchSorted", sorted_sequence=sorted_sequence, values=values) as (graph, scope):
        if side not in ("left", "right"):
            raise ValueError(f"side must be either 'right' or 'left'. Saw: {side}.")
        a, b = pair(sorted_sequence, values, "SearchSorted", graph, ("sorted_sequence", "values"))
        need(a, *NUMBERS, parameter="sorted_sequence")
        return graph.add("SearchSorted", (a, b), {"side": side, "out_type": as_dtype(out_type)}, scope, 19).outputs[0]


@builder("MatrixTranspose")
def _matrix_transpose(a: Node) -> Node:
    _matrix(a)
    return build.swap(a)


def matrix_transpose(a: Any, name: str = "matrix_transpose", conjugate: bool = False) -> Tensor:
    """The last two axes exchanged."""
    with recording("MatrixTranspose", name, a=a) as (graph, scope):
        x = convert(a, name="a", graph=graph)
        need(x, *ANY, parameter="a")
        return graph.add("MatrixTranspose", (x,), {}, "transpose", 2).outputs[0]


def adjoint(matrix: Any, name: str = "adjoint") -> Tensor:
    """The transpose of real matrices."""
    return apply("MatrixTranspose", "adjoint", matrix, name=name, hidden=1)
