"""Rules for sums and what is summed: what does not change along an axis comes out, and known sums are known.

Law of this file: a sum is a generic node whose labels from its rank on are added over.  A rule leaves no more work: what
comes out of a sum is then done once for each sum, not for each term.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..node import Kind, Node
from ..rewrite import Rewriter, Rule, RuleSet, rule
from ..shapes import product
from ..statics import known_size
from .cost import Count
from .forms import Labels, Written, extended, inlined, is_plain, is_sum, labels_of, renamed, tensor, written

_table: list[Rule] = []


def _reduced(n: Node) -> range:
    return range(n.rank, len(n.attrs[2]))


@rule(_table, Kind.GENERIC, "an axis of extent 1 needs no sum")
def sum_of_one(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    if reducer not in ("sum", "prod", "max", "min"):
        return None
    ones = [a for a in _reduced(n) if space[a] == 1]
    if not ones:
        return None
    keep = [a for a in range(len(space)) if a not in ones]
    at: dict[int, int | None] = dict.fromkeys(ones) | {a: k for k, a in enumerate(keep)}
    moved = tuple(tuple(None if a is None else at[a] for a in ix) for ix in index)
    left = reducer if len(keep) > n.rank else None
    return build.generic(renamed(body, at, {}), n.operands, moved, tuple(space[a] for a in keep), n.rank, left, n.dtype)


@rule(_table, Kind.GENERIC, "a factor that does not change along the axes of a sum comes out of it")
def factor_out_of_sum(n: Node, rw: Rewriter) -> Node | None:
    if not is_sum(n):
        return None
    new = _factor_out(n)
    if new is None and n.attrs[0] == scalar.x(0) and is_plain(n.operands[0]):  # what is needed elsewhere too is looked into
        new = _factor_out(_opened(n))
        new = None if new is None else _cleared(new, rw)
        return new if new is not None and rw.gain(n, new) > 0 else None
    return new


def _opened(n: Node) -> Node:
    """The sum of x0 with x0 written out."""
    body, operands, index = inlined(scalar.x(0), n.operands, n.attrs[1], 0)
    return build.generic(body, operands, index, n.attrs[2], n.rank, "sum", n.dtype)


def _cleared(n: Node, rw: Rewriter) -> Node:
    """n with a sum of rows that is known to be 1 put in."""
    for k, o in enumerate(n.operands):
        one = sum_of_row(o, rw) if is_sum(o) else None
        if one is not None:
            return build.rebuild(n, (*n.operands[:k], one, *n.operands[k + 1 :]))
    return n


def _factor_out(n: Node) -> Node | None:
    if not is_sum(n):
        return None
    body, index, space, _ = n.attrs
    inner = set(_reduced(n))
    if isinstance(body, fn.select) and body.args[2] == 0 and not labels_of(body.args[0], index, space) & inner:
        return _taken_out(n, lambda total: fn.select(body.args[0], total, 0), body.args[1])
    factors = sp.Mul.make_args(body)
    idle = [f for f in factors if scalar.operand_numbers(f) and not labels_of(f, index, space) & inner]
    if not idle or len(idle) == len(factors):
        return None
    return _taken_out(n, lambda total: sp.Mul(*idle) * total, sp.Mul(*(f for f in factors if f not in idle)))


def _taken_out(n: Node, outside: Callable[[sp.Expr], sp.Expr], inside: sp.Expr) -> Node:
    """outside(sum of inside)."""
    _, index, space, _ = n.attrs
    total = build.generic(inside, n.operands, index, space, n.rank, "sum", n.dtype)
    moved = tuple(tuple(a if a is not None and a < n.rank else None for a in ix) for ix in index)
    k = len(n.operands)
    return build.generic(outside(scalar.x(k)), (*n.operands, total), (*moved, tuple(range(n.rank))), n.shape, n.rank, None, n.dtype)


@rule(_table, Kind.GENERIC, "the sum of a sum is one sum")
def sum_of_sum(n: Node, rw: Rewriter) -> Node | None:
    if not is_sum(n):
        return None
    body, index, space, _ = n.attrs
    for k, o in enumerate(n.operands):
        c, rest = body.as_independent(scalar.x(k), as_Add=False)
        if not is_sum(o) or rest != scalar.x(k) or rw.shared(o) or o.dtype is not n.dtype:
            continue
        inner, inner_index, inner_space, _ = o.attrs
        at: dict[int, int | None] = dict(enumerate(index[k]))
        at |= {a: len(space) + j for j, a in enumerate(_reduced(o))}
        shift = len(n.operands)
        new = renamed(inner, at, {j: scalar.x(shift + j) for j in range(len(o.operands))})
        through = tuple(tuple(None if a is None else at[a] for a in ix) for ix in inner_index)
        wide = (*space, *(inner_space[a] for a in _reduced(o)))
        return build.generic(c * new, (*n.operands, *o.operands), (*index, *through), wide, n.rank, "sum", n.dtype)
    return None


@rule(_table, Kind.GENERIC, "a term that does not change along the axes of a sum counts once for each step")
def term_out_of_sum(n: Node, rw: Rewriter) -> Node | None:
    if not is_sum(n):
        return None
    body, index, space, _ = n.attrs
    inner = set(_reduced(n))
    terms = sp.Add.make_args(body)
    idle = [t for t in terms if not labels_of(t, index, space) & inner]
    if not idle or len(idle) == len(terms):
        return None
    rest = sp.Add(*(t for t in terms if t not in idle))
    total = build.generic(rest, n.operands, index, space, n.rank, "sum", n.dtype)
    moved = tuple(tuple(a if a is not None and a < n.rank else None for a in ix) for ix in index)
    new = scalar.x(len(n.operands)) + sp.Add(*idle) * product(space[a] for a in sorted(inner))
    return build.generic(new, (*n.operands, total), (*moved, tuple(range(n.rank))), n.shape, n.rank, None, n.dtype)


@rule(_table, Kind.GENERIC, "differences from a mean sum to 0")
def sum_of_centred(n: Node, rw: Rewriter) -> Node | None:
    if not is_sum(n) or len(n.attrs[2]) == n.rank:
        return None
    w = (n.attrs[0], n.operands, n.attrs[1])
    return build.filled(0, n.shape, n.dtype) if _is_centred(w, n.attrs[2], frozenset(_reduced(n)), rw, DEPTH) else None


DEPTH = 4


def _is_centred(w: Written, space: Sequence, inner: frozenset[int], rw: Rewriter, depth: int) -> bool:
    """Is the sum of a body over the labels `inner` 0, because each of its terms is made of differences from means?"""
    body, operands, index = w
    idle = [f for f in sp.Mul.make_args(body) if not labels_of(f, index, space) & inner]
    body = sp.Mul(*(f for f in sp.Mul.make_args(body) if f not in idle))
    if body.is_Symbol and depth and scalar.operand_numbers(body):
        k = next(iter(scalar.operand_numbers(body)))
        o = operands[k]
        if is_plain(o) and o.dtype.is_floating and o.operands:
            return _is_centred(inlined(body, operands, index, k), space, inner, rw, depth - 1)
        if o.kind is Kind.MATMUL and o.rank == 2 and len(inner) == 1:
            sides = [axis for axis, a in enumerate(index[k]) if a in inner]
            part = o.operands[sides[0]]
            own = scalar.x(0), (part,), ((0, 1),)
            return len(sides) == 1 and part.rank == 2 and _is_centred(own, part.shape, frozenset(sides), rw, depth - 1)
    if not isinstance(body, sp.Add) or not scalar.operand_numbers(body):
        return False
    for k, o in enumerate(operands):  # a mean is a sum over a number
        if scalar.x(k) in body.free_symbols and is_plain(o) and not {*index[k]} & inner and _is_scaled_sum(o):
            body, operands, index = inlined(body, operands, index, k)
    still = [t for t in body.args if not labels_of(t, index, space) & inner]
    moving = [t for t in body.args if t not in still]
    if not still:
        return bool(moving) and depth > 0 and all(_is_centred((t, operands, index), space, inner, rw, depth - 1) for t in moving)
    kept = sorted(set(range(len(space))) - inner)
    at: dict[int, int | None] = {a: j for j, a in enumerate([*kept, *sorted(inner)])}
    moved = tuple(tuple(None if a is None else at[a] for a in ix) for ix in index)
    walk = tuple(space[a] for a in (*kept, *sorted(inner)))
    dtype = operands[min(scalar.operand_numbers(body))].dtype
    total = build.generic(renamed(-sp.Add(*moving), at, {}), operands, moved, walk, len(kept), "sum", dtype)
    rest = rw.settled(renamed(sp.Add(*still) * product(space[a] for a in inner), at, {}))
    return Count().equal(total, build.generic(rest, operands, moved, walk[: len(kept)], len(kept), None, dtype))


def _is_scaled_sum(n: Node) -> bool:
    """A sum over a number."""
    return len(n.operands) == 1 and is_sum(n.operands[0]) and not scalar.operand_numbers(n.attrs[0] / scalar.x(0))


@rule(_table, Kind.GENERIC, "the rows of a softmax sum to 1, and so do those that are said to", everywhere=True)
def sum_of_row(n: Node, rw: Rewriter) -> Node | None:
    if not is_sum(n):
        return None
    body, index, space, _ = n.attrs
    for k, o in enumerate(n.operands):
        c, rest = body.as_independent(scalar.x(k), as_Add=False)
        if rest != scalar.x(k):
            continue
        ix = index[k]
        if o.kind is Kind.COMPOSITE and o.attrs[0] == "softmax":
            gone = {ix[a] for a in o.attrs[1]}
        elif o.rank and rw.has(o, "rows_sum_to_one"):
            gone = {ix[-1]}
        else:
            continue
        others = {a for j, jx in enumerate(index) if j != k and scalar.x(j) in c.free_symbols for a in jx} | scalar.label_numbers(c)
        if None in gone or gone & others or not gone <= set(_reduced(n)) or len({*ix}) < len(ix):
            continue
        keep = [a for a in range(len(space)) if a not in gone]
        at: dict[int, int | None] = {a: j for j, a in enumerate(keep)}
        moved = tuple(tuple(None if a is None else at.get(a) for a in jx) for jx in index)
        left = "sum" if len(keep) > n.rank else None
        return build.generic(renamed(c, at, {}), n.operands, moved, tuple(space[a] for a in keep), n.rank, left, n.dtype)
    return None


@rule(_table, Kind.GENERIC, "the root of a sum of squares is a norm", everywhere=True)
def norm(n: Node, rw: Rewriter) -> Node | None:
    if not n.dtype.is_floating:
        return None
    body, operands, index = written(n, _is_scaled_sum)
    n = build.generic(body, operands, index, n.attrs[2], n.rank, n.attrs[3], n.dtype)
    if n.kind is not Kind.GENERIC:
        return None
    body, index, _, _ = n.attrs
    for k, s in enumerate(n.operands):
        if not is_sum(s):
            continue
        squares, nodes, at = written(s, lambda o: _is_square(o.attrs[0]))
        if not _is_square(squares):
            continue
        root, found = scalar.x(len(n.operands)), {}
        for p in body.atoms(sp.Pow):
            c, rest = p.base.as_independent(scalar.x(k), as_Add=False)
            if rest == scalar.x(k) and not scalar.operand_numbers(c) and p.exp.is_Rational:
                found[p] = c**p.exp * root ** (2 * p.exp)
        if all(p.exp.is_Integer for p in found):
            continue
        u, labels = tensor((_root(squares), nodes, at), s.attrs[2], s)
        axes = [j for j, a in enumerate(labels) if a >= s.rank]
        if len(axes) != len(_reduced(s)):
            continue
        new = body.xreplace(found).xreplace({scalar.x(k): root**2})
        read: Labels = tuple(index[k][a] for a in labels if a < s.rank)
        return extended(n, new, [(build.composite("norm", u, axes), read)])
    return None


def _is_square(body: sp.Expr) -> bool:
    return (
        isinstance(body, sp.Pow)
        and body.exp == 2
        or isinstance(body, sp.Mul)
        and all(isinstance(f, sp.Pow) and f.exp == 2 for f in body.args)
    )


def _root(body: sp.Expr) -> sp.Expr:
    return sp.Mul(*(f.base for f in sp.Mul.make_args(body)))


@rule(_table, Kind.GENERIC, "what is made of sizes alone is a number, and equal sizes are one")
def size(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    same = rw.settled(body)
    if same != body:
        return extended(n, same, [])
    casts = [c for c in body.atoms(fn.cast_) if str(c.args[1]).startswith("float") and _is_whole(c.args[0])]
    if casts:
        return build.generic(body.xreplace({c: c.args[0] for c in casts}), n.operands, index, space, n.rank, reducer, n.dtype)
    for k, o in enumerate(n.operands):
        if o.rank == 0 and o.kind in (Kind.RESHAPE, Kind.SLICE) and (value := known_size(o)) is not None:
            return extended(n, body.xreplace({scalar.x(k): sp.sympify(value)}), [])
    return None


def _is_whole(e: sp.Expr) -> bool:
    return not scalar.operand_numbers(e) and not scalar.label_numbers(e) and e.is_integer is True


REDUCTIONS = RuleSet(tuple(_table))
