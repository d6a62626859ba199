"""How our time grows: a step's with rows, features, layers and threads, and compilation's with layers and with steps of a loop.

Law of this file: one number changes, all else stays; each point is the difference of two loops long enough to be clocked, run
after the one that compiles, each the fastest of three.  The exponent is the slope of log time over log size: over all points, and between
the last two, where what is constant weighs least.  Compilation is our first loop less a later one, in a process of its own
with nothing cached.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import symgraph

from .loops import lstm
from .loops.linear import numpy as numpy_linear
from .loops.problem import Descent, Problem, layers, pick
from .loops.sides import cores
from .timing import sample, seconds

sg: Any = symgraph  # some of its names come from tables, which type checkers do not follow
ROOT = Path(__file__).resolve().parent.parent
LONG = 0.1
"""Seconds that a loop should take at least."""


def growth(name: str, sizes: Sequence[int], cost: Callable[[int], float]) -> dict[str, Any]:
    """Seconds at each size; the slope over all points and between the last two, None with fewer than two."""
    times = [cost(size) for size in sizes]
    slopes = {"slope": exponent(sizes, times), "last": exponent(sizes[-2:], times[-2:])}
    return {"name": name, "sizes": list(sizes), "seconds": times, **slopes}


def exponent(sizes: Sequence[int], times: Sequence[float]) -> float | None:
    """The p for which time is closest to size ** p on logarithmic axes."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0]) if len(sizes) > 1 else None


# ---------------------------------------------------------------- programs
def linear(rows: int, columns: int = 9) -> Problem:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((rows, columns), np.float32), rng.standard_normal((rows, 1), np.float32)
    return Problem(data, (np.zeros((columns, 1), np.float32),), 1, Descent("GradientDescent", 0.01))


def deep(count: int, width: int = 64, rows: int = 1000, batch: int = 50) -> Problem:
    """A net with `count` equal hidden layers and one output."""
    rng = np.random.default_rng(0)
    data = rng.random((rows, width), np.float32), rng.random((rows, 1), np.float32)
    start = layers(rng, [width] * (count + 1) + [1])[:-1]
    return Problem(data, start, 1, Descent("GradientDescent", 0.001), pick(1, 1, batch, rows))


class Loop:
    """Our loop over a problem whose data is fed: `run(steps)`."""

    def __init__(self, problem: Problem, loss: Callable[[Sequence[Any], Sequence[Any]], Any] | None = None) -> None:
        with sg.Graph().as_default():
            inputs = [sg.placeholder(a.dtype.name, (None, *a.shape[1:])) for a in problem.data]
            total = (loss or _squares)(inputs, [sg.Variable(a) for a in problem.start])
            self.step = sg.train.GradientDescentOptimizer(problem.descent.rate).minimize(total)
            self.session = sg.Session()
            self.session.run(sg.global_variables_initializer())
        self.feed, self.problem = dict(zip(inputs, problem.data)), problem

    def run(self, steps: int) -> None:
        batches = None
        if self.problem.rows is not None:
            batches = sg.Minibatch(indices=pick(1, steps, self.problem.rows.shape[1], len(self.problem.data[0])))
        self.session.run_loop(self.step, steps, feed_dict=self.feed, minibatch=batches, progress=False)


def _squares(inputs: Sequence[Any], parameters: Sequence[Any]) -> Any:
    """Mean squared error behind layers of relu (weights and biases in turn) and last weights."""
    hidden, target = inputs
    for k in range(0, len(parameters) - 1, 2):
        hidden = sg.nn.relu(sg.matmul(hidden, parameters[k]) + parameters[k + 1])
    return sg.reduce_mean(sg.square(sg.matmul(hidden, parameters[-1]) - target))


def recurrent(length: int) -> Loop:
    """Our loop over an LSTM of 16 units along `length` steps of 4 numbers."""
    return Loop(lstm.problem(64, 1, 16, length, 4, 16), lambda data, parameters: lstm.graph(sg, parameters, data))


COMPILED: dict[str, Callable[[int], Loop]] = {"layers": lambda count: Loop(deep(count)), "steps": recurrent}
"""What is compiled, by what its number counts."""


# ---------------------------------------------------------------- clocks
def per_step(run: Callable[[int], object], long: float = LONG) -> float:
    """Seconds that one more step takes in a loop of at least `long` seconds (or a million steps).

    That is the difference between a loop and one three times as long: what a loop does once, packing its data say, is in
    both.  Where noise is larger than the difference, it is the longer loop's share."""
    steps = 1
    run(1)
    while (spent := _whole(run, steps)) < long and steps < 10**6:
        steps = min(10**6, max(2 * steps, int(1.2 * steps * long / spent)))
    short, tripled = (min(_whole(run, n) for _ in range(3)) for n in (steps, 3 * steps))
    return (tripled - short) / (2 * steps) if tripled > short else tripled / (3 * steps)


def _whole(run: Callable[[int], object], steps: int) -> float:
    return sample(lambda: run(steps), 1)


def _numpy(problem: Problem) -> Callable[[int], None]:
    parameters = problem.fresh()
    return lambda steps: numpy_linear(Problem(problem.data, problem.start, steps, problem.descent), parameters)


def compiling(what: str, count: int) -> float:
    """Seconds of the first loop over a net of that many layers or steps, less a later one's; nothing cached, imports not counted."""
    with tempfile.TemporaryDirectory() as cache:
        env = {**os.environ, "SYMGRAPH_CACHE_DIR": cache, "NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-m", "profiling.growth", what, str(count)]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=3600)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _compile_here(what: str, count: int) -> float:
    import numba  # noqa: F401
    import scipy.linalg  # noqa: F401

    loop = COMPILED[what](count)
    first, *later = [_whole(loop.run, 5) for _ in range(4)]
    return first - min(later)


def _with_threads(count: int, problem: Problem, long: float) -> float:
    sg.set_threads(count)
    try:
        return per_step(Loop(problem).run, long)
    finally:
        sg.set_threads(cores())


def run(quick: bool) -> list[dict[str, Any]]:
    """All growths; `quick` takes few and small sizes, to see that it runs."""
    long = 0.005 if quick else LONG
    rows = (1000, 2000) if quick else (1000, 10_000, 100_000, 1_000_000, 10_000_000)
    columns = (2, 4) if quick else (2, 5, 10, 20, 50, 100, 200, 500, 1000)
    depths = (1, 2) if quick else (1, 2, 5, 10, 20, 50)
    compiled, lengths = ((1,), (2,)) if quick else ((5, 10, 20, 50), (10, 100, 1000))
    threads = range(1, cores() + 1)
    busy = linear(1000 if quick else 1_000_000)
    width = 100 if quick else 20_000
    return [
        growth("step over rows (x 9)", rows, lambda n: per_step(Loop(linear(n)).run, long)),
        growth("the same by NumPy", rows, lambda n: per_step(_numpy(linear(n)), long)),
        growth(f"step over features ({width} rows)", columns, lambda n: per_step(Loop(linear(width, n)).run, long)),
        growth("the same by NumPy", columns, lambda n: per_step(_numpy(linear(width, n)), long)),
        growth("step over layers (64 wide, 50 rows)", depths, lambda n: per_step(Loop(deep(n)).run, long)),
        growth(f"step over threads ({len(busy.data[0])} x 9)", threads, lambda n: _with_threads(n, busy, long)),
        growth("compilation over layers", compiled, partial(compiling, "layers")),
        growth("compilation over steps of an LSTM", lengths, partial(compiling, "steps")),
    ]


def text(found: Sequence[dict[str, Any]]) -> str:
    """Two lines for each growth: its name and exponents, every size with its time."""
    return "\n".join(f"{name}{f'   exponent {slopes}' if slopes else ''}\n    {points}" for name, points, slopes in map(_cells, found))


def markdown(found: Sequence[dict[str, Any]]) -> str:
    """The table for a page."""
    return "\n".join(["| | size: time | exponent |", "| --- | --- | --- |", *("| " + " | ".join(_cells(g)) + " |" for g in found)])


def _cells(g: dict[str, Any]) -> tuple[str, str, str]:
    points = ", ".join(f"{size}: {seconds(time)}" for size, time in zip(g["sizes"], g["seconds"]))
    return g["name"], points, "" if g["slope"] is None else f"{g['slope']:.2f}, at the end {g['last']:.2f}"


if __name__ == "__main__":
    print(json.dumps(_compile_here(sys.argv[1], int(sys.argv[2]))))
