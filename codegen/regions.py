"""Phases in order: where the team meets between them, and loops around them.

Law of this file: a phase becomes one or two regions (the shared walk over blocks, and what one thread does), a loop one
region that holds those of its body.  Between regions there is a barrier exactly where one touches memory that another
thread's part of the other writes; a loop whose every step is one thread's work, or rows that never meet, has none.
"""

from __future__ import annotations

from collections.abc import Set
from itertools import product as pairs

from .addresses import Names, least, product, scaled, share_of
from .expressions import literal
from .ir import Last, Repeat, Size, Stack, reads
from .layout import FLAT_BLOCK
from .loops import Barrier, Break, Comment, For, Host, If, Let, Node, Store
from .memory import Body, Home, Part
from .nests import Meeting, PhaseWriter, Region
from .phases import ENDLESS, SERIAL, Hints, estimate
from .stages import Plan

FOREVER = str((1 << 63) - 1)


def regions(
    part: Part,
    names: Names,
    helpers: set[str],
    statuses: list[str],
    hints: Hints,
    prefix: str = "",
    writer: type[PhaseWriter] = PhaseWriter,
) -> list[Region]:
    """A program's phases, and the new states that are left to copy."""
    found: list[Region] = []
    for number, plan in enumerate(part.plans):
        if plan.body is not None:
            found += _loop(part, plan, names, helpers, statuses, hints, f"{prefix}{number}", writer)
        elif any(stage.call for stage in plan.stages) or any(w.statement.out not in part.memory.sections for w in plan.works()):
            found += writer(part.program, plan, part.memory, names, helpers, statuses).regions(f"{prefix}{number}")
    homes, table = part.memory.homes, part.program.table()
    for target, source in part.memory.commits:
        found.append(copied(f"{target} <- {source}", table[target].shape, homes[target], homes[source], names, hints))
    return found


# ---------------------------------------------------------------- barriers
def join(found: list[Region], moving: Set[str] = frozenset(), again: bool = False) -> tuple[list[Node], tuple[Meeting, ...]]:
    """Regions in order, with a barrier wherever one must wait for another thread's part of what came before.

    What the host does is a meeting too.
    `again`: they are the step of a loop, whose first regions follow its last; arrays in `moving` are others in each step."""
    body: list[Node] = []
    since: list[Region] = []
    groups: list[list[Region]] = [[]]
    pending: list[Node] = []

    def flush() -> None:
        if pending:
            body.append(If("tid == 0", tuple(pending)))
            pending.clear()

    for region in found:
        if isinstance(region.nodes[-1], Host):
            flush()
            body += region.nodes
            since = []
            groups.append([])
            continue
        clash = {x for old in since for x in _clash(old, region)}
        if clash:
            flush()
            body.append(Barrier(f"for {', '.join(sorted(clash))}"))
            since = []
            groups.append([])
        if region.team:
            flush()
            body += region.nodes
        else:
            pending += region.nodes
        since.append(region)
        groups[-1].append(region)
    flush()
    barriers = len(groups) - 1
    if again and (clash := {x for old, new in pairs(groups[-1], groups[0]) for x in _clash(old, new)} - moving):
        body.append(Barrier(f"the step is done with {', '.join(sorted(clash))}"))
        barriers += 1
    inside = tuple(m for region in found for m in region.meetings)
    return body, ((barriers, ()), *inside) if barriers else inside


def _clash(old: Region, new: Region) -> Set[str]:
    """The memory for which `new` must wait until all threads are done with `old`."""
    if not (old.team or new.team):
        return set()
    touched = (old.writes & (new.reads | new.writes)) | (old.reads & new.writes)
    return {x for x in touched if not (old.team and new.team and x in old.owned and old.owned[x] == new.owned.get(x))}


# ---------------------------------------------------------------- loops
def _loop(
    part: Part, plan: Plan, names: Names, helpers: set[str], statuses: list[str], hints: Hints, number: str, writer: type[PhaseWriter]
) -> list[Region]:
    """What is carried copied to its place, and the loop."""
    loop, *left = (m.statement for m in plan.phase.members)
    assert isinstance(loop, Repeat)
    inside, homes, table = part.memory.bodies[loop.out], part.memory.homes, part.program.table()
    mine = inside.memory.homes
    out = [copied(f"{state} starts from {n}", table[n].shape, mine[state], homes[n], names, hints) for state, n in loop.starts]
    body = regions(inside, names, helpers, statuses, hints, f"{number}.", writer)
    team = any(r.team for r in body)
    step, most, made, at = names.fresh("step"), names.fresh("most"), names.fresh("made"), names.fresh("at")
    nodes: list[Node] = [Comment(f"phase {number}: {plan.phase.reason}")]
    touched: set[str] = set()
    nodes.append(Let(most, FOREVER if loop.steps is None else names.size(loop.steps)))
    if loop.limit is not None:
        limit, fewer, first = names.fresh("most"), names.fresh("most"), most
        most = names.fresh("most")
        touched.add(homes[loop.limit].arg)
        nodes += [
            Let(limit, f"i64({_number(homes[loop.limit])})"),
            Let(fewer, least(limit, first)),
            Let(most, f"{fewer} if {fewer} > 0 else 0"),
        ]
    stop = _number(mine[loop.condition]) if loop.condition else ""
    if stop:
        nodes.append(Let(made, most))
        done = If(f"not {stop}", (Let(made, step), Break()))
        body.insert(0, Region(team, [done], {mine[loop.condition or ""].arg}))
    else:
        made = most
    views = {v.name: v for v in inside.views}
    top: list[Node] = [Let(at, f"{most} - 1 - {step}" if loop.backwards else step)] if views else []
    top += [Let(v.name, f"{v.of}[{scaled(at, product(v.shape, names))}:]") for v in views.values()]
    if team:
        turn, meetings = join(body, views.keys(), again=True)
    else:
        turn, meetings = [node for r in body for node in r.nodes], ()
    nodes.append(For(step, most, (*top, *turn)))
    left_nodes, written = _left(part, loop, left, inside, made, team, names)
    nodes += left_nodes

    def behind(arrays: Set[str]) -> set[str]:
        return {views[x].of if x in views else x for x in arrays}

    read = behind({x for r in body for x in r.reads}) | touched
    write = behind({x for r in body for x in r.writes}) | written
    turns = (ENDLESS if loop.steps is None else loop.steps,)
    out.append(Region(team, nodes, read, write, meetings=tuple((n, (*sizes, *turns)) for n, sizes in meetings)))
    return out


def _number(home: Home) -> str:
    """One value as text."""
    return f"{home.arg}[{home.slot}]"


def _left(part: Part, loop: Repeat, left: list, inside: Body, made: str, team: bool, names: Names) -> tuple[list[Node], set[str]]:
    """The number of steps where anybody asks for it, and zeros in the slices of steps that were not made."""
    homes, table = part.memory.homes, part.program.table()
    nodes: list[Node] = []
    written: set[str] = set()
    outside = {*part.program.outputs, *(source for _, source in part.program.updates)}
    asked = {n for s in part.program.statements if not isinstance(s, Last | Stack) for n in reads(s)} | outside
    if loop.out in asked:
        home = homes[loop.out]
        told = Store(home.arg, str(home.slot), made)
        nodes.append(If("tid == 0", (told,)) if team else told)
        written.add(home.arg)
    if loop.steps is None or loop.limit is None and loop.condition is None:
        return nodes, written
    for s in left:
        if isinstance(s, Stack):
            b, array = table[s.out], homes[s.out].arg
            row = product(b.shape[1:], names)
            rest, x, j = names.fresh("n"), names.fresh("x"), names.fresh("j")
            nodes += [Let(rest, scaled(f"({names.size(loop.steps)} - {made})", row)), Let(x, f"{array}[{scaled(made, row)}:]")]
            nodes.append(For(j, share_of(rest) if team else rest, (Store(x, j, literal(0, b.dtype)),)))
    return nodes, written


# ---------------------------------------------------------------- copies
def copied(title: str, shape: tuple[Size, ...], target: Home, source: Home, names: Names, hints: Hints) -> Region:
    """Copy a value to its place, by one thread or by all."""
    head: list[Node] = [Comment(title)]
    if not shape:
        return Region(False, [*head, Store(target.arg, str(target.slot), _number(source))], {source.arg}, {target.arg})
    n = product(shape, names)
    if estimate(shape, hints) <= SERIAL:
        j = names.fresh("j")
        return Region(False, [*head, For(j, n, (Store(target.arg, j, f"{source.arg}[{j}]"),), "member")], {source.arg}, {target.arg})
    b, lo, w, i, x, y = (names.fresh(c) for c in ("k", "lo", "w", "i", "x", "x"))
    block = (
        Let(lo, f"{b} * {FLAT_BLOCK}"),
        Let(w, least(str(FLAT_BLOCK), f"{n} - {lo}")),
        Let(x, f"{target.arg}[{lo}:]"),
        Let(y, f"{source.arg}[{lo}:]"),
        For(i, w, (Store(x, i, f"{y}[{i}]"),), "member"),
    )
    blocks = share_of(f"(({n} + {FLAT_BLOCK - 1}) // {FLAT_BLOCK})")
    return Region(True, [*head, For(b, blocks, block)], {source.arg}, {target.arg})
