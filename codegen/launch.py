"""From arrays to the arguments of a kernel, and back to results.

Law of this file: everything that can be done once is done in `bind` (states and constants) or once for each set of
sizes (checks, sizes, scratch); a call allocates its results and enters the kernel.  A rank-0 result is a NumPy scalar,
which costs 30 ns where a 0-d array costs 150.  Figures: no inputs 0.8 us, two inputs 2.5 us beyond the kernel's work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import DTypeLike

from .gate import Gate
from .ir import Buffer, Linalg, Program, Statement, whole_table
from .lower import Kernel
from .memory import STATUS, Arg, Memory, Result
from .printer import module_of
from .reference import failure, outside
from .runtime.pool import BARRIER_SIZE, borrow, run_team
from .runtime.symbols import thread_control
from .sizes import extents, settle
from .table import Table

LINE = 64
"""Bytes of a line of the cache."""


@dataclass(frozen=True)
class Launcher:
    """What a launch needs to know of a compiled program; `program` is the one the user gave."""

    program: Program
    kernel: Kernel
    memory: Memory
    failing: tuple[Statement, ...]
    gate: Gate

    def bind(self, entry: Callable[..., None], states: Sequence[np.ndarray], nthreads: int | None = None) -> Callable[..., tuple]:
        """A callable of the inputs; see `Executable.bind`.  `nthreads`: exactly so many, or None for as many as pay."""
        p, args, rules, first = self.program, self.kernel.args, self.memory.results, 3
        head = (0, 1, np.zeros(BARRIER_SIZE, np.int64))
        alone, team = (with_single_blas(f, self.kernel) for f in (entry, run_team))
        held = dict(zip(p.states, states, strict=True))
        for name, x in held.items():
            check_array(p, name, x)
        fixed = {a.name: array for a in args if (array := self._fixed(a, held)) is not None}
        position = {a.name: first + k for k, a in enumerate(args)}
        inputs = [(position[a.name], p.inputs.index(a.buffer)) for a in args if a.role == "input"]
        early = [k for k, r in enumerate(rules) if r.kind == "before"]
        elements = all(r.kind == "slot" or r.kind == "after" and not r.shape for r in rules)
        status = fixed.get("status")
        table, last = Table.of(self.kernel), first + len(args)
        plan = _Plan()

        def prepare(shapes: tuple[tuple[int, ...], ...]) -> None:
            if len(shapes) != len(p.inputs):
                raise TypeError(f"{p.name} takes {len(p.inputs)} inputs, not {len(shapes)}")
            sizes = settle(p, {**dict(zip(p.inputs, shapes, strict=True)), **{n: x.shape for n, x in held.items()}})
            arrays: list = [fixed.get(a.name) for a in args]
            plan.threads = nthreads or self.gate(sizes)
            plan.enter = alone if plan.threads == 1 else together
            for k, a in enumerate(args):
                if a.role == "scratch":
                    arrays[k] = aligned(a.extent.count(sizes, plan.threads), a.dtype)
            plan.args = [*head, *arrays, *(sizes[name] for name, _ in self.kernel.sizes)]
            plan.table = table.filled(arrays)
            plan.outputs = [(position[a.name], a.extent.count(sizes, plan.threads), np.dtype(a.dtype)) for a in args if a.role == "output"]
            plan.results = [self._reader(r, position, extents(r.shape, sizes)) for r in rules]
            plan.early = [(k, extents(rules[k].shape, sizes)) for k in early]
            plan.key, plan.sizes = shapes, sizes

        def together(*everything: object) -> None:
            if nthreads:
                team(nthreads, entry, *everything[first:])
            else:
                with borrow(plan.threads) as n:
                    team(n, entry, *everything[first:])

        def run(*given: np.ndarray) -> tuple:
            shapes = tuple([x.shape for x in given])
            if shapes != plan.key:
                prepare(shapes)
            everything = plan.args.copy()
            for k, n in inputs:
                everything[k] = given[n].reshape(-1)
            for k, n, dtype in plan.outputs:
                everything[k] = np.empty(n, dtype)
            before = {k: self._source(rules[k], held, given).reshape(shape).copy()[()] for k, shape in plan.early} if early else {}
            if table.entries:
                arrays = everything[first:last]
                table.fill(plan.table, arrays, table.moving)
                plan.enter(*head, *table.passed(plan.table, arrays), *everything[last:])
            else:
                plan.enter(*everything)
            if status is not None and status.any():
                raise failed(status, self.failing, whole_table(p), plan.sizes)
            return tuple([before[k] if read is None else read(everything) for k, read in enumerate(plan.results)])

        if p.inputs:
            return run
        prepare(())
        if not elements or status is not None:
            return run
        ready = plan.args
        slots = [(ready[position[r.arg]], r.slot) for r in rules]
        passed = [*head, *table.passed(plan.table, ready[first:last]), *ready[last:]]
        go = plan.enter

        def run_fixed() -> tuple:
            go(*passed)
            return tuple([array[slot] for array, slot in slots])

        return run_fixed

    def _reader(self, r: Result, position: Mapping[str, int], shape: tuple[int, ...]) -> Callable[[list], object] | None:
        """How a result is taken from the kernel's arguments; None when it was taken before."""
        if r.kind == "before":
            return None
        k = position[r.arg]
        if r.kind == "slot" or not shape:
            return lambda everything: everything[k][r.slot]
        if len(shape) == 1:
            return (lambda everything: everything[k]) if r.kind == "fresh" else lambda everything: everything[k].copy()
        return (
            (lambda everything: everything[k].reshape(shape))
            if r.kind == "fresh"
            else lambda everything: everything[k].reshape(shape).copy()
        )

    def _source(self, r: Result, states: Mapping[str, np.ndarray], given: Sequence[np.ndarray]) -> np.ndarray:
        """The array of a result that exists before the kernel runs."""
        if r.arg in states:
            return states[r.arg]
        value = self.program.table()[r.arg].value
        return given[self.program.inputs.index(r.arg)] if value is None else value

    def _fixed(self, a: Arg, states: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The array of an argument that no call changes."""
        table = whole_table(self.program)
        if a.role == "state":
            return states[a.buffer].reshape(-1)
        return constant(a, self.kernel, table)


def failed(status: np.ndarray, failing: Sequence[Statement], table: Mapping[str, Buffer], sizes: Mapping[str, int]) -> Exception:
    """The error of the first statement that failed; the statuses are cleared for the next launch."""
    number = int(np.flatnonzero(status)[0]) // STATUS
    position, value, extent = (int(v) for v in status[STATUS * number : STATUS * (number + 1)])
    status[:] = 0
    s = failing[number]
    b = table[s.out]
    if isinstance(s, Linalg):
        return FloatingPointError(failure(s.fn, b.origin or b.name))
    return IndexError(outside(position - 1, value, extent, extents(b.shape, sizes), b.origin or b.name))


def constant(a: Arg, kernel: Kernel, table: Mapping[str, Buffer]) -> np.ndarray | None:
    """The array of an argument that is the same for every launch, or that every launch writes anew."""
    match a.role:
        case "const":
            value = table[a.buffer].value
            assert value is not None
            return pack(value, a.packed) if a.packed else np.ascontiguousarray(value).reshape(-1)
        case "constants":
            return np.array([table[n].value for n in kernel.pools[a.name]], a.dtype)
        case "scalars":
            return np.zeros(len(kernel.pools[a.name]), a.dtype)
        case "status":
            return np.zeros(a.extent.count({}, 1), np.int64)
    return None


@dataclass(slots=True)
class _Plan:
    """What holds for one set of input shapes."""

    key: tuple | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    args: list = field(default_factory=list)
    threads: int = 1
    enter: Callable[..., None] = lambda *_: None
    table: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    outputs: list[tuple[int, int, np.dtype]] = field(default_factory=list)
    results: list[Callable[[list], object] | None] = field(default_factory=list)
    early: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)


def check_array(program: Program, name: str, x: np.ndarray) -> None:
    """ValueError unless a state is what the program says and can be updated in place."""
    b = program.table()[name]
    if x.dtype != b.dtype or x.ndim != len(b.shape) or not x.flags.c_contiguous or not x.flags.writeable:
        what = f"{b.role} {b.origin or repr(b.name)}"
        raise ValueError(f"{what} must be a writable C-contiguous {b.dtype} array of rank {len(b.shape)}, not {x.dtype} of rank {x.ndim}")


def aligned(count: int, dtype: DTypeLike) -> np.ndarray:
    """An array on a line of the cache: a vector that lies across two costs two loads."""
    kind = np.dtype(dtype)
    space = np.empty(count * kind.itemsize + LINE, np.uint8)
    start = -space.ctypes.data % LINE
    return space[start : start + count * kind.itemsize].view(kind)


def pack(value: np.ndarray, block: int) -> np.ndarray:
    """[rows, columns] as [block, column, row in block], flat; the last block is filled with zeros."""
    flat = value.reshape(len(value), -1)
    blocks = -(-len(flat) // block)
    packed = aligned(blocks * flat.shape[1] * block, value.dtype).reshape(blocks, flat.shape[1], block)
    whole = len(flat) // block
    packed[:whole] = flat[: whole * block].reshape(whole, block, flat.shape[1]).transpose(0, 2, 1)
    if whole < blocks:
        packed[whole] = 0
        packed[whole, :, : len(flat) - whole * block] = flat[whole * block :].T
    return packed.reshape(-1)


def with_single_blas(enter: Callable[..., None], kernel: Kernel) -> Callable[..., None]:
    """`enter` with BLAS on one thread, where it is called at all: a 784-300-10 net took 1.8 ms a step with two, 0.65 with one."""
    if not any(module_of(h) in ("blas", "dense") for h in kernel.helpers):
        return enter
    set_threads, get_threads = thread_control()

    def run(*args: object) -> None:
        before = get_threads()
        if before == 1:
            return enter(*args)
        set_threads(1)
        try:
            return enter(*args)
        finally:
            set_threads(before)

    return run
