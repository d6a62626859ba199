"""Programs to running kernels on a CUDA device.

Law of this file: it is the pipeline of `cpu.py` with other limits, and with a writer that shares loops among lanes.  A
program, or a whole loop of steps, is one kernel and one launch: its blocks are the team, they all run at once, and where
threads of the CPU meet at a barrier, they meet at one of the whole grid.  Where a library makes large products, the kernel
is cut at them; nothing is cut that can fail, as no host would see it in time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from . import report, whitelist
from .cpu import ProgramTooLong, decide
from .device_products import each_once
from .ir import Buffer, Loop, MatMul, Program, Statement, whole_table
from .lanes import LaneWriter, synchronize
from .lower import Kernel, lower, lower_loop
from .memory import Arguments, Memory, may_fail
from .outline import outline
from .phases import Hints
from .printer import print_cuda
from .products import is_large
from .steps import with_own_outputs
from .target import cuda as limits_of

MAX_LINES, MAX_ARRAYS = 2500, 500
"""Lines past which compiling takes minutes, as products are inlined; arrays whose descriptions fit into the 32764 bytes of a
kernel's parameters, at 56 bytes each."""
COMPILED = "of numba-cuda's code asked when it is loaded: not counted here"


@dataclass(frozen=True, eq=False)
class CudaKernel:
    """A program or loop as one CUDA kernel: its source, and all that a launch needs to know.

    `source` defines `kernel(barrier, [control, first, last, every,] *arrays, *sizes, ...)` as `kernel.parameters()` says; it is
    launched with `lanes` threads a block; or several functions, as `cuts` says.  `large` are the products of a step that are, or could
    be, made by a library.  `reports` are those of the record program, if there is one, and of the step."""

    program: Program | Loop
    kernel: Kernel
    source: str
    lanes: int
    memory: Memory
    failing: tuple[Statement, ...]
    reports: tuple[report.Made, ...]
    large: tuple[str, ...] = ()

    def table(self) -> Mapping[str, Buffer]:
        """The buffers of what was compiled by name, those of bodies too."""
        return {name: b for made in self.reports for name, b in whole_table(made.fused).items()}


def translate(program: Program, lanes: int, library: bool = False) -> CudaKernel:
    """A program as the source of a kernel, with a `library` for large products; raises as `cpu.compile` does."""
    start = time.perf_counter()
    arguments = Arguments()
    limits = limits_of(lanes, library and not any(map(may_fail, program.statements)))
    part, notes = decide(program, arguments, {}, limits=limits)
    kernel = lower(part, arguments, {}, LaneWriter)
    return _printed(program, [(part, notes)], kernel, arguments, {}, lanes, start)


def translate_loop(loop: Loop, hints: Hints, lanes: int, library: bool = False) -> CudaKernel:
    """A whole loop of steps as the source of one kernel; raises as `steps.compile_loop` does."""
    start = time.perf_counter()
    loop = with_own_outputs(loop)
    arguments = Arguments(frozenset(loop.inputs) - set(loop.stepped))
    record = decide(loop.record, arguments, hints, promote=False, limits=limits_of(lanes)) if loop.record else None
    limits = limits_of(lanes, library and not any(may_fail(s) for p in loop.programs for s in p.statements))
    step = decide(loop.step, arguments, hints, promote=False, limits=limits)
    kernel = lower_loop(loop, step[0], record[0] if record else None, arguments, hints, LaneWriter)
    return _printed(loop, [x for x in (record, step) if x], kernel, arguments, hints, lanes, start)


def _printed(
    program: Program | Loop, made: list, kernel: Kernel, arguments: Arguments, hints: Hints, lanes: int, start: float
) -> CudaKernel:
    """The source of a kernel in which lanes wait for each other where they must."""
    arrays = [kernel.parameter(a) for a in kernel.args] + [a.name for a in kernel.args]
    kernel = outline(replace(kernel, body=synchronize(each_once(kernel.body), arrays)))
    source = print_cuda(kernel, lanes)
    if (lines := source.count("\n")) > MAX_LINES:
        raise ProgramTooLong(f"its CUDA source has {lines} lines, more than {MAX_LINES}")
    if len(kernel.args) > MAX_ARRAYS:
        raise ProgramTooLong(f"it has {len(kernel.args)} arrays, more than the {MAX_ARRAYS} that a CUDA kernel takes")
    whitelist.check(source)
    seconds = time.perf_counter() - start
    reports = tuple(
        report.Made(part.program, part.program, notes, part.plans, part.memory, kernel, COMPILED, seconds) for part, notes in made
    )
    fused = made[-1][0].program
    large = tuple(s.out for s in fused.statements if isinstance(s, MatMul) and is_large(s, fused.table(), hints))
    return CudaKernel(program, kernel, source, lanes, made[-1][0].memory, tuple(arguments.failing), reports, large)
