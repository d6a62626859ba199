"""Loops of steps as one compiled program.

Law of this file: a loop that can be one program is frozen, compiled once for its kind of feeds, and entered for as many
steps as fit between two looks at the clock; one that cannot says why (`NotSteady`), and runs step by step.  With
mini-batches the fed arrays stay whole and each step gathers its rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from . import build, codegen, config, dtypes
from .codegen import ir
from .codegen.resident import is_device_array
from .codegen.sizes import extents, settle
from .freeze import FrozenLoop, NotSteady, Request, freeze_loop
from .graph import Operation, Tensor
from .node import Kind, Node
from .plan import Family, Held, bound, compiled_loop, executable_of, fault, need_initialized, route, tell_of, touched
from .shapes import symbol
from .state import State
from .watch import LOOK

BY_PRODUCT = 8
"""A record at least as rare as this is computed by a program of its own, unless it costs the step nothing."""
FEW = 1000
"""Steps below which a program that the interpreter serves exactly is not compiled for a loop."""

Shapes = Sequence[tuple[int, ...]]
Once = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]
"""What all steps share, by name, computed from the inputs by name."""


@dataclass(frozen=True)
class CompiledLoop:
    """A compiled loop on the state of a session; `takes` are the positions of its inputs among the fed arrays, and after
    them the rows that mini-batches see."""

    frozen: FrozenLoop
    executable: Any
    bound: Any
    once: Once
    notes: tuple[str, ...]
    takes: Mapping[str, int]
    reads: tuple[Node, ...]
    writes: tuple[Node, ...]
    held: Held
    operations: Callable[[], list[Operation]]

    def records(self, shapes: Shapes) -> list[tuple[tuple[int, ...], str]]:
        """Shape and dtype of one record of each recorded output, for fed arrays and rows of these shapes."""
        recorded = self.frozen.loop.recorded
        sizes, table = _sizes(recorded, self.takes, shapes, self.operations), recorded.table()
        return [(extents(table[n].shape, sizes), table[n].dtype) for n in recorded.outputs]

    def run(
        self, state: State, arrays: Sequence[np.ndarray], every: int, pieces: Iterable[Piece], history: Sequence[np.ndarray]
    ) -> Iterator[int]:
        """Run the loop; yields the number of steps done whenever there is time to look around."""
        loop = self.executable.loop
        given = {n: arrays[k] for n, k in self.takes.items() if k < len(arrays)}
        rows = next((n for n in self.takes if n not in given), "")
        ready = False
        kept: dict[str, Any] = {}
        for piece in pieces:
            try:
                with state.lock:
                    if not ready:
                        need_initialized(self.reads, state, self.operations)
                        given |= self.once(given)
                        ready = True
                    inputs = [piece.rows if n == rows else given[n] for n in loop.inputs]
                    lengths = dict.fromkeys(loop.lengths, piece.lengths)
                    records = history if piece.skip else [x[piece.first // every :] for x in history]
                    enter = self.bound.start(inputs, every, records, lengths, kept=kept)
                done, last = piece.skip, piece.skip + piece.count
                while done < last:
                    with state.lock:
                        state.bring_home(self.held)
                        done = enter(done, last, time.perf_counter_ns() + int(LOOK * 1e9))
                        state.initialized.update(self.writes)
                    yield piece.first + done - piece.skip
            except (FloatingPointError, ValueError, IndexError) as e:
                error = fault(e, self.operations())
                error.steps_done = piece.first + max(0, getattr(e, "steps_done", 0) - piece.skip)  # type: ignore[attr-defined]
                raise error from None

    @property
    def source(self) -> str:
        """The generated Python source of the whole loop."""
        return self.executable.source

    @property
    def path(self) -> Any:
        """Its file in the cache; None when it lives in memory only."""
        return self.executable.path

    def explain(self) -> str:
        """What the compiler did with the loop."""
        return "\n".join([*self.notes, str(self.executable.report)])


@dataclass(frozen=True)
class Piece:
    """A piece of a loop: `count` steps from `first` on, and their rows.

    The kernel counts a piece's steps from 0, where it records, unless `skip` is 1: then the rows start with a line for a
    step that is not run."""

    first: int
    count: int
    rows: np.ndarray | None = None
    lengths: np.ndarray | None = None
    skip: int = 0


def spans(steps: int, every: int, size: int) -> Iterator[int]:
    """Where pieces of about `size` steps end: each starts with a recorded step or has none."""
    whole = every if every >= size else size // every * every
    for start in range(0, steps, whole):
        stop = min(start + whole, steps)
        yield from (min(first + size, stop) for first in range(start, stop, size))


class LoopFamily(Family):
    """Compiled loops of one step and record under varying feeds.

    `part` are the fed tensors that mini-batches are taken of; `several`: batches are of several sizes; `often`: the
    record is computed in nearly every step; `few`: the loop is short; `reassociate`: sums may be taken in another order."""

    def __init__(
        self,
        step: Request,
        record: Request | None,
        fed: Sequence[Tensor],
        state: State,
        part: Sequence[int],
        several: bool,
        often: bool,
        few: bool,
        reassociate: bool,
    ) -> None:
        both = Request((*step.tensors, *(record.tensors if record else ())), step.operations, updates=step.updates)
        super().__init__(both, fed, state, "loop")
        self.steps, self.record, self.part = step, record, tuple(part)
        self.several, self.often, self.few, self.reassociate = several, often, few, reassociate
        self.refused: dict[tuple, str] = {}
        self._shapes: Shapes = ()
        self._inputs: dict[Node, int] = {}
        self._rows: Node | None = None

    def find(self, arrays: Sequence[np.ndarray], longest: int, sizes: set[int]) -> CompiledLoop:
        """The loop for these fed arrays and batches of so many rows; NotSteady where there is none."""
        batches = self._cut(arrays, longest)
        self._shapes = [*(x.shape for x in arrays), (longest,)]
        key = self._key(batches)
        if key in self.refused:
            raise NotSteady(self.refused[key])
        try:
            made: Any = self.plan(batches)
            for n in sizes - {longest}:
                fewer = self._cut(arrays, n)
                if Family._key(self, fewer) != Family._key(self, batches):
                    raise NotSteady(f"a batch of {n} needs another program")
                if made.records([*(x.shape for x in arrays), (n,)]) != made.records(self._shapes):
                    raise NotSteady("the shape of what is recorded changes")
        except (NotSteady, codegen.ProgramTooLong) as e:
            self.refused[self._key(batches)] = str(e)
            raise NotSteady(str(e)) from None
        return made

    def _cut(self, arrays: Sequence[np.ndarray], rows: int) -> list[np.ndarray]:
        """What a step with so many rows is fed, by shape."""
        return [x[:rows] if k in self.part else x for k, x in enumerate(arrays)]

    def _key(self, arrays: Sequence[np.ndarray]) -> tuple:
        """As ever, and the sizes to within a factor of 8: what pays depends on them."""
        return *super()._key(arrays), *((d.bit_length() + 1) // 3 for shape in self._shapes for d in shape)

    def _freeze(self, fed: dict[Tensor, Node]) -> FrozenLoop:
        """The loop; in `fed`, whole arrays and the rows that a step sees take the place of batches."""
        self._leaves_of = {n: k for k, n in enumerate(fed[t] for t in self.fed)}
        rows = None
        if self.part:
            batches = [fed[self.fed[k]] for k in self.part]
            if any(n.kind is not Kind.PLACEHOLDER for n in batches):
                raise NotSteady("a shape depends on values that mini-batches are taken of")
            known = [n.shape[0] for n in batches if isinstance(n.shape[0], int)]
            rows = build.leaf(Kind.PLACEHOLDER, "rows", (known[0] if known else symbol("rows"),), dtypes.int64)
            every = symbol("all_rows")
            for k, n in zip(self.part, batches, strict=True):
                whole = build.leaf(Kind.PLACEHOLDER, n.attrs[0], (every, *n.shape[1:]), n.dtype)
                self._leaves_of[whole] = k
                fed[self.fed[k]] = build.gather(whole, rows)
            self._leaves_of[rows] = len(self.fed)
        record = None if self.record is None else replace(self.record, fed=fed)
        return freeze_loop(replace(self.steps, fed=fed), record, self.often, rows)

    def _compile(self, frozen: FrozenLoop, fed: Mapping[Tensor, Node]) -> CompiledLoop:
        loop = frozen.loop
        if not loop.step.statements and not loop.step.updates:
            raise NotSteady("there is nothing to compute")
        if self.few and route(loop.step) == "reference" and config.get("SYMGRAPH_BACKEND") == "auto":
            raise NotSteady("few steps that the interpreter serves")
        takes = {name: self._leaves_of[n] for name, n in zip(loop.inputs, frozen.feeds, strict=True)}
        if self.several:
            varying = {s for n in frozen.feeds if self._leaves_of[n] == len(self.fed) for s in n.shape}
            if varying & frozen.ambiguous:
                raise NotSteady("the size of batches, which changes, must equal another size")
            lengths = (name for name, rule in loop.step.sizes if isinstance(rule, ir.SizeOf) and rule.buffer in loop.stepped)
            frozen = replace(frozen, loop=(loop := replace(loop, lengths=tuple(lengths))))
        operations = partial(self._operations, fed)
        hints = {name: n for p in loop.programs for name, n in _sizes(p, takes, self._shapes, operations).items()}
        states = dict(zip(loop.states, frozen.states, strict=True))
        shared, hoisted = codegen.hoist_loop(loop, hints, self.reassociate)
        executable = compiled_loop(shared, hints, self.device)
        tell_of(executable, *shared.programs)
        ready, held = bound(executable, shared.states, states, self.state, shared.programs)
        programs = (*shared.programs, *((hoisted.once,) if hoisted.once else ()))
        reads, writes = touched(programs, states)
        once = self._once(hoisted.once, states)
        return CompiledLoop(frozen, executable, ready, once, hoisted.notes, takes, reads, writes, held, operations)

    def _once(self, program: ir.Program | None, states: Mapping[str, Node]) -> Once:
        if program is None:
            return lambda given: {}
        run, held = bound(executable_of(program, self.device), program.states, states, self.state, (program,), home=False)

        def once(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            self.state.bring_home(held)
            made = run(*[given[n] for n in program.inputs])
            return {n: x if is_device_array(x) else np.asarray(x, order="C") for n, x in zip(program.outputs, made, strict=True)}

        if program.inputs or program.states:
            return once
        of_constants = cache(lambda: once({}))  # the same for every run
        return lambda given: of_constants()


def _sizes(program: ir.Program, takes: Mapping[str, int], shapes: Shapes, operations: Callable[[], list[Operation]]) -> dict[str, int]:
    """The sizes of one of a loop's programs, for fed arrays and rows of these shapes; their contradictions are the user's."""
    states = {b.name: b.shape for b in program.buffers if b.role == "state"}
    try:
        return settle(program, {**{n: shapes[takes[n]] for n in program.inputs}, **states})  # type: ignore[dict-item]
    except ValueError as e:
        raise fault(e, operations()) from None
