"""`tf.contrib.layers`: layers with their activation and normalisation, regularizers, initializers.

Law of this file: a layer is one of tf.layers under contrib's names: variables 'weights' and 'biases', scopes
'fully_connected', 'BatchNorm', relu unless told otherwise.  Its variables join the collection 'model_variables'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ..graph import Tensor, convert, get_default_graph
from ..layers.core import Dense, Dropout, Flatten
from ..layers.normalization import BatchNormalization
from ..ops import activations
from ..ops import dense as dense_ops
from ..ops.embedding import embedding_lookup
from ..ops.initializers import Ones, Zeros
from ..ops.masks import one_hot
from ..ops.math import _made, identity
from ..ops.normalization import batch_normalization, moments
from ..ops.reduce import reduce_sum
from ..ops.regularizers import apply_regularization, l1_l2_regularizer, l1_regularizer, l2_regularizer, sum_regularizer
from ..scopes import GraphKeys, add_to_collections, get_variable, variable_scope
from .framework import add_arg_scope
from .parts import collected, finished, layer_scope, variance_scaling_initializer, with_weights, xavier_initializer
from .windows import avg_pool2d, conv1d, conv2d, conv2d_transpose, conv3d, convolution, convolution2d, convolution2d_transpose, max_pool2d

xavier_initializer_conv2d = xavier_initializer

bias_add = add_arg_scope(dense_ops.bias_add)


# ---------------------------------------------------------------- layers
@add_arg_scope
def fully_connected(
    inputs: Any,
    num_outputs: int,
    activation_fn: Callable[[Tensor], Tensor] | None = activations.relu,
    normalizer_fn: Callable[..., Tensor] | None = None,
    normalizer_params: Mapping[str, Any] | None = None,
    weights_initializer: Any = None,
    weights_regularizer: Any = None,
    biases_initializer: Any = Zeros,
    biases_regularizer: Any = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    scope: Any = None,
) -> Tensor:
    """activation_fn(inputs @ weights + biases), by default relu: [..., in] to [..., num_outputs].

    Weights start with Glorot's initializer.  With a `normalizer_fn` there are no biases: it is applied before the activation."""
    return with_weights(
        partial(Dense, num_outputs),
        "fully_connected",
        inputs,
        activation_fn,
        normalizer_fn,
        normalizer_params,
        weights_initializer,
        weights_regularizer,
        biases_initializer,
        biases_regularizer,
        reuse,
        variables_collections,
        outputs_collections,
        trainable,
        scope,
    )


linear = partial(fully_connected, activation_fn=None)
relu = partial(fully_connected, activation_fn=activations.relu)
relu6 = partial(fully_connected, activation_fn=activations.relu6)


class _BatchNorm(BatchNormalization):
    """contrib's kind: rows, too, are fused, and the updates go where the call says."""

    fused_ranks = (2, 4)


@add_arg_scope
def batch_norm(
    inputs: Any,
    decay: float = 0.999,
    center: bool = True,
    scale: bool = False,
    epsilon: float = 0.001,
    activation_fn: Callable[[Tensor], Tensor] | None = None,
    param_initializers: Mapping[str, Any] | None = None,
    param_regularizers: Mapping[str, Any] | None = None,
    updates_collections: Any = GraphKeys.UPDATE_OPS,
    is_training: Any = True,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    batch_weights: Any = None,
    fused: bool | None = None,
    data_format: str = "NHWC",
    zero_debias_moving_mean: bool = False,
    scope: Any = None,
    renorm: bool = False,
    renorm_clipping: Any = None,
    renorm_decay: float = 0.99,
    adjustment: Any = None,
) -> Tensor:
    """Batch normalisation, without a factor gamma unless `scale`; variables SCOPE/BatchNorm/beta, moving_mean, moving_variance.

    With `updates_collections=None` the averages move whenever the output is computed in training."""
    for parameter, value in (("batch_weights", batch_weights), ("zero_debias_moving_mean", zero_debias_moving_mean)):
        if value is not None and value is not False:
            raise NotImplementedError(f"tf.contrib.layers.batch_norm takes no {parameter} here: leave it out for the plain kind")
    starts, penalties = dict(param_initializers or {}), dict(param_regularizers or {})
    with layer_scope("BatchNorm", scope, inputs, reuse) as own:
        layer = _BatchNorm(
            axis=1 if data_format == "NCHW" else -1,
            momentum=decay,
            epsilon=epsilon,
            center=center,
            scale=scale,
            **{f"{n}_initializer": v for n, v in starts.items()},
            **{f"{n}_regularizer": v for n, v in penalties.items()},
            trainable=trainable,
            renorm=renorm,
            adjustment=adjustment,
            fused=fused,
            name=own.name,
            _scope=own,
            _reuse=reuse,
        )
        layer.updates_collections = updates_collections
        outputs = layer(inputs, training=is_training)
        collected(layer, variables_collections)
        if updates_collections is None and layer.updates:
            with get_default_graph().control_dependencies(layer.updates):
                outputs = identity(outputs)
        return finished(outputs, None, None, activation_fn, outputs_collections)


@add_arg_scope
def layer_norm(
    inputs: Any,
    center: bool = True,
    scale: bool = True,
    activation_fn: Callable[[Tensor], Tensor] | None = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    begin_norm_axis: int = 1,
    begin_params_axis: int = -1,
    scope: Any = None,
) -> Tensor:
    """Each row normalised by its own mean and variance over the axes from `begin_norm_axis` on; variables gamma and beta have the
    shape of those from `begin_params_axis` on (Ba et al., 2016)."""
    with layer_scope("LayerNorm", scope, inputs, reuse):
        x = convert(inputs)
        rank = len(x.shape)
        first, params = begin_norm_axis % rank, begin_params_axis % rank
        shape = x.shape.as_list()[params:]
        if None in shape:
            raise ValueError(f"Inputs {x.name}: shape(inputs)[{params}:] is not fully defined: {x.shape}")
        made = {
            name: get_variable(name, shape, x.dtype, start, trainable=trainable) if wanted else None
            for name, wanted, start in (("beta", center, Zeros()), ("gamma", scale, Ones()))
        }
        for v in made.values():
            if v is not None:
                add_to_collections([GraphKeys.MODEL_VARIABLES, *(variables_collections or ())], v)
        mean, variance = moments(x, list(range(first, rank)), keep_dims=True)
        outputs = batch_normalization(x, mean, variance, made["beta"], made["gamma"], 1e-12)
        return finished(outputs, None, None, activation_fn, outputs_collections)


@add_arg_scope
def dropout(
    inputs: Any,
    keep_prob: Any = 0.5,
    noise_shape: Any = None,
    is_training: Any = True,
    outputs_collections: Any = None,
    scope: Any = None,
    seed: int | None = None,
) -> Tensor:
    """In training, each element is kept with probability `keep_prob` and divided by it, else 0; otherwise the inputs."""
    with layer_scope("Dropout", scope, inputs, None) as own:
        layer = Dropout(1 - keep_prob, noise_shape, seed, name=own.name, _scope=own)
        return finished(layer(inputs, training=is_training), None, None, None, outputs_collections)


@add_arg_scope
def flatten(inputs: Any, outputs_collections: Any = None, scope: Any = None) -> Tensor:
    """The same elements with all axes but the first as one."""
    with layer_scope("Flatten", scope, inputs, None) as own:
        return finished(Flatten(name=own.name, _scope=own)(inputs), None, None, None, outputs_collections)


@add_arg_scope
def one_hot_encoding(
    labels: Any, num_classes: int, on_value: float = 1.0, off_value: float = 0.0, outputs_collections: Any = None, scope: Any = None
) -> Tensor:
    """[..., num_classes] with `on_value` at each label."""
    with get_default_graph().name_scope(scope or "OneHotEncoding"):
        return finished(one_hot(labels, num_classes, on_value=on_value, off_value=off_value), None, None, None, outputs_collections)


@add_arg_scope
def unit_norm(inputs: Any, dim: int, epsilon: float = 1e-7, scope: Any = None) -> Tensor:
    """Divided by the length along `dim`."""
    with get_default_graph().name_scope(scope or "UnitNorm"):
        x = convert(inputs)
        return x / _made["sqrt"](epsilon + reduce_sum(_made["square"](x), dim, keepdims=True))


def embed_sequence(
    ids: Any,
    vocab_size: int | None = None,
    embed_dim: int | None = None,
    unique: bool = False,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    scope: Any = None,
    reuse: Any = None,
) -> Tensor:
    """The rows of a table SCOPE/EmbedSequence/embeddings [vocab_size, embed_dim] that `ids` [batch, time] number."""
    if not (reuse or vocab_size and embed_dim):
        raise ValueError("Must specify vocab size and embedding dimension when not reusing.")
    with layer_scope("EmbedSequence", scope, ids, reuse):
        shape = [vocab_size, embed_dim] if vocab_size and embed_dim else None
        table = get_variable("embeddings", shape, initializer=initializer, regularizer=regularizer, trainable=trainable)
        return embedding_lookup(table, ids)


# ---------------------------------------------------------------- several layers
def repeat(inputs: Any, repetitions: int, layer: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """The layer applied again and again; with scope 'fc' the layers are called fc/fc_1, fc/fc_2, ..."""
    scope = kwargs.pop("scope", None) or getattr(layer, "__name__", "repeat")
    with variable_scope(scope, "Repeat", [inputs]):
        for k in range(repetitions):
            inputs = layer(inputs, *args, scope=f"{scope}_{k + 1}", **kwargs)
        return inputs


def stack(inputs: Any, layer: Callable[..., Tensor], stack_args: Sequence[Any], **kwargs: Any) -> Tensor:
    """The layer applied with each of `stack_args` in turn: stack(x, fully_connected, [32, 64, 128], scope='fc')."""
    scope = kwargs.pop("scope", None) or getattr(layer, "__name__", "stack")
    with variable_scope(scope, "Stack", [inputs]):
        for k, args in enumerate(stack_args, 1):
            inputs = layer(inputs, *(args if isinstance(args, list | tuple) else [args]), scope=f"{scope}_{k}", **kwargs)
        return inputs


__all__ = (
    "apply_regularization",
    "avg_pool2d",
    "batch_norm",
    "bias_add",
    "conv1d",
    "conv2d",
    "conv2d_transpose",
    "conv3d",
    "convolution",
    "convolution2d",
    "convolution2d_transpose",
    "dropout",
    "embed_sequence",
    "flatten",
    "fully_connected",
    "l1_l2_regularizer",
    "l1_regularizer",
    "l2_regularizer",
    "layer_norm",
    "linear",
    "max_pool2d",
    "one_hot_encoding",
    "relu",
    "relu6",
    "repeat",
    "stack",
    "sum_regularizer",
    "unit_norm",
    "variance_scaling_initializer",
    "xavier_initializer",
    "xavier_initializer_conv2d",
)
