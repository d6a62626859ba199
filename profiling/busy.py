"""What a team of two threads costs on a machine that is not idle.

Law of this file: the work of a step is fixed and shared by the threads, with one barrier a step; another process keeps
one core busy all the while (`idle` leaves it out).  The target: as many threads as pay are never 1.5 times slower than one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from .timing import Side, Timing, compare

SPIN = "import os; hasattr(os, 'sched_setaffinity') and os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\nwhile True: pass"
UNITS = {"short": 6_000, "long": 240_000}
"""Dependent multiply-adds in a step: about 10 and 400 us of one core."""


def _kernel() -> Callable[..., None]:
    import numba

    from symgraph.codegen.runtime.team import barrier_wait, step_done

    def loop(tid, nthreads, barrier, control, first, last, units, x):
        for s in range(first, last):
            if s >= control[0]:
                return
            value = x[64 * tid]
            for _ in range(units * tid // nthreads, units * (tid + 1) // nthreads):
                value = value * 0.999 + 1.0
            x[64 * tid] = value
            if tid == 0:
                step_done(control, s)
            barrier_wait(barrier, nthreads)

    signature = "void(int64, int64, int64[::1], int64[::1], int64, int64, int64, float64[::1])"
    return numba.njit(signature, nogil=True, error_model="numpy", fastmath=False)(loop)


def _sides(units: int, steps: int) -> list[Side]:
    from symgraph.codegen.runtime.pace import Pace, paced
    from symgraph.codegen.runtime.pool import CONTROL_SIZE, DEADLINE, DONE, STOP, run_team

    kernel, control, x = _kernel(), np.zeros(CONTROL_SIZE, np.int64), np.zeros(128)

    def enter(n: int, first: int, last: int, deadline: int = 0) -> int:
        control[[STOP, DONE, DEADLINE]] = 2**62, first, deadline
        run_team(n, kernel, control, first, last, units, x)
        return int(control[DONE])

    advance = paced(enter, 2, Pace())
    return [
        Side("one thread", lambda: enter(1, 0, steps)),
        Side("two threads", lambda: enter(2, 0, steps)),
        Side("as many as pay", lambda: advance(0, steps)),
    ]


def _measure(units: int, quick: bool, hog: bool) -> list[Timing]:
    import symgraph as tf

    rounds, steps = (2, 6_000_000 // units) if quick else (9, 360_000_000 // units)
    busy = subprocess.Popen([sys.executable, "-c", SPIN]) if hog else None
    tf.set_threads(min(2, os.cpu_count() or 1))
    try:
        time.sleep(0.3)
        return compare(_sides(units, steps), rounds=rounds, least=0.0)
    finally:
        tf.set_threads(None)
        if busy:
            busy.kill()
            busy.wait()


def short_steps(quick: bool) -> list[Timing]:
    """Steps of 10 us shared by two threads while another process keeps one core busy."""
    return _measure(UNITS["short"], quick, True)


def long_steps(quick: bool) -> list[Timing]:
    """Steps of 400 us shared by two threads while another process keeps one core busy."""
    return _measure(UNITS["long"], quick, True)


def idle(quick: bool) -> list[Timing]:
    """Steps of 10 us shared by two threads on a machine that is left alone."""
    return _measure(UNITS["short"], quick, False)
