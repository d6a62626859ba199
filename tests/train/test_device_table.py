"""The table of operations on a device: simulated, and under the mark `gpu` on a real one, against the interpreter.

Law of this file: what is tried stands in `op_table` and `edge_table`, how it is compared in `test_op_table`; here is only where it
runs.  Numba's simulator gets each row's first case of each pattern class and dtype, value and gradient, in processes of its
own; ours gets a choice of them on two blocks, cut so that even a few elements are shared by both; a device, whose kernels
have to be compiled, gets that choice, and everything in tests marked slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

import symgraph as sg
from symgraph import codegen, config
from symgraph.codegen import cuda, target
from symgraph.host import HOST
from tests.train import op_table
from tests.train import test_op_table as by_table
from tests.train.op_cases import FLOATS, INTS, Case
from tests.train.simulated import simulated
from tests.train.test_op_table import BATCH, CHOSEN, FIRST, OPEN, OPENED, PROBES, SOME, build, compare, unknown_dtype

SIZE, SHARES = 16, 3
"""Cases in one launch, and processes among which they are dealt."""
UNKNOWN = [case for case in FIRST if case.row in OPEN and case.dtype in (unknown_dtype(case.row), "int32")]
ELSEWHERE = {
    "control_flow": "device_models: a_loop, a_scan, arrays, branches",
    "tensor_array": "device_models: arrays",
    "indexed_slices": "device_models: embedding; every optimizer",
    "random": "device_models: draws",
    "sampling": "device_models: sampled",
    "scatter": "device_models: rows_of_variables",
    "state": "device_models: each of them",
    "initializers": "programs of a session's start, which the interpreter runs: plan.route",
    "regularizers": "sums of what is in the table",
    "places": "sizes that depend on values: what the host serves, below",
    "checks": "the host serves them, below",
    "python": "the host serves it, below",
    "strings": "the host serves them, below",
    "initialized": "questions to the session",
    "control": "order, not values",
    "core": "what all operations share",
    "derivative": "every gradient",
    "selection": "sizes that depend on values: what the host serves, below",
}
"""Where operations without a row in the table run on a device, or why they do not."""


# ---------------------------------------------------------------- what runs
def on_device(way: str, tried: Sequence[Case], size: int, known: bool = True) -> None:
    for k in range(0, len(tried), size):
        sg.reset_default_graph()
        compare(way, [build(case, known) for case in tried[k : k + size]])


def share(tried: Sequence[Case], number: int, size: int = SIZE) -> list[Case]:
    """Whole launches, dealt in turn."""
    return [case for k in range(number * size, len(tried), SHARES * size) for case in tried[k : k + size]]


def values(number: int) -> None:
    on_device("cuda", share(FIRST, number), SIZE)


def unknown_sizes(number: int) -> None:
    on_device("cuda", share(UNKNOWN, number, SIZE // 2), SIZE // 2, known=False)


def edges() -> None:
    by_table.test_edges("cuda", PROBES, SIZE)


# ---------------------------------------------------------------- in Numba's simulator
@pytest.mark.slow
@pytest.mark.parametrize("number", range(SHARES))
def test_values_and_gradients(number: int) -> None:
    simulated(f"from {__name__} import values; values({number})")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(SHARES))
def test_unknown_sizes(number: int) -> None:
    simulated(f"from {__name__} import unknown_sizes; unknown_sizes({number})")


@pytest.mark.slow
def test_special_values() -> None:
    simulated(f"from {__name__} import edges; edges()")


# ---------------------------------------------------------------- on blocks of our own
@pytest.fixture
def cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """No phase is too small to be shared among blocks."""
    monkeypatch.setattr(cuda, "limits_of", lambda *how: replace(target.cuda(*how), serial=1))


@pytest.mark.parametrize("number", range(SHARES))
def test_two_blocks(number: int, cut_small: None) -> None:
    on_device("blocks", share(CHOSEN, number, 8), 8)


def test_two_blocks_of_unknown_sizes(cut_small: None) -> None:
    on_device("blocks", OPENED, 8, known=False)


# ---------------------------------------------------------------- on a device
@pytest.fixture
def device() -> None:
    if codegen.devices.simulated() or len(sg.list_devices()) < 2:
        pytest.skip(codegen.devices.missing() or "it is simulated")


@pytest.mark.gpu
@pytest.mark.parametrize("number", range(SHARES))
def test_on_a_gpu(number: int, device: None) -> None:
    on_device("cuda", share(CHOSEN, number, BATCH), BATCH)


@pytest.mark.gpu
def test_unknown_sizes_on_a_gpu(device: None) -> None:
    on_device("cuda", OPENED, BATCH, known=False)


@pytest.mark.gpu
def test_special_values_on_a_gpu(device: None) -> None:
    by_table.test_edges("cuda", SOME, SIZE)


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.parametrize("number", range(SHARES))
def test_the_whole_table_on_a_gpu(number: int, device: None) -> None:
    values(number)
    unknown_sizes(number)


# ---------------------------------------------------------------- what does not run there
def test_nothing_is_left_out() -> None:
    """Each row with each of its dtypes; what is not in the table is said to run elsewhere, or why it cannot."""
    whole = {(row, d) for row in op_table.table() for d in (*row.dtypes, *(INTS if row.whole is not None else ()))}
    assert {(row.name, d) for row, d in whole} == {(case.row.name, case.dtype) for case in FIRST}
    assert len(FIRST) > 7000 and len(UNKNOWN) > 1900 and {case.dtype for case in UNKNOWN} >= {"float64", "bool", "int32"}
    assert {case.dtype for case in FIRST} == {*FLOATS, *INTS, "bool"}
    assert set(ELSEWHERE) == set(op_table.NO_VALUES)
    assert sorted(case for k in range(SHARES) for case in map(FIRST.index, share(FIRST, k))) == list(range(len(FIRST)))


def test_what_the_host_serves() -> None:
    """Python's functions and strings run between launches; what comes before and after them runs on the device."""
    assert {"PyFunc", "Assert", "Where", "StringJoin"} <= set(HOST), sorted(HOST)
    x = sg.placeholder(sg.float32, [3])
    half = sg.py_func(lambda v: v / 2, [sg.exp(x)], sg.float32)
    half.set_shape([3])
    with config.override(SYMGRAPH_DEVICE="cuda", SYMGRAPH_BACKEND="python"), sg.Session() as session:
        found = session.run(sg.log(half), {x: np.ones(3, np.float32)})
    np.testing.assert_allclose(found, 1 - np.log(2), rtol=1e-6)
