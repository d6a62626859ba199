"""Dense linear algebra against NumPy, over both sides of the block size, and its statuses."""

import numpy as np
import pytest

from symgraph.codegen.runtime import blas, dense

SIZES = (0, 1, 2, 5, 31, 32, 33, 70, 97)


@pytest.fixture(scope="module", params=["f32", "f64", "plain"])
def functions(request):
    """(dtype, {name: function})."""
    if request.param == "plain":
        return np.float64, {n: dense.PLAIN[f"{n}_f64"] for n in dense.NAMES}
    return np.dtype(f"float{request.param[1:]}").type, {n: getattr(dense, f"{n}_{request.param}") for n in dense.NAMES}


def matrices(real, n):
    r = np.random.default_rng(n)
    a = (r.standard_normal((n, n)) + n / 8 * np.eye(n)[::-1]).astype(real)  # large entries off the diagonal: rows must change
    return a, r.standard_normal((n, 3)).astype(real)


@pytest.mark.parametrize("n", SIZES)
def test_agrees_with_numpy(functions, n):
    real, f = functions
    a, b = matrices(real, n)
    before, tol = (a.copy(), b.copy()), 2000 * np.finfo(real).eps
    out, x = np.full_like(a, np.nan), np.full_like(b, np.nan)

    def close(got, want):
        np.testing.assert_allclose(got, want, rtol=tol, atol=tol * max(1, float(np.abs(want).max(initial=0))))

    assert f["inverse"](a, out, n) == 0
    close(out, np.linalg.inv(a.astype(np.float64)))
    assert f["solve"](a, b, x, n, 3) == 0
    close(x, np.linalg.solve(a.astype(np.float64), b))
    assert f["solve"](a, b[:, :0].copy(), x[:, :0].copy(), n, 0) == 0
    sign, log = np.linalg.slogdet(a.astype(np.float64))
    close(f["logdet"](a, n), log if n else 0)
    if n < 32:  # later ones overflow float32
        close(f["determinant"](a, n), sign * np.exp(log) if n else 1)
    assert np.array_equal(a, before[0])
    assert np.array_equal(b, before[1])
    spd = (a @ a.T + np.eye(n, dtype=real)).astype(real)
    lower = np.tril(spd) + 7 * np.triu(np.ones_like(spd), 1)  # only the lower half is read
    assert f["cholesky"](lower, out, n) == 0
    close(out @ out.T, spd)
    assert np.array_equal(out, np.tril(out))


@pytest.mark.parametrize(("n", "k"), [(0, 0), (1, 1), (5, 2), (40, 32), (40, 33), (40, 40), (257, 257)])
def test_top_is_a_stable_order(functions, n, k):
    real, f = functions
    a = np.random.default_rng(n).integers(-5, 5, (3, n)).astype(real)  # many are equal
    if n > 5:
        a[1, [2, 4]], a[2, :3] = np.nan, [np.inf, -np.inf, np.nan]
    out = np.full((3, k), -1, np.int32)
    f["top"](a, out, 3, n, k)
    wanted = sorted(range(n), key=lambda j: -a[0, j])[:k]
    assert out[0].tolist() == wanted
    ranked = np.where(np.isnan(a), np.inf, a), ~np.isnan(a)
    for r in (1, 2):
        assert out[r].tolist() == sorted(range(n), key=lambda j, r=r: (ranked[1][r, j], -ranked[0][r, j]))[:k]


def test_status(functions):
    real, f = functions
    for n in (3, 40):
        a = np.eye(n, dtype=real)
        a[n - 1, n - 1] = 0
        b, out = np.ones((n, 2), real), np.empty((n, n), real)
        assert f["inverse"](a, out, n) > 0
        assert f["solve"](a, b, b.copy(), n, 2) > 0
        assert f["cholesky"](a, out, n) > 0
        assert f["cholesky"](-np.eye(n, dtype=real), out, n) > 0
        assert f["determinant"](a, n) == 0
        with np.errstate(divide="ignore"):
            assert f["logdet"](a, n) == -np.inf


def test_loops_in_place_of_a_library():
    """What runs where no BLAS was found."""
    f = dense.family(np.float64, blas.gemm_loops)
    a, b = matrices(np.float64, 70)
    x = np.empty_like(b)
    assert f.solve(a, b, x, 70, 3) == 0
    np.testing.assert_allclose(a @ x, b, atol=1e-9)
