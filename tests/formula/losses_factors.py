"""Losses of factorised matrices: ratings, principal components, word vectors.

Law of this file: rows only; a matrix is approximated by a product of two narrow ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.losses_linear import square_mean, square_sum
from tests.formula.losses_matrix import transpose
from tests.formula.textbook import Loss


def rows() -> Iterator[Loss]:
    ratings = "R(m,n) U(m,d) V(n,d)"

    def predicted(U, V):
        return tf.matmul(U, V, transpose_b=True)

    for wrt, text in {"U": "-2 * (R - U @ V.T) @ V", "V": "-2 * (R - U @ V.T).T @ U"}.items():
        yield Loss(
            f"matrix factorisation, in {wrt}",
            ratings,
            lambda R, U, V: square_sum(R - predicted(U, V)),
            wrt,
            text,
            source="ESL 14.6; Murphy 27.6.2",
        )
    yield Loss(
        "matrix factorisation with ridge",
        ratings,
        lambda R, U, V: square_sum(R - predicted(U, V)) + 0.1 * (square_sum(U) + square_sum(V)),
        "U",
        "-2 * (R - U @ V.T) @ V + 0.2 * U",
        source="Koren, Bell & Volinsky, Matrix Factorization Techniques for Recommender Systems",
    )
    masked = ratings + " M(m,n):binary"
    yield Loss(
        "matrix factorisation with a mask",
        masked,
        lambda R, U, V, M: tf.reduce_sum(M * tf.square(R - predicted(U, V))),
        "U",
        "-2 * (M * (R - U @ V.T)) @ V",
        source="Murphy 27.6.2",
    )
    yield Loss(
        "matrix factorisation with a mask inside, in V",
        masked,
        lambda R, U, V, M: square_sum(M * (R - predicted(U, V))) + 0.1 * square_sum(V),
        "V",
        "-2 * (M * (R - U @ V.T)).T @ U + 0.2 * V",
        facts={"M": ("binary",)},
        source="Murphy 27.6.2",
    )
    gathered = "U(n,d) V(k,d) b(n) i(m):below_n j(m):below_k r(m)"
    error = {"e": "np.sum(U[i] * V[j], axis=1) - r"}

    def product(U, V, i, j):
        return tf.reduce_sum(tf.gather(U, i) * tf.gather(V, j), axis=1)

    yield Loss(
        "matrix factorisation by gathers",
        gathered.replace("b(n) ", ""),
        lambda U, V, i, j, r: square_mean(product(U, V, i, j) - r),
        "U",
        "2 / m * scatter(e[:, None] * V[j], i, n)",
        error,
        source="Koren, Bell & Volinsky, Matrix Factorization Techniques for Recommender Systems",
    )
    yield Loss(
        "matrix factorisation by gathers, in a bias",
        gathered,
        lambda U, V, b, i, j, r: square_mean(product(U, V, i, j) + tf.gather(b, i) - r),
        "b",
        "2 / m * scatter(e, i, n)",
        {"e": "np.sum(U[i] * V[j], axis=1) + b[i] - r"},
        source="Koren, Bell & Volinsky, Matrix Factorization Techniques for Recommender Systems",
    )
    yield Loss(
        "non-negative factors, divergence",
        "V(m,n):positive W(m,d):positive H(d,n):positive",
        lambda V, W, H: tf.reduce_sum(W @ H - V * tf.log(W @ H)),
        "W",
        "(1 - V / (W @ H)) @ H.T",
        source="ESL 14.6; Lee & Seung",
    )
    reconstruction = "X(m,n) W(n,d)"
    yield Loss(
        "principal components, reconstruction",
        reconstruction,
        lambda X, W: square_sum(X - X @ W @ transpose(W)),
        "W",
        "-2 * (X.T @ R + R.T @ X) @ W",
        {"R": "X - X @ W @ W.T"},
        source="PRML 12.1.2",
    )
    yield Loss(
        "principal components, variance",
        reconstruction,
        lambda X, W: -tf.trace(transpose(W) @ transpose(X) @ X @ W),
        "W",
        "-2 * X.T @ (X @ W)",
        source="PRML 12.1.1",
    )
    yield Loss(
        "principal components, mean variance",
        reconstruction,
        lambda X, W: -square_sum(X @ W) / tf.cast(tf.shape(X)[0], X.dtype),
        "W",
        "-2 / m * X.T @ (X @ W)",
        source="PRML 12.1.1",
    )
    yield Loss(
        "GloVe, in W",
        "F(n,h):positive L(n,h) W(n,d) V(h,d) b(n,1) c(1,h)",
        lambda F, L, W, V, b, c: tf.reduce_sum(F * tf.square(predicted(W, V) + b + c - L)),
        "W",
        "2 * (F * (W @ V.T + b + c - L)) @ V",
        source="Pennington, Socher & Manning, GloVe, eq. 8",
    )
    yield Loss(
        "GloVe, in a bias",
        "F(n,h):positive N(n,h):positive W(n,d) V(h,d) b(n,1) c(1,h)",
        lambda F, N, W, V, b, c: tf.reduce_sum(F * tf.square(predicted(W, V) + b + c - tf.log(N))),
        "b",
        "2 * np.sum(F * (W @ V.T + b + c - np.log(N)), axis=1, keepdims=True)",
        source="Pennington, Socher & Manning, GloVe, eq. 8",
    )
