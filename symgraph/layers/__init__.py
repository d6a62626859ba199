"""`tf.layers`: layers as functions and as classes."""

from .base import Layer
from .core import Dense, Flatten, dense, flatten

__all__ = ["Dense", "Flatten", "Layer", "dense", "flatten"]
