"""Means, variances, and normalisation by them.

Law of this file: compositions of recorded operations, in TF1's order and under TF1's names.  A variance is the mean of
squared differences from the mean, taken as a constant there, as in TF: its derivative by the mean is 0, so gradients are
right and cheap; second derivatives miss what the mean's own share would give.

Source: batch normalisation, Ioffe and Szegedy (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Tensor, convert
from .array import reshape, size, squeeze, zeros_like
from .core import FLOATS, counted_as, need, recording
from .math import _made, cast, stop_gradient
from .reduce import axis_list, reduce_mean, reduce_sum

multiply, square, reciprocal, rsqrt = _made["multiply"], _made["square"], _made["reciprocal"], _made["rsqrt"]
squared_difference, div_no_nan = _made["squared_difference"], _made["div_no_nan"]


def _keep(keep_dims: bool | None, keepdims: bool | None) -> bool:
    return bool(keepdims if keepdims is not None else keep_dims)


def _narrowed(keep: bool, axes: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors without the axes that were reduced, unless these are kept."""
    return tensors if keep else tuple(squeeze(t, axis_list(axes)) for t in tensors)


def moments(
    x: Any, axes: Any, shift: Any = None, name: str | None = None, keep_dims: bool | None = None, keepdims: bool | None = None
) -> tuple[Tensor, Tensor]:
    """(mean, variance) of x over `axes`; the variance is that of the values themselves (divided by their number)."""
    with recording("moments", name or "moments", x=x, axes=axes) as (graph, _):
        t = convert(x, name="x", graph=graph)
        need(t, *FLOATS)
        mean = reduce_mean(t, axes, keepdims=True, name="mean")
        variance = reduce_mean(squared_difference(t, stop_gradient(mean)), axes, keepdims=True, name="variance")
        m, v = _narrowed(_keep(keep_dims, keepdims), axes, mean, variance)
        return m, v


def weighted_moments(
    x: Any, axes: Any, frequency_weights: Any, name: str | None = None, keep_dims: bool | None = None, keepdims: bool | None = None
) -> tuple[Tensor, Tensor]:
    """(mean, variance) of x over `axes`, each value counted `frequency_weights` times; the weights broadcast to x."""
    with recording("weighted_moments", name or "weighted_moments", x=x, axes=axes, frequency_weights=frequency_weights) as (graph, _):
        t = convert(x, name="x", graph=graph)
        need(t, *FLOATS)
        weights = cast(convert(frequency_weights, like=t.dtype, name="frequency_weights", graph=graph), t.dtype)
        weighted = multiply(weights, t)
        total = reduce_sum(weighted, axes, keepdims=True, name="weighted_input_sum")
        count = reduce_sum(weights + zeros_like(t), axes, keepdims=True, name="sum_of_weights")
        mean = div_no_nan(total, count)
        spread = reduce_sum(multiply(weights, squared_difference(t, mean)), axes, keepdims=True, name="weighted_distsq")
        m, v = _narrowed(_keep(keep_dims, keepdims), axes, mean, div_no_nan(spread, count))
        return m, v


def sufficient_statistics(
    x: Any, axes: Any, shift: Any = None, keep_dims: bool | None = None, name: str | None = None, keepdims: bool | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """(count, sum, sum of squares, shift) of x over `axes`; with `shift`, the sums are of x - shift."""
    with recording("sufficient_statistics", name or "sufficient_statistics", x=x, axes=axes, shift=shift) as (graph, _):
        t = convert(x, name="x", graph=graph)
        need(t, *FLOATS)
        keep = _keep(keep_dims, keepdims)
        own = None if shift is None else convert(shift, like=t.dtype, name="shift", graph=graph)
        moved = t if own is None else t - own
        total = reduce_sum(moved, axes, keepdims=keep, name="mean_ss")
        count = div_no_nan(cast(size(t), t.dtype), cast(size(total), t.dtype))
        return count, total, reduce_sum(square(moved), axes, keepdims=keep, name="var_ss"), own


def normalize_moments(counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """(mean, variance) from what `sufficient_statistics` gives."""
    with recording("normalize", name or "normalize", counts=counts, mean_ss=mean_ss, variance_ss=variance_ss, shift=shift):
        divisor = reciprocal(counts, name="divisor")
        shifted = multiply(mean_ss, divisor, name="mean" if shift is None else "shifted_mean")
        mean = shifted if shift is None else _made["add"](shifted, shift, name="mean")
        return mean, _made["subtract"](multiply(variance_ss, divisor), square(shifted), name="variance")


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float, name: str | None = None
) -> Tensor:
    """(x - mean) / sqrt(variance + variance_epsilon) * scale + offset, all of which broadcast to x; the last two may be None."""
    with recording("batchnorm", name or "batchnorm", x=x, mean=mean, variance=variance, offset=offset, scale=scale) as (graph, _):
        t = convert(x, name="x", graph=graph)
        need(t, *FLOATS)
        factor = rsqrt(convert(variance, like=t.dtype, graph=graph) + variance_epsilon)
        if scale is not None:
            factor = factor * scale
        scaled = t * factor
        return scaled + (-mean * factor if offset is None else offset - mean * factor)


def fused_batch_norm(
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any = None,
    variance: Any = None,
    epsilon: float = 0.001,
    data_format: str = "NHWC",
    is_training: bool = True,
    name: str | None = None,
    exponential_avg_factor: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """(y, mean, variance) of a batch of images [n, h, w, c], or [n, c, h, w] for `data_format='NCHW'`.

    In training y is normalised by the batch's own mean and variance, and the variance given back is n / (n - 1) times that, the
    unbiased one; else both are what is passed in."""
    with recording("FusedBatchNorm", name or "FusedBatchNorm", x=x, scale=scale, offset=offset, mean=mean, variance=variance) as (graph, _):
        t = convert(x, name="x", graph=graph)
        need(t, *FLOATS)
        if data_format not in ("NHWC", "NCHW") or t.extents is None or len(t.extents) != 4:
            raise ValueError(f"fused_batch_norm takes images of rank 4 in NHWC or NCHW, not {t.shape} in {data_format!r}")
        if exponential_avg_factor != 1.0:
            raise NotImplementedError("fused_batch_norm takes no exponential_avg_factor here: use tf.layers.batch_normalization")
        if is_training and (mean is not None or variance is not None):
            raise ValueError("Both 'mean' and 'variance' must be None when is_training is True: the batch has its own")
        if not is_training and (mean is None or variance is None):
            raise ValueError("mean and variance must be given when is_training is False")
        with counted_as(graph, 3 if is_training else 1):
            return _fused(t, scale, offset, mean, variance, epsilon, 1 if data_format == "NCHW" else 3)


def _fused(x: Tensor, scale: Any, offset: Any, mean: Any, variance: Any, epsilon: float, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    unbiased = variance
    if mean is None:
        mean, variance = moments(x, [a for a in range(4) if a != channels])
        count = div_no_nan(cast(size(x), x.dtype), cast(size(mean), x.dtype))
        unbiased = variance * (count / _made["maximum"](count - 1, 1.0))
    m, v, b, g = [v if channels == 3 else reshape(v, [-1, 1, 1]) for v in (mean, variance, offset, scale)]
    return batch_normalization(x, m, v, b, g, epsilon), convert(mean), convert(unbiased)


__all__: Sequence[str] = (
    "batch_normalization",
    "fused_batch_norm",
    "moments",
    "normalize_moments",
    "sufficient_statistics",
    "weighted_moments",
)
