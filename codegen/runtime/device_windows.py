"""Windows on a device: convolutions as tiled products by tables, depthwise ones and poolings element by element.

Law of this file: the tables are those of `ir.Indirect` and `ir.Pool`, the arguments those of `indirect` and `pooling` with who is
called behind them: `at`, the first element that this lane does, and `by`, how many the team does at a time.  All lanes of all
blocks call (`indirect` meets in its blocks); each element of a result is one sum, in the order of the tables.
"""

from __future__ import annotations

import numpy as np

from .device import LANES, device
from .device_tiles import HIGH, POOL, WIDE, inlined, product_f32, product_f64  # noqa: F401 - POOL is theirs too


# ---------------------------------------------------------------- convolutions
@inlined
def _place(i, n):
    """i // n and i % n; in 32 bits, where a device divides four times faster."""
    q = np.uint32(i) // np.uint32(n)
    return np.int64(q), i - np.int64(q) * n


@inlined
def _under(xs, c, i, p):
    """What lies under row i at step p of the inner axis."""
    a, each_a, left, step, turns, group, summed, start, some, first_turn, count, run = xs
    if summed:
        q, p = _place(p, count * run)
        at = left[start + i]
    else:
        q, r = _place(i, some)
        at = left[start + q % group * some + r]
        q -= q % group
    t, u = _place(p, run)
    return a[np.uint64(q * each_a + at + turns[2 * (first_turn + t)] + u * step)]


@inlined
def _filter(ys, c, p, j):
    b, each_b, turns, n, summed, first_turn, count, run = ys
    q = 0
    if summed:
        q, p = _place(p, count * run)
    t, u = _place(p, run)
    return b[np.uint64(q * each_b + turns[2 * (first_turn + t) + 1] + u * n + j)]


@inlined
def _keep(zs, c, i, j, value):
    z, each_c, rows, group, start, some, first, last = zs
    q, r = _place(i, some)
    row = start + q % group * some + r
    if first <= row < last:
        z[np.uint64((q - q % group) * each_c + rows[row] + j)] = value


def _indirect(product):
    @inlined
    def indirect(images, group, first, last, n, a, each_a, left, step, b, each_b, turns, c, each_c, rows, table, parts, at, by):
        tid, nthreads, lane, summed = at // LANES, by // LANES, at % LANES, int(each_c) == 0
        group, n, each_a, each_b, each_c, step = int(group), int(n), int(each_a), int(each_b), int(each_c), int(step)
        for part in range(parts):
            start, some, first_turn = table[5 * part], table[5 * part + 1], table[5 * part + 2]
            count, run = table[5 * part + 3], table[5 * part + 4]
            m, k = (some, images * count * run) if summed else (images * some, count * run)
            xs = a, each_a, left, step, turns, group, summed, start, some, first_turn, count, run
            ys = b, each_b, turns, n, summed, first_turn, count, run
            zs = c, each_c, rows, group, start, some, int(first), int(last)
            product(summed, False, 1, m, n, k, _under, xs, _filter, ys, _keep, zs, tid, nthreads, lane)
            jobs = (m + HIGH - 1) // HIGH * ((n + WIDE - 1) // WIDE)
            tid = (tid + nthreads - jobs % nthreads) % nthreads  # the next part's first job is the next block's

    return indirect


indirect_f32, indirect_f64 = _indirect(product_f32), _indirect(product_f64)


@device
def depthwise(images, group, first, last, n, a, each_a, left, step, b, each_b, turns, c, each_c, rows, table, parts,
              repeat, narrow_out, at, by):  # fmt: skip
    """C[rows[r] + j] = sum over turns t of A[left[r] + turns[t, 0] + j] * B[turns[t, 1] + j], as `pooling.depthwise`."""
    columns = n // repeat if narrow_out else n
    for part in range(parts):
        start, some = table[5 * part], table[5 * part + 1]
        turn, end = table[5 * part + 2], table[5 * part + 2] + table[5 * part + 3]
        for e in range(at, (images if each_c != 0 else 1) * some * columns, by):
            i, j = _place(e, columns)
            q, r = _place(i, some)
            row = start + q % group * some + r
            q -= q % group
            if first <= row < last:
                value = c.dtype.type(0)
                for image in range(q, q + 1 if each_c != 0 else images):
                    for t in range(turn, end):
                        x, y = image * each_a + left[row] + turns[2 * t], image * each_b + turns[2 * t + 1]
                        if narrow_out:
                            for u in range(j * repeat, (j + 1) * repeat):
                                value += a[np.uint64(x + u)] * b[np.uint64(y + u)]
                        else:
                            value += a[np.uint64(x + j // repeat)] * b[np.uint64(y + j)]
                c[np.uint64(q * each_c + rows[row] + j)] = value


# ---------------------------------------------------------------- poolings
@device
def _picked(x, image, cells, first, taps, width, j):
    """The cell of a window, whose cells stand from `first` on, where channel j of x is greatest: the first of such; -1 of none."""
    best, found = x.dtype.type(0), -1
    for t in range(first, first + taps):
        cell = cells[t]
        if cell >= 0:
            value = x[np.uint64(image + cell * width + j)]
            if (found < 0) | (value > best) | (value != value):
                best, found = value, cell
    return found


@device
def pool_pick(x, v, out, cells, images, m, taps, width, pixels, at, by):
    """v where x is greatest in each window; 0 where a window has no cells."""
    for e in range(at, images * m * width, by):
        window, j = _place(e, width)
        q, r = _place(window, m)
        image = q * pixels * width
        cell = _picked(x, image, cells, r * taps, taps, width, j)
        out[np.uint64(e)] = v[np.uint64(image + cell * width + j)] if cell >= 0 else v.dtype.type(0)


@device
def pool_max(x, out, cells, images, m, taps, width, pixels, at, by):
    """The greatest of each window's cells, for each channel; 0 where there are none."""
    pool_pick(x, x, out, cells, images, m, taps, width, pixels, at, by)


@device
def pool_route(x, v, out, cells, images, m, taps, width, pixels, at, by):
    """An element of v for each window, added where x is greatest in it: each lane has channels of images."""
    for e in range(at, images * width, by):
        q, j = _place(e, width)
        image = q * pixels * width
        for cell in range(pixels):
            out[np.uint64(image + cell * width + j)] = 0
        for r in range(m):
            cell = _picked(x, image, cells, r * taps, taps, width, j)
            if cell >= 0:
                out[np.uint64(image + cell * width + j)] += v[np.uint64((q * m + r) * width + j)]


@device
def pool_route_once(x, v, out, cells, images, m, taps, width, pixels, at, by):
    """The same where every cell of an image is in one window: each lane has channels of windows."""
    for e in range(at, images * m * width, by):
        window, j = _place(e, width)
        q, r = _place(window, m)
        image = q * pixels * width
        found = _picked(x, image, cells, r * taps, taps, width, j)
        for t in range(r * taps, (r + 1) * taps):
            out[np.uint64(image + cells[t] * width + j)] = v[np.uint64(e)] if cells[t] == found else v.dtype.type(0)
