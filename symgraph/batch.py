"""Many values at once: nodes over a stack of values in the place of one leaf.

Law of this file: each node that depends on the leaf gets the stack's leading axes in front of its own, whatever its kind;
what does not depend on it stays as it is, and is repeated only where a kind's operands must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import build, scalar
from .node import Kind, Node, depends_on, toposort
from .shapes import Shape


def batched(roots: Sequence[Node], leaf: Node, stack: Node) -> list[Node]:
    """The roots for every value in `stack`, of shape (*batch, *leaf.shape), put in the place of `leaf`.

    A root of shape s becomes one of shape (*batch, *s)."""
    lead = stack.shape[: stack.rank - leaf.rank]
    live = depends_on(roots, [leaf])
    new: dict[Node, Node] = {leaf: stack}
    for n in toposort(roots, stop=lambda n: n not in live or n is leaf):
        if n in live and n is not leaf:
            new[n] = _KINDS[n.kind](n, [new.get(o, o) for o in n.operands], [o in live for o in n.operands], lead)
    return [new[r] if r in live else repeated(r, lead) for r in roots]


def repeated(n: Node, lead: Shape) -> Node:
    """n once for each place of the batch."""
    return build.broadcast_to(n, (*lead, *n.shape))


Rule = Callable[[Node, list[Node], list[bool], Shape], Node]
"""(node, its new operands, which of them have the batch, the batch) -> the node over them."""


def _generic(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
    body, index, space, reducer = n.attrs
    b = len(lead)
    own = tuple(range(b))
    moved = tuple((*(own if has else ()), *(None if a is None else a + b for a in ix)) for ix, has in zip(index, live, strict=True))
    shifted = body.xreplace({scalar.i(a): scalar.i(a + b) for a in scalar.label_numbers(body)})
    return build.generic(shifted, operands, moved, (*lead, *space), n.rank + b, reducer, n.dtype)


def _matmul(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
    """Batch axes that an operand had stay next to its matrices: they are filled up with 1 in front."""
    wide = [
        build.reshape(o, (*lead, *(1,) * (n.rank + len(lead) - o.rank), *o.shape[len(lead) :])) if has else o
        for o, has in zip(operands, live, strict=True)
    ]
    return build.matmul(*wide)


def _all_repeated(make: Callable[[Node, list[Node], int], Node]) -> Rule:
    """A kind whose operands all need the batch."""
    return lambda n, operands, live, lead: make(
        n, [o if has else repeated(o, lead) for o, has in zip(operands, live, strict=True)], len(lead)
    )


def _at_rows(make: Callable[[Node, Node, Node], Node]) -> Rule:
    """A kind that works along the first axis: the batch waits behind the axes that the whole numbers have."""

    def rule(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
        x, at = operands
        b = len(lead)
        rows = 1 if n.kind is Kind.GATHER else at.rank
        made = make(n, build.permute(x, [*range(b, b + rows), *range(b), *range(b + rows, x.rank)]), at)
        rows = at.rank if n.kind is Kind.GATHER else 1
        return build.permute(made, [*range(rows, rows + b), *range(rows), *range(rows + b, made.rank)])

    return rule


def _window(make: Callable) -> Rule:
    def rule(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
        start, step = n.attrs
        b = len(lead)
        return make(operands[0], ((0,) * b) + start, (*lead, *n.shape), ((1,) * b) + step)

    return rule


_KINDS: dict[Kind, Rule] = {
    Kind.GENERIC: _generic,
    Kind.MATMUL: _matmul,
    Kind.RESHAPE: lambda n, operands, live, lead: build.reshape(operands[0], (*lead, *n.shape)),
    Kind.SLICE: _window(build.slice_),
    Kind.PLACE: _window(build.place),
    Kind.CONCAT: _all_repeated(lambda n, operands, b: build.concat(operands, n.attrs[0] + b)),
    Kind.GATHER: _at_rows(lambda n, x, at: build.gather(x, at)),
    Kind.SCATTER: _at_rows(lambda n, x, at: build.scatter(x, at, (n.shape[0], *x.shape[at.rank :]))),
    Kind.COMPOSITE: lambda n, operands, live, lead: build.composite(
        n.attrs[0], operands[0], tuple(a + len(lead) for a in n.attrs[1]), n.attrs[2]
    ),
    Kind.LINALG: _all_repeated(lambda n, operands, b: build.linalg(n.attrs[0], *operands)),
}
