"""Gathers through a session: values, derivatives, training, errors, formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as tf
from symgraph.node import Kind

rng = np.random.default_rng(0)


def run(fetches: object, feeds: dict | None = None) -> object:
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        return s.run(fetches, feeds)


# ---------------------------------------------------------------- values and derivatives
@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.lists(st.integers(0, 3), max_size=2), st.data())
def test_as_take(shape: list[int], taken: list[int], data: st.DataObject) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    known = data.draw(st.booleans())
    tf.reset_default_graph()
    x = tf.placeholder(tf.float64, shape if known else [None] * len(shape))
    i = tf.placeholder(data.draw(st.sampled_from([tf.int32, tf.int64])), taken if known else [None] * len(taken))
    values, places = rng.standard_normal(shape), rng.integers(0, shape[axis], taken)
    y = tf.gather(x, i, axis=axis)
    w = rng.standard_normal(np.take(values, places, axis).shape)
    (g,) = tf.gradients(tf.reduce_sum(w * tf.square(y)), x)
    got, slope = run([y, g], {x: values, i: places})
    np.testing.assert_array_equal(got, np.take(values, places, axis))
    wanted = np.zeros(shape)
    np.add.at(wanted, (slice(None),) * (axis % len(shape)) + (places,), 2 * w * got)
    np.testing.assert_allclose(slope, wanted, rtol=1e-12, atol=1e-12)


def test_second_derivatives_with_repeated_indices() -> None:
    x, i = tf.placeholder(tf.float64, [None, 2]), tf.placeholder(tf.int32, [None])
    value, places, step = rng.standard_normal((4, 2)), np.array([1, 3, 1, 1, 0]), 1e-5
    loss = tf.reduce_sum(tf.sin(tf.gather(x, i) * tf.gather(x, i[::-1])))
    (g,) = tf.gradients(loss, x)
    (h,) = tf.gradients(tf.reduce_sum(tf.square(g)), x)
    with tf.Session() as s:

        def numeric(t: tf.Tensor) -> np.ndarray:
            out = np.zeros_like(value)
            for k in np.ndindex(value.shape):
                d = np.zeros_like(value)
                d[k] = step
                out[k] = (s.run(t, {x: value + d, i: places}) - s.run(t, {x: value - d, i: places})) / (2 * step)
            return out

        feeds = {x: value, i: places}
        np.testing.assert_allclose(s.run(g, feeds), numeric(loss), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(s.run(h, feeds), numeric(tf.reduce_sum(tf.square(g))), rtol=1e-6, atol=1e-7)


def test_the_derivative_of_a_gather_is_a_scatter_and_back() -> None:
    x, i = tf.placeholder(tf.float32, [None, 2], "X"), tf.placeholder(tf.int32, [None], "i")
    w = tf.placeholder(tf.float32, [None, 2], "W")
    (g,) = tf.gradients(tf.gather(x, i), x, [w])
    assert g.node is not None and g.node.kind is Kind.SCATTER
    (h,) = tf.gradients(g, w, [x])
    assert h.node is not None and h.node.kind is Kind.GATHER
    assert str(tf.formula(tf.gather(x, i))) == "X[i]"
    assert str(tf.formula(g)) == "scatter(W, i)"
    assert str(tf.formula(tf.gather(x, i, axis=1))) == "(Xᵀ)[i]ᵀ"


def test_shapes() -> None:
    x, i = tf.placeholder(tf.float32, [7, None, 3]), tf.placeholder(tf.int64, [None, 2])
    assert tf.gather(x, i).shape.as_list() == [None, 2, None, 3]
    assert tf.gather(x, i, axis=2).shape.as_list() == [7, None, None, 2]
    assert tf.gather(x, 1).shape.as_list() == [None, 3]
    assert tf.nn.embedding_lookup([x], [6, 6]).shape.as_list() == [2, None, 3]
    entry = tf.gather(tf.shape(x), 1)
    assert run(tf.zeros(tf.stack([entry, 2])), {x: np.zeros((7, 5, 3))}).shape == (5, 2)
    unknown = tf.placeholder(tf.float32)
    np.testing.assert_array_equal(run(tf.gather(unknown, [1, 0]), {unknown: [1.0, 2.0]}), [2, 1])
    assert run(tf.gather(np.array([True, False, False]), [0, 2])).tolist() == [True, False]


# ---------------------------------------------------------------- training
class Factors:
    """A matrix factorisation, as a graph and as a NumPy loop."""

    def __init__(self, optimizer: tf.train.Optimizer) -> None:
        self.start = [rng.standard_normal((30, 4)) * 0.3, rng.standard_normal((20, 4)) * 0.3]
        self.tables = [tf.Variable(v, name=n) for v, n in zip(self.start, "UV", strict=True)]
        self.users, self.items = tf.placeholder(tf.int32, [None], "i"), tf.placeholder(tf.int64, [None], "j")
        self.ratings = tf.placeholder(tf.float64, [None], "r")
        u, v = tf.gather(self.tables[0], self.users), tf.nn.embedding_lookup(self.tables[1], self.items)
        self.loss = tf.reduce_mean(tf.square(tf.reduce_sum(u * v, 1) - self.ratings))
        self.step = optimizer.minimize(self.loss)

    @staticmethod
    def gradients(tables: list[np.ndarray], i: np.ndarray, j: np.ndarray, r: np.ndarray) -> list[np.ndarray]:
        u, v = tables[0][i], tables[1][j]
        e = 2 / len(r) * ((u * v).sum(1) - r)[:, None]
        found = [np.zeros_like(t) for t in tables]
        np.add.at(found[0], i, e * v)
        np.add.at(found[1], j, e * u)
        return found


def sgd(tables: list[np.ndarray], slots: list, g: list[np.ndarray], t: int) -> None:
    for x, d in zip(tables, g, strict=True):
        x -= 0.5 * d


def momentum(tables: list[np.ndarray], slots: list, g: list[np.ndarray], t: int) -> None:
    for x, m, d in zip(tables, slots[0], g, strict=True):
        used = d.any(1)  # the rows that are used, as in TF1
        m[used] = 0.9 * m[used] + d[used]
        x[used] -= 0.1 * m[used]


def adam(tables: list[np.ndarray], slots: list, g: list[np.ndarray], t: int) -> None:
    rate = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    for x, m, v, d in zip(tables, *slots, g, strict=True):
        m[...] = 0.9 * m + 0.1 * d
        v[...] = 0.999 * v + 0.001 * d * d
        x -= rate * m / (np.sqrt(v) + 1e-8)


@pytest.mark.parametrize(
    ("make", "update"),
    [
        (lambda: tf.train.GradientDescentOptimizer(0.5), sgd),
        (lambda: tf.train.MomentumOptimizer(0.1, 0.9), momentum),
        (lambda: tf.train.AdamOptimizer(0.01), adam),
    ],
)
def test_matrix_factorisation(make, update) -> None:
    model = Factors(make())
    tables = [t.copy() for t in model.start]
    slots = [[np.zeros_like(t) for t in tables] for _ in range(2)]
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        for t, m in enumerate((50, 50, 7, 1, 0, 300, 300), start=1):
            i, j, r = rng.integers(0, 30, m), rng.integers(0, 20, m), rng.standard_normal(m)
            if m:
                update(tables, slots, model.gradients(tables, i, j, r), t)
            else:
                update(tables, slots, [np.zeros_like(x) for x in tables], t)
            s.run(model.step, {model.users: i, model.items: j, model.ratings: r})
            for a, b in zip(s.run(model.tables), tables, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)  # rates are rounded to float32


def test_an_embedding_beside_a_layer() -> None:
    ids, y = tf.placeholder(tf.int32, [None, 3]), tf.placeholder(tf.float32, [None, 1])
    table = tf.Variable(rng.standard_normal((50, 4)).astype(np.float32))
    w = tf.Variable(rng.standard_normal((12, 1)).astype(np.float32))
    out = tf.matmul(tf.reshape(tf.nn.embedding_lookup(table, ids), [-1, 12]), w)
    loss = tf.reduce_mean(tf.square(out - y))
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        a, b = s.run([table, w])
        a, b = a.copy(), b.copy()
        for m in (40, 40, 900):
            i, t = rng.integers(0, 50, (m, 3)), rng.standard_normal((m, 1)).astype(np.float32)
            x = a[i].reshape(m, 12)
            e = 2 / m * (x @ b - t)
            d = np.zeros_like(a)
            np.add.at(d, i, (e @ b.T).reshape(m, 3, 4))
            a, b = a - 0.1 * d, b - 0.1 * x.T @ e
            s.run(step, {ids: i, y: t})
            np.testing.assert_allclose(s.run(table), a, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(s.run(w), b, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- errors
def test_known_indices_are_checked_when_the_graph_is_built() -> None:
    x = tf.placeholder(tf.float32, [5, 2], "X")
    for bad, said in (([0, 5], r"indices\[1\] = 5 is not in \[0, 5\)"), (-1, r"indices = -1 is not in \[0, 5\)")):
        with pytest.raises(ValueError, match=said) as e:
            tf.gather(x, bad)
        assert "test_gather.py" in str(e.value) and "(5, 2)" in str(e.value)
    with pytest.raises(ValueError, match=r"indices\[0, 1\] = 2 is not in \[0, 2\)"):
        tf.gather(x, [[0, 2]], axis=1)
    with pytest.raises(ValueError, match="rank 1 but is rank 0"):
        tf.gather(1.0, [0])
    with pytest.raises(ValueError, match="Invalid dimension 2"):
        tf.gather(x, [0], axis=2)
    with pytest.raises(TypeError, match="'indices' has DataType float32"):
        tf.gather(x, [0.5])
    with pytest.raises(ValueError, match="one table"):
        tf.nn.embedding_lookup([x, x], [0])
    with pytest.raises(ValueError, match="ranks that are known"):
        tf.nn.embedding_lookup(x, tf.placeholder(tf.int32), max_norm=1.0)
    with pytest.raises(TypeError, match="one int"):
        tf.gather(x, [0], axis=[0, 1])


def test_fed_indices_are_checked_before_anything_changes() -> None:
    model = Factors(tf.train.GradientDescentOptimizer(0.5))
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        for m in (20, 2000):
            feeds = {model.users: rng.integers(0, 30, m), model.items: rng.integers(0, 20, m), model.ratings: rng.standard_normal(m)}
            s.run(model.step, feeds)
            before = s.run(model.tables)
            for bad in (20, -1):
                feeds[model.items][3] = bad
                with pytest.raises(tf.errors.InvalidArgumentError, match=rf"^indices\[3\] = {bad} is not in \[0, 20\)") as e:
                    s.run(model.step, feeds)
                assert e.value.op is not None and e.value.op.name == "embedding_lookup"
                for a, b in zip(s.run(model.tables), before, strict=True):
                    np.testing.assert_array_equal(a, b)
    x, i = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int32, [None, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1, 0\] = 4 is not in \[0, 4\)"):
        run(tf.gather(x, i), {x: np.zeros((4, 2)), i: [[0, 1], [4, 9]]})
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[0\] = 3 is not in \[0, 2\)"):
        run(tf.gather(x, [3]), {x: np.zeros((2, 2))})


@pytest.mark.parametrize("make", [lambda: tf.train.GradientDescentOptimizer(0.5), lambda: tf.train.AdamOptimizer(0.01)])
def test_a_loop_of_mini_batches_is_the_same_steps(make) -> None:
    model, batches = Factors(make()), tf.Minibatch(64, seed=3)
    n, steps = 500, 20
    feeds = {model.users: rng.integers(0, 30, n), model.items: rng.integers(0, 20, n), model.ratings: rng.standard_normal(n)}
    tables = []
    for looped in (True, False):
        with tf.Session() as s:
            s.run(tf.global_variables_initializer())
            if looped:
                s.run_loop(model.step, steps, feeds, minibatch=batches)
            else:
                for rows in batches.rows(n, steps):
                    s.run(model.step, {t: np.asarray(x)[rows] for t, x in feeds.items()})
            tables.append(s.run(model.tables))
    for a, b in zip(*tables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
