"""Exponential moving averages of variables and tensors.

Law of this file: an average is a variable beside what it follows ('w/ExponentialMovingAverage'), and moves by
average -= (1 - decay) * (average - value), made of plain operations.  Names are TF1's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from ..graph import Attempt, Operation, Tensor, convert, get_default_graph
from ..ops import math
from ..ops.control import group
from ..ops.core import graph_of, recording
from ..ops.initializers import Zeros
from ..ops.state import (
    MOVING_AVERAGE_VARIABLES,
    Variable,
    assign,
    assign_add,
    assign_sub,
    global_variables,
    moving_average_variables,
    trainable_variables,
)
from ..scopes import get_variable, get_variable_scope, variable_scope
from .slots import slot


def assign_moving_average(variable: Variable, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None) -> Tensor:
    """variable -= (1 - decay) * (variable - value); the result, fetched, is the new average.

    `zero_debias` is for an average that begins at 0: it is divided by 1 - decay^t after t steps (Kingma and Ba, 2015, section 3),
    for which the variables 'biased' and 'local_step' are kept beside it."""
    with recording("AssignSub", name or "AssignMovingAvg", variable=variable, value=value, decay=decay) as (_, scope):
        rate = math.cast(convert(1.0 - decay, name="decay"), variable.dtype)
        if not zero_debias:
            return assign_sub(variable, (variable - value) * rate, name=scope)  # type: ignore[operator]
        with variable_scope(variable.op.name):
            biased, steps = _beside("biased", variable, variable.shape), _beside("local_step", variable, ())
        average = assign_sub(biased, (biased - value) * rate)  # type: ignore[operator]
        return assign(variable, average / (1.0 - math.pow(1.0 - rate, assign_add(steps, 1.0))), name=scope)  # type: ignore[operator]


def _beside(name: str, variable: Variable, shape: Any) -> Variable:
    """A variable of zeros in the current variable scope, under a name that is free."""
    scope = get_variable_scope()
    taken = {v.op.name for v in global_variables()}
    free = (n for k in count() if f"{scope.name}/{(n := f'{name}_{k}' if k else name)}" not in taken)
    called = name if scope.reuse else next(free)
    return get_variable(called, shape=shape, dtype=variable.dtype, initializer=Zeros(), trainable=False)


class ExponentialMovingAverage:
    """Keeps an average of each of some variables and tensors: average -= (1 - decay) * (average - value) at each step.

    `decay` is a number or tensor near 1; with `num_updates`, a count of steps, it is at most (1 + n) / (10 + n).  Averages
    of variables begin as the variables do, those of tensors at 0, which `zero_debias` makes good."""

    def __init__(self, decay: Any, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage") -> None:
        self._decay, self._num_updates, self._zero_debias, self._name = decay, num_updates, zero_debias, name
        self._averages: dict[Variable | Tensor, Variable] = {}

    @property
    def name(self) -> str:
        return self._name

    def apply(self, var_list: Sequence[Variable | Tensor] | None = None) -> Operation:
        """The operation that moves the averages of `var_list` (variables and tensors; default: the trainable variables).

        TypeError for what is not of floats, ValueError for a tensor of unknown shape."""
        followed = trainable_variables() if var_list is None else list(var_list)
        graph = graph_of(followed)
        with Attempt(graph, "ExponentialMovingAverage", self._name, {f"variable {k}": v for k, v in enumerate(followed)}):
            for v in followed:
                if not isinstance(v, Variable | Tensor):
                    raise TypeError(f"{v!r} is neither a variable nor a tensor")
                if not v.dtype.is_floating:
                    raise TypeError(f"The variables must be half, float, or double: {v.name}")
            fresh = {v: self._start(v) for v in followed if v not in self._averages}
            with graph.name_scope(self._name) as scope:
                decay = convert(self._decay, name="decay", graph=graph)
                if self._num_updates is not None:
                    n: Any = math.cast(self._num_updates, decay.dtype, name="num_updates")
                    decay = math._made["minimum"](decay, (1.0 + n) / (10.0 + n))
                averages = self._averages | fresh
                debias = [v for v in fresh if self._zero_debias and isinstance(v, Tensor)]
                moved = [assign_moving_average(averages[v], v, decay, v in debias) for v in followed]
                done = group(*moved, name=scope)
        self._averages = averages
        return done

    def _start(self, v: Variable | Tensor) -> Variable:
        with v.graph.control_dependencies(None):
            if isinstance(v, Variable):
                v.graph.add_to_collection(MOVING_AVERAGE_VARIABLES, v)
                return slot(v, v.initialized_value(), self._name)
            shape = v.shape.as_list() if v.extents is not None else [None]
            if None in shape:
                raise ValueError(f"the average of {v.described()} needs a shape that is known")
            return slot(v, np.zeros(shape, v.dtype.as_numpy_dtype), self._name)

    def average(self, var: Variable | Tensor) -> Variable | None:
        """The variable that holds the average of `var`, or None."""
        return self._averages.get(var)

    def average_name(self, var: Variable | Tensor) -> str:
        """The name of the average of `var`, also before there is one."""
        if var in self._averages:
            return self._averages[var].op.name
        return get_default_graph().unique_name(f"{var.op.name}/{self._name}", mark=False)

    def variables_to_restore(self, moving_avg_variables: Sequence[Variable] | None = None) -> dict[str, Variable]:
        """{name in a checkpoint: variable} for a `Saver` that restores averages in the place of the variables they follow.

        `moving_avg_variables` (default: those with averages and the trainable ones) are restored under the names of their
        averages, all other variables under their own."""
        if moving_avg_variables is None:
            moving_avg_variables = [*trainable_variables(), *moving_average_variables()]
        found = {self.average_name(v): v for v in dict.fromkeys(moving_avg_variables)}
        names = {v.name for v in moving_avg_variables}
        for v in global_variables():
            if v.name not in names:
                found.setdefault(v.op.name, v)
        return found
