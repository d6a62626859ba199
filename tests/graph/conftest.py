"""Front-end tests run every program in the NumPy interpreter.

Law of this folder: nothing here imports Numba.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from symgraph.codegen import config


@pytest.fixture(autouse=True)
def reference_backend() -> Iterator[None]:
    with config.override(SYMGRAPH_BACKEND="reference"):
        yield
