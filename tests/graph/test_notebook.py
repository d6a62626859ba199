"""What a notebook shows."""

import sys
from xml.etree import ElementTree

import pytest

import symgraph as tf

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def program() -> tf.Graph:
    X = tf.placeholder(tf.float32, (None, 3), name="X")
    theta = tf.Variable(tf.zeros([3, 1]), name="theta")
    with tf.name_scope("loss"):
        mse = tf.reduce_mean(tf.square(tf.matmul(X, theta)), name="mse")
    tf.train.GradientDescentOptimizer(0.01).minimize(mse)
    return tf.get_default_graph()


def test_svg_has_scopes_as_nested_boxes(program: tf.Graph) -> None:
    pytest.importorskip("pygraphviz", reason="pygraphviz is not installed: pip install 'symgraph[viz]'")
    svg = tf.show_graph(program).svg()
    root = ElementTree.fromstring(svg)
    titles = {t.text for t in root.iter(f"{SVG}title")}
    assert {"cluster_loss", "cluster_gradients", "cluster_GradientDescent", "cluster_theta"} <= titles
    words = {t.text for t in root.iter(f"{SVG}text")}
    assert {"X", "mse", "loss", "(?, 1)"} <= words
    assert not any("href" in k and not v.startswith("#") for e in root.iter() for k, v in e.attrib.items())


def test_tree_without_graphviz(program: tf.Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    picture = tf.show_graph(program)
    with pytest.raises(ImportError, match="symgraph\\[viz\\]"):
        picture.svg()
    html = picture._repr_html_()
    assert html.startswith("<pre>")
    assert "  mse  Mean float32()  &lt;- loss/Square" in html


def test_of_a_tensor_shows_what_it_needs(program: tf.Graph) -> None:
    picture = tf.show_graph(program.get_tensor_by_name("loss/Square:0"))
    assert [op.name for op in picture.operations] == ["X", "theta", "theta/read", "loss/MatMul", "loss/Square"]


def test_showing_changes_nothing(program: tf.Graph) -> None:
    before = len(program.get_operations())
    repr(tf.show_graph(program))
    program.get_tensor_by_name("loss/mse:0")._repr_html_()
    assert len(program.get_operations()) == before


def test_reprs_are_escaped(program: tf.Graph) -> None:
    t = program.get_tensor_by_name("loss/mse:0")
    assert "<tf.Tensor" not in t._repr_html_()
    assert "&lt;tf.Tensor" in t._repr_html_()
    assert r"X \theta" in t._repr_html_()
    assert "&lt;tf.Variable" in tf.trainable_variables()[0]._repr_html_()
    assert tf.formula(t)._repr_latex_().startswith("$$")


def test_unknown_thing() -> None:
    with pytest.raises(TypeError, match="takes a graph, a tensor or an operation"):
        tf.show_graph(3)
