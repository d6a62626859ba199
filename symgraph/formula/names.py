"""What leaves, shared parts and sizes are called in a formula.

Law of this file: two things never share a spelling, in text or in LaTeX.  A leaf has the last word of the user's name
for it, or as much more of that name as tells it from the others; a part has the name that the user gave the tensor,
else a letter that says what it is; sizes that the graph makes equal are one letter.  Nothing depends on serials, which
tell what else was built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from copy import copy

import sympy as sp

from ..node import Kind, Node
from ..shapes import Extent
from ..sizes import Sizes
from .spelling import latex_name, split, text_name

_LETTERS = "m n k p q r s t u v".split()
LEAVES = frozenset({Kind.PLACEHOLDER, Kind.VARIABLE, Kind.CUT, Kind.CONST})


class Labels:
    """The names in the formula of one node.

    `given` are the user's names of inner tensors; nodes in `forward` were computed by the user's own operations, the others
    by a derivative; `sources` are leaves that are not read but have sizes that are; `others` are written beside the node."""

    def __init__(
        self,
        root: Node,
        given: Mapping[Node, str],
        forward: Set[Node] = frozenset(),
        sources: Sequence[Node] = (),
        others: Sequence[Node] = (),
    ) -> None:
        self.order = postorder(root, *others)
        self.given, self._forward = given, forward
        self._taken: set[str] = set()
        self._words: set[str] = set()
        self._of: dict[Node, str] = {}
        self.leaves = [n for n in (*self.order, *sources) if n.kind in LEAVES and (n.kind is not Kind.CONST or n.shape != ())]
        for n in self.leaves:
            self._of[n] = self._leaf(given.get(n, "C") if n.kind is Kind.CONST else n.attrs[0].name)
        self._sizes = Sizes()
        for n in self.order:
            self._sizes.read(n)
        self._letters: dict[sp.Symbol, str] = {}
        for n in (*self.order, *sources):
            for d in n.shape:
                if isinstance(d, sp.Expr):
                    for s in sorted(d.free_symbols, key=str):
                        self.size(s)

    def at(self, root: Node, draft: bool = False) -> Labels:
        """The same names for the formula of another node under the roots; a draft keeps to itself what it names."""
        other = copy(self)
        other.order = postorder(root)
        if draft:
            other._of, other._taken = dict(self._of), set(self._taken)
        return other

    def __getitem__(self, n: Node) -> str:
        """The name of a leaf, or of a part that has been named."""
        return self._of[n]

    def __contains__(self, n: Node) -> bool:
        return n in self._of

    def name(self, n: Node, wanted: str) -> str:
        """Name a part, by what is wanted or the next number of it that is free."""
        self._of[n] = self.free(wanted)
        return self._of[n]

    def name_parts(self, parts: Collection[Node]) -> None:
        """Name the parts, which come in the order in which they are needed.

        Derivatives are counted backwards, as the layers that they belong to: D2, then D1."""
        bases = {n: self.given[n].rsplit("/", 1)[-1] if n in self.given else self._automatic(n) for n in parts if n not in self._of}
        total = Counter(b for n, b in bases.items() if n not in self.given)
        seen: Counter[str] = Counter()
        for n, base in bases.items():
            if n not in self.given and total[base] > 1:
                seen[base] += 1
                number = seen[base] if n in self._forward else total[base] + 1 - seen[base]
                self._of[n] = self.free(f"{base}{number}")
            else:
                self._of[n] = self.free(base)

    def _automatic(self, n: Node) -> str:
        name = type(n.attrs[0]).__name__ if n.kind is Kind.GENERIC and n.attrs[3] is None else n.attrs[0] if n.attrs else ""
        derived = bool(self._forward) and n not in self._forward
        letter = _AUTOMATIC.get(str(name).rstrip("_"), "D" if derived else "T")
        return letter if n.rank else letter.lower()

    def size(self, d: Extent) -> Extent | str:
        """A size symbol's letter, or the number or expression that it equals."""
        d = self._sizes.find(d)
        if not isinstance(d, sp.Symbol):
            return d
        if d not in self._letters:
            wanted = [d.name, *_LETTERS] if d.name.isidentifier() else _LETTERS
            free = (c for c in wanted if c not in self._letters.values() and not self._is_taken(c))
            self._letters[d] = next(free, f"m{len(self._letters)}")
            self._take(self._letters[d])
        return self._letters[d]

    @property
    def letters(self) -> Mapping[sp.Symbol, str]:
        """Every size that has a letter."""
        return self._letters

    def same_size(self, a: Extent, b: Extent) -> bool:
        return self._sizes.find(a) == self._sizes.find(b)

    def reads_as_a_name(self, left: str, right: str) -> bool:
        """Would names written together be taken for one?"""
        return any(len(name) > len(right) and (left + right).endswith(name) for name in self._words)

    def _is_taken(self, name: str) -> bool:
        return text_name(name) in self._taken or latex_name(name) in self._taken

    def _take(self, name: str) -> str:
        self._taken.update((text_name(name), latex_name(name)))
        if len(text_name(name)) > 1:
            self._words.add(text_name(name))
        return name

    def _leaf(self, full: str) -> str:
        words = full.split("/")
        for k in range(1, len(words) + 1):
            name = ".".join(words[-k:])
            if not self._is_taken(name):
                return self._take(name)
        return self.free(words[-1])

    def free(self, wanted: str) -> str:
        """The name, or with the next number that is free."""
        name, (base, number) = wanted, split(wanted)
        k = int(number or 1)
        while self._is_taken(name):
            k += 1
            name = f"{base}{k}"
        return self._take(name)


_AUTOMATIC = {"tanh": "H", "relu": "H", "maximum": "H", "sigmoid": "S", "softmax": "P", "exp": "E", "inverse": "V", "cholesky": "L"}
"""What a part is called that the user gave no name: by its outermost function, else D in a derivative and T anywhere."""


def postorder(*roots: Node) -> list[Node]:
    """Every node under the roots, operands first and in their order: an order that the formula itself has."""
    done: dict[Node, None] = {}
    stack = [*roots[::-1]]
    while stack:
        n = stack[-1]
        if n in done:
            stack.pop()
            continue
        todo = [o for o in n.operands if o not in done]
        if todo:
            stack.extend(reversed(todo))
        else:
            done[stack.pop()] = None
    return list(done)
