"""`tf.contrib.layers`' convolutions and poolings, over those of tf.layers.

Law of this file: as `layers.py` says; padding is SAME for convolutions and VALID for poolings unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any

from ..graph import Tensor, convert
from ..layers import convolution as windows
from ..layers import pooling
from ..ops import activations
from ..ops.initializers import Zeros
from .framework import add_arg_scope
from .parts import finished, layer_scope, with_weights

CONVOLUTIONS = {1: windows.Conv1D, 2: windows.Conv2D, 3: windows.Conv3D}


def _placed(data_format: str | None) -> str:
    return "channels_first" if (data_format or "").startswith("NC") else "channels_last"


@add_arg_scope
def convolution(
    inputs: Any,
    num_outputs: int,
    kernel_size: Any,
    stride: Any = 1,
    padding: str = "SAME",
    data_format: str | None = None,
    rate: Any = 1,
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
    conv_dims: int | None = None,
) -> Tensor:
    """activation_fn(the convolution of the inputs with SCOPE/weights + SCOPE/biases): images [batch, height, width, in], or with one
    or three such axes, to as many with `num_outputs` channels."""
    dims = conv_dims or len(convert(inputs).shape) - 2
    if dims not in CONVOLUTIONS:
        raise ValueError(f"Convolution not supported for input with rank {dims + 2}")
    kind = partial(CONVOLUTIONS[dims], num_outputs, kernel_size, stride, padding, _placed(data_format), rate)
    return with_weights(
        kind,
        "Conv",
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


def _of(dims: int) -> Callable[..., Tensor]:
    def function(*args: Any, **kwargs: Any) -> Tensor:
        return convolution(*args, conv_dims=dims, **kwargs)

    function.__name__ = function.__qualname__ = f"conv{dims}d"
    function.__doc__ = f"`convolution` along {dims} ax{'i' if dims == 1 else 'e'}s."
    form = signature(convolution)
    function.__signature__ = form.replace(parameters=list(form.parameters.values())[:-1])  # type: ignore[attr-defined]
    return add_arg_scope(function)


conv1d, conv2d, conv3d = _of(1), _of(2), _of(3)
convolution2d = conv2d


@add_arg_scope
def conv2d_transpose(
    inputs: Any,
    num_outputs: int,
    kernel_size: Any,
    stride: Any = 1,
    padding: str = "SAME",
    data_format: str | None = None,
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
    """activation_fn(the transposed convolution of the inputs with SCOPE/weights + SCOPE/biases): images to larger ones."""
    return with_weights(
        partial(windows.Conv2DTranspose, num_outputs, kernel_size, stride, padding, _placed(data_format)),
        "Conv2d_transpose",
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


convolution2d_transpose = conv2d_transpose


def _pool2d(layer: Callable[..., Any], default: str, what: str) -> Callable[..., Tensor]:
    def function(
        inputs: Any,
        kernel_size: Any,
        stride: Any = 2,
        padding: str = "VALID",
        data_format: str | None = None,
        outputs_collections: Any = None,
        scope: Any = None,
    ) -> Tensor:
        with layer_scope(default, scope, inputs, None) as own:
            outputs = layer(kernel_size, stride, padding, _placed(data_format), name=own.name, _scope=own)(inputs)
            return finished(outputs, None, None, None, outputs_collections)

    function.__name__ = function.__qualname__ = what + "_pool2d"
    function.__doc__ = f"The {'greatest element' if what == 'max' else 'mean'} of each window: [batch, height, width, channels]."
    return add_arg_scope(function)


max_pool2d, avg_pool2d = _pool2d(pooling.MaxPooling2D, "MaxPool2D", "max"), _pool2d(pooling.AveragePooling2D, "AvgPool2D", "avg")
