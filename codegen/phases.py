"""Statements to phases: what runs in one pass over the rows of something, and why each boundary stands.

Law of this file: a phase is either `rows` (a loop over fixed blocks of rows, shared by the team, with the combination
of its partial sums), `serial` (small things and calls that one thread does), `library` (large products, where a library
makes them) or `loop` (a Repeat with what it leaves; the body has phases of its own).  A statement is row-wise when row i of
its result needs only row i of what walks the rows, and a row reduction when it reduces over the rows.  Statements are
taken in order and each joins the earliest phase that can take it: a row-wise result may be read by the phase that makes
it, row by row; everything else is ready after its phase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from .ir import (
    Buffer,
    Concat,
    Indirect,
    Last,
    Linalg,
    Map,
    MatMul,
    Place,
    Pool,
    Program,
    Random,
    Repeat,
    Reshape,
    Scatter,
    Size,
    Slice,
    Stack,
    Statement,
    Walk,
    coordinates,
    reads,
    streams,
)
from .products import is_large
from .target import CPU, Limits
from .windows import products

REPEATED = 8
"""Flops of an element that a product makes again for each tile which reads it, rather than read it from an array."""
SERIAL = CPU.serial
"""Points up to which a copy, or rows that are added up, are one member's work."""
UNKNOWN = 4096
"""What a size that is known only at launch is taken for."""
ENDLESS = 64
"""How many steps a loop is taken for that nothing but its own condition ends."""
ENOUGH = 16
"""Rows from which a team has enough of them."""
PARTIAL = 4096
"""Elements up to which a row reduction keeps partial results for each block."""
BLOCKWISE = ("sum", "prod", "max", "min", "any", "all")
"""Reducers whose partial results combine by themselves."""


Kind = Literal["rows", "serial", "library", "loop"]


@dataclass(frozen=True, slots=True)
class RowForm:
    """One way to see a statement as work on rows: the size of the axis, the label that walks it, whether it is reduced,
    and for each operand whether it is read row by row (its axis 0 walks the rows)."""

    size: Size
    label: int
    reduces: bool
    rowwise: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A statement in a phase, with the form it has there (None where its phase is not `rows`).

    `behind`: the product whose elements it takes as they are made, or with `first` gives to it as they are read."""

    statement: Statement
    form: RowForm | None
    behind: str = ""
    first: bool = False


@dataclass(frozen=True, slots=True)
class Phase:
    """`rows`: the sizes whose product counts the rows; more than one when whole arrays are walked flat."""

    kind: Kind
    rows: tuple[Size, ...]
    members: tuple[Member, ...]
    reason: str

    @property
    def flat(self) -> bool:
        return len(self.rows) > 1

    def __str__(self) -> str:
        over = f"rows over {' * '.join(map(str, self.rows))}" if self.kind == "rows" else self.kind
        return f"{over}: {', '.join(m.statement.out for m in self.members)}  [{self.reason}]"


Hints = Mapping[str, int]
"""The numbers to expect behind sizes that are known only at launch; they steer decisions and never enter the source."""


def estimate(sizes: tuple[Size, ...], hints: Hints) -> int:
    """A guess at a number of elements before launch."""
    n = 1
    for s in sizes:
        n *= s if isinstance(s, int) else hints.get(s, UNKNOWN)
    return n


def work(s: Statement, table: dict[str, Buffer]) -> tuple[Size, ...]:
    """The iteration space of a statement."""
    match s:
        case Map():
            return s.space
        case MatMul():
            a = table[s.a].shape
            return (*table[s.out].shape, a[-2] if s.ta else a[-1])
        case Indirect():
            return products(s, table)
        case Pool():
            return (table[s.x].shape[0], estimate(table[s.cells].shape, {}) if s.cells else 1, table[s.x].shape[-1])
        case _:
            return table[s.out].shape


def row_forms(s: Statement, table: dict[str, Buffer], hints: Hints, limits: Limits) -> Iterator[RowForm]:
    """The ways to run a statement over rows, row-wise first.

    A call that works row by row is cut by members; where lanes share the work, it deals out its elements itself."""
    out = table[s.out]
    if limits.spread and isinstance(s, MatMul | Indirect | Pool):
        return
    match s:
        case Map():
            if out.shape:
                yield RowForm(s.space[0], 0, False, tuple(_walks(ix, 0) for ix in s.index))
            small = all(isinstance(e, int) for e in out.shape) and estimate(out.shape, hints) <= PARTIAL
            walks = [{a for a in ix if isinstance(a, int)} for ix in s.index]
            spans = any(len(walked) == len(s.space) for walked in walks)  # then partial results are few beside the operand
            if s.reducer in BLOCKWISE and (small or spans):
                for label in range(len(out.shape), len(s.space)):
                    yield RowForm(s.space[label], label, True, tuple(_walks(ix, label) for ix in s.index))
        case MatMul():
            batched = len(out.shape) > 2
            leading = [len(table[n].shape) == len(out.shape) and table[n].shape[0] == out.shape[0] for n in (s.a, s.b)]
            onto = () if s.onto is None else (True, False)
            yield RowForm(out.shape[0], 0, False, tuple(leading) if batched else (not s.ta, False, *onto))
        case Slice() | Place():
            same = s.start[0] == 0 and s.step[0] == 1 and table[s.x].shape[0] == out.shape[0] if out.shape else False
            if out.shape and (isinstance(s, Slice) or same):
                yield RowForm(out.shape[0], 0, False, (same,))
        case Indirect():
            if not s.summed:
                yield RowForm(out.shape[0], 0, False, (True,) + (False,) * 5)
        case Pool():
            yield RowForm(out.shape[0], 0, False, (True, True) + (False,) * (s.cells is not None))
        case Concat():
            if s.axis > 0:
                yield RowForm(out.shape[0], 0, False, (True,) * len(s.xs))
        case _:
            return


def _rank(s: Statement, form: RowForm, hints: Hints) -> tuple:
    """What makes a form better than others: no columns, rows enough for a team, one after another in memory, many."""
    rows = estimate((form.size,), hints)
    return not _across(s, form, hints), min(rows, ENOUGH), sum(form.rowwise), rows


def _across(s: Statement, form: RowForm, hints: Hints) -> bool:
    """Does a sum walk down columns, with others beside them that it could take with it?

    The sum of 28 x 64 rows of 512 takes 0.2 ms by rows and 8 by columns, which come from other lines at each step."""
    if not isinstance(s, Map) or form.reduces or s.reducer is None or estimate((form.size,), hints) > PARTIAL:
        return False
    return any(len(ix) > 1 and ix[-1] == form.label and isinstance(ix[0], int) and ix[0] != form.label for ix in s.index)


def _walks(index: tuple[Walk, ...], label: int) -> bool:
    return bool(index) and index[0] == label and index.count(label) == 1


@dataclass(slots=True)
class _Open:
    kind: Kind
    size: Size | None
    reason: str
    members: list[Member] = field(default_factory=list)


def schedule(program: Program, hints: Hints, limits: Limits) -> tuple[Phase, ...]:
    """The phases of a program, in order; every statement is in exactly one."""
    table = program.table()
    open_: list[_Open] = [_Open("serial", None, "before the first pass")]
    ready = {b.name: 0 for b in program.buffers if b.role != "temp"}  # the first phase that finds the buffer complete
    inside: dict[str, int] = {}  # the phase whose rows the buffer's rows are
    seen: dict[str, int] = {}  # the last phase that reads the buffer
    made_by: dict[str, str] = {}
    drawn = {n for s in program.statements for n in streams(s)}
    near: dict[str, tuple[int, str]] = {}  # what is made element by element with a product: in which phase, with which one
    large = {s.out for s in program.statements if limits.library and isinstance(s, MatMul) and is_large(s, table, hints)}
    given = _for_one_product(program, table, large) if limits.spread else {}
    waiting: dict[str, Map] = {}
    for s in _products_late(program) if limits.spread else program.statements:
        operands = tuple(n for x in reads(s) for n in (reads(waiting[x]) if x in waiting else (x,)))
        if isinstance(s, Map) and (found := _behind(s, table, near, open_, ready)):
            number, first = near[s.out] = found
            open_[number].members.append(Member(s, None, first))
            seen.update((n, max(number, seen.get(n, 0))) for n in operands)
            made_by[s.out], ready[s.out] = "a product", number
            continue
        if s.out in given:
            waiting[s.out] = given[s.out]
            continue
        if isinstance(s, Repeat | Last | Stack):
            _loop(s, open_, ready)
            seen.update((n, len(open_)) for n in operands)
            for n in drawn & set(operands):
                ready[n] = len(open_)
            continue
        forms = list(row_forms(s, table, hints, limits))
        serial = not forms or estimate(work(s, table), hints) <= limits.serial
        kind: Kind = "library" if s.out in large else "serial" if serial else "rows"
        low = max((inside.get(n, ready[n]) for n in operands), default=0)
        if isinstance(s, Scatter | MatMul) and s.onto is not None and (s.out in large or isinstance(s, Scatter)):
            low = max(low, seen.get(s.onto, 0))  # it may then be made in its place
        at, form = _find(s, open_, low, forms, kind, operands, ready, inside)
        if at is None:
            at = len(open_)
            form = max(forms, key=lambda f: _rank(s, f, hints)) if kind == "rows" else None
            open_.append(_Open(kind, form.size if form else None, _why(s, kind, open_, operands, ready, form, made_by)))
        phase = open_[at]
        phase.members.append(Member(s, form))
        phase.members += [Member(waiting[n], None, s.out, first=True) for n in reads(s) if n in waiting]
        seen.update((n, max(at, seen.get(n, 0))) for n in operands)
        made_by[s.out] = "a row reduction" if form and form.reduces else "a whole array" if form or s.out in large else "small work"
        ready[s.out] = at if form is None and s.out not in large else at + 1
        if limits.spread and s.out not in large and isinstance(s, MatMul) and s.onto is None and len(table[s.out].shape) == 2:
            near[s.out] = at, s.out
        if form is not None and not form.reduces:
            inside[s.out] = at
        for n in drawn & set(operands):  # who reads a stream sees the position that the statements before it left
            ready[n] = max(ready[n], at + (form is not None))
    return tuple(_close(p, table) for p in open_ if p.members)


def _products_late(program: Program) -> list[Statement]:
    """The statements with products, and Maps of them, right before what first reads them; new states come last.

    What else a Map behind a product reads is then there, and a gradient's product, which updates a state behind it, comes
    after those that read the state as it was: the update is made in place."""
    waiting: dict[str, Statement] = {}
    order: list[Statement] = []

    def take(*names: str) -> None:
        wanted: set[str] = set()
        stack = list(names)
        while stack:
            if (n := stack.pop()) in waiting and n not in wanted:
                wanted.add(n)
                stack += reads(waiting[n])
        if wanted:
            order.extend([waiting.pop(n) for n in [n for n in waiting if n in wanted]])

    for s in program.statements:
        if isinstance(s, MatMul) and s.onto is None or isinstance(s, Map) and s.reducer is None and any(n in waiting for n in reads(s)):
            waiting[s.out] = s
        else:
            take(*reads(s))
            order.append(s)
    new = {source for _, source in program.updates}
    read = {n for s in waiting.values() for n in reads(s)}
    take(*(n for n in waiting if n not in new and n not in read))
    return [*order, *waiting.values()]


def _for_one_product(program: Program, table: dict[str, Buffer], large: Set[str]) -> dict[str, Map]:
    """Maps that are only read by one product, which is not large, and make so little of what they read that its tiles can make it again."""
    uses = Counter(n for s in program.statements for n in reads(s))
    uses.update([*program.outputs, *(source for _, source in program.updates)])
    small = [s for s in program.statements if isinstance(s, MatMul) and len(table[s.out].shape) == 2 and s.out not in large]
    factors = {n for s in small for n in {s.a, s.b}}
    found = {}
    for s in program.statements:
        if isinstance(s, Map) and s.out in factors and uses[s.out] == 1 and s.reducer is None and table[s.out].shape == s.space:
            plain = 1 not in s.space and not any(coordinates(ix) for ix in s.index) and not any(n in found for n in s.operands)
            if plain and s.body.flops() <= REPEATED and table[s.out].dtype in ("float32", "float64"):
                found[s.out] = s
    return found


def _behind(
    s: Map, table: dict[str, Buffer], near: dict[str, tuple[int, str]], open_: list[_Open], ready: dict[str, int]
) -> tuple[int, str] | None:
    """The phase and the product that a Map can take its elements from as they are made: all else that it reads is there by then."""
    if s.reducer is not None or table[s.out].shape != s.space:
        return None
    for at, first in sorted({near[n] for n in s.operands if n in near}, reverse=True):
        made = [m.statement.out for m in open_[at].members]
        late = made[made.index(first) :]
        if table[first].shape == s.space and all(
            ix == tuple(range(len(s.space))) if near.get(n) == (at, first) else ready[n] <= at and n not in late and not coordinates(ix)
            for n, ix in zip(s.operands, s.index, strict=True)
        ):
            return at, first
    return None


def _loop(s: Repeat | Last | Stack, open_: list[_Open], ready: dict[str, int]) -> None:
    """A loop is a phase of its own, after all that are open; what it leaves is there when it is done."""
    if isinstance(s, Repeat):
        open_.append(_Open("loop", None, f"{s.body.name} again and again"))
    at = len(open_) - 1 if isinstance(s, Repeat) else ready[s.of] - 1
    open_[at].members.append(Member(s, None))
    ready[s.out] = at + 1


def _find(s, open_, low, forms, kind, operands, ready, inside) -> tuple[int | None, RowForm | None]:
    """The earliest phase that can take a statement, and the form it has there."""
    for at in range(low, len(open_)):
        phase = open_[at]
        if phase.kind == "loop" or any(_apart(s, m.statement) for m in phase.members):
            continue
        if phase.kind != "rows":
            if phase.kind == kind and all(ready[n] <= at for n in operands):
                return at, None
            continue
        for form in forms:
            if form.size == phase.size and all(
                ready[n] <= at or inside.get(n) == at and row for n, row in zip(operands, form.rowwise, strict=True)
            ):
                return at, form
    return None, None


def _apart(s: Statement, other: Statement) -> bool:
    """Is one a product that wants many rows at a time, and the other work on images, of which few fit the cache?"""
    return isinstance(s, Indirect | Pool) and isinstance(other, MatMul) or isinstance(s, MatMul) and isinstance(other, Indirect | Pool)


def _why(
    s: Statement,
    kind: Kind,
    open_: list[_Open],
    operands: tuple[str, ...],
    ready: dict[str, int],
    form: RowForm | None,
    made_by: dict[str, str],
) -> str:
    """Why a statement opens a phase."""
    if form is None:
        call = isinstance(s, Linalg | Random | Reshape | Indirect)
        head = f"{type(s).__name__.lower()} {s.out} is one thread's work" if call else f"{s.out} is small"
        head = f"{s.out} is a large product" if kind == "library" else head
    else:
        head = f"{s.out} walks {form.size} rows"
    waits = [n for n in operands if n in made_by and ready[n] >= len(open_) - (form is None)]
    if waits:
        return f"{head} and waits for {waits[0]} ({made_by[waits[0]]})"
    return f"{head}, which no earlier phase does"


def _close(phase: _Open, table: dict[str, Buffer]) -> Phase:
    members = tuple(phase.members)
    if phase.kind != "rows":
        return Phase(phase.kind, (), members, phase.reason)
    spaces = {m.statement.space for m in members if isinstance(m.statement, Map)}
    if len(spaces) == 1 and all(_is_flat(m.statement, table) for m in members):
        (space,) = spaces
        if len(space) > 1:
            return Phase("rows", space, members, phase.reason + "; every array is walked flat")
    assert phase.size is not None
    return Phase("rows", (phase.size,), members, phase.reason)


def _is_flat(s: Statement, table: dict[str, Buffer]) -> bool:
    """Does the statement walk whole arrays in memory order, or read one element?"""
    if not isinstance(s, Map) or any(i.fn == "index" for i in s.body.code):
        return False
    whole = tuple(range(len(s.space)))
    all_or_nothing = s.reducer is None or s.reducer in BLOCKWISE and table[s.out].shape == ()
    return all_or_nothing and all(ix == whole or all(a is None for a in ix) for ix in s.index)
