"""Sums of products, written in the cheapest of the ways in which common factors can be drawn out.

Law of this file: nothing is multiplied out here.  Terms are monomials with numbers in front; a sum has a positive number
where it has one, and a minus is swallowed by a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import gcd, lcm

import sympy as sp

from . import scalar_cost
from .scalar_cost import NONE, Symbols

Monomial = tuple[tuple[sp.Expr, sp.Rational], ...]
Terms = frozenset[tuple[Monomial, sp.Rational]]


def merged(m: Monomial) -> Monomial:
    powers: dict[sp.Expr, sp.Rational] = {}
    for g, n in m:
        powers[g] = powers.get(g, sp.S.Zero) + n
    return tuple((g, n) for g, n in powers.items() if n)


def monomial_of(e: sp.Expr) -> Monomial:
    """Factors and exponents of a product without a number in front."""
    found = []
    for f in sp.Mul.make_args(e):
        if isinstance(f, sp.Pow) and f.exp.is_Rational:
            found.append((f.base, f.exp))
        elif f is not sp.S.One:
            found.append((f, sp.S.One))
    return tuple(found)


def product(front: sp.Rational, factors: Sequence[tuple[Terms, sp.Rational]], numbers: Symbols, *more: sp.Expr) -> sp.Expr:
    """front * factors ** exponents * more, in one product: sympy multiplies a number into a sum unasked.

    A sum has a positive number where it has one, but a minus in front is swallowed by a difference, best by one without."""
    contents = [_content(f) for f, _ in factors]
    front = sp.Mul(front, *(c**n for c, (_, n) in zip(contents, factors, strict=True)))
    factors = [(frozenset((m, v / c) for m, v in f), n) for c, (f, n) in zip(contents, factors, strict=True)]
    turned = [_has_negative_number(f) for f, _ in factors]
    minus = bool(front < 0) ^ bool(sum(t for t, (_, k) in zip(turned, factors, strict=True) if k % 2) % 2)
    if minus:
        swallow = [i for i, (f, k) in enumerate(factors) if k % 2 and len(f) > 1 and any(c < 0 for _, c in f) != turned[i]]
        if swallow:
            at = min(swallow, key=lambda i: any(not m for m, _ in factors[i][0]))
            turned[at], minus = not turned[at], False
    done = [write(_negated(f) if t else f, numbers) ** k for t, (f, k) in zip(turned, factors, strict=True)]
    return sp.Mul(-abs(front) if minus else abs(front), *done, *more)


def _has_negative_number(f: Terms) -> bool:
    return len(f) > 1 and any(not m and c < 0 for m, c in f)


def _content(f: Terms) -> sp.Rational:
    """The greatest number that is in all terms; 1 for a single one, whose own it is."""
    if len(f) == 1:
        return sp.S.One
    return sp.Rational(gcd(*(int(c.p) for _, c in f)), lcm(*(int(c.q) for _, c in f)))


def _negated(f: Terms) -> Terms:
    return frozenset((m, -c) for m, c in f)


@lru_cache(maxsize=16384)
def write(terms: Terms, numbers: Symbols) -> sp.Expr:
    """A sum of monomials in the cheapest of the ways in which common factors can be drawn out."""

    def plain(some: Terms) -> sp.Expr:
        return sp.Add(*(sp.Mul(c, *(g**n for g, n in m)) for m, c in some))

    best = plain(terms)
    if len(terms) == 1:
        return best
    found: dict[tuple[sp.Expr, bool], list[sp.Rational]] = {}
    for m, _ in terms:
        for g, n in m:
            found.setdefault((g, bool(n > 0)), []).append(abs(n))
    often = [(g, up) for (g, up), sizes in found.items() if len(sizes) > 1]
    many = sorted(often, key=lambda p: (-len(found[p]), sp.default_sort_key(p[0]), p[1]))
    for g, up in many[: 4 if len(terms) < 8 else 1]:
        sizes = found[g, up]
        for n in sorted({min(sizes), *([max(sizes)] if not up and len(sizes) == len(terms) else [])}):
            power = n if up else -n
            inside, outside = set(), set()
            for m, c in terms:
                own = dict(m).get(g, sp.S.Zero)
                if own != 0 and bool(own > 0) is up:
                    inside.add((merged((*m, (g, -power))), c))
                else:
                    outside.add((m, c))
            drawn = product(sp.S.One, [(frozenset(inside), sp.S.One)], numbers, g**power)
            candidate = drawn + (write(frozenset(outside), numbers) if outside else 0)
            if scalar_cost.better(candidate, best, numbers):
                best = candidate
    return best


def _is_turned(e: sp.Add) -> bool:
    """Would its negative be written rather?  A number is positive; else it does not matter which, as long as it is one."""
    number = next((t for t in e.args if t.is_number), None)
    return bool(number.is_negative) if number is not None else e.could_extract_minus_sign()


def grouped(e: sp.Add, numbers: Symbols = NONE) -> sp.Expr | None:
    """The sum with common factors drawn out, the sums inside its terms taken as they are; None where nothing is common."""
    terms: dict[Monomial, sp.Rational] = {}
    seen: set[sp.Expr] = set()
    common = False
    for t in e.args:
        c, rest = t.as_coeff_Mul()
        powers = []
        for g, n in monomial_of(rest):
            if g.is_Add:
                k, g2 = g.primitive()
                if _is_turned(g2):
                    k, g2 = -k, -g2
                if n.is_Integer:
                    g, c = g2, c * k**n
            common |= g in seen
            powers.append((g, n))
        seen |= {g for g, _ in powers}
        m = tuple(sorted(merged(tuple(powers)), key=lambda p: sp.default_sort_key(p[0])))
        terms[m] = terms.get(m, sp.S.Zero) + c
    left = frozenset((m, c) for m, c in terms.items() if c != 0)
    if not common:
        return None
    return write(left, numbers) if left else sp.S.Zero
