"""Is a program well formed?

Law of this file: it holds the laws that `ir` states, one line each, and changes nothing; a program that breaks one is
the fault of whoever built it.
"""

from __future__ import annotations

from .ir import (
    DTYPES,
    LINALG,
    RANDOM,
    REDUCERS,
    At,
    Buffer,
    Concat,
    Conv,
    First,
    Indirect,
    Last,
    Linalg,
    Map,
    MatMul,
    Place,
    Pool,
    Program,
    ProgramError,
    Random,
    Repeat,
    Reshape,
    Scatter,
    Size,
    SizeOf,
    Slice,
    Stack,
    Statement,
    Within,
    coordinates,
    reads,
)


def verify(program: Program) -> None:
    """Raise `ProgramError` unless the program is well formed: names, order, ranks, dtypes, roles."""
    _verify(program, set(), {})


def _verify(program: Program, sizes: set[str], taken: dict[str, Buffer]) -> None:
    """`sizes` and `taken` are what lies around a body: its sizes, and all buffers written down so far."""
    table = program.table()
    if len(table) != len(program.buffers):
        raise ProgramError("two buffers share a name")
    taken |= table
    for name, rule in program.sizes:
        if isinstance(rule, SizeOf):
            b = table.get(rule.buffer)
            if b is None or b.role not in ("input", "state") or not 0 <= rule.axis < len(b.shape):
                raise ProgramError(f"size {name} is the extent of nothing: {rule}")
        elif any(isinstance(a, str) and a not in sizes for a in rule.args):
            raise ProgramError(f"size {name} uses a size that is not known yet: {rule}")
        sizes.add(name)

    def check_sizes(where: str, entries: tuple[Size, ...]) -> None:
        for s in entries:
            if isinstance(s, str) and s not in sizes or isinstance(s, int) and s < 0:
                raise ProgramError(f"{where}: bad size {s!r}")

    ready: set[str] = set()
    for b in program.buffers:
        if b.dtype not in DTYPES:
            raise ProgramError(f"{b.name}: unknown dtype {b.dtype}")
        check_sizes(b.name, b.shape)
        if (b.role == "const") != (b.value is not None):
            raise ProgramError(f"{b.name}: exactly the constants carry a value")
        if b.value is not None and (b.value.shape != b.shape or b.value.dtype != b.dtype):
            raise ProgramError(f"{b.name}: value is {b.value.dtype} {b.value.shape}, not {b.dtype} {b.shape}")
        if b.role != "temp":
            ready.add(b.name)
    for names, role in ((program.inputs, "input"), (program.states, "state")):
        if sorted(names) != sorted(b.name for b in program.buffers if b.role == role):
            raise ProgramError(f"the calling order of the {role} buffers does not list exactly those")
    loops = {s.out: s for s in program.statements if isinstance(s, Repeat)}
    left = [(s.of, s.state if isinstance(s, Last) else s.number) for s in program.statements if isinstance(s, Last | Stack)]
    if len(set(left)) < len(left):
        raise ProgramError("two names for one result of a loop")
    for s in program.statements:
        for n in reads(s):
            if n not in ready:
                raise ProgramError(f"{s.out} reads {n} before it is written")
        if s.out not in table or table[s.out].role != "temp" or s.out in ready:
            raise ProgramError(f"{s.out} is not a fresh temp")
        _verify_statement(s, table, check_sizes)
        if isinstance(s, Repeat):
            _verify_loop(s, table, sizes, taken)
        elif isinstance(s, Last | Stack):
            loop = loops.get(s.of)
            if loop is None:
                raise ProgramError(f"{s.out} is what a loop left, and {s.of} is none")
            _verify_result(s, loop, table[s.out])
        ready.add(s.out)
    for n in program.outputs:
        if n not in ready:
            raise ProgramError(f"output {n} is never written")
    for target, source in program.updates:
        if target not in table or source not in ready or table[target].role != "state":
            raise ProgramError(f"update {target} <- {source} is not from a ready buffer to a state")
        if table[target].dtype != table[source].dtype or len(table[target].shape) != len(table[source].shape):
            raise ProgramError(f"update {target} <- {source} changes dtype or rank")


def _verify_statement(s: Statement, table: dict[str, Buffer], check_sizes) -> None:
    out = table[s.out]
    rank = {n: len(table[n].shape) for n in (*reads(s), s.out)}

    def need(ok: bool, what: str) -> None:
        if not ok:
            raise ProgramError(f"{s.out}: {what}: {s}")

    match s:
        case Map():
            check_sizes(s.out, s.space)
            need(len(s.space) >= len(out.shape), "iteration space smaller than the output")
            need((s.reducer is not None) == (len(s.space) > len(out.shape)), "reducer exactly when labels are reduced")
            need(s.reducer is None or s.reducer in REDUCERS, "unknown reducer")
            need(s.space[: len(out.shape)] == out.shape, "leading labels are not the output's axes")
            need(len(s.index) == len(s.operands), "an index map for each operand")
            for n, index in zip(s.operands, s.index, strict=True):
                need(len(index) == rank[n], f"index map of {n} has another rank")
                for label, extent in zip(index, table[n].shape, strict=True):
                    if isinstance(label, At):
                        need(0 <= label.slot < len(s.operands), f"{n} is read where an operand says that is not there")
                        need(table[s.operands[label.slot]].dtype in ("int32", "int64"), f"{n} is read where no integer says")
                        need(not coordinates(s.index[label.slot]), f"{n} is read where a gathered operand says")
                    elif label is None:
                        need(extent == 1, f"{n} is read at 0 on an axis that is not 1")
                    else:
                        need(0 <= label < len(s.space) and s.space[label] == extent, f"{n} walks a label of another size")
            need(s.body.operands() <= set(range(len(s.operands))), "body names an operand that is not there")
        case MatMul():
            need(rank[s.a] >= 2 and rank[s.b] >= 2, "rank below 2")
            need(rank[s.out] == max(rank[s.a], rank[s.b]), "rank of the result")
            need(all(table[n].dtype == out.dtype for n in reads(s)), "mixed dtypes")
            need((s.onto is None) == (s.factor is None), "onto something by a factor")
            need(s.onto is None or table[s.onto].shape == out.shape and len(out.shape) == 2, "onto another shape, or a batch")
            need(s.factor is None or table[s.factor].shape == (), "a factor is one number")
        case Slice() | Place():
            need(len(s.start) == len(s.step) == rank[s.x] == rank[s.out], "a start and a step for each axis")
            check_sizes(s.out, s.start)
            need(all(s.step), "a step of 0")
        case Concat():
            need(0 <= s.axis < rank[s.out] and all(rank[x] == rank[s.out] for x in s.xs), "ranks and axis")
        case Linalg():
            floats = [table[n].dtype in ("float32", "float64") for n in s.args]
            given = "int32" if s.fn == "top" else table[s.args[0]].dtype
            need(s.fn in LINALG and all(floats) and out.dtype == given, "unknown function or dtype")
        case Random():
            need(s.fn in RANDOM, "unknown distribution")
            stream = table[s.stream]
            need(stream.role == "state" and stream.dtype == "int64" and stream.shape == (3,), "stream is int64[3] state")
        case Reshape():
            need(table[s.x].dtype == out.dtype, "reshape changes the dtype")
        case Scatter():
            x, at = table[s.x], table[s.at]
            need(x.dtype == out.dtype and (s.put or out.dtype != "bool") and at.dtype in ("int32", "int64"), "dtypes")
            need(at.shape == x.shape[:1] and x.shape[1:] == out.shape[1:] and rank[s.x] == rank[s.out], "a coordinate for each row")
            need(s.onto is None or (table[s.onto].dtype, table[s.onto].shape) == (out.dtype, out.shape), "onto another shape or dtype")
            need(s.onto is not None or not s.put, "rows are put onto something")
        case Conv():
            need(out.dtype in ("float32", "float64") and all(table[n].dtype == out.dtype for n in (s.a, s.b)), "dtypes")
            shapes = {**dict(zip((r for r in "xwy" if r != s.role), (table[s.a].shape, table[s.b].shape), strict=True)), s.role: out.shape}
            images, filters, made = (shapes[r] for r in "xwy")
            need(len(images) == len(filters) == len(made) == len(s.windows) + 2, "ranks")
            need(all(isinstance(e, int) for e in (*images[1:], *filters, *made[1:])), "extents but the number of images are numbers")
            need(tuple(v.size for v in s.windows) == filters[:-2] and images[0] == made[0], "extents")
            channels = filters[-2] * filters[-1] if s.depthwise else filters[-1]  # type: ignore[operator]
            need(images[-1] == filters[-2] and made[-1] == channels, "channels")
        case Pool():
            one = (out, table[s.x], table[s.v])[2 if s.role == "route" else 0].shape
            need(all(isinstance(e, int) for e in (*table[s.x].shape[1:], *one[1:])), "extents but the number of images are numbers")
            need(len(one) == rank[s.x] == len(s.windows) + 2 and one[-1] == table[s.x].shape[-1], "ranks or channels")
            need((out if s.role == "route" else table[s.v]).shape == table[s.x].shape, "two arrays of one shape")
            need(out.dtype == table[s.v].dtype, "dtypes")
            need(s.cells is None or table[s.cells].dtype == "int64", "a table is int64")
        case Indirect():
            need(all(table[n].dtype == "int64" and table[n].role == "const" for n in s.tables), "tables are int64 constants")
            need(table[s.a].dtype == table[s.b].dtype == out.dtype, "dtypes")
        case First() | Within():
            need((table[s.x].dtype, table[s.x].shape) == (out.dtype, out.shape), "another shape or dtype")
            need(out.dtype in ("int32", "int64"), "coordinates are integers")
            check_sizes(s.out, (s.extent,))


def _verify_loop(s: Repeat, table: dict[str, Buffer], sizes: set[str], taken: dict[str, Buffer]) -> None:
    body, inner = s.body, s.body.table()
    starts, slices = dict(s.starts), dict(s.slices)

    def need(ok: bool, what: str) -> None:
        if not ok:
            raise ProgramError(f"{s.out}: {what}")

    def typed(b: Buffer) -> tuple:
        return b.dtype, b.shape

    need(typed(table[s.out]) == ("int64", ()), "the number of steps is int64")
    need(s.steps is None or isinstance(s.steps, int) and s.steps >= 0 or s.steps in sizes, f"bad number of steps {s.steps!r}")
    need(s.steps is not None or not s.slices, "slices of no known number")
    need(s.steps is not None or s.limit is not None or s.condition is not None, "nothing ends it")
    need(s.limit is None or table[s.limit].dtype in ("int32", "int64") and not table[s.limit].shape, "its limit is one integer")
    need(not (s.backwards and s.condition), "backwards, and nobody knows from where")
    need(not body.sizes and not body.checks, "sizes and checks are those of the program around")
    need(starts.keys() <= set(body.states) and slices.keys() <= set(body.inputs), "starts or slices of what the body does not have")
    need(len(starts) == len(s.starts) and len(slices) == len(s.slices), "two starts or slices for one buffer")
    need(s.condition is None or s.condition in starts and typed(inner[s.condition]) == ("bool", ()), "its condition is one carried bool")
    for n, outer in s.starts:
        need(typed(inner[n]) == typed(table[outer]), f"{n} does not start from {outer}, which has another dtype or shape")
    for n, outer in s.slices:
        whole = (inner[n].dtype, (s.steps, *inner[n].shape))
        need(typed(table[outer]) == whole, f"{n} is no slice of {outer}")
    for n in (*s.captured, *s.streams):
        need(typed(inner[n]) == typed(table[n]), f"{n} is another buffer than {n} around the loop")
    for n in s.streams:
        need(table[n].role == "state" and inner[n].dtype == "int64", f"{n} is carried and starts from nothing")
    need(all(target in starts for target, _ in body.updates), "only what is carried is updated")
    known = {*s.captured, *s.streams}
    for b in body.buffers:
        same = b.role == "const" and b.name in taken and taken[b.name].value is b.value
        need(b.name not in taken or b.name in known or same, f"{b.name} is also the name of something else")
    _verify(body, sizes, taken)


def _verify_result(s: Last | Stack, loop: Repeat, out: Buffer) -> None:
    inner = loop.body.table()
    if isinstance(s, Last):
        if s.state not in dict(loop.starts) or (out.dtype, out.shape) != (inner[s.state].dtype, inner[s.state].shape):
            raise ProgramError(f"{s.out} is not what {s.of} left of {s.state}")
        return
    if loop.steps is None or not 0 <= s.number < len(loop.body.outputs):
        raise ProgramError(f"{s.out} stacks what {s.of} does not put out")
    b = inner[loop.body.outputs[s.number]]
    if (out.dtype, out.shape) != (b.dtype, (loop.steps, *b.shape)):
        raise ProgramError(f"{s.out} has another dtype or shape than a stack of {b.name}")
