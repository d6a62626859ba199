"""Softmax and the cross-entropies: values, gradients, and logits a thousand times as large."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf

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
