"""Passes for what a step leaves: new values of states, rows of stacks, and what is only added to a state.

Law of this file: a new value that is the old one plus something is written as that something added, so that memory can
do it in place; what is written there is nobody else's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from .inline import Rewritten, copying, drop_dead, inline_maps, tidy, with_statements
from .ir import SAME, Buffer, Map, MatMul, Program, Repeat, Scatter, Stack, Statement, reads
from .scalar import Body, Builder


# ---------------------------------------------------------------- what is left
def settle_updates(program: Program) -> Rewritten:
    """An update from anything but a temp used by one update goes through a copy, made before anything changes."""
    table = program.table()
    seen: set[str] = set()
    updates, copies, buffers, changes = [], [], [], []
    for target, source in program.updates:
        if source == target:
            continue
        if table[source].role != "temp" or source in seen:
            b = table[source]
            fresh = Buffer(f"{target}.next", b.dtype, b.shape, origin=table[target].origin)
            buffers.append(fresh)
            labels = tuple(range(len(b.shape)))
            copies.append(Map(fresh.name, (source,), (labels,), b.shape, copying(b.dtype)))
            changes.append(f"{target} <- copy of {source}")
            source = fresh.name
        seen.add(source)
        updates.append((target, source))
    program = replace(program, updates=tuple(updates))
    return with_statements(program, [*program.statements, *copies], tuple(buffers)), changes


def settle_stacks(program: Program) -> Rewritten:
    """Loops put out what is stacked and nothing else, each a temp that is neither another output nor a new state."""
    stacked = {(s.of, s.number): s.out for s in program.statements if isinstance(s, Stack)}
    statements: list[Statement] = []
    changes: list[str] = []
    order: dict[str, list[int]] = {}
    for s in program.statements:
        if isinstance(s, Repeat):
            kept = order[s.out] = [k for k in range(len(s.body.outputs)) if (s.out, k) in stacked]
            body, copied = _own_outputs(replace(s.body, outputs=tuple(s.body.outputs[k] for k in kept)))
            changes += copied + [f"{s.out}: {n}" for k, n in enumerate(s.body.outputs) if k not in kept]
            s = replace(s, body=body)
        elif isinstance(s, Stack):
            s = replace(s, number=order[s.of].index(s.number))
        statements.append(s)
    return with_statements(program, statements), changes


def _own_outputs(body: Program) -> Rewritten:
    """Values from before the step are copied first, while they are there; the others when the step is done."""
    table = body.table()
    same = {s.out: s.x for s in body.statements if isinstance(s, SAME)}
    taken = {source for _, source in body.updates}
    outputs: list[str] = []
    buffers: list[Buffer] = []
    first: list[Statement] = []
    last: list[Statement] = []
    for n in body.outputs:
        root = n
        while root in same:
            root = same[root]
        if root in taken or table[root].role != "temp":
            b = table[n]
            fresh = replace(b, name=f"{n}.out{len(outputs)}", role="temp", value=None)
            buffers.append(fresh)
            copies = last if b.role == "temp" else first
            copies.append(Map(fresh.name, (n,), (tuple(range(len(b.shape))),), b.shape, copying(b.dtype)))
            n = root = fresh.name
        taken.add(root)
        outputs.append(n)
    statements = [*first, *body.statements, *last]
    return with_statements(replace(body, outputs=tuple(outputs)), statements, tuple(buffers)), [s.out for s in (*first, *last)]


def keep_scalars(program: Program) -> Rewritten:
    """A number that is updated is read through a copy, made before anything else, where whole arrays read it.

    It can then change at once, in its place, and nobody has to wait until all have read it."""
    table = program.table()
    changed = {target for target, _ in program.updates if table[target].shape == ()}
    wide = {n for s in program.statements if table[s.out].shape for n in reads(s)} & changed
    if not wide:
        return program, []
    names = {n: f"{n}.old" for n in table if n in wide}
    copies: list[Statement] = [Map(new, (n,), ((),), (), copying(table[n].dtype)) for n, new in names.items()]
    statements = [replace(s, operands=tuple(names.get(n, n) for n in s.operands)) if isinstance(s, Map) else s for s in program.statements]
    buffers = tuple(replace(table[n], name=new, role="temp") for n, new in names.items())
    return with_statements(program, [*copies, *statements], buffers), list(names)


# ---------------------------------------------------------------- what is added to a state
def scatter_onto(program: Program) -> Rewritten:
    """W <- W - c S with S scattered and used once becomes: the rows of S, times -c, added to W.

    Those rows alone are touched where the sum is made in place.  Such statements go to the end, so that everything else
    reads the state before it changes."""
    if not any(isinstance(s, Scatter) for s in program.statements):
        return program, []
    program, _ = drop_dead(program)  # what was inlined reads nothing any more
    table = program.table()
    made = {s.out: s for s in program.statements}
    uses = Counter(n for s in program.statements for n in reads(s))
    read_outside = {*program.outputs, *(source for _, source in program.updates)}
    gone: set[str] = set()
    added: list[Statement] = []
    buffers: list[Buffer] = []
    changes: list[str] = []
    for target, source in program.updates:
        s = made.get(source)
        if not isinstance(s, Map) or uses[source] or s.reducer is not None or s.body.dtype != table[source].dtype:
            continue
        parts = _added(s, table, target)
        rows = [made.get(s.operands[k]) for k in parts or ()]
        if not parts or not all(isinstance(r, Scatter) and r.onto is None and uses[r.out] == 1 and r.out not in read_outside for r in rows):
            continue
        onto = target
        for number, (slot, body) in enumerate(parts.items(), start=1):
            r = made[s.operands[slot]]
            assert isinstance(r, Scatter)
            x, out = r.x, source if number == len(parts) else f"{source}.{number}"
            if len(body.code) > 1:
                x = f"{r.out}.rows"
                shape = table[r.x].shape
                scaled = Map(x, tuple(r.x if k == slot else n for k, n in enumerate(s.operands)), s.index, shape, body)
                buffers.append(Buffer(x, table[r.x].dtype, shape, origin=table[r.out].origin))
                added.append(tidy(scaled))
            if out != source:
                buffers.append(replace(table[source], name=out))
            added.append(Scatter(out, x, r.at, onto))
            onto = out
        gone |= {source, *(r.out for r in rows if r)}
        changes.append(f"{', '.join(r.out for r in rows if r)} onto {target}")
    maps = [s for s in added if isinstance(s, Map)]
    puts: list[Statement] = []
    for s in reversed(program.statements):
        if isinstance(s, Scatter) and s.put and uses[s.out] == sum(p.onto == s.out for p in puts if isinstance(p, Scatter)):
            puts.insert(0, s)
    others = [s for s in program.statements if s.out not in gone and s not in puts]
    done = with_statements(program, [*others, *maps, *(s for s in added if s not in maps), *puts], tuple(buffers))
    return inline_maps(done)[0] if changes else done, changes


def products_onto(program: Program) -> Rewritten:
    """W <- W - c A B with the product used once becomes a product that is added to W: one call, and no array for A B.

    Where W is read after that, or has a dtype that is not a float, there is nothing to gain."""
    program, _ = drop_dead(program)  # what was inlined reads nothing any more
    table = program.table()
    made = {s.out: s for s in program.statements}
    uses = Counter(n for s in program.statements for n in reads(s))
    uses.update(program.outputs)
    uses.update(source for _, source in program.updates)
    position = {s.out: k for k, s in enumerate(program.statements)}
    last = {n: k for k, s in enumerate(program.statements) for n in reads(s)}
    statements: dict[str, tuple[Statement, ...]] = {}
    buffers: list[Buffer] = []
    factors: dict[Map, str] = {}  # equal ones are one: the layers of a net have one learning rate
    for target, source in sorted(program.updates, key=lambda u: position.get(u[1], -1)):
        s = made.get(source)
        if not isinstance(s, Map) or s.reducer is not None or len(s.space) != 2 or table[target].dtype not in ("float32", "float64"):
            continue
        terms = _added(s, table, target)
        if terms is None or len(terms) != 1 or last[target] > position[source] or s.body.dtype != table[target].dtype:
            continue
        ((slot, body),) = terms.items()
        product = made.get(s.operands[slot])
        if not isinstance(product, MatMul) or product.onto or uses[product.out] != 1 or body.dtype != table[target].dtype:
            continue
        one = Builder()
        at: list[int] = []
        for i in body.code:
            whole = i.fn == "operand" and i.value == slot
            at.append(one.literal(1, i.dtype) if whole else one.emit(i.fn, tuple(at[a] for a in i.args), i.dtype, i.value))
        scale = tidy(Map("", s.operands, tuple(tuple(None for _ in ix) for ix in s.index), (), one.finish(at[-1], body.dtype)))
        factor = factors.setdefault(scale, f"{source}.factor")
        fresh = factor == f"{source}.factor"
        if fresh:
            buffers.append(Buffer(factor, table[target].dtype, (), origin=table[source].origin))
        statements[product.out] = ()
        statements[source] = (*([replace(scale, out=factor)] * fresh), replace(product, out=source, onto=target, factor=factor))
    if not statements:
        return program, []
    done = [r for s in program.statements for r in statements.get(s.out, (s,))]
    return with_statements(program, done, tuple(buffers)), [s for s, made in statements.items() if made]


def _added(s: Map, table: dict[str, Buffer], target: str) -> dict[int, Body] | None:
    """If s is `target` plus multiples of other operands of its shape, read whole: those operands, with the body that
    makes what is added out of each."""
    code = s.body.code
    axes = tuple(range(len(s.space)))
    whole = {k for k, ix in enumerate(s.index) if len(ix) == len(axes) and all(w == a or s.space[a] == 1 for a, w in enumerate(ix))}
    same: list[bool] = []
    for i in code:
        fixed = i.fn != "operand" or all(w is None for w in s.index[i.value])  # type: ignore[index]
        same.append(i.fn != "index" and fixed and all(same[a] for a in i.args))
    terms: list[tuple[int, ...] | None] = []
    for i in code:
        held = [terms[a] or () for a in i.args]
        linear = all(same[a] or terms[a] is not None for a in i.args)
        match i.fn:
            case "operand":
                terms.append((i.value,) if i.value in whole else None)  # type: ignore[arg-type]
            case "add" | "sub" if linear and not any(same[a] for a in i.args):
                terms.append((*held[0], *held[1]))
            case "neg" if linear and not same[i.args[0]]:
                terms.append(held[0])
            case "mul" if linear and same[i.args[0]] != same[i.args[1]]:
                terms.append((*held[0], *held[1]))
            case "div" if linear and same[i.args[1]] and not same[i.args[0]]:
                terms.append(held[0])
            case _:
                terms.append(None)
    slots = terms[-1] or ()
    if len(slots) < 2 or len(set(slots)) < len(slots) or [s.operands[k] for k in slots].count(target) != 1:
        return None

    def part(slot: int) -> Body:
        """The body with every other term left out."""
        b = Builder()
        at: list[int] = []

        def emit(position: int) -> int:
            i = code[position]
            if same[position] or i.fn == "operand":
                return b.emit(i.fn, tuple(emit(a) for a in i.args), i.dtype, i.value)
            mine = [slot in (terms[a] or ()) for a in i.args]
            if i.fn in ("add", "sub"):
                kept = emit(i.args[mine.index(True)])
                return b.apply("neg", kept) if i.fn == "sub" and mine[1] else kept
            return b.emit(i.fn, tuple(emit(a) for a in i.args), i.dtype, i.value)

        at.append(emit(len(code) - 1))
        return b.finish(at[0], s.body.dtype)

    bodies = {slot: part(slot) for slot in slots}
    base = next(k for k in slots if s.operands[k] == target)
    return {k: body for k, body in bodies.items() if k != base} if len(bodies[base].code) == 1 else None
