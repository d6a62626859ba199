"""Programs by three routes: the interpreter judges, generated source as plain Python and compiled by Numba must agree."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph import codegen
from symgraph.codegen.ir import MatMul, Program
from symgraph.codegen.loops import count
from tests.codegen import programs
from tests.codegen.programs import Writer
from tests.codegen.routes import check, run

rng = np.random.default_rng(0)


def f32(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


# ---------------------------------------------------------------- whole steps
@pytest.mark.parametrize("m", [1, 7, 256, 1000])
def test_linear_regression_is_one_pass(m: int) -> None:
    made = check(programs.linear_regression(m), [f32(9, 1)], compiled=m == 1000)
    rows = [p for p in made.report.plans if p.phase.kind == "rows"]
    assert [len(p.stages) for p in rows] == ([1] if m > 7 else [])
    assert made.report.kernel.barriers <= 1


@pytest.mark.parametrize("m", [0, 1, 5, 300, 1025])
def test_fed_regression(m: int) -> None:
    check(programs.fed_regression(), [f32(3, 1)], [f32(m, 3), f32(m, 1)], compiled=m == 300)


@pytest.mark.parametrize("batch", [50, "m"])
def test_softmax_net(batch: int | str) -> None:
    states = [f32(20, 12) * 0.3, f32(12), f32(12, 5) * 0.3, f32(5)]
    labels = np.eye(5, dtype=np.float32)[rng.integers(0, 5, 50)]
    check(programs.softmax_net(batch), states, [f32(50, 20), labels], rtol=1e-4, atol=1e-4)


def test_wide_net_multiplies_tile_by_tile() -> None:
    sizes = (100, 80, 60)
    states = [f32(100, 80) * 0.1, f32(80), f32(80, 60) * 0.1, f32(60)]
    labels = np.eye(60, dtype=np.float32)[rng.integers(0, 60, 150)]
    made = check(programs.softmax_net("m", sizes), states, [f32(150, 100), labels], rtol=1e-4, atol=2e-4)
    assert "tile_f32" in made.source


def test_elementwise_is_one_loop() -> None:
    made = check(programs.elementwise(), (), [f32(500, 7), f32(500, 7)])
    (plan,) = made.report.plans
    assert plan.phase.flat and len(plan.stages) == 1 and len(plan.stages[0].groups) == 1
    assert count(made.report.kernel.body)["For"] <= 4  # blocks, elements, and the blocks of the sum once more


def test_deep_programs_are_interpreted() -> None:
    program = programs.deep(5000)
    assert not codegen.worth_compiling(program)
    with pytest.raises(codegen.ProgramTooLong, match="5000 statements"):
        codegen.compile(program)
    (y,) = codegen.interpret(program).bind()(np.zeros(3, np.float32))
    np.testing.assert_array_equal(y, np.full(3, 5000))


# ---------------------------------------------------------------- single statements
def test_reducers() -> None:
    for shape in ((4, 5, 3), (700, 5, 3), (0, 5, 3)):
        x = f32(*shape)
        w = Writer()
        a = w.input("n", 5, 3)
        outs = []
        for reducer in ("sum", "prod", "max", "min"):
            outs += [w.reduce(reducer, a, axes) for axes in ((0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2))]
        positive = lambda b, v: b.apply("gt", v, b.literal(0, "float32"))  # noqa: E731
        outs += [w.reduce(r, a, axes, positive) for r in ("any", "all") for axes in ((0,), (2,), (0, 1, 2))]
        outs += [w.reduce(r, a, (axis,)) for r in ("argmax", "argmin") for axis in (0, 1, 2)]
        check(w.done(*outs), (), [x], compiled=shape[0] == 700, rtol=1e-4, atol=1e-4)


def test_integers() -> None:
    for dtype in ("int32", "int64", "uint8", "int8"):
        w = Writer()
        x, y = w.input("n", 4, dtype=dtype), w.input("n", 4, dtype=dtype)
        outs = [w.apply(fn, x, y) for fn in ("add", "mul", "sub", "floordiv", "floormod", "truncdiv", "maximum", "minimum")]
        outs += [w.reduce(r, x, (0,)) for r in ("sum", "max", "min", "argmax")] + [w.reduce("sum", x, (0, 1))]
        outs += [w.map(lambda b, x, t=dtype: b.apply("power", x, b.literal(3, t)), x)]
        outs += [w.map(lambda b, x, t=t: b.cast(x, t), x) for t in ("float32", "bool", "int32")]
        values = rng.integers(0 if dtype == "uint8" else -100, 100, (2, 600, 4)).astype(dtype)
        values[1, ::7] = 0
        info = np.iinfo(dtype)
        edges = np.array([info.min, info.min + 1, info.max, -1 if info.min else 1, 1, 2, 3], dtype)
        values[:, :49, 0] = np.stack(np.meshgrid(edges, edges)).reshape(2, -1)
        program = w.done(*outs)
        check(program, (), list(values), compiled=dtype in ("int32", "int64", "uint8"))
        found = run(codegen.interpret(program), (), list(values))[0][0][5][:, 0]
        for n, d, q in zip(*values[:, :, 0].tolist(), found.tolist(), strict=True):
            exact = abs(n) // abs(d) * (1 if (n < 0) == (d < 0) else -1) if d else 0
            assert q == exact or exact > info.max, (n, d)


def test_scalar_functions() -> None:
    from symgraph.codegen.scalar import FUNCTIONS

    for dtype in ("float32", "float64"):
        w = Writer()
        x, y = w.input("n", dtype=dtype), w.input("n", dtype=dtype)
        outs = []
        for name, row in FUNCTIONS.items():
            if name in ("select", "logical_and", "logical_or", "logical_not"):
                continue
            outs.append(w.apply(name, x, y) if row.arity == 2 else w.apply(name, x))

        def test(b, x, y):
            return b.apply("select", b.apply("logical_or", b.apply("lt", x, y), b.apply("logical_not", b.apply("isnan", x))), x, y)

        outs.append(w.map(test, x, y))
        edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 2.5, -2.5]
        a, b = np.meshgrid(edges, edges)
        x_, y_ = (np.concatenate([v.ravel(), rng.standard_normal(5000) * 3]).astype(dtype) for v in (a, b))
        check(w.done(*outs), (), [x_, y_], rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6 if dtype == "float32" else 1e-14)


def test_nan_and_infinity_survive() -> None:
    w = Writer()
    x = w.input("n")
    outs = [
        w.apply("sub", x, x),
        w.map(lambda b, x: b.apply("eq", x, x), x),
        w.reduce("max", x, (0,)),
        w.reduce("sum", x, (0,)),
        w.reduce("argmax", x, (0,)),
    ]
    for bad in (np.nan, np.inf, -np.inf):
        data = f32(3000)
        data[1234] = bad
        check(w.done(*outs), (), [data], compiled=bool(np.isnan(bad)))


def test_moves() -> None:
    for n in (6, 700):
        w = Writer()
        x = w.input(n, 6, 4)
        reverse = w.slice(x, (n, 3, 2), (n - 1, 5, 0), (-1, -2, 2))
        columns = w.slice(x, (n, 2, 4), (0, 1, 0), (1, 2, 1))
        doubled = w.apply("add", columns, columns)
        back = w.place(doubled, (n, 6, 4), (0, 1, 0), (1, 2, 1))
        rows = w.place(x, (n + 5, 6, 4), (2, 0, 0))
        side = w.concat(2, x, back, extent=8)
        below = w.concat(0, x, rows, extent=2 * n + 5)
        flat = w.reshape(x, 6 * n, 4)
        again = w.apply("mul", flat, flat)
        total = w.reduce("sum", side, (1, 2))
        check(w.done(reverse, columns, doubled, back, rows, side, below, flat, again, total, x, x), (), [f32(n, 6, 4)], compiled=n == 700)


def test_matrix_products() -> None:
    for batch in ((), (3,), (2, 3)):
        for m, k, n in ((70, 40, 30), (3, 4, 5), (600, 3, 1), (1, 100, 100)):
            for ta in (False, True):
                for tb in (False, True):
                    w = Writer()
                    a, b = w.input(*batch, *((k, m) if ta else (m, k))), w.input(*((n, k) if tb else (k, n)))
                    p = w.matmul(a, b, ta, tb)
                    q = w.apply("add", p, w.const(1.0))
                    arrays = [f32(*w.shape(a)), f32(*w.shape(b))]
                    check(w.done(q, p), (), arrays, compiled=m == 70 and ta != tb and len(batch) < 2, rtol=1e-4, atol=1e-4)


def test_labels_of_every_pattern() -> None:
    """Transposes, diagonals, outer products, broadcasts, and the index of an element."""
    for n in (4, 300):
        w = Writer()
        x, v, col, one = w.input(n, n), w.input(n), w.input(n, 1), w.input(1, 1)
        both = lambda b, *xs: b.apply("add", *xs)  # noqa: E731
        outs = [
            w.map(both, x, x, index=((1, 0), (0, 1)), space=(n, n)),
            w.map(lambda b, d: d, x, index=((0, 0),), space=(n,)),
            w.map(lambda b, d: d, x, index=((0, 0),), space=(n,), reducer="sum", rank=0),
            w.map(both, v, v, index=((0,), (1,)), space=(n, n)),
            w.map(both, x, col),
            w.map(both, x, one),
            w.map(
                lambda b, x: b.apply(
                    "add", x, b.cast(b.apply("sub", b.emit("index", (), "int64", 0), b.emit("index", (), "int64", 1)), "float32")
                ),
                x,
            ),
            w.map(both, x, x, index=((0, 2), (2, 1)), space=(n, n, n), reducer="max", rank=2) if n == 4 else w.apply("add", v, v),
            w.map(lambda b: b.emit("index", (), "int64", 0), space=(n,)),
            w.map(lambda b: b.literal(2.5, "float32"), space=(n, 2)),
        ]
        check(w.done(*outs), (), [f32(n, n), f32(n), f32(n, 1), f32(1, 1)], compiled=n == 300, atol=1e-4)


def test_unknown_extents_everywhere() -> None:
    w = Writer()
    x, u = w.input("m", "k"), w.input("k", "n")
    p = w.matmul(x, u)
    s = w.map(lambda b, p: b.apply("tanh", p), p)
    outs = [
        s,
        w.reduce("sum", s, (1,)),
        w.reduce("max", s, (0,)),
        w.reduce("sum", s, (0, 1)),
        w.matmul(x, s, ta=True),
        w.matmul(s, s, tb=True),
    ]
    check(w.done(*outs), (), [f32(130, 17) * 0.1, f32(17, 23)], atol=1e-4)
    check(w.done(*outs), (), [f32(0, 17), f32(17, 23)], compiled=False)


def test_linear_algebra() -> None:
    a = f32(3, 4, 4)
    spd = (a @ a.transpose(0, 2, 1) + 4 * np.eye(4)).astype(np.float32)
    w = Writer()
    m, b, s = w.input(3, 4, 4), w.input(3, 4, 2), w.state(3, 4, 4)
    outs = [w.linalg("inverse", m), w.linalg("solve", m, b), w.linalg("cholesky", m), w.linalg("determinant", m), w.linalg("logdet", m)]
    w.update(s, w.map(lambda q, s, i: q.apply("add", s, i), s, outs[0]))
    program = w.done(*outs)
    start = f32(3, 4, 4)
    check(program, [start], [spd, f32(3, 4, 2)], rtol=1e-3, atol=1e-3)
    singular = spd.copy()
    singular[1] = 0
    for made in (codegen.interpret(program), codegen.compile(program, target="python"), codegen.compile(program)):
        held = start.copy()
        call = made.bind([held])
        with pytest.raises(FloatingPointError, match="inverse 'l' test.py"):
            call(singular, f32(3, 4, 2))
        np.testing.assert_array_equal(held, start)
        call(spd, f32(3, 4, 2))


def test_random_streams() -> None:
    w = Writer()
    stream, other = w.state(3, dtype="int64"), w.state(3, dtype="int64")
    a, b = w.const(0.0), w.const(2.0)
    outs = [w.random(fn, stream, (100, 3), a, b) for fn in ("uniform", "normal", "truncated_normal")]
    outs.append(w.random("uniform", other, (), a, b))
    outs.append(w.random("uniform_int", other, (50,), w.const(3, "int32"), w.const(9, "int32"), dtype="int32"))
    outs.append(w.random("shuffle", other, x=outs[0]))
    outs.append(w.apply("add", outs[1], outs[5]))
    check(w.done(*outs, stream), [np.array([0, 7, 8]), np.array([0, 7, 9])], rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------- states
def test_states_change_at_the_end() -> None:
    w = Writer()
    a, b, n = w.state(5), w.state(5), w.state(dtype="int64")
    total = w.apply("add", a, b)
    w.update(a, b)  # a swap, a sum of old values, a counter
    w.update(b, a)
    w.update(n, w.map(lambda q, n: q.apply("add", n, q.literal(1, "int64")), n))
    check(w.done(a, b, total, n), [f32(5), f32(5), np.array(3)])


def test_old_values_are_read_before_they_go() -> None:
    """Writers that could work in place but must not: somebody still needs the old value."""
    for n in (5, 5000):
        w = Writer()
        a, b, c = w.state(n), w.state(n), w.state(n, n if n == 5 else 3)
        new = w.map(lambda q, a: q.apply("mul", a, q.literal(2, "float32")), a)
        w.update(a, new)
        late = w.map(lambda q, a, t: q.apply("add", a, t), a, w.reduce("sum", new, (0,)))
        w.update(b, late)
        turned = w.map(lambda q, c: q.apply("exp", c), c, index=((1, 0),), space=(n, n)) if n == 5 else w.apply("exp", c)
        w.update(c, turned)
        check(w.done(new, late, a, c), [f32(n), f32(n), f32(*w.shape(c))], compiled=n == 5, rtol=1e-4, atol=1e-3)


def test_in_place_where_nobody_looks() -> None:
    w = Writer()
    a = w.state(9000)
    w.update(a, w.map(lambda q, a: q.apply("mul", a, q.literal(2, "float32")), a))
    made = check(w.done(), [f32(9000)])
    assert not [x for x in made.report.kernel.args if x.role == "scratch"] and not made.report.memory.commits


def test_results_are_fresh_copies() -> None:
    w = Writer()
    x, s, c = w.input(4), w.state(4), w.const([1.0, 2.0])
    twice = w.apply("add", x, s)
    made = codegen.compile(w.done(x, s, c, twice, twice, s), target="python")
    given, held = f32(4), f32(4)
    out = made.bind([held])(given)
    for k, y in enumerate(out):
        assert not any(np.shares_memory(y, z) for z in (given, held, *out[:k]))


# ---------------------------------------------------------------- errors
def test_shapes_that_do_not_fit() -> None:
    program = programs.fed_regression()
    for made in (codegen.interpret(program), codegen.compile(program, target="python")):
        call = made.bind([f32(3, 1)])
        with pytest.raises(ValueError, match=r"input 'x' test.py:0 has shape \(5, 4\), not \(5, 3\)"):
            call(f32(5, 4), f32(5, 1))
        with pytest.raises(ValueError, match=r"has shape \(6, 1\), not \(5, 1\)"):
            call(f32(5, 3), f32(6, 1))
        with pytest.raises(ValueError, match="rank"):
            call(f32(5), f32(5, 1))
        call(f32(5, 3), f32(5, 1))


def test_checks_and_states_that_would_change_shape() -> None:
    from symgraph.codegen.ir import Check

    w = Writer()
    x, y, s = w.input("m"), w.input("k"), w.state("q")
    w.checks.append(Check("m", "k", "x has {left} rows, y has {right}"))
    w.update(s, w.map(lambda b, x: b.apply("exp", x), x))
    program = w.done(y)
    for made in (codegen.interpret(program), codegen.compile(program, target="python")):
        call = made.bind([f32(4)])
        call(f32(4), f32(4))
        with pytest.raises(ValueError, match="x has 4 rows, y has 5"):
            call(f32(4), f32(5))
        with pytest.raises(ValueError, match=r"the new value of state 's' test.py:2 has shape \(5,\), the state has \(4,\)"):
            call(f32(5), f32(5))


def test_states_must_be_what_they_are_said_to_be() -> None:
    made = codegen.compile(programs.fed_regression(), target="python")
    with pytest.raises(ValueError, match="C-contiguous float32 array of rank 2"):
        made.bind([np.zeros((3, 1))])


# ---------------------------------------------------------------- sums
def test_sums_are_exact_to_single_precision() -> None:
    w = Writer()
    x = w.input("n")
    made = codegen.compile(w.done(w.reduce("sum", x, (0,))))
    for data in (rng.random(20640), rng.random(20640) + 100, rng.random(1_000_003)):
        data = data.astype(np.float32)
        (total,) = made.bind()(data)
        assert abs(total - data.sum(dtype=np.float64)) <= 3e-7 * abs(data.sum(dtype=np.float64))


def test_no_inputs_means_no_work_between_calls() -> None:
    made = codegen.compile(programs.linear_regression(300))
    first = run(made, [np.zeros((9, 1), np.float32)], (), steps=1)[0][0][0]
    assert isinstance(first, np.float32)


def descent(read_after: bool = False, fetched: bool = False) -> tuple[Program, list[np.ndarray], list[np.ndarray]]:
    """W <- W - c X'E, with W read in the product that E comes from; and perhaps after it, or returned."""
    w = Writer("descent")
    x, y, weights, c = w.input(40, 24), w.input(40, 20), w.state(24, 20), w.const(0.01)
    e = w.apply("sub", w.matmul(x, weights), y)
    g = w.matmul(x, e, ta=True)
    new = w.map(lambda b, s, c, g: b.apply("sub", s, b.apply("mul", c, g)), weights, c, g)
    w.update(weights, new)
    outputs = [weights] if fetched else []
    if read_after:
        outputs.append(w.reduce("sum", w.matmul(new, weights, tb=True), (0, 1)))
    fill = lambda *shape: np.random.default_rng(0).standard_normal(shape).astype(np.float32)  # noqa: E731
    return w.done(*outputs), [fill(24, 20)], [fill(40, 24), fill(40, 20)]


@pytest.mark.parametrize(("read_after", "fetched"), [(False, False), (True, False), (False, True)])
def test_a_product_is_added_to_the_state_that_it_updates(read_after: bool, fetched: bool) -> None:
    program, states, inputs = descent(read_after, fetched)
    plain = check(program, states, inputs, rtol=1e-4, atol=1e-4)
    onto = [s for s in plain.report.fused.statements if isinstance(s, MatMul) and s.onto]
    assert len(onto) == (0 if read_after else 1)
    assert not onto or f"{onto[0].onto} is updated in place" in str(plain.report)
