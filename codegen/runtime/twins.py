"""The runtime as plain Python: what a generated source imports, without compiled code.

Law of this file: each name that a kernel may import from a module beside this one, and that plain Python cannot
share with Numba, has a twin of the same meaning in that module (`PLAIN`, or `vecmath.plain()`).  Generated source run
under these names is debugged line by line, and is one of the three ways in which every kernel is tested.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from . import blas, dense, indirect, integer, philox, pooling, rows, table, team, tiles, vecmath


@functools.cache
def _twins() -> dict[str, Callable]:
    modules = (team, blas, tiles, dense, philox, integer, rows, table, indirect, pooling)
    return vecmath.plain() | {name: f for module in modules for name, f in module.PLAIN.items()}


def python_namespace() -> dict[str, Callable]:
    """{name: plain function} for every runtime function that kernels use; a fresh dict.

    Meant to replace what the source imported: execute the source, update its globals with this, call its plain
    function inside `np.errstate(all="ignore")`.  Scalars come as NumPy's (np.float32, ...), as array elements do.

    >>> python_namespace()["add_reassoc"](1, 2)
    3
    """
    return dict(_twins())
