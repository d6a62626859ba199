"""From sympy to a graph: losses written in sympy, and new element-wise operations.

Law of this file: two doors; what a sympy node means stands in sympy_reader.py and bodies.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from .. import dtypes
from ..errors import shown
from ..graph import Graph, Tensor
from .array import placeholder
from .core import recording
from .sympy_reader import Reader, short


def from_sympy(expr: Any, tensors: Mapping[Any, Any], name: str | None = None) -> Tensor:
    """The tensor of a sympy expression.

    `tensors` gives a float tensor (or variable, number, array) for each sympy Symbol, IndexedBase or MatrixSymbol, by
    the object or by its name.  There are three ways to write, and they mix:

    * plain symbols work element by element, with broadcasting;
    * `y[i]`, `X[i, j]` inside `Sum(..., (i, 0, m - 1))`, which runs over the whole axis (from 0 to m - 1 or from 1 to
      m); a tensor may have more axes than indices where these have extent 1; sizes such as m need no value;
    * matrix expressions: products, transposes, inverses, trace, determinant, element-wise products.

    NotImplementedError with the name of a sympy node that has no meaning here, ValueError for a symbol without a value,
    TypeError for different dtypes.

    >>> import sympy as sp, symgraph as sg
    >>> X, y = sg.placeholder(sg.float32, (None, 9), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    >>> theta = sg.Variable(sg.zeros((9, 1)), name="theta")
    >>> A, b, t = sp.IndexedBase("X"), sp.IndexedBase("y"), sp.IndexedBase("theta")
    >>> i, j, m, n = sp.symbols("i j m n", integer=True)
    >>> mse = sp.Sum((sp.Sum(A[i, j] * t[j], (j, 1, n)) - b[i]) ** 2, (i, 1, m)) / m
    >>> loss = sg.from_sympy(mse, {A: X, b: y, t: theta})
    >>> print(sg.formula(sg.gradients(loss, [theta])[0]))
    2/m · Xᵀ(Xθ − y)
    """
    if not isinstance(tensors, Mapping):
        raise TypeError(f"tensors must be a dictionary from symbols to tensors, not {shown(tensors)}")
    if isinstance(expr, str):
        raise TypeError("expr must be a sympy expression, not a string\nnothing is evaluated here: parse it with sympy.parsing yourself")
    given = {str(getattr(k, "label", k)): v for k, v in tensors.items()}
    if len(given) < len(tensors):
        raise ValueError(f"two symbols have one name: {', '.join(map(str, tensors))}")
    with recording("FromSympy", name or "FromSympy", **given) as (graph, scope):
        return Reader(graph, given).tensor(sp.sympify(expr), scope, name is not None)


def elementwise(f: Callable[..., Any], name: str | None = None) -> Callable[..., Tensor]:
    """A new element-wise operation from a function of sympy symbols that gives a sympy expression.

    The result takes as many float tensors of one dtype, with broadcasting; numbers follow the tensors beside them.
    Derivatives of every order follow.  `name` (by default that of `f`) names the operations, as `name=` does in a call.

    >>> import sympy as sp, symgraph as sg
    >>> huber = sg.elementwise(lambda r: sp.Piecewise((r**2 / 2, sp.Abs(r) <= 1), (sp.Abs(r) - sp.S.Half, True)), name="huber")
    >>> x = sg.placeholder(sg.float32, (None,), "x")
    >>> with sg.Session() as sess:
    ...     sess.run([huber(x), sg.gradients(huber(x), x)[0]], {x: [-3, 0.5]})
    [array([2.5  , 0.125], dtype=float32), array([-1. ,  0.5], dtype=float32)]
    """
    parameters = inspect.signature(f).parameters
    if not parameters or any(p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters.values()):
        raise TypeError("an element-wise operation is a function of one or more symbols, each with a name of its own")
    symbols = [sp.Symbol(p, real=True) for p in parameters]
    expression = sp.sympify(f(*symbols))
    own = str(getattr(f, "__name__", ""))
    called: str = name or (own if own.isidentifier() else "Elementwise")

    def function(*operands: Any, name: str | None = None) -> Tensor:
        if len(operands) != len(symbols):
            raise TypeError(f"{called}() takes {len(symbols)} tensors ({', '.join(parameters)}), but {len(operands)} were given")
        return from_sympy(expression, dict(zip(parameters, operands, strict=True)), name or called)

    with Graph().as_default():  # what has no meaning is refused here, not where it is first used
        function(*(placeholder(dtypes.float64, ()) for _ in symbols))
    function.__name__ = function.__qualname__ = called
    function.__doc__ = f"{called}({', '.join(parameters)}) = {short(expression)}, element by element with broadcasting."
    return function
