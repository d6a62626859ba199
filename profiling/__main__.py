"""`python -m profiling` lists the workloads; `python -m profiling NAME ... [--quick] [--json FILE]` runs them.

Law of this file: a workload is a row of `WORKLOADS`; it takes `quick` (fewer rounds, to see that it runs) and returns
timings, the first of which the others are divided by.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from . import call, events, fresh, saving
from .timing import Timing, machine, table

WORKLOADS: dict[str, Callable[[bool], list[Timing]]] = {
    "import": fresh.imports,
    "first-step": fresh.first_step,
    "session-call": call.session_call,
    "housing-step": call.housing_step,
    "log-scalars": events.scalars,
    "saving": saving.hundred_megabytes,
}


def purpose(workload: Callable[[bool], list[Timing]]) -> str:
    return (workload.__doc__ or "").strip().splitlines()[0]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m profiling", description="Run measurements by name, or list them.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="'all' runs every one")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: to see that it runs, not for figures to quote")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample there")
    arguments = parser.parse_args()
    if not arguments.names:
        width = max(map(len, WORKLOADS))
        print("\n".join(f"{name.ljust(width)}  {purpose(workload)}" for name, workload in WORKLOADS.items()))
        return
    names = list(WORKLOADS) if arguments.names == ["all"] else arguments.names
    if unknown := [name for name in names if name not in WORKLOADS]:
        parser.error(f"no workload {unknown[0]!r}; there are: {', '.join(WORKLOADS)}")
    print(machine())
    results = {}
    for name in names:
        print(f"\n{name}: {purpose(WORKLOADS[name])}")
        timings = WORKLOADS[name](arguments.quick)
        print(table(timings))
        results[name] = [{"side": t.name, "seconds": t.seconds, "ratio": t.ratio} for t in timings]
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "quick": arguments.quick, "workloads": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
