"""Rows of the table: what layers are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import symgraph as sg
from tests.train.op_cases import Patterns, Row, smooth, whole

BIASED: Patterns = {
    "full": (((3, 4), (4,)), ((2, 3, 4), (4,))),
    "size 1": (((3, 1), (1,)), ((1, 4), (4,))),
    "empty": (((0, 4), (4,)), ((2, 0), (0,))),
}
CHANNELS: Patterns = {"full": (((2, 3, 4), (3,)), ((2, 3, 2, 2), (3,))), "size 1": (((2, 1, 3), (1,)),), "empty": (((0, 3, 2), (3,)),)}


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
