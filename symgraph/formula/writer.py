"""From node to formula.

Law of this file: a node is written once and bottom-up, so printing costs as much as the graph has nodes; a value that
is needed more than once, or a formula that grows too long, becomes a named part.  What is written depends on the graph
alone: sympy's own ordering, which follows PYTHONHASHSEED, is never asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import sympy as sp

from .. import build, scalar
from ..node import Kind, Node
from ..shapes import Extent
from .names import Labels
from .notation import ATOM, FACTOR, LOOSE, POWER, PRODUCT, SIGNED, SUM, Notation

_LONG, _SHORT = 120, 12
Written = tuple[str, int]
_NONE: frozenset[int] = frozenset()


class Writer:
    """Writes one node in one notation: `main`, and the `named` parts as (name, formula).

    `parts` are the nodes that have a name; by default they are chosen here."""

    def __init__(self, root: Node, labels: Labels, notation: Notation, parts: Collection[Node] | None = None) -> None:
        self.labels, self.n = labels, notation
        self.memo: dict[Node, Written] = {}
        self.parts: set[Node] = set()
        self.fractional = _NONE  # which operands of the node that is written are floats
        self.named: list[tuple[str, str]] = []
        uses = Counter(o for n in labels.order for o in n.operands)
        for n in labels.order:
            written = self._node(n)
            if parts is None:
                shared = uses[n] > 1 and not self._light(n, written)
                chosen = n is not root and bool(n.operands) and (shared or len(written[0]) > _LONG)
            else:
                chosen = n in parts
            if chosen:
                self.parts.add(n)
                name = self.n.name(labels.name_part(n))
                self.named.append((name, written[0]))
                written = name, ATOM
            self.memo[n] = written
        self.main = self.memo[root][0]

    def _light(self, n: Node, written: Written) -> bool:
        """Short enough to be repeated: a transpose, a scaled leaf, X theta, X theta - y."""
        return len(written[0]) <= _SHORT or build.is_pure(n) or n.kind is Kind.RESHAPE

    # -- pieces
    def _in(self, w: Written, strength: int) -> str:
        return w[0] if w[1] >= strength else self.n.parens(w[0])

    def _negated(self, w: Written) -> Written:
        return self.n.minus + self._in(w, PRODUCT), SIGNED

    def _unsigned(self, w: Written) -> Written:
        return w[0].removeprefix(self.n.minus), PRODUCT

    def _number(self, v: Any) -> Written:
        """A constant by its repr, with powers of ten written out."""
        v = v.item() if not isinstance(v, np.float32) else v
        if isinstance(v, float | np.float32) and not np.isfinite(v):
            text = self.n.infinity if np.isinf(v) else self.n.name("nan")
            return (self.n.minus + text, SIGNED) if v < 0 else (text, ATOM)
        text = str(v)
        if text.startswith("-"):
            return self.n.minus + self._number(-v)[0], SIGNED
        mantissa, e, exponent = text.partition("e")
        if not e:
            return text.removesuffix(".0"), ATOM
        power = self.n.power("10", str(int(exponent)))
        return (power, POWER) if float(mantissa) == 1 else (mantissa.removesuffix(".0") + self.n.dot + power, PRODUCT)

    def _extent(self, d: Extent) -> str:
        return str(d) if isinstance(d, int) else self._body(sp.sympify(d), [], _NONE)[0]

    # -- nodes
    def _node(self, n: Node) -> Written:
        ops = [self.memo[o] for o in n.operands]
        match n.kind:
            case Kind.PLACEHOLDER | Kind.VARIABLE | Kind.CUT:
                return self.n.name(self.labels[n]), ATOM
            case Kind.CONST:
                v = n.attrs[0].value
                return self._number(v[()]) if v.shape == () else (self.n.name(self.labels[n]), ATOM)
            case Kind.RANDOM:
                return self.n.call(n.attrs[1], ", ".join(w for w, _ in ops)), ATOM
            case Kind.MATMUL:
                return self._product(ops), FACTOR
            case Kind.LINALG:
                return self._linalg(n.attrs[0], ops)
            case Kind.RESHAPE:
                return self._reshape(n, ops[0])
            case Kind.SLICE:
                return self._in(ops[0], ATOM) + f"[{', '.join(self._window(n))}]", ATOM
            case Kind.GATHER:
                return self._in(ops[0], ATOM) + f"[{ops[1][0]}]", ATOM
            case Kind.COMPOSITE:
                return self._composite(n, ops[0])
            case Kind.PLACE | Kind.CONCAT | Kind.SCATTER:
                return self.n.call(n.kind.value, ", ".join(w for w, _ in ops)), ATOM
        return self._generic(n, ops)

    def _linalg(self, fn: str, ops: Sequence[Written]) -> Written:
        if fn == "inverse":
            return self.n.inverse(self._in(ops[0], ATOM)), POWER
        if fn == "solve":
            return self._product([(self.n.inverse(self._in(ops[0], ATOM)), POWER), ops[1]]), FACTOR
        return self.n.call({"determinant": "det"}.get(fn, fn), ops[0][0]), ATOM

    def _composite(self, n: Node, w: Written) -> Written:
        """The last axis of a softmax and all axes of a reduction go unsaid."""
        name, axes, _ = n.attrs
        (o,) = n.operands
        whole = all(d == 1 for d in n.shape)
        if name == "norm":
            if whole:
                left, right = self.n.enclosed["norm"]
                return left + w[0] + right, ATOM
            return self.n.sqrt(self.n.reduced("sum", "".join(map(str, axes)), self._raised(w, ("2", ATOM))[0])), ATOM
        unsaid = axes == (o.rank - 1,) if name in build.SAME_SHAPE else whole
        return self.n.reduced(name, "" if unsaid else "".join(map(str, axes)), w[0]), ATOM

    def _product(self, ops: Sequence[Written]) -> str:
        left, right = (self._in(w, FACTOR) for w in ops)
        joint = self.n.product
        together = left[-1].isalnum() and right[0].isalnum()
        if not joint and together:
            one_word = len(left) > 1 and left[-2].isalnum() or len(right) > 1 and right[1].islower()
            joint = " " if one_word or self.labels.reads_as_a_name(left + right) else ""
        return left + joint + right

    def _reshape(self, n: Node, w: Written) -> Written:
        """Axes of extent 1 come and go unsaid: a column is its vector."""
        (o,) = n.operands
        if [d for d in o.shape if d != 1] == [d for d in n.shape if d != 1]:
            return w
        shape = self.n.by.join(self._in(self._body(sp.sympify(d), [], _NONE), PRODUCT) for d in n.shape)
        return self.n.call("reshape", f"{w[0]}, {shape}"), ATOM

    def _window(self, n: Node) -> list[str]:
        """A slice as Python writes it, without the whole axes at its end."""
        start, step = n.attrs
        entries = []
        for first, stride, size, extent in zip(start, step, n.shape, n.operands[0].shape, strict=True):
            last = sp.sympify(first + size * stride)
            by = "" if stride == 1 else f":{stride}"
            if size == 1 and extent != 1:
                entries.append(self._extent(first))
            elif stride < 0:
                entries.append(
                    ("" if first == extent - 1 else self._extent(first)) + ":" + ("" if last < 0 or last == -1 else str(last)) + by
                )
            else:
                begin = "" if first == 0 else self._extent(first)
                reaches = bool(last == extent or (extent - last).is_number and 0 > extent - last > -stride)
                entries.append(begin + ":" + ("" if reaches else self._extent(last)) + by)
        while len(entries) > 1 and entries[-1] == ":":
            entries.pop()
        return [e.replace("-", self.n.minus) for e in entries]

    def _generic(self, n: Node, ops: Sequence[Written]) -> Written:
        body, index, space, reducer = n.attrs
        read = [
            (self.n.transpose(self._in(w, ATOM)), POWER) if reducer is None and _flipped(o, ix, n) else w
            for o, ix, w in zip(n.operands, index, ops, strict=True)
        ]
        scalars = frozenset(k for k, o in enumerate(n.operands) if o.shape == ())
        diagonal = (
            len(index) == 1 and body == scalar.x(0) and len({a for a in index[0] if a is not None}) < sum(a is not None for a in index[0])
        )
        if diagonal and reducer in (None, "sum"):
            return self.n.call("diag" if reducer is None else "tr", read[0][0]), ATOM
        self.fractional = frozenset(k for k, o in enumerate(n.operands) if o.dtype.is_floating)
        written = self._body(body, read, scalars)
        if reducer is None:
            return written
        whole = all(d == 1 for d in n.shape)
        return self.n.reduced(reducer, "" if whole else _axes(n), written[0]), ATOM

    # -- bodies
    def _body(self, e: sp.Basic, ops: Sequence[Written], scalars: frozenset[int]) -> Written:
        """The sympy expression with operand k written as ops[k]; `scalars` are the operands without axes."""
        if isinstance(e, sp.Symbol):
            return self._symbol(e, ops)
        if e.is_Rational:
            text = str(abs(e.p)) if e.q == 1 else self.n.fraction(str(abs(e.p)), str(e.q))
            return (self.n.minus + text, SIGNED) if e < 0 else (text, ATOM if e.q == 1 else self.n.fraction_strength)
        if e.is_Add:
            c, rest = sp.factor_terms(e).as_coeff_Mul()
            if rest.is_Add and c not in (1, -1):
                return self._times(self._body(c, ops, scalars), (self._sum(rest, ops, scalars), SUM))
            return self._sum(e, ops, scalars), SUM
        if e.is_Mul:
            return self._mul(e, ops, scalars)
        if e.is_Pow:
            return self._pow(e, ops, scalars)
        return self._function(e, ops, scalars)

    def _symbol(self, e: sp.Symbol, ops: Sequence[Written]) -> Written:
        for k, w in enumerate(ops):
            if e == scalar.x(k):
                return w
        if e in scalar.sizes(e):
            found = self.labels.size(e)
            return (self.n.name(found), ATOM) if isinstance(found, str) else self._body(sp.sympify(found), [], _NONE)
        return str(e), ATOM

    def _sum(self, e: sp.Basic, ops: Sequence[Written], scalars: frozenset[int]) -> str:
        terms = []
        for t in e.args:
            negative = bool(t.as_coeff_Mul()[0].is_negative)
            terms.append((negative, self._order(t), -t if negative else t))
        out = ""
        for negative, _, t in sorted(terms, key=lambda t: t[:2]):
            w = self._body(t, ops, scalars)
            if negative:
                out += (f" {self.n.minus} " if out else self.n.minus) + self._in(w, PRODUCT)
            elif out and w[1] in (SUM, SIGNED) and w[0].startswith(self.n.minus):
                out += f" {self.n.minus} {w[0].removeprefix(self.n.minus)}"
            else:
                out += (" + " if out else "") + self._in(w, SUM)
        return out

    def _order(self, t: sp.Basic) -> tuple:
        """Constants last, otherwise by the operands that appear."""
        numbers = sorted(scalar.operand_numbers(t))
        return (not numbers, numbers, sp.default_sort_key(t))

    def _mul(self, e: sp.Basic, ops: Sequence[Written], scalars: frozenset[int]) -> Written:
        c, rest = e.as_coeff_Mul()
        negative, c = bool(c < 0), abs(c)
        num: list[sp.Basic] = [sp.Integer(c.p)] if c.p != 1 else []
        den: list[sp.Basic] = [sp.Integer(c.q)] if c.q != 1 else []
        arrays = []
        for f in sorted(sp.Mul.make_args(rest), key=self._order):
            base, exponent = f.as_base_exp()
            if exponent.is_Rational and exponent < 0 and base is not sp.S.Exp1:
                den.append(base**-exponent)
            elif self._is_scalar(f, scalars):
                num.append(f)
            else:
                arrays.append(f)
        if all(self._is_scalar(f, scalars) for f in den):
            front = self._factors(num, ops, scalars)
            if den:
                front = self._fraction(front, self._factors(den, ops, scalars), PRODUCT)
            written = front if not arrays else self._arrays(arrays, ops, scalars)
            if arrays and (num or den):
                written = self._times(front, written)
        else:
            top = self._factors(num, ops, scalars)
            if arrays:
                top = self._times(top, self._arrays(arrays, ops, scalars)) if num else self._arrays(arrays, ops, scalars)
            bottom = [f for f in den if self._is_scalar(f, scalars)], [f for f in den if not self._is_scalar(f, scalars)]
            below = self._arrays(bottom[1], ops, scalars)
            written = self._fraction(top, self._times(self._factors(bottom[0], ops, scalars), below) if bottom[0] else below, FACTOR)
        if written[1] == SIGNED:
            negative, written = not negative, self._unsigned(written)
        return self._negated(written) if negative else written

    def _is_scalar(self, f: sp.Basic, scalars: frozenset[int]) -> bool:
        return scalar.operand_numbers(f) <= scalars and not scalar.label_numbers(f)

    def _fraction(self, top: Written, bottom: Written, strength: int) -> Written:
        """`strength` is what the top needs where a fraction is written on one line."""
        if self.n.fraction_strength > PRODUCT:  # a bar groups by itself
            return self.n.fraction(top[0], bottom[0]), self.n.fraction_strength
        return self.n.fraction(self._in(top, strength), self._in(bottom, POWER)), PRODUCT

    def _times(self, left: Written, right: Written) -> Written:
        """A scalar times an array; a sign goes to the front."""
        negative = (left[1] == SIGNED) != (right[1] == SIGNED)
        a, b = (self._in(self._unsigned(w) if w[1] == SIGNED else w, PRODUCT) for w in (left, right))
        written = a + (self.n.between_numbers if self.n.begins_with_digit(b) else self.n.times) + b, PRODUCT
        return self._negated(written) if negative else written

    def _factors(self, factors: Sequence[sp.Basic], ops: Sequence[Written], scalars: frozenset[int]) -> Written:
        """Scalars side by side: 2m, λ·μ, 2·0.1."""
        if len(factors) <= 1:
            return self._body(factors[0], ops, scalars) if factors else ("1", ATOM)
        out = ""
        for f in factors:
            w = self._in(self._body(f, ops, scalars), FACTOR)
            if not out:
                out = w
            elif self.n.begins_with_digit(w):
                out += self.n.dot + w
            else:
                out += w if out.isdigit() and self.n.is_letter(w) else self.n.scalars + w
        return out, PRODUCT

    def _arrays(self, factors: Sequence[sp.Basic], ops: Sequence[Written], scalars: frozenset[int]) -> Written:
        written = [self._body(f, ops, scalars) for f in factors]
        return written[0] if len(written) == 1 else (self.n.hadamard.join(self._in(w, FACTOR) for w in written), PRODUCT)

    def _pow(self, e: sp.Basic, ops: Sequence[Written], scalars: frozenset[int]) -> Written:
        base, exponent = e.args
        if base is sp.S.Exp1:
            return self.n.call("exp", self._body(exponent, ops, scalars)[0]), ATOM
        if exponent == sp.S.Half:
            return self.n.sqrt(self._body(base, ops, scalars)[0]), ATOM
        if exponent.is_Rational and exponent < 0:
            return self._fraction(("1", ATOM), self._body(base**-exponent, ops, scalars), FACTOR)
        return self._raised(self._body(base, ops, scalars), self._body(exponent, ops, scalars))

    def _raised(self, base: Written, exponent: Written) -> Written:
        return self.n.power(self._in(base, ATOM), exponent[0].replace(self.n.minus, "-")), POWER

    def _alters(self, cast: sp.Basic) -> bool:
        """Does a cast change numbers by more than their rounding: to truth values, or from fractions to integers?"""
        source, target = cast.args[0], str(cast.args[1])
        if target == "bool":
            return True
        truth = type(source).__name__.rstrip("_") in self.n.infix
        return "int" in target and not truth and bool(scalar.operand_numbers(source) & self.fractional)

    def _function(self, e: sp.Basic, ops: Sequence[Written], scalars: frozenset[int]) -> Written:
        name = type(e).__name__.rstrip("_")
        args = [self._body(a, ops, scalars) for a in (e.args[:1] if name in ("cast", "computed_as") else e.args)]
        if name == "cast" and self._alters(e):
            return self.n.call(str(e.args[1]), args[0][0]), ATOM
        if name in ("stopped", "cast", "computed_as"):
            return args[0]
        if name in self.n.infix:
            return f"{self._in(args[0], SUM)} {self.n.infix[name]} {self._in(args[1], SUM)}", LOOSE
        if name in self.n.enclosed:
            left, right = self.n.enclosed[name]
            return left + args[0][0] + right, ATOM
        if name == "power":
            return self._raised(*args)
        if name == "floordiv":
            left, right = self.n.enclosed["floor"]
            return left + self._fraction(args[0], args[1], PRODUCT)[0] + right, ATOM
        if name == "select":
            return self.n.cases(*(a for a, _ in args)), ATOM
        return self.n.call(_SHOWN.get(name, name), ", ".join(a for a, _ in args)), ATOM


_SHOWN = {
    "maximum": "max",
    "minimum": "min",
    "Max": "max",
    "Min": "min",
    "sgn": "sign",
    "safe_log": "log",
    "floormod": "mod",
    "logical_not": "not",
}


def _flipped(o: Node, ix: tuple[int | None, ...], n: Node) -> bool:
    return o.rank == n.rank == 2 and ix in ((1, 0), (1, None), (None, 0))


def _axes(n: Node) -> str:
    """The reduced axes of the operand that has most of them, as digits."""
    index = max(n.attrs[1], key=lambda ix: sum(a is not None and a >= n.rank for a in ix), default=())
    return "".join(str(axis) for axis, label in enumerate(index) if label is not None and label >= n.rank)
