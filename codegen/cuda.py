"""Programs to running kernels on a CUDA device.

Law of this file: it is the pipeline of `cpu.py` with other limits, and with a writer that shares loops among lanes.  A
program, or a whole loop of steps, is one kernel and one launch: its blocks are the team, they all run at once, and where
threads of the CPU meet at a barrier, they meet at one of the whole grid.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from . import report, whitelist
from .cpu import MAX_LINES, ProgramTooLong, decide
from .ir import Buffer, Loop, Program, Statement, whole_table
from .lanes import LaneWriter, synchronize
from .lower import Kernel, lower, lower_loop
from .memory import Arguments, Memory
from .phases import Hints
from .printer import print_cuda
from .steps import with_own_outputs
from .target import cuda as limits_of


@dataclass(frozen=True, eq=False)
class CudaKernel:
    """A program or loop as one CUDA kernel: its source, and all that a launch needs to know.

    `source` defines `kernel(barrier, [control, first, last, every,] *arrays, *sizes, ...)` as `kernel.parameters()` says; it is
    launched with `lanes` threads a block.  `reports` are those of the record program, if there is one, and of the step."""

    program: Program | Loop
    kernel: Kernel
    source: str
    lanes: int
    memory: Memory
    failing: tuple[Statement, ...]
    reports: tuple[report.Made, ...]

    def table(self) -> Mapping[str, Buffer]:
        """The buffers of what was compiled by name, those of bodies too."""
        return {name: b for made in self.reports for name, b in whole_table(made.fused).items()}


def translate(program: Program, lanes: int) -> CudaKernel:
    """A program as the source of a kernel; raises as `cpu.compile` does."""
    start = time.perf_counter()
    arguments = Arguments()
    part, notes = decide(program, arguments, {}, limits=limits_of(lanes))
    kernel = lower(part, arguments, {}, LaneWriter)
    return _printed(program, [(part, notes)], kernel, arguments, lanes, start)


def translate_loop(loop: Loop, hints: Hints, lanes: int) -> CudaKernel:
    """A whole loop of steps as the source of one kernel; raises as `steps.compile_loop` does."""
    start = time.perf_counter()
    loop = with_own_outputs(loop)
    limits = limits_of(lanes)
    arguments = Arguments(frozenset(loop.inputs) - set(loop.stepped))
    record = decide(loop.record, arguments, hints, promote=False, limits=limits) if loop.record else None
    step = decide(loop.step, arguments, hints, promote=False, limits=limits)
    kernel = lower_loop(loop, step[0], record[0] if record else None, arguments, hints, LaneWriter)
    return _printed(loop, [x for x in (record, step) if x], kernel, arguments, lanes, start)


def _printed(program: Program | Loop, made: list, kernel: Kernel, arguments: Arguments, lanes: int, start: float) -> CudaKernel:
    """The source of a kernel in which lanes wait for each other where they must."""
    arrays = [kernel.parameter(a) for a in kernel.args] + [a.name for a in kernel.args]
    kernel = replace(kernel, body=synchronize(kernel.body, arrays))
    source = print_cuda(kernel, lanes)
    if (lines := source.count("\n")) > 2 * MAX_LINES:
        raise ProgramTooLong(f"the source of {kernel.name} has {lines} lines, more than {2 * MAX_LINES}: interpret it")
    whitelist.check(source)
    seconds = time.perf_counter() - start
    reports = tuple(
        report.Made(part.program, part.program, notes, part.plans, part.memory, kernel, "cuda", seconds) for part, notes in made
    )
    return CudaKernel(program, kernel, source, lanes, made[-1][0].memory, tuple(arguments.failing), reports)
