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
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import config, dtypes
from .codegen.resident import on_host
from .errors import shown
from .freeze import NotSteady
from .graph import Operation, Tensor
from .history import History
from .log import LOG
from .loop_plan import BY_PRODUCT, FEW, CompiledLoop, LoopFamily, Piece, spans
from .minibatch import Minibatch, taking_part, whole
from .plan import Family, feed_array
from .stages import Stages
from .state import State
from .watch import Watch

ROWS = 1 << 20
"""Rows of mini-batches that are drawn at a time: 8 MB."""


class Loop:
    """A step and what is recorded of it, under feeds of the same tensors; `names`: each tensor's, at least one.

    `record` is run before the steps that are recorded; without it, what the step itself gives is recorded."""

    def __init__(self, step: Family | Stages, record: Family | Stages | None, names: Mapping[Tensor, Sequence[str]]) -> None:
        self.step, self.record, self.names = step, record, names
        self._families: dict[tuple, LoopFamily] = {}

    def run(self, job: Job, steps: int, progress: bool | None) -> History:
        """The loop; see `Session.run_loop`."""
        job.check(steps)
        plan, why = self.plan(job, steps)
        records = _Records(list(self.names), -(-steps // job.every))
        with Watch(steps, progress) as watch:
            try:
                if plan is None:
                    self._by_steps(job, steps, records, watch)
                else:
                    _compiled(plan, self.step.state, job, steps, records, watch)
            except Exception as e:
                watch.done = getattr(e, "steps_done", watch.done)
                e.history = self._history(job, records, watch, plan, why)  # type: ignore[attr-defined]
                if watch.done:
                    e.add_note(f"This was step {watch.done}, counted from 0; this error's `history` holds what was recorded before it.")
                raise
            watch.close()
        if watch.stopped:
            LOG.info("the loop was interrupted after %d of %d steps", watch.done, steps)
        return self._history(job, records, watch, plan, why)

    def _history(self, job: Job, records: _Records, watch: Watch, plan: CompiledLoop | None, why: str) -> History:
        arrays = records.arrays(-(-watch.done // job.every))
        kept = {name: x for names, x in zip(self.names.values(), arrays, strict=True) for name in names}
        aliases: dict[Any, str] = {key: names[0] for t, names in self.names.items() for key in (t, t.name)}
        done = np.arange(0, watch.done, job.every)
        return History(done, watch.done, watch.stopped, watch.seconds, kept, aliases, lambda: explain(plan, why))

    def job(self, values: Sequence[Any], minibatch: Minibatch | None, every: Any, reassociate: bool, find: Callable[[Any], Tensor]) -> Job:
        """What is fed, checked; `find` gives the tensor of one that a `Minibatch` names."""
        every = whole("every", every, 1)
        if minibatch is not None and not isinstance(minibatch, Minibatch):
            raise TypeError(f"minibatch must be a sg.Minibatch, not {shown(minibatch)}")
        arrays = [feed_array(t, v, self.step.device) for t, v in zip(self.step.fed, values, strict=True)]
        part = () if minibatch is None else taking_part(minibatch, self.step.fed, arrays, find)
        return Job(arrays, minibatch, part, every, bool(reassociate))

    def plan(self, job: Job, steps: int) -> tuple[CompiledLoop | None, str]:
        """The compiled loop, or None and why there is none."""
        if why := self.step.python or self.record is not None and self.record.python:
            return None, why
        backend = config.get("SYMGRAPH_BACKEND")
        if backend == "reference" or backend == "python" and self.step.device is None:
            return None, f"SYMGRAPH_BACKEND={backend}"
        if config.get("SYMGRAPH_CHECK") >= 2:
            return None, "SYMGRAPH_CHECK=2 compares every step with the interpreter"
        if steps == 0:
            return None, "there are no steps"
        sizes = job.minibatch.sizes(job.rows) if job.minibatch else {0}
        kind = job.part, len(sizes) > 1, job.every < BY_PRODUCT, steps < FEW, job.reassociate
        if kind not in self._families:
            record = self.record.request if self.record else None
            self._families[kind] = LoopFamily(self.step.request, record, self.step.fed, self.step.state, *kind)
        try:
            with self.step.state.lock:
                return self._families[kind].find(job.arrays, max(sizes), sizes), ""
        except NotSteady as e:
            return None, str(e)

    def _by_steps(self, job: Job, steps: int, records: _Records, watch: Watch) -> None:
        """The loop, step by step."""
        for s, feed in enumerate(job.feeds(steps)):
            recorded = s % job.every == 0
            if recorded and self.record is not None:
                records.put(s // job.every, self.record.run(feed))
            out = self.step.run(feed)
            if recorded and self.record is None:
                records.put(s // job.every, out)
            if not watch(s + 1):
                break


def _compiled(plan: CompiledLoop, state: State, job: Job, steps: int, records: _Records, watch: Watch) -> None:
    """The compiled loop, a piece at a time."""
    history = records.make(plan.records([*(x.shape for x in job.arrays), (job.longest,)]))
    for done in plan.run(state, job.arrays, job.every, job.pieces(steps), history):
        if not watch(done):
            break


def explain(plan: CompiledLoop | None, why: str) -> str:
    """How a loop runs, in words."""
    return f"step by step: {why}" if plan is None else plan.explain()


@dataclass(frozen=True)
class Job:
    """What a loop is given: fed arrays, and which of them mini-batches are taken of."""

    arrays: Sequence[np.ndarray]
    minibatch: Minibatch | None
    part: tuple[int, ...]
    every: int
    reassociate: bool

    @property
    def rows(self) -> int:
        """Rows of the arrays that mini-batches are taken of."""
        return len(self.arrays[self.part[0]])

    @property
    def longest(self) -> int:
        """Rows of the largest batch."""
        return self.minibatch.longest(self.rows) if self.minibatch else 0

    def check(self, steps: int) -> None:
        """ValueError unless there are mini-batches for so many steps."""
        if self.minibatch is not None:
            self.minibatch.check(self.rows, steps)

    def feeds(self, steps: int) -> Iterator[Sequence[np.ndarray]]:
        """What is fed in each step."""
        whole = [on_host(x) if k in self.part else x for k, x in enumerate(self.arrays)]
        for piece in self.pieces(steps):
            for s in range(piece.count):
                if piece.rows is None or piece.lengths is None:
                    yield self.arrays
                    continue
                rows = piece.rows[s + piece.skip, : piece.lengths[s + piece.skip]]
                yield [x[rows] if k in self.part else x for k, x in enumerate(whole)]

    def pieces(self, steps: int) -> Iterator[Piece]:
        """The loop in pieces: all of it, or what rows were drawn for."""
        if self.minibatch is None:
            yield Piece(0, steps)
            return
        ends = list(spans(steps, self.every, max(1, ROWS // max(1, self.longest))))
        for first, end, (rows, lengths) in zip([0, *ends], ends, self.minibatch.pieces(self.rows, ends), strict=False):
            if first % self.every:
                rows, lengths = np.concatenate([rows[:1], rows]), np.concatenate([lengths[:1], lengths])
            yield Piece(first, end - first, rows, lengths, int(first % self.every > 0))


class _Records:
    """Arrays [records, ...] that are made when the first record tells their shape."""

    def __init__(self, tensors: Sequence[Tensor], count: int) -> None:
        self.tensors, self.count = tensors, count
        self.made: list[np.ndarray] | None = None

    def make(self, kinds: Sequence[tuple[tuple[int, ...], Any]]) -> list[np.ndarray]:
        """Arrays for records of these shapes and dtypes."""
        self.made = [np.empty((self.count, *shape), dtype) for shape, dtype in kinds]
        return self.made

    def put(self, k: int, values: Sequence[Any]) -> None:
        """Record k is these values."""
        made = self.made or self.make([(np.shape(v), v.dtype) for v in values])
        for t, x, v in zip(self.tensors, made, values, strict=True):
            if np.shape(v) != x.shape[1:]:
                what = f"{t.described()} has shape {np.shape(v)} in record {k}, and {x.shape[1:]} before"
                raise ValueError(f"{what}\nrecord tensors whose shape does not change")
            x[k] = v

    def arrays(self, count: int) -> list[np.ndarray]:
        """The first `count` of them; when nothing was recorded, empty arrays of the shapes that are known."""
        if self.made is not None:
            return [x if count == self.count else x[:count].copy() for x in self.made]
        return [np.empty((0, *[d if isinstance(d, int) else 0 for d in t.extents or ()]), t.dtype.as_numpy_dtype) for t in self.tensors]


def recorded(record: Any, find: Callable[[Any], Tensor | Operation]) -> dict[Tensor, tuple[str, ...]]:
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
    found: dict[Tensor, tuple[str, ...]] = {}
    for name, given in pairs:
        t = find(given)
        if not isinstance(t, Tensor):
            raise TypeError(f"record takes tensors, but {t.name} is an operation")
        if t.dtype is dtypes.string:
            raise TypeError(f"record takes numbers and truth values, but {t.described()} is a string")
        taken = {n for names in found.values() for n in names}
        if name in taken:
            raise ValueError(f"two tensors are recorded as '{name}'")
        if name is not None:
            found[t] = (*found.get(t, ()), name)
        elif t not in found:
            found[t] = (t.name if own_name(t) in taken else own_name(t),)
    return found


def own_name(t: Tensor) -> str:
    """What a tensor is recorded under: its operation's name, for a variable the variable's."""
    op = t.op
    if op.type == "Identity" and op.inputs[0].op.type == "VariableV2":
        op = op.inputs[0].op
    return t.name if t.value_index else op.name
