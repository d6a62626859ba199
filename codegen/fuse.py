"""Program to program: what can be said with fewer statements before anything is scheduled.

Law of this file: every pass takes a legal program and gives a legal program with the same meaning, so each can be
verified and run by the interpreter on its own.  `PASSES` is the whole list, in order; `fuse` counts what each did.

    settle_updates     every new state value is a temp of its own
    products_to_maps   small products become Maps with a reduced label, so that they fuse like anything else
    squeeze_to_maps    reshapes that only add or drop axes of extent 1 become Maps that copy, and then vanish
    inline_maps        an elementwise producer with one consumer becomes part of that consumer's body
    drop_dead          statements that nothing needs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

from .ir import Buffer, Map, MatMul, Program, Random, Reshape, Size, Statement, reads
from .scalar import Body, Builder, Instr

MAX_BODY = 200
"""Instructions past which a body takes in no more producers: LLVM's registers, and Numba's compile time."""
LOOP_PRODUCT = 512
"""A product whose right factor has at most this many elements (or is one column) is loops, anything larger is BLAS:
BLAS overtakes loops near 16 x 16 (8x8x8: 0.28 us as loops, 0.04 + 0.2 call and repacking as gemm)."""
LOOP_GRADIENT = 128
"""The same bound for the result of a product that contracts a long axis, such as X'E."""
LOOP_COLUMN = 4096
"""The same bound for a product with a single column, where BLAS would only do a matrix-vector product."""


@dataclass(frozen=True, slots=True)
class PassNote:
    """What a pass did: its name, how many places it changed, and which."""

    name: str
    changes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}: {len(self.changes)}" + (
            f" ({'; '.join(self.changes[:6])}{'; ...' if len(self.changes) > 6 else ''})" if self.changes else ""
        )


def fuse(program: Program, checked: Callable[[str, Program], Program] = lambda name, p: p) -> tuple[Program, tuple[PassNote, ...]]:
    """The program after every pass; `checked` sees the result of each and returns it."""
    notes = []
    for rewrite in PASSES:
        program, changes = rewrite(program)
        notes.append(PassNote(rewrite.__name__, tuple(changes)))
        program = checked(rewrite.__name__, program)
    return program, tuple(notes)


Rewritten = tuple[Program, list[str]]


def copying(dtype: str) -> Body:
    """The body that gives its operand."""
    return Body((Instr("operand", (), dtype, 0),))


def _with(program: Program, statements: list[Statement], added: tuple[Buffer, ...] = ()) -> Program:
    return replace(program, statements=tuple(statements), buffers=program.buffers + added)


# ---------------------------------------------------------------- updates
def settle_updates(program: Program) -> Rewritten:
    """An update from anything but a temp used by one update goes through a copy, made before anything changes."""
    table = program.table()
    seen: set[str] = set()
    updates, copies, buffers, changes = [], [], [], []
    for target, source in program.updates:
        if source == target:
            continue
        if table[source].role != "temp" or source in seen:
            b = table[source]
            fresh = Buffer(f"{target}.next", b.dtype, b.shape, origin=table[target].origin)
            buffers.append(fresh)
            labels = tuple(range(len(b.shape)))
            copies.append(Map(fresh.name, (source,), (labels,), b.shape, copying(b.dtype)))
            changes.append(f"{target} <- copy of {source}")
            source = fresh.name
        seen.add(source)
        updates.append((target, source))
    program = replace(program, updates=tuple(updates))
    return _with(program, [*program.statements, *copies], tuple(buffers)), changes


# ---------------------------------------------------------------- products
def products_to_maps(program: Program) -> Rewritten:
    table = program.table()
    changes: list[str] = []

    def rewrite(s: Statement) -> Statement:
        if isinstance(s, MatMul) and loops_suit(s, table):
            changes.append(s.out)
            return product_as_map(s, table)
        return s

    return _with(program, [rewrite(s) for s in program.statements]), changes


def product_sizes(s: MatMul, table: dict[str, Buffer]) -> tuple[Size, Size, Size]:
    """(m, n, k) of one product."""
    a, b = table[s.a].shape, table[s.b].shape
    m, k = (a[-1], a[-2]) if s.ta else (a[-2], a[-1])
    return m, b[-2] if s.tb else b[-1], k


def loops_suit(s: MatMul, table: dict[str, Buffer]) -> bool:
    """Is the product so small, per row of its long axis, that loops beat a call of BLAS (and may fuse)?"""
    m, n, k = product_sizes(s, table)
    if table[s.out].dtype not in ("float32", "float64"):
        return True

    def within(sizes: tuple[Size, ...], bound: int) -> bool:
        return all(isinstance(x, int) for x in sizes) and prod(x for x in sizes if isinstance(x, int)) <= bound

    row_contiguous = n == 1 and not s.ta
    return within((k, n), LOOP_PRODUCT) or within((m, n), LOOP_GRADIENT) or row_contiguous or n == 1 and within((m,), LOOP_COLUMN)


def product_as_map(s: MatMul, table: dict[str, Buffer]) -> Map:
    """The same product as a sum over one more label."""
    out, a, b = table[s.out], table[s.a], table[s.b]
    rank = len(out.shape)
    i, j, k = rank - 2, rank - 1, rank

    def batch(x: Buffer) -> tuple[int | None, ...]:
        lead = len(x.shape) - 2
        first = rank - 2 - lead
        return tuple(None if x.shape[axis] == 1 else first + axis for axis in range(lead))

    index = (batch(a) + ((k, i) if s.ta else (i, k)), batch(b) + ((j, k) if s.tb else (k, j)))
    body = Body((Instr("operand", (), a.dtype, 0), Instr("operand", (), b.dtype, 1), Instr("mul", (0, 1), out.dtype)))
    return Map(s.out, (s.a, s.b), index, (*out.shape, product_sizes(s, table)[2]), body, "sum")


def squeeze_to_maps(program: Program) -> Rewritten:
    table = program.table()
    changes: list[str] = []

    def rewrite(s: Statement) -> Statement:
        if not isinstance(s, Reshape):
            return s
        x, out = table[s.x], table[s.out]
        walked = [axis for axis, extent in enumerate(out.shape) if extent != 1]
        if [e for e in x.shape if e != 1] != [out.shape[axis] for axis in walked]:
            return s
        labels = iter(walked)
        changes.append(s.out)
        return Map(s.out, (s.x,), (tuple(None if e == 1 else next(labels) for e in x.shape),), out.shape, copying(x.dtype))

    return _with(program, [rewrite(s) for s in program.statements]), changes


# ---------------------------------------------------------------- inlining
def inline_maps(program: Program) -> Rewritten:
    """Single-use elementwise producers, and every plain copy, move into the bodies of the Maps that read them."""
    table = program.table()
    uses = Counter(n for s in program.statements for n in reads(s))
    uses.update(program.outputs)
    uses.update(source for _, source in program.updates)
    advanced = {s.stream for s in program.statements if isinstance(s, Random)}  # the one state that changes on the way
    producers: dict[str, Map] = {}
    statements: list[Statement] = []
    changes: list[str] = []
    for s in program.statements:
        if isinstance(s, Map):
            slots = {k: producers[n] for k, n in enumerate(s.operands) if n in producers and _may_inline(s, k, producers[n], uses)}
            size = len(s.body.code)
            for k in list(slots):
                size += len(slots[k].body.code)
                if size > MAX_BODY:
                    del slots[k]
            if slots:
                changes += [f"{slots[k].out} into {s.out}" for k in slots]
                s = compose(s, slots, table)
            if s.reducer is None and not advanced & set(s.operands):
                producers[s.out] = s
        statements.append(s)
    return _with(program, statements), changes


def _may_inline(consumer: Map, slot: int, producer: Map, uses: Counter[str]) -> bool:
    if len(producer.body.code) == 1:
        return True
    walked = {label for label in consumer.index[slot] if label is not None}
    needed = {label for label, extent in enumerate(consumer.space) if extent != 1}
    return uses[producer.out] == 1 and needed <= walked and len(walked) == len([i for i in consumer.index[slot] if i is not None])


def compose(consumer: Map, slots: dict[int, Map], table: dict[str, Buffer]) -> Map:
    """The consumer with the bodies of some operands' producers in place of those operands."""
    b = Builder()
    operands: dict[tuple[str, tuple[int | None, ...]], int] = {}

    def load(name: str, index: tuple[int | None, ...]) -> int:
        number = operands.setdefault((name, index), len(operands))
        return b.emit("operand", (), table[name].dtype, number)

    def copy(s: Map, labels: tuple[int | None, ...]) -> int:
        """Emit the body of s, whose label l is `labels[l]` of the consumer; the position of its result."""
        at: list[int] = []
        for i in s.body.code:
            if i.fn == "operand":
                slot: int = i.value  # type: ignore[assignment]
                index = tuple(None if a is None else labels[a] for a in s.index[slot])
                if s is consumer and slot in slots:
                    at.append(b.cast(copy(slots[slot], index), i.dtype))
                else:
                    at.append(load(s.operands[slot], index))
            elif i.fn == "index":
                label = labels[i.value]  # type: ignore[index]
                at.append(b.literal(0, "int64") if label is None else b.emit("index", (), "int64", label))
            else:
                at.append(b.emit(i.fn, tuple(at[a] for a in i.args), i.dtype, i.value))
        return at[-1]

    result = copy(consumer, tuple(range(len(consumer.space))))
    body = b.finish(result, consumer.body.dtype)
    used = sorted(body.operands())  # a plain literal may have replaced an operand
    keys = list(operands)
    place = {old: new for new, old in enumerate(used)}
    code = tuple(replace(i, value=place[i.value]) if i.fn == "operand" else i for i in body.code)
    return replace(
        consumer,
        operands=tuple(keys[k][0] for k in used),
        index=tuple(keys[k][1] for k in used),
        body=Body(code),
    )


def drop_dead(program: Program) -> Rewritten:
    needed = {*program.outputs, *(source for _, source in program.updates)}
    kept: list[Statement] = []
    changes = []
    for s in reversed(program.statements):
        if s.out in needed or isinstance(s, Random):  # a draw moves its stream even if nobody looks at it
            needed.update(reads(s))
            kept.append(s)
        else:
            changes.append(s.out)
    kept.reverse()
    written = {s.out for s in kept}
    buffers = tuple(b for b in program.buffers if b.role != "temp" or b.name in written)
    return replace(program, statements=tuple(kept), buffers=buffers), changes[::-1]


PASSES = (settle_updates, products_to_maps, squeeze_to_maps, inline_maps, drop_dead)
