"""Strings: what a session computes in Python from fetched values, outside of any program.

Law of this file: a string tensor (a constant, a summary) is made on the host by the function registered for its
operation's type, from the values of its inputs, which may be strings themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import dtypes
from .errors import InvalidArgumentError
from .graph import Operation, Tensor, Unknown, builder


def _not_fed(op: Operation) -> None:
    raise InvalidArgumentError(f"You must feed a value for placeholder tensor '{op.name}' with dtype string", op)


HOST: dict[str, Callable[..., Any]] = {"Const": lambda op: op.attrs["value"][()], "Placeholder": _not_fed}
"""By operation type: a function of the operation and the values of its inputs that gives bytes."""


def host(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: operations of this type give a string tensor, made by the function from the inputs' values."""

    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        def no_node(context: Any, op: Operation) -> None:
            raise Unknown

        builder(kind, lambda op: dtypes.string, contextual=True)(no_node)
        HOST[kind] = f
        return f

    return add


def read_by_host(strings: Sequence[Tensor], fed: Sequence[Tensor] = ()) -> list[Tensor]:
    """The computed tensors that string tensors are made from, each once; a string that is fed is made from nothing."""
    found: dict[Tensor, None] = {}
    stack = [t for t in strings if t not in fed]
    while stack:
        for t in stack.pop().op.inputs:
            if t.dtype is not dtypes.string:
                found[t] = None
            elif t not in fed:
                stack.append(t)
    return list(found)


def on_host(t: Tensor, values: Mapping[Tensor, Any]) -> Any:
    """The value of a string tensor, by the values of what it is made from; a fed string is among them itself."""
    if t in values:
        return values[t]
    make = HOST.get(t.op.type)
    if make is None:
        raise NotImplementedError(f"{t.op.type} cannot make strings: {t.described()}")
    return make(t.op, *(on_host(i, values) if i.dtype is dtypes.string else values[i] for i in t.op.inputs))
