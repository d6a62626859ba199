"""Rules for Kronecker deltas, and for matrices whose axes go by other labels: what is left of a batch of unit vectors.

Law of this file: a delta is the factor select(i_a = i_b, u, 0) of an element-wise body, for two labels of equal extent.
A Jacobian is a product with a batch of unit vectors, so deltas end in one of three ways: a sum over one of their labels
takes the other in its place, what is left on the diagonal stays, and a product in which the batch is an axis of one side
only is a product of two matrices.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..node import Kind, Node
from ..rewrite import Rewriter, Rule, RuleSet, rule
from ..shapes import Extent, Shape, wide_axes
from .forms import inlined, is_plain
from .linear import repeatable

_table: list[Rule] = []
Labels = tuple[int | None, ...]


def identity(n: Node) -> Node:
    """All unit tensors of n's shape, one behind the other: n's axes but those of extent 1, then n's axes."""
    wide = wide_axes(n.shape)
    body: sp.Expr = sp.S.One
    for k, a in reversed(list(enumerate(wide))):
        body = scalar.on_diagonal(k, len(wide) + a, body)
    return build.generic(body, (), (), (*(n.shape[a] for a in wide), *n.shape), len(wide) + n.rank, None, n.dtype)


def relabel(n: Node, labels: Labels, space: Shape) -> Node:
    """n with its axes at these labels of `space`."""
    return build.generic(scalar.x(0), (n,), (labels,), space, len(space), None, n.dtype)


def _merged(n: Node, a: int, b: int, u: sp.Expr) -> Node:
    """The generic node with body u and label b read as label a < b."""
    _, index, space, reducer = n.attrs
    at = {label: label - (label > b) for label in range(len(space))} | {b: a}
    body = u.xreplace({scalar.i(p): scalar.i(q) for p, q in at.items() if p != q})
    moved = tuple(tuple(None if p is None else at[p] for p in ix) for ix in index)
    rank = n.rank - (b < n.rank)
    return build.generic(body, n.operands, moved, (*space[:b], *space[b + 1 :]), rank, reducer if len(space) - 1 > rank else None, n.dtype)


# ---------------------------------------------------------------- element by element, and sums
@rule(_table, Kind.GENERIC, "which positions are equal is asked where it matters")
def positions_inside(n: Node, rw: Rewriter) -> Node | None:
    """A condition of positions alone, which a sweep leaves as a node of its own."""
    body, index, space, reducer = n.attrs
    for k, o in enumerate(n.operands):
        if is_plain(o) and not o.operands and isinstance(o.attrs[0], fn.eq):
            new, operands, through = inlined(body, n.operands, index, k)
            return build.generic(new, operands, through, space, n.rank, reducer, n.dtype)
    return None


@rule(_table, Kind.GENERIC, "a sum over a delta leaves the term at which it is 1")
def contract(n: Node, rw: Rewriter) -> Node | None:
    body, _, space, reducer = n.attrs
    found = scalar.delta(body) if reducer == "sum" else None
    if found is None or found[1] < n.rank or space[found[0]] != space[found[1]]:
        return None
    return _merged(n, *found)


@rule(_table, Kind.GENERIC, "a delta between axes that are kept comes out of a sum")
def delta_out_of_sum(n: Node, rw: Rewriter) -> Node | None:
    body, _, space, reducer = n.attrs
    found = scalar.delta(body) if reducer == "sum" else None
    if found is None or found[1] >= n.rank or space[found[0]] != space[found[1]]:
        return None
    a, b, _ = found
    inner = _merged(n, *found)
    if rw.shared(n):
        rw.hold(inner)
    kept = tuple(label for label in range(n.rank) if label != b)
    return build.generic(scalar.on_diagonal(a, b, scalar.x(0)), (inner,), (kept,), n.shape, n.rank, None, n.dtype)


@rule(_table, Kind.GENERIC, "where two positions are equal, either can be read: the diagonal is written once")
def gather_diagonal(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    found = scalar.delta(body) if reducer is None else None
    if found is None or space[found[0]] != space[found[1]]:
        return None
    a, b, u = found
    c, rest = scalar.scalar_factor(u.xreplace({scalar.i(b): scalar.i(a)}), frozenset(k for k, o in enumerate(n.operands) if o.shape == ()))
    new = c * scalar.on_diagonal(a, b, rest)
    moved = tuple(tuple(a if label == b else label for label in ix) for ix in index)
    return None if (new, moved) == (body, index) else build.generic(new, n.operands, moved, space, n.rank, None, n.dtype)


@rule(_table, Kind.GENERIC, "axes are given their labels where they are read")
def relabelled(n: Node, rw: Rewriter) -> Node | None:
    o = n.operands[0] if build.is_pure(n) else n
    if o is n or not is_plain(o) or o.dtype is not n.dtype or rw.shared(o) and not repeatable(o, rw):
        return None
    body, operands, index = inlined(n.attrs[0], n.operands, n.attrs[1], 0)
    new = build.generic(body, operands, index, n.shape, n.rank, None, n.dtype)
    return None if build.is_swap(n) is not None and _turned(new) > _turned(o) else new


def _turned(n: Node) -> int:
    """How many operands are read by columns."""
    return sum(len(ix) == 2 and ix[0] != 0 for ix in n.attrs[1])


# ---------------------------------------------------------------- products
@rule(_table, Kind.MATMUL, "a product with unit vectors is a choice, one over a batch on one side is a product of two matrices")
def one_sided_product(n: Node, rw: Rewriter) -> Node | None:
    i, j, k = n.rank - 2, n.rank - 1, n.rank
    left, right = n.operands
    pairs: list[tuple[int, int]] = []
    sides = [_read(left, _axes(left, n, (i, k)), pairs), _read(right, _axes(right, n, (k, j)), pairs)]
    if n.rank == 2 and not pairs:
        return None
    chosen = next((p for p in pairs if k in p), None)
    if chosen is not None:
        pairs.remove(chosen)
        (other,) = {*chosen} - {k}
        sides = [(o, tuple(other if label == k else label for label in labels)) for o, labels in sides]
        pairs = [(other if p == k else p, other if q == k else q) for p, q in pairs]
        if any(_extent(o, labels, other) not in (None, n.shape[other]) for o, labels in sides):
            return None
        body = scalar.x(0) * scalar.x(1)
        for p, q in pairs:
            body = scalar.on_diagonal(p, q, body)
        return build.generic(body, [o for o, _ in sides], tuple(labels for _, labels in sides), n.shape, n.rank, None, n.dtype)
    made = _two_matrices(n, sides, k)
    if made is None:
        return None
    product, labels = made
    body = scalar.x(0)
    for p, q in pairs:
        body = scalar.on_diagonal(p, q, body)
    if rw.shared(n):
        rw.hold(product)
    return build.generic(body, (product,), (labels,), n.shape, n.rank, None, n.dtype)


@rule(_table, Kind.MATMUL, "a 1 x 1 matrix is a number")
def one_by_one(n: Node, rw: Rewriter) -> Node | None:
    left, right = n.operands
    if n.rank != 2 or (1, 1) not in (left.shape, right.shape) or left.shape[1] != 1 or right.shape[0] != 1:
        return None
    number, other = (left, right) if left.shape == (1, 1) else (right, left)
    return build.generic(scalar.x(0) * scalar.x(1), (number, other), ((None, None), (0, 1)), n.shape, 2, None, n.dtype)


Side = tuple[Node, Labels]


def _axes(o: Node, n: Node, last: tuple[int, int]) -> Labels:
    """The labels of a product's operand; a batch axis of extent 1 is repeated."""
    batch = range(n.rank - o.rank, n.rank - 2)
    return (*(None if d == 1 else a for a, d in zip(batch, o.shape, strict=False)), *last)


def _read(o: Node, labels: Labels, pairs: list[tuple[int, int]]) -> Side:
    """What is read at which labels, through nodes that only re-label; deltas are taken off and added to `pairs`."""
    while o.kind is Kind.GENERIC and o.attrs[3] is None:
        found = scalar.delta(o.attrs[0])
        if found is not None and o.shape[found[0]] == o.shape[found[1]]:
            a, b, u = found
            p, q = labels[a], labels[b]
            if p is None or q is None:
                break
            pairs.append((p, q))
            o, labels = _merged(o, a, b, u), (*labels[:b], *labels[b + 1 :])
        elif build.is_pure(o) and o.dtype is o.operands[0].dtype:
            labels = tuple(None if a is None else labels[a] for a in o.attrs[1][0])
            o = o.operands[0]
        else:
            break
    return o, tuple(None if d == 1 else label for d, label in zip(o.shape, labels, strict=True))


def _extent(o: Node, labels: Labels, label: int) -> Extent | None:
    return next((d for d, a in zip(o.shape, labels, strict=True) if a == label), None)


def _two_matrices(n: Node, sides: Sequence[Side], k: int) -> tuple[Node, Labels] | None:
    """The product of two matrices and the labels of its axes, if each side has at most one label beside k, and not the same."""
    own: list[int | None] = []
    for _, labels in sides:
        rest = [a for a in labels if a not in (None, k)]
        if labels.count(k) > 1 or len(rest) > 1:
            return None
        own.append(rest[0] if rest else None)
    if own[0] == own[1] is not None or all(k not in labels for _, labels in sides):
        return None
    inner = next(d for o, labels in sides for d in [_extent(o, labels, k)] if d is not None)
    # the axes of the product in the order of n's; a vector comes last, as a column
    (first, p), (second, q) = sorted(zip(sides, own, strict=True), key=lambda s: (s[1] is None, s[1]))
    a = relabel(first[0], tuple(None if x is None else int(x == k) for x in first[1]), (1 if p is None else n.shape[p], inner))
    b = relabel(second[0], tuple(None if x is None else int(x != k) for x in second[1]), (inner, 1 if q is None else n.shape[q]))
    return build.matmul(a, b), (p, q)


@rule(_table, Kind.GENERIC, "a product that is read by columns is the transposed product")
def read_transposed(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    if reducer is not None or build.is_swap(n) is not None:
        return None
    for m, (o, ix) in enumerate(zip(n.operands, index, strict=True)):
        if o.kind is not Kind.MATMUL or o.rank != 2 or o in rw.forward or rw.shared(o) or None in ix or not ix[0] > ix[1]:
            continue
        a, b = o.operands
        new = build.matmul(build.swap(b), build.swap(a))
        operands = (*n.operands[:m], new, *n.operands[m + 1 :])
        return build.generic(body, operands, (*index[:m], ix[::-1], *index[m + 1 :]), space, n.rank, None, n.dtype)
    return None


DELTAS = RuleSet(tuple(_table))
