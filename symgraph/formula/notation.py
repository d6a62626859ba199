"""The notations, as tables: what each construct looks like in Unicode text and in LaTeX.

Law of this file: data only; nothing here looks at a node.  NumPy's table stands with the functions that it needs, in
numpy_notation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .spelling import latex_name, subscript, text_name

LOOSE, SUM, SIGNED, PRODUCT, HADAMARD, FACTOR, POWER, ATOM = range(8)
"""Binding strengths: comparisons, sums, one term with a sign, products with scalars and fractions, element-wise products,
matrix products, powers, names and calls.  A thing is put in parentheses where something stronger is needed."""


@dataclass(frozen=True)
class Notation:
    """How one notation writes each construct; arguments are already written."""

    name: Callable[[str], str]
    times: str  # between a scalar and a matrix
    scalars: str  # between two scalars
    dot: str  # before a number, among scalars
    between_numbers: str  # before a number, where `times` would run into it
    hadamard: str  # element-wise product
    product: str  # between the factors of a matrix product
    minus: str
    infinity: str
    nan: str
    power: Callable[[str, str], str]
    fraction: Callable[[str, str], str]
    sqrt: Callable[[str], str]
    call: Callable[[str, str], str]  # function name, argument
    cases: Callable[[str, str, str], str]
    infix: Mapping[str, str]
    enclosed: Mapping[str, tuple[str, str]]
    scientific: Callable[[str, str], tuple[str, int]]  # mantissa and exponent of a number
    transpose: Callable[[str], str] = str
    inverse: Callable[[str], str] = str
    inverse_transpose: Callable[[str], str] = str
    fraction_strength: int = PRODUCT  # how strongly it binds: as a product on one line, as a factor with a bar
    numerator: int = FACTOR  # what the numerator of an array needs
    right: int = FACTOR  # what the second factor of a matrix product needs
    entry: int = HADAMARD  # what a factor of an element-wise product needs that is not the first
    cases_strength: int = ATOM
    juxtaposed: bool = True  # is 2m a product?
    decimal: bool = False  # is 1/2 written 0.5?
    by: str = ""  # between the extents of a shape
    parens: Callable[[str], str] = lambda a: f"({a})"
    reduced: Callable[[str, str, str], str] = lambda f, axes, a: f"{f}{axes}({a})"  # reducer, axes as digits, argument
    norm: Callable[[str], str] = str
    indexed: Callable[[str, str], str] = lambda a, letters: f"{a}[{', '.join(letters)}]"  # an element at positions
    columns: Callable[[Sequence[str]], str] = ", ".join  # blocks side by side
    rows: Callable[[Sequence[str]], str] = ", ".join  # blocks one below the other
    shown: Mapping[str, str] = field(default_factory=dict)  # functions that go by another name
    constants: Mapping[str, str] = field(default_factory=dict)  # numbers that go by a name

    @staticmethod
    def begins_with_digit(written: str) -> bool:
        return written[0].isdigit() or written.startswith(r"\frac{") and written[6].isdigit()

    @staticmethod
    def is_letter(written: str) -> bool:
        """One letter, with or without an index."""
        return written[0].isalpha() and not any(c.isalpha() for c in written[1:])


_LETTERS = str.maketrans("ijklmnop", "ᵢⱼₖₗₘₙₒₚ")
_SUPER = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def _super(base: str, exponent: str) -> str:
    if exponent.removeprefix("-").isdecimal():
        return base + exponent.translate(_SUPER)
    plain = exponent.isalnum() and not any(c in exponent for c in "⁰¹²³⁴⁵⁶⁷⁸⁹")
    return f"{base}^{exponent if plain else f'({exponent})'}"


def _scientific(power: Callable[[str, str], str], dot: str) -> Callable[[str, str], tuple[str, int]]:
    """10⁻⁸, 2.5·10¹⁰."""
    return lambda mantissa, e: (power("10", e), POWER) if mantissa == "1" else (f"{mantissa}{dot}{power('10', e)}", PRODUCT)


_LATEX_FUNCTIONS = frozenset("exp log sin cos tan sinh cosh tanh max min det arcsin arccos arctan".split())


def _latex_function(f: str) -> str:
    known = {"σ": r"\sigma", "log det": r"\log\det"}
    return known.get(f) or (f"\\{f}" if f in _LATEX_FUNCTIONS else r"\operatorname{" + f.replace("_", r"\_") + "}")


def _latex_power(a: str, n: str) -> str:
    return f"{a}^{{{n}}}"


SHOWN = {
    "maximum": "max",
    "minimum": "min",
    "Max": "max",
    "Min": "min",
    "sgn": "sign",
    "safe_log": "log",
    "floormod": "mod",
    "logical_not": "not",
    "sigmoid": "σ",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "determinant": "det",
    "logdet": "log det",
}

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
    nan="nan",
    transpose=lambda a: a + "ᵀ",
    inverse=lambda a: a + "⁻¹",
    inverse_transpose=lambda a: a + "⁻ᵀ",
    power=_super,
    scientific=_scientific(_super, "·"),
    fraction=lambda a, b: f"{a}/{b}",
    sqrt=lambda a: f"√{a}" if a.isalnum() else f"√({a})",
    call=lambda f, a: f"{f}({a})",
    reduced=lambda f, axes, a: f"{f}{subscript(axes)}({a})",
    norm=lambda a: f"‖{a}‖",
    indexed=lambda a, letters: a + letters.translate(_LETTERS),
    columns=lambda blocks: f"[{', '.join(blocks)}]",
    rows=lambda blocks: f"[{'; '.join(blocks)}]",
    cases=lambda c, a, b: f"where({c}, {a}, {b})",
    infix={"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠", "logical_and": "∧", "logical_or": "∨"},
    enclosed={"absolute": ("|", "|"), "floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")},
    shown=SHOWN,
    constants={"pi": "π", "E": "e"},
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
    nan=r"\mathrm{nan}",
    transpose=lambda a: a + r"^\top",
    inverse=lambda a: a + "^{-1}",
    inverse_transpose=lambda a: a + r"^{-\top}",
    power=_latex_power,
    scientific=_scientific(_latex_power, r" \cdot "),
    fraction=lambda a, b: rf"\frac{{{a}}}{{{b}}}",
    fraction_strength=FACTOR,
    cases_strength=LOOSE,
    sqrt=lambda a: rf"\sqrt{{{a}}}",
    call=lambda f, a: _latex_function(f) + rf"\left({a}\right)",
    reduced=lambda f, axes, a: _latex_function(f) + (f"_{{{axes}}}" if axes else "") + rf"\left({a}\right)",
    indexed=lambda a, letters: f"{{{a}}}_{{{letters}}}",
    norm=lambda a: rf"\left\lVert {a}\right\rVert",
    columns=lambda blocks: r"\begin{bmatrix} " + " & ".join(blocks) + r" \end{bmatrix}",
    rows=lambda blocks: r"\begin{bmatrix} " + r" \\ ".join(blocks) + r" \end{bmatrix}",
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
    },
    shown=SHOWN,
    constants={"pi": r"\pi", "E": "e"},
)
