"""Jacobians, Hessians and products with them: central differences for every operation, shapes, textbook forms, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symgraph as tf
from symgraph.codegen import config

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
