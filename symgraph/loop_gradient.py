"""The derivative of a loop: a loop that walks back.

Law of this file: the forward loop is asked to keep what the backward loop reads of it, and nothing is computed twice
that is dear: products, sums, draws and what is carried are kept, element-wise functions of them are written again.  The
adjoint of what is carried is carried back; that of a row is a row; that of what all steps read is a sum over the steps,
and where each step's term is a product or a sum of rows, the rows are kept and it is taken once, after the loop.

Source: Griewank and Walther, "Evaluating Derivatives" (2008), chapter 3: the incremental reverse sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from . import build, scalar
from .errors import NoGradientError
from .looping import Cycle, ends, loop, opened, parts
from .node import Kind, Node, depends_on, make, substitute, toposort

Sweep = Callable[[Sequence[Node], Sequence[Node], Sequence[Node]], list[Node | None]]
"""(ys, seeds, xs) to the adjoints of the leaves xs."""


def backward(n: Node, adjoints: Mapping[int, Node], live: Set[Node], sweep: Sweep) -> list[Node | None]:
    """The contribution to each operand of a loop; `adjoints` of its results, by number."""
    c, e = n.attrs[0], ends(n)
    if c.steps is None:
        raise NoGradientError(n, "the number of its steps is not known: give while_loop maximum_iterations, the most there can be")
    floats = [k for k, x in enumerate(c.carried) if x.dtype.is_floating]
    count = len(c.carried)
    rows = [k for k, y in enumerate(c.stacked) if count + k in adjoints and y.dtype.is_floating]
    back = [_leaf("adjoint", c.carried[k]) for k in floats]
    given = [_leaf("adjoint", c.stacked[k]) for k in rows]
    slices = [x for x, source in zip(c.slices, e.sources, strict=True) if source in live and x.dtype.is_floating]
    captured = [x for x, o in zip(c.captured, e.captured, strict=True) if o in live and x.dtype.is_floating]
    xs = [*(c.carried[k] for k in floats), *slices, *captured]
    found = sweep([*(c.new[k] for k in floats), *(c.stacked[k] for k in rows)], [*back, *given], xs)
    adjoint = dict(zip(xs, found, strict=True))
    reading = _Reading(n, [g for g in found if g is not None], {*back, *given})
    results = dict(zip(reading.roots, reading.replaced, strict=True))

    def of(x: Node) -> Node | None:
        g = adjoint[x]
        return None if g is None else results[g]

    sums = {x: _Sum.of(d, reading, {*back, *given}) for x in captured if (d := of(x)) is not None}
    carried, starts, new = list(back), [adjoints.get(k, _zeros(c.carried[k])) for k in floats], []
    new = [g if (g := of(c.carried[k])) is not None else _zeros(c.carried[k]) for k in floats]
    for s in sums.values():
        if not s.rows:
            total = _leaf("sum", s.term)
            carried.append(total)
            starts.append(_zeros(s.term))
            new.append(build.elementwise(scalar.x(0) + scalar.x(1), total, s.term))
    stacked: list[Node] = [g for x in slices if (g := of(x)) is not None]
    kept_rows = {
        row: len(stacked) + k for k, row in enumerate(dict.fromkeys(r for s in sums.values() for r in s.rows if r not in reading.sources))
    }
    stacked += kept_rows
    forward = reading.forward()
    sources = {**dict(zip(given, (adjoints[count + k] for k in rows), strict=True)), **reading.sources_of(forward)}
    limit = parts(forward)[-1] if c.condition is not None else e.limit
    made = loop(carried, starts, new, list(sources), list(sources.values()), stacked, steps=c.steps, limit=limit, backwards=not c.backwards)
    finals, stacks = made[: len(carried)], made[len(carried) : -1]
    out: dict[Node, Node] = dict(zip((c.carried[k] for k in floats), finals, strict=False))
    out |= dict(zip((x for x in slices if of(x) is not None), stacks, strict=False))
    totals = iter(finals[len(back) :])
    for x, s in sums.items():
        out[x] = s.over([sources[r] if r in sources else stacks[kept_rows[r]] for r in s.rows]) if s.rows else next(totals)
    contributions = [out.get(x) for x in (*c.carried, *c.slices, *c.captured)]
    return [*([None] if c.limited else []), *contributions]


def _leaf(name: str, like: Node) -> Node:
    return build.leaf(Kind.CUT, name, like.shape, like.dtype)


def _zeros(like: Node) -> Node:
    return build.filled(0, like.shape, like.dtype)


_DEAR = frozenset({Kind.MATMUL, Kind.CONV, Kind.POOL, Kind.LINALG, Kind.SCATTER, Kind.PART, Kind.RANDOM})


class _Reading:
    """What a backward body reads of the forward one: `replaced` are the roots with a leaf for each such value."""

    def __init__(self, n: Node, roots: Sequence[Node], seeds: Set[Node]) -> None:
        self.n = n
        c: Cycle = n.attrs[0]
        self.roots = list(dict.fromkeys(roots))
        drawn = [m for m in toposort([*c.results, *self.roots]) if m.kind is Kind.RANDOM and m.attrs[0] in c.draws]
        forward = depends_on(self.roots, [*c.carried, *c.slices, *drawn]) - depends_on(self.roots, seeds)
        dear = {m for m in forward if m in c.carried or m.kind in _DEAR or m.kind is Kind.GENERIC and m.attrs[3] is not None}
        read = toposort(self.roots, stop=dear.__contains__)
        self.kept = {m: _leaf("kept", m) for m in read if m in dear}
        closed = substitute(self.roots, self.kept, build.rebuild)
        self.replaced = opened(n, closed)
        seen = set(toposort(self.replaced))
        self.sources = {x: s for x, s in zip(c.slices, ends(n).sources, strict=True) if x in seen}
        self.sources |= dict.fromkeys(self.kept.values(), n)

    def forward(self) -> Node:
        """The forward loop, which keeps what is read."""
        c: Cycle = self.n.attrs[0]
        stacked = (*c.stacked, *(m for m in self.kept if m not in c.stacked))
        return make(Kind.LOOP, self.n.operands, (replace(c, stacked=stacked),), (), self.n.dtype)

    def sources_of(self, forward: Node) -> dict[Node, Node]:
        """For each leaf that is a row, what it is a row of."""
        c: Cycle = forward.attrs[0]
        results = parts(forward)
        stacks = {leaf: results[len(c.carried) + c.stacked.index(m)] for m, leaf in self.kept.items()}
        return {x: stacks.get(x, s) for x, s in self.sources.items()}


@dataclass(frozen=True, slots=True)
class _Sum:
    """The sum of a term over the steps: of products or sums of `rows`, if there are any, `over` which it is taken at once."""

    term: Node
    rows: tuple[Node, ...] = ()

    @staticmethod
    def of(term: Node, reading: _Reading, seeds: Set[Node]) -> _Sum:
        if term.kind is Kind.MATMUL and term.rank == 2:
            a, b = term.operands
            left = build.is_swap(a)
            if left is not None and left.rank == b.rank == 2:
                return _Sum(term, (left, b))
        if term.kind is Kind.GENERIC and term.attrs[3] == "sum" and term.attrs[0] == scalar.x(0) and term.operands[0].rank:
            return _Sum(term, term.operands)
        return _Sum(term)

    def over(self, stacks: Sequence[Node]) -> Node:
        """The sum over all steps, given each row's stack."""
        if self.term.kind is Kind.MATMUL:
            flat = [build.reshape(s, (build.product(s.shape[:2]), s.shape[2])) for s in stacks]
            return build.matmul(build.swap(flat[0]), flat[1])
        body, (index,), space, reducer = self.term.attrs
        at = (len(space), *index)
        return build.generic(body, stacks, (at,), (*space, stacks[0].shape[0]), self.term.rank, reducer, self.term.dtype)
