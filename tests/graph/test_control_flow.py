"""Loops and branches: what they compute, and their derivatives against central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as tf
from symgraph.codegen import ir
from symgraph.errors import NoGradientError
from symgraph.freeze import Request, freeze
from symgraph.ops.control_flow import counted

X = np.random.default_rng(0).normal(size=(4, 3))


def run(fetches: Any, feed: dict | None = None) -> Any:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


def check_gradient(y: tf.Tensor, x: tf.Tensor, value: np.ndarray, step: float = 1e-5) -> None:
    """The derivative of sum(y) by x against central differences."""
    loss = tf.reduce_sum(y)
    (g,) = tf.gradients(loss, x)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got = session.run(g, {x: value})
        wanted = np.zeros_like(value)
        for at in np.ndindex(*value.shape):
            moved = np.zeros_like(value)
            moved[at] = step
            wanted[at] = (session.run(loss, {x: value + moved}) - session.run(loss, {x: value - moved})) / (2 * step)
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-8)


def rows(shape: Any = (None, 3)) -> tf.Tensor:
    return tf.placeholder(tf.float64, shape, name="x")


# ---------------------------------------------------------------- values
def test_while_loop_counts() -> None:
    i, total = tf.while_loop(
        lambda i, a: i < 5, lambda i, a: (i + 1, a + tf.cast(i, tf.float64)), (tf.constant(0), tf.constant(0.0, tf.float64))
    )
    assert run([i, total]) == [5, 10.0]


def test_while_loop_on_a_value() -> None:
    x = tf.placeholder(tf.float64, [])
    y = tf.while_loop(lambda a: a < 100.0, lambda a: a * 2.0, [x])
    assert run(y, {x: 3.0}) == 192.0
    assert run(y, {x: 200.0}) == 200.0  # no step at all


def test_a_loop_goes_on_from_where_another_ended() -> None:
    i, t = tf.while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, t + 1.0), (0, 0.0))
    again = tf.while_loop(lambda i, t: i < 4, lambda i, t: (i + 1, t * 2.0), (i, t))
    grown = tf.while_loop(lambda t: t < 40.0, lambda t: t * 2.0, [t])
    assert run([again, grown]) == [(4, 8.0), 64.0]


def test_loops_of_different_lengths_side_by_side() -> None:
    x, y, z = (tf.constant(np.arange(n) * 1.0) for n in (4, 7, 4))
    maps = [tf.map_fn(lambda v: v * 2.0, x), tf.map_fn(lambda v: v + 3.0, y), tf.map_fn(tf.square, z)]
    for found, wanted in zip(run(maps), (np.arange(4) * 2.0, np.arange(7) + 3.0, np.arange(4.0) ** 2), strict=True):
        np.testing.assert_array_equal(found, wanted)
    p, q = (tf.placeholder(tf.float64, [None]) for _ in range(2))
    sums = [tf.map_fn(tf.sin, p), tf.map_fn(tf.cos, q)]
    for m, n in ((3, 5), (4, 4), (0, 2)):
        assert [len(v) for v in run(sums, {p: np.zeros(m), q: np.zeros(n)})] == [m, n]


def test_loops_over_what_other_loops_give() -> None:
    x = tf.placeholder(tf.float64, [None])
    a = tf.map_fn(lambda v: tf.sin(v) * 2.0, x)
    b = tf.map_fn(tf.square, a)
    c = tf.map_fn(lambda v: v + tf.reduce_sum(a), x)
    d = tf.map_fn(lambda v: v * 3.0, tf.cumsum(b))
    value = np.array([0.3, 0.4, 0.5])
    sines = np.sin(value) * 2
    for found, wanted in zip(run([a, b, c, d], {x: value}), (sines, sines**2, value + sines.sum(), np.cumsum(sines**2) * 3), strict=True):
        np.testing.assert_allclose(found, wanted)
    check_gradient(c * d, x, value)


def test_number_of_steps_that_is_fed() -> None:
    n = tf.placeholder(tf.int32, [])
    _, a = tf.while_loop(lambda i, a: i < n, lambda i, a: [i + 1, a * 2], [tf.constant(0), tf.constant(1)])
    assert [run(a, {n: k}) for k in (0, 1, 10, -3)] == [1, 2, 1024, 1]


def test_maximum_iterations() -> None:
    a = tf.while_loop(lambda a: a < 1000.0, lambda a: a * 2.0, [tf.constant(1.0)], maximum_iterations=3)
    assert run(a) == 8.0


@pytest.mark.parametrize("structure", [dict, tuple, list])
def test_structures(structure: type) -> None:
    start: Any = {"b": tf.constant(1), "a": (tf.constant(2), tf.constant(0))}
    if structure is not dict:
        start = structure([start["b"], start["a"]])

    def body(s: Any) -> Any:
        b, (a, k) = (s["b"], s["a"]) if structure is dict else s
        made = (b + a, (a * 2, k + 1))
        return {"b": made[0], "a": made[1]} if structure is dict else structure(made)

    (out,) = tf.while_loop(lambda s: (s["a"] if structure is dict else s[1])[1] < 3, lambda s: (body(s),), (start,))
    got = run([out["b"], *out["a"]] if structure is dict else [out[0], *out[1]])
    assert got == [15, 16, 3]


def test_scan_and_folds() -> None:
    x = rows()
    f: Callable[[Any, Any], Any] = lambda a, r: a * 0.5 + r  # noqa: E731
    wanted, a = [], np.zeros(3)
    for r in X:
        a = a * 0.5 + r
        wanted.append(a)
    start = tf.zeros([3], tf.float64)
    np.testing.assert_allclose(run(tf.scan(f, x, start), {x: X}), wanted)
    np.testing.assert_allclose(run(tf.foldl(f, x, start), {x: X}), wanted[-1])
    np.testing.assert_allclose(run(tf.scan(f, x, start, reverse=True), {x: X[::-1]})[::-1], wanted)
    np.testing.assert_allclose(run(tf.foldr(f, x, start), {x: X[::-1]}), wanted[-1])
    np.testing.assert_allclose(run(tf.scan(lambda a, r: a + r, x), {x: X}), np.cumsum(X, 0))
    np.testing.assert_allclose(run(tf.foldl(lambda a, r: a * r, x), {x: X}), np.prod(X, 0))


def test_map_fn_of_structures() -> None:
    x, y = rows(), tf.placeholder(tf.float64, [None])
    a, b = tf.map_fn(lambda e: (e[0] * e[1], tf.reduce_sum(e[0])), (x, y), dtype=(tf.float64, tf.float64))
    w = np.arange(4.0)
    got = run([a, b], {x: X, y: w})
    np.testing.assert_allclose(got[0], X * w[:, None])
    np.testing.assert_allclose(got[1], X.sum(1))


def test_draws_are_new_in_each_step_and_each_run() -> None:
    tf.set_random_seed(3)
    u = tf.scan(lambda a, k: tf.random_uniform([2]), tf.range(5), initializer=tf.zeros([2]))
    with tf.Session() as session:
        first, second = session.run(u), session.run(u)
    assert len({*first.ravel(), *second.ravel()}) == 20


def test_a_body_in_a_body() -> None:
    x = rows()
    y = tf.map_fn(lambda r: tf.scan(lambda a, e: a * 0.5 + e * e, r, initializer=tf.constant(0.0, tf.float64)), x)
    wanted = np.zeros_like(X)
    for k, r in enumerate(X):
        a = 0.0
        for j, e in enumerate(r):
            wanted[k, j] = a = a * 0.5 + e * e
    np.testing.assert_allclose(run(y, {x: X}), wanted)
    check_gradient(y * y, x, X)


# ---------------------------------------------------------------- branches
def test_cond_takes_a_branch() -> None:
    x = rows()
    for dear in (False, True):
        f: Callable[[], Any] = (lambda: tf.matmul(x, x, transpose_a=True)) if dear else (lambda: x * 2.0)
        g: Callable[[], Any] = (lambda: tf.matmul(x, -x, transpose_a=True)) if dear else (lambda: -x)
        y = tf.cond(tf.reduce_sum(x) > 0.0, f, g)
        up = X + 10.0
        np.testing.assert_allclose(run(y, {x: up}), up.T @ up if dear else 2 * up)
        np.testing.assert_allclose(run(y, {x: -up}), -(up.T @ up) if dear else up)
        check_gradient(y * y, x, up)
        check_gradient(y * y, x, -up)


def test_the_other_branch_does_not_fail() -> None:
    x = tf.placeholder(tf.float64, [2, 2])
    y = tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.matrix_inverse(x), lambda: x)
    assert run(y, {x: np.zeros((2, 2))}).sum() == 0


def test_branches_are_never_broadcast_to_each_other() -> None:
    p, x = tf.placeholder(tf.bool, []), tf.placeholder(tf.float32, [None, 2])
    with pytest.raises(ValueError, match=r"the branches give \[2,3\] and \[1,3\]"):
        tf.cond(p, lambda: tf.zeros([2, 3]), lambda: tf.zeros([1, 3]))
    y = tf.cond(p, lambda: x, lambda: x[:1])
    assert run(y, {p: False, x: np.ones((1, 2))}).shape == (1, 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        run(y, {p: False, x: np.ones((3, 2))})


def test_branches_write_variables() -> None:
    p = tf.placeholder(tf.bool, [])
    v = tf.Variable(1.0)

    def update() -> Any:
        with tf.control_dependencies([tf.assign_add(v, 10.0)]):
            return tf.constant(5.0) * 1.0

    y = tf.cond(p, update, lambda: v * 3.0)
    nested = tf.cond(p, lambda: tf.cond(v > 5.0, lambda: tf.assign(v, 0.0), lambda: v + 0.0), lambda: v + 0.0)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert (session.run(y, {p: False}), session.run(v)) == (3.0, 1.0)
        assert (session.run(y, {p: True}), session.run(v)) == (5.0, 11.0)
        assert (session.run(nested, {p: False}), session.run(v)) == (11.0, 11.0)
        session.run(nested, {p: True})
        assert session.run(v) == 0.0


def test_cond_of_operations() -> None:
    v, p = tf.Variable(0), tf.placeholder(tf.bool, [])
    op = tf.cond(p, lambda: tf.group(tf.assign(v, 1)), lambda: tf.no_op())
    with tf.Session() as session:
        session.run(v.initializer)
        session.run(op, {p: False})
        assert session.run(v) == 0
        session.run(op, {p: True})
        assert session.run(v) == 1


def test_case() -> None:
    x = tf.placeholder(tf.float64, [])
    y = tf.case([(x > 10.0, lambda: x * 2.0), (x > 0.0, lambda: x * 3.0)], default=lambda: -x)
    assert [run(y, {x: v}) for v in (11.0, 1.0, -4.0)] == [22.0, 3.0, 4.0]
    check_gradient(y, x, np.array(11.0))


# ---------------------------------------------------------------- derivatives
def lstm(x: tf.Tensor, w: Any, b: Any, units: int) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    start = tf.zeros([tf.shape(x)[1], units], tf.float64)

    def step(carried: list[tf.Tensor], row: list[tf.Tensor]) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        c, h = carried
        z = tf.matmul(tf.concat([row[0], h], 1), w) + b
        i, j, f, o = (z[:, k * units : (k + 1) * units] for k in range(4))
        c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
        h = tf.tanh(c) * tf.sigmoid(o)
        return [c, h], [h]

    return counted(step, [start, start], [x])


def test_recurrence_by_everything() -> None:
    rng = np.random.default_rng(1)
    x = tf.placeholder(tf.float64, [None, None, 3])
    w, b = tf.placeholder(tf.float64, [7, 16]), tf.placeholder(tf.float64, [16])
    finals, (hs,) = lstm(x, w, b, 4)
    loss = tf.reduce_sum(hs * hs) + tf.reduce_sum(finals[0])
    at = {x: rng.normal(size=(5, 2, 3)), w: 0.5 * rng.normal(size=(7, 16)), b: 0.1 * rng.normal(size=16)}
    found = tf.gradients(loss, list(at))
    with tf.Session() as session:
        for t, g in zip(at, session.run(found, at), strict=True):
            direction = rng.normal(size=at[t].shape)
            up, down = (session.run(loss, {**at, t: at[t] + e * direction}) for e in (1e-5, -1e-5))
            np.testing.assert_allclose(np.vdot(g, direction), (up - down) / 2e-5, rtol=1e-7)


def test_the_loop_runs_once_for_loss_and_gradient() -> None:
    """What the way back needs is kept by the loop that the loss runs, and the products of all steps are one product."""
    x = tf.placeholder(tf.float64, [6, None, 3])
    w, b = tf.Variable(np.zeros((7, 16))), tf.Variable(np.zeros(16))
    _, (hs,) = lstm(x, w, b, 4)
    loss = tf.reduce_sum(hs * hs)
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    assert x.node is not None
    program = freeze(Request([loss], [step], {x: x.node})).program
    loops = [s for s in program.statements if isinstance(s, ir.Repeat)]
    assert [s.backwards for s in loops] == [False, True]
    products = [sum(isinstance(s, ir.MatMul) for s in p.statements) for p in (program, *(s.body for s in loops))]
    assert products == [3, 1, 1]
    assert [len(s.starts) for s in loops] == [2, 2]  # no sum is carried


def test_a_product_of_a_row_in_a_product_of_a_row_is_made_once() -> None:
    """A gated unit: the second product reads the row beside what the first one lets through."""
    x, v, w = rows((4, 2, 3)), tf.constant(np.ones((8, 5))), tf.constant(np.ones((8, 5)))

    def step(h: list, r: list) -> tuple[list, list]:
        gate = tf.sigmoid(tf.matmul(tf.concat([r[0], h[0]], 1), v))
        return [tf.tanh(tf.matmul(tf.concat([r[0], gate * h[0]], 1), w))], []

    (h,), _ = counted(step, [tf.ones((2, 5), tf.float64)], [x])
    program = freeze(Request([h], [], {x: x.node})).program
    (loop,) = [s for s in program.statements if isinstance(s, ir.Repeat)]
    assert sum(isinstance(s, ir.MatMul) for s in loop.body.statements) == 2
    assert not any(isinstance(s, ir.Concat) for s in loop.body.statements)


def test_derivative_of_a_draw_uses_the_same_draw() -> None:
    tf.set_random_seed(1)
    x = tf.placeholder(tf.float64, [3])
    y = tf.scan(lambda a, k: tf.reduce_sum(x * tf.random_uniform([3], dtype=tf.float64)), tf.range(4), tf.constant(0.0, tf.float64))
    value = np.array([1.0, 2.0, 3.0])
    out, g = run([tf.reduce_sum(y), tf.gradients(y, x)[0]], {x: value})
    np.testing.assert_allclose(g @ value, out)


def test_derivative_through_while_loops() -> None:
    x = tf.placeholder(tf.float64, [])
    value = np.array(1.3)
    _, y = tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.sin(a) * x), (tf.constant(0), x))
    check_gradient(y, x, value)
    z = tf.while_loop(lambda a: a < 20.0, lambda a: a * x + 1.0, [x], maximum_iterations=50)
    check_gradient(z, x, value)
    n = tf.shape(tf.zeros([7]))[0]
    _, u = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a + tf.cast(i, tf.float64) * x), (tf.constant(0), x))
    check_gradient(u, x, value)


def test_derivative_of_a_number_of_steps_that_values_decide() -> None:
    x, n = tf.placeholder(tf.float64, []), tf.placeholder(tf.int32, [])
    y = tf.while_loop(lambda a: a < 100.0, lambda a: a * x + 1.0, [x])
    check_gradient(y, x, np.array(1.3))
    g = tf.gradients(y, x)[0]
    assert run(g, {x: 200.0}) == 1.0  # no step at all
    _, power = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a * x), (tf.constant(0), tf.constant(1.0, tf.float64)))
    first = tf.gradients(power, x)[0]
    second = tf.gradients(first, x)[0]
    with tf.Session() as session:
        assert [session.run([power, first, second], {x: 2.0, n: k}) for k in (0, 1, 3)] == [[1, 0, 0], [2, 1, 0], [8, 12, 12]]


def test_a_number_of_steps_that_no_stack_has_as_its_size() -> None:
    """The derivative of a linear step needs no values of the steps, only how many there were."""
    x, n = tf.placeholder(tf.float64, [3]), tf.placeholder(tf.int32, [])
    halved = tf.while_loop(lambda v: tf.reduce_sum(v) > 1.0, lambda v: v / 2.0, [x])
    _, counted = tf.while_loop(lambda i, v: i < n, lambda i, v: (i + 1, v / 2.0), [0, x])
    start = np.array([3.0, 4.0, 5.0])
    first, second = run([tf.gradients(halved, x)[0], tf.gradients(counted, x)[0]], {x: start, n: 2})
    np.testing.assert_array_equal(first, np.full(3, 1 / 16))
    np.testing.assert_array_equal(second, np.full(3, 1 / 4))
    np.testing.assert_array_equal(run(tf.gradients(counted, x)[0], {x: start, n: 0}), np.ones(3))


def test_a_number_of_steps_decided_in_a_body() -> None:
    x = rows()
    y = tf.map_fn(lambda r: tf.while_loop(lambda a: tf.reduce_sum(a) < 10.0, lambda a: a * 2.0 + 1.0, [r]), x)
    wanted = []
    for r in X:
        while r.sum() < 10.0:
            r = r * 2.0 + 1.0
        wanted.append(r)
    np.testing.assert_allclose(run(y, {x: X}), wanted)
    with pytest.raises(NoGradientError, match="maximum_iterations"):
        tf.gradients(y, x)


def test_second_derivative() -> None:
    x = tf.placeholder(tf.float64, [])
    _, y = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * x), (tf.constant(0), tf.constant(1.0, tf.float64)))
    first = tf.gradients(y, x)[0]
    second = tf.gradients(first, x)[0]
    np.testing.assert_allclose(run([y, first, second], {x: 2.0}), [8.0, 12.0, 12.0])


def test_a_derivative_inside_of_a_body() -> None:
    start = tf.placeholder(tf.float64, [])
    descent = tf.while_loop(
        lambda i, t: i < 50,
        lambda i, t: (i + 1, t - 0.1 * tf.gradients((t - 3.0) ** 2, t)[0]),
        (tf.constant(0), start),
    )[1]
    assert run(descent, {start: 0.0}) == pytest.approx(3.0, abs=1e-4)


def test_reverse_and_final_adjoints() -> None:
    x = rows()
    y = tf.scan(lambda a, r: tf.tanh(a + r), x, tf.zeros([3], tf.float64), reverse=True)
    check_gradient(y * y, x, X)
    check_gradient(tf.foldl(lambda a, r: tf.sin(a) * r, x, tf.ones([3], tf.float64)), x, X)


def test_jacobian_and_hessian_of_a_loop() -> None:
    x, w = rows(), tf.placeholder(tf.float64, [3], name="w")
    s = tf.scan(lambda a, r: tf.tanh(a * w + r), x, tf.zeros([3], tf.float64))
    loss = tf.reduce_sum(s**3)
    jacobian, hessian, g = tf.jacobian(s, w), tf.hessian(loss, w), tf.gradients(loss, w)[0]
    at, step = np.array([0.3, 0.5, -0.2]), 1e-5
    with tf.Session() as session:
        got = session.run([jacobian, hessian], {x: X, w: at})
        for y, found in zip((s, g), got, strict=True):
            for k, e in enumerate(step * np.eye(3)):
                up, down = (session.run(y, {x: X, w: at + d}) for d in (e, -e))
                np.testing.assert_allclose(found[..., k], (up - down) / (2 * step), rtol=1e-6, atol=1e-8)


def test_formulas_of_loops() -> None:
    x, w = rows(), tf.Variable(np.ones(3), name="w")
    s = tf.scan(lambda a, r: tf.tanh(a * w + r), x, tf.zeros([3], tf.float64))
    assert str(tf.formula(tf.reduce_sum(s * s))) == "sum(loop(zeros, x, w)[1]²)"
    for refused in (tf.formula(s).numpy_source, tf.formula(s).to_sympy):
        with pytest.raises(NotImplementedError, match="loop"):
            refused()


# ---------------------------------------------------------------- mistakes
def test_mistakes_are_told() -> None:
    v = tf.Variable(1.0)
    with pytest.raises(NotImplementedError, match="writes a variable inside of a loop"):
        tf.while_loop(lambda i: i < 3, lambda i: tf.identity(i + tf.cast(tf.assign(v, 2.0), tf.int32)), [tf.constant(0)])
    with pytest.raises(ValueError, match="keeps its dtype and shape"):
        tf.while_loop(lambda a: tf.reduce_sum(a) < 3.0, lambda a: tf.concat([a, a], 0), [tf.constant([1.0])])
    with pytest.raises(ValueError, match="same nested structure"):
        tf.while_loop(lambda a, b: a < 3, lambda a, b: [a], [tf.constant(1), tf.constant(1)])
    with pytest.raises(TypeError, match="Python bool"):
        tf.cond(True, lambda: v, lambda: v)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="same type"):
        tf.cond(v > 0.0, lambda: tf.constant(1), lambda: tf.constant(1.0))
    with pytest.raises(TypeError, match="callable"):
        tf.cond(v > 0.0, v, v)  # type: ignore[arg-type]
    zero = tf.constant(0)
    before = len(tf.get_default_graph().get_operations())
    with pytest.raises(ZeroDivisionError):
        tf.while_loop(lambda i: i < 3, lambda i: 1 // 0, [zero])
    assert len(tf.get_default_graph().get_operations()) == before  # nothing half-made stays


# ---------------------------------------------------------------- stored
def test_loops_are_saved_and_read(tmp_path: Any) -> None:
    x = tf.placeholder(tf.float64, [None, 3], name="x")
    v = tf.Variable(np.ones(3), name="v")
    p = tf.reduce_sum(x) > 0.0
    y = tf.scan(lambda a, r: tf.tanh(a * v + r), x, tf.zeros([3], tf.float64))
    z = tf.identity(tf.cond(p, lambda: y * 2.0, lambda: tf.matmul(y, y, transpose_b=True)[:, :3]), name="z")
    g = tf.identity(tf.gradients(z, v)[0], name="g")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        wanted = session.run([z, g], {x: X})
        path = tf.train.Saver().save(session, str(tmp_path / "model"))
    tf.reset_default_graph()
    saver = tf.train.import_meta_graph(path + ".meta")
    with tf.Session() as session:
        saver.restore(session, path)
        got = session.run(["z:0", "g:0"], {"x:0": X})
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
