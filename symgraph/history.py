"""What a training loop recorded.

Law of this file: a history is made once, when its loop ends, and holds arrays only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class History(Mapping[Any, np.ndarray]):
    """What was recorded in a loop: a mapping from names to arrays [records, ...].

    `history[name]`, or by the tensor itself: `history[mse]`.  Row k is the value before step `steps[k]`.
    """

    steps: np.ndarray
    """The numbers of the steps that were recorded, int64."""
    steps_done: int
    """How many steps were made."""
    interrupted: bool
    """Was the loop stopped by Ctrl-C?"""
    seconds: float
    """How long it took."""
    arrays: Mapping[str, np.ndarray]
    names: Mapping[Any, str]
    """The name under which a tensor was recorded."""
    explanation: Callable[[], str]

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, str) and key in self.arrays:
            return self.arrays[key]
        found = self.names.get(key._as_graph_element() if hasattr(key, "_as_graph_element") else key)
        if found is None:
            raise KeyError(f"{key!r} was not recorded; there are: {', '.join(self.arrays) or 'none'}")
        return self.arrays[found]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    __eq__, __hash__ = object.__eq__, object.__hash__  # type: ignore[assignment]

    def explain(self) -> str:
        """How the loop ran: what was compiled and why, or why it ran step by step."""
        return self.explanation()

    def _table(self) -> list[tuple[str, str, str]]:
        """Name, type, and first and last values of everything that was recorded."""
        named = {"step": self.steps, **self.arrays} if self.arrays else {}
        return [(name, f"{x.dtype}[{', '.join(map(str, x.shape))}]", _ends(x)) for name, x in named.items()]

    def _title(self) -> str:
        return f"{self.steps_done} steps in {self.seconds:.3g} s" + (", interrupted" if self.interrupted else "")

    def __repr__(self) -> str:
        rows = self._table()
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join([f"History: {self._title()}", *(f"  {a:{wide[0]}}  {b:{wide[1]}}  {c}" for a, b, c in rows)])

    def _repr_html_(self) -> str:
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._table())
        return f"<table><caption>{escape(self._title())}</caption>{rows}</table>"


def _ends(x: np.ndarray) -> str:
    """The first two numbers of a series of them, and the last; arrays are not shown."""
    if x.ndim != 1:
        return ""
    texts = [f"{v:.4g}" if x.dtype.kind == "f" else str(v) for v in (x if len(x) <= 3 else x[[0, 1, -1]])]
    return ", ".join(texts if len(x) <= 3 else [*texts[:2], "...", texts[2]])
