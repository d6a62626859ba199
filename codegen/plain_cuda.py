"""A grid of blocks of lanes as threads of Python: CUDA without a device, in any process.

Law of this file: what runs is the source itself, that of a generated module and that of the runtime's device_*.py, with
`CUDA` in the place of `numba.cuda`; nothing is rewritten.  All lanes of all blocks run at once, so blocks may wait for one
another.  What a device would leave undefined ends with an error here: lanes of a block that meet at different places, or
that wait for one that has ended; blocks that wait for ever; an index past an array's end.  The shared pool starts as nan.
"""

from __future__ import annotations

import builtins
import functools
import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

RUNTIME = f"{__package__}.runtime"
LIMIT = 60.0
"""Seconds after which a wait is an error."""


class Ended(Exception):
    """Another lane has failed; nobody sees this one."""


class Block:
    """The lanes of one block: their pool, where each of them waits, and the gate at which it does (a lock that others release)."""

    def __init__(self, launch: Launch, index: int, lanes: int, shared: int) -> None:
        self.launch, self.index, self.lanes = launch, index, lanes
        self.pool = np.full(shared, 255, np.uint8)
        self.places: list[Any] = [None] * lanes
        self.votes: list[bool] = [False] * lanes
        self.waiting = self.left = 0
        self.lock, self.gates = threading.Lock(), [threading.Lock() for _ in range(lanes)]
        for gate in self.gates:
            gate.acquire()

    def sync(self, lane: int) -> None:
        """Who comes last lets the others go on."""
        self.places[lane] = _place(self.launch.function)
        with self.lock:
            if self.left:
                raise RuntimeError(f"lane {lane} of block {self.index} waits for lanes that have ended")
            self.waiting = (self.waiting + 1) % self.lanes
            last = not self.waiting
        if last:
            if len(set(self.places)) > 1:
                where = ", ".join(sorted({place[0][0] for place in self.places}))
                raise RuntimeError(f"lanes of block {self.index} wait at different places: {where}")
            for other in range(self.lanes):
                if other != lane:
                    self.gates[other].release()
        elif not self.gates[lane].acquire(timeout=LIMIT):
            raise TimeoutError(f"lanes of block {self.index} have waited for {LIMIT:g} s")
        if self.launch.error is not None:
            raise Ended

    def leave(self, lane: int) -> None:
        """A lane has ended."""
        with self.lock:
            self.left += 1
            if self.waiting:
                raise RuntimeError(f"lanes of block {self.index} wait for lane {lane}, which has ended")


class Launch:
    """One launch of a kernel."""

    def __init__(self, function: Callable, grid: int, lanes: int, shared: int) -> None:
        self.function, self.lock = function, threading.Lock()
        self.error: BaseException | None = None
        self.until = time.monotonic() + LIMIT
        self.blocks = [Block(self, b, lanes, shared) for b in range(grid)]

    def __call__(self, *args: Any) -> None:
        lanes = [(block, lane, args) for block in self.blocks for lane in range(block.lanes)]
        threads = [threading.Thread(target=self.lane, args=one, daemon=True) for one in lanes]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if self.error is not None:
            raise self.error

    def lane(self, block: Block, lane: int, args: tuple) -> None:
        _here.block, _here.lane = block, lane
        try:
            with np.errstate(all="ignore"):
                self.function(*args)
            block.leave(lane)
        except Ended:
            pass
        except BaseException as error:  # noqa: BLE001 - raised where the kernel was launched
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """The first error counts, and ends every lane at its next wait."""
        with self.lock:
            self.error = self.error or error
        for gate in (gate for block in self.blocks for gate in block.gates):
            with suppress(RuntimeError):  # it is open already
                gate.release()

    def look(self) -> None:
        """For lanes that wait by looking at memory again and again."""
        if self.error is not None:
            raise Ended
        if time.monotonic() > self.until:
            raise TimeoutError(f"the launch takes longer than {LIMIT:g} s: do blocks wait for one that has ended?")
        time.sleep(0)


class Kernel:
    """A kernel: `kernel[grid, lanes, stream, shared](*args)` as with Numba, `py_func` the function itself."""

    def __init__(self, function: Callable) -> None:
        self.py_func = function

    def __getitem__(self, configuration: Sequence[Any]) -> Launch:
        grid, lanes, _, shared = (*configuration, 0, 0)[:4]
        return Launch(self.py_func, int(grid), int(lanes), int(shared))


_here = threading.local()


def _place(kernel: Callable) -> tuple:
    """Where this lane is: the calls from the innermost line that is not of this file up to the kernel."""
    frame: Any = sys._getframe(2)
    calls: list[tuple] = []
    while frame and frame.f_code is not kernel.__code__:
        if frame.f_code.co_filename != __file__:
            calls.append((f"{frame.f_code.co_name}:{frame.f_lineno}", frame.f_lasti))
        frame = frame.f_back
    return (*calls, (f"kernel:{frame.f_lineno}", frame.f_lasti)) if frame else tuple(calls)


def _dtype(kind: Any) -> np.dtype:
    return np.dtype(kind if isinstance(kind, type | np.dtype) else str(kind))


class _Shared:
    def array(self, shape: int, dtype: Any, alignment: int = 0) -> np.ndarray:
        """The block's pool as an array of that dtype."""
        if shape != 0:
            raise ValueError("the pool is dynamic: cuda.shared.array(0, dtype)")
        pool, kind = _here.block.pool, _dtype(dtype)
        return pool[: pool.size // kind.itemsize * kind.itemsize].view(kind)


class _Local:
    def array(self, shape: Any, dtype: Any, alignment: int = 0) -> np.ndarray:
        """Memory of this lane alone; holds nothing at first."""
        kind = _dtype(dtype)
        return np.full((*np.atleast_1d(shape), kind.itemsize), 255, np.uint8).view(kind)[..., 0]


def _atomic(change: Callable[[Any, Any], Any]) -> Callable:
    def operation(self: Any, array: np.ndarray, index: Any, value: Any) -> Any:
        launch = _here.block.launch
        with launch.lock:
            old = array[index]
            array[index] = change(old, value)
        launch.look()
        return old

    return operation


class _Atomic:
    """cuda.atomic: each gives the value from before."""

    add, sub = _atomic(lambda old, value: old + value), _atomic(lambda old, value: old - value)
    max, min = _atomic(max), _atomic(min)
    and_, or_ = _atomic(lambda old, value: old & value), _atomic(lambda old, value: old | value)
    xor, exch = _atomic(lambda old, value: old ^ value), _atomic(lambda old, value: value)

    def cas(self, array: np.ndarray, index: Any, old: Any, value: Any) -> Any:
        return _atomic(lambda found, new: new if found == old else found)(self, array, index, value)


class _Cuda:
    """The part of `numba.cuda` that generated modules and the runtime use."""

    SIMULATED = True
    shared, local, atomic = _Shared(), _Local(), _Atomic()
    threadIdx = property(lambda self: SimpleNamespace(x=_here.lane, y=0, z=0))
    blockIdx = property(lambda self: SimpleNamespace(x=_here.block.index, y=0, z=0))
    blockDim = property(lambda self: SimpleNamespace(x=_here.block.lanes, y=1, z=1))
    gridDim = property(lambda self: SimpleNamespace(x=len(_here.block.launch.blocks), y=1, z=1))

    def jit(self, signature: Any = None, device: bool = False, **options: Any) -> Any:
        def made(function: Callable) -> Any:
            return function if device else Kernel(function)

        return made(signature) if callable(signature) else made

    def syncthreads(self) -> None:
        _here.block.sync(_here.lane)

    def syncthreads_or(self, value: Any) -> int:
        return int(any(self._votes(value)))

    def syncthreads_and(self, value: Any) -> int:
        return int(all(self._votes(value)))

    def syncthreads_count(self, value: Any) -> int:
        return sum(self._votes(value))

    def _votes(self, value: Any) -> list[bool]:
        _here.block.votes[_here.lane] = bool(value)
        self.syncthreads()
        votes = list(_here.block.votes)
        self.syncthreads()
        return votes

    def threadfence(self) -> None:
        """Threads of Python see what others write."""

    threadfence_block = threadfence_system = threadfence


CUDA = _Cuda()


class _Numba:
    """`numba` with this simulator as its `cuda`."""

    cuda = CUDA

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("numba"), name)


def _import(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002
    """`__import__` of the modules that run here."""
    full = importlib.util.resolve_name("." * level + name, globals["__package__"]) if level else name
    if full in ("numba", "numba.cuda"):
        return CUDA if fromlist and full == "numba.cuda" else _Numba()
    if full.startswith(f"{RUNTIME}.device"):
        return module(full)
    return builtins.__import__(name, globals, locals, fromlist, level)


_BUILTINS = vars(builtins) | {"__import__": _import}


@functools.cache
def module(name: str) -> ModuleType:
    """A module of the runtime, as kernels of this simulator import it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(f"there is no module {name}", name=name)
    made = ModuleType(name)
    vars(made).update(__builtins__=_BUILTINS, __file__=spec.origin, __package__=name.rpartition(".")[0])
    exec(compile(Path(spec.origin).read_text(encoding="utf-8"), spec.origin, "exec", dont_inherit=True), vars(made))
    return made


def load(source: str, name: str = "kernel") -> Kernel:
    """The kernel of a generated module.

    >>> source = "from numba import cuda\\n@cuda.jit\\ndef kernel(x):\\n    x[cuda.blockIdx.x, cuda.threadIdx.x] += 1\\n"
    >>> x = np.zeros((3, 8))
    >>> load(source)[3, 8, 0, 64](x)
    >>> int(x.sum())
    24
    """
    namespace: dict[str, Any] = {"__builtins__": _BUILTINS, "__name__": "generated", "__package__": ""}
    exec(compile(source, "<generated>", "exec", dont_inherit=True), namespace)
    return namespace[name]
