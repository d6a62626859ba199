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


def _exps(n: Node, axes: Sequence[int]) -> Node:
    return build.elementwise(sp.exp(x0), _shifted(n, axes))


def _by_rows(body: sp.Expr, n: Node, total: Node, axes: Sequence[int]) -> Node:
    """body(n, total), where the total lacks the axes: so a loss and its gradient share one sum."""
    own = tuple(range(n.rank))
    return build.generic(body, (n, total), (own, tuple(a for a in own if a not in axes)), n.shape, n.rank, None, n.dtype)


def _softmax(n: Node, axes: Sequence[int], keepdims: bool) -> Node:
    e = _exps(n, axes)
    return _by_rows(x0 / x1, e, build.reduce("sum", e, axes), axes)


def _log_softmax(n: Node, axes: Sequence[int], keepdims: bool) -> Node:
    return _by_rows(x0 - sp.log(x1), _shifted(n, axes), build.reduce("sum", _exps(n, axes), axes), axes)


def _logsumexp(n: Node, axes: Sequence[int], keepdims: bool) -> Node:
    total, greatest = build.reduce("sum", _exps(n, axes), axes, keepdims), build.reduce("max", n, axes, keepdims=True)
    finite = fn.select(fn.isfinite(x1), sp.log(x0) + x1, x1)  # of infinities, that infinity and no nan
    own = tuple(range(total.rank))
    kept = iter(own)
    row = own if keepdims else tuple(None if a in axes else next(kept) for a in range(n.rank))
    body = fn.computed_as(sp.log(x0) + fn.stopped(x1), finite)
    return build.generic(body, (total, greatest), (own, row), total.shape, total.rank, None, n.dtype)


def _norm(n: Node, axes: Sequence[int], keepdims: bool) -> Node:
    return build.elementwise(sp.sqrt(x0), build.reduce("sum", build.elementwise(x0**2, n), axes, keepdims))


COMPOSITES: dict[str, Callable[[Node, Sequence[int], bool], Node]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "norm": _norm,
}
"""(operand, axes, keepdims) to primitive nodes; each row is also what the name means."""


def expand(roots: Sequence[Node], code: bool = False) -> list[Node]:
    """The roots with every composite under them written out; for code, computed_as(f, g) is then g."""
    new: dict[Node, Node] = {}
    for n in toposort(roots):
        operands = tuple(new[o] for o in n.operands)
        if n.kind is Kind.COMPOSITE:
            name, axes, keepdims = n.attrs
            new[n] = COMPOSITES[name](operands[0], axes, keepdims)
        else:
            new[n] = n if operands == n.operands else build.rebuild(n, operands)
        if code and new[n].kind is Kind.GENERIC and new[n].attrs[0].has(fn.computed_as):
            new[n] = _computed(new[n])
    return [new[r] for r in roots]


def _computed(n: Node) -> Node:
    body, index, space, reducer = n.attrs
    chosen = body.replace(fn.computed_as, lambda f, g: g)
    return build.generic(chosen, n.operands, index, space, n.rank, reducer, n.dtype)
