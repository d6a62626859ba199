"""What the user knows of a tensor's values and the graph cannot see: `assume`, and looking whether it is so.

Law of this file: a fact is a row of `FACTS`.  Facts belong to the graph, by tensor; they add no operation.  Rules may
use a fact as soon as it is there, so a fact that does not hold makes results wrong: what can be seen to be impossible
is refused where it is assumed, the rest is looked at by `Session.check_assumptions`, and under SYMGRAPH_CHECK=2
whenever a value is fed.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from . import config
from .errors import InvalidArgumentError
from .graph import Attempt, Graph, Tensor, convert
from .node import Kind, Node
from .ops.core import graph_of
from .shapes import ShapeError, brackets, compatible


# ---------------------------------------------------------------- the table
def _near(a: np.ndarray, b: Any, scale: Any) -> np.ndarray:
    """Equal up to rounding, element by element; NaN is near nothing."""
    tolerance = np.sqrt(np.finfo(a.dtype if a.dtype.kind == "f" else np.float64).eps)
    with np.errstate(all="ignore"):
        return (a == b) | (np.abs(np.subtract(a, b, dtype=np.float64)) <= tolerance * scale)


def _is_symmetric(a: np.ndarray) -> np.ndarray:
    return _near(a, np.swapaxes(a, -1, -2), np.abs(a, dtype=np.float64).max((-1, -2), keepdims=True, initial=0))


def _gram(a: np.ndarray) -> np.ndarray:
    return np.swapaxes(a, -1, -2) @ a


def _sums(a: np.ndarray) -> np.ndarray:
    return a.sum(-1)


def _itself(a: np.ndarray) -> np.ndarray:
    return a


def _sums_are_one(a: np.ndarray) -> np.ndarray:
    return _near(_sums(a), 1, 1 + np.abs(a).sum(-1))


def _is_binary(a: np.ndarray) -> np.ndarray:
    return (a == 0) | (a == 1)


def _is_one_hot(a: np.ndarray) -> np.ndarray:
    return _is_binary(a).all(-1) & (_sums(a) == 1)


@dataclass(frozen=True, slots=True)
class Fact:
    """`holds` says where `seen(value)` is as it should be; both have that shape.  `axes` are the last axes that the
    fact is about (2: a square matrix)."""

    name: str
    says: str
    holds: Callable[[np.ndarray], np.ndarray]
    seen: Callable[[np.ndarray], np.ndarray] = _itself
    what: str = "{name}{place} is {value}"
    axes: int = 0
    implies: tuple[str, ...] = ()


_TABLE = (
    Fact("positive", "positive", lambda a: a > 0),
    Fact("symmetric", "symmetric", _is_symmetric, what="{name}{place} is {value}, not what lies across the diagonal", axes=2),
    Fact("orthogonal", "orthogonal", lambda a: _near(_gram(a), np.eye(a.shape[-1]), 1), _gram, "({name}ᵀ{name}){place} is {value}", 2),
    Fact("rows_sum_to_one", "rows sum to one", _sums_are_one, _sums, "row {place} of {name} sums to {value}", 1),
    Fact("binary", "binary", _is_binary),
    Fact("one_hot", "one-hot", _is_one_hot, _sums, "row {place} of {name} is no 1 among zeros", 1, ("binary", "rows_sum_to_one")),
)
FACTS = {f.name: f for f in _TABLE}
Facts = frozenset[str]


@cache
def closed(names: Facts) -> Facts:
    """The facts with all that follows from them."""
    return names.union(*(closed(frozenset(FACTS[n].implies)) for n in names))


@cache
def told(names: Facts) -> tuple[Fact, ...]:
    """The facts that do not follow from the others, in the order of the table: what is worth saying and looking at."""
    implied = {i for n in names for i in closed(frozenset(FACTS[n].implies))}
    return tuple(f for f in FACTS.values() if f.name in names and f.name not in implied)


# ---------------------------------------------------------------- assuming
def assume(t: Any, **facts: bool) -> Any:
    """Say what holds of a tensor's values; returns `t` itself, so that it can be said inside an expression.

      `positive`: every element is > 0.  `binary`: every element is 0 or 1.  `symmetric`, `orthogonal`: square matrices
      (over the last two axes) with Sᵀ = S, QᵀQ = I.  `rows_sum_to_one`, `one_hot`: over the last axis; a one-hot row
      holds a single 1 among zeros.  A fact given as False is left unsaid.

    X  ValueError for an unknown fact, for a matrix that is not square, and for a constant of which
      the fact is not true; TypeError for a dtype that is not a number.

    >>> import symgraph as sg
    >>> S = sg.assume(sg.placeholder(sg.float64, (3, 3), "S"), symmetric=True)
    >>> x = sg.placeholder(sg.float64, (3, 1), "x")
    >>> print(sg.formula(sg.gradients(sg.transpose(x) @ S @ x, [x])[0]))
    2 · Sx
      with S symmetric
    """
    with Attempt(graph_of((t,)), "Assume", "assume", {"t": t}) as (graph, _):
        tensor = convert(t, graph=graph)
        unknown = sorted(facts.keys() - FACTS.keys())
        if unknown or not facts:
            fault = f"{unknown[0]!r} is no fact" if unknown else "no fact was given"
            raise ValueError(f"{fault}\nthere are {', '.join(FACTS)}")
        if wrong := [f"{k}={v!r}" for k, v in facts.items() if not isinstance(v, bool)]:
            raise TypeError(f"a fact is given as True or False, not {wrong[0]}")
        names = closed(frozenset(k for k, said in facts.items() if said))
        for fact in told(names):
            _possible(tensor, fact)
        if names:
            store = _store(graph)
            store[tensor] = store.get(tensor, frozenset()) | names
    return t


def _possible(t: Tensor, fact: Fact) -> None:
    """Fault unless the tensor could be so."""
    if not (t.dtype.is_floating or t.dtype.is_integer):
        raise TypeError(f"{fact.name} is about numbers, and the tensor is {t.dtype.name}\nuse tf.cast(..., tf.float32)")
    shape = t.extents
    if shape is None:
        return
    if len(shape) < fact.axes:
        subject = "matrices" if fact.axes == 2 else "rows"
        raise ShapeError(f"Shape must be at least rank {fact.axes} but is rank {len(shape)}\n{fact.name} is about {subject}")
    if fact.axes == 2 and not compatible(shape[-1], shape[-2]):
        unequal = f"Dimensions must be equal, but are {shape[-2]} and {shape[-1]}"
        raise ShapeError(f"{unequal}\n{fact.name} is about square matrices, not {brackets(shape)}")
    if t.node is not None and t.node.kind is Kind.CONST and (broken := _broken(t.op.name, fact, t.node.attrs[0].value)):
        raise ValueError(f"the constant is not {fact.name}: {broken}")


def _store(graph: Graph) -> dict[Tensor, Facts]:
    return graph.attached("facts", dict)


def assumed(graph: Graph) -> dict[Tensor, Facts]:
    """The tensors of the graph of which something is known, with what follows, in the order in which it was said."""
    return {t: names for t, names in _store(graph).items() if graph.holds(t.op)}


def on_nodes(graph: Graph, within: Container[Tensor], node: Callable[[Tensor], Node]) -> dict[Node, Facts]:
    """What is known of the nodes of the tensors in `within`; `node` gives a tensor's."""
    found: dict[Node, Facts] = {}
    for t, names in assumed(graph).items():
        if t in within:
            n = node(t)
            found[n] = found.get(n, frozenset()) | names
    return found


# ---------------------------------------------------------------- looking
def look(t: Tensor, value: Any) -> None:
    """InvalidArgumentError where the value of a tensor is not as was assumed: the tensor, its line, the fact, the place."""
    name = t.described().split("'")[1]
    for fact in told(_store(t.graph)[t]):
        if broken := _broken(name, fact, np.asarray(value)):
            raise InvalidArgumentError(f"'{name}' was assumed {fact.name}, which is not so: {broken}", t.op)


def watched(t: Tensor) -> bool:
    """Is the tensor looked at whenever it is fed?"""
    return t in _store(t.graph) and config.get("SYMGRAPH_CHECK") >= 2


def _broken(name: str, fact: Fact, value: np.ndarray) -> str | None:
    """Where the value is not as the fact says, in words, or None."""
    if value.ndim < fact.axes or fact.axes == 2 and value.shape[-1] != value.shape[-2]:
        return f"its shape is {value.shape}"
    bad = np.argwhere(~fact.holds(value))
    if not len(bad):
        return None
    place = tuple(bad[0].tolist())
    return fact.what.format(name=name, place=f"[{', '.join(map(str, place))}]" if place else "", value=fact.seen(value)[place])
