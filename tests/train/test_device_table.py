"""Every operation on a simulated device: the table of operations, a case of each row, values and derivatives.

Law of this file: what is tried stands in `op_table`; dtypes and patterns take turns from row to row.  Two blocks of eight lanes
run the generated CUDA source as it is.
"""

from __future__ import annotations

import pytest

import symgraph as sg
from symgraph import config
from tests.train.op_cases import Case, cases
from tests.train.test_op_table import ROWS, build, judge, planned

PARTS = 16


def chosen(number: int) -> Case:
    """The case of a row that is tried."""
    found = list(cases(ROWS[number]))
    return found[number * 7 % len(found)]


def test_the_table_is_whole() -> None:
    assert len(ROWS) > 800 and {chosen(k).dtype for k in range(len(ROWS))} >= {"float32", "float64", "int32", "int64", "bool"}


@pytest.mark.parametrize("part", range(PARTS))
def test_values_and_gradients(part: int) -> None:
    made = wanted = 0
    for number in range(part, len(ROWS), PARTS):
        case = chosen(number)
        sg.reset_default_graph()
        b = build(case)
        with config.override(SYMGRAPH_BACKEND="python"):
            f = sg.function(b.inputs, b.computed, device="cuda")
            made += judge(b, f(*b.arrays))
        assert "cuda.blockIdx" in f.source
        wanted += planned(case)
    assert made == wanted
