"""From node to NumPy source: the writer's walk where every axis is said.

Law of this file: a node's text evaluates to an array of exactly its shape and dtype.  A generic node's operands are
lined up by `aligned`, which indexes only where NumPy's broadcasting from the last axis would not do the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..codegen.ir import Window
from ..node import Kind, Node
from ..shapes import Shape, same_but_ones
from .bodies import Scale, Scope, Written
from .notation import ATOM, LOOSE, POWER, PRODUCT, SUM
from .numpy_notation import NUMPY
from .numpy_types import cast, typed
from .writer import Writer, identity, is_diagonal, on_diagonal


@dataclass(frozen=True)
class Lined:
    """An array in the layout of a body: its text, the axes of the layout that it spans, and its rank; or a Python number."""

    written: Written
    spans: frozenset[int]
    rank: int
    is_number: bool = False


class Source(Writer):
    """Writes nodes as NumPy expressions."""

    def __init__(self, labels: Any, parts: Collection[Node] = ()) -> None:
        super().__init__(labels, NUMPY, parts)
        self.integers = False
        self.weak: set[Node] = set()  # written as Python numbers, which take any dtype

    # -- pieces
    def array(self, n: Node) -> str:
        """An operand as an array, which a literal is not, ready to be indexed."""
        return f"{dtype_name(n)}({self.memo[n].text})" if n in self.weak else self.inside(self.memo[n], ATOM)

    def shape(self, shape: Shape) -> str:
        inner = ", ".join(self.size(d).text for d in shape)
        return f"({inner},)" if len(shape) == 1 else f"({inner})"

    def indexed(self, w: Written, entries: Sequence[str]) -> Written:
        """Trailing whole axes go unsaid."""
        shown = list(entries)
        while shown and shown[-1] == ":":
            shown.pop()
        return Written(f"{self.inside(w, ATOM)}[{', '.join(shown)}]", ATOM) if shown else w

    def transposed(self, a: Node, w: Written) -> Written:
        if w.scale is not None and w.bare is not None:
            return self.scaled(w.scale, self.transposed(a, w.bare))
        return Written(f"{self.inside(w, ATOM)}.T", ATOM)

    # -- leaves
    def result(self, n: Node) -> str:
        """What the function returns."""
        return self.array(n) if n in self.weak else self.memo[n].text

    def const(self, n: Node, ops: Sequence[Written]) -> Written:
        if n.shape == ():
            self.weak.add(n)
        return super().const(n, ops)

    def _size_of(self, n: Node) -> Written | None:
        """A scalar that the user took from a shape."""
        known = self.known(n) if n.shape == () else None
        if known is not None:
            self.weak.add(n)
        return known

    def random(self, n: Node, ops: Sequence[Written]) -> Written:
        raise ValueError(f"the formula draws random numbers ({n.attrs[0].name}), which no function of its leaves can repeat")

    # -- movement
    def reshape(self, n: Node, ops: Sequence[Written]) -> Written:
        (o,) = n.operands
        if known := self._size_of(n):
            return known
        if o.shape == () or not same_but_ones(o.shape, n.shape):
            return self._reshaped(n)
        if o.kind is Kind.SLICE and o not in self.parts and (taken := _dropped(o, n)) is not None:
            (x,) = o.operands
            start, step = o.attrs
            window = zip(*(self.entries(start, step, o.shape, x.shape, single) for single in (False, True)), strict=True)
            if all(o.shape[a] == 1 and (x.shape[a] != 1 or o.attrs[0][a] == 0) for a in taken):
                entries = [("0" if x.shape[a] == 1 else single) if a in taken else kept for a, (kept, single) in enumerate(window)]
                return self.indexed(Written(self.array(x), ATOM), entries)
        entries, a, b = [], 0, 0
        while a < o.rank or b < n.rank:
            one, other = a < o.rank and o.shape[a] == 1, b < n.rank and n.shape[b] == 1
            entries.append("None" if other and not one else "0" if one and not other else ":")
            a, b = a + (entries[-1] != "None"), b + (entries[-1] != "0")
        return self.indexed(Written(self.array(o), ATOM), entries)

    def _reshaped(self, n: Node) -> Written:
        unknown = [a for a, d in enumerate(n.shape) if not isinstance(d, int)]
        wild = len(unknown) == 1 and 0 not in n.shape
        inner = ", ".join("-1" if wild and a in unknown else self.size(d).text for a, d in enumerate(n.shape))
        return Written(f"{self.array(n.operands[0])}.reshape({inner})", ATOM)

    def slice(self, n: Node, ops: Sequence[Written]) -> Written:
        (x,), (start, step) = n.operands, n.attrs
        entries = self.entries(start, step, n.shape, x.shape, single=False)
        for a, d in enumerate(n.shape):
            last = sp.sympify(start[a] + d * step[a])
            if d == 0:
                entries[a] = "0:0"
            elif step[a] < 0 and last.is_negative is None and last.is_nonnegative is None:  # the end may lie before 0
                entries[a] = f"{self.inside(self.size(start[a]), SUM)} - {-step[a]} * np.arange({self.size(d).text})"
        return self.indexed(Written(self.array(x), ATOM), entries)

    def place(self, n: Node, ops: Sequence[Written]) -> Written:
        (x,), (start, step) = n.operands, n.attrs
        if all(s == 1 for s in step):
            after = [d - e - first for d, e, first in zip(n.shape, x.shape, start, strict=True)]
            pads = [f"({self.size(a).text}, {self.size(sp.sympify(b)).text})" for a, b in zip(start, after, strict=True)]
            widths = pads[0] if len(pads) == 1 else f"({', '.join(pads)})"
            return Written(f"np.pad({ops[0].text}, {widths})", ATOM)
        entries = self.entries(start, step, x.shape, n.shape, single=False)
        return Written(f"place({ops[0].text}, np.s_[{', '.join(entries)}], {self.shape(n.shape)})", ATOM)

    def concat(self, n: Node, ops: Sequence[Written]) -> Written:
        axis = f", axis={n.attrs[0]}" if n.attrs[0] else ""
        return Written(f"np.concatenate([{', '.join(w.text for w in ops)}]{axis})", ATOM)

    def conv(self, n: Node, ops: Sequence[Written]) -> Written:
        role, windows, depthwise = n.attrs
        arrays = ", ".join(self.array(o) for o in n.operands)
        deep = ", True" if depthwise else ""
        return Written(f'convolution("{role}", {arrays}, {self._windows(windows)}, {self.shape(n.shape)}{deep})', ATOM)

    def pool(self, n: Node, ops: Sequence[Written]) -> Written:
        arrays = ", ".join(self.array(o) for o in n.operands)
        return Written(f'pooling("{n.attrs[0]}", {arrays}, {self._windows(n.attrs[1])}, {self.shape(n.shape)})', ATOM)

    def _windows(self, windows: Sequence[Window]) -> str:
        numbers = ((v.size, v.stride, v.dilation, v.before) for v in windows)
        return "[" + ", ".join("(" + ", ".join(self.size(d).text for d in four) + ")" for four in numbers) + "]"

    def loop(self, n: Node, ops: Sequence[Written]) -> Written:
        raise NotImplementedError("a loop is not written in NumPy: look at the generated code, sg.function(...).source")

    def gather(self, n: Node, ops: Sequence[Written]) -> Written:
        return self._size_of(n) or Written(f"{self.array(n.operands[0])}[{ops[1].text}]", ATOM)

    def scatter(self, n: Node, ops: Sequence[Written]) -> Written:
        return Written(f"scatter({ops[0].text}, {ops[1].text}, {self.shape(n.shape)})", ATOM)

    def put(self, n: Node, ops: Sequence[Written]) -> Written:
        return Written(f"put({', '.join(w.text for w in ops)})", ATOM)

    # -- linear algebra
    def linalg(self, n: Node, ops: Sequence[Written]) -> Written:
        if n.attrs[0] == "top":
            return Written(f"top({ops[0].text}, {self.size(n.shape[-1]).text})", ATOM)
        return self.called(n.attrs[0], ops)

    def composite(self, n: Node, ops: Sequence[Written]) -> Written:
        name, axes, keepdims = n.attrs
        (o,) = n.operands
        reduces = name in ("norm", "logsumexp")
        every = len(axes) == o.rank and reduces and not keepdims
        said = "" if every or not reduces and axes == (o.rank - 1,) else f", axis={axes[0] if len(axes) == 1 else axes}"
        said += ", keepdims=True" if reduces and keepdims else ""
        if name == "norm" and (len(axes) > 2 and not every or o.rank == 0):
            return Written(f"np.sqrt(np.sum({self.inside(ops[0], ATOM)}**2{said}))", ATOM)
        return Written(f"{'np.linalg.norm' if name == 'norm' else name}({ops[0].text}{said})", ATOM)

    # -- generic
    def generic(self, n: Node, ops: Sequence[Written]) -> Written:
        return self._known_form(n, ops) or (self._mapped(n, ops) if n.attrs[3] is None else self._reduced(n, ops))

    def _known_form(self, n: Node, ops: Sequence[Written]) -> Written | None:
        """Traces, diagonals, transposes, outer products, contractions: what NumPy has a word for."""
        body, index, space, reducer = n.attrs
        if is_diagonal(n) and n.operands[0].rank == 2 and n.operands[0].dtype is n.dtype:
            if reducer == "sum" and n.rank == 0:
                return Written(f"np.trace({ops[0].text}{self._sum_dtype(n)})", ATOM)
            if reducer is None and n.rank == 1:
                return Written(f"np.diagonal({ops[0].text})", ATOM)
        if reducer is None and body == scalar.x(0) and n.operands[0].dtype is n.dtype:
            (o,), (ix,) = n.operands, index
            if n.rank > 2 and o.rank == n.rank and ix == (*range(n.rank - 2), n.rank - 1, n.rank - 2):
                return Written(f"np.swapaxes({ops[0].text}, -1, -2)", ATOM)
        if reducer is None and n.rank == 2 and n.shape[0] == n.shape[1]:
            inner = on_diagonal(n)
            if inner is not None and n.operands and all(ix in ((0,), (1,), ()) for ix in index) and not scalar.label_numbers(inner):
                if any(index):
                    line = self._lines(n, inner, ops, {0: 0, 1: 0}, 1)
                    if line.rank == 1:
                        return Written(f"np.diag({line.written.text})", ATOM)
        if reducer is None and n.rank == 2 and body == scalar.x(0) * scalar.x(1) and {*index} == {(0,), (1,)}:
            if all(o.dtype is n.dtype for o in n.operands):
                left, right = sorted((ix, w.text) for ix, w in zip(index, ops, strict=True))
                return Written(f"np.outer({left[1]}, {right[1]})", ATOM)
        return self._contraction(n, ops) if reducer == "sum" else None

    def _contraction(self, n: Node, ops: Sequence[Written]) -> Written | None:
        """A sum of products in which no operand has all labels: never an array of all of them."""
        body, index, space, _ = n.attrs
        factors = sp.Mul.make_args(body)
        named = {a for ix in index for a in ix}
        if None in named or len(factors) < 2 or set(factors) != {scalar.x(k) for k in range(len(index))} or named != set(range(len(space))):
            return None
        if any(set(ix) == named for ix in index) or any(o.dtype is not n.dtype for o in n.operands) or len(space) > 20:
            return None
        letters = ["".join(chr(ord("i") + a) if a < 18 else chr(ord("A") + a) for a in ix) for ix in (*index, range(n.rank))]
        return Written(f'np.einsum("{",".join(letters[:-1])}->{letters[-1]}", {", ".join(w.text for w in ops)})', ATOM)

    def _mapped(self, n: Node, ops: Sequence[Written]) -> Written:
        body, _, space, _ = n.attrs
        line = self._lines(n, body, ops, {a: a for a in range(n.rank)}, n.rank)
        if line.is_number and n.rank == 0:
            self.weak.add(n)
        exact = line.rank == n.rank and all(d == 1 or a in line.spans for a, d in enumerate(n.shape))
        return line.written if exact else self._spread(n, line, n.shape)

    def _spread(self, n: Node, line: Lined, shape: Shape) -> Written:
        """An array repeated to a shape; a number as a full array."""
        if line.is_number:
            number = line.written.text
            kind = "" if n.dtype.name == "float64" else f", dtype={dtype_name(n)}"
            if number in ("0", "1"):
                return Written(f"np.{'zeros' if number == '0' else 'ones'}({self.shape(shape)}{kind})", ATOM)
            return Written(f"np.full({self.shape(shape)}, {number}, dtype={dtype_name(n)})", ATOM)
        return Written(f"np.broadcast_to({line.written.text}, {self.shape(shape)})", ATOM)

    def _reduced(self, n: Node, ops: Sequence[Written]) -> Written:
        body, index, space, reducer = n.attrs
        layout = self._layout(n)
        line = self._lines(n, body, ops, {a: p for p, a in enumerate(layout)}, len(layout))
        if reducer in ("max", "min") and any(d == 0 for d in space[n.rank :]):
            start = {"max": "-np.inf", "min": "np.inf"}[reducer]
            if n.dtype.is_integer:
                start = f"np.iinfo({dtype_name(n)}).{'min' if reducer == 'max' else 'max'}"
            return Written(f"np.full({self.shape(n.shape)}, {start}, dtype={dtype_name(n)})", ATOM)
        dims = tuple(space[a] for a in layout)
        if line.rank < len(layout) or any(d != 1 and p not in line.spans for p, d in enumerate(dims)):
            line = Lined(self._spread(n, line, dims), frozenset(range(len(dims))), len(dims))
        axes = tuple(p for p, a in enumerate(layout) if a >= n.rank)
        kept = [a for a in layout if a < n.rank]
        keeps = n.rank == len(layout) > 0 and all(a == p if a < n.rank else n.shape[p] == 1 for p, a in enumerate(layout))
        said = "" if len(axes) == len(layout) and (not keeps or len(axes) == 1) else f", axis={axes[0] if len(axes) == 1 else axes}"
        said += ", keepdims=True" if keeps else ""
        negative, w = self.unsigned(line.written) if reducer == "sum" else (False, line.written)
        whole = Written(f"np.{reducer}({w.text}{said}{self._sum_dtype(n)})", ATOM)
        if not (keeps or kept == list(range(n.rank))):
            whole = self.indexed(whole, [":" if a in kept else "None" for a in range(n.rank)])
            if any(n.shape[a] != 1 for a in range(n.rank) if a not in kept):
                whole = self._spread(n, Lined(whole, frozenset(kept), n.rank), n.shape)
        return self.scaled(Scale(Fraction(-1)), whole) if negative else whole

    @staticmethod
    def _sum_dtype(n: Node) -> str:
        return f", dtype={dtype_name(n)}" if n.attrs[3] in ("sum", "prod") and not n.dtype.is_floating else ""

    def _layout(self, n: Node) -> list[int]:
        """Labels in the order in which the body's axes are written: as the largest operand has them, if it has all."""
        body, index, space, reducer = n.attrs
        main = [a for a in max(index, key=lambda ix: len({*ix} - {None}), default=()) if a is not None]
        used = {a for ix in index for a in ix if a is not None} | set(scalar.label_numbers(body))
        idle = [a for a in range(n.rank, len(space)) if a not in used and reducer in ("sum", "prod") and space[a] != 1]
        kept = [a for a in main if a < n.rank]
        if set(main) == used and len(main) == len(used) and kept == sorted(kept) and not idle and len(kept) < len(main):
            return main
        return list(range(len(space)))

    # -- lining up
    def _lines(self, n: Node, body: sp.Basic, ops: Sequence[Written], at: dict[int, int], rank: int) -> Lined:
        """The body of n over its operands, lined up so that label a is axis at[a]."""
        body, eye = self._identities(n, body)
        target = n.operands[0].dtype.name if n.attrs[3] in ("argmax", "argmin") else n.dtype.name
        dtypes = {k: None if o in self.weak else o.dtype.name for k, o in enumerate(n.operands)}
        body, own = typed(body, dtypes | {len(ops): n.dtype.name}, target)
        if own not in (None, target):
            body = cast(body, target)
        lined = [self.aligned(*self._source(w, o, ix), at, rank) for o, ix, w in zip(n.operands, n.attrs[1], ops, strict=True)]
        if eye is not None:
            lined.append(Lined(eye, frozenset({0, 1}), 2))
        positions = {}
        for a in scalar.label_numbers(body):
            w = Written(f"np.arange({self.size(n.attrs[2][a]).text})", ATOM)
            positions[a] = Lined(self.indexed(w, [":", *["None"] * (rank - 1 - at[a])]), frozenset({at[a]}), rank - at[a])
        used = [lined[k] for k in sorted(scalar.operand_numbers(body))] + list(positions.values())
        scope = Scope(
            [line.written for line in lined],
            frozenset(k for k, o in enumerate(n.operands) if o.shape == ()),
            {k: o.attrs[0].value[()] for k, o in enumerate(n.operands) if o.kind is Kind.CONST and o.shape == ()},
            positions={a: line.written for a, line in positions.items()},
            weak=frozenset(k for k, o in enumerate(n.operands) if o in self.weak),
        )
        self.integers = n.dtype.is_integer
        spans = frozenset().union(*(line.spans for line in used))
        return Lined(self.body(body, scope), spans, max((line.rank for line in used), default=0), own is None)

    def _source(self, w: Written, o: Node, ix: tuple[int | None, ...]) -> tuple[Written, Node, tuple[int | None, ...]]:
        """What a transposed or repeated operand is made of, read along its own axes."""
        while build.is_pure(o) and o not in self.parts and o.dtype is o.operands[0].dtype and o.operands[0].shape != ():
            ix = tuple(None if a is None else ix[a] for a in o.attrs[1][0])
            (o,) = o.operands
            w = self.memo[o]
        return w, o, ix

    def _identities(self, n: Node, body: sp.Basic) -> tuple[sp.Basic, Written | None]:
        """Numbers on a diagonal as multiples of one more operand, np.eye."""
        if n.rank != 2 or n.attrs[3] is not None or not n.dtype.is_floating:
            return body, None
        found = [e for e in body.atoms(fn.select) if identity(e, 2) and e.args[1].is_number]
        if not found:
            return body, None
        x = scalar.x(len(n.operands))
        rows, columns = (self.size(d).text for d in n.shape)
        kind = "" if n.dtype.name == "float64" else f", dtype={dtype_name(n)}"
        extent = rows if rows == columns else f"{rows}, {columns}"
        return body.xreplace({e: e.args[1] * x for e in found}), Written(f"np.eye({extent}{kind})", ATOM)

    def aligned(self, w: Written, o: Node, ix: tuple[int | None, ...], at: dict[int, int], rank: int) -> Lined:
        """An operand whose axis with label a comes to lie on axis at[a] of `rank`, counted from the last."""
        if w.scale is not None and w.bare is not None:
            line = self.aligned(w.bare, o, ix, at, rank)
            return replace(line, written=self.scaled(w.scale, line.written))
        axes: Sequence[int | None] = [None if a is None else at[a] for a in ix]
        spans = [p for p in axes if p is not None]
        if len(set(spans)) < len(spans):
            letters = ["z" if p is None else chr(ord("a") + p) for p in axes]
            spans = sorted(set(spans))
            w = Written(f'np.einsum("{"".join(letters)}->{"".join(chr(ord("a") + p) for p in spans)}", {w.text})', ATOM)
            axes = list(spans)
        elif spans != sorted(spans):
            if None in axes:
                w = self.indexed(w, [":" if p is not None else "0" for p in axes])
            order = sorted(range(len(spans)), key=spans.__getitem__)
            text = self.inside(w, ATOM)
            w = Written(f"{text}.T" if len(spans) == 2 else f"{text}.transpose({', '.join(map(str, order))})", ATOM)
            axes = sorted(spans)
        entries = _entries(axes, rank)
        covered = frozenset(p for p, d in zip(axes, _extents(o, ix, at, axes), strict=True) if p is not None and d != 1)
        return Lined(self.indexed(w, entries), covered, sum(e != "0" for e in entries))

    # -- bodies
    def function(self, e: sp.Basic, scope: Scope) -> Written:
        name = type(e).__name__.rstrip("_")
        if name == "cast":
            return self._cast(e, scope)
        if name == "floor" and not scalar.operand_numbers(e) and not scalar.label_numbers(e):
            above, below = sp.fraction(sp.together(e.args[0]))
            return Written(f"{self.inside(self.body(above, scope), PRODUCT)} // {self.inside(self.body(below, scope), POWER)}", SUM)
        if name in ("floordiv", "floormod", "Mod"):
            a, b = (self.body(a, scope) for a in e.args)
            return Written(f"{self.inside(a, PRODUCT)} {'//' if name == 'floordiv' else '%'} {self.inside(b, POWER)}", SUM)  # no sign moves
        if name == "power" and self.integers:
            return self.called("integer_power", [self.body(a, scope) for a in e.args])
        return super().function(e, scope)

    def root(self, e: sp.Basic, base: Written, scope: Scope) -> Written:
        """A root of numbers is a Python number, which takes any dtype, and no float64."""
        number = scalar.operand_numbers(e) <= scope.weak and not scalar.label_numbers(e)
        return Written(f"math.sqrt({base.text})", ATOM) if number else super().root(e, base, scope)

    def _cast(self, e: sp.Basic, scope: Scope) -> Written:
        source, target = e.args[0], str(e.args[1])
        w = self.body(source, scope)
        if target == "bool":
            return Written(f"{self.inside(w, SUM)} != 0", LOOSE)
        name = f"np.{target}"
        if not scalar.label_numbers(source) and scalar.operand_numbers(source) <= scope.weak:
            return Written(f"{name}({w.text})", ATOM)
        return Written(f"{self.inside(w, ATOM)}.astype({name})", ATOM)


def dtype_name(n: Node) -> str:
    return "bool" if n.dtype.is_bool else f"np.{n.dtype.name}"


def _dropped(o: Node, n: Node) -> list[int] | None:
    """The axes of extent 1 that n lacks, if n has no new ones."""
    dropped, b = [], 0
    for a, d in enumerate(o.shape):
        if b < n.rank and n.shape[b] == d and (d != 1 or o.rank - a <= n.rank - b):
            b += 1
        elif d == 1:
            dropped.append(a)
        else:
            return None
    return dropped if b == n.rank else None


def _extents(o: Node, ix: tuple[int | None, ...], at: dict[int, int], axes: Sequence[int | None]) -> list[Any]:
    """The extent of the operand along each axis that it has in a layout."""
    of = {at[a]: d for a, d in zip(ix, o.shape, strict=True) if a is not None}
    return [None if p is None else of[p] for p in axes]


def _entries(axes: Sequence[int | None], rank: int) -> list[str]:
    """The index that brings axes, in increasing order and with extents of 1 between them, to their places in `rank`."""
    first = min((p for p in axes if p is not None), default=rank)
    wanted = {p for p in axes if p is not None}
    entries: list[str] = []
    k, p = len(axes) - 1, rank - 1
    while k >= 0 or p >= first:
        have = axes[k] if k >= 0 else -1
        if p >= first and p in wanted and have != p:
            entry = "0"
        elif p >= first and p not in wanted and have is not None:
            entry = "None"
        else:
            entry = ":" if p >= 0 else "0"
        entries.append(entry)
        k, p = k - (entry != "None"), p - (entry != "0")
    return entries[::-1]
