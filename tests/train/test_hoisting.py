"""Steps of real training graphs with what all steps share moved out: which of them shrink, and that they train alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symgraph as tf
from symgraph import codegen
from symgraph.codegen.hoist import Hoisted, hoist
from symgraph.codegen.ir import Map, Program
from symgraph.codegen.reference import interpret

ROWS = 500
rng = np.random.default_rng(0)
X = rng.standard_normal((ROWS, 6)).astype(np.float32)
Y = (X @ rng.standard_normal((6, 1)) + 0.1 * rng.standard_normal((ROWS, 1))).astype(np.float32)
WEIGHTS = rng.uniform(0.5, 2, (ROWS, 1)).astype(np.float32)


def least_squares(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.square(tf.matmul(x, tf.Variable(tf.zeros([6, 1]), name="w")) - y))


def with_intercept(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    w, b = tf.Variable(tf.ones([6, 1]), name="w"), tf.Variable(0.5, name="b")
    return tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))


def ridge(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    w = tf.Variable(tf.ones([6, 1]), name="w")
    return tf.reduce_mean(tf.square(tf.matmul(x, w) - y)) + 0.1 * tf.reduce_sum(tf.square(w))


def weighted(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    w = tf.Variable(tf.ones([6, 1]), name="w")
    return tf.reduce_sum(tf.constant(WEIGHTS) * tf.square(y - tf.matmul(x, w))) / 1000.0


def polynomial(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    c = [tf.Variable(0.1, name=f"c{i}") for i in range(4)]
    t = tf.tanh(x[:, 0])
    return tf.reduce_mean(tf.square(c[0] + c[1] * t + c[2] * t**2 + c[3] * t**3 - y[:, 0]))


def logistic(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    w = tf.Variable(tf.zeros([6, 1]), name="w")
    p = tf.sigmoid(tf.matmul(x, w))
    return -tf.reduce_mean(tf.sigmoid(y) * tf.log(p) + (1 - tf.sigmoid(y)) * tf.log(1 - p))


def step_of(loss: Callable, optimizer: tf.train.Optimizer, fed: bool = False) -> tuple[Program, list[np.ndarray], list[np.ndarray]]:
    """The program of a training step, its states, its inputs."""
    given = [tf.placeholder(tf.float32, [None, a.shape[1]]) for a in (X, Y)] if fed else [tf.constant(a) for a in (X, Y)]
    train = optimizer.minimize(loss(*given))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        function = sess.compiled(train)
        program = function.program
        values = {v.op.name: sess.run(v) for v in tf.global_variables()}
    table = program.table()
    return program, [values[table[n].origin.split("'")[1]] for n in program.states], [X, Y] if fed else []


def moved_out(program: Program, algebra: bool) -> Hoisted:
    return hoist(program, frozenset(program.inputs), {n: ROWS for n, _ in program.sizes}, algebra)


def run(program: Program, states: list, inputs: list, count: int, make: Callable = interpret) -> list[np.ndarray]:
    held = [np.array(s) for s in states]
    call = make(program).bind(held)
    for _ in range(count):
        call(*inputs)
    return held


OPTIMIZERS = {
    "descent": lambda: tf.train.GradientDescentOptimizer(0.05),
    "momentum": lambda: tf.train.MomentumOptimizer(0.02, 0.9),
    "adam": lambda: tf.train.AdamOptimizer(0.05),
}


@pytest.mark.parametrize(
    ("loss", "optimizer", "fed"),
    [
        *((loss, "descent", False) for loss in (least_squares, with_intercept, ridge, weighted, polynomial)),
        *((loss, "adam", True) for loss in (least_squares, with_intercept, ridge, polynomial)),
        (with_intercept, "momentum", False),
    ],
)
def test_quadratic_losses_train_without_rows(loss: Callable, optimizer: str, fed: bool) -> None:
    program, states, inputs = step_of(loss, OPTIMIZERS[optimizer](), fed)
    h = moved_out(program, algebra=True)
    assert h.once
    rows = {ROWS, *(n for n, _ in program.sizes)}
    assert not any(isinstance(s, Map) and rows & set(s.space) for s in h.step.statements)
    assert h.gain.after.ns < h.gain.before.ns / 10
    fixed = interpret(h.once).bind()(*(dict(zip(program.inputs, inputs, strict=True))[n] for n in h.once.inputs))
    old, new = run(program, states, inputs, 20), run(h.step, states, [*inputs, *fixed], 20)
    for a, b in zip(old, new, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert moved_out(h.step, algebra=True).once is None


def test_a_loop_of_compiled_steps_agrees() -> None:
    program, states, _ = step_of(with_intercept, OPTIMIZERS["adam"]())
    h = moved_out(program, algebra=True)
    assert h.once
    fixed = list(interpret(h.once).bind()())
    old, new = run(program, states, [], 50, codegen.compile), run(h.step, states, fixed, 50, codegen.compile)
    for a, b in zip(old, new, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_logistic_regression_has_nothing_to_reassociate() -> None:
    """Only the labels' own function moves."""
    program, states, _ = step_of(logistic, OPTIMIZERS["descent"]())
    h = moved_out(program, algebra=True)
    assert not any("sums of products" in n for n in h.notes)
    assert h.once and [h.once.table()[n].shape for n in h.once.outputs] == [(ROWS,)]
    for a, b in zip(run(program, states, [], 5), run(h.step, states, list(interpret(h.once).bind()()), 5), strict=True):
        np.testing.assert_array_equal(a, b)


def test_implied_volatility_moves_what_holds_no_volatility() -> None:
    """Black and Scholes: logarithms, square roots and discounts of the contracts are the same at every step."""
    n = 2000
    spot, strike, time = (rng.uniform(a, b, n).astype(np.float32) for a, b in ((90, 110), (80, 120), (0.1, 2)))

    def loss(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        s, k, t = (tf.constant(a) for a in (spot, strike, time))
        v = tf.Variable(np.full(n, 0.3, np.float32), name="v")
        d1 = (tf.log(s / k) + (0.02 + v * v / 2) * t) / (v * tf.sqrt(t))
        d2 = d1 - v * tf.sqrt(t)
        cdf = lambda d: 0.5 * (1 + tf.erf(d / np.sqrt(np.float32(2))))  # noqa: E731
        price = s * cdf(d1) - k * tf.exp(-0.02 * t) * cdf(d2)
        return tf.reduce_sum(tf.square(price - 9.0))

    program, states, _ = step_of(loss, tf.train.GradientDescentOptimizer(1e-5))
    h = moved_out(program, algebra=True)
    assert h.once
    table = h.once.table()
    moved = sorted(table[n].origin.split()[0] for n in h.once.outputs)
    assert moved == ["Log", "Mul", "Sqrt", "SymbolicGradient"]  # Mul: the discounted strikes; of the gradient, a scaled root
    assert "exp(" in str(h.once) and "log(" not in str(h.step)
    assert h.gain.after.flops < 0.9 * h.gain.before.flops
    for a, b in zip(run(program, states, [], 3), run(h.step, states, list(interpret(h.once).bind()()), 3), strict=True):
        np.testing.assert_array_equal(a, b)
