"""Names: what operations, tensors and variables are called, as TensorFlow calls them in its TF1 mode.

Law of this file: every name here was read off TensorFlow; its names of the parts of a gradient are not ours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symgraph as tf


def operations() -> list[str]:
    return [op.name for op in tf.get_default_graph().get_operations()]


# ---------------------------------------------------------------- automatic names
def vector() -> tf.Tensor:
    return tf.zeros([2], name="x")


def matrix() -> tf.Tensor:
    return tf.zeros([2, 2], name="m")


CALLED: dict[str, tuple[Callable[[], object], ...]] = {
    "add": (lambda: vector() + 1.0, lambda: 1.0 + vector(), lambda: vector() + np.ones(2)),
    "sub": (lambda: vector() - 1.0, lambda: 2 - vector()),
    "mul": (lambda: vector() * 2, lambda: np.float64(2) * vector()),
    "truediv": (lambda: vector() / 2, lambda: 2 / vector(), lambda: tf.divide(vector(), 2.0)),
    "floordiv": (lambda: vector() // 2,),
    "mod": (lambda: vector() % 2,),
    "pow": (lambda: vector() ** 2, lambda: 2 ** vector()),
    "Neg": (lambda: -vector(), lambda: tf.negative(vector())),
    "Abs": (lambda: abs(vector()), lambda: tf.abs(vector())),
    "Greater": (lambda: vector() > 1, lambda: tf.greater(vector(), 1)),
    "GreaterEqual": (lambda: vector() >= 1,),
    "Less": (lambda: vector() < 1,),
    "LessEqual": (lambda: vector() <= 1,),
    "and": (lambda: (vector() > 1) & (vector() < 2), lambda: (vector() > 1) & True),
    "or": (lambda: (vector() > 1) | (vector() < 2),),
    "xor": (lambda: (vector() > 1) ^ (vector() < 2),),
    "LogicalAnd": (lambda: tf.logical_and(True, vector() > 1),),
    "LogicalNot": (lambda: ~(vector() > 1),),
    "strided_slice": (lambda: vector()[0], lambda: vector()[:1], lambda: vector()[None]),
    "Add": (lambda: tf.add(vector(), 1.0),),
    "Sub": (lambda: tf.subtract(vector(), 1.0),),
    "Mul": (lambda: tf.multiply(vector(), 2.0),),
    "Pow": (lambda: tf.pow(vector(), 2.0),),
    "div": (lambda: tf.div(vector(), 2.0),),
    "Square": (lambda: tf.square(vector()),),
    "Sqrt": (lambda: tf.sqrt(vector()),),
    "Exp": (lambda: tf.exp(vector()),),
    "Log": (lambda: tf.log(vector()),),
    "Sin": (lambda: tf.sin(vector()),),
    "Cos": (lambda: tf.cos(vector()),),
    "Tanh": (lambda: tf.tanh(vector()),),
    "Sigmoid": (lambda: tf.sigmoid(vector()),),
    "Relu": (lambda: tf.nn.relu(vector()),),
    "MatMul": (lambda: tf.matmul(matrix(), matrix()),),
    "matmul": (lambda: matrix() @ matrix(),),
    "Mean": (lambda: tf.reduce_mean(vector()),),
    "Sum": (lambda: tf.reduce_sum(vector()),),
    "Max": (lambda: tf.reduce_max(vector()),),
    "Min": (lambda: tf.reduce_min(vector()),),
    "Prod": (lambda: tf.reduce_prod(vector()),),
    "Maximum": (lambda: tf.maximum(vector(), 0.0),),
    "Minimum": (lambda: tf.minimum(vector(), 0.0),),
    "transpose": (lambda: tf.transpose(vector()),),
    "Reshape": (lambda: tf.reshape(vector(), [2, 1]),),
    "Cast": (lambda: tf.cast(vector(), tf.int32),),
    "ArgMax": (lambda: tf.argmax(vector()),),
    "Equal": (lambda: tf.equal(vector(), 0.0),),
    "Shape": (lambda: tf.shape(vector()),),
    "stack": (lambda: tf.stack([vector()]),),
    "concat": (lambda: tf.concat([vector()], 0),),
    "AddN": (lambda: tf.add_n([vector()]),),
    "ExpandDims": (lambda: tf.expand_dims(vector(), 0),),
    "Squeeze": (lambda: tf.squeeze(vector()),),
    "Select": (lambda: tf.where(tf.constant([True, False]), vector(), vector()),),
    "StopGradient": (lambda: tf.stop_gradient(vector()),),
    "Identity": (lambda: tf.identity(vector()),),
    "clip_by_value": (lambda: tf.clip_by_value(vector(), 0.0, 1.0),),
    "range": (lambda: tf.range(3),),
    "Fill": (lambda: tf.fill([2], 1.0),),
    "zeros_like": (lambda: tf.zeros_like(vector()),),
    "zeros": (lambda: tf.zeros([2]), lambda: tf.zeros([2000])),
    "ones": (lambda: tf.ones([2]),),
    "MatrixInverse": (lambda: tf.matrix_inverse(matrix()),),
    "Const": (lambda: tf.constant(1.0),),
    "Placeholder": (lambda: tf.placeholder(tf.float32),),
    "random_uniform": (lambda: tf.random_uniform([2]),),
    "random_normal": (lambda: tf.random_normal([2]),),
    "truncated_normal": (lambda: tf.truncated_normal([2]),),
    "RandomShuffle": (lambda: tf.random_shuffle(vector()),),
    "Slice": (lambda: tf.slice(vector(), [0], [1]),),
    "NoOp": (lambda: tf.no_op(),),
    "group_deps": (lambda: tf.group(), lambda: tf.group(vector())),
    "init": (lambda: tf.global_variables_initializer(),),
    "Variable": (lambda: tf.Variable(1.0),),
}


@pytest.mark.parametrize("name", CALLED, ids=list(CALLED))
def test_automatic_names(name: str) -> None:
    for call in CALLED[name]:
        tf.reset_default_graph()
        first, second = call(), call()
        kind = ":0" if not isinstance(first, tf.Operation) else ""
        assert first.name == name + kind  # type: ignore[attr-defined]
        assert second.name == f"{name}_1{kind}"  # type: ignore[attr-defined]


def test_unstack_has_one_operation_for_all_outputs() -> None:
    assert [t.name for t in tf.unstack(tf.zeros([3]))] == ["unstack:0", "unstack:1", "unstack:2"]


def test_the_first_example_of_many_books() -> None:
    x, y = tf.Variable(3, name="x"), tf.Variable(4, name="y")
    f = x * x * y + y + 2
    assert f.name == "add_1:0"
    assert repr(f) == "<tf.Tensor 'add_1:0' shape=() dtype=int32>"
    assert str(f) == 'Tensor("add_1:0", shape=(), dtype=int32)'
    assert operations() == [
        *("x/initial_value", "x", "x/Assign", "x/read"),
        *("y/initial_value", "y", "y/Assign", "y/read"),
        *("mul", "mul_1", "add", "add_1/y", "add_1"),
    ]


def test_constants_of_operands() -> None:
    x = tf.placeholder(tf.float32, name="x")
    _ = x * 2 + 3
    _ = 1 / x
    tf.matmul([[1.0]], [[1.0]])
    tf.maximum(x, 0.0, name="relu")
    assert operations() == [
        "x",
        *("mul/y", "mul", "add/y", "add"),
        *("truediv/x", "truediv"),
        *("MatMul/a", "MatMul/b", "MatMul"),
        *("relu/y", "relu"),
    ]


def test_variables() -> None:
    tf.Variable(3)
    tf.Variable(tf.zeros([2]))
    tf.Variable(1.0, name="theta")
    assert operations() == [
        *("Variable/initial_value", "Variable", "Variable/Assign", "Variable/read"),
        *("zeros", "Variable_1", "Variable_1/Assign", "Variable_1/read"),
        *("theta/initial_value", "theta", "theta/Assign", "theta/read"),
    ]


def test_training_operations() -> None:
    theta = tf.Variable(3.0, name="theta")
    train = tf.train.GradientDescentOptimizer(0.1).minimize(tf.square(theta, name="loss"))
    named = tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.square(theta), name="training_op")
    assert train.name == "GradientDescent"
    assert named.name == "training_op"
    for name in ("GradientDescent/learning_rate", "GradientDescent/update_theta/ApplyGradientDescent", "theta/Momentum"):
        assert name in operations()
    assert all(
        name.startswith("gradients/")
        for name in operations()[operations().index("loss") + 1 : operations().index("GradientDescent/learning_rate")]
    )


# ---------------------------------------------------------------- uniqueness
def test_uniqueness_ignores_case() -> None:
    assert [tf.constant(1.0, name=n).name for n in ("a", "A", "a", "a_1", "A_1")] == ["a:0", "A_1:0", "a_2:0", "a_1_1:0", "A_1_2:0"]


def test_graphs_count_for_themselves() -> None:
    assert tf.constant(1.0, name="a").name == "a:0"
    with tf.Graph().as_default():
        assert tf.constant(1.0, name="a").name == "a:0"
    assert tf.constant(1.0, name="a").name == "a_1:0"
    tf.reset_default_graph()
    assert tf.constant(1.0, name="a").name == "a:0"


def test_legal_names() -> None:
    for name in ("x", "X9", "9", ".hidden", "a-b", "a/b", "a.b", "a\\b", "a>b", "w_"):
        assert tf.constant(1.0, name=name).name == name + ":0"
    for name in ("", " ", "_x", "-x", "/x", "a b", "a:0", "é", "x\n", "a^"):
        if name:
            with pytest.raises(ValueError, match="is not a valid root scope name"):
                tf.constant(1.0, name=name)
            with pytest.raises(ValueError, match="is not a valid root scope name"):
                tf.add(1.0, 2.0, name=name)
    with tf.name_scope("s"):
        assert tf.constant(1.0, name="_x").name == "s/_x:0", "inside a scope more is legal"


# ---------------------------------------------------------------- scopes
def test_name_scopes() -> None:
    names = []
    for _ in range(2):
        with tf.name_scope("s") as scope:
            names += [scope, tf.constant(1.0, name="a").name, tf.constant(1.0, name="A").name, (tf.constant(1.0) + 1).name]
    assert names == ["s/", "s/a:0", "s/A_1:0", "s/add:0", "s_1/", "s_1/a:0", "s_1/A_1:0", "s_1/add:0"]
    with tf.name_scope("s/"):
        assert tf.constant(1.0, name="a").name == "s/a_2:0"
    with tf.name_scope("x"), tf.name_scope("y") as inner:
        assert inner == "x/y/"
        with tf.name_scope(None) as root:
            assert root == ""
            assert tf.constant(1.0, name="root").name == "root:0"
        assert tf.constant(1.0, name="in").name == "x/y/in:0"
        with tf.name_scope(inner):
            assert tf.constant(1.0, name="in").name == "x/y/in_1:0"
    assert tf.constant(1.0, name="out").name == "out:0"


def test_scope_of_variables_and_expressions() -> None:
    with tf.name_scope("param"):
        a = tf.Variable(1.0, name="a")
    with tf.name_scope("param"):
        b = tf.Variable(1.0, name="a")
        c = a * 2.0
    assert (a.name, b.name, c.name) == ("param/a:0", "param_1/a:0", "param_1/mul:0")
    assert a.op.name == "param/a"
    assert a.initializer.name == "param/a/Assign"
    assert c.op.inputs[0].name == "param/a/read:0"
    with tf.name_scope("train"):
        assert tf.gradients(c, [a])[0].name.startswith("train/gradients/")  # type: ignore[union-attr]


def test_a_scope_ends_with_its_exception() -> None:
    with pytest.raises(ZeroDivisionError), tf.name_scope("s"):
        1 / 0  # noqa: B018  the point is that it raises
    assert tf.constant(1.0, name="a").name == "a:0"


# ---------------------------------------------------------------- how things print
def test_reprs() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    p = tf.placeholder(tf.float32, name="p")
    v = tf.Variable(3, name="v")
    shape = tf.placeholder(tf.float32, [None, 100]).get_shape()
    assert repr(x) == "<tf.Tensor 'x:0' shape=(?, 3) dtype=float32>"
    assert str(x) == 'Tensor("x:0", shape=(?, 3), dtype=float32)'
    assert repr(p) == "<tf.Tensor 'p:0' shape=<unknown> dtype=float32>"
    assert str(p) == 'Tensor("p:0", dtype=float32)'
    assert repr(v) == str(v) == "<tf.Variable 'v:0' shape=() dtype=int32_ref>"
    assert repr(tf.no_op()) == "<tf.Operation 'NoOp' type=NoOp>"
    assert repr(x.op) == "<tf.Operation 'x' type=Placeholder>"
    assert repr(shape) == "TensorShape([Dimension(None), Dimension(100)])"
    assert str(shape) == "(?, 100)"
    assert repr(p.get_shape()) == "TensorShape(None)"
    assert str(p.get_shape()) == "<unknown>"
    assert (repr(tf.float32), str(tf.float32)) == ("tf.float32", "<dtype: 'float32'>")
    assert str(tf.zeros([3]).shape) == "(3,)"


def test_types_of_operations() -> None:
    v = tf.Variable(1.0, name="v")
    types = {op.name: op.type for op in v.graph.get_operations()}
    assert types == {"v/initial_value": "Const", "v": "VariableV2", "v/Assign": "Assign", "v/read": "Identity"}
    assert tf.global_variables_initializer().type == "NoOp"


def test_finding_by_name() -> None:
    x = tf.constant(1.0, name="x")
    graph = tf.get_default_graph()
    assert graph.get_tensor_by_name("x:0") is x
    assert graph.get_operation_by_name("x") is x.op
    assert graph.as_graph_element("x:0") is x
    assert graph.as_graph_element("x") is x.op
    assert x.op.outputs == (x,)
    assert (x.name, x.op.name, x.graph) == ("x:0", "x", graph)


def test_a_placeholder_inside_scopes_names_its_sizes() -> None:
    with tf.name_scope("inputs"):
        a = tf.placeholder(tf.float32, [None], name="X")
        b = tf.placeholder(tf.float32, [None], name="X")
    c = a + b
    with tf.Session() as sess, pytest.raises(ValueError, match=r"inputs/X\.shape\[0\] and inputs/X_1\.shape\[0\] must be equal"):
        sess.run(c, {a: [1.0, 2.0], b: [1.0, 2.0, 3.0]})
