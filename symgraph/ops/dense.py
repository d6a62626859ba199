"""What layers are made of: biases, products with a matrix of weights, dropout.

Law of this file: a function records what TF1 would have made, so that names and implicit seeds agree; dropout keeps where
u >= rate, u the uniform draw of TF's own stream, and multiplies by 1 / (1 - rate).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import build, scalar
from ..graph import Tensor, builder
from ..node import Node
from ..shapes import ShapeError, compatible, product
from .core import NUMBERS, need, pair, recording


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


__all__: Sequence[str] = ("bias_add",)
