"""Whole models on a simulated device, in processes of their own: the values are those of the CPU."""

from __future__ import annotations

import pytest

from tests.train.simulated import simulated

HEAD = """
import sys
import numpy as np
from numpy.testing import assert_allclose
sys.path.insert(0, "examples")
import symgraph as sg
from symgraph import config


def both(run, rtol=2e-4):
    found = []
    for device in ("cpu", "cuda"):
        with config.override(SYMGRAPH_DEVICE=device):
            found.append(run())
    for a, b in zip(*found, strict=True):
        assert_allclose(a, b, rtol=rtol, atol=rtol)
"""
REGRESSION = """
import linear_regression as chapter
from data import Data

rng = np.random.default_rng(0)
features = rng.standard_normal((23, 3)) * 5
target = features @ [[1.0], [2.0], [3.0]] + rng.standard_normal((23, 1))
scaled = (features - features.mean(0)) / features.std(0)
data = Data("tiny", features, scaled, target)
chapter.EPOCHS, chapter.BATCH_EPOCHS, chapter.BATCH_SIZE = 3, 2, 8
both(lambda: [chapter.normal_equation(data)], 1e-8)


def fitted(fit):
    return [np.array([error for _, error in fit.history]), fit.theta]


for way in chapter.FULL_BATCH.values():
    both(lambda: fitted(chapter.full_batch(data, way)))
both(lambda: fitted(chapter.mini_batches(data)))
"""
LOOPS = """
rng = np.random.default_rng(0)
rows = rng.standard_normal((20, 3)).astype(np.float32)


def run():
    sg.reset_default_graph()
    sg.set_random_seed(1)
    X = sg.placeholder(sg.float32, (None, 3))
    w = sg.Variable(sg.random_normal([3, 2]), name="w")
    noise = sg.random_uniform([2], -0.1, 0.1)
    loss = sg.reduce_mean(sg.square(sg.tanh(sg.matmul(X, w)) + noise), name="loss")
    step = sg.train.AdamOptimizer(0.1).minimize(loss)
    with sg.Session() as sess:
        sess.run(sg.global_variables_initializer())
        first = sess.run_loop(step, 7, {X: rows}, record=[loss, w], every=3)
        second = sess.run_loop(step, 5, {X: rows}, sg.Minibatch(8, seed=3), record=loss)
        assert "launch" in first.explain() or config.get("SYMGRAPH_DEVICE") == "cpu"
        return [first["loss"], first["w"], second["loss"], sess.run(w)]


both(run)
"""


@pytest.mark.parametrize("models", [REGRESSION, LOOPS], ids=["chapter", "loops"])
def test_models_in_numbas_simulator(models: str) -> None:
    simulated(HEAD + models)
