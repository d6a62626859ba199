"""Rows of the element-wise operations, and of Python's operators.

Law of this file: data only; see `op_cases` for what a row is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import special

import symgraph as sg
from tests.train.op_cases import (
    FLOATS,
    INTS,
    ONE,
    THREE,
    TWO,
    Row,
    alone,
    digits,
    fractional,
    halves,
    nonzero,
    positive,
    small,
    smooth,
    truth,
    unit,
    whole,
)


def unary() -> Iterator[Row]:
    sigmoid: Callable = lambda x: (1 / (1 + np.exp(-x))).astype(x.dtype)  # noqa: E731
    for op, numpy, domain, ints, gradient in (
        ("negative", np.negative, smooth, True, "yes"),
        ("abs", np.abs, smooth, True, "yes"),
        ("sign", np.sign, smooth, True, "yes"),
        ("square", np.square, smooth, True, "yes"),
        ("sqrt", np.sqrt, positive, False, "yes"),
        ("rsqrt", lambda x: (1 / np.sqrt(x)).astype(x.dtype), positive, False, "yes"),
        ("reciprocal", lambda x: (1 / x).astype(x.dtype), smooth, False, "yes"),
        ("exp", np.exp, smooth, False, "yes"),
        ("expm1", np.expm1, smooth, False, "yes"),
        ("log", np.log, positive, False, "yes"),
        ("log1p", np.log1p, unit, False, "yes"),
        ("sin", np.sin, smooth, False, "yes"),
        ("cos", np.cos, smooth, False, "yes"),
        ("tan", np.tan, unit, False, "yes"),
        ("asin", np.arcsin, unit, False, "yes"),
        ("acos", np.arccos, unit, False, "yes"),
        ("atan", np.arctan, smooth, False, "yes"),
        ("sinh", np.sinh, smooth, False, "yes"),
        ("cosh", np.cosh, smooth, False, "yes"),
        ("tanh", np.tanh, smooth, False, "yes"),
        ("sigmoid", sigmoid, smooth, False, "yes"),
        ("softplus", lambda x: np.log1p(np.exp(x)), smooth, False, "yes"),
        ("relu", lambda x: np.maximum(x, x.dtype.type(0)), smooth, True, "yes"),
        ("erf", special.erf, smooth, False, "yes"),
        ("floor", np.floor, fractional, False, "none"),
        ("ceil", np.ceil, fractional, False, "none"),
        ("round", np.rint, fractional, False, "none"),
        ("is_nan", np.isnan, smooth, False, "skip"),
        ("is_inf", np.isinf, smooth, False, "skip"),
        ("is_finite", np.isfinite, smooth, False, "skip"),
    ):
        yield Row(op, getattr(sg, op), numpy, ONE, (domain,), (whole,) if ints else None, gradient=gradient)
    yield Row("logical_not", sg.logical_not, np.logical_not, ONE, (truth,), gradient="skip", dtypes=("bool",))


def truncated(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x / y of whole numbers, towards zero."""
    return np.trunc(x.astype(float) / y.astype(float)).astype(x.dtype)


def real_quotient(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x / y of whole numbers, in float64, or float32 where they have few bits."""
    kind = np.float32 if x.dtype.itemsize < 4 else np.float64
    return x.astype(kind) / y.astype(kind)


def binary() -> Iterator[Row]:
    for op, numpy, domains, ints, gradient in (
        ("add", np.add, (smooth, smooth), (whole, whole), "yes"),
        ("subtract", np.subtract, (smooth, smooth), (whole, whole), "yes"),
        ("multiply", np.multiply, (smooth, smooth), (whole, whole), "yes"),
        ("realdiv", np.divide, (smooth, smooth), None, "yes"),
        ("div_no_nan", np.divide, (smooth, smooth), None, "yes"),
        ("floordiv", np.floor_divide, (lambda g, s: fractional(g, s) * 2, lambda g, s: np.full(s, 2.0)), (whole, nonzero), "none"),
        ("floormod", np.mod, (fractional, lambda g, s: np.full(s, 2.0)), (whole, nonzero), "yes"),
        ("maximum", np.maximum, (smooth, smooth), (whole, whole), "yes"),
        ("minimum", np.minimum, (smooth, smooth), (whole, whole), "yes"),
        ("squared_difference", lambda x, y: np.square(x - y), (smooth, smooth), (whole, whole), "yes"),
        ("less", np.less, (halves, halves), (whole, whole), "skip"),
        ("less_equal", np.less_equal, (halves, halves), (whole, whole), "skip"),
        ("greater", np.greater, (halves, halves), (whole, whole), "skip"),
        ("greater_equal", np.greater_equal, (halves, halves), (whole, whole), "skip"),
        ("equal", np.equal, (halves, halves), (whole, whole), "skip"),
        ("not_equal", np.not_equal, (halves, halves), (whole, whole), "skip"),
        ("pow", np.power, (positive, smooth), (whole, small), "yes"),
        ("truediv", np.divide, (smooth, smooth), None, "yes"),
        ("div", np.divide, (smooth, smooth), None, "yes"),
    ):
        yield Row(op, getattr(sg, op), numpy, TWO, domains, ints, gradient=gradient)
    yield Row("truncatediv", sg.truncatediv, truncated, TWO, (), (whole, nonzero), gradient="skip", dtypes=())
    yield Row("div", sg.div, np.floor_divide, TWO, (), (whole, nonzero), "of integers", "skip", dtypes=())
    yield Row("truediv", sg.truediv, real_quotient, TWO, (), (whole, nonzero), "of integers", "skip", dtypes=())
    for op, numpy in (
        ("logical_and", np.logical_and),
        ("logical_or", np.logical_or),
        ("logical_xor", np.logical_xor),
        ("equal", np.equal),
        ("not_equal", np.not_equal),
    ):
        yield Row(
            op, getattr(sg, op), numpy, TWO, (truth, truth), label="of bools" if "equal" in op else "", gradient="skip", dtypes=("bool",)
        )
    yield Row("mod", sg.mod, np.mod, {"same": TWO["same"][:2]}, (positive, lambda g, s: np.full(s, 3.0)), (whole, nonzero))
    for k in (0, 1, 2, 3, 4, 7, -1, -2, 0.5, 1.5, -0.5, 2.5, 1 / 3, 0.7):
        wide = smooth if float(k).is_integer() else positive
        yield Row(
            "pow",
            lambda x, k=k: sg.pow(x, k),
            lambda x, k=k: np.power(x, x.dtype.type(k)),
            {c: ONE[c][:2] for c in ONE},
            (wide,),
            label=f"{k:.3g}",
        )


def _picked(c: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if c.ndim == 1 and x.ndim > 1:
        c = c.reshape(c.shape + (1,) * (x.ndim - 1))
    return np.where(c, x, y)


def others() -> Iterator[Row]:
    yield Row("where", sg.where, _picked, THREE, (truth, smooth, smooth), (truth, whole, whole))
    yield Row(
        "clip_by_value",
        sg.clip_by_value,
        np.clip,
        {"same": THREE["same"], "scalar": (((3, 4), (), ()), ((5,), (), ()), ((0, 2), (), ()))},
        (smooth, lambda g, s: np.full(s, -0.7), lambda g, s: np.full(s, 1.1)),
        (whole, lambda g, s: np.full(s, 2), lambda g, s: np.full(s, 4)),
    )
    yield Row(
        "clip_by_value",
        lambda x: sg.clip_by_value(x, -1, 1),
        lambda x: np.clip(x, -1, 1),
        ONE,
        (lambda g, s: smooth(g, s) * 1.1,),
        label="numbers",
    )
    for n in (1, 2, 4):
        same = {c: tuple(g * n for g in group) for c, group in ONE.items()}
        yield Row("add_n", lambda *x: sg.add_n(list(x)), lambda *x: sum(x[1:], x[0]), same, (smooth,) * n, (whole,) * n, f"{n}")
    yield Row("identity", sg.identity, np.array, ONE, (smooth,), (whole,))
    yield Row("convert_to_tensor", sg.convert_to_tensor, np.array, ONE, (smooth,), (whole,))
    yield Row("stop_gradient", sg.stop_gradient, np.array, ONE, (smooth,), (whole,), gradient="none")
    few = {c: ONE[c][:2] for c in ONE}
    everything = (*FLOATS, *INTS, "bool")
    for to in everything:
        cast: Callable = lambda x, to=to: sg.cast(x, to)  # noqa: E731
        kind: Callable = lambda x, to=to: x.astype(to)  # noqa: E731
        yield Row(
            "cast",
            cast,
            kind,
            few,
            (lambda g, s: positive(g, s) * 9,),
            (small,),
            f"to {to}",
            "yes" if to in FLOATS else "skip",
            twice=False,
            real=np.array,
        )
        yield Row("cast", cast, kind, few, (truth,), label=f"bool to {to}", gradient="skip", dtypes=("bool",))
    for to in ("int8", "int16", "int32", "int64"):
        yield Row(
            "cast",
            lambda x, to=to: sg.cast(x, to),
            lambda x, to=to: x.astype(to),
            few,
            (lambda g, s: smooth(g, s) * 9,),
            label=f"signed to {to}",
            gradient="skip",
        )
    yield Row("to_float", sg.to_float, lambda x: x.astype(np.float32), few, (smooth,), (whole,), twice=False, real=np.array)
    yield Row("to_int32", sg.to_int32, lambda x: x.astype(np.int32), few, (lambda g, s: smooth(g, s) * 9,), (whole,), gradient="skip")


# ---------------------------------------------------------------- operators
def operators() -> Iterator[Row]:
    two = {c: g[:2] for c, g in TWO.items()}
    one = {c: g[:2] for c, g in ONE.items()}
    away = lambda g, s: np.full(s, 2.0)  # noqa: E731
    for sign, f, domains, ints, gradient in (
        ("+", lambda x, y: x + y, (smooth, smooth), (whole, whole), "yes"),
        ("-", lambda x, y: x - y, (smooth, smooth), (whole, whole), "yes"),
        ("*", lambda x, y: x * y, (smooth, smooth), (whole, whole), "yes"),
        ("/", lambda x, y: x / y, (smooth, smooth), None, "yes"),
        ("//", lambda x, y: x // y, (fractional, away), (whole, nonzero), "none"),
        ("%", lambda x, y: x % y, (fractional, away), (whole, nonzero), "yes"),
        ("**", lambda x, y: x**y, (positive, smooth), (whole, small), "yes"),
        ("<", lambda x, y: x < y, (halves, halves), (whole, whole), "skip"),
        ("<=", lambda x, y: x <= y, (halves, halves), (whole, whole), "skip"),
        (">", lambda x, y: x > y, (halves, halves), (whole, whole), "skip"),
        (">=", lambda x, y: x >= y, (halves, halves), (whole, whole), "skip"),
    ):
        yield Row(f"operator {sign}", f, f, two, domains, ints, gradient=gradient, twice=False)
    for sign, f, domain, ints, gradient in (
        ("neg", lambda x: -x, smooth, True, "yes"),
        ("abs", lambda x: abs(x), smooth, True, "yes"),
        ("3 +", lambda x: 3 + x, smooth, True, "yes"),
        ("3 -", lambda x: 3 - x, smooth, True, "yes"),
        ("3 *", lambda x: 3 * x, smooth, True, "yes"),
        ("3 /", lambda x: 3 / x, smooth, False, "yes"),
        ("/ 3", lambda x: x / 3, smooth, False, "yes"),
        ("7 //", lambda x: 7 // x, lambda g, s: np.full(s, 2.2), False, "none"),
        ("7 %", lambda x: 7 % x, lambda g, s: np.full(s, 2.2), False, "yes"),
        ("2 **", lambda x: 2**x, smooth, False, "yes"),
        ("** 2", lambda x: x**2, smooth, True, "yes"),
        ("** 3", lambda x: x**3, smooth, True, "yes"),
        (
            "- 0.1",
            lambda x: x - np.float32(0.1).astype(x.dtype) if isinstance(x, np.ndarray) else x - np.float32(0.1),
            smooth,
            False,
            "yes",
        ),
        ("1 >", lambda x: 1 > x, halves, False, "skip"),
    ):
        yield Row(f"operator {sign}", f, f, one, (domain,), (lambda g, s: digits(g, s),) if ints else None, gradient=gradient)
    ramp = np.arange(4.0)
    yield Row(
        "operator + array",
        lambda x: x + ramp,
        lambda x: x + ramp.astype(x.dtype),
        {"full": alone((3, 4), (4,)), "size 1": alone((3, 1), ()), "empty": alone((0, 4))},
        (smooth,),
    )
    yield Row(
        "operator array *",
        lambda x: ramp * x,
        lambda x: x * ramp.astype(x.dtype),
        {"full": alone((3, 4), (4,)), "size 1": alone((3, 1), ()), "empty": alone((0, 4))},
        (smooth,),
    )
    for sign, f in (("&", lambda x, y: x & y), ("|", lambda x, y: x | y), ("^", lambda x, y: x ^ y)):
        yield Row(f"operator {sign}", f, f, two, (truth, truth), gradient="skip", dtypes=("bool",))
    yield Row("operator ~", lambda x: ~x, lambda x: ~x, one, (truth,), gradient="skip", dtypes=("bool",))
