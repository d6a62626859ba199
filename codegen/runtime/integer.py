"""Division and powers with NumPy's meaning, where Python, Numba and NumPy differ.

Law of this file: whole numbers divided by 0 give 0, and floor division and remainder of floats follow NumPy bit by bit.
These are rare in loops, so they are ordinary functions, specialised by Numba for the dtypes they meet.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types
from numba.core import config
from numba.extending import overload


def truncdiv(a, b):
    """a / b rounded towards zero, in the dtype of a."""
    dtype = np.asarray(a).dtype
    if dtype.kind == "f":
        return dtype.type(np.sign(a) * np.sign(b) * (abs(a) // abs(b)))
    q = floordiv(a, b)
    return dtype.type(q + 1 if b != 0 and q * b != a and (a < 0) != (b < 0) else q)


def floordiv(a, b):
    """a / b rounded down, in the dtype of a."""
    return np.asarray(a).dtype.type(np.floor_divide(a, b)) if b != 0 or np.asarray(a).dtype.kind == "f" else np.asarray(a).dtype.type(0)


def floormod(a, b):
    """a - floordiv(a, b) * b, in the dtype of a."""
    return np.asarray(a).dtype.type(np.mod(a, b)) if b != 0 or np.asarray(a).dtype.kind == "f" else np.asarray(a).dtype.type(0)


def int_power(a, b):
    """a ** b of whole numbers in the dtype of a; 0 for negative exponents."""
    dtype = np.asarray(a).dtype
    with np.errstate(all="ignore"):
        return dtype.type(np.power(a, b)) if b >= 0 else dtype.type(0)


PLAIN = {"truncdiv": truncdiv, "floordiv": floordiv, "floormod": floormod, "int_power": int_power}


@overload(truncdiv)
def _truncdiv(a, b):
    kind = types.unliteral(a)
    if isinstance(kind, types.Float):
        real = np.float32 if kind.bitwidth == 32 else np.float64
        return lambda a, b: real(np.sign(a) * np.sign(b) * (abs(a) // abs(b)))

    def whole(a, b):
        if b == 0:
            return kind(0)
        x, y = np.int64(a), np.int64(b)
        q = -x if y == -1 else x // y  # Numba's int64 has 0 for the least number divided by -1
        return kind(q + 1 if q * y != x and (x < 0) != (y < 0) else q)

    return whole


def _parts(a, b):
    """(floor of a / b, remainder with the sign of b) of floats, as NumPy computes them."""
    mod = np.fmod(a, b)
    div = (a - mod) / b
    if mod != 0:
        if (b < 0) != (mod < 0):
            mod += b
            div -= 1
    else:
        mod = math.copysign(mod, b)
    if div != 0:
        floored = np.floor(div)
        if div - floored > 0.5:
            floored += 1
    else:
        floored = math.copysign(div, a / b)
    return floored, mod


_float_parts = numba.njit(error_model="numpy", fastmath=False)(_parts)


@overload(floordiv)
def _floordiv(a, b):
    kind = types.unliteral(a)
    if isinstance(kind, types.Float):
        return lambda a, b: kind(_float_parts(a, b)[0]) if b != 0 else kind(a / b)
    return lambda a, b: kind(0) if b == 0 else kind(-np.int64(a) if b == -1 else np.int64(a) // np.int64(b))


@overload(floormod)
def _floormod(a, b):
    kind = types.unliteral(a)
    if isinstance(kind, types.Float):
        return lambda a, b: kind(_float_parts(a, b)[1]) if b != 0 else kind(math.nan)
    return lambda a, b: kind(0) if b == 0 else kind(np.int64(a) % np.int64(b))


@overload(int_power)
def _int_power(a, b):
    kind = types.unliteral(a)

    def power(a, b):
        if b < 0:
            return kind(0)
        result, square, n = kind(1), a, np.int64(b)
        while n:
            if n & 1:
                result = kind(result * square)
            n >>= 1
            square = kind(square * square)
        return result

    return power


if config.DISABLE_JIT:
    globals().update(PLAIN)
