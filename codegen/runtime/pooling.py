"""Pooling and depthwise convolution: element-wise work on windows, whose cells tables say.

Law of this file: arrays are flat; the innermost loop runs over the channels of one cell, which lie side by side.  For poolings
`cells` has the position of each of `taps` cells of each of m windows of an image, -1 for one that is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType

import numba
import numpy as np

from .team import tail, tail_plain

_jit = numba.njit(error_model="numpy", fastmath={"contract"}, no_cfunc_wrapper=True)


@_jit
def pool_max(x, out, cells, images, m, taps, width, pixels):
    """The greatest of each window's cells, for each channel; 0 where there are none.  Images of x have `pixels` cells."""
    for q in range(images):
        image = tail(x, q * pixels * width)
        for r in range(m):
            y = tail(out, (q * m + r) * width)
            found = False
            for t in range(taps):
                cell = cells[r * taps + t]
                if cell >= 0:
                    z = tail(image, cell * width)
                    if found:
                        for j in range(width):
                            a, b = y[j], z[j]
                            y[j] = b if (b > a) | (b != b) else a
                    else:
                        for j in range(width):
                            y[j] = z[j]
                    found = True
            if not found:
                for j in range(width):
                    y[j] = 0


@_jit
def pool_max_4(x, out, cells, images, m, taps, width, pixels):
    """The same for windows of four cells that are all there: one loop, three comparisons."""
    for q in range(images):
        image = tail(x, q * pixels * width)
        for r in range(m):
            y = tail(out, (q * m + r) * width)
            a, b = tail(image, cells[4 * r] * width), tail(image, cells[4 * r + 1] * width)
            c, d = tail(image, cells[4 * r + 2] * width), tail(image, cells[4 * r + 3] * width)
            for j in range(width):
                best = b[j] if (b[j] > a[j]) | (b[j] != b[j]) else a[j]
                best = c[j] if (c[j] > best) | (c[j] != c[j]) else best
                y[j] = d[j] if (d[j] > best) | (d[j] != d[j]) else best


@_jit
def _search(image, cells, first, taps, width, best, place):
    """For each channel of one window the greatest value and the cell where it stands first."""
    for j in range(width):
        best[j], place[j] = 0, -1
    for t in range(taps):
        cell = cells[first + t]
        if cell >= 0:
            z = tail(image, cell * width)
            for j in range(width):
                a, b, at = best[j], z[j], place[j]
                take = (at < 0) | (b > a) | (b != b)
                best[j] = b if take else a
                place[j] = cell if take else at


@_jit
def pool_pick(x, v, out, cells, images, m, taps, width, pixels):
    """v where x is greatest in each window."""
    best, place = np.empty(width, x.dtype), np.empty(width, np.int32)
    for q in range(images):
        image, value = tail(x, q * pixels * width), tail(v, q * pixels * width)
        for r in range(m):
            _search(image, cells, r * taps, taps, width, best, place)
            y = tail(out, (q * m + r) * width)
            for j in range(width):
                y[j] = value[place[j] * width + j] if place[j] >= 0 else 0


@_jit
def pool_route(x, v, out, cells, images, m, taps, width, pixels):
    """An element of v for each window, added where x is greatest in it."""
    best, place = np.empty(width, x.dtype), np.empty(width, np.int32)
    for q in range(images):
        image, y = tail(x, q * pixels * width), tail(out, q * pixels * width)
        for j in range(pixels * width):
            y[j] = 0
        for r in range(m):
            _search(image, cells, r * taps, taps, width, best, place)
            g = tail(v, (q * m + r) * width)
            for t in range(taps):
                cell = cells[r * taps + t]
                if cell >= 0:
                    z = tail(y, cell * width)
                    for j in range(width):
                        here = g[j]
                        z[j] += here if place[j] == cell else 0


@_jit
def pool_route_4(x, v, out, cells, images, m, taps, width, pixels):
    """The same where every cell of an image is one of four of one window: 28 x 28 x 32 in a quarter of the time.

    `here` is read once and first: read where it is selected, it is a branch for each channel, and 20 times slower."""
    for q in range(images):
        image, y = tail(x, q * pixels * width), tail(out, q * pixels * width)
        for r in range(m):
            k, l, m_, n = cells[4 * r] * width, cells[4 * r + 1] * width, cells[4 * r + 2] * width, cells[4 * r + 3] * width
            a, b, c, d = tail(image, k), tail(image, l), tail(image, m_), tail(image, n)
            e, f, g, h = tail(y, k), tail(y, l), tail(y, m_), tail(y, n)
            value = tail(v, (q * m + r) * width)
            for j in range(width):
                best, at, here = a[j], 0, value[j]
                take = (b[j] > best) | (b[j] != b[j])
                best, at = (b[j] if take else best), (1 if take else at)
                take = (c[j] > best) | (c[j] != c[j])
                best, at = (c[j] if take else best), (2 if take else at)
                take = (d[j] > best) | (d[j] != d[j])
                at = 3 if take else at
                e[j] = here if at == 0 else 0
                f[j] = here if at == 1 else 0
                g[j] = here if at == 2 else 0
                h[j] = here if at == 3 else 0


@_jit
def depthwise(images, group, first, last, n, a, each_a, left, step, b, each_b, turns, c, each_c, rows, table, parts, repeat, narrow_out):
    """`indirect` without a sum over channels: C[rows[r] + j] = sum over turns t of A[left[r] + turns[t, 0] + j] * B[turns[t, 1] + j].

    With `repeat` > 1, j // repeat stands in the place of j in A, or with `narrow_out` in C."""
    for image in range(0, images if each_c != 0 else max(images, 1), group):
        u, v, w = tail(a, image * each_a), tail(b, image * each_b), tail(c, image * each_c)
        for p in range(parts):
            start, some = table[5 * p], table[5 * p + 1]
            for r in range(max(first, start), min(last, start + some * min(group, max(1, images - image)))):
                z = tail(w, rows[r])
                if each_c != 0 or image == 0:
                    for j in range(n // repeat if narrow_out else n):
                        z[j] = 0
                for t in range(table[5 * p + 2], table[5 * p + 2] + (table[5 * p + 3] if images > 0 else 0)):
                    x, y = tail(u, left[r] + turns[2 * t]), tail(v, turns[2 * t + 1])
                    if repeat == 1:
                        for j in range(n):
                            z[j] += x[j] * y[j]
                    elif narrow_out:
                        for i in range(n // repeat):
                            for j in range(i * repeat, (i + 1) * repeat):
                                z[i] += x[j] * y[j]
                    else:
                        for i in range(n // repeat):
                            for j in range(i * repeat, (i + 1) * repeat):
                                z[j] += x[i] * y[j]


@_jit
def indirect_loops(images, group, first, last, n, a, each_a, left, step, b, each_b, turns, c, each_c, rows, table, parts):
    """What `indirect` computes, as loops, either precision: for saved files, which carry no machine code."""
    for image in range(0, images if each_c != 0 else max(images, 1), group):
        u, v, w = tail(a, image * each_a), tail(b, image * each_b), tail(c, image * each_c)
        for p in range(parts):
            start, some = table[5 * p], table[5 * p + 1]
            for r in range(max(first, start), min(last, start + some * min(group, max(1, images - image)))):
                z = tail(w, rows[r])
                if each_c != 0 or image == 0:
                    for j in range(n):
                        z[j] = 0
                for t in range(table[5 * p + 2], table[5 * p + 2] + (table[5 * p + 3] if images > 0 else 0)):
                    x, y = left[r] + turns[2 * t], tail(v, turns[2 * t + 1])
                    for i in range(table[5 * p + 4]):
                        k, value = tail(y, i * n), u[x + i * step]
                        for j in range(n):
                            z[j] += value * k[j]


def _plain(f: Callable) -> Callable:
    """The function as plain Python, over plain slices."""
    return FunctionType(getattr(f, "py_func", f).__code__, {"np": np, "tail": tail_plain, "_search": _search_plain})  # type: ignore[attr-defined]


def _search_plain(*args: object) -> None:
    _plain(_search)(*args)


FUNCTIONS = (pool_max, pool_max_4, pool_pick, pool_route, pool_route_4, depthwise, indirect_loops)
PLAIN = {f.__name__: _plain(f) for f in FUNCTIONS}
