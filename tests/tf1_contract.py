"""The names that real programs use most, and for each a check of what it means.

Law of this file: it only collects; the checks lie in tf1_checks_*.py, and what is missing has none.
"""

from __future__ import annotations

from tests import tf1_checks_graphs, tf1_checks_values
from tests.tf1_checks import CHECKS

MISSING = (
    "estimator.DNNClassifier",
    "estimator.inputs.numpy_input_fn",
    "examples.tutorials.mnist.input_data.read_data_sets",
    "feature_column.numeric_column",
    "keras.datasets.mnist.load_data",
)
"""Names that stay missing, with the words of tf1.py."""

FILES = (tf1_checks_values, tf1_checks_graphs)
CONTRACT = sorted([*CHECKS, *MISSING])
"""Every name."""
