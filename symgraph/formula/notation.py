"""The two notations, as tables: what each construct looks like in Unicode text and in LaTeX.

Law of this file: data only, and the spelling of names; nothing here looks at a node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega"
).split()
_LETTERS = dict(zip(GREEK, "αβγδεζηθικλμνξοπρστυφχψω", strict=True))
_SUPER = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SUB = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


LOOSE, SUM, SIGNED, PRODUCT, FACTOR, POWER, ATOM = range(7)
"""Binding strengths: comparisons, sums, one term with a sign, products with scalars and element by element, matrix
products, powers, names and calls.  A thing is put in parentheses where something stronger is needed."""


@dataclass(frozen=True)
class Notation:
    """How one notation writes each construct; arguments are already written."""

    name: Callable[[str], str]
    times: str  # between a scalar and a matrix
    scalars: str  # between two scalars
    dot: str  # before a number, among scalars
    between_numbers: str  # before a number, where `times` would run into it
    hadamard: str  # element-wise product
    by: str  # between the extents of a shape
    product: str  # between the factors of a matrix product
    minus: str
    infinity: str
    transpose: Callable[[str], str]
    inverse: Callable[[str], str]
    power: Callable[[str, str], str]
    fraction: Callable[[str, str], str]
    fraction_strength: int  # how strongly it binds: as a product on one line, as a factor with a bar
    sqrt: Callable[[str], str]
    call: Callable[[str, str], str]  # function name, argument
    reduced: Callable[[str, str, str], str]  # reducer, axes as digits, argument
    parens: Callable[[str], str]
    cases: Callable[[str, str, str], str]
    infix: Mapping[str, str]
    enclosed: Mapping[str, tuple[str, str]]

    @staticmethod
    def begins_with_digit(written: str) -> bool:
        return written[0].isdigit() or written.startswith(r"\frac{") and written[6].isdigit()

    @staticmethod
    def is_letter(written: str) -> bool:
        """One letter, with or without an index."""
        return written[0].isalpha() and not any(c.isalpha() for c in written[1:])


def _split(name: str) -> tuple[str, str]:
    """('W', '1') for W1 and W_1; ('theta', '') for theta."""
    base = name.rstrip("0123456789")
    return base.rstrip("_"), name[len(base) :]


def text_name(name: str) -> str:
    base, number = _split(name)
    return _LETTERS.get(base, base) + number.translate(_SUB)


_SPECIAL = {"_": r"\_", "\\": r"\backslash ", "-": r"\text{-}"}


def latex_name(name: str) -> str:
    base, number = _split(name)
    if base in GREEK and base != "omicron":
        word = "\\" + base
    elif len(base) == 1:
        word = base
    else:
        word = r"\mathrm{" + "".join(_SPECIAL.get(c, c) for c in base) + "}"
    return f"{word}_{{{number}}}" if number else word


def _super(base: str, exponent: str) -> str:
    if exponent.removeprefix("-").isdigit():
        return base + exponent.translate(_SUPER)
    return f"{base}^{exponent if exponent.isalnum() else f'({exponent})'}"


_LATEX_FUNCTIONS = {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min", "det"}


def _latex_function(f: str) -> str:
    return r"\sigma" if f == "sigmoid" else f"\\{f}" if f in _LATEX_FUNCTIONS else rf"\operatorname{{{f}}}"


TEXT = Notation(
    name=text_name,
    times=" · ",
    scalars="·",
    dot="·",
    between_numbers=" · ",
    hadamard=" ∘ ",
    by="×",
    product="",
    minus="−",
    infinity="∞",
    transpose=lambda a: a + "ᵀ",
    inverse=lambda a: a + "⁻¹",
    power=_super,
    fraction=lambda a, b: f"{a}/{b}",
    fraction_strength=PRODUCT,
    sqrt=lambda a: f"√{a}" if a.isalnum() else f"√({a})",
    call=lambda f, a: f"{'σ' if f == 'sigmoid' else f}({a})",
    reduced=lambda f, axes, a: f"{f}{axes.translate(_SUB)}({a})",
    parens=lambda a: f"({a})",
    cases=lambda c, a, b: f"where({c}, {a}, {b})",
    infix={"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠", "logical_and": "∧", "logical_or": "∨"},
    enclosed={"absolute": ("|", "|"), "floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉"), "norm": ("‖", "‖")},
)
LATEX = Notation(
    name=latex_name,
    times=r" \, ",
    scalars=r" \, ",
    dot=r" \cdot ",
    between_numbers=r" \cdot ",
    hadamard=r" \circ ",
    by=r" \times ",
    product=" ",
    minus="-",
    infinity=r"\infty",
    transpose=lambda a: a + r"^\top",
    inverse=lambda a: a + "^{-1}",
    power=lambda a, n: f"{a}^{{{n}}}",
    fraction=lambda a, b: rf"\frac{{{a}}}{{{b}}}",
    fraction_strength=FACTOR,
    sqrt=lambda a: rf"\sqrt{{{a}}}",
    call=lambda f, a: _latex_function(f) + rf"\left({a}\right)",
    reduced=lambda f, axes, a: _latex_function(f) + (f"_{{{axes}}}" if axes else "") + rf"\left({a}\right)",
    parens=lambda a: rf"\left({a}\right)",
    cases=lambda c, a, b: rf"\begin{{cases}} {a} & \text{{if }} {c} \\ {b} & \text{{otherwise}} \end{{cases}}",
    infix={
        "lt": "<",
        "le": r"\le",
        "gt": ">",
        "ge": r"\ge",
        "eq": "=",
        "ne": r"\ne",
        "logical_and": r"\land",
        "logical_or": r"\lor",
    },
    enclosed={
        "absolute": (r"\left|", r"\right|"),
        "floor": (r"\left\lfloor ", r"\right\rfloor"),
        "ceil": (r"\left\lceil ", r"\right\rceil"),
        "norm": (r"\left\|", r"\right\|"),
    },
)
