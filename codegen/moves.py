"""Statements that only move elements: Slice, Place, Concat as loops over the elements moved.

Law of this file: in a rows phase axis 0 is the row and the loops run over what is left of it; otherwise they run over
everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .addresses import flat_index, product, scaled
from .expressions import literal
from .ir import Concat, Place, Size, Slice, Statement, reads
from .loops import For, Node, Store

if TYPE_CHECKING:
    from .nests import PhaseWriter


def words(s: Statement) -> str:
    """A statement that is no Map, for comments."""
    extra = {k: getattr(s, k) for k in ("ta", "tb", "start", "step", "axis") if getattr(s, k, None) not in (None, False)}
    return f"{getattr(s, 'fn', type(s).__name__.lower())}({', '.join((*reads(s), *(f'{k}={v}' for k, v in extra.items())))})"


def write(p: PhaseWriter, s: Statement) -> list[Node]:
    """The loops of one statement."""
    match s:
        case Slice():
            return [] if s.out in p.memory.sections else _copy(p, s.out, s.x, p.table[s.out].shape, target=None, source=(s.start, s.step))
        case Place():
            return [*_zero(p, s.out), *_copy(p, s.out, s.x, p.table[s.x].shape, target=(s.start, s.step), source=None)]
        case Concat():
            nodes: list[Node] = []
            offset: list[str] = []
            for x in s.xs:
                shape = p.table[x].shape
                shift = " + ".join(offset) or "0"
                if x not in p.memory.sections or p.memory.sections[x].of != s.out:
                    nodes += _copy(p, s.out, x, shape, target=None, source=None, shift=(s.axis, shift))
                offset.append(p.names.size(shape[s.axis]))
            return nodes
    raise AssertionError(s)


def _array(p: PhaseWriter, name: str, by_row: bool, write: bool) -> tuple[str, bool]:
    """The array to index, and whether its index starts at this block's rows."""
    if not by_row:
        return p.whole(name, write), False
    shape = p.table[name].shape
    stride = product(shape[1:], p.names)
    home = p.memory.homes[name]
    if home.kind == "row":
        return p.row_slice(home.arg, stride), True
    if home.kind == "tile":
        return p.thread_slice(home.arg, scaled(str(p.size), stride)), True
    p.touch(home.arg, write, stride)
    return p.block_slice(home.arg, stride), True


def _index(p: PhaseWriter, name: str, coordinates: list[str], relative: bool) -> str:
    if relative and p.memory.homes[name].kind == "row":
        coordinates = ["0", *coordinates[1:]]
    return flat_index(p.table[name].shape, coordinates, p.names).text


def _zero(p: PhaseWriter, name: str) -> list[Node]:
    shape, dtype = p.table[name].shape, p.table[name].dtype
    array, relative = _array(p, name, p.rows, True)
    j = p.names.fresh("j")
    if not relative:
        return [For(j, product(shape, p.names), (Store(array, j, literal(0, dtype)),))]
    row = _index(p, name, [p.row, *("0" for _ in shape[1:])], True)
    return [For(j, product(shape[1:], p.names), (Store(array, j if row == "0" else f"{row} + {j}", literal(0, dtype)),))]


Window = tuple[tuple[Size, ...], tuple[int, ...]]


def _copy(
    p: PhaseWriter,
    out: str,
    x: str,
    shape: tuple[Size, ...],
    target: Window | None,
    source: Window | None,
    shift: tuple[int, str] = (-1, "0"),
) -> list[Node]:
    """out[target window or shifted] = x[source window], over `shape`; the last axes, as far as they lie in one piece, are one loop."""
    lowest = 1 if p.rows else 0
    piece = len(shape)
    while piece > lowest and all(w is None or w[1][piece - 1] == 1 for w in (target, source)):
        piece -= 1
        if p.table[out].shape[piece] != shape[piece] or p.table[x].shape[piece] != shape[piece]:
            break
    variables = [p.names.fresh("j") for _ in shape[:piece]] + ["0"] * (len(shape) - piece)
    follows = source is None or source[0][0] == 0 and source[1][0] == 1 and p.table[x].shape[0] == p.table[out].shape[0] if shape else False
    if p.rows:
        variables[0] = p.row
    to, to_relative = _array(p, out, p.rows, True)
    of, of_relative = _array(p, x, p.rows and follows, False)

    def walk(window: Window | None, relative: bool, shifted: bool) -> list[str]:
        coordinates = []
        for axis, v in enumerate(variables):
            if p.rows and axis == 0 and not relative:
                v = f"({p.first} + {p.row})"
            if window is not None and not (relative and axis == 0):
                start, step = p.names.size(window[0][axis]), window[1][axis]
                if start != "0" or step != 1:
                    v = start if v == "0" else f"({start} + {v if step == 1 else f'{v} * {step}'})"
            if shifted and axis == shift[0] and shift[1] != "0":
                v = f"({shift[1]})" if v == "0" else f"({shift[1]} + {v})"
            coordinates.append(v)
        return coordinates

    left = _index(p, out, walk(target, to_relative, True), to_relative)
    right = _index(p, x, walk(source, of_relative, False), of_relative)
    if piece < len(shape):
        j = p.names.fresh("j")
        left, right = (j if at == "0" else f"{at} + {j}" for at in (left, right))
    nodes: list[Node] = [Store(to, left, f"{of}[{right}]")]
    if piece < len(shape):
        nodes = [For(j, product(shape[piece:], p.names), tuple(nodes))]
    for axis in reversed(range(lowest, piece)):
        nodes = [For(variables[axis], p.names.size(shape[axis]), tuple(nodes))]
    return nodes
