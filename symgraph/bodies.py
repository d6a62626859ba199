"""A user's sympy expression as a body: which of sympy's functions there are, and bodies as text.

Law of this file: `TRANSLATED` is the whole list of sympy's nodes that have a meaning element by element; every other one
is refused by its name.  A body is stored as text that people can read, and read back by a table, never evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, reduce

import sympy as sp
from sympy.codegen import cfunctions as c
from sympy.functions.elementary.piecewise import ExprCondPair

from . import dtypes, scalar
from .codegen import scalar as fn
from .dtypes import DType
from .expression import Function, Language, read

Apply = Callable[..., sp.Expr]


# ---------------------------------------------------------------- sympy's nodes
def _max(*parts: sp.Expr) -> sp.Expr:
    """relu where one part is 0: it has a name."""
    rest = [p for p in parts if p != 0]
    greatest = reduce(fn.maximum, rest)
    return greatest if len(rest) == len(parts) else fn.relu(greatest)


def _min(*parts: sp.Expr) -> sp.Expr:
    rest = [p for p in parts if p != 0]
    least = reduce(fn.minimum, rest)
    return least if len(rest) == len(parts) else -fn.relu(-least)


def _piecewise(*pairs: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """The first value whose condition holds, NaN where none does."""
    value = sp.nan
    for u, condition in reversed(pairs):
        value = u if condition is sp.true else fn.select(condition, u, value)
    return value


def _heaviside(x: sp.Expr, at_zero: sp.Expr = sp.S.Half) -> sp.Expr:
    return fn.step(x) if at_zero == 0 else fn.select(fn.eq(x, 0), at_zero, fn.step(x))


TRANSLATED: dict[type, Apply] = {
    sp.Add: sp.Add,
    sp.Mul: sp.Mul,
    sp.Pow: lambda x, y: x**y if not y.free_symbols or x.is_positive and x.is_number else fn.power(x, y),
    **{f: f for f in (sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.asin, sp.acos, sp.atan, sp.sinh, sp.cosh, sp.tanh, sp.erf)},
    sp.Abs: fn.absolute,
    sp.sign: fn.sgn,
    sp.floor: fn.floor_,
    sp.ceiling: fn.ceil_,
    sp.Mod: fn.floormod,
    sp.Max: _max,
    sp.Min: _min,
    sp.Heaviside: _heaviside,
    sp.sec: lambda x: 1 / sp.cos(x),
    sp.csc: lambda x: 1 / sp.sin(x),
    sp.cot: lambda x: 1 / sp.tan(x),
    sp.sech: lambda x: 1 / sp.cosh(x),
    sp.csch: lambda x: 1 / sp.sinh(x),
    sp.coth: lambda x: 1 / sp.tanh(x),
    sp.atanh: lambda x: (fn.log1p(x) - fn.log1p(-x)) / 2,
    sp.erfc: lambda x: 1 - sp.erf(x),
    c.log1p: fn.log1p,
    c.expm1: fn.expm1,
    c.log2: lambda x: sp.log(x) / sp.log(2),
    c.log10: lambda x: sp.log(x) / sp.log(10),
    c.exp2: lambda x: sp.exp(x * sp.log(2)),
    c.Sqrt: sp.sqrt,
    c.Cbrt: sp.cbrt,
    c.hypot: lambda x, y: sp.sqrt(x**2 + y**2),
    c.fma: lambda x, y, z: x * y + z,
    sp.StrictLessThan: fn.lt,
    sp.LessThan: fn.le,
    sp.StrictGreaterThan: fn.gt,
    sp.GreaterThan: fn.ge,
    sp.Equality: fn.eq,
    sp.Unequality: fn.ne,
    sp.And: lambda *p: reduce(fn.logical_and, p),
    sp.Or: lambda *p: reduce(fn.logical_or, p),
    sp.Not: fn.logical_not,
    sp.Xor: lambda *p: reduce(fn.ne, p),
    sp.ITE: fn.select,
    sp.Piecewise: _piecewise,
    ExprCondPair: lambda u, condition: (u, condition),
}
"""By the class of a sympy node: the body, from the bodies of its arguments."""


# ---------------------------------------------------------------- as text
_NAMED = {"pi": sp.pi, "E": sp.E, "nan": sp.nan, "oo": sp.oo}


def write(body: sp.Expr) -> str:
    """The body as text: x0, x1, ... are the operands."""
    return sp.sstr(body)


@lru_cache(maxsize=1024)
def parse(text: str) -> sp.Expr:
    """The body that was written.  ValueError for anything that is not one."""
    body = read(text, _LANGUAGE)
    if not isinstance(body, sp.Expr):
        raise TypeError(f"{text!r:.80} is no expression")
    return scalar.canonical(body)


def dtype_of(body: sp.Expr, operand: DType) -> DType:
    """The dtype of the body's values, over operands of one dtype."""
    row = fn.FUNCTIONS.get(type(body).__name__)
    return dtypes.bool if row is not None and row.result == fn.BOOL else operand


def _name(name: str) -> sp.Expr:
    if name in _NAMED:
        return _NAMED[name]
    if name[:1] == "x" and name[1:].isdecimal() and len(name) < 6:
        return scalar.x(int(name[1:]))
    raise ValueError(f"there is no {name!r} in a body")


def _number(v: int | float) -> sp.Expr:
    if type(v) is not int:
        raise ValueError("a body holds fractions; other numbers are operands")
    return sp.Integer(v)


def _power(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    """Numbers are multiplied out at once, so their size is bounded."""
    if x.is_number and y.is_number and not (x.is_Rational and y.is_Rational and abs(y) <= 64 and max(abs(x.p), x.q) < 2**64):
        raise ValueError("this number is too large")
    return x**y


def _checked(name: str, f: Apply) -> Function:
    def call(*args: sp.Expr) -> sp.Expr:
        if len(args) != fn.FUNCTIONS[name].arity:
            raise TypeError(f"{name} takes {fn.FUNCTIONS[name].arity} arguments, not {len(args)}")
        return f(*args)

    return Function(call)


def _functions() -> dict[str, Function]:
    found = {name: getattr(fn, name, None) or getattr(sp, name, None) for name in fn.FUNCTIONS}
    return {name: _checked(name, f) for name, f in found.items() if isinstance(f, type) and issubclass(f, sp.Function)}


_LANGUAGE = Language(_name, _number, _functions() | {"sqrt": Function(sp.sqrt)}, {"**": _power})
TRANSLATED |= {f: f for f in (getattr(fn, name, None) for name in fn.FUNCTIONS) if isinstance(f, type) and issubclass(f, sp.Function)}
