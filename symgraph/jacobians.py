"""What follows from the reverse sweep: products with Jacobians and Hessians, and these as tensors.

Law of this file: nothing here knows a rule of differentiation.  A sweep is linear in its seed; so with a stand-in seed it
gives u -> J'u, whose own sweep is v -> J v, and which over all unit tensors at once (see batch.py) is J.  A row of
`DERIVATIVES` is what one operation computes: its outputs' nodes and, for the time when nodes are not known, their shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from . import build
from .batch import batched
from .gradients import Given, ones_like, simplified, sweep
from .node import Kind, Node, toposort
from .shapes import Shape
from .simplify.deltas import identity, relabel

Nodes = Sequence[Node]
Found = list[Node | None]
"""One node for each output; None where it is zero, because nothing depends on x."""


def _gradient(ys: Nodes, vectors: Nodes, xs: Nodes, given: Given) -> Found:
    return sweep(ys, vectors or [ones_like(y) for y in ys], xs, given)


def _along(y: Node, vectors: Nodes, xs: Nodes, given: Given) -> Node | None:
    u = _seed(y)
    found = [(g, v) for g, v in zip(sweep([y], [u], xs, given), vectors, strict=True) if g is not None]
    return sweep([g for g, _ in found], [v for _, v in found], [u])[0] if found else None


def _hessian_product(ys: Nodes, vectors: Nodes, xs: Nodes, given: Given) -> Found:
    found = [(g, v) for g, v in zip(_gradient(ys, (), xs, given), vectors, strict=True) if g is not None]
    return sweep([g for g, _ in found], [v for _, v in found], xs, given)


def _hessian(ys: Nodes, vectors: Nodes, xs: Nodes, given: Given, columns: bool) -> Found:
    """Symmetric, so the axes of the stack may come last: a column of the result is then a product with a unit vector."""
    first = _gradient(ys, (), xs, given)
    return [None if g is None else _jacobian(g, x, given, columns=columns, x_first=True) for g, x in zip(first, xs, strict=True)]


def _jacobian(y: Node, x: Node, given: Given, columns: bool = False, x_first: bool = False) -> Node | None:
    u = _seed(y)
    (g,) = sweep([y], [u], [x], given)
    if g is None:
        return None
    (stack,) = batched([g], u, identity(y))
    labels: list[tuple[int | None, ...]] = [(), ()]
    space: list = []
    for k in (1, 0) if x_first else (0, 1):
        at, shape = _axes((y, x)[k].shape, columns, len(space))
        labels[k] = at
        space += shape
    wide = tuple(a for a, d in zip(labels[0], y.shape, strict=True) if d != 1)
    return simplified([relabel(stack, (*wide, *labels[1]), tuple(space))], toposort([y]), given)[0]


def _axes(shape: Shape, columns: bool, first: int) -> tuple[tuple[int | None, ...], Shape]:
    """The labels of axes in the result from `first` on, and their extents; with `columns`, (n, 1) counts as (n,)."""
    if columns and len(shape) == 2 and shape[1] == 1:
        return (first, None), shape[:1]
    return tuple(range(first, first + len(shape))), shape


def _seed(y: Node) -> Node:
    return build.leaf(Kind.CUT, "seed", y.shape, y.dtype)


# ---------------------------------------------------------------- the table
Shapes = Sequence[Shape | None]


@dataclass(frozen=True, slots=True)
class Derivative:
    """`make(ys, vectors, xs, given)`: the outputs' nodes; `shapes(ys, xs)`: their shapes, None for an unknown rank."""

    make: Callable[[Nodes, Nodes, Nodes, Given], Found]
    shapes: Callable[[Shapes, Shapes], list[Shape | None]]


def _squared(x: Shape | None, columns: bool) -> Shape | None:
    return None if x is None else _axes(x, columns, 0)[1] * 2


DERIVATIVES: dict[str, Derivative] = {
    "SymbolicGradient": Derivative(_gradient, lambda ys, xs: list(xs)),
    "Jacobian": Derivative(
        lambda ys, vectors, xs, given: [_jacobian(ys[0], x, given) for x in xs],
        lambda ys, xs: [None if ys[0] is None or x is None else (*ys[0], *x) for x in xs],
    ),
    "JacobianVectorProduct": Derivative(
        lambda ys, vectors, xs, given: [_along(y, vectors, xs, given) for y in ys], lambda ys, xs: list(ys)
    ),
    "Hessian": Derivative(partial(_hessian, columns=True), lambda ys, xs: [_squared(x, True) for x in xs]),
    "Hessians": Derivative(partial(_hessian, columns=False), lambda ys, xs: [_squared(x, False) for x in xs]),
    "HessianVectorProduct": Derivative(_hessian_product, lambda ys, xs: list(xs)),
}
