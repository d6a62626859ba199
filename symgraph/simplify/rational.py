"""Sums, products and quotients: brought over one denominator, cancelled, factored, and written in the cheapest way.

Law of this file: an expression becomes a fraction over its generators (generators.py), in which all that can cancel has
cancelled.  The fraction is then written over each generator of its kind in turn, so (1 - e^-u)/(1 + e^-u) comes back as
tanh(u/2).  Work is bounded by the number of terms that it would make, never by a clock.
(y/s - (1 - y)/(1 - s) times s(1 - s): 3 ms.)
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import lru_cache
from math import gcd, prod

import sympy as sp
from sympy.polys.fields import FracElement
from sympy.polys.rings import PolyElement

from ..codegen import scalar as fn
from . import scalar_cost
from .generators import Generators
from .scalar_cost import NONE, Symbols, multiple
from .sums import Terms, grouped, merged, product

MAX_TERMS = 160
"""More terms than this over one denominator are not worth waiting for."""
MAX_FACTORED = 30


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


def _first(e: sp.Expr) -> tuple[Form, Generators] | None:
    """The expression over its own generators, where that is worth the work."""
    over = Generators()
    over.scan(e)
    if not over.repeated or not over.settle() or max(over.size(e)) > MAX_TERMS:
        return None
    return Form(tuple(over.generators), over.fraction(e)), over


@lru_cache(maxsize=8192)
def forms(e: sp.Expr, binary: Symbols = NONE) -> list[Form]:
    """The expression as fractions over each choice of generators that is worth writing, the likeliest first."""
    start = _first(e)
    if start is None:
        return []
    first, over = start
    found = [first]
    for k, g in enumerate(first.generators):
        if g.is_number:
            continue
        if isinstance(g, sp.exp) and _reads(first, k):
            found = [n for f in found for n in (f, *_over_others(f, k, over.written[multiple(g.args[0])[1]]))]
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
    yield product(front, factors, numbers)
    sums = [(p, k) for p, k in above if len(p) > 1]
    whole = prod((p**k for p, k in sums), start=numer.ring.one)
    if len(sums) > 1 and len(whole) < sum(len(p) for p, _ in sums):  # 1 - t**2 is less than (1 - t) (1 + t)
        rest = [f for f, (p, _) in zip(factors, (*above, *under), strict=True) if (p, _) not in sums]
        yield product(front, [(_terms(whole, form), 1), *rest], numbers)
    if len(numer) > 1 and any(len(p) == 1 for p, _ in under):  # x/y + z can be less than (x + y z)/y
        shift = tuple((g, -k * n) for p, k in under if len(p) == 1 for m, _ in _terms(p, form) for g, n in m)
        over = frozenset((merged((*m, *shift)), v / _number(d)) for m, v in _terms(numer, form))
        yield product(sp.S.One, [(over, 1), *((_terms(p, form), -k) for p, k in under if len(p) > 1)], numbers)


def _number(c: object) -> sp.Rational:
    return sp.Rational(int(c.numerator), int(c.denominator))  # type: ignore[attr-defined]


@lru_cache(maxsize=4096)
def _factors(p: PolyElement) -> tuple:
    if len(p) == 1:
        return p.LC, [(p.quo_ground(p.LC), 1)]
    return p.factor_list()


def _terms(p: PolyElement, form: Form) -> Terms:
    return frozenset((tuple((form.generators[k], sp.Integer(n)) for k, n in enumerate(m) if n), _number(c)) for m, c in p.iterterms())


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
