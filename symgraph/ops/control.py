"""Grouping and order: no_op, group, tuple, control_dependencies."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from ..graph import Attempt, Operation, Tensor, builder, get_default_graph
from .math import identity


@builder("NoOp")
def _no_op() -> None:
    return None


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing."""
    return get_default_graph().add("NoOp", (), {}, name or "NoOp")


def _flat(values: Any) -> list[Any]:
    """The leaves of nested lists and tuples."""
    return [leaf for v in values for leaf in (_flat(v) if isinstance(v, list | tuple) else [v])]


def group(*inputs: Any, name: str | None = None) -> Operation:
    """One operation that runs all of `inputs`."""
    flat = _flat(inputs)
    graph = next((v.graph for v in flat if hasattr(v, "graph")), None) or get_default_graph()
    with Attempt(graph, "NoOp", name or "group_deps", {f"input {k}": v for k, v in enumerate(flat)}), graph.control_dependencies(flat):
        return graph.add("NoOp", (), {}, name or "group_deps")


def tuple_(tensors: Any, name: str | None = None, control_inputs: Any = None) -> list[Tensor | None]:
    """The tensors, available only after all of them (and `control_inputs`) are computed."""
    graph = get_default_graph()
    with graph.name_scope(name or "tuple"):
        gate = group(*(t for t in tensors if t is not None), *(control_inputs or ()))
        with graph.control_dependencies([gate]):
            return [None if t is None else identity(t) for t in tensors]


def control_dependencies(control_inputs: Any) -> AbstractContextManager[None]:
    """Operations made inside the `with` run after `control_inputs`."""
    return get_default_graph().control_dependencies(control_inputs)
