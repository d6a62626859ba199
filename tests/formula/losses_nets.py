"""Losses of nets: layers by back-propagation, attention, normalisation, pooling, recurrence, embeddings.

Law of this file: rows only; D is the derivative by the net's output, and each row's text is what back-propagation
gives, with the shared parts that a book names.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.losses_linear import square_mean, square_sum
from tests.formula.losses_matrix import transpose
from tests.formula.textbook import Loss

PROPAGATION = "Goodfellow et al. 6.5; PRML 5.3"
ONE = "X(m,n) W1(n,h) b1(h) W2(h,k) b2(k) Y(m,k)"
TWO = "X(m,n) W1(n,h) b1(h) W2(h,d) b2(d) W3(d,k) b3(k) Y(m,k)"


def _distributions(inputs: str) -> str:
    return inputs.replace("Y(m,k)", "Y(m,k):stochastic")


def _cross_entropy(Z, Y):
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=Y, logits=Z))


UNITS = {
    "tanh": (tf.tanh, "np.tanh({z})", "(1 - H ** 2)"),
    "sigmoid": (tf.sigmoid, "sigmoid({z})", "H * (1 - H)"),
    "relu": (tf.nn.relu, "relu({z})", "(H > 0)"),
    "softplus": (tf.nn.softplus, "softplus({z})", "sigmoid(Z)"),
}
"""For each unit: TF's function, the text of the layer, the text of its slope."""


def one_layer() -> Iterator[Loss]:
    for unit, (f, layer, slope) in UNITS.items():
        backwards = f"(D @ W2.T) * {slope}"
        texts = {"W1": f"X.T @ ({backwards})", "b1": f"np.sum({backwards}, axis=0)", "W2": "H.T @ D", "b2": "np.sum(D, axis=0)"}
        for wrt, text in texts.items():
            if unit == "softplus" and wrt != "W1":
                continue
            yield Loss(
                f"one {unit} layer, squares, in {wrt}",
                ONE,
                lambda X, W1, b1, W2, b2, Y, f=f: square_sum(f(X @ W1 + b1) @ W2 + b2 - Y) / 2,
                wrt,
                text,
                {"Z": "X @ W1 + b1", "H": layer.format(z="Z"), "D": "H @ W2 + b2 - Y"},
                source=PROPAGATION,
            )
    for unit in ("tanh", "relu"):
        f, layer, slope = UNITS[unit]
        for wrt, text in {"W1": f"X.T @ ((D @ W2.T) * {slope})", "W2": "H.T @ D"}.items():
            yield Loss(
                f"one {unit} layer, softmax, in {wrt}",
                _distributions(ONE),
                lambda X, W1, b1, W2, b2, Y, f=f: _cross_entropy(f(X @ W1 + b1) @ W2 + b2, Y),
                wrt,
                text,
                {"H": layer.format(z="X @ W1 + b1"), "D": "(softmax(H @ W2 + b2) - Y) / m"},
                source=PROPAGATION,
            )
    yield Loss(
        "one sigmoid layer, logistic",
        "X(m,n) W1(n,h) b1(h) w(h,1) b() y(m,1):binary",
        lambda X, W1, b1, w, b, y: tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=tf.sigmoid(X @ W1 + b1) @ w + b)
        ),
        "W1",
        "X.T @ (D @ w.T * H * (1 - H))",
        {"H": "sigmoid(X @ W1 + b1)", "D": "(sigmoid(H @ w + b) - y) / m"},
        source="ESL 11.4",
    )
    yield Loss(
        "one tanh layer, weight decay",
        ONE,
        lambda X, W1, b1, W2, b2, Y: square_mean(tf.tanh(X @ W1 + b1) @ W2 + b2 - Y) + 0.05 * (square_sum(W1) + square_sum(W2)),
        "W1",
        "X.T @ ((D @ W2.T) * (1 - H ** 2)) + 0.1 * W1",
        {"H": "np.tanh(X @ W1 + b1)", "D": "2 / (m * k) * (H @ W2 + b2 - Y)"},
        source="ESL 11.5.2",
    )


def two_layers() -> Iterator[Loss]:
    for unit, head in (("tanh", "squares"), ("sigmoid", "squares"), ("relu", "softmax"), ("tanh", "softmax")):
        f, layer, slope = UNITS[unit]
        second, first = slope.replace("H", "B"), slope.replace("H", "A")
        parts = {
            "A": layer.format(z="X @ W1 + b1"),
            "B": layer.format(z="A @ W2 + b2"),
            "D": "B @ W3 + b3 - Y" if head == "squares" else "softmax(B @ W3 + b3) - Y",
            "E": f"(D @ W3.T) * {second}",
        }
        texts = {
            "W1": f"X.T @ ((E @ W2.T) * {first})",
            "b1": f"np.sum((E @ W2.T) * {first}, axis=0)",
            "W2": "A.T @ E",
            "b2": "np.sum(E, axis=0)",
            "W3": "B.T @ D",
        }
        for wrt, text in texts.items():
            yield Loss(
                f"two {unit} layers, {head}, in {wrt}",
                _distributions(TWO) if head == "softmax" else TWO,
                lambda X, W1, b1, W2, b2, W3, b3, Y, f=f, head=head: _head(head, f(f(X @ W1 + b1) @ W2 + b2) @ W3 + b3, Y),
                wrt,
                text,
                {name: part for name, part in parts.items() if not (wrt == "W3" and name == "E")},
                source=PROPAGATION,
            )


def _head(kind: str, Z, Y):
    if kind == "squares":
        return square_sum(Z - Y) / 2
    return tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(labels=Y, logits=Z))


def blocks() -> Iterator[Loss]:
    residual = "X(m,n) W1(n,h) W2(h,n) Y(m,n)"
    for wrt, text in {"W1": "X.T @ ((D @ W2.T) * (1 - H ** 2))", "W2": "H.T @ D"}.items():
        yield Loss(
            f"residual block, in {wrt}",
            residual,
            lambda X, W1, W2, Y: square_sum(X + tf.tanh(X @ W1) @ W2 - Y) / 2,
            wrt,
            text,
            {"H": "np.tanh(X @ W1)", "D": "X + H @ W2 - Y"},
            source="He et al., Deep Residual Learning",
        )
    yield Loss(
        "residual block, in X",
        residual,
        lambda X, W1, W2, Y: square_sum(X + tf.tanh(X @ W1) @ W2 - Y) / 2,
        "X",
        "D + ((D @ W2.T) * (1 - H ** 2)) @ W1.T",
        {"H": "np.tanh(X @ W1)", "D": "X + H @ W2 - Y"},
        source="He et al., Identity Mappings in Deep Residual Networks, eq. 5",
    )
    yield Loss(
        "autoencoder with tied weights",
        "X(m,n) W(n,d)",
        lambda X, W: square_sum(tf.sigmoid(X @ W) @ transpose(W) - X) / 2,
        "W",
        "D.T @ H + X.T @ ((D @ W) * H * (1 - H))",
        {"H": "sigmoid(X @ W)", "D": "H @ W.T - X"},
        source="Goodfellow et al. 14",
    )
    yield Loss(
        "autoencoder, linear",
        "X(m,n) A(n,d) B(d,n)",
        lambda X, A, B: square_sum(X @ A @ B - X),
        "A",
        "2 * X.T @ (X @ A @ B - X) @ B.T",
        source="Goodfellow et al. 14.1",
    )
    yield Loss(
        "deep linear net",
        "X(m,n) A(n,h) B(h,d) C(d,k) Y(m,k)",
        lambda X, A, B, C, Y: square_sum(X @ A @ B @ C - Y),
        "B",
        "2 * (X @ A).T @ ((X @ A @ B @ C - Y) @ C.T)",
        source="Saxe, McClelland & Ganguli, eq. 3",
    )
    gate = "X(m,n) A(n,k) B(n,k) Y(m,k)"
    for wrt, text in {"A": "X.T @ (D * S)", "B": "X.T @ (D * (X @ A) * S * (1 - S))"}.items():
        yield Loss(
            f"gated linear unit, in {wrt}",
            gate,
            lambda X, A, B, Y: square_sum((X @ A) * tf.sigmoid(X @ B) - Y) / 2,
            wrt,
            text,
            {"S": "sigmoid(X @ B)", "D": "(X @ A) * S - Y"},
            source="Dauphin et al., Language Modeling with Gated Convolutional Networks",
        )
    yield Loss(
        "swish",
        "x(m)",
        lambda x: tf.reduce_sum(x * tf.sigmoid(x)),
        "x",
        "S + x * S * (1 - S)",
        {"S": "sigmoid(x)"},
        source="Ramachandran, Zoph & Le, Searching for Activation Functions",
    )
    yield Loss(
        "dropout, a given mask",
        "X(m,n) M(m,n):binary W(n,k) Y(m,k)",
        lambda X, M, W, Y: square_sum((X * M) @ W - Y),
        "W",
        "2 * (X * M).T @ ((X * M) @ W - Y)",
        source="Goodfellow et al. 7.12",
    )
    yield Loss(
        "rows and columns scaled",
        "X(m,n) r(m,1) c(n) Y(m,n)",
        lambda X, r, c, Y: square_sum(r * X * c - Y),
        "c",
        "2 * np.sum(A * (A * c - Y), axis=0)",
        {"A": "r * X"},
        source="Matrix Cookbook 2.5 (diagonal factors)",
    )
    yield Loss(
        "batch normalisation",
        "X(m,n) G(m,n)",
        lambda X, G: tf.reduce_sum(G * _normalised(X)),
        "X",
        "(G - np.mean(G, axis=0) - Z * np.mean(G * Z, axis=0)) / s",
        {"A": "X - np.mean(X, axis=0)", "s": "np.sqrt(np.mean(A ** 2, axis=0))", "Z": "A / s"},
        source="Ioffe & Szegedy, Batch Normalization, 3",
    )


def _normalised(X):
    a = X - tf.reduce_mean(X, axis=0)
    return a / tf.sqrt(tf.reduce_mean(tf.square(a), axis=0))


def attention() -> Iterator[Loss]:
    inputs = "Q(m,n) K(h,n) V(h,k) Y(m,k)"
    weights = {"A": "softmax(Q @ K.T / 2)"}
    error = weights | {"D": "A @ V - Y", "P": "D @ V.T", "S": "A * (P - np.sum(A * P, axis=1, keepdims=True))"}
    texts = {"V": ("A.T @ (A @ V - Y)", weights), "Q": ("S @ K / 2", error), "K": ("S.T @ Q / 2", error)}
    for wrt, (text, where) in texts.items():
        yield Loss(
            f"attention, in {wrt}",
            inputs,
            lambda Q, K, V, Y: square_sum(_attended(Q, K, V) - Y) / 2,
            wrt,
            text,
            where,
            source="Vaswani et al., Attention Is All You Need, eq. 1; PRML eq. 4.106",
        )
    yield Loss(
        "attention weighted by a given matrix, in V",
        inputs,
        lambda Q, K, V, Y: tf.reduce_sum(Y * _attended(Q, K, V)),
        "V",
        "softmax(Q @ K.T / 2).T @ Y",
        source="Vaswani et al., Attention Is All You Need, eq. 1",
    )
    yield Loss(
        "attention weighted by a given matrix, in Q",
        inputs,
        lambda Q, K, V, Y: tf.reduce_sum(Y * _attended(Q, K, V)),
        "Q",
        "A * (P - np.sum(A * P, axis=1, keepdims=True)) @ K / 2",
        weights | {"P": "Y @ V.T"},
        source="Vaswani et al., Attention Is All You Need, eq. 1; PRML eq. 4.106",
    )


def _attended(Q, K, V):
    return tf.nn.softmax(tf.matmul(Q, K, transpose_b=True) / 4**0.5) @ V


def recurrences() -> Iterator[Loss]:
    inputs = "H0(m,d) X1(m,n) X2(m,n) W(d,d) U(n,d) Y(m,d)"
    linear = {"H1": "H0 @ W + X1 @ U", "E": "H1 @ W + X2 @ U - Y"}
    for wrt, text in {"W": "H1.T @ E + H0.T @ (E @ W.T)", "U": "X2.T @ E + X1.T @ (E @ W.T)"}.items():
        yield Loss(
            f"two steps of a linear recurrence, in {wrt}",
            inputs,
            lambda H0, X1, X2, W, U, Y: square_sum((H0 @ W + X1 @ U) @ W + X2 @ U - Y) / 2,
            wrt,
            text,
            linear,
            source="Goodfellow et al. 10.2.2",
        )
    yield Loss(
        "two steps of a tanh recurrence",
        inputs,
        lambda H0, X1, X2, W, U, Y: square_sum(tf.tanh(tf.tanh(H0 @ W + X1 @ U) @ W + X2 @ U) - Y) / 2,
        "W",
        "H1.T @ E + H0.T @ ((E @ W.T) * (1 - H1 ** 2))",
        {"H1": "np.tanh(H0 @ W + X1 @ U)", "H2": "np.tanh(H1 @ W + X2 @ U)", "E": "(H2 - Y) * (1 - H2 ** 2)"},
        source="Goodfellow et al. 10.2.2",
    )


def movements() -> Iterator[Loss]:
    joined = "A(m,n) B(m,d) W(6,k) Y(m,k)"
    for wrt, text in {"W": "C.T @ (C @ W - Y)", "A": "(C @ W - Y) @ W[:n].T"}.items():
        yield Loss(
            f"joined columns, in {wrt}",
            joined,
            lambda A, B, W, Y: square_sum(tf.concat([A, B], 1) @ W - Y) / 2,
            wrt,
            text,
            {"C": "np.concatenate([A, B], 1)"},
            source="Matrix Cookbook 2.5.2 (blocks)",
        )
    yield Loss(
        "columns in two parts",
        "X(m,n) u(2,1) v(2,1) y(m,1)",
        lambda X, u, v, y: square_sum(X[:, :2] @ u + X[:, 2:] @ v - y) / 2,
        "u",
        "P.T @ (P @ u + X[:, 2:] @ v - y)",
        {"P": "X[:, :2]"},
        source="ESL 3.2.3",
    )
    yield Loss(
        "autoregression, in a coefficient",
        "x(h) a() b()",
        lambda x, a, b: square_sum(x[2:] - a * x[1:-1] - b * x[:-2]),
        "a",
        "-2 * np.sum((x[2:] - a * x[1:-1] - b * x[:-2]) * x[1:-1])",
        source="Hamilton, Time Series Analysis 5.2",
    )
    yield Loss(
        "smoothing by neighbours",
        "x(n) y(n) lam():positive",
        lambda x, y, lam: square_sum(x - y) + lam * square_sum(x[1:] - x[:-1]),
        "x",
        "2 * (x - y + lam * (np.concatenate([np.zeros(1), D]) - np.concatenate([D, np.zeros(1)])))",
        {"D": "x[1:] - x[:-1]"},
        source="Boyd & Vandenberghe 6.3.3",
    )
    yield Loss(
        "greatest of each row",
        "Z(m,k) y(m,1)",
        lambda Z, y: square_sum(tf.reduce_max(Z, axis=1, keepdims=True) - y),
        "Z",
        "2 * (M - y) * (Z == M)",
        {"M": "np.max(Z, axis=1, keepdims=True)"},
        source="Goodfellow et al. 9.3",
    )
    yield Loss(
        "pooling by pairs",
        "X(m,n) Y(m,2)",
        lambda X, Y: square_sum(tf.reduce_max(tf.reshape(X, [-1, 2, 2]), axis=2) - Y),
        "X",
        "np.reshape(2 * (M - Y)[..., None] * (P == M[..., None]), (m, n))",
        {"P": "np.reshape(X, (m, 2, 2))", "M": "np.max(P, axis=2)"},
        source="Goodfellow et al. 9.3",
    )
    yield Loss(
        "averages by pairs",
        "X(m,n) Y(m,2)",
        lambda X, Y: square_sum(tf.reduce_mean(tf.reshape(X, [-1, 2, 2]), axis=2) - Y),
        "X",
        "np.repeat(np.mean(P, axis=2) - Y, 2, axis=1)",
        {"P": "np.reshape(X, (m, 2, 2))"},
        source="Goodfellow et al. 9.3",
    )
    yield Loss(
        "maxout",
        "X(m,n) A(n,1) B(n,1) y(m,1)",
        lambda X, A, B, y: square_sum(tf.maximum(X @ A, X @ B) - y) / 2,
        "A",
        "X.T @ ((np.maximum(a, b) - y) * (a > b))",
        {"a": "X @ A", "b": "X @ B"},
        source="Goodfellow et al. 6.3.1",
    )
    yield Loss(
        "embeddings",
        "E(k,d) i(m):below_k T(m,d)",
        lambda E, i, T: square_sum(tf.gather(E, i) - T),
        "E",
        "2 * scatter(E[i] - T, i, k)",
        source="Goodfellow et al. 12.4.2",
    )
    yield Loss(
        "bag of words",
        "E(k,d) i(h):below_k t(d)",
        lambda E, i, t: square_sum(tf.reduce_mean(tf.gather(E, i), axis=0) - t),
        "E",
        "2 / h * scatter(np.broadcast_to(np.mean(E[i], axis=0) - t, (h, d)), i, k)",
        source="Mikolov et al., Efficient Estimation of Word Representations",
    )


def rows() -> Iterator[Loss]:
    for part in (one_layer, two_layers, blocks, attention, recurrences, movements):
        yield from part()
