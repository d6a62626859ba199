"""Loops inside programs by every route: what they carry, read, stack and when they end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symgraph import codegen
from symgraph.codegen.ir import Loop, Program, ProgramError, Repeat
from symgraph.codegen.verify import verify
from tests.codegen import fuzz
from tests.codegen import test_steps as steps
from tests.codegen.programs import Writer
from tests.codegen.routes import check, run, same_bits

rng = np.random.default_rng(0)


def f32(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32) * np.float32(0.5)


def reference(program: Program, states=(), inputs=()) -> tuple:
    """What the interpreter gives, which every other route gives too, with teams of any size."""
    check(program, [s.copy() for s in states], inputs, compiled=False)
    plain = codegen.compile(program, target="python")
    same_bits(run(plain, states, inputs, threads=3), run(plain, states, inputs))
    return codegen.interpret(program).bind(list(states))(*inputs)


def recurrent(steps="t", batch="m", backwards=False, limited=False, units=4) -> Program:
    """h <- tanh(x W + h U), with the pre-activations stacked."""
    w = Writer("recurrent")
    x, u, v = w.input(steps, batch, 5), w.input(5, units), w.input(units, units)
    h0 = w.input(batch, units)
    limit = w.input(dtype="int32") if limited else None
    b = w.body()
    h, part = b.carried(h0), b.part(x)
    z = b.apply("add", b.matmul(part, b.capture(u)), b.matmul(h, b.capture(v)))
    new = b.apply("tanh", z)
    b.update(h, new)
    n = w.repeat(b, steps, z, new, limit=limit, backwards=backwards)
    return w.done(w.last(n, b, h), w.stack(n, 0), w.stack(n, 1), n)


def recurrent_by_hand(x, u, v, h, number=None, backwards=False):
    steps = len(x)
    number = steps if number is None else min(max(int(number), 0), steps)
    zs = np.zeros((steps, *h.shape), np.float32)
    hs = zs.copy()
    for s in range(number):
        at = number - 1 - s if backwards else s
        zs[at] = x[at] @ u + h @ v
        h = hs[at] = np.tanh(zs[at])
    return h, zs, hs, number


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("number", [None, 0, 1, 4, 6, 9, -2])
def test_slices_stacks_and_carried_values(number, backwards):
    program = recurrent(backwards=backwards, limited=number is not None)
    x, u, v, h = f32(6, 3, 5), f32(5, 4), f32(4, 4), f32(3, 4)
    given = [x, u, v, h] + ([np.asarray(number, np.int32)] if number is not None else [])
    got = reference(program, (), given)
    for a, b in zip(got, recurrent_by_hand(x, u, v, h, number, backwards), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_threads_walk_their_rows_through_all_steps_and_never_meet():
    x, u, v, h = f32(9, 150, 5), f32(5, 40), f32(40, 40) / 6, f32(150, 40)
    made = check(recurrent(units=40), (), [x, u, v, h], rtol=1e-4, atol=1e-5)
    assert "gemm_f32(" in made.source and made.report.kernel.barriers == 1  # after what is carried is copied to its place
    compiled = codegen.compile(recurrent(units=40))
    one, *more = (run(compiled, (), [x, u, v, h], threads=n) for n in (1, 2, 3))
    for other in more:
        same_bits(other, one)


def gated(units=40) -> Program:
    """The gates of a cell cut out of one product, and back: what they become, joined, times the same matrix transposed."""
    w = Writer("gated")
    x, v = w.input("t", "m", 4 * units), w.input(units, 4 * units)
    start = w.map(lambda b, v: b.apply("mul", v, b.literal(0.5, "float32")), w.input("m", units))
    b = w.body()
    h, c = b.carried(start), b.carried(start)
    u = b.capture(v)
    z = b.apply("add", b.part(x), b.matmul(h, u))
    i, j, f, o = (b.slice(z, ("m", units), (0, k * units)) for k in range(4))
    kept = b.map(lambda b, c, f, i, j: b.apply("add", b.apply("mul", c, b.apply("sigmoid", f)), b.apply("mul", i, j)), c, f, i, j)
    b.update(c, kept)
    out = b.map(lambda b, c, o: b.apply("mul", b.apply("tanh", c), b.apply("sigmoid", o)), kept, o)
    parts = [b.map(lambda b, p, c: b.apply("tanh", b.apply("mul", p, c)), p, out) for p in (i, o, f, j)]
    joined = b.concat(1, *parts, extent=4 * units)
    b.update(h, b.matmul(joined, u, tb=True))
    n = w.repeat(b, "t", joined, h)
    return w.done(w.last(n, b, h), w.last(n, b, c), w.stack(n, 0), w.stack(n, 1))


def test_gates_are_cut_and_joined_where_they_lie():
    given = [f32(5, 100, 160), f32(40, 160) / 6, f32(100, 40)]
    made = check(gated(), (), given, rtol=1e-4, atol=1e-4)
    kinds = [home.kind for home in made.report.memory.bodies["n4"].memory.homes.values()]
    assert kinds.count("section") == 8
    loop = made.source[made.source.index("for step0 in range") :]
    assert "barrier_wait" not in loop and "True, w" not in loop  # nobody waits, nothing is transposed


def test_what_is_cut_out_of_a_transposed_stack_is_cut_out_of_the_stack():
    w = Writer("cut")
    x = w.input(5, "m", 3)
    y = w.map(lambda b, x: x, x, index=((1, 0, 2),), space=("m", 5, 3))
    cut = w.slice(y, ("m", 1, 2), (0, 4, 1))
    placed = w.place(w.apply("tanh", cut), ("m", 5, 3), (0, 3, 0))
    back = w.map(lambda b, x: x, placed, index=((1, 0, 2),), space=(5, "m", 3))
    made = check(w.done(cut, back, w.apply("exp", back)), (), [f32(5, 300, 3)])
    shapes = {s.out: made.report.fused.table()[s.out].shape for s in made.report.fused.statements}
    assert [s for s in shapes.values() if s == ("m", 5, 3)] == []


@pytest.mark.parametrize(("short", "long"), [(10, 1000)])
def test_a_number_of_steps_is_a_number_in_the_source(short, long):
    a, b = (codegen.compile(recurrent(n), target="python").source for n in (short, long))
    assert len(a.splitlines()) == len(b.splitlines())
    assert "in range(most" in a and " = 1000" in b


def iterated() -> Program:
    """The greatest eigenvalue: products until it no longer changes, which all threads must learn at once."""
    w = Writer("iterated")
    a, v0 = w.input("n", "n"), w.input("n", 3)
    on = w.const(True, "bool")
    none = w.const(0.0)
    b = w.body()
    v, last, more = b.carried(v0), b.carried(none), b.carried(on)
    y = b.matmul(b.capture(a), v)
    norm = b.apply("sqrt", b.reduce("sum", y, (0, 1), lambda b, x: b.apply("mul", x, x)))
    b.update(v, b.map(lambda b, y, n: b.apply("div", y, n), y, norm, index=((0, 1), ()), space=("n", 3)))
    far = lambda b, n, last: b.apply("gt", b.apply("absolute", b.apply("sub", n, last)), b.literal(1e-2, "float32"))  # noqa: E731
    b.update(more, b.map(far, norm, last))
    b.update(last, norm)
    n = w.repeat(b, 200, norm, condition=more)
    return w.done(w.last(n, b, v), w.last(n, b, last), w.stack(n), n)


def test_threads_end_a_loop_together():
    a = f32(60, 60)
    program, inputs = iterated(), [a @ a.T, f32(60, 3)]
    v, norm, norms, n = reference(program, (), inputs)
    assert 3 < n < 200 and np.all(norms[:n] > 0) and not norms[n:].any()
    np.testing.assert_allclose(norm, np.linalg.eigvalsh(inputs[0])[-1], rtol=1e-2)
    check(program, (), inputs, rtol=1e-3, atol=1e-3)


def collatz(most: bool = False) -> Program:
    """How often n is halved or tripled until it is 1: a condition that is carried."""
    w = Writer("collatz")
    n = w.input(dtype="int64")
    limit = w.input(dtype="int64") if most else None
    first = w.map(lambda b, n: b.apply("gt", n, b.literal(1, "int64")), n)
    b = w.body()
    k, on = b.carried(n), b.carried(first)

    def follow(b, k):
        odd = b.apply("eq", b.apply("floormod", k, b.literal(2, "int64")), b.literal(1, "int64"))
        up = b.apply("add", b.apply("mul", k, b.literal(3, "int64")), b.literal(1, "int64"))
        return b.apply("select", odd, up, b.apply("floordiv", k, b.literal(2, "int64")))

    new = b.map(follow, k)
    b.update(k, new)
    b.update(on, b.map(lambda b, k: b.apply("gt", k, b.literal(1, "int64")), new))
    loop = w.repeat(b, None, limit=limit, condition=on)
    return w.done(loop, w.last(loop, b, k))


@pytest.mark.parametrize(
    ("n", "most", "wanted"), [(27, None, (111, 1)), (1, None, (0, 1)), (6, 3, (3, 5)), (6, 0, (0, 6)), (6, 99, (8, 1))]
)
def test_a_condition_ends_a_loop_that_nothing_else_bounds(n, most, wanted):
    program = collatz(most is not None)
    given = [np.asarray(v, np.int64) for v in (n, most) if v is not None]
    assert tuple(int(v) for v in reference(program, (), given)) == wanted


def walk(steps: int = 5) -> Program:
    """A random walk: each step draws; the stream is one that the program draws from before and after."""
    w = Writer("walk")
    stream = w.state(3, dtype="int64")
    zero, one = w.const(0.0), w.const(1.0)
    before = w.random("normal", stream, (4,), zero, one)
    b = w.body()
    at = b.carried(before)
    b.capture(stream, "state")
    drawn = b.random("normal", stream, (4,), b.capture(zero), b.capture(one))
    new = b.apply("add", at, drawn)
    b.update(at, new)
    n = w.repeat(b, steps, drawn)
    after = w.random("uniform", stream, (4,), zero, one)
    return w.done(w.last(n, b, at), w.stack(n), before, after)


def test_each_step_draws_anew():
    stream = np.array([0, 1, 2], np.int64)
    end, drawn, before, after = reference(walk(), [stream])
    assert stream[0] == 7 * 4 * 256
    assert len({*drawn.ravel(), *before, *after}) == 28
    np.testing.assert_allclose(end, before + drawn.sum(0), rtol=1e-5)


def stepping(steps: int) -> Program:
    """Rows of x by an index that each step moves on, and a factorisation of a matrix that each step makes smaller."""
    w = Writer("stepping")
    x, at, a, count = w.input("n", 3), w.input(2, dtype="int32"), w.input(2, 2), w.state()
    b = w.body()
    k, rest = b.carried(at), b.carried(a)
    rows = b.gather(b.capture(x), k)
    factor = b.linalg("cholesky", rest)
    b.update(k, b.map(lambda b, k: b.apply("add", k, b.literal(1, "int32")), k))
    identity = b.const(np.eye(2))
    b.update(rest, b.apply("sub", rest, identity))
    n = w.repeat(b, steps, rows, factor)
    w.update(count, w.map(lambda b, c: b.apply("add", c, b.literal(1, "float32")), count))
    return w.done(w.stack(n, 0), w.stack(n, 1))


def test_what_fails_in_a_step_fails_the_run():
    x, at, a = f32(6, 3), np.array([0, 1], np.int32), np.diag([4.5, 3.5]).astype(np.float32)
    count = np.zeros((), np.float32)
    reference(stepping(3), [count.copy()], [x, at, a])
    for target in ("python", "cpu"):
        made = codegen.compile(stepping(5), target=target)
        for call in (made.bind([count]), made.bind_team([count], 2)):
            with pytest.raises(IndexError, match=r"indices\[1\] = 2 is not in \[0, 2\)"):
                call(x[:2], at, np.eye(2, dtype=np.float32) * 9)
            with pytest.raises(FloatingPointError, match="cholesky .* is not positive definite"):
                call(x, at * 0, a)
    assert count == 0


def nested() -> Program:
    """For each row a sum over its columns of what the outer loop carries, which an inner loop makes."""
    w = Writer("nested")
    x, scale = w.input("r", "c", 3), w.state(3)
    zero = w.const(np.zeros(3))
    outer = w.body()
    total, row = outer.carried(zero), outer.part(x)
    factor = outer.capture(scale)
    half = outer.const(0.5)
    inner = outer.body()
    inside, cell = inner.carried(total), inner.part(row)
    inner.capture(total)
    c = inner.capture(factor)
    added = inner.map(lambda b, s, x, c, t: b.apply("add", b.apply("mul", b.apply("add", s, x), c), t), inside, cell, c, total)
    inner.update(inside, added)
    m = outer.repeat(inner, "c", added)
    last = outer.apply("mul", outer.last(m, inner, inside), half)
    outer.update(total, last)
    n = w.repeat(outer, "r", last, outer.stack(m))
    end = w.last(n, outer, total)
    w.update(scale, end)
    return w.done(end, w.stack(n, 0), w.stack(n, 1), scale)


def test_loops_in_loops():
    x, scale = f32(4, 5, 3), f32(3)
    held = [scale.copy()]
    end, rows, cells, old = reference(nested(), held, [x])
    total = np.zeros(3, np.float32)
    for r in range(4):
        inside = total
        for c in range(5):
            inside = (inside + x[r, c]) * scale + total
            np.testing.assert_allclose(cells[r, c], inside, rtol=1e-5)
        total = inside * np.float32(0.5)
        np.testing.assert_allclose(rows[r], total, rtol=1e-5)
    np.testing.assert_allclose(end, total, rtol=1e-5)
    np.testing.assert_array_equal(held[0], end)
    np.testing.assert_array_equal(old, scale)


def test_a_loop_reads_as_text():
    text = str(recurrent(backwards=True, limited=True))
    assert "repeat(loop0, steps=t, limit=x4, loop0.h0 from x3, loop0.x1 of x0, backwards)" in text
    assert "    loop0.t7: float32[m, 4] = tanh(" in text and "last(n5, state=loop0.h0)" in text


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"steps": None}, "slices of no known number"),
        ({"steps": "q"}, "bad number of steps"),
        ({"starts": ()}, "starts from nothing|before it is written"),
        ({"slices": ()}, "another buffer|before it is written"),
        ({"limit": "x0"}, "its limit is one integer"),
        ({"condition": "loop0.h0"}, "one carried bool"),
        ({"out": "x0"}, "fresh"),
    ],
)
def test_what_a_loop_must_not_be(change, what):
    program = recurrent()
    statements = tuple(replace(s, **change) if isinstance(s, Repeat) else s for s in program.statements)
    with pytest.raises(ProgramError, match=what):
        verify(replace(program, statements=statements))


def trained(steps="t") -> Program:
    """A recurrent net whose weights each step of training changes: forwards, and back over what was kept."""
    w = Writer("trained")
    x, y, v = w.input(steps, "m", 6), w.input("m", 6), w.state(6, 6)
    zero = w.map(lambda b, y: b.apply("mul", y, b.literal(0, "float32")), y)
    there = w.body()
    h = there.carried(zero)
    new = there.apply("tanh", there.apply("add", there.part(x), there.matmul(h, there.capture(v))))
    there.update(h, new)
    n = w.repeat(there, steps, h, new)
    end, before, after = w.last(n, there, h), w.stack(n, 0), w.stack(n, 1)
    none = w.const(np.zeros((6, 6)))
    back = w.body()
    d, total = back.carried(w.apply("sub", end, y)), back.carried(none)
    slope = lambda b, d, a: b.apply("mul", d, b.apply("sub", b.literal(1, "float32"), b.apply("mul", a, a)))  # noqa: E731
    dz = back.map(slope, d, back.part(after))
    back.update(d, back.matmul(dz, back.capture(v), tb=True))
    back.update(total, back.apply("add", total, back.matmul(back.part(before), dz, ta=True)))
    m = w.repeat(back, steps, backwards=True)
    rate = lambda b, v, g: b.apply("sub", v, b.apply("mul", b.literal(0.01, "float32"), g))  # noqa: E731
    w.update(v, w.map(rate, v, w.last(m, back, total)))
    return w.done(w.reduce("sum", end, (0, 1)))


@pytest.mark.parametrize("rows", [5, 200])
def test_loops_in_a_loop_of_steps(rows):
    program, v, x, y = trained(), f32(6, 6), f32(4, rows, 6), f32(rows, 6)
    check(program, [v], [x, y], rtol=1e-3, atol=1e-3)
    loop = Loop("loop", program)
    hoisted, _ = codegen.hoist_loop(loop, {"t": 4, "m": rows}, algebra=True)
    wanted = steps.one_by_one(loop, [v], [x, y], 5, 2)
    assert sum(isinstance(s, Repeat) for s in hoisted.step.statements) == 2  # the weights change
    for target in ("python", "cpu"):
        one, two = (steps.run(loop, [v], [x, y], 5, 2, target=target, nthreads=n, pieces=2) for n in (1, 2))
        steps.compare(one, wanted)
        for a, b in zip((*one[0], *one[1]), (*two[0], *two[1]), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_loop_that_is_the_same_in_all_steps_is_run_once():
    w = Writer("same")
    x, s = w.input("t", "m", 6), w.state("m", 6)
    b = w.body()
    h = b.carried(w.map(lambda b, y: b.apply("mul", y, b.literal(0, "float32")), s))
    b.update(h, b.apply("tanh", b.apply("add", h, b.part(x))))
    n = w.repeat(b, "t")
    end = w.last(n, b, h)
    t = w.map(lambda b, s, e: b.apply("sub", s, b.apply("mul", s, e)), s, end)
    zero = w.const(0.0)
    inner = w.body()
    z = inner.carried(zero)
    inner.update(
        z,
        inner.map(
            lambda b, z, x: b.apply("add", z, b.apply("mul", x, x)),
            z,
            inner.part(x),
            index=((), (0, 1)),
            space=("m", 6),
            reducer="sum",
            rank=0,
        ),
    )
    k = w.repeat(inner, "t")
    w.update(s, w.map(lambda b, t, z: b.apply("mul", t, b.apply("tanh", z)), t, w.last(k, inner, z), index=((0, 1), ()), space=("m", 6)))
    loop = Loop("loop", w.done(end))
    hoisted, moved = codegen.hoist_loop(loop, {"t": 30, "m": 50}, algebra=False)
    assert moved.once is not None and len([s for s in moved.once.statements if isinstance(s, Repeat)]) == 1
    assert len([s for s in hoisted.step.statements if isinstance(s, Repeat)]) == 1


def test_what_a_loop_left_is_kept_and_not_how_often_it_ran():
    """A number is cheap to keep, but it does not stand for what the loop left."""
    w = Writer("left")
    x, s = w.input("t", "m"), w.state("m")
    b = w.body()
    z = b.carried(w.map(lambda b: b.literal(0, "float32"), space=("m",)))
    b.update(z, b.apply("add", z, b.part(x)))
    n = w.repeat(b, "t", z)
    w.update(s, w.apply("add", w.apply("mul", s, w.last(n, b, z)), w.reduce("max", w.stack(n), (0,))))
    hoisted, moved = codegen.hoist_loop(Loop("loop", w.done(s)), {"t": 6, "m": 3}, algebra=False)
    assert moved.once is not None and not any(isinstance(s, Repeat) for s in hoisted.step.statements)
    for program in (*hoisted.programs, moved.once):
        verify(program)


@pytest.mark.parametrize("seed", range(6))
def test_random_loops_in_a_loop_of_steps(seed, monkeypatch):
    fuzz.shrink(monkeypatch)
    program, states, inputs = fuzz.looped(seed)
    loop = Loop("loop", program)
    wanted = steps.one_by_one(loop, states, inputs, 3, 1)
    steps.compare(steps.run(loop, states, inputs, 3, 1, nthreads=2), wanted)


def test_the_report_says_what_runs_inside():
    report = str(codegen.compile(nested(), target="python").report)
    assert "  phase 0: loop: " in report and "\n    phase 0.0: loop: " in report and "\n      phase 0.0.0: serial: " in report
    assert "flops and 72 bytes for each unit of c * r" in report


@pytest.mark.parametrize("seed", range(16))
def test_random_programs_as_bodies(seed, monkeypatch):
    fuzz.shrink(monkeypatch)
    program, states, inputs = fuzz.looped(seed, depth=1 + seed % 2)
    reference(program, states, inputs)
