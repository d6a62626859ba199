"""Dense linear algebra on a device: the functions of `dense`, one matrix by the lanes of one block.

Law of this file: arrays are flat, matrices row after row.  Every function is called by all lanes of a block together and all
get the same answer: the status of `dense`, or the value.  Only `out` and `work` are written; `work` has n * n elements and
holds the factors on the way.  Lanes wait for each other first and last (not in `top`, where each has its own elements).
Pivots are those of `dense`, so signs, statuses and the order of rows are too.

The lanes stand as DOWN rows of ACROSS columns, so that neighbours touch neighbouring elements.  A column costs some ten
waits of the block, most of them for its pivot: fine for the small matrices of models, slow for n in the thousands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from .device import LANES, SIMULATED, device, sync
from .device_team import lanes_first_int64, lanes_max_f32, lanes_max_f64

ACROSS = 4 if SIMULATED else 32
DOWN = LANES // ACROSS


def family(real: type, lanes_max: Callable) -> SimpleNamespace:
    """The functions in one precision."""
    ONE, ZERO, LEAST = real(1), real(0), real(-np.inf)

    @device
    def pivot(w, n, c, lane):
        """The row from c on whose entry in column c is the greatest, the first of such; NaN only where it stands already."""
        best, row = real(-1), n
        for i in range(c + lane, n, LANES):
            x = abs(w[i * n + c])
            if x > best:
                best, row = x, i
        most = lanes_max(best, lane)
        row = lanes_first_int64(row if best == most else n, lane)
        return row if w[c * n + c] == w[c * n + c] else c

    @device
    def eliminate(w, out, n, k, lane):
        """w, flat n x n, becomes U (and L below, in the order of rows at that time); what is done to it is done to out, n x k.

        Returns (status, number of row exchanges)."""
        swaps = 0
        for c in range(n):
            best = pivot(w, n, c, lane)
            if w[best * n + c] == 0:
                sync()
                return c + 1, swaps
            if best != c:
                swaps += 1
                sync()
                for j in range(c + lane, n, LANES):
                    w[c * n + j], w[best * n + j] = w[best * n + j], w[c * n + j]
                for j in range(lane, k, LANES):
                    out[c * k + j], out[best * k + j] = out[best * k + j], out[c * k + j]
                sync()
            for i in range(c + 1 + lane, n, LANES):
                w[i * n + c] /= w[c * n + c]
            sync()
            for i in range(c + 1 + lane // ACROSS, n, DOWN):
                f = w[i * n + c]
                for j in range(c + 1 + lane % ACROSS, n, ACROSS):
                    w[i * n + j] -= f * w[c * n + j]
                for j in range(lane % ACROSS, k, ACROSS):
                    out[i * k + j] -= f * out[c * k + j]
            sync()
        return 0, swaps

    @device
    def substitute(w, out, n, k, lane):
        """After `eliminate`: out becomes the solution."""
        for c in range(n - 1, -1, -1):
            for j in range(lane, k, LANES):
                out[c * k + j] /= w[c * n + c]
            sync()
            for i in range(lane // ACROSS, c, DOWN):
                f = w[i * n + c]
                for j in range(lane % ACROSS, k, ACROSS):
                    out[i * k + j] -= f * out[c * k + j]
            sync()

    @device
    def copy(a, work, n, lane):
        sync()
        for i in range(lane // ACROSS, n, DOWN):
            for j in range(lane % ACROSS, n, ACROSS):
                work[i * n + j] = a[i * n + j]

    @device
    def finish(work, out, n, k, lane):
        sync()
        status, _ = eliminate(work, out, n, k, lane)
        if status == 0:
            substitute(work, out, n, k, lane)
        return status

    @device
    def solve(a, b, out, n, k, work, lane):
        """out = A^-1 B; the status."""
        copy(a, work, n, lane)
        for i in range(lane // ACROSS, n, DOWN):
            for j in range(lane % ACROSS, k, ACROSS):
                out[i * k + j] = b[i * k + j]
        return finish(work, out, n, k, lane)

    @device
    def inverse(a, out, n, work, lane):
        """out = A^-1; the status."""
        copy(a, work, n, lane)
        for i in range(lane // ACROSS, n, DOWN):
            for j in range(lane % ACROSS, n, ACROSS):
                out[i * n + j] = ONE if i == j else ZERO
        return finish(work, out, n, n, lane)

    @device
    def cholesky(a, out, n, lane):
        """out = L with A = L L', reading the lower half of A; the status."""
        sync()
        for i in range(lane // ACROSS, n, DOWN):
            for j in range(lane % ACROSS, n, ACROSS):
                out[i * n + j] = a[i * n + j] if j <= i else ZERO
        sync()
        for c in range(n):
            s = out[c * n + c]
            if not s > 0:
                sync()
                return c + 1
            d = real(math.sqrt(s))
            sync()
            for i in range(c + lane, n, LANES):
                out[i * n + c] = out[i * n + c] / d if i > c else d
            sync()
            for i in range(c + 1 + lane // ACROSS, n, DOWN):
                f = out[i * n + c]
                for j in range(c + 1 + lane % ACROSS, i + 1, ACROSS):
                    out[i * n + j] -= f * out[j * n + c]
            sync()
        return 0

    @device
    def factor(a, n, work, lane):
        """The status of A, whose U is then the upper half of work, and how often rows were exchanged."""
        copy(a, work, n, lane)
        sync()
        return eliminate(work, a, n, 0, lane)

    @device
    def determinant(a, n, work, lane):
        """det A."""
        status, swaps = factor(a, n, work, lane)
        v = ONE if swaps % 2 == 0 else -ONE
        for i in range(n):
            v *= work[i * n + i]
        sync()
        return v if status == 0 else ZERO

    @device
    def logdet(a, n, work, lane):
        """log |det A|."""
        status, _ = factor(a, n, work, lane)
        v = ZERO
        for i in range(n if status == 0 else 0):
            v += real(math.log(abs(work[i * n + i])))
        sync()
        return v if status == 0 else LEAST

    return SimpleNamespace(inverse=inverse, solve=solve, cholesky=cholesky, determinant=determinant, logdet=logdet)


@device
def above(x, y):
    """Does x come before y?  NaN is the greatest."""
    return x > y or (x != x and y == y)


@device
def top(a, out, rows, n, k, lane):
    """out[rows, k] = the places of the k greatest elements of each row of a[rows, n], the first of ties first.

    An element's place is the number of those before it; counting ends at k, which few elements reach late."""
    for e in range(lane, rows * n, LANES):
        r = e // n
        before, i = 0, r * n
        while i < r * n + n and before < k:
            if above(a[i], a[e]) or i < e and not above(a[e], a[i]):
                before += 1
            i += 1
        if before < k:
            out[r * k + before] = e - r * n


_single, _double = family(np.float32, lanes_max_f32), family(np.float64, lanes_max_f64)
inverse_f32, inverse_f64 = _single.inverse, _double.inverse
solve_f32, solve_f64 = _single.solve, _double.solve
cholesky_f32, cholesky_f64 = _single.cholesky, _double.cholesky
determinant_f32, determinant_f64 = _single.determinant, _double.determinant
logdet_f32, logdet_f64 = _single.logdet, _double.logdet
top_f32 = top_f64 = top
