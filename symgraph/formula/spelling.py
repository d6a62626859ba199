"""How a user's name is spelled: in text, in LaTeX, and as a Python identifier.

Law of this file: plain functions of one string.  A name that spells a Greek letter is that letter, digits at its end
are an index; every other character is shown as it stands, in LaTeX by a macro that KaTeX takes in strict mode.
Operation names are ASCII; symbols that come from elsewhere may be anything.
"""

from __future__ import annotations

import builtins
import keyword
import re

GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega"
).split()
_CAPITAL = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
_LETTERS = dict(zip([*GREEK, *_CAPITAL], "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", strict=True))
WORDS = {letter: word for word, letter in _LETTERS.items()}
_SUB = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_MACROS = {c: "\\" + c for c in "_%#$&{} "} | {"\\": r"\backslash ", "~": r"\text{\textasciitilde}", "^": r"\text{\textasciicircum}"}


def subscript(digits: str) -> str:
    return digits.translate(_SUB)


def split(name: str) -> tuple[str, str]:
    """('W', '1') for W1 and W_1; ('theta', '') for theta."""
    base = name.rstrip("0123456789")
    if not base.rstrip("_"):
        return name, ""
    return (base.rstrip("_"), name[len(base) :]) if base != name else (name, "")


def text_name(name: str) -> str:
    base, number = split(name)
    return _LETTERS.get(base, base) + subscript(number)


def latex_name(name: str) -> str:
    base, number = split(name)
    base = WORDS.get(base, base)
    if base in _LETTERS and base != "omicron":
        word = "\\" + base
    elif len(base) == 1 and base.isascii() and base.isalpha():
        word = base
    else:
        word = r"\mathrm{" + "".join(map(_latex_character, base)) + "}"
    return f"{word}_{{{number}}}" if number else word


def _latex_character(c: str) -> str:
    if c in _MACROS:
        return _MACROS[c]
    if c in WORDS and c != "ο":
        return rf"\{WORDS[c]} "
    if not c.isascii() or not c.isprintable():
        return f"u{ord(c):04x}"
    return c if c.isalnum() or c == "." else rf"\text{{{c}}}"


_RESERVED = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | frozenset(dir(builtins)) | {"np", "math"}


def identifier(name: str) -> str:
    """A Python identifier that reads like the name: Greek spelled out, what Python does not take as an underscore."""
    spelled = "".join(WORDS.get(c, c) for c in name)
    word = re.sub(r"[^A-Za-z0-9]+", "_", spelled).strip("_") or "x"
    if word[0].isdigit():
        word = "x" + word
    return word + "_" if word in _RESERVED else word
