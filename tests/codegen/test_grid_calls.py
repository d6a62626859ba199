"""Calls of the runtime in CUDA kernels: draws, rows and linear algebra, as the interpreter has them."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen.ir import Linalg
from tests.codegen import grids
from tests.codegen.programs import Writer
from tests.codegen.test_grid import check

rng = np.random.default_rng(1)


def f32(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def test_linear_algebra() -> None:
    a = f32(3, 4, 4)
    spd, b, start = (a @ a.transpose(0, 2, 1) + 4 * np.eye(4)).astype(np.float32), f32(3, 4, 2), f32(3, 4, 4)
    w = Writer()
    m, right, s = w.input(3, 4, 4), w.input(3, 4, 2), w.state(3, 4, 4)
    outs = [w.linalg("inverse", m), w.linalg("solve", m, right), w.linalg("cholesky", m)]
    outs += [w.linalg("determinant", m), w.linalg("logdet", m)]
    w.update(s, w.map(lambda q, s, i: q.apply("add", s, i), s, outs[0]))
    program = w.done(*outs)
    check(program, [start], [spd, b], tolerance=1e-3)
    singular, held = spd.copy(), start.copy()
    singular[1] = 0
    grid = grids.Grid(program, [held])
    with pytest.raises(FloatingPointError, match="inverse 'l' test.py"):
        grid(singular, b)
    np.testing.assert_array_equal(held, start)
    grid(spd, b)


def test_places_of_the_greatest() -> None:
    w = Writer()
    x = w.input("r", 6)
    out = w._add("l", "int32", ("r", 2))
    w.statements.append(Linalg("top", out, (x,)))
    check(w.done(out), (), [f32(5, 6)])


def test_random_streams() -> None:
    w = Writer()
    stream, other = w.state(3, dtype="int64"), w.state(3, dtype="int64")
    a, b = w.const(0.0), w.const(2.0)
    outs = [w.random(fn, stream, (13, 3), a, b) for fn in ("uniform", "normal", "truncated_normal")]
    outs.append(w.random("uniform", other, (), a, b))
    outs.append(w.random("uniform_int", other, (29,), w.const(3, "int32"), w.const(9, "int32"), dtype="int32"))
    outs.append(w.random("shuffle", other, x=outs[0]))
    outs.append(w.random("candidates", other, (6,), w.const(20, "int64"), w.const(1, "int64"), dtype="int64"))
    outs.append(w.apply("add", outs[1], outs[5]))
    check(w.done(*outs, stream), [np.array([0, 7, 8]), np.array([0, 7, 9])], tolerance=1e-5)


def test_rows_by_their_number() -> None:
    """A step of momentum in the rows that `at` says."""
    w = Writer()
    g, at = w.input("r", 3), w.input("r", dtype="int32")
    weights, moments = w.state(20, 3), w.state(20, 3)
    total = w.gather(w.scatter(g, at, 20), at)
    new = w.map(lambda q, m, g: q.apply("add", q.apply("mul", q.literal(0.5, "float32"), m), g), w.gather(moments, at), total)
    w.update(moments, w.put(moments, new, at))
    w.update(weights, w.put(weights, w.apply("sub", w.gather(weights, at), new), at))
    program = w.done(w.scatter(g, at, 20), new)
    for m in (0, 1, 30):
        check(program, [f32(20, 3), f32(20, 3)], [f32(m, 3), rng.integers(0, 20, m).astype(np.int32)])
    held = [f32(20, 3), f32(20, 3)]
    with pytest.raises(IndexError):
        grids.Grid(program, held)(f32(2, 3), np.array([3, 20], np.int32))
