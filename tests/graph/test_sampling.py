"""Sampled losses and the samplers, against TensorFlow's draws and numbers."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf

RNG = np.random.default_rng(1)
WEIGHTS, BIASES = RNG.normal(size=(20, 4)).astype(np.float32), RNG.normal(size=20).astype(np.float32)
LABELS, PAIRS = RNG.integers(0, 20, (5, 1)), RNG.integers(0, 20, (5, 2))
INPUTS = RNG.normal(size=(5, 4)).astype(np.float32)
# TensorFlow 2.21 in its TF1 mode: graph seed 3, op seed 5, six of twenty classes
DRAWN = [[0, 2, 7, 8, 11, 3], [0, 3, 6, 15, 1, 5], [4, 12, 1, 0, 17, 7]]
EXPECTED = [0.9022257, 0.5907092, 0.2988937, 0.2716519, 0.2132011, 0.4959425]
OF_TRUE = [[0.4959425], [0.2716519], [0.1489342], [0.1489342], [0.3321249]]
AGAIN = [0, 0, 2, 7, 8, 11]
LOSSES = {
    "nce": [3.64737, 5.780178, 4.114723, 6.82591, 6.332678],
    "nce of pairs": [5.865914, 6.242895, 4.693735, 5.899949, 4.231948],
    "softmax": [2.474252, 0.2186718, 1.994697, 6.033743, 5.543883],
    "softmax of pairs": [1.462725, 1.903352, 1.164006, 4.420486, 2.94213],
}
SLOPES = {
    "nce": [149.7964, 1.997823, 146.2663],
    "nce of pairs": [50.5354, 68.33611, 24.61005],
    "softmax": [107.5451, -30.01444, 112.1848],
    "softmax of pairs": [3.679101, -15.14315, 51.68157],
}
"""Gradients by weights, biases and inputs: sums of the elements times 1, 2, 3, ..."""


@pytest.fixture(autouse=True)
def _fresh():
    tf.reset_default_graph()


@pytest.mark.parametrize("way", ["reference", "python", "numba"])
def test_draws_are_tensorflows(way, monkeypatch):
    monkeypatch.setenv("SYMGRAPH_BACKEND", way)
    tf.set_random_seed(3)
    once = tf.nn.log_uniform_candidate_sampler(tf.constant(LABELS), 1, 6, True, 20, seed=5)
    freely = tf.nn.log_uniform_candidate_sampler(tf.constant(PAIRS), 2, 6, False, 20, seed=5)
    with tf.Session() as sess:
        for k in range(3):
            got = sess.run(once)
            assert got.sampled_candidates.tolist() == DRAWN[k] and got.sampled_candidates.dtype == np.int64
            if k == 0:
                np.testing.assert_allclose(got.sampled_expected_count, EXPECTED, rtol=5e-7)
                np.testing.assert_allclose(got.true_expected_count, OF_TRUE, rtol=5e-7)
        assert sess.run(freely)[0].tolist() == AGAIN


def test_the_distribution():
    ids = tf.nn.log_uniform_candidate_sampler(np.zeros((1, 1), np.int64), 1, 20000, False, 50, seed=1)[0]
    even = tf.nn.uniform_candidate_sampler(np.zeros((1, 1), np.int64), 1, 20000, False, 50, seed=1)
    with tf.Session() as sess:
        drawn, flat = sess.run([ids, even])
    v = np.arange(50)
    np.testing.assert_allclose(np.bincount(drawn, minlength=50) / 20000, np.log((v + 2) / (v + 1)) / np.log(51), atol=0.01)
    np.testing.assert_allclose(np.bincount(flat[0], minlength=50) / 20000, 0.02, atol=0.005)
    np.testing.assert_allclose(flat[1], [[400.0]], rtol=1e-6)


def test_all_classes_can_be_drawn_once():
    sampler = tf.nn.log_uniform_candidate_sampler(np.zeros((1, 1), np.int64), 1, 40, True, 40, seed=1)
    with tf.Session() as sess:
        assert sorted(sess.run(sampler[0])) == list(range(40))


def losses():
    rng = np.random.default_rng(1)
    for a in (WEIGHTS, BIASES):
        rng.normal(size=a.shape)
    for a in (LABELS, PAIRS):
        rng.integers(0, 20, a.shape)
    rng.normal(size=INPUTS.shape)
    w, b, x = (tf.constant(a) for a in (WEIGHTS, BIASES, INPUTS))
    given = []
    for labels in (LABELS, PAIRS):
        counts = rng.uniform(0.1, 1, labels.shape), rng.uniform(0.1, 1, 4)
        given.append((np.array([3, 7, labels[1, 0], 0]), *(c.astype(np.float32) for c in counts)))
    more = {"num_sampled": 4, "num_classes": 20}
    pairs = {"num_true": 2, "sampled_values": given[1]}
    made = {
        "nce": tf.nn.nce_loss(w, b, LABELS, x, sampled_values=given[0], **more),
        "nce of pairs": tf.nn.nce_loss(w, b, PAIRS, x, remove_accidental_hits=True, **pairs, **more),
        "softmax": tf.nn.sampled_softmax_loss(w, b, LABELS, x, sampled_values=given[0], **more),
        "softmax of pairs": tf.nn.sampled_softmax_loss(w, b, PAIRS, x, remove_accidental_hits=False, **pairs, **more),
    }
    return made, [w, b, x]


def test_losses_and_their_gradients_are_tensorflows():
    made, by = losses()
    slopes = {name: tf.gradients(loss, by) for name, loss in made.items()}
    with tf.Session() as sess:
        for name, got in sess.run(made).items():
            np.testing.assert_allclose(got, LOSSES[name], rtol=2e-6, err_msg=name)
        for name, got in sess.run(slopes).items():
            got = [np.sum(np.ravel(g) * np.arange(1, np.size(g) + 1)) for g in got]
            np.testing.assert_allclose(got, SLOPES[name], rtol=2e-5, atol=2e-5, err_msg=name)


def test_words_are_learnt():
    """Each of 12 words is followed by the next: after training, its own row is nearest to the next one's weights."""
    tf.set_random_seed(1)
    ids, labels = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.int32, [None, 1])
    table = tf.Variable(tf.random_uniform([12, 8], -1.0, 1.0))
    weights, biases = tf.Variable(tf.truncated_normal([12, 8], stddev=0.3)), tf.Variable(tf.zeros([12]))
    found = tf.nn.embedding_lookup(table, ids)
    loss = tf.reduce_mean(tf.nn.nce_loss(weights=weights, biases=biases, labels=labels, inputs=found, num_sampled=4, num_classes=12))
    step = tf.train.AdagradOptimizer(0.5).minimize(loss)
    nearest = tf.argmax(tf.matmul(table, weights, transpose_b=True) + biases, 1)
    words = np.arange(12)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(300):
            sess.run(step, {ids: words, labels: ((words + 1) % 12)[:, None]})
        assert sess.run(nearest).tolist() == ((words + 1) % 12).tolist()


def test_mistakes():
    with pytest.raises(ValueError, match="range is too small: 6 of 5 classes, each once"):
        tf.nn.log_uniform_candidate_sampler(np.zeros((2, 1), np.int64), 1, 6, True, 5)
    with pytest.raises(ValueError, match="true_classes must be a matrix of 2 columns"):
        tf.nn.log_uniform_candidate_sampler(np.zeros((2, 1), np.int64), 2, 3, True, 5)
    with pytest.raises(ValueError, match="weights must be one table here, not 2 parts"):
        tf.nn.nce_loss([WEIGHTS, WEIGHTS], BIASES, LABELS, INPUTS, 4, 20)


def test_draws_by_logits():
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        logits = tf.constant(np.log(p).astype(np.float32))
    graph = tf.get_default_graph()
    before = graph.counted
    drawn = tf.multinomial(logits, 20000, seed=4)
    assert graph.counted - before == 2 and drawn.dtype == tf.int64 and drawn.shape.as_list() == [2, 20000]
    later = tf.random.categorical(tf.placeholder_with_default(np.zeros((1, 4), np.float32), [None, 4]), 5, dtype=tf.int32, seed=4)
    with tf.Session() as sess, tf.Session() as other:
        first = sess.run(drawn)
        shares = [np.bincount(row, minlength=3) / 20000 for row in first]
        np.testing.assert_allclose(shares, p, atol=0.012)
        np.testing.assert_array_equal(first, other.run(drawn))
        assert sess.run(later).shape == (1, 5) and sess.run(later).dtype == np.int32
    with pytest.raises(ValueError, match="logits must be a matrix"):
        tf.multinomial([1.0, 2.0], 3)
