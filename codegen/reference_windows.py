"""Convolution and pooling in NumPy: the interpreter's rules for windows.

Law of this file: as in `reference`, one function per statement, written for reading.  A cell of all windows at once is one
strided view of the padded images, so the only loops are those over the few cells of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .ir import Conv, Indirect, Pool, Window

Array = np.ndarray
Values = Mapping[str, Any]


def _padded(x: Array, windows: Sequence[Window], counts: Sequence[int], fill: Any = 0) -> tuple[Array, Array]:
    """The images with as much around them as windows reach, and the part of that which is the images."""
    ends = [
        max(w.before + e, (n - 1) * w.stride + (w.size - 1) * w.dilation + 1)
        for w, e, n in zip(windows, x.shape[1:-1], counts, strict=True)
    ]
    whole = np.full((x.shape[0], *ends, x.shape[-1]), fill, x.dtype)
    inside = whole[:, *(slice(w.before, w.before + e) for w, e in zip(windows, x.shape[1:-1], strict=True))]
    inside[...] = x
    return whole, inside


def _cells(windows: Sequence[Window], counts: Sequence[int]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Each cell of a window, with where it lies among padded images for all windows."""
    for k in np.ndindex(*(w.size for w in windows)):
        at = (
            slice(p * w.dilation, p * w.dilation + max(0, (n - 1) * w.stride + 1), w.stride)
            for p, w, n in zip(k, windows, counts, strict=True)
        )
        yield k, (slice(None), *at)


def conv(s: Conv, values: Values, sizes, shape, dtype, where) -> Array:
    given = dict(zip((r for r in "xwy" if r != s.role), (values[s.a], values[s.b]), strict=True))
    x, w, y = (given.get(r, np.zeros(shape, dtype)) for r in "xwy")
    counts = y.shape[1:-1]
    whole, inside = _padded(x, s.windows, counts)
    each = y.reshape(*y.shape[:-1], *w.shape[-2:]) if s.depthwise else y
    over = tuple(range(x.ndim - 1))
    for k, at in _cells(s.windows, counts):
        cell = whole[at]
        match s.role, s.depthwise:
            case "y", False:
                y += cell @ w[k]
            case "y", True:
                each += cell[..., None] * w[k]
            case "x", False:
                cell += y @ w[k].T
            case "x", True:
                cell += (each * w[k]).sum(-1)
            case "w", False:
                w[k] = np.tensordot(cell, y, (over, over))
            case "w", True:
                w[k] = (cell[..., None] * each).sum(over)
    return {"x": inside, "w": w, "y": y}[s.role]


def pool(s: Pool, values: Values, sizes, shape, dtype, where) -> Array:
    x, v = values[s.x], values[s.v]
    counts = (shape if s.role == "pick" else v.shape)[1:-1]
    whole, _ = _padded(x, s.windows, counts)
    there, _ = _padded(np.ones(x.shape, bool), s.windows, counts, False)
    best = np.zeros((x.shape[0], *counts, x.shape[-1]), x.dtype)
    picked = np.full(best.shape, -1)
    for number, (_, at) in enumerate(_cells(s.windows, counts)):
        cell = whole[at]
        take = there[at] & ((picked < 0) | (cell > best) | (cell != cell))
        best[take], picked[take] = cell[take], number
    out, inside = _padded(v if s.role == "pick" else np.zeros(shape, dtype), s.windows, counts)
    found = np.zeros(best.shape, dtype)
    for number, (_, at) in enumerate(_cells(s.windows, counts)):
        here = picked == number
        if s.role == "pick":
            found[here] = out[at][here]
        else:
            out[at] += np.where(here, v, 0).astype(dtype)
    return found if s.role == "pick" else inside


def indirect(s: Indirect, values: Values, sizes, shape, dtype, where) -> Array:
    a, b = values[s.a], values[s.b]
    images = a.shape[0]
    x, y = a.reshape(-1), b.reshape(-1)
    out = np.zeros(shape, dtype)
    z = out.reshape(-1)
    each = a.size // max(images, 1), b.size // max(images, 1) * s.summed, 0 if s.summed else out.size // max(images, 1)
    left, rows, turns, parts = (values[n] for n in s.tables)
    j = np.arange(s.columns)
    fewer = j // s.repeat if s.repeat else j
    for start, some, first_turn, count, run in parts.tolist():
        i = np.arange(run)
        for first in range(0, images, s.group):
            mine = slice(start, start + some * min(s.group, images - first))
            at, under, to = (first * n for n in each)
            at, to = at + left[mine, None], to + rows[mine, None]
            for t, u in turns[first_turn : first_turn + count]:
                if s.repeat:
                    np.add.at(z, to + (j if s.narrow == "a" else fewer), x[at + t + (fewer if s.narrow == "a" else j)] * y[under + u + j])
                else:
                    z[to + j] += x[at + t + i * s.step] @ y[under + u + i[:, None] * s.columns + j]
    return out
