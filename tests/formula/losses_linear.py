"""Losses of linear models: squares, weights, penalties.

Law of this file: rows only; z = Xθ is the prediction, y the target, m the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.textbook import Loss

MODEL = "X(m,n) theta(n,1) y(m,1)"
WITH_BIAS = "X(m,n) w(n,1) b() y(m,1)"
ESL_LINEAR = "ESL 3.2"
ESL_SHRINK = "ESL 3.4"


def square_sum(t):
    return tf.reduce_sum(tf.square(t))


def square_mean(t):
    return tf.reduce_mean(tf.square(t))


def inner(a, b):
    return tf.reduce_sum(tf.matmul(a, b, transpose_a=True))


def squares() -> Iterator[Loss]:
    mean = "2 / m * X.T @ (X @ theta - y)"
    total = "2 * X.T @ (X @ theta - y)"
    yield Loss("mean squared error", MODEL, lambda X, theta, y: square_mean(X @ theta - y), "theta", mean, source=ESL_LINEAR)
    yield Loss(
        "mean squared error, power", MODEL, lambda X, theta, y: tf.reduce_mean((y - X @ theta) ** 2), "theta", mean, source=ESL_LINEAR
    )
    yield Loss(
        "mean squared error, squared difference",
        MODEL,
        lambda X, theta, y: tf.reduce_mean(tf.squared_difference(X @ theta, y)),
        "theta",
        mean,
        source=ESL_LINEAR,
    )
    yield Loss(
        "mean squared error, r'r",
        MODEL,
        lambda X, theta, y: inner(X @ theta - y, X @ theta - y) / tf.cast(tf.shape(X)[0], X.dtype),
        "theta",
        mean,
        source=ESL_LINEAR,
    )
    yield Loss("sum of squares", MODEL, lambda X, theta, y: square_sum(y - X @ theta), "theta", total, source=ESL_LINEAR)
    yield Loss("sum of squares, norm", MODEL, lambda X, theta, y: tf.norm(X @ theta - y) ** 2, "theta", total, source=ESL_LINEAR)
    yield Loss(
        "sum of squares, written out",
        MODEL,
        lambda X, theta, y: inner(theta, tf.transpose(X) @ X @ theta) - 2 * inner(theta, tf.transpose(X) @ y) + inner(y, y),
        "theta",
        total,
        source=ESL_LINEAR,
    )
    yield Loss(
        "half mean squared error",
        MODEL,
        lambda X, theta, y: square_mean(X @ theta - y) / 2,
        "theta",
        "X.T @ (X @ theta - y) / m",
        source="PRML 3.1.1",
    )
    yield Loss(
        "half sum of squares",
        MODEL,
        lambda X, theta, y: 0.5 * square_sum(X @ theta - y),
        "theta",
        "X.T @ (X @ theta - y)",
        source="PRML 3.1.1",
    )
    yield Loss(
        "mean squared error in X",
        MODEL,
        lambda X, theta, y: square_mean(X @ theta - y),
        "X",
        "2 / m * (X @ theta - y) @ theta.T",
        source=ESL_LINEAR,
    )
    yield Loss(
        "mean squared error in y", MODEL, lambda X, theta, y: square_mean(X @ theta - y), "y", "2 / m * (y - X @ theta)", source=ESL_LINEAR
    )
    yield Loss(
        "mean squared error, many outputs",
        "X(m,n) W(n,k) Y(m,k)",
        lambda X, W, Y: square_mean(X @ W - Y),
        "W",
        "2 / (m * k) * X.T @ (X @ W - Y)",
        source="ESL 3.2.4",
    )
    yield Loss(
        "root mean squared error",
        MODEL,
        lambda X, theta, y: tf.sqrt(square_mean(X @ theta - y)),
        "theta",
        "X.T @ r / (m * np.sqrt(np.mean(r ** 2)))",
        {"r": "X @ theta - y"},
        source="chain rule on ESL 3.2",
    )
    yield Loss(
        "mean squared error with bias, in w",
        WITH_BIAS,
        lambda X, w, b, y: square_mean(X @ w + b - y),
        "w",
        "2 / m * X.T @ (X @ w + b - y)",
        source="PRML 3.1.1",
    )
    yield Loss(
        "mean squared error with bias, in b",
        WITH_BIAS,
        lambda X, w, b, y: square_mean(X @ w + b - y),
        "b",
        "2 / m * np.sum(X @ w + b - y)",
        source="PRML 3.1.1",
    )
    yield Loss(
        "mean squared error with a column of ones",
        "X(m,n) theta(h,1) y(m,1)",
        lambda X, theta, y: square_mean(tf.concat([tf.ones_like(y), X], 1) @ theta - y),
        "theta",
        "2 / m * A.T @ (A @ theta - y)",
        {"A": "np.concatenate([np.ones((m, 1)), X], 1)"},
        source=ESL_LINEAR,
    )
    yield Loss(
        "logarithm of the residual sum of squares",
        MODEL,
        lambda X, theta, y: tf.log(square_sum(y - X @ theta)),
        "theta",
        "2 * X.T @ r / np.sum(r ** 2)",
        {"r": "X @ theta - y"},
        source="ESL 7.7 (BIC of the Gaussian model)",
    )


def weights() -> Iterator[Loss]:
    yield Loss(
        "weighted least squares",
        MODEL + " w(m,1):positive",
        lambda X, theta, y, w: tf.reduce_sum(w * tf.square(X @ theta - y)),
        "theta",
        "2 * X.T @ (w * (X @ theta - y))",
        source="PRML exercise 3.3",
    )
    yield Loss(
        "weighted least squares, mean",
        MODEL + " w(m,1):positive",
        lambda X, theta, y, w: tf.reduce_mean(w * (y - X @ theta) ** 2),
        "theta",
        "2 / m * X.T @ (w * (X @ theta - y))",
        source="PRML exercise 3.3",
    )
    yield Loss(
        "weighted least squares, vectors",
        MODEL + " w(m):positive",
        lambda X, theta, y, w: tf.reduce_sum(w * tf.square(tf.squeeze(X @ theta - y, axis=1))),
        "theta",
        "2 * X.T @ (w[:, None] * (X @ theta - y))",
        source="PRML exercise 3.3",
    )
    general = "X(h,n) theta(n,1) y(h,1)"
    yield Loss(
        "generalised least squares, symmetric weights",
        general + " W(h,h):symmetric",
        lambda X, theta, y, W: inner(X @ theta - y, W @ (X @ theta - y)),
        "theta",
        "2 * X.T @ W @ (X @ theta - y)",
        facts={"W": ("symmetric",)},
        source="Matrix Cookbook 2.4.2",
    )
    yield Loss(
        "generalised least squares, any weights",
        general + " W(h,h)",
        lambda X, theta, y, W: inner(X @ theta - y, W @ (X @ theta - y)),
        "theta",
        "X.T @ (W + W.T) @ (X @ theta - y)",
        source="Matrix Cookbook 2.4.2",
    )
    yield Loss(
        "generalised least squares, inverse covariance",
        general + " Sigma(h,h):definite",
        lambda X, theta, y, Sigma: inner(X @ theta - y, tf.matrix_inverse(Sigma) @ (X @ theta - y)),
        "theta",
        "2 * X.T @ inv(Sigma) @ (X @ theta - y)",
        facts={"Sigma": ("symmetric",)},
        source="Matrix Cookbook 2.4.2",
    )
    yield Loss(
        "generalised least squares, solve",
        general + " Sigma(h,h):definite",
        lambda X, theta, y, Sigma: inner(X @ theta - y, tf.matrix_solve(Sigma, X @ theta - y)),
        "theta",
        "2 * X.T @ solve(Sigma, X @ theta - y)",
        facts={"Sigma": ("symmetric",)},
        source="Matrix Cookbook 2.4.2",
    )


def penalties() -> Iterator[Loss]:
    yield Loss(
        "ridge, mean",
        MODEL,
        lambda X, theta, y: square_mean(X @ theta - y) + 0.1 * square_sum(theta),
        "theta",
        "2 / m * X.T @ (X @ theta - y) + 0.2 * theta",
        source=ESL_SHRINK,
    )
    yield Loss(
        "ridge, sum",
        MODEL,
        lambda X, theta, y: square_sum(X @ theta - y) + 0.1 * square_sum(theta),
        "theta",
        "2 * (X.T @ (X @ theta - y) + 0.1 * theta)",
        source=ESL_SHRINK,
    )
    yield Loss(
        "ridge, inner products and a symbol",
        MODEL + " lam():positive",
        lambda X, theta, y, lam: inner(y - X @ theta, y - X @ theta) + lam * inner(theta, theta),
        "theta",
        "2 * (X.T @ (X @ theta - y) + lam * theta)",
        source="ESL eq. 3.43",
    )
    yield Loss(
        "ridge, halves and norms",
        MODEL + " lam():positive",
        lambda X, theta, y, lam: tf.norm(X @ theta - y) ** 2 / 2 + lam / 2 * tf.norm(theta) ** 2,
        "theta",
        "X.T @ (X @ theta - y) + lam * theta",
        source="PRML eq. 3.27",
    )
    yield Loss(
        "ridge with a free intercept",
        MODEL,
        lambda X, theta, y: square_mean(X @ theta - y) + 0.1 * square_sum(theta[1:]),
        "theta",
        "2 / m * X.T @ (X @ theta - y) + 0.2 * np.concatenate([np.zeros((1, 1)), theta[1:]])",
        source=ESL_SHRINK,
    )
    yield Loss(
        "lasso",
        MODEL,
        lambda X, theta, y: square_mean(X @ theta - y) + 0.1 * tf.reduce_sum(tf.abs(theta)),
        "theta",
        "2 / m * X.T @ (X @ theta - y) + 0.1 * np.sign(theta)",
        source=ESL_SHRINK,
    )
    yield Loss(
        "lasso, norm",
        MODEL + " lam():positive",
        lambda X, theta, y, lam: square_sum(X @ theta - y) / 2 + lam * tf.norm(theta, 1),
        "theta",
        "X.T @ (X @ theta - y) + lam * np.sign(theta)",
        source="ESL eq. 3.52",
    )
    yield Loss(
        "elastic net",
        MODEL,
        lambda X, theta, y: square_mean(X @ theta - y) + 0.1 * tf.reduce_sum(tf.abs(theta)) + 0.2 * square_sum(theta),
        "theta",
        "2 / m * X.T @ (X @ theta - y) + 0.1 * np.sign(theta) + 0.4 * theta",
        source="ESL eq. 3.54",
    )
    yield Loss(
        "group lasso",
        "X(m,n) W(n,k) Y(m,k)",
        lambda X, W, Y: square_mean(X @ W - Y) + 0.1 * tf.reduce_sum(tf.norm(W, axis=1)),
        "W",
        "2 / (m * k) * X.T @ (X @ W - Y) + 0.1 * W / norm(W, axis=1, keepdims=True)",
        source="ESL 3.8.4",
    )
    yield Loss(
        "Tikhonov",
        MODEL + " G(h,n)",
        lambda X, theta, y, G: square_sum(X @ theta - y) + square_sum(G @ theta),
        "theta",
        "2 * (X.T @ (X @ theta - y) + G.T @ (G @ theta))",
        source="Boyd & Vandenberghe 6.3.2",
    )
    yield Loss(
        "smoothing by a difference matrix",
        "x(n,1) y(n,1) D(k,n) lam():positive",
        lambda x, y, D, lam: square_sum(x - y) + lam * square_sum(D @ x),
        "x",
        "2 * (x - y + lam * D.T @ (D @ x))",
        source="Boyd & Vandenberghe 6.3.3",
    )
    yield Loss(
        "kernel ridge",
        "K(h,h):symmetric a(h,1) y(h,1) lam():positive",
        lambda K, a, y, lam: square_sum(y - K @ a) + lam * inner(a, K @ a),
        "a",
        "2 * K @ (K @ a - y + lam * a)",
        facts={"K": ("symmetric",)},
        source="ESL 5.8.2",
    )


def rows() -> Iterator[Loss]:
    for part in (squares, weights, penalties):
        yield from part()
