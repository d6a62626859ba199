"""A device that stands in for one: NumPy's arrays in memory of their own, and kernels of the CPU run as plain Python.

Law of this file: it has what a real one lacks in a test, eyes: every copy is counted, and nothing sees another's memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from symgraph.codegen.cpu import build, decide
from symgraph.codegen.cuda import CudaKernel
from symgraph.codegen.device_entry import Entry
from symgraph.codegen.device_launch import DeviceExecutable, DeviceLoop
from symgraph.codegen.devices import Device
from symgraph.codegen.ir import Loop, Program
from symgraph.codegen.lower import Kernel, lower, lower_loop
from symgraph.codegen.memory import Arguments
from symgraph.codegen.report import Made
from symgraph.codegen.resident import Driver
from symgraph.codegen.steps import with_own_outputs

DEVICE = Device("/device:GPU:0", "GPU", 1 << 30, "a stand-in", (9, 0), 2)


class Watched(np.ndarray):
    """An array that lies on the device."""

    __cuda_ndarray__ = True

    def copy_to_host(self, host: np.ndarray | None = None) -> np.ndarray:
        return np.array(self)

    def is_c_contiguous(self) -> bool:
        return bool(self.flags.c_contiguous)


def on_device(x: Any) -> Watched:
    return np.array(x).view(Watched)


class Counting:
    """A driver and the bytes that it copied: there and back."""

    def __init__(self, device: Device = DEVICE) -> None:
        self.there, self.back, self.launches = 0, 0, 0

        def put(x: np.ndarray) -> np.ndarray:
            self.there += x.nbytes
            return on_device(x)

        def get(x: np.ndarray, host: np.ndarray) -> None:
            assert isinstance(x, Watched) and not isinstance(host, Watched) and x.ndim == host.ndim == 1
            self.back += host.nbytes
            host[...] = x

        def put_into(x: np.ndarray, host: np.ndarray) -> None:
            assert isinstance(x, Watched) and not isinstance(host, Watched) and x.ndim == host.ndim == 1
            self.there += host.nbytes
            x[...] = host

        def new(n: int, dtype: Any) -> np.ndarray:
            return np.full(n, 77, dtype).view(Watched)

        def nothing(*args: Any) -> None:
            return None

        self.driver = Driver(device, nullcontext, put, new, get, put_into, nothing, nothing, nothing, lambda *_: 3, nothing)

    def counts(self) -> tuple[int, int, int]:
        """Launches, bytes there and bytes back since the last look."""
        found = self.launches, self.there, self.back
        self.launches = self.there = self.back = 0
        return found

    def entry(self, kernel: Any) -> Entry:
        counting = self

        class Call:
            def __getitem__(self, configuration: tuple[int, int, int, int]) -> Any:
                blocks, lanes, stream, shared = configuration
                assert 1 <= blocks <= 3 and (lanes, stream, shared) == (8, 0, 64)

                def launch(*args: Any) -> None:
                    counting.launches += 1
                    assert all(isinstance(x, Watched) or np.ndim(x) == 0 for x in args)
                    kernel(0, 1, *(x.view(np.ndarray) if isinstance(x, Watched) else x for x in args))

                return launch

        return Entry(Call(), 8, 64, self.driver, lambda sizes: 2)

    def compile_for(self, program: Program, device: Device = DEVICE) -> DeviceExecutable:
        """What codegen's function of this name does, for this device."""
        arguments = Arguments()
        part, notes = decide(program, arguments, {})
        kernel = lower(part, arguments, {})
        return DeviceExecutable(*self._made(program, [(part, notes)], kernel, arguments))

    def compile_loop_for(self, loop: Loop, hints: Mapping[str, int], device: Device = DEVICE) -> DeviceLoop:
        """The same for a loop."""
        loop = with_own_outputs(loop)
        arguments = Arguments(frozenset(loop.inputs) - set(loop.stepped))
        record = decide(loop.record, arguments, hints, promote=False) if loop.record else None
        step = decide(loop.step, arguments, hints, promote=False)
        kernel = lower_loop(loop, step[0], record[0] if record else None, arguments, hints)
        return DeviceLoop(*self._made(loop, [x for x in (record, step) if x], kernel, arguments))

    def _made(self, program: Any, parts: list, kernel: Kernel, arguments: Arguments) -> tuple[CudaKernel, Entry, Any]:
        built = build(kernel, "python")
        reports = tuple(Made(part.program, part.program, notes, part.plans, part.memory, kernel, built.cache, 0.0) for part, notes in parts)
        made = CudaKernel(program, kernel, built.source, 8, parts[-1][0].memory, tuple(arguments.failing), reports)
        return made, self.entry(built.entry), lambda lanes: made
