"""All rules, in the order in which they are tried: what the sweep simplifies with."""

from .deltas import DELTAS
from .linear import LINEAR

RULES = LINEAR + DELTAS
