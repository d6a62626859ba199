"""Strings: as_string, string_join, string_length, string_to_number.

Law of this file: Python makes them from the values of a run, as it makes summaries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import as_dtype
from ..errors import InvalidArgumentError
from ..graph import Operation, Tensor, convert
from ..host import host
from ..shapes import broadcast
from .core import ANY, Allowed, need, recording

STRINGS: Allowed = (lambda d: d is dtypes.string, "string")


def _each(f: Callable[..., bytes], *values: Any) -> Any:
    """Strings made element by element."""
    made = np.vectorize(f, otypes=[object])(*values) if all(np.size(v) for v in values) else np.empty(np.shape(values[0]), object)
    return made[()] if isinstance(made, np.ndarray) else made


@host("AsString")
def _as_string(op: Operation, x: Any) -> Any:
    if np.asarray(x).dtype == bool:
        return _each(lambda v: b"true" if v else b"false", x)
    return _each(lambda v: (op.attrs["format"] % v).encode(), x)


def as_string(
    input: Any,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
    name: str | None = None,
) -> Tensor:
    """Each element as a string: '%f', or '%e' where `scientific`, or '%g' where `shortest`; integers as '%d'."""
    with recording("AsString", name or "AsString", input=input) as (graph, scope):
        t = convert(input, name="input", graph=graph)
        need(t, *ANY, parameter="input")
        if scientific and shortest:
            raise ValueError("Cannot select both scientific and shortest notation")
        letter = "d" if not t.dtype.is_floating else "e" if scientific else "g" if shortest else "f"
        digits = f".{precision}" if precision > -1 and t.dtype.is_floating else ""
        form = f"%{fill}{width if width > -1 else ''}{digits}{letter}"
        return graph.add("AsString", (t,), {"format": form, "_shapes": [t.extents]}, scope).outputs[0]


@host("StringJoin")
def _join(op: Operation, *parts: Any) -> Any:
    separator = op.attrs["separator"].encode()
    return _each(lambda *each: separator.join(each), *parts)


def string_join(inputs: Sequence[Any], separator: str = "", name: str | None = None) -> Tensor:
    """The strings of several tensors, of one shape or scalars, joined element by element."""
    with recording("StringJoin", name or "StringJoin", inputs=list(inputs)) as (graph, scope):
        parts = [convert(v, name=f"inputs_{k}", graph=graph) for k, v in enumerate(inputs)]
        for t in parts:
            need(t, *STRINGS, parameter="inputs")
        shapes = [t.extents for t in parts]
        shape = None if None in shapes else broadcast(*shapes)  # type: ignore[arg-type]
        return graph.add("StringJoin", parts, {"separator": separator, "_shapes": [shape]}, scope).outputs[0]


@host("StringToNumber", first=True)
def _number(op: Operation, strings: Any) -> Any:
    try:
        return np.asarray(np.vectorize(float)(strings), op.outputs[0].dtype.as_numpy_dtype)
    except ValueError as e:
        raise InvalidArgumentError(f"StringToNumberOp could not correctly convert string: {e}", op) from None


def string_to_number(string_tensor: Any, out_type: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """The numbers that strings say; InvalidArgumentError where one says none."""
    return _measured("StringToNumber", string_tensor, as_dtype(out_type), name)


@host("StringLength", first=True)
def _length(op: Operation, strings: Any) -> Any:
    return np.vectorize(len, otypes=[np.int32])(strings)


def string_length(input: Any, name: str | None = None) -> Tensor:
    """The number of bytes (int32) of each string."""
    return _measured("StringLength", input, dtypes.int32, name)


def _measured(kind: str, strings: Any, dtype: dtypes.DType, name: str | None) -> Tensor:
    with recording(kind, name or kind, input=strings) as (graph, scope):
        t = convert(strings, name="input", graph=graph)
        need(t, *STRINGS, parameter="input")
        return graph.add(kind, (t,), {"_shapes": [t.extents], "_dtypes": [dtype]}, scope).outputs[0]
