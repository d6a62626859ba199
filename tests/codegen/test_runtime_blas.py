"""Products with alpha and beta: every way to transpose, empty extents, windows of larger arrays, every source."""

import numba
import numpy as np
import pytest

from symgraph.codegen.runtime import blas, symbols


def compiled(gemm):
    @numba.njit
    def call(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)

    return call


@pytest.fixture(scope="module", params=["f32", "f64", "loops", "plain"])
def product(request):
    """(dtype, gemm that Python can call)."""
    if request.param == "plain":
        return np.float32, blas.gemm_plain
    if request.param == "loops":
        return np.float64, blas.gemm_loops
    return np.dtype(f"float{request.param[1:]}").type, compiled(getattr(blas, f"gemm_{request.param}"))


@pytest.mark.parametrize("extents", [(3, 4, 5), (17, 9, 33), (1, 7, 9), (7, 1, 9), (1, 1, 4), (0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
def test_all_transposes(product, extents):
    real, gemm = product
    m, n, k = extents
    r = np.random.default_rng(0)
    for ta in (False, True):
        for tb in (False, True):
            a = r.standard_normal((k, m) if ta else (m, k)).astype(real)
            b = r.standard_normal((n, k) if tb else (k, n)).astype(real)
            want = (a.T if ta else a).astype(np.float64) @ (b.T if tb else b)
            c = np.full((m, n), np.nan, real)
            gemm(ta, tb, m, n, k, real(2), a, a.shape[1], b, b.shape[1], real(0), c, n)
            np.testing.assert_allclose(c, 2 * want, rtol=1e-5, atol=1e-5)
            c = np.ones((m, n), real)
            gemm(ta, tb, m, n, k, real(-1), a, a.shape[1], b, b.shape[1], real(0.5), c, n)
            np.testing.assert_allclose(c, 0.5 - want, rtol=1e-5, atol=1e-5)


def test_windows_of_flat_arrays(product):
    """A kernel hands over the tail of a buffer from where its window starts, with the row length of the whole."""
    real, gemm = product
    whole = np.arange(60, dtype=real).reshape(6, 10)
    c = np.zeros((5, 8), real)
    gemm(False, True, 2, 3, 4, real(1), whole.ravel()[11:], 10, whole.ravel()[2:], 10, real(0), c.ravel()[9:], 8)
    want = np.zeros_like(c)
    want[1:3, 1:4] = whole[1:3, 1:5] @ whole[0:3, 2:6].T
    np.testing.assert_array_equal(c, want)


def test_scipy_serves_where_numpy_does_not():
    """The same kernel source against SciPy's function table, whose integers have 32 bits."""
    first = symbols._from_numpy()
    other = symbols._from_scipy()
    assert other is not None
    a = np.random.default_rng(0).standard_normal((6, 7)).astype(np.float32)
    c = np.empty((6, 6), np.float32)
    try:
        symbols.register("sgemm", other["sgemm"])
        compiled(blas.gemm_f32)(False, True, 6, 6, 7, np.float32(1), a, 7, a, 7, np.float32(0), c, 6)
    finally:
        if first is not None:
            symbols.register("sgemm", first["sgemm"])
    np.testing.assert_allclose(c, a @ a.T, rtol=1e-5)


def test_threads_are_given_back():
    set_threads, get_threads = symbols.thread_control()
    before = get_threads()
    with blas.threads(1):
        assert get_threads() == 1
    assert get_threads() == before


def test_ensure_is_settled_once():
    assert blas.ensure() == symbols.ensure() == blas.SOURCE
