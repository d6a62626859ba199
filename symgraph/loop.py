"""Loops of steps: a training operation again and again, with what is recorded on the way.

Law of this file: `Loop.run` means

    for s in range(steps):
        if s % every == 0: the recorded tensors are run
        the step is run

under the same feeds but for the rows of mini-batches, and `_by_steps` is this loop as it stands.  Whatever is faster
gives the same values and leaves the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import dtypes
from .errors import shown
from .graph import Operation, Tensor
from .history import History
from .log import LOG
from .minibatch import Minibatch, taking_part, whole
from .plan import Family, feed_array
from .watch import Watch

PIECE = 1 << 20
"""Rows of mini-batches that are drawn at a time: 8 MB."""


class Loop:
    """A step and what is recorded of it, under feeds of the same tensors.

    `record` is run before the steps that are recorded; without it, what the step itself gives is recorded."""

    def __init__(self, step: Family, record: Family | None, names: Mapping[Tensor, str]) -> None:
        self.step, self.record, self.names = step, record, names

    def run(
        self,
        values: Sequence[Any],
        steps: Any,
        minibatch: Minibatch | None,
        every: Any,
        progress: bool | None,
        reassociate: bool,
        find: Callable[[Any], Tensor],
    ) -> History:
        """The loop; see `Session.run_loop`."""
        steps, every = whole("steps", steps, 0), whole("every", every, 1)
        if minibatch is not None and not isinstance(minibatch, Minibatch):
            raise TypeError(f"minibatch must be a sg.Minibatch, not {shown(minibatch)}")
        fed = self.step.fed
        arrays = [feed_array(t, v) for t, v in zip(fed, values, strict=True)]
        part: tuple[int, ...] = ()
        if minibatch is not None:
            part, rows = taking_part(minibatch, fed, arrays, find)
            minibatch.check(rows, steps)
        records = _Records(list(self.names), -(-steps // every))
        with Watch(steps, progress) as watch:
            done = self._by_steps(arrays, steps, minibatch, part, every, records, watch)
            watch.close(done)
        if watch.stopped:
            LOG.info("the loop was interrupted after %d of %d steps", done, steps)
        kept = dict(zip(self.names.values(), records.arrays(-(-done // every)), strict=True))
        aliases: dict[Any, str] = {key: name for t, name in self.names.items() for key in (t, t.name)}
        return History(np.arange(0, done, every), done, watch.stopped, watch.seconds, kept, aliases, lambda: "step by step")

    def _by_steps(
        self,
        arrays: Sequence[np.ndarray],
        steps: int,
        minibatch: Minibatch | None,
        part: Sequence[int],
        every: int,
        records: _Records,
        watch: Watch,
    ) -> int:
        """The loop, step by step; returns how many steps were made."""
        for s, feed in enumerate(_feeds(arrays, steps, minibatch, part)):
            recorded = s % every == 0
            if recorded and self.record is not None:
                records.put(s // every, self.record.run(feed))
            out = self.step.run(feed)
            if recorded and self.record is None:
                records.put(s // every, out)
            if not watch(s + 1):
                return s + 1
        return steps


def _feeds(arrays: Sequence[np.ndarray], steps: int, minibatch: Minibatch | None, part: Sequence[int]) -> Iterator[Sequence[np.ndarray]]:
    """What is fed in each step."""
    if minibatch is None:
        for _ in range(steps):
            yield arrays
        return
    n = len(arrays[part[0]])
    for _, table in minibatch.pieces(n, steps, max(1, PIECE // minibatch.longest(n))):
        for rows, length in zip(*table, strict=True):
            feed = list(arrays)
            for k in part:
                feed[k] = arrays[k][rows[:length]]
            yield feed


class _Records:
    """Arrays [records, ...] that are made when the first record tells their shape."""

    def __init__(self, tensors: Sequence[Tensor], count: int) -> None:
        self.tensors, self.count = tensors, count
        self._arrays: list[np.ndarray] | None = None

    def put(self, k: int, values: Sequence[Any]) -> None:
        """Record k is these values."""
        if self._arrays is None:
            self._arrays = [np.empty((self.count, *np.shape(v)), v.dtype) for v in values]
        for t, x, v in zip(self.tensors, self._arrays, values, strict=True):
            if np.shape(v) != x.shape[1:]:
                what = f"{t.described()} has shape {np.shape(v)} in record {k}, and {x.shape[1:]} before"
                raise ValueError(f"{what}\nrecord tensors whose shape does not change")
            x[k] = v

    def arrays(self, count: int) -> list[np.ndarray]:
        """The first `count` of them; when nothing was recorded, empty arrays of the shapes that are known."""
        if self._arrays is not None:
            return [x if count == self.count else x[:count].copy() for x in self._arrays]
        return [np.empty((0, *[d if isinstance(d, int) else 0 for d in t.extents or ()]), t.dtype.as_numpy_dtype) for t in self.tensors]


def recorded(record: Any, find: Callable[[Any], Tensor | Operation]) -> dict[Tensor, str]:
    """The tensors to record and the names to record them under: of a tensor, a list, or {name: tensor}."""
    if record is None:
        return {}
    if isinstance(record, Mapping):
        pairs = list(record.items())
        wrong = next((name for name, _ in pairs if not isinstance(name, str)), None)
        if wrong is not None:
            raise TypeError(f"names of what is recorded are strings, not {shown(wrong)}")
    else:
        pairs = [(None, r) for r in (record if isinstance(record, list | tuple) else [record])]
    found: dict[Tensor, str] = {}
    for name, given in pairs:
        t = find(given)
        if not isinstance(t, Tensor):
            raise TypeError(f"record takes tensors, but {t.name} is an operation")
        if t.dtype is dtypes.string:
            raise TypeError(f"record takes numbers and truth values, but {t.described()} is a string")
        if t in found and name is not None:
            raise ValueError(f"{t.name} is recorded twice, as '{found[t]}' and '{name}'")
        if name in found.values():
            raise ValueError(f"two tensors are recorded as '{name}'")
        found.setdefault(t, name or (t.name if own_name(t) in found.values() else own_name(t)))
    return found


def own_name(t: Tensor) -> str:
    """What a tensor is recorded under: its operation's name, for a variable the variable's."""
    op = t.op
    if op.type == "Identity" and op.inputs[0].op.type == "VariableV2":
        op = op.inputs[0].op
    return t.name if t.value_index else op.name
