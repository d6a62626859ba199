"""Batch normalisation with moving averages.

Law of this file: in training a batch is normalised by its own mean and (biased) variance, and two operations join
UPDATE_OPS that move the averages towards them; otherwise the averages are used.  Images (rank 4, channels first or last) are
TF1's fused kind, whose moving variance is of the unbiased variance n / (n - 1) of the batch.

Source: Ioffe and Szegedy (2015); the momentum is the share of the old average, as in TF1.
"""

from __future__ import annotations

from typing import Any

from ..graph import Tensor, convert, get_default_graph
from ..ops.array import reshape, size
from ..ops.core import counted_as, is_tensor
from ..ops.initializers import Ones, Zeros
from ..ops.math import cast, where
from ..ops.normalization import batch_normalization as normalized
from ..ops.normalization import moments
from ..ops.state import Variable, assign_sub
from ..shapes import TensorShape
from ..statics import constant_value
from .base import Layer, functional, no_constraint


def settled(training: Any) -> Any:
    """A `training` argument: True or False where that is known now, else a bool tensor."""
    if not is_tensor(training):
        return bool(training)
    t = convert(training)
    if not t.dtype.is_bool or t.extents not in ((), None):
        raise TypeError(f"training must be a bool or a scalar bool tensor, not {t}")
    known = constant_value(t)
    return t if known is None else bool(known)


class BatchNormalization(Layer):
    """(inputs - mean) / sqrt(variance + epsilon) * gamma + beta along `axis`, the mean and variance taken over the other axes.

    Variables NAME/gamma, beta, moving_mean, moving_variance [channels], the last two not trainable.  `training` is a bool or a
    bool tensor.  The averages move only when the operations in UPDATE_OPS run."""

    least_rank = 2
    fused_ranks: tuple[int, ...] = (4,)

    def __init__(
        self,
        axis: Any = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = Zeros,
        gamma_initializer: Any = Ones,
        moving_mean_initializer: Any = Zeros,
        moving_variance_initializer: Any = Ones,
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        trainable: bool = True,
        name: str | None = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        fused: bool | None = None,
        virtual_batch_size: int | None = None,
        adjustment: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable, name, **kwargs)
        no_constraint("beta_constraint", beta_constraint)
        no_constraint("gamma_constraint", gamma_constraint)
        for parameter, value in (("renorm", renorm), ("virtual_batch_size", virtual_batch_size), ("adjustment", adjustment)):
            if value:
                raise NotImplementedError(
                    f"tf.layers.batch_normalization takes no {parameter} here: leave it out for plain batch normalisation"
                )
        self.axis, self.momentum, self.epsilon, self.fused = axis, momentum, epsilon, fused
        self._gamma = (gamma_initializer, gamma_regularizer) if scale else None
        self._beta = (beta_initializer, beta_regularizer) if center else None
        self._moving = moving_mean_initializer, moving_variance_initializer

    def build(self, input_shape: TensorShape) -> None:
        sizes = input_shape.as_list()
        axes = list(self.axis) if isinstance(self.axis, list | tuple) else [self.axis]
        if len(axes) != 1 or not -len(sizes) <= axes[0] < len(sizes):
            raise ValueError(f"Invalid axis: {self.axis}\nbatch_normalization takes one axis of {len(sizes)}")
        self.axis = axes[0] % len(sizes)
        if sizes[self.axis] is None:
            raise ValueError(f"Input has undefined `axis` dimension. Input shape: {input_shape}")
        image = len(sizes) in self.fused_ranks and self.axis in (1, 3)
        if self.fused and not image:
            raise ValueError("Batch normalization layers with fused=True only support 4D input tensors with channels first or last.")
        self.fused = image if self.fused is None else self.fused
        shape = [sizes[self.axis]]
        self.gamma = None if self._gamma is None else self.add_variable("gamma", shape, None, *self._gamma)
        self.beta = None if self._beta is None else self.add_variable("beta", shape, None, *self._beta)
        mean, variance = self._moving
        self.moving_mean = self.add_variable("moving_mean", shape, initializer=mean, trainable=False)
        self.moving_variance = self.add_variable("moving_variance", shape, initializer=variance, trainable=False)

    def call(self, inputs: Tensor, training: Any = False) -> Tensor:
        how = settled(training)
        graph = get_default_graph()
        if not self.fused:
            return self._plain(inputs, how)
        hidden = (self.gamma is None) + (self.beta is None)  # constants that stand in for them
        with counted_as(graph, hidden + (1 if how is False else 12 if how is True else 36)):
            return self._plain(inputs, how)

    def _plain(self, x: Tensor, training: Any) -> Tensor:
        averages = self.moving_mean, self.moving_variance
        gamma, beta = self._across(x, self.gamma), self._across(x, self.beta)
        if training is False:
            mean, variance = (v.value() for v in averages)
        else:
            batch = moments(x, [a for a in range(len(x.shape)) if a != self.axis])
            towards = batch if not self.fused else (batch[0], _unbiased(x, *batch))
            mean, variance = (_choose(training, b, v) for b, v in zip(batch, averages, strict=True))
            for v, value in zip(averages, towards, strict=True):
                self.add_update(self._moved(v, value, training))
        return normalized(x, self._across(x, mean), self._across(x, variance), beta, gamma, self.epsilon)

    def _across(self, x: Tensor, v: Any) -> Any:
        """A value per channel, where it stands beside x."""
        behind = len(x.shape) - 1 - self.axis
        return v if v is None or not behind else reshape(v, [-1, *[1] * behind])

    def _moved(self, v: Variable, value: Tensor, training: Any) -> Tensor:
        graph = get_default_graph()
        with counted_as(graph, 4 if training is True else 13), graph.name_scope("AssignMovingAvg") as scope:
            step = (v - _choose(training, value, v)) * (1 - self.momentum)
            return assign_sub(v, step, name=scope)


def _choose(training: Any, batch: Tensor, average: Variable) -> Tensor:
    if training is True:
        return batch
    with counted_as(batch.graph, 7):
        return where(training, batch, average, name="cond/Merge")


def _unbiased(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    count = cast(size(x), x.dtype) / cast(size(mean), x.dtype)
    return variance * (count / (count - 1))


batch_normalization = functional(BatchNormalization, "training")
