"""Memory on a device: what copies and launches, and values that live there between runs.

Law of this file: a `Driver` is all that is known of a device's arrays, which are flat, so that Numba's, its simulator's and
plain NumPy's serve alike.  A `Cell` is a value of which the host and one device have an array each: at every moment it
says which of the two are current, whoever wants to read or write one asks first, and whoever wrote last owns it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .device_blas import Blas
from .devices import Device


@dataclass(eq=False)
class Driver:
    """A device's memory and launches.

    `put` copies a flat array to the device, `new(n, dtype)` makes one there; `get(x, host)` copies from the device and
    `set(x, host)` to it; `wait` returns when all that was launched is done.  `load(source, name)` is a kernel of a generated
    module, `module` a module of the runtime as kernels see it; `most(entry, lanes, shared)` is how many blocks can
    run at once; `figures(entry)` are registers and bytes of local memory of a lane and how many lanes a processor
    holds, None where nobody knows; `library` makes large products, if anything
    does.  Everything is called inside `with driver.here()`."""

    device: Device
    here: Callable[[], AbstractContextManager]
    put: Callable[[np.ndarray], Any]
    new: Callable[[int, DTypeLike], Any]
    get: Callable[[Any, np.ndarray], object]
    set: Callable[[Any, np.ndarray], object]
    wait: Callable[[], object]
    load: Callable[[str, str], Any]
    module: Callable[[str], Any]
    most: Callable[[Any, int, int], int]
    figures: Callable[[Any], tuple[int, int, int] | None]
    library: Callable[[], Blas | None] = lambda: None
    held: dict[tuple, tuple[Any, Any]] = field(default_factory=dict)

    def fetched(self, x: Any, n: int, dtype: DTypeLike) -> np.ndarray:
        """A fresh host array of what is in a device array."""
        host = np.empty(n, dtype)
        self.get(x, host)
        return host

    def constant(self, of: np.ndarray, form: object, make: Callable[[], np.ndarray]) -> Any:
        """What `make` gives, on the device for as long as `of` lives: programs share their constants."""
        key = id(of), form
        found = self.held.get(key)
        if found is None or found[0]() is not of:
            held = self.held
            found = held[key] = weakref.ref(of, lambda _: held.pop(key, None)), self.put(make())
        return found[1]


def is_device_array(x: object) -> bool:
    """Does an array lie on a device: Numba's own, another library's, or a simulated one?"""
    return hasattr(x, "__cuda_array_interface__") or hasattr(x, "__cuda_ndarray__")


def as_numba(x: Any) -> Any:
    """An array on a device as Numba's own, sharing its memory."""
    if hasattr(x, "__cuda_ndarray__"):
        return x
    from numba import cuda

    return cuda.as_cuda_array(x)


def on_host(x: Any) -> np.ndarray:
    """The array on the host, copied there if it lies on a device."""
    return as_numba(x).copy_to_host() if is_device_array(x) else x


class Cell:
    """A value of a session: `array` is the host's, which always is the same object."""

    __slots__ = ("array", "driver", "there", "host_is_current", "device_is_current")

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.there = array, None
        self.driver: Driver | None = None
        self.host_is_current, self.device_is_current = True, False

    def host(self, write: bool = True) -> np.ndarray:
        """The host's array with the value in it; to `write` makes it the owner."""
        if not self.host_is_current:
            assert self.driver is not None
            with self.driver.here():
                self.driver.get(self.there, self.array.reshape(-1))
            self.host_is_current = True
        if write:
            self.device_is_current = False
        return self.array

    def device(self, driver: Driver, write: bool = True) -> Any:
        """The flat array on the driver's device with the value in it, inside of `driver.here()`; to `write` makes it the owner."""
        if self.driver is not driver:
            self.host()
            self.driver, self.there = driver, driver.new(self.array.size, self.array.dtype)
        if not self.device_is_current:
            driver.set(self.there, self.array.reshape(-1))
            self.device_is_current = True
        if write:
            self.host_is_current = False
        return self.there
