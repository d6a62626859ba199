"""Rows of the table: clipping by norms.

Law of this file: data only; see `op_cases` for what a row is.  Norms lie away from the bound, where the gradient jumps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import symgraph as sg
from tests.train.op_cases import Patterns, Row, at_least, smooth

FEW: Patterns = {"full": (((3, 4),), ((5,),)), "size 1": (((3, 1),),), "empty": (((0, 4),),)}
PAIR: Patterns = {"same": (((3, 4), (3, 4)), ((5,), (5,))), "size 1": (((2, 1), (2, 3)),)}


def _by_norm(most: float, axis: Any = None) -> Any:
    def numpy(x: np.ndarray) -> np.ndarray:
        return x * most / np.maximum(np.sqrt(np.sum(x * x, axis, keepdims=True)), most).astype(x.dtype)

    return numpy


def _average(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return (x * 0.25 * np.minimum(x.size / np.sqrt(np.sum(x * x)), 1 / 0.25)).astype(x.dtype)


def _together(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    n = np.sqrt(np.sum(x * x) + np.sum(y * y))
    scale = np.minimum(1, 1.5 / n) if n else 1
    return [(x * scale).astype(x.dtype), (y * scale).astype(y.dtype), n.astype(x.dtype)]


def norms() -> Iterator[Row]:
    for most in (0.1, 100.0):
        yield Row("clip_by_norm", lambda x, m=most: sg.clip_by_norm(x, m), _by_norm(most), FEW, (smooth,), label=f"{most}", loose=4)
    yield Row(
        "clip_by_norm", lambda x: sg.clip_by_norm(x, 0.1, [1]), _by_norm(0.1, 1), at_least(2, FEW), (smooth,), label="axes=[1]", loose=4
    )
    some = {k: FEW[k] for k in ("full", "size 1")}
    yield Row("clip_by_average_norm", lambda x: sg.clip_by_average_norm(x, 0.25), _average, some, (smooth,), loose=4)
    one = (lambda x, y: sg.global_norm([x, None, y]), lambda x, y: _together(x, y)[2])
    yield Row("global_norm", *one, PAIR, (smooth, smooth), loose=4)

    def both(x: Any, y: Any) -> list[Any]:
        (a, none, b), norm = sg.clip_by_global_norm([x, None, y], 1.5)
        assert none is None
        return [a, b, norm]

    yield Row("clip_by_global_norm", both, _together, PAIR, (smooth, smooth), loose=4)
