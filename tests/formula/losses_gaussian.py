"""Losses of multivariate Gaussians: distances, likelihoods in mean, covariance and precision.

Law of this file: rows only; derivatives are those of unconstrained matrices, taken where they are symmetric.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.losses_linear import inner
from tests.formula.losses_matrix import transpose
from tests.formula.textbook import Loss


def rows() -> Iterator[Loss]:
    point = "x(n,1) mu(n,1) Sigma(n,n):definite"
    symmetric = {"Sigma": ("symmetric",)}

    def mahalanobis(x, mu, Sigma):
        return inner(x - mu, tf.matrix_inverse(Sigma) @ (x - mu))

    def negative_log_likelihood(x, mu, Sigma):
        return (tf.linalg.logdet(Sigma) + mahalanobis(x, mu, Sigma)) / 2

    yield Loss("Mahalanobis", point, mahalanobis, "x", "2 * inv(Sigma) @ (x - mu)", facts=symmetric, source="PRML 2.3")
    yield Loss(
        "Mahalanobis by solve",
        point,
        lambda x, mu, Sigma: inner(x - mu, tf.matrix_solve(Sigma, x - mu)),
        "mu",
        "-2 * solve(Sigma, x - mu)",
        facts=symmetric,
        source="PRML 2.3",
    )
    yield Loss(
        "Mahalanobis distance",
        point,
        lambda x, mu, Sigma: tf.sqrt(mahalanobis(x, mu, Sigma)),
        "x",
        "a / np.sqrt((x - mu).T @ a)",
        {"a": "inv(Sigma) @ (x - mu)"},
        facts=symmetric,
        source="PRML 2.3",
    )
    yield Loss(
        "Mahalanobis of many rows",
        "X(m,n) mu(n) P(n,n):symmetric",
        lambda X, mu, P: tf.reduce_sum(((X - mu) @ P) * (X - mu)),
        "mu",
        "-2 * np.sum(X - mu, axis=0) @ P",
        facts={"P": ("symmetric",)},
        source="PRML 2.3.4",
    )
    yield Loss(
        "Gaussian, one point, in mu", point, negative_log_likelihood, "mu", "-inv(Sigma) @ (x - mu)", facts=symmetric, source="PRML 2.3.4"
    )
    yield Loss(
        "Gaussian, one point, in Sigma",
        point,
        negative_log_likelihood,
        "Sigma",
        "(inv(Sigma) - a @ a.T) / 2",
        {"a": "inv(Sigma) @ (x - mu)"},
        facts=symmetric,
        source="PRML 2.3.4; Matrix Cookbook 8",
    )
    yield Loss(
        "Gaussian, many points, in mu",
        "X(m,n) mu(n) Sigma(n,n):definite",
        lambda X, mu, Sigma: tf.reduce_sum(((X - mu) @ tf.matrix_inverse(Sigma)) * (X - mu)) / 2,
        "mu",
        "-np.sum(X - mu, axis=0) @ inv(Sigma)",
        facts=symmetric,
        source="PRML eq. 2.120",
    )
    scatter = "Sigma(n,n):definite S(n,n):symmetric"
    yield Loss(
        "Gaussian in Sigma, given the scatter",
        scatter,
        lambda Sigma, S: tf.linalg.logdet(Sigma) + tf.trace(tf.matrix_inverse(Sigma) @ S),
        "Sigma",
        "P - P @ S @ P",
        {"P": "inv(Sigma)"},
        facts=symmetric | {"S": ("symmetric",)},
        source="Matrix Cookbook 8; Boyd & Vandenberghe 7.1.1",
    )
    yield Loss(
        "Gaussian in Sigma, given the points",
        "Sigma(n,n):definite X(h,n)",
        lambda Sigma, X: tf.linalg.logdet(Sigma) + tf.trace(X @ tf.matrix_inverse(Sigma) @ transpose(X)) / 5,
        "Sigma",
        "P - P @ X.T @ (X @ P) / h",
        {"P": "inv(Sigma)"},
        facts=symmetric,
        source="PRML exercise 2.34",
    )
    precision = "P(n,n):definite S(n,n):symmetric"
    both = {"P": ("symmetric",), "S": ("symmetric",)}
    yield Loss(
        "Gaussian in the precision",
        precision,
        lambda P, S: tf.trace(S @ P) - tf.linalg.logdet(P),
        "P",
        "S - inv(P)",
        facts=both,
        source="ESL 17.3.1",
    )
    yield Loss(
        "graphical lasso",
        precision,
        lambda P, S: tf.trace(S @ P) - tf.linalg.logdet(P) + 0.1 * tf.reduce_sum(tf.abs(P)),
        "P",
        "S - inv(P) + 0.1 * np.sign(P)",
        facts=both,
        source="ESL 17.3.2",
    )
    yield Loss(
        "Gaussian process in its covariance",
        "K(n,n):definite y(n,1)",
        lambda K, y: (inner(y, tf.matrix_inverse(K) @ y) + tf.linalg.logdet(K)) / 2,
        "K",
        "(inv(K) - a @ a.T) / 2",
        {"a": "inv(K) @ y"},
        facts={"K": ("symmetric",)},
        source="Rasmussen & Williams eq. 5.9",
    )
    yield Loss(
        "divergence of Gaussians",
        "A(n,n):definite B(n,n):definite",
        lambda A, B: (tf.trace(tf.matrix_inverse(B) @ A) - tf.linalg.logdet(A) + tf.linalg.logdet(B)) / 2,
        "A",
        "(inv(B) - inv(A)) / 2",
        facts={"A": ("symmetric",), "B": ("symmetric",)},
        source="Rasmussen & Williams A.5",
    )
