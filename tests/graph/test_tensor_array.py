"""tf.TensorArray: rows written one at a time, in loops and out of them, and what becomes of such loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as tf
from tests.graph.test_control_flow import check_gradient, run

X = np.random.default_rng(0).normal(size=(5, 4))


def loops() -> list[Any]:
    """The bodies of the graph's loops."""
    made = [op for op in tf.get_default_graph().get_operations() if op.type == "Loop"]
    return [op.outputs[-1].node.operands[0].attrs[0] for op in made]


def rows(count: int | None = None) -> tf.Tensor:
    return tf.placeholder(tf.float64, (count, 4), name="x")


def array(size: Any, **given: Any) -> tf.TensorArray:
    return tf.TensorArray(tf.float64, size, **given)


# ---------------------------------------------------------------- loops that write one row a step
def recurrent(x: tf.Tensor, **given: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """h <- tanh(x[i] + h / 2), all of them and the last."""
    steps = tf.shape(x)[0]
    read = tf.TensorArray(tf.float64, steps).unstack(x)

    def body(i: Any, h: Any, out: Any) -> Any:
        h = tf.tanh(read.read(i) + h * 0.5)
        return i + 1, h, out.write(i, h)

    start = 0, tf.zeros([4], tf.float64), tf.TensorArray(tf.float64, **({"size": steps} | given))
    _, h, out = tf.while_loop(lambda i, *_: i < steps, body, start)
    return out.stack(), h


@pytest.mark.parametrize("given", [{}, {"size": 0, "dynamic_size": True}], ids=["sized", "growing"])
def test_a_recurrence_is_a_scan(given: dict) -> None:
    x = rows()
    stack, last = recurrent(x, **given)
    (body,) = loops()
    assert len(body.carried) == 2 and len(body.slices) == len(body.stacked) == 1  # the counter and h; no array
    scan = tf.scan(lambda h, r: tf.tanh(r + h * 0.5), x, tf.zeros([4], tf.float64))
    assert stack.shape.as_list() == [None, 4]
    for count in (1, 5):
        a, b, c = run([stack, last, scan], {x: X[:count]})
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, c[-1])
    check_gradient(stack * stack + last, x, X)


def test_rows_before_and_behind() -> None:
    x = rows(5)
    start = array(7, element_shape=[4]).write(0, x[0] * 3.0).write(6, x[1])
    _, out = tf.while_loop(lambda i, _: i < 5, lambda i, a: (i + 1, a.write(i, x[i] * x[i - 1])), (1, start))
    (body,) = loops()
    assert len(body.carried) == 1 and len(body.slices) == 2
    wanted = np.stack([X[0] * 3.0, *(X[1:] * X[:-1]), np.zeros(4), X[1]])
    np.testing.assert_allclose(run(out.stack(), {x: X}), wanted)
    check_gradient(out.stack() ** 2.0, x, X)


def test_rows_that_a_condition_leaves_out() -> None:
    """They are what they were: zeros, or rows of before."""
    x = rows()
    for before in (array(5, element_shape=[4]), array(5).unstack(x * 2.0)):
        condition = lambda i, a, _: tf.logical_and(i < 5, tf.reduce_sum(a) < 3.0)  # noqa: E731
        body = lambda i, a, out: (i + 1, a + 1.0, out.write(i, a * x[i]))  # noqa: E731
        i, _, out = tf.while_loop(condition, body, (0, tf.zeros([], tf.float64), before))
        wanted = np.concatenate([X[:3] * [[0], [1], [2]], np.zeros((2, 4)) if before.flow.op.type == "TensorArrayV3" else 2 * X[3:]])
        value, steps = run([out.stack(), i], {x: X})
        np.testing.assert_allclose(value, wanted)
        assert steps == 3
        check_gradient(out.stack() ** 2.0, x, X)
    assert all(len(body.carried) == 2 for body in loops())


def test_several_arrays_of_several_dtypes() -> None:
    x = rows()
    start = {"sums": array(5), "squares": tf.TensorArray(tf.int32, 5), "signs": tf.TensorArray(tf.bool, 5)}

    def body(i: Any, out: dict) -> Any:
        total = tf.reduce_sum(x[i])
        return i + 1, {
            "sums": out["sums"].write(i, total),
            "squares": out["squares"].write(i, i * i),
            "signs": out["signs"].write(i, total > 0.0),
        }

    _, out = tf.while_loop(lambda i, _: i < 5, body, (0, start))
    sums, squares, signs, some = run([*(out[k].stack() for k in start), out["squares"].gather([4, 1])], {x: X})
    np.testing.assert_allclose(sums, X.sum(1))
    assert squares.tolist() == [0, 1, 4, 9, 16] and some.tolist() == [16, 1] and signs.tolist() == (X.sum(1) > 0).tolist()
    assert squares.dtype == np.int32 and signs.dtype == np.bool_
    assert [len(body.carried) for body in loops()] == [1]


def test_a_loop_in_a_loop() -> None:
    x = rows()

    def body(i: Any, out: Any) -> Any:
        inner = lambda j, a: (j + 1, a.write(j, x[i][j] * x[i, j] * tf.cast(j, tf.float64)))  # noqa: E731
        return i + 1, out.write(i, tf.while_loop(lambda j, _: j < 4, inner, (0, array(4)))[1].stack())

    _, out = tf.while_loop(lambda i, _: i < 5, body, (0, array(5)))
    np.testing.assert_allclose(run(out.stack(), {x: X}), X * X * np.arange(4))
    check_gradient(out.stack(), x, X)


NESTS: dict[str, Callable[[Any], Any]] = {
    "rows of one array": lambda x: _pairs(x, lambda i, j: x[i] * x[j] * x[j]),
    "a row that the inner loop captures": lambda x: _pairs(x, lambda i, j: i * x[j] * x[j], row=True),
    "three deep": lambda x: _pairs(x, lambda i, j: _sum(lambda k: x[i] * x[j] * x[j] * tf.sin(x[k]))),
    "inside of a scan with a counter": lambda x: tf.scan(
        lambda c, e: (c[0] + 1, c[1] + _sum(lambda j: x[c[0]] * x[j] * e)), x, (0, tf.zeros([4], tf.float64))
    )[1],
    "products of rows": lambda x: _pairs(x, lambda i, j: (x[i][None] @ WEIGHTS) * tf.sin(x[j][None] @ WEIGHTS), (1, 4)),
    "folds": lambda x: tf.foldl(lambda a, e: tf.foldl(lambda b, f: b + tf.sin(e * f) * f, x, a), x, tf.zeros([4], tf.float64)),
}
WEIGHTS = np.random.default_rng(1).normal(size=(4, 4))


def _sum(term: Callable[[Any], Any], shape: tuple[int, ...] = (4,)) -> Any:
    return tf.while_loop(lambda j, _: j < 5, lambda j, a: (j + 1, a + term(j)), (0, tf.zeros(shape, tf.float64)))[1]


def _pairs(x: Any, term: Callable[[Any, Any], Any], shape: tuple[int, ...] = (4,), row: bool = False) -> Any:
    def outer(i: Any) -> Any:
        given = x[i] if row else i
        return _sum(lambda j: term(given, j), shape)

    return _sum(outer, shape)


@pytest.mark.parametrize("name", NESTS)
def test_loops_in_loops_over_one_array(name: str) -> None:
    """The row of the outer loop and that of the inner one are two, also where a derivative opens the inner one."""
    x = rows(5)
    check_gradient(NESTS[name](x), x, X)


def test_a_value_and_its_derivative_are_of_one_draw() -> None:
    x = tf.constant(X[:, 0])
    u = lambda: tf.random_uniform([], 0.5, 1.5, tf.float64)  # noqa: E731
    r = tf.while_loop(lambda i, _: i < 5, lambda i, a: (i + 1, a * x[i] * u()), (0, tf.constant(1.0, tf.float64)))[1]
    value, parts = run([r, tf.gradients(r, x)[0] * x])  # d r / d x[i] is r / x[i]
    np.testing.assert_allclose(parts, np.full(5, value))
    w, pictures = tf.constant([[2.0]], tf.float64), tf.constant(X[:, :1, None])
    r = tf.foldl(lambda a, e: a * tf.matmul(e, w) * u(), pictures, tf.ones([1, 1], tf.float64))
    value, parts = run([r, tf.gradients(r, pictures)[0] * pictures])
    np.testing.assert_allclose(parts.ravel(), np.full(5, value.item()))


# ---------------------------------------------------------------- and those that do something else
def test_rows_in_another_order() -> None:
    """What is not a stack is carried whole."""
    x = rows()
    two = lambda i, a: (i + 1, a.write(2 * i, x[i]).write(2 * i + 1, x[i] * x[i]))  # noqa: E731
    _, out = tf.while_loop(lambda i, _: i < 5, two, (0, array(10)))
    np.testing.assert_allclose(run(out.stack(), {x: X}), np.stack([X, X * X], 1).reshape(10, 4))
    np.testing.assert_allclose(run(out.concat(), {x: X}), np.stack([X, X * X], 1).ravel())
    check_gradient(out.stack() ** 2.0, x, X)
    _, h, out = tf.while_loop(
        lambda i, *_: i >= 0,
        lambda i, h, a: (i - 1, h * x[i], a.write(i, h)),
        (4, tf.ones([4], tf.float64), array(5)),
        maximum_iterations=5,
    )
    back = np.cumprod(np.concatenate([np.ones((1, 4)), X[::-1]]), 0)
    value, last = run([out.stack(), h], {x: X})
    np.testing.assert_allclose(value, back[4::-1])
    np.testing.assert_allclose(last, back[5])
    check_gradient(out.stack(), x, X)


def test_rows_that_the_next_step_reads() -> None:
    x = rows()
    body = lambda i, a: (i + 1, a.write(i, a.read(i - 1) * 0.5 + x[i]))  # noqa: E731
    _, out = tf.while_loop(lambda i, _: i < 5, body, (1, array(5).write(0, x[0])))
    wanted = [X[0]]
    for row in X[1:]:
        wanted.append(wanted[-1] * 0.5 + row)
    np.testing.assert_allclose(run(out.stack(), {x: X}), wanted)
    check_gradient(out.stack() ** 2.0, x, X)


def test_places_that_only_look_like_a_counter() -> None:
    """Twice the counter, a counter that counts from the end, one that goes by 2."""
    x = rows(5)
    places: list[tuple[Any, Any]] = [
        (lambda i: tf.reduce_sum(tf.tile([i], [2])), lambda i: 2 * i),
        (lambda i: tf.reduce_max(tf.stack([i, 1])), lambda i: max(i, 1)),
        (lambda i: tf.cast(tf.cast(i, tf.float32) * 0.5, tf.int32), lambda i: i // 2),
        (lambda i: tf.abs(i - 1), lambda i: abs(i - 1)),
    ]
    for place, number in places:
        step = lambda i, a, at=place: (i + 1, a * 2.0 + x[at(i)])  # noqa: E731
        _, total = tf.while_loop(lambda i, _: i < 3, step, (0, tf.zeros([4], tf.float64)))
        wanted = np.zeros(4)
        for i in range(3):
            wanted = wanted * 2.0 + X[number(i)]
        np.testing.assert_allclose(run(total, {x: X}), wanted)
    _, total = tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * 2.0 + x[i - 2]), (0, tf.zeros([4], tf.float64)))
    np.testing.assert_allclose(run(total, {x: X}), X[3] * 4 + X[4] * 2 + X[0])
    _, total = tf.while_loop(lambda i, _: i < 5, lambda i, a: (i + 2, a * 2.0 + x[i]), (0, tf.zeros([4], tf.float64)))
    np.testing.assert_allclose(run(total, {x: X}), X[0] * 4 + X[2] * 2 + X[4])


def test_sizes_that_are_fed() -> None:
    n = tf.placeholder(tf.int32, [])
    body = lambda i, a: (i + 1, a.write(i, tf.cast(i, tf.float64)))  # noqa: E731
    for start in (array(n), array(0, dynamic_size=True)):
        _, out = tf.while_loop(lambda i, _: i < n, body, (0, start))
        for count in (4, 0, 2):
            value, size = run([out.stack(), out.size()], {n: count})
            np.testing.assert_array_equal(value, np.arange(count))
            assert size == count and size.dtype == np.int32


def test_more_rows_than_there_are_places() -> None:
    n = tf.placeholder(tf.int32, [])
    _, out = tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, a.write(i, 1.0)), (0, array(3)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[0\] = 3 is not in \[0, 3\)"):
        run(out.stack(), {n: 4})


# ---------------------------------------------------------------- outside of loops
def test_rows_by_number() -> None:
    x = rows()
    a = array(3).unstack(x[:3])
    b = array(3).scatter([2, 0, 1], x[:3])
    y = tf.stack([a.read(k) * b.read(k) for k in range(3)])
    np.testing.assert_allclose(run(y, {x: X}), X[:3] * X[[1, 2, 0]])
    check_gradient(y, x, X)
    grown = array(0, dynamic_size=True).write(1, [1.0, 2.0]).write(0, [3.0, 4.0]).write(1, [5.0, 6.0])
    assert run([grown.stack(), grown.size()])[0].tolist() == [[3.0, 4.0], [5.0, 6.0]]
    assert grown.identity().element_shape.as_list() == [2] and run(grown.close()) is None
    assert run(array(3).write(1, 2).stack()).tolist() == [0.0, 2.0, 0.0]  # rows that nobody has written
    assert run(array(3).size()) == 3 and run(array(2, element_shape=[]).stack()).tolist() == [0.0, 0.0]


def test_branches() -> None:
    x = rows()
    a = tf.cond(tf.reduce_sum(x) > 100.0, lambda: array(2).write(0, x[0]), lambda: array(2).write(1, x[1]))
    assert isinstance(a, tf.TensorArray)
    np.testing.assert_allclose(run(a.stack(), {x: X}), [np.zeros(4), X[1]])


def test_a_graph_that_comes_back_from_a_file(tmp_path: Any) -> None:
    x = rows()
    w = tf.Variable(2.0, dtype=tf.float64, name="w")
    stack, _ = recurrent(x * w)
    name, wanted = stack.name, run(stack, {x: X})
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        path = tf.train.Saver().save(session, str(tmp_path / "m"))
    tf.reset_default_graph()
    with tf.Session() as session:
        saver = tf.train.import_meta_graph(path + ".meta")
        saver.restore(session, path)
        np.testing.assert_array_equal(session.run(name, {"x:0": X}), wanted)


# ---------------------------------------------------------------- faults
def test_what_an_array_has_no_place_for() -> None:
    a = array(3)
    faults: list[tuple[type, str, Callable[[], Any]]] = [
        (ValueError, "Must provide size", lambda: tf.TensorArray(tf.float32)),
        (ValueError, "Tried to write to index 3 but array is not resizeable and size is: 3", lambda: a.write(3, 1.0)),
        (ValueError, "Tried to write to index -1", lambda: a.write(-1, 1.0)),
        (ValueError, "Shape must be rank 0 but is rank 1\n.*index is one number", lambda: a.write([0], 1.0)),
        (ValueError, "must be equal, but are 2 and 3", lambda: array(2).write(0, [1.0, 2.0]).write(1, [1.0, 2.0, 3.0])),
        (ValueError, "must be equal, but are 3 and 4", lambda: array(3).unstack(tf.ones([4, 2], tf.float64))),
        (TypeError, "dtype is float64 but Op is trying to write dtype int32", lambda: array(2).write(0, tf.constant(1))),
        (TypeError, "Expected int32, got 2.0", lambda: array(2.0)),
        (ValueError, "nothing has been written to .* yet", lambda: array(3).stack()),
        (ValueError, "give it element_shape=", lambda: array(3).write(0, tf.placeholder(tf.float64))),
        (NotImplementedError, "a TensorArray holds numbers", lambda: tf.TensorArray(tf.string, 2)),
        (NotImplementedError, "reshape the tensor", lambda: a.split(tf.ones([3], tf.float64), [1, 2])),
        (NotImplementedError, "tf.gradients", lambda: a.grad("loss")),
        (NotImplementedError, "give it a size", lambda: array(0, dynamic_size=True).scatter([0], [1.0])),
        (
            TypeError,
            "a TensorArray stays one",
            lambda: tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a.stack()), (0, a.write(0, 1.0))),
        ),
    ]
    for kind, message, call in faults:
        with pytest.raises(kind, match=message):
            call()


def test_arrays_that_may_grow_and_need_not() -> None:
    x = tf.constant(X[:, 0])
    body = lambda i, a: (i + 1, a.write(i, x[i]))  # noqa: E731
    for size in (1, 5, 7):
        _, out = tf.while_loop(lambda i, _: i < 5, body, (0, array(size, dynamic_size=True)))
        np.testing.assert_array_equal(run(out.stack()), [*X[:, 0], *[0.0] * (size - 5)])
    n = tf.placeholder(tf.int32, [])
    _, out = tf.while_loop(lambda i, _: i < n, body, (0, array(0, dynamic_size=True)), maximum_iterations=5)
    assert run([out.size(), tf.shape(out.stack())], {n: 3})[0] == 3 and run(out.size(), {n: 9}) == 5


def test_an_array_that_grows_as_values_say() -> None:
    early = lambda i, a, _: tf.logical_and(i < 5, a < 3.0)  # noqa: E731
    write = lambda i, a, out: (i + 1, a + 1.0, out.write(i, a))  # noqa: E731
    with pytest.raises(ValueError, match="the condition is only that a counter is below a size"):
        tf.while_loop(early, write, (0, tf.constant(0.0, tf.float64), array(0, dynamic_size=True)))
    _, _, out = tf.while_loop(early, write, (0, tf.constant(0.0, tf.float64), array(5, dynamic_size=True)))  # long enough
    assert run(out.stack()).tolist() == [0.0, 1.0, 2.0, 0.0, 0.0]
    body = lambda i, a, out: (i + 1, a * 2.0, out.write(i, a))  # noqa: E731
    start = 0, tf.constant(1.0, tf.float64), array(0, dynamic_size=True)
    with pytest.raises(
        ValueError, match="how long an array of dynamic_size becomes(.|\n)*give the tf.TensorArray the size that it may need"
    ):
        tf.while_loop(lambda i, a, _: a < 10.0, body, start)
