"""tf.metrics against TensorFlow, over two batches."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf

PREDICTED = [[0.805, 0.808, 0.515, 0.286, 0.054, 0.383, 0.408, 0.045], [0.049, 0.999, 0.652, 0.235, 0.435, 0.974, 0.898, 0.844]]
LABELS = [[0, 0, 1, 0, 1, 0, 1, 0], [1, 1, 0, 1, 1, 0, 1, 0]]
WEIGHTS = [[0, 1, 1, 1, 2, 0, 1, 0], [0, 2, 0, 0, 0, 0, 0, 2]]
CLASSES = [[1, 1, 0, 2, 2, 0, 0, 0], [0, 2, 1, 1, 0, 1, 2, 0]]
GUESSES = [[2, 0, 0, 2, 2, 0, 2, 2], [1, 1, 2, 2, 2, 1, 0, 2]]
CELLS = ("true_positives", "false_positives", "true_negatives", "false_negatives", "precision", "recall")
TENSORFLOW = {
    "mean": (0.413, 0.524375, 0.524375),
    "mean_scalar": (3.304, 4.195, 4.195),
    "mse": (0.3765005, 0.432336, 0.432336),
    "mae": (0.54375, 0.57525, 0.57525),
    "rmse": (0.6135964, 0.6575226, 0.6575226),
    "acc": (0.5, 0.3125, 0.3125),
    "accf": (0.5, 0.3125, 0.3125),
    "true_positives": (2.0, 5.0, 5.0),
    "true_positivesat": (4.0, 18.0, 18.0),
    "false_positives": (2.0, 5.0, 5.0),
    "false_positivesat": (14.0, 29.0, 29.0),
    "true_negatives": (3.0, 3.0, 3.0),
    "true_negativesat": (16.0, 19.0, 19.0),
    "false_negatives": (1.0, 3.0, 3.0),
    "false_negativesat": (14.0, 30.0, 30.0),
    "precision": (0.5, 0.5, 0.5),
    "precisionat": (1.0, 2.211538, 2.211538),
    "recall": (0.6666667, 0.625, 0.625),
    "recallat": (1.333333, 2.25, 2.25),
    "auc": (0.4666668, 0.421875, 0.421875),
    "aucpr": (0.304762, 0.4928474, 0.4928474),
    "aucminoring": (0.4666668, 0.421875, 0.421875),
    "aucmajoring": (0.4666668, 0.421875, 0.421875),
    "iou": (36.0, 76.0, 0.1822992),
    "mpca": (3.5, 2.185714, 0.3285714),
    "below": (0.625, 0.5, 0.5),
    "rel": (0.3305, 0.1916562, 0.1916562),
    "meanw": (0.3541667, 0.5811, 0.5811),
    "mean_scalarw": (3.304, 4.195, 4.195),
    "msew": (0.5183635, 0.4534855, 0.4534855),
    "maew": (0.6771666, 0.5753, 0.5753),
    "rmsew": (0.7199746, 0.6734133, 0.6734133),
    "accw": (0.6666667, 0.4, 0.4),
    "accfw": (0.6666667, 0.4, 0.4),
    "true_positivesw": (2.0, 4.0, 4.0),
    "true_positivesatw": (4.0, 16.0, 16.0),
    "false_positivesw": (1.0, 3.0, 3.0),
    "false_positivesatw": (7.0, 19.0, 19.0),
    "true_negativesw": (1.0, 1.0, 1.0),
    "true_negativesatw": (5.0, 5.0, 5.0),
    "false_negativesw": (2.0, 2.0, 2.0),
    "false_negativesatw": (20.0, 20.0, 20.0),
    "precisionw": (0.6666667, 0.5714286, 0.5714286),
    "precisionatw": (1.5, 2.7, 2.7),
    "recallw": (0.5, 0.6666667, 0.6666667),
    "recallatw": (1.0, 2.666667, 2.666667),
    "aucw": (0.2500001, 0.4166666, 0.4166666),
    "aucprw": (0.5000001, 0.6809523, 0.6809523),
    "aucminoringw": (0.2500001, 0.4166666, 0.4166666),
    "aucmajoringw": (0.2500001, 0.4166666, 0.4166666),
    "iouw": (35.0, 57.0, 0.1916667),
    "mpcaw": (3.5, 2.05, 0.2833333),
    "beloww": (0.6666667, 0.4, 0.4),
    "relw": (0.5195, 0.3962, 0.3962),
    "cos": (-0.0625, -0.45275, -0.45275),
    "mt": (10.894, 18.447, 18.447),
    "mtw": (7.431, 14.43767, 14.43767),
}
"""Of each metric the update after one batch and after two, and the value then: sums of the elements times 1, 2, 3, ...; a name that
ends in w is weighed; from TensorFlow 2.21 in its TF1 mode."""


@pytest.fixture(autouse=True)
def _fresh():
    tf.reset_default_graph()


def all_metrics(a, y, w, i, j):
    m = tf.metrics
    yes, guess = tf.cast(y, tf.float32), a > 0.4
    for end, weights in (("", None), ("w", w)):
        yield f"mean{end}", m.mean(a, weights)
        yield f"mean_scalar{end}", m.mean(tf.reduce_sum(a))
        yield f"mse{end}", m.mean_squared_error(yes, a, weights)
        yield f"mae{end}", m.mean_absolute_error(yes, a, weights)
        yield f"rmse{end}", m.root_mean_squared_error(yes, a, weights)
        yield f"acc{end}", m.accuracy(i, j, weights)
        yield f"accf{end}", m.accuracy(i, tf.cast(j, tf.int32), weights)
        for cell in CELLS:
            yield cell + end, getattr(m, cell)(y, guess, weights)
            yield f"{cell}at{end}", getattr(m, f"{cell}_at_thresholds")(y, a, [0.2, 0.5, 0.7], weights)
        yield f"auc{end}", m.auc(y, a, weights)
        yield f"aucpr{end}", m.auc(y, a, weights, num_thresholds=20, curve="PR")
        for way in ("minoring", "majoring"):
            yield f"auc{way}{end}", m.auc(y, a, weights, summation_method=way)
        yield f"iou{end}", m.mean_iou(i, j, 3, weights)
        yield f"mpca{end}", m.mean_per_class_accuracy(i, j, 3, weights)
        yield f"below{end}", m.percentage_below(a, 0.5, weights)
        yield f"rel{end}", m.mean_relative_error(yes, a, w, weights)
    yield "cos", m.mean_cosine_distance(tf.reshape(w, [-1, 4]), tf.reshape(a, [-1, 4]), 1)
    yield "mt", m.mean_tensor(tf.reshape(a, [8]))
    yield "mtw", m.mean_tensor(tf.reshape(a, [8]), w)


def digest(v):
    return float(np.sum(np.ravel(v) * np.arange(1, np.size(v) + 1)))


def test_two_batches_give_tensorflows_numbers():
    kinds = (tf.float32, tf.bool, tf.float32, tf.int64, tf.int64)
    fed = [tf.placeholder(kind, [None]) for kind in kinds]
    found = dict(all_metrics(*fed))
    assert set(found) == set(TENSORFLOW)
    values, updates = ([pair[k] for pair in found.values()] for k in (0, 1))
    batches = (PREDICTED, LABELS, WEIGHTS, CLASSES, GUESSES)
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        first, second = (sess.run(updates, dict(zip(fed, (b[k] for b in batches), strict=True))) for k in (0, 1))
        last = sess.run(values)
    for name, *got in zip(found, first, second, last, strict=True):
        np.testing.assert_allclose([digest(v) for v in got], TENSORFLOW[name], rtol=2e-6, atol=2e-6, err_msg=name)


def test_metrics_live_in_local_variables():
    x = tf.placeholder(tf.float32, [None])
    value, update = tf.metrics.mean(x, name="loss", metrics_collections=["m"], updates_collections="u")
    assert (value.name, update.name) == ("loss/value:0", "loss/update_op:0")
    assert [v.op.name for v in tf.local_variables()] == ["loss/total", "loss/count"]
    assert (
        tf.get_collection(tf.GraphKeys.METRIC_VARIABLES) == tf.local_variables() and tf.global_variables() == tf.trainable_variables() == []
    )
    assert tf.get_collection("m") == [value] and tf.get_collection("u") == [update]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value loss/total"):
            sess.run(update, {x: [1.0]})
        for _ in range(2):
            sess.run(tf.local_variables_initializer())
            assert sess.run(value) == 0
            assert sess.run(update, {x: [1.0, 2.0]}) == 1.5 and sess.run(update, {x: [6.0]}) == 3 and sess.run(value) == 3


def test_columns_are_vectors():
    y, p = tf.placeholder(tf.float32, [None, 1]), tf.placeholder(tf.float32, [None])
    _, update = tf.metrics.accuracy(y, p)
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        assert sess.run(update, {y: [[1], [0]], p: [1, 1]}) == 0.5


def test_mistakes():
    with pytest.raises(ValueError, match="curve must be either ROC or PR"):
        tf.metrics.auc([True], [0.5], curve="area")
    with pytest.raises(ValueError, match="Invalid summation_method: sum; there are trapezoidal, minoring, majoring"):
        tf.metrics.auc([True], [0.5], summation_method="sum")
    with pytest.raises(ValueError, match="incompatible"):
        tf.metrics.accuracy([1, 2], [1, 2, 3])


def test_among_the_first_k():
    """Numbers of TensorFlow 2.21 in its TF1 mode."""
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(2, 3, 4)).astype(np.float32), rng.integers(0, 4, (2, 3, 2))
    x, y = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.int64, [None, 2])
    made = [f(z, x, 2) for z in (y, y[:, 0]) for f in (tf.metrics.recall_at_k, tf.metrics.precision_at_k)]
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        for k, wanted in enumerate(([1 / 2, 1 / 2, 1 / 3, 1 / 6], [6 / 11, 1 / 2, 1 / 2, 1 / 4])):
            np.testing.assert_allclose(sess.run([u for _, u in made], {x: scores[k], y: labels[k]}), wanted)
        np.testing.assert_allclose(sess.run([v for v, _ in made]), wanted)
    with pytest.raises(ValueError, match="known number of classes"):
        tf.metrics.recall_at_k(y, tf.placeholder(tf.float32, [None, None]), 2)
