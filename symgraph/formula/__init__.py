"""Matrix notation: a tensor as a formula, in text and LaTeX."""

from .formula import Formula, formula

__all__ = ["Formula", "formula"]
