"""Convolutional layers.

Law of this file: a layer is one function of `ops.convolution` with variables NAME/kernel and NAME/bias, named and counted as
TF1's; kernels start from Glorot's uniform, whose fans are those of a window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import Tensor
from ..ops.array import shape, stack
from ..ops.convolution import conv1d as _conv1d
from ..ops.convolution import conv2d as _conv2d
from ..ops.convolution import conv2d_transpose as _conv2d_transpose
from ..ops.convolution import conv3d as _conv3d
from ..ops.convolution import conv3d_transpose as _conv3d_transpose
from ..ops.convolution import separable_conv2d as _separable_conv2d
from ..ops.core import counted_as
from ..ops.dense import bias_add
from ..ops.initializers import Zeros
from ..shapes import TensorShape
from .base import Layer, functional, no_constraint

LAYOUTS = {"channels_last": ("NWC", "NHWC", "NDHWC"), "channels_first": ("NCW", "NCHW", "NCDHW")}
TRANSPOSED = 14
"""Operations that TF1's transposed layer makes of its input, kernel and their shapes."""


def layout_of(data_format: str, spatial: int) -> str:
    """TF's name of a layout with so many spatial axes."""
    if data_format not in LAYOUTS:
        raise ValueError(f"The `data_format` argument must be one of 'channels_first', 'channels_last'. Received: {data_format}")
    return LAYOUTS[data_format][spatial - 1]


def padding_of(padding: str) -> str:
    """'SAME' or 'VALID'."""
    if str(padding).lower() not in ("same", "valid"):
        raise ValueError(f"The `padding` argument must be one of 'valid', 'same'. Received: {padding}")
    return padding.upper()


def numbers(value: Any, n: int, what: str) -> tuple[int, ...]:
    """One whole number for each spatial axis."""
    found = tuple(int(v) for v in value) if hasattr(value, "__iter__") else (int(value),) * n
    if len(found) != n:
        raise ValueError(f"The `{what}` argument must be a tuple of {n} integers. Received: {value}")
    return found


class _Windows(Layer):
    """What convolutional layers share: the arguments, the kernel and the bias, and what comes after the convolution."""

    spatial = 2
    transposed = False

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
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
        self.filters, self.activation, self.use_bias = int(filters), activation, use_bias
        self.kernel_size = numbers(kernel_size, self.spatial, "kernel_size")
        self.strides = numbers(strides, self.spatial, "strides")
        self.dilation_rate = numbers(dilation_rate, self.spatial, "dilation_rate")
        self.padding, self.layout = padding_of(padding), layout_of(data_format, self.spatial)
        self._kernel = (kernel_initializer, kernel_regularizer)
        self._bias = (bias_initializer, bias_regularizer)

    @property
    def least_rank(self) -> int:  # type: ignore[override]
        return self.spatial + 2

    def channels(self, input_shape: TensorShape) -> int:
        """The channels of the images."""
        extents = input_shape.as_list()
        found = extents[self.layout.index("C")]
        if len(extents) != self.spatial + 2:
            raise ValueError(
                f"Input 0 of layer {self.name} is incompatible with the layer: expected ndim={self.spatial + 2}, found ndim={len(extents)}"
            )
        if found is None:
            raise ValueError("The channel dimension of the inputs should be defined. Found `None`.")
        return found

    def build(self, input_shape: TensorShape) -> None:
        ends = [self.channels(input_shape), self.filters]
        self.kernel = self.add_variable("kernel", [*self.kernel_size, *(ends[::-1] if self.transposed else ends)], None, *self._kernel)
        self.bias = self.add_variable("bias", [self.filters], None, *self._bias) if self.use_bias else None

    def call(self, inputs: Tensor) -> Tensor:
        outputs = self.windows(inputs)
        if self.bias is not None:
            outputs = bias_add(outputs, self.bias, data_format=self.layout)
        return outputs if self.activation is None else self.activation(outputs)

    def windows(self, inputs: Tensor) -> Tensor:
        """The convolution of the inputs."""
        raise NotImplementedError


class Conv1D(_Windows):
    """activation(conv1d(inputs, kernel) + bias): [batch, width, in] to [batch, columns, filters]; kernel [width, in, filters]."""

    spatial = 1

    def windows(self, inputs: Tensor) -> Tensor:
        return _conv1d(
            inputs, self.kernel, self.strides, self.padding, data_format=self.layout, dilations=self.dilation_rate, name="conv1d"
        )


class Conv2D(_Windows):
    """activation(conv2d(inputs, kernel) + bias): [batch, height, width, in] to [batch, rows, columns, filters].

    Variables NAME/kernel [height, width, in, filters], from Glorot's uniform by default, and NAME/bias, zeros."""

    def windows(self, inputs: Tensor) -> Tensor:
        return _conv2d(
            inputs, self.kernel, self.strides, self.padding, data_format=self.layout, dilations=self.dilation_rate, name="Conv2D"
        )


class Conv3D(_Windows):
    """activation(conv3d(inputs, kernel) + bias): [batch, depth, height, width, in] to one element for each window and filter."""

    spatial = 3

    def windows(self, inputs: Tensor) -> Tensor:
        return _conv3d(
            inputs, self.kernel, self.strides, self.padding, data_format=self.layout, dilations=self.dilation_rate, name="Conv3D"
        )


class _Transposed(_Windows):
    """The transpose of a convolution: images grow by the strides."""

    transposed = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
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
        starts = (kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer)
        ends = (kernel_constraint, bias_constraint, trainable, name)
        super().__init__(filters, kernel_size, strides, padding, data_format, 1, activation, use_bias, *starts, *ends, **kwargs)

    def windows(self, inputs: Tensor) -> Tensor:
        known, graph = inputs.shape.as_list(), inputs.graph
        with counted_as(graph, TRANSPOSED):
            sizes = shape(inputs) if None in known else None
            extents = [d if d is not None else sizes[a] for a, d in enumerate(known)]  # type: ignore[index]
            axes = [a for a in range(len(known)) if self.layout[a] not in "NC"]
            for a, size, step in zip(axes, self.kernel_size, self.strides, strict=True):
                extents[a] = extents[a] * step + (max(size - step, 0) if self.padding == "VALID" else 0)
            extents[self.layout.index("C")] = self.filters
            target = extents if all(isinstance(d, int) for d in extents) else stack(extents)
            transpose = _conv2d_transpose if self.spatial == 2 else _conv3d_transpose
            return transpose(inputs, self.kernel, target, self.strides, self.padding, self.layout)


class Conv2DTranspose(_Transposed):
    """activation(conv2d_transpose(inputs, kernel) + bias): [batch, height, width, in] to images `strides` times as large.

    Variables NAME/kernel [height, width, filters, in] and NAME/bias; 'valid' adds kernel_size - strides where that is more than 0."""


class Conv3DTranspose(_Transposed):
    """activation(conv3d_transpose(inputs, kernel) + bias), as `Conv2DTranspose`."""

    spatial = 3


class SeparableConv2D(_Windows):
    """activation(separable_conv2d(inputs) + bias): windows of each channel alone, then a product over channels.

    Variables NAME/depthwise_kernel [height, width, in, depth_multiplier], NAME/pointwise_kernel [1, 1, in * depth_multiplier, filters]
    and NAME/bias."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Callable[[Tensor], Tensor] | None = None,
        use_bias: bool = True,
        depthwise_initializer: Any = None,
        pointwise_initializer: Any = None,
        bias_initializer: Any = Zeros,
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, None, bias_initializer,
            None, bias_regularizer, activity_regularizer, None, bias_constraint, trainable, name, **kwargs
        )  # fmt: skip
        no_constraint("depthwise_constraint", depthwise_constraint)
        no_constraint("pointwise_constraint", pointwise_constraint)
        self.depth_multiplier = int(depth_multiplier)
        self._depthwise = (depthwise_initializer, depthwise_regularizer)
        self._pointwise = (pointwise_initializer, pointwise_regularizer)

    def build(self, input_shape: TensorShape) -> None:
        channels, ones = self.channels(input_shape), (1,) * self.spatial
        between = channels * self.depth_multiplier
        self.depthwise_kernel = self.add_variable(
            "depthwise_kernel", [*self.kernel_size, channels, self.depth_multiplier], None, *self._depthwise
        )
        self.pointwise_kernel = self.add_variable("pointwise_kernel", [*ones, between, self.filters], None, *self._pointwise)
        self.bias = self.add_variable("bias", [self.filters], None, *self._bias) if self.use_bias else None

    def windows(self, inputs: Tensor) -> Tensor:
        steps = self.strides if len(set(self.strides)) == 1 else (1, *self.strides, 1) if self.layout[-1] == "C" else (1, 1, *self.strides)
        kernels = self.depthwise_kernel, self.pointwise_kernel
        return _separable_conv2d(inputs, *kernels, steps, self.padding, self.dilation_rate, data_format=self.layout)


conv1d, conv2d, conv3d = functional(Conv1D), functional(Conv2D), functional(Conv3D)
conv2d_transpose, conv3d_transpose = functional(Conv2DTranspose), functional(Conv3DTranspose)
separable_conv2d = functional(SeparableConv2D)
