"""How many threads a kernel is worth.

Law of this file: a team is called where what its members share takes clearly longer than their meetings, by the figures of
`costs`; the results have the same bits either way.  Waking a team from Python takes 30 to 60 us; a meeting takes 0.1 us
and then some for whoever is late.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .costs import steps_of, storage, work
from .ir import Repeat, Scatter, reads
from .memory import Part
from .nests import Meeting
from .sizes import count
from .threads import get_threads

MEETING = 500.0
"""ns that a barrier takes, with the wait for whoever is late."""
WAKING = 75_000.0
"""ns that waking a team takes, at its worst."""
EXCHANGED = 0.4
"""ns a byte of an array that one phase writes and another reads, by whichever thread: lines go from cache to cache.  A 64-32-10
net takes 8.6 us a step on one thread and 9.1 on two; linear regression on 20640 x 9 8.3 and 4.4."""


@dataclass(frozen=True, eq=False)
class Gate:
    """Asked with the sizes of a launch; `wakes`: each run of the step wakes the team (a loop wakes it once)."""

    parts: Sequence[Part]
    meetings: tuple[Meeting, ...]
    wakes: bool
    known: dict[tuple[int, ...], tuple[float, float]] = field(default_factory=dict)

    def weighed(self, sizes: Mapping[str, int]) -> tuple[float, float]:
        """ns of work in one step that a team shares, and ns that its sharing takes."""
        key = tuple([n.bit_length() for n in sizes.values()])
        if key not in self.known:
            shared = sum(_shared(part, sizes) for part in self.parts)
            exchanged = sum(_exchanged(part, sizes) for part in self.parts)
            meetings = sum(n * count(turns, sizes) for n, turns in self.meetings)
            self.known[key] = shared, MEETING * meetings + WAKING * self.wakes + EXCHANGED * exchanged
        return self.known[key]

    def __call__(self, sizes: Mapping[str, int]) -> int:
        """The number of threads to ask for."""
        most = get_threads()
        if most == 1:
            return 1
        shared, price = self.weighed(sizes)
        return most if shared * (1 - 1 / most) > price else 1

    def why(self, sizes: Mapping[str, int]) -> str:
        """The decision in words, for sizes that are all known."""
        if any(name not in sizes for part in self.parts for name, _ in part.program.sizes):
            return "threads: as many as pay for the sizes of the launch"
        shared, price = self.weighed(sizes)
        figures = f"a team would share about {shared / 1000:.1f} us a step and spend {price / 1000:.1f} us on meetings and exchange"
        return f"threads: {self(sizes)} of {get_threads()}: {figures}"


def _shared(part: Part, sizes: Mapping[str, int]) -> float:
    table = part.program.table()
    shared = [m.statement for plan in part.plans if plan.phase.kind == "rows" for m in plan.phase.members]
    return sum(work(s, table, sizes)[1] for s in shared) + sum(n * _shared(body, sizes) for n, body in _bodies(part, sizes))


def _bodies(part: Part, sizes: Mapping[str, int]) -> Iterator[tuple[int, Part]]:
    """The bodies of loops, and how many steps they make."""
    for s in part.program.statements:
        if isinstance(s, Repeat):
            yield steps_of(s, sizes), part.memory.bodies[s.out]


def _exchanged(part: Part, sizes: Mapping[str, int]) -> int:
    """Bytes of arrays that are written in the step and seen by several phases."""
    table = part.program.table()
    homes = part.memory.homes
    phases: dict[str, set[int]] = {}
    written: dict[str, str] = {}
    for number, plan in enumerate(part.plans):
        for m in plan.phase.members:
            for n in (m.statement.out, *reads(m.statement)):
                if n in homes and homes[n].kind == "array":
                    phases.setdefault(homes[n].arg, set()).add(number)
            out = homes.get(m.statement.out)
            if out is not None and out.kind == "array":
                s = m.statement
                written[out.arg] = s.x if isinstance(s, Scatter) and s.onto is not None and homes[s.onto] == out else s.out  # rows of it
    own = sum(storage(table[n], sizes) for arg, n in written.items() if len(phases[arg]) > 1)
    return own + sum(n * _exchanged(body, sizes) for n, body in _bodies(part, sizes))
