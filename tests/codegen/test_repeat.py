"""Loops inside programs by every route: what they carry, read, stack and when they end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symgraph import codegen
from symgraph.codegen.ir import Program, ProgramError, Repeat
from symgraph.codegen.verify import verify
from tests.codegen import fuzz
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


def recurrent(steps="t", batch="m", backwards=False, limited=False) -> Program:
    """h <- tanh(x W + h U), with the pre-activations stacked."""
    w = Writer("recurrent")
    x, u, v = w.input(steps, batch, 5), w.input(5, 4), w.input(4, 4)
    h0 = w.input(batch, 4)
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


@pytest.mark.parametrize("seed", range(16))
def test_random_programs_as_bodies(seed, monkeypatch):
    fuzz.shrink(monkeypatch)
    program, states, inputs = fuzz.looped(seed, depth=1 + seed % 2)
    reference(program, states, inputs)
