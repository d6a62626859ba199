"""One phase as loop nests: where each value is computed, read and stored.

Law of this file: it writes out what `stages` and `memory` have decided.  Every value is loaded at the outermost level of
the nest at which it does not change; every array is indexed from a slice that starts at 0, because Numba's test for
negative indices otherwise keeps LLVM from vectorising (7 against 184 ms on one training loop).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from . import calls, folds, moves
from .addresses import Names, Shape, flat_index, least, product, scaled, share_of
from .expressions import LIMITS, accumulation, carried, cast, emit, identity, literal
from .ir import At, Indirect, Map, Program, Scatter, Size, Walk, reads
from .loops import Accumulate, Call, Comment, For, If, Let, Node, Return, Store
from .memory import STATUS, Memory
from .scalar import Instr
from .stages import Group, Plan, Stage, Work


@dataclass
class Region:
    """Code between two possible barriers: run by the whole team or by thread 0, with the memory it touches.

    `owned` are arrays of which a thread touches nothing but the rows that are its share: how many rows of what size, in
    which blocks.  `meetings` are those inside of it, of how many steps each."""

    team: bool
    nodes: list[Node]
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    owned: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    meetings: tuple[Meeting, ...] = ()


Meeting = tuple[int, tuple[Size, ...]]
"""Barriers, and the sizes whose product says how often they are passed."""


@dataclass
class Nest:
    """One group while it is written: what stands before and after the loop at each level, names of loop variables."""

    depth: int
    extents: tuple[str, ...]
    vars: tuple[str, ...]
    pre: list[list[Node]]
    post: list[list[Node]]
    counts: Counter[str]
    loads: dict[str, str] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    alias: dict[str, str] = field(default_factory=dict)
    shared: tuple[int, int] = (0, 0)
    """The levels, from and to, that the lanes of a member share."""

    def level(self, name: str) -> int:
        """Inside how many of the loops a loop variable or a loaded coordinate changes."""
        name = self.alias.get(name, name)
        return self.levels.get(name, self.vars.index(name) + 1 if name in self.vars[: self.depth] else 0)

    def nodes(self) -> list[Node]:
        body = self.pre[self.depth]
        for level in reversed(range(self.depth)):
            loop = For(self.vars[level], self.extents[level], tuple(body))
            body = [*self.pre[level], loop, *self.post[level]]
        return body


class PhaseWriter:
    """Writes one phase.  `row` is the row inside its block, `block` its first row; both only in a rows phase."""

    def __init__(self, program: Program, plan: Plan, memory: Memory, names: Names, helpers: set[str], statuses: list[str]) -> None:
        self.program, self.table, self.plan, self.memory, self.names, self.helpers = program, program.table(), plan, memory, names, helpers
        self.statuses = statuses
        self.rows = plan.phase.kind == "rows"
        self.size = plan.block if self.rows else 0
        self.columns = self.gathers = plan.walk == "columns"
        self.lead = 0
        self.last = {n: g for stage in plan.stages for g in stage.groups for w in g.works for n in reads(w.statement) if n in plan.ahead}
        self.top: list[Node] = []
        self.heads: list[Node] = []
        self.tails: list[Node] = []
        self.slices: dict[tuple[str, str], str] = {}
        self.scalars: dict[str, str] = {}
        self.fixed: dict[str, str] = {}
        self.locals: dict[str, str] = {}
        self.combines: list[list[Node]] = []
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.strides: dict[str, str] = {}
        self.final: set[str] = set()
        self.row = self.first = self.width = self.blocks = self.number = ""
        self.global_row = ""

    # ------------------------------------------------------------ regions
    def regions(self, number: str) -> list[Region]:
        phase = self.plan.phase
        title: list[Node] = [
            Comment(
                f"phase {number}: {phase.kind}" + (f" over {' * '.join(map(str, phase.rows))}" if phase.rows else "") + f": {phase.reason}"
            )
        ]
        if self.rows:
            k, self.row, self.first, self.width, self.blocks = (self.names.fresh(c) for c in ("k", "i", "lo", "w", "nb"))
            self.number = k
            total = product(phase.rows, self.names)
            self.top.append(Let(self.blocks, f"({total} + {self.size - 1}) // {self.size}"))
        if not self.rows:
            return self._serial(title)
        body: list[Node] = []
        for stage in self.plan.stages:
            body += self._stage(stage)
        limits = [Let(self.first, f"{self.number} * {self.size}"), Let(self.width, least(str(self.size), f"{total} - {self.first}"))]
        loop = For(self.number, share_of(self.blocks), (*limits, *self.heads, *body, *self.ends()))
        owned = {array: (total, self.size, stride) for array, stride in self.strides.items() if stride}
        out = [Region(True, [*title, *self.top, loop], self.reads, self.writes - self.final, owned)]
        if self.combines:
            nodes = [node for part in self.combines for node in part]
            partials = {self.memory.partials[w.statement.out] for w in self.plan.works() if w.folded}
            out.append(Region(False, [Comment("combine the blocks, in order"), *nodes], partials, self.final))
        return out

    def _stage(self, stage: Stage) -> list[Node]:
        """One walk over the rows of a block (in a serial phase: straight-line work), or one call."""
        if stage.call is not None:
            return [self._comment(stage.call), *calls.write(self, stage.call)]
        if self.rows:
            self.locals, self.fixed = {}, {}
            self.global_row = ""
        comments = [self._comment(w.statement) for g in stage.groups for w in g.works]
        nests = [node for g in stage.groups for node in self._group(g)]
        if self.global_row:
            nests.insert(0, Let(self.global_row, f"{self.first} + {self.row}"))
        return [*comments, For(self.row, self.width, tuple(nests))] if self.rows and not self.columns else [*comments, *nests]

    def _serial(self, nodes: list[Node]) -> list[Region]:
        """One thread's work; statuses are looked at before anything follows them, and large scatters are the whole team's."""
        out: list[Region] = []
        checked: list[str] = []

        def cut(team: bool = False) -> None:
            nonlocal nodes
            if nodes:
                out.append(Region(team, nodes, self.reads, self.writes))
            if checked:
                out.append(Region(True, [If(f"{self.status(n)} != 0", (Return(),)) for n in checked], {"status"}, set()))
                checked.clear()
            nodes, self.reads, self.writes = [], set(), set()

        for stage in self.plan.stages:
            fails = stage.call is not None and stage.call.out in self.statuses
            team = isinstance(stage.call, Scatter | Indirect) and calls.shared(self, stage.call)
            if checked and not fails or team and not all(isinstance(node, Comment) for node in nodes):
                cut()
            nodes += self._stage(stage)
            if fails:
                checked.append(stage.call.out)  # type: ignore[union-attr]
            if team:
                cut(team=True)
        cut()
        return out

    def status(self, name: str, entry: int = 0) -> str:
        """An entry of what a statement that may fail says of itself."""
        return f"status[{STATUS * self.statuses.index(name) + entry}]"

    def _comment(self, s) -> Comment:
        origin = self.table[s.out].origin
        words = s.body.text(list(s.operands)) + (f" [{s.reducer}]" if s.reducer else "") if isinstance(s, Map) else moves.words(s)
        return Comment(f"{s.out} = {words[:160]}" + (f"  -- {origin}" if origin else ""))

    # ------------------------------------------------------------ a loop nest
    def _group(self, group: Group) -> list[Node]:
        if not isinstance(group.works[0].statement, Map):
            return [node for w in group.works for node in moves.write(self, w.statement)]
        if group.works[0].folded == "unrolled" and not self.columns:
            return [node for w in group.works for node in folds.unrolled(self, w)]
        loops = group.works[0].loops
        variables, extents = tuple(f"j{d}" for d in range(len(loops))), tuple(map(self.names.size, loops))
        if not self.columns:
            nest = self.nest(extents, variables, list(group.works))
            first = [node for w in group.works for node in self._work(w, nest)]
            return [*first, *self.loops(nest)]
        self.global_row = ""
        nest = self.nest((*extents, self.width), (*variables, self.row), list(group.works))
        first = [node for w in group.works for node in self._work(w, nest)]
        if self.global_row:
            nest.pre[nest.depth].insert(0, Let(self.global_row, f"{self.first} + {self.row}"))
            self.global_row = ""
        if len(loops) == 1:
            nest.pre[1] += [node for n, last in self.last.items() if last is group for node in self._ask(n, extents[0], variables[0])]
        return [*first, *self.loops(nest)]

    def _ask(self, name: str, extent: str, variable: str) -> list[Node]:
        """A part of the next block's lines of a packed array, in each of a nest's outer turns: memory works meanwhile."""
        row = product(self.table[name].shape[1:], self.names)
        block, line = self.size * int(row), 64 // np.dtype(self.table[name].dtype).itemsize
        part = -(-block // (int(extent) * line)) * line
        at = self.names.fresh("i")
        array = self.block_slice(self.memory.homes[name].arg, row)
        self.helpers.add("prefetch")
        return [For(at, f"0, {part}, {line}", (Call(f"prefetch({array}, {block} + {scaled(variable, str(part))} + {at})"),))]

    def nest(self, extents: tuple[str, ...], variables: tuple[str, ...], works: list[Work]) -> Nest:
        depth = len(extents)
        nest = Nest(depth, extents, variables, [[] for _ in range(depth + 1)], [[] for _ in range(depth + 1)], Counter())
        local = {w.statement.out for w in works}
        for w in works:
            assert isinstance(w.statement, Map)
            code = w.statement.body.code
            times = Counter(code[a].value for i in code for a in i.args if code[a].fn == "operand")
            for slot in w.statement.body.operands():
                if w.statement.operands[slot] not in local:
                    text, _ = self._operand(w, slot, nest)
                    nest.counts[text] += max(1, times[slot])
        return nest

    def label(self, w: Work, label: int, nest: Nest) -> str:
        """The variable that walks a label."""
        if label in w.rows:
            if not self.global_row:
                self.global_row = self.names.fresh("r")
            return self.global_row
        order = w.order
        return nest.vars[self.lead + order.index(label)] if label in order else "0"

    def leaf(self, w: Work, nest: Nest):
        def leaf(i: Instr) -> str:
            if i.fn == "size":
                return self.names.size(i.value)  # type: ignore[arg-type]
            if i.fn == "index":
                return self.label(w, i.value, nest)  # type: ignore[arg-type]
            text, level = self._operand(w, i.value, nest)  # type: ignore[arg-type]
            if text.isidentifier() or level == nest.depth and nest.counts[text] < 2:
                return text
            if text not in nest.loads:
                nest.loads[text] = self.names.fresh("v")
                nest.pre[level].append(Let(nest.loads[text], text))
            return nest.loads[text]

        return leaf

    def _operand(self, w: Work, slot: int, nest: Nest) -> tuple[str, int]:
        """The text that reads an operand, and the level of the nest where it can be read."""
        assert isinstance(w.statement, Map)
        name, index = w.statement.operands[slot], w.statement.index[slot]
        if name in nest.values or name in self.locals:
            return nest.values.get(name) or self.locals[name], 0
        home = self.memory.homes[name]
        if home.kind == "slot":
            return self.scalar(name), 0
        return self.element(name, index, w, nest)

    def scalar(self, name: str) -> str:
        """A value of a pool, or of a one-element array, as a local name or an element."""
        if name in self.locals:
            return self.locals[name]
        home = self.memory.homes[name]
        if home.arg.startswith("c_"):
            return f"{home.arg}_{home.slot}"
        text = f"{home.arg}[{home.slot}]" if home.kind == "slot" else f"{home.arg}[0]"
        self.touch(home.arg)
        if not self.rows:
            return text
        if text not in self.scalars:
            self.scalars[text] = self.names.fresh("s")
            self.top.append(Let(self.scalars[text], text))
        return self.scalars[text]

    def element(self, name: str, index: tuple[Walk, ...], w: Work, nest: Nest, write: bool = False) -> tuple[str, int]:
        """`array[index]` of a buffer whose axes walk these labels, and the level at which it stands."""
        section, own = self.memory.sections.get(name), self.table[name].shape
        base = section.of if section else name
        home, shape = self.memory.homes[base], self.table[base].shape
        lead = len(w.rows) if self.rows and index[: len(w.rows)] == w.rows and not any(a in w.rows for a in index[len(w.rows) :]) else 0
        if w.folded and write or section and (section.start[0], section.step[0], shape[0]) != (0, 1, own[0]):
            lead = 0
        coordinates: list[str] = []
        for axis, walk in enumerate(index):
            if axis < lead or walk is None or own[axis] == 1:
                coordinates.append("0")
            else:
                coordinates.append(self.coordinate(w, walk.slot, nest) if isinstance(walk, At) else self.label(w, walk, nest))
        inner = flat_index(shape, coordinates, self.names, *((section.start, section.step) if section else ()))
        stride = product(shape[lead:], self.names)
        if home.kind not in ("row", "tile"):
            self.touch(home.arg, write, stride if lead else "")
        used = max((nest.level(v) for v in coordinates), default=0)
        level = max(used, nest.level(self.row)) if lead else used
        if self.columns and home.packed:
            whole = home.kind == "array"
            array = self.block_slice(home.arg, stride) if whole else self.thread_slice(home.arg, scaled(str(self.size), stride))
            return self._row_of_column(array, inner.times(home.packed).text, nest, used)
        if home.kind == "row":
            return self._sliced(self.row_slice(home.arg, stride), inner, nest, level)
        if home.kind == "tile":
            array = self.thread_slice(home.arg, scaled(str(self.size), stride))
            return self._sliced(array, inner.plus(self.row, stride), nest, level)
        if not lead:
            if self.rows and inner.text == "0" and not write and not section:
                return self.scalar(name), 0
            return self._sliced(home.arg, inner, nest, level)
        array = self.block_slice(home.arg, stride)
        if home.packed:
            return f"{array}[{inner.times(home.packed).plus(self.row, '1').text}]", level
        return self._sliced(array, inner.plus(self.row, stride), nest, level)

    def _row_of_column(self, array: str, offset: str, nest: Nest, level: int) -> tuple[str, int]:
        """An element of a packed block where rows are the inner loop: from a slice that starts at its column."""
        column = array if offset == "0" else self._named(f"{array}[{offset}:]", "x", level, nest)
        return f"{column}[{self.row}]", nest.depth

    def coordinate(self, w: Work, slot: int, nest: Nest) -> str:
        """The value of an operand that says where another is read, as a name: loaded once where it does not change."""
        text, level = self._operand(w, slot, nest)
        name = text if text.isidentifier() else self._named(text, "v", level, nest)
        nest.levels[name] = level
        return name

    def _sliced(self, array: str, index: Shape, nest: Nest, level: int) -> tuple[str, int]:
        """An element; with a symbolic stride or a coordinate that was loaded, the rest of a row gets a slice of its own, or
        Numba's test for negative indices keeps the loop scalar."""
        loaded = [nest.level(v) for v, _ in index.terms if v in nest.levels]
        last = nest.vars[-1] if 0 < level == nest.depth and index.unit(nest.vars[-1]) else ""
        if not loaded and not (last and index.symbolic):
            return f"{array}[{index.text}]", level
        inner, outer = index.split(lambda v: v == last if last else v.isdigit() or nest.level(v) > max(loaded))
        at = max((nest.level(v) for v, _ in outer.terms), default=0)
        if not inner.terms or at and at == nest.depth:  # the coordinate changes with every element
            return f"{array}[{index.text}]", level
        return f"{self._named(f'{array}[{outer.text}:]', 'x', at, nest)}[{inner.text}]", level

    def _named(self, text: str, letter: str, level: int, nest: Nest) -> str:
        """A name for a text, given where it can be read; what does not change within a row is read once for all its nests."""
        held = nest.loads if level else self.fixed
        if text not in held:
            held[text] = self.names.fresh(letter)
            nest.pre[level].append(Let(held[text], text))
        return held[text]

    def touch(self, array: str, write: bool = False, stride: str = "") -> None:
        """Note that memory is read or written; `stride`: nothing of it but the block's rows, each so long."""
        (self.writes if write else self.reads).add(array)
        if self.strides.setdefault(array, stride) != stride:
            self.strides[array] = ""

    def block_slice(self, array: str, stride: str) -> str:
        """The rows of the block as a slice that starts at 0."""
        key = (array, stride)
        if key not in self.slices:
            self.slices[key] = self.names.fresh("x")
            self.heads.append(Let(self.slices[key], f"{array}[{scaled(self.first, stride)}:]"))
        return self.slices[key]

    def row_slice(self, array: str, stride: str) -> str:
        """Scratch for one row."""
        return self.thread_slice(array, stride)

    def thread_slice(self, array: str, stride: str) -> str:
        """This thread's part of scratch."""
        key = (array, f"tid {stride}")
        if key not in self.slices:
            self.slices[key] = self.names.fresh("x")
            self.top.append(Let(self.slices[key], f"{array}[{scaled('tid', stride)}:]"))
        return self.slices[key]

    def loops(self, nest: Nest) -> list[Node]:
        """A nest that is complete, as nodes."""
        return nest.nodes()

    # ------------------------------------------------------------ where a member has several lanes (lanes.py); here it has one
    def leave(self, name: str, reducer: str, dtype: str, part: str, place: str) -> None:
        """At the end of a block, put a sum over its rows in its place."""
        self.tails.append(Store(part, place, name))

    def ends(self) -> list[Node]:
        """What stands at the end of a block."""
        return self.tails

    def joined(self, name: str, reducer: str, dtype: str, nest: Nest | None = None, level: int = 0) -> list[Node]:
        """Lines that make one value, in every lane, of what each lane has of a reduction."""
        return []

    def first_of_lanes(self, most: str, best: str, reducer: str, dtype: str, nest: Nest, level: int) -> list[Node]:
        """The same of an extreme value and of where it stands."""
        return []

    def partial(self, number: str, count: str) -> str:
        """Where the block's part of a result stands, of which there are so many: all blocks' parts of one side by side."""
        return f"{scaled(number, self.blocks)} + {self.number}" if number != "0" else self.number

    def combined(self, w: Work, reducer: str, dtype: str, count: str) -> list[Node]:
        """The parts of all blocks together, in a fixed order."""
        raise NotImplementedError

    def once(self, store: Node, nest: Nest | None = None, level: int = 0) -> Node:
        """A store that no two lanes may make."""
        return store

    # ------------------------------------------------------------ one statement in a nest
    def _work(self, w: Work, nest: Nest) -> list[Node]:
        """Write a statement into the nest; what has to stand before the nest is returned."""
        s = w.statement
        assert isinstance(s, Map)
        lets, text = emit(s.body, self.leaf(w, nest), lambda: self.names.fresh("v"), self.helpers)
        inmost = nest.pre[nest.depth]
        inmost += lets
        out = self.table[s.out]
        level = self.lead + len(w.outer)
        if s.reducer in ("argmax", "argmin"):
            text = self._arg_reduce(w, nest, text)
        elif s.reducer is not None:
            reducer, dtype = accumulation(s.reducer, s.body.dtype, out.dtype)
            value = carried(text, s.body.dtype, out.dtype, reducer, dtype)
            if w.folded == "carry":
                folds.carry(self, w, nest, reducer, dtype, value)
                return []
            if w.folded and self.columns:
                folds.across(self, w, nest, reducer, dtype, value)
                return []
            if w.folded == "memory":
                folds.memory(self, w, nest, reducer, dtype, value)
                return []
            if self.gathers or w.crossed:
                return self._gathered(w, nest, reducer, dtype, value)
            a = self.names.fresh("a")
            nest.pre[level].append(Let(a, identity(reducer, dtype, out.dtype)))
            inmost.append(Accumulate(a, reducer, folds.named(self, value, reducer, inmost), dtype))
            nest.post[level] += self.joined(a, reducer, dtype, nest, level)
            text = cast(a, dtype, out.dtype)
        else:
            text = cast(text, s.body.dtype, out.dtype)
        self._result(w, nest, text, level if w.inner and s.reducer else nest.depth)
        return []

    def _gathered(self, w: Work, nest: Nest, reducer: str, dtype: str, value: str) -> list[Node]:
        """A reduction whose results lie along the inner loop (by columns, rows do): each gathers in its place."""
        s = w.statement
        index = tuple(range(len(self.table[s.out].shape)))
        outer = [k for k, a in enumerate(w.order) if a in w.outer]
        if self.columns:
            outer.append(nest.depth - 1)
        start = self.nest(tuple(nest.extents[k] for k in outer), tuple(nest.vars[k] for k in outer), [])
        array, _, inside = self.element(s.out, index, replace(w, inner=(), crossed=False), start, write=True)[0].partition("[")
        start.pre[start.depth].append(Store(array, inside[:-1], identity(reducer, dtype, self.table[s.out].dtype)))
        place = nest.pre[nest.depth]
        total, _ = self.element(s.out, index, w, nest, write=True)
        place.append(Accumulate(total, reducer, folds.named(self, value, reducer, place), dtype))
        self.reads.add(self.memory.homes[s.out].arg)
        return start.nodes()

    def _result(self, w: Work, nest: Nest, text: str, level: int) -> None:
        """Name the value where it is read again, store it where it lives."""
        place = nest.post[level] if level < nest.depth else nest.pre[level]
        name = w.statement.out
        home = self.memory.homes[name]
        read_here = any(name in getattr(x.statement, "operands", ()) for x in self.plan.works())
        if home.kind == "local" or read_here:
            if not text.isidentifier() or text in self.scalars.values():
                v = self.names.fresh("v")
                place.append(Let(v, text))
                text = v
            if not w.inner:
                nest.values[name] = text
            if w.scalar and not self.columns:
                self.locals[name] = text
        if home.kind == "slot":
            self.writes.add(home.arg)
            place.append(self.once(Store(home.arg, str(home.slot), text), nest, level))
        elif home.kind != "local":
            index = tuple(range(len(self.table[name].shape)))
            element, _ = self.element(name, index, w, nest, write=True)
            array, _, inside = element.partition("[")
            place.append(self.once(Store(array, inside[:-1], text), nest, level))

    def _arg_reduce(self, w: Work, nest: Nest, text: str) -> str:
        """First of ties; the first nan counts as the extreme, as in NumPy."""
        s = w.statement
        assert isinstance(s, Map)
        dtype = s.body.dtype if s.body.dtype[0] == "f" else "int64"
        most, best, v = (self.names.fresh(c) for c in ("a", "a", "v"))
        level = self.lead + len(w.outer)
        start = LIMITS[s.body.dtype][0 if s.reducer == "argmax" else 1]
        nest.pre[level] += [Let(most, literal(start, dtype)), Let(best, "0")]
        j = nest.vars[-1] if w.inner else "0"
        better = f"{v} {'>' if s.reducer == 'argmax' else '<'} {most}"
        if dtype[0] == "f":
            better = f"({better}) | (({v} != {v}) & ({most} == {most}))"
        nest.pre[nest.depth] += [Let(v, cast(text, s.body.dtype, dtype)), If(better, (Let(most, v), Let(best, j)))]
        nest.post[level] += self.first_of_lanes(most, best, s.reducer or "", dtype, nest, level)
        return best

    def whole(self, name: str, write: bool = False) -> str:
        """A whole array as text; a pool's slot as a slice of one."""
        home = self.memory.homes[name]
        self.touch(home.arg, write)
        return f"{home.arg}[{home.slot}:{home.slot + 1}]" if home.kind == "slot" else home.arg
