"""How two ways of doing one thing are compared.

Law of this file: answers first, times second, and the sides take turns.  Every side is called once and its answer is
held against the first side's before a clock is read.  Then come rounds; in each round every side is sampled once, in
an order that rotates, so that a slow spell of the machine falls on all of them.  What is reported is the median of a
side's samples and the median of its per-round ratios to the first side: a mean would be moved by one bad round.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Side:
    """One competitor: `run()` does the work once and returns what it computed (arrays, or nested lists of them).

    Where the work changes state instead, `answer()` reads what is to be compared after the first run, and `reset()`
    puts the state back before every run, outside of the clock.  A side that runs in another process has a `clock` of its
    own there, which takes the number of runs and gives the seconds of one.
    """

    name: str
    run: Callable[[], object]
    answer: Callable[[], object] | None = None
    reset: Callable[[], object] | None = None
    clock: Callable[[int], float] | None = None

    def first_answer(self) -> object:
        """What it computes, from its first state."""
        if self.reset:
            self.reset()
        returned = self.run()
        return self.answer() if self.answer else returned

    def sample(self, count: int) -> float:
        """Seconds per run over `count` runs."""
        return self.clock(count) if self.clock else sample(self.run, count, self.reset)


@dataclass(frozen=True)
class Timing:
    """Seconds per call, one number per round, and the same divided by the first side's number of that round."""

    name: str
    seconds: tuple[float, ...]
    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


class DifferentAnswers(AssertionError):
    """Two sides did not compute the same thing, so their times mean nothing."""


def compare(
    sides: Sequence[Side], *, rounds: int = 9, least: float = 0.02, rtol: float = 1e-5, atol: float = 1e-7, pause: float = 0.0
) -> list[Timing]:
    """Time every side against the first.

    A sample calls `run` as often as is needed for `least` seconds, and begins `pause` seconds after the one before it:
    libraries whose idle threads spin for a while would otherwise take cores from the next side.  Raises
    `DifferentAnswers` when a side's answer is further than `rtol`, `atol` from the first one's; a side that returns
    None is not compared.
    """
    check_answers([(side.name, side.first_answer()) for side in sides], rtol=rtol, atol=atol)
    repeats = [_repeats(side, least) for side in sides]
    samples: list[list[float]] = [[] for _ in sides]
    for turn in range(rounds):
        for place in range(len(sides)):
            k = (place + turn) % len(sides)
            time.sleep(pause)
            samples[k].append(sides[k].sample(repeats[k]))
    return timings([side.name for side in sides], samples)


def timings(names: Sequence[str], samples: Sequence[Sequence[float]]) -> list[Timing]:
    """Samples of every side, round by round, as `Timing`s; for sides that are measured elsewhere (in other processes)."""
    first = samples[0]
    return [
        Timing(name, tuple(mine), tuple(own / base for own, base in zip(mine, first))) for name, mine in zip(names, samples, strict=True)
    ]


def check_answers(answers: Sequence[tuple[str, object]], *, rtol: float, atol: float) -> None:
    """Hold every answer against the first; raises `DifferentAnswers`."""
    base_name, base = answers[0]
    for name, answer in answers[1:]:
        if answer is None or base is None:
            continue
        for mine, theirs in zip(_leaves(answer), _leaves(base), strict=True):
            try:
                np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=atol)
            except AssertionError as error:
                raise DifferentAnswers(f"{name} and {base_name} disagree: {error}") from None


def _leaves(answer: object) -> list[np.ndarray]:
    if isinstance(answer, (list, tuple)):
        return [leaf for item in answer for leaf in _leaves(item)]
    return [np.asarray(answer)]


def _repeats(side: Side, least: float) -> int:
    count = 1
    while (spent := side.sample(count) * count) < least:
        count = max(count + 1, min(count * 10, int(count * 1.2 * least / max(spent, 1e-9))))
    return count


def sample(run: Callable[[], object], count: int, reset: Callable[[], object] | None = None) -> float:
    """Seconds per call over `count` calls, without the garbage collector; `reset` goes before each, uncounted."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        if reset is None:
            return _clocked(run, count) / count
        spent = 0.0
        for _ in range(count):
            reset()
            spent += _clocked(run, 1)
        return spent / count
    finally:
        if enabled:
            gc.enable()


def _clocked(run: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    return time.perf_counter() - start


def seconds(value: float) -> str:
    """A time with three figures and its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def table(timings: Sequence[Timing]) -> str:
    """The timings as aligned text: median, fastest and slowest round, ratio to the first side."""
    rows = [("side", "median", "fastest", "slowest", "ratio")]
    rows += [(t.name, seconds(t.median), seconds(min(t.seconds)), seconds(max(t.seconds)), f"{t.ratio:.2f}") for t in timings]
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]) for row in rows)


def machine() -> str:
    """What the figures were taken on, in one line."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass  # no Linux: the short name will do
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, NumPy {np.__version__}"
