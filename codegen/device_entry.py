"""From a kernel's source to an entry that can be launched: by numba-cuda, in Numba's simulator, or in our own.

Law of this file: it is the only one that knows which of the three it is.  A launch has as many blocks as are worth it, and
never more than run at once: they wait for each other.
"""

from __future__ import annotations

import hashlib
import importlib
import linecache
import pickle
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache as once
from importlib.metadata import version
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from . import cache, config, device_blas, plain_cuda
from .cuts import pieces
from .device_blas import Cut, function
from .devices import Device, by_numba
from .printer import DEVICE, module_of, print_cuda
from .ptx import read
from .resident import Driver
from .sizes import count

if TYPE_CHECKING:
    from .cuda import CudaKernel

RUNTIME = f"{__package__}.runtime"
PLAIN_BLOCKS = 2
"""Blocks of our own simulator."""
EACH, FLOPS, BYTES = 10.0, 50.0, 10.0
"""ns that each block adds to a meeting of all of them; flops and bytes of arrays that a block does in a ns: guesses, until they are
measured.  What a meeting takes beside that does not depend on the number of blocks."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A compiled kernel and how it is launched: its lanes, and bytes of shared memory, for each block; `worth` is how many
    blocks are worth having for sizes."""

    call: Any
    lanes: int
    shared: int
    driver: Driver
    worth: Callable[[Mapping[str, int]], int]

    def team(self, sizes: Mapping[str, int], nblocks: int | None = None) -> int:
        """The blocks of a launch: what is asked for or worth it, as far as they run all at once."""
        return max(1, min(nblocks or self.worth(sizes), self.most))

    @property
    def most(self) -> int:
        """How many blocks can run at once."""
        with self.driver.here():
            return min((self.driver.most(kernel, self.lanes, self.shared) for kernel in self.kernels), default=1)

    @property
    def kernels(self) -> list[Any]:
        """The kernels of a launch: more than one, where large products are a library's."""
        return self.call.kernels if isinstance(self.call, Cut) else [self.call]

    def launch(self, blocks: int, *args: Any) -> None:
        """Run the kernel with so many blocks."""
        self.call[blocks, self.lanes, 0, self.shared](*args)


def driver_of(device: Device) -> Driver:
    """How a device is driven: with SYMGRAPH_BACKEND=python by our own simulator."""
    return _plain_driver(device) if config.get("SYMGRAPH_BACKEND") == "python" else _numba_driver(device)


def lanes_of(driver: Driver) -> int:
    """How many lanes its blocks have."""
    return driver.module(f"{RUNTIME}.device").LANES


def real_lanes() -> int:
    """How many lanes compiled blocks have in this process."""
    return importlib.import_module(f"{RUNTIME}.device").LANES


def entry_of(made: CudaKernel, driver: Driver) -> Entry:
    """The kernel, compiled for the driver's device."""
    kernel, source = made.kernel, print_cuda(made.kernel, made.lanes, comments=False)
    with driver.here():
        found = tuple((x.host, function(source, x.name) if x.host else driver.load(source, x.name)) for x in pieces(kernel))
        call = found[0][1]
        if len(found) > 1 or found[0][0]:
            library = driver.library()
            assert library is not None
            call = Cut(found, library.multiply, kernel.loop, len(kernel.lengths), driver.fetched)
    return Entry(call, made.lanes, shared(made, driver), driver, _worth(made, driver.device))


def shared(made: CudaKernel, driver: Driver) -> int:
    """Bytes of the pool that what a kernel calls needs: the most that any of it does."""
    found = [driver.module(f"{RUNTIME}.device_team").POOL]
    for helper in made.kernel.helpers:
        pool = getattr(driver.module(f"{RUNTIME}.{module_of(helper, DEVICE)}"), "POOL", 0)
        found.append(pool.get(helper.rpartition("_")[2], 0) if isinstance(pool, dict) else pool)
    return max(found)


def _worth(made: CudaKernel, device: Device) -> Callable[[Mapping[str, int]], int]:
    """n blocks take work / n + meetings * EACH * n: the n for which that is least; all of a simulator's."""
    if device.processors <= 1:
        return lambda sizes: PLAIN_BLOCKS
    step = made.reports[-1]

    def worth(sizes: Mapping[str, int]) -> int:
        work = max(step.flops(sizes) / FLOPS, step.bytes(sizes) / BYTES)
        meetings = sum(n * count(turns, sizes) for n, turns in made.kernel.meetings)
        return int(sqrt(work / (EACH * max(1, meetings)))) + 1

    return worth


# ---------------------------------------------------------------- drivers
@once
def _numba_driver(device: Device) -> Driver:
    """The device by Numba, or Numba's simulator of one."""
    from numba import cuda

    def get(x: Any, host: np.ndarray) -> None:
        if x.size:
            x.copy_to_host(host)

    def put_into(x: Any, host: np.ndarray) -> None:
        if x.size:
            x.copy_to_device(host)

    return Driver(
        device,
        nullcontext if by_numba() else lambda: cuda.gpus[device.index],
        cuda.to_device,
        lambda n, dtype: cuda.device_array(n, dtype),
        get,
        put_into,
        cuda.synchronize,
        _simulated if by_numba() else once(Compiled),
        importlib.import_module,
        _one_block if by_numba() else _resident_blocks,
        (lambda entry: None) if by_numba() else _figures,
        (lambda: None) if by_numba() else once(lambda: device_blas.found(cuda.to_device)),
    )


def _simulated(source: str, name: str = "kernel") -> Any:
    """A kernel of a generated module in Numba's simulator; the text is kept for tracebacks."""
    file = f"<symgraph kernel {hashlib.sha256(source.encode()).hexdigest()[:12]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, file, "exec", dont_inherit=True), namespace)
    return namespace[name]


class Compiled:
    """A kernel of a generated module on the present device, compiled once for all processes of this machine.

    All its blocks are started at once or the launch fails, as they wait for each other.  Numba's advice about small grids is
    for those who do not count their blocks."""

    def __init__(self, source: str, name: str = "kernel") -> None:
        from numba import cuda
        from numba.cuda import serialize
        from numba.cuda.dispatcher import _Kernel

        function, types = read(source)[name]
        self.kernel, made = cuda.jit(function), []

        def compiled() -> bytes:
            self.kernel.compile(types)
            made.extend(self.kernel.overloads.values())
            return serialize.dumps(made[0]._reduce_states())

        on = f"cuda {version('numba-cuda')} {cuda.get_current_device().compute_capability}"
        kept = cache.keep(f"{on} {name}\n{source}", compiled)
        self.compiled = made[0] if made else _Kernel._rebuild(**pickle.loads(kept))
        self.compiled.bind()
        self.compiled.cooperative = True
        self.configured: dict[tuple, Any] = {}

    def __getitem__(self, configuration: tuple[int, int, int, int]) -> Callable[..., None]:
        if configuration not in self.configured:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.configured[configuration] = self.kernel[configuration]
        c = self.configured[configuration]
        return lambda *args: self.compiled.launch(args, c.griddim, c.blockdim, c.stream, c.sharedmem)


def _one_block(entry: Any, lanes: int, shared: int) -> int:
    """Numba's simulator runs blocks one after another: a second would wait for the first at a barrier for ever."""
    return 1


def _resident_blocks(entry: Compiled, lanes: int, shared: int) -> int:
    return entry.compiled.max_cooperative_grid_blocks(lanes, shared)


def _figures(entry: Compiled) -> tuple[int, int, int]:
    from numba import cuda

    kernel = entry.compiled
    return kernel.regs_per_thread, kernel.local_mem_per_thread, cuda.get_current_device().MAX_THREADS_PER_MULTIPROCESSOR


@once
def _plain_driver(device: Device) -> Driver:
    """Our own simulator, whose arrays are NumPy's."""

    def get(x: np.ndarray, host: np.ndarray) -> None:
        host[...] = x

    def put_into(x: np.ndarray, host: np.ndarray) -> None:
        x[...] = host

    return Driver(
        device,
        nullcontext,
        np.array,
        np.empty,
        get,
        put_into,
        lambda: None,
        plain_cuda.load,
        plain_cuda.module,
        lambda *_: PLAIN_BLOCKS,
        lambda _: None,
    )
