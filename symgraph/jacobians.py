"""What follows from the reverse sweep: products with Jacobians and Hessians, and these as tensors.

Law of this file: nothing here knows a rule of differentiation.  A sweep is linear in its seed; so with a stand-in seed it
gives u -> J'u, whose own sweep is v -> J v, and which over all unit tensors at once (see batch.py) is J.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import build
from .batch import batched
from .gradients import ones_like, simplified, sweep
from .node import Kind, Node, toposort
from .simplify.deltas import identity, relabel

Links = Mapping[Node, Callable[[], Node]] | None


def _seed(y: Node) -> Node:
    return build.leaf(Kind.CUT, "seed", y.shape, y.dtype)


def jvp(ys: Sequence[Node], vs: Sequence[Node], xs: Sequence[Node], links: Links = None) -> list[Node | None]:
    """For each y: the sum over xs of dy/dx v, of the shape of y; None where y depends on no x."""
    return [_along(y, vs, xs, links) for y in ys]


def _along(y: Node, vs: Sequence[Node], xs: Sequence[Node], links: Links) -> Node | None:
    u = _seed(y)
    found = [(g, v) for g, v in zip(sweep([y], [u], xs, links), vs, strict=True) if g is not None]
    return sweep([g for g, _ in found], [v for _, v in found], [u])[0] if found else None


def jacobian(y: Node, xs: Sequence[Node], links: Links = None) -> list[Node | None]:
    """dy/dx for each x, of shape y.shape + x.shape; None where y does not depend on x."""
    return [None if j is None else _spread(j, y, x, False) for j, x in zip(_stacked(y, xs, links), xs, strict=True)]


def hessian(y: Node, xs: Sequence[Node], links: Links = None) -> list[Node | None]:
    """The second derivative of the scalar y by each x, of shape x.shape + x.shape; None where y does not depend on x."""
    found = sweep([y], [ones_like(y)], xs, links)
    return [None if g is None else _second(g, x, links) for g, x in zip(found, xs, strict=True)]


def _second(g: Node, x: Node, links: Links) -> Node:
    (j,) = _stacked(g, [x], links)
    return build.filled(0, (*x.shape, *x.shape), x.dtype) if j is None else _spread(j, g, x, True)


def hvp(y: Node, vs: Sequence[Node], xs: Sequence[Node], links: Links = None) -> list[Node | None]:
    """For each x: the sum over the other xs x' of d2y/dx dx' v'; None where y does not depend on x."""
    first = sweep([y], [ones_like(y)], xs, links)
    found = [(g, v) for g, v in zip(first, vs, strict=True) if g is not None]
    second = sweep([g for g, _ in found], [v for _, v in found], xs, links)
    return [build.filled(0, x.shape, x.dtype) if h is None and g is not None else h for h, g, x in zip(second, first, xs, strict=True)]


def _stacked(y: Node, xs: Sequence[Node], links: Links) -> list[Node | None]:
    """J' for all unit tensors of y: y's axes but those of extent 1, then x's axes."""
    u = _seed(y)
    found = sweep([y], [u], xs, links)
    return [None if g is None else batched([g], u, identity(y))[0] for g in found]


def _spread(stacked: Node, y: Node, x: Node, x_first: bool) -> Node:
    """The stack with all axes of y and x in their places, simplified."""
    at_y, at_x = (x.rank, 0) if x_first else (0, y.rank)
    labels = (*(at_y + a for a, d in enumerate(y.shape) if d != 1), *(at_x + a for a in range(x.rank)))
    space = (*x.shape, *y.shape) if x_first else (*y.shape, *x.shape)
    (simple,) = simplified([relabel(stacked, labels, space)], toposort([y]))
    return simple
