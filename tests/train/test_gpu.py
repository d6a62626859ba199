"""A GPU, where there is one: the chapter's models and loops, and what can be looked at; test_device_table.py has the operations."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import symgraph as sg
from tests.train.simulated import ROOT
from tests.train.test_simulated import HEAD, LOOPS, REGRESSION

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("models", [REGRESSION, LOOPS], ids=["chapter", "loops"])
def test_models(models: str) -> None:
    done = subprocess.run([sys.executable, "-c", HEAD + models], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_many_rows_on_many_blocks() -> None:
    """The same bits for every number of blocks; occupancy and registers are known."""
    x = sg.placeholder(sg.float32, (None, 9))
    f = sg.function([x], [sg.reduce_sum(sg.tanh(x), 0), sg.reduce_mean(x)], device="cuda")
    rows = np.random.default_rng(0).standard_normal((100_003, 9)).astype(np.float32)
    got = f(rows)
    np.testing.assert_allclose(got[0], np.tanh(rows.astype(np.float64)).sum(0), rtol=1e-4, atol=1e-2)
    made = f._plan.executable
    for blocks in (1, 3, 40):
        for a, b in zip(made.bind([], nblocks=blocks)(rows), got, strict=True):
            np.testing.assert_array_equal(a, b)
    report = f.explain()
    assert "registers" in report and "occupancy" in report and "unknown" not in report
    gpu = next(d for d in sg.list_devices() if d.device_type == "GPU")
    assert gpu.memory_limit_bytes > 0 and gpu.compute_capability is not None
    assert f".target sm_{gpu.compute_capability[0]}{gpu.compute_capability[1]}" in f.ptx()


def test_arrays_that_lie_there_are_fed_and_stay() -> None:
    from numba import cuda

    x = sg.placeholder(sg.float32, (None,))
    with sg.Session(device="cuda") as sess:
        there = cuda.to_device(np.arange(10, dtype=np.float32))
        assert sess.run(sg.reduce_sum(x), {x: there}) == 45


def test_large_products_are_cublas() -> None:
    pytest.importorskip("nvmath")
    a, b = (np.random.default_rng(k).standard_normal(shape).astype(np.float32) for k, shape in enumerate([(600, 512), (700, 512)]))
    x, y = sg.constant(a), sg.placeholder(sg.float32, (700, 512))
    f = sg.function([y], sg.tanh(sg.matmul(x, y, transpose_b=True) / 30), device="cuda")
    np.testing.assert_allclose(f(b), np.tanh(a.astype(np.float64) @ b.T / 30), rtol=1e-4, atol=1e-5)
    assert "and cuBLAS for" in f.explain()
