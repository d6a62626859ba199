"""Why a step of a derivation holds, in words.

Law of this file: a reader of a value, that is a node and the number of one of its operands, has one reason, told by the
row of its kind; the mathematics of it is the body's own derivative, as the sweep takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from .. import build, scalar
from ..facts import FACTS
from ..node import Kind, Node
from .bodies import Scope, Written
from .notation import ATOM
from .spelling import WORDS
from .writer import Writer

WIDE = 50
"""A derivative that is longer than this is not written into a reason."""
_LETTERS = "uvwabcdefgh"


def of_reader(n: Node, k: int, writer: Writer) -> list[str]:
    """How the derivative by its operand k follows from that by the node n."""
    if n.kind is Kind.GENERIC:
        return _generic(n, k, writer)
    if n.kind in (Kind.LINALG, Kind.COMPOSITE):
        return [_NAMED[n.attrs[0]]]
    said = _KINDS[n.kind]
    return [said if isinstance(said, str) else said[k]]


def _generic(n: Node, k: int, writer: Writer) -> list[str]:
    body, index, _, reducer = n.attrs
    if reducer not in (None, "sum"):
        return [_REDUCERS[reducer]]
    read = {a for a in index[k] if a is not None}
    repeated = not set(range(n.rank)) <= read and n.operands[k].rank < n.rank
    d = scalar.derivative(body, k)
    found = []
    if reducer is None and d in (1, -1):
        found.append("a term of a sum has the derivative of the sum" if d == 1 else "what is subtracted has minus the derivative")
    elif reducer is None and not scalar.operand_numbers(d) and not scalar.label_numbers(d):
        found.append("a constant factor stays a factor")
    elif not (reducer == "sum" and d == 1):
        found.append(_chain(body, d, k, len(n.operands), writer))
    if reducer == "sum":
        found.insert(0, "every term of a sum has the derivative of the sum")
    if repeated and reducer is None:
        found.append("summed over where it is repeated")
    return found


def _chain(body: sp.Expr, d: sp.Expr, k: int, count: int, writer: Writer) -> str:
    """d(u²)/du = 2u."""
    others = iter(_LETTERS[1:])
    letters = {j: "u" if j == k else next(others, "x") for j in range(count)}
    positions = {a: Written("ijkl"[a % 4], ATOM) for a in range(8)}
    scope = Scope([Written(letters[j], ATOM) for j in range(count)], frozenset(range(count)), positions=positions)
    f, df = writer.body(body, scope), writer.body(d, scope)
    said = f"d {writer.inside(f, ATOM)}/du = {df.text}".replace("d (", "d(")
    return f"chain rule: {said}" if len(said) <= WIDE else "chain rule"


_REDUCERS = {
    "max": "a maximum has the derivative of the element that attains it",
    "min": "a minimum has the derivative of the element that attains it",
    "prod": "in a product, each factor has the product of the others for its derivative",
}
_KINDS: dict[Kind, str | Sequence[str]] = {
    Kind.MATMUL: ("of C = AB, the derivative by A is that by C times Bᵀ", "of C = AB, the derivative by B is Aᵀ times that by C"),
    Kind.RESHAPE: "the same elements in another shape",
    Kind.SLICE: "what a slice leaves out has no part in it",
    Kind.PLACE: "of what lies among zeros, its own part",
    Kind.CONCAT: "of what lies beside others, its own part",
    Kind.GATHER: "each row adds up the derivatives of the places that took it",
    Kind.CONV: "a convolution is linear in images and filter: its derivatives are convolutions with the other one",
    Kind.POOL: "a maximum over a window has the derivative of the first element that attains it",
    Kind.SCATTER: "each row has the derivative of the place that it was added to",
    Kind.PUT: ("what is replaced has no part in it", "each row has the derivative of the place that it was put to"),
}
_NAMED = {
    "inverse": "of C = A⁻¹, the derivative by A is −CᵀGCᵀ, where G is that by C",
    "solve": "of C = A⁻¹B, the derivative by B is A⁻ᵀ times G, that by C, and that by A is −A⁻ᵀGCᵀ",
    "cholesky": "the derivative of a Cholesky factor",
    "determinant": "the derivative of det A is det A times A⁻ᵀ",
    "logdet": "the derivative of log det A is A⁻ᵀ",
    "softmax": "the derivative of a softmax, written out",
    "log_softmax": "the derivative of log softmax, written out",
    "logsumexp": "the derivative of log sum exp, written out",
    "norm": "the derivative of ‖u‖ is u/‖u‖",
}


def of_facts(facts: Sequence[tuple[Node, str]], text: Callable[[Node], str]) -> str:
    """'Y: rows sum to one'; of a transpose, what is known of the matrix."""
    return ", ".join(dict.fromkeys(f"{text(build.is_swap(n) or n)}: {FACTS[fact].says}" for n, fact in facts))


# ---------------------------------------------------------------- words in LaTeX
_MATH = {
    "ᵀ": r"^\top",
    "⁻": "^-",
    "¹": "^1",
    "²": "^2",
    "³": "^3",
    "·": r"\cdot",
    "∘": r"\circ",
    "−": "-",
    "∂": r"\partial",
    "√": r"\surd",
    "‖": r"\|",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "±": r"\pm",
    "×": r"\times",
    "∞": r"\infty",
    "½": r"\tfrac12",
    "∧": r"\land",
    "∨": r"\lor",
    "|": "|",
    "<": "<",
    ">": ">",
    "→": r"\to",
    "…": r"\dots",
    **{letter: "\\" + word for letter, word in WORDS.items() if letter != "ο"},
    **{c: "^{" + str(d) + "}" for d, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{c: "_{" + str(d) + "}" for d, c in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}
_TEXT = {c: "\\" + c for c in "_%#$&{}"} | {"^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "\\": "/"}


def latex_words(words: str) -> str:
    r"""A sentence as \text, which KaTeX takes in strict mode; what it has no letter for goes by its number."""
    words = words.replace("⁻¹", "\0").replace("⁻ᵀ", "\1")
    special = {"\0": "$^{-1}$", "\1": r"$^{-\top}$"}
    return rf"\text{{{''.join(special.get(c) or _word(c) for c in words)}}}"


def _word(c: str) -> str:
    if c in _MATH:
        return f"${_MATH[c]}$"
    if c in _TEXT:
        return _TEXT[c]
    return c if c.isascii() and c.isprintable() else f"u{ord(c):04x}"
