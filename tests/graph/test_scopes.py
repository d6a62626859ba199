"""Scopes and sharing: names of variables and operations, reuse, initial values."""

from __future__ import annotations

import pytest

import symgraph as tf


def test_variables_and_operations_of_a_scope_entered_twice() -> None:
    with tf.variable_scope("my_scope"):
        a, b, c = tf.get_variable("x", (), initializer=tf.constant_initializer(0.0)), tf.Variable(0.0, name="x"), tf.Variable(0.0, name="x")
    with tf.variable_scope("my_scope", reuse=True):
        d, e = tf.get_variable("x"), tf.Variable(0.0, name="x")
    with tf.variable_scope("", default_name="", reuse=True):
        f = tf.get_variable("my_scope/x")
    names = [v.op.name.removeprefix("my_scope") for v in (a, b, c, d, e, f)]
    assert names == ["/x", "/x_1", "/x_2", "/x", "_1/x", "/x"]
    assert a is d is f


def test_reuse() -> None:
    tf.get_variable("t", [2])
    with pytest.raises(ValueError, match="Variable t already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE"):
        tf.get_variable("t", [2])
    with (
        pytest.raises(ValueError, match="Variable s/t does not exist, or was not created"),
        tf.variable_scope("s", reuse=True),
    ):
        tf.get_variable("t", [2])
    with tf.variable_scope("auto", reuse=tf.AUTO_REUSE):
        assert tf.get_variable("v", [2]) is tf.get_variable("v", [2])
    with pytest.raises(ValueError, match=r"specified shape \(3,\) and found shape \(2,\)"), tf.variable_scope("", reuse=True):
        tf.get_variable("t", [3])
    with tf.variable_scope("outer", reuse=True), tf.variable_scope("inner", reuse=False) as inner:
        assert inner.reuse is True


def test_scopes_can_be_entered_again() -> None:
    scope, names = tf.variable_scope("x"), tf.name_scope("n")
    with scope:
        v = tf.get_variable("v", [1])
    with scope, names:
        c = tf.constant(0.0, name="c")
    with names as again:
        pass
    assert (v.name, c.name, again) == ("x/v:0", "x_1/n/c:0", "n/")


def test_a_scope_object_keeps_its_name_scope() -> None:
    with tf.variable_scope("foo") as foo:
        pass
    with tf.variable_scope("bar"), tf.variable_scope(foo) as inside:
        assert inside.name == "foo"
        assert inside.original_name_scope == "foo/"
        assert tf.constant(0.0, name="c").op.name == "bar/foo/c"


def test_default_names() -> None:
    names = []
    for _ in range(2):
        with tf.variable_scope(None, "dnn"):
            names.append(tf.get_variable("w", [1]).op.name)
    with tf.variable_scope("given", "dnn"):
        names.append(tf.get_variable("w", [1]).op.name)
    assert names == ["dnn/w", "dnn_1/w", "given/w"]


def test_initializers_and_regularizers() -> None:
    tf.set_random_seed(1)
    with tf.variable_scope("s", initializer=tf.ones_initializer(), regularizer=tf.l2_regularizer(0.5)):
        w = tf.get_variable("w", [3])
        g = tf.get_variable("g", [50, 50], initializer=tf.glorot_uniform_initializer())
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert w.eval().tolist() == [1, 1, 1]
        assert abs(g.eval()).max() <= (6 / 100) ** 0.5
        assert losses[0].eval() == 0.5 * 3 / 2
    assert [loss.op.name.split("/")[:3] for loss in losses] == [["s", n, "Regularizer"] for n in ("w", "g")]


def test_words_for_what_is_wrong() -> None:
    with pytest.raises(TypeError, match="the name of a variable must be a string, not int: 3"):
        tf.get_variable(3, [2])
    with pytest.raises(TypeError, match="not strings"):
        tf.Variable(["a", "b"])
    with pytest.raises(ValueError, match=r"Shape of a new variable \(v\) must be fully defined, but instead was <unknown>"):
        tf.get_variable("v")
    with pytest.raises(TypeError, match="If default_name is None then name_or_scope is required"), tf.variable_scope(None):
        pass


def test_group_takes_nested_lists() -> None:
    v = tf.Variable(0.0)
    both = tf.group(tf.assign_add(v, 1.0), [[tf.assign_add(v, 10.0).op]])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(both)
        assert v.eval() == 11
