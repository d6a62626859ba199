"""All rules, in the order in which they are tried: what the sweep simplifies with."""

from .deltas import DELTAS
from .linear import LINEAR
from .matrices import MATRICES

RULES = LINEAR + DELTAS + MATRICES
