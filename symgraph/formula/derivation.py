"""From a loss to the formula of its gradient, step by step: `derivation`, and what it returns.

Law of this file: nothing is derived here.  The steps are what the sweep and the rewriter say that they did (telling.py),
each of them two sides of equal value, and `check` evaluates both (checking.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..graph import Attempt, Tensor, convert
from ..node import Node
from ..ops.core import graph_of
from ..ops.derivative import gradients
from .api import Formula, formula
from .checking import differences
from .reasons import latex_words
from .telling import Expression, Told, tell


@dataclass(frozen=True)
class Step:
    """`before` equals `after` because of `reason`; `title` is the name of the rule.

    The first step says what the loss is.  In a step of the reverse sweep, `before` names a derivative.  Where the whole
    is long, `changed` holds both sides of the part of it that a rule replaced."""

    title: str
    reason: str
    before: Expression
    after: Expression
    changed: tuple[Expression, Expression] | None
    _told: Told

    def __str__(self) -> str:
        return f"{self.before.text} = {self.after.text}" + (f"  ({self.reason})" if self.reason else "")


@dataclass(frozen=True)
class Derivation:
    """The steps from a loss to its gradient: what the loss is, the reverse sweep with the derivative by each value that
    the loss is made of, and the rules that make the last of these the formula.  `str()` is text; notebooks show LaTeX."""

    steps: tuple[Step, ...]
    gradient: Tensor
    _loss: Node

    @cached_property
    def formula(self) -> Formula:
        """What the steps arrive at."""
        return formula(self.gradient)

    def __str__(self) -> str:
        lines: list[str] = []
        seen: set[str] = set()
        for k, s in enumerate(self.steps):
            lines += [f"{k}. {s.reason}"] if s.reason else []
            for left, right in self._lines(k):
                lines.append(f"   {left.text} = {right.text}" if left.text else f"   = {right.text}")
                for text, _ in _new(left, right, seen):
                    lines.append(f"     {text}")
        return "\n".join(lines)

    def latex(self) -> str:
        """An aligned display without dollar signs, which KaTeX takes in strict mode."""
        rows: list[str] = []
        seen: set[str] = set()
        for k, s in enumerate(self.steps):
            reason = f" && {latex_words(s.reason)}" if s.reason else ""
            for left, right in self._lines(k):
                rows.append(f"{left.latex} &= {right.latex}{reason}")
                reason = ""
                for _, part in _new(left, right, seen):
                    rows.append(rf"& \quad {part}")
        return r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}"

    def _lines(self, k: int) -> list[tuple[Expression, Expression]]:
        """The equations of a step."""
        s = self.steps[k]
        if not s._told.rewrites:
            return [(s.before, s.after)]
        if s.changed is None:
            return [(Expression("", ""), s.after)]
        whole = [(Expression("", ""), s.after)] if k == len(self.steps) - 1 else []
        return [s.changed, *whole]

    def check(self, values: Mapping[Any, Any] | None = None, seed: int = 0) -> float:
        """Evaluate both sides of every step in float64; derivatives are held against central differences of the loss,
        where it has no `stop_gradient`.

        Placeholders and variables that `values` does not give are drawn at random, as their facts say.  Returns the
        greatest relative difference; ArithmeticError names a step whose sides differ."""
        graph = self.gradient.graph
        nodes = {convert(t, graph=graph).node: np.asarray(v) for t, v in (values or {}).items()}
        given = {n: v for n, v in nodes.items() if n is not None}
        errors = differences(graph, self._loss, [s._told for s in self.steps], given, np.random.default_rng(seed))
        for s, (error, bound) in zip(self.steps, errors, strict=True):
            if not error <= bound:
                raise ArithmeticError(f"the sides of a step differ by {error:.2g} of their values:\n{s}")
        return max(error for error, _ in errors)

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def __repr__(self) -> str:
        return str(self)


def _new(left: Expression, right: Expression, seen: set[str]) -> list[tuple[str, str]]:
    """What the names in an equation stand for, where that was not said before."""
    found = []
    for text, latex in (*left.where, *right.where):
        name = text.partition(" = ")[0]
        if name not in seen:
            found.append((text, latex))
        seen.add(name)
    return found


def derivation(loss: Any, x: Any) -> Derivation:
    """How the formula of d loss/dx comes about: each step with its reason, as the compiler takes it.

    The gradient is recorded in the graph as `gradients` records it and has its errors; ValueError where the loss does not
    depend on x.

    >>> import symgraph as sg
    >>> X, y = sg.placeholder(sg.float32, (None, 9), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    >>> theta = sg.Variable(sg.zeros((9, 1)), name="theta")
    >>> mse = sg.reduce_mean(sg.square(sg.matmul(X, theta) - y), name="mse")
    >>> print(sg.derivation(mse, theta))
       mse = sum((Xθ − y)²)/m
    1. a constant factor stays a factor; every term of a sum has the derivative of the sum
       ∂mse/∂sum((Xθ − y)²) = ∂mse/∂(Xθ − y)² = 1/m
    2. chain rule: d(u²)/du = 2u; a term of a sum has the derivative of the sum
       ∂mse/∂(Xθ − y) = ∂mse/∂(Xθ) = 2/m · (Xθ − y)
    3. of C = AB, the derivative by B is Aᵀ times that by C
       ∂mse/∂θ = 2/m · Xᵀ(Xθ − y)
    """
    with Attempt(graph_of((loss, x)), "Derivation", "derivation", {"loss": loss, "x": x}) as (graph, _):
        if isinstance(x, list | tuple):
            raise ValueError("a derivation is by one x, not by a list")
        y = convert(loss, graph=graph)
        (g,) = gradients(y, x)
        if g is None:
            raise ValueError(f"{y.described()} does not depend on x, so there is nothing to derive")
        if y.node is None or g.node is None:
            raise ValueError(
                f"{y.described()} has no formula yet: the rank of a placeholder under it is not known; give the placeholder a shape"
            )
        steps = [Step(t.title, t.reason, t.before, t.after, t.changed, t) for t in tell(y, g)]
        return Derivation(tuple(steps), g, y.node)
