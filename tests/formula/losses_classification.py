"""Losses of two classes: logistic regression in its spellings, with labels 0/1 and ±1, and the margin losses.

Law of this file: rows only; labels are y in {0, 1} or t in {-1, 1}, and z = Xθ is the score.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.textbook import Loss

ZERO_ONE = "X(m,n) theta(n,1) y(m,1):binary"
SIGNS = "X(m,n) theta(n,1) t(m,1):sign"
ESL_LOGISTIC = "ESL 4.4.1"


def _score(f):
    """A loss by examples of score and label, as the mean over the rows of X."""
    return lambda X, theta, label: tf.reduce_mean(f(X @ theta, label))


def _by_logarithms(p, y):
    return -(y * tf.log(p) + (1 - y) * tf.log(1 - p))


def _sigmoid_written(z):
    return 1 / (1 + tf.exp(-z))


def logistic() -> Iterator[Loss]:
    spellings = {
        "log1p": lambda z, y: tf.log1p(tf.exp(z)) - y * z,
        "log(1 + exp)": lambda z, y: tf.log(1 + tf.exp(z)) - y * z,
        "softplus": lambda z, y: tf.nn.softplus(z) - y * z,
        "two softplus": lambda z, y: y * tf.nn.softplus(-z) + (1 - y) * tf.nn.softplus(z),
        "sigmoid and log": lambda z, y: _by_logarithms(tf.sigmoid(z), y),
        "sigmoid written out": lambda z, y: _by_logarithms(_sigmoid_written(z), y),
        "exp(z) / (1 + exp(z))": lambda z, y: _by_logarithms(tf.exp(z) / (1 + tf.exp(z)), y),
        "1 - sigmoid as sigmoid(-z)": lambda z, y: -y * tf.log(tf.sigmoid(z)) - (1 - y) * tf.log(tf.sigmoid(-z)),
        "TF's stable form": lambda z, y: tf.maximum(z, 0) - z * y + tf.log(1 + tf.exp(-tf.abs(z))),
        "TF's stable form, relu and log1p": lambda z, y: tf.nn.relu(z) - z * y + tf.log1p(tf.exp(-tf.abs(z))),
        "TF's operation": lambda z, y: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z),
    }
    for name, f in spellings.items():
        yield Loss(f"logistic, {name}", ZERO_ONE, _score(f), "theta", "X.T @ (sigmoid(X @ theta) - y) / m", source=ESL_LOGISTIC)
    yield Loss(
        "logistic, where",
        ZERO_ONE,
        _score(lambda z, y: -tf.log(tf.where(y > 0.5, tf.sigmoid(z), 1 - tf.sigmoid(z)))),
        "theta",
        "X.T @ (sigmoid(X @ theta) - y) / m",
        facts={"y": ("binary",)},
        source=ESL_LOGISTIC,
    )
    yield Loss(
        "logistic, sum",
        ZERO_ONE,
        lambda X, theta, y: -tf.reduce_sum(y * (X @ theta) - tf.log(1 + tf.exp(X @ theta))),
        "theta",
        "X.T @ (sigmoid(X @ theta) - y)",
        source="ESL eq. 4.20, 4.21",
    )
    yield Loss(
        "logistic with ridge",
        ZERO_ONE,
        lambda X, theta, y: (
            tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=X @ theta)) + 0.05 * tf.reduce_sum(tf.square(theta))
        ),
        "theta",
        "X.T @ (sigmoid(X @ theta) - y) / m + 0.1 * theta",
        source="ESL 4.4.4",
    )
    yield Loss(
        "logistic with lasso",
        ZERO_ONE,
        lambda X, theta, y: tf.reduce_mean(tf.nn.softplus(X @ theta) - y * (X @ theta)) + 0.1 * tf.norm(theta, 1),
        "theta",
        "X.T @ (sigmoid(X @ theta) - y) / m + 0.1 * np.sign(theta)",
        source="ESL 4.4.4",
    )
    yield Loss(
        "logistic with weights",
        ZERO_ONE + " w(m,1):positive",
        lambda X, theta, y, w: tf.reduce_mean(w * (tf.nn.softplus(X @ theta) - y * (X @ theta))),
        "theta",
        "X.T @ (w * (sigmoid(X @ theta) - y)) / m",
        source=ESL_LOGISTIC,
    )
    biased = "X(m,n) w(n,1) b() y(m,1):binary"
    for wrt, text in {"w": "X.T @ (sigmoid(X @ w + b) - y) / m", "b": "np.sum(sigmoid(X @ w + b) - y) / m"}.items():
        yield Loss(
            f"logistic with bias, in {wrt}",
            biased,
            lambda X, w, b, y: tf.reduce_mean(_by_logarithms(tf.sigmoid(X @ w + b), y)),
            wrt,
            text,
            source="PRML 4.3.2",
        )
    yield Loss(
        "logistic in the score",
        "z(m,1) y(m,1):binary",
        lambda z, y: tf.reduce_sum(_by_logarithms(tf.sigmoid(z), y)),
        "z",
        "sigmoid(z) - y",
        source="PRML eq. 4.91",
    )
    yield Loss(
        "cross-entropy in the probability",
        "p(m,1):fraction y(m,1):binary",
        lambda p, y: tf.reduce_sum(_by_logarithms(p, y)),
        "p",
        "(p - y) / (p * (1 - p))",
        source="PRML 4.3.2",
    )
    yield Loss(
        "squared error of probabilities",
        ZERO_ONE,
        _score(lambda z, y: tf.square(tf.sigmoid(z) - y)),
        "theta",
        "2 / m * X.T @ ((S - y) * S * (1 - S))",
        {"S": "sigmoid(X @ theta)"},
        source="ESL 11.4",
    )


def margins() -> Iterator[Loss]:
    spellings = {
        "log(1 + exp)": lambda z, t: tf.log(1 + tf.exp(-t * z)),
        "log1p": lambda z, t: tf.log1p(tf.exp(-t * z)),
        "softplus": lambda z, t: tf.nn.softplus(-t * z),
        "log sigmoid": lambda z, t: -tf.log(tf.sigmoid(t * z)),
        "log of the quotient": lambda z, t: -tf.log(1 / (1 + tf.exp(-t * z))),
    }
    for name, f in spellings.items():
        yield Loss(
            f"logistic ±1, {name}",
            SIGNS,
            _score(f),
            "theta",
            "-X.T @ (t * sigmoid(-t * (X @ theta))) / m",
            source="ESL 10.5; Murphy 8.3.1",
        )
    yield Loss(
        "binomial deviance",
        SIGNS,
        _score(lambda z, t: tf.log(1 + tf.exp(-2 * t * z))),
        "theta",
        "-2 / m * X.T @ (t * sigmoid(-2 * t * (X @ theta)))",
        source="ESL eq. 10.18",
    )
    hinge = "-X.T @ (t * (t * (X @ theta) < 1)) / m"
    yield Loss("hinge", SIGNS, _score(lambda z, t: tf.maximum(0.0, 1 - t * z)), "theta", hinge, source="ESL 12.3.2")
    yield Loss("hinge, relu", SIGNS, _score(lambda z, t: tf.nn.relu(1 - t * z)), "theta", hinge, source="ESL 12.3.2")
    yield Loss(
        "hinge, where",
        SIGNS,
        _score(lambda z, t: tf.where(t * z < 1, 1 - t * z, tf.zeros_like(z))),
        "theta",
        hinge,
        source="ESL 12.3.2",
    )
    yield Loss(
        "support vector machine",
        SIGNS,
        lambda X, theta, t: tf.reduce_mean(tf.maximum(0.0, 1 - t * (X @ theta))) + 0.05 * tf.reduce_sum(theta**2),
        "theta",
        "0.1 * theta - X.T @ (t * (t * (X @ theta) < 1)) / m",
        source="ESL eq. 12.25",
    )
    for wrt, text in {"w": "X.T @ g / m", "b": "np.sum(g) / m"}.items():
        yield Loss(
            f"hinge with bias, in {wrt}",
            "X(m,n) w(n,1) b() t(m,1):sign",
            lambda X, w, b, t: tf.reduce_mean(tf.maximum(0.0, 1 - t * (X @ w + b))),
            wrt,
            text,
            {"g": "-t * (t * (X @ w + b) < 1)"},
            source="ESL 12.3.2",
        )
    squared = "-2 / m * X.T @ (t * relu(1 - t * (X @ theta)))"
    yield Loss("squared hinge", SIGNS, _score(lambda z, t: tf.square(tf.maximum(0.0, 1 - t * z))), "theta", squared, source="ESL 12.3.2")
    yield Loss("squared hinge, relu", SIGNS, _score(lambda z, t: tf.nn.relu(1 - t * z) ** 2), "theta", squared, source="ESL 12.3.2")
    yield Loss(
        "perceptron",
        SIGNS,
        _score(lambda z, t: tf.maximum(0.0, -t * z)),
        "theta",
        "-X.T @ (t * (t * (X @ theta) < 0)) / m",
        source="ESL 4.5.1",
    )
    yield Loss(
        "exponential loss",
        SIGNS,
        _score(lambda z, t: tf.exp(-t * z)),
        "theta",
        "-X.T @ (t * np.exp(-t * (X @ theta))) / m",
        source="ESL 10.4",
    )
    yield Loss(
        "squared margin",
        SIGNS,
        _score(lambda z, t: tf.square(1 - t * z)),
        "theta",
        "-2 / m * X.T @ (t * (1 - t * (X @ theta)))",
        source="ESL 10.6",
    )
    yield Loss(
        "focal, gamma = 2",
        SIGNS,
        _score(lambda z, t: -tf.square(1 - tf.sigmoid(t * z)) * tf.log(tf.sigmoid(t * z))),
        "theta",
        "X.T @ (t * (1 - p) ** 2 * (2 * p * np.log(p) + p - 1)) / m",
        {"p": "sigmoid(t * (X @ theta))"},
        source="Lin et al., Focal Loss for Dense Object Detection, appendix B",
    )
    yield Loss(
        "ranking by pairs",
        "A(m,n) B(m,n) w(n,1)",
        lambda A, B, w: tf.reduce_mean(tf.nn.softplus(-(A @ w - B @ w))),
        "w",
        "-(A - B).T @ sigmoid(-(A - B) @ w) / m",
        source="Burges et al., Learning to Rank using Gradient Descent",
    )


def overlaps() -> Iterator[Loss]:
    yield Loss(
        "Dice",
        "p(m,1):fraction y(m,1):binary",
        lambda p, y: 1 - 2 * tf.reduce_sum(p * y) / (tf.reduce_sum(p) + tf.reduce_sum(y)),
        "p",
        "2 * (I - y * T) / T ** 2",
        {"I": "np.sum(p * y)", "T": "np.sum(p) + np.sum(y)"},
        source="quotient rule",
    )
    yield Loss(
        "Dice, squares",
        "p(m,1):fraction y(m,1):fraction",
        lambda p, y: 1 - 2 * tf.reduce_sum(p * y) / (tf.reduce_sum(p**2) + tf.reduce_sum(y**2)),
        "p",
        "-2 * (y * T - 2 * p * I) / T ** 2",
        {"I": "np.sum(p * y)", "T": "np.sum(p ** 2) + np.sum(y ** 2)"},
        source="Milletari et al., V-Net, 3",
    )


def rows() -> Iterator[Loss]:
    for part in (logistic, margins, overlaps):
        yield from part()
