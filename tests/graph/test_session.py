"""Sessions: what can be fetched and fed, what a value is, and what stays from run to run.

Law of this file: expected behaviour was read off TensorFlow's own sessions in their TF1 mode.
"""

from __future__ import annotations

import collections
import gc
import threading
from typing import Any

import numpy as np
import pytest

import symgraph as tf

Pair = collections.namedtuple("Pair", "loss step")


def value(fetches: Any, feed_dict: dict | None = None) -> Any:
    """`fetches` in a new session, variables initialised."""
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feed_dict)


# ---------------------------------------------------------------- fetches
def test_structures() -> None:
    a, b, op = tf.constant(1.0), tf.constant([1, 2]), tf.no_op()
    with tf.Session() as sess:
        assert sess.run(a) == 1.0
        assert sess.run(op) is None
        assert sess.run([a]) == [1.0]
        assert sess.run((a, op)) == (1.0, None)
        got = sess.run({"a": a, "parts": [b, (a, op)], "none": []})
        assert list(got) == ["a", "parts", "none"]
        assert got["a"] == 1.0
        assert got["none"] == []
        assert isinstance(got["parts"][1], tuple)
        assert got["parts"][1] == (1.0, None)
        np.testing.assert_array_equal(got["parts"][0], [1, 2])


def test_named_tuples_keep_their_type() -> None:
    a, op = tf.constant(1.0), tf.no_op()
    with tf.Session() as sess:
        for _ in range(2):
            got = sess.run(Pair(a, op))
            assert type(got) is Pair
            assert got == Pair(1.0, None)
            assert [type(x) for x in sess.run([Pair(a, op), (a, op)])] == [Pair, tuple]
            assert [type(x) for x in sess.run([(a, op), Pair(a, op)])] == [tuple, Pair]
            assert type(sess.run((a, op))) is tuple
            assert type(sess.run([a, op])) is list


def test_ordered_dict_keeps_its_type_and_order() -> None:
    a = tf.constant(1.0)
    got = value(collections.OrderedDict([("z", a), ("a", a)]))
    assert type(got) is collections.OrderedDict
    assert list(got.items()) == [("z", 1.0), ("a", 1.0)]


def test_empty_fetches() -> None:
    with tf.Session() as sess:
        assert sess.run([]) == []
        assert sess.run(()) == ()
        assert sess.run({}) == {}


def test_names() -> None:
    x = tf.constant([1.0, 2.0], name="x")
    v = tf.Variable(3.0, name="v")
    op = v.assign_add(1.0).op
    with tf.Session() as sess:
        sess.run("v/Assign")
        np.testing.assert_array_equal(sess.run("x:0"), [1.0, 2.0])
        assert sess.run("x") is None, "the name of an operation runs it"
        assert sess.run(["v:0", v, x.op, op.name]) == [4.0, 4.0, None, None]
        assert sess.run("v:0", {"v/read:0": 7.0}) == 4.0


def test_duplicates_are_one_value_each() -> None:
    x = tf.random_uniform([])
    a, b, c = value([x, x, x * 1.0])
    assert a == b == c


def test_a_variable_and_what_reads_it() -> None:
    v = tf.Variable([1.0, 2.0], name="v")
    got = value([v, v.value(), v.read_value(), v.initialized_value(), "v:0"])
    for x in got:
        np.testing.assert_array_equal(x, [1.0, 2.0])


# ---------------------------------------------------------------- values
def test_scalars_are_numpy_scalars() -> None:
    kinds = {tf.float32: np.float32, tf.float64: np.float64, tf.int32: np.int32, tf.int64: np.int64, tf.bool: np.bool_, tf.uint8: np.uint8}
    for dtype, kind in kinds.items():
        got = value(tf.constant(1, dtype) if dtype is not tf.bool else tf.constant(True))
        assert type(got) is kind
    assert type(value(tf.reduce_sum(tf.zeros([3])))) is np.float32
    assert type(value([tf.constant(1.0)])[0]) is np.float32
    assert type(value(tf.argmax([1.0, 2.0]))) is np.int64


def test_arrays_are_fresh() -> None:
    """What a run gives belongs to the user: writing to it changes nothing in the session."""
    p = tf.placeholder(tf.float32, [2])
    v, c = tf.Variable([1.0, 2.0]), tf.constant([1.0, 2.0])
    fetches = [v, c, tf.identity(v), c + 0.0, tf.reshape(v, [2, 1]), p, tf.identity(p)]
    fed = np.array([1.0, 2.0], np.float32)
    with tf.Session() as sess:
        sess.run(v.initializer)
        for fetch in (*fetches, fetches):
            first = sess.run(fetch, {p: fed})
            for x in first if isinstance(first, list) else [first]:
                assert x.flags.writeable
                assert x.flags.c_contiguous
                x[...] = -1.0
            second = sess.run(fetch, {p: fed})
            for x in second if isinstance(second, list) else [second]:
                np.testing.assert_array_equal(x.ravel(), [1.0, 2.0])
        np.testing.assert_array_equal(fed, [1.0, 2.0])


def test_a_fed_array_is_never_written() -> None:
    v = tf.Variable(np.zeros(3, np.float32))
    p = tf.placeholder(tf.float32, [3])
    step = v.assign(p)
    data = np.array([1.0, 2.0, 3.0], np.float32)
    with tf.Session() as sess:
        sess.run(step, {p: data})
        sess.run(v.assign_add([1.0, 1.0, 1.0]))
        np.testing.assert_array_equal(data, [1.0, 2.0, 3.0])
        data[:] = 0.0
        np.testing.assert_array_equal(sess.run(v), [2.0, 3.0, 4.0])


def test_strings() -> None:
    assert value(tf.constant("hi")) == b"hi"
    got = value(tf.constant(["hi", b"you"]))
    assert got.dtype == object
    assert got.tolist() == [b"hi", b"you"]
    one, two = value([tf.constant("a"), tf.constant(2.0)])
    assert (one, two) == (b"a", 2.0)


def test_empty_tensors() -> None:
    got = value([tf.zeros([0, 3]), tf.reduce_sum(tf.zeros([0])), tf.zeros([0])])
    assert got[0].shape == (0, 3)
    assert got[1] == 0.0
    assert got[2].shape == (0,)


# ---------------------------------------------------------------- feeding
def test_feeding_any_tensor() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    hidden = tf.multiply(x, 2.0, name="hidden")
    c = tf.constant(10.0, name="c")
    twin = tf.constant(10.0)
    v = tf.Variable(5.0, name="v")
    y = hidden + c + v
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        feeds = {x: [1.0, 2.0]}
        np.testing.assert_array_equal(sess.run(y, feeds), [17.0, 19.0])
        np.testing.assert_array_equal(sess.run(y, feeds | {c: 0.0}), [7.0, 9.0])
        np.testing.assert_array_equal(sess.run(y, feeds | {v: 0.0}), [12.0, 14.0])
        np.testing.assert_array_equal(sess.run(y, {hidden: [0.0, 1.0]}), [15.0, 16.0])
        np.testing.assert_array_equal(sess.run(y, {"hidden:0": [0.0, 1.0], "c:0": 1.0}), [6.0, 7.0])
        assert sess.run([c, twin], {c: 1.0}) == [1.0, 10.0], "equal constants are not one"
        assert sess.run(v) == 5.0, "feeding a variable does not set it"
        np.testing.assert_array_equal(sess.run(hidden, {hidden: [3.0, 4.0]}), [3.0, 4.0])
        np.testing.assert_array_equal(sess.run(y, feeds), [17.0, 19.0])


def test_what_lies_upstream_of_a_feed_is_not_run() -> None:
    x = tf.placeholder(tf.float32, [2])
    v = tf.Variable([1.0, 2.0])
    with tf.control_dependencies([tf.matrix_inverse(tf.zeros([2, 2]))]):
        hidden = x * v
    y = hidden + 1.0
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(y, {hidden: [1.0, 1.0]}), [2.0, 2.0])


def test_feeding_the_initial_value() -> None:
    v = tf.Variable(tf.zeros([2]), name="v")
    start = v.initializer.inputs[1]
    with tf.Session() as sess:
        sess.run(v.initializer, {start: [1.0, 2.0]})
        np.testing.assert_array_equal(sess.run(v), [1.0, 2.0])
        sess.run(tf.global_variables_initializer(), {start: [3.0, 4.0]})
        np.testing.assert_array_equal(sess.run(v), [3.0, 4.0])
        sess.run(v.initializer)
        np.testing.assert_array_equal(sess.run(v), [0.0, 0.0])
        v.load([5.0, 6.0], sess)
        np.testing.assert_array_equal(v.eval(sess), [5.0, 6.0])


def test_fed_values_are_converted() -> None:
    f, n, b = tf.placeholder(tf.float32), tf.placeholder(tf.int32), tf.placeholder(tf.bool)
    with tf.Session() as sess:
        assert sess.run(n + 0, {n: 1.7}) == 1
        assert sess.run(f + 0.0, {f: True}) == 1.0
        assert sess.run(b, {b: 2})
        np.testing.assert_array_equal(sess.run(f * 2.0, {f: np.arange(3)}), [0.0, 2.0, 4.0])
        np.testing.assert_array_equal(sess.run(f * 2.0, {f: np.arange(6.0).reshape(2, 3).T}), [[0, 6], [2, 8], [4, 10]])
        np.testing.assert_array_equal(sess.run(f * 2.0, {f: [[1, 2], [3, 4]]}), [[2, 4], [6, 8]])
        np.testing.assert_array_equal(sess.run(f * 2.0, {f: np.arange(8.0)[::2]}), [0, 4, 8, 12])


def test_read_only_arrays_can_be_fed() -> None:
    p = tf.placeholder(tf.float32, [2])
    data = np.ones(2, np.float32)
    data.setflags(write=False)
    np.testing.assert_array_equal(value(p + 1.0, {p: data}), [2.0, 2.0])


# ---------------------------------------------------------------- from run to run
def test_nothing_is_cached() -> None:
    draw = tf.random_uniform([3])
    v = tf.Variable(0.0)
    double = v * 2.0
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert not np.array_equal(sess.run(draw), sess.run(draw))
        assert sess.run(double) == 0.0
        sess.run(v.assign(3.0))
        assert sess.run(double) == 6.0
        assert sess.run(double, {v: 1.0}) == 2.0
        assert sess.run(double) == 6.0


def test_operations_made_later_can_be_run() -> None:
    v = tf.Variable(1.0)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(v + 1.0) == 2.0
        w = tf.Variable(v * 10.0)
        sess.run(w.initializer)
        assert sess.run(w) == 10.0
        assert sess.run(v) == 1.0


def test_assignment_gives_the_new_value() -> None:
    v = tf.Variable(1.0)
    up = v.assign_add(2.0)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(up) == 3.0
        assert sess.run([up, v]) == [5.0, 5.0], "a variable fetched with what assigns it has the value after"
        assert sess.run([v, up]) == [7.0, 7.0]
        assert sess.run(up + 1.0) == 10.0
        assert sess.run(tf.assign_sub(v, 4.0)) == 5.0
        assert sess.run(up.op) is None
        assert sess.run(v) == 7.0


def test_each_assignment_happens_once_per_run() -> None:
    v = tf.Variable(0.0)
    one, two = v.assign_add(1.0), v.assign_add(1.0)
    with tf.Session() as sess:
        sess.run(v.initializer)
        sess.run([one, one, one])
        assert sess.run(v) == 1.0
        sess.run([one, two])
        assert sess.run(v) == 3.0
        assert sess.run([one.op, two.op, v]) == [None, None, 5.0]


def test_loss_is_that_before_the_step() -> None:
    v = tf.Variable(1.0)
    loss = tf.square(v)
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run([train, loss]) == [None, 1.0]
        assert sess.run([loss, train])[0] == pytest.approx(0.64)
        assert sess.run(v) == pytest.approx(0.64)


def test_updates_read_the_values_before_the_run() -> None:
    a, b = tf.Variable(1.0), tf.Variable(2.0)
    total = a + b
    sum_to_a, sum_to_b = a.assign(total), b.assign(total)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run([sum_to_a, sum_to_b])
        assert sess.run([a, b]) == [3.0, 3.0]


def test_control_dependencies_are_run() -> None:
    v = tf.Variable(1.0)
    up = v.assign_add(1.0)
    with tf.control_dependencies([up, up, up.op]):
        after = v.read_value()
        nothing = tf.no_op()
    assert len(nothing.control_inputs) == 1, "the same one twice is one"
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(after) == 2.0
        sess.run(nothing)
        assert sess.run(v) == 3.0
        sess.run(tf.group(up, nothing))
        assert sess.run(v) == 4.0


def test_int_and_bool_variables() -> None:
    n, b = tf.Variable(3), tf.Variable([True, False])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(n.assign_add(4)) == 7
        np.testing.assert_array_equal(sess.run(b.assign([False, True])), [False, True])


# ---------------------------------------------------------------- sizes that change
def test_a_batch_of_any_size() -> None:
    X = tf.placeholder(tf.float32, [None, 3], name="X")
    w = tf.Variable(np.arange(3.0, dtype=np.float32).reshape(3, 1))
    out, mean, total = tf.matmul(X, w) + 1.0, tf.reduce_mean(X), tf.reduce_sum(X, axis=0)
    rng = np.random.default_rng(0)
    with tf.Session() as sess:
        sess.run(w.initializer)
        for m in (5, 1, 7, 0, 2, 1, 0, 5):
            data = rng.normal(size=(m, 3)).astype(np.float32)
            got = sess.run([out, total], {X: data})
            np.testing.assert_allclose(got[0], data @ [[0.0], [1.0], [2.0]] + 1.0, rtol=1e-5)
            np.testing.assert_allclose(got[1], data.sum(0), rtol=1e-5, atol=1e-6)
            assert got[0].shape == (m, 1)
            if m:
                assert sess.run(mean, {X: data}) == pytest.approx(data.mean(), abs=1e-6)
            else:
                with np.errstate(invalid="ignore"):
                    assert np.isnan(sess.run(mean, {X: data}))


def test_one_row_beside_many() -> None:
    """A size that is 1 broadcasts, though the graph was built with a size of its own."""
    a, b = tf.placeholder(tf.float32, [None, 2], name="a"), tf.placeholder(tf.float32, [None, 2], name="b")
    c = a + b
    with tf.Session() as sess:
        for m, n in ((3, 3), (1, 3), (3, 1), (1, 1), (3, 3), (0, 1), (1, 0), (0, 0)):
            x, y = np.full((m, 2), 2.0), np.full((n, 2), 3.0)
            np.testing.assert_array_equal(sess.run(c, {a: x, b: y}), x + y)


def test_unknown_rank() -> None:
    p = tf.placeholder(tf.float32, name="p")
    y, s = tf.reduce_sum(p * 2.0), tf.shape(p)
    with tf.Session() as sess:
        for shape in ((), (3,), (2, 3), (2, 1, 3), (0,), (1,), ()):
            data = np.ones(shape, np.float32)
            assert sess.run(y, {p: data}) == 2.0 * data.size
            np.testing.assert_array_equal(sess.run(s, {p: data}), shape)
            assert sess.run(p, {p: data}).shape == shape


def test_shapes_made_of_sizes_and_fed_values() -> None:
    X = tf.placeholder(tf.float32, [None, 3])
    n = tf.placeholder(tf.int32, [])
    flat, noise, filled = tf.reshape(X, [tf.shape(X)[0] * 3]), tf.random_uniform(tf.shape(X)), tf.fill([n, 2], 1.0)
    with tf.Session() as sess:
        for m in (4, 1, 0, 2):
            assert sess.run(flat, {X: np.ones((m, 3))}).shape == (3 * m,)
            assert sess.run(noise, {X: np.ones((m, 3))}).shape == (m, 3)
            assert sess.run(filled, {n: m}).shape == (m, 2)


# ---------------------------------------------------------------- sessions
def test_sessions_are_isolated() -> None:
    v = tf.Variable(1.0)
    init, up = tf.global_variables_initializer(), v.assign_add(1.0)
    a, b = tf.Session(), tf.Session()
    a.run(init)
    a.run(up)
    with pytest.raises(tf.errors.FailedPreconditionError):
        b.run(v)
    b.run(init)
    assert (a.run(v), b.run(v)) == (2.0, 1.0)
    b.close()
    assert a.run(up) == 3.0
    a.close()


def test_random_streams_belong_to_sessions() -> None:
    tf.set_random_seed(1)
    draw = tf.random_uniform([2])
    a, b = tf.Session(), tf.Session()
    first, second = a.run(draw), a.run(draw)
    np.testing.assert_array_equal(b.run(draw), first)
    np.testing.assert_array_equal(b.run(draw), second)


def test_the_default_session() -> None:
    x = tf.constant(2.0)
    v = tf.Variable(3.0)
    assert tf.get_default_session() is None
    with tf.Session() as sess:
        assert tf.get_default_session() is sess
        v.initializer.run()
        assert x.eval() == 2.0
        assert v.eval() == 3.0
        assert (x * v).eval({x: 1.0}) == 3.0
        assert (x * v).eval(feed_dict={x: 0.0}) == 0.0
        v.assign(1.0).op.run()
        assert v.eval() == 1.0
    assert tf.get_default_session() is None
    with pytest.raises(RuntimeError, match="closed"):
        sess.run(x)


def test_nested_default_sessions() -> None:
    a, b = tf.Session(), tf.Session()
    with a.as_default():
        with b.as_default():
            with a.as_default():
                assert tf.get_default_session() is a
            assert tf.get_default_session() is b
        assert tf.get_default_session() is a
    assert tf.get_default_session() is None
    assert a.run(tf.constant(1.0)) == 1.0, "as_default does not close"


def test_a_session_brings_its_graph() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.constant(1.0)
    with tf.Session(graph=graph) as sess:
        assert tf.get_default_graph() is graph
        assert sess.graph is graph
        assert x.eval() == 1.0
        y = x + 1.0
        assert y.graph is graph
    assert tf.get_default_graph() is not graph
    assert tf.Session(graph=graph).run(y) == 2.0


def test_interactive_session() -> None:
    x = tf.constant(1.0)
    sess = tf.InteractiveSession()
    try:
        v = tf.Variable(x + 1.0)
        v.initializer.run()
        assert (v.eval(), x.eval()) == (2.0, 1.0)
        assert tf.get_default_session() is sess
    finally:
        sess.close()
    assert tf.get_default_session() is None
    sess.close()


def test_an_exception_inside_with_closes() -> None:
    with pytest.raises(ZeroDivisionError), tf.Session() as sess:
        1 / 0  # noqa: B018  the point is that it raises
    assert tf.get_default_session() is None
    with pytest.raises(RuntimeError, match="closed"):
        sess.run(tf.constant(1.0))


def test_closing_gives_the_memory_back() -> None:
    v = tf.Variable(np.zeros(1000, np.float32))
    sess = tf.Session()
    sess.run(v.initializer)
    state = sess.state
    sess.close()
    del sess
    gc.collect()
    assert len(gc.get_referrers(state)) <= 1


def test_threads_share_a_session() -> None:
    n = tf.Variable(0)
    up = n.assign_add(1)
    with tf.Session() as sess:
        sess.run(n.initializer)
        threads = [threading.Thread(target=lambda: [sess.run(up) for _ in range(50)]) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sess.run(n) == 200


def test_functions_keep_variables_of_their_own() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    v = tf.Variable(1.0, name="v")
    f = tf.function([x], [x * v, v], updates=[(v, v + 1.0)])
    np.testing.assert_array_equal(f([1.0, 2.0])[0], [1.0, 2.0])
    np.testing.assert_array_equal(f([1.0, 2.0])[0], [2.0, 4.0])
    assert f.variables == {"v": 3.0}
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(v) == 1.0
        g = tf.function([x], x * v, updates={v: v + 1.0}, session=sess)
        np.testing.assert_array_equal(g([1.0]), [1.0])
        assert sess.run(v) == 2.0


def test_numbers_that_sympy_does_not_have_as_floats() -> None:
    zero, minus = tf.constant(0.0), tf.constant(-1.0)
    fetches = [tf.log(0.0), 1.0 / zero, minus / zero, tf.log(minus), tf.sqrt(minus), tf.pow(0.0, -1.0)]
    with tf.Session() as session:
        np.testing.assert_array_equal(session.run(fetches), [-np.inf, np.inf, -np.inf, np.nan, np.nan, np.inf])


def test_structures_are_fed_with_structures() -> None:
    a, b, c = (tf.placeholder(tf.float32, []) for _ in range(3))
    total = 100 * a + 10 * b + c
    with tf.Session() as session:
        assert session.run(total, {(a, (b, c)): (1, [2, 3])}) == 123
        assert session.run(total, {(a, b): np.array([4.0, 5.0]).tolist(), c: 6}) == 456
        with pytest.raises(ValueError, match="structure"):
            session.run(total, {(a, b): (1, 2, 3), c: 0})
        v = tf.Variable(0.0)
        session.run(v.initializer)
        session.run_loop(tf.assign_add(v, total), 2, {(a, b): (0, 1), c: 1})
        assert session.run(v) == 22


def test_a_fed_number_in_a_shape() -> None:
    n, x = tf.placeholder(tf.int32, [], name="n"), tf.placeholder(tf.float32, [None, 6])
    made = [tf.zeros([n, 3]), tf.random_normal([n, 3]), tf.reshape(x, [n, 6]), tf.fill(tf.stack([n, 2]), 1.0)]
    assert [t.shape.as_list() for t in made] == [[None, 3], [None, 3], [None, 6], [None, 2]]
    y = tf.matmul(made[0], tf.ones([3, 2])) + 1.0
    with tf.Session() as session:
        for k in (2, 4):
            values = session.run([*made, y], {n: k, x: np.zeros((k, 6))})
            assert [v.shape[0] for v in values] == [k] * 5
        with pytest.raises(tf.errors.InvalidArgumentError, match="placeholder tensor 'n'"):
            session.run(y)


def test_the_inside_of_a_loop_is_not_fetched() -> None:
    kept: list[tf.Tensor] = []

    def body(i: tf.Tensor) -> tf.Tensor:
        kept.append(i * 2)
        return i + 1

    tf.while_loop(lambda i: i < 3, body, [tf.constant(0)])
    with tf.Session() as session, pytest.raises(ValueError, match="not fetchable"):
        session.run(kept[0])
