"""Rules for windows: slices of what was placed, and parts placed side by side.

Law of this file: only whole windows with step 1 are looked at; their bounds may be sizes.
"""

from __future__ import annotations

from itertools import combinations

import sympy as sp

from .. import build, scalar
from ..node import Kind, Node
from ..rewrite import Rewriter, Rule, RuleSet, rule
from .forms import extended

_table: list[Rule] = []


@rule(_table, Kind.SLICE, "the window in which something was placed holds it")
def slice_of_place(n: Node, rw: Rewriter) -> Node | None:
    (p,) = n.operands
    if p.kind is not Kind.PLACE or p.attrs != n.attrs or p.operands[0].shape != n.shape:
        return None
    return p.operands[0]


@rule(_table, Kind.SLICE, "a window of a window is a window")
def slice_of_slice(n: Node, rw: Rewriter) -> Node | None:
    (p,) = n.operands
    if p.kind is not Kind.SLICE or rw.shared(p):
        return None
    (inner, by), (outer, step) = p.attrs, n.attrs
    start = [sp.sympify(a + b * s) for a, b, s in zip(inner, outer, by, strict=True)]
    whole = [int(a) if a.is_Integer else a for a in start]
    return build.slice_(p.operands[0], whole, n.shape, [s * t for s, t in zip(by, step, strict=True)])


@rule(_table, Kind.GENERIC, "parts placed side by side are a concatenation")
def places_side_by_side(n: Node, rw: Rewriter) -> Node | None:
    body, index, _, _ = n.attrs
    own = tuple(range(n.rank))
    places = [k for k, o in enumerate(n.operands) if o.kind is Kind.PLACE and index[k] == own and set(o.attrs[1]) == {1}]
    if len(places) < 2:
        return None
    for e in sorted(body.atoms(sp.Add), key=sp.default_sort_key):
        for p, q in combinations(places, 2):
            c, d = e.coeff(scalar.x(p)), e.coeff(scalar.x(q))
            if not c.is_number or not d.is_number or c == 0 or d == 0:
                continue
            for (a, u), (b, v) in (((p, c), (q, d)), ((q, d), (p, c))):
                axis = _follows(n.operands[a], n.operands[b])
                if axis is None:
                    continue
                parts = [build.elementwise(w * scalar.x(0), n.operands[k].operands[0]) for k, w in ((a, u), (b, v))]
                new = e - c * scalar.x(p) - d * scalar.x(q) + scalar.x(len(n.operands))
                start, step = n.operands[a].attrs
                joined = build.place(build.concat(parts, axis), start, n.operands[a].shape, step)
                return extended(n, body.xreplace({e: new}), [(joined, own)])
    return None


def _follows(a: Node, b: Node) -> int | None:
    """The axis along which what is placed in b begins where that in a ends, if they lie side by side."""
    found = None
    for axis, (s, t) in enumerate(zip(a.attrs[0], b.attrs[0], strict=True)):
        p, q = a.operands[0].shape[axis], b.operands[0].shape[axis]
        if s == t and p == q:
            continue
        if found is not None or sp.sympify(t - s - p) != 0:
            return None
        found = axis
    return found if a.shape == b.shape else None


MOVEMENT = RuleSet(tuple(_table))
