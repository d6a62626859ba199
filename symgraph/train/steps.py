"""The step counter of a graph: the variable 'global_step' and the collection that knows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import Graph, get_default_graph
from ..ops.state import GLOBAL_VARIABLES, Variable

GLOBAL_STEP = "global_step"


def get_global_step(graph: Graph | None = None) -> Variable | None:
    """The graph's step counter, if it has one: the one that was made as such, or a variable of that name."""
    graph = graph or get_default_graph()
    found = graph.get_collection(GLOBAL_STEP) or [v for v in graph.get_collection(GLOBAL_VARIABLES) if v.op.name == GLOBAL_STEP]
    return found[0] if found else None


def create_global_step(graph: Graph | None = None) -> Variable:
    """The graph's step counter, an int64 variable 'global_step' that is 0 at first; ValueError if there is one already."""
    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    return get_or_create_global_step(graph)


def get_or_create_global_step(graph: Graph | None = None) -> Variable:
    """The graph's step counter: an int64 variable 'global_step', 0 at first."""
    graph = graph or get_default_graph()
    found = get_global_step(graph)
    if found is None:
        with graph.as_default(), graph.name_scope(None):
            found = Variable(np.asarray(0, np.int64), trainable=False, name=GLOBAL_STEP)
        graph.add_to_collection(GLOBAL_STEP, found)
    return found


def assert_global_step(global_step_tensor: Any) -> None:
    """TypeError unless it is a step counter: one whole number."""
    if not global_step_tensor.dtype.is_integer:
        raise TypeError(f'Existing "global_step" does not have integer type: {global_step_tensor.dtype!r}')
    if global_step_tensor.shape.ndims not in (0, None):
        raise TypeError(f'Existing "global_step" is not scalar: {global_step_tensor.shape}')


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The value of a step counter in a session, as a Python int."""
    return int(sess.run(global_step_tensor))
