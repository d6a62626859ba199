"""Data types: TF1's names over NumPy's.

Law of this file: a dtype is one of a closed list of objects compared by identity; `as_dtype` accepts whatever TF1
accepts where a dtype is wanted (a DType, 'float', np.float32, np.dtype, float).
"""

from __future__ import annotations

import builtins

import numpy as np


class DType:
    """A tensor's element type.  `repr` is 'tf.float32', `str` is "<dtype: 'float32'>", as in TF1."""

    __slots__ = ("name", "as_numpy_dtype")

    def __init__(self, name: str, numpy_type: type) -> None:
        self.name = name
        self.as_numpy_dtype = numpy_type

    @property
    def is_floating(self) -> builtins.bool:
        return self.name.startswith("float")

    @property
    def is_integer(self) -> builtins.bool:
        return "int" in self.name

    @property
    def is_bool(self) -> builtins.bool:
        return self.name == "bool"

    @property
    def base_dtype(self) -> DType:
        return self

    @property
    def size(self) -> builtins.int:
        """Bytes of one element."""
        return np.dtype(self.as_numpy_dtype).itemsize

    @property
    def min(self):
        """Least finite value."""
        return np.finfo(self.as_numpy_dtype).min if self.is_floating else np.iinfo(self.as_numpy_dtype).min

    @property
    def max(self):
        """Greatest finite value."""
        return np.finfo(self.as_numpy_dtype).max if self.is_floating else np.iinfo(self.as_numpy_dtype).max

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: {self.name!r}>"

    def __reduce__(self):
        return as_dtype, (self.name,)


bool = DType("bool", np.bool_)  # noqa: A001  the names are TF1's
int8 = DType("int8", np.int8)
int16 = DType("int16", np.int16)
int32 = DType("int32", np.int32)
int64 = DType("int64", np.int64)
uint8 = DType("uint8", np.uint8)
float32 = DType("float32", np.float32)
float64 = DType("float64", np.float64)
string = DType("string", np.object_)

_BY_NAME = {d.name: d for d in (bool, int8, int16, int32, int64, uint8, float32, float64, string)}
_ALIASES = {"float": "float32", "double": "float64", "half": "float16", "str": "string", "object": "string", "bool_": "bool"}


def as_dtype(value: object) -> DType:
    """The DType that `value` names; TypeError for anything that is not (or not yet) a tensor's element type."""
    if isinstance(value, DType):
        return value
    if isinstance(value, str):
        name = _ALIASES.get(value, value)
    elif value is float:
        name = "float32"
    elif value is int:
        name = "int32"
    else:
        try:
            dtype = np.dtype(value)  # type: ignore[call-overload]
        except TypeError:
            raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType.") from None
        name = "string" if dtype.kind in "OSU" else dtype.name
    if name.endswith("_ref"):
        name = name[:-4]
    if name not in _BY_NAME:
        raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType; there are {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]


def of_python(value: object) -> DType | None:
    """The dtype TF1 gives a value that brings none: float -> float32, int -> int32, NumPy keeps its own."""
    if isinstance(value, np.ndarray | np.generic):
        return as_dtype(value.dtype)
    flat = np.asarray(value, dtype=object).ravel()
    kinds = {type(v) for v in flat.tolist()}
    if any(issubclass(k, np.generic) for k in kinds):
        return as_dtype(np.asarray(value).dtype)
    if kinds and kinds <= {builtins.bool}:
        return bool
    if kinds & {str, bytes}:
        return string
    if float in kinds or not kinds:
        return float32
    if kinds <= {int, builtins.bool}:
        big = any(not -(2**31) <= v < 2**31 for v in flat.tolist())
        return int64 if big else int32
    return None
