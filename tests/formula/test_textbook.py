"""The suite of textbook losses: the book's side against central differences, symgraph's against the book's, and their sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

import symgraph as sg
from symgraph import config
from tests.formula.counting import operators, textbook_ops
from tests.formula.suite import measure, missing, suite, thresholds
from tests.formula.textbook import SIZES, Loss, asked

SUITE = suite()
STEP = 1e-5
everything = pytest.mark.parametrize("loss", [pytest.param(row, id=row.name.replace(" ", "-")) for row in SUITE])


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    """Values, not speed: nothing is compiled."""
    with config.override(SYMGRAPH_BACKEND="reference"):
        yield


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.size == wanted.size
    found = found.reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6 * max(np.abs(wanted).max(), 1e-3))


@everything
def test_the_book_is_right(loss: Loss) -> None:
    """The text from the book equals central differences of the loss."""
    value, wrt, leaves = loss.build(sg)
    values = loss.data(np.random.default_rng(1))
    with sg.Session() as sess:

        def at(x: np.ndarray, t=value) -> np.ndarray:
            return sess.run(t, {leaves[n]: x if n == loss.wrt else v for n, v in values.items()})

        if loss.kind == "gradient":
            differences = slopes(at, values[loss.wrt])
        elif loss.kind in ("jacobian", "gauss_newton"):
            j = slopes(at, values[loss.wrt]).reshape(-1, values[loss.wrt].size)
            differences = j if loss.kind == "jacobian" else j.T @ j
        else:
            (gradient,) = sg.gradients(value, wrt)
            h = slopes(lambda x: at(x, gradient), values[loss.wrt]).reshape(values[loss.wrt].size, -1)
            g = at(values[loss.wrt], gradient).reshape(-1, 1)
            differences = {"hessian": lambda: h, "newton": lambda: np.linalg.solve(h, g), "hvp": lambda: h @ values["v"].reshape(-1, 1)}[
                loss.kind
            ]()
    close(differences, loss.expected(values))


def slopes(f, x: np.ndarray) -> np.ndarray:
    """df/dx by central differences: the value's axes, then x's."""
    columns = []
    for k in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[k] = STEP
        columns.append((f(x + step) - f(x - step)) / (2 * STEP))
    return np.stack(columns, -1).reshape((*np.shape(columns[0]), *x.shape))


@everything
def test_symgraph_is_right(loss: Loss) -> None:
    """symgraph's formula has the value of the book's."""
    if missing(loss):
        pytest.skip(f"symgraph has no {missing(loss)} yet")
    value, wrt, leaves = loss.build(sg)
    wanted = asked(sg, loss, value, wrt, leaves)
    for seed in (2, 3):
        values = loss.data(np.random.default_rng(seed))
        with sg.Session() as sess:
            close(sess.run(wanted, {leaves[n]: v for n, v in values.items()}), loss.expected(values))


def test_sizes() -> None:
    """symgraph's formulas are as short as the book's."""
    found = thresholds([measure(loss) for loss in SUITE])
    assert found["count"] == len(SUITE)
    assert found["median"] <= 1.0
    assert found["within 1.25"] >= 0.9
    assert found["greatest"] <= 2


# ---------------------------------------------------------------- the suite itself
def test_rows_are_whole() -> None:
    for loss in SUITE:
        assert loss.source, loss.name
        assert not set(SIZES) & (set(loss.leaves) | set(loss.where)), loss.name
        assert loss.wrt in loss.leaves and set(loss.facts) <= set(loss.leaves), loss.name
        assert textbook_ops(loss) >= 0
        for name in loss.where:
            assert re.search(rf"\b{name}\b", " ".join(t for n, t in [*loss.where.items(), ("", loss.gradient)] if n != name)), loss.name


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2 / m * X.T @ (X @ theta - y)", 3),
        ("X", 0),
        ("-2 * A.T", 0),
        ("1 - s", 1),
        ("a + b + c - 1", 3),
        ("a * b / c", 2),
        ("1 / c", 1),
        ("3 / (m * c)", 1),
        ("a / 2", 0),
        ("np.exp(u) + 1 / np.exp(u)", 3),
        ("(a - b) * (b - a)", 2),
        ("np.sum(2 * a, axis=1) + np.sum(a, axis=1, keepdims=True)", 2),
        ("a[:, None] + a[None]", 1),
        ("a[1:] - a[:-1]", 3),
        ("np.where(a < 0, a, 0)", 2),
        ("A.T.T @ A", 1),
        ("inv(S) @ x @ (inv(S) @ x).T", 3),
        ("x ** 2 + np.square(x)", 3),
    ],
)
def test_operators(text: str, count: int) -> None:
    assert operators(text) == count


def test_parts_count_once() -> None:
    assert operators("S * (1 - S)", {"S": "sigmoid(X @ w)"}) == 4
    assert operators("r + X @ w", {"r": "X @ w - y"}) == 3
