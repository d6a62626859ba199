"""The cells: plain, LSTM, GRU, and the LSTM with layer normalisation.

Law of this file: `build` makes the variables in TF1's order, under TF1's names; `call` is the formula, in TF1's operations.

Sources: Hochreiter and Schmidhuber (1997), Gers and Schmidhuber (2000) for peepholes, Sak et al. (2014) for the projection,
Cho et al. (2014) for the GRU, Ba et al. (2016) for layer normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import Tensor
from ..ops.array import concat
from ..ops.clip import clip_by_value
from ..ops.core import is_tensor
from ..ops.dense import bias_add, dropout
from ..ops.initializers import Constant, Zeros
from ..ops.linalg import matmul
from ..ops.math import _made
from ..ops.movement import split
from ..ops.reduce import reduce_mean
from ..scopes import get_variable, variable_scope
from ..shapes import TensorShape
from .cell import LSTMStateTuple, RNNCell

Activation = Callable[[Tensor], Tensor]
add, multiply, rsqrt, sigmoid, tanh = (_made[n] for n in ("add", "multiply", "rsqrt", "sigmoid", "tanh"))


def activation_of(given: Any) -> Activation:
    """The function itself, or the one of that name; tanh where nothing is said."""
    if given is None:
        return tanh
    if isinstance(given, str):
        if given not in _made:
            raise ValueError(f"Unknown activation function: {given!r}\npass the function itself, as in activation=tf.nn.relu")
        return _made[given]
    if not callable(given):
        raise TypeError(f"an activation is a function of a tensor, not {given!r}")
    return given


class _Cell(RNNCell):
    """A cell of `num_units`, with the arguments that all of TF1's have."""

    def __init__(self, num_units: int, activation: Any, reuse: Any, name: str | None, dtype: Any, **kwargs: Any) -> None:
        super().__init__(name=name, dtype=dtype, _reuse=reuse, **kwargs)
        self._num_units, self._activation = int(num_units), activation_of(activation)

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> int:
        return self._num_units

    def _affine(self, parts: list[Tensor], kernel: Any, bias: Any) -> Tensor:
        return bias_add(matmul(concat(parts, 1), kernel), bias)


class BasicRNNCell(_Cell):
    """h' = activation([x, h] W + b): inputs [batch, in] and state [batch, num_units]; output and new state are h'.

    Variables kernel [in + num_units, num_units] and bias."""

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)

    def build(self, input_shape: TensorShape) -> None:
        n = self._num_units
        self._kernel = self.add_variable("kernel", [self._width(input_shape) + n, n])
        self._bias = self.add_variable("bias", [n], initializer=Zeros())

    def call(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        output = self._activation(self._affine([inputs, state], self._kernel, self._bias))
        return output, output


class GRUCell(_Cell):
    """r, u = sigmoid([x, h] W + b); c = activation([x, r h] V + d); h' = u h + (1 - u) c.

    Variables gates/kernel [in + num_units, 2 num_units] and gates/bias, 1 at first; candidate/kernel and candidate/bias."""

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)
        self._initial_kernel, self._initial_bias = kernel_initializer, bias_initializer

    def build(self, input_shape: TensorShape) -> None:
        n, rows = self._num_units, self._width(input_shape) + self._num_units
        self._gates = (
            self.add_variable("gates/kernel", [rows, 2 * n], initializer=self._initial_kernel),
            self.add_variable("gates/bias", [2 * n], initializer=self._initial_bias or Constant(1.0)),
        )
        self._candidate = (
            self.add_variable("candidate/kernel", [rows, n], initializer=self._initial_kernel),
            self.add_variable("candidate/bias", [n], initializer=self._initial_bias or Zeros()),
        )

    def call(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        r, u = split(sigmoid(self._affine([inputs, state], *self._gates)), num_or_size_splits=2, axis=1)
        c = self._activation(self._affine([inputs, r * state], *self._candidate))
        output = u * state + (1 - u) * c
        return output, output


class _LSTM(_Cell):
    """What the LSTM cells share: a state (c, h), as a tuple, or side by side in one tensor."""

    _state_is_tuple = True

    @property
    def state_size(self) -> Any:
        c, h = self._num_units, self.output_size
        return LSTMStateTuple(c, h) if self._state_is_tuple else c + h

    def _parts(self, state: Any) -> tuple[Tensor, Tensor]:
        if self._state_is_tuple:
            if not isinstance(state, tuple | list) or len(state) != 2:
                raise ValueError(
                    f"the state of {type(self).__name__} is a pair (c, h), not {state!r}\nuse its zero_state(batch_size, dtype)"
                )
            return state[0], state[1]
        if self._num_units == self.output_size:
            c, h = split(state, num_or_size_splits=2, axis=1)
            return c, h
        return state[:, : self._num_units], state[:, self._num_units :]

    def _joined(self, c: Tensor, h: Tensor) -> Any:
        return LSTMStateTuple(c, h) if self._state_is_tuple else concat([c, h], 1)


class BasicLSTMCell(_LSTM):
    """c' = c sigmoid(f + forget_bias) + sigmoid(i) activation(j); h' = activation(c') sigmoid(o); i, j, f, o = [x, h] W + b.

    Output h', state LSTMStateTuple(c', h').  Variables kernel [in + num_units, 4 num_units] and bias."""

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)
        self._forget_bias, self._state_is_tuple = forget_bias, state_is_tuple

    def build(self, input_shape: TensorShape) -> None:
        n = self._num_units
        self._kernel = self.add_variable("kernel", [self._width(input_shape) + n, 4 * n])
        self._bias = self.add_variable("bias", [4 * n], initializer=Zeros())

    def call(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        c, h = self._parts(state)
        i, j, f, o = split(self._affine([inputs, h], self._kernel, self._bias), num_or_size_splits=4, axis=1)
        c = add(multiply(c, sigmoid(add(f, self._forget_bias))), multiply(sigmoid(i), self._activation(j)))
        h = multiply(self._activation(c), sigmoid(o))
        return h, self._joined(c, h)


class LSTMCell(_LSTM):
    """As `BasicLSTMCell`; with `use_peepholes` the gates see c: f + w_f c, i + w_i c, and o + w_o c'.

    `cell_clip` bounds |c'|; with `num_proj` the output is h' P [batch, num_proj], bounded by `proj_clip`.  Variables kernel,
    bias, w_f_diag, w_i_diag, w_o_diag, projection/kernel, all but the bias from `initializer`."""

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: Any = None,
        num_proj_shards: Any = None,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)
        self._peepholes, self._cell_clip, self._initializer = use_peepholes, cell_clip, initializer
        self._num_proj, self._proj_clip = num_proj, proj_clip
        self._forget_bias, self._state_is_tuple = forget_bias, state_is_tuple

    @property
    def output_size(self) -> int:
        return self._num_proj or self._num_units

    def build(self, input_shape: TensorShape) -> None:
        n, start = self._num_units, self._initializer
        self._kernel = self.add_variable("kernel", [self._width(input_shape) + self.output_size, 4 * n], initializer=start)
        self._bias = self.add_variable("bias", [4 * n], initializer=Zeros())
        if self._peepholes:
            self._w_f, self._w_i, self._w_o = (self.add_variable(f"w_{gate}_diag", [n], initializer=start) for gate in "fio")
        if self._num_proj:
            self._projection = self.add_variable("projection/kernel", [n, self._num_proj], initializer=start)

    def call(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        c, h = self._parts(state)
        i, j, f, o = split(self._affine([inputs, h], self._kernel, self._bias), num_or_size_splits=4, axis=1)
        forget, write = f + self._forget_bias, i
        if self._peepholes:
            forget, write = forget + self._w_f * c, i + self._w_i * c
        c = sigmoid(forget) * c + sigmoid(write) * self._activation(j)
        if self._cell_clip is not None:
            c = clip_by_value(c, -self._cell_clip, self._cell_clip)
        h = sigmoid(o + self._w_o * c if self._peepholes else o) * self._activation(c)
        if self._num_proj:
            h = matmul(h, self._projection)
            if self._proj_clip is not None:
                h = clip_by_value(h, -self._proj_clip, self._proj_clip)
        return h, self._joined(c, h)


class LayerNormBasicLSTMCell(_LSTM):
    """tf.contrib.rnn's LSTM whose i, j, f, o and c' are each normalised over the units, scaled by gamma and moved by beta.

    Without a bias; `dropout_keep_prob` is for activation(j) alone.  Variables kernel, then gamma and beta in input, transform,
    forget, output and state."""

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        input_size: Any = None,
        activation: Any = None,
        layer_norm: bool = True,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
        dropout_keep_prob: Any = 1.0,
        dropout_prob_seed: int | None = None,
        reuse: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, kwargs.pop("name", None), kwargs.pop("dtype", None), **kwargs)
        self._forget_bias, self._layer_norm, self._norm = forget_bias, layer_norm, (norm_gain, norm_shift)
        self._keep_prob, self._seed = dropout_keep_prob, dropout_prob_seed

    def _normal(self, x: Tensor, scope: str) -> Tensor:
        with variable_scope(scope):
            gamma, beta = (
                get_variable(name, [self._num_units], x.dtype, Constant(start))
                for name, start in zip(("gamma", "beta"), self._norm, strict=True)
            )
            centred = x - reduce_mean(x, 1, keepdims=True)
            return centred * rsqrt(reduce_mean(centred * centred, 1, keepdims=True) + 1e-12) * gamma + beta

    def call(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        c, h = self._parts(state)
        joined = concat([inputs, h], 1)
        n = 4 * self._num_units
        gates = matmul(joined, get_variable("kernel", [self._width(joined.shape), n], inputs.dtype))
        if not self._layer_norm:
            gates = bias_add(gates, get_variable("bias", [n], inputs.dtype, Zeros()))
        i, j, f, o = split(gates, num_or_size_splits=4, axis=1)
        if self._layer_norm:
            i, j, f, o = (self._normal(x, s) for x, s in ((i, "input"), (j, "transform"), (f, "forget"), (o, "output")))
        g = self._activation(j)
        if is_tensor(self._keep_prob) or self._keep_prob < 1:
            g = dropout(g, self._keep_prob, seed=self._seed)
        c = c * sigmoid(f + self._forget_bias) + sigmoid(i) * g
        if self._layer_norm:
            c = self._normal(c, "state")
        h = self._activation(c) * sigmoid(o)
        return h, LSTMStateTuple(c, h)
