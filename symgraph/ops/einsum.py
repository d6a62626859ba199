"""Sums of products over named axes: einsum and tensordot.

Law of this file: an equation is contracted from left to right, two operands at a time.  What one operand has alone and
the result lacks is added up first; a contraction that leaves axes of both sides is a matrix product, any other one a sum.
Axes are named by letters, those of an ellipsis by whole numbers counted from the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import build, scalar
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import Extent, ShapeError, broadcast, compatible, merge, product
from .core import NUMBERS, need, pair, recording, same_dtype
from .reduce import axis_list

Name = str | int
Names = tuple[Name, ...]


# ---------------------------------------------------------------- equations
def parse(equation: str, ranks: Sequence[int]) -> tuple[list[Names], Names]:
    """The names of the axes of each operand, and of the result."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"Expected {len(terms)} inputs for the equation {equation!r}, but got {len(ranks)}")
    found = [_names(t, r, equation) for t, r in zip(terms, ranks, strict=True)]
    dots = tuple(sorted({n for names in found for n in names if isinstance(n, int)}))
    if arrow:
        out = _names(right, len(right.replace("...", "")) + len(dots), equation)
        if len(set(out)) != len(out) or (wrong := [n for n in out if not any(n in names for names in found)]):
            raise ValueError(f"Output subscripts contain the label {wrong[0]!r} not present in the input" if wrong else _TWICE % equation)
        return found, out
    letters = [n for names in found for n in names if isinstance(n, str)]
    return found, (*dots, *sorted(n for n in set(letters) if letters.count(n) == 1))


_TWICE = "Output subscripts contain a label appearing more than once: %r"


def _names(term: str, rank: int, equation: str) -> Names:
    head, dots, tail = term.partition("...")
    if not (head + tail).isalpha() and head + tail:
        raise ValueError(f"an equation is made of letters, commas, '...' and '->', not {equation!r}")
    extra = rank - len(head) - len(tail)
    if extra < 0 or extra and not dots:
        raise ShapeError(f"Input has rank {rank}, but the term {term!r} of {equation!r} names {len(head) + len(tail)} axes")
    return (*head, *np.arange(-extra, 0).tolist(), *tail)


# ---------------------------------------------------------------- contraction
def _extents(operands: Sequence[tuple[Node, Names]]) -> dict[Name, Extent]:
    """The extent of each name; only the axes of an ellipsis are repeated."""
    found: dict[Name, Extent] = {}
    for x, names in operands:
        for n, d in zip(names, x.shape, strict=True):
            e = found.get(n, d)
            if isinstance(n, int):
                (found[n],) = broadcast((e,), (d,))
            elif not compatible(d, e):
                raise ShapeError(f"Dimensions must be equal, but are {e} and {d}\nboth are axis {n!r}")
            else:
                found[n] = merge(e, d)
    return found


def _sum(operands: Sequence[tuple[Node, Names]], out: Names) -> Node:
    """The product of operands, added up over all names that `out` lacks."""
    extents = _extents(operands)
    order = [*out, *(n for n in extents if n not in out)]
    label = {n: k for k, n in enumerate(order)}
    index = tuple(
        tuple(None if d == 1 and extents[n] != 1 else label[n] for n, d in zip(names, x.shape, strict=True)) for x, names in operands
    )
    body = scalar.x(0)
    for k in range(1, len(operands)):
        body = body * scalar.x(k)
    nodes = tuple(x for x, _ in operands)
    space = tuple(extents[n] for n in order)
    return build.generic(body, nodes, index, space, len(out), "sum" if len(order) > len(out) else None, nodes[0].dtype)


def _alone(x: Node, names: Names, kept: set[Name]) -> tuple[Node, Names]:
    """An operand without repeated names and without those that nothing else needs."""
    out = tuple(n for n in dict.fromkeys(names) if n in kept)
    return (x, names) if out == names else (_sum([(x, names)], out), out)


def _pair(a: tuple[Node, Names], b: tuple[Node, Names], out: set[Name]) -> tuple[Node, Names]:
    """Two operands as one, with the names that `out` holds."""
    a, b = _alone(*a, {*out, *b[1]}), _alone(*b, {*out, *a[1]})
    both = [n for n in a[1] if n in b[1]]
    batch, inner = [n for n in both if n in out], [n for n in both if n not in out]
    left, right = ([n for n in names if n not in both] for _, names in (a, b))
    names = (*batch, *left, *right)
    if not inner or not left or not right or not a[0].dtype.is_floating:
        return _sum([a, b], names), names
    extents = _extents([a, b])

    def matrix(x: Node, own: Names, rows: list[Name], columns: list[Name]) -> Node:
        x = build.permute(x, [own.index(n) for n in (*batch, *rows, *columns)])
        lead = x.shape[: len(batch)]
        return build.reshape(x, (*lead, product(extents[n] for n in rows), product(extents[n] for n in columns)))

    c = build.matmul(matrix(*a, left, inner), matrix(*b, inner, right))
    return build.reshape(c, (*c.shape[: len(batch)], *(extents[n] for n in (*left, *right)))), names


def contract(operands: Sequence[Node], named: Sequence[Names], out: Names) -> Node:
    """The sum of products over all names that the result lacks."""
    _extents(list(zip(operands, named, strict=True)))
    (x, names), *rest = zip(operands, named, strict=True)
    for k, other in enumerate(rest):
        x, names = _pair((x, names), other, {*out, *(n for _, later in rest[k + 1 :] for n in later)})
    x, names = _alone(x, names, set(out))
    return build.permute(x, [names.index(n) for n in out])


@builder("Einsum")
def _einsum(*inputs: Node, equation: str) -> Node:
    return contract(inputs, *parse(equation, [x.rank for x in inputs]))


def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """The sum of products that an equation like 'ij,jk->ik' says, of one dtype.

    Repeated letters take a diagonal, '...' stands for axes that broadcast; without '->' the result has the letters that
    occur once, in the order of the alphabet.  Matrix products are left to BLAS."""
    name = kwargs.pop("name", None)
    with recording("Einsum", name or "einsum", **{f"input{k}": v for k, v in enumerate(inputs)}) as (graph, scope):
        if kwargs:
            raise TypeError(f"invalid keyword arguments for this function: {', '.join(sorted(kwargs))}")
        if len(inputs) == 1 and isinstance(inputs[0], list | tuple):
            inputs = tuple(inputs[0])
        parts = [convert(v, name=f"inputs_{k}", graph=graph) for k, v in enumerate(inputs)]
        for k, v in enumerate(parts):
            need(v, *NUMBERS, parameter="inputs")
            same_dtype("Einsum", parts[0], v, ("inputs_0", f"inputs_{k}"))
        return graph.add("Einsum", parts, {"equation": equation}, scope, max(1, len(parts) - 1)).outputs[0]


# ---------------------------------------------------------------- tensordot
@builder("Tensordot")
def _tensordot(a: Node, b: Node, axes_a: tuple[int, ...], axes_b: tuple[int, ...]) -> Node:
    left, right = ([build.axis_in(k, x.rank) for k in axes] for x, axes in ((a, axes_a), (b, axes_b)))
    names_a: Names = tuple(f"a{k}" for k in range(a.rank))
    names_b: Names = tuple(f"a{left[right.index(k)]}" if k in right else f"b{k}" for k in range(b.rank))
    return contract([a, b], [names_a, names_b], tuple(n for n in (*names_a, *names_b) if n not in {f"a{k}" for k in left}))


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """The sum of products over axes of both: the last `axes` of a with the first of b, or axes[0] of a with axes[1] of b."""
    with recording("Tensordot", name or "Tensordot", a=a, b=b) as (graph, scope):
        x, y = pair(a, b, "Tensordot", graph, ("a", "b"))
        need(x, *NUMBERS, parameter="a")
        if isinstance(axes, int | np.integer):
            if axes < 0:
                raise ValueError("'axes' must be at least 0.")
            if x.extents is None:
                raise ValueError("tf.tensordot with a number of axes needs a tensor of known rank")
            n = len(x.extents)
            if axes > n:
                raise ValueError(f"'axes' must not be larger than the number of dimensions of tensor {x}")
            mine: tuple[int, ...] = tuple(np.arange(n - axes, n).tolist())
            others: tuple[int, ...] = tuple(np.arange(axes).tolist())
        else:
            mine, others = (axis_list(v) or () for v in axes)
        if len(mine) != len(others):
            raise ValueError(f"Different number of contraction axes 'a' and 'b', {len(mine)} != {len(others)}.")
        attrs = {"axes_a": mine, "axes_b": others}
        counts = [_moves(x, mine, True), _moves(y, others, False)]
        plain = not any(reshaped for _, reshaped in counts)  # TF1 then has nothing to do behind the product
        total = sum(moves for moves, _ in counts) + (1 if plain else 3)
        return graph.add("Tensordot", (x, y), attrs, "MatMul" if plain else scope, total).outputs[0]


def _moves(x: Tensor, axes: tuple[int, ...], first: bool) -> tuple[int, bool]:
    """How many operations TF1 makes to bring an operand into the form of a matrix, and whether its free axes are not one."""
    rank = len(x.extents or ())
    inner = [a % rank for a in axes if rank]
    free = [a for a in range(rank) if a not in inner]
    order = [*free, *inner] if first else [*inner, *free]
    return 2 * (order != sorted(order)) + 2 * (len(free) != 1 or len(inner) != 1), len(free) != 1
