"""`tf.losses`: weighted losses, and the collection that they join.

Law of this file: a loss is a value for each element, or each row, that `compute_weighted_loss` weighs and reduces to one
tensor called 'NAME/value'; it joins the collection 'losses'.  What TF1 computes in float32 stays in the dtype of the
predictions.  Counts of operations are TF1's where weights are numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .dtypes import float32
from .graph import Graph, Tensor, convert, get_default_graph
from .ops import nn
from .ops.array import constant, ones_like, shape, size, squeeze, zeros_like
from .ops.core import counted_as, recording
from .ops.math import _made, add_n, cast, stop_gradient, where
from .ops.reduce import reduce_sum
from .scopes import GraphKeys
from .shapes import ShapeError, compatible

multiply, subtract, square, log = (_made[n] for n in ("multiply", "subtract", "square", "log"))
div_no_nan, maximum, minimum, relu = (_made[n] for n in ("div_no_nan", "maximum", "minimum", "relu"))
absolute, negative, not_equal, greater = (_made[n] for n in ("abs", "negative", "not_equal", "greater"))


class Reduction:
    """How weighted losses become one tensor."""

    NONE = "none"
    SUM = "weighted_sum"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    MEAN = "weighted_mean"
    SUM_BY_NONZERO_WEIGHTS = SUM_OVER_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """Every way."""
        return tuple(_COUNTS)

    @classmethod
    def validate(cls, key: str) -> None:
        """ValueError for a way that does not exist."""
        if key not in _COUNTS:
            raise ValueError(f"Invalid Reduction Key {key}; there are {', '.join(_COUNTS)}")


_COUNTS = {
    Reduction.NONE: 8,
    Reduction.SUM: 10,
    Reduction.SUM_OVER_BATCH_SIZE: 18,
    Reduction.MEAN: 22,
    Reduction.SUM_BY_NONZERO_WEIGHTS: 34,
}
"""How many operations TF1 makes of a weight that is a number."""


# ---------------------------------------------------------------- weighing
def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """losses * weights, reduced: by default the sum divided by the number of weights that are not 0 (0 where there are none).

    `weights`: a number, or a tensor of the rank of `losses` whose extents are its or 1.  ValueError for any other shape."""
    with recording("weighted_loss", scope or "weighted_loss", losses=losses, weights=weights) as (graph, _):
        Reduction.validate(reduction)
        each = _floating(convert(losses, name="losses", graph=graph))
        with counted_as(graph, _COUNTS[reduction]):
            weight = _weight(weights, each)
            weighed = multiply(each, weight, name="Mul")
            loss = weighed if reduction == Reduction.NONE else _reduced(weighed, weight, reduction)
        add_loss(loss, loss_collection)
        return loss


def _reduced(weighed: Tensor, weight: Tensor, reduction: str) -> Tensor:
    total = reduce_sum(weighed)
    if reduction == Reduction.SUM:
        return total
    if reduction == Reduction.SUM_OVER_BATCH_SIZE:
        count = cast(size(weighed), weighed.dtype)
    elif reduction == Reduction.MEAN:
        count = _repeated(weight, weighed)
    else:
        count = _repeated(cast(not_equal(weight, 0.0), weighed.dtype), weighed)
    return div_no_nan(total, count, name="value")


def _repeated(weight: Tensor, over: Tensor) -> Tensor:
    """The sum of the weight over all elements of the other tensor, which it broadcasts to."""
    return reduce_sum(weight) * div_no_nan(cast(size(over), over.dtype), cast(size(weight), over.dtype))


def _weight(weights: Any, values: Tensor) -> Tensor:
    """The weights as a tensor of the values' dtype, that broadcasts to them."""
    w = convert(weights, like=values.dtype, name="weights", graph=values.graph)
    w = cast(w, values.dtype)
    a, b = w.extents, values.extents
    if a is not None and b is not None and a != () and (len(a) != len(b) or any(p != 1 and not compatible(p, q) for p, q in zip(a, b))):
        raise ShapeError(
            f"weights can not be broadcast to values. values.rank={len(b)}. weights.rank={len(a)}. values.shape={values.shape}. "
            f"weights.shape={w.shape}."
        )
    return w


def _floating(t: Tensor) -> Tensor:
    return t if t.dtype.is_floating else cast(t, float32)


# ---------------------------------------------------------------- the collection
def add_loss(loss: Tensor, loss_collection: str | None = GraphKeys.LOSSES) -> None:
    """Put a loss into a collection; None is none."""
    if loss_collection:
        loss.graph.add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Tensor]:
    """What the collection holds; `scope` is a regular expression matched at the start of the names."""
    return get_default_graph().get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Tensor]:
    """The penalties of layers and variables."""
    return get_losses(scope, GraphKeys.REGULARIZATION_LOSSES)


def get_regularization_loss(scope: str | None = None, name: str = "total_regularization_loss") -> Tensor:
    """Their sum; 0 where there are none."""
    found = get_regularization_losses(scope)
    return add_n(found, name=name) if found else constant(0.0)


def get_total_loss(add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None) -> Tensor:
    """The sum of all losses and, by default, penalties.  ValueError where there are none."""
    return add_n(get_losses(scope) + (get_regularization_losses(scope) if add_regularization_losses else []), name=name)


# ---------------------------------------------------------------- losses
def _two(graph: Graph, predictions: Any, labels: Any, called: str = "predictions") -> tuple[Tensor, Tensor]:
    """(predictions, labels) as floats of one dtype and of shapes that could be equal."""
    if predictions is None or labels is None:
        raise ValueError(f"labels and {called} must not be None.")
    p = _floating(convert(predictions, name=called, graph=graph))
    y = cast(convert(labels, like=p.dtype, name="labels", graph=graph), p.dtype)
    p.shape.assert_is_compatible_with(y.shape)
    return p, y


def _weighed_by(
    default: str, formula: Callable[..., Tensor], labels: Any, predictions: Any, weights: Any, rest: tuple, *args: Any
) -> Tensor:
    """The loss of a formula over (predictions, labels, *args); `rest` is (scope, collection, reduction)."""
    scope, collection, reduction = rest
    with recording(default, scope or default, labels=labels, predictions=predictions, weights=weights) as (graph, name):
        p, y = _two(graph, predictions, labels)
        return compute_weighted_loss(formula(p, y, *args), weights, name, collection, reduction)


def absolute_difference(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """|predictions - labels|, weighed: two tensors of one shape."""
    rest = scope, loss_collection, reduction
    return _weighed_by("absolute_difference", lambda p, y: absolute(subtract(p, y)), labels, predictions, weights, rest)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """(predictions - labels)^2, weighed: two tensors of one shape."""
    rest = scope, loss_collection, reduction
    return _weighed_by("mean_squared_error", _made["squared_difference"], labels, predictions, weights, rest)


def log_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    epsilon: float = 1e-7,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """-y log(p + epsilon) - (1 - y) log(1 - p + epsilon), weighed: y the labels, p the predicted probabilities, of one shape."""
    return _weighed_by("log_loss", _log_loss, labels, predictions, weights, (scope, loss_collection, reduction), epsilon)


def _log_loss(p: Tensor, y: Tensor, epsilon: float) -> Tensor:
    yes = negative(multiply(y, log(p + epsilon)))
    return yes - multiply(1 - y, log(1 - p + epsilon))


def huber_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    delta: float = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2, weighed: e = predictions - labels."""
    return _weighed_by("huber_loss", _huber, labels, predictions, weights, (scope, loss_collection, reduction), delta)


def _huber(p: Tensor, y: Tensor, delta: float) -> Tensor:
    error = absolute(subtract(p, y))
    quadratic = minimum(error, delta)
    return multiply(0.5, square(quadratic)) + multiply(delta, subtract(error, quadratic))


def cosine_distance(
    labels: Any,
    predictions: Any,
    axis: int | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
    dim: int | None = None,
) -> Tensor:
    """1 - sum(labels * predictions) along `axis`, weighed; both are taken to have length 1 there."""
    along = axis if axis is not None else dim
    if along is None:
        raise ValueError("You must specify 'axis'.")
    rest = scope, loss_collection, reduction
    return _weighed_by("cosine_distance_loss", _cosine, labels, predictions, weights, rest, along)


def _cosine(p: Tensor, y: Tensor, axis: int) -> Tensor:
    return 1 - reduce_sum(multiply(p, y), axis=(axis,), keepdims=True)


def hinge_loss(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """max(0, 1 - (2 y - 1) x), weighed: labels y of 0 and 1, logits x of their shape."""
    return _weighed_by("hinge_loss", _hinge, labels, logits, weights, (scope, loss_collection, reduction))


def _hinge(x: Tensor, y: Tensor) -> Tensor:
    ones = ones_like(y)
    return relu(subtract(ones, multiply(subtract(2 * y, ones), x)))


def mean_pairwise_squared_error(
    labels: Any, predictions: Any, weights: Any = 1.0, scope: str | None = None, loss_collection: str | None = GraphKeys.LOSSES
) -> Tensor:
    """For each row, the mean of ((p_i - p_j) - (y_i - y_j))^2 over its pairs i, j; summed over the rows, weighed.

    `weights`: a number, or one for each row [batch] or [batch, 1, ...]."""
    default = "mean_pairwise_squared_error"
    with recording(default, scope or default, labels=labels, predictions=predictions, weights=weights) as (graph, name):
        p, y = _two(graph, predictions, labels)
        if p.extents is None or not p.extents:
            raise ValueError(f"mean_pairwise_squared_error needs predictions of a known rank of 1 or more, not {p.shape}")
        rank = len(p.extents)
        with counted_as(graph, 61):
            errors = subtract(p, y)
            weight = _weight(weights, errors)
            inner = list(np.arange(1, rank))
            present = cast(not_equal(weight, 0.0), errors.dtype) * ones_like(errors)
            n = reduce_sum(present, axis=inner, keepdims=True)
            squares = reduce_sum(square(errors), axis=inner, keepdims=True)
            first = 2.0 * div_no_nan(squares, maximum(n - 1, 0.0))
            total = reduce_sum(errors, axis=inner, keepdims=True)
            second = 2.0 * div_no_nan(square(total), maximum(multiply(n, n - 1), 0.0))
            loss = reduce_sum(multiply(subtract(first, second), weight))
            mean = where(greater(reduce_sum(n), 0.0), loss, zeros_like(loss), name="value")
        add_loss(mean, loss_collection)
        return mean


# ---------------------------------------------------------------- cross-entropies
def sigmoid_cross_entropy(
    multi_class_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The cross-entropy of sigmoid(logits), element by element, weighed; labels y become y (1 - s) + s / 2 for a smoothing s."""
    default = "sigmoid_cross_entropy_loss"
    with recording(default, scope or default, multi_class_labels=multi_class_labels, logits=logits, weights=weights) as (graph, name):
        x, y = _two(graph, logits, multi_class_labels, "logits")
        if label_smoothing > 0:
            y = y * (1 - label_smoothing) + 0.5 * label_smoothing
        each = nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x, name="xentropy")
        return compute_weighted_loss(each, weights, name, loss_collection, reduction)


def softmax_cross_entropy(
    onehot_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The cross-entropy of softmax(logits) for each row [batch, classes], weighed; labels y become y (1 - s) + s / classes for a
    smoothing s.  No gradient into the labels."""
    default = "softmax_cross_entropy_loss"
    with recording(default, scope or default, onehot_labels=onehot_labels, logits=logits, weights=weights) as (graph, name):
        x, y = _two(graph, logits, onehot_labels, "logits")
        if label_smoothing > 0:
            classes = cast(shape(y)[-1], x.dtype)
            y = y * (1 - label_smoothing) + label_smoothing / classes
        each = nn.softmax_cross_entropy_with_logits_v2(labels=stop_gradient(y, name="labels_stop_gradient"), logits=x, name="xentropy")
        return compute_weighted_loss(each, weights, name, loss_collection, reduction)


def sparse_softmax_cross_entropy(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The cross-entropy of softmax(logits) at the label of each row, weighed: int32 or int64 [batch] (or [batch, 1]) and floats
    [batch, classes]."""
    default = "sparse_softmax_cross_entropy_loss"
    with recording(default, scope or default, labels=labels, logits=logits, weights=weights) as (graph, name):
        x = convert(logits, name="logits", graph=graph)
        y = convert(labels, name="labels", graph=graph)
        w = convert(weights, like=x.dtype, name="weights", graph=graph)
        if x.extents is not None and y.extents is not None and len(x.extents) == len(y.extents) and y.extents[-1] == 1:
            y = squeeze(y, [-1])
            w = squeeze(w, [-1]) if w.extents and len(w.extents) == len(x.extents) else w
        each = nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x, name="xentropy")
        with counted_as(graph, 32):
            return compute_weighted_loss(each, w, name, loss_collection, reduction)
