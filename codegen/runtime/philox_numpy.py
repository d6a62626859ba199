"""TensorFlow's random streams in plain NumPy: what the interpreter of programs and plain-Python kernels draw from.

Law of this file: the same numbers, bit for bit, as `philox` (which says what a stream is), and no Numba.  NumPy's own
float32 log, sin and cos differ from libm's in a fifth of all normals, so libm's are called one by one through ctypes:
60 ms for 1e5 float32 normals, exact at every size.  Where the process has no logf (static builds, some platforms) the
float64 functions rounded to float32 stand in: with them 2 normals in 100 differ in their last bit.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable

import numpy as np

NAMES = (
    "uniform_f32",
    "uniform_f64",
    "normal_f32",
    "normal_f64",
    "truncated_normal_f32",
    "truncated_normal_f64",
    "uniform_int32",
    "uniform_int64",
    "shuffle_permutation",
    "candidates_int64",
)

U32, U64, F32 = np.uint32, np.uint64, np.float32


def philox4x32(seed: int, seed2: int, index: np.ndarray) -> np.ndarray:
    """Words of the groups numbered `index` (uint64[n]) of the stream of a seed pair: uint32[n, 4]."""
    low, half = U64(0xFFFFFFFF), U64(32)
    key, key2 = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    c = [index & low, index >> half]
    c += [np.full_like(index, seed2 & 0xFFFFFFFF), np.full_like(index, seed2 >> 32 & 0xFFFFFFFF)]
    for _ in range(10):
        left, right = U64(0xD2511F53) * c[0], U64(0xCD9E8D57) * c[2]
        c = [right >> half ^ c[1] ^ U64(key), right & low, left >> half ^ c[3] ^ U64(key2), left & low]
        key, key2 = key + 0x9E3779B9 & 0xFFFFFFFF, key2 + 0xBB67AE85 & 0xFFFFFFFF
    return np.stack(c, axis=1).astype(U32)


def _draw(stream: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Groups number position + start[i] of a stream."""
    position, seed, seed2 = (int(s) for s in stream)
    return philox4x32(seed, seed2, U64(position) + start.astype(U64))


def _groups(stream: np.ndarray, n: int, per_group: int) -> np.ndarray:
    """The words of n output elements, as whole groups; moves the position."""
    words = _draw(stream, np.arange(-(-n // per_group)))
    stream[0] += 256 * n
    return words


def _unit32(w: np.ndarray) -> np.ndarray:
    return (w & U32(0x7FFFFF) | U32(0x3F800000)).view(F32) - F32(1)


def _unit64(w: np.ndarray) -> np.ndarray:
    """[..., 2 k] words -> [..., k] float64."""
    bits = (w[..., 0::2].astype(U64) & U64(0xFFFFF)) << U64(32) | w[..., 1::2].astype(U64)
    return (bits | U64(1023 << 52)).view(np.float64) - 1.0


def _libm(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """libm's float32 function `name`, element by element."""
    try:
        f = getattr(ctypes.CDLL(None), name + "f")
        f.argtypes, f.restype = [ctypes.c_float], ctypes.c_float
    except (AttributeError, OSError, TypeError):
        f = getattr(math, name)
    return lambda x: np.fromiter((f(v) for v in x.ravel().tolist()), F32, x.size).reshape(x.shape)


def _libm64(name: str) -> Callable[[np.ndarray], np.ndarray]:
    f = getattr(math, name)
    return lambda x: np.fromiter((f(v) for v in x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


_log32, _sin32, _cos32 = (_libm(n) for n in ("log", "sin", "cos"))
_log64, _sin64, _cos64 = (_libm64(n) for n in ("log", "sin", "cos"))


def _normals32(w: np.ndarray) -> np.ndarray:
    """Box-Muller on [n, 4] words: [n, 4] float32."""
    r = np.sqrt(F32(-2) * _log32(np.maximum(_unit32(w[:, 0::2]), F32(1e-7))))
    v = (2 * math.pi * _unit32(w[:, 1::2]).astype(np.float64)).astype(F32)
    return np.stack([_sin32(v) * r, _cos32(v) * r], axis=-1).reshape(len(w), 4)


def _normals64(w: np.ndarray) -> np.ndarray:
    """Box-Muller on [n, 4] words: [n, 2] float64."""
    u = _unit64(w)
    r = np.sqrt(-2.0 * _log64(np.maximum(u[:, 0], 1e-7)))
    v = 2 * math.pi * u[:, 1]
    return np.stack([_sin64(v) * r, _cos64(v) * r], axis=-1)


def uniform_f32(out: np.ndarray, stream: np.ndarray, a: float, b: float) -> None:
    """out = u (b - a) + a, u in [0, 1) with 23 bits; float32."""
    u = _unit32(_groups(stream, out.size, 4)).ravel()[: out.size]
    out[...] = u * (F32(b) - F32(a)) + F32(a)


def uniform_f64(out: np.ndarray, stream: np.ndarray, a: float, b: float) -> None:
    """out = u (b - a) + a, u in [0, 1) with 52 bits; float64."""
    u = _unit64(_groups(stream, out.size, 2)).ravel()[: out.size]
    out[...] = u * (float(b) - float(a)) + float(a)


def normal_f32(out: np.ndarray, stream: np.ndarray, a: float, b: float) -> None:
    """out = z b + a, z standard normal; float32."""
    out[...] = _normals32(_groups(stream, out.size, 4)).ravel()[: out.size] * F32(b) + F32(a)


def normal_f64(out: np.ndarray, stream: np.ndarray, a: float, b: float) -> None:
    """out = z b + a, z standard normal; float64."""
    out[...] = _normals64(_groups(stream, out.size, 2)).ravel()[: out.size] * float(b) + float(a)


def _truncated(stream: np.ndarray, n: int, size: int, normals: Callable) -> np.ndarray:
    """n normals with |z| < 2: output group g reads on from stream group position + 64 size g until it is full."""
    count = -(-n // size)
    z = np.empty((count, size), F32 if size == 4 else np.float64)
    have = np.zeros(count, np.int64)
    open_groups, step = np.arange(count), 0
    while open_groups.size:
        for column in normals(_draw(stream, open_groups * (64 * size) + step)).T:
            good = (np.abs(column) < 2) & (have[open_groups] < size)
            rows = open_groups[good]
            z[rows, have[rows]] = column[good]
            have[rows] += 1
        open_groups, step = open_groups[have[open_groups] < size], step + 1
    stream[0] += 256 * n
    return z.ravel()[:n]


def truncated_normal_f32(out: np.ndarray, stream: np.ndarray, a: float, b: float) -> None:
    """out = z b + a, z standard normal with |z| < 2; float32."""
    out[...] = _truncated(stream, out.size, 4, _normals32) * F32(b) + F32(a)


def truncated_normal_f64(out: np.ndarray, stream: np.ndarray, a: float, b: float) -> None:
    """out = z b + a, z standard normal with |z| < 2; float64."""
    out[...] = _truncated(stream, out.size, 2, _normals64) * float(b) + float(a)


def uniform_int32(out: np.ndarray, stream: np.ndarray, a: int, b: int) -> None:
    """out = a + word % (b - a), unsigned; all a where b <= a."""
    words = _groups(stream, out.size, 4).ravel()[: out.size]
    out[...] = (words % U32(max(int(b) - int(a), 1)) + U32(int(a) & 0xFFFFFFFF)).view(np.int32)


def uniform_int64(out: np.ndarray, stream: np.ndarray, a: int, b: int) -> None:
    """out = a + word % (b - a), unsigned, a word being two; all a where b <= a."""
    pairs = _groups(stream, out.size, 2).astype(U64)
    words = (pairs[:, 0::2] | pairs[:, 1::2] << U64(32)).ravel()[: out.size]
    out[...] = (words % U64(max(int(b) - int(a), 1)) + U64(int(a) & 0xFFFFFFFFFFFFFFFF)).view(np.int64)


def shuffle_permutation(perm: np.ndarray, stream: np.ndarray) -> None:
    """Permute `perm` (flat) in place by TensorFlow's forward Fisher-Yates."""
    n = perm.size
    if n <= 1:
        return
    groups = (n + 2) // 4
    words = _draw(stream, np.arange(groups)).ravel().tolist()
    for i in range(n - 1):
        j = i + words[i] % (n - i)
        perm[i], perm[j] = perm[j], perm[i]
    stream[0] += groups


def candidates_int64(out: np.ndarray, stream: np.ndarray, a: int, b: int) -> None:
    """out[:n] = numbers v in [0, a), log-uniform (v with weight log(1 + 1 / (1 + v))) or, with 2 in b, uniform; with 1 in b no number
    twice: such draws are made again.  out[n] = how many were made."""
    n, made, limit, scale = out.size - 1, 0, int(a), math.log1p(float(a))
    held: dict[int, None] = {}
    kept: list[int] = []
    while len(kept) < n:
        words = _draw(stream, np.asarray([made // 2]))
        u = float(_unit64(words)[0, made % 2])
        v = int(u * limit) if b & 2 else (int(math.exp(u * scale)) - 1) % limit
        made += 1
        if not b & 1 or v not in held:
            held[v] = None
            kept.append(v)
    out[:n], out[n] = kept, made
    stream[0] += 512 * n
