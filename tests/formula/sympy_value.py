"""The value of a sympy expression at arrays, by what sympy says its classes mean.

Law of this file: NumPy computes; nothing is simplified or evaluated by sympy, so an expression is judged as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.slice import MatrixSlice


def evaluate(e: sp.Basic, values: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> Any:
    """The value; vectors are columns, a symbol of a plain expression may stand for each element of an array."""
    memo: dict[sp.Basic, Any] = {}

    def at(x: sp.Basic) -> Any:
        if x not in memo:
            memo[x] = _value(x, at, values, sizes)
        return memo[x]

    return at(e)


def _value(e: sp.Basic, at: Any, values: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> Any:
    match e:
        case sp.MatrixSymbol():
            return values[e.name].reshape(values[e.name].shape[0], -1)
        case sp.Symbol():
            return values[e.name] if e.name in values else sizes[e.name]
        case sp.Number() | sp.NumberSymbol():
            return float(e)
        case sp.MatrixBase():
            return np.array(e.tolist(), float)
        case sp.Identity():
            return np.eye(int(at(e.rows)))
        case sp.matrices.expressions.special.OneMatrix():
            return np.ones((int(at(e.rows)), int(at(e.cols))))
        case sp.Transpose():
            return at(e.arg).T
        case sp.Inverse():
            return np.linalg.inv(at(e.arg))
        case sp.Determinant():
            return np.linalg.det(at(e.arg))
        case sp.Trace():
            return np.trace(at(e.arg))
        case sp.HadamardPower():
            return at(e.base) ** at(e.exp)
        case sp.MatPow():
            return np.linalg.matrix_power(at(e.base), int(e.exp))
        case ElementwiseApplyFunction():
            (d,), others = e.function.variables, sorted(e.function.free_symbols, key=str)
            return np.array(sp.lambdify([d, *others], e.function.expr, "numpy")(at(e.expr), *map(at, others)), float)
        case MatrixSlice():
            rows, columns = (slice(*(int(at(sp.sympify(v))) for v in bounds)) for bounds in (e.rowslice, e.colslice))
            return at(e.parent)[rows, columns]
        case sp.BlockMatrix():
            return np.block([[at(b) for b in row] for row in e.blocks.tolist()])
        case sp.MatMul():
            scalars = np.prod([at(a) for a in e.args if not _is_matrix(a)] or [1.0])
            out = None
            for a in e.args:
                if _is_matrix(a):
                    out = at(a) if out is None else out @ at(a)
            return scalars * out
        case sp.MatAdd() | sp.Add():
            return sum(at(a) for a in e.args[1:]) + at(e.args[0])
        case sp.HadamardProduct() | sp.Mul():
            out = 1.0
            for a in e.args:
                out = out * at(a)
            return out
        case sp.Pow():
            return at(e.base) ** at(e.exp)
    if isinstance(e, sp.matrices.expressions.matexpr.MatrixElement):
        return at(e.parent)[int(at(e.i)), int(at(e.j))]
    symbols = [sp.Dummy() for _ in e.args]
    if isinstance(e, sp.Piecewise):
        conditions, branches = [at(c) for _, c in e.args], [at(b) for b, _ in e.args]
        return np.select([np.asarray(c, bool) | np.zeros(np.shape(branches[0]), bool) for c in conditions], branches)
    if e in (sp.true, sp.false):
        return e is sp.true
    return sp.lambdify(symbols, e.func(*symbols), "numpy")(*(at(a) for a in e.args))


def _is_matrix(a: sp.Basic) -> bool:
    return isinstance(a, sp.MatrixExpr | sp.MatrixBase)
