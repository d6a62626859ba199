"""`python -m profiling` lists the workloads; `python -m profiling NAME ... [--quick] [--full] [--json FILE]` runs them.

Law of this file: a workload is a row of `WORKLOADS`; it takes `quick` (fewer rounds, to see that it runs) and returns
timings, the first of which the others are divided by.  A suite is a row of `SUITES`: many measurements with a table of
their own.  One training loop of the suite `loops` is named `loops/NAME`, of the suite `cuda` `cuda/NAME`.  What cannot run
here says why, and the exit code is 2; that of a check in which somebody disagrees is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import busy, call, cuda, embedding, events, formulas, fresh, growth, products, saving
from .loops import suite as loops
from .timing import Timing, machine, table

WORKLOADS: dict[str, Callable[[bool], list[Timing]]] = {
    "import": fresh.imports,
    "first-step": fresh.first_step,
    "session-call": call.session_call,
    "housing-step": call.housing_step,
    "embedding-step": embedding.adagrad,
    "log-scalars": events.scalars,
    "saving": saving.hundred_megabytes,
    "team-idle": busy.idle,
    "team-busy-short": busy.short_steps,
    "team-busy-long": busy.long_steps,
}


@dataclass(frozen=True)
class Suite:
    """`run(parts, options)` gives plain data for JSON, `text` the table of it; `parts` are what can be run of it, each with its
    purpose, `missing(options)` says why it cannot run here.  One that `checks` can compare answers alone."""

    purpose: str
    run: Callable[[Sequence[str], Namespace], list[dict[str, Any]]]
    text: Callable[[Sequence[dict[str, Any]]], str]
    parts: Mapping[str, str] = field(default_factory=dict)
    missing: Callable[[Namespace], str] = lambda options: ""
    checks: bool = False


SUITES = {
    "loops": Suite(
        "Whole training loops against every library that is installed; with --full also what each costs to start.",
        lambda parts, given: loops.run(parts, quick=given.quick, full=given.full, check=given.check),
        loops.text,
        {name: workload.purpose for name, workload in loops.WORKLOADS.items()},
        checks=True,
    ),
    "cuda": Suite(
        "Whole training loops on one GPU against JAX and PyTorch there, and against the speed at which it copies.",
        lambda parts, given: cuda.run(parts, quick=given.quick, full=given.full, check=given.check),
        cuda.text,
        {name.removeprefix("cuda/"): workload.purpose for name, workload in cuda.WORKLOADS.items()},
        lambda given: "" if given.check else cuda.missing(),
        checks=True,
    ),
    "growth": Suite(
        "How a step grows with rows, features, layers and threads, and compilation with layers.",
        lambda parts, given: growth.run(given.quick),
        growth.text,
    ),
    "formulas": Suite(
        "How long derivatives and their texts take, over textbook losses and over layers.",
        lambda parts, given: formulas.run(given.quick),
        formulas.text,
    ),
    "products": Suite(
        "Our matrix products against BLAS, one thread.",
        lambda parts, given: products.run(given.quick),
        products.text,
    ),
}


def purpose(workload: Callable[[bool], list[Timing]]) -> str:
    return (workload.__doc__ or "").strip().splitlines()[0]


def listing() -> str:
    """Every name that can be given, and what it measures."""
    rows = [(name, purpose(workload)) for name, workload in WORKLOADS.items()]
    for name, suite in SUITES.items():
        rows.append((name, suite.purpose))
        rows += [(f"{name}/{part}", what) for part, what in suite.parts.items()]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {what}" for name, what in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m profiling", description="Run measurements by name, or list them.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="'all' runs every one")
    parser.add_argument("--quick", action="store_true", help="few rounds, small sizes: to see that it runs, not for figures to quote")
    parser.add_argument("--full", action="store_true", help="loops, cuda: also imports, compilation and memory, in processes of their own")
    parser.add_argument("--check", action="store_true", help="loops, cuda: only whether all agree, at tiny sizes; a GPU is simulated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample there")
    arguments = parser.parse_args()
    if not arguments.names:
        print(listing())
        return
    absent = {name: why for name, suite in SUITES.items() if (why := suite.missing(arguments))}
    possible = [name for name in (*WORKLOADS, *SUITES) if name not in absent]
    names = possible if arguments.names == ["all"] else list(dict.fromkeys(arguments.names))
    allowed = {*WORKLOADS, *SUITES, *(f"{name}/{part}" for name, suite in SUITES.items() for part in suite.parts)}
    if unknown := [name for name in names if name not in allowed]:
        parser.error(f"no workload {unknown[0]!r}; there are:\n{listing()}")
    asked = {name.partition("/")[0] for name in names}
    if arguments.check and (unable := [name for name in asked if name not in SUITES or not SUITES[name].checks]):
        parser.error(f"{unable[0]} has no --check")
    if lacking := [why for name, why in absent.items() if name in asked]:
        parser.exit(2, f"{lacking[0]}\n")
    print(machine())
    results: dict[str, list] = {}
    for name in names:
        if name in WORKLOADS:
            print(f"\n{name}: {purpose(WORKLOADS[name])}")
            timings = WORKLOADS[name](arguments.quick)
            print(table(timings))
            results[name] = [{"side": t.name, "seconds": t.seconds, "ratio": t.ratio} for t in timings]
    for name, suite in SUITES.items():
        parts = [asked.partition("/")[2] for asked in names if asked.partition("/")[0] == name]
        if parts:
            print(f"\n{name}: {suite.purpose}", flush=True)
            results[name] = suite.run([] if "" in parts else parts, arguments)
            print(suite.text(results[name]))
    if arguments.json:
        written = {"machine": machine(), "quick": arguments.quick or arguments.check, "workloads": results}
        arguments.json.write_text(json.dumps(written, indent=1) + "\n")
    if arguments.check and any("failed" in row for rows in results.values() for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
