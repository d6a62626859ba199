"""Program to program: what can be said with fewer statements before anything is scheduled.

Law of this file: every pass takes a legal program and gives a legal program with the same meaning, so each can be
verified and run by the interpreter on its own.  `PASSES` is the whole list, in order; `fuse` counts what each did.

    settle_updates     every new state value is a temp of its own
    check_coordinates  arrays of coordinates are checked once, so that what reads by them needs no check
    products_to_maps   small products become Maps with a reduced label, so that they fuse like anything else
    squeeze_to_maps    reshapes that only add or drop axes of extent 1 become Maps that copy, and then vanish
    unit_sums_to_maps  sums over axes of extent 1 are no sums
    inline_maps        an elementwise producer with one consumer becomes part of that consumer's body
    divide_once        a division by a size becomes a product with its reciprocal
    scatter_onto       a state plus scattered rows becomes the state with rows added to it; what that scales is inlined again
    products_onto      a state plus a multiple of a product becomes a product that is added to the state
    keep_scalars       numbers that are updated are read through copies
    drop_dead          statements that nothing needs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from .ir import At, Buffer, Map, MatMul, Program, Random, Reshape, Scatter, Size, Statement, Walk, Within, coordinates, reads
from .scalar import Body, Builder, Instr

MAX_BODY = 200
"""Instructions past which a body takes in no more producers: LLVM's registers, and Numba's compile time."""
LOOP_PRODUCT = 64
"""A product whose right factor has at most this many elements (or is one column) is loops, anything larger is a call:
a step of a 64-32-10 net took 15.9 us with 32 x 10 as loops, 8.5 with calls."""
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


# ---------------------------------------------------------------- coordinates
def check_coordinates(program: Program) -> Rewritten:
    """Every array of coordinates goes through `Within` for the axis that it is for, unless its buffer is trusted."""
    table = program.table()
    checked: dict[tuple[str, Size], str] = {}
    statements: list[Statement] = []
    buffers: list[Buffer] = []

    def within(name: str, extent: Size, where: Statement) -> str:
        b = table[name]
        if b.trusted or b.value is not None and isinstance(extent, int) and bool(np.all((b.value >= 0) & (b.value < extent))):
            return name
        if (name, extent) not in checked:
            fresh = Buffer(f"{name}.within{len(checked)}", b.dtype, b.shape, origin=table[where.out].origin or where.out)
            buffers.append(fresh)
            statements.append(Within(fresh.name, name, extent))
            checked[name, extent] = fresh.name
        return checked[name, extent]

    for s in program.statements:
        if isinstance(s, Scatter):
            s = replace(s, at=within(s.at, table[s.out].shape[0], s))
        elif isinstance(s, Map) and any(coordinates(ix) for ix in s.index):
            operands, index = list(s.operands), list(s.index)
            for k, ix in enumerate(s.index):
                for axis, walk in enumerate(ix):
                    if isinstance(walk, At):
                        name = within(s.operands[walk.slot], table[s.operands[k]].shape[axis], s)
                        index[k] = (*index[k][:axis], At(len(operands)), *ix[axis + 1 :])
                        operands.append(name)
                        index.append(s.index[walk.slot])
            s = tidy(replace(s, operands=tuple(operands), index=tuple(index)))
        statements.append(s)
    return _with(program, statements, tuple(buffers)), list(checked.values())


def tidy(s: Map) -> Map:
    """The same Map without operands that nothing reads, and with equal ones once."""
    keys: dict[tuple[str, tuple[Walk, ...]], int] = {}

    def place(slot: int) -> int:
        index = tuple(At(place(w.slot)) if isinstance(w, At) else w for w in s.index[slot])
        return keys.setdefault((s.operands[slot], index), len(keys))

    code = tuple(replace(i, value=place(i.value)) if i.fn == "operand" else i for i in s.body.code)  # type: ignore[arg-type]
    return replace(s, operands=tuple(n for n, _ in keys), index=tuple(ix for _, ix in keys), body=Body(code))


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


def unit_sums_to_maps(program: Program) -> Rewritten:
    """A sum, a product or an extreme over labels of extent 1 is the value itself."""
    changes: list[str] = []
    table = program.table()

    def rewrite(s: Statement) -> Statement:
        if not isinstance(s, Map) or s.reducer not in ("sum", "prod", "max", "min"):
            return s
        rank = len(table[s.out].shape)
        if any(e != 1 for e in s.space[rank:]) or s.body.dtype != table[s.out].dtype or any(i.fn == "index" for i in s.body.code):
            return s
        changes.append(s.out)
        index = tuple(tuple(None if isinstance(a, int) and a >= rank else a for a in ix) for ix in s.index)
        return Map(s.out, s.operands, index, s.space[:rank], s.body)

    return _with(program, [rewrite(s) for s in program.statements]), changes


def divide_once(program: Program) -> Rewritten:
    """x / n for a size n is x times 1 / n, which is then divided once and not for each element."""
    changes: list[str] = []

    def rewrite(s: Statement) -> Statement:
        if not isinstance(s, Map) or not any(i.fn == "size" for i in s.body.code):
            return s
        b = Builder()
        at: list[int] = []
        fixed: list[bool] = []  # is a value made of sizes and literals alone?
        for i in s.body.code:
            fixed.append(i.fn in ("size", "literal") or bool(i.args) and all(fixed[a] for a in i.args))
            args = tuple(at[a] for a in i.args)
            if i.fn == "div" and i.dtype[0] == "f" and fixed[i.args[1]] and not fixed[i.args[0]]:
                args = args[0], b.emit("div", (b.literal(1, i.dtype), args[1]), i.dtype)
                i = replace(i, fn="mul")
            at.append(b.emit(i.fn, args, i.dtype, i.value))
        body = b.finish(at[-1], s.body.dtype)
        if body == s.body or body.operands() != s.body.operands():
            return s
        changes.append(s.out)
        return replace(s, body=body)

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
    return _with(program, statements), changes


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


# ---------------------------------------------------------------- what is added to a state
def scatter_onto(program: Program) -> Rewritten:
    """W <- W - c S with S scattered and used once becomes: the rows of S, times -c, added to W.

    Those rows alone are touched where the sum is made in place.  Such statements go to the end, so that everything else
    reads the state before it changes."""
    if not any(isinstance(s, Scatter) for s in program.statements):
        return program, []
    program, _ = drop_dead(program)  # what was inlined reads nothing any more
    table = program.table()
    made = {s.out: s for s in program.statements}
    uses = Counter(n for s in program.statements for n in reads(s))
    read_outside = {*program.outputs, *(source for _, source in program.updates)}
    gone: set[str] = set()
    added: list[Statement] = []
    buffers: list[Buffer] = []
    changes: list[str] = []
    for target, source in program.updates:
        s = made.get(source)
        if not isinstance(s, Map) or uses[source] or s.reducer is not None or s.body.dtype != table[source].dtype:
            continue
        parts = _added(s, table, target)
        rows = [made.get(s.operands[k]) for k in parts or ()]
        if not parts or not all(isinstance(r, Scatter) and r.onto is None and uses[r.out] == 1 and r.out not in read_outside for r in rows):
            continue
        onto = target
        for number, (slot, body) in enumerate(parts.items(), start=1):
            r = made[s.operands[slot]]
            assert isinstance(r, Scatter)
            x, out = r.x, source if number == len(parts) else f"{source}.{number}"
            if len(body.code) > 1:
                x = f"{r.out}.rows"
                shape = table[r.x].shape
                scaled = Map(x, tuple(r.x if k == slot else n for k, n in enumerate(s.operands)), s.index, shape, body)
                buffers.append(Buffer(x, table[r.x].dtype, shape, origin=table[r.out].origin))
                added.append(tidy(scaled))
            if out != source:
                buffers.append(replace(table[source], name=out))
            added.append(Scatter(out, x, r.at, onto))
            onto = out
        gone |= {source, *(r.out for r in rows if r)}
        changes.append(f"{', '.join(r.out for r in rows if r)} onto {target}")
    maps = [s for s in added if isinstance(s, Map)]
    statements = [*(s for s in program.statements if s.out not in gone), *maps, *(s for s in added if s not in maps)]
    return inline_maps(_with(program, statements, tuple(buffers)))[0] if changes else program, changes


def products_onto(program: Program) -> Rewritten:
    """W <- W - c A B with the product used once becomes a product that is added to W: one call, and no array for A B.

    Where W is read after that, or has a dtype that is not a float, there is nothing to gain."""
    program, _ = drop_dead(program)  # what was inlined reads nothing any more
    table = program.table()
    made = {s.out: s for s in program.statements}
    uses = Counter(n for s in program.statements for n in reads(s))
    uses.update(program.outputs)
    uses.update(source for _, source in program.updates)
    position = {s.out: k for k, s in enumerate(program.statements)}
    last = {n: k for k, s in enumerate(program.statements) for n in reads(s)}
    statements: dict[str, tuple[Statement, ...]] = {}
    buffers: list[Buffer] = []
    factors: dict[Map, str] = {}  # equal ones are one: the layers of a net have one learning rate
    for target, source in sorted(program.updates, key=lambda u: position.get(u[1], -1)):
        s = made.get(source)
        if not isinstance(s, Map) or s.reducer is not None or len(s.space) != 2 or table[target].dtype not in ("float32", "float64"):
            continue
        terms = _added(s, table, target)
        if terms is None or len(terms) != 1 or last[target] > position[source] or s.body.dtype != table[target].dtype:
            continue
        ((slot, body),) = terms.items()
        product = made.get(s.operands[slot])
        if not isinstance(product, MatMul) or product.onto or uses[product.out] != 1 or body.dtype != table[target].dtype:
            continue
        one = Builder()
        at: list[int] = []
        for i in body.code:
            whole = i.fn == "operand" and i.value == slot
            at.append(one.literal(1, i.dtype) if whole else one.emit(i.fn, tuple(at[a] for a in i.args), i.dtype, i.value))
        scale = tidy(Map("", s.operands, tuple(tuple(None for _ in ix) for ix in s.index), (), one.finish(at[-1], body.dtype)))
        factor = factors.setdefault(scale, f"{source}.factor")
        fresh = factor == f"{source}.factor"
        if fresh:
            buffers.append(Buffer(factor, table[target].dtype, (), origin=table[source].origin))
        statements[product.out] = ()
        statements[source] = (*([replace(scale, out=factor)] * fresh), replace(product, out=source, onto=target, factor=factor))
    if not statements:
        return program, []
    done = [r for s in program.statements for r in statements.get(s.out, (s,))]
    return _with(program, done, tuple(buffers)), [s for s, made in statements.items() if made]


def _added(s: Map, table: dict[str, Buffer], target: str) -> dict[int, Body] | None:
    """If s is `target` plus multiples of other operands of its shape, read whole: those operands, with the body that
    makes what is added out of each."""
    code = s.body.code
    axes = tuple(range(len(s.space)))
    whole = {k for k, ix in enumerate(s.index) if len(ix) == len(axes) and all(w == a or s.space[a] == 1 for a, w in enumerate(ix))}
    same: list[bool] = []
    for i in code:
        fixed = i.fn != "operand" or all(w is None for w in s.index[i.value])  # type: ignore[index]
        same.append(i.fn != "index" and fixed and all(same[a] for a in i.args))
    terms: list[tuple[int, ...] | None] = []
    for i in code:
        held = [terms[a] or () for a in i.args]
        linear = all(same[a] or terms[a] is not None for a in i.args)
        match i.fn:
            case "operand":
                terms.append((i.value,) if i.value in whole else None)  # type: ignore[arg-type]
            case "add" | "sub" if linear and not any(same[a] for a in i.args):
                terms.append((*held[0], *held[1]))
            case "neg" if linear and not same[i.args[0]]:
                terms.append(held[0])
            case "mul" if linear and same[i.args[0]] != same[i.args[1]]:
                terms.append((*held[0], *held[1]))
            case "div" if linear and same[i.args[1]] and not same[i.args[0]]:
                terms.append(held[0])
            case _:
                terms.append(None)
    slots = terms[-1] or ()
    if len(slots) < 2 or len(set(slots)) < len(slots) or [s.operands[k] for k in slots].count(target) != 1:
        return None

    def part(slot: int) -> Body:
        """The body with every other term left out."""
        b = Builder()
        at: list[int] = []

        def emit(position: int) -> int:
            i = code[position]
            if same[position] or i.fn == "operand":
                return b.emit(i.fn, tuple(emit(a) for a in i.args), i.dtype, i.value)
            mine = [slot in (terms[a] or ()) for a in i.args]
            if i.fn in ("add", "sub"):
                kept = emit(i.args[mine.index(True)])
                return b.apply("neg", kept) if i.fn == "sub" and mine[1] else kept
            return b.emit(i.fn, tuple(emit(a) for a in i.args), i.dtype, i.value)

        at.append(emit(len(code) - 1))
        return b.finish(at[0], s.body.dtype)

    bodies = {slot: part(slot) for slot in slots}
    base = next(k for k in slots if s.operands[k] == target)
    return {k: body for k, body in bodies.items() if k != base} if len(bodies[base].code) == 1 else None


# ---------------------------------------------------------------- what is left
def keep_scalars(program: Program) -> Rewritten:
    """A number that is updated is read through a copy, made before anything else, where whole arrays read it.

    It can then change at once, in its place, and nobody has to wait until all have read it."""
    table = program.table()
    changed = {target for target, _ in program.updates if table[target].shape == ()}
    wide = {n for s in program.statements if table[s.out].shape for n in reads(s)} & changed
    if not wide:
        return program, []
    names = {n: f"{n}.old" for n in table if n in wide}
    copies: list[Statement] = [Map(new, (n,), ((),), (), copying(table[n].dtype)) for n, new in names.items()]
    statements = [replace(s, operands=tuple(names.get(n, n) for n in s.operands)) if isinstance(s, Map) else s for s in program.statements]
    buffers = tuple(replace(table[n], name=new, role="temp") for n, new in names.items())
    return _with(program, [*copies, *statements], buffers), list(names)


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


PASSES = (
    settle_updates,
    check_coordinates,
    products_to_maps,
    squeeze_to_maps,
    unit_sums_to_maps,
    inline_maps,
    divide_once,
    scatter_onto,
    products_onto,
    keep_scalars,
    drop_dead,
)
