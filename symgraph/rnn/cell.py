"""What every recurrent cell shares: its state, its variables, and what TF1 counts for it.

Law of this file: a cell is a layer whose input goes with a state: a tensor [batch, size], or a structure of such tensors,
of the structure of `state_size`.  A cell makes its variables when it is first called and uses them ever after; the variables
that a user's cell asks `tf.get_variable` for are its own, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..dtypes import int32
from ..graph import Graph, Tensor, get_default_graph
from ..layers.base import Layer
from ..nest import flatten, mapped
from ..ops.array import shape, zeros
from ..ops.core import counted_as, is_tensor
from ..ops.math import cast
from ..ops.state import Variable
from ..scopes import GraphKeys, variable_scope
from ..shapes import Dimension, TensorShape


class LSTMStateTuple(NamedTuple):
    """The state of an LSTM cell: what it remembers, and what it said last."""

    c: Any
    h: Any

    @property
    def dtype(self) -> Any:
        if self.c.dtype is not self.h.dtype:
            raise TypeError(f"Inconsistent internal state: {self.c.dtype} vs {self.h.dtype}")
        return self.c.dtype


class RNNCell(Layer):
    """One step of a recurrent network: (output, new state) = cell(inputs, state).

    A subclass gives `state_size` and `output_size`, and either `call(inputs, state)`, in whose variable scope it is called,
    or a `__call__(inputs, state, scope=None)` of its own."""

    namespace = "tf.nn.rnn_cell"

    @property
    def state_size(self) -> Any:
        """The width of the state, or a structure of widths."""
        raise NotImplementedError(f"{type(self).__name__} must say its state_size")

    @property
    def output_size(self) -> Any:
        """The width of the output."""
        raise NotImplementedError(f"{type(self).__name__} must say its output_size")

    def call(self, inputs: Any, state: Any) -> Any:
        """The output and the new state."""
        raise NotImplementedError(f"{type(self).__name__} has no call(inputs, state)")

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        graph = get_default_graph()
        before = len(graph.get_collection(GraphKeys.GLOBAL_VARIABLES))
        if scope is None:
            result = super().__call__(inputs, state)
        else:
            with variable_scope(scope) as given:
                result = super().__call__(inputs, state, scope=given)
        made = graph.get_collection(GraphKeys.GLOBAL_VARIABLES)[before:]
        self.weights.extend(v for v in made if v not in self.weights)
        captured(graph, self.weights, [*flatten(inputs), *flatten(state)])
        return result

    def _input(self, inputs: Any, graph: Graph) -> Tensor:
        return super()._input(flatten(inputs)[0], graph)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Zeros [batch_size, size] in the structure of `state_size`; `batch_size` is an int or an integer tensor."""
        graph = get_default_graph()
        with graph.name_scope(type(self).__name__ + "ZeroState"):
            return mapped(lambda size: _zeros(graph, batch_size, size, dtype), self.state_size)

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        """`zero_state` for the batch of `inputs`, or for one of `batch_size`."""
        if inputs is not None:
            batch_size, dtype = shape(inputs)[0], inputs.dtype
        if batch_size is None or dtype is None:
            raise ValueError("batch_size and dtype are needed to make an initial state, or inputs that have both")
        return self.zero_state(batch_size, dtype)

    def _width(self, input_shape: TensorShape) -> int:
        """The width of the inputs, which must be known."""
        width = input_shape.as_list()[-1]
        if width is None:
            raise ValueError(f"Expected inputs.shape[-1] to be known, saw shape: {input_shape}")
        return width


def _zeros(graph: Graph, batch_size: Any, size: Any, dtype: Any) -> Tensor:
    batch = batch_size.value if isinstance(batch_size, Dimension) else batch_size
    extents = TensorShape(size).as_list() if isinstance(size, TensorShape | Dimension) else [size]
    with counted_as(graph, 10 if is_tensor(batch) else 8):
        return zeros([cast(batch, int32) if is_tensor(batch) else batch, *extents], dtype)


def like_a_cell(argument: str, cell: Any) -> None:
    """TypeError for what cannot be used as a cell."""
    wanted = ("output_size", "state_size", "zero_state")
    missing = [n for n in wanted if not hasattr(type(cell), n) and not hasattr(cell, n)]
    if missing or not callable(cell):
        why = ", ".join([f"'{n}' is missing" for n in missing] + ["it is not callable"] * (not callable(cell)))
        raise TypeError(f"The argument {argument!r} ({cell!r}) is not an RNNCell: {why}\nderive the class from tf.nn.rnn_cell.RNNCell")


def batch_of(inputs: Iterable[Tensor], axis: int = 0) -> Any:
    """The extent of the batch's axis: an int where any of the inputs knows it, else a tensor."""
    tensors = list(inputs)
    for t in tensors:
        if t.extents is not None and isinstance(d := t.extents[axis], int):
            return d
    return shape(tensors[0])[axis]


def initial(cell: Any, state: Any, batch: Any, dtype: Any) -> Any:
    """The state to start from: the one given, else zeros of `dtype`."""
    if state is not None:
        return state
    if not dtype:
        raise ValueError("If there is no initial_state, you must give a dtype.")
    return cell.zero_state(batch, dtype)


# ---------------------------------------------------------------- what TF1 counts
@contextmanager
def frame(graph: Graph, outside: int) -> Iterator[None]:
    """Inside, TF1 makes one operation for each tensor that comes from outside: of a loop an Enter, of a condition a Switch.

    The first `outside` operations of the graph lie there."""
    frames: list[tuple[int, set[Tensor]]] = graph.attached("frames", list)
    frames.append((outside, set()))
    try:
        yield
    finally:
        frames.pop()


def captured(graph: Graph, variables: Iterable[Variable], values: Iterable[Any] = ()) -> None:
    """Count the variables, and those of the values that come from outside, which the frame has not seen yet."""
    frames: list[tuple[int, set[Tensor]]] = graph.attached("frames", list)
    if frames:
        first, seen = frames[-1]
        outside = {v.value() for v in variables} | {t for t in values if is_tensor(t) and t.op.number < first}
        graph.counted += len(outside - seen)
        seen |= outside
