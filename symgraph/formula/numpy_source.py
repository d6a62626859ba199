"""A formula as a NumPy function: parameters, sizes, parts, helpers, and the text around them.

Law of this file: the source runs alone.  Leaves are parameters under Python identifiers of their names, in the order in
which the formula needs them; constants of up to MAX_ELEMENTS elements are written out, larger ones are parameters too.
What is needed more than once and is work for NumPy is assigned to a name, whether or not the text names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import sympy as sp

from .. import scalar
from ..node import Kind, Node
from ..shapes import Extent
from .names import Labels
from .numpy_notation import FUNCTIONS, HELPERS, RISKY
from .numpy_writer import Source, dtype_name
from .parts import occurrences
from .spelling import identifier

MAX_ELEMENTS = 32
_WORK = frozenset(
    {Kind.MATMUL, Kind.LINALG, Kind.GATHER, Kind.SCATTER, Kind.PUT, Kind.CONCAT, Kind.COMPOSITE, Kind.CONV, Kind.POOL}
)


class _Identifiers:
    """The names of a formula as distinct Python identifiers; the same face as `Labels`."""

    def __init__(self, labels: Labels, function: str) -> None:
        self._labels, self.order = labels, labels.order
        self._taken = {function, *HELPERS, *FUNCTIONS.values()}
        self._of: dict[Node, str] = {}
        self._letters: dict[str, str] = {}

    def __getitem__(self, n: Node) -> str:
        if n not in self._of:
            self._of[n] = self._free(identifier(self._labels[n]))
        return self._of[n]

    def size(self, d: Extent) -> Extent | str:
        found = self._labels.size(d)
        if not isinstance(found, str):
            return found
        if found not in self._letters:
            self._letters[found] = self._free(identifier(found))
        return self._letters[found]

    def reads_as_a_name(self, left: str, right: str) -> bool:
        return False

    @property
    def letters(self) -> Mapping[sp.Symbol, str]:
        return {s: name for s, letter in self._labels.letters.items() if (name := self._letters.get(letter))}

    def same_size(self, a: Extent, b: Extent) -> bool:
        return self._labels.same_size(a, b)

    def _free(self, word: str) -> str:
        name, k = word, 1
        while name in self._taken:
            k += 1
            name = f"{word}_{k}"
        self._taken.add(name)
        return name


def source(labels: Labels, parts: frozenset[Node], name: str = "g") -> str:
    """The source of a function called `name`.  ValueError for a name that is none in Python, and for random draws."""
    if not name.isidentifier() or identifier(name) != name:
        raise ValueError(f"a function cannot be called {name!r}: it takes a Python identifier that means nothing else")
    root = labels.order[-1]
    again = [n for n, k in occurrences(labels.order).items() if k > 1 and n not in parts and n is not root and _is_work(n)]
    labels.name_parts([n for n in labels.order if n in set(again)])
    named = parts | set(again)
    names = _Identifiers(labels, name)
    arrays = [n for n in labels.leaves if n.kind is not Kind.CONST or n.attrs[0].value.size > MAX_ELEMENTS]
    parameters = [names[n] for n in arrays]
    writer = Source(names, named)
    for n in labels.order:
        writer.write(n)
    literals = [n for n in labels.leaves if n not in set(arrays)]
    lines = [f"{names[n]} = {_literal(n)}" for n in literals]
    lines += [f"{names[n]} = {writer.full[n].text}" for n in labels.order if n in named and n.operands]
    lines.append(f"return {writer.result(root)}")
    body = _sizes(names, arrays, "\n".join(lines)) + lines
    written = "\n".join(body)
    head = ['@np.errstate(all="ignore")'] if any(word in written for word in RISKY) else []
    text = [*head, f"def {name}({', '.join(parameters)}):", *(f"    {line}" for line in body)]
    helpers = [HELPERS[f] for f in sorted(HELPERS) if re.search(rf"(?<![\w.]){f}\(", written)]
    imports = ["import math\n"] if any(re.search(r"\bmath\.", t) for t in (*helpers, written)) else []
    return "".join([*imports, "import numpy as np\n", *(f"\n\n{h}" for h in helpers), "\n\n", "\n".join(text), "\n"])


def _is_work(n: Node) -> bool:
    """Would NumPy do it twice, if it were written twice?  A transpose or a multiple of something is no work."""
    if n.kind is not Kind.GENERIC:
        return n.kind in _WORK
    body = n.attrs[0].as_coeff_Mul()[1]
    return n.attrs[3] is not None or bool(n.operands) and body != scalar.x(0)


def _sizes(names: _Identifiers, arrays: list[Node], text: str) -> list[str]:
    """m = X.shape[0] for each size that the text reads."""
    lines = []
    for symbol, letter in names.letters.items():
        if not re.search(rf"(?<![\w.]){letter}\b", text):
            continue
        found = next(((n, a) for n in arrays for a, d in enumerate(n.shape) if names.same_size(d, symbol)), None)
        if found is None:
            raise ValueError(f"the formula needs the size {letter}, which none of its leaves has")
        lines.append(f"{letter} = {names[found[0]]}.shape[{found[1]}]")
    return lines


def _literal(n: Node) -> str:
    value: np.ndarray = n.attrs[0].value
    if value.size and (value == value.flat[0]).all() and value.size > 1:
        number = value.flat[0]
        if number in (0, 1) and not np.signbit(number if n.dtype.is_floating else 0):
            return f"np.{'ones' if number else 'zeros'}({value.shape}, dtype={dtype_name(n)})"
    inner = re.sub(r"\b(nan|inf)\b", r"np.\1", repr(value.tolist()))
    text = f"np.array({inner}, dtype={dtype_name(n)})"
    return text if value.size else f"np.zeros({value.shape}, dtype={dtype_name(n)})"
