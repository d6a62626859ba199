"""Reductions: sums, means, products, extremes, any/all, argmax/argmin.

Law of this file: a reduction is a generic node with the body x0; a mean is a sum divided by its count, which may be a
size that is known only when fed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from .. import build, dtypes, scalar
from ..codegen import scalar as fn
from ..dtypes import as_dtype
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import ShapeError, brackets, product
from .core import ANY, BOOLS, FLOATS, NUMBERS, Allowed, is_tensor, need, recording


def _axes(axis: tuple[int, ...] | None, rank: int) -> tuple[int, ...]:
    return tuple(range(rank)) if axis is None else tuple(build.axis_in(a, rank, "reduction dimension") for a in axis)


def _reducer(kind: str, reducer: str) -> Callable[..., Node]:
    @builder(kind)
    def make(x: Node, axis: tuple[int, ...] | None, keepdims: bool) -> Node:
        return build.reduce(reducer, x, _axes(axis, x.rank), keepdims)

    return make


for _kind, _name in (("Sum", "sum"), ("Prod", "prod"), ("Max", "max"), ("Min", "min"), ("Any", "any"), ("All", "all")):
    _reducer(_kind, _name)


@builder("ReduceLogSumExp")
def _logsumexp(x: Node, axis: tuple[int, ...] | None, keepdims: bool) -> Node:
    return build.composite("logsumexp", x, _axes(axis, x.rank), keepdims)


@builder("Mean")
def _mean(x: Node, axis: tuple[int, ...] | None, keepdims: bool) -> Node:
    axes = _axes(axis, x.rank)
    total = build.reduce("sum", x, axes, keepdims)
    count = product(x.shape[a] for a in axes)
    if not x.dtype.is_floating:
        return build.elementwise(fn.truncdiv(scalar.x(0), count), total) if count != 0 else total
    return build.elementwise(scalar.x(0) / count if count != 0 else sp.nan, total) if count != 1 else total


def _function(kind: str, what: str, takes: Allowed, named: str = "") -> Callable[..., Tensor]:
    def function(
        input_tensor: Any,
        axis: Any = None,
        keepdims: bool | None = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Tensor:
        keep = bool(keepdims if keepdims is not None else keep_dims)
        with recording(kind, name or named or kind, input_tensor=input_tensor, axis=axis, reduction_indices=reduction_indices) as (
            graph,
            scope,
        ):
            axis = one_of(axis, reduction_indices, "reduction_indices")
            t = convert(input_tensor, name="input_tensor", graph=graph)
            need(t, *takes, parameter="input")
            hidden = (1 if t.extents is not None or axis is not None else 4) + 12 * (kind == "ReduceLogSumExp")
            return graph.add(kind, (t,), {"axis": axis_list(axis), "keepdims": keep}, scope, 1 + hidden).outputs[0]

    function.__name__ = function.__qualname__ = named or "reduce_" + kind.lower().removeprefix("reduce")
    function.__doc__ = (
        f"The {what} over `axis` (an int, a list of ints; None: all axes), which is dropped or, with `keepdims`, kept with extent 1.\n\n"
        f"Takes {takes[1]}.  ValueError for an axis outside [-rank, rank)."
    )
    return function


def one_of(axis: Any, old: Any, old_name: str) -> Any:
    """The axis argument, under its name or the one that it had before."""
    if axis is not None and old is not None:
        raise ValueError(f"Cannot specify both 'axis' and '{old_name}'.")
    return old if axis is None else axis


def axis_list(axis: Any) -> tuple[int, ...] | None:
    """An axis argument as a tuple of ints, None for all."""
    if axis is None:
        return None
    if is_tensor(axis) or isinstance(axis, list | tuple) and any(map(is_tensor, axis)):
        raise TypeError("axis must be Python ints, not a tensor\nit is a part of the graph, not a value that is computed")
    a = np.asarray(axis)
    if a.dtype.kind not in "iu" and a.size:
        raise TypeError(f"axis must be an int or a list of ints, not {axis!r}")
    return tuple(int(v) for v in a.ravel())


reduce_sum = _function("Sum", "sum", NUMBERS)
reduce_mean = _function("Mean", "mean (of integers: truncated)", NUMBERS)
reduce_prod = _function("Prod", "product", NUMBERS)
reduce_max = _function("Max", "greatest element; in gradients, ties share equally", NUMBERS)
reduce_min = _function("Min", "least element; in gradients, ties share equally", NUMBERS)
reduce_logsumexp = _function("ReduceLogSumExp", "log(sum(exp(x))), finite where exp overflows,", FLOATS)
reduce_any = _function("Any", "logical or", BOOLS)
reduce_all = _function("All", "logical and", BOOLS)


@builder("EuclideanNorm")
def _euclidean_norm(x: Node, axis: tuple[int, ...] | None, keepdims: bool) -> Node:
    return build.composite("norm", x, _axes(axis, x.rank), keepdims)


reduce_euclidean_norm = _function("EuclideanNorm", "root of the sum of squares", FLOATS)
reduce_euclidean_norm.__name__ = reduce_euclidean_norm.__qualname__ = "reduce_euclidean_norm"


@builder("Variance")
def _variance(x: Node, axis: tuple[int, ...] | None, keepdims: bool) -> Node:
    off = build.elementwise((scalar.x(0) - scalar.x(1)) ** 2, x, _mean(x, axis, True))
    return _mean(off, axis, keepdims)


reduce_variance = _function("Variance", "mean square of what differs from the mean", FLOATS, "reduce_variance")


@builder("Std")
def _std(x: Node, axis: tuple[int, ...] | None, keepdims: bool) -> Node:
    return build.elementwise(sp.sqrt(scalar.x(0)), _variance(x, axis, keepdims))


reduce_std = _function("Std", "root of the variance", FLOATS, "reduce_std")


@builder("CountNonzero", lambda op: op.attrs["dtype"])
def _count_nonzero(x: Node, axis: tuple[int, ...] | None, keepdims: bool, dtype: dtypes.DType) -> Node:
    own = scalar.x(0) if x.dtype.is_bool else fn.ne(scalar.x(0), 0)
    return build.reduce("sum", build.elementwise(fn.select(own, 1, 0), x, dtype=dtype), _axes(axis, x.rank), keepdims)


def count_nonzero(
    input_tensor: Any = None,
    axis: Any = None,
    keepdims: bool | None = None,
    dtype: Any = dtypes.int64,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
    input: Any = None,
) -> Tensor:
    """How many elements over `axis` (None: all axes) are not 0, or True, as `dtype`."""
    values = one_of(input_tensor, input, "input_tensor")
    with recording("CountNonzero", name or "count_nonzero", input_tensor=values, axis=axis) as (graph, scope):
        t = convert(values, name="input_tensor", graph=graph)
        need(t, *ANY, parameter="input")
        attrs = {
            "axis": axis_list(one_of(axis, reduction_indices, "reduction_indices")),
            "keepdims": bool(keepdims if keepdims is not None else keep_dims),
            "dtype": as_dtype(dtype),
        }
        return graph.add("CountNonzero", (t,), attrs, scope, 5 + (attrs["dtype"] is not dtypes.int64)).outputs[0]


def _arg(kind: str, reducer: str) -> Callable[..., Tensor]:
    @builder(kind, lambda op: op.attrs["output_type"])
    def make(x: Node, axis: int, output_type: dtypes.DType) -> Node:
        a = build.axis_in(axis, x.rank, "reduction dimension")
        if x.shape[a] == 0:
            raise ShapeError(f"Reduction axis {axis} is empty in shape {brackets(x.shape)}")
        return build.cast(build.reduce(reducer, x, (a,), dtype=dtypes.int64), output_type)

    def function(input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = dtypes.int64) -> Tensor:
        with recording(kind, name or kind, input=input, axis=axis, dimension=dimension) as (graph, scope):
            axis = one_of(axis, dimension, "dimension")
            t = convert(input, name="input", graph=graph)
            need(t, *ANY, parameter="input")
            axes = axis_list(0 if axis is None else axis)
            if axes is None or len(axes) != 1:
                raise ValueError(f"axis of {kind} must be a single int, not {axis!r}")
            return graph.add(kind, (t,), {"axis": axes[0], "output_type": as_dtype(output_type)}, scope, 2).outputs[0]

    function.__name__ = function.__qualname__ = kind.lower()
    function.__doc__ = (
        "Position along `axis` (default 0) of the first " + ("greatest" if reducer == "argmax" else "least") + " element, int64."
    )
    return function


argmax = _arg("ArgMax", "argmax")
argmin = _arg("ArgMin", "argmin")
arg_max, arg_min = argmax, argmin
