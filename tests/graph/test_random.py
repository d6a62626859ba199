"""Random tensors: the numbers that TF1 programs recorded, streams per session, and TF1's implicit seeds.

Law of this file: every number given to seven digits was printed by a real TensorFlow 1 program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as tf

FIRST_THETA = [-0.1673944, -0.46283674, -0.04063368, -0.27085733, 0.9094229, 0.8837292, 0.2296679, -0.28315711, 0.18720484]


def draws(t: Any, times: int, session: tf.Session | None = None) -> list:
    session = session or tf.Session()
    return [session.run(t) for _ in range(times)]


# ---------------------------------------------------------------- recorded numbers
def test_the_first_theta() -> None:
    tf.set_random_seed(42)
    theta = tf.random_uniform([9, 1], -1.0, 1.0, seed=42)
    assert tf.Session().run(theta).ravel().tolist() == np.array(FIRST_THETA, np.float32).tolist()


def test_the_first_op_under_a_graph_seed() -> None:
    tf.set_random_seed(42)
    r = tf.random_uniform([])
    assert draws(r, 2) == [np.float32(0.63789964), np.float32(0.8774011)]


def test_the_third_op_with_two_seeded_before() -> None:
    tf.set_random_seed(42)
    seeded = [tf.random_uniform([], seed=42), tf.random_uniform([], seed=42)]
    third = tf.random_uniform([])
    session = tf.Session()
    assert draws(third, 2, session) == [np.float32(0.96100175), np.float32(0.17637014)]
    a, b = session.run(seeded)
    assert a == b == np.float32(tf.Session().run(seeded[0]))


def test_an_op_seed_without_a_graph_seed() -> None:
    r = tf.random_uniform([], seed=42)
    assert draws(r, 2) == [np.float32(0.95227146), np.float32(0.8960779)]


# ---------------------------------------------------------------- seeds
def test_seed_pairs() -> None:
    limit = 2**31 - 1
    assert tf.get_seed(None) == (None, None)
    assert tf.get_seed(5) == (87654321, 5)
    tf.set_random_seed(0)
    assert tf.get_seed(0) == (0, limit)
    assert tf.get_seed(None) == (0, limit)
    tf.set_random_seed(7)
    assert tf.get_seed(2**31 + 5) == (7, (2**31 + 5) % limit)
    assert tf.get_seed(42) == (7, 42)


def test_the_seed_is_fixed_when_the_op_is_made() -> None:
    r = tf.random_uniform([], seed=42)
    tf.set_random_seed(1)
    assert tf.Session().run(r) == np.float32(0.95227146)


def test_the_graph_seed_goes_with_its_graph() -> None:
    tf.set_random_seed(42)
    tf.reset_default_graph()
    assert tf.get_seed(None) == (None, None)
    g = tf.Graph()
    with g.as_default():
        tf.set_random_seed(42)
        r = tf.random_uniform([])
    assert tf.get_seed(3) == (87654321, 3)
    assert tf.Session(graph=g).run(r) == np.float32(0.63789964)


# ---------------------------------------------------------------- streams
@pytest.mark.parametrize("name", ["uniform", "normal", "truncated", "int", "shuffle"])
def test_a_stream_goes_on_in_a_session_and_starts_again_in_the_next(name: str) -> None:
    tf.set_random_seed(3)
    t = {
        "uniform": lambda: tf.random_uniform([4]),
        "normal": lambda: tf.random_normal([4]),
        "truncated": lambda: tf.truncated_normal([4]),
        "int": lambda: tf.random_uniform([4], 0, 10**6, tf.int32),
        "shuffle": lambda: tf.random_shuffle(tf.range(50)),
    }[name]()
    first, second = draws(t, 3), draws(t, 3)
    np.testing.assert_array_equal(first, second)
    assert not (first[0] == first[1]).all()
    assert not (first[1] == first[2]).all()


def test_a_stream_does_not_see_other_runs() -> None:
    tf.set_random_seed(3)
    a, b = tf.random_uniform([3]), tf.random_normal([5])
    alone = draws(a, 3)
    session = tf.Session()
    mixed = []
    for _ in range(3):
        session.run(b)
        mixed.append(session.run([b, a])[1])
    np.testing.assert_array_equal(alone, mixed)


def test_one_draw_per_run() -> None:
    r = tf.random_normal([3])
    twice = r + 0.0
    session = tf.Session()
    a, b, (c, d) = session.run([r, r, (twice, r * 2.0)])
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(2 * a, d)
    assert session.run(tf.reduce_sum(tf.abs(r - r))) == 0
    assert not (session.run(r) == a).any()


def test_a_fed_draw_is_not_made() -> None:
    r = tf.random_uniform([2], seed=1)
    y = r * 2.0
    session = tf.Session()
    assert session.run(y, {r: [1.0, 2.0]}).tolist() == [2, 4]
    np.testing.assert_array_equal(session.run(r), tf.Session().run(r))


def test_unseeded_ops_differ() -> None:
    a, b = tf.random_uniform([4]), tf.random_uniform([4])
    session = tf.Session()
    va, vb = session.run([a, b])
    assert not (va == vb).any()
    assert not (tf.Session().run(a) == va).any()


def test_equal_seeds_give_equal_streams() -> None:
    a, b = tf.random_normal([6], seed=9), tf.random_normal([2, 3], seed=9)
    va, vb = tf.Session().run([a, b])
    np.testing.assert_array_equal(va.reshape(2, 3), vb)


def test_initialisers_draw() -> None:
    tf.set_random_seed(42)
    v = tf.Variable(tf.random_uniform([9, 1], -1.0, 1.0, seed=42))
    session = tf.Session()
    session.run(v.initializer)
    first = session.run(v)
    assert first.ravel().tolist() == np.array(FIRST_THETA, np.float32).tolist()
    np.testing.assert_array_equal(session.run(v), first)
    session.run(v.initializer)
    assert not (session.run(v) == first).any()


# ---------------------------------------------------------------- distributions
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_moments(dtype: tf.DType) -> None:
    tf.set_random_seed(1)
    n = 100_000
    u, z, t = tf.random_uniform([n], 2.0, 5.0, dtype), tf.random_normal([n], 1.0, 3.0, dtype), tf.truncated_normal([n], 1.0, 3.0, dtype)
    u, z, t = tf.Session().run([u, z, t])
    for x in (u, z, t):
        assert x.dtype == dtype.as_numpy_dtype
    assert u.min() >= 2
    assert u.max() < 5
    assert u.mean() == pytest.approx(3.5, abs=0.02)
    assert u.std() == pytest.approx(3 / 12**0.5, rel=0.01)
    assert z.mean() == pytest.approx(1, abs=0.05)
    assert z.std() == pytest.approx(3, rel=0.01)
    assert ((z - 1) ** 3).mean() == pytest.approx(0, abs=1)
    assert (((z - 1) / 3) ** 4).mean() == pytest.approx(3, rel=0.05)
    assert abs(t - 1).max() <= 6
    assert t.mean() == pytest.approx(1, abs=0.05)
    assert t.std() == pytest.approx(3 * 0.87962566, rel=0.01)


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_whole_numbers(dtype: tf.DType) -> None:
    r = tf.random_uniform([10_000], -3, 4, dtype, seed=5)
    found = tf.Session().run(r)
    assert found.dtype == dtype.as_numpy_dtype
    assert sorted(set(found.tolist())) == [-3, -2, -1, 0, 1, 2, 3]
    assert np.bincount(found + 3).min() > 1200
    with pytest.raises(ValueError, match="maxval"):
        tf.random_uniform([3], 2, dtype=dtype)


def test_shuffle() -> None:
    x = np.arange(30).reshape(10, 3)
    shuffled = tf.random_shuffle(x, seed=4)
    first, second = draws(shuffled, 2)
    assert sorted(map(tuple, first)) == sorted(map(tuple, x))
    assert not (first == x).all()
    assert not (first == second).all()
    session = tf.Session()
    assert session.run(tf.random_shuffle([7])).tolist() == [7]
    assert session.run(tf.random_shuffle(np.zeros((0, 2)))).shape == (0, 2)


def test_shapes() -> None:
    x = tf.placeholder(tf.float32, (None, 2))
    like = tf.random_normal(tf.shape(x))
    rows = tf.random_uniform([tf.shape(x)[0], 3])
    session = tf.Session()
    for n in (3, 5, 0):
        a, b = session.run([like, rows], {x: np.zeros((n, 2))})
        assert (a.shape, b.shape) == ((n, 2), (n, 3))
    assert like.shape.as_list() == [None, 2]
    assert tf.random_uniform(()).shape.as_list() == []
    assert tf.random_normal([2, 0]).shape.as_list() == [2, 0]
    assert tf.random_uniform(4).shape.as_list() == [4]


def test_a_fed_shape() -> None:
    n = tf.placeholder(tf.int32, (2,))
    r = tf.random_uniform(n, seed=1)
    session = tf.Session()
    assert session.run(r, {n: [2, 3]}).shape == (2, 3)
    assert session.run(r, {n: [4, 1]}).shape == (4, 1)


def test_parameters_that_are_tensors() -> None:
    low, deviation = tf.placeholder(tf.float32, ()), tf.Variable([1.0, 10.0, 100.0])
    u = tf.random_uniform([3], low, 10.0, seed=1)
    z = tf.random_normal([3], stddev=deviation, seed=1)
    plain = tf.random_uniform([3], 4.0, 10.0, seed=1)
    with tf.Session() as session:
        session.run(deviation.initializer)
        np.testing.assert_array_equal(session.run(u, {low: 4.0}), session.run(plain))
        np.testing.assert_allclose(session.run(z), session.run(tf.random_normal([3], seed=1)) * [1, 10, 100], rtol=1e-6)


def test_names() -> None:
    tf.random_uniform([3], name="u")
    assert {"u/shape", "u/min", "u/max", "u"} <= {op.name for op in tf.get_default_graph().get_operations()}
    assert tf.random_normal([3]).op.name == "random_normal"
    assert tf.random_normal([3]).op.name == "random_normal_1"


# ---------------------------------------------------------------- TF1's implicit seeds
def matrix() -> tf.Tensor:
    return tf.placeholder(tf.float32, (3, 4))


def unranked() -> tf.Tensor:
    return tf.placeholder(tf.float32)


def variable() -> tf.Variable:
    return tf.Variable(np.ones((3, 4), np.float32))


COUNTS: list[tuple[int, Callable[..., Any], list[Callable[[], Any]]]] = [
    (1, lambda: tf.placeholder(tf.float32), []),
    (1, lambda: tf.constant(1.0), []),
    (4, lambda: tf.Variable(1.0), []),
    (4, lambda: tf.Variable(np.ones(3)), []),
    (3, lambda x: tf.Variable(x), [matrix]),
    (10, lambda: tf.Variable(tf.random_uniform([3])), []),
    (9, lambda: tf.Variable(tf.random_normal([3])), []),
    (4, lambda: tf.Variable(tf.zeros([3])), []),
    (6, lambda: tf.Variable(tf.zeros([1000])), []),
    (1, lambda x, y: x + y, [matrix, matrix]),
    (1, lambda x, y: x / y, [matrix, matrix]),
    (1, lambda x, y: x**y, [matrix, matrix]),
    (1, lambda v: v * v, [variable]),
    (2, lambda x: x + 1.0, [matrix]),
    (2, lambda x: 2 / 3 * x, [matrix]),
    (2, lambda x: x / 2.0, [matrix]),
    (2, lambda x: x**2, [matrix]),
    (2, lambda x: x // 2.0, [matrix]),
    (2, lambda x: x > 0.0, [matrix]),
    (2, lambda x: x * np.ones((3, 4)), [matrix]),
    (4, lambda n: n / 2, [lambda: tf.placeholder(tf.int32, ())]),
    (1, lambda x: -x, [matrix]),
    (1, tf.square, [matrix]),
    (1, tf.nn.relu, [matrix]),
    (1, tf.identity, [matrix]),
    (1, tf.stop_gradient, [matrix]),
    (1, tf.squared_difference, [matrix, matrix]),
    (1, lambda x, y: tf.matmul(x, y, transpose_b=True), [matrix, matrix]),
    (2, lambda x: tf.matmul(x, np.ones((4, 2), np.float32)), [matrix]),
    *((2, f, [matrix]) for f in (tf.reduce_sum, tf.reduce_mean, tf.reduce_max, tf.reduce_min, tf.reduce_prod)),
    *((5, f, [unranked]) for f in (tf.reduce_sum, tf.reduce_mean, tf.reduce_max, tf.reduce_min, tf.reduce_prod)),
    (2, lambda x: tf.reduce_sum(x, axis=0), [unranked]),
    (2, lambda x: tf.reduce_mean(x, [0, 1], keepdims=True), [matrix]),
    (2, tf.transpose, [matrix]),
    (2, lambda x: tf.transpose(x, [1, 0]), [unranked]),
    (7, tf.transpose, [unranked]),
    (2, lambda x: tf.reshape(x, [-1]), [matrix]),
    (2, lambda x: tf.reshape(x, tf.shape(x)), [matrix]),
    (2, lambda x: tf.argmax(x, 1), [matrix]),
    (2, lambda x, y: tf.concat([x, y], 0), [matrix, matrix]),
    (1, lambda x, y: tf.stack([x, y]), [matrix, matrix]),
    (1, tf.unstack, [matrix]),
    (1, lambda x, y: tf.add_n([x, y]), [matrix, matrix]),
    (1, tf.shape, [matrix]),
    (1, tf.size, [matrix]),
    (1, tf.equal, [matrix, matrix]),
    (1, lambda x: tf.cast(x, tf.float64), [matrix]),
    (0, lambda x: tf.cast(x, tf.float32), [matrix]),
    (0, lambda x: tf.cast(x, tf.float32, name="c"), [matrix]),
    (0, tf.to_float, [matrix]),
    (4, lambda x: x[0], [matrix]),
    (4, lambda x: x[:, 1:2], [matrix]),
    (4, lambda x: x[..., None], [matrix]),
    (3, lambda x: tf.slice(x, [0, 0], [1, 1]), [matrix]),
    (2, lambda x: tf.expand_dims(x, 0), [matrix]),
    (1, tf.squeeze, [matrix]),
    (7, lambda: tf.random_uniform([3]), []),
    (7, lambda: tf.random_uniform([3], -1.0, 1.0), []),
    (7, lambda: tf.random_uniform([3], tf.constant(-1.0), 1.0), []),
    (7, lambda x: tf.random_uniform(tf.shape(x)), [matrix]),
    (4, lambda: tf.random_uniform([3], 0, 5, tf.int32), []),
    (6, lambda: tf.random_normal([3]), []),
    (6, lambda: tf.random_normal([3], tf.constant(1.0)), []),
    (6, lambda: tf.random_normal([2], [1.0, 2.0]), []),
    (6, lambda: tf.truncated_normal([3]), []),
    (1, tf.random_shuffle, [matrix]),
    (1, lambda: tf.zeros([999]), []),
    (3, lambda: tf.zeros([1000]), []),
    (3, lambda: tf.ones([40, 40]), []),
    (3, lambda x: tf.zeros(tf.shape(x)), [matrix]),
    (3, lambda: tf.fill([3], 1.0), []),
    (1, tf.zeros_like, [matrix]),
    (3, tf.ones_like, [matrix]),
    (4, lambda: tf.range(3), []),
    (4, lambda x: tf.clip_by_value(x, 0.0, 1.0), [matrix]),
    (2, lambda x: tf.maximum(x, 0.0), [matrix]),
    (3, lambda x: tf.where(x > 0.0, x, x), [matrix]),
    (1, tf.assign, [variable, matrix]),
    (2, lambda v: tf.assign_add(v, np.ones((3, 4))), [variable]),
    (1, lambda v: tf.global_variables_initializer(), [variable]),
    (1, lambda: tf.global_variables_initializer(), []),
    (1, tf.no_op, []),
    (1, lambda v: tf.group(v.initializer), [variable]),
    (1, tf.matrix_inverse, [lambda: tf.constant(np.eye(2))]),
    (5, tf.norm, [matrix]),
]


@pytest.mark.parametrize("row", range(len(COUNTS)))
def test_ops_are_counted_as_tf1_makes_them(row: int) -> None:
    count, call, given = COUNTS[row]
    inputs = [make() for make in given]
    before = tf.get_default_graph().counted
    call(*inputs)
    assert tf.get_default_graph().counted - before == count


def test_the_place_of_the_draw_in_its_call() -> None:
    """Recorded: two `Variable(random_normal)` after two placeholders have the op seeds 5 and 14."""
    tf.set_random_seed(42)
    tf.placeholder(tf.float32)
    tf.placeholder(tf.float32)
    a = tf.Variable(tf.random_normal([3]))
    b = tf.Variable(tf.random_normal([3]))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = session.run([a, b])
        np.testing.assert_array_equal(found[0], session.run(tf.random_normal([3], seed=5)))
        np.testing.assert_array_equal(found[1], session.run(tf.random_normal([3], seed=14)))
