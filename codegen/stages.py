"""Inside a phase: statements to stages, and stages to groups that share one loop nest.

Law of this file: a stage is one walk over the rows of a block (or, in a serial phase, straight-line work), or one call.
In a walk, statements whose remaining labels have the same extents share a nest; a statement may read the result of
another in the same nest only where both stand at the same element.  Each statement goes to the earliest nest that its
operands allow, so the nests are as few as the dependences permit; but statements that are not related by any array
share nothing: fifty updates in one loop are fifty streams too many, and fifty equal loops are one function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from .expressions import accumulator_dtype
from .ir import Buffer, Concat, Map, MatMul, Place, Program, Size, Slice, Statement, reads
from .phases import Hints, Member, Phase, estimate, work
from .products import inner_parts
from .target import Limits

UNROLLED_WORK = 512
"""Flops that unrolling may write out: every line costs Numba 13 ms."""

WALKED = (Map, Slice, Place, Concat)
"""Statements that are loops, not calls."""

Position = tuple[int, int, int]
"""(phase, stage, group)."""


@dataclass(frozen=True, slots=True)
class Work:
    """A statement with its labels sorted out.

    `rows` walk the rows of the phase; `outer` are the other labels of the result and `inner` the other reduced ones,
    both without labels of extent 1, in order; the nest's loops are outer + inner.  A `folded` statement is reduced over
    the rows: 'carry' in one register, 'unrolled' in several, 'memory' in an array for each block.

    A sum that is `crossed` has its reduced labels outside, as its operand lies in memory, and gathers in the array of its
    result: sums over all but the last axis.
    """

    statement: Statement
    rows: tuple[int, ...]
    outer: tuple[int, ...]
    inner: tuple[int, ...]
    loops: tuple[Size, ...]
    folded: Literal["", "carry", "unrolled", "memory"] = ""
    crossed: bool = False

    @property
    def order(self) -> tuple[int, ...]:
        """The labels of the nest's loops."""
        return self.inner + self.outer if self.crossed else self.outer + self.inner

    @property
    def scalar(self) -> bool:
        """One value for each row (in a serial phase: one value)."""
        return not self.outer and not self.folded and isinstance(self.statement, Map)


@dataclass(frozen=True, slots=True)
class Group:
    """Statements in one loop nest."""

    loops: tuple[Size, ...]
    works: tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """A walk over the rows with its nests, or a single call; a nest of a call takes its elements as they are made.

    `parts`: into how many the inner axis of a product is cut, which a team makes side by side; `first`: what makes its
    factors' elements as they are read."""

    groups: tuple[Group, ...]
    call: Statement | None = None
    parts: int = 1
    first: tuple[Work, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A phase and its stages; how it walks its rows, in blocks of how many, and which arrays it asks for a block ahead is
    settled in `layout`.  A loop's phase has a `body`.  `lanes`: how many share the work of a member."""

    phase: Phase
    stages: tuple[Stage, ...]
    walk: Literal["rows", "lanes", "columns"] = "rows"
    block: int = 0
    ahead: frozenset[str] = frozenset()
    body: Arranged | None = None
    lanes: int = 1

    def works(self) -> list[Work]:
        return [w for stage in self.stages for g in stage.groups for w in g.works]


@dataclass(frozen=True, slots=True)
class Arranged:
    """A program with its plans, and the names of what is repacked for them."""

    program: Program
    plans: tuple[Plan, ...]
    packed: frozenset[str]


def analyse(member: Member, phase: Phase, table: dict[str, Buffer], limits: Limits) -> Work:
    """The labels of a statement in its phase."""
    s, form = member.statement, member.form
    space = s.space if isinstance(s, Map) else table[s.out].shape
    rank = len(table[s.out].shape)
    rows: tuple[int, ...] = ()
    if form is not None:
        rows = tuple(range(len(space))) if phase.flat else (form.label,)
    rest = [label for label in range(len(space)) if label not in rows and space[label] != 1]
    outer, inner = tuple(a for a in rest if a < rank), tuple(a for a in rest if a >= rank)
    fold = _fold(s, member, phase, table, outer, inner, limits)
    crossed = not limits.spread and isinstance(s, Map) and fold in ("", "memory") and _crosses(s, outer, inner, table)
    order = inner + outer if crossed else outer + inner
    return Work(s, rows, outer, inner, tuple(space[a] for a in order), fold, crossed)


def _crosses(s: Map, outer: tuple[int, ...], inner: tuple[int, ...], table: dict[str, Buffer]) -> bool:
    """Does every operand that is reduced lie along the last axis of the result?

    The biases of 28 x 28 x 32 images: as 784 numbers for each channel LLVM unrolled the sums and took 15 s for them."""
    if not outer or not inner or s.reducer not in ("sum", "prod", "max", "min") or accumulator_dtype(table[s.out].dtype) != s.body.dtype:
        return False
    reduced = [ix for ix in s.index if set(ix) & set(inner)]
    return any(set(outer + inner) <= set(ix) for ix in reduced) and all(ix[-1] == outer[-1] for ix in reduced)


def _fold(
    s: Statement, member: Member, phase: Phase, table: dict[str, Buffer], outer, inner, limits: Limits
) -> Literal["", "carry", "unrolled", "memory"]:
    reduces = member.form is not None and (member.form.reduces or phase.flat and isinstance(s, Map) and s.reducer is not None)
    if not reduces:
        return ""
    if not outer:
        return "carry"
    assert isinstance(s, Map)
    shape = table[s.out].shape
    n = prod(e for e in shape if isinstance(e, int))
    short = all(isinstance(e, int) for e in shape) and n <= limits.unroll and n * max(1, s.body.flops()) <= UNROLLED_WORK
    short &= not any(isinstance(m.statement, MatMul) for m in phase.members)  # rows of tiles lie one after another
    return "unrolled" if short and not inner else "memory"


def arrange(phase: Phase, table: dict[str, Buffer], limits: Limits, hints: Hints) -> Plan:
    """The stages of a phase.

    Where lanes share the work and a row is wide, each nest is a stage of its own, which they share as suits it best."""
    stages: list[list[list[Work]] | Statement] = []
    made: dict[str, tuple[int, int, Work]] = {}
    family = _families([m.statement for m in phase.members], table)
    works = {m.statement.out: analyse(m, phase, table, limits) for m in phase.members}
    unrolled = [w for w in works.values() if w.folded == "unrolled"]
    if sum(estimate(table[w.statement.out].shape, {}) for w in unrolled) > limits.unrolled:
        works |= {w.statement.out: replace(w, folded="memory") for w in unrolled}
    narrow = limits.spread and phase.kind == "rows" and all(_narrow(w, limits, hints) for w in works.values())
    apart = limits.spread and phase.kind == "rows" and not narrow
    if apart:
        works = {n: replace(w, folded="memory") if w.folded == "unrolled" else w for n, w in works.items()}
        family |= {n: f"{n} alone" for n, w in works.items() if w.folded == "memory"}
    behind: dict[str, list[Work]] = {}
    first: dict[str, list[Work]] = {}
    for member in phase.members:
        s = member.statement
        if member.behind:
            (first if member.first else behind).setdefault(member.behind, []).append(works[s.out])
            made[s.out] = (made[member.behind][0], 0, works[s.out])
            continue
        low = max([(made[n][0], made[n][1]) for n in reads(s) if n in made], default=(0, 0))
        if not isinstance(s, WALKED):
            stages.append(s)
            made[s.out] = (len(stages) - 1, 0, works[s.out])
            continue
        work = works[s.out]
        at = _fit(work, low, stages, made, family)
        if at is None and apart:
            stages.append([[]])
            at = len(stages) - 1, 0
        if at is None:
            walks = [k for k, x in enumerate(stages) if k >= low[0] and isinstance(x, list)]
            if phase.kind == "rows":
                walks = [k for k in walks if family[stages[k][0][0].statement.out] == family[s.out]]  # type: ignore[index, union-attr]
            elif walks[-1:] != [len(stages) - 1]:
                walks = []
            if not walks:
                stages.append([])
                walks = [len(stages) - 1]
            walk = stages[walks[-1]]
            assert isinstance(walk, list)
            walk.append([])
            at = walks[-1], len(walk) - 1
        stages[at[0]][at[1]].append(work)  # type: ignore[index]
        made[s.out] = (*at, work)
    parts = {}
    if limits.spread and phase.kind == "serial":
        parts = {s.out: _parts(s, table, hints) for s in stages if isinstance(s, MatMul) and s.out not in first}
    return Plan(phase, tuple(_stage(x, behind, first, parts) for x in stages), walk="lanes" if narrow else "rows", lanes=limits.lanes)


def _narrow(w: Work, limits: Limits, hints: Hints) -> bool:
    """Is a statement's part of a row little enough for one lane?"""
    return w.folded != "memory" and estimate(w.loops, hints) <= limits.narrow


def _families(statements: list[Statement], table: dict[str, Buffer]) -> dict[str, str]:
    """For the result of each statement that is walked a name that it has in common with those which touch its arrays."""
    parent: dict[str, str] = {}

    def find(n: str) -> str:
        while parent.setdefault(n, n) != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for s in statements:
        if isinstance(s, WALKED):
            for n in (s.out, *reads(s)):
                if table[n].shape:
                    parent[find(n)] = find(s.out)
    return {s.out: find(s.out) if any(table[n].shape for n in (s.out, *reads(s))) else "" for s in statements if isinstance(s, WALKED)}


def _parts(s: MatMul, table: dict[str, Buffer], hints: Hints) -> int:
    """Into how many parts the inner axis of a product is cut where lanes share the work; what is not known is not cut."""
    shape = work(s, table)
    known = len(shape) == 3 and all(isinstance(e, int) or e in hints for e in shape)
    return inner_parts(*(estimate((e,), hints) for e in shape)) if known else 1


def _stage(x: list[list[Work]] | Statement, behind: dict[str, list[Work]], first: dict[str, list[Work]], parts: dict[str, int]) -> Stage:
    if not isinstance(x, list):
        works = tuple(behind.get(x.out, ()))
        return Stage((Group(works[0].loops, works),) if works else (), x, parts.get(x.out, 1), tuple(first.get(x.out, ())))
    return Stage(tuple(Group(works[0].loops if works[0].folded != "unrolled" else (), tuple(works)) for works in x))


def _kind(w: Work, family: dict[str, str]) -> tuple:
    """What must agree for two statements to share a nest."""
    return (w.loops, w.folded == "unrolled", isinstance(w.statement, Map), family[w.statement.out])


def _fit(
    work: Work, low: tuple[int, int], stages: list, made: dict[str, tuple[int, int, Work]], family: dict[str, str]
) -> tuple[int, int] | None:
    if not isinstance(work.statement, Map):
        return None
    for at in range(low[0], len(stages)):
        if not isinstance(stages[at], list):
            continue
        for g in range(low[1] if at == low[0] else 0, len(stages[at])):
            if _kind(stages[at][g][0], family) == _kind(work, family) and all(
                (made[n][0], made[n][1]) < (at, g) or same_element(made[n][2], work, k)
                for k, n in enumerate(work.statement.operands)
                if n in made
            ):
                return at, g
    return None


def same_element(producer: Work, consumer: Work, slot: int) -> bool:
    """Does operand `slot` of the consumer, in the same nest, stand where the producer has just written?"""
    s = consumer.statement
    if producer.folded or producer.inner or not isinstance(producer.statement, Map) or not isinstance(s, Map):
        return False
    index = s.index[slot]
    ours = consumer.order
    walked = [label for axis, label in enumerate(index) if axis in producer.outer]
    return [ours.index(a) if a in ours else -1 for a in walked] == list(range(len(producer.outer)))
