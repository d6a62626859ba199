"""Sums over rows that can be formed once: A'(A x - y) is (A'A) x - A'y, and A'A and A'y hold no x.

Law of this file: a product that contracts a label r is written as a sum of terms, each a product of factors, by following
what changes along r through sums, differences, and products with one factor at a time.  Where every factor that has r is
the same in all steps, the sums over r are statements of their own over such values (in float64, rounded once), and what is
left in the step lacks r.  A product of two values that change along r is left alone: so is the square of a residual,
whose expansion would cancel.  Which of these products are replaced is decided by the cost of the whole step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from .costs import Cost, labels
from .fuse import product_as_map
from .inline import drop_dead
from .ir import Buffer, Map, MatMul, Program, Statement, Walk, coordinates, reads
from .parts import cut, firm_sizes, fixed_values, fresh, part_buffer, steady
from .sums import Axes, Factor, Form, NotLinear, Term, write

FALL = 0.9
"""The step's cost must fall at least to this share of what it was: other rounding has to buy something."""
MAX_TERMS = 24
MAX_DEPTH = 40


# ---------------------------------------------------------------- which
def reassociate(
    step: Program, constant: frozenset[str], sizes: Mapping[str, int], price: Callable[[Program], Cost]
) -> tuple[Program, list[str]]:
    """(the step in the form that costs least, what was found): the step itself where nothing is won.

    `price` gives the cost of a form once its fixed values are out of the loop."""
    notes: list[str] = []
    best = step
    while True:
        form, found = _rewritten(best, constant, sizes, None)
        if not found:
            return best, notes
        every, kept = form, set(found)
        now, then = price(best), price(form)
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
        best = form


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
    form = Form(step.table(), set(fixed_values(step, constant, firm)), firm, sizes)
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


def _rewrite(form: Form, s: Statement) -> bool:
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
            write(form, s.out, tuple(walked[:rank]), _terms(form, seen, walked, r, 0))
            return True
        except NotLinear:
            form.back(mark)
    return False


def _terms(form: Form, s: Map, walked: list[int | None], r: int, depth: int) -> list[Term]:
    """s as a sum of terms whose factors are fixed where they have label r.  `walked` has the label for each of s's own."""
    dtype = form.table[s.out].dtype
    if depth > MAX_DEPTH or s.reducer not in (None, "sum") or s.body.dtype != dtype:
        raise NotLinear
    form.through.add(s.out)
    flags, depends = steady(s, form.fixed, form.firm), labels(s)
    own = frozenset(x for x in walked[len(form.table[s.out].shape) :] if x is not None)

    def factor(k: int, inverted: bool = False) -> Factor:
        i = s.body.code[k]
        if i.fn == "operand" and not inverted and not coordinates(s.index[i.value]):
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
                if coordinates(index):
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


def _walk(index: tuple[Walk, ...], walked: list[int | None]) -> Axes:
    return tuple(walked[w] if isinstance(w, int) else None for w in index)
