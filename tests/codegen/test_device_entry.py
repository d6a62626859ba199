"""How a kernel is launched: its blocks, its shared memory, its driver."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen import config, interpret, lanes, plain_cuda
from symgraph.codegen.cuda import translate
from symgraph.codegen.device_entry import PLAIN_BLOCKS, driver_of, entry_of, lanes_of
from symgraph.codegen.device_launch import compile_for
from symgraph.codegen.devices import Device
from symgraph.codegen.resident import Cell

from . import programs

LARGE = Device("/device:GPU:0", "GPU", 1 << 36, "large", (9, 0), 132)
SIMULATED = Device("/device:GPU:0", "GPU", 0, "simulated", (0, 0), 1)


@pytest.fixture(autouse=True)
def plain():
    """Our own simulator."""
    with config.override(SYMGRAPH_BACKEND="python"):
        yield


def test_blocks_are_as_many_as_work_is_worth() -> None:
    driver = driver_of(LARGE)
    worth = [entry_of(translate(programs.linear_regression(m), 8), driver).worth({}) for m in (10, 1000, 100_000, 10_000_000)]
    assert worth == sorted(worth) and worth[0] <= 4 and worth[-1] > 132
    net = programs.softmax_net(50, (784, 300, 10))
    assert entry_of(translate(net, 8), driver).worth({}) > 16, "the tiles of its products are shared too"
    entry = entry_of(translate(programs.linear_regression(1000), 8), driver)
    assert entry.team({}) == min(worth[1], PLAIN_BLOCKS) and entry.team({}, 1) == 1 and entry.team({}, 99) == PLAIN_BLOCKS
    assert entry_of(translate(programs.linear_regression(10), 8), driver_of(SIMULATED)).team({}) == PLAIN_BLOCKS


def test_the_pool_serves_the_greediest_call() -> None:
    driver = driver_of(LARGE)
    pool = {name: plain_cuda.module(f"symgraph.codegen.runtime.device_{name}").POOL for name in ("team", "tiles", "windows")}
    assert pool["windows"] == pool["tiles"], "a convolution is made of the same products"
    assert lanes_of(driver) == 8 and driver is driver_of(LARGE)
    assert entry_of(translate(programs.linear_regression(10), 8), driver).shared == pool["team"]
    assert entry_of(translate(programs.softmax_net(), 8), driver).shared == max(pool["tiles"]["f32"], pool["team"])


def test_as_many_sums_as_the_pool_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a block take turns where they are more."""
    assert lanes.SUMS == plain_cuda.module("symgraph.codegen.runtime.device_team").SUMS
    monkeypatch.setattr(lanes, "SUMS", 3)
    program = programs.linear_regression(30)
    assert ", 2, lane)" in (source := translate(program, 8).source) and ", 3, lane)" not in source
    mine, theirs = np.ones((2, 9, 1), np.float32)
    np.testing.assert_allclose(compile_for(program, SIMULATED).bind([cell := Cell(mine)])(), interpret(program).bind([theirs])(), rtol=1e-5)
    np.testing.assert_allclose(cell.host(write=False), theirs, rtol=1e-5)


def test_a_step_in_our_simulator() -> None:
    program = programs.linear_regression(30)
    made = compile_for(program, SIMULATED)
    (state,) = [np.zeros(tuple(b.shape), b.dtype) for b in program.buffers if b.role == "state"]
    cell = Cell(state)
    made.bind([cell])()
    assert np.abs(cell.host()).max() > 0 and made.path is None and made.device == SIMULATED
