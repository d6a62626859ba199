"""Functions of numbers on a device: those of `vecmath` and `integer`, and what NumPy has and CUDA does not compile by its name.

Law of this file: a function has the special values of the CPU's (inf, nan, signed zeros, arguments of sin and cos that no
multiple of pi can be taken from), and errors of a few ulps.  The work is done by libdevice, NVIDIA's library of such
functions, which is in every kernel's reach; in simulators by NumPy, so what is written around it here is tested there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import integer, vecmath
from .device import SIMULATED, device

if not SIMULATED:
    from numba import types
    from numba.cuda import libdevice
    from numba.extending import overload

WRAP_LIMIT = 1e14
"""From here on sin and cos are nan, as on the CPU."""


def _library(name: str, real: type) -> Callable:
    """A function by its name there; NumPy's power takes a root of -inf where its exponent is 1/2."""
    if SIMULATED:
        return getattr(np, name) if name != "pow" else vecmath.plain()["pow_f32" if real is np.float32 else "pow_f64"]
    return getattr(libdevice, name + "f" if real is np.float32 else name)


def family(real: type) -> SimpleNamespace:
    """The functions in one precision."""
    ZERO, HALF, ONE, NAN, LIMIT = (real(v) for v in (0, 0.5, 1, np.nan, WRAP_LIMIT))
    EXP, LOG, LOG1P, EXPM1, SIN, COS, TANH, POW, FMOD, FLOOR, COPYSIGN = (
        _library(name, real) for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "pow", "fmod", "floor", "copysign")
    )

    @device
    def exp(x):
        return EXP(x)

    @device
    def log(x):
        return LOG(x)

    @device
    def log1p(x):
        return LOG1P(x)

    @device
    def expm1(x):
        return EXPM1(x)

    @device
    def sin(x):
        return SIN(x) if abs(x) < LIMIT else NAN

    @device
    def cos(x):
        return COS(x) if abs(x) < LIMIT else NAN

    @device
    def tanh(x):
        return TANH(x)

    @device
    def sigmoid(x):
        e = EXP(-abs(x))
        return (e if x < ZERO else ONE) / (ONE + e)

    @device
    def softplus(x):
        return (x if x > ZERO else ZERO) + LOG1P(EXP(-abs(x)))

    @device
    def erf(x):
        return real(math.erf(x))

    @device
    def pow(x, y):  # noqa: A001
        return POW(x, y)

    @device
    def remainder(a, b):
        """a - floor(a / b) b, as NumPy computes it, for b != 0."""
        mod = FMOD(a, b)
        if mod == ZERO:
            return COPYSIGN(mod, b)
        return mod + b if (b < ZERO) != (mod < ZERO) else mod

    @device
    def floordiv(a, b):
        if b == ZERO:
            return a / b
        mod = FMOD(a, b)
        div = (a - mod) / b
        if mod != ZERO and (b < ZERO) != (mod < ZERO):
            div = div - ONE
        if div == ZERO:
            return COPYSIGN(div, a / b)
        floored = FLOOR(div)
        return floored + ONE if div - floored > HALF else floored

    @device
    def floormod(a, b):
        return remainder(a, b) if b != ZERO else NAN

    @device
    def sign(x):
        return ONE if x > ZERO else (-ONE if x < ZERO else x)

    @device
    def truncdiv(a, b):
        return sign(a) * sign(b) * floordiv(abs(a), abs(b))

    return SimpleNamespace(**{name: f for name, f in locals().items() if callable(f) and name.islower() and name != "real"})


_single, _double = family(np.float32), family(np.float64)
exp_f32, exp_f64 = _single.exp, _double.exp
log_f32, log_f64 = _single.log, _double.log
log1p_f32, log1p_f64 = _single.log1p, _double.log1p
expm1_f32, expm1_f64 = _single.expm1, _double.expm1
sin_f32, sin_f64 = _single.sin, _double.sin
cos_f32, cos_f64 = _single.cos, _double.cos
tanh_f32, tanh_f64 = _single.tanh, _double.tanh
sigmoid_f32, sigmoid_f64 = _single.sigmoid, _double.sigmoid
softplus_f32, softplus_f64 = _single.softplus, _double.softplus
erf_f32, erf_f64 = _single.erf, _double.erf
pow_f32, pow_f64 = _single.pow, _double.pow


def _of_any_dtype(name: str) -> Callable:
    """A function of two numbers: floats by the family of a's precision, whole numbers as `integer` does."""
    whole = integer.PLAIN[name]
    single, double = (getattr(f, name, whole) for f in (_single, _double))

    def function(a: Any, b: Any) -> Any:
        kind = np.asarray(a).dtype
        return (whole if kind.kind != "f" else single if kind.itemsize == 4 else double)(a, b)

    if SIMULATED:
        return function

    @overload(function, target="cuda")
    def specialised(a, b):
        kind = types.unliteral(a)
        if not isinstance(kind, types.Float):
            return getattr(integer, f"_{name}")(a, b)
        real = single if kind.bitwidth == 32 else double
        return lambda a, b: real(a, b)

    return function


truncdiv, floordiv, floormod, int_power = (_of_any_dtype(name) for name in ("truncdiv", "floordiv", "floormod", "int_power"))
sqrt, floor, ceil = (getattr(np if SIMULATED else math, name) for name in ("sqrt", "floor", "ceil"))
"""Of floats of either precision, like rint; CUDA does not compile them by NumPy's names."""


def rint(x):
    """The nearest whole number, of two the even one."""
    return np.rint(x)


if not SIMULATED:

    @overload(rint, target="cuda")
    def _rint(x):
        real = libdevice.rintf if x.bitwidth == 32 else libdevice.rint
        return lambda x: real(x)
