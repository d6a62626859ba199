"""Many values at once: nodes over a stack of values in the place of one leaf.

Law of this file: each node that depends on the leaf gets the stack's leading axes in front of its own, whatever its kind;
what does not depend on it stays as it is, and is repeated only where a kind's operands must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from . import build, scalar
from .looping import Cycle, Ends, parts
from .node import Kind, Node, depends_on, make, toposort
from .shapes import Shape, product


def batched(roots: Sequence[Node], leaf: Node, stack: Node) -> list[Node]:
    """The roots for every value in `stack`, of shape (*batch, *leaf.shape), put in the place of `leaf`.

    A root of shape s becomes one of shape (*batch, *s)."""
    return _all(roots, {leaf: stack}, stack.shape[: stack.rank - leaf.rank])


def _all(roots: Sequence[Node], stacks: Mapping[Node, Node], lead: Shape) -> list[Node]:
    """The same for several leaves, each with its own stack."""
    live = depends_on(roots, stacks)
    new = dict(stacks)
    for n in toposort(roots, stop=lambda n: n not in live or n in stacks):
        if n in live and n not in stacks:
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


def _put(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
    x, rows, at = operands
    b = len(lead)

    def behind(o: Node, has: bool) -> Node:
        o = o if has else repeated(o, lead)
        return build.permute(o, [b, *range(b), *range(b + 1, o.rank)])

    made = build.put(behind(x, live[0]), behind(rows, live[1]), at)
    return build.permute(made, [*range(1, b + 1), 0, *range(b + 1, made.rank)])


def _window(make: Callable) -> Rule:
    def rule(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
        start, step = n.attrs
        b = len(lead)
        return make(operands[0], ((0,) * b) + start, (*lead, *n.shape), ((1,) * b) + step)

    return rule


def _loop(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
    """A loop of all at once: what is carried and kept has the batch, rows have it behind the steps."""
    c: Cycle = n.attrs[0]
    if c.condition is not None or c.limited and live[0]:
        raise NotImplementedError("a loop that may stop at another step for each of many values has no Jacobian: use tf.gradients")
    b = len(lead)

    def wide(leaf: Node) -> Node:
        return build.leaf(Kind.CUT, "batch", (*lead, *leaf.shape), leaf.dtype)

    given = [(o, has) for o, has in zip(operands, live, strict=True)][c.limited :]
    roles = (*c.carried, *c.slices, *c.captured)
    carried = len(c.carried)
    stacks = {leaf: wide(leaf) for k, (leaf, (_, has)) in enumerate(zip(roles, given, strict=True)) if has or k < carried}
    results = _all(c.results, stacks, lead)
    moved = [o if has or k >= carried else repeated(o, lead) for k, (o, has) in enumerate(given)]
    for k in range(carried, carried + len(c.slices)):
        if given[k][1]:
            moved[k] = build.permute(moved[k], [b, *range(b), *range(b + 1, moved[k].rank)])
    leaves = [stacks.get(leaf, leaf) for leaf in roles]
    e = Ends(operands[0] if c.limited else None, tuple(moved[:carried]), tuple(moved[carried:]), ())
    cycle = replace(
        c,
        carried=tuple(leaves[:carried]),
        new=tuple(results[:carried]),
        slices=tuple(leaves[carried : carried + len(c.slices)]),
        stacked=tuple(results[carried:]),
        captured=tuple(leaves[carried + len(c.slices) :]),
    )
    return make(Kind.LOOP, e.all, (cycle,), (), n.dtype)


def _part(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
    (loop,), (k,) = operands, n.attrs
    whole, b = parts(loop)[k], len(lead)
    carried, stacked = len(loop.attrs[0].carried), len(loop.attrs[0].stacked)
    if k == carried + stacked:
        raise NotImplementedError("the number of a loop's steps has no Jacobian")
    return whole if k < carried else build.permute(whole, [*range(1, b + 1), 0, *range(b + 1, whole.rank)])


def _conv(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
    """The batch joins the images where one operand of them has it and the result has it, else the channels or the columns."""
    role, windows, depthwise = n.attrs
    others, b = [r for r in "xwy" if r != role], len(lead)
    if not depthwise and all(live):
        raise NotImplementedError("a convolution has no Jacobian by what its images and its filter both depend on: use tf.gradients")
    has = {r for r, l in zip(others, live, strict=True) if l} | {role}
    where = {"x": 0, "y": 0} if has == {"x", "y"} else {"x": -1, "w": -2} if has == {"x", "w"} else {"w": -1, "y": -1}
    if depthwise:
        where, has = {"x": -1, "w": -2, "y": -1}, set("xwy")
    given = []
    for r, o, l in zip(others, operands, live, strict=True):
        if r in has:
            o = o if l else repeated(o, lead)
            o = _merged(o, b, where[r])
        given.append(o)
    axis = where[role] % n.rank
    count = product(lead)
    made = build.conv(role, given, windows, depthwise, (*n.shape[:axis], count * n.shape[axis], *n.shape[axis + 1 :]))
    apart = build.reshape(made, (*n.shape[:axis], *lead, *n.shape[axis:]))
    return build.permute(apart, [*range(axis, axis + b), *range(axis), *range(axis + b, apart.rank)])


def _merged(o: Node, b: int, axis: int) -> Node:
    """The first b axes in front of another one, and one with it."""
    at = axis % (o.rank - b)
    moved = build.permute(o, [*range(b, b + at), *range(b), *range(b + at, o.rank)])
    return build.reshape(moved, (*moved.shape[:at], product(moved.shape[at : at + b + 1]), *moved.shape[at + b + 1 :]))


def _pool(n: Node, operands: list[Node], live: list[bool], lead: Shape) -> Node:
    """The batch joins the images."""
    x, v = (_merged(o if has else repeated(o, lead), len(lead), 0) for o, has in zip(operands, live, strict=True))
    made = build.pool(n.attrs[0], x, v, n.attrs[1], (product((*lead, n.shape[0])), *n.shape[1:]))
    return build.reshape(made, (*lead, *n.shape))


_KINDS: dict[Kind, Rule] = {
    Kind.CONV: _conv,
    Kind.POOL: _pool,
    Kind.GENERIC: _generic,
    Kind.MATMUL: _matmul,
    Kind.RESHAPE: lambda n, operands, live, lead: build.reshape(operands[0], (*lead, *n.shape)),
    Kind.SLICE: _window(build.slice_),
    Kind.PLACE: _window(build.place),
    Kind.CONCAT: _all_repeated(lambda n, operands, b: build.concat(operands, n.attrs[0] + b)),
    Kind.GATHER: _at_rows(lambda n, x, at: build.gather(x, at)),
    Kind.SCATTER: _at_rows(lambda n, x, at: build.scatter(x, at, (n.shape[0], *x.shape[at.rank :]))),
    Kind.PUT: _put,
    Kind.COMPOSITE: lambda n, operands, live, lead: build.composite(
        n.attrs[0], operands[0], tuple(a + len(lead) for a in n.attrs[1]), n.attrs[2]
    ),
    Kind.LOOP: _loop,
    Kind.PART: _part,
    Kind.LINALG: _all_repeated(lambda n, operands, b: build.linalg(n.attrs[0], *operands)),
}
