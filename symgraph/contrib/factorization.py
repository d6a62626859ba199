"""`tf.contrib.factorization`: k-means, as an operation that moves the centres by a step.

Law of this file: it is written over operations that everybody has; squared distances are |x|² - 2 x·c + |c|².
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..graph import Operation, Tensor, convert, get_default_graph
from ..ops.array import ones_like, shape
from ..ops.array import range as numbers
from ..ops.control import group
from ..ops.gather import gather
from ..ops.linalg import l2_normalize, matmul
from ..ops.math import _made, cast
from ..ops.python import py_func
from ..ops.random import random_shuffle
from ..ops.reduce import argmin, reduce_min, reduce_sum
from ..ops.segments import unsorted_segment_sum
from ..ops.state import Variable, assign, assign_add

SQUARED_EUCLIDEAN_DISTANCE, COSINE_DISTANCE = "squared_euclidean", "cosine"
RANDOM_INIT, KMEANS_PLUS_PLUS_INIT, KMC2_INIT = "random", "kmeans_plus_plus", "kmc2"
_KINDS = (SQUARED_EUCLIDEAN_DISTANCE, COSINE_DISTANCE)
_square, _maximum = _made["square"], _made["maximum"]


class KMeans:
    """Clusters of the rows of `inputs`, a tensor [rows, columns] with a known number of columns.

    `initial_clusters`: 'random' rows, 'kmeans_plus_plus' (rows far from each other: Arthur and Vassilvitskii, 2007), a value
    [num_clusters, columns], or a function of (inputs, num_clusters).  `distance_metric`: 'squared_euclidean' or 'cosine'.
    A training step moves the centres to the means of their rows, and with `use_mini_batch` by the part of the way that the
    rows are of all rows seen so far (Sculley, 2010)."""

    def __init__(
        self,
        inputs: Any,
        num_clusters: int,
        initial_clusters: Any = RANDOM_INIT,
        distance_metric: str = SQUARED_EUCLIDEAN_DISTANCE,
        use_mini_batch: bool = False,
        mini_batch_steps_per_iteration: int = 1,
        random_seed: int = 0,
        kmeans_plus_plus_num_retries: int = 2,
        kmc2_chain_length: int = 200,
    ) -> None:
        if distance_metric not in _KINDS:
            raise ValueError(f"Unsupported distance metric passed to Kmeans {distance_metric}: there are {', '.join(_KINDS)}")
        if use_mini_batch and mini_batch_steps_per_iteration != 1:
            raise NotImplementedError("KMeans moves the centres in each step: mini_batch_steps_per_iteration is 1 here")
        parts = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if len(parts) != 1:
            raise ValueError(f"KMeans takes one tensor of inputs here, not {len(parts)}")
        self._inputs, self._count, self._start = convert(parts[0]), int(num_clusters), initial_clusters
        self._cosine, self._mini, self._seed = distance_metric == COSINE_DISTANCE, use_mini_batch, random_seed

    def training_graph(self) -> tuple[list[Tensor], list[Tensor], list[Tensor], Variable, Operation, Operation]:
        """(distances from all centres, number of the nearest one, distance from it, is there a start?, the operation that makes
        one, a training step); the first three are lists of one tensor, of shapes [rows, clusters], [rows] and [rows]."""
        columns = None if self._inputs.extents is None else self._inputs.extents[1]
        if not isinstance(columns, int):
            raise ValueError(f"the number of columns must be known: {self._inputs.described()}")
        graph = get_default_graph()
        with graph.name_scope("KMeans"):
            x = l2_normalize(self._inputs, 1) if self._cosine else self._inputs
            kind = x.dtype.as_numpy_dtype
            centres = Variable(np.zeros((self._count, columns), kind), trainable=False, name="clusters")
            started = Variable(False, trainable=False, name="initialized")
            c = l2_normalize(centres, 1) if self._cosine else convert(centres)
            products = matmul(x, c, transpose_b=True)
            if self._cosine:
                distances = 1.0 - products
            else:
                squares = reduce_sum(_square(x), 1, keepdims=True) - 2.0 * products + reduce_sum(_square(c), 1)
                distances = _maximum(squares, np.zeros((), kind))
            nearest, scores = argmin(distances, 1), reduce_min(distances, 1)
            start = group(assign(centres, self._first(x)), assign(started, True), name="init")
            step = self._step(x, nearest, centres, c)
        return [distances], [nearest], [scores], started, start, step

    def _first(self, x: Tensor) -> Any:
        """Where the centres start."""
        if callable(self._start):
            return self._start(x, self._count)
        if not isinstance(self._start, str):
            return convert(self._start, like=x.dtype)
        if self._start == RANDOM_INIT:
            return gather(x, random_shuffle(numbers(shape(x)[0]), seed=self._seed)[: self._count])
        if self._start not in (KMEANS_PLUS_PLUS_INIT, KMC2_INIT):
            raise ValueError(f"Unsupported initial_clusters: {self._start!r}")
        chosen = py_func(lambda rows: _far_apart(rows, self._count, self._seed), [x], x.dtype)
        chosen.set_shape([self._count, x.shape[1]])
        return chosen

    def _step(self, x: Tensor, nearest: Tensor, centres: Variable, c: Tensor) -> Operation:
        """The centres are moved."""
        sums = unsorted_segment_sum(x, nearest, self._count)
        counts = unsorted_segment_sum(cast(ones_like(nearest), x.dtype), nearest, self._count)
        if not self._mini:
            means = sums / (counts + 1e-6)[:, None]
            return group(assign(centres, l2_normalize(means, 1) if self._cosine else means), name="training_op")
        seen = Variable(np.zeros(self._count, np.int64), trainable=False, name="total_counts")
        total = cast(seen, x.dtype) + counts
        moves = (sums - counts[:, None] * c) / _maximum(total, np.ones((), x.dtype.as_numpy_dtype))[:, None]
        return group(assign(centres, c + moves), assign_add(seen, cast(counts, dtypes.int64)), name="training_op")


def _far_apart(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """`count` of the rows, each drawn with a probability that grows with the squared distance from those drawn before."""
    draw = np.random.default_rng(seed)
    chosen = [int(draw.integers(len(rows)))]
    away = np.full(len(rows), np.inf)
    for _ in range(count - 1):
        away = np.minimum(away, ((rows - rows[chosen[-1]]).astype(np.float64) ** 2).sum(1))
        weights = away / away.sum() if away.sum() > 0 else None
        chosen.append(int(draw.choice(len(rows), p=weights)))
    return rows[chosen]
