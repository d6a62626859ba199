"""Launches on a device: from arrays of the host to a kernel's arguments, and back to results.

Law of this file: it is `launch` and `steps` for a device, and says nothing else than they do.  States and constants stay on
the device between runs, scratch and results as long as sizes stay; a run copies its inputs there, those excepted that
lie there already, and back only what is returned.  The entry is called as `entry[blocks, lanes, 0, shared](barrier,
*arrays, *sizes)`, that of a loop with `control, first, last, every` behind the barrier, for as many steps at a time as
fit before the host looks around.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .cuda import CudaKernel, translate, translate_loop
from .cuts import pieces
from .device_blas import INSTALL, Cut
from .device_entry import Entry, driver_of, entry_of, lanes_of, real_lanes
from .devices import Device
from .ir import Buffer, Loop, Program, written
from .launch import constant, failed, pack
from .lower import Kernel
from .memory import Arg, Result
from .phases import Hints
from .ptx import ptx
from .report import Made, amount
from .resident import Cell, Driver, as_numba, is_device_array, on_host
from .runtime.pool import BARRIER_SIZE, CONTROL_SIZE, DONE, STOP
from .sizes import extents, settle
from .steps import recorded_in

NEVER = np.iinfo(np.int64).max
SLICE = 100_000_000
"""Nanoseconds that a launch of a loop is to take at most: nothing can stop it."""
NEWEST = 9, 0
"""The compute capability of PTX where there is no device."""
GROWTH = 8
"""How many times as many steps as the last launch the next may have, while nobody knows how long they take."""


# ---------------------------------------------------------------- what is compiled
def compile_for(program: Program, device: Device) -> DeviceExecutable:
    """A program as a kernel of a device; raises as `cpu.compile` does."""
    return _compiled(DeviceExecutable, partial(translate, program), device)


def compile_loop_for(loop: Loop, hints: Hints, device: Device) -> DeviceLoop:
    """A whole loop of steps as one kernel of a device; raises as `steps.compile_loop` does."""
    return _compiled(DeviceLoop, partial(translate_loop, loop, hints), device)


def _compiled(kind: type[Kind], again: Callable[..., CudaKernel], device: Device) -> Kind:
    driver = driver_of(device)
    with driver.here():
        again = partial(again, library=driver.library() is not None)
    made = again(lanes=lanes_of(driver))
    return kind(made, entry_of(made, driver), again)


@dataclass(frozen=True, eq=False)
class OnDevice:
    """A kernel of a device: what can be looked at.  `again(lanes=...)` is the same kernel for blocks of so many lanes."""

    made: CudaKernel
    entry: Entry
    again: Callable[..., CudaKernel]

    path = None

    @property
    def source(self) -> str:
        return self.made.source

    @property
    def device(self) -> Device:
        return self.entry.driver.device

    def ptx(self, compute_capability: tuple[int, int] | None = None) -> str:
        """The PTX of the kernel, for the device's compute capability or another one; no device is needed."""
        lanes, own = real_lanes(), self.device.compute_capability
        made = self.made if self.made.lanes == lanes else self.again(lanes=lanes)
        return ptx(made.source, cc=compute_capability or (own if own and own > (0, 0) else NEWEST))


Kind = TypeVar("Kind", bound=OnDevice)


# ---------------------------------------------------------------- steps
@dataclass(frozen=True, eq=False)
class DeviceExecutable(OnDevice):
    """A program compiled for a device; what `cpu.Executable` says of its own holds here."""

    @property
    def program(self) -> Program:
        assert isinstance(self.made.program, Program)
        return self.made.program

    @property
    def report(self) -> str:
        lines = [f"a run: {moved(self.program)}, {launches(self.made)}", *figures(self.made, self.entry)]
        return told(self.made.reports[-1], lines)

    @property
    def kernel(self) -> Any:
        raise TypeError(f"{self.program.name} runs on {self.device.name}: compiled code of the CPU cannot call it")

    def save_source(self, path: str | Path) -> Path:
        """Write the source; it needs symgraph's runtime for devices."""
        Path(path).write_text(self.source, encoding="utf-8")
        return Path(path)

    def bind(self, states: Sequence[Cell] = (), home: bool = True, nblocks: int | None = None) -> Callable[..., tuple]:
        """A callable of the inputs, which may lie on the device; `states` are in the order of `program.states`.

        With `home` results are arrays of the host, and NumPy scalars for rank 0; else arrays that are computed stay on the device.
        Errors are those of `Executable.bind`."""
        p, entry, args, results = self.program, self.entry, self.made.kernel.args, self.made.memory.results
        driver, held = entry.driver, dict(zip(p.states, states, strict=True))
        changed, table = written(p), self.made.table()
        with driver.here():
            fixed = {a.name: x for a in args if (x := _fixed(a, self.made.kernel, table, driver)) is not None}
        own = [(k, held[a.buffer], a.buffer in changed) for k, a in enumerate(args) if a.role == "state"]
        inputs = [(k, p.inputs.index(a.buffer)) for k, a in enumerate(args) if a.role == "input"]
        outputs = [(k, a) for k, a in enumerate(args) if a.role == "output"]
        position = {a.name: k for k, a in enumerate(args)}
        status = next((k for k, a in enumerate(args) if a.role == "status"), None)
        pools = sorted({position[r.arg] for r in results if r.kind == "slot"})
        plan = _Plan()

        def prepare(shapes: tuple[tuple[int, ...], ...]) -> None:
            if len(shapes) != len(p.inputs):
                raise TypeError(f"{p.name} takes {len(p.inputs)} inputs, not {len(shapes)}")
            sizes = settle(p, {**dict(zip(p.inputs, shapes, strict=True)), **{n: c.array.shape for n, c in held.items()}})
            team = entry.team(sizes, nblocks)
            plan.arrays = [fixed.get(a.name) for a in args]
            plan.counts = [a.extent.count(sizes, team) for a in args]
            for k, a in enumerate(args):
                if a.role in ("scratch", "input") or a.role == "output" and home:
                    plan.arrays[k] = driver.new(plan.counts[k], a.dtype)
            plan.barrier = driver.put(np.zeros(BARRIER_SIZE, np.int64))
            plan.sizes = [sizes[name] for name, _ in self.made.kernel.sizes]
            plan.team, plan.known, plan.key = team, sizes, shapes

        def run(*given: Any) -> tuple:
            with driver.here():
                shapes = tuple([tuple(x.shape) for x in given])
                if shapes != plan.key:
                    prepare(shapes)
                arrays = plan.arrays.copy()
                for k, n in inputs:
                    arrays[k] = _sent(driver, given[n], plan.arrays[k])
                if not home:
                    for k, a in outputs:
                        arrays[k] = driver.new(plan.counts[k], a.dtype)
                before = {k: self._before(r, held, given, plan.known) for k, r in enumerate(results) if r.kind == "before"}
                for k, cell, write in own:
                    arrays[k] = cell.device(driver, write)
                entry.launch(plan.team, plan.barrier, *arrays, *plan.sizes)
                if status is not None:
                    seen = driver.fetched(arrays[status], plan.counts[status], np.int64)
                    if seen.any():
                        error = failed(seen, self.made.failing, table, plan.known)
                        driver.set(arrays[status], seen)
                        raise error
                scalars = {k: driver.fetched(arrays[k], plan.counts[k], args[k].dtype) for k in pools}
                return tuple([before[k] if k in before else take(r, arrays, scalars) for k, r in enumerate(results)])

        def take(r: Result, arrays: Sequence[Any], scalars: Mapping[int, np.ndarray]) -> Any:
            k = position[r.arg]
            if r.kind == "slot":
                return scalars[k][r.slot]
            shape = extents(r.shape, plan.known)
            if not home and r.kind == "fresh":
                return arrays[k].reshape(shape)
            return driver.fetched(arrays[k], math.prod(shape), args[k].dtype).reshape(shape)[()]

        return run

    def _before(self, r: Result, held: Mapping[str, Cell], given: Sequence[Any], sizes: Mapping[str, int]) -> Any:
        """A result that exists before the kernel runs."""
        value = self.made.table()[r.arg].value
        if r.arg in held:
            value = held[r.arg].host(write=False)
        elif value is None:
            value = on_host(given[self.program.inputs.index(r.arg)])
        return value.reshape(extents(r.shape, sizes)).copy()[()]


@dataclass(slots=True)
class _Plan:
    """What holds for one set of input shapes."""

    key: tuple | None = None
    known: Mapping[str, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    arrays: list = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    barrier: Any = None
    team: int = 1


def _fixed(a: Arg, kernel: Kernel, table: Mapping[str, Buffer], driver: Driver) -> Any:
    """On the device, the array of an argument that no call changes."""
    if a.role == "const":
        value = table[a.buffer].value
        assert value is not None
        return driver.constant(value, a.packed, lambda: constant(a, kernel, table))  # type: ignore[arg-type, return-value]
    found = constant(a, kernel, table)
    return None if found is None else driver.put(found)


def _sent(driver: Driver, x: Any, there: Any) -> Any:
    """An input on the device: itself where it is there, else copied to where the last one lay."""
    if is_device_array(x):
        return as_numba(x).reshape(-1)
    driver.set(there, x.reshape(-1))
    return there


# ---------------------------------------------------------------- loops
@dataclass(frozen=True, eq=False)
class DeviceLoop(OnDevice):
    """A loop compiled for a device; what `steps.LoopExecutable` says of its own holds here."""

    @property
    def loop(self) -> Loop:
        assert isinstance(self.made.program, Loop)
        return self.made.program

    @property
    def report(self) -> str:
        *before, step = self.made.reports
        cut = isinstance(self.entry.call, Cut)
        head = f"a step: {launches(self.made)}; the host waits for" if cut else "a launch:"
        lines = [f"{head} as many steps as fit in 0.1 s; records come back behind it", *figures(self.made, self.entry)]
        return "\n".join([*map(str, before), told(step, lines)])

    def bind(self, states: Sequence[Cell]) -> DeviceBound:
        """The loop on these states, in the order of `loop.states`."""
        table, driver, kernel = self.made.table(), self.entry.driver, self.made.kernel
        with driver.here():
            fixed = {a.name: x for a in kernel.args if (x := _fixed(a, kernel, table, driver)) is not None}
        return DeviceBound(self.loop, self.made, self.entry, dict(zip(self.loop.states, states, strict=True)), fixed)


@dataclass(slots=True)
class Stride:
    """Nanoseconds that a step of a loop takes, by its last launch."""

    cost: float = math.inf

    def steps(self, left: float, last: int) -> int:
        """How many steps to launch in so much time, after a launch of `last`."""
        if self.cost == math.inf:
            return max(1, GROWTH * last)
        return max(1, min(GROWTH * last if last else NEVER, int(left / self.cost)))


@dataclass(frozen=True, eq=False)
class DeviceBound:
    """A loop that knows its states."""

    loop: Loop
    made: CudaKernel
    entry: Entry
    cells: Mapping[str, Cell]
    fixed: Mapping[str, Any]
    stride: Stride = field(default_factory=Stride)

    def start(
        self,
        inputs: Sequence[Any],
        every: int = 1,
        history: Sequence[np.ndarray] = (),
        lengths: Mapping[str, np.ndarray] | None = None,
        nblocks: int | None = None,
        kept: dict[str, Any] | None = None,
    ) -> Callable[..., int]:
        """Lay everything out for a run; see `steps.Bound.start`.  What is recorded comes back whenever `advance` does."""
        loop, kernel, entry = self.loop, self.made.kernel, self.entry
        driver, kept = entry.driver, {} if kept is None else kept
        given = dict(zip(loop.inputs, inputs, strict=True))
        shapes = {n: tuple(x.shape[1:] if n in loop.stepped else x.shape) for n, x in given.items()}
        shapes |= {n: c.array.shape for n, c in self.cells.items()}
        sizes: dict[str, int] = {}
        for p in loop.programs:
            sizes |= settle(p, {n: shapes[n] for n in (*p.inputs, *p.states)})
        team = entry.team(sizes, nblocks)
        steps = min((len(given[n]) for n in loop.stepped), default=NEVER)
        arrays: list[Any] = []
        back: list[tuple[Any, np.ndarray, int]] = []
        changed = frozenset().union(*map(written, loop.programs))
        states = [(k, self.cells[a.buffer], a.buffer in changed) for k, a in enumerate(kernel.args) if a.role == "state"]
        with driver.here():
            for a in kernel.args:
                if a.name in self.fixed:
                    arrays.append(self.fixed[a.name])
                elif a.role == "state":
                    arrays.append(None)
                elif a.role == "scratch":
                    arrays.append(driver.new(a.extent.count(sizes, team), a.dtype))
                elif a.role == "history":
                    host = recorded_in(loop, int(a.buffer), history, sizes)
                    row = math.prod(history[int(a.buffer)].shape[1:])
                    rows = min(len(history[int(a.buffer)]), -(-steps // every))
                    arrays.append(driver.new(rows * row, a.dtype))
                    back.append((arrays[-1], host, row))
                else:
                    if a.name not in kept or a.buffer in loop.stepped:
                        kept[a.name] = _laid_out(driver, given[a.buffer], a.packed)
                    arrays.append(kept[a.name])
            slices = [math.prod(given[a.buffer].shape[1:]) for a in kernel.args if a.name in kernel.stepped]
            each = [driver.put(np.ascontiguousarray((lengths or {})[name], np.int64)) for name, _ in kernel.lengths]
            barrier, control = driver.put(np.zeros(BARRIER_SIZE, np.int64)), np.zeros(CONTROL_SIZE, np.int64)
            control[STOP] = NEVER
            there = driver.put(control)
        tail = [*(sizes[name] for name, _ in kernel.sizes), *slices, *each]
        status = next(((k, a.extent.count(sizes, team)) for k, a in enumerate(kernel.args) if a.role == "status"), None)

        def launch(first: int, last: int) -> None:
            for k, cell, write in states:
                arrays[k] = cell.device(driver, write)
            entry.launch(team, barrier, there, first, last, every, *arrays, *tail)
            if status is None:
                driver.wait()
                return
            seen = driver.fetched(arrays[status[0]], status[1], np.int64)
            if seen.any():
                error = failed(seen, self.made.failing, self.made.table(), sizes)
                driver.set(arrays[status[0]], seen)
                driver.get(there, control)
                error.steps_done = int(control[DONE])  # type: ignore[attr-defined]
                raise error

        def bring(first: int, last: int) -> None:
            """The records of these steps, to the host."""
            rows = slice(-(-first // every), -(-last // every))
            for x, host, row in back:
                part = slice(rows.start * row, rows.stop * row)
                driver.get(x[part], host[part])

        def advance(first: int, last: int, deadline: int = 0) -> int:
            done, count, now = first, 0, time.perf_counter_ns()
            with driver.here():
                try:
                    while done < last and not (done > first and deadline and now >= deadline):
                        left = min(SLICE, deadline - now) if deadline else SLICE
                        count = min(last - done, self.stride.steps(left, count))
                        launch(done, done + count)
                        done, begun, now = done + count, now, time.perf_counter_ns()
                        self.stride.cost = max(1, now - begun) / count
                except (FloatingPointError, IndexError) as e:
                    done = e.steps_done  # type: ignore[union-attr]
                    raise
                finally:
                    bring(first, done)
            return done

        return advance


def _laid_out(driver: Driver, x: Any, packed: int) -> Any:
    """An input of a loop on the device."""
    if packed:
        return driver.put(pack(on_host(x), packed))
    return as_numba(x).reshape(-1) if is_device_array(x) else driver.put(x.reshape(-1))


# ---------------------------------------------------------------- inspection
def told(made: Made, lines: Sequence[str]) -> str:
    """The report of a program with what is a device's own before its last line."""
    *first, last = str(made).splitlines()
    return "\n".join([*first, *(f"  {line}" for line in lines), last])


def moved(program: Program) -> str:
    """What a run copies: all inputs to the device, all results back."""
    table = program.table()
    there, back = (
        amount([(np.dtype(table[n].dtype).itemsize, table[n].shape) for n in names]) for names in (program.inputs, program.outputs)
    )
    return f"{there} to the device and {back} back"


def launches(made: CudaKernel) -> str:
    """What the host starts for a run, or for a step."""
    kernels = [piece for piece in pieces(made.kernel) if not piece.host]
    if not any(piece.host for piece in pieces(made.kernel)):
        return "1 launch"
    return f"{len(kernels)} launches and cuBLAS for {', '.join(made.large)}"


def figures(made: CudaKernel, entry: Entry) -> list[str]:
    """How the kernel fills the device, as far as its driver says."""
    device, most = entry.driver.device, entry.most
    lines = [f"{device}: up to {most} blocks of {entry.lanes} lanes, {entry.shared} bytes of shared memory each"]
    with entry.driver.here():
        found = [entry.driver.figures(kernel) for kernel in entry.kernels]
        missing = bool(made.large) and entry.driver.library() is None
    if missing:
        lines.append(f"{INSTALL} would make large products faster: {', '.join(made.large)}")
    if not found or None in found or not device.processors:
        return [*lines, "registers and occupancy: unknown without a device"]
    registers, local, threads = map(max, zip(*found, strict=True))
    share = most // device.processors * entry.lanes / threads
    return [*lines, f"{registers} registers and {local} bytes of local memory a lane; occupancy {share:.0%}"]
