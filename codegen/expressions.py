"""Scalar bodies as Python text.

Law of this file: evaluation order and dtypes are those of the `Body`, instruction by instruction; a value used more than
once gets a name.  Literals carry their dtype (a bare 0.5 would drag a float32 loop into float64), whole numbers
narrower than int64 are brought back after every operation (Numba widens them), and what NumPy and Numba would do
differently is written out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

from .loops import Let
from .scalar import Body, Instr

SHORT = {"float32": "f32", "float64": "f64", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "uint8": "u8", "bool": "bool_"}
"""Names of the dtypes in generated source, bound at its top: f32 = np.float32."""
VECMATH = {name: name for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "sigmoid", "softplus", "erf")} | {"power": "pow"}
"""Functions of floats that `runtime/vecmath.py` has, and their names there."""
ATOM, UNARY, PRODUCT, SUM, COMPARE = 9, 8, 6, 5, 3
LONG = 90
"""Characters past which an expression is split by naming a part."""

LIMITS: dict[str, tuple[object, object]] = {
    "bool": (False, True),
    **dict.fromkeys(("float32", "float64"), (-np.inf, np.inf)),
    **{d: (int(np.iinfo(d).min), int(np.iinfo(d).max)) for d in ("int8", "int16", "int32", "int64", "uint8")},
}
"""The least and the greatest value of each dtype: identities of max and min."""
_SIMPLE = re.compile(r"\w+(\[[^\[\]]*\])?")
"""A name or one element of an array."""

Text = tuple[str, int]
"""An expression and how tightly its outermost operator binds."""


def literal(value: object, dtype: str) -> str:
    """A number of that dtype: prints by repr, so it reads back equal."""
    if dtype == "bool":
        return str(bool(value))
    if dtype.startswith("float"):
        v = float(value)  # type: ignore[arg-type]
        if math.isnan(v) or math.isinf(v):
            return f"{SHORT[dtype]}({'np.nan' if math.isnan(v) else 'np.inf' if v > 0 else '-np.inf'})"
        return f"{SHORT[dtype]}({v!r})"
    return f"{SHORT[dtype]}({int(value)})" if dtype != "int64" else str(int(value))  # type: ignore[call-overload]


def cast(text: str, source: str, target: str) -> str:
    """text converted from one dtype to another."""
    if source == target:
        return text
    if target == "bool":
        return f"({text}) != 0"
    if source == "bool":
        return f"({literal(1, target)} if {text} else {literal(0, target)})"
    return f"{SHORT[target]}({text})"


def _infix(symbol: str, level: int) -> Callable[..., str]:
    def rule(dtype: str, a: Text, b: Text) -> str:
        left = a[0] if a[1] >= level else f"({a[0]})"
        right = b[0] if b[1] > level else f"({b[0]})"
        return f"{left} {symbol} {right}"

    return rule


def _call(template: str) -> Callable[..., str]:
    """A template over the arguments' texts; {z} and {o} are typed 0 and 1."""

    def rule(dtype: str, *args: Text) -> str:
        words = [a[0] if a[1] == ATOM else f"({a[0]})" for a in args]
        return template.format(*words, z=literal(0, dtype), o=literal(1, dtype), inf=literal(math.inf, dtype) if dtype[0] == "f" else "")

    return rule


RULES: dict[str, tuple[Callable[..., str], int, bool]] = {
    # name: (text, how tightly it binds, does it need its arguments as names)
    "add": (_infix("+", SUM), SUM, False),
    "sub": (_infix("-", SUM), SUM, False),
    "mul": (_infix("*", PRODUCT), PRODUCT, False),
    "div": (_infix("/", PRODUCT), PRODUCT, False),
    "neg": (_call("-{0}"), UNARY, False),
    "sqrt": (_call("np.sqrt({0})"), ATOM, False),
    "safe_log": (_call("({0} if {0} > {z} else {o})"), ATOM, True),
    **{n: (_call(f"np.{f}({{0}})"), ATOM, False) for n, f in (("tan", "tan"), ("asin", "arcsin"), ("acos", "arccos"), ("atan", "arctan"))},
    **{n: (_call(f"np.{f}({{0}})"), ATOM, False) for n, f in (("sinh", "sinh"), ("cosh", "cosh"), ("floor_", "floor"), ("ceil_", "ceil"))},
    "round_": (_call("np.rint({0})"), ATOM, False),
    "relu": (_call("({z} if {0} <= {z} else {0})"), ATOM, True),
    "step": (_call("({o} if {0} > {z} else {z})"), ATOM, False),
    "absolute": (_call("abs({0})"), ATOM, False),
    "sgn": (_call("({o} if {0} > {z} else (-{o} if {0} < {z} else {0}))"), ATOM, True),
    "truncdiv": (_call("truncdiv({0}, {1})"), ATOM, False),
    "floordiv": (_call("floordiv({0}, {1})"), ATOM, False),
    "floormod": (_call("floormod({0}, {1})"), ATOM, False),
    "maximum": (_call("({0} if ({0} >= {1}) | ({0} != {0}) else {1})"), ATOM, True),
    "minimum": (_call("({0} if ({0} <= {1}) | ({0} != {0}) else {1})"), ATOM, True),
    **{
        n: (_infix(op, COMPARE), COMPARE, False)
        for n, op in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="), ("eq", "=="), ("ne", "!="))
    },
    "isnan": (_call("{0} != {0}"), COMPARE, True),
    "isinf": (_call("abs({0}) == {inf}"), COMPARE, False),
    "isfinite": (_call("abs({0}) < {inf}"), COMPARE, False),
    "logical_and": (_call("{0} & {1}"), 4, False),
    "logical_or": (_call("{0} | {1}"), 4, False),
    "logical_not": (_call("not {0}"), 2, False),
    "select": (_call("({1} if {0} else {2})"), ATOM, False),
}


def emit(body: Body, leaf: Callable[[Instr], str], fresh: Callable[[], str], helpers: set[str]) -> tuple[list[Let], str]:
    """The lines and the final expression of a body.

    `leaf` gives the text of an operand, index or size; `fresh` a new local name; names of runtime functions that the
    text calls are added to `helpers`.
    """
    uses = [0] * len(body.code)
    named = [False] * len(body.code)
    for i in body.code:
        for a in i.args:
            uses[a] += 1
            named[a] |= RULES[i.fn][2] if i.fn in RULES else False
    lets: list[Let] = []
    texts: list[Text] = []
    for position, i in enumerate(body.code):
        text, level = _text(i, [texts[a] for a in i.args], [body.code[a].dtype for a in i.args], leaf, helpers)
        simple = level == ATOM and (text.isidentifier() or i.fn == "literal")
        last = position == len(body.code) - 1
        if not simple and not last and (uses[position] > 1 or named[position] or len(text) > LONG):
            name = fresh()
            lets.append(Let(name, text))
            text, level = name, ATOM
        texts.append((text, level))
    return lets, texts[-1][0]


def _text(i: Instr, args: list[Text], dtypes: list[str], leaf: Callable[[Instr], str], helpers: set[str]) -> Text:
    if i.fn in ("operand", "index", "size"):
        text = leaf(i)
        return text, ATOM if text.isidentifier() or text.endswith("]") or text.isdigit() else SUM
    if i.fn == "literal":
        text = literal(i.value, i.dtype)
        return text, UNARY if text[0] == "-" else ATOM
    if i.fn == "cast":
        (source,) = dtypes
        text = cast(args[0][0], source, i.dtype)
        return text, COMPARE if i.dtype == "bool" != source else ATOM
    dtype = dtypes[-1] if dtypes else i.dtype
    if i.fn == "power" and dtype[0] != "f":
        helpers.add("int_power")
        return f"int_power({args[0][0]}, {args[1][0]})", ATOM
    if i.fn in VECMATH:
        return _vecmath(i.fn, ", ".join(a[0] for a in args), dtype, helpers), ATOM
    rule, level, _ = RULES[i.fn]
    text = rule(dtype, *args)
    if i.fn == "safe_log":
        return _vecmath("log", text[1:-1], dtype, helpers), ATOM
    if i.fn in ("truncdiv", "floordiv", "floormod"):
        helpers.add(i.fn)
    if i.dtype not in ("float32", "float64", "int64", "bool"):
        return f"{SHORT[i.dtype]}({text})", ATOM
    return text, level


def _vecmath(fn: str, arguments: str, dtype: str, helpers: set[str]) -> str:
    name = f"{VECMATH[fn]}_{SHORT[dtype]}"
    helpers.add(name)
    return f"{name}({arguments})"


def combine(reducer: str, dtype: str, old: str, new: str) -> str:
    """The text of one step of a reduction; `new` is a name or an element where it is used twice."""
    if reducer == "sum":
        return f"add_reassoc({old}, {new})"
    if not _SIMPLE.fullmatch(new):
        new = f"({new})"
    if reducer == "prod":
        return f"{old} * {new}"
    if reducer == "any":
        return f"{old} | {new}"
    if reducer == "all":
        return f"{old} & {new}"
    rule = RULES["maximum" if reducer == "max" else "minimum"][0]
    return rule(dtype, (old, ATOM), (new, ATOM))[1:-1]


def identity(reducer: str, dtype: str, out: str) -> str:
    """What a reduction into `out` starts from, in its accumulator's dtype: an empty maximum of int32, carried in int64,
    is the least int32."""
    least, greatest = LIMITS[out]
    value = {"sum": 0, "prod": 1, "any": False, "all": True, "max": least, "min": greatest}[reducer]
    return literal(value, dtype)


def accumulation(reducer: str, body: str, out: str) -> tuple[str, str]:
    """The reducer and dtype in which a reduction is carried: truth values by any and all, whole numbers in int64."""
    if reducer in ("any", "all"):
        return reducer, "bool"
    kind = out if reducer in ("sum", "prod") else body
    if kind == "bool":
        return {"sum": "any", "max": "any", "prod": "all", "min": "all"}[reducer], "bool"
    return reducer, accumulator_dtype(kind)


def accumulator_dtype(dtype: str) -> str:
    """Whole numbers are summed as int64 and brought back when they are stored."""
    return dtype if dtype in ("float32", "float64", "bool") else "int64"


def carried(text: str, body: str, out: str, reducer: str, dtype: str) -> str:
    """A value of the body brought to the accumulator's dtype; sums and products pass through the dtype of the result."""
    via = out if reducer in ("sum", "prod") else body
    return cast(cast(text, body, via), via, dtype)
