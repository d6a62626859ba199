"""What lives between the runs of a session: variables by leaf, random streams by key.

Law of this file: every value has one array on the host, always the same.  Programs of a device have it in a `Cell`, which
says where it is current; who reads or writes the array asks here, and gets it as the last program left it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from .codegen.resident import Cell
from .node import Key, Kind, Node
from .placement import Placement


class State:
    """Values that live between runs; `placement` is where the programs on them run."""

    def __init__(self, placement: Placement | None = None) -> None:
        self.lock = threading.RLock()
        self.placement = placement or Placement()
        self.variables: dict[Node, np.ndarray] = {}
        self.initialized: set[Node] = set()
        self.streams: dict[Key, np.ndarray] = {}
        self.cells: dict[Node | Key, Cell] = {}

    def array(self, n: Node, write: bool = True) -> np.ndarray:
        """The array of a state leaf, made when there is none yet; who only reads it leaves the value where it is too."""
        if n.kind is Kind.RANDOM:
            return self.stream(n.attrs[0], write)
        if n not in self.variables:
            self.variables[n] = np.zeros(tuple(int(d) for d in n.shape), n.dtype.as_numpy_dtype)  # type: ignore[arg-type]
        return self._at_home(n, self.variables[n], write)

    def stream(self, key: Key, write: bool = True) -> np.ndarray:
        """[position, seed, seed2] of a random stream; a key without seeds takes fresh ones from the system, once."""
        if key not in self.streams:
            seeds: Any = key.owner or tuple(int.from_bytes(os.urandom(4), "little") & 0x7FFFFFFF for _ in range(2))
            self.streams[key] = np.array([0, *seeds], np.int64)
        return self._at_home(key, self.streams[key], write)

    def cell(self, n: Node) -> Cell:
        """A state leaf as programs of a device take it."""
        key = _key(n)
        if key not in self.cells:
            self.cells[key] = Cell(self.array(n))
        return self.cells[key]

    def bring_home(self, states: Iterable[tuple[Node, bool]]) -> None:
        """Make the host's arrays current for a program that reads these, and writes those with True."""
        for n, write in states:
            if (cell := self.cells.get(_key(n))) is not None:
                cell.host(write)

    def _at_home(self, key: Node | Key, array: np.ndarray, write: bool) -> np.ndarray:
        return self.cells[key].host(write) if key in self.cells else array


def _key(n: Node) -> Node | Key:
    return n.attrs[0] if n.kind is Kind.RANDOM else n
