"""What the device's files share: where they run, how many lanes a block has, how their functions are compiled.

Law of this file: the sources device_*.py are written once and run in three ways.  Compiled by numba-cuda, on a device or
for PTX alone.  In Numba's simulator (NUMBA_ENABLE_CUDASIM=1).  In the simulator of `plain_cuda`, which executes these very
sources a second time with its own module in the place of `numba.cuda`.  They take `cuda` from here, because Numba's
simulator changes a module's global of that name at each call of a device function, for all lanes at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda, types
from numba.core import config

SIMULATED = bool(getattr(cuda, "SIMULATED", config.ENABLE_CUDASIM))
"""Are lanes threads of Python?  A literal for compiled code, which drops what only the other case needs."""
LANES, WARP = (8, 4) if SIMULATED else (256, 32)
"""Lanes of a block, and how many of them run in step: literals, powers of two."""


class _Running:
    """What Numba's simulator calls `cuda` in the kernel that runs; its shared arrays want Numba's dtypes or instances of NumPy's."""

    shared = property(lambda self: self)

    def array(self, shape: int, dtype: Any) -> Any:
        return self._kernel().shared.array(shape, np.dtype(dtype) if isinstance(dtype, type) else dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel(), name)

    def _kernel(self) -> Any:
        from numba.cuda.simulator.kernel import _get_kernel_context

        return _get_kernel_context()


def device(function: Callable) -> Callable:
    """A function that kernels call: compiled for the dtypes it meets, or as it is where lanes are threads.

    A literal in a call is a number like any other, or Numba would compile the function for each; it is inlined later, by NVVM."""
    if SIMULATED:
        return function
    made = cuda.jit(device=True)(function)
    compile_device = made.compile_device
    made.compile_device = lambda args: compile_device(tuple(types.unliteral(a) for a in args))
    return made


if SIMULATED and not hasattr(cuda, "SIMULATED"):
    cuda = _Running()
    sys.setswitchinterval(1e-5)  # lanes are threads that wait for each other at every turn: ten times faster so

if SIMULATED:

    def look(array):
        """array[0] as other blocks have left it; for loops that wait for a change of it (int64)."""
        return cuda.atomic.add(array, 0, 0)

    def tail(array, first):
        """array[first:] of a flat array, for 0 <= first <= array.size; functions on a device cannot give slices back."""
        return array[first:]
else:
    from llvmlite import ir
    from numba.cuda.extending import intrinsic

    @intrinsic
    def look(typing, array):
        def build(context, builder, signature, args):
            place = context.make_array(signature.args[0])(context, builder, args[0]).data
            text, kind = "ld.relaxed.gpu.u64 $0, [$1];", ir.FunctionType(ir.IntType(64), [place.type])
            return builder.asm(kind, text, "=l,l,~{memory}", [place], side_effect=True)

        return types.int64(array), build

    @intrinsic
    def tail(typing, array, first):
        def build(context, builder, signature, args):
            view = context.make_array(signature.return_type)(context, builder, args[0])
            size = builder.sub(builder.extract_value(view.shape, 0), args[1])
            view.data, view.nitems = builder.gep(view.data, [args[1]]), size
            view.shape = builder.insert_value(view.shape, size, 0)
            return view._getvalue()

        return array(array, types.intp), build


@device
def sync():
    """Wait for all lanes of the block, and see what they have written (collective)."""
    cuda.syncthreads()
