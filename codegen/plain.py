"""The runtime as plain Python: what generated source sees when it runs without being compiled."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from .printer import MODULES


def namespace() -> dict[str, Any]:
    """NumPy and a plain twin of every runtime function, by name."""
    names: dict[str, Any] = {"np": np}
    for m in MODULES:
        module = import_module(f"{__package__}.runtime.{m}")
        names.update(module.plain() if hasattr(module, "plain") else module.PLAIN)
    return names
