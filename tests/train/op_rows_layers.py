"""Rows of the table: what layers are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import symgraph as sg
from tests.train.op_cases import ONE, Patterns, Row, alone, at_least, distinct, halves, positive, small, smooth, whole

BIASED: Patterns = {
    "full": (((3, 4), (4,)), ((2, 3, 4), (4,))),
    "size 1": (((3, 1), (1,)), ((1, 4), (4,))),
    "empty": (((0, 4), (4,)), ((2, 0), (0,))),
}
CHANNELS: Patterns = {"full": (((2, 3, 4), (3,)), ((2, 3, 2, 2), (3,))), "size 1": (((2, 1, 3), (1,)),), "empty": (((0, 3, 2), (3,)),)}


VECTORS: Patterns = {"full": (((3, 4), (4, 2), (2,)),), "size 1": (((1, 1), (1, 1), (1,)),), "empty": (((0, 3), (3, 2), (2,)),)}
NORMAL: Patterns = {
    "full": (((3, 4), (4,), (4,), (4,), (4,)), ((2, 2, 3), (3,), (3,), (3,), (3,))),
    "size 1": (((3, 1), (1,), (1,), (1,), (1,)),),
    "empty": (((0, 2), (2,), (2,), (2,), (2,)),),
}
IMAGES: Patterns = {"full": (((2, 2, 3, 2), (2,), (2,)),), "size 1": (((3, 1, 1, 1), (1,), (1,)),)}
LATE: Patterns = {"full": (((2, 2, 2, 3), (2,), (2,)),), "size 1": (((3, 1, 1, 1), (1,), (1,)),)}


# ---------------------------------------------------------------- meanings
def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _selu(x: np.ndarray) -> np.ndarray:
    scale, alpha = x.dtype.type(1.0507009873554805), x.dtype.type(1.6732632423543772)
    return scale * np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)


def _moments(x: np.ndarray, axes: tuple[int, ...], keep: bool = False) -> list[np.ndarray]:
    return [x.mean(axes, keepdims=keep), x.var(axes, keepdims=keep)]


def _weighted(x: np.ndarray, w: np.ndarray) -> list[np.ndarray]:
    w = np.broadcast_to(w, x.shape)
    total = w.sum(0)
    mean = (w * x).sum(0) / total
    return [mean, (w * (x - mean) ** 2).sum(0) / total]


def _batch(x: np.ndarray, m: np.ndarray, v: np.ndarray, b: np.ndarray, g: np.ndarray) -> np.ndarray:
    return (x - m) / np.sqrt(v + np.asarray(1e-3, v.dtype)) * g + b


def _fused(x: np.ndarray, g: np.ndarray, b: np.ndarray, channels: int) -> list[np.ndarray]:
    axes = tuple(a for a in range(4) if a != channels)
    ends = [1] * (3 - channels)
    m, v = x.mean(axes), x.var(axes)
    n = x.size // m.size
    y = _batch(x, *(a.reshape(-1, *ends) for a in (m, v, b, g)))
    return [y, m, (v * (n / (n - 1))).astype(x.dtype)]


# ---------------------------------------------------------------- rows
def activations() -> Iterator[Row]:
    for name, meaning in (
        ("elu", _elu),
        ("selu", _selu),
        ("softsign", lambda x: x / (1 + np.abs(x))),
        ("log_sigmoid", lambda x: -_softplus(-x)),
        ("swish", lambda x: x / (1 + np.exp(-x))),
        ("leaky_relu", lambda x: np.where(x > 0, x, x.dtype.type(0.2) * x)),
    ):
        yield Row(f"nn.{name}", getattr(sg.nn, name), meaning, ONE, (smooth,), loose=2)
    yield Row("nn.relu6", lambda x: sg.nn.relu6(5 * x), lambda x: np.clip(5 * x, 0, 6), ONE, (smooth,), whole=(small,))
    yield Row("nn.crelu", sg.nn.crelu, lambda x: np.maximum(np.concatenate([x, -x], -1), 0), at_least(1), (smooth,))


def dense() -> Iterator[Row]:
    yield Row("nn.bias_add", sg.nn.bias_add, np.add, BIASED, (smooth, smooth), whole=(whole, whole))
    yield Row(
        "nn.bias_add",
        lambda x, b: sg.nn.bias_add(x, b, data_format="NCHW"),
        lambda x, b: x + b.reshape(-1, *(1,) * (x.ndim - 2)),
        CHANNELS,
        (smooth, smooth),
        label="NCHW",
    )
    yield Row("nn.xw_plus_b", sg.nn.xw_plus_b, lambda x, w, b: x @ w + b, VECTORS, (smooth,) * 3, loose=4)
    yield Row("nn.relu_layer", sg.nn.relu_layer, lambda x, w, b: np.maximum(x @ w + b, 0), VECTORS, (positive,) * 3, loose=4)
    yield Row("nn.l2_loss", sg.nn.l2_loss, lambda x: np.asarray((x**2).sum() / 2, x.dtype), ONE, (smooth,), loose=4)
    shares = {"full": alone((3, 4), (5,)), "size 1": alone((1, 1))}
    fraction = lambda x: np.float32((x == 0).mean(dtype=np.float32))  # noqa: E731
    yield Row("nn.zero_fraction", sg.nn.zero_fraction, fraction, shares, (halves,), (small,), gradient="skip", loose=2)
    kept = {"full": alone((3, 4), (5,)), "size 1": alone((1, 1)), "empty": alone((0, 4))}
    yield Row("nn.dropout", lambda x: sg.nn.dropout(x, 1.0), lambda x: x, kept, (smooth,), label="of nothing")


def normalization() -> Iterator[Row]:
    for axes, rank, keep in (((0,), 1, False), ((0, 1), 2, True), ((1,), 2, False)):
        yield Row(
            "nn.moments",
            lambda x, a=axes, k=keep: sg.nn.moments(x, list(a), keep_dims=k),
            lambda x, a=axes, k=keep: _moments(x, a, k),
            {name: tuple(s for s in group if all(s[0])) for name, group in at_least(rank).items() if name != "empty"},
            (smooth,),
            label=f"axes={axes} {keep}",
            loose=4,
            twice=False,  # the mean inside of the variance is taken as a constant, in TF as here
        )
    yield Row(
        "nn.weighted_moments",
        lambda x, w: sg.nn.weighted_moments(x, [0], w),
        _weighted,
        {"same": (((3, 4), (3, 4)), ((5,), (5,))), "size 1": (((3, 4), (3, 1)),), "scalar": (((2, 3), ()),)},
        (smooth, positive),
        loose=16,  # where all are equal but for rounding, nothing but rounding is left
    )
    counts = {"full": alone((3, 4), (5,)), "size 1": alone((1, 4))}
    yield Row(
        "nn.sufficient_statistics",
        lambda x: sg.nn.sufficient_statistics(x, [0])[:3],
        lambda x: [np.asarray(x.shape[0], x.dtype), x.sum(0), (x**2).sum(0)],
        counts,
        (smooth,),
        loose=4,
    )
    yield Row(
        "nn.normalize_moments",
        lambda x: sg.nn.normalize_moments(*sg.nn.sufficient_statistics(x, [0], shift=0.5)),
        lambda x: _moments(x, (0,)),
        counts,
        (smooth,),
        loose=16,
    )
    yield Row(
        "nn.batch_normalization",
        lambda *a: sg.nn.batch_normalization(*a, 1e-3),
        _batch,
        NORMAL,
        (smooth, smooth, positive, smooth, smooth),
        loose=8,
    )
    for form, patterns, channels in (("NHWC", IMAGES, 3), ("NCHW", LATE, 1)):
        yield Row(
            "nn.fused_batch_norm",
            lambda x, g, b, f=form: sg.nn.fused_batch_norm(x, g, b, data_format=f),
            lambda x, g, b, c=channels: _fused(x, g, b, c),
            patterns,
            (smooth, smooth, smooth),
            label=form,
            loose=16,
            twice=False,
        )
    yield Row(
        "nn.fused_batch_norm",
        lambda x, g, b: sg.nn.fused_batch_norm(x, g, b, sg.constant(0.5, x.dtype), sg.constant(2.0, x.dtype), is_training=False)[0],
        lambda x, g, b: _batch(x, x.dtype.type(0.5), x.dtype.type(2), b, g),
        IMAGES,
        (smooth, smooth, smooth),
        label="running",
        loose=8,
    )


# ---------------------------------------------------------------- order
def _top(x: np.ndarray, k: int) -> list[np.ndarray]:
    at = np.argsort(-x.astype(float), axis=-1, kind="stable")[..., :k].astype(np.int32)
    return [np.take_along_axis(x, at, -1), at]


def _in_top(x: np.ndarray, t: np.ndarray, k: int) -> np.ndarray:
    picked = t.astype(int) % max(x.shape[1], 1)
    return (x > np.take_along_axis(x, picked[:, None], 1)).sum(1) < k if x.size else np.zeros(x.shape[0], bool)


def ordering() -> Iterator[Row]:
    wide = {"full": alone((3, 4), (5,), (2, 3, 4)), "size 1": alone((1, 4), (4, 3)), "empty": alone((0, 4))}
    for k in (1, 3):
        yield Row(
            "nn.top_k", lambda x, k=k: sg.nn.top_k(x, k)[0], lambda x, k=k: _top(x, k)[0], wide, (distinct,), (whole,), label=f"k={k}"
        )
    yield Row(
        "nn.top_k", lambda x: sg.nn.top_k(x, 2)[1], lambda x: _top(x, 2)[1], wide, (whole,), (whole,), label="places", gradient="skip"
    )
    for axis, rank, direction, sign in ((-1, 1, "ASCENDING", 1), (0, 2, "DESCENDING", -1), (1, 3, "ASCENDING", 1)):
        more = {"axis": axis, "direction": direction}
        yield Row(
            "sort",
            lambda x, m=more: sg.sort(x, **m),
            lambda x, a=axis, s=sign: np.sort(x, axis=a) if s > 0 else np.flip(np.sort(x, axis=a), a),
            at_least(rank),
            (distinct,),
            (whole,),
            label=f"axis={axis} {direction}",
        )
        yield Row(
            "argsort",
            lambda x, m=more: sg.argsort(x, **m),
            lambda x, a=axis, s=sign: np.argsort(s * x.astype(float), axis=a, kind="stable").astype(np.int32),
            at_least(rank),
            (whole,),
            (whole,),
            label=f"axis={axis} {direction}",
            gradient="skip",
        )
    targets = {"full": (((5, 4), (5,)),), "size 1": (((1, 4), (1,)),), "empty": (((0, 4), (0,)),)}
    for k in (1, 2):
        yield Row(
            "nn.in_top_k",
            lambda x, t, k=k: sg.nn.in_top_k(x, sg.cast(t, sg.int32), k),
            lambda x, t, k=k: _in_top(x, t, k),
            targets,
            (whole, lambda g, s: g.integers(0, 4, s)),
            label=f"k={k}",
            gradient="skip",
        )
