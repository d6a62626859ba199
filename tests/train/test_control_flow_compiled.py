"""The loops and branches of tests/graph once more, as compiled kernels."""

from __future__ import annotations

from tests.graph.test_control_flow import *  # noqa: F403
