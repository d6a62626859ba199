"""What was done to a program and why: the text behind explain()."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from .fuse import PassNote
from .ir import Buffer, Indirect, Linalg, Map, MatMul, Program, Repeat, Size, Statement, reads
from .loops import count
from .lower import Kernel
from .memory import Memory
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
        """Rough floating point operations of one step (multiply and add count two); a size not given counts one."""
        return round(sum(_total(self.flop_terms(), sizes or {})))

    def bytes(self, sizes: Mapping[str, int] | None = None) -> int:
        """Bytes of arrays that each phase reads and writes once, summed over the phases; a size not given counts one."""
        return round(sum(_total(self.byte_terms(), sizes or {})))

    def flop_terms(self) -> list[Term]:
        """The terms whose sum `flops` is."""
        table = self.fused.table()
        return [term for s in self.fused.statements for term in _flops(s, table)]

    def byte_terms(self) -> list[Term]:
        """The terms whose sum `bytes` is."""
        return list(_bytes(self.fused, self.plans, self.memory))


Term = tuple[float, tuple[Size, ...]]
"""A factor and the sizes that it is multiplied by: an amount of work that is known before the sizes are."""


def _total(terms: Iterable[Term], sizes: Mapping[str, int]) -> Iterator[float]:
    for factor, shape in terms:
        yield factor * prod(s if isinstance(s, int) else sizes.get(s, 1) for s in shape)


def _by_unit(terms: Iterable[Term]) -> dict[tuple[str, ...], float]:
    """The factor of every product of unknown sizes; that of () is the constant part."""
    found: dict[tuple[str, ...], float] = {}
    for factor, shape in terms:
        unit = tuple(sorted(s for s in shape if isinstance(s, str)))
        found[unit] = found.get(unit, 0) + factor * prod(s for s in shape if isinstance(s, int))
    return found


def _flops(s: Statement, table: dict[str, Buffer]) -> Iterator[Term]:
    match s:
        case Map():
            yield s.body.flops() + (s.reducer is not None), s.space
        case MatMul() | Indirect():
            yield 2, work(s, table)
        case Linalg():
            if s.fn == "top":
                yield 1, table[s.args[0]].shape
                return
            *batch, _, n = table[s.args[0]].shape
            factor = {"inverse": 2, "cholesky": 1 / 3}.get(s.fn, 2 / 3)
            yield factor, (*batch, n, n, n)
            if s.fn == "solve":
                yield 2, (*batch, n, n, table[s.args[1]].shape[-1])
        case Repeat():
            inside, turns = s.body.table(), _turns(s)
            yield from ((factor, (*sizes, *turns)) for each in s.body.statements for factor, sizes in _flops(each, inside))


def _bytes(program: Program, plans: tuple[Plan, ...], memory: Memory) -> Iterator[Term]:
    table = program.table()
    for plan in plans:
        loop = plan.phase.members[0].statement
        if isinstance(loop, Repeat):
            body = memory.bodies[loop.out]
            yield from ((factor, (*sizes, *_turns(loop))) for factor, sizes in _bytes(body.program, body.plans, body.memory))
            continue
        for n in sorted({n for m in plan.phase.members for n in (m.statement.out, *reads(m.statement))}):
            if n in memory.homes and memory.homes[n].kind == "array":
                yield np.dtype(table[n].dtype).itemsize, table[n].shape


def _turns(s: Repeat) -> tuple[Size, ...]:
    """How often the body is run; once where nobody knows."""
    return () if s.steps is None else (s.steps,)


def amount(terms: Iterable[Term]) -> str:
    """A number of bytes: the constant part, and the part for each unit of every product of unknown sizes."""
    found = _by_unit(terms)
    units = sorted(unit for unit in found if unit)
    return " + ".join([f"{round(found.get((), 0))} bytes", *(f"{round(found[u])} for each {' * '.join(u)}" for u in units)])


def _costs(m: Made) -> str:
    """Work and traffic of a step: the constant part, and the part for each unit of every product of unknown sizes."""
    flops, moved = _by_unit(m.flop_terms()), _by_unit(m.byte_terms())
    units = sorted(unit for unit in {*flops, *moved} if unit and (flops.get(unit) or moved.get(unit)))
    parts = [f"about {round(flops.get((), 0))} flops and {round(moved.get((), 0))} bytes of arrays a step"]
    parts += [f"{round(flops.get(u, 0))} flops and {round(moved.get(u, 0))} bytes for each unit of {' * '.join(u)}" for u in units]
    return ", and ".join(parts)


def _phases(plans: tuple[Plan, ...], memory: Memory, inside: str = "") -> Iterator[str]:
    """The phases of a program, with those of its loops' bodies, and what they never keep whole."""
    indent = "  " * (1 + inside.count("."))
    for number, plan in enumerate(plans):
        yield f"{indent}phase {inside}{number}: {plan.phase}"
        if plan.phase.kind == "rows":
            yield f"{indent}  blocks of {plan.block} rows, {len(plan.stages)} walk(s) or call(s) a block"
        for w in plan.works():
            if w.folded:
                yield f"{indent}  {w.statement.out}: summed over the rows in {w.folded}" + (
                    " (registers)" if w.folded in ("carry", "unrolled") else " (one array a block)"
                )
        if plan.body is not None:
            body = memory.bodies[plan.phase.members[0].statement.out]
            yield from _phases(body.plans, body.memory, f"{inside}{number}.")
    for kind in ("local", "row", "tile", "section"):
        if names := [n for n, h in memory.homes.items() if h.kind == kind]:
            yield f"{indent}never a whole array ({kind}): {', '.join(names)}"


def _lines(m: Made) -> Iterator[str]:
    yield f"{m.program.name}: {len(m.program.statements)} statements, {len(m.fused.statements)} after the passes, {len(m.plans)} phases"
    for note in m.notes:
        yield f"  pass {note}"
    yield from _phases(m.plans, m.memory)
    for text in m.memory.notes:
        yield f"  {text}"
    yield f"  {_costs(m)}"
    nodes = count(m.kernel.body)
    yield f"  kernel: {nodes.get('For', 0)} loops, {m.kernel.barriers} barriers, {len(m.kernel.args)} arrays"
    yield f"  compiled in {m.seconds:.3f} s; cache {m.cache}"
