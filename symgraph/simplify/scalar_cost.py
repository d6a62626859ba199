"""What a body costs, and whether it can be computed: the measures by which scalar forms are compared.

Law of this file: `applications` counts distinct scalar applications, what is shared once.  Numbers, sizes and products
with them are free, so are signs; a sum or product of n parts counts n - 1, a division, a power, a root, a function, a
comparison and a choice 1.  `hazards` counts the products in which one factor can be infinite where another is 0 or
infinite too, so that the value is lost (exp(u)/(1 + exp(u)) from u = 710 on): a form with more of them is never taken.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import sympy as sp

from .. import scalar
from ..codegen import scalar as fn

Symbols = frozenset[sp.Symbol]
NONE: Symbols = frozenset()


class Facts(NamedTuple):
    """What is known of operands: which are constants (products with them are free), positive, 0 or 1, negative."""

    numbers: Symbols = NONE
    positive: Symbols = NONE
    binary: Symbols = NONE
    negative: Symbols = NONE

    @property
    def assumed(self) -> dict[sp.Symbol, sp.Symbol]:
        """Stand-ins of which sympy knows the sign."""
        return _assumed(self.positive, self.binary, self.negative)


@lru_cache(maxsize=256)
def _assumed(positive: Symbols, binary: Symbols, negative: Symbols) -> dict[sp.Symbol, sp.Symbol]:
    found = {s: sp.Dummy(s.name, nonnegative=True) for s in binary}
    found |= {s: sp.Dummy(s.name, negative=True) for s in negative}
    return found | {s: sp.Dummy(s.name, positive=True) for s in positive}


_SERIES = frozenset(name for name, row in fn.FUNCTIONS.items() if row.cost >= 15)
TRANSPARENT = (fn.stopped, fn.computed_as, fn.cast_)
"""Functions that are no operation of a formula: their first argument is."""


@lru_cache(maxsize=65536)
def is_free(e: sp.Expr, numbers: Symbols = NONE) -> bool:
    """Does it depend on sizes, positions and numbers alone?  `numbers` are operands that are constants."""
    return all(scalar.x(k) in numbers for k in scalar.operand_numbers(e))


@lru_cache(maxsize=65536)
def _own(e: sp.Expr, numbers: Symbols) -> tuple[tuple, tuple[sp.Expr, ...]]:
    """((key, cost) of the applications that e itself is, the expressions that they are applied to)."""
    if e.is_Symbol or is_free(e, numbers):
        return (), ()
    if isinstance(e, sp.Add):
        return _sum(e, numbers)
    if isinstance(e, sp.Mul):
        return _product(e, numbers)
    if isinstance(e, sp.Pow):
        if e.exp.is_Rational and e.exp < 0:
            power = sp.Pow(e.base, -e.exp)
            return ((("/", frozenset(), frozenset({power})), 1),), (power,)
        return ((e, 1),), (e.base, e.exp)
    if isinstance(e, TRANSPARENT):
        return (), e.args[:1]
    return ((e, 1),), e.args


def _sum(e: sp.Add, numbers: Symbols) -> tuple[tuple, tuple[sp.Expr, ...]]:
    """A sum counts once whatever number it is multiplied with."""
    parts = [scaled(t, numbers) for t in e.args]
    first = min(parts, key=lambda p: hash(p[1]))[0]  # any choice that does not depend on the scale
    key = frozenset((rest, c / first) for c, rest in parts)
    return (((key, len(parts) - 1),), tuple(rest for _, rest in parts))


def scaled(e: sp.Expr, numbers: Symbols) -> tuple[sp.Expr, sp.Expr]:
    """Numbers and sizes in front of it, and the rest."""
    if is_free(e, numbers):
        return sp.S.One, e
    if not isinstance(e, sp.Mul):
        return sp.S.One, e
    free = [f for f in e.args if is_free(f, numbers)]
    return (sp.Mul(*free), sp.Mul(*(f for f in e.args if f not in free))) if free else (sp.S.One, e)


def _is_under(f: sp.Expr) -> bool:
    return isinstance(f, sp.Pow) and f.exp.is_Rational and bool(f.exp < 0)


def _product(e: sp.Mul, numbers: Symbols) -> tuple[tuple, tuple[sp.Expr, ...]]:
    over, under = [], []
    for f in e.args:
        if is_free(f, numbers):
            continue
        down = _is_under(f)
        (under if down else over).append(1 / f if down else f)
    made: list[tuple] = [(("*", frozenset(side)), len(side) - 1) for side in (over, under) if len(side) > 1]
    if under:
        made.append((("/", frozenset(over), frozenset(under)), 1))
    return tuple(made), (*over, *under)


@lru_cache(maxsize=65536)
def applications(body: sp.Expr, numbers: Symbols = NONE) -> int:
    """How many distinct scalar applications the body makes."""
    made: dict[object, int] = {}
    seen: set[sp.Expr] = set()
    stack = [body]
    while stack:
        e = stack.pop()
        if e not in seen:
            seen.add(e)
            own, parts = _own(e, numbers)
            made.update(own)
            stack.extend(parts)
    return sum(made.values())


@lru_cache(maxsize=65536)
def length(e: sp.Expr) -> int:
    """How long it is to write: operands, operations and signs, repetitions too."""
    if not e.args:
        return 1 if e.is_Symbol else 0
    if isinstance(e, sp.Add):
        minus = [t.as_coeff_Mul()[0].is_negative for t in e.args]
        return sum(map(length, e.args)) + len(e.args) - 1 - sum(minus) + 2 * all(minus)
    if isinstance(e, sp.Mul):
        return sum(map(length, e.args)) + len(e.args) - 1
    return sum(map(length, e.args)) + 1


@lru_cache(maxsize=65536)
def _slow(body: sp.Expr) -> tuple[int, int]:
    """How many series and how many divisions it makes."""
    series = sum(type(f).__name__ in _SERIES for f in body.atoms(sp.Function))
    return series, sum(any(_is_under(f) for f in sp.Mul.make_args(e)) for e in body.atoms(sp.Mul))


def better(new: sp.Expr, old: sp.Expr, numbers: Symbols = NONE) -> bool:
    """Is it cheaper: in applications, then hazards, then series (so s (1 - s) stays over one sigmoid), divisions, length?

    What is less safe is not better, however cheap."""
    if new == old or hazards(new) > hazards(old):
        return False
    a, b = applications(new, numbers), applications(old, numbers)
    return a < b or a == b and (hazards(new), _slow(new), length(new)) < (hazards(old), _slow(old), length(old))


# ---------------------------------------------------------------- what can be computed
@lru_cache(maxsize=8192)
def multiple(v: sp.Expr) -> tuple[sp.Rational, sp.Expr]:
    """v = c * w with c rational, so that multiples of one thing, of either sign, have one w."""
    c, w = v.as_coeff_Mul() if not v.is_Add else v.primitive()
    return (-c, -w) if w.could_extract_minus_sign() else (c, w)


Reach = tuple[frozenset[tuple[sp.Expr, int]], bool]
"""The directions (w, sign) in which something grows without bound or vanishes as exp(sign w) does; can it be infinite?"""


@lru_cache(maxsize=16384)
def _reach(e: sp.Expr) -> Reach:
    if isinstance(e, sp.exp | fn.expm1 | fn.sigmoid | fn.softplus):
        c, w = multiple(e.args[0])
        return frozenset({(w, 1 if c > 0 else -1)}), isinstance(e, sp.exp | fn.expm1)
    if isinstance(e, sp.sinh | sp.cosh):
        w = multiple(e.args[0])[1]
        return frozenset({(w, 1), (w, -1)}), True
    if isinstance(e, sp.Pow):
        way, infinite = _reach(e.base)
        if e.exp.is_Rational and e.exp < 0:
            return _flipped(way), bool(way) and not (e.base.is_Add and infinite)
        return way, infinite
    if isinstance(e, sp.Add):
        own = _one_less_sigmoid(e)
        if own is not None:
            return _flipped(_reach(own)[0]), False
        curved = {multiple(t.args[0])[1] for a in e.args for t in a.atoms(sp.tanh)}
        reaches = [_reach(a) for a in e.args]
        way = frozenset().union(*(r[0] for r in reaches), {(w, s) for w in curved for s in (1, -1)})
        return way, any(r[1] for r in reaches)
    if isinstance(e, sp.Mul) or isinstance(e, fn.select):
        reaches = [_reach(a) for a in e.args]
        return frozenset().union(*(r[0] for r in reaches)), any(r[1] for r in reaches)
    return frozenset(), False


def _flipped(way: frozenset[tuple[sp.Expr, int]]) -> frozenset[tuple[sp.Expr, int]]:
    return frozenset((w, -s) for w, s in way)


def _one_less_sigmoid(e: sp.Add) -> sp.Expr | None:
    """sigmoid(v), if e is a multiple of 1 - sigmoid(v)."""
    if len(e.args) != 2 or not e.args[0].is_Rational:
        return None
    c, rest = e.args[1].as_coeff_Mul()
    return rest if isinstance(rest, fn.sigmoid) and c == -e.args[0] else None


@lru_cache(maxsize=16384)
def hazards(e: sp.Expr) -> int:
    """How many products in e lose their value where a factor is infinite, and logarithms where what they are of is 0 or infinite."""
    found = 0
    seen: set[sp.Expr] = set()
    stack = [e]
    while stack:
        e = stack.pop()
        if e in seen or not e.args:
            continue
        seen.add(e)
        stack.extend(e.args)
        if isinstance(e, sp.log | fn.log1p):  # of what is 0 or infinite before its logarithm is
            found += bool(_reach(e.args[0])[0])
        elif isinstance(e, sp.Mul):
            reaches = [r for r in map(_reach, e.args) if r[0]]
            found += sum(bool(_flipped(a) & b) and (p or q) for k, (a, p) in enumerate(reaches) for b, q in reaches[k + 1 :])
    return found


@lru_cache(maxsize=16384)
def is_finite(e: sp.Expr) -> bool:
    """Is it finite for all finite operands, so that 0 times it is 0?"""
    if e.is_Symbol or e.is_number:
        return True
    if isinstance(e, sp.Pow) and not (e.exp.is_Integer and e.exp > 0):
        return False
    bounded = sp.Add | sp.Mul | sp.Pow | sp.sin | sp.cos | sp.tanh | sp.erf | sp.atan | fn.ScalarFunction
    if not isinstance(e, bounded) or isinstance(e, fn.expm1 | fn.log1p | fn.power | fn.floordiv | fn.floormod):
        return False
    return all(map(is_finite, e.args))
