"""What layers are made of: biases, products with a matrix of weights, dropout.

Law of this file: a function records what TF1 would have made, so that names and implicit seeds agree; dropout keeps where
u >= rate, u the uniform draw of TF's own stream, and multiplies by 1 / (1 - rate).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import build, scalar
from ..codegen import scalar as fn
from ..dtypes import float32
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import ShapeError, TensorShape, compatible, product
from ..statics import constant_value
from .array import shape, shape_tensor
from .core import FLOATS, NUMBERS, counted_as, is_tensor, need, pair, recording
from .linalg import matmul
from .math import _made, cast
from .random import seed_pair, standard_uniform
from .reduce import reduce_mean


@builder("BiasAdd")
def _bias_add(value: Node, bias: Node, axis: int) -> Node:
    if bias.rank != 1:
        raise ShapeError(f"Shape must be rank 1 but is rank {bias.rank}\nthe bias is a vector")
    if value.rank < 2:
        raise ShapeError(f"Shape must be at least rank 2 but is rank {value.rank}")
    a = build.axis_in(axis, value.rank)
    if not compatible(value.shape[a], bias.shape[0]):
        raise ShapeError(f"Dimensions must be equal, but are {value.shape[a]} and {bias.shape[0]}\none bias for each channel")
    own = tuple(range(value.rank))
    return build.generic(scalar.x(0) + scalar.x(1), (value, bias), (own, (a,)), value.shape, value.rank, None, value.dtype)


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """value + bias, the vector `bias` along the last axis of `value`, or along axis 1 where `data_format` starts with NC."""
    with recording("BiasAdd", name or "BiasAdd", value=value, bias=bias) as (graph, scope):
        if data_format not in (None, "NHWC", "NCHW", "NWC", "NCW", "NDHWC", "NCDHW", "N...C", "NC..."):
            raise ValueError(f"data_format must be of the form `N...C` or `NC...`, not {data_format!r}")
        v, b = pair(value, bias, "BiasAdd", graph, ("value", "bias"))
        need(v, *NUMBERS, parameter="value")
        return graph.add("BiasAdd", (v, b), {"axis": 1 if (data_format or "").startswith("NC") else -1}, scope).outputs[0]


@builder("LastAxisProduct")
def _last_axis_product(x: Node, weights: Node) -> Node:
    rows = build.reshape(x, (product(x.shape[:-1]), x.shape[-1]))
    return build.reshape(build.matmul(rows, weights), (*x.shape[:-1], weights.shape[-1]))


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """x @ weights + biases: [batch, in], [in, out], [out] to [batch, out]."""
    with recording("BiasAdd", name or "xw_plus_b", x=x, weights=weights, biases=biases) as (_, scope):
        return bias_add(matmul(x, weights), biases, name=scope)


def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """relu(x @ weights + biases)."""
    with recording("Relu", name or "relu_layer", x=x, weights=weights, biases=biases) as (_, scope):
        return _made["relu"](bias_add(matmul(x, weights), biases), name=scope)


@builder("L2Loss")
def _l2_loss(t: Node) -> Node:
    square = build.elementwise(scalar.x(0) ** 2, t)
    return build.elementwise(scalar.x(0) / 2, build.reduce("sum", square))


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """sum(t ** 2) / 2, a scalar."""
    with recording("L2Loss", name or "L2Loss", t=t) as (graph, scope):
        x = convert(t, name="t", graph=graph)
        need(x, *FLOATS, parameter="t")
        return graph.add("L2Loss", (x,), {}, scope).outputs[0]


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The fraction of elements that are 0: a float32 scalar."""
    with recording("Mean", name or "zero_fraction", value=value) as (graph, _):
        x = convert(value, name="value", graph=graph)
        with counted_as(graph, 26):
            return reduce_mean(cast(_made["equal"](x, convert(0, dtype=x.dtype, graph=graph)), float32), name="fraction")


# ---------------------------------------------------------------- dropout
@builder("Dropout")
def _dropout(scaled: Node, drawn: Node, rate: Node) -> Node:
    return build.elementwise(fn.select(fn.ge(scalar.x(1), scalar.x(2)), scalar.x(0), 0), scaled, drawn, rate)


def dropout(
    x: Any, keep_prob: Any = None, noise_shape: Any = None, seed: int | None = None, name: str | None = None, rate: Any = None
) -> Tensor:
    """x / keep_prob where an element is kept, else 0; each is kept with probability `keep_prob` = 1 - `rate`.

    Floats of any shape; `keep_prob` (or `rate`) is a number or a scalar tensor.  `noise_shape`, which broadcasts to that of x,
    is the shape of the draw: extents of 1 share a decision.  ValueError for a probability outside of (0, 1]."""
    with recording("Dropout", name or "dropout", x=x, keep_prob=keep_prob, rate=rate, noise_shape=noise_shape) as (graph, scope):
        t = convert(x, name="x", graph=graph)
        need(t, *FLOATS)
        dropped = _rate(keep_prob, rate)
        if isinstance(dropped, float):
            seed_pair(graph, seed)
            if dropped == 0:
                return t
            factor = np.asarray(1 / (1 - dropped), t.dtype.as_numpy_dtype)
            scaled = graph.add("Mul", (t, convert(factor, graph=graph)), {}, "div").outputs[0]
        else:
            dropped = convert(dropped, dtype=t.dtype, graph=graph)
            scaled = graph.add("RealDiv", (t, 1 - dropped), {}, "div").outputs[0]
        sizes = shape(t) if noise_shape is None else shape_tensor(_completed(noise_shape, t), graph, "noise_shape")
        drawn = standard_uniform(graph, sizes, t.dtype, seed)
        threshold = convert(dropped, dtype=t.dtype, name="GreaterEqual/y", graph=graph)
        return graph.add("Dropout", (scaled, drawn, threshold), {}, "mul", 3).outputs[0]


def _rate(keep_prob: Any, rate: Any) -> Any:
    """The fraction to drop: a float, or what is not known yet."""
    if (keep_prob is None) == (rate is None):
        raise ValueError("dropout takes keep_prob, the probability to keep, or rate, the probability to drop: one of the two")
    given, what = (keep_prob, "keep_prob") if rate is None else (rate, "rate")
    if is_tensor(given):
        known = constant_value(given)
        if known is None or known.shape != ():
            return 1 - convert(given) if rate is None else given
        given = known.item()
    number = float(given)
    if not (0 < number <= 1 if rate is None else 0 <= number < 1):
        raise ValueError(f"{what} must be a scalar tensor or a float in the range {'(0, 1]' if rate is None else '[0, 1)'}, got {number:g}")
    return 1 - number if rate is None else number


def _completed(noise_shape: Any, x: Tensor) -> Any:
    """None in a shape of noise is the extent of x there."""
    if is_tensor(noise_shape):
        return noise_shape
    sizes = TensorShape(noise_shape).as_list()
    own = x.extents
    if own is None or len(own) != len(sizes) or None not in sizes:
        return sizes
    known = x.shape.as_list()
    return [shape(x)[a] if d is None and known[a] is None else known[a] if d is None else d for a, d in enumerate(sizes)]


__all__: Sequence[str] = ("bias_add", "dropout", "l2_loss", "relu_layer", "xw_plus_b", "zero_fraction")
