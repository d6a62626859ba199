"""Matrix products on a device: tiles of the result in registers, of the factors in shared memory.

Law of this file: jobs, which are tiles of the result, are dealt to the blocks of a team in turn, and every element is one
chain of multiply-adds in the order of the inner axis; its bits depend neither on the number of blocks nor on the shape of
tiles.  What lies beyond an edge is taken as zero and never written.  The factors come from functions of places, `left(xs, c,
i, p)` and `right(ys, c, p, j)`, and the result goes to one, `keep(zs, c, i, j, value)`: what is computed element by element
before or after a product is computed there.  `c` counts products of one shape side by side: those of a batch, or of the
parts of a long inner axis.

Both factors' tiles lie in the pool twice: one copy is multiplied while the next is brought.  Places in the pool are masked, so
that the compiler sees that they are not negative and where 16 bytes begin, and reads four elements at once.  Numba would
compile a function anew for every literal that it is called with; `int(n)` has the number without that, and the function
becomes part of its caller, where LLVM finds the literal again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import float32, float64, types

from .device import LANES, SIMULATED, cuda, sync

DOWN, ACROSS = (2, 4) if SIMULATED else (16, 16)
"""How the lanes of a block cover a tile; each computes `micro` x `micro` elements of it."""
LARGE, SMALL = ((4, 4), (2, 8)) if SIMULATED else ((4, 16), (2, 32))
"""Shapes of tiles: `micro`, and how much of the inner axis is in the pool at a time.  All are powers of two."""
MANY = 3 if SIMULATED else 128
"""Large tiles of a result from which they keep a device busy: below, small ones, four for one, do."""


def extents(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a tile."""
    return DOWN * shape[0], ACROSS * shape[0]


HIGH, WIDE = extents(LARGE)


def _copy(shape: tuple[int, int]) -> int:
    """Elements of the pool that one copy takes: lines are `micro` longer than they need be, so that lanes which store a column
    of a tile do not meet in one bank."""
    return shape[1] * (sum(extents(shape)) + 2 * shape[0])


POOL = {kind: 2 * max(_copy(LARGE), _copy(SMALL)) * size for kind, size in (("f32", 4), ("f64", 8))}
"""Bytes of the shared pool that a product needs."""


def inlined(function: Callable) -> Callable:
    """A function of a kernel that becomes part of its caller, so that what is literal there is literal here."""
    return function if SIMULATED else cuda.jit(device=True, forceinline=True)(function)


def _product(real: types.Float, shape: tuple[int, int]) -> Callable:
    """`product` for one precision and shape: the pool and the registers have literal dtypes and extents."""
    micro, depth = shape
    high, wide = extents(shape)
    line_x, line_y = high + micro, wide + micro
    lines = line_x + line_y
    loads_x, loads_y = high * depth // LANES, wide * depth // LANES

    @inlined
    def tile(ta, tb, c, first, start, m, n, k, left, xs, right, ys, sums, top, side, lane):
        """The sums of this lane's elements in the tile whose corner is (first, start); they begin at (top, side) in it."""
        shared = cuda.shared.array(0, real) if SIMULATED else cuda.shared.array(0, real, 16)
        u = cuda.local.array(loads_x, real)
        v = cuda.local.array(loads_y, real)
        for a in range(micro):
            for b in range(micro):
                sums[a, b] = 0
        for at in range(0, k + depth, depth):
            new = at & depth
            for r in range(loads_x):
                e = r * LANES + lane
                i, p = (first + e % high, at + e // high) if ta else (first + e // depth, at + e % depth)
                u[r] = left(xs, c, i, p) if (i < m) & (p < k) else real(0)
            for r in range(loads_y):
                e = r * LANES + lane
                j, p = (start + e // depth, at + e % depth) if tb else (start + e % wide, at + e // wide)
                v[r] = right(ys, c, p, j) if (j < n) & (p < k) else real(0)
            if at > 0:
                x = (depth - new) * lines + top
                y = (depth - new) * lines + depth * line_x + side
                for q in range(depth):
                    p = q & (depth - 1)
                    for a in range(micro):
                        for b in range(micro):
                            sums[a, b] += shared[x + p * line_x + a] * shared[y + p * line_y + b]
            for r in range(loads_x):
                e = r * LANES + lane
                shared[new * lines + (e // high * line_x + e % high if ta else e % depth * line_x + e // depth)] = u[r]
            for r in range(loads_y):
                e = r * LANES + lane
                to = e % depth * line_y + e // depth if tb else e // wide * line_y + e % wide
                shared[new * lines + depth * line_x + to] = v[r]
            sync()

    @inlined
    def product(ta, tb, count, m, n, k, left, xs, right, ys, keep, zs, tid, nthreads, lane):
        """`count` products, m x k times k x n: sums over p of left(.., i, p) * right(.., p, j), given to `keep` (team).

        `ta`, `tb` say that a factor lies transposed: neighbouring lanes then read neighbours along its other axis."""
        lane = lane & (LANES - 1)
        top, side = lane // ACROSS * micro, lane % ACROSS * micro
        sums = cuda.local.array((micro, micro), real)
        across = (n + wide - 1) // wide
        tiles = (m + high - 1) // high * across
        sync()
        for job in range(tid, count * tiles, nthreads):
            c, number = job // tiles, job % tiles
            first, start = number // across * high, number % across * wide
            tile(ta, tb, c, first, start, m, n, k, left, xs, right, ys, sums, top, side, lane)
            for a in range(micro):
                for b in range(micro):
                    if (first + top + a < m) & (start + side + b < n):
                        keep(zs, c, first + top + a, start + side + b, sums[a, b])

    return product


product_f32, product_f64 = _product(float32, LARGE), _product(float64, LARGE)
small_f32, small_f64 = _product(float32, SMALL), _product(float64, SMALL)


@inlined
def many(m, n):
    """Has an m x n result so many large tiles that they keep a device busy?"""
    return (m + HIGH - 1) // HIGH * ((n + WIDE - 1) // WIDE) >= MANY


@inlined
def left_flat(xs, c, i, p):
    x, ta, lda = xs
    return x[np.uint64(p * lda + i if ta else i * lda + p)]


@inlined
def right_flat(ys, c, p, j):
    y, tb, ldb = ys
    return y[np.uint64(j * ldb + p if tb else p * ldb + j)]


@inlined
def keep_flat(zs, c, i, j, value):
    z, ldz, factor, kept = zs
    at = np.uint64(i * ldz + j)
    z[at] = factor * value if kept == 0 else factor * value + kept * z[at]


def _gemm(product: Callable, small: Callable) -> tuple[Callable, Callable, Callable]:
    @inlined
    def gemm_of(ta, tb, m, n, k, left, xs, right, ys, keep, zs, tid, nthreads, lane):
        """The elements of a product, given to keep(zs, 0, i, j, value) one by one, of factors that are computed (team, collective)."""
        ta, tb, m, n, k = bool(ta), bool(tb), int(m), int(n), int(k)
        if many(m, n):
            product(ta, tb, 1, m, n, k, left, xs, right, ys, keep, zs, tid, nthreads, lane)
        else:
            small(ta, tb, 1, m, n, k, left, xs, right, ys, keep, zs, tid, nthreads, lane)

    @inlined
    def gemm_into(ta, tb, m, n, k, x, lda, y, ldb, keep, zs, tid, nthreads, lane):
        """The elements of op(x) op(y), given to keep(zs, 0, i, j, value) one by one (team, collective)."""
        ta, tb, m, n, k = bool(ta), bool(tb), int(m), int(n), int(k)
        xs, ys = (x, ta, int(lda)), (y, tb, int(ldb))
        gemm_of(ta, tb, m, n, k, left_flat, xs, right_flat, ys, keep, zs, tid, nthreads, lane)

    @inlined
    def gemm(ta, tb, m, n, k, factor, x, lda, y, ldb, kept, z, ldz, tid, nthreads, lane):
        """z = factor * op(x) op(y) + kept * z, with the laws of `blas.gemm_f32` (team, collective)."""
        zs = z, int(ldz), factor, kept
        gemm_into(bool(ta), bool(tb), int(m), int(n), int(k), x, int(lda), y, int(ldb), keep_flat, zs, tid, nthreads, lane)

    return gemm, gemm_into, gemm_of


gemm_f32, gemm_into_f32, gemm_of_f32 = _gemm(product_f32, small_f32)
gemm_f64, gemm_into_f64, gemm_of_f64 = _gemm(product_f64, small_f64)


# ---------------------------------------------------------------- a long inner axis
@inlined
def _left_part(xs, c, i, p):
    x, ta, lda, k, length = xs
    p += c * length
    return x[np.uint64(p * lda + i if ta else i * lda + p)] if p < k else x.dtype.type(0)


@inlined
def _right_part(ys, c, p, j):
    y, tb, ldb, k, length = ys
    p += c * length
    return y[np.uint64(j * ldb + p if tb else p * ldb + j)] if p < k else y.dtype.type(0)


@inlined
def _keep_part(zs, c, i, j, value):
    parts, m, n = zs
    parts[np.uint64((c * m + i) * n + j)] = value


@inlined
def gemm_part_f32(ta, tb, m, n, k, x, lda, y, ldb, parts, length, tid, nthreads, lane):
    """Products over `length` steps of the inner axis at a time: parts[c], m x n, for c < ceil(k / length) (team, collective)."""
    ta, tb, m, n, k, length = bool(ta), bool(tb), int(m), int(n), int(k), int(length)
    count, xs, ys = (k + length - 1) // length, (x, ta, int(lda), k, length), (y, tb, int(ldb), k, length)
    small_f32(ta, tb, count, m, n, length, _left_part, xs, _right_part, ys, _keep_part, (parts, m, n), tid, nthreads, lane)


@inlined
def gemm_part_f64(ta, tb, m, n, k, x, lda, y, ldb, parts, length, tid, nthreads, lane):
    """Products over `length` steps of the inner axis at a time: parts[c], m x n, for c < ceil(k / length) (team, collective)."""
    ta, tb, m, n, k, length = bool(ta), bool(tb), int(m), int(n), int(k), int(length)
    count, xs, ys = (k + length - 1) // length, (x, ta, int(lda), k, length), (y, tb, int(ldb), k, length)
    small_f64(ta, tb, count, m, n, length, _left_part, xs, _right_part, ys, _keep_part, (parts, m, n), tid, nthreads, lane)


@inlined
def gemm_join_into(m, n, count, parts, keep, zs, at, by):
    """parts[0] + parts[1] + ..., in this order, given to keep(zs, 0, i, j, value) element by element (team)."""
    m, n, count = int(m), int(n), int(count)
    for e in range(at, m * n, by):
        value = parts.dtype.type(0)
        for c in range(count):
            value += parts[np.uint64(c * m * n + e)]
        keep(zs, 0, e // n, e % n, value)


@inlined
def gemm_join(m, n, count, factor, parts, kept, z, ldz, at, by):
    """z = factor * (parts[0] + parts[1] + ...) + kept * z, either precision (team)."""
    gemm_join_into(m, n, count, parts, keep_flat, (z, int(ldz), factor, kept), at, by)
