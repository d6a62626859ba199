"""Programs on a grid of blocks of lanes that Python's threads play: the CUDA source as it is, on any machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from symgraph.codegen import cuda, plain_cuda
from symgraph.codegen.ir import Program
from symgraph.codegen.launch import constant, failed
from symgraph.codegen.runtime.pool import BARRIER_SIZE
from symgraph.codegen.sizes import extents, settle

LANES, SHARED = 8, 16384
BLOCKS = (1, 2, 3)
"""Numbers of blocks that programs are tried on; Numba's simulator knows but one."""


class Grid:
    """A program for so many blocks; states are updated in place, scratch holds what the last launch left, at first nan."""

    def __init__(self, program: Program, states: Sequence[np.ndarray] = (), blocks: int = 2) -> None:
        self.program, self.blocks = program, blocks
        self.made = cuda.translate(program, LANES)
        self.held = dict(zip(program.states, states, strict=True))
        self.entry = plain_cuda.load(self.made.source)
        self.scratch: dict[str, np.ndarray] = {}

    def __call__(self, *inputs: np.ndarray) -> list[np.ndarray]:
        p, kernel = self.program, self.made.kernel
        given = dict(zip(p.inputs, inputs, strict=True))
        sizes = settle(p, {n: x.shape for n, x in {**given, **self.held}.items()})
        arrays = {a.name: self._array(a, given, sizes) for a in kernel.args}
        early = {r.arg: self._before(r.arg, given).copy() for r in self.made.memory.results if r.kind == "before"}
        passed = [*arrays.values(), *(sizes[name] for name, _ in kernel.sizes)]
        self.entry[self.blocks, LANES, 0, SHARED](np.zeros(BARRIER_SIZE, np.int64), *passed)
        if "status" in arrays and arrays["status"].any():
            raise failed(arrays["status"], self.made.failing, self.made.table(), sizes)
        found = []
        for r in self.made.memory.results:
            shape = extents(r.shape, sizes)
            whole = early[r.arg].reshape(shape) if r.kind == "before" else arrays[r.arg]
            found.append(whole if r.kind == "before" else whole[r.slot] if r.kind == "slot" else whole.reshape(shape).copy())
        return found

    def _array(self, a, given: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> np.ndarray:
        if a.role == "state":
            return self.held[a.buffer].reshape(-1)
        if a.role == "input":
            return np.ascontiguousarray(given[a.buffer]).reshape(-1)
        if (fixed := constant(a, self.made.kernel, self.made.table())) is not None:
            return fixed
        n = a.extent.count(sizes, self.blocks)
        if a.role == "output":
            return rubbish(n, a.dtype)
        if a.name not in self.scratch or len(self.scratch[a.name]) != n:
            self.scratch[a.name] = rubbish(n, a.dtype)
        return self.scratch[a.name]

    def _before(self, name: str, given: Mapping[str, np.ndarray]) -> np.ndarray:
        value = self.program.table()[name].value
        return self.held[name] if name in self.held else given[name] if value is None else value


def rubbish(n: int, dtype: str) -> np.ndarray:
    """What memory holds that nobody has written: nan, or -1."""
    return np.frombuffer(b"\xff" * (n * np.dtype(dtype).itemsize), dtype).copy()
