"""The race of all sides in all workloads, and the table of it.

Law of this file: each side of a workload runs in a process of its own (`apart.py`), and they take turns; before any clock
their final parameters are held against each other.  A figure is the whole loop's median; a ratio is how many times
our time it is, median over rounds.  Starting costs (`full`) are asked of a process for each side: twice, so that the
second one finds what the first one cached.

Idle threads may spin on after a turn.  Processor time burnt by a sleeping process after five steps of the large net: NumPy's
OpenBLAS 25 to 60 ms, within the first 100 ms; PyTorch 4 ms as it comes and none as `sides.py` sets it; TensorFlow, JAX and
we none.  So 100 ms lie between two turns.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ..timing import DifferentAnswers, Side, Timing, check_answers, compare, seconds
from . import autoencoder, cnn, factors, huber, linear, logistic, lstm, mlp, options
from .apart import ROOT, Apart, command
from .problem import BEST, OURS, Problem, Target, Workload
from .sides import IMPORTS, SIDES, cores

PEERS = tuple(name for name in IMPORTS if name != OURS)
WORKLOADS: dict[str, Workload] = {
    w.name: w
    for w in (
        linear.FULL,
        linear.BATCHES,
        logistic.LOGISTIC,
        mlp.LARGE,
        mlp.DIGITS,
        options.OPTIONS,
        factors.FACTORS,
        autoencoder.AUTOENCODER,
        huber.HUBER,
        lstm.LSTM,
        lstm.UNROLLED,
        cnn.CNN,
    )
}
LIMITS = {"cold": 2.0, "warm": 0.4}
"""Seconds that our first loop may take beyond a later one, without and with a filled cache."""


# ---------------------------------------------------------------- running
def installed(side: str) -> bool:
    return importlib.util.find_spec(IMPORTS[SIDES[side][0]][0]) is not None


def names(workload: Workload) -> list[str]:
    """The sides of a workload that can run here; ours first, ratios are to it."""
    silent = {"NumPy": workload.numpy is None, "PyTensor": workload.pytensor is None}
    return [side for side in wanted(workload) if installed(side) and not silent.get(side)]


def wanted(workload: Workload) -> tuple[str, ...]:
    """The sides of a workload, whether or not they can run here."""
    return workload.sides or (OURS, *workload.more, *PEERS)


def is_peer(side: str) -> bool:
    """Is this another library?"""
    return SIDES[side][0] != OURS


def race(workload: Workload, problem: Problem, sides: Sequence[Side], *, quick: bool = False) -> dict[str, Any]:
    """Times of these sides, as plain data; raises `DifferentAnswers` where the parameters that two sides end with differ."""
    rounds, least, pause = (1, 0.0, 0.0) if quick else (9, 0.1, 0.1)
    timings = compare(sides, rounds=rounds, least=least, rtol=workload.rtol, atol=workload.atol, pause=pause)
    moves = workload.moves(problem) * problem.steps if workload.moves else None
    rows = [{"side": t.name, "seconds": t.seconds, "median": t.median, "ratio": t.ratio} for t in timings]
    for row, t in zip(rows, timings):
        row["bandwidth"] = moves and moves / t.median
    return {
        "workload": workload.name,
        "purpose": workload.purpose,
        "steps": problem.steps,
        "tolerance": [workload.rtol, workload.atol],
        "threads": cores(),
        "sides": rows,
        "targets": [reached for target in workload.targets if (reached := _reached(target, timings))],
    }


def _reached(target: Target, timings: Sequence[Timing]) -> dict[str, Any] | None:
    """How far a target was met: its factor, and the one that was measured; None where one of the two sides is absent."""
    by_name = {t.name: t for t in timings}
    mine = by_name.get(target.ours)
    peers = [t for t in timings if is_peer(t.name)]
    theirs = min(peers, key=lambda t: t.median) if target.against == BEST and peers else by_name.get(target.against)
    if mine is None or theirs is None:
        return None
    factor = statistics.median(b / a for a, b in zip(mine.seconds, theirs.seconds, strict=True))
    return {"ours": target.ours, "against": theirs.name, "factor": target.factor, "measured": factor}


def run(
    only: Iterable[str] = (),
    *,
    quick: bool = False,
    full: bool = False,
    check: bool = False,
    among: Mapping[str, Workload] = WORKLOADS,
    **environment: str,
) -> list[dict[str, Any]]:
    """All workloads, or those named; standard error is told how far it is, and which libraries are missing.

    `quick` takes tiny sizes, to see that everything runs; `full` adds what each library costs to start; `check` only compares
    answers, at tiny sizes.  A peer that does not run is left out.  Processes see `environment`."""
    found = []
    chosen, tiny = list(only or among), quick or check
    if absent := dict.fromkeys(SIDES[side][0] for name in chosen for side in wanted(among[name]) if not installed(side)):
        print(f"not installed: {', '.join(absent)}", file=sys.stderr, flush=True)
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        workload = among[name]
        problem = workload.problem(**(workload.tiny if tiny else {}))
        try:
            with ExitStack() as stack:
                sides = [stack.enter_context(Apart(name, side, tiny, **environment)).side for side in names(workload)]
                figures = checked(workload, problem, sides) if check else race(workload, problem, _running(sides), quick=quick)
        except (DifferentAnswers, RuntimeError) as error:
            figures = {"workload": name, "purpose": workload.purpose, "failed": str(error).splitlines()[-1]}
        timed = figures.get("sides", []) if full else []
        first = {SIDES[row["side"]][0]: row for row in reversed(timed)}  # of each library
        for row in first.values():
            row |= _starting(name, row["side"], quick, environment)
        found.append(figures)
        print(text([figures]), file=sys.stderr, flush=True)
    return found


def _running(sides: Sequence[Side]) -> list[Side]:
    """Those whose first run succeeds; ours must."""
    able = []
    for side in sides:
        try:
            side.first_answer()
        except RuntimeError as error:
            if not is_peer(side.name):
                raise
            print(f"left out: {error}", file=sys.stderr, flush=True)
        else:
            able.append(side)
    return able


def checked(workload: Workload, problem: Problem, sides: Sequence[Side]) -> dict[str, Any]:
    """Who ends with the same parameters, as plain data; raises `DifferentAnswers` unless all do."""
    check_answers([(side.name, side.first_answer()) for side in sides], rtol=workload.rtol, atol=workload.atol)
    return {"workload": workload.name, "purpose": workload.purpose, "agree": [side.name for side in sides]}


def child(workload: str, side: str, *, quick: bool, **environment: str) -> dict[str, Any]:
    """The JSON that `alone.py` prints last for this side; raises RuntimeError with what it says if it fails."""
    done = subprocess.run(
        command(workload, side, quick), cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=3600
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"exit code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def _starting(workload: str, side: str, quick: bool, environment: Mapping[str, str]) -> dict[str, float]:
    """Seconds to import, to build and to start, cold and warm, and the memory it took; medians of three pairs of processes."""
    pairs = []
    for _ in range(1 if quick else 3):
        with tempfile.TemporaryDirectory() as cache:
            caches = {**environment, "SYMGRAPH_CACHE_DIR": cache, "NUMBA_CACHE_DIR": cache, "PYTENSOR_FLAGS": f"base_compiledir={cache}"}
            pairs.append([child(workload, side, quick=quick, **caches) for _ in range(2)])
    middle: Callable[[int, str], float] = lambda k, key: statistics.median(pair[k][key] for pair in pairs)  # noqa: E731
    steady = {key: middle(1, key) for key in ("import", "build", "peak")}
    return steady | {"cold": middle(0, "start"), "warm": middle(1, "start")}


# ---------------------------------------------------------------- telling
def cells(loops: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A header and a row for each side of each workload, from what `run` returns."""
    sides = [row for loop in loops for row in loop.get("sides", [])]
    rates, starts = any(row["bandwidth"] for row in sides), any("cold" in row for row in sides)
    header = ["workload", "side", "loop", "step", "ratio", "targets"]
    table = [header + ["GB/s"] * rates + ["import", "build", "cold", "warm", "peak"] * starts]
    for loop in loops:
        if "failed" in loop:
            table.append([loop["workload"], "failed", *[""] * (len(table[0]) - 3), loop["failed"]])
        if "agree" in loop:
            table.append([loop["workload"], "agree", *[""] * (len(table[0]) - 3), "; ".join(loop["agree"])])
        for k, row in enumerate(loop.get("sides", [])):
            lost = " (we lose)" if row["ratio"] < 1 and is_peer(row["side"]) else ""
            line = [loop["workload"] if k == 0 else "", row["side"], seconds(row["median"]), seconds(row["median"] / loop["steps"])]
            line += [f"{row['ratio']:.2f}{lost}", "; ".join(_verdict(t) for t in loop["targets"] if t["against"] == row["side"])]
            line += [f"{row['bandwidth'] / 1e9:.1f}" if row["bandwidth"] else ""] * rates
            table.append(line + (_start_cells(row) if "cold" in row else [""] * 5) * starts)
    return table


def _verdict(target: dict[str, Any]) -> str:
    who = "" if target["ours"] == OURS else target["ours"].removeprefix(OURS + ", ") + ": "
    return f"{who}>= {target['factor']:g} {'met' if target['measured'] >= target['factor'] else 'missed'} ({target['measured']:.3g})"


def _start_cells(row: dict[str, Any]) -> list[str]:
    def limited(key: str) -> str:
        limit = f" (<= {LIMITS[key]:g} {'met' if row[key] <= LIMITS[key] else 'missed'})" if row["side"] == OURS else ""
        return seconds(max(row[key], 0.0)) + limit

    return [seconds(row["import"]), seconds(row["build"]), limited("cold"), limited("warm"), f"{row['peak'] / 2**20:.0f} MiB"]


def text(loops: Sequence[dict[str, Any]]) -> str:
    """The table, aligned."""
    table = cells(loops)
    widths = [max(len(line[k]) for line in table) for k in range(len(table[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in table)


def markdown(loops: Sequence[dict[str, Any]]) -> str:
    """The table for a page."""
    header, *rows = cells(loops)
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *rows])
