"""PTX of kernels and functions, compiled by numba-cuda; no device and no driver are needed.

Law of this file: nothing is loaded or launched.  What is missing is said in one error, which names the extra that brings it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

EXTRA = "PTX is compiled by numba-cuda and the toolkit's nvvm and nvrtc, which are not installed: pip install 'symgraph[cuda]'"


@cache
def available() -> bool:
    """Can PTX be compiled in this process?"""
    from numba.core import config

    if config.ENABLE_CUDASIM or find_spec("numba_cuda") is None:
        return False
    from numba.cuda.cudadrv import nvrtc, nvvm

    try:
        return nvvm.is_available() and bool(nvrtc.get_supported_ccs())
    except (ImportError, OSError, RuntimeError):  # the libraries are somebody else's, and each says it in its own way
        return False


def ptx(kernel: str | Callable, signature: str | tuple = "", cc: tuple[int, int] = (9, 0)) -> str:
    """The PTX of a kernel for devices of compute capability `cc`.

    `kernel` is the source of a generated module, whose kernels say their signatures, or a function with a
    signature of Numba ('void(float32[::1], int64)', or the types of the arguments).  ImportError, if numba-cuda or its
    toolkit is missing; RuntimeError in Numba's simulator, which compiles nothing.
    """
    from numba.core import config

    if config.ENABLE_CUDASIM:
        raise RuntimeError("Numba's simulator compiles nothing: unset NUMBA_ENABLE_CUDASIM")
    if not available():
        raise ImportError(EXTRA)
    from numba import cuda

    found = list(read(kernel).values()) if isinstance(kernel, str) else [(kernel, "")]
    with _without_a_device(cc):
        return "\n".join(cuda.compile_ptx(function, signature or said, cc=cc)[0] for function, said in found)


def read(source: str) -> dict[str, tuple[Callable, str]]:
    """The kernels of a generated module by name, each with its signature; compiles nothing."""
    tree = ast.parse(source)
    signatures: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name, decorator_list=[ast.Call(func=ast.Attribute(attr="jit"), args=args)]):
                signatures[name] = ast.literal_eval(args[0]) if args else ""
            case ast.FunctionDef(name=name, decorator_list=[ast.Attribute(attr="jit")]):
                signatures[name] = ""
            case _:
                continue
        node.decorator_list = []
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(tree, "<generated>", "exec", dont_inherit=True), namespace)
    return {name: (namespace[name], signature) for name, signature in signatures.items()}


@contextmanager
def _without_a_device(cc: tuple[int, int]) -> Iterator[None]:
    """numba-cuda asks the current device for the capability that functions called by a kernel are compiled for."""
    from numba.cuda import dispatcher

    current = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=cc)
    try:
        yield
    finally:
        dispatcher.get_current_device = current
