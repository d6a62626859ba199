"""Coordinates and rows: is every coordinate inside, which of them come again, and rows added or put where coordinates say.

Law of this file: arrays are flat and hold rows of `width` elements.  A thread of a team owns blocks of OWNED rows of the
result and writes those alone, in the order of the coordinates, so a result has the same bits for every number of
threads; every thread looks at every coordinate, which is little beside adding a row.
"""

from __future__ import annotations

import numba
import numpy as np

OWNED = 64
"""Rows in a block that one thread owns: no two threads share a cache line, and popular rows spread over the team."""

_u64 = np.uint64
_jit = numba.njit(error_model="numpy", fastmath=False, no_cfunc_wrapper=True)


@_jit
def outside(x, n, extent, status):
    """status[:3] = (1 + the first position at which x does not lie in [0, extent), that value, extent), or 0 in front."""
    y = x[:n]
    wrong = 0
    for k in range(n):
        wrong |= (y[k] < 0) | (y[k] >= extent)
    status[0] = 0
    if wrong:
        for k in range(n):
            if y[k] < 0 or y[k] >= extent:
                status[0], status[1], status[2] = k + 1, y[k], extent
                return


@_jit
def zero_rows(out, extent, width, tid, nthreads):
    """The owned ones of `extent` rows become zeros."""
    for first in range(tid * OWNED, extent, nthreads * OWNED):
        y = out[first * width :]
        for j in range(min(OWNED, extent - first) * width):
            y[j] = 0


@_jit
def copy_rows(x, out, extent, width, tid, nthreads):
    """The owned ones of `extent` rows become those of x."""
    for first in range(tid * OWNED, extent, nthreads * OWNED):
        y, z = out[first * width :], x[first * width :]
        for j in range(min(OWNED, extent - first) * width):
            y[j] = z[j]


@_jit
def add_rows(x, at, out, rows, width, tid, nthreads):
    """Row r of x is added to row at[r] of out, if that is owned.

    Indices are unsigned, or Numba asks of each whether it counts from the end: 1000 rows of 8 in 2.5 us, else 12."""
    w = _u64(width)
    for r in range(rows):
        i = _u64(at[r])
        if nthreads == 1 or i // _u64(OWNED) % _u64(nthreads) == _u64(tid):
            p, q = i * w, _u64(r) * w
            for j in range(w):
                out[p + j] += x[q + j]


@_jit
def put_rows(x, at, out, rows, width, tid, nthreads):
    """Row at[r] of out becomes row r of x, if it is owned."""
    w = _u64(width)
    for r in range(rows):
        i = _u64(at[r])
        if nthreads == 1 or i // _u64(OWNED) % _u64(nthreads) == _u64(tid):
            p, q = i * w, _u64(r) * w
            for j in range(w):
                out[p + j] = x[q + j]


@_jit
def first_of_each(x, out, seen, n):
    """out[k] is the first position at which x[:n] is x[k].  `seen` has an entry for each value that x may have, and need hold
    nothing: those that are read have just been written, last by the first position."""
    for k in range(n - 1, -1, -1):
        seen[_u64(x[k])] = k
    for k in range(n):
        out[k] = seen[_u64(x[k])]


PLAIN = {f.__name__: getattr(f, "py_func", f) for f in (outside, zero_rows, copy_rows, add_rows, put_rows, first_of_each)}
