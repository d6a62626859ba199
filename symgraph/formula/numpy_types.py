"""Bodies as NumPy must be told them: with every conversion written out.

Law of this file: a body's elements are converted as compiled code converts them (`codegen/scalar.py`): operands of
different dtypes meet in the wider one, where a float is wider than any integer, and a literal follows what stands beside
it.  NumPy agrees for literals, and differs where int64 meets float32 and where functions of nothing but literals give
float64; there, and at the end, a cast is added.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from .. import scalar
from ..codegen import scalar as fn

_ORDER = {d: i for i, d in enumerate(("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"))}
_COMPARISONS = (fn.lt, fn.le, fn.gt, fn.ge, fn.eq, fn.ne, fn.isnan, fn.isinf, fn.isfinite)
_LOGICAL = (fn.logical_and, fn.logical_or, fn.logical_not)
Typed = tuple[sp.Basic, str | None]
"""An expression and its dtype in NumPy; None: a Python number, which takes any."""


def typed(body: sp.Basic, operands: Mapping[int, str | None], dtype: str) -> Typed:
    """The body with casts; `operands` are the operands' dtypes and `dtype` is that of the result."""
    return _typed(body, operands, dtype)


def cast(e: sp.Basic, dtype: str) -> sp.Basic:
    return fn.cast_(e, sp.Symbol(dtype))


def _typed(e: sp.Basic, operands: Mapping[int, str | None], dtype: str) -> Typed:
    if isinstance(e, sp.Symbol):
        for k in scalar.operand_numbers(e):
            return e, operands[k]
        return e, "int64" if scalar.label_numbers(e) else None
    if not e.args:
        return e, None
    if isinstance(e, fn.cast_):
        inner, own = _typed(e.args[0], operands, dtype)
        target = str(e.args[1])
        return (inner if own == target else cast(inner, target)), target
    if isinstance(e, fn.stopped):
        return _typed(e.args[0], operands, dtype)
    if isinstance(e, fn.computed_as):
        return _typed(e.args[1], operands, dtype)
    if isinstance(e, fn.relu):
        return _typed(fn.maximum(e.args[0], 0), operands, dtype)
    if isinstance(e, fn.step):
        return _typed(fn.gt(e.args[0], 0), operands, dtype)
    args = [_typed(a, operands, dtype) for a in e.args]
    if isinstance(e, fn.select):
        return _select(args, dtype)
    if isinstance(e, _LOGICAL):
        return e.func(*(a if d in (None, "bool") else cast(a, "bool") for a, d in args)), "bool"
    return _together(e, args, dtype)


def _select(args: list[Typed], dtype: str) -> Typed:
    (c, kind), *branches = args
    c = c if kind in (None, "bool") else cast(c, "bool")
    if [a for a, _ in branches] == [1, 0]:
        return c, "bool"
    wide = _widest(branches)
    if wide is None and dtype == "float64" and any(sp.denom(a) != 1 for a, _ in branches):
        return fn.select(c, *(a for a, _ in branches)), dtype
    if wide is None:
        return cast(fn.select(c, *(a for a, _ in branches)), dtype), dtype
    return fn.select(c, *(a if d in (None, wide) else cast(a, d if wide is None else wide) for a, d in branches)), wide


def _together(e: sp.Basic, args: list[Typed], dtype: str) -> Typed:
    """Arguments that meet: sums, products, powers, comparisons and functions."""
    wide = _widest(args)
    arithmetic = e.is_Add or e.is_Mul or e.is_Pow
    compares = isinstance(e, _COMPARISONS)
    if wide is None:
        free = e.func(*(a for a, _ in args))
        known = arithmetic or isinstance(e, sp.floor | sp.ceiling | sp.Max | sp.Min)  # arithmetic of sizes
        return (free, None) if known else (free, "bool") if compares else (cast(free, dtype), dtype)
    if wide == "bool" and not compares:
        wide = dtype
    fraction = any(d is None and a.is_Rational and not a.is_Integer or a.is_Pow and a.exp.is_negative for a, d in args)
    if wide[0] in "iu" and (fraction and arithmetic or e.is_Pow and e.exp.is_negative):
        wide = "float64"
    counted = any(d is None and a not in (1, -1) for a, d in args)  # 5 * (x > 0) is int64, which takes no float32
    mixed = [a if d in (None, wide) or d == "bool" and e.is_Mul and not counted else cast(a, wide) for a, d in args]
    if e.is_Mul and not any(d == wide for _, d in args):
        mixed = [cast(a, wide) if d is not None else a for a, d in args]
    return e.func(*mixed), "bool" if compares else wide


def _widest(args: list[Typed]) -> str | None:
    return max((d for _, d in args if d is not None), key=_ORDER.__getitem__, default=None)
