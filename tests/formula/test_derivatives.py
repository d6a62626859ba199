"""Jacobians, Hessians and products with them: central differences for every operation, shapes, textbook forms, errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as tf
from symgraph import build, dtypes, record
from symgraph.batch import batched
from symgraph.codegen import config
from symgraph.node import Kind

F = tf.float64


@pytest.fixture(autouse=True)
def reference_backend() -> Iterator[None]:
    with config.override(SYMGRAPH_BACKEND="reference"):
        yield


def spd(a: tf.Tensor) -> tf.Tensor:
    """A positive definite matrix made of any square one."""
    return tf.matmul(a, a, transpose_b=True) + 2.0 * tf.eye(3, dtype=F)


I3 = np.array([2, 0, 1, 2])
MASK = np.array([[1.0, 0.0, 2.0], [0.5, 1.0, 0.0]])
LABELS = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])

OPERATIONS: dict[str, tuple[tuple[tuple[int, ...], ...], Callable[..., tf.Tensor]]] = {
    "matmul chain": (((2, 3), (3, 3), (3, 2)), lambda a, b, c: tf.matmul(tf.matmul(a, b), c)),
    "matmul transposed": (((2, 3), (2, 3)), lambda a, b: tf.matmul(a, b, transpose_a=True)),
    "batched matmul": (((2, 2, 3), (3, 2)), lambda a, b: tf.matmul(a, tf.tanh(b))),
    "batches of both": (((2, 2, 3), (2, 3, 1)), lambda a, b: tf.matmul(a, b)),
    "transpose": (((2, 3),), lambda a: tf.transpose(tf.square(a))),
    "permutation": (((2, 3, 2),), lambda a: tf.transpose(a, [2, 0, 1]) ** 3),
    "trace": (((3, 3),), lambda a: tf.trace(tf.matmul(a, tf.matmul(a, a)))),
    "inverse": (((3, 3),), lambda a: tf.matrix_inverse(spd(a))),
    "determinant": (((3, 3),), lambda a: tf.matrix_determinant(spd(a))),
    "logdet": (((3, 3),), lambda a: tf.linalg.logdet(spd(a))),
    "solve": (((3, 3), (3, 2)), lambda a, b: tf.matrix_solve(spd(a), b)),
    "batches of linalg": (((2, 3, 3),), lambda a: tf.linalg.logdet(tf.matmul(a, a, transpose_b=True) + 2.0 * tf.eye(3, dtype=F))),
    "cholesky": (((3, 3),), lambda a: tf.cholesky(spd(a))),
    "norm": (((2, 3),), lambda a: tf.norm(a)),
    "norm of rows": (((2, 3),), lambda a: tf.norm(a, axis=1)),
    "norm 1": (((2, 3),), lambda a: tf.square(tf.norm(a, ord=1))),
    "sum": (((2, 3),), lambda a: tf.reduce_sum(a**3, axis=0)),
    "mean": (((2, 3),), lambda a: tf.reduce_mean(tf.exp(a), axis=1, keepdims=True) * a),
    "product": (((4,),), lambda a: tf.reduce_prod(a)),
    "max": (((2, 3),), lambda a: tf.square(tf.reduce_max(a, axis=1))),
    "min": (((2, 3),), lambda a: tf.reduce_min(a, axis=0) * tf.reduce_sum(a)),
    "softmax": (((2, 3),), lambda a: tf.nn.softmax(a)),
    "log_softmax": (((2, 3),), lambda a: tf.nn.log_softmax(a)),
    "logsumexp": (((2, 3),), lambda a: tf.reduce_logsumexp(a, axis=1)),
    "logsumexp by hand": (((2, 3),), lambda a: tf.log(tf.reduce_sum(tf.exp(a), axis=1))),
    "softmax cross-entropy": (((2, 3),), lambda a: tf.nn.softmax_cross_entropy_with_logits_v2(labels=LABELS, logits=a)),
    "sparse cross-entropy": (((2, 3),), lambda a: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[2, 0], logits=a)),
    "sigmoid cross-entropy": (((2, 3),), lambda a: tf.nn.sigmoid_cross_entropy_with_logits(labels=LABELS, logits=a)),
    "softplus": (((2, 3),), lambda a: tf.nn.softplus(a)),
    "relu": (((2, 3),), lambda a: tf.square(tf.nn.relu(a))),
    "abs": (((2, 3),), lambda a: tf.abs(a) * a),
    "maximum": (((2, 3), (2, 3)), lambda a, b: tf.maximum(a * b, a)),
    "where": (((2, 3), (2, 3)), lambda a, b: tf.where(a > b, a * b, tf.sin(b))),
    "concat": (((2, 3), (1, 3)), lambda a, b: tf.concat([a * a, b * 2.0, tf.exp(b)], 0)),
    "stack": (((3,), (3,)), lambda a, b: tf.stack([a * b, b, b * b], 1)),
    "slice": (((4, 3),), lambda a: tf.exp(a[1:3, ::-1]) * a[:2]),
    "bias": (((2, 3), (3,)), lambda a, b: tf.tanh(a + b)),
    "scaled rows": (((2, 3), (2, 1)), lambda a, b: a * tf.exp(b)),
    "scaled columns": (((2, 3), (3,)), lambda a, b: tf.sin(a) / (2.0 + tf.square(b))),
    "powers": (((2, 3),), lambda a: (2.0 + a) ** 2.5 + a**4),
    "power of tensors": (((2, 3), (2, 3)), lambda a, b: tf.pow(2.0 + a, b)),
    "quotient": (((3,), (3,)), lambda a, b: a / (2.0 + b)),
    "gather": (((3, 2),), lambda a: tf.square(tf.gather(a, I3)) * a[0]),
    "gather twice": (((3, 2),), lambda a: tf.gather(tf.gather(a * a, I3), [[0, 1], [3, 3]])),
    "gather columns": (((2, 3),), lambda a: tf.gather(tf.exp(a), I3, axis=1)),
    "reshape": (((2, 3),), lambda a: tf.matmul(tf.reshape(a, (3, 2)), a)),
    "diag": (((3,),), lambda a: tf.matmul(tf.diag(a * a), tf.reshape(a, (3, 1)))),
    "diag_part": (((3, 3),), lambda a: tf.square(tf.diag_part(a))),
    "matrix_diag": (((2, 3),), lambda a: tf.matrix_diag(tf.sin(a))),
    "matrix_diag_part": (((2, 3, 3),), lambda a: tf.exp(tf.matrix_diag_part(a))),
    "sigmoid": (((3,),), tf.sigmoid),
    "erf": (((3,),), tf.erf),
    "a net": (((2, 3), (3, 2), (2,), (2, 1)), lambda x, w, b, v: tf.matmul(tf.tanh(tf.matmul(x, w) + b), v)),
    "a quotient of forms": (((3, 1), (3, 3)), lambda x, a: tf.matmul(x, tf.matmul(a, x), transpose_a=True) / tf.reduce_sum(x * x)),
    "stopped": (((3,),), lambda a: a * a * tf.sin(tf.stop_gradient(tf.constant([0.3, 0.2, 0.1], F)) * a)),
}


def numeric(f: Callable[[Sequence[np.ndarray]], np.ndarray], at: Sequence[np.ndarray], k: int, step: float) -> np.ndarray:
    """Central differences of an array by argument k: shape of f, then shape of the argument."""
    columns = []
    for i in np.ndindex(at[k].shape):
        ends = []
        for sign in (1, -1):
            moved = [v.copy() for v in at]
            moved[k][i] += sign * step
            ends.append(np.asarray(f(moved)))
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.stack(columns, -1).reshape(columns[0].shape + at[k].shape)


def close(found: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-6) -> None:
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * max(1.0, np.abs(wanted).max(initial=0)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_values(name: str) -> None:
    shapes, make = OPERATIONS[name]
    rng = np.random.default_rng(len(name))
    at = [rng.uniform(-1, 1, size=s) for s in shapes]
    along = [rng.normal(size=s) for s in shapes]
    xs = [tf.placeholder(F, s) for s in shapes]
    y = make(*xs)
    weights = rng.normal(size=y.shape.as_list())
    total = tf.reduce_sum(y * weights)
    fetches = {
        "y": y,
        "gradient": tf.gradients(total, xs),
        "jacobian": tf.jacobian(y, xs),
        "vjp": tf.vjp(y, xs, weights),
        "jvp": tf.jvp(y, xs, along),
        "hvp": tf.hessian_vector_product(total, xs, along),
        "hessians": tf.hessians(total, xs),
        "hessian": tf.hessian(total, xs),
    }
    names = list(fetches)
    with tf.Session() as session:
        run = {n: session.run(fetches[n], dict(zip(xs, at, strict=True))) for n in names}
        jacobians = [numeric(lambda v: session.run(y, dict(zip(xs, v, strict=True))), at, k, 1e-6) for k in range(len(xs))]
        gradient = lambda v: session.run(fetches["gradient"], dict(zip(xs, v, strict=True)))  # noqa: E731
        blocks = [[numeric(lambda v, i=i: gradient(v)[i], at, k, 1e-6) for k in range(len(xs))] for i in range(len(xs))]
    for k, j in enumerate(jacobians):
        close(run["jacobian"][k], j)
        backward = np.tensordot(weights, j, weights.ndim)
        close(run["gradient"][k], backward)
        close(run["vjp"][k], backward)
        close(run["hvp"][k], sum(np.tensordot(b, v, v.ndim) for b, v in zip(blocks[k], along, strict=True)), 1e-5)
        close(run["hessians"][k], blocks[k][k], 1e-5)
        column = len(shapes[k]) == 2 and shapes[k][1] == 1
        close(run["hessian"][k], blocks[k][k].reshape(2 * shapes[k][:1]) if column else blocks[k][k], 1e-5)
    close(run["jvp"], sum(np.tensordot(j, v, v.ndim) for j, v in zip(jacobians, along, strict=True)))


# ---------------------------------------------------------------- textbook forms
def text(t: tf.Tensor) -> str:
    return str(tf.formula(t))


def linear() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    X = tf.placeholder(F, (None, 9), "X")
    y = tf.placeholder(F, (None, 1), "y")
    theta = tf.placeholder(F, (9, 1), "theta")
    return X, y, theta, tf.matmul(X, theta)


def test_mean_squared_error() -> None:
    X, y, theta, Xt = linear()
    v = tf.placeholder(F, (9, 1), "v")
    mse = tf.reduce_mean(tf.square(Xt - y))
    H = tf.hessian(mse, theta)
    assert H.shape.as_list() == [9, 9]
    assert text(H) == "2/m · XᵀX"
    assert text(tf.hessian_vector_product(mse, theta, v)) == "2/m · XᵀXv"
    assert text(tf.jacobian(Xt - y, theta)) == "X"
    assert text(tf.jvp(Xt - y, theta, v)) == "Xv"
    assert text(tf.vjp(Xt - y, theta, y)) == "Xᵀy"
    assert tf.formula(H).latex() == r"\frac{2}{m} \, X^\top X"


def test_linear_models() -> None:
    X, y, theta, Xt = linear()
    rate = tf.placeholder(F, (), "lambda")
    p = tf.sigmoid(Xt)
    weighted = {"1/m · Xᵀ(σ(Xθ) ∘ (1 − σ(Xθ)) ∘ X)", "1/m · Xᵀ((1 − σ(Xθ)) ∘ σ(Xθ) ∘ X)"}
    cross = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=Xt))
    assert text(tf.hessian(-tf.reduce_mean(tf.log(p) * y + tf.log(1 - p) * (1 - y)), theta)) in weighted
    assert text(tf.hessian(cross, theta)) in weighted
    assert text(tf.hessian(tf.reduce_mean(tf.exp(Xt) - y * Xt), theta)) == "1/m · Xᵀ(exp(Xθ) ∘ X)"
    ridge = tf.reduce_sum(tf.square(Xt - y)) / 2 + rate / 2 * tf.reduce_sum(tf.square(theta))
    assert text(tf.hessian(ridge, theta)) == "XᵀX + λ · I"


def test_quadratic_forms() -> None:
    A, x = tf.placeholder(F, (5, 5), "A"), tf.placeholder(F, (5, 1), "x")
    assert text(tf.jacobian(tf.matmul(A, x), x)) == "A"
    form = tf.matmul(tf.matmul(x, A, transpose_a=True), x)
    assert text(tf.hessian(form, x)) in ("A + Aᵀ", "Aᵀ + A")
    assert text(tf.hessian(tf.reduce_sum(tf.square(x)), x)) == "2 · I"
    v = tf.placeholder(F, (5,), "v")
    assert text(tf.jacobian(tf.tanh(v), v)) == "diag(1 − tanh(v)²)"


def test_layers() -> None:
    X, W, V = (tf.placeholder(F, s, n) for s, n in (((None, 4), "X"), ((4, 3), "W"), ((4, 3), "V")))
    G = tf.placeholder(F, (None, 3), "G")
    H = tf.tanh(tf.matmul(X, W), name="H")
    assert text(tf.jvp(H, W, V)) == "(1 − tanh(XW)²) ∘ XV"
    assert text(tf.vjp(H, W, G)) in ("Xᵀ(G ∘ (1 − tanh(XW)²))", "Xᵀ((1 − tanh(XW)²) ∘ G)")


def test_positions_are_written_where_rows_and_columns_do_not_tell() -> None:
    """Kronecker products, and elements of the Jacobians of matrices by matrices."""
    X, W, Y = (tf.placeholder(F, s, n) for s, n in (((None, 4), "X"), ((4, 3), "W"), ((None, 3), "Y")))
    H = tf.hessian(tf.reduce_sum(tf.square(tf.matmul(X, W) - Y)), W)
    assert text(H) == "2 · (XᵀX)ᵢₖ ∘ Iⱼₗ"
    assert tf.formula(H).latex() == r"2 \, {\left(X^\top X\right)}_{ik} \circ {I}_{jl}"
    A, v = tf.placeholder(F, (3, 3), "A"), tf.placeholder(F, (3, 1), "v")
    assert text(tf.jacobian(tf.matrix_inverse(A), A)) == "−(A⁻¹)ᵢₖ ∘ (A⁻¹)ₗⱼ"
    assert text(tf.jacobian(tf.tanh(v), v)) == "diag(1 − tanh(v)²)"
    t = tf.placeholder(F, (3,), "t")
    assert text(tf.hessian(tf.reduce_sum(t) ** 3, t)) == "6·sum(t)"
    assert text(tf.hessian(tf.reduce_sum(t * t) ** 2, t)) == "4 · (sum(t²) · I + 2 · tᵀ ∘ t)"
    assert text(tf.matmul(X, W) + t) == "XW + t"


def test_newton_step() -> None:
    """Linear regression is solved by one step from anywhere."""
    X, y, theta, Xt = linear()
    mse = tf.reduce_mean(tf.square(Xt - y))
    step = theta - tf.matrix_solve(tf.hessian(mse, theta), tf.gradients(mse, theta)[0])
    rng = np.random.default_rng(0)
    data, targets = rng.normal(size=(30, 9)), rng.normal(size=(30, 1))
    with tf.Session() as session:
        found = session.run(step, {X: data, y: targets, theta: rng.normal(size=(9, 1))})
    np.testing.assert_allclose(found, np.linalg.lstsq(data, targets, rcond=None)[0], rtol=1e-8)


# ---------------------------------------------------------------- what is returned
def test_one_or_a_list() -> None:
    a, b = tf.placeholder(F, (3,)), tf.placeholder(F, (2, 1))
    y = tf.reduce_sum(a * a) * b
    assert isinstance(tf.jacobian(y, a), tf.Tensor)
    assert [t.shape.as_list() for t in tf.jacobian(y, [a, b])] == [[2, 1, 3], [2, 1, 2, 1]]
    assert [t.shape.as_list() for t in tf.hessian(y, (a, b))] == [[3, 3], [2, 2]]
    assert [t.shape.as_list() for t in tf.hessians(y, [a, b])] == [[3, 3], [2, 1, 2, 1]]
    assert [t.shape.as_list() for t in tf.jvp([y, b, a], [a, b], [a, b])] == [[2, 1], [2, 1], [3]]
    assert tf.vjp(y, a, [[1.0], [2.0]]).shape.as_list() == [3]
    assert tf.jvp(y, a, [1.0, 0.0, 2.0]).shape.as_list() == [2, 1]
    unknown = tf.placeholder(F, name="unknown")
    assert tf.jacobian(unknown * 2.0, unknown).shape.dims is None
    assert tf.hessian(tf.reduce_sum(unknown**3), unknown).shape.dims is None
    with tf.Session() as session:
        np.testing.assert_array_equal(session.run(tf.jacobian(unknown * 2.0, unknown), {unknown: np.ones(3)}), 2 * np.eye(3))


def test_none_and_zeros() -> None:
    a, b = tf.placeholder(F, (3,)), tf.placeholder(F, (2,))
    assert tf.jacobian(a * 2.0, b) is None
    assert tf.jacobian(a * 2.0, [b])[:] == [None]
    assert tf.hessian(tf.reduce_sum(a), b) is None
    assert tf.hessian_vector_product(a, [a, b], [a, b])[1] is None
    assert tf.jvp([a, b], a, a)[1] is None
    assert tf.vjp(a, b, a) is None
    assert tf.jacobian(tf.stop_gradient(a), a) is None
    with tf.Session() as session:
        zeros = [tf.hessian(tf.reduce_sum(a), a), tf.hessians(tf.reduce_sum(a), [a])[0], tf.hessian_vector_product(a, a, a)]
        for t in zeros:
            assert not session.run(t, {a: np.ones(3)}).any()


def test_each_is_one_operation() -> None:
    X, y, theta, Xt = linear()
    loss = tf.reduce_mean(tf.square(Xt - y))
    made = {
        "jacobian/Jacobian": tf.jacobian(Xt, theta),
        "hessian/Hessian": tf.hessian(loss, theta),
        "hessians/Hessians": tf.hessians(loss, theta)[0],
        "jvp/JacobianVectorProduct": tf.jvp(Xt, theta, theta),
        "vjp/SymbolicGradient": tf.vjp(Xt, theta, y),
        "newton/HessianVectorProduct": tf.hessian_vector_product(loss, theta, theta, name="newton"),
    }
    for name, t in made.items():
        assert t.op.name == name
    assert made["hessian/Hessian"].op.inputs == (loss, theta)
    document = record.loads(record.dumps(tf.get_default_graph()))
    with tf.Graph().as_default() as graph:
        record.build_graph(document, graph)
        for name, t in made.items():
            again = graph.get_tensor_by_name(f"{name}:0")
            assert again.shape.as_list() == t.shape.as_list()
            assert text(again) == text(t)


# ---------------------------------------------------------------- where it runs
def test_by_inner_tensors_and_under_feeds() -> None:
    x = tf.placeholder(F, (3,), "x")
    h = tf.sin(x)
    y = tf.reduce_sum(h**3)
    point, fed = np.array([0.3, 0.9, -0.4]), np.array([0.5, 0.1, 2.0])
    J, H = tf.jacobian(h**3, h), tf.hessian(y, h)
    through = tf.hessian(y, x)
    with tf.Session() as session:
        s = np.sin(point)
        close(session.run(J, {x: point}), np.diag(3 * s**2))
        close(session.run(H, {x: point}), np.diag(6 * s))
        close(session.run(through, {x: point}), np.diag(6 * s * np.cos(point) ** 2 - 3 * s**3))
        close(session.run(J, {h: fed}), np.diag(3 * fed**2))
        close(session.run(H, {h: fed}), np.diag(6 * fed))
        fed_through = session.run(through, {h: fed, x: point})
    assert fed_through.shape == (3, 3)


def test_in_functions() -> None:
    w = tf.Variable(np.array([[0.2], [-0.7]]), name="w")
    X = tf.placeholder(F, (None, 2), "X")
    loss = tf.reduce_mean(tf.nn.softplus(tf.matmul(X, w)))
    f = tf.function([X], tf.hessian(loss, w))
    data = np.random.default_rng(1).normal(size=(20, 2))
    p = 1 / (1 + np.exp(-data @ [[0.2], [-0.7]]))
    close(np.asarray(f(data)), data.T @ (p * (1 - p) * data) / 20)


def test_stopped_paths_stay_stopped() -> None:
    x = tf.placeholder(F, (), "x")
    y = x * tf.stop_gradient(x * x)
    with tf.Session() as session:
        assert session.run(tf.jacobian(y, x), {x: 3.0}) == 9
        assert session.run(tf.hessian(y * x, x), {x: 3.0}) == 18
        assert session.run(tf.jvp(y, x, 1.0), {x: 3.0}) == 9


def test_a_placeholder_that_only_a_derivative_needs() -> None:
    X = tf.placeholder(F, (None, 3), "X")
    W = tf.Variable(np.eye(3), name="W")
    h = tf.tanh(tf.matmul(X, W))
    gradient = tf.gradients(tf.reduce_mean(tf.square(tf.matmul(h, W))), W)[0]
    with tf.Session() as session:
        session.run(W.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value for placeholder tensor 'X'") as caught:
            session.run(gradient, {h: np.ones((5, 3))})
        assert "derivative goes through a fed tensor" in str(caught.value)


# ---------------------------------------------------------------- errors
def test_errors() -> None:
    a, b = tf.placeholder(F, (3,), "a"), tf.placeholder(tf.float32, (3,), "b")
    with pytest.raises(ValueError, match="Passed 1 vectors for 2 xs"):
        tf.jvp(a, [a, a], [a])
    with pytest.raises(ValueError, match="must have the shape of 'a'"):
        tf.hessian_vector_product(a * a, a, [1.0, 2.0])
    with pytest.raises(TypeError, match="must have the dtype of 'a'"):
        tf.jvp(a * a, a, b)
    with pytest.raises(tf.NoGradientError, match="operation 'deal' .op type: RandomShuffle"):
        tf.hessian(tf.reduce_sum(tf.random_shuffle(a, name="deal") ** 2), a)


# ---------------------------------------------------------------- batches, and both directions at once
def test_composites_are_batched_along_their_axes() -> None:
    for name in ("softmax", "logsumexp", "norm"):
        leaf = build.leaf(Kind.CUT, "leaf", (2, 3), dtypes.float64)
        stack = build.leaf(Kind.PLACEHOLDER, "stack", (4, 2, 3), dtypes.float64)
        n = build.composite(name, leaf, (1,))
        (many,) = batched([n], leaf, stack)
        assert many.shape == (4, *n.shape)
        assert many.attrs[:2] == (name, (2,))
    (same,) = batched([build.filled(1, (2,), dtypes.float64)], leaf, stack)
    assert same.shape == (4, 2)


STEPS: list[Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = [
    lambda a, b: tf.matmul(a, b),
    lambda a, b: tf.matmul(a, b, transpose_a=True),
    lambda a, b: a * tf.reduce_mean(b, axis=0),
    lambda a, b: a + tf.transpose(b),
    lambda a, b: tf.tanh(a) * b,
    lambda a, b: tf.nn.softmax(a - b),
    lambda a, b: tf.concat([a[1:], b[:1]], 0),
    lambda a, b: tf.gather(a, [2, 0, 2]) / (2.0 + b * b),
    lambda a, b: tf.matrix_solve(tf.matmul(a, a, transpose_b=True) + 2.0 * tf.eye(3, dtype=F), b),
    lambda a, b: tf.where(a > b, a, b * b),
    lambda a, b: tf.matrix_diag(tf.matrix_diag_part(a)) - tf.norm(b) * a,
    lambda a, b: tf.reshape(tf.reshape(a, (9,)) * tf.reduce_max(b), (3, 3)),
]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from(range(len(STEPS))), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6),
    st.integers(0, 10**6),
)
def test_products_are_adjoint(steps: list[tuple[int, int, int]], seed: int) -> None:
    """<u, J v> = <J' u, v>, and J is what both are products with."""
    tf.reset_default_graph()
    rng = np.random.default_rng(seed)
    xs = [tf.placeholder(F, (3, 3)) for _ in range(2)]
    pool: list[tf.Tensor] = list(xs)
    for k, i, j in steps:
        pool.append(STEPS[k](pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]))
    y = pool[-1]
    at, v = ([rng.uniform(-1, 1, size=(3, 3)) for _ in xs] for _ in range(2))
    u = rng.normal(size=(3, 3))
    live = [k for k, g in enumerate(tf.gradients(y, xs)) if g is not None]
    used, along = [xs[k] for k in live], [v[k] for k in live]
    with config.override(SYMGRAPH_BACKEND="reference"), tf.Session() as session:
        run = lambda t: session.run(t, dict(zip(xs, at, strict=True)))  # noqa: E731
        backward, forward = run(tf.vjp(y, used, u)), run(tf.jvp(y, used, along))
        jacobians = run(tf.jacobian(y, used))
    scale = max(1.0, *(np.abs(j).max() for j in jacobians))
    assert abs(np.sum(u * forward) - sum(np.sum(b * d) for b, d in zip(backward, along, strict=True))) < 1e-9 * scale * 100
    for b, j in zip(backward, jacobians, strict=True):
        np.testing.assert_allclose(np.tensordot(u, j, 2), b, rtol=1e-7, atol=1e-8 * scale)


@pytest.mark.parametrize("name", OPERATIONS)
def test_numpy_source(name: str) -> None:
    """Jacobians and Hessians as plain NumPy functions."""
    shapes, make = OPERATIONS[name]
    rng = np.random.default_rng(3)
    at = {letter: rng.uniform(-1, 1, size=s) for letter, s in zip("abcd", shapes, strict=False)}
    xs = [tf.placeholder(F, v.shape, letter) for letter, v in at.items()]
    y = make(*xs)
    for t in (tf.jacobian(y, xs[0]), tf.hessian(tf.reduce_sum(tf.exp(y / 4.0)), xs[0])):
        space: dict[str, Any] = {}
        exec(tf.formula(t).numpy_source(), space)
        found = space["g"](**{letter: at[letter] for letter in inspect.signature(space["g"]).parameters})
        with tf.Session() as session:
            close(np.asarray(found), session.run(t, dict(zip(xs, at.values(), strict=True))), 1e-9)


@pytest.mark.parametrize("axis", [None, 0, [0, 2]])
def test_products_derive_twice_where_factors_are_zero(axis: object) -> None:
    c = np.random.default_rng(0).standard_normal((2, 3, 2))
    c[0, 1, 0] = c[1, 0, 1] = c[1, 2, 1] = 0
    q = tf.placeholder(tf.float64, (2, 3, 2))
    loss = tf.reduce_sum(tf.sin(tf.reduce_prod(tf.transpose(q, [2, 0, 1]), axis=axis) + tf.reduce_sum(q)))
    (g,) = tf.gradients(loss, q)
    steps = 1e-6 * np.eye(c.size).reshape(-1, *c.shape)
    with tf.Session() as sess:
        slope = lambda t: np.array([(sess.run(t, {q: c + e}) - sess.run(t, {q: c - e})) / 2e-6 for e in steps])  # noqa: E731
        np.testing.assert_allclose(sess.run(g, {q: c}), slope(loss).reshape(c.shape), atol=1e-7)
        np.testing.assert_allclose(sess.run(tf.hessian(loss, q), {q: c}), slope(g).reshape(c.shape * 2), atol=1e-7)
