"""Rows that a mask or a vector of numbers picks: boolean_mask, dynamic_partition.

Law of this file: Python finds the places (places.py), and the rows are gathered, so gradients reach the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..errors import InvalidArgumentError
from ..graph import Operation, Tensor, convert
from ..host import host
from ..shapes import ShapeError, agree, brackets, symbol
from .array import concat, reshape, shape, squeeze
from .core import ANY, BOOLS, counted_as, need, recording
from .gather import gather
from .places import places, record


def boolean_mask(tensor: Any, mask: Any, name: str | None = None, axis: int | None = None) -> Tensor:
    """The slices of `tensor` where `mask` holds.  The mask's shape, of known rank 1 or more, is that of the tensor's axes from
    `axis` (0) on; they become one axis, of an extent that a run tells."""
    with recording("BooleanMask", name or "boolean_mask", tensor=tensor, mask=mask) as (graph, _):
        t, m = convert(tensor, name="tensor", graph=graph), convert(mask, name="mask", graph=graph)
        need(t, *ANY, parameter="tensor")
        need(m, *BOOLS, parameter="mask")
        if m.extents is None:
            raise ValueError("Number of mask dimensions must be specified, even if some dimensions are None.  E.g. shape=[None] is ok.")
        if not m.extents:
            raise ValueError("mask cannot be scalar.")
        first, rank = int(axis or 0), len(m.extents)
        if t.extents is not None:
            first += len(t.extents) if first < 0 else 0
            part = t.extents[first : first + rank]
            if len(part) < rank:
                raise ShapeError(f"the mask {brackets(m.extents)} has more axes than {brackets(t.extents)} from axis {first} on")
            agree(part, m.extents)
        elif first < 0:
            raise ValueError("the axis of a tensor of unknown rank is counted from its start")
        with counted_as(graph, 27):
            if rank > 1:
                s = shape(t)
                t = reshape(t, concat([s[:first], [-1], s[first + rank :]], 0))
            return gather(t, squeeze(places(reshape(m, [-1])), axis=[1]), axis=first)


@host("PartitionRows", first=True)
def _rows(op: Operation, partitions: Any) -> Any:
    flat, count = np.ravel(partitions), op.attrs["num"]
    wrong = np.flatnonzero((flat < 0) | (flat >= count))
    if wrong.size:
        raise InvalidArgumentError(f"partitions[{wrong[0]}] = {flat[wrong[0]]} is not in [0, {count})", op)
    rows = [np.flatnonzero(flat == k) for k in range(count)]
    return rows if count > 1 else rows[0]


def dynamic_partition(data: Any, partitions: Any, num_partitions: int, name: str | None = None) -> list[Tensor]:
    """`num_partitions` tensors: the k-th has the slices of `data` at which `partitions` (int32, of the shape of data's first
    axes) is k.  InvalidArgumentError for a number outside of [0, num_partitions)."""
    with recording("DynamicPartition", name or "DynamicPartition", data=data, partitions=partitions) as (graph, _):
        t, p = convert(data, name="data", graph=graph), convert(partitions, name="partitions", graph=graph)
        need(t, *ANY, parameter="data")
        need(p, lambda d: d is dtypes.int32, "int32", parameter="partitions")
        if num_partitions < 1:
            raise ValueError(f"num_partitions must be at least 1: {num_partitions}")
        if p.extents is None:
            raise ValueError("the rank of partitions must be known")
        rank = len(p.extents)
        if t.extents is not None:
            if len(t.extents) < rank:
                raise ShapeError(f"partitions {brackets(p.extents)} have more axes than data {brackets(t.extents)}")
            agree(t.extents[:rank], p.extents)
        if rank != 1:
            t = reshape(t, concat([[-1], shape(t)[rank:]], 0))
        scope, numbers = graph.unique_name("rows"), range(num_partitions)
        sizes = [(symbol(f"{scope}.shape[{k}]"),) for k in numbers]
        with counted_as(graph, 1):
            rows = record(graph, "PartitionRows", (p,), sizes, [dtypes.int64] * len(numbers), scope + "/", num=len(numbers))
            return [gather(t, r) for r in rows]
