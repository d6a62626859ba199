"""Fully connected layers, dropout and flattening."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from ..graph import Tensor, get_default_graph
from ..ops.array import expand_dims, reshape, shape
from ..ops.core import counted_as
from ..ops.dense import bias_add, dropout
from ..ops.initializers import Zeros
from ..ops.linalg import matmul
from ..ops.math import identity, where
from ..shapes import TensorShape
from .base import Layer, functional, no_constraint
from .normalization import settled


class Dense(Layer):
    """activation(inputs @ kernel + bias): [..., in] of floats to [..., units].

    Variables NAME/kernel [in, units], from Glorot's uniform by default, and NAME/bias [units], zeros.  ValueError where the
    last dimension is not known."""

    least_rank = 2

    def __init__(
        self,
        units: int,
        activation: Callable[[Tensor], Tensor] | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = Zeros,
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable, name, activity_regularizer=activity_regularizer, **kwargs)
        no_constraint("kernel_constraint", kernel_constraint)
        no_constraint("bias_constraint", bias_constraint)
        self.units, self.activation, self.use_bias = int(units), activation, use_bias
        self._kernel = (kernel_initializer, kernel_regularizer)
        self._bias = (bias_initializer, bias_regularizer)

    def build(self, input_shape: TensorShape) -> None:
        width = input_shape.as_list()[-1]
        if width is None:
            raise ValueError("The last dimension of the inputs to `Dense` should be defined. Found `None`.")
        self.kernel = self.add_variable("kernel", [width, self.units], None, *self._kernel)
        self.bias = self.add_variable("bias", [self.units], None, *self._bias) if self.use_bias else None

    def call(self, inputs: Tensor) -> Tensor:
        if len(inputs.shape) == 2:
            outputs = matmul(inputs, self.kernel)
        else:
            known = None not in inputs.shape.as_list()
            outputs = (
                get_default_graph().add("LastAxisProduct", (inputs, self.kernel.value()), {}, "Tensordot", 5 if known else 21).outputs[0]
            )
        if self.bias is not None:
            outputs = bias_add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)


class Dropout(Layer):
    """In training, each element is 0 with probability `rate` and else multiplied by 1 / (1 - rate); otherwise the inputs.

    `training` is a bool or a bool tensor; `noise_shape` as in tf.nn.dropout."""

    def __init__(self, rate: Any = 0.5, noise_shape: Any = None, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed

    def call(self, inputs: Tensor, training: Any = False) -> Tensor:
        how, graph = settled(training), get_default_graph()
        if how is False:
            return identity(inputs)
        if how is True:
            return dropout(inputs, rate=self.rate, noise_shape=self.noise_shape, seed=self.seed)
        with graph.name_scope("cond") as scope:
            graph.counted += 5  # the switches of TF1's cond, then its other branch and the merge
            kept = dropout(inputs, rate=self.rate, noise_shape=self.noise_shape, seed=self.seed)
            with counted_as(graph, 3):
                return where(how, kept, inputs, name=f"{scope}Merge/")


class Flatten(Layer):
    """The same elements with all axes but the first as one: [batch, ...] to [batch, n]."""

    least_rank = 1

    def call(self, inputs: Tensor) -> Tensor:
        sizes = inputs.shape.as_list()
        if len(sizes) == 1:
            return expand_dims(inputs, -1)
        if None in sizes[1:]:
            return reshape(inputs, [shape(inputs)[0], -1])
        return reshape(inputs, [-1, prod(sizes[1:])])


dense, dropout_layer, flatten = functional(Dense), functional(Dropout, "training"), functional(Flatten)
