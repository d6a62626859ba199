"""Convolutions and poolings on a device: what the CPU's functions give, for any number of blocks."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen import plain_cuda
from symgraph.codegen.runtime.device_tiles import POOL
from symgraph.codegen.runtime.indirect import indirect_plain
from symgraph.codegen.runtime.pooling import PLAIN
from tests.codegen.test_grid import check
from tests.codegen.test_runtime_indirect import problem
from tests.codegen.test_windows import CASES, convolution, pooling

SOURCE = """
from numba import cuda
from symgraph.codegen.runtime.device_windows import {name}

@cuda.jit
def kernel(barrier, args):
    {name}(*args, cuda.blockIdx.x * 8 + cuda.threadIdx.x, cuda.gridDim.x * 8)
"""


def run(name, blocks, *args):
    plain_cuda.load(SOURCE.format(name=name))[blocks, 8, 0, POOL["f64"]](np.zeros(8, np.int64), args)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize(("images", "group", "summed"), [(3, 2, False), (4, 1, False), (0, 2, False), (3, 1, True), (0, 1, True)])
@pytest.mark.parametrize(("parts", "n"), [([(3, 2, 4), (5, 1, 1)], 3), ([(9, 0, 4), (1, 3, 1)], 17)])
def test_indirect(real, images, group, summed, parts, n):
    rng = np.random.default_rng(n)
    *arrays, table, count = problem(rng, real, images, group, parts, n, 2, summed)
    c, each_c, rows = arrays[7:10]
    height, want = sum(group * r for r, _, _ in parts), c.copy()
    indirect_plain(images, group, 0, height, n, *arrays[:7], want, each_c, rows, table, count)
    arrays[6] = arrays[6].reshape(-1)
    run(f"indirect_f{real(0).itemsize * 8}", 2, images, group, 0, height, n, *arrays, table.reshape(-1), count)
    np.testing.assert_allclose(c, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("repeat", "narrow"), [(1, False), (2, False), (2, True)])
@pytest.mark.parametrize(("images", "summed"), [(3, False), (3, True), (0, True), (0, False)])
def test_depthwise(repeat, narrow, images, summed):
    rng, n, group = np.random.default_rng(repeat), 6, 1 if summed else 2
    *arrays, table, count = problem(rng, np.float32, images, group, [(3, 2, 1), (2, 3, 1)], n, 1, summed)
    want, flat = arrays[7].copy(), lambda c: (*arrays[:6], arrays[6].reshape(-1), c, *arrays[8:], table.reshape(-1), count, repeat, narrow)
    PLAIN["depthwise"](images, group, 0, 5 * group, n, *flat(want))
    run("depthwise", 2, images, group, 0, 5 * group, n, *flat(arrays[7]))
    np.testing.assert_allclose(arrays[7], want, rtol=1e-4, atol=1e-5)


CELLS = {
    "apart": [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]],
    "over one another": [[0, 1, 4], [1, 2, 5], [2, 3, 6], [5, 6, 15], [6, 7, 5]],
    "with edges": [[-1, -1, 0], [-1, 0, 1], [3, -1, 7], [-1, -1, -1]],
}


@pytest.mark.parametrize("images", [0, 3])
@pytest.mark.parametrize("where", CELLS)
def test_pooling(where, images):
    rng, width, pixels, cells = np.random.default_rng(1), 3, 16, np.array(CELLS[where], np.int64)
    m, taps = cells.shape
    x = rng.integers(0, 4, images * pixels * width).astype(np.float32)  # ties
    x[1::17] = np.nan
    v, g = (rng.standard_normal(images * e * width).astype(np.float32) for e in (pixels, m))
    tail = cells.reshape(-1), images, m, taps, width, pixels
    names = {"pool_max": (x,), "pool_pick": (x, v), "pool_route": (x, g)}
    for name, read in names.items():
        out = np.full(images * width * (pixels if name == "pool_route" else m), np.inf, np.float32)
        want, once = out.copy(), out.copy()
        PLAIN[name](*read, want, *tail)
        run(name, 2, *read, out, *tail)
        np.testing.assert_array_equal(out, want)
        if name == "pool_route" and where == "apart":
            run("pool_route_once", 2, *read, once, *tail)
            np.testing.assert_array_equal(once, want)


@pytest.mark.parametrize("role", ["pick", "route"])
def test_windows_that_share_no_cell_are_routed_side_by_side(role):
    program, fed = pooling(role, "float32", role == "route", (2, 2), (2, 2), True, (4, 6))
    assert ("pool_route_once(" in check(program, (), fed, steps=1).source) == (role == "route")
    program, fed = pooling(role, "float32", role == "route", (3, 2), (1, 2), True)
    assert "_once(" not in check(program, (), fed, steps=1).source


@pytest.mark.parametrize("role", ["x", "w", "y"])
@pytest.mark.parametrize("case", ["a line", "strides and dilations", "depthwise, two each"])
def test_convolutions_in_programs(role, case):
    program, fed = convolution(role, 3, *CASES[case])
    check(program, (), fed, steps=1)
