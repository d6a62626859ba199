"""Rules for formulas of linear models: scalars out, transposes in, adjoints composed, sums that are products.

Law of this file: every rule keeps the value (up to the rounding of re-ordered products) and holds for all inputs on
which the node that it replaces is defined.
"""

from __future__ import annotations

import sympy as sp

from .. import build, dtypes, scalar
from ..node import Kind, Node
from ..rewrite import Rewriter, Rule, RuleSet, rule
from ..shapes import product
from .forms import inlined, is_plain, numbers_of

_table: list[Rule] = []


def _split(n: Node) -> tuple[sp.Expr, Node] | None:
    """(c, A) with n = c * A and c a scalar other than 1, for an element-wise n; c is over n's operands."""
    if not is_plain(n) or not n.operands or not n.dtype.is_floating:
        return None
    body, index, space, _ = n.attrs
    scalars = numbers_of(n)
    c, rest = scalar.scalar_factor(body, scalars)
    if c == 1 or rest == 1:
        return None
    return c, build.generic(rest, n.operands, index, space, n.rank, None, n.dtype)


def _scaled(rw: Rewriter, n: Node, c: sp.Expr, source: Node, value: Node) -> Node:
    """c * value in place of n, where c is over the (scalar) operands of `source`.

    Rules look through a scale, so the value counts as read by all that read n."""
    if rw.shared(n):
        rw.hold(value)
    k = len(source.operands)
    at = tuple(range(value.rank))
    return build.generic(
        c * scalar.x(k),
        (*source.operands, value),
        (*((None,) * o.rank for o in source.operands), at),
        value.shape,
        value.rank,
        None,
        value.dtype,
    )


@rule(_table, Kind.GENERIC, "steps that work element by element are one formula")
def compose(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    if reducer not in (None, "sum") or reducer is None and body == scalar.x(0):
        return None
    for k, o in enumerate(n.operands):
        if not is_plain(o) or not _fits(o, n) or rw.shared(o) and not repeatable(o, rw):
            continue
        if scalar.operations(body) + scalar.operations(o.attrs[0]) > scalar.MAX_OPERATIONS:
            continue
        new, operands, through = inlined(body, n.operands, index, k)
        return build.generic(new, operands, through, space, n.rank, reducer, n.dtype)
    return None


def _fits(o: Node, n: Node) -> bool:
    """Is it of n's dtype, or a condition on values of that dtype?"""
    return o.dtype is n.dtype or o.dtype is dtypes.bool and all(p.dtype is n.dtype for p in o.operands)


def repeatable(o: Node, rw: Rewriter) -> bool:
    """c * A for an A that is computed anyway, A itself read along other axes or on a diagonal, an identity: free to repeat,
    unless the user's own graph computes it."""
    if o in rw.forward:
        return o.attrs[0] == scalar.x(0) or not o.operands
    split = _split(o)
    return not o.operands or _is_read(o) or split is not None and (split[1] in o.operands or _is_read(split[1]))


def _is_read(n: Node) -> bool:
    """Is it its operand read along other axes, or on a diagonal, or an identity?"""
    found = scalar.delta(n.attrs[0]) if is_plain(n) else None
    while found and scalar.delta(found[2]):
        found = scalar.delta(found[2])
    return build.is_pure(n) or found is not None and (found[2].is_number or found[2] == scalar.x(0))


@rule(_table, Kind.GENERIC, "a scalar factor of a shared value is left to those who read it")
def scalar_out_of_shared(n: Node, rw: Rewriter) -> Node | None:
    split = _split(n) if rw.shared(n) else None
    if split is None or split[1] in n.operands or _is_read(split[1]):
        return None
    return _scaled(rw, n, split[0], n, split[1])


@rule(_table, Kind.GENERIC, "a common number is written once")
def number_out_of_terms(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    c = scalar.scalar_factor(body, frozenset())[0] if isinstance(body, sp.Add) else sp.S.One
    if c in (1, -1):
        return None
    new = sp.Mul(c, sp.Add(*(t / c for t in body.args)), evaluate=False)
    return build.generic(new, n.operands, index, space, n.rank, reducer, n.dtype)


@rule(_table, Kind.GENERIC, "summing what does not change along an axis multiplies by its length")
def sum_of_constant(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    if reducer != "sum" or not n.dtype.is_floating:
        return None
    walked = {a for ix in index for a in ix} | scalar.label_numbers(body)
    idle = [a for a in range(n.rank, len(space)) if a not in walked]
    if not idle:
        return None
    keep = [a for a in range(len(space)) if a not in idle]
    rename = {a: k for k, a in enumerate(keep)}
    new_body = body.xreplace({scalar.i(a): scalar.i(k) for a, k in rename.items() if a != k}) * product(space[a] for a in idle)
    new_index = tuple(tuple(None if a is None else rename[a] for a in ix) for ix in index)
    new_space = tuple(space[a] for a in keep)
    return build.generic(new_body, n.operands, new_index, new_space, n.rank, "sum" if len(keep) > n.rank else None, n.dtype)


@rule(_table, Kind.GENERIC, "a scalar factor comes out of a sum")
def scalar_out_of_sum(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    if reducer != "sum" or not n.dtype.is_floating:
        return None
    scalars = numbers_of(n)
    c, rest = scalar.scalar_factor(body, scalars)
    if c == 1 or rest == 1:
        return None
    return _scaled(rw, n, c, n, build.generic(rest, n.operands, index, space, n.rank, "sum", n.dtype))


@rule(_table, Kind.GENERIC, "a scalar factor comes out of a transpose")
def scalar_out_of_transpose(n: Node, rw: Rewriter) -> Node | None:
    a = build.is_swap(n)
    split = None if a is None else _split(a)
    if a is None or split is None or a in rw.forward:
        return None
    return _scaled(rw, n, split[0], a, build.swap(split[1]))


@rule(_table, Kind.GENERIC, "(A B)' = B' A'")
def transpose_of_product(n: Node, rw: Rewriter) -> Node | None:
    p = build.is_swap(n)
    if p is None or p.kind is not Kind.MATMUL or rw.shared(p):
        return None
    a, b = p.operands
    return build.matmul(build.swap(b), build.swap(a)) if a.rank == b.rank else None


@rule(_table, Kind.MATMUL, "a scalar factor comes out of a product")
def scalar_out_of_product(n: Node, rw: Rewriter) -> Node | None:
    for k, o in enumerate(n.operands):
        split = _split(o)
        if split is not None and (not rw.shared(o) or repeatable(o, rw)):
            c, rest = split
            a, b = (rest, n.operands[1]) if k == 0 else (n.operands[0], rest)
            return _scaled(rw, n, c, o, build.matmul(a, b))
    return None


@rule(_table, Kind.MATMUL, "a product with zeros is zero")
def zero_product(n: Node, rw: Rewriter) -> Node | None:
    if any(build.is_filled(o) == 0 for o in n.operands):
        return build.filled(0, n.shape, n.dtype)
    return None


LINEAR = RuleSet(tuple(_table))
