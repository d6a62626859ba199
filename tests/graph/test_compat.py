"""TF2-era programs import TF1 by another path."""

import pytest

import symgraph
import symgraph.compat.v1 as tf


def test_names_are_the_same_objects() -> None:
    tf.disable_v2_behavior()
    tf.disable_eager_execution()
    assert tf.Session is symgraph.Session
    assert tf.train.AdamOptimizer is symgraph.train.AdamOptimizer
    assert "placeholder" in dir(tf)
    assert not tf.executing_eagerly()


def test_a_program_runs() -> None:
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None])
    with tf.Session() as sess:
        assert sess.run(tf.reduce_sum(x), {x: [1, 2]}) == 3


def test_what_is_missing_is_named() -> None:
    with pytest.raises(AttributeError, match="tf.nonsense"):
        tf.nonsense  # noqa: B018
    with pytest.raises(NotImplementedError, match="no eager execution"):
        tf.enable_eager_execution()
