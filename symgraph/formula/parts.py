"""Which inner values of a formula get a name.

Law of this file: what is needed more than once and is more than a few letters long is a part; where the formula is
long, so is each tensor to which the user gave a name; and where a line is still too long, it is cut at the longest
value in it, before a product rather than after.  Lengths are those of the text, so every notation names the same parts.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..node import Kind, Node
from .bodies import Written
from .names import Labels
from .notation import ATOM, TEXT
from .writer import Writer

SHORT, BRIEF, WIDE, LONG = 12, 8, 60, 80
"""What is repeated rather than named, the same where the user has a name for it, a long formula, and the longest line."""


def choose(labels: Labels) -> list[Node]:
    """The parts in the order in which they are needed; gives them their names."""
    shared = {n for n, k in occurrences(labels.order).items() if k > 1}
    draft = _Draft(labels, shared)
    if draft.longest() > WIDE and labels.given:
        draft = _Draft(labels, shared | set(labels.given))
    parts = [n for n in labels.order if n in draft.parts]
    labels.name_parts(parts)
    return parts


class _Draft(Writer):
    """Writes with two letters in the place of each part's name, and chooses parts on the way."""

    def __init__(self, labels: Labels, wanted: set[Node]) -> None:
        self.chosen: set[Node] = set()
        super().__init__(labels, TEXT, self.chosen)
        root = labels.order[-1]
        for n in labels.order:
            written = self.write(n).text
            enough = BRIEF if n in labels.given else SHORT
            if n is not root and n in wanted and n.operands and len(written) > enough and not moves(n):
                self._name(n)
            while len(self.full[n].text) > LONG and (path := self._cut(n)):
                self._name(path[-1])
                for m in (*path[-2::-1], n):
                    self.write(m)

    def named(self, n: Node) -> Written:
        return Written("T₁", ATOM)

    def longest(self) -> int:
        """The length of the longest line."""
        return max(len(self.full[n].text) for n in (*self.chosen, self.labels.order[-1]))

    def _name(self, n: Node) -> None:
        self.chosen.add(n)
        self.memo[n] = self.named(n)

    def _cut(self, n: Node) -> list[Node]:
        """What is to be named to make n shorter, after what leads to it."""
        path: list[Node] = []
        while not path or path[-1].kind is Kind.MATMUL or moves(path[-1]):
            above = path[-1] if path else n
            longest = max(above.operands, key=lambda o: len(self.memo[o].text), default=n)
            size = len(self.memo[longest].text)
            if longest in self.chosen or not longest.operands or size <= SHORT or path and 2 * size < len(self.memo[above].text):
                break
            path.append(longest)
        while path and moves(path[-1]):
            path.pop()
        return path


def moves(n: Node) -> bool:
    """A transpose or reshape, which is not worth a name."""
    return build.is_pure(n) or n.kind is Kind.RESHAPE


def occurrences(order: list[Node]) -> Counter[Node]:
    """How often the value of each node is written."""
    uses: Counter[Node] = Counter()
    for n in order:
        for k, o in enumerate(n.operands):
            uses[o] += _mentions(n.attrs[0])[k] if n.kind is Kind.GENERIC else 1
    return uses


_ENOUGH = 500
"""More symbols than this in a body are not counted."""


@lru_cache(maxsize=4096)
def _mentions(body: sp.Basic) -> Counter[int]:
    """How often a body mentions each operand."""
    found: Counter[int] = Counter(scalar.operand_numbers(body))
    stack, seen = [body], 0
    first: Counter[int] = Counter()
    while stack and seen < _ENOUGH:
        e = stack.pop()
        if isinstance(e, sp.Symbol):
            first.update(scalar.operand_numbers(e))
            seen += 1
        stack.extend(e.args[:1] if isinstance(e, fn.computed_as) else e.args)
    return found | first
