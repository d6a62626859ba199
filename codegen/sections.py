"""Slices that are never copied, and parts that are written where they are joined.

Law of this file: a section is an array whose elements are those of another one, `of`: element i along an axis lies at
start + i * step there.  Only Maps see sections, element by element; who wants an array in a row gets a copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from .ir import Buffer, Concat, Map, Slice, Statement, reads
from .stages import Plan, Work


@dataclass(frozen=True, slots=True)
class Section:
    of: str
    start: tuple[int, ...]
    step: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who reads a buffer, and in which phase."""

    number: int
    plan: Plan
    statement: Statement

    @property
    def by_element(self) -> bool:
        return isinstance(self.statement, Map) and self.plan.walk == "rows" and not self.plan.phase.flat


def sections(plans: tuple[Plan, ...], table: Mapping[str, Buffer], kept: Set[str]) -> dict[str, Section]:
    """The results of Slices and the parts of Concats that need no memory of their own; those in `kept` do."""
    readers: dict[str, list[_Reader]] = {}
    for number, plan in enumerate(plans):
        for m in plan.phase.members:
            for n in reads(m.statement):
                readers.setdefault(n, []).append(_Reader(number, plan, m.statement))
    found: dict[str, Section] = {}
    for number, plan in enumerate(plans):
        works = {w.statement.out: w for w in plan.works()}
        for m in plan.phase.members:
            s = m.statement
            if isinstance(s, Slice) and s.out not in kept and all(r.by_element for r in readers.get(s.out, ())):
                start = tuple(e for e in s.start if isinstance(e, int))
                if len(start) == len(s.start) and start and s.step[-1] == 1 and min(s.step) > 0:
                    found[s.out] = Section(s.x, start, s.step)
            elif isinstance(s, Concat):
                found |= _parts(s, number, works, table, readers, kept)
    return found


def _parts(
    s: Concat, number: int, works: Mapping[str, Work], table: Mapping[str, Buffer], readers: Mapping[str, list[_Reader]], kept: Set[str]
) -> dict[str, Section]:
    """The operands of a Concat that a nest of its own phase makes, for nobody else but nests of that phase."""
    found: dict[str, Section] = {}
    at = 0
    for x in s.xs:
        extent = table[x].shape[s.axis]
        work = works.get(x)
        made_here = work is not None and isinstance(work.statement, Map) and not work.folded and x not in kept
        others = [r for r in readers[x] if r.statement is not s]
        if made_here and s.xs.count(x) == 1 and all(r.by_element and r.number == number for r in others):
            rank = len(table[x].shape)
            found[x] = Section(s.out, tuple(at if a == s.axis else 0 for a in range(rank)), (1,) * rank)
        if not isinstance(extent, int):
            break
        at += extent
    return found
