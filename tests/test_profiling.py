"""The measuring itself: no time without an equal answer, ratios against the first side, and every training loop at a tiny size."""

from __future__ import annotations

import time

import numpy as np
import pytest

from profiling import cuda, growth, page
from profiling.loops import suite
from profiling.loops.apart import Apart
from profiling.timing import DifferentAnswers, Side, check_answers, compare, seconds, table, timings
from symgraph import config
from symgraph.codegen import devices


def test_different_answers_are_not_timed() -> None:
    calls = []
    sides = [Side("one", lambda: np.ones(3)), Side("two", lambda: calls.append(0) or np.full(3, 1.001))]
    with pytest.raises(DifferentAnswers, match="two and one disagree"):
        compare(sides)
    assert len(calls) == 1


def test_answers_may_be_read_after_the_run() -> None:
    state = np.zeros(2)
    sides = [Side("constant", lambda: np.ones(2)), Side("changing", lambda: state.__iadd__(1), lambda: np.minimum(state, 1))]
    assert [t.name for t in compare(sides, rounds=2, least=1e-5)] == ["constant", "changing"]


def test_ratio_is_to_the_first_side() -> None:
    quick, slow = compare([Side("quick", lambda: time.sleep(0.001)), Side("slow", lambda: time.sleep(0.005))], rounds=3, least=1e-4)
    assert quick.ratio == 1
    assert slow.ratio > 2


def test_table_and_units() -> None:
    assert [seconds(value) for value in (2.5, 0.0125, 3e-6, 4e-8)] == ["2.5 s", "12.5 ms", "3 us", "40 ns"]
    text = table(timings(["a", "b"], [[1.0, 1.0, 9.0], [2.0, 2.0, 2.0]])).splitlines()
    assert text[1].split() == ["a", "1", "s", "1", "s", "9", "s", "1.00"]
    assert text[2].split()[-1] == "2.00"


def test_every_workload_says_what_it_is() -> None:
    main = pytest.importorskip("profiling.__main__")
    for name, workload in main.WORKLOADS.items():
        assert main.purpose(workload), name


def test_state_is_reset_before_every_run_outside_the_clock() -> None:
    state = np.zeros(1)
    runs = []

    def run() -> None:
        runs.append(float(state[0]))
        state[0] += 1

    def reset() -> None:
        time.sleep(0.02)
        state[0] = 0

    (found,) = compare([Side("one", run, lambda: state.copy(), reset)], rounds=3, least=0.0)
    assert set(runs) == {0.0}
    assert found.median < 0.01


# ---------------------------------------------------------------- training loops
SLOW = {"PyTensor"}  # it compiles for up to half a minute per loop


@pytest.mark.slow
@pytest.mark.parametrize("name", suite.WORKLOADS)
def test_everybody_trains_to_the_same_parameters(name: str) -> None:
    """Tiny sizes; the race itself raises when two sides differ, and steps must have changed something."""
    workload = suite.WORKLOADS[name]
    problem = workload.problem(**workload.tiny)
    sides = [suite.SIDES[side][1](workload, problem) for side in suite.names(workload) if side not in SLOW]
    figures = suite.race(workload, problem, sides, quick=True)
    assert [row["side"] for row in figures["sides"]] == [side.name for side in sides]
    parameters = problem.fresh()
    if workload.numpy is None:
        return
    workload.numpy(problem, parameters)
    assert all(np.isfinite(p).all() and not np.array_equal(p, first) for p, first in zip(parameters, problem.start, strict=True))


def test_a_side_in_a_process_of_its_own() -> None:
    workload = suite.WORKLOADS["linear"]
    problem = workload.problem(**workload.tiny)
    here = suite.SIDES["NumPy"][1](workload, problem)
    with Apart("linear", "NumPy", quick=True) as there:
        one, other = compare([here, there.side], rounds=1, least=0.0)
        check_answers([("here", here.first_answer()), ("there", there.side.first_answer())], rtol=0, atol=0)
    assert one.median > 0 and other.median > 0
    with Apart("linear", "no such side", quick=True) as there:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="no such side ended with exit code 2"):
                there.side.first_answer()


def test_a_peer_that_does_not_run_is_left_out() -> None:
    def fails() -> None:
        raise RuntimeError("no such library")

    ours, able = Side(suite.OURS, lambda: None), Side("NumPy", lambda: None)
    assert suite._running([ours, Side("JAX", fails), able]) == [ours, able]
    with pytest.raises(RuntimeError, match="no such library"):
        suite._running([Side(suite.OURS, fails), able])


def test_targets_name_sides() -> None:
    for workload in (*suite.WORKLOADS.values(), *cuda.WORKLOADS.values()):
        sides = {suite.BEST, *suite.wanted(workload)}
        assert {x for target in workload.targets for x in (target.ours, target.against)} <= sides


STARTS = {"import": 0.3, "build": 0.1, "cold": 1.5, "warm": 0.6, "peak": 2**28}
LOOPS = [
    {
        "workload": "linear",
        "steps": 10,
        "sides": [
            {"side": "symgraph", "median": 0.5, "ratio": 1.0, "bandwidth": 2e9} | STARTS,
            {"side": "JAX", "median": 0.25, "ratio": 0.5, "bandwidth": 4e9},
        ],
        "targets": [{"ours": "symgraph", "against": "JAX", "factor": 2, "measured": 0.5}],
    },
    {"workload": "mlp", "failed": "they disagree"},
]
GROWN = [{"name": "rows", "sizes": [1, 10], "seconds": [1.0, 10.0], "slope": 1.0, "last": 1.0}]


def test_the_table_says_where_we_lose() -> None:
    header, ours, jax, failed = suite.text(LOOPS).splitlines()
    assert header.split() == ["workload", "side", "loop", "step", "ratio", "targets", "GB/s", "import", "build", "cold", "warm", "peak"]
    assert "1.5 s (<= 2 met)" in ours and "600 ms (<= 0.4 missed)" in ours
    assert "0.50 (we lose)" in jax and ">= 2 missed (0.5)" in jax
    assert "they disagree" in failed


def test_a_step_is_what_one_more_step_takes() -> None:
    assert growth.per_step(lambda steps: time.sleep(0.03 + 0.004 * steps), 0.001) == pytest.approx(0.004, rel=0.5)


def test_exponents() -> None:
    assert growth.exponent([1, 2, 4], [3.0, 12.0, 48.0]) == pytest.approx(2)
    assert growth.exponent([1], [3.0]) is None


def test_the_page_takes_the_tables() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    results = {"machine": "a machine", "workloads": {"loops": LOOPS, "growth": GROWN}}
    once = page.filled(text, results)
    assert "| JAX | 250 ms |" in once and "a machine" in once and "1: 1 s, 10: 10 s" in once
    assert page.filled(once, results) == once
    with pytest.raises(ValueError, match="no lines <!-- loops -->"):
        page.filled("", results)
    assert page.filled(text, {"machine": "a host", "workloads": {"cuda": ON_GPU}}).count("a host") == 0


# ---------------------------------------------------------------- a GPU
SIDES = [
    {"side": cuda.OURS, "median": 0.5, "ratio": 1.0, "bandwidth": 2e12},
    {"side": cuda.COPYING, "median": 0.4, "ratio": 0.8, "bandwidth": 2.5e12},
    {"side": "PyTorch, cuda graphs", "median": 1.0, "ratio": 2.0, "bandwidth": 1e12},
]
ON_GPU = [
    {
        "workload": "cuda/logistic",
        "steps": 50,
        "sides": SIDES,
        "targets": [{"ours": cuda.OURS, "against": cuda.COPYING, "factor": 0.85, "measured": 0.8}],
        "device": "a GPU",
    }
]


def test_without_a_gpu_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    main = pytest.importorskip("profiling.__main__").main
    monkeypatch.setattr(devices, "_asked", lambda: "there is no NVIDIA driver")
    monkeypatch.setattr("sys.argv", ["profiling", "cuda", "--quick"])
    with config.override(SYMGRAPH_BACKEND="auto"), pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err.startswith("no GPU to measure: there is no NVIDIA driver")
    monkeypatch.setattr("sys.argv", ["profiling", "growth", "--check"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "growth has no --check" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("part", ["logistic", "digits"])
def test_a_simulated_device_trains_to_the_same_parameters(part: str) -> None:
    (found,) = cuda.run([part], check=True)
    assert found["agree"][:3] == [cuda.OURS, cuda.COPYING, "NumPy"] and found["device"] == "simulated"
    assert f"{cuda.OURS}; {cuda.COPYING}; NumPy" in cuda.text([found])


def test_the_table_of_a_gpu_says_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = devices.Device("/device:GPU:0", "GPU", 80 * 10**9, "a GPU", (9, 0), 132)
    monkeypatch.setattr(devices, "gpu", lambda: gpu)
    line = cuda.device(ON_GPU)
    assert line.startswith("a GPU, 132 multiprocessors, 80 GB, compute capability 9.0, driver ") and "copies 2500 GB/s" in line
    device, blank, header, rule, ours, copying, peer = cuda.markdown(ON_GPU).splitlines()
    assert device == "a GPU" and ">= 0.85 missed (0.8)" in copying and "(we lose)" not in copying and "| 2000.0 |" in ours


@pytest.mark.gpu
@pytest.mark.parametrize("part", ["linear", "logistic", "mlp", "digits", "options"])
def test_a_device_trains_to_the_same_parameters_as_its_peers(part: str) -> None:
    (found,) = cuda.run([part], quick=True)
    assert "failed" not in found, found
