"""The example is run whole, on both sets of data, and its numbers are held against TensorFlow's and scikit-learn's."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
ERRORS = [9.161543, 0.7145006, 0.56670463, 0.5555716, 0.5488117, 0.5436362, 0.53962916, 0.53650916, 0.5340678, 0.53214717]
THETA = [2.0685525, 0.8874027, 0.14401658, -0.34770882, 0.36178368, 0.00393811, -0.04269556, -0.6614528, -0.6375277]
BATCH_THETA = [2.0703337, 0.8637145, 0.12255151, -0.31211874, 0.38510373, 0.00434168, -0.01232954, -0.83376896, -0.8030471]
FIRST_THETA = [-0.1673944, -0.46283674]


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    """The names that the example's file defines."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        yield SimpleNamespace(**runpy.run_path(str(EXAMPLES / "linear_regression.py"), run_name="example"))
    finally:
        sys.path.remove(str(EXAMPLES))
        sys.modules.pop("data", None)


@pytest.fixture(scope="module")
def housing(example: SimpleNamespace) -> object:
    data = example.load()
    if data.name != "California housing":
        pytest.skip("California housing is not in scikit-learn's data folder, and there is no network to get it from")
    return data


@pytest.fixture
def diabetes(monkeypatch: pytest.MonkeyPatch, example: SimpleNamespace) -> None:
    """As on a machine without housing and without a network."""
    module = sys.modules["data"]

    def missing(**_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(module, "fetch_california_housing", missing)
    monkeypatch.setattr(module, "DOWNLOAD", "raise SystemExit(1)")


def test_normal_equation(example: SimpleNamespace, housing) -> None:
    expected = example.scikit_learn(housing.features, housing.target)
    found = example.normal_equation(housing)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_first_theta(example: SimpleNamespace) -> None:
    tf = example.tf
    example.reset()
    theta, _, _ = example.linear_model(tf.constant(np.ones((1, 9), np.float32)), tf.constant(np.ones((1, 1), np.float32)), 9)
    with tf.Session():
        theta.initializer.run()
        np.testing.assert_array_equal(theta.eval()[:2, 0], np.float32(FIRST_THETA))


@pytest.mark.parametrize("way", ["by hand", "gradients", "GradientDescent"])
def test_full_batch(example: SimpleNamespace, housing, way: str) -> None:
    fit = example.full_batch(housing, example.FULL_BATCH[way])
    assert [epoch for epoch, _ in fit.history] == list(range(0, 1000, 100))
    np.testing.assert_allclose([error for _, error in fit.history], ERRORS, rtol=2e-6)
    np.testing.assert_allclose(fit.theta.ravel(), THETA, atol=1e-6)
    assert fit.source is None or fit.source.read_text(encoding="utf-8")


def test_momentum_reaches_the_closed_form(example: SimpleNamespace, housing) -> None:
    fit = example.full_batch(housing, example.FULL_BATCH["Momentum"])
    np.testing.assert_allclose(fit.theta, example.scikit_learn(housing.scaled, housing.target), atol=5e-5)


def test_mini_batches(example: SimpleNamespace, housing, capsys: pytest.CaptureFixture[str]) -> None:
    fit = example.mini_batches(housing)
    np.testing.assert_allclose(fit.theta.ravel(), BATCH_THETA, atol=1e-5)
    assert "2/m · Xᵀ(Xθ − y)" in capsys.readouterr().out


def test_whole_example_without_housing(example: SimpleNamespace, diabetes: None, capsys: pytest.CaptureFixture[str]) -> None:
    example.main()
    said = capsys.readouterr().out
    assert "this run uses the diabetes data" in said
    assert "diabetes: 442 rows, 10 features" in said
    assert "2/m · Xᵀ(Xθ − y)" in said
