"""How many threads programs may use: what is set, the environment, and the automatic number."""

import os

import pytest

import symgraph as sg
from symgraph.codegen import threads


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.delenv("SYMGRAPH_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    yield
    sg.set_threads(None)


def test_what_is_set_wins_over_the_environment_and_that_over_the_machine(monkeypatch):
    assert sg.get_threads() == threads.automatic() >= 1
    monkeypatch.setenv("SYMGRAPH_THREADS", "7")
    assert sg.get_threads() == 7
    sg.set_threads(3)
    assert sg.get_threads() == 3
    sg.set_threads(None)
    assert sg.get_threads() == 7
    monkeypatch.setenv("SYMGRAPH_THREADS", "0")
    assert sg.get_threads() == threads.automatic()


@pytest.mark.parametrize("bad", [0, -2, 5000, 2.0, "2", True])
def test_a_bad_number_is_refused_and_changes_nothing(bad):
    sg.set_threads(2)
    with pytest.raises(ValueError if type(bad) is int else TypeError, match=r"set_threads takes .* None for the automatic number; got"):
        sg.set_threads(bad)
    assert sg.get_threads() == 2


@pytest.mark.parametrize(("hint", "most"), [("1", 1), ("1,4", 1), ("0", None), ("many", None), ("100000", None)])
def test_automatic_heeds_what_process_pools_tell_their_children(monkeypatch, hint, most):
    free = threads.automatic()
    monkeypatch.setenv("OMP_NUM_THREADS", hint)
    assert threads.automatic() == (most or free)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_automatic_heeds_affinity():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert threads.automatic() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("listing", "files", "limit"),
    [
        ("0::/a/b\n", {"a/cpu.max": "150000 100000\n", "a/b/cpu.max": "max 100000\n"}, 1.5),
        ("0::/a/b\n", {"cpu.max": "400000 100000\n", "a/b/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/outside/the/container\n", {"cpu.max": "200000 100000\n"}, 2),
        ("4:cpu,cpuacct:/c\n0::/\n", {"cpu,cpuacct/c/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/c/cpu.cfs_period_us": "100000\n"}, 3),
        ("4:cpu:/c\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, threads.MOST),
        ("4:cpuset:/\n", {"cpuset/cpu.max": "100000 100000\n"}, threads.MOST),
        ("", {}, threads.MOST),
    ],
)
def test_quota_is_the_least_of_all_groups_above(tmp_path, listing, files, limit):
    (tmp_path / "groups").write_text(listing)
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert threads.quota(str(tmp_path / "groups"), str(tmp_path / "root")) == limit


def test_quota_where_there_are_no_groups(tmp_path):
    assert threads.quota(str(tmp_path / "none"), str(tmp_path)) == threads.MOST
