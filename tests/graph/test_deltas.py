"""Rules for deltas and relabelled matrices: each alone, structure first and value second."""

from __future__ import annotations

import numpy as np
import sympy as sp

from symgraph import build, dtypes, scalar
from symgraph.codegen import scalar as fn
from symgraph.node import Kind, Node
from symgraph.rewrite import Rewriter, RuleSet
from symgraph.simplify.deltas import DELTAS, identity, relabel
from symgraph.simplify.linear import LINEAR
from tests.graph.test_rewrite import A, B, C, F, V, W, X, evaluate, leaf, points, same_value, sine

Q, P = leaf("Q", 4, 4), leaf("P", 4, 4)
at = scalar.i
on = scalar.on_diagonal


def applied(name: str, node: Node) -> Node:
    """The node rewritten by one rule, its value checked."""
    rewriter = Rewriter(RuleSet(tuple(r for r in DELTAS.rules if r.name == name)))
    new = rewriter(node)
    assert (rewriter.counts[name] > 0) == (new is not node)
    same_value([node], [new])
    return new


def test_every_rule_has_its_test_and_its_reason() -> None:
    for r in DELTAS.rules:
        assert f"test_{r.name.replace(' ', '_')}" in globals()
        assert len(r.reason) > 10


def test_delta() -> None:
    assert scalar.delta(on(2, 0, X(0))) == (0, 2, X(0))
    assert scalar.delta(2 * X(1) * on(0, 1, X(0))) == (0, 1, 2 * X(0) * X(1))
    assert scalar.delta(on(1, 3, on(0, 2, 1))) == (1, 3, on(0, 2, 1))
    assert scalar.delta(X(0) + on(0, 1, 1)) is None
    assert scalar.delta(sp.Function("f")(X(0))) is None
    assert scalar.canonical(on(0, 1, 1).xreplace({at(0): at(1), at(1): at(0)})) == on(0, 1, 1)


def test_identity() -> None:
    units = identity(leaf("column", 3, 1))
    assert units.shape == (3, 3, 1)
    (value,) = evaluate([units], {})
    np.testing.assert_array_equal(value[..., 0], np.eye(3))
    (value,) = evaluate([identity(A)], {})
    np.testing.assert_array_equal(value.reshape(12, 12), np.eye(12))
    (value,) = evaluate([identity(leaf("number"))], {})
    assert value == 1


def test_positions_inside() -> None:
    equal = build.generic(fn.eq(at(0), at(1)), (), (), (4, 4), 2, None, dtypes.bool)
    n = build.generic(fn.select(X(0), X(1), 0), (equal, Q), ((0, 1), (0, 1)), (4, 4), 2, None, F)
    new = applied("positions inside", n)
    assert (new.operands, new.attrs[0]) == ((Q,), on(0, 1, X(0)))
    other = build.generic(fn.select(fn.gt(X(0), 0), X(0), 0), (Q,), ((0, 1),), (4, 4), 2, None, F)  # a condition on values
    assert applied("positions inside", other) is other


def test_contract() -> None:
    n = applied("contract", build.generic(on(0, 2, X(0) * X(1)), (A, C), ((0, 1), (2, 1)), (3, 4, 3), 2, "sum", F))
    assert (n.attrs[0], n.attrs[3]) == (X(0) * X(1), None)
    both = applied("contract", build.generic(on(1, 2, X(0)), (Q,), ((1, 2),), (2, 4, 4), 1, "sum", F))
    assert both.attrs[2:] == ((2, 4), "sum")
    other = build.generic(on(1, 2, X(0)), (A,), ((1, 2),), (2, 3, 4), 1, "sum", F)  # extents differ: not every position has its equal
    assert applied("contract", other) is other


def test_delta_out_of_sum() -> None:
    n = applied("delta out of sum", build.generic(on(0, 1, X(0) * X(1)), (Q, W), ((0, 2), (2,)), (4, 4, 4), 2, "sum", F))
    assert n.attrs[0] == on(0, 1, X(0))
    assert n.operands[0].shape == (4,)


def test_gather_diagonal() -> None:
    n = applied("gather diagonal", build.generic(X(0) * X(1) * on(0, 1, 1), (Q, W), ((0, 1), (1,)), (4, 4), 2, None, F))
    assert n.attrs[:2] == (on(0, 1, X(0) * X(1)), ((0, 0), (0,)))
    scaled = applied("gather diagonal", build.generic(on(0, 1, 2 * X(0) * X(1)), (leaf("s"), W), ((), (0,)), (4, 4), 2, None, F))
    assert scaled.attrs[0] == 2 * X(0) * on(0, 1, X(1))


def test_relabelled() -> None:
    inner = build.generic(X(0) * X(1), (V, A), ((1, None), (1, 0)), (4, 3, 1), 3, None, F)
    n = applied("relabelled", relabel(inner, (0, 1, None), (4, 3)))
    assert n.attrs[1] == ((1, None), (1, 0))
    turned = applied("relabelled", build.swap(n))
    assert turned.attrs[1] == ((0, None), (0, 1))
    assert applied("relabelled", build.swap(sine(A))) is build.swap(sine(A))


def test_one_sided_product() -> None:
    units = identity(leaf("column", 4, 1))
    chosen = applied("one sided product", build.matmul(A, units))
    assert chosen.operands == (A,)
    assert chosen.attrs[0] == X(0)
    batch = leaf("batch", 5, 4, 1)
    n = applied("one sided product", build.matmul(A, batch))
    assert build.is_pure(n)
    (product,) = n.operands
    assert product.kind is Kind.MATMUL
    assert product.shape == (5, 3)
    assert product.operands[1] is build.swap(A)
    kept = build.matmul(leaf("left", 5, 3, 4), leaf("right", 5, 4, 2))
    assert applied("one sided product", kept) is kept
    assert applied("one sided product", build.matmul(A, B)) is build.matmul(A, B)
    scaling = build.generic(on(0, 1, sp.sin(X(0))), (W,), ((0,),), (4, 4), 2, None, F)
    assert applied("one sided product", build.matmul(A, scaling)).kind is Kind.GENERIC


def test_products_of_units_of_matrices() -> None:
    (n,) = Rewriter(LINEAR + DELTAS).all([build.matmul(build.swap(A), build.matmul(A, identity(B)))])
    same_value([build.matmul(build.swap(A), build.matmul(A, identity(B)))], [n])
    assert n.operands == (build.matmul(build.swap(A), A),)
    assert n.attrs[0] == on(1, 3, X(0))


def test_one_by_one() -> None:
    n = applied("one by one", build.matmul(V, leaf("number", 1, 1)))
    assert n.kind is Kind.GENERIC
    assert applied("one by one", build.matmul(V, build.filled(1, (1, 1), F))) is V
    row = build.matmul(leaf("number", 1, 1), leaf("row", 1, 4))
    assert applied("one by one", row).kind is Kind.GENERIC
    assert applied("one by one", build.matmul(V, leaf("row", 1, 4))).kind is Kind.MATMUL


def test_read_transposed() -> None:
    n = applied("read transposed", build.generic(X(0) + X(1), (build.matmul(A, B), leaf("D", 2, 3)), ((1, 0), (0, 1)), (2, 3), 2, None, F))
    assert build.matmul(build.swap(B), build.swap(A)) in n.operands


def test_at_rest() -> None:
    units = identity(leaf("column", 4, 1))
    roots = [
        build.matmul(build.swap(A), build.elementwise(X(0) * X(1), V, build.matmul(A, units))),
        build.elementwise(X(0) + 3 * X(1), build.matmul(Q, build.matmul(P, units)), units),
    ]
    new = Rewriter(LINEAR + DELTAS).all(roots)
    assert Rewriter(LINEAR + DELTAS).all(new) == new
    values = points(roots)
    for p, q in zip(evaluate(roots, values), evaluate(new, values), strict=True):
        np.testing.assert_allclose(q, p)
