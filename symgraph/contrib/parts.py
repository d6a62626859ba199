"""What the functions of tf.contrib.layers share: initializers, scopes, collections, weights with what comes after them.

Law of this file: a layer's variables are called 'weights' and 'biases' and join the collection 'model_variables'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import Any

from ..dtypes import float32
from ..graph import Tensor, get_default_graph
from ..layers.base import Layer
from ..ops.initializers import fans
from ..ops.random import random_uniform, truncated_normal
from ..scopes import GraphKeys, VariableScope, add_to_collections, variable_scope

RENAMED = MappingProxyType(
    {
        "kernel": "weights",
        "bias": "biases",
        "depthwise_kernel": "depthwise_weights",
        "pointwise_kernel": "pointwise_weights",
    }
)


# ---------------------------------------------------------------- initializers
@dataclass(frozen=True)
class _Scaling:
    """Variance factor / n: uniform within sqrt(3 factor / n), or truncated normal with sqrt(1.3 factor / n) before truncation."""

    factor: float
    mode: str
    uniform: bool
    seed: int | None
    dtype: Any

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        fan_in, fan_out = fans(shape)
        n = {"FAN_IN": fan_in, "FAN_OUT": fan_out, "FAN_AVG": (fan_in + fan_out) / 2}[self.mode]
        if self.uniform:
            limit = sqrt(3.0 * self.factor / n)
            return random_uniform(shape, -limit, limit, dtype or self.dtype, self.seed)
        return truncated_normal(shape, 0.0, sqrt(1.3 * self.factor / n), dtype or self.dtype, self.seed)


def variance_scaling_initializer(
    factor: float = 2.0, mode: str = "FAN_IN", uniform: bool = False, seed: int | None = None, dtype: Any = float32
) -> _Scaling:
    """He's initializer by default: variance factor / n, with n the fan in ('FAN_IN'), out ('FAN_OUT') or their mean ('FAN_AVG')."""
    if mode not in ("FAN_IN", "FAN_OUT", "FAN_AVG"):
        raise TypeError(f"Unknown mode {mode} [FAN_IN, FAN_OUT, FAN_AVG]")
    return _Scaling(factor, mode, uniform, seed, dtype)


def xavier_initializer(uniform: bool = True, seed: int | None = None, dtype: Any = float32) -> _Scaling:
    """Glorot's initializer: variance 2 / (fan in + fan out)."""
    return variance_scaling_initializer(1.0, "FAN_AVG", uniform, seed, dtype)


# ---------------------------------------------------------------- layers
@contextmanager
def layer_scope(default: str, scope: Any, inputs: Any, reuse: Any) -> Iterator[VariableScope]:
    with variable_scope(scope, default, [inputs], reuse=reuse) as own:
        yield own


def collected(layer: Layer, variables_collections: Any) -> None:
    """The layer's variables join 'model_variables', and what was asked for: a list, or one for each kind of variable."""
    have = set(get_default_graph().get_collection(GraphKeys.MODEL_VARIABLES))
    for v in [v for v in layer.variables if v not in have]:
        v.graph.add_to_collection(GraphKeys.MODEL_VARIABLES, v)
        kind = v.op.name.rsplit("/", 1)[-1]
        keys = variables_collections.get(kind) if isinstance(variables_collections, Mapping) else variables_collections
        if keys:
            add_to_collections(keys, v)


def finished(outputs: Tensor, normalizer_fn: Any, normalizer_params: Any, activation_fn: Any, outputs_collections: Any) -> Tensor:
    if normalizer_fn is not None:
        outputs = normalizer_fn(outputs, **(normalizer_params or {}))
    if activation_fn is not None:
        outputs = activation_fn(outputs)
    if outputs_collections:
        add_to_collections(outputs_collections, outputs)
    return outputs


def with_weights(
    layer_of: Callable[..., Layer],
    default: str,
    inputs: Any,
    activation_fn: Any,
    normalizer_fn: Any,
    normalizer_params: Any,
    weights_initializer: Any,
    weights_regularizer: Any,
    biases_initializer: Any,
    biases_regularizer: Any,
    reuse: Any,
    variables_collections: Any,
    outputs_collections: Any,
    trainable: bool,
    scope: Any,
) -> Tensor:
    """A layer of weights and, without a normaliser, biases; then the normaliser, then the activation.

    `layer_of(**what layers take)` makes it."""
    with layer_scope(default, scope, inputs, reuse) as own:
        start = weights_initializer or xavier_initializer()
        layer = layer_of(
            use_bias=normalizer_fn is None and biases_initializer is not None,
            kernel_initializer=start,
            bias_initializer=biases_initializer,
            kernel_regularizer=weights_regularizer,
            bias_regularizer=biases_regularizer,
            trainable=trainable,
            name=own.name,
            _scope=own,
            _reuse=reuse,
        )
        layer.variable_names = RENAMED
        outputs = layer(inputs)
        collected(layer, variables_collections)
        return finished(outputs, normalizer_fn, normalizer_params, activation_fn, outputs_collections)
