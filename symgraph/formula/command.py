"""Formulas from text: what `python -m symgraph formula EXPRESSION` does.

Law of this file: an expression is read by a table and never evaluated.  What a name is, its first letter and its place
say, unless a shape is given:

* a capital: a matrix;
* a Greek letter (`lambda`, `mu`, `σ`): a number, but a column where it is an operand of @ or .T, alone or in a sum;
* any other name: a column.

Sizes that the expression, or what is assumed, makes equal are one letter: an expression is read twice, to find them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from .. import dtypes
from ..expression import ARITHMETIC, Function, Language, first_line, name_of, parse, read
from ..facts import FACTS, assume
from ..graph import Graph, Tensor
from ..node import toposort
from ..ops import array, clip, linalg, nn, reduce
from ..ops import math as ops
from ..ops.derivative import gradients, hessian
from ..ops.generic import extent
from ..shapes import Extent, symbol
from ..shapes import text as shape_text
from ..sizes import Sizes
from .api import formula
from .derivation import derivation
from .spelling import GREEK, WORDS, split

DTYPE = dtypes.float64
Shape = tuple[Extent | None, ...]


# ---------------------------------------------------------------- what is asked for
@dataclass(frozen=True)
class Request:
    """`wrt` are names; `shapes` and `facts` are by name; `kind` and `style` are words of `KINDS` and `STYLES`."""

    expression: str
    wrt: Sequence[str] = ()
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    facts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    kind: str = "gradient"
    style: str = "text"


STYLES: dict[str, Callable[[Any], str]] = {
    "text": str,
    "latex": lambda f: f.latex(),
    "numpy": lambda f: f.numpy_source().rstrip(),
}
KINDS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "gradient": lambda y, x: formula(_found(gradients(y, x)[0], "gradient")),
    "hessian": lambda y, x: formula(_found(hessian(y, x), "Hessian")),
    "derivation": derivation,
}


def _built(request: Request, shapes: Mapping[str, Shape]) -> tuple[_Leaves, Tensor]:
    """The expression over leaves of these shapes (by default, what their names say), in a graph of its own."""
    with Graph().as_default():
        leaves = _Leaves(request, shapes)
        value = read(request.expression, Language(leaves, _number, FUNCTIONS, _OPERATORS, {"T": _transposed}))
        return leaves, value if isinstance(value, Tensor) else array.constant(value, DTYPE)


def _unified(request: Request, leaves: _Leaves, y: Tensor) -> dict[str, Shape]:
    """The shapes of the leaves, with one symbol for sizes that are equal."""
    sizes = Sizes()
    assert y.node is not None
    for n in toposort([y.node]):
        sizes.read(n)
    for name, facts in request.facts.items():
        t = leaves.made.get(_spelled(name))
        shape = t.extents if t is not None and t.extents else ()
        if len(shape) > 1 and any(FACTS[f].axes == 2 for f in facts):
            sizes.same(shape[-2], shape[-1], y.node)
    return {name: tuple(d if isinstance(d, int) else sizes.find(d) for d in t.extents or ()) for name, t in leaves.made.items()}


def _found(t: Tensor | None, what: str) -> Tensor:
    if t is None:
        raise ValueError(f"the {what} is zero: the expression does not depend on it")
    return t


def answer(request: Request) -> str:
    """The formula that was asked for.  ValueError (an `ExpressionError` where there is a place) for what has no answer."""
    leaves, y = _built(request, {_spelled(n): s for n, s in request.shapes.items()})
    leaves, y = _built(request, _unified(request, leaves, y))
    for name in (*request.wrt, *request.facts, *request.shapes):
        if _spelled(name) not in leaves.made:
            raise ValueError(f"there is no {name!r} in the expression; there are {', '.join(leaves.made) or 'no names'}")
    try:
        for name, facts in request.facts.items():
            assume(leaves.made[_spelled(name)], **dict.fromkeys(facts, True))
        style = STYLES[request.style]
        if not request.wrt:
            return style(formula(y))
        _check_number(y, leaves)
        found = [(name, style(KINDS[request.kind](y, leaves.made[_spelled(name)]))) for name in request.wrt]
    except (TypeError, ValueError, LookupError, NotImplementedError) as e:
        raise ValueError(first_line(e)) from None
    return found[0][1] if len(found) == 1 else "\n\n".join(f"by {name}:\n{words}" for name, words in found)


def _check_number(y: Tensor, leaves: _Leaves) -> None:
    if any(d != 1 for d in y.extents or ()):
        columns = [n for n, t in leaves.made.items() if n not in leaves.given and not n[0].isupper() and t.extents != ()]
        hint = f"; {', '.join(columns)}: columns, unless --shape NAME= says number" if columns else ""
        raise ValueError(f"only a number is derived, and the expression has shape {shape_text(y.extents)}: sum(...), mean(...){hint}")


# ---------------------------------------------------------------- names
def _spelled(name: str) -> str:
    """Greek letters as words."""
    return "".join(WORDS.get(c, c) for c in name)


class _Leaves:
    """The tensor of each name, made when it is first met."""

    def __init__(self, request: Request, shapes: Mapping[str, Shape]) -> None:
        self.made: dict[str, Tensor] = {}
        self.shapes, self.given = shapes, {_spelled(n): s for n, s in request.shapes.items()}
        self.columns = _columns(parse(request.expression))
        self.sizes = {str(d) for s in request.shapes.values() for d in s if isinstance(d, sp.Symbol)}

    def __call__(self, name: str) -> Tensor:
        name = _spelled(name)
        if name in self.sizes and name not in self.given:
            return self._size(name)
        if name not in self.made:
            if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r} is no name here: letters (Latin or Greek), digits and _")
            self.made[name] = array.placeholder(DTYPE, self.shapes.get(name, self._default(name)), name)
        return self.made[name]

    def _default(self, name: str) -> Shape:
        if name[0].isupper():
            return (None, None)
        return () if split(name)[0] in GREEK and name not in self.columns else (None, 1)

    def _size(self, name: str) -> Tensor:
        """A letter of a given shape is that size."""
        owner, axis = next((n, s.index(d)) for n, s in self.given.items() for d in s if str(d) == name)
        return extent(self(owner), axis, DTYPE)


def _columns(root: ast.expr) -> set[str]:
    """The names that are operands of @ or .T, alone or as terms of a sum, with a number as a factor or without."""
    found: set[str] = set()
    for n in ast.walk(root):
        stack: list[ast.expr] = []
        if isinstance(n, ast.BinOp) and isinstance(n.op, ast.MatMult):
            stack = [n.left, n.right]
        elif isinstance(n, ast.Attribute):
            stack = [n.value]
        while stack:
            match stack.pop():
                case ast.Name() as name:
                    found.add(_spelled(name_of(name)))
                case ast.BinOp(op=ast.Add() | ast.Sub(), left=a, right=b):
                    stack += [a, b]
                case (
                    ast.BinOp(op=ast.Mult(), left=ast.Constant(), right=a)
                    | ast.BinOp(op=ast.Mult() | ast.Div(), left=a, right=ast.Constant())
                ):
                    stack.append(a)
                case ast.UnaryOp(operand=a):
                    stack.append(a)
    return found


# ---------------------------------------------------------------- the language
def _number(v: int | float) -> int | float:
    if not abs(v) <= 2**53 if isinstance(v, int) else not np.isfinite(v):
        raise ValueError("this number is too large")
    return v


def _guarded(f: Callable[..., Any]) -> Callable[..., Any]:
    """An operator on numbers in floats, so that no exponent takes long; truth values count as 0 and 1."""

    def operator(*args: Any) -> Any:
        if any(isinstance(a, Tensor) for a in args):
            return f(*(ops.cast(a, DTYPE) if isinstance(a, Tensor) and a.dtype is dtypes.bool else a for a in args))
        with np.errstate(all="ignore"):
            value = f(*map(np.float64, args))
        if not isinstance(value, np.float64) or not np.isfinite(value):
            raise ArithmeticError("this is no number, or too large a one")
        return int(value) if value.is_integer() and abs(value) <= 2**53 else float(value)

    return operator


_OPERATORS = {sign: _guarded(f) for sign, f in ARITHMETIC.items()}


def _tensor(v: Any) -> Any:
    if not isinstance(v, Tensor):
        return array.constant(v, DTYPE)
    return ops.cast(v, DTYPE)


def _transposed(t: Any) -> Any:
    return array.transpose(t) if isinstance(t, Tensor) and len(t.shape) > 1 else t


def _of(f: Callable[..., Any], tensors: int = 1, more: int = 0, keywords: str = "") -> Function:
    """A function of so many tensors, and behind them so many other arguments at most."""

    def call(*args: Any, **named: Any) -> Any:
        if not tensors <= len(args) <= tensors + more:
            raise TypeError(f"it takes {tensors}" + (f" to {tensors + more}" if more else "") + f" arguments, not {len(args)}")
        return f(*map(_tensor, args[:tensors]), *args[tensors:], **named)

    return Function(call, frozenset(keywords.split()))


def norm(t: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The 2-norm; NumPy's second argument is the order, TensorFlow's too, so an axis is said by name."""
    return linalg.norm(t, axis=axis, keepdims=keepdims)


_ELEMENTWISE = (
    "abs sign square sqrt rsqrt reciprocal exp expm1 log log1p sin cos tan asin acos atan sinh cosh tanh sigmoid softplus relu erf "
    "floor ceil round"
).split()
_REDUCED = {
    "sum": reduce.reduce_sum,
    "mean": reduce.reduce_mean,
    "prod": reduce.reduce_prod,
    "max": reduce.reduce_max,
    "min": reduce.reduce_min,
    "logsumexp": reduce.reduce_logsumexp,
    "norm": norm,
}
FUNCTIONS: dict[str, Function] = {
    **{name: _of(ops._made[name]) for name in _ELEMENTWISE},
    **{name: _of(ops._made[name], 2) for name in ("maximum", "minimum")},
    **{name: _of(f, 1, 1, "axis keepdims") for name, f in _REDUCED.items()},
    **{name: _of(f, 1, 1, "axis") for name, f in (("softmax", nn.softmax), ("log_softmax", nn.log_softmax))},
    "where": Function(lambda condition, x, y: ops.where(condition, _tensor(x), _tensor(y))),
    "clip": _of(clip.clip_by_value, 3),
    "stop_gradient": _of(ops.stop_gradient),
    "len": _of(lambda t: extent(t, 0, DTYPE)),
    "transpose": _of(array.transpose),
    "tr": _of(linalg.square_trace),
    "trace": _of(linalg.square_trace),
    "det": _of(linalg.matrix_determinant),
    "logdet": _of(linalg.logdet),
    "inv": _of(linalg.matrix_inverse),
    "solve": _of(linalg.matrix_solve, 2),
    "cholesky": _of(linalg.cholesky),
    "eye": Function(lambda n: array.eye(ops.cast(n, dtypes.int32) if isinstance(n, Tensor) else n, dtype=DTYPE)),
}
"""What can be called, by NumPy's and TensorFlow's names."""


# ---------------------------------------------------------------- options as text
def shape_of(text: str) -> tuple[str, Shape]:
    """NAME=2,n is a matrix of two rows and n columns, NAME=n a vector, NAME= a number."""
    name, sign, extents = text.partition("=")
    entries = [e.strip() for e in extents.strip("() ").split(",") if e.strip()]
    if not sign or not name.strip() or not all(re.fullmatch(r"[1-9]\d{0,8}|[A-Za-z]\w*", e) for e in entries):
        raise ValueError(f"{text!r} is no shape: NAME=m,n with letters or numbers, NAME= for a number")
    return name.strip(), tuple(int(e) if e.isdecimal() else symbol(e) for e in entries)


def facts_of(text: str) -> tuple[str, list[str]]:
    """NAME=fact or NAME=fact,fact."""
    name, sign, words = text.partition("=")
    facts = [w.strip().replace("-", "_") for w in words.split(",")]
    if not sign or not name.strip() or not set(facts) <= set(FACTS):
        raise ValueError(f"{text!r} is no fact: NAME=FACT, where FACT is one of {', '.join(FACTS)}")
    return name.strip(), facts
