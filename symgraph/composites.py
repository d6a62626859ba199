"""Composites: functions of a tensor that people know by name, kept whole in formulas.

Law of this file: a row gives the name and, over primitive nodes, what it means, in a form that stays finite where the
plain formula overflows.  `expand` writes every composite out; the sweep does so before it derives and `freeze` before it
emits, so a composite has no gradient rule and no code of its own, and equal values are equal nodes on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from . import build, scalar
from .codegen import scalar as fn
from .node import Kind, Node, toposort

x0, x1 = scalar.x(0), scalar.x(1)


def _shifted(n: Node, axes: Sequence[int]) -> Node:
    """n less the greatest along the axes, which is taken as a constant: that changes neither value nor derivative."""
    return build.elementwise(x0 - fn.stopped(x1), n, build.reduce("max", n, axes, keepdims=True))


def _sum(n: Node, axes: Sequence[int], keepdims: bool = True) -> Node:
    return build.reduce("sum", n, axes, keepdims)


def _softmax(n: Node, axes: Sequence[int], keepdims: bool) -> Node:
    e = build.elementwise(sp.exp(x0), _shifted(n, axes))
    return build.elementwise(x0 / x1, e, _sum(e, axes))


def _log_softmax(n: Node, axes: Sequence[int], keepdims: bool) -> Node:
    z = _shifted(n, axes)
    return build.elementwise(x0 - sp.log(x1), z, _sum(build.elementwise(sp.exp(x0), z), axes))


def _logsumexp(n: Node, axes: Sequence[int], keepdims: bool) -> Node:
    total = _sum(build.elementwise(sp.exp(x0), _shifted(n, axes)), axes, keepdims)
    value = sp.log(x0) + fn.stopped(x1)
    finite = fn.select(fn.isfinite(x1), sp.log(x0) + x1, x1)  # of infinities, that infinity and no nan
    return build.elementwise(fn.computed_as(value, finite), total, build.reduce("max", n, axes, keepdims))


def _norm(n: Node, axes: Sequence[int], keepdims: bool) -> Node:
    return build.elementwise(sp.sqrt(x0), _sum(build.elementwise(x0**2, n), axes, keepdims))


COMPOSITES: dict[str, Callable[[Node, Sequence[int], bool], Node]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "norm": _norm,
}
"""(operand, axes, keepdims) to primitive nodes; each row is also what the name means."""


def expand(roots: Sequence[Node]) -> list[Node]:
    """The roots with every composite under them written out."""
    new: dict[Node, Node] = {}
    for n in toposort(roots):
        operands = tuple(new[o] for o in n.operands)
        if n.kind is Kind.COMPOSITE:
            name, axes, keepdims = n.attrs
            new[n] = COMPOSITES[name](operands[0], axes, keepdims)
        else:
            new[n] = n if operands == n.operands else build.rebuild(n, operands)
    return [new[r] for r in roots]
