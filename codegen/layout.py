"""How a phase walks its rows, and which constants are repacked for it.

Law of this file: arrays of a phase are walked in one of three ways.  `rows`: a row at a time, as they lie in memory.
`lanes`: the same text, but constants are repacked in blocks as [block, column, row] and the few columns are unrolled, so
that rows lie across vector lanes (20640 x 9: 69 -> 11 us).  `columns`: constants are repacked, values of a row are
arrays over the block, and the loop over rows is the inner one (400000 x 30 with a sigmoid: 12.9 -> 3.3 ms).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import prod
from typing import Literal

import numpy as np

from .ir import SAME, Buffer, Indirect, Map, Pool, Program, coordinates, reads
from .phases import Hints, estimate
from .stages import Plan, Work
from .target import Limits

GEMM_BLOCK = 64
"""Rows of a block, at most, when products work on it: fewer load the right factor too often, more leave a team idle."""
GEMM_PART = 48
"""Rows of a block that are aimed at where the number of rows is known: an even number of equal blocks."""
IMAGES = 56 * 1024
"""Elements of a block of images, at most: what is made of one is read again while it lies in the cache."""
ROW_BLOCK = 256
PARTS = 4
"""Blocks into which long rows are divided at least, however few they are."""
FLAT_BLOCK = 4096
FOLD_BLOCK = 512
"""Elements of a block when arrays are walked row by row; flat, without and with a sum."""
LEAST, MOST, CACHE = 64, 2048, 24 * 1024
"""Rows of a packed block: enough to make little of the sums at its end; by columns, where a block is read again for its
sums, as many as keep what it reads in L1."""
VECTOR, FEW = 16, 64
"""Rows of a block are a multiple of VECTOR; up to FEW blocks are of one size and even in number, so that a team is busy."""
FAR = 4 << 20
"""Bytes from which a packed array is taken to lie in memory: while a block is read again from L1, the next is asked for
(400000 x 30: 1.78 -> 1.33 ms a pass of two threads; an array that lies in L2 would lose a tenth)."""
UNROLLED = 16
"""Columns that are unrolled: more of them leave registers."""
PACKED = 512
"""Columns up to which a constant is repacked."""
MEMBERS, ROUNDS, ROWS = 512, (1, 16), (4, 64)
"""Where lanes share the work: blocks that are aimed at, rounds of a lane in one, and rows of a block where all lanes do each row."""

Walk = Literal["rows", "lanes", "columns"]


def lay_out(program: Program, plans: tuple[Plan, ...], hints: Hints, fixed: frozenset[str]) -> tuple[tuple[Plan, ...], frozenset[str]]:
    """The plans with their walks and blocks, and the names of the constants (or inputs in `fixed`) that are repacked."""
    table = program.table()
    kept = {*program.outputs, *(source for _, source in program.updates)}
    kept |= {n for plan in plans for s in plan.stages if isinstance(s.call, SAME) for n in reads(s.call)}
    packed = {b.name for b in program.buffers if (b.role == "const" or b.name in fixed) and b.name not in kept and _suits(b, hints)}
    readers: dict[str, set[int]] = {}
    for number, plan in enumerate(plans):
        for m in plan.phase.members:
            for n in reads(m.statement):
                readers.setdefault(n, set()).add(number)
    whole = {n for n, at in readers.items() if len(at) > 1} | kept
    while True:
        walks = [_walk(plan, table, packed, whole, hints) for plan in plans]
        fails = {n for n in packed if not readers.get(n) or any(walks[k] == "rows" or not _by_row(n, plans[k]) for k in readers[n])}
        if not fails:
            break
        packed -= fails
    walks = [w if any(k in readers[n] for n in packed) else "rows" for k, w in enumerate(walks)]
    block = min((_block(plan, w, table, hints) for plan, w in zip(plans, walks, strict=True) if w != "rows"), default=0)
    done = tuple(
        replace(plan, walk=w, block=block if w != "rows" else _plain_block(plan, table, hints), ahead=_ahead(plan, w, table, packed, hints))
        for plan, w in zip(plans, walks, strict=True)
    )
    return done, frozenset(packed)


def spread_out(
    program: Program, plans: tuple[Plan, ...], hints: Hints, fixed: frozenset[str], limits: Limits
) -> tuple[tuple[Plan, ...], frozenset[str]]:
    """The same where lanes share the work: rows that one lane does alone lie across lanes where they can be repacked."""
    table = program.table()
    kept = {*program.outputs, *(source for _, source in program.updates)}
    kept |= {n for plan in plans for s in plan.stages if isinstance(s.call, SAME) for n in reads(s.call)}
    readers = {n: [plan for plan in plans for m in plan.phase.members if n in reads(m.statement)] for n in table}
    packed = frozenset(
        b.name
        for b in program.buffers
        if (b.role == "const" or b.name in fixed) and b.name not in kept and _suits(b, hints) and readers[b.name]
        if all(p.walk == "lanes" and not p.phase.flat and _by_row(b.name, p) for p in readers[b.name])
    )
    blocks = {id(p): _spread_block(p, hints, limits) for p in plans}
    same = min((blocks[id(p)] for n in packed for p in readers[n]), default=0)
    touching = {id(p) for n in packed for p in readers[n]}
    return tuple(replace(p, block=same if id(p) in touching else blocks[id(p)]) for p in plans), packed


def _spread_block(plan: Plan, hints: Hints, limits: Limits) -> int:
    """Rows of a block: enough to make little of joining the lanes' sums, and blocks enough for a large device."""
    rows = estimate(plan.phase.rows, hints) if all(isinstance(e, int) or e in hints for e in plan.phase.rows) else 0
    if plan.phase.flat:
        return ROUNDS[1] * limits.lanes
    most, least = (ROUNDS[1] * limits.lanes, limits.lanes) if plan.walk == "lanes" else ROWS[::-1]
    if not rows:
        return 4 * least
    return min(most, max(least, -(-rows // (MEMBERS * least)) * least))


def _suits(b: Buffer, hints: Hints) -> bool:
    columns = prod(e for e in b.shape[1:] if isinstance(e, int))
    known = all(isinstance(e, int) for e in b.shape[1:])
    return known and len(b.shape) >= 2 and 1 < columns <= PACKED and estimate(b.shape[:1], hints) >= ROW_BLOCK


def _by_row(name: str, plan: Plan) -> bool:
    """Is every reading of a constant in this phase one of its row?"""
    for w in plan.works():
        s = w.statement
        for slot, n in enumerate(reads(s)):
            if n == name and not (isinstance(s, Map) and w.rows and s.index[slot][0] == w.rows[0] and w.rows[0] not in s.index[slot][1:]):
                return False
            if n == name and isinstance(s, Map) and coordinates(s.index[slot]):
                return False
    return all(s.call is None or name not in reads(s.call) for s in plan.stages)


def _walk(plan: Plan, table: dict[str, Buffer], packed: set[str], whole: set[str], hints: Hints) -> Walk:
    """The best walk that a phase allows when these constants are packed."""
    if plan.phase.kind != "rows" or plan.phase.flat or any(stage.call is not None for stage in plan.stages):
        return "rows"
    works = plan.works()
    if all(estimate(w.loops, hints) <= UNROLLED and w.folded != "memory" for w in works):
        return "lanes"
    made = {w.statement.out for w in works}
    for w in works:
        s = w.statement
        if not isinstance(s, Map) or not all(isinstance(e, int) for e in w.loops) or s.reducer not in (None, "sum", "prod", "max", "min"):
            return "rows"
        if w.crossed or any(coordinates(ix) for ix in s.index):
            return "rows"
        if s.reducer and (table[s.out].dtype[0] != "f" or s.body.dtype != table[s.out].dtype):
            return "rows"
        for slot, n in enumerate(s.operands):
            wide = w.rows[0] in s.index[slot] and prod(e for e in table[n].shape[1:] if isinstance(e, int)) > 1
            if wide and n not in packed and (n not in made or n in whole):
                return "rows"
        if not w.folded and len(table[s.out].shape) > 1 and w.outer and s.out in whole:
            return "rows"
    return "columns"


def _block(plan: Plan, walk: Walk, table: dict[str, Buffer], hints: Hints) -> int:
    """Rows of a packed block of this phase."""
    rows = estimate(plan.phase.rows, hints)
    block = MOST if walk == "lanes" else _cached(plan, table, hints)
    if rows > FEW * block:
        return block
    parts = 2 * max(1, round(rows / (2 * block)))
    return max(LEAST, -(-rows // (parts * VECTOR)) * VECTOR)


def _cached(plan: Plan, table: dict[str, Buffer], hints: Hints) -> int:
    """The rows that the cache holds."""
    names = {n: w for w in plan.works() for n in (w.statement.out, *reads(w.statement)) if table[n].shape and _rowwise(n, w)}
    row = sum(4 * estimate(table[n].shape[1:], hints) for n in names)
    block = MOST
    while block > LEAST and block * row > CACHE:
        block //= 2
    return block


def _rowwise(name: str, w: Work) -> bool:
    s = w.statement
    if name == s.out:
        return not w.folded
    return isinstance(s, Map) and any(w.rows[0] in ix for n, ix in zip(s.operands, s.index, strict=True) if n == name)


def _ahead(plan: Plan, walk: Walk, table: dict[str, Buffer], packed: set[str], hints: Hints) -> frozenset[str]:
    """The far arrays that the nests of a block read more than once."""
    if walk != "columns":
        return frozenset()
    readers = Counter(n for stage in plan.stages for g in stage.groups for n in {n for w in g.works for n in reads(w.statement)})
    far = {n for n in packed if estimate(table[n].shape, hints) * np.dtype(table[n].dtype).itemsize >= FAR}
    return frozenset(n for n, count in readers.items() if count > 1 and n in far)


def _plain_block(plan: Plan, table: dict[str, Buffer], hints: Hints) -> int:
    """Rows in a block of any other phase: a literal of the source, the same for every number of threads."""
    if plan.phase.flat:
        return FOLD_BLOCK if any(w.folded for w in plan.works()) else FLAT_BLOCK
    rows = estimate(plan.phase.rows, hints)
    if all(stage.call is None for stage in plan.stages):
        parts = min(PARTS, rows * max(estimate(w.loops, hints) for w in plan.works()) // FLAT_BLOCK)
        return min(ROW_BLOCK, -(-rows // parts)) if parts > 1 else ROW_BLOCK
    most = GEMM_BLOCK
    if any(isinstance(stage.call, Indirect | Pool) for stage in plan.stages):
        image = max(estimate(table[m.statement.out].shape[1:], hints) for m in plan.phase.members)
        most = max(1, min(most, IMAGES // max(1, image)))
    parts = 2 * -(-rows // (2 * min(most, GEMM_PART)))
    return min(most, -(-rows // parts))
