"""Losses of matrices: traces, determinants, inverses, solves, quadratic forms.

Law of this file: rows only; derivatives are those of unconstrained matrices, taken where the facts hold.
"""

from __future__ import annotations

from collections.abc import Iterator

import symgraph as tf
from tests.formula.losses_linear import inner, square_sum
from tests.formula.textbook import Loss

COOKBOOK = "Matrix Cookbook"
SYMMETRIC = {"A": ("symmetric",)}


def transpose(t):
    return tf.transpose(t)


def traces() -> Iterator[Loss]:
    first, second = f"{COOKBOOK} 2.5.1", f"{COOKBOOK} 2.5.2"
    square = "X(n,n) A(n,n)"
    wide = "X(n,k) A(n,n)"
    yield Loss("tr(XA)", square, lambda X, A: tf.trace(X @ A), "X", "A.T", source=first)
    yield Loss("tr(AXB)", "X(n,k) A(h,n) B(k,h)", lambda X, A, B: tf.trace(A @ X @ B), "X", "A.T @ B.T", source=first)
    yield Loss("tr(AX'B)", "X(n,k) A(h,k) B(n,h)", lambda X, A, B: tf.trace(A @ transpose(X) @ B), "X", "B @ A", source=first)
    yield Loss("tr(X'X)", "X(n,k)", lambda X: tf.trace(transpose(X) @ X), "X", "2 * X", source=second)
    yield Loss("tr(XX), squares", "X(n,n)", lambda X: tf.trace(X @ X), "X", "2 * X.T", source=second)
    yield Loss("tr(X'AX)", wide, lambda X, A: tf.trace(transpose(X) @ A @ X), "X", "(A + A.T) @ X", source=second)
    yield Loss(
        "tr(X'AX), A symmetric",
        wide.replace("A(n,n)", "A(n,n):symmetric"),
        lambda X, A: tf.trace(transpose(X) @ A @ X),
        "X",
        "2 * A @ X",
        facts=SYMMETRIC,
        source=second,
    )
    yield Loss("tr(XAX')", "X(k,n) A(n,n)", lambda X, A: tf.trace(X @ A @ transpose(X)), "X", "X @ (A + A.T)", source=second)
    yield Loss(
        "tr(X'AXB)",
        "X(n,k) A(n,n) B(k,k)",
        lambda X, A, B: tf.trace(transpose(X) @ A @ X @ B),
        "X",
        "A @ X @ B + A.T @ X @ B.T",
        source=second,
    )
    yield Loss(
        "tr(AXBX)",
        "X(n,n) A(n,n) B(n,n)",
        lambda X, A, B: tf.trace(A @ X @ B @ X),
        "X",
        "A.T @ X.T @ B.T + B.T @ X.T @ A.T",
        source=second,
    )
    yield Loss("tr of element-wise product", "X(n,k) A(n,k)", lambda X, A: tf.reduce_sum(A * X), "X", "A", source=first)
    yield Loss(
        "tr((AXB + C)(AXB + C)')",
        "X(n,k) A(h,n) B(k,d) C(h,d)",
        lambda X, A, B, C: tf.trace((A @ X @ B + C) @ transpose(A @ X @ B + C)),
        "X",
        "2 * A.T @ (A @ X @ B + C) @ B.T",
        source=second,
    )
    yield Loss("|XA - B|²", "X(n,k) A(k,h) B(n,h)", lambda X, A, B: square_sum(X @ A - B), "X", "2 * (X @ A - B) @ A.T", source=second)
    yield Loss("|AX - B|²", "X(n,k) A(h,n) B(h,k)", lambda X, A, B: square_sum(A @ X - B), "X", "2 * A.T @ (A @ X - B)", source=second)
    yield Loss(
        "|X'X - A|², A symmetric",
        "X(h,n) A(n,n):symmetric",
        lambda X, A: square_sum(transpose(X) @ X - A),
        "X",
        "4 * X @ (X.T @ X - A)",
        facts=SYMMETRIC,
        source=f"{COOKBOOK} 2.5.3",
    )
    yield Loss(
        "departure from orthogonality",
        "X(n,k)",
        lambda X: square_sum(transpose(X) @ X - tf.eye(3, dtype=X.dtype)),
        "X",
        "4 * X @ (X.T @ X - np.eye(k))",
        source=f"{COOKBOOK} 2.5.3",
    )


def inverses() -> Iterator[Loss]:
    X = "X(n,n):regular"
    yield Loss(
        "tr(X⁻¹A)",
        X + " A(n,n)",
        lambda X, A: tf.trace(tf.matrix_inverse(X) @ A),
        "X",
        "-(inv(X) @ A @ inv(X)).T",
        source=f"{COOKBOOK} 2.2",
    )
    yield Loss("tr(X⁻¹)", X, lambda X: tf.trace(tf.matrix_inverse(X)), "X", "-(inv(X) @ inv(X)).T", source=f"{COOKBOOK} 2.2")
    yield Loss(
        "tr(AX⁻¹B)",
        X + " A(k,n) B(n,k)",
        lambda X, A, B: tf.trace(A @ tf.matrix_inverse(X) @ B),
        "X",
        "-(inv(X) @ B @ A @ inv(X)).T",
        source=f"{COOKBOOK} 2.2",
    )
    yield Loss(
        "a'X⁻¹b",
        X + " a(n,1) b(n,1)",
        lambda X, a, b: inner(a, tf.matrix_inverse(X) @ b),
        "X",
        "-inv(X).T @ a @ b.T @ inv(X).T",
        source=f"{COOKBOOK} 2.2",
    )
    yield Loss("det X", X, tf.matrix_determinant, "X", "det(X) * inv(X).T", source=f"{COOKBOOK} 2.1.2")
    yield Loss(
        "det AXB",
        X + " A(n,n):regular B(n,n):regular",
        lambda X, A, B: tf.matrix_determinant(A @ X @ B),
        "X",
        "det(A @ X @ B) * inv(X).T",
        source=f"{COOKBOOK} 2.1.2",
    )
    yield Loss("log det X", X, tf.linalg.logdet, "X", "inv(X).T", source=f"{COOKBOOK} 2.1.4")
    yield Loss("log of det X", X, lambda X: tf.log(tf.matrix_determinant(X)), "X", "inv(X).T", source=f"{COOKBOOK} 2.1.4")
    yield Loss(
        "log det X'X",
        "X(h,n)",
        lambda X: tf.linalg.logdet(transpose(X) @ X),
        "X",
        "2 * X @ inv(X.T @ X)",
        source=f"{COOKBOOK} 2.1.4",
    )
    yield Loss(
        "log det(1 + XX')",
        "X(k,n)",
        lambda X: tf.linalg.logdet(tf.eye(3, dtype=X.dtype) + X @ transpose(X)),
        "X",
        "2 * inv(np.eye(k) + X @ X.T) @ X",
        source=f"{COOKBOOK} 2.1.4",
    )
    yield Loss(
        "design of experiments",
        "w(h,1):positive A(h,k)",
        lambda w, A: -tf.linalg.logdet(transpose(A) @ (w * A)),
        "w",
        "-np.sum(A @ inv(A.T @ (w * A)) * A, axis=1, keepdims=True)",
        source="Boyd & Vandenberghe 7.5.2",
    )


def solves() -> Iterator[Loss]:
    system = "A(n,n):regular b(n,1) c(n,1)"
    yield Loss(
        "c'A⁻¹b by solve, in b",
        system,
        lambda A, b, c: inner(c, tf.matrix_solve(A, b)),
        "b",
        "solve(A.T, c)",
        source=f"{COOKBOOK} 2.2, 2.4.1",
    )
    yield Loss(
        "c'A⁻¹b by solve, in A",
        system,
        lambda A, b, c: inner(c, tf.matrix_solve(A, b)),
        "A",
        "-solve(A.T, c) @ solve(A, b).T",
        source=f"{COOKBOOK} 2.2",
    )
    yield Loss(
        "|A⁻¹b - c|², in b",
        system,
        lambda A, b, c: square_sum(tf.matrix_solve(A, b) - c),
        "b",
        "2 * solve(A.T, solve(A, b) - c)",
        source=f"{COOKBOOK} 2.4.1",
    )
    yield Loss(
        "|A⁻¹b - c|², in A",
        system,
        lambda A, b, c: square_sum(tf.matrix_solve(A, b) - c),
        "A",
        "-2 * solve(A.T, x - c) @ x.T",
        {"x": "solve(A, b)"},
        source=f"{COOKBOOK} 2.2",
    )


def forms() -> Iterator[Loss]:
    first, second = f"{COOKBOOK} 2.4.1", f"{COOKBOOK} 2.4.2"
    vectors = "a(n,1) b(k,1)"
    yield Loss("a'x", "x(n,1) a(n,1)", lambda x, a: inner(a, x), "x", "a", source=first)
    yield Loss("a'Xb", "X(n,k) " + vectors, lambda X, a, b: inner(a, X @ b), "X", "a @ b.T", source=first)
    yield Loss("a'X'b", "X(k,n) " + vectors, lambda X, a, b: inner(a, transpose(X) @ b), "X", "b @ a.T", source=first)
    yield Loss("b'X'Xc", "X(h,n) b(n,1) c(n,1)", lambda X, b, c: inner(X @ b, X @ c), "X", "X @ (b @ c.T + c @ b.T)", source=second)
    yield Loss(
        "(Xb + c)'D(Xb + c)",
        "X(n,k) b(k,1) c(n,1) D(n,n)",
        lambda X, b, c, D: inner(X @ b + c, D @ (X @ b + c)),
        "X",
        "(D + D.T) @ (X @ b + c) @ b.T",
        source=second,
    )
    yield Loss("x'Ax", "x(n,1) A(n,n)", lambda x, A: inner(x, A @ x), "x", "(A + A.T) @ x", source=second)
    symmetric = "x(n,1) A(n,n):symmetric"
    yield Loss("x'Ax, A symmetric", symmetric, lambda x, A: inner(x, A @ x), "x", "2 * A @ x", facts=SYMMETRIC, source=second)
    yield Loss("x'Ax, in A", "x(n,1) A(n,n)", lambda x, A: inner(x, A @ x), "A", "x @ x.T", source=first)
    yield Loss(
        "x'Ax, element by element",
        "x(n) A(n,n):symmetric",
        lambda x, A: tf.reduce_sum(x[:, None] * A * x[None, :]),
        "x",
        "2 * A @ x",
        facts=SYMMETRIC,
        source=second,
    )
    yield Loss(
        "x'Ax/2 - b'x",
        symmetric + " b(n,1)",
        lambda x, A, b: inner(x, A @ x) / 2 - inner(b, x),
        "x",
        "A @ x - b",
        facts=SYMMETRIC,
        source="Boyd & Vandenberghe A.4.1",
    )
    yield Loss(
        "(x - s)'A(x - s)",
        symmetric + " s(n,1)",
        lambda x, A, s: inner(x - s, A @ (x - s)),
        "x",
        "2 * A @ (x - s)",
        facts=SYMMETRIC,
        source=second,
    )
    for wrt, text in {"s": "-2 * B.T @ A @ (x - B @ s)", "B": "-2 * A @ (x - B @ s) @ s.T"}.items():
        yield Loss(
            f"(x - Bs)'A(x - Bs), in {wrt}",
            symmetric + " B(n,k) s(k,1)",
            lambda x, A, B, s: inner(x - B @ s, A @ (x - B @ s)),
            wrt,
            text,
            facts=SYMMETRIC,
            source=second,
        )
    yield Loss(
        "Rayleigh quotient",
        symmetric,
        lambda x, A: inner(x, A @ x) / inner(x, x),
        "x",
        "2 * (A @ x - r * x) / q",
        {"q": "x.T @ x", "r": "x.T @ (A @ x) / q"},
        facts=SYMMETRIC,
        source="Golub & Van Loan 8.2; Boyd & Vandenberghe A.5",
    )
    yield Loss(
        "generalised Rayleigh quotient",
        "w(n,1) B(n,n):symmetric S(n,n):definite",
        lambda w, B, S: inner(w, B @ w) / inner(w, S @ w),
        "w",
        "2 * (B @ w - r * (S @ w)) / q",
        {"q": "w.T @ (S @ w)", "r": "w.T @ (B @ w) / q"},
        facts={"B": ("symmetric",), "S": ("symmetric",)},
        source="ESL 4.3.3",
    )


def orthogonal() -> Iterator[Loss]:
    known = {"Q": ("orthogonal",)}
    frame = "Q(n,n):orthogonal"
    yield Loss(
        "Procrustes, in Q",
        "X(m,n) Y(m,n) Q(n,n):orthogonal",
        lambda X, Y, Q: square_sum(X @ Q - Y),
        "Q",
        "2 * X.T @ (X @ Q - Y)",
        source="Golub & Van Loan 6.4.1",
    )
    yield Loss(
        "Procrustes, in X",
        "X(m,n) Y(m,n) Q(n,n):orthogonal",
        lambda X, Y, Q: square_sum(X @ Q - Y),
        "X",
        "2 * (X - Y @ Q.T)",
        facts=known,
        source="Golub & Van Loan 6.4.1",
    )
    yield Loss(
        "|Q'x|², Q orthogonal", "x(n,1) " + frame, lambda x, Q: square_sum(transpose(Q) @ x), "x", "2 * x", facts=known, source=COOKBOOK
    )
    yield Loss(
        "tr(Q'AQ), Q orthogonal",
        "A(n,n) " + frame,
        lambda A, Q: tf.trace(transpose(Q) @ A @ Q),
        "A",
        "np.eye(n)",
        facts=known,
        source=f"{COOKBOOK} 2.5.1",
    )
    yield Loss(
        "codes of an orthogonal dictionary",
        "z(n,1) x(n,1) lam():positive " + frame,
        lambda z, x, lam, Q: square_sum(x - Q @ z) / 2 + lam * tf.norm(z, 1),
        "z",
        "z - Q.T @ x + lam * np.sign(z)",
        facts=known,
        source="ESL 5.9 (wavelets)",
    )


def rows() -> Iterator[Loss]:
    for part in (traces, inverses, solves, forms, orthogonal):
        yield from part()
