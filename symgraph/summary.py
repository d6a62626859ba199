"""`tf.summary`: values on their way to TensorBoard.

Law of this file: a summary is an operation whose string is a serialized Summary message, made on the host from the
values of its inputs; its tag is its scoped name.  The messages are TensorBoard's own, and TensorBoard is imported when
the first one is made.  The ways from values to messages are TF1's: its histogram buckets and its scaling of images.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from .dtypes import string
from .errors import InvalidArgumentError
from .event_writer import FileWriter, FileWriterCache, text_message
from .graph import Graph, Operation, Tensor, convert, get_default_graph
from .graphdef import tensorboard
from .host import host
from .log import LOG
from .ops.core import NUMBERS, need, recording
from .scopes import GraphKeys
from .shapes import brackets

__all__ = ["FileWriter", "FileWriterCache", "histogram", "image", "merge", "merge_all", "scalar", "text"]

_ILLEGAL = re.compile(r"[^-/\w.]", re.ASCII)


# ---------------------------------------------------------------- operations
def scalar(name: str, tensor: Any, collections: Sequence[Any] | None = None, family: str | None = None) -> Tensor:
    """A summary of one number: fetched, it gives bytes to hand to `FileWriter.add_summary`.

    `tensor` is a number of any dtype with shape ().  The summary joins the collection 'summaries', or `collections`.
    `family` is put before the tag, and TensorBoard groups by it.  ValueError when the shape is known and is not ()."""
    with _summary(name, family, tensor) as (graph, scope, tag):
        tags = convert(tag, name="tags", graph=graph)
        values = _numbers(tensor, graph)
        if values.extents not in (None, ()):
            raise ValueError(f"{_not_scalar(values.extents, tag)}\na scalar summary is of one number: reduce the tensor first")
        return _recorded(graph, "ScalarSummary", (tags, values), scope, collections)


def histogram(name: str, values: Any, collections: Sequence[Any] | None = None, family: str | None = None) -> Tensor:
    """A summary of how the values of a tensor of any shape are distributed.

    Running it on NaN or infinity is an InvalidArgumentError."""
    with _summary(name, family, values) as (graph, scope, tag):
        inputs = convert(tag, name="tag", graph=graph), _numbers(values, graph)
        return _recorded(graph, "HistogramSummary", inputs, scope, collections)


def image(name: str, tensor: Any, max_outputs: int = 3, collections: Sequence[Any] | None = None, family: str | None = None) -> Tensor:
    """A summary of pictures: `tensor` is [batch, height, width, channels] with 1 (grey), 3 (RGB) or 4 (RGBA) channels.

    uint8 is taken as it is.  Floats are scaled picture by picture: the largest becomes 255 when none is negative, else 0
    becomes 128 and the largest magnitude 127 away from it; what is not finite is drawn red.  The first `max_outputs`
    pictures are kept, tagged TAG/image or TAG/image/0, TAG/image/1, ..."""
    with _summary(name, family, tensor) as (graph, scope, tag):
        inputs = convert(tag, name="tag", graph=graph), convert(tensor, name="tensor", graph=graph)
        need(inputs[1], lambda d: d.is_floating or d.name == "uint8", "uint8, float32, float64", parameter="tensor")
        shape = inputs[1].extents
        if max_outputs < 1:
            raise ValueError(f"max_outputs must be at least 1: {max_outputs}")
        if shape is not None and (len(shape) != 4 or isinstance(shape[3], int) and shape[3] not in _COLOURS):
            raise ValueError(_not_image(shape))
        return _recorded(graph, "ImageSummary", inputs, scope, collections, max_outputs=int(max_outputs))


def text(name: str, tensor: Any, collections: Sequence[Any] | None = None) -> Tensor:
    """A summary of strings of any shape; TensorBoard reads them as Markdown and draws vectors and matrices as tables."""
    with _summary(name, None, tensor) as (graph, scope, tag):
        value = convert(tensor, name="tensor", graph=graph)
        if value.dtype is not string:
            raise ValueError(f"Expected tensor {value.name} to have dtype string, got {value.dtype}")
        return _recorded(graph, "TextSummary", (convert(tag, name="tag", graph=graph), value), scope, collections)


def merge(inputs: Sequence[Any], collections: Sequence[Any] | None = None, name: str | None = None) -> Tensor:
    """All of these summaries as one.  Running it is an InvalidArgumentError when two have one tag."""
    listed = list(inputs)
    with recording("MergeSummary", name or "Merge", inputs=listed) as (graph, _):
        parts = [convert(t, graph=graph) for t in listed]
        if not parts:
            raise ValueError("summary.merge needs at least one summary")
        for t in parts:
            need(t, lambda d: d is string, "string", parameter="inputs")
        return _recorded(graph, "MergeSummary", parts, name or "MergeSummary", collections or [])


def merge_all(key: Any = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None) -> Tensor | None:
    """All summaries collected so far as one, or None when there are none.

    `scope` is a regular expression matched at the start of their names."""
    found = get_default_graph().get_collection(key, scope)
    return merge(found, name=name) if found else None


@contextmanager
def _summary(name: str, family: str | None, values: Any) -> Iterator[tuple[Graph, str, str]]:
    """The name scope of a summary: the graph, the scope, and the tag."""
    legal, group = _legal(name), None if family is None else _legal(family)
    with recording("Summary", legal if group is None else f"{group}/{legal}", values=values) as (graph, scope):
        yield graph, scope, scope[:-1] if group is None else f"{group}/{scope[:-1]}"


def _legal(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a summary's name must be a string, not {type(name).__name__}: {name!r}")
    legal = _ILLEGAL.sub("_", name).lstrip("/")
    if legal != name:
        LOG.info("Summary name %s is illegal; using %s instead.", name, legal)
    return legal


def _numbers(values: Any, graph: Graph) -> Tensor:
    t = convert(values, name="values", graph=graph)
    need(t, *NUMBERS, parameter="values")
    return t


def _recorded(graph: Graph, kind: str, inputs: Sequence[Tensor], name: str, collections: Sequence[Any] | None, **attrs: Any) -> Tensor:
    t = graph.add(kind, inputs, {**attrs, "_shapes": [()]}, name).outputs[0]
    for key in [GraphKeys.SUMMARIES] if collections is None else collections:
        graph.add_to_collection(key, t)
    return t


# ---------------------------------------------------------------- values to messages
@cache
def _messages() -> Any:
    return tensorboard("compat.proto.summary_pb2")


@host("ScalarSummary")
def _scalar(op: Operation, tag: bytes, value: Any) -> bytes:
    if np.shape(value) != ():
        raise InvalidArgumentError(_not_scalar(np.shape(value), tag.decode()), op)
    made = _messages().Summary()
    made.value.add(tag=tag.decode(), simple_value=float(value))
    return made.SerializeToString()


def _not_scalar(shape: Any, tag: str) -> str:
    return f"tags and values not the same shape: [] != {brackets(shape)} (tag '{tag}')"


@host("HistogramSummary")
def _histogram(op: Operation, tag: bytes, values: Any) -> bytes:
    x = np.asarray(values, np.float64).ravel()
    for what, wrong in ("Nan", np.isnan(x)), ("Infinity", np.isinf(x)):
        if wrong.any():
            raise InvalidArgumentError(f"{what} in summary histogram for: {op.name}", op)
    made = _messages().Summary()
    h = made.value.add(tag=tag.decode()).histo
    h.min, h.max = (x.min(), x.max()) if x.size else (_LARGEST, -_LARGEST)
    with np.errstate(over="ignore"):
        h.num, h.sum, h.sum_squares = x.size, x.sum(), x @ x
    limits, counts = _buckets(x)
    h.bucket_limit.extend(limits)
    h.bucket.extend(counts)
    return made.SerializeToString()


_LARGEST = float(np.finfo(np.float64).max)


@cache
def _limits() -> np.ndarray:
    """TF1's bucket limits: 0, and from 1e-12 to 1e20 on both sides, each 1.1 times the one before."""
    up = [1e-12]
    while (following := up[-1] * 1.1) < 1e20:
        up.append(following)
    up.append(_LARGEST)
    return np.array([*(-v for v in reversed(up)), 0.0, *up])


def _buckets(x: np.ndarray) -> tuple[list[float], list[float]]:
    """Upper limits and counts; a run of empty buckets is one bucket."""
    limits = _limits()
    places = np.minimum(np.searchsorted(limits, x, side="right"), len(limits) - 1)
    counts = np.bincount(places, minlength=len(limits))
    kept = (counts > 0) | np.append(counts[1:] > 0, True)
    return limits[kept].tolist(), counts[kept].tolist()


@host("ImageSummary")
def _image(op: Operation, tag: bytes, pictures: Any) -> bytes:
    if pictures.ndim != 4 or pictures.shape[3] not in _COLOURS:
        raise InvalidArgumentError(_not_image(pictures.shape), op)
    most = op.attrs["max_outputs"]
    made = _messages().Summary()
    for k, picture in enumerate(pictures[:most]):
        height, width, channels = picture.shape
        value = made.value.add(tag=f"{tag.decode()}/image" + (f"/{k}" if most > 1 else ""))
        value.image.height, value.image.width, value.image.colorspace = height, width, channels
        value.image.encoded_image_string = _png(picture if picture.dtype == np.uint8 else _scaled(picture))
    return made.SerializeToString()


_COLOURS = {1: 0, 3: 2, 4: 6}
"""PNG's colour type by the number of channels."""


def _not_image(shape: Any) -> str:
    return f"Tensor must be 4-D with last dim 1, 3, or 4, not {brackets(shape)}"


def _scaled(picture: np.ndarray) -> np.ndarray:
    """A picture of floats as uint8, as TF1 does it."""
    finite = np.isfinite(picture).all(axis=2)
    x = np.where(finite[:, :, None], picture, 0).astype(np.float64)
    low, high = x.min(initial=0.0), x.max(initial=0.0)
    if low < 0:
        most = max(-low, high)
        x = x * (0.0 if most < 1e-6 else 127.0 / most) + 128.0
    else:
        x = x * (0.0 if high < 1e-6 else 255.0 / high)
    out = x.astype(np.uint8)
    out[~finite] = np.array([255, 0, 0, 255], np.uint8)[: picture.shape[2]]
    return out


def _png(picture: np.ndarray) -> bytes:
    """PNG (ISO/IEC 15948) of [height, width, channels] uint8: one chunk of data, rows not filtered."""
    height, width, channels = picture.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = picture.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


@host("TextSummary")
def _text(op: Operation, tag: bytes, value: Any) -> bytes:
    return text_message(tag.decode(), value).SerializeToString()


@host("MergeSummary")
def _merge(op: Operation, *parts: bytes) -> bytes:
    made = _messages().Summary()
    for part in parts:
        made.MergeFromString(part)
    tags = [v.tag for v in made.value]
    if len(set(tags)) < len(tags):
        twice = next(t for t in tags if tags.count(t) > 1)
        raise InvalidArgumentError(f"Duplicate tag {twice} found in summary inputs", op)
    return made.SerializeToString()
