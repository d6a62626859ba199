"""Scalar bodies past the door: typed straight-line code, and the one place where codegen meets sympy.

Law of this file: a `Body` is a tuple of instructions in order, each with a dtype, hash-consed, so equal
sub-expressions are computed once.  `lower` turns a sympy expression into one; after it sympy decides nothing.
`FUNCTIONS` is the table of every scalar function: its arity, its NumPy meaning (what the interpreter runs and every
backend is judged by), how its dtype follows, and its cost.  A function that sympy lacks, or whose sympy namesake
rewrites or differentiates in ways we do not want, is a `sympy.Function` subclass here with the same name as its row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.function import ArgumentIndexError


# ---------------------------------------------------------------- the functions that sympy lacks
class ScalarFunction(sp.Function):
    """A real function of real arguments, opaque to sympy's own rewriting; `partials` gives its derivatives."""

    is_real = True
    is_commutative = True

    @staticmethod
    def partials(*args: sp.Expr) -> tuple[sp.Expr, ...]:
        raise NotImplementedError

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        try:
            return self.partials(*self.args)[argindex - 1]
        except IndexError:
            raise ArgumentIndexError(self, argindex) from None


def _function(name: str, partials: Callable[..., tuple], **assumptions: bool | None) -> type[ScalarFunction]:
    return type(name, (ScalarFunction,), {"partials": staticmethod(partials), "__module__": __name__, **assumptions})


_flat1 = lambda x: (sp.S.Zero,)  # noqa: E731  piecewise constant
_flat2 = lambda x, y: (sp.S.Zero, sp.S.Zero)  # noqa: E731

lt = _function("lt", _flat2, is_nonnegative=True)
le = _function("le", _flat2, is_nonnegative=True)
gt = _function("gt", _flat2, is_nonnegative=True)
ge = _function("ge", _flat2, is_nonnegative=True)
eq = _function("eq", _flat2, is_nonnegative=True)
ne = _function("ne", _flat2, is_nonnegative=True)
logical_and = _function("logical_and", _flat2, is_nonnegative=True)
logical_or = _function("logical_or", _flat2, is_nonnegative=True)
logical_not = _function("logical_not", _flat1, is_nonnegative=True)
floor_ = _function("floor_", _flat1)
ceil_ = _function("ceil_", _flat1)
round_ = _function("round_", _flat1)
isnan = _function("isnan", _flat1, is_nonnegative=True)
isinf = _function("isinf", _flat1, is_nonnegative=True)
isfinite = _function("isfinite", _flat1, is_nonnegative=True)
sgn = _function("sgn", _flat1)
step = _function("step", _flat1, is_nonnegative=True)
"""1 where x > 0, else 0: the derivative of relu, 0 at 0."""
truncdiv = _function("truncdiv", _flat2)
floordiv = _function("floordiv", _flat2)
floormod = _function("floormod", lambda x, y: (sp.S.One, -floordiv(x, y)))
absolute = _function("absolute", lambda x: (sgn(x),), is_nonnegative=True)
relu = _function("relu", lambda x: (step(x),), is_nonnegative=True)
select = _function("select", lambda c, x, y: (sp.S.Zero, select(c, 1, 0), select(c, 0, 1)))
maximum = _function("maximum", lambda x, y: (select(ge(x, y), 1, 0), select(ge(x, y), 0, 1)))
minimum = _function("minimum", lambda x, y: (select(le(x, y), 1, 0), select(le(x, y), 0, 1)))
sigmoid = _function("sigmoid", lambda x: (sigmoid(x) * (1 - sigmoid(x)),), is_positive=True)
softplus = _function("softplus", lambda x: (sigmoid(x),), is_positive=True)
log1p = _function("log1p", lambda x: (1 / (1 + x),))
expm1 = _function("expm1", lambda x: (sp.exp(x),))
power = _function("power", lambda x, y: (y * power(x, y - 1), select(gt(x, 0), power(x, y) * safe_log(x), 0)))
safe_log = _function("safe_log", lambda x: (select(gt(x, 0), 1 / x, 0),))
"""log x where x > 0, else 0: so that 0 * log 0 stays 0 in the derivative of a power."""

# ---------------------------------------------------------------- the table
SAME, BOOL = "same", "bool"


@dataclass(frozen=True, slots=True)
class ScalarRow:
    """`numpy` is the meaning on arrays; `result` is 'same' (the common dtype of the arguments) or 'bool';
    `cost` is in flops, a rough figure for the cost model."""

    arity: int
    numpy: Callable
    result: str = SAME
    cost: int = 1


def _np_sigmoid(x):
    with np.errstate(over="ignore"):
        e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(np.asarray(x).dtype)


def _np_softplus(x):
    return (np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))).astype(np.asarray(x).dtype)


def _np_erf(x):
    from scipy.special import erf  # only when used: scipy.special takes a tenth of a second to import

    return erf(x)


def _np_power(x, y):
    if np.asarray(x).dtype.kind in "iu":
        return np.where(y >= 0, np.power(x, np.maximum(y, 0)), 0).astype(np.asarray(x).dtype)
    return np.power(x, y)


def _np_truncdiv(x, y):
    if np.asarray(x).dtype.kind == "f":
        return (np.sign(x) * np.sign(y) * (np.abs(x) // np.abs(y))).astype(np.asarray(x).dtype)
    q = np.floor_divide(x, y)  # the least number has no absolute value
    return (q + ((q * y != x) & (y != 0) & ((x < 0) != (y < 0)))).astype(np.asarray(x).dtype)


FUNCTIONS: dict[str, ScalarRow] = {
    "add": ScalarRow(2, np.add),
    "sub": ScalarRow(2, np.subtract),
    "mul": ScalarRow(2, np.multiply),
    "div": ScalarRow(2, np.divide, cost=4),
    "neg": ScalarRow(1, np.negative),
    "sqrt": ScalarRow(1, np.sqrt, cost=4),
    "power": ScalarRow(2, _np_power, cost=40),
    "exp": ScalarRow(1, np.exp, cost=15),
    "log": ScalarRow(1, np.log, cost=20),
    "safe_log": ScalarRow(1, lambda x: np.log(np.where(x > 0, x, 1)), cost=22),
    "log1p": ScalarRow(1, np.log1p, cost=25),
    "expm1": ScalarRow(1, np.expm1, cost=20),
    "sin": ScalarRow(1, np.sin, cost=20),
    "cos": ScalarRow(1, np.cos, cost=20),
    "tan": ScalarRow(1, np.tan, cost=30),
    "asin": ScalarRow(1, np.arcsin, cost=30),
    "acos": ScalarRow(1, np.arccos, cost=30),
    "atan": ScalarRow(1, np.arctan, cost=30),
    "sinh": ScalarRow(1, np.sinh, cost=30),
    "cosh": ScalarRow(1, np.cosh, cost=30),
    "tanh": ScalarRow(1, np.tanh, cost=20),
    "sigmoid": ScalarRow(1, _np_sigmoid, cost=20),
    "softplus": ScalarRow(1, _np_softplus, cost=40),
    "erf": ScalarRow(1, _np_erf, cost=25),
    "relu": ScalarRow(1, lambda x: np.maximum(x, np.zeros((), np.asarray(x).dtype))),
    "step": ScalarRow(1, lambda x: (np.asarray(x) > 0).astype(np.asarray(x).dtype)),
    "absolute": ScalarRow(1, np.abs),
    "sgn": ScalarRow(1, np.sign),
    "floor_": ScalarRow(1, np.floor),
    "ceil_": ScalarRow(1, np.ceil),
    "round_": ScalarRow(1, np.rint),
    "truncdiv": ScalarRow(2, _np_truncdiv, cost=10),
    "floordiv": ScalarRow(2, np.floor_divide, cost=10),
    "floormod": ScalarRow(2, np.mod, cost=10),
    "maximum": ScalarRow(2, np.maximum),
    "minimum": ScalarRow(2, np.minimum),
    "lt": ScalarRow(2, np.less, BOOL),
    "le": ScalarRow(2, np.less_equal, BOOL),
    "gt": ScalarRow(2, np.greater, BOOL),
    "ge": ScalarRow(2, np.greater_equal, BOOL),
    "eq": ScalarRow(2, np.equal, BOOL),
    "ne": ScalarRow(2, np.not_equal, BOOL),
    "isnan": ScalarRow(1, np.isnan, BOOL),
    "isinf": ScalarRow(1, np.isinf, BOOL),
    "isfinite": ScalarRow(1, np.isfinite, BOOL),
    "logical_and": ScalarRow(2, np.logical_and, BOOL),
    "logical_or": ScalarRow(2, np.logical_or, BOOL),
    "logical_not": ScalarRow(1, np.logical_not, BOOL),
    "select": ScalarRow(3, np.where),  # the first argument is bool, the result has the dtype of the other two
}
"""Integer floordiv and floormod floor as Python's do; by 0 they give 0 on every backend.  Float ones follow NumPy."""

_ARITHMETIC = frozenset(n for n, row in FUNCTIONS.items() if row.result == SAME and n != "select")
_ORDER = {d: i for i, d in enumerate(("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"))}


# ---------------------------------------------------------------- bodies
@dataclass(frozen=True, slots=True)
class Instr:
    """One instruction.  `args` are positions of earlier instructions.

    Leaves have no args: fn 'operand' (value: operand number; dtype: that of its buffer), 'index' (value: label;
    int64), 'size' (value: size name; int64), 'literal' (value: a bool, int, or a float already rounded to dtype).
    'cast' converts its one argument to `dtype` (float to int truncates, number to bool is != 0).
    Every other fn is a row of FUNCTIONS and its arguments already share one dtype (select: the last two).
    """

    fn: str
    args: tuple[int, ...]
    dtype: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Body:
    """Instructions in order; the last one is the result."""

    code: tuple[Instr, ...]

    @property
    def dtype(self) -> str:
        return self.code[-1].dtype

    def operands(self) -> set[int]:
        """Numbers of the operands that the body reads."""
        return {i.value for i in self.code if i.fn == "operand"}  # type: ignore[misc]

    def flops(self) -> int:
        """Rough cost of one evaluation."""
        return sum(FUNCTIONS[i.fn].cost for i in self.code if i.fn in FUNCTIONS)

    def text(self, operands: list[str]) -> str:
        """The body as one line of functional notation, for dumps.  What is shared is written where it is read, so a long
        part is cut: a chain of 60 that reads itself twice would take 2**60 words."""
        words: list[str] = []
        for i in self.code:
            if i.fn == "operand":
                words.append(operands[i.value])  # type: ignore[index]
            elif i.fn == "index":
                words.append(f"i{i.value}")
            elif not i.args:
                words.append(str(i.value))
            else:
                name = i.dtype if i.fn == "cast" else i.fn
                word = f"{name}({', '.join(words[a] for a in i.args)})"
                words.append(word if len(word) <= 2000 else word[:2000] + "...")
        return words[-1]


class Builder:
    """Collects hash-consed instructions; every method returns the position of its result."""

    def __init__(self) -> None:
        self.code: list[Instr] = []
        self._seen: dict[Instr, int] = {}

    def emit(self, fn: str, args: tuple[int, ...], dtype: str, value: object = None) -> int:
        key = Instr(fn, args, dtype, repr(value) if isinstance(value, float) else value)  # -0.0 and nan stay apart
        if key not in self._seen:
            self._seen[key] = len(self.code)
            self.code.append(Instr(fn, args, dtype, value))
        return self._seen[key]

    def literal(self, value: bool | int | float | Fraction, dtype: str) -> int:
        if dtype == "bool":
            value = bool(value)
        elif dtype.startswith("float"):
            value = float(np.dtype(dtype).type(float(value)))
        else:
            value = int(value)
        return self.emit("literal", (), dtype, value)

    def cast(self, a: int, dtype: str) -> int:
        i = self.code[a]
        if i.dtype == dtype:
            return a
        if i.fn == "literal":
            return self.literal(i.value, dtype)  # type: ignore[arg-type]
        return self.emit("cast", (a,), dtype)

    def apply(self, fn: str, *args: int) -> int:
        """A row of FUNCTIONS on arguments of any dtypes: they are brought to their common one first.

        A literal follows the dtype of what stands beside it."""
        head, rest = (args[:1], args[1:]) if fn == "select" else ((), args)
        firm = [self.code[a].dtype for a in rest if self.code[a].fn != "literal"]
        soft = [self.code[a].dtype for a in rest if self.code[a].fn == "literal"]
        dtype = max(firm or soft, key=_ORDER.__getitem__)
        for d in soft:  # a fraction beside integers makes floats, any number beside truth values makes numbers
            if d.startswith("float") and not dtype.startswith("float") or dtype == "bool" and fn in _ARITHMETIC:
                dtype = max(dtype, d, key=_ORDER.__getitem__)
        if fn.startswith("logical_"):
            dtype = "bool"
        args = tuple(self.cast(a, "bool") for a in head) + tuple(self.cast(a, dtype) for a in rest)
        return self.emit(fn, args, "bool" if FUNCTIONS[fn].result == BOOL else dtype)

    def finish(self, result: int, dtype: str) -> Body:
        """The body whose value is `result` converted to `dtype`, with what it does not need left out."""
        result = self.cast(result, dtype)
        needed, stack = set(), [result]
        while stack:
            a = stack.pop()
            if a not in needed:
                needed.add(a)
                stack.extend(self.code[a].args)
        place = {old: new for new, old in enumerate(sorted(needed))}
        code = [self.code[a] for a in sorted(needed)]
        return Body(tuple(Instr(i.fn, tuple(place[x] for x in i.args), i.dtype, i.value) for i in code))


# ---------------------------------------------------------------- from sympy
Leaf = tuple[str, str, object]
"""(fn, dtype, value) of a leaf instruction: ('operand', 'float32', 0), ('size', 'int64', 'n0'), ..."""

_RENAMED = {"Abs": "absolute", "sign": "sgn", "floor": "floor_", "ceiling": "ceil_", "Heaviside": "step"}


class LoweringError(Exception):
    """A sympy expression that has no scalar code here; names the function that is missing."""


def lower(expr: sp.Expr, leaves: Mapping[sp.Symbol, Leaf], dtype: str) -> Body:
    """Typed code for a sympy expression.

    `leaves` says what each symbol is; `dtype` is that of the result, and the dtype in which literals alone are
    computed.  Sums print their positive terms first and products their numerators first, so no sign or reciprocal is
    computed that the formula does not show.
    """
    b = Builder()
    memo: dict[sp.Basic, int] = {}
    stack: list[sp.Basic] = [expr]
    while stack:  # iterative post-order: bodies can be deeper than Python's stack
        e = stack[-1]
        if e in memo:
            stack.pop()
            continue
        stable = _stable(e)
        todo = [a for a in (_parts(e) if stable is None else [stable]) if a not in memo]
        if todo:
            stack.extend(reversed(todo))
            continue
        memo[e] = _emit(b, e, memo, leaves, dtype) if stable is None else memo[stable]
        stack.pop()
    return b.finish(memo[expr], dtype)


def _stable(e: sp.Basic) -> sp.Basic | None:
    """The same number where it is computed otherwise: without exp overflowing, without 1 swallowing what is added to it."""
    if isinstance(e, sp.Add) and len(e.args) == 2 and e.args[0] is sp.S.NegativeOne and isinstance(e.args[1], sp.exp):
        return expm1(e.args[1].args[0])
    if isinstance(e, sp.log) and isinstance(e.args[0], sigmoid):
        return -softplus(-e.args[0].args[0])
    if isinstance(e, sp.log | log1p):
        v = e.args[0] if isinstance(e, log1p) else e.args[0] - 1 if isinstance(e.args[0], sp.Add) else None
        if isinstance(v, sp.exp):
            return softplus(v.args[0])
        if isinstance(v, sp.Mul) and isinstance(-v, sigmoid):
            return -softplus((-v).args[0])
    return None


def _parts(e: sp.Basic) -> list[sp.Basic]:
    """The sub-expressions whose code `_emit` of e needs."""
    if e.is_Symbol or e.is_number and not e.args:
        return []
    if isinstance(e, sp.Rational | sp.NumberSymbol | sp.Float):
        return []
    if isinstance(e, sp.Pow):
        if e.base is sp.S.Exp1:
            return [e.exp]
        return [e.base] if e.exp.is_Rational else [e.base, e.exp]
    if isinstance(e, sp.Mul):
        c, num, den = _fraction(e)
        return num + den
    if isinstance(e, sp.Add):
        return [t for _, t in _terms(e)]
    if isinstance(e, cast_):
        return [e.args[0]]  # the other one names a dtype
    if isinstance(e, computed_as):
        return [e.args[1]]
    return list(e.args)


def _fraction(e: sp.Mul) -> tuple[sp.Rational, list[sp.Basic], list[sp.Basic]]:
    """Rational coefficient, numerator factors, denominator factors.

    In a fraction small whole powers are written out, so that x**2/y**2 can be computed as x/y*x/y: the squares alone
    may be past the largest float."""
    c, rest = e.as_coeff_Mul()
    num: list[sp.Basic] = []
    den: list[sp.Basic] = []
    for f in sp.Mul.make_args(rest):
        if isinstance(f, sp.Pow) and f.base is not sp.S.Exp1 and f.exp.is_Rational and f.exp.is_negative:
            den.append(sp.Pow(f.base, -f.exp))
        else:
            num.append(f)
    return (c, _written_out(num), _written_out(den)) if den else (c, num, den)


def _written_out(factors: list[sp.Basic]) -> list[sp.Basic]:
    out: list[sp.Basic] = []
    for f in factors:
        whole = isinstance(f, sp.Pow) and f.base is not sp.S.Exp1 and f.exp.is_Integer and 1 < f.exp <= 4
        out += [f.base] * int(f.exp) if whole else [f]
    return out


def _terms(e: sp.Add) -> list[tuple[bool, sp.Basic]]:
    """(negative?, term without its sign), positive terms first, otherwise in sympy's order."""
    split = []
    for t in e.args:
        negative = bool(t.as_coeff_Mul()[0].is_negative)
        split.append((negative, -t if negative else t))
    return sorted(split, key=lambda s: s[0])


def _emit(b: Builder, e: sp.Basic, memo: dict[sp.Basic, int], leaves: Mapping[sp.Symbol, Leaf], dtype: str) -> int:
    if e.is_Symbol:
        fn, d, value = leaves[e]
        return b.literal(value, d) if fn == "literal" else b.emit(fn, (), d, value)  # type: ignore[arg-type]
    if isinstance(e, sp.Rational):
        return b.literal(int(e) if e.is_Integer else Fraction(int(e.p), int(e.q)), _literal_dtype(e, dtype))
    if e in (sp.S.Infinity, sp.S.NegativeInfinity, sp.S.NaN):
        return b.literal({"oo": math.inf, "-oo": -math.inf, "nan": math.nan}[str(e)], _literal_dtype(e, dtype))
    if e is sp.S.ComplexInfinity:
        return b.literal(math.inf, _literal_dtype(e, dtype))
    if isinstance(e, sp.NumberSymbol | sp.Float):
        return b.literal(float(e), _literal_dtype(e, dtype))
    if e in (sp.S.true, sp.S.false):
        return b.literal(e is sp.S.true, "bool")
    if isinstance(e, sp.Add):
        total = None
        for negative, t in _terms(e):
            term = memo[t]
            if total is None:
                total = b.apply("neg", term) if negative else term
            else:
                total = b.apply("sub" if negative else "add", total, term)
        assert total is not None
        return total
    if isinstance(e, sp.Mul):
        return _emit_product(b, e, memo, dtype)
    if isinstance(e, sp.Pow):
        if e.base is sp.S.Exp1:
            return b.apply("exp", memo[e.exp])
        if e.exp.is_Rational:
            return _emit_power(b, memo[e.base], e.exp, dtype)
        return b.apply("power", memo[e.base], memo[e.exp])
    name = type(e).__name__
    name = _RENAMED.get(name, name)
    if name == "stopped":
        return memo[e.args[0]]
    if name == "computed_as":
        return memo[e.args[1]]
    if name == "cast_":
        return b.cast(memo[e.args[0]], str(e.args[1]))
    if name not in FUNCTIONS:
        raise LoweringError(f"no code for the scalar function {name!r}")
    return b.apply(name, *(memo[a] for a in e.args))


def _literal_dtype(e: sp.Basic, dtype: str) -> str:
    """A number that is not an integer needs a float even in integer surroundings."""
    if dtype.startswith("float"):
        return dtype
    return "int64" if e.is_Integer else "float64"


def _emit_product(b: Builder, e: sp.Mul, memo: dict[sp.Basic, int], dtype: str) -> int:
    c, num, den = _fraction(e)
    negative = c.is_negative
    c = abs(c)
    product = None
    if den and c.q != 1:  # 2/(3 m): one division by 3 m would need an integer product first, keep 2/3 / m
        product = b.literal(Fraction(int(c.p), int(c.q)), _literal_dtype(c, dtype))
    elif c != 1 or not num:
        product = b.literal(int(c) if c.is_Integer else Fraction(int(c.p), int(c.q)), _literal_dtype(c, dtype))
    over = [memo[f] for f in num]
    under = [memo[f] for f in den if b.code[memo[f]].dtype[0] == "f"]
    counts = [memo[f] for f in den if b.code[memo[f]].dtype[0] != "f"]
    for k in range(max(len(over), len(under))):  # quotients, so that what is between stays near the size of the result
        if k >= len(over):
            one = b.literal(1, _literal_dtype(sp.S.One, dtype))
            product = b.apply("div", one if product is None else product, under[k])
        else:
            factor = b.apply("div", over[k], under[k]) if k < len(under) else over[k]
            product = factor if product is None else b.apply("mul", product, factor)
    assert product is not None
    if counts:  # sizes and counts: x / m is real division
        bottom = counts[0]
        for f in counts[1:]:
            bottom = b.apply("mul", bottom, f)
        top = b.code[product]
        bottom = b.cast(bottom, top.dtype if top.dtype[0] == "f" else dtype if dtype[0] == "f" else "float64")
        product = b.apply("div", product, bottom)
    return b.apply("neg", product) if negative else product


def _emit_power(b: Builder, base: int, exponent: sp.Rational, dtype: str) -> int:
    """Small integer powers by squaring, halves by sqrt, the rest by `power`."""
    if exponent.is_negative:
        one = b.literal(1, b.code[base].dtype if b.code[base].dtype[0] == "f" else dtype if dtype[0] == "f" else "float64")
        return b.apply("div", one, _emit_power(b, base, -exponent, dtype))
    if not exponent.is_Integer and b.code[base].dtype[0] != "f":  # the root of a size
        base = b.cast(base, dtype if dtype[0] == "f" else "float64")
    if exponent.is_Integer and exponent <= 64:
        n, square, result = int(exponent), base, None
        while n:
            if n & 1:
                result = square if result is None else b.apply("mul", result, square)
            n >>= 1
            if n:
                square = b.apply("mul", square, square)
        assert result is not None
        return result
    if exponent == sp.S.Half:
        return b.apply("sqrt", base)
    if exponent.q == 2 and exponent.p < 16:
        return b.apply("mul", _emit_power(b, base, exponent - sp.S.Half, dtype), b.apply("sqrt", base))
    return b.apply("power", base, b.literal(Fraction(int(exponent.p), int(exponent.q)), _literal_dtype(exponent, dtype)))


cast_ = _function("cast_", lambda x, d: (sp.S.One, sp.S.Zero))
"""cast_(x, Symbol('float32')): x converted; its derivative is 1 between floats (integers have no gradient)."""
stopped = _function("stopped", _flat1)
"""stopped(x) is x with no derivative (stop_gradient)."""
computed_as = _function("computed_as", lambda f, g: (sp.S.One, sp.S.Zero))
"""computed_as(f, g) is f in formulas and derivatives, and g in code: the same number, rounded better."""
