"""Large products on a device: cuBLAS between the kernels of a step.

Law of this file: the host only starts things; kernels and products follow each other on the device's default stream, and nobody
waits between them.  Factors stay on the device, so no number is brought back to multiply by it.  cuBLAS numbers elements
by columns: what lies there row by row is a transpose to it, and C = A B is made as C' = B' A'.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

INSTALL = 'pip install "symgraph[cublas]"'


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array lies, or what follows an element of it, as `place[start:]`."""

    address: int
    itemsize: int

    def __getitem__(self, what: slice) -> Place:
        return Place(self.address + int(what.start) * self.itemsize, self.itemsize)


def place(x: Any) -> Place:
    """Where an array of a device lies, or a simulator's of NumPy."""
    if isinstance(x, np.ndarray):
        return Place(x.ctypes.data, x.itemsize)
    return Place(x.__cuda_array_interface__["data"][0], x.dtype.itemsize)


class Blas:
    """cuBLAS on the present device.

    `cublas` is the module `nvmath.bindings.cublas`, or what stands in for it; `put` copies an array to the device."""

    def __init__(self, cublas: Any, put: Callable[[np.ndarray], Any]) -> None:
        self.handle = cublas.create()
        cublas.set_pointer_mode(self.handle, int(cublas.PointerMode.DEVICE))
        self.operation = int(cublas.Operation.N), int(cublas.Operation.T)
        self.gemm = {4: cublas.sgemm_64, 8: cublas.dgemm_64}
        self.numbers = {4: put(np.array([0, 1], np.float32)), 8: put(np.array([0, 1], np.float64))}
        """0 and 1 on the device, where cuBLAS looks for them."""

    def multiply(
        self,
        ta: bool,
        tb: bool,
        m: int,
        n: int,
        k: int,
        factor: Place | None,
        x: Place,
        lda: int,
        y: Place,
        ldb: int,
        kept: int,
        z: Place,
        ldz: int,
    ) -> None:
        """z[m, n] = factor op(x)[m, k] op(y)[k, n] + kept z, all of them row by row, in rows of lda, ldb and ldz elements."""
        number = place(self.numbers[z.itemsize])
        alpha, beta = factor or number[1:], number[kept:]
        first, second = (y.address, int(ldb)), (x.address, int(lda))
        of_y, of_x = self.operation[tb], self.operation[ta]
        sizes = int(n), int(m), int(k)
        self.gemm[z.itemsize](self.handle, of_y, of_x, *sizes, alpha.address, *first, *second, beta.address, z.address, int(ldz))


def found(put: Callable[[np.ndarray], Any]) -> Blas | None:
    """cuBLAS, where nvmath and the library are installed; else None: products are then made inside of kernels."""
    try:
        from nvmath.bindings import cublas

        return Blas(cublas, put)
    except (ImportError, RuntimeError):
        return None


def function(source: str, name: str) -> Callable[..., None]:
    """What the host does between two kernels, from their module; nothing else of that is run."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(tree, f"<{name}>", "exec", dont_inherit=True), namespace)
    return namespace[name]


@dataclass(frozen=True, eq=False)
class Cut:
    """The pieces of a cut kernel in order, (is it the host's, what is called), entered as one kernel: `cut[blocks, lanes, 0, shared](...)`.

    `loop`: arguments number 2 and 3 are the first step and the one behind the last.  The last `lengths` arguments are
    numbers for each step, which the host must know too: they are brought back before it starts anything."""

    pieces: tuple[tuple[bool, Any], ...]
    multiply: Callable[..., None]
    loop: bool
    lengths: int
    fetched: Callable[[Any, int, DTypeLike], np.ndarray]

    @property
    def kernels(self) -> list[Any]:
        return [call for host, call in self.pieces if not host]

    def __getitem__(self, configuration: Sequence[int]) -> Callable[..., None]:
        return partial(self._launch, configuration)

    def _launch(self, configuration: Sequence[int], *args: Any) -> None:
        known = len(args) - self.lengths
        told: list[Any] = [x if isinstance(x, int | np.integer) else place(x) for x in args[:known]]
        told += [self.fetched(x, x.size, np.int64) for x in args[known:]]
        for s in range(args[2], args[3]) if self.loop else (0,):
            for host, call in self.pieces:
                passed = list(told if host else args)
                if self.loop:
                    passed[2:4] = s, s + 1
                if host:
                    call(self.multiply, *passed)
                else:
                    call[configuration](*passed)
