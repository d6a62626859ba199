"""Coordinates and rows on a device: what `rows` does, by teams of blocks.

Law of this file: the results of `rows`, bit for bit, whatever the number of blocks.  A row of a result belongs to one part of
the team, which meets the coordinates in their order; within a row, columns belong to lanes.  So nobody adds where another
does, and there are no atomic sums; the one atomic here is a minimum of whole numbers, which has no order.
"""

from __future__ import annotations

import numpy as np

from .device import LANES, cuda, device, sync
from .device_team import lanes_first_int64

_u32 = np.uint32


def _rows(place):
    """f(x, at, out, rows, width, tid, nthreads, lane): row r of x is placed in row at[r] of out.

    Rows narrower than a block are dealt to parts of it, LANES // width rows at a time."""

    @device
    def f(x, at, out, rows, width, tid, nthreads, lane):
        across = max(width, 1)
        parts, part, first = max(LANES // across, 1), lane // across, lane % across
        owners, own = _u32(nthreads * parts), _u32(tid * parts + part)
        if part < parts:
            for r in range(rows):
                i = at[r]
                if _u32(i) % owners == own:
                    for j in range(first, width, LANES):
                        place(out, i * width + j, x[r * width + j])

    return f


@device
def _add(out, k, v):
    out[k] += v


@device
def _put(out, k, v):
    out[k] = v


add_rows, put_rows = _rows(_add), _rows(_put)


@device
def first_of_each(x, out, seen, n, lane):
    """out[k] = the first position at which x[:n] is x[k]; `seen` has an entry for each value; the lanes of one block."""
    for k in range(lane, n, LANES):
        seen[x[k]] = n
    sync()
    for k in range(lane, n, LANES):
        cuda.atomic.min(seen, x[k], k)
    sync()
    for k in range(lane, n, LANES):
        out[k] = seen[x[k]]


@device
def outside(x, n, extent, status, lane):
    """status[:3] = (1 + the first position at which x does not lie in [0, extent), that value, extent), or 0 in front; the lanes
    of one block."""
    first = n
    for k in range(lane, n, LANES):
        if first == n and (x[k] < 0 or x[k] >= extent):
            first = k
    first = lanes_first_int64(first, lane)
    if lane == 0:
        status[0] = 0
        if first < n:
            status[0], status[1], status[2] = first + 1, x[first], extent
