"""Programs to running kernels on the CPU.

Law of this file: `compile` is the pipeline, one named step a line.  Each step's result is data, kept on the
`Executable` for the report and the tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from . import config, report, whitelist
from .cache import load
from .export import dispatcher, standalone
from .fuse import PassNote, fuse
from .gate import Gate
from .ir import Program, Repeat, programs
from .launch import Launcher
from .layout import lay_out, spread_out
from .lower import Kernel, lower
from .memory import Arguments, Part, place
from .phases import Hints, schedule
from .plain import namespace
from .printer import print_source, runtime
from .share import share
from .stages import Arranged, arrange
from .target import CPU, Limits
from .verify import verify

MAX_STATEMENTS = 3000
"""Statements past which even the passes take long: 5 ms each for a chain that is never cut."""
MAX_LINES = 2000
"""Lines past which Numba's 13 ms for each are not worth it, counted when equal nests are written once: 50 equal layers and
their updates by Adam are 250; 300 fed arrays of unknown length, joined, took minutes and 9 GB."""

Target = Literal["cpu", "python"]


class ProgramTooLong(Exception):
    """A program that is better interpreted; see `worth_compiling`."""


def worth_compiling(program: Program) -> bool:
    """Is a program short enough for `compile`?"""
    return statements(program) <= MAX_STATEMENTS


def statements(program: Program) -> int:
    """How many there are, with those in the bodies of loops."""
    return sum(len(p.statements) for p in programs(program))


def compile(program: Program, *, target: Target = "cpu") -> Executable:  # noqa: A001
    """A program as a kernel: generated source, compiled by Numba, or with target="python" run as plain Python.

    Raises `ProgramError` for a program that breaks the laws of `ir`, `ProgramTooLong` past MAX_STATEMENTS or MAX_LINES.
    """
    start = time.perf_counter()
    arguments = Arguments()
    part, notes = decide(program, arguments, {})
    kernel = share(lower(part, arguments, {}))
    made = build(kernel, target)
    launcher = Launcher(part.program, kernel, part.memory, tuple(arguments.failing), Gate([part], kernel.meetings, wakes=True))
    done = report.Made(program, part.program, notes, part.plans, part.memory, kernel, made.cache, time.perf_counter() - start)
    return Executable(program, made.source, made.path, launcher, made.entry, done)


def decide(
    program: Program, arguments: Arguments, hints: Hints, promote: bool = True, limits: Limits | None = None
) -> tuple[Part, tuple[PassNote, ...]]:
    """What runs together and where values live: the program after the passes, its plans and memory."""
    verify(program)
    if not worth_compiling(program):
        raise ProgramTooLong(f"{program.name} has {statements(program)} statements, more than {MAX_STATEMENTS}: interpret it")
    fused, notes = fuse(program, checked)
    made = arranged(fused, hints, arguments.fixed, limits or CPU)
    return Part(fused, made.plans, place(made, arguments, promote)), notes


def arranged(program: Program, hints: Hints, fixed: frozenset[str], limits: Limits) -> Arranged:
    """The plans of a program and of the bodies of its loops."""
    table = program.table()
    inside = replace(limits, library=False)
    bodies = {s.out: arranged(s.body, hints, frozenset(), inside) for s in program.statements if isinstance(s, Repeat)}
    plans = tuple(
        replace(arrange(phase, table, limits, hints), body=bodies.get(phase.members[0].statement.out))
        for phase in schedule(program, hints, limits)
    )
    placed = spread_out(program, plans, hints, fixed, limits) if limits.spread else lay_out(program, plans, hints, fixed)
    return Arranged(program, *placed)


@dataclass(frozen=True)
class Built:
    """A kernel as running code: its text, its file, its entry, and what the cache said."""

    source: str
    path: Path | None
    entry: Callable[..., None]
    cache: str


def build(kernel: Kernel, target: Target) -> Built:
    """Source text, checked, and compiled, loaded from the cache, or run as plain Python."""
    source, key = print_source(kernel), print_source(kernel, comments=False)
    if (lines := key.count("\n")) > MAX_LINES:
        raise ProgramTooLong(f"the source of {kernel.name} has {lines} lines, more than {MAX_LINES}: interpret it")
    whitelist.check(source)
    if target == "python":
        return Built(source, None, _plain_module(source)["kernel"], "not compiled: runs as plain Python")
    runtime(kernel.helpers | {"barrier_wait"})
    loaded = load(source, key_source=key, name=kernel.name)
    said = f"{'hit' if loaded.hit else 'miss'}: {loaded.why}, {loaded.seconds:.3f} s"
    return Built(source, loaded.path, loaded.module.__dict__["kernel"], said)


def checked(name: str, program: Program) -> Program:
    """With SYMGRAPH_CHECK=1 every pass must give a legal program."""
    if config.get("SYMGRAPH_CHECK"):
        verify(program)
    return program


def _plain_module(source: str) -> dict[str, Any]:
    """The module's names with every runtime function as plain Python and the decorator left out."""
    lines = [line for line in source.splitlines() if not line.startswith(("@numba", "import numba", "from symgraph"))]
    names = namespace()
    exec("\n".join(lines), names)
    kernel = names["kernel"]

    def quiet(*args: object) -> None:
        with np.errstate(all="ignore"):
            kernel(*args)

    return {**names, "kernel": quiet}


@dataclass(frozen=True, eq=False)
class Executable:
    """A compiled program.

    `source` is the generated text, `path` its file in the cache (None: in memory only), `entry` the kernel itself with
    its flat arguments, `report` what was done and why (its str is for people).
    """

    program: Program
    source: str
    path: Path | None
    launcher: Launcher
    entry: Callable[..., None]
    report: report.Made
    device = None

    def bind(self, states: Sequence[np.ndarray] = ()) -> Callable[..., tuple]:
        """A callable of the inputs.

        `states`: in the order of `program.states`, C-contiguous and of the declared dtypes; each call updates them in
        place.  The callable takes C-contiguous arrays of the declared dtypes and ranks, and returns fresh results:
        arrays, and NumPy scalars for rank 0.  Raises ValueError for shapes that do not fit, FloatingPointError when a
        `Linalg` statement fails, IndexError for a coordinate out of range (the states are then as they were).
        """
        return self.launcher.bind(self.entry, states)

    def bind_team(self, states: Sequence[np.ndarray], nthreads: int) -> Callable[..., tuple]:
        """The same, run by a team of threads: the results are bit-equal."""
        return self.launcher.bind(self.entry, states, nthreads)

    @cached_property
    def kernel(self) -> Any:
        """For the user's own @njit code: takes (*inputs, *states), returns the output, or a tuple of several."""
        return dispatcher(self)

    def save_source(self, path: str | Path) -> Path:
        """Write the kernel as a file that needs only NumPy and Numba; see `export`."""
        Path(path).write_text(standalone(self), encoding="utf-8")
        return Path(path)
