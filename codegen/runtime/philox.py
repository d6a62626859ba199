"""TensorFlow's random streams in compiled code: Philox4x32-10 words, and what TensorFlow makes of them.

Law of this file: bit for bit TensorFlow's CPU kernels.  Fast-math of any kind is off, contraction included; float32
logarithms, sines and cosines are libm's (Numba calls logf, sinf, cosf for them), never our own polynomials.

A stream is int64[3]: position in groups of four words, seed, seed2.  Key: the halves of seed; counter: the halves of
the group's number and of seed2.  `out` is a flat array to fill, a and b are scalars of its dtype; a call moves the
position by 256 for each output element, however many words it took (`shuffle_permutation`: by ceil((n - 1) / 4), n candidates: by
512 n).
Each distribution is one loop over groups in which everything is inlined, so that uniforms vectorise: 0.5 ms for 1e6
float32 uniforms, 7 ms for normals (most of it in libm).  `philox_numpy` is the same without Numba.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import config

from . import philox_numpy

FLAGS = {"error_model": "numpy", "no_cfunc_wrapper": True, "fastmath": False}
"""fastmath is said: what is left unsaid, Numba takes from the caller that is compiled at that moment."""
_u64, _f32, _f64 = np.uint64, np.float32, np.float64
_M0, _M1, _W0, _W1 = _u64(0xD2511F53), _u64(0xCD9E8D57), _u64(0x9E3779B9), _u64(0xBB67AE85)
_LOW, _HALF = _u64(0xFFFFFFFF), _u64(32)
_FLOOR32, _FLOOR64, _TWO_PI = _f32(1e-7), 1e-7, 2 * math.pi
_MANTISSA32, _ONE32, _HIGH64, _ONE64 = _u64(0x7FFFFF), _u64(0x3F800000), _u64(0xFFFFF), _u64(1023 << 52)

_jit = numba.njit(**FLAGS)
_part = numba.njit(**FLAGS, no_cpython_wrapper=True, forceinline=True)


@_part
def words(position, seed, seed2, group):
    """The four words of group position + `group`, as uint64 below 2**32; all arguments uint64."""
    i = position + _u64(group)
    c0, c1, c2, c3 = i & _LOW, i >> _HALF, seed2 & _LOW, seed2 >> _HALF
    k0, k1 = seed & _LOW, seed >> _HALF
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@_part
def _unit32(w):
    return np.uint32((w & _MANTISSA32) | _ONE32).view(_f32) - _f32(1)


@_part
def _unit64(w0, w1):
    return _u64(((w0 & _HIGH64) << _HALF) | w1 | _ONE64).view(_f64) - 1.0


@_part
def _pair32(w0, w1):
    """Box-Muller: two float32 normals from two words."""
    r = math.sqrt(_f32(-2) * math.log(max(_unit32(w0), _FLOOR32)))
    v = _f32(_TWO_PI * _f64(_unit32(w1)))  # rounded from float64: in float32 throughout a quarter differ
    return math.sin(v) * r, math.cos(v) * r


@_part
def _normals64(w):
    """Box-Muller: two float64 normals from four words."""
    r = math.sqrt(-2.0 * math.log(max(_unit64(w[0], w[1]), _FLOOR64)))
    v = _TWO_PI * _unit64(w[2], w[3])
    return math.sin(v) * r, math.cos(v) * r


@_part
def _normals32(w):
    x, y = _pair32(w[0], w[1])
    z, t = _pair32(w[2], w[3])
    return x, y, z, t


@_part
def _uniforms32(w):
    return _unit32(w[0]), _unit32(w[1]), _unit32(w[2]), _unit32(w[3])


@_part
def _uniforms64(w):
    return _unit64(w[0], w[1]), _unit64(w[2], w[3])


@_part
def _same32(w):
    return w


@_part
def _joined64(w):
    return w[0] | w[1] << _HALF, w[2] | w[3] << _HALF


@_part
def _between(u, a, b):
    return u * (b - a) + a


@_part
def _scaled(z, a, b):
    return z * b + a


@_part
def _counted(w, a, b):
    """a + w % (b - a) modulo 2**64 (what is stored keeps the low half for int32); a where b <= a."""
    return np.int64(_u64(a) + w % (_u64(b) - _u64(a) if b > a else _u64(1)))


def _fill(size, values, place):
    """fill(out, stream, a, b): `values` makes `size` raw elements of a group's words, `place` brings them to a and b."""

    @_jit
    def fill(out, stream, a, b):
        position, seed, seed2, n = _u64(stream[0]), _u64(stream[1]), _u64(stream[2]), out.size
        whole = n // size
        for g in range(whole):
            v = values(words(position, seed, seed2, g))
            for j in range(size):
                out[size * g + j] = place(v[j], a, b)
        v = values(words(position, seed, seed2, whole))
        for j in range(n - size * whole):
            out[size * whole + j] = place(v[j], a, b)
        stream[0] += 256 * n

    return fill


def _fill_truncated(size, normals):
    """Output group g (`size` elements) reads on from its own stream group, taking values with |z| < 2 as they come."""

    @_jit
    def truncated(out, stream, a, b):
        position, seed, seed2, n = _u64(stream[0]), _u64(stream[1]), _u64(stream[2]), out.size
        for start in range(0, n, size):
            group, k, end = start * 64, start, min(start + size, n)
            while k < end:
                for z in normals(words(position, seed, seed2, group)):
                    if abs(z) < 2 and k < end:
                        out[k] = z * b + a
                        k += 1
                group += 1
        stream[0] += 256 * n

    return truncated


uniform_f32, uniform_f64 = _fill(4, _uniforms32, _between), _fill(2, _uniforms64, _between)
normal_f32, normal_f64 = _fill(4, _normals32, _scaled), _fill(2, _normals64, _scaled)
truncated_normal_f32, truncated_normal_f64 = _fill_truncated(4, _normals32), _fill_truncated(2, _normals64)
uniform_int32, uniform_int64 = _fill(4, _same32, _counted), _fill(2, _joined64, _counted)


@_jit
def shuffle_permutation(perm, stream):
    """Permute `perm` (any dtype, flat) in place by TensorFlow's forward Fisher-Yates."""
    position, seed, seed2, n = _u64(stream[0]), _u64(stream[1]), _u64(stream[2]), perm.size
    for start in range(0, n - 1, 4):
        w = words(position, seed, seed2, start // 4)
        for i in range(start, min(start + 4, n - 1)):
            j = i + np.int64(w[i - start] % _u64(n - i))
            perm[i], perm[j] = perm[j], perm[i]
    stream[0] += (n + 2) // 4 if n > 1 else 0


@_jit
def candidates_int64(out, stream, a, b):
    """out[:n] = whole numbers in [0, a), log-uniform or (2 in b) uniform, (1 in b) each at most once; out[n] = how many were drawn.

    What was drawn already is drawn again; it is remembered in a table by its last bits."""
    position, seed, seed2, n = _u64(stream[0]), _u64(stream[1]), _u64(stream[2]), out.size - 1
    size, scale, made, held = 2, math.log1p(_f64(a)), 0, 0
    while size < 2 * n:
        size *= 2
    seen = np.full(size, -1)
    while held < n:
        w = words(position, seed, seed2, made // 2)
        u = _unit64(w[0], w[1]) if made % 2 == 0 else _unit64(w[2], w[3])
        v = np.int64(u * a) if b & 2 else (np.int64(math.exp(u * scale)) - 1) % a
        made += 1
        if b & 1:
            slot = v & (size - 1)
            while seen[slot] >= 0 and seen[slot] != v:
                slot = (slot + 1) & (size - 1)
            if seen[slot] == v:
                continue
            seen[slot] = v
        out[held] = v
        held += 1
    out[n] = made
    stream[0] += 512 * n


PLAIN = {name: getattr(philox_numpy, name) for name in philox_numpy.NAMES}
if config.DISABLE_JIT:
    globals().update(PLAIN)
