"""Gradients of tables: the rows that were used, and their numbers.

Law of this file: `IndexedSlices` stands for an array of zeros with `values[k]` added to row `indices[k]`.  Whoever knows it
touches those rows alone; for everybody else it is that array, which is recorded when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .. import build
from ..arithmetic import Arithmetic
from ..dtypes import DType, int64
from ..graph import Graph, Operation, Tensor, builder, convert
from ..node import Node
from ..replay import opaque, upstream
from ..shapes import TensorShape
from ..statics import static_shape
from .array import concat, reshape
from .array import shape as shape_of
from .core import INDICES, need
from .math import cast


class IndexedSlicesValue(NamedTuple):
    """`IndexedSlices`, fetched."""

    values: Any
    indices: Any
    dense_shape: Any


@builder("IndexedSlicesToDense")
def _dense(values: Node, indices: Node, shape: Node) -> Node:
    return build.scatter(values, indices, static_shape(shape))


class IndexedSlices(Arithmetic):
    """Zeros of `dense_shape` with values[k], of shape dense_shape[1:], added to row indices[k].

    What `gradients` gives for a variable that is only looked up in.  `indices` is a vector of int32 or int64, in which numbers
    may come again.  Where a tensor is wanted it is one: ValueError then, if there is no `dense_shape`."""

    __slots__ = ("_values", "_indices", "_shape", "_tensor")

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self._values, self._indices = convert(values, name="values"), convert(indices, name="indices")
        need(self._indices, *INDICES, parameter="indices")
        self._shape: Tensor | None = None if dense_shape is None else convert(dense_shape, name="dense_shape")
        self._tensor: Tensor | None = None

    @property
    def values(self) -> Tensor:
        return self._values

    @property
    def indices(self) -> Tensor:
        return self._indices

    @property
    def dense_shape(self) -> Tensor | None:
        return self._shape

    @property
    def name(self) -> str:
        return self._values.name

    @property
    def op(self) -> Operation:
        return self._values.op

    @property
    def graph(self) -> Graph:
        return self._values.graph

    @property
    def dtype(self) -> DType:
        return self._values.dtype

    @property
    def shape(self) -> TensorShape:
        if self._shape is None or self._shape.node is None:
            return TensorShape(None)
        return TensorShape(static_shape(self._shape.node))

    def get_shape(self) -> TensorShape:
        return self.shape

    @property
    def node(self) -> Node | None:
        return self._as_graph_element().node

    def with_values(self, values: Tensor) -> IndexedSlices:
        """Other values for the same rows."""
        return IndexedSlices(values, self._indices, self._shape)

    def _as_graph_element(self) -> Tensor:
        if self._tensor is None or not self.graph.holds(self._tensor.op):
            if self._shape is None:
                raise ValueError(f"Tensor conversion requested for IndexedSlices without dense_shape: {self}")
            inputs = (self._values, self._indices, self._shape)
            self._tensor = self.graph.add("IndexedSlicesToDense", inputs, {}, f"{self.op.name}/dense/").outputs[0]
        return self._tensor

    def eval(self, feed_dict: dict | None = None, session: Any = None) -> Any:
        """The value in `session`, by default the default session, as an array."""
        return self._as_graph_element().eval(feed_dict, session)

    def __repr__(self) -> str:
        shape = "" if self._shape is None else f", dense_shape={self._shape}"
        return f"IndexedSlices(indices={self._indices}, values={self._values}{shape})"

    described = __str__ = __repr__


def values_of(t: Any) -> Any:
    """The values of `IndexedSlices`; anything else as it is."""
    return t.values if isinstance(t, IndexedSlices) else t


def like(t: Any, values: Tensor) -> Any:
    """`values` in the place of those of `t`, if that is `IndexedSlices`; else themselves."""
    return t.with_values(values) if isinstance(t, IndexedSlices) else values


# ---------------------------------------------------------------- of a variable that is looked up in
def lookups(ys: Sequence[Tensor], tables: Sequence[Tensor], stops: Sequence[Tensor] = ()) -> dict[Tensor, list[Operation]]:
    """Of the tables, those on which the ys depend through gathers of rows alone, with these gathers."""

    def ends(t: Tensor) -> bool:
        return opaque(t) or t in stops

    uses: dict[Tensor, list[tuple[Operation, int]]] = {}
    reached = upstream([y for y in ys if y.dtype.is_floating], ends)
    for op in sorted({t.op for t in reached if not ends(t)}, key=lambda op: op.number):
        for k, t in enumerate(op.inputs):
            uses.setdefault(t, []).append((op, k))
    found = {table: _gathers(table, uses, ys) for table in tables}
    return {table: ops for table, ops in found.items() if ops}


def _gathers(table: Tensor, uses: dict[Tensor, list[tuple[Operation, int]]], ys: Sequence[Tensor]) -> list[Operation]:
    """The gathers of a table's rows; none where it is used in another way too."""
    found = []
    same = [table]
    for t in same:
        if t in ys:
            return []
        for op, k in uses.get(t, ()):
            if op.type == "Identity":
                same.append(op.outputs[0])
            elif op.type == "GatherV2" and k == 0 and op.attrs["axis"] == 0 and not op.attrs.get("batch_dims"):
                found.append(op)
            else:
                return []
    return sorted(found, key=lambda op: op.number)


def joined(table: Tensor, gathers: Sequence[Operation], gradients: Iterator[Tensor | None]) -> IndexedSlices | None:
    """The derivative by a table, of the derivatives by what each gather took of it; None where there are none."""
    live = [(op.inputs[1], g) for op, g in [(op, next(gradients)) for op in gathers] if g is not None]
    if not live:
        return None
    row = table.shape.as_list()[1:]
    rows = [g if _vector(i) else reshape(g, [-1, *row]) for i, g in live]
    numbers = [i if _vector(i) else reshape(i, [-1]) for i, _ in live]
    if len({i.dtype.name for i in numbers}) > 1:
        numbers = [cast(i, int64) for i in numbers]
    whole = (rows[0], numbers[0]) if len(rows) == 1 else (concat(rows, 0), concat(numbers, 0))
    return IndexedSlices(*whole, shape_of(table))


def _vector(t: Tensor) -> bool:
    return t.extents is not None and len(t.extents) == 1
