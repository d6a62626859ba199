"""Special functions as compositions of those that a graph has.

Law of this file: what is small is exact relative to itself, and so is the derivative.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from .ops.clip import clip_by_value
from .ops.math import _made, where

exp, square, absolute, erf, less = (_made[n] for n in ("exp", "square", "abs", "erf", "less"))

_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2)
    + (8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3)
    + (3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)
_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2)
    + (6.58749161529837803e-4,),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)


def _rational(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Any) -> Any:
    above, below = (functools.reduce(lambda total, c: total * x + c, row[1:], 0.0 * x + row[0]) for row in coefficients)
    return above / below


def erfc(x: Any) -> Any:
    """1 - erf(x), to 1 + x^2 units in the last place.  Source: W. J. Cody, Rational Chebyshev approximations for the
    error function, Mathematics of Computation 23 (1969)."""
    y = absolute(x)
    middle, far = clip_by_value(y, 0.46875, 4.0), clip_by_value(y, 4.0, math.inf)
    z = 1.0 / square(far)
    tail = where(
        less(y, 4.0),
        exp(-square(middle)) * _rational(_MIDDLE, middle),
        exp(-square(far)) * (1.0 / math.sqrt(math.pi) - z * _rational(_FAR, z)) / far,
    )
    return where(less(y, 0.46875), 1.0 - erf(x), where(less(x, 0.0), 2.0 - tail, tail))
