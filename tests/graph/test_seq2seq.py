"""tf.contrib.legacy_seq2seq and tf.contrib.seq2seq."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as tf
from tests.graph.rnn_cases import X, basic_step, formula, weights

legacy = tf.contrib.legacy_seq2seq
cell = tf.nn.rnn_cell


def names() -> list[str]:
    return [v.op.name for v in tf.global_variables()]


def test_an_encoder_and_a_decoder() -> None:
    forth = [tf.constant(X[:, k]) for k in range(3)]
    outputs, state = legacy.basic_rnn_seq2seq(forth, forth[:2], cell.BasicRNNCell(3))
    assert names() == [f"basic_rnn_seq2seq/{part}/basic_rnn_cell/{v}" for part in ("rnn", "rnn_decoder") for v in ("kernel", "bias")]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(weights())
        got, last = session.run([outputs, state])
    h = np.zeros((3, 3), np.float32)
    for k in range(3):
        h = basic_step(X[:, k], h, formula(0, [5, 3]), formula(1, [3]))
    for k in range(2):
        h = basic_step(X[:, k], h, formula(2, [5, 3]), formula(3, [3]))
        np.testing.assert_allclose(got[k], h, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, h, rtol=1e-5, atol=1e-6)


def embedded(previous: Any, **options: Any) -> tuple[list[tf.Tensor], Any]:
    symbols = [tf.constant(s) for s in ([1, 2, 0], [3, 3, 1])]
    return legacy.embedding_rnn_seq2seq(symbols, symbols, cell.BasicRNNCell(3), 5, 4, 2, feed_previous=previous, **options)


def test_an_encoder_and_a_decoder_with_embeddings() -> None:
    """Symbols looked up, a state handed over, logits projected; fed what was said last, or what is given."""
    outputs, state = embedded(False)
    assert names() == [
        "embedding_rnn_seq2seq/rnn/embedding_wrapper/embedding",
        "embedding_rnn_seq2seq/rnn/embedding_wrapper/basic_rnn_cell/kernel",
        "embedding_rnn_seq2seq/rnn/embedding_wrapper/basic_rnn_cell/bias",
        "embedding_rnn_seq2seq/embedding_rnn_decoder/embedding",
        "embedding_rnn_seq2seq/embedding_rnn_decoder/rnn_decoder/output_projection_wrapper/basic_rnn_cell/kernel",
        "embedding_rnn_seq2seq/embedding_rnn_decoder/rnn_decoder/output_projection_wrapper/basic_rnn_cell/bias",
        "embedding_rnn_seq2seq/embedding_rnn_decoder/rnn_decoder/output_projection_wrapper/kernel",
        "embedding_rnn_seq2seq/embedding_rnn_decoder/rnn_decoder/output_projection_wrapper/bias",
    ]
    assert [t.shape.as_list() for t in outputs] == [[3, 4], [3, 4]] and state.shape.as_list() == [3, 3]
    w = [formula(k, v.shape.as_list()) for k, v in enumerate(tf.global_variables())]
    with tf.variable_scope("", reuse=True):
        said, _ = embedded(True)
        either = tf.placeholder(tf.bool, [])
        chosen, _ = embedded(either)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(weights())
        got, fed = session.run([outputs, said])
        for flag, wanted in ((True, fed), (False, got)):
            np.testing.assert_array_equal(session.run(chosen, {either: flag}), wanted)
    h = np.zeros((3, 3), np.float32)
    for s in ([1, 2, 0], [3, 3, 1]):
        h = basic_step(w[0][s], h, w[1], w[2])
    for listed, last in ((got, False), (fed, True)):
        state_now, symbols = h, np.array([1, 2, 0])
        for k in range(2):
            state_now = basic_step(w[3][symbols], state_now, w[4], w[5])
            np.testing.assert_allclose(listed[k], state_now @ w[6] + w[7], rtol=1e-5, atol=1e-6)
            symbols = listed[k].argmax(1) if last else np.array([3, 3, 1])


def test_outputs_without_a_projection() -> None:
    projection = tf.get_variable("w", [3, 4]), tf.get_variable("b", [4])
    outputs, _ = embedded(True, output_projection=projection)
    assert [t.shape.as_list() for t in outputs] == [[3, 3], [3, 3]]
    assert "w" in names() and not any("output_projection" in n for n in names())


# ---------------------------------------------------------------- losses
LOGITS = np.sin(np.arange(2 * 3 * 4)).reshape(2, 3, 4).astype(np.float32)
TARGETS = np.array([[0, 3, 1], [2, 2, 0]], np.int32)
WEIGHTS = np.array([[1, 0.5, 0], [1, 1, 1]], np.float32)


def crossed() -> np.ndarray:
    z = LOGITS - np.log(np.exp(LOGITS).sum(-1, keepdims=True))
    return -np.take_along_axis(z, TARGETS[..., None], -1)[..., 0] * WEIGHTS


@pytest.mark.parametrize(("over_time", "over_batch"), [(True, True), (True, False), (False, True), (False, False)])
def test_losses_of_sequences(over_time: bool, over_batch: bool) -> None:
    terms = crossed()
    columns = [[tf.constant(a[:, k]) for k in range(3)] for a in (LOGITS, TARGETS, WEIGHTS)]
    old = legacy.sequence_loss(*columns, average_across_timesteps=over_time, average_across_batch=over_batch)
    new = tf.contrib.seq2seq.sequence_loss(
        tf.constant(LOGITS), TARGETS, WEIGHTS, average_across_timesteps=over_time, average_across_batch=over_batch
    )
    with tf.Session() as session:
        got = session.run([old, new])
    each = terms.sum(1) / WEIGHTS.sum(1) if over_time else terms.sum(1)
    np.testing.assert_allclose(got[0], each.mean() if over_batch else each.sum(), rtol=1e-6)
    wanted = {
        (True, True): lambda: terms.sum() / WEIGHTS.sum(),
        (True, False): lambda: terms.sum(1) / WEIGHTS.sum(1),
        (False, True): lambda: terms.sum(0) / WEIGHTS.sum(0),
        (False, False): lambda: terms,
    }[over_time, over_batch]()
    np.testing.assert_allclose(got[1], wanted, rtol=1e-6)


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="Logits must be a 3-dimensional tensor"):
        tf.contrib.seq2seq.sequence_loss(tf.constant(LOGITS[0]), TARGETS, WEIGHTS)
    with pytest.raises(ValueError, match="must be the same 1, 1, 2"):
        legacy.sequence_loss([1], [1, 2], [3])
    with pytest.raises(AttributeError, match="BasicDecoder is not part of symgraph: decoders: tf.nn.dynamic_rnn"):
        _ = tf.contrib.seq2seq.BasicDecoder
    with pytest.raises(AttributeError, match="attention_decoder is not part of symgraph"):
        _ = legacy.attention_decoder
