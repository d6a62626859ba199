"""How operation types make nodes.

Law of this file: `BUILDERS` maps a type to a plain function from nodes and attributes to nodes, and nothing else is known
about a type.  A builder that needs more than the graph's text tells says so with `Unknown` or `NeedsValue`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .dtypes import DType
from .node import Node

if TYPE_CHECKING:
    from .graph import Operation


@dataclass(frozen=True, slots=True)
class Builder:
    """How an operation type makes nodes.

    `make(*nodes, **attrs)` returns a node, a tuple of nodes, or None for no output; with `contextual`,
    `make(context, op)` does, and reads what it needs through `context.node(tensor)`.
    `dtype` gives the output's dtype from the inputs' when their shapes are not known yet.  `leaf`: the outputs are fed."""

    make: Callable[..., Any]
    dtype: Callable[[Operation], DType | None] = lambda op: op.inputs[0].dtype if op.inputs else op.attrs.get("dtype")
    contextual: bool = False
    leaf: bool = False


BUILDERS: dict[str, Builder] = {}


def builder(kind: str, dtype: Callable[[Operation], DType | None] | None = None, contextual: bool = False, leaf: bool = False):
    """Decorator: register how an operation type makes nodes."""

    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        BUILDERS[kind] = Builder(f, contextual=contextual) if dtype is None else Builder(f, dtype, contextual, leaf)
        return f

    return add


class NeedsValue(Exception):
    """A shape depends on the value of this leaf: known only when it is fed."""

    def __init__(self, leaf: Node) -> None:
        super().__init__(f"a shape depends on the value of {leaf!r}")
        self.leaf = leaf


class Unknown(Exception):
    """An input has no node yet."""
