"""What a sweep and a rewriter did, as steps that people can follow.

Law of this file: a step is two nodes of equal value, or a value of the loss and the adjoint that the sweep gave it; both
were told by those who made them (`Trace`).  What changes nothing that can be seen in the formula belongs to the step
before it, and one rule applied several times is one step.  All steps share their names, the gradient's formula first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from .. import build
from ..composites import expand
from ..gradients import Rewriting, Trace
from ..graph import Tensor, build_nodes
from ..node import Node, substitute, toposort
from ..replay import Replay
from . import reasons
from .api import of_node
from .names import Labels
from .notation import LATEX, POWER, TEXT
from .parts import choose, moves
from .writer import Writer

BRIEF, SHORT, WIDE, LONG = 12, 32, 60, 100
"""A value of the loss that is longer goes by the user's name for it, or gets a name; a derivative that is longer and read
again gets one; of a formula that is longer, a step shows what changed in it."""
Readers = Mapping[Node, Sequence[tuple[Node, int]]]


@dataclass(frozen=True)
class Expression:
    """Text and LaTeX, and the (text, LaTeX) of each equation that says what a name in it stands for."""

    text: str
    latex: str
    where: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return "\n  ".join([self.text, *(text for text, _ in self.where)])


@dataclass(frozen=True)
class Told:
    """A step; `nodes` are pairs of equal value, or for `derives` a value of the loss and its adjoint."""

    title: str
    reason: str
    before: Expression
    after: Expression
    nodes: tuple[tuple[Node, Node], ...]
    changed: tuple[Expression, Expression] | None = None
    derives: bool = False
    rewrites: bool = False


def tell(y: Tensor, gradient: Tensor) -> list[Told]:
    """The steps from y to a gradient of it, `gradient` being an output of gradients(y, x)."""
    telling = _Telling(y, gradient)
    return [telling.loss_step(), *telling.sweep(), *telling.simplification()]


class _Watched(Replay):
    """A replay under nothing that is told what a derivative does."""

    def __init__(self) -> None:
        super().__init__({})
        self.trace = Trace()


class _Telling:
    def __init__(self, y: Tensor, gradient: Tensor) -> None:
        x = gradient.op.inputs[1].node
        assert y.node is not None and gradient.node is not None and x is not None
        self.loss, self.final, self.x = y.node, gradient.node, x
        watched = _Watched()
        build_nodes(gradient.op, [t.node for t in gradient.op.inputs], watched)
        self.adjoints, self.raw, self.rewritings = self._in_place(watched.trace)
        first, second = of_node(self.final, y.graph), of_node(self.loss, y.graph)
        forward = first._forward | second._forward
        others = [self.loss, x, *self.adjoints.values(), self.raw, *(n for r in self.rewritings for n in (r.before, r.after))]
        self.labels = Labels(self.final, {**second._names, **first._names}, forward, first._sources, others)
        choose(self.labels.at(self.final))  # its parts are named as in its own formula
        self.named: set[Node] = set()
        self.symbols: dict[Node, str] = {}
        self.looks: dict[Node, str] = {}
        given = second._names.get(self.loss, "loss").rsplit("/", 1)[-1]
        self.symbol = self.labels[self.loss] if self.loss in self.labels else self.labels.free(given)

    def _in_place(self, trace: Trace) -> tuple[dict[Node, Node], Node, list[Rewriting]]:
        """Adjoints by the values of the loss, that by x, and the rewritings, with x where a leaf stood in for it."""
        (leaf,) = trace.xs
        own = toposort([self.loss])
        over = own if leaf is self.x else substitute(own, {self.x: leaf}, build.rebuild)
        met: dict[Node, Node] = {}
        for n, wide in zip(own, expand(over), strict=True):
            met.setdefault(wide, n)
        met[leaf] = self.x
        reached = [n for n in trace.adjoints if n in met]
        told = [trace.adjoints[n] for n in reached] + [n for r in trace.rewritings for n in (r.before, r.after)]
        if leaf is not self.x:
            told = substitute(told, {leaf: self.x}, build.rebuild)
        pairs = told[len(reached) :]
        rewritings = [replace(r, before=b, after=a) for r, b, a in zip(trace.rewritings, pairs[::2], pairs[1::2], strict=True)]
        adjoints = {met[n]: a for n, a in zip(reached, told, strict=False)}
        return adjoints, adjoints[self.x], rewritings

    # -- writing
    def written(self, root: Node, draft: bool = False) -> Expression:
        """The formula of a node; a draft, for comparing, has text only and names nothing for good."""
        labels = self.labels.at(root, draft)
        parts = {*choose(labels), *(n for n in labels.order if n is not root and n in self.named)}
        texts, named = Writer(labels, TEXT, parts).all()
        latex, also = ("", named) if draft else Writer(labels, LATEX, parts).all()
        shown = self._read(root, parts)
        defined = [n for n in labels.order if n in parts]
        where = [(f"{a} = {b}", f"{c} = {d}") for n, (a, b), (c, d) in zip(defined, named, also, strict=True) if n in shown]
        return Expression(texts, latex, tuple(where))

    def _read(self, root: Node, parts: set[Node]) -> set[Node]:
        """The parts whose meaning is needed to read a formula; the symbol of a derivative has its own line."""
        found: set[Node] = set()
        seen, stack = {root}, list(root.operands)
        while stack:
            n = stack.pop()
            if n not in seen:
                seen.add(n)
                if n in self.symbols and n in self.named:
                    continue
                if n in parts:
                    found.add(n)
                stack.extend(n.operands)
        return found

    def derivative(self, values: Sequence[Node], symbol: str = "") -> Expression:
        """∂loss/∂u = ∂loss/∂v: the names of derivatives that are equal."""
        sides: list[list[str]] = []
        for n in (TEXT, LATEX):
            top = n.name(self.symbol) if self.loss.shape == () else n.reduced("sum", "", n.name(self.symbol))
            under = []
            for v in values:
                labels = self.labels.at(v)
                writer = Writer(labels, n, {m for m in labels.order if m in self.named})
                for m in labels.order:
                    writer.write(m)
                under.append(writer.inside(writer.memo[v], POWER))
            sides.append([f"∂{top}/∂{u}" if n is TEXT else rf"\frac{{\partial {top}}}{{\partial {u}}}" for u in under])
            if symbol:
                sides[-1].append(n.name(symbol))
        where = [w for v in values for w in self._defined(v)]
        return Expression(" = ".join(sides[0]), " = ".join(sides[1]), tuple(dict.fromkeys(where)))

    def _defined(self, v: Node) -> tuple[tuple[str, str], ...]:
        """What the name of a value stands for, and the names in that."""
        e = self.written(v)
        if v in self.named:
            name = self.labels[v]
            return (*e.where, (f"{TEXT.name(name)} = {e.text}", f"{LATEX.name(name)} = {e.latex}"))
        return e.where

    # -- the steps
    def loss_step(self) -> Told:
        head = Expression(TEXT.name(self.symbol), LATEX.name(self.symbol))
        return Told("loss", "", head, self.written(self.loss), ((self.loss, self.loss),))

    def sweep(self) -> Iterator[Told]:
        """The derivative by each value on the way, where it differs from the one before."""
        values = [v for v in self.adjoints if v is self.x or v is not self.loss and v.operands and not moves(v)]
        self._name(v for v in values if v is not self.x)
        readers: dict[Node, list[tuple[Node, int]]] = {}
        for n in self.labels.at(self.loss).order:
            if n in self.adjoints:
                for k, o in enumerate(n.operands):
                    readers.setdefault(o, []).append((n, k))
        groups = self._equal(values, readers)
        for k, group in enumerate(groups):
            a = self.adjoints[group[0]]
            if self.x in group:
                self.named = set(self.symbols)
            after = self.written(a)
            why = [reason for v in group for reason in self._why(v, readers)]
            again = [self.adjoints[w] for g in groups[k + 1 :] for w in g]
            symbol = ""
            if len(after.text) > WIDE and a in toposort(again) and a not in self.labels:
                symbol = self.symbols[a] = self.labels.name(a, "delta1")
                self.named.add(a)
            before = self.derivative(group if len(group) < 3 else [group[0], group[-1]], symbol)
            pairs = tuple((v, self.adjoints[v]) for v in group)
            yield Told("chain rule", "; ".join(dict.fromkeys(why)), before, after, pairs, derives=True)
        self.named.clear()
        self.looks.clear()

    def _equal(self, values: Sequence[Node], readers: Readers) -> list[list[Node]]:
        """The values in groups of one derivative: who has that of its reader stands beside it; x comes last."""
        groups: dict[Node, list[Node]] = {}
        of: dict[Node, Node] = {}
        for v in values:
            look = self._looks(self.adjoints[v])
            above = {of.get(n, n) for n, _ in self._direct(v, readers)}
            first = above.pop() if len(above) == 1 else v
            same = first is not v and self._looks(self.adjoints[first]) == look
            if v is self.x:
                same = same and bool(groups) and first is list(groups)[-1]
            of[v] = first if same else v
            if first is not self.loss or not same:
                groups.setdefault(of[v], []).append(v)
        return list(groups.values())

    def _direct(self, v: Node, readers: Readers) -> list[tuple[Node, int]]:
        """Who reads a value, through transposes and the like, which have no line of their own."""
        found: dict[tuple[Node, int], None] = {}
        todo = [v]
        for m in todo:
            for n, k in readers.get(m, ()):
                if moves(n) and n is not self.loss and n is not self.x:
                    todo.append(n)
                else:
                    found[n, k] = None
        return list(found)

    def _name(self, values: Iterable[Node]) -> None:
        """Names for the values that are long, with what is inside them named already."""
        wanted = set(values)
        draft = self.labels.at(self.loss, draft=True)
        parts: set[Node] = set()
        writer = Writer(draft, TEXT, parts)
        for n in draft.order:
            long = SHORT if n not in draft.given else BRIEF
            if len(writer.write(n).text) > long and n in wanted:
                draft.name_parts([n])
                parts.add(n)
                writer.write(n)
        self.labels.name_parts([n for n in draft.order if n in parts])
        self.named.update(parts)

    def _why(self, v: Node, readers: Readers) -> list[str]:
        direct = self._direct(v, readers)
        found = [reason for n, k in direct for reason in reasons.of_reader(n, k, Writer(self.labels, TEXT))]
        return [*found, *(["read in several places, it adds up what comes from each"] if len(direct) > 1 else [])]

    def simplification(self) -> Iterator[Told]:
        """The rules that can be seen in the formula."""
        before, last = self.raw, self.written(self.raw)
        done: list[Rewriting] = []
        groups = self._groups()
        for g in groups:
            done += g.rewritings
            after = self.written(g.after)
            if str(after) == str(last) and g is not groups[-1]:
                continue
            facts = reasons.of_facts([f for r in done for f in r.facts], lambda n: self.written(n).text)
            reason = "; ".join(dict.fromkeys(r.rule.reason for r in done)) + (f" ({facts})" if facts else "")
            title = ", ".join(dict.fromkeys(r.rule.name for r in done))
            changed = None
            if len(str(after)) > LONG and len(done) == 1:
                changed = self.written(done[0].before), self.written(done[0].after)
            pairs = ((before, g.after), *((r.before, r.after) for r in done))
            yield Told(title, reason, last, after, pairs, changed, rewrites=True)
            before, last, done = g.after, after, []
        if not groups and self.symbols:
            names = ", ".join(map(TEXT.name, self.symbols.values()))
            yield Told("substitution", f"{names} written out", last, self.written(self.final), ((self.raw, self.final),), rewrites=True)

    def _groups(self) -> list[_Group]:
        """The rewritings that change how the formula looks; what is undone later is left out."""
        start = self._looks(self.raw)
        groups: list[_Group] = []
        missed: list[Rewriting] = []
        root, look = self.raw, start
        for r in self.rewritings:
            (new,) = substitute([root], {r.before: r.after}, build.rebuild)
            if new is root:
                missed.append(r)
                continue
            root = new
            if self._looks(r.before) == self._looks(r.after) or self._looks(root) == look:
                continue
            look = self._looks(root)
            looks = [start, *(g.look for g in groups)]
            if look in looks:
                del groups[looks.index(look) :]
                continue
            near = groups[-2:] if len(look) > LONG else groups[-1:]  # in a long formula, rules that take turns are one step
            at = next((k for k, g in enumerate(near) if any(q.rule is r.rule for q in g.rewritings)), len(near))
            before = [q for g in near[at:] for q in g.rewritings]
            groups[len(groups) - len(near) + at :] = [_Group([*before, r], root, look)]
        if root is not self.final and self._looks(self.final) != look and missed:
            groups.append(_Group(missed, self.final, ""))
        elif groups:
            groups[-1] = replace(groups[-1], after=self.final)
        return groups

    def _looks(self, n: Node) -> str:
        """The text of a node, for comparing."""
        if n not in self.looks:
            self.looks[n] = str(self.written(n, draft=True))
        return self.looks[n]


@dataclass(frozen=True)
class _Group:
    """Rewritings that are one step, the formula after them, and its text."""

    rewritings: list[Rewriting]
    after: Node
    look: str
