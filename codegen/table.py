"""The arrays of a launch as a kernel takes them: those that its body names, after the table for its functions.

Law of this file: a table is filled once for arrays that stay, and again for those that a call brings; it keeps nothing
alive, so the caller holds the arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .lower import Kernel

MOVING = ("input", "output", "history")
"""Roles of arrays that differ from call to call."""


@dataclass(frozen=True, eq=False)
class Table:
    """Which entries each array has, by its number among the kernel's arguments, and which arrays are parameters."""

    kernel: Kernel
    entries: dict[int, list[int]]
    named: tuple[int, ...]
    moving: tuple[int, ...]

    @staticmethod
    def of(kernel: Kernel) -> Table:
        numbers = {kernel.parameter(a): k for k, a in enumerate(kernel.args)}
        entries: dict[int, list[int]] = {}
        for at, name in enumerate(kernel.table):
            entries.setdefault(numbers[name], []).append(at)
        named = tuple(k for k, a in enumerate(kernel.args) if a.name not in kernel.unnamed)
        return Table(kernel, entries, named, tuple(k for k in entries if kernel.args[k].role in MOVING))

    def filled(self, arrays: Sequence[np.ndarray | None]) -> np.ndarray:
        """A new table of those arrays that are there."""
        table = np.zeros(2 * len(self.kernel.table), np.int64)
        self.fill(table, arrays, [k for k in self.entries if arrays[k] is not None])
        return table

    def fill(self, table: np.ndarray, arrays: Sequence[np.ndarray | None], which: Sequence[int]) -> None:
        """Enter some arrays."""
        for k in which:
            x = arrays[k]
            assert x is not None
            address = x.ctypes.data
            for at in self.entries[k]:
                table[2 * at] = address
                table[2 * at + 1] = x.size

    def passed(self, table: np.ndarray, arrays: Sequence) -> list:
        """What stands for the arrays among the kernel's arguments."""
        return [*([table] if self.entries else []), *[arrays[k] for k in self.named]]
