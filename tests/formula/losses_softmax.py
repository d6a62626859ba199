"""Losses of many classes: softmax regression in its spellings, divergences and entropies of softmaxes, contrasts.

Law of this file: rows only; Z = XW are the logits, by rows, and a row of Y is one example's distribution over classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.textbook import Loss

MODEL = "X(m,n) W(n,k) Y(m,k):stochastic"
SUMS = {"Y": ("rows_sum_to_one",)}
PRML_SOFTMAX = "PRML 4.3.4"


def _softmax_written(z):
    return tf.exp(z) / tf.reduce_sum(tf.exp(z), axis=1, keepdims=True)


def _logsumexp(z):
    return tf.log(tf.reduce_sum(tf.exp(z), axis=1))


def _mean(f):
    """A loss by examples of logits and labels, as the mean over the rows of X."""
    return lambda X, W, Y: tf.reduce_mean(f(X @ W, Y))


def _cross_entropy(log_p):
    return lambda z, Y: -tf.reduce_sum(Y * log_p(z), axis=1)


def regression() -> Iterator[Loss]:
    book = "X.T @ (softmax(X @ W) - Y) / m"
    operation = _mean(lambda z, Y: tf.nn.softmax_cross_entropy_with_logits(labels=Y, logits=z))
    yield Loss("softmax regression, TF's operation", MODEL, operation, "W", book, source=PRML_SOFTMAX)
    yield Loss("softmax regression, TF's operation and a fact", MODEL, operation, "W", book, facts=SUMS, source=PRML_SOFTMAX)
    spellings = {
        "log of softmax": _cross_entropy(lambda z: tf.log(tf.nn.softmax(z))),
        "log_softmax": _cross_entropy(tf.nn.log_softmax),
        "log of exp over sum": _cross_entropy(lambda z: tf.log(_softmax_written(z))),
        "logits less logarithm": _cross_entropy(lambda z: z - tf.log(tf.reduce_sum(tf.exp(z), axis=1, keepdims=True))),
    }
    for name, f in spellings.items():
        yield Loss(f"softmax regression, {name}", MODEL, _mean(f), "W", book, facts=SUMS, source=PRML_SOFTMAX)
    picked = {
        "logsumexp less picked": lambda z, Y: _logsumexp(z) - tf.reduce_sum(Y * z, axis=1),
        "logsumexp less picked, columns": lambda z, Y: _logsumexp(z)[:, None] - tf.reduce_sum(z * Y, axis=1, keepdims=True),
    }
    for name, f in picked.items():
        yield Loss(f"softmax regression, {name}", MODEL, _mean(f), "W", book, source=PRML_SOFTMAX)
    yield Loss(
        "softmax regression, one-hot labels",
        MODEL.replace("stochastic", "one_hot"),
        _mean(_cross_entropy(lambda z: tf.log(_softmax_written(z)))),
        "W",
        book,
        facts={"Y": ("one_hot",)},
        source=PRML_SOFTMAX,
    )
    yield Loss(
        "softmax regression, sum",
        MODEL,
        lambda X, W, Y: -tf.reduce_sum(Y * tf.log(tf.nn.softmax(X @ W))),
        "W",
        "X.T @ (softmax(X @ W) - Y)",
        facts=SUMS,
        source="PRML eq. 4.109",
    )
    yield Loss(
        "softmax regression, any weights on classes",
        MODEL.replace("stochastic", "positive"),
        _mean(_cross_entropy(lambda z: tf.log(_softmax_written(z)))),
        "W",
        "X.T @ (np.sum(Y, axis=1, keepdims=True) * softmax(X @ W) - Y) / m",
        source="PRML 4.3.4, before the targets are said to sum to 1",
    )
    yield Loss(
        "softmax regression, labels by number",
        "X(m,n) W(n,k) c(m):below_k",
        lambda X, W, c: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=c, logits=X @ W)),
        "W",
        "X.T @ (softmax(X @ W) - one_hot(c, k)) / m",
        source=PRML_SOFTMAX,
    )
    yield Loss(
        "softmax regression with ridge",
        MODEL,
        lambda X, W, Y: (
            tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=Y, logits=X @ W)) + 0.05 * tf.reduce_sum(tf.square(W))
        ),
        "W",
        "X.T @ (softmax(X @ W) - Y) / m + 0.1 * W",
        source="Murphy 8.3.7",
    )
    yield Loss(
        "softmax regression with weights of examples",
        MODEL + " w(m,1):positive",
        lambda X, W, Y, w: -tf.reduce_sum(w * Y * tf.nn.log_softmax(X @ W)),
        "W",
        "X.T @ (w * (softmax(X @ W) - Y))",
        facts=SUMS,
        source=PRML_SOFTMAX,
    )
    yield Loss(
        "softmax regression with temperature",
        MODEL,
        _mean(lambda z, Y: tf.nn.softmax_cross_entropy_with_logits(labels=Y, logits=z / 2)),
        "W",
        "X.T @ (softmax(X @ W / 2) - Y) / (2 * m)",
        source="Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network",
    )
    biased = "X(m,n) W(n,k) b(k) Y(m,k):stochastic"
    for wrt, text in {"W": "X.T @ (softmax(X @ W + b) - Y) / m", "b": "np.sum(softmax(X @ W + b) - Y, axis=0) / m"}.items():
        yield Loss(
            f"softmax regression with bias, in {wrt}",
            biased,
            lambda X, W, b, Y: -tf.reduce_mean(tf.reduce_sum(Y * tf.nn.log_softmax(X @ W + b), axis=1)),
            wrt,
            text,
            facts=SUMS,
            source=PRML_SOFTMAX,
        )
    yield Loss(
        "label smoothing",
        MODEL,
        _mean(lambda z, Y: tf.nn.softmax_cross_entropy_with_logits(labels=0.9 * Y + 0.1 / 3, logits=z)),
        "W",
        "X.T @ (softmax(X @ W) - 0.9 * Y - 0.1 / k) / m",
        source="Goodfellow et al. 7.5.1",
    )
    yield Loss(
        "softmax regression in the logits",
        "Z(m,k) Y(m,k):stochastic",
        lambda Z, Y: -tf.reduce_sum(Y * tf.log(_softmax_written(Z))),
        "Z",
        "softmax(Z) - Y",
        facts=SUMS,
        source="PRML eq. 4.109",
    )
    yield Loss(
        "squared error of a softmax",
        "Z(m,k) Y(m,k):stochastic",
        lambda Z, Y: tf.reduce_sum(tf.square(tf.nn.softmax(Z) - Y)),
        "Z",
        "2 * P * (R - np.sum(P * R, axis=1, keepdims=True))",
        {"P": "softmax(Z)", "R": "P - Y"},
        source="PRML eq. 4.106",
    )


def divergences() -> Iterator[Loss]:
    yield Loss("log-sum-exp", "Z(m,k)", lambda Z: tf.reduce_sum(_logsumexp(Z)), "Z", "softmax(Z)", source="Boyd & Vandenberghe 3.1.5")
    yield Loss(
        "log-sum-exp of an affine map",
        "A(h,n) x(n,1) b(h,1)",
        lambda A, x, b: tf.log(tf.reduce_sum(tf.exp(A @ x + b))),
        "x",
        "A.T @ softmax(A @ x + b, axis=0)",
        source="Boyd & Vandenberghe A.4.1",
    )
    kl = "A(m,k) B(m,k)"

    def divergence(A, B):
        return tf.reduce_sum(tf.nn.softmax(A) * (tf.nn.log_softmax(A) - tf.nn.log_softmax(B)))

    yield Loss("divergence of softmaxes, in the second", kl, divergence, "B", "softmax(B) - softmax(A)", source="PRML 1.6.1")
    yield Loss(
        "divergence of softmaxes, in the first",
        kl,
        divergence,
        "A",
        "P * (D - np.sum(P * D, axis=1, keepdims=True))",
        {"P": "softmax(A)", "D": "log_softmax(A) - log_softmax(B)"},
        source="PRML 1.6.1, eq. 4.106",
    )
    yield Loss(
        "divergence of probabilities, in the second",
        "P(m,k):stochastic Q(m,k):stochastic",
        lambda P, Q: tf.reduce_sum(P * tf.log(P / Q)),
        "Q",
        "-P / Q",
        source="PRML 1.6.1",
    )
    yield Loss(
        "divergence of probabilities, in the first",
        "P(m,k):stochastic Q(m,k):stochastic",
        lambda P, Q: tf.reduce_sum(P * tf.log(P / Q)),
        "P",
        "np.log(P / Q) + 1",
        source="Boyd & Vandenberghe 3.2.6",
    )
    yield Loss(
        "entropy of a softmax",
        "Z(m,k)",
        lambda Z: -tf.reduce_sum(tf.nn.softmax(Z) * tf.nn.log_softmax(Z)),
        "Z",
        "-P * (L - np.sum(P * L, axis=1, keepdims=True))",
        {"P": "softmax(Z)", "L": "log_softmax(Z)"},
        source="PRML eq. 4.106",
    )
    yield Loss(
        "entropy, written by hand",
        "Z(m,k)",
        lambda Z: -tf.reduce_sum(_softmax_written(Z) * tf.log(_softmax_written(Z))),
        "Z",
        "-P * (L - np.sum(P * L, axis=1, keepdims=True))",
        {"P": "softmax(Z)", "L": "log_softmax(Z)"},
        source="PRML eq. 4.106",
    )
    yield Loss(
        "negative entropy",
        "x(n,1):positive",
        lambda x: tf.reduce_sum(x * tf.log(x)),
        "x",
        "np.log(x) + 1",
        source="Boyd & Vandenberghe 3.1.5",
    )
    yield Loss(
        "distillation",
        "Z(m,k) T(m,k)",
        lambda Z, T: tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=tf.nn.softmax(T / 2), logits=Z / 2)),
        "Z",
        "(softmax(Z / 2) - softmax(T / 2)) / (2 * m)",
        source="Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network",
    )
    yield Loss(
        "policy gradient",
        "X(m,n) W(n,k) Y(m,k):one_hot a(m,1)",
        lambda X, W, Y, a: -tf.reduce_mean(a * tf.reduce_sum(Y * tf.nn.log_softmax(X @ W), axis=1, keepdims=True)),
        "W",
        "X.T @ (a * (softmax(X @ W) - Y)) / m",
        facts={"Y": ("one_hot",)},
        source="Sutton & Barto 13.3",
    )


def contrasts() -> Iterator[Loss]:
    yield Loss(
        "contrast within a batch",
        "U(h,d) V(h,d)",
        lambda U, V: -tf.trace(tf.nn.log_softmax(tf.matmul(U, V, transpose_b=True))),
        "U",
        "(softmax(U @ V.T) - np.eye(h)) @ V",
        source="van den Oord et al., Contrastive Predictive Coding",
    )
    yield Loss(
        "negative sampling",
        "v(d,1) u(d,1) N(k,d)",
        lambda v, u, N: -tf.reduce_sum(tf.log(tf.sigmoid(tf.matmul(u, v, transpose_a=True)))) - tf.reduce_sum(tf.log(tf.sigmoid(-(N @ v)))),
        "v",
        "(sigmoid(u.T @ v) - 1) * u + N.T @ sigmoid(N @ v)",
        source="Mikolov et al., Distributed Representations of Words and Phrases, eq. 4",
    )
    distance = "norm(A - B, axis=1, keepdims=True)"
    yield Loss(
        "contrastive pairs",
        "A(m,d) B(m,d) y(m,1):binary",
        lambda A, B, y: tf.reduce_sum(y * _distance(A, B) ** 2 + (1 - y) * tf.square(tf.maximum(0.0, 3 - _distance(A, B)))),
        "A",
        "2 * (y - (1 - y) * relu(3 - D) / D) * (A - B)",
        {"D": distance},
        source="Hadsell, Chopra & LeCun, Dimensionality Reduction by Learning an Invariant Mapping",
    )
    yield Loss(
        "triplets",
        "A(m,d) P(m,d) N(m,d)",
        lambda A, P, N: tf.reduce_sum(tf.nn.relu(_squared(A, P) - _squared(A, N) + 1)),
        "A",
        "2 * (T > 0) * (N - P)",
        {"T": "np.sum((A - P) ** 2, axis=1, keepdims=True) - np.sum((A - N) ** 2, axis=1, keepdims=True) + 1"},
        source="Schroff, Kalenichenko & Philbin, FaceNet, eq. 3",
    )


def _squared(a, b):
    return tf.reduce_sum(tf.square(a - b), axis=1, keepdims=True)


def _distance(a, b):
    return tf.norm(a - b, axis=1, keepdims=True)


def rows() -> Iterator[Loss]:
    for part in (regression, divergences, contrasts):
        yield from part()
