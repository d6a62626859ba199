"""The barrier of a grid, and what lanes of a block combine, in the simulator."""

import numpy as np
import pytest

from symgraph.codegen import plain_cuda
from symgraph.codegen.runtime.device_team import POOL
from symgraph.codegen.runtime.pool import CONTROL_SIZE, DONE

REAL = {"f32": np.float32, "f64": np.float64, "int64": np.int64, "bool": np.bool_}
NUMPY = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "any": np.any, "all": np.all, "first": np.min}
KINDS = [f"{how}_{kind}" for how in ("sum", "prod", "max", "min") for kind in ("f32", "f64", "int64")]
KINDS += ["any_bool", "all_bool", "first_int64"]


def kernel(body, *names):
    lines = [
        "import numpy as np",
        "from numba import cuda, float64",
        f"from symgraph.codegen.runtime.device_team import {', '.join(('sync', *names))}",
        "@cuda.jit",
        "def kernel(barrier, x, out):",
        "    tid, nthreads, lane = cuda.blockIdx.x, cuda.gridDim.x, cuda.threadIdx.x",
        *(f"    {line}" for line in body.splitlines()),
    ]
    return plain_cuda.load("\n".join(lines) + "\n")


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_nobody_passes_the_barrier_early(blocks):
    """Each lane adds what all lanes of all blocks wrote in the round before."""
    body = """
for s in range(6):
    total = 0
    for i in range(x.shape[1]):
        total += x[s, i]
    x[s + 1, tid * 8 + lane] = total % 1000003 + tid * 8 + lane
    barrier_wait(barrier, nthreads)
out[tid * 8 + lane] = total"""
    x, out, barrier = np.ones((7, 8 * blocks), np.int64), np.zeros(8 * blocks, np.int64), np.zeros(16, np.int64)
    state = [1] * 8 * blocks
    for _ in range(6):
        want = sum(state)
        state = [want % 1000003 + i for i in range(8 * blocks)]
    run = kernel(body, "barrier_wait")[blocks, 8, 0, 0]
    run(barrier, x, out)
    assert out.tolist() == [want] * 8 * blocks


def test_a_launch_goes_on_with_the_barrier_that_another_left():
    barrier, x, out = np.zeros(16, np.int64), np.zeros(1), np.zeros(24, np.int64)
    run = kernel("for s in range(3):\n    out[tid * 8 + lane] += 1\n    barrier_wait(barrier, nthreads)", "barrier_wait")
    for blocks in (3, 1, 2, 3, 2):
        run[blocks, 8, 0, 0](barrier, x, out)
    assert out.tolist() == [15] * 8 + [12] * 8 + [6] * 8


@pytest.mark.parametrize("name", KINDS)
def test_lanes_give_their_combination_to_all_of_them(name):
    how, kind = name.split("_")
    rng = np.random.default_rng(3)
    x = (
        rng.integers(-3, 4, (3, 8))
        if kind == "int64"
        else rng.integers(0, 8, (3, 8)) > 0
        if kind == "bool"
        else rng.standard_normal((3, 8))
    )
    x = x.astype(REAL[kind])
    out = np.zeros((3, 8), x.dtype)
    body = f"for turn in range(2):\n    out[tid, lane] = lanes_{name}(x[tid, lane], lane)"
    kernel(body, f"lanes_{name}")[3, 8, 0, POOL](None, x, out)
    want = NUMPY[how](x, axis=1)
    np.testing.assert_allclose(out.astype(float), np.repeat(want, 8).reshape(3, 8).astype(float), rtol=1e-6, atol=1e-6)
    assert all(len({v.tobytes() for v in row}) == 1 for row in out)


@pytest.mark.parametrize("how", ["max", "min"])
def test_nan_is_the_greatest_and_the_least(how):
    x, out = np.zeros((3, 8), np.float32), np.zeros((3, 8), np.float32)
    x[0, 0] = x[1, 3] = x[2, 7] = np.nan
    kernel(f"out[tid, lane] = lanes_{how}_f32(x[tid, lane], lane)", f"lanes_{how}_f32")[3, 8, 0, POOL](None, x, out)
    assert np.isnan(out).all()


def test_one_pool_serves_several_combinations_in_turn():
    body = """
a = lanes_sum_f32(x[tid, lane], lane)
b = lanes_max_int64(np.int64(x[tid, lane]), lane)
pool = cuda.shared.array(0, float64)
pool[lane] = x[tid, lane]
sync()
c = pool[7 - lane]
out[tid, lane] = a + b + c + lanes_min_f64(c, lane)"""
    x, out = np.arange(24, dtype=np.float32).reshape(3, 8), np.zeros((3, 8), np.float32)
    kernel(body, "lanes_sum_f32", "lanes_max_int64", "lanes_min_f64")[3, 8, 0, POOL](None, x, out)
    np.testing.assert_array_equal(out, x.sum(1, keepdims=True) + x.max(1, keepdims=True) + x[:, ::-1] + x.min(1, keepdims=True))


def test_a_step_is_noted():
    control = np.zeros(CONTROL_SIZE, np.int64)
    kernel("if lane == 0:\n    step_done(x, 6)", "step_done")[1, 8, 0, 0](None, control, np.zeros(4))
    assert control[DONE] == 7
