"""What was done to a program and why: the text behind explain()."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .fuse import PassNote
from .ir import Buffer, Map, MatMul, Program, Size, reads
from .loops import count
from .lower import Kernel
from .memory import Memory, block_rows
from .phases import work
from .stages import Plan


@dataclass(frozen=True, eq=False)
class Made:
    """The results of every step of the pipeline; `seconds` is the time of all of them."""

    program: Program
    fused: Program
    notes: tuple[PassNote, ...]
    plans: tuple[Plan, ...]
    memory: Memory
    kernel: Kernel
    cache: str
    seconds: float

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def flops(self, sizes: Mapping[str, int] | None = None) -> int:
        """Rough floating point operations of one step (multiply and add count two)."""
        table = self.fused.table()
        return sum(_flops(s, table, sizes or {}) for s in self.fused.statements)

    def bytes(self, sizes: Mapping[str, int] | None = None) -> int:
        """Bytes of arrays that each phase reads and writes once, summed over the phases."""
        table, total = self.fused.table(), 0
        for plan in self.plans:
            names = {n for m in plan.phase.members for n in (m.statement.out, *reads(m.statement))}
            for n in names:
                kind = self.memory.homes[n].kind if n in self.memory.homes else "local"
                if kind == "array":
                    total += _count(table[n].shape, sizes or {}) * np.dtype(table[n].dtype).itemsize
        return total


def _count(shape: tuple[Size, ...], sizes: Mapping[str, int]) -> int:
    n = 1
    for s in shape:
        n *= s if isinstance(s, int) else sizes.get(s, 1)
    return n


def _flops(s, table: dict[str, Buffer], sizes: Mapping[str, int]) -> int:
    points = _count(work(s, table), sizes)
    if isinstance(s, Map):
        return points * (s.body.flops() + (s.reducer is not None))
    return 2 * points if isinstance(s, MatMul) else 0


def _lines(m: Made) -> Iterator[str]:
    yield f"{m.program.name}: {len(m.program.statements)} statements, {len(m.fused.statements)} after the passes, {len(m.plans)} phases"
    for note in m.notes:
        yield f"  pass {note}"
    for number, plan in enumerate(m.plans):
        yield f"  phase {number}: {plan.phase}"
        if plan.phase.kind == "rows":
            yield f"    blocks of {block_rows(plan)} rows, {len(plan.stages)} walk(s) or call(s) a block"
        for w in plan.works():
            if w.folded:
                yield f"    {w.statement.out}: summed over the rows in {w.folded}" + (
                    " (registers)" if w.folded in ("carry", "unrolled") else " (one array a block)"
                )
    kinds = {k: [n for n, h in m.memory.homes.items() if h.kind == k] for k in ("local", "row", "tile")}
    for kind, names in kinds.items():
        if names:
            yield f"  never a whole array ({kind}): {', '.join(names)}"
    for text in m.memory.notes:
        yield f"  {text}"
    unknown = {s for b in m.fused.buffers for s in b.shape if isinstance(s, str)}
    per = f", for each unit of {', '.join(sorted(unknown))}" if unknown else ""
    yield f"  about {m.flops()} flops and {m.bytes()} bytes of arrays a step{per}"
    nodes = count(m.kernel.body)
    yield f"  kernel: {nodes.get('For', 0)} loops, {m.kernel.barriers} barriers, {len(m.kernel.args)} arrays"
    yield f"  compiled in {m.seconds:.3f} s; cache {m.cache}"
