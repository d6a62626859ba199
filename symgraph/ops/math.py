"""Element-wise mathematics: a table of bodies, and the functions made from it.

Law of this file: an element-wise operation is a row: TF1's function name, operation type, a sympy body over its
operands, the dtypes it takes and what it gives.  Derivatives follow from the bodies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from .. import build, dtypes, scalar
from ..codegen import scalar as fn
from ..dtypes import as_dtype
from ..graph import Arithmetic, Attempt, Tensor, builder, convert
from ..node import Node
from ..shapes import agree
from .core import ANY, BOOLS, FLOATS, NUMBERS, Allowed, apply, binary, graph_of, is_tensor, need, pair, recording, same_dtype
from .places import places


@dataclass(frozen=True, slots=True)
class Row:
    """`name` is TF1's function, `kind` its operation type (and default name), `result` 'same' or 'bool'."""

    name: str
    kind: str
    body: Callable[..., sp.Expr]
    takes: Allowed = FLOATS
    result: str = "same"


UNARY = (
    Row("negative", "Neg", lambda x: -x, NUMBERS),
    Row("abs", "Abs", fn.absolute, NUMBERS),
    Row("sign", "Sign", fn.sgn, NUMBERS),
    Row("square", "Square", lambda x: x**2, NUMBERS),
    Row("sqrt", "Sqrt", sp.sqrt),
    Row("rsqrt", "Rsqrt", lambda x: 1 / sp.sqrt(x)),
    Row("reciprocal", "Reciprocal", lambda x: 1 / x),
    Row("exp", "Exp", sp.exp),
    Row("expm1", "Expm1", fn.expm1),
    Row("log", "Log", sp.log),
    Row("log1p", "Log1p", fn.log1p),
    Row("sin", "Sin", sp.sin),
    Row("cos", "Cos", sp.cos),
    Row("tan", "Tan", sp.tan),
    Row("asin", "Asin", sp.asin),
    Row("acos", "Acos", sp.acos),
    Row("atan", "Atan", sp.atan),
    Row("sinh", "Sinh", sp.sinh),
    Row("cosh", "Cosh", sp.cosh),
    Row("tanh", "Tanh", sp.tanh),
    Row("sigmoid", "Sigmoid", fn.sigmoid),
    Row("softplus", "Softplus", fn.softplus),
    Row("relu", "Relu", fn.relu, NUMBERS),
    Row("erf", "Erf", sp.erf),
    Row("floor", "Floor", fn.floor_),
    Row("ceil", "Ceil", fn.ceil_),
    Row("round", "Round", fn.round_),
    Row("is_nan", "IsNan", fn.isnan, FLOATS, "bool"),
    Row("is_inf", "IsInf", fn.isinf, FLOATS, "bool"),
    Row("is_finite", "IsFinite", fn.isfinite, FLOATS, "bool"),
    Row("logical_not", "LogicalNot", fn.logical_not, BOOLS, "bool"),
)

BINARY = (
    Row("add", "Add", lambda x, y: x + y, NUMBERS),
    Row("subtract", "Sub", lambda x, y: x - y, NUMBERS),
    Row("multiply", "Mul", lambda x, y: x * y, NUMBERS),
    Row("realdiv", "RealDiv", lambda x, y: x / y),
    Row("div_no_nan", "DivNoNan", lambda x, y: fn.select(fn.ne(y, 0), x / y, 0)),
    Row("truncatediv", "TruncateDiv", fn.truncdiv, (lambda d: d.is_integer, "uint8, int8, int16, int32, int64")),
    Row("floordiv", "FloorDiv", fn.floordiv, NUMBERS),
    Row("floormod", "FloorMod", fn.floormod, NUMBERS),
    Row("maximum", "Maximum", fn.maximum, NUMBERS),
    Row("minimum", "Minimum", fn.minimum, NUMBERS),
    Row("squared_difference", "SquaredDifference", lambda x, y: (x - y) ** 2, NUMBERS),
    Row("less", "Less", fn.lt, NUMBERS, "bool"),
    Row("less_equal", "LessEqual", fn.le, NUMBERS, "bool"),
    Row("greater", "Greater", fn.gt, NUMBERS, "bool"),
    Row("greater_equal", "GreaterEqual", fn.ge, NUMBERS, "bool"),
    Row("equal", "Equal", fn.eq, ANY, "bool"),
    Row("not_equal", "NotEqual", fn.ne, ANY, "bool"),
    Row("logical_and", "LogicalAnd", fn.logical_and, BOOLS, "bool"),
    Row("logical_or", "LogicalOr", fn.logical_or, BOOLS, "bool"),
    Row("logical_xor", "LogicalXor", fn.ne, BOOLS, "bool"),
)


def _body_of(row: Row, operands: tuple[Node, ...]) -> sp.Expr:
    """The row's body; integers keep functions that sympy would turn into fractions."""
    return row.body(*(scalar.x(k) for k in range(len(operands))))


def _make_unary(row: Row) -> Callable[..., Tensor]:
    def make(x: Node) -> Node:
        return build.elementwise(_body_of(row, (x,)), x, dtype=dtypes.bool if row.result == "bool" else x.dtype)

    builder(row.kind, (lambda op: dtypes.bool) if row.result == "bool" else None)(make)

    def function(x: Any, name: str | None = None) -> Tensor:
        with recording(row.kind, name or row.kind, x=x) as (graph, scope):
            t = convert(x, name="x", graph=graph)
            need(t, *row.takes)
            return graph.add(row.kind, (t,), {}, scope).outputs[0]

    return _describe(function, row, f"{row.name}(x), element by element.")


def _make_binary(row: Row) -> Callable[..., Tensor]:
    def make(x: Node, y: Node) -> Node:
        return build.elementwise(_body_of(row, (x, y)), x, y, dtype=dtypes.bool if row.result == "bool" else x.dtype)

    builder(row.kind, (lambda op: dtypes.bool) if row.result == "bool" else None)(make)

    def function(x: Any, y: Any, name: str | None = None) -> Tensor:
        return _checked_binary(row, row.kind, x, y, name)

    return _describe(function, row, f"{row.name}(x, y), element by element with broadcasting.")


def _checked_binary(row: Row, default: str, x: Any, y: Any, name: str | None) -> Tensor:
    with recording(row.kind, name or default, x=x, y=y) as (graph, scope):
        a, b = pair(x, y, row.kind, graph)
        need(a, *row.takes)
        return graph.add(row.kind, (a, b), {}, scope).outputs[0]


def _describe(f: Callable[..., Tensor], row: Row, first: str) -> Callable[..., Tensor]:
    f.__name__ = f.__qualname__ = row.name
    f.__doc__ = f"{first}\n\nTakes {row.takes[1]}; gives {'bool' if row.result == 'bool' else 'the same dtype'}.  TypeError otherwise."
    return f


_rows = {r.name: r for r in (*UNARY, *BINARY)}
_made: dict[str, Callable[..., Tensor]] = {r.name: _make_unary(r) for r in UNARY} | {r.name: _make_binary(r) for r in BINARY}
globals().update({("abs_" if n == "abs" else "round_" if n == "round" else n): f for n, f in _made.items()})


# ---------------------------------------------------------------- those that are more than a row
@builder("Pow")
def _pow(x: Node, y: Node) -> Node:
    number = build.is_filled(y) if y.shape == () and x.dtype.is_floating else None
    if number is not None:
        return build.elementwise(scalar.x(0) ** number, x)
    return build.elementwise(fn.power, x, y)


def pow(x: Any, y: Any, name: str | None = None) -> Tensor:  # noqa: A001
    """x to the power y, element by element with broadcasting.  Integers stay integers."""
    return binary("Pow", "Pow", x, y, name)


def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y as real numbers: integers are divided in float64 (8- and 16-bit ones in float32)."""
    return _truediv(x, y, name, "truediv")


def _truediv(x: Any, y: Any, name: str | None, default: str) -> Tensor:
    with recording("RealDiv", name or default, x=x, y=y) as (graph, scope):
        a, b = pair(x, y, "RealDiv", graph)
        need(a, *NUMBERS)
        if a.dtype.is_integer:
            wide = dtypes.float32 if a.dtype.size < 4 else dtypes.float64
            a, b = cast(a, wide), cast(b, wide)
        return graph.add("RealDiv", (a, b), {}, scope).outputs[0]


divide = truediv


def div(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y as Python 2 divides: floats really, integers rounded down."""
    with recording("Div", name or "div", x=x, y=y) as (graph, scope):
        a, b = pair(x, y, "Div", graph)
        return graph.add("FloorDiv" if a.dtype.is_integer else "RealDiv", (a, b), {}, scope).outputs[0]


@builder("Cast", lambda op: op.attrs["dtype"])
def _cast(x: Node, dtype: dtypes.DType) -> Node:
    return build.cast(x, dtype)


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """x converted to `dtype`: float to int truncates, to bool is x != 0.  A tensor of that dtype already is returned itself."""
    with Attempt(graph_of((x,)), "Cast", name or "Cast", {"x": x, "dtype": dtype}):
        wanted = as_dtype(dtype)
    if is_tensor(x) and convert(x).dtype is wanted:
        return convert(x)
    with recording("Cast", name or "Cast", x=x) as (graph, scope):
        t = convert(x, name="x", graph=graph)
        need(t, *ANY)
        if t.dtype is wanted:
            return t
        return graph.add("Cast", (t,), {"dtype": wanted}, scope).outputs[0]


def to_float(x: Any, name: str | None = "ToFloat") -> Tensor:
    """cast(x, float32)."""
    return cast(x, dtypes.float32, name)


def to_int32(x: Any, name: str | None = "ToInt32") -> Tensor:
    """cast(x, int32)."""
    return cast(x, dtypes.int32, name)


def to_double(x: Any, name: str | None = "ToDouble") -> Tensor:
    """cast(x, float64)."""
    return cast(x, dtypes.float64, name)


def to_int64(x: Any, name: str | None = "ToInt64") -> Tensor:
    """cast(x, int64)."""
    return cast(x, dtypes.int64, name)


def to_bfloat16(x: Any, name: str | None = "ToBFloat16") -> Tensor:
    """Not supported: NotImplementedError."""
    with recording("Cast", name, x=x):
        raise NotImplementedError("tf.to_bfloat16: there is no bfloat16 here\nuse tf.to_float")


def bitcast(input: Any, type: Any, name: str | None = None) -> Tensor:
    """Not supported: NotImplementedError."""
    with recording("Bitcast", name or "Bitcast", input=input):
        raise NotImplementedError("tf.bitcast: values are not read as bits of another dtype here\nuse tf.cast for their value")


@builder("Select", lambda op: op.inputs[1].dtype)
def _select(condition: Node, x: Node, y: Node) -> Node:
    c = condition
    if c.rank == 1 and x.rank > 1:  # TF1: a vector picks whole rows
        c = build.reshape(c, (*c.shape, *(1,) * (x.rank - 1)))
    return build.elementwise(fn.select(scalar.x(0), scalar.x(1), scalar.x(2)), c, x, y, dtype=x.dtype)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """x where the condition holds, else y; a condition vector picks whole rows, as in TF1.

    Without x and y: the positions at which it holds, int64 [how many, rank], in C order."""
    if x is None and y is None:
        return places(condition, name)
    with recording("Select", name or "Select", condition=condition, x=x, y=y) as (graph, scope):
        if x is None or y is None:
            raise ValueError("x and y must both be non-None or both be None.")
        c = convert(condition, name="condition", graph=graph)
        need(c, *BOOLS, parameter="condition")
        a, b = pair(x, y, "Select", graph)
        return graph.add("Select", (c, a, b), {}, scope).outputs[0]


@builder("AddN")
def _add_n(*parts: Node) -> Node:
    total = parts[0]
    for p in parts[1:]:
        agree(total.shape, p.shape)
        total = build.elementwise(scalar.x(0) + scalar.x(1), total, p)
    return total


def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The sum of tensors of one shape and dtype."""
    with recording("AddN", name or "AddN", inputs=inputs) as (graph, scope):
        if not isinstance(inputs, list | tuple) or not inputs:
            raise ValueError("inputs must be an iterable of at least one Tensor/IndexedSlices with the same dtype and shape")
        parts = [convert(t, name=f"inputs_{k}", graph=graph) for k, t in enumerate(inputs)]
        for k, p in enumerate(parts):
            same_dtype("AddN", parts[0], p, ("inputs_0", f"inputs_{k}"))
        return graph.add("AddN", parts, {}, scope).outputs[0]


def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None) -> Tensor:
    """`add_n`; shape and dtype are those of the inputs, which are compared with what is given."""
    total = add_n(inputs, name)
    with Attempt(total.graph, "AddN", name or "AddN", {"inputs": inputs}):
        if tensor_dtype is not None and as_dtype(tensor_dtype) is not total.dtype:
            raise TypeError(f"tensor_dtype is {as_dtype(tensor_dtype).name}, but input is of type {total.dtype.name}")
        if shape is not None:
            total.set_shape(shape)
    return total


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Tensor:
    """`x` times one number."""
    with recording("Mul", name or "Mul", scalar=scalar, x=x) as (graph, scope):
        t = convert(x, name="x", graph=graph)
        factor = convert(scalar, like=t.dtype, name="scalar", graph=graph)
        if factor.extents not in ((), None):
            raise ValueError(f"Only scalar multiply works, got shape {factor.shape}")
        same_dtype("Mul", factor, t, ("scalar", "x"))
        return graph.add("Mul", (factor, t), {}, scope).outputs[0]


@builder("DivNoNan")
def _div_no_nan(x: Node, y: Node) -> Node:
    return build.elementwise(fn.select(fn.eq(scalar.x(1), 0), 0, scalar.x(0) / scalar.x(1)), x, y)


def div_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y, and 0 where y is 0; float32 or float64."""
    with recording("DivNoNan", name or "div_no_nan", x=x, y=y) as (graph, scope):
        a, b = pair(x, y, "DivNoNan", graph)
        need(a, *FLOATS)
        return graph.add("DivNoNan", (a, b), {}, scope).outputs[0]


@builder("MulNoNan")
def _multiply_no_nan(x: Node, y: Node) -> Node:
    return build.elementwise(fn.select(fn.eq(scalar.x(1), 0), 0, scalar.x(0) * scalar.x(1)), x, y)


def multiply_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x y, and 0 where y is 0, also where x is infinite or NaN; float32 or float64."""
    with recording("MulNoNan", name or "multiply_no_nan", x=x, y=y) as (graph, scope):
        a, b = pair(x, y, "MulNoNan", graph)
        need(a, *FLOATS)
        return graph.add("MulNoNan", (a, b), {}, scope).outputs[0]


@builder("Identity")
def _identity(x: Node) -> Node:
    return x


def identity(input: Any, name: str | None = None) -> Tensor:
    """The same value under another name."""
    return apply("Identity", "Identity", input, name=name)


@builder("StopGradient")
def _stop(x: Node) -> Node:
    return build.elementwise(fn.stopped(scalar.x(0)), x) if x.dtype.is_floating else x


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    """The same value, taken as a constant by `gradients`."""
    return apply("StopGradient", "StopGradient", input, name=name)


def _operator(row_name: str, default: str) -> Callable[[Any, Any], Tensor]:
    row = _rows[row_name]
    return lambda x, y: _checked_binary(row, default, x, y, None)


Arithmetic.operators.update(
    add=_operator("add", "add"),
    sub=_operator("subtract", "sub"),
    mul=_operator("multiply", "mul"),
    floordiv=_operator("floordiv", "floordiv"),
    mod=_operator("floormod", "mod"),
    truediv=lambda x, y: _truediv(x, y, None, "truediv"),
    pow=lambda x, y: binary("Pow", "pow", x, y),
    lt=_operator("less", "Less"),
    le=_operator("less_equal", "LessEqual"),
    gt=_operator("greater", "Greater"),
    ge=_operator("greater_equal", "GreaterEqual"),
    neg=_made["negative"],
    abs=_made["abs"],
    invert=_made["logical_not"],
    **{name: _operator(f"logical_{name}", name) for name in ("and", "or", "xor")},
)
