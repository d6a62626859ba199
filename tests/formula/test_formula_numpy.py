"""The NumPy source of a formula: the same values, shapes and dtypes as the interpreter, and nothing that it needs from here.

Law of this file: sources run by `exec` in an empty namespace with warnings as errors.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
from symgraph import config
from tests.train import op_table
from tests.train.op_cases import Row, cases
from tests.train.test_op_table import Built, build, by_name, run, same

ROWS = op_table.table()


def compiled(t: sg.Tensor, name: str = "g") -> Any:
    """The function that a formula's source defines."""
    space: dict[str, Any] = {}
    exec(sg.formula(t).numpy_source(name), space)
    return space[name]


def called(t: sg.Tensor, values: dict[str, np.ndarray], warn: str = "error") -> Any:
    """Its value at leaves by their names."""
    f = compiled(t)
    needed = f.__wrapped__ if hasattr(f, "__wrapped__") else f
    names = needed.__code__.co_varnames[: needed.__code__.co_argcount]
    with warnings.catch_warnings():
        warnings.simplefilter(warn)  # type: ignore[arg-type]
        return f(**{name: values[name] for name in names})


# ---------------------------------------------------------------- every operation
def judge(b: Built, loose: float) -> int:
    """Each output and gradient of a case against the interpreter."""
    values = {t.op.name: a for t, a in zip(b.inputs, b.arrays, strict=True)}
    values |= {op.name: op.outputs[0].node.attrs[0].value for op in sg.get_default_graph().get_operations() if op.type == "Const"}
    warn = "ignore" if b.case.pattern == "empty" else "error"
    wanted = run("reference", b.inputs, b.computed, b.arrays)
    for k, (t, w) in enumerate(zip(b.computed, wanted, strict=True)):
        same(f"{b.case.name} {k}\n{sg.formula(t).numpy_source()}", called(t, values, warn), w, loose)
    return len(b.computed)


LOOPS = ("cumsum", "cumprod")
"""Operations that are loops, which NumPy source refuses."""


@pytest.mark.parametrize("row", by_name(ROWS))
def test_every_operation(row: Row) -> None:
    """The first case of each pattern, in the first dtype and in turns in the others."""
    tried = [case for case in cases(row) if case.first]
    first = {}
    for case in tried:
        first.setdefault((case.pattern, case.dtype[0]), case)
    checks = 0
    if row.op in LOOPS:
        with pytest.raises(NotImplementedError, match="a loop is not written in NumPy"):
            judge(build(tried[0]), 1)
        return
    for case in first.values():
        sg.reset_default_graph()
        checks += judge(build(case), 20 * row.loose)
    assert checks


# ---------------------------------------------------------------- as a person writes it
def body(t: sg.Tensor) -> str:
    """The lines inside the function."""
    lines = sg.formula(t).numpy_source().splitlines()
    return "\n".join(line.strip() for line in lines[next(k for k, line in enumerate(lines) if line.startswith("def g(")) + 1 :])


def linear() -> tuple[sg.Tensor, sg.Tensor, sg.Tensor]:
    X, y = sg.placeholder(sg.float32, (None, 9), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    return X, y, sg.Variable(np.zeros((9, 1), np.float32), name="theta").value()


def test_linear_regression_reads_as_written_by_hand() -> None:
    X, y, theta = linear()
    mse = sg.reduce_mean(sg.square(sg.matmul(X, theta) - y))
    assert sg.formula(sg.gradients(mse, theta)[0]).numpy_source() == (
        "import numpy as np\n\n\ndef g(X, theta, y):\n    m = X.shape[0]\n    return 2 / m * X.T @ (X @ theta - y)\n"
    )
    assert body(mse) == "m = X.shape[0]\nreturn np.sum((X @ theta - y)**2) / m"
    assert sg.formula(mse).numpy_source("loss").count("def loss(X, theta, y):") == 1


def leaf(*shape: int | None, name: str = "A", dtype: Any = np.float32) -> sg.Tensor:
    return sg.placeholder(dtype, shape, name)


READS: list[tuple[Any, str]] = [
    (lambda: leaf(3, name="x")[:, None] + leaf(4, name="y"), "return x[:, None] + y"),
    (lambda: leaf(3, 4) * leaf(3, name="w")[:, None], "return A * w[:, None]"),
    (lambda: sg.reduce_sum(leaf(3, 4), 0), "return np.sum(A, axis=0)"),
    (lambda: sg.reduce_max(leaf(3, 4), 1, keepdims=True), "return np.max(A, axis=1, keepdims=True)"),
    (lambda: sg.transpose(leaf(3, 4)), "return A.T"),
    (lambda: sg.transpose(leaf(2, 3, 4), [1, 2, 0]), "return A.transpose(1, 2, 0)"),
    (lambda: sg.matmul(leaf(2, 3, 4), leaf(2, 3, 4, name="B"), transpose_b=True), "return A @ np.swapaxes(B, -1, -2)"),
    (lambda: sg.trace(leaf(3, 3)), "return np.trace(A)"),
    (lambda: sg.diag_part(leaf(3, 3)), "return np.diagonal(A)"),
    (lambda: sg.diag(leaf(3, name="x")), "return np.diag(x)"),
    (lambda: leaf(3, 3) + 2.0 * sg.eye(3), "return A + 2 * np.eye(3, dtype=np.float32)"),
    (lambda: leaf(3, 4)[0], "return A[0]"),
    (lambda: leaf(3, 4)[1:, ::-1], "return A[1:, ::-1]"),
    (lambda: leaf(None, 4)[1:-1], "m = A.shape[0]\nreturn A[1:1 + max(0, m - 2)]"),
    (lambda: sg.concat([leaf(3, 4), leaf(3, 4, name="B")], 1), "return np.concatenate([A, B], axis=1)"),
    (lambda: sg.gather(leaf(3, 4), leaf(5, name="i", dtype=np.int32)), "return A[i]"),
    (lambda: sg.cast(leaf(3), sg.float64) * 0.5, "return 0.5 * A.astype(np.float64)"),
    (lambda: sg.argmax(leaf(3, 4), 1), "return np.argmax(A, axis=1)"),
    (lambda: sg.where(leaf(3) > 0.0, leaf(3, name="B"), leaf(3, name="C")), "return np.where(A > 0, B, C)"),
    (lambda: sg.norm(leaf(3)), "return np.linalg.norm(A)"),
    (lambda: sg.nn.softmax(leaf(3, 4)), "return softmax(A)"),
    (lambda: sg.nn.softmax(leaf(3, 4), 0), "return softmax(A, axis=0)"),
    (lambda: sg.ones((3, 4)) * leaf(), "ones = np.ones((3, 4), dtype=np.float32)\nreturn A * ones"),
    (lambda: sg.zeros_like(leaf(3, 4, name="B")) + leaf(), "return np.broadcast_to(A, (3, 4))"),
    (lambda: sg.constant([1.0, 2.5], name="c") + leaf(2), "c = np.array([1.0, 2.5], dtype=np.float32)\nreturn c + A"),
    (lambda: -leaf(3) * sg.exp(-leaf(3, name="B")), "return -A * np.exp(-B)"),
    (lambda: leaf(3) / 3.0, "return 1 / 3 * A"),
    (lambda: leaf(3) * float("inf"), "return np.inf * A"),
]


@pytest.mark.parametrize("row", range(len(READS)), ids=[wanted.splitlines()[-1] for _, wanted in READS])
def test_reads_as_written_by_hand(row: int) -> None:
    make, wanted = READS[row]
    assert body(make()) == wanted


# ---------------------------------------------------------------- extremes
EXTREME = np.array([-1e4, -800.0, -90.0, -1e-8, 0.0, 1e-8, 90.0, 800.0, 1e4])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "make",
    [
        sg.sigmoid, sg.nn.softplus, sg.nn.softmax, sg.nn.log_softmax, sg.reduce_logsumexp, sg.norm, sg.tanh, sg.relu, sg.erf, sg.sign,
        sg.expm1, sg.exp, lambda x: 1.0 / (1.0 + sg.exp(-x)), lambda x: sg.log1p(sg.exp(-sg.abs(x))),
        lambda x: sg.where(x > 0.0, sg.log(x), x), lambda x: sg.where(x > 0.0, sg.sqrt(x), sg.zeros_like(x)),
        lambda x: sg.nn.sigmoid_cross_entropy_with_logits(labels=sg.ones_like(x), logits=x),
    ],
)  # fmt: skip
def test_extremes(make: Any, dtype: str) -> None:
    """Values and gradients, with warnings as errors: those of the interpreter, infinities included."""
    x = sg.placeholder(dtype, (None,), "x")
    y = make(x)
    values = EXTREME.astype(dtype)
    for t in (y, sg.gradients(y, x)[0]):
        with config.override(SYMGRAPH_BACKEND="reference"):
            wanted = sg.function([x], t)(values)
        same(str(sg.formula(t)), called(t, {"x": values}), wanted, 4)


def test_large_constants_are_parameters() -> None:
    data = sg.constant(np.arange(100.0).reshape(20, 5), name="data")
    w = sg.placeholder(sg.float64, (5, 1), "w")
    assert sg.formula(sg.matmul(data, w)).numpy_source().endswith("def g(data, w):\n    return data @ w\n")


def test_a_size_that_only_a_shape_says() -> None:
    X = sg.placeholder(sg.float64, (None, 3), "X")
    (g,) = sg.gradients(sg.reduce_mean(X), X)
    assert body(g) == "m = X.shape[0]\nreturn np.full((m, 3), 1 / (3 * m), dtype=np.float64)"
    np.testing.assert_allclose(called(g, {"X": np.ones((4, 3))}), 1 / 12)


def test_random_numbers_are_refused() -> None:
    x = sg.placeholder(sg.float32, (3,), "x")
    with pytest.raises(ValueError, match=r"draws random numbers \(noise"):
        sg.formula(x + sg.random_normal((3,), name="noise")).numpy_source()


@pytest.mark.parametrize("name", ["", "1st", "lambda", "np", "a b", "sum"])
def test_names_that_no_function_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be called"):
        sg.formula(sg.placeholder(sg.float32, (3,), "x") * 2.0).numpy_source(name)
