"""Whether a team is worth its threads while a loop runs: on a busy machine it may not be.

Law of this file: a loop runs in slices of 20 ms, and results do not depend on the number of threads, so each slice may
have another.  A team waits at every barrier for the slowest: beside one busy process on one of two cores, steps of
2 x 5 us took 1.0 to 4 times as long with two threads as with one, whatever the waiting threads did meanwhile.  A slice is
calm when its caller had a core to itself; only after one that was not is a slice given to one thread, and the faster
goes on.  One thread gives way to the team again after a pause that doubles each time the team is slower.  The same steps
then took 1.0 to 1.2 times as long as with one thread, and with nothing else on the machine 0.60 instead of 0.56 (`python -m
profiling team-busy-short team-idle`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from .pool import borrow

SLICE = 20_000_000
PAUSES = 50_000_000, 1_000_000_000
"""Nanoseconds: a slice; the shortest and the longest time that one thread goes on before the team is tried again."""
CALM = 0.9
"""Share of a slice that its caller spent on a core."""


@dataclass(slots=True)
class Pace:
    """What is known of a loop: nanoseconds a step of one thread and when that was measured, when to try the team again."""

    alone: float = math.inf
    measured: float = -math.inf
    retry: int = 0
    pause: int = PAUSES[0]

    def wants_team(self, now: int) -> bool:
        return now >= self.retry

    def note(self, threads: int, cost: float, share: float, now: int) -> None:
        """A slice is over: its threads, nanoseconds a step, the share of it that its caller spent on a core."""
        known = now - self.measured <= PAUSES[1]
        if threads == 1:
            self.alone, self.measured = cost, now
        elif share >= CALM or (known and cost <= self.alone):
            self.pause = max(self.pause // 2, PAUSES[0])
        elif known:
            self.retry, self.pause = now + self.pause, min(self.pause * 2, PAUSES[1])
        else:
            self.retry = now + 1  # one slice alone, to compare


def paced(enter: Callable[[int, int, int, int], int], most: int, pace: Pace) -> Callable[..., int]:
    """advance(first, last, deadline=0) from enter(threads, first, last, deadline), with up to `most` threads as they pay.

    Both run steps first to last - 1, at least one, until time.perf_counter_ns() passes the deadline (0: none), and return
    the number of the step after the last one done.  The threads are borrowed for each slice; `pace` remembers how it went.
    """

    def advance(first: int, last: int, deadline: int = 0) -> int:
        begun = time.perf_counter_ns()
        while True:
            spent = time.thread_time_ns()
            until = min(begun + SLICE, deadline) if deadline else begun + SLICE
            with borrow(most if pace.wants_team(begun) else 1) as n:
                done = enter(n, first, last, until)
            now = time.perf_counter_ns()
            if done > first:
                pace.note(n, (now - begun) / (done - first), (time.thread_time_ns() - spent) / (now - begun), now)
            if done >= last or done <= first or (deadline and now >= deadline):
                return done
            first, begun = done, now

    return advance
