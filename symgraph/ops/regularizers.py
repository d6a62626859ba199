"""Penalties on variables.

Law of this file: a regularizer is a function from a tensor to a scalar tensor, or to None where its scale is 0; the names of
its operations are those of tf.contrib.layers, whose functions these are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

from ..graph import Tensor, convert, get_default_graph
from .core import recording
from .dense import l2_loss
from .math import _made, add_n
from .reduce import reduce_sum

Regularizer = Callable[[Any], Tensor | None]
times, absolute, square = _made["multiply"], _made["abs"], _made["square"]
WEIGHTS, LOSSES = "weights", "regularization_losses"


def l1_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """w -> scale * sum of |w|; None for a scale of 0."""
    return _scaled(scale, scope or "l1_regularizer", lambda w: reduce_sum(absolute(w)))


def l2_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """w -> scale / 2 * sum of w^2; None for a scale of 0."""
    return _scaled(scale, scope or "l2_regularizer", l2_loss)


def l1_l2_regularizer(scale_l1: float = 1.0, scale_l2: float = 1.0, scope: str | None = None) -> Regularizer:
    """Both."""
    return sum_regularizer([l1_regularizer(scale_l1), l2_regularizer(scale_l2)], scope or "l1_l2_regularizer")


def sum_regularizer(regularizer_list: Sequence[Regularizer | None], scope: str | None = None) -> Regularizer:
    """The sum of several; None in the list is none."""
    several = [r for r in regularizer_list if r is not None]

    def regularizer(w: Any) -> Tensor | None:
        with recording("AddN", scope or "sum_regularizer", weights=w) as (_, name):
            found = [t for r in several if (t := r(w)) is not None]
            return add_n(found, name=name) if found else None

    return regularizer


def _scaled(scale: float, scope: str, penalty: Callable[[Any], Tensor]) -> Regularizer:
    if isinstance(scale, Integral):
        raise ValueError(f"scale cannot be an integer: {scale}")
    if not isinstance(scale, Real) or scale < 0.0:
        raise ValueError(f"Setting a scale less than 0 on a regularizer: {scale}.")
    if scale == 0.0:
        return lambda w: None

    def regularizer(w: Any) -> Tensor:
        with recording("Mul", scope, weights=w) as (graph, name):
            t = convert(w, graph=graph)
            factor = convert(float(scale), like=t.dtype, name="scale", graph=graph)
            return times(factor, penalty(t), name=name)

    return regularizer


def apply_regularization(regularizer: Regularizer, weights_list: Sequence[Any] | None = None) -> Tensor:
    """The sum of the penalties on the weights (by default those in the collection 'weights'), which joins
    REGULARIZATION_LOSSES."""
    graph = get_default_graph()
    weights = graph.get_collection(WEIGHTS) if weights_list is None else list(weights_list)
    if not weights:
        raise ValueError("No weights to regularize.")
    with graph.name_scope("get_regularization_penalty") as scope:
        found = [t for w in weights if (t := regularizer(w)) is not None]
        total = add_n(found, name=scope) if found else convert(0.0, graph=graph)
    graph.add_to_collection(LOSSES, total)
    return total


# ---------------------------------------------------------------- by the names of tf.keras.regularizers
def l1(l: float = 0.01) -> Regularizer:
    """w -> l * sum of |w|."""
    return l1_l2(l, 0.0)


def l2(l: float = 0.01) -> Regularizer:
    """w -> l * sum of w^2, without the half of `l2_regularizer`."""
    return l1_l2(0.0, l)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> Regularizer:
    """w -> l1 * sum of |w| + l2 * sum of w^2."""

    def regularizer(w: Any) -> Tensor | None:
        parts = [f * reduce_sum(of(w)) for f, of in ((float(l1), absolute), (float(l2), square)) if f]
        return None if not parts else parts[0] if len(parts) == 1 else parts[0] + parts[1]

    return regularizer
