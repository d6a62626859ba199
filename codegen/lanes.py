"""One phase where a member of the team has lanes: a block of CUDA threads.

Law of this file: all lanes of a member run the same text.  Outside of loops that they share, every lane knows every value,
and one of them stores it; a loop that they share deals its rounds out, and what they sum in it is joined behind it in a
fixed order.  Where rows are narrow, a lane does whole rows; where they are wide, each nest shares rows and elements as
suits it: by elements, row by row with sums across lanes, or by columns.  `synchronize` says where lanes wait for each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import device_calls, device_products, moves
from .addresses import Names, scaled
from .expressions import SHORT, cast, identity
from .ir import Map, MatMul, Size
from .loops import Accumulate, Barrier, Call, Comment, For, Host, If, Let, Node, Return, Store, Sync
from .nests import Nest, PhaseWriter, Region
from .phases import estimate
from .stages import Group, Stage, Work

LANE = "lane == 0"
SUMS = 128
"""How many sums the shared pool has room for at once (device_team.py)."""
FEW = 32
"""Results of a phase up to which all lanes add up the blocks of each, instead of a lane those of one."""
LONG = 16
"""Terms of a sum from which lanes share it, where there are too few sums for all of them."""


class LaneWriter(PhaseWriter):
    """Writes one phase for members with lanes."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.lanes, self.turns = self.plan.lanes, 0
        self.narrow = self.rows and self.plan.walk == "lanes"
        self.columns, self.gathers = self.rows and not self.narrow, False
        self.left: list[tuple[str, str, str, str, str]] = []

    # ------------------------------------------------------------ what lanes have in common
    def leave(self, name: str, reducer: str, dtype: str, part: str, place: str) -> None:
        self.left.append((name, reducer, dtype, part, place))

    def ends(self) -> list[Node]:
        """The sums of a block, as many at once as the pool has room for: lanes meet three times."""
        nodes = list(self.tails)
        for first in range(0, len(self.left), SUMS):
            puts: list[Node] = []
            gets: list[Node] = []
            for number, (name, reducer, dtype, part, place) in enumerate(self.left[first : first + SUMS]):
                put, get = (self._helper(f"{verb}_{reducer}", dtype) for verb in ("put", "get"))
                puts.append(Call(f"{put}({name}, {number}, lane)"))
                gets.append(If(f"lane == {number % self.lanes}", (Store(part, place, f"{get}({number})"),)))
            nodes += [Sync(), *puts, Sync(), *gets, Sync()]
        return nodes

    def _helper(self, stem: str, dtype: str) -> str:
        """The name of a function of the runtime for one dtype."""
        self.helpers.add(f"{stem}_{SHORT[dtype] if dtype[0] == 'f' else dtype}")
        return f"{stem}_{SHORT[dtype] if dtype[0] == 'f' else dtype}"

    def joined(self, name: str, reducer: str, dtype: str, nest: Nest | None = None, level: int = 0) -> list[Node]:
        if nest is not None and not nest.shared[0] == level < nest.shared[1]:
            return []
        return [Let(name, f"{self._helper(f'lanes_{reducer}', dtype)}({name}, lane)")]

    def first_of_lanes(self, most: str, best: str, reducer: str, dtype: str, nest: Nest, level: int) -> list[Node]:
        whole = self.names.fresh("a")
        nodes = self.joined(whole, reducer.removeprefix("arg"), dtype, nest, level)
        if not nodes:
            return []
        missing = (1 << 63) - 1
        here = f"({most} == {whole}) | (({most} != {most}) & ({whole} != {whole}))"
        first = self.joined(best, "min", "int64", nest, level)
        return [Let(whole, most), *nodes, Let(best, f"({best} if {here} else {missing})"), *first]

    def once(self, store: Node, nest: Nest | None = None, level: int = 0) -> Node:
        own = nest is not None and (self.narrow or nest.shared[0] < nest.shared[1] and level > nest.shared[0])
        return store if own else If(LANE, (store,))

    def row_slice(self, array: str, stride: str) -> str:
        if not self.narrow:
            return self.thread_slice(array, stride)
        key = (array, f"lane {stride}")
        if key not in self.slices:
            self.slices[key] = self.names.fresh("x")
            self.top.append(Let(self.slices[key], f"{array}[{scaled(f'(tid * {self.lanes} + lane)', stride)}:]"))
        return self.slices[key]

    def partial(self, number: str, count: str) -> str:
        """Those of one block side by side."""
        at = scaled(self.number, count)
        return number if at == "0" else at if number == "0" else f"{at} + {number}"

    def combined(self, w: Work, reducer: str, dtype: str, count: str) -> list[Node]:
        out = self.table[w.statement.out]
        home, part = self.memory.homes[out.name], self.memory.partials[out.name]
        j, k, a = (self.names.fresh(c) for c in ("j", "k", "a"))
        start = Let(a, identity(reducer, dtype, out.dtype))
        each = Accumulate(a, reducer, f"{part}[{scaled(k, count)} + {j}]", dtype)
        number = j if count != "1" else str(home.slot) if home.kind == "slot" else "0"
        store = Store(home.arg, number, cast(a, dtype, out.dtype))
        if estimate(out.shape, {}) > FEW:
            return [For(j, count, (start, For(k, self.blocks, (each,)), store), "member")]
        if count == "1":
            each = replace(each, value=f"{part}[{k}]")
        sums = (start, For(k, self.blocks, (each,), "member"), *self.joined(a, reducer, dtype), If(LANE, (store,)))
        return list(sums) if count == "1" else [For(j, count, sums)]

    # ------------------------------------------------------------ stages
    def _stage(self, stage: Stage) -> list[Node]:
        if stage.call is not None or not self.rows:
            return super()._stage(stage)
        if self.narrow:
            *head, walk = super()._stage(stage)
            assert isinstance(walk, For)
            return [*head, replace(walk, spread="member")]
        self.locals, self.fixed = {}, {}
        comments = [self._comment(w.statement) for g in stage.groups for w in g.works]
        return [*comments, *(node for g in stage.groups for node in self._group(g))]

    def _serial(self, nodes: list[Node]) -> list[Region]:
        """One member's work; calls that deal out their elements are the whole team's."""
        out: list[Region] = []

        def cut(team: bool = False) -> None:
            nonlocal nodes
            if any(not isinstance(node, Comment) for node in nodes):
                out.append(Region(team, nodes, self.reads, self.writes))
                nodes = []
            self.reads, self.writes = set(), set()

        if self.plan.phase.kind == "library":
            large = [stage.call for stage in self.plan.stages if isinstance(stage.call, MatMul)]
            for s in large:
                if device_products.is_copied(self, s):
                    nodes += [self._comment(s), *device_products.added_to(self, s)]
                    cut(team=True)
            found = [node for s in large for node in (self._comment(s), *device_products.by_library(self, s))]
            return [*out, Region(True, [*nodes, Host(tuple(found))], self.reads, self.writes)]
        for stage in self.plan.stages:
            if stage.call is None:
                nodes += self._stage(stage)
                continue
            if isinstance(stage.call, MatMul):
                cut()
                behind = (w.statement for g in stage.groups for w in g.works)
                nodes += [self._comment(s) for s in (*(w.statement for w in stage.first), stage.call, *behind)]
                for written in device_products.write(self, stage):
                    nodes += written
                    cut(team=True)
                continue
            for team, write in device_calls.parts(stage.call):
                if team:
                    cut()
                written = write(self, stage.call)
                nodes += [self._comment(stage.call), *written] if written else []
                if team:
                    cut(team=True)
            if stage.call.out in self.statuses:
                cut()
                out.append(Region(True, [If(f"{self.status(stage.call.out)} != 0", (Return(),))], {"status"}, set()))
        cut()
        return out

    # ------------------------------------------------------------ nests
    def _group(self, group: Group) -> list[Node]:
        if self.narrow:
            return super()._group(group)
        if group.works[0].folded == "memory":
            return super()._group(group)  # by columns: a lane has its own, and takes all rows of the block
        if not isinstance(group.works[0].statement, Map):
            return [x for w in group.works for node in moves.write(self, w.statement) for x in self._moved(node)]
        self.global_row, self.lead = "", int(self.rows)
        loops = group.works[0].loops
        variables, extents = tuple(f"j{d}" for d in range(len(loops))), tuple(map(self.names.size, loops))
        if self.rows:
            variables, extents = (self.row, *variables), (self.width, *extents)
        nest = self.nest(extents, variables, list(group.works))
        nest.shared = self._shared(group.works, nest.depth)
        first = [node for w in group.works for node in self._work(w, nest)]
        if self.global_row:
            nest.pre[1].insert(0, Let(self.global_row, f"{self.first} + {self.row}"))
            self.global_row = ""
        self.lead = 0
        return [*first, *self.loops(nest)]

    def elements(self, works: Sequence[Work], variables: Mapping[int, str], known: dict[str, str]) -> tuple[list[Node], dict[str, str]]:
        """Lines for one element of Maps, whose labels are walked by these variables, and the names of what they make; what is
        known has a name already."""
        locals_, fixed = self.locals, self.fixed
        self.locals, self.fixed = dict(known), {}
        order = works[0].order
        nest = self.nest(tuple(self.names.size(e) for e in works[0].loops), tuple(variables[a] for a in order), list(works))
        nest.shared = (0, nest.depth)
        first = [node for w in works for node in self._work(w, nest)]
        self.locals, self.fixed = locals_, fixed
        return [*first, *(node for nodes in nest.pre for node in nodes)], nest.values

    def nest(self, extents: tuple[str, ...], variables: tuple[str, ...], works: list[Work]) -> Nest:
        made = super().nest(extents, variables, works)
        if not self.narrow and works and works[0].folded == "memory":
            made.shared = (0, len(works[0].outer))
        return made

    def label(self, w: Work, label: int, nest: Nest) -> str:
        name = super().label(w, label, nest)
        if label in w.rows and not self.narrow:
            nest.alias[name] = self.row
        return name

    def _shared(self, works: Sequence[Work], depth: int) -> tuple[int, int]:
        """Which levels of a nest lanes share: those of the results, or, where they are few and sums long, those of the sums."""
        sums = [self.lead + len(w.outer) for w in works if w.inner and not w.folded]
        outer = min(sums, default=depth)
        if outer == depth:
            return 0, depth
        loops: tuple[Size, ...] = works[0].loops
        results = (self.size if self.rows else 1) * estimate(loops[: outer - self.lead], {})
        terms = estimate(loops[outer - self.lead :], {})
        if results < self.lanes and terms >= LONG and all(n == outer for n in sums):
            return outer, depth
        return 0, outer

    def loops(self, nest: Nest) -> list[Node]:
        """The loops of a nest, those that lanes share as one."""
        low, high = nest.shared
        body = list(nest.pre[nest.depth])
        for level in reversed(range(nest.depth)):
            if level == low < high:
                body = [shared_loop(nest.vars[low:high], nest.extents[low:high], body, self.names)]
            elif not low < level < high:
                body = [For(nest.vars[level], nest.extents[level], tuple(body))]
            body = [*nest.pre[level], *body, *nest.post[level]]
        return body

    def _moved(self, node: Node) -> list[Node]:
        """Loops that move elements, the rows of the block outside of them, as one that lanes share."""
        variables, extents = ([self.row], [self.width]) if self.rows else ([], [])
        while isinstance(node, For):
            variables.append(node.var)
            extents.append(node.extent)
            if len(node.body) != 1:
                raise AssertionError(node)
            (node,) = node.body
        if not variables:
            return [If(LANE, (node,))]
        return [shared_loop(variables, extents, [node], self.names)]


def shared_loop(variables: Sequence[str], extents: Sequence[str], body: Sequence[Node], names: Names) -> For:
    """Nested loops as one whose rounds lanes share."""
    if len(variables) == 1:
        return For(variables[0], extents[0], tuple(body), "member")
    words = [e if e.isidentifier() or e.isdigit() else f"({e})" for e in extents]
    rest = names.fresh("e")
    found: list[Node] = []
    left = rest
    for k, v in enumerate(variables[:-1]):
        stride = " * ".join(words[k + 1 :])
        stride = f"({stride})" if k + 2 < len(words) else stride
        found.append(Let(v, f"{left} // {stride}"))
        more = names.fresh("e") if k + 2 < len(words) else variables[-1]
        found.append(Let(more, f"{left} - {v} * {stride}"))
        left = more
    return For(rest, " * ".join(words), (*found, *body), "member")


# ---------------------------------------------------------------- where lanes wait
_ARRAY = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(\[\d+\])?")
_VIEW = re.compile(r"([A-Za-z_]\w*)\[[^\[\]:]*:[^\[\]]*\]")


@dataclass
class _Touched:
    """What lanes have read and written since they last waited for each other; `alone` is what the first of them did by itself."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    alone: _Touched | None = None

    def copy(self) -> _Touched:
        return _Touched(set(self.reads), set(self.writes), self.alone.copy() if self.alone else None)

    def clear(self) -> None:
        self.reads, self.writes, self.alone = set(), set(), None

    def add(self, other: _Touched) -> None:
        self.reads |= other.reads
        self.writes |= other.writes
        if other.alone:
            self.alone = self.alone or _Touched()
            self.alone.add(other.alone)

    def within(self, other: _Touched) -> bool:
        mine, others = self.alone or _Touched(), other.alone or _Touched()
        return all(
            a <= b
            for a, b in zip((self.reads, self.writes, mine.reads, mine.writes), (other.reads, other.writes, others.reads, others.writes))
        )

    def clash(self, other: _Touched) -> bool:
        """Must lanes wait before they do the other?  `other` is one unit: the first lane's own, or all lanes'."""
        if other.alone:
            return _Touched(self.reads, self.writes).clash(other.alone)
        meets = self.writes & (other.reads | other.writes) or self.reads & other.writes
        return bool(meets) or self.alone is not None and self.alone.clash(other)


def synchronize(nodes: Sequence[Node], arrays: Iterable[str]) -> tuple[Node, ...]:
    """The nodes with a `Sync` wherever a lane may meet what another lane read or wrote before."""
    return tuple(_Synchronizer(dict.fromkeys(arrays, "")).block(nodes, _Touched()))


class _Synchronizer:
    """`roots` has of each array its own name, of a view that of its array."""

    def __init__(self, arrays: dict[str, str]) -> None:
        self.roots = {a: a for a in arrays}

    def block(self, nodes: Sequence[Node], since: _Touched) -> list[Node]:
        """The nodes of a block that all lanes run together; `since` is brought up to date."""
        out: list[Node] = []

        def meet(touched: _Touched) -> None:
            if since.clash(touched):
                out.append(Sync())
                since.clear()
            since.add(touched)

        for node in nodes:
            match node:
                case Barrier() | Host():
                    since.clear()
                case Let(name, value) if (view := _VIEW.fullmatch(value)) and view[1] in self.roots:
                    self.roots[name] = self.roots[view[1]]
                case If(condition, body) if not condition.startswith("lane == "):
                    meet(self.touched([Let("_", condition)]))
                    before = since.copy()
                    node = If(condition, tuple(self.block(body, since)))
                    since.add(before)
                case For(var, extent, body, ""):
                    if since.clash(self.touched([Let("_", extent), *body])):  # once before the loop, not in each round
                        out.append(Sync())
                        since.clear()
                    before = since.copy()
                    before.add(self.touched([Let("_", extent)]))
                    while True:  # the first round follows what came before, the next ones the round before
                        after = before.copy()
                        inner = self.block(body, after)
                        if after.within(before):
                            break
                        before.add(after)
                    since.add(before)
                    node = For(var, extent, tuple(inner))
                case If(condition, body) if condition == LANE:
                    meet(_Touched(alone=self.touched(body)))
                case Sync():
                    since.clear()
                case _:
                    meet(self.touched([node]))
            out.append(node)
        return out

    def touched(self, nodes: Sequence[Node]) -> _Touched:
        """What nodes read and write, whoever runs them."""
        found = _Touched()
        for node in nodes:
            match node:
                case Let(name, value):
                    if (view := _VIEW.fullmatch(value)) and view[1] in self.roots:
                        self.roots[name] = self.roots[view[1]]
                    else:
                        found.reads |= self.named(value)
                case Store(array, index, value):
                    found.reads |= self.named(index) | self.named(value)
                    found.writes |= self.named(f"{array}[{index}]")
                case Accumulate(target, _, value, _):
                    found.reads |= self.named(value)
                    found.writes |= self.named(target)
                case Call(text, result):
                    names = self.named(text)
                    found.reads |= names
                    found.writes |= names | self.named(result)
                case If(condition, body):
                    found.reads |= self.named(condition)
                    found.add(self.touched(body))
                case For(_, extent, body):
                    found.reads |= self.named(extent)
                    found.add(self.touched(body))
        return found

    def named(self, text: str) -> set[str]:
        """The arrays in a text; of a pool of scalars, the element that is named."""
        found = set()
        for name, element in _ARRAY.findall(text):
            if name in self.roots:
                root = self.roots[name]
                found.add(root + element if name == root and name.startswith("s_") else root)
        return found
