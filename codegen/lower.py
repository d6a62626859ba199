"""Plans and homes to loop nests.

Law of this file: it decides nothing about what runs together or where values live; it writes those decisions out as
`loops` nodes.  A phase becomes one or two regions (the shared walk over blocks, and what one thread does); between
regions there is a barrier exactly where one touches memory that the other writes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from . import moves
from .addresses import Names, Shape, flat_index, product, scaled
from .expressions import SHORT, cast, combine, emit, identity, literal
from .ir import Linalg, Map, MatMul, Program, Random, Reshape, Size
from .loops import Accumulate, Barrier, Call, Comment, For, If, Let, Node, Return, Store
from .memory import FLAT_BLOCK, ROW_BLOCK, Arg, Memory, accumulator_dtype, block_rows, failing
from .phases import SERIAL, estimate
from .scalar import Instr
from .stages import Group, Plan, Work

LIMITS: dict[str, tuple[object, object]] = {
    "bool": (False, True),
    **{d: (-np.inf, np.inf) for d in ("float32", "float64")},
    **{d: (int(np.iinfo(d).min), int(np.iinfo(d).max)) for d in ("int8", "int16", "int32", "int64", "uint8")},
}


@dataclass(frozen=True)
class Kernel:
    """A lowered program: array arguments, size arguments (name in the program, name in the source), body, runtime names."""

    name: str
    args: tuple[Arg, ...]
    sizes: tuple[tuple[str, str], ...]
    body: tuple[Node, ...]
    helpers: frozenset[str]
    barriers: int


@dataclass
class Region:
    """Code between two possible barriers: run by the whole team or by thread 0, with the memory it touches."""

    team: bool
    nodes: list[Node]
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    title: str = ""


def lower(program: Program, plans: tuple[Plan, ...], memory: Memory) -> Kernel:
    """The loop nests of a whole step."""
    names = Names({name: f"n{k}" for k, (name, _) in enumerate(program.sizes)})
    helpers: set[str] = set()
    regions: list[Region] = []
    for number, plan in enumerate(plans):
        writer = PhaseWriter(program, plan, memory, names, helpers, [c.out for c in failing(plans)])
        regions += writer.regions(number)
    regions += [_commit(program, memory, names, target, source) for target, source in memory.commits]
    top: list[Node] = []
    for pool, buffers in memory.pools.items():
        if pool.startswith("c_"):
            top += [Let(f"{pool}_{k}", f"{pool}[{k}]") for k in range(len(buffers))]
    body, barriers = _join(regions)
    if barriers:
        helpers.add("barrier_wait")
    sizes = tuple((name, names.sizes[name]) for name, _ in program.sizes if name in names.used)
    return Kernel(program.name, memory.args, sizes, (*top, *body), frozenset(helpers), barriers)


def _join(regions: list[Region]) -> tuple[list[Node], int]:
    """Regions in order, with a barrier wherever one must wait for another thread's part of what came before."""
    body: list[Node] = []
    since: list[Region] = []
    pending: list[Node] = []
    barriers = 0

    def flush() -> None:
        if pending:
            body.append(If("tid == 0", tuple(pending)))
            pending.clear()

    for region in regions:
        clash = {x for old in since for x in (old.writes & (region.reads | region.writes)) | (old.reads & region.writes) if old.team or region.team}
        if clash:
            flush()
            body.append(Barrier(f"for {', '.join(sorted(clash))}"))
            barriers += 1
            since = []
        if region.team:
            flush()
            body += region.nodes
        else:
            pending += region.nodes
        since.append(region)
    flush()
    return body, barriers


def _commit(program: Program, memory: Memory, names: Names, target: str, source: str) -> Region:
    """Copy a new state value to its place, after everything else."""
    shape = program.table()[target].shape
    new, old = memory.homes[source], memory.homes[target].arg
    title = Comment(f"{target} <- {source}")
    if new.kind == "slot":
        return Region(False, [title, Store(old, "0", f"{new.arg}[{new.slot}]")], {new.arg}, {old})
    n = product(shape, names)
    if estimate(shape) <= SERIAL:
        j = names.fresh("j")
        return Region(False, [title, For(j, n, (Store(old, j, f"{new.arg}[{j}]"),))], {new.arg}, {old})
    b, lo, w, i, x, y = (names.fresh(c) for c in ("k", "lo", "w", "i", "x", "x"))
    inner = For(i, w, (Store(x, i, f"{y}[{i}]"),))
    block = (Let(lo, f"{b} * {FLAT_BLOCK}"), Let(w, f"min({FLAT_BLOCK}, {n} - {lo})"), Let(x, f"{old}[{lo}:]"), Let(y, f"{new.arg}[{lo}:]"), inner)
    blocks = f"tid, ({n} + {FLAT_BLOCK - 1}) // {FLAT_BLOCK}, nthreads"
    return Region(True, [title, For(b, blocks, block)], {new.arg}, {old})


@dataclass
class Nest:
    """One group while it is written: what stands before and after the loop at each level, names of loop variables."""

    depth: int
    loops: tuple[Size, ...]
    vars: tuple[str, ...]
    pre: list[list[Node]]
    post: list[list[Node]]
    counts: Counter[str]
    loads: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    def nodes(self, names: Names) -> list[Node]:
        body = self.pre[self.depth]
        for level in reversed(range(self.depth)):
            loop = For(self.vars[level], names.size(self.loops[level]), tuple(body))
            body = [*self.pre[level], loop, *self.post[level]]
        return body


class PhaseWriter:
    """Writes one phase.  `row` is the row inside its block, `block` its first row; both only in a rows phase."""

    def __init__(self, program: Program, plan: Plan, memory: Memory, names: Names, helpers: set[str], statuses: list[str]) -> None:
        self.program, self.table, self.plan, self.memory, self.names, self.helpers = program, program.table(), plan, memory, names, helpers
        self.statuses = statuses
        self.rows = plan.phase.kind == "rows"
        self.size = block_rows(plan) if self.rows else 0
        self.top: list[Node] = []
        self.heads: list[Node] = []
        self.tails: list[Node] = []
        self.slices: dict[tuple[str, str], str] = {}
        self.scalars: dict[str, str] = {}
        self.locals: dict[str, str] = {}
        self.combines: list[list[Node]] = []
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.final: set[str] = set()
        self.row = self.first = self.width = self.blocks = self.number = ""
        self.global_row = ""

    # ------------------------------------------------------------ regions
    def regions(self, number: int) -> list[Region]:
        phase = self.plan.phase
        title = [Comment(f"phase {number}: {phase.kind}" + (f" over {' * '.join(map(str, phase.rows))}" if phase.rows else "") + f": {phase.reason}")]
        if self.rows:
            k, self.row, self.first, self.width, self.blocks = (self.names.fresh(c) for c in ("k", "i", "lo", "w", "nb"))
            self.number = k
            total = product(phase.rows, self.names)
            self.top.append(Let(self.blocks, f"({total} + {self.size - 1}) // {self.size}"))
        body: list[Node] = []
        for stage in self.plan.stages:
            if stage.call is not None:
                body += [self._comment(stage.call), *self._call(stage.call)]
                continue
            if self.rows:
                self.locals = {}
                self.global_row = ""
            comments = [self._comment(w.statement) for g in stage.groups for w in g.works]
            nests = [node for g in stage.groups for node in self._group(g)]
            if self.global_row:
                nests.insert(0, Let(self.global_row, f"{self.first} + {self.row}"))
            body += [*comments, For(self.row, self.width, tuple(nests))] if self.rows else [*comments, *nests]
        if not self.rows:
            out = [Region(False, [*title, *self.top, *body], self.reads, self.writes)]
            checked = [self.statuses.index(s.call.out) for s in self.plan.stages if s.call is not None and s.call.out in self.statuses]
            if checked:
                stop: list[Node] = [If(f"status[{k}] != 0", (Return(),)) for k in checked]
                out.append(Region(True, stop, {"status"}, set()))
            return out
        limits = [Let(self.first, f"{self.number} * {self.size}"), Let(self.width, f"min({self.size}, {total} - {self.first})")]
        loop = For(self.number, f"tid, {self.blocks}, nthreads", (*limits, *self.heads, *body, *self.tails))
        out = [Region(True, [*title, *self.top, loop], self.reads, self.writes - self.final)]
        if self.combines:
            nodes = [node for part in self.combines for node in part]
            partials = {self.memory.partials[w.statement.out] for w in self.plan.works() if w.folded}
            out.append(Region(False, [Comment("combine the blocks, in order"), *nodes], partials, self.final))
        return out

    def _comment(self, s) -> Comment:
        origin = self.table[s.out].origin
        words = s.body.text(list(s.operands)) + (f" [{s.reducer}]" if s.reducer else "") if isinstance(s, Map) else moves.words(s)
        return Comment(f"{s.out} = {words[:160]}" + (f"  -- {origin}" if origin else ""))

    # ------------------------------------------------------------ a loop nest
    def _group(self, group: Group) -> list[Node]:
        if not isinstance(group.works[0].statement, Map):
            return [node for w in group.works for node in moves.write(self, w.statement)]
        if group.works[0].folded == "unrolled":
            return [node for w in group.works for node in self._unrolled(w)]
        depth = len(group.loops)
        nest = self._nest(group.loops, tuple(f"j{d}" for d in range(depth)), list(group.works))
        for w in group.works:
            self._work(w, nest)
        return nest.nodes(self.names)

    def _nest(self, loops: tuple[Size, ...], variables: tuple[str, ...], works: list[Work]) -> Nest:
        depth = len(loops)
        nest = Nest(depth, loops, variables, [[] for _ in range(depth + 1)], [[] for _ in range(depth + 1)], Counter())
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

    def _label(self, w: Work, label: int, nest: Nest) -> str:
        """The variable that walks a label."""
        if label in w.rows:
            if not self.global_row:
                self.global_row = self.names.fresh("r")
            return self.global_row
        order = w.outer + w.inner
        return nest.vars[order.index(label)] if label in order else "0"

    def _leaf(self, w: Work, nest: Nest):
        def leaf(i: Instr) -> str:
            if i.fn == "size":
                return self.names.size(i.value)  # type: ignore[arg-type]
            if i.fn == "index":
                return self._label(w, i.value, nest)  # type: ignore[arg-type]
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
        self.reads.add(home.arg)
        if not self.rows:
            return text
        if text not in self.scalars:
            self.scalars[text] = self.names.fresh("s")
            self.top.append(Let(self.scalars[text], text))
        return self.scalars[text]

    def element(self, name: str, index: tuple[int | None, ...], w: Work, nest: Nest, write: bool = False) -> tuple[str, int]:
        """`array[index]` of a buffer whose axes walk these labels, and the level at which it stands."""
        home, shape = self.memory.homes[name], self.table[name].shape
        (self.writes if write else self.reads).add(home.arg)
        lead = len(w.rows) if self.rows and index[: len(w.rows)] == w.rows and not any(a in w.rows for a in index[len(w.rows) :]) else 0
        if w.folded and write:
            lead = 0
        coordinates: list[str] = []
        for axis, label in enumerate(index):
            coordinates.append("0" if axis < lead or label is None or shape[axis] == 1 else self._label(w, label, nest))
        inner = flat_index(shape, coordinates, self.names)
        stride = product(shape[lead:], self.names)
        levels = {v: k + 1 for k, v in enumerate(nest.vars[: nest.depth])}
        used = [levels[v] for v in coordinates if v in levels]
        level = max(used, default=0)
        if home.kind == "row":
            return self._sliced(self.thread_slice(home.arg, stride), inner, nest, level)
        if home.kind == "tile":
            array = self.thread_slice(home.arg, scaled(str(self.size), stride))
            return self._sliced(array, inner.plus(self.row, stride), nest, level)
        if not lead:
            if self.rows and inner.text == "0" and not write:
                return self.scalar(name), 0
            return self._sliced(home.arg, inner, nest, level)
        array = self.block_slice(home.arg, stride)
        if home.packed:
            return f"{array}[{inner.times(ROW_BLOCK).plus(self.row, '1').text}]", level
        return self._sliced(array, inner.plus(self.row, stride), nest, level)

    def _sliced(self, array: str, index: Shape, nest: Nest, level: int) -> tuple[str, int]:
        """An element; a symbolic stride gets a slice of its own, or Numba's test for negative indices keeps the loop scalar."""
        if not index.symbolic or level == 0 or level != nest.depth or not index.unit(nest.vars[-1]):
            return f"{array}[{index.text}]", level
        rest = index.without(nest.vars[-1])
        at = max((k + 1 for k, v in enumerate(nest.vars[:-1]) if rest.uses(v)), default=0)
        text = f"{array}[{rest.text}:]"
        if text not in nest.loads:
            nest.loads[text] = self.names.fresh("x")
            nest.pre[at].append(Let(nest.loads[text], text))
        return f"{nest.loads[text]}[{nest.vars[-1]}]", level

    def block_slice(self, array: str, stride: str) -> str:
        """The rows of the block as a slice that starts at 0."""
        key = (array, stride)
        if key not in self.slices:
            self.slices[key] = self.names.fresh("x")
            self.heads.append(Let(self.slices[key], f"{array}[{scaled(self.first, stride)}:]"))
        return self.slices[key]

    def thread_slice(self, array: str, stride: str) -> str:
        """This thread's part of scratch."""
        key = (array, f"tid {stride}")
        if key not in self.slices:
            self.slices[key] = self.names.fresh("x")
            self.top.append(Let(self.slices[key], f"{array}[{scaled('tid', stride)}:]"))
        return self.slices[key]

    # ------------------------------------------------------------ one statement in a nest
    def _work(self, w: Work, nest: Nest) -> None:
        s = w.statement
        assert isinstance(s, Map)
        lets, text = emit(s.body, self._leaf(w, nest), lambda: self.names.fresh("v"), self.helpers)
        inmost = nest.pre[nest.depth]
        inmost += lets
        out = self.table[s.out]
        level = len(w.outer)
        if s.reducer in ("argmax", "argmin"):
            text = self._arg_reduce(w, nest, text)
        elif s.reducer is not None:
            reducer, dtype = accumulation(s.reducer, s.body.dtype, out.dtype)
            value = cast(cast(text, s.body.dtype, out.dtype) if reducer in ("sum", "prod") else text, out.dtype if reducer in ("sum", "prod") else s.body.dtype, dtype)
            if w.folded == "carry":
                self._carry(w, nest, reducer, dtype, value)
                return
            if w.folded == "memory":
                self._memory(w, nest, reducer, dtype, value)
                return
            a = self.names.fresh("a")
            nest.pre[level].append(Let(a, self._start(w, reducer, dtype)))
            if reducer in ("max", "min") and not value.isidentifier():
                v = self.names.fresh("v")
                inmost.append(Let(v, value))
                value = v
            inmost.append(Accumulate(a, reducer, value, dtype))
            text = cast(a, dtype, out.dtype)
        else:
            text = cast(text, s.body.dtype, out.dtype)
        self._result(w, nest, text, nest.post[level] if w.inner and s.reducer else inmost)

    def _result(self, w: Work, nest: Nest, text: str, place: list[Node]) -> None:
        """Name the value where it is read again, store it where it lives."""
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
            if w.scalar:
                self.locals[name] = text
        if home.kind == "slot":
            self.writes.add(home.arg)
            place.append(Store(home.arg, str(home.slot), text))
        elif home.kind != "local":
            index = tuple(range(len(self.table[name].shape)))
            element, _ = self.element(name, index, w, nest, write=True)
            array, _, inside = element.partition("[")
            place.append(Store(array, inside[:-1], text))

    def _arg_reduce(self, w: Work, nest: Nest, text: str) -> str:
        """First of ties; the first nan counts as the extreme, as in NumPy."""
        s = w.statement
        assert isinstance(s, Map)
        dtype = s.body.dtype if s.body.dtype[0] == "f" else "int64"
        most, best, v = (self.names.fresh(c) for c in ("a", "a", "v"))
        level = len(w.outer)
        start = LIMITS[s.body.dtype][0 if s.reducer == "argmax" else 1]
        nest.pre[level] += [Let(most, literal(start, dtype)), Let(best, "0")]
        j = nest.vars[-1] if w.inner else "0"
        better = f"{v} {'>' if s.reducer == 'argmax' else '<'} {most}"
        if dtype[0] == "f":
            better = f"({better}) | (({v} != {v}) & ({most} == {most}))"
        nest.pre[nest.depth] += [Let(v, cast(text, s.body.dtype, dtype)), If(better, (Let(most, v), Let(best, j)))]
        return best

    # ------------------------------------------------------------ reductions over the rows
    def _start(self, w: Work, reducer: str, dtype: str) -> str:
        """What a reduction starts from: also an empty one of int32, summed up as int64, is the least int32."""
        return identity(reducer, dtype, LIMITS[self.table[w.statement.out].dtype])

    def _carry(self, w: Work, nest: Nest, reducer: str, dtype: str, value: str) -> None:
        a = self.names.fresh("a")
        if reducer in ("max", "min") and not value.isidentifier():
            v = self.names.fresh("v")
            nest.pre[nest.depth].append(Let(v, value))
            value = v
        nest.pre[nest.depth].append(Accumulate(a, reducer, value, dtype))
        self.heads.append(Let(a, self._start(w, reducer, dtype)))
        part = self.memory.partials[w.statement.out]
        self.writes.add(part)
        self.tails.append(Store(part, self.number, a))
        self._combine(w, reducer, dtype, across=True)

    def _unrolled(self, w: Work) -> list[Node]:
        """A few results, each in a register for the whole block."""
        s = w.statement
        assert isinstance(s, Map)
        out = self.table[s.out]
        reducer, dtype = accumulation(s.reducer or "", s.body.dtype, out.dtype)
        part = self.memory.partials[s.out]
        self.writes.add(part)
        shape = tuple(s.space[a] for a in w.outer)
        nodes: list[Node] = []
        for number, place in enumerate(np.ndindex(*shape)):  # type: ignore[arg-type]
            nest = self._nest((), (), [])
            nest.vars = tuple(str(p) for p in place)
            lets, text = emit(s.body, self._leaf(w, nest), lambda: self.names.fresh("v"), self.helpers)
            value = cast(cast(text, s.body.dtype, out.dtype) if reducer in ("sum", "prod") else text, out.dtype if reducer in ("sum", "prod") else s.body.dtype, dtype)
            if reducer in ("max", "min") and not value.isidentifier():
                v = self.names.fresh("v")
                lets.append(Let(v, value))
                value = v
            a = self.names.fresh("a")
            self.heads.append(Let(a, self._start(w, reducer, dtype)))
            self.tails.append(Store(part, f"{number} * {self.blocks} + {self.number}" if number else self.number, a))
            nodes += [*nest.pre[0], *lets, Accumulate(a, reducer, value, dtype)]
        self._combine(w, reducer, dtype, across=True)
        return nodes

    def _memory(self, w: Work, nest: Nest, reducer: str, dtype: str, value: str) -> None:
        """Many results: an array for each block."""
        s = w.statement
        part, shape = self.memory.partials[s.out], self.table[s.out].shape
        self.writes.add(part)
        n = product(shape, self.names)
        block, j = self.names.fresh("x"), self.names.fresh("j")
        self.heads += [Let(block, f"{part}[{scaled(self.number, n)}:]"), For(j, n, (Store(block, j, self._start(w, reducer, dtype)),))]
        level = len(w.outer)
        coordinates = [self._label(w, a, nest) if a in w.outer else "0" for a in range(len(shape))]
        target = f"{block}[{flat_index(shape, coordinates, self.names).text}]"
        place = nest.pre[nest.depth]
        if w.inner:
            a = self.names.fresh("a")
            nest.pre[level].append(Let(a, self._start(w, reducer, dtype)))
            place.append(Accumulate(a, reducer, self._named(value, reducer, place), dtype))
            place, value = nest.post[level], a
        place.append(Accumulate(target, reducer, self._named(value, reducer, place), dtype))
        self._combine(w, reducer, dtype, across=False)

    def _named(self, value: str, reducer: str, place: list[Node]) -> str:
        if reducer not in ("max", "min") or value.isidentifier():
            return value
        v = self.names.fresh("v")
        place.append(Let(v, value))
        return v

    def _combine(self, w: Work, reducer: str, dtype: str, across: bool) -> None:
        """Partial results of the blocks to the result, in the order of the blocks; `across`: blocks are the last axis."""
        out = self.table[w.statement.out]
        home, part = self.memory.homes[out.name], self.memory.partials[out.name]
        n = product(out.shape, self.names)
        j, k, a, x = (self.names.fresh(c) for c in ("j", "k", "a", "x"))
        start = Let(a, self._start(w, reducer, dtype))
        self.final.add(home.arg)
        self.writes.add(home.arg)
        if across and n == "1":
            loop = For(k, self.blocks, (Accumulate(a, reducer, f"{part}[{k}]", dtype),))
            self.combines.append([start, loop, Store(home.arg, str(home.slot) if home.kind == "slot" else "0", cast(a, dtype, out.dtype))])
        elif across:
            loop = For(k, self.blocks, (Accumulate(a, reducer, f"{x}[{k}]", dtype),))
            body = (Let(x, f"{part}[{j} * {self.blocks}:]"), start, loop, Store(home.arg, j, cast(a, dtype, out.dtype)))
            self.combines.append([For(j, n, body)])
        else:
            first = For(j, n, (Store(home.arg, j, cast(self._start(w, reducer, dtype), dtype, out.dtype)),))
            inner = For(j, n, (Accumulate(f"{home.arg}[{j}]", reducer, f"{x}[{j}]", dtype),))
            self.combines.append([first, For(k, self.blocks, (Let(x, f"{part}[{scaled(k, n)}:]"), inner))])

    # ------------------------------------------------------------ calls
    def _call(self, s) -> list[Node]:
        match s:
            case Reshape():
                return []
            case MatMul():
                return self._gemm(s)
            case Linalg():
                return self._linalg(s)
            case Random():
                return self._random(s)
        raise AssertionError(s)

    def whole(self, name: str, write: bool = False) -> str:
        """A whole array as text; a pool's slot as a slice of one."""
        home = self.memory.homes[name]
        (self.writes if write else self.reads).add(home.arg)
        return f"{home.arg}[{home.slot}:{home.slot + 1}]" if home.kind == "slot" else home.arg

    def _gemm(self, s: MatMul) -> list[Node]:
        a, b, out = (self.table[n] for n in (s.a, s.b, s.out))
        rank, real = len(out.shape), SHORT[out.dtype]
        self.helpers.add(f"gemm_{real}")
        m, n = self.names.size(out.shape[-2]), self.names.size(out.shape[-1])
        k = self.names.size(a.shape[-2] if s.ta else a.shape[-1])
        lda, ldb = self.names.size(a.shape[-1]), self.names.size(b.shape[-1])

        def call(x: str, y: str, z: str, rows: str) -> Call:
            return Call(f"gemm_{real}({s.ta}, {s.tb}, {rows}, {n}, {k}, {real}(1.0), {x}, {lda}, {y}, {ldb}, {real}(0.0), {z}, {n})")

        if rank == 2:
            if not self.rows:
                return [call(self.whole(s.a), self.whole(s.b), self.whole(s.out, True), m)]
            self.whole(s.a)
            left = self.memory.homes[s.a]
            x = self.rows_of(s.a, "1" if s.ta else lda, scratch=lda) if left.kind != "array" or not s.ta else self.block_slice(left.arg, "1")
            return [call(x, self.whole(s.b), self.rows_of(s.out, n, scratch=n, write=True), self.width)]
        return self._batched(s, call, m)

    def rows_of(self, name: str, stride: str, scratch: str, write: bool = False) -> str:
        """The block's rows of an array or tile, as a flat slice."""
        home = self.memory.homes[name]
        (self.writes if write else self.reads).add(home.arg)
        if home.kind == "tile":
            return self.thread_slice(home.arg, scaled(str(self.size), scratch))
        return self.block_slice(home.arg, stride)

    def _batched(self, s: MatMul, call, m: str) -> list[Node]:
        """One product for each index of the leading axes; in a rows phase axis 0 is the row."""
        out = self.table[s.out]
        lead = len(out.shape) - 2
        variables = [self.names.fresh("j") for _ in range(lead)]
        if self.rows:
            variables[0] = self.row

        def part(name: str, write: bool = False) -> str:
            shape = self.table[name].shape
            offset = lead - (len(shape) - 2)
            coordinates = ["0" if shape[axis] == 1 else variables[offset + axis] for axis in range(len(shape) - 2)] + ["0", "0"]
            walks = self.rows and offset == 0 and coordinates[0] == self.row
            if walks:
                array = self.rows_of(name, product(shape[1:], self.names), product(shape[1:], self.names), write)
            else:
                array = self.whole(name, write)
                if self.rows and offset == 0 and coordinates[0] == self.row:
                    coordinates[0] = f"({self.first} + {self.row})"
            index = flat_index(shape, coordinates, self.names).text
            return array if index == "0" else f"{array}[{index}:]"

        nodes: list[Node] = [call(part(s.a), part(s.b), part(s.out, True), m)]
        for axis in reversed(range(lead)):
            extent = self.width if self.rows and axis == 0 else self.names.size(out.shape[axis])
            nodes = [For(variables[axis], extent, tuple(nodes))]
        return nodes

    def _linalg(self, s: Linalg) -> list[Node]:
        out, first = self.table[s.out], self.table[s.args[0]]
        name = f"{s.fn}_{SHORT[out.dtype]}"
        self.helpers.add(name)
        n = self.names.size(first.shape[-1])
        q = self.names.fresh("j")
        batch = product(first.shape[:-2], self.names)

        def matrix(x: str, write: bool = False) -> str:
            rows, columns = (self.names.size(e) for e in self.table[x].shape[-2:])
            size = product(self.table[x].shape[-2:], self.names)
            return f"{self.whole(x, write)}[{scaled(q, size)}:{scaled(f'({q} + 1)', size)}].reshape(({rows}, {columns}))"

        args = [matrix(x) for x in s.args]
        if s.fn in ("determinant", "logdet"):
            home = self.memory.homes[s.out]
            self.writes.add(home.arg)
            target = f"{home.arg}[{home.slot if home.kind == 'slot' else q}]"
            return [For(q, batch, (Call(f"{name}({args[0]}, {n})", target),))]
        tail = [n] + ([self.names.size(self.table[s.args[1]].shape[-1])] if s.fn == "solve" else [])
        self.writes.add("status")
        status = f"status[{self.statuses.index(s.out)}]"
        call = f"{name}({', '.join([*args, matrix(s.out, True), *tail])})"
        return [Store("status", status[7:-1], "0"), For(q, batch, (Call(f"max({status}, {call})", status),))]

    def _random(self, s: Random) -> list[Node]:
        out = self.table[s.out]
        stream = self.whole(s.stream)
        self.writes.add(stream)
        if s.fn == "shuffle":
            assert s.x is not None
            self.helpers.add("shuffle_permutation")
            perm = self.memory.partials[s.out]
            self.writes.add(perm)
            n, inner = self.names.size(out.shape[0]), product(out.shape[1:], self.names)
            j, q = self.names.fresh("j"), self.names.fresh("j")
            copy = Store(self.whole(s.out, True), f"{scaled(j, inner)} + {q}", f"{self.whole(s.x)}[{scaled(f'{perm}[{j}]', inner)} + {q}]")
            ordered = For(j, n, (Store(perm, j, j),))
            return [ordered, Call(f"shuffle_permutation({perm}, {stream})"), For(j, n, (For(q, inner, (copy,)),))]
        name = f"uniform_{out.dtype}" if s.fn == "uniform_int" else f"{s.fn}_{SHORT[out.dtype]}"
        self.helpers.add(name)
        assert s.a is not None and s.b is not None
        return [Call(f"{name}({self.whole(s.out, True)}, {stream}, {self.scalar(s.a)}, {self.scalar(s.b)})")]


def accumulation(reducer: str, body: str, out: str) -> tuple[str, str]:
    """The reducer and dtype in which a reduction is carried: truth values by any and all, whole numbers in int64."""
    if reducer in ("any", "all"):
        return reducer, "bool"
    kind = out if reducer in ("sum", "prod") else body
    if kind == "bool":
        return {"sum": "any", "max": "any", "prod": "all", "min": "all"}[reducer], "bool"
    return reducer, accumulator_dtype(kind)


__all__ = ["Kernel", "lower", "combine"]
