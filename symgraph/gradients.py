"""Derivatives: one reverse sweep over nodes.

Law of this file: a kind has one rule, an operation none.  For an operand of a generic node the contribution is
adjoint * d body / d operand, summed over the labels that the operand lacks; that covers every element-wise operation,
broadcast and sum.  A path without a rule raises and names the operation: never a silent zero.

Sources: matrix rules after Giles, "Collected matrix derivative results" (2008); Cholesky after Murray (2016),
"Differentiation of the Cholesky decomposition".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import sympy as sp

from . import build, config, dtypes, scalar
from .codegen import scalar as fn
from .composites import expand
from .errors import NoGradientError
from .log import tell
from .loop_gradient import backward
from .node import Kind, Node, depends_on, toposort
from .rewrite import Rewriter, Rule
from .shapes import product
from .simplify.rules import RULES

Vjp = Callable[[Node, Node], Sequence[Node | None]]
"""(node, adjoint) -> the contribution to each operand, None where there is none."""


@dataclass(frozen=True)
class Given:
    """What a derivative is told beside the nodes.

    `links` gives, for a leaf that stands in for an expression (a fed tensor), that expression: the adjoint of the leaf
    flows on into it, evaluated at the fed value where the expression's value is used.  `facts` is what is known of nodes;
    `trace` is told what is done."""

    links: Mapping[Node, Callable[[], Node]] = field(default_factory=dict)
    facts: Mapping[Node, frozenset[str]] = field(default_factory=dict)
    trace: Trace | None = None


@dataclass
class Trace:
    """What a sweep did: the leaves it derived by, the adjoint of each node that it reached, in its order, and every
    rewriting of what it found, with what that took to be known of which node."""

    xs: list[Node] = field(default_factory=list)
    adjoints: dict[Node, Node] = field(default_factory=dict)
    rewritings: list[Rewriting] = field(default_factory=list)

    def rewrote(self, rw: Rewriter, rule: Rule, before: Node, after: Node) -> None:
        self.rewritings.append(Rewriting(rule, before, after, rw.needed(rule, before, after)))


@dataclass(frozen=True, slots=True)
class Rewriting:
    """One application of a rule: `before` is `after` because of the rule, and of facts about nodes."""

    rule: Rule
    before: Node
    after: Node
    facts: tuple[tuple[Node, str], ...]


def sweep(ys: Sequence[Node], seeds: Sequence[Node], xs: Sequence[Node], given: Given | None = None) -> list[Node | None]:
    """sum over ys of seed * dy/dx for each leaf x, simplified; None where no y depends on x."""
    given = given or Given()
    made = {leaf: f() for leaf, f in given.links.items()}
    roots = expand([*ys, *made.values()])
    ys, extra = roots[: len(ys)], dict(zip(made, roots[len(ys) :], strict=True))
    roots = list(ys)
    order = toposort([*roots, *extra.values()])
    wanted = set(xs)
    live = set(wanted)
    for _ in range(len(extra) + 1):  # a link makes a leaf depend on what its expression depends on
        live = depends_on([*roots, *extra.values()], live)
        more = {leaf for leaf, e in extra.items() if e in live and leaf not in live}
        if not more:
            break
        live |= more
    adjoint: dict[Node, list[Node]] = {}
    for y, seed in zip(ys, seeds, strict=True):
        adjoint.setdefault(y, []).append(seed)
    total: dict[Node, Node] = {}
    results: dict[Node, dict[int, Node]] = {}
    for n in _by_links(order, extra):
        if n not in live:
            continue
        if n.kind is Kind.LOOP and n in results:
            found = simplified(list(results[n].values()), order, given)
            back = backward(n, dict(zip(results[n], found, strict=True)), live, partial(_inside, given))
            for o, c in zip(n.operands, back, strict=True):
                if c is not None and o in live:
                    adjoint.setdefault(o, []).append(c)
        if n not in adjoint:
            continue
        g = total[n] = _total(adjoint.pop(n))
        if n.kind is Kind.PART:
            if n.dtype.is_floating:
                results.setdefault(n.operands[0], {})[n.attrs[0]] = g
            continue
        if n in extra:
            adjoint.setdefault(extra[n], []).append(g)
            continue
        if not any(o in live for o in n.operands):
            continue
        for o, c in zip(n.operands, _vjp(n, g, live), strict=True):
            if c is not None and o in live:
                adjoint.setdefault(o, []).append(c)
    if given.trace:
        given.trace.xs, given.trace.adjoints = list(xs), total
    found = [x for x in dict.fromkeys(xs) if x in total]
    simple = dict(zip(found, simplified([total[x] for x in found], order, given), strict=True))
    return [simple.get(x) for x in xs]


def _inside(given: Given, ys: Sequence[Node], seeds: Sequence[Node], xs: Sequence[Node]) -> list[Node | None]:
    """A sweep through the body of a loop."""
    return sweep(ys, seeds, xs, Given(facts=given.facts))


def simplified(roots: Sequence[Node], forward: Sequence[Node], given: Given) -> list[Node]:
    """The roots as a person would write them, with what they share with the forward graph still shared."""
    facts = dict(zip(expand(list(given.facts)), given.facts.values(), strict=True))
    rewriter = Rewriter(RULES, frozenset(forward), facts, _watch if config.get("SYMGRAPH_DEBUG") >= 5 else None)
    if given.trace:
        rewriter.trace = partial(given.trace.rewrote, rewriter)
    return rewriter.all(roots)


def _watch(rule: Rule, before: Node, after: Node) -> None:
    tell(5, f"rewrite: {rule.name} ({rule.reason}): {before!r} -> {after!r}")


def _by_links(order: list[Node], extra: Mapping[Node, Node]) -> list[Node]:
    """Reverse topological order in which a stand-in leaf comes before the expression that it stands for."""
    if not extra:
        return order[::-1]
    out: list[Node] = []
    users: dict[Node, int] = dict.fromkeys(order, 0)
    for n in order:
        for o in (*n.operands, *((extra[n],) if n in extra else ())):
            users[o] += 1
    ready = [n for n in order if users[n] == 0]
    while ready:
        n = ready.pop()
        out.append(n)
        for o in (*n.operands, *((extra[n],) if n in extra else ())):
            users[o] -= 1
            if users[o] == 0:
                ready.append(o)
    return out


def _total(parts: list[Node]) -> Node:
    total = parts[0]
    for p in parts[1:]:
        total = build.elementwise(scalar.x(0) + scalar.x(1), total, p)
    return total


def _vjp(n: Node, g: Node, live: set[Node]) -> Sequence[Node | None]:
    if n.kind is Kind.GENERIC:
        return [_generic(n, g, k) if o in live and o.dtype.is_floating else None for k, o in enumerate(n.operands)]
    if n.kind is Kind.LINALG:
        return _LINALG[n.attrs[0]](n, g)
    if n.kind not in _RULES:
        raise NoGradientError(n)
    return _RULES[n.kind](n, g)


# ---------------------------------------------------------------- generic
def _generic(n: Node, g: Node, k: int) -> Node | None:
    body, index, space, reducer = n.attrs
    if reducer in ("max", "min"):
        return _extremum(n, g)
    if reducer == "prod":
        each = build.generic(body, n.operands, index, space, len(space), None, n.dtype)
        whole = build.reduce("prod", each, range(n.rank, len(space)))
        to_each = _others(whole, g) if _few(n) else _product(whole, g)
        if each.operands == n.operands:
            return _generic(each, to_each, k)
        at = {label: axis for axis, label in enumerate(index[k])}  # the body is x0: labels are the operand's axes, in some order
        o = n.operands[k]
        return build.generic(scalar.x(0), (to_each,), (tuple(at.get(a) for a in range(len(space))),), o.shape, o.rank, None, o.dtype)
    if reducer not in (None, "sum"):
        return None  # argmax, argmin, any, all: integers and truth values have no derivative
    d = scalar.derivative(body, k)
    if d == 0:
        return None
    if reducer is None and (isinstance(body, sp.Function) or body.is_Pow and not body.exp.is_Integer):
        value = scalar.x(len(n.operands))  # tanh' is 1 - tanh^2 of the value that is there, as in TF
        d = d.xreplace({body: value, 1 / body: 1 / value})
    operand, own = n.operands[k], index[k]
    relabel: dict[int, int] = {}
    diagonal: list[tuple[int, int]] = []
    for axis, label in enumerate(own):
        if label in relabel:
            diagonal.append((relabel[label], axis))
        elif label is not None:
            relabel[label] = axis
    rest = [a for a in range(len(space)) if a not in relabel]
    relabel |= {a: operand.rank + j for j, a in enumerate(rest)}
    adjoint, new = _times(g, d, len(n.operands) + 1)
    new = new.xreplace({scalar.i(a): scalar.i(b) for a, b in relabel.items()})
    for a, b in diagonal:
        new = fn.select(fn.eq(scalar.i(a), scalar.i(b)), new, 0)
    moved = tuple(tuple(None if a is None else relabel[a] for a in ix) for ix in (*index, *(tuple(range(n.rank)) for _ in (n, *adjoint))))
    return build.generic(
        new,
        (*n.operands, n, *adjoint),
        moved,
        operand.shape + tuple(space[a] for a in rest),
        operand.rank,
        "sum" if rest else None,
        operand.dtype,
    )


def _times(g: Node, d: sp.Expr, k: int) -> tuple[tuple[Node, ...], sp.Expr]:
    """g * d as operands k, k + 1, ... and a body.  An adjoint where(c, u, 0) gives where(c, u * d, 0), so that an
    infinite d where the condition fails does not make a nan: d where(x > 0, log x, 0)/dx is 0 at 0."""
    body = g.attrs[0] if g.kind is Kind.GENERIC and g.attrs[3] is None else None
    if not isinstance(body, fn.select) or body.args[1] != 0 and body.args[2] != 0:
        return (g,), scalar.times(scalar.x(k), d)
    c, u, v = body.args
    condition, value = (
        build.generic(e, g.operands, g.attrs[1], g.attrs[2], g.rank, None, t) for e, t in ((c, dtypes.bool), (u if v == 0 else v, g.dtype))
    )
    product = scalar.times(scalar.x(k + 1), d)
    return (condition, value), fn.select(scalar.x(k), product, 0) if v == 0 else fn.select(scalar.x(k), 0, product)


def _spread(n: Node, value: Node) -> tuple[tuple[Node, tuple[int | None, ...]], tuple[Node, tuple[int | None, ...]]]:
    """The operand of a reduction, and a value of the reduction's shape, both over the operand's own axes."""
    (x,), (own,) = n.operands, n.attrs[1]
    axis_of = {label: axis for axis, label in enumerate(own)}
    return (x, tuple(range(x.rank))), (value, tuple(axis_of.get(a) for a in range(n.rank)))


def _extremum(n: Node, g: Node) -> Node:
    """max, min: the adjoint is shared equally by the elements that attain it."""
    (x, ix), (out, io) = _spread(n, n)
    hit = fn.select(fn.eq(scalar.x(0), scalar.x(1)), 1, 0)
    (own,), space = n.attrs[1], n.attrs[2]
    count = build.generic(hit, (x, n), (own, tuple(range(n.rank))), space, n.rank, "sum", n.dtype)
    body = fn.select(fn.eq(scalar.x(0), scalar.x(1)), scalar.x(2) / scalar.x(3), 0)
    return build.generic(body, (x, out, g, count), (ix, io, io, io), x.shape, x.rank, None, x.dtype)


FEW = 32
"""Factors up to which the product of the others is written as such: n² factors, which derive further where some are 0."""


def _few(n: Node) -> bool:
    count = product(n.attrs[2][n.rank :])
    return isinstance(count, int) and count <= FEW


def _others(n: Node, g: Node) -> Node:
    """prod of a few: the product of the others, each taken as 1 in its own place."""
    (x,), rank, all_ = n.operands, n.rank, n.operands[0].rank
    own = [*range(rank), *range(all_, 2 * all_ - rank)]
    body: sp.Expr = scalar.x(0)
    for a, b in zip(own[rank:], range(rank, all_), strict=True):
        here = sp.S.One if body == scalar.x(0) else body
        body = fn.select(fn.eq(scalar.i(b), scalar.i(a)), here, scalar.x(0))
    others = build.generic(body, (x,), (tuple(own),), (*x.shape, *x.shape[rank:]), all_, "prod", x.dtype)
    at = tuple(range(all_))
    return build.generic(scalar.times(scalar.x(1), scalar.x(0)), (others, g), (at, at[:rank]), x.shape, all_, None, x.dtype)


def _product(n: Node, g: Node) -> Node:
    """prod of many: the same by two products and a quotient, right also where some are 0; its own derivative is not, there."""
    (x, ix), (_, io) = _spread(n, n)
    (own,), space = n.attrs[1], n.attrs[2]
    zero = fn.eq(scalar.x(0), 0)
    zeros = build.generic(fn.select(zero, 1, 0), (x,), (own,), space, n.rank, "sum", n.dtype)
    filled_in = build.generic(fn.select(zero, 1, scalar.x(0)), (x,), (ix,), x.shape, x.rank, None, x.dtype)
    nonzero = build.generic(scalar.x(0), (filled_in,), (own,), space, n.rank, "prod", n.dtype)
    one = fn.select(fn.eq(scalar.x(2), 1), fn.select(zero, scalar.x(1), 0), 0)
    body = fn.select(fn.eq(scalar.x(2), 0), scalar.x(1) / scalar.x(0), one)
    return build.generic(scalar.times(scalar.x(3), body), (x, nonzero, zeros, g), (ix, io, io, io), x.shape, x.rank, None, x.dtype)


# ---------------------------------------------------------------- the other kinds
def _matmul(n: Node, g: Node) -> Sequence[Node]:
    a, b = n.operands
    return (
        build.unbroadcast(build.matmul(g, build.swap(b)), a.shape),
        build.unbroadcast(build.matmul(build.swap(a), g), b.shape),
    )


def _concat(n: Node, g: Node) -> Sequence[Node]:
    (axis,) = n.attrs
    parts, at = [], sp.S.Zero
    for o in n.operands:
        start = [0] * n.rank
        start[axis] = int(at) if at.is_Integer else at
        parts.append(build.slice_(g, start, o.shape, [1] * n.rank))
        at = at + o.shape[axis]
    return parts


def _put(n: Node, g: Node) -> Sequence[Node | None]:
    """Rows that are replaced have no part in it, and of rows for one place all but the last."""
    x, rows, at = n.operands
    where = build.generic(scalar.i(0), (), (), at.shape, 1, None, dtypes.int64)
    last = build.gather(build.put(build.filled(0, x.shape[:1], dtypes.int64), where, at), at)
    walks = (0,), (0,), tuple(range(g.rank))
    kept = fn.select(fn.eq(scalar.x(0), scalar.x(1)), scalar.x(2), 0)
    taken = build.generic(kept, (last, where, build.gather(g, at)), walks, rows.shape, rows.rank, None, rows.dtype)
    return build.put(g, build.filled(0, rows.shape, rows.dtype), at), taken, None


def _conv(n: Node, g: Node) -> Sequence[Node]:
    """The derivative of a form that is linear in three arrays, by two of them and again by one of these: the form with g in
    the place of the array that was taken out first."""
    role, windows, depthwise = n.attrs
    others = [r for r in "xwy" if r != role]
    whole = {role: g, **dict(zip(others, n.operands, strict=True))}
    return [build.conv(r, [whole[q] for q in "xwy" if q != r], windows, depthwise, whole[r].shape) for r in others]


def _pool(n: Node, g: Node) -> Sequence[Node | None]:
    """What decides is a choice, which has no derivative."""
    role, windows = n.attrs
    x, v = n.operands
    return None, build.pool("route" if role == "pick" else "pick", x, g, windows, v.shape)


_RULES: dict[Kind, Vjp] = {
    Kind.MATMUL: _matmul,
    Kind.RESHAPE: lambda n, g: (build.reshape(g, n.operands[0].shape),),
    Kind.SLICE: lambda n, g: (build.place(g, n.attrs[0], n.operands[0].shape, n.attrs[1]),),
    Kind.PLACE: lambda n, g: (build.slice_(g, n.attrs[0], n.operands[0].shape, n.attrs[1]),),
    Kind.CONCAT: _concat,
    Kind.GATHER: lambda n, g: (build.scatter(g, n.operands[1], n.operands[0].shape), None),
    Kind.SCATTER: lambda n, g: (build.gather(g, n.operands[1]), None),
    Kind.PUT: _put,
    Kind.CONV: _conv,
    Kind.POOL: _pool,
}


# ---------------------------------------------------------------- linear algebra
def _scale(s: Node, m: Node) -> Node:
    """A matrix for each scalar of a batch: s[...] * m[..., i, j]."""
    batch = tuple(range(s.rank))
    body = scalar.x(0) * scalar.x(1)
    return build.generic(body, (s, m), (batch, (*batch, s.rank, s.rank + 1)), m.shape, m.rank, None, m.dtype)


def _inverse(n: Node, g: Node) -> Sequence[Node]:
    t = build.swap(n)
    return (build.elementwise(-scalar.x(0), build.matmul(build.matmul(t, g), t)),)


def _solve(n: Node, g: Node) -> Sequence[Node]:
    a, _ = n.operands
    gb = build.linalg("solve", build.swap(a), g)
    return build.elementwise(-scalar.x(0), build.matmul(gb, build.swap(n))), gb


def _cholesky(n: Node, g: Node) -> Sequence[Node]:
    p = build.matmul(build.swap(n), g)
    i, j = scalar.i(n.rank - 2), scalar.i(n.rank - 1)
    lower = fn.select(fn.gt(i, j), scalar.x(0), fn.select(fn.eq(i, j), scalar.x(0) / 2, 0))
    phi = build.elementwise(lower, p)
    inv = build.linalg("inverse", n)
    s = build.matmul(build.matmul(build.swap(inv), phi), inv)
    return (build.elementwise((scalar.x(0) + scalar.x(1)) / 2, s, build.swap(s)),)


_LINALG: dict[str, Vjp] = {
    "inverse": _inverse,
    "solve": _solve,
    "cholesky": _cholesky,
    "determinant": lambda n, g: (
        _scale(build.elementwise(scalar.x(0) * scalar.x(1), g, n), build.swap(build.linalg("inverse", n.operands[0]))),
    ),
    "logdet": lambda n, g: (_scale(g, build.swap(build.linalg("inverse", n.operands[0]))),),
}


def ones_like(y: Node) -> Node:
    """The seed of a sweep."""
    return build.filled(1, y.shape, y.dtype)
