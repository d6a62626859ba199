"""Rewriting: every rule alone, structure first and value second; and the table as a whole."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import sympy as sp

from symgraph import build, dtypes, scalar
from symgraph.node import Kind, Node, toposort
from symgraph.rewrite import Rewriter, Rule, RuleSet, rule
from symgraph.shapes import symbol
from symgraph.simplify.cost import applications
from symgraph.simplify.linear import LINEAR
from tests.graph.interpreted import evaluate

F = dtypes.float64
X = scalar.x


def leaf(name: str, *shape: object) -> Node:
    return build.leaf(Kind.PLACEHOLDER, name, shape, F)  # type: ignore[arg-type]


def points(nodes: Sequence[Node], seed: int = 0, **sizes: int) -> dict[Node, np.ndarray]:
    """Random values between 0.5 and 1.5 for the leaves."""
    rng = np.random.default_rng(seed)
    found = {}
    for n in toposort(nodes):
        if n.kind is Kind.PLACEHOLDER:
            shape = [d if isinstance(d, int) else sizes[str(d)] for d in n.shape]
            found[n] = rng.uniform(0.5, 1.5, size=shape)
    return found


def only(name: str) -> RuleSet:
    """The table reduced to one rule."""
    chosen = tuple(r for r in LINEAR.rules if r.name == name)
    assert len(chosen) == 1, f"no rule {name!r} among {[r.name for r in LINEAR.rules]}"
    return RuleSet(chosen)


def same_value(before: Sequence[Node], after: Sequence[Node], **sizes: int) -> None:
    for seed in range(3):
        at = points([*before, *after], seed, **sizes)
        for p, q in zip(evaluate(before, at), evaluate(after, at), strict=True):
            np.testing.assert_allclose(q, p, rtol=1e-9, atol=1e-9)


def applied(name: str, node: Node, **sizes: int) -> Node:
    """The node rewritten by one rule, its value checked."""
    rewriter = Rewriter(only(name))
    (new,) = rewriter.all([node])
    assert (rewriter.counts[name] > 0) == (new is not node)
    same_value([node], [new], **sizes)
    return new


A, B, C = leaf("A", 3, 4), leaf("B", 4, 2), leaf("C", 3, 4)
V, W = leaf("v", 3, 1), leaf("w", 4)
S, T = leaf("s"), leaf("t")


def times(*operands: Node) -> Node:
    return build.elementwise(sp.Mul(*(X(k) for k in range(len(operands)))), *operands)


def plus(*operands: Node) -> Node:
    return build.elementwise(sp.Add(*(X(k) for k in range(len(operands)))), *operands)


def sine(n: Node) -> Node:
    return build.elementwise(sp.sin(X(0)), n)


# ---------------------------------------------------------------- one rule at a time
def test_compose() -> None:
    n = applied("compose", plus(times(sine(A), C), W))
    assert set(n.operands) == {A, C, W}
    assert n.attrs[0] == X(0) + X(1) * sp.sin(X(2)) or sp.sin in {type(f) for f in sp.preorder_traversal(n.attrs[0])}
    summed = applied("compose", build.reduce("sum", times(A, C), [0]))
    assert summed.attrs[3] == "sum"
    assert set(summed.operands) == {A, C}
    through = applied("compose", times(build.swap(A), build.swap(sine(C))))
    assert set(through.operands) == {A, C}


def test_compose_leaves_what_is_shared_or_the_users() -> None:
    inner = sine(A)
    n = plus(build.matmul(inner, B), build.matmul(build.elementwise(X(0) + 1, inner), B))
    rewriter = Rewriter(only("compose"))
    assert inner in toposort(rewriter.all([n]))
    fixed = Rewriter(only("compose"), forward=frozenset({inner, A}))
    assert fixed(build.elementwise(X(0) + 1, inner)).operands == (inner,)


def test_compose_stops_at_the_limit() -> None:
    n = A
    for _ in range(200):
        n = build.elementwise(sp.sin(X(0)) + X(1), n, C)
    new = applied("compose", n)
    assert all(scalar.operations(m.attrs[0]) <= scalar.MAX_OPERATIONS for m in toposort([new]) if m.kind is Kind.GENERIC)
    assert len(toposort([new])) < 40


def test_number_out_of_terms() -> None:
    n = applied("number out of terms", build.elementwise(2 * X(0) + 6 * X(1), A, C))
    assert n.attrs[0].args == (2, X(0) + 3 * X(1))
    assert applied("number out of terms", plus(A, C)) is plus(A, C)


def test_sum_of_constant() -> None:
    rows = symbol("rows")
    n = Rewriter(only("sum of constant"))(build.generic(X(0), (W,), ((0,),), (4, rows), 1, "sum", F))
    assert n.operands == (W,)
    assert n.attrs[0] == X(0) * rows
    assert n.attrs[3] is None
    mixed = build.generic(X(0) * X(1), (A, S), ((0, 1), ()), (3, 4, 7), 1, "sum", F)
    out = applied("sum of constant", mixed)
    assert (out.attrs[0], out.attrs[2]) == (7 * X(0) * X(1), (3, 4))


def test_scalar_out_of_sum() -> None:
    n = applied("scalar out of sum", build.generic(2 * X(1) * X(0), (A, S), ((0, 1), ()), (3, 4), 1, "sum", F))
    total = next(o for o in n.operands if o.rank == 1)
    assert n.attrs[3] is None
    assert total.operands == (A,)
    assert total.attrs[3] == "sum"
    assert applied("scalar out of sum", build.reduce("sum", A)) is build.reduce("sum", A)


def test_scalar_out_of_transpose() -> None:
    n = applied("scalar out of transpose", build.swap(build.elementwise(X(0) * X(1) / 2, S, A)))
    assert build.swap(A) in n.operands


def test_scalar_out_of_product() -> None:
    scaled = build.elementwise(3 * X(0), A)
    n = applied("scalar out of product", build.matmul(scaled, B))
    assert n.operands == (build.matmul(A, B),)
    assert n.attrs[0] == 3 * X(0)
    right = applied("scalar out of product", build.matmul(A, times(S, B)))
    assert build.matmul(A, B) in right.operands


def test_scalar_out_of_shared() -> None:
    shared = build.elementwise(X(0) * X(1) * sp.sin(X(2)), S, A, C)
    rewriter = Rewriter(only("scalar out of shared"))
    roots = [build.matmul(shared, B), build.reduce("sum", shared, [0])]
    new = rewriter.all(roots)
    same_value(roots, new)
    bare = build.elementwise(X(0) * sp.sin(X(1)), A, C)
    assert bare in toposort([new[0]])
    assert bare in toposort([new[1]])
    assert Rewriter(only("scalar out of shared")).all([shared]) == [shared]


def test_transpose_of_product() -> None:
    n = applied("transpose of product", build.swap(build.matmul(A, B)))
    assert n is build.matmul(build.swap(B), build.swap(A))


def test_zero_product() -> None:
    n = applied("zero product", build.matmul(A, build.filled(0, (4, 2), F)))
    assert n is build.filled(0, (3, 2), F)


def test_every_rule_has_its_test_and_its_reason() -> None:
    for r in LINEAR.rules:
        assert f"test_{r.name.replace(' ', '_')}" in globals()
        assert len(r.reason) > 10


# ---------------------------------------------------------------- the engine
def test_sets_add_up() -> None:
    table: list[Rule] = []

    @rule(table, Kind.GENERIC, "a test")
    def sine_is_zero(n: Node, rw: Rewriter) -> Node | None:
        return build.filled(0, n.shape, n.dtype) if n.attrs[0] == sp.sin(X(0)) else None

    both = only("number out of terms") + RuleSet(tuple(table))
    assert [r.name for r in both.rules] == ["number out of terms", "sine is zero"]
    assert both.of(Kind.MATMUL) == []
    assert Rewriter(both)(sine(A)) is build.filled(0, (3, 4), F)


def test_a_dearer_form_is_dropped_and_counted() -> None:
    table: list[Rule] = []

    @rule(table, Kind.GENERIC, "makes things worse")
    def worse(n: Node, rw: Rewriter) -> Node | None:
        return build.elementwise(sp.cos(X(0)), n)

    rewriter = Rewriter(RuleSet(tuple(table)))
    assert rewriter(sine(A)) is sine(A)
    assert rewriter.counts == {"worse (dearer, dropped)": 1}


def test_two_rules_that_undo_each_other_are_an_error() -> None:
    table: list[Rule] = []

    @rule(table, Kind.GENERIC, "there")
    def there(n: Node, rw: Rewriter) -> Node | None:
        return build.elementwise(sp.cos(X(0)), A) if n is sine(A) else None

    @rule(table, Kind.GENERIC, "and back")
    def back(n: Node, rw: Rewriter) -> Node | None:
        return sine(A) if n is build.elementwise(sp.cos(X(0)), A) else None

    with pytest.raises(RuntimeError, match="undo each other"):
        Rewriter(RuleSet(tuple(table)))(sine(A))


def test_steps_can_be_watched() -> None:
    seen = []
    rewriter = Rewriter(LINEAR, trace=lambda r, old, new: seen.append((r.name, old, new)))
    n = build.swap(build.matmul(build.elementwise(2 * X(0), A), B))
    new = rewriter(n)
    assert {name for name, _, _ in seen} >= {"scalar out of product"}
    assert sum(rewriter.counts.values()) == len(seen)
    same_value([n], [new])


def test_fixed_nodes_stay() -> None:
    kept = toposort([build.swap(build.matmul(build.elementwise(2 * X(0), A), B))])
    n = build.elementwise(sp.sin(X(0)), kept[-1])
    assert set(toposort([Rewriter(LINEAR)(n)])) & set(kept) == {A, B}
    assert set(toposort([Rewriter(LINEAR, forward=frozenset(kept))(n)])) >= set(kept[:-1])


# ---------------------------------------------------------------- the table
ONE = [2 * X(0), -X(0), X(0) / 3, sp.sin(X(0)), X(0) ** 2]
TWO = [X(0) + X(1), X(0) - X(1), X(0) * X(1), X(0) / (X(1) + 4), X(0) * X(1) + X(0), (1 - X(0)) * (X(1) / (1 - X(0)) + 2)]
JOINED = [((0, 2), (2, 1)), ((2, 0), (2, 1)), ((0, 2), (1, 2))]
STEPS: list[Callable[[random.Random, Node, Node, Node], Node]] = [
    lambda rng, a, b, s: build.elementwise(rng.choice(TWO), a, b),
    lambda rng, a, b, s: build.elementwise(rng.choice(ONE), a),
    lambda rng, a, b, s: build.elementwise(X(0) * X(1), s, a),
    lambda rng, a, b, s: build.matmul(a, build.elementwise(X(0) / 3, b)),
    lambda rng, a, b, s: build.swap(a),
    lambda rng, a, b, s: build.broadcast_to(build.reduce("sum", a, [rng.randrange(2)], keepdims=True), (3, 3)),
    lambda rng, a, b, s: build.generic(X(0) * X(1), (a, b), rng.choice(JOINED), (3, 3, 3), 2, "sum", F),
    lambda rng, a, b, s: build.elementwise(X(0) * X(1), build.reduce("sum", a), b),
]


def random_graph(seed: int, size: int = 14) -> list[Node]:
    """Roots of a graph of every kind of step that the table looks at."""
    rng = random.Random(seed)
    pool = [leaf(f"p{seed}", 3, 3), leaf(f"q{seed}", 3, 3), leaf(f"r{seed}", 3, 3)]
    small = [leaf(f"s{seed}"), build.const(0.3, F)]
    for _ in range(size):
        pool.append(rng.choice(STEPS)(rng, rng.choice(pool), rng.choice(pool), rng.choice(small)))
    return [pool[-1], pool[-2], build.reduce("sum", pool[-3], [0])]


def shrunk(roots: Sequence[Node]) -> bool:
    """Are all values finite and of a size at which rounding says something?"""
    return all(np.isfinite(v).all() and np.abs(v).max() < 1e6 for v in evaluate(roots, points(roots)))


SEEDS = range(120)


@pytest.mark.parametrize("chunk", range(4))
def test_values_costs_and_rest(chunk: int) -> None:
    checked = 0
    for seed in SEEDS[chunk::4]:
        roots = random_graph(seed)
        if not shrunk(roots):
            continue
        checked += 1
        rewriter = Rewriter(LINEAR)
        new = rewriter.all(roots)
        for old, n in zip(roots, new, strict=True):
            assert (n.shape, n.dtype) == (old.shape, old.dtype)
        at = points(roots, seed)
        for p, q in zip(evaluate(roots, at), evaluate(new, at), strict=True):
            np.testing.assert_allclose(q, p, rtol=1e-7, atol=1e-7 * max(1, np.abs(p).max()))
        assert applications(new) <= applications(roots) + 1, f"seed {seed}: dearer"  # steps are judged from nearby
        assert products(new) <= products(roots) + sum_products(roots), f"seed {seed}: more products"
        assert Rewriter(LINEAR).all(new) == new, f"seed {seed}: not at rest"
    assert checked >= 20


def products(roots: Sequence[Node]) -> int:
    return sum(n.kind is Kind.MATMUL for n in toposort(roots))


def sum_products(roots: Sequence[Node]) -> int:
    """Sums of products over a shared axis, which become matrix products."""
    return sum(n.kind is Kind.GENERIC and n.attrs[3] == "sum" for n in toposort(roots))


def test_the_order_of_the_rules_does_not_change_the_value() -> None:
    rng = random.Random(7)
    for seed in SEEDS[:40]:
        roots = random_graph(seed)
        if not shrunk(roots):
            continue
        at = points(roots, seed)
        wanted = evaluate(roots, at)
        for _ in range(3):
            rules = list(LINEAR.rules)
            rng.shuffle(rules)
            found = evaluate(Rewriter(RuleSet(tuple(rules))).all(roots), at)
            for p, q in zip(wanted, found, strict=True):
                np.testing.assert_allclose(q, p, rtol=1e-7, atol=1e-7 * max(1, np.abs(p).max()))


# ---------------------------------------------------------------- cost
def layered(count: int) -> Node:
    n = A
    for k in range(count // 4):
        n = plus(times(n, C), sine(build.swap(build.swap(times(S, n)))))
        if k % 5 == 0:
            n = build.matmul(build.matmul(n, build.swap(A)), build.elementwise(X(0) / 2, C))
    return n


def watched(make: Callable[[int], Node], count: int) -> float:
    root = make(count)
    gc.collect()
    gc.disable()
    try:
        before = time.process_time()
        Rewriter(LINEAR).all([root])
        return time.process_time() - before
    finally:
        gc.enable()


def test_rewriting_is_linear() -> None:
    watched(layered, 400)
    few, many = [], []
    for _ in range(3):  # a busy machine gets two more tries
        few.append(watched(layered, 400))
        many.append(watched(layered, 2_000))
        if min(many) < 7.5 * min(few):
            return
    pytest.fail(f"2000 nodes against 400: {min(many):.3f} s against {min(few):.3f} s")
