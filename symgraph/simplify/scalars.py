"""A body made cheaper: candidates and a cost.

Law of this file: `simplify` gives an equal body with fewer distinct applications, or as few and fewer operations
written, or the body itself; never a dearer one, never one with more hazards (scalar_cost.py).  From the leaves up each
expression is rewritten by identities (scalar_rules.py), over one denominator (rational.py) and case by case (kinks.py),
and the cheapest form is kept.  It is a function of body and facts alone, bounded by sizes, and resting: simplified
again a result is itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import sympy as sp

from .. import scalar
from ..codegen import scalar as fn
from . import kinks, rational, sums
from .scalar_cost import TRANSPARENT, Facts, applications, better, scaled
from .scalar_rules import OF, ROWS, minus_before_a_difference

MAX_OPERATIONS = 100
"""Larger bodies are left as they are."""

REASONS = {r.name: r.reason for r in ROWS} | {
    "common factors": "a common factor is written once",
    "fractions": "over one denominator, with one exponential for exp, sigmoid and tanh of the same u, common factors cancel",
    "cases": "what holds on either side of a kink is put together",
}
"""name of a rule: the reason, a sentence for people."""

Result = tuple[sp.Expr, tuple[str, ...]]
NOTHING = Facts()


def facts_of(known: Mapping[sp.Symbol, frozenset[str]], numbers: frozenset[sp.Symbol] = frozenset()) -> Facts:
    """Facts by the names that `assume` gives them: positive, binary, one_hot."""
    named = {name: frozenset(s for s, names in known.items() if name in names) for name in ("positive", "binary", "one_hot")}
    return Facts(numbers, named["positive"], named["binary"] | named["one_hot"])


def simplify(body: sp.Expr, facts: Facts = NOTHING) -> sp.Expr:
    """The cheapest form of the body that is found."""
    return explained(body, facts)[0]


@lru_cache(maxsize=8192)
def explained(body: sp.Expr, facts: Facts = NOTHING) -> Result:
    """The cheapest form, and the names in `REASONS` of what led there."""
    best = scalar.canonical(body)
    names: tuple[str, ...] = ()
    if scalar.operations(best) > MAX_OPERATIONS:
        return body, ()
    for _ in range(8):
        new, more = _best(best, facts)
        if not better(new, best, facts.numbers):
            break
        best, names = new, (*names, *(m for m in more if m not in names))
    return (best, names) if better(best, body, facts.numbers) else (body, ())


@lru_cache(maxsize=32768)
def _best(e: sp.Expr, facts: Facts, cases: bool = True) -> Result:
    """`cases`: may it be decided case by case?  Within a case nothing is: the work would double with every kink."""
    if not e.args or isinstance(e, fn.computed_as | fn.cast_):
        return e, ()
    front, rest = scaled(e, facts.numbers)
    if front != 1:
        best, names = _best(rest, facts, cases)
        best = e if best == rest else scalar.canonical(front * best)
        turned = minus_before_a_difference(best, facts)
        return (best, names) if turned is None else (turned, _joined(names, ("minus before a difference",)))
    best, names = _fraction(e, facts)
    if names and applications(best, facts.numbers) < applications(e, facts.numbers):  # its parts need not be looked at
        return _then(best, names, facts, cases)
    parts = [_best(a, facts, cases) for a in e.args]
    names = ()
    if any(p != a for (p, _), a in zip(parts, e.args, strict=True)):
        new = scalar.canonical(e.func(*(p for p, _ in parts)))
        if better(new, e, facts.numbers):  # what is cheaper by itself may be dearer beside what it shared
            e, names = new, _joined(*(ns for _, ns in parts))
    if isinstance(e, TRANSPARENT):
        return e, names
    for r in OF.get(type(e), ()):
        new = r.apply(e, facts)
        if new is not None and new != e and applications(new, facts.numbers) <= applications(e, facts.numbers):
            return _then(scalar.canonical(new), (*names, r.name), facts, cases)
    best, how = _fraction(e, facts)
    if cases and isinstance(e, sp.Add | sp.Mul | fn.select):
        for new in kinks.together(e, lambda part: _best(part, facts, False)[0], facts.numbers):
            if better(new, best, facts.numbers):
                best, how = new, ("cases",)
    return _then(best, (*names, *how), facts, cases) if how else (e, names)


def _then(e: sp.Expr, names: tuple[str, ...], facts: Facts, cases: bool) -> Result:
    """What e leads to, reached by `names`."""
    best, more = _best(e, facts, cases)
    return best, _joined(names, more)


def _joined(*names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for ns in names for n in ns))


@lru_cache(maxsize=32768)
def _fraction(e: sp.Expr, facts: Facts) -> Result:
    """A sum, product or power in the cheapest of the ways to write it, and how it was found."""
    best: sp.Expr = e
    how: tuple[str, ...] = ()
    new = sums.grouped(e, facts.numbers) if isinstance(e, sp.Add) else None
    if new is not None and better(scalar.canonical(new), best, facts.numbers):
        best, how = scalar.canonical(new), ("common factors",)
    if isinstance(e, sp.Add | sp.Mul | sp.Pow):
        for form in rational.forms(e, facts.binary):
            for new in rational.written(form, facts.numbers, applications(best, facts.numbers)):
                if better(new, best, facts.numbers) and better(scalar.canonical(new), best, facts.numbers):
                    best, how = scalar.canonical(new), ("fractions",)
    return best, how
