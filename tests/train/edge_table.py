"""Values on kinks and at the ends of the number line, with what TF1 (or, where TF1 stops, NumPy) makes of them.

Law of this file: data only.  An `Edge` is a call on given operands, the value that it must have, and d sum(value) / d
operand for the operands that are listed; every number is written out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import symgraph as sg

inf, nan = float("inf"), float("nan")
TOP32, LOW32 = 2**31 - 1, -(2**31)


@dataclass(frozen=True)
class Edge:
    """`operands` and `value` are nested lists; `gradients` one list per operand, or None where there is none.

    `dtypes`: of the operands, each tried alone; `result`: dtype of the value when it is another one."""

    label: str
    build: Callable[..., Any]
    operands: Sequence[Any]
    value: Any
    gradients: Sequence[Any] = ()
    dtypes: tuple[str, ...] = ("float32", "float64")
    result: str | None = None


def _int(label: str, build: Callable[..., Any], operands: Sequence[Any], value: Any, *dtypes: str, result: str | None = None) -> Edge:
    return Edge(label, build, operands, value, (), dtypes or ("int32", "int64", "int16", "int8"), result)


KINKS = (
    Edge("relu", sg.relu, [[-1, 0, 1, nan]], [0, 0, 1, nan], [[0, 0, 1, 0]]),
    Edge("abs", sg.abs, [[-2, 0, 2, -0.0]], [2, 0, 2, 0], [[-1, 0, 1, 0]]),
    Edge("sign", sg.sign, [[-3, 0, 2, nan]], [-1, 0, 1, nan], [[0, 0, 0, 0]]),
    Edge("maximum, ties to the first", sg.maximum, [[1, 2, 3], [1, 3, 2]], [1, 3, 3], [[1, 0, 1], [0, 1, 0]]),
    Edge("minimum, ties to the first", sg.minimum, [[1, 2, 3], [1, 3, 2]], [1, 2, 2], [[1, 1, 0], [0, 0, 1]]),
    Edge("maximum(x, 0)", lambda x: sg.maximum(x, 0.0), [[-1, 0, 1]], [0, 0, 1], [[0, 1, 1]]),
    Edge("maximum(0, x)", lambda x: sg.maximum(0.0, x), [[-1, 0, 1]], [0, 0, 1], [[0, 0, 1]]),
    Edge("leaky relu", lambda x: sg.maximum(0.25 * x, x), [[-4, 0, 4]], [-1, 0, 4], [[0.25, 0.25, 1]]),
    Edge("relu6", sg.nn.relu6, [[-1, 0, 3, 6, 7, nan]], [0, 0, 3, 6, 6, nan], [[0, 0, 1, 0, 0, 0]]),
    Edge("elu", sg.nn.elu, [[-inf, 0, 2]], [-1, 0, 2], [[0, 1, 1]]),
    Edge("selu at 0", sg.nn.selu, [[0]], [0], [[1.0507009873554805]]),
    Edge("softsign", sg.nn.softsign, [[-1, 0, 1]], [-0.5, 0, 0.5], [[0.25, 1, 0.25]]),
    Edge("leaky_relu", lambda x: sg.nn.leaky_relu(x, 0.25), [[-4, 0, 4]], [-1, 0, 4], [[0.25, 0.25, 1]]),
    Edge("div_no_nan", sg.div_no_nan, [[1, 0, 4], [0, 0, 2]], [0, 0, 2], [[0, 0, 0.5], [0, 0, -1]]),
    Edge("maximum of one tensor", lambda x: sg.maximum(x, x), [[1, 2]], [1, 2], [[1, 1]]),
    Edge("reduce_max shares ties", lambda x: sg.reduce_max(x, 1), [[[1, 3, 3, 2], [5, 5, 5, 5]]], [3, 5], [[[0, 0.5, 0.5, 0], [0.25] * 4]]),
    Edge("reduce_min shares ties", lambda x: sg.reduce_min(x), [[[1, 3], [1, 2]]], 1, [[[0.5, 0], [0.5, 0]]]),
    Edge("reduce_max of infinities", sg.reduce_max, [[-inf, -inf]], -inf, [[0.5, 0.5]]),
    Edge("clip_by_value", lambda x: sg.clip_by_value(x, -1.0, 2.0), [[-2, -1, 0, 2, 3]], [-1, -1, 0, 2, 2], [[0, 1, 1, 1, 0]]),
    Edge("reduce_prod, no zero", sg.reduce_prod, [[2, 3, 4]], 24, [[12, 8, 6]]),
    Edge("reduce_prod, one zero", sg.reduce_prod, [[2, 0, 3]], 0, [[0, 6, 0]]),
    Edge("reduce_prod, two zeros", sg.reduce_prod, [[0, 5, 0]], 0, [[0, 0, 0]]),
    Edge(
        "reduce_prod by rows",
        lambda x: sg.reduce_prod(x, 1),
        [[[2, 0, 3], [1, 2, 3], [0, 0, 1]]],
        [0, 6, 0],
        [[[0, 6, 0], [6, 3, 2], [0, 0, 0]]],
    ),
    Edge(
        "log where positive",
        lambda x: sg.where(x > 0, sg.log(x), sg.zeros_like(x)),
        [[0, -1, 2, 1]],
        [0, 0, 0.6931471805599453, 0],
        [[0, 0, 0.5, 1]],
    ),
    Edge("sqrt where positive", lambda x: sg.where(x > 0, sg.sqrt(x), sg.zeros_like(x)), [[0, -1, 4]], [0, 0, 2], [[0, 0, 0.25]]),
    Edge("reciprocal where not 0", lambda x: sg.where(sg.equal(x, 0), x, 1 / x), [[0, 2]], [0, 0.5], [[1, -0.25]]),
    Edge(
        "where takes one side",
        lambda x, y: sg.where([True, False, True], x, y),
        [[1, nan, inf], [nan, 2, nan]],
        [1, 2, inf],
        [[1, 0, 1], [0, 1, 0]],
    ),
    Edge("square at 0", sg.square, [[0, -3]], [0, 9], [[0, -6]]),
    Edge("sqrt at the border", sg.sqrt, [[0, 4, -1, inf]], [0, 2, nan, inf], [[inf, 0.25, nan, 0]]),
    Edge("argmax, first of ties", sg.argmax, [[1, 3, 3, 2]], 1, result="int64"),
    Edge("argmin, first of ties", lambda x: sg.argmin(x, 1), [[[2, 1, 1], [0, 0, 0]]], [1, 0], result="int64"),
    Edge("floordiv gives no slope", lambda x: x // 2.0 + x, [[1, 3]], [1, 4], [[1, 1]]),
    Edge("stop_gradient", lambda x: x * sg.stop_gradient(x), [[2, 3]], [4, 9], [[2, 3]]),
)

POWERS = (
    Edge("0 to the 0", sg.pow, [[0, 0, 2, 0], [0, 2, 0, 1]], [1, 0, 1, 0]),
    Edge("pow at base 0", sg.pow, [[0, 0, 0], [1, 2, 3]], [0, 0, 0], [[1, 0, 0], [0, 0, 0]]),
    Edge("pow of negative bases", sg.pow, [[-2, -2, -1, -2], [3, 2, 5, -1]], [-8, 4, -1, -0.5], [[12, -4, 5, -0.25], [0, 0, 0, 0]]),
    Edge("pow that has no value", sg.pow, [[-2, 0, nan, 1], [0.5, -1, 0, nan]], [nan, inf, 1, 1]),
    Edge("x cubed", lambda x: x**3, [[-2, 0, 2]], [-8, 0, 8], [[12, 0, 12]]),
    Edge("x squared", lambda x: x**2.0, [[-2, 0, 2]], [4, 0, 4], [[-4, 0, 4]]),
    Edge("x to the 0", lambda x: x**0 + x, [[-2, 0, 2]], [-1, 1, 3], [[1, 1, 1]]),
    Edge("x to the -1", lambda x: x**-1, [[-2, 0, inf]], [-0.5, inf, 0], [[-0.25, -inf, 0]]),
    Edge("x to the 1/2", lambda x: x**0.5, [[4, 0, -1]], [2, 0, nan], [[0.25, inf, nan]]),
    Edge("2 to the x", lambda x: 2.0**x, [[0, -1, inf, -inf]], [1, 0.5, inf, 0]),
    _int("pow of integers", sg.pow, [[2, 0, -2, 3, 2, 1, -1], [3, 0, 3, 1, -1, -5, 2]], [8, 1, -8, 3, 0, 0, 1]),
)

ENDS = (
    Edge("log", sg.log, [[0, 1, -1, inf]], [-inf, 0, nan, inf], [[inf, 1, -1, 0]]),
    Edge("log1p", sg.log1p, [[-1, 0, inf]], [-inf, 0, inf], [[inf, 1, 0]]),
    Edge("exp", sg.exp, [[-inf, 0, inf, 1000, -1000]], [0, 1, inf, inf, 0], [[0, 1, inf, inf, 0]]),
    Edge("expm1", sg.expm1, [[-inf, 0, inf]], [-1, 0, inf], [[0, 1, inf]]),
    Edge("reciprocal", sg.reciprocal, [[0, -0.0, inf, -2]], [inf, -inf, 0, -0.5], [[-inf, -inf, 0, -0.25]]),
    Edge("rsqrt", sg.rsqrt, [[0, 4, inf, -1]], [inf, 0.5, 0, nan]),
    Edge("divide", sg.divide, [[1, -1, 0, 0], [0, 0, 0, 2]], [inf, -inf, nan, 0]),
    Edge("sigmoid", sg.sigmoid, [[-inf, -1000, 0, 1000, inf, nan]], [0, 0, 0.5, 1, 1, nan], [[0, 0, 0.25, 0, 0, nan]]),
    Edge("softplus", sg.softplus, [[-inf, -1000, 1000, inf]], [0, 0, 1000, inf], [[0, 0, 1, 1]]),
    Edge("tanh", sg.tanh, [[-inf, -1000, 0, 1000, inf]], [-1, -1, 0, 1, 1], [[0, 0, 1, 0, 0]]),
    Edge("erf", sg.erf, [[-inf, -100, 0, 100, inf]], [-1, -1, 0, 1, 1], [[0, 0, 1.1283791670955126, 0, 0]]),
    Edge("atan", sg.atan, [[-inf, 0, inf]], [-1.5707963267948966, 0, 1.5707963267948966], [[0, 1, 0]]),
    Edge("asin outside", sg.asin, [[1, -1, 2]], [1.5707963267948966, -1.5707963267948966, nan]),
    Edge("sin of infinity", sg.sin, [[inf, 0, nan]], [nan, 0, nan], [[nan, 1, nan]]),
    Edge("maximum keeps nan", sg.maximum, [[nan, 1, nan], [1, nan, nan]], [nan, nan, nan]),
    Edge("minimum keeps nan", sg.minimum, [[nan, 1, inf], [1, nan, -inf]], [nan, nan, -inf]),
    Edge("reduce_max keeps nan", sg.reduce_max, [[1, nan, 2]], nan),
    Edge("reduce_min keeps nan", lambda x: sg.reduce_min(x, 0), [[[1, 2], [nan, 3]]], [nan, 2]),
    Edge("reduce_sum", sg.reduce_sum, [[inf, -inf]], nan),
    Edge("round half to even", sg.round, [[0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.25]], [0, 2, 2, 0, -2, -2, 0]),
    Edge("floor", sg.floor, [[-1.5, -1, -0.5, 0.5, inf]], [-2, -1, -1, 0, inf]),
    Edge("ceil", sg.ceil, [[-1.5, -1, 0.5, -inf]], [-1, -1, 1, -inf]),
    Edge("is_nan", sg.is_nan, [[nan, inf, 0]], [True, False, False], result="bool"),
    Edge("is_inf", sg.is_inf, [[nan, inf, -inf, 0]], [False, True, True, False], result="bool"),
    Edge("is_finite", sg.is_finite, [[nan, inf, -inf, 0]], [False, False, False, True], result="bool"),
    Edge("less with nan", sg.less, [[nan, 1, -0.0], [1, nan, 0]], [False, False, False], result="bool"),
    Edge("equal with nan", sg.equal, [[nan, 1, -0.0], [nan, 1, 0]], [False, True, True], result="bool"),
    Edge("not_equal with nan", sg.not_equal, [[nan, 1], [nan, 1]], [True, False], result="bool"),
    Edge("negative of 0", lambda x: 1 / -x, [[0, -0.0]], [-inf, inf]),
)

DIVISION = (
    Edge(
        "floordiv of floats",
        sg.floordiv,
        [[7, -7, 7, -7.5, 1, -1, 0, -0.5], [2, 2, -2, 2, 0, 0, 0, inf]],
        [3, -4, -4, -4, inf, -inf, nan, -1],
    ),
    Edge("floormod of floats", sg.floormod, [[7, -7, 7, -7.5, 1, 5, -5], [3, 3, -3, 2, 0, inf, inf]], [1, 2, -2, 0.5, nan, 5, inf]),
    Edge("floormod's slope", sg.floormod, [[7, -7], [3, 3]], [1, 2], [[1, 1], [-2, 3]]),
    _int("floordiv", sg.floordiv, [[7, -7, 7, -7, 6, 0, 5, -5], [2, 2, -2, -2, -3, 4, 0, 0]], [3, -4, -4, 3, -2, 0, 0, 0]),
    _int("floormod", sg.floormod, [[7, -7, 7, -7, 6, 0, 5, -5], [3, 3, -3, -3, -3, 4, 0, 0]], [1, 2, -2, -1, 0, 0, 0, 0]),
    _int("truncatediv", sg.truncatediv, [[7, -7, 7, -7, 5, 0], [2, 2, -2, -2, 0, 3]], [3, -3, -3, 3, 0, 0]),
    _int("operators // and %", lambda x, y: (x // y) * y + x % y, [[7, -7, 7, -7], [2, 2, -2, -2]], [7, -7, 7, -7]),
    _int("truediv", sg.truediv, [[7, -7, 1, 0], [2, 2, 0, 0]], [3.5, -3.5, inf, nan], "int32", "int64", result="float64"),
    _int("truediv of few bits", sg.truediv, [[7, 1], [2, 4]], [3.5, 0.25], "int16", "int8", "uint8", result="float32"),
    _int("div", sg.div, [[7, -7], [2, 2]], [3, -4]),
    _int("mean of integers", sg.reduce_mean, [[1, 2, 2]], 1),
    _int("mean of negative integers", lambda x: sg.reduce_mean(x, 1), [[[-1, -2], [-3, 0]]], [-1, -1]),
)

INTEGERS = (
    _int("int32 wraps", lambda x: x + 1, [[TOP32, -1]], [LOW32, 0], "int32"),
    _int("square wraps", sg.square, [[2**16, 3]], [0, 9], "int32"),
    _int("sum wraps", sg.reduce_sum, [[TOP32, 1]], LOW32, "int32"),
    _int("product wraps", sg.reduce_prod, [[2**16, 2**15]], LOW32, "int32"),
    _int("int8 wraps", lambda x: x + 1, [[127, -128]], [-128, -127], "int8"),
    _int("int8 wraps within a formula", lambda x: (x + 1) // 2, [[127, 3]], [-64, 2], "int8"),
    _int("uint8 wraps", lambda x, y: x - y, [[2, 3], [3, 2]], [255, 1], "uint8"),
    _int("uint8 wraps within a formula", lambda x, y: sg.greater(x - y, 5), [[2, 3], [3, 2]], [True, False], "uint8", result="bool"),
    _int("negative uint8", sg.negative, [[1, 0]], [255, 0], "uint8"),
    _int("abs", sg.abs, [[-3, 0, 3]], [3, 0, 3]),
    _int("least int8 has no opposite", sg.abs, [[-128, 127]], [-128, 127], "int8"),
    _int("sign", sg.sign, [[-3, 0, 3]], [-1, 0, 1]),
    _int("argmax", sg.argmax, [[1, 3, 3]], 1, result="int64"),
    _int("matmul", sg.matmul, [[[1, 2], [3, 4]], [[1, 0], [1, -1]]], [[3, -2], [7, -4]]),
    _int("int64 keeps all digits", lambda x: x + 1, [[2**62, 2**53]], [2**62 + 1, 2**53 + 1], "int64"),
)

CASTS = (
    Edge("cast to int32", lambda x: sg.cast(x, sg.int32), [[1.7, -1.7, 0.9, -0.9, 2.5]], [1, -1, 0, 0, 2], result="int32"),
    Edge("cast to bool", lambda x: sg.cast(x, sg.bool), [[0, -0.0, 0.25, nan, inf]], [False, False, True, True, True], result="bool"),
    Edge("cast to uint8", lambda x: sg.cast(x, sg.uint8), [[3.9, 0.2, 255]], [3, 0, 255], result="uint8"),
    _int("int32 to uint8", lambda x: sg.cast(x, sg.uint8), [[300, -1, 7]], [44, 255, 7], "int32", "int64", "int16", result="uint8"),
    _int("int64 to int32", lambda x: sg.cast(x, sg.int32), [[2**31, 2**32 + 5, -1]], [LOW32, 5, -1], "int64", result="int32"),
    _int("int32 to int8", lambda x: sg.cast(x, sg.int8), [[128, -129, 5]], [-128, 127, 5], "int32", result="int8"),
    _int("int to bool", lambda x: sg.cast(x, sg.bool), [[0, -1, 7]], [False, True, True], result="bool"),
    _int("int to float32", lambda x: sg.cast(x, sg.float32), [[0, -1, 7]], [0, -1, 7], result="float32"),
    _int("bool to float64", lambda x: sg.cast(x, sg.float64), [[True, False]], [1, 0], "bool", result="float64"),
    _int("bool to int8", lambda x: sg.cast(x, sg.int8), [[True, False]], [1, 0], "bool", result="int8"),
    _int("truth from arithmetic", lambda x: sg.cast(x > 1, sg.int32) * 2 + 1, [[0, 1, 2]], [1, 1, 3], result="int32"),
)

NOTHING: tuple[list, list, list] = ([], [[], [], []], [[]])
EMPTY = (
    Edge("sum of nothing", sg.reduce_sum, [[]], 0, [[]]),
    Edge("product of nothing", sg.reduce_prod, [[]], 1, [[]]),
    Edge("mean of nothing", sg.reduce_mean, [[]], nan, [[]]),
    Edge("maximum of nothing", sg.reduce_max, [[]], -inf, [[]]),
    Edge("minimum of nothing", sg.reduce_min, [[]], inf, [[]]),
    Edge("norm of nothing", sg.norm, [[]], 0, [[]]),
    Edge("sums of nothing", lambda x: sg.reduce_sum(x, 1), [NOTHING[1]], [0, 0, 0], [NOTHING[1]]),
    Edge("means of nothing", lambda x: sg.reduce_mean(x, 1), [NOTHING[1]], [nan, nan, nan], [NOTHING[1]]),
    Edge("maxima of nothing", lambda x: sg.reduce_max(x, 1), [NOTHING[1]], [-inf, -inf, -inf], [NOTHING[1]]),
    Edge("no sums", lambda x: sg.reduce_sum(x, 0), [NOTHING[1]], [], [NOTHING[1]]),
    Edge(
        "product over nothing",
        lambda x, y: sg.matmul(x, y, transpose_b=True),
        [NOTHING[1], NOTHING[2]],
        [[0], [0], [0]],
        [NOTHING[1], NOTHING[2]],
    ),
    Edge("broadcast sum over nothing", lambda x, y: sg.reduce_sum(x * y), [[], [3]], 0, [[], [0]]),
    _int("maximum of no integers", sg.reduce_max, [[]], LOW32, "int32"),
    _int("minimum of no integers", sg.reduce_min, [[]], 127, "int8"),
    _int("maximum of no uint8", sg.reduce_max, [[]], 0, "uint8"),
    _int("any of nothing", sg.reduce_any, [[]], False, "bool"),
    _int("all of nothing", sg.reduce_all, [[]], True, "bool"),
)

EDGES = (*KINKS, *POWERS, *ENDS, *DIVISION, *INTEGERS, *CASTS, *EMPTY)
