"""Rewriting: rules as rows in tables, applied bottom-up with a memo, never towards a dearer form.

Law of this file: a `Rule` has a name, the kind of node it looks at, a function from a node to an equal node (or None),
and the reason, a sentence for people.  A `RuleSet` is a tuple of rules; sets add with `+`.  `rewrite` tries the rules
of a node's kind in their order until none applies; a result that costs more than what it replaces is dropped and
counted.  What a step costs is the applications that appear less those that vanish, so who reads what is counted at
every step.  A step can be watched through `trace`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

import sympy as sp

from . import build, config, scalar
from .known import Known
from .node import Kind, Node, toposort
from .simplify.cost import Count
from .sizes import Sizes


@dataclass(frozen=True, slots=True)
class Rule:
    """`everywhere`: it may also change what the user's own graph computes where that costs the same."""

    name: str
    kind: Kind
    apply: Callable[[Node, Rewriter], Node | None]
    reason: str
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class RuleSet:
    rules: tuple[Rule, ...]

    def __add__(self, other: RuleSet) -> RuleSet:
        return RuleSet(self.rules + other.rules)

    def of(self, kind: Kind) -> list[Rule]:
        return [r for r in self.rules if r.kind is kind]


Apply = Callable[[Node, "Rewriter"], Node | None]


def rule(table: list[Rule], kind: Kind, reason: str, everywhere: bool = False) -> Callable[[Apply], Apply]:
    """Decorator: add a function to a table of rules under its own name."""

    def add(f: Apply) -> Apply:
        table.append(Rule(f.__name__.replace("_", " ").strip(), kind, f, reason, everywhere))
        return f

    return add


@dataclass
class Rewriter:
    """A rule set with its memo, so that many roots share the work: the whole is linear in the number of nodes.

    `forward` are the nodes of the user's own graph: one is changed only where that is strictly cheaper, so what a
    gradient shares with its loss stays shared.  `facts` is what is known of nodes (see known.py).  `uses` counts how many
    nodes read each one; `sizes` knows which sizes the forward graph makes equal."""

    rules: RuleSet
    forward: Set[Node] = frozenset()
    facts: Mapping[Node, frozenset[str]] = field(default_factory=dict)
    trace: Callable[[Rule, Node, Node], None] | None = None
    uses: Counter[Node] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    sizes: Sizes = field(default_factory=Sizes)
    roots: Set[Node] = frozenset()
    _memo: dict[Node, Node] = field(default_factory=dict)
    _held: set[Node] = field(default_factory=set)
    ends: set[Node] = field(default_factory=set)
    """Where element-wise mathematics ends: what is asked for, or read by anything else."""

    MAX_STEPS = 50
    """More steps than this on one node means that two rules undo each other."""
    MAX_PASSES = 8
    NEAR = 40
    """How many nodes a step looks at to see what it sets free."""

    def __post_init__(self) -> None:
        known = Known(self.facts)
        self.has = known.has
        self._table = {kind: self.rules.of(kind) for kind in Kind}

    def all(self, roots: Sequence[Node]) -> list[Node]:
        """The roots rewritten until nothing changes, with uses counted afresh over all of them for each pass: what
        several read may have one reader left.  A root has one more reader, who asked for it."""
        new = list(roots)
        for n in toposort([*self.forward, *roots]):
            self.sizes.read(n)
        for _ in range(self.MAX_PASSES):
            old = new
            self._memo.clear()
            self._held.clear()
            self.uses, self.roots, self.ends = Counter(old), frozenset(old), set(old)
            for n in toposort(old):
                self.uses.update(n.operands)
                if n.kind is not Kind.GENERIC or n.attrs[3] is not None:
                    self.ends.update(n.operands)
            new = [self(r) for r in old]
            if new == old:
                break
        return new

    def shared(self, n: Node) -> bool:
        """Is the value needed in more than one place, so that inlining it would compute it again?"""
        return n in self.forward or n in self._held or self.uses[n] > 1

    def settled(self, body: sp.Expr) -> sp.Expr:
        """The body with one symbol for sizes that are equal."""
        found = {s: sp.sympify(self.sizes.find(s)) for s in scalar.sizes(body)}
        return body.xreplace({s: d for s, d in found.items() if d != s})

    def hold(self, n: Node) -> Node:
        """From here on n counts as shared: those who read what is made of it will look through to it."""
        self._held.add(n)
        return n

    def __call__(self, root: Node) -> Node:
        memo = self._memo
        for n in toposort([root], stop=lambda n: n in memo or n.kind is Kind.LOOP):
            if n.kind is Kind.LOOP:
                memo[n] = n  # a derivative's loop must stay the one that the loss runs
            elif n not in memo:
                operands = tuple(memo[o] for o in n.operands)
                new = n
                if operands != n.operands:
                    new = self._instead(n, build.rebuild(n, operands), operands)
                memo[n] = self._settle(new)
        return memo[root]

    # -- who reads what
    def _instead(self, old: Node, new: Node, reads: Sequence[Node]) -> Node:
        """What read the old node, which reads `reads`, reads the new one."""
        if new is not old:
            if old in self.ends:
                self.ends.add(new)
            self._keep(new)
            self.uses[new] += self.uses.pop(old, 0)
            for o in reads:
                self._drop(o)
        return new

    def _keep(self, n: Node) -> None:
        """Count what n reads, if it is new."""
        stack = [] if self.uses[n] else [n]
        while stack:
            m = stack.pop()
            stack.extend(o for o in dict.fromkeys(m.operands) if not self.uses[o])
            self.uses.update(m.operands)

    def _drop(self, n: Node) -> None:
        """One reader less; what nobody reads reads nothing."""
        stack = [n]
        while stack:
            m = stack.pop()
            self.uses[m] -= 1
            if self.uses[m] <= 0:
                del self.uses[m]
                stack.extend(m.operands)

    def gain(self, old: Node, new: Node) -> int:
        """How many applications fewer there are when `new` stands in the place of `old`, as far as one looks."""
        order = toposort([new], stop=lambda n: self.uses[n] > 0)
        there = {n for n in order if self.uses[n] > 0}
        freed, left, stack = {old}, Counter(old.operands), list(old.operands)
        while stack and len(freed) < self.NEAR:
            n = stack.pop()
            if n not in freed and n not in there and self.uses[n] <= left[n]:
                freed.add(n)
                left.update(n.operands)
                stack.extend(n.operands)
        before, after = Count(lambda n: n not in freed), Count(there.__contains__)
        before.add(old)
        after.add(new)
        return before.total - after.total

    def needed(self, rule: Rule, before: Node, after: Node) -> tuple[tuple[Node, str], ...]:
        """The (node, fact) without any one of which the rule would not give `after` in the place of `before`."""
        has, held = self.has, set(self._held)
        asked: dict[tuple[Node, str], bool] = {}

        def ask(n: Node, fact: str) -> bool:
            return asked.setdefault((n, fact), has(n, fact))

        def without(one: tuple[Node, str]) -> Node | None:
            self.has = lambda n, fact: (n, fact) != one and has(n, fact)
            return rule.apply(before, self)

        try:
            self.has = ask
            rule.apply(before, self)
            return tuple(one for one, known in asked.items() if known and without(one) is not after)
        finally:
            self.has, self._held = has, held

    # -- one node
    def _settle(self, n: Node) -> Node:
        for _ in range(self.MAX_STEPS):
            for r in self._table[n.kind]:
                new = r.apply(n, self)
                if new is None or new is n:
                    continue
                if self.gain(n, new) < (n in self.forward and not r.everywhere):
                    self.counts[f"{r.name} (dearer, dropped)"] += 1
                    continue
                self.counts[r.name] += 1
                if self.trace:
                    self.trace(r, n, new)
                self._instead(n, new, n.operands)
                n = new if all(o in self._memo for o in new.operands) else self._inside(new)
                break
            else:
                return n
        if config.get("SYMGRAPH_CHECK"):
            raise RuntimeError(f"rewriting does not come to rest at {n!r}: two rules undo each other")
        return n

    def _inside(self, n: Node) -> Node:
        """The replacement with its new operands settled too (what was settled before is in the memo)."""
        operands = []
        for o in n.operands:
            if o not in self._memo:
                self._memo[o] = self(o) if any(p not in self._memo for p in o.operands) else self._settle(o)
            operands.append(self._memo[o])
        if tuple(operands) == n.operands:
            return n
        return self._instead(n, build.rebuild(n, tuple(operands)), operands)
