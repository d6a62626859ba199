"""From node to formula.

Law of this file: a node is written once and bottom-up, so printing costs as much as the graph has nodes.  A kind is
written by the method of its name; which nodes have a name was decided before (parts.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction

import sympy as sp

from .. import build, scalar
from ..node import Kind, Node
from ..shapes import Shape, same_but_ones
from ..statics import known_size
from .bodies import Bodies, Scale, Scope, Written, identity
from .names import Labels
from .notation import ATOM, FACTOR, POWER, PRODUCT, Notation
from .reading import Reading, innermost_delta, reading

_POSITIONS = "ijklabcdef"


class Writer(Bodies):
    """Writes nodes in one notation, those in `parts` by their names."""

    def __init__(self, labels: Labels, notation: Notation, parts: Collection[Node] = ()) -> None:
        super().__init__(labels, notation)
        self.parts = parts
        self.full: dict[Node, Written] = {}
        self.memo: dict[Node, Written] = {}

    def write(self, n: Node) -> Written:
        """What stands for a node whose operands are written."""
        self.full[n] = getattr(self, n.kind.value)(n, [self.memo[o] for o in n.operands])
        self.memo[n] = self.named(n) if n in self.parts else self.full[n]
        return self.memo[n]

    def named(self, n: Node) -> Written:
        """What stands for a part."""
        return Written(self.n.name(self.labels[n]), ATOM)

    def all(self) -> tuple[str, list[tuple[str, str]]]:
        """The formula of the last node, and (name, formula) of each part in the order in which they are needed."""
        for n in self.labels.order:
            self.write(n)
        named = [(self.memo[n].text, self.full[n].text) for n in self.labels.order if n in self.parts]
        return self.full[self.labels.order[-1]].text, named

    def known(self, n: Node) -> Written | None:
        """A size that the user took from a shape: tf.shape(X)[0] is m."""
        d = known_size(n)
        return None if d is None else self.size(d)

    # -- movement
    def reshape(self, n: Node, ops: Sequence[Written]) -> Written:
        """Axes of extent 1 come and go unsaid: a column is its vector."""
        if same_but_ones(n.operands[0].shape, n.shape):
            return ops[0]
        shape = self.n.by.join(self.inside(self.size(d), PRODUCT) for d in n.shape)
        return self.called("reshape", [ops[0], Written(shape, ATOM)])

    def slice(self, n: Node, ops: Sequence[Written]) -> Written:
        return self.known(n) or Written(self.inside(ops[0], ATOM) + f"[{', '.join(self._window(n))}]", ATOM)

    def _window(self, n: Node) -> list[str]:
        """A slice as Python writes it, without the whole axes at its end."""
        entries = self.entries(n.attrs[0], n.attrs[1], n.shape, n.operands[0].shape, single=True)
        while len(entries) > 1 and entries[-1] == ":":
            entries.pop()
        return [e.replace("-", self.n.minus) for e in entries]

    def entries(self, start: Shape, step: Sequence[int], sizes: Shape, extents: Shape, single: bool) -> list[str]:
        """The slice of each axis; `single`: an axis of which one position is left is that position."""
        entries = []
        for first, stride, size, extent in zip(start, step, sizes, extents, strict=True):
            last = sp.sympify(first + size * stride)
            by = "" if stride == 1 else f":{stride}"
            if single and size == 1 and extent != 1:
                entries.append(self.size(first).text)
            elif stride < 0:
                begin = "" if first == extent - 1 else self.size(first).text
                entries.append(begin + ":" + ("" if last.is_negative else self.size(last).text) + by)
            else:
                begin = "" if first == 0 else self.size(first).text
                reaches = bool(last == extent or (extent - last).is_number and 0 > extent - last > -stride)
                entries.append(begin + ":" + ("" if reaches else self.size(last).text) + by)
        return entries

    def place(self, n: Node, ops: Sequence[Written]) -> Written:
        """Zeros before and after; with steps, where in zeros the array goes."""
        (o,), (start, step) = n.operands, n.attrs
        moved = [a for a in range(n.rank) if start[a] != 0 or n.shape[a] != o.shape[a]]
        if len(moved) == 1 and step[moved[0]] == 1:
            (axis,) = moved
            zeros = [Written("0", ATOM)]
            before, after = start[axis] != 0, sp.sympify(n.shape[axis] - o.shape[axis] - start[axis]) != 0
            return self._blocks(n, axis, [*(zeros * before), ops[0], *(zeros * after)])
        where = []
        for a in range(n.rank):
            by = "" if step[a] == 1 else f":{step[a]}"
            begin = "" if start[a] == 0 and step[a] > 0 else self.size(start[a]).text
            where.append(f"{begin}:{by}".replace("-", self.n.minus))
        return self.called("place", [ops[0], *(Written(w, ATOM) for w in where)])

    def concat(self, n: Node, ops: Sequence[Written]) -> Written:
        return self._blocks(n, n.attrs[0], ops)

    def _blocks(self, n: Node, axis: int, parts: Sequence[Written]) -> Written:
        """Blocks beside each other along the last axis, below each other along the one before."""
        if axis < n.rank - 2:
            return Written(self.n.reduced("concat", str(axis), ", ".join(w.text for w in parts)), ATOM)
        enclose = self.n.columns if axis == n.rank - 1 else self.n.rows
        return Written(enclose([w.text for w in parts]), ATOM)

    def gather(self, n: Node, ops: Sequence[Written]) -> Written:
        if build.is_positions(n.operands[0]):
            return ops[1]
        return self.known(n) or Written(self.inside(ops[0], ATOM) + f"[{ops[1].text}]", ATOM)

    def scatter(self, n: Node, ops: Sequence[Written]) -> Written:
        return self.called("scatter", ops)

    def put(self, n: Node, ops: Sequence[Written]) -> Written:
        return self.called("put", ops)

    # -- windows
    def conv(self, n: Node, ops: Sequence[Written]) -> Written:
        """A convolution of images and a filter; its transpose of filter and result, and what the filter learns by."""
        name = {"y": "conv", "x": "conv_transpose", "w": "conv_filter"}[n.attrs[0]]
        return self.called(f"depthwise_{name}" if n.attrs[2] else name, ops)

    def pool(self, n: Node, ops: Sequence[Written]) -> Written:
        if n.attrs[0] == "pick" and n.operands[0] is n.operands[1]:
            return self.called("max_pool", ops[:1])
        return self.called({"pick": "at_max_of", "route": "to_max_of"}[n.attrs[0]], ops)

    # -- loops
    def loop(self, n: Node, ops: Sequence[Written]) -> Written:
        """A loop is a function of what it reads: its body is not written."""
        return self.called("loop", ops)

    def part(self, n: Node, ops: Sequence[Written]) -> Written:
        return Written(self.inside(ops[0], ATOM) + f"[{n.attrs[0]}]", ATOM)

    # -- leaves
    def leaf(self, n: Node, ops: Sequence[Written]) -> Written:
        return Written(self.n.name(self.labels[n]), ATOM)

    placeholder = variable = cut = leaf

    def const(self, n: Node, ops: Sequence[Written]) -> Written:
        return self.number(n.attrs[0].value[()]) if n.shape == () else self.leaf(n, ops)

    def random(self, n: Node, ops: Sequence[Written]) -> Written:
        return self.called(n.attrs[1], ops)

    def check_length(self, most: int) -> None:
        """ValueError if the text of a node is longer than that."""
        for n in self.labels.order:
            if len(self.write(n).text) > most:
                raise ValueError(
                    f"written out, the formula has more than {most} letters: shared values nest in one another; keep its named parts"
                )

    # -- linear algebra
    def linalg(self, n: Node, ops: Sequence[Written]) -> Written:
        fn_name = n.attrs[0]
        if fn_name == "inverse":
            return self._inverse(n.operands[0], ops[0])
        if fn_name == "solve":
            return self._product([self._inverse(n.operands[0], ops[0]), ops[1]])
        return self.called(fn_name, ops)

    def _inverse(self, a: Node, w: Written) -> Written:
        inner = build.is_swap(a)
        if inner is not None and a not in self.parts:
            return Written(self.n.inverse_transpose(self.inside(self.memo[inner], ATOM)), POWER)
        return Written(self.n.inverse(self.inside(w, ATOM)), POWER)

    def transposed(self, a: Node, w: Written) -> Written:
        if w.scale is not None and w.bare is not None:
            return self.scaled(w.scale, self.transposed(a, w.bare))
        if a.kind is Kind.LINALG and a.attrs == ("inverse",) and a not in self.parts:
            return Written(self.n.inverse_transpose(self.inside(self.memo[a.operands[0]], ATOM)), POWER)
        return Written(self.n.transpose(self.inside(w, ATOM)), POWER)

    def matmul(self, n: Node, ops: Sequence[Written]) -> Written:
        return self._product(ops)

    def _product(self, ops: Sequence[Written]) -> Written:
        """Two factors; the scalars in front of either come to the front of both."""
        scale, factors = Scale(), []
        for w in ops:
            if w.scale is not None and w.bare is not None:
                scale, w = scale.times(w.scale), w.bare
            factors.append(w)
        written = self._side_by_side(*factors)
        return written if scale == Scale() else self.scaled(scale, written)

    def _side_by_side(self, left: Written, right: Written) -> Written:
        """Factors beside each other; a space where two of them would be read as one name, and after an index."""
        a, b = self.inside(left, FACTOR), self.inside(right, self.n.right)
        joint = self.n.product
        if not joint and a[-1].isalnum():
            word = a.rpartition(" ")[2] if left.strength == FACTOR else a
            called = right.strength > FACTOR and len(b) > 1 and b[:2].isalpha() and b[1] != "ᵀ"  # a word, as in Xᵀ sign(y)
            named = _joins(a[-1]) and _joins(b[0]) and (left.strength > FACTOR and _letters(a) > 1 or not a[-1].isalpha())
            joint = " " if called or named or self.labels.reads_as_a_name(word, b) else ""
        return Written(a + joint + b, FACTOR)

    def composite(self, n: Node, ops: Sequence[Written]) -> Written:
        """The last axis of a softmax and all axes of a reduction go unsaid."""
        name, axes, _ = n.attrs
        (o,) = n.operands
        if name == "norm" and all(d == 1 for d in n.shape):
            return Written(self.n.norm(ops[0].text), ATOM)
        if name == "norm":  # ‖·‖₁ is another norm
            squares = self.raised(ops[0], Written("2", ATOM)).text
            return Written(self.n.sqrt(self.n.reduced("sum", "".join(map(str, axes)), squares)), ATOM)
        unsaid = axes == (o.rank - 1,) if n.rank == o.rank else all(d == 1 for d in n.shape)
        return Written(self.n.reduced(name, "" if unsaid else "".join(map(str, axes)), ops[0].text), ATOM)

    # -- generic
    def generic(self, n: Node, ops: Sequence[Written]) -> Written:
        body, index, _, reducer = n.attrs
        if reducer in (None, "sum") and is_diagonal(n):
            return self.called("diag" if reducer is None else "tr", ops)
        ops = [self.called("diag", [w]) if reads_diagonal(o, ix) else w for o, ix, w in zip(n.operands, index, ops, strict=True)]
        arranged = reading(n) if reducer is None else None
        if arranged is not None:
            return self._arranged(n, ops, arranged)
        if reducer is None:
            ops = [self.transposed(o, w) if is_flipped(o, ix, n) else w for o, ix, w in zip(n.operands, index, ops, strict=True)]
        scope = self.scope(n, ops)
        if reducer is None:
            return self._structured(n, ops, scope) or self.body(body, scope)
        if reducer in ("sum", "prod", "max", "min") and all(d == 1 for d in n.attrs[2][n.rank :]):
            return self.body(body, scope)
        terms = crossed(n)
        w = (
            self.body(body, scope)
            if terms is None
            else self.generic(terms, [dict(zip(n.operands, ops, strict=True))[o] for o in terms.operands])
        )
        axes = "" if all(d == 1 for d in n.shape) else _axes(n)
        negative, w = self.unsigned(w) if reducer == "sum" else (False, w)
        total = Written(self.n.reduced(reducer, axes, w.text), ATOM)
        return self.scaled(Scale(Fraction(-1)), total) if negative else total

    def _arranged(self, n: Node, ops: Sequence[Written], how: Reading) -> Written:
        """Operands in the way in which they are read; what lies on diagonals is an operand of its own."""
        body: sp.Basic = n.attrs[0]
        read = list(ops)
        for k, (o, w) in enumerate(zip(n.operands, ops, strict=True)):
            if k in how.turned:
                read[k] = self.transposed(o, w)
            elif how.at and k in how.at:
                read[k] = self._at(w, how.at[k])
        base = self.scope(n, read)
        positions = {a: Written(self.n.name(letter), ATOM) for a, letter in how.letters.items()}
        while (d := innermost_delta(body)) is not None:
            scope = replace(base, ops=read, positions=positions)
            a, b, u = scalar.delta(d) or (0, 0, d)
            unit = Written(self.n.name("I"), ATOM)
            k = scalar.x(len(read))
            if how.at is not None:
                read.append(self._at(unit, how.letters[a] + how.letters[b]))
                body = body.xreplace({d: k * u})
            elif self._is_scalar(u, base):
                read.append(unit)
                body = body.xreplace({d: k * u})
            else:
                read.append(self.called("diag", [self.body(u, scope)]))
                body = body.xreplace({d: k})
        return self.body(body, replace(base, ops=read, positions=positions))

    def _at(self, w: Written, letters: str) -> Written:
        """An element of an array; scalars stay in front."""
        if w.scale is not None and w.bare is not None:
            return self.scaled(w.scale, self._at(w.bare, letters))
        return Written(self.n.indexed(self.inside(w, ATOM), letters), ATOM)

    def scope(self, n: Node, ops: Sequence[Written]) -> Scope:
        """What the body of a generic node reads."""
        sources = [repeated(o) for o in n.operands]
        return Scope(
            ops,
            frozenset(k for k, s in enumerate(sources) if all(d == 1 for d in s.shape)),
            {k: s.attrs[0].value[()] for k, s in enumerate(sources) if s.kind is Kind.CONST and s.shape == ()},
            frozenset(k for k, o in enumerate(n.operands) if o.dtype.is_floating),
            {a: Written(self.n.name(_POSITIONS[a % len(_POSITIONS)]), ATOM) for a in scalar.label_numbers(n.attrs[0])},
            matrix=n.rank if n.rank > 1 and n.attrs[3] is None else 0,
        )

    def _structured(self, n: Node, ops: Sequence[Written], scope: Scope) -> Written | None:
        """Identity and diagonal matrices, and outer products of vectors."""
        body, index, _, _ = n.attrs
        if n.rank < 2:
            return None
        inner = on_diagonal(n)
        if inner is not None and not self._is_scalar(inner, scope) and not scalar.label_numbers(inner):
            if all(len(set(ix) - {None}) < 2 for ix in index):
                return self.called("diag", [self.body(inner, scope)])
        if n.rank == 2 and all(o.rank < 2 for o in n.operands) and body.is_Mul:
            sides = [[k for k, ix in enumerate(index) if ix == (a,)] for a in (0, 1)]
            if all(len(side) == 1 for side in sides):
                (a,), (b,) = sides
                rest = body / (scalar.x(a) * scalar.x(b))
                if not scalar.operand_numbers(rest) & {a, b} and not scalar.label_numbers(rest):
                    product = self._product([ops[a], self.transposed(n.operands[b], ops[b])])
                    return product if rest == 1 else self.scaled(self._scalar(rest, scope), product)
        return None


def _joins(c: str) -> bool:
    """A letter or digit, which beside another one makes a name; ᵀ is none."""
    return c.isalnum() and c not in "ᵀ⁻¹"


def _letters(name: str) -> int:
    return sum(c.isalpha() and _joins(c) for c in name)


# ---------------------------------------------------------------- what a node is
def repeated(n: Node) -> Node:
    """The scalar, if n is one along all its axes, else n."""
    return n.operands[0] if build.is_pure(n) and n.operands[0].shape == () else n


def is_flipped(o: Node, ix: tuple[int | None, ...], n: Node) -> bool:
    """Is a matrix read as its transpose?"""
    return o.rank == n.rank == 2 and ix in ((1, 0), (1, None), (None, 0))


def reads_diagonal(o: Node, ix: tuple[int | None, ...]) -> bool:
    """Is a matrix read along one label twice?"""
    wide = [a for a, d in zip(ix, o.shape, strict=True) if a is not None and d != 1]
    return len(set(wide)) < len(wide)


def crossed(n: Node) -> Node | None:
    """What a reduction reduces, as a node, if its operands are not read in one order of labels: a transpose among them."""
    body, index, space, _ = n.attrs
    widest = max(index, key=lambda ix: len(set(ix) - {None}), default=())
    order = list(dict.fromkeys(a for a in (*widest, *range(len(space))) if a is not None))
    at = {a: k for k, a in enumerate(order)}
    moved = tuple(tuple(None if a is None else at[a] for a in ix) for ix in index)
    ascending = [[a for a in ix if a is not None] for ix in moved]
    if all(ls == sorted(ls) for ls in ascending) or any(reads_diagonal(o, ix) for o, ix in zip(n.operands, index, strict=True)):
        return None
    renamed = body.xreplace({scalar.i(a): scalar.i(k) for a, k in at.items()})
    return build.generic(renamed, n.operands, moved, tuple(space[a] for a in order), len(order), None, n.dtype)


def is_diagonal(n: Node) -> bool:
    """Is it an operand read along one label twice, and nothing else?"""
    body, index, _, _ = n.attrs
    if len(index) != 1 or body != scalar.x(0):
        return False
    labels = [a for a in index[0] if a is not None]
    return len(set(labels)) < len(labels)


def on_diagonal(n: Node) -> sp.Basic | None:
    """E, if n is E where the last two positions are equal and 0 elsewhere."""
    body = n.attrs[0]
    return body.args[1] if n.rank > 1 and n.attrs[3] is None and identity(body, n.rank) else None


def _axes(n: Node) -> str:
    """The reduced axes of the operand that has most of them, as digits."""
    index = max(n.attrs[1], key=lambda ix: sum(a is not None and a >= n.rank for a in ix), default=())
    return "".join(str(axis) for axis, label in enumerate(index) if label is not None and label >= n.rank)
