"""The book's texts at any size of number: NumPy's words over arrays of mpmath's floats.

Law of this file: what NumPy does with objects (sums, products, indexing) NumPy does; only functions of one number and
linear algebra are given here.  With DIGITS digits 1 - s is right down to the least double, and no exponent overflows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from mpmath import mp

from tests.formula.textbook import HELPERS, SIZES, Loss

DIGITS = 400
Array = np.ndarray


def exact(loss: Loss, values: Mapping[str, Array]) -> Array:
    """The value of a row's book text, rounded once: float64, infinite where a double cannot hold it.

    ZeroDivisionError where a matrix is singular to that many digits."""
    with mp.workdps(DIGITS):
        scope = {**HELPERS, **WORDS, **SIZES, **{name: _numbers(v) for name, v in values.items()}}
        for name, text in loss.where.items():
            scope[name] = eval(text, scope)
        return _rounded(np.asarray(eval(loss.gradient, scope), object))


def _numbers(v: Array) -> Array:
    return _each(mp.mpf)(v.astype(object)) if v.dtype.kind == "f" else v


def _rounded(v: Array) -> Array:
    return np.array([float(x) for x in v.ravel()]).reshape(v.shape)


def _each(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """f of each number; of a number itself it stays one."""
    over = np.frompyfunc(f, 1, 1)
    return lambda x: over(x)


def _matrix(f: Callable[[Any], Any]) -> Callable[[Array], Array]:
    return lambda a: np.array(f(mp.matrix(a.tolist())).tolist(), object)


def _softmax(z: Array, axis: int = -1) -> Array:
    e = _exp(z - np.max(z, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def _logsumexp(z: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    return _log(np.sum(_exp(z), axis, keepdims=keepdims))


def _norm(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    return _sqrt(np.sum(x * x, axis, keepdims=keepdims))


_exp, _log, _sqrt = _each(mp.exp), _each(mp.log), _each(mp.sqrt)
_inv = _matrix(lambda m: m**-1)
WORDS: dict[str, Any] = {
    "np": SimpleNamespace(
        **{
            name: getattr(np, name)
            for name in "abs broadcast_to concatenate eye max maximum mean min ones repeat reshape sum trace where zeros".split()
        },
        exp=_exp,
        log=_log,
        sqrt=_sqrt,
        tanh=_each(mp.tanh),
        sign=_each(lambda x: int(mp.sign(x))),
        linalg=SimpleNamespace(),
    ),
    "sigmoid": _each(lambda z: 1 / (1 + mp.exp(-z))),
    "softplus": _each(lambda z: mp.log1p(mp.exp(z))),
    "softmax": _softmax,
    "log_softmax": lambda z, axis=-1: z - _logsumexp(z, axis, True),
    "logsumexp": _logsumexp,
    "norm": _norm,
    "inv": _inv,
    "det": lambda a: mp.det(mp.matrix(a.tolist())),
    "solve": lambda a, b: _inv(a) @ b,
    "one_hot": lambda i, count: np.eye(count, dtype=int)[i],
}
"""What the texts call, in place of `HELPERS` and NumPy."""
