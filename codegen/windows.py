"""Convolutions as products whose rows lie where tables say.

Law of this file: the patches of an image are never copied.  In padded images the cells of a window lie at fixed distances
from its first, so a table of where windows begin and one of how far their cells are from there say all that a product
needs; strides, dilation and the three directions of a convolution differ in their tables alone.  Along the last axis the
cells of a window lie side by side with their channels, and are one run of the product.  Extents are numbers here, so the
tables are constants of the program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Literal

import numpy as np

from .ir import Buffer, Conv, Indirect, Map, Place, Pool, Program, Size, Statement, Window
from .scalar import Body, Instr

Table = np.ndarray
NONE = np.zeros(0, np.int64)
Extents = tuple[int, ...]


TALL = 56
"""Rows from which tiles are full: images with fewer windows are taken together."""
TOGETHER = 2
"""Images that are taken together at least where cells outside are left out: corners alone would be tiles of one row."""
FULL = 8
"""Channels from which cells outside of an image are left out, one sixth of 5 x 5 on 14 x 14; fewer would not fill tiles,
so zeros are put around the images."""


def windows_to_tables(program: Program) -> tuple[Program, list[str]]:
    """Convolutions become products by tables, over padded images and turned filters; poolings learn their cells."""
    if not any(isinstance(s, Conv | Pool) for s in program.statements):
        return program, []
    t = _Tables(program.table())
    changes = []
    for s in program.statements:
        if isinstance(s, Conv | Pool):
            changes.append(s.out)
            s = t.pool(s) if isinstance(s, Pool) else t.conv(s)
        t.statements.append(s)
    return replace(program, statements=tuple(t.statements), buffers=(*program.buffers, *t.buffers)), changes


def products(s: Indirect, tables: Mapping[str, Buffer]) -> tuple[Size, ...]:
    """How many products there are, as sizes: images times those of one."""
    parts = tables[s.parts].value
    assert parts is not None
    return tables[s.a].shape[0], int((parts[:, 1] * parts[:, 3] * parts[:, 4]).sum()) * s.columns


def strides(extents: Sequence[int]) -> Extents:
    """How far apart neighbours along each axis lie in a C-ordered array."""
    return tuple(prod(extents[axis + 1 :]) for axis in range(len(extents)))


def table(first: int, *axes: Sequence[int] | Table) -> Table:
    """first + one of each axis's distances, for all their combinations in C order."""
    out = np.array([first], np.int64)
    for distances in axes:
        out = (out[:, None] + np.asarray(distances, np.int64)).reshape(-1)
    return out


# ---------------------------------------------------------------- along one axis
@dataclass(frozen=True)
class Places:
    """Places of the result that have the same partners in the right factor: place i and partner j meet at at[i] + on[j] of the left."""

    places: Table
    partners: Table
    at: Table
    on: Table

    @property
    def reach(self) -> tuple[int, int]:
        """The first element of the left factor that is met, and one past the last."""
        if not self.partners.size or not self.places.size:
            return 0, 0
        return int(self.at.min() + self.on.min()), int(self.at.max() + self.on.max()) + 1


def _grouped(partners: Sequence[Sequence[int]]) -> dict[tuple[int, ...], list[int]]:
    found: dict[tuple[int, ...], list[int]] = {}
    for place, p in enumerate(partners):
        found.setdefault(tuple(p), []).append(place)
    return found


def _windows_of(v: Window, e: int, n: int, trim: bool) -> list[Places]:
    """Windows and their cells: those inside of the image, or all."""
    cells = [[k for k in range(v.size) if not trim or 0 <= o * v.stride + k * v.dilation - v.before < e] for o in range(n)]
    return [
        Places(o := np.array(os), k := np.array(ks, np.int64), o * v.stride, k * v.dilation - v.before)
        for ks, os in _grouped(cells).items()
    ]


def _cells_of(v: Window, e: int, n: int, trim: bool) -> list[Places]:
    """Cells of a filter and the windows that have them inside of the image."""
    windows = [[o for o in range(n) if not trim or 0 <= o * v.stride + k * v.dilation - v.before < e] for k in range(v.size)]
    return [
        Places(k := np.array(ks), o := np.array(os, np.int64), k * v.dilation - v.before, o * v.stride)
        for os, ks in _grouped(windows).items()
    ]


def _pixels_of(v: Window, e: int, n: int, trim: bool) -> list[Places]:
    """Places of an image and the cells in which windows have them; places that differ by the stride have them in common."""
    cells = [
        [
            k
            for k in range(v.size)
            if (p + v.before - k * v.dilation) % v.stride == 0 and (not trim or 0 <= (p + v.before - k * v.dilation) // v.stride < n)
        ]
        for p in range(e)
    ]
    found = []
    for ks, ps in _grouped(cells).items():
        p, k = np.array(ps), np.array(ks, np.int64)
        found.append(Places(p, k, (p - ps[0]) // v.stride, (ps[0] + v.before - k * v.dilation) // v.stride))
    return found


_AXES = {"y": _windows_of, "w": _cells_of, "x": _pixels_of}


# ---------------------------------------------------------------- the pass
@dataclass
class _Tables:
    """The statements of the new program and the buffers that it has beside the old one's."""

    old: dict[str, Buffer]
    statements: list[Statement] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    made: dict[tuple, str] = field(default_factory=dict)

    # ------------------------------------------------------------ buffers
    def _new(self, stem: str, dtype: str, shape: tuple[Size, ...], value: np.ndarray | None = None) -> str:
        name = f"{stem}.{len(self.buffers)}"
        self.buffers.append(Buffer(name, dtype, shape, "temp" if value is None else "const", value))
        return name

    def constant(self, stem: str, value: Table) -> str:
        key = ("table", value.tobytes(), value.shape)
        if key not in self.made:
            self.made[key] = self._new(stem, "int64", value.shape, value)
        return self.made[key]

    def padded(self, x: str, before: Extents, after: Extents) -> tuple[str, Extents]:
        """The images with zeros around them, and the extents of one without its channels."""
        b = self.old[x]
        extents = tuple(p + int(e) + q for p, e, q in zip(before, b.shape[1:-1], after, strict=True))
        if not any(before) and not any(after):
            return x, extents
        key = ("padded", x, before, after)
        if key not in self.made:
            shape = (b.shape[0], *extents, b.shape[-1])
            self.made[key] = out = self._new(f"{x}.padded", b.dtype, shape)
            self.statements.append(Place(out, x, (0, *before, 0), (1,) * len(shape)))
        return self.made[key], extents

    def turned(self, w: str) -> str:
        """The filter with its last two axes exchanged."""
        b = self.old[w]
        if (key := ("turned", w)) not in self.made:
            shape = (*b.shape[:-2], b.shape[-1], b.shape[-2])
            self.made[key] = out = self._new(f"{w}.turned", b.dtype, shape)
            index = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
            self.statements.append(Map(out, (w,), (index,), shape, Body((Instr("operand", (), b.dtype, 0),))))
        return self.made[key]

    # ------------------------------------------------------------ convolutions
    def conv(self, s: Conv) -> Indirect:
        """The left factor is what lies under windows: y where x is computed, else x.  The right one is a filter, or for the
        filter the images y."""
        x, w, y = self._shapes(s)
        over, result = (y, x) if s.role == "x" else (x, w if s.role == "w" else y)
        channels = over[-1]
        trim = s.depthwise or channels >= FULL
        axes = [_AXES[s.role](v, e, n, trim) for v, e, n in zip(s.windows, x, y, strict=False)]
        left, before, extents = self._reached(s.b if s.role == "x" else s.a, axes)
        spatial, size = len(axes), prod(extents) * channels
        far, near = strides((*extents, channels))[:spatial], strides(result)[:spatial]
        under = strides(y if s.role == "w" else w)[:spatial]
        start = sum(p * f for p, f in zip(before, far, strict=True))
        group = 1 if s.role == "w" else max(TOGETHER if trim else 1, TALL // max(1, prod(result[:-1])))
        rows, steps, parts = [(NONE, NONE)], [(NONE, NONE)], []
        for chosen in product(*axes):
            last, run = chosen[-1], 1 if s.depthwise or s.role == "w" else channels
            side_by_side = s.role == "w" or s.role == "y" and s.windows[-1].dilation == 1
            if side_by_side and not s.depthwise and last.partners.size:
                run *= last.partners.size
                chosen = (*chosen[:-1], replace(last, partners=last.partners[:1], on=last.on[:1]))
            at = table(0, np.arange(group) * size, *(c.at * f for c, f in zip(chosen, far, strict=True)))
            to = table(0, np.arange(group) * prod(result), *(c.places * f for c, f in zip(chosen, near, strict=True)))
            if s.role == "w" and not s.depthwise:
                at, to = table(0, at, np.arange(channels)), table(0, to, np.arange(channels) * w[-1])
            on = table(start, *(c.on * f for c, f in zip(chosen, far, strict=True)))
            by = table(0, *(c.partners * f for c, f in zip(chosen, under, strict=True)))
            parts.append((sum(len(t) for t, _ in rows), len(at) // group, sum(len(t) for t, _ in steps), len(on), run))
            rows.append((at, to))
            steps.append((on, by))
        named = {
            "left": np.concatenate([t for t, _ in rows]),
            "rows": np.concatenate([t for _, t in rows]),
            "turns": np.stack([np.concatenate(ts) for ts in zip(*steps, strict=True)], 1),
            "parts": np.array(parts, np.int64).reshape(len(parts), 5),
        }
        tables = {kind: self.constant(f"{s.out}.{kind}", t) for kind, t in named.items()}
        right = s.b if s.role != "x" else s.a if s.depthwise else self.turned(s.a)
        step = s.windows[-1].stride * channels if s.role == "w" else 1
        columns = y[-1] if s.depthwise else result[-1]
        narrow: Literal["a", "out"] = "out" if s.role == "x" else "a"
        return Indirect(s.out, left, right, **tables, step=step, columns=columns, group=group, summed=s.role == "w",
                        repeat=w[-1] if s.depthwise else 0, narrow=narrow)  # fmt: skip

    def _shapes(self, s: Conv) -> tuple[Extents, Extents, Extents]:
        """The extents of one image of x, of the filter, and of one image of y."""
        given = iter((s.a, s.b))
        x, w, y = (self.old[s.out if r == s.role else next(given)].shape for r in "xwy")
        return x[1:], w, y[1:]  # type: ignore[return-value]

    def _reached(self, x: str, axes: list[list[Places]]) -> tuple[str, Extents, Extents]:
        """The images with as many zeros around them as are reached; how many come before, and the extents with them."""
        reach = [[c.reach for c in axis] for axis in axes]
        before = tuple(max([0, *(-low for low, _ in axis)]) for axis in reach)
        extents = self.old[x].shape[1:-1]
        after = tuple(max([0, *(high - int(e) for _, high in axis)]) for axis, e in zip(reach, extents, strict=True))
        found, extents = self.padded(x, before, after)
        return found, before, extents

    # ------------------------------------------------------------ pooling
    def pool(self, s: Pool) -> Pool:
        """The flat position of each cell, by windows and cells in C order."""
        x, counts = ([int(e) for e in self.old[n].shape[1:-1]] for n in (s.x, s.out if s.role == "pick" else s.v))
        cells, there = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
        for v, e, n in zip(s.windows, x, counts, strict=True):
            at = np.arange(n)[:, None] * v.stride + np.arange(v.size) * v.dilation - v.before
            shape = cells.shape[0] * n, cells.shape[1] * v.size
            cells = (cells[:, None, :, None] * e + at[:, None, :]).reshape(shape)
            there = (there[:, None, :, None] & ((at >= 0) & (at < e))[:, None, :]).reshape(shape)
        return replace(s, cells=self.constant(f"{s.out}.cells", np.where(there, cells, -1)))
