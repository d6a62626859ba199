"""Second derivatives: Hessians, Newton steps, Jacobians, Gauss-Newton matrices, Hessians times a vector.

Law of this file: rows only; a Newton step is the Hessian's inverse times the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.losses_linear import MODEL, inner, square_mean, square_sum
from tests.formula.textbook import Loss

BINARY = MODEL.replace("y(m,1)", "y(m,1):binary")
ESL_NEWTON = "ESL eq. 4.25-4.27"
BOYD = "Boyd & Vandenberghe A.4"


def _logistic(X, theta, y):
    return tf.reduce_mean(tf.nn.softplus(X @ theta) - y * (X @ theta))


def _poisson(X, theta, y):
    return tf.reduce_mean(tf.exp(X @ theta) - y * (X @ theta))


def hessians() -> Iterator[Loss]:
    def row(name, inputs, value, text, where=None, facts=None, wrt="theta", source=BOYD):
        return Loss(f"Hessian of {name}", inputs, value, wrt, text, where or {}, facts or {}, source, "hessian")

    yield row("the mean squared error", MODEL, lambda X, theta, y: square_mean(X @ theta - y), "2 / m * X.T @ X", source="ESL 3.2")
    yield row("the sum of squares", MODEL, lambda X, theta, y: square_sum(X @ theta - y), "2 * X.T @ X", source="ESL 3.2")
    yield row(
        "ridge",
        MODEL,
        lambda X, theta, y: square_mean(X @ theta - y) + 0.1 * square_sum(theta),
        "2 / m * X.T @ X + 0.2 * np.eye(n)",
        source="ESL 3.4.1",
    )
    yield row(
        "weighted least squares",
        MODEL + " w(m,1):positive",
        lambda X, theta, y, w: tf.reduce_sum(w * tf.square(X @ theta - y)),
        "2 * X.T @ (w * X)",
        source="PRML exercise 3.3",
    )
    yield row(
        "generalised least squares",
        "X(h,n) theta(n,1) y(h,1) W(h,h):symmetric",
        lambda X, theta, y, W: inner(X @ theta - y, W @ (X @ theta - y)),
        "2 * X.T @ W @ X",
        facts={"W": ("symmetric",)},
        source="Matrix Cookbook 2.4.2",
    )
    spellings = {
        "logistic regression": _logistic,
        "logistic regression, TF's operation": lambda X, theta, y: tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=X @ theta)
        ),
        "logistic regression, log(1 + exp)": lambda X, theta, y: tf.reduce_mean(tf.log(1 + tf.exp(X @ theta)) - y * (X @ theta)),
    }
    for name, value in spellings.items():
        yield row(name, BINARY, value, "X.T @ (S * (1 - S) * X) / m", {"S": "sigmoid(X @ theta)"}, source=ESL_NEWTON)
    yield row("Poisson regression", MODEL, _poisson, "X.T @ (np.exp(X @ theta) * X) / m", source="McCullagh & Nelder 2.5")
    yield row(
        "log-cosh",
        MODEL,
        lambda X, theta, y: tf.reduce_mean(tf.log(tf.cosh(X @ theta - y))),
        "X.T @ ((1 - np.tanh(X @ theta - y) ** 2) * X) / m",
        source="d tanh = 1 - tanh²",
    )
    yield row("x'Ax", "x(n,1) A(n,n)", lambda x, A: inner(x, A @ x), "A + A.T", wrt="x", source="Matrix Cookbook 2.4.2")
    yield row(
        "x'Ax, A symmetric",
        "x(n,1) A(n,n):symmetric",
        lambda x, A: inner(x, A @ x),
        "2 * A",
        facts={"A": ("symmetric",)},
        wrt="x",
        source="Matrix Cookbook 2.4.2",
    )
    yield row(
        "log-sum-exp",
        "A(h,n) x(n,1) b(h,1)",
        lambda A, x, b: tf.log(tf.reduce_sum(tf.exp(A @ x + b))),
        "A.T @ (s * A) - g @ g.T",
        {"s": "softmax(A @ x + b, axis=0)", "g": "A.T @ s"},
        wrt="x",
        source="Boyd & Vandenberghe A.4.4",
    )
    yield row(
        "the logarithmic barrier",
        "A(h,n):small x(n,1):small b(h,1):positive",
        lambda A, x, b: -tf.reduce_sum(tf.log(b - A @ x)),
        "A.T @ (A / (b - A @ x) ** 2)",
        wrt="x",
        source="Boyd & Vandenberghe 11.2.1",
    )
    yield row(
        "the norm",
        "x(n,1)",
        tf.norm,
        "(np.eye(n) - x @ x.T / norm(x) ** 2) / norm(x)",
        wrt="x",
        source="Matrix Cookbook 2.6",
    )
    yield row(
        "negative entropy",
        "x(n,1):positive",
        lambda x: tf.reduce_sum(x * tf.log(x)),
        "diag(1 / x)",
        wrt="x",
        source="Boyd & Vandenberghe 3.1.5",
    )


def newton_steps() -> Iterator[Loss]:
    def row(name, inputs, value, text, where=None, facts=None, wrt="theta", source=""):
        return Loss(f"Newton step of {name}", inputs, value, wrt, text, where or {}, facts or {}, source, "newton")

    yield row(
        "the mean squared error",
        MODEL,
        lambda X, theta, y: square_mean(X @ theta - y),
        "solve(X.T @ X, X.T @ (X @ theta - y))",
        source="ESL eq. 3.6",
    )
    yield row(
        "ridge",
        MODEL,
        lambda X, theta, y: square_sum(X @ theta - y) + 0.1 * square_sum(theta),
        "solve(X.T @ X + 0.1 * np.eye(n), X.T @ (X @ theta - y) + 0.1 * theta)",
        source="ESL eq. 3.44",
    )
    yield row(
        "logistic regression",
        BINARY,
        _logistic,
        "solve(X.T @ (S * (1 - S) * X), X.T @ (S - y))",
        {"S": "sigmoid(X @ theta)"},
        source=ESL_NEWTON,
    )
    yield row(
        "Poisson regression",
        MODEL,
        _poisson,
        "solve(X.T @ (mu * X), X.T @ (mu - y))",
        {"mu": "np.exp(X @ theta)"},
        source="McCullagh & Nelder 2.5",
    )
    yield row(
        "x'Ax/2 - b'x",
        "x(n,1) A(n,n):definite b(n,1)",
        lambda x, A, b: inner(x, A @ x) / 2 - inner(b, x),
        "solve(A, A @ x - b)",
        facts={"A": ("symmetric",)},
        wrt="x",
        source="Boyd & Vandenberghe 9.5",
    )


def jacobians() -> Iterator[Loss]:
    def row(name, inputs, value, wrt, text, where=None, source=BOYD):
        return Loss(f"Jacobian of {name}", inputs, value, wrt, text, where or {}, {}, source, "jacobian")

    yield row("Ax", "A(h,n) x(n)", lambda A, x: tf.squeeze(A @ x[:, None], axis=1), "x", "A", source="Matrix Cookbook 2.4.1")
    yield row("a softmax", "x(n)", tf.nn.softmax, "x", "diag(s) - s[:, None] @ s[None]", {"s": "softmax(x)"}, source="PRML eq. 4.106")
    yield row("a log-softmax", "x(n)", tf.nn.log_softmax, "x", "np.eye(n) - softmax(x)", source="PRML eq. 4.106")
    yield row("a sigmoid", "x(n)", tf.sigmoid, "x", "diag(s * (1 - s))", {"s": "sigmoid(x)"}, source="PRML eq. 4.88")
    yield row(
        "a tanh layer",
        "A(h,n) x(n)",
        lambda A, x: tf.tanh(tf.reduce_sum(A * x, axis=1)),
        "x",
        "(1 - np.tanh(A @ x) ** 2)[:, None] * A",
        source="PRML 5.3.4",
    )
    yield row(
        "x / |x|",
        "x(n)",
        lambda x: x / tf.norm(x),
        "x",
        "(np.eye(n) - u[:, None] @ u[None]) / norm(x)",
        {"u": "x / norm(x)"},
        "Matrix Cookbook 2.6",
    )


def products() -> Iterator[Loss]:
    yield Loss(
        "Gauss-Newton of a sigmoid",
        MODEL,
        lambda X, theta, y: tf.sigmoid(X @ theta) - y,
        "theta",
        "J.T @ J",
        {"S": "sigmoid(X @ theta)", "J": "S * (1 - S) * X"},
        source="Nocedal & Wright 10.3",
        kind="gauss_newton",
    )
    yield Loss(
        "Gauss-Newton of an exponential",
        MODEL,
        lambda X, theta, y: tf.exp(X @ theta) - y,
        "theta",
        "J.T @ J",
        {"J": "np.exp(X @ theta) * X"},
        source="Nocedal & Wright 10.3",
        kind="gauss_newton",
    )
    vector = " v(n,1)"
    yield Loss(
        "Hessian times a vector, mean squared error",
        MODEL + vector,
        lambda X, theta, y, v: square_mean(X @ theta - y),
        "theta",
        "2 / m * X.T @ (X @ v)",
        source="Pearlmutter, Fast Exact Multiplication by the Hessian",
        kind="hvp",
    )
    yield Loss(
        "Hessian times a vector, logistic regression",
        BINARY + vector,
        lambda X, theta, y, v: _logistic(X, theta, y),
        "theta",
        "X.T @ (S * (1 - S) * (X @ v)) / m",
        {"S": "sigmoid(X @ theta)"},
        source="Pearlmutter, Fast Exact Multiplication by the Hessian",
        kind="hvp",
    )


def rows() -> Iterator[Loss]:
    for part in (hessians, newton_steps, jacobians, products):
        yield from part()
