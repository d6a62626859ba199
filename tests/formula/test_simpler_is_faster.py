"""What the rules save reaches the generated code, and deriving grows with the net and no faster.

Law of this file: the same derivative with the table of rules and without it; nothing is clocked.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np
import pytest

import symgraph as sg
from profiling.formulas import net
from symgraph.node import toposort
from symgraph.rewrite import RuleSet
from tests.formula.suite import suite
from tests.formula.textbook import Loss, asked

sweeps = import_module("symgraph.gradients")  # the package has a function of that name
ROWS = {row.name: row for row in suite()}
SIZES = {"m": 1000}
COMPARED = (
    "mean squared error, r'r",
    "sum of squares, written out",
    "logistic with bias, in b",
    "label smoothing",
    "Mahalanobis of many rows",
    "one relu layer, softmax, in W1",
    "Hessian of logistic regression",
    "Newton step of ridge",
)


def compiled(loss: Loss) -> tuple[int, int, np.ndarray]:
    """(operators, flops of the generated step at 1000 rows, the value)."""
    with sg.Graph().as_default():
        value, wrt, leaves = loss.build(sg)
        t = asked(sg, loss, value, wrt, leaves)
        step = sg.function(list(leaves.values()), t)
        found = step(*loss.data(np.random.default_rng(6)).values())
        report = step._plan.executable.report
        sizes = {s: SIZES["m"] for _, dims in report.flop_terms() for s in dims if isinstance(s, str)}
        assert " flops " in step.explain()
        return sg.formula(t).ops, report.flops(sizes), found


@pytest.mark.parametrize("name", COMPARED)
def test_fewer_operators_are_fewer_flops(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_rules = compiled(ROWS[name])
    monkeypatch.setattr(sweeps, "RULES", RuleSet(()))
    without = compiled(ROWS[name])
    assert with_rules[0] < without[0] and with_rules[1] < without[1]
    np.testing.assert_allclose(with_rules[2], without[2], rtol=1e-10, atol=1e-14)


def work(depth: int, monkeypatch: pytest.MonkeyPatch) -> tuple[int, ...]:
    """Nodes, operators and steps of rewriting of a net's derivative by all its weights."""
    steps: list[int] = []

    class Watched(sweeps.Rewriter):
        def all(self, roots: Sequence) -> list:
            new = super().all(roots)
            steps.append(sum(self.counts.values()))
            return new

    monkeypatch.setattr(sweeps, "Rewriter", Watched)
    with sg.Graph().as_default():
        loss, weights = net(depth)
        found = sg.gradients(loss, weights)
        return len(toposort([g.node for g in found])), sg.formula(found[0]).ops, sum(steps)


def test_a_net_is_derived_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layer adds the same nodes, operators and steps."""
    counts = np.array([work(depth, monkeypatch) for depth in (10, 20, 30)])
    assert (counts > 0).all()
    np.testing.assert_array_equal(np.diff(counts, 2, axis=0), 0)
