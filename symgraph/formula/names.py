"""What leaves, shared parts and sizes are called in a formula.

Law of this file: two things never share a spelling.  A leaf has the last word of the user's name for it, or as much
more of that name as tells it from the others; sizes that the graph makes equal are one letter.
"""

from __future__ import annotations

from collections import Counter

import sympy as sp

from ..node import Kind, Node, toposort
from ..shapes import Extent
from ..sizes import Sizes
from .notation import TEXT

_LETTERS = "m n k p q r s t u v".split()
_LEAVES = frozenset({Kind.PLACEHOLDER, Kind.VARIABLE, Kind.CUT, Kind.CONST})


class Labels:
    """The names in the formula of one node."""

    def __init__(self, root: Node, names: dict[Node, str]) -> None:
        self.order = toposort([root])
        self._given = names
        self._taken: set[str] = set()
        self._last: Counter[str] = Counter()
        self._of: dict[Node, str] = {}
        for n in self.order:
            if n.kind in _LEAVES and (n.kind is not Kind.CONST or n.shape != ()):
                self._of[n] = self._leaf(names.get(n, "C") if n.kind is Kind.CONST else n.attrs[0].name)
        self._sizes = Sizes()
        for n in self.order:
            self._sizes.read(n)
        self._letters: dict[sp.Symbol, str] = {}
        for n in self.order:
            for d in n.shape:
                if isinstance(d, sp.Expr):
                    for s in sorted(d.free_symbols, key=str):
                        self.size(s)

    def __getitem__(self, n: Node) -> str:
        """The name of a leaf, or of a part that has been named."""
        return self._of[n]

    def name_part(self, n: Node) -> str:
        """A name for a shared part: the user's, or T."""
        if n not in self._of:
            base = self._given.get(n, "T").rsplit("/", 1)[-1]
            self._of[n] = self._free(base)
        return self._of[n]

    def size(self, d: Extent) -> Extent | str:
        """A size symbol's letter, or the number or expression that it equals."""
        d = self._sizes.find(d)
        if not isinstance(d, sp.Symbol):
            return d
        if d not in self._letters:
            free = (c for c in _LETTERS if c not in self._letters.values() and c not in self._taken)
            self._letters[d] = next(free, f"m{len(self._letters)}")
            self._taken.add(TEXT.name(self._letters[d]))
        return self._letters[d]

    def reads_as_a_name(self, text: str) -> bool:
        """Would two names written together be taken for one?"""
        return text in self._taken

    def _leaf(self, full: str) -> str:
        words = full.split("/")
        for k in range(1, len(words) + 1):
            name = ".".join(words[-k:])
            if TEXT.name(name) not in self._taken:
                self._taken.add(TEXT.name(name))
                return name
        return self._free(words[-1])

    def _free(self, base: str) -> str:
        name = base
        while TEXT.name(name) in self._taken:
            self._last[base] += 1
            name = f"{base}{self._last[base] + 1}"
        self._taken.add(TEXT.name(name))
        return name
