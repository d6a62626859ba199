"""A tensor as a formula: `formula`, and what it returns.

Law of this file: which parts have a name, and which name, is decided once, in text; every notation writes the same
formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..graph import Attempt, Tensor, convert
from ..node import Node
from ..ops.core import graph_of
from .names import Labels
from .notation import LATEX, TEXT
from .writer import Writer

_NAMELESS = frozenset({"Identity", "Const"})


@dataclass(frozen=True)
class Formula:
    """A tensor in matrix notation.  `str()` is Unicode text; notebooks show LaTeX.

    Element-wise products are written ∘; sums over some axes carry their numbers, as in sum₀(A)."""

    _node: Node
    _names: dict[Node, str]

    @cached_property
    def _text(self) -> Writer:
        return Writer(self._node, Labels(self._node, self._names), TEXT)

    def __str__(self) -> str:
        return self._text.main + "".join(f"\n  {name} = {value}" for name, value in self._text.named)

    def latex(self) -> str:
        """LaTeX without dollar signs; named parts follow in lines of their own."""
        w = Writer(self._node, self._text.labels, LATEX, self._text.parts)
        if not w.named:
            return w.main
        return r"\begin{aligned} & " + r" \\ & ".join([w.main, *(f"{name} = {value}" for name, value in w.named)]) + r" \end{aligned}"

    @property
    def where(self) -> dict[str, str]:
        """The named parts, in text, in the order in which they are needed."""
        return dict(self._text.named)

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def __repr__(self) -> str:
        return str(self)


def formula(tensor: Any) -> Formula:
    """The formula of a tensor, as its graph computes it; gradients are simplified when they are derived.

    >>> import symgraph as sg
    >>> X, y = sg.placeholder(sg.float32, (None, 9), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    >>> theta = sg.Variable(sg.zeros((9, 1)), name="theta")
    >>> mse = sg.reduce_mean(sg.square(sg.matmul(X, theta) - y))
    >>> print(sg.formula(sg.gradients(mse, [theta])[0]))
    2/m · Xᵀ(Xθ − y)
    """
    with Attempt(graph_of((tensor,)), "Formula", "formula", {"tensor": tensor}) as (graph, _):
        t: Tensor = convert(tensor, graph=graph)
        if t.node is None:
            raise ValueError(
                f"{t.described()} has no formula yet: the rank of a placeholder under it is not known; give the placeholder a shape"
            )
    names: dict[Node, str] = {}
    for op in t.graph.get_operations():
        for out in op.outputs:
            if out.node is not None and (op.type not in _NAMELESS or op.type == "Const" and out.node.shape != ()):
                names.setdefault(out.node, op.name)
    return Formula(t.node, names)
