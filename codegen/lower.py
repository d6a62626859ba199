"""Plans and homes to the body of one kernel.

Law of this file: it decides nothing about what runs together or where values live.  A phase becomes one or two regions
(the shared walk over blocks, and what one thread does); between regions there is a barrier exactly where one touches
memory that the other writes.
"""

from __future__ import annotations

from dataclasses import dataclass

from .addresses import Names, product
from .ir import Program
from .loops import Barrier, Comment, For, If, Let, Node, Store
from .memory import FLAT_BLOCK, Arg, Memory, failing
from .nests import PhaseWriter, Region
from .phases import SERIAL, estimate
from .stages import Plan


@dataclass(frozen=True)
class Kernel:
    """A lowered program: array arguments, size arguments (name in the program, name in the source), body, runtime names."""

    name: str
    args: tuple[Arg, ...]
    sizes: tuple[tuple[str, str], ...]
    body: tuple[Node, ...]
    helpers: frozenset[str]
    barriers: int


def lower(program: Program, plans: tuple[Plan, ...], memory: Memory) -> Kernel:
    """The loop nests of a whole step."""
    names = Names({name: f"n{k}" for k, (name, _) in enumerate(program.sizes)})
    helpers: set[str] = set()
    regions: list[Region] = []
    for number, plan in enumerate(plans):
        writer = PhaseWriter(program, plan, memory, names, helpers, [c.out for c in failing(plans)])
        regions += writer.regions(number)
    regions += [_commit(program, memory, names, target, source) for target, source in memory.commits]
    top: list[Node] = []
    for pool, buffers in memory.pools.items():
        if pool.startswith("c_"):
            top += [Let(f"{pool}_{k}", f"{pool}[{k}]") for k in range(len(buffers))]
    body, barriers = _join(regions)
    if barriers:
        helpers.add("barrier_wait")
    sizes = tuple((name, names.sizes[name]) for name, _ in program.sizes if name in names.used)
    return Kernel(program.name, memory.args, sizes, (*top, *body), frozenset(helpers), barriers)


def _join(regions: list[Region]) -> tuple[list[Node], int]:
    """Regions in order, with a barrier wherever one must wait for another thread's part of what came before."""
    body: list[Node] = []
    since: list[Region] = []
    pending: list[Node] = []
    barriers = 0

    def flush() -> None:
        if pending:
            body.append(If("tid == 0", tuple(pending)))
            pending.clear()

    for region in regions:
        clash = {
            x
            for old in since
            for x in (old.writes & (region.reads | region.writes)) | (old.reads & region.writes)
            if old.team or region.team
        }
        if clash:
            flush()
            body.append(Barrier(f"for {', '.join(sorted(clash))}"))
            barriers += 1
            since = []
        if region.team:
            flush()
            body += region.nodes
        else:
            pending += region.nodes
        since.append(region)
    flush()
    return body, barriers


def _commit(program: Program, memory: Memory, names: Names, target: str, source: str) -> Region:
    """Copy a new state value to its place, after everything else."""
    shape = program.table()[target].shape
    new, old = memory.homes[source], memory.homes[target].arg
    title = Comment(f"{target} <- {source}")
    if new.kind == "slot":
        return Region(False, [title, Store(old, "0", f"{new.arg}[{new.slot}]")], {new.arg}, {old})
    n = product(shape, names)
    if estimate(shape) <= SERIAL:
        j = names.fresh("j")
        return Region(False, [title, For(j, n, (Store(old, j, f"{new.arg}[{j}]"),))], {new.arg}, {old})
    b, lo, w, i, x, y = (names.fresh(c) for c in ("k", "lo", "w", "i", "x", "x"))
    inner = For(i, w, (Store(x, i, f"{y}[{i}]"),))
    block = (
        Let(lo, f"{b} * {FLAT_BLOCK}"),
        Let(w, f"min({FLAT_BLOCK}, {n} - {lo})"),
        Let(x, f"{old}[{lo}:]"),
        Let(y, f"{new.arg}[{lo}:]"),
        inner,
    )
    blocks = f"tid, ({n} + {FLAT_BLOCK - 1}) // {FLAT_BLOCK}, nthreads"
    return Region(True, [title, For(b, blocks, block)], {new.arg}, {old})
