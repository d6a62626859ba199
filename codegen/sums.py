"""A sum of products as statements: what is the same in all steps first, and from it what a step computes.

Law of this file: the fixed factors of a term are multiplied, and summed over every label that no other factor and no axis
of the result has, in float64; that and the term's number are rounded once to the dtype of the result.  Equal sums are
formed once.  What is left of the term is a product of matrices where it is one, else a Map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod

from .ir import Buffer, Map, MatMul, Size, Statement
from .parts import fresh
from .scalar import Builder

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
class Form:
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


def write(form: Form, root: str, axes: Axes, terms: list[Term]) -> None:
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


def _made(form: Form, root: str, axes: Axes, operands: list[Factor], dtype: str, body: Callable[..., int], summed: Axes = ()) -> Factor:
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


def _count(form: Form, root: str, label: int) -> Factor:
    """The extent of a label, as a number that the step computes with."""
    if not form.is_firm(label):
        raise NotLinear
    extent = form.extents[label]
    return _made(form, root, (), [], "float64", lambda b: b.cast(b.emit("size", (), "int64", extent), "float64"))


def _rounded(form: Form, root: str, parts: list[tuple[float, Factor | None]], axes: Axes) -> Factor:
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


def _summed(form: Form, root: str, factors: list[Factor], held: frozenset[int]) -> Factor:
    """The product of fixed factors in float64, summed over the labels that nothing else holds."""
    factors = sorted(factors, key=lambda f: (f.name, [-1 if a is None else a for a in f.axes]))
    kept = tuple(dict.fromkeys(a for f in factors for a in f.axes if a in held))
    summed = tuple(sorted({a for f in factors for a in f.labels} - held))
    numbers = {x: n for n, x in enumerate((*kept, *summed))}
    key = len(summed), tuple((f.name, tuple(None if a is None else numbers[a] for a in f.axes)) for f in factors)
    if key not in form.sums:
        made = _sum(form, root, factors, kept, summed)
        form.sums[key] = replace(made, axes=tuple(None if a is None else numbers[a] for a in made.axes))
    found = form.sums[key]
    return replace(found, axes=tuple(None if n is None else kept[n] for n in found.axes))


def _sum(form: Form, root: str, factors: list[Factor], kept: tuple[int, ...], summed: tuple[int, ...]) -> Factor:
    if not summed:
        return factors[0] if len(factors) == 1 else _made(form, root, kept, factors, "float64", _multiplied)
    sides = [[f for f in factors if x in f.labels] for x in kept]
    rest = [f for f in factors if f.labels.isdisjoint(kept)]
    if len(kept) == 1 and rest:  # a matrix and a column
        sides, rest = [*sides, rest], []
    if len(summed) == 1 and len(sides) == 2 and not any(f in sides[1] for f in sides[0]):
        columns = *kept, *([None] if len(kept) == 1 else [])
        left = _matrix(form, root, [*sides[0], *rest], summed[0], columns[0])
        right = _matrix(form, root, sides[1], summed[0], columns[1])
        name = fresh(root, form.table)
        s = MatMul(name, left.name, right.name, ta=left.axes[0] == summed[0], tb=right.axes[1] == summed[0])
        space = tuple(1 if x is None else form.extents[x] for x in columns)
        form.add(s, Buffer(name, "float64", space, origin=form.table[root].origin), True)
        return Factor(name, columns)
    largest = max(prod(form.number(x) for x in f.labels) for f in factors)
    if prod(form.number(x) for x in (*kept, *summed)) > max(MAX_CUBE, largest):
        raise NotLinear
    return _made(form, root, kept, factors, "float64", _multiplied, summed)


def _matrix(form: Form, root: str, factors: list[Factor], r: int | None, x: int | None) -> Factor:
    """The product of factors as a matrix over r and x."""
    f = factors[0]
    if len(factors) == 1 and form.table[f.name].dtype == "float64" and f.axes in ((r, x), (x, r)):
        return f
    key = ("matrix", tuple((g.name, tuple("r" if a == r else "x" if a == x else None for a in g.axes)) for g in factors))
    if key not in form.sums:
        form.sums[key] = _made(form, root, (r, x), factors, "float64", _multiplied)
    return Factor(form.sums[key].name, (r, x))


def _contracted(form: Form, root: str, factors: list[Factor], summed: frozenset[int], axes: Axes) -> Factor:
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
