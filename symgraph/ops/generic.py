"""Two operations that expressions need: a body over operands, and the size of an axis.

Law of this file: a body is recorded as text (see bodies.py), so what is stored says what is computed.
"""

from __future__ import annotations

from .. import bodies, build, scalar
from ..dtypes import DType
from ..graph import Tensor, builder
from ..node import Node
from ..shapes import Extent, ShapeError, compatible, merge


@builder("Elementwise", lambda op: bodies.dtype_of(bodies.parse(op.attrs["body"]), op.inputs[0].dtype))
def _elementwise(*xs: Node, body: str, index: tuple | None) -> Node:
    """A body over operands that broadcast, or (with `index`) whose axes bear labels."""
    e = bodies.parse(body)
    if not scalar.operand_numbers(e) <= set(range(len(xs))):
        raise ValueError(f"{body!r:.80} reads more than {len(xs)} operands")
    dtype = bodies.dtype_of(e, xs[0].dtype)
    if index is None:
        return build.elementwise(e, *xs, dtype=dtype)
    space: list[Extent] = [1] * (1 + max((a for ix in index for a in ix if a is not None), default=-1))
    for x, ix in zip(xs, index, strict=True):
        for a, d in zip(ix, x.shape, strict=True):
            if a is not None:
                if space[a] != 1 and not compatible(space[a], d):
                    raise ShapeError(f"Dimensions must be equal, but are {space[a]} and {d}\none index walks both")
                space[a] = d if space[a] == 1 else merge(space[a], d)
    return build.generic(e, xs, index, tuple(space), len(space), None, dtype)


@builder("Extent", lambda op: op.attrs["dtype"])
def _extent(x: Node, axis: int, dtype: DType) -> Node:
    """The size of an axis, as a number."""
    return build.filled(x.shape[build.axis_in(axis, x.rank)], (), dtype)


def extent(x: Tensor, axis: int, dtype: DType) -> Tensor:
    """The size of an axis as a scalar of `dtype`."""
    return x.graph.add("Extent", (x,), {"axis": axis, "dtype": dtype}, "size").outputs[0]
