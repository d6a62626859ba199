"""tf.contrib.seq2seq: the loss of sequences of symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import Tensor, convert
from ..ops.array import reshape, shape
from ..ops.nn import sparse_softmax_cross_entropy_with_logits
from ..ops.reduce import reduce_sum
from ..scopes import name_scope


def sequence_loss(
    logits: Any,
    targets: Any,
    weights: Any,
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    softmax_loss_function: Callable[..., Tensor] | None = None,
    name: str | None = None,
) -> Tensor:
    """Cross-entropies of logits [batch, time, symbols] and int targets [batch, time], weighted by weights [batch, time].

    The weighted mean of all; without one of the averages the means over the other axis, [batch] or [time]; without both
    the weighted cross-entropies [batch, time].  `softmax_loss_function(labels=, logits=)` takes them with batch and time in
    one axis."""
    with name_scope(name, "sequence_loss"):
        z, y, w = convert(logits), convert(targets), convert(weights)
        for what, t, rank in (("Logits", z, 3), ("Targets", y, 2), ("Weights", w, 2)):
            if t.extents is not None and len(t.extents) != rank:
                raise ValueError(f"{what} must be a {rank}-dimensional tensor, not one of shape {t.shape}")
        loss = softmax_loss_function or sparse_softmax_cross_entropy_with_logits
        terms = loss(labels=reshape(y, [-1]), logits=reshape(z, [-1, shape(z)[2]])) * reshape(w, [-1])
        if average_across_timesteps and average_across_batch:
            return reduce_sum(terms) / (reduce_sum(w) + 1e-12)
        terms = reshape(terms, shape(z)[:2])
        if not average_across_timesteps and not average_across_batch:
            return terms
        axis = 1 if average_across_timesteps else 0
        return reduce_sum(terms, axis) / (reduce_sum(w, axis) + 1e-12)
