"""The suite of textbook losses: every row, and their measurement.

Law of this file: it only collects and measures; the rows lie by subject in `losses_*`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import symgraph as sg
from symgraph.simplify.cost import applications
from tests.formula import (
    losses_classification,
    losses_factors,
    losses_gaussian,
    losses_general,
    losses_geometry,
    losses_hessians,
    losses_linear,
    losses_matrix,
    losses_nets,
    losses_softmax,
)
from tests.formula.counting import textbook_ops
from tests.formula.textbook import Loss, asked

MODULES = (
    losses_linear,
    losses_general,
    losses_classification,
    losses_softmax,
    losses_matrix,
    losses_gaussian,
    losses_factors,
    losses_geometry,
    losses_nets,
    losses_hessians,
)


@cache
def suite() -> tuple[Loss, ...]:
    """Every row, under a name of its own."""
    found = tuple(row for module in MODULES for row in module.rows())
    names = [row.name for row in found]
    assert len(set(names)) == len(names), sorted(n for n in names if names.count(n) > 1)
    return found


@dataclass(frozen=True)
class Measured:
    """A row beside what symgraph says: `ops` is None where it cannot be asked, and `text` says why."""

    loss: Loss
    book: int
    ops: int | None
    text: str
    seconds: float

    @property
    def ratio(self) -> float:
        """symgraph's operators for each of the book's; 1 where neither needs any."""
        if self.ops is None:
            return float("nan")
        return self.ops / self.book if self.book else float("inf") if self.ops else 1.0


NEEDS = {"gradient": "gradients", "hvp": "hessian_vector_product", "gauss_newton": "jacobian", "newton": "hessian"}


def missing(loss: Loss) -> str:
    """The function that a row asks for and symgraph does not have yet, '' where there is none."""
    needed = {NEEDS.get(loss.kind, loss.kind)} | ({"assume"} if loss.facts else set())
    return next((name for name in sorted(needed) if not hasattr(sg, name)), "")


def measure(loss: Loss) -> Measured:
    """The formula of a row, in a fresh default graph."""
    sg.reset_default_graph()
    value, wrt, leaves = loss.build(sg)
    started = time.perf_counter()
    ops, text = None, missing(loss)
    if text:
        text = f"symgraph has no {text} yet"
    else:
        f = sg.formula(asked(sg, loss, value, wrt, leaves))
        ops = f.ops if hasattr(f, "ops") else applications([f._node])
        text = _text(f)
    return Measured(loss, textbook_ops(loss), ops, text, time.perf_counter() - started)


def _text(f: sg.Formula) -> str:
    """A formula that cannot be written must not hide the others from the report."""
    try:
        return str(f)
    except Exception as why:  # noqa: BLE001
        return f"CANNOT BE WRITTEN: {type(why).__name__}: {why}"


def thresholds(found: Sequence[Measured]) -> dict[str, float]:
    """Of the rows that were measured: the median of the ratios, the share of them up to 1.25, and the greatest."""
    ratios = sorted(m.ratio for m in found if m.ops is not None)
    n = len(ratios)
    median = (ratios[(n - 1) // 2] + ratios[n // 2]) / 2
    return {"count": n, "median": median, "within 1.25": sum(r <= 1.25 for r in ratios) / n, "greatest": ratios[-1]}
