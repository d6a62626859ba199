"""Regions of long kernels as functions: what is computed stays, equal regions are one function, and no name is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symgraph.codegen import cuda, outline
from symgraph.codegen.loops import Accumulate, Break, Call, Comment, For, Function, If, Let, Node, Return, Store
from tests.codegen import fuzz, programs
from tests.codegen.test_grid import check, f32

EVERYTHING = cuda.translate(programs.linear_regression(30), 8).kernel


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "LONG", 0)
    monkeypatch.setattr(outline, "LEAST", 2)


def outlined(*body: Node) -> tuple[Node, ...]:
    return outline.outline(replace(EVERYTHING, body=body)).body


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed: int, everywhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "MOST", (400, 12)[seed % 2])
    assert "region0(" in check(*fuzz.program(seed)).source or seed not in (0, 1, 2)


@pytest.mark.parametrize("seed", range(4))
def test_random_loops(seed: int, everywhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "MOST", (12, 400)[seed % 2])
    check(*fuzz.looped(seed))


def test_a_net(everywhere: None) -> None:
    sizes = (12, 12, 5)
    states = [x for a, b in ((12, 12), (12, 5)) for x in (f32(a, b), np.zeros(b, np.float32))]
    made = check(programs.softmax_net(10, sizes), states, [f32(10, 12), np.eye(5, dtype=np.float32)[np.arange(10) % 5]], tolerance=1e-3)
    assert "@inlined\ndef region0(" in made.source


def test_short_kernels_stay() -> None:
    assert outline.outline(EVERYTHING) is EVERYTHING


def region(array: str, *more: Node, var: str = "j0", spread: str = "") -> For:
    return For(var, "9", (Let("v0", f"{array}[{var}]"), Store(array, var, "v0 + x0[0]"), *more), spread)


def test_equal_regions_are_one_function(everywhere: None) -> None:
    x = Let("x0", "b4[3:]")
    body = outlined(x, region("b1", Comment("first")), region("b2", var="j7"))
    assert body == (
        x,
        Function("region0", ("b1", "x0"), (region("b1", Comment("first")),)),
        Call("region0(b1, x0)"),
        Call("region0(b2, x0)"),
    )
    for other in (region("x0"), region("b1", spread="member"), region("b1", Store("b1", "0", "2"))):
        calls = [n for n in outlined(x, region("b1"), other) if isinstance(n, Call)]
        assert [c.text.partition("(")[0] for c in calls] == ["region0", "region1"]
    assert calls[1].text == "region1(b1, x0)"
    (*_, call) = outlined(x, region("b1", spread="team"))
    assert call == Call("region0(tid, nthreads, lane, b1, x0)")


@pytest.mark.parametrize(
    "body",
    [
        (region("b1"), Store("b2", "0", "v0")),  # read after it
        (Let("a0", "0"), For("j0", "9", (Accumulate("a0", "sum", "b1[j0]", "float32"),)), Store("b2", "0", "a0")),
        (Let("v1", "0"), For("j0", "9", (Store("b2", "0", "v1"), Let("v1", "b1[j0]")))),  # left for the next round
        (If("b1[0] > 0", (Store("b1", "0", "0"), Return())),),
    ],
)
def test_names_that_leave_a_region_keep_it_where_it_is(body: tuple[Node, ...], everywhere: None) -> None:
    assert outlined(*body) == body


def test_a_loop_that_is_left_is_one_region(everywhere: None) -> None:
    stop = If("b1[0] > 0", (Store("b1", "0", "0"), Break()))
    loop = For("step0", "9", (stop, Store("b2", "step0", "1"), region("b3")))
    assert outlined(loop) == (Function("region0", ("b1", "b2", "b3"), (loop,)), Call("region0(b1, b2, b3)"))
