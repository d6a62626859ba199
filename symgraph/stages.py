"""Runs that call Python on the way: stages, each a compiled run, with what Python computes between them.

Law of this file: each operation with an effect, a draw among them, runs once, in the first stage that needs it or else in
the last one, and what it gave is fed to the later ones; everything else a stage computes for itself.  A host operation is
served behind the first stage that has what it reads; what waits for it comes in a later stage.  So a check that fails
leaves every variable as it was, unless an operation before it in the graph wrote it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import dtypes
from .errors import at
from .freeze import Request, branches_of, is_draw, needed_operations
from .graph import Operation, Tensor, to_array
from .host import HOST, called, on_host, read, serve, value
from .plan import Family, Plan, feed_array
from .state import State


@dataclass(frozen=True)
class Stage:
    """A run of `tensors` under feeds of `fed`, and the host operations that are served behind it."""

    family: Family
    tensors: Sequence[Tensor]
    fed: Sequence[Tensor]
    hosts: Sequence[Operation]


def python_in(request: Request, fed: Container[Tensor]) -> str:
    """Which operation of a request calls Python, in words; '' if none does."""
    ops = _needed(request.tensors, request.operations, fed)
    found = next(filter(called, ops), None)
    return "" if found is None else f"{found.type} '{found.name}' made at {at(found.site)} calls Python"


def family(request: Request, fed: Sequence[Tensor], state: State) -> Family | Stages:
    """The plans of a request, or its stages where Python has to be called."""
    why = python_in(request, fed)
    if why or any(on_host(t) for t in request.tensors):
        return Stages(request, fed, state, why)
    return Family(request, fed, state)


class Stages:
    """A request in stages; runs as a `Family` does, each stage where its operations ask to."""

    device = None

    def __init__(self, request: Request, fed: Sequence[Tensor], state: State, python: str) -> None:
        self.request, self.fed, self.state, self.python = request, tuple(fed), state, python
        self.stages = self._made()

    def run(self, arrays: Sequence[np.ndarray]) -> tuple:
        """The fetched values for these fed arrays."""
        values: dict[Tensor, Any] = {t: _string(a) if t.dtype is dtypes.string else a[()] for t, a in zip(self.fed, arrays, strict=True)}
        with self.state.lock:
            for stage in self.stages:
                given = [*arrays, *(feed_array(t, values[t]) for t in stage.fed)]
                found = stage.family.run(given) if stage.tensors or stage.family.request.operations else ()
                values.update((t, v[()]) for t, v in zip(stage.tensors, found, strict=True))
                for op in stage.hosts:
                    if op.outputs or all(bool(values[pred]) is wanted for pred, wanted in self.branches.get(op, ())):
                        serve(op, values, self.state)
            return tuple(value(t, values, self.state) if on_host(t) else np.asarray(values[t]) for t in self.request.tensors)

    @property
    def plans(self) -> dict[tuple, Plan]:
        """The plans of all stages."""
        return {(k, *key): plan for k, stage in enumerate(self.stages) for key, plan in stage.family.plans.items()}

    # -- the making
    def _made(self) -> list[Stage]:
        request, fed = self.request, dict.fromkeys(self.fed)
        ops = _needed(request.tensors, request.operations, fed)
        self.branches = branches_of(ops)
        level, wrote = self._levels(ops, fed)
        served = list(filter(called, ops))
        last = max(level.values(), default=0)
        if any(op.attrs.get("writes") for op in ops):  # a check beside a step comes before it
            last = max([last, *(level[op] + 1 for op in served if HOST[op.type].first)])
            level |= {op: last for op in served if not HOST[op.type].first and wrote[op]}
        for op in served:
            if wrote[op] and op in self.branches and HOST[op.type].first:
                raise NotImplementedError(f"{op.described()} reads what its branch wrote\ncall it before or after tf.cond")
        given, made = dict(fed), dict(fed)
        done = dict.fromkeys(op for op in ops if op.type in HOST)
        drafts = []
        for k in range(last + 1):
            hosts = [op for op in served if level[op] == k]
            roots = [*(t for op in hosts for t in self._read(op)), *(request.tensors if k == last else ())]
            tensors = dict.fromkeys(i for t in roots for i in read(t, made))
            before = [*(c for op in hosts for c in op.control_inputs), *(request.operations if k == last else ())]
            operations = [op for op in dict.fromkeys(before) if op not in done]
            here = needed_operations([*operations, *(t.op for t in tensors if t not in given)], given, done)
            drafts.append((tensors, operations, hosts, here, dict(given), dict(done)))
            made |= dict.fromkeys(t for op in hosts for t in op.outputs)
            given |= dict.fromkeys(t for op in here if is_draw(op) or op.attrs.get("writes") for t in op.outputs) | made
            done |= dict.fromkeys(here)
        return self._finished(drafts, fed)

    def _read(self, op: Operation) -> list[Tensor]:
        """What a host operation reads: its inputs, and whether the branch that it is in is taken."""
        return [*op.inputs, *(pred for pred, _ in self.branches.get(op, ()))]

    def _levels(self, ops: Sequence[Operation], fed: Container[Tensor]) -> tuple[dict[Operation, int], dict[Operation, bool]]:
        """The first stage that can run each operation, or behind which Python can; and whether it comes after a write."""
        level: dict[Operation, int] = {}
        waits: dict[Operation, bool] = {}
        wrote: dict[Operation, bool] = {}
        for op in ops:
            python = op.type in HOST
            before = [*(t.op for t in (self._read(op) if python else op.inputs) if t not in fed), *op.control_inputs]
            waits[op] = python and (HOST[op.type].first or bool(op.outputs) and any(waits[b] for b in before))
            level[op] = max((level[b] + (waits[b] and not python) for b in before), default=0)
            wrote[op] = bool(op.attrs.get("writes")) or any(wrote[b] for b in before)
        return level, wrote

    def _finished(self, drafts: Iterable[Any], fed: dict[Tensor, None]) -> list[Stage]:
        """The stages, each of which also fetches what only it can give to later ones."""
        stages: list[Stage] = []
        wanted: dict[Tensor, None] = {}
        for tensors, operations, hosts, here, given, done in reversed(list(drafts)):
            used = {t for op in here for t in op.inputs} | set(tensors)
            feeds = [t for t in given if t in used and t not in fed]
            kept = [t for op in here for t in op.outputs if t in wanted and t not in tensors]
            wanted |= dict.fromkeys(feeds)
            fetched = [*tensors, *kept]
            family = Family(Request(fetched, operations, done=frozenset(done)), (*fed, *feeds), self.state)
            stages.append(Stage(family, fetched, feeds, hosts))
        return stages[::-1]


def _string(a: np.ndarray) -> Any:
    return to_array(a, dtypes.string)[()]


def _needed(tensors: Sequence[Tensor], operations: Sequence[Operation], fed: Container[Tensor]) -> list[Operation]:
    return needed_operations([*operations, *(t.op for t in tensors if t not in fed)], fed)
