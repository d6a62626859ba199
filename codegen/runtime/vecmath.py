"""Elementary functions that LLVM vectorises: branch-free polynomials, one body for both precisions.

Law of this file: no branch, no call into libm, no table lookup; edges (inf, nan, signed zeros, subnormals) come from
the arithmetic or from selects at the end, so that a loop over any of these functions becomes vector code.  `family`
writes each function once over a `Precision`; with `numba.njit` as its decorator it gives the compiled functions that
this module exports (`exp_f32`, `exp_f64`, ...), with the identity it gives the same functions as plain Python
(`plain()`), which want `np.errstate(all="ignore")` around them.

A loop over float32 is 6 to 37 times faster than one that calls libm for each element (exp 0.26 ns against 2.3, tanh
0.40 against 13.7, sin 0.63 against 8.0), over float64 3 to 12 times; no function is off by more than 2.6 ulp.
sin and cos subtract multiples of pi in exact pieces, in float64 for both precisions: good to |x| < 1e14, nan beyond,
where even the neighbours of a float64 are 1/64 apart.  Handing those arguments to libm by a branch would keep every loop
from vectorising (sin_f32 0.6 -> 7.4 ns an element).

Coefficients are minimax: Remez exchange in 40 digits, weighted for the relative error of the function's value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numba
import numpy as np

FLAGS = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True, "no_cfunc_wrapper": True}
"""Contraction to fused multiply-add is the only liberty: values keep nan, inf and the order of operations.
`forceinline`: erf and softplus are past LLVM's own threshold and would stay calls, ten times slower."""

NAMES = ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "sigmoid", "softplus", "erf")


@dataclass(frozen=True, slots=True)
class Precision:
    """A floating type, its twin integer, its layout, and the polynomials that reach its precision.

    `exp`: (e^r - 1 - r) / r^2 on |r| <= ln2/2;  `log`: (log((1+s)/(1-s))/s - 2) / s^2 in s^2;
    `sin`: (sin(r)/r - 1) / r^2 in r^2 on |r| <= pi/2;  `erf`: erf(x)/x - 1 in x^2 on |x| <= 1;
    `erfc`: -log(erfc(1 + t)) in t up to `erf_top` - 1, from where on erf is 1.  Lowest degree first.
    """

    real: type
    integer: type
    mantissa: int
    exponent_bias: int
    exp_range: tuple[float, float]
    expm1_low: float
    erf_top: float
    ln2: tuple[float, float]
    exp: tuple[float, ...]
    log: tuple[float, ...]
    sin: tuple[float, ...]
    erf: tuple[float, ...]
    erfc: tuple[float, ...]


SINGLE = Precision(
    np.float32,
    np.int32,
    mantissa=23,
    exponent_bias=127,
    exp_range=(-104.0, 89.0),
    expm1_low=-20.0,
    erf_top=3.93,
    ln2=(0.693138122558594, 9.05800061445916e-06),
    exp=(0.5000000095158845, 0.1666651884286084, 0.041666205896242245, 0.008368889105395518, 0.0013950485150226943),
    log=(0.6666677668740827, 0.39977496503895665, 0.29873079018917553),
    sin=(-0.16666666626142793, 0.00833333110823549, -0.00019840868145192466, 2.7525380270159906e-06, -2.3888823292366855e-08),
    erf=(
        0.12837916572955937,
        -0.376126258374651,
        0.11283585248605635,
        -0.02685381458207252,
        0.005188330482592488,
        -0.0008010202699272506,
        7.853849828429409e-05,
    ),
    erfc=(
        1.8496055156535303,
        2.638966879834828,
        0.8431176075193727,
        0.04150349758536251,
        -0.009895459142524135,
        0.0018293814751317375,
        -0.0001863785376944325,
    ),
)
DOUBLE = Precision(
    np.float64,
    np.int64,
    mantissa=52,
    exponent_bias=1023,
    exp_range=(-746.0, 710.0),
    expm1_low=-40.0,
    erf_top=5.93,
    ln2=(0.6931471803691238, 1.9082149292705877e-10),
    exp=(
        0.5000000000000012,
        0.166666666666667,
        0.04166666666651556,
        0.008333333333307286,
        0.00138888889469848,
        0.00019841269917154623,
        2.4801489966974733e-05,
        2.755721653743168e-06,
        2.763127383604375e-07,
        2.5117780320889773e-08,
    ),
    log=(
        0.6666666666666735,
        0.3999999999941134,
        0.2857142874321679,
        0.22222198480096075,
        0.18183569548578649,
        0.1531390770545905,
        0.14797466523398212,
    ),
    sin=(
        -0.16666666666666666,
        0.008333333333333194,
        -0.00019841269841209183,
        2.7557319211130927e-06,
        -2.5052106872199754e-08,
        1.605893967465372e-10,
        -7.642990653687838e-13,
        2.721165945614291e-15,
    ),
    erf=(
        0.1283791670955126,
        -0.3761263890318375,
        0.11283791670954858,
        -0.02686617064507296,
        0.00522397762478137,
        -0.0008548326978765149,
        0.00012055331037551108,
        -1.4925593518728226e-05,
        1.6460972954153765e-06,
        -1.635002619207727e-07,
        1.4657883530919653e-08,
        -1.136567067182716e-09,
        5.945255584223488e-11,
    ),
    erfc=(
        1.8496055099332482,
        2.6389675142347886,
        0.8431072563586591,
        0.04156109804218054,
        -0.010033825378438629,
        0.001977902593906707,
        -0.00023732259016949757,
        -2.6277563792848564e-05,
        2.7158479194620104e-05,
        -9.607963539119118e-06,
        2.058747332444997e-06,
        -1.4204022560824628e-07,
        -9.8054986693991e-08,
        5.226639279355792e-08,
        -1.4986395637546882e-08,
        2.881402592107382e-09,
        -3.7093491068345316e-10,
        2.9064306211682752e-11,
        -1.0495007513137306e-12,
    ),
)


def family(p: Precision, jit: Callable, part: Callable) -> SimpleNamespace:
    """The ten functions of NAMES in precision p under the decorator `jit`, their inner pieces under `part`."""
    F, I = p.real, p.integer
    MANTISSA, BIAS = I(p.mantissa), I(p.exponent_bias)
    MAGIC = F(1.5 * 2.0**p.mantissa)  # x + MAGIC is x rounded to an integer, which lies in the low bits
    MAGIC_BITS, SIGN, ROOT_HALF = (F(v).view(I) for v in (MAGIC, -0.0, 0.5**0.5))
    FRACTION, TO_ROOT = I((1 << p.mantissa) - 1), I(F(1).view(I) - ROOT_HALF)
    LEAST_NORMAL, SUBNORMAL_UP, SUBNORMAL_EXP = np.finfo(F).tiny, F(2.0 ** (p.mantissa + 2)), F(p.mantissa + 2)
    ZERO, HALF, ONE, TWO, INF, NAN, ONE_INT = F(0), F(0.5), F(1), F(2), F(np.inf), F(np.nan), I(1)
    LOG2E, LN2_HI, LN2_LO = F(1.4426950408889634), *map(F, p.ln2)
    EXP_MIN, EXP_MAX, EXPM1_LOW, ERF_TOP = *map(F, p.exp_range), F(p.expm1_low), F(p.erf_top)
    exp_rest, log_rest, sin_rest, erf_rest, erfc_log = (part(_horner(tuple(map(F, c)))) for c in (p.exp, p.log, p.sin, p.erf, p.erfc))
    wrap_pi = part(_wrap_pi)

    @part
    def with_sign_of(v, x):
        return I(F(v).view(I) | (F(x).view(I) & SIGN)).view(F)

    @jit
    def exp(x):
        y = EXP_MAX if x > EXP_MAX else x
        y = EXP_MIN if y < EXP_MIN else y
        t = F(y * LOG2E + MAGIC)
        n = t - MAGIC
        r = (y - n * LN2_HI) - n * LN2_LO
        e = ONE + (r + r * r * exp_rest(r))
        k = t.view(I)
        h = I(k >> ONE_INT)  # 2^n in two halves: its ends lie outside the normal range
        return e * I((h + BIAS) << MANTISSA).view(F) * I((k - h + BIAS) << MANTISSA).view(F)

    @jit
    def expm1(x):
        y = EXP_MAX if x > EXP_MAX else x
        y = EXPM1_LOW if y < EXPM1_LOW else y
        t = F(y * LOG2E + MAGIC)
        n = t - MAGIC
        r = (y - n * LN2_HI) - n * LN2_LO
        e = r + r * r * exp_rest(r)
        h = I((t.view(I) + BIAS - ONE_INT) << MANTISSA).view(F)
        v = e if n == ZERO else TWO * (h * e + (h - HALF))
        return x if x == ZERO else v

    @jit
    def log(x):
        small = x < LEAST_NORMAL
        y = F(x * SUBNORMAL_UP if small else x)
        i = I(y.view(I) + TO_ROOT)
        k = I((i >> MANTISSA) - BIAS + MAGIC_BITS).view(F) - MAGIC
        k = k - (SUBNORMAL_EXP if small else ZERO)
        f = I((i & FRACTION) + ROOT_HALF).view(F) - ONE  # x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)
        s = f / (TWO + f)
        z = s * s
        q = HALF * f * f
        v = k * LN2_HI - ((q - (s * (q + z * log_rest(z)) + k * LN2_LO)) - f)
        v = v if x < INF else x
        v = -INF if x == ZERO else v
        return NAN if x < ZERO else v

    @jit
    def log1p(x):
        u = F(ONE + x)
        i = I(u.view(I) + TO_ROOT)
        k = I((i >> MANTISSA) - BIAS + MAGIC_BITS).view(F) - MAGIC
        near = k == ZERO
        f = x if near else I((i & FRACTION) + ROOT_HALF).view(F) - ONE
        lost = (ONE - (u - x) if x >= ONE else x - (u - ONE)) / u  # what rounding 1 + x dropped
        c = ZERO if near else lost
        s = f / (TWO + f)
        z = s * s
        q = HALF * f * f
        v = k * LN2_HI - ((q - (s * (q + z * log_rest(z)) + (k * LN2_LO + c))) - f)
        v = v if x < INF else x
        v = x if x == ZERO else v
        v = -INF if x == -ONE else v
        return NAN if x < -ONE else v

    @part
    def sine(r):
        z = r * r
        return r + r * (z * sin_rest(z))

    @jit
    def sin(x):
        v = sine(F(wrap_pi(np.float64(x), 0.0)))
        return x if x == ZERO else v

    @jit
    def cos(x):
        return sine(F(wrap_pi(np.float64(x), 0.5)))

    @jit
    def tanh(x):
        t = expm1(-TWO * abs(x))
        return with_sign_of(-t / (TWO + t), x)

    @jit
    def sigmoid(x):
        e = exp(-abs(x))
        return (e if x < ZERO else ONE) / (ONE + e)

    @jit
    def softplus(x):
        return (x if x > ZERO else ZERO) + log1p(exp(-abs(x)))

    @jit
    def erf(x):
        a = abs(x)
        near = a + a * erf_rest(a * a)
        t = (ERF_TOP if a > ERF_TOP else a) - ONE
        far = ONE - exp(-erfc_log(t))
        return with_sign_of(near if a < ONE else far, x)

    return SimpleNamespace(**{name: f for name, f in locals().items() if name in NAMES})


def _horner(c: tuple) -> Callable:
    """The polynomial c[0] + c[1] x + ... as one nested expression: LLVM does not unroll a loop over a long tuple."""
    names = [f"c{i}" for i in range(len(c))]
    nest = names[-1]
    for name in names[-2::-1]:
        nest = f"({nest}) * x + {name}"
    return eval(f"lambda {', '.join(names)}: lambda x: {nest}")(*c)


_PI = tuple(float.fromhex(h) for h in ("0x1.921fb4p+1", "0x1.4442dp-23", "0x1.846988p-47", "0x1.8cc51701b839ap-71"))
_INV_PI, _ROUND, _ROUND_26, _WRAP_LIMIT, _TOP_BIT = 0.3183098861837907, 1.5 * 2.0**52, 1.5 * 2.0**78, 1e14, np.int64(63)


def _wrap_pi(x: np.float64, h: float) -> np.float64:
    """r in [-pi/2, pi/2] with sin(r) = sin(x + h pi), for h = 0 and 1/2; nan out of range."""
    t = np.float64((x * _INV_PI + h) + _ROUND)
    n = (t - _ROUND) - h
    big = (n + _ROUND_26) - _ROUND_26  # a multiple of 2^26 and a rest: either one times 24 bits of pi is exact
    rest = n - big
    r = (x - big * _PI[0]) - rest * _PI[0]
    r = (r - big * _PI[1]) - rest * _PI[1]
    r = (r - big * _PI[2]) - rest * _PI[2]
    r = r - n * _PI[3]
    r = np.float64(r if abs(x) < _WRAP_LIMIT else np.nan)
    return np.int64(r.view(np.int64) ^ (t.view(np.int64) << _TOP_BIT)).view(np.float64)  # odd multiples change the sign


def plain() -> dict[str, Callable]:
    """Every exported function as plain Python, by name: 'exp_f32' -> a function of np.float32, ..."""
    found = {}
    for p, suffix in ((SINGLE, "f32"), (DOUBLE, "f64")):
        functions = family(p, lambda f: f, lambda f: f)
        found.update({f"{name}_{suffix}": getattr(functions, name) for name in NAMES})
    return found


_jit, _part = numba.njit(**FLAGS), numba.njit(**FLAGS, no_cpython_wrapper=True)  # a wrapper is 15 ms of compile time
_single, _double = (family(p, _jit, _part) for p in (SINGLE, DOUBLE))
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
