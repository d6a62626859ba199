"""Work moved out of a loop: what moves, what stays, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgraph.codegen.costs import cost
from symgraph.codegen.hoist import Hoisted, hoist
from symgraph.codegen.ir import Map, MatMul, Program, SizeExpr, SizeOf
from symgraph.codegen.reference import interpret
from symgraph.codegen.sizes import settle
from symgraph.codegen.verify import verify
from tests.codegen import fuzz, programs
from tests.codegen.programs import Writer

rng = np.random.default_rng(0)
LARGE = 3000


def normal(*shape: int, dtype: str = "float32") -> np.ndarray:
    return rng.standard_normal(shape).astype(dtype)


def hoisted(program: Program, algebra: bool = False, varying: tuple[str, ...] = (), sizes: Mapping[str, int] | None = None) -> Hoisted:
    sizes = {n: LARGE for n, _ in program.sizes} if sizes is None else sizes
    h = hoist(program, frozenset(program.inputs) - set(varying), sizes, algebra)
    verify(h.step)
    if h.once:
        verify(h.once)
        assert h.step.inputs == program.inputs + h.once.outputs
        assert set(h.once.inputs) <= set(program.inputs) and set(h.once.states) <= set(program.states)
        assert not h.once.updates
    else:
        assert h.step is program
    return h


def again(h: Hoisted, algebra: bool = False, varying: tuple[str, ...] = (), sizes: Mapping[str, int] | None = None) -> None:
    """There is nothing more to move."""
    assert hoisted(h.step, algebra, varying, sizes).once is None


def steps(program: Program, states, inputs, count: int = 3) -> tuple[list, list]:
    held = [s.copy() for s in states]
    call = interpret(program).bind(held)
    return [call(*inputs) for _ in range(count)], held


def both(program: Program, h: Hoisted, states, inputs) -> tuple[tuple, tuple]:
    """Results and states of some steps, as they were and as they are."""
    made: tuple = ()
    if h.once:
        given_ = dict(zip(program.inputs, inputs, strict=True))
        held = dict(zip(program.states, states, strict=True))
        made = interpret(h.once).bind([held[n] for n in h.once.states])(*(given_[n] for n in h.once.inputs))
    return steps(program, states, inputs), steps(h.step, states, [*inputs, *made])


def same(program: Program, h: Hoisted, states=(), inputs=()) -> None:
    old, new = both(program, h, states, inputs)
    for a, b in zip((*old[0], old[1]), (*new[0], new[1]), strict=True):
        for x, y in zip(a, b, strict=True):
            assert x.dtype == y.dtype and x.shape == y.shape
            np.testing.assert_array_equal(x, y)


def near(program: Program, h: Hoisted, states=(), inputs=(), rtol: float = 1e-5) -> None:
    old, new = both(program, h, states, inputs)
    for a, b in zip((*old[0], old[1]), (*new[0], new[1]), strict=True):
        for x, y in zip(a, b, strict=True):
            assert x.dtype == y.dtype and x.shape == y.shape
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * np.abs(x).max(initial=1))


def made_once(h: Hoisted) -> list[tuple]:
    assert h.once
    table = h.once.table()
    return [table[n].shape for n in h.once.outputs]


# ---------------------------------------------------------------- what moves
def accumulate(w: Writer, x: str) -> Program:
    """A step that adds up x, whatever its shape."""
    total = w.state()
    axes = tuple(range(len(w.shape(x))))
    w.update(total, w.apply("add", total, w.reduce("sum", w.apply("mul", x, w.map(lambda b, t: b.apply("tanh", t), total)), axes)))
    return w.done()


def changing(w: Writer, *shape, dtype: str = "float32") -> str:
    s = w.state(*shape, dtype=dtype)
    w.update(s, w.apply("tanh", s))
    return s


def test_a_reduction_of_a_constant_moves() -> None:
    w = Writer()
    x = w.const(normal(100, 20))
    p = accumulate(w, w.reduce("sum", x, (0,)))
    h = hoisted(p)
    assert made_once(h) == [(20,)] and not any(isinstance(s, Map) and x in s.operands for s in h.step.statements)
    same(p, h, [normal()])
    again(h)


def test_cheap_work_on_what_is_read_anyway_stays() -> None:
    w = Writer()
    x = w.const(normal(LARGE))
    double = w.map(lambda b, x: b.apply("mul", b.literal(2, "float32"), x), x)
    p = accumulate(w, w.map(lambda b, x, d, s: b.apply("add", b.apply("mul", x, s), d), x, double, changing(w)))
    assert hoisted(p).once is None


@pytest.mark.parametrize(("fn", "size", "moves"), [
    ("exp", 3000, True), ("exp", 3000000, False), ("erf", 3000000, True), ("neg", 3000, False),
])  # fmt: skip
def test_what_reading_costs_decides(fn: str, size: int, moves: bool) -> None:
    w = Writer()
    x, s = w.input("n"), changing(w)
    y = w.map(lambda b, x, s: b.apply("mul", b.apply("add", x, s), b.apply(fn, x)), x, s)
    p = accumulate(w, y)
    h = hoisted(p, sizes={"n": size})
    assert (h.once is not None) == moves
    if h.once:
        assert len(h.once.statements) == 1 and "size n" in str(h.once)
        assert fn not in str(h.step)
        same(p, h, [normal(), normal()], [normal(50)])
        again(h, sizes={"n": size})


def test_wide_elements_take_twice_as_long() -> None:
    for dtype in ("float32", "float64"):
        w = Writer()
        x, s = w.const(normal(LARGE, dtype=dtype), dtype), w.state(dtype=dtype)
        y = w.map(lambda b, x, s: b.apply("mul", b.apply("exp", x), b.apply("add", x, s)), x, s)
        w.update(s, w.reduce("sum", y, (0,)))
        p = w.done()
        assert cost(p, {}).bytes in (4 * LARGE + 8, 8 * LARGE + 16)
        assert hoisted(p).once


def test_the_smaller_array_is_stored() -> None:
    """A row sum spread over a matrix: the sums are stored, the matrix is not."""
    w = Writer()
    x, v = w.const(normal(200, 30)), w.state(200, 30)

    def spread(b, r, v):
        return b.apply("add", b.apply("log", b.apply("mul", r, r)), v)

    w.update(v, w.map(spread, w.reduce("sum", x, (1,)), v, index=((0,), (0, 1)), space=(200, 30)))
    p = w.done()
    h = hoisted(p)
    assert made_once(h) == [(200,)] and "log" in str(h.once) and "log" not in str(h.step)
    same(p, h, [normal(200, 30)])


def test_narrowing_a_conversion_only_pays_when_it_makes_less_to_read() -> None:
    for dtype, moves in (("uint8", False), ("float64", True)):
        w = Writer()
        x = w.input("n", dtype=dtype)
        p = accumulate(w, w.map(lambda b, x: b.cast(x, "float32"), x))
        h = hoisted(p, sizes={"n": 10**7})
        assert (h.once is not None) == moves


def test_black_scholes_parts() -> None:
    """log(s / k) and the square root of time hold no volatility; the rest stays."""
    w = Writer()
    spot, strike, time, sigma = w.input("n"), w.input("n"), w.input("n"), w.state("n")
    one = w.map(
        lambda b, s, k, t, v: b.apply(
            "div",
            b.apply("add", b.apply("log", b.apply("div", s, k)), b.apply("mul", t, b.apply("mul", v, v))),
            b.apply("mul", v, b.apply("sqrt", t)),
        ),
        spot, strike, time, sigma,
    )  # fmt: skip
    w.update(sigma, w.map(lambda b, d: b.apply("add", b.literal(0.5, "float32"), b.apply("erf", d)), one))
    p = w.done()
    h = hoisted(p)
    assert "log" not in str(h.step) and "div(log" not in str(h.once)
    assert "sqrt" not in str(h.step) and spot not in [n for s in h.step.statements for n in s.operands]  # type: ignore[union-attr]
    sizes = {"n": 40}
    assert h.gain.after.flops < h.gain.before.flops
    same(p, hoisted(p, sizes=sizes), [np.full(40, 0.3, "float32")], [np.abs(normal(40)) + 1 for _ in range(3)])


def test_linear_algebra_and_movement_of_constants_move() -> None:
    w = Writer()
    a, v = w.input("k", "k"), w.state("k", 1)
    w.update(v, w.apply("tanh", w.matmul(w.linalg("inverse", w.matmul(a, a, ta=True)), v)))
    p = w.done()
    h = hoisted(p, sizes={"k": 6})
    assert [type(s).__name__ for s in h.step.statements] == ["MatMul", "Map"] and "inverse" in str(h.once)
    same(p, h, [normal(6, 1)], [normal(6, 6)])


def test_an_array_that_a_product_reads_whole_is_stored() -> None:
    w = Writer()
    x, v = w.const(normal(300, 40)), w.state(40, 40)
    w.update(v, w.apply("tanh", w.matmul(w.apply("mul", x, x), w.matmul(x, v), ta=True)))
    p = w.done()
    assert made_once(hoisted(p)) == [(300, 40)]


def test_an_output_that_no_step_changes_is_an_output_still() -> None:
    w = Writer()
    x, s = w.const(normal(500)), w.state()
    total = w.reduce("sum", x, (0,))
    w.update(s, w.apply("add", s, total))
    p = w.done(total, s)
    h = hoisted(p)
    assert h.step.outputs == p.outputs and h.step.inputs == (total,)
    same(p, h, [normal()])


# ---------------------------------------------------------------- what stays
def test_states_that_change_are_not_constant() -> None:
    w = Writer()
    s, kept = w.state(100), w.state(100)
    w.update(s, w.apply("exp", w.apply("mul", s, w.apply("exp", kept))))
    p = w.done()
    h = hoisted(p, sizes={})
    assert h.once and h.once.states == (kept,) and len(h.once.statements) == 1
    same(p, h, [normal(100) - 3, normal(100) - 3])
    w.update(kept, s)
    assert hoisted(w.done()).once is None


def test_states_that_a_neighbour_updates_are_not_constant() -> None:
    w = Writer()
    p = w.done(w.reduce("sum", w.apply("exp", w.state("n")), (0,)))
    assert hoist(p, frozenset(), {"n": LARGE}, False).once
    assert hoist(p, frozenset(), {"n": LARGE}, False, changing=frozenset(p.states)).once is None


@pytest.mark.parametrize("algebra", [False, True])
def test_gathered_rows_move_when_rows_and_table_are_constant(algebra: bool) -> None:
    w = Writer()
    table, rows, s = w.input(50, 4), w.input("n", dtype="int64"), w.state(4)
    read = w.map(lambda b, x, s: b.apply("mul", b.apply("exp", x), s), w.gather(table, rows), s)
    w.update(s, w.apply("tanh", w.reduce("sum", read, (0,))))
    p = w.done()
    assert hoisted(p, algebra, varying=(rows,)).once is None
    assert hoisted(p, algebra, varying=(table,)).once is None
    h = hoisted(p, algebra)
    assert made_once(h) == ([(4,)] if algebra else [("n", 4)])
    near(p, h, [normal(4)], [normal(50, 4), rng.integers(0, 50, 30)])


def test_draws_never_move() -> None:
    w = Writer()
    stream, a, b, s = w.state(3, dtype="int64"), w.const(0.0), w.const(1.0), w.state()
    u = w.random("normal", stream, (50,), a, b)
    w.update(s, w.reduce("sum", w.apply("exp", u), (0,)))
    position = w.map(lambda b, p: b.apply("exp", b.cast(p, "float64")), stream)
    p = w.done(position)
    h = hoisted(p)
    assert h.once is None
    same(p, h, [np.array([0, 1, 2]), normal()])


def test_inputs_that_change_are_not_constant_nor_are_their_sizes() -> None:
    w = Writer()
    x, y = w.input("n"), w.input("m")
    count = w.map(lambda b: b.apply("exp", b.cast(b.emit("size", (), "int64", "n"), "float32")), space=("m",))
    p = accumulate(w, w.apply("mul", w.reduce("sum", x, (0,)), w.apply("mul", w.apply("exp", y), count)))
    h = hoisted(p, varying=(x,))
    assert h.once and h.once.inputs == (y,) and "size n" not in str(h.once) and len(h.once.statements) == 1
    assert hoisted(p, varying=(x, y)).once is None
    same(p, h, [normal()], [normal(4), normal(5)])


def test_sizes_in_once_bring_the_arrays_that_they_are_extents_of() -> None:
    w = Writer()
    x, y = w.state("n"), w.input("k")
    w.sizes.append(("nk", SizeExpr("mul", ("n", "k"))))
    big = w.map(lambda b, y: b.apply("mul", y, b.cast(b.emit("size", (), "int64", "nk"), "float32")), y)
    w.update(x, w.map(lambda b, x, t: b.apply("add", x, t), x, w.reduce("sum", w.apply("exp", big), (0,))))
    p = w.done()
    h = hoisted(p)
    assert h.once and h.once.states == (x,) and {n for n, _ in h.once.sizes} == {"n", "k", "nk"}
    assert isinstance(dict(h.once.sizes)["n"], SizeOf)
    same(p, h, [normal(4)], [normal(5) - 30])


# ---------------------------------------------------------------- another form
def regression(
    dtype: str = "float32",
    columns: int = 1,
    weights: bool = False,
    bias: bool = False,
    loss: bool = False,
    rows: int = 400,
    features: int = 7,
) -> Program:
    w = Writer("regression")
    x, y = w.const(normal(rows, features, dtype=dtype), dtype), w.const(normal(rows, columns, dtype=dtype), dtype)
    theta = w.state(features, columns, dtype=dtype)
    e = w.matmul(x, theta)
    if bias:
        b0 = w.state(columns, dtype=dtype)
        e = w.apply("add", e, b0)
    e = w.apply("sub", e, y)
    outputs = [w.reduce("sum", e, (0, 1), lambda b, a: b.apply("mul", a, a))] if loss else []
    d = w.apply("mul", e, w.const(np.abs(normal(rows, 1)), dtype)) if weights else e

    def down(b, s, g):
        return b.apply("sub", s, b.apply("mul", b.literal(0.1 / rows, dtype), g))

    w.update(theta, w.map(down, theta, w.matmul(x, d, ta=True)))
    if bias:
        w.update(b0, w.map(down, b0, w.reduce("sum", d, (0,))))
    return w.done(*outputs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_regression_needs_no_rows(dtype: str, columns: int, weights: bool, bias: bool) -> None:
    p = regression(dtype, columns, weights, bias)
    assert hoisted(p).once is None
    h = hoisted(p, algebra=True)
    table = h.step.table()
    assert all(400 not in table[s.out].shape for s in h.step.statements)
    assert not any(isinstance(s, Map) and 400 in s.space for s in h.step.statements)
    assert (7, 7) in made_once(h) and all(np.prod(s) <= 49 for s in made_once(h))
    assert any(isinstance(s, MatMul) for s in h.step.statements) == (columns > 1)
    assert h.gain.after.flops < h.gain.before.flops / 20 and h.gain.after.bytes < h.gain.before.bytes / 8
    near(p, h, [normal(*p.table()[n].shape, dtype=dtype) for n in p.states], rtol=1e-5 if dtype == "float32" else 1e-10)
    again(h, algebra=True)


def test_sums_are_formed_in_float64() -> None:
    h = hoisted(regression(), algebra=True)
    assert h.once
    table = h.once.table()
    assert all(table[s.out].dtype == "float64" for s in h.once.statements if isinstance(s, MatMul) or isinstance(s, Map) and s.reducer)
    assert all(table[n].dtype == "float32" for n in h.once.outputs)


def test_without_algebra_the_notes_say_what_it_would_win() -> None:
    (note,) = hoisted(regression()).notes
    assert note.startswith("with reassociate=True: sums of products formed once for") and "11,614 flops" in note and "119 flops" in note
    assert any(n.startswith("computed once:") for n in hoisted(regression(), algebra=True).notes)


def test_a_loss_keeps_its_residual() -> None:
    """The square of a residual is never expanded; where memory is what a step waits for, nothing is won then."""
    big = Writer()
    x, y, theta = big.input("m", 30), big.input("m", 1), big.state(30, 1)
    e = big.apply("sub", big.matmul(x, theta), y)
    big.update(theta, big.apply("sub", theta, big.matmul(x, e, ta=True)))
    loss = big.reduce("sum", e, (0, 1), lambda b, a: b.apply("mul", a, a))
    p = big.done(loss)
    h = hoisted(p, algebra=True, sizes={"m": 10**6})
    assert h.once is None and len(h.notes) == 1 and "is needed in the step anyway" in h.notes[0]
    assert hoisted(big.done(), algebra=True, sizes={"m": 10**6}).once
    small = regression(loss=True, columns=5)
    h = hoisted(small, algebra=True)  # where a step waits for arithmetic, half of it is a gain
    assert h.once and h.gain.after.flops < 0.7 * h.gain.before.flops
    assert [s for s in h.step.statements if s.out == small.outputs[0]] == [s for s in small.statements if s.out == small.outputs[0]]
    near(small, h, [normal(7, 5)])


def test_more_features_than_rows_stay() -> None:
    h = hoisted(regression(rows=30, features=200), algebra=True)
    assert h.once is None and "would not save enough" in h.notes[0]


def test_what_bends_along_the_rows_stays() -> None:
    w = Writer()
    x, y, theta = w.const(normal(300, 5)), w.const(normal(300, 1)), w.state(5, 1)
    e = w.apply("sub", w.apply("sigmoid", w.matmul(x, theta)), y)
    w.update(theta, w.apply("sub", theta, w.matmul(x, e, ta=True)))
    h = hoisted(w.done(), algebra=True)
    assert h.once is None and not h.notes


def test_products_in_either_association() -> None:
    """A(Bv), and B'A'(A(Bv) - y): one small matrix."""
    w = Writer()
    a, c, y, v = w.const(normal(500, 40) / 20), w.const(normal(40, 4)), w.const(normal(500, 1)), w.state(4, 1)
    e = w.apply("sub", w.matmul(a, w.matmul(c, v)), y)
    g = w.matmul(c, w.matmul(a, e, ta=True), ta=True)
    w.update(v, w.map(lambda b, v, g: b.apply("sub", v, b.apply("mul", b.literal(1e-3, "float32"), g)), v, g))
    p = w.done()
    h = hoisted(p, algebra=True)
    assert sorted(made_once(h)) == [(4,), (4, 4)]
    near(p, h, [normal(4, 1)])
    again(h, algebra=True)
    w = Writer()
    a, c, v = w.const(normal(30, 40) / 9), w.const(normal(40, 30)), w.state(30, 30)
    w.update(v, w.apply("tanh", w.matmul(w.matmul(v, a), c)))
    p = w.done()
    h = hoisted(p, algebra=True)
    assert made_once(h) == [(30, 30)] and sum(isinstance(s, MatMul) for s in h.step.statements) == 1
    near(p, h, [normal(30, 30)])


def test_polynomial_features() -> None:
    w = Writer()
    x, y = w.input("n"), w.input("n")
    coefficients = [w.state() for _ in range(3)]
    powers = [w.map(lambda b, x: b.literal(1, "float32"), x), x, w.apply("mul", x, x)]
    e = y
    for c, f in zip(coefficients, powers, strict=True):
        e = w.map(lambda b, e, c, f: b.apply("sub", e, b.apply("mul", c, f)), e, c, f)
    for c, f in zip(coefficients, powers, strict=True):
        g = w.map(lambda b, f, e: b.apply("mul", b.apply("mul", f, b.literal(0.1, "float32")), e), f, e, reducer="sum", rank=0)
        n = w.map(lambda b, g, c: b.apply("add", c, b.apply("div", g, b.cast(b.emit("size", (), "int64", "n"), "float32"))), g, c)
        w.update(c, n)
    p = w.done()
    h = hoisted(p, algebra=True)
    assert all(s == () for s in made_once(h)) and all(h.step.table()[s.out].shape == () for s in h.step.statements)
    near(p, h, [normal() for _ in range(3)], [normal(100), normal(100)])
    again(h, algebra=True)


def test_scalars_that_change_and_divisors() -> None:
    w = Writer()
    x, y, s = w.const(normal(300, 6)), w.const(normal(300)), w.const(np.abs(normal(300)) + 1)
    v, rate = w.state(6), w.state()
    p = w.map(lambda b, x, v: b.apply("mul", x, v), x, v, reducer="sum", rank=1)
    e = w.map(
        lambda b, p, r, y, s: b.apply("div", b.apply("neg", b.apply("sub", b.apply("mul", b.apply("tanh", r), p), y)), s), p, rate, y, s
    )
    g = w.map(lambda b, x, e: b.apply("mul", x, e), x, e, index=((1, 0), (1,)), space=(6, 300), reducer="sum", rank=1)
    w.update(v, w.map(lambda b, v, g, r: b.apply("add", v, b.apply("div", g, b.apply("mul", r, b.literal(1e3, "float32")))), v, g, rate))
    w.update(rate, w.apply("tanh", rate))
    program = w.done()
    h = hoisted(program, algebra=True)
    assert sorted(made_once(h)) == [(6,), (6, 6)] and all(300 not in getattr(s, "space", ()) for s in h.step.statements)
    near(program, h, [normal(6), np.full((), 0.7, "float32")])


def test_products_of_two_changing_values_stay() -> None:
    w = Writer()
    x, v, u = w.const(normal(300, 6)), w.state(6, 1), w.state(300, 1)
    e = w.apply("mul", w.matmul(x, v), u)
    w.update(v, w.apply("tanh", w.matmul(x, e, ta=True)))
    w.update(u, w.apply("tanh", e))
    assert hoisted(w.done(), algebra=True).once is None


# ---------------------------------------------------------------- any program
@pytest.mark.parametrize("make", [programs.linear_regression, programs.fed_regression, programs.softmax_net, programs.elementwise])
def test_steps_of_other_tests(make) -> None:
    p = make()
    inputs = [normal(*(LARGE if isinstance(e, str) else e for e in p.table()[n].shape)) for n in p.inputs]
    states = [normal(*p.table()[n].shape) * np.float32(0.3) for n in p.states]
    same(p, hoisted(p), states, inputs)
    if make is not programs.softmax_net:
        near(p, hoisted(p, algebra=True), states, inputs, rtol=1e-4)


def linear_program(seed: int, dtype: str = "float64") -> Program:
    """States that move along sums over rows of what is linear in them, or nearly."""
    r = np.random.default_rng(seed)
    w = Writer(f"linear {seed}")
    rows = w.input("m", 4, dtype=dtype) if r.random() < 0.5 else w.const(r.standard_normal((90, 4)), dtype)
    columns = int(r.choice([1, 2]))
    x = [rows, w.const(r.standard_normal((4, 3)), dtype)]
    data = [w.apply("tanh", w.matmul(rows, w.const(r.standard_normal((4, n)), dtype))) for n in (1, columns)]
    v = [w.state(4, columns, dtype=dtype), w.state(3, columns, dtype=dtype), w.state(columns, dtype=dtype), w.state(dtype=dtype)]
    pool = [w.matmul(rows, v[0]), w.matmul(rows, w.matmul(x[1], v[1])), w.matmul(w.matmul(*x), v[1]), *data]
    for _ in range(r.integers(2, 7)):
        a, b = (str(n) for n in r.choice(pool, 2))
        fn = str(r.choice(["add", "sub", "mul", "div", "neg", "tanh"], p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.05]))
        if fn in ("neg", "tanh"):
            pool.append(w.apply(fn, a))
        elif fn in ("mul", "div"):
            by = str(r.choice([v[3], v[2], data[0], w.const(1.5, dtype)]))
            safe = w.map(lambda b, x: b.apply("add", b.apply("mul", x, x), b.literal(0.7, dtype)), by)
            pool.append(w.apply(fn, a, by if fn == "mul" else safe) if w.shape(a)[1] == columns else a)
        else:
            pool.append(w.apply(fn, a, b) if w.shape(a)[1] == w.shape(b)[1] else a)
    e = pool[-1] if w.shape(pool[-1])[1] == columns else w.apply("add", pool[0], pool[-1])
    g = [w.matmul(rows, e, ta=True), w.reduce("sum", e, (0,)), w.reduce("sum", e, (0, 1))]
    g.insert(1, w.matmul(x[1], g[0], ta=True))
    for s, d in zip(v, g, strict=True):
        w.update(s, w.map(lambda b, s, d: b.apply("sub", s, b.apply("mul", d, b.literal(1e-4, dtype))), s, d))
    return w.done(*(pool[-1:] if r.random() < 0.2 else ()))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_linear_programs_keep_their_meaning(seed: int) -> None:
    p = linear_program(seed)
    h = hoisted(p, algebra=True, sizes={"m": 90})
    near(p, h, [rng.standard_normal(p.table()[n].shape) for n in p.states], [rng.standard_normal((90, 4)) for _ in p.inputs], rtol=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([1, 10**6]))
def test_random_programs_keep_their_meaning(seed: int, algebra: bool, pretended: int) -> None:
    program, states, inputs = fuzz.program(seed)
    true = settle(program, {n: x.shape for n, x in (*zip(program.inputs, inputs, strict=True), *zip(program.states, states, strict=True))})
    sizes = {n: k * pretended for n, k in true.items()}  # what is worth moving is decided by sizes alone
    varying = tuple(program.inputs[:1]) if seed % 3 == 0 else ()
    h = hoisted(program, algebra, varying, sizes)
    if algebra:
        near(program, h, states, inputs, rtol=2e-4)
    else:
        same(program, h, states, inputs)
        again(h, False, varying, sizes)
