"""Program to program: what can be said with fewer statements before anything is scheduled.

Law of this file: every pass takes a legal program and gives a legal program with the same meaning, so each can be
verified and run by the interpreter on its own.  `PASSES` is the whole list, in order; `fuse` counts what each did.

    settle_updates     every new state value is a temp of its own
    settle_stacks      what a loop's body puts out is a temp of its own too, and stacked somewhere
    check_coordinates  arrays of coordinates are checked once, so that what reads by them needs no check
    sums_by_row        rows that are added up by their number and read by it again are added up without the whole array
    products_to_maps   small products become Maps with a reduced label, so that they fuse like anything else
    turn_factors       a matrix that each step of a loop multiplies by, transposed, is transposed once before the loop
    squeeze_to_maps    reshapes that only add or drop axes of extent 1 become Maps that copy, and then vanish
    moves_first        what is cut out of a copy is cut out of what was copied, and so is zero around it
    unit_sums_to_maps  sums over axes of extent 1 are no sums
    inline_maps        an elementwise producer with one consumer becomes part of that consumer's body
    divide_once        a division by a size becomes a product with its reciprocal
    scatter_onto       a state plus scattered rows becomes the state with rows added to it; what that scales is inlined again;
                       rows are put last of all
    products_onto      a state plus a multiple of a product becomes a product that is added to the state
    windows_to_tables  convolutions become products by tables (windows.py)
    keep_scalars       numbers that are updated are read through copies
    drop_dead          statements that nothing needs

A pass goes through the bodies of loops first: they are programs like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from .inline import Rewritten, copying, drop_dead, inline_maps, tidy, with_statements
from .ir import (
    At,
    Buffer,
    First,
    Map,
    MatMul,
    Place,
    Program,
    Repeat,
    Reshape,
    Scatter,
    Size,
    Slice,
    Statement,
    Within,
    coordinates,
    reads,
    streams,
)
from .scalar import Body, Builder, Instr
from .updates import keep_scalars, products_onto, scatter_onto, settle_stacks, settle_updates
from .windows import windows_to_tables

LOOP_PRODUCT = 64
"""A product whose right factor has at most this many elements (or is one column) is loops, anything larger is a call:
a step of a 64-32-10 net took 15.9 us with 32 x 10 as loops, 8.5 with calls."""
LOOP_GRADIENT = 128
"""The same bound for the result of a product that contracts a long axis, such as X'E."""
LOOP_COLUMN = 4096
"""The same bound for a product with a single column, where BLAS would only do a matrix-vector product."""
TURNED = 8
"""Steps from which a transposed factor is worth a copy."""


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
        program, changes = everywhere(rewrite, program)
        notes.append(PassNote(rewrite.__name__, tuple(changes)))
        program = checked(rewrite.__name__, program)
    return program, tuple(notes)


def everywhere(rewrite: Callable[[Program], Rewritten], program: Program) -> Rewritten:
    """A pass through the bodies of loops, and then through the program."""
    if not any(isinstance(s, Repeat) for s in program.statements):
        return rewrite(program)
    statements: list[Statement] = []
    inside: list[str] = []
    for s in program.statements:
        if isinstance(s, Repeat):
            body, changes = everywhere(rewrite, s.body)
            s = replace(s, body=body)
            inside += changes
        statements.append(s)
    program, changes = rewrite(with_statements(program, statements))
    return program, inside + changes


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
            fresh = Buffer(f"{where.out}.within{len(checked)}", b.dtype, b.shape, origin=table[where.out].origin or where.out)
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
    return with_statements(program, statements, tuple(buffers)), list(checked.values())


def sums_by_row(program: Program) -> Rewritten:
    """z[at] for z = zeros with the rows of x added where `at` says: each row of x, plus the others of its number.

    They are added up at the first of their number, in an array like x: the one that is as long as `at` can reach is never made."""
    table = program.table()
    readers: dict[str, list[Statement]] = {}
    for s in program.statements:
        for n in dict.fromkeys(reads(s)):
            readers.setdefault(n, []).append(s)
    seen = {*program.outputs, *(source for _, source in program.updates)}
    sums = {
        s.out: s
        for s in program.statements
        if isinstance(s, Scatter) and s.onto is None and s.out not in seen and all(_reads_again(r, s) for r in readers.get(s.out, ()))
    }
    if not sums:
        return program, []
    firsts: dict[tuple[str, Size], str] = {}
    buffers: list[Buffer] = []
    statements: list[Statement] = []
    for s in program.statements:
        if isinstance(s, Scatter) and s.out in sums:
            key = (s.at, table[s.out].shape[0])
            if key not in firsts:
                firsts[key] = f"{s.at}.first{len(firsts)}"
                buffers.append(replace(table[s.at], name=firsts[key], role="temp", value=None))
                statements.append(First(firsts[key], *key))
            buffers.append(replace(table[s.x], name=f"{s.out}.sums", role="temp", value=None, origin=table[s.out].origin))
            s = Scatter(f"{s.out}.sums", s.x, firsts[key])
        elif isinstance(s, Map) and not sums.keys().isdisjoint(s.operands):
            operands, index = list(s.operands), list(s.index)
            for k, n in enumerate(s.operands):
                if n in sums:
                    index[k] = (At(len(operands)), *index[k][1:])
                    index.append(s.index[s.index[k][0].slot])  # type: ignore[union-attr]
                    operands.append(firsts[sums[n].at, table[n].shape[0]])
                    operands[k] = f"{n}.sums"
            s = tidy(replace(s, operands=tuple(operands), index=tuple(index)))
        statements.append(s)
    kept = tuple(b for b in program.buffers if b.name not in sums)
    return replace(with_statements(program, statements), buffers=(*kept, *buffers)), list(sums)


def _reads_again(s: Statement, z: Scatter) -> bool:
    """Does a statement read rows of z only by the very coordinates that z was made with?"""
    if not isinstance(s, Map):
        return False
    own = [ix for n, ix in zip(s.operands, s.index, strict=True) if n == z.out]
    return all(isinstance(ix[0], At) and s.operands[ix[0].slot] == z.at and len(coordinates(ix)) == 1 for ix in own)


# ---------------------------------------------------------------- products
def products_to_maps(program: Program) -> Rewritten:
    table = program.table()
    changes: list[str] = []

    def rewrite(s: Statement) -> Statement:
        if isinstance(s, MatMul) and loops_suit(s, table):
            changes.append(s.out)
            return product_as_map(s, table)
        return s

    return with_statements(program, [rewrite(s) for s in program.statements]), changes


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


def turn_factors(program: Program) -> Rewritten:
    """Loops multiply by B' where B is captured: what B' is, is made once, as B' costs an eighth to a quarter more than B."""
    if not any(isinstance(s, Repeat) for s in program.statements):
        return program, []
    table = program.table()
    statements: list[Statement] = []
    turned: dict[str, Buffer] = {}
    for s in program.statements:
        if isinstance(s, Repeat) and not (isinstance(s.steps, int) and s.steps < TURNED):
            inner = s.body.table()
            products = [p for p in s.body.statements if isinstance(p, MatMul) and p.tb and not p.ta and p.b in s.captured]
            products = [p for p in products if len(inner[p.b].shape) == 2]
            for p in products:
                if p.b not in turned:
                    b = table[p.b]
                    turned[p.b] = Buffer(f"{p.out}.turned", b.dtype, b.shape[::-1], origin=b.origin)
                    statements.append(Map(turned[p.b].name, (p.b,), ((1, 0),), b.shape[::-1], copying(b.dtype)))
            body = [replace(p, b=turned[p.b].name, tb=False) if p in products else p for p in s.body.statements]
            given = tuple(replace(turned[n], role="input") for n in dict.fromkeys(p.b for p in products))
            s = replace(s, body=replace(with_statements(s.body, body, given), inputs=(*s.body.inputs, *(b.name for b in given))))
        statements.append(s)
    return with_statements(program, statements, tuple(turned.values())), [b.name for b in turned.values()]


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

    return with_statements(program, [rewrite(s) for s in program.statements]), changes


def moves_first(program: Program) -> Rewritten:
    """A Slice of a copy in another order is a copy of a Slice, and a copy of a Place is a Place of a copy.

    The last step of a net's transposed outputs is then a step of its outputs."""
    uses = Counter(n for s in program.statements for n in reads(s))
    uses.update([*program.outputs, *(source for _, source in program.updates)])
    slices = Counter(s.x for s in program.statements if isinstance(s, Slice))
    advanced = {n for s in program.statements for n in streams(s)}
    table = program.table()
    copies = {s.out: s for s in program.statements if isinstance(s, Map) and _copies(s) and not advanced & set(reads(s))}
    places = {s.out: s for s in program.statements if isinstance(s, Place)}
    statements: list[Statement] = []
    buffers: list[Buffer] = []
    for s in program.statements:
        if isinstance(s, Slice) and s.x in copies and uses[s.x] == slices[s.x]:
            m = copies[s.x]
            shape, ((x,), (ix,)) = table[s.out].shape, (m.operands, m.index)
            window = [(0, 1, 1) if a is None else (s.start[a], s.step[a], shape[a]) for a in ix if not isinstance(a, At)]
            start, step, kept = zip(*window, strict=True)
            buffers.append(Buffer(f"{s.out}.cut", table[x].dtype, kept, origin=table[s.out].origin))
            statements += [Slice(f"{s.out}.cut", x, start, step), replace(m, out=s.out, operands=(f"{s.out}.cut",), space=shape)]
        elif s.out in copies and (p := places.get(reads(s)[0])) and uses[p.out] == 1 and (order := _order(copies[s.out])):
            turned = tuple(table[p.x].shape[k] for k in order)
            buffers.append(Buffer(f"{s.out}.part", table[p.x].dtype, turned, origin=table[s.out].origin))
            statements.append(replace(copies[s.out], out=f"{s.out}.part", operands=(p.x,), space=turned))
            statements.append(Place(s.out, f"{s.out}.part", tuple(p.start[k] for k in order), tuple(p.step[k] for k in order)))
        else:
            statements.append(s)
    return with_statements(program, statements, tuple(buffers)), [b.name for b in buffers]


def _copies(s: Map) -> bool:
    """Does a Map give its one operand, which has axes, in whatever order?"""
    return s.reducer is None and len(s.operands) == len(s.body.code) == 1 and s.index[0] != ()


def _order(s: Map) -> list[int]:
    """Which axis of its operand each axis of a copy is; nothing where it is more than another order of them."""
    (ix,) = s.index
    axes = list(range(len(s.space)))
    return [ix.index(a) for a in axes] if sorted(a for a in ix if isinstance(a, int)) == axes and len(ix) == len(axes) else []


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

    return with_statements(program, [rewrite(s) for s in program.statements]), changes


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

    return with_statements(program, [rewrite(s) for s in program.statements]), changes


PASSES = (
    settle_updates,
    settle_stacks,
    check_coordinates,
    sums_by_row,
    products_to_maps,
    turn_factors,
    squeeze_to_maps,
    moves_first,
    unit_sums_to_maps,
    inline_maps,
    divide_once,
    scatter_onto,
    products_onto,
    windows_to_tables,
    keep_scalars,
    drop_dead,
)
