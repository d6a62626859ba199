"""What programs can run on: this machine's cores, and its GPUs where everything that they need is there.

Law of this file: nothing is taken for granted and nothing falls back.  A GPU is listed when a program can run on it; why
there is none, and what would help, is one sentence for everybody who asks.  The driver is asked without Numba, which takes
as long to import as all the rest.  Where nothing is compiled there is one device, which is simulated: by Numba
(NUMBA_ENABLE_CUDASIM=1) or by us (SYMGRAPH_BACKEND=python).
"""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from . import config

INSTALL = 'pip install "symgraph[cuda]"'
_NO_DEVICE = 100
_MAJOR, _MINOR, _PROCESSORS = 75, 76, 16
"""CUDA_ERROR_NO_DEVICE, and the attributes of a device that are asked for."""


class DeviceError(RuntimeError):
    """A device that is asked for is not there; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Device:
    """One device: TF's name for it, 'CPU' or 'GPU', its memory in bytes (0: unknown), what the maker calls it, and of a GPU
    the compute capability and the number of multiprocessors."""

    name: str
    device_type: str
    memory_limit_bytes: int
    description: str
    compute_capability: tuple[int, int] | None = None
    processors: int = 0

    @property
    def index(self) -> int:
        """Its number among the devices of its type."""
        return int(self.name.rpartition(":")[2])

    def __str__(self) -> str:
        return f"{self.name} ({self.description})"


def list_devices() -> list[Device]:
    """The devices that programs can run on: the CPU, and each GPU whose driver and numba-cuda are there.

    >>> list_devices()[0].name
    '/device:CPU:0'
    """
    return [cpu(), *([] if missing() else gpus())]


def cpu() -> Device:
    """This machine's cores as one device."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()) else 0
    return Device("/device:CPU:0", "CPU", pages, platform.processor() or platform.machine())


def gpu(index: int = 0) -> Device:
    """The GPU of this number; DeviceError, saying what is missing, where there is none."""
    if why := missing():
        raise DeviceError(f"there is no GPU to run on: {why}")
    found = gpus()
    if index >= len(found):
        raise DeviceError(f"there is no /device:GPU:{index}; there are {', '.join(map(str, list_devices()))}")
    return found[index]


def simulated() -> bool:
    """Is the device simulated in this process?"""
    return by_numba() or config.get("SYMGRAPH_BACKEND") == "python"


def by_numba() -> bool:
    """Is it Numba that simulates it?"""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0").strip() not in ("", "0")


def missing() -> str:
    """What is missing to run on a GPU, and how to get it; '' when nothing is."""
    if simulated():
        return ""
    lacks = [] if isinstance(_asked(), tuple) else [str(_asked())]
    if find_spec("numba_cuda") is None:
        lacks.append(f"numba-cuda is not installed: {INSTALL}")
    return "; ".join(lacks)


def gpus() -> tuple[Device, ...]:
    """The GPUs that the driver shows."""
    if simulated():
        return (Device("/device:GPU:0", "GPU", 0, "simulated", (0, 0), 1),)
    found = _asked()
    return found if isinstance(found, tuple) else ()


@cache
def _asked() -> tuple[Device, ...] | str:
    """The GPUs that the driver shows, or why it shows none."""
    name = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return f"there is no NVIDIA driver ({name} is not found): install the driver of the GPU"
    error, count = driver.cuInit(0), ctypes.c_int()
    error = error or driver.cuDeviceGetCount(ctypes.byref(count))
    if error not in (0, _NO_DEVICE):
        return f"the NVIDIA driver does not start (CUDA error {error}): look at nvidia-smi"
    if error or not count.value:
        return "the NVIDIA driver shows no GPU: look at nvidia-smi and CUDA_VISIBLE_DEVICES"
    return tuple(_described(driver, k) for k in range(count.value))


def _described(driver: ctypes.CDLL, index: int) -> Device:
    handle, memory, name = ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(256)
    driver.cuDeviceGet(ctypes.byref(handle), index)
    driver.cuDeviceGetName(name, len(name), handle)
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), handle)

    def attribute(number: int) -> int:
        value = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(value), number, handle)
        return value.value

    capability = attribute(_MAJOR), attribute(_MINOR)
    return Device(f"/device:GPU:{index}", "GPU", memory.value, name.value.decode(errors="replace"), capability, attribute(_PROCESSORS))
