"""`tf.layers`: layers as functions and as classes."""

from .base import Layer
from .core import Dense, Dropout, Flatten, dense, flatten
from .core import dropout_layer as dropout
from .normalization import BatchNormalization, batch_normalization

__all__ = ["BatchNormalization", "Dense", "Dropout", "Flatten", "Layer", "batch_normalization", "dense", "dropout", "flatten"]
