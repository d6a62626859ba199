"""Functions of numbers on a device against those of the CPU: values, and everything that is special."""

import numba
import numpy as np
import pytest

from symgraph.codegen import plain_cuda
from symgraph.codegen.runtime import integer, vecmath
from tests.codegen.test_runtime_vecmath import compiled, edges, points
from tests.codegen.test_runtime_vecmath import run as on_cpu

REAL = {"f32": np.float32, "f64": np.float64}
FUNCTIONS = [f"{name}_{suffix}" for name in vecmath.NAMES for suffix in REAL]
ROUNDING = ("sqrt", "floor", "ceil", "rint")
DIVISIONS = ("truncdiv", "floordiv", "floormod")


def on_device(name, *x):
    """The function of each place of arrays of one dtype."""
    arguments = ", ".join(f"x{k}" for k in range(len(x)))
    values = ", ".join(f"x{k}[i]" for k in range(len(x)))
    source = f"""
from numba import cuda
from symgraph.codegen.runtime.device_math import {name}
@cuda.jit
def kernel({arguments}, out):
    for i in range(cuda.threadIdx.x, out.size, 8):
        out[i] = {name}({values})
"""
    out = np.empty_like(x[0])
    plain_cuda.load(source)[1, 8, 0, 0](*x, out)
    return out


def same(got, want, ulps=0):
    info = np.finfo(want.dtype)
    np.testing.assert_allclose(got, want, rtol=ulps * info.eps, atol=2 * info.smallest_subnormal if ulps else 0)
    zeros = want == 0
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(want[zeros]))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_are_those_of_the_cpu(function):
    name, real, loop = compiled(function)
    special = edges(name, real)
    x = tuple(np.concatenate([a[:: 1 + a.size // 60], b]) for a, b in zip(points(name, real, 60), special, strict=True))
    same(on_device(function, *x), on_cpu(loop, *x), 8)


@pytest.mark.parametrize("name", ROUNDING)
@pytest.mark.parametrize("suffix", REAL)
def test_functions_that_cuda_lacks_are_numpys(name, suffix):
    x = np.array([0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.4, 1e30, np.inf, -np.inf, np.nan], REAL[suffix])
    with np.errstate(all="ignore"):
        want = getattr(np, name)(x)
    same(on_device(name, x), want)


@pytest.mark.parametrize("name", DIVISIONS)
@pytest.mark.parametrize("suffix", REAL)
def test_floats_are_divided_as_on_the_cpu(name, suffix):
    f = getattr(integer, name)

    @numba.njit(error_model="numpy")
    def loop(x, y, out):
        for i in range(x.size):
            out[i] = f(x[i], y[i])

    numbers = np.array([0, -0.0, 1, -1, 0.1, 2.5, -2.5, 7, 1e30, -1e-30, np.inf, -np.inf, np.nan], REAL[suffix])
    x = tuple(a.ravel().copy() for a in np.meshgrid(numbers, numbers))
    want = np.empty_like(x[0])
    loop(*x, want)
    same(on_device(name, *x), want)


@pytest.mark.parametrize("name", [*DIVISIONS, "int_power"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_whole_numbers_are_divided_as_on_the_cpu(name, dtype):
    info = np.iinfo(dtype)
    numbers = np.array([0, 1, 2, 3, 7, 100, info.max, info.min, info.min // 2], dtype)
    x = tuple(a.ravel().copy() for a in np.meshgrid(numbers, numbers))
    with np.errstate(all="ignore"):
        want = np.array([getattr(integer, name)(*v) for v in zip(*x, strict=True)], dtype)
    np.testing.assert_array_equal(on_device(name, *x), want)
