"""Run a Program in plain NumPy: slow, obvious, and the judge of every backend.

Law of this file: one function per statement, written for reading; float32 stays float32; linear in the number of
statements (a value is dropped after its last use), so long programs that are not worth compiling run here too.
It never imports Numba.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from . import reference_windows
from .ir import (
    At,
    Concat,
    Conv,
    First,
    Indirect,
    Last,
    Linalg,
    Map,
    MatMul,
    Place,
    Pool,
    Program,
    Random,
    Repeat,
    Reshape,
    Scatter,
    Size,
    Slice,
    Stack,
    Statement,
    Walk,
    Within,
    coordinates,
    reads,
)
from .runtime import philox_numpy as philox
from .scalar import FUNCTIONS, Body
from .sizes import extents, settle
from .verify import verify

Array = np.ndarray
Values = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Interpreted:
    """A program that the interpreter runs; the same face as a compiled `Executable`."""

    program: Program

    @property
    def source(self) -> str:
        return str(self.program)

    @property
    def report(self) -> str:
        return f"{self.program.name}: interpreted, {len(self.program.statements)} statements"

    path = None
    device = None

    @property
    def kernel(self) -> Any:
        raise TypeError(f"{self.program.name} is interpreted: it has no kernel")

    def save_source(self, path: object) -> None:
        raise TypeError(f"{self.program.name} is interpreted: it has no generated source")

    @cached_property
    def last_use(self) -> LastUse:
        return _last_use(self.program)

    def bind(self, states: Sequence[Array] = ()) -> Callable[..., tuple]:
        """A callable of the inputs; `states` are updated in place by each call."""
        held = dict(zip(self.program.states, states, strict=True))
        return lambda *inputs: self._run(held, inputs)

    def _run(self, states: Mapping[str, Array], inputs: Sequence[Array]) -> tuple:
        p = self.program
        given = dict(zip(p.inputs, inputs, strict=True))
        sizes = settle(p, {n: x.shape for n, x in (*given.items(), *states.items())})
        values: Values = {b.name: b.value for b in p.buffers if b.value is not None}
        values.update(given)
        values.update(states)
        before = {n: states[n].copy() for n in p.outputs if n in states}
        with np.errstate(all="ignore"):
            _statements(p, values, sizes, self.last_use)
        results = tuple(before[n] if n in before else np.array(values[n]) for n in p.outputs)
        fresh = [(states[target], np.array(values[source])) for target, source in p.updates]
        for target, value in fresh:
            target[...] = value
        return results


LastUse = dict[str, int]


def _last_use(program: Program) -> LastUse:
    """The position after which a temp is dropped; outputs and update sources live to the end."""
    last = {n: i for i, s in enumerate(program.statements) for n in (*reads(s), s.out)}
    for n in (*program.outputs, *(source for _, source in program.updates)):
        last.pop(n, None)
    temps = {b.name for b in program.buffers if b.role == "temp"}
    return {n: i for n, i in last.items() if n in temps}


def _statements(p: Program, values: Values, sizes: Mapping[str, int], last: LastUse) -> None:
    """Every statement in order, into `values`."""
    table = p.table()
    for position, s in enumerate(p.statements):
        out = table[s.out]
        shape = extents(out.shape, sizes)
        value = RULES[type(s)](s, values, sizes, shape, np.dtype(out.dtype), out.origin or out.name)
        assert value.shape == shape, f"{s.out}: {value.shape} is not {shape}"
        values[s.out] = np.asarray(value, out.dtype)
        for n in (*reads(s), s.out):
            if last.get(n) == position:
                values.pop(n, None)
                values.pop(_made(n), None)


def interpret(program: Program) -> Interpreted:
    """The program, checked, ready to `bind`."""
    verify(program)
    return Interpreted(program)


# ---------------------------------------------------------------- one rule per statement
def _map(s: Map, values: Values, sizes: Mapping[str, int], shape: tuple[int, ...], dtype: np.dtype, where: str) -> Array:
    space = extents(s.space, sizes)
    arrays = [np.asarray(values[n]) for n in s.operands]
    spread = [
        _gather(s, k, arrays, space, where) if coordinates(ix) else _spread(arrays[k], ix, len(space)) for k, ix in enumerate(s.index)
    ]
    full = np.broadcast_to(evaluate(s.body, spread, space, sizes), space)
    if s.reducer is None:
        return full.astype(dtype)
    return reduce(s.reducer, full, tuple(range(len(shape), len(space))), dtype)


def _gather(s: Map, slot: int, arrays: Sequence[Array], space: tuple[int, ...], where: str) -> Array:
    """Operand `slot` at its labels and coordinates, with one axis per label."""
    at: list[Array] = []
    for walk, extent in zip(s.index[slot], arrays[slot].shape, strict=True):
        if isinstance(walk, At):
            check_within(arrays[walk.slot], extent, where)
            at.append(_spread(arrays[walk.slot], s.index[walk.slot], len(space)))
        else:
            at.append(np.arange(1 if walk is None else space[walk]).reshape([-1 if a == walk else 1 for a in range(len(space))]))
    return arrays[slot][tuple(at)]


def check_within(x: Array, extent: int, where: str) -> None:
    """IndexError unless every value of x lies in [0, extent)."""
    wrong = np.flatnonzero((x < 0) | (x >= extent))
    if wrong.size:
        raise IndexError(outside(int(wrong[0]), int(x.flat[wrong[0]]), extent, x.shape, where))


def outside(position: int, value: int, extent: int, shape: tuple[int, ...], where: str) -> str:
    """What a coordinate outside of its axis says; `position` is flat."""
    at = ", ".join(str(int(k)) for k in np.unravel_index(position, shape)) if shape else ""
    return f"{where}: indices{f'[{at}]' if at else ''} = {value} is not in [0, {extent})"


def _spread(x: Array, index: tuple[Walk, ...], rank: int) -> Array:
    """A view with one axis per label: those of x at their labels, extent 1 elsewhere."""
    x = x[tuple(0 if label is None else slice(None) for label in index)]
    labels = [label for label in index if isinstance(label, int)]
    for label in sorted(set(labels)):
        while labels.count(label) > 1:  # the same label twice walks the diagonal
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = np.diagonal(x, axis1=first, axis2=second)
            labels = [a for k, a in enumerate(labels) if k not in (first, second)] + [label]
    x = x.transpose([labels.index(a) for a in sorted(labels)])
    return x[tuple(slice(None) if a in labels else None for a in range(rank))]


def evaluate(body: Body, operands: Sequence[Array], space: tuple[int, ...], sizes: Mapping[str, int]) -> Array:
    """A body over whole arrays that broadcast to `space`."""
    done: list[Any] = []
    for i in body.code:
        dtype = np.dtype(i.dtype)
        match i.fn:
            case "operand":
                value = operands[i.value]  # type: ignore[index]
            case "index":
                axis: int = i.value  # type: ignore[assignment]
                value = np.arange(space[axis]).reshape([-1 if a == axis else 1 for a in range(len(space))])
            case "size":
                value = np.asarray(sizes[i.value])  # type: ignore[index]
            case "literal":
                value = np.asarray(i.value)
            case "cast":
                value = done[i.args[0]]
            case _:
                value = FUNCTIONS[i.fn].numpy(*(done[a] for a in i.args))
        done.append(np.asarray(value).astype(dtype, copy=False))
    return done[-1]


def least(dtype: np.dtype) -> Any:
    """The identity of max."""
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def greatest(dtype: np.dtype) -> Any:
    """The identity of min."""
    return np.inf if dtype.kind == "f" else True if dtype.kind == "b" else np.iinfo(dtype).max


def reduce(reducer: str, x: Array, axes: tuple[int, ...], dtype: np.dtype) -> Array:
    """A reduction with the identity of the reducer where it is empty."""
    match reducer:
        case "sum":
            return np.asarray(np.sum(x.astype(dtype, copy=False), axis=axes, dtype=dtype))
        case "prod":
            return np.asarray(np.prod(x.astype(dtype, copy=False), axis=axes, dtype=dtype))
        case "max":
            return np.asarray(np.max(x, axis=axes, initial=least(x.dtype))).astype(dtype)
        case "min":
            return np.asarray(np.min(x, axis=axes, initial=greatest(x.dtype))).astype(dtype)
        case "any" | "all":
            return np.asarray(getattr(np, reducer)(x, axis=axes)).astype(dtype)
    (axis,) = axes
    if x.shape[axis] == 0:
        return np.zeros([n for a, n in enumerate(x.shape) if a != axis], dtype)
    return np.asarray(getattr(np, reducer)(x, axis=axis)).astype(dtype)


def _matmul(s: MatMul, values: Values, sizes, shape, dtype, where) -> Array:
    a, b = values[s.a], values[s.b]
    product = np.matmul(np.swapaxes(a, -1, -2) if s.ta else a, np.swapaxes(b, -1, -2) if s.tb else b)
    return product if s.onto is None or s.factor is None else values[s.onto] + values[s.factor] * product


def _reshape(s: Reshape, values: Values, sizes, shape, dtype, where) -> Array:
    return np.reshape(values[s.x], shape).copy()


def window(start: tuple[Size, ...], step: tuple[int, ...], shape: tuple[int, ...], sizes: Mapping[str, int]) -> tuple[slice, ...]:
    """The slices that `Slice` reads and `Place` writes."""
    out = []
    for first, k, n in zip(extents(start, sizes), step, shape, strict=True):
        stop = first + n * k
        out.append(slice(first, None if stop < 0 else stop, k) if n else slice(0, 0))
    return tuple(out)


def _slice(s: Slice, values: Values, sizes, shape, dtype, where) -> Array:
    return values[s.x][window(s.start, s.step, shape, sizes)].copy()


def _place(s: Place, values: Values, sizes, shape, dtype, where) -> Array:
    out = np.zeros(shape, dtype)
    out[window(s.start, s.step, values[s.x].shape, sizes)] = values[s.x]
    return out


def _scatter(s: Scatter, values: Values, sizes, shape, dtype, where) -> Array:
    at = np.asarray(values[s.at])
    check_within(at, shape[0], where)
    out = np.zeros(shape, dtype) if s.onto is None else np.array(values[s.onto])
    if s.put:
        out[at] = values[s.x]
    else:
        np.add.at(out, at, values[s.x])
    return out


def _first(s: First, values: Values, sizes, shape, dtype, where) -> Array:
    _, first, again = np.unique(values[s.x], return_index=True, return_inverse=True)
    return first.astype(dtype)[again]


def _within(s: Within, values: Values, sizes, shape, dtype, where) -> Array:
    check_within(np.asarray(values[s.x]), extents((s.extent,), sizes)[0], where)
    return values[s.x]


def _concat(s: Concat, values: Values, sizes, shape, dtype, where) -> Array:
    return np.concatenate([values[n] for n in s.xs], axis=s.axis)


def _linalg(s: Linalg, values: Values, sizes, shape, dtype, where) -> Array:
    args = [values[n] for n in s.args]
    try:
        match s.fn:
            case "inverse":
                return np.linalg.inv(args[0])
            case "solve":
                return np.linalg.solve(*args)
            case "cholesky":
                return np.linalg.cholesky(args[0])
            case "determinant":
                return np.asarray(np.linalg.det(args[0]))
            case "top":
                backwards = np.argsort(args[0][..., ::-1], axis=-1, kind="stable")[..., ::-1]  # NaN is the greatest
                return (args[0].shape[-1] - 1 - backwards)[..., : shape[-1]].astype(dtype)
            case _:
                return np.asarray(np.linalg.slogdet(args[0])[1])
    except np.linalg.LinAlgError as e:
        raise FloatingPointError(failure(s.fn, where)) from e


def failure(fn: str, where: str) -> str:
    """What a failed `Linalg` says."""
    what = "is not positive definite" if fn == "cholesky" else "is singular"
    return f"{fn} {where}: the matrix {what}"


def _random(s: Random, values: Values, sizes, shape, dtype, where) -> Array:
    stream = values[s.stream]
    x, a, b = (values[n or s.stream] for n in (s.x, s.a, s.b))
    if s.fn == "shuffle":
        perm = np.arange(shape[0])
        philox.shuffle_permutation(perm, stream)
        return x[perm]
    out = np.empty(shape, dtype)
    getattr(philox, f"{s.fn.removesuffix('_int')}_{dtype.name.replace('float', 'f')}")(out.reshape(-1), stream, a[()], b[()])
    return out


def _made(loop: str) -> str:
    """The key under which values hold what a loop made: no buffer has such a name."""
    return f"what {loop} made"


def _repeat(s: Repeat, values: Values, sizes, shape, dtype, where) -> Array:
    """Step by step; what it leaves is kept for `Last` and `Stack`."""
    body, table, last = s.body, s.body.table(), _last_use(s.body)
    steps = None if s.steps is None else extents((s.steps,), sizes)[0]
    bounds = [n for n in (steps, None if s.limit is None else max(int(values[s.limit]), 0)) if n is not None]
    most = min(bounds) if bounds else None
    stacks = [] if steps is None else [np.zeros((steps, *extents(table[n].shape, sizes)), table[n].dtype) for n in body.outputs]
    held: Values = {n: b.value for n, b in table.items() if b.value is not None}
    held |= {n: values[n] for n in (*s.captured, *s.streams)} | {state: np.array(values[n]) for state, n in s.starts}
    made = 0
    while most is None or made < most:
        if s.condition is not None and not held[s.condition]:
            break
        at = most - 1 - made if s.backwards and most is not None else made
        now = {**held, **{part: values[n][at] for part, n in s.slices}}
        _statements(body, now, sizes, last)
        for stack, n in zip(stacks, body.outputs, strict=steps is not None):
            stack[at] = now[n]
        held |= {target: now[source] for target, source in body.updates}
        made += 1
    values[_made(s.out)] = {state: held[state] for state, _ in s.starts}, stacks
    return np.asarray(made)


def _last(s: Last, values: Values, sizes, shape, dtype, where) -> Array:
    return values[_made(s.of)][0][s.state]


def _stack(s: Stack, values: Values, sizes, shape, dtype, where) -> Array:
    return values[_made(s.of)][1][s.number]


RULES: dict[type[Statement], Callable[..., Array]] = {
    Map: _map,
    MatMul: _matmul,
    Reshape: _reshape,
    Slice: _slice,
    Place: _place,
    Concat: _concat,
    Linalg: _linalg,
    Random: _random,
    Scatter: _scatter,
    First: _first,
    Within: _within,
    Conv: reference_windows.conv,
    Pool: reference_windows.pool,
    Indirect: reference_windows.indirect,
    Repeat: _repeat,
    Last: _last,
    Stack: _stack,
}
