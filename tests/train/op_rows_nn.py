"""Rows of softmax and the cross-entropies.

Law of this file: data only; see `op_cases` for what a row is.  Labels sum to 1: where they do not, TF's gradient into the
logits is not the derivative of the value (`tests/graph/test_nn.py` says what it is).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import symgraph as sg
from tests.train.op_cases import TWO, Patterns, Row, Shape, at_least, positive, smooth, truth, unit

CLASSES: Patterns = {
    "full": (((3, 4), (3, 4)), ((5,), (5,)), ((2, 3, 4), (2, 3, 4))),
    "size 1": (((3, 1), (3, 1)), ((1,), (1,)), ((1, 4), (1, 4)), ((1, 1, 3), (1, 1, 3))),
    "empty": (((0, 4), (0, 4)), ((2, 0, 3), (2, 0, 3))),
}
"""Logits and labels, with one class or more."""
ALIKE: Patterns = {"same": TWO["same"], "empty": (((0,), (0,)), ((2, 0), (2, 0)))}


# ---------------------------------------------------------------- domains
def chances(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Each row sums to 1."""
    a = rng.uniform(0.1, 1, shape)
    return a / a.sum(-1, keepdims=True)


def one_hot(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """One truth in each row."""
    return np.arange(shape[-1]) == rng.integers(0, shape[-1], (*shape[:-1], 1))


def great(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Each row has numbers whose exponentials overflow, the greatest far from the next."""
    return 400.0 * rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1) + rng.uniform(-1, 1, shape)


def far(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Both signs, where sigmoid is all but 0 or 1."""
    return rng.uniform(20, 60, shape) * rng.choice([-1, 1], shape)


# ---------------------------------------------------------------- meanings
def _log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    z = x - x.max(axis, keepdims=True, initial=-np.inf)
    return z - np.log(np.sum(np.exp(z), axis, keepdims=True))


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.exp(_log_softmax(x, axis))


def _by_rows(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return -np.sum(labels * _log_softmax(logits), -1)


def _by_elements(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x)))


# ---------------------------------------------------------------- rows
def activations() -> Iterator[Row]:
    for op, function, numpy in (("nn.softmax", sg.nn.softmax, _softmax), ("nn.log_softmax", sg.nn.log_softmax, _log_softmax)):
        for axis, rank in ((-1, 1), (0, 1), (1, 2), (-2, 2), (2, 3)):
            yield Row(
                op,
                lambda x, f=function, a=axis: f(x, a),
                lambda x, f=numpy, a=axis: f(x, a),
                at_least(rank),
                (smooth,),
                label=f"axis={axis}",
                loose=4,
            )
        old = {"full": (((3, 4),),)}
        yield Row(op, lambda x, f=function: f(x, dim=0), lambda x, f=numpy: f(x, 0), old, (unit,), label="old keyword", loose=4)
        yield Row(op, function, numpy, at_least(1), (great,), label="of great numbers", loose=4)


def cross_entropies() -> Iterator[Row]:
    first, second = sg.nn.softmax_cross_entropy_with_logits, sg.nn.softmax_cross_entropy_with_logits_v2
    sparse, sigmoid = sg.nn.sparse_softmax_cross_entropy_with_logits, sg.nn.sigmoid_cross_entropy_with_logits
    for domain, label in ((smooth, "of one class"), (great, "of great numbers")):
        for function in (first, second):
            yield Row(
                f"nn.{function.__name__}",
                lambda x, y, f=function: f(labels=sg.cast(y, x.dtype), logits=x),
                _by_rows,
                CLASSES,
                (domain, one_hot),
                label=label,
                loose=4,
            )
        for dtype in (sg.int32, sg.int64):
            yield Row(
                f"nn.{sparse.__name__}",
                lambda x, y, d=dtype: sparse(labels=sg.argmax(sg.cast(y, sg.int8), -1, output_type=d), logits=x),
                _by_rows,
                CLASSES,
                (domain, one_hot),
                label=f"{label} {dtype.name}",
                loose=4,
            )
    yield Row(
        f"nn.{second.__name__}",
        lambda x, y: second(labels=y, logits=x),
        _by_rows,
        CLASSES,
        (smooth, chances),
        loose=4,
        twice=False,  # a step of the labels leaves those that sum to 1
    )
    yield Row(
        f"nn.{second.__name__}",
        lambda x, y: second(labels=sg.nn.softmax(y), logits=x),
        lambda x, y: _by_rows(x, _softmax(y)),
        CLASSES,
        (smooth, smooth),
        label="of two softmaxes",
        loose=4,
    )
    for domain, label in ((smooth, ""), (far, "far out")):
        yield Row(
            f"nn.{sigmoid.__name__}",
            lambda x, z: sigmoid(labels=z, logits=x),
            _by_elements,
            ALIKE,
            (domain, unit),
            label=label,
            loose=4,
        )
    yield Row(
        f"nn.{sigmoid.__name__}",
        lambda x, z: sigmoid(labels=sg.cast(z, x.dtype), logits=x),
        _by_elements,
        ALIKE,
        (far, truth),
        label="of truths, far out",
        loose=4,
    )


def weighted() -> Iterator[Row]:
    def plain(x: np.ndarray, z: np.ndarray, q: np.ndarray) -> np.ndarray:
        return (1 - z) * x + (1 + (q - 1) * z) * np.logaddexp(0, -x)

    three = {name: tuple((a, b, ()) for a, b in group) for name, group in ALIKE.items()}
    yield Row(
        "nn.weighted_cross_entropy_with_logits",
        lambda x, z, q: sg.nn.weighted_cross_entropy_with_logits(z, x, q),
        plain,
        three,
        (smooth, unit, positive),
        loose=4,
    )

    def stirling(z: np.ndarray) -> np.ndarray:
        return np.where((z >= 0) & (z <= 1), 0, z * np.log(z) - z + np.log(2 * np.pi * z) / 2).astype(z.dtype)

    for full in (False, True):
        yield Row(
            "nn.log_poisson_loss",
            lambda z, c, f=full: sg.nn.log_poisson_loss(z, c, f),
            lambda z, c, f=full: np.exp(c) - c * z + (stirling(z) if f else 0),
            ALIKE,
            (lambda g, s: g.uniform(1.2, 4, s), unit),
            label="full" if full else "",
            loose=4,
        )
