"""Losses of linear predictors beyond squares: robust losses, and generalised linear models of counts and waiting times.

Law of this file: rows only; z = Xθ is the prediction or its link, y the target, m the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.losses_linear import MODEL
from tests.formula.textbook import Loss

ESL_ROBUST = "ESL 10.6"
GLM = "McCullagh & Nelder, Generalized Linear Models"


def robust() -> Iterator[Loss]:
    r = {"r": "X @ theta - y"}
    yield Loss(
        "Huber",
        MODEL,
        lambda X, theta, y: _huber(X @ theta - y, 1.0),
        "theta",
        "X.T @ np.where(np.abs(r) <= 1, r, np.sign(r)) / m",
        r,
        source=ESL_ROBUST,
    )
    yield Loss(
        "Huber, half width",
        MODEL,
        lambda X, theta, y: _huber(X @ theta - y, 0.5),
        "theta",
        "X.T @ np.where(np.abs(r) <= 0.5, r, 0.5 * np.sign(r)) / m",
        r,
        source=ESL_ROBUST,
    )
    yield Loss(
        "pseudo-Huber",
        MODEL,
        lambda X, theta, y: tf.reduce_mean(tf.sqrt(1 + tf.square(X @ theta - y)) - 1),
        "theta",
        "X.T @ (r / np.sqrt(1 + r ** 2)) / m",
        r,
        source="Hartley & Zisserman A6.8",
    )
    yield Loss(
        "log-cosh",
        MODEL,
        lambda X, theta, y: tf.reduce_mean(tf.log(tf.cosh(X @ theta - y))),
        "theta",
        "X.T @ np.tanh(X @ theta - y) / m",
        source="d log cosh = tanh",
    )
    yield Loss(
        "least absolute deviations",
        MODEL,
        lambda X, theta, y: tf.reduce_mean(tf.abs(X @ theta - y)),
        "theta",
        "X.T @ np.sign(X @ theta - y) / m",
        source=ESL_ROBUST,
    )
    yield Loss(
        "quantile",
        MODEL,
        lambda X, theta, y: tf.reduce_mean(tf.maximum(0.3 * (y - X @ theta), (0.3 - 1) * (y - X @ theta))),
        "theta",
        "X.T @ ((y < X @ theta) - 0.3) / m",
        source="Koenker & Bassett",
    )
    yield Loss(
        "quantile, where",
        MODEL,
        lambda X, theta, y: tf.reduce_mean(tf.where(y >= X @ theta, 0.3 * (y - X @ theta), 0.7 * (X @ theta - y))),
        "theta",
        "X.T @ ((y < X @ theta) - 0.3) / m",
        source="Koenker & Bassett",
    )
    yield Loss(
        "epsilon-insensitive",
        MODEL,
        lambda X, theta, y: tf.reduce_mean(tf.maximum(tf.abs(X @ theta - y) - 0.2, 0)),
        "theta",
        "X.T @ (np.sign(r) * (np.abs(r) > 0.2)) / m",
        r,
        source="ESL 12.3.6",
    )
    yield Loss(
        "Cauchy",
        MODEL,
        lambda X, theta, y: tf.reduce_mean(tf.log1p(tf.square(X @ theta - y))),
        "theta",
        "2 / m * X.T @ (r / (1 + r ** 2))",
        r,
        source="Murphy 7.4 (Student t)",
    )
    yield Loss(
        "Tukey's biweight",
        MODEL,
        lambda X, theta, y: tf.reduce_sum(_biweight(X @ theta - y, 2.0)),
        "theta",
        "X.T @ np.where(np.abs(r) <= 2, r * (1 - (r / 2) ** 2) ** 2, 0)",
        r,
        source="Huber, Robust Statistics 4.8",
    )


def _huber(r, width: float):
    a = tf.abs(r)
    return tf.reduce_mean(tf.where(a <= width, tf.square(r) / 2, width * (a - width / 2)))


def _biweight(r, width: float):
    outside = tf.ones_like(r) * (width**2 / 6)
    return tf.where(tf.abs(r) <= width, width**2 / 6 * (1 - (1 - (r / width) ** 2) ** 3), outside)


def counts_and_times() -> Iterator[Loss]:
    model = "X(m,n) theta(n,1):small y(m,1):positive"
    mu = {"mu": "np.exp(X @ theta)"}
    yield Loss(
        "Poisson",
        model,
        lambda X, theta, y: tf.reduce_mean(tf.exp(X @ theta) - y * (X @ theta)),
        "theta",
        "X.T @ (np.exp(X @ theta) - y) / m",
        source=GLM + " 6",
    )
    yield Loss(
        "Poisson, logarithm of the rate",
        model,
        lambda X, theta, y: tf.reduce_sum(tf.exp(X @ theta) - y * tf.log(tf.exp(X @ theta))),
        "theta",
        "X.T @ (np.exp(X @ theta) - y)",
        source=GLM + " 6",
    )
    yield Loss(
        "Poisson with exposure",
        model + " t(m,1):positive",
        lambda X, theta, y, t: tf.reduce_mean(t * tf.exp(X @ theta) - y * (X @ theta)),
        "theta",
        "X.T @ (t * np.exp(X @ theta) - y) / m",
        source=GLM + " 6",
    )
    yield Loss(
        "exponential waiting times",
        model,
        lambda X, theta, y: tf.reduce_mean(X @ theta + y * tf.exp(-(X @ theta))),
        "theta",
        "X.T @ (1 - y * np.exp(-X @ theta)) / m",
        source=GLM + " 8",
    )
    yield Loss(
        "gamma, logarithmic link",
        model,
        lambda X, theta, y: tf.reduce_mean(tf.log(tf.exp(X @ theta)) + y / tf.exp(X @ theta)),
        "theta",
        "X.T @ (1 - y / np.exp(X @ theta)) / m",
        source=GLM + " 8",
    )
    yield Loss(
        "gamma, canonical link",
        "X(m,n):positive theta(n,1):positive y(m,1):positive",
        lambda X, theta, y: tf.reduce_mean(y * (X @ theta) - tf.log(X @ theta)),
        "theta",
        "X.T @ (y - 1 / (X @ theta)) / m",
        source=GLM + " 8",
    )
    yield Loss(
        "inverse Gaussian, logarithmic link",
        model,
        lambda X, theta, y: tf.reduce_mean(tf.square(y - tf.exp(X @ theta)) / (2 * tf.square(tf.exp(X @ theta)) * y)),
        "theta",
        "X.T @ ((mu - y) / mu ** 2) / m",
        mu,
        source=GLM + " 2.2",
    )
    yield Loss(
        "Tweedie, p = 1.5",
        model,
        lambda X, theta, y: tf.reduce_mean(2 * y * tf.exp(-0.5 * (X @ theta)) + 2 * tf.exp(0.5 * (X @ theta))),
        "theta",
        "X.T @ (np.exp(0.5 * X @ theta) - y * np.exp(-0.5 * X @ theta)) / m",
        source="Jørgensen, The Theory of Dispersion Models 4",
    )
    yield Loss(
        "negative binomial, r = 2",
        model,
        lambda X, theta, y: tf.reduce_mean((y + 2) * tf.log(tf.exp(X @ theta) + 2) - y * (X @ theta)),
        "theta",
        "2 / m * X.T @ ((mu - y) / (mu + 2))",
        mu,
        source="Hilbe, Negative Binomial Regression 8",
    )


def rows() -> Iterator[Loss]:
    for part in (robust, counts_and_times):
        yield from part()
