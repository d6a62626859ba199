"""Losses of points: norms, distances, angles, centres and mixtures, variances and covariances, densities of one number.

Law of this file: rows only; points are rows of X, and a vector is a column unless its row says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.losses_linear import inner, square_mean, square_sum
from tests.formula.losses_matrix import transpose
from tests.formula.textbook import Loss

NORMS = "Matrix Cookbook 2.6"


def norms() -> Iterator[Loss]:
    yield Loss("|x|", "x(n,1)", tf.norm, "x", "x / norm(x)", source=NORMS)
    yield Loss("|x|, written out", "x(n)", lambda x: tf.sqrt(tf.reduce_sum(x**2)), "x", "x / norm(x)", source=NORMS)
    yield Loss("|x|²", "x(n,1)", lambda x: tf.norm(x) ** 2, "x", "2 * x", source=NORMS)
    yield Loss("x'x", "x(n,1)", lambda x: inner(x, x), "x", "2 * x", source=NORMS)
    yield Loss("|x - a|", "x(n,1) a(n,1)", lambda x, a: tf.norm(x - a), "x", "(x - a) / norm(x - a)", source=NORMS)
    yield Loss("log |x|", "x(n,1)", lambda x: tf.log(tf.norm(x)), "x", "x / np.sum(x ** 2)", source="chain rule on Matrix Cookbook 2.6")
    yield Loss("|x| 1", "x(n,1)", lambda x: tf.norm(x, 1), "x", "np.sign(x)", source="Boyd & Vandenberghe 3.1.5")
    yield Loss("|X| Frobenius", "X(n,k)", tf.norm, "X", "X / norm(X)", source="Matrix Cookbook 2.7")
    yield Loss(
        "|Ax - b|",
        "A(h,n) x(n,1) b(h,1)",
        lambda A, x, b: tf.norm(A @ x - b),
        "x",
        "A.T @ r / norm(r)",
        {"r": "A @ x - b"},
        source="Boyd & Vandenberghe 6.1",
    )
    yield Loss(
        "a'x / |x|",
        "a(n,1) x(n,1)",
        lambda a, x: inner(a, x) / tf.norm(x),
        "x",
        "(a - u * (u.T @ a)) / norm(x)",
        {"u": "x / norm(x)"},
        source=NORMS,
    )
    yield Loss(
        "norms of rows", "X(m,n)", lambda X: tf.reduce_sum(tf.norm(X, axis=1)), "X", "X / norm(X, axis=1, keepdims=True)", source=NORMS
    )
    yield Loss(
        "cosine similarity",
        "x(n,1) y(n,1)",
        lambda x, y: inner(x, y) / (tf.norm(x) * tf.norm(y)),
        "x",
        "(v - c * u) / norm(x)",
        {"u": "x / norm(x)", "v": "y / norm(y)", "c": "u.T @ v"},
        source=NORMS + " (the derivative of x / |x|)",
    )
    yield Loss(
        "cosine similarity of rows",
        "X(m,n) Y(m,n)",
        lambda X, Y: tf.reduce_sum(tf.reduce_sum(X * Y, axis=1) / (tf.norm(X, axis=1) * tf.norm(Y, axis=1))),
        "X",
        "(V - np.sum(U * V, axis=1, keepdims=True) * U) / N",
        {"N": "norm(X, axis=1, keepdims=True)", "U": "X / N", "V": "Y / norm(Y, axis=1, keepdims=True)"},
        source=NORMS + " (the derivative of x / |x|)",
    )
    yield Loss(
        "quadratic over linear", "x(n,1) y():positive", lambda x, y: inner(x, x) / y, "x", "2 * x / y", source="Boyd & Vandenberghe 3.1.5"
    )
    yield Loss(
        "logarithmic barrier",
        "A(h,n):small x(n,1):small b(h,1):positive",
        lambda A, x, b: -tf.reduce_sum(tf.log(b - A @ x)),
        "x",
        "A.T @ (1 / (b - A @ x))",
        source="Boyd & Vandenberghe 11.2.1",
    )
    yield Loss(
        "soft maximum of squares",
        "x(n)",
        lambda x: tf.log(tf.reduce_sum(tf.exp(x**2))),
        "x",
        "2 * x * softmax(x ** 2)",
        source="Boyd & Vandenberghe 3.1.5",
    )
    yield Loss(
        "geometric mean",
        "x(n):positive",
        lambda x: tf.exp(tf.reduce_mean(tf.log(x))),
        "x",
        "np.exp(np.mean(np.log(x))) / (n * x)",
        source="Boyd & Vandenberghe 3.1.5",
    )
    yield Loss(
        "harmonic sum", "x(n):positive", lambda x: 1 / tf.reduce_sum(1 / x), "x", "1 / (x * np.sum(1 / x)) ** 2", source="quotient rule"
    )


def centres() -> Iterator[Loss]:
    yield Loss(
        "sum of squared distances",
        "X(m,n) c(n)",
        lambda X, c: tf.reduce_sum(tf.square(X - c)),
        "c",
        "2 * (m * c - np.sum(X, axis=0))",
        source="ESL 14.3.6",
    )
    yield Loss(
        "mean squared distance",
        "X(m,n) c(n)",
        lambda X, c: tf.reduce_mean(tf.reduce_sum((X - c) ** 2, axis=1)),
        "c",
        "2 * (c - np.mean(X, axis=0))",
        source="ESL 14.3.6",
    )
    yield Loss(
        "sum of distances",
        "X(m,n) c(n)",
        lambda X, c: tf.reduce_sum(tf.norm(X - c, axis=1)),
        "c",
        "np.sum((c - X) / norm(c - X, axis=1, keepdims=True), axis=0)",
        source="Weiszfeld",
    )
    assigned = "X(m,n) Z(m,k):one_hot C(k,n)"
    yield Loss(
        "k-means, matrices",
        assigned,
        lambda X, Z, C: square_sum(X - Z @ C),
        "C",
        "-2 * Z.T @ (X - Z @ C)",
        source="PRML eq. 9.1",
    )
    yield Loss(
        "k-means, distances",
        assigned,
        lambda X, Z, C: tf.reduce_sum(Z * _squarecdistances(X, C)),
        "C",
        "-2 * np.sum(Z[..., None] * (X[:, None] - C), axis=0)",
        source="PRML eq. 9.3",
    )
    yield Loss(
        "k-means by gathers",
        "X(m,n) i(m):below_k C(k,n)",
        lambda X, i, C: square_sum(X - tf.gather(C, i)),
        "C",
        "-2 * scatter(X - C[i], i, k)",
        source="PRML eq. 9.2",
    )
    yield Loss(
        "k-means, nearest centre",
        "X(m,n) C(k,n)",
        lambda X, C: tf.reduce_sum(tf.reduce_min(_squarecdistances(X, C), axis=1)),
        "C",
        "-2 * np.sum(Z[..., None] * (X[:, None] - C), axis=0)",
        {
            "D": "np.sum((X[:, None] - C) ** 2, axis=2)",
            "Z": "D == np.min(D, axis=1, keepdims=True)",
        },
        source="PRML 9.1",
    )
    mixture = "X(m,n) C(k,n)"
    yield Loss(
        "soft k-means",
        mixture,
        lambda X, C: -tf.reduce_sum(tf.log(tf.reduce_sum(tf.exp(-_squarecdistances(X, C) / 2), axis=1))),
        "C",
        "-np.sum(R[..., None] * (X[:, None] - C), axis=0)",
        {"R": "softmax(-np.sum((X[:, None] - C) ** 2, axis=2) / 2)"},
        source="PRML eq. 9.16",
    )
    yield Loss(
        "mixture of Gaussians on a line",
        "x(m,1) mu(k) a(k)",
        lambda x, mu, a: -tf.reduce_sum(tf.log(tf.reduce_sum(tf.exp(a - (x - mu) ** 2 / 2), axis=1))),
        "mu",
        "-np.sum(softmax(a - (x - mu) ** 2 / 2) * (x - mu), axis=0)",
        source="PRML eq. 9.16",
    )
    yield Loss(
        "mixture of Gaussians, in the logits of weights",
        "L(m,k) a(k)",
        lambda L, a: -tf.reduce_sum(tf.log(tf.reduce_sum(tf.nn.softmax(a) * tf.exp(L), axis=1))),
        "a",
        "m * softmax(a) - np.sum(softmax(a + L), axis=0)",
        source="PRML 9.2.2; Murphy 11.4.2",
    )
    yield Loss(
        "pairwise stress",
        "X(n,d) D(n,n):symmetric",
        lambda X, D: tf.reduce_sum(tf.square(_squarecdistances(X, X) - D)),
        "X",
        "8 * np.sum(E[..., None] * (X[:, None] - X), axis=1)",
        {"E": "np.sum((X[:, None] - X) ** 2, axis=2) - D"},
        facts={"D": ("symmetric",)},
        source="ESL 14.8 (squared distances)",
    )


def _squarecdistances(X, C):
    return tf.reduce_sum(tf.square(X[:, None] - C), axis=2)


def variances() -> Iterator[Loss]:
    def variance(x):
        return square_mean(x - tf.reduce_mean(x))

    yield Loss("variance", "x(m)", variance, "x", "2 / m * (x - np.mean(x))", source="Murphy 2.2.4")
    yield Loss(
        "variance, mean of squares",
        "x(m)",
        lambda x: square_mean(x) - tf.reduce_mean(x) ** 2,
        "x",
        "2 / m * (x - np.mean(x))",
        source="Murphy 2.2.4",
    )
    yield Loss(
        "standard deviation",
        "x(m)",
        lambda x: tf.sqrt(variance(x)),
        "x",
        "c / (m * np.sqrt(np.mean(c ** 2)))",
        {"c": "x - np.mean(x)"},
        source="chain rule on the variance",
    )
    yield Loss(
        "covariance of two vectors",
        "x(m) y(m)",
        lambda x, y: tf.reduce_mean((x - tf.reduce_mean(x)) * (y - tf.reduce_mean(y))),
        "x",
        "(y - np.mean(y)) / m",
        source="Murphy 2.5.1",
    )
    yield Loss(
        "correlation",
        "x(m) y(m)",
        lambda x, y: _correlation(x - tf.reduce_mean(x), y - tf.reduce_mean(y)),
        "x",
        "(v - np.sum(u * v) * u) / norm(a)",
        {"a": "x - np.mean(x)", "b": "y - np.mean(y)", "u": "a / norm(a)", "v": "b / norm(b)"},
        source="Murphy 2.5.1; Matrix Cookbook 2.6",
    )
    yield Loss(
        "second moments",
        "X(m,n) S(n,n):symmetric",
        lambda X, S: square_sum(transpose(X) @ X / tf.cast(tf.shape(X)[0], X.dtype) - S),
        "X",
        "4 / m * X @ (X.T @ X / m - S)",
        facts={"S": ("symmetric",)},
        source="Matrix Cookbook 2.5.3",
    )
    yield Loss(
        "covariances",
        "X(m,n) S(n,n):symmetric",
        lambda X, S: square_sum(_covariance(X) - S),
        "X",
        "4 / m * A @ (A.T @ A / m - S)",
        {"A": "X - np.mean(X, axis=0)"},
        facts={"S": ("symmetric",)},
        source="Matrix Cookbook 2.5.3",
    )
    yield Loss(
        "total variance",
        "X(m,n)",
        lambda X: tf.trace(_covariance(X)),
        "X",
        "2 / m * (X - np.mean(X, axis=0))",
        source="PRML 12.1.2",
    )


def _correlation(a, b):
    return tf.reduce_sum(a * b) / (tf.norm(a) * tf.norm(b))


def _covariance(X):
    a = X - tf.reduce_mean(X, axis=0)
    return tf.matmul(a, a, transpose_a=True) / tf.cast(tf.shape(X)[0], a.dtype)


def densities() -> Iterator[Loss]:
    yield Loss(
        "Poisson in the rate",
        "r():positive x(m):positive",
        lambda r, x: tf.reduce_mean(r - x * tf.log(r)),
        "r",
        "1 - np.mean(x) / r",
        source="Murphy 2.3.3",
    )
    yield Loss(
        "exponential in the rate",
        "r():positive x(m):positive",
        lambda r, x: tf.reduce_mean(r * x - tf.log(r)),
        "r",
        "np.mean(x) - 1 / r",
        source="Murphy 2.4.4",
    )
    yield Loss("categorical", "p(n):positive x(n):positive", lambda p, x: -tf.reduce_sum(x * tf.log(p)), "p", "-x / p", source="PRML 2.2")
    yield Loss(
        "normal in its deviation",
        "s():positive mu() x(m)",
        lambda s, mu, x: tf.reduce_mean(tf.log(s) + (x - mu) ** 2 / (2 * s**2)),
        "s",
        "1 / s - np.mean((x - mu) ** 2) / s ** 3",
        source="PRML 1.2.4",
    )
    yield Loss(
        "normal in its mean",
        "s():positive mu() x(m)",
        lambda s, mu, x: tf.reduce_mean(tf.log(s) + (x - mu) ** 2 / (2 * s**2)),
        "mu",
        "(mu - np.mean(x)) / s ** 2",
        source="PRML 1.2.4",
    )
    network = "mu(m) s(m) y(m)"

    def negative_log(mu, s, y):
        return tf.reduce_sum(s + tf.square(y - mu) * tf.exp(-s)) / 2

    yield Loss(
        "normal with its variance predicted, in the mean",
        network,
        negative_log,
        "mu",
        "(mu - y) * np.exp(-s)",
        source="Goodfellow et al. 6.2.2.4",
    )
    yield Loss(
        "normal with its variance predicted, in the logarithm",
        network,
        negative_log,
        "s",
        "(1 - (y - mu) ** 2 * np.exp(-s)) / 2",
        source="Goodfellow et al. 6.2.2.4",
    )

    def divergence(mu, s):
        return -tf.reduce_sum(1 + s - tf.square(mu) - tf.exp(s)) / 2

    prior = "Kingma & Welling, Auto-Encoding Variational Bayes, appendix B"
    yield Loss("divergence from the normal prior, in mu", "mu(m,d) s(m,d)", divergence, "mu", "mu", source=prior)
    yield Loss("divergence from the normal prior, in s", "mu(m,d) s(m,d)", divergence, "s", "(np.exp(s) - 1) / 2", source=prior)
    bound = "mu(m,d) s(m,d) eps(m,d) W(d,n) X(m,n)"
    texts = {
        "mu": "(Z @ W - X) @ W.T + mu",
        "s": "((Z @ W - X) @ W.T * E + np.exp(s) - 1) / 2",
        "W": "Z.T @ (Z @ W - X)",
    }
    for wrt, text in texts.items():
        yield Loss(
            f"evidence lower bound, in {wrt}",
            bound,
            lambda mu, s, eps, W, X: square_sum((mu + tf.exp(s / 2) * eps) @ W - X) / 2 + divergence(mu, s),
            wrt,
            text,
            {"E": "np.exp(s / 2) * eps", "Z": "mu + E"},
            source=prior,
        )


def rows() -> Iterator[Loss]:
    for part in (norms, centres, variances, densities):
        yield from part()
