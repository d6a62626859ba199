"""Random draws on a device against the CPU's: the same words, whole numbers and uniforms, whoever draws which group."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen import plain_cuda
from symgraph.codegen.runtime import philox_numpy

LANES = 8
REAL = {"f32": np.float32, "f64": np.float64, "int32": np.int32, "int64": np.int64}
ENDS = {
    "f": [(0.0, 1.0), (-3.7, 12.3)],
    "int32": [(-5, 12), (7, 7), (9, -9), (-(2**31), 2**31 - 1)],
    "int64": [(-5, 12), (7, 7), (9, -9), (-(2**63), 2**63 - 1), (-(2**40), 2**61 + 1)],
}
STREAMS = [(0, 0, 1), (256 * 1001, 42, 2**31 - 2), (2**32 - 2, 2**33 + 5, 2**35 + 3)]
DRAWS = [n for n in philox_numpy.NAMES if n not in ("shuffle_permutation", "candidates_int64")]


def kernel(name: str, body: str):
    arguments = "out, n, stream, a, b"
    source = f"from numba import cuda\nfrom symgraph.codegen.runtime.device_draws import advance, {name}\n@cuda.jit\n"
    return plain_cuda.load(f"{source}def kernel({arguments}):\n    lane = cuda.threadIdx.x\n    tid = cuda.blockIdx.x\n{body}")


def drawn(name: str, blocks: int, n: int, stream: tuple[int, ...], a: float, b: float) -> np.ndarray:
    real = REAL[name.rpartition("_")[2]]
    out, held = np.full(n + 3, 99, real), np.array(stream)
    body = f"    {name}(out, n, stream, a, b, tid * {LANES} + lane, cuda.gridDim.x * {LANES})\n"
    kernel(name, body)[blocks, LANES, 0, 0](out, n, held, real(a), real(b))
    assert held.tolist() == list(stream)
    assert np.all(out[n:] == 99)
    return out[:n]


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_is_that_of_the_cpu(name: str) -> None:
    suffix = name.rpartition("_")[2]
    for number, (a, b) in enumerate(ENDS.get(suffix, ENDS["f"])):
        stream = STREAMS[number % 3]
        for blocks, n in ((1, 9), (2, 30), (3, 61), (1, 0)):
            wanted = np.empty(n, REAL[suffix])
            getattr(philox_numpy, name)(wanted, np.array(stream), a, b)
            got = drawn(name, blocks, n, stream, a, b)
            if "normal" in name:
                z = np.finfo(REAL[suffix]).eps * max(abs(a), abs(b)) * 4
                np.testing.assert_allclose(got, wanted, rtol=4 * np.finfo(REAL[suffix]).eps, atol=z)
            else:
                assert got.tobytes() == wanted.tobytes()


def test_a_stream_moves_as_on_the_cpu() -> None:
    held, out = np.array([5, 1, 2]), np.empty(7, np.float32)
    kernel("uniform_f32", "    if lane == 0:\n        advance(stream, n)\n")[1, LANES, 0, 0](out, 7, held, 0, 1)
    assert held.tolist() == [5 + 256 * 7, 1, 2]


@pytest.mark.parametrize("n", [0, 1, 2, 5, 29])
def test_a_shuffle_is_that_of_the_cpu(n: int) -> None:
    got, held = np.arange(n + 2), np.array([3, 42, 7])
    wanted, moved = np.arange(n), held.copy()
    kernel("shuffle_permutation", "    if lane == 0:\n        shuffle_permutation(out, n, stream)\n")[1, LANES, 0, 0](got, n, held, 0, 0)
    philox_numpy.shuffle_permutation(wanted, moved)
    assert got.tolist() == [*wanted, n, n + 1]
    assert held.tolist() == moved.tolist()


@pytest.mark.parametrize("how", [0, 1, 2, 3])
def test_candidates_are_those_of_the_cpu(how: int) -> None:
    got, held = np.full(14, -7), np.array([3, 42, 7])
    wanted, moved = np.empty(13, np.int64), held.copy()
    kernel("candidates", "    if lane == 0:\n        candidates(out, n, stream, a, b)\n")[1, LANES, 0, 0](
        got, 13, held, np.int64(20), np.int64(how)
    )
    philox_numpy.candidates_int64(wanted, moved, 20, how)
    assert got.tolist() == [*wanted, -7]
    assert held.tolist() == moved.tolist()
