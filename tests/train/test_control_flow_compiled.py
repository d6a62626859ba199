"""Loops and branches of tests/graph once more, as compiled kernels: one test of each kind, for each is a compile or three."""

from __future__ import annotations

from tests.graph.test_control_flow import (  # noqa: F401
    test_a_body_in_a_body,
    test_branches_write_variables,
    test_cond_takes_a_branch,
    test_derivative_of_a_draw_uses_the_same_draw,
    test_derivative_of_a_number_of_steps_that_values_decide,
    test_number_of_steps_that_is_fed,
    test_recurrence_by_everything,
    test_while_loop_on_a_value,
)
from tests.graph.test_tensor_array import (  # noqa: F401
    test_a_recurrence_is_a_scan,
    test_rows_in_another_order,
    test_rows_that_a_condition_leaves_out,
)
