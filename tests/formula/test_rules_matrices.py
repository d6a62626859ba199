"""Rules of matrix algebra: each alone, its structure first and its value second; and what must be left as it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp

from symgraph import build, scalar
from symgraph.node import Kind, Node
from symgraph.rewrite import Rewriter, RuleSet
from symgraph.simplify.cost import applications
from symgraph.simplify.products import PRODUCTS
from tests.graph.interpreted import evaluate
from tests.graph.test_rewrite import leaf, plus, times

A, B, C = leaf("A", 4, 4), leaf("B", 4, 4), leaf("C", 4, 4)
S, Q = leaf("S", 4, 4), leaf("Q", 4, 4)
x, y = leaf("x", 4, 1), leaf("y", 4, 1)
k = leaf("k")
FACTS = {S: frozenset({"symmetric"}), Q: frozenset({"orthogonal"})}
X = scalar.x
mm, t = build.matmul, build.swap
inv: Callable[[Node], Node] = lambda a: build.linalg("inverse", a)  # noqa: E731
EYE = build.generic(scalar.on_diagonal(0, 1, sp.S.One), (), (), (4, 4), 2, None, A.dtype)


def values() -> dict[Node, np.ndarray]:
    rng = np.random.default_rng(0)
    s = rng.standard_normal((4, 4))
    given = {n: rng.standard_normal(n.shape) for n in (A, B, C, x, y, k)}
    return given | {S: s + s.T, Q: np.linalg.qr(s)[0]}


def alone(name: str, node: Node) -> Node:
    """The node rewritten by one rule, its value checked, never dearer."""
    rewriter = Rewriter(RuleSet(tuple(r for r in PRODUCTS.rules if r.name == name)), facts=FACTS)
    (new,) = rewriter.all([node])
    for before, after in zip(evaluate([node], values()), evaluate([new], values()), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)
    assert applications([new]) <= applications([node])
    assert Rewriter(rewriter.rules, facts=FACTS).all([new]) == [new]
    return new


ROWS = [
    ("transpose of symmetric", t(S), S),
    ("transpose of symmetric", t(mm(t(A), A)), mm(t(A), A)),
    ("transpose of symmetric", t(A), None),
    ("transpose of symmetric", times(A, t(S)), times(A, S)),
    ("transpose of symmetric", build.generic(X(0) + X(1), (A, S), ((0, 1), (1, 0)), (4, 4), 2, None, A.dtype), plus(A, S)),
    ("transpose of product of symmetric", t(mm(t(A), S)), mm(S, A)),
    ("transpose of product of symmetric", t(mm(A, B)), None),
    ("transpose of inverse", t(inv(t(A))), inv(A)),
    ("cancel factors", mm(Q, t(Q)), EYE),
    ("cancel factors", mm(t(Q), mm(Q, x)), x),
    ("cancel factors", mm(mm(A, Q), t(Q)), A),
    ("cancel factors", mm(mm(A, Q), mm(t(Q), B)), mm(A, B)),
    ("cancel factors", mm(A, t(A)), None),
    ("cancel factors", mm(inv(A), mm(A, x)), x),
    ("cancel factors", mm(A, inv(A)), EYE),
    ("cancel inverse", inv(inv(A)), A),
    ("cancel inverse", inv(Q), t(Q)),
    ("cancel inverse", inv(A), None),
    ("sum is product", build.generic(X(0) * X(1), (A, B), ((0, 2), (2, 1)), (4, 4, 4), 2, "sum", A.dtype), mm(A, B)),
    ("sum is product", build.generic(X(0) * X(1), (A, C), ((2, 0), (2, 1)), (4, 4, 4), 2, "sum", A.dtype), mm(t(A), C)),
    ("sum is product", build.generic(X(0) + X(1), (A, B), ((0, 2), (2, 1)), (4, 4, 4), 2, "sum", A.dtype), None),
    (
        "sum is product",
        build.generic(X(0) * X(1) * X(2), (A, x, B), ((0, 2), (2, None), (2, 1)), (4, 4, 4), 2, "sum", A.dtype),
        mm(A, times(x, B)),
    ),
    ("sum is product", build.generic(X(0) * X(1), (A, x), ((0, 2), (2, 1)), (4, 1, 4), 2, "sum", A.dtype), mm(A, x)),
    ("sum is product", build.generic(X(0) * X(1), (A, B), ((0, 1), (0, 1)), (4, 4), 1, "sum", A.dtype), None),
    ("sum is product", build.reduce("sum", times(x, y), [0]), None),
    ("common factor", plus(mm(A, x), mm(t(A), x)), mm(build.elementwise(X(0) + X(1), A, t(A)), x)),
    ("common factor", plus(mm(A, x), t(mm(t(x), A))), mm(build.elementwise(X(0) + X(1), A, t(A)), x)),
    ("common factor", plus(mm(A, x), mm(A, y)), mm(A, plus(x, y))),
    ("common factor", plus(mm(A, x), mm(B, y)), None),
    ("common factor", plus(mm(A, x), y), None),
]


@pytest.mark.parametrize(("name", "before", "after"), ROWS, ids=[f"{name} {k}" for k, (name, _, _) in enumerate(ROWS)])
def test_rule(name: str, before: Node, after: Node | None) -> None:
    assert alone(name, before) is (before if after is None else after)


def test_common_factor_with_scales_and_other_terms() -> None:
    n = build.elementwise(2 * X(0) - X(1) * X(2) + X(3), mm(A, x), k, mm(B, x), y)
    new = alone("common factor", n)
    assert applications([new]) < applications([n])
    assert sum(o.kind is Kind.MATMUL for o in new.operands) == 1


def test_a_window_of_one_part_is_a_window_of_the_part() -> None:
    parts = build.concat([A, B, C], 0)
    assert build.slice_(parts, [5, 1], (2, 3), [1, 1]) is build.slice_(B, [1, 1], (2, 3), [1, 1])
    assert build.slice_(parts, [4, 0], (4, 4), [1, 1]) is B
    assert build.slice_(parts, [7, 0], (3, 4), [-1, 1]) is build.slice_(B, [3, 0], (3, 4), [-1, 1])
    assert build.slice_(parts, [3, 0], (2, 4), [1, 1]).kind is Kind.SLICE
