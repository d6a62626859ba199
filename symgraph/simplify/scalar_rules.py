"""Identities of single functions, as rows: what the calculus of fractions and of cases does not find by itself.

Law of this file: a row has a name, the functions that it looks at, a function from such an expression to an equal one
(or None) and the reason, a sentence for people.  A row's result is never dearer and holds wherever the old form is
defined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from ..codegen import scalar as fn
from . import kinks, rational
from .scalar_cost import Facts, applications, better, is_free, multiple, scaled

Identity = Callable[[sp.Expr, Facts], sp.Expr | None]


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    heads: tuple[type, ...]
    apply: Identity
    reason: str


ROWS: list[Row] = []


def row(reason: str, *heads: type) -> Callable[[Identity], Identity]:
    """Decorator: add a function to the table under its own name."""

    def add(f: Identity) -> Identity:
        ROWS.append(Row(f.__name__.replace("_", " "), heads, f, reason))
        return f

    return add


def _positive(e: sp.Expr, facts: Facts) -> bool:
    return bool(e.xreplace(facts.assumed).is_positive)


def _one_more(e: sp.Expr) -> sp.Expr | None:
    """v, if e is 1 + v."""
    return e - 1 if isinstance(e, sp.Add) and sp.S.One in e.args else None


# ---------------------------------------------------------------- logarithms and exponentials
@row("log(1 + exp u) is softplus(u)", sp.log, fn.log1p)
def softplus(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    v = _one_more(e.args[0]) if isinstance(e, sp.log) else e.args[0]
    return fn.softplus(v.args[0]) if isinstance(v, sp.exp) else None


@row("log of a sigmoid is a softplus", sp.log, fn.log1p)
def log_of_sigmoid(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    v = e.args[0]
    if isinstance(e, sp.log) and isinstance(v, fn.sigmoid):
        return -fn.softplus(-v.args[0])
    v = -(_one_more(v) or sp.S.Zero) if isinstance(e, sp.log) else -v
    return -fn.softplus(v.args[0]) if isinstance(v, fn.sigmoid) else None


@row("log(x^n) is n log x", sp.log)
def log_of_power(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    v = e.args[0]
    if not isinstance(v, sp.Pow) or not v.exp.is_Rational:
        return None
    odd = v.exp.is_Integer and v.exp % 2 or not v.exp.is_Integer
    return v.exp * sp.log(v.base) if odd or _positive(v.base, facts) else None


@row("log(1 + (v - 1)) is log v", fn.log1p)
def log_of_sum(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    v = e.args[0]
    return sp.log(1 + v) if isinstance(v, sp.Add) and sp.S.NegativeOne in v.args else None


@row("exp of minus a softplus is a sigmoid", sp.exp)
def exp_of_softplus(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    c, w = e.args[0].as_coeff_Mul()
    return fn.sigmoid(-w.args[0]) ** -c if isinstance(w, fn.softplus) and c.is_Integer and c < 0 else None


@row("exp a exp b is exp(a + b)", sp.Mul)
def product_of_exponentials(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    exps = [f for f in e.args if isinstance(f, sp.exp)]
    if len(exps) < 2:
        return None
    return sp.Mul(sp.exp(sp.Add(*(f.args[0] for f in exps))), *(f for f in e.args if f not in exps))


# ---------------------------------------------------------------- products and powers
@row("a minus is swallowed by a difference", sp.Mul)
def minus_before_a_difference(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    if not e.as_coeff_Mul()[0].is_negative:
        return None
    found = [f for f in e.args if f.as_base_exp()[0].is_Add and f.as_base_exp()[1].is_Integer and f.as_base_exp()[1] % 2]
    found = [f for f in found if any(t.as_coeff_Mul()[0].is_negative for t in f.as_base_exp()[0].args)]
    for f in sorted(found, key=lambda f: any(t.is_number for t in f.as_base_exp()[0].args)):
        base, n = f.as_base_exp()
        return sp.Mul(-1, (-base) ** n, *(g for g in e.args if g is not f))
    return None


@row("a root of a square is an absolute value", sp.Pow)
def root_of_square(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    if not isinstance(e.base, sp.Pow) or not e.base.exp.is_Integer or not e.exp.is_Rational or e.exp.is_Integer:
        return None
    x, n = e.base.base, e.base.exp
    if _positive(x, facts):
        return x ** (n * e.exp)
    return fn.absolute(x) ** (n * e.exp) if n % 2 == 0 else None


@row("|x|^2 is x^2", sp.Pow)
def even_power(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    return e.base.args[0] ** e.exp if isinstance(e.base, fn.absolute) and e.exp.is_Integer and e.exp % 2 == 0 else None


@row("a power of 0 or 1 is itself", sp.Pow)
def power_of_truth(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    truth = isinstance(e.base, (fn.step, *kinks.COMPARISONS)) or e.base in facts.binary
    return e.base if truth and e.exp.is_Integer and e.exp > 0 else None


@row("a power with a known exponent is written with it", fn.power)
def known_exponent(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    return e.args[0] ** e.args[1] if e.args[1].is_Rational else None


@row("x^a x^b is x^(a + b)", sp.Mul)
def product_of_powers(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    for f in e.args:
        if isinstance(f, fn.power):
            b, p = f.args
            rest = [g for g in e.args if g is not f]
            for g in rest:
                base, n = (g.args[0], g.args[1]) if isinstance(g, fn.power) else g.as_base_exp()
                if base == b and (isinstance(g, fn.power) or n.is_Rational):
                    return sp.Mul(fn.power(b, p + n), *(h for h in rest if h is not g))
    return None


# ---------------------------------------------------------------- kinks
@row("on the known side of a kink there is none", *kinks.ONE_SIDED, *kinks.TWO_SIDED)
def known_sign(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    return kinks.known(e, facts)


@row("a positive factor comes out of a kink, a sign out of an even or odd one", *kinks.ONE_SIDED)
def kink_of_multiple(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    f = type(e)
    c, w = multiple(e.args[0])
    if c == 0:
        return None
    if f in (fn.relu, fn.step) and c < 0:
        c, w = -c, -w
    sign = sp.Mul(*(g for g in sp.Mul.make_args(w) if _positive(g, facts)))
    if c == 1 and sign == 1:
        return None
    front = c * sign
    w = w / sign
    return {fn.absolute: abs(c) * sign, fn.sgn: sp.sign(c), fn.relu: front, fn.step: sp.S.One}[f] * f(w)


@row("a comparison with everything on the side where it is written shortest", *kinks.COMPARISONS)
def comparison(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    d = rational.cheapest(e.args[0] - e.args[1], facts.numbers)
    if d.is_number:
        return None
    by, sides = sp.S.One, []
    for f in sp.Mul.make_args(d):
        v = f.xreplace(facts.assumed)
        if v.is_negative:
            by = -by
        elif not v.is_positive:
            sides.append(f)
    d = by * sp.Mul(*sides)
    if d.as_coeff_Mul()[0] == -1 and d.as_coeff_Mul()[1].is_Add:
        d = sp.expand_mul(d)
    up = [t for t in sp.Add.make_args(d) if t.as_coeff_Mul()[0] > 0]
    down = [t for t in sp.Add.make_args(d) if t.as_coeff_Mul()[0] < 0]
    found = [type(e)(d, 0), type(e)(sp.Add(*up), -sp.Add(*down))]
    best = min(found, key=lambda c: applications(c, facts.numbers))
    return best if applications(best, facts.numbers) < applications(e, facts.numbers) else None


# ---------------------------------------------------------------- choices
_FOLDED = (fn.select, fn.logical_and, fn.logical_or, fn.logical_not, *kinks.ONE_SIDED, *kinks.TWO_SIDED, *kinks.AT_ZERO)


@row("a choice between equal things, or under a known condition, is none", *_FOLDED)
def known_choice(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    new = kinks.folded(e)
    return None if new == e else new


@row("inside a choice its condition is known", fn.select)
def choice_in_choice(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    c, a, b = e.args
    if isinstance(c, fn.logical_not):
        return fn.select(c.args[0], b, a)
    a, b = (side.replace(lambda s: isinstance(s, fn.select) and s.args[0] == c, lambda s, k=k: s.args[k]) for k, side in ((1, a), (2, b)))
    new = fn.select(c, _on_side(a, c, True), _on_side(b, c, False))
    return None if new == e else new


def _on_side(e: sp.Expr, c: sp.Expr, holds: bool) -> sp.Expr:
    """e where c holds, or does not, if that says on which side of a kink that is."""
    found = kinks.kink(c)
    if found is None:
        return e
    z, truths = found
    sides = [k for k, t in enumerate(truths) if (t == 1) is holds]
    if sides in ([0], [2]):
        return kinks.decided(e, z, sides[0])
    if sides in ([0, 1], [1, 2]):  # the kink belongs to it: good for those that do not jump there
        return kinks.decided(e, z, 0 if 0 in sides else 2, continuous=True)
    return e


@row("a common factor comes out of a choice", fn.select)
def factor_out_of_choice(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    c, a, b = e.args
    if a.is_number and b.is_number:
        return -fn.select(c, -a, -b) if a.is_nonpositive and b.is_nonpositive and a != b else None
    if a == 0 or b == 0:
        side = b if a == 0 else a
        by = side if is_free(side, facts.numbers) else scaled(side, facts.numbers)[0]
    else:
        (p, q), (r, s) = a.as_coeff_Mul(), b.as_coeff_Mul()
        by = sp.Mul(p if p == r or p == -r and p.is_negative else 1, *(f for f in sp.Mul.make_args(q) if f in sp.Mul.make_args(s)))
    return None if by == 1 else by * fn.select(c, a / by, b / by)


@row("a label of 0 or 1 chooses by its value", fn.select)
def choice_by_a_label(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    c, a, b = e.args
    for y in sorted(c.free_symbols & facts.binary, key=sp.default_sort_key):
        none, one = (kinks.folded(c.xreplace({y: sp.Integer(v)})) for v in (0, 1))
        if none.is_Integer and one.is_Integer and none != one:
            a, b = (b, a) if none == 1 else (a, b)
            new = b + y * rational.cheapest(a - b, facts.numbers)
            return new if better(new, e, facts.numbers) else None
    return None


@row("a factor that is 0 or 1 as a difference is above 0 is a choice", sp.Mul)
def step_of_a_difference(e: sp.Expr, facts: Facts) -> sp.Expr | None:
    for f in e.args:
        if isinstance(f, fn.step) and f.args[0].is_Add:
            shorter = comparison(fn.gt(f.args[0], 0), facts)
            if shorter is not None:
                new = fn.select(shorter, sp.Mul(*(g for g in e.args if g is not f)), 0)
                return new if better(new, e, facts.numbers) else None
    return None


OF: dict[type, list[Row]] = {}
for _row in ROWS:
    for _head in _row.heads:
        OF.setdefault(_head, []).append(_row)
