"""Composites: what a name means, that it holds where the plain formula overflows, and how a formula counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symgraph as tf
from symgraph import build, dtypes
from symgraph.composites import COMPOSITES, expand
from symgraph.node import Kind, Node, toposort
from symgraph.simplify.cost import applications
from tests.graph.interpreted import evaluate

LEAF = build.leaf(Kind.PLACEHOLDER, "A", (4, 3), dtypes.float64)
MEANING: dict[str, Callable] = {
    "softmax": lambda x, a, k: np.exp(x) / np.exp(x).sum(a, keepdims=True),
    "log_softmax": lambda x, a, k: x - np.log(np.exp(x).sum(a, keepdims=True)),
    "logsumexp": lambda x, a, k: np.log(np.exp(x).sum(a, keepdims=k)),
    "norm": lambda x, a, k: np.sqrt((x * x).sum(a, keepdims=k)),
}


def value(n: Node, at: np.ndarray) -> np.ndarray:
    return evaluate([n], {LEAF: at})[0]


@pytest.mark.parametrize("name", COMPOSITES)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_meaning(name: str, axes: tuple[int, ...], keepdims: bool) -> None:
    n = build.composite(name, LEAF, axes, keepdims)
    (plain,) = expand([n])
    assert plain.shape == n.shape
    assert not any(m.kind is Kind.COMPOSITE for m in toposort([plain]))
    x = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(value(n, x), MEANING[name](x, axes, keepdims), rtol=1e-12)
    assert np.isfinite(value(n, 1000 * x)).all()


def test_logsumexp_of_infinities() -> None:
    x = np.array([[np.inf, 0, 1], [-np.inf, 0, 1], [-np.inf] * 3, [np.nan, 0, 1]])
    wanted = [np.inf, np.log1p(np.e), -np.inf, np.nan]
    np.testing.assert_allclose(value(build.composite("logsumexp", LEAF, (1,)), x), wanted)


def test_operations_build_them() -> None:
    x = tf.placeholder(tf.float32, (2, 3), "x")
    for made, name, shown in [
        (tf.nn.softmax(x), "softmax", "softmax(x)"),
        (tf.nn.log_softmax(x, axis=0), "log_softmax", "log_softmax₀(x)"),
        (tf.norm(x), "norm", "‖x‖"),
        (tf.norm(x, axis=1), "norm", "√(sum₁(x²))"),
    ]:
        assert made.node.kind is Kind.COMPOSITE
        assert made.node.attrs[0] == name
        assert str(tf.formula(made)) == shown
    with tf.Session() as session:
        at = np.array([[1, 2, 3], [4, 6, 6]], np.float32)
        g = session.run(tf.gradients(tf.reduce_sum(tf.nn.log_softmax(x)[:, 0]), [x])[0], {x: at})
        np.testing.assert_allclose(g, np.eye(3)[[0, 0]] - MEANING["softmax"](at, 1, True), atol=1e-6)


def square(name: str = "A") -> tf.Tensor:
    return tf.placeholder(tf.float32, (4, 4), name)


COSTS: list[tuple[Callable, int]] = [
    (lambda A: tf.sin(A) + tf.transpose(tf.sin(A)), 2),
    (lambda A: (tf.sin(A) - tf.cos(A)) * (tf.cos(A) - tf.sin(A)), 4),
    (lambda A: 2.0 * tf.transpose(-A), 0),
    (lambda A: A / tf.exp(A), 2),
    (lambda A: 1.0 / (1.0 + tf.exp(-A)), 3),
    (lambda A: A * A * tf.sin(A), 3),
    (lambda A: tf.matmul(A, tf.sin(A)) + tf.transpose(tf.matmul(tf.transpose(tf.sin(A)), tf.transpose(A))), 3),
    (lambda A: tf.matrix_inverse(A) + tf.transpose(tf.matrix_inverse(tf.transpose(A))), 2),
    (lambda A: tf.matrix_determinant(A) + tf.matrix_determinant(tf.transpose(A)), 2),
    (lambda A: tf.nn.softmax(A) * tf.nn.log_softmax(A), 3),
    (lambda A: tf.eye(4) + A, 1),
    (tf.trace, 1),
    (tf.reduce_mean, 1),
    (lambda A: tf.reduce_sum(A * A, 1), 2),
    (lambda A: tf.reshape(A, [2, 8]), 0),
    (lambda A: tf.expand_dims(tf.sin(A[0]), 1) * tf.reshape(tf.sin(A[0]), [4, 1]), 3),
    (lambda A: tf.where(A > 0.3, A, -A), 2),
    (lambda A: tf.concat([A[1:], A], 0), 2),
]


@pytest.mark.parametrize("row", range(len(COSTS)))
def test_applications(row: int) -> None:
    make, wanted = COSTS[row]
    assert applications([make(square()).node]) == wanted


def test_applications_are_shared_between_roots() -> None:
    X, y, w = tf.placeholder(tf.float32, (None, 3), "X"), tf.placeholder(tf.float32, (None, 1), "y"), tf.Variable(tf.zeros((3, 1)))
    loss = tf.reduce_mean(tf.square(tf.matmul(X, w) - y))
    (g,) = tf.gradients(loss, [w])
    assert [applications(roots) for roots in ([loss.node], [g.node], [loss.node, g.node])] == [4, 3, 5]
