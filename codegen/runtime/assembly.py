"""Writing functions in LLVM's assembly.

Law of this file: it makes text and knows nothing of what the text is for; `w("mul i64 %x, 3")` gives the fresh name of
the result.  Addresses are bytes, integers i64, loops carry nothing but their counter.  (llvmlite's builder says the
same at twenty times the price: the products' 900 instructions are 1 ms as text.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Writer:
    """The lines of one function."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self.block = "%entry"

    def __call__(self, text: str) -> str:
        """An instruction; the name of its result."""
        name = self.name()
        self.do(f"{name} = {text}")
        return name

    def do(self, text: str) -> None:
        """An instruction without a result, or with a name of its own."""
        self.lines.append(f"  {text}")

    def name(self) -> str:
        self.count += 1
        return f"%t{self.count}"

    def label(self, name: str) -> None:
        """Begin the block `name`."""
        self.lines.append(f"{name[1:]}:")
        self.block = name

    def function(self, head: str) -> str:
        """The definition of what was written, under a head like `internal void @f(i64 %x)`."""
        return "\n".join([f"define {head} nounwind {{", "entry:", *self.lines, "  ret void", "}", ""])

    # ------------------------------------------------------------ blocks
    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """What is written inside happens if the i1 is true."""
        inside, done = self.name(), self.name()
        self.do(f"br i1 {condition}, label {inside}, label {done}")
        self.label(inside)
        yield
        self.do(f"br label {done}")
        self.label(done)

    @contextmanager
    def loop(self, n: str) -> Iterator[str]:
        """What is written inside happens for each i in range(n); gives i."""
        before = self.block
        head, inside, done, i, following = (self.name() for _ in range(5))
        self.do(f"br label {head}")
        self.label(head)
        at = len(self.lines)
        more = self(f"icmp slt i64 {i}, {n}")
        self.do(f"br i1 {more}, label {inside}, label {done}")
        self.label(inside)
        yield i
        self.do(f"{following} = add i64 {i}, 1")
        self.do(f"br label {head}")
        self.lines.insert(at, f"  {i} = phi i64 [0, {before}], [{following}, {self.block}]")
        self.label(done)

    # ------------------------------------------------------------ integers and addresses
    def add(self, a: str, b: str | int) -> str:
        return self(f"add i64 {a}, {b}")

    def sub(self, a: str, b: str | int) -> str:
        return self(f"sub i64 {a}, {b}")

    def mul(self, a: str, b: str | int) -> str:
        return self(f"mul i64 {a}, {b}")

    def both(self, a: str, b: str | int) -> str:
        return self(f"and i64 {a}, {b}")

    def blocks(self, n: str, size: int) -> str:
        """n / size, rounded up."""
        return self(f"sdiv i64 {self.add(n, size - 1)}, {size}")

    def smaller(self, a: str, b: str | int) -> str:
        return self.choose(self(f"icmp slt i64 {a}, {b}"), a, b)

    def choose(self, condition: str, yes: str | int, no: str | int, kind: str = "i64") -> str:
        return self(f"select i1 {condition}, {kind} {yes}, {kind} {no}")

    def step(self, base: str, distance: str | int) -> str:
        """The address `distance` bytes on."""
        return base if distance == 0 else self(f"getelementptr i8, ptr {base}, i64 {distance}")

    def at(self, base: str, index: str, stride: str | int) -> str:
        """The address of element `index` of a row of things `stride` bytes apart."""
        return self.step(base, self.mul(index, stride))

    # ------------------------------------------------------------ vectors
    def splat(self, x: str, kind: str, lanes: int) -> str:
        """A vector with x in every lane."""
        vector = f"<{lanes} x {kind}>"
        one = self(f"insertelement {vector} poison, {kind} {x}, i64 0")
        return self(f"shufflevector {vector} {one}, {vector} poison, <{lanes} x i32> zeroinitializer")

    def first(self, lanes: int, n: str) -> str:
        """A mask with the first n lanes set."""
        counts = self.splat(self(f"trunc i64 {n} to i32"), "i32", lanes)
        return self(f"icmp sgt <{lanes} x i32> {counts}, <{', '.join(f'i32 {i}' for i in range(lanes))}>")
