"""What follows from facts and from how a node is made."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from symgraph import build, dtypes, scalar
from symgraph.codegen import scalar as fn
from symgraph.known import Known
from symgraph.node import Kind, Node
from symgraph.simplify.deltas import identity

F = dtypes.float64
X = scalar.x


def leaf(name: str, *shape: int) -> Node:
    return build.leaf(Kind.PLACEHOLDER, name, shape, F)


A, B, S, Q, X34, Y = leaf("A", 3, 3), leaf("B", 3, 3), leaf("S", 3, 3), leaf("Q", 3, 3), leaf("X", 3, 4), leaf("Y", 5, 3)
v, P, p = leaf("v", 3, 1), leaf("P", 3, 3), leaf("p")
KNOWN = Known({S: frozenset({"symmetric"}), Q: frozenset({"orthogonal"}), Y: frozenset({"rows_sum_to_one"}), p: frozenset({"positive"})})


def mul(*ns: Node) -> Node:
    out = ns[0]
    for n in ns[1:]:
        out = build.matmul(out, n)
    return out


def inv(n: Node) -> Node:
    return build.linalg("inverse", n)


t = build.swap
I3 = build.generic(scalar.on_diagonal(0, 1, sp.S.One), (), (), (3, 3), 2, None, F)
SYMMETRIC = {
    "told": S,
    "transpose of symmetric": t(S),
    "X X'": mul(X34, t(X34)),
    "X'X": mul(t(X34), X34),
    "A S A'": mul(A, mul(S, t(A))),
    "(A S) A'": mul(mul(A, S), t(A)),
    "A' A^-1 ... of symmetric": inv(mul(t(A), A)),
    "A + A'": build.elementwise(X(0) + X(1), A, t(A)),
    "A * A'": build.elementwise(X(0) * X(1), A, t(A)),
    "c S + I": build.elementwise(X(0) * X(1) + X(2), p, S, I3),
    "composed A + A'": build.generic(sp.sin(X(0)) + sp.sin(X(1)), (A, A), ((0, 1), (1, 0)), (3, 3), 2, None, F),
    "v v'": mul(v, t(v)),
    "diagonal": build.generic(fn.select(fn.eq(scalar.i(0), scalar.i(1)), X(0), 0), (v,), ((0, None),), (3, 3), 2, None, F),
    "S^-1 (v v') S^-1": mul(mul(inv(S), mul(v, t(v))), inv(S)),
    "v_i + v_j": build.elementwise(X(0) + X(1), v, t(v)),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric(name: str) -> None:
    assert KNOWN.has(SYMMETRIC[name], "symmetric") == (name != "diagonal")  # that one reads rows: right only on the diagonal


@pytest.mark.parametrize("n", [A, t(A), mul(A, B), mul(A, A), mul(S, S, A), build.elementwise(X(0) - X(1), A, t(A)), X34, Q, inv(A), v])
def test_not_symmetric(n: Node) -> None:
    assert not KNOWN.has(n, "symmetric")


def test_others() -> None:
    assert all(KNOWN.has(n, "orthogonal") for n in (Q, t(Q), inv(Q), mul(Q, t(Q)), I3))
    assert not any(KNOWN.has(n, "orthogonal") for n in (A, S, mul(Q, A)))
    softmax = build.composite("softmax", A, (1,))
    assert all(KNOWN.has(n, "rows_sum_to_one") for n in (Y, softmax, I3))
    assert not any(KNOWN.has(n, "rows_sum_to_one") for n in (A, t(Y), build.composite("softmax", A, (0,))))
    positive = [p, softmax, build.elementwise(sp.exp(X(0)) + X(1), A, p), build.const(0.3, F), build.reduce("sum", softmax)]
    assert all(KNOWN.has(n, "positive") for n in positive)
    assert not any(KNOWN.has(n, "positive") for n in (A, build.elementwise(X(0) ** 2, A), build.const(np.zeros(3), F)))
    assert KNOWN.has(I3, "one_hot")
    assert KNOWN.has(identity(v), "binary") == KNOWN.has(identity(v), "one_hot")
