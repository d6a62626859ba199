"""Linear regression on California housing: the first training loop of the TensorFlow-1 textbook, and its mini-batches.

Law of this file: 20640 standardised rows with a column of ones before them.  Where scikit-learn has not cached the
housing data, seeded random numbers of the same shape stand in, which costs every side the same.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from .problem import Descent, Problem, Target, Workload, pick

ROWS, COLUMNS = 20640, 9
BATCH = 100


@cache
def housing() -> tuple[np.ndarray, np.ndarray]:
    """Features (20640, 9) and targets (20640, 1), float32."""
    from sklearn.datasets import fetch_california_housing

    try:
        data, target = fetch_california_housing(return_X_y=True, download_if_missing=False)
    except OSError:
        rng = np.random.default_rng(0)
        data = rng.standard_normal((ROWS, COLUMNS - 1))
        target = data @ rng.standard_normal(COLUMNS - 1) + rng.standard_normal(ROWS)
    scaled = (data - data.mean(0)) / data.std(0)
    return np.c_[np.ones(len(data)), scaled].astype(np.float32), target.reshape(-1, 1).astype(np.float32)


def full(rows: int = ROWS, steps: int = 1000) -> Problem:
    X, y = housing()
    start = np.random.default_rng(42).uniform(-1, 1, (COLUMNS, 1)).astype(np.float32)
    return Problem((X[:rows], y[:rows]), (start,), steps, Descent("GradientDescent", 0.01))


def many(rows: int = 50_000_000, columns: int = 8, steps: int = 20) -> Problem:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns), np.float32)
    y = X @ rng.standard_normal((columns, 1), np.float32)
    y += rng.standard_normal(y.shape, np.float32)
    return Problem((X, y), (np.zeros((columns, 1), np.float32),), steps, Descent("GradientDescent", 0.1))


def batches(rows: int = ROWS, steps: int = 10 * -(-ROWS // BATCH)) -> Problem:
    whole = full(rows)
    return Problem(whole.data, whole.start, steps, whole.descent, pick(0, steps, BATCH, rows))


def graph(tf, parameters, data):
    return tf.reduce_mean(tf.square(tf.matmul(data[0], parameters[0]) - data[1]))


def jax(jax, parameters, data):
    return jax.numpy.mean(jax.numpy.square(data[0] @ parameters[0] - data[1]))


def torch(torch, parameters, data):
    return torch.nn.functional.mse_loss(data[0] @ parameters[0], data[1])


def pytensor(pytensor, parameters, data):
    return pytensor.tensor.mean(pytensor.tensor.sqr(data[0] @ parameters[0] - data[1]))


def numpy(problem, parameters):
    (X, y), (theta,) = problem.data, parameters
    count = len(X) if problem.rows is None else problem.rows.shape[1]
    scale = np.float32(2 * problem.descent.rate / count)
    error, change = np.empty((count, 1), np.float32), np.empty_like(theta)
    if problem.rows is not None:
        all_X, all_y, X, y = X, y, np.empty((count, X.shape[1]), np.float32), np.empty((count, 1), np.float32)
    for step in range(problem.steps):
        if problem.rows is not None:
            np.take(all_X, problem.rows[step], axis=0, out=X, mode="clip")
            np.take(all_y, problem.rows[step], axis=0, out=y, mode="clip")
        np.matmul(X, theta, out=error)
        error -= y
        np.matmul(X.T, error, out=change)
        change *= scale
        theta -= change


FULL = Workload(
    "linear",
    "linear regression, 20640 x 9, 1000 full-batch steps on constants",
    full,
    {"rows": 200, "steps": 20},
    graph,
    numpy,
    jax,
    torch,
    pytensor,
    targets=(Target("JAX", 10), Target("JAX", 100, ours="symgraph, reassociate")),
    more=("symgraph, reassociate",),
    rtol=1e-3,
)
BATCHES = replace(
    FULL,
    name="linear-batches",
    purpose="linear regression, 2070 steps of 100 given rows of 20640 x 9",
    problem=batches,
    targets=(Target("JAX", 2.5), Target("TensorFlow", 30, ours="symgraph, a run per step")),
    more=("symgraph, a run per step",),
)
MANY = replace(
    FULL,
    name="linear-many",
    purpose="linear regression, 50,000,000 x 8, 20 full-batch steps on constants",
    problem=many,
    targets=(),
    more=(),
)
