"""Rows of convolutions and poolings.

Law of this file: data only; see `op_cases` for what a row is.  The meanings go window by window and cell by cell, as TF's
documentation says it: slow, and of another make than the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

import symgraph as sg
from tests.train.op_cases import Patterns, Row, distinct, smooth, unit

Ints = tuple[int, ...]


# ---------------------------------------------------------------- meanings
def laid(extents: Ints, sizes: Ints, strides: Ints, dilations: Ints, padding: Any) -> tuple[list[int], list[int]]:
    """How many windows there are along each axis, and how much padding lies before it."""
    counts, before = [], []
    for a, (e, k, s, d) in enumerate(zip(extents, sizes, strides, dilations, strict=True)):
        reach = (k - 1) * d + 1
        if padding == "SAME":
            counts.append(-(-e // s))
            before.append(max((counts[-1] - 1) * s + reach - e, 0) // 2)
        else:
            low, high = (0, 0) if padding == "VALID" else padding[a]
            counts.append((e + low + high - reach) // s + 1)
            before.append(low)
    return counts, before


def meetings(extents: Ints, sizes: Ints, strides: Ints, dilations: Ints, padding: Any) -> Iterator[tuple[Ints, Ints, Ints]]:
    """(window, cell, place) for each cell of each window that lies inside."""
    counts, before = laid(extents, sizes, strides, dilations, padding)
    for o in product(*map(range, counts)):
        for k in product(*map(range, sizes)):
            p = tuple(i * s + j * d - b for i, j, s, d, b in zip(o, k, strides, dilations, before, strict=True))
            if all(0 <= i < e for i, e in zip(p, extents, strict=True)):
                yield o, k, p


def convolved(x: np.ndarray, w: np.ndarray, strides: Ints, dilations: Ints, padding: Any) -> np.ndarray:
    counts, _ = laid(x.shape[1:-1], w.shape[:-2], strides, dilations, padding)
    y = np.zeros((x.shape[0], *counts, w.shape[-1]), x.dtype)
    for o, k, p in meetings(x.shape[1:-1], w.shape[:-2], strides, dilations, padding):
        y[:, *o] += x[:, *p] @ w[k]
    return y


def transposed(y: np.ndarray, w: np.ndarray, shape: Ints, strides: Ints, dilations: Ints, padding: Any) -> np.ndarray:
    x = np.zeros(shape, y.dtype)
    for o, k, p in meetings(shape[1:-1], w.shape[:-2], strides, dilations, padding):
        x[:, *p] += y[:, *o] @ w[k].T
    return x


def learned(x: np.ndarray, y: np.ndarray, shape: Ints, strides: Ints, dilations: Ints, padding: Any) -> np.ndarray:
    w = np.zeros(shape, x.dtype)
    for o, k, p in meetings(x.shape[1:-1], shape[:-2], strides, dilations, padding):
        w[k] += x[:, *p].T @ y[:, *o]
    return w


def by_channel(x: np.ndarray, w: np.ndarray, strides: Ints, dilations: Ints, padding: Any) -> np.ndarray:
    counts, _ = laid(x.shape[1:-1], w.shape[:-2], strides, dilations, padding)
    y = np.zeros((x.shape[0], *counts, *w.shape[-2:]), x.dtype)
    for o, k, p in meetings(x.shape[1:-1], w.shape[:-2], strides, dilations, padding):
        y[:, *o] += x[:, *p, :, None] * w[k]
    return y.reshape(*y.shape[:-2], -1)


def separable(x: np.ndarray, deep: np.ndarray, w: np.ndarray, strides: Ints, padding: Any) -> np.ndarray:
    return convolved(by_channel(x, deep, strides, (1, 1), padding), w, (1, 1), (1, 1), "VALID")


def pooled(reduce: Callable[..., np.ndarray], x: np.ndarray, sizes: Ints, strides: Ints, padding: Any, dilations: Ints = ()) -> np.ndarray:
    dilations = dilations or (1,) * len(sizes)
    counts, _ = laid(x.shape[1:-1], sizes, strides, dilations, padding)
    cells: dict[Ints, list[Ints]] = {}
    for o, _, p in meetings(x.shape[1:-1], sizes, strides, dilations, padding):
        cells.setdefault(o, []).append(p)
    y = np.zeros((x.shape[0], *counts, x.shape[-1]), x.dtype)
    for o, ps in cells.items():
        y[:, *o] = reduce(np.stack([x[:, *p] for p in ps]), axis=0)
    return y


def first_axes(f: Callable[..., np.ndarray], x: np.ndarray, *rest: Any) -> np.ndarray:
    """f of images with channels on axis 1."""
    return np.moveaxis(f(np.moveaxis(x, 1, -1), *rest), -1, 1)


def places(x: np.ndarray, sizes: Ints, strides: Ints, padding: str) -> np.ndarray:
    """The flat index of each maximum in its image."""
    at = np.broadcast_to(np.arange(x[0].size).reshape(x.shape[1:]), x.shape)
    counts, _ = laid(x.shape[1:-1], sizes, strides, (1, 1), padding)
    best, found = np.full((len(x), *counts, x.shape[-1]), -np.inf), np.zeros((len(x), *counts, x.shape[-1]), np.int64)
    for o, _, p in meetings(x.shape[1:-1], sizes, strides, (1, 1), padding):
        better = x[:, *p] > best[:, *o]
        best[:, *o], found[:, *o] = np.where(better, x[:, *p], best[:, *o]), np.where(better, at[:, *p], found[:, *o])
    return found


def normalized(x: np.ndarray, radius: int, bias: float, alpha: float, beta: float) -> np.ndarray:
    c = x.shape[-1]
    near = np.abs(np.arange(c)[:, None] - np.arange(c)) <= radius
    return x / (bias + alpha * (x**2 @ near)) ** beta


# ---------------------------------------------------------------- rows
def one(*shapes: Ints) -> Patterns:
    return {"full": (shapes,)}


def convolutions() -> Iterator[Row]:
    nn, both = sg.nn, (smooth, smooth)
    images: Patterns = {"full": (((2, 5, 4, 2), (3, 2, 2, 3)),), "empty": (((0, 3, 3, 1), (2, 2, 1, 1)),)}
    for label, keywords, strides, dilations, padding in (
        ("same", {"strides": [1, 1, 1, 1], "padding": "SAME"}, (1, 1), (1, 1), "SAME"),
        ("valid", {"strides": [1, 2, 1, 1], "padding": "VALID"}, (2, 1), (1, 1), "VALID"),
        ("strides", {"strides": 3, "padding": "SAME"}, (3, 3), (1, 1), "SAME"),
        ("dilations", {"strides": 1, "padding": "SAME", "dilations": [1, 2, 3, 1]}, (1, 1), (2, 3), "SAME"),
        ("pairs", {"strides": 2, "padding": [[0, 0], [1, 2], [0, 1], [0, 0]]}, (2, 2), (1, 1), ((1, 2), (0, 1))),
    ):
        yield Row(
            "nn.conv2d",
            lambda x, w, k=keywords: nn.conv2d(x, w, **k),
            lambda x, w, a=(strides, dilations, padding): convolved(x, w, *a),
            images,
            both,
            label=label,
            loose=4,
        )
    yield Row(
        "nn.conv2d",
        lambda x, w: nn.conv2d(x, w, [1, 1, 1, 2], "SAME", data_format="NCHW"),
        lambda x, w: first_axes(convolved, x, w, (1, 2), (1, 1), "SAME"),
        one((2, 2, 5, 4), (3, 2, 2, 3)),
        both,
        label="channels first",
        loose=4,
    )
    wide = lambda x, w: convolved(x[:, None], w[None], (1, 2), (1, 1), "SAME")[:, 0]  # noqa: E731
    yield Row("nn.conv1d", lambda x, w: nn.conv1d(x, w, 2, "SAME"), wide, one((2, 5, 2), (3, 2, 3)), both, loose=4)
    deep = one((1, 3, 4, 2, 2), (2, 2, 2, 2, 2))
    whole = lambda x, w: convolved(x, w, (1, 2, 1), (1, 1, 1), "SAME")  # noqa: E731
    yield Row("nn.conv3d", lambda x, w: nn.conv3d(x, w, [1, 1, 2, 1, 1], "SAME"), whole, deep, both, loose=4)
    yield Row("nn.convolution", lambda x, w: nn.convolution(x, w, "SAME", (1, 2, 1)), whole, deep, both, loose=4)
    yield Row(
        "nn.atrous_conv2d",
        lambda x, w: nn.atrous_conv2d(x, w, 2, "VALID"),
        lambda x, w: convolved(x, w, (1, 1), (2, 2), "VALID"),
        one((2, 5, 6, 2), (3, 2, 2, 3)),
        both,
        loose=4,
    )
    channels = one((2, 5, 4, 2), (3, 2, 2, 2))
    for function, rate in ((nn.depthwise_conv2d, {"rate": (2, 1)}), (nn.depthwise_conv2d_native, {"dilations": (1, 2, 1, 1)})):
        yield Row(
            f"nn.{function.__name__}",
            lambda x, w, f=function, r=rate: f(x, w, [1, 1, 1, 1], "SAME", **r),
            lambda x, w: by_channel(x, w, (1, 1), (2, 1), "SAME"),
            channels,
            both,
            loose=4,
        )
    yield Row(
        "nn.depthwise_conv2d_native",
        lambda x, w: nn.depthwise_conv2d_native(x, w, [1, 2, 2, 1], "VALID"),
        lambda x, w: by_channel(x, w, (2, 2), (1, 1), "VALID"),
        {"full": (((2, 5, 4, 3), (2, 2, 3, 1)),)},
        both,
        label="one each",
        loose=4,
    )
    yield Row(
        "nn.separable_conv2d",
        lambda x, d, w: nn.separable_conv2d(x, d, w, [1, 1, 1, 1], "SAME"),
        lambda x, d, w: separable(x, d, w, (1, 1), "SAME"),
        one((2, 3, 4, 2), (3, 2, 2, 2), (1, 1, 4, 3)),
        (smooth, smooth, smooth),
        loose=4,
    )


def transposes() -> Iterator[Row]:
    nn, both = sg.nn, (smooth, smooth)
    for label, shape, strides, padding in (("same", (2, 5, 4, 2), (2, 2), "SAME"), ("valid", (2, 9, 6, 2), (3, 2), "VALID")):
        counts, _ = laid(shape[1:-1], (3, 2), strides, (1, 1), padding)
        yield Row(
            "nn.conv2d_transpose",
            lambda y, w, a=(shape, (1, *strides, 1), padding): nn.conv2d_transpose(y, w, *a),
            lambda y, w, a=(shape, strides, (1, 1), padding): transposed(y, w, *a),
            one((2, *counts, 3), (3, 2, 2, 3)),
            both,
            label=label,
            loose=4,
        )
    yield Row(
        "nn.conv3d_transpose",
        lambda y, w: nn.conv3d_transpose(y, w, (1, 3, 4, 2, 2), [1, 1, 2, 1, 1]),
        lambda y, w: transposed(y, w, (1, 3, 4, 2, 2), (1, 2, 1), (1, 1, 1), "SAME"),
        one((1, 3, 2, 2, 1), (2, 2, 1, 2, 1)),
        both,
        loose=4,
    )
    yield Row(
        "nn.atrous_conv2d_transpose",
        lambda y, w: nn.atrous_conv2d_transpose(y, w, (2, 5, 4, 2), 2, "SAME"),
        lambda y, w: transposed(y, w, (2, 5, 4, 2), (1, 1), (2, 2), "SAME"),
        one((2, 5, 4, 3), (2, 2, 2, 3)),
        both,
        loose=4,
    )
    yield Row(
        "nn.conv2d_backprop_input",
        lambda y, w: nn.conv2d_backprop_input((2, 5, 4, 2), w, y, [1, 2, 1, 1], "VALID"),
        lambda y, w: transposed(y, w, (2, 5, 4, 2), (2, 1), (1, 1), "VALID"),
        one((2, 2, 3, 3), (3, 2, 2, 3)),
        both,
        loose=4,
    )
    yield Row(
        "nn.conv2d_backprop_filter",
        lambda x, y: nn.conv2d_backprop_filter(x, (3, 2, 2, 3), y, [1, 2, 1, 1], "SAME"),
        lambda x, y: learned(x, y, (3, 2, 2, 3), (2, 1), (1, 1), "SAME"),
        one((2, 5, 4, 2), (2, 3, 4, 3)),
        both,
        loose=4,
    )


def poolings() -> Iterator[Row]:
    nn = sg.nn
    images: Patterns = {"full": (((2, 5, 4, 2),),), "empty": (((0, 2, 2, 1),),)}
    for name, reduce, domain in (("max_pool", np.max, distinct), ("avg_pool", np.mean, smooth)):
        for padding, size, strides in (("SAME", (3, 2), (2, 2)), ("VALID", (2, 2), (1, 2))):
            yield Row(
                f"nn.{name}",
                lambda x, f=getattr(nn, name), a=((1, *size, 1), (1, *strides, 1), padding): f(x, *a),
                lambda x, f=reduce, a=(size, strides, padding): pooled(f, x, *a),
                images,
                (domain,),
                label=padding,
                loose=4,
            )
        yield Row(
            f"nn.{name}2d",
            lambda x, f=getattr(nn, f"{name}2d"): f(x, 2, 2, "SAME", "NCHW"),
            lambda x, f=reduce: np.moveaxis(pooled(f, np.moveaxis(x, 1, -1), (2, 2), (2, 2), "SAME"), -1, 1),
            one((2, 2, 3, 5)),
            (domain,),
            label="channels first",
            loose=4,
        )
        yield Row(
            f"nn.{name}1d",
            lambda x, f=getattr(nn, f"{name}1d"): f(x, 3, 2, "SAME"),
            lambda x, f=reduce: pooled(f, x, (3,), (2,), "SAME"),
            one((2, 6, 2)),
            (domain,),
            loose=4,
        )
        yield Row(
            f"nn.{name}3d",
            lambda x, f=getattr(nn, f"{name}3d"): f(x, [1, 2, 2, 1, 1], [1, 1, 2, 1, 1], "SAME"),
            lambda x, f=reduce: pooled(f, x, (2, 2, 1), (1, 2, 1), "SAME"),
            one((1, 3, 3, 2, 2)),
            (domain,),
            loose=4,
        )
        yield Row(
            "nn.pool",
            lambda x, t=name[:3].upper(): nn.pool(x, [2, 2], t, "VALID", dilation_rate=[2, 1]),
            lambda x, f=reduce: pooled(f, x, (2, 2), (1, 1), "VALID", (2, 1)),
            one((2, 5, 4, 2)),
            (domain,),
            label=name,
            loose=4,
        )
    yield Row(
        "nn.max_pool_with_argmax",
        lambda x: nn.max_pool_with_argmax(x, 2, 2, "SAME"),
        lambda x: [pooled(np.max, x, (2, 2), (2, 2), "SAME"), places(x, (2, 2), (2, 2), "SAME")],
        one((2, 5, 3, 2)),
        (distinct,),
        gradient="skip",
    )
    for function in (nn.lrn, nn.local_response_normalization):
        yield Row(
            "nn.lrn" if function is nn.lrn else "nn.local_response_normalization",
            lambda x, f=function: f(x, 2, 1.5, 0.5, 0.75),
            lambda x: normalized(x, 2, 1.5, 0.5, 0.75),
            one((1, 2, 2, 6)),
            (unit,),
            loose=8,
        )
