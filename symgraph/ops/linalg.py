"""Matrix products and dense linear algebra.

Law of this file: functions record one operation each; `norm` and `trace` are composites of existing kinds.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..graph import Arithmetic, Tensor, builder, convert
from ..node import Node
from ..shapes import ShapeError, agree, compatible, merge, normal
from .core import FLOATS, NUMBERS, apply, need, pair, recording
from .math import _made
from .reduce import axis_list, one_of, reduce_sum
from .slicing import window

maximum, multiply, rsqrt, square = (_made[n] for n in ("maximum", "multiply", "rsqrt", "square"))


@builder("MatMul")
def _matmul(left: Node, right: Node, transpose_a: bool, transpose_b: bool) -> Node:
    if left.rank < 2 or right.rank < 2:
        raise ShapeError(f"Shape must be rank 2 but is rank {min(left.rank, right.rank)}")
    return build.matmul(build.swap(left) if transpose_a else left, build.swap(right) if transpose_b else right)


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The matrix product over the last two axes; leading axes broadcast."""
    with recording("MatMul", name or "MatMul", left=a, right=b) as (graph, scope):
        x, y = pair(a, b, "MatMul", graph, ("a", "b"))
        need(x, *NUMBERS, parameter="a")
        attrs = {"transpose_a": bool(transpose_a or adjoint_a), "transpose_b": bool(transpose_b or adjoint_b)}
        return graph.add("MatMul", (x, y), attrs, scope).outputs[0]


def _unary(kind: str, fn_name: str, what: str):
    @builder(kind)
    def make(x: Node) -> Node:
        return build.linalg(fn_name, x)

    def function(input: Any, name: str | None = None) -> Tensor:
        with recording(kind, name or kind, input=input) as (graph, scope):
            t = convert(input, name="input", graph=graph)
            need(t, *FLOATS, parameter="input")
            return graph.add(kind, (t,), {}, scope).outputs[0]

    function.__doc__ = f"{what} of the square matrices [..., n, n] of float32 or float64."
    function.__name__ = function.__qualname__ = fn_name
    return function


matrix_inverse = _unary("MatrixInverse", "inverse", "The inverse")
matrix_determinant = _unary("MatrixDeterminant", "determinant", "The determinant")
cholesky = _unary("Cholesky", "cholesky", "The lower Cholesky factor")
logdet = _unary("LogDet", "logdet", "log |det|")


@builder("MatrixSolve")
def _solve(matrix: Node, rhs: Node, adjoint: bool) -> Node:
    return build.linalg("solve", build.swap(matrix) if adjoint else matrix, rhs)


def matrix_solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """X with matrix @ X = rhs; shapes [..., n, n] and [..., n, k]."""
    with recording("MatrixSolve", name or "MatrixSolve", matrix=matrix, rhs=rhs) as (graph, scope):
        a, b = pair(matrix, rhs, "MatrixSolve", graph, ("matrix", "rhs"))
        need(a, *FLOATS, parameter="matrix")
        return graph.add("MatrixSolve", (a, b), {"adjoint": bool(adjoint)}, scope).outputs[0]


def _main_diagonal(x: Node, reducer: str | None, square: bool = False) -> Node:
    """The main diagonals of the last two axes, or a reduction of each; those of `square` matrices are as long as both."""
    if x.rank < 2:
        raise ShapeError(f"Shape must be at least rank 2 but is rank {x.rank}")
    r = x.rank - 2
    rows, cols = x.shape[-2:]
    if square:
        agree((rows,), (cols,))
    n = merge(rows, cols) if square or rows == cols else normal(sp.Min(rows, cols))
    if not square and (rows != n or cols != n):
        x = build.slice_(x, [0] * x.rank, (*x.shape[:-2], n, n), [1] * x.rank)
    rank = r if reducer else r + 1
    return build.generic(scalar.x(0), (x,), ((*range(r), r, r),), (*x.shape[:-2], n), rank, reducer, x.dtype)


@builder("MatrixDiagPart")
def _matrix_diag_part(x: Node) -> Node:
    return _main_diagonal(x, None)


@builder("MatrixDiag")
def _matrix_diag(diagonal: Node) -> Node:
    if diagonal.rank < 1:
        raise ShapeError("Shape must be at least rank 1 but is rank 0")
    r = diagonal.rank
    index = (tuple(range(r)),)
    return build.generic(
        scalar.on_diagonal(r - 1, r, scalar.x(0)), (diagonal,), index, (*diagonal.shape, diagonal.shape[-1]), r + 1, None, diagonal.dtype
    )


@builder("DiagPart")
def _diag_part(x: Node) -> Node:
    half, odd = divmod(x.rank, 2)
    if odd or not half:
        raise ShapeError(f"Shape must have an even rank of 2 or more but is rank {x.rank}")
    agree(x.shape[:half], x.shape[half:])
    return build.generic(scalar.x(0), (x,), ((*range(half), *range(half)),), x.shape[:half], half, None, x.dtype)


@builder("Diag")
def _diag(diagonal: Node) -> Node:
    if diagonal.rank < 1:
        raise ShapeError("Shape must be at least rank 1 but is rank 0")
    r = diagonal.rank
    body = scalar.x(0)
    for a in reversed(range(r)):
        body = scalar.on_diagonal(a, r + a, body)
    return build.generic(body, (diagonal,), (tuple(range(r)),), diagonal.shape * 2, 2 * r, None, diagonal.dtype)


def diag(diagonal: Any, name: str | None = None) -> Tensor:
    """The tensor of shape s + s with `diagonal`, of shape s, where both positions are equal, and 0 elsewhere."""
    return apply("Diag", "Diag", diagonal, name=name)


def diag_part(input: Any, name: str | None = None) -> Tensor:
    """The elements of shape s of a tensor of shape s + s at which both positions are equal."""
    return apply("DiagPart", "DiagPart", input, name=name)


def matrix_diag(diagonal: Any, name: str = "diag") -> Tensor:
    """Diagonal matrices [..., n, n] with the diagonals [..., n]."""
    return apply("MatrixDiag", "diag", diagonal, name=name)


def matrix_diag_part(input: Any, name: str = "diag_part") -> Tensor:
    """The main diagonals [..., min(m, n)] of matrices [..., m, n]."""
    return apply("MatrixDiagPart", "diag_part", input, name=name)


@builder("Trace")
def _trace(x: Node, square: bool = False) -> Node:
    return _main_diagonal(x, "sum", square)


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sum of the main diagonal of the last two axes."""
    return apply("Trace", "Trace", x, name=name, hidden=2)


@builder("Norm")
def _norm(x: Node, ord: Any, axis: tuple[int, ...] | None, keepdims: bool) -> Node:
    axes = tuple(np.arange(x.rank).tolist()) if axis is None else axis
    x0 = scalar.x(0)
    if ord in ("euclidean", "fro", 2):
        return build.composite("norm", x, axes, keepdims)
    magnitude = build.elementwise(fn.absolute(x0), x)
    if ord == 1:
        return build.reduce("sum", magnitude, axes, keepdims)
    if ord == np.inf:
        return build.reduce("max", magnitude, axes, keepdims)
    total = build.reduce("sum", build.elementwise(fn.power(x0, scalar.x(1)), magnitude, build.const(ord, x.dtype)), axes, keepdims)
    return build.elementwise(fn.power(x0, scalar.x(1)), total, build.const(1 / ord, x.dtype))


def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = None, name: str | None = None, keep_dims: Any = None
) -> Tensor:
    """The vector norm over `axis` (all axes by default): 'euclidean', 1, 2, inf or a positive number."""
    with recording("Norm", name or "norm", tensor=tensor, axis=axis) as (graph, scope):
        axes = axis_list(axis)
        if ord not in ("euclidean", "fro", 1, 2, np.inf) and not (isinstance(ord, int | float) and ord > 0):
            raise ValueError(f"'ord' must be a supported norm ('euclidean', 1, 2, inf, a positive number), got {ord!r}")
        if axes is not None and len(axes) == 2 and ord not in ("euclidean", "fro"):
            raise ValueError(f"'ord' must be 'euclidean' or 'fro' for a matrix norm over two axes, got {ord!r}")
        t = convert(tensor, name="tensor", graph=graph)
        need(t, *FLOATS, parameter="tensor")
        keep = bool(keepdims if keepdims is not None else keep_dims)
        count = {"euclidean": 4, "fro": 4, 2: 4, 1: 3, np.inf: 3}.get(ord, 7) + (not keep)
        return graph.add("Norm", (t,), {"ord": ord, "axis": axes, "keepdims": keep}, scope, count).outputs[0]


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Tensor:
    """x / sqrt(max(sum(x^2), epsilon)), with the sum over `axis` (an int, a list of ints; None: all axes)."""
    with recording("L2Normalize", name or "l2_normalize", x=x, axis=axis) as (graph, scope):
        t = convert(x, name="x", graph=graph)
        need(t, *FLOATS)
        total = reduce_sum(square(t), one_of(axis, dim, "dim"), keepdims=True)
        return multiply(t, rsqrt(maximum(total, epsilon)), name=scope)


@builder("Cross")
def _cross(a: Node, b: Node) -> Node:
    agree(a.shape, b.shape)
    if a.rank < 1 or not compatible(a.shape[-1], 3):
        raise ShapeError(f"Cross-products are only defined for 3-element vectors, not {a.shape[-1] if a.rank else 'a scalar'}.")
    a, b = (build.reshape(x, (*x.shape[:-1], 3)) for x in (a, b))
    u, v = ([window(x, x.rank - 1, k, 1) for k in (0, 1, 2)] for x in (a, b))
    body = scalar.x(0) * scalar.x(1) - scalar.x(2) * scalar.x(3)
    return build.concat([build.elementwise(body, u[j], v[k], u[k], v[j]) for j, k in ((1, 2), (2, 0), (0, 1))], a.rank - 1)


def cross(a: Any, b: Any, name: str | None = None) -> Tensor:
    """The cross product of the vectors of 3 along the last axis."""
    with recording("Cross", name or "Cross", a=a, b=b) as (graph, scope):
        x, y = pair(a, b, "Cross", graph, ("a", "b"))
        need(x, *NUMBERS, parameter="a")
        return graph.add("Cross", (x, y), {}, scope).outputs[0]


@builder("MatVec")
def _matvec(a: Node, b: Node, transpose_a: bool) -> Node:
    if b.rank < 1:
        raise ShapeError("Shape must be at least rank 1 but is rank 0")
    column = build.reshape(b, (*b.shape, 1))
    out = build.matmul(build.swap(a) if transpose_a else a, column)
    return build.reshape(out, out.shape[:-1])


def matvec(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """Matrices [..., m, n] times vectors [..., n]; leading axes broadcast."""
    with recording("MatVec", name or "MatVec", a=a, b=b) as (graph, scope):
        x, y = pair(a, b, "MatVec", graph, ("a", "b"))
        need(x, *NUMBERS, parameter="a")
        return graph.add("MatVec", (x, y), {"transpose_a": bool(transpose_a or adjoint_a)}, scope, 4).outputs[0]


def square_trace(x: Any) -> Tensor:
    """The trace of what is a square matrix, also where its sizes are not known to be equal."""
    return apply("Trace", "Trace", x, hidden=2, square=True)


Arithmetic.operators["matmul"] = partial(matmul, name="matmul")
