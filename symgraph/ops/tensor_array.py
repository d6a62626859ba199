"""tf.TensorArray: rows that are written one at a time, as a tensor that is handed on.

Law of this file: an array is a tensor of all its rows (`flow`), and writing gives a new one, so nothing here is ever changed
in place; a loop that writes one row a step is made into a stack (counting.py).  Rows that nobody has written are zeros.
Of what shape a row is may become known only when the first one is written: until then the tensors of the array have no node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import build, dtypes
from ..dtypes import as_dtype
from ..graph import Graph, Operation, Tensor, Unknown, builder, convert, rebuilt
from ..node import Kind, Node
from ..shapes import Shape, ShapeError, TensorShape, agree, from_user, is_known
from ..statics import static_shape
from .array import reshape, shape
from .control import no_op
from .core import INDICES, need, recording
from .gather import gather
from .math import identity


@builder("TensorArrayV3", lambda op: op.attrs["dtype"])
def _array(size: Node, dtype: dtypes.DType, element: Shape | None) -> Node:
    if element is None:
        raise Unknown
    return build.filled(0, (*static_shape(size), *element), dtype)


@builder("TensorArrayWriteV3")
def _write(array: Node, index: Node, value: Node, growing: bool) -> Node:
    agree(array.shape[1:], value.shape)
    if index.kind is Kind.CONST and isinstance(rows := array.shape[0], int):
        at = int(index.attrs[0].value)
        if at < 0 or at >= rows and not growing:
            raise ShapeError(f"Tried to write to index {at} but array is not resizeable and size is: {rows}")
        if at >= rows:
            array = build.concat([array, build.filled(0, (at + 1 - rows, *array.shape[1:]), array.dtype)], 0)
    return build.put(array, build.reshape(value, (1, *value.shape)), build.reshape(index, (1,)))


@builder("TensorArrayScatterV3")
def _scatter(array: Node, indices: Node, value: Node) -> Node:
    agree((*indices.shape, *array.shape[1:]), value.shape)
    return build.put(array, value, indices)


@builder("TensorArrayUnstackV3")
def _unstack(array: Node, value: Node, growing: bool) -> Node:
    agree(array.shape[1:], value.shape[1:])
    if growing:
        return value
    agree(array.shape[:1], value.shape[:1])
    return build.reshape(value, (array.shape[0], *value.shape[1:]))  # a run holds it to its size


@builder("TensorArrayReadV3")
def _read(array: Node, index: Node) -> Node:
    return build.gather(array, index)


@builder("TensorArrayGatherV3")
def _stack(array: Node) -> Node:
    return array


class TensorArray:
    """`size` rows of one dtype and shape, written and read by their numbers.

    `write` and `unstack` return the array as it is afterwards, which is the one to go on with.  A row has `element_shape`,
    or else the shape of what is written first.  With `dynamic_size` it has as many rows as are written: outside of loops by
    number, in a `while_loop` one a step.  TF's errors for rows that are written twice or never read as the last one that
    was written and as zeros here; `infer_shape`, `clear_after_read`, `colocate_with_first_write_call` change nothing."""

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Tensor | None = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        self.dtype, self.dynamic_size = as_dtype(dtype), bool(dynamic_size)
        if flow is not None:
            self.flow = flow
            return
        if handle is not None or size is None:
            raise ValueError("Must provide size if handle is not provided\na TensorArray is made with a size, or over the flow of another")
        with recording("TensorArrayV3", name or "TensorArray", size=size) as (graph, scope):
            if self.dtype is dtypes.string:
                raise NotImplementedError("a TensorArray holds numbers\nkeep strings in a Python list, and tf.stack them")
            rows = one_number(size, "size", graph)
            told = from_user(TensorShape(element_shape))
            attrs = {"dtype": self.dtype, "element": told if is_known(told) else None}
            self.flow = graph.add("TensorArrayV3", (rows,), attrs, scope).outputs[0]

    def __repr__(self) -> str:
        return f"<tf.TensorArray {self.flow.op.name!r} {self.dtype.name}>"

    @property
    def element_shape(self) -> TensorShape:
        """What is known of the shape of a row."""
        return TensorShape(None if self.flow.extents is None else self.flow.extents[1:])

    @property
    def handle(self) -> None:
        """There is none: the flow is the array."""
        return None

    def _over(self, flow: Tensor) -> TensorArray:
        return TensorArray(self.dtype, dynamic_size=self.dynamic_size, flow=flow)

    def _rows(self, value: Any, graph: Graph, many: bool) -> Tensor:
        """What is to be written, now that its shape says what a row is."""
        rows = convert(value, like=self.dtype, name="value", graph=graph)
        if rows.dtype is not self.dtype:
            raise TypeError(f"TensorArray dtype is {self.dtype.name} but Op is trying to write dtype {rows.dtype.name}.")
        if self.flow.node is None:
            if rows.extents is None or many and not rows.extents:
                raise ValueError(f"of what shape a row of {self!r} is must be known when it is written first\ngive it element_shape=")
            _tell(self.flow, rows.extents[1:] if many else rows.extents)
        return rows

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with `value` as its row `index`, an integer scalar.  ValueError for a constant index that it does not have,
        InvalidArgumentError when a run finds one."""
        kind = "TensorArrayWriteV3"
        with recording(kind, name or "TensorArrayWrite", array=self.flow, index=index, value=value) as (graph, scope):
            at = one_number(index, "index", graph)
            row = self._rows(value, graph, False)
            op = graph.add(kind, (self.flow, at, row), {"growing": self.dynamic_size}, kind)
        return self._over(op.outputs[0])

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The row `index`, an integer scalar."""
        with recording("TensorArrayReadV3", name or "TensorArrayReadV3", array=self.flow, index=index) as (graph, scope):
            return graph.add("TensorArrayReadV3", (self._known(), one_number(index, "index", graph)), {}, scope).outputs[0]

    def _known(self) -> Tensor:
        if self.flow.node is None and self.flow.extents is None and any(op.attrs.get("element", ()) is None for op in _history(self.flow)):
            raise ValueError(f"nothing has been written to {self!r} yet\ngive it element_shape= if that is so on purpose")
        return self.flow

    def stack(self, name: str | None = None) -> Tensor:
        """All rows as one tensor."""
        with recording("TensorArrayGatherV3", name or "TensorArrayStack", array=self.flow) as (graph, _):
            return graph.add("TensorArrayGatherV3", (self._known(),), {}, "TensorArrayGatherV3", 5).outputs[0]

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """The rows that `indices`, a vector of integers, number."""
        return gather(self._known(), indices, name=name or "TensorArrayGatherV3")

    def concat(self, name: str | None = None) -> Tensor:
        """All rows one after the other along their first axis."""
        with recording("Reshape", name or "TensorArrayConcatV3", array=self.flow):
            rows = self._known()
            if rows.extents is None or len(rows.extents) < 2:
                raise ValueError(f"what is concatenated has an axis: rows of {self!r} are {self.element_shape}")
            return reshape(rows, [-1, *(shape(rows)[k] for k in range(2, len(rows.extents)))])  # type: ignore[index]

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array with the rows of `value`, as many as it has."""
        kind = "TensorArrayUnstackV3"
        with recording(kind, name or "TensorArrayUnstack", array=self.flow, value=value) as (graph, scope):
            rows = self._rows(value, graph, True)
            op = graph.add(kind, (self.flow, rows), {"growing": self.dynamic_size}, "TensorArrayScatterV3", 9)
        return self._over(op.outputs[0])

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with the rows of `value` where `indices`, a vector of integers, say."""
        kind = "TensorArrayScatterV3"
        if self.dynamic_size:
            raise NotImplementedError("TensorArray.scatter needs an array whose size is given\ngive it a size, or write row by row")
        with recording(kind, name or "TensorArrayScatter", array=self.flow, indices=indices, value=value) as (graph, scope):
            at = convert(indices, name="indices", graph=graph)
            need(at, *INDICES, parameter="indices")
            rows = self._rows(value, graph, True)
            op = graph.add(kind, (self.flow, at, rows), {}, kind)
        return self._over(op.outputs[0])

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """Refused: the pieces may differ in length."""
        raise NotImplementedError(
            "TensorArray.split makes rows of different lengths\nreshape the tensor to rows of one length and unstack it"
        )

    def grad(self, source: str, flow: Any = None, name: str | None = None) -> TensorArray:
        """Refused: derivatives are those of what is read from the array."""
        raise NotImplementedError("TensorArray.grad has no place here\ntf.gradients of what the array holds passes through it")

    def size(self, name: str | None = None) -> Tensor:
        """How many rows it has: an int32 scalar."""
        with recording("Shape", name or "TensorArraySizeV3", array=self.flow):
            first = next((op for op in _history(self.flow) if op.type == "TensorArrayV3"), None)
            if self.flow.node is None and first is not None and not self.dynamic_size:
                return identity(first.inputs[0], name="size")
            return shape(self._known())[0]  # type: ignore[index]

    def identity(self) -> TensorArray:
        """The same rows, after the control dependencies that stand here."""
        return self._over(identity(self.flow))

    def close(self, name: str | None = None) -> Operation:
        """Nothing to do: an operation that does it."""
        return no_op(name=name or "TensorArrayCloseV3")


def one_number(value: Any, name: str, graph: Graph) -> Tensor:
    """An integer scalar."""
    t = convert(value, like=dtypes.int32, name=name, graph=graph)
    need(t, *INDICES, parameter=name)
    if t.extents:
        raise ValueError(f"Shape must be rank 0 but is rank {len(t.extents)}\n{name} is one number")
    return t


def flow_of(value: Any) -> Any:
    """The tensor that a TensorArray is; any other value itself."""
    return value.flow if isinstance(value, TensorArray) else value


def alike(value: Any, tensor: Tensor) -> Any:
    """A TensorArray over the tensor where `value` is one, else the tensor."""
    return value._over(tensor) if isinstance(value, TensorArray) else tensor


def _history(flow: Tensor) -> Iterator[Operation]:
    """The operations that made an array, the last first."""
    while flow.op.type in ("TensorArrayWriteV3", "TensorArrayScatterV3", "TensorArrayUnstackV3", "LoopVariable", "Identity"):
        yield flow.op
        flow = flow.op.inputs[0]
    yield flow.op


def _tell(flow: Tensor, element: Shape) -> None:
    """Say of what shape a row is: the tensors of the array, up to this one, have nodes from here on."""
    history = list(_history(flow))
    if history[-1].type == "TensorArrayV3" and history[-1].attrs["element"] is None:
        history[-1].attrs["element"] = element
        for op in reversed(history):
            rebuilt(op)
