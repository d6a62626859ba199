"""TensorFlow's random streams in compiled code: Philox4x32-10 words, and what TensorFlow makes of them.

Law of this file: bit for bit TensorFlow's CPU kernels.  Fast-math of any kind is off, contraction included; float32
logarithms, sines and cosines are libm's (Numba calls logf, sinf, cosf for them), never our own polynomials.

A stream is int64[3]: position in groups of four words, seed, seed2.  Key: the halves of seed; counter: the halves of
the group's number and of seed2.  `out` is a flat array to fill, a and b are scalars of its dtype; a call moves the
position by 256 for each output element, however many words it took (`shuffle_permutation`: by ceil((n - 1) / 4)).
Words are made a chunk at a time into a scratch that stays in the first cache, so that both loops vectorise: 0.9 ms for
1e6 float32 uniforms.  `philox_numpy` is the same without Numba.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import config

from . import philox_numpy

FLAGS = {"error_model": "numpy", "no_cfunc_wrapper": True}
CHUNK = 256
"""Groups of words made at a time."""

_u64, _u32, _f32, _f64 = np.uint64, np.uint32, np.float32, np.float64
_M0, _M1, _W0, _W1 = _u64(0xD2511F53), _u64(0xCD9E8D57), _u64(0x9E3779B9), _u64(0xBB67AE85)
_LOW, _HALF = _u64(0xFFFFFFFF), _u64(32)
_TINY32, _TINY64, _TWO_PI = _f32(1e-7), 1e-7, 2 * math.pi
_MANTISSA32, _ONE32, _HIGH64, _ONE64 = _u32(0x7FFFFF), _u32(0x3F800000), _u64(0xFFFFF), _u64(1023 << 52)

_jit = numba.njit(**FLAGS)
_part = numba.njit(**FLAGS, no_cpython_wrapper=True)


@_part
def _words(out, stream, start, groups):
    """out[4 g + j] = word j of group position + start + g, for g < groups; out: uint32."""
    position, seed, seed2 = _u64(stream[0] + start), _u64(stream[1]), _u64(stream[2])
    for g in range(groups):
        i = position + _u64(g)
        c0, c1, c2, c3 = i & _LOW, i >> _HALF, seed2 & _LOW, seed2 >> _HALF
        k0, k1 = seed & _LOW, seed >> _HALF
        for _ in range(10):
            p0, p1 = _M0 * c0, _M1 * c2
            c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
            k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        out[4 * g] = _u32(c0)
        out[4 * g + 1] = _u32(c1)
        out[4 * g + 2] = _u32(c2)
        out[4 * g + 3] = _u32(c3)


@_part
def _unit32(w):
    return _u32((w & _MANTISSA32) | _ONE32).view(_f32) - _f32(1)


@_part
def _unit64(w0, w1):
    return _u64(((_u64(w0) & _HIGH64) << _HALF) | _u64(w1) | _ONE64).view(_f64) - 1.0


@_part
def _normals32(z, words, n):
    """Box-Muller: z[2 i], z[2 i + 1] from words 2 i, 2 i + 1, for the first n pairs."""
    for i in range(n):
        r = math.sqrt(_f32(-2) * math.log(max(_unit32(words[2 * i]), _TINY32)))
        v = _f32(_TWO_PI * _f64(_unit32(words[2 * i + 1])))  # rounded from float64: in float32 throughout a quarter differ
        z[2 * i] = math.sin(v) * r
        z[2 * i + 1] = math.cos(v) * r


@_part
def _normals64(z, words, n):
    """Box-Muller: z[2 i], z[2 i + 1] from words 4 i .. 4 i + 3, for the first n pairs."""
    for i in range(n):
        r = math.sqrt(-2.0 * math.log(max(_unit64(words[4 * i], words[4 * i + 1]), _TINY64)))
        v = _TWO_PI * _unit64(words[4 * i + 2], words[4 * i + 3])
        z[2 * i] = math.sin(v) * r
        z[2 * i + 1] = math.cos(v) * r


def _fill(per_group, value):
    """out[...] filled a chunk at a time: `value(out, words, z, n, a, b)` makes n elements from the chunk's words."""

    @_jit
    def fill(out, stream, a, b):
        words = np.empty(4 * CHUNK, np.uint32)
        z = np.empty(per_group * CHUNK, out.dtype)
        n, step = out.size, per_group * CHUNK
        for start in range(0, n, step):
            some = min(step, n - start)
            _words(words, stream, start // per_group, (some + per_group - 1) // per_group)
            value(out[start : start + some], words, z, some, a, b)
        stream[0] += 256 * n

    return fill


@_part
def _uniform32(out, words, z, n, a, b):
    for i in range(n):
        out[i] = _unit32(words[i]) * (b - a) + a


@_part
def _uniform64(out, words, z, n, a, b):
    for i in range(n):
        out[i] = _unit64(words[2 * i], words[2 * i + 1]) * (b - a) + a


@_part
def _normal32(out, words, z, n, a, b):
    _normals32(z, words, (n + 1) // 2)
    for i in range(n):
        out[i] = z[i] * b + a


@_part
def _normal64(out, words, z, n, a, b):
    _normals64(z, words, (n + 1) // 2)
    for i in range(n):
        out[i] = z[i] * b + a


@_part
def _int32(out, words, z, n, a, b):
    span = _u32(_u32(b) - _u32(a)) if b > a else _u32(1)
    for i in range(n):
        out[i] = np.int32(_u32(a) + _u32(words[i] % span))


@_part
def _int64(out, words, z, n, a, b):
    span = _u64(b) - _u64(a) if b > a else _u64(1)
    for i in range(n):
        out[i] = np.int64(_u64(a) + (_u64(words[2 * i]) | _u64(words[2 * i + 1]) << _HALF) % span)


def _truncated(size, normals):
    """Output group g (`size` elements) starts at its own stream group and takes values with |z| < 2 as they come."""

    @_jit
    def truncated(out, stream, a, b):
        words = np.empty(4, np.uint32)
        z = np.empty(size, out.dtype)
        n = out.size
        for start in range(0, n, size):
            have, step, want = 0, 0, min(size, n - start)
            while have < want:
                _words(words, stream, start * 64 + step, 1)
                normals(z, words, size // 2)
                for x in z:
                    if abs(x) < 2 and have < want:
                        out[start + have] = x * b + a
                        have += 1
                step += 1
        stream[0] += 256 * n

    return truncated


uniform_f32, uniform_f64 = _fill(4, _uniform32), _fill(2, _uniform64)
normal_f32, normal_f64 = _fill(4, _normal32), _fill(2, _normal64)
truncated_normal_f32, truncated_normal_f64 = _truncated(4, _normals32), _truncated(2, _normals64)
uniform_int32, uniform_int64 = _fill(4, _int32), _fill(2, _int64)


@_jit
def shuffle_permutation(perm, stream):
    """Permute `perm` (any dtype, flat) in place by TensorFlow's forward Fisher-Yates."""
    words = np.empty(4 * CHUNK, np.uint32)
    n = perm.size
    for i in range(n - 1):
        j = i % (4 * CHUNK)
        if j == 0:
            _words(words, stream, i // 4, min(CHUNK, (n - 1 - i + 3) // 4))
        j = i + np.int64(words[j] % _u32(n - i))
        perm[i], perm[j] = perm[j], perm[i]
    stream[0] += (n + 2) // 4 if n > 1 else 0


PLAIN = {name: getattr(philox_numpy, name) for name in philox_numpy.NAMES}
if config.DISABLE_JIT:
    globals().update(PLAIN)
