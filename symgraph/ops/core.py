"""What every operation shares: operands to tensors, TF1's name scopes for them, dtype checks.

Law of this file: an operation's operands are converted inside a name scope of the operation's own name, so that a
Python number becomes the constant 'add/y', and the operation itself takes the scope's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..dtypes import DType
from ..graph import Attempt, Graph, Tensor, convert, get_default_graph


def graph_of(values: Sequence[object]) -> Graph:
    """The graph of the first tensor among the values, else the default graph."""
    for v in values:
        if hasattr(v, "_as_graph_element"):
            v = v._as_graph_element()
        if isinstance(v, Tensor):
            return v.graph
        if isinstance(v, list | tuple):
            for w in v:
                if isinstance(w, Tensor) or hasattr(w, "_as_graph_element"):
                    return w.graph  # type: ignore[union-attr]
    return get_default_graph()


class recording(Attempt):
    """What every operation begins with: the graph of its operands, and a name scope of the operation's own name.

    A fault inside says what the operands were and leaves the graph as it was."""

    __slots__ = ()

    def __init__(self, kind: str, name: str | None, /, **operands: object) -> None:
        super().__init__(graph_of(tuple(operands.values())), kind, name, operands, scoped=True)


@contextmanager
def counted_as(graph: Graph, count: int) -> Iterator[None]:
    """What is recorded inside counts as `count` operations of TF1's."""
    before = graph.counted
    yield
    graph.counted = before + count


def apply(kind: str, default: str, *operands: object, name: str | None = None, count: int = 1, hidden: int = 0, **attrs: Any) -> Tensor:
    """Record a call of `kind` on operands that have a dtype of their own; returns its first output.

    `default` names it when `name` is None; `hidden` is how many constants TF1 would have made beside it."""
    with recording(kind, name or default, **{f"input{k or ''}": o for k, o in enumerate(operands)}) as (graph, scope):
        inputs = [convert(o, name=f"Const{k or ''}", graph=graph) for k, o in enumerate(operands)]
        return graph.add(kind, inputs, attrs, scope, count + hidden).outputs[0]


def binary(kind: str, default: str, x: object, y: object, name: str | None = None, **attrs: Any) -> Tensor:
    """Record a call on two operands of one dtype: a number or array takes the dtype of the tensor beside it."""
    with recording(kind, name or default, x=x, y=y) as (graph, scope):
        return graph.add(kind, pair(x, y, kind, graph), attrs, scope).outputs[0]


def pair(x: object, y: object, kind: str, graph: Graph, names: tuple[str, str] = ("x", "y")) -> tuple[Tensor, Tensor]:
    """Two tensors of one dtype, TypeError otherwise."""
    if is_tensor(x) or not is_tensor(y):
        a = convert(x, name=names[0], graph=graph)
        b = convert(y, like=a.dtype, name=names[1], graph=graph)
    else:
        b = convert(y, name=names[1], graph=graph)
        a = convert(x, like=b.dtype, name=names[0], graph=graph)
    same_dtype(kind, a, b, names)
    return a, b


def is_tensor(v: object) -> bool:
    """Is it a tensor or a variable?"""
    return isinstance(v, Tensor) or hasattr(v, "_as_graph_element")


def same_dtype(kind: str, a: Tensor, b: Tensor, names: tuple[str, str] = ("x", "y")) -> None:
    """TF1's TypeError when two inputs differ in dtype."""
    if a.dtype is not b.dtype:
        raise TypeError(
            f"Input '{names[1]}' of '{kind}' Op has type {b.dtype.name} that does not match type {a.dtype.name} of argument "
            f"'{names[0]}'.\nuse tf.cast(..., tf.{a.dtype.name}) on one of them"
        )


def need(t: Tensor, ok: Callable[[DType], bool], allowed: str, parameter: str = "x") -> None:
    """TF1's TypeError for a dtype that an operation does not take."""
    if not ok(t.dtype):
        raise TypeError(f"Value passed to parameter '{parameter}' has DataType {t.dtype.name} not in list of allowed values: {allowed}")


Allowed = tuple[Callable[[DType], bool], str]
"""Which dtypes an operation takes: a test, and their names."""

FLOATS: Allowed = (lambda d: d.is_floating, "float32, float64")
INDICES: Allowed = (lambda d: d.name in ("int32", "int64"), "int32, int64")
NUMBERS: Allowed = (lambda d: d.is_floating or d.is_integer, "float32, float64, uint8, int8, int16, int32, int64")
BOOLS: Allowed = (lambda d: d.is_bool, "bool")
ANY: Allowed = (lambda d: d.name != "string", "float32, float64, uint8, int8, int16, int32, int64, bool")
