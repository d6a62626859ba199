"""Programs with recurrent networks as people wrote them: pictures read row by row, series, layers with dropout, text.

Law of this file: what a program learned is asserted, never how long it took.  The first program is compiled, in its loop,
too; the others run in the interpreter, which computes the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import symgraph as tf
from symgraph.codegen import config


@pytest.fixture
def interpreted() -> Iterator[None]:
    with config.override(SYMGRAPH_BACKEND="reference"):
        yield


# ---------------------------------------------------------------- pictures, row by row
def digits() -> tuple[np.ndarray, np.ndarray]:
    datasets = pytest.importorskip("sklearn.datasets")
    found = datasets.load_digits()
    return (found.images / 16).astype(np.float32), found.target.astype(np.int32)


def test_digits_read_row_by_row() -> None:
    """A network of 8 steps, its last state classified; the loop compiled as one is the loop of single runs."""
    pictures, labels = digits()
    tf.set_random_seed(42)
    x = tf.placeholder(tf.float32, [None, 8, 8])
    y = tf.placeholder(tf.int32, [None])
    _, states = tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicRNNCell(num_units=48), x, dtype=tf.float32)
    logits = tf.layers.dense(states, 10)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    training = tf.train.AdamOptimizer(learning_rate=0.005).minimize(loss)
    accuracy = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
    start = tf.global_variables_initializer()
    rows = [np.arange(k, k + 150) for k in range(0, 1500, 150)] * 20
    with tf.Session() as session:
        session.run(start)
        for r in rows:
            session.run(training, feed_dict={x: pictures[r], y: labels[r]})
        by_hand = session.run(tf.trainable_variables())
        assert session.run(accuracy, {x: pictures[1500:], y: labels[1500:]}) > 0.85
    with tf.Session() as session:  # draws begin again, so the parameters are the same
        session.run(start)
        batches = tf.Minibatch(indices=np.array(rows))
        session.run_loop(training, len(rows), feed_dict={x: pictures, y: labels}, minibatch=batches, progress=False)
        for a, b in zip(session.run(tf.trainable_variables()), by_hand, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)


# ---------------------------------------------------------------- series
def wave(t: np.ndarray) -> np.ndarray:
    return (t * np.sin(t) / 3 + 2 * np.sin(t * 5)).astype(np.float32)


def windows(rng: np.random.Generator, count: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    t = rng.random((count, 1)) * 25 + np.arange(steps + 1) * 0.1
    values = wave(t)[..., None]
    return values[:, :-1], values[:, 1:]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("projected", ["by the cell", "after the network"])
def test_the_next_value_of_a_series(projected: str) -> None:
    """Each step's output is made one number, by a wrapper or by one product over all steps; it foretells the next value."""
    steps, neurons = 12, 30
    tf.set_random_seed(1)
    x = tf.placeholder(tf.float32, [None, steps, 1])
    y = tf.placeholder(tf.float32, [None, steps, 1])
    cell = tf.nn.rnn_cell.BasicRNNCell(num_units=neurons, activation=tf.nn.relu)
    if projected == "by the cell":
        outputs, _ = tf.nn.dynamic_rnn(tf.contrib.rnn.OutputProjectionWrapper(cell, output_size=1), x, dtype=tf.float32)
    else:
        hidden, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        outputs = tf.reshape(tf.layers.dense(tf.reshape(hidden, [-1, neurons]), 1), [-1, steps, 1])
    loss = tf.reduce_mean(tf.square(outputs - y))
    training = tf.train.AdamOptimizer(0.01).minimize(loss)
    rng = np.random.default_rng(0)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(150):
            a, b = windows(rng, 40, steps)
            session.run(training, {x: a, y: b})
        a, b = windows(rng, 100, steps)
        assert session.run(loss, {x: a, y: b}) < 0.4 < np.var(b)
        series = [0.0] * steps  # the network goes on by itself from what it said last
        for _ in range(5):
            series.append(session.run(outputs, {x: np.array(series[-steps:], np.float32).reshape(1, steps, 1)})[0, -1, 0])
        assert np.all(np.isfinite(series))


# ---------------------------------------------------------------- sequences of different length, layers, dropout
@pytest.mark.usefixtures("interpreted")
def test_which_sequences_hold_a_peak() -> None:
    """Two layers of LSTM cells with peepholes, dropout while training, sequences of different length."""
    tf.set_random_seed(5)
    x = tf.placeholder(tf.float32, [None, None, 1])
    lengths = tf.placeholder(tf.int32, [None])
    y = tf.placeholder(tf.int32, [None])
    keep = tf.placeholder_with_default(1.0, shape=())
    cells = [
        tf.nn.rnn_cell.DropoutWrapper(tf.nn.rnn_cell.LSTMCell(num_units=8, use_peepholes=True), input_keep_prob=keep) for _ in range(2)
    ]
    _, states = tf.nn.dynamic_rnn(tf.nn.rnn_cell.MultiRNNCell(cells), x, dtype=tf.float32, sequence_length=lengths)
    logits = tf.layers.dense(states[-1][1], 2, name="softmax")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    training = tf.train.AdamOptimizer(0.03).minimize(loss)
    rng = np.random.default_rng(0)
    n = rng.integers(2, 7, 64)
    a = rng.uniform(0, 1, (64, 6, 1)).astype(np.float32)
    inside = np.arange(6) < n[:, None]
    wanted = rng.integers(0, 2, 64)
    a[np.arange(64), rng.integers(0, n), 0] += 2 * wanted
    a[~inside] = 5  # past the end of a sequence nothing is read
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(120):
            session.run(training, {x: a, lengths: n, y: wanted, keep: 0.9})
        right = session.run(logits, {x: a, lengths: n}).argmax(1) == wanted
        assert right.mean() > 0.9
        values = session.run(loss, {x: a, lengths: n, y: wanted})
        assert values == session.run(loss, {x: a, lengths: n, y: wanted})


def test_compiled_it_draws_and_masks_as_interpreted() -> None:
    """Dropout inside of the loop, lengths, two layers: a training step's loss and what it leaves, both ways."""
    tf.set_random_seed(5)
    x = tf.placeholder(tf.float32, [None, None, 3])
    lengths = tf.placeholder(tf.int32, [None])
    cells = [tf.nn.rnn_cell.DropoutWrapper(tf.nn.rnn_cell.BasicLSTMCell(4), output_keep_prob=0.5), tf.nn.rnn_cell.GRUCell(2)]
    outputs, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.MultiRNNCell(cells), x, dtype=tf.float32, sequence_length=lengths)
    loss = tf.reduce_sum(tf.square(outputs - 1.0))
    training = tf.train.GradientDescentOptimizer(0.02).minimize(loss)
    given = {x: np.sin(np.arange(5 * 7 * 3)).reshape(5, 7, 3), lengths: [3, 0, 5, 6, 1]}
    found = []
    for backend in ("auto", "reference"):
        with config.override(SYMGRAPH_BACKEND=backend), tf.Session() as session:
            session.run(tf.global_variables_initializer())
            losses = [session.run([loss, training], given)[0] for _ in range(5)]
            found.append([losses, *session.run(tf.trainable_variables())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert found[0][0][-1] < found[0][0][0]


# ---------------------------------------------------------------- text
TEXT = "to be or not to be that is the question whether tis nobler in the mind to suffer "


@pytest.mark.usefixtures("interpreted")
def test_a_text_letter_by_letter() -> None:
    """A GRU network over letters: embedded, unrolled over a list, the state carried from run to run by feeding it."""
    letters = sorted(set(TEXT))
    numbers = np.array([letters.index(c) for c in TEXT], np.int32)
    tf.set_random_seed(2)
    x = tf.placeholder(tf.int32, [None, 6])
    y = tf.placeholder(tf.int32, [None, 6])
    table = tf.get_variable("embedding", [len(letters), 12])
    inputs = tf.unstack(tf.nn.embedding_lookup(table, x), axis=1)
    cell = tf.nn.rnn_cell.GRUCell(24)
    first = cell.zero_state(tf.shape(x)[0], tf.float32)
    outputs, last = tf.contrib.rnn.static_rnn(cell, inputs, initial_state=first)
    logits = tf.stack([tf.layers.dense(h, len(letters), name="letters", reuse=k > 0) for k, h in enumerate(outputs)], axis=1)
    loss = tf.contrib.seq2seq.sequence_loss(logits, y, tf.ones(tf.shape(y)))
    gradients, variables = zip(*tf.train.AdamOptimizer(0.02).compute_gradients(loss), strict=True)
    clipped, _ = tf.clip_by_global_norm(list(gradients), 5.0)
    training = tf.train.AdamOptimizer(0.02, name="Second").apply_gradients(list(zip(clipped, variables, strict=True)))
    parts = [numbers[k : k + 6] for k in range(0, 72, 6)], [numbers[k + 1 : k + 7] for k in range(0, 72, 6)]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(60):
            state = np.zeros((1, 24), np.float32)
            for a, b in zip(*parts, strict=True):
                value, state, _ = session.run([loss, last, training], {x: [a], y: [b], first: state})
        assert value < 0.6 < np.log(len(letters))
        state, said = np.zeros((1, 24), np.float32), [numbers[0]]
        for a in parts[0]:
            scores, state = session.run([logits, last], {x: [a], first: state})
            said.extend(scores[0].argmax(1))
    told = "".join(letters[k] for k in said)
    assert sum(a == b for a, b in zip(told, TEXT, strict=False)) > 60
