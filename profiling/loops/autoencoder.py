"""An autoencoder 64-16-64 in float64, by descent with momentum, on scikit-learn's digits.

Law of this file: tanh, squared error, 50 given rows a step; rate and momentum are fractions that float32 holds too, because
TensorFlow 1 takes both as float32.
"""

from __future__ import annotations

import numpy as np

from .problem import Descent, Problem, Workload, layers, pick


def problem(rows: int = 1797, batch: int = 50, steps: int = 1000) -> Problem:
    from sklearn.datasets import load_digits

    X = load_digits().data[:rows] / 16
    start = layers(np.random.default_rng(0), (64, 16, 64), np.float64, gain=1.0)
    return Problem((X,), start, steps, Descent("Momentum", 0.125), pick(1, steps, batch, rows))


def graph(tf, parameters, data):
    (X,), (W1, b1, W2, b2) = data, parameters
    return tf.reduce_mean(tf.square(tf.matmul(tf.tanh(tf.matmul(X, W1) + b1), W2) + b2 - X))


def jax(jax, parameters, data):
    (X,), (W1, b1, W2, b2) = data, parameters
    return jax.numpy.mean(jax.numpy.square(jax.numpy.tanh(X @ W1 + b1) @ W2 + b2 - X))


def torch(torch, parameters, data):
    (X,), (W1, b1, W2, b2) = data, parameters
    return torch.nn.functional.mse_loss(torch.addmm(b2, torch.tanh(torch.addmm(b1, X, W1)), W2), X)


def pytensor(pytensor, parameters, data):
    pt = pytensor.tensor
    (X,), (W1, b1, W2, b2) = data, parameters
    return pt.mean(pt.sqr(pt.tanh(X @ W1 + b1) @ W2 + b2 - X))


def numpy(problem, parameters):
    (X,), (W1, b1, W2, b2) = problem.data, parameters
    batch, columns = problem.rows.shape[1], X.shape[1]
    x, out = np.empty((2, batch, columns))
    h, d, slope = np.empty((3, batch, W1.shape[1]))
    changes, speeds = [np.empty_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    for rows in problem.rows:
        np.take(X, rows, axis=0, out=x, mode="clip")
        np.matmul(x, W1, out=h)
        h += b1
        np.tanh(h, out=h)
        np.matmul(h, W2, out=out)
        out += b2
        out -= x
        out *= 2 / out.size
        np.matmul(h.T, out, out=changes[2])
        np.sum(out, axis=0, out=changes[3])
        np.matmul(out, W2.T, out=d)
        np.square(h, out=slope)
        np.subtract(1, slope, out=slope)
        d *= slope
        np.matmul(x.T, d, out=changes[0])
        np.sum(d, axis=0, out=changes[1])
        for p, change, speed in zip(parameters, changes, speeds):
            speed *= problem.descent.momentum
            speed += change
            np.multiply(speed, problem.descent.rate, out=change)
            p -= change


AUTOENCODER = Workload(
    "autoencoder",
    "autoencoder 64-16-64, tanh, float64, momentum, 1000 steps of 50 of 1797 digits",
    problem,
    {"rows": 100, "batch": 10, "steps": 20},
    graph,
    numpy,
    jax,
    torch,
    pytensor,
    rtol=1e-6,
    atol=1e-8,
)
