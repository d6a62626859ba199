"""Python and NumPy values as arrays: what a constant is made of.

Law of this file: TF1's rules for the dtype of a value and for what it may become live here and nowhere else; errors are
in TF's words, and whoever records the call adds where.
"""

from __future__ import annotations

import numpy as np

from . import dtypes
from .dtypes import DType
from .errors import shown


def _loses(own: DType, like: DType) -> bool:
    """Would `like` lose what the value says?  (TF1: a float for an int is an error, NumPy floats adapt to each other.)"""
    if own is like:
        return False
    if like.is_floating:
        return own is dtypes.string or own is dtypes.bool
    if like.is_integer:
        return not own.is_integer
    return True


def _own_dtype(value: object) -> DType:
    """The dtype that a value brings; errors in TF's words for what is not a number, string or array of them."""
    if value is None:
        raise ValueError("None values not supported.")
    try:
        own = dtypes.of_python(value)
    except ValueError:
        own = None
    if own is not None:
        return own
    if isinstance(value, list | tuple) and any(isinstance(v, list | tuple | np.ndarray) for v in value):
        raise ValueError(f"Argument must be a dense tensor: {shown(value)}\nrows of different lengths, or objects that are no numbers")
    raise TypeError(f"Failed to convert elements of {shown(value)} to Tensor. Consider casting elements to a supported type.")


def to_array(value: object, dtype: DType | None = None, like: DType | None = None) -> np.ndarray:
    """The NumPy array of a value, in `dtype`, or else in `like` where that loses nothing, or else in TF1's default for it.

    TypeError where TF1 has one: 1.5 under or beside int32."""
    own = _own_dtype(value)
    if dtype is None and like is not None:
        if not _loses(own, like):
            dtype = like
        elif not isinstance(value, np.ndarray | np.generic):
            raise TypeError(f"Expected {like.name}, got {shown(value)} of type '{type(value).__name__}' instead.")
    if dtype is None:
        dtype = own
    elif not isinstance(value, np.ndarray | np.generic) and (
        dtype.is_integer
        and own.is_floating
        and np.size(value)  # type: ignore[arg-type]
        or dtype is dtypes.string
        and own is not dtypes.string
        or own is dtypes.string
        and dtype is not own
    ):
        raise TypeError(f"Expected {dtype.name}, got {shown(value)} of type '{type(value).__name__}' instead.")
    if dtype is dtypes.string:
        raw = np.asarray(value, dtype=object)
        return np.vectorize(lambda s: s.encode() if isinstance(s, str) else bytes(s), otypes=[object])(raw) if raw.size else raw
    array = np.asarray(value)
    if dtype.is_integer and own.is_integer and array.dtype.kind == "f":  # NumPy's answer to -1 beside 2**63
        array = np.asarray(value, dtype=object)
    if dtype.is_integer and array.dtype.kind in "iuO" and array.size:
        low, high = dtype.min, dtype.max
        if array.min() < low or array.max() > high:
            raise ValueError(f"{shown(value)} does not fit into {dtype.name} ({low} to {high})")
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(array.astype(dtype.as_numpy_dtype)).reshape(array.shape)
