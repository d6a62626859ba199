"""The one door: fetches -> a `codegen` Program.

Law of this file: past `freeze` everything is ordered, typed and resolved.  Tensors are replayed under what is fed,
effects are ordered by creation, and emit.py writes the statements.  Nothing here depends on values, except where a
shape does.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp

from . import build, dtypes, scalar
from .codegen import ir
from .codegen import scalar as fn
from .composites import expand
from .emit import Emitter, Work
from .graph import BUILDERS, Operation, Tensor, build_nodes
from .host import HOST
from .node import Kind, Node, toposort
from .replay import Replay


@dataclass(frozen=True)
class Frozen:
    """A Program and what its buffers stand for: `feeds` (its inputs) and `states` (variables and streams) in its calling order."""

    program: ir.Program
    feeds: tuple[Node, ...]
    states: tuple[Node, ...]
    ambiguous: frozenset[sp.Symbol]
    """Sizes that were taken to equal another one: the program does not hold when one of them is 1."""


@dataclass(frozen=True)
class FrozenLoop:
    """A loop and what its buffers stand for, in its calling order; `ambiguous` as in `Frozen`."""

    loop: ir.Loop
    feeds: tuple[Node, ...]
    states: tuple[Node, ...]
    ambiguous: frozenset[sp.Symbol]


@dataclass
class Request:
    """What to freeze: tensors to return, operations to run, and what is fed in place of which tensor."""

    tensors: Sequence[Tensor]
    operations: Sequence[Operation]
    fed: Mapping[Tensor, Node] = field(default_factory=dict)
    updates: Sequence[tuple[Tensor, Tensor]] = ()
    """(variable's tensor, tensor it becomes) beside what the operations write."""
    done: frozenset[Operation] = frozenset()
    """What was run before: nobody has to wait for it."""


def needed_operations(roots: Sequence[Operation], fed: Container[Tensor], done: Container[Operation] = ()) -> list[Operation]:
    """Every operation that has to run, in the order of creation; what lies upstream of a fed tensor is not needed.

    What is in `done` is needed for its value only."""
    seen: set[Operation] = set()
    stack = list(roots)
    while stack:
        op = stack.pop()
        if op in seen:
            continue
        seen.add(op)
        stack.extend(t.op for t in op.inputs if t not in fed)
        stack.extend(c for c in op.control_inputs if c not in done)
    return sorted(seen, key=lambda o: o.number)


def freeze(request: Request, name: str = "step") -> Frozen:
    """The program that computes the request."""
    work = _resolve(request, name)
    emitter = Emitter(work.names)
    (program,) = emitter.run((work,), list(request.fed.values()))
    return Frozen(program, tuple(emitter.feeds), tuple(emitter.states), emitter.ambiguous())


def freeze_loop(step: Request, record: Request | None, every: bool, varying: Node | None = None) -> FrozenLoop:
    """The loop that runs `step`, and before it `record`, which is fed the same.

    The record becomes a program of its own, or outputs of the step where it draws nothing and is computed in (nearly) every
    step (`every`) or costs the step nothing.  `varying` is the fed leaf, a vector of rows, that is another one for each step.
    """
    work = _resolve(step, "step")
    records = [] if record is None else [_resolve(record, "record")]
    for r in records:
        if r.versions:
            raise NotSteady("what is recorded writes variables")
        beside = replace(work, results=r.results)
        if not r.draws and (every or set(toposort(beside.roots)) <= set(toposort(work.roots)) | {n for n in r.results if not n.operands}):
            work, records = beside, []
    emitter = Emitter({**{n: at for r in records for n, at in r.names.items()}, **work.names})
    program, *more = emitter.run((work, *records), list(step.fed.values()))
    stepped = (emitter.of[varying],) if varying in emitter.of else ()  # nothing may read the arrays that batches are taken of
    program, *more = (_trusting(p, stepped) for p in (program, *more))
    loop = ir.Loop("loop", program, more[0] if more else None, stepped)
    states = dict(zip(emitter.state_names, emitter.states, strict=True))
    return FrozenLoop(loop, tuple(emitter.feeds), tuple(states[name] for name in loop.states), emitter.ambiguous())


def _trusting(program: ir.Program, inputs: Sequence[str]) -> ir.Program:
    """The program whose `inputs` are coordinates that were checked when they were drawn."""
    return replace(program, buffers=tuple(replace(b, trusted=True) if b.name in inputs else b for b in program.buffers))


class NotSteady(Exception):
    """A loop that cannot be one program; says why."""


def _resolve(request: Request, name: str) -> Work:
    fed = dict(request.fed)
    wanted = [*request.tensors, *(t for _, t in request.updates)]
    ops = needed_operations([*request.operations, *(t.op for t in wanted if t not in fed)], fed, request.done)
    replay = Replay(fed, links=(t for t in fed if t.op.type not in HOST))
    versions: dict[Node, Node] = {}
    wrote: dict[Operation, bool] = {}
    names: dict[Node, tuple[Operation, int]] = {}
    draws: list[Node] = []
    drawn_inside = {t for op in ops if (count := op.attrs.get("draws")) for t in op.inputs[-count:]}
    branches = branches_of(ops)
    for op in ops:
        writes = op.attrs.get("writes", 0)
        late = any(wrote[c] for c in op.control_inputs if c not in request.done)
        wrote[op] = bool(writes) or late or any(wrote[t.op] for t in op.inputs if t not in fed)
        if (late or writes) and not BUILDERS[op.type].contextual:
            before = [replay.node(t) for t in op.inputs]
            now = [versions.get(n, n) if late or k < writes else n for k, n in enumerate(before)]
            if now != before:
                replay.put(op, build_nodes(op, now, replay))
        nodes = [replay.node(t) for t in op.outputs if t.dtype is not dtypes.string]
        for k, n in enumerate(nodes):
            names.setdefault(n, (op, k))
        if is_draw(op):
            draws.extend(n for t, n in zip(op.outputs, nodes, strict=True) if t not in drawn_inside)
        for t, n in zip(op.inputs[:writes], nodes, strict=False):
            old = versions.get(v := t.op.attrs["_node"], v)
            for pred, taken in branches.get(op, ()):
                chosen = fn.select(*map(scalar.x, (0, 1, 2) if taken else (0, 2, 1)))
                n = build.elementwise(chosen, replay.node(pred), n, old, dtype=n.dtype)
            versions[v] = n
    results = []
    for t in request.tensors:
        n = replay.node(t)
        if n.kind is Kind.VARIABLE and t not in fed and _reads(t):
            n = versions.get(n, n)
        results.append(n)
    for ref, t in request.updates:  # after the results: what is returned beside an update is from before it
        versions[ref.op.attrs["_node"]] = replay.node(t)
    drawn = [d for d in draws if d.kind is Kind.RANDOM]
    plain = dict(zip(written := [*names, *results, *versions.values(), *drawn], expand(written, code=True), strict=True))
    made: dict[Node, tuple[Operation, int]] = {}
    for n, by in names.items():
        made.setdefault(plain[n], by)
    return Work(name, made, [plain[n] for n in results], {v: plain[n] for v, n in versions.items()}, [plain[d] for d in drawn])


def branches_of(ops: Sequence[Operation]) -> dict[Operation, list[tuple[Tensor, bool]]]:
    """For each operation with an effect in a branch, the predicates of the branches around it and what each has to be."""
    found: dict[Operation, list[tuple[Tensor, bool]]] = {}
    for op in ops:
        for names, wanted in zip(op.attrs.get("writers", ()), (True, False), strict=False):
            for name in names:
                found.setdefault(op.graph.get_operation_by_name(name), []).append((op.inputs[0], wanted))
    return found


def is_draw(op: Operation) -> bool:
    """Does the operation draw random numbers?"""
    return op.type.startswith("Random")


def _reads(t: Tensor) -> bool:
    """Is the tensor a variable itself, fetched beside what writes it: then its value is the one after."""
    return t.op.type == "VariableV2" or t.op.type == "Identity" and t.op.inputs[0].op.type == "VariableV2"
