"""Rows and coordinates on a device against the CPU's functions: the same bits for every number of blocks."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen import plain_cuda
from symgraph.codegen.runtime import rows
from symgraph.codegen.runtime.device_rows import POOL

LANES = 8
rng = np.random.default_rng(0)


def kernel(name: str, arguments: str, call: str):
    source = f"from numba import cuda\nfrom symgraph.codegen.runtime.device_rows import {name}\n@cuda.jit\ndef kernel({arguments}):\n"
    return plain_cuda.load(f"{source}    lane = cuda.threadIdx.x\n    tid = cuda.blockIdx.x\n    nthreads = cuda.gridDim.x\n    {call}\n")


@pytest.mark.parametrize("name", ["add_rows", "put_rows"])
@pytest.mark.parametrize("width", [0, 1, 2, 3, 8, 19])
def test_rows_are_placed_in_their_order(name: str, width: int) -> None:
    launch = kernel(name, "x, at, out, rows, width", f"{name}(x, at, out, rows, width, tid, nthreads, lane)")
    for blocks, n, dtype, real in (
        (1, 30, np.int32, np.float32),
        (2, 27, np.int64, np.float64),
        (3, 1, np.int32, np.float32),
        (2, 0, np.int64, np.float32),
    ):
        at = rng.integers(0, 9, n).astype(dtype)
        at[::3] = 5
        x, got = (rng.standard_normal(size).astype(real) for size in (n * width, 9 * width))
        wanted = got.copy()
        rows.PLAIN[name](x, at, wanted, n, width, 0, 1)
        launch[blocks, LANES, 0, POOL](x, at, got, n, width)
        assert got.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("n", [0, 1, 7, 29])
def test_the_first_of_each(n: int) -> None:
    x = rng.integers(0, 6, n).astype(np.int32)
    got, wanted, seen = np.empty(n, np.int64), np.empty(n, np.int64), np.full(6, -3)
    kernel("first_of_each", "x, out, seen, n", "first_of_each(x, out, seen, n, lane)")[1, LANES, 0, POOL](x, got, seen, n)
    rows.PLAIN["first_of_each"](x, wanted, seen, n)
    assert got.tolist() == wanted.tolist()


@pytest.mark.parametrize("wrong", [(), (0,), (20, 11, 28), (29,), (8, 9)])
def test_the_first_coordinate_outside(wrong: tuple[int, ...]) -> None:
    launch = kernel("outside", "x, n, extent, status", "outside(x, n, extent, status, lane)")
    x = rng.integers(0, 6, 30).astype(np.int32)
    for k in wrong:
        x[k] = -1 if k % 2 else 6
    for n in (0, 29, 30):
        got, wanted = np.array([9, 8, 7]), np.array([9, 8, 7])
        launch[1, LANES, 0, POOL](x, n, 6, got)
        rows.PLAIN["outside"](x, n, 6, wanted)
        assert got.tolist() == wanted.tolist()
