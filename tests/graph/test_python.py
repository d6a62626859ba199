"""Python inside a graph: functions, printing, sizes that depend on values, strings; and runs in stages.

Law of this file: the texts and numbers that are TF1's were read off TensorFlow 2.21's TF1 mode.
"""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf
from symgraph.record import build_graph, dumps, loads
from symgraph.stages import Stages


def run(fetches, feed=None):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feed)


# ---------------------------------------------------------------- py_func
def test_a_function_of_numpy_values() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    seen = []
    y, n = tf.py_func(lambda a, k: (seen.append((type(a), type(k))), (a * k, np.int64(a.size)))[1], [x, 2.0], [tf.float32, tf.int64])
    assert (y.shape.dims, n.dtype, y.name) == (None, tf.int64, "PyFunc:0")
    values = run([y, n, y + 1.0], {x: [[1, 2, 3]]})
    assert np.array_equal(values[0], [[2, 4, 6]]) and values[1] == 3 and np.array_equal(values[2], [[3, 5, 7]])
    assert seen == [(np.ndarray, np.float32)]  # once in a run


def test_set_shape_says_what_python_cannot() -> None:
    x = tf.placeholder(tf.float32)
    y = tf.py_func(np.sin, [x], tf.float32)
    y.set_shape([None, 2])
    z = tf.matmul(y, tf.ones([2, 3]))
    assert y.shape.as_list() == [None, 2] and z.shape.as_list() == [None, 3]
    assert run(z, {x: np.zeros((4, 2))}).shape == (4, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"PyFunc gave a value of shape \(4, 5\) for 'PyFunc:0' of shape \(\?, 2\)"):
        run(z, {x: np.zeros((4, 5))})
    p = tf.placeholder(tf.float32)
    p.set_shape([None, 2])
    assert tf.matmul(p, tf.ones([2, 3])).shape.as_list() == [None, 3]


@pytest.mark.parametrize(
    ("function", "tout", "words"),
    [
        (lambda: 1.0, tf.float32, "0-th value returned by PyFunc is double, but expects float"),
        (lambda: (1, 2), tf.int64, "PyFunc returns 2 values, but expects to see 1 values."),
        (lambda: None, tf.int64, "PyFunc returns 0 values"),
    ],
)
def test_what_a_function_returns_is_checked(function, tout, words: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        run(tf.py_func(function, [], tout))


def test_a_function_without_outputs_is_an_operation() -> None:
    called = []
    op = tf.py_func(lambda: called.append(1), [], [])
    v = tf.Variable(1.0)
    with tf.control_dependencies([op]):
        step = tf.assign_add(v, 1.0)
    assert isinstance(op, tf.Operation) and run([op, step]) == [None, 2.0] and called == [1]


def test_its_own_error_comes_through() -> None:
    with pytest.raises(ZeroDivisionError) as e:
        run(tf.py_func(lambda: 1 / 0, [], tf.float32))
    assert "'PyFunc' PyFunc made at test_python.py" in e.value.__notes__[0]


def test_no_derivative_passes_python() -> None:
    x = tf.placeholder(tf.float32, [3])
    y = tf.py_func(np.sin, [x], tf.float32)
    y.set_shape([3])
    assert tf.gradients(y, x) == [None]
    (g,) = tf.gradients(tf.reduce_sum(x * y), x)
    assert np.allclose(run(g, {x: [1, 2, 3]}), np.sin([1, 2, 3]))


def test_strings_go_in_and_out() -> None:
    s = tf.py_func(lambda a: a.decode().upper(), [tf.string_join(["a", "b"], "-")], tf.string)
    assert run(s) == b"A-B"


def test_a_stored_graph_has_no_functions() -> None:
    y = tf.py_func(np.sin, [tf.ones([2])], tf.float32, name="mine")
    y.set_shape([2])
    stored = loads(dumps(tf.get_default_graph()))
    graph = tf.Graph()
    build_graph(stored, graph)
    with tf.Session(graph=graph) as sess, pytest.raises(tf.errors.InvalidArgumentError, match="the Python function is not here"):
        sess.run("mine:0")
    assert graph.get_tensor_by_name("mine:0").shape.as_list() == [2]


# ---------------------------------------------------------------- printing
VALUES = (np.float32([1, 2.5, 3e10, 4, 5]), np.arange(24.0, dtype="f").reshape(2, 3, 4), np.array([[1, 2], [3, 4]]))


@pytest.mark.parametrize(
    ("most", "text"),
    [
        (None, "[1 2.5 3e+10...][[[0 1 2...]]...][[1 2][3...]...]"),
        (5, "[1 2.5 3e+10 4 5][[[0 1 2 3][4...]]...][[1 2][3 4]]"),
        (-1, "[1 2.5 3e+10 4 5][[[0 1 2 3][4 5 6 7][8 9 10 11]][[12 13 14 15][16 17 18 19][20 21 22 23]]][[1 2][3 4]]"),
    ],
)
def test_print_writes_as_tf(capsys: pytest.CaptureFixture, most: int | None, text: str) -> None:
    run(tf.Print(tf.constant(0.0), list(VALUES), "msg ", summarize=most))
    assert capsys.readouterr().err == f"msg {text}\n"


def test_print_writes_numbers_as_tf(capsys: pytest.CaptureFixture) -> None:
    data = [[True, False], "str", ["a", "b"], 3.14159265, 1e-7, 1e8, float("nan"), np.float64(0.1), [], np.zeros((0, 3), "f")]
    run(tf.Print(tf.constant(0.0), data))
    assert capsys.readouterr().err == "[1 0][str][a b][3.14159274][1e-07][1e+08][nan][0.1][][]\n"


def test_print_passes_its_input_and_derivative(capsys: pytest.CaptureFixture) -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = tf.Print(x, [tf.shape(x)], first_n=2)
    (g,) = tf.gradients(tf.reduce_sum(y * y), x)
    assert y.name == "Print:0" and y.shape.as_list() == [None, 2]
    for _ in range(3):
        assert np.array_equal(run(g, {x: [[1, 2]]}), [[2, 4]])
    assert capsys.readouterr().err == "[1 2]\n" * 2


def test_print_of_a_branch_that_is_not_taken(capsys: pytest.CaptureFixture) -> None:
    x = tf.placeholder(tf.float32, [])
    y = tf.cond(x > 0.0, lambda: tf.Print(x, [x], "yes "), lambda: tf.Print(-x, [x], "no "))
    assert run(y, {x: 2.0}) == 2 and run(y, {x: -3.0}) == 3
    assert capsys.readouterr().err == "yes [2]\nno [-3]\n"


def test_tf_print(capsys: pytest.CaptureFixture) -> None:
    op = tf.print("a", tf.constant(VALUES[2]), 7, tf.constant(np.arange(10)), tf.constant(1.5), sep="|", end=".")
    assert run(op) is None
    assert capsys.readouterr().err == "a|[[1 2]\n [3 4]]|7|[0 1 2 ... 7 8 9]|1.5."


# ---------------------------------------------------------------- sizes that depend on values
def test_where() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    w = tf.where(x > 4.0)
    assert w.shape.as_list() == [None, 2] and w.dtype is tf.int64 and tf.where(tf.placeholder(tf.bool)).shape.as_list() == [None, None]
    assert np.array_equal(run(w, {x: np.arange(6.0).reshape(2, 3)}), [[1, 2]])
    assert run(tf.shape(w), {x: np.zeros((2, 3))}).tolist() == [0, 2]


def test_unique_and_setdiff() -> None:
    y, idx, count = run(tf.unique_with_counts([3, 1, 3, 2]))
    assert (y.tolist(), idx.tolist(), count.tolist()) == ([3, 1, 2], [0, 1, 0, 2], [2, 1, 1])
    assert y.dtype == idx.dtype == count.dtype == np.int32
    assert run(tf.unique([1.5, 1.5], tf.int64).idx).dtype == np.int64
    out, idx = run(tf.setdiff1d([1, 2, 3, 2, 1], [2]))
    assert (out.tolist(), idx.tolist()) == ([1, 3, 1], [0, 2, 4])
    with pytest.raises(ValueError, match="Shape must be rank 1 but is rank 2"):
        tf.unique([[1]])


X = np.arange(12.0, dtype="f").reshape(4, 3)


@pytest.mark.parametrize(
    ("mask", "axis"),
    [([True, False, True, False], None), (X > 4, None), ([True, False, True], 1), ([True, False, True], -1), ([False] * 4, 0)],
)
def test_boolean_mask_and_its_derivative(mask, axis: int | None) -> None:
    x, m = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.bool, [None] * np.ndim(mask))
    y = tf.boolean_mask(x, m, axis=axis)
    value, g = run([y, tf.gradients(tf.reduce_sum(y * y), x)[0]], {x: X, m: mask})
    where = np.asarray(mask) if axis in (None, 0) else (slice(None), np.asarray(mask))
    assert np.array_equal(value, X[where]) and y.shape.ndims == value.ndim
    want = np.zeros_like(X)
    want[where] = 2 * X[where]
    assert np.array_equal(g, want)


def test_boolean_mask_wants_a_rank() -> None:
    for mask, words in [
        (tf.placeholder(tf.bool), "Number of mask dimensions must be specified"),
        (tf.constant(True), "mask cannot be scalar"),
    ]:
        with pytest.raises(ValueError, match=words):
            tf.boolean_mask(X, mask)
    with pytest.raises(ValueError, match="Dimension 0 in both shapes must be equal"):
        tf.boolean_mask(X, [True, False])


def test_dynamic_partition() -> None:
    x, p = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int32, [None])
    parts = tf.dynamic_partition(x, p, 3)
    feed = {x: [[1, 2], [3, 4], [5, 6]], p: [0, 1, 0]}
    assert [v.tolist() for v in run(parts, feed)] == [[[1, 2], [5, 6]], [[3, 4]], []]
    assert run(tf.gradients(tf.reduce_sum(parts[0] ** 2), x)[0], feed).tolist() == [[2, 4], [0, 0], [10, 12]]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"partitions\[1\] = 3 is not in \[0, 3\)"):
        run(parts, {**feed, p: [0, 3, 0]})


# ---------------------------------------------------------------- strings
def test_strings() -> None:
    assert run(tf.as_string([1.5, 2, 1e10, 1e-5])).tolist() == [b"1.500000", b"2.000000", b"10000000000.000000", b"0.000010"]
    assert run(tf.as_string([1, 2], width=5, fill="0")).tolist() == [b"00001", b"00002"]
    assert run(tf.as_string(1.2345, precision=2)) == b"1.23" and run(tf.as_string(True)) == b"true"
    assert run(tf.string_join(["a", ["b", "c"]], "-")).tolist() == [b"a-b", b"a-c"]
    assert run(tf.string_to_number(["1.5", "2"]) + 1.0).tolist() == [2.5, 3] and run(tf.string_length("abc")) == 3
    with pytest.raises(tf.errors.InvalidArgumentError, match="could not correctly convert string"):
        run(tf.string_to_number("no"))


# ---------------------------------------------------------------- stages
def stages(sess: tf.Session) -> list[int]:
    return [len(f.stages) for f in sess._families.values() if isinstance(f, Stages)]


def test_a_draw_of_two_stages_is_drawn_once() -> None:
    tf.set_random_seed(3)
    r = tf.random_uniform([8])
    part = tf.boolean_mask(r, r > 0.5)
    with tf.Session() as sess:
        first, second = (sess.run([r, part, tf.reduce_sum(part)]) for _ in range(2))
    for whole, some, total in (first, second):
        assert np.array_equal(whole[whole > 0.5], some) and np.isclose(some.sum(), total)
    assert not np.array_equal(first[0], second[0])
    tf.reset_default_graph()
    tf.set_random_seed(3)
    plain = tf.random_uniform([8])
    with tf.Session() as sess:
        assert np.array_equal(sess.run(plain), first[0]) and np.array_equal(sess.run(plain), second[0])


def test_masks_of_masks_and_reads_after_writes() -> None:
    x = tf.placeholder(tf.float32, [None])
    large = tf.boolean_mask(x, x > 3.0)
    larger = tf.boolean_mask(large, large > 6.0)
    assert run(larger, {x: np.arange(9)}).tolist() == [7, 8]
    v = tf.Variable(1.0)
    up = tf.assign_add(v, 1.0)
    with tf.control_dependencies([up]):
        seen = tf.py_func(lambda a: a * 10, [v.read_value()], tf.float32)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run([seen + 0.5, up, seen]) == [20.5, 2.0, 20.0]
        assert sess.run(v) == 2 and stages(sess) == [2]


def test_training_on_masked_rows_and_its_loop() -> None:
    """Least squares over the rows that are known; the loop runs step by step and says why."""
    x, y, known = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.float32, [None]), tf.placeholder(tf.bool, [None])
    w = tf.Variable([0.0, 0.0])
    loss = tf.reduce_mean(tf.square(tf.boolean_mask(tf.reduce_sum(x * w, 1) - y, known)), name="loss")
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 2))
    mask = rng.random(20) > 0.3
    feed = {x: rows, y: np.where(mask, rows @ [1, -2], 1e6), known: mask}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        history = sess.run_loop(step, 200, feed, record=loss)
        assert np.allclose(sess.run(w), [1, -2], atol=1e-3) and history["loss"][-1] < 1e-5 < history["loss"][0]
    assert "step by step: Where 'boolean_mask/Where' made at test_python.py" in history.explain()


def test_initial_values_from_python() -> None:
    start = tf.py_func(lambda: np.float32([1, 2]), [], tf.float32)
    start.set_shape([2])
    assert run(tf.Variable(start)).tolist() == [1, 2]
    assert tf.function([], tf.Variable(start) * 2.0)().tolist() == [2, 4]


def test_what_is_compiled_cannot_call_python() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.boolean_mask(x, x > 0.0)
    with pytest.raises(ValueError, match="a compiled function cannot call Python: Where .* made at test_python.py"):
        tf.function([x], y)
    with tf.Session() as sess, pytest.raises(ValueError, match="this run is not one program: Where"):
        sess.compiled(y)
    with pytest.raises(NotImplementedError, match="PrintValues made at test_python.py:.* calls Python, which a loop cannot"):
        tf.while_loop(lambda i: i < 3, lambda i: tf.Print(i, [i]) + 1, [0])
    with pytest.raises(NotImplementedError, match="would run whichever branch is taken"):
        tf.cond(tf.placeholder(tf.bool, []), lambda: tf.py_func(np.sin, [x], tf.float32), lambda: x)


def test_a_feed_replaces_python() -> None:
    y = tf.py_func(lambda: 1 / 0, [], tf.float32)
    y.set_shape([])
    assert run(y + 1.0, {y: 4.0}) == 5
