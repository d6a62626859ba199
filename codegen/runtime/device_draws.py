"""TensorFlow's random streams on a device: the words, whole numbers and uniforms of `philox` bit for bit, normals to a few ulp.

Law of this file: streams, distributions and the order of arithmetic are those of `philox`; only who draws differs.  Group g of
a result is made by the lane with g % by == at from its own counter, in any order and with any number of lanes; nobody moves
the stream while others read it, and when all have drawn one lane moves it (`advance`).  What is drawn in sequence
(`shuffle_permutation`, `candidates`) one lane draws alone, and moves the stream too.

A mantissa m of 23 or 52 bits is scaled by 2**-23 or 2**-52, which is exact and what the bits below exponent 0 less 1 give.
Products and sums that must round twice are `mul32` and `add32`, which no compiler joins to one fused operation.
"""

from __future__ import annotations

import math

import numpy as np

from . import philox
from .device import SIMULATED, cuda, device

_u32, _u64, _i32, _i64, _f32, _f64 = np.uint32, np.uint64, np.int32, np.int64, np.float32, np.float64
_HALF = _u64(32)
_FLOOR32, _FLOOR64, _TWO_PI = _f32(1e-7), 1e-7, 2 * math.pi
_MANTISSA32, _HIGH64, _STEP32, _STEP64 = _u64(0x7FFFFF), _u64(0xFFFFF), _f32(2.0**-23), 2.0**-52
_words = device(getattr(philox.words, "py_func", philox.words))

if SIMULATED:

    @device
    def mul32(x, y):
        return x * y

    @device
    def add32(x, y):
        return x + y

    mul64, add64 = mul32, add32
else:
    mul32, add32, mul64, add64 = cuda.libdevice.fmul_rn, cuda.libdevice.fadd_rn, cuda.libdevice.dmul_rn, cuda.libdevice.dadd_rn


@device
def _unit32(w):
    return _f32(_u32(w & _MANTISSA32)) * _STEP32


@device
def _unit64(w0, w1):
    return _f64((w0 & _HIGH64) << _HALF | w1) * _STEP64


@device
def _pair32(w0, w1):
    u = _unit32(w0)
    r = _f32(math.sqrt(_f32(-2) * _f32(math.log(u if u > _FLOOR32 else _FLOOR32))))
    v = _f32(_TWO_PI * _f64(_unit32(w1)))
    return mul32(_f32(math.sin(v)), r), mul32(_f32(math.cos(v)), r)


@device
def _normals32(w):
    x, y = _pair32(w[0], w[1])
    z, t = _pair32(w[2], w[3])
    return x, y, z, t


@device
def _normals64(w):
    u = _unit64(w[0], w[1])
    r = math.sqrt(-2.0 * math.log(u if u > _FLOOR64 else _FLOOR64))
    v = _TWO_PI * _unit64(w[2], w[3])
    return mul64(_f64(math.sin(v)), _f64(r)), mul64(_f64(math.cos(v)), _f64(r))


@device
def _uniforms32(w):
    return _unit32(w[0]), _unit32(w[1]), _unit32(w[2]), _unit32(w[3])


@device
def _uniforms64(w):
    return _unit64(w[0], w[1]), _unit64(w[2], w[3])


@device
def _same32(w):
    return w


@device
def _joined64(w):
    return w[0] | w[1] << _HALF, w[2] | w[3] << _HALF


@device
def _between32(u, a, b):
    return add32(mul32(u, b - a), a)


@device
def _between64(u, a, b):
    return add64(mul64(u, b - a), a)


@device
def _scaled32(z, a, b):
    return add32(mul32(z, b), a)


@device
def _scaled64(z, a, b):
    return add64(mul64(z, b), a)


@device
def _counted32(w, a, b):
    return _i32(_i64(a) + _i64(_u32(w) % _u32(_i64(b) - _i64(a)))) if b > a else _i32(a)


@device
def _counted64(w, a, b):
    """a + w % (b - a) modulo 2**64."""
    low, high = _u64(_i64(a)), _u64(_i64(b))
    return _i64(low + w % (high - low)) if b > a else _i64(a)


def _fill(size, values, place):
    """fill(out, n, stream, a, b, at, by): this lane's groups of out[:n], `size` elements each, as in `philox`."""

    @device
    def fill(out, n, stream, a, b, at, by):
        position, seed, seed2 = _u64(stream[0]), _u64(stream[1]), _u64(stream[2])
        for g in range(at, (n + size - 1) // size, by):
            v = values(_words(position, seed, seed2, g))
            for j in range(size):
                if size * g + j < n:
                    out[size * g + j] = place(v[j], a, b)

    return fill


def _fill_truncated(size, normals, place):
    """The same, where group g of the result reads on from the stream's group 64 size g, keeping what is below 2."""

    @device
    def truncated(out, n, stream, a, b, at, by):
        position, seed, seed2 = _u64(stream[0]), _u64(stream[1]), _u64(stream[2])
        for g in range(at, (n + size - 1) // size, by):
            group, k, end = 64 * size * g, size * g, min(size * g + size, n)
            while k < end:
                for z in normals(_words(position, seed, seed2, group)):
                    if abs(z) < 2 and k < end:
                        out[k] = place(z, a, b)
                        k += 1
                group += 1

    return truncated


uniform_f32, uniform_f64 = _fill(4, _uniforms32, _between32), _fill(2, _uniforms64, _between64)
normal_f32, normal_f64 = _fill(4, _normals32, _scaled32), _fill(2, _normals64, _scaled64)
truncated_normal_f32 = _fill_truncated(4, _normals32, _scaled32)
truncated_normal_f64 = _fill_truncated(2, _normals64, _scaled64)
uniform_int32, uniform_int64 = _fill(4, _same32, _counted32), _fill(2, _joined64, _counted64)


@device
def advance(stream, n):
    """What a draw of n elements moves a stream by; called by one lane when all have drawn."""
    stream[0] += 256 * n


@device
def shuffle_permutation(perm, n, stream):
    """Permute perm[:n] in place as `philox.shuffle_permutation` does, and move the stream; called by one lane."""
    position, seed, seed2 = _u64(stream[0]), _u64(stream[1]), _u64(stream[2])
    for start in range(0, n - 1, 4):
        w = _words(position, seed, seed2, start // 4)
        for k in range(4):
            i = start + k
            if i < n - 1:
                j = i + _i64(_u32(w[k]) % _u32(n - i))
                perm[i], perm[j] = perm[j], perm[i]
    stream[0] += (n + 2) // 4 if n > 1 else 0


@device
def candidates(out, n, stream, a, b):
    """out[:n - 1] = whole numbers and out[n - 1] = how many were drawn, as `philox.candidates_int64` with out[:n]; moves the
    stream; called by one lane.  Whether a number was drawn already is looked up among those drawn: n is some hundreds."""
    position, seed, seed2 = _u64(stream[0]), _u64(stream[1]), _u64(stream[2])
    scale, made, held = math.log1p(_f64(a)), 0, 0
    while held < n - 1:
        w = _words(position, seed, seed2, made // 2)
        u = _unit64(w[0], w[1]) if made % 2 == 0 else _unit64(w[2], w[3])
        v = _i64(u * _f64(a)) if b & 2 else (_i64(math.exp(u * scale)) - 1) % a
        made += 1
        again = False
        if b & 1:
            for k in range(held):
                again = again or out[k] == v
        if not again:
            out[held] = v
            held += 1
    out[n - 1] = made
    stream[0] += 512 * (n - 1)
