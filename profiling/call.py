"""What one `sess.run(training_op)` costs beyond its arithmetic.

Law of this file: the chapter's training step on so few rows that the arithmetic is far below a microsecond; what is
left is the call.  TensorFlow's own session runs the same program where it is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType

import numpy as np

import symgraph

from .timing import Side, Timing, compare

ROWS, COLUMNS = 4, 3


def tensorflow() -> ModuleType | None:
    """TensorFlow with its version-1 names, or None where it is not installed."""
    if importlib.util.find_spec("tensorflow") is None:
        return None
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    module = importlib.import_module("tensorflow").compat.v1
    module.disable_eager_execution()
    return module


def training_call(tf: ModuleType, *, feeds: bool) -> Side:
    """A session that does one step of gradient descent per call; the answer is theta after the first one."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    target = rng.standard_normal((ROWS, 1)).astype(np.float32)
    with tf.Graph().as_default():
        if feeds:
            X, y = tf.placeholder(tf.float32, (None, COLUMNS)), tf.placeholder(tf.float32, (None, 1))
            feed = {X: data, y: target}
        else:
            X, y, feed = tf.constant(data), tf.constant(target), None
        theta = tf.Variable(np.zeros((COLUMNS, 1), np.float32))
        mse = tf.reduce_mean(tf.square(tf.matmul(X, theta) - y))
        step = tf.train.GradientDescentOptimizer(0.01).minimize(mse)
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
    name = "symgraph" if tf.__name__ == "symgraph" else "TensorFlow"
    return Side(f"{name}, {'fed' if feeds else 'constants'}", lambda: sess.run(step, feed_dict=feed), lambda: sess.run(theta))


def session_call(quick: bool) -> list[Timing]:
    """One training step through a session, with constants and with fed data."""
    sides = [training_call(symgraph, feeds=False), training_call(symgraph, feeds=True)]
    if (other := tensorflow()) is not None:
        sides += [training_call(other, feeds=False), training_call(other, feeds=True)]
    return compare(sides, rounds=5 if quick else 15, least=0.005 if quick else 0.05)
