"""Activations: rows over the table of element-wise functions, and the few that take a number.

Law of this file: at a kink the derivative is TF1's: relu6 0 at 0 and at 6, elu 1 at 0, selu its scale, leaky_relu alpha.

Sources: elu, Clevert et al. (2015); selu, Klambauer et al. (2017); swish, Ramachandran et al. (2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import build, scalar
from ..codegen import scalar as fn
from ..graph import Tensor, builder, convert
from ..node import Node
from .array import concat
from .core import FLOATS, NUMBERS, need, recording
from .math import Row, _made, _make_unary

_ALPHA, _SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
"""With these, selu keeps mean 0 and variance 1."""
x0, x1, x2 = (scalar.x(k) for k in range(3))

ROWS = (
    Row("relu6", "Relu6", lambda x: fn.select(fn.ge(x, 6), 6, fn.relu(x)), NUMBERS),
    Row("elu", "Elu", lambda x: fn.select(fn.lt(x, 0), fn.expm1(x), x)),
    Row("softsign", "Softsign", lambda x: x / (1 + fn.absolute(x))),
)
_rows = {row.name: _make_unary(row) for row in ROWS}
relu6, elu, softsign = _rows["relu6"], _rows["elu"], _rows["softsign"]
relu, sigmoid, softplus, tanh = (_made[n] for n in ("relu", "sigmoid", "softplus", "tanh"))


def _number(kind: str, default: str, features: Any, name: str | None, **attrs: float) -> Tensor:
    with recording(kind, name or default, features=features) as (graph, scope):
        t = convert(features, name="features", graph=graph)
        need(t, *FLOATS, parameter="features")
        return graph.add(kind, (t,), attrs, scope).outputs[0]


@builder("Selu")
def _selu(features: Node) -> Node:
    alpha, scale = (build.const(v, features.dtype) for v in (_ALPHA * _SCALE, _SCALE))
    return build.elementwise(fn.select(fn.lt(x0, 0), x1 * fn.expm1(x0), x2 * x0), features, alpha, scale)


def selu(features: Any, name: str | None = None) -> Tensor:
    """1.0507 x where x >= 0, else 1.7581 (exp(x) - 1): float32 or float64, element by element."""
    return _number("Selu", "Selu", features, name)


@builder("LeakyRelu")
def _leaky_relu(features: Node, alpha: float) -> Node:
    return build.elementwise(fn.select(fn.gt(x0, 0), x0, x1 * x0), features, build.const(alpha, features.dtype))


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """x where x > 0, else alpha x: float32 or float64, element by element; the derivative at 0 is alpha."""
    return _number("LeakyRelu", "LeakyRelu", features, name, alpha=float(alpha))


def log_sigmoid(x: Any, name: str | None = None) -> Tensor:
    """log(sigmoid(x)) = -softplus(-x), element by element."""
    with recording("LogSigmoid", name or "LogSigmoid", x=x) as (graph, scope):
        inner = softplus(_made["negative"](x))
        return graph.add("Neg", (inner,), {}, scope).outputs[0]


def swish(features: Any, name: str | None = None) -> Tensor:
    """x sigmoid(x), element by element."""
    with recording("Swish", name or "swish", features=features) as (graph, scope):
        t = convert(features, name="features", graph=graph)
        return graph.add("Mul", (t, sigmoid(t)), {}, scope).outputs[0]


def crelu(features: Any, name: str | None = None, axis: int = -1) -> Tensor:
    """relu of x and of -x, one after the other along `axis`, which becomes twice as long."""
    with recording("CRelu", name or "CRelu", features=features) as (graph, scope):
        t = convert(features, name="features", graph=graph)
        return relu(concat([t, _made["negative"](t)], axis, name=scope))


__all__: Sequence[str] = (
    "crelu",
    "elu",
    "leaky_relu",
    "log_sigmoid",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "softplus",
    "softsign",
    "swish",
    "tanh",
)
