"""Convolutions: TF1's functions of images and filters.

Law of this file: a convolution, its transpose and what its filter learns by are one node kind in three roles
(`build.conv`), whatever strides, dilation and padding; layouts with channels first are transposes around it.  SAME gives
ceil(extent / stride) windows and pads (n - 1) stride + size - extent in all, the smaller half before; VALID pads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from .. import build
from ..codegen.ir import Window
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import Extent, ShapeError, brackets, compatible, normal, product
from ..statics import static_shape
from .array import expand_dims, shape_tensor, squeeze
from .core import FLOATS, need, pair, recording

Ints = tuple[int, ...]
Padding = str | tuple[tuple[int, int], ...]
LAYOUTS = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}


# ---------------------------------------------------------------- windows
def laid(
    extents: Sequence[Extent], sizes: Sequence[Extent], strides: Ints, dilations: Ints, padding: Padding
) -> tuple[list[Window], list[Extent]]:
    """The windows along each spatial axis, and how many of them there are; ShapeError where not one fits."""
    windows, counts = [], []
    for axis, (e, size, stride, dilation) in enumerate(zip(extents, sizes, strides, dilations, strict=True)):
        reach = (size - 1) * dilation + 1
        if padding == "SAME":
            count = normal(sp.floor(sp.sympify(e + stride - 1) / stride))
            total = (count - 1) * stride + reach - e
            total = normal(total) if isinstance(total, int) or sp.sympify(total).is_number else total
            total = max(total, 0) if isinstance(total, int) else total if total.is_nonnegative else sp.Max(total, 0)
            before = normal(sp.floor(sp.sympify(total) / 2))
        else:
            first, last = (0, 0) if isinstance(padding, str) else padding[axis]
            before, room = first, e + first + last - reach  # type: ignore[operator]
            if isinstance(room, int) and room < 0 and not (isinstance(e, int) and e == 0 and room == -reach):
                raise ShapeError(f"Negative dimension size caused by subtracting {reach} from {e}\na window is larger than the image")
            count = max(0, room // stride + 1) if isinstance(room, int) else normal(sp.floor(room / stride) + 1)
        windows.append(Window(size, stride, dilation, before))  # type: ignore[arg-type]
        counts.append(count)
    return windows, counts


def channels_last(x: Node, layout: str) -> Node:
    """Images with their channels on the last axis."""
    return build.permute(x, [0, *range(2, x.rank), 1]) if layout.startswith("NC") else x


def as_given(y: Node, layout: str) -> Node:
    """Back to the layout of the images."""
    return build.permute(y, [0, y.rank - 1, *range(1, y.rank - 1)]) if layout.startswith("NC") else y


def convolved(x: Node, w: Node, strides: Ints, dilations: Ints, padding: Padding, layout: str, depthwise: bool = False) -> Node:
    """The convolution of images of any layout with a filter [size..., in, out]; depthwise: [size..., in, multiplier]."""
    images = channels_last(_ranked(x, w), layout)
    windows, counts = laid(images.shape[1:-1], w.shape[:-2], strides, dilations, padding)
    columns = product(w.shape[-2:]) if depthwise else w.shape[-1]
    y = build.conv("y", (images, w), windows, depthwise, (images.shape[0], *counts, columns))
    return as_given(y, layout)


def _ranked(x: Node, w: Node) -> Node:
    if w.rank < 3 or x.rank != w.rank:
        raise ShapeError(
            f"Shape must be rank {max(w.rank, 3)} but is rank {x.rank}\nimages {brackets(x.shape)}, filter {brackets(w.shape)}"
        )
    return x


# ---------------------------------------------------------------- arguments
def numbers(value: Any, n: int, layout: str, what: str, free: bool = False) -> Ints:
    """One number for each spatial axis of `layout`, from a number, one for each spatial axis, or one for every axis."""
    given = [int(v) for v in value] if hasattr(value, "__iter__") else [int(value)] * n
    if len(given) == 1:
        given = given * n
    if len(given) == n + 2:
        channel = layout.index("C")
        if given[0] != 1 or given[channel] != 1:
            raise NotImplementedError(f"Current implementation does not yet support {what} in the batch and depth dimensions: {given}")
        given = [v for axis, v in enumerate(given) if axis not in (0, channel)]
    if len(given) != n:
        raise ValueError(f"{what} should be of length 1, {n} or {n + 2} but was {len(given)}")
    if any(v < 1 for v in given):
        raise ValueError(f"{what} must be positive, not {given}")
    return tuple(given)


def layout_of(data_format: str | None, n: int, given: str = "") -> str:
    """The name of a layout of n spatial axes."""
    found = data_format or LAYOUTS[n][0]
    if found not in LAYOUTS[n]:
        raise ValueError(f"data_format must be one of {', '.join(LAYOUTS[n])}, not {data_format!r}")
    return found


def padding_of(padding: Any, layout: str) -> Padding:
    """'SAME', 'VALID', or how much before and after along each spatial axis from a list of pairs for every axis."""
    if isinstance(padding, str):
        if padding not in ("SAME", "VALID"):
            raise ValueError(f'Value for attr \'padding\' of "{padding}" is not in the list of allowed values: "SAME", "VALID"')
        return padding
    pairs = [tuple(int(v) for v in p) for p in padding]
    channel = layout.index("C")
    if len(pairs) != len(layout) or any(len(p) != 2 or min(p) < 0 for p in pairs) or pairs[0] != (0, 0) or pairs[channel] != (0, 0):
        raise ValueError(f"explicit padding is [before, after] for each axis, with nothing around batch and channels, not {padding!r}")
    return tuple(p for axis, p in enumerate(pairs) if axis not in (0, channel))  # type: ignore[misc]


def _one(name: str, new: Any, other: str, old: Any) -> Any:
    """The argument under its newer or its older name."""
    if (new is None) == (old is None):
        raise ValueError(f"give one of {name} and {other}")
    return old if new is None else new


# ---------------------------------------------------------------- convolutions
@builder("Conv2D")
def _conv2d(x: Node, w: Node, strides: Ints, dilations: Ints, padding: Padding, layout: str) -> Node:
    return convolved(x, w, strides, dilations, padding, layout)


@builder("Conv3D")
def _conv3d(x: Node, w: Node, strides: Ints, dilations: Ints, padding: Padding, layout: str) -> Node:
    return convolved(x, w, strides, dilations, padding, layout)


@builder("DepthwiseConv2dNative")
def _depthwise(x: Node, w: Node, strides: Ints, dilations: Ints, padding: Padding, layout: str) -> Node:
    return convolved(x, w, strides, dilations, padding, layout, True)


def _record(
    kind: str, n: int, name: str, x: Any, w: Any, strides: Any, padding: Any, data_format: str | None, dilations: Any, count: int = 1
) -> Tensor:
    with recording(kind, name, input=x, filter=w) as (graph, scope):
        layout = layout_of(data_format, n)
        images, filters = pair(x, w, kind, graph, ("input", "filter"))
        need(images, *FLOATS, parameter="input")
        attrs = {
            "strides": numbers(strides, n, layout, "strides"),
            "dilations": numbers(dilations, n, layout, "dilations"),
            "padding": padding_of(padding, layout),
            "layout": layout,
        }
        return graph.add(kind, (images, filters), attrs, scope, count).outputs[0]


def conv2d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """Images [batch, height, width, in] with a filter [height, width, in, out] to [batch, rows, columns, out], float32 or float64.

    `padding` is 'SAME', 'VALID' or a pair for every axis; `data_format` 'NCHW' has channels on axis 1."""
    return _record(
        "Conv2D", 2, name or "Conv2D", input, _one("filter", filter, "filters", filters), strides or 1, padding, data_format, dilations
    )


def conv1d(
    value: Any = None,
    filters: Any = None,
    stride: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool | None = None,
    data_format: str | None = None,
    name: str | None = None,
    input: Any = None,
    dilations: Any = None,
) -> Tensor:
    """Lines [batch, width, in] with a filter [width, in, out] to [batch, columns, out]; 'NCW' (or 'NCHW') has channels on axis 1."""
    x = _one("value", value, "input", input)
    with recording("Conv2D", name or "conv1d", value=x, filters=filters) as (_, scope):
        first = data_format in ("NCW", "NCHW")
        if not first and data_format not in (None, "NWC", "NHWC"):
            raise ValueError("data_format must be `NWC` or `NCW`.")
        wide = expand_dims(x, 2 if first else 1)
        (step,) = numbers(1 if stride is None else stride, 1, "NCW" if first else "NWC", "stride")
        (apart,) = numbers(1 if dilations is None else dilations, 1, "NCW" if first else "NWC", "dilations")
        y = conv2d(
            wide, expand_dims(filters, 0), (1, step), padding, data_format="NCHW" if first else "NHWC", dilations=(1, apart), name=scope
        )
        return squeeze(y, [2 if first else 1])


def conv3d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None, data_format: str | None = "NDHWC",
    dilations: Any = (1, 1, 1, 1, 1), name: str | None = None, filters: Any = None
) -> Tensor:  # fmt: skip
    """Volumes [batch, depth, height, width, in] with a filter [depth, height, width, in, out], as `conv2d`."""
    return _record(
        "Conv3D", 3, name or "Conv3D", input, _one("filter", filter, "filters", filters), strides or 1, padding, data_format, dilations
    )


def depthwise_conv2d_native(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """A filter of its own for each channel: [height, width, in, multiplier]; result channel c * multiplier + q is that of channel c."""
    return _record("DepthwiseConv2dNative", 2, name or "DepthwiseConv2dNative", input, filter, strides, padding, data_format, dilations)


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """`depthwise_conv2d_native`, with `rate` or `dilations` the distance between the cells of a window."""
    apart = dilations if rate is None else rate
    more = 2 if apart is None or all(int(v) == 1 for v in _listed(apart)) else 12
    return _record("DepthwiseConv2dNative", 2, name or "depthwise", input, filter, strides, padding, data_format, apart or 1, 1 + more)


def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """A depthwise convolution, and a 1 x 1 convolution of its result: filters [h, w, in, multiplier] and [1, 1, in * multiplier, out]."""
    with recording("Conv2D", name or "separable_conv2d", input=input, filter=pointwise_filter) as (graph, scope):
        depthwise = convert(depthwise_filter, name="depthwise_filter", graph=graph)
        pointwise = convert(pointwise_filter, name="pointwise_filter", graph=graph)
        if pointwise.extents is not None and (len(pointwise.extents) != 4 or not all(compatible(1, d) for d in pointwise.extents[:2])):
            raise ValueError(f"the pointwise filter is [1, 1, channels, out], not {brackets(pointwise.extents)}")
        between = depthwise_conv2d(input, depthwise, strides, padding, rate, "depthwise", data_format, dilations)
        return conv2d(between, pointwise, 1, "VALID", data_format=data_format, name=scope)


def _listed(value: Any) -> list[Any]:
    return list(value) if hasattr(value, "__iter__") else [value]


def convolution(
    input: Any,
    filter: Any = None,
    padding: Any = "VALID",
    strides: Any = None,
    dilation_rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """A convolution with one, two or three spatial axes, by the rank of the filter [size..., in, out]."""
    w = _one("filter", filter, "filters", filters)
    with recording("Convolution", name or "convolution", input=input, filter=w) as (graph, scope):
        kernel = convert(w, name="filter", graph=graph)
        if kernel.extents is None:
            raise ValueError("the rank of the filter must be known")
        n = len(kernel.extents) - 2
        apart = dilations if dilation_rate is None else dilation_rate
        if n == 1:
            first = (data_format or "").startswith("NC")
            return conv1d(input, kernel, strides, padding, data_format="NCW" if first else "NWC", name=scope, dilations=apart)
        if n not in (2, 3):
            raise ValueError(f"convolution takes filters with 1, 2 or 3 spatial axes, not {n}")
        more = 12 if any(int(v) != 1 for v in _listed(apart or 1)) else 0
        kind = "Conv2D" if n == 2 else "Conv3D"
        return _record(kind, n, scope, input, kernel, strides or 1, padding, data_format, apart or 1, 1 + more)


def atrous_conv2d(value: Any, filters: Any, rate: int, padding: str, name: str | None = None) -> Tensor:
    """`conv2d` with `rate` from cell to cell of a window."""
    return convolution(value, filters, padding, dilation_rate=(int(rate), int(rate)), name=name)


# ---------------------------------------------------------------- transposes
@builder("Conv2DBackpropInput")
def _conv2d_input(shape: Node, w: Node, y: Node, strides: Ints, dilations: Ints, padding: Padding, layout: str) -> Node:
    return _transposed(shape, w, y, strides, dilations, padding, layout)


@builder("Conv3DBackpropInputV2")
def _conv3d_input(shape: Node, w: Node, y: Node, strides: Ints, dilations: Ints, padding: Padding, layout: str) -> Node:
    return _transposed(shape, w, y, strides, dilations, padding, layout)


def _transposed(shape: Node, w: Node, y: Node, strides: Ints, dilations: Ints, padding: Padding, layout: str) -> Node:
    given = static_shape(shape)
    if len(given) != w.rank:
        raise ShapeError(f"output_shape must have {w.rank} entries, not {len(given)}")
    images = channels_last(_ranked(y, w), layout)
    extents = [given[a] for a in (range(2, w.rank) if layout.startswith("NC") else range(1, w.rank - 1))]
    windows, counts = laid(extents, w.shape[:-2], strides, dilations, padding)
    for wanted, found in zip(counts, images.shape[1:-1], strict=True):
        if not compatible(wanted, found):
            raise ShapeError(f"output_shape {list(given)} has {counts} windows, but the input is {brackets(y.shape)}")
    if not compatible(given[layout.index("C")], w.shape[-2]):
        raise ShapeError(f"output_shape {list(given)} and the filter {brackets(w.shape)} differ in channels")
    batch = images.shape[0] if compatible(given[0], images.shape[0]) else given[0]
    return as_given(build.conv("x", (w, images), windows, False, (batch, *extents, w.shape[-2])), layout)


@builder("Conv2DBackpropFilter")
def _conv2d_filter(x: Node, shape: Node, y: Node, strides: Ints, dilations: Ints, padding: Padding, layout: str) -> Node:
    given = static_shape(shape)
    images, out = channels_last(x, layout), channels_last(y, layout)
    windows, _ = laid(images.shape[1:-1], given[:-2], strides, dilations, padding)
    return build.conv("w", (images, out), windows, False, given)


def _record_transpose(
    kind: str, n: int, name: str, y: Any, w: Any, shape: Any, strides: Any, padding: Any, data_format: str | None, dilations: Any
) -> Tensor:
    with recording(kind, name, value=y, filter=w) as (graph, scope):
        layout = layout_of(data_format, n)
        sizes = shape_tensor(shape, graph, "input_sizes")
        images, filters = pair(y, w, kind, graph, ("value", "filter"))
        need(images, *FLOATS, parameter="value")
        attrs = {
            "strides": numbers(strides, n, layout, "strides"),
            "dilations": numbers(dilations, n, layout, "dilations"),
            "padding": padding_of(padding, layout),
            "layout": layout,
        }
        return graph.add(kind, (sizes, filters, images), attrs, scope).outputs[0]


def conv2d_transpose(
    value: Any = None,
    filter: Any = None,
    output_shape: Any = None,
    strides: Any = None,
    padding: str = "SAME",
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """The transpose of `conv2d` with a filter [height, width, out, in]: [batch, rows, columns, in] to `output_shape`.

    That shape may be a tensor of constants and sizes; a convolution of it with these strides must give the input's shape."""
    x, w = _one("value", value, "input", input), _one("filter", filter, "filters", filters)
    return _record_transpose(
        "Conv2DBackpropInput", 2, name or "conv2d_transpose", x, w, output_shape, strides, padding, data_format, dilations or 1
    )


def conv3d_transpose(
    value: Any, filter: Any = None, output_shape: Any = None, strides: Any = None, padding: str = "SAME",
    data_format: str | None = "NDHWC", name: str | None = None, input: Any = None, filters: Any = None, dilations: Any = None
) -> Tensor:  # fmt: skip
    """The transpose of `conv3d` with a filter [depth, height, width, out, in]."""
    w = _one("filter", filter, "filters", filters)
    return _record_transpose(
        "Conv3DBackpropInputV2", 3, name or "conv3d_transpose", value, w, output_shape, strides, padding, data_format, dilations or 1
    )


def atrous_conv2d_transpose(value: Any, filters: Any, output_shape: Any, rate: int, padding: str, name: str | None = None) -> Tensor:
    """The transpose of `atrous_conv2d`."""
    name = name or "atrous_conv2d_transpose"
    return _record_transpose("Conv2DBackpropInput", 2, name, value, filters, output_shape, 1, padding, "NHWC", int(rate))


def conv2d_backprop_input(
    input_sizes: Any, filter: Any, out_backprop: Any, strides: Any, padding: Any, use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None
) -> Tensor:  # fmt: skip
    """The derivative of `conv2d` by its images of shape `input_sizes`, times `out_backprop`."""
    kind = "Conv2DBackpropInput"
    return _record_transpose(kind, 2, name or kind, out_backprop, filter, input_sizes, strides, padding, data_format, dilations)


def conv2d_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any, use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None
) -> Tensor:  # fmt: skip
    """The derivative of `conv2d` by its filter of shape `filter_sizes`, times `out_backprop`."""
    kind = "Conv2DBackpropFilter"
    with recording(kind, name or kind, input=input, out_backprop=out_backprop) as (graph, scope):
        layout = layout_of(data_format, 2)
        x, y = pair(input, out_backprop, kind, graph, ("input", "out_backprop"))
        need(x, *FLOATS, parameter="input")
        attrs = {
            "strides": numbers(strides, 2, layout, "strides"),
            "dilations": numbers(dilations, 2, layout, "dilations"),
            "padding": padding_of(padding, layout),
            "layout": layout,
        }
        return graph.add(kind, (x, shape_tensor(filter_sizes, graph, "filter_sizes"), y), attrs, scope).outputs[0]


__all__: Sequence[str] = (
    "atrous_conv2d",
    "atrous_conv2d_transpose",
    "conv1d",
    "conv2d",
    "conv2d_backprop_filter",
    "conv2d_backprop_input",
    "conv2d_transpose",
    "conv3d",
    "conv3d_transpose",
    "convolution",
    "depthwise_conv2d",
    "depthwise_conv2d_native",
    "separable_conv2d",
)
