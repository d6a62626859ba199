"""Blocks of images as depth or as more images, and back.

Law of this file: each is a reshape, a permutation of axes and a reshape, with zeros placed around or edges cut off.
"""

from __future__ import annotations

from typing import Any

from .. import build
from ..graph import Tensor, builder, convert
from ..node import Node
from ..shapes import Extent, Shape, ShapeError, normal, product, quotient
from ..statics import static_shape
from .array import shape_tensor
from .core import recording
from .movement import paddings_of, whole


def _blocks(x: Node, block: int, what: str) -> tuple[Extent, Extent, Extent, Extent]:
    if x.rank != 4:
        raise ShapeError(f"{what} takes [batch, height, width, depth], not {x.rank} axes")
    n, h, w, c = x.shape
    return n, h, w, c


@builder("SpaceToDepth")
def _space_to_depth(x: Node, block_size: int) -> Node:
    n, h, w, c = _blocks(x, block_size, "space_to_depth")
    b = block_size
    hb, wb = quotient(h, b), quotient(w, b)
    parts = build.permute(build.reshape(x, (n, hb, b, wb, b, c)), [0, 1, 3, 2, 4, 5])
    return build.reshape(parts, (n, hb, wb, normal(b * b * c)))


@builder("DepthToSpace")
def _depth_to_space(x: Node, block_size: int) -> Node:
    n, h, w, c = _blocks(x, block_size, "depth_to_space")
    b = block_size
    parts = build.permute(build.reshape(x, (n, h, w, b, b, quotient(c, b * b))), [0, 1, 3, 2, 4, 5])
    return build.reshape(parts, (n, normal(h * b), normal(w * b), quotient(c, b * b)))


def _by_block(kind: str, function: str, what: str):
    def f(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Tensor:
        with recording(kind, name or kind, input=input) as (graph, scope):
            if data_format != "NHWC":
                raise NotImplementedError(
                    f"tf.{function} takes data_format='NHWC' here, not {data_format!r}\nuse tf.transpose before and after"
                )
            if int(block_size) < 2:
                raise ValueError(f"Block size should be > 1: {block_size}")
            x = convert(input, name="input", graph=graph)
            return graph.add(kind, (x,), {"block_size": int(block_size)}, scope).outputs[0]

    f.__name__ = f.__qualname__ = function
    f.__doc__ = what
    return f


space_to_depth = _by_block(
    "SpaceToDepth", "space_to_depth", "Blocks of height and width as depth: [n, h, w, c] to [n, h / b, w / b, b b c], b the block size."
)
depth_to_space = _by_block(
    "DepthToSpace", "depth_to_space", "Depth as blocks of height and width: [n, h, w, b b c] to [n, h b, w b, c], b the block size."
)


@builder("SpaceToBatchND")
def _space_to_batch(x: Node, block_shape: Node, paddings: Node) -> Node:
    b: Shape = static_shape(block_shape)
    m = len(b)
    pairs = [(0, 0), *paddings_of(paddings, m), *[(0, 0)] * (x.rank - m - 1)]
    padded = tuple(normal(p + d + q) for d, (p, q) in zip(x.shape, pairs, strict=True))
    x = build.place(x, [p for p, _ in pairs], padded, [1] * x.rank)
    inner = [quotient(d, k) for d, k in zip(padded[1 : m + 1], b, strict=True)]
    cut = build.reshape(x, (padded[0], *(v for pair in zip(inner, b, strict=True) for v in pair), *padded[m + 1 :]))
    order = [*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m, 2), *range(2 * m + 1, cut.rank)]
    return build.reshape(build.permute(cut, order), (normal(padded[0] * product(b)), *inner, *padded[m + 1 :]))


@builder("BatchToSpaceND")
def _batch_to_space(x: Node, block_shape: Node, crops: Node) -> Node:
    b: Shape = static_shape(block_shape)
    m = len(b)
    n, inner, rest = quotient(x.shape[0], product(b)), x.shape[1 : m + 1], x.shape[m + 1 :]
    cut = build.permute(
        build.reshape(x, (*b, n, *inner, *rest)), [m, *(v for k in range(m) for v in (m + 1 + k, k)), *range(2 * m + 1, x.rank + m)]
    )
    whole = build.reshape(cut, (n, *(normal(d * k) for d, k in zip(inner, b, strict=True)), *rest))
    pairs = paddings_of(crops, m)
    size = [normal(d - p - q) for d, (p, q) in zip(whole.shape[1 : m + 1], pairs, strict=True)]
    return build.slice_(whole, [0, *(p for p, _ in pairs), *[0] * len(rest)], (n, *size, *rest), [1] * whole.rank)


def _in_blocks(kind: str, x: Any, block: Any, edges: Any, called: str, name: str | None) -> Tensor:
    with recording(kind, name or kind, input=x, block_shape=block) as (graph, scope):
        t, b = convert(x, name="input", graph=graph), shape_tensor(block, graph, "block_shape")
        return graph.add(kind, (t, b, whole(edges, graph, called)), {}, scope).outputs[0]


def space_to_batch_nd(input: Any, block_shape: Any, paddings: Any, name: str | None = None) -> Tensor:
    """Blocks of the axes after the first, padded with zeros, as more of the first axis."""
    return _in_blocks("SpaceToBatchND", input, block_shape, paddings, "paddings", name)


def batch_to_space_nd(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Tensor:
    """What `space_to_batch_nd` undoes: parts of the first axis as blocks of the axes after it, cropped."""
    return _in_blocks("BatchToSpaceND", input, block_shape, crops, "crops", name)


def space_to_batch(input: Any, paddings: Any, block_size: Any = None, name: str | None = None, block_shape: Any = None) -> Tensor:
    """`space_to_batch_nd` of images with square blocks, or with `block_shape`."""
    return space_to_batch_nd(input, [int(block_size)] * 2 if block_shape is None else block_shape, paddings, name)


def batch_to_space(input: Any, crops: Any, block_size: Any = None, name: str | None = None, block_shape: Any = None) -> Tensor:
    """`batch_to_space_nd` of images with square blocks, or with `block_shape`."""
    return batch_to_space_nd(input, [int(block_size)] * 2 if block_shape is None else block_shape, crops, name)
