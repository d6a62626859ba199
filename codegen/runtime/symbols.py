"""Addresses of foreign functions for compiled kernels, by name.

Law of this file: a kernel that calls foreign code names a symbol that starts with `symgraph_`, and LLVM finds its
address in the table filled here, so a kernel from the disk cache links against this process's libraries (a ctypes
pointer captured as a global cannot be cached).  Importing the module that owns a symbol registers it.

BLAS has Fortran's calling convention.  Integers are handed over as 64-bit slots: on the little-endian machines that
Numba knows, a library built for 32-bit integers reads the low half and finds the same number.
Sources, quickest first: the OpenBLAS that NumPy's wheels carry (0.5 ms to open), then SciPy's function table
(200 ms to import, works with whatever BLAS SciPy has).  Without either `ensure` gives '' and loops take over.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

PREFIX = "symgraph_"
BLAS = ("sgemm", "dgemm")


def register(name: str, address: int) -> None:
    """Make `symgraph_<name>` resolve to `address` in all code that LLVM links from now on."""
    import llvmlite.binding

    llvmlite.binding.add_symbol(PREFIX + name, address)


@functools.cache
def ensure() -> str:
    """Register BLAS once; returns the source: 'numpy', 'scipy', or '' when there is none."""
    for source, resolve in (("numpy", _from_numpy), ("scipy", _from_scipy)):
        found = resolve()
        if found is not None:
            for name, address in found.items():
                register(name, address)
            return source
    return ""


@functools.cache
def bundled() -> tuple[ctypes.CDLL, str] | None:
    """The OpenBLAS of NumPy's wheel and how it spells a Fortran name, or None."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(path))
            except OSError:
                continue
            for spelling in ("scipy_{}_64_", "{}_64_", "scipy_{}_", "{}_"):
                if hasattr(library, spelling.format("sgemm")):
                    return library, spelling
    return None


def _from_numpy() -> dict[str, int] | None:
    found = bundled()
    if found is None:
        return None
    library, spelling = found
    return {name: address_of(getattr(library, spelling.format(name))) for name in BLAS}


def _from_scipy() -> dict[str, int] | None:
    from numba.extending import get_cython_function_address

    try:
        return {name: get_cython_function_address("scipy.linalg.cython_blas", name) for name in BLAS}
    except ImportError:
        return None


def address_of(function) -> int:
    """The address of a ctypes function."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


def thread_control() -> tuple[Callable[[int], None], Callable[[], int]]:
    """(set, get) the number of threads of the BLAS in use; both do nothing where it has no such call."""
    found = bundled()
    if found is not None:
        library, (head, _, tail) = found[0], found[1].partition("{}")
        for suffix in ("64_", tail, ""):
            names = [f"{head}openblas_{verb}_num_threads{suffix}" for verb in ("set", "get")]
            if all(hasattr(library, n) for n in names):
                return getattr(library, names[0]), getattr(library, names[1])
    return lambda n: None, lambda: 1
