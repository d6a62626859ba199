"""What a training loop is, before any library has seen it.

Law of this file: every side trains from the same `Problem`: the same data, first parameters, rows of each step, rule of
descent and number of steps; what it is judged by are the parameters that it ends with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

Arrays = tuple[np.ndarray, ...]

OURS = "symgraph"
BEST = "the best peer"
"""In a `Target`: whichever other library was fastest."""


@dataclass(frozen=True)
class Descent:
    """A rule of descent, as TensorFlow 1 defines it: `kind` is GradientDescent, Momentum or Adam."""

    kind: str
    rate: float
    momentum: float = 0.875  # a fraction that float32 and float64 both hold
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    @property
    def slots(self) -> int:
        """Arrays kept beside each parameter."""
        return {"GradientDescent": 0, "Momentum": 1, "Adam": 2}[self.kind]

    def corrected(self, step: Any) -> Any:
        """Adam's rate in step 0, 1, 2, ...; a Python number or any library's scalar."""
        return self.rate * (1 - self.beta2 ** (step + 1)) ** 0.5 / (1 - self.beta1 ** (step + 1))


@dataclass(frozen=True)
class Problem:
    """`data` has a row per sample (each step sees all, or those that `rows[step]` numbers, int32); `start` are the first
    parameters, one dtype for all."""

    data: Arrays
    start: Arrays
    steps: int
    descent: Descent
    rows: np.ndarray | None = None

    @property
    def traffic(self) -> int:
        """Bytes that a step on all rows must at least move: data and parameters are read, parameters are written."""
        return sum(a.nbytes for a in self.data) + 2 * sum(a.nbytes for a in self.start)

    def fresh(self) -> list[np.ndarray]:
        """Copies of the first parameters, to train in place."""
        return [a.copy() for a in self.start]


@dataclass(frozen=True)
class Target:
    """`ours` is to be at least `factor` times as fast as `against` (names of sides)."""

    against: str
    factor: float
    ours: str = OURS


@dataclass(frozen=True)
class Workload:
    """One training loop in every library's words.

    `graph(tf, parameters, data)` builds the loss with TensorFlow 1's names, for TensorFlow and for us; `jax`, `torch` and
    `pytensor` do the same with theirs, each given its module; `numpy(problem, parameters)` is the whole loop, in place.
    A library that has none of it (None) takes no part.
    `problem()` is the full size and `problem(**tiny)` one that takes a moment.  `more` names sides beyond one per library;
    `sides`, where given, are all that take part, ours first.
    `answer` turns final parameters into what is compared, by `rtol` and `atol`.  `moves` are the bytes that a step must at
    least move, where that is the question.  `mode` is PyTensor's fastest (None: its default).
    """

    name: str
    purpose: str
    problem: Callable[..., Problem]
    tiny: Mapping[str, int]
    graph: Callable[[Any, Sequence[Any], Sequence[Any]], Any]
    numpy: Callable[[Problem, list[np.ndarray]], None] | None
    jax: Callable[[Any, Sequence[Any], Sequence[Any]], Any]
    torch: Callable[[Any, Sequence[Any], Sequence[Any]], Any]
    pytensor: Callable[[Any, Sequence[Any], Sequence[Any]], Any] | None
    targets: tuple[Target, ...] = ()
    more: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    answer: Callable[[Problem, Sequence[np.ndarray]], Sequence[np.ndarray]] = field(default=lambda problem, parameters: parameters)
    rtol: float = 1e-4
    atol: float = 1e-5
    moves: Callable[[Problem], int] | None = None
    mode: str | None = "NUMBA"


def pick(seed: int, steps: int, batch: int, count: int) -> np.ndarray:
    """Row numbers of every step, int32 [steps, batch], with repetition as the textbook draws them."""
    return np.random.default_rng(seed).integers(0, count, (steps, batch), np.int32)


def layers(rng: np.random.Generator, sizes: Sequence[int], dtype: Any = np.float32, gain: float = 2.0) -> Arrays:
    """Weights of variance gain / inputs and zero biases: W1, b1, W2, b2, ..."""
    made = [((rng.standard_normal((a, b)) * (gain / a) ** 0.5).astype(dtype), np.zeros(b, dtype)) for a, b in pairwise(sizes)]
    return tuple(array for pair in made for array in pair)
