"""Where every buffer lives while a kernel runs.

Law of this file: a value lives in the cheapest place that all its readers can see: a local variable, a slot of the pool
of scalars, scratch for one row or one block of rows of each thread, a state array updated in place, the result array
itself, and only then scratch of its full size, which later phases reuse.  Every array of a kernel is flat.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from .expressions import accumulator_dtype
from .ir import (
    SAME,
    Buffer,
    First,
    Indirect,
    Last,
    Linalg,
    Map,
    MatMul,
    Pool,
    Program,
    Random,
    Repeat,
    Scatter,
    Size,
    Slice,
    Stack,
    Statement,
    Within,
    reads,
)
from .sections import Section, sections
from .sizes import extents
from .stages import Arranged, Plan, Position, Work, same_element

ONTO = 2
"""The operand of a `Scatter` or `MatMul` that is added to."""
STATUS = 3
"""Numbers that a statement which may fail leaves: what happened (0: nothing) and, of a coordinate, its value and the extent."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A number of elements that is known at launch: the product of `factors`, for each block of `rows`, for each thread."""

    factors: tuple[Size, ...]
    rows: tuple[Size, ...] = ()
    block: int = 0
    threads: bool = False

    def count(self, sizes: Mapping[str, int], nthreads: int) -> int:
        n = prod(extents(self.factors, sizes))
        if self.block:
            n *= -(-prod(extents(self.rows, sizes)) // self.block)
        return n * (nthreads if self.threads else 1)


VIEW = "y"
"""How the names of slices begin that a step of a loop sees; what follows the slice lies behind them."""
ArgRole = Literal["input", "state", "const", "output", "history", "scratch", "constants", "scalars", "status"]
ORDER = ("status", "constants", "scalars", "state", "input", "const", "output", "history", "scratch")
"""The calling order of arguments, by role."""


@dataclass(frozen=True, slots=True)
class Arg:
    """An array argument of a kernel.  `buffer` names what is passed for inputs, states, constants and outputs; `packed` is
    the number of rows in a block of one that is repacked."""

    name: str
    dtype: str
    role: ArgRole
    extent: Extent = Extent(())
    buffer: str = ""
    packed: int = 0


@dataclass(frozen=True, slots=True)
class Home:
    """Where one buffer lives: `array` the whole of it, `row` and `tile` one row or block of it, `slot` of a pool, `local`.

    `packed`: the rows of a block of an array or tile whose rows are the last axis.  A `section` is part of another home."""

    kind: Literal["array", "row", "tile", "slot", "local", "section"]
    arg: str = ""
    slot: int = 0
    packed: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """How an output is taken: the array passed for it, a slot of a pool, or a copy of an array made before or after."""

    kind: Literal["fresh", "slot", "before", "after"]
    arg: str
    slot: int
    shape: tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What a step of a loop sees of an array `of` as an array of its own: a slice of this shape."""

    name: str
    of: str
    shape: tuple[Size, ...]


@dataclass(frozen=True)
class Memory:
    """Homes by buffer, arguments in calling order, results, updates left to copy at the end, and the bodies of loops, by
    what numbers their steps."""

    homes: dict[str, Home]
    results: tuple[Result, ...]
    commits: tuple[tuple[str, str], ...]
    partials: dict[str, str]
    notes: tuple[str, ...]
    bodies: dict[str, Body]
    sections: dict[str, Section]


@dataclass(frozen=True)
class Part:
    """A program with all that was decided about it."""

    program: Program
    plans: tuple[Plan, ...]
    memory: Memory


@dataclass(frozen=True)
class Body(Part):
    """The body of a loop: its states are carried where the loop's results will be, its slices and stacks are views."""

    views: tuple[View, ...]


class Arguments:
    """The arguments of one kernel while they are handed out; the programs of a loop share them.

    `fixed` names the inputs that hold the same values whenever the kernel is entered, which may therefore be repacked."""

    def __init__(self, fixed: frozenset[str] = frozenset()) -> None:
        self.fixed = fixed
        self.made: list[Arg] = []
        self.pools: dict[str, list[str]] = {}
        self.failing: list[Statement] = []
        self.phases = 0
        self.views: list[View] = []
        self._free: dict[tuple[str, Extent], list[tuple[int, str]]] = {}
        self._shared: dict[tuple[str, int], str] = {}

    def new(self, dtype: str, role: ArgRole, extent: Extent, buffer: str = "", packed: int = 0) -> str:
        """An array of its own."""
        name = f"b{len(self.made)}"
        self.made.append(Arg(name, dtype, role, extent, buffer, packed))
        return name

    def of(self, b: Buffer, extent: Extent, packed: int = 0) -> str:
        """The array of an input, a state or a constant."""
        key = (b.name, packed)
        if key not in self._shared:
            self._shared[key] = self.new(b.dtype, b.role, extent, b.name, packed)  # type: ignore[arg-type]
        return self._shared[key]

    def slot(self, pool: str, name: str) -> Home:
        """A place among scalars of one dtype."""
        names = self.pools.setdefault(pool, [])
        if pool[0] == "c" and name in names:
            return Home("slot", pool, names.index(name))
        names.append(name)
        return Home("slot", pool, len(names) - 1)

    def scratch(self, first: int, last: int, dtype: str, extent: Extent) -> str:
        """Scratch that is taken from phase `first` on until phase `last`, counted over all programs of the kernel."""
        shelf = self._free.setdefault((dtype, extent), [])
        for k, (until, name) in enumerate(shelf):
            if until < first:
                shelf[k] = (last, name)
                return name
        name = self.new(dtype, "scratch", extent)
        shelf.append((last, name))
        return name

    def view(self, of: str, shape: tuple[Size, ...]) -> View:
        """A slice of an array, under a name of its own."""
        self.views.append(View(f"{VIEW}{len(self.views)}", of, shape))
        return self.views[-1]

    def inside(self) -> Arguments:
        """The same for the body of a loop, which shares no scratch with what lies around it and knows no fixed inputs."""
        other = copy.copy(self)
        other.fixed, other.phases, other._free = frozenset(), 0, {}
        return other

    def slots(self) -> dict[str, tuple[str, ...]]:
        """The buffers behind each pool, by slot."""
        return {pool: tuple(names) for pool, names in self.pools.items()}

    def ordered(self) -> tuple[Arg, ...]:
        """All of them in calling order."""
        found = [Arg(n, n[2:], "constants" if n[0] == "c" else "scalars", Extent((len(names),))) for n, names in self.pools.items()]
        if self.failing:
            found.append(Arg("status", "int64", "status", Extent((STATUS * len(self.failing),))))
        return tuple(sorted([*found, *self.made], key=lambda a: ORDER.index(a.role)))


@dataclass(slots=True)
class _Uses:
    """Who makes and who reads each buffer."""

    made: dict[str, tuple[Position, Work | None]] = field(default_factory=dict)
    readers: dict[str, list[tuple[Position, int, Work | None, int]]] = field(default_factory=dict)


def place(made: Arranged, arguments: Arguments, promote: bool = True, given: Mapping[str, Home] | None = None) -> Memory:
    """Decide every home that is not given.  `promote`: results are computed in the arrays that are returned."""
    memory = _Placer(made, arguments, promote, given or {}).run()
    arguments.phases += len(made.plans) + 1
    arguments.failing += failing(made.plans)
    return memory


class _Placer:
    """Names are handed out and homes recorded in one walk over the phases; nothing of it outlives `place`."""

    def __init__(self, made: Arranged, arguments: Arguments, promote: bool, given: Mapping[str, Home]) -> None:
        program, plans = made.program, made.plans
        self.program, self.plans, self.table = program, plans, program.table()
        self.packed, self.arguments, self.promote, self.given = made.packed, arguments, promote, given
        self.uses = _collect(plans)
        self.calls = _calls(plans)
        self.homes: dict[str, Home] = {}
        self.bodies: dict[str, Body] = {}
        self.results: list[Result] = []
        self.notes: list[str] = []
        self.partials: dict[str, str] = {}
        self.exposed = {*program.outputs, *(source for _, source in program.updates)}
        self.exposed |= {s.call.x for plan in plans for s in plan.stages if isinstance(s.call, SAME)}
        self.sections = sections(plans, self.table, self.exposed)
        self._read_through()

    def _read_through(self) -> None:
        """Who reads a slice reads what it is a slice of."""
        for name, section in self.sections.items():
            position, work = self.uses.made[name]
            if work is not None and isinstance(work.statement, Slice):
                found = [(at, order, work, 0) for at, order, _, _ in self.uses.readers.get(name, ())]
                self.uses.readers.setdefault(section.of, []).extend(found)

    def run(self) -> Memory:
        for b in self.program.buffers:
            if b.role != "temp" and b.name in self.given:
                self.homes[b.name] = self.given[b.name]
            elif b.role == "const" and b.name in self.uses.readers or b.name in self.arguments.fixed:
                self._constant(b)
            elif b.role in ("input", "state"):
                self.homes[b.name] = Home("array", self.arguments.of(b, Extent(b.shape)))
        commits = tuple(u for u in self.program.updates if not self._in_place(*u))
        promoted = {_root(n, self.calls) for n in self.program.outputs} if self.promote else set()
        for number, plan in enumerate(self.plans):
            for s in plan.phase.members:
                if s.statement.out not in self.homes:
                    self._temp(number, plan, s.statement.out, promoted)
            for w in plan.works():
                if w.folded:
                    b = self.table[w.statement.out]
                    accumulated = accumulator_dtype(b.dtype)
                    self.partials[b.name] = self._scratch(number, number, accumulated, Extent(b.shape, plan.phase.rows, plan.block))
            for stage in plan.stages:
                if isinstance(stage.call, Random) and stage.call.fn == "shuffle":
                    self.partials[stage.call.out] = self._scratch(number, number, "int64", Extent(self.table[stage.call.out].shape[:1]))
                if stage.parts > 1:
                    b = self.table[stage.call.out]  # type: ignore[union-attr]
                    self.partials[b.name] = self._scratch(number, number, b.dtype, Extent((stage.parts, *b.shape)))
                if isinstance(stage.call, First):
                    self.partials[stage.call.out] = self._scratch(number, number, "int64", Extent((stage.call.extent,)))
                if isinstance(stage.call, Linalg) and plan.lanes > 1 and stage.call.fn not in ("cholesky", "top"):
                    matrix = self.table[stage.call.args[0]]
                    self.partials[stage.call.out] = self._scratch(number, number, matrix.dtype, Extent(matrix.shape[-2:]))
            if plan.body is not None:
                self._loop(number, plan, plan.body)
        for n in self.program.outputs:
            self.results.append(self._result(n))
        return Memory(self.homes, tuple(self.results), commits, self.partials, tuple(self.notes), self.bodies, self.sections)

    def _loop(self, number: int, plan: Plan, body: Arranged) -> None:
        """The memory of a loop's body: what is carried stays where `Last` wants it, a stack is written in its place."""
        loop, *left = (m.statement for m in plan.phase.members)
        assert isinstance(loop, Repeat)
        inside, table = self.arguments.inside(), body.program.table()
        views: list[View] = []

        def view(of: str, shape: tuple[Size, ...]) -> Home:
            views.append(inside.view(self.homes[of].arg, shape))
            return Home("array", views[-1].name)

        given = {n: self.homes[n] for n in (*loop.captured, *loop.streams)}
        given |= {part: view(whole, table[part].shape) for part, whole in loop.slices}
        given |= {s.state: self.homes[s.out] for s in left if isinstance(s, Last)}
        for state in [state for state, _ in loop.starts if state not in given]:
            b = table[state]
            own = Home("array", self._scratch(number, number, b.dtype, Extent(b.shape))) if b.shape else None
            given[state] = own or self.arguments.slot(f"s_{b.dtype}", state)
        for s in left:
            if isinstance(s, Stack):
                root = _root(body.program.outputs[s.number], _calls(body.plans))
                given[root] = view(s.out, table[root].shape)
        memory = place(body, inside, given=given)
        self.notes += memory.notes
        self.bodies[loop.out] = Body(body.program, body.plans, memory, tuple(views))

    def _constant(self, b: Buffer) -> None:
        """A constant, or an input that is as good as one."""
        if b.role == "const" and not b.shape:
            self.homes[b.name] = self.arguments.slot(f"c_{b.dtype}", b.name)
            return
        blocks = (self.plans[at[0]].block for at, *_ in self.uses.readers.get(b.name, ()))
        packed = next(blocks, 0) if b.name in self.packed else 0
        extent = Extent((*b.shape[1:], packed), b.shape[:1], packed) if packed else Extent(b.shape)
        self.homes[b.name] = Home("array", self.arguments.of(b, extent, packed), packed=packed)
        if packed:
            self.notes.append(f"{b.role} {b.origin or b.name} is repacked in blocks of {packed} rows, rows across vector lanes")

    def _in_place(self, target: str, source: str) -> bool:
        """Give the new value of a state the state's own array when nobody reads the old value any more."""
        chain = self._added(target, source)
        position, writer = self.uses.made[chain[0] if chain else source]
        fails = (self.uses.made[n][0] for n, call in self.calls.items() if may_fail(call))
        if position <= max(fails, default=(-1, 0, 0)):  # a status is looked at before the next stage begins
            return False
        if self.table[target].shape != self.table[source].shape or not chain and not self._overwrites(source, writer):
            return False
        readers = self.uses.readers.get(target, ())
        if any(w is None and isinstance(self.plans[at[0]].stages[at[1]].call, SAME) for at, _, w, _ in readers):
            return False
        if chain:
            # a block of rows changes while other threads are before it
            by_rows = isinstance(self.calls[chain[0]], MatMul) and self.plans[position[0]].phase.kind == "rows"
            done = position[:1] if by_rows else position
            if not all(at[: len(done)] < done or at == position and slot == ONTO for at, _, _, slot in readers):
                return False
        elif not all(at[0] < position[0] or self._read_before(at, w, slot, position, writer, target) for at, _, w, slot in readers):
            return False
        for name in chain or (source,):
            self.homes[name] = self.homes[target]
        self.notes.append(f"{target} is updated in place")
        return True

    def _overwrites(self, source: str, writer: Work | None) -> bool:
        """Does a statement write its result element by element, or as a product?"""
        if writer is None:
            return isinstance(self.calls[source], MatMul)
        return not writer.folded and isinstance(writer.statement, Map)

    def _read_before(self, at: Position, w: Work | None, slot: int, position: Position, writer: Work | None, target: str) -> bool:
        """Does a reader in the writer's phase see every element of the state before it changes?"""
        if at[0] > position[0]:
            return False
        if writer is None or w is None or not (isinstance(w.statement, Map) and isinstance(writer.statement, Map)):
            return at < position and (self.plans[at[0]].phase.kind == "serial" or self._by_row(at, w, slot))
        order = [x.statement.out for x in self.plans[position[0]].works()]
        reads_it = any(n == target and same_element(writer, writer, k) for k, n in enumerate(writer.statement.operands))
        # in one nest an element is loaded under a name at its first use, which is then the writer's or comes before it
        last_use = len(order) if reads_it else order.index(writer.statement.out)
        ix = w.statement.index[slot]
        by_row = not writer.rows or (ix[: len(writer.rows)] == w.rows if len(w.rows) == len(writer.rows) else False)
        return by_row and (at < position or at == position and order.index(w.statement.out) <= last_use and same_element(writer, w, slot))

    def _by_row(self, at: Position, w: Work | None, slot: int) -> bool:
        """Does a statement read an operand row by row?"""
        s = w.statement if w else self.plans[at[0]].stages[at[1]].call
        form = next((m.form for m in self.plans[at[0]].phase.members if m.statement is s), None)
        return form is not None and form.rowwise[slot] and not self.plans[at[0]].phase.flat

    def _added(self, target: str, source: str) -> list[str]:
        """The calls that add to `target` what makes it `source`, first to last, when nothing else sees what lies between."""
        chain: list[str] = []
        name = source
        while isinstance(call := self.calls.get(name), Scatter | MatMul) and call.onto is not None:
            if chain and (name in self.exposed or len(self.uses.readers.get(name, ())) > 1):
                return []
            chain.insert(0, name)
            name = call.onto
        return chain if name == target else []

    def _temp(self, number: int, plan: Plan, name: str, promoted: set[str]) -> None:
        b = self.table[name]
        call = self.calls.get(name)
        if isinstance(call, SAME):
            self.homes[name] = self.homes[call.x]
            return
        if name in self.sections:
            self.homes[name] = Home("section")
            return
        position, work = self.uses.made[name]
        readers = self.uses.readers.get(name, [])
        given = work is not None and work in plan.stages[position[1]].first
        if given or call is not None and name not in self.exposed and readers and all(at == position for at, *_ in readers):
            self.homes[name] = Home("local")
            return
        first = min([position, *(self.uses.made[n][0] for n, w in self.sections.items() if w.of == name)])
        if name not in self.exposed and self._row_by_row(work, call):
            if work is not None and isinstance(work.statement, Map) and all(_sees_local(position, work, plan, r) for r in readers):
                self.homes[name] = Home("local")
                return
            if plan.phase.kind == "rows" and all(at[0] == number for at, *_ in readers):
                columns = plan.walk == "columns"
                row = not columns and all(at[:2] == first[:2] for at, *_ in readers)
                factors = tuple(b.shape[1:]) + (() if not row else (plan.lanes,) if plan.walk == "lanes" else ())
                factors += () if row else (plan.block,)
                array = self._scratch(number, number, b.dtype, Extent(factors, threads=True))
                self.homes[name] = Home("row" if row else "tile", array, packed=plan.block if columns else 0)
                return
        if name in self.given:
            self.homes[name] = self.given[name]
        elif not b.shape:
            self.homes[name] = self.arguments.slot(f"s_{b.dtype}", name)
        elif name in promoted:
            self.homes[name] = Home("array", self.arguments.new(b.dtype, "output", Extent(b.shape), name))
        else:
            self.homes[name] = Home("array", self._scratch(number, self._last(name), b.dtype, Extent(b.shape)))

    @staticmethod
    def _row_by_row(work: Work | None, call: object) -> bool:
        """Is a value made element by element or row by row, so that its readers may take it from less than a whole array?"""
        calls = isinstance(call, MatMul | Pool) or isinstance(call, Indirect) and not call.summed
        return calls or work is not None and not work.folded

    def _last(self, name: str) -> int:
        """The last phase that may read a buffer, directly or through a reshape."""
        if name in {source for _, source in self.program.updates} or not self.promote and name in self.program.outputs:
            return len(self.plans)
        last = self.uses.made[name][0][0]
        for at, *_ in self.uses.readers.get(name, ()):
            last = max(last, at[0])
        for out, call in self.calls.items():
            if isinstance(call, SAME) and call.x == name:
                last = max(last, self._last(out))
        return last

    def _scratch(self, first: int, last: int, dtype: str, extent: Extent) -> str:
        """Scratch that is taken from phase `first` on until phase `last` of this program."""
        return self.arguments.scratch(self.arguments.phases + first, self.arguments.phases + last, dtype, extent)

    def _result(self, name: str) -> Result:
        b, root = self.table[name], _root(name, self.calls)
        taken = {r.arg for r in self.results}
        if self.table[root].role != "temp":
            return Result("before", root, 0, b.shape)
        home = self.homes[root]
        if home.kind == "slot":
            return Result("slot", home.arg, home.slot, b.shape)
        fresh = any(a.name == home.arg and a.role == "output" for a in self.arguments.made) and home.arg not in taken
        return Result("fresh" if fresh else "after", home.arg, 0, b.shape)


def _calls(plans: tuple[Plan, ...]) -> dict[str, Statement]:
    """The statements that are calls, by what they write."""
    return {s.call.out: s.call for plan in plans for s in plan.stages if s.call is not None}


def _root(name: str, calls: Mapping[str, Statement]) -> str:
    """The buffer whose memory a chain of reshapes shows."""
    while isinstance(call := calls.get(name), SAME):
        name = call.x
    return name


def _collect(plans: tuple[Plan, ...]) -> _Uses:
    uses = _Uses()
    order = 0
    for p, plan in enumerate(plans):
        for q, stage in enumerate(plan.stages):
            found: list[tuple[int, Work | None, object]] = [(0, None, stage.call)] if stage.call else []
            found += [(g, w, w.statement) for g, group in enumerate(stage.groups) for w in group.works]
            found += [(len(stage.groups) + 1, w, w.statement) for w in stage.first]  # behind all, as what they read must stay till then
            for g, work, s in found:
                order += 1
                uses.made[s.out] = ((p, q, g), work)  # type: ignore[attr-defined]
                for slot, n in enumerate(reads(s)):  # type: ignore[arg-type]
                    uses.readers.setdefault(n, []).append(((p, q, g), order, work, slot))
    return uses


def _sees_local(position: Position, work: Work, plan: Plan, reader: tuple[Position, int, Work | None, int]) -> bool:
    at, _, w, slot = reader
    if w is None or not isinstance(w.statement, Map):
        return False
    own = at[0] == position[0] and (plan.phase.kind == "serial" or at[1] == position[1])
    if own and work.scalar and plan.walk != "columns" and plan.stages[at[1]].call is None:  # behind a call, it is the whole team's work
        return True
    return at == position and same_element(work, w, slot)


def failing(plans: tuple[Plan, ...]) -> list[Statement]:
    """The statements that can fail at run time, in order: their numbers are those of their status."""
    return [c for c in _calls(plans).values() if not isinstance(c, Repeat) and may_fail(c)]


def may_fail(s: Statement) -> bool:
    """Can a statement, or one of a loop's, fail at run time?"""
    if isinstance(s, Repeat):
        return any(map(may_fail, s.body.statements))
    return isinstance(s, Within) or isinstance(s, Linalg) and s.fn in ("inverse", "solve", "cholesky")
