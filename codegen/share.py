"""Equal nests become one function, and places that follow one another become one loop of calls.

Law of this file: it changes what is written, never what is computed.  Two runs of statements are equal when they differ
only in the names of arrays, slices and local values, each distinct name of one standing for one distinct name of the
other; numbers are part of what must agree.  The function finds its arrays in a table, from the entry `q` on, and takes
everything else by value.  A run that gives a local value to something outside of it stays where it is, and so does a
small nest inside of a loop, where calls would cost more than lines (about 5 ns for each).  Numba takes some 13 ms for a
line and 40 for a slice: a net of 50 equal layers compiles in the time of one of 5.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from typing import get_args

from .expressions import SHORT
from .loops import Accumulate, Barrier, Break, Call, Comment, For, Function, If, Let, Node, Return
from .lower import Kernel

OCCURRENCES = 3
"""Places from which on a nest is worth a function."""
LONGEST = 8
"""Statements of a run."""
HOT, WARM = 2048, 32
"""Points of a nest below which it is not called from inside of another loop: the first while the source stays short."""
SHORT_SOURCE = 250
"""Lines past which compiling, 13 ms for each, costs more than calls from inside of loops."""
UNKNOWN = 64
"""What an extent that is no number is taken for."""
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
SLICE = re.compile(r"(\w+)\[([^\[\]:]*):\]")
"""The rest of an array, as the nodes of a kernel write it."""


def share(kernel: Kernel) -> Kernel:
    """The kernel with its repeated nests as functions; the same kernel where nothing is repeated."""
    shared = _share(kernel, HOT)
    return shared if _lines(shared) <= SHORT_SOURCE else _share(kernel, WARM)


def _lines(kernel: Kernel) -> int:
    bodies = (kernel.body, *(f.body for f in kernel.functions))
    return sum(not isinstance(n, Comment) for body in bodies for node in body for n in inside(node))


def _share(kernel: Kernel, least: int) -> Kernel:
    """The same, where a nest inside of a loop has at least so many points."""
    scope = _Scope(kernel)
    chosen = _choose(scope, least)
    if not chosen:
        return kernel
    sites: dict[tuple[int, int], tuple[_Run, Function]] = {}
    for number, runs in enumerate(chosen):
        f = _function(f"shared{number}", runs[0], scope)
        sites |= {(run.body, run.start): (run, f) for run in runs}
    table: list[str] = []
    body = _without_unread(_Rewriter(scope, sites, table).block(0), scope)
    named = {name for node in body for name in _names(node)}
    unnamed = frozenset(a.name for a in kernel.args if kernel.parameter(a) in table and kernel.parameter(a) not in named)
    functions = tuple({f.name: f for _, f in sites.values()}.values())
    return replace(kernel, body=body, helpers=kernel.helpers | {"array_at"}, functions=functions, table=tuple(table), unnamed=unnamed)


# ---------------------------------------------------------------- names
@cache
def _words(text: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(text))


_PARTS = {
    kind: () if kind in (Comment, Barrier, Function) else tuple(f.name for f in fields(kind) if f.name not in ("body", "spread"))
    for kind in get_args(Node)
}
"""The fields of each kind of node that are texts."""


def inside(node: Node) -> Iterator[Node]:
    """A node and those in it; a function beside the kernel is none of them."""
    if not isinstance(node, Function):
        yield node
        for child in getattr(node, "body", ()):
            yield from inside(child)


def _names(node: Node) -> Iterator[str]:
    """Every word of a subtree, in the order of the text."""
    for n in inside(node):
        yield from words_of(n)


def words_of(node: Node) -> Iterator[str]:
    """The words of a node's own texts."""
    for part in _PARTS[type(node)]:
        yield from _words(getattr(node, part))


def bound(node: Node) -> Iterator[str]:
    """Local names that a subtree gives a value; a loop's variable is nobody's business after the loop."""
    for n in inside(node):
        match n:
            case Let(name, _) | Call(_, name) if name.isidentifier():
                yield name
            case Accumulate(target) if target.isidentifier():
                yield target


def renamed(node: Node, names: dict[str, str], lanes: bool = False) -> Node:
    """The node with other names and without comments; `lanes`: with word of which loops they share."""
    new: dict = {part: _NAME.sub(lambda m: names.get(m[0], m[0]), getattr(node, part)) for part in _PARTS[type(node)]}
    if hasattr(node, "body"):
        new["body"] = tuple(renamed(child, names, lanes) for child in node.body if not isinstance(child, Comment | Function))
    if isinstance(node, For) and not lanes:
        new["spread"] = ""
    return replace(node, **new) if new else node


class _Scope:
    """What the names of a kernel mean, and its bodies by number: 0 is the kernel's own."""

    def __init__(self, kernel: Kernel) -> None:
        self.known: dict[int, tuple[str, ...]] = {}
        self.given: dict[int, tuple[str, ...]] = {}
        self.kernel = kernel
        self.arrays = {kernel.parameter(a): a.dtype for a in kernel.args}
        self.bodies: list[tuple[Node, ...]] = [kernel.body]
        self.inner: dict[tuple[int, int], int] = {}
        self.hot: list[bool] = [False]
        for number, body in enumerate(self.bodies):  # grows on the way
            for at, node in enumerate(body):
                if isinstance(node, For | If):
                    self.inner[number, at] = len(self.bodies)
                    self.bodies.append(node.body)
                    self.hot.append(self.hot[number] or isinstance(node, For) and not _outermost(node))
        everything = [n for node in kernel.body for n in inside(node)]
        self.uses = Counter(word for node in kernel.body for word in _names(node))
        binds = Counter(name for node in kernel.body for name in bound(node))
        loops = Counter(n.var for n in everything if isinstance(n, For))
        self.variables = {*(name for name, _ in kernel.parameters()), *binds, *loops}
        self.slices: dict[str, Let] = {}
        for n in everything:
            if isinstance(n, Let) and binds[n.name] == 1 and (m := SLICE.fullmatch(n.value)):
                steady = all(binds[word] + loops[word] <= 1 for word in _words(m[2]))
                if steady and (m[1] in self.arrays or m[1] in self.slices):
                    self.slices[n.name] = n

    def names(self, node: Node) -> tuple[str, ...]:
        """`_names` of a node of the kernel, found once."""
        found = self.known.get(id(node))
        if found is None:
            found = self.known[id(node)] = tuple(_names(node))
        return found

    def binds(self, node: Node) -> tuple[str, ...]:
        """`bound`, found once."""
        found = self.given.get(id(node))
        if found is None:
            found = self.given[id(node)] = tuple(bound(node))
        return found

    def stands_aside(self, node: Node) -> bool:
        """Does a node only name something that can be named again elsewhere, or say something?"""
        return isinstance(node, Comment) or isinstance(node, Let) and node.name in self.slices


def _outermost(loop: For) -> bool:
    """The walk of a team over blocks, or over steps."""
    return loop.extent.endswith("nthreads") or loop.extent.startswith(("first, last", "begin, end")) or loop.var.startswith("step")


# ---------------------------------------------------------------- runs
@dataclass(frozen=True)
class _Run:
    """Consecutive statements of a body: `at` are their places in it, `nodes` they themselves."""

    scope: _Scope
    body: int
    at: tuple[int, ...]

    @property
    def start(self) -> int:
        return self.at[0]

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(self.scope.bodies[self.body][k] for k in self.at)

    @cached_property
    def own(self) -> frozenset[str]:
        """What it binds."""
        loops = (n.var for node in self.nodes for n in inside(node) if isinstance(n, For))
        return frozenset([*(name for node in self.nodes for name in self.scope.binds(node)), *loops])

    @cached_property
    def lets(self) -> tuple[Let, ...]:
        """Slices from outside that it reads, each after what it is a slice of."""
        found: dict[str, Let] = {}

        def need(word: str) -> None:
            let = self.scope.slices.get(word)
            if let is not None and word not in self.own and word not in found:
                need(_words(let.value)[0])
                found[word] = let

        for node in self.nodes:
            for word in self.scope.names(node):
                need(word)
        return tuple(found.values())

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Variables that it takes from outside, in the order in which they occur."""
        made = self.own | {let.name for let in self.lets}
        words = (w for node in (*self.lets, *self.nodes) for w in self.scope.names(node))
        return tuple(dict.fromkeys(w for w in words if w in self.scope.variables and w not in made))

    @property
    def arrays(self) -> tuple[str, ...]:
        return tuple(w for w in self.free if w in self.scope.arrays)

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(w for w in self.free if w not in self.scope.arrays)

    @cached_property
    def canonical(self) -> dict[str, str]:
        """Its names, renamed in the order in which they occur."""
        count: Counter[str] = Counter()
        names: dict[str, str] = {}
        for node in (*self.lets, *self.nodes):
            for word in self.scope.names(node):
                if word in self.scope.variables and word not in names:
                    stem = word.rstrip("0123456789_")
                    names[word] = f"{stem}_{count[stem]}"
                    count[stem] += 1
        return names

    @cached_property
    def key(self) -> tuple:
        """Equal for equal runs."""
        nodes = tuple(renamed(node, self.canonical) for node in (*self.lets, *self.nodes))
        return (nodes, *((self.canonical[a], self.scope.arrays[a]) for a in self.arrays))

    @cached_property
    def lines(self) -> int:
        return sum(not isinstance(n, Comment) for node in self.nodes for n in inside(node))

    def legal(self) -> bool:
        """May it stand elsewhere?  Nobody else may read what it binds or bind what it takes from slices."""
        if not self.arrays or any(word in self.own for let in self.lets for word in _words(let.value)):
            return False
        inside = Counter(word for node in self.nodes for word in self.scope.names(node))
        bound = {n for node in self.nodes for n in self.scope.binds(node)}
        return all(self.scope.uses[name] == inside[name] for name in bound)


def _worth_calling(node: Node, least: int) -> bool:
    """Is there so much work in a node that a call costs nothing beside it?"""
    return _points(node) >= least if least else any(isinstance(n, For | Call) for n in inside(node))


def _points(node: Node) -> int:
    """A guess at how often its lines run."""
    if isinstance(node, Call):
        return HOT if node.text.startswith(("gemm_", "tile_")) else 1
    if not isinstance(node, For):
        return sum(map(_points, getattr(node, "body", ()))) or 1
    return (int(node.extent) if node.extent.isdigit() else UNKNOWN) * sum(map(_points, node.body))


def _choose(scope: _Scope, least: int) -> list[list[_Run]]:
    """Runs that become one function, for each function: the greatest saving first."""
    groups: dict[tuple, list[_Run]] = {}
    for run in _repeated(scope, least):
        if run.legal():
            groups.setdefault(run.key, []).append(run)
    taken: set[tuple[int, int]] = set()
    chosen: list[list[_Run]] = []
    for runs in sorted((_apart(runs, taken) for runs in groups.values()), key=lambda runs: -(len(runs) - 1) * runs[0].lines):
        apart = _apart(runs, taken)
        if len(apart) >= OCCURRENCES and apart[0].lines + len(apart[0].lets) > 1:
            chosen.append(apart)
            for run in apart:
                taken |= _whole(scope, run)
    return chosen


def _apart(runs: list[_Run], taken: Set[tuple[int, int]]) -> list[_Run]:
    """Those that have no place in common with each other or with what is taken."""
    apart: list[_Run] = []
    used: set[tuple[int, int]] = set()
    for run in runs:
        places = {(run.body, k) for k in run.at}
        if not places & taken and not places & used:
            apart.append(run)
            used |= places
    return apart


def _whole(scope: _Scope, run: _Run) -> set[tuple[int, int]]:
    """The places of a run, of what is inside of it, and of what it is inside of."""
    places = {(run.body, k) for k in run.at}
    todo = [scope.inner[p] for p in places if p in scope.inner]
    while todo:
        body = todo.pop()
        for k in range(len(scope.bodies[body])):
            places.add((body, k))
            if (body, k) in scope.inner:
                todo.append(scope.inner[body, k])
    outer = {inner: place for place, inner in scope.inner.items()}
    body = run.body
    while body in outer:
        places.add(outer[body])
        body = outer[body][0]
    return places


def _repeated(scope: _Scope, least: int) -> Iterator[_Run]:
    """Runs that look alike in enough places, and are no repetition of something shorter."""
    shapes: dict[Node, int] = {}
    anonymous = dict.fromkeys(scope.variables, "_")
    rows: list[tuple[int, list[tuple[int, int, bool]]]] = []  # body; place, looks, worth of each statement that can move
    for number, body in enumerate(scope.bodies):
        row: list[tuple[int, int, bool]] = []
        rows.append((number, row))
        for k, node in enumerate(body):
            if any(isinstance(n, Return | Break | Barrier) for n in inside(node)):
                rows.append((number, row := []))
            elif not scope.stands_aside(node):
                looks = shapes.setdefault(renamed(node, anonymous), len(shapes))
                row.append((k, looks, _worth_calling(node, least * scope.hot[number])))
    for length in range(1, LONGEST + 1):
        found: dict[tuple[int, ...], list[_Run]] = {}
        for number, row in rows:
            for first in range(len(row) - length + 1):
                places, looks_, worth = zip(*row[first : first + length], strict=True)
                if any(worth) and not _periodic(looks_):
                    found.setdefault(looks_, []).append(_Run(scope, number, places))
        for runs in found.values():
            if len(runs) >= OCCURRENCES:
                yield from runs


def _periodic(look: tuple[int, ...]) -> bool:
    """Does it hold something twice that is then the better function?"""
    return any(look[p:] == look[:-p] for p in range(1, len(look) // 2 + 1))


# ---------------------------------------------------------------- writing
def _function(name: str, run: _Run, scope: _Scope) -> Function:
    names = run.canonical
    arrays = [
        Let(names[a], f"array_at(table, {'q' if k == 0 else f'q + {k}'}, {SHORT[scope.arrays[a]]})") for k, a in enumerate(run.arrays)
    ]
    body = tuple(renamed(node, names) for node in (*run.lets, *run.nodes))
    return Function(name, ("table", "q", *(names[v] for v in run.values)), (*arrays, *body))


@dataclass
class _Rewriter:
    """Puts calls where runs stood; the arrays of a call follow those of the call before it in the table."""

    scope: _Scope
    sites: dict[tuple[int, int], tuple[_Run, Function]]
    table: list[str]
    waiting: list[tuple[_Run, Function]] = field(default_factory=list)

    def block(self, number: int) -> tuple[Node, ...]:
        body = self.scope.bodies[number]
        out: list[Node] = []
        aside: list[Node] = []
        until = -1

        def flush() -> None:
            nonlocal aside
            out.extend([*self.calls(), *aside])
            aside = []

        for k, node in enumerate(body):
            if (number, k) in self.sites:
                run, f = self.sites[number, k]
                until = run.at[-1]
                if self.waiting and (self.waiting[-1][1] is not f or self.waiting[-1][0].values != run.values):
                    flush()
                out += [n for n in aside if isinstance(n, Comment)]
                aside = [n for n in aside if not isinstance(n, Comment)]
                self.waiting.append((run, f))
            elif self.scope.stands_aside(node):
                (aside if self.waiting else out).append(node)
            elif k > until:
                flush()
                inner = self.scope.inner.get((number, k))
                out.append(node if inner is None else replace(node, body=self.block(inner)))  # type: ignore[arg-type]
        flush()
        return tuple(out)

    def calls(self) -> list[Node]:
        """The calls that wait, as one call or a loop of calls."""
        if not self.waiting:
            return []
        run, f = self.waiting[0]
        first, stride, n = len(self.table), len(run.arrays), len(self.waiting)
        self.table += [a for each, _ in self.waiting for a in each.arrays]
        self.waiting.clear()
        call = lambda q: Call(f"{f.name}({', '.join(['table', q, *run.values])})")  # noqa: E731
        if n == 1:
            return [call(f"i64({first})")]  # a bare number would be a type of its own: Numba compiles a function for each
        return [For("q", f"{first}, {first + n * stride}, {stride}", (call("q"),))]


def _without_unread(body: tuple[Node, ...], scope: _Scope) -> tuple[Node, ...]:
    """A body without the slices that nobody reads any more."""
    while True:
        read = Counter(word for node in body for word in _names(node))
        unread = {name for name in scope.slices if read[name] == 1}
        if not unread:
            return body
        body = _without(body, unread)


def _without(body: tuple[Node, ...], names: set[str]) -> tuple[Node, ...]:
    kept = (node for node in body if not (isinstance(node, Let) and node.name in names))
    return tuple(replace(n, body=_without(n.body, names)) if isinstance(n, For | If) else n for n in kept)  # type: ignore[arg-type]
