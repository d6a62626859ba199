"""Rules of matrix algebra: transposes of what is symmetric, factors that cancel, common factors of sums of products.

Law of this file: a product of a chain is taken as its factors from left to right, however it is bracketed; a rule leaves the
brackets of what it does not touch, because they decide what a product costs.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from .. import build, scalar
from ..node import Kind, Node
from ..rewrite import Rewriter, Rule, RuleSet, rule
from .linear import inlined, is_plain

_table: list[Rule] = []


# ---------------------------------------------------------------- transposes
@rule(_table, Kind.GENERIC, "a symmetric matrix is its own transpose")
def transpose_of_symmetric(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    inner = build.is_swap(n)
    if inner is not None:
        return inner if rw.has(inner, "symmetric") else None
    flipped = [
        o.rank >= 2 and None not in ix[-2:] and ix[-2] > ix[-1] and rw.has(o, "symmetric") for o, ix in zip(n.operands, index, strict=True)
    ]
    if not any(flipped):
        return None
    moved = tuple((*ix[:-2], ix[-1], ix[-2]) if flip else ix for flip, ix in zip(flipped, index, strict=True))
    return build.generic(body, n.operands, moved, space, n.rank, reducer, n.dtype)


@rule(_table, Kind.GENERIC, "(A B)' = B' A', where that leaves nothing transposed")
def transpose_of_product_of_symmetric(n: Node, rw: Rewriter) -> Node | None:
    p = build.is_swap(n)
    if p is None or p.kind is not Kind.MATMUL or p.operands[0].rank != p.operands[1].rank:
        return None
    a, b = (o if rw.has(o, "symmetric") else build.is_swap(o) for o in p.operands)
    return None if a is None or b is None else build.matmul(b, a)


@rule(_table, Kind.GENERIC, "the transpose of an inverse is the inverse of the transpose")
def transpose_of_inverse(n: Node, rw: Rewriter) -> Node | None:
    inverse = build.is_swap(n)
    if inverse is None or inverse.kind is not Kind.LINALG or inverse.attrs != ("inverse",):
        return None
    inner = build.is_swap(inverse.operands[0])
    return None if inner is None else build.linalg("inverse", inner)


# ---------------------------------------------------------------- factors that cancel
def is_inverse_of(a: Node, b: Node, rw: Rewriter) -> bool:
    """Is a b the identity?"""
    if build.is_swap(b) is a or build.is_swap(a) is b or a is b and rw.has(a, "symmetric"):
        return rw.has(a, "orthogonal")
    return any(p.kind is Kind.LINALG and p.attrs == ("inverse",) and p.operands[0] is q for p, q in ((a, b), (b, a)))


@rule(_table, Kind.MATMUL, "a matrix and its inverse cancel")
def inverses_cancel(n: Node, rw: Rewriter) -> Node | None:
    a, b = n.operands
    if a.rank != b.rank:
        return None
    if is_inverse_of(a, b, rw):
        eye = scalar.on_diagonal(n.rank - 2, n.rank - 1, sp.S.One)
        return build.generic(eye, (), (), n.shape, n.rank, None, n.dtype)
    if b.kind is Kind.MATMUL and b.operands[0].rank == a.rank and is_inverse_of(a, b.operands[0], rw):
        return b.operands[1]
    if a.kind is Kind.MATMUL and a.operands[1].rank == b.rank and is_inverse_of(a.operands[1], b, rw):
        return a.operands[0]
    if a.kind is b.kind is Kind.MATMUL and is_inverse_of(a.operands[1], b.operands[0], rw):
        return build.matmul(a.operands[0], b.operands[1]) if a.operands[0].rank == b.operands[1].rank else None
    return None


@rule(_table, Kind.LINALG, "the inverse of an inverse, and of an orthogonal matrix")
def inverse_undone(n: Node, rw: Rewriter) -> Node | None:
    if n.attrs != ("inverse",):
        return None
    (a,) = n.operands
    if a.kind is Kind.LINALG and a.attrs == ("inverse",):
        return a.operands[0]
    return build.swap(a) if rw.has(a, "orthogonal") else None


# ---------------------------------------------------------------- sums that are products
@rule(_table, Kind.GENERIC, "the sum over k of A_ik B_kj is a matrix product")
def sum_is_product(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    if reducer != "sum" or len(space) != n.rank + 1:
        return None
    if body == scalar.x(0) and is_plain(n.operands[0]):  # what is summed is written out, also where the user's graph computes it
        body, operands, index = inlined(body, n.operands, index, 0)
        n = build.generic(body, operands, index, space, n.rank, reducer, n.dtype)
        body, index, _, _ = n.attrs
    if not isinstance(body, sp.Mul) or any(o.dtype is not n.dtype for o in n.operands):
        return None
    k = n.rank
    by_label: dict[int | None, list[sp.Expr]] = {}
    for f in body.args:
        labels = {a for j in scalar.operand_numbers(f) for a in index[j] if a is not None and space[a] != 1} - {k}
        if len(labels) > 1 or scalar.label_numbers(f):
            return None
        by_label.setdefault(next(iter(labels), None), []).append(f)
    alone = by_label.pop(None, [])
    if len(by_label) + bool(alone) < 2 or len(by_label) > 2 or not by_label:
        return None
    p, q = (*sorted(by_label), None)[:2]  # type: ignore[type-var]
    assert p is not None
    left, right = by_label[p], (by_label[q] if q is not None else []) + alone
    if not all(any(k in index[j] for f in side for j in scalar.operand_numbers(f)) for side in (left, right)):
        return None
    product = build.matmul(_matrix(n, left, (p, k)), _matrix(n, right, (k, q)))
    if q is None and n.rank == 2 and n.shape[1 - p] == 1:
        q = 1 - p
    return build.generic(scalar.x(0), (product,), ((p, q),), n.shape, n.rank, None, n.dtype)


def _matrix(n: Node, factors: Sequence[sp.Expr], labels: tuple[int | None, int | None]) -> Node:
    """The product of some factors of n's body as a matrix over two of its labels, a column or a row where one is None."""
    _, index, space, _ = n.attrs
    at = {a: axis for axis, a in enumerate(labels) if a is not None}
    moved = tuple(tuple(None if a is None else at.get(a) for a in ix) for ix in index)
    shape = tuple(1 if a is None else space[a] for a in labels)
    return build.generic(sp.Mul(*factors), n.operands, moved, shape, 2, None, n.dtype)


# ---------------------------------------------------------------- sums of products
Term = tuple[sp.Expr, Node, Node]
"""c, A and B of a term c A B, where c is over the scalar operands of the sum."""


def _factors(o: Node, flipped: bool, rw: Rewriter) -> tuple[Node, Node] | None:
    """A and B, if what is read is A B; a transpose is looked through."""
    p = build.is_swap(o)
    if p is not None:
        o, flipped = p, not flipped
    if o.kind is not Kind.MATMUL or any(f.rank != o.rank for f in o.operands):
        return None
    a, b = o.operands
    return (_transposed(b, rw), _transposed(a, rw)) if flipped else (a, b)


def _transposed(n: Node, rw: Rewriter) -> Node:
    return n if rw.has(n, "symmetric") else build.swap(n)


def _terms(n: Node, rw: Rewriter) -> tuple[list[Term], list[sp.Expr]] | None:
    """The terms of an element-wise sum that are scaled matrix products over its own axes, and the other terms."""
    body, index, space, _ = n.attrs
    if not is_plain(n) or not isinstance(body, sp.Add) or n.rank < 2 or not n.dtype.is_floating:
        return None
    own = tuple(range(n.rank))
    turned = (*own[:-2], own[-1], own[-2])
    products: dict[int, tuple[Node, Node]] = {}
    for k, (o, ix) in enumerate(zip(n.operands, index, strict=True)):
        if ix in (own, turned) and o.rank == n.rank and tuple(o.shape[axis] for axis in ix) == tuple(space):
            factors = _factors(o, ix == turned, rw)
            if factors is not None:
                products[k] = factors
    scalars = frozenset(k for k, o in enumerate(n.operands) if o.shape == ())
    found: list[Term] = []
    rest: list[sp.Expr] = []
    for t in body.args:
        c, factor = scalar.scalar_factor(t, scalars)
        k = next((k for k in products if factor == scalar.x(k)), None)
        if k is None:
            rest.append(t)
        else:
            found.append((c, *products[k]))
    return found, rest


@rule(_table, Kind.GENERIC, "a common factor of products is multiplied once: A B + A C = A (B + C)")
def common_factor_of_products(n: Node, rw: Rewriter) -> Node | None:
    split = _terms(n, rw)
    if split is None or len(split[0]) < 2:
        return None
    terms, rest = split
    terms.sort(key=lambda t: (t[1].serial, t[2].serial))
    for side in (1, 2):
        for first in terms:
            alike = [t for t in terms if t[side] is first[side]]
            others = [t[3 - side] for t in alike]
            if len(alike) < 2 or any(o.shape != others[0].shape for o in others):
                continue
            joint = _combined(n, [t[0] for t in alike], others)
            product = build.matmul(first[1], joint) if side == 1 else build.matmul(joint, first[2])
            left = [t for t in terms if t not in alike]
            return _sum(n, rest, left, product)
    return None


def _combined(n: Node, scales: Sequence[sp.Expr], nodes: Sequence[Node]) -> Node:
    """The sum of the nodes, each times its scale, which is over the operands of n."""
    shape, k = nodes[0].shape, len(n.operands)
    body = sp.Add(*(c * scalar.x(k + j) for j, c in enumerate(scales)))
    own = tuple(range(len(shape)))
    index = (*((() if o.shape == () else own) for o in n.operands), *(own for _ in nodes))
    return build.generic(body, (*n.operands, *nodes), index, shape, len(shape), None, n.dtype)


def _sum(n: Node, rest: Sequence[sp.Expr], left: Sequence[Term], product: Node) -> Node:
    """n with some of its terms gathered into one product."""
    _, index, space, _ = n.attrs
    k, own = len(n.operands), tuple(range(n.rank))
    made = [product, *(build.matmul(a, b) for _, a, b in left)]
    body = sp.Add(*rest, scalar.x(k), *(c * scalar.x(k + 1 + j) for j, (c, _, _) in enumerate(left)))
    return build.generic(body, (*n.operands, *made), (*index, *(own for _ in made)), space, n.rank, None, n.dtype)


MATRICES = RuleSet(tuple(_table))
