"""Rows that are put, and sums of rows by their number, by every route and with teams of one, two and three threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgraph import codegen
from symgraph.codegen import calls, fuse, launch, layout, lower, memory, nests, phases
from symgraph.codegen.ir import First, Program, ProgramError, Scatter
from tests.codegen import fuzz
from tests.codegen.programs import Writer
from tests.codegen.routes import check, run, same_bits

rng = np.random.default_rng(0)
MODULES = (memory, phases, fuse, lower, launch, nests, calls, layout)


def f32(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def ids(n: int, m: int, dtype: str = "int32") -> np.ndarray:
    return rng.integers(0, n, m).astype(dtype)


def kinds(program: Program) -> list[str]:
    return [type(s).__name__ for s in fuse.fuse(program)[0].statements]


def momentum(extent: int = 100, width: int = 8, dtype: str = "int32", read_late: bool = False) -> Program:
    """m and w change in the rows that `at` says: m <- 0.9 m + g, w <- w - m, where g is the sum of all rows of a number."""
    w = Writer("momentum")
    g, at = w.input("r", width), w.input("r", dtype=dtype)
    weights, moments = w.state(extent, width), w.state(extent, width)
    total = w.gather(w.scatter(g, at, extent), at)
    new = w.map(lambda b, m, g: b.apply("add", b.apply("mul", b.literal(0.9, "float32"), m), g), w.gather(moments, at), total)
    w.update(moments, w.put(moments, new, at))
    w.update(weights, w.put(weights, w.apply("sub", w.gather(weights, at), new), at))
    late = [w.reduce("sum", w.apply("tanh", w.gather(weights, at)), (0,))] if read_late else []
    return w.done(w.reduce("sum", new, (0, 1)), *late)


@pytest.mark.parametrize("m", [0, 1, 30, 3000])
@pytest.mark.parametrize("late", [False, True])
def test_a_step_touches_only_the_rows_it_uses(m: int, late: bool) -> None:
    program = momentum(read_late=late)
    states, fed = [f32(100, 8), f32(100, 8)], [f32(m, 8), ids(100, m)]
    made = check(program, states, fed, compiled=m == 3000 and late, rtol=1e-4, atol=1e-3)
    assert kinds(program).count("First") == 1 and "copy_rows" not in made.source
    assert str(made.report).count("updated in place") == 2
    _, held = run(made, states, fed, steps=1)
    used = np.zeros(100, bool)
    used[fed[1]] = True
    for before, after in zip(states, held, strict=True):
        np.testing.assert_array_equal(before[~used], after[~used])
    sums = np.zeros_like(states[1])
    np.add.at(sums, fed[1], fed[0])
    np.testing.assert_allclose(held[1][used], (0.9 * states[1] + sums)[used], rtol=1e-4, atol=1e-4)


def test_no_array_is_as_long_as_the_table() -> None:
    made = codegen.compile(momentum(12345), target="python")
    arrays = [line.split(": ")[1].split()[0] for line in made.source.splitlines() if line[:1] == "#" and "[12345 * 8]" in line]
    assert arrays == ["state", "state"]
    same_bits(run(made, *(given := ([f32(12345, 8), f32(12345, 8)], [f32(700, 8), ids(12345, 700)])), threads=3), run(made, *given))


def test_sums_that_are_seen_stay() -> None:
    for seen in ("output", "elsewhere", "all"):
        w = Writer()
        x, at, other = w.input("r", 3), w.input("r", dtype="int32"), w.input("q", dtype="int32")
        z = w.scatter(x, at, 20)
        outs = [w.gather(z, at), {"output": z, "elsewhere": w.gather(z, other), "all": w.apply("tanh", z)}[seen]]
        program = w.done(*outs)
        assert "First" not in kinds(program)
        check(program, (), [f32(50, 3), ids(20, 50), ids(20, 9)], compiled=False)


def test_sums_of_vectors_and_of_large_blocks() -> None:
    w = Writer()
    x, y, at = w.input("r"), w.input("r", 2, 3, dtype="float64"), w.input("r", dtype="int64")
    out = [w.gather(w.scatter(x, at, 9), at), w.gather(w.scatter(y, at, 9), at), w.gather(w.scatter(y, at, 11), at)]
    program = w.done(*out)
    assert kinds(program).count("First") == 2  # one for each extent
    check(program, (), [f32(40), rng.standard_normal((40, 2, 3)), ids(9, 40, "int64")], compiled=True)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_put(dtype: str) -> None:
    """The last row of a number counts, also where the whole team writes."""
    w = Writer()
    table, rows, at = w.input(70, 3, dtype=dtype), w.input("r", 3, dtype=dtype), w.input("r", dtype="int32")
    program = w.done(w.put(table, rows, at))
    given = [(f32(70, 3) * 9).astype(dtype), (f32(2000, 3) * 9).astype(dtype), ids(70, 2000)]
    made = check(program, (), given, compiled=dtype == "bool")
    wanted = given[0].copy()
    for r, i in enumerate(given[2]):
        wanted[i] = given[1][r]
    np.testing.assert_array_equal(run(made, (), given, threads=3, steps=1)[0][0][0], wanted)


def test_put_twice() -> None:
    w = Writer()
    s, x, a, b = w.state(30, 2), w.input("r", 2), w.input("r", dtype="int32"), w.input("r", dtype="int32")
    w.update(s, w.put(w.put(s, x, a), w.apply("tanh", x), b))
    made = check(w.done(), [f32(30, 2)], [f32(9, 2), ids(30, 9), ids(30, 9)], compiled=False)
    assert "updated in place" in str(made.report)


def test_a_state_that_is_read_afterwards_is_copied() -> None:
    w = Writer()
    s, x, at = w.state(30, 2), w.input("r", 2), w.input("r", dtype="int32")
    new = w.put(s, x, at)
    w.update(s, new)
    check(w.done(w.apply("sub", new, s)), [f32(30, 2)], [f32(9, 2), ids(30, 9)], compiled=False)


def test_a_wrong_number_changes_nothing() -> None:
    for m in (30, 3000):
        states, fed = [f32(100, 8), f32(100, 8)], [f32(m, 8), ids(100, m)]
        fed[1][7] = 100
        for made in (codegen.interpret(momentum()), codegen.compile(momentum(), target="python"), codegen.compile(momentum())):
            held = [s.copy() for s in states]
            with pytest.raises(IndexError, match=r"indices\[7\] = 100 is not in \[0, 100\)"):
                made.bind(held)(*fed)
            same_bits(([], held), ([], states))


def test_what_must_be() -> None:
    w = Writer()
    x, at = w.input("r", 2), w.input("r", dtype="int32")
    z = w.scatter(x, at, 5)
    w.statements[-1] = Scatter(z, x, at, put=True)
    with pytest.raises(ProgramError, match="put onto something"):
        codegen.interpret(w.done(z))
    w.statements[-1] = First(z, x, 5)
    with pytest.raises(ProgramError, match="another shape or dtype"):
        codegen.interpret(w.done(z))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_random_programs(seed: int) -> None:
    """Rows put and summed between element-wise work, with blocks of a few rows."""
    r = np.random.default_rng(seed)
    w = Writer(f"rows {seed}")
    m, n = int(r.choice([0, 1, 5, 40])), int(r.choice([1, 6, 30]))
    states = [w.state(n, 3), w.state(n, 3)]
    x, at, other = w.input("m", 3), w.input("m", dtype=str(r.choice(["int32", "int64"]))), w.input("m", dtype="int32")
    tall, long = list(states), [x]
    for _ in range(int(r.integers(4, 10))):
        place = str(r.choice([at, at, other]))
        match int(r.integers(5)):
            case 0:
                long.append(w.gather(str(r.choice(tall)), place))
            case 1:
                long.append(w.gather(w.scatter(str(r.choice(long)), place, n), place))
            case 2:
                tall.append(w.put(str(r.choice(tall)), str(r.choice(long)), place))
            case 3:
                long.append(w.apply(str(r.choice(["add", "sub", "mul"])), *map(str, r.choice(long, 2))))
            case 4:
                tall.append(w.apply("sin", str(r.choice(tall))))
    for s in states:
        w.update(s, w.put(s, w.apply("tanh", str(r.choice(long))), at) if r.integers(3) else str(r.choice(tall)))
    given = [r.standard_normal((m, 3)).astype(np.float32), r.integers(0, n, m).astype(w.dtype(at)), r.integers(0, n, m).astype(np.int32)]
    with pytest.MonkeyPatch.context() as patch:
        for limits in fuzz.SMALL.values():
            for name, value in limits.items():
                for module in MODULES:
                    if hasattr(module, name):
                        patch.setattr(module, name, value)
        held = [r.standard_normal((n, 3)).astype(np.float32) for _ in states]
        check(w.done(*r.choice(long, 2), str(r.choice(tall))), held, given, compiled=False, rtol=1e-3, atol=1e-3)
