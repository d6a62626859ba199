"""Checks of values: Assert, assert_*, check_numerics.

Law of this file: what is known while the graph is built is checked there and then; everything else is an operation that
fails a run, with InvalidArgumentError, before anything that depends on it runs and before the run writes a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import as_dtype
from ..errors import InvalidArgumentError
from ..graph import Graph, Operation, Tensor, builder, convert, get_default_graph
from ..host import HOST, host
from ..node import Kind, Node
from ..shapes import text
from . import math, reduce
from .core import BOOLS, FLOATS, is_tensor, need, pair, recording
from .python import summarized


# ---------------------------------------------------------------- Assert
@host("Assert", first=True)
def _assert(op: Operation, condition: Any, *data: Any) -> None:
    if not np.all(condition):
        said = " ".join(f"[{summarized(v, op.attrs['summarize'])}]" for v in data)
        raise InvalidArgumentError(f"assertion failed: {said}", op)


def Assert(condition: Any, data: Sequence[Any], summarize: int | None = None, name: str | None = None) -> Operation:
    """An operation that fails with InvalidArgumentError, saying `data` (`summarize` elements of each, by default 3), where the
    condition, one truth value, does not hold.  Fetch it, or make others depend on it."""
    with recording("Assert", name or "Assert", condition=condition, data=data) as (graph, _):
        c = convert(condition, name="condition", graph=graph)
        need(c, *BOOLS, parameter="condition")
        values = [convert(v, name=f"Const{k or ''}", graph=graph) for k, v in enumerate(data)]
        attrs = {"summarize": 3 if summarize is None else int(summarize), "_shapes": []}
        return graph.add("Assert", (c, *values), attrs, "AssertGuard/Merge", 10 + len(values))


def _done(graph: Graph, name: str = "static_checks_determined_all_ok") -> Operation:
    return graph.add("NoOp", (), {}, name)


def _constant(t: Tensor) -> np.ndarray | None:
    """The value, where the graph itself has it."""
    return t.node.attrs[0].value if t.node is not None and t.node.kind is Kind.CONST else None


# ---------------------------------------------------------------- two values
def _compares(name: str, sign: str, holds: Callable[..., Any], kind: str):
    def check(
        x: Any, y: Any, data: Sequence[Any] | None = None, summarize: int | None = None, message: str | None = None, name: str | None = None
    ) -> Operation:
        return _checked(f"assert_{kind}", name, (x, y), sign, holds, data, summarize, message)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"An operation that fails where x {sign} y does not hold for some element, in the way of `Assert`."
    return check


def _checked(
    default: str,
    name: str | None,
    operands: tuple[Any, Any],
    sign: str,
    holds: Callable[..., Any],
    data: Sequence[Any] | None,
    summarize: int | None,
    message: str | None,
) -> Operation:
    with recording("Assert", name or default, x=operands[0], y=operands[1]) as (graph, _):
        x, y = pair(*operands, kind="Assert", graph=graph)
        given = [_constant(t) for t in (x, y)]
        what = f"Condition x {sign} y did not hold element-wise:"
        if all(v is not None for v in given):
            if sign and not np.all(_PLAIN[sign](*given)):
                lines = [what, f"x ({x.name}) = ", str(given[0]), f"y ({y.name}) = ", str(given[1])]
                raise InvalidArgumentError("\n".join([*([message] if message else []), *lines]))
            return _done(graph, "NoOp")
        said = [what, f"x ({x.name}) = ", x, f"y ({y.name}) = ", y] if data is None else list(data)
        return Assert(reduce.reduce_all(holds(x, y)), [*([message] if message else []), *said], summarize, "Assert")


_PLAIN: dict[str, Callable[..., Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}

assert_equal = _compares("assert_equal", "==", math._made["equal"], "equal")
assert_none_equal = _compares("assert_none_equal", "!=", math._made["not_equal"], "none_equal")
assert_less = _compares("assert_less", "<", math._made["less"], "less")
assert_less_equal = _compares("assert_less_equal", "<=", math._made["less_equal"], "less_equal")
assert_greater = _compares("assert_greater", ">", math._made["greater"], "greater")
assert_greater_equal = _compares("assert_greater_equal", ">=", math._made["greater_equal"], "greater_equal")


def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    data: Sequence[Any] | None = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless abs(x - y) < atol + rtol abs(y) everywhere; both are 10 units of rounding by default."""
    with recording("Assert", name or "assert_near", x=x, y=y) as (graph, _):
        a, b = pair(x, y, "Assert", graph)
        need(a, *FLOATS)
        least = 10 * float(np.finfo(a.dtype.as_numpy_dtype).eps)
        rel, ab = (convert(least if v is None else v, like=a.dtype, name=n, graph=graph) for v, n in ((rtol, "rtol"), (atol, "atol")))
        room = ab + rel * math._made["abs"](b)
        away = math._made["abs"](a - b)
        what = f"x and y not equal to tolerance rtol = {least if rtol is None else rtol}, atol = {least if atol is None else atol}"
        said = [what, f"x ({a.name}) = ", a, f"y ({b.name}) = ", b] if data is None else list(data)
        return Assert(reduce.reduce_all(math._made["less"](away, room)), [*([message] if message else []), *said], summarize, "Assert")


# ---------------------------------------------------------------- one value
def _signed(name: str, sign: str, by: str, zero_first: bool):
    def check(
        x: Any, data: Sequence[Any] | None = None, summarize: int | None = None, message: str | None = None, name: str | None = None
    ) -> Operation:
        with recording("Assert", name or called, x=x) as (graph, _):
            t = convert(x, name="x", graph=graph)
            zero = convert(0, dtype=t.dtype, graph=graph)
            said = [message or "", f"Condition x {sign} 0 did not hold element-wise:", f"x ({t.name}) = "]
            if (given := _constant(t)) is not None and not np.all(_PLAIN[sign](given, 0)):
                raise InvalidArgumentError("\n".join([*said[not message :], str(given)]))
            operands = (zero, t) if zero_first else (t, zero)
            return _checked(f"assert_{by}", None, operands, "", math._made[by], data or [*said, t], summarize, None)

    called = check.__name__ = check.__qualname__ = name
    check.__doc__ = f"An operation that fails where x {sign} 0 does not hold for some element, in the way of `Assert`."
    return check


assert_positive = _signed("assert_positive", ">", "less", True)
assert_negative = _signed("assert_negative", "<", "less", False)
assert_non_negative = _signed("assert_non_negative", ">=", "less_equal", True)
assert_non_positive = _signed("assert_non_positive", "<=", "less_equal", False)


# ---------------------------------------------------------------- shapes and dtypes
def _ranks(default: str, words: str, holds: Callable[[int, Sequence[int]], bool]):
    def check(
        x: Any,
        rank: Any,
        data: Sequence[Any] | None = None,
        summarize: int | None = None,
        message: str | None = None,
        name: str | None = None,
    ) -> Operation:
        with recording("Assert", name or default, x=x) as (graph, _):
            t = convert(x, name="x", graph=graph)
            wanted = [int(r) for r in (rank if isinstance(rank, list | tuple) else [rank])]
            if t.extents is not None:
                if not holds(len(t.extents), wanted):
                    those = tuple(wanted) if "in" in words else wanted[0]
                    start = f"{message}.  " if message else ""
                    received = f"Received rank {len(t.extents)}, shape {text(t.extents)}"
                    raise ValueError(f"{start}Tensor {t.name} must have rank {words}{those}.  {received}")
                return _done(graph)
            attrs = {"kind": default, "wanted": wanted, "message": message or "", "words": words.strip(), "_shapes": []}
            return graph.add("AssertRank", (t,), attrs, "Assert/Assert", 8)

    check.__name__ = check.__qualname__ = default
    check.__doc__ = f"An operation that fails unless the rank of x is {words or 'just '}`rank`; ValueError where it is known to be another."
    return check


@host("AssertRank", first=True)
def _assert_rank(op: Operation, x: Any) -> None:
    if not _RANKS[op.attrs["kind"]](np.ndim(x), op.attrs["wanted"]):
        wanted = " ".join(f"[{r}]" for r in op.attrs["wanted"])
        words = f"Tensor {op.inputs[0].name} must have rank {op.attrs['words']}".rstrip()
        what = f"[{words}] {wanted} [Received shape: ]"
        raise InvalidArgumentError(f"assertion failed: [{op.attrs['message']}] {what} [{summarized(np.shape(x), 3)}]", op)


_RANKS: dict[str, Callable[[int, Sequence[int]], bool]] = {
    "assert_rank": lambda r, wanted: r == wanted[0],
    "assert_rank_at_least": lambda r, wanted: r >= wanted[0],
    "assert_rank_in": lambda r, wanted: r in wanted,
}
assert_rank = _ranks("assert_rank", "", _RANKS["assert_rank"])
assert_rank_at_least = _ranks("assert_rank_at_least", "at least ", _RANKS["assert_rank_at_least"])
assert_rank_in = _ranks("assert_rank_in", "in ", _RANKS["assert_rank_in"])


def assert_scalar(tensor: Any, name: str | None = None, message: str | None = None) -> Tensor:
    """The tensor; ValueError unless it is known to be a scalar."""
    with recording("Assert", name or "assert_scalar", tensor=tensor) as (graph, _):
        t = convert(tensor, name="tensor", graph=graph)
        if t.extents != ():
            raise ValueError(f"{message or ''}Expected scalar shape for {t.name}, saw shape: {text(t.extents)}.")
        return t


def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> Operation:
    """TypeError unless the tensor has this dtype; an operation that does nothing."""
    with recording("Assert", name or "assert_type", tensor=tensor) as (graph, _):
        t = convert(tensor, name="tensor", graph=graph)
        if t.dtype is not as_dtype(tf_type):
            raise TypeError(f"{message or ''}{t.name} must be of type tf.{as_dtype(tf_type).name}; got tf.{t.dtype.name}")
        return _done(graph, "statically_determined_correct_type")


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> Operation:
    """TypeError unless x is of an integer dtype; an operation that does nothing."""
    with recording("Assert", name or "assert_integer", x=x) as (graph, _):
        t = convert(x, name="x", graph=graph)
        if not t.dtype.is_integer:
            raise TypeError(f'{message or ""}Expected "x" to be integer type.  Found: {t.name} of dtype tf.{t.dtype.name}')
        return _done(graph, "statically_determined_was_integer")


def assert_same_float_dtype(tensors: Sequence[Any] | None = None, dtype: Any = None) -> dtypes.DType:
    """The floating dtype that all of them have (float32 where there are none); ValueError where they differ."""
    found = [t.dtype for t in tensors or () if is_tensor(t)] + ([as_dtype(dtype)] if dtype is not None else [])
    kinds = list(dict.fromkeys(d.name for d in found)) or ["float32"]
    if len(kinds) > 1 or not as_dtype(kinds[0]).is_floating:
        raise ValueError(f"Expected one floating point type, got {', '.join(kinds)}")
    return as_dtype(kinds[0])


def assert_proper_iterable(values: Any) -> None:
    """TypeError for what is one tensor, array, string or number instead of several."""
    if is_tensor(values) or isinstance(values, np.ndarray | str | bytes) or not hasattr(values, "__iter__"):
        raise TypeError(f"Expected argument 'values' to be a 'proper' iterable.  Found: {type(values)}")


# ---------------------------------------------------------------- numbers that are none
@builder("CheckNumerics")
def _passed(tensor: Node) -> Node:
    return tensor


@host("FiniteOnly", first=True)
def _finite_only(op: Operation, x: Any) -> None:
    found = [what for what, wrong in (("Inf", np.isinf(x)), ("NaN", np.isnan(x))) if np.any(wrong)]
    if found:
        raise InvalidArgumentError(f"{op.attrs['message']} : Tensor had {' and '.join(found)} values", op)


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """The tensor; a run in which it has NaN or infinity is an InvalidArgumentError that starts with `message`."""
    with recording("CheckNumerics", name or "CheckNumerics", tensor=tensor) as (graph, scope):
        t = convert(tensor, name="tensor", graph=graph)
        need(t, *FLOATS, parameter="tensor")
        check = graph.add("FiniteOnly", (t,), {"message": str(message), "_shapes": []}, "check", 0)
        with graph.control_dependencies([check]):
            return graph.add("CheckNumerics", (t,), {}, scope).outputs[0]


def verify_tensor_all_finite(
    t: Any = None, msg: str | None = None, name: str | None = None, x: Any = None, message: str | None = None
) -> Tensor:
    """The tensor; a run in which it has NaN or infinity is an InvalidArgumentError that starts with `msg`."""
    with recording("CheckNumerics", name or "VerifyFinite", t=x if t is None else t):
        checked = check_numerics(x if t is None else t, message or msg or "")
        return math.identity(checked, name="control_dependency")


def add_check_numerics_ops() -> Operation:
    """One operation that fails a run in which any floating tensor of the graph so far has NaN or infinity."""
    graph = get_default_graph()
    inside: set[Operation] = set()  # a loop: its steps are not seen from here
    wanted = []
    for op in graph.get_operations():
        if op.type == "LoopVariable" or op.type != "Loop" and any(t.op in inside for t in op.inputs):
            inside.add(op)
        elif op.type not in ("VariableV2", "Placeholder", *HOST):
            wanted += [t for t in op.outputs if t.dtype.is_floating]
    checks = [graph.add("FiniteOnly", (t,), {"message": t.name, "_shapes": []}, "CheckNumerics") for t in wanted]
    with graph.control_dependencies(checks):
        return graph.add("NoOp", (), {}, "group_deps")


# ---------------------------------------------------------------- questions
def is_numeric_tensor(tensor: Any) -> bool:
    """Is it a tensor of numbers?"""
    return is_tensor(tensor) and (tensor.dtype.is_floating or tensor.dtype.is_integer)
