"""Matrix products on a device: tiles of the result in registers, of the factors in shared memory.

Law of this file: jobs, which are tiles of the result, are dealt to the blocks of a team in turn, and every element is one
chain of multiply-adds in the order of the inner axis; its bits depend neither on the number of blocks nor on the shape of
tiles.  What lies beyond an edge is taken as zero and never written.  The factors come from functions of places, `left(xs, c,
i, p)` and `right(ys, c, p, j)`, and the result goes to one, `keep(zs, c, i, j, value)`: what is computed element by element
before or after a product is computed there.  `c` counts products of one shape side by side: those of a batch, or of the
parts of a long inner axis.

Both factors' tiles lie in the pool twice: one copy is multiplied while the next is brought.  Places in the pool are masked, so
that the compiler sees that they are not negative and where 16 bytes begin, and reads four elements at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .device import LANES, SIMULATED, cuda, device, sync

MICRO = 4
"""A lane computes MICRO x MICRO elements."""
DOWN, ACROSS = (2, 4) if SIMULATED else (16, 16)
"""How the lanes of a block cover a tile."""
HIGH, WIDE = DOWN * MICRO, ACROSS * MICRO
DEPTH = 4 if SIMULATED else 16
"""How much of the inner axis is in the pool at a time.  It and the extents of tiles are powers of two."""
PAD = 4
"""Elements between the lines of a tile, so that lanes which store a column of it do not meet in one bank."""
LINE_X, LINE_Y = HIGH + PAD, WIDE + PAD
LINES = LINE_X + LINE_Y
POOL = {"f32": 2 * DEPTH * LINES * 4, "f64": 2 * DEPTH * LINES * 8}
"""Bytes of the shared pool that a product needs."""
LOADS_X, LOADS_Y = HIGH * DEPTH // LANES, WIDE * DEPTH // LANES


def _product(real: type) -> Callable:
    """`product` for one precision: the pool and the registers have literal dtypes."""

    @device
    def product(ta, tb, count, m, n, k, left, xs, right, ys, keep, zs, tid, nthreads, lane):
        """`count` products, m x k times k x n: sums over p of left(.., i, p) * right(.., p, j), given to `keep` (team).

        `ta`, `tb` say that a factor lies transposed: neighbouring lanes then read neighbours along its other axis."""
        shared = cuda.shared.array(0, real) if SIMULATED else cuda.shared.array(0, real, 16)
        lane = lane & (LANES - 1)
        top, side = lane // ACROSS * MICRO, lane % ACROSS * MICRO
        sums = cuda.local.array((MICRO, MICRO), real)
        u = cuda.local.array(LOADS_X, real)
        v = cuda.local.array(LOADS_Y, real)
        across = (n + WIDE - 1) // WIDE
        tiles = (m + HIGH - 1) // HIGH * across
        sync()
        for job in range(tid, count * tiles, nthreads):
            c, tile = job // tiles, job % tiles
            first, start = tile // across * HIGH, tile % across * WIDE
            for a in range(MICRO):
                for b in range(MICRO):
                    sums[a, b] = 0
            for at in range(0, k + DEPTH, DEPTH):
                new = at & DEPTH
                for r in range(LOADS_X):
                    e = r * LANES + lane
                    i, p = (first + e % HIGH, at + e // HIGH) if ta else (first + e // DEPTH, at + e % DEPTH)
                    u[r] = left(xs, c, i, p) if (i < m) & (p < k) else real(0)
                for r in range(LOADS_Y):
                    e = r * LANES + lane
                    j, p = (start + e // DEPTH, at + e % DEPTH) if tb else (start + e % WIDE, at + e // WIDE)
                    v[r] = right(ys, c, p, j) if (j < n) & (p < k) else real(0)
                if at > 0:
                    x = (DEPTH - new) * LINES + top
                    y = (DEPTH - new) * LINES + DEPTH * LINE_X + side
                    for q in range(DEPTH):
                        p = q & (DEPTH - 1)
                        for a in range(MICRO):
                            for b in range(MICRO):
                                sums[a, b] += shared[x + p * LINE_X + a] * shared[y + p * LINE_Y + b]
                for r in range(LOADS_X):
                    e = r * LANES + lane
                    shared[new * LINES + (e // HIGH * LINE_X + e % HIGH if ta else e % DEPTH * LINE_X + e // DEPTH)] = u[r]
                for r in range(LOADS_Y):
                    e = r * LANES + lane
                    to = e % DEPTH * LINE_Y + e // DEPTH if tb else e // WIDE * LINE_Y + e % WIDE
                    shared[new * LINES + DEPTH * LINE_X + to] = v[r]
                sync()
            for a in range(MICRO):
                for b in range(MICRO):
                    if (first + top + a < m) & (start + side + b < n):
                        keep(zs, c, first + top + a, start + side + b, sums[a, b])

    return product


product_f32, product_f64 = _product(np.float32), _product(np.float64)


@device
def _left(xs, c, i, p):
    x, ta, lda = xs
    return x[np.uint64(p * lda + i if ta else i * lda + p)]


@device
def _right(ys, c, p, j):
    y, tb, ldb = ys
    return y[np.uint64(j * ldb + p if tb else p * ldb + j)]


@device
def _keep(zs, c, i, j, value):
    z, ldz, factor, kept = zs
    at = np.uint64(i * ldz + j)
    z[at] = factor * value if kept == 0 else factor * value + kept * z[at]


@device
def gemm_f32(ta, tb, m, n, k, factor, x, lda, y, ldb, kept, z, ldz, tid, nthreads, lane):
    """z = factor * op(x) op(y) + kept * z, with the laws of `blas.gemm_f32` (team, collective)."""
    product_f32(ta, tb, 1, m, n, k, _left, (x, ta, lda), _right, (y, tb, ldb), _keep, (z, ldz, factor, kept), tid, nthreads, lane)


@device
def gemm_f64(ta, tb, m, n, k, factor, x, lda, y, ldb, kept, z, ldz, tid, nthreads, lane):
    """z = factor * op(x) op(y) + kept * z, with the laws of `blas.gemm_f64` (team, collective)."""
    product_f64(ta, tb, 1, m, n, k, _left, (x, ta, lda), _right, (y, tb, ldb), _keep, (z, ldz, factor, kept), tid, nthreads, lane)


# ---------------------------------------------------------------- a long inner axis
@device
def _left_part(xs, c, i, p):
    x, ta, lda, k, length = xs
    p += c * length
    return x[np.uint64(p * lda + i if ta else i * lda + p)] if p < k else x.dtype.type(0)


@device
def _right_part(ys, c, p, j):
    y, tb, ldb, k, length = ys
    p += c * length
    return y[np.uint64(j * ldb + p if tb else p * ldb + j)] if p < k else y.dtype.type(0)


@device
def _keep_part(zs, c, i, j, value):
    parts, m, n = zs
    parts[np.uint64((c * m + i) * n + j)] = value


@device
def gemm_part_f32(ta, tb, m, n, k, x, lda, y, ldb, parts, length, tid, nthreads, lane):
    """Products over `length` steps of the inner axis at a time: parts[c], m x n, for c < ceil(k / length) (team, collective)."""
    count, xs, ys = (k + length - 1) // length, (x, ta, lda, k, length), (y, tb, ldb, k, length)
    product_f32(ta, tb, count, m, n, length, _left_part, xs, _right_part, ys, _keep_part, (parts, m, n), tid, nthreads, lane)


@device
def gemm_part_f64(ta, tb, m, n, k, x, lda, y, ldb, parts, length, tid, nthreads, lane):
    """Products over `length` steps of the inner axis at a time: parts[c], m x n, for c < ceil(k / length) (team, collective)."""
    count, xs, ys = (k + length - 1) // length, (x, ta, lda, k, length), (y, tb, ldb, k, length)
    product_f64(ta, tb, count, m, n, length, _left_part, xs, _right_part, ys, _keep_part, (parts, m, n), tid, nthreads, lane)


@device
def gemm_join(m, n, count, factor, parts, kept, z, ldz, at, by):
    """z = factor * (parts[0] + parts[1] + ...) + kept * z, either precision (team)."""
    for e in range(at, m * n, by):
        value = parts.dtype.type(0)
        for c in range(count):
            value += parts[np.uint64(c * m * n + e)]
        _keep((z, ldz, factor, kept), 0, e // n, e % n, value)
