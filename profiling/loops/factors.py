"""Matrix factorisation: 1000 users and 1000 items of rank 16, from 100,000 rated pairs; gathers and scattered sums.

Law of this file: 256 given pairs a step, in which users and items repeat, so updates of one row must add up.
"""

from __future__ import annotations

import numpy as np

from .problem import Descent, Problem, Workload, pick


def problem(users: int = 1000, items: int = 1000, rank: int = 16, rows: int = 100_000, batch: int = 256, steps: int = 2000) -> Problem:
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, users, rows, np.int32), rng.integers(0, items, rows, np.int32)
    true = [rng.standard_normal((count, rank)).astype(np.float32) / rank**0.5 for count in (users, items)]
    rating = (true[0][user] * true[1][item]).sum(1) + 0.1 * rng.standard_normal(rows, np.float32)
    start = tuple((0.3 * rng.standard_normal((count, rank))).astype(np.float32) for count in (users, items))
    return Problem((user, item, rating.astype(np.float32)), start, steps, Descent("GradientDescent", 0.02), pick(1, steps, batch, rows))


def graph(tf, parameters, data):
    P, Q = parameters
    user, item, rating = data
    return tf.reduce_sum(tf.square(tf.reduce_sum(tf.gather(P, user) * tf.gather(Q, item), axis=1) - rating))


def jax(jax, parameters, data):
    P, Q = parameters
    user, item, rating = data
    return jax.numpy.sum(jax.numpy.square(jax.numpy.sum(P[user] * Q[item], axis=1) - rating))


def torch(torch, parameters, data):
    P, Q = parameters
    user, item, rating = data
    embedding = torch.nn.functional.embedding
    return torch.nn.functional.mse_loss((embedding(user, P) * embedding(item, Q)).sum(1), rating, reduction="sum")


def pytensor(pytensor, parameters, data):
    P, Q = parameters
    user, item, rating = data
    return pytensor.tensor.sum(pytensor.tensor.sqr(pytensor.tensor.sum(P[user] * Q[item], axis=1) - rating))


def numpy(problem, parameters):
    (users, items, ratings), (P, Q) = problem.data, parameters
    rate = np.float32(2 * problem.descent.rate)
    for rows in problem.rows:
        user, item = users[rows], items[rows]
        p, q = P[user], Q[item]
        error = np.einsum("bk,bk->b", p, q)
        error -= ratings[rows]
        error *= rate
        p *= error[:, None]
        q *= error[:, None]
        np.subtract.at(P, user, q)
        np.subtract.at(Q, item, p)


FACTORS = Workload(
    "factors",
    "matrix factorisation, 1000 x 1000 of rank 16, 2000 steps of 256 of 100,000 pairs",
    problem,
    {"users": 20, "items": 30, "rank": 4, "rows": 500, "batch": 16, "steps": 20},
    graph,
    numpy,
    jax,
    torch,
    pytensor,
    rtol=1e-2,
    atol=1e-3,
)
