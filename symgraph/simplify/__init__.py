"""The rule tables, a file per subject.

`LINEAR` is what the formulas of linear models need, `DELTAS` what is left of a batch of unit vectors."""

from .deltas import DELTAS
from .linear import LINEAR

__all__ = ["DELTAS", "LINEAR"]
