"""What a table of operations is made of: shapes in pattern classes, domains of random values, rows and cases.

Law of this file: data types only, no operation is named here.  Domains keep random values away from kinks, so that
central differences of the NumPy meaning are the derivative; values on kinks are in `edge_table`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Operands = tuple[Shape, ...]
Patterns = dict[str, tuple[Operands, ...]]
Domain = Callable[[np.random.Generator, Shape], np.ndarray]

FLOATS = ("float32", "float64")
INTS = ("int32", "int64", "int16", "int8", "uint8")


# ---------------------------------------------------------------- domains
def smooth(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Both signs, away from 0."""
    return rng.uniform(0.2, 2, shape) * rng.choice([-1, 1], shape)


def positive(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.uniform(0.4, 2.2, shape)


def unit(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.uniform(-0.8, 0.8, shape)


def fractional(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Away from whole numbers and from halves."""
    return rng.integers(-3, 4, shape) + rng.uniform(0.1, 0.4, shape)


def halves(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Multiples of 1/2: equal values occur, for comparisons."""
    return rng.integers(-2, 3, shape) / 2


def distinct(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    n = int(np.prod(shape, dtype=int))
    return (rng.permutation(n).reshape(shape) - n / 2) * 0.25 + 0.1


def truth(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.integers(0, 2, shape).astype(bool)


def regular(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Matrices far from singular."""
    return rng.uniform(-0.6, 0.6, shape) + 2 * np.eye(shape[-2], shape[-1])


def definite(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    a = rng.uniform(-1, 1, shape)
    return a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])


def whole(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.integers(-6, 7, shape)


def nonzero(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.integers(1, 7, shape) * rng.choice([-1, 1], shape)


def small(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.integers(0, 4, shape)


# ---------------------------------------------------------------- shapes
def alone(*shapes: Shape) -> tuple[Operands, ...]:
    """Each shape as the only operand."""
    return tuple((s,) for s in shapes)


ONE: Patterns = {
    "full": alone((3, 4), (), (5,), (2, 3, 4)),
    "size 1": alone((3, 1), (1,), (1, 4), (1, 3, 1), (1, 1, 1)),
    "empty": alone((0, 4), (0,), (3, 0), (2, 0, 3), (0, 0)),
}
TWO: Patterns = {
    "same": (((3, 4), (3, 4)), ((), ()), ((5,), (5,)), ((2, 3, 4), (2, 3, 4)), ((1,), (1,)), ((1, 1), (1, 1))),
    "scalar": (((2, 3), ()), ((), (3,)), ((), (2, 3)), ((2, 3, 4), ()), ((), (2, 3, 4))),
    "size 1": (((2, 1), (2, 3)), ((1,), (3,)), ((2, 3), (1, 3)), ((2, 1), (1, 3)), ((2, 3, 4), (2, 1, 4)), ((1, 3, 1), (2, 1, 4))),
    "missing": (((3,), (2, 3)), ((2, 3), (3,)), ((2, 3, 4), (3, 4)), ((4,), (2, 3, 4)), ((1,), (2, 3))),
    "both": (((2, 3, 1), (4,)), ((3, 1), (2, 3, 4)), ((1, 4), (2, 3, 4)), ((2, 1, 1), (3, 1))),
    "empty": (
        ((2, 0), (2, 1)),
        ((0,), (0,)),
        ((0,), (1,)),
        ((1,), (0,)),
        ((0, 3), (3,)),
        ((2, 0), ()),
        ((2, 0, 4), (1, 4)),
        ((0, 1), (1, 0)),
    ),
}
THREE: Patterns = {
    "same": (((3, 4),) * 3, ((),) * 3, ((5,),) * 3, ((2, 3, 4),) * 3),
    "size 1": (((3, 1), (3, 4), (1, 4)), ((1,), (3,), (3,)), ((1, 1), (2, 1), (1, 3))),
    "missing": (((), (2, 3), (2, 3)), ((3,), (3, 4), (3, 4)), ((2, 3), (), (3,)), ((2,), (2, 3, 4), (2, 3, 4))),
    "empty": (((0,), (0,), (0,)), ((2, 0), (2, 0), (2, 1)), ((), (0, 3), (3,))),
}
SQUARE: Patterns = {
    "full": alone((3, 3), (2, 2), (2, 3, 3), (2, 2, 3, 3)),
    "size 1": alone((1, 1), (1, 3, 3), (2, 1, 1)),
    "empty": alone((0, 0), (0, 2, 2), (2, 0, 0)),
}
PRODUCT: Patterns = {
    "full": (((2, 3), (3, 4)), ((5, 5), (5, 5))),
    "size 1": (((3, 1), (1, 4)), ((1, 1), (1, 1)), ((1, 3), (3, 1)), ((1, 2, 1), (1, 1, 3))),
    "batch": (((2, 2, 3), (2, 3, 4)), ((2, 2, 2, 3), (2, 2, 3, 2))),
    "broadcast": (((2, 3), (5, 3, 4)), ((5, 2, 3), (3, 4)), ((1, 2, 3), (5, 3, 4)), ((2, 1, 2, 3), (3, 3, 4))),
    "empty": (((2, 0), (0, 3)), ((0, 3), (3, 2)), ((2, 3), (3, 0)), ((0, 2, 3), (0, 3, 4)), ((2, 2, 0), (0, 3)), ((0, 2, 3), (3, 4))),
}
NONE: Patterns = {"none": ((),)}


def where_rank(patterns: Patterns, ok: Callable[[int], bool]) -> Patterns:
    """The patterns whose first operand has such a rank."""
    kept = {name: tuple(s for s in group if ok(len(s[0]))) for name, group in patterns.items()}
    return {name: group for name, group in kept.items() if group}


def at_least(rank: int, patterns: Patterns = ONE) -> Patterns:
    return where_rank(patterns, lambda r: r >= rank)


# ---------------------------------------------------------------- rows
@dataclass(frozen=True, eq=False)
class Row:
    """`op` is the exported name; `build` and `numpy` take the operands and give one value or a list of them.

    `domains` draw float operands, `whole` integer ones (None: no integers); a domain that draws bools stays bool.
    `gradient`: 'yes' (central differences), 'none' (`gradients` gives None), 'skip' (the result is no float).
    `real` is the meaning in real numbers where `numpy` rounds; `loose` widens tolerances; `dtypes` are the float (or
    bool) ones tried; `twice`: the second derivative is tried too."""

    op: str
    build: Callable[..., Any]
    numpy: Callable[..., Any]
    shapes: Patterns
    domains: Sequence[Domain] = ()
    whole: Sequence[Domain] | None = None
    label: str = ""
    gradient: str = "yes"
    loose: float = 1.0
    dtypes: tuple[str, ...] = FLOATS
    twice: bool = True
    real: Callable[..., Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.op} {self.label}".strip()


@dataclass(frozen=True, eq=False)
class Case:
    """One row on operands of one dtype and one tuple of shapes; `first` in its pattern class."""

    row: Row
    dtype: str
    pattern: str
    shapes: Operands
    first: bool

    @property
    def name(self) -> str:
        return f"{self.row.name} {self.dtype} {' x '.join(map(str, self.shapes))}"

    @property
    def differentiable(self) -> bool:
        """Are gradients asked for?"""
        return self.row.gradient != "skip" and self.dtype in FLOATS

    def arrays(self) -> list[np.ndarray]:
        """The operands, always the same ones for the same row and shapes."""
        rng = np.random.default_rng([len(self.shapes), *map(ord, self.row.name), *(d for s in self.shapes for d in (len(s), *s))])
        domains = self.row.whole if self.dtype in INTS else self.row.domains
        assert domains is not None
        drawn = [f(rng, s) for f, s in zip(domains, self.shapes, strict=True)]
        if self.dtype == "uint8":
            drawn = [np.abs(a) if a.dtype != bool else a for a in drawn]
        return [np.asarray(a if a.dtype == bool else a.astype(self.dtype)) for a in drawn]

    def expected(self, arrays: Sequence[np.ndarray], real: bool = False) -> list[np.ndarray]:
        """What NumPy gives; with `real`, before it is rounded to a coarser dtype than the operands'."""
        meaning = self.row.real or self.row.numpy if real else self.row.numpy
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's own remark on the mean of nothing
            return [np.asarray(v) for v in as_list(meaning(*arrays))]

    def weights(self) -> list[np.ndarray]:
        """The w of sum(w * result), for gradients."""
        rng = np.random.default_rng(7)
        return [np.asarray(rng.uniform(0.5, 1.5, v.shape).astype(v.dtype)) for v in self.expected(self.arrays())]


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def cases(row: Row) -> Iterator[Case]:
    """Floats on every shape; int32 on every shape, the other integers on the first of each pattern class."""
    for dtype in (*row.dtypes, *(INTS if row.whole is not None else ())):
        for pattern, group in row.shapes.items():
            for k, shapes in enumerate(group):
                if dtype in (*FLOATS, "int32", "bool") or k == 0:
                    yield Case(row, dtype, pattern, shapes, k == 0)


def digits(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Whole numbers whose cubes fit any integer dtype."""
    return rng.integers(-4, 4, shape)


def axes_of(axis: Any) -> Any:
    """An axis argument as NumPy takes it."""
    return tuple(axis) if isinstance(axis, list) else axis
