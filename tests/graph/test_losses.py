"""tf.losses against TensorFlow: values, gradients, names, and the collection."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf

PREDICTED = np.array([[0.2, 0.9, 0.5], [0.7, 0.1, 0.3], [0.6, 0.4, 0.8], [0.15, 0.85, 0.25]], np.float32)
LABELS = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [1, 1, 0]], np.float32)
LOGITS = np.array([[0.5, -1, 2], [1.5, 0.25, -0.75], [0, 3, -2], [1, 1, -1]], np.float32)
CLASSES = np.array([2, 0, 1, 1], np.int32)
WEIGHTS = {
    "w": np.array([[1], [0], [2], [0.5]], np.float32),
    "v": np.array([[1, 0, 2], [0.5, 1, 0], [3, 1, 1], [0, 0, 0.25]], np.float32),
    "u": np.array([1, 0, 2, 0.5], np.float32),
}
OF_LOGITS = ("hinge_loss", "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy")
MORE = {"cosine_distance": {"axis": 1}, "huber_loss": {"delta": 0.5}}
TENSORFLOW = {
    ("absolute_difference", "1", ""): (0.3291667, 0.0),
    ("absolute_difference", "w", ""): (0.425, 0.3888889),
    ("absolute_difference", "v", ""): (0.4890625, 2.625),
    ("mean_squared_error", "1", ""): (0.1547917, -0.325),
    ("mean_squared_error", "2", "NONE"): (28.285, -7.799999),
    ("mean_squared_error", "2", "SUM"): (3.715, -7.799999),
    ("mean_squared_error", "2", "SUM_OVER_BATCH_SIZE"): (0.3095833, -0.65),
    ("mean_squared_error", "2", "MEAN"): (0.1547917, -0.325),
    ("mean_squared_error", "2", ""): (0.3095833, -0.65),
    ("mean_squared_error", "w", ""): (0.2026389, 1.361111),
    ("mean_squared_error", "v", "NONE"): (11.1575, 23.7),
    ("mean_squared_error", "v", "SUM"): (1.890625, 23.7),
    ("mean_squared_error", "v", "SUM_OVER_BATCH_SIZE"): (0.1575521, 1.975),
    ("mean_squared_error", "v", "MEAN"): (0.1939103, 2.43077),
    ("mean_squared_error", "v", ""): (0.2363281, 2.9625),
    ("log_loss", "1", ""): (0.486495, -3.548666),
    ("log_loss", "0", "SUM"): (0.0, 0.0),
    ("log_loss", "0", "SUM_OVER_BATCH_SIZE"): (0.0, 0.0),
    ("log_loss", "0", ""): (0.0, 0.0),
    ("log_loss", "w", ""): (0.6106477, 0.04339365),
    ("log_loss", "v", ""): (0.6809869, 6.316467),
    ("huber_loss", "1", ""): (0.071875, 0.07083341),
    ("huber_loss", "w", ""): (0.09680556, 0.7194445),
    ("huber_loss", "v", ""): (0.1162891, 1.21875),
    ("cosine_distance", "1", ""): (0.02500001, -9.75),
    ("cosine_distance", "w", ""): (0.0, -11.16667),
    ("hinge_loss", "1", ""): (1.083333, 1.333333),
    ("hinge_loss", "w", ""): (2.166667, 1.222222),
    ("hinge_loss", "v", ""): (1.59375, 3.25),
    ("sigmoid_cross_entropy", "1", ""): (0.8864115, 0.2984824),
    ("sigmoid_cross_entropy", "w", ""): (1.624609, 0.4421485),
    ("sigmoid_cross_entropy", "v", ""): (1.185982, 1.66919),
    ("sigmoid_cross_entropy", "smooth", ""): (0.8905781, 0.2984824),
    ("softmax_cross_entropy", "1", ""): (2.596382, -3.369522),
    ("softmax_cross_entropy", "u", ""): (4.783739, -3.22455),
    ("softmax_cross_entropy", "smooth", ""): (2.446385, -2.719522),
    ("sparse_softmax_cross_entropy", "1", ""): (0.3463982, -0.1195219),
    ("sparse_softmax_cross_entropy", "u", ""): (0.2435312, -0.22455),
    ("sparse_softmax_cross_entropy", "column", ""): (0.2435312, -0.22455),
    ("mean_pairwise_squared_error", "1", ""): (1.4, 0.4000003),
    ("mean_pairwise_squared_error", "2", ""): (2.8, 0.8000007),
    ("mean_pairwise_squared_error", "w", ""): (1.25, -3.5),
}
"""(function, weights, reduction): the sums of value and gradient by predictions, each element times 1, 2, 3, ...; from
TensorFlow 2.21 in its TF1 mode."""


@pytest.fixture(autouse=True)
def _fresh():
    tf.reset_default_graph()


def digest(v):
    return float(np.sum(np.ravel(v) * np.arange(1, np.size(v) + 1)))


def made(name, weights, reduction, feed):
    """The loss, and what its gradient is asked by."""
    by = tf.placeholder(tf.float32, [None, 3])
    feed[by] = LOGITS if name in OF_LOGITS else PREDICTED
    if name.startswith("sparse"):
        labels = tf.placeholder(tf.int32, [None])
        feed[labels] = CLASSES
        labels = labels[:, None] if weights == "column" else labels
    else:
        labels = tf.placeholder(tf.float32, [None, 3])
        feed[labels] = LABELS
    more = dict(MORE.get(name, {}))
    if reduction:
        more["reduction"] = getattr(tf.losses.Reduction, reduction)
    if weights == "smooth":
        more["label_smoothing"] = 0.2
    elif weights in "012":
        more["weights"] = float(weights)
    else:
        w = WEIGHTS["w" if weights == "column" else weights]
        more["weights"] = tf.placeholder(tf.float32, [None, *w.shape[1:]])
        feed[more["weights"]] = w
    return getattr(tf.losses, name)(labels, by, **more), by


def test_values_and_gradients_are_tensorflows():
    made_all, feed = {}, {}
    for key in TENSORFLOW:
        loss, by = made(*key, feed)
        made_all[key] = [loss, tf.gradients(loss, by)[0]]
    with tf.Session() as sess:
        for key, pair in made_all.items():
            got = [digest(v) for v in sess.run(pair, feed)]
            np.testing.assert_allclose(got, TENSORFLOW[key], rtol=2e-5, atol=5e-6, err_msg=str(key))


def test_every_loss_ends_in_a_value_and_is_collected():
    y, p = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None, 3])
    with tf.name_scope("loss"):
        first = tf.losses.log_loss(y, p)
        second = tf.losses.log_loss(y, p, scope="again")
        hidden = tf.losses.log_loss(y, p, loss_collection=None)
        tf.losses.add_loss(tf.reduce_sum(p), "mine")
    assert first.name == "loss/log_loss/value:0" and second.name == "loss/again/value:0"
    assert tf.losses.get_losses() == [first, second] and hidden not in tf.get_collection("losses")
    assert tf.losses.get_losses("loss/again") == [second] and len(tf.get_collection("mine")) == 1
    assert tf.losses.softmax_cross_entropy(y, p).op.name == "softmax_cross_entropy_loss/value"
    assert tf.losses.sigmoid_cross_entropy(y, p).op.name == "sigmoid_cross_entropy_loss/value"
    assert tf.losses.compute_weighted_loss(p).op.name == "weighted_loss/value"


def test_the_total_has_the_penalties():
    w = tf.get_variable("w", [2], initializer=tf.ones_initializer(), regularizer=tf.l2_regularizer(0.5))
    tf.losses.mean_squared_error([1.0, 2.0], w)
    assert len(tf.losses.get_regularization_losses()) == 1
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run([tf.losses.get_total_loss(), tf.losses.get_total_loss(False), tf.losses.get_regularization_loss()]) == [1, 0.5, 0.5]
    with tf.Graph().as_default():
        assert tf.losses.get_regularization_loss().op.type == "Const"
        with pytest.raises(ValueError, match="at least one Tensor"):
            tf.losses.get_total_loss()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("log_loss", 48),
        ("absolute_difference", 36),
        ("mean_squared_error", 35),
        ("huber_loss", 45),
        ("mean_pairwise_squared_error", 61),
        ("sigmoid_cross_entropy", 44),
        ("softmax_cross_entropy", 66),
    ],
)
def test_operations_counted(name, wanted):
    y, p = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None, 3])
    graph = tf.get_default_graph()
    before = graph.counted
    getattr(tf.losses, name)(y, p)
    assert graph.counted - before == wanted


def test_nothing_weighs_nothing():
    p = tf.placeholder(tf.float32, [None])
    losses = [tf.losses.mean_squared_error(p, p + 1), tf.losses.mean_squared_error(p, p + 1, weights=0.0)]
    with tf.Session() as sess:
        assert sess.run(losses, {p: []}) == [0, 0]
        assert sess.run(losses, {p: [1, 2]}) == [1, 0]


def test_mistakes():
    p, y = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None, 3])
    with pytest.raises(ValueError, match="weights can not be broadcast to values. values.rank=2. weights.rank=1"):
        tf.losses.absolute_difference(y, p, weights=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="Shapes .* incompatible"):
        tf.losses.log_loss(tf.zeros([2, 4]), p)
    with pytest.raises(ValueError, match="Invalid Reduction Key nothing; there are none, weighted_sum"):
        tf.losses.log_loss(y, p, reduction="nothing")
    with pytest.raises(ValueError, match="labels and predictions must not be None"):
        tf.losses.log_loss(None, p)
    with pytest.raises(ValueError, match="You must specify 'axis'"):
        tf.losses.cosine_distance(y, p)
