"""Element-wise mathematics as a whole: what lies together element by element is one body, and scalars.py makes it cheaper.

Law of this file: a body is looked at twice, by itself and with the element-wise nodes that it reads written out, and
changed where fewer distinct applications are left in the graph.  Nodes that others read too are written out like all
others, so that 1 - s meets s, and where their value is still needed they are read again.
"""

from __future__ import annotations

from collections import Counter

import sympy as sp

from .. import build, dtypes, scalar
from ..node import Kind, Node
from ..rewrite import Rewriter, Rule, RuleSet, rule
from . import scalars
from .forms import is_plain
from .scalar_cost import Facts, better

MAX_OPERATIONS = 50
MAX_OPERANDS = 10
MAX_LEVELS = 6
"""A region is no larger than this, and no deeper: along a chain of equal steps all regions are one body, looked at once."""

_table: list[Rule] = []


@rule(_table, Kind.GENERIC, "element-wise mathematics is simplified")
def simplify(n: Node, rw: Rewriter) -> Node | None:
    body, index, space, reducer = n.attrs
    if not n.dtype.is_floating or not n.operands or reducer not in (None, "sum", "max", "min", "prod"):
        return None
    if reducer is None and n not in rw.ends and not rw.shared(n):
        return None  # it is part of what reads it
    facts = _facts(n.operands, rw)
    new = scalars.simplify(body, facts)
    if better(new, body, facts.numbers):
        return _made(n, new, n.operands, index)
    if reducer is None and n not in rw.ends:
        return None
    wide, operands, through, values = _region(n, rw)
    if not values and operands == n.operands:
        return None
    new = scalars.simplify(wide, _facts(operands, rw))
    for value, k in values:
        new = new.xreplace({value: scalar.x(k)})
    made = _made(n, new, operands, through)
    return made if made is not n and rw.gain(n, made) > 0 else None


def _made(n: Node, body: sp.Expr, operands: tuple[Node, ...], index: build.Index) -> Node:
    return build.generic(body, operands, index, n.attrs[2], n.rank, n.attrs[3], n.dtype)


def _facts(operands: tuple[Node, ...], rw: Rewriter) -> Facts:
    def those(fact: str) -> frozenset[sp.Symbol]:
        return frozenset(scalar.x(k) for k, o in enumerate(operands) if o.dtype is not dtypes.bool and rw.has(o, fact))

    constants = {scalar.x(k): o.attrs[0].value for k, o in enumerate(operands) if o.kind is Kind.CONST and o.shape == ()}
    negative = frozenset(s for s, v in constants.items() if v < 0)
    return Facts(frozenset(constants), those("positive"), those("binary"), negative)


Place = tuple[Node, tuple[int | None, ...]]
"""A node and the labels at which it is read."""


def _region(n: Node, rw: Rewriter) -> tuple[sp.Expr, tuple[Node, ...], build.Index, list[tuple[sp.Expr, int]]]:
    """The body with the element-wise nodes that it reads written out, its operands and their labels, and of the nodes that
    are needed elsewhere too (what they are in the body, the operand that they are), the largest first."""
    body, index = n.attrs[:2]
    reads = list(zip(n.operands, index, strict=True))
    inside = _inside(reads, scalar.operations(body), n)
    leaves: dict[Place, int] = {}
    made: dict[Place, sp.Expr] = {}

    def value(at: Place) -> sp.Expr:
        if at not in inside:
            return scalar.x(leaves.setdefault(at, len(leaves)))
        if at not in made:
            made[at] = at[0].attrs[0].xreplace({scalar.x(k): value(below) for k, below in enumerate(inside[at])})
        return made[at]

    wide = scalar.canonical(body.xreplace({scalar.x(k): value(at) for k, at in enumerate(reads)}))
    largest = sorted(inside, key=lambda at: (-scalar.operations(made[at]), at[0].serial))
    needed = [at for at in largest if rw.shared(at[0]) and not made[at].is_Symbol]
    values = [(scalar.canonical(made[at]), leaves.setdefault(at, len(leaves))) for at in needed]
    return wide, tuple(o for o, _ in leaves), tuple(ix for _, ix in leaves), values


def _inside(reads: list[Place], size: int, n: Node) -> dict[Place, list[Place]]:
    """The element-wise nodes to write out, with what they read: nearest first, as far as the bounds go."""
    inside: dict[Place, list[Place]] = {}
    edge = dict.fromkeys(reads)
    queue = list(edge)
    level = dict.fromkeys(reads, 1)
    times = Counter(reads)  # how often a value stands in the body that is written out: shared ones double at every level
    for at in queue:
        o, ix = at
        if at in inside or level[at] > MAX_LEVELS or not is_plain(o) or not o.operands or scalar.label_numbers(o.attrs[0]):
            continue
        if any(p.dtype not in (n.dtype, dtypes.bool) for p in (o, *o.operands)):
            continue
        below = [(p, tuple(None if a is None else ix[a] for a in px)) for p, px in zip(o.operands, o.attrs[1], strict=True)]
        more = [b for b in dict.fromkeys(below) if b not in edge and b not in inside]
        size += times[at] * scalar.operations(o.attrs[0])
        if size > MAX_OPERATIONS or len(edge) - 1 + len(more) > MAX_OPERANDS:
            break
        inside[at] = below
        for k, b in enumerate(below):
            level.setdefault(b, level[at] + 1)
            times[b] += times[at] * int(o.attrs[0].count(scalar.x(k)))
        del edge[at]
        edge.update(dict.fromkeys(more))
        queue.extend(more)
    return inside


REGIONS = RuleSet(tuple(_table))
