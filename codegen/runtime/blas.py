"""Matrix products for kernels: C = alpha op(A) op(B) + beta C, row major, BLAS by its address.

Law of this file: arrays are C-contiguous, of any rank; a product starts at their first element and knows its own
extents and row lengths (lda, ldb, ldc), so a kernel hands over slices of flat scratch.  beta = 0 overwrites C, nan
included; k = 0 gives beta C; empty results are left alone.  `gemm_f32` and `gemm_f64` are the library's product where
`symbols.ensure` found one, else `gemm_loops`; `PLAIN` holds their twins in NumPy.

The library's own gemm turns into a matrix-vector product when m or n is 1, so there is no case for it here
(784 x 300 times a vector: 10.6 us, 12.9 as a loop; 64 x 8: 0.18 and 0.09).  An 8 x 8 x 8 product takes 40 ns.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from . import symbols

I64, BYTE_PTR = ir.IntType(64), ir.IntType(8).as_pointer()
SOURCE = symbols.ensure()


def slot(builder, value):
    """The address of a stack slot that holds `value`: Fortran takes every argument by address."""
    return builder.bitcast(cgutils.alloca_once_value(builder, value), BYTE_PTR)


def call_fortran(builder, name: str, arguments: list, characters: int = 0) -> None:
    """Call the registered symbol with addresses, and then the lengths (1) of its character arguments."""
    kinds = [BYTE_PTR] * len(arguments) + [I64] * characters
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), kinds), symbols.PREFIX + name)
    builder.call(function, arguments + [I64(1)] * characters)


def pointer(context, builder, array_type, array):
    """The address of an array's first element."""
    return builder.bitcast(context.make_array(array_type)(context, builder, array).data, BYTE_PTR)


def letter(builder, condition, yes: str, no: str):
    """A character slot chosen at run time by a boolean."""
    byte = ir.IntType(8)
    return slot(builder, builder.select(cgutils.is_true(builder, condition), byte(ord(yes)), byte(ord(no))))


def _gemm(name: str, real: types.Float) -> Callable:
    @intrinsic
    def gemm(typing, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        i = types.int64
        signature = types.void(types.boolean, types.boolean, i, i, i, real, a, i, b, i, real, c, i)

        def build(context, builder, signature, args):
            ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc = args
            kind = signature.args
            rows = [builder.select(builder.icmp_signed("<", v, I64(1)), I64(1), v) for v in (lda, ldb, ldc)]  # 0 is illegal in BLAS
            la, lb, lc = (slot(builder, v) for v in rows)
            pa, pb, pc = (pointer(context, builder, kind[at], args[at]) for at in (6, 8, 11))
            # a row-major product is the column-major product of the transposes in reverse order
            ops = [letter(builder, tb, "T", "N"), letter(builder, ta, "T", "N")]
            sizes = [slot(builder, v) for v in (n, m, k)]
            call_fortran(builder, name, [*ops, *sizes, slot(builder, alpha), pb, lb, pa, la, slot(builder, beta), pc, lc], 2)
            return context.get_dummy_value()

        return signature, build

    return gemm


@numba.njit(error_model="numpy", fastmath={"contract"})
def gemm_loops(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """The same product without a library, either precision; 3 to 10 times slower."""
    x, y, z = a.reshape(-1), b.reshape(-1), c.reshape(-1)
    for i in range(m):
        row = z[i * ldc : i * ldc + n]
        for j in range(n):
            row[j] = beta * row[j] if beta != 0 else beta
        for p in range(k):
            u = alpha * (x[p * lda + i] if ta else x[i * lda + p])
            if tb:
                for j in range(n):
                    row[j] += u * y[j * ldb + p]
            else:
                other = y[p * ldb : p * ldb + n]
                for j in range(n):
                    row[j] += u * other[j]


def gemm_plain(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """The same product in NumPy, as plain Python; dtype: that of c."""

    def window(array, rows, columns, stride):
        flat = array.reshape(-1)
        return np.lib.stride_tricks.as_strided(flat, (rows, columns), (stride * flat.itemsize, flat.itemsize))

    x = window(a, k, m, lda).T if ta else window(a, m, k, lda)
    y = window(b, n, k, ldb).T if tb else window(b, k, n, ldb)
    z = window(c, m, n, ldc)
    real = c.dtype.type
    product = real(alpha) * (x @ y)
    z[...] = product if beta == 0 else product + real(beta) * z


def ensure(*names: str) -> str:
    """The source of all products: 'numpy', 'scipy' or '' (loops).  Importing this module has resolved it already."""
    return symbols.ensure()


@contextmanager
def threads(n: int):
    """Keep the library behind the products at n threads inside the block; does nothing where it cannot be told.

    A team splits its products itself: with the library's own threads beside it on a busy machine a 50 x 784 x 300
    product took 3 to 50 times longer than with one.
    """
    set_threads, get_threads = symbols.thread_control()
    before = get_threads()
    set_threads(n)
    try:
        yield
    finally:
        set_threads(before)


PLAIN = {"gemm_f32": gemm_plain, "gemm_f64": gemm_plain, "gemm_loops": gemm_plain}
gemm_f32, gemm_f64 = (_gemm("sgemm", types.float32), _gemm("dgemm", types.float64)) if SOURCE else (gemm_loops, gemm_loops)
if config.DISABLE_JIT:
    globals().update(PLAIN)
