"""Bodies put into bodies, and what is then left: the tools of all passes.

Law of this file: a Map says what it said; only where its parts are computed changes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from .ir import At, Buffer, Map, Program, Statement, Walk, coordinates, reads, streams
from .scalar import Body, Builder, Instr

MAX_BODY = 200
"""Instructions past which a body takes in no more producers: LLVM's registers, and Numba's compile time."""

Rewritten = tuple[Program, list[str]]
"""A program after a pass, and what the pass changed."""


def copying(dtype: str) -> Body:
    """The body that gives its operand."""
    return Body((Instr("operand", (), dtype, 0),))


def with_statements(program: Program, statements: list[Statement], added: tuple[Buffer, ...] = ()) -> Program:
    return replace(program, statements=tuple(statements), buffers=program.buffers + added)


def tidy(s: Map) -> Map:
    """The same Map without operands that nothing reads, and with equal ones once."""
    keys: dict[tuple[str, tuple[Walk, ...]], int] = {}

    def place(slot: int) -> int:
        index = tuple(At(place(w.slot)) if isinstance(w, At) else w for w in s.index[slot])
        return keys.setdefault((s.operands[slot], index), len(keys))

    code = tuple(replace(i, value=place(i.value)) if i.fn == "operand" else i for i in s.body.code)  # type: ignore[arg-type]
    return replace(s, operands=tuple(n for n, _ in keys), index=tuple(ix for _, ix in keys), body=Body(code))


def inline_maps(program: Program) -> Rewritten:
    """Single-use elementwise producers, and every plain copy, move into the bodies of the Maps that read them."""
    table = program.table()
    uses = Counter(n for s in program.statements for n in reads(s))
    uses.update(program.outputs)
    uses.update(source for _, source in program.updates)
    advanced = {n for s in program.statements for n in streams(s)}  # the one kind of state that changes on the way
    producers: dict[str, Map] = {}
    statements: list[Statement] = []
    changes: list[str] = []
    for s in program.statements:
        if isinstance(s, Map):
            slots = {
                k: producers[s.operands[k]]
                for k in sorted(s.body.operands())
                if s.operands[k] in producers and _may_inline(s, k, producers[s.operands[k]], uses)
            }
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
    return with_statements(program, statements), changes


def _may_inline(consumer: Map, slot: int, producer: Map, uses: Counter[str]) -> bool:
    gathered = bool(coordinates(consumer.index[slot]))
    if gathered and any(coordinates(ix) for ix in producer.index):
        return False  # a coordinate walks labels only
    if len(producer.body.code) == 1:
        return True
    walked = [label for label in consumer.index[slot] if label is not None]
    needed = {label for label, extent in enumerate(consumer.space) if extent != 1}
    return uses[producer.out] == 1 and not gathered and needed <= set(walked) and len(set(walked)) == len(walked)


def compose(consumer: Map, slots: dict[int, Map], table: dict[str, Buffer]) -> Map:
    """The consumer with the bodies of some operands' producers in place of those operands."""
    b = Builder()
    operands: dict[tuple[str, tuple[Walk, ...]], int] = {}

    def numbered(s: Map, slot: int, labels: tuple[Walk, ...]) -> int:
        """The number of an operand of s, whose label l is `labels[l]` of the consumer."""
        return operands.setdefault((s.operands[slot], moved(s, slot, labels)), len(operands))

    def moved(s: Map, slot: int, labels: tuple[Walk, ...]) -> tuple[Walk, ...]:
        return tuple(At(numbered(s, w.slot, labels)) if isinstance(w, At) else None if w is None else labels[w] for w in s.index[slot])

    def position(walk: Walk) -> int:
        """Where a label of the consumer stands, as a value."""
        if isinstance(walk, At):
            name = next(name for (name, _), number in operands.items() if number == walk.slot)
            return b.cast(b.emit("operand", (), table[name].dtype, walk.slot), "int64")
        return b.literal(0, "int64") if walk is None else b.emit("index", (), "int64", walk)

    def copy(s: Map, labels: tuple[Walk, ...]) -> int:
        """Emit the body of s, whose label l is `labels[l]` of the consumer; the position of its result."""
        at: list[int] = []
        for i in s.body.code:
            if i.fn == "operand":
                slot: int = i.value  # type: ignore[assignment]
                if s is consumer and slot in slots:
                    at.append(b.cast(copy(slots[slot], moved(s, slot, labels)), i.dtype))
                else:
                    at.append(b.emit("operand", (), table[s.operands[slot]].dtype, numbered(s, slot, labels)))
            elif i.fn == "index":
                at.append(position(labels[i.value]))  # type: ignore[index]
            else:
                at.append(b.emit(i.fn, tuple(at[a] for a in i.args), i.dtype, i.value))
        return at[-1]

    result = copy(consumer, tuple(range(len(consumer.space))))
    body = b.finish(result, consumer.body.dtype)
    keys = tuple(operands)
    return tidy(replace(consumer, operands=tuple(n for n, _ in keys), index=tuple(ix for _, ix in keys), body=body))


def drop_dead(program: Program) -> Rewritten:
    needed = {*program.outputs, *(source for _, source in program.updates)}
    kept: list[Statement] = []
    changes = []
    for s in reversed(program.statements):
        if s.out in needed or streams(s):  # a draw moves its stream even if nobody looks at it
            needed.update(reads(s))
            kept.append(s)
        else:
            changes.append(s.out)
    kept.reverse()
    written = {s.out for s in kept}
    buffers = tuple(b for b in program.buffers if b.role != "temp" or b.name in written)
    return replace(program, statements=tuple(kept), buffers=buffers), changes[::-1]
