"""Random tensors with TensorFlow's exact streams.

Law of this file: a random operation is a leaf with an identity; its two seeds are fixed when it is made, from the
graph's seed, its own, or the number of operations that TF1 would have made so far.  Each session keeps the position of
each stream; a run that needs the operation draws once and advances it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import as_dtype
from ..graph import Graph, Tensor, builder, convert, get_default_graph
from ..node import Key, Kind, Node, make
from ..statics import static_shape
from .array import shape_tensor
from .core import FLOATS, need, recording

_MAX = 2**31 - 1
_DEFAULT_GRAPH_SEED = 87654321


def set_random_seed(seed: int | None) -> None:
    """The default graph's seed, for the random operations made after this call."""
    get_default_graph().seed = seed


def seed_pair(graph: Graph, op_seed: int | None) -> tuple[int, int] | None:
    """TF1's (seed, seed2); None: the session takes a fresh one from the system."""
    if graph.seed is None and op_seed is None:
        return None
    if graph.seed is None:
        pair = (_DEFAULT_GRAPH_SEED, op_seed % _MAX)  # type: ignore[operator]
    else:
        pair = (graph.seed % _MAX, (graph.counted if op_seed is None else op_seed) % _MAX)
    return (0, _MAX) if pair == (0, 0) else pair


def get_seed(op_seed: int | None) -> tuple[int, int] | tuple[None, None]:
    """(seed, seed2) that an operation made now in the default graph would have."""
    return seed_pair(get_default_graph(), op_seed) or (None, None)


@builder("RandomDraw", lambda op: op.attrs["dtype"], contextual=True)
def _draw(context: Any, op: Any) -> Node:
    shape, a, b = (context.node(t) for t in op.inputs)
    return make(Kind.RANDOM, (a, b), (op.attrs["_key"], op.attrs["distribution"]), static_shape(shape), op.attrs["dtype"])


@builder("RandomShuffle", contextual=True)
def _shuffle(context: Any, op: Any) -> Node:
    x = context.node(op.inputs[0])
    return make(Kind.RANDOM, (x,), (op.attrs["_key"], "shuffle"), x.shape, x.dtype)


def _random(
    distribution: str, scope: str, graph: Graph, shape: Tensor, a: Any, b: Any, dtype: dtypes.DType, seed: int | None, count: int
) -> Tensor:
    pair = seed_pair(graph, seed)
    attrs = {"distribution": distribution, "dtype": dtype, "seed": pair, "_key": Key(scope[:-1], pair)}
    return graph.add("RandomDraw", (shape, a, b), attrs, scope, count).outputs[0]


def _given_as_tensor(*parameters: Any) -> bool:
    return any(isinstance(p, Tensor) or hasattr(p, "_as_graph_element") for p in parameters)


def _standard(distribution: str, kernel: str, graph: Graph, shape: Tensor, dtype: dtypes.DType, seed: int | None) -> Tensor:
    """The draw from [0, 1), or with mean 0 and deviation 1, that is scaled and moved by tensors outside: gradients
    reach those."""
    zero, one = (
        graph.add("Const", (), {"value": np.asarray(v, dtype.as_numpy_dtype), "dtype": dtype}, f"{kernel}_{label}", 0).outputs[0]
        for v, label in ((0, "zero"), (1, "one"))
    )
    return _random(distribution, graph.unique_name(kernel) + "/", graph, shape, zero, one, dtype, seed, 1)


def standard_uniform(graph: Graph, shape: Tensor, dtype: dtypes.DType, seed: int | None) -> Tensor:
    """A draw from [0, 1) that TF1 counts as one operation."""
    with graph.name_scope("random_uniform"):
        return _standard("uniform", "RandomUniform", graph, shape, dtype, seed)


def candidates(graph: Graph, count: int, limit: int, unique: bool, log_uniform: bool, seed: int | None) -> Tensor:
    """int64 [count + 1]: whole numbers below `limit`, and how many were drawn until there were so many."""
    shape, lo, how = (
        convert(np.asarray(v, d), name=f"candidates_{label}", graph=graph, count=0)
        for label, v, d in (("shape", [count + 1], np.int32), ("limit", limit, np.int64), ("how", unique + 2 * (not log_uniform), np.int64))
    )
    return _random("candidates", graph.unique_name("candidates") + "/", graph, shape, lo, how, dtypes.int64, seed, 1)


def random_uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, seed: int | None = None, name: str | None = None
) -> Tensor:
    """Uniform in [minval, maxval): u * (maxval - minval) + minval for floats, minval + word mod range for integers."""
    with recording("RandomUniform", name or "random_uniform", shape=shape, minval=minval, maxval=maxval) as (graph, scope):
        d = as_dtype(dtype)
        if d not in (dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64):
            raise ValueError(f"Invalid dtype {d!r}: random_uniform draws float32, float64, int32, int64")
        if maxval is None:
            if d.is_integer:
                raise ValueError(f"Must specify maxval for integer dtype {d!r}")
            maxval = 1
        s = shape_tensor(shape, graph)
        lo = convert(minval, dtype=d, name="min", graph=graph)
        hi = convert(maxval, dtype=d, name="max", graph=graph)
        if d.is_integer:
            drawn = _random("uniform_int", scope, graph, s, lo, hi, d, seed, 1)
            _need_a_range(lo, hi, drawn)
            return drawn
        if not _given_as_tensor(minval, maxval):
            return _random("uniform", scope, graph, s, lo, hi, d, seed, 4)
        u = _standard("uniform", "RandomUniform", graph, s, d, seed)
        width = graph.add("Sub", (hi, lo), {}, "sub").outputs[0]
        return graph.add("Add", (graph.add("Mul", (u, width), {}, "mul").outputs[0], lo), {}, scope).outputs[0]


def _need_a_range(lo: Tensor, hi: Tensor, drawn: Tensor) -> None:
    """TF1's fault when constant bounds leave no integer to draw; drawing none is well."""
    nodes = [t.node for t in (lo, hi)]
    bounds = [n.attrs[0].value.item() for n in nodes if n is not None and n.kind is Kind.CONST and n.shape == ()]
    if len(bounds) < 2 or 0 in (drawn.extents or ()):
        return
    low, high = bounds
    if low >= high:
        raise ValueError(f"Need minval < maxval, got {low} >= {high}")


def _normal(distribution: str, default: str, kernel: str):
    def function(
        shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, seed: int | None = None, name: str | None = None
    ) -> Tensor:
        with recording(default, name or default, shape=shape, mean=mean, stddev=stddev) as (graph, scope):
            d = as_dtype(dtype)
            s = shape_tensor(shape, graph)
            mu = convert(mean, dtype=d, name="mean", graph=graph)
            sigma = convert(stddev, dtype=d, name="stddev", graph=graph)
            need(mu, *FLOATS, parameter="dtype")
            if mu.extents == sigma.extents == () and not _given_as_tensor(mean, stddev):
                return _random(distribution, scope, graph, s, mu, sigma, d, seed, 3)
            z = _standard(distribution, kernel, graph, s, d, seed)
            return graph.add("Add", (graph.add("Mul", (z, sigma), {}, "mul").outputs[0], mu), {}, scope).outputs[0]

    function.__name__ = function.__qualname__ = default
    function.__doc__ = "z * stddev + mean with z from the standard normal distribution" + (
        ", drawn again while abs(z) >= 2." if "trunc" in distribution else "."
    )
    return function


random_normal = _normal("normal", "random_normal", "RandomStandardNormal")
truncated_normal = _normal("truncated_normal", "truncated_normal", "TruncatedNormal")


def random_shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """The rows (axis 0) of `value` in random order."""
    with recording("RandomShuffle", name or "RandomShuffle", value=value) as (graph, scope):
        t = convert(value, name="value", graph=graph)
        if t.extents == ():
            return t
        pair = seed_pair(graph, seed)
        return graph.add("RandomShuffle", (t,), {"seed": pair, "_key": Key(scope[:-1], pair)}, scope).outputs[0]
