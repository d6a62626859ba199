"""Rows of what moves, joins, cuts and makes arrays.

Law of this file: data only; see `op_cases` for what a row is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import symgraph as sg
from tests.train.op_cases import FLOATS, NONE, ONE, Operands, Row, Shape, at_least, axes_of, distinct, smooth, where_rank, whole


# ---------------------------------------------------------------- movement
def _static(shape: Shape) -> dict[str, tuple[Operands, ...]]:
    return {"empty" if 0 in shape else "size 1" if 1 in shape else "full": ((shape,),)}


def movement() -> Iterator[Row]:
    for perm in (None, (0,), (0, 1), (1, 0), (0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (-1, 0, 1)):
        fit = ONE if perm is None else where_rank(ONE, lambda r, p=perm: r == len(p))
        yield Row(
            "transpose",
            lambda x, p=perm: sg.transpose(x, p),
            lambda x, p=perm: np.transpose(x, p),
            fit,
            (smooth,),
            (whole,) if perm in (None, (2, 0, 1)) else None,
            f"{perm}",
        )
    for shape, target in (
        ((), (1,)),
        ((), (1, 1)),
        ((1,), ()),
        ((6,), (2, 3)),
        ((6,), (-1, 3)),
        ((6,), (1, 6, 1)),
        ((3, 4), (4, 3)),
        ((3, 4), (-1,)),
        ((3, 4), (2, 2, -1)),
        ((2, 3, 4), (6, 4)),
        ((2, 3, 4), (-1, 2)),
        ((1, 3, 1), (3,)),
        ((1, 4), (4, 1)),
        ((0,), (0, 3)),
        ((0, 4), (2, 0)),
        ((2, 0, 3), (-1, 3)),
        ((3, 0), (0,)),
        ((0, 4), (4, -1)),
    ):
        yield Row(
            "reshape",
            lambda x, s=target: sg.reshape(x, s),
            lambda x, s=target: np.reshape(x, s if 0 not in x.shape else [0 if d == -1 else d for d in s]),
            _static(shape),
            (smooth,),
            (whole,),
            f"{shape} to {target}",
        )
    for axis in (0, 1, 2, 3, -1, -2):
        yield Row(
            "expand_dims",
            lambda x, a=axis: sg.expand_dims(x, a),
            lambda x, a=axis: np.expand_dims(x, a),
            at_least(axis if axis >= 0 else -axis - 1),
            (smooth,),
            (whole,),
            f"{axis}",
        )
    for shape, axis in (
        ((3, 4), None),
        ((1,), None),
        ((1, 4), None),
        ((1, 3, 1), None),
        ((1, 3, 1), 0),
        ((1, 3, 1), (-1,)),
        ((1, 3, 1), [0, 2]),
        ((1, 1, 1), 1),
        ((1, 0), 0),
        ((), None),
        ((0, 1), None),
    ):
        yield Row(
            "squeeze",
            lambda x, a=axis: sg.squeeze(x, a),
            lambda x, a=axis: np.squeeze(x, axes_of(a)),
            _static(shape),
            (smooth,),
            (whole,),
            f"{shape} {axis}",
        )
    for axis, parts in (
        (0, ((3,), (2,))),
        (0, ((3,), (1,), (0,))),
        (-1, ((2,),)),
        (0, ((2, 3), (1, 3))),
        (1, ((2, 3), (2, 1))),
        (-1, ((2, 1), (2, 3), (2, 2))),
        (1, ((2, 0), (2, 3))),
        (0, ((0, 3), (0, 3))),
        (0, ((2, 3, 4), (1, 3, 4))),
        (1, ((2, 3, 4), (2, 2, 4))),
        (2, ((2, 3, 1), (2, 3, 4))),
        (-2, ((1, 1, 2), (1, 3, 2))),
    ):
        group = {"empty" if any(0 in p for p in parts) else "full": (parts,)}
        yield Row(
            "concat",
            lambda *x, a=axis: sg.concat(list(x), a),
            lambda *x, a=axis: np.concatenate(x, a),
            group,
            (smooth,) * len(parts),
            (whole,) * len(parts),
            f"axis={axis}",
        )
    yield Row(
        "concat",
        lambda x: sg.concat([x, sg.square(x), x], 0),
        lambda x: np.concatenate([x, np.square(x), x], 0),
        at_least(1),
        (smooth,),
        label="one twice",
    )
    for n, axis, rank in ((1, 0, 0), (2, 0, 0), (3, -1, 0), (2, 1, 1), (2, -2, 1), (2, 2, 2), (2, -1, 2), (2, 3, 3)):
        fit = {c: tuple(s * n for s in group) for c, group in at_least(rank).items()}
        yield Row(
            "stack",
            lambda *x, a=axis: sg.stack(list(x), a),
            lambda *x, a=axis: np.stack(x, a),
            fit,
            (smooth,) * n,
            (whole,) * n if n == 2 else None,
            f"{n} axis={axis}",
        )
    for axis, rank in ((0, 1), (1, 2), (-1, 1), (-2, 2), (2, 3)):
        fit = {c: tuple(s for s in g if s[0][axis]) for c, g in at_least(rank).items()}
        fit = {c: g for c, g in fit.items() if g}
        yield Row(
            "unstack",
            lambda x, a=axis: sg.unstack(x, axis=a),
            lambda x, a=axis: [v.copy() for v in np.moveaxis(x, a, 0)],
            fit,
            (smooth,),
            (whole,),
            f"axis={axis}",
        )
    new, dots, s_ = np.newaxis, Ellipsis, np.s_
    for shape, keys in (
        (
            (5,),
            (
                0,
                -1,
                s_[:],
                s_[1:],
                s_[:-1],
                s_[1:4],
                s_[::2],
                s_[1::2],
                s_[::-1],
                s_[::-2],
                s_[3:0:-1],
                s_[-2:],
                s_[4:1],
                s_[9:],
                s_[:9],
                new,
                dots,
                s_[new, 2:],
                s_[2:, new],
                s_[-9:2],
            ),
        ),
        (
            (3, 4),
            (
                1,
                s_[:, 2],
                s_[1, 2],
                s_[-1, -1],
                s_[1:, :2],
                s_[::2, ::3],
                s_[::-1, ::-1],
                s_[dots, 0],
                s_[0, dots],
                s_[:, new, 1:3],
                s_[new],
                s_[1:1],
                s_[:, 3:1:-1],
                s_[2, ::2],
                dots,
            ),
        ),
        (
            (2, 3, 4),
            (
                0,
                s_[:, 1],
                s_[:, :, 2],
                s_[1, 2, 3],
                s_[dots, 1],
                s_[0, dots, 1],
                s_[:, 1:, ::2],
                s_[::-1, :, 1],
                s_[:, new, 0],
                s_[1, ::-2, 1:3],
                s_[dots, new, :],
                s_[:, 3:],
            ),
        ),
        ((1, 3, 1), (0, s_[:, :, 0], s_[0, 1], s_[:, ::-1])),
        ((0, 4), (s_[:, 1], s_[::-1], s_[1:], s_[:, new], s_[:, :0])),
        ((), (dots, new, ())),
    ):
        for key in keys:
            yield Row(
                "operator []",
                lambda x, k=key: x[k],
                lambda x, k=key: x[k].copy(),
                _static(shape),
                (smooth,),
                (whole,) if key in (s_[::-1], s_[1:]) else None,
                f"{shape} {key}",
            )
    for shape, begin, size in (
        ((5,), [1], [3]),
        ((5,), [2], [-1]),
        ((3, 4), [0, 1], [2, -1]),
        ((3, 4), [3, 0], [0, 4]),
        ((2, 3, 4), [1, 0, 2], [1, 3, 1]),
    ):
        index = tuple(slice(b, None if n == -1 else b + n) for b, n in zip(begin, size, strict=True))
        yield Row(
            "slice",
            lambda x, b=begin, n=size: sg.slice(x, b, n),
            lambda x, i=index: x[i].copy(),
            _static(shape),
            (smooth,),
            (whole,),
            f"{shape} {begin} {size}",
        )
    for x, w, twice in ((sg.zeros_like, np.zeros_like, False), (sg.ones_like, np.ones_like, False)):
        yield Row(w.__name__, x, w, ONE, (smooth,), (whole,), gradient="none", twice=twice)
        yield Row(
            w.__name__,
            lambda v, x=x: x(v, dtype=sg.int32),
            lambda v, w=w: w(v, dtype=np.int32),
            {"full": ONE["full"][:2]},
            (smooth,),
            label="int32",
            gradient="skip",
        )
    for op, numpy in (("shape", np.shape), ("size", np.size), ("rank", np.ndim)):
        yield Row(op, getattr(sg, op), lambda x, f=numpy: np.asarray(f(x), np.int32), ONE, (smooth,), (whole,), gradient="skip")
    for op, numpy in (("shape", np.shape), ("size", np.size)):
        yield Row(
            op,
            lambda x, op=op: getattr(sg, op)(x, out_type=sg.int64),
            lambda x, f=numpy: np.asarray(f(x), np.int64),
            ONE,
            (smooth,),
            label="int64",
            gradient="skip",
        )
    for shape in ((), (3,), (2, 3), (1, 2, 1), (0,), (2, 0), (40, 30)):
        yield Row(
            "fill",
            lambda v, s=shape: sg.fill(s, v),
            lambda v, s=shape: np.full(s, v),
            {"empty" if 0 in shape else "full": (((),),)},
            (smooth,),
            (whole,),
            f"{shape}",
        )


def gathers() -> Iterator[Row]:
    for shape, indices, axis in (
        ((5,), [0, 4, 4, 2], 0),
        ((5,), 3, 0),
        ((5,), [], 0),
        ((5, 3), [[1, 1], [0, 4], [1, 2]], 0),
        ((5, 3), [[2], [0]], 1),
        ((5, 3), 2, -1),
        ((2, 3, 4), [3, 3, 0], 2),
        ((2, 3, 4), [[0, 2], [1, 1]], 1),
        ((1, 4), [0, 0, 0], 0),
        ((3, 0), [2, 0], 0),
        ((0, 3), [], 0),
    ):
        at = np.array(indices, np.int64 if axis else np.int32)
        yield Row(
            "gather",
            lambda x, i=at, a=axis: sg.gather(x, i, axis=a),
            lambda x, i=at, a=axis: np.take(x, i, a),
            _static(shape),
            (smooth,),
            (whole,),
            f"{shape} {indices} axis={axis}",
        )
    table = np.array([[4, 0], [0, 1]])
    yield Row("nn.embedding_lookup", lambda x: sg.nn.embedding_lookup(x, table), lambda x: x[table], _static((5, 3)), (smooth,), (whole,))
    yield Row(
        "gather",
        lambda x: sg.gather(sg.square(x), sg.argmax(x, 1), axis=1),
        lambda x: np.square(x)[:, np.argmax(x, 1)],
        {"full": (((3, 4),), ((5, 2),))},
        (distinct,),
        (whole,),
        "where the greatest is",
    )


def sources() -> Iterator[Row]:
    def source(op: str, build: Callable, numpy: Callable, label: str) -> Row:
        return Row(op, build, numpy, NONE, label=label, gradient="skip", dtypes=("float64",))

    for name in (*FLOATS, "int32", "int64", "uint8"):
        for shape in ((), (3,), (2, 3), (1, 4, 1), (0, 3), (40, 30)):
            yield source("zeros", lambda s=shape, d=name: sg.zeros(s, d), lambda s=shape, d=name: np.zeros(s, d), f"{shape} {name}")
            yield source("ones", lambda s=shape, d=name: sg.ones(s, d), lambda s=shape, d=name: np.ones(s, d), f"{shape} {name}")
        value = np.arange(6).reshape(2, 3).astype(name)
        yield source("constant", lambda v=value: sg.constant(v), lambda v=value: v, name)
        yield source(
            "constant", lambda d=name: sg.constant([1, 2], d, (2, 2)), lambda d=name: np.array([[1, 2], [2, 2]], d), f"filled up {name}"
        )
        yield source("convert_to_tensor", lambda v=value: sg.convert_to_tensor(v), lambda v=value: v, name)
    for name in FLOATS:
        for n, m, batch in ((3, None, None), (2, 3, None), (3, 1, None), (0, None, None), (2, 2, (2,)), (1, 2, (2, 3))):
            shape = (*(batch or ()), n, n if m is None else m)
            yield source(
                "eye",
                lambda n=n, m=m, b=batch, d=name: sg.eye(n, m, b, d),
                lambda n=n, m=m, s=shape, d=name: np.broadcast_to(np.eye(n, m, dtype=d), s),
                f"{n} {m} {batch} {name}",
            )
    for args in ((5,), (0,), (2, 7), (2, 12, 3), (7, 2, -2), (5, 2), (0, 1, 4)):
        for name in ("int32", "int64", *FLOATS):
            yield source(
                "range", lambda a=args, d=name: sg.range(*a, dtype=d), lambda a=args, d=name: np.arange(*a, dtype=d), f"{args} {name}"
            )
    for args in ((2.5,), (0.0, 1.0, 0.25), (1.0, -1.0, -0.5)):
        yield source("range", lambda a=args: sg.range(*a), lambda a=args: np.arange(*a, dtype=np.float32), f"{args}")
