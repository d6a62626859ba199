"""What a formula costs: its distinct operator applications.

Law of this file: an application counts once however often its value is read, through transposes and from any body.
Numbers, sizes, signs, scalings by numbers, positions, diagonal matrices and what only re-labels axes are free; a sum or
product of n terms counts n - 1, a quotient one more, everything else 1.

A value is (c, id, labels): c times the function `id` of the positions along `labels`, in the order in which the
function takes them.  Ids are hash-consed with the labels renamed in the order of their first use, so sin(A) and sin(A')
are one id, and the whole is linear in the size of the bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sympy as sp

from .. import scalar
from ..codegen import scalar as fn
from ..dtypes import string
from ..node import IDENTITY_LEAVES, Kind, Node
from ..shapes import same_but_ones, wide_axes

Label = int | None
Value = tuple[sp.Expr, int, tuple[Label, ...]]
_UNIT = 0


def applications(roots: Iterable[Node]) -> int:
    """The number of distinct operator applications under the roots."""
    count = Count()
    for r in roots:
        count.add(r)
    return count.total


@dataclass
class Count:
    """A running count; `total` is that of all nodes added so far, without what lies under a `leaf`."""

    leaf: Callable[[Node], bool] = lambda n: False
    total: int = 0
    _ids: dict[Hashable, int] = field(default_factory=lambda: {("unit",): _UNIT})
    _of: dict[Node, Value] = field(default_factory=dict)

    def add(self, root: Node) -> None:
        """Count what lies under a node and is not counted yet."""
        stack = [root]
        while stack:
            n = stack[-1]
            todo = [] if n in self._of or self.leaf(n) else [o for o in _reads(n) if o not in self._of]
            if todo:
                stack.extend(todo)
            elif stack.pop() not in self._of:
                self._of[n] = self._node(n)

    def equal(self, a: Node, b: Node) -> bool:
        """Are the two one value, read along the same axes?"""
        self.add(a)
        self.add(b)
        return self._of[a] == self._of[b]

    # -- interning
    def _make(self, head: Hashable, parts: Sequence[Value], cost: int, out: Sequence[Label] | None = None) -> Value:
        """head(parts), whose labels are those of its parts in order (`out`: those that are left)."""
        order: dict[Label, int] = {None: -1}
        key = (head, *((c, i, tuple(order.setdefault(a, len(order) - 1) for a in labels)) for c, i, labels in parts))
        free = tuple(a for a in order if a is not None)
        if out is not None:
            kept = set(out)
            key = (key, tuple(k for k, a in enumerate(free) if a not in kept))
            free = tuple(a for a in free if a in kept)
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = len(self._ids)
            self.total += cost
        return sp.S.One, found, free

    def _array(self, head: Hashable, n: Node, cost: int) -> Value:
        """A value that is known only as an array: its labels are its axes."""
        found = self._ids.get((head, n.shape))
        if found is None:
            found = self._ids[head, n.shape] = len(self._ids)
            self.total += cost
        return sp.S.One, found, tuple(None if d == 1 else a for a, d in enumerate(n.shape))

    # -- nodes
    def _node(self, n: Node) -> Value:
        if n.kind is Kind.CONST and n.shape == () and n.dtype is not string:
            return sp.Symbol(f"{n.attrs[0].value.item()!r}"), _UNIT, ()
        if n.kind in IDENTITY_LEAVES or n.kind is Kind.CONST or self.leaf(n):
            return self._array(("leaf", n), n, 0)
        of = [self._of.get(o, _UNREAD) for o in n.operands]
        if n.kind is Kind.GENERIC:
            return self._generic(n, of)
        if n.kind is Kind.RESHAPE and same_but_ones(n.operands[0].shape, n.shape):
            to = dict(zip(wide_axes(n.operands[0].shape), wide_axes(n.shape), strict=True))
            return _read(of[0], to)
        if n.kind is Kind.MATMUL and all(_covers(v, o) for v, o in zip(of, n.operands, strict=True)):
            return self._matmul(n, of)
        front = sp.S.One
        if n.kind in _FIRST_IS_LINEAR or n.kind is Kind.MATMUL:
            linear = of if n.kind is Kind.MATMUL else of[:1]
            front = sp.Mul(*(c for c, _, _ in linear))
            of = [(sp.S.One, i, ls) for _, i, ls in linear] + of[len(linear) :]
        if n.kind is Kind.RESHAPE and of[0][1] == _UNIT:
            return front, _UNIT, ()
        flip = n.attrs == ("inverse",) and of[0][2] == (*range(n.rank - 2), n.rank - 1, n.rank - 2)
        if n.attrs in (("determinant",), ("logdet",), ("inverse",)):  # of a transpose: the same number, or its transpose
            c, i, labels = of[0]
            of = [(c, i, tuple(sorted(labels, key=lambda a: -1 if a is None else a)))] if _is_flipped(labels) else of
        _, i, labels = self._array((n.kind, n.attrs, tuple(of)), n, 0 if n.kind is Kind.RESHAPE else 1)
        return front, i, (*labels[:-2], labels[-1], labels[-2]) if flip else labels

    def _matmul(self, n: Node, of: Sequence[Value]) -> Value:
        """A contraction of two values, in whichever order: (A B)' is B' A'."""
        k = n.rank
        parts = []
        for (_, i, labels), o, ends in zip(of, n.operands, ((k - 2, k), (k, k - 1)), strict=True):
            at = (*range(n.rank - o.rank, n.rank - 2), *ends)
            at = tuple(None if d == 1 else a for a, d in zip(at, o.shape, strict=True))
            parts.append((sp.S.One, i, tuple(None if a is None else at[a] for a in labels)))
        _, i, labels = self._make("matmul", sorted(parts, key=lambda p: p[1]), 1, tuple(range(n.rank)))
        return sp.Mul(*(c for c, _, _ in of)), i, labels

    def _generic(self, n: Node, of: Sequence[Value]) -> Value:
        body, index, space, reducer = n.attrs
        operands = [_read(v, dict(enumerate(ix))) for v, ix in zip(of, index, strict=True)]
        c, i, labels = self._body(body, operands)
        if reducer is None:
            return c, i, tuple(a if a is None or space[a] != 1 else None for a in labels)
        if reducer == "sum":
            idle = [d for a, d in enumerate(space) if a >= n.rank and a not in labels]
            front, c = sp.Mul(c, *map(sp.sympify, idle)), sp.S.One
        else:
            front = sp.S.One
        if not any(a is not None and a >= n.rank for a in labels):
            return (front * c, i, labels) if reducer in ("sum", "max", "min") else self._make(reducer, [(c, i, labels)], 1)
        _, i, labels = self._make(("reduce", reducer), [(c, i, labels)], 1, tuple(range(n.rank)))
        return front, i, labels

    # -- bodies
    def _body(self, body: sp.Expr, operands: Sequence[Value]) -> Value:
        values: list[Value] = []
        for do, detail, args in _program(body):
            values.append(operands[detail] if do is None else do(self, detail, [values[a] for a in args]))  # type: ignore[index]
        return values[-1]

    def _constant(self, e: sp.Basic, args: Sequence[Value]) -> Value:
        labels = sorted(scalar.label_numbers(e))
        if not labels and isinstance(e, sp.Expr) and not e.has(sp.oo, sp.nan):
            return e, _UNIT, ()
        renamed = e.xreplace({scalar.i(a): scalar.i(k) for k, a in enumerate(labels)})
        found = self._ids.setdefault(("constant", renamed), len(self._ids))
        return sp.S.One, found, tuple(labels)

    def _same(self, detail: Hashable, args: Sequence[Value]) -> Value:
        return args[0]

    def _cast(self, target: Hashable, args: Sequence[Value]) -> Value:
        return self._make(("cast", target), args[:1], 0)

    def _diagonal(self, detail: Hashable, args: Sequence[Value]) -> Value:
        return self._make("diagonal", args, 0)

    def _call(self, name: Hashable, args: Sequence[Value]) -> Value:
        return self._make(name, args, 1)

    def _sum(self, detail: Hashable, args: Sequence[Value]) -> Value:
        """Up to a factor: A - B and B - A are one."""
        terms = sorted(args, key=lambda v: (v[1] == _UNIT, v[1], len(v[2])))
        first = terms[0][0]
        _, i, labels = self._make("sum", [(_by(c, first), k, ls) for c, k, ls in terms], len(terms) - 1)
        return first, i, labels

    def _product(self, inverted: tuple[bool, ...], args: Sequence[Value]) -> Value:
        above, below, front = [], [], sp.S.One
        for (c, i, labels), under in zip(args, inverted, strict=True):
            front = _by(front, c) if under else _times(front, c)
            if i != _UNIT:
                (below if under else above).append((sp.S.One, i, labels))
        _, i, labels = top = self._factors(above)
        if below:
            _, i, labels = self._make("quotient", [top, self._factors(below)], 1)
        return front, i, labels

    def _factors(self, factors: list[Value]) -> Value:
        if len(factors) < 2:
            return factors[0] if factors else (sp.S.One, _UNIT, ())
        return self._make("product", sorted(factors, key=lambda v: (v[1], len(v[2]))), len(factors) - 1)

    def _reciprocal(self, detail: Hashable, args: Sequence[Value]) -> Value:
        return self._product((True,), args)

    def _power(self, exponent: sp.Expr, args: Sequence[Value]) -> Value:
        c, i, labels = args[0]
        if exponent.is_Integer or c.is_positive and exponent.is_number:
            _, i, labels = self._make(("power", exponent), [(sp.S.One, i, labels)], 1)
            return c**exponent, i, labels
        return self._make("power", args, 1)


def _reads(n: Node) -> Sequence[Node]:
    """The operands that count: of computed_as(f, g), those of f."""
    if n.kind is not Kind.GENERIC or not n.attrs[0].has(fn.computed_as):
        return n.operands
    return [n.operands[k] for do, k, _ in _program(n.attrs[0]) if do is None]


_UNREAD: Value = sp.S.One, -1, ()

Step = tuple[Callable[[Count, Any, Sequence[Value]], Value] | None, Any, tuple[int, ...]]


@lru_cache(maxsize=4096)
def _program(body: sp.Expr) -> tuple[Step, ...]:
    """How a body is counted: what each step does, with what, to the values of which earlier steps (None: reads an operand)."""
    at: dict[sp.Basic, int] = {}
    steps: list[Step] = []
    stack = [body]
    while stack:
        e = stack[-1]
        if e in at:
            stack.pop()
            continue
        do, detail, args = _step(e)
        todo = [a for a in args if a not in at]
        if todo:
            stack.extend(todo)
            continue
        at[e] = len(steps)
        steps.append((do, detail, tuple(at[a] for a in args)))
    return tuple(steps)


def _step(e: sp.Basic) -> tuple[Callable | None, Any, tuple[sp.Basic, ...]]:
    numbers = scalar.operand_numbers(e)
    if not numbers:
        return Count._constant, e, ()
    if e.is_Symbol:
        return None, min(numbers), ()
    if isinstance(e, sp.Add):
        return Count._sum, None, e.args
    if isinstance(e, sp.Mul):
        return Count._product, tuple(map(_is_under, e.args)), tuple(_upright(f) if _is_under(f) else f for f in e.args)
    if isinstance(e, sp.Pow) and e.exp.is_number:
        return (Count._reciprocal, None, (_upright(e),)) if _is_under(e) else (Count._power, e.exp, e.args[:1])
    if isinstance(e, fn.stopped | fn.computed_as):
        return Count._same, None, e.args[:1]
    if isinstance(e, fn.cast_):
        return Count._cast, e.args[1], e.args[:1]
    if scalar.delta(e):
        return Count._diagonal, None, e.args
    return Count._call, type(e).__name__, e.args


def _is_under(f: sp.Basic) -> bool:
    """Is it a power that is divided by?"""
    return isinstance(f, sp.Pow) and bool(f.exp.is_number and f.exp.is_negative)


def _upright(f: sp.Pow) -> sp.Expr:
    return f.base if f.exp == -1 else f.base**-f.exp


def _times(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    return a if b is sp.S.One else b if a is sp.S.One else a * b


def _by(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    return a if b is sp.S.One else a / b


_FIRST_IS_LINEAR = frozenset({Kind.RESHAPE, Kind.SLICE, Kind.PLACE, Kind.GATHER, Kind.SCATTER})


def _read(v: Value, at: Mapping[int, Label]) -> Value:
    c, i, labels = v
    return c, i, tuple(None if a is None else at[a] for a in labels)


def _covers(v: Value, n: Node) -> bool:
    """Does the value depend on the position along every axis of the node?"""
    return set(wide_axes(n.shape)) <= set(v[2])


def _is_flipped(labels: Sequence[Label]) -> bool:
    return len(labels) >= 2 and list(labels) == [*range(len(labels) - 2), len(labels) - 1, len(labels) - 2]
