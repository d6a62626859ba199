"""Logistic regression on 400000 x 30: 48 MB that every step must read, so memory decides.

Law of this file: beside the libraries stands a side that only reads the features as often (`bandwidth.py`): nothing that
goes through memory once per step can be faster, and the ratio to it is the share of the bandwidth that is used.
"""

from __future__ import annotations

import numpy as np

from .problem import BEST, Descent, Problem, Target, Workload


def problem(rows: int = 400_000, columns: int = 30, steps: int = 50) -> Problem:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns), np.float32)
    w = rng.standard_normal((columns, 1), np.float32)
    y = (rng.random((rows, 1), np.float32) < 1 / (1 + np.exp(-X @ w))).astype(np.float32)
    return Problem((X, y), (np.zeros((columns, 1), np.float32),), steps, Descent("GradientDescent", 1.0))


def graph(tf, parameters, data):
    z = tf.matmul(data[0], parameters[0])
    return tf.reduce_mean(tf.nn.softplus(z) - data[1] * z)


def jax(jax, parameters, data):
    z = data[0] @ parameters[0]
    return jax.numpy.mean(jax.nn.softplus(z) - data[1] * z)


def torch(torch, parameters, data):
    return torch.nn.functional.binary_cross_entropy_with_logits(data[0] @ parameters[0], data[1])


def pytensor(pytensor, parameters, data):
    z = data[0] @ parameters[0]
    return pytensor.tensor.mean(pytensor.tensor.softplus(z) - data[1] * z)


def numpy(problem, parameters):
    (X, y), (w,) = problem.data, parameters
    scale = np.float32(problem.descent.rate / len(X))
    z, change = np.empty((len(X), 1), np.float32), np.empty_like(w)
    for _ in range(problem.steps):
        np.matmul(X, w, out=z)
        np.negative(z, out=z)
        np.exp(z, out=z)
        z += 1
        np.reciprocal(z, out=z)
        z -= y
        np.matmul(X.T, z, out=change)
        change *= scale
        w -= change


LOGISTIC = Workload(
    "logistic",
    "logistic regression, 400000 x 30, 50 full-batch steps on constants",
    problem,
    {"rows": 1000, "columns": 5, "steps": 10},
    graph,
    numpy,
    jax,
    torch,
    pytensor,
    targets=(Target(BEST, 2.2), Target("reading alone", 0.85)),
    more=("reading alone",),
    rtol=1e-3,
    atol=1e-4,
    moves=lambda problem: problem.data[0].nbytes,
)
