"""What holds the same value in every step, and expressions cut out of the bodies of Maps.

Law of this file: a size is firm when no step can have another one; a value is fixed when it is made of fixed values
alone and every size in it is firm.  A part of a body is a Map over the labels that it depends on and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .costs import labels
from .inline import tidy
from .ir import Buffer, Map, Program, Repeat, Size, SizeOf, Statement, coordinates, reads, streams
from .scalar import Builder


def firm_sizes(program: Program, constant: frozenset[str]) -> frozenset[str]:
    """Sizes of states, of constant inputs, and what is computed from those; no step changes the shape of a state."""
    table = program.table()
    firm: set[str] = set()
    for name, rule in program.sizes:
        if isinstance(rule, SizeOf):
            if table[rule.buffer].role == "state" or rule.buffer in constant:
                firm.add(name)
        elif all(isinstance(a, int) or a in firm for a in rule.args):
            firm.add(name)
    return frozenset(firm)


def named(s: Statement, table: Mapping[str, Buffer]) -> set[str]:
    """Names of the sizes that a statement mentions."""
    entries: list[Size] = [*table[s.out].shape, *getattr(s, "space", ()), *getattr(s, "start", ()), getattr(s, "extent", 1)]
    if isinstance(s, Map):
        entries += [i.value for i in s.body.code if i.fn == "size"]
    if isinstance(s, Repeat):
        inside = s.body.table()
        entries += [
            s.steps or 0,
            *(e for b in s.body.buffers for e in b.shape),
            *(e for each in s.body.statements for e in named(each, inside)),
        ]
    return {e for e in entries if isinstance(e, str)}


def fixed_values(program: Program, constant: frozenset[str], firm: frozenset[str]) -> frozenset[str]:
    """Constants, constant inputs and states that the step leaves alone, and every temp made of these alone without a draw."""
    table = program.table()
    changing = {target for target, _ in program.updates}
    changing.update(n for s in program.statements for n in streams(s))
    fixed = {
        b.name
        for b in program.buffers
        if (b.role == "const" or b.name in constant and b.role != "temp" and b.name not in changing)
        and all(isinstance(e, int) or e in firm for e in b.shape)
    }
    for s in program.statements:
        if not streams(s) and fixed.issuperset(reads(s)) and firm.issuperset(named(s, table)):
            fixed.add(s.out)
    return frozenset(fixed)


def steady(s: Map, fixed: frozenset[str] | set[str], firm: frozenset[str]) -> list[bool]:
    """For each instruction of the body: is its value the same in every step?"""
    operand = [n in fixed and all(s.operands[k] in fixed for k in coordinates(index)) for n, index in zip(s.operands, s.index, strict=True)]
    found: list[bool] = []
    for i, depends in zip(s.body.code, labels(s), strict=True):
        own = operand[i.value] if i.fn == "operand" else i.fn != "size" or i.value in firm
        found.append(own and all(found[a] for a in i.args) and all(isinstance(e := s.space[x], int) or e in firm for x in depends))
    return found


def cut(s: Map, position: int, name: str, inverted: bool = False) -> Map:
    """The Map whose value is that of one instruction of the body of s (or 1 by it), over the labels it depends on, in order."""
    kept = sorted(labels(s)[position])
    b = Builder()
    at: list[int] = []
    for i in s.body.code[: position + 1]:
        value = kept.index(i.value) if i.fn == "index" and i.value in kept else i.value
        at.append(b.emit(i.fn, tuple(at[a] for a in i.args), i.dtype, value))
    dtype = s.body.code[position].dtype
    result = b.emit("div", (b.literal(1, dtype), at[-1]), dtype) if inverted else at[-1]
    index = tuple(tuple(kept.index(w) if w in kept else None if isinstance(w, int) else w for w in ix) for ix in s.index)
    return tidy(Map(name, s.operands, index, tuple(s.space[x] for x in kept), b.finish(result, dtype)))


def with_parts(s: Map, parts: Mapping[int, str]) -> Map:
    """s with the values of some instructions read from arrays instead, which `cut` says how to compute."""
    depends = labels(s)
    operands, index = list(s.operands), list(s.index)
    b = Builder()
    at: list[int] = []
    for k, i in enumerate(s.body.code):
        if k in parts:
            at.append(b.emit("operand", (), i.dtype, len(operands)))
            operands.append(parts[k])
            index.append(tuple(sorted(depends[k])))
        else:
            at.append(b.emit(i.fn, tuple(at[a] for a in i.args), i.dtype, i.value))
    return tidy(replace(s, operands=tuple(operands), index=tuple(index), body=b.finish(at[-1], s.body.dtype)))


def part_buffer(s: Map, origin: str) -> Buffer:
    """The temp that a Map without a reducer writes."""
    return Buffer(s.out, s.body.dtype, s.space, origin=origin)


def fresh(stem: str, taken: Mapping[str, object]) -> str:
    """A name that no buffer has."""
    number = 0
    while f"{stem}.{number}" in taken:
        number += 1
    return f"{stem}.{number}"
