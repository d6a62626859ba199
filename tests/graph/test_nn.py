"""Softmax and the cross-entropies: values, gradients, and logits a thousand times as large."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf
from symgraph import config

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((5, 4))
LABELS = np.array([0, 3, 1, 1, 2])
Y = np.eye(4)[LABELS]
P = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)


def run(make, feed=Z, labels=Y):
    with tf.Graph().as_default():
        z = tf.placeholder(tf.float64, (None, 4))
        out = make(z, tf.constant(labels))
        (g,) = tf.gradients(out, z)
        with tf.Session() as sess:
            return sess.run([out, g], {z: feed})


def test_softmax_and_its_logarithm():
    out, _ = run(lambda z, y: tf.nn.softmax(z))
    np.testing.assert_allclose(out, P, rtol=1e-14)
    out, g = run(lambda z, y: tf.nn.log_softmax(z)[:, 1])
    np.testing.assert_allclose(out, np.log(P)[:, 1], rtol=1e-13)
    np.testing.assert_allclose(g, np.eye(4)[1] - P, atol=1e-14)
    out, _ = run(lambda z, y: tf.nn.softmax(z, axis=0))
    np.testing.assert_allclose(out, np.exp(Z) / np.exp(Z).sum(0), rtol=1e-14)


@pytest.mark.parametrize(
    ("make", "labels"),
    [
        (lambda z, y: tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=z), Y),
        (lambda z, y: tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=z), Y),
        (lambda z, y: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z), LABELS),
    ],
)
def test_cross_entropy_is_stable_and_its_gradient_is_softmax_less_labels(make, labels):
    loss, g = run(make, labels=labels)
    np.testing.assert_allclose(loss, -np.log(P[range(5), LABELS]), rtol=1e-14)
    np.testing.assert_allclose(g, P - Y, atol=1e-15)
    loss, g = run(make, 1000 * Z, labels)
    np.testing.assert_allclose(loss, (1000 * Z).max(1) - (1000 * Z)[range(5), LABELS], rtol=1e-12, atol=1e-12)
    assert np.isfinite(g).all()


def test_labels_that_do_not_sum_to_one_count_in_the_value_and_not_in_the_gradient():
    loss, g = run(lambda z, y: tf.nn.softmax_cross_entropy_with_logits(labels=2 * y, logits=z))
    np.testing.assert_allclose(loss, -2 * np.log(P[range(5), LABELS]), rtol=1e-14)
    np.testing.assert_allclose(g, P - 2 * Y, atol=1e-15)


def test_labels_of_any_sum_have_the_gradient_of_the_value():
    for scale in (0, 1, 2):
        with tf.Graph().as_default():
            z, y = tf.constant(Z), tf.constant(scale * Y)
            g = tf.gradients(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=z), y)[0]
            with tf.Session() as sess:
                np.testing.assert_allclose(sess.run(g), -np.log(P), rtol=1e-14)


def test_formulas():
    with tf.Graph().as_default():
        z, y = tf.placeholder(tf.float64, (None, 4), name="z"), tf.placeholder(tf.float64, (None, 4), name="y")
        for make in (tf.nn.softmax_cross_entropy_with_logits, tf.nn.softmax_cross_entropy_with_logits_v2):
            (g,) = tf.gradients(make(labels=y, logits=z), z)
            assert str(tf.formula(g)) == "softmax(z) − y"
        loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)
        assert [str(tf.formula(t)) for t in (loss, *tf.gradients(loss, [z, y]))] == ["softplus(z) − z ∘ y", "σ(z) − y", "−z"]


def test_the_first_form_stops_at_the_labels():
    with tf.Graph().as_default():
        z, y = tf.constant(Z), tf.constant(Y)
        assert tf.gradients(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=z), y) == [None]
        assert tf.gradients(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=z), y) != [None]


def test_sigmoid_cross_entropy():
    for scale in (1, 1000):
        loss, g = run(lambda z, y: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z), scale * Z)
        u = scale * Z
        np.testing.assert_allclose(loss, np.maximum(u, 0) - u * Y + np.log1p(np.exp(-np.abs(u))), rtol=1e-13, atol=1e-15 * scale)
        np.testing.assert_allclose(g, 1 / (1 + np.exp(-np.clip(u, -700, 700))) - Y, atol=1e-14)


@pytest.mark.parametrize("way", ["reference", "python", "numba"])
def test_sigmoid_cross_entropy_keeps_its_small_values(way):
    x, labels = np.array([-700.0, -40, -1, 0, 1, 40, 700]), np.array([0.0, 0, 0, 1, 1, 1, 1])
    with tf.Graph().as_default(), config.override(SYMGRAPH_BACKEND=way):
        f = tf.function([u := tf.placeholder(tf.float64, [None])], tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=u))
        np.testing.assert_allclose(f(x), np.log1p(np.exp(-np.abs(x))), rtol=1e-14)


def test_shapes_that_differ():
    """Neither operand is repeated along the other's axes, whether the shapes are known early or late."""
    makes = (tf.nn.softmax_cross_entropy_with_logits, tf.nn.softmax_cross_entropy_with_logits_v2, tf.nn.sigmoid_cross_entropy_with_logits)
    for make in makes:
        for shape in ((5, 1), (1, 4), (5, 3), (4,)):
            with tf.Graph().as_default(), pytest.raises(ValueError, match="logits and labels must have the same shape"):
                make(labels=tf.zeros(shape), logits=tf.zeros((5, 4)))
        with tf.Graph().as_default():
            z, y = tf.placeholder(tf.float32, (None, None)), tf.placeholder(tf.float32, (None, None))
            f = tf.function([z, y], make(labels=y, logits=z))
            assert f(np.zeros((5, 4)), np.zeros((5, 4))).shape[0] == 5
            for shape in ((5, 1), (1, 4), (5, 3)):
                with pytest.raises(tf.errors.InvalidArgumentError):
                    f(np.zeros((5, 4)), np.zeros(shape))
    with tf.Graph().as_default():
        for labels, make in ((tf.zeros((3, 0)), makes[0]), (tf.zeros(3, tf.int32), tf.nn.sparse_softmax_cross_entropy_with_logits)):
            with pytest.raises(ValueError, match=r"Must have at least one class, but got logits shape \[3,0\]"):
                make(labels=labels, logits=tf.zeros((3, 0)))
        with pytest.raises(ValueError, match="at least one class"):
            makes[0](labels=tf.zeros(()), logits=tf.zeros(()))


def test_names_and_refusals():
    with tf.Graph().as_default():
        z, y = tf.constant(Z), tf.constant(Y)
        assert tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=z).op.name == "softmax_cross_entropy_with_logits"
        with pytest.raises(ValueError, match="named arguments"):
            tf.nn.softmax_cross_entropy_with_logits(y, z)
        with pytest.raises(ValueError, match="Both labels and logits"):
            tf.nn.sigmoid_cross_entropy_with_logits(labels=y)
        with pytest.raises(ValueError, match="Rank mismatch"):
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.constant(LABELS[:, None]), logits=z)


def test_a_label_that_is_no_class_is_an_error_and_nothing_is_written():
    with tf.Graph().as_default():
        w, y = tf.Variable(np.ones((2, 3), np.float32)), tf.placeholder(tf.int32, [None])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=w)
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        with tf.Session() as sess:
            sess.run(w.initializer)
            for wrong in ([0, 3], [-1, 0]):
                with pytest.raises(tf.errors.InvalidArgumentError, match=r"is not in \[0, 3\)"):
                    sess.run(step, {y: wrong})
            np.testing.assert_array_equal(sess.run(w), np.ones((2, 3)))
            sess.run(step, {y: [0, 2]})
        assert "sum₁(where(j = Placeholder, Variable, 0))" in str(tf.formula(loss))


def test_classes_along_another_axis():
    for f in (tf.nn.softmax_cross_entropy_with_logits, tf.nn.softmax_cross_entropy_with_logits_v2):
        with tf.Graph().as_default(), tf.Session() as sess:
            turned = f(labels=tf.constant(Y.T), logits=tf.constant(Z.T), dim=0)
            np.testing.assert_allclose(sess.run(turned), -np.log(P[range(5), LABELS]), rtol=1e-14)


def test_operations_counted():
    with tf.Graph().as_default() as graph:
        z, y, c = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.int32, [None])
        for make, wanted in (
            (lambda: tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=z), 32),
            (lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=c, logits=z), 2),
            (lambda: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z), 10),
            (lambda: tf.nn.weighted_cross_entropy_with_logits(y, z, 2.0), 16),
            (lambda: tf.nn.log_poisson_loss(y, z, True), 21),
            (lambda: tf.nn.softmax(z), 1),
            (lambda: tf.nn.softmax(z, axis=1), 1),
            (lambda: tf.nn.softmax(z, axis=0), 31),
            (lambda: tf.nn.in_top_k(z, c, 1), 2),
            (lambda: tf.nn.top_k(z, 2), 2),
            (lambda: tf.nn.dropout(z, 0.5), 8),
        ):
            before = graph.counted
            make()
            assert graph.counted - before == wanted
