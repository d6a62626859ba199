"""The rule tables, a file per subject.  `LINEAR` is what the formulas of linear models need."""

from .linear import LINEAR

__all__ = ["LINEAR"]
