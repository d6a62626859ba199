"""Products by tiles on a device: right for every shape, the same bits for any number of blocks, nothing touched outside."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen import plain_cuda
from symgraph.codegen.runtime.blas import gemm_plain
from symgraph.codegen.runtime.device_tiles import POOL

SOURCE = """
from numba import cuda
from symgraph.codegen.runtime.device_tiles import {helpers}

@cuda.jit
def kernel(barrier, m, n, k, factor, x, lda, y, ldb, kept, z, ldz, parts, length):
    tid = cuda.blockIdx.x
    nthreads = cuda.gridDim.x
    lane = cuda.threadIdx.x
    {call}
"""


def run(call, blocks, *args):
    helpers = call.partition("(")[0]
    plain_cuda.load(SOURCE.format(helpers=helpers, call=call))[blocks, 8, 0, POOL["f64"]](np.zeros(8, np.int64), *args)


def problem(rng, real, ta, tb, m, n, k, gap=0):
    """Arrays of a product whose rows are `gap` apart, and a result with a frame that must stay."""
    lda, ldb, ldz = (m if ta else k) + gap, (k if tb else n) + gap, n + gap
    x, y = rng.standard_normal((k if ta else m) * lda).astype(real), rng.standard_normal((n if tb else k) * ldb).astype(real)
    return x, lda, y, ldb, np.full(m * ldz + 3, 7, real), ldz


SHAPES = [(1, 1, 1), (3, 5, 2), (8, 16, 4), (9, 17, 5), (1, 30, 7), (20, 1, 13), (4, 4, 0), (0, 4, 3), (4, 0, 3)]


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize(("ta", "tb"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_gemm(real, ta, tb, m, n, k):
    rng = np.random.default_rng(m * 100 + n * 10 + k)
    blocks, gap, factor, kept = 1 + m % 3, n % 2, real(1.5), real(k % 3 * 0.5)
    x, lda, y, ldb, z, ldz = problem(rng, real, ta, tb, m, n, k, gap)
    if kept == 0:
        z.reshape(-1)[: m * ldz].reshape(m, ldz)[:, :n] = np.nan
    expected = z.copy()
    gemm_plain(ta, tb, m, n, k, factor, x, lda, y, ldb, kept, expected, ldz)
    call = f"gemm_f{real(0).itemsize * 8}({ta}, {tb}, m, n, k, factor, x, lda, y, ldb, kept, z, ldz, tid, nthreads, lane)"
    run(call, blocks, m, n, k, factor, x, lda, y, ldb, kept, z, ldz, None, 0)
    np.testing.assert_allclose(z, expected, 2e-5, 1e-5)


def test_bits_do_not_depend_on_the_number_of_blocks():
    rng, found = np.random.default_rng(3), []
    x, lda, y, ldb, z, ldz = problem(rng, np.float32, False, False, 19, 33, 6)
    call = "gemm_f32(False, False, m, n, k, factor, x, lda, y, ldb, kept, z, ldz, tid, nthreads, lane)"
    for blocks in (1, 2, 3):
        run(call, blocks, 19, 33, 6, np.float32(1), x, lda, y, ldb, np.float32(0), z, ldz, None, 0)
        found.append(z.tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize(("ta", "tb"), [(False, False), (True, True)])
@pytest.mark.parametrize(("k", "length"), [(21, 8), (16, 8), (3, 8), (0, 8), (11, 1)])
def test_a_long_inner_axis_in_parts(real, ta, tb, k, length):
    rng, m, n = np.random.default_rng(k), 3, 5
    x, lda, y, ldb, z, ldz = problem(rng, real, ta, tb, m, n, k, 1)
    count, short = -(-k // length), f"f{real(0).itemsize * 8}"
    parts = np.full(count * m * n, np.nan, real)
    sizes = (m, n, k, real(2), x, lda, y, ldb, real(0.5), z, ldz, parts, length)
    expected = z.copy()
    gemm_plain(ta, tb, m, n, k, real(2), x, lda, y, ldb, real(0.5), expected, ldz)
    run(f"gemm_part_{short}({ta}, {tb}, m, n, k, x, lda, y, ldb, parts, length, tid, nthreads, lane)", 2, *sizes)
    run(f"gemm_join(m, n, {count}, factor, parts, kept, z, ldz, tid * 8 + lane, nthreads * 8)", 2, *sizes)
    np.testing.assert_allclose(z, expected, 2e-5, 1e-5)
