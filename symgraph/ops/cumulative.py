"""Running sums and products along an axis.

Law of this file: each is a loop that carries one total and keeps it at every step, so the derivative is the loop walked
back, which for a product is right also where factors are 0.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import sympy as sp

from .. import build, scalar
from ..graph import Tensor, builder, convert
from ..looping import loop
from ..node import Key, Kind, Node, make
from .core import NUMBERS, need, recording
from .reduce import axis_list

_leaves: WeakKeyDictionary[Node, tuple[Node, Node]] = WeakKeyDictionary()
"""The total and the row inside of the loop over an array: always the same, so that equal loops are one node."""


def _running(body: sp.Expr, first: int, x: Node, axis: int, exclusive: bool, reverse: bool) -> Node:
    a = build.axis_in(axis, x.rank)
    rest = [k for k in range(x.rank) if k != a]
    rows = build.permute(x, [a, *rest])
    if rows not in _leaves:
        total, row = (make(Kind.CUT, (), (Key(name),), rows.shape[1:], x.dtype) for name in ("total", "row"))
        _leaves[rows] = total, row
    total, row = _leaves[rows]
    new = build.elementwise(body, total, row)
    start = build.filled(first, rows.shape[1:], x.dtype)
    kept = total if exclusive else new
    _, stack, _ = loop([total], [start], [new], [row], [rows], [kept], steps=rows.shape[0], backwards=reverse)
    return build.permute(stack, [0 if k == a else 1 + rest.index(k) for k in range(x.rank)])


@builder("Cumsum")
def _cumsum(x: Node, axis: int, exclusive: bool, reverse: bool) -> Node:
    return _running(scalar.x(0) + scalar.x(1), 0, x, axis, exclusive, reverse)


@builder("Cumprod")
def _cumprod(x: Node, axis: int, exclusive: bool, reverse: bool) -> Node:
    return _running(scalar.x(0) * scalar.x(1), 1, x, axis, exclusive, reverse)


def _function(kind: str, what: str):
    def function(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
        with recording(kind, name or kind, x=x, axis=axis) as (graph, scope):
            t = convert(x, name="x", graph=graph)
            need(t, *NUMBERS)
            axes = axis_list(axis)
            if axes is None or len(axes) != 1:
                raise TypeError(f"axis of tf.{kind.lower()} must be one int, not {axis!r}")
            attrs = {"axis": axes[0], "exclusive": bool(exclusive), "reverse": bool(reverse)}
            return graph.add(kind, (t,), attrs, scope, 2).outputs[0]

    function.__name__ = function.__qualname__ = kind.lower()
    function.__doc__ = (
        f"The {what} of the elements up to each place along `axis`; with `exclusive` of those before it, with `reverse` counted "
        "from the end."
    )
    return function


cumsum = _function("Cumsum", "sum")
cumprod = _function("Cumprod", "product")
