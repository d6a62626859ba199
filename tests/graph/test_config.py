"""The option table: typed values read from the environment at the moment they are asked for."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from symgraph import config


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SYMGRAPH_DEBUG", "5", 5),
        ("SYMGRAPH_DEBUG", " 4 ", 4),
        ("SYMGRAPH_DEBUG", "", 0),
        ("SYMGRAPH_CHECK", "2", 2),
        ("SYMGRAPH_BACKEND", "Python", "python"),
        ("SYMGRAPH_CACHE_SIZE", "0", 0),
        ("SYMGRAPH_CACHE_SIZE", "1000", 1000),
        ("SYMGRAPH_CACHE_SIZE", "1.5k", 1536),
        ("SYMGRAPH_CACHE_SIZE", "64M", 64 << 20),
        ("SYMGRAPH_CACHE_SIZE", "2 GiB", 2 << 30),
        ("SYMGRAPH_CACHE_DIR", "/tmp/x", Path("/tmp/x")),
        ("SYMGRAPH_CACHE_DIR", "", None),
        ("SYMGRAPH_THREADS", "", 0),
        ("SYMGRAPH_THREADS", "3", 3),
    ],
)
def test_values_have_their_types(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(name, text)
    assert config.get(name) == value
    assert type(config.get(name)) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SYMGRAPH_DEBUG", "6"),
        ("SYMGRAPH_DEBUG", "-1"),
        ("SYMGRAPH_DEBUG", "yes"),
        ("SYMGRAPH_CHECK", "3"),
        ("SYMGRAPH_BACKEND", "fortran"),
        ("SYMGRAPH_CACHE_SIZE", "-1"),
        ("SYMGRAPH_CACHE_SIZE", "many"),
        ("SYMGRAPH_CACHE_SIZE", "5 MM"),
        ("SYMGRAPH_CACHE_SIZE", "inf"),
        ("SYMGRAPH_CACHE_SIZE", "nan"),
        ("SYMGRAPH_CACHE_DIR", "~nobody-of-this-name/x"),
        ("SYMGRAPH_THREADS", "two"),
        ("SYMGRAPH_THREADS", "-1"),
    ],
)
def test_a_bad_value_names_variable_value_and_choices(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ValueError) as error:
        config.get(name)
    assert f"{name}={text!r}" in str(error.value)
    assert config.find(name).check[0] in str(error.value)


def test_defaults_pass_their_own_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    for option in config.OPTIONS:
        monkeypatch.delenv(option.name, raising=False)
        config.get(option.name)
    assert config.get("SYMGRAPH_CACHE_SIZE") == 512 << 20
    assert config.describe().count("SYMGRAPH_") >= len(config.OPTIONS)


def test_rows_are_frozen_and_distinct() -> None:
    assert len({option.name for option in config.OPTIONS}) == len(config.OPTIONS)
    with pytest.raises(FrozenInstanceError):
        config.OPTIONS[0].default = "1"  # type: ignore[misc]
    with pytest.raises(KeyError, match="SYMGRAPH_DEBUG"):
        config.get("SYMGRAPH_DEBUGG")


def test_override_restores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYMGRAPH_DEBUG", raising=False)
    monkeypatch.setenv("SYMGRAPH_CHECK", "1")
    with config.override(SYMGRAPH_DEBUG=4, SYMGRAPH_CHECK=2):
        assert (config.get("SYMGRAPH_DEBUG"), config.get("SYMGRAPH_CHECK")) == (4, 2)
    assert "SYMGRAPH_DEBUG" not in os.environ
    assert config.get("SYMGRAPH_CHECK") == 1
    with pytest.raises(ValueError), config.override(SYMGRAPH_CHECK=0, SYMGRAPH_DEBUG=9):
        pytest.fail("the block ran with a bad value")
    assert config.get("SYMGRAPH_CHECK") == 1
