"""Small training programs for tests of loops: each function builds one into the default graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import symgraph as sg

train = sg.train
ROWS = 37


@dataclass(frozen=True)
class Model:
    """What to run, under which feeds, and what to record."""

    step: Any
    record: dict[str, Any]
    feeds: dict[Any, np.ndarray] = field(default_factory=dict)


def rows(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


OPTIMIZERS: dict[str, Callable[[], train.Optimizer]] = {
    "GradientDescent": lambda: train.GradientDescentOptimizer(0.05),
    "Momentum": lambda: train.MomentumOptimizer(0.02, 0.9),
    "Nesterov": lambda: train.MomentumOptimizer(0.02, 0.9, use_nesterov=True),
    "Adagrad": lambda: train.AdagradOptimizer(0.1),
    "RMSProp": lambda: train.RMSPropOptimizer(0.01, momentum=0.9),
    "Adam": lambda: train.AdamOptimizer(0.05),
}


def linear(optimizer: Callable[[], train.Optimizer] = OPTIMIZERS["GradientDescent"]) -> Model:
    X, y = sg.placeholder(sg.float32, (None, 3), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    theta = sg.Variable(np.zeros((3, 1), np.float32), name="theta")
    mse = sg.reduce_mean(sg.square(sg.matmul(X, theta) - y), name="mse")
    data = rows(ROWS, 3)
    return Model(optimizer().minimize(mse), {"mse": mse, "theta": theta}, {X: data, y: data @ np.float32([[1], [2], [3]])})


def constants() -> Model:
    data = rows(ROWS, 3)
    theta = sg.Variable(np.zeros((3, 1), np.float32), name="theta")
    mse = sg.reduce_mean(sg.square(sg.matmul(sg.constant(data), theta) - data @ np.float32([[1], [2], [3]])), name="mse")
    return Model(train.AdamOptimizer(0.1).minimize(mse), {"mse": mse})


def logistic() -> Model:
    X, y = sg.placeholder(sg.float32, (None, 3), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    theta, bias = sg.Variable(np.zeros((3, 1), np.float32), name="theta"), sg.Variable(0.0, name="bias")
    p = sg.sigmoid(sg.matmul(X, theta) + bias)
    loss = -sg.reduce_mean(y * sg.log(p + 1e-7) + (1.0 - y) * sg.log(1.0 - p + 1e-7), name="loss")
    data = rows(ROWS, 3)
    feeds = {X: data, y: (data[:, :1] > 0) * np.float32(1)}
    return Model(train.MomentumOptimizer(0.1, 0.9).minimize(loss), {"loss": loss, "bias": bias}, feeds)


def mlp() -> Model:
    X, y = sg.placeholder(sg.float32, (None, 4), "X"), sg.placeholder(sg.float32, (None, 3), "y")
    W1, b1 = sg.Variable(0.3 * rows(4, 8, seed=1), name="W1"), sg.Variable(np.zeros(8, np.float32), name="b1")
    W2 = sg.Variable(0.3 * rows(8, 3, seed=2), name="W2")
    logits = sg.matmul(sg.nn.relu(sg.matmul(X, W1) + b1), W2)
    top = sg.reduce_max(logits, axis=1, keepdims=True)
    log_sum = top + sg.log(sg.reduce_sum(sg.exp(logits - top), axis=1, keepdims=True))
    loss = -sg.reduce_mean(sg.reduce_sum(y * (logits - log_sum), axis=1), name="loss")
    data = rows(ROWS, 4)
    labels = np.eye(3, dtype=np.float32)[np.argmax(data[:, :3], axis=1)]
    return Model(train.GradientDescentOptimizer(0.5).minimize(loss), {"loss": loss, "W2": W2}, {X: data, y: labels})


def dropout() -> Model:
    """Noise in the step; the record draws too, in a run of its own."""
    X, y = sg.placeholder(sg.float32, (None, 3), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    theta = sg.Variable(rows(3, 1, seed=1), name="theta")
    kept = sg.where(sg.random_uniform(sg.shape(X), seed=3) < 0.8, X / 0.8, sg.zeros_like(X))
    mse = sg.reduce_mean(sg.square(sg.matmul(kept, theta) - y), name="mse")
    data = rows(ROWS, 3)
    feeds = {X: data, y: data @ np.float32([[1], [2], [3]])}
    return Model(train.GradientDescentOptimizer(0.05).minimize(mse), {"mse": mse, "noise": sg.random_normal([2], seed=5)}, feeds)


def noise() -> Model:
    """Noise in the step only; what is recorded draws nothing."""
    w = sg.Variable(np.zeros(5, np.float32), name="w")
    step = sg.assign(w, 0.9 * w + sg.random_normal([5], stddev=0.1, seed=4))
    return Model(step, {"w": w, "norm": sg.reduce_sum(w * w)})


def swap() -> Model:
    """Two variables that take one another's values, in one step."""
    a, b = sg.Variable(np.float32([1, 2, 3]), name="a"), sg.Variable(np.float32([4, 5, 6]), name="b")
    old_a, old_b = sg.identity(a), sg.identity(b)
    return Model(sg.group(sg.assign(a, old_b), sg.assign(b, old_a * 0.5)), {"a": a, "b": b})


def counter() -> Model:
    """Whole numbers only."""
    n, total = sg.Variable(0, name="n"), sg.Variable(np.int64(0), name="total", dtype=sg.int64)
    grown = sg.assign_add(n, 3)
    return Model(sg.assign_add(total, sg.cast(grown % 7, sg.int64)), {"n": n, "total": total})


def ordered() -> Model:
    """What is read after it was written, in the same step."""
    a, b = sg.Variable(1.0, name="a"), sg.Variable(0.0, name="b")
    with sg.control_dependencies([sg.assign(a, a * 0.5 + 1.0)]):
        step = sg.assign_add(b, a.read_value())
    return Model(step, {"a": a, "b": b})


def schedule() -> Model:
    """A learning rate that falls with the step."""
    count = train.get_or_create_global_step()
    rate = train.exponential_decay(0.1, count, 10, 0.5, staircase=True)
    w = sg.Variable(rows(4), name="w")
    loss = sg.reduce_sum(sg.square(w - 1.0), name="loss")
    return Model(train.GradientDescentOptimizer(rate).minimize(loss, count), {"loss": loss, "rate": rate, "count": count})


def factorisation() -> Model:
    """Ratings as products of rows that are looked up: gathers in the step beside those of mini-batches."""
    user, item = sg.placeholder(sg.int32, (None,), "user"), sg.placeholder(sg.int64, (None,), "item")
    rating = sg.placeholder(sg.float32, (None,), "rating")
    U, V = sg.Variable(0.5 * rows(6, 3, seed=1), name="U"), sg.Variable(0.5 * rows(5, 3, seed=2), name="V")
    found = sg.reduce_sum(sg.gather(U, user) * sg.gather(V, item), axis=1)
    loss = sg.reduce_mean(sg.square(found - rating), name="loss")
    rng = np.random.default_rng(0)
    feeds = {user: rng.integers(0, 6, ROWS), item: rng.integers(0, 5, ROWS), rating: rows(ROWS)}
    return Model(train.AdamOptimizer(0.05).minimize(loss), {"loss": loss, "U": U}, feeds)


MODELS: dict[str, Callable[[], Model]] = {
    **{f"linear with {name}": (lambda make=make: linear(make)) for name, make in OPTIMIZERS.items()},
    **{f.__name__: f for f in (constants, logistic, mlp, factorisation, dropout, noise, swap, counter, ordered, schedule)},
}
BATCHED = ["linear with GradientDescent", "linear with Adam", "logistic", "mlp", "factorisation", "dropout"]
"""Models that are fed rows."""
