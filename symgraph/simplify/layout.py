"""Rules for axes of extent 1 and for reshapes that only add or drop them: columns and vectors are one thing.

Law of this file: what is read through such a reshape is read directly, and what is left of them is one reshape.  A row is
the transpose of a column.
"""

from __future__ import annotations

from .. import build, scalar
from ..known import is_identity
from ..node import Kind, Node
from ..rewrite import Rewriter, Rule, RuleSet, rule
from ..shapes import same_but_ones, wide_axes
from .forms import Labels

_table: list[Rule] = []


def is_squeeze(n: Node) -> bool:
    """A reshape that only adds or drops axes of extent 1."""
    return n.kind is Kind.RESHAPE and same_but_ones(n.operands[0].shape, n.shape)


def _is_layout(n: Node) -> bool:
    """Does a node that only re-labels keep its operand's axes in their order, but for those of extent 1?"""
    if not build.is_pure(n) or n.dtype is not n.operands[0].dtype:
        return False
    (o,), (ix,) = n.operands, n.attrs[1]
    return [ix[a] for a in wide_axes(o.shape)] == wide_axes(n.shape) and [o.shape[a] for a in wide_axes(o.shape)] == [
        n.shape[a] for a in wide_axes(n.shape)
    ]


def _laid_out(n: Node, base: Node) -> Node:
    """The elements of base in the shape of n."""
    if n.rank == 2 and n.shape[0] == 1 != n.shape[1]:
        return build.swap(build.reshape(base, n.shape[::-1]))
    return build.reshape(base, n.shape)


@rule(_table, Kind.GENERIC, "what is read through a reshape that only adds or drops axes of extent 1 is read directly")
def read_through(n: Node, rw: Rewriter) -> Node | None:
    if build.is_swap(n) is not None:
        return None
    body, index, space, reducer = n.attrs
    operands, labels = list(n.operands), list(index)
    for k, o in enumerate(operands):
        if is_squeeze(o):
            at: Labels = tuple(labels[k][a] for a in wide_axes(o.shape))
            base = o.operands[0]
            own = dict(zip(wide_axes(base.shape), at, strict=True))
            operands[k], labels[k] = base, tuple(own.get(a) for a in range(base.rank))
    if operands == list(n.operands):
        return None
    return build.generic(body, operands, tuple(labels), space, n.rank, reducer, n.dtype)


@rule(_table, Kind.GENERIC, "axes of extent 1 come and go by a reshape")
def layout(n: Node, rw: Rewriter) -> Node | None:
    if build.is_swap(n) is not None or not _is_layout(n):
        return None
    return _laid_out(n, n.operands[0])


@rule(_table, Kind.GENERIC, "a shape that is equal for another reason needs no saying")
def claim(n: Node, rw: Rewriter) -> Node | None:
    if not build.is_pure(n) or n in rw.roots or n.dtype is not n.operands[0].dtype:
        return None
    (o,), (ix,) = n.operands, n.attrs[1]
    same = ix == tuple(range(o.rank)) and o.rank == n.rank
    return o if same and all(rw.sizes.find(d) == rw.sizes.find(e) for d, e in zip(o.shape, n.shape, strict=True)) else None


@rule(_table, Kind.RESHAPE, "a reshape that only adds or drops axes of extent 1 is made where the value is")
def reshape_of_value(n: Node, rw: Rewriter) -> Node | None:
    (o,) = n.operands
    if not is_squeeze(n):
        return None
    if n.rank == 2 and n.shape[0] == 1 != n.shape[1]:
        return _laid_out(n, o)
    to = dict(zip(wide_axes(o.shape), wide_axes(n.shape), strict=True))
    if o.kind is Kind.COMPOSITE and o.attrs[0] in build.SAME_SHAPE and all(a in to for a in o.attrs[1]):
        return None if rw.shared(o) else build.composite(o.attrs[0], build.reshape(o.operands[0], n.shape), [to[a] for a in o.attrs[1]])
    if o.kind is not Kind.GENERIC or rw.shared(o) and not build.is_pure(o) and not is_identity(o):
        return None
    body, index, space, reducer = o.attrs
    gone = [a for a in range(o.rank) if a not in to]
    to |= {a: n.rank + j for j, a in enumerate(range(o.rank, len(space)))}
    if any(a in scalar.label_numbers(body) for a in gone):
        return None
    moved = tuple(tuple(None if a is None else to.get(a) for a in ix) for ix in index)
    renamed = body.xreplace({scalar.i(a): scalar.i(b) for a, b in to.items()})
    return build.generic(renamed, o.operands, moved, (*n.shape, *space[o.rank :]), n.rank, reducer, n.dtype)


LAYOUT = RuleSet(tuple(_table))
