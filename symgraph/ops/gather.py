"""Elements and rows by their numbers: gather, and what it is the transpose of.

Law of this file: an index outside of its axis is an error, while the graph is built where both are known, else when the
step runs, before anything has changed.  Several axes are walked as one: coordinates become the number of a row of the
array with these axes flattened, -1 where one of them is outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from .. import build, scalar
from ..codegen import scalar as fn
from ..dtypes import int64
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import Shape, ShapeError, agree, brackets, product
from ..statics import static_shape
from .array import shape_tensor
from .core import ANY, INDICES, NUMBERS, need, recording, same_dtype
from .reduce import axis_list


def along(x: Node, at: Node, axis: int) -> Node:
    """x[..., at, ...]: the slices along an axis that `at`, of any rank, says; `at`'s axes stand in the place of that axis."""
    if axis == 0:
        return build.gather(x, at)
    rows = build.gather(build.permute(x, [axis, *(k for k in range(x.rank) if k != axis)]), at)
    r = at.rank
    return build.permute(rows, [*range(r, r + axis), *range(r), *range(r + axis, rows.rank)])


def numbered(places: Sequence[Node], extents: Shape, batch: Shape = ()) -> Node:
    """The row number, in an array whose axes of `batch` and `extents` are one, of the coordinates: the positions along the
    first axes of `places`, which are those of `batch`, and the values of `places`."""
    if not batch and len(places) == 1:
        return places[0]
    number: sp.Expr = sp.S.Zero
    inside: sp.Expr | None = None
    for c, d in zip([*map(scalar.i, range(len(batch))), *map(scalar.x, range(len(places)))], (*batch, *extents), strict=True):
        number = number * d + c
    for k, d in enumerate(extents):
        here = fn.logical_and(fn.ge(scalar.x(k), 0), fn.lt(scalar.x(k), d))
        inside = here if inside is None else fn.logical_and(inside, here)
    return build.elementwise(fn.select(inside, number, -1), *(build.cast(p, int64) for p in places))


@builder("GatherV2")
def _gather(params: Node, indices: Node, axis: int, batch_dims: int = 0) -> Node:
    a = build.axis_in(axis, params.rank) if params.rank else 0
    if not batch_dims:
        return along(params, indices, a)
    b = build.axis_in(batch_dims, indices.rank + 1, "batch_dims")
    if b > a:
        raise ShapeError(f"batch_dims ({batch_dims}) must be less than or equal to axis ({axis})")
    batch = params.shape[:b]
    agree(batch, indices.shape[:b])
    rest = [k for k in range(b, params.rank) if k != a]
    x = build.permute(params, [*range(b), a, *rest])
    rows = build.reshape(x, (product(x.shape[: b + 1]), *x.shape[b + 1 :]))
    out = build.gather(rows, numbered([indices], (params.shape[a],), batch))
    between = range(indices.rank, indices.rank + a - b)
    return build.permute(out, [*range(b), *between, *range(b, indices.rank), *range(indices.rank + a - b, out.rank)])


def gather(
    params: Any, indices: Any, validate_indices: Any = None, name: str | None = None, axis: Any = None, batch_dims: int = 0
) -> Tensor:
    """The slices of `params` along `axis` that `indices` number: params.shape[:axis] + indices.shape + params.shape[axis + 1:].

    Indices are int32 or int64 of any rank.  The first `batch_dims` axes of both are walked side by side; `axis` is
    `batch_dims` where it is not given.  ValueError for a constant index outside of a known extent; InvalidArgumentError for
    any other one when it runs."""
    return lookup("GatherV2", name or "GatherV2", params, indices, batch_dims if axis is None else axis, 2, batch=int(batch_dims))


def batch_gather(params: Any, indices: Any, name: str | None = None) -> Tensor:
    """`gather` along the last axis of `indices`, all axes before it side by side."""
    with recording("GatherV2", name or "BatchGather", params=params, indices=indices) as (graph, scope):
        t = convert(indices, name="indices", graph=graph)
        if t.extents is None or not t.extents:
            raise ValueError("batch_gather does not allow indices with unknown shape, or a scalar")
        return lookup("GatherV2", scope, params, t, len(t.extents) - 1, 42, batch=len(t.extents) - 1)


def lookup(kind: str, name: str, params: Any, indices: Any, axis: Any, count: int, called: str = "indices", batch: int = 0) -> Tensor:
    """Record a gather; `called` is what the indices are."""
    with recording(kind, name, params=params, **{called: indices}) as (graph, scope):
        table = convert(params, name="params", graph=graph)
        numbers = convert(indices, name=called, graph=graph)
        need(table, *ANY, parameter="params")
        need(numbers, *INDICES, parameter=called)
        axes = axis_list(axis)
        if axes is None or len(axes) != 1:
            raise TypeError(f"axis of tf.gather must be one int, not {axis!r}")
        return graph.add(kind, (table, numbers), {"axis": axes[0], "batch_dims": batch}, scope, count).outputs[0]


# ---------------------------------------------------------------- by coordinates
def places_of(indices: Node) -> list[Node]:
    """The coordinates that lie side by side along the last axis."""
    if indices.rank < 1 or not isinstance(count := indices.shape[-1], int):
        raise ShapeError("how many coordinates the last axis of indices holds must be known")
    lead, steps = indices.shape[:-1], [1] * indices.rank
    start = [0] * (indices.rank - 1)
    return [build.reshape(build.slice_(indices, [*start, k], (*lead, 1), steps), lead) for k in range(count)]


@builder("GatherNd")
def _gather_nd(params: Node, indices: Node, batch_dims: int) -> Node:
    b, places = batch_dims, places_of(indices)
    end = b + len(places)
    if end > params.rank:
        raise ShapeError(f"index innermost dimension length must be <= params rank; saw: {len(places)} vs. {params.rank - b}")
    agree(params.shape[:b], indices.shape[:b])
    if not places:
        return build.broadcast_to(params, (*indices.shape[:-1], *params.shape[b:]))
    rows = build.reshape(params, (product(params.shape[:end]), *params.shape[end:]))
    return build.gather(rows, numbered(places, params.shape[b:end], params.shape[:b]))


def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: int = 0) -> Tensor:
    """The slices of `params` at the coordinates along the last axis of `indices`: indices.shape[:-1] + params.shape[k:], where
    k, the length of that axis, must be known.

    Errors for a coordinate outside are those of `gather`."""
    with recording("GatherNd", name or "GatherNd", params=params, indices=indices) as (graph, scope):
        table, numbers = convert(params, name="params", graph=graph), convert(indices, name="indices", graph=graph)
        need(table, *ANY, parameter="params")
        need(numbers, *INDICES, parameter="indices")
        return graph.add("GatherNd", (table, numbers), {"batch_dims": int(batch_dims)}, scope).outputs[0]


def _scattered(indices: Node, updates: Node, shape: Shape) -> Node:
    places = places_of(indices)
    if not 1 <= len(places) <= len(shape):
        raise ShapeError(f"The inner {len(places)} coordinates of indices do not number the elements of shape {brackets(shape)}")
    agree((*indices.shape[:-1], *shape[len(places) :]), updates.shape)
    rows = (product(shape[: len(places)]), *shape[len(places) :])
    return build.reshape(build.scatter(updates, numbered(places, shape[: len(places)]), rows), shape)


@builder("ScatterNd", lambda op: op.inputs[1].dtype)
def _scatter_nd(indices: Node, updates: Node, shape: Node) -> Node:
    return _scattered(indices, updates, static_shape(shape))


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """Zeros of `shape` to which `updates` are added at the coordinates along the last axis of `indices`."""
    with recording("ScatterNd", name or "ScatterNd", indices=indices, updates=updates, shape=shape) as (graph, scope):
        numbers, values = convert(indices, name="indices", graph=graph), convert(updates, name="updates", graph=graph)
        need(numbers, *INDICES, parameter="indices")
        need(values, *NUMBERS, parameter="updates")
        return graph.add("ScatterNd", (numbers, values, shape_tensor(shape, graph)), {}, scope).outputs[0]


@builder("TensorScatterAdd")
def _tensor_scatter_add(tensor: Node, indices: Node, updates: Node, sign: int) -> Node:
    return build.elementwise(scalar.x(0) + sign * scalar.x(1), tensor, _scattered(indices, updates, tensor.shape))


def written(x: Node, indices: Node, updates: Node, write: Callable[[Node, Node, Node], Node]) -> Node:
    """What `write` makes of x as rows, of the updates, and of the rows' numbers: the coordinates along the last axis of indices."""
    places = places_of(indices)
    if not 1 <= len(places) <= x.rank:
        raise ShapeError(f"The inner {len(places)} coordinates of indices do not number the elements of shape {brackets(x.shape)}")
    front, rest = x.shape[: len(places)], x.shape[len(places) :]
    agree((*indices.shape[:-1], *rest), updates.shape)
    flat = build.reshape(x, (product(front), *rest))
    return build.reshape(write(flat, updates, numbered(places, front)), x.shape)


@builder("TensorScatterUpdate")
def _tensor_scatter_update(tensor: Node, indices: Node, updates: Node) -> Node:
    return written(tensor, indices, updates, build.put)


def tensor_scatter_update(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with `updates` in its place at the coordinates along the last axis of `indices`; the last counts."""
    kind = "TensorScatterUpdate"
    with recording(kind, name or kind, tensor=tensor, indices=indices, updates=updates) as (graph, scope):
        t, numbers = convert(tensor, name="tensor", graph=graph), convert(indices, name="indices", graph=graph)
        values = convert(updates, like=t.dtype, name="updates", graph=graph)
        need(t, *ANY, parameter="tensor")
        need(numbers, *INDICES, parameter="indices")
        same_dtype(kind, t, values, ("tensor", "updates"))
        return graph.add(kind, (t, numbers, values), {}, scope).outputs[0]


def _adding(sign: int, function: str, kind: str):
    def add(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
        with recording(kind, name or kind, tensor=tensor, indices=indices, updates=updates) as (graph, scope):
            t, numbers = convert(tensor, name="tensor", graph=graph), convert(indices, name="indices", graph=graph)
            values = convert(updates, like=t.dtype, name="updates", graph=graph)
            need(t, *NUMBERS, parameter="tensor")
            need(numbers, *INDICES, parameter="indices")
            same_dtype(kind, t, values, ("tensor", "updates"))
            return graph.add("TensorScatterAdd", (t, numbers, values), {"sign": sign}, scope).outputs[0]

    add.__name__ = add.__qualname__ = function
    add.__doc__ = f"`tensor` {'plus' if sign > 0 else 'less'} what `scatter_nd` makes of indices and updates in its shape."
    return add


tensor_scatter_add = _adding(1, "tensor_scatter_add", "TensorScatterAdd")
tensor_scatter_sub = _adding(-1, "tensor_scatter_sub", "TensorScatterSub")
