"""What programs rely on, name by name; a name that is not there yet is skipped, one that will not be is none."""

from __future__ import annotations

from pathlib import Path

import pytest

import symgraph as sg
from symgraph import tf1
from tests.tf1_checks import CHECKS
from tests.tf1_contract import CONTRACT, MISSING


@pytest.mark.parametrize("first", sorted({check: name for name, check in reversed(CHECKS.items())}.values()))
def test_what_names_mean(first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = CHECKS[first]
    names = [name for name, c in CHECKS.items() if c is check]
    absent = [name for name in names if not tf1.works(sg, name)]
    if absent:
        pytest.skip(f"not there yet: {', '.join(absent)}")
    monkeypatch.setenv("CONTRACT_FOLDER", str(tmp_path))
    check()


def test_the_contract_is_whole() -> None:
    """The names of the five tiers of programs: 130."""
    assert len(CONTRACT) == len(set(CONTRACT)) >= 128
    assert not [name for name in CONTRACT if name not in tf1.names()]
    assert not [name for name in MISSING if tf1.works(sg, name)]
