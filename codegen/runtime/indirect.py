"""Products whose rows lie where tables say, in LLVM's assembly: what convolutions are.

Law of this file: C[rows[r] + j] = sum over turns t and i < run of A[left[r] + turns[t, 0] + i * step] * B[turns[t, 1] + i * n + j],
each element one chain of multiply-adds in ascending order, whatever tile it lies in; so it has the same bits whichever rows
are computed together.  `indirect_f32(images, group, first, last, n, A, each_a, left, step, B, each_b, turns, C, each_c, rows, parts,
count)` does `count` parts, each a line of five numbers: first row, rows in an image, first turn, turns, run.  The tables have the rows
of `group` images one after the other; of these it does those from `first` to `last`.  An image has its arrays each_a, each_b and each_c
elements after the one before; with each_c = 0 all images are summed.

    kernel    one tile of rows x 1 or 2 vectors.  Rows begin anywhere, so a tile takes windows from several lines and images; a run
              is as in a product, and between runs only two distances are read
    column    tiles one below the other, of about one height: 32 rows are 11, 11 and 10
    product   groups of images, parts, panels of columns

A tile is 14 x 2 vectors of 64 bytes: 28 sums, two vectors of B, one number of A.  On a core with 118 GFLOP/s: 28 x 28 x 1 to 32 channels
through 5 x 5: 94 forwards, 108 for its filter; 14 x 14 x 32 to 64: 107, 110, and 111 backwards, without any patch being copied.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from ..cache import keep
from . import symbols, tiles
from .assembly import Writer
from .microkernels import Family, Machine

SIZES = {"indirect_f32": 4, "indirect_f64": 8}
WIDTHS = (1, 2)
PAIR, LINE = 16, 40
"""Bytes of an entry of `turns` and of `parts`; one of the other tables has 8."""


def families(target: Machine, size: int) -> tuple[Family, ...]:
    """Tiles that leave four registers free, and of one lane what remains where vectors have no masks."""
    real, accumulators = {4: "float", 8: "double"}[size], target.registers - 4
    vectors = Family(real, size, target.bytes // size, WIDTHS, accumulators, target.masks)
    return (vectors,) if target.masks else (vectors, Family(real, size, 1, (1,), accumulators // 2, False))


def heights(f: Family) -> range:
    """The rows of a tile, those of one with two vectors."""
    return range(1, f.accumulators // max(f.widths) + 1)


def arguments(left: str, b: str, c: str, rows: str, lanes: str) -> str:
    """What kernels and columns of tiles take; `lanes`: how many of the last vector's are valid."""
    head = f"i64 %count, i64 %run, ptr %a, ptr {left}, i64 %along, ptr {b}, i64 %line, ptr %turns"
    return f"{head}, ptr {c}, ptr {rows}, i1 %fresh, i64 {lanes}"


PARAMETERS = arguments("%left", "%b", "%c", "%rows", "%lanes")


def kernel(f: Family, width: int, rows: int) -> str:
    """The function that computes one tile."""
    w = Writer()
    tile = [(r, j) for r in range(rows) for j in range(width)]
    mask = w.first(f.lanes, "%lanes") if f.masked else ""

    def at(row: str, j: int) -> tuple[str, str]:
        """The address of vector j of a row, and its mask."""
        return w.step(row, j * f.bytes), mask if j == width - 1 else ""

    def distance(table: str, number: int) -> str:
        """An entry of a table, in bytes."""
        return w.mul(w(f"load i64, ptr {w.step(table, number * PAIR // 2)}, align 8"), f.size)

    starts = [w.step("%a", distance("%left", r)) for r in range(rows)]
    w.do("%none = icmp slt i64 %count, 1")
    w.do("br i1 %none, label %done, label %turn")
    w.label("%turn")
    w.do("%t = phi i64 [0, %entry], [%t.next, %next]")
    for r, j in tile:
        w.do(f"%old.{r}.{j} = phi {f.vector} [zeroinitializer, %entry], [%new.{r}.{j}, %next]")
    pair = w.at("%turns", "%t", PAIR)
    first, line = distance(pair, 0), w.step("%b", distance(pair, 1))
    w.do("br label %step")
    w.label("%step")
    w.do("%p = phi i64 [0, %turn], [%p.next, %step]")
    w.do(f"%x = phi i64 [{first}, %turn], [%x.next, %step]")
    w.do(f"%y = phi ptr [{line}, %turn], [%y.next, %step]")
    for r, j in tile:
        w.do(f"%sum.{r}.{j} = phi {f.vector} [%old.{r}.{j}, %turn], [%new.{r}.{j}, %step]")
    vectors = [w(f.load(*at("%y", j))) for j in range(width)]
    for r in range(rows):
        x = w.splat(w(f"load {f.real}, ptr {w.step(starts[r], '%x')}, align {f.size}"), f.real, f.lanes)
        for j in range(width):
            w.do(f"%new.{r}.{j} = {f.fma(x, vectors[j], f'%sum.{r}.{j}')}")
    w.do("%x.next = add i64 %x, %along")
    w.do("%y.next = getelementptr i8, ptr %y, i64 %line")
    w.do("%p.next = add i64 %p, 1")
    w.do("%more = icmp slt i64 %p.next, %run")
    w.do("br i1 %more, label %step, label %next")
    w.label("%next")
    w.do("%t.next = add i64 %t, 1")
    w.do("%again = icmp slt i64 %t.next, %count")
    w.do("br i1 %again, label %turn, label %done")
    w.label("%done")
    for r, j in tile:
        w.do(f"%end.{r}.{j} = phi {f.vector} [zeroinitializer, %entry], [%new.{r}.{j}, %next]")
    for r in range(rows):
        row = w.step("%c", distance("%rows", r))
        before = w.choose("%fresh", "@zeros", row, "ptr")
        for j in range(width):
            w.do(f.store(w(f"fadd {f.vector} {w(f.load(*at(before, j)))}, %end.{r}.{j}"), *at(row, j)))
    return w.function(f"internal void @kernel_{f.lanes}_{width}_{rows}({PARAMETERS})")


def column(f: Family, width: int) -> str:
    """The function that computes %m rows in tiles of about one height, one below the other."""
    w, every = Writer(), heights(f)
    number = w.blocks("%m", every[-1])
    with w.loop(number) as i:
        first, last = (w(f"sdiv i64 {w.mul(x, '%m')}, {number}") for x in (i, w.add(i, 1)))
        left, rows = (w.at(x, first, PAIR // 2) for x in ("%left", "%rows"))
        height, taken = w.sub(last, first), arguments(left, "%b", "%c", rows, "%lanes")
        for exact in reversed(every):
            with w.when(w(f"icmp eq i64 {height}, {exact}")):
                w.do(f"call void @kernel_{f.lanes}_{width}_{exact}({taken})")
    return w.function(f"internal void @column_{f.lanes}_{width}(i64 %m, {PARAMETERS})")


def product(name: str, made: tuple[Family, ...]) -> str:
    """The function that computes all parts of all groups of images."""
    size, w = made[0].size, Writer()
    w.do(f"%line = mul i64 %n, {size}")
    w.do(f"%along = mul i64 %step, {size}")
    adds = w("icmp eq i64 %each.c, 0")
    groups = w(f"sdiv i64 {w.add('%images', w.sub('%group', 1))}, %group")
    once = w(f"and i1 {adds}, {w(f'icmp eq i64 {groups}, 0')}")  # a sum over no images is 0
    with w.loop(w.choose(once, 1, groups)) as q:
        image = w.mul(q, "%group")
        here = w.smaller(w.sub("%images", image), "%group")
        w.do(f"%fresh = or i1 {w(f'icmp eq i64 {q}, 0')}, {w(f'xor i1 {adds}, true')}")
        w.do(f"%a = getelementptr i8, ptr %all.a, i64 {w.mul(w.mul(image, '%each.a'), size)}")
        whole_b, whole_c = (w.at(f"%all.{x}", w.mul(image, f"%each.{x}"), size) for x in "bc")
        with w.loop("%parts") as p:
            part = w.at("%table", p, LINE)
            start, some, first_turn, turns, run = (w(f"load i64, ptr {w.step(part, 8 * k)}, align 8") for k in range(5))
            w.do(f"%run = add i64 {run}, 0")
            w.do(f"%count = add i64 {w.choose(w(f'icmp slt i64 {run}, 1'), 0, w.choose(once, 0, turns))}, 0")
            w.do(f"%turns = getelementptr i8, ptr %all.turns, i64 {w.mul(first_turn, PAIR)}")
            images = w.choose(once, 1, here)
            top = w.choose(w(f"icmp sgt i64 {start}, %first"), start, "%first")
            m = w.sub(w.smaller(w.add(start, w.mul(some, images)), "%last"), top)
            left, rows = (w.at(f"%all.{x}", top, PAIR // 2) for x in ("left", "rows"))
            begin, columns = "0", "%n"
            for f in made:
                count = columns if f is made[-1] else w.both(columns, -f.lanes)
                panels(w, f, m, (left, whole_b, whole_c, rows), begin, count)
                begin, columns = count, w.sub(columns, count)
    return w.function(
        f"void @{name}(i64 %images, i64 %group, i64 %first, i64 %last, i64 %n, ptr %all.a, i64 %each.a, ptr %all.left, i64 %step, "
        f"ptr %all.b, i64 %each.b, ptr %all.turns, ptr %all.c, i64 %each.c, ptr %all.rows, ptr %table, i64 %parts)"
    )


def panels(w: Writer, f: Family, m: str, arrays: tuple[str, str, str, str], begin: str, count: str) -> None:
    """Columns `begin` to `begin + count` of m rows, in panels of about equal width; nothing where m < 1."""
    left, b, c, rows = arrays
    vectors = w.blocks(count, f.lanes)
    number = w.choose(w(f"icmp slt i64 {m}, 1"), 0, w.blocks(vectors, max(f.widths)))
    rest = w.sub(count, w.mul(w.sub(vectors, 1), f.lanes))
    with w.loop(number) as i:
        following = w.add(i, 1)
        first, last = (w(f"sdiv i64 {w.mul(x, vectors)}, {number}") for x in (i, following))
        lanes = w.choose(w(f"icmp eq i64 {following}, {number}"), rest, f.lanes)
        j = w.mul(w.add(begin, w.mul(first, f.lanes)), f.size)
        taken = arguments(left, w.step(b, j), w.step(c, j), rows, lanes)
        for exact in f.widths:
            with w.when(w(f"icmp eq i64 {w.sub(last, first)}, {exact}")):
                w.do(f"call void @column_{f.lanes}_{exact}(i64 {m}, {taken})")


def module(name: str, size: int, target: Machine) -> str:
    """LLVM assembly of the function `name` for elements of `size` bytes, and of all it calls."""
    made = families(target, size)
    text = [f"@zeros = internal constant [{max(WIDTHS) * target.bytes} x i8] zeroinitializer, align 64"]
    for f in made:
        text += f.declarations()
        text += [kernel(f, width, height) for width in f.widths for height in heights(f)]
        text += [column(f, width) for width in f.widths]
    return "\n".join([*text, product(name, made)])


# ---------------------------------------------------------------- for kernels
def ensure(*names: str) -> None:
    """Make the named products known to LLVM, so that kernels which call them can be compiled or loaded."""
    for name in names:
        _register(name)


@functools.cache
def _register(name: str) -> None:
    symbols.register(name, tiles.link(name, keep(name, lambda: machine_code(name))))


def machine_code(name: str, machine: Machine | None = None) -> bytes:
    """An object file with the product `name`, shaped for this processor or for the one described."""
    return tiles.compiled(lambda here: module(name, SIZES[name], machine or here))


def _indirect(name: str) -> Callable:
    @intrinsic
    def indirect(typing, images, group, first, last, n, a, each_a, left, step, b, each_b, turns, c, each_c, rows, table, parts):
        i = types.int64
        signature = types.void(i, i, i, i, i, a, i, left, i, b, i, turns, c, i, rows, table, i)

        def build(context, builder, signature, args):
            ensure(name)
            values = list(args)
            for at in (5, 7, 9, 11, 12, 14, 15):
                data = context.make_array(signature.args[at])(context, builder, args[at]).data
                values[at] = builder.bitcast(data, ir.IntType(8).as_pointer())
            kind = ir.FunctionType(ir.VoidType(), [v.type for v in values])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, symbols.PREFIX + name), values)
            return context.get_dummy_value()

        return signature, build

    return indirect


def indirect_plain(images, group, first, last, n, a, each_a, left, step, b, each_b, turns, c, each_c, rows, table, parts):
    """The same product in NumPy, as plain Python; dtype: that of c."""
    x, y, z, j = a.reshape(-1), b.reshape(-1), c.reshape(-1), np.arange(n)
    for image in range(0, images if each_c else max(images, 1), group):
        for start, some, first_turn, count, run in table.reshape(-1, 5)[:parts].tolist():
            mine = slice(max(first, start), max(first, start, min(last, start + some * min(group, images - image if images else 1))))
            sums = np.zeros((len(left[mine]), n), c.dtype)
            for t, u in turns.reshape(-1, 2)[first_turn : first_turn + (count if images else 0)].tolist():
                for i in range(run):  # one after the other: the bits do not depend on how many rows there are
                    at = image * each_a + left[mine, None] + (t + i * step)
                    sums += x[at] * y[image * each_b + u + i * n + j]
            where = image * each_c + rows[mine, None] + j
            z[where] = sums if each_c or image == 0 else z[where] + sums


PLAIN = {"indirect_f32": indirect_plain, "indirect_f64": indirect_plain}
indirect_f32, indirect_f64 = _indirect("indirect_f32"), _indirect("indirect_f64")
if config.DISABLE_JIT:
    globals().update(PLAIN)
