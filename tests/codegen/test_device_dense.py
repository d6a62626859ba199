"""Linear algebra by the lanes of a block: the matrices and statuses of the CPU's functions."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen import plain_cuda
from symgraph.codegen.runtime import dense
from tests.codegen.test_runtime_dense import matrices

LANES = 8
SIZES = (0, 1, 2, 5, 11)


class Functions:
    """The functions of `dense.NAMES`, called as those are; all lanes must get the same answer."""

    def __init__(self, suffix: str) -> None:
        self.suffix = suffix
        self.real = np.dtype(f"float{suffix[1:]}").type

    def call(self, name: str, *args):
        given = {f"x{i}": a for i, a in enumerate(args)}
        work = ["work"] if name in ("inverse", "solve", "determinant", "logdet") else []
        call = f"{name}_{self.suffix}({', '.join([*given, *work, 'lane'])})"
        source = f"from numba import cuda\nfrom symgraph.codegen.runtime.device_dense import {name}_{self.suffix}\n@cuda.jit\n"
        source += f"def kernel(answers, work, {', '.join(given)}):\n    lane = cuda.threadIdx.x\n    answers[lane] = {call}\n"
        answers = np.full(LANES, 77.0)
        room = np.full(max(args[0].shape[0] ** 2, 1), np.nan, self.real)
        plain_cuda.load(source.replace("answers[lane] = ", "") if name == "top" else source)[1, LANES, 0, 4096](
            answers, room, *(a.reshape(-1) if isinstance(a, np.ndarray) else a for a in args)
        )
        assert np.all(answers == answers[0]) or np.all(np.isnan(answers))
        return answers[0]


@pytest.fixture(params=["f32", "f64"])
def on(request) -> Functions:
    return Functions(request.param)


@pytest.mark.parametrize("n", SIZES)
def test_agrees_with_numpy(on: Functions, n: int) -> None:
    a, b = matrices(on.real, n)
    before, tol = (a.copy(), b.copy()), 2000 * np.finfo(on.real).eps
    out, x = np.full_like(a, np.nan), np.full_like(b, np.nan)

    def close(got, want):
        np.testing.assert_allclose(got, want, rtol=tol, atol=tol * max(1, float(np.abs(want).max(initial=0))))

    assert on.call("inverse", a, out, n) == 0
    close(out, np.linalg.inv(a.astype(np.float64)))
    assert on.call("solve", a, b, x, n, 3) == 0
    close(x, np.linalg.solve(a.astype(np.float64), b))
    assert on.call("solve", a, b[:, :0].copy(), x[:, :0].copy(), n, 0) == 0
    sign, log = np.linalg.slogdet(a.astype(np.float64))
    close(on.call("logdet", a, n), log if n else 0)
    close(on.call("determinant", a, n), sign * np.exp(log) if n else 1)
    assert np.array_equal(a, before[0])
    assert np.array_equal(b, before[1])
    spd = (a @ a.T + np.eye(n, dtype=on.real)).astype(on.real)
    lower = np.tril(spd) + 7 * np.triu(np.ones_like(spd), 1)  # only the lower half is read
    assert on.call("cholesky", lower, out, n) == 0
    close(out @ out.T, spd)
    assert np.array_equal(out, np.tril(out))


def test_the_sign_of_a_determinant(on: Functions) -> None:
    for order in ([1, 0, 2], [1, 2, 0], [2, 1, 0], [0, 1, 2]):
        a = (np.diag([2, 3, 4])[order] + 0).astype(on.real)
        assert on.call("determinant", a, 3) == round(np.linalg.det(a.astype(np.float64)))


def test_status(on: Functions) -> None:
    n = 9
    singular, b, out = np.eye(n, dtype=on.real), np.ones((n, 2), on.real), np.empty((n, n), on.real)
    singular[n - 1, n - 1] = 0
    assert on.call("inverse", singular, out, n) == n
    assert on.call("solve", singular, b, b.copy(), n, 2) == n
    assert on.call("cholesky", singular, out, n) == n
    assert on.call("cholesky", -np.eye(n, dtype=on.real), out, n) == 1
    assert on.call("determinant", singular, n) == 0
    assert on.call("logdet", singular, n) == -np.inf


def test_nan_is_no_pivot_but_where_it_stands(on: Functions) -> None:
    a = np.array([[1, 2], [np.nan, 3]], on.real)
    out = np.empty_like(a)
    assert on.call("inverse", a, out, 2) == 0
    assert np.isnan(on.call("determinant", a, 2))
    assert np.isnan(on.call("logdet", np.full((2, 2), np.nan, on.real), 2))
    assert on.call("cholesky", np.full((2, 2), np.nan, on.real), out, 2) == 1


@pytest.mark.parametrize(("n", "k"), [(0, 0), (1, 1), (5, 2), (19, 4), (19, 19)])
def test_top_is_that_of_the_cpu(on: Functions, n: int, k: int) -> None:
    a = np.random.default_rng(n).integers(-5, 5, (3, n)).astype(on.real)  # many are equal
    if n > 5:
        a[1, [2, 4]], a[2, :3] = np.nan, [np.inf, -np.inf, np.nan]
    got, wanted = np.full((3, k), -1, np.int32), np.full((3, k), -1, np.int32)
    on.call("top", a, got, 3, n, k)
    dense.PLAIN[f"top_{on.suffix}"](a, wanted, 3, n, k)
    assert got.tolist() == wanted.tolist()
