"""Host operations: what Python computes from the values of other tensors, outside of any program.

Law of this file: such an operation is a row of `HOST`.  Its outputs are strings, or leaves without a value of their own:
the session asks the row for them, from the inputs' values, and feeds them to whatever comes after (stages.py).  So a size
that depends on values is the size of something fed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import build, dtypes
from .errors import InvalidArgumentError
from .graph import Operation, Tensor, Unknown, builder
from .node import Kind, Node
from .shapes import text


@dataclass(frozen=True, slots=True)
class Host:
    """How Python serves an operation type: `make(op, *values)` gives the value of its output, or a list of its outputs' values.

    `first`: what comes after it waits for it, so that a check fails before anything is written.  `asks`: it also reads the
    session's state, given after the operation."""

    make: Callable[..., Any]
    first: bool
    asks: bool


HOST: dict[str, Host] = {}


def host(kind: str, first: bool = False, asks: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: operations of this type are served by the function.

    Those with outputs that are not strings have the attributes `_shapes` and `_dtypes`."""

    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        HOST[kind] = Host(f, first, asks)
        builder(kind, lambda op: dtypes.string, contextual=True, leaf=True)(_leaves)
        return f

    return add


def _leaves(context: Any, op: Operation) -> tuple[Node, ...]:
    """A leaf for each output, made once; `Unknown` where a rank is not known, and for strings."""
    if op.outputs:
        nodes = [t.node for t in op.outputs]
    else:
        pairs = zip(op.attrs["_shapes"], op.attrs.get("_dtypes") or [dtypes.string] * len(op.attrs["_shapes"]), strict=True)
        nodes = [None if s is None or d is dtypes.string else build.leaf(Kind.PLACEHOLDER, op.name, s, d) for s, d in pairs]
    if any(n is None for n in nodes):
        raise Unknown
    return tuple(nodes)  # type: ignore[arg-type]


# ---------------------------------------------------------------- tensors and operations of the host
def on_host(t: Tensor) -> bool:
    """Is the tensor's value made in Python?"""
    return t.dtype is dtypes.string or t.op.type in HOST


def called(op: Operation) -> bool:
    """Is the operation one that Python serves whenever it is needed, not only when somebody asks for its strings?"""
    return op.type in HOST and (HOST[op.type].first or not op.outputs)


def read(t: Tensor, have: Any) -> Iterator[Tensor]:
    """The computed tensors that a tensor of the host is made from; what is in `have` is made from nothing."""
    if t not in have:
        if not on_host(t):
            yield t
        else:
            for i in t.op.inputs:
                yield from read(i, have)


def value(t: Tensor, values: MutableMapping[Tensor, Any], state: Any) -> Any:
    """The value of a tensor; one of the host is made from those of its inputs, and kept."""
    if t not in values:
        serve(t.op, values, state)
    return values[t]


def serve(op: Operation, values: MutableMapping[Tensor, Any], state: Any) -> None:
    """Run a host operation: its outputs' values are put beside those of its inputs."""
    if op.type == "Const":
        values[op.outputs[0]] = op.attrs["value"][()]
        return
    if op.type == "Placeholder":
        raise InvalidArgumentError(f"You must feed a value for placeholder tensor '{op.name}' with dtype string", op)
    if op.type not in HOST:
        raise NotImplementedError(f"{op.type} cannot make strings: {op.outputs[0].described()}")
    how = HOST[op.type]
    made = how.make(op, *((state,) if how.asks else ()), *(value(t, values, state) for t in op.inputs))
    outputs = made if len(op.outputs) > 1 else [made] if op.outputs else []
    values.update((t, v if t.dtype is dtypes.string else _fitting(t, v)) for t, v in zip(op.outputs, outputs, strict=True))


def _fitting(t: Tensor, given: Any) -> Any:
    """The value as an array; InvalidArgumentError where it is not of the shape that the tensor was said to have."""
    array = np.asarray(given, t.dtype.as_numpy_dtype, order="C")
    if not t.shape.is_compatible_with(array.shape):
        raise InvalidArgumentError(f"{t.op.type} gave a value of shape {array.shape} for '{t.name}' of shape {text(t.extents)}", t.op)
    return array[()]
