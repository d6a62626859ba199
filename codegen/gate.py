"""How many threads a kernel is worth.

Law of this file: a team is called where what its members share takes clearly longer than their meetings, by the figures of
`costs`; the results have the same bits either way.  Waking a team from Python takes 30 to 60 us; a meeting takes 0.1 us
and then some for whoever is late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .costs import work
from .lower import Part
from .threads import get_threads

MEETING = 700.0
"""ns of shared work that each barrier must be worth."""
WAKING = 150_000.0
"""ns of shared work that waking a team must be worth."""


@dataclass(frozen=True, eq=False)
class Gate:
    """Asked with the sizes of a launch; `wakes`: each run of the step wakes the team (a loop wakes it once)."""

    parts: Sequence[Part]
    barriers: int
    wakes: bool
    known: dict[tuple[int, ...], float] = field(default_factory=dict)

    def shared(self, sizes: Mapping[str, int]) -> float:
        """ns of work in one step that a team shares."""
        key = tuple([n.bit_length() for n in sizes.values()])
        if key not in self.known:
            self.known[key] = sum(_shared(part, sizes) for part in self.parts)
        return self.known[key]

    def why(self, sizes: Mapping[str, int]) -> str:
        """The decision in words, for sizes that are all known."""
        if any(name not in sizes for part in self.parts for name, _ in part.program.sizes):
            return "threads: as many as pay for the sizes of the launch"
        shared, least = self.shared(sizes), MEETING * self.barriers + WAKING * self.wakes
        figures = f"a step shares about {shared / 1000:.1f} us, a team pays from {least / 1000:.1f} us on"
        return f"threads: {self(sizes)} of {get_threads()}: {figures}"

    def __call__(self, sizes: Mapping[str, int]) -> int:
        """The number of threads to ask for."""
        most = get_threads()
        if most == 1:
            return 1
        return most if self.shared(sizes) > MEETING * self.barriers + WAKING * self.wakes else 1


def _shared(part: Part, sizes: Mapping[str, int]) -> float:
    table = part.program.table()
    shared = [m.statement for plan in part.plans if plan.phase.kind == "rows" for m in plan.phase.members]
    return sum(work(s, table, sizes)[1] for s in shared)
