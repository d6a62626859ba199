"""Rules for softmax and its family, sums, norms and layout: each alone, structure first and value second, with edges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp

from symgraph import build, dtypes, scalar
from symgraph.codegen import scalar as fn
from symgraph.node import Kind, Node, toposort
from symgraph.rewrite import Rewriter, RuleSet
from symgraph.simplify.cost import applications
from symgraph.simplify.layout import LAYOUT
from symgraph.simplify.reductions import REDUCTIONS
from symgraph.simplify.rules import RULES
from symgraph.simplify.softmax import SOFTMAX
from tests.graph.interpreted import evaluate

F = dtypes.float64
X = scalar.x
TABLE = LAYOUT + SOFTMAX + REDUCTIONS
POINTS = 40


def leaf(name: str, *shape: int) -> Node:
    return build.leaf(Kind.PLACEHOLDER, name, shape, F)


Z, G, Y = leaf("Z", 4, 3), leaf("G", 4, 3), leaf("Y", 4, 3)
b, v, c, row = leaf("b", 4, 1), leaf("v", 4), leaf("c"), leaf("r", 1, 3)
FACTS = {Y: frozenset({"rows_sum_to_one"})}
el = build.elementwise


def total(n: Node, *axes: int, keep: bool = True) -> Node:
    return build.reduce("sum", n, axes or None, keep)


def named(name: str, n: Node, *axes: int, keep: bool = True) -> Node:
    return build.composite(name, n, axes, keep)


def points() -> list[dict[Node, np.ndarray]]:
    rng = np.random.default_rng(1)
    found = []
    for k in range(POINTS):
        scale = (1.0, 1e-3, 30.0, 0.0)[k % 4]
        at = {n: scale * rng.normal(size=n.shape) for n in (Z, G, b, v, c, row)}
        y = rng.uniform(0.1, 1, size=(4, 3))
        found.append(at | {Y: y / y.sum(1, keepdims=True)})
    return found


def alone(name: str, node: Node, tolerance: float = 1e-9) -> Node:
    """The node rewritten by one rule: a value where it had one, never dearer, at rest."""
    rules = RuleSet(tuple(r for r in TABLE.rules if r.name == name))
    assert len(rules.rules) == 1, name
    rewriter = Rewriter(rules, facts=FACTS)
    (new,) = rewriter.all([node])
    assert (rewriter.counts[name] > 0) == (new is not node)
    assert (new.shape, new.dtype) == (node.shape, node.dtype)
    assert applications([new]) <= applications([node])
    assert Rewriter(rules, facts=FACTS).all([new]) == [new]
    for at in points():
        with np.errstate(all="ignore"):
            before, after = evaluate([node, new], at)
        defined = np.isfinite(before)
        np.testing.assert_allclose(after[defined], before[defined], rtol=tolerance, atol=tolerance)
    return new


def over(body: sp.Expr, a: Node, column: Node) -> Node:
    """The sums of rows of body(a, column)."""
    return build.generic(body, (a, column), ((0, 2), (0, None)), (4, 1, 3), 2, "sum", F)


exp = el(sp.exp(X(0)), Z)
shifted = el(X(0) - fn.stopped(X(1)), Z, build.reduce("max", Z, [1], True))
e = el(sp.exp(X(0)), shifted)
fused = build.generic(sp.exp(X(0)), (Z,), ((0, 1),), (4, 3), 1, "sum", F)
weighted = build.generic(sp.exp(X(0)) * X(1), (Z, G), ((0, 2), (0, 2)), (4, 1, 3), 2, "sum", F)
S = named("softmax", Z, 1)
L = named("logsumexp", Z, 1)
mean = el(X(0) / 3, total(Z, 1))
centred = el(X(0) - X(1), Z, mean)
I4 = build.generic(scalar.on_diagonal(0, 1, sp.S.One), (), (), (4, 4), 2, None, F)

ROWS: list[tuple[str, Node, Node | Callable[[Node], bool] | None]] = [
    ("softmax", el(X(0) / X(1), exp, total(exp, 1)), S),
    ("softmax", el(sp.exp(X(0)) / X(1), Z, total(exp, 1)), S),
    ("softmax", build.generic(sp.exp(X(0)) / X(1), (Z, fused), ((0, 1), (0,)), (4, 3), 2, None, F), S),
    ("softmax", el(X(0) / X(1), exp, total(exp)), named("softmax", Z, 0, 1)),
    ("softmax", el(X(0) / X(1), e, total(e, 1)), named("softmax", shifted, 1)),
    ("softmax", el(X(0) / X(1), exp, total(exp, 0)), named("softmax", Z, 0)),
    ("softmax", build.swap(el(X(0) / X(1), exp, total(exp, 1))), build.swap(S)),
    ("softmax", el(sp.log(X(0)), total(exp, 1)), lambda n: n.operands == (named("logsumexp", Z, 1, keep=False),)),
    ("softmax", el(sp.log(X(0)), fused), named("logsumexp", Z, 1, keep=False)),
    ("softmax", el(X(0) * (X(1) / X(2) - X(3) / X(2) ** 2), exp, G, total(exp, 1), weighted), lambda n: S in n.operands),
    ("softmax", el(X(0) / X(1), weighted, total(exp, 1)), lambda n: S in n.operands and n.attrs[3] == "sum"),
    ("softmax", el(X(0) / X(1), exp, total(el(sp.exp(2 * X(0)), Z), 1)), "stays"),  # type: ignore[list-item]
    ("softmax", el(X(0) / (1 + X(1)), exp, total(exp, 1)), "stays"),  # type: ignore[list-item]
    ("shift", named("softmax", shifted, 1), S),
    ("shift", named("softmax", el(X(0) + X(1) - X(2), Z, b, c), 1), S),
    ("shift", named("log_softmax", el(X(0) + X(1), Z, b), 1), named("log_softmax", Z, 1)),
    ("shift", named("softmax", el(X(0) + X(1), Z, row), 1), "stays"),  # type: ignore[list-item]
    ("shift", named("logsumexp", el(X(0) + X(1), Z, b), 1), lambda n: L in n.operands and b in n.operands),
    ("log of softmax", el(X(0) * sp.log(X(1)), Y, S), el(X(0) * X(1), Y, named("log_softmax", Z, 1))),
    ("log of softmax", el(sp.exp(X(0)), named("log_softmax", Z, 1)), S),
    ("less logsumexp", el(X(0) - X(1), Z, L), named("log_softmax", Z, 1)),
    ("less logsumexp", el(X(2) * (X(1) - X(0)), Z, L, Y), el(-X(0) * X(1), Y, named("log_softmax", Z, 1))),
    ("less logsumexp", el(X(0) - X(1), G, L), "stays"),  # type: ignore[list-item]
    ("sum of one", build.generic(X(0), (b,), ((0, 1),), (4, 1), 1, "sum", F), lambda n: n.attrs[3] is None),
    ("factor out of sum", over(X(0) * X(1), Z, b), lambda n: total(Z, 1) in n.operands),
    ("factor out of sum", over(X(0) / X(1), Z, b), lambda n: total(Z, 1) in n.operands),
    ("factor out of sum", total(el(X(0) * X(1), Y, b), 1), b),
    ("factor out of sum", total(el(X(0) * X(1), Z, row), 1), "stays"),  # type: ignore[list-item]
    ("factor out of sum", build.generic(fn.select(fn.gt(X(1), 0), X(0), 0), (Z, v), ((0, 1), (0,)), (4, 3), 1, "sum", F), None),
    ("sum of sum", total(total(Z, 1, keep=False), 0, keep=False), total(Z, keep=False)),
    ("sum of sum", total(el(2 * X(0), total(Z, 1)), 0), "stays"),  # type: ignore[list-item]
    ("term out of sum", build.generic(X(0) + X(1), (Z, v), ((0, 1), (0,)), (4, 3), 1, "sum", F), None),
    ("sum of centred", total(centred, 1), lambda n: build.is_filled(n) == 0),
    ("sum of centred", total(el(X(0) * X(1) / X(2), centred, b, b), 1), lambda n: build.is_filled(n) == 0),
    ("sum of centred", total(centred, 0), "stays"),  # type: ignore[list-item]
    ("sum of centred", total(build.matmul(build.swap(centred), b), 0), lambda n: build.is_filled(n) == 0),
    ("sum of row", total(S, 1), lambda n: build.is_filled(n) == 1),
    ("sum of row", total(Y, 1), lambda n: build.is_filled(n) == 1),
    ("sum of row", total(Y), lambda n: n.operands == ()),
    ("sum of row", total(Y, 0), "stays"),  # type: ignore[list-item]
    ("sum of row", total(G, 1), "stays"),  # type: ignore[list-item]
    ("norm", el(sp.sqrt(X(0)), total(el(X(0) ** 2, Z), keep=False)), named("norm", Z, 0, 1, keep=False)),
    ("norm", el(X(0) / sp.sqrt(X(1)), Z, total(el(X(0) ** 2, Z), 1)), lambda n: any(o.kind is Kind.COMPOSITE for o in n.operands)),
    ("norm", el(sp.sqrt(X(0) / 3), total(el(X(0) ** 2, Z), 1)), lambda n: any(o.kind is Kind.COMPOSITE for o in n.operands)),
    ("norm", el(X(0) / X(1), Z, total(el(X(0) ** 2, Z), 1)), "stays"),  # type: ignore[list-item]
    ("read through", el(sp.sin(X(0)), build.reshape(v, (4, 1))), lambda n: n.operands == (v,)),
    ("layout", build.generic(X(0), (v,), ((0,),), (4, 1), 2, None, F), build.reshape(v, (4, 1))),
    ("layout", build.generic(X(0), (b,), ((0, None),), (4,), 1, None, F), build.reshape(b, (4,))),
    ("layout", build.swap(Z), "stays"),  # type: ignore[list-item]
    ("reshape of value", build.reshape(el(sp.sin(X(0)), v), (4, 1)), lambda n: n.kind is Kind.GENERIC),
    ("reshape of value", build.reshape(v, (1, 4)), build.swap(build.reshape(v, (4, 1)))),
    ("reshape of value", build.reshape(named("softmax", b, 0), (4,)), lambda n: n.kind is Kind.COMPOSITE and n.shape == (4,)),
    ("reshape of value", build.reshape(Z, (12,)), "stays"),  # type: ignore[list-item]
]


@pytest.mark.parametrize("k", range(len(ROWS)), ids=[f"{name} {k}" for k, (name, _, _) in enumerate(ROWS)])
def test_rule(k: int) -> None:
    name, before, after = ROWS[k]
    new = alone(name, before)
    if after == "stays":
        assert new is before
    elif isinstance(after, Node):
        assert new is after
    else:
        assert new is not before
        assert after is None or after(new)


def test_sizes_are_numbers() -> None:
    """Whole numbers made of sizes, and sizes that the graph makes equal."""
    m, k = (build.leaf(Kind.PLACEHOLDER, n, (sp.Symbol(n, integer=True, positive=True), 2), F) for n in "mk")
    cast = fn.cast_(m.shape[0], sp.Symbol("float64"))
    n = build.generic(X(0) / cast, (m,), ((0, 1),), m.shape, 2, None, F)
    rules = RuleSet(tuple(r for r in REDUCTIONS.rules if r.name == "size"))
    assert Rewriter(rules).all([n])[0].attrs[0] == X(0) / m.shape[0]
    both = el(X(0) + X(1), m, k)
    apart = build.generic(X(0) * k.shape[0] / m.shape[0], (both,), ((0, 1),), m.shape, 2, None, F)
    assert Rewriter(rules).all([apart])[0] is both


def test_a_claim_is_dropped_inside() -> None:
    m, k = (build.leaf(Kind.PLACEHOLDER, n, (sp.Symbol(n, integer=True, positive=True), 2), F) for n in "mk")
    both = el(X(0) + X(1), m, k)
    claim = build.generic(X(0), (both,), ((0, 1),), k.shape, 2, None, F)
    rules = RuleSet(tuple(r for r in LAYOUT.rules if r.name == "claim"))
    (new,) = Rewriter(rules).all([build.matmul(build.swap(m), claim)])
    assert new.operands[1] is both
    assert Rewriter(rules).all([claim]) == [claim]


def test_every_rule_is_here() -> None:
    tested = {name for name, _, _ in ROWS} | {"size", "claim"}
    assert {r.name for r in TABLE.rules} == tested
    assert all(len(r.reason) > 10 for r in RULES.rules)


def test_a_gradient_of_a_softmax_is_recognised_whole() -> None:
    """S (G - sum(S G)), from what the sweep leaves; it stays finite where exp overflows."""
    made = el(X(0) * (X(1) / X(2) - X(3) / X(2) ** 2), exp, G, total(exp, 1), total(el(X(0) * X(1), exp, G), 1))
    (new,) = Rewriter(RULES).all([made])
    assert not any(m.kind is Kind.GENERIC and m.attrs[0].has(sp.exp) for m in toposort([new]))
    at = points()[0] | {Z: np.array([[800.0, 0, 1], [-900, 2, 3], [1, 2, 3], [0, 0, 0]])}
    assert np.isfinite(evaluate([new], at)).all()
