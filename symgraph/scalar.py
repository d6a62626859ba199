"""Bodies: the element-wise mathematics inside a node, as ordinary commutative sympy.

Law of this file: a body is a sympy expression over x0, x1, ... (the operands), i0, i1, ... (the position along each
label) and size symbols.  Value-changing simplification is what sympy does unasked on real symbols (0*x is 0, x/x is 1,
log(exp(x)) is x, sums of equal terms collect); nothing else is done here.  Numbers enter exactly: a float that is no
small fraction stays a named constant outside the body (see `exact`).
Derivatives are a memoised forward sweep over the body's own nodes, with the rule of each function from its `fdiff`:
sympy's own `diff` walks a shared expression as a tree (measured: 69 s on an 18-level shared chain, 1 ms here).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache, lru_cache

import numpy as np
import sympy as sp

from .codegen import scalar as fn

MAX_OPERATIONS = 40
"""A body is cut at an atom past this many operations: sympy's cost grows faster than a body's size."""


@cache
def x(k: int) -> sp.Symbol:
    """The symbol of operand k."""
    return sp.Symbol(f"x{k}", real=True)


@cache
def i(k: int) -> sp.Symbol:
    """The position along label k, counted from 0."""
    return sp.Symbol(f"i{k}", integer=True, nonnegative=True)


_own = {sp.Abs: fn.absolute, sp.sign: fn.sgn, sp.floor: fn.floor_, sp.ceiling: fn.ceil_}


@lru_cache(maxsize=8192)
def canonical(body: sp.Expr) -> sp.Expr:
    """The body with sympy's functions of kinks replaced by ours (sqrt(x**2) makes an Abs unasked), and positions that are
    compared in the order of their labels."""
    body = sp.sympify(body)
    for theirs, ours in _own.items():
        if body.has(theirs):
            sizes = body.atoms(theirs) if theirs in (sp.floor, sp.ceiling) else ()
            if not sizes or any(operand_numbers(s) for s in sizes):
                body = body.replace(theirs, ours)
    turned = {e: fn.eq(*e.args[::-1]) for e in body.atoms(fn.eq) if _label(e.args[0]) > _label(e.args[1]) >= 0}
    return body.xreplace(turned) if turned else body


def _label(e: sp.Basic) -> int:
    """The label whose position this symbol is, or -1."""
    return next(iter(label_numbers(e))) if e.is_Symbol and label_numbers(e) else -1


@lru_cache(maxsize=4096)
def operand_numbers(body: sp.Expr) -> frozenset[int]:
    """Which operands the body reads."""
    return frozenset(int(s.name[1:]) for s in body.free_symbols if s.name[0] == "x" and s.name[1:].isdigit() and s == x(int(s.name[1:])))


@lru_cache(maxsize=4096)
def label_numbers(body: sp.Expr) -> frozenset[int]:
    """Which labels' positions the body reads."""
    return frozenset(int(s.name[1:]) for s in body.free_symbols if s.name[0] == "i" and s.name[1:].isdigit() and s == i(int(s.name[1:])))


@lru_cache(maxsize=4096)
def sizes(body: sp.Expr) -> frozenset[sp.Symbol]:
    """The size symbols in the body: what is neither an operand nor a position, nor names a dtype."""
    own = {x(k) for k in operand_numbers(body)} | {i(k) for k in label_numbers(body)}
    return frozenset(s for s in body.free_symbols if s not in own and s.is_integer)


def exact(value: object) -> sp.Rational | None:
    """The number as a rational when it is exactly a small one (2, -1, 0.5, 0.375), else None."""
    v = np.asarray(value)
    if v.shape != () or v.dtype.kind not in "biuf" or not np.isfinite(v):
        return None
    if v.dtype.kind == "f" and v == 0 and np.signbit(v):
        return None
    f = Fraction(v.item())
    if f.denominator <= 4096 and abs(f.numerator) <= 2**20:
        return sp.Rational(f.numerator, f.denominator)
    return None


@lru_cache(maxsize=4096)
def operations(body: sp.Expr) -> int:
    """How many operations the body has, for the cut."""
    return int(body.count_ops())


@lru_cache(maxsize=4096)
def derivative(body: sp.Expr, k: int) -> sp.Expr:
    """d body / d x_k."""
    wrt = x(k)
    d: dict[sp.Basic, sp.Expr] = {wrt: sp.S.One}
    stack: list[sp.Basic] = [body]
    while stack:
        e = stack[-1]
        if e in d:
            stack.pop()
            continue
        if not e.args or wrt not in e.free_symbols:
            d[e] = sp.S.Zero
            continue
        todo = [a for a in e.args if a not in d]
        if todo:
            stack.extend(todo)
            continue
        d[e] = _step(e, d)
    return canonical(d[body])


def _step(e: sp.Basic, d: dict[sp.Basic, sp.Expr]) -> sp.Expr:
    """The derivative of one expression from those of its arguments."""
    if isinstance(e, sp.Add):
        return sp.Add(*(d[a] for a in e.args))
    if isinstance(e, sp.Mul):
        return sp.Add(*(times(d[a], sp.Mul(*(b for b in e.args if b is not a))) for a in e.args if d[a] != 0))
    if isinstance(e, sp.Pow):
        base, exponent = e.args
        if d[exponent] == 0:
            return exponent * base ** (exponent - 1) * d[base]
        if base is sp.S.Exp1:
            return e * d[exponent]
        return e * (d[exponent] * sp.log(base) + exponent * d[base] / base)
    if isinstance(e, fn.select):
        return fn.select(e.args[0], d[e.args[1]], d[e.args[2]])
    total = sp.S.Zero
    for position, a in enumerate(e.args, 1):
        if d[a] != 0:
            total += times(d[a], _partial(e, position))
    return total


def _partial(e: sp.Basic, position: int) -> sp.Expr:
    if isinstance(e, sp.exp):
        return e
    if isinstance(e, sp.tanh):
        return 1 - e**2
    if isinstance(e, sp.Function):
        return e.fdiff(position)
    raise NotImplementedError(f"no derivative for the scalar function {type(e).__name__}")


def times(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """a * b, with the product moved inside a `select` that has a zero branch: where(c, g, 0), never g * where(c, 1, 0),
    so that an infinite g on the other branch does not make a nan."""
    for p, q in ((a, b), (b, a)):
        if isinstance(p, fn.select) and (p.args[1] == 0 or p.args[2] == 0):
            c, u, v = p.args
            return fn.select(c, times(u, q) if u != 0 else u, times(v, q) if v != 0 else v)
    return a * b


# ---------------------------------------------------------------- deltas
@lru_cache(maxsize=4096)
def delta(body: sp.Expr) -> tuple[int, int, sp.Expr] | None:
    """(a, b, u), a < b, of a body that is u where the positions along labels a and b are equal, and 0 elsewhere."""
    factors = sp.Mul.make_args(body)
    found = [(*sorted(pair), f) for f in factors if (pair := _equated(f))]
    if not found:
        return None
    a, b, f = min(found, key=lambda p: p[:2])
    return a, b, times(f.args[1], sp.Mul(*(g for g in factors if g is not f)))


def _equated(f: sp.Expr) -> frozenset[int]:
    """The two labels of a factor that is 0 unless the positions along them are equal."""
    if not isinstance(f, fn.select) or f.args[2] != 0 or not isinstance(f.args[0], fn.eq):
        return frozenset()
    labels = label_numbers(f.args[0])
    return labels if len(labels) == 2 and all(p.is_Symbol for p in f.args[0].args) else frozenset()


def on_diagonal(a: int, b: int, u: sp.Expr) -> sp.Expr:
    """The body that is u where the positions along labels a and b are equal, and 0 elsewhere."""
    return fn.select(fn.eq(i(min(a, b)), i(max(a, b))), u, 0)


# ---------------------------------------------------------------- factors
@lru_cache(maxsize=4096)
def scalar_factor(body: sp.Expr, movable: frozenset[int]) -> tuple[sp.Expr, sp.Expr]:
    """body = c * rest, where c holds the numbers, sizes and those operands whose number is in `movable`."""
    c, rest = [], []
    for f in sp.Mul.make_args(sp.factor_terms(body) if isinstance(body, sp.Add) else body):
        free = operand_numbers(f) <= movable and not label_numbers(f)
        (c if free else rest).append(f)
    return sp.Mul(*c), sp.Mul(*rest)
