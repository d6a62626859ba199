"""The table of operations: every row, and what is said about rows.

Law of this file: it only collects; the rows lie by subject in `op_rows_*`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import symgraph as sg
from tests.train import (
    op_rows_array,
    op_rows_clip,
    op_rows_elementwise,
    op_rows_layers,
    op_rows_matrix,
    op_rows_nn,
    op_rows_positions,
    op_rows_windows,
)
from tests.train.op_cases import Row


def attribute(path: str) -> Callable[..., Any]:
    """symgraph's function of that dotted name."""
    found: Any = sg
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _numbered(rows: Iterator[Row]) -> Iterator[Row]:
    """Rows under names of their own."""
    seen: dict[str, int] = {}
    for row in rows:
        k = seen[row.name] = seen.get(row.name, 0) + 1
        yield row if k == 1 else replace(row, label=f"{row.label} #{k}".strip())


def table() -> list[Row]:
    """Every row."""
    e, m, a, n = op_rows_elementwise, op_rows_matrix, op_rows_array, op_rows_nn
    l, p, w = op_rows_layers, op_rows_positions, op_rows_windows
    arrays = (a.movement, a.gathers, a.sources)
    networks = (n.activations, n.cross_entropies, n.weighted, l.activations, l.dense, l.normalization, l.ordering)
    positions = (p.movement, p.running, p.blocks, p.numbers, p.segments, p.masks, p.contractions, p.small)
    windows = (w.convolutions, w.transposes, w.poolings)
    elements = (e.unary, e.binary, e.others, op_rows_clip.norms, m.reductions, m.matrices)
    parts = (*elements, *arrays, e.operators, *networks, *positions, *windows)
    return list(_numbered(row for part in parts for row in part()))


NO_VALUES = {
    "checks": "they fail or do nothing: tests/graph/test_checks.py",
    "control": "order, not values",
    "control_flow": "bodies and branches: tests/graph/test_control_flow.py",
    "core": "what all operations share",
    "derivative": "every gradient check calls it",
    "initialized": "questions about variables: tests/graph/test_environment.py",
    "initializers": "starts of variables: tests/graph/test_initializers.py",
    "places": "sizes that depend on values: tests/graph/test_python.py",
    "python": "Python inside a graph: tests/graph/test_python.py",
    "random": "draws: their streams are tested with the generator",
    "selection": "sizes that depend on values: tests/graph/test_python.py",
    "regularizers": "penalties: tests/graph/test_initializers.py",
    "sampling": "draws, and losses over them: tests/graph/test_sampling.py",
    "indexed_slices": "gradients: tests/train/test_sparse.py",
    "scatter": "variables: tests/train/test_sparse.py",
    "state": "variables",
    "strings": "no numbers: tests/graph/test_python.py",
    "tensor_array": "rows by number: tests/graph/test_tensor_array.py",
}
"""Modules of symgraph.ops whose functions are no operations on values, and why."""


def has_values(function: Any) -> bool:
    """Is it a function of a module of operations on values?"""
    package, _, module = (getattr(function, "__module__", None) or "").rpartition(".")
    return package == "symgraph.ops" and module not in NO_VALUES


NEED_SIZES = {
    "unstack": "how many tensors there are must be known",
    "squeeze": "without an axis, an unknown extent is taken to be more than 1",
    "operator []": "backwards between bounds, a slice must know where the axis ends",
}
"""Why some rows need to know a size while the graph is built; `needs_sizes` says which."""


def needs_sizes(row: Row) -> bool:
    """Is the row one that cannot do without known sizes?"""
    unnamed = row.op == "squeeze" and row.label.endswith("None")
    backwards = row.op == "operator []" and any(f"slice({a}, {b}, -1)" in row.label for a, b in ((3, 0), (3, 1)))
    return row.op == "unstack" or unnamed or backwards
