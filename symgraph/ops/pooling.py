"""Pooling, and what else looks at a neighbourhood.

Law of this file: a maximum picks the first of the greatest in each window, and its gradient goes there alone, as on TF's CPU;
an average is over the cells that exist, so it is a convolution with ones, by their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import build, scalar
from ..codegen import scalar as fn
from ..codegen.ir import Window
from ..dtypes import int64
from ..graph import Tensor, builder, convert
from ..node import Kind, Node
from ..shapes import Extent, ShapeError, product
from .array import expand_dims, squeeze
from .convolution import LAYOUTS, Ints, as_given, channels_last, laid, layout_of, numbers, padding_of
from .core import FLOATS, NUMBERS, need, recording

x0 = scalar.x(0)


# ---------------------------------------------------------------- pooling
def _ready(x: Node, size: Ints, strides: Ints, dilations: Ints, padding: str, layout: str) -> tuple[Node, list[Window], tuple[Extent, ...]]:
    """Images with channels last, the windows in them, and the shape of what has an element for each window."""
    if x.rank != len(layout):
        raise ShapeError(f"Shape must be rank {len(layout)} but is rank {x.rank}")
    images = channels_last(x, layout)
    windows, counts = laid(images.shape[1:-1], size, strides, dilations, padding)
    return images, windows, (images.shape[0], *counts, images.shape[-1])


def _max(x: Node, size: Ints, strides: Ints, dilations: Ints, padding: str, layout: str) -> Node:
    images, windows, shape = _ready(x, size, strides, dilations, padding, layout)
    return as_given(_greatest(images, windows, shape), layout)


def _greatest(x: Node, windows: list[Window], shape: tuple[Extent, ...]) -> Node:
    """The greatest of each window.  What keeps the order of a window's cells is left for after it, where less is to do, and so
    is its derivative: relu, whose ties at 0 have none, and a sum with what all cells have in common, as a bias.

    (Two cells that differ by less than such a sum rounds to are no tie here: the greater one has the derivative.)"""
    if x.kind is Kind.GENERIC and x.dtype.is_floating and x.attrs[3] is None and x.attrs[2] == x.shape:
        body, index = x.attrs[0], x.attrs[1]
        spatial = set(range(1, x.rank - 1))
        whole = [k for k, (o, ix) in enumerate(zip(x.operands, index, strict=True)) if o.shape == x.shape and ix == tuple(range(x.rank))]
        common = [k for k, ix in enumerate(index) if not spatial & set(ix)]
        if body == fn.relu(x0) and whole or body == x0 + scalar.x(1) and len(whole) == len(common) == 1:
            (k,) = whole
            if x.operands[k].dtype is x.dtype:
                greatest = _greatest(x.operands[k], windows, shape)
                operands = [greatest if j == k else o for j, o in enumerate(x.operands)]
                return build.generic(body, operands, index, shape, len(shape), None, x.dtype)
    return build.pool("pick", x, x, windows, shape)


def _average(x: Node, size: Ints, strides: Ints, dilations: Ints, padding: str, layout: str) -> Node:
    images, windows, shape = _ready(x, size, strides, dilations, padding, layout)
    ones = build.filled(1, (*size, images.shape[-1], 1), x.dtype)
    total = build.conv("y", (images, ones), windows, True, shape)
    count: Any = 1
    for axis, (w, e, n) in enumerate(zip(windows, images.shape[1:-1], shape[1:-1], strict=True), start=1):
        whole = padding == "VALID" or isinstance(e, int) and w.before == 0 and (n - 1) * w.stride + w.size <= e  # type: ignore[operator]
        first = scalar.i(axis) * w.stride - w.before
        count *= w.size if whole else fn.minimum(first + w.size, e) - fn.maximum(first, 0)
    own = tuple(range(total.rank))
    return as_given(build.generic(x0 / count, (total,), (own,), total.shape, total.rank, None, x.dtype), layout)


for _kind in ("MaxPool", "MaxPool3D"):
    builder(_kind)(_max)
for _kind in ("AvgPool", "AvgPool3D"):
    builder(_kind)(_average)


@builder("MaxPoolWithArgmax")
def _max_and_place(x: Node, size: Ints, strides: Ints, dilations: Ints, padding: str, layout: str) -> tuple[Node, Node]:
    """The maxima, and where they stand in the flat image."""
    images, windows, shape = _ready(x, size, strides, dilations, padding, layout)
    at: Any = 0
    for axis, d in enumerate(images.shape[1:], start=1):
        at = at * d + scalar.i(axis)
    places = build.generic(at, (), (), images.shape, images.rank, None, int64)
    return tuple(build.pool("pick", images, v, windows, shape) for v in (images, places))  # type: ignore[return-value]


def _record(
    kind: str, n: int, name: str, x: Any, size: Any, strides: Any, padding: Any, data_format: str | None, dilations: Any = 1, count: int = 1
) -> Any:
    with recording(kind, name, value=x) as (graph, scope):
        t = convert(x, name="input", graph=graph)
        need(t, *(FLOATS if kind.startswith("Avg") else NUMBERS), parameter="value")
        layout = layout_of(data_format, n)
        if not isinstance(padding, str):
            raise NotImplementedError(f"{kind} takes padding 'SAME' or 'VALID': pad the images with tf.pad")
        if kind == "MaxPoolWithArgmax" and t.extents is None:
            raise ValueError("max_pool_with_argmax takes images of a known rank: give the placeholder a shape")
        attrs = {
            "size": numbers(size, n, layout, "ksize"),
            "strides": numbers(strides, n, layout, "strides"),
            "dilations": numbers(dilations, n, layout, "dilations"),
            "padding": padding_of(padding, layout),
            "layout": layout,
        }
        outputs = graph.add(kind, (t,), attrs, scope, count).outputs
        return outputs[0] if len(outputs) == 1 else outputs


def _pooling(function: str, kind: str, n: int, default: str, what: str):
    def pooling(
        value: Any = None, ksize: Any = None, strides: Any = None, padding: str | None = None, data_format: str | None = LAYOUTS[n][0],
        name: str | None = None, input: Any = None
    ) -> Tensor:  # fmt: skip
        return _record(kind, n, name or default, input if value is None else value, ksize, strides, padding, data_format)

    pooling.__name__ = pooling.__qualname__ = function
    axes = ", ".join(["batch", "depth", "height", "width"][:1] + ["depth", "height", "width"][3 - n :] + ["channels"])
    pooling.__doc__ = f"{what} over windows of `ksize` cells: [{axes}] to one element for each window and channel."
    return pooling


max_pool = _pooling("max_pool", "MaxPool", 2, "MaxPool", "The maximum")
max_pool2d = _pooling("max_pool2d", "MaxPool", 2, "MaxPool2d", "The maximum")
max_pool3d = _pooling("max_pool3d", "MaxPool3D", 3, "MaxPool3D", "The maximum")
avg_pool = _pooling("avg_pool", "AvgPool", 2, "AvgPool", "The mean of the cells that exist,")
avg_pool2d = _pooling("avg_pool2d", "AvgPool", 2, "AvgPool", "The mean of the cells that exist,")
avg_pool3d = _pooling("avg_pool3d", "AvgPool3D", 3, "AvgPool3D", "The mean of the cells that exist,")


def _pooling_1d(function: str, default: str, pooled: Any, what: str):
    def pooling(input: Any, ksize: Any, strides: Any, padding: str, data_format: str | None = "NWC", name: str | None = None) -> Tensor:
        with recording(default, name or default, value=input) as (_, scope):
            layout = layout_of(data_format, 1)
            axis = 2 if layout.startswith("NC") else 1
            size, step = numbers(ksize, 1, layout, "ksize"), numbers(strides, 1, layout, "strides")
            y = pooled(expand_dims(input, axis), (1, *size), (1, *step), padding, "NCHW" if axis == 2 else "NHWC", name=scope)
            return squeeze(y, [axis])

    pooling.__name__ = pooling.__qualname__ = function
    pooling.__doc__ = f"{what} over windows of `ksize` cells: [batch, width, channels] to [batch, windows, channels]."
    return pooling


max_pool1d = _pooling_1d("max_pool1d", "MaxPool1d", max_pool, "The maximum")
avg_pool1d = _pooling_1d("avg_pool1d", "AvgPool1D", avg_pool, "The mean of the cells that exist,")


def pool(
    input: Any,
    window_shape: Any,
    pooling_type: str,
    padding: str,
    dilation_rate: Any = None,
    strides: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """'MAX' or 'AVG' pooling with as many spatial axes, 1 to 3, as `window_shape` has entries; dilation with VALID only, as in TF."""
    size = [int(v) for v in window_shape] if hasattr(window_shape, "__iter__") else [int(window_shape)]
    if pooling_type not in ("MAX", "AVG"):
        raise ValueError(f"pooling_type is 'MAX' or 'AVG', not {pooling_type!r}")
    if not 1 <= len(size) <= 3:
        raise ValueError(f"pool takes windows with 1, 2 or 3 axes, not {len(size)}")
    n, apart = len(size), dilations if dilation_rate is None else dilation_rate
    with recording("Pool", name or f"{pooling_type.lower()}_pool", input=input) as (graph, scope):
        apart = numbers(1 if apart is None else apart, n, LAYOUTS[n][0], "dilation_rate")
        if padding == "SAME" and max(apart) > 1:
            raise ValueError("pooling with 'SAME' padding is not implemented for `dilation_rate` > 1.")
        if n == 1:
            layout = layout_of(data_format, 1)
            axis = 2 if layout.startswith("NC") else 1
            wide = expand_dims(input, axis)
            step = numbers(1 if strides is None else strides, 1, layout, "strides")
            kind, layout = ("MaxPool" if pooling_type == "MAX" else "AvgPool"), "NCHW" if axis == 2 else "NHWC"
            y = _record(kind, 2, scope, wide, (1, *size), (1, *step), padding, layout, (1, *apart))
            return squeeze(y, [axis])
        kind = ("MaxPool" if pooling_type == "MAX" else "AvgPool") + ("3D" if n == 3 else "")
        return _record(kind, n, scope, input, size, strides or 1, padding, data_format, apart, 2)


def max_pool_with_argmax(
    input: Any, ksize: Any, strides: Any, padding: str, Targmax: Any = None, name: str | None = None, data_format: str = "NHWC"
) -> tuple[Tensor, Tensor]:
    """`max_pool`, and the flat index (row * width + column) * channels + channel of each maximum in its image, int64."""
    if Targmax not in (None, int64):
        raise NotImplementedError("max_pool_with_argmax gives int64 indices: use tf.cast")
    return _record("MaxPoolWithArgmax", 2, name or "MaxPoolWithArgmax", input, ksize, strides, padding, data_format)


# ---------------------------------------------------------------- neighbouring channels
@builder("LRN")
def _lrn(x: Node, radius: int, bias: float, alpha: float, beta: float) -> Node:
    if x.rank != 4:
        raise ShapeError(f"Shape must be rank 4 but is rank {x.rank}")
    lines = build.reshape(build.elementwise(x0**2, x), (product(x.shape[:-1]), x.shape[-1], 1))
    window, ones = Window(2 * radius + 1, before=radius), build.filled(1, (2 * radius + 1, 1, 1), x.dtype)
    sums = build.reshape(build.conv("y", (lines, ones), [window], True, lines.shape), x.shape)
    numbers = (build.const(v, x.dtype) for v in (bias, alpha, beta))
    base = scalar.x(2) + scalar.x(3) * scalar.x(1)
    return build.elementwise(x0 * base ** -scalar.x(4), x, sums, *numbers)


def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5, name: str | None = None
) -> Tensor:
    """x / (bias + alpha * s) ** beta of 4 axes, s the sum of squares of the channels at most `depth_radius` away."""
    with recording("LRN", name or "LRN", input=input) as (graph, scope):
        x = convert(input, name="input", graph=graph)
        need(x, *FLOATS, parameter="input")
        attrs = {"radius": int(depth_radius), "bias": float(bias), "alpha": float(alpha), "beta": float(beta)}
        return graph.add("LRN", (x,), attrs, scope).outputs[0]


lrn = local_response_normalization

__all__: Sequence[str] = (
    "avg_pool",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "local_response_normalization",
    "lrn",
    "max_pool",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool_with_argmax",
    "pool",
)
