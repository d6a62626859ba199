"""How many operators the book's text has, counted on Python's `ast`.

Law of this file: it knows nothing of symgraph, so that it can judge it.  The rule: each distinct application counts once.
Free are numbers and sizes, products with them, signs, transposes, reshapes and new axes; a sum or product of n terms
counts n - 1, a division 1; everything else that is written as a call, a power, a comparison or an index counts 1.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from tests.formula.textbook import SIZES, Loss

Key = Any
Term = tuple[Fraction, Key]
"""A factor, and what it multiplies: None where that is the number 1."""

FREE = frozenset(
    f"np.{name}"
    for name in ("reshape", "transpose", "swapaxes", "broadcast_to", "repeat", "eye", "ones", "zeros", "ones_like", "zeros_like")
)
LINEAR = frozenset({"np.sum", "np.mean", "np.trace", "diag", "scatter", *FREE})
"""Functions that a factor of their first argument can be taken out of."""


def textbook_ops(loss: Loss) -> int:
    """Distinct operator applications in the book's text, its shared parts included."""
    return operators(loss.gradient, loss.where)


def operators(text: str, where: Mapping[str, str] | None = None) -> int:
    """Distinct operator applications of an expression and of the parts that it uses."""
    reader = _Reader({})
    for name, part in (where or {}).items():
        reader.named[name] = reader.read(part)
    reader.read(text)
    return sum(reader.cost.values())


class _Reader:
    """Expressions as canonical keys; `cost` has what each distinct one adds."""

    def __init__(self, named: dict[str, Term]) -> None:
        self.named = named
        self.cost: dict[Key, int] = {}

    def read(self, text: str) -> Term:
        return self.term(ast.parse(text, mode="eval").body)

    def term(self, node: ast.AST) -> Term:
        return getattr(self, f"_{type(node).__name__.lower()}")(node)

    def _paid(self, cost: int, key: Key, factor: Fraction = Fraction(1)) -> Term:
        self.cost.setdefault(key, cost)
        return factor, key

    # ------------------------------------------------------------ leaves and layout
    def _constant(self, node: ast.Constant) -> Term:
        return Fraction(node.value), None

    def _name(self, node: ast.Name) -> Term:
        if node.id in SIZES:
            return Fraction(SIZES[node.id]), None
        return self.named.get(node.id) or (Fraction(1), node.id)

    def _attribute(self, node: ast.Attribute) -> Term:
        assert node.attr == "T", ast.unparse(node)
        factor, key = self.term(node.value)
        return factor, key[1] if isinstance(key, tuple) and key[0] == "T" else ("T", key)

    def _subscript(self, node: ast.Subscript) -> Term:
        factor, key = self.term(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        free = all(ast.unparse(p) in ("None", ":", "...") for p in parts)
        return self._paid(0 if free else 1, ("[]", key, ast.unparse(node.slice)), factor)

    # ------------------------------------------------------------ arithmetic
    def _unaryop(self, node: ast.UnaryOp) -> Term:
        assert isinstance(node.op, ast.USub), ast.unparse(node)
        factor, key = self.term(node.operand)
        return -factor, key

    def _binop(self, node: ast.BinOp) -> Term:
        if isinstance(node.op, ast.Add | ast.Sub):
            return self._sum(list(self._terms(node, 1)))
        if isinstance(node.op, ast.Mult | ast.Div):
            return self._product(list(self._factors(node, 1)))
        (f, left), (g, right) = self.term(node.left), self.term(node.right)
        if isinstance(node.op, ast.MatMult):
            return self._paid(1, ("@", left, right), f * g)
        assert isinstance(node.op, ast.Pow), ast.unparse(node)
        return self._paid(1, ("**", f, left, g, right))

    def _terms(self, node: ast.AST, sign: int) -> list[Term]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            return self._terms(node.left, sign) + self._terms(node.right, sign if isinstance(node.op, ast.Add) else -sign)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._terms(node.operand, -sign)
        factor, key = self.term(node)
        return [(sign * factor, key)]

    def _sum(self, terms: list[Term]) -> Term:
        if all(key is None for _, key in terms):
            return sum((f for f, _ in terms), Fraction(0)), None
        terms.sort(key=lambda t: (t[1] is None, repr(t[1])))
        lead = terms[0][0]
        return self._paid(len(terms) - 1, ("+", tuple((f / lead, key) for f, key in terms)), lead)

    def _factors(self, node: ast.AST, power: int) -> list[tuple[int, Term]]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            return self._factors(node.left, power) + self._factors(node.right, power if isinstance(node.op, ast.Mult) else -power)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return [(1, (Fraction(-1), None)), *self._factors(node.operand, power)]
        return [(power, self.term(node))]

    def _product(self, factors: list[tuple[int, Term]]) -> Term:
        number = Fraction(1)
        for power, (f, _) in factors:
            number *= f**power
        over = sorted((key for power, (_, key) in factors if power > 0 and key is not None), key=repr)
        under = sorted((key for power, (_, key) in factors if power < 0 and key is not None), key=repr)
        if not under and len(over) < 2:
            return number, over[0] if over else None
        return self._paid(max(len(over) - 1, 0) + len(under), ("*", tuple(over), tuple(under)), number)

    # ------------------------------------------------------------ everything else
    def _compare(self, node: ast.Compare) -> Term:
        parts = tuple(self.term(n) for n in (node.left, *node.comparators))
        return self._paid(len(node.ops), ("compare", tuple(type(op).__name__ for op in node.ops), parts))

    def _list(self, node: ast.List) -> Term:
        return Fraction(1), ("list", *(self.term(n) for n in node.elts))

    _tuple = _list

    def _call(self, node: ast.Call) -> Term:
        called = ast.unparse(node.func)
        args = [self.term(a) for a in node.args]
        factor = Fraction(1)
        if called in LINEAR and args:
            factor, args[0] = args[0][0], (Fraction(1), args[0][1])
        given = tuple(ast.unparse(k) for k in node.keywords if k.arg != "keepdims")
        return self._paid(called not in FREE, ("call", called, *args, *given), factor)
