"""The judge beside the judged: every launch is also interpreted, and the two are compared.

Law of this file: a `Judged` program looks like the executable that it holds.  Launches cost what the interpreter costs;
it is for finding out, not for use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .reference import interpret
from .resident import Cell, on_host

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
"""Relative to the greatest magnitude in the array; everything else must be equal."""


@dataclass(frozen=True, eq=False)
class Judged:
    """An executable whose `bind` compares every launch with the interpreter and raises `Disagreement`."""

    executable: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.executable, name)

    def bind(self, states: Sequence[Any]) -> Callable[..., tuple]:
        """As the executable's own; the states are those of the executable."""
        program = self.executable.program
        run, own = self.executable.bind(states), [_now(s).copy() for s in states]
        judge = interpret(program).bind(own)

        def both(*inputs: np.ndarray) -> tuple:
            for mine, theirs in zip(own, states, strict=True):
                mine[...] = _now(theirs)
            out, wanted = run(*inputs), judge(*map(on_host, inputs))
            for name, a, b in zip((*program.outputs, *program.states), (*out, *map(_now, states)), (*wanted, *own), strict=True):
                _compare(f"{program.name}: {name} ({program.table()[name].origin})", np.asarray(a), np.asarray(b))
            return out

        return both


def _now(state: np.ndarray | Cell) -> np.ndarray:
    """The value of a state, wherever it lies."""
    return state.host(write=False) if isinstance(state, Cell) else state


class Disagreement(AssertionError):
    """The compiled program and the interpreter differ: a fault of the compiler."""


def _compare(what: str, a: np.ndarray, b: np.ndarray) -> None:
    finite = np.abs(b[np.isfinite(b)]) if b.dtype.kind == "f" else b[:0]
    scale = TOLERANCE.get(b.dtype.name, 0.0) * float(finite.max(initial=0)) if b.dtype.kind == "f" else 0.0
    same = np.isclose(a, b, rtol=0.0, atol=scale, equal_nan=True) if b.dtype.kind == "f" else a == b
    if a.shape != b.shape or a.dtype != b.dtype or not np.all(same):
        raise Disagreement(f"{what} is {a!r:.200}, the interpreter says {b!r:.200}")
