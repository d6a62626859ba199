"""One workload, or one side of it, in a process of its own: `python -m profiling.loops.alone WORKLOAD [SIDE] [--quick]`.

Law of this file: the last line that it prints is JSON.  Without a side it is the race of all of them.  With one it is what that
side costs to start: `import`, seconds for NumPy and the library; `build`, seconds until the loop could begin (graph, gradients,
first parameters); `start`, seconds by which the first loop is longer than the fastest of three later ones, in which it
compiles; `peak`, bytes of memory at the highest.  Memory is the kernel's count for this program (VmHWM): `ru_maxrss` would
begin with what the process that started it had.
"""
# ruff: noqa: E402

import time

begun = time.perf_counter()
import numpy  # noqa: F401

NUMPY = time.perf_counter() - begun

import argparse
import json
import resource
import sys
from typing import Any

from ..timing import sample
from .problem import Problem, Workload
from .sides import IMPORTS, SIDES
from .suite import WORKLOADS, names, race


def starting(workload: Workload, name: str, problem: Problem) -> dict[str, float]:
    library, maker = SIDES[name]
    start = time.perf_counter()
    IMPORTS[library][1]()
    imported = time.perf_counter()
    side = maker(workload, problem)
    if side.reset:
        side.reset()
    built = time.perf_counter()
    first, *later = [sample(side.run, 1, side.reset) for _ in range(4)]
    return {"import": NUMPY + imported - start, "build": built - imported, "start": first - min(later), "peak": peak()}


def peak() -> int:
    try:
        with open("/proc/self/status", encoding="utf-8") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m profiling.loops.alone")
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("side", choices=SIDES, nargs="?")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    workload = WORKLOADS[given.workload]
    problem = workload.problem(**(workload.tiny if given.quick else {}))
    figures: dict[str, Any]
    if given.side:
        figures = starting(workload, given.side, problem)
    elif given.quick:
        figures = race(workload, problem, names(workload), rounds=3, least=0.0, pause=0.0)
    else:
        figures = race(workload, problem, names(workload))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
