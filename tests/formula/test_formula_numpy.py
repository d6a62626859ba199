"""The NumPy source of a formula: the same values, shapes and dtypes as the interpreter, and nothing that it needs from here.

Law of this file: sources run by `exec` in an empty namespace with warnings as errors.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
from tests.train import op_table
from tests.train.op_cases import Row, cases
from tests.train.test_op_table import Built, build, by_name, run, same

ROWS = op_table.table()


def compiled(t: sg.Tensor, name: str = "g") -> Any:
    """The function that a formula's source defines."""
    space: dict[str, Any] = {}
    exec(sg.formula(t).numpy_source(name), space)
    return space[name]


def called(t: sg.Tensor, values: dict[str, np.ndarray], warn: str = "error") -> Any:
    """Its value at leaves by their names."""
    f = compiled(t)
    needed = f.__wrapped__ if hasattr(f, "__wrapped__") else f
    names = needed.__code__.co_varnames[: needed.__code__.co_argcount]
    with warnings.catch_warnings():
        warnings.simplefilter(warn)  # type: ignore[arg-type]
        return f(**{name: values[name] for name in names})


# ---------------------------------------------------------------- every operation
def judge(b: Built, loose: float) -> int:
    """Each output and gradient of a case against the interpreter."""
    values = {t.op.name: a for t, a in zip(b.inputs, b.arrays, strict=True)}
    values |= {op.name: op.outputs[0].node.attrs[0].value for op in sg.get_default_graph().get_operations() if op.type == "Const"}
    warn = "ignore" if b.case.pattern == "empty" else "error"
    wanted = run("reference", b.inputs, b.computed, b.arrays)
    for k, (t, w) in enumerate(zip(b.computed, wanted, strict=True)):
        same(f"{b.case.name} {k}\n{sg.formula(t).numpy_source()}", called(t, values, warn), w, loose)
    return len(b.computed)


@pytest.mark.parametrize("row", by_name(ROWS))
def test_every_operation(row: Row) -> None:
    """The first case of each pattern, in the first dtype and in turns in the others."""
    tried = [case for case in cases(row) if case.first]
    first = {}
    for case in tried:
        first.setdefault((case.pattern, case.dtype[0]), case)
    checks = 0
    for case in first.values():
        sg.reset_default_graph()
        checks += judge(build(case), 20 * row.loose)
    assert checks
