"""Sums, products and quotients: brought over one denominator, cancelled, factored, and written in the cheapest way.

Law of this file: an expression is a rational function of generators: symbols, functions that nothing is known about,
one root for each base, and ONE exponential for each |u| whatever it was written as (exp, expm1, sigmoid, tanh, sinh,
cosh), because exp(u), sigmoid(u) and tanh(u/2) are rational functions of each other.  Over generators equal functions
are equal fractions.  A fraction is then written over each generator of its kind in turn, so (1 - e^-u)/(1 + e^-u)
comes back as tanh(u/2).  Work is bounded by the number of terms that it would make, never by a clock.
(y/s - (1 - y)/(1 - s) times s(1 - s): 3 ms.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, lru_cache
from math import comb, gcd, lcm, prod

import sympy as sp
from sympy.polys.fields import FracElement, FracField
from sympy.polys.orderings import lex
from sympy.polys.rings import PolyElement

from ..codegen import scalar as fn
from . import scalar_cost
from .scalar_cost import NONE, Symbols, multiple

MAX_TERMS = 160
"""More terms than this over one denominator are not worth waiting for."""
MAX_FACTORED = 30
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
class Region:
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


# ---------------------------------------------------------------- forms of one fraction
@dataclass(frozen=True)
class Form:
    """A fraction over named generators."""

    generators: tuple[sp.Expr, ...]
    value: FracElement

    def weight(self) -> int:
        """A guess of its cost."""
        return sum(len(p) + sum(max(m) for m in p.itermonoms()) for p in (self.value.numer, self.value.denom))


def _replaced(form: Form, k: int, name: sp.Expr, over: PolyElement, under: PolyElement) -> Form:
    """The form with generator k written over `name`, in whose terms it is over/under."""
    generators = (*form.generators[:k], name, *form.generators[k + 1 :])
    parts, degrees = [], []
    for p in (form.value.numer, form.value.denom):
        powers = _by_power(p, k)
        top = max(powers)
        parts.append(sum((rest * over**n * under ** (top - n) for n, rest in sorted(powers.items())), p.ring.zero))
        degrees.append(top)
    more = degrees[1] - degrees[0]
    numer, denom = parts[0] * under ** max(more, 0), parts[1] * under ** max(-more, 0)
    return Form(generators, form.value.field.new(numer, denom))


def _thinned(form: Form, k: int, many: int) -> Form:
    """The form with exp(many v) instead of exp(v), of which it reads no other power."""
    generators = (*form.generators[:k], form.generators[k] ** many, *form.generators[k + 1 :])
    numer, denom = (
        p.ring.from_dict({(*m[:k], m[k] // many, *m[k + 1 :]): c for m, c in p.iterterms()}) for p in (form.value.numer, form.value.denom)
    )
    return Form(generators, form.value.field.new(numer, denom))


def _by_power(p: PolyElement, k: int) -> dict[int, PolyElement]:
    """The coefficients of the powers of generator k."""
    found: dict[int, dict] = {}
    for m, c in p.iterterms():
        found.setdefault(m[k], {})[(*m[:k], 0, *m[k + 1 :])] = c
    return {power: p.ring.from_dict(terms) for power, terms in found.items()}


def _reads(form: Form, k: int) -> bool:
    return any(m[k] for p in (form.value.numer, form.value.denom) for m in p.itermonoms())


def _first(e: sp.Expr) -> tuple[Form, Region] | None:
    """The expression over its own generators, where that is worth the work."""
    region = Region()
    region.scan(e)
    if not region.repeated or not region.settle() or max(region.size(e)) > MAX_TERMS:
        return None
    return Form(tuple(region.generators), region.fraction(e)), region


@lru_cache(maxsize=8192)
def forms(e: sp.Expr, binary: Symbols = NONE) -> list[Form]:
    """The expression as fractions over each choice of generators that is worth writing, the likeliest first."""
    start = _first(e)
    if start is None:
        return []
    first, region = start
    found = [first]
    for k, g in enumerate(first.generators):
        if g.is_number:
            continue
        if isinstance(g, sp.exp) and _reads(first, k):
            found = [n for f in found for n in (f, *_over_others(f, k, region.written[multiple(g.args[0])[1]]))]
        if isinstance(g, fn.softplus) and _reads(first, k):
            found += [n for f in found for n in _turned(f, k)]
        found += [r for f in found for r in _reduced(f, k, binary)]
        found = sorted(dict.fromkeys(found), key=Form.weight)[:3]
    return found


def _over_others(form: Form, k: int, written: Set[type]) -> Iterator[Form]:
    """An exponential as sigmoid of either sign, as tanh, as the exponential of the other sign.

    What was not `written` with tanh and its kin becomes a tanh, but no polynomial of one; tanh alone stays."""
    many = gcd(*(m[k] for p in (form.value.numer, form.value.denom) for m in p.itermonoms()))
    if many > 1:
        form = _thinned(form, k, many)
    v = form.generators[k].args[0]
    e, one = form.value.field.ring.gens[k], form.value.field.ring.one
    by_tanh = _replaced(form, k, sp.tanh(v / 2), one + e, one - e)
    if written & {sp.tanh, sp.sinh, sp.cosh} or max(m[k] for p in (by_tanh.value.numer, by_tanh.value.denom) for m in p.itermonoms()) <= 1:
        yield by_tanh
    if written == {sp.tanh}:
        return
    yield _replaced(form, k, fn.sigmoid(v), e, one - e)
    yield _replaced(form, k, fn.sigmoid(-v), one - e, e)
    yield _replaced(form, k, sp.exp(-v), one, e)


def _turned(form: Form, k: int) -> Iterator[Form]:
    """softplus(v) as softplus(-v) + v."""
    v = form.generators[k].args[0]
    of = dict(zip(form.generators, form.value.field.ring.gens, strict=True))
    try:
        by = form.value.field.ring.gens[k] + _polynomial(v, of, form.value.field.ring)
    except KeyError:
        return
    yield _replaced(form, k, fn.softplus(-v), by, form.value.field.ring.one)


def _reduced(form: Form, k: int, binary: Symbols) -> Iterator[Form]:
    """With high powers of a root replaced by its base, of a sine by the cosine, of a truth value by itself."""
    g = form.generators[k]
    is_truth = isinstance(g, _TRUTHS) or g in binary
    relation = (2, form.value.field.ring.gens[k]) if is_truth else _relation(form, g)
    if relation is None:
        return
    q, base = relation
    parts = []
    for p in (form.value.numer, form.value.denom):
        powers = _by_power(p, k)
        if max(powers) < q:
            parts.append(p)
            continue
        total = p.ring.zero
        for power, rest in powers.items():
            high, low = (power // q, power % q) if not is_truth else (min(power, 1), 0)
            total = total + rest * base**high * p.ring.gens[k] ** low
        parts.append(total)
    if parts[1] != 0 and parts != [form.value.numer, form.value.denom]:
        yield Form(form.generators, form.value.field.new(parts[0]) / form.value.field.new(parts[1]))


_TRUTHS = (fn.step, fn.lt, fn.le, fn.gt, fn.ge, fn.eq, fn.ne)


def _relation(form: Form, g: sp.Expr) -> tuple[int, PolyElement] | None:
    """(q, p) where g**q is the polynomial p in the generators."""
    ring = form.value.field.ring
    of = dict(zip(form.generators, ring.gens, strict=True))
    if isinstance(g, sp.sin) and sp.cos(*g.args) in of:
        return 2, 1 - of[sp.cos(*g.args)] ** 2
    if isinstance(g, sp.Pow) and g.base.is_Add and g.exp.p == 1 and g.exp.q > 1:
        try:
            return int(g.exp.q), _polynomial(g.base, of, ring)
        except KeyError:
            return None
    return None


def _polynomial(e: sp.Expr, of: dict[sp.Expr, PolyElement], ring: object) -> PolyElement:
    if e in of:
        return of[e]
    if e.is_Rational:
        return ring.one * sp.QQ(int(e.p), int(e.q))  # type: ignore[attr-defined]
    if isinstance(e, sp.Add | sp.Mul):
        total = _polynomial(e.args[0], of, ring)
        for a in e.args[1:]:
            other = _polynomial(a, of, ring)
            total = total + other if isinstance(e, sp.Add) else total * other
        return total
    if isinstance(e, sp.Pow) and e.exp.is_Integer and e.exp > 0:
        return _polynomial(e.base, of, ring) ** int(e.exp)
    raise KeyError(e)


# ---------------------------------------------------------------- writing
Monomial = tuple[tuple[sp.Expr, sp.Rational], ...]
Terms = frozenset[tuple[Monomial, sp.Rational]]


def written(form: Form, numbers: Symbols = NONE, below: int = 10**6) -> Iterator[sp.Expr]:
    """Ways to write a fraction, if one can have no more than `below` applications: a sum that does not factor keeps its
    terms however common factors are drawn out."""
    numer, denom = form.value.numer, form.value.denom
    if len(numer) > MAX_FACTORED or len(denom) > MAX_FACTORED:
        return
    if numer == 0:
        yield sp.S.Zero
        return
    c, above = _factors(numer)
    d, under = _factors(denom)
    read = [g for k, g in enumerate(form.generators) if _reads(form, k)]
    if sum(len(p) - 1 for p, _ in (*above, *under)) + scalar_cost.applications(sp.Tuple(*read), numbers) - 1 > below:
        return
    factors = [(_terms(p, form), k) for p, k in above] + [(_terms(p, form), -k) for p, k in under]
    front = _number(c) / _number(d)
    yield _product(front, factors, numbers)
    sums = [(p, k) for p, k in above if len(p) > 1]
    whole = prod((p**k for p, k in sums), start=numer.ring.one)
    if len(sums) > 1 and len(whole) < sum(len(p) for p, _ in sums):  # 1 - t**2 is less than (1 - t) (1 + t)
        rest = [f for f, (p, _) in zip(factors, (*above, *under), strict=True) if (p, _) not in sums]
        yield _product(front, [(_terms(whole, form), 1), *rest], numbers)
    if len(numer) > 1 and any(len(p) == 1 for p, _ in under):  # x/y + z can be less than (x + y z)/y
        shift = tuple((g, -k * n) for p, k in under if len(p) == 1 for m, _ in _terms(p, form) for g, n in m)
        over = frozenset((_merged((*m, *shift)), v / _number(d)) for m, v in _terms(numer, form))
        yield _product(sp.S.One, [(over, 1), *((_terms(p, form), -k) for p, k in under if len(p) > 1)], numbers)


def _number(c: object) -> sp.Rational:
    return sp.Rational(int(c.numerator), int(c.denominator))  # type: ignore[attr-defined]


@lru_cache(maxsize=4096)
def _factors(p: PolyElement) -> tuple:
    if len(p) == 1:
        return p.LC, [(p.quo_ground(p.LC), 1)]
    return p.factor_list()


def _terms(p: PolyElement, form: Form) -> Terms:
    return frozenset((tuple((form.generators[k], sp.Integer(n)) for k, n in enumerate(m) if n), _number(c)) for m, c in p.iterterms())


def _merged(m: Monomial) -> Monomial:
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


def _product(front: sp.Rational, factors: Sequence[tuple[Terms, sp.Rational]], numbers: Symbols, *more: sp.Expr) -> sp.Expr:
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
    done = [_write(_negated(f) if t else f, numbers) ** k for t, (f, k) in zip(turned, factors, strict=True)]
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
def _write(terms: Terms, numbers: Symbols) -> sp.Expr:
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
                    inside.add((_merged((*m, (g, -power))), c))
                else:
                    outside.add((m, c))
            drawn = _product(sp.S.One, [(frozenset(inside), sp.S.One)], numbers, g**power)
            candidate = drawn + (_write(frozenset(outside), numbers) if outside else 0)
            if scalar_cost.better(candidate, best, numbers):
                best = candidate
    return best


# ---------------------------------------------------------------- sums as they stand
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
        m = tuple(sorted(_merged(tuple(powers)), key=lambda p: sp.default_sort_key(p[0])))
        terms[m] = terms.get(m, sp.S.Zero) + c
    left = frozenset((m, c) for m, c in terms.items() if c != 0)
    if not common:
        return None
    return _write(left, numbers) if left else sp.S.Zero


@lru_cache(maxsize=4096)
def cheapest(e: sp.Expr, numbers: Symbols = NONE) -> sp.Expr:
    """The sum, product or quotient in the cheapest of the ways to write it."""
    best = e
    for new in ([grouped(e, numbers)] if e.is_Add else []) + [new for form in forms(e) for new in written(form, numbers)]:
        if new is not None and scalar_cost.better(new, best, numbers):
            best = new
    return best


@lru_cache(maxsize=8192)
def is_zero(e: sp.Expr) -> bool:
    """Is it 0 for certain?"""
    first = _first(e)
    return e == 0 or first is not None and first[0].value.numer == 0
