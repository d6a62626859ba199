"""Losses over a few sampled classes, and the samplers.

Law of this file: a sampler draws classes from TF's own stream, and says how often each was to be expected; the losses are
compositions over the rows of the classes that were drawn.

Sources: noise-contrastive estimation, Gutmann and Hyvarinen (2010), Mnih and Teh (2012); sampled softmax, Jean et al. (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from .. import build, dtypes, scalar
from ..codegen import scalar as fn
from ..dtypes import float32, int64
from ..graph import Tensor, builder, convert
from ..node import Node
from .array import concat, expand_dims, ones_like, reshape, shape, stack, zeros_like
from .core import FLOATS, INDICES, counted_as, need, recording
from .embedding import embedding_lookup
from .linalg import matmul
from .math import _made, cast, stop_gradient
from .nn import sigmoid_cross_entropy_with_logits, softmax_cross_entropy_with_logits_v2
from .random import candidates, standard_uniform
from .reduce import argmax, reduce_any, reduce_sum

multiply, log = _made["multiply"], _made["log"]
x0, x1 = scalar.x(0), scalar.x(1)


class CandidateSampler(NamedTuple):
    """What a sampler gives: [sampled] classes, and how often each of the true ones and of these was to be expected."""

    sampled_candidates: Tensor
    true_expected_count: Tensor
    sampled_expected_count: Tensor


@builder("CandidateSampler")
def _counts(true_classes: Node, drawn: Node, num_sampled: int, range_max: int, log_uniform: bool, unique: bool) -> tuple[Node, ...]:
    """With probability p in one draw: p times the draws, or where draws were repeated, 1 - (1 - p)^draws."""
    sampled = build.slice_(drawn, (0,), (num_sampled,), (1,))
    draws = build.reshape(build.slice_(drawn, (num_sampled,), (1,), (1,)), ())
    tries = build.cast(draws, dtypes.float64)
    width = build.const(float(np.log1p(range_max)) if log_uniform else float(range_max), dtypes.float64)

    def expected(classes: Node) -> Node:
        v = build.cast(classes, dtypes.float64)
        p = build.elementwise(sp.log((x0 + 2) / (x0 + 1)) / x1 if log_uniform else 1 / x1 + 0 * x0, v, width)
        once = x0 * num_sampled
        again = -fn.expm1(x1 * fn.log1p(-x0))
        count = build.elementwise(fn.select(fn.eq(x1, num_sampled), once, again) if unique else once, p, tries)
        return build.cast(build.broadcast_to(count, classes.shape), float32)

    return sampled, expected(true_classes), expected(sampled)


def _sampler(
    log_uniform: bool, true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int | None, name: str | None
) -> CandidateSampler:
    kind = "LogUniformCandidateSampler" if log_uniform else "UniformCandidateSampler"
    with recording(kind, name or kind, true_classes=true_classes) as (graph, scope):
        true = convert(true_classes, dtype=None, like=int64, name="true_classes", graph=graph)
        need(true, *INDICES, parameter="true_classes")
        if true.extents is not None and (len(true.extents) != 2 or true.extents[1] != num_true):
            raise ValueError(f"true_classes must be a matrix of {num_true} columns (num_true), not {true.shape}")
        if range_max < 1 or num_sampled < 1 or unique and num_sampled > range_max:
            raise ValueError(f"Sampler's range is too small: {num_sampled} of {range_max} classes" + (", each once" if unique else ""))
        drawn = candidates(graph, num_sampled, range_max, unique, log_uniform, seed)
        attrs: dict[str, Any] = {"num_sampled": num_sampled, "range_max": range_max, "log_uniform": log_uniform, "unique": unique}
        attrs |= {"_shapes": [None] * 3, "_dtypes": [int64, float32, float32]}
        return CandidateSampler(*graph.add("CandidateSampler", (true, drawn), attrs, scope, 0).outputs)


def log_uniform_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int | None = None, name: str | None = None
) -> CandidateSampler:
    """Classes in [0, range_max), v with probability log((v + 2) / (v + 1)) / log(range_max + 1): for classes in order of their
    frequency.  `true_classes` is int64 [batch, num_true]; `unique` draws no class twice."""
    return _sampler(True, true_classes, num_true, num_sampled, unique, range_max, seed, name)


def uniform_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int | None = None, name: str | None = None
) -> CandidateSampler:
    """Classes in [0, range_max), each with the same probability; as `log_uniform_candidate_sampler`."""
    return _sampler(False, true_classes, num_true, num_sampled, unique, range_max, seed, name)


# ---------------------------------------------------------------- draws by logits
def multinomial(logits: Any, num_samples: int, seed: int | None = None, name: str | None = None, output_dtype: Any = None) -> Tensor:
    """Classes drawn with probabilities softmax(logits): [batch, classes] to int64 [batch, num_samples].

    The class whose logit plus a draw from Gumbel's distribution is greatest; the draws are not TensorFlow's own."""
    with recording("Multinomial", name or "multinomial", logits=logits) as (graph, _), graph.name_scope("Multinomial") as scope:
        x = convert(logits, name="logits", graph=graph)
        need(x, *FLOATS, parameter="logits")
        if x.extents is not None and len(x.extents) != 2:
            raise ValueError(f"logits must be a matrix, not {x.shape}")
        with counted_as(graph, 2):
            count = convert(num_samples, like=dtypes.int32, name="num_samples", graph=graph)
            with counted_as(graph, 0):
                sizes = shape(x)
                wanted = stack([sizes[0], count, sizes[1]])
            u = standard_uniform(graph, wanted, x.dtype, seed)
            return argmax(expand_dims(x, 1) - log(-log(u)), 2, name=scope, output_type=output_dtype or int64)


def random_categorical(logits: Any, num_samples: int, dtype: Any = None, seed: int | None = None, name: str | None = None) -> Tensor:
    """`multinomial` by its later name, tf.random.categorical."""
    return multinomial(logits, num_samples, seed, name or "categorical", dtype)


# ---------------------------------------------------------------- losses
def _one(table: Any, what: str) -> Any:
    """The one table of a list of one."""
    if isinstance(table, list | tuple):
        if len(table) != 1:
            raise ValueError(f"{what} must be one table here, not {len(table)} parts of one\nuse one tf.Variable")
        return table[0]
    return table


def _sampled_logits(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int, sampled_values: Any, hits: bool
) -> tuple[Tensor, Tensor]:
    """(logits, labels) [batch, num_true + num_sampled]: those of the true classes and of the sampled, less the log of how often each
    was to be expected."""
    rows = cast(convert(labels, name="labels"), int64)
    flat = reshape(rows, [-1])
    if sampled_values is None:
        sampled_values = log_uniform_candidate_sampler(rows, num_true, num_sampled, True, num_classes)
    sampled, true_count, sampled_count = (stop_gradient(s) for s in sampled_values)
    every = concat([flat, cast(sampled, int64)], 0)
    x = convert(inputs, name="inputs")
    width = x.shape.as_list()[-1]
    w, b = embedding_lookup(_one(weights, "weights"), every), embedding_lookup(_one(biases, "biases"), every)
    true_w, true_b = reshape(w[:-num_sampled], [-1, num_true, width]), reshape(b[:-num_sampled], [-1, num_true])
    true = reduce_sum(multiply(reshape(x, [-1, 1, width]), true_w), 2) + true_b
    others = matmul(x, w[-num_sampled:], transpose_b=True) + b[-num_sampled:]
    if hits:  # a sampled class that is a true one of the row is taken out
        same = reduce_any(_made["equal"](reshape(rows, [-1, num_true, 1]), cast(sampled, int64)), 1)
        others = others + cast(same, x.dtype) * float(np.finfo(np.float32).min)
    true, others = true - log(true_count), others - log(sampled_count)
    targets = concat([ones_like(true) / float(num_true), zeros_like(others)], 1)
    return concat([true, others], 1), targets


def nce_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = False,
    partition_strategy: str = "mod",
    name: str = "nce_loss",
) -> Tensor:
    """Noise-contrastive estimation, a loss for each row: each true class against `num_sampled` classes that are drawn (log-uniform,
    each once, where `sampled_values` are not given).

    `weights` [num_classes, dim], `biases` [num_classes], `labels` int [batch, num_true], `inputs` [batch, dim]; gives [batch]."""
    with recording("NCE", name, weights=weights, biases=biases, labels=labels, inputs=inputs) as (graph, _):
        with counted_as(graph, 109):
            logits, targets = _sampled_logits(
                weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, remove_accidental_hits
            )
            return reduce_sum(sigmoid_cross_entropy_with_logits(labels=targets, logits=logits, name="sampled_losses"), 1)


def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    partition_strategy: str = "mod",
    name: str = "sampled_softmax_loss",
    seed: int | None = None,
) -> Tensor:
    """The softmax cross-entropy over the true classes and `num_sampled` drawn ones, a loss for each row; arguments as in `nce_loss`.

    For training only: evaluate with the softmax over all classes."""
    with recording("SampledSoftmax", name, weights=weights, biases=biases, labels=labels, inputs=inputs) as (graph, _):
        with counted_as(graph, 140):
            if sampled_values is None:
                rows = cast(convert(labels, name="labels"), int64)
                sampled_values = log_uniform_candidate_sampler(rows, num_true, num_sampled, True, num_classes, seed)
            logits, targets = _sampled_logits(
                weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, remove_accidental_hits
            )
            return softmax_cross_entropy_with_logits_v2(labels=stop_gradient(targets), logits=logits)


__all__: Sequence[str] = ("log_uniform_candidate_sampler", "nce_loss", "sampled_softmax_loss", "uniform_candidate_sampler")
