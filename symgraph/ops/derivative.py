"""`tf.gradients` and what follows from it.

Law of this file: one call records one operation, whose outputs are the derivatives; deriving again derives its nodes.
"""

from __future__ import annotations

from typing import Any

from ..graph import Graph, Tensor, convert
from ..replay import connected
from .array import ones_like
from .core import recording
from .state import Variable


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: Any = None,
    stop_gradients: Any = None,
) -> list[Tensor | None]:
    """d(sum of ys)/dx for each x, symbolically: a list in the order of `xs`, None where nothing depends on x.

    `grad_ys` are the adjoints of ys (default ones).  `xs` may be variables, placeholders or inner tensors; tensors in
    `stop_gradients` are taken as constants.  NoGradientError where a path has no derivative."""
    ys, xs = _listed(ys), _listed(xs)
    with recording("gradients", name, ys=ys, xs=xs) as (graph, _):
        return _gradients(graph, ys, xs, grad_ys, stop_gradients)


def _gradients(graph: Graph, ys: list, xs: list, grad_ys: Any, stop_gradients: Any) -> list[Tensor | None]:
    y_tensors = [convert(y, graph=graph) for y in ys]
    x_tensors = [x._ref if isinstance(x, Variable) else convert(x, graph=graph) for x in xs]
    x_tensors = [x.op.inputs[0] if x.op.type == "Identity" and x.op.inputs[0].op.type == "VariableV2" else x for x in x_tensors]
    for t in (*y_tensors, *x_tensors):
        if t.graph is not graph:
            raise ValueError(f"{t} must be from the same graph as {y_tensors[0]}.")
    given = None if grad_ys is None else _listed(grad_ys)
    if given is not None and len(given) != len(ys):
        raise ValueError(f"Passed {len(given)} grad_ys for {len(ys)} ys")
    stops = (
        [s._ref if isinstance(s, Variable) else convert(s, graph=graph) for s in _listed(stop_gradients)]
        if stop_gradients is not None
        else []
    )
    live = connected(y_tensors, x_tensors)
    wanted = [x for x, ok in zip(x_tensors, live, strict=True) if ok]
    if not wanted:
        return [None] * len(xs)
    real = [k for k, y in enumerate(y_tensors) if y.dtype.is_floating]
    use = [y_tensors[k] for k in real]
    seeds: list[Tensor] = []
    if given is not None:
        for k, y in zip(real, use, strict=True):
            g = given[k]
            if g is None:
                seeds.append(ones_like(y))
            else:
                seeds.append(convert(g, like=y.dtype, name=f"grad_ys_{k}", graph=graph))
                if not seeds[-1].shape.is_compatible_with(y.shape):
                    raise ValueError(f"grad_ys {seeds[-1].described()} must have the shape of {y.described()}")
    extra = [s for s in stops if s not in wanted]
    attrs = {
        "ys": len(use),
        "xs": len(wanted) + len(extra),
        "stops": [k for k, x in enumerate([*wanted, *extra]) if x in stops],
        "_shapes": [x.extents for x in [*wanted, *extra]],
        "_dtypes": [x.dtype for x in [*wanted, *extra]],
    }
    op = graph.add("SymbolicGradient", (*use, *wanted, *extra, *seeds), attrs, "SymbolicGradient")
    outputs = iter(op.outputs)
    return [next(outputs) if ok else None for ok in live]


def _listed(v: Any) -> list:
    return list(v) if isinstance(v, list | tuple) else [v]
