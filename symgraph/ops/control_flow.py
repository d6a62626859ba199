"""Loops and branches: while_loop, scan, map_fn, foldl, foldr, cond, case.

Law of this file: a body is recorded once, as operations like any others, over loop variables; one operation then says
what is carried and what is kept of each step, and its node is a loop (looping.py).  A branch is the same with no step or
one; branches that are cheap and cannot fail are both computed, and one is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from .. import build, dtypes, nest, scalar
from ..codegen import scalar as fn
from ..counting import allowed_steps, counters, read, whole, written
from ..graph import Graph, Operation, Tensor, as_operation, builder, convert
from ..host import called, host
from ..looping import loop
from ..node import Key, Kind, Node, make, toposort
from ..replay import upstream
from ..shapes import Extent, ShapeError, brackets, symbol
from ..statics import static_value
from .array import concat
from .core import graph_of, is_tensor, need, recording
from .tensor_array import TensorArray, alike, flow_of


# ---------------------------------------------------------------- what is recorded
@builder("LoopVariable", contextual=True)
def _variable(context: Any, op: Operation) -> Node:
    start = context.node(op.inputs[0])
    return make(Kind.CUT, (), (op.attrs["_key"],), start.shape[1:] if op.attrs["row"] else start.shape, start.dtype)


def _loop_variable(graph: Graph, start: Tensor, name: str, row: bool = False) -> Tensor:
    full = graph.unique_name(name)
    return graph.add("LoopVariable", (start,), {"row": row, "_key": Key(full)}, full + "/", 0).outputs[0]


@builder("Loop", lambda op: op.attrs["_dtypes"][0], contextual=True)
def _loop(context: Any, op: Operation) -> tuple[Node, ...]:
    rest, a = [context.node(t) for t in op.inputs], op.attrs
    roles = (a["carried"], a["carried"], a["rows"], a["rows"], a["carried"], a["stacked"], a["conditional"], a["limited"], a["draws"])
    starts, variables, sources, slices, new, kept, condition, bounds, drawn = ([rest.pop(0) for _ in range(k)] for k in roles)
    bound: Extent | None = a["steps"]
    if sources:
        for s in sources:
            if s.rank < 1:
                raise ShapeError("what a loop walks over has rows: its rank is at least 1")
        bound = sources[0].shape[0]
    growing = a.get("growing", ())
    test = condition[0] if condition else None
    limit = bounds[0] if bounds else None
    if test is not None:
        bound, limit, test = allowed_steps(test, variables, starts, new, bound)
    if bound is None:
        bound = getattr(context, "steps", {}).get(op)
    sure = test is None and limit is None  # that all of these steps are made
    rows: dict[int, tuple[Node, int]] = {}
    if bound is not None and not a["backwards"] and (counting := counters(variables, starts, new)):
        walked, sequences = read([*new, *kept], [*variables, *slices, *drawn], counting, bound)
        new, kept = walked[: len(new)], walked[len(new) :]
        slices, sources = [*slices, *sequences], [*sources, *sequences.values()]
        others = [*kept, *([test] if test is not None else [])]
        for k in range(len(new)):
            if found := written(k, variables, new, others, counting, bound, sure and k in growing):
                rows[k] = found
    if not rows.keys() >= set(growing):
        if limit is not None:
            with suppress(ShapeError):
                static_value(limit)  # which may be fed: then it is known
        raise ShapeError(
            "how long an array of dynamic_size becomes in a loop is known where each step writes one row, the one after the last, and "
            "the condition is only that a counter is below a size\ngive the tf.TensorArray the size that it may need"
        )
    carried = [k for k in range(len(new)) if k not in rows]
    results = loop(
        [variables[k] for k in carried],
        [starts[k] for k in carried],
        [new[k] for k in carried],
        slices,
        sources,
        [*kept, *(row for row, _ in rows.values())],
        steps=bound,
        limit=limit,
        condition=test,
        backwards=a["backwards"],
        draws=frozenset(n.attrs[0] for n in drawn),
    )
    made = None if sure else results[-1]
    finals = dict(zip(carried, results, strict=False))
    for (k, (_, first)), stack in zip(rows.items(), results[len(carried) + len(kept) :], strict=False):
        finals[k] = whole(starts[k], stack, first, made)
    return (*(finals[k] for k in range(len(new))), *results[len(carried) : len(carried) + len(kept)], results[-1])


@host("LoopSteps", first=True)
def _loop_steps(op: Operation, count: Any) -> np.ndarray:
    return np.empty(int(count), np.bool_)


def steps_of(ys: Sequence[Tensor]) -> list[Tensor]:
    """For each loop under ys whose graph does not tell how many steps it makes: a tensor with a row for each.

    A derivative needs a place for what each step leaves: such a loop runs once to be counted, and then again."""
    found = []
    for op in sorted({t.op for t in upstream(ys) if t.op.type == "Loop"}, key=lambda op: op.number):
        node = op.outputs[-1].node
        inside = node is not None and any(n.kind is Kind.CUT for n in toposort([node]))  # of another body: Python cannot count there
        if node is not None and not inside and node.operands[0].attrs[0].steps is None:
            found.append(op.graph.attached(f"steps of {op.name}", partial(_steps_tensor, op)))
    return found


def _steps_tensor(op: Operation) -> Tensor:
    attrs = {"_shapes": [(symbol(f"{op.name}.steps"),)], "_dtypes": [dtypes.bool]}
    return op.graph.add("LoopSteps", (op.outputs[-1],), attrs, "steps", 0).outputs[0]


class _Tracing:
    """The operations that are recorded inside of the `with`: what they draw and write.

    Variables that are made there, and their initial values, are outside all the same."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __enter__(self) -> _Tracing:
        self.first = len(self.graph.get_operations())
        return self

    def __exit__(self, *error: object) -> None:
        recorded = self.graph.get_operations()[self.first :]
        variables = {op for op in recorded if op.type == "VariableV2"}
        outside = {*variables, *(op for op in recorded if op.type == "Identity" and op.inputs[0].op in variables)}
        first = {op.inputs[0].op: op for op in reversed(recorded) if op.type == "Assign" and op.inputs[0].op in variables}
        pending = list(first.values())
        while pending:
            op = pending.pop()
            if op not in outside and op.number >= self.first:
                outside.add(op)
                pending.extend(t.op for t in op.inputs)
        self.operations = [op for op in recorded if op not in outside]

    @property
    def draws(self) -> list[Tensor]:
        return [op.outputs[0] for op in self.operations if op.type.startswith("Random")]

    @property
    def writers(self) -> list[Operation]:
        return [op for op in self.operations if op.attrs.get("writes") or called(op)]

    def captured(self) -> list[Tensor]:
        """The tensors of outside that the operations read."""
        own = set(self.operations)
        return list(dict.fromkeys(t for op in self.operations for t in op.inputs if t.op not in own))


def _record_loop(
    graph: Graph,
    scope: str,
    starts: Sequence[Tensor],
    variables: Sequence[Tensor],
    sources: Sequence[Tensor],
    slices: Sequence[Tensor],
    new: Sequence[Tensor],
    stacked: Sequence[Tensor],
    condition: Tensor | None,
    traced: Sequence[_Tracing],
    steps: int | None,
    backwards: bool = False,
    limit: Tensor | None = None,
    growing: Sequence[int] = (),
) -> tuple[list[Tensor], list[Tensor]]:
    draws = [t for tracing in traced for t in tracing.draws]
    for tracing in traced:
        for op in tracing.writers:
            if called(op):
                raise NotImplementedError(f"{op.described()} calls Python, which a loop cannot\ncall it before or after the loop")
            raise NotImplementedError(
                f"{op.described()} writes a variable inside of a loop\ncarry the value as a loop variable and assign it after the loop"
            )
    rows = next((s.extents[0] for s in sources if s.extents), steps)
    attrs = {
        "carried": len(starts),
        "rows": len(sources),
        "stacked": len(stacked),
        "conditional": condition is not None,
        "limited": limit is not None,
        "draws": len(draws),
        "steps": steps,
        "backwards": backwards,
        "growing": list(growing),
        "_shapes": [
            *((symbol(f"{scope}rows{k}"), *s.extents[1:]) if s.extents and k in growing else s.extents for k, s in enumerate(starts)),
            *(None if t.extents is None else (rows, *t.extents) for t in stacked),
            (),
        ],
        "_dtypes": [*(s.dtype for s in starts), *(t.dtype for t in stacked), dtypes.int64],
    }
    inputs = [*starts, *variables, *sources, *slices, *new, *stacked, *(t for t in (condition, limit) if t is not None), *draws]
    outputs = graph.add("Loop", inputs, attrs, scope).outputs
    a = len(starts)
    return list(outputs[:a]), list(outputs[a:-1])


def counted(
    step: Callable[[list[Tensor], list[Tensor]], tuple[Sequence[Any], Sequence[Any]]],
    carried: Sequence[Any],
    sequences: Sequence[Any],
    steps: int | None = None,
    name: str = "scan",
    backwards: bool = False,
    limit: Tensor | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """A loop over the rows of `sequences`, or of `steps` steps: `step(carried, rows)` gives what is carried on, of the same
    shapes and dtypes, and what is kept of each step.

    Returns (carried by the last step, stacks of what was kept: a row for each step).  `backwards` walks from the last row.
    No more steps are made than the integer scalar `limit` says; rows of the others are zeros."""
    with recording(
        "Loop", name, **{f"carried {k}": c for k, c in enumerate(carried)}, **{f"rows {k}": s for k, s in enumerate(sequences)}
    ) as (
        graph,
        scope,
    ):
        starts = [convert(c, graph=graph) for c in carried]
        sources = [convert(s, graph=graph) for s in sequences]
        with _Tracing(graph) as traced:
            variables = [_loop_variable(graph, s, "carried") for s in starts]
            rows = [_loop_variable(graph, s, "row", row=True) for s in sources]
            new, kept = step(list(variables), list(rows))
            after = [convert(v, like=s.dtype, graph=graph) for v, s in zip(new, starts, strict=True)]
            outputs = [convert(v, graph=graph) for v in kept]
        return _record_loop(graph, scope, starts, variables, sources, rows, after, outputs, None, [traced], steps, backwards, limit)


# ---------------------------------------------------------------- TF1's functions
def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """`loop_vars` as they are when `cond(*loop_vars)` is first false, each step made by `body(*loop_vars)`.

    Loop variables are tensors, TensorArrays or structures of them and keep their shapes and dtypes.  A derivative runs a loop twice
    unless the number of its steps is known: a counter compared with a constant or a size, or `maximum_iterations`."""
    if not callable(cond) or not callable(body):
        raise TypeError("cond and body must be callable.")
    if not nest.is_nested(loop_vars):
        loop_vars = [loop_vars]
    if not loop_vars:
        raise ValueError("No loop variables provided")
    flat = nest.flatten(loop_vars)
    with recording("while_loop", name or "while", **{f"loop_vars {k}": flow_of(v) for k, v in enumerate(flat)}) as (graph, scope):
        starts = [convert(flow_of(v), graph=graph) for v in flat]
        structure = list(loop_vars.values()) if isinstance(loop_vars, dict) else loop_vars
        with _Tracing(graph) as traced:
            variables = [_loop_variable(graph, s, "Merge") for s in starts]
            packed = nest.pack(structure, list(map(alike, flat, variables)))
            test = convert(cond(*packed), graph=graph)
            need(test, lambda d: d.is_bool, "bool", parameter="cond")
            if test.extents not in ((), None):
                raise ValueError(f"The condition of a loop is one truth value, not of shape {brackets(test.extents)}")
            made = body(*packed)
            if len(flat) == 1 and not nest.is_nested(made):
                made = [made]
            if isinstance(made, list | tuple) and isinstance(structure, list | tuple) and not hasattr(structure, "_fields"):
                made = type(structure)(made)
            nest.same(structure, made)
            for k, (v, after) in enumerate(zip(flat, nest.flatten(made), strict=True)):
                if isinstance(v, TensorArray) != isinstance(after, TensorArray):
                    raise TypeError(f"loop variable {k} is {v!r} before a step and {after!r} after it\na TensorArray stays one")
            new = [convert(flow_of(v), like=s.dtype, graph=graph) for v, s in zip(nest.flatten(made), starts, strict=True)]
        limit = None if maximum_iterations is None else int(maximum_iterations)
        growing = [k for k, v in enumerate(flat) if isinstance(v, TensorArray) and v.dynamic_size]
        finals, _ = _record_loop(graph, scope, starts, variables, (), (), new, (), test, [traced], limit, growing=growing)
    result = nest.pack(structure, list(map(alike, flat, finals)))
    return (
        result[0] if len(flat) == 1 and len(structure) == 1 and not return_same_structure and not nest.is_nested(structure[0]) else result
    )


def map_fn(
    fn: Callable[[Any], Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """`fn` of each row of `elems` (a tensor, or a structure of tensors with as many rows), stacked."""
    results: list[Any] = []

    def step(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Any], list[Any]]:
        results.append(fn(nest.pack(elems, rows)))
        flat = [convert(v) for v in nest.flatten(results[-1])]
        for t, wanted in zip(flat, nest.flatten(dtype) if dtype is not None else (), strict=False):
            if t.dtype is not dtypes.as_dtype(wanted):
                raise TypeError(f"fn gives {t.dtype.name}, and dtype says {dtypes.as_dtype(wanted).name}")
        return [], flat

    if not callable(fn):
        raise TypeError("fn must be callable.")
    _, stacks = counted(step, [], nest.flatten(elems), name=name or "map")
    return nest.pack(results[0], stacks)


def scan(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """All of a_k = fn(a_(k-1), elems[k]), stacked; a_(-1) is `initializer`, or else a_0 is the first row itself."""
    if not callable(fn):
        raise TypeError("fn must be callable.")
    flat, start, head = _from_first(elems, initializer, reverse)

    def step(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Any], list[Any]]:
        made = fn(nest.pack(start, carried), nest.pack(elems, rows))
        nest.same(start, made)
        new = nest.flatten(made)
        return new, new

    _, stacks = counted(step, nest.flatten(start), flat, name=name or "scan", backwards=reverse)
    if head is not None:
        stacks = [concat([s, h] if reverse else [h, s], 0) for h, s in zip(head, stacks, strict=True)]
    return nest.pack(start, stacks)


def _from_first(elems: Any, initializer: Any, backwards: bool) -> tuple[list[Tensor], Any, list[Tensor] | None]:
    """The rows to walk, where to start, and the first row as a stack of one where there is no initializer."""
    flat = [convert(e) for e in nest.flatten(elems)]
    if initializer is not None:
        return flat, initializer, None
    first = [t[-1] if backwards else t[0] for t in flat]  # type: ignore[index]
    head = [t[-1:] if backwards else t[:1] for t in flat]  # type: ignore[index]
    return [t[:-1] if backwards else t[1:] for t in flat], nest.pack(elems, first), head  # type: ignore[index]


def foldl(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The last of a_k = fn(a_(k-1), elems[k]), from the first row to the last."""
    return _fold(fn, elems, initializer, name or "foldl", False)


def foldr(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The same from the last row to the first."""
    return _fold(fn, elems, initializer, name or "foldr", True)


def _fold(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any, name: str, backwards: bool) -> Any:
    if not callable(fn):
        raise TypeError("fn must be callable.")
    flat, start, _ = _from_first(elems, initializer, backwards)

    def step(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Any], list[Any]]:
        return nest.flatten(fn(nest.pack(start, carried), nest.pack(elems, rows))), []

    finals, _ = counted(step, nest.flatten(start), flat, name=name, backwards=backwards)
    return nest.pack(start, finals)


# ---------------------------------------------------------------- branches
_LAZY = frozenset({Kind.MATMUL, Kind.LINALG, Kind.PART, Kind.SCATTER, Kind.GATHER, Kind.RANDOM})


@builder("Cond", lambda op: op.attrs["_dtypes"][0], contextual=True)
def _cond(context: Any, op: Operation) -> tuple[Node, ...]:
    nodes = [context.node(t) for t in op.inputs]
    count, outside = len(op.attrs["_keys"]), op.attrs["captured"]
    pred, read, results = nodes[0], set(nodes[1 : 1 + outside]), nodes[1 + outside :]
    yes, no, drawn = results[:count], results[count : 2 * count], results[2 * count :]
    for a, b in zip(yes, no, strict=True):
        if a.rank != b.rank or any(isinstance(d, int) and isinstance(e, int) and d != e for d, e in zip(a.shape, b.shape, strict=True)):
            raise ShapeError(f"the branches give {brackets(a.shape)} and {brackets(b.shape)}: one shape is needed")
    no = [b if a.shape == b.shape else build.reshape(b, a.shape) for a, b in zip(yes, no, strict=True)]  # a run holds them to it
    inner = [[n for n in toposort(branch, stop=read.__contains__) if n not in read and n.operands] for branch in (yes, no)]
    if not drawn and not any(n.kind in _LAZY or n.kind is Kind.GENERIC and n.attrs[3] for branch in inner for n in branch):
        chosen = fn.select(scalar.x(0), scalar.x(1), scalar.x(2))
        return tuple(build.elementwise(chosen, pred, a, b, dtype=a.dtype) for a, b in zip(yes, no, strict=True))
    taken = build.cast(pred, dtypes.int32)
    untaken = build.elementwise(1 - scalar.x(0), taken)
    leaves = [make(Kind.CUT, (), (key,), a.shape, a.dtype) for key, a in zip(op.attrs["_keys"], yes, strict=True)]
    keys = frozenset(n.attrs[0] for n in drawn)
    found: Sequence[Node] = [build.filled(0, a.shape, a.dtype) for a in yes]
    for limit, branch, inside in ((taken, yes, inner[0]), (untaken, no, inner[1])):
        found = loop(leaves, found, branch, steps=1, limit=limit, draws=keys, inside=inside)[:count]
    return tuple(found)


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Callable[[], Any] | None = None,
    fn2: Callable[[], Any] | None = None,
) -> Any:
    """What `true_fn()` gives where the boolean scalar `pred` holds, else what `false_fn()` gives.

    Both return the same structure of tensors of the same dtypes and shapes, or an operation each: ValueError where the
    shapes are known to differ, InvalidArgumentError where a run finds it.  Variables are written by the branch that is
    taken alone."""
    true_fn, false_fn = fn1 if true_fn is None else true_fn, fn2 if false_fn is None else false_fn
    if not callable(true_fn) or not callable(false_fn):
        raise TypeError("true_fn and false_fn must be callable.")
    if isinstance(pred, bool):
        raise TypeError("pred must not be a Python bool")
    with recording("cond", name or "cond", pred=pred) as (graph, scope):
        p = convert(pred, name="pred", graph=graph)
        need(p, lambda d: d.is_bool, "bool", parameter="pred")
        if p.extents not in ((), None):
            raise ValueError(f"pred is one truth value, not of shape {brackets(p.extents)}")
        made, traced, run = [], [], []
        for branch in (true_fn, false_fn):
            with _Tracing(graph) as tracing:
                value = branch()
                flat = nest.flatten(value)
                run.append([as_operation(v) for v in flat if isinstance(v, Operation)])
                made.append(
                    nest.pack(value, [None if v is None or isinstance(v, Operation) else convert(flow_of(v), graph=graph) for v in flat])
                )
                kinds = flat
            traced.append(tracing)
            for op in tracing.writers:
                if op.type == "PyFunc":
                    raise NotImplementedError(f"{op.described()} would run whichever branch is taken\ncall it before or after tf.cond")
        try:
            nest.same(*made)
        except (TypeError, ValueError) as e:
            raise type(e)(f"Incompatible return values of true_fn and false_fn: {e}") from None
        pairs = list(zip(*map(nest.flatten, made), strict=True))
        for a, b in pairs:
            if (a is None) != (b is None):
                raise ValueError("true_fn and false_fn must both return tensors, or both operations")
            if a is not None and a.dtype is not b.dtype:
                raise TypeError(f"Outputs of true_fn and false_fn must have the same type: {a.dtype.name}, {b.dtype.name}")
        yes, no = ([t for t in nest.flatten(m) if t is not None] for m in made)
        outside = list(dict.fromkeys(t for tracing in traced for t in tracing.captured()))
        draws = [t for tracing in traced for t in tracing.draws]
        attrs = {
            "results": len(yes),
            "captured": len(outside),
            "draws": len(draws),
            "writers": [[op.name for op in tracing.writers] for tracing in traced],
            "_keys": [Key(f"{scope}{k}") for k in range(len(yes))],
            "_shapes": [t.extents for t in yes],
            "_dtypes": [t.dtype for t in yes],
        }
        with graph.control_dependencies([op for ops in run for op in ops]):
            inputs = [p, *outside, *yes, *no, *draws]
            op = graph.add("Cond", inputs, attrs, scope)
        results = iter(op.outputs)
        flat = [None if t is None else alike(like, next(results)) for like, t in zip(kinds, nest.flatten(made[0]), strict=True)]
        if flat and all(t is None for t in flat):
            return op if not nest.is_nested(made[0]) else nest.pack(made[0], [op] * len(flat))
    return nest.pack(made[0], flat)


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function beside the first predicate that holds gives, else what `default()` gives.

    `pred_fn_pairs`: (boolean scalar, function) pairs or a dict of them.  Without a default the last function is it."""
    pairs = list(pred_fn_pairs.items()) if isinstance(pred_fn_pairs, dict) else list(pred_fn_pairs)
    if not pairs or any(not isinstance(p, tuple | list) or len(p) != 2 or not is_tensor(p[0]) or not callable(p[1]) for p in pairs):
        raise TypeError("pred_fn_pairs must be a list of (boolean tensor, callable) pairs or a dict of them")
    if default is None:
        default = pairs.pop()[1]
    with graph_of([p for p, _ in pairs]).name_scope(name):
        return _case(pairs, default)


def _case(pairs: Sequence[tuple[Any, Callable[[], Any]]], default: Callable[[], Any]) -> Any:
    if not pairs:
        return default()
    (pred, function), *rest = pairs
    return cond(pred, function, lambda: _case(rest, default))
