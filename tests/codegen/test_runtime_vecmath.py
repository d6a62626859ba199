"""Vector math against references of higher precision: error bounds, edges, vector code, and the plain-Python route."""

import math
import re

import mpmath
import numba
import numpy as np
import pytest
from scipy import special

from symgraph.codegen.runtime import vecmath

ULPS = {"exp": 1.1, "log": 0.9, "log1p": 0.9, "expm1": 1.8, "sin": 2.3, "cos": 2.3}
ULPS |= {"tanh": 2.6, "sigmoid": 2.6, "softplus": 1.8, "erf": 1.1}
REAL = {"f32": np.float32, "f64": np.float64}
WRAP_LIMIT = 1e14

NUMPY = {
    **{name: getattr(np, name) for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh")},
    "sigmoid": special.expit,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "erf": special.erf,
}
EXACT = {
    **{name: getattr(mpmath, name) for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "erf")},
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}


@pytest.fixture(scope="module", params=[f"{n}_{s}" for n in vecmath.NAMES for s in REAL])
def case(request):
    """(function name, dtype, a compiled loop over it)."""
    name, _, suffix = request.param.rpartition("_")
    f = getattr(vecmath, request.param)

    @numba.njit(error_model="numpy", fastmath={"contract"})
    def loop(x, y):
        for i in range(x.size):
            y[i] = f(x[i])

    return name, REAL[suffix], loop


def run(loop, x):
    y = np.empty_like(x)
    loop(x, y)
    return y


def points(name, real, n):
    """Arguments of all magnitudes inside the function's domain."""
    r = np.random.default_rng(7)
    big = np.log(float(np.finfo(real).max))
    parts = [r.uniform(-1, 1, n), r.uniform(-10, 10, n), r.uniform(-1.05 * big, 1.05 * big, n)]
    parts.append(r.standard_normal(n) * np.exp(r.uniform(-0.95 * big, 3, n)))
    if name in ("sin", "cos"):
        parts += [r.uniform(-1e9, 1e9, n), r.integers(-(10**6), 10**6, n) * (math.pi / 2), np.exp(r.uniform(0, 32, n))]
    if name == "log":
        parts += [1 + r.uniform(-0.01, 0.01, n), np.exp(r.uniform(-1.05 * big, big, n))]
    if name == "log1p":
        parts += [np.expm1(r.uniform(-15, 0, n)), np.exp(r.uniform(0, 0.99 * big, n))]
    x = np.concatenate(parts).astype(real)
    return x[x > {"log": 0, "log1p": -1}.get(name, -math.inf)]


def off_single(name, x, got):
    """Errors in ulps, judged in float64."""
    with np.errstate(all="ignore"):
        want = NUMPY[name](x.astype(np.float64))
        nearest = want.astype(np.float32)
        unit = np.spacing(np.maximum(np.abs(nearest), np.finfo(np.float32).tiny)).astype(np.float64)
        error = np.abs(got.astype(np.float64) - want) / unit
    return np.where(np.isinf(nearest), np.where(got == nearest, 0, np.inf), error)


def off_double(name, x, got):
    """Errors in ulps, judged in 50 digits."""
    tiny, largest = np.finfo(np.float64).tiny, mpmath.mpf(float(np.finfo(np.float64).max))
    errors = []
    with mpmath.workdps(50):
        for a, b in zip(x.tolist(), got.tolist()):
            want = EXACT[name](mpmath.mpf(a))
            if abs(want) > largest:
                errors.append(0.0 if math.isinf(b) else math.inf)
            else:
                errors.append(float(abs(mpmath.mpf(b) - want) / math.ulp(max(abs(float(want)), tiny))))
    return np.array(errors)


def test_error_is_a_few_ulps(case):
    name, real, loop = case
    x = points(name, real, 20000 if real is np.float32 else 500)
    errors = (off_single if real is np.float32 else off_double)(name, x, run(loop, x))
    worst = int(errors.argmax())
    assert errors[worst] <= ULPS[name], (x[worst], errors[worst])


def test_edges(case):
    name, real, loop = case
    info = np.finfo(real)
    x = [0.0, np.inf, np.nan, info.smallest_subnormal, info.tiny, info.eps, 1, info.max, 1e13, 100, 800]
    x = np.array([s * v for v in x for s in (1, -1)], real)
    with np.errstate(all="ignore"):
        want = NUMPY[name](x.astype(np.float64)).astype(real)
    if name in ("sin", "cos"):
        want[np.abs(x) >= WRAP_LIMIT] = np.nan
    got = run(loop, x)
    np.testing.assert_allclose(got, want, rtol=8 * info.eps, atol=2 * info.smallest_subnormal)
    zeros = want == 0
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(want[zeros]))


def test_a_loop_becomes_vector_code(case):
    name, real, loop = case
    run(loop, np.ones(3, real))
    (text,) = loop.inspect_llvm().values()
    kind = "float" if real is np.float32 else "double"
    assert re.search(rf"= fmul contract <\d+ x {kind}>", text)


def test_plain_python_agrees(case):
    name, real, loop = case
    f = vecmath.plain()[f"{name}_{'f32' if real is np.float32 else 'f64'}"]
    x = np.concatenate([points(name, real, 40), np.array([0.0, -0.0, np.inf, -np.inf, np.nan], real)])
    with np.errstate(all="ignore"):
        values = [f(v) for v in x]
    assert all(isinstance(v, real) for v in values)
    # compiled code fuses multiply-adds, plain Python rounds twice
    np.testing.assert_allclose(run(loop, x), np.array(values), rtol=4 * np.finfo(real).eps, atol=2 * np.finfo(real).smallest_subnormal)
