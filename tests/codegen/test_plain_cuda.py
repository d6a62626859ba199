"""The simulator of a grid: what lanes and blocks share, where they meet, and what ends with an error."""

import numpy as np
import pytest

from symgraph.codegen import plain_cuda

PRELUDE = """
import numpy as np
from numba import cuda
from symgraph.codegen.runtime.device import LANES, SIMULATED, sync

@cuda.jit("void(int64[::1], float32[:, ::1])", fastmath=False)
def kernel(barrier, out):
    lane, tid, n = cuda.threadIdx.x, cuda.blockIdx.x, cuda.gridDim.x
"""


def run(body, blocks=3, width=8):
    """What a kernel with that body leaves in `out`, an array of a row for each block."""
    barrier, out = np.zeros(16, np.int64), np.zeros((blocks, width), np.float32)
    source = PRELUDE + "".join(f"    {line}\n" for line in body.splitlines())
    plain_cuda.load(source)[blocks, 8, 0, 64](barrier, out)
    return out


def test_lanes_and_blocks_know_who_they_are():
    out = run("assert SIMULATED and LANES == cuda.blockDim.x == 8\nout[tid, lane] = 100 * n + 10 * tid + lane")
    assert out.tolist() == [[300 + 10 * b + k for k in range(8)] for b in range(3)]


def test_each_block_has_a_pool_which_holds_nothing_at_first():
    out = run("pool = cuda.shared.array(0, np.float32)\nout[tid, lane] = pool[lane]")
    assert np.isnan(out).all()
    out = run("pool = cuda.shared.array(0, np.float32)\npool[lane] = 10 * tid + lane\nsync()\nout[tid, lane] = pool[7 - lane]")
    assert out.tolist() == [[10 * b + 7 - k for k in range(8)] for b in range(3)]


def test_atomics_count_each_lane_once_and_blocks_can_wait_for_one_another():
    out = run("cuda.atomic.add(barrier, 0, 1)\nwhile cuda.atomic.add(barrier, 0, 0) < 24:\n    pass\nout[tid, lane] = barrier[0]")
    assert (out == 24).all()
    body = "cuda.atomic.max(barrier, 0, 8 * tid + lane)\nif cuda.atomic.cas(barrier, 1, 0, 1) == 0:\n    out[0, 0] += 1"
    assert run(body)[0, 0] == 1


def test_votes():
    assert (run("out[tid, lane] = cuda.syncthreads_or(lane == tid)") == 1).all()
    assert (run("out[tid, lane] = cuda.syncthreads_and(lane == tid)") == 0).all()
    assert (run("out[tid, lane] = cuda.syncthreads_count(lane > tid)")[:, 0] == [7, 6, 5]).all()


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("if tid == 1 and lane == 3:\n    raise KeyError('here')\nsync()", KeyError, "here"),
        ("out[tid, lane] = out[3, 0]", IndexError, "out of bounds"),
        ("if lane:\n    sync()", RuntimeError, "ended"),
        ("if lane:\n    sync()\nelse:\n    sync()", RuntimeError, "different places"),
        ("if tid == 0:\n    raise KeyError('alone')\nwhile cuda.atomic.add(barrier, 0, 0) == 0:\n    pass", KeyError, "alone"),
        ("cuda.shared.array(8, np.float32)", ValueError, "dynamic"),
    ],
)
def test_what_a_device_leaves_undefined_is_an_error(body, error, words):
    with pytest.raises(error, match=words):
        run(body)


def test_a_wait_without_end_is_an_error(monkeypatch):
    monkeypatch.setattr(plain_cuda, "LIMIT", 0.2)
    with pytest.raises(TimeoutError, match="blocks wait"):
        run("if tid:\n    while cuda.atomic.add(barrier, 0, 0) == 0:\n        pass")


def test_overflow_is_silent_as_on_a_device():
    assert np.isinf(run("out[tid, lane] = np.float32(3e38) * np.float32(10)")).all()
