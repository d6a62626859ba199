"""Whether the steps of a derivation hold: both sides of each at random values, in float64.

Law of this file: all nodes are evaluated at once, so that random draws are the same on all sides; a derivative is held
against the central difference of the loss along a random direction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..facts import assumed
from ..graph import Graph
from ..node import Kind, Node, substitute, toposort
from ..sizes import Sizes
from .evaluate import Values, evaluate
from .telling import Told

STEP = sp.Rational(1, 10**5)
EQUAL, SLOPE = 1e-8, 1e-5
"""How far two sides, and a derivative and a difference, may be apart, relative to the values."""
EXTENTS = (6, 4, 5, 3, 7)
Drawn = dict[Node, np.ndarray]


def differences(graph: Graph, loss: Node, told: Sequence[Told], given: Values, rng: np.random.Generator) -> list[tuple[float, float]]:
    """For each step how far its sides are apart, and how far they may be."""
    smooth = not any(n.kind is Kind.GENERIC and n.attrs[0].has(fn.stopped) for n in toposort([loss]))
    total = build.reduce("sum", loss)
    roots: list[Node] = [total]
    for t in told:
        for a, b in t.nodes:
            roots += _slopes(total, a, b) if t.derives else (a, b)
    sizes = _sizes(roots, given)
    values = _values(graph, loss, roots, sizes, given, rng)
    _, *found = evaluate(roots, values, sizes)
    sides = iter(found)
    out = []
    for t in told:
        errors = [_apart(next(sides), next(sides)) for _ in t.nodes]
        bound = SLOPE if t.derives else EQUAL
        out.append((max(errors) if smooth or not t.derives or max(errors) <= bound else 0.0, bound))
    return out


def _slopes(total: Node, v: Node, adjoint: Node) -> tuple[Node, Node]:
    """How the loss changes with v along a direction: by its differences, and by its derivative.

    The direction is relative to v: a probability of 1e-6 may not be moved by more than a part of itself."""
    x = scalar.x
    part = build.leaf(Kind.PLACEHOLDER, "part", v.shape, v.dtype)
    direction = build.elementwise(fn.absolute(x(0)) * x(1), v, part)
    ends = [substitute([total], {v: build.elementwise(x(0) + h * x(1), v, direction)}, build.rebuild)[0] for h in (STEP, -STEP)]
    difference = build.elementwise((x(0) - x(1)) / (2 * STEP), *ends)
    return difference, build.reduce("sum", build.elementwise(x(0) * x(1), adjoint, direction))


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        return float("inf")
    if not a.size or np.array_equal(a, b, equal_nan=True):
        return 0.0
    return float(np.max(np.abs(a - b)) / max(np.max(np.abs(a)), np.max(np.abs(b)), 1e-3))


# ---------------------------------------------------------------- values
def _sizes(roots: Sequence[Node], given: Values) -> dict[sp.Symbol, int]:
    """A number for each size symbol: what the given values say, else one that others do not have."""
    order = toposort(roots)
    same = Sizes()
    for n in order:
        same.read(n)
    for n, v in given.items():
        for d, extent in zip(n.shape, v.shape, strict=True):
            if d != extent:
                same.same(d, extent, n)
    symbols = {s for n in order for s in _symbols((n.shape, n.attrs))}
    chosen: dict[object, int] = {}
    found = {}
    for s in sorted(symbols, key=str):
        d = same.find(s)
        found[s] = d if isinstance(d, int) else chosen.setdefault(d, EXTENTS[len(chosen) % len(EXTENTS)])
    return found


def _symbols(e: object) -> set[sp.Symbol]:
    """The size symbols of an extent or body, or of a tuple of extents."""
    if isinstance(e, tuple):
        return set().union(*map(_symbols, e))
    if not isinstance(e, sp.Basic):
        return set()
    return set(scalar.sizes(e))


def _values(
    graph: Graph, loss: Node, roots: Sequence[Node], sizes: Mapping[sp.Symbol, int], given: Values, rng: np.random.Generator
) -> Drawn:
    """Values for all leaves at which the loss is finite, if they are found."""
    facts: dict[Node, frozenset[str]] = {}
    for t, names in assumed(graph).items():
        if t.node is not None:
            facts[t.node] = facts.get(t.node, frozenset()) | names
    leaves = [n for n in toposort(roots) if n.kind in (Kind.PLACEHOLDER, Kind.VARIABLE, Kind.CUT)]
    for draw in (_normal, _fraction, _regular):
        values: Drawn = {}
        for n in leaves:
            shape = tuple(int(sp.sympify(d).subs(sizes)) for d in n.shape)
            values[n] = given[n] if n in given else _drawn(n, shape, facts.get(n, frozenset()), draw, rng)
        (at,) = evaluate([loss], values, sizes)
        if np.isfinite(at).all():
            break
    return values


Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


def _fraction(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.1, 0.9, shape)


def _regular(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Matrices with an inverse, and a positive determinant."""
    return rng.uniform(0, 0.3, shape) + 2 * np.eye(shape[-2], shape[-1]) if len(shape) > 1 else _fraction(rng, shape)


def _one_hot(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def _symmetric(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    a = rng.normal(size=shape)
    return a @ np.swapaxes(a, -1, -2) / shape[-1] + np.eye(shape[-1])


def _rows(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    a = _fraction(rng, shape)
    return a / a.sum(-1, keepdims=True)


DRAWS: dict[str, Draw] = {
    "one_hot": _one_hot,
    "binary": lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    "orthogonal": lambda rng, shape: np.linalg.qr(rng.normal(size=shape))[0],
    "symmetric": _symmetric,
    "rows_sum_to_one": _rows,
    "positive": _fraction,
}
"""How values of which a fact holds are drawn; the first that is known decides."""


def _drawn(n: Node, shape: tuple[int, ...], facts: frozenset[str], draw: Draw, rng: np.random.Generator) -> np.ndarray:
    if not n.dtype.is_floating:
        return rng.integers(0, 2, shape)
    return next((f for name, f in DRAWS.items() if name in facts), draw)(rng, shape)
