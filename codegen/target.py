"""What a program is cut for: the few numbers in which targets differ.

Law of this file: a kernel is run by a team.  A member of the team is a thread of the CPU, or a block of CUDA threads,
which are then its lanes: they share the loops of a nest.  The passes ask for these numbers and never for a name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`serial`: points of an iteration space up to which one member does it, on the CPU 2 us of work against 0.1 for a barrier
    and the imbalance.  `unroll`, `unrolled`: results of a reduction over rows, of one statement and of a phase, that live in
    registers (9 columns over 20640 packed rows on a CPU: 11 us, through memory 100).  `narrow`: elements of a row that one lane
    does alone where there are several.  `library`: are large products a library's, which the host calls between two kernels?"""

    lanes: int = 1
    serial: int = 512
    unroll: int = 16
    unrolled: int = 64
    narrow: int = 1
    library: bool = False

    @property
    def spread(self) -> bool:
        """Has a member several lanes?"""
        return self.lanes > 1


CPU = Limits()


def cuda(lanes: int, library: bool = False) -> Limits:
    """A block of so many threads, a power of two; with cuBLAS beside it, or without."""
    return Limits(lanes, serial=4 * lanes, unroll=32, unrolled=64, narrow=64, library=library)
