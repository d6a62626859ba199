"""The two notations, as tables: what each construct looks like in Unicode text and in LaTeX.

Law of this file: data only, and the spelling of names; nothing here looks at a node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega"
).split()
_LETTERS = dict(zip(GREEK, "αβγδεζηθικλμνξοπρστυφχψω", strict=True))
_SUPER = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SUB = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Notation:
    """How one notation writes each construct; arguments are already written."""

    name: Callable[[str], str]
    times: str  # between a scalar and a matrix
    hadamard: str  # element-wise product
    transpose: Callable[[str], str]
    inverse: Callable[[str], str]
    power: Callable[[str, str], str]
    fraction: Callable[[str, str], str]
    sqrt: Callable[[str], str]
    call: Callable[[str, str], str]  # function name, argument
    parens: Callable[[str], str]
    product: str  # between the factors of a matrix product
    total: Callable[[str, str], str]  # sum over axes
    minus: str
    absolute: Callable[[str], str]
    cases: Callable[[str, str, str], str]


def _split(name: str) -> tuple[str, str]:
    """('W', '1') for W1 and W_1; ('theta', '') for theta."""
    base = name.rstrip("0123456789")
    return base.rstrip("_"), name[len(base) :]


def text_name(name: str) -> str:
    base, number = _split(name)
    return _LETTERS.get(base, base) + number.translate(_SUB)


def latex_name(name: str) -> str:
    base, number = _split(name)
    if base in GREEK and base != "omicron":
        word = "\\" + base
    elif len(base) == 1:
        word = base
    else:
        word = r"\mathrm{" + "".join("\\" + c if c in "_&%$#{}" else r"\backslash " if c == "\\" else c for c in base) + "}"
    return f"{word}_{{{number}}}" if number else word


def _super(base: str, exponent: str) -> str:
    return (
        base + exponent.translate(_SUPER)
        if exponent.lstrip("-").isdigit()
        else f"{base}^{exponent if exponent.isalnum() else f'({exponent})'}"
    )


_LATEX_FUNCTIONS = {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min", "det"}

TEXT = Notation(
    name=text_name,
    times=" · ",
    hadamard=" ∘ ",
    transpose=lambda a: a + "ᵀ",
    inverse=lambda a: a + "⁻¹",
    power=_super,
    fraction=lambda a, b: f"{a}/{b}",
    sqrt=lambda a: f"√({a})",
    call=lambda f, a: f"{'σ' if f == 'sigmoid' else f}({a})",
    parens=lambda a: f"({a})",
    product="",
    total=lambda axes, a: f"sum{axes}({a})",
    minus="−",
    absolute=lambda a: f"|{a}|",
    cases=lambda c, a, b: f"where({c}, {a}, {b})",
)
LATEX = Notation(
    name=latex_name,
    times=r" \, ",
    hadamard=r" \circ ",
    transpose=lambda a: a + r"^\top",
    inverse=lambda a: a + "^{-1}",
    power=lambda a, n: f"{a}^{{{n}}}",
    fraction=lambda a, b: rf"\frac{{{a}}}{{{b}}}",
    sqrt=lambda a: rf"\sqrt{{{a}}}",
    call=lambda f, a: (
        (r"\sigma" if f == "sigmoid" else f"\\{f}" if f in _LATEX_FUNCTIONS else rf"\operatorname{{{f}}}") + rf"\left({a}\right)"
    ),
    parens=lambda a: rf"\left({a}\right)",
    product=" ",
    total=lambda axes, a: rf"\operatorname{{sum}}{'_{' + axes + '}' if axes else ''}\left({a}\right)",
    minus="-",
    absolute=lambda a: rf"\left|{a}\right|",
    cases=lambda c, a, b: rf"\begin{{cases}} {a} & {c} \\ {b} & \text{{otherwise}} \end{{cases}}",
)
