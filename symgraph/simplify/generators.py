"""The generators of an expression: of which few things it is a rational function.

Law of this file: generators are symbols, functions that nothing is known about, one root for each base, and ONE
exponential for each |u| whatever it was written as (exp, expm1, sigmoid, tanh, sinh, cosh), because exp(u), sigmoid(u) and
tanh(u/2) are rational functions of each other; one softplus for u and -u, which differ by u; and of powers of one base
whose exponents differ by whole numbers, one.  Over generators equal functions are equal fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from math import comb, gcd, lcm

import sympy as sp
from sympy.polys.fields import FracElement, FracField
from sympy.polys.orderings import lex

from ..codegen import scalar as fn
from .scalar_cost import multiple

MAX_GENERATORS = 12

_EXPONENTIAL: dict[type, tuple[int, Callable]] = {
    sp.exp: (1, lambda e: e),
    fn.expm1: (1, lambda e: e - 1),
    fn.sigmoid: (1, lambda e: e / (1 + e)),
    sp.tanh: (2, lambda e: (e - 1) / (e + 1)),
    sp.sinh: (1, lambda e: (e - 1 / e) / 2),
    sp.cosh: (1, lambda e: (e + 1 / e) / 2),
}
"""function of v: (m, r) where it is r(exp(m v))."""


@cache
def _field(count: int) -> FracField:
    return FracField([f"g{k}" for k in range(count)], sp.QQ, lex)


@dataclass
class Generators:
    """The generators of an expression, and the expression over them."""

    atoms: set[sp.Expr] = field(default_factory=set)
    roots: dict[sp.Expr, int] = field(default_factory=dict)
    exponents: dict[sp.Expr, list[sp.Rational]] = field(default_factory=dict)
    written: dict[sp.Expr, set[type]] = field(default_factory=dict)
    powers: dict[sp.Expr, list[sp.Expr]] = field(default_factory=dict)
    repeated: bool = False
    """Does a generator appear twice?  Where none does there is little to gain."""
    _memo: dict[sp.Expr, FracElement] = field(default_factory=dict)

    def scan(self, e: sp.Expr) -> None:
        if e.is_Rational:
            return
        if isinstance(e, sp.Add | sp.Mul):
            if e.is_Add and any(a.is_number for a in e.args) and any(isinstance(a.as_coeff_Mul()[1], sp.exp) for a in e.args):
                self.repeated = True  # 1 + exp u can be part of a sigmoid
            for a in e.args:
                self.scan(a)
        elif e.is_number:
            self.atoms.add(e)
        elif isinstance(e, sp.Pow) and e.exp.is_Integer:
            self.scan(e.base)
        elif isinstance(e, sp.Pow) and e.exp.is_Rational:
            self.repeated |= e.base in self.roots or e.base in self.atoms
            self.roots[e.base] = lcm(self.roots.get(e.base, 1), int(e.exp.q))
            self.scan(e.base)
        elif type(e) in _EXPONENTIAL and e.free_symbols:
            c, w = multiple(e.args[0])
            self.repeated |= w in self.exponents or not isinstance(e, sp.exp)
            self.exponents.setdefault(w, []).append(c * _EXPONENTIAL[type(e)][0])
            self.written.setdefault(w, set()).add(type(e))
        elif isinstance(e, fn.power):
            self.repeated |= e.args[0] in self.powers
            self.powers.setdefault(e.args[0], []).append(e.args[1])
            self.scan(e.args[0])
        elif isinstance(e, fn.softplus):
            c, w = multiple(e.args[0])
            self.repeated |= c < 0 or e in self.atoms
            self.atoms.add(fn.softplus(abs(c) * w))
            self.scan(w)
        else:
            self.repeated |= e in self.atoms or e in self.roots
            self.atoms.add(e)

    def _generators(self) -> list[sp.Expr]:
        """The expressions that the generators stand for, in an order that depends on them alone."""
        found = {b ** sp.Rational(1, q) for b, q in self.roots.items()} | (self.atoms - set(self.roots))
        found |= {sp.exp(self.unit(w) * w) for w in self.exponents}
        found |= {fn.power(b, p) for b in self.powers for p in self.bases_of(b)}
        return sorted(found, key=sp.default_sort_key)

    def unit(self, w: sp.Expr) -> sp.Rational:
        """The greatest g of which all exponents over w are whole multiples."""
        cs = self.exponents[w]
        q = lcm(*(int(c.q) for c in cs))
        return sp.Rational(gcd(*(int(c * q) for c in cs)), q)

    def bases_of(self, b: sp.Expr) -> list[sp.Expr]:
        """Of exponents that differ by whole numbers, the least (at which a power of 0 is infinite already)."""
        least: list[sp.Expr] = []
        for p in sorted(self.powers[b], key=sp.default_sort_key):
            for k, q in enumerate(least):
                if (p - q).is_Integer:
                    least[k] = p if (p - q).is_negative else q
                    break
            else:
                least.append(p)
        return least

    def settle(self) -> bool:
        """Fix the generators; False where there are too many."""
        self.generators = self._generators()
        if len(self.generators) > MAX_GENERATORS:
            return False
        if self.generators:
            self.of = dict(zip(self.generators, _field(len(self.generators)).gens, strict=True))
        return bool(self.generators)

    def size(self, e: sp.Expr) -> tuple[int, int]:
        """A bound of the terms above and below the line."""
        if isinstance(e, sp.Add):
            sizes = [self.size(a) for a in e.args]
            below = _count(d for _, d in sizes)
            return min(sum(n * below // d for n, d in sizes), 10**6), min(below, 10**6)
        if isinstance(e, sp.Mul):
            sizes = [self.size(a) for a in e.args]
            return min(_count(n for n, _ in sizes), 10**6), min(_count(d for _, d in sizes), 10**6)
        if isinstance(e, sp.Pow) and e.exp.is_Integer:
            k = abs(int(e.exp))
            n, d = (comb(min(s + k - 1, 2000), min(k, 40)) for s in self.size(e.base))
            return (min(n, 10**6), min(d, 10**6)) if e.exp > 0 else (min(d, 10**6), min(n, 10**6))
        if type(e) in _EXPONENTIAL:
            return (1, 1) if isinstance(e, sp.exp) else (2, 2)
        return 1, 1

    def fraction(self, e: sp.Expr) -> FracElement:
        memo = self._memo
        if e not in memo:
            memo[e] = self._fraction(e)
        return memo[e]

    def _fraction(self, e: sp.Expr) -> FracElement:
        if e in self.of:
            return self.of[e]
        if e.is_Rational:
            return _field(len(self.generators)).one * sp.QQ(int(e.p), int(e.q))
        if isinstance(e, sp.Add):
            total = self.fraction(e.args[0])
            for a in e.args[1:]:
                total = total + self.fraction(a)
            return total
        if isinstance(e, sp.Mul):
            total = self.fraction(e.args[0])
            for a in e.args[1:]:
                total = total * self.fraction(a)
            return total
        if e in self.roots:
            return self.of[e ** sp.Rational(1, self.roots[e])] ** self.roots[e]
        if isinstance(e, sp.Pow):
            if e.exp.is_Integer:
                return self.fraction(e.base) ** int(e.exp)
            q = self.roots[e.base]
            return self.of[e.base ** sp.Rational(1, q)] ** int(e.exp * q)
        if isinstance(e, fn.power):
            b, p = e.args
            base = next(q for q in self.bases_of(b) if (p - q).is_Integer)
            return self.of[fn.power(b, base)] * self.fraction(b) ** int(p - base)
        if isinstance(e, fn.softplus):
            return self.of[fn.softplus(-e.args[0])] + self.fraction(e.args[0])
        m, rational = _EXPONENTIAL[type(e)]
        c, w = multiple(e.args[0])
        g = self.unit(w)
        return rational(self.of[sp.exp(g * w)] ** int(c * m / g))


def _count(numbers: Iterator[int]) -> int:
    out = 1
    for n in numbers:
        out *= max(n, 1)
    return out
