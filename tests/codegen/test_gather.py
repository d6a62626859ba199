"""Gathers and scatters by every route, with teams of one, two and three threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgraph import codegen
from symgraph.codegen import calls, fuse, ir, launch, layout, lower, memory, nests, phases
from symgraph.codegen.ir import At, Map, Program, ProgramError, Scatter, Within
from tests.codegen import fuzz
from tests.codegen.programs import Writer
from tests.codegen.routes import check, run, same_bits

rng = np.random.default_rng(0)
MODULES = (memory, phases, fuse, lower, launch, nests, calls, layout)


def f32(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def ids(n: int, *shape: int, dtype: str = "int32") -> np.ndarray:
    return rng.integers(0, n, shape).astype(dtype)


def step(w: Writer, x: str, g: str) -> str:
    """x - 0.001 g"""
    return w.map(lambda b, x, g: b.apply("sub", x, b.apply("mul", b.literal(0.001, "float32"), g)), x, g)


def kinds(program: Program) -> list[str]:
    return [type(s).__name__ for s in fuse.fuse(program)[0].statements]


# ---------------------------------------------------------------- gathers
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_every_rank_and_axis(dtype: str) -> None:
    w = Writer()
    x = w.input("n", 7, 3)
    fed = [w.input(dtype=dtype), w.input("m", dtype=dtype), w.input("m", 2, dtype=dtype), w.input(0, dtype=dtype)]
    outs = [w.gather(x, at, axis) for at in fed for axis in (0, 1)]
    outs += [w.gather(w.reduce("sum", x, (2,)), at) for at in fed]
    outs += [w.gather(w.apply("tanh", x), fed[1]), w.reduce("sum", w.gather(x, fed[2]), (0,)), w.gather(w.const(f32(9, 2)), fed[1])]
    outs += [w.gather(x, w.const([6, 0, 6], dtype), 1)]
    check(w.done(*outs), (), [f32(9, 7, 3), *(ids(7, *s, dtype=dtype) for s in ((), (5,), (5, 2), (0,)))], compiled=dtype == "int32")


def test_a_gather_is_read_where_it_is_used() -> None:
    w = Writer()
    x, at, theta = w.const(f32(500, 9)), w.input("m", dtype="int32"), w.state(9, 1)
    rows = w.gather(x, at)
    e = w.matmul(rows, theta)
    w.update(theta, step(w, theta, w.matmul(rows, e, ta=True)))
    program = w.done(e)
    made = check(program, [f32(9, 1)], [ids(500, 3000)])
    assert [type(s).__name__ for s in made.report.fused.statements] == ["Within", "Map", "Map", "Map"]
    assert "packed" not in str(made.report) and "repacked" not in str(made.report)


def test_a_gather_for_a_product_by_blas_is_a_copy_of_rows() -> None:
    w = Writer()
    x, at, a = w.input("n", 100), w.input("m", dtype="int64"), w.input(100, 80)
    made = check(w.done(w.apply("tanh", w.matmul(w.gather(x, at), a))), (), [f32(50, 100), ids(50, 300, dtype="int64"), f32(100, 80) / 10])
    copies = [line.strip() for line in made.source.splitlines() if "= x" in line and "j0" in line]
    assert any(line.endswith("[j0]") for line in copies), copies  # both sides step by one element


def test_coordinates_made_by_the_program() -> None:
    w = Writer()
    x, y = w.input("m", 5), w.input(5, 4)
    best = w.reduce("argmax", x, (1,))
    check(w.done(w.gather(y, best), w.gather(w.gather(y, best), best)), (), [f32(6, 5), f32(5, 4)], compiled=False)
    n = 400
    w = Writer()
    x, y = w.input(n, 5), w.input(5, 4)
    best = w.reduce("argmax", x, (1,))
    check(w.done(w.gather(y, best)), (), [f32(n, 5), f32(5, 4)])


# ---------------------------------------------------------------- scatters
@pytest.mark.parametrize(("rows", "extent", "width"), [(0, 3, 2), (5, 1, 3), (3000, 70, 3), (300, 5000, 1), (40, 200, 33)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_scatter(rows: int, extent: int, width: int, dtype: str) -> None:
    w = Writer()
    x, at = w.input("m", width, dtype=dtype), w.input("m", dtype="int32")
    program = w.done(w.scatter(x, at, extent))
    given = [(100 * f32(rows, width)).astype(dtype), ids(extent, rows)]
    check(program, (), given, compiled=rows == 3000, rtol=1e-4, atol=1e-3)
    if rows == 3000:
        made = codegen.compile(program)
        same_bits(run(made, (), given, threads=3), run(made, (), given))
        (got,) = made.bind()(*given)
        wanted = np.zeros((extent, width), dtype)
        for r, i in enumerate(given[1]):
            wanted[i] += given[0][r]
        np.testing.assert_array_equal(got, wanted)


def factorisation(users: int = 100, items: int = 80, k: int = 8, both: bool = False, fetched: bool = False) -> Program:
    """One SGD step of a matrix factorisation on a batch of ratings; `both`: one table serves users and items."""
    w = Writer("matrix factorisation")
    iu, iv, y = w.input("m", dtype="int32"), w.input("m", dtype="int64"), w.input("m")
    rate = w.const(0.01)
    tables = [w.state(users, k)] if both else [w.state(users, k), w.state(items, k)]
    u, v = w.gather(tables[0], iu), w.gather(tables[-1], iv)
    e = w.apply("sub", w.map(lambda b, u, v: b.apply("mul", u, v), u, v, reducer="sum", rank=1), y)
    times = lambda x: w.map(lambda b, e, x: b.apply("mul", e, x), e, x, index=((0,), (0, 1)), space=w.shape(x))  # noqa: E731
    gradients = [w.scatter(times(v), iu, users), w.scatter(times(u), iv, users if both else items)]
    if both:
        gradients = [w.apply("add", *gradients)]
    for table, g in zip(tables, gradients, strict=True):
        w.update(table, w.map(lambda b, t, c, g: b.apply("sub", t, b.apply("mul", c, g)), table, rate, g))
    return w.done(w.reduce("sum", e, (0,), lambda b, a: b.apply("mul", a, a)), *([gradients[0], tables[0]] if fetched else []))


@pytest.mark.parametrize("m", [0, 30, 3000])
@pytest.mark.parametrize("both", [False, True])
def test_a_step_touches_only_the_rows_it_uses(m: int, both: bool) -> None:
    program = factorisation(both=both)
    states = [f32(100, 8)] if both else [f32(100, 8), f32(80, 8)]
    made = check(program, states, [ids(100, m), ids(80, m, dtype="int64"), f32(m)], compiled=m == 3000 and not both, rtol=1e-4, atol=1e-4)
    assert "add_rows(" in made.source and "zero_rows" not in made.source and "copy_rows" not in made.source
    assert str(made.report).count("updated in place") == len(states)


def test_a_gradient_that_is_seen_stays() -> None:
    given = [ids(100, 60), ids(80, 60, dtype="int64"), f32(60)]
    made = check(factorisation(fetched=True), [f32(100, 8), f32(80, 8)], given, compiled=False)
    assert made.source.count(" zero_rows(") == 1


def test_a_state_that_is_read_afterwards_is_copied() -> None:
    w = Writer()
    at, s = w.input("m", dtype="int32"), w.state(50, 4)
    new = w.map(lambda b, t, g: b.apply("add", t, g), s, w.scatter(w.gather(s, at), at, 50))
    w.update(s, new)
    check(w.done(w.apply("mul", new, s)), [f32(50, 4)], [ids(50, 700)], compiled=False, rtol=1e-3, atol=1e-3)
    w = Writer()
    s, at = w.state("n", 4), w.input("m", dtype="int32")
    check(w.done(w.scatter(w.gather(s, at), at, "n"), s), [f32(50, 4)], [ids(50, 700)], compiled=False, rtol=1e-4, atol=1e-4)


def test_a_state_whose_own_rows_are_scattered_is_copied() -> None:
    w = Writer()
    at, s = w.input(50, dtype="int32"), w.state(50, 4)
    w.update(s, w.apply("add", s, w.scatter(s, at, 50)))
    made = check(w.done(), [f32(50, 4)], [ids(50, 50)], compiled=False, rtol=1e-4, atol=1e-4)
    assert "copy_rows(" in made.source


def test_teams_of_three() -> None:
    states, fed = [f32(100, 8), f32(80, 8)], [ids(100, 3000), ids(80, 3000, dtype="int64"), f32(3000)]
    for fetched in (False, True):
        made = codegen.compile(factorisation(fetched=fetched), target="python")
        same_bits(run(made, states, fed, threads=3, steps=1), run(made, states, fed, steps=1))


# ---------------------------------------------------------------- errors
@pytest.mark.parametrize("wrong", [-1, 80, 2**31])
def test_a_wrong_coordinate_changes_nothing(wrong: int) -> None:
    program = factorisation()
    for m in (30, 3000):
        states, fed = [f32(100, 8), f32(80, 8)], [ids(100, m), ids(80, m, dtype="int64"), f32(m)]
        fed[1][17] = wrong
        for made in (codegen.interpret(program), codegen.compile(program, target="python"), codegen.compile(program)):
            held = [s.copy() for s in states]
            for _ in range(2):
                with pytest.raises(IndexError, match=rf"indices\[17\] = {wrong} is not in \[0, 80\)") as e:
                    made.bind(held)(*fed)
            assert "'g' test.py:" in str(e.value)
            for a, b in zip(held, states, strict=True):
                np.testing.assert_array_equal(a, b)
    with pytest.raises(IndexError):
        codegen.compile(program).bind_team(held, 2)(*fed)


@pytest.mark.parametrize("m", [30, 3000])
def test_called_from_compiled_code_and_from_a_file(m: int, tmp_path) -> None:
    import importlib.util

    made = codegen.compile(factorisation())
    states, fed = [f32(100, 8), f32(80, 8)], [ids(100, m), ids(80, m, dtype="int64"), f32(m)]
    wanted = run(made, states, fed, steps=1)
    spec = importlib.util.spec_from_file_location("saved", made.save_source(tmp_path / "saved.py"))
    assert spec is not None and spec.loader is not None
    saved = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(saved)
    for call in (made.kernel, saved.call):
        held = [s.copy() for s in states]
        np.testing.assert_array_equal(call(*fed, *held), wanted[0][0][0])
        same_bits(([], held), ([], wanted[1]))
        wrong = [fed[0], np.where(np.arange(m) == 3, 80, fed[1]), fed[2]]
        with pytest.raises(IndexError, match="'g' test.py:.* an index is out of range"):
            call(*wrong, *held)
        same_bits(([], held), ([], wanted[1]))


def test_where_a_wrong_coordinate_stands() -> None:
    for shape, at, said in (((3, 4), (1, 2), r"indices\[1, 2\] = 9 "), ((), (), "indices = 9 ")):
        w = Writer()
        program = w.done(w.gather(w.input(5, 2), w.input(*shape, dtype="int32")))
        x = ids(5, *shape)
        x[at] = 9
        for made in (codegen.interpret(program), codegen.compile(program, target="python")):
            with pytest.raises(IndexError, match=said + r"is not in \[0, 5\)"):
                made.bind()(f32(5, 2), x)


def test_trusted_and_known_coordinates_are_not_checked() -> None:
    program = factorisation()
    assert kinds(program).count("Within") == 2
    trusted = replace(program, buffers=tuple(replace(b, trusted=b.dtype[0] == "i") for b in program.buffers))
    assert "Within" not in kinds(trusted)
    check(trusted, [f32(100, 8), f32(80, 8)], [ids(100, 60), ids(80, 60, dtype="int64"), f32(60)], compiled=False)
    for value, checked in (([0, 4], False), ([0, 5], True), ([-1, 0], True)):
        w = Writer()
        assert ("Within" in kinds(w.done(w.gather(w.input(5, 2), w.const(value, "int32"))))) == checked


def test_what_a_gather_must_be() -> None:
    w = Writer()
    x, at, real = w.input("n", 2), w.input("m", dtype="int32"), w.input("m")
    g = w.gather(x, at)
    w.gather(x, real)
    with pytest.raises(ProgramError, match="no integer"):
        codegen.interpret(w.done(g))
    w.statements[-1] = Map(w.statements[-1].out, (x, at), ((At(2), 1), (0,)), ("m", 2), w.statements[0].body)
    with pytest.raises(ProgramError, match="not there"):
        codegen.interpret(w.done(g))
    w.statements[-1] = Map(w.statements[-1].out, (x, at), ((At(1), 1), (At(1),)), ("m", 2), w.statements[0].body)
    with pytest.raises(ProgramError, match="gathered operand"):
        codegen.interpret(w.done(g))
    w.statements[-1] = Scatter(w.statements[-1].out, x, at)
    with pytest.raises(ProgramError, match="coordinate for each row"):
        codegen.interpret(w.done(g))
    assert "x0[x1[i0], i1]" in str(w.done(g))
    assert isinstance(Within("a", "b", 3), ir.Statement)


# ---------------------------------------------------------------- anything
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_random_programs(seed: int) -> None:
    """Gathers and scatters between element-wise work, with blocks of a few rows."""
    r = np.random.default_rng(seed)
    w = Writer(f"gathers {seed}")
    m, n = int(r.choice([0, 1, 5, 40])), int(r.choice([1, 6, 30]))
    static = bool(r.integers(2))
    x, s, at = w.input(n if static else "n", 3), w.state(n, 3), w.input("m", dtype=str(r.choice(["int32", "int64"])))
    where = w.input("k", 2, dtype="int32")
    tall, long = [x, s], []
    for _ in range(int(r.integers(3, 9))):
        a = str(r.choice(tall))
        match int(r.integers(5)):
            case 0:
                long.append(w.gather(a, at))
            case 1 if long:
                tall.append(w.scatter(w.apply("tanh", str(r.choice(long))), at, w.shape(a)[0]))
            case 2 if long:
                long.append(w.apply("mul", *map(str, r.choice(long, 2))))
            case 3:
                b = str(r.choice([t for t in tall if w.shape(t) == w.shape(a)]))
                tall.append(w.apply(str(r.choice(["add", "sub"])), a, b))
            case 4:
                long.append(w.gather(w.apply("sin", a), at))
    outs = [*tall[2:][-2:], *long[-2:], w.gather(tall[-1], where)]
    fits = [t for t in tall if w.shape(t) == (n, 3)]
    w.update(s, step(w, s, str(r.choice(fits))))
    given = [r.standard_normal((n, 3)).astype(np.float32), r.integers(0, n, m).astype(w.dtype(at)), r.integers(0, n, (4, 2), np.int32)]
    with pytest.MonkeyPatch.context() as patch:
        for limits in fuzz.SMALL.values():
            for name, value in limits.items():
                for module in MODULES:
                    if hasattr(module, name):
                        patch.setattr(module, name, value)
        check(w.done(*outs), [r.standard_normal((n, 3)).astype(np.float32)], given, compiled=False, rtol=1e-3, atol=1e-3)
