"""The team on a device: blocks meet at a barrier of the whole grid, lanes of a block combine what each of them has.

Law of this file: a function named here is called by all lanes of a block together (`step_done` by any lane alone), and the
barrier by all blocks of the launch, which all run at once.  Whoever uses the shared pool waits for the block's other lanes
before and after, so the pool belongs to nobody between two calls.  A combination takes the lanes in one fixed order,
whatever the number of blocks, and every lane is given the same bits.

The barrier is an int64 counter that only grows, zeros at first (or as another launch has left it): in each round the
blocks but one add 1, and that one adds what is missing to _ROUND, so a round is over when that bit has changed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .device import LANES, SIMULATED, WARP, cuda, device, look, sync, tail  # noqa: F401 - kernels import them from here
from .pool import DONE

_ROUND = 1 << 20


@device
def barrier_wait(barrier, nthreads):
    """Return when all `nthreads` blocks have called this for the same round, and see what they have written."""
    sync()
    if nthreads > 1 and cuda.threadIdx.x == 0:
        cuda.threadfence()
        before = cuda.atomic.add(barrier, 0, _ROUND - nthreads + 1 if cuda.blockIdx.x == 0 else 1)
        while (look(barrier) ^ before) & _ROUND == 0:
            pass
        cuda.threadfence()
    sync()


@device
def step_done(control, s):
    """Step s is done (one lane of the grid).  The host, which cannot look while the kernel runs, chooses how many steps it runs."""
    control[DONE] = s + 1


@device
def lanes_any_bool(x, lane):
    """Does x hold in any lane?"""
    return cuda.syncthreads_or(np.int32(x)) != 0


@device
def lanes_all_bool(x, lane):
    """Does x hold in every lane?"""
    return cuda.syncthreads_and(np.int32(x)) != 0


@device
def _sum(a, b):
    return a + b


@device
def _prod(a, b):
    return a * b


@device
def _max(a, b):
    return a if (a >= b) | (a != a) else b


@device
def _min(a, b):
    return a if (a <= b) | (a != a) else b


STEP = 1 if SIMULATED else WARP
GROUPS = LANES // STEP
"""Lanes that exchange values without the pool, and how many such groups a block has."""
SUMS = 128
"""How many combinations may be in the pool at once, each in words of 8 bytes."""
POOL = SUMS * GROUPS * 8
"""Bytes of the shared pool that the functions of this file need."""


@device
def _or(a, b):
    return a | b


@device
def _and(a, b):
    return a & b


def _combination(combine: Callable, kind: type) -> tuple[Callable, Callable, Callable]:
    """(over lanes, put, get) of combine(combine(x of lane 0, x of lane 1), ...): pairs within a warp, then the warps in order."""
    word = 8 // np.dtype(kind).itemsize

    @device
    def put(x, number, lane):
        """Leave this block's part of combination `number` in the pool; `sync` before and after the last of them."""
        x = kind(x)
        distance = STEP // 2
        while distance:
            x = combine(x, cuda.shfl_down_sync(0xFFFFFFFF, x, distance))
            distance //= 2
        pool = cuda.shared.array(0, kind)
        if lane & (STEP - 1) == 0:
            pool[word * (number * GROUPS + lane // STEP)] = x

    @device
    def get(number):
        """Combination `number`, for any lane; `sync` after the last of them."""
        pool = cuda.shared.array(0, kind)
        x = pool[word * number * GROUPS]
        for w in range(1, GROUPS):
            x = combine(x, pool[word * (number * GROUPS + w)])
        return x

    @device
    def over_lanes(x, lane):
        sync()
        put(x, 0, lane)
        sync()
        x = get(0)
        sync()
        return x

    return over_lanes, put, get


lanes_sum_f32, put_sum_f32, get_sum_f32 = _combination(_sum, np.float32)
lanes_sum_f64, put_sum_f64, get_sum_f64 = _combination(_sum, np.float64)
lanes_sum_int64, put_sum_int64, get_sum_int64 = _combination(_sum, np.int64)
lanes_prod_f32, put_prod_f32, get_prod_f32 = _combination(_prod, np.float32)
lanes_prod_f64, put_prod_f64, get_prod_f64 = _combination(_prod, np.float64)
lanes_prod_int64, put_prod_int64, get_prod_int64 = _combination(_prod, np.int64)
lanes_max_f32, put_max_f32, get_max_f32 = _combination(_max, np.float32)
lanes_max_f64, put_max_f64, get_max_f64 = _combination(_max, np.float64)
lanes_max_int64, put_max_int64, get_max_int64 = _combination(_max, np.int64)
lanes_min_f32, put_min_f32, get_min_f32 = _combination(_min, np.float32)
lanes_min_f64, put_min_f64, get_min_f64 = _combination(_min, np.float64)
lanes_min_int64, put_min_int64, get_min_int64 = _combination(_min, np.int64)
lanes_first_int64 = lanes_min_int64
"""The least: of positions, the first."""
_, put_any_bool, _any = _combination(_or, np.int32)
_, put_all_bool, _all = _combination(_and, np.int32)


@device
def get_any_bool(number):
    """As the others, of truth values."""
    return _any(number) != 0


@device
def get_all_bool(number):
    """As the others, of truth values."""
    return _all(number) != 0
