"""Sums over rows that can be formed once: A'(A x - y) is (A'A) x - A'y, and A'A and A'y hold no x.

Law of this file: a product that contracts a label r is written as a sum of terms, each a product of factors, by following
what changes along r through sums, differences, and products with one factor at a time.  Where every factor that has r is
the same in all steps, the sums over r are statements of their own over such values (in float64, rounded once), and what is
left in the step lacks r.  A product of two values that change along r is left alone: so is the square of a residual,
whose expansion would cancel.  Which of these products are replaced is decided by the cost of the whole step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod

from .costs import Cost, labels
from .fuse import drop_dead, product_as_map
from .ir import At, Buffer, Map, MatMul, Program, Size, Statement, reads
from .parts import cut, firm_sizes, fixed_values, fresh, part_buffer, steady
from .scalar import Builder

FALL = 0.9
"""The step's cost must fall at least to this share of what it was: other rounding has to buy something."""
MAX_TERMS = 24
MAX_DEPTH = 40
MAX_CUBE = 1 << 24
"""Elements past which a sum that is neither a product of two matrices nor over one array is not formed: the interpreter,
which runs what is run once, holds all that it adds up."""

Axes = tuple[int | None, ...]
"""The label that walks each axis of an array; None where the extent is 1."""


@dataclass(frozen=True, slots=True)
class Factor:
    name: str
    axes: Axes

    @property
    def labels(self) -> frozenset[int]:
        return frozenset(a for a in self.axes if a is not None)


@dataclass(frozen=True, slots=True)
class Term:
    """number * product of factors, summed over some labels."""

    number: float
    factors: tuple[Factor, ...]
    summed: frozenset[int] = frozenset()


class NotLinear(Exception):
    """What changes along the label is not a sum of products of fixed values that have it and others that lack it."""


@dataclass
class _Form:
    """A program while it is written in another form."""

    table: dict[str, Buffer]
    fixed: set[str]
    firm: frozenset[str]
    sizes: Mapping[str, int]
    makers: dict[str, Statement] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    extents: list[Size] = field(default_factory=list)
    """By label."""
    sums: dict[object, Factor] = field(default_factory=dict)
    """Values that were made for an earlier product, by what they are."""
    through: set[str] = field(default_factory=set)
    """What was expanded for the product at hand."""

    def label(self, extent: Size) -> int | None:
        if extent == 1:
            return None
        self.extents.append(extent)
        return len(self.extents) - 1

    def is_firm(self, label: int) -> bool:
        e = self.extents[label]
        return isinstance(e, int) or e in self.firm

    def number(self, label: int) -> int:
        e = self.extents[label]
        return e if isinstance(e, int) else self.sizes[e]

    def add(self, s: Statement, b: Buffer, fixed: bool) -> None:
        self.table[s.out] = b
        self.makers[s.out] = s
        self.statements.append(s)
        if fixed:
            self.fixed.add(s.out)

    def back(self, mark: int) -> None:
        """As it was when it had `mark` statements."""
        gone = {s.out for s in self.statements[mark:]}
        del self.statements[mark:]
        for n in gone:
            del self.table[n], self.makers[n]
        self.fixed -= gone
        self.sums = {key: f for key, f in self.sums.items() if f.name not in gone}


# ---------------------------------------------------------------- which
def reassociate(
    step: Program, constant: frozenset[str], sizes: Mapping[str, int], price: Callable[[Program], Cost]
) -> tuple[Program, list[str]]:
    """(the step in the form that costs least, what was found): the step itself where nothing is won.

    `price` gives the cost of a form once its fixed values are out of the loop."""
    notes: list[str] = []
    best, now = step, price(step)
    while True:
        form, found = _rewritten(best, constant, sizes, None)
        every, kept = form, set(found)
        then = price(form) if found else now
        for root in found:
            trial = _rewritten(best, constant, sizes, kept - {root})[0]
            if (without := price(trial)).ns <= then.ns:
                kept.remove(root)
                form, then = trial, without
        if not kept or then.ns > FALL * now.ns:
            if best is step:
                notes += [_declined(step, every, root, through) for root, through in found.items()]
            return best, notes
        names = ", ".join(_name(best, root) for root in found if root in kept)
        notes.append(f"sums of products formed once for {names}: {now} a step become {then}")
        best, now = form, then


def _declined(step: Program, form: Program, root: str, through: frozenset[str]) -> str:
    alive = [s.out for s in form.statements if s.out in through and s.out != root]
    why = f"{_name(step, alive[-1])} is needed in the step anyway" if alive else "sums of products formed once would not save enough"
    return f"{_name(step, root)} stays a product: {why}"


def _name(program: Program, name: str) -> str:
    """The user's name, or those of what a nameless value is made of."""
    table = program.table()
    if table[name].origin:
        return table[name].origin
    (maker,) = (s for s in program.statements if s.out == name)
    return f"{name} = {type(maker).__name__.lower()}({', '.join(table[n].origin or n for n in dict.fromkeys(reads(maker)))})"


# ---------------------------------------------------------------- the form
def _rewritten(
    step: Program, constant: frozenset[str], sizes: Mapping[str, int], only: set[str] | None
) -> tuple[Program, dict[str, frozenset[str]]]:
    """The step with its products (or only some) written by sums formed once, and what each of them looked through."""
    firm = firm_sizes(step, constant)
    form = _Form(step.table(), set(fixed_values(step, constant, firm)), firm, sizes)
    found: dict[str, frozenset[str]] = {}
    for s in step.statements:
        if (only is None or s.out in only) and _rewrite(form, s):
            found[s.out] = frozenset(form.through)
        else:
            form.makers[s.out] = s
            form.statements.append(s)
    if not found:
        return step, found
    return drop_dead(replace(step, statements=tuple(form.statements), buffers=tuple(form.table.values())))[0], found


def _as_map(s: Statement | None, table: Mapping[str, Buffer]) -> Map:
    seen = product_as_map(s, dict(table)) if isinstance(s, MatMul) else s
    if not isinstance(seen, Map):
        raise NotLinear
    return seen


def _rewrite(form: _Form, s: Statement) -> bool:
    """Add statements for s in the other form, if there is one."""
    out = form.table[s.out]
    product = isinstance(s, MatMul) or isinstance(s, Map) and s.reducer == "sum"
    if not product or s.out in form.fixed or not out.dtype.startswith("float"):
        return False
    seen = _as_map(s, form.table)
    walked = [form.label(e) for e in seen.space]
    rank, mark = len(out.shape), len(form.statements)
    summed = [x for x in walked[rank:] if x is not None and form.is_firm(x)]
    for r in sorted(summed, key=form.number, reverse=True):
        form.through = set()
        try:
            _write(form, s.out, tuple(walked[:rank]), _terms(form, seen, walked, r, 0))
            return True
        except NotLinear:
            form.back(mark)
    return False


def _terms(form: _Form, s: Map, walked: list[int | None], r: int, depth: int) -> list[Term]:
    """s as a sum of terms whose factors are fixed where they have label r.  `walked` has the label for each of s's own."""
    dtype = form.table[s.out].dtype
    if depth > MAX_DEPTH or s.reducer not in (None, "sum") or s.body.dtype != dtype:
        raise NotLinear
    form.through.add(s.out)
    flags, depends = steady(s, form.fixed, form.firm), labels(s)
    own = frozenset(x for x in walked[len(form.table[s.out].shape) :] if x is not None)

    def factor(k: int, inverted: bool = False) -> Factor:
        i = s.body.code[k]
        if i.fn == "operand" and not inverted and not any(isinstance(w, At) for w in s.index[i.value]):
            return Factor(s.operands[i.value], _walk(s.index[i.value], walked))
        part = cut(s, k, "", inverted)
        if part not in form.sums:
            part = replace(part, out=fresh(s.out, form.table))
            form.add(part, part_buffer(part, form.table[s.out].origin), flags[k])
            form.sums[replace(part, out="")] = Factor(part.out, ())
        return Factor(form.sums[replace(part, out="")].name, tuple(walked[x] for x in sorted(depends[k])))

    def loose(k: int) -> bool:
        """May this stand as one factor?"""
        return flags[k] or r not in {walked[x] for x in depends[k]}

    done: list[list[Term]] = []

    def whole(k: int) -> list[Term]:
        if s.body.code[k].fn == "literal":
            return [Term(s.body.code[k].value, ())]
        return [Term(1.0, (factor(k),))] if loose(k) else done[k]

    for k, i in enumerate(s.body.code):
        if loose(k):
            done.append([])
            continue
        if i.dtype != dtype:
            raise NotLinear
        match i.fn:
            case "operand":
                index = s.index[i.value]
                if any(isinstance(w, At) for w in index):
                    raise NotLinear
                name = s.operands[i.value]
                maker = _as_map(form.makers.get(name), form.table)
                inner = list(_walk(index, walked)) + [form.label(e) for e in maker.space[len(index) :]]
                found = _terms(form, maker, inner, r, depth + 1)
            case "add":
                found = whole(i.args[0]) + whole(i.args[1])
            case "sub":
                found = whole(i.args[0]) + [replace(t, number=-t.number) for t in whole(i.args[1])]
            case "neg":
                found = [replace(t, number=-t.number) for t in whole(i.args[0])]
            case "mul" if any(map(loose, i.args)):
                x, y = i.args if loose(i.args[0]) else i.args[::-1]
                (left,) = whole(x)
                found = [Term(left.number * t.number, left.factors + t.factors, t.summed) for t in whole(y)]
            case "div" if s.body.code[i.args[1]].fn == "literal" and s.body.code[i.args[1]].value:
                found = [replace(t, number=t.number / s.body.code[i.args[1]].value) for t in whole(i.args[0])]
            case "div" if loose(i.args[1]):
                by = factor(i.args[1], inverted=True)
                found = [replace(t, factors=(by, *t.factors)) for t in whole(i.args[0])]
            case _:
                raise NotLinear
        if len(found) > MAX_TERMS:
            raise NotLinear
        done.append(found)
    last = len(done) - 1
    return [replace(t, summed=t.summed | own) for t in whole(last)]


def _walk(index: tuple[int | At | None, ...], walked: list[int | None]) -> Axes:
    return tuple(walked[w] if isinstance(w, int) else None for w in index)


# ---------------------------------------------------------------- writing
def _write(form: _Form, root: str, axes: Axes, terms: list[Term]) -> None:
    """root = sum of the terms: fixed factors first, then what the step multiplies them with, then one sum."""
    out, mark = form.table[root], len(form.statements)
    constants: list[tuple[float, Factor | None]] = []
    added: list[tuple[float, list[Factor]]] = []
    for t in terms:
        firm = [f for f in t.factors if f.name in form.fixed]
        loose = [f for f in t.factors if f.name not in form.fixed]
        held = frozenset(a for f in loose for a in f.labels)
        present = held.union(*(f.labels for f in firm))
        number = t.number
        for x in sorted(t.summed - present):  # the same for every x
            if isinstance(form.extents[x], int):
                number *= form.number(x)
            else:
                firm.append(_count(form, root, x))
        inside = _summed(form, root, firm, held | {a for a in axes if a is not None}) if firm else None
        if not loose:
            constants.append((number, inside))
            continue
        if inside is not None:
            loose.insert(0, _rounded(form, root, [(number, inside)], inside.axes))
            number = 1.0
        rest = t.summed & frozenset(a for f in loose for a in f.labels)
        added.append((number, [_contracted(form, root, loose, rest, axes)] if rest else loose))
    if constants:
        spread = {a for _, f in constants if f for a in f.labels}
        added.append((1.0, [_rounded(form, root, constants, tuple(a for a in axes if a in spread))]))
    made = form.statements[-1] if len(form.statements) > mark else None
    if made and added == [(1.0, [Factor(made.out, axes)])] and made.out not in form.fixed:
        form.back(len(form.statements) - 1)
        form.add(replace(made, out=root), out, False)
        return
    b = Builder()
    operands: dict[Factor, int] = {}
    total: int | None = None
    for number, product in added:
        at = None if number == 1 else b.literal(number, out.dtype)
        for factor in product:
            x = b.emit("operand", (), out.dtype, operands.setdefault(factor, len(operands)))
            at = x if at is None else b.apply("mul", at, x)
        assert at is not None
        total = at if total is None else b.apply("add", total, at)
    assert total is not None
    place = {a: n for n, a in enumerate(axes) if a is not None}
    index = tuple(tuple(None if a is None else place[a] for a in f.axes) for f in operands)
    form.add(Map(root, tuple(f.name for f in operands), index, out.shape, b.finish(total, out.dtype)), out, False)


def _made(form: _Form, root: str, axes: Axes, operands: list[Factor], dtype: str, body: Callable[..., int], summed: Axes = ()) -> Factor:
    """A Map over these labels, and over those that it sums."""
    b = Builder()
    at = [b.emit("operand", (), form.table[f.name].dtype, k) for k, f in enumerate(operands)]
    place = {a: n for n, a in enumerate((*axes, *summed)) if a is not None}
    index = tuple(tuple(None if a is None else place[a] for a in f.axes) for f in operands)
    space = tuple(1 if a is None else form.extents[a] for a in (*axes, *summed))
    s = Map(
        fresh(root, form.table),
        tuple(f.name for f in operands),
        index,
        space,
        b.finish(body(b, *at), dtype),
        "sum" if summed else None,
    )
    fixed = all(f.name in form.fixed for f in operands)
    form.add(s, Buffer(s.out, dtype, space[: len(axes)], origin=form.table[root].origin), fixed)
    return Factor(s.out, axes)


def _multiplied(b: Builder, *at: int) -> int:
    product = b.cast(at[0], "float64")
    for x in at[1:]:
        product = b.apply("mul", product, b.cast(x, "float64"))
    return product


def _count(form: _Form, root: str, label: int) -> Factor:
    """The extent of a label, as a number that the step computes with."""
    if not form.is_firm(label):
        raise NotLinear
    extent = form.extents[label]
    return _made(form, root, (), [], "float64", lambda b: b.cast(b.emit("size", (), "int64", extent), "float64"))


def _rounded(form: _Form, root: str, parts: list[tuple[float, Factor | None]], axes: Axes) -> Factor:
    """The sum of fixed values times numbers, in the dtype of root."""
    operands = [f for _, f in parts if f is not None]
    if [number for number, _ in parts] == [1.0] and operands and operands[0].axes == axes:
        if form.table[operands[0].name].dtype == form.table[root].dtype:
            return operands[0]

    def body(b: Builder, *at: int) -> int:
        left, total = iter(at), None
        for number, f in parts:
            x = b.literal(number, "float64")
            if f is not None:
                y = b.cast(next(left), "float64")
                x = y if number == 1 else b.apply("neg", y) if number == -1 else b.apply("mul", x, y)
            total = x if total is None else b.apply("add", total, x)
        assert total is not None
        return total

    dtype = form.table[root].dtype
    numbers = {a: n for n, a in enumerate(axes)}
    key = dtype, len(axes), tuple((x, f and f.name, f and tuple(numbers.get(a) for a in f.axes)) for x, f in parts)
    if key not in form.sums:
        form.sums[key] = _made(form, root, axes, operands, dtype, body)
    return Factor(form.sums[key].name, axes)


def _summed(form: _Form, root: str, factors: list[Factor], held: frozenset[int]) -> Factor:
    """The product of fixed factors in float64, summed over the labels that nothing else holds."""
    factors = sorted(factors, key=lambda f: (f.name, [-1 if a is None else a for a in f.axes]))
    present = frozenset(a for f in factors for a in f.labels)
    summed = tuple(sorted(present - held))
    order = [a for f in factors for a in f.axes if a in held]
    kept = tuple(dict.fromkeys(order))
    numbers = {x: n for n, x in enumerate((*kept, *summed))}
    key = tuple((f.name, tuple(None if a is None else numbers[a] for a in f.axes)) for f in factors), tuple(summed and range(len(summed)))
    if key not in form.sums:
        form.sums[key] = _sum(form, root, factors, kept, summed)
    return Factor(form.sums[key].name, kept)


def _sum(form: _Form, root: str, factors: list[Factor], kept: Axes, summed: Axes) -> Factor:
    if not summed:
        if len(factors) == 1 and factors[0].axes == kept:
            return factors[0]
        return _made(form, root, kept, factors, "float64", _multiplied)
    sides = [[f for f in factors if x in f.labels] for x in kept]
    if len(kept) == 2 and len(summed) == 1 and not any(f in sides[1] for f in sides[0]):
        rest = [f for f in factors if f not in sides[0] and f not in sides[1]]
        left = _matrix(form, root, [*sides[0], *rest], summed[0], kept[0])
        right = _matrix(form, root, sides[1], summed[0], kept[1])
        space = tuple(form.extents[x] for x in kept if x is not None)
        name = fresh(root, form.table)
        s = MatMul(name, left.name, right.name, ta=left.axes[0] == summed[0], tb=right.axes[1] == summed[0])
        form.add(s, Buffer(name, "float64", space, origin=form.table[root].origin), True)
        return Factor(name, kept)
    largest = max(prod(form.number(x) for x in f.labels) for f in factors)
    if prod(form.number(x) for x in (*kept, *summed) if x is not None) > max(MAX_CUBE, largest):
        raise NotLinear
    return _made(form, root, kept, factors, "float64", _multiplied, summed)


def _matrix(form: _Form, root: str, factors: list[Factor], r: int | None, x: int | None) -> Factor:
    """The product of factors as a matrix over r and x."""
    f = factors[0]
    if len(factors) == 1 and form.table[f.name].dtype == "float64" and f.axes in ((r, x), (x, r)):
        return f
    key = ("matrix", tuple((g.name, tuple("r" if a == r else "x" if a == x else None for a in g.axes)) for g in factors))
    if key not in form.sums:
        form.sums[key] = _made(form, root, (r, x), factors, "float64", _multiplied)
    return Factor(form.sums[key].name, (r, x))


def _contracted(form: _Form, root: str, factors: list[Factor], summed: frozenset[int], axes: Axes) -> Factor:
    """The product of factors summed over labels in the step: a product of matrices where it is one."""
    dtype = form.table[root].dtype
    present = frozenset(a for f in factors for a in f.labels)
    kept = tuple(a for a in axes if a is None or a in present)
    if len(factors) == 2 and len(summed) == 1 and len(kept) == 2 and None not in kept:
        (r,) = summed
        first, second = sorted(factors, key=lambda f: kept[0] not in f.labels)
        if set(first.axes) == {kept[0], r} and set(second.axes) == {kept[1], r} and len(first.axes) == len(second.axes) == 2:
            name = fresh(root, form.table)
            s = MatMul(name, first.name, second.name, ta=first.axes[0] == r, tb=second.axes[1] == r)
            shape = tuple(form.extents[a] for a in kept if a is not None)
            form.add(s, Buffer(name, dtype, shape, origin=form.table[root].origin), False)
            return Factor(name, kept)

    def body(b: Builder, *at: int) -> int:
        product = at[0]
        for x in at[1:]:
            product = b.apply("mul", product, x)
        return product

    return _made(form, root, kept, factors, dtype, body, tuple(sorted(summed)))
