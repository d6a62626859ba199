"""Values that are known while a graph is built: shapes given as tensors.

Law of this file: `static_value` reads an integer node as a flat list of ints and size expressions when it is made of
constants, sizes of other tensors and arithmetic on them.  A node that needs the value of a leaf raises `NeedsValue`:
the session then freezes the graph again with the fed value in the leaf's place.  Until then a shape has a symbol for it.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import sympy as sp

from . import build, scalar
from .codegen import scalar as fn
from .graph import NeedsValue
from .node import Kind, Node, substitute, toposort
from .shapes import Extent, Shape, ShapeError, is_known, normal, product, symbol

_AS_SYMPY = {
    "maximum": sp.Max,
    "minimum": sp.Min,
    "floordiv": lambda a, b: sp.floor(a / b),
    "floormod": sp.Mod,
    "truncdiv": lambda a, b: sp.floor(a / b),
}


def static_value(n: Node) -> list[Extent]:
    """The node's elements in C order."""
    if not is_known(n.shape):
        fed = next((o for o in toposort([n]) if o.kind is Kind.PLACEHOLDER and not is_known(o.shape)), None)
        raise ShapeError("a shape must have a known number of entries") if fed is None else NeedsValue(fed)
    count = int(product(n.shape))  # type: ignore[arg-type]
    match n.kind:
        case Kind.CONST:
            return [int(v) for v in n.attrs[0].value.ravel()]
        case Kind.RESHAPE:
            return static_value(n.operands[0])
        case Kind.CONCAT if n.rank == 1:
            return [v for o in n.operands for v in static_value(o)]
        case Kind.SLICE if n.rank == 1:
            values, (start,), (step,) = static_value(n.operands[0]), n.attrs[0], n.attrs[1]
            return [values[int(start) + k * step] for k in range(count)]  # type: ignore[arg-type]
        case Kind.GATHER if n.operands[0].rank == 1:
            values, places = (static_value(o) for o in n.operands)
            return [values[int(k)] for k in places]  # type: ignore[arg-type]
        case Kind.GENERIC:
            return _generic(n, count)
        case Kind.PLACEHOLDER | Kind.VARIABLE | Kind.CUT | Kind.RANDOM:
            raise NeedsValue(n)
        case _:
            raise ShapeError(
                "a shape cannot depend on computed values here: it is made of constants, fed values and sizes of other tensors"
            )


def _generic(n: Node, count: int) -> list[Extent]:
    body, index, space, reducer = n.attrs
    values = [static_value(o) for o in n.operands]
    body = body.replace(lambda e: isinstance(e, fn.cast_), lambda e: e.args[0])
    body = body.replace(lambda e: type(e).__name__ in _AS_SYMPY, lambda e: _AS_SYMPY[type(e).__name__](*e.args))

    def at(k: int, reduced: int = 0) -> sp.Expr:
        place = {0: k} if n.rank == 1 else {}
        if reducer:
            place[n.rank] = reduced
        rename = {
            scalar.x(j): v[0 if not ix or ix[0] is None else place[ix[0]]] for j, (v, ix) in enumerate(zip(values, index, strict=True))
        }
        return body.xreplace({s: sp.sympify(v) for s, v in rename.items()} | {scalar.i(a): sp.Integer(p) for a, p in place.items()})

    if n.rank > 1 or len(space) - n.rank > 1 or any(o.rank > 1 for o in n.operands):
        raise ShapeError("a shape is made from vectors and scalars only")
    if reducer in (None, "sum", "prod", "max", "min"):
        if reducer is None:
            return [normal(at(k)) for k in range(count)]
        over = range(int(space[-1]))
        fold = {"sum": sp.Add, "prod": sp.Mul, "max": sp.Max, "min": sp.Min}[reducer]
        return [normal(fold(*(at(k, r) for r in over))) for k in range(count)]
    raise ShapeError("a shape cannot depend on computed values here")


def static_shape(n: Node, wild: bool = False) -> Shape:
    """A 1-D (or scalar) integer node as a shape; with `wild`, negative entries are left to the caller."""
    if not n.dtype.is_integer:
        raise TypeError(f"a shape must be int32 or int64, not {n.dtype.name}")
    if n.rank > 1:
        raise ShapeError(f"Shape must be rank 1 but is rank {n.rank}\na shape is a vector")
    try:
        shape = tuple(static_value(n))
    except NeedsValue as needs:
        shape = _with_symbols(n, needs)
    if not wild and any(isinstance(d, int) and d < 0 for d in shape):
        raise ShapeError(f"Dimensions must be >= 0, but are {list(shape)}")
    return shape


_leaves: WeakValueDictionary[sp.Symbol, Node] = WeakValueDictionary()


def leaf_behind(size: sp.Symbol) -> Node | None:
    """The scalar to be fed whose value a size is; None for the extent of an axis."""
    return _leaves.get(size)


def _with_symbols(n: Node, needs: NeedsValue) -> Shape:
    """The shape with a symbol for each scalar that will be fed: [batch, 3] is of rank 2 and has 3 columns whatever is fed."""
    fed = [o for o in toposort([n]) if o.kind is Kind.PLACEHOLDER and o.shape == () and o.dtype.is_integer]
    sizes = {o: symbol(f"{o.attrs[0].name}.value{o.serial}") for o in fed}
    (named,) = substitute([n], {o: build.filled(d, (), o.dtype) for o, d in sizes.items()}, build.rebuild)
    shape = tuple(static_value(named))
    if -1 in shape:
        raise needs
    _leaves.update({d: o for o, d in sizes.items()})
    return shape


def known_size(n: Node) -> Extent | None:
    """What a number that is taken from a shape is, None where it is not."""
    if not n.dtype.is_integer or any(d != 1 for d in n.shape) or n.kind not in (Kind.SLICE, Kind.GATHER, Kind.RESHAPE):
        return None
    try:
        (d,) = static_value(n)
    except (NeedsValue, ShapeError):
        return None
    return d


def constant_value(t: Any) -> np.ndarray | None:
    """The value of a tensor that is a recorded constant; None for any other."""
    return t.op.attrs["value"] if t.op.type == "Const" else None
