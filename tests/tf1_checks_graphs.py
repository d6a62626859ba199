"""Checks of what names of graphs mean: sessions, scopes, variables, random numbers, training, files.

Law of this file: as in tf1_checks.py.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgraph as tf
from tests.tf1_checks import holder, near, of, raises, run


# ---------------------------------------------------------------- graphs
@of("placeholder", "placeholder_with_default")
def _placeholders() -> None:
    X, y = tf.placeholder(tf.float32, shape=(None, 3), name="X"), tf.placeholder(tf.int64, shape=(None), name="y")
    assert str(X.shape) == "(?, 3)" and y.shape.ndims is None and tf.placeholder("float", 3).shape.as_list() == [3]
    raises(tf.errors.InvalidArgumentError, "You must feed a value for placeholder tensor 'X' with dtype float", lambda: run(X * 2.0))
    d = tf.placeholder_with_default(1.0, shape=(), name="d")
    assert run(d) == 1 and run(d * 2.0, {d: 3.0}) == 6


@of("Graph", "get_default_graph", "reset_default_graph")
def _graphs() -> None:
    g = tf.Graph()
    with g.as_default():
        x = tf.constant(1.0, name="x")
        assert tf.get_default_graph() is g
        raises(AssertionError, "nested", tf.reset_default_graph)
    assert x.graph is g and [op.name for op in g.get_operations()] == ["x"]
    raises(ValueError, "is not an element of this graph", lambda: run(x))
    old = tf.get_default_graph()
    tf.reset_default_graph()
    assert tf.get_default_graph() is not old


@of("Session", "InteractiveSession")
def _sessions() -> None:
    x = tf.constant(2.0)
    sess = tf.Session("", graph=x.graph)
    with sess:
        assert x.eval() == 2 and sess.run([[x], {"a": x}]) == [[2], {"a": 2}]
    raises(RuntimeError, "closed Session", lambda: sess.run(x))
    interactive = tf.InteractiveSession()
    assert x.eval() == 2
    interactive.close()
    raises(ValueError, "No default session", x.eval)


@of("name_scope")
def _name_scope() -> None:
    with tf.name_scope("param") as scope:
        assert scope == "param/" and tf.constant(1, name="a").name == "param/a:0"
    with tf.name_scope("param"):
        assert tf.constant(1, name="a").name == "param_1/a:0"
        assert tf.get_variable("v", []).name == "v:0"
    with tf.name_scope("param/"), tf.name_scope(None):
        assert tf.constant(1, name="b").name == "b:0"


@of("device")
def _device() -> None:
    with tf.device("/gpu:0"), tf.name_scope("s"):
        assert tf.constant(1, name="a").name == "s/a:0"


@of("add_to_collection", "get_collection")
def _collections() -> None:
    for name in ("hidden3", "hidden4", "outputs", "other"):
        with tf.variable_scope(name):
            tf.get_variable("w", [])
    found = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="hidden[34]|outputs")
    assert [v.op.name for v in found] == ["hidden3/w", "hidden4/w", "outputs/w"]
    tf.add_to_collection("mine", 3)
    first = tf.get_collection("mine")
    first.append(4)
    assert tf.get_collection("mine") == [3]


@of("GraphKeys.GLOBAL_VARIABLES", "GraphKeys.REGULARIZATION_LOSSES", "GraphKeys.TRAINABLE_VARIABLES", "GraphKeys.UPDATE_OPS")
def _keys() -> None:
    keys = tf.GraphKeys
    assert (keys.GLOBAL_VARIABLES, keys.TRAINABLE_VARIABLES) == ("variables", "trainable_variables")
    assert (keys.REGULARIZATION_LOSSES, keys.UPDATE_OPS) == ("regularization_losses", "update_ops")
    x = holder([None, 3])
    tf.layers.dense(x, 2, kernel_regularizer=lambda w: 0.1 * tf.reduce_sum(tf.square(w)))
    tf.layers.batch_normalization(x, training=True)
    assert len(tf.get_collection(keys.REGULARIZATION_LOSSES)) == 1 and len(tf.get_collection(keys.UPDATE_OPS)) == 2
    assert len(tf.get_collection(keys.GLOBAL_VARIABLES)) == 6 and len(tf.get_collection(keys.TRAINABLE_VARIABLES)) == 4


@of("gradients")
def _gradients() -> None:
    x, k = tf.constant(3.0), tf.constant(2)
    y = x * x * x
    first = tf.gradients(y, [x, k])
    assert first[1] is None and run([first[0], tf.gradients(first[0], x)[0]]) == [27, 18]
    assert run(tf.gradients([y, x], x)[0]) == 28 and first[0].name.startswith("gradients/")
    z = tf.square(y)
    assert run(tf.gradients(z, y)[0]) == 54 and tf.gradients(z, x)[0].name.startswith("gradients_4/")


# ---------------------------------------------------------------- variables
@of("Variable", "trainable_variables", "global_variables", "global_variables_initializer", "assign")
def _variables() -> None:
    v = tf.Variable(3, name="x")
    w = tf.Variable(np.float64(2.0), trainable=False, dtype=tf.float32)
    assert (v.dtype, w.dtype, w.name) == (tf.int32, tf.float32, "Variable:0") and tf.Variable(np.zeros(2)).dtype is tf.float64
    assert tf.trainable_variables()[0] is v and w not in tf.trainable_variables() and len(tf.global_variables()) == 3
    names = [op.name for op in v.graph.get_operations()][:4]
    assert names == ["x/initial_value", "x", "x/Assign", "x/read"]
    init = tf.global_variables_initializer()
    late = tf.Variable(1.0)
    change = tf.assign(v, 7, name="change")
    with tf.Session() as sess:
        raises(tf.errors.FailedPreconditionError, "Attempting to use uninitialized value x", lambda: sess.run(v))
        assert init.name == "init" and init.type == "NoOp" and sess.run(init) is None
        assert sess.run(change) == 7 and sess.run([v, w]) == [7, 2]
        sess.run(tf.assign(v.graph.get_tensor_by_name("x:0"), 8))
        assert v.eval() == 8
        raises(tf.errors.FailedPreconditionError, "uninitialized value", lambda: sess.run(late))


@of("get_variable", "variable_scope")
def _shared() -> None:
    with tf.variable_scope("relu"):
        t = tf.get_variable("threshold", shape=(), initializer=tf.constant_initializer(0.0))
        raises(ValueError, "Variable relu/threshold already exists, disallowed", lambda: tf.get_variable("threshold", shape=()))
    with tf.variable_scope("relu", reuse=True) as scope:
        assert tf.get_variable("threshold") is t and tf.constant(1, name="a").name == "relu_1/a:0"
        raises(ValueError, "Variable relu/new does not exist", lambda: tf.get_variable("new", [1]))
    with tf.variable_scope(scope), tf.variable_scope("inner", default_name="other") as inner:
        assert inner.name == "relu/inner"
    with tf.variable_scope(None, default_name="dnn"), tf.name_scope("n"):
        assert tf.get_variable("w", [2, 2]).name == "dnn/w:0"
    with tf.variable_scope("later") as s:
        tf.get_variable("v", [])
        s.reuse_variables()
        assert tf.get_variable("v").name == "later/v:0"


@of("constant_initializer", "variance_scaling_initializer")
def _initializers() -> None:
    near(tf.get_variable("c", [2], initializer=tf.constant_initializer(3.0)), [3, 3])
    tf.set_random_seed(1)
    w = run(tf.Variable(tf.variance_scaling_initializer()([400, 100])))
    assert abs(w.std() - 1 / 20) < 1e-3 and abs(w).max() <= 2 / 20 / 0.87962566 + 1e-6


# ---------------------------------------------------------------- random numbers
@of("random_normal", "random_uniform", "truncated_normal", "set_random_seed")
def _random() -> None:
    tf.set_random_seed(42)
    x = holder([None, 3])
    u, n = tf.random_uniform([2, 3], -1.0, 1.0, seed=42), tf.random_normal(shape=[3], mean=2.0, stddev=tf.constant(0.5))
    like, cut = tf.random_normal(tf.shape(x)), tf.truncated_normal([1000], stddev=0.1)
    with tf.Session() as sess:
        first, second = (sess.run([u, n, like, cut], {x: np.zeros((2, 3))}) for _ in range(2))
    near(tf.constant(first[0]), [[0.9045429, 0.29542589, 0.4183166], [0.64231753, 0.02222609, -0.31231856]], tolerance=2)
    assert all(not np.array_equal(a, b) for a, b in zip(first, second, strict=True)) and first[2].shape == (2, 3)
    assert abs(first[0]).max() < 1 and abs(first[3]).max() < 0.2
    tf.reset_default_graph()
    tf.set_random_seed(42)
    assert np.array_equal(run(tf.random_uniform([2, 3], -1.0, 1.0, seed=42)), first[0])


# ---------------------------------------------------------------- training
def _trajectory(optimizer: Any) -> list[float]:
    v = tf.Variable(1.0)
    step = optimizer.minimize(v * v)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return [sess.run([step, v])[1] and float(v.eval()) for _ in range(3)]


@of(
    "train.GradientDescentOptimizer",
    "train.MomentumOptimizer",
    "train.AdagradOptimizer",
    "train.RMSPropOptimizer",
    "train.AdamOptimizer",
)
def _optimizers() -> None:
    train = tf.train
    for optimizer, values in [
        (train.GradientDescentOptimizer(learning_rate=0.1), [0.8, 0.64, 0.512]),
        (train.MomentumOptimizer(learning_rate=0.1, momentum=0.9), [0.8, 0.46, 0.062]),
        (train.MomentumOptimizer(0.1, 0.9, use_nesterov=True), [0.62, 0.2224, -0.10835198]),
        (train.AdagradOptimizer(learning_rate=0.1), [0.90122706, 0.8347374, 0.7822992]),
        (train.RMSPropOptimizer(learning_rate=0.1, momentum=0.9, decay=0.9, epsilon=1e-10), [0.8245884, 0.5293809, 0.17452648]),
        (train.AdamOptimizer(learning_rate=0.1, name="Adam"), [0.90000004, 0.8004126, 0.7015873]),
    ]:
        assert np.allclose(_trajectory(optimizer), values, rtol=1e-6, atol=1e-7)


@of("train.exponential_decay")
def _decay() -> None:
    step = tf.Variable(5, trainable=False)
    near(tf.train.exponential_decay(0.1, step, 10, 0.5), 0.1 * 0.5**0.5)
    near(tf.train.exponential_decay(0.1, step, 2, 0.5, staircase=True), 0.1 * 0.25)


def _folder() -> Path:
    """A fresh folder of the test's own, the working one."""
    return Path(os.environ["CONTRACT_FOLDER"])


@of("train.Saver", "train.import_meta_graph")
def _saver() -> None:
    raises(ValueError, "No variables to save", tf.train.Saver)
    theta = tf.Variable([1.0, 2.0], name="theta")
    saver = tf.train.Saver({"weights": theta})
    change = tf.assign(theta, [9.0, 9.0])
    tf.add_to_collection("mine", change)
    with tf.Session() as sess:
        sess.run(theta.initializer)
        path = saver.save(sess, str(_folder() / "model.ckpt"), global_step=7)
        sess.run(change)
        saver.restore(sess, path)
        assert path.endswith("model.ckpt-7") and sess.run(theta).tolist() == [1, 2]
        raises(ValueError, "not a valid checkpoint", lambda: saver.restore(sess, str(_folder() / "none")))
    tf.reset_default_graph()
    saver = tf.train.import_meta_graph(path + ".meta")
    theta = tf.get_default_graph().get_tensor_by_name("theta:0")
    with tf.Session() as sess:
        saver.restore(sess, path)
        assert theta.eval().tolist() == [1, 2]
        sess.run(tf.get_collection("mine"))
        assert theta.eval().tolist() == [9, 9]


@of("summary.FileWriter", "summary.histogram", "summary.merge_all", "summary.scalar")
def _summaries() -> None:
    pytest.importorskip("tensorboard")
    assert tf.summary.merge_all() is None
    with tf.name_scope("loss"):
        s = tf.summary.scalar("MSE", tf.constant(2.5))
    h = tf.summary.histogram("W:0", tf.ones([3]))
    assert (s.op.name, h.op.name) == ("loss/MSE", "W_0")
    with tf.Session() as sess:
        single, both = sess.run([s, tf.summary.merge_all()])
    assert type(single) is bytes and [v.tag for v in tf.Summary.FromString(both).value] == ["loss/MSE", "W_0"]
    writer = tf.summary.FileWriter(_folder() / "logs", graph=tf.get_default_graph())
    assert any(f.name.startswith("events.out.tfevents.") for f in (_folder() / "logs").iterdir())
    writer.add_summary(both, 3)
    writer.flush()
    writer.close()
