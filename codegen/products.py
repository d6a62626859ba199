"""Which code multiplies matrices: our tiles of registers, or BLAS.

Law of this file: on the CPU the choice depends on the columns and the contracted length only, never on the number of rows, so
splitting a product by rows never changes how an element is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from .ir import Buffer, MatMul, Size

VECTOR = 64
"""Bytes of the vectors that the figures were measured with; narrower ones waste less of the last."""
FILLED = 7 / 8
BUSY = 16384
LARGE = 1024
TILE, STEP, CHUNK, BLOCKS = 32, 32, 128, 128
"""How full vectors must be; n k from which OpenBLAS leaves its code for small products (m = 64); where memory counts.
On a device: the extent of a small tile, its step along the inner axis, the least length of a part of that, blocks to keep busy."""
SIDE, MANY = 256, 1 << 27
"""On a device: the least extent of a product, and multiplications in it, from which it is large: cuBLAS's time for them, some
10 us, is about that of one more launch.  A guess, until it is measured."""


def tiles_suit(n: Size, k: Size, ta: bool, tb: bool, dtype: str) -> bool:
    """Is op(A) op(B) with n columns and k contracted better done by `runtime.tiles` than by `runtime.blas`?

    A size that is not an int is not known; only what holds for every value of it is then used.  Time of OpenBLAS over
    ours for m = 32 to 64 (one thread, AVX-512; ours: 95 to 115 GFLOP/s in float32 where vectors are full):

    vectors of C's rows at least 7/8 full         0.90 to 1.05 where OpenBLAS has code for small products (m n k up to
                                                  10^6), else 1.1 to 1.4 (25 x 300 x 784: 1.33, 784 x 300 x 50: 1.14)
    half empty (n = 17, 20, 50)                   0.6 to 0.9 there, else 1.1 to 1.3 from n = 40 on
    B transposed, two full vectors of columns     1.2 to 1.9 (25 x 300 x 100: 1.72): OpenBLAS repacks it
    both transposed                               0.7 to 0.95 there, else 1.2 to 1.9
    n and k past 1000                             0.85 to 1.05; with few rows (64) up to 1.3
    n = 1                                         0.2 to 0.6: a matrix-vector product
    """
    if not isinstance(n, int) or n < 2:
        return False
    lanes = VECTOR // (8 if dtype == "float64" else 4)
    vectors = -(-n // lanes)
    if min(n, k if isinstance(k, int) else n) > LARGE:
        return False
    if vectors > 2 and isinstance(k, int) and n * k >= BUSY:
        return True
    if tb:
        return not ta and n >= 2 * lanes
    return n >= FILLED * vectors * lanes


def inner_parts(m: int, n: int, k: int) -> int:
    """Into how many parts a device cuts the inner axis of an m x k by k x n product: as many as keep it busy, none too short.

    Each part is a sum of its own, and they are added up in order behind one more meeting; it depends on the sizes alone."""
    tiles = -(-m // TILE) * -(-n // TILE)
    parts = min(k // CHUNK, -(-BLOCKS // max(tiles, 1)))
    return parts if 2 * tiles <= BLOCKS and k >= 4 * CHUNK else 1


def is_large(s: MatMul, table: Mapping[str, Buffer], hints: Mapping[str, int]) -> bool:
    """Is a product so large that a library's way to it pays for ending a kernel and starting another?  A size that is
    not known is not large."""
    sizes = (*table[s.out].shape[-2:], table[s.a].shape[-2 if s.ta else -1])
    numbers = [e if isinstance(e, int) else hints.get(e, 0) for e in sizes]
    return min(numbers) >= SIDE and prod(numbers) >= MANY
