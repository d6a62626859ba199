"""Where programs run: what a session, an option and operations say of it.

Law of this file: `Session(device=...)` says it for all programs of the session, SYMGRAPH_DEVICE for all sessions that say
nothing, and else the operations of a program do, by the `tf.device` that they were made in: it runs on a GPU as a whole when
any of them asks for one.  Device names are TF1's, read without their case; 'cuda' means a GPU.  What is asked for and not
there is an error, but for a config with `allow_soft_placement`, whose operations then run on the CPU, as in TF1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import config
from .codegen.devices import Device, DeviceError, gpu, list_devices
from .errors import InvalidArgumentError
from .log import LOG

if TYPE_CHECKING:
    from .graph import Operation

_PARTS = ("job", "replica", "task", "device")
_OTHER = {"CUDA": "GPU"}


def spec(name: str) -> dict[str, str]:
    """The parts of a device's name: '/gpu:0', 'cuda', '/job:worker/task:1', '/device:GPU:*'; ValueError for anything else."""
    found: dict[str, str] = {}
    for part in filter(None, name.strip().split("/")):
        key, *rest = part.split(":")
        if key.lower() in _PARTS[:3] and len(rest) == 1:
            found[key.lower()] = rest[0]
            continue
        kind, *index = rest if key.lower() == "device" and rest else [key, *rest]
        if "device" in found or not kind.isidentifier() or len(index) > 1 or not all(i == "*" or i.isdecimal() for i in index):
            raise ValueError(f"{name!r} names no device: say '/cpu:0', '/gpu:0', '/device:GPU:1' or 'cuda'")
        found["device"] = ":".join([_OTHER.get(kind.upper(), kind.upper()), *(index or "*")])
    return found


def spelled(parts: dict[str, str]) -> str:
    """The name with these parts, as TF1 spells it."""
    return "".join(f"/{key}:{parts[key]}" for key in _PARTS if key in parts)


def placed(scopes: Sequence[Any], op: Operation) -> str:
    """The device that `with tf.device(...)` blocks, from the outermost in, give an operation."""
    op.device = ""
    for scope in reversed(scopes):
        if scope is None:
            break
        if callable(scope):
            op.device = spelled(spec(scope(op) or ""))
        else:
            op.device = spelled({**spec(scope), **spec(op.device)})  # the inner one counts
    return op.device


def find(name: str) -> Device | None:
    """The GPU of this name, None for the CPU; DeviceError for what is not there, ValueError for what is no name."""
    kind, _, index = spec(name).get("device", "CPU:*").partition(":")
    number = 0 if index == "*" else int(index)
    if kind == "GPU":
        return gpu(number)
    if kind != "CPU" or number:
        raise DeviceError(f"there is no /device:{kind}:{number}; there are {', '.join(map(str, list_devices()))}")
    return None


@dataclass(frozen=True)
class Placement:
    """Where the programs of one session run; `told` is a device's name or ''.  The rest is of the session's config:
    `soft` placement, GPUs `hidden` from it, and whether to `log` where operations run."""

    told: str = ""
    soft: bool = False
    hidden: bool = False
    log: bool = False

    @staticmethod
    def of(device: Any, settings: Any) -> Placement:
        """What a session is told by `device=` and `config=`; a device that is not there is an error at once."""
        if device is not None and not isinstance(device, str):
            raise TypeError(f"device is a name such as 'cuda', '/gpu:0' or 'cpu', not {device!r}")
        if device:
            find(device)
        if settings is None:
            return Placement(device or "")
        hidden = settings.device_count.get("GPU", 1) == 0
        return Placement(device or "", settings.allow_soft_placement, hidden, settings.log_device_placement)

    def choose(self, hinted: bool, operations: Callable[[], Sequence[Operation]]) -> Device | None:
        """Where a program of these operations runs: a GPU, or None for the CPU; `hinted`: some operation may ask for one."""
        told = self.told or config.get("SYMGRAPH_DEVICE")
        if told != "auto":
            chosen = find(told)
        else:
            asks = next((op for op in operations() if op.device and _asks(op.device)), None) if hinted else None
            chosen = None if asks is None else self._asked(asks)
        if self.log:
            where = chosen.name if chosen else "/device:CPU:0"
            for op in operations():
                LOG.info("%s: (%s): %s", op.name, op.type, where)
        return chosen

    def _asked(self, op: Operation) -> Device | None:
        """The GPU that an operation asks for."""
        try:
            if self.hidden:
                raise DeviceError("the session's config has device_count={'GPU': 0}")
            return find(op.device)
        except DeviceError as e:
            if self.soft:
                return None
            there = ", ".join(d.name for d in list_devices())
            raise InvalidArgumentError(
                f"Cannot assign a device for operation {op.name}: Operation was explicitly assigned to {op.device} but available devices "
                f"are [ {there} ]. Make sure the device specification refers to a valid device.\n{e}\n"
                "tf.ConfigProto(allow_soft_placement=True) or SYMGRAPH_DEVICE=cpu runs it on the CPU",
                op,
            ) from None


def _asks(device: str) -> bool:
    """Does a name ask for something else than the CPU?"""
    return not spec(device).get("device", "CPU").startswith("CPU")
