"""Huber regression on 100,000 x 20: a branch in every row, full batches of 8 MB.

Law of this file: one row in ten is an outlier, so both arms of the loss are taken.
"""

from __future__ import annotations

import numpy as np

from .problem import Descent, Problem, Workload


def problem(rows: int = 100_000, columns: int = 20, steps: int = 100) -> Problem:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns), np.float32)
    noise = rng.standard_normal((rows, 1), np.float32) * np.where(rng.random((rows, 1)) < 0.1, 10, 0.3)
    y = (X @ rng.standard_normal((columns, 1), np.float32) + noise).astype(np.float32)
    return Problem((X, y), (np.zeros((columns, 1), np.float32),), steps, Descent("GradientDescent", 0.5))


def graph(tf, parameters, data):
    error = tf.matmul(data[0], parameters[0]) - data[1]
    size = tf.abs(error)
    return tf.reduce_mean(tf.where(size <= 1.0, 0.5 * tf.square(error), size - 0.5))


def jax(jax, parameters, data):
    jnp = jax.numpy
    error = data[0] @ parameters[0] - data[1]
    size = jnp.abs(error)
    return jnp.mean(jnp.where(size <= 1, 0.5 * jnp.square(error), size - 0.5))


def torch(torch, parameters, data):
    return torch.nn.functional.huber_loss(data[0] @ parameters[0], data[1])


def pytensor(pytensor, parameters, data):
    pt = pytensor.tensor
    error = data[0] @ parameters[0] - data[1]
    size = pt.abs(error)
    return pt.mean(pt.switch(size <= 1, 0.5 * pt.sqr(error), size - 0.5))


def numpy(problem, parameters):
    (X, y), (w,) = problem.data, parameters
    scale = np.float32(problem.descent.rate / len(X))
    error, change = np.empty_like(y), np.empty_like(w)
    for _ in range(problem.steps):
        np.matmul(X, w, out=error)
        error -= y
        np.clip(error, -1, 1, out=error)
        np.matmul(X.T, error, out=change)
        change *= scale
        w -= change


HUBER = Workload(
    "huber",
    "Huber regression, 100,000 x 20, 100 full-batch steps on constants",
    problem,
    {"rows": 500, "columns": 4, "steps": 20},
    graph,
    numpy,
    jax,
    torch,
    pytensor,
    rtol=1e-3,
    atol=1e-4,
)
