"""Vector math against references of higher precision: error bounds, edges, vector code, and the plain-Python route."""

import functools
import math
import re

import mpmath
import numba
import numpy as np
import pytest
from scipy import special

from symgraph.codegen.runtime import vecmath

ULPS = {"exp": 1.1, "log": 0.9, "log1p": 0.9, "expm1": 1.8, "sin": 2.5, "cos": 2.5}
ULPS |= {"tanh": 2.6, "sigmoid": 2.6, "softplus": 2.8, "erf": 1.9, "pow": 1.7}
REAL = {"f32": np.float32, "f64": np.float64}
WRAP_LIMIT = 1e14
FUNCTIONS = [f"{name}_{suffix}" for name in vecmath.NAMES for suffix in REAL]

NUMPY = {
    **{name: getattr(np, name) for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh")},
    "sigmoid": special.expit,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "erf": special.erf,
    "pow": np.power,
}
EXACT = {
    **{name: getattr(mpmath, name) for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "erf")},
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "pow": mpmath.power,
}


@functools.cache
def compiled(function):
    """(name, dtype, a compiled loop over the function: of the arguments' arrays and the result's)."""
    name, _, suffix = function.rpartition("_")
    f = getattr(vecmath, function)
    jit = numba.njit(error_model="numpy", fastmath={"contract"})

    def unary(x, out):
        for i in range(x.size):
            out[i] = f(x[i])

    def binary(x, y, out):
        for i in range(x.size):
            out[i] = f(x[i], y[i])

    return name, REAL[suffix], jit(binary if name == "pow" else unary)


def run(loop, *arguments):
    out = np.empty_like(arguments[0])
    loop(*arguments, out)
    return out


def points(name, real, n):
    """Arguments of all magnitudes inside the function's domain."""
    r = np.random.default_rng(7)
    info = np.finfo(real)
    big = np.log(float(info.max))
    if name == "pow":
        x = [np.exp(r.uniform(-big, big, n)), np.exp(r.uniform(-1, 1, n)), 1 + r.uniform(-1e-3, 1e-3, n)]
        x = np.concatenate([*x, float(info.tiny) * r.random(n) + info.smallest_subnormal]).astype(real)
        logarithm = r.uniform(-1.18, 1.02, x.size) * big * np.where(r.random(x.size) < 0.5, 1, r.random(x.size))
        with np.errstate(all="ignore"):
            y = (logarithm / np.log(x.astype(np.float64))).astype(real)
        return x[np.isfinite(y)], y[np.isfinite(y)]
    parts = [r.uniform(-1, 1, n), r.uniform(-10, 10, n), r.uniform(-1.05 * big, 1.05 * big, n)]
    parts.append(r.standard_normal(n) * np.exp(r.uniform(-0.95 * big, 3, n)))
    if name in ("sin", "cos"):
        parts += [r.uniform(-1e9, 1e9, n), r.integers(-(10**6), 10**6, n) * (math.pi / 2), np.exp(r.uniform(0, 32, n))]
    if name == "log":
        parts += [1 + r.uniform(-0.01, 0.01, n), np.exp(r.uniform(-1.05 * big, big, n))]
    if name == "log1p":
        parts += [np.expm1(r.uniform(-15, 0, n)), np.exp(r.uniform(0, 0.99 * big, n))]
    x = np.concatenate(parts).astype(real)
    return (x[x > {"log": 0, "log1p": -1}.get(name, -math.inf)],)


def edges(name, real):
    """Both signs of everything that is special; all pairs of it for a function of two numbers."""
    info = np.finfo(real)
    x = [0.0, np.inf, np.nan, info.smallest_subnormal, info.tiny, info.eps, 1, info.max, 1e13, 100, 800]
    if name == "pow":
        whole = 2.0 ** (info.nmant + 1)
        x += [0.3, 0.5, 1.5, 2, 2.5, 3, 4, 5, whole - 1, whole, whole + 2, 1 - info.epsneg, 1 + info.eps]
    x = np.array([s * v for v in x for s in (1, -1)], real)
    return tuple(a.ravel().copy() for a in np.meshgrid(x, x)) if name == "pow" else (x,)


def off_single(name, got, *arguments):
    """Errors in ulps, judged in float64 (powers in long doubles)."""
    wide = np.longdouble if name == "pow" else np.float64
    with np.errstate(all="ignore"):
        want = NUMPY[name](*(a.astype(wide) for a in arguments))
        nearest = want.astype(np.float32)
        unit = np.spacing(np.maximum(np.abs(nearest), np.finfo(np.float32).tiny)).astype(np.float64)
        error = np.abs(got.astype(np.float64) - want) / unit
    return np.where(np.isinf(nearest), np.where(got == nearest, 0, np.inf), error)


def off_double(name, got, *arguments):
    """Errors in ulps, judged in 50 digits."""
    tiny, largest = np.finfo(np.float64).tiny, mpmath.mpf(float(np.finfo(np.float64).max))
    errors = []
    with mpmath.workdps(50):
        for b, *a in zip(got.tolist(), *(x.tolist() for x in arguments), strict=True):
            want = EXACT[name](*map(mpmath.mpf, a))
            if abs(want) > largest:
                errors.append(0.0 if math.isinf(b) else math.inf)
            else:
                errors.append(float(abs(mpmath.mpf(b) - want) / math.ulp(max(abs(float(want)), tiny))))
    return np.array(errors)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_error_is_a_few_ulps(function):
    name, real, loop = compiled(function)
    x = points(name, real, 20000 if real is np.float32 else 500)
    errors = (off_single if real is np.float32 else off_double)(name, run(loop, *x), *x)
    worst = int(errors.argmax())
    assert errors[worst] <= ULPS[name], (*(a[worst] for a in x), errors[worst])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_edges(function):
    name, real, loop = compiled(function)
    x = edges(name, real)
    info = np.finfo(real)
    with np.errstate(all="ignore"):
        want = NUMPY[name](*(a.astype(np.float64) for a in x)).astype(real)
    if name in ("sin", "cos"):
        want[np.abs(x[0]) >= WRAP_LIMIT] = np.nan
    got = run(loop, *x)
    np.testing.assert_allclose(got, want, rtol=8 * info.eps, atol=2 * info.smallest_subnormal)
    zeros = want == 0
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(want[zeros]))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_loop_becomes_vector_code(function):
    name, real, loop = compiled(function)
    run(loop, *[np.ones(3, real)] * (2 if name == "pow" else 1))
    (text,) = loop.inspect_llvm().values()
    kind = "float" if real is np.float32 else "double"
    assert re.search(rf"= fmul contract <\d+ x {kind}>", text)
    assert not re.search(r"call [\w ]*(float|double) @(?!llvm\.)", text)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_plain_python_agrees(function):
    name, real, loop = compiled(function)
    f = vecmath.plain()[function]
    special = edges(name, real)
    x = tuple(np.concatenate([a, b]) for a, b in zip(points(name, real, 40), special, strict=True))
    with np.errstate(all="ignore"):
        values = [f(*v) for v in zip(*x, strict=True)]
    assert all(isinstance(v, real) for v in values)
    # compiled code fuses multiply-adds, plain Python rounds twice
    np.testing.assert_allclose(run(loop, *x), np.array(values), rtol=4 * np.finfo(real).eps, atol=2 * np.finfo(real).smallest_subnormal)


def test_erf_and_its_derivative_share_one_exponential():
    erf, exp = vecmath.erf_f32, vecmath.exp_f32
    jit = numba.njit("void(float32[::1], float32[::1])", error_model="numpy", fastmath={"contract"})

    @jit
    def alone(x, y):
        for i in range(x.size):
            y[i] = erf(x[i])

    @jit
    def both(x, y):
        for i in range(x.size):
            y[i] = erf(x[i]) + exp(-(x[i] * x[i]))

    texts = [text for loop in (alone, both) for text in loop.inspect_llvm().values()]
    first, second = (re.findall(r"= ashr (<\d+ x i32>|i32)", text) for text in texts)  # one in each exponential
    assert first == second != []
