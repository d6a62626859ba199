"""Dense linear algebra for kernels: inverse, solve, cholesky, determinant, log|det| of one square matrix; the order of rows.

Law of this file: arguments are 2-D C-contiguous arrays of exactly the stated extents and only `out` is written; n may
be 0.  The result is a status: 0, or > 0 for a matrix that is singular (an exact zero pivot, as in NumPy) or not
positive definite, whose `out` then means nothing; nobody raises inside a kernel.

Textbook elimination with partial pivoting on blocks of BLOCK columns; what lies right of a block is one matrix product
from `blas`.  Faster than numpy.linalg.solve at every size tried (float64, 3 right sides, one thread: n = 10 1.5 us
against 6.5, 50 18 against 21, 200 306 against 328, 1000 19 ms against 20), and LAPACK by its address was no faster
either: it needs pivots of unknown width, and OpenBLAS's own threads made a 2 x 2 getrs take 8 ms on a busy machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import numba
import numpy as np
from numba.core import config

from . import blas

NAMES = ("inverse", "solve", "cholesky", "determinant", "logdet", "top")
FLAGS = {"error_model": "numpy", "fastmath": {"contract"}, "no_cfunc_wrapper": True}
BLOCK = 32
FEW = 32
"""So many of the greatest are kept in order while a row is read; for more, the row is sorted."""


def family(real: type, gemm: Callable) -> SimpleNamespace:
    """The functions of NAMES in one precision, compiled, with `gemm` for their products."""
    jit, part = numba.njit(**FLAGS), numba.njit(**FLAGS, no_cpython_wrapper=True)
    ONE = real(1)

    @part
    def eliminate(w, n, m):
        """w, flat n x m, n <= m: its first n columns become L (below the diagonal) and U, the others follow.

        Returns (status, number of row exchanges)."""
        swaps = 0
        for left in range(0, n, BLOCK):
            right = min(left + BLOCK, n)
            for c in range(left, right):
                best = c
                for i in range(c + 1, n):
                    if abs(w[i * m + c]) > abs(w[best * m + c]):
                        best = i
                if w[best * m + c] == 0:
                    return c + 1, swaps
                if best != c:
                    swaps += 1
                    x, y = w[c * m : c * m + m], w[best * m : best * m + m]
                    for j in range(m):
                        x[j], y[j] = y[j], x[j]
                for i in range(c + 1, n):
                    w[i * m + c] /= w[c * m + c]
                    subtract(w, w[i * m + c], c * m + c + 1, i * m + c + 1, right - c - 1)
            for c in range(left, right):
                for i in range(c + 1, right):
                    subtract(w, w[i * m + c], c * m + right, i * m + right, m - right)
            product(w, n - right, m - right, right - left, right * m + left, left * m + right, right * m + right, m)
        return 0, swaps

    @part
    def subtract(w, f, source, target, size):
        x, y = w[source : source + size], w[target : target + size]
        for j in range(size):
            y[j] -= f * x[j]

    @part
    def product(w, rows, columns, inner, a, b, c, m):
        """The window of w at c minus that at a times that at b."""
        if rows > 0 and columns > 0:
            gemm(False, False, rows, columns, inner, -ONE, w[a:], m, w[b:], m, ONE, w[c:], m)

    @part
    def substitute(w, n, m):
        """After `eliminate`: the columns from n on become the solution."""
        for block in range((n - 1) // BLOCK, -1, -1):
            left = block * BLOCK
            right = min(left + BLOCK, n)
            for c in range(right - 1, left - 1, -1):
                for j in range(c * m + n, c * m + m):
                    w[j] /= w[c * m + c]
                for i in range(left, c):
                    subtract(w, w[i * m + c], c * m + n, i * m + n, m - n)
            product(w, left, m - n, right - left, left, left * m + n, n, m)

    @jit
    def solve(a, b, out, n, k):
        m = n + k
        work = np.empty(n * m, a.dtype)
        w = work.reshape((n, m))
        for i in range(n):
            for j in range(n):
                w[i, j] = a[i, j]
            for j in range(k):
                w[i, n + j] = b[i, j]
        status, _ = eliminate(work, n, m)
        if status == 0:
            substitute(work, n, m)
            for i in range(n):
                for j in range(k):
                    out[i, j] = w[i, n + j]
        return status

    @jit
    def inverse(a, out, n):
        unit = np.zeros((n, n), a.dtype)
        for i in range(n):
            unit[i, i] = ONE
        return solve(a, unit, out, n, n)

    @jit
    def cholesky(a, out, n):
        w = out.reshape(-1)
        for i in range(n):
            for j in range(n):
                out[i, j] = a[i, j]
        for left in range(0, n, BLOCK):
            right = min(left + BLOCK, n)
            if left > 0:
                x, y = w[left * n :], w[left * n + left :]
                gemm(False, True, n - left, right - left, left, -ONE, x, n, x, n, ONE, y, n)
            for i in range(left, n):
                for j in range(left, min(i + 1, right)):
                    s = w[i * n + j]
                    for p in range(left, j):
                        s -= w[i * n + p] * w[j * n + p]
                    if i > j:
                        w[i * n + j] = s / w[j * n + j]
                    elif s > 0:
                        w[i * n + i] = math.sqrt(s)
                    else:
                        return i + 1
        for i in range(n):
            for j in range(i + 1, n):
                out[i, j] = 0
        return 0

    @part
    def pivots(a, n):
        """The diagonal of U; its first entry has the sign of the row exchanges."""
        w, d = np.empty(n * n, a.dtype), np.empty(n, a.dtype)
        for i in range(n):
            for j in range(n):
                w[i * n + j] = a[i, j]
        status, swaps = eliminate(w, n, n)
        for i in range(n):
            d[i] = w[i * n + i]
        if status > 0:
            d[status - 1] = 0
        if swaps % 2 == 1:
            d[0] = -d[0]
        return d

    @jit
    def determinant(a, n):
        d, v = pivots(a, n), ONE
        for i in range(n):
            v *= d[i]
        return v

    @jit
    def logdet(a, n):
        d, v = pivots(a, n), real(0)
        for i in range(n):
            v += math.log(abs(d[i]))
        return v

    @part
    def above(x, y):
        """Does x come before y?  NaN is the greatest, as for NumPy."""
        return x > y or (x != x and y == y)

    @part
    def select(x, at, n, k):
        held = 0
        for j in range(n):
            if held == k and not above(x[j], x[at[k - 1]]):
                continue
            held = min(held + 1, k)
            p = held - 1
            while p > 0 and above(x[j], x[at[p - 1]]):
                at[p] = at[p - 1]
                p -= 1
            at[p] = j

    @part
    def merge(x, source, target, left, middle, right):
        i, j = left, middle
        for p in range(left, right):
            if i < middle and (j >= right or not above(x[source[j]], x[source[i]])):
                target[p] = source[i]
                i += 1
            else:
                target[p] = source[j]
                j += 1

    @jit
    def top(a, out, rows, n, k):
        source, target = np.empty(n, np.int32), np.empty(n, np.int32)
        for r in range(rows):
            if k <= FEW:
                select(a[r], out[r], n, k)
                continue
            for j in range(n):
                source[j] = j
            width = 1
            while width < n:
                for left in range(0, n, 2 * width):
                    merge(a[r], source, target, left, min(left + width, n), min(left + 2 * width, n))
                source, target = target, source
                width *= 2
            out[r] = source[:k]

    return SimpleNamespace(inverse=inverse, solve=solve, cholesky=cholesky, determinant=determinant, logdet=logdet, top=top)


# ---------------------------------------------------------------- plain Python
def _status(fn: Callable, out: np.ndarray, *matrices: np.ndarray) -> int:
    try:
        out[...] = fn(*matrices)
    except np.linalg.LinAlgError:
        return 1
    return 0


def inverse_plain(a, out, n):
    """out = A^-1; the status."""
    return _status(np.linalg.inv, out, a)


def solve_plain(a, b, out, n, k):
    """out = A^-1 B; the status."""
    return _status(np.linalg.solve, out, a, b)


def cholesky_plain(a, out, n):
    """out = L with A = L L', reading the lower half of A; the status."""
    return _status(np.linalg.cholesky, out, a)


def determinant_plain(a, n):
    """det A."""
    return np.linalg.det(a)


def logdet_plain(a, n):
    """log |det A|."""
    return np.linalg.slogdet(a)[1]


def top_plain(a, out, rows, n, k):
    """out[rows, k] = the places of the k greatest elements of each row of a[rows, n], the first of ties first."""
    out[...] = n - 1 - np.argsort(a[:, ::-1], axis=1, kind="stable")[:, ::-1][:, :k]


PLAIN = {f"{name}_{suffix}": globals()[f"{name}_plain"] for suffix in ("f32", "f64") for name in NAMES}

if not config.DISABLE_JIT:
    _single, _double = family(np.float32, blas.gemm_f32), family(np.float64, blas.gemm_f64)
    inverse_f32, inverse_f64 = _single.inverse, _double.inverse
    solve_f32, solve_f64 = _single.solve, _double.solve
    cholesky_f32, cholesky_f64 = _single.cholesky, _double.cholesky
    determinant_f32, determinant_f64 = _single.determinant, _double.determinant
    logdet_f32, logdet_f64 = _single.logdet, _double.logdet
    top_f32, top_f64 = _single.top, _double.top
else:
    globals().update(PLAIN)


def ensure(*names: str) -> str:
    """Where the products come from: 'numpy', 'scipy' or '' (loops).  Importing this module has resolved it already."""
    return blas.ensure()
