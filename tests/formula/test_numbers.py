"""The numbers of the suite: its NumPy sources, and inputs a thousand times as large, against the books' texts in 400 digits.

Law of this file: a number is right if it is within 1e-6 of the exact one, or within what rounding leaves of a difference of
the array's greatest elements; where a double cannot hold the exact number nothing is asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import symgraph as sg
from symgraph import config
from tests.formula.exact import exact
from tests.formula.suite import suite
from tests.formula.textbook import Loss, asked

SUITE = suite()
FIXED = frozenset({"binary", "sign", "one_hot", "stochastic", "fraction", "orthogonal"})
"""Labels, probabilities and rotations are not a thousand times as large: they would be none."""


OPEN = frozenset({"negative binomial, r = 2", "mixture of Gaussians, in the logits of weights"})
"""Rows that overflow where the book's text does not."""

BEYOND = {
    "evidence lower bound, in s": "the deviations exp(s/2) of a row pass 1e308 in a product whose other factor is below 1e-308",
    "Newton step of logistic regression": "all probabilities are 0 or 1, the step is infinite",
    "Newton step of Poisson regression": "rates pass 1e308, and the matrix is singular to 400 digits",
}
"""Rows that no order of operations on doubles computes at a thousand times the size, and why."""


def rows(found: tuple[Loss, ...], faulty: frozenset[str] = frozenset()) -> Any:
    """A test of each row; those that are known to be faulty must be."""
    mark = pytest.mark.xfail(strict=True, reason="overflows")
    return pytest.mark.parametrize(
        "loss", [pytest.param(row, id=row.name.replace(" ", "-"), marks=[mark] if row.name in faulty else []) for row in found]
    )


def derived(loss: Loss, words: Any = sg) -> tuple[sg.Tensor, dict[sg.Tensor, str]]:
    """What a row asks for, and the names of its leaves by their tensors."""
    value, wrt, leaves = loss.build(words)
    return asked(sg, loss, value, wrt, leaves), {t: name for name, t in leaves.items()}


def large(loss: Loss) -> dict[str, np.ndarray]:
    values = loss.data(np.random.default_rng(4))
    return {n: v if loss.leaves[n].domain in FIXED or v.dtype.kind != "f" else 1000 * v for n, v in values.items()}


def run(t: sg.Tensor, leaves: Mapping[sg.Tensor, str], values: Mapping[str, np.ndarray], backend: str = "reference") -> np.ndarray:
    with config.override(SYMGRAPH_BACKEND=backend), sg.Session() as sess:
        return sess.run(t, {leaf: values[name] for leaf, name in leaves.items()})


def by_numpy(t: sg.Tensor, leaves: Mapping[sg.Tensor, str], values: Mapping[str, np.ndarray]) -> np.ndarray:
    """The value of the formula's source, run in an empty namespace with warnings as errors."""
    space: dict[str, Any] = {}
    exec(sg.formula(t).numpy_source(), space)
    code = getattr(space["g"], "__wrapped__", space["g"]).__code__
    named = {leaf.op.name: values[name] for leaf, name in leaves.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return space["g"](**{name: named[name] for name in code.co_varnames[: code.co_argcount]})


def right(found: Any, wanted: np.ndarray) -> None:
    found = np.asarray(found)
    assert found.size == wanted.size
    known = np.isfinite(wanted)
    top = np.abs(wanted[known]).max(initial=0)
    np.testing.assert_allclose(found.reshape(wanted.shape)[known], wanted[known], rtol=1e-6, atol=1e-12 * top + 1e-16)


@rows(SUITE)
def test_the_source_runs_alone(loss: Loss) -> None:
    """In float64 it has the interpreter's value; in float32 it stays float32."""
    values = loss.data(np.random.default_rng(5))
    t, leaves = derived(loss)
    wanted = run(t, leaves, values)
    found = by_numpy(t, leaves, values)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12 * max(np.abs(wanted).max(), 1))
    sg.reset_default_graph()
    t, leaves = derived(loss, SimpleNamespace(placeholder=sg.placeholder, float64=sg.float32, int64=sg.int64))
    short = by_numpy(t, leaves, {n: v.astype(np.float32) if v.dtype.kind == "f" else v for n, v in values.items()})
    assert short.dtype == np.float32
    np.testing.assert_allclose(short, wanted, rtol=1e-2, atol=1e-3 * max(np.abs(wanted).max(), 1))


SCALED = tuple(row for row in SUITE if row.name not in BEYOND)


@rows(SCALED, OPEN)
def test_large_inputs(loss: Loss) -> None:
    """A thousand times as large, in the interpreter and in NumPy."""
    values = large(loss)
    wanted = exact(loss, values)
    t, leaves = derived(loss)
    right(run(t, leaves, values), wanted)
    right(by_numpy(t, leaves, values), wanted)


@rows(SCALED[::30], OPEN)
def test_large_inputs_compiled(loss: Loss) -> None:
    values = large(loss)
    t, leaves = derived(loss)
    right(run(t, leaves, values, "numba"), exact(loss, values))
