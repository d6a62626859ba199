"""Softmax and the cross-entropies, as plain compositions of element-wise functions and reductions.

Law of this file: nothing here has a gradient rule.  The greatest logit is subtracted before exp and taken as a constant,
which changes neither value nor derivative.  Logits and labels have one shape, as in TF: nothing is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import ShapeError, brackets, compatible, merge
from .core import FLOATS, INDICES, is_tensor, need, pair, recording
from .math import stop_gradient

x0, x1, x2, x3, x4 = (scalar.x(k) for k in range(5))


def _shifted(logits: Node, axis: int) -> Node:
    """Logits less the greatest of their row."""
    return build.elementwise(x0 - fn.stopped(x1), logits, build.reduce("max", logits, (axis,), keepdims=True))


@builder("Softmax")
def _softmax(logits: Node, axis: int) -> Node:
    return build.composite("softmax", logits, (axis,))


@builder("LogSoftmax")
def _log_softmax(logits: Node, axis: int) -> Node:
    return build.composite("log_softmax", logits, (axis,))


def _activation(kind: str, what: str):
    def function(logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Tensor:
        with recording(kind, name or kind, logits=logits) as (graph, scope):
            t = convert(logits, name="logits", graph=graph)
            need(t, *FLOATS, parameter="logits")
            if axis is not None and dim is not None:
                raise ValueError("Cannot specify both 'axis' and 'dim'.")
            given = dim if axis is None else axis
            chosen = -1 if given is None else int(given)
            last = chosen == -1 or t.extents is not None and chosen == len(t.extents) - 1
            return graph.add(kind, (t,), {"axis": chosen}, scope, 1 if last else 31).outputs[0]

    function.__name__ = function.__qualname__ = "softmax" if kind == "Softmax" else "log_softmax"
    function.__doc__ = f"{what} along `axis` (default the last): float32 or float64 in and out, of one shape."
    return function


softmax = _activation("Softmax", "exp(x) / sum(exp(x))")
log_softmax = _activation("LogSoftmax", "x - log(sum(exp(x)))")


def _alike(body: sp.Expr, logits: Node, labels: Node) -> Node:
    """body(logits, labels), two operands of one shape: labels that would have to be repeated are a mistake."""
    if logits.rank != labels.rank or not all(map(compatible, logits.shape, labels.shape)):
        raise ShapeError(f"logits and labels must have the same shape: {brackets(logits.shape)} vs. {brackets(labels.shape)}")
    own = tuple(range(logits.rank))
    return build.generic(body, (logits, labels), (own, own), tuple(map(merge, logits.shape, labels.shape)), logits.rank, None, logits.dtype)


def _classes(logits: Node) -> int:
    """The axis of the classes, the last; there must be one class or more."""
    if logits.rank < 1 or logits.shape[-1] == 0:
        raise ShapeError(f"Must have at least one class, but got logits shape {brackets(logits.shape)}")
    return logits.rank - 1


def _cross_entropy(logits: Node, at_label: Callable[[Node], Node], total: Node | None) -> Node:
    """logsumexp(logits) less the logit at the label, by rows; in code both less the greatest logit, which cancels.

    `total` is the sum of a row's labels: what it differs from 1 counts in the value and, as in TF, in the gradient into the
    labels, not in that into the logits."""
    last = (logits.rank - 1,)
    z = _shifted(logits, last[0])
    lse = build.elementwise(sp.log(x0), build.reduce("sum", build.elementwise(sp.exp(x0), z), last))
    body = fn.computed_as(x0 - x1, x2 - x3)
    if total is not None:
        body = fn.computed_as(x0 - x1 + (x4 - 1) * fn.stopped(x0), x2 - x3 + (x4 - 1) * x2)
    shown = build.composite("logsumexp", logits, last), at_label(logits)
    return build.elementwise(body, *shown, lse, at_label(z), *([] if total is None else [total]))


@builder("SoftmaxCrossEntropyWithLogits")
def _softmax_cross_entropy(logits: Node, labels: Node, axis: int = -1) -> Node:
    if axis != -1 and logits.rank == labels.rank:
        a = build.axis_in(axis, logits.rank)
        turn = [*(k for k in range(logits.rank) if k != a), a]
        logits, labels = build.permute(logits, turn), build.permute(labels, turn)
    last = (_classes(logits),)

    def at_label(z: Node) -> Node:
        return build.reduce("sum", _alike(x0 * x1, z, labels), last)

    at_label(logits)  # what is wrong with the labels is said before they are added up
    return _cross_entropy(logits, at_label, build.reduce("sum", labels, last))


@builder("SparseSoftmaxCrossEntropyWithLogits")
def _sparse_softmax_cross_entropy(logits: Node, labels: Node) -> Node:
    if logits.rank != labels.rank + 1:
        raise ShapeError(
            f"Rank mismatch: Rank of labels (received {labels.rank}) should equal rank of logits minus 1 (received {logits.rank})."
        )
    last = _classes(logits)
    rows = tuple(range(last))
    chosen = fn.select(fn.eq(scalar.i(last), x1), x0, 0)
    at = build.gather(build.positions(logits.shape[last]), labels)  # a label that is no class is an error when it runs

    def at_label(z: Node) -> Node:
        return build.generic(chosen, (z, at), ((*rows, last), rows), z.shape, last, "sum", z.dtype)

    return _cross_entropy(logits, at_label, None)


@builder("SigmoidCrossEntropyWithLogits")
def _sigmoid_cross_entropy(logits: Node, labels: Node) -> Node:
    """softplus(x) - x z, whose two terms are nearly equal for great x and z = 1: in code each sign of x has a small remainder."""
    remainder = fn.softplus(-fn.absolute(x0))
    return _alike(fn.computed_as(fn.softplus(x0) - x0 * x1, x0 * (fn.step(x0) - x1) + remainder), logits, labels)


def _both(function: str, labels: Any, logits: Any, sentinel: Any) -> None:
    if sentinel is not None:
        raise ValueError(f"Only call `{function}` with named arguments (labels=..., logits=..., ...)")
    if labels is None or logits is None:
        raise ValueError("Both labels and logits must be provided.")


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, dim: int = -1, name: str | None = None
) -> Tensor:
    """-sum(labels * log_softmax(logits)) for each row: [..., classes] twice to [...]; no gradient into the labels.

    Each row of labels should sum to 1; the gradient into the logits is softmax(logits) - labels."""
    _both("softmax_cross_entropy_with_logits", labels, logits, _sentinel)
    return _softmaxed(labels, logits, dim, name or "softmax_cross_entropy_with_logits_sg", True)


def _softmaxed(labels: Any, logits: Any, axis: int | None, name: str, stop: bool) -> Tensor:
    kind = "SoftmaxCrossEntropyWithLogits"
    with recording(kind, name, logits=logits, labels=labels) as (graph, scope):
        z, y = pair(logits, labels, kind, graph, ("logits", "labels"))
        need(z, *FLOATS, parameter="features")
        attrs = {"axis": -1 if axis is None else int(axis)}
        return graph.add(kind, (z, stop_gradient(y) if stop else y), attrs, scope, 31).outputs[0]


def softmax_cross_entropy_with_logits_v2(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """As `softmax_cross_entropy_with_logits`, with a gradient into the labels too."""
    _both("softmax_cross_entropy_with_logits", labels, logits, _sentinel)
    if axis is not None and dim is not None:
        raise ValueError("Cannot specify both 'axis' and 'dim'.")
    return _softmaxed(labels, logits, dim if axis is None else axis, name or "softmax_cross_entropy_with_logits", False)


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """-log_softmax(logits) at the label of each row: int32 or int64 [...] and floats [..., classes] to [...].

    InvalidArgumentError for a label outside of [0, classes), when it runs."""
    kind = "SparseSoftmaxCrossEntropyWithLogits"
    _both("sparse_softmax_cross_entropy_with_logits", labels, logits, _sentinel)
    with recording(kind, name or kind, logits=logits, labels=labels) as (graph, scope):
        z = convert(logits, name="logits", graph=graph)
        y = convert(labels, name="labels", graph=graph)
        need(z, *FLOATS, parameter="features")
        need(y, *INDICES, parameter="labels")
        return graph.add(kind, (z, y), {}, scope, 2).outputs[0]


def sigmoid_cross_entropy_with_logits(_sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None) -> Tensor:
    """max(x, 0) - x z + log(1 + exp(-|x|)) for logits x and labels z of one shape, element by element."""
    kind = "SigmoidCrossEntropyWithLogits"
    _both("sigmoid_cross_entropy_with_logits", labels, logits, _sentinel)
    with recording(kind, name or "logistic_loss", logits=logits, labels=labels) as (graph, scope):
        z, y = pair(logits, labels, kind, graph, ("logits", "labels"))
        need(z, *FLOATS, parameter="features")
        return graph.add(kind, (z, y), {}, scope, 10).outputs[0]


@builder("WeightedCrossEntropyWithLogits")
def _weighted_cross_entropy(logits: Node, labels: Node, pos_weight: Node) -> Node:
    """(1 - z) x + (1 + (q - 1) z) softplus(-x)."""
    _alike(x0 * x1, logits, labels)
    x, z, q = (scalar.x(k) for k in range(3))
    return build.elementwise((1 - z) * x + (1 + (q - 1) * z) * fn.softplus(-x), logits, labels, pos_weight)


def weighted_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, pos_weight: Any = None, name: str | None = None, targets: Any = None
) -> Tensor:
    """-q z log(sigmoid(x)) - (1 - z) log(1 - sigmoid(x)) for logits x and labels z of one shape; `pos_weight` q weighs the positive
    ones."""
    kind = "WeightedCrossEntropyWithLogits"
    z_given = targets if labels is None else labels
    _both("weighted_cross_entropy_with_logits", z_given, logits, None)
    with recording(kind, name or "logistic_loss", labels=z_given, logits=logits, pos_weight=pos_weight) as (graph, scope):
        x, z = pair(logits, z_given, kind, graph, ("logits", "labels"))
        need(x, *FLOATS, parameter="logits")
        q = convert(pos_weight, like=x.dtype, name="pos_weight", graph=graph)
        return graph.add(kind, (x, z, q), {}, scope, 16 if is_tensor(pos_weight) else 15).outputs[0]


@builder("LogPoissonLoss")
def _log_poisson(targets: Node, log_input: Node, compute_full_loss: bool) -> Node:
    z, c = x0, x1
    body = sp.exp(c) - c * z
    if compute_full_loss:  # Stirling's approximation of log z!, which is 0 for z in [0, 1]
        stirling = z * sp.log(z) - z + sp.log(2 * sp.pi * z) / 2
        body += fn.select(fn.logical_and(fn.ge(z, 0), fn.le(z, 1)), 0, stirling)
    _alike(x0 * x1, log_input, targets)
    return build.elementwise(body, targets, log_input)


def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Tensor:
    """exp(c) - z c for targets z and c = `log_input` of one shape: the negative log likelihood of Poisson's distribution, up to
    log z!, which `compute_full_loss` adds by Stirling's approximation."""
    with recording("LogPoissonLoss", name or "log_poisson_loss", targets=targets, log_input=log_input) as (graph, scope):
        c, z = pair(log_input, targets, "LogPoissonLoss", graph, ("log_input", "targets"))
        need(c, *FLOATS, parameter="log_input")
        attrs = {"compute_full_loss": bool(compute_full_loss)}
        return graph.add("LogPoissonLoss", (z, c), attrs, scope, 21 if compute_full_loss else 3).outputs[0]


__all__: Sequence[str] = (
    "log_poisson_loss",
    "log_softmax",
    "sigmoid_cross_entropy_with_logits",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_v2",
    "sparse_softmax_cross_entropy_with_logits",
    "weighted_cross_entropy_with_logits",
)
