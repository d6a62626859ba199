"""One side of a workload in a process of its own: `python -m profiling.loops.alone WORKLOAD SIDE [--quick] [--serve]`.

Law of this file: with --serve it takes its turns in a race (see `apart.py`).  Without, the last line that it prints is JSON, what
that side costs to start: `import`, seconds for NumPy and the library; `build`, seconds until the loop could begin (graph, gradients,
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
import os
import resource
import sys

from ..cuda import WORKLOADS as ON_CUDA
from ..timing import sample
from .apart import serve
from .problem import Problem, Workload
from .sides import IMPORTS, SIDES
from .suite import WORKLOADS as ON_CPU

WORKLOADS = ON_CPU | ON_CUDA


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
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    workload = WORKLOADS[given.workload]
    problem = workload.problem(**(workload.tiny if given.quick else {}))
    if not given.serve:
        print(json.dumps(starting(workload, given.side, problem)))
        return
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)  # what a library prints is no reply
        serve(SIDES[given.side][1](workload, problem), sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
