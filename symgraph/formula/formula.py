"""From node to formula.

Law of this file: a node is written once and bottom-up, so printing costs as much as the graph has nodes; a value that
is needed more than once, or a formula that grows too long, becomes a named part.  What is written depends on the graph
alone: sizes are m, n, k, ... in the order in which they appear, and sympy's own ordering is never asked for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from .. import build, scalar
from ..graph import Tensor, convert
from ..node import Kind, Node, toposort
from ..shapes import Extent
from .notation import LATEX, TEXT, Notation

SUM, PRODUCT, FACTOR, ATOM = 1, 2, 3, 4
"""Binding strengths: a thing is put in parentheses where something stronger is needed."""
_SIZES = "m n k p q r s t u v".split()
_LONG = 120
Written = tuple[str, int]


@dataclass(frozen=True)
class Formula:
    """A tensor in matrix notation.  `str()` is Unicode text; notebooks show LaTeX."""

    _node: Node
    _names: dict[Node, str]

    def __str__(self) -> str:
        main, parts = _Writer(self._node, self._names, TEXT).run()
        return main + "".join(f"\n  {name} = {value}" for name, value in parts)

    def latex(self) -> str:
        """LaTeX without dollar signs; named parts follow after commas."""
        main, parts = _Writer(self._node, self._names, LATEX).run()
        if not parts:
            return main
        rows = [main, *(f"{name} = {value}" for name, value in parts)]
        return r"\begin{aligned} & " + r" \\ & ".join(rows) + r" \end{aligned}"

    @property
    def where(self) -> dict[str, str]:
        """The named parts, in text."""
        return dict(_Writer(self._node, self._names, TEXT).run()[1])

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def __repr__(self) -> str:
        return str(self)


def formula(tensor: Any) -> Formula:
    """The formula of a tensor, as its graph computes it; gradients are simplified when they are derived.

    >>> import symgraph as sg
    >>> X, y = sg.placeholder(sg.float32, (None, 9), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    >>> theta = sg.Variable(sg.zeros((9, 1)), name="theta")
    >>> mse = sg.reduce_mean(sg.square(sg.matmul(X, theta) - y))
    >>> print(sg.formula(sg.gradients(mse, [theta])[0]))
    2/m · Xᵀ(Xθ − y)
    """
    t: Tensor = convert(tensor)
    if t.node is None:
        raise ValueError(
            f"{t.described()} has no formula yet: the rank of a placeholder under it is not known; give the placeholder a shape"
        )
    names = {}
    for op in t.graph.get_operations():
        for out in op.outputs:
            if out.node is not None and out.node not in names and op.type not in ("Identity", "Const"):
                names[out.node] = op.name
            elif out.node is not None and op.type == "Const" and out.node.shape != ():
                names.setdefault(out.node, op.name)
    return Formula(t.node, names)


class _Writer:
    """Writes one node and its parts in one notation."""

    def __init__(self, root: Node, names: dict[Node, str], notation: Notation) -> None:
        self.root, self.names, self.n = root, names, notation
        self.memo: dict[Node, Written] = {}
        self.parts: list[tuple[str, str]] = []
        self.sizes: dict[sp.Symbol, str] = {}
        self.taken: set[str] = set()

    def run(self) -> tuple[str, list[tuple[str, str]]]:
        order = toposort([self.root])
        uses = Counter(o for n in order for o in n.operands)
        for n in order:
            if n.kind in (Kind.PLACEHOLDER, Kind.VARIABLE):
                self.taken.add(self.n.name(self._leaf_name(n)))
        for n in order:
            for d in n.shape:
                if isinstance(d, sp.Expr):
                    for s in sorted(d.free_symbols, key=str):
                        self._size_name(s)
        for n in order:
            written = self._write(n)
            part = n is not self.root and n.operands and (uses[n] > 1 and not self._light(n, written) or len(written[0]) > _LONG)
            if part:
                name = self._part_name(n)
                self.parts.append((name, written[0]))
                written = name, ATOM
            self.memo[n] = written
        return self.memo[self.root][0], self.parts

    # -- names
    def _leaf_name(self, n: Node) -> str:
        name = n.attrs[0].name if n.kind is not Kind.CONST else self.names.get(n, "C")
        return name.rsplit("/", 1)[-1]

    def _size_name(self, s: sp.Symbol) -> str:
        if s not in self.sizes:
            free = [c for c in _SIZES if c not in self.sizes.values() and self.n.name(c) not in self.taken]
            self.sizes[s] = free[0] if free else f"m{len(self.sizes)}"
        return self.sizes[s]

    def _part_name(self, n: Node) -> str:
        base = self.n.name(self.names.get(n, "T").rsplit("/", 1)[-1])
        name, k = base, 1
        while name in self.taken:
            k += 1
            name = self.n.name(f"{self.names.get(n, 'T').rsplit('/', 1)[-1]}{k}")
        self.taken.add(name)
        return name

    def _light(self, n: Node, written: Written) -> bool:
        """Short enough to be repeated: a transpose, a scaled leaf, X theta, X theta - y."""
        return len(written[0]) <= 12 or build._is_pure(n) or n.kind is Kind.RESHAPE

    # -- pieces
    def _in(self, w: Written, strength: int) -> str:
        return w[0] if w[1] >= strength else self.n.parens(w[0])

    def _number(self, v: Any) -> str:
        text = repr(v.item()) if isinstance(v, np.generic | np.ndarray) else str(v)
        if isinstance(v, np.generic | np.ndarray) and v.dtype == np.float32:
            text = str(np.float32(v))
        return text.replace("-", self.n.minus)

    def _size(self, d: Extent) -> str:
        return str(d) if isinstance(d, int) else self._in(self._body(sp.sympify(d), []), FACTOR)

    def _write(self, n: Node) -> Written:
        ops = [self.memo[o] for o in n.operands]
        match n.kind:
            case Kind.PLACEHOLDER | Kind.VARIABLE | Kind.CUT:
                return self.n.name(self._leaf_name(n)), ATOM
            case Kind.CONST:
                v = n.attrs[0].value
                return (self._number(v), ATOM) if v.shape == () else (self.n.name(self._leaf_name(n)), ATOM)
            case Kind.RANDOM:
                return self.n.call(n.attrs[1], ", ".join(w for w, _ in ops)), ATOM
            case Kind.MATMUL:
                return self._product(n, ops), FACTOR
            case Kind.LINALG:
                fn = n.attrs[0]
                if fn == "inverse":
                    return self.n.inverse(self._in(ops[0], ATOM)), ATOM
                if fn == "solve":
                    return self.n.inverse(self._in(ops[0], ATOM)) + self.n.product + self._in(ops[1], FACTOR), FACTOR
                return self.n.call({"determinant": "det"}.get(fn, fn), ops[0][0]), ATOM
            case Kind.RESHAPE:
                return ops[0]
            case Kind.SLICE | Kind.PLACE | Kind.CONCAT:
                return self.n.call(n.kind.value, ", ".join(w for w, _ in ops)), ATOM
        return self._generic(n, ops)

    def _product(self, n: Node, ops: list[Written]) -> str:
        left, right = (self._in(w, FACTOR) for w in ops)
        joint = self.n.product
        if not joint and (
            left[-1].isalnum() and right[0].isalnum() and (len(left) > 1 and left[-2].isalnum() or len(right) > 1 and right[1].islower())
        ):
            joint = " "
        return left + joint + right

    def _generic(self, n: Node, ops: list[Written]) -> Written:
        body, index, space, reducer = n.attrs
        read = []
        for o, ix, w in zip(n.operands, index, ops, strict=True):
            flipped = o.rank == 2 and ix in ((1, 0), (1, None), (None, 0)) and n.rank == 2 and reducer is None
            read.append((self.n.transpose(self._in(w, ATOM)), ATOM) if flipped and ix == (1, 0) else w)
        if build.is_swap(n) is not None:
            return read[0]
        written = self._body(body, read, scalars=frozenset(k for k, o in enumerate(n.operands) if o.shape == ()))
        if reducer is None:
            return written
        if any(len(set(ix)) < len(ix) for ix in index) and reducer == "sum":
            return self.n.call("tr", written[0]), ATOM
        kept = {label for label in range(n.rank) if space[label] != 1}
        axes = "" if not kept else _axes(n)
        if reducer == "sum":
            return self.n.total(axes, written[0]), ATOM
        return self.n.call({"prod": "prod"}.get(reducer, reducer) + axes, written[0]), ATOM

    # -- bodies
    def _body(self, e: sp.Basic, ops: list[Written], scalars: frozenset[int] = frozenset()) -> Written:
        """The sympy expression with operand k written as ops[k]."""
        if isinstance(e, sp.Symbol):
            for k, w in enumerate(ops):
                if e == scalar.x(k):
                    return w
            return (self._size_name(e), ATOM) if e.is_integer and "." in e.name else (str(e), ATOM)
        if e.is_Rational:
            if e.q == 1:
                return (str(e).replace("-", self.n.minus), ATOM if e >= 0 else SUM)
            sign = self.n.minus if e < 0 else ""
            return sign + self.n.fraction(str(abs(e.p)), str(e.q)), PRODUCT if e > 0 else SUM
        if e.is_Add:
            factored = sp.factor_terms(e)
            c, rest = factored.as_coeff_Mul()
            if rest.is_Add and c != 1 and c != -1:
                inner = self._sum(rest, ops, scalars)
                return self._body(c, ops)[0] + self.n.times + self.n.parens(inner), PRODUCT
            return self._sum(e, ops, scalars), SUM
        if e.is_Mul:
            return self._mul(e, ops, scalars)
        if e.is_Pow:
            return self._pow(e, ops, scalars)
        return self._function(e, ops, scalars)

    def _sum(self, e: sp.Basic, ops: list[Written], scalars: frozenset[int]) -> str:
        terms = []
        for t in e.args:
            negative = bool(t.as_coeff_Mul()[0].is_negative)
            terms.append((negative, self._order(t), -t if negative else t))
        out = ""
        for negative, _, t in sorted(terms, key=lambda t: t[:2]):
            w = self._in(self._body(t, ops, scalars), PRODUCT)
            out += (f" {self.n.minus} " if out else self.n.minus) + w if negative else (f" + {w}" if out else w)
        return out

    def _order(self, t: sp.Basic) -> tuple:
        """Constants last, otherwise by the operands that appear."""
        numbers = sorted(scalar.operand_numbers(t))
        return (not numbers, numbers, sp.default_sort_key(t))

    def _mul(self, e: sp.Basic, ops: list[Written], scalars: frozenset[int]) -> Written:
        c, rest = e.as_coeff_Mul()
        negative, c = c < 0, abs(c)
        num, den = ([sp.Integer(c.p)] if c.p != 1 else []), ([sp.Integer(c.q)] if c.q != 1 else [])
        matrices = []
        for f in sorted(sp.Mul.make_args(rest), key=self._order):
            base, exponent = f.as_base_exp()
            free = scalar.operand_numbers(f) <= scalars and not scalar.label_numbers(f)
            if exponent.is_Rational and exponent < 0 and base is not sp.S.Exp1:
                den.append(base**-exponent)
            elif free:
                num.append(f)
            else:
                matrices.append(f)
        over = any(not (scalar.operand_numbers(f) <= scalars) for f in den)
        if over:
            top = self._join([*num, *matrices], ops, scalars)
            bottom = self._join(den, ops, scalars)
            text = self.n.fraction(self._in(top, FACTOR), self._in(bottom, ATOM)), PRODUCT
        else:
            front = self._join(num, ops, scalars)
            if den:
                d = self._join(den, ops, scalars)
                front = (
                    self.n.fraction(
                        front[0] if self.n is LATEX else self._in(front, FACTOR), d[0] if self.n is LATEX else self._in(d, ATOM)
                    ),
                    PRODUCT,
                )
            if matrices:
                body = self._join(matrices, ops, scalars)
                text = (front[0] + self.n.times + self._in(body, PRODUCT), PRODUCT) if num or den else body
            else:
                text = front
        return (self.n.minus + self._in(text, PRODUCT), SUM) if negative else text

    def _join(self, factors: list[sp.Basic], ops: list[Written], scalars: frozenset[int]) -> Written:
        if not factors:
            return "1", ATOM
        written = [self._body(f, ops, scalars) for f in factors]
        if len(written) == 1:
            return written[0]
        matrix = any(scalar.operand_numbers(f) - scalars for f in factors)
        return (self.n.hadamard if matrix else self.n.times.strip() or " ").join(self._in(w, FACTOR) for w in written), PRODUCT

    def _pow(self, e: sp.Basic, ops: list[Written], scalars: frozenset[int]) -> Written:
        base, exponent = e.args
        if exponent == sp.S.Half:
            return self.n.sqrt(self._body(base, ops, scalars)[0]), ATOM
        if exponent.is_Rational and exponent < 0:
            bottom = self._body(base**-exponent, ops, scalars)
            return self.n.fraction("1", self._in(bottom, ATOM) if self.n is TEXT else bottom[0]), PRODUCT
        return self.n.power(self._in(self._body(base, ops, scalars), ATOM), self._body(exponent, ops, scalars)[0]), FACTOR

    def _function(self, e: sp.Basic, ops: list[Written], scalars: frozenset[int]) -> Written:
        args = [
            self._body(a, ops, scalars) for a in e.args if not (isinstance(a, sp.Symbol) and type(e).__name__ == "cast_" and a is e.args[1])
        ]
        name = type(e).__name__
        infix = _INFIX.get(name)
        if infix:
            return f"{self._in(args[0], PRODUCT)} {infix} {self._in(args[1], PRODUCT)}", 0
        if name in ("stopped", "cast_"):
            return args[0]
        if name == "absolute":
            return self.n.absolute(args[0][0]), ATOM
        if name == "power":
            return self.n.power(self._in(args[0], ATOM), args[1][0]), FACTOR
        if name == "select":
            return self.n.cases(*(a for a, _ in args)), ATOM
        shown = {"maximum": "max", "minimum": "min", "sgn": "sign", "safe_log": "log"}.get(name, name.rstrip("_"))
        return self.n.call(shown, ", ".join(a for a, _ in args)), ATOM


_INFIX = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠", "logical_and": "∧", "logical_or": "∨"}


def _axes(n: Node) -> str:
    """The reduced axes of the operand, as digits."""
    (ix,) = n.attrs[1][:1] or ((),)
    return "".join(str(a) for a, label in enumerate(ix) if label is not None and label >= n.rank)
