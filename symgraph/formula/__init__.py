"""Matrix notation: a tensor as a formula, in text and LaTeX, and the steps that lead to it."""

from .api import Formula, formula
from .derivation import Derivation, derivation

__all__ = ["Derivation", "Formula", "derivation", "formula"]
