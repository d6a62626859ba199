"""Learning rates that change with the step: TF1's formulas, names and errors."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, exp, pi
from typing import Any

import numpy as np
import pytest

import symgraph as tf

train = tf.train
STEPS = [0, 1, 5, 10, 15, 20, 37]


def _restarts(s: int, length: float, longer: float, lower: float, least: float) -> float:
    height = 1.0
    while s >= length:
        s, length, height = s - length, length * longer, height * lower
    return 0.5 * ((1 - least) * height * 0.5 * (1 + cos(pi * s / length)) + least)


SCHEDULES: dict[str, tuple[Callable[[Any], tf.Tensor], Callable[[int], float]]] = {
    "exponential": (lambda s: train.exponential_decay(0.5, s, 10, 0.3), lambda s: 0.5 * 0.3 ** (s / 10)),
    "exponential, in stairs": (lambda s: train.exponential_decay(0.5, s, 10, 0.3, staircase=True), lambda s: 0.5 * 0.3 ** (s // 10)),
    "natural": (lambda s: train.natural_exp_decay(0.5, s, 10, 0.3), lambda s: 0.5 * exp(-0.3 * s / 10)),
    "inverse": (lambda s: train.inverse_time_decay(0.5, s, 10, 0.3), lambda s: 0.5 / (1 + 0.3 * s / 10)),
    "inverse, in stairs": (lambda s: train.inverse_time_decay(0.5, s, 10, 0.3, True), lambda s: 0.5 / (1 + 0.3 * (s // 10))),
    "polynomial": (lambda s: train.polynomial_decay(0.5, s, 10, 0.1, 2.0), lambda s: 0.4 * (1 - min(s, 10) / 10) ** 2 + 0.1),
    "polynomial, in cycles": (
        lambda s: train.polynomial_decay(0.5, s, 10, 0.1, cycle=True),
        lambda s: 0.4 * (1 - s / (10 * max(1, -(-s // 10)))) + 0.1,
    ),
    "cosine": (lambda s: train.cosine_decay(0.5, s, 20, 0.2), lambda s: 0.5 * (0.8 * 0.5 * (1 + cos(pi * min(s, 20) / 20)) + 0.2)),
    "restarts": (lambda s: train.cosine_decay_restarts(0.5, s, 10, 2.0, 0.5, 0.2), lambda s: _restarts(s, 10, 2.0, 0.5, 0.2)),
    "restarts of one length": (lambda s: train.cosine_decay_restarts(0.5, s, 10, 1.0, 0.9), lambda s: _restarts(s, 10, 1.0, 0.9, 0.0)),
    "linear cosine": (
        lambda s: train.linear_cosine_decay(0.5, s, 20, 1.5, 0.1, 0.01),
        lambda s: 0.5 * ((1.1 - min(s, 20) / 20) * 0.5 * (1 + cos(3 * pi * min(s, 20) / 20)) + 0.01),
    ),
    "noisy linear cosine": (
        lambda s: train.noisy_linear_cosine_decay(0.5, s, 20, 0.0),
        lambda s: 0.5 * ((1 - min(s, 20) / 20) * 0.5 * (1 + cos(pi * min(s, 20) / 20)) + 0.001),
    ),
    "piecewise": (lambda s: train.piecewise_constant(s, [5, 15], [1.0, 0.5, 0.25]), lambda s: 1.0 if s <= 5 else 0.5 if s <= 15 else 0.25),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_values(name: str, dtype: tf.DType) -> None:
    make, wanted = SCHEDULES[name]
    step = tf.placeholder(dtype, ())
    rate = make(step)
    assert rate.dtype is tf.float32 and rate.shape.as_list() == []
    with tf.Session() as sess:
        found = [sess.run(rate, {step: s}) for s in STEPS]
    np.testing.assert_allclose(found, [wanted(s) for s in STEPS], rtol=2e-6)


def test_noise() -> None:
    rate = train.noisy_linear_cosine_decay(1.0, tf.constant(0), 20, 4.0)
    with tf.Session() as sess:
        drawn = [sess.run(rate) for _ in range(400)]
    assert np.std(drawn) == pytest.approx(2, rel=0.15) and np.mean(drawn) == pytest.approx(1, abs=0.4)


def test_names_are_tensorflows() -> None:
    step = tf.constant(3, name="step")
    rate = train.exponential_decay(0.5, step, 10, 0.3)
    names = [op.name for op in tf.get_default_graph().get_operations()][1:]
    assert rate.name == "ExponentialDecay:0"
    parts = ("learning_rate", "Cast", "Cast_1/x", "Cast_1", "Cast_2/x", "truediv", "Pow")
    assert names == [*(f"ExponentialDecay/{part}" for part in parts), "ExponentialDecay"]
    assert train.polynomial_decay(0.5, step, 10, name="rate").op.name == "rate"


def test_a_tensor_gives_its_dtype() -> None:
    rate = train.cosine_decay(tf.constant(np.float64(0.5)), tf.constant(5), 10)
    assert rate.dtype is tf.float64


def test_mistakes() -> None:
    with pytest.raises(
        ValueError, match=r"global_step is required for ExponentialDecay\.\n  ExponentialDecay .* made at test_schedules.py"
    ):
        train.exponential_decay(0.5, None, 10, 0.3)
    with pytest.raises(ValueError, match="1 less than the length of values, but they are 2 and 2"):
        train.piecewise_constant(tf.constant(1), [1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="boundaries must rise"):
        train.piecewise_constant(tf.constant(1), [2, 1], [0.1, 0.2, 0.3])
    assert not [op for op in tf.get_default_graph().get_operations() if "Decay" in op.name or "Piecewise" in op.name]
