"""Questions about variables: which of them have a value in the session.

Law of this file: Python answers from the session's state, before the run writes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import FailedPreconditionError
from ..graph import Operation, Tensor
from ..host import host
from .core import recording
from .state import Variable, global_variables, local_variables, ref_of


def _without(op: Operation, state: Any) -> list[Operation]:
    return [v for v in op.attrs["variables"] if v.attrs["_node"] not in state.initialized]


@host("IsVariableInitialized", first=True, asks=True)
def _is_initialized(op: Operation, state: Any) -> Any:
    return not _without(op, state)


@host("ReportUninitialized", asks=True)
def _report(op: Operation, state: Any) -> Any:
    return np.array([v.name.encode() for v in _without(op, state)], object)


@host("AssertVariablesInitialized", first=True, asks=True)
def _assert_initialized(op: Operation, state: Any) -> None:
    if lacking := _without(op, state):
        raise FailedPreconditionError(f"Attempting to use uninitialized value {lacking[0].name}", op)


def is_variable_initialized(variable: Any) -> Tensor:
    """Has the variable a value in the session?  A truth value."""
    with recording("IsVariableInitialized", "IsVariableInitialized", variable=variable) as (graph, scope):
        attrs = {"variables": [ref_of(variable).op], "_shapes": [()], "_dtypes": [dtypes.bool]}
        return graph.add("IsVariableInitialized", (), attrs, scope).outputs[0]


def report_uninitialized_variables(var_list: Sequence[Variable] | None = None, name: str = "report_uninitialized_variables") -> Tensor:
    """The names (a vector of strings) of the variables that have no value in the session yet; of all, by default."""
    variables = _listed(var_list)
    with recording("ReportUninitialized", name, variables=variables) as (graph, scope):
        attrs = {"variables": [ref_of(v).op for v in variables], "_shapes": [None]}
        return graph.add("ReportUninitialized", (), attrs, scope, 3 * len(variables) + 20).outputs[0]


def assert_variables_initialized(var_list: Sequence[Variable] | None = None) -> Operation:
    """An operation that fails with FailedPreconditionError unless all of the variables (all, by default) have a value."""
    variables = _listed(var_list)
    with recording("AssertVariablesInitialized", "AssertVariablesInitialized", variables=variables) as (graph, scope):
        attrs = {"variables": [ref_of(v).op for v in variables], "_shapes": []}
        return graph.add("AssertVariablesInitialized", (), attrs, scope)


def _listed(var_list: Sequence[Variable] | None) -> list[Variable]:
    if var_list is not None:
        return list(var_list)
    return global_variables() + local_variables()
