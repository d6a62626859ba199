"""Plans and homes to the body of one kernel.

Law of this file: it decides nothing about what runs together or where values live, and puts around a program's regions
what makes them a kernel: its arguments, and in a loop of steps the slices, the record and the word to the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .addresses import Names, least, product, scaled, size_text
from .ir import Loop, SizeExpr, SizeOf
from .loops import Barrier, Call, For, Function, If, Let, Node, Return
from .memory import Arg, Arguments, Extent, Home, Part
from .nests import Meeting, PhaseWriter, Region
from .phases import Hints
from .regions import copied, join, regions

TOGETHER, MOMENT = 16, 1 << 25
"""Steps that are made at a time where rows never meet, at most; rows times steps between two looks at the clock (0.1 s)."""


@dataclass(frozen=True)
class Kernel:
    """A lowered program or loop: array arguments, size arguments (name in the program, name in the source), body, runtime
    names, and the buffers behind the pools of scalars.

    In a loop, arrays named in `stepped` come with one more leading axis and the number of elements of a slice of it, and
    `lengths` are sizes that come with a value for each step.

    `functions` are nests that several places call; they find their arrays in a table, whose entries are the arrays
    named in `table`.  Those in `unnamed` are found only there, and are no parameters."""

    name: str
    args: tuple[Arg, ...]
    sizes: tuple[tuple[str, str], ...]
    body: tuple[Node, ...]
    helpers: frozenset[str]
    meetings: tuple[Meeting, ...]
    pools: dict[str, tuple[str, ...]]
    loop: bool = False
    stepped: frozenset[str] = frozenset()
    lengths: tuple[tuple[str, str], ...] = ()
    functions: tuple[Function, ...] = ()
    table: tuple[str, ...] = ()
    unnamed: frozenset[str] = frozenset()

    @property
    def barriers(self) -> int:
        """Those in the text."""
        return sum(n for n, _ in self.meetings)

    def parameter(self, a: Arg) -> str:
        """What an array is called in the source; in a loop a name without underscore is a slice of it for the step."""
        return a.name + "_" * (a.name in self.stepped)

    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Names and Numba types of everything the kernel takes."""
        head = [("tid", "int64"), ("nthreads", "int64"), ("barrier", "int64[::1]")]
        if self.loop:
            head += [("control", "int64[::1]"), ("first", "int64"), ("last", "int64"), ("every", "int64")]
        head += [("table", "int64[::1]")] * bool(self.table)
        arrays = [
            (self.parameter(a), f"{'boolean' if a.dtype == 'bool' else a.dtype}[::1]") for a in self.args if a.name not in self.unnamed
        ]
        numbers = [(short, "int64") for _, short in self.sizes] + [(f"{a.name}_n", "int64") for a in self.args if a.name in self.stepped]
        return (*head, *arrays, *numbers, *((f"{short}_", "int64[::1]") for _, short in self.lengths))


def lower(part: Part, arguments: Arguments, hints: Hints, writer: type[PhaseWriter] = PhaseWriter) -> Kernel:
    """The loop nests of a whole step."""
    names = Names({name: f"n{k}" for k, (name, _) in enumerate(part.program.sizes)})
    helpers: set[str] = set()
    body, meetings = join(_regions(part, names, helpers, arguments, hints, writer))
    if meetings:
        helpers.add("barrier_wait")
    text = (*_constants(arguments), *body)
    return Kernel(part.program.name, arguments.ordered(), _passed(names), text, frozenset(helpers), meetings, arguments.slots())


def lower_loop(
    loop: Loop, step: Part, record: Part | None, arguments: Arguments, hints: Hints, writer: type[PhaseWriter] = PhaseWriter
) -> Kernel:
    """A whole loop: for each step its slices and sizes, what is recorded, the step itself, and word of it to the host."""
    rules = {name: rule for part in (record, step) if part for name, rule in part.program.sizes}
    names = Names({name: f"n{k}" for k, name in enumerate(rules)})
    helpers = {"barrier_wait", "step_done"}
    copies = _recording(record or step, names, arguments, hints)
    now = "s % every == 0"
    body: list[Node] = []
    meetings: tuple[Meeting, ...] = ((1, ()),)
    if record is not None:
        nodes, more = join([*_regions(record, names, helpers, arguments, hints, writer), *copies])
        body.append(If(now, (*nodes, Barrier("what is recorded is from before the step"))))
        meetings = ((2, ()), *more)
        copies = []
    for region in copies:
        region.nodes = [If(now, tuple(region.nodes))]
    found = _regions(step, names, helpers, arguments, hints, writer)
    stepped = frozenset(a.name for a in arguments.made if a.buffer in loop.stepped)
    lengths: tuple[tuple[str, str], ...] = ()
    top: list[Let] = []
    if not (body or copies or stepped or loop.lengths) and _rows_apart(step, found):
        steps = _block_by_block(step, found[0], names)
    else:
        done = Region(False, [Call("step_done(control, s)")])
        nodes, more = join([*found, *copies, done])
        body += [*nodes, Barrier("the step is done")]
        meetings += more
        lengths, top = _lengths(loop, rules, names)
        top += [Let(name, f"{name}_[s * {name}_n:]") for name in sorted(stepped)]
        steps = [For("s", "first, last", (If("s >= control[0]", (Return(),)), *top, *body))]
    return Kernel(
        loop.name,
        arguments.ordered(),
        _passed(names, {size for size, _ in lengths} | {node.name for node in top}),
        (*_constants(arguments), *steps),
        frozenset(helpers),
        meetings,
        arguments.slots(),
        True,
        stepped,
        lengths,
    )


def _passed(names: Names, varying: set[str] | frozenset[str] = frozenset()) -> tuple[tuple[str, str], ...]:
    """The sizes that are arguments: those that the source mentions and does not find for each step."""
    return tuple((size, short) for size, short in names.sizes.items() if size in names.used and not {size, short} & varying)


def _rows_apart(step: Part, regions: list[Region]) -> bool:
    """Does no row of a step ever meet another: is it one walk over rows, without a sum over them?

    A state that is updated is then read at its own row only, or it would be copied when the walk is done."""
    return len(regions) == 1 and regions[0].team and len(step.plans) == 1 and step.plans[0].phase.kind == "rows"


def _block_by_block(step: Part, region: Region, names: Names) -> list[Node]:
    """Steps whose rows never meet, several at a time: each block of rows makes all of them while it lies in the cache.

    Ten steps of a Black-Scholes formula on 2,000,000 rows read the arrays once and not ten times."""
    (plan,) = step.plans
    *head, walk = region.nodes
    assert isinstance(walk, For)
    inner = For(walk.var, walk.extent, (For("s", "begin, end", walk.body),))
    rows = product(plan.phase.rows, names)
    some = Let("some", f"1 if {rows} > {MOMENT // 2} else {TOGETHER} if {rows} < {MOMENT // TOGETHER} else {MOMENT} // ({rows})")
    end = Let("end", least("begin + some", "last"))
    done = If("tid == 0", (Call("step_done(control, end - 1)"),))
    stop = If("begin >= control[0]", (Return(),))
    return [*head, some, For("begin", "first, last, some", (stop, end, inner, done, Barrier("the steps are done")))]


def _lengths(loop: Loop, rules: Mapping[str, SizeOf | SizeExpr], names: Names) -> tuple[tuple[tuple[str, str], ...], list[Let]]:
    """Sizes that have a value for each step, and how a step finds them and what is computed from them."""
    varying: set[str] = set()
    for name, rule in rules.items():
        if name in loop.lengths or isinstance(rule, SizeExpr) and varying.intersection(a for a in rule.args if isinstance(a, str)):
            varying.add(name)
    wanted = {name for name in varying if name in names.used}
    for name in reversed(list(rules)):
        rule = rules[name]
        if name in wanted and isinstance(rule, SizeExpr):
            for a in rule.args:
                names.size(a)
            wanted |= varying.intersection(a for a in rule.args if isinstance(a, str))
    lengths = tuple((name, names.sizes[name]) for name in rules if name in wanted and name in loop.lengths)
    top = [Let(short, f"{short}_[s]") for _, short in lengths]
    for name, rule in rules.items():
        if name in wanted and isinstance(rule, SizeExpr):
            top.append(Let(names.sizes[name], size_text(rule, names)))
    return lengths, top


def _regions(part: Part, names: Names, helpers: set[str], arguments: Arguments, hints: Hints, writer: type[PhaseWriter]) -> list[Region]:
    return regions(part, names, helpers, [s.out for s in arguments.failing], hints, writer=writer)


def _recording(part: Part, names: Names, arguments: Arguments, hints: Hints) -> list[Region]:
    """Copies of a program's outputs to the rows of the history."""
    regions = []
    table = part.program.table()
    for number, result in enumerate(part.memory.results):
        dtype = table[part.program.outputs[number]].dtype
        history = arguments.new(dtype, "history", Extent(result.shape), str(number))
        row = names.fresh("x")
        home = Home("slot" if result.kind == "slot" else "array", result.arg, result.slot)
        copy = copied(f"record {part.program.outputs[number]}", result.shape, Home("array", row), home, names, hints)
        copy.nodes.insert(1, Let(row, f"{history}[{scaled('(s // every)', product(result.shape, names))}:]"))
        copy.writes = {history}
        regions.append(copy)
    return regions


def _constants(arguments: Arguments) -> list[Node]:
    """Scalar constants as local names."""
    return [Let(f"{pool}_{k}", f"{pool}[{k}]") for pool, held in arguments.pools.items() if pool[0] == "c" for k in range(len(held))]
