"""Clipping: names and numbers of operations, kinks, and lists with None."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf


def test_operations_are_counted_as_tensorflows() -> None:
    v = tf.Variable(np.ones((2, 3), np.float32))
    graph, most = tf.get_default_graph(), tf.constant(1.0)
    wanted = {"clip_by_value": 4, "clip_by_norm": 17, "clip_by_norm, of a tensor": 17, "global_norm": 8, "clip_by_global_norm": 23}
    found = {}
    for name, f in (
        ("clip_by_value", lambda: tf.clip_by_value(v, 1.0, 2.0)),
        ("clip_by_norm", lambda: tf.clip_by_norm(v, 1.0, axes=[1])),
        ("clip_by_norm, of a tensor", lambda: tf.clip_by_norm(v, most)),
        ("global_norm", lambda: tf.global_norm([v, v])),
        ("clip_by_global_norm", lambda: tf.clip_by_global_norm([v, v], 1.0)),
    ):
        before = graph.counted
        f()
        found[name] = graph.counted - before
    assert found == wanted


def test_names() -> None:
    v = tf.Variable(np.ones((2, 3), np.float32))
    (clipped, none, _), norm = tf.clip_by_global_norm([v, None, v], 1.0)
    assert (clipped.op.name, none, norm.op.name) == ("clip_by_global_norm/clip_by_global_norm/_0", None, "global_norm/global_norm")
    assert tf.clip_by_norm(v, 1.0).op.name == "clip_by_norm"


def test_zeros_have_a_derivative() -> None:
    x = tf.constant([0.0, 0.0])
    with tf.Session() as session:
        assert session.run(tf.gradients(tf.clip_by_norm(x, 2.0), x))[0].tolist() == [1, 1]


def test_a_norm_that_is_not_finite() -> None:
    clipped, norm = tf.clip_by_global_norm([tf.constant([1.0, np.inf]), tf.constant(1.0)], 1.0)
    with tf.Session() as session:
        assert np.isnan(np.concatenate([np.ravel(c) for c in session.run(clipped)])).all()
        assert session.run(norm) == np.inf


def test_a_norm_that_is_known() -> None:
    clipped, norm = tf.clip_by_global_norm([tf.constant([3.0, 4.0])], 1.0, use_norm=tf.constant(2.0))
    with tf.Session() as session:
        assert session.run(clipped)[0].tolist() == [1.5, 2.0] and session.run(norm) == 2


def test_mistakes() -> None:
    with pytest.raises(TypeError, match="should be a sequence"):
        tf.global_norm(tf.constant(1.0))
    with pytest.raises(ValueError, match="no tensors"):
        tf.clip_by_global_norm([None], 1.0)
    with pytest.raises(ValueError, match="the bounds would make"):
        tf.clip_by_value(tf.constant([1.0]), tf.constant([[0.0], [1.0]]), 2.0)
    with pytest.raises(TypeError, match="float32, float64"):
        tf.clip_by_norm(tf.constant([1]), 2)
