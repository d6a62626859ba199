"""Rules of matrix algebra: transposes, inverses, symmetric and orthogonal factors, products with a common factor.

Law of this file: a chain is a product of factors, each perhaps transposed or inverted.  Factors that undo each other
vanish; what is left is multiplied in the order in which it was, so no product becomes larger than one that was there.
What is said of an inverse holds wherever it exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from itertools import product as pairs

import sympy as sp

from .. import build, scalar
from ..known import is_identity, is_square
from ..node import Kind, Node
from ..rewrite import Rewriter, Rule, RuleSet, rule
from .forms import Labels, extended, inlined, is_plain, is_sum, labels_of, narrow, numbers_of, renamed

_table: list[Rule] = []
MAX_FACTORS, DEPTH = 8, 3
Sides = tuple[tuple[Node, ...], Labels]


# ---------------------------------------------------------------- transposes
@rule(_table, Kind.GENERIC, "a symmetric matrix is its transpose")
def transpose_of_symmetric(n: Node, rw: Rewriter) -> Node | None:
    a = build.is_swap(n)
    if a is not None:
        return a if rw.has(a, "symmetric") else None
    body, index, space, reducer = n.attrs
    for k, (o, ix) in enumerate(zip(n.operands, index, strict=True)):
        if o.rank >= 2 and None not in ix[-2:] and ix[-2] > ix[-1] and rw.has(o, "symmetric"):
            turned = (*index[:k], (*ix[:-2], ix[-1], ix[-2]), *index[k + 1 :])
            return build.generic(body, n.operands, turned, space, n.rank, reducer, n.dtype)
    return None


@rule(_table, Kind.GENERIC, "(A B)' = B' A', where that leaves nothing transposed")
def transpose_of_product_of_symmetric(n: Node, rw: Rewriter) -> Node | None:
    p = build.is_swap(n)
    if p is None or p.kind is not Kind.MATMUL or p.operands[0].rank != p.operands[1].rank:
        return None
    a, b = (o if rw.has(o, "symmetric") else build.is_swap(o) for o in p.operands)
    return None if a is None or b is None else build.matmul(b, a)


@rule(_table, Kind.GENERIC, "the transpose of an inverse is the inverse of the transpose")
def transpose_of_inverse(n: Node, rw: Rewriter) -> Node | None:
    """Only where the transpose goes away by that."""
    a = build.is_swap(n)
    if a is None or a.kind is not Kind.LINALG or a.attrs[0] != "inverse":
        return None
    inner = build.is_swap(a.operands[0])
    return None if inner is None else build.linalg("inverse", inner)


@rule(_table, Kind.LINALG, "of a transpose, the determinant is the same, and the inverse is its transpose")
def linalg_of_transpose(n: Node, rw: Rewriter) -> Node | None:
    inner = build.is_swap(n.operands[0])
    if inner is None or n.attrs[0] not in ("determinant", "logdet", "inverse"):
        return None
    new = build.linalg(n.attrs[0], inner)
    return build.swap(new) if n.attrs[0] == "inverse" else new


# ---------------------------------------------------------------- chains
@dataclass(frozen=True)
class Factor:
    node: Node
    flipped: bool = False
    inverted: bool = False

    def built(self) -> Node:
        n = build.linalg("inverse", self.node) if self.inverted else self.node
        return build.swap(n) if self.flipped else n


def chain(n: Node, rw: Rewriter, flipped: bool = False, inverted: bool = False, depth: int = DEPTH) -> list[Factor]:
    """The factors of a product of matrices, transposes and inverses taken to each; `depth` products into it."""
    inner = build.is_swap(n)
    if inner is not None:
        return chain(inner, rw, not flipped, inverted, depth)
    if n.kind is Kind.MATMUL and n.rank == 2 and depth and (not inverted or all(is_square(o) for o in n.operands)):
        parts = [chain(o, rw, flipped, inverted, depth - 1) for o in n.operands]
        return [f for p in (parts[::-1] if flipped != inverted else parts) for f in p]
    if n.kind is Kind.LINALG and n.rank == 2 and n.attrs[0] == "inverse":
        return chain(n.operands[0], rw, flipped, not inverted, depth)
    if n.kind is Kind.LINALG and n.rank == 2 and n.attrs[0] == "solve" and depth and not inverted:
        left, right = chain(n.operands[0], rw, flipped, True, depth - 1), chain(n.operands[1], rw, flipped, False, depth - 1)
        return [*right, *left] if flipped else [*left, *right]
    if inverted and rw.has(n, "orthogonal"):
        flipped, inverted = not flipped, False
    return [Factor(n, flipped and not rw.has(n, "symmetric"), inverted)]


def _vanish(a: Factor, b: Factor, rw: Rewriter) -> bool:
    """Is a b an identity?"""
    if a.node is not b.node or not is_square(a.node):
        return False
    if a.inverted != b.inverted:
        return a.flipped == b.flipped
    return a.flipped != b.flipped and rw.has(a.node, "orthogonal")


def _cancelled(factors: Sequence[Factor], rw: Rewriter) -> list[Factor]:
    left: list[Factor] = []
    for f in factors:
        if is_identity(f.node):
            continue
        if left and _vanish(left[-1], f, rw):
            left.pop()
        else:
            left.append(f)
    return left


def _product(factors: Sequence[Factor], shape: Sequence, like: Node) -> Node:
    """Multiplied towards the smaller end: a column from the right, all else from the left."""
    if not factors:
        return build.generic(scalar.on_diagonal(0, 1, sp.S.One), (), (), tuple(shape), 2, None, like.dtype)
    nodes = [f.built() for f in factors]
    from_right = nodes[-1].shape[-1] == 1
    while len(nodes) > 1:
        nodes = [*nodes[:-2], build.matmul(*nodes[-2:])] if from_right else [build.matmul(*nodes[:2]), *nodes[2:]]
    return nodes[0]


@rule(_table, Kind.MATMUL, "a matrix and its inverse, or an orthogonal one and its transpose, cancel; identities vanish")
def cancel_factors(n: Node, rw: Rewriter) -> Node | None:
    if n.rank != 2:
        return None
    factors = chain(n, rw)
    if not 2 <= len(factors) <= MAX_FACTORS:
        return None
    left = _cancelled(factors, rw)
    return None if len(left) == len(factors) else _product(left, n.shape, n)


@rule(_table, Kind.MATMUL, "A B B' A' is A B times its own transpose")
def half_of_symmetric(n: Node, rw: Rewriter) -> Node | None:
    if n.rank != 2:
        return None
    factors = chain(n, rw)
    half = len(factors) // 2
    if not 4 <= len(factors) <= MAX_FACTORS or len(factors) % 2:
        return None
    mirrored = [replace(f, flipped=not f.flipped and not rw.has(f.node, "symmetric")) for f in reversed(factors[half:])]
    if mirrored != factors[:half]:
        return None
    left = _product(factors[:half], n.shape, n)
    new = build.matmul(left, build.swap(left))
    return new if rw.gain(n, new) > 0 else None


@rule(_table, Kind.LINALG, "the inverse of an inverse is the matrix, of an orthogonal one its transpose, and solving cancels")
def cancel_inverse(n: Node, rw: Rewriter) -> Node | None:
    if n.rank != 2 or n.attrs[0] not in ("inverse", "solve"):
        return None
    factors = chain(n, rw)
    left = _cancelled(factors, rw) if len(factors) <= MAX_FACTORS else factors
    if n.attrs[0] == "inverse" and left == [Factor(n.operands[0], False, True)]:
        return None
    return _product(left, n.shape, n) if len(left) < len(factors) or not any(f.inverted for f in left) else None


@rule(_table, Kind.MATMUL, "a product is taken of each term where a factor cancels")
def distribute(n: Node, rw: Rewriter) -> Node | None:
    if n.rank != 2:
        return None
    for k, o in enumerate(n.operands):
        if not is_plain(o) or not isinstance(o.attrs[0], sp.Add) or o.dtype is not n.dtype:
            continue
        other = n.operands[1 - k]
        near = chain(other, rw)
        body, index, _, _ = o.attrs
        terms = []
        for t in body.args:
            c, x = t.as_independent(*(scalar.x(j) for j in scalar.operand_numbers(t)), as_Add=False)
            j = next((j for j in range(len(o.operands)) if x == scalar.x(j)), None)
            if j is None or index[j] not in ((0, 1), (1, 0)):
                break
            terms.append((c, o.operands[j] if index[j] == (0, 1) else build.swap(o.operands[j])))
        else:
            ends = [chain(t, rw) for _, t in terms]
            if not any(len(e) > 1 and (_vanish(e[-1], near[0], rw) if k == 0 else _vanish(near[-1], e[0], rw)) for e in ends):
                continue
            made = [build.matmul(t, other) if k == 0 else build.matmul(other, t) for _, t in terms]
            new = [cancel_factors(m, rw) or m for m in made]
            total = sp.Add(*(c * scalar.x(j) for j, (c, _) in enumerate(terms)))
            out = build.generic(total, new, ((0, 1),) * len(new), n.shape, 2, None, n.dtype)
            if rw.gain(n, out) > 0:
                return out
    return None


# ---------------------------------------------------------------- sums of products
@rule(_table, Kind.GENERIC, "A B + A C = A (B + C)")
def common_factor(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    if not n.dtype.is_floating or reducer not in (None, "sum"):
        return None
    products = {k: pair for k, (o, ix) in enumerate(zip(n.operands, index, strict=True)) if (pair := _factors(o, ix)) is not None}
    if len(products) < 2:
        return None
    scalars = numbers_of(n)
    for e in sorted(body.atoms(sp.Add), key=sp.default_sort_key):
        found = []
        for t in e.args:
            of = [k for k in products if t.has(scalar.x(k))]
            if len(of) == 1:
                c = t / scalar.x(of[0])
                if scalar.operand_numbers(c) <= scalars and not scalar.label_numbers(c):
                    found.append((t, c, of[0]))
        for first, second in combinations(found, 2):
            for p, q in pairs(_brackets(products[first[2]], rw), _brackets(products[second[2]], rw)):
                new = _joined(n, e, first, second, {first[2]: p, second[2]: q}, rw)
                if new is not None and rw.gain(n, new) >= 0:
                    return new
    return None


def _factors(o: Node, ix: Labels) -> Sides | None:
    """The two factors of a product that is read, through a transpose perhaps, and the labels of its axes; of a row, those of
    the column."""
    inner = build.is_swap(o)
    if inner is not None:
        o, ix = inner, ix[::-1]
    if o.kind is not Kind.MATMUL or o.rank != 2:
        return None
    ix = narrow(o, ix)
    if ix[0] is None and ix[1] is not None:
        return _turned(o.operands), ix[::-1]
    return o.operands, ix


def _turned(sides: Sequence[Node]) -> tuple[Node, ...]:
    """The factors of the transposed product."""
    return tuple(map(build.swap, reversed(sides)))


def _brackets(sides: Sides, rw: Rewriter) -> list[Sides]:
    """Ways to write a product as one of two matrices; a column is its first factor times a column, which is less work."""
    (a, b), ix = sides
    if b.shape[-1] != 1 or a.kind is not Kind.MATMUL:
        return [sides]
    factors = chain(a, rw)
    if not 2 <= len(factors) <= MAX_FACTORS:
        return [sides]
    rest = _product([*factors[1:], Factor(b)], b.shape, b)
    return [sides, ((factors[0].built(), rest), ix)]


def _joined(n: Node, e: sp.Expr, first: tuple, second: tuple, products: Mapping[int, Sides], rw: Rewriter) -> Node | None:
    """The node with two terms c P + d Q of the sum e as one product."""
    (s, c, p), (t, d, q) = first, second
    (left, ix), (right, other) = products[p], products[q]
    if other == ix[::-1]:
        right = _turned(right)
    elif other != ix:
        return None
    read = [(None,) * o.rank for o in n.operands]
    for side in (0, 1):
        if _same(left[side], right[side], rw):
            a, b = left[1 - side], right[1 - side]
            common = d / c if c.is_number or not scalar.operand_numbers(d / c) else None
            u, v, own = scalar.x(len(read)), scalar.x(len(read) + 1), (0, 1)
            inner, outer = (c * u + d * v, sp.S.One) if common is None else (u + common * v, c)
            total = build.generic(inner, [*n.operands, a, b], (*read, own, own), a.shape, 2, None, n.dtype)
            made = build.matmul(left[0], total) if side == 0 else build.matmul(total, left[1])
            new = scalar.x(len(n.operands))
            return extended(n, n.attrs[0].xreplace({e: e - s - t + outer * new}), [(made, ix)])
    return None


def _same(a: Node, b: Node, rw: Rewriter) -> bool:
    """Equal matrices, as far as transposes of symmetric ones go."""
    return a is b or build.is_swap(a) is b and rw.has(b, "symmetric") or build.is_swap(b) is a and rw.has(a, "symmetric")


# ---------------------------------------------------------------- sums that are products
@rule(_table, Kind.GENERIC, "sum over k of A_ik B_kj is a matrix product, and of A_ik v_k a matrix times a vector")
def sum_is_product(n: Node, rw: Rewriter) -> Node | None:
    if not is_sum(n) or len(n.attrs[2]) != n.rank + 1 or n.attrs[2][-1] == 1:
        return None
    if n.attrs[0] == scalar.x(0) and is_plain(n.operands[0]):  # what is summed is written out, also where it is needed elsewhere
        body, operands, index = inlined(scalar.x(0), n.operands, n.attrs[1], 0)
        n = build.generic(body, operands, index, n.attrs[2], n.rank, "sum", n.dtype)
    body, index, space, _ = n.attrs
    if any(o.dtype is not n.dtype for o in n.operands):
        return None
    k, sides = n.rank, dict[frozenset[int], list[sp.Expr]]()
    number, rest = body.as_coeff_Mul()
    for f in sp.Mul.make_args(rest):
        sides.setdefault(labels_of(f, index, space) - {k}, []).append(f)
    along = sides.pop(frozenset(), [])  # what runs along k alone: a vector, or a scaling of either side
    if any(k not in labels_of(f, index, space) for fs in (along, *sides.values()) for f in fs):
        return None
    if len(sides) == 1 and along:
        sides[frozenset()] = along
    elif len(sides) == 2 and along:
        sides[max(sides, key=sorted)] += along
    if len(sides) != 2 or any(len(ls) > 1 for ls in sides):
        return None
    (p, fs), (q, gs) = sorted(sides.items(), key=lambda s: (not s[0], sorted(s[0])))
    a, b = (next(iter(ls), None) for ls in (p, q))
    left = _matrix(n, sp.Mul(*fs), (a, k))
    right = _matrix(n, sp.Mul(*gs), (k, b))
    return build.generic(number * scalar.x(0), (build.matmul(left, right),), ((a, b),), n.shape, n.rank, None, n.dtype)


def _matrix(n: Node, body: sp.Expr, labels: tuple[int | None, int | None]) -> Node:
    """The part of a body as a matrix whose axes are those labels (None: an axis of extent 1)."""
    _, index, space, _ = n.attrs
    at: dict[int, int | None] = {a: k for k, a in enumerate(labels) if a is not None}
    moved = tuple(tuple(None if a is None else at.get(a) for a in ix) for ix in index)
    shape = tuple(1 if a is None else space[a] for a in labels)
    return build.generic(renamed(body, at, {}), n.operands, moved, shape, 2, None, n.dtype)


@rule(_table, Kind.GENERIC, "the sum of a product's rows is the product of a sum of rows")
def sum_of_product(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, _ = n.attrs
    if not is_sum(n) or len(n.operands) != 1 or body != scalar.x(0) or len(space) != n.rank + 1:
        return None
    (p,), (ix,) = n.operands, index
    if p.kind is not Kind.MATMUL or p.rank != 2 or None in ix or len({*ix}) < 2 or rw.shared(p):
        return None
    side = ix.index(n.rank)
    parts = list(p.operands)
    parts[side] = build.reduce("sum", parts[side], [side], keepdims=True)
    kept = tuple(None if k == side else a for k, a in enumerate(ix))
    return build.generic(scalar.x(0), (build.matmul(*parts),), (kept,), n.shape, n.rank, None, n.dtype)


PRODUCTS = RuleSet(tuple(_table))
