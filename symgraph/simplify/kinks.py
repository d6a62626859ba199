"""Functions with kinks, case by case: what holds where z > 0, where z < 0 and at z = 0 is put together again.

Law of this file: one table says what each function is on each side of its kink, so that no rule is needed for any pair
of them: |u| sign(u) is u on both sides, relu(u) step(u) is u or 0, and of the stable logistic loss both sides give the
same sigmoid.  A form that is put together agrees with the old one at the kink too; where the old one is not defined
there, or jumps though it is made of |u| or max(u, 0) (the derivative of a loss without a kink), a continuous one may
take its place.  NaN is not asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import sympy as sp

from .. import scalar
from ..codegen import scalar as fn
from . import rational
from .scalar_cost import Facts, Symbols, better, is_finite, multiple

Sides = tuple[sp.Expr, sp.Expr, sp.Expr]
"""Values for z > 0, z = 0, z < 0."""

_0, _1 = sp.S.Zero, sp.S.One
ONE_SIDED: dict[type, Callable[[sp.Expr], Sides]] = {
    fn.absolute: lambda w: (w, _0, -w),
    fn.sgn: lambda w: (_1, _0, -_1),
    fn.step: lambda w: (_1, _0, _0),
    fn.relu: lambda w: (w, _0, _0),
}
TWO_SIDED: dict[type, Callable[[sp.Expr, sp.Expr], Sides]] = {
    fn.maximum: lambda a, b: (a, a, b),
    fn.minimum: lambda a, b: (b, b, a),
    fn.gt: lambda a, b: (_1, _0, _0),
    fn.ge: lambda a, b: (_1, _1, _0),
    fn.lt: lambda a, b: (_0, _0, _1),
    fn.le: lambda a, b: (_0, _1, _1),
}
AT_ZERO = {fn.sigmoid: sp.S.Half, fn.softplus: sp.log(2), fn.expm1: _0, fn.log1p: _0}
_CONTINUOUS = (fn.absolute, fn.relu, fn.maximum, fn.minimum)
COMPARISONS = (fn.gt, fn.ge, fn.lt, fn.le, fn.eq, fn.ne)
_TRUTHS = (*COMPARISONS, fn.logical_and, fn.logical_or, fn.logical_not, fn.isnan, fn.isinf, fn.isfinite)


@lru_cache(maxsize=16384)
def kink(e: sp.Expr) -> tuple[sp.Expr, Sides] | None:
    """(z, the values of e for z > 0, z = 0, z < 0), if e is a function with a kink."""
    if type(e) not in ONE_SIDED and type(e) not in TWO_SIDED:
        return None
    z, sides = _apart(e)
    c, w = multiple(z)
    if not w.free_symbols:
        return None
    return (w, sides) if c > 0 else (w, (sides[2], sides[1], sides[0]))


def _apart(e: sp.Expr) -> tuple[sp.Expr, Sides]:
    """What decides by its sign, and the values."""
    if type(e) in ONE_SIDED:
        return e.args[0], ONE_SIDED[type(e)](*e.args)
    return e.args[0] - e.args[1], TWO_SIDED[type(e)](*e.args)


def known(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    """The value of a function with a kink on whose one side its argument is known to lie."""
    found = kink(e)
    if found is None:
        return None
    z, (above, at, below) = found
    z = z.xreplace(facts.assumed)
    if z.is_positive or z.is_nonnegative and _meets(above, at, found[0]):
        return above
    if z.is_negative or z.is_nonpositive and _meets(below, at, found[0]):
        return below
    return None


def _meets(side: sp.Expr, at: sp.Expr, z: sp.Expr) -> bool:
    return _at_zero(side, z) == _at_zero(at, z)


def decided(e: sp.Expr, z: sp.Expr, side: int, continuous: bool = False) -> sp.Expr:
    """e where z is positive (side 0), zero (1) or negative (2); z can be a condition too: true (0) or false (2).

    `continuous`: where z is positive or zero, or negative or zero."""
    memo: dict[sp.Expr, sp.Expr] = {}

    def go(e: sp.Expr) -> sp.Expr:
        if e == z and z.is_Function and isinstance(z, _TRUTHS) or e == z and side == 1:
            return _1 if side == 0 else _0
        if not e.args:
            return e
        if e not in memo:
            if isinstance(e, fn.select) and e.args[0] == z:
                memo[e] = go(e.args[1 if side == 0 else 2])
                return memo[e]
            args = [go(a) for a in e.args]
            new = e if all(a == b for a, b in zip(args, e.args, strict=True)) else e.func(*args)
            found = kink(new)
            if found is not None and found[0] == z and (not continuous or _meets(found[1][side], found[1][1], z)):
                new = go(found[1][side]) if found[1][side] != new else new
            memo[e] = folded(new)
        return memo[e]

    return scalar.canonical(go(e))


def folded(e: sp.Expr) -> sp.Expr:
    """Choices and truth values whose condition is known."""
    if isinstance(e, fn.select):
        c, a, b = e.args
        return a if a == b or c == 1 else b if c == 0 else e
    if isinstance(e, fn.logical_and):
        return _0 if 0 in e.args else e.args[1] if e.args[0] == 1 else e.args[0] if e.args[1] == 1 else e
    if isinstance(e, fn.logical_or):
        return _1 if 1 in e.args else e.args[1] if e.args[0] == 0 else e.args[0] if e.args[1] == 0 else e
    if isinstance(e, fn.logical_not) and e.args[0].is_number:
        return 1 - e.args[0]
    if e.args and all(a.is_Rational for a in e.args):
        if type(e) in AT_ZERO and e.args[0] == 0:
            return AT_ZERO[type(e)]
        if type(e) in (fn.eq, fn.ne):
            return sp.Integer((e.args[0] == e.args[1]) is isinstance(e, fn.eq))
        if type(e) in ONE_SIDED or type(e) in TWO_SIDED:
            z, sides = _apart(e)
            return sides[0 if z > 0 else 1 if z == 0 else 2]
    return e


def switches(e: sp.Expr) -> list[sp.Expr]:
    """What e could be decided by: kinks' arguments and conditions on which more than one function depends."""
    found: dict[sp.Expr, set[sp.Expr]] = {}
    for f in sorted(e.atoms(sp.Function), key=sp.default_sort_key):
        at = kink(f)
        if at is not None:
            found.setdefault(at[0], set()).add(f)
        elif isinstance(f, fn.select):
            c = f.args[0]
            at = kink(c)
            found.setdefault(at[0] if at else c, set()).add(f)
    free = e.xreplace({f: sp.Dummy() for fs in found.values() for f in fs}).free_symbols if found else set()
    return [z for z, fs in found.items() if len(fs) > 1 or z.free_symbols & free]


def together(e: sp.Expr, simpler: Callable[[sp.Expr], sp.Expr], numbers: Symbols) -> Iterator[sp.Expr]:
    """Cheaper ways to write e that come from deciding it by one of its switches."""
    for z in switches(e)[:3]:
        if isinstance(e, sp.Add | sp.Mul):  # what does not depend on z stays outside
            reads = [any(k is not None and k[0] == z for k in map(kink, a.atoms(sp.Function))) or a.has(z) for a in e.args]
            inside = e.func(*(a for a, r in zip(e.args, reads, strict=True) if r))
            outside = [a for a, r in zip(e.args, reads, strict=True) if not r]
        else:
            inside, outside = e, []
        for new in _joined(inside, z, simpler, numbers):
            yield scalar.canonical(e.func(new, *outside)) if outside else new
        if isinstance(e, sp.Mul) and inside.is_Mul and inside.free_symbols & e.func(*outside).free_symbols:
            yield from _joined(e, z, simpler, numbers)  # a factor outside may cancel on either side


def _joined(e: sp.Expr, z: sp.Expr, simpler: Callable[[sp.Expr], sp.Expr], numbers: Symbols) -> Iterator[sp.Expr]:
    above, below = simpler(decided(e, z, 0)), simpler(decided(e, z, 2))
    if above == below or rational.is_zero(above - below):
        truth = isinstance(z, _TRUTHS) or z.is_Symbol and isinstance(e, fn.select) and e.args[0] == z
        if truth or _agrees(e, above, above, below, z):
            yield above
        return
    old = [c for c in e.atoms(*COMPARISONS) if (k := kink(c)) is not None and k[0] == z]
    if isinstance(z, _TRUTHS) or any(f.args[0] == z for f in e.atoms(fn.select)):
        yield _chosen(z, above, below)
        return
    for candidate in _shapes(above, below, z, sorted(old, key=sp.default_sort_key)):
        if better(candidate, e, numbers) and _agrees(e, candidate, above, below, z):
            yield candidate


def _shapes(above: sp.Expr, below: sp.Expr, z: sp.Expr, conditions: list[sp.Expr]) -> Iterator[sp.Expr]:
    """above where z > 0, below where z < 0, by name where it has one."""
    opposite = above == -below or rational.is_zero(above + below)
    named = (
        (below == 0 and is_finite(above), fn.relu(z), fn.step(z), above),
        (above == 0 and is_finite(below), -fn.relu(-z), fn.step(-z), below),
        (opposite, fn.absolute(z), fn.sgn(z), above),
    )
    for fits, sloped, flat, value in named:
        if fits:
            slope = _over(value, z)
            if slope is not None:
                yield sloped * slope
            yield flat * value
    if multiple(above - below)[1] == z:
        greater = bool(multiple(above - below)[0] > 0)
        yield (fn.maximum if greater else fn.minimum)(above, below)
    for c in (*conditions, fn.gt(z, 0), fn.ge(z, 0)):
        found = kink(c)
        assert found is not None
        positive, _, negative = found[1]
        if positive != negative:
            yield _chosen(c, above, below) if positive == 1 else _chosen(c, below, above)


def _over(e: sp.Expr, z: sp.Expr) -> sp.Expr | None:
    """e / z where z is a factor of e."""
    factors = list(sp.Mul.make_args(e))
    for at, f in enumerate(factors):
        c, w = multiple(f)
        if w == z:
            return sp.Mul(c, *factors[:at], *factors[at + 1 :])
        if isinstance(f, sp.Pow) and f.base in (z, -z) and f.exp.is_Rational and f.exp > 1:
            return sp.Mul(f.base ** (f.exp - 1) * (1 if f.base == z else -1), *factors[:at], *factors[at + 1 :])
    c, w = multiple(e)
    return c if w == z else None


def _chosen(c: sp.Expr, a: sp.Expr, b: sp.Expr) -> sp.Expr:
    return folded(fn.select(c, a, b))


def _agrees(old: sp.Expr, new: sp.Expr, above: sp.Expr, below: sp.Expr, z: sp.Expr) -> bool:
    """Are they equal at the kink, or is the new one better there?"""
    was, now = (_at_zero(decided(e, z, 1), z) for e in (old, new))
    if was.has(sp.nan, sp.zoo, sp.oo) or was == now or rational.is_zero(was - now):
        return True
    if not any(k is not None and k[0] == z for k in map(kink, old.atoms(*_CONTINUOUS))):
        return False  # where(x > 0, 1, 0) + where(x < 0, 1, 0) can be a mask: 0 at 0 is meant
    up, down = _at_zero(above, z), _at_zero(below, z)
    return not up.has(sp.nan, sp.zoo, sp.oo) and rational.is_zero(up - down) and rational.is_zero(now - up)


def _at_zero(e: sp.Expr, z: sp.Expr) -> sp.Expr:
    """e with z = 0 used, where z can be solved for a symbol."""
    for t in sorted(sp.Add.make_args(z), key=sp.default_sort_key):
        c, s = t.as_coeff_Mul()
        if s.is_Symbol and not (z - t).has(s):
            e = e.xreplace({s: -(z - t) / c})
            return e.replace(lambda f: isinstance(f, fn.ScalarFunction), folded)
    return e.xreplace({z: _0})


__all__ = ["COMPARISONS", "decided", "folded", "kink", "known", "together"]
