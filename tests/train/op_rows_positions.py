"""Rows of what moves, numbers and groups elements by positions: tiles, pads, masks, segments, contractions.

Law of this file: data only; see `op_cases` for what a row is.  What a NumPy function does not say is written with loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import symgraph as sg
from tests.train.op_cases import NONE, Domain, Patterns, Row, Shape, distinct, positive, smooth, whole


def _on(*shapes: Shape) -> Patterns:
    """One tuple of operands."""
    return {"empty" if any(0 in s for s in shapes) else "size 1" if any(1 in s for s in shapes) else "full": (shapes,)}


def _row(op: str, build: Callable, numpy: Callable, shapes: Sequence[Shape], label: Any = "", domain: Domain = smooth, **more: Any) -> Row:
    integers = more.pop("whole", None)
    domains, wholes = (domain,) * len(shapes), None if integers is None else (integers,) * len(shapes)
    return Row(op, build, numpy, _on(*shapes), domains, wholes, f"{label}", **more)


def _source(op: str, build: Callable, numpy: Callable, label: Any = "") -> Row:
    return Row(op, build, numpy, NONE, label=f"{label}", gradient="skip", dtypes=("float64",))


# ---------------------------------------------------------------- movement
def movement() -> Iterator[Row]:
    for shape, times in (((3,), [2]), ((2, 3), [1, 3]), ((2, 1), [2, 3]), ((2, 3), [2, 0]), ((0, 2), [3, 1]), ((), [])):
        yield _row("tile", lambda x, t=times: sg.tile(x, t), lambda x, t=times: np.tile(x, t), [shape], f"{shape} {times}", whole=whole)
    for shape, times, axis in (((2, 3), 2, None), ((2, 3), 3, 0), ((2, 3), [1, 0, 2], 1), ((1, 2), [2], -1)):
        yield _row(
            "repeat",
            lambda x, t=times, a=axis: sg.repeat(x, t, a),
            lambda x, t=times, a=axis: np.repeat(x, t, a),
            [shape],
            f"{shape} {times} {axis}",
        )
    for shape, wanted in (((3,), (2, 3)), ((2, 1), (2, 3)), ((), (2,)), ((1, 0), (3, 0))):
        yield _row(
            "broadcast_to",
            lambda x, s=wanted: sg.broadcast_to(x, s),
            lambda x, s=wanted: np.broadcast_to(x, s).copy(),
            [shape],
            f"{shape} {wanted}",
            whole=whole,
        )
    modes = {"CONSTANT": {}, "REFLECT": {"mode": "reflect"}, "SYMMETRIC": {"mode": "symmetric"}}
    for shape, edges, mode in (
        ((3,), [[1, 2]], "CONSTANT"),
        ((2, 3), [[0, 0], [2, 1]], "CONSTANT"),
        ((0, 2), [[1, 1], [0, 1]], "CONSTANT"),
        ((4,), [[3, 1]], "REFLECT"),
        ((3, 4), [[1, 0], [2, 3]], "REFLECT"),
        ((3, 2), [[3, 1], [0, 2]], "SYMMETRIC"),
    ):
        yield _row(
            "pad",
            lambda x, e=edges, m=mode: sg.pad(x, e, m),
            lambda x, e=edges, m=mode: np.pad(x, e, **modes[m]),
            [shape],
            f"{shape} {edges} {mode}",
            whole=whole,
        )
    yield _row(
        "pad",
        lambda x: sg.pad(x, [[1, 0], [2, 1]], constant_values=0.3),
        lambda x: np.pad(x, [[1, 0], [2, 1]], constant_values=0.3),
        [(2, 3)],
        "with 0.3",
    )
    for shape, how, axis in (((6,), 3, 0), ((2, 4), 2, -1), ((2, 3), [1, 2], 1), ((3, 2), [2, -1, 1], 0), ((4, 0), [3, 1], 0)):
        ends = np.cumsum([s if s >= 0 else shape[axis] - 3 for s in how])[:-1] if isinstance(how, list) else how
        yield _row(
            "split",
            lambda x, h=how, a=axis: sg.split(x, h, a),
            lambda x, e=ends, a=axis: [v.copy() for v in np.split(x, e, a)],
            [shape],
            f"{shape} {how}",
            whole=whole,
        )
    for shape, axes in (((4,), [0]), ((2, 3), [1]), ((2, 3, 2), [0, -1]), ((0, 2), [0]), ((2, 2), [])):
        for op in ("reverse", "reverse_v2") if axes == [1] else ("reverse",):
            yield _row(
                op,
                lambda x, a=axes: sg.reverse(x, a),
                lambda x, a=tuple(axes): np.flip(x, a).copy(),
                [shape],
                f"{shape} {axes}",
                whole=whole,
            )
    for shape, lengths, s, b in (((2, 3), [1, 3], 1, 0), ((3, 2, 2), [2, 0], 0, 1), ((2, 2, 3), [3, 2], 2, 0)):

        def reversed_(x: np.ndarray, lengths: list[int] = lengths, s: int = s, b: int = b) -> np.ndarray:
            out = np.moveaxis(x, (b, s), (0, 1)).copy()
            for k, n in enumerate(lengths):
                out[k, :n] = out[k, :n][::-1].copy()
            return np.moveaxis(out, (0, 1), (b, s)).copy()

        yield _row(
            "reverse_sequence",
            lambda x, n=lengths, s=s, b=b: sg.reverse_sequence(x, n, seq_axis=s, batch_axis=b),
            reversed_,
            [shape],
            f"{shape} {lengths}",
            whole=whole,
        )
    for shape, by, axis in (((4,), 1, 0), ((2, 3), -4, 1), ((2, 3), [1, 2], [0, 1]), ((0,), 2, 0)):
        yield _row(
            "roll",
            lambda x, k=by, a=axis: sg.roll(x, k, a),
            lambda x, k=by, a=axis: np.roll(x, k, a),
            [shape],
            f"{shape} {by}",
            whole=whole,
        )
    yield _row("ensure_shape", lambda x: sg.ensure_shape(x, [None, 3]), lambda x: x, [(2, 3)], whole=whole)
    yield _row("identity_n", lambda x, y: sg.identity_n([x, y]), lambda x, y: [x, y], [(2,), (2, 3)], whole=whole)
    yield _row(
        "shape_n",
        lambda x, y: sg.shape_n([x, y]),
        lambda x, y: [np.int32(x.shape), np.int32(y.shape)],
        [(2,), (2, 3)],
        gradient="skip",
    )
    yield _source("broadcast_dynamic_shape", lambda: sg.broadcast_dynamic_shape([3, 1], [4]), lambda: np.int32([3, 4]))
    for shape, begin, end, steps, masks in (
        ((5,), [1], [4], [2], {}),
        ((3, 4), [1, 0], [2, 3], None, {"shrink_axis_mask": 1, "begin_mask": 2}),
        ((3, 4), [0, 0, 2], [0, 0, 0], [1, 1, -1], {"new_axis_mask": 1, "ellipsis_mask": 2, "begin_mask": 4, "end_mask": 4}),
    ):
        key = {1: np.s_[1:4:2], 2: np.s_[1, :3], 3: np.s_[None, ..., ::-1]}[len(begin)]
        yield _row(
            "strided_slice",
            lambda x, b=begin, e=end, s=steps, m=masks: sg.strided_slice(x, b, e, s, **m),
            lambda x, k=key: x[k].copy(),
            [shape],
            f"{shape} {begin}",
        )
    n = np.int64(1)
    yield _row("operator []", lambda x: x[sg.argmax(x * 0 + x, 0)[0]], lambda x: x[np.argmax(x, 0)[0]], [(3, 2)], "computed", distinct)
    yield _row(
        "slice", lambda x: sg.slice(x, [sg.constant(n), 0], [1, 2]), lambda x: x[1:2, :2].copy(), [(3, 2)], "by a tensor", whole=whole
    )


def blocks() -> Iterator[Row]:
    def deep(x: np.ndarray, b: int) -> np.ndarray:
        n, h, w, c = x.shape
        return x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, b * b * c).copy()

    def wide(x: np.ndarray, b: int) -> np.ndarray:
        n, h, w, c = x.shape
        return x.reshape(n, h, w, b, b, c // b // b).transpose(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // b // b).copy()

    def batched(x: np.ndarray, b: int, edges: Any) -> np.ndarray:
        x = np.pad(x, [(0, 0), *edges, (0, 0)])
        return np.concatenate([x[:, i::b, j::b] for i in range(b) for j in range(b)])

    def back(x: np.ndarray, b: int, crops: Any) -> np.ndarray:
        n, (h, w, c) = len(x) // b // b, x.shape[1:]
        out = np.zeros((n, h * b, w * b, c), x.dtype)
        for k in range(b * b):
            out[:, k // b :: b, k % b :: b] = x[k * n : (k + 1) * n]
        (p, q), (r, s) = crops
        return out[:, p : h * b - q, r : w * b - s].copy()

    yield _row("space_to_depth", lambda x: sg.space_to_depth(x, 2), lambda x: deep(x, 2), [(2, 4, 2, 1)], whole=whole)
    yield _row("depth_to_space", lambda x: sg.depth_to_space(x, 2), lambda x: wide(x, 2), [(1, 2, 1, 8)], whole=whole)
    edges, crops = [[1, 0], [0, 1]], [[0, 1], [1, 0]]
    yield _row("space_to_batch", lambda x: sg.space_to_batch(x, edges, 2), lambda x: batched(x, 2, edges), [(1, 3, 3, 2)])
    yield _row(
        "space_to_batch_nd", lambda x: sg.space_to_batch_nd(x, [3, 3], [[0, 0]] * 2), lambda x: batched(x, 3, [[0, 0]] * 2), [(1, 3, 6, 1)]
    )
    yield _row("batch_to_space", lambda x: sg.batch_to_space(x, crops, 2), lambda x: back(x, 2, crops), [(4, 2, 2, 1)])
    yield _row("batch_to_space_nd", lambda x: sg.batch_to_space_nd(x, [2, 2], crops), lambda x: back(x, 2, crops), [(8, 1, 2, 2)])


def running() -> Iterator[Row]:
    for shape, axis, exclusive, reverse in (
        ((4,), 0, False, False),
        ((2, 3), 1, True, False),
        ((2, 3), -2, False, True),
        ((2, 2, 3), 1, True, True),
        ((0, 2), 0, False, False),
    ):
        for op, fold, first in (("cumsum", np.cumsum, 0), ("cumprod", np.cumprod, 1)):

            def numpy(
                x: np.ndarray, fold: Any = fold, first: int = first, a: int = axis, e: bool = exclusive, r: bool = reverse
            ) -> np.ndarray:
                x = np.flip(x, a) if r else x
                if e:
                    edge = np.full_like(np.take(x, [0], a), first)
                    x = np.concatenate([edge, np.delete(x, -1, a)], a)
                out = fold(x, a, dtype=x.dtype)
                return np.array(np.flip(out, a) if r else out)

            yield _row(
                op,
                lambda x, f=op, a=axis, e=exclusive, r=reverse: getattr(sg, f)(x, a, e, r),
                numpy,
                [shape],
                f"{shape} {axis} {exclusive} {reverse}",
                whole=whole,
                loose=2,
            )


# ---------------------------------------------------------------- by numbers
def _assigned(x: np.ndarray, at: Any, y: np.ndarray) -> np.ndarray:
    out = x.copy()
    out[at] = y
    return out


def numbers() -> Iterator[Row]:
    for shape, at, batch in (
        ((3, 4), [[0, 3], [2, 2]], 0),
        ((3, 4), [[2], [0], [2]], 0),
        ((2, 3, 2), [[1, 2], [0, 0]], 0),
        ((2, 3, 2), [[[2], [0]], [[1], [1]]], 1),
    ):
        where = np.array(at)

        def taken(x: np.ndarray, where: np.ndarray = where, batch: int = batch) -> np.ndarray:
            if batch:
                return np.stack([v[tuple(np.moveaxis(w, -1, 0))] for v, w in zip(x, where, strict=True)])
            return x[tuple(np.moveaxis(where, -1, 0))]

        yield _row("gather_nd", lambda x, w=where, b=batch: sg.gather_nd(x, w, batch_dims=b), taken, [shape], f"{shape} {at}", whole=whole)
    rows = np.array([[2, 0, 2], [1, 1, 0]])
    yield _row("batch_gather", lambda x: sg.batch_gather(x, rows), lambda x: np.take_along_axis(x, rows, 1), [(2, 3)], whole=whole)
    yield _row(
        "gather",
        lambda x: sg.gather(x, rows, axis=2, batch_dims=1),
        lambda x: np.stack([v[:, r] for v, r in zip(x, rows, strict=True)]),
        [(2, 2, 3)],
        "batch_dims=1",
    )

    def added(at: np.ndarray, values: np.ndarray, out: np.ndarray, sign: int = 1) -> np.ndarray:
        (np.add if sign > 0 else np.subtract).at(out, tuple(np.moveaxis(at, -1, 0)), values)
        return out

    for at, shape, values in (([[1], [3], [1]], (4,), (3,)), ([[0, 2], [1, 1]], (2, 3), (2,)), ([[2], [0]], (3, 2), (2, 2))):
        where = np.array(at)
        yield _row(
            "scatter_nd",
            lambda x, w=where, s=shape: sg.scatter_nd(w, x, s),
            lambda x, w=where, s=shape: added(w, x, np.zeros(s, x.dtype)),
            [values],
            f"{at}",
            whole=whole,
        )
    two = np.array([[1], [1]])
    for name, sign in (("tensor_scatter_add", 1), ("tensor_scatter_sub", -1)):
        yield _row(
            name,
            lambda x, y, f=name: getattr(sg, f)(x, two, y),
            lambda x, y, s=sign: added(two, y, x.copy(), s),
            [(3, 2), (2, 2)],
            whole=whole,
        )

    def put(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        out = x.copy()
        out[[2, 0, 2]] = y
        return out

    yield _row(
        "tensor_scatter_update",
        lambda x, y: sg.tensor_scatter_update(x, [[2], [0], [2]], y),
        put,
        [(4, 2), (3, 2)],
        "the last counts",
        whole=whole,
    )
    corners = ([[0, 1], [2, 0]], np.array([0, 2]), np.array([1, 0]))
    yield _row(
        "tensor_scatter_update",
        lambda x, y: sg.tensor_scatter_update(x, corners[0], y),
        lambda x, y: _assigned(x, corners[1:], y),
        [(3, 2), (2,)],
        "elements",
        whole=whole,
    )
    yield _row(
        "dynamic_stitch",
        lambda x, y: sg.dynamic_stitch([[0, 3], [[2, 1], [0, 4]]], [x, y]),
        lambda x, y: np.stack([y[1, 0], y[0, 1], y[0, 0], x[1], y[1, 1]]),
        [(2, 3), (2, 2, 3)],
        whole=whole,
    )
    for name in ("int32", "int64"):
        yield _source(
            "invert_permutation", lambda d=name: sg.invert_permutation(np.array([2, 0, 1], d)), lambda d=name: np.array([1, 2, 0], d), name
        )


# ---------------------------------------------------------------- groups
def _grouped(fold: Callable[[np.ndarray], Any], empty: Any, ids: Any, count: int) -> Callable[[np.ndarray], np.ndarray]:
    def numpy(x: np.ndarray) -> np.ndarray:
        at = np.asarray(ids)
        rows = x.reshape((-1, *x.shape[at.ndim :]))
        nothing = empty(x.dtype) if callable(empty) else empty
        groups = [rows[at.ravel() == k] for k in range(count)]
        return np.stack([fold(g) if len(g) else np.full(x.shape[at.ndim :], nothing) for g in groups]).astype(x.dtype)

    return numpy


def _least(d: np.dtype) -> Any:
    return np.finfo(d).min if d.kind == "f" else np.iinfo(d).min


def _most(d: np.dtype) -> Any:
    return np.finfo(d).max if d.kind == "f" else np.iinfo(d).max


def segments() -> Iterator[Row]:
    folds: dict[str, tuple[Callable, Any]] = {
        "sum": (lambda g: g.sum(0), 0),
        "mean": (lambda g: g.mean(0) if g.dtype.kind == "f" else np.trunc(g.sum(0) / len(g)), 0),
        "sqrt_n": (lambda g: g.sum(0) / np.sqrt(len(g)), 0),
        "prod": (lambda g: g.prod(0), 1),
        "max": (lambda g: g.max(0), _least),
        "min": (lambda g: g.min(0), _most),
    }
    for by, (fold, empty) in folds.items():
        domain = distinct if by in ("max", "min") else smooth
        for ids, count, shape in (([0, 2, 0, -1], 4, (4, 2)), ([[1, 0], [2, 1]], 3, (2, 2))):
            full = by in ("max", "min") and count == 4  # an empty segment is the greatest float: nothing to difference
            yield _row(
                f"unsorted_segment_{by}" if by in ("sum", "mean", "sqrt_n", "prod", "max", "min") else by,
                lambda x, b=by, i=ids, n=count: getattr(sg, f"unsorted_segment_{b}")(x, i, n),
                _grouped(fold, empty, ids, count),
                [shape],
                f"{ids}",
                domain,
                gradient="skip" if full else "yes",
                whole=whole if by not in ("sqrt_n", "prod") else None,
            )
        if by != "sqrt_n":
            yield _row(
                f"segment_{by}",
                lambda x, b=by: getattr(sg, f"segment_{b}")(x, [0, 0, 2, 2]),
                _grouped(fold, 1 if by == "prod" else 0, [0, 0, 2, 2], 3),
                [(4, 2)],
                "",
                domain,
            )
    yield _source("bincount", lambda: sg.bincount([1, 3, 1, 0]), lambda: np.int32([1, 2, 0, 1]))
    yield _source("bincount", lambda: sg.bincount([1, 3, 1, 5], minlength=4, maxlength=4), lambda: np.int32([0, 2, 0, 1]), "of 4")
    yield _row("bincount", lambda w: sg.bincount([1, 3, 1], w), lambda w: np.bincount([1, 3, 1], w).astype(w.dtype), [(3,)], "weights")
    y, p = [0, 2, 1, 2], [0, 1, 1, 2]
    table = np.int32([[1, 0, 0], [0, 1, 0], [0, 1, 1]])
    yield _source("confusion_matrix", lambda: sg.confusion_matrix(y, p), lambda: table)
    yield _row(
        "confusion_matrix",
        lambda w: sg.confusion_matrix(y, p, 3, w.dtype, weights=w),
        lambda w: np.array([[w[0], 0, 0], [0, w[2], 0], [0, w[1], w[3]]], w.dtype),
        [(4,)],
        "weights",
    )


# ---------------------------------------------------------------- masks, bands, grids
def masks() -> Iterator[Row]:
    at = np.array([[0, 2], [3, -1]])
    hot = (at[..., None] == np.arange(3)).astype(np.float32)
    yield _source("one_hot", lambda: sg.one_hot(at, 3), lambda: hot)
    yield _source("one_hot", lambda: sg.one_hot(at, 3, axis=0), lambda: np.moveaxis(hot, 2, 0).copy(), "axis=0")
    yield _source("one_hot", lambda: sg.one_hot(at, 3, True, False), lambda: hot > 0, "bool")
    yield _row(
        "one_hot",
        lambda a, b: sg.one_hot(at, 3, a, b, axis=1),
        lambda a, b: np.where(np.moveaxis(hot, 2, 1) > 0, a, b),
        [(), ()],
        "values",
    )
    yield _source("sequence_mask", lambda: sg.sequence_mask([1, 0, 3], 4), lambda: np.arange(4) < np.array([1, 0, 3])[:, None])
    yield _source("sequence_mask", lambda: sg.sequence_mask([[2, 1]], dtype=sg.float32), lambda: np.float32([[[1, 1], [1, 0]]]), "float32")
    for shape, low, up in (((3, 4), -1, 0), ((4, 3), 0, -1), ((2, 3, 3), 1, 1), ((3, 3), 0, 0), ((2, 2), -1, -1)):

        def band(x: np.ndarray, low: int = low, up: int = up) -> np.ndarray:
            x = x if low < 0 else np.triu(x, -low)
            return np.array(x if up < 0 else np.tril(x, up))

        build = lambda x, low=low, up=up: sg.matrix_band_part(x, low, up)  # noqa: E731
        yield _row("matrix_band_part", build, band, [shape], f"{shape} {low} {up}", whole=whole)
    for shape in ((3, 3), (2, 2, 3), (3, 2)):

        def on_diagonal(x: np.ndarray, d: np.ndarray) -> np.ndarray:
            out = x.copy()
            for k in range(d.shape[-1]):
                out[..., k, k] = d[..., k]
            return out

        diagonal = (*shape[:-2], min(shape[-2:]))
        yield _row("matrix_set_diag", lambda x, d: sg.matrix_set_diag(x, d), on_diagonal, [shape, diagonal], f"{shape}", whole=whole)
    for op in ("matrix_transpose", "linalg.adjoint"):
        build = sg.matrix_transpose if op == "matrix_transpose" else sg.linalg.adjoint
        yield _row(op, build, lambda x: np.swapaxes(x, -1, -2).copy(), [(2, 3, 4)], whole=whole)
    for how in ("xy", "ij"):
        yield _row(
            "meshgrid",
            lambda *x, h=how: sg.meshgrid(*x, indexing=h),
            lambda *x, h=how: [v.copy() for v in np.meshgrid(*x, indexing=h)],
            [(2,), (3,), (1,)],
            how,
            whole=whole,
        )
    for op in ("linspace", "lin_space"):
        for n in (1, 5) if op == "linspace" else (3,):
            yield _row(
                op, lambda a, b, n=n: sg.linspace(a, b, n), lambda a, b, n=n: np.linspace(a, b, n, dtype=a.dtype), [(), ()], n, loose=2
            )
    for side in ("left", "right"):
        yield _row(
            "searchsorted",
            lambda x, s=side: sg.searchsorted(sg.constant([[0, 0, 2], [1, 1, 3]], x.dtype), x, s),
            lambda x, s=side: np.int32([np.searchsorted(a, v, s) for a, v in zip([[0, 0, 2], [1, 1, 3]], x, strict=True)]),
            [(2, 4)],
            side,
            gradient="skip",
            whole=whole,
        )


# ---------------------------------------------------------------- contractions
def contractions() -> Iterator[Row]:
    for equation, *shapes in (
        ("ij,jk->ik", (2, 3), (3, 2)),
        ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)),
        ("bqhd,bkhd->bhqk", (2, 2, 1, 3), (2, 2, 1, 3)),
        ("ij,kj", (2, 3), (2, 3)),
        ("i,j->ij", (2,), (3,)),
        ("i,i->", (4,), (4,)),
        ("ij->ji", (2, 3)),
        ("ii->i", (3, 3)),
        ("iji->j", (2, 3, 2)),
        ("...ij,...jk->...ik", (3, 1, 2, 2), (2, 2, 1)),
        ("...i->...", (2, 3)),
        ("bi,oij,bj->bo", (2, 2), (3, 2, 2), (2, 2)),
        ("ab,ac->bc", (0, 2), (0, 3)),
    ):
        yield _row(
            "einsum",
            lambda *x, e=equation: sg.einsum(e, *x),
            lambda *x, e=equation: np.array(np.einsum(e, *x)),
            shapes,
            equation,
            whole=whole if len(shapes) == 2 else None,
            loose=2,
        )
    for axes, *shapes in (
        (1, (2, 3), (3, 2)),
        ([[0], [1]], (3, 2), (2, 3)),
        (2, (2, 3, 2), (3, 2)),
        (0, (2,), (3,)),
        ([[0, 2], [1, 0]], (2, 2, 3), (3, 2)),
    ):
        yield _row(
            "tensordot",
            lambda x, y, a=axes: sg.tensordot(x, y, a),
            lambda x, y, a=axes: np.array(np.tensordot(x, y, a)),
            shapes,
            f"{axes}",
            whole=whole,
            loose=2,
        )
    yield _row(
        "linalg.matvec", lambda a, b: sg.linalg.matvec(a, b), lambda a, b: np.einsum("...ij,...j->...i", a, b), [(2, 3, 2), (2, 2)], loose=2
    )
    yield _row("cross", sg.cross, np.cross, [(2, 3), (2, 3)], whole=whole, loose=2)


# ---------------------------------------------------------------- small ones
def small() -> Iterator[Row]:
    for axis, keep in ((None, False), (0, False), ([0, 1], True)):
        axes = tuple(axis) if isinstance(axis, list) else axis
        for name, numpy in (
            ("reduce_euclidean_norm", lambda x, a, k: np.sqrt(np.sum(x * x, a, keepdims=k))),
            ("reduce_variance", lambda x, a, k: np.var(x, a, keepdims=k)),
            ("reduce_std", lambda x, a, k: np.std(x, a, keepdims=k)),
        ):
            yield _row(
                f"math.{name}",
                lambda x, f=name, a=axis, k=keep: getattr(sg.math, f)(x, a, k),
                lambda x, f=numpy, a=axes, k=keep: np.asarray(f(x, a, k), x.dtype),
                [(3, 4)],
                f"{axis}",
                loose=4,
            )
        yield _row(
            "count_nonzero",
            lambda x, a=axis, k=keep: sg.count_nonzero(x, a, k),
            lambda x, a=axes, k=keep: np.asarray(np.count_nonzero(x, a, keepdims=k), np.int64),
            [(3, 4)],
            f"{axis}",
            gradient="skip",
            whole=whole,
        )
    for axis in (None, 1, (0, 1)):
        yield _row(
            "nn.l2_normalize",
            lambda x, a=axis: sg.nn.l2_normalize(x, a),
            lambda x, a=axis: x / np.sqrt(np.maximum(np.sum(x * x, a, keepdims=True), 1e-12)).astype(x.dtype),
            [(2, 3)],
            f"{axis}",
            loose=4,
        )
    yield _row("accumulate_n", lambda x, y: sg.accumulate_n([x, y], [2, 3]), np.add, [(2, 3), (2, 3)], whole=whole)
    yield _row("scalar_mul", lambda x: sg.scalar_mul(3, x), lambda x: 3 * x, [(2, 3)], whole=whole)
    yield _row("div_no_nan", sg.div_no_nan, np.divide, [(2, 3), (3,)], domain=positive, loose=2)
    yield _row("math.multiply_no_nan", sg.math.multiply_no_nan, np.multiply, [(2, 3), (3,)])
    for name, wanted in (("to_double", np.float64), ("to_int64", np.int64)):
        skip = {"gradient": "skip"} if wanted is np.int64 else {"twice": False}
        yield _row(name, getattr(sg, name), lambda x, d=wanted: x.astype(d), [(2, 3)], **skip)
