"""Looking at bodies: what rules of several tables need to see.

Law of this file: nothing here rewrites; functions answer with values or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations

import sympy as sp

from .. import build, scalar
from ..node import Kind, Node

Labels = tuple[int | None, ...]
Written = tuple[sp.Expr, tuple[Node, ...], build.Index]
"""A body, its operands, and their labels."""


def is_plain(n: Node) -> bool:
    """An element-wise node without a reduction."""
    return n.kind is Kind.GENERIC and n.attrs[3] is None


def is_sum(n: Node) -> bool:
    return n.kind is Kind.GENERIC and n.attrs[3] == "sum" and n.dtype.is_floating


def numbers_of(n: Node) -> frozenset[int]:
    """Which operands of a generic node are one number."""
    return frozenset(k for k, o in enumerate(n.operands) if all(d == 1 for d in o.shape))


def extended(n: Node, body: sp.Expr, extra: Sequence[tuple[Node, Labels]]) -> Node:
    """n with another body, in which the `extra` operands are numbered after those of n."""
    _, index, space, reducer = n.attrs
    nodes, labels = [o for o, _ in extra], [at for _, at in extra]
    return build.generic(body, (*n.operands, *nodes), (*index, *labels), space, n.rank, reducer, n.dtype)


def labels_of(e: sp.Basic, index: Sequence[Labels], space: Sequence) -> frozenset[int]:
    """The labels on which the value of an expression depends: none along which there is one step."""
    read = {a for k in scalar.operand_numbers(e) for a in index[k] if a is not None and space[a] != 1}
    return frozenset(read) | scalar.label_numbers(e)


def narrow(o: Node, ix: Labels) -> Labels:
    """The labels at which an operand is read, without those along axes of extent 1."""
    return tuple(None if d == 1 else a for d, a in zip(o.shape, ix, strict=True))


def slots_of(operands: Sequence[Node], index: Sequence[Labels]) -> dict[tuple[Node, Labels], int]:
    """The number of each operand by what is read where."""
    return {(o, narrow(o, ix)): k for k, (o, ix) in reversed(list(enumerate(zip(operands, index, strict=True))))}


def renamed(e: sp.Expr, at: Mapping[int, int | None], operands: Mapping[int, sp.Expr]) -> sp.Expr:
    """The expression with labels and operands under other numbers."""
    rename: dict[sp.Basic, sp.Expr] = {scalar.x(k): v for k, v in operands.items()}
    rename |= {scalar.i(a): sp.S.Zero if b is None else scalar.i(b) for a, b in at.items()}
    return e.xreplace({k: v for k, v in rename.items() if k != v})


def written(n: Node, wanted: Callable[[Node], bool]) -> Written:
    """The body of n with the element-wise operands that are `wanted` written out."""
    body, index, _, _ = n.attrs
    operands = n.operands
    for k, o in enumerate(n.operands):
        if is_plain(o) and o.dtype is n.dtype and wanted(o):
            body, operands, index = inlined(body, operands, index, k)
    return body, operands, index


def inlined(body: sp.Expr, operands: tuple[Node, ...], index: build.Index, k: int) -> Written:
    """The body with the element-wise node that is operand k written out, over its operands too."""
    o, outer, shift = operands[k], index[k], len(operands)
    inner, inner_index, _, _ = o.attrs
    new = renamed(inner, dict(enumerate(outer)), {j: scalar.x(shift + j) for j in range(len(o.operands))})
    through = tuple(tuple(None if a is None else outer[a] for a in ix) for ix in inner_index)
    return body.xreplace({scalar.x(k): new}), (*operands, *o.operands), (*index, *through)


def tensor(w: Written, space: Sequence, like: Node) -> tuple[Node, tuple[int, ...]]:
    """The body's values as a tensor, and the label of each of its axes: in the order of the operand that has most of them."""
    body, operands, index = w
    read = [(operands[k], index[k]) for k in sorted(scalar.operand_numbers(body))]
    widest = max((ix for _, ix in read), key=lambda ix: len({*ix} - {None}), default=())
    labels = [a for a in dict.fromkeys(widest) if a is not None]
    labels += sorted(labels_of(body, index, space) - set(labels))
    at = {a: k for k, a in enumerate(labels)}
    moved = tuple(tuple(None if a is None else at.get(a) for a in ix) for ix in index)
    made = build.generic(renamed(body, at, {}), operands, moved, tuple(space[a] for a in labels), len(labels), None, like.dtype)
    return made, tuple(labels)


def placements(of: Node, ix: Labels, space: Sequence) -> Iterator[dict[int, int | None]]:
    """How the labels of the sum `of`, which is read at ix, can go by labels of a space."""
    own = of.attrs[2]
    inner = range(of.rank, len(own))
    free = [a for a in range(len(space)) if a not in ix]
    for chosen in permutations(free, len(inner)):
        if all(own[r] == space[a] for r, a in zip(inner, chosen, strict=True)):
            yield dict(enumerate(ix)) | dict(zip(inner, chosen, strict=True))


def instance(w: Written, at: Mapping[int, int | None], slots: Mapping) -> sp.Expr | None:
    """The expression as read with its labels at others; None if an operand is not among the slots."""
    e, nodes, index = w
    operands: dict[int, sp.Expr] = {}
    for k in scalar.operand_numbers(e):
        o, own = nodes[k], index[k]
        found = slots.get((o, narrow(o, tuple(None if a is None else at[a] for a in own))))
        if found is None:
            return None
        operands[k] = scalar.x(found)
    return renamed(e, at, operands)


def power_of(e: sp.Expr, s: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """(p, rest) with e = s**p * rest and no s in the rest, if e is such a product."""
    if s not in e.free_symbols:
        return sp.S.Zero, e
    if e == s:
        return sp.S.One, sp.S.One
    if isinstance(e, sp.Mul | sp.Add):
        parts = [p for a in e.args if (p := power_of(a, s)) is not None]
        if len(parts) < len(e.args):
            return None
        if isinstance(e, sp.Mul):
            return sp.Add(*(p for p, _ in parts)), sp.Mul(*(r for _, r in parts))
        powers = {p for p, _ in parts}
        return (powers.pop(), sp.Add(*(r for _, r in parts))) if len(powers) == 1 else None
    if isinstance(e, sp.Pow) and e.exp.is_Integer:
        inner = power_of(e.base, s)
        return None if inner is None else (inner[0] * e.exp, inner[1] ** e.exp)
    return None
