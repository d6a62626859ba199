"""`tf.metrics`: metrics over many batches, as pairs (value, update operation) on local variables.

Law of this file: a metric keeps sums in local variables of its own scope; the update adds a batch to them and gives the value
that they then have.  `tf.local_variables_initializer()` sets them to 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import DType, float32, float64
from .graph import Tensor, convert
from .ops.array import constant, expand_dims, ones_like, reshape, size, squeeze, zeros, zeros_like
from .ops.linalg import diag_part, matmul
from .ops.math import _made, cast, identity, where
from .ops.reduce import reduce_any, reduce_mean, reduce_sum
from .ops.sorting import top_k
from .ops.state import Variable, assign_add
from .scopes import GraphKeys, add_to_collections, variable_scope

Metric = tuple[Tensor, Tensor]
Row = tuple[str, ...]
multiply, square, sqrt, divide = _made["multiply"], _made["square"], _made["sqrt"], _made["realdiv"]
equal, greater, less, absolute = _made["equal"], _made["greater"], _made["less"], _made["abs"]
maximum, div_no_nan, both, neither = _made["maximum"], _made["div_no_nan"], _made["logical_and"], _made["logical_not"]
_EPSILON = 1e-7


# ---------------------------------------------------------------- what metrics share
def _sum(shape: Sequence[int | None], dtype: DType, name: str) -> Variable:
    """A local variable that starts at 0."""
    keys = [GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES]
    return Variable(lambda: zeros(shape, dtype), trainable=False, collections=keys, name=name)


def _given(value: Tensor, update: Tensor, metrics_collections: Any, updates_collections: Any) -> Metric:
    for keys, t in ((metrics_collections, value), (updates_collections, update)):
        if keys:
            add_to_collections(keys, t)
    return value, update


def _floats(v: Any, name: str = "values") -> Tensor:
    return cast(convert(v, name=name), float32)


def _alike(predictions: Tensor, labels: Tensor, weights: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    """Both of one shape, with a last axis of extent 1 dropped where only one has it; weights broadcast to them."""
    p, y = predictions, labels
    if p.extents is not None and y.extents is not None and len(p.extents) != len(y.extents):
        long, short = (p, y) if len(p.extents) > len(y.extents) else (y, p)
        if len(long.extents) == len(short.extents) + 1:  # type: ignore[arg-type]
            p, y = (squeeze(t, [-1]) if t is long else t for t in (p, y))
    p.shape.assert_is_compatible_with(y.shape)
    w = None if weights is None else _floats(weights, "weights")
    if w is not None and w.extents and p.extents is not None and len(w.extents) == len(p.extents) + 1:
        w = squeeze(w, [-1])
    return p, y, w


def _spread(weights: Tensor, over: Tensor) -> Tensor:
    """The weights with the shape of the values."""
    if weights.extents and over.extents and len(weights.extents) == len(over.extents) - 1:
        weights = expand_dims(weights, -1)
    return multiply(weights, ones_like(over, dtype=float32))


def _truths(v: Any, name: str) -> Tensor:
    return cast(convert(v, name=name), dtypes.bool)


# ---------------------------------------------------------------- means
def mean(
    values: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None
) -> Metric:
    """The mean of all values seen, each as often as its weight says.  Numbers of any shape; a float32 scalar."""
    with variable_scope(name, "mean", (values, weights)):
        v = _floats(values)
        total, count = _sum([], float32, "total"), _sum([], float32, "count")
        if weights is None:
            number = cast(size(v), float32)
        else:
            w = _spread(_floats(weights, "weights"), v)
            v, number = multiply(v, w), reduce_sum(w)
        add = assign_add(total, reduce_sum(v)), assign_add(count, number)
        value = div_no_nan(total, maximum(count, 0.0), name="value")
        update = div_no_nan(add[0], maximum(add[1], 0.0), name="update_op")
        return _given(value, update, metrics_collections, updates_collections)


def mean_tensor(
    values: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None
) -> Metric:
    """As `mean`, element by element: values of a known shape, and a result of that shape."""
    with variable_scope(name, "mean", (values, weights)):
        v = _floats(values)
        shape = v.shape.as_list()
        total, count = _sum(shape, float32, "total_tensor"), _sum(shape, float32, "count_tensor")
        number = ones_like(v) if weights is None else _spread(_floats(weights, "weights"), v)
        add = assign_add(total, multiply(v, number)), assign_add(count, number)
        value = div_no_nan(total, maximum(count, 0.0), name="value")
        update = div_no_nan(add[0], maximum(add[1], 0.0), name="update_op")
        return _given(value, update, metrics_collections, updates_collections)


def _mean_of(default: str, formula: Callable[[Tensor, Tensor], Tensor], what: str) -> Callable[..., Metric]:
    def metric(
        labels: Any,
        predictions: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        p, y, w = _alike(_floats(predictions, "predictions"), _floats(labels, "labels"), weights)
        return mean(formula(p, y), w, metrics_collections, updates_collections, name or default)

    metric.__name__ = metric.__qualname__ = default
    metric.__doc__ = f"The mean of {what} over all elements seen, weighed: labels and predictions of one shape."
    return metric


mean_absolute_error = _mean_of("mean_absolute_error", lambda p, y: absolute(p - y), "|predictions - labels|")
mean_squared_error = _mean_of("mean_squared_error", lambda p, y: square(y - p), "(predictions - labels)^2")


def root_mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The root of `mean_squared_error`."""
    value, update = mean_squared_error(labels, predictions, weights, name=name or "root_mean_squared_error")
    return _given(sqrt(value), sqrt(update), metrics_collections, updates_collections)


def mean_relative_error(
    labels: Any,
    predictions: Any,
    normalizer: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of |predictions - labels| / normalizer, 0 where the normalizer is."""
    p, y, w = _alike(_floats(predictions, "predictions"), _floats(labels, "labels"), weights)
    n = _floats(normalizer, "normalizer")
    each = where(equal(n, 0.0), zeros_like(y), divide(absolute(y - p), n))
    return mean(each, w, metrics_collections, updates_collections, name or "mean_relative_error")


def mean_cosine_distance(
    labels: Any,
    predictions: Any,
    dim: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """1 - the mean of sum(labels * predictions) along `dim`; both are taken to have length 1 there."""
    p, y, w = _alike(_floats(predictions, "predictions"), _floats(labels, "labels"), weights)
    value, update = mean(reduce_sum(multiply(p, y), axis=[dim], keepdims=True), w, name=name or "mean_cosine_distance")
    return _given(1 - value, 1 - update, metrics_collections, updates_collections)


def percentage_below(
    values: Any,
    threshold: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The fraction of values below the threshold."""
    below = cast(less(convert(values, name="values"), threshold), float32)
    return mean(below, weights, metrics_collections, updates_collections, name or "percentage_below_threshold")


def accuracy(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """How often predictions equal labels: two tensors of one shape, of any dtype."""
    p, y, w = _alike(convert(predictions, name="predictions"), convert(labels, name="labels"), weights)
    right = cast(equal(cast(p, y.dtype), y), float32)
    return mean(right, w, metrics_collections, updates_collections, name or "accuracy")


# ---------------------------------------------------------------- counts of right and wrong
_CELLS: dict[str, tuple[bool, bool]] = {
    "true_positives": (True, True),
    "false_positives": (False, True),
    "false_negatives": (True, False),
    "true_negatives": (False, False),
}
"""(label, prediction) of each."""


def _counted(cell: str, y: Tensor, p: Tensor, w: Tensor | None) -> Metric:
    """(variable as it is, after the batch) for one cell of the table of truths."""
    label, prediction = _CELLS[cell]
    found = cast(both(y if label else neither(y), p if prediction else neither(p)), float32)
    count = _sum([], float32, "count")
    add = assign_add(count, reduce_sum(found if w is None else multiply(found, _spread(w, found))))
    return identity(count), add


def _count(cell: str) -> Callable[..., Metric]:
    def metric(
        labels: Any,
        predictions: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        with variable_scope(name, cell, (labels, predictions, weights)):
            p, y, w = _alike(_truths(predictions, "predictions"), _truths(labels, "labels"), weights)
            value, update = _counted(cell, y, p, w)
            return _given(value, update, metrics_collections, updates_collections)

    label, prediction = _CELLS[cell]
    metric.__name__ = metric.__qualname__ = cell
    metric.__doc__ = f"How many labels are {label} where the prediction is {prediction}, weighed; both are read as truth values."
    return metric


true_positives, false_positives, false_negatives, true_negatives = map(_count, _CELLS)


def _share(default: str, other: str, what: str) -> Callable[..., Metric]:
    def metric(
        labels: Any,
        predictions: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        with variable_scope(name, default, (predictions, labels, weights)):
            p, y, w = _alike(_truths(predictions, "predictions"), _truths(labels, "labels"), weights)
            cells = []
            for cell in ("true_positives", other):
                with variable_scope(None, cell):
                    cells.append(_counted(cell, y, p, w))
            (right, right_now), (wrong, wrong_now) = cells
            value = div_no_nan(right, right + wrong, name="value")
            update = div_no_nan(right_now, right_now + wrong_now, name="update_op")
            return _given(value, update, metrics_collections, updates_collections)

    metric.__name__ = metric.__qualname__ = default
    metric.__doc__ = f"True positives as a share of {what}; 0 where there are none."
    return metric


precision = _share("precision", "false_positives", "what was predicted as true")
recall = _share("recall", "false_negatives", "what is true")


# ---------------------------------------------------------------- over thresholds
@contextmanager
def _at_thresholds(
    default: str, name: str | None, labels: Any, predictions: Any, thresholds: Sequence[float], weights: Any, cells: Sequence[str]
) -> Iterator[dict[str, Metric]]:
    """For each cell ([thresholds] before and after the batch), inside the metric's scope: predicted is what is greater."""
    with variable_scope(name, default, (labels, predictions, weights)):
        p, y, w = _alike(_floats(predictions, "predictions"), _truths(labels, "labels"), weights)
        flat, truth = reshape(p, [1, -1]), reshape(y, [1, -1])
        predicted = greater(flat, constant(np.asarray(thresholds, np.float32).reshape(-1, 1)))
        weight = None if w is None else reshape(_spread(w, p), [1, -1])
        found = {}
        for cell in cells:
            label, prediction = _CELLS[cell]
            hit = both(truth if label else neither(truth), predicted if prediction else neither(predicted))
            each = cast(hit, float32) if weight is None else multiply(cast(hit, float32), weight)
            count = _sum([len(thresholds)], float32, cell)
            found[cell] = identity(count), assign_add(count, reduce_sum(each, 1))
        yield found


def _cell_at_thresholds(cell: str) -> Callable[..., Metric]:
    def metric(
        labels: Any,
        predictions: Any,
        thresholds: Sequence[float],
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        with _at_thresholds(cell, name, labels, predictions, thresholds, weights, [cell]) as found:
            return _given(*found[cell], metrics_collections, updates_collections)

    metric.__name__ = metric.__qualname__ = f"{cell}_at_thresholds"
    metric.__doc__ = f"`{cell}` with predictions in [0, 1] taken as true above each threshold: [thresholds]."
    return metric


true_positives_at_thresholds, false_positives_at_thresholds, false_negatives_at_thresholds, true_negatives_at_thresholds = map(
    _cell_at_thresholds, _CELLS
)


def _share_at_thresholds(default: str, other: str) -> Callable[..., Metric]:
    what = default.partition("_")[0]

    def metric(
        labels: Any,
        predictions: Any,
        thresholds: Sequence[float],
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        cells = ["true_positives", other]
        with _at_thresholds(default, name, labels, predictions, thresholds, weights, cells) as found:
            value, update = (
                divide(found[cells[0]][k], found[cells[0]][k] + found[other][k] + _EPSILON, name=called)
                for k, called in enumerate((f"{what}_value", f"{what}_update_op"))
            )
            return _given(value, update, metrics_collections, updates_collections)

    metric.__name__ = metric.__qualname__ = default
    metric.__doc__ = f"`{what}` with predictions in [0, 1] taken as true above each threshold: [thresholds]."
    return metric


precision_at_thresholds = _share_at_thresholds("precision_at_thresholds", "false_positives")
recall_at_thresholds = _share_at_thresholds("recall_at_thresholds", "false_negatives")


def auc(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    curve: str = "ROC",
    name: str | None = None,
    summation_method: str = "trapezoidal",
    thresholds: Sequence[float] | None = None,
) -> Metric:
    """The area under the curve of true against false positive rate ('ROC'), or of precision against recall ('PR'), as a sum over
    `num_thresholds` thresholds.  Labels are read as truth values, predictions lie in [0, 1].

    `summation_method`: 'trapezoidal', 'minoring' or 'majoring'."""
    if curve not in ("ROC", "PR"):
        raise ValueError(f"curve must be either ROC or PR, {curve} unknown")
    heights = {
        "trapezoidal": lambda a, b: (a + b) / 2.0,
        "minoring": _made["minimum"],
        "majoring": maximum,
    }
    if summation_method not in heights:
        raise ValueError(f"Invalid summation_method: {summation_method}; there are {', '.join(heights)}")
    inner = list(thresholds) if thresholds is not None else [(k + 1) / (num_thresholds - 1) for k in range(num_thresholds - 2)]
    steps = [-_EPSILON, *inner, 1 + _EPSILON]
    with _at_thresholds("auc", name, labels, predictions, steps, weights, list(_CELLS)) as found:
        results = []
        for k, called in enumerate(("value", "update_op")):
            tp, fp, fn, tn = (found[cell][k] for cell in _CELLS)
            recall_ = divide(tp + 1e-6, tp + fn + 1e-6)
            x, y = (divide(fp, fp + tn + 1e-6), recall_) if curve == "ROC" else (recall_, divide(tp + 1e-6, tp + fp + 1e-6))
            results.append(reduce_sum(multiply(x[:-1] - x[1:], heights[summation_method](y[:-1], y[1:])), name=called))
        return _given(results[0], results[1], metrics_collections, updates_collections)


# ---------------------------------------------------------------- over classes
def _class_table(y: Tensor, p: Tensor, w: Tensor | None, classes: int) -> Metric:
    """How often each class [rows] is predicted as each [columns], in float64."""
    flat = [reshape(cast(t, dtypes.int64), [-1, 1]) for t in (y, p)]
    truth, predicted = (cast(equal(t, constant(np.arange(classes)[None])), float64) for t in flat)
    if w is not None:
        predicted = multiply(predicted, reshape(cast(_spread(w, y), float64), [-1, 1]))
    total = _sum([classes, classes], float64, "total_confusion_matrix")
    return total.value(), assign_add(total, matmul(truth, predicted, transpose_a=True))


def mean_iou(
    labels: Any,
    predictions: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over classes of intersection / union; the update is the table of truths [classes, classes], as in TF1.

    Labels and predictions are whole numbers in [0, num_classes), of one shape."""
    with variable_scope(name, "mean_iou", (predictions, labels, weights)):
        p, y, w = _alike(convert(predictions, name="predictions"), convert(labels, name="labels"), weights)
        table, update = _class_table(y, p, w, num_classes)
        t = cast(table, float32)
        right = diag_part(t)
        union = reduce_sum(t, 0) + reduce_sum(t, 1) - right
        met = reduce_sum(cast(greater(union, 0.0), float32))
        value = div_no_nan(reduce_sum(div_no_nan(right, union)), met, name="mean_iou")
        return _given(value, update, metrics_collections, updates_collections)


def mean_per_class_accuracy(
    labels: Any,
    predictions: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over classes of how often a label of the class is predicted; the update is [classes], as in TF1."""
    with variable_scope(name, "mean_accuracy", (predictions, labels, weights)):
        p, y, w = _alike(convert(predictions, name="predictions"), convert(labels, name="labels"), weights)
        flat_y, flat_p = (reshape(cast(t, dtypes.int64), [-1]) for t in (y, p))
        weight = ones_like(flat_y, dtype=float32) if w is None else reshape(_spread(w, y), [-1])
        own = cast(equal(expand_dims(flat_y, 1), constant(np.arange(num_classes)[None])), float32)
        weighed = multiply(own, expand_dims(weight, 1))
        right = multiply(weighed, expand_dims(cast(equal(flat_y, flat_p), float32), 1))
        total, count = _sum([num_classes], float32, "total"), _sum([num_classes], float32, "count")
        add = assign_add(count, reduce_sum(right, 0)), assign_add(total, reduce_sum(weighed, 0))
        value = reduce_mean(div_no_nan(count, total), name="mean_accuracy")
        update = div_no_nan(*add, name="update_op")
        return _given(value, update, metrics_collections, updates_collections)


# ---------------------------------------------------------------- among the first k
def _at_k(default: str, other: str, what: str) -> Callable[..., Metric]:
    def metric(
        labels: Any,
        predictions: Any,
        k: int,
        class_id: int | None = None,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        with variable_scope(name, f"{default}_at_{k}", (predictions, labels, weights)):
            p, y = convert(predictions, name="predictions"), cast(convert(labels, name="labels"), dtypes.int64)
            if p.extents is None or len(p.extents) != 2 or not isinstance(p.extents[1], int):
                raise ValueError(f"predictions must be [batch, classes] with a known number of classes, not {p.shape}")
            y = expand_dims(y, 1) if y.extents is not None and len(y.extents) == 1 else y
            classes = constant(np.arange(p.extents[1])[None, None])
            truth, found = (reduce_any(equal(expand_dims(cast(at, dtypes.int64), 2), classes), 1) for at in (y, top_k(p, k).indices))
            if class_id is not None:
                truth, found = truth[:, class_id : class_id + 1], found[:, class_id : class_id + 1]
            missed = both(found, neither(truth)) if other == "false_positive" else both(truth, neither(found))
            sums = []
            for cell, hits in (("true_positive", both(truth, found)), (other, missed)):
                each = reduce_sum(cast(hits, float64), 1)
                if weights is not None:
                    each = multiply(each, reshape(cast(_floats(weights, "weights"), float64), [-1]))
                v = _sum([], float64, f"{cell}_at_{k}")
                sums.append((identity(v), assign_add(v, reduce_sum(each))))
            value, update = (divide(sums[0][j], sums[0][j] + sums[1][j], name=called) for j, called in enumerate(("value", "update")))
            return _given(value, update, metrics_collections, updates_collections)

    metric.__name__ = metric.__qualname__ = f"{default}_at_k"
    metric.__doc__ = (
        f"True positives as a share of {what}, where the k greatest of a row are predicted; float64.\n\n"
        "Labels are whole numbers [batch] or [batch, labels of a row], predictions [batch, classes]; `class_id` counts one class alone."
    )
    return metric


precision_at_k = sparse_precision_at_k = _at_k("precision", "false_positive", "what was predicted")
recall_at_k = _at_k("recall", "false_negative", "what is true")
