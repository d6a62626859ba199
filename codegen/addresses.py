"""Names and index arithmetic of generated source, as text.

Law of this file: identifiers come from a counter, arrays are flat, and an index is a sum of terms; literal strides stay
literal, because LLVM proves `i * 9 + j` to be in order and does not prove `i * n + j`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .expressions import SHORT
from .ir import Size, SizeExpr


class Names:
    """Hands out identifiers, and remembers which sizes the source mentions."""

    def __init__(self, sizes: Mapping[str, str]) -> None:
        self.sizes = dict(sizes)
        self.used: set[str] = set()
        self._next: dict[str, int] = {}

    def fresh(self, letter: str) -> str:
        """A name that no other value has: v0, v1, ...; and no dtype, as i8 is one."""
        k = self._next.get(letter, 0)
        self._next[letter] = k + 1
        name = f"{letter}{k}_" if letter in ("j", "n", "b") else f"{letter}{k}"
        return self.fresh(letter) if name in SHORT.values() else name

    def size(self, s: Size) -> str:
        """An extent as text."""
        if isinstance(s, int):
            return str(s)
        self.used.add(s)
        return self.sizes[s]


def product(shape: Sequence[Size], names: Names) -> str:
    """The number of elements of a shape as text."""
    number = 1
    words = []
    for s in shape:
        if isinstance(s, int):
            number *= s
        else:
            words.append(names.size(s))
    if number == 0:
        return "0"
    return " * ".join(([str(number)] if number != 1 or not words else []) + words)


def size_text(rule: SizeExpr, names: Names) -> str:
    """A computed size as text."""
    words = [names.size(a) for a in rule.args]
    symbol = {"add": " + ", "sub": " - ", "mul": " * ", "floordiv": " // "}.get(rule.fn)
    return symbol.join(words) if symbol else f"max({', '.join(words)})"


def share_of(blocks: str) -> str:
    """The range of this thread's blocks as text: blocks side by side, so that each thread reads its arrays in one stream.

    400000 x 30 logistic on two threads: 2.5 ms a step with every second block, 1.5 so."""
    return f"tid * {blocks} // nthreads, (tid + 1) * {blocks} // nthreads"


def least(a: str, b: str) -> str:
    """The smaller of two numbers as text: Numba takes 20 ms to compile its own `min`."""
    return f"{a} if {a} < {b} else {b}"


def scaled(a: str, b: str) -> str:
    """a * b as text."""
    if "0" in (a, b):
        return "0"
    if a.isdigit() and b.isdigit():
        return str(int(a) * int(b))
    return b if a == "1" else a if b == "1" else f"{a} * {b}"


@dataclass(frozen=True, slots=True)
class Shape:
    """An index as a sum: terms (what, stride)."""

    terms: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        number = sum(int(v) * int(s) for v, s in self.terms if v.isdigit() and s.isdigit())
        words = [scaled(v, s) for v, s in self.terms if not (v.isdigit() and s.isdigit())]
        words = [w for w in words if w != "0"]
        if number or not words:
            words.append(str(number))
        return " + ".join(words)

    @property
    def symbolic(self) -> bool:
        """Is there a stride that is not a number?"""
        return any(not s.isdigit() for _, s in self.terms)

    def plus(self, what: str, stride: str) -> Shape:
        return Shape(((what, stride), *self.terms)) if what != "0" else self

    def times(self, factor: int) -> Shape:
        return Shape(tuple((v, scaled(s, str(factor))) for v, s in self.terms))

    def unit(self, what: str) -> bool:
        """Does `what` step by one element?"""
        return [s for v, s in self.terms if v == what] == ["1"]

    def split(self, test: Callable[[str], bool]) -> tuple[Shape, Shape]:
        """The terms for which `test(what)` holds, and the others."""
        return Shape(tuple(t for t in self.terms if test(t[0]))), Shape(tuple(t for t in self.terms if not test(t[0])))


def flat_index(
    shape: Sequence[Size], coordinates: Sequence[str], names: Names, start: Sequence[int] = (), step: Sequence[int] = ()
) -> Shape:
    """The flat index of an element of a C-ordered array; with `start` and `step`, of an element of a section of it."""
    terms: list[tuple[str, str]] = []
    for axis, v in enumerate(coordinates):
        stride = product(shape[axis + 1 :], names)
        if v != "0":
            terms.append((v, scaled(stride, str(step[axis])) if step else stride))
        if start and start[axis]:
            terms.append((str(start[axis]), stride))
    return Shape(tuple(terms))
