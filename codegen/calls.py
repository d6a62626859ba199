"""Statements that are calls of the runtime: products, linear algebra, random draws.

Law of this file: a call takes flat slices that start where its data starts.  In a rows phase a product works on the
rows of one block; everything else is done once.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from .addresses import flat_index, product, scaled
from .expressions import SHORT
from .ir import First, Indirect, Linalg, MatMul, Pool, Random, Reshape, Scatter, Within
from .loops import Call, For, Let, Node, Store
from .memory import VIEW
from .phases import SERIAL, estimate, work
from .products import tiles_suit

if TYPE_CHECKING:
    from .nests import PhaseWriter


def write(p: PhaseWriter, s) -> list[Node]:
    match s:
        case Reshape():
            return []
        case MatMul():
            return _gemm(p, s)
        case Linalg():
            return _linalg(p, s)
        case Random():
            return _random(p, s)
        case Within():
            return _within(p, s)
        case Indirect():
            return _indirect(p, s)
        case Pool():
            return pool(p, s)
        case Scatter():
            return _scatter(p, s)
        case First():
            return _first(p, s)
    raise AssertionError(s)


def _gemm(p: PhaseWriter, s: MatMul) -> list[Node]:
    a, b, out = (p.table[n] for n in (s.a, s.b, s.out))
    rank, real = len(out.shape), SHORT[out.dtype]
    length = a.shape[-2] if s.ta else a.shape[-1]
    helper = f"{'tile' if tiles_suit(out.shape[-1], length, s.ta, s.tb, out.dtype) else 'gemm'}_{real}"
    p.helpers.add(helper)
    m, n, k = p.names.size(out.shape[-2]), p.names.size(out.shape[-1]), p.names.size(length)
    lda, ldb = p.names.size(a.shape[-1]), p.names.size(b.shape[-1])

    factor = f"{real}(1.0)" if s.factor is None else p.scalar(s.factor)
    kept = f"{real}({0.0 if s.onto is None else 1.0})"

    def call(x: str, y: str, z: str, rows: str) -> Call:
        return Call(f"{helper}({s.ta}, {s.tb}, {rows}, {n}, {k}, {factor}, {x}, {lda}, {y}, {ldb}, {kept}, {z}, {n})")

    if rank == 2:
        if not p.rows:
            return [*_before(p, s, p.whole, f"{scaled(m, n)}"), call(p.whole(s.a), p.whole(s.b), p.whole(s.out, True), m)]
        left = p.memory.homes[s.a]
        x = rows_of(p, s.a, "1" if s.ta else lda, scratch=lda) if left.kind != "array" or not s.ta else p.block_slice(p.whole(s.a), "1")
        first = _before(p, s, lambda name, write=False: rows_of(p, name, n, n, write), scaled(p.width, n))
        return [*first, call(x, p.whole(s.b), rows_of(p, s.out, n, scratch=n, write=True), p.width)]
    return _batched(p, s, call, m)


def _before(p: PhaseWriter, s: MatMul, part: Callable[..., str], count: str) -> list[Node]:
    """What a product is added to, copied to its place where it is not there already."""
    if s.onto is None or p.memory.homes[s.onto] == p.memory.homes[s.out]:
        return []
    j = p.names.fresh("j")
    return [For(j, count, (Store(part(s.out, True), j, f"{part(s.onto)}[{j}]"),))]


def rows_of(p: PhaseWriter, name: str, stride: str, scratch: str, write: bool = False) -> str:
    """The block's rows of an array or tile, as a flat slice."""
    home = p.memory.homes[name]
    if home.kind == "tile":
        return p.thread_slice(home.arg, scaled(str(p.size), scratch))
    p.touch(home.arg, write, stride)
    return p.block_slice(home.arg, stride)


def _batched(p: PhaseWriter, s: MatMul, call, m: str) -> list[Node]:
    """One product for each index of the leading axes; in a rows phase axis 0 is the row."""
    out = p.table[s.out]
    lead = len(out.shape) - 2
    variables = [p.names.fresh("j") for _ in range(lead)]
    if p.rows:
        variables[0] = p.row

    def part(name: str, write: bool = False) -> str:
        shape = p.table[name].shape
        offset = lead - (len(shape) - 2)
        coordinates = ["0" if shape[axis] == 1 else variables[offset + axis] for axis in range(len(shape) - 2)] + ["0", "0"]
        walks = p.rows and offset == 0 and coordinates[0] == p.row
        if walks:
            array = rows_of(p, name, product(shape[1:], p.names), product(shape[1:], p.names), write)
        else:
            array = p.whole(name, write)
            if p.rows and offset == 0 and coordinates[0] == p.row:
                coordinates[0] = f"({p.first} + {p.row})"
        index = flat_index(shape, coordinates, p.names).text
        return array if index == "0" else f"{array}[{index}:]"

    nodes: list[Node] = [call(part(s.a), part(s.b), part(s.out, True), m)]
    for axis in reversed(range(lead)):
        extent = p.width if p.rows and axis == 0 else p.names.size(out.shape[axis])
        nodes = [For(variables[axis], extent, tuple(nodes))]
    return nodes


def _linalg(p: PhaseWriter, s: Linalg) -> list[Node]:
    out, first = p.table[s.out], p.table[s.args[0]]
    name = f"{s.fn}_{SHORT[first.dtype]}"
    p.helpers.add(name)
    n = p.names.size(first.shape[-1])
    q = p.names.fresh("j")
    batch = product(first.shape[:-2], p.names)

    def matrix(x: str, write: bool = False) -> str:
        rows, columns = (p.names.size(e) for e in p.table[x].shape[-2:])
        size = product(p.table[x].shape[-2:], p.names)
        return f"{p.whole(x, write)}[{scaled(q, size)}:{scaled(f'({q} + 1)', size)}].reshape(({rows}, {columns}))"

    args = [matrix(x) for x in s.args]
    if s.fn in ("determinant", "logdet"):
        home = p.memory.homes[s.out]
        p.writes.add(home.arg)
        target = f"{home.arg}[{home.slot if home.kind == 'slot' else q}]"
        return [For(q, batch, (Call(f"{name}({args[0]}, {n})", target),))]
    if s.fn == "top":
        rows, k = p.names.size(first.shape[-2]), p.names.size(out.shape[-1])
        return [For(q, batch, (Call(f"{name}({args[0]}, {matrix(s.out, True)}, {rows}, {n}, {k})"),))]
    tail = [n] + ([p.names.size(p.table[s.args[1]].shape[-1])] if s.fn == "solve" else [])
    p.writes.add("status")
    status = p.status(s.out)
    call = f"{name}({', '.join([*args, matrix(s.out, True), *tail])})"
    return [Store("status", status[7:-1], "0"), For(q, batch, (Call(f"max({status}, {call})", status),))]


def _random(p: PhaseWriter, s: Random) -> list[Node]:
    out = p.table[s.out]
    stream = p.whole(s.stream)
    p.writes.add(stream)
    if s.fn == "shuffle":
        assert s.x is not None
        p.helpers.add("shuffle_permutation")
        perm = p.memory.partials[s.out]
        p.writes.add(perm)
        n, inner = p.names.size(out.shape[0]), product(out.shape[1:], p.names)
        j, q = p.names.fresh("j"), p.names.fresh("j")
        copy = Store(p.whole(s.out, True), f"{scaled(j, inner)} + {q}", f"{p.whole(s.x)}[{scaled(f'{perm}[{j}]', inner)} + {q}]")
        ordered = For(j, n, (Store(perm, j, j),))
        return [ordered, Call(f"shuffle_permutation({_only(perm, n)}, {stream})"), For(j, n, (For(q, inner, (copy,)),))]
    name = f"{s.fn.removesuffix('_int')}_{out.dtype.replace('float', 'f')}"
    p.helpers.add(name)
    assert s.a is not None and s.b is not None
    drawn = _only(p.whole(s.out, True), product(out.shape, p.names))
    return [Call(f"{name}({drawn}, {stream}, {p.scalar(s.a)}, {p.scalar(s.b)})")]


def _only(array: str, count: str) -> str:
    """An array that is drawn into, where in a loop it may hold more than this step has."""
    return array if count.isdigit() and not array.startswith(VIEW) else f"{array}[:{count}]"


def _within(p: PhaseWriter, s: Within) -> list[Node]:
    p.helpers.add("outside")
    n = product(p.table[s.x].shape, p.names)
    p.writes.add("status")
    return [Call(f"outside({p.whole(s.x)}, {n}, {p.names.size(s.extent)}, {p.status(s.out)[:-1]}:])")]


def shared(p: PhaseWriter, s: Scatter | Indirect) -> bool:
    """Is it so much work that the whole team does it, each thread the rows that it owns?"""
    if isinstance(s, Indirect):
        return s.summed and estimate(work(s, p.table), {}) > SERIAL
    touched = p.table[s.out].shape if _starts(p, s) else ()
    return estimate(p.table[s.x].shape, {}) + estimate(touched, {}) > SERIAL


def _starts(p: PhaseWriter, s: Scatter) -> bool:
    """Must the result be filled before rows are added?  Not when it is the very array that they are added to."""
    return s.onto is None or p.memory.homes[s.onto] != p.memory.homes[s.out]


def _scatter(p: PhaseWriter, s: Scatter) -> list[Node]:
    x, out = p.table[s.x].shape, p.whole(s.out, True)
    rows, extent, width = p.names.size(x[0]), p.names.size(p.table[s.out].shape[0]), product(x[1:], p.names)
    who = "tid, nthreads" if shared(p, s) else "0, 1"
    nodes: list[Node] = []
    if _starts(p, s):
        p.helpers.add("zero_rows" if s.onto is None else "copy_rows")
        start = "zero_rows(" if s.onto is None else f"copy_rows({p.whole(s.onto)}, "
        nodes.append(Call(f"{start}{out}, {extent}, {width}, {who})"))
    helper = "put_rows" if s.put else "add_rows"
    p.helpers.add(helper)
    return [*nodes, Call(f"{helper}({p.whole(s.x)}, {p.whole(s.at)}, {out}, {rows}, {width}, {who})")]


def _first(p: PhaseWriter, s: First) -> list[Node]:
    p.helpers.add("first_of_each")
    seen = p.memory.partials[s.out]
    p.writes.add(seen)
    return [Call(f"first_of_each({p.whole(s.x)}, {p.whole(s.out, True)}, {seen}, {product(p.table[s.x].shape, p.names)})")]


OWNED = 14
"""Rows of a filter that one thread owns at a time: a tile of them."""


def _images(p: PhaseWriter, name: str, write: bool = False) -> str:
    """An array of images from the first of the block on; in a serial phase, all of it."""
    each = product(p.table[name].shape[1:], p.names)
    return rows_of(p, name, each, each, write) if p.rows else p.whole(name, write)


def _indirect(p: PhaseWriter, s: Indirect) -> list[Node]:
    """One call; of a sum over images, every thread does the rows that it owns."""
    height = p.table[s.left].shape[0]
    assert isinstance(height, int)
    if not (s.summed and shared(p, s)):
        return indirect(p, s, "0", str(height))
    of = -(-height // OWNED)
    first, last = p.names.fresh("n"), p.names.fresh("n")
    own = [Let(first, f"tid * {of} // nthreads * {OWNED}"), Let(last, f"(tid + 1) * {of} // nthreads * {OWNED}")]
    return [*own, *indirect(p, s, first, last)]


def indirect(p: PhaseWriter, s: Indirect, first: str, last: str) -> list[Node]:
    """The call for some of the rows."""
    parts = p.table[s.parts].shape[0]
    helper = "depthwise" if s.repeat else f"indirect_{SHORT[p.table[s.a].dtype]}"
    p.helpers.add(helper)
    images = p.width if p.rows else p.names.size(p.table[s.a].shape[0])
    each = {n: product(p.table[n].shape[1:], p.names) for n in (s.a, s.b, s.out)} | {s.out if s.summed else s.b: "0"}
    x, y, z = _images(p, s.a), p.whole(s.b), p.whole(s.out, True) if s.summed else _images(p, s.out, True)
    left, rows, turns, table = (p.whole(n) for n in s.tables)
    arrays = f"{x}, {each[s.a]}, {left}, {s.step}, {y}, {each[s.b]}, {turns}, {z}, {each[s.out]}, {rows}, {table}, {parts}"
    more = f", {s.repeat}, {s.narrow == 'out'}" if s.repeat else ""
    return [Call(f"{helper}({images}, {s.group}, {first}, {last}, {s.columns}, {arrays}{more})")]


def pool(p: PhaseWriter, s: Pool, spread: bool = False) -> list[Node]:
    """The call.  Functions of their own have windows of four cells; or, where lanes share the work, those that no cell shares."""
    assert s.cells is not None
    images = p.width if p.rows else p.names.size(p.table[s.x].shape[0])
    m, taps = (str(e) for e in p.table[s.cells].shape)
    *extents, width = p.table[s.x].shape[1:]
    tail = f"{p.whole(s.cells)}, {images}, {m}, {taps}, {p.names.size(width)}, {product(extents, p.names)})"
    helper = "pool_route" if s.role == "route" else "pool_max" if s.x == s.v else "pool_pick"
    read = [s.x] if helper == "pool_max" else [s.x, s.v]
    cells = p.table[s.cells].value
    assert cells is not None
    once = helper == "pool_route" and np.array_equal(np.sort(cells, axis=None), np.arange(prod(extents)))  # type: ignore[arg-type]
    if spread:
        helper += "_once" * once
    elif taps == "4" and cells.min(initial=0) >= 0:
        helper += "_4" * (helper == "pool_max" or once)
    p.helpers.add(helper)
    return [Call(f"{helper}({', '.join([*(_images(p, n) for n in read), _images(p, s.out, True)])}, {tail}")]
