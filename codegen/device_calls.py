"""Statements that are calls of the runtime, where members have lanes; products are in `device_products`.

Law of this file: a call is a list of parts, each the work of one member or of the whole team; between parts the team may
meet.  A function of the team deals its elements out by (tid, nthreads, lane) or by the number of a lane among all lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import calls
from .addresses import product, scaled
from .expressions import SHORT
from .ir import First, Indirect, Linalg, Pool, Random, Reshape, Scatter, Statement, Within
from .loops import Call, For, If, Let, Node, Store

if TYPE_CHECKING:
    from .lanes import LaneWriter

Part = tuple[bool, Callable[["LaneWriter", Any], list[Node]]]
"""Is it the whole team's, and how it is written."""
LANE = "lane == 0"


def parts(s: Statement) -> list[Part]:
    """What a call is made of, in order."""
    match s:
        case Reshape():
            return []
        case Scatter():
            return [(True, _filled), (True, _scatter)]
        case Random(fn="shuffle"):
            return [(False, _shuffle)]
        case Random(fn="candidates"):
            return [(False, _candidates)]
        case Random():
            return [(True, _draw), (False, _advance)]
        case Indirect():
            return [(True, _indirect)]
        case Pool():
            return [(True, _pool)]
        case Linalg():
            return [(False, _linalg)]
        case Within():
            return [(False, _within)]
        case First():
            return [(False, _first)]
    raise AssertionError(s)


def everybody(p: LaneWriter) -> str:
    """The number of a lane among all lanes of the team, and how many there are."""
    return f"tid * {p.lanes} + lane, nthreads * {p.lanes}"


# ---------------------------------------------------------------- rows by their number
def _filled(p: LaneWriter, s: Scatter) -> list[Node]:
    """What rows are added to, in its place."""
    if s.onto is not None and p.memory.homes[s.onto] == p.memory.homes[s.out]:
        return []
    j, out = p.names.fresh("j"), p.table[s.out]
    value = f"{SHORT[out.dtype]}(0)" if s.onto is None else f"{p.whole(s.onto)}[{j}]"
    return [For(j, product(out.shape, p.names), (Store(p.whole(s.out, True), j, value),), "team")]


def _scatter(p: LaneWriter, s: Scatter) -> list[Node]:
    shape, helper = p.table[s.x].shape, "put_rows" if s.put else "add_rows"
    p.helpers.add(helper)
    p.reads.add(p.memory.homes[s.out].arg)
    rows, width = p.names.size(shape[0]), product(shape[1:], p.names)
    return [Call(f"{helper}({p.whole(s.x)}, {p.whole(s.at)}, {p.whole(s.out, True)}, {rows}, {width}, tid, nthreads, lane)")]


def _first(p: LaneWriter, s: First) -> list[Node]:
    p.helpers.add("first_of_each")
    seen = p.memory.partials[s.out]
    p.writes.add(seen)
    return [Call(f"first_of_each({p.whole(s.x)}, {p.whole(s.out, True)}, {seen}, {product(p.table[s.x].shape, p.names)}, lane)")]


def _within(p: LaneWriter, s: Within) -> list[Node]:
    p.helpers.add("outside")
    p.writes.add("status")
    n = product(p.table[s.x].shape, p.names)
    return [Call(f"outside({p.whole(s.x)}, {n}, {p.names.size(s.extent)}, {p.status(s.out)[:-1]}:], lane)")]


# ---------------------------------------------------------------- draws
def _drawn(p: LaneWriter, s: Random) -> tuple[str, str, str]:
    """Where to, how many, from which stream."""
    stream = p.whole(s.stream)
    p.writes.add(stream)
    return p.whole(s.out, True), product(p.table[s.out].shape, p.names), stream


def _draw(p: LaneWriter, s: Random) -> list[Node]:
    assert s.a is not None and s.b is not None
    name = f"{s.fn.removesuffix('_int')}_{p.table[s.out].dtype.replace('float', 'f')}"
    p.helpers.add(name)
    out, n, stream = p.whole(s.out, True), product(p.table[s.out].shape, p.names), p.whole(s.stream)
    return [Call(f"{name}({out}, {n}, {stream}, {p.scalar(s.a)}, {p.scalar(s.b)}, {everybody(p)})")]


def _advance(p: LaneWriter, s: Random) -> list[Node]:
    p.helpers.add("advance")
    _, n, stream = _drawn(p, s)
    return [If(LANE, (Call(f"advance({stream}, {n})"),))]


def _candidates(p: LaneWriter, s: Random) -> list[Node]:
    assert s.a is not None and s.b is not None
    p.helpers.add("candidates")
    out, n, stream = _drawn(p, s)
    return [If(LANE, (Call(f"candidates({out}, {n}, {stream}, {p.scalar(s.a)}, {p.scalar(s.b)})"),))]


def _shuffle(p: LaneWriter, s: Random) -> list[Node]:
    assert s.x is not None
    p.helpers.add("shuffle_permutation")
    shape = p.table[s.out].shape
    out, _, stream = _drawn(p, s)
    perm = p.memory.partials[s.out]
    p.writes.add(perm)
    n, inner = p.names.size(shape[0]), product(shape[1:], p.names)
    j, q, e = (p.names.fresh(c) for c in ("j", "j", "e"))
    width = inner if inner.isdigit() or inner.isidentifier() else f"({inner})"
    copy = Store(out, e, f"{p.whole(s.x)}[{scaled(f'{perm}[{j}]', width)} + {q}]")
    where = (Let(j, f"{e} // {width}"), Let(q, f"{e} - {j} * {width}"))
    return [
        For(j, n, (Store(perm, j, j),), "member"),
        If(LANE, (Call(f"shuffle_permutation({perm}, {n}, {stream})"),)),
        For(e, product(shape, p.names), (*where, copy), "member"),
    ]


# ---------------------------------------------------------------- windows, and what the CPU's text serves
def _dealt(p: LaneWriter, nodes: list[Node]) -> list[Node]:
    """The CPU's call, with the numbers of lanes behind its arguments."""
    (call,) = nodes
    assert isinstance(call, Call)
    return [Call(f"{call.text[:-1]}, {everybody(p)})")]


def _indirect(p: LaneWriter, s: Indirect) -> list[Node]:
    return _dealt(p, calls.indirect(p, s, "0", str(p.table[s.left].shape[0])))


def _pool(p: LaneWriter, s: Pool) -> list[Node]:
    return _dealt(p, calls.pool(p, s, spread=True))


def _linalg(p: LaneWriter, s: Linalg) -> list[Node]:
    """One matrix after the other by the lanes of one member; the status is the worst of theirs."""
    out, first = p.table[s.out], p.table[s.args[0]]
    name, q, value = f"{s.fn}_{SHORT[first.dtype]}", p.names.fresh("j"), p.names.fresh("v")
    p.helpers.add(name)

    def matrix(x: str, write: bool = False) -> str:
        return f"{p.whole(x, write)}[{scaled(q, product(p.table[x].shape[-2:], p.names))}:]"

    single = s.fn in ("determinant", "logdet")
    arrays = [*map(matrix, s.args), *([] if single else [matrix(s.out, True)])]
    sizes = [*first.shape[-2 if s.fn == "top" else -1 :], *(out.shape[-1:] if s.fn in ("solve", "top") else ())]
    work = [p.memory.partials[s.out]] if s.out in p.memory.partials else []
    p.writes.update(work)
    call = f"{name}({', '.join([*arrays, *map(p.names.size, sizes), *work, 'lane'])})"
    if s.fn == "top":
        return [For(q, product(first.shape[:-2], p.names), (Call(call),))]
    home = p.memory.homes[s.out]
    array, at = (home.arg, str(home.slot) if home.kind == "slot" else q) if single else ("status", p.status(s.out)[7:-1])
    p.writes.add(array)
    store = Store(array, at, value)
    keep = store if single else If(f"{value} > {array}[{at}]", (store,))
    start = [] if single else [If(LANE, (Store(array, at, "0"),))]
    return [*start, For(q, product(first.shape[:-2], p.names), (Let(value, call), If(LANE, (keep,))))]
