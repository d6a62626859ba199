"""The runtime as plain Python: what generated source sees when it runs without being compiled."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np


def namespace() -> dict[str, Any]:
    """NumPy and a plain twin of every runtime function, by name."""
    return {"np": np, **import_module(f"{__package__}.runtime.twins").python_namespace()}
