"""Rules that recognise softmax, log_softmax and logsumexp, whoever wrote them out.

Law of this file: with s = sum(exp(w)), exp(w) is written softmax(w) * s.  Where s then falls out of a body, a softmax
has been found: in exp(w) / s, in the gradient of anything made of it, and in sums over it.  What is found is finite
where exp(w) overflows.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from .. import build, scalar
from ..node import Kind, Node
from ..rewrite import Rewriter, Rule, RuleSet, rule
from .forms import Labels, Written, extended, instance, is_plain, is_sum, labels_of, narrow, placements, power_of, slots_of, tensor, written

_table: list[Rule] = []
_T = sp.Dummy("s", positive=True)
Read = tuple[Node, Labels]


def _has_exp(o: Node) -> bool:
    return o.attrs[0].has(sp.exp) and scalar.operations(o.attrs[0]) <= scalar.MAX_OPERATIONS // 4


def _exponent(s: Node) -> Written | None:
    """w over its operands, if s is the sum of exp(w) over some axes."""
    if not is_sum(s):
        return None
    body, operands, index = written(s, _has_exp)
    space = s.attrs[2]
    if not isinstance(body, sp.exp) or not {a for a in range(s.rank, len(space)) if space[a] != 1} <= labels_of(body, index, space):
        return None
    return body.args[0], operands, index


@rule(_table, Kind.GENERIC, "exp(u) / sum(exp(u)) is softmax(u), and log(sum(exp(u))) is logsumexp(u)", everywhere=True)
def softmax(n: Node, rw: Rewriter) -> Node | None:
    if not n.dtype.is_floating:
        return None
    for k, s in enumerate(n.operands):
        w = _exponent(s)
        if w is not None and (found := _by_softmax(n, s, n.attrs[1][k], w)) is not None:
            return found
    return None


def _by_softmax(n: Node, s: Node, ix: Labels, w: Written) -> Node | None:
    body, operands, index = written(n, _has_exp)
    space, reducer = n.attrs[2:]
    u, labels = tensor(w, s.attrs[2], s)
    axes = [k for k, a in enumerate(labels) if a >= s.rank]
    flat = build.generic(body, operands, index, space, n.rank, reducer, n.dtype)
    if flat.kind is not Kind.GENERIC or s not in flat.operands:
        return None
    body, index, operands = flat.attrs[0], flat.attrs[1], flat.operands
    total = next(scalar.x(k) for k, (o, at) in enumerate(zip(operands, index, strict=True)) if o is s and narrow(o, at) == narrow(s, ix))
    extra: list[Read] = []

    def new(node: Node, at: Labels) -> sp.Symbol:
        extra.append((node, at))
        return scalar.x(len(operands) + len(extra) - 1)

    changed = body
    slots = slots_of(operands, index)
    for at in placements(s, ix, space):
        e = instance(w, at, slots)
        if e is not None and changed.has(sp.exp(e)):
            changed = changed.xreplace({sp.exp(e): _T * new(build.composite("softmax", u, axes), tuple(at[a] for a in labels))})
    for k, q in enumerate(operands):
        if q is not s and is_sum(q):
            found = _sum_by_softmax(q, index[k], s, ix, w, build.composite("softmax", u, axes), labels)
            if found is not None:
                changed = changed.xreplace({scalar.x(k): _T ** found[0] * new(found[1], index[k])})
    if changed.has(sp.log(total)):
        kept = tuple(ix[a] for a in labels if a < s.rank)
        changed = changed.xreplace({sp.log(total): new(build.composite("logsumexp", u, axes), kept)})
    if changed == body:
        return None
    split = power_of(changed.xreplace({total: _T}), _T)
    return None if split is None else extended(flat, total ** split[0] * split[1], extra)


def _sum_by_softmax(
    q: Node, iq: Labels, s: Node, ix: Labels, w: Written, soft: Node, labels: tuple[int, ...]
) -> tuple[sp.Expr, Node] | None:
    """(p, Q) with q = s**p * Q, for a sum q over something with exp(w) as a factor; both are read by one node, at iq and ix."""
    body, operands, index = written(q, _has_exp)
    outer = {label: a for a, label in enumerate(iq) if label is not None}
    if any(label is not None and label not in outer for label in ix):
        return None
    read = tuple(None if label is None else outer[label] for label in ix)
    for at in placements(s, read, q.attrs[2]):
        e = instance(w, at, slots_of(operands, index))
        if e is None or not body.has(sp.exp(e)):
            continue
        split = power_of(body.xreplace({sp.exp(e): _T * scalar.x(len(operands))}), _T)
        if split is None or split[0] == 0:
            return None
        nodes, at_labels = (*operands, soft), (*index, tuple(at[a] for a in labels))
        return split[0], build.generic(split[1], nodes, at_labels, q.attrs[2], q.rank, "sum", q.dtype)
    return None


@rule(_table, Kind.COMPOSITE, "what is added to a whole row does not change its softmax, and comes out of its logsumexp")
def shift(n: Node, rw: Rewriter) -> Node | None:
    name, axes, keepdims = n.attrs
    (z,) = n.operands
    if name == "norm" or not is_plain(z) or not isinstance(z.attrs[0], sp.Add):
        return None
    body, index, space, _ = z.attrs
    idle = [t for t in body.args if not labels_of(t, index, space) & set(axes)]
    if not idle or len(idle) == len(body.args):
        return None
    rest = build.generic(body - sp.Add(*idle), z.operands, index, space, z.rank, None, z.dtype)
    new = build.composite(name, rest, axes, keepdims)
    if name != "logsumexp":
        return new
    kept = [a for a in range(z.rank) if keepdims or a not in axes]
    labels: list[int | None] = [None] * z.rank
    for k, a in enumerate(kept):
        labels[a] = None if a in axes else k
    own = tuple(range(n.rank))
    moved = tuple(tuple(None if a is None else labels[a] for a in ix) for ix in index)
    k = len(z.operands)
    return build.generic(sp.Add(*idle) + scalar.x(k), (*z.operands, new), (*moved, own), n.shape, n.rank, None, n.dtype)


def _composites(n: Node, name: str) -> Iterator[tuple[int, Node]]:
    return ((k, o) for k, o in enumerate(n.operands) if o.kind is Kind.COMPOSITE and o.attrs[0] == name)


@rule(_table, Kind.GENERIC, "log(softmax(u)) is log_softmax(u), and exp undoes it", everywhere=True)
def log_of_softmax(n: Node, rw: Rewriter) -> Node | None:
    body, index, _, _ = n.attrs
    for name, other, f in (("softmax", "log_softmax", sp.log), ("log_softmax", "softmax", sp.exp)):
        for k, o in _composites(n, name):
            if body.has(f(scalar.x(k))):
                new = build.composite(other, o.operands[0], o.attrs[1])
                return extended(n, body.xreplace({f(scalar.x(k)): scalar.x(len(n.operands))}), [(new, index[k])])
    return None


@rule(_table, Kind.GENERIC, "u - logsumexp(u) is log_softmax(u)", everywhere=True)
def less_logsumexp(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, _ = n.attrs
    for k, o in _composites(n, "logsumexp"):
        (u,), (_, axes, keepdims) = o.operands, o.attrs
        outer = iter(index[k])
        at = [next(outer) if keepdims or a not in axes else None for a in range(u.rank)]
        for m, (v, iv) in enumerate(zip(n.operands, index, strict=True)):
            if v is not u or narrow(u, tuple(None if a in axes else b for a, b in enumerate(iv))) != narrow(
                u, tuple(None if a in axes else b for a, b in enumerate(at))
            ):
                continue
            for e in sorted(body.atoms(sp.Add), key=sp.default_sort_key):
                c, d = e.coeff(scalar.x(m)), e.coeff(scalar.x(k))
                if c != 0 and c == -d:
                    new = e - c * scalar.x(m) - d * scalar.x(k) + c * scalar.x(len(n.operands))
                    return extended(n, body.xreplace({e: new}), [(build.composite("log_softmax", u, axes), iv)])
    return None


SOFTMAX = RuleSet(tuple(_table))
