"""From arrays to the arguments of a kernel, and back to results.

Law of this file: everything that can be done once is done in `bind` (states and constants) or once for each set of
sizes (checks, sizes, scratch); a call allocates its results and enters the kernel.  A rank-0 result is a NumPy scalar,
which costs 30 ns where a 0-d array costs 150.  Figures: no inputs 0.8 us, two inputs 2.5 us beyond the kernel's work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .ir import Linalg, Program
from .lower import Kernel
from .memory import ROW_BLOCK, Arg, Memory, Result
from .reference import failure
from .sizes import extents, settle

BARRIER = 16
"""Entries of the barrier's counter, so that nothing else shares its cache line."""


@dataclass(frozen=True)
class Launcher:
    """What a launch needs to know of a compiled program; `program` is the one the user gave."""

    program: Program
    kernel: Kernel
    memory: Memory
    linalg: tuple[Linalg, ...]

    def bind(self, entry: Callable[..., None], states: Sequence[np.ndarray]) -> Callable[..., tuple]:
        """A callable of the inputs that runs `entry` on one thread; see `Executable.bind`."""
        return self.team(lambda *args: entry(0, 1, barrier, *args), states, 1) if (barrier := np.zeros(BARRIER, np.int64)) is not None else None  # type: ignore[return-value]

    def team(self, enter: Callable[..., None], states: Sequence[np.ndarray], nthreads: int) -> Callable[..., tuple]:
        """A callable of the inputs that hands the kernel's arguments (all but tid, nthreads and barrier) to `enter`."""
        p, args = self.program, self.kernel.args
        held = dict(zip(p.states, states, strict=True))
        for name, x in held.items():
            check_array(p, name, x)
        fixed = {a.name: x for a in args if (x := self._fixed(a, held)) is not None}
        inputs = [(args.index(a), p.inputs.index(a.buffer)) for a in args if a.role == "input"]
        outputs = [args.index(a) for a in args if a.role == "output"]
        constants = {b.name: b.value for b in p.buffers if b.value is not None}
        plan = _Plan()
        rules = self.memory.results

        def prepare(shapes: tuple[tuple[int, ...], ...]) -> None:
            sizes = settle(p, {**dict(zip(p.inputs, shapes, strict=True)), **{n: x.shape for n, x in held.items()}})
            prepared = [fixed[a.name] if a.name in fixed else None for a in args]
            for k, a in enumerate(args):
                if a.role == "scratch":
                    prepared[k] = np.empty(a.extent.count(sizes, nthreads), a.dtype)
            plan.args = [*prepared, *(sizes[name] for name, _ in self.kernel.sizes)]
            plan.arrays = {a.name: x for a, x in zip(args, prepared, strict=True) if x is not None}
            plan.outputs = [(k, args[k].extent.count(sizes, nthreads), np.dtype(args[k].dtype)) for k in outputs]
            plan.shapes = [extents(r.shape, sizes) for r in rules]
            plan.key = shapes

        def before(given: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
            found = dict(zip(p.inputs, given, strict=True))
            taken = {}
            for k, r in enumerate(rules):
                if r.kind == "before":
                    x = held[r.arg] if r.arg in held else found[r.arg] if r.arg in found else constants[r.arg]
                    taken[k] = x.copy()
            return taken

        def after(k: int, r: Result, all_args: list, taken: dict[int, np.ndarray]) -> object:
            if r.kind == "slot":
                return plan.arrays[r.arg][r.slot]
            if r.kind == "before":
                return taken[k].reshape(plan.shapes[k])[()]
            x = all_args[position[r.arg]]
            return (x if r.kind == "fresh" else x.copy()).reshape(plan.shapes[k])

        position = {a.name: k for k, a in enumerate(args)}
        status = fixed.get("status")
        simple = all(r.kind == "slot" for r in rules)

        def run(*given: np.ndarray) -> tuple:
            shapes = tuple([x.shape for x in given])
            if shapes != plan.key:
                if len(given) != len(p.inputs):
                    raise TypeError(f"{p.name} takes {len(p.inputs)} inputs, not {len(given)}")
                prepare(shapes)
            everything = plan.args.copy()
            for k, n in inputs:
                everything[k] = given[n].reshape(-1)
            for k, n, dtype in plan.outputs:
                everything[k] = np.empty(n, dtype)
            taken = None if simple else before(given)
            enter(*everything)
            if status is not None and status.any():
                self._fail(status)
            if simple:
                return tuple([plan.arrays[r.arg][r.slot] for r in rules])
            return tuple([after(k, r, everything, taken) for k, r in enumerate(rules)])

        if not p.inputs:
            prepare(())
        if simple and not inputs and status is None:
            ready, slots = plan.args, [(plan.arrays[r.arg], r.slot) for r in rules]
            if len(slots) == 1:
                ((pool, slot),) = slots

                def run_one() -> tuple:
                    enter(*ready)
                    return (pool[slot],)

                return run_one

            def run_fixed() -> tuple:
                enter(*ready)
                return tuple([pool[slot] for pool, slot in slots])

            return run_fixed
        return run

    def _fixed(self, a: Arg, states: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The array of an argument that no call changes."""
        table = self.program.table()
        match a.role:
            case "state":
                return states[a.buffer].reshape(-1)
            case "const":
                value = table[a.buffer].value
                assert value is not None
                return pack(value) if self.memory.homes[a.buffer].packed else np.ascontiguousarray(value).reshape(-1)
            case "constants":
                return np.array([table[n].value for n in self.memory.pools[a.name]], a.dtype)
            case "scalars":
                return np.zeros(len(self.memory.pools[a.name]), a.dtype)
            case "status":
                return np.zeros(max(1, len(self.linalg)), np.int64)
        return None

    def _fail(self, status: np.ndarray) -> None:
        s = self.linalg[int(np.flatnonzero(status)[0])]
        status[:] = 0
        b = self.program.table()[s.out]
        raise FloatingPointError(failure(s.fn, b.origin or b.name))


@dataclass(slots=True)
class _Plan:
    """What holds for one set of input shapes."""

    key: tuple | None = None
    args: list | None = None  # type: ignore[assignment]
    arrays: dict | None = None  # type: ignore[assignment]
    outputs: list | None = None  # type: ignore[assignment]
    shapes: list | None = None  # type: ignore[assignment]


def check_array(program: Program, name: str, x: np.ndarray) -> None:
    """ValueError unless a state is what the program says and can be updated in place."""
    b = program.table()[name]
    if x.dtype != b.dtype or x.ndim != len(b.shape) or not x.flags.c_contiguous or not x.flags.writeable:
        what = f"{b.role} {b.origin or repr(b.name)}"
        raise ValueError(f"{what} must be a writable C-contiguous {b.dtype} array of rank {len(b.shape)}, not {x.dtype} of rank {x.ndim}")


def pack(value: np.ndarray) -> np.ndarray:
    """[rows, columns] as [block, column, row in block], flat; the last block is filled with zeros."""
    flat = value.reshape(len(value), -1)
    blocks = -(-len(flat) // ROW_BLOCK)
    padded = np.zeros((blocks * ROW_BLOCK, flat.shape[1]), value.dtype)
    padded[: len(flat)] = flat
    return np.ascontiguousarray(padded.reshape(blocks, ROW_BLOCK, -1).transpose(0, 2, 1)).reshape(-1)
