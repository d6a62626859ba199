"""Rows of variables, written where numbers say.

Law of this file: what is added adds up where a number comes again; of what replaces, the last counts.  Nothing but those
rows is touched where a variable is written, and a number outside of its axis is an error before anything has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import build, scalar
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import ShapeError, agree
from .core import ANY, INDICES, NUMBERS, need, recording, same_dtype
from .gather import written
from .state import ref_of


def _added(ref: Node, rows: Node, at: Node, sign: int) -> Node:
    return build.elementwise(scalar.x(0) + sign * scalar.x(1), ref, build.scatter(rows, at, ref.shape))


WRITES: dict[str, Callable[[Node, Node, Node], Node]] = {
    "Update": build.put,
    "Add": lambda ref, rows, at: _added(ref, rows, at, 1),
    "Sub": lambda ref, rows, at: _added(ref, rows, at, -1),
}
"""What becomes of an array, of rows, and of the numbers that say where these go."""


def _by_rows(kind: str) -> Callable[..., Node]:
    def make(ref: Node, indices: Node, updates: Node, writes: int) -> Node:
        if not ref.rank:
            raise ShapeError("Shape must be at least rank 1 but is rank 0")
        shape = (*indices.shape, *ref.shape[1:])
        rows = build.broadcast_to(updates, shape) if not updates.rank else updates
        agree(shape, rows.shape)
        return WRITES[kind](ref, rows, indices)

    return make


def _by_coordinates(kind: str) -> Callable[..., Node]:
    return lambda ref, indices, updates, writes: written(ref, indices, updates, WRITES[kind])


for _kind in WRITES:
    builder(f"Scatter{_kind}")(_by_rows(_kind))
    builder(f"ScatterNd{_kind}")(_by_coordinates(_kind))


def _writer(kind: str, name: str, what: str) -> Callable[..., Tensor]:
    def function(ref: Any, indices: Any, updates: Any, use_locking: Any = None, name: str | None = None) -> Tensor:
        with recording(kind, name or kind, ref=ref, indices=indices, updates=updates) as (graph, scope):
            target, numbers = ref_of(ref), convert(indices, name="indices", graph=graph)
            values = convert(updates, like=target.dtype, name="updates", graph=graph)
            need(numbers, *INDICES, parameter="indices")
            need(target, *(ANY if kind.endswith("Update") else NUMBERS), parameter="ref")
            same_dtype(kind, target, values, ("ref", "updates"))
            return graph.add(kind, (target, numbers, values), {"writes": 1}, scope).outputs[0]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{what}.  The result, fetched, is the new value."
    return function


_ROWS, _PLACES = "the rows of the variable `ref` that `indices` number", "`ref` at the coordinates along the last axis of `indices`"
scatter_update = _writer("ScatterUpdate", "scatter_update", f"Replace {_ROWS} by `updates`, of shape indices.shape + ref.shape[1:] or ()")
scatter_add = _writer("ScatterAdd", "scatter_add", f"Add `updates` to {_ROWS}")
scatter_sub = _writer("ScatterSub", "scatter_sub", f"Subtract `updates` from {_ROWS}")
scatter_nd_update = _writer("ScatterNdUpdate", "scatter_nd_update", f"Replace the variable {_PLACES} by `updates`")
scatter_nd_add = _writer("ScatterNdAdd", "scatter_nd_add", f"Add `updates` to the variable {_PLACES}")
scatter_nd_sub = _writer("ScatterNdSub", "scatter_nd_sub", f"Subtract `updates` from the variable {_PLACES}")
