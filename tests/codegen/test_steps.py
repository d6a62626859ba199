"""Loops of steps against the same steps one by one: values, recording, slices, sizes that vary, teams."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from symgraph import codegen
from symgraph.codegen.ir import Loop, Program
from symgraph.codegen.steps import compile_loop

from . import fuzz
from .programs import Writer


def one_by_one(loop: Loop, states, inputs, steps: int, every: int, lengths=None):
    """The meaning of a loop: the interpreter, a step at a time."""
    held = {n: s.copy() for n, s in zip(loop.states, states, strict=True)}
    given = dict(zip(loop.inputs, inputs, strict=True))
    call = {id(p): codegen.interpret(p).bind([held[n] for n in p.states]) for p in loop.programs}
    history = []
    for s in range(steps):
        now = {n: x[s] if n in loop.stepped else x for n, x in given.items()}
        if lengths:
            (name,) = loop.stepped
            now[name] = now[name][: next(iter(lengths.values()))[s]]
        if loop.record is not None and s % every == 0:
            history.append(call[id(loop.record)](*[now[n] for n in loop.record.inputs]))
        out = call[id(loop.step)](*[now[n] for n in loop.step.inputs])
        if loop.record is None and s % every == 0:
            history.append(out)
    return [held[n] for n in loop.states], [np.stack([h[k] for h in history]) for k in range(len(loop.recorded.outputs))]


def run(loop: Loop, states, inputs, steps: int, every: int, lengths=None, target="python", nthreads: int = 1, pieces: int = 1):
    held = [s.copy() for s in states]
    made = compile_loop(loop, target=target)
    shapes = [(-(-steps // every), *out.shape[1:]) for out in one_by_one(loop, states, inputs, 1, 1, lengths)[1]]
    history = [np.full(shape, -99, loop.recorded.table()[n].dtype) for shape, n in zip(shapes, loop.recorded.outputs, strict=True)]
    advance = made.bind(held).start(inputs, every, history, lengths, nthreads)
    edges = np.linspace(0, steps, pieces + 1).astype(int)
    for first, last in pairwise(edges):
        assert advance(int(first), int(last)) == last
    return held, history


def compare(got, wanted) -> None:
    for mine, theirs in zip((*got[0], *got[1]), (*wanted[0], *wanted[1]), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=3e-4, atol=3e-4)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("every", [1, 3])
def test_random_programs_in_a_loop_do_what_their_steps_do(seed, every, monkeypatch):
    program, states, inputs = fuzz.program(seed)
    fuzz.shrink(monkeypatch)
    loop = Loop("loop", program)
    wanted = one_by_one(loop, states, inputs, 3, every)
    if not all(np.isfinite(x).all() and np.abs(x).max(initial=0) < 1e3 for x in (*wanted[0], *wanted[1])):
        pytest.skip("three steps of this one overflow")
    compare(run(loop, states, inputs, 3, every), wanted)


@pytest.mark.parametrize("seed", range(6))
def test_a_record_program_sees_the_values_before_the_step(seed):
    program, states, inputs = fuzz.program(seed)
    record = replace(program, name="record", updates=())
    loop = Loop("loop", replace(program, outputs=()), record)
    wanted = one_by_one(loop, states, inputs, 5, 2)
    if not all(np.isfinite(x).all() and np.abs(x).max(initial=0) < 1e3 for x in (*wanted[0], *wanted[1])):
        pytest.skip("five steps of this one overflow")
    compare(run(loop, states, inputs, 5, 2, pieces=3), wanted)
    one, two = (run(loop, states, inputs, 5, 2, nthreads=n) for n in (1, 2))
    for a, b in zip((*one[0], *one[1]), (*two[0], *two[1]), strict=True):
        assert_array_equal(a, b)


def regression(rows: int, columns: int, outputs: int = 1) -> tuple[Program, list, list]:
    """A logistic step on fed data: a product, an element-wise part with a row maximum, and the transposed product."""
    w = Writer("regression")
    x, y, theta = w.input("m", columns), w.input("m", outputs), w.state(columns, outputs)
    e = w.apply("sub", w.apply("sigmoid", w.matmul(x, theta)), y)
    widest = w.reduce("max", x, (1,))
    g = w.matmul(x, w.map(lambda b, e, t: b.apply("mul", e, t), e, widest, index=((0, 1), (0,)), space=("m", outputs)), ta=True)
    new = w.map(lambda b, t, g: b.apply("sub", t, b.apply("mul", b.literal(0.001, "float32"), g)), theta, g)
    w.update(theta, new)
    rng = np.random.default_rng(0)
    fill = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    return w.done(w.reduce("sum", e, (0, 1))), [fill(columns, outputs)], [fill(rows, columns), fill(rows, outputs)]


@pytest.mark.parametrize("columns", [3, 9, 30, 70])
@pytest.mark.parametrize(("rows", "target"), [(1024, "python"), (1100, "python"), (1500, "cpu")])
def test_data_that_stays_is_repacked(rows, columns, target):
    """Few columns in registers, more as inner loops over rows; the last block is shorter; two and three threads give the same bits."""
    program, states, inputs = regression(rows, columns)
    loop = Loop("loop", program)
    made = compile_loop(loop, {"m": rows})
    assert [p.walk for p in made.reports[0].plans if p.phase.kind == "rows"] == ["lanes" if columns <= 16 else "columns"]
    compare(run(loop, states, inputs, 3, 1, target=target), one_by_one(loop, states, inputs, 3, 1))
    one, *more = (run(loop, states, inputs, 3, 1, target=target, nthreads=n) for n in (1, 2, 3))
    for other in more:
        for a, b in zip((*one[0], *one[1]), (*other[0], *other[1]), strict=True):
            assert_array_equal(a, b)


def test_several_outputs_walk_columns_of_columns():
    program, states, inputs = regression(600, 20, 3)
    loop = Loop("loop", program)
    compare(run(loop, states, inputs, 2, 1), one_by_one(loop, states, inputs, 2, 1))


def test_steps_whose_rows_never_meet_run_block_by_block():
    """Each block makes several steps while it lies in the cache; a stop falls between such groups of steps."""
    w = Writer("apart")
    x, v = w.input("n"), w.state("n")
    w.update(v, w.map(lambda b, x, v: b.apply("sub", v, b.apply("mul", x, b.apply("tanh", v))), x, v))
    program = w.done()
    rng = np.random.default_rng(0)
    states, inputs = [rng.standard_normal(3000).astype(np.float32)], [rng.random(3000, np.float32)]
    loop = Loop("loop", program)
    made = compile_loop(loop, {"n": 3000})
    assert "for s in range(begin, end):" in made.source
    for target in ("python", "cpu"):
        compare(run(loop, states, inputs, 37, 1, target=target, pieces=2), one_by_one(loop, states, inputs, 37, 1))
    one, two, three = (run(loop, states, inputs, 37, 1, target="cpu", nthreads=n)[0][0] for n in (1, 2, 3))
    assert_array_equal(one, two)
    assert_array_equal(one, three)
    held = [s.copy() for s in states]
    advance = made.bind(held).start(inputs)
    done = advance(0, 37, 1)  # a deadline that has passed
    assert 0 < done <= 37
    compare((held, []), one_by_one(loop, states, inputs, done, 1))


@pytest.mark.parametrize("why", ["a sum", "the state", "what it becomes"])
def test_steps_that_are_looked_at_run_one_after_another(why):
    w = Writer("together")
    x, v = w.input("n"), w.state("n")
    new = w.map(lambda b, x, v: b.apply("sub", v, b.apply("mul", x, b.apply("tanh", v))), x, v)
    w.update(v, new)
    program = w.done(*{"a sum": lambda: [w.reduce("sum", new, (0,))], "the state": lambda: [v], "what it becomes": lambda: [new]}[why]())
    assert "begin" not in compile_loop(Loop("loop", program), {"n": 3000}, target="python").source
