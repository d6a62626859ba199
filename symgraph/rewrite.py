"""Rewriting: rules as rows in tables, applied bottom-up with a memo, never towards a dearer form.

Law of this file: a `Rule` has a name, the kind of node it looks at, a function from a node to an equal node (or None),
and the reason, a sentence for people.  A `RuleSet` is a tuple of rules; sets add with `+`.  `rewrite` tries the rules
of a node's kind in their order until none applies; a result that costs more than what it replaces is dropped and
counted.  A step can be watched through `trace`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

from . import build, scalar
from .node import Kind, Node, toposort


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    kind: Kind
    apply: Callable[[Node, Rewriter], Node | None]
    reason: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    rules: tuple[Rule, ...]

    def __add__(self, other: RuleSet) -> RuleSet:
        return RuleSet(self.rules + other.rules)

    def of(self, kind: Kind) -> list[Rule]:
        return [r for r in self.rules if r.kind is kind]


Apply = Callable[[Node, "Rewriter"], Node | None]


def rule(table: list[Rule], kind: Kind, reason: str) -> Callable[[Apply], Apply]:
    """Decorator: add a function to a table of rules under its own name."""

    def add(f: Apply) -> Apply:
        table.append(Rule(f.__name__.replace("_", " ").strip(), kind, f, reason))
        return f

    return add


@dataclass
class Rewriter:
    """A rule set with its memo, so that many roots share the work: the whole is linear in the number of nodes.

    Nodes in `fixed` (the forward graph, when gradients are simplified) are never changed, so what the gradient shares
    with the forward pass stays shared.  `uses` counts how many nodes read each one."""

    rules: RuleSet
    fixed: Set[Node] = frozenset()
    uses: Counter[Node] = field(default_factory=Counter)
    trace: Callable[[Rule, Node, Node], None] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    _memo: dict[Node, Node] = field(default_factory=dict)

    MAX_STEPS = 50
    """More steps than this on one node means that two rules undo each other."""
    MAX_PASSES = 5

    def all(self, roots: Sequence[Node]) -> list[Node]:
        """The roots rewritten until nothing changes, with uses counted afresh over all of them for each pass: what
        several read may have one reader left.  A root has one more reader, who asked for it."""
        new = list(roots)
        for _ in range(self.MAX_PASSES):
            old = new
            self._memo.clear()
            self.uses = Counter(old)
            for n in toposort(old, stop=lambda n: n in self.fixed):
                if n not in self.fixed:
                    self.uses.update(n.operands)
            new = [self(r) for r in old]
            if new == old:
                break
        return new

    def shared(self, n: Node) -> bool:
        """Is the value needed in more than one place, so that inlining it would compute it again?"""
        return n in self.fixed or self.uses[n] > 1

    def __call__(self, root: Node) -> Node:
        memo = self._memo
        for n in toposort([root], stop=lambda n: n in memo or n in self.fixed):
            if n in memo:
                continue
            if n in self.fixed:
                memo[n] = n
                continue
            operands = tuple(memo[o] for o in n.operands)
            new = n if operands == n.operands else self._instead(n, build.rebuild(n, operands))
            memo[n] = self._settle(new)
        return memo[root]

    def _instead(self, old: Node, new: Node) -> Node:
        """What read the old node reads the new one."""
        if new is not old:
            self.uses[new] += self.uses[old]
        return new

    def _settle(self, n: Node) -> Node:
        for _ in range(self.MAX_STEPS):
            if n in self.fixed:
                return n
            for r in self.rules.of(n.kind):
                new = r.apply(n, self)
                if new is None or new is n:
                    continue
                if dearer(new, n):
                    self.counts[f"{r.name} (dearer, dropped)"] += 1
                    continue
                self.counts[r.name] += 1
                if self.trace:
                    self.trace(r, n, new)
                n = self._instead(n, new if all(o in self._memo for o in new.operands) else self._inside(new))
                break
            else:
                return n
        raise RuntimeError(f"rewriting does not come to rest at {n!r}: two rules undo each other")

    def _inside(self, n: Node) -> Node:
        """The replacement with its new operands settled too (what was settled before is in the memo)."""
        operands = []
        for o in n.operands:
            if o not in self._memo:
                self._memo[o] = self(o) if any(p not in self._memo for p in o.operands) else self._settle(o)
            operands.append(self._memo[o])
        return n if tuple(operands) == n.operands else build.rebuild(n, tuple(operands))


def dearer(new: Node, old: Node) -> bool:
    """Does `new` cost more operators than `old`?  Only what one has and the other has not is counted, each node once:
    rules look a few levels down, so further down both are the same."""
    before, after = _below(old, frozenset()), _below(new, frozenset())
    return sum(map(own_cost, _below(new, before))) > sum(map(own_cost, _below(old, after))) + 1e-9


def _below(root: Node, stop: Set[Node], depth: int = 5) -> set[Node]:
    """The node and what lies a few levels under it, not entering `stop`."""
    seen: set[Node] = set()
    level = {root}
    for _ in range(depth):
        level -= stop
        level -= seen
        seen |= level
        level = {o for n in level for o in n.operands}
    return seen


def own_cost(n: Node) -> float:
    """Operators of one node."""
    if n.kind is Kind.GENERIC:
        body, _, space, _ = n.attrs
        return scalar.operations(body) + len(space) - n.rank  # walking one more axis costs more than an operator
    return _COSTS.get(n.kind, 0.0)


_COSTS = {Kind.MATMUL: 1.0, Kind.LINALG: 1.0, Kind.RESHAPE: 0.1, Kind.SCATTER: 0.5}
_COSTS |= dict.fromkeys((Kind.SLICE, Kind.PLACE, Kind.CONCAT, Kind.GATHER), 0.2)
