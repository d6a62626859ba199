"""Deep and widely shared graphs: cost grows with the number of operations, never with the number of paths.

Law of this file: no time is held against a clock; a graph five times as deep may take 7.5 times the CPU time.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np
import pytest

import symgraph as tf

SHORT, LONG, GROWTH = 2_000, 10_000, 7.5
START = np.array([0.1, 0.2, 0.3])


def chain(x: tf.Tensor, depth: int) -> tf.Tensor:
    steps: list[Callable] = [tf.sin, tf.tanh, lambda t: t * 0.5, lambda t: t + 1.0, lambda t: tf.exp(-t), lambda t: t * t, tf.sigmoid]
    for k in range(depth):
        x = steps[k % len(steps)](x)
    return x


def residual(x: tf.Tensor, depth: int) -> tf.Tensor:
    """Every step reads what the one before it read, and a variable."""
    w = tf.Variable(np.full(3, 0.01))
    for _ in range(depth // 3):
        x = x + w * tf.tanh(x)
    return x


def products(x: tf.Tensor, depth: int) -> tf.Tensor:
    a = tf.constant(np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]]))
    column = tf.reshape(x, (3, 1))
    for _ in range(depth):
        column = tf.matmul(a, column)
    return column


def walk(make: Callable, depth: int) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """CPU seconds of each stage, the value and the gradient."""
    spent = {}

    def timed(name: str, f: Callable):
        gc.collect()
        gc.disable()  # the collector walks all that lives, also what other tests left
        try:
            before = time.process_time()
            result = f()
            spent[name] = time.process_time() - before
        finally:
            gc.enable()
        return result

    tf.reset_default_graph()
    x = tf.placeholder(tf.float64, (3,))
    y = timed("build", lambda: make(x, depth))
    g = timed("derive", lambda: tf.gradients(y, x)[0])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        value, slope = timed("run", lambda: session.run([y, g], {x: START}))
    return spent, value, slope


@pytest.mark.slow
@pytest.mark.parametrize("make", [chain, residual, products])
def test_cost_is_linear_in_depth(make: Callable) -> None:
    walk(make, 200)  # what is loaded and cached once
    least: dict[int, dict[str, float]] = {}
    slower: dict[str, float] = {}
    for _ in range(3):  # a busy machine gets two more tries
        for depth in (SHORT, LONG):
            spent, value, slope = walk(make, depth)
            assert np.isfinite(value).all()
            assert np.isfinite(slope).all()
            best = least.setdefault(depth, spent)
            least[depth] = {k: min(v, best[k]) for k, v in spent.items()}
        slower = {k: least[LONG][k] / least[SHORT][k] for k in least[LONG]}
        if max(slower.values()) < GROWTH:
            return
    pytest.fail(f"{LONG} operations against {SHORT} take {slower} times as long")


def test_values_of_a_deep_chain() -> None:
    x = tf.placeholder(tf.float64, (3,))
    y = x
    for _ in range(SHORT):
        y = y * 1.0001
    (g,) = tf.gradients(y, x)
    with tf.Session() as session:
        value, slope = session.run([y, g], {x: START})
    np.testing.assert_allclose(slope, 1.0001**SHORT, rtol=1e-9)
    np.testing.assert_allclose(value, START * 1.0001**SHORT, rtol=1e-9)


def test_a_deep_sum_of_many_parts() -> None:
    x = tf.placeholder(tf.float64, (3,))
    parts = [x * float(k) for k in range(2_000)]
    y = tf.add_n(parts)
    (g,) = tf.gradients(y, x)
    with tf.Session() as session:
        np.testing.assert_allclose(session.run(g, {x: START}), sum(range(2_000)))


# ---------------------------------------------------------------- 2^60 paths
SHARED: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "sum": lambda x: x + x,
    "product": lambda x: x * x * 0.9,
    "sine": lambda x: tf.sin(x) * x,
    "mixed": lambda x: tf.tanh(x) + tf.tanh(x) * x,
    "matrix": lambda x: tf.matmul(x, x) * 0.1,
    "reduced": lambda x: x * tf.reduce_sum(x) * 0.1,
    "moved": lambda x: tf.reduce_sum(tf.concat([x, tf.transpose(x)], 0)) * x[::-1] * 0.01,
}


@pytest.mark.parametrize("name", SHARED)
def test_wide_sharing(name: str) -> None:
    x = tf.placeholder(tf.float64, (2, 2), name="x")
    y, few = x, None
    for level in range(60):
        y = SHARED[name](y)
        if level == 5:
            few = y
    (g,) = tf.gradients(y, x)
    (slope,) = tf.gradients(few, x)
    with tf.Session() as session:
        at = np.array([[0.3, 0.1], [-0.2, 0.4]])
        assert all(np.isfinite(v).all() for v in session.run([y, g], {x: at}))
        found, total = session.run(slope, {x: at}), tf.reduce_sum(few)
        for i in np.ndindex(2, 2):
            step = np.zeros((2, 2))
            step[i] = 1e-5
            difference = (session.run(total, {x: at + step}) - session.run(total, {x: at - step})) / 2e-5
            assert found[i] == pytest.approx(difference, rel=1e-5, abs=1e-9)
    for t in (y, g):
        text = tf.formula(t)
        assert len(str(text)) < 20_000
        assert len(text.latex()) < 40_000
    assert len(tf.formula(y).where) >= 2 or name == "sum"  # 60 doublings are one number


def test_formula_of_a_deep_chain() -> None:
    x = tf.placeholder(tf.float64, (3,), name="x")
    y = chain(x, SHORT)
    text = str(tf.formula(tf.gradients(y, x)[0]))
    assert 10_000 < len(text) < 1_000_000
