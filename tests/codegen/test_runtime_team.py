"""The barrier, sums that LLVM may reorder, teams, plain twins, and kernels from the disk cache."""

import os
import re
import subprocess
import sys
import threading
import time

import numba
import numpy as np
import pytest

from symgraph.codegen.runtime import team, twins
from symgraph.codegen.runtime.pool import CONTROL_SIZE, DEADLINE, DONE, STOP, run_team
from symgraph.codegen.runtime.team import add_reassoc, barrier_wait, clock_ns, step_done


def relay(tid, n, barrier, rounds, seen, out):
    """Every thread adds what all wrote in the round before: right only if nobody runs ahead."""
    for s in range(rounds):
        total = 0
        for i in range(n):
            total += seen[s, i]
        out[tid] = total
        seen[s + 1, tid] = total % 1000003 + tid
        barrier_wait(barrier, n)


@pytest.fixture(scope="module")
def compiled_relay():
    return numba.njit(nogil=True)(relay)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_nobody_passes_the_barrier_early(compiled_relay, n):
    rounds = 200 if n <= (os.cpu_count() or 1) else 40
    want, state = 0, [1] * n
    for _ in range(rounds):
        want = sum(state)
        state = [want % 1000003 + i for i in range(n)]
    seen = np.ones((rounds + 1, n), np.int64)
    out = np.zeros(n, np.int64)
    run_team(n, compiled_relay, rounds, seen, out)
    assert out.tolist() == [want] * n


def loop(tid, nthreads, barrier, control, first, last, work, rows):
    """A loop of steps with one barrier each; rows[tid] becomes (steps done, what was computed)."""
    for s in range(first, last):
        if s >= control[0]:
            return
        for _ in range(work):
            rows[tid, 1] = rows[tid, 1] * 0.999 + 1.0
        rows[tid, 0] += 1
        if tid == 0:
            step_done(control, s)
        barrier_wait(barrier, nthreads)


@pytest.fixture(scope="module")
def compiled_loop():
    signature = "void(int64, int64, int64[::1], int64[::1], int64, int64, int64, float64[:, ::1])"
    return numba.njit(signature, nogil=True, error_model="numpy", fastmath=False)(loop)


def a_control(stop, seconds=0.0):
    control = np.zeros(CONTROL_SIZE, np.int64)
    control[STOP] = stop
    control[DEADLINE] = time.perf_counter_ns() + int(seconds * 1e9) if seconds else 0
    return control


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_loop_ends_at_its_last_step_or_where_it_is_told(compiled_loop, n):
    for first, last, stop in ((0, 40, 40), (5, 40, 40), (0, 40, 17), (20, 40, 17), (7, 7, 7)):
        control, rows = a_control(stop), np.zeros((n, 2))
        run_team(n, compiled_loop, control, first, last, 1, rows)
        steps = max(0, min(last, stop) - first)
        assert rows[:, 0].tolist() == [steps] * n
        assert control[DONE] == (first + steps if steps else 0)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("work", [0, 10, 30_000])
def test_at_a_deadline_all_leave_after_the_same_step_and_can_go_on(compiled_loop, n, work):
    control, rows = a_control(2**62, 0.03), np.zeros((n, 2))
    run_team(n, compiled_loop, control, 0, 2**62, work, rows)
    assert time.perf_counter_ns() >= control[DEADLINE]
    done = int(control[DONE])
    assert 0 < done == control[STOP]
    assert rows[:, 0].tolist() == [done] * n
    control[STOP], control[DEADLINE] = done + 5, 0
    run_team(n, compiled_loop, control, done, 2**62, work, rows)
    assert rows[:, 0].tolist() == [done + 5] * n


def test_a_deadline_can_be_set_while_the_loop_runs(compiled_loop):
    """Progress is to be seen, too."""
    control, rows = a_control(2**62, 1e6), np.zeros((2, 2))
    loops = threading.Thread(target=run_team, args=(2, compiled_loop, control, 0, 2**62, 10, rows))
    loops.start()
    while control[DONE] < 1000:
        time.sleep(0.001)
    control[DEADLINE] = 1
    loops.join(120)
    assert rows[:, 0].tolist() == [control[DONE]] * 2


def test_a_loop_as_plain_python(monkeypatch):
    for name in ("barrier_wait", "step_done"):
        monkeypatch.setitem(globals(), name, twins.python_namespace()[name])
    control, rows = a_control(2**62, 0.02), np.zeros((2, 2))
    run_team(2, loop, control, 0, 2**62, 1, rows)
    assert rows[:, 0].tolist() == [control[DONE]] * 2


def test_the_clock_is_the_interpreters():
    read = numba.njit("int64()", nogil=True)(lambda: clock_ns())
    seen = [time.perf_counter_ns(), read(), time.perf_counter_ns(), read()]
    assert seen == sorted(seen)
    if sys.platform == "linux":
        seen = [time.monotonic_ns(), read(), time.monotonic_ns()]
        assert seen == sorted(seen)


def test_barrier_as_plain_python(monkeypatch):
    monkeypatch.setitem(globals(), "barrier_wait", twins.python_namespace()["barrier_wait"])
    seen, out = np.ones((11, 3), np.int64), np.zeros(3, np.int64)
    run_team(3, relay, 10, seen, out)
    assert len(set(out.tolist())) == 1


def test_an_error_in_one_thread_ends_the_team():
    def kernel(tid, n, barrier):
        if tid == 1:
            raise ZeroDivisionError("thread 1")
        team.barrier_plain(barrier, n)
        team.barrier_plain(barrier, n)

    with pytest.raises(ZeroDivisionError, match="thread 1"):
        run_team(3, kernel)


@pytest.mark.parametrize(("real", "kind"), [(np.float32, "float"), (np.float64, "double")])
def test_a_sum_vectorises_without_fast_math(real, kind):
    @numba.njit(error_model="numpy", fastmath={"contract"})
    def total(x):
        s = real(0)
        for i in range(x.size):
            s = add_reassoc(s, x[i])
        return s

    x = np.random.default_rng(0).standard_normal(1001).astype(real)
    assert total(x) == pytest.approx(float(x.sum(dtype=np.float64)), abs=1e-3)
    assert np.isnan(total(np.array([np.inf, -np.inf], real)))
    (text,) = total.inspect_llvm().values()
    assert re.search(rf"fadd reassoc contract <\d+ x {kind}>", text)


def test_sums_keep_their_dtype():
    @numba.njit
    def add(a, b):
        return add_reassoc(a, b)

    assert add(np.int64(2**40), np.int32(1)) == 2**40 + 1
    assert add(np.float64(1), np.float32(0.5)) == 1.5
    add(np.int32(1), np.int32(2))
    assert add.overloads[numba.int32, numba.int32].signature.return_type == numba.int32


def test_every_export_has_a_plain_twin():
    found = twins.python_namespace()
    for name in ("exp_f32", "erf_f64", "barrier_wait", "add_reassoc", "gemm_f32", "solve_f64", "normal_f32", "shuffle_permutation"):
        assert callable(found[name])
    found.clear()
    assert twins.python_namespace()


KERNEL = """
import sys
import numpy as np
from numba import njit
from symgraph.codegen.runtime.blas import gemm_f32
from symgraph.codegen.runtime.philox import uniform_f32
from symgraph.codegen.runtime.team import add_reassoc, barrier_wait, step_done
from symgraph.codegen.runtime.vecmath import exp_f32

TYPES = "void(int64, int64, int64[::1], int64[::1], int64[::1], float32[:, ::1], float32[:, ::1])"

@njit(TYPES, nogil=True, cache=True, error_model="numpy")
def kernel(tid, n, barrier, control, stream, x, y):
    uniform_f32(x.reshape(-1), stream, np.float32(0), np.float32(1))
    gemm_f32(False, True, 4, 4, 4, np.float32(1), x, 4, x, 4, np.float32(0), y, 4)
    s = np.float32(0)
    for i in range(4):
        for j in range(4):
            y[i, j] = exp_f32(y[i, j])
            s = add_reassoc(s, y[i, j])
    y[0, 0] = s
    step_done(control, 6)
    barrier_wait(barrier, n)

if __name__ == "__main__":
    x, y = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.float32)
    control = np.array([9, *[0] * 8, 1, *[0] * 6])
    with np.errstate(all="ignore"):
        kernel(0, 1, np.zeros(16, np.int64), control, np.array([0, 42, 3]), x, y)
    assert control[[0, 8]].tolist() == [7, 7]
    print(float(y[0, 0]), float(x[0, 0]), sum(kernel.stats.cache_hits.values()) if hasattr(kernel, "stats") else "plain")
"""


def test_one_source_from_cache_and_with_jit_off(tmp_path):
    """Compiled, then from the disk cache by another process, then with JIT off: the same numbers."""
    path = tmp_path / "kernel.py"
    path.write_text(KERNEL)
    base = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "NUMBA_CACHE_DIR": str(tmp_path)}
    lines = []
    for extra in ({}, {}, {"NUMBA_DISABLE_JIT": "1"}):
        done = subprocess.run([sys.executable, str(path)], env=base | extra, check=True, capture_output=True, text=True)
        lines.append(done.stdout.split())
    assert [line[2] for line in lines] == ["0", "1", "plain"]
    assert len({line[1] for line in lines}) == 1
    assert [float(line[0]) for line in lines] == pytest.approx([float(lines[0][0])] * 3, rel=1e-5)
    assert float(lines[0][1]) == float(np.float32(0.63789964))
