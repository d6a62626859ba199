"""Loops as nodes: a body that is made once and run many times.

Law of this file: a LOOP node is closed.  What its body reads from outside are its operands, and inside of the body each
of them is a leaf, so a loop is rewritten, shared and replayed like any other node.  Whatever does not depend on the step is
left outside.  A leaf that stands for an operand is always the same one for the same operand: a loop that is made again
over the same nodes is the same node.  Results are PARTs: what is carried, as the last step left it; then the stacks, one
row for each step; then the number of steps made.

Products are the one thing whose rounding changes: [x, h] W is x W + h W where x is a row, so that all x W are one product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from . import build, dtypes, scalar
from .composites import expand
from .node import Key, Kind, Node, depends_on, make, substitute, toposort
from .shapes import Extent, ShapeError, brackets, compatible


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one step does, and how often.

    `carried` are leaves for what the step before left, `new` what they become; `slices` are leaves for the step's row of
    each stacked operand, `stacked` what is kept of each step; `captured` are leaves for what is the same in all steps.
    There are `steps` steps (None: no bound), no more than the operand that comes first says if the loop is `limited`, and
    none after `condition`, which reads what is carried, is false.  Backwards, rows are walked from the last to the first.
    `draws` are the keys of the random streams that each step draws from."""

    carried: tuple[Node, ...]
    new: tuple[Node, ...]
    slices: tuple[Node, ...]
    stacked: tuple[Node, ...]
    captured: tuple[Node, ...]
    condition: Node | None
    steps: Extent | None
    limited: bool
    backwards: bool
    draws: tuple[Key, ...]

    @property
    def results(self) -> list[Node]:
        """All that a step computes."""
        return [*self.new, *self.stacked, *((self.condition,) if self.condition is not None else ())]

    def nodes(self) -> list[Node]:
        """The body, operands first, with the bodies of the loops inside."""
        own = toposort(self.results)
        return [m for n in own for m in ((*n.attrs[0].nodes(), n) if n.kind is Kind.LOOP else (n,))]


@dataclass(frozen=True, slots=True)
class Ends:
    """The operands of a loop by their roles."""

    limit: Node | None
    starts: tuple[Node, ...]
    sources: tuple[Node, ...]
    captured: tuple[Node, ...]

    @property
    def all(self) -> tuple[Node, ...]:
        return (*((self.limit,) if self.limit is not None else ()), *self.starts, *self.sources, *self.captured)


def ends(n: Node) -> Ends:
    """What a LOOP node reads."""
    c: Cycle = n.attrs[0]
    rest = list(n.operands)
    limit = rest.pop(0) if c.limited else None
    a, b = len(c.carried), len(c.carried) + len(c.slices)
    return Ends(limit, tuple(rest[:a]), tuple(rest[a:b]), tuple(rest[b:]))


def parts(n: Node) -> tuple[Node, ...]:
    """All results of a LOOP node."""
    c: Cycle = n.attrs[0]
    finals = [(x.shape, x.dtype) for x in c.carried]
    stacks = [((0 if c.steps is None else c.steps, *y.shape), y.dtype) for y in c.stacked]
    return tuple(make(Kind.PART, (n,), (k,), s, d) for k, (s, d) in enumerate([*finals, *stacks, ((), dtypes.int64)]))


def loop(
    carried: Sequence[Node],
    starts: Sequence[Node],
    new: Sequence[Node],
    slices: Sequence[Node] = (),
    sources: Sequence[Node] = (),
    stacked: Sequence[Node] = (),
    *,
    steps: Extent | None,
    limit: Node | None = None,
    condition: Node | None = None,
    backwards: bool = False,
    draws: Set[Key] = frozenset(),
    inside: Iterable[Node] = (),
) -> tuple[Node, ...]:
    """The PARTs of a loop.  `carried` and `slices` are leaves in `new`, `stacked` and `condition`, which may read anything
    else besides; what depends neither on them nor on `draws` stays outside, unless it is named in `inside`."""
    for x, start, y in zip(carried, starts, new, strict=True):
        for what, n in (("starts as", start), ("becomes", y)):
            if n.dtype is not x.dtype or n.rank != x.rank or not all(map(compatible, n.shape, x.shape)):
                raise ShapeError(
                    f"a loop variable keeps its dtype and shape: {x.attrs[0]} is {x.dtype.name} {brackets(x.shape)} "
                    f"and {what} {n.dtype.name} {brackets(n.shape)}\n"
                    "tf.scan, tf.map_fn and tf.TensorArray keep what each step gives; shape_invariants let no variable grow here"
                )
    given = [*new, *stacked, *((condition,) if condition is not None else ())]
    inside = list(inside)
    written = expand([*given, *inside])
    results, kept = written[: len(given)], written[len(given) :]
    results, rows, stacks = _products_outside(results, dict(zip(slices, sources, strict=True)), [*carried, *kept], nesting(written))
    slices, sources = [*slices, *rows], [*sources, *stacks]
    order = toposort(results)
    drawn = [n for n in order if _draws(n) & draws]
    inner = depends_on(results, [*carried, *slices, *drawn, *kept])
    closed: dict[Node, Node] = {}
    outside: dict[Node, Node] = {}
    for n in toposort(results, stop=lambda n: n not in inner):
        if n in inner:
            operands = tuple(closed[o] for o in n.operands)
            closed[n] = n if operands == n.operands else build.rebuild(n, operands)
        elif _free(n):
            closed[n] = n
        elif build.is_pure(n) and n.dtype is n.operands[0].dtype:  # a transpose costs nothing where it is read
            (o,) = n.operands
            outside[o] = _leaf_of(o)
            closed[n] = build.rebuild(n, (outside[o],))
        else:
            closed[n] = outside[n] = _leaf_of(n)
    out = [closed[r] for r in results]
    a, b = len(new), len(new) + len(stacked)
    keys = tuple(sorted(draws & {k for n in drawn for k in _draws(n)}, key=lambda k: k.name))
    cycle = Cycle(
        tuple(carried),
        tuple(out[:a]),
        tuple(slices),
        tuple(out[a:b]),
        tuple(outside.values()),
        out[b] if condition is not None else None,
        steps,
        limit is not None,
        backwards,
        keys,
    )
    operands = (*((limit,) if limit is not None else ()), *starts, *sources, *outside)
    return parts(make(Kind.LOOP, operands, (cycle,), (), dtypes.int64))


def _products_outside(
    results: list[Node], sources: dict[Node, Node], within: Sequence[Node], height: int
) -> tuple[list[Node], list[Node], list[Node]]:
    """Products of a row with a matrix that all steps share are rows of one product, made before the loop; so is that part
    of [row, state] W.  28 products of 64 rows each take twice the time of one of 1792.

    Returns the results, the leaves of the new rows, and the stacks that they are rows of."""
    inner = depends_on(results, [*sources, *within])
    rows: dict[Node, Node] = {}
    new: dict[Node, Node] = {}

    def row(x: Node, w: Node) -> Node:
        source = sources[x]
        steps, n, k = source.shape
        whole = build.matmul(build.reshape(source, (build.product((steps, n)), k)), w)
        stack = build.reshape(whole, (steps, n, w.shape[1]))
        made = row_of(stack, height)
        rows[made] = stack
        return made

    for n in toposort(results):
        if n.kind is not Kind.MATMUL or n.rank != 2 or n.operands[1] in inner or n not in inner:
            continue
        a, w = n.operands
        if a in sources:
            new[n] = row(a, w)
        elif a.kind is Kind.CONCAT and a.attrs == (1,) and any(o in sources for o in a.operands):
            terms: list[Node] = []
            at: Extent = 0
            for o in a.operands:
                part = build.slice_(w, (at, 0), (o.shape[1], w.shape[1]), (1, 1))
                terms.append(row(o, part) if o in sources else build.matmul(substitute([o], new, build.rebuild)[0], part))
                at = at + o.shape[1]
            new[n] = terms[0]
            for t in terms[1:]:
                new[n] = build.elementwise(scalar.x(0) + scalar.x(1), new[n], t)
    return substitute(results, new, build.rebuild) if new else results, list(rows), list(rows.values())


def _draws(n: Node) -> frozenset[Key]:
    """The random streams that a node advances."""
    if n.kind is Kind.RANDOM:
        return frozenset({n.attrs[0]})
    return frozenset(n.attrs[0].draws) if n.kind is Kind.LOOP else frozenset()


def _free(n: Node) -> bool:
    """Is the node as cheap to make again in the body as to read from outside?"""
    return not n.operands and (n.kind is Kind.GENERIC or n.kind is Kind.CONST and n.shape == ())


_leaves: WeakKeyDictionary[Node, Key] = WeakKeyDictionary()
_rows: WeakKeyDictionary[Node, dict[int, Key]] = WeakKeyDictionary()
_heights: WeakKeyDictionary[Node, int] = WeakKeyDictionary()
_levels: WeakKeyDictionary[Node, int] = WeakKeyDictionary()


def _leaf_of(n: Node) -> Node:
    """The leaf that stands for a node of outside in any body."""
    if n not in _leaves:
        _leaves[n] = Key("captured")
    return make(Kind.CUT, (), (_leaves[n],), n.shape, n.dtype)


def row_of(sequence: Node, height: int) -> Node:
    """The leaf for a step's row of a sequence in the bodies of this `nesting`.  A derivative opens bodies into those around
    them, so the rows of a loop and of a loop inside of it are two."""
    keys = _rows.setdefault(sequence, {})
    leaf = make(Kind.CUT, (), (keys.setdefault(height, Key("row")),), sequence.shape[1:], sequence.dtype)
    _heights[leaf] = height
    return leaf


def nesting(body: Iterable[Node]) -> int:
    """How deep loops lie in each other where this is the body of one: 1 for no other loop inside."""
    return 1 + max((_level(n) for n in toposort(body) if n.kind is Kind.LOOP), default=0)


def _level(n: Node) -> int:
    if n not in _levels:
        c: Cycle = n.attrs[0]
        _levels[n] = max([nesting(c.results), *(_heights.get(x, 0) for x in c.slices)])
    return _levels[n]


def opened(n: Node, nodes: Sequence[Node]) -> list[Node]:
    """Nodes of a loop's body over what the loop captures instead of over the leaves that stand for it."""
    c: Cycle = n.attrs[0]
    return substitute(nodes, dict(zip(c.captured, ends(n).captured, strict=True)), build.rebuild)


def pruned(n: Node, wanted: Set[int]) -> tuple[Node, dict[int, int]]:
    """The loop that computes the `wanted` results alone, and the number that each has there."""
    c, e = n.attrs[0], ends(n)
    count, stacks = len(c.carried), len(c.stacked)
    keep_stacks = [k for k in range(stacks) if count + k in wanted]
    roots = [*(c.stacked[k] for k in keep_stacks), *((c.condition,) if c.condition is not None else ())]
    keep: set[int] = {k for k in range(count) if k in wanted}
    while True:
        leaves = {m for m in toposort([*roots, *(c.new[k] for k in keep)]) if not m.operands}
        more = {k for k in range(count) if c.carried[k] in leaves} | keep
        if more == keep:
            break
        keep = more
    carried = sorted(keep)
    slices = [k for k, s in enumerate(c.slices) if s in leaves]
    captured = [k for k, s in enumerate(c.captured) if s in leaves]
    draws = {k for m in toposort([*roots, *(c.new[k] for k in carried)]) for k in _draws(m)}
    cycle = replace(
        c,
        carried=tuple(c.carried[k] for k in carried),
        new=tuple(c.new[k] for k in carried),
        slices=tuple(c.slices[k] for k in slices),
        stacked=tuple(c.stacked[k] for k in keep_stacks),
        captured=tuple(c.captured[k] for k in captured),
        draws=tuple(k for k in c.draws if k in draws),
    )
    kept = Ends(e.limit, *(tuple(v[k] for k in at) for v, at in ((e.starts, carried), (e.sources, slices), (e.captured, captured))))
    number = {old: new for new, old in enumerate([*carried, *(count + k for k in keep_stacks), count + stacks])}
    return make(Kind.LOOP, kept.all, (cycle,), (), dtypes.int64), number


def normal(n: Node) -> Node:
    """The loop with the one leaf for each operand that it captures and for the rows of each that it walks over, whatever it
    was made over before."""
    c, e = n.attrs[0], ends(n)
    captured = tuple(map(_leaf_of, e.captured))
    rows = [row_of(source, 0) for source in e.sources]
    if captured == c.captured and tuple(rows) == c.slices:
        return n
    sequences = dict(zip(rows, e.sources, strict=True))
    results = substitute(c.results, dict(zip((*c.captured, *c.slices), (*captured, *rows), strict=True)), build.rebuild)
    a, b = len(c.new), len(c.new) + len(c.stacked)
    condition = results[b] if c.condition is not None else None
    cycle = replace(c, new=tuple(results[:a]), slices=tuple(sequences), stacked=tuple(results[a:b]), captured=captured, condition=condition)
    return make(Kind.LOOP, replace(e, sources=tuple(sequences.values())).all, (cycle,), (), n.dtype)


def same_steps(n: Node) -> tuple:
    """What two `normal` loops agree in that differ in nothing but what they keep of each step, and whether its number was
    known beforehand.  What they read is the same, so none of them reads what another gives."""
    c, e = n.attrs[0], ends(n)
    return (c.carried, c.new, c.condition, c.backwards, e.limit, e.starts, frozenset(e.sources), frozenset(e.captured))


def by_steps(loops: Iterable[Node]) -> list[list[Node]]:
    """Loops that agree in `same_steps`, apart by how many steps they make; where that is not known, with the first."""
    groups: dict[Extent | None, list[Node]] = {}
    for n in sorted(loops, key=lambda n: n.attrs[0].steps is None):
        steps = n.attrs[0].steps
        groups.setdefault(next(iter(groups), None) if steps is None else steps, []).append(n)
    return list(groups.values())


def merged(loops: Sequence[Node]) -> Node:
    """One loop that keeps what any of several keeps, which agree in `same_steps`; stacks in their order, each once."""
    first: Cycle = loops[0].attrs[0]
    sources: dict[Node, Node] = {}
    captured: dict[Node, Node] = {}
    for n in loops:
        e = ends(n)
        sources.update(zip(n.attrs[0].slices, e.sources, strict=True))
        captured.update(zip(n.attrs[0].captured, e.captured, strict=True))
    cycle = replace(
        first,
        slices=tuple(sources),
        stacked=tuple(dict.fromkeys(y for n in loops for y in n.attrs[0].stacked)),
        captured=tuple(captured),
        steps=next((n.attrs[0].steps for n in loops if n.attrs[0].steps is not None), None),
        draws=tuple(dict.fromkeys(k for n in loops for k in n.attrs[0].draws)),
    )
    operands = Ends(ends(loops[0]).limit, ends(loops[0]).starts, tuple(sources.values()), tuple(captured.values())).all
    return make(Kind.LOOP, operands, (cycle,), (), dtypes.int64)
