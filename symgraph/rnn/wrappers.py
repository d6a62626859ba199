"""Cells made of cells: layers on top of each other, dropout, projections, residual connections.

Law of this file: a wrapper has no variables and no scope of its own, so a cell's variables are named as without it; the
cells that do have some (several layers, projections, an embedding) are cells with a `call`.

Sources: Zaremba et al. (2014) for dropout between layers, Gal and Ghahramani (2016) for the variational kind, Wu et al.
(2016) for residual connections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import md5
from itertools import pairwise
from typing import Any

from ..dtypes import float32
from ..graph import Tensor, get_default_graph
from ..nest import flatten, is_nested, mapped, pack
from ..ops.array import concat, reshape
from ..ops.core import is_tensor
from ..ops.dense import bias_add, dropout
from ..ops.embedding import embedding_lookup
from ..ops.initializers import RandomUniform, Zeros
from ..ops.linalg import matmul
from ..ops.math import _made
from ..ops.random import random_uniform
from ..scopes import get_variable, get_variable_scope, variable_scope
from ..shapes import TensorShape
from .cell import LSTMStateTuple, RNNCell, captured, like_a_cell

floor = _made["floor"]


# ---------------------------------------------------------------- without variables
class _Wrapper(RNNCell):
    """A cell that calls another one."""

    def __init__(self, cell: Any) -> None:
        like_a_cell("cell", cell)
        self._cell = cell

    def __getattr__(self, name: str) -> Any:  # what a layer knows of itself is known of the cell inside
        if name.startswith("__") or name == "_cell":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self._cell, name)

    @property
    def wrapped_cell(self) -> Any:
        return self._cell

    @property
    def name(self) -> str:
        return self._cell.name

    @property
    def state_size(self) -> Any:
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        return self._cell.output_size

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        return self._cell(inputs, state) if scope is None else self._cell(inputs, state, scope)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            return self._cell.zero_state(batch_size, dtype)


class DeviceWrapper(_Wrapper):
    """The cell itself: all there is runs on the CPU."""

    def __init__(self, cell: Any, device: Any) -> None:
        super().__init__(cell)


class ResidualWrapper(_Wrapper):
    """The cell's output plus its input, or `residual_fn(inputs, outputs)`."""

    def __init__(self, cell: Any, residual_fn: Callable[[Any, Any], Any] | None = None) -> None:
        super().__init__(cell)
        self._residual = residual_fn or self._sum

    @staticmethod
    def _sum(inputs: Any, outputs: Any) -> Any:
        for x, y in zip(flatten(inputs), flatten(outputs), strict=True):
            x.shape.assert_is_compatible_with(y.shape)
        return mapped(lambda x, y: x + y, inputs, outputs)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        outputs, new_state = super().__call__(inputs, state, scope)
        return self._residual(inputs, outputs), new_state


class DropoutWrapper(_Wrapper):
    """Dropout of inputs, outputs and new states, kept with these probabilities: floats, or scalar tensors that can be fed.

    Of an LSTM's state h alone is dropped.  With `variational_recurrent` what is dropped is drawn once for each run of the
    session, and the same at every step and for every row of the batch; `dtype` and `input_size` must be given then."""

    def __init__(
        self,
        cell: Any,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: int | None = None,
        dropout_state_filter_visitor: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(cell)
        graph = get_default_graph()
        keep = {"input": input_keep_prob, "state": state_keep_prob, "output": output_keep_prob}
        for what, p in keep.items():
            if not is_tensor(p):
                if not 0 <= p <= 1:
                    raise ValueError(f"Parameter {what}_keep_prob must be between 0 and 1: {p!r}")
                graph.counted += 1
        self._keep, self._seed, self._noise = keep, seed, dict[str, list[Tensor] | None]()
        self._dropped = dropout_state_filter_visitor or (lambda s: LSTMStateTuple(False, True) if isinstance(s, LSTMStateTuple) else True)
        if variational_recurrent:
            if dtype is None:
                raise ValueError("When variational_recurrent=True, dtype must be provided")
            if self._drops("input") and input_size is None:
                raise ValueError("When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, input_size must be provided")
            sizes = {"input": input_size, "state": cell.state_size, "output": cell.output_size}
            self._noise = {what: self._drawn(what, sizes[what], dtype) for what in keep if what != "input" or self._drops(what)}

    def _drops(self, what: str) -> bool:
        return is_tensor(self._keep[what]) or self._keep[what] < 1

    def _seed_of(self, what: str, number: int) -> int | None:
        """TF1's seed for the number-th tensor of inputs, states or outputs."""
        if self._seed is None:
            return None
        return int(md5(f"{self._seed}{what}_{number}".encode()).hexdigest()[:8], 16) & 0x7FFFFFFF

    def _drawn(self, what: str, sizes: Any, dtype: Any) -> list[Tensor]:
        shapes = [[1, *(s.as_list() if isinstance(s, TensorShape) else [s])] for s in flatten(sizes)]
        return [random_uniform(s, dtype=dtype, seed=self._seed_of(what, k)) for k, s in enumerate(shapes)]

    def _dropping(self, what: str, value: Any, chosen: list[bool]) -> Any:
        keep, noise = self._keep[what], self._noise.get(what)
        leaves = flatten(value)
        for k, x in enumerate(leaves):
            if chosen[k]:
                captured(get_default_graph(), (), [keep, x])
                if noise is None:
                    leaves[k] = dropout(x, keep, seed=self._seed_of(what, k))
                else:
                    leaves[k] = x / keep * floor(noise[k] + keep)
        return pack(value, leaves)

    def _chosen(self, state: Any) -> list[bool]:
        """Of each tensor of a state: is it dropped?"""
        choice: Any = self._dropped(state)
        if is_nested(choice):
            return [c for part, s in zip(choice, state, strict=True) for c in [bool(part)] * len(flatten(s))]
        if choice and is_nested(state):
            return [c for s in state for c in self._chosen(s)]
        return [bool(choice)] * len(flatten(state))

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        if self._drops("input"):
            inputs = self._dropping("input", inputs, [True] * len(flatten(inputs)))
        output, new_state = super().__call__(inputs, state, scope)
        if self._drops("state"):
            new_state = self._dropping("state", new_state, self._chosen(new_state))
        if self._drops("output"):
            output = self._dropping("output", output, [True] * len(flatten(output)))
        return output, new_state


# ---------------------------------------------------------------- with scopes of their own
class MultiRNNCell(RNNCell):
    """Cells on top of each other: each one's output is the next one's input, and the last one's the output.

    States are a tuple, one for each cell, or, if not `state_is_tuple`, side by side in one tensor.  Variables
    multi_rnn_cell/cell_0/..., multi_rnn_cell/cell_1/..."""

    def __init__(self, cells: Sequence[Any], state_is_tuple: bool = True) -> None:
        super().__init__()
        if not isinstance(cells, list | tuple):
            raise TypeError(f"cells must be a list or tuple, but received: {cells!r}")
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        for cell in cells:
            like_a_cell("cell", cell)
        self._cells, self._state_is_tuple = tuple(cells), state_is_tuple
        if not state_is_tuple and any(is_nested(c.state_size) for c in cells):
            raise ValueError(
                "Some cells return tuples of states, but the flag state_is_tuple is not set.  State sizes are: "
                f"{[c.state_size for c in cells]}"
            )

    @property
    def state_size(self) -> Any:
        sizes = tuple(c.state_size for c in self._cells)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        return self._cells[-1].output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        if not self._state_is_tuple:
            return super().zero_state(batch_size, dtype)
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            return tuple(c.zero_state(batch_size, dtype) for c in self._cells)

    def call(self, inputs: Any, state: Any) -> Any:
        if not self._state_is_tuple:
            ends = [sum(c.state_size for c in self._cells[:k]) for k in range(len(self._cells) + 1)]
            states = [state[:, a:b] for a, b in pairwise(ends)]
        elif not is_nested(state) or len(state) != len(self._cells):
            raise ValueError(f"Expected state to be a tuple of length {len(self._cells)}, but received: {state!r}")
        else:
            states = list(state)
        for k, cell in enumerate(self._cells):
            with variable_scope(f"cell_{k}"):
                inputs, states[k] = cell(inputs, states[k])
        return inputs, tuple(states) if self._state_is_tuple else concat(states, 1)


class _Around(RNNCell):
    """A cell with something before or after it that has variables."""

    def __init__(self, cell: Any, activation: Callable[[Tensor], Tensor] | None = None, reuse: Any = None) -> None:
        super().__init__(_reuse=reuse)
        like_a_cell("cell", cell)
        self._cell, self._activation = cell, activation or (lambda x: x)

    @property
    def state_size(self) -> Any:
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            return self._cell.zero_state(batch_size, dtype)

    def _linear(self, x: Tensor, width: int) -> Tensor:
        """activation(x W + b), with variables kernel and bias."""
        kernel = get_variable("kernel", [self._width(x.shape), width], x.dtype)
        return self._activation(bias_add(matmul(x, kernel), get_variable("bias", [width], x.dtype, Zeros())))


class OutputProjectionWrapper(_Around):
    """activation(output W + b): the cell's output [batch, n] made into [batch, output_size].

    Variables output_projection_wrapper/kernel and bias, and under that scope the cell's."""

    def __init__(self, cell: Any, output_size: int, activation: Callable[[Tensor], Tensor] | None = None, reuse: Any = None) -> None:
        super().__init__(cell, activation, reuse)
        if output_size < 1:
            raise ValueError(f"Parameter output_size must be > 0: {output_size}.")
        self._output_size = output_size

    @property
    def output_size(self) -> Any:
        return self._output_size

    def call(self, inputs: Any, state: Any) -> Any:
        output, new_state = self._cell(inputs, state)
        return self._linear(output, self._output_size), new_state


class InputProjectionWrapper(_Around):
    """The cell for activation(inputs W + b), [batch, num_proj]."""

    def __init__(
        self,
        cell: Any,
        num_proj: int,
        activation: Callable[[Tensor], Tensor] | None = None,
        input_size: Any = None,
        reuse: Any = None,
    ) -> None:
        super().__init__(cell, activation, reuse)
        self._num_proj = num_proj

    def call(self, inputs: Any, state: Any) -> Any:
        return self._cell(self._linear(inputs, self._num_proj), state)


class EmbeddingWrapper(_Around):
    """The cell for rows of a table: inputs are int32 or int64 [batch] or [batch, 1].

    Variable embedding_wrapper/embedding [embedding_classes, embedding_size], from `initializer`, by default uniform in
    [-sqrt(3), sqrt(3))."""

    def __init__(self, cell: Any, embedding_classes: int, embedding_size: int, initializer: Any = None, reuse: Any = None) -> None:
        super().__init__(cell, reuse=reuse)
        if embedding_classes <= 0 or embedding_size <= 0:
            raise ValueError(f"Both embedding_classes and embedding_size must be > 0: {embedding_classes}, {embedding_size}.")
        self._table, self._initializer = [embedding_classes, embedding_size], initializer

    def call(self, inputs: Any, state: Any) -> Any:
        bound = 3.0**0.5
        start = self._initializer or get_variable_scope().initializer or RandomUniform(-bound, bound)
        dtype = next((t.dtype for t in flatten(state)), float32)
        table = get_variable("embedding", self._table, dtype, start)
        return self._cell(embedding_lookup(table, reshape(inputs, [-1])), state)
