"""Initial values of variables.

Law of this file: an initializer is a small frozen object that is called with a shape and gives a tensor.

Sources: Glorot and Bengio (2010); He et al. (2015); TF1 draws truncated normals whose standard deviation after
truncation is the one asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

from .. import dtypes
from ..dtypes import as_dtype
from ..graph import Tensor, get_default_graph
from .array import constant, eye, ones, reshape, transpose, zeros
from .core import counted_as
from .linalg import cholesky, matmul, matrix_solve
from .math import _made, cast
from .random import random_normal, random_uniform, truncated_normal

Initializer = Callable[..., Tensor]
times = _made["multiply"]
_TRUNCATED = 0.87962566103423978
"""Standard deviation of a standard normal variable truncated to (-2, 2)."""


@dataclass(frozen=True)
class Zeros:
    """All zeros."""

    dtype: Any = dtypes.float32

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        return zeros(shape, dtype or self.dtype)


@dataclass(frozen=True)
class Ones:
    """All ones."""

    dtype: Any = dtypes.float32

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        return ones(shape, dtype or self.dtype)


@dataclass(frozen=True)
class Constant:
    """One value everywhere, or the values of a list or array in C order, the last one repeated."""

    value: Any = 0
    dtype: Any = dtypes.float32
    verify_shape: bool = False

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        return constant(self.value, as_dtype(dtype or self.dtype), shape, verify_shape=self.verify_shape)


@dataclass(frozen=True)
class RandomUniform:
    """Uniform in [minval, maxval)."""

    minval: Any = 0
    maxval: Any = None
    seed: int | None = None
    dtype: Any = dtypes.float32

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        return random_uniform(shape, self.minval, self.maxval, dtype or self.dtype, self.seed)


@dataclass(frozen=True)
class RandomNormal:
    """Normal with this mean and standard deviation."""

    mean: Any = 0.0
    stddev: Any = 1.0
    seed: int | None = None
    dtype: Any = dtypes.float32

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        return random_normal(shape, self.mean, self.stddev, dtype or self.dtype, self.seed)


@dataclass(frozen=True)
class TruncatedNormal:
    """Normal, drawn again beyond two standard deviations; `stddev` is that before truncation."""

    mean: Any = 0.0
    stddev: Any = 1.0
    seed: int | None = None
    dtype: Any = dtypes.float32

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        return truncated_normal(shape, self.mean, self.stddev, dtype or self.dtype, self.seed)


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """(fan_in, fan_out) of a weight of this shape; the leading axes of a convolution's filter multiply both."""
    if len(shape) < 1:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    field = prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


@dataclass(frozen=True)
class VarianceScaling:
    """Variance scale / n, with n the fan in, the fan out or their mean."""

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    seed: int | None = None
    dtype: Any = dtypes.float32

    def __post_init__(self) -> None:
        if self.scale <= 0.0:
            raise ValueError(f"`scale` must be positive float, not {self.scale!r}")
        if self.mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"Invalid `mode` argument: {self.mode!r}; there are fan_in, fan_out, fan_avg")
        if self.distribution not in ("normal", "truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                f"Invalid `distribution` argument: {self.distribution!r}; there are truncated_normal, untruncated_normal, uniform"
            )

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        dtype = dtype or self.dtype
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = sqrt(3.0 * variance)
            return random_uniform(shape, -limit, limit, dtype, self.seed)
        if self.distribution == "untruncated_normal":
            return random_normal(shape, 0.0, sqrt(variance), dtype, self.seed)
        return truncated_normal(shape, 0.0, sqrt(variance) / _TRUNCATED, dtype, self.seed)


def glorot_uniform(seed: int | None = None, dtype: Any = dtypes.float32) -> VarianceScaling:
    """Uniform within sqrt(6 / (fan_in + fan_out)): the default of get_variable."""
    return VarianceScaling(1.0, "fan_avg", "uniform", seed, dtype)


def glorot_normal(seed: int | None = None, dtype: Any = dtypes.float32) -> VarianceScaling:
    """Truncated normal of standard deviation sqrt(2 / (fan_in + fan_out))."""
    return VarianceScaling(1.0, "fan_avg", "truncated_normal", seed, dtype)


def he_normal(seed: int | None = None, dtype: Any = dtypes.float32) -> VarianceScaling:
    """Truncated normal of standard deviation sqrt(2 / fan_in)."""
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed, dtype)


def he_uniform(seed: int | None = None, dtype: Any = dtypes.float32) -> VarianceScaling:
    """Uniform within sqrt(6 / fan_in)."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed, dtype)


def lecun_normal(seed: int | None = None, dtype: Any = dtypes.float32) -> VarianceScaling:
    """Truncated normal of standard deviation sqrt(1 / fan_in)."""
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed, dtype)


def lecun_uniform(seed: int | None = None, dtype: Any = dtypes.float32) -> VarianceScaling:
    """Uniform within sqrt(3 / fan_in)."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed, dtype)


@dataclass(frozen=True)
class UniformUnitScaling:
    """Uniform within factor * sqrt(3 / n), n the product of all extents but the last: what keeps the size of inputs."""

    factor: float = 1.0
    seed: int | None = None
    dtype: Any = dtypes.float32

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        limit = sqrt(3.0 / max(1.0, float(prod(shape[:-1])))) * self.factor
        return random_uniform(shape, -limit, limit, dtype or self.dtype, self.seed)


@dataclass(frozen=True)
class Identity:
    """gain * the identity matrix, of two axes."""

    gain: float = 1.0
    dtype: Any = dtypes.float32

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        if len(shape) != 2:
            raise ValueError("Identity matrix initializer can only be used for 2D matrices.")
        with _counted(6 if shape[0] != shape[1] else 5):
            return times(self.gain, eye(shape[0], shape[1], dtype=as_dtype(dtype or self.dtype)))


@dataclass(frozen=True)
class Orthogonal:
    """gain * a random matrix with orthonormal columns or rows, whichever are fewer; further leading axes count as rows.

    It is the Q of a normal matrix A = Q R where R has a positive diagonal (Saxe et al., 2014): with L L' = A'A, Q' = L^-1 A'."""

    gain: float = 1.0
    seed: int | None = None
    dtype: Any = dtypes.float32

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Tensor:
        if len(shape) < 2:
            raise ValueError("The tensor to initialize must be at least two-dimensional")
        d = as_dtype(dtype or self.dtype)
        rows, columns = prod(shape[:-1]), int(shape[-1])
        drawn = random_normal([max(rows, columns), min(rows, columns)], dtype=d, seed=self.seed)
        with _counted(8 if rows >= columns else 10):
            a = cast(drawn, dtypes.float64)
            for _ in range(2):  # the second time takes away what the first one rounded
                a = transpose(matrix_solve(cholesky(matmul(a, a, transpose_a=True)), transpose(a)))
            q = cast(a if rows >= columns else transpose(a), d)
            return times(self.gain, reshape(q, shape))


def _counted(count: int) -> AbstractContextManager[None]:
    return counted_as(get_default_graph(), count)


def default_initializer(dtype: dtypes.DType) -> Initializer:
    """What get_variable uses when nothing is said: Glorot's for floats, zeros for integers and truth values."""
    return glorot_uniform() if dtype.is_floating else Zeros()
