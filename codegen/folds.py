"""Reductions over the rows of a phase: partial results for each block, combined in the order of the blocks.

Law of this file: blocks are fixed, so the result has the same bits for every number of threads.  One result is carried in a
register, a few in several, many in an array for each block; the first two leave their blocks as the last axis, so
that the combination is a vector sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .addresses import flat_index, product, scaled
from .expressions import accumulation, carried, cast, emit, identity
from .ir import Map
from .loops import Accumulate, For, Let, Node, Store
from .stages import Work

if TYPE_CHECKING:
    from .nests import Nest, PhaseWriter


def carry(p: PhaseWriter, w: Work, nest: Nest, reducer: str, dtype: str, value: str) -> None:
    """One result, in a register for the whole block."""
    a = p.names.fresh("a")
    place = nest.pre[nest.depth]
    place.append(Accumulate(a, reducer, named(p, value, reducer, place), dtype))
    p.heads.append(Let(a, identity(reducer, dtype, p.table[w.statement.out].dtype)))
    part = p.memory.partials[w.statement.out]
    p.writes.add(part)
    p.leave(a, reducer, dtype, part, p.number)
    _combine(p, w, reducer, dtype, across=True)


def unrolled(p: PhaseWriter, w: Work) -> list[Node]:
    """A few results, each in a register for the whole block."""
    s = w.statement
    assert isinstance(s, Map)
    out = p.table[s.out]
    reducer, dtype = accumulation(s.reducer or "", s.body.dtype, out.dtype)
    part = p.memory.partials[s.out]
    p.writes.add(part)
    shape = tuple(s.space[a] for a in w.outer)
    nodes: list[Node] = []
    for number, at in enumerate(np.ndindex(*shape)):  # type: ignore[arg-type]
        nest = p.nest((), (), [])
        nest.vars = tuple(map(str, at))
        lets, text = emit(s.body, p.leaf(w, nest), lambda: p.names.fresh("v"), p.helpers)
        value = carried(text, s.body.dtype, out.dtype, reducer, dtype)
        a = p.names.fresh("a")
        p.heads.append(Let(a, identity(reducer, dtype, p.table[w.statement.out].dtype)))
        p.leave(a, reducer, dtype, part, p.partial(str(number), product(out.shape, p.names)))
        nodes += [*nest.pre[0], *lets]
        nodes.append(Accumulate(a, reducer, named(p, value, reducer, nodes), dtype))
    _combine(p, w, reducer, dtype, across=True)
    return nodes


def across(p: PhaseWriter, w: Work, nest: Nest, reducer: str, dtype: str, value: str) -> None:
    """Any number of results where rows are the inner loop: each in a register for the rows of the block."""
    s = w.statement
    out, part = p.table[s.out], p.memory.partials[s.out]
    p.writes.add(part)
    level = len(w.outer)
    a = p.names.fresh("a")
    nest.pre[level].append(Let(a, identity(reducer, dtype, out.dtype)))
    place = nest.pre[nest.depth]
    place.append(Accumulate(a, reducer, named(p, value, reducer, place), dtype))
    coordinates = [p.label(w, label, nest) if label in w.outer else "0" for label in range(len(out.shape))]
    number = flat_index(out.shape, coordinates, p.names).text
    number = f"({number})" if " " in number else number
    nest.post[level].append(Store(part, p.partial(number, product(out.shape, p.names)), a))
    _combine(p, w, reducer, dtype, across=True)


def memory(p: PhaseWriter, w: Work, nest: Nest, reducer: str, dtype: str, value: str) -> None:
    """Many results: an array for each block."""
    s = w.statement
    part, shape = p.memory.partials[s.out], p.table[s.out].shape
    p.writes.add(part)
    n = product(shape, p.names)
    block, j = p.names.fresh("x"), p.names.fresh("j")
    p.heads += [
        Let(block, f"{part}[{scaled(p.number, n)}:]"),
        For(j, n, (Store(block, j, identity(reducer, dtype, p.table[w.statement.out].dtype)),)),
    ]
    level = len(w.outer)
    coordinates = [p.label(w, a, nest) if a in w.outer else "0" for a in range(len(shape))]
    target = f"{block}[{flat_index(shape, coordinates, p.names).text}]"
    place = nest.pre[nest.depth]
    if w.inner and not w.crossed:
        a = p.names.fresh("a")
        nest.pre[level].append(Let(a, identity(reducer, dtype, p.table[w.statement.out].dtype)))
        place.append(Accumulate(a, reducer, named(p, value, reducer, place), dtype))
        place, value = nest.post[level], a
    place.append(Accumulate(target, reducer, named(p, value, reducer, place), dtype))
    _combine(p, w, reducer, dtype, across=False)


def named(p: PhaseWriter, value: str, reducer: str, place: list[Node]) -> str:
    """The value as a name where the reducer's text repeats it."""
    if reducer not in ("max", "min") or value.isidentifier():
        return value
    v = p.names.fresh("v")
    place.append(Let(v, value))
    return v


def _combine(p: PhaseWriter, w: Work, reducer: str, dtype: str, across: bool) -> None:
    """Partial results of the blocks to the result, in the order of the blocks; `across`: blocks are the last axis."""
    out = p.table[w.statement.out]
    home, part = p.memory.homes[out.name], p.memory.partials[out.name]
    n = product(out.shape, p.names)
    if p.plan.lanes > 1:
        p.final.add(home.arg)
        p.writes.add(home.arg)
        p.combines.append(p.combined(w, reducer, dtype, n))
        return
    j, k, a, x = (p.names.fresh(c) for c in ("j", "k", "a", "x"))
    start = Let(a, identity(reducer, dtype, p.table[w.statement.out].dtype))
    p.final.add(home.arg)
    p.writes.add(home.arg)
    if across and n == "1":
        loop = For(k, p.blocks, (Accumulate(a, reducer, f"{part}[{k}]", dtype),))
        p.combines.append([start, loop, Store(home.arg, str(home.slot) if home.kind == "slot" else "0", cast(a, dtype, out.dtype))])
    elif across:
        loop = For(k, p.blocks, (Accumulate(a, reducer, f"{x}[{k}]", dtype),))
        body = (Let(x, f"{part}[{j} * {p.blocks}:]"), start, loop, Store(home.arg, j, cast(a, dtype, out.dtype)))
        p.combines.append([For(j, n, body)])
    else:
        first = For(j, n, (Store(home.arg, j, cast(identity(reducer, dtype, p.table[w.statement.out].dtype), dtype, out.dtype)),))
        inner = For(j, n, (Accumulate(f"{home.arg}[{j}]", reducer, f"{x}[{j}]", dtype),))
        p.combines.append([first, For(k, p.blocks, (Let(x, f"{part}[{scaled(k, n)}:]"), inner))])
