"""Loops of steps: a whole training loop as one kernel.

Law of this file: a loop is compiled like a step, by the same passes, and entered once for many steps; between entries
only `control` is read and written.  Arrays that hold the same values in all steps are laid out for the kernel once, when a
run starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from . import report
from .cpu import Built, Target, build, decide
from .gate import Gate
from .hoist import Hoisted, hoist
from .inline import copying
from .ir import Buffer, Loop, Map, whole_table
from .launch import aligned, check_array, constant, failed, pack, with_single_blas
from .lower import Kernel, lower_loop
from .memory import Arguments
from .phases import Hints
from .runtime.pace import Pace, paced
from .runtime.pool import BARRIER_SIZE, CONTROL_SIZE, DEADLINE, DONE, STOP, run_team
from .share import share
from .sizes import extents, settle
from .table import Table

NEVER = np.iinfo(np.int64).max


def hoist_loop(loop: Loop, hints: Hints, algebra: bool) -> tuple[Loop, Hoisted]:
    """The loop without what all its steps share, and what that is; `hints` has a number for every size.

    With `algebra` sums may be taken in another order where that lets more be shared; see `hoist`."""
    hoisted = hoist(loop.step, frozenset(loop.step.inputs) - set(loop.stepped), hints, algebra)
    return replace(loop, step=hoisted.step), hoisted


def compile_loop(loop: Loop, hints: Hints | None = None, *, target: Target = "cpu") -> LoopExecutable:
    """A loop as one kernel; `hints` are the numbers to expect behind size names.

    Raises `ProgramError` for a loop that breaks the laws of `ir`, `ProgramTooLong` as `compile` does.
    """
    start = time.perf_counter()
    hints = hints or {}
    loop = with_own_outputs(loop)
    arguments = Arguments(frozenset(loop.inputs) - set(loop.stepped))
    record = decide(loop.record, arguments, hints, promote=False) if loop.record else None
    step = decide(loop.step, arguments, hints, promote=False)
    kernel = share(lower_loop(loop, step[0], record[0] if record else None, arguments, hints))
    built = build(kernel, target)
    made = tuple(
        report.Made(part.program, part.program, notes, part.plans, part.memory, kernel, built.cache, time.perf_counter() - start)
        for part, notes in filter(None, (record, step))
    )
    gate = Gate([step[0]], kernel.meetings, wakes=False)
    return LoopExecutable(loop, kernel, built, made, arguments, gate, hints)


def with_own_outputs(loop: Loop) -> Loop:
    """Recorded inputs, states and constants as copies that a step makes; what is recorded is then always computed."""
    program = loop.recorded
    table = program.table()
    buffers, statements, outputs = list(program.buffers), list(program.statements), []
    for number, n in enumerate(program.outputs):
        if table[n].role == "temp" and n not in outputs:
            outputs.append(n)
            continue
        b = table[n]
        buffers.append(replace(b, name=f"recorded{number}", role="temp", value=None))
        labels = tuple(range(len(b.shape)))
        statements.append(Map(f"recorded{number}", (n,), (labels,), b.shape, copying(b.dtype)))
        outputs.append(f"recorded{number}")
    program = replace(program, buffers=tuple(buffers), statements=tuple(statements), outputs=tuple(outputs))
    return replace(loop, record=program) if loop.record else replace(loop, step=program)


@dataclass(frozen=True, eq=False)
class LoopExecutable:
    """A compiled loop.  `reports` are those of the record program, if there is one, and of the step."""

    loop: Loop
    kernel: Kernel
    built: Built
    reports: tuple[report.Made, ...]
    arguments: Arguments
    gate: Gate
    hints: Hints
    device = None

    @property
    def source(self) -> str:
        return self.built.source

    @property
    def path(self) -> Path | None:
        return self.built.path

    @property
    def report(self) -> str:
        return "\n".join([*map(str, self.reports), f"  {self.gate.why(self.hints)}"])

    def table(self) -> dict[str, Buffer]:
        """The buffers of what was compiled by name: those of bodies too, and the constants that passes made."""
        return {name: b for made in self.reports for name, b in whole_table(made.fused).items()}

    def bind(self, states: Sequence[np.ndarray]) -> Bound:
        """The loop on these states, in the order of `loop.states`: C-contiguous arrays that steps update in place."""
        held = dict(zip(self.loop.states, states, strict=True))
        for p in self.loop.programs:
            for name in p.states:
                check_array(p, name, held[name])
        table = self.table()
        fixed = {a.name: x for a in self.kernel.args if (x := constant(a, self.kernel, table)) is not None}
        fixed |= {a.name: held[a.buffer].reshape(-1) for a in self.kernel.args if a.role == "state"}
        return Bound(self, held, fixed)


@dataclass(frozen=True, eq=False)
class Bound:
    """A loop that knows its states."""

    made: LoopExecutable
    states: Mapping[str, np.ndarray]
    fixed: Mapping[str, np.ndarray]
    pace: Pace = field(default_factory=Pace)

    def start(
        self,
        inputs: Sequence[np.ndarray],
        every: int = 1,
        history: Sequence[np.ndarray] = (),
        lengths: Mapping[str, np.ndarray] | None = None,
        nthreads: int | None = None,
        kept: dict[str, np.ndarray] | None = None,
    ) -> Callable[..., int]:
        """Lay everything out for a run; the result is `advance(first, last, deadline=0)`, which runs those steps and
        returns the number of steps done, less than `last` when time.perf_counter_ns() passed the deadline.

        `inputs` in the order of `loop.inputs`, stepped ones with their leading axis; `history`: for each recorded output
        a C-contiguous array with one more leading axis, whose row s // every is written at step s; `lengths`: for each
        size in `loop.lengths` int64[steps]; `nthreads`: exactly so many threads, or None for as many as pay; `kept`, given
        to every start of one loop, holds how inputs that are not stepped were laid out.  Raises
        ValueError for shapes that do not fit.  `advance` raises FloatingPointError when a `Linalg` statement fails, IndexError
        for a coordinate out of range; the states are then those from before that step, which the error's `steps_done` numbers.
        """
        loop, kernel, kept = self.made.loop, self.made.kernel, {} if kept is None else kept
        given = dict(zip(loop.inputs, inputs, strict=True))
        lengths = {name: np.ascontiguousarray(x, np.int64) for name, x in (lengths or {}).items()}
        shapes = {n: x.shape[1:] if n in loop.stepped else x.shape for n, x in given.items()} | {n: x.shape for n, x in self.states.items()}
        sizes: dict[str, int] = {}
        for p in loop.programs:
            sizes |= settle(p, {n: shapes[n] for n in (*p.inputs, *p.states)})
        most = nthreads or self.made.gate(sizes)
        arrays: list[np.ndarray] = []
        for a in kernel.args:
            if a.name in self.fixed:
                arrays.append(self.fixed[a.name])
            elif a.role == "scratch":
                arrays.append(aligned(a.extent.count(sizes, most), a.dtype))
            elif a.role == "history":
                arrays.append(recorded_in(loop, int(a.buffer), history, sizes))
            else:
                if a.name not in kept or a.buffer in loop.stepped:
                    kept[a.name] = pack(given[a.buffer], a.packed) if a.packed else given[a.buffer].reshape(-1)
                arrays.append(kept[a.name])
        slices = [int(np.prod(given[a.buffer].shape[1:])) for a in kernel.args if a.name in kernel.stepped]
        control = np.zeros(CONTROL_SIZE, np.int64)
        table = Table.of(kernel)
        passed = table.passed(table.filled(arrays), arrays)
        tail = [*passed, *(sizes[name] for name, _ in kernel.sizes), *slices, *(lengths[name] for name, _ in kernel.lengths)]
        status = next((x for a, x in zip(kernel.args, arrays, strict=True) if a.role == "status"), None)
        entry = self.made.built.entry
        head = (0, 1, np.zeros(BARRIER_SIZE, np.int64))
        alone, team = (with_single_blas(f, kernel) for f in (entry, run_team))

        def enter(n: int, first: int, last: int, deadline: int = 0, held: Sequence[np.ndarray] = arrays) -> int:  # addresses hold nothing
            control[[STOP, DONE, DEADLINE]] = NEVER, first, deadline
            if n == 1:
                alone(*head, control, first, last, every, *tail)
            else:
                team(n, entry, control, first, last, every, *tail)
            if status is not None and status.any():
                buffers = self.made.table()
                error = failed(status, self.made.arguments.failing, buffers, sizes)
                error.steps_done = int(control[DONE])  # type: ignore[attr-defined]
                raise error
            return int(control[DONE])

        return partial(enter, most) if nthreads or most == 1 else paced(enter, most, self.pace)


def recorded_in(loop: Loop, number: int, history: Sequence[np.ndarray], sizes: Mapping[str, int]) -> np.ndarray:
    """The history of a recorded output, flat."""
    b = loop.recorded.table()[loop.recorded.outputs[number]]
    x = history[number]
    if x.shape[1:] != extents(b.shape, sizes) or x.dtype != b.dtype or not x.flags.c_contiguous or not x.flags.writeable:
        raise ValueError(f"the history of {b.origin or b.name} must be writable, C-contiguous, {b.dtype} of shape [records, {b.shape}]")
    return x.reshape(-1)
