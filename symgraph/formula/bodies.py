"""Element-wise mathematics in a notation: from a sympy body and written operands to what a person writes.

Law of this file: it decides order, signs, fractions and parentheses, and nothing else; how a construct looks is asked
of the `Notation`.  A written product remembers the scalars in front of it (`Scale`), so that factors from nested nodes
meet: 0.01 times 2/m is 0.02/m, and a sign comes to the front.  What is written depends on the body alone: sympy's own
ordering, which follows PYTHONHASHSEED, is never asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from .. import scalar
from ..codegen import scalar as fn
from ..shapes import Extent
from .names import Labels
from .notation import ATOM, FACTOR, HADAMARD, LOOSE, POWER, PRODUCT, SIGNED, SUM, Notation

_ONE = Fraction(1)
_DIGITS = 12
"""A product of decimals is written out when it has no more digits than this."""


class Written(NamedTuple):
    """Text and how strongly it binds; where it is a product with scalars, those and the rest of it as well."""

    text: str
    strength: int
    scale: Scale | None = None
    bare: Written | None = None  # type: ignore[misc]  # None: nothing but scalars


@dataclass(frozen=True, slots=True)
class Scale:
    """The scalars in front of an array: a rational times a decimal (a user's 0.1) times num over den, already written."""

    rational: Fraction = _ONE
    decimal: Fraction = _ONE
    num: tuple[Written, ...] = ()
    den: tuple[Written, ...] = ()

    def times(self, other: Scale) -> Scale:
        return Scale(self.rational * other.rational, self.decimal * other.decimal, self.num + other.num, self.den + other.den)


@dataclass(frozen=True)
class Scope:
    """What the symbols of a body stand for.

    `scalars` are the operands without axes, `values` the numbers among them, `fractional` those that are floats;
    `positions` writes the position along a label; `matrix` is the rank of what the body gives, if it is one of matrices;
    `weak` are the operands that are Python numbers."""

    ops: Sequence[Written] = ()
    scalars: frozenset[int] = frozenset()
    values: Mapping[int, Any] = field(default_factory=dict)
    fractional: frozenset[int] = frozenset()
    positions: Mapping[int, Written] = field(default_factory=dict)
    matrix: int = 0
    weak: frozenset[int] = frozenset()


NOTHING = Scope()


class Bodies:
    """Writes bodies in one notation."""

    def __init__(self, labels: Labels, notation: Notation) -> None:
        self.labels, self.n = labels, notation

    # -- pieces
    def inside(self, w: Written, strength: int) -> str:
        return w.text if w.strength >= strength else self.n.parens(w.text)

    def number(self, v: Any) -> Written:
        """A constant by its shortest decimal, with powers of ten written out where it is very large or small."""
        if v < 0:
            return Written(self.n.minus + self.number(-int(v) if isinstance(v, np.integer) else -v).text, SIGNED)
        if not np.isfinite(v):
            return Written(self.n.nan if np.isnan(v) else self.n.infinity, ATOM)
        text = str(v)
        if isinstance(v, float | np.floating):
            digits = Decimal(text).normalize()
            if v and not -5 < digits.adjusted() < 7:
                mantissa = digits.scaleb(-digits.adjusted())
                return Written(*self.n.scientific(f"{mantissa:f}", str(digits.adjusted())))
            text = f"{digits:f}"
        return Written(text, ATOM)

    def size(self, d: Extent) -> Written:
        """An extent."""
        if isinstance(d, int):
            return Written(str(d), ATOM)
        return self.body(d, NOTHING)

    def scaled(self, scale: Scale, bare: Written | None) -> Written:
        """The scalars in front of an array (or alone); their sign comes first of all."""
        if bare is not None and bare.scale is not None:
            scale, bare = scale.times(bare.scale), bare.bare
        front, negative = self._front(scale, bare is None)
        if bare is None:
            assert front is not None
            written = front
        elif front is None:
            written = bare
        else:
            b = self.inside(bare, PRODUCT)
            joint = self.n.between_numbers if self.n.begins_with_digit(b) else self.n.times
            written = Written(self.inside(front, PRODUCT) + joint + b, PRODUCT)
        if negative:
            written = Written(self.n.minus + self.inside(written, PRODUCT), SIGNED)
        return Written(written.text, written.strength, scale, bare)

    def unsigned(self, w: Written) -> tuple[bool, Written]:
        """(is there a sign in front?, the rest)."""
        if w.strength != SIGNED or w.scale is None or w.scale.rational * w.scale.decimal >= 0:
            return False, w
        return True, self.scaled(w.scale.times(Scale(Fraction(-1))), w.bare)

    def _front(self, scale: Scale, alone: bool) -> tuple[Written | None, bool]:
        """The scalars as one fraction, without their sign; None for 1 beside something."""
        value = scale.rational * scale.decimal
        negative, value = value < 0, abs(value)
        num, den = list(scale.num), list(scale.den)
        exact = scale.decimal == 1 and not (self.n.decimal and not den)
        decimal = None if exact else _decimal(value)
        if decimal is not None:
            top, bottom = value, 1
        elif scale.decimal == 1:
            top, bottom = Fraction(value.numerator), value.denominator
        else:
            top, bottom = abs(scale.decimal * scale.rational.numerator), scale.rational.denominator
        if top != 1:
            num.insert(0, self.number(int(top) if top.denominator == 1 and top < 10**6 else float(f"{float(top):.15g}")))
        if bottom != 1:
            den.insert(0, Written(str(bottom), ATOM))
        if not num and not den:
            return (Written("1", ATOM) if alone else None), negative
        above = self._row(num)
        return (self._fraction(above, self._row(den), PRODUCT) if den else above), negative

    def _row(self, factors: Sequence[Written]) -> Written:
        """Scalars side by side, numbers and letters first: 2m, λ·μ, m·√x."""
        if len(factors) < 2:
            return factors[0] if factors else Written("1", ATOM)
        first, *others = sorted((self.inside(w, FACTOR) for w in factors), key=lambda w: not w[0].isdigit() and not self.n.is_letter(w))
        out = first
        for w in others:
            if self.n.begins_with_digit(w):
                out += self.n.dot + w
            else:
                out += w if self.n.juxtaposed and out.isdigit() and self.n.is_letter(w) else self.n.scalars + w
        return Written(out, PRODUCT)

    def _fraction(self, top: Written, bottom: Written, strength: int) -> Written:
        """`strength` is what the top needs where a fraction is written on one line."""
        if self.n.fraction_strength > PRODUCT:  # a bar groups by itself
            return Written(self.n.fraction(top.text, bottom.text), self.n.fraction_strength)
        return Written(self.n.fraction(self.inside(top, strength), self.inside(bottom, POWER)), PRODUCT)

    # -- bodies
    def body(self, e: sp.Basic, scope: Scope) -> Written:
        """The sympy expression over the operands of a scope."""
        if isinstance(e, sp.Symbol):
            return self._symbol(e, scope)
        if e.is_Rational:
            return self.scaled(Scale(Fraction(int(e.p), int(e.q))), None)
        if e in (sp.oo, -sp.oo, sp.nan, sp.zoo):
            return self.number(float("nan") if e is sp.nan else -np.inf if e == -sp.oo else np.inf)
        if isinstance(e, sp.Float | sp.NumberSymbol):
            named = self.n.constants.get(str(sp.srepr(e)))
            return self.number(float(e)) if named is None else Written(named, ATOM)
        if e.is_Add:
            c, rest = _content(e)
            if rest.is_Add and c not in (1, -1):
                return self.scaled(Scale(Fraction(int(c.p), int(c.q))), self._sum(rest, scope))
            return self._sum(e, scope)
        if e.is_Mul:
            return self._mul(e, scope)
        if e.is_Pow:
            return self._pow(e, scope)
        return self.function(e, scope)

    def _symbol(self, e: sp.Symbol, scope: Scope) -> Written:
        for k in scalar.operand_numbers(e):
            return scope.ops[k]
        for k in scalar.label_numbers(e):
            return scope.positions[k]
        found = self.labels.size(e)
        return Written(self.n.name(found), ATOM) if isinstance(found, str) else self.body(sp.sympify(found), NOTHING)

    def _sum(self, e: sp.Basic, scope: Scope) -> Written:
        split = [(bool(t.as_coeff_Mul()[0].is_negative), t) for t in e.args]
        terms = [(negative, -t if negative else t) for negative, t in split]
        functions = all(negative or t.is_number or t.is_Function or isinstance(t, sp.exp) for negative, t in terms)
        out = ""
        for negative, t in sorted(terms, key=lambda t: self._term_order(t[1], t[0], functions)):
            w = self.body(t, scope)
            if negative and w.strength == SIGNED:
                negative, w = False, Written(w.text.removeprefix(self.n.minus), PRODUCT)
            if negative:
                out += (f" {self.n.minus} " if out else self.n.minus) + self.inside(w, PRODUCT)
            elif out and w.strength in (SUM, SIGNED) and w.text.startswith(self.n.minus):
                out += f" {self.n.minus} {w.text.removeprefix(self.n.minus)}"
            else:
                out += (" + " if out else "") + self.inside(w, SUM)
        return Written(out, SUM)

    def _order(self, t: sp.Basic) -> tuple:
        """Constants last, otherwise by the operands that appear."""
        numbers = sorted(scalar.operand_numbers(t))
        return (not numbers, numbers, sp.default_sort_key(t))

    def _term_order(self, t: sp.Basic, negative: bool, functions: bool) -> tuple:
        """Positive terms first; a number stands before functions, as in 1 + exp(x), and after anything else."""
        first = functions and not negative and not t.free_symbols
        return (not first, negative, self._order(t))

    def _mul(self, e: sp.Basic, scope: Scope) -> Written:
        c, rest = e.as_coeff_Mul()
        scale = Scale(Fraction(int(c.p), int(c.q))) if c.is_Rational else Scale(num=(self.body(c, scope),))
        above: list[Written] = []
        below: list[sp.Basic] = []
        for f in sorted(sp.Mul.make_args(rest), key=self._order):
            base, exponent = f.as_base_exp()
            inverted = exponent.is_Rational and exponent < 0 and base is not sp.S.Exp1
            if inverted and self._is_scalar(base, scope):
                over = self._scalar(base**-exponent, scope)
                scale = scale.times(Scale(1 / over.rational, 1 / over.decimal, over.den, over.num))
            elif inverted:
                below.append(base**-exponent)
            elif self._is_scalar(f, scope):
                scale = scale.times(self._scalar(f, scope))
            else:
                w = self.body(f, scope)
                if w.scale is not None and w.bare is not None:
                    scale, w = scale.times(w.scale), w.bare
                above.append(w)
        if not below:
            return self.scaled(scale, self.joined(above) if above else None)
        bottom = self.joined([self.body(f, scope) for f in below])
        negative = scale.rational * scale.decimal < 0
        top, under = self._sides(scale, self.joined(above) if above else None)
        if under is not None:
            bottom = Written(under + self.n.times + self.inside(bottom, PRODUCT), PRODUCT)
        written = self._fraction(top, bottom, self.n.numerator if len(above) > 1 else PRODUCT)
        return self.scaled(Scale(Fraction(-1)), written) if negative else written

    def _sides(self, scale: Scale, above: Written | None) -> tuple[Written, str | None]:
        """What stands over and under the bar of a fraction of arrays, without the sign."""
        value = abs(scale.rational)
        decimal = abs(scale.decimal)
        num = self.scaled(Scale(Fraction(value.numerator), decimal, scale.num), above)
        den = self.scaled(Scale(Fraction(value.denominator), _ONE, scale.den), None) if value.denominator != 1 or scale.den else None
        return num, None if den is None else self.inside(den, PRODUCT)

    def _scalar(self, f: sp.Basic, scope: Scope) -> Scale:
        """A factor without axes, as scalars to stand in front."""
        if isinstance(f, sp.Symbol):
            for k in scalar.operand_numbers(f) & frozenset(scope.values):
                v = scope.values[k]
                if np.isfinite(v) and v != 0 and np.asarray(v).dtype.kind != "b":
                    exact = Fraction(Decimal(str(v)))
                    return Scale(exact) if exact.denominator == 1 and abs(exact) < 10**6 else Scale(decimal=exact)
        w = self.body(f, scope)
        if w.scale is not None:
            return w.scale if w.bare is None else w.scale.times(Scale(num=(w.bare,)))
        return Scale(num=(w,))

    def _is_scalar(self, f: sp.Basic, scope: Scope) -> bool:
        return scalar.operand_numbers(f) <= scope.scalars and not scalar.label_numbers(f)

    def joined(self, factors: Sequence[Written]) -> Written:
        """Arrays multiplied element by element."""
        if len(factors) == 1:
            return factors[0]
        first, *others = factors
        begun = self.inside(first, min(HADAMARD, self.n.numerator))
        return Written(self.n.hadamard.join([begun, *(self.inside(w, self.n.entry) for w in others)]), HADAMARD)

    def _pow(self, e: sp.Basic, scope: Scope) -> Written:
        base, exponent = e.args
        if base is sp.S.Exp1:
            return self.called("exp", [self.body(exponent, scope)])
        if exponent == sp.S.Half:
            return self.root(e, self.body(base, scope), scope)
        if exponent.is_Rational and exponent < 0:
            return self._mul(sp.Mul(e, 1, evaluate=False), scope)
        return self.raised(self.body(base, scope), self.body(exponent, scope))

    def root(self, e: sp.Basic, base: Written, scope: Scope) -> Written:
        """The square root e of what is written."""
        return Written(self.n.sqrt(base.text), POWER)

    def raised(self, base: Written, exponent: Written) -> Written:
        return Written(self.n.power(self.inside(base, ATOM), exponent.text.replace(self.n.minus, "-")), POWER)

    def _alters(self, cast: sp.Basic, scope: Scope) -> bool:
        """Does a cast change numbers by more than their rounding: to truth values, or from fractions to integers?"""
        source, target = cast.args[0], str(cast.args[1])
        if target == "bool":
            return True
        truth = type(source).__name__.rstrip("_") in self.n.infix
        return "int" in target and not truth and bool(scalar.operand_numbers(source) & scope.fractional)

    def function(self, e: sp.Basic, scope: Scope) -> Written:
        name = type(e).__name__.rstrip("_")
        shown = e.args[:1] if name in ("cast", "computed_as") else e.args
        args = [self.body(a, scope) for a in shown]
        if name == "cast" and self._alters(e, scope):
            return self.called(str(e.args[1]), args)
        if name in ("stopped", "cast", "computed_as"):
            return args[0]
        if name in self.n.infix:
            return Written(f"{self.inside(args[0], SUM)} {self.n.infix[name]} {self.inside(args[1], SUM)}", LOOSE)
        if name in ("floor", "floor_", "ceil", "ceiling", "absolute"):
            left, right = self.n.enclosed[name.removesuffix("ing")]
            return Written(left + args[0].text + right, ATOM)
        if name == "power":
            return self.raised(*args)
        if name == "floordiv":
            left, right = self.n.enclosed["floor"]
            return Written(left + self._fraction(args[0], args[1], PRODUCT).text + right, ATOM)
        if scope.matrix and identity(e, scope.matrix) and self._is_scalar(e.args[1], scope):
            return self.scaled(self._scalar(e.args[1], scope), Written(self.n.name("I"), ATOM))
        if name == "select":
            return Written(self.n.cases(*(a.text for a in args)), self.n.cases_strength)
        return self.called(name, args)

    def called(self, name: str, args: Sequence[Written]) -> Written:
        return Written(self.n.call(self.n.shown.get(name, name), ", ".join(a.text for a in args)), ATOM)


def identity(e: sp.Basic, rank: int) -> bool:
    """Is it something where the last two of `rank` positions are equal, and 0 elsewhere?"""
    if not isinstance(e, fn.select) or e.args[2] != 0 or not isinstance(e.args[0], fn.eq):
        return False
    return set(e.args[0].args) == {scalar.i(rank - 2), scalar.i(rank - 1)}


@lru_cache(maxsize=4096)
def _content(e: sp.Basic) -> tuple[sp.Basic, sp.Basic]:
    """The number that is a factor of all terms, and the rest."""
    return sp.factor_terms(e).as_coeff_Mul()


def _decimal(value: Fraction) -> float | None:
    """The number as a float whose repr is exactly it, if it is short."""
    try:
        v = float(value)
    except OverflowError:
        return None
    text = repr(v)
    return v if Fraction(Decimal(text)) == value and len(text.partition("e")[0].replace(".", "").strip("0")) <= _DIGITS else None
