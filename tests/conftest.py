"""What all tests share: checked passes, a fresh default graph, goldens, and when a GPU test runs.

Law of this file: nothing here imports the library, so that tests can still measure what importing it does.
"""

from __future__ import annotations

import difflib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("SYMGRAPH_CHECK", "1")  # every compiler pass is verified, here and in child processes

GOLDEN = Path(__file__).parent / "golden" / "sources"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew-goldens", action="store_true", help="write what was produced into tests/golden/sources; review the diff")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if shutil.which("nvidia-smi"):
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))


@pytest.fixture(autouse=True)
def fresh_graph() -> None:
    """Each test starts with an empty default graph, where the graph front end is loaded at all."""
    reset = getattr(sys.modules.get("symgraph"), "reset_default_graph", None)
    if reset:
        reset()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` holds `text` against the file tests/golden/sources/`name`; `--renew-goldens` writes the file."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--renew-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"no golden file {name}; write it with: python -m pytest --renew-goldens")
        kept = path.read_text(encoding="utf-8")
        if kept != text:
            diff = difflib.unified_diff(kept.splitlines(), text.splitlines(), f"golden/{name}", "produced now", lineterm="")
            pytest.fail("\n".join([*diff, "", "if this is meant, renew with: python -m pytest --renew-goldens"]), pytrace=False)

    return check
