"""Rows of reductions and of linear algebra.

Law of this file: data only; see `op_cases` for what a row is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import symgraph as sg
from tests.train.op_cases import (
    PRODUCT,
    SQUARE,
    Operands,
    Row,
    alone,
    at_least,
    axes_of,
    definite,
    distinct,
    halves,
    regular,
    small,
    smooth,
    truth,
    whole,
)

# ---------------------------------------------------------------- reductions
AXES: tuple[tuple[Any, int], ...] = (
    (None, 0),
    (0, 1),
    (-1, 1),
    (1, 2),
    (-2, 2),
    ((0, 1), 2),
    ((-1, 0), 2),
    (2, 3),
    ((0, 2), 3),
    ([2, 1, 0], 3),
    ([], 0),
)
"""(axis, the least rank that it needs)."""


def _mean(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    if x.dtype.kind == "f":
        return np.mean(x, axis=axis, keepdims=keepdims, dtype=x.dtype)
    n = np.prod(
        [x.shape[a] for a in np.arange(x.ndim)[list(axis) if isinstance(axis, tuple) else slice(None) if axis is None else [axis]]],
        dtype=int,
    )
    total = np.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)
    return total if n == 0 else np.trunc(total / n).astype(x.dtype)


def _bounded(f: Callable, sign: int) -> Callable:
    def reduce(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
        initial = sign * np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max if sign > 0 else np.iinfo(x.dtype).min
        return f(x, axis=axis, keepdims=keepdims, initial=initial)

    return reduce


def _plainly(f: Callable) -> Callable:
    return lambda x, axis, keepdims: f(x, axis=axis, keepdims=keepdims, **({"dtype": x.dtype} if x.dtype != bool else {}))


def _tensor_diagonal(a: np.ndarray) -> np.ndarray:
    return np.diag(a.ravel()).reshape(a.shape * 2)


def _paired_diagonal(a: np.ndarray) -> np.ndarray:
    half = a.shape[: a.ndim // 2]
    return np.diag(a.reshape(2 * (int(np.prod(half)),))).reshape(half)


def reductions() -> Iterator[Row]:
    for op, numpy, domain in (
        ("reduce_sum", _plainly(np.sum), smooth),
        ("reduce_mean", _mean, smooth),
        ("reduce_prod", _plainly(np.prod), smooth),
        ("reduce_max", _bounded(np.max, -1), distinct),
        ("reduce_min", _bounded(np.min, 1), distinct),
    ):
        for axis, rank in AXES:
            for keep in (False, True):
                yield Row(
                    op,
                    lambda x, op=op, axis=axis, keep=keep: getattr(sg, op)(x, axis, keep),
                    lambda x, f=numpy, axis=axes_of(axis), keep=keep: f(x, axis, keep),
                    at_least(rank),
                    (domain,),
                    (small,) if not keep and op != "reduce_prod" or axis == 0 else None,
                    f"axis={axis} {'kept' if keep else ''}",
                    loose=4,
                )
        yield Row(
            op,
            lambda x, op=op: getattr(sg, op)(x, reduction_indices=[0], keep_dims=True),
            lambda x, f=numpy: f(x, 0, True),
            {"full": (((3, 4),),)},
            (domain,),
            label="old keywords",
            loose=4,
        )
    for axis, rank in AXES[:5]:
        for keep in (False, True):
            yield Row(
                "reduce_logsumexp",
                lambda x, a=axis, k=keep: sg.reduce_logsumexp(x, a, k),
                lambda x, a=axis, k=keep: np.log(np.sum(np.exp(x), axis=a, keepdims=k, dtype=x.dtype)),
                {c: g for c, g in at_least(rank).items() if c != "empty"},
                (smooth,),
                label=f"axis={axis}{' kept' if keep else ''}",
                dtypes=("float32", "float64"),
                loose=8,
            )
    for op, numpy in (("reduce_any", np.any), ("reduce_all", np.all)):
        for axis, rank in AXES:
            yield Row(
                op,
                lambda x, op=op, axis=axis: getattr(sg, op)(x, axis),
                lambda x, f=numpy, axis=axes_of(axis): f(x, axis=axis),
                at_least(rank),
                (truth,),
                label=f"axis={axis}",
                gradient="skip",
                dtypes=("bool",),
            )
    for op, numpy in (("argmax", np.argmax), ("argmin", np.argmin)):
        for axis, rank in ((0, 1), (1, 2), (-1, 1), (2, 3)):
            full = at_least(rank)
            fit = {c: tuple(s for s in group if s[0][axis]) for c, group in full.items()}
            yield Row(
                op,
                lambda x, op=op, axis=axis: getattr(sg, op)(x, axis),
                lambda x, f=numpy, axis=axis: f(x, axis=axis),
                {c: g for c, g in fit.items() if g},
                (halves,),
                (whole,),
                f"axis={axis}",
                "skip",
            )
        yield Row(
            op,
            lambda x, op=op: getattr(sg, op)(x, output_type=sg.int32),
            lambda x, f=numpy: f(x, axis=0).astype(np.int32),
            {"full": (((3, 4),),)},
            (distinct,),
            label="int32",
            gradient="skip",
        )


# ---------------------------------------------------------------- matrices
def _norm(x: np.ndarray, ord: Any, axis: Any, keepdims: bool) -> np.ndarray:  # noqa: A002
    magnitude = np.abs(x)
    if ord == np.inf:
        return _bounded(np.max, -1)(magnitude, axis, keepdims)
    p = 2 if isinstance(ord, str) else ord
    return (np.sum(magnitude**p, axis=axis, keepdims=keepdims) ** (1 / p)).astype(x.dtype)


def _symmetric(a: np.ndarray) -> np.ndarray:
    return np.linalg.cholesky((a + np.swapaxes(a, -1, -2)) / 2)


def matrices() -> Iterator[Row]:
    def turned(group: tuple[Operands, ...], ta: bool, tb: bool) -> tuple[Operands, ...]:
        turn: Callable = lambda s, t: (*s[:-2], s[-1], s[-2]) if t else s  # noqa: E731
        return tuple((turn(a, ta), turn(b, tb)) for a, b in group)

    def t(a: np.ndarray, yes: bool) -> np.ndarray:
        return np.swapaxes(a, -1, -2) if yes else a

    for ta in (False, True):
        for tb in (False, True):
            for op in ("matmul",) if ta or tb else ("matmul", "operator @"):
                build: Callable = (
                    (lambda a, b: a @ b) if "@" in op else lambda a, b, ta=ta, tb=tb: sg.matmul(a, b, transpose_a=ta, transpose_b=tb)
                )
                patterns = {c: turned(g, ta, tb) for c, g in PRODUCT.items()}
                yield Row(
                    op,
                    build,
                    lambda a, b, ta=ta, tb=tb: np.matmul(t(a, ta), t(b, tb)),
                    patterns,
                    (smooth, smooth),
                    (whole, whole),
                    f"{'Ta' if ta else ''}{'Tb' if tb else ''}",
                    loose=8,
                )
    for op, numpy in (("matrix_inverse", np.linalg.inv), ("matrix_determinant", np.linalg.det)):
        yield Row(op, getattr(sg, op), numpy, SQUARE, (regular,), loose=50)
    yield Row("linalg.logdet", sg.linalg.logdet, lambda a: np.linalg.slogdet(a)[1], SQUARE, (regular,), loose=50)
    yield Row("cholesky", sg.cholesky, _symmetric, SQUARE, (definite,), loose=100, twice=False)  # only symmetric steps make sense
    yield Row(
        "cholesky",
        lambda a: sg.cholesky(sg.matmul(a, a, transpose_b=True)),
        lambda a: np.linalg.cholesky(a @ np.swapaxes(a, -1, -2)),
        SQUARE,
        (regular,),
        label="of a a'",
        loose=100,
    )
    right = {
        "full": (((3, 3), (3, 2)), ((2, 2), (2, 1)), ((2, 3, 3), (2, 3, 2))),
        "size 1": (((1, 1), (1, 3)), ((1, 2, 2), (1, 2, 1))),
        "empty": (((0, 0), (0, 2)), ((3, 3), (3, 0)), ((0, 2, 2), (0, 2, 1))),
    }
    yield Row("matrix_solve", sg.matrix_solve, np.linalg.solve, right, (regular, smooth), loose=50)
    yield Row(
        "matrix_solve",
        lambda a, b: sg.matrix_solve(a, b, adjoint=True),
        lambda a, b: np.linalg.solve(np.swapaxes(a, -1, -2), b),
        right,
        (regular, smooth),
        label="adjoint",
        loose=50,
    )
    oblong = {
        "full": alone((3, 4), (3, 3), (2, 3, 3), (2, 4, 3)),
        "size 1": alone((1, 3), (1, 1), (2, 1, 1)),
        "empty": alone((0, 3), (0, 0), (0, 2, 2)),
    }
    diagonals = {"full": alone((3,), (2, 3)), "size 1": alone((1,), (2, 1)), "empty": alone((0,), (2, 0))}
    yield Row("diag", sg.diag, _tensor_diagonal, diagonals, (smooth,))
    yield Row("matrix_diag", sg.matrix_diag, lambda a: a[..., None] * np.eye(a.shape[-1], dtype=a.dtype), diagonals, (smooth,))
    yield Row("matrix_diag_part", sg.matrix_diag_part, lambda a: np.diagonal(a, axis1=-2, axis2=-1), oblong, (smooth,))
    paired = {"full": alone((3, 3), (2, 3, 2, 3)), "size 1": alone((1, 1)), "empty": alone((0, 0))}
    yield Row("diag_part", sg.diag_part, _paired_diagonal, paired, (smooth,))
    yield Row("trace", sg.trace, lambda a: np.trace(a, axis1=-2, axis2=-1).astype(a.dtype), oblong, (smooth,))
    for order, axis, rank in (
        ("euclidean", None, 0),
        (2, 0, 1),
        (1, None, 0),
        (1, -1, 1),
        (np.inf, None, 0),
        (np.inf, 0, 1),
        (3, -1, 1),
        (1.5, None, 0),
        ("fro", (0, 1), 2),
        ("euclidean", (-2, -1), 2),
    ):
        patterns = at_least(rank)
        if order not in (1, np.inf):  # the norm of nothing is 0, where it has a kink
            patterns = {c: g for c, g in patterns.items() if c != "empty"}
        for keep in (False, True):
            yield Row(
                "norm",
                lambda x, o=order, a=axis, k=keep: sg.norm(x, o, a, k),
                lambda x, o=order, a=axis, k=keep: _norm(x, o, a, k),
                patterns,
                (distinct,),
                label=f"{order} axis={axis}{' kept' if keep else ''}",
                loose=8,
            )
