"""Clipping: values, norms, and one norm over many tensors.

Law of this file: each function records TF1's own composition of plain operations.  Of `IndexedSlices` the values are clipped,
as they are: rows that come again are not added up before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Tensor, convert
from .array import ones_like, size, stack
from .core import FLOATS, NUMBERS, is_tensor, need, recording
from .dense import l2_loss
from .indexed_slices import like, values_of
from .math import _made, cast, identity, where
from .reduce import reduce_sum

maximum, minimum, multiply, rsqrt, sqrt = (_made[name] for name in ("maximum", "minimum", "multiply", "rsqrt", "sqrt"))


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """t kept within the bounds, which are numbers or broadcast to its shape; the gradient is 1 on both bounds."""
    x = values_of(t)
    with recording("Maximum", name or "clip_by_value", t=x, clip_value_min=clip_value_min, clip_value_max=clip_value_max) as (graph, scope):
        values = convert(x, name="t", graph=graph)
        need(values, *NUMBERS, parameter="t")
        low = minimum(values, clip_value_max)
        clipped = graph.add("Maximum", (low, convert(clip_value_min, like=values.dtype, name="y", graph=graph)), {}, scope).outputs[0]
        if not values.shape.is_compatible_with(clipped.shape):
            raise ValueError(f"the bounds would make {values.shape} into {clipped.shape}")
        return like(t, clipped)


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """t * clip_norm / max(norm, clip_norm): t, shrunk where its Euclidean norm (over `axes`; None: all) is more than `clip_norm`.

    The derivative is that of t * clip_norm where all of t is 0.  float32 or float64; a negative `clip_norm` counts as 0."""
    x = values_of(t)
    with recording("RealDiv", name or "clip_by_norm", t=x, clip_norm=clip_norm) as (graph, scope):
        values = convert(x, name="t", graph=graph)
        need(values, *FLOATS, parameter="t")
        most = cast(maximum(clip_norm, 0.0), values.dtype) if is_tensor(clip_norm) else max(clip_norm, 0.0)
        squares = reduce_sum(values * values, axes, keepdims=True)  # type: ignore[operator]
        some = squares > 0.0  # type: ignore[operator]
        norm = where(some, sqrt(where(some, squares, ones_like(squares))), squares)
        scaled = values * most  # type: ignore[operator]
        return like(t, identity(scaled / maximum(norm, most), name=scope))


def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Tensor:
    """t, shrunk where its Euclidean norm divided by the number of its elements is more than `clip_norm`."""
    with recording("Mul", name or "clip_by_average_norm", t=t, clip_norm=clip_norm) as (graph, scope):
        values = convert(t, name="t", graph=graph)
        need(values, *FLOATS, parameter="t")
        count = cast(size(values), values.dtype)
        inverse = count * rsqrt(reduce_sum(values * values))  # type: ignore[operator]
        return identity((values * clip_norm) * minimum(inverse, 1.0 / clip_norm), name=scope)  # type: ignore[operator]


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Tensor:
    """The Euclidean norm of all elements of all tensors of a list; None among them counts for nothing."""
    tensors = _listed(t_list)
    with recording("Sqrt", name or "global_norm", t_list=tensors) as (graph, scope):
        values = [convert(values_of(t), name=f"t_{k}", graph=graph) for k, t in enumerate(t_list) if t is not None]
        for v in values:
            need(v, *FLOATS, parameter="t")
        return sqrt(reduce_sum(stack([l2_loss(v) for v in values])) * 2.0, name="global_norm")  # type: ignore[operator]


def clip_by_global_norm(t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None, name: str | None = None) -> tuple[list[Any], Tensor]:
    """([t * clip_norm / max(norm, clip_norm) for each t], norm): all shrunk alike where the norm of all together is more.

    `use_norm` is that norm where it is computed already, else `global_norm`; None in the list stays None.  A norm that is
    not finite makes everything NaN.  Source: Pascanu et al., "On the difficulty of training recurrent neural networks" (2012)."""
    tensors = _listed(t_list)
    norm = global_norm(t_list, name) if use_norm is None else convert(use_norm)
    with recording("Mul", name or "clip_by_global_norm", t_list=tensors, clip_norm=clip_norm) as (graph, scope):
        inverse = 1.0 / norm  # type: ignore[operator]
        scale = clip_norm * minimum(inverse, convert(1.0, like=norm.dtype, graph=graph) / clip_norm)  # type: ignore[operator]
        scale = where(_made["is_finite"](norm), scale, float("nan"))
        inner = scope.rstrip("/").rpartition("/")[2]

        def clipped(k: int, t: Any) -> Any:
            values = convert(values_of(t), name=f"t_{k}", graph=graph)
            return like(t, identity(values * cast(scale, values.dtype), name=f"{inner}/_{k}"))  # type: ignore[operator]

        return [None if t is None else clipped(k, t) for k, t in enumerate(t_list)], norm


def _listed(t_list: Any) -> list[Any]:
    if not isinstance(t_list, Sequence) or isinstance(t_list, str):
        raise TypeError(f"t_list should be a sequence of tensors, not {t_list!r:.80}")
    found = [values_of(t) for t in t_list if t is not None]
    if not found:
        raise ValueError("t_list has no tensors")
    return found
