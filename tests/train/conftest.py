"""What tests of the examples share: an example is run as its users run it, from their own folder's names, where they may write."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SimpleNamespace]]:
    """`start(name)` runs an example in an empty folder and gives the names that it defines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield lambda name, run_name="__main__": SimpleNamespace(**runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=run_name))
    for module in ("data", "digits"):
        sys.modules.pop(module, None)
