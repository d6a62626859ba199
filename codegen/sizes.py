"""What every extent is once the arrays are there.

Law of this file: sizes are numbers only from here on; a shape that contradicts the program is a `ValueError` in words,
raised before any work is done.  Both the interpreter and the compiled launch go through `settle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from .ir import Program, Size, SizeOf


def extents(shape: tuple[Size, ...], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A shape as numbers."""
    return tuple(s if isinstance(s, int) else sizes[s] for s in shape)


def count(shape: tuple[Size, ...], sizes: Mapping[str, int]) -> int:
    """The number of elements of a shape."""
    return prod(extents(shape, sizes))


def evaluate_sizes(program: Program, extents: dict[tuple[str, int], int]) -> dict[str, int]:
    """Every named size as a number, given the extents of the buffers that `SizeOf` entries name."""
    known: dict[str, int] = {}

    def value(s: Size) -> int:
        return s if isinstance(s, int) else known[s]

    for name, rule in program.sizes:
        if isinstance(rule, SizeOf):
            known[name] = int(extents[rule.buffer, rule.axis])
            continue
        left, *rest = (value(a) for a in rule.args)
        for right in rest:
            match rule.fn:
                case "add":
                    left += right
                case "sub":
                    left -= right
                case "mul":
                    left *= right
                case "floordiv":
                    left //= right
                case "max":
                    left = max(left, right)
        known[name] = left
    return known


def settle(program: Program, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Every named size, given the shapes of the input and state arrays.

    Raises ValueError when a rank or an extent is not the declared one, when a `Check` fails, or when an update would
    change the shape of its state.
    """
    table = program.table()
    for name, shape in shapes.items():
        declared = table[name].shape
        if len(shape) != len(declared):
            raise ValueError(f"{_what(program, name)} has rank {len(shape)}, not {len(declared)}")
    rules = {(r.buffer, r.axis) for _, r in program.sizes if isinstance(r, SizeOf)}
    sizes = evaluate_sizes(program, {(n, axis): shapes[n][axis] for n, axis in rules})
    for c in program.checks:
        left, right = extents((c.left, c.right), sizes)
        if left != right:
            raise ValueError(c.message.replace("{left}", str(left)).replace("{right}", str(right)))
    for name, shape in shapes.items():
        declared = table[name].shape
        wanted = extents(declared, sizes)
        if tuple(shape) != wanted:
            raise ValueError(f"{_what(program, name)} has shape {tuple(shape)}, not {wanted}")
    for target, source in program.updates:
        old, new = extents(table[target].shape, sizes), extents(table[source].shape, sizes)
        if old != new:
            raise ValueError(f"the new value of {_what(program, target)} has shape {new}, the state has {old}")
    return sizes


def _what(program: Program, name: str) -> str:
    b = program.table()[name]
    return f"{b.role} {b.origin or repr(b.name)}"
