"""Work that is the same in every step of a loop, moved out of the loop.

Law of this file: a value that no step changes is computed before the loop where reading it in every step is cheaper than
computing it in every step, by the figures of costs.py; nothing is recomputed differently.  What is cheap to compute from
arrays that are read anyway stays where it is.  The step that results reads what was moved out as further inputs, under
the names that these values had.  `linear.py` writes a step in another form, with more to move out, where that is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from .costs import Cost, cost, instr_ns, labels, leaves, moved, storage, times, traffic, work
from .fuse import squeeze_to_maps
from .inline import drop_dead
from .ir import Buffer, Map, Program, Repeat, SizeOf, Statement, coordinates, reads
from .linear import reassociate
from .parts import cut, firm_sizes, fixed_values, fresh, named, part_buffer, steady, with_parts


@dataclass(frozen=True, slots=True)
class Gain:
    """A step before, a step after, and what is run once."""

    before: Cost
    after: Cost
    once: Cost

    def __str__(self) -> str:
        return f"a step: {self.before} before, {self.after} after; once: {self.once.flops:,} flops"


@dataclass(frozen=True, slots=True)
class Hoisted:
    """A loop's step in two: `once` is run before the loop, and its outputs are the last inputs of `step`, in order.

    `once` is None when there is nothing to move; then `step` is the program that was given.  Inputs and states of `once`
    are among those of the step, by name, and it updates nothing.
    """

    once: Program | None
    step: Program
    notes: tuple[str, ...]
    gain: Gain


def hoist(
    step: Program, constant: frozenset[str], sizes: Mapping[str, int], algebra: bool, changing: frozenset[str] = frozenset()
) -> Hoisted:
    """The step without what all steps share.

    `constant` names the inputs that hold the same values in all steps.  Constants are known to, and so are states, but
    for those that the step itself updates and those in `changing`: a record program needs the ones that the step beside it
    updates there.  `sizes` has a number for every size.  With `algebra` products of constant matrices are formed first where
    that saves work, which rounds differently: A'(A x - y) becomes (A'A) x - A'y.
    """
    plain = squeeze_to_maps(step)[0]
    constant |= frozenset(step.states) - changing
    lifted = partial(_lift, plain, constant, sizes)
    form, notes = reassociate(plain, constant, sizes, lambda p: cost(lifted(p)[1], sizes))
    once, after = lifted(form if algebra else plain)
    if once is None:
        after = step
    nothing = Cost(0, 0, 0.0)
    gain = Gain(cost(step, sizes), cost(after, sizes), cost(once, sizes) if once else nothing)
    told = [f"computed once: {_described(once, n)}" for n in once.outputs] + [str(gain)] if once else []
    told += notes if algebra or form is plain else [f"with reassociate=True: {n}" for n in notes]
    return Hoisted(once, after, tuple(told), gain)


def _described(once: Program, name: str) -> str:
    b = once.table()[name]
    return f"{name}: {b.dtype}[{', '.join(map(str, b.shape))}]" + (f"  # {b.origin}" if b.origin else "")


# ---------------------------------------------------------------- moving
def _lift(given: Program, constant: frozenset[str], sizes: Mapping[str, int], step: Program) -> tuple[Program | None, Program]:
    """(once, step) for a form `step` of the step that was given.  What stays may be cheaper to store once other values are
    gone, so this goes on until nothing moves; every round takes at least one instruction out of the step."""
    taken: dict[str, Statement] = {}
    buffers = step.table()
    program = step
    while (found := _round(program, constant, sizes)) is not None:
        program, statements = found
        for s in statements:
            taken.setdefault(s.out, s)
        buffers = {b.name: b for b in program.buffers if b.name not in buffers} | buffers
        constant |= {n for n in program.inputs if n not in given.inputs}
    read = leaves(program)
    names = tuple(n for n in program.inputs if n not in given.inputs and n in read)
    if not names:
        return None, step
    once = replace(
        step,
        name=f"{step.name} once",
        buffers=tuple(replace(b, role="temp") if b.name in taken else b for b in buffers.values()),
        statements=tuple(taken.values()),
        outputs=names,
        updates=(),
        checks=(),
    )
    inputs = tuple(n for n in program.inputs if n in given.inputs) + names
    kept = tuple(b for b in program.buffers if b.name in read or b.name in inputs or b.role in ("temp", "state"))
    return _needed(drop_dead(once)[0]), replace(program, inputs=inputs, buffers=kept)


def _needed(program: Program) -> Program:
    """The program without the arrays and sizes that nothing in it mentions."""
    table = program.table()
    rules = dict(program.sizes)
    read, used = leaves(program), {e for s in program.statements for e in named(s, table)}
    grown = -1
    while grown != len(read) + len(used):
        grown = len(read) + len(used)
        used.update(e for n in read for e in table[n].shape if isinstance(e, str))
        for rule in [rules[e] for e in used]:
            if isinstance(rule, SizeOf):
                read.add(rule.buffer)
            else:
                used.update(a for a in rule.args if isinstance(a, str))
    return replace(
        program,
        buffers=tuple(b for b in program.buffers if b.role == "temp" or b.name in read),
        inputs=tuple(n for n in program.inputs if n in read),
        states=tuple(n for n in program.states if n in read),
        sizes=tuple((n, r) for n, r in program.sizes if n in used),
    )


# ---------------------------------------------------------------- deciding
@dataclass
class _Prices:
    """What a step pays for fixed values, each at its cheapest: ns by name; the ones to store whole; and for each Map the
    instructions of its body to store, should that body be computed in the step."""

    ns: dict[str, float] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    parts: dict[str, set[int]] = field(default_factory=dict)
    roots: dict[str, list[int]] = field(default_factory=dict)


def _round(program: Program, constant: frozenset[str], sizes: Mapping[str, int]) -> tuple[Program, list[Statement]] | None:
    """The step without the values to store, and statements that compute those; None when nothing is worth storing."""
    table = program.table()
    firm = firm_sizes(program, constant)
    fixed = fixed_values(program, constant, firm)
    if not any(n in fixed for s in program.statements for n in reads(s)):
        return None
    prices = _priced(program, fixed, firm, sizes)
    whole, parts = _chosen(program, fixed, prices)
    if not whole and not parts:
        return None
    cuts: dict[Map, str] = {}
    buffers = dict(table)
    statements: list[Statement] = []
    taken: list[Statement] = []
    for s in program.statements:
        if s.out in fixed:
            taken.append(s)
        if s.out in whole:
            continue
        if isinstance(s, Map) and s.out in parts:
            names = {}
            for k in sorted(parts[s.out]):
                part = cut(s, k, "")
                if part not in cuts:
                    cuts[part] = fresh(s.out, buffers)
                    taken.append(replace(part, out=cuts[part]))
                    buffers[cuts[part]] = part_buffer(replace(part, out=cuts[part]), table[s.out].origin)
                names[k] = cuts[part]
            s = with_parts(s, names)
        statements.append(s)
    stored = (*(n for n in table if n in whole), *cuts.values())
    for n in stored:
        buffers[n] = replace(buffers[n], role="input")
    rest = replace(program, statements=tuple(statements), buffers=tuple(buffers.values()), inputs=(*program.inputs, *stored))
    return drop_dead(rest)[0], taken


def _priced(program: Program, fixed: frozenset[str], firm: frozenset[str], sizes: Mapping[str, int]) -> _Prices:
    table = program.table()
    beside = moved(program, sizes)
    readers = Counter(n for s in program.statements for n in set(reads(s)))
    readers.update({*program.outputs, *(source for _, source in program.updates)})
    unchanged = {s.out: steady(s, fixed, firm) for s in program.statements if isinstance(s, Map)}
    prices = _Prices()
    opaque: set[str] = set()  # read as whole arrays
    anyway: set[str] = set()  # read by what changes
    for s in program.statements:
        if not isinstance(s, Map):
            opaque.update(reads(s))
            if s.out not in fixed:
                anyway.update(reads(s))
        elif s.out not in fixed:
            flags = unchanged[s.out]
            last = len(flags) - 1
            used = {a for i, flag in zip(s.body.code, flags, strict=True) if not flag for a in i.args} | {last}
            prices.roots[s.out] = sorted(k for k in used if flags[k])
            bare = [s.body.code[k].value for k in prices.roots[s.out] if s.body.code[k].fn == "operand"]
            anyway.update(_arrays(s, bare))
    for b in program.buffers:
        if b.role != "temp" and b.name in fixed:
            prices.ns[b.name] = 0.0 if b.name in anyway else traffic(storage(b, sizes), beside)
    for s in program.statements:
        if isinstance(s, Map):
            ns = _body_price(s, table, unchanged[s.out], s.out in fixed, readers, prices, sizes, beside)
        else:
            ns = work(s, table, sizes)[1] + sum(prices.ns[n] / readers[n] for n in reads(s)) if s.out in fixed else 0.0
        if isinstance(s, Repeat):
            prices.ns[s.out] = ns  # its number of steps does not stand for what it left, which is stored instead
        elif s.out in fixed:
            store = traffic(storage(table[s.out], sizes), beside)
            if s.out in opaque:
                ns += store  # it is written and read again
            prices.ns[s.out] = min(ns, store)
            if store < ns:
                prices.whole.add(s.out)
    return prices


def _arrays(s: Map, slots: list[int]) -> set[str]:
    """What reading these operands reads, with the coordinates."""
    return {s.operands[k] for slot in slots for k in (slot, *coordinates(s.index[slot]))}


def _body_price(
    s: Map,
    table: Mapping[str, Buffer],
    flags: list[bool],
    fixed: bool,
    readers: Counter[str],
    prices: _Prices,
    sizes: Mapping[str, int],
    beside: int,
) -> float:
    """What a step pays for the value of the body, when it is fixed; and which parts of the body to store."""
    depends = labels(s)
    uses = Counter(a for i in s.body.code for a in set(i.args))
    ns: list[float] = []
    chosen = prices.parts.setdefault(s.out, set())
    full = len(s.body.code) - 1 if fixed and s.reducer is None and len(depends[-1]) == len(s.space) else -1  # that is s.out
    for k, i in enumerate(s.body.code):
        price = 0.0
        if flags[k] and i.fn == "operand":
            price = sum(prices.ns[n] / readers[n] for n in _arrays(s, [i.value]))
        elif flags[k] and i.args:
            price = instr_ns(i) * times(depends[k], s.space, sizes) + sum(ns[a] / uses[a] for a in set(i.args))
            shape = tuple(s.space[x] for x in depends[k])
            store = traffic(storage(Buffer("", i.dtype, shape), sizes), beside)
            if store < price and k != full:
                chosen.add(k)
                price = store
        ns.append(price)
    if not fixed:
        return 0.0
    inside = sum(instr_ns(i) * times(d, s.space, sizes) for i, d in zip(s.body.code, depends, strict=True))
    return ns[-1] + work(s, table, sizes)[1] - inside  # with the gathers and the reduction


def _chosen(program: Program, fixed: frozenset[str], prices: _Prices) -> tuple[set[str], dict[str, set[int]]]:
    """What the changing part of the step needs, followed down to the values that are worth storing."""
    by_name = {s.out: s for s in program.statements if s.out in fixed}
    whole: set[str] = set()
    parts: dict[str, set[int]] = {}
    seen: set[str] = set()
    wanted = [*program.outputs, *(source for _, source in program.updates)]

    def body(s: Map, roots: list[int]) -> None:
        stack = list(roots)
        while stack:
            k = stack.pop()
            i = s.body.code[k]
            if k in prices.parts[s.out]:
                parts.setdefault(s.out, set()).add(k)
            elif i.fn == "operand":
                wanted.extend(_arrays(s, [i.value]))
            else:
                stack.extend(i.args)

    for s in program.statements:
        if s.out not in fixed:
            if isinstance(s, Map):
                body(s, prices.roots[s.out])
            else:
                wanted.extend(reads(s))
    while wanted:
        n = wanted.pop()
        if n in seen or n not in by_name:
            continue
        seen.add(n)
        s = by_name[n]
        if n in prices.whole:
            whole.add(n)
        elif isinstance(s, Map):
            body(s, [len(s.body.code) - 1])
        else:
            wanted.extend(reads(s))
    return whole, parts
