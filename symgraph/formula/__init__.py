"""Matrix notation: a tensor as a formula, in text and LaTeX."""

from .api import Formula, formula

__all__ = ["Formula", "formula"]
