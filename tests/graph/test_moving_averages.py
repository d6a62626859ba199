"""Moving averages: values, names and what a Saver takes, as TF1's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symgraph as tf
from symgraph.train.moving_averages import assign_moving_average

Average = tf.train.ExponentialMovingAverage


def started() -> tf.Session:
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    return session


def test_a_variable_is_followed() -> None:
    v = tf.Variable([1.0, 2.0], name="v")
    average = Average(0.75)
    assert average.average(v) is None and average.average_name(v) == "v/ExponentialMovingAverage"
    move = average.apply([v])
    assert move.name == average.name == "ExponentialMovingAverage"
    shadow = average.average(v)
    assert shadow.name == "v/ExponentialMovingAverage:0" and not shadow.trainable and average.average_name(v) == shadow.op.name
    assert tf.moving_average_variables() == [v] and tf.trainable_variables() == [v]
    with started() as session:
        assert session.run(shadow).tolist() == [1, 2]
        session.run(v.assign([5.0, 2.0]))
        found = [session.run([move, shadow])[1].tolist() for _ in range(3)]
    np.testing.assert_allclose(found, [[2, 2], [2.75, 2], [3.3125, 2]])


def test_it_sees_what_was_written_before_it() -> None:
    v = tf.Variable(1.0)
    step = tf.train.GradientDescentOptimizer(0.25).minimize(v * v)
    average = Average(0.5)
    with tf.control_dependencies([step]):
        train = average.apply()
    with started() as session:
        session.run(train)
        assert session.run([v, average.average(v)]) == [0.5, 0.75]


def test_the_number_of_updates_bounds_the_decay() -> None:
    v, n = tf.Variable(1.0), tf.Variable(0, trainable=False)
    average = Average(0.5, num_updates=n)
    move = average.apply([v])
    with started() as session:
        session.run([v.assign(2.0)])
        session.run(move)
        assert session.run(average.average(v)) == pytest.approx(1.9)
        session.run(n.assign(90))
        session.run(move)
        assert session.run(average.average(v)) == pytest.approx(1.95)


@pytest.mark.parametrize("debias", [False, True])
def test_a_tensor_is_followed_from_zero(debias: bool) -> None:
    x = tf.placeholder(tf.float32, [2])
    t = tf.multiply(x, 2.0, name="t")
    average = Average(0.9, zero_debias=debias)
    move = average.apply([t])
    assert average.average(t).name == "t/ExponentialMovingAverage:0"
    names = [v.op.name for v in tf.global_variables()][1:]
    assert names == (["t/ExponentialMovingAverage/biased", "t/ExponentialMovingAverage/local_step"] if debias else [])
    with started() as session:
        found = []
        for k in range(3):
            session.run(move, {x: [1.0, k]})
            found.append(session.run(average.average(t)))
    wanted = np.array([[0.2, 0], [0.38, 0.2], [0.542, 0.58]])
    if debias:
        wanted /= 1 - 0.9 ** np.arange(1, 4)[:, None]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_names_are_tensorflows() -> None:
    """As TensorFlow 2.21 names them in its TF1 mode with ref variables."""
    with tf.variable_scope("h"):
        w = tf.get_variable("w", shape=(2,), initializer=tf.zeros_initializer())
    with tf.variable_scope("train"):
        tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(w * w))
        Average(0.9).apply([w])
    with tf.name_scope("ns"):
        assert Average(0.9, name="E").apply([w]).name == "ns/E"
        t = w * 2.0
        average = Average(0.9, zero_debias=True)
        assert average.apply([t]).name == "ns/ExponentialMovingAverage"
    assert [v.op.name for v in tf.global_variables()] == [
        "h/w",
        "train/beta1_power",
        "train/beta2_power",
        "train/h/w/Adam",
        "train/h/w/Adam_1",
        "train/h/w/ExponentialMovingAverage",
        "h/w/E",
        "ns/mul/ExponentialMovingAverage",
        "ns/mul/ExponentialMovingAverage/biased",
        "ns/mul/ExponentialMovingAverage/local_step",
    ]
    names = [op.name for op in tf.get_default_graph().get_operations() if op.name.startswith("ns/E/")]
    assert names == [f"ns/E/{n}" for n in ("decay", *(f"AssignMovingAvg/{m}" for m in ("sub/x", "sub", "sub_1", "mul")), "AssignMovingAvg")]


def test_averages_are_restored_in_the_place_of_variables(tmp_path: Path) -> None:
    v, w = tf.Variable(1.0, name="v"), tf.Variable(5.0, name="w", trainable=False)
    average = Average(0.5)
    move = average.apply([v])
    with started() as session:
        session.run(v.assign(3.0))
        session.run(move)
        path = tf.train.Saver().save(session, str(tmp_path / "model"))
    tf.reset_default_graph()
    v, w = tf.Variable(0.0, name="v"), tf.Variable(0.0, name="w", trainable=False)
    names = Average(0.5).variables_to_restore()
    assert names == {"v/ExponentialMovingAverage": v, "w": w}
    with tf.Session() as session:
        tf.train.Saver(names).restore(session, path)
        assert session.run([v, w]) == [2.0, 5.0]


def test_the_helper_of_batch_normalisation() -> None:
    mean = tf.Variable([1.0, 1.0], trainable=False, name="mean")
    move = assign_moving_average(mean, tf.constant([2.0, 0.0]), 0.75, zero_debias=False)
    with started() as session:
        assert session.run(move).tolist() == [1.25, 0.75]


def test_mistakes() -> None:
    with pytest.raises(TypeError, match="must be half, float, or double: n"):
        Average(0.5).apply([tf.Variable(1, name="n")])
    with pytest.raises(TypeError, match="neither a variable nor a tensor"):
        Average(0.5).apply([3.0])
    with pytest.raises(ValueError, match="needs a shape that is known"):
        Average(0.5).apply([tf.placeholder(tf.float32, [None])])
