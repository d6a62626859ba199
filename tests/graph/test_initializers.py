"""Initial values, penalties on variables, getters and templates; numbers are TensorFlow's."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf

UNIFORM = np.array([[1.2566640, 0.5430420, 1.6993010], [1.3963841, 0.8094940, -1.3157851]], np.float32)
NORMAL = np.array([[-0.5146980, -0.3415170, -0.0896160], [0.1285400, -1.6654860, 1.2224090]], np.float32)
"""What TensorFlow 2.21 draws in its TF1 mode for the shape [2, 3], graph seed 42 and op seed 7: he_uniform and he_normal."""
ORTHOGONAL = np.array([[-0.6389530, -0.1112510, 0.7611590], [0.4055030, 0.7921300, 0.4561760]], np.float32)


@pytest.fixture(autouse=True)
def _fresh():
    tf.reset_default_graph()
    tf.set_random_seed(42)


def value(initializer, shape=(2, 3), **more):
    v = tf.get_variable("v", shape, initializer=initializer, **more)
    with tf.Session() as sess:
        sess.run(v.initializer)
        return sess.run(v)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: tf.initializers.he_uniform(seed=7), UNIFORM),
        (lambda: tf.initializers.he_normal(seed=7), NORMAL),
        (lambda: tf.keras.initializers.he_normal(seed=7), NORMAL),
        (lambda: tf.initializers.lecun_uniform(seed=7), UNIFORM / np.sqrt(2)),
        (lambda: tf.initializers.lecun_normal(seed=7), NORMAL / np.sqrt(2)),
        (lambda: tf.uniform_unit_scaling_initializer(seed=7), UNIFORM / np.sqrt(2)),
        (lambda: tf.uniform_unit_scaling_initializer(2.0, seed=7), UNIFORM * np.sqrt(2)),
        (lambda: tf.variance_scaling_initializer(2.0, seed=7), NORMAL),
        (lambda: tf.variance_scaling_initializer(3.0, "fan_out", "uniform", seed=7), UNIFORM),
        (lambda: tf.variance_scaling_initializer(2.5, "fan_avg", "uniform", seed=7), UNIFORM),
        (lambda: tf.contrib.layers.variance_scaling_initializer(seed=7), NORMAL * 0.87962566103423978 * np.sqrt(1.3)),
        (lambda: tf.contrib.layers.variance_scaling_initializer(uniform=True, seed=7), UNIFORM),
        (lambda: tf.contrib.layers.xavier_initializer(seed=7), UNIFORM * np.sqrt(0.4)),
        (lambda: tf.orthogonal_initializer(seed=7), ORTHOGONAL),
        (lambda: tf.initializers.identity(2.0), 2 * np.eye(2, 3)),
    ],
)
def test_values_are_tensorflows(make, wanted):
    np.testing.assert_allclose(value(make()), wanted, rtol=2e-6, atol=1e-6)


def test_orthogonal():
    tall = value(tf.orthogonal_initializer(2.0), (5, 2, 40))
    flat = tall.reshape(10, 40)
    np.testing.assert_allclose(flat @ flat.T, 4 * np.eye(10), atol=1e-5)
    tf.reset_default_graph()
    wide = value(tf.orthogonal_initializer(dtype=tf.float64), (120, 120), dtype=tf.float64)
    np.testing.assert_allclose(wide.T @ wide, np.eye(120), atol=1e-13)
    with pytest.raises(ValueError, match="at least two-dimensional"):
        tf.get_variable("w", [3], initializer=tf.orthogonal_initializer())
    with pytest.raises(ValueError, match="2D matrices"):
        tf.get_variable("w", [3], initializer=tf.initializers.identity())


@pytest.mark.parametrize(
    ("make", "shape", "wanted"),
    [
        (tf.orthogonal_initializer, [4, 3], 17),
        (tf.orthogonal_initializer, [2, 3], 19),
        (tf.initializers.identity, [2, 3], 9),
        (tf.uniform_unit_scaling_initializer, [2, 3], 10),
        (tf.initializers.lecun_normal, [2, 3], 9),
        (tf.initializers.he_uniform, [2, 3], 10),
        (tf.zeros_initializer, [2, 3], 4),
        (tf.zeros_initializer, [1000], 6),
    ],
)
def test_operations_counted(make, shape, wanted):
    graph = tf.get_default_graph()
    before = graph.counted
    tf.get_variable("v", shape, initializer=make())
    assert graph.counted - before == wanted


# ---------------------------------------------------------------- penalties
def test_penalties():
    layers, keras = tf.contrib.layers, tf.keras.regularizers
    w = tf.Variable([[1.0, -2.0], [3.0, 0.0]], name="w")
    made = [
        (layers.l1_regularizer(0.5), 3.0),
        (layers.l2_regularizer(0.5), 3.5),
        (layers.l1_l2_regularizer(0.5, 0.5), 6.5),
        (layers.sum_regularizer([layers.l1_regularizer(0.5), None]), 3.0),
        (keras.l1(0.5), 3.0),
        (keras.l2(0.5), 7.0),
        (keras.l1_l2(0.5, 0.5), 10.0),
    ]
    tensors = [f(w) for f, _ in made]
    total = layers.apply_regularization(layers.l2_regularizer(0.5), [w, w])
    with tf.Session() as sess:
        sess.run(w.initializer)
        assert sess.run(tensors) == [v for _, v in made] and sess.run(total) == 7
    assert tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES) == [total]
    assert [t.op.name for t in tensors[:3]] == ["l1_regularizer", "l2_regularizer", "l1_l2_regularizer"]
    assert layers.l1_regularizer(0.0)(w) is None and layers.l1_l2_regularizer(0.0, 0.0)(w) is None
    with pytest.raises(ValueError, match="scale cannot be an integer: 1"):
        layers.l2_regularizer(1)
    with pytest.raises(ValueError, match="Setting a scale less than 0 on a regularizer: -0.1"):
        layers.l1_regularizer(-0.1)
    with pytest.raises(ValueError, match="No weights to regularize"):
        layers.apply_regularization(layers.l2_regularizer(0.5))


# ---------------------------------------------------------------- getters and templates
def test_a_getter_of_ones_own():
    seen = []

    def getter(get, name, *args, **kwargs):
        seen.append((name, kwargs["shape"]))
        return tf.identity(get(name, *args, **kwargs), name="copy")

    def outer(get, name, *args, **kwargs):
        return get(name + "_far", *args, **kwargs)

    with tf.variable_scope("s", custom_getter=outer), tf.variable_scope("t", custom_getter=getter):
        assert tf.get_variable("a", [2]).name == "copy:0"
    assert seen == [("s/t/a", [2])] and [v.op.name for v in tf.global_variables()] == ["s/t/a_far"]
    assert tf.get_variable("b", [2], custom_getter=getter).name == "copy_1:0"


def test_templates_share_their_variables():
    def scaled(x, by=1.0):
        return x * tf.get_variable("w", [2], initializer=tf.ones_initializer()) * by

    double = tf.make_template("double", scaled, by=2.0)
    with tf.variable_scope("model"):
        first = double(tf.ones([2]))
    second = double(tf.zeros([2]))
    other = tf.make_template("double", scaled, create_scope_now_=True)
    third = other(tf.ones([2]))
    names = [v.op.name for v in tf.global_variables()]
    assert names == ["model/double/w", "double/w"]
    assert first.op.name.startswith("model/double/") and second.op.name.startswith("double/") and third.op.name.startswith("double")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(first).tolist() == [2, 2]


def test_what_is_not_supported_says_so():
    for make in (
        lambda: tf.get_variable("v", [2], partitioner=len),
        lambda: tf.variable_scope("s", partitioner=len).__enter__(),
    ):
        with pytest.raises(NotImplementedError, match="partitioned variables are not supported"):
            make()
    for make in (lambda: tf.get_variable("v", [2], constraint=abs), lambda: tf.Variable(1.0, constraint=abs)):
        with pytest.raises(NotImplementedError, match="run tf.assign.variable, constraint.variable.."):
            make()
