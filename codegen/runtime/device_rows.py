"""Coordinates and rows on a device: what `rows` does, by teams of blocks.

Law of this file: the results of `rows`, bit for bit, whatever the number of blocks.  A row of a result belongs to one part of
the team, which meets the coordinates in their order; within a row, columns belong to lanes.  So nobody adds where another
does, and there are no atomic sums; the one atomic here is a minimum of whole numbers, which has no order.
"""

from __future__ import annotations

import numpy as np
from numba import int32

from .device import LANES, SIMULATED, cuda, device, sync
from .device_team import lanes_first_int64

EACH = 2 if SIMULATED else 8
"""Coordinates that a lane looks at before the block does what was found."""
POOL = 4 * LANES * (1 + EACH)
"""Bytes of the shared pool that the functions of this file need."""
_u32 = np.uint32


def _rows(place):
    """f(x, at, out, rows, width, tid, nthreads, lane): row r of x is placed in row at[r] of out.

    A block owns every nthreads-th row.  Its lanes look at coordinates side by side and list, in order, those of its rows;
    then they walk the list.  Of rows narrower than the block, LANES // width parts of it take every such row of its own."""

    @device
    def f(x, at, out, rows, width, tid, nthreads, lane):
        across, team = max(width, 1), _u32(nthreads)
        parts, part, first = _u32(max(LANES // across, 1)), _u32(lane // across), lane % across
        pool = cuda.shared.array(0, int32)
        for start in range(0, rows, LANES * EACH):
            left = start + lane * EACH
            right, found = min(left + EACH, rows), 0
            for r in range(left, right):
                found += _u32(at[r]) % team == tid
            sync()
            pool[lane] = found
            sync()
            mine, end = LANES, LANES
            for other in range(LANES):
                mine += pool[other] if other < lane else 0
                end += pool[other]
            for r in range(left, right):
                if _u32(at[r]) % team == tid:
                    pool[mine] = r - start
                    mine += 1
            sync()
            for k in range(LANES, end):
                r = start + pool[k]
                if _u32(at[r]) // team % parts == part:
                    for j in range(first, width, LANES):
                        place(out, at[r] * width + j, x[r * width + j])
        sync()

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
