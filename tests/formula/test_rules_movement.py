"""Rules for windows, each alone: structure first, value second."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from symgraph import build, dtypes, scalar
from symgraph.node import Kind, Node
from symgraph.rewrite import Rewriter, RuleSet
from symgraph.simplify.cost import applications
from symgraph.simplify.movement import MOVEMENT
from tests.graph.test_rewrite import evaluate, leaf

X = scalar.x
A, B, C = leaf("A", 2, 3), leaf("B", 4, 3), leaf("C", 6, 3)
m = sp.Symbol("m", integer=True, positive=True)
top, bottom = build.place(A, [0, 0], (6, 3), [1, 1]), build.place(B, [2, 0], (6, 3), [1, 1])
half = build.slice_(C, [1, 0], (5, 3), [1, 1])
back = build.slice_(C, [5, 0], (3, 3), [-2, 1])
twice, minus = build.elementwise(2 * X(0), A), build.elementwise(-X(0), B)
both = build.concat([A, B], 0)
ROWS: list[tuple[str, Node, Node | None]] = [
    ("slice of place", build.slice_(top, [0, 0], (2, 3), [1, 1]), A),
    ("slice of place", build.slice_(bottom, [2, 0], (4, 3), [1, 1]), B),
    ("slice of place", build.slice_(bottom, [1, 0], (4, 3), [1, 1]), None),
    (
        "slice of slice",
        build.slice_(half, [2, 1], (2, 2), [1, 1]),
        build.slice_(C, [3, 1], (2, 2), [1, 1]),
    ),
    (
        "slice of slice",
        build.slice_(back, [1, 0], (2, 3), [1, 1]),
        build.slice_(C, [3, 0], (2, 3), [-2, 1]),
    ),
    ("places side by side", build.elementwise(X(0) + X(1), top, bottom), both),
    ("places side by side", build.elementwise(X(0) + X(1), bottom, top), both),
    ("places side by side", build.elementwise(X(0) + X(1) + X(2), bottom, C, top), build.elementwise(X(0) + X(1), C, both)),
    (
        "places side by side",
        build.elementwise(2 * X(0) - X(1), top, bottom),
        build.concat([twice, minus], 0),
    ),
    ("places side by side", build.elementwise(X(0) + X(1), top, build.place(B, [1, 0], (6, 3), [1, 1])), None),
    (
        "places side by side",
        build.elementwise(X(0) + X(1) + X(2), *(build.place(A, [at, 0], (6, 3), [1, 1]) for at in (4, 0, 2))),
        build.concat([A, A, A], 0),
    ),
    (
        "places side by side",
        build.elementwise(X(0) + X(1), *(build.place(A, [at, 0], (6, 3), [1, 1]) for at in (1, 3))),
        build.place(build.concat([A, A], 0), [1, 0], (6, 3), [1, 1]),
    ),
    ("places side by side", build.elementwise(X(0) * X(1), top, bottom), None),
]


@pytest.mark.parametrize("k", range(len(ROWS)))
def test_rule(k: int) -> None:
    name, before, after = ROWS[k]
    rules = RuleSet(tuple(r for r in MOVEMENT.rules if r.name == name))
    (new,) = Rewriter(rules).all([before])
    at = {n: np.random.default_rng(0).normal(size=n.shape) for n in (A, B, C)}
    np.testing.assert_allclose(evaluate([new], at)[0], evaluate([before], at)[0])
    assert applications([new]) <= applications([before])
    if after is None:
        assert new is before
    else:
        assert applications([new, after]) == applications([after]) and new.shape == after.shape  # the same, but for the order of terms


def test_bounds_may_be_sizes() -> None:
    v, w = (build.leaf(Kind.PLACEHOLDER, n, (d,), dtypes.float64) for n, d in (("v", m), ("w", 3)))
    placed = build.place(v, [0], (m + 3,), [1]), build.place(w, [m], (m + 3,), [1])
    (new,) = Rewriter(MOVEMENT).all([build.elementwise(X(0) + X(1), *placed)])
    assert new is build.concat([v, w], 0)


def test_every_rule_is_here() -> None:
    assert {r.name for r in MOVEMENT.rules} == {name for name, _, _ in ROWS}
