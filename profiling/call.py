"""What one `sess.run(training_op)` costs: beyond its arithmetic, and on the size of California housing.

Law of this file: one training step of linear regression, the same program for every session.  On a handful of rows the
arithmetic is far below a microsecond, so what is left is the call.  TensorFlow takes part where it is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType

import numpy as np

import symgraph

from .timing import Side, Timing, compare

SMALL = (4, 3)
HOUSING = (20640, 9)
RATE = 0.01


def tensorflow() -> ModuleType | None:
    """TensorFlow with its version-1 names, or None where it is not installed."""
    if importlib.util.find_spec("tensorflow") is None:
        return None
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    module = importlib.import_module("tensorflow").compat.v1
    module.disable_eager_execution()
    return module


def problem(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Features of that size and a target, both float32, the same in every process."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(size).astype(np.float32), rng.standard_normal((size[0], 1)).astype(np.float32)


def session(tf: ModuleType, size: tuple[int, int], *, feeds: bool) -> Side:
    """A session that does one step of gradient descent per call; the answer is theta after the first one."""
    data, target = problem(size)
    with tf.Graph().as_default():
        if feeds:
            X, y = tf.placeholder(tf.float32, (None, size[1])), tf.placeholder(tf.float32, (None, 1))
            feed = {X: data, y: target}
        else:
            X, y, feed = tf.constant(data), tf.constant(target), None
        theta = tf.Variable(np.zeros((size[1], 1), np.float32))
        mse = tf.reduce_mean(tf.square(tf.matmul(X, theta) - y))
        step = tf.train.GradientDescentOptimizer(RATE).minimize(mse)
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
    name = "symgraph" if tf is symgraph else "TensorFlow"
    return Side(f"{name}, {'fed' if feeds else 'constants'}", lambda: sess.run(step, feed_dict=feed), lambda: sess.run(theta))


def numpy_step(size: tuple[int, int]) -> Side:
    """The same step as three lines of NumPy."""
    data, target = problem(size)
    theta = np.zeros((size[1], 1), np.float32)

    def step() -> None:
        error = data @ theta - target
        theta[:] -= np.float32(RATE) * (np.float32(2 / size[0]) * (data.T @ error))

    return Side("NumPy", step, lambda: theta.copy())


def session_call(quick: bool) -> list[Timing]:
    """One training step on 4 rows through a session: the cost of the call."""
    return _race(SMALL, quick)


def housing_step(quick: bool) -> list[Timing]:
    """One full-batch training step on 20640 x 9 numbers through a session."""
    return _race(HOUSING, quick)


def _race(size: tuple[int, int], quick: bool) -> list[Timing]:
    sessions = [symgraph, *filter(None, [tensorflow()])]
    sides = [session(tf, size, feeds=feeds) for tf in sessions for feeds in (False, True)]
    return compare([*sides, numpy_step(size)], rounds=5 if quick else 15, least=0.005 if quick else 0.05)
