"""Matrix products in LLVM's assembly: tiles of C that stay in registers while k goes by.

Law of this file: an element of C is one chain of multiply-adds over k in ascending order, in blocks of DEPTH, whatever
tile it lies in; so it has the same bits whichever rows and columns are computed together.  Text in, text out: nothing
is compiled here.

    kernel    one tile of `rows` x `width` vectors.  A is taken element by element with any two strides, so a transposed
              A costs nothing; B comes in vectors along its rows, from where it lies
    column    tiles one below the other
    packer    a panel of a transposed B as rows, in scratch on the stack
    product   chunks of rows, blocks of k, panels of columns

The last vector of a row is masked where the target can do that; elsewhere a family of one lane does what remains.
All distances inside are in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from .assembly import Writer

DEPTH = 256
"""Steps over k before a tile of C goes back to memory: a packed panel is 48 kB, and long sums keep their accuracy."""
CHUNK = 256
"""Rows of A and C that are gone through for one panel of B after the other."""
ROWS = (8, 4, 2, 1)
WIDTHS = (1, 2, 3)
"""Tiles of 8 x 3 vectors of 64 bytes reach 115 GFLOP/s on a core with 117; 8 x 2 and 8 x 1 are 3 and 5 % slower."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What matters of a processor: bytes and number of its vector registers, and whether masked loads are cheap."""

    bytes: int
    registers: int
    masks: bool


def machine(features: str, triple: str) -> Machine:
    """The description of a target from LLVM's feature string ('+avx2,-avx512f,...')."""
    has = set(features.split(","))
    if "+avx512f" in has:
        return Machine(64, 32, True)
    if "+avx2" in has:
        return Machine(32, 16, True)
    return Machine(16, 16 if triple.startswith(("x86", "i686")) else 32, False)


@dataclass(frozen=True, slots=True)
class Family:
    """Tiles of vectors of `lanes` elements of LLVM's type `real`, `size` bytes each, in at most `accumulators` registers."""

    real: str
    size: int
    lanes: int
    widths: tuple[int, ...]
    accumulators: int
    masked: bool

    @property
    def vector(self) -> str:
        return f"<{self.lanes} x {self.real}>"

    @property
    def bytes(self) -> int:
        return self.lanes * self.size

    @property
    def suffix(self) -> str:
        return f"v{self.lanes}f{self.size * 8}"

    def rows(self, width: int) -> tuple[int, ...]:
        """The heights of tiles of that width, tallest first."""
        return tuple(r for r in ROWS if r * width <= self.accumulators)

    def load(self, p: str, mask: str) -> str:
        if not mask:
            return f"load {self.vector}, ptr {p}, align {self.size}"
        masked = f"<{self.lanes} x i1> {mask}, {self.vector} zeroinitializer"
        return f"call {self.vector} @llvm.masked.load.{self.suffix}.p0(ptr {p}, i32 {self.size}, {masked})"

    def store(self, x: str, p: str, mask: str) -> str:
        if not mask:
            return f"store {self.vector} {x}, ptr {p}, align {self.size}"
        masked = f"<{self.lanes} x i1> {mask}"
        return f"call void @llvm.masked.store.{self.suffix}.p0({self.vector} {x}, ptr {p}, i32 {self.size}, {masked})"

    def fma(self, x: str, y: str, z: str) -> str:
        """x * y + z, in one rounding where the target has that."""
        return f"call {self.vector} @llvm.fmuladd.{self.suffix}({self.vector} {x}, {self.vector} {y}, {self.vector} {z})"

    def arguments(self, k: str, a: str, b: str, ldb: str, c: str, beta: str, lanes: str) -> str:
        """What kernels and columns of tiles take; `lanes`: how many of the last vector's are valid."""
        t = self.real
        return f"i64 {k}, ptr {a}, i64 %across, i64 %along, ptr {b}, i64 {ldb}, ptr {c}, i64 %ldc, {t} %alpha, {t} {beta}, i64 {lanes}"

    @property
    def parameters(self) -> str:
        return self.arguments("%k", "%a", "%b", "%ldb", "%c", "%beta", "%lanes")

    def declarations(self) -> list[str]:
        v, m, of = self.vector, f"<{self.lanes} x i1>", f"{self.suffix}.p0"
        masked = [f"declare {v} @llvm.masked.load.{of}(ptr, i32, {m}, {v})", f"declare void @llvm.masked.store.{of}({v}, ptr, i32, {m})"]
        return [f"declare {v} @llvm.fmuladd.{self.suffix}({v}, {v}, {v})", *(masked if self.masked else [])]


def kernel(f: Family, width: int, rows: int) -> str:
    """The function that computes one tile over k steps.

    Where beta is 0 it adds zeros from a constant, so nothing of C is read and there is one path.
    """
    w = Writer()
    tile = [(r, j) for r in range(rows) for j in range(width)]
    mask = w.first(f.lanes, "%lanes") if f.masked else ""

    def at(row: str, j: int) -> tuple[str, str]:
        """The address of vector j of a row, and its mask."""
        return w.step(row, j * f.bytes), mask if j == width - 1 else ""

    w.do("%none = icmp slt i64 %k, 1")
    w.do("br i1 %none, label %done, label %turn")
    w.label("%turn")
    w.do("%p = phi i64 [0, %entry], [%p.next, %turn]")
    w.do("%a.row = phi ptr [%a, %entry], [%a.next, %turn]")
    w.do("%b.row = phi ptr [%b, %entry], [%b.next, %turn]")
    for r, j in tile:
        w.do(f"%old.{r}.{j} = phi {f.vector} [zeroinitializer, %entry], [%new.{r}.{j}, %turn]")
    vectors = [w(f.load(*at("%b.row", j))) for j in range(width)]
    element = "%a.row"
    for r in range(rows):
        element = w.step(element, "%across") if r else element
        x = w.splat(w(f"load {f.real}, ptr {element}, align {f.size}"), f.real, f.lanes)
        for j in range(width):
            w.do(f"%new.{r}.{j} = {f.fma(x, vectors[j], f'%old.{r}.{j}')}")
    w.do("%a.next = getelementptr i8, ptr %a.row, i64 %along")
    w.do("%b.next = getelementptr i8, ptr %b.row, i64 %ldb")
    w.do("%p.next = add i64 %p, 1")
    w.do("%more = icmp slt i64 %p.next, %k")
    w.do("br i1 %more, label %turn, label %done")
    w.label("%done")
    for r, j in tile:
        w.do(f"%sum.{r}.{j} = phi {f.vector} [zeroinitializer, %entry], [%new.{r}.{j}, %turn]")
    alpha, beta = (w.splat(x, f.real, f.lanes) for x in ("%alpha", "%beta"))
    fresh = w(f"fcmp oeq {f.real} %beta, 0.0")
    row, before, stride = "%c", w.choose(fresh, "@zeros", "%c", "ptr"), w.choose(fresh, 0, "%ldc")
    for r in range(rows):
        if r:
            row, before = w.step(row, "%ldc"), w.step(before, stride)
        for j in range(width):
            scaled = w(f"fmul {f.vector} %sum.{r}.{j}, {alpha}")
            w.do(f.store(w(f.fma(w(f.load(*at(before, j))), beta, scaled)), *at(row, j)))
    return w.function(f"internal void @kernel_{f.lanes}_{width}_{rows}({f.parameters})")


def column(f: Family, width: int) -> str:
    """The function that computes %m rows, tiles one below the other."""
    w = Writer()

    def call(height: int, first: str) -> None:
        a, c = w.at("%a", first, "%across"), w.at("%c", first, "%ldc")
        w.do(f"call void @kernel_{f.lanes}_{width}_{height}({f.arguments('%k', a, '%b', '%ldb', c, '%beta', '%lanes')})")

    tallest, *others = f.rows(width)
    with w.loop(w(f"sdiv i64 %m, {tallest}")) as i:
        call(tallest, w.mul(i, tallest))
    done = w.both("%m", -tallest)
    for height in others:
        rest = w.both("%m", height)
        with w.when(w(f"icmp ne i64 {rest}, 0")):
            call(height, done)
        done = w.add(done, rest)
    return w.function(f"internal void @column_{f.lanes}_{width}(i64 %m, {f.parameters})")


def packer(f: Family) -> str:
    """The function that writes %width vectors of columns of a transposed B, over %k steps, as rows one after the other.

    Squares of elements are transposed in registers.  In place of rows of B past the last, the last is read again; what
    stands past k in the result is never used.
    """
    w, lanes = Writer(), f.lanes
    pitch = w.mul("%width", f.bytes)
    with w.loop("%width") as j:
        top, out = w.at("%b", w.mul(j, lanes), "%ldb"), w.at("%out", j, f.bytes)
        last = w.sub(w.choose(w(f"icmp eq i64 {w.add(j, 1)}, %width"), "%lanes", lanes), 1)
        offsets = [w.mul(w.smaller(last, r), "%ldb") for r in range(lanes)]
        with w.loop(w.blocks("%k", lanes) if f.masked else w(f"sdiv i64 %k, {lanes}")) as q:
            p = w.mul(q, lanes)
            left = w.at(top, p, f.size)
            mask = w.first(lanes, w.sub("%k", p)) if f.masked else ""
            square = [w(f.load(w.step(left, offset), mask)) for offset in offsets]
            for r, line in enumerate(transposed(w, f, square)):
                w.do(f.store(line, w.at(out, w.add(p, r), pitch), ""))
        if not f.masked:
            with w.loop(w.both("%k", lanes - 1)) as q:
                p = w.add(q, w.both("%k", -lanes))
                left, row = w.at(top, p, f.size), w.at(out, p, pitch)
                for r, offset in enumerate(offsets):
                    x = w(f"load {f.real}, ptr {w.step(left, offset)}, align {f.size}")
                    w.do(f"store {f.real} {x}, ptr {w.step(row, r * f.size)}, align {f.size}")
    return w.function(f"internal void @pack_{lanes}(i64 %k, ptr %b, i64 %ldb, ptr %out, i64 %width, i64 %lanes)")


def transposed(w: Writer, f: Family, square: list[str]) -> list[str]:
    """A square of vectors, rows for columns: as many perfect shuffles as its side has bits."""
    n, half = f.lanes, f.lanes // 2
    orders = [", ".join(f"i32 {half * h + i // 2 + n * (i % 2)}" for i in range(n)) for h in (0, 1)]
    for _ in range(n.bit_length() - 1):
        pairs = [(square[r // 2], square[r // 2 + half], orders[r % 2]) for r in range(n)]
        square = [w(f"shufflevector {f.vector} {x}, {f.vector} {y}, <{n} x i32> <{order}>") for x, y, order in pairs]
    return square


def product(name: str, families: tuple[Family, ...]) -> str:
    """The function that computes C = alpha op(A) op(B) + beta C with the tiles of the families, the widest first."""
    t, size = families[0].real, families[0].size
    w = Writer()
    w.do(f"%scratch = alloca [{DEPTH * max(f.bytes * max(f.widths) for f in families)} x i8], align 64")
    for x in ("a", "b", "c"):
        w.do(f"%ld{x} = mul i64 %row.{x}, {size}")
    for x in ("a", "b"):
        w.do(f"%t{x} = icmp ne i64 %flip.{x}, 0")
    w.do(f"%across = select i1 %ta, i64 {size}, i64 %lda")
    w.do(f"%along = select i1 %ta, i64 %lda, i64 {size}")
    w.do("%none = icmp slt i64 %k, 1")
    w.do(f"%alpha = select i1 %none, {t} 0.0, {t} %factor")
    with w.loop(w.blocks("%m", CHUNK)) as i:
        first = w.mul(i, CHUNK)
        m = w.smaller(w.sub("%m", first), CHUNK)
        top, c = w.at("%a", first, "%across"), w.at("%c", first, "%ldc")
        with w.loop(w.choose("%none", 1, w.blocks("%k", DEPTH))) as q:
            p = w.mul(q, DEPTH)
            k = w.smaller(w.sub("%k", p), DEPTH)
            a, b = w.at(top, p, "%along"), w.at("%b", p, w.choose("%tb", size, "%ldb"))
            beta = w.choose(w(f"icmp eq i64 {q}, 0"), "%beta", "1.0", t)
            start, columns = "0", "%n"
            for f in families:
                count = columns if f is families[-1] else w.both(columns, -f.lanes)
                panels(w, f, m, k, a, b, c, beta, start, count)
                start, columns = count, w.sub(columns, count)
    return w.function(
        f"void @{name}(i64 %flip.a, i64 %flip.b, i64 %m, i64 %n, i64 %k, {t} %factor, ptr %a, i64 %row.a, "
        f"ptr %b, i64 %row.b, {t} %beta, ptr %c, i64 %row.c)"
    )


def panels(w: Writer, f: Family, m: str, k: str, a: str, b: str, c: str, beta: str, start: str, count: str) -> None:
    """Columns `start` to `start + count`, in panels of about equal width."""
    vectors = w.blocks(count, f.lanes)
    number = w.blocks(vectors, max(f.widths))
    rest = w.sub(count, w.mul(w.sub(vectors, 1), f.lanes))
    with w.loop(number) as i:
        following = w.add(i, 1)
        left, right = (w(f"sdiv i64 {w.mul(x, vectors)}, {number}") for x in (i, following))
        width = w.sub(right, left)
        lanes = w.choose(w(f"icmp eq i64 {following}, {number}"), rest, f.lanes)
        j = w.add(start, w.mul(left, f.lanes))
        rows = w.at(b, j, w.choose("%tb", "%ldb", f.size))
        step = w.choose("%tb", w.mul(width, f.bytes), "%ldb")
        if f.lanes > 1:
            with w.when("%tb"):
                w.do(f"call void @pack_{f.lanes}(i64 {k}, ptr {rows}, i64 %ldb, ptr %scratch, i64 {width}, i64 {lanes})")
            rows = w.choose("%tb", "%scratch", rows, "ptr")
        arguments = f.arguments(k, a, rows, step, w.at(c, j, f.size), beta, lanes)
        for exact in f.widths:
            with w.when(w(f"icmp eq i64 {width}, {exact}")):
                w.do(f"call void @column_{f.lanes}_{exact}(i64 {m}, {arguments})")


def families(target: Machine, size: int) -> tuple[Family, ...]:
    """The families that a precision of `size` bytes needs on a target."""
    real, accumulators = {4: "float", 8: "double"}[size], target.registers * 3 // 4
    vectors = Family(real, size, target.bytes // size, WIDTHS, accumulators, target.masks)
    return (vectors,) if target.masks else (vectors, Family(real, size, 1, (1,), accumulators, False))


def module(name: str, size: int, target: Machine) -> str:
    """LLVM assembly of the function `name` for elements of `size` bytes, and of all it calls."""
    made = families(target, size)
    text = [f"@zeros = internal constant [{max(WIDTHS) * target.bytes} x i8] zeroinitializer, align 64"]
    for f in made:
        text += f.declarations()
        text += [kernel(f, width, height) for width in f.widths for height in f.rows(width)]
        text += [column(f, width) for width in f.widths]
        text += [packer(f)] if f.lanes > 1 else []
    return "\n".join([*text, product(name, made)])
