"""What the device's files share: where they run, how many lanes a block has, how their functions are compiled.

Law of this file: the sources device_*.py are written once and run in three ways.  Compiled by numba-cuda, on a device or
for PTX alone.  In Numba's simulator (NUMBA_ENABLE_CUDASIM=1).  In the simulator of `plain_cuda`, which executes these very
sources a second time with its own module in the place of `numba.cuda`.  They take `cuda` from here, because Numba's
simulator changes a module's global of that name at each call of a device function, for all lanes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import cuda
from numba.core import config

SIMULATED = bool(getattr(cuda, "SIMULATED", config.ENABLE_CUDASIM))
"""Are lanes threads of Python?  A literal for compiled code, which drops what only the other case needs."""
LANES, WARP = (8, 4) if SIMULATED else (256, 32)
"""Lanes of a block, and how many of them run in step: literals, powers of two."""


class _Running:
    """What Numba's simulator calls `cuda` in the kernel that runs."""

    def __getattr__(self, name: str) -> Any:
        from numba.cuda.simulator.kernel import _get_kernel_context

        return getattr(_get_kernel_context(), name)


def device(function: Callable) -> Callable:
    """A function that kernels call: compiled for the dtypes it meets, or as it is where lanes are threads."""
    return function if SIMULATED else _compiled(function)


_compiled = cuda.jit(device=True)
if SIMULATED and not hasattr(cuda, "SIMULATED"):
    cuda = _Running()


@device
def sync():
    """Wait for all lanes of the block, and see what they have written (collective)."""
    cuda.syncthreads()
