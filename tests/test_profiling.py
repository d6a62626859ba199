"""The measuring itself: no time without an equal answer, and ratios against the first side."""

from __future__ import annotations

import time

import numpy as np
import pytest

from profiling.timing import DifferentAnswers, Side, compare, seconds, table, timings


def test_different_answers_are_not_timed() -> None:
    calls = []
    sides = [Side("one", lambda: np.ones(3)), Side("two", lambda: calls.append(0) or np.full(3, 1.001))]
    with pytest.raises(DifferentAnswers, match="two and one disagree"):
        compare(sides)
    assert len(calls) == 1


def test_answers_may_be_read_after_the_run() -> None:
    state = np.zeros(2)
    sides = [Side("constant", lambda: np.ones(2)), Side("changing", lambda: state.__iadd__(1), lambda: np.minimum(state, 1))]
    assert [t.name for t in compare(sides, rounds=2, least=1e-5)] == ["constant", "changing"]


def test_ratio_is_to_the_first_side() -> None:
    quick, slow = compare([Side("quick", lambda: time.sleep(0.001)), Side("slow", lambda: time.sleep(0.005))], rounds=3, least=1e-4)
    assert quick.ratio == 1
    assert slow.ratio > 2


def test_table_and_units() -> None:
    assert [seconds(value) for value in (2.5, 0.0125, 3e-6, 4e-8)] == ["2.5 s", "12.5 ms", "3 us", "40 ns"]
    text = table(timings(["a", "b"], [[1.0, 1.0, 9.0], [2.0, 2.0, 2.0]])).splitlines()
    assert text[1].split() == ["a", "1", "s", "1", "s", "9", "s", "1.00"]
    assert text[2].split()[-1] == "2.00"


def test_every_workload_says_what_it_is() -> None:
    main = pytest.importorskip("profiling.__main__")
    for name, workload in main.WORKLOADS.items():
        assert main.purpose(workload), name
