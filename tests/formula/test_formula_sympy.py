"""Formulas as sympy expressions: the same values, plain where everything is element by element, and errors that say why.

Law of this file: values come from `sympy_value`, which only does what sympy's classes mean.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp

import symgraph as sg
from symgraph import config
from tests.formula.suite import suite
from tests.formula.sympy_value import evaluate
from tests.formula.textbook import Loss, asked

x, y, c = (sp.Symbol(n, real=True) for n in "xyc")


def scalar(name: str) -> sg.Tensor:
    return sg.placeholder(sg.float64, (), name)


def vector(name: str) -> sg.Tensor:
    return sg.placeholder(sg.float64, (3,), name)


PLAIN: list[tuple[Callable, sp.Expr]] = [
    (lambda x, y: x * sg.exp(-y) + 1, x * sp.exp(-y) + 1),
    (lambda x, y: sg.square(x - y) / 2, (x - y) ** 2 / 2),
    (lambda x, y: sg.sigmoid(x) * y, y / (1 + sp.exp(-x))),
    (lambda x, y: sg.where(x > y, x, 0 * x), sp.Piecewise((x, x > y), (0, True))),
    (lambda x, y: sg.relu(x) + sg.abs(y), sp.Max(x, 0) + sp.Abs(y)),
    (lambda x, y: 0.1 * x, sp.Float("0.1") * x),
    (lambda x, y: sg.log1p(x) - sg.sqrt(y), sp.log(1 + x) - sp.sqrt(y)),
    (lambda x, y: sg.maximum(x, y) % 3.0, sp.Mod(sp.Max(x, y), 3)),
    (lambda x, y: sg.stop_gradient(sg.erf(x)) ** 3, sp.erf(x) ** 3),
]


@pytest.mark.parametrize("row", range(len(PLAIN)))
@pytest.mark.parametrize("leaf", [scalar, vector])
def test_plain_expressions(row: int, leaf: Callable) -> None:
    make, wanted = PLAIN[row]
    assert sg.formula(make(leaf("x"), leaf("y"))).to_sympy() == wanted


def test_broadcasting_is_still_plain_and_transposing_is_not() -> None:
    A, b = sg.placeholder(sg.float64, (None, 3), "A"), vector("b")
    assert sg.formula(A * 2.0 + b).to_sympy() == 2 * sp.Symbol("A", real=True) + sp.Symbol("b", real=True)
    S = sg.placeholder(sg.float64, (3, 3), "S")
    m = sp.MatrixSymbol("S", 3, 3)
    assert sg.formula(S + sg.transpose(S)).to_sympy() == m + m.T


def test_matrix_expressions() -> None:
    X, t = sg.placeholder(sg.float64, (None, 3), "X"), sg.placeholder(sg.float64, (3, 1), "theta")
    loss = sg.reduce_mean(sg.square(sg.matmul(X, t)))
    m = sp.Symbol("m", integer=True, positive=True)
    M, T = sp.MatrixSymbol("X", m, 3), sp.MatrixSymbol("theta", 3, 1)
    assert sg.formula(loss).to_sympy() == sp.Trace(T.T * M.T * M * T) / m
    assert sg.formula(sg.gradients(loss, t)[0]).to_sympy() == 2 / m * M.T * M * T
    S = sg.placeholder(sg.float64, (3, 3), "S")
    assert sg.formula(sg.matrix_inverse(S)).to_sympy() == sp.Inverse(sp.MatrixSymbol("S", 3, 3))


def test_what_sympy_writes_out_agrees() -> None:
    """On explicit matrices, by sympy's own evaluation."""
    A = sg.placeholder(sg.float64, (2, 2), "A")
    e = sg.formula(sg.reduce_sum(A * A * sg.transpose(A), 1)).to_sympy()
    given = sp.Matrix([[1, 2], [3, 4]])
    assert e.xreplace({sp.MatrixSymbol("A", 2, 2): sp.ImmutableMatrix(given)}).doit().as_explicit() == sp.Matrix([13, 82])


REFUSED: list[tuple[Callable, str]] = [
    (lambda A: sg.reduce_max(A, 1), "no max over a matrix"),
    (lambda A: sg.random_normal((2, 2)), "draws random numbers"),
    (lambda A: sg.reshape(A, [-1]), "not reshaped"),
    (lambda A: sg.gather(A, [0, 1, 1]), "rows by their numbers"),
    (lambda A: sg.where(A > sg.transpose(A), A, -A), "of several matrices"),
    (lambda A: sg.reshape(A, (1, 2, 2)) * 2.0, "3 axes"),
    (lambda A: sg.round(A) + sg.transpose(A), "no function round"),
    (lambda A: sg.cholesky(A), "no cholesky"),
]


@pytest.mark.parametrize("row", range(len(REFUSED)), ids=[why for _, why in REFUSED])
def test_what_is_refused_says_why(row: int) -> None:
    make, why = REFUSED[row]
    with pytest.raises(NotImplementedError, match=why):
        sg.formula(make(sg.placeholder(sg.float64, (2, 2), "A"))).to_sympy()


def test_large_expressions_are_refused() -> None:
    t = scalar("x")
    for _ in range(40):
        t = sg.sin(t) * sg.cos(t)
    with pytest.raises(NotImplementedError, match="too large"):
        sg.formula(t).to_sympy()


@pytest.mark.parametrize("row", suite()[::3], ids=lambda row: row.name)
def test_the_textbook(row: Loss) -> None:
    """Losses and gradients that sympy can say have their values."""
    value, wrt, leaves = row.build(sg)
    data = row.data(np.random.default_rng(0))
    for t in (value, asked(sg, row, value, wrt, leaves)):
        f = sg.formula(t)
        try:
            e = f.to_sympy()
        except NotImplementedError:
            continue
        with config.override(SYMGRAPH_BACKEND="reference"):
            wanted = sg.function(list(leaves.values()), t)(*data.values())
        given = {leaves[n].op.name: v for n, v in data.items()}
        found = np.asarray(evaluate(e, given, dict.fromkeys("mnkpqrstuv", 7)), float).reshape(np.shape(wanted))
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-9)
