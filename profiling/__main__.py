"""`python -m profiling` lists the workloads; `python -m profiling NAME ... [--quick] [--full] [--json FILE]` runs them.

Law of this file: a workload is a row of `WORKLOADS`; it takes `quick` (fewer rounds, to see that it runs) and returns
timings, the first of which the others are divided by.  A suite is a row of `SUITES`: many measurements with a table of
their own.  One training loop of the suite `loops` is named `loops/NAME`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import busy, call, embedding, events, formulas, fresh, growth, products, saving
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
    """`run(parts, quick, full)` gives plain data for JSON, `text` the table of it."""

    purpose: str
    run: Callable[[Sequence[str], bool, bool], list[dict[str, Any]]]
    text: Callable[[Sequence[dict[str, Any]]], str]
    parts: Sequence[str] = ()


SUITES = {
    "loops": Suite(
        "Whole training loops against every library that is installed; with --full also what each costs to start.",
        lambda parts, quick, full: loops.run(parts, quick=quick, full=full),
        loops.text,
        tuple(loops.WORKLOADS),
    ),
    "growth": Suite(
        "How a step grows with rows, features, layers and threads, and compilation with layers.",
        lambda parts, quick, full: growth.run(quick),
        growth.text,
    ),
    "formulas": Suite(
        "How long derivatives and their texts take, over textbook losses and over layers.",
        lambda parts, quick, full: formulas.run(quick),
        formulas.text,
    ),
    "products": Suite(
        "Our matrix products against BLAS, one thread.",
        lambda parts, quick, full: products.run(quick),
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
        rows += [(f"{name}/{part}", loops.WORKLOADS[part].purpose) for part in suite.parts]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {what}" for name, what in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m profiling", description="Run measurements by name, or list them.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="'all' runs every one")
    parser.add_argument("--quick", action="store_true", help="few rounds, small sizes: to see that it runs, not for figures to quote")
    parser.add_argument("--full", action="store_true", help="loops: also imports, compilation and memory, in processes of their own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample there")
    arguments = parser.parse_args()
    if not arguments.names:
        print(listing())
        return
    names = [*WORKLOADS, *SUITES] if arguments.names == ["all"] else list(dict.fromkeys(arguments.names))
    allowed = {*WORKLOADS, *SUITES, *(f"{name}/{part}" for name, suite in SUITES.items() for part in suite.parts)}
    if unknown := [name for name in names if name not in allowed]:
        parser.error(f"no workload {unknown[0]!r}; there are:\n{listing()}")
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
            results[name] = suite.run([] if "" in parts else parts, arguments.quick, arguments.full)
            print(suite.text(results[name]))
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "quick": arguments.quick, "workloads": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
