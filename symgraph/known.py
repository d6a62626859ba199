"""What is known of a node's values: what was told, and what follows from it and from how the node is made.

Law of this file: `Known.has` answers yes only where the fact holds for all values of the leaves of which the told facts
hold.  An answer is looked for once per node and fact, a few levels deep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sympy as sp

from . import build, dtypes, scalar
from .codegen import scalar as fn
from .node import Kind, Node

Facts = frozenset[str]
DEPTH = 12
"""How many levels an answer looks down."""


@dataclass
class Known:
    """The facts that follow from `told`."""

    told: Mapping[Node, Facts] = field(default_factory=dict)
    _memo: dict[tuple[Node, str], bool] = field(default_factory=dict)
    _depth: int = 0

    def has(self, n: Node, fact: str) -> bool:
        """Is `fact` (a name in facts.FACTS) known of the node?"""
        key = n, fact
        if key not in self._memo:
            if self._depth > DEPTH:
                return False
            self._depth += 1
            self._memo[key] = fact in self.told.get(n, ()) or fact in INFERENCE and INFERENCE[fact](self, n)
            self._depth -= 1
        return self._memo[key]


# ---------------------------------------------------------------- matrices
def is_square(n: Node) -> bool:
    return n.rank >= 2 and n.shape[-1] == n.shape[-2]


def transposed(known: Known, n: Node) -> Node:
    """The matrix transpose of n, which is n itself where it is known to be symmetric."""
    if known.has(n, "symmetric"):
        return n
    return build.swap(n)


def _symmetric(known: Known, n: Node) -> bool:
    if n.kind is Kind.LINALG:  # what has an inverse is square, also where its two sizes have two names
        return n.attrs[0] == "inverse" and known.has(n.operands[0], "symmetric")
    if not is_square(n):
        return False
    match n.kind:
        case Kind.GENERIC:
            return _reads_alike(known, n)
        case Kind.MATMUL:
            left, right = _factors(n)
            return [transposed(known, f) for f in (*left, *right)][::-1] == [*left, *right]
        case Kind.CONST:
            v = n.attrs[0].value
            return bool((v == v.swapaxes(-1, -2)).all())
    return n.shape[-2:] == (1, 1)


def _factors(n: Node) -> tuple[list[Node], list[Node]]:
    """The factors of the two sides of a product, a few of them."""
    sides: list[list[Node]] = []
    for o in n.operands:
        chain = [o]
        while len(chain) < 8 and any(f.kind is Kind.MATMUL for f in chain):
            chain = [g for f in chain for g in (f.operands if f.kind is Kind.MATMUL else (f,))]
        sides.append(chain)
    return sides[0], sides[1]


def _reads_alike(known: Known, n: Node) -> bool:
    """Is the node the same when its last two labels are exchanged?"""
    body, index, space, _ = n.attrs
    p, q = n.rank - 2, n.rank - 1
    if space[p] != space[q]:
        return False
    flip = {p: q, q: p}
    slots = {_read(known, o, ix): k for k, (o, ix) in enumerate(zip(n.operands, index, strict=True))}
    rename: dict[sp.Basic, sp.Expr] = {scalar.i(p): scalar.i(q), scalar.i(q): scalar.i(p)}
    for k, (o, ix) in enumerate(zip(n.operands, index, strict=True)):
        at = slots.get(_read(known, o, tuple(a if a is None else flip.get(a, a) for a in ix)))
        if at is None:
            return False
        rename[scalar.x(k)] = scalar.x(at)
    return bool(_ordered(body.xreplace(rename)) == _ordered(body))


def _ordered(body: sp.Expr) -> sp.Expr:
    """The body with the sides of its equations in order."""
    return body.replace(fn.eq, lambda a, b: fn.eq(*sorted((a, b), key=sp.default_sort_key))) if body.has(fn.eq) else body


def _read(known: Known, o: Node, ix: tuple[int | None, ...]) -> tuple[Node, tuple[int | None, ...]]:
    """The array that is read, through transposes, and its labels; those of a symmetric one in their order."""
    while build.is_pure(o) and o.dtype is o.operands[0].dtype:
        ix = tuple(None if a is None else ix[a] for a in o.attrs[1][0])
        o = o.operands[0]
    if o.rank >= 2 and None not in ix[-2:] and known.has(o, "symmetric"):
        ix = (*ix[:-2], *sorted(ix[-2:], key=lambda a: a or 0))
    return o, ix


def _orthogonal(known: Known, n: Node) -> bool:
    if not is_square(n):
        return False
    inner = build.is_swap(n)
    if inner is not None:
        return known.has(inner, "orthogonal")
    if n.kind is Kind.MATMUL:
        return all(o.rank == n.rank and known.has(o, "orthogonal") for o in n.operands)
    if n.kind is Kind.LINALG and n.attrs[0] == "inverse":
        return known.has(n.operands[0], "orthogonal")
    return is_identity(n)


def is_identity(n: Node) -> bool:
    """An identity matrix, or a batch of them."""
    if n.kind is not Kind.GENERIC or n.operands or n.attrs[3] is not None or not is_square(n):
        return False
    found = scalar.delta(n.attrs[0])
    return found is not None and {*found[:2]} == {n.rank - 2, n.rank - 1} and found[2] == 1


# ---------------------------------------------------------------- elements
def _positive(known: Known, n: Node) -> bool:
    match n.kind:
        case Kind.CONST:
            return n.dtype is not dtypes.string and bool((n.attrs[0].value > 0).all())
        case Kind.COMPOSITE:
            return n.attrs[0] == "softmax"
        case Kind.GENERIC:
            body, _, _, reducer = n.attrs
            signs = {scalar.x(k): sp.Symbol(f"p{k}", positive=True) for k, o in enumerate(n.operands) if known.has(o, "positive")}
            return reducer in (None, "sum", "prod", "max", "min") and body.xreplace(signs).is_positive is True
        case Kind.RESHAPE | Kind.SLICE | Kind.GATHER:
            return known.has(n.operands[0], "positive")
        case Kind.CONCAT:
            return all(known.has(o, "positive") for o in n.operands)
    return False


def _rows_sum_to_one(known: Known, n: Node) -> bool:
    if n.kind is Kind.COMPOSITE:
        return n.attrs[0] == "softmax" and n.attrs[1] == (n.rank - 1,)
    if n.kind is Kind.GATHER:
        return n.operands[0].rank >= 2 and known.has(n.operands[0], "rows_sum_to_one")
    return known.has(n, "one_hot") or build.is_pure(n) and n.rank >= 1 and _keeps_rows(n) and known.has(n.operands[0], "rows_sum_to_one")


def _one_hot(known: Known, n: Node) -> bool:
    if n.kind is Kind.GATHER:
        return n.operands[0].rank >= 2 and known.has(n.operands[0], "one_hot")
    if is_identity(n):
        return True
    return build.is_pure(n) and n.rank >= 1 and _keeps_rows(n) and known.has(n.operands[0], "one_hot")


def _keeps_rows(n: Node) -> bool:
    """Is the last axis of what is read the last axis of the reader too?"""
    (o,), (ix,) = n.operands, n.attrs[1]
    return o.rank >= 1 and ix[-1] == n.rank - 1 and ix.count(ix[-1]) == 1


def _binary(known: Known, n: Node) -> bool:
    if build.is_pure(n) or n.kind in (Kind.RESHAPE, Kind.SLICE, Kind.GATHER, Kind.PLACE):
        return known.has(n.operands[0], "binary")
    return known.has(n, "one_hot")


INFERENCE: dict[str, Callable[[Known, Node], bool]] = {
    "symmetric": _symmetric,
    "orthogonal": _orthogonal,
    "positive": _positive,
    "rows_sum_to_one": _rows_sum_to_one,
    "one_hot": _one_hot,
    "binary": _binary,
}
"""How a fact follows; what was told comes first."""
