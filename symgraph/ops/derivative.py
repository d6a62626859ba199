"""`tf.gradients`, Jacobians, Hessians and products with them.

Law of this file: one call records one operation, whose outputs are the derivatives; deriving again derives its nodes.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from ..graph import Graph, Tensor, convert
from ..replay import connected, derivative_hints
from .array import ones_like, zeros_like
from .control_flow import steps_of
from .core import recording
from .indexed_slices import joined, lookups
from .state import Variable


class AggregationMethod:
    """Ways to add up gradients, of which there is one here: the names are accepted."""

    ADD_N = DEFAULT = EXPERIMENTAL_TREE = EXPERIMENTAL_ACCUMULATE_N = 0


class UnconnectedGradients(Enum):
    """What `gradients` gives for an x on which nothing depends."""

    NONE = "none"
    ZERO = "zero"


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: Any = None,
    stop_gradients: Any = None,
    unconnected_gradients: Any = UnconnectedGradients.NONE,
) -> list[Any]:
    """d(sum of ys)/dx for each x, symbolically: a list in the order of `xs`, None where nothing depends on x (zeros with
    `UnconnectedGradients.ZERO`).

    `grad_ys` are the adjoints of ys (default ones).  `xs` may be variables, placeholders or inner tensors; tensors in
    `stop_gradients` are taken as constants.  For a variable whose rows are only looked up (`gather`, `nn.embedding_lookup`) the
    derivative is `IndexedSlices`.  The other arguments change nothing here.  NoGradientError where a path has no derivative."""
    ys, xs = _listed(ys), _listed(xs)
    with recording("gradients", name, ys=ys, xs=xs) as (graph, _):
        y_tensors, x_tensors = _operands(graph, ys, xs)
        stops = [] if stop_gradients is None else _tensors(graph, _listed(stop_gradients))
        gathers = lookups(y_tensors, [x for x in x_tensors if x.op.type == "VariableV2"], stops)
        wanted = [t for x in x_tensors for t in ([op.outputs[0] for op in gathers[x]] if x in gathers else [x])]
        made = iter(_derive("SymbolicGradient", graph, y_tensors, wanted, None if grad_ys is None else _listed(grad_ys), stops))
        found = [joined(x, gathers[x], made) if x in gathers else next(made) for x in x_tensors]
        zero = UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO
        return [zeros_like(x) if g is None and zero else g for x, g in zip(x_tensors, found, strict=True)]


def vjp(ys: Any, xs: Any, us: Any, name: str = "vjp") -> Any:
    """The sum over ys of u dy/dx for each x: gradients with the adjoints `us`, each of the shape of its y.

    A tensor for one x, a list for a list; None where nothing depends on x."""
    with recording("vjp", name, ys=ys, xs=xs, us=us) as (graph, _):
        return _like(xs, _derive("SymbolicGradient", graph, _listed(ys), _listed(xs), _matched(ys, us)))


def jvp(ys: Any, xs: Any, vs: Any, name: str = "jvp") -> Any:
    """How each y changes when the xs move along `vs`: the sum over xs of dy/dx v, of the shape of y.

    Each v has the shape of its x.  A tensor for one y, a list for a list; None where y depends on no x."""
    with recording("jvp", name, ys=ys, xs=xs, vs=vs) as (graph, _):
        return _like(ys, _derive("JacobianVectorProduct", graph, _listed(ys), _listed(xs), _matched(xs, vs)))


def jacobian(y: Any, xs: Any, name: str = "jacobian") -> Any:
    """dy/dx, of shape y.shape + x.shape: a tensor for one x, a list for a list; None where y does not depend on x.

    >>> import symgraph as sg
    >>> X, y = sg.placeholder(sg.float32, (None, 9), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    >>> theta = sg.Variable(sg.zeros((9, 1)), name="theta")
    >>> print(sg.formula(sg.jacobian(sg.matmul(X, theta) - y, theta)))
    X
    """
    with recording("jacobian", name, y=y, xs=xs) as (graph, _):
        return _like(xs, _derive("Jacobian", graph, [y], _listed(xs)))


def hessian(y: Any, xs: Any, name: str = "hessian") -> Any:
    """The second derivatives of y (of the sum of its elements) by x, of shape x.shape + x.shape, where a column (n, 1)
    counts as its vector: its Hessian is the n x n matrix of textbooks, as in the Newton step x - solve(H, g).

    A tensor for one x, a list for a list, one x at a time; None where y does not depend on x, zeros where its gradient
    does not.

    >>> import symgraph as sg
    >>> X, y = sg.placeholder(sg.float32, (None, 9), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    >>> theta = sg.Variable(sg.zeros((9, 1)), name="theta")
    >>> mse = sg.reduce_mean(sg.square(sg.matmul(X, theta) - y))
    >>> print(sg.formula(sg.hessian(mse, theta)))
    2/m · XᵀX
    """
    with recording("hessian", name, y=y, xs=xs) as (graph, _):
        return _like(xs, _derive("Hessian", graph, [y], _listed(xs)))


def hessians(
    ys: Any,
    xs: Any,
    name: str = "hessians",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: Any = None,
) -> list[Tensor | None]:
    """The second derivatives of the sum of ys by each x, of shape x.shape + x.shape: a list in the order of `xs`."""
    with recording("hessians", name, ys=ys, xs=xs) as (graph, _):
        return _derive("Hessians", graph, _listed(ys), _listed(xs))


def hessian_vector_product(ys: Any, xs: Any, vs: Any, name: str = "hessian_vector_product") -> Any:
    """For each x: the Hessian of the sum of ys by all xs, times `vs`, each of the shape of its x; no Hessian is made.

    A tensor for one x, a list for a list; None where nothing depends on x, zeros where its gradient does not."""
    with recording("hessian_vector_product", name, ys=ys, xs=xs, vs=vs) as (graph, _):
        return _like(xs, _derive("HessianVectorProduct", graph, _listed(ys), _listed(xs), _matched(xs, vs)))


# ---------------------------------------------------------------- what is recorded
def _derive(kind: str, graph: Graph, ys: list, xs: list, vectors: list | None = None, stops: Any = None) -> list[Tensor | None]:
    """A derivative of the ys that depend on an x by the xs on which a y depends; None for the others.

    Of `vectors` there is one for each y or, where the derivative is one along the xs, for each x."""
    y_tensors, x_tensors = _operands(graph, ys, xs)
    of_ys, along = kind == "JacobianVectorProduct", kind in ("JacobianVectorProduct", "HessianVectorProduct")
    like, word = (x_tensors, "vectors") if along else (y_tensors, "grad_ys")
    if vectors is not None and len(vectors) != len(like):
        raise ValueError(f"Passed {len(vectors)} {word} for {len(like)} {'xs' if along else 'ys'}")
    stopped = [] if stops is None else _tensors(graph, _listed(stops))
    at_y = [k for k, y in enumerate(y_tensors) if any(connected([y], x_tensors, stopped))]
    at_x = [k for k, live in enumerate(connected(y_tensors, x_tensors, stopped)) if live]
    found: list[Tensor | None] = [None] * len(ys if of_ys else xs)
    if not at_x:
        return found
    given = [] if vectors is None else [_vector(graph, vectors[k], like[k], f"{word}_{k}") for k in (at_x if along else at_y)]
    live_ys, live_xs = [y_tensors[k] for k in at_y], [x_tensors[k] for k in at_x]
    live_xs += [s for s in stopped if s not in live_xs]
    loops = steps_of(live_ys)
    attrs = {"ys": len(live_ys), "xs": len(live_xs), "stops": [k for k, x in enumerate(live_xs) if x in stopped], "loops": len(loops)}
    op = graph.add(kind, (*live_ys, *live_xs, *given, *loops), attrs | derivative_hints(kind, live_ys, live_xs), kind)
    for k, t in zip(at_y if of_ys else at_x, op.outputs, strict=False):
        found[k] = t
    return found


def _operands(graph: Graph, ys: list, xs: list) -> tuple[list[Tensor], list[Tensor]]:
    y_tensors = [convert(y, graph=graph) for y in ys]
    x_tensors = _tensors(graph, xs)
    x_tensors = [x.op.inputs[0] if x.op.type == "Identity" and x.op.inputs[0].op.type == "VariableV2" else x for x in x_tensors]
    for t in (*y_tensors, *x_tensors):
        if t.graph is not graph:
            raise ValueError(f"{t} must be from the same graph as {y_tensors[0]}.")
    return y_tensors, x_tensors


def _tensors(graph: Graph, values: list) -> list[Tensor]:
    return [v._ref if isinstance(v, Variable) else convert(v, graph=graph) for v in values]


def _matched(given: Any, vectors: Any) -> list:
    """A vector for each of what is given; where that is no list, one vector, which may be written as a list of numbers."""
    return _listed(vectors) if isinstance(given, list | tuple) else [vectors]


def _vector(graph: Graph, value: Any, like: Tensor, name: str) -> Tensor:
    """A tensor of the shape and dtype of `like`; ones for None."""
    if value is None:
        return ones_like(like)
    v = convert(value, like=like.dtype, name=name, graph=graph)
    if v.dtype is not like.dtype:
        raise TypeError(f"{name} {v.described()} must have the dtype of {like.described()}")
    if not v.shape.is_compatible_with(like.shape):
        raise ValueError(f"{name} {v.described()} must have the shape of {like.described()}")
    return v


def _listed(v: Any) -> list:
    return list(v) if isinstance(v, list | tuple) else [v]


def _like(given: Any, found: list[Tensor | None]) -> Any:
    """A list for a list, else the one that was found."""
    return found if isinstance(given, list | tuple) else found[0]
