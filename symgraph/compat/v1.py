"""`import symgraph.compat.v1 as tf`: the names of symgraph, and the switches that TF2-era programs throw first.

Law of this file: every other name is looked up in `symgraph`, so there is one list of names.
"""

from __future__ import annotations

from typing import Any

import symgraph as _symgraph


def enable_eager_execution(*args: Any, **kwargs: Any) -> None:
    """Refused: there are graphs only."""
    raise NotImplementedError("symgraph runs graphs in sessions and has no eager execution: build the graph, then Session().run(...)")


enable_v2_behavior = enable_eager_execution


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_symgraph, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_symgraph)})
