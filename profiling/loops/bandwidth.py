"""How fast this machine reads: the same array over and over, by all cores, with nothing done to it but a sum; and how fast
its GPU copies.

Law of this file: several plain kernels are tried and the fastest one is taken, so that the limit is the machine's and not
one loop's.  Each thread reads a part of its own and meets nobody until the end: less than any training loop can do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache

import numpy as np

Kernel = Callable[[np.ndarray], float]


@cache
def kernels() -> dict[str, Kernel]:
    """Sums of a flat array that let go of the interpreter, by name."""
    import numba

    flags = {"reassoc", "nsz", "contract"}

    @numba.njit("float32(float32[::1])", nogil=True, fastmath=flags)
    def one_stream(a):
        total = np.float32(0)
        for i in range(a.size):
            total += a[i]
        return total

    @numba.njit("float32(float32[::1])", nogil=True, fastmath=flags)
    def four_streams(a):
        n = a.size // 4
        p, q, r, s = a[:n], a[n : 2 * n], a[2 * n : 3 * n], a[3 * n : 4 * n]
        total = np.float32(0)
        for i in range(n):
            total += (p[i] + q[i]) + (r[i] + s[i])
        return total

    return {"one stream": one_stream, "four streams": four_streams, "numpy.sum": np.sum}


def reader(array: np.ndarray, times: int, threads: int) -> Callable[[], None]:
    """A function that reads a float32 array `times` times with that many threads, by the kernel that is fastest here."""
    parts = np.array_split(array.reshape(-1), threads)

    def team(kernel: Kernel, times: int) -> None:
        def work(part: np.ndarray) -> None:
            for _ in range(times):
                kernel(part)

        others = [threading.Thread(target=work, args=(part,)) for part in parts[1:]]
        for thread in others:
            thread.start()
        work(parts[0])
        for thread in others:
            thread.join()

    def trial(kernel: Kernel) -> float:
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            team(kernel, min(times, 5))
            best = min(best, time.perf_counter() - start)
        return best

    fastest = min(kernels().values(), key=trial)
    return lambda: team(fastest, times)


# ---------------------------------------------------------------- a GPU
COPIED = 1 << 28
"""Bytes of each of the two arrays, at most: far more than a device's caches hold."""


def copier(amount: int) -> Callable[[], None]:
    """A function that copies on the device until `amount` bytes were moved: half of them read, half of them written."""
    from numba import cuda

    size = min(COPIED, amount // 2)
    source, target = (cuda.to_device(np.zeros(size, np.uint8)) for _ in range(2))
    times, rest = divmod(amount // 2, size)

    def copy() -> None:
        for _ in range(times):
            target.copy_to_device(source)
        if rest:
            target[:rest].copy_to_device(source[:rest])
        cuda.synchronize()

    return copy
