"""Loops that count: how many steps their condition allows, and which rows they read and write.

Law of this file: a counter is a loop variable that starts at a number and that each step makes greater by 1.  That it is
below a size is a number of steps; what is read where it stands is the step's row of a sequence, and what is written there a
row of a stack.  So a loop that is written out becomes one that `scan` would have made, and its derivative costs as little:
nothing whole is carried from step to step.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sympy as sp

from . import build, dtypes, scalar
from .codegen import scalar as fn
from .graph import NeedsValue
from .looping import nesting, row_of
from .node import Kind, Node, depends_on, substitute, toposort
from .shapes import Extent, ShapeError, normal
from .statics import static_value


# ---------------------------------------------------------------- how many steps
def allowed_steps(
    test: Node, variables: Sequence[Node], starts: Sequence[Node], new: Sequence[Node], bound: Extent | None
) -> tuple[Extent | None, Node | None, Node | None]:
    """Where the test is that a counter is below a number: how many steps there are, as a size or as a node; and what is
    left of the test."""
    terms, rest = [test], []
    while any(_is_and(t) for t in terms):
        terms = [o for t in terms for o in (t.operands if _is_and(t) else (t,))]
    limit: Node | None = None
    for t in terms:
        found = None if limit is not None else _steps(t, variables, starts, new)
        if found is None:
            rest.append(t)
        elif isinstance(found, Node):
            limit = found
        else:
            bound = found if bound is None else bound if bound == found else sp.Min(bound, found)
    left: Node | None = None
    for t in rest:
        left = t if left is None else build.elementwise(fn.logical_and, left, t, dtype=dtypes.bool)
    if left is not None and limit is not None:
        return bound, None, test
    return int(bound) if isinstance(bound, sp.Integer) else bound, limit, left


def _is_and(n: Node) -> bool:
    return n.kind is Kind.GENERIC and n.attrs[0] == fn.logical_and(scalar.x(0), scalar.x(1)) and n.rank == 0


def _steps(t: Node, variables: Sequence[Node], starts: Sequence[Node], new: Sequence[Node]) -> Extent | Node | None:
    """The number of steps that the test i < n allows a counter i that each step makes greater by 1."""
    if t.kind is not Kind.GENERIC or t.attrs[3] is not None or t.rank:
        return None
    body = t.attrs[0]
    strict = {fn.lt: (0, 1), fn.gt: (1, 0)}.get(type(body))
    loose = {fn.le: (0, 1), fn.ge: (1, 0)}.get(type(body))
    at = strict or loose
    if at is None:
        return None
    i, n = (body.args[k] for k in at)
    for x, start, y in zip(variables, starts, new, strict=True):
        here = next((scalar.x(k) for k, o in enumerate(t.operands) if o is x), None)
        if here is None or i != here or not _counts(x, y):
            continue
        others = [(k, o) for k, o in enumerate(t.operands) if o is not x]
        more = 0 if loose is None else 1
        if not others:
            first = _size(start)
            return None if first is None else _at_least_0(n - first + more)
        (k, other), *rest = others
        if rest or n != scalar.x(k) or set(toposort([other])) & set(variables):
            return None
        sizes = _size(other), _size(start)
        if None not in sizes:
            return _at_least_0(sp.sympify(sizes[0]) - sizes[1] + more)
        return build.elementwise(scalar.x(0) - scalar.x(1) + more, other, start)
    return None


def _size(n: Node) -> Extent | None:
    """The value of a scalar that is made of constants and sizes."""
    try:
        return static_value(n)[0]
    except (NeedsValue, ShapeError):
        return None


def _at_least_0(steps: Any) -> Extent:
    return max(0, int(steps)) if sp.sympify(steps).is_number else sp.Max(0, steps)


# ---------------------------------------------------------------- rows
def counters(variables: Sequence[Node], starts: Sequence[Node], new: Sequence[Node]) -> dict[Node, int]:
    """The loop variables that count, and what each starts at."""
    found: dict[Node, int] = {}
    for x, start, y in zip(variables, starts, new, strict=True):
        if x.rank == 0 and _counts(x, y) and isinstance(first := _size(start), int):
            found[x] = first
    return found


def _counts(x: Node, y: Node) -> bool:
    return x.dtype.is_integer and y.kind is Kind.GENERIC and y.operands == (x,) and y.attrs[0] == scalar.x(0) + 1


def _first(at: Node, counting: Mapping[Node, int]) -> int | None:
    """The row that a place names in the first step, where it names the next one in each; None where it does not."""
    if at in counting:
        return counting[at]
    if at.kind not in (Kind.RESHAPE, Kind.GENERIC) or len(at.operands) != 1 or any(d != 1 for d in at.shape):
        return None
    before = _first(at.operands[0], counting)
    if before is None or at.kind is Kind.RESHAPE:
        return before
    body, _, _, reducer = at.attrs
    if reducer is not None:
        return None
    if isinstance(body, fn.select) and body.args[0] == fn.lt(scalar.x(0), 0) and before >= 0:  # places from the end are others
        body = body.args[2]
    if isinstance(body, fn.cast_) and at.dtype.is_integer:
        body = body.args[0]
    further = body - scalar.x(0)
    return before + int(further) if further.is_Integer else None


def _rest(rows: Extent, first: int, steps: Extent) -> Extent | None:
    """How many rows follow those that the steps name; None where they may not be there."""
    rest = sp.sympify(rows) - first - steps
    return normal(rest) if first >= 0 and rest.is_nonnegative else None


def read(results: Sequence[Node], moving: Collection[Node], counting: Mapping[Node, int], steps: Extent) -> tuple[list[Node], dict]:
    """What a step computes, over its rows of the arrays of outside that are read where a counter stands; and the leaves of
    these rows with the sequences that they are rows of.  `moving` are the leaves that differ between steps."""
    inner, height = depends_on(results, moving), nesting(results)
    sequences: dict[Node, Node] = {}
    new: dict[Node, Node] = {}
    for n in toposort(results):
        if n.kind is not Kind.GATHER or n.operands[0] in inner or n not in inner:
            continue
        whole, at = n.operands
        first = _first(at, counting)
        if first is None or _rest(whole.shape[0], first, steps) is None:
            continue
        sequence = _window(whole, first, steps)
        leaf = row_of(sequence, height)
        sequences[leaf] = sequence
        new[n] = build.reshape(leaf, n.shape)
    return (substitute(results, new, build.rebuild) if new else list(results)), sequences


def _window(n: Node, first: Extent, rows: Extent) -> Node:
    if first == 0 and rows == n.shape[0]:
        return n
    return build.slice_(n, (first, *(0 for _ in n.shape[1:])), (rows, *n.shape[1:]), (1,) * n.rank)


def _grown(rows: Extent, first: int, steps: Extent) -> bool:
    """Do so many rows from the first one on, which is there or the next, make a longer array?"""
    return first >= 0 and (sp.sympify(rows) - first).is_nonnegative is True and (steps + first - sp.sympify(rows)).is_nonnegative is True


def written(
    k: int, variables: Sequence[Node], new: Sequence[Node], others: Sequence[Node], counting: Mapping[Node, int], steps: Extent, grows: bool
) -> tuple[Node, int] | None:
    """The row that each step writes into the k-th loop variable, and which one comes first, where nothing else is done with it
    and a counter says where.  One that `grows` may have fewer rows, but for those before the first."""
    x, y = variables[k], new[k]
    if y.kind is not Kind.PUT or y.operands[0] is not x or y.operands[2].shape != (1,):
        return None
    _, row, at = y.operands
    first = _first(at, counting)
    if first is None or _rest(x.shape[0], first, steps) is None and not (grows and _grown(x.shape[0], first, steps)):
        return None
    if x in toposort([*others, *(v for j, v in enumerate(new) if j != k), row, at]):
        return None
    return build.reshape(row, x.shape[1:]), first


def whole(start: Node, stack: Node, first: int, made: Node | None) -> Node:
    """The array that starts as `start` with the rows of a stack from `first` on, `made` of them if that is a number that only a
    run knows."""
    steps = stack.shape[0]
    if made is not None and build.is_filled(start) != 0:
        axes = tuple(range(stack.rank))
        here = fn.select(fn.lt(scalar.i(0), scalar.x(0)), scalar.x(1), scalar.x(2))
        before = _window(start, first, steps)
        stack = build.generic(here, (made, stack, before), ((), axes, axes), stack.shape, stack.rank, None, stack.dtype)
    rest = _rest(start.shape[0], first, steps) or 0
    parts = [*([_window(start, 0, first)] if first else []), stack, *([_window(start, first + steps, rest)] if rest != 0 else [])]
    return build.concat(parts, 0) if len(parts) > 1 else stack
