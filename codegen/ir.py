"""What is to be computed: typed array programs.

Law of this file: a `Program` is a straight list of statements over named buffers.  Every buffer has a dtype and a
shape whose entries are ints or the names of sizes that become known at launch.  Statements are a closed set; each
writes exactly one fresh buffer and reads buffers written before it, so the list is in single-assignment form.  State
changes only at the very end, by `updates`, so every statement sees the values from before the step; the one exception
is the position of a random stream, which its own `Random` statement advances.  A `Repeat` holds a program of its own
that is run again and again; a body obeys the same laws.  `verify` holds them all.

Nothing here knows where a program came from or how it will run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .scalar import Body

Size = int | str
"""A known extent, or the name of one that is bound at launch (see `Program.sizes`)."""

Role = Literal["input", "state", "const", "temp"]
DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "float32", "float64")
REDUCERS = ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin")
LINALG = ("inverse", "solve", "cholesky", "determinant", "logdet", "top")
RANDOM = ("uniform", "normal", "truncated_normal", "uniform_int", "shuffle", "candidates")


@dataclass(frozen=True, slots=True)
class Buffer:
    """A named array.

    `input` buffers are given at each launch, `state` buffers live between launches and are written by `updates`,
    `const` buffers hold `value` (their contents never enter the generated source, so programs that differ only in
    constants share one kernel), `temp` buffers are written by a statement.
    `origin` is free text for comments: the user's name of the tensor and the line that made it.
    An input that is `trusted` holds coordinates that its caller has checked: a gather by them is not checked again.
    """

    name: str
    dtype: str
    shape: tuple[Size, ...]
    role: Role = "temp"
    value: np.ndarray | None = None
    origin: str = ""
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class At:
    """In an operand's index: this axis is read where the value of operand `slot` says.

    That operand is int32 or int64 and walks labels only.  A coordinate outside of the axis is an error that the launch
    raises as `IndexError` naming the statement's origin.
    """

    slot: int


Walk = int | None | At


@dataclass(frozen=True, slots=True)
class Map:
    """out[labels] = reduce over the remaining labels of body(operands at their labels).

    The iteration space has one size per label in `space`.  Labels 0 .. rank(out)-1 are the axes of `out` in order;
    labels from rank(out) on are reduced by `reducer` (None when there are none).  `index[k][axis]` is the label that
    walks that axis of operand k, None when the axis has extent 1 and is always read at 0 (broadcasting), or `At` (a gather).
    `argmax` and `argmin` reduce exactly one label, give int64, and take the first of ties.
    The identity of an empty reduction is the reducer's own (sum 0, prod 1, max -inf or the least integer, ...).
    Sums of float32 keep float32; sums of bool and of small integers keep the dtype of `out`.
    """

    out: str
    operands: tuple[str, ...]
    index: tuple[tuple[Walk, ...], ...]
    space: tuple[Size, ...]
    body: Body
    reducer: str | None = None


@dataclass(frozen=True, slots=True)
class MatMul:
    """out[..., i, j] = sum_k A[..., i, k] B[..., k, j], where A is `a` or, with `ta`, its last two axes swapped.

    Ranks are at least 2; leading (batch) axes broadcast as in NumPy.  With `onto`, a buffer like out of rank 2, and
    `factor`, a buffer of shape (), out = onto + factor A B.
    """

    out: str
    a: str
    b: str
    ta: bool = False
    tb: bool = False
    onto: str | None = None
    factor: str | None = None


@dataclass(frozen=True, slots=True)
class Reshape:
    """out is x in the same C order with another shape."""

    out: str
    x: str


@dataclass(frozen=True, slots=True)
class Slice:
    """out[i, j, ...] = x[start[0] + i * step[0], ...]; steps may be negative, starts are already in range."""

    out: str
    x: str
    start: tuple[Size, ...]
    step: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """The transpose of `Slice`: out is zero except out[start[0] + i * step[0], ...] = x[i, ...]."""

    out: str
    x: str
    start: tuple[Size, ...]
    step: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Concat:
    """out is `xs` one after another along `axis`."""

    out: str
    xs: tuple[str, ...]
    axis: int


@dataclass(frozen=True, slots=True)
class Linalg:
    """Dense linear algebra over the last two axes; leading axes are a batch and are equal in all operands.

    inverse(A), solve(A, B) = A^-1 B, cholesky(A) lower with zeros above, determinant(A), logdet(A) = log|det A|; top(A): int32,
    for each row the places of its greatest elements in their order, the first of ties first, as many as the result has columns.
    A singular matrix in `inverse` or `solve`, or one that is not positive definite in `cholesky`, is an error that
    the launch raises as `FloatingPointError` naming the statement's origin.
    """

    fn: str
    out: str
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Random:
    """A draw from TensorFlow's Philox4x32-10 stream.

    `stream` is an int64 state buffer of shape (3,): position in 128-bit groups, seed, seed2.  The statement advances
    the position (by 256 per output element; by ceil((n - 1) / 4) for `shuffle`, by 512 n for n `candidates`).
    `uniform`: u * (b - a) + a;  `normal`, `truncated_normal`: z * b + a, both rounded in the buffer's own dtype and in
    that order (no fused multiply-add);  `uniform_int`: a + word % (b - a);  `shuffle`: rows of `x` permuted;
    `candidates`: int64, whole numbers in [0, a) and behind them how many were drawn; b says how: see runtime/philox.py.
    `a` and `b` name shape-() buffers of the output's dtype (None for shuffle).
    """

    fn: str
    out: str
    stream: str
    a: str | None = None
    b: str | None = None
    x: str | None = None


@dataclass(frozen=True, slots=True)
class Scatter:
    """The transpose of a gather of rows: out[i, ...] = sum over r with at[r] == i of x[r, ...], added in the order of r.

    `at` is int32 or int64 of shape (rows,), x has shape (rows, ...) and out (extent, ...).  A coordinate outside of the
    extent is an error that the launch raises as `IndexError` naming the statement's origin.  The sum starts from zeros,
    or from `onto`, which has the shape of out.  With `put`, rows of `onto` are replaced: out[i, ...] is x[r, ...] for the last r
    with at[r] == i, else onto[i, ...].
    """

    out: str
    x: str
    at: str
    onto: str | None = None
    put: bool = False


@dataclass(frozen=True, slots=True)
class First:
    """out[r] is the least q with x[q] == x[r].  x and out are int32 or int64 of shape (rows,), and x has passed a `Within`
    of this extent.  The compiler writes these itself, to sum rows by their number without an array of `extent` rows."""

    out: str
    x: str
    extent: Size


@dataclass(frozen=True, slots=True)
class Window:
    """How windows lie along one axis: window o has cell k at o * stride + k * dilation - before, for 0 <= k < size.

    A cell outside of the axis is not there: it holds 0 for a product, and no element for a maximum.
    """

    size: int
    stride: int = 1
    dilation: int = 1
    before: int = 0


@dataclass(frozen=True, slots=True)
class Conv:
    """One of three arrays, such that sum x[b, p, c] w[k, c, n] y[b, o, n] is linear in each: its derivative by that one.

    The sum goes over all images b, windows o and their cells k (one number for each entry of `windows`), channels c and n;
    p is where window o has cell k.  `role` says which array is `out`: y of x and w is a convolution, x of w and y its
    transpose, w of x and y what it learns by; `a` and `b` are the other two in the order x, w, y.
    `depthwise`: each channel has windows of its own, sum x[b, p, c] w[k, c, n] y[b, o, c * N + n] with n < N.
    """

    out: str
    role: Literal["x", "w", "y"]
    a: str
    b: str
    windows: tuple[Window, ...]
    depthwise: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """`pick`: out[b, o, c] = v[b, p, c] at the first cell p of window o where x is greatest (nan is greater than all).

    x and v have one shape, and may be one buffer.  `route` is the transpose in v, which then has an element for each window:
    out, of x's shape, is the sum of those that lie at the cell that their window picks.  A window without cells picks 0.
    `cells` is the flat position of each cell in its image, -1 outside of it: the compiler writes it itself.
    """

    out: str
    role: Literal["pick", "route"]
    x: str
    v: str
    windows: tuple[Window, ...]
    cells: str | None = None


@dataclass(frozen=True, slots=True)
class Indirect:
    """A product whose rows and columns lie where tables say; what a `Conv` becomes.  Arrays are flat within an image.

    `parts`, int64[parts, 5], says of each part its first row, its rows in an image, its first turn, its turns, and the length
    of its run.  For each row r, over the part's turns t and i < run, for j < columns:
    out[rows[r] + j] = sum of a[left[r] + turns[t, 0] + i * step] * b[turns[t, 1] + i * columns + j].
    The rows of a part are those of `group` images, one image after the other.  `a` and `out` have a leading axis of images;
    or, with `summed`, `a` and `b` have it, and the result is summed over the images.
    With `repeat` = N > 0 there is no sum over channels: runs are 1, columns counts all products, and product j stands at
    j // N of x and at j of the other two arrays; `narrow` says which of a, out is x.
    """

    out: str
    a: str
    b: str
    left: str
    rows: str
    turns: str
    parts: str
    step: int
    columns: int
    group: int = 1
    summed: bool = False
    repeat: int = 0
    narrow: Literal["a", "out"] = "a"

    @property
    def tables(self) -> tuple[str, str, str, str]:
        return self.left, self.rows, self.turns, self.parts


@dataclass(frozen=True, slots=True)
class Within:
    """out is x, int32 or int64, whose values all lie in [0, extent).

    One that does not is an error that the launch raises as `IndexError` naming the statement's origin.  The compiler
    writes these itself, once for each array of coordinates, so that gathers read unchecked.
    """

    out: str
    x: str
    extent: Size


@dataclass(frozen=True, slots=True)
class Repeat:
    """`body` again and again: `steps` times, at most as often as `limit` says, and while `condition` holds.

    Step s sees slice s of each array in `slices`, what the step before left of its states, and every buffer that it
    reads under the name that it has here.  `out`, int64 of shape (), is the number of steps made.

    The body's `updates` give its states' new values, its `outputs` are what each step leaves for a `Stack`.  Its inputs
    are slices, under names of their own, and buffers from here (a state as it is before this step), its states those in
    `starts` and random streams of here, which each step advances.  Its constants are its own, or have the name of an
    equal one here.  All other names are unique over the whole program; sizes are those of the whole program.

    steps      None where nothing bounds them but `limit` and `condition`; then there are no slices and no stacks
    starts     (a state of the body, the buffer here that it starts from, of the same dtype and shape)
    slices     (an input of the body, the buffer here with one more leading axis, of extent `steps`)
    limit      a buffer here, int32 or int64 of shape (): min(steps, max(limit, 0)) steps
    condition  a state of the body, bool of shape (): a step is made only while it is true
    backwards  step s sees and writes slice number - 1 - s, where number is min(steps, limit); never with a condition
    """

    out: str
    body: Program
    steps: Size | None
    starts: tuple[tuple[str, str], ...]
    slices: tuple[tuple[str, str], ...] = ()
    limit: str | None = None
    condition: str | None = None
    backwards: bool = False

    @property
    def captured(self) -> tuple[str, ...]:
        """The buffers from here that the body reads under their own names."""
        own = dict(self.slices)
        return tuple(n for n in self.body.inputs if n not in own)

    @property
    def streams(self) -> tuple[str, ...]:
        """The random streams from here that the body advances."""
        own = dict(self.starts)
        return tuple(n for n in self.body.states if n not in own)


@dataclass(frozen=True, slots=True)
class Last:
    """What the Repeat `of` left of a state of its body: its value after the last step."""

    out: str
    of: str
    state: str


@dataclass(frozen=True, slots=True)
class Stack:
    """Output `number` of the body of the Repeat `of`, of all steps side by side: one more leading axis of extent `steps`.

    Slices of steps that were not made are zeros."""

    out: str
    of: str
    number: int


SAME = (Reshape, Within)
"""Statements whose result is their operand's memory."""

Moved = Reshape | Slice | Place | Concat | Scatter | First | Within
Statement = Map | MatMul | Linalg | Random | Conv | Pool | Indirect | Repeat | Last | Stack | Moved


@dataclass(frozen=True, slots=True)
class SizeOf:
    """A size that is the extent of `axis` of an input or state buffer."""

    buffer: str
    axis: int


@dataclass(frozen=True, slots=True)
class SizeExpr:
    """A size computed from earlier sizes.  `fn` is one of add, sub, mul, floordiv, max over ints and size names."""

    fn: Literal["add", "sub", "mul", "floordiv", "max"]
    args: tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on sizes that the launch verifies: left == right, else ValueError(message).

    The message may hold {left} and {right}, which are replaced by the two numbers.
    """

    left: Size
    right: Size
    message: str


@dataclass(frozen=True, slots=True)
class Program:
    """A step: buffers, statements in order, what to return, and which state takes which buffer at the end.

    `sizes` is ordered: a `SizeExpr` uses names defined above it.  `inputs` gives the calling order of the input
    buffers, `states` that of the state buffers.  `outputs` may name any buffer, also several times; an output that is
    a state updated in this step has its value from before the update when it is named by the state buffer itself
    (name the updating buffer to get the new one).
    """

    name: str
    buffers: tuple[Buffer, ...]
    statements: tuple[Statement, ...]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    updates: tuple[tuple[str, str], ...] = ()
    sizes: tuple[tuple[str, SizeOf | SizeExpr], ...] = ()
    checks: tuple[Check, ...] = ()

    def table(self) -> dict[str, Buffer]:
        """Buffers by name."""
        return {b.name: b for b in self.buffers}

    def __str__(self) -> str:
        return "\n".join(_lines(self))


@dataclass(frozen=True, slots=True)
class Loop:
    """A step again and again: for s = first .. last - 1, `record` where s is a multiple of `every`, and then `step`.

    The two programs share inputs, states and sizes by name: a name means the same in both.  What is recorded is
    `record.outputs` (values before the step), or without a record program `step.outputs`, also at multiples of `every`.
    Inputs named in `stepped` are given with one more leading axis, and step s sees their slice s.  Sizes named in
    `lengths` have a value for each step: the extent, at most that of the slice, of what the step sees.
    All other inputs hold the same values for all steps.
    """

    name: str
    step: Program
    record: Program | None = None
    stepped: tuple[str, ...] = ()
    lengths: tuple[str, ...] = ()

    @property
    def programs(self) -> tuple[Program, ...]:
        return (self.record, self.step) if self.record else (self.step,)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs of both programs, in calling order."""
        return tuple(dict.fromkeys(n for p in self.programs for n in p.inputs))

    @property
    def states(self) -> tuple[str, ...]:
        """The states of both programs, in calling order."""
        return tuple(dict.fromkeys(n for p in self.programs for n in p.states))

    @property
    def recorded(self) -> Program:
        """The program whose outputs are recorded."""
        return self.record or self.step


def reads(s: Statement) -> tuple[str, ...]:
    """Names of the buffers that a statement reads, in order (a random stream is read and written)."""
    match s:
        case Map():
            return s.operands
        case MatMul():
            return (s.a, s.b) if s.onto is None or s.factor is None else (s.a, s.b, s.onto, s.factor)
        case Reshape() | Slice() | Place() | First() | Within():
            return (s.x,)
        case Scatter():
            return (s.x, s.at) if s.onto is None else (s.x, s.at, s.onto)
        case Conv():
            return (s.a, s.b)
        case Pool():
            return (s.x, s.v) if s.cells is None else (s.x, s.v, s.cells)
        case Indirect():
            return (s.a, s.b, *s.tables)
        case Concat():
            return s.xs
        case Linalg():
            return s.args
        case Random():
            return tuple(n for n in (s.x, s.a, s.b, s.stream) if n is not None)
        case Repeat():
            return tuple(dict.fromkeys(_read(s)))
        case Last() | Stack():
            return (s.of,)


def _read(s: Repeat) -> Iterator[str]:
    yield from (n for _, n in (*s.starts, *s.slices))
    yield from (*s.captured, *s.streams, *([s.limit] if s.limit else []))


def streams(s: Statement) -> tuple[str, ...]:
    """The random streams that a statement advances."""
    return (s.stream,) if isinstance(s, Random) else s.streams if isinstance(s, Repeat) else ()


def written(program: Program) -> frozenset[str]:
    """The states that a run of a program changes."""
    return frozenset([target for target, _ in program.updates] + [n for s in program.statements for n in streams(s)])


def programs(program: Program) -> Iterator[Program]:
    """The program and the bodies of all its loops, outer ones first."""
    yield program
    for s in program.statements:
        if isinstance(s, Repeat):
            yield from programs(s.body)


def whole_table(program: Program) -> dict[str, Buffer]:
    """The buffers of a program and of its bodies by name; one that is captured as it is where it is made."""
    found: dict[str, Buffer] = {}
    for p in programs(program):
        for b in p.buffers:
            found.setdefault(b.name, b)
    return found


class ProgramError(Exception):
    """A program that breaks the laws of this file: a fault of whoever built it, never of the user's data."""


def coordinates(index: tuple[Walk, ...]) -> tuple[int, ...]:
    """The slots that say where an operand is read."""
    return tuple(walk.slot for walk in index if isinstance(walk, At))


def _lines(p: Program) -> Iterator[str]:
    """The program as text, one statement a line."""
    table = p.table()

    def typed(n: str) -> str:
        b = table[n]
        return f"{n}: {b.dtype}[{', '.join(map(str, b.shape))}]"

    yield f"program {p.name}({', '.join(typed(n) for n in p.inputs)})"
    for name, rule in p.sizes:
        yield f"  size {name} = " + (f"{rule.buffer}.shape[{rule.axis}]" if isinstance(rule, SizeOf) else f"{rule.fn}{rule.args}")
    for b in p.buffers:
        if b.role in ("state", "const"):
            yield f"  {b.role} {typed(b.name)}" + (f"  # {b.origin}" if b.origin else "")
    for s in p.statements:
        match s:
            case Map():
                args = [_element(s, k) for k in range(len(s.operands))]
                over = ", ".join(f"i{i}<{s.space[i]}" for i in range(len(table[s.out].shape), len(s.space)))
                right = s.body.text(args) + (f" {s.reducer} over {over}" if s.reducer else "")
            case MatMul():
                added = f"{s.onto} + {s.factor} * " if s.onto else ""
                right = f"{added}{s.a}{chr(39) if s.ta else ''} @ {s.b}{chr(39) if s.tb else ''}"
            case Linalg():
                right = f"{s.fn}({', '.join(s.args)})"
            case Random():
                right = f"random {s.fn}({', '.join(reads(s))})"
            case Repeat():
                yield from (f"  {line}" for line in _lines(s.body))
                right = f"repeat({', '.join(_loop(s))})"
            case _:
                names = ("role", "start", "step", "axis", "extent", "put", "state", "number")
                extra = [f"{k}={getattr(s, k)}" for k in names if hasattr(s, k)]
                right = f"{type(s).__name__.lower()}({', '.join([*reads(s), *extra])})"
        yield f"  {typed(s.out)} = {right}" + (f"  # {table[s.out].origin}" if table[s.out].origin else "")
    for target, source in p.updates:
        yield f"  {target} <- {source}"
    yield f"  return {', '.join(p.outputs)}"


def _loop(s: Repeat) -> Iterator[str]:
    """What a loop is made of, as text."""
    yield s.body.name
    yield from (f"{k}={v}" for k in ("steps", "limit", "condition") if (v := getattr(s, k)) is not None)
    yield from (f"{state} from {n}" for state, n in s.starts)
    yield from (f"{part} of {n}" for part, n in s.slices)
    if s.backwards:
        yield "backwards"


def _element(s: Map, slot: int) -> str:
    """One element of an operand as text: x[i0, at[i1]]."""
    walks = ("0" if w is None else _element(s, w.slot) if isinstance(w, At) else f"i{w}" for w in s.index[slot])
    return f"{s.operands[slot]}[{', '.join(walks)}]"
