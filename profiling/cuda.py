"""Training loops on one GPU: `python -m profiling cuda` races us, JAX and PyTorch there; without a GPU it says what is missing.

Law of this file: the workloads are those of `loops/`, with other sides and other targets: nothing about data, losses or sizes
is said here.  Data and first parameters lie on the device before a clock is read, every side waits for the device before
it is read again, and answers come first.

A loop that reads all of its data in every step is held against `copying alone`: the device copies 256 MiB from one array to another
until as many bytes were moved as the loop must at least move.  These are, for each step, data and parameters read and parameters
written (`Problem.traffic`): 50 MB for `logistic`, 1.8 GB for `linear-many`, 40 MB for `options`, as if it kept nothing
from one step to the next.  Copying goes past the caches, so a loop whose data fits into them can be faster.

`check` compares answers alone, at tiny sizes: ours from a device that Numba simulates, the others' from the CPU.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from typing import Any

from symgraph.codegen import devices

from .loops import linear, logistic, mlp, options, suite
from .loops.problem import BEST, Problem, Target, Workload
from .timing import machine

OURS, COPYING = "symgraph, cuda", "copying alone"
PEERS = ("JAX, cuda", "PyTorch, cuda", "PyTorch, cuda graphs", "PyTorch, compiled")
SIMULATED = (OURS, COPYING, "NumPy", "JAX", "PyTorch")

LAUNCHES = (Target(BEST, 3, OURS),)
MEMORY = (Target(BEST, 1.5, OURS), Target(COPYING, 0.85, OURS))

ON_DEVICE = {"JAX_PLATFORMS": "cuda", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
IN_SIMULATOR = {"NUMBA_ENABLE_CUDASIM": "1", "SYMGRAPH_BACKEND": "auto"}
"""What the processes of a race and of a check see: several share one device, so nobody takes all of its memory."""

PACKAGES = {"CUDA toolkit": "cuda-toolkit", "numba-cuda": "numba-cuda", "Numba": "numba", "JAX": "jax", "PyTorch": "torch"}


def _there(workload: Workload, targets: tuple[Target, ...] = (), **tiny: int) -> Workload:
    """A workload on the GPU; `tiny`: sizes that a simulator finishes in seconds."""
    bound = targets == MEMORY
    return replace(
        workload,
        name=f"cuda/{workload.name}",
        tiny=tiny,
        targets=targets,
        sides=(OURS, *([COPYING] if bound else []), *PEERS),
        moves=_traffic if bound else None,
    )


def _traffic(problem: Problem) -> int:
    return problem.traffic


WORKLOADS: dict[str, Workload] = {
    w.name: w
    for w in (
        _there(linear.FULL, LAUNCHES, rows=20, steps=3),
        _there(logistic.LOGISTIC, MEMORY, rows=20, columns=3, steps=3),
        _there(mlp.LARGE, rows=20, batch=4, steps=2, thinner=50),
        _there(mlp.DIGITS, LAUNCHES, rows=20, batch=3, steps=2),
        _there(options.OPTIONS, MEMORY, rows=20, steps=2),
        _there(linear.MANY, MEMORY, rows=20, columns=3, steps=3),
    )
}


# ---------------------------------------------------------------- running
def missing() -> str:
    """Why nothing can be measured here; '' when everything is there."""
    if devices.simulated():
        return "no GPU to measure: it is simulated here, by NUMBA_ENABLE_CUDASIM or SYMGRAPH_BACKEND"
    lacks = devices.missing()
    return f"no GPU to measure: {lacks}" if lacks else ""


def run(parts: Sequence[str] = (), *, quick: bool = False, full: bool = False, check: bool = False) -> list[dict[str, Any]]:
    """The races of these parts, or of all, as plain data; each says the device it was run on.  See `suite.run`."""
    among = {name: replace(w, sides=SIMULATED) for name, w in WORKLOADS.items()} if check else WORKLOADS
    environment = IN_SIMULATOR if check else ON_DEVICE
    only = [f"cuda/{part}" for part in parts]
    found = suite.run(only, quick=quick, full=full, check=check, among=among, **environment)
    where = "simulated" if check else device(found)
    return [figures | {"device": where} for figures in found]


def device(found: Sequence[Mapping[str, Any]] = ()) -> str:
    """The device, its driver, what runs on it, and how fast it copies by these races, in one line."""
    gpu = devices.gpu()
    major, minor = gpu.compute_capability or (0, 0)
    size = f"{gpu.processors} multiprocessors, {gpu.memory_limit_bytes / 1e9:.0f} GB, compute capability {major}.{minor}"
    parts = [gpu.description, size, f"driver {_driver()}"]
    parts += [f"{name} {version}" for name, package in PACKAGES.items() if (version := _version(package))]
    if rates := [row["bandwidth"] for figures in found for row in figures.get("sides", []) if row["side"] == COPYING]:
        parts.append(f"copies {statistics.median(rates) / 1e9:.0f} GB/s, read and written")
    return ", ".join([*parts, machine()])


def _driver() -> str:
    """The driver's version."""
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return "of unknown version"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


# ---------------------------------------------------------------- telling
def text(found: Sequence[dict[str, Any]]) -> str:
    """The device and the table, aligned."""
    return f"{_device(found)}\n{suite.text(found)}"


def markdown(found: Sequence[dict[str, Any]]) -> str:
    """The device and the table, for a page."""
    return f"{_device(found)}\n\n{suite.markdown(found)}"


def _device(found: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(dict.fromkeys(figures["device"] for figures in found))
