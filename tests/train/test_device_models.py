"""Whole models on devices, against the interpreter: on two blocks of our own, in Numba's simulator, and on a real one.

Law of this file: what the models are stands in `device_models`; the trajectories of every optimizer are TensorFlow's.
"""

from __future__ import annotations

import pytest

from symgraph import config
from tests.train import device_models as models
from tests.train import test_trajectories as trajectories
from tests.train.simulated import simulated
from tests.train.test_device_table import cut_small, device  # noqa: F401
from tests.train.test_op_table import DEVICES

SHARES = 2


def share(number: int, way: str = "cuda") -> None:
    for name in list(models.MODELS)[number::SHARES]:
        models.compare(name, way)


def optimizers(way: str = "cuda") -> None:
    """Twenty steps of three variables, one by one and as a loop: what TensorFlow's variables held."""
    with config.override(**DEVICES[way]):
        for name in trajectories.OPTIMIZERS:
            for test in (trajectories.test_three_steps, trajectories.test_twenty_steps_of_three_variables):
                trajectories.tf.reset_default_graph()
                test(name, *([True] if "twenty" in test.__name__ else []))
        for name in trajectories.CONTRIB:
            trajectories.tf.reset_default_graph()
            trajectories.test_contrib(name)


@pytest.mark.parametrize("name", models.MODELS)
def test_on_two_blocks(name: str, cut_small: None) -> None:  # noqa: F811
    models.compare(name, "blocks")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(SHARES))
def test_in_numbas_simulator(number: int) -> None:
    simulated(f"from {__name__} import share; share({number})")


@pytest.mark.slow
def test_optimizers_in_numbas_simulator() -> None:
    simulated(f"from {__name__} import optimizers; optimizers()")


@pytest.mark.gpu
@pytest.mark.parametrize("name", models.MODELS)
def test_on_a_gpu(name: str, device: None) -> None:  # noqa: F811
    models.compare(name, "cuda")


@pytest.mark.gpu
def test_optimizers_on_a_gpu(device: None) -> None:  # noqa: F811
    optimizers()
