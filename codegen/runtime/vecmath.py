"""Elementary functions that LLVM vectorises: branch-free polynomials, one body for both precisions.

Law of this file: no branch, no call into libm, no table lookup; edges (inf, nan, signed zeros, subnormals) come from
the arithmetic or from selects at the end, so that a loop over any of these functions becomes vector code.  `family`
writes each function once over a `Precision`, as `traced` wants it: kernels trace it (`exp_f32`, `exp_f64`, ...), and
`plain()` gives the same functions of NumPy's scalars, which want `np.errstate(all="ignore")` around them.

A loop over float32 is 7 to 40 times faster than one that calls libm for each element (exp 0.26 ns against 2.3, tanh 0.34
against 13.7, sin 0.49 against 8.0), over float64 3 to 15 times; no function is off by more than 2.7 ulp.
sin and cos subtract multiples of pi in exact pieces, in float64 for both precisions: good to |x| < 1e14, nan beyond,
where even the neighbours of a float64 are 1/64 apart.  Handing those arguments to libm by a branch would keep every loop
from vectorising (sin_f32 0.6 -> 7.4 ns an element).  erf is written with exp(-x*x), so that a loop that also needs its
derivative computes that once.

Coefficients are minimax: Remez exchange in 45 digits, weighted for the relative error of the function's value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba.core import config

from .traced import below, clamp, compiled, fma, least, select

NAMES = ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "sigmoid", "softplus", "erf", "pow")


@dataclass(frozen=True, slots=True)
class Precision:
    """A floating type, its twin integer, its layout, and the polynomials that reach its precision.

    `exp`: (e^r - 1 - r) / r^2 on |r| <= ln2/2;  `log`: (log((1+s)/(1-s))/s - 2) / s^2 in s^2;
    `log_wide`: the same for |s| <= 1/3;  `log_third`: (3/2 log((1+s)/(1-s))/s - 3 - s^2) / s^4 in s^2;
    `sin`: (sin(r)/r - 1) / r^2 in r^2 on |r| <= pi/2;  `erf`: erf(x)/x - 1 in x^2 on |x| <= 3/4;
    `erfc`: erfc(x) exp(x^2) in (x-c)/(x+c), c = `erf_centre`, up to `erf_top`, from where on erf is 1.
    Lowest degree first.  `pi`, `ln2`, `log2` (2/3 / log 2): a number in pieces.
    """

    real: type
    integer: type
    mantissa: int
    exponent_bias: int
    exp_range: tuple[float, float]
    expm1_low: float
    erf_top: float
    erf_centre: float
    ln2: tuple[float, float]
    pi: tuple[str, ...]
    log2: tuple[float, float]
    exp: tuple[float, ...]
    log: tuple[float, ...]
    log_wide: tuple[float, ...]
    log_third: tuple[float, ...]
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
    erf_centre=1.5,
    ln2=(0.693138122558594, 9.05800061445916e-06),
    pi=("0x1.921fb54442d18p+1", "0x1.1a62633145c07p-53"),
    log2=(0.9617967009544373, -7.028461650952758e-09),
    exp=(0.5000000095158845, 0.1666651884286084, 0.041666205896242245, 0.008368889105395518, 0.0013950485150226943),
    log=(0.6666677668740827, 0.39977496503895665, 0.29873079018917553),
    log_wide=(0.6666667489815458, 0.3999893015991321, 0.28615624268500967, 0.21440034916492845, 0.24258133340434618),
    log_third=(0.6000021487309564, 0.4282186642263469, 0.3510338007968072),
    sin=(-0.16666666626142793, 0.00833333110823549, -0.00019840868145192466, 2.7525380270159906e-06, -2.3888823292366855e-08),
    erf=(
        0.12837916549661504,
        -0.3761261875297392,
        0.11283376467164342,
        -0.02683461708109322,
        0.005114326589247915,
        -0.0006749354586484125,
    ),
    erfc=(0.3215852758389899, -0.49087269588587074, 0.19449078606623768, -0.008999940743435055, -0.017439411159021145),
)
DOUBLE = Precision(
    np.float64,
    np.int64,
    mantissa=52,
    exponent_bias=1023,
    exp_range=(-746.0, 710.0),
    expm1_low=-40.0,
    erf_top=5.93,
    erf_centre=3.0,
    ln2=(0.6931471803691238, 1.9082149292705877e-10),
    pi=("0x1.921fb544p+1", "0x1.0b4611a6p-33", "0x1.3198a2ep-68", "0x1.b839a252049c1p-103"),
    log2=(0.9617966939259756, 5.0577616648125907e-17),
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
    log_wide=(
        0.6666666666666642,
        0.4000000000012457,
        0.28571428551316574,
        0.22222223782443085,
        0.1818174980493334,
        0.15386446433786785,
        0.133023403952271,
        0.12096072105048203,
        0.0838094400294552,
        0.16947462615107792,
    ),
    log_third=(
        0.6000000000000231,
        0.42857142855606906,
        0.3333333370604325,
        0.272726824757841,
        0.23079883084786906,
        0.19890727579203885,
        0.19746498888442696,
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
        0.1283791670955125,
        -0.3761263890318109,
        0.11283791670800386,
        -0.026866170610134986,
        0.005223977222457677,
        -0.0008548300294898483,
        0.00012054249865833748,
        -1.4898339257609078e-05,
        1.6041839392073919e-06,
        -1.2700954957663168e-07,
    ),
    erfc=(
        0.17900115118102047,
        -0.32623356005198423,
        0.24560380185807393,
        -0.15011592957476572,
        0.07166593701260886,
        -0.024391704606603216,
        0.004273154565279233,
        0.0007213886498430745,
        -0.000565336179653213,
        9.549429855910336e-05,
        0.00011624946715418288,
        1.925977353130352e-05,
    ),
)


def family(p: Precision) -> SimpleNamespace:
    """The functions of NAMES in precision p: of NumPy's scalars, or of traced values."""
    F, I = p.real, p.integer
    MANTISSA, BIAS, ONE_INT, TOP_BIT = (I(v) for v in (p.mantissa, p.exponent_bias, 1, 8 * np.dtype(I).itemsize - 1))
    WHOLE = F(1.5 * 2.0**p.mantissa)  # x + WHOLE is x rounded to an integer, which lies in the low bits
    SCALE = F(WHOLE + 2 * p.exponent_bias)  # the same with what `scaled` wants in the low bits
    SIGN, ROOT_HALF = (F(v).view(I) for v in (-0.0, 0.5**0.5))
    FRACTION, TO_ROOT = I((1 << p.mantissa) - 1), I(F(1).view(I) - ROOT_HALF)
    LEAST_NORMAL, SUBNORMAL_UP = np.finfo(F).tiny, F(2.0 ** (p.mantissa + 2))
    TO_ROOT_UP = I(int(TO_ROOT) - ((p.mantissa + 2) << p.mantissa))
    FROM_EXPONENT = I(int(WHOLE.view(I)) - p.exponent_bias)
    ZERO, HALF, ONE, TWO, THREE, INF, NAN = (F(v) for v in (0, 0.5, 1, 2, 3, np.inf, np.nan))
    LOG2E, LN2, LN2_HI, LN2_LO, LOG2_HI, LOG2_LO = (F(v) for v in (1.4426950408889634, 0.6931471805599453, *p.ln2, *p.log2))
    (EXP_MIN, EXP_MAX), EXPM1_LOW = map(F, p.exp_range), F(p.expm1_low)
    TANH_TOP = F(p.expm1_low / -2)
    ERF_NEAR, ERF_TOP, ERF_CENTRE = F(0.75), F(p.erf_top), F(p.erf_centre)
    LOG2_TOP = F(1.5 * p.exponent_bias)
    POWER_TOP = F(2.0 ** (p.mantissa + 12))  # times the least log2 it is past every range
    PI = tuple(np.float64(float.fromhex(h)) for h in p.pi)
    c_exp, c_log, c_log_wide, c_log_third, c_sin, c_erf, c_erfc = (
        tuple(map(F, c)) for c in (p.exp, p.log, p.log_wide, p.log_third, p.sin, p.erf, p.erfc)
    )

    def with_sign_of(v: Any, x: Any) -> Any:
        return (v.view(I) | (x.view(I) & SIGN)).view(F)

    def scaled(v: Any, k: Any) -> Any:
        """(1 + v) 2^n for the bits of SCALE + n, in two halves: the ends of n lie outside the normal range."""
        h = k >> ONE_INT
        half = (h << MANTISSA).view(F)
        return (half + v * half) * ((k - h) << MANTISSA).view(F)

    def powers_of_e(y: Any) -> tuple[Any, Any]:
        """(e^r - 1, bits of SCALE + n) with y = n log 2 + r."""
        t = y * LOG2E + SCALE
        n = t - SCALE
        r = (y - n * LN2_HI) - n * LN2_LO
        z = r * r
        return r + z * polynomial(c_exp, r), t.view(I)

    def exp(x: Any) -> Any:
        return select(x == x, scaled(*powers_of_e(clamp(x, EXP_MIN, EXP_MAX))), x)

    def minus_one(y: Any) -> Any:
        """e^y - 1 inside the range; gives 0 for -0."""
        e, k = powers_of_e(y)
        h = ((k - (BIAS + ONE_INT)) << MANTISSA).view(F)
        return TWO * (h * e + (h - HALF))

    def expm1(x: Any) -> Any:
        return select((x < ZERO) | (x > ZERO), minus_one(clamp(x, EXPM1_LOW, EXP_MAX)), x)

    def split(i: Any) -> tuple[Any, Any]:
        """(k, f) of x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), from the bits of x plus TO_ROOT."""
        k = ((i >> MANTISSA) + FROM_EXPONENT).view(F) - WHOLE
        return k, ((i & FRACTION) + ROOT_HALF).view(F) - ONE

    def split_any(x: Any) -> tuple[Any, Any]:
        """The same from x itself, which may be subnormal."""
        small = x < LEAST_NORMAL
        return split(select(small, x * SUBNORMAL_UP, x).view(I) + select(small, TO_ROOT_UP, TO_ROOT))

    def log_of(k: Any, f: Any, c: Any) -> Any:
        """k log 2 + log(1 + f) + c."""
        s = f / (TWO + f)
        z = s * s
        q = HALF * f * f
        return k * LN2_HI - ((q - (s * (q + z * polynomial(c_log, z)) + (k * LN2_LO + c))) - f)

    def log(x: Any) -> Any:
        v = log_of(*split_any(x), ZERO)
        i = x.view(I)
        edge = select(x == ZERO, -INF, (i | (i >> TOP_BIT)).view(F))  # all bits of a negative number: nan
        return select(below(i - ONE_INT, INF.view(I) - ONE_INT), v, edge)

    def log1p(x: Any) -> Any:
        u = ONE + x
        k, f = split(u.view(I) + TO_ROOT)
        near = k == ZERO
        lost = select(x >= ONE, ONE - (u - x), x - (u - ONE)) / u  # what rounding 1 + x dropped
        v = log_of(k, select(near, x, f), select(near, ZERO, lost))
        v = select(x < INF, v, x)
        v = select(x == ZERO, x, v)
        v = select(x == -ONE, -INF, v)
        return select(x < -ONE, NAN, v)

    def wrap_pi(x: Any, h: float) -> Any:
        """r in [-pi/2, pi/2] with sin(r) = sin(x + h pi), for h = 0 and 1/2; nan out of range."""
        w = x.astype(np.float64)
        t = (w * _INV_PI + np.float64(h) if h else w * _INV_PI) + _ROUND
        n = t - _ROUND
        n = _HALF - n if h else -n
        r = w
        for piece in PI:  # exact, or rounded where r is not small
            r = fma(n, piece, r)
        r = (r.view(np.int64) ^ (t.view(np.int64) << _TOP_BIT)).view(np.float64)  # odd multiples change the sign
        return select(abs(x) < F(1e14), r.astype(F), NAN)

    def sine(r: Any) -> Any:
        z = r * r
        return r + r * (z * polynomial(c_sin, z))

    def sin(x: Any) -> Any:
        return select(x == ZERO, x, sine(wrap_pi(x, 0.0)))

    def cos(x: Any) -> Any:
        return sine(wrap_pi(x, 0.5))

    def tanh(x: Any) -> Any:
        t = minus_one(-TWO * least(abs(x), TANH_TOP))
        return with_sign_of(select(x == x, (ZERO - t) / (TWO + t), x), x)  # -t would be -0

    def sigmoid(x: Any) -> Any:
        e = exp(-abs(x))
        return select(x < ZERO, e, ONE) / (ONE + e)

    def softplus(x: Any) -> Any:
        e = exp(-abs(x))
        s = e / (TWO + e)
        z = s * s
        return select(x > ZERO, x, ZERO) + (TWO * s + s * (z * polynomial(c_log_wide, z)))

    def erf(x: Any) -> Any:
        a, z = abs(x), x * x
        near = a + a * polynomial(c_erf, z)
        t = least(a, ERF_TOP)
        far = ONE - exp(-z) * polynomial(c_erfc, (t - ERF_CENTRE) / (t + ERF_CENTRE))
        return with_sign_of(select(a < ERF_NEAR, near, far), x)

    def pow(x: Any, y: Any) -> Any:  # noqa: A001
        a = abs(x)
        k, f = split_any(a)
        d = TWO + f  # f / (2 + f), its square, and log2 a as sums of two numbers
        one_over = ONE / d
        s = f * one_over
        s_lo = (fma(-s, d, f) - s * (f - (d - TWO))) * one_over
        z = s * s
        z_lo = fma(s, s, -z) + TWO * s * s_lo
        u = THREE + z
        u_lo = (z - (u - THREE)) + (z_lo + z * z * polynomial(c_log_third, z))
        v = s * u
        v_lo = fma(s, u, -v) + (s * u_lo + s_lo * u)
        w = v * LOG2_HI
        w_lo = fma(v, LOG2_HI, -w) + (v * LOG2_LO + v_lo * LOG2_HI)
        g = k + w
        g_lo = (w - (g - k)) + w_lo
        b = clamp(y, -POWER_TOP, POWER_TOP)
        e = b * g
        e_lo = fma(b, g, -e) + b * g_lo
        e, e_lo = clamp(e, -LOG2_TOP, LOG2_TOP), clamp(e_lo, -ONE, ONE)
        t = (e + e_lo) + SCALE
        r = LN2 * ((e - (t - SCALE)) + e_lo)
        q = r * r
        v = scaled(r + q * polynomial(c_exp, r), t.view(I))
        v = select((a == ZERO) | (a == INF), select((a == ZERO) == (y < ZERO), INF, ZERO), v)
        half = y * HALF
        whole = y.round() == y
        v = select(whole & (half.round() != half), with_sign_of(v, x), v)
        v = select(whole | (x > ZERO) | (a == ZERO) | (a == INF), v, NAN)
        v = select((x == x) & (y == y), v, x + y)
        return select((y == ZERO) | (x == ONE), ONE, v)

    return SimpleNamespace(**{name: f for name, f in locals().items() if name in NAMES})


def polynomial(c: tuple, x: Any) -> Any:
    """c[0] + c[1] x + ...: in pairs, so that the chain of dependent products is half as long."""
    if len(c) > 3:
        c = tuple(c[i] + c[i + 1] * x if i + 1 < len(c) else c[i] for i in range(0, len(c), 2))
        x = x * x
    value = c[-1]
    for coefficient in c[-2::-1]:
        value = coefficient + value * x
    return value


_INV_PI, _ROUND, _HALF, _TOP_BIT = np.float64(0.3183098861837907), np.float64(1.5 * 2.0**52), np.float64(0.5), np.int64(63)


def plain() -> dict[str, Callable]:
    """Every exported function as plain Python, by name: 'exp_f32' -> a function of np.float32, ..."""
    return {f"{name}_{suffix}": getattr(family(p), name) for p, suffix in ((SINGLE, "f32"), (DOUBLE, "f64")) for name in NAMES}


_exported = {
    f"{name}_{suffix}": f if config.DISABLE_JIT else compiled(f, p.real)
    for p, suffix in ((SINGLE, "f32"), (DOUBLE, "f64"))
    for name, f in vars(family(p)).items()
}
exp_f32, exp_f64 = _exported["exp_f32"], _exported["exp_f64"]
log_f32, log_f64 = _exported["log_f32"], _exported["log_f64"]
log1p_f32, log1p_f64 = _exported["log1p_f32"], _exported["log1p_f64"]
expm1_f32, expm1_f64 = _exported["expm1_f32"], _exported["expm1_f64"]
sin_f32, sin_f64 = _exported["sin_f32"], _exported["sin_f64"]
cos_f32, cos_f64 = _exported["cos_f32"], _exported["cos_f64"]
tanh_f32, tanh_f64 = _exported["tanh_f32"], _exported["tanh_f64"]
sigmoid_f32, sigmoid_f64 = _exported["sigmoid_f32"], _exported["sigmoid_f64"]
softplus_f32, softplus_f64 = _exported["softplus_f32"], _exported["softplus_f64"]
erf_f32, erf_f64 = _exported["erf_f32"], _exported["erf_f64"]
pow_f32, pow_f64 = _exported["pow_f32"], _exported["pow_f64"]
