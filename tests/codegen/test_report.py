"""What a report says a step costs."""

from __future__ import annotations

import re

import pytest

from symgraph import codegen
from symgraph.codegen import report
from tests.codegen import programs
from tests.codegen.programs import Writer


def made(program) -> report.Made:
    return codegen.compile(program, target="python").report


def test_constant_work_is_not_counted_for_each_row() -> None:
    w = Writer()
    x, a, b = w.input("n", 3), w.input(40, 50), w.input(50, 60)
    m = made(w.done(w.matmul(a, b), w.reduce("sum", x, (0, 1))))
    constant, slope = 2 * 40 * 50 * 60, 3
    assert m.flops({"n": 10}) == constant + 10 * slope
    moved = 4 * (40 * 50 + 50 * 60 + 40 * 60)
    assert m.bytes({"n": 10}) == moved + 10 * 4 * 3
    assert f"about {constant} flops and {moved} bytes of arrays a step, and {slope} flops and 12 bytes for each unit of n\n" in str(m)


@pytest.mark.parametrize("program", [programs.fed_regression(), programs.softmax_net("m"), programs.elementwise()])
def test_the_parts_add_up(program) -> None:
    m = made(program)
    (line,) = re.findall("about .*", str(m))
    flops, moved, *slopes = (int(k) for k in re.findall(r"\b(\d+) (?:flops|bytes)", line))
    (size,) = dict(program.sizes)
    for n in (1, 2, 10):
        assert (m.flops({size: n}), m.bytes({size: n})) == (flops + n * slopes[0], moved + n * slopes[1])


def test_products_of_sizes_are_units() -> None:
    w = Writer()
    x, y = w.input("n", 4), w.input(4, "k")
    text = str(made(w.done(w.matmul(x, y))))
    assert "about 0 flops and 0 bytes of arrays a step, and 0 flops and 16 bytes for each unit of k, and 8 flops and 4 bytes" in text
    assert "for each unit of k * n, and 0 flops and 16 bytes for each unit of n\n" in text


@pytest.mark.parametrize(
    ("fn", "flops"),
    [
        ("inverse", 2 * 30**3),
        ("solve", 2 / 3 * 30**3 + 2 * 30**2 * 7),
        ("cholesky", 30**3 / 3),
        ("determinant", 2 / 3 * 30**3),
        ("logdet", 2 / 3 * 30**3),
    ],
)
def test_linear_algebra_counts(fn: str, flops: float) -> None:
    for batch, times in (((), 1), ((5,), 5), ((2, 3), 6), (("n",), 1)):
        w = Writer()
        args = [w.input(*batch, 30, 30)] + [w.input(*batch, 30, 7)] * (fn == "solve")
        m = made(w.done(w.linalg(fn, *args)))
        assert m.flops() == round(times * flops)
        assert f"{round(times * flops)} flops and " in str(m)
