"""`tf.distributions`: densities, draws and entropies of common distributions, as tensors.

Law of this file: parameters broadcast against each other and against values, and whatever is computed from them is an
expression like any other, so gradients reach them; a draw is made of a standard one, scaled and moved, where that is how
the distribution is drawn.  Formulas are the textbook's.  Draws under a seed are TensorFlow's, those of Categorical aside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .dtypes import DType, as_dtype, int32, int64
from .graph import Attempt, Tensor, convert, get_default_graph
from .ops.array import concat, expand_dims, ones_like, reshape, shape, transpose, zeros_like
from .ops.clip import clip_by_value
from .ops.core import FLOATS, is_tensor, need, same_dtype
from .ops.linalg import matrix_diag
from .ops.math import _made, cast, where
from .ops.movement import broadcast_to
from .ops.nn import log_softmax, sigmoid_cross_entropy_with_logits, sparse_softmax_cross_entropy_with_logits
from .ops.random import random_normal, random_uniform
from .ops.reduce import argmax, reduce_prod, reduce_sum
from .ops.sampling import multinomial
from .shapes import TensorShape
from .special import erfc

exp, log, log1p, expm1, sqrt, square = (_made[n] for n in ("exp", "log", "log1p", "expm1", "sqrt", "square"))
absolute, sign = _made["abs"], _made["sign"]
sigmoid, softplus, less, less_equal, logical_and, is_nan = (
    _made[n] for n in ("sigmoid", "softplus", "less", "less_equal", "logical_and", "is_nan")
)


class Distribution:
    """What all distributions have; a batch of them has `batch_shape`, one draw of one of them `event_shape`."""

    _event_rank = 0

    def __init__(self, name: str, dtype: DType | None, **given: Any) -> None:
        graph = get_default_graph()
        with Attempt(graph, name, name, {k: v for k, v in given.items() if v is not None}), graph.name_scope(name) as scope:
            self._scope = scope
            like = next((v for v in given.values() if is_tensor(v) or isinstance(v, np.ndarray | np.generic)), None)
            wanted = None if like is None else convert(like).dtype
            tensors: dict[str, Any] = {k: convert(v, like=wanted, name=k) for k, v in given.items() if v is not None}
            first, *rest = tensors.values()
            need(first, *FLOATS, parameter=next(iter(tensors)))
            for t in rest:
                same_dtype(name, first, t, ("parameter", "parameter"))
            self.parameters = tensors
            self._whole: Any = sum(rest, first)  # its shape is what counts
        self.dtype = dtype or first.dtype

    @property
    def name(self) -> str:
        """The name scope of what it computes."""
        return self._scope

    @contextmanager
    def _in(self, what: str, name: str | None = None) -> Iterator[None]:
        graph = self._whole.graph
        with graph.as_default(), graph.name_scope(self._scope), graph.name_scope(name or what):
            yield

    def _value(self, value: Any) -> Any:
        return convert(value, like=self._whole.dtype, name="value")

    # -- shapes
    def batch_shape_tensor(self, name: str | None = None) -> Tensor:
        """How many distributions there are along each axis, as a tensor."""
        with self._in("batch_shape_tensor", name):
            every = shape(self._whole)
            return every[:-1] if self._event_rank else every  # type: ignore[index]

    @property
    def batch_shape(self) -> TensorShape:
        """How many distributions there are along each axis, as far as it is known."""
        return self._whole.shape[:-1] if self._event_rank else self._whole.shape

    def event_shape_tensor(self, name: str | None = None) -> Tensor:
        """The shape of one draw, as a tensor."""
        with self._in("event_shape_tensor", name):
            return shape(self._whole)[-1:] if self._event_rank else convert(np.zeros(0, np.int32))  # type: ignore[index]

    @property
    def event_shape(self) -> TensorShape:
        """The shape of one draw, as far as it is known."""
        return self._whole.shape[-1:] if self._event_rank else TensorShape([])

    # -- draws
    def sample(self, sample_shape: Any = (), seed: int | None = None, name: str | None = None) -> Any:
        """Draws: sample_shape (an int or ints) + batch_shape + event_shape."""
        with self._in("sample", name):
            if is_tensor(sample_shape):
                front = reshape(sample_shape, [-1])
            else:
                front = convert(np.asarray(sample_shape, np.int32).reshape(-1), name="sample_shape")
            return self._draw(front, seed)

    def _full(self, front: Tensor) -> Tensor:
        return concat([front, shape(self._whole)], 0)

    def _draw(self, front: Tensor, seed: int | None) -> Tensor:
        raise NotImplementedError

    # -- numbers
    def _refused(self, what: str) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no {what} here\nscipy.stats has it, for numbers that were fetched")

    def __getattr__(self, name: str) -> Any:
        words = f"tf.distributions.{type(self).__name__}.{name} is not part of symgraph: {', '.join(_WHAT_THERE_IS)} are"
        raise AttributeError(name if name.startswith("_") else words)

    def log_prob(self, value: Any, name: str | None = None) -> Any:
        """The logarithm of the density, or of the probability, at a value."""
        with self._in("log_prob", name):
            return self._log_prob(self._value(value))

    def prob(self, value: Any, name: str | None = None) -> Any:
        """The density, or the probability, at a value."""
        with self._in("prob", name):
            return exp(self._log_prob(self._value(value)))

    def cdf(self, value: Any, name: str | None = None) -> Any:
        """The probability of no more than a value."""
        with self._in("cdf", name):
            return self._cdf(self._value(value))

    def survival_function(self, value: Any, name: str | None = None) -> Any:
        """The probability of more than a value."""
        with self._in("survival_function", name):
            return self._survival(self._value(value))

    def log_cdf(self, value: Any, name: str | None = None) -> Any:
        """The logarithm of `cdf`."""
        with self._in("log_cdf", name):
            return _log_of(self._cdf, self._survival, self._value(value))

    def log_survival_function(self, value: Any, name: str | None = None) -> Any:
        """The logarithm of `survival_function`."""
        with self._in("log_survival_function", name):
            return _log_of(self._survival, self._cdf, self._value(value))

    def quantile(self, value: Any, name: str | None = None) -> Any:
        """The number of which `cdf` is a value between 0 and 1."""
        with self._in("quantile", name):
            return self._quantile(self._value(value))

    def mean(self, name: str | None = None) -> Any:
        """The expected value."""
        with self._in("mean", name):
            return self._mean()

    def variance(self, name: str | None = None) -> Any:
        """The expected square of the difference to the mean."""
        with self._in("variance", name):
            return self._variance()

    def stddev(self, name: str | None = None) -> Any:
        """The root of the variance."""
        with self._in("stddev", name):
            return sqrt(self._variance())

    def mode(self, name: str | None = None) -> Any:
        """The most probable value."""
        with self._in("mode", name):
            return self._mode()

    def entropy(self, name: str | None = None) -> Any:
        """The expected -log_prob, in nats."""
        with self._in("entropy", name):
            return self._entropy()

    def kl_divergence(self, other: Distribution, name: str | None = None) -> Any:
        """The divergence of Kullback and Leibler from another distribution of this kind, in nats."""
        return kl_divergence(self, other, name=name)

    def cross_entropy(self, other: Distribution, name: str | None = None) -> Any:
        """The expected -log_prob of another distribution of this kind, in nats."""
        with self._in("cross_entropy", name):
            return self._kl(other) + self._entropy()

    def _log_prob(self, x: Any) -> Any:
        return self._refused("log_prob")

    def _cdf(self, x: Any) -> Any:
        return self._refused("cdf")

    def _survival(self, x: Any) -> Any:
        return 1.0 - self._cdf(x)

    def _quantile(self, p: Any) -> Any:
        return self._refused("quantile")

    def _mean(self) -> Any:
        return self._refused("mean")

    def _variance(self) -> Any:
        return self._refused("variance")

    def _mode(self) -> Any:
        return self._refused("mode")

    def _entropy(self) -> Any:
        return self._refused("entropy")

    def _kl(self, other: Any) -> Any:
        return self._refused("kl_divergence")

    def _spread(self, x: Any) -> Any:
        """x for each distribution of the batch."""
        return x + zeros_like(self._whole)

    def __repr__(self) -> str:
        sizes = f"batch_shape={self.batch_shape} event_shape={self.event_shape} dtype={self.dtype.name}"
        return f"<tf.distributions.{type(self).__name__} '{self._scope}' {sizes}>"


def _log_of(p: Callable[[Any], Any], rest: Callable[[Any], Any], x: Any) -> Any:
    """log p(x), where p(x) + rest(x) = 1 and both are exact where they are small."""
    found = p(x)
    return where(less(found, 0.5), log(found), log1p(-rest(x)))


_WHAT_THERE_IS = [n for n, f in vars(Distribution).items() if not n.startswith("_") and callable(f)]


def kl_divergence(distribution_a: Any, distribution_b: Any, allow_nan_stats: bool = True, name: str | None = None) -> Any:
    """KL(a || b), the expected log(a / b) under a, in nats; both of one kind."""
    a, b = distribution_a, distribution_b
    if type(a) is not type(b) or not isinstance(a, Distribution):
        raise NotImplementedError(
            f"No KL(distribution_a || distribution_b) registered for distribution_a type {type(a).__name__} and distribution_b type "
            f"{type(b).__name__}\nthe mean of a.log_prob(x) - b.log_prob(x) over x = a.sample(n) estimates it"
        )
    with a._in("kl_divergence", name):
        return a._kl(b)


# ---------------------------------------------------------------- on the line
class _Symmetric(Distribution):
    """What lies around `loc` as wide as `scale`: its mean and mode is `loc`."""

    def __init__(self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str | None = None) -> None:
        super().__init__(name or type(self).__name__, None, loc=loc, scale=scale)
        self.loc: Any = self.parameters["loc"]
        self.scale: Any = self.parameters["scale"]

    def _mean(self) -> Any:
        return self._spread(self.loc)

    _mode = _mean


class Normal(_Symmetric):
    """The normal distribution of mean `loc` and standard deviation `scale`."""

    def _draw(self, front: Tensor, seed: int | None) -> Any:
        drawn: Any = random_normal(self._full(front), 0.0, 1.0, self._whole.dtype, seed)
        return drawn * self.scale + self.loc

    def _log_prob(self, x: Any) -> Any:
        return -0.5 * square((x - self.loc) / self.scale) - (0.5 * math.log(2 * math.pi) + log(self.scale))

    def _cdf(self, x: Any) -> Any:
        return 0.5 * erfc((self.loc - x) / (self.scale * math.sqrt(2)))

    def _survival(self, x: Any) -> Any:
        return 0.5 * erfc((x - self.loc) / (self.scale * math.sqrt(2)))

    def _variance(self) -> Any:
        return self._spread(square(self.scale))

    def _entropy(self) -> Any:
        return self._spread(0.5 * math.log(2 * math.pi * math.e) + log(self.scale))

    def _kl(self, other: Any) -> Any:
        ratio = square(self.scale / other.scale)
        return square(self.loc - other.loc) / (2.0 * square(other.scale)) + 0.5 * (ratio - 1.0 - log(ratio))


class MultivariateNormalDiag(Normal):
    """Vectors of independent normal numbers: means `loc` and standard deviations `scale_diag` along the last axis."""

    _event_rank = 1

    def __init__(
        self,
        loc: Any = None,
        scale_diag: Any = None,
        scale_identity_multiplier: Any = None,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "MultivariateNormalDiag",
    ) -> None:
        if scale_identity_multiplier is not None or loc is None and scale_diag is None:
            raise NotImplementedError("MultivariateNormalDiag takes loc and scale_diag here\nscale_diag may be a tensor of equal numbers")
        here = loc if scale_diag is None else scale_diag
        super().__init__(zeros_like(here) if loc is None else loc, ones_like(here) if scale_diag is None else scale_diag, name=name)

    def _log_prob(self, x: Any) -> Any:
        return reduce_sum(super()._log_prob(x), axis=-1)

    def _cdf(self, x: Any) -> Any:
        return self._refused("cdf")

    def _entropy(self) -> Any:
        return reduce_sum(super()._entropy(), axis=-1)

    def _kl(self, other: Any) -> Any:
        return reduce_sum(super()._kl(other), axis=-1)

    def covariance(self, name: str | None = None) -> Any:
        """The matrix of covariances: the variances on its diagonal."""
        with self._in("covariance", name):
            return matrix_diag(self._variance())


class Laplace(_Symmetric):
    """The distribution of Laplace around `loc`: density exp(-|x - loc| / scale) / (2 scale)."""

    def _draw(self, front: Tensor, seed: int | None) -> Any:
        t = self._whole.dtype.as_numpy_dtype
        u: Any = random_uniform(self._full(front), np.nextafter(t(-1), t(0)), 1.0, self._whole.dtype, seed)
        return self.loc - self.scale * sign(u) * log1p(-absolute(u))

    def _log_prob(self, x: Any) -> Any:
        return -absolute((x - self.loc) / self.scale) - math.log(2) - log(self.scale)

    def _cdf(self, x: Any) -> Any:
        z = (x - self.loc) / self.scale
        return 0.5 + 0.5 * sign(z) * (1.0 - exp(-absolute(z)))

    def _quantile(self, p: Any) -> Any:
        return self.loc - self.scale * sign(p - 0.5) * log1p(-absolute(2.0 * p - 1.0))

    def _variance(self) -> Any:
        return self._spread(2.0 * square(self.scale))

    def _entropy(self) -> Any:
        return self._spread(math.log(2) + 1.0 + log(self.scale))

    def _kl(self, other: Any) -> Any:
        apart, ratio = absolute(self.loc - other.loc), self.scale / other.scale
        return -log(ratio) - 1.0 + apart / other.scale + ratio * exp(-apart / self.scale)


class Exponential(Distribution):
    """The exponential distribution: density rate exp(-rate x) on x >= 0."""

    def __init__(self, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Exponential") -> None:
        super().__init__(name, None, rate=rate)
        self.rate: Any = self.parameters["rate"]

    def _draw(self, front: Tensor, seed: int | None) -> Any:
        least = np.finfo(self._whole.dtype.as_numpy_dtype).tiny
        u: Any = random_uniform(self._full(front), least, 1.0, self._whole.dtype, seed)
        return -log(u) / self.rate

    def _log_prob(self, x: Any) -> Any:
        return log(self.rate) - self.rate * x

    def _cdf(self, x: Any) -> Any:
        return -expm1(-self.rate * x)

    def _survival(self, x: Any) -> Any:
        return exp(-self.rate * x)

    def _quantile(self, p: Any) -> Any:
        return -log1p(-p) / self.rate

    def _mean(self) -> Any:
        return 1.0 / self.rate

    def _variance(self) -> Any:
        return 1.0 / square(self.rate)

    def _mode(self) -> Any:
        return zeros_like(self.rate)

    def _entropy(self) -> Any:
        return 1.0 - log(self.rate)

    def _kl(self, other: Any) -> Any:
        return log(self.rate) - log(other.rate) + other.rate / self.rate - 1.0


class Uniform(Distribution):
    """The uniform distribution on [low, high)."""

    def __init__(
        self, low: Any = 0.0, high: Any = 1.0, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Uniform"
    ) -> None:
        super().__init__(name, None, low=low, high=high)
        self.low: Any = self.parameters["low"]
        self.high: Any = self.parameters["high"]

    def range(self, name: str | None = None) -> Any:
        """high - low."""
        with self._in("range", name):
            return self.high - self.low

    def _draw(self, front: Tensor, seed: int | None) -> Any:
        u: Any = random_uniform(self._full(front), 0.0, 1.0, self._whole.dtype, seed)
        return self.low + (self.high - self.low) * u

    def _log_prob(self, x: Any) -> Any:
        density = self._spread(-log(self.high - self.low)) + zeros_like(x)
        inside = logical_and(less_equal(self.low, x), less(x, self.high))
        outside = where(is_nan(x), x, zeros_like(x) - math.inf)
        return where(broadcast_to(inside, shape(density)), density, outside + zeros_like(density))

    def _quantile(self, p: Any) -> Any:
        return self.low + (self.high - self.low) * p

    def _cdf(self, x: Any) -> Any:
        return clip_by_value((x - self.low) / (self.high - self.low), 0.0, 1.0)

    def _mean(self) -> Any:
        return 0.5 * (self.low + self.high)

    def _mode(self) -> Any:
        return self._refused("mode")

    def _variance(self) -> Any:
        return square(self.high - self.low) / 12.0

    def _entropy(self) -> Any:
        return log(self.high - self.low)

    def _kl(self, other: Any) -> Any:
        inside = logical_and(less_equal(other.low, self.low), less_equal(self.high, other.high))
        found = log(other.high - other.low) - log(self.high - self.low)
        return where(broadcast_to(inside, shape(found)), found, zeros_like(found) + math.inf)


# ---------------------------------------------------------------- of classes
class _Classes(Distribution):
    """What is said by `probs` or by `logits`, and never by both; draws are of `dtype`."""

    logits: Any
    probs: Any

    def __init__(
        self,
        logits: Any = None,
        probs: Any = None,
        dtype: Any = int32,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str | None = None,
    ) -> None:
        if (logits is None) == (probs is None):
            raise ValueError("Must pass probs or logits, but not both.")
        super().__init__(name or type(self).__name__, as_dtype(dtype), logits=logits, probs=probs)
        with self._in("parameters"):
            self._complete(self.parameters.get("logits"), self.parameters.get("probs"))

    def _complete(self, logits: Any, probs: Any) -> None:
        """Set both, from the one that is given."""
        raise NotImplementedError


class Bernoulli(_Classes):
    """0 or 1: 1 with probability `probs`, or sigmoid(`logits`)."""

    def _complete(self, logits: Any, probs: Any) -> None:
        self.probs = sigmoid(logits) if probs is None else probs
        self.logits = log(probs) - log1p(-probs) if logits is None else logits

    def _draw(self, front: Tensor, seed: int | None) -> Any:
        u = random_uniform(self._full(front), 0.0, 1.0, self._whole.dtype, seed)
        return cast(less(u, self.probs), self.dtype)

    def _value(self, value: Any) -> Any:
        return cast(convert(value, name="value"), self._whole.dtype)

    def _log_prob(self, x: Any) -> Any:
        z = self.logits
        return -sigmoid_cross_entropy_with_logits(labels=x + zeros_like(z), logits=z + zeros_like(x))  # type: ignore[operator]

    def _mean(self) -> Any:
        return self.probs * 1.0

    def _variance(self) -> Any:
        return self.probs * (1.0 - self.probs)

    def _mode(self) -> Any:
        return cast(less(0.5, self.probs), self.dtype)

    def _entropy(self) -> Any:
        return -self.logits * (sigmoid(self.logits) - 1.0) + softplus(-self.logits)

    def _kl(self, other: Any) -> Any:
        a, b = self.logits, other.logits
        return sigmoid(a) * (softplus(-b) - softplus(-a)) + sigmoid(-a) * (softplus(b) - softplus(a))


class Categorical(_Classes):
    """A class from 0 to n - 1: with probabilities `probs`, or softmax(`logits`), along the last axis."""

    _event_rank = 1  # of the parameters: a draw is a number

    def _complete(self, logits: Any, probs: Any) -> None:
        self.logits = log(probs) if logits is None else logits
        self.probs = exp(log_softmax(logits)) if probs is None else probs
        self.event_size: Any = shape(self._whole)[-1]  # type: ignore[index]

    @property
    def event_shape(self) -> TensorShape:
        return TensorShape([])

    def event_shape_tensor(self, name: str | None = None) -> Tensor:
        with self._in("event_shape_tensor", name):
            return convert(np.zeros(0, np.int32))

    def _draw(self, front: Tensor, seed: int | None) -> Any:
        sizes: Any = shape(self._whole)
        count: Any = reduce_prod(front)
        drawn = multinomial(reshape(self.logits, [-1, sizes[-1]]), count, seed, output_dtype=int64 if self.dtype is int64 else int32)
        return cast(reshape(transpose(drawn), concat([front, sizes[:-1]], 0)), self.dtype)

    def _value(self, value: Any) -> Any:
        t = convert(value, name="value")
        return t if t.dtype in (int32, int64) else cast(t, int32)

    def _log_prob(self, k: Any) -> Any:
        apart: Any = zeros_like(k)
        labels = k + zeros_like(reduce_sum(self.logits, axis=-1), dtype=k.dtype)
        logits = self.logits + expand_dims(cast(apart, self._whole.dtype), -1)
        return -sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)  # type: ignore[operator]

    def _mode(self) -> Any:
        return cast(argmax(self.logits, -1), self.dtype)

    def _entropy(self) -> Any:
        inside: Any = log_softmax(self.logits)
        return -reduce_sum(inside * exp(inside), axis=-1)  # type: ignore[operator]

    def _kl(self, other: Any) -> Any:
        a: Any = log_softmax(self.logits)
        return reduce_sum(exp(a) * (a - log_softmax(other.logits)), axis=-1)
