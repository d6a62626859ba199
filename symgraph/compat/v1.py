"""`import symgraph.compat.v1 as tf`: the names of symgraph, and the switches that TF2-era programs throw first.

Law of this file: every other name is looked up in `symgraph`, so there is one list of names.
"""

from __future__ import annotations

from typing import Any

import symgraph as _symgraph


def disable_v2_behavior() -> None:
    """Nothing to do: graphs and sessions are all there is."""


def disable_eager_execution() -> None:
    """Nothing to do: nothing runs before a session runs it."""


def disable_resource_variables() -> None:
    """Nothing to do: variables are TF1's."""


disable_v2_tensorshape = disable_control_flow_v2 = disable_resource_variables


def enable_eager_execution(*args: Any, **kwargs: Any) -> None:
    """Refused: there are graphs only."""
    raise NotImplementedError("symgraph runs graphs in sessions and has no eager execution: build the graph, then Session().run(...)")


enable_v2_behavior = enable_eager_execution


def executing_eagerly() -> bool:
    """False: operations are recorded, and run by a session."""
    return False


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_symgraph, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_symgraph)})
