"""`gradients`: which derivative, in TF1's terms, and whether its value is the derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import symgraph as tf

SMALL = np.array([[0.3, -0.7, 1.1], [0.9, 0.2, -0.4]])


def value(fetches: Any, feed: dict | None = None) -> Any:
    """The value in a fresh session with initialised variables."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


def differences(f: Callable[[Sequence[np.ndarray]], float], at: Sequence[np.ndarray], step: float = 1e-6) -> list[np.ndarray]:
    """Central differences of a scalar function of arrays."""
    found = []
    for k, x in enumerate(at):
        d = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            ends = []
            for sign in (1, -1):
                moved = [v.copy() for v in at]
                moved[k][i] += sign * step
                ends.append(f(moved))
            d[i] = (ends[0] - ends[1]) / (2 * step)
        found.append(d)
    return found


def check(make: Callable[..., tf.Tensor], *arrays: np.ndarray, tolerance: float = 1e-6) -> None:
    """The gradient of a random weighting of make(*placeholders) against central differences."""
    xs = [tf.placeholder(tf.float64, a.shape) for a in arrays]
    y = make(*xs)
    weights = np.random.default_rng(0).normal(size=y.shape.as_list())
    total = tf.reduce_sum(y * weights)
    derived = tf.gradients(y, xs, grad_ys=[weights])
    with tf.Session() as session:
        found = session.run(derived, dict(zip(xs, arrays, strict=True)))
        wanted = differences(lambda values: session.run(total, dict(zip(xs, values, strict=True))), arrays)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, np.abs(b).max(initial=0)))


# ---------------------------------------------------------------- what is returned
def test_a_list_in_the_order_of_xs() -> None:
    x, y, z = (tf.Variable(v) for v in (2.0, 3.0, 5.0))
    found = tf.gradients(x * y * y + z, [z, x, y])
    assert isinstance(found, list)
    assert value(found) == [1, 9, 12]
    assert value(tf.gradients(x * y, (y,))) == [2]
    assert value(tf.gradients(x * y, x)) == [3]


def test_none_where_nothing_depends_on_x() -> None:
    x, other = tf.Variable([1.0, 2.0]), tf.Variable(1.0)
    i = tf.placeholder(tf.int32, (2,))
    b = tf.placeholder(tf.bool, (2,))
    u = tf.placeholder(tf.float32)
    assert tf.gradients(x * x, [other, i, b, u])[:] == [None] * 4
    assert tf.gradients(tf.cast(i, tf.float32) * x, [i]) == [None]
    assert tf.gradients(i * i, [i]) == [None]
    assert tf.gradients(tf.constant(2.0), [x]) == [None]
    found = tf.gradients(tf.reduce_sum(x), [other, x])
    assert found[0] is None
    assert value(found[1]).tolist() == [1, 1]


@pytest.mark.parametrize(
    "through", ["argmax", "cast", "greater", "floor", "ceil", "round", "floordiv", "zeros_like", "ones_like", "shape", "stop"]
)
def test_none_through_what_has_no_derivative(through: str) -> None:
    x = tf.placeholder(tf.float32, (3,))
    y = {
        "argmax": lambda: tf.argmax(x),
        "cast": lambda: tf.cast(tf.cast(x, tf.int32), tf.float32),
        "greater": lambda: tf.cast(x > 0.0, tf.float32),
        "floor": lambda: tf.floor(x),
        "ceil": lambda: tf.ceil(x),
        "round": lambda: tf.round(x),
        "floordiv": lambda: x // 2.0,
        "zeros_like": lambda: tf.zeros_like(x),
        "ones_like": lambda: tf.ones_like(x),
        "shape": lambda: tf.cast(tf.shape(x), tf.float32),
        "stop": lambda: tf.stop_gradient(x),
    }[through]()
    assert tf.gradients(y, [x]) == [None]
    (g,) = tf.gradients(tf.reduce_sum(tf.cast(y, tf.float32)) * x, [x])  # the other path is unharmed
    assert g is not None


def test_zero_is_not_none() -> None:
    x = tf.Variable([1.0, -2.0, 0.0])
    assert value(tf.gradients(tf.sign(x), x)[0]).tolist() == [0, 0, 0]
    assert value(tf.gradients(x - x, x)[0]).tolist() == [0, 0, 0]
    assert value(tf.gradients(x * 0.0, x)[0]).tolist() == [0, 0, 0]


def test_shape_and_dtype_of_x() -> None:
    for dtype in (tf.float32, tf.float64):
        x = tf.placeholder(dtype, (None, 3))
        w = tf.placeholder(dtype, (3, 1))
        b = tf.placeholder(dtype, ())
        for x_, g in zip((x, w, b), tf.gradients(tf.matmul(x, w) + b, [x, w, b]), strict=True):
            assert g.dtype is dtype
            assert g.shape.as_list() == x_.shape.as_list()


def test_mixed_dtypes() -> None:
    x = tf.Variable([1.5, 2.5])
    (g,) = tf.gradients(tf.reduce_sum(tf.cast(x, tf.float64) ** 3), x)
    assert g.dtype is tf.float32
    assert value(g).tolist() == [6.75, 18.75]


def test_names() -> None:
    x = tf.Variable(1.0)
    assert tf.gradients(x * x, x)[0].name.startswith("gradients/")
    assert tf.gradients(x * x, x)[0].name.startswith("gradients_1/")
    assert tf.gradients(x * x, x, name="dx")[0].name.startswith("dx/")
    with tf.name_scope("train"):
        assert tf.gradients(x * x, x)[0].name.startswith("train/gradients/")


# ---------------------------------------------------------------- several ys, seeds, stops
def test_ys_are_summed() -> None:
    x = tf.Variable([1.0, 2.0])
    found = tf.gradients([x * x, 3.0 * x, tf.reduce_sum(x)], x)
    assert value(found)[0].tolist() == [6, 8]
    assert value(tf.gradients([x, x], x))[0].tolist() == [2, 2]
    assert value(tf.gradients(x, x))[0].tolist() == [1, 1]


def test_integer_ys_among_others_are_passed_over() -> None:
    x = tf.Variable([1.0, 2.0])
    assert value(tf.gradients([tf.argmax(x), x * x], x))[0].tolist() == [2, 4]


def test_grad_ys() -> None:
    x = tf.Variable([1.0, 2.0])
    assert value(tf.gradients(x * x, x, grad_ys=tf.constant([1.0, 10.0])))[0].tolist() == [2, 40]
    assert value(tf.gradients([x * x, 3.0 * x], [x], grad_ys=[[1.0, 10.0], None]))[0].tolist() == [5, 43]
    assert value(tf.gradients(x * x, x, grad_ys=[x]))[0].tolist() == [2, 8]
    with pytest.raises(ValueError, match="Passed 1 grad_ys for 2 ys"):
        tf.gradients([x, x], x, grad_ys=[[1.0, 1.0]])
    with pytest.raises(ValueError, match=r"test_gradients\.py"):
        tf.gradients([x], x, grad_ys=[[1.0, 1.0, 1.0]])


def test_grad_ys_that_depend_on_x_are_not_derived() -> None:
    x = tf.Variable(3.0)
    (g,) = tf.gradients(x * x, x, grad_ys=[x * x])
    assert value(g) == 54
    assert value(tf.gradients(g, x)[0]) == 54  # d 2x^3


def test_stop_gradients() -> None:
    x = tf.Variable([1.0, 2.0])
    y = x * 3.0
    z = x * y
    assert value(tf.gradients(z, x))[0].tolist() == [6, 12]
    assert value(tf.gradients(z, x, stop_gradients=y))[0].tolist() == [3, 6]
    assert value(tf.gradients(z, x, stop_gradients=[y, z * 1.0]))[0].tolist() == [3, 6]
    partials = tf.gradients(z, [x, y], stop_gradients=[x, y])
    assert [v.tolist() for v in value(partials)] == [[3, 6], [1, 2]]
    a = tf.constant(0.0)
    b = 2 * a
    assert value(tf.gradients(a + b, [a, b], stop_gradients=[a, b])) == [1.0, 1.0]  # the example of TF's own documentation
    assert value(tf.gradients(a + b, [a, b])) == [3.0, 1.0]


def test_stop_gradient() -> None:
    x = tf.Variable([1.0, 2.0])
    stopped = tf.stop_gradient(x * 3.0)
    assert value(tf.gradients(x * stopped, x))[0].tolist() == [3, 6]
    assert tf.gradients(stopped, x) == [None]
    (g,) = tf.gradients(x * x * tf.stop_gradient(x), x)
    assert value(g).tolist() == [2, 8]
    assert value(tf.gradients(g, x))[0].tolist() == [2, 4]  # d(2 x s): the stopped x stays one


# ---------------------------------------------------------------- with respect to anything
def test_inner_tensors() -> None:
    x = tf.Variable(2.0)
    y = x * x
    z = tf.sin(y) * y
    gx, gy = tf.gradients(z, [x, y])
    assert value(gy) == pytest.approx(np.cos(4) * 4 + np.sin(4), rel=1e-5)
    assert value(gx) == pytest.approx(4 * (np.cos(4) * 4 + np.sin(4)), rel=1e-5)


def test_twins_are_two() -> None:
    v = tf.Variable(3.0)
    a, b = tf.square(v), tf.square(v)
    assert value(tf.gradients(a * b, [a, b, v])) == [9, 9, 108]
    c, d = tf.constant([1.0, 2.0]), tf.constant([1.0, 2.0])
    first, second = tf.gradients(c * c * d, [c, d])
    assert value(first).tolist() == [2, 8]
    assert value(second).tolist() == [1, 4]


def test_one_x_upstream_of_another() -> None:
    x = tf.Variable(2.0)
    y = x**3
    z = y * y
    assert value(tf.gradients(z, [x, y])) == [192, 16]
    assert value(tf.gradients(y, [y])) == [1]


def test_constants_identities_placeholders() -> None:
    c = tf.constant([1.0, 2.0])
    d = tf.identity(c)
    assert [v.tolist() for v in value(tf.gradients(d * d, [c, d]))] == [[2, 4], [2, 4]]
    assert tf.gradients(c * c, [d]) == [None]
    v = tf.Variable([1.0, 2.0])
    assert value(tf.gradients(v * v, [v, v.value(), v]))[1].tolist() == [2, 4]
    p = tf.placeholder(tf.float32, (2,))
    assert value(tf.gradients(p**3, p), {p: [1.0, 2.0]})[0].tolist() == [3, 12]


def test_draws() -> None:
    mean, deviation = tf.Variable(1.0), tf.Variable(2.0)
    z = tf.random_normal([4], mean, deviation, seed=1)
    gm, gd, drawn, m, d = value([*tf.gradients(z, [mean, deviation]), z, mean, deviation])
    assert gm == 4
    assert gd == pytest.approx(((drawn - m) / d).sum(), rel=1e-5)
    u = tf.random_uniform([3], mean, deviation, seed=1)
    ga, gb, drawn = value([*tf.gradients(u, [mean, deviation]), u])
    assert gb == pytest.approx((drawn - 1).sum(), rel=1e-5)
    assert ga + gb == pytest.approx(3)
    r = tf.random_uniform([3], seed=2)
    g, drawn = value([tf.gradients(r * r, r)[0], r])
    np.testing.assert_allclose(g, 2 * drawn)


def test_a_variable_after_it_is_assigned() -> None:
    v = tf.Variable(2.0)
    y = v * v
    (g,) = tf.gradients(y, v)
    with tf.Session() as session:
        session.run(v.initializer)
        session.run(v.assign(5.0))
        assert session.run(g) == 10


# ---------------------------------------------------------------- fed tensors
def test_feeding_an_inner_tensor() -> None:
    """TF's rule: the fed value stands wherever the tensor is used, and the chain flows on through its expression."""
    x = tf.placeholder(tf.float32, ())
    y = x * x
    z = tf.sin(y)
    gx, gy = tf.gradients(z, x)[0], tf.gradients(z, y)[0]
    assert value(gx, {x: 2.0, y: 1.0}) == pytest.approx(4 * np.cos(1), rel=1e-6)
    assert value(gy, {x: 2.0, y: 1.0}) == pytest.approx(np.cos(1), rel=1e-6)
    assert value(gx, {x: 2.0}) == pytest.approx(4 * np.cos(4), rel=1e-6)


def test_feeding_two_inner_tensors() -> None:
    x = tf.placeholder(tf.float32, ())
    y = x * x
    z = y * y
    w = tf.sin(z) * y
    (g,) = tf.gradients(w, x)
    assert value(g, {x: 3.0, z: 2.0}) == pytest.approx((np.sin(2) + np.cos(2) * 9 * 2 * 9) * 6, rel=1e-5)
    assert value(g, {x: 3.0, y: 0.5, z: 2.0}) == pytest.approx((np.sin(2) + np.cos(2) * 0.5 * 2 * 0.5) * 6, rel=1e-5)


def test_feeding_a_twin() -> None:
    v = tf.Variable(3.0)
    a, b = tf.square(v), tf.square(v)
    (g,) = tf.gradients(a * b, v)
    assert value(g, {a: 10.0}) == 10 * 6 + 9 * 6


def test_feeding_a_hidden_layer() -> None:
    x = tf.placeholder(tf.float64, (None, 3))
    w1, w2 = tf.Variable(np.ones((3, 2)) / 3), tf.Variable(np.array([[1.0], [2.0]]))
    hidden = tf.tanh(tf.matmul(x, w1))
    loss = tf.reduce_sum(tf.square(tf.matmul(hidden, w2)))
    g2 = tf.gradients(loss, w2)[0]
    cached = np.array([[0.5, -0.5], [0.1, 0.2]])
    np.testing.assert_allclose(value(g2, {hidden: cached}), 2 * cached.T @ cached @ [[1.0], [2.0]])


def test_feeding_the_gradient_and_the_seed() -> None:
    x = tf.Variable(3.0)
    (g,) = tf.gradients(x * x, x)
    assert value(g * 2.0, {g: 5.0}) == 10


# ---------------------------------------------------------------- higher orders
def test_second_and_third_order() -> None:
    x = tf.Variable([1.0, 2.0])
    (g,) = tf.gradients(x**4, x)
    (h,) = tf.gradients(g, x)
    (t,) = tf.gradients(h, x)
    assert [v.tolist() for v in value([g, h, t])] == [[4, 32], [12, 48], [24, 48]]
    assert tf.gradients(tf.gradients(x * 2.0, x)[0], x) == [None] or value(tf.gradients(tf.gradients(x * 2.0, x)[0], x)[0]).tolist() == [
        0,
        0,
    ]


@pytest.mark.parametrize("f", [tf.sin, tf.tanh, tf.sigmoid, tf.exp, tf.nn.softplus, tf.log1p, tf.erf, tf.sqrt], ids=lambda f: f.__name__)
def test_second_order_is_the_derivative_of_the_first(f: Callable) -> None:
    def first(x: tf.Tensor) -> tf.Tensor:
        return tf.gradients(f(x), x)[0]

    check(first, np.array([0.3, 0.8, 1.7]))
    check(lambda x: tf.gradients(first(x), x)[0], np.array([0.3, 0.8, 1.7]))


def test_hessian_vector_product() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(4, 4))
    x, v = tf.placeholder(tf.float64, (4, 1)), tf.placeholder(tf.float64, (4, 1))
    f = tf.reduce_sum(tf.matmul(tf.matmul(x, a, transpose_a=True), x)) + tf.reduce_sum(x**4)
    (g,) = tf.gradients(f, x)
    (hv,) = tf.gradients(tf.reduce_sum(g * v), x)
    at, along = rng.normal(size=(4, 1)), rng.normal(size=(4, 1))
    np.testing.assert_allclose(value(hv, {x: at, v: along}), (a + a.T) @ along + 12 * at**2 * along, rtol=1e-10)
    (direct,) = tf.gradients(g, x, grad_ys=[v])
    np.testing.assert_allclose(value(direct, {x: at, v: along}), value(hv, {x: at, v: along}), rtol=1e-12)


def test_hessian_vector_product_of_a_net() -> None:
    rng = np.random.default_rng(2)
    x, w2 = rng.normal(size=(5, 3)), rng.normal(size=(2, 1))

    def make(w1: tf.Tensor) -> tf.Tensor:
        loss = tf.reduce_mean(tf.square(tf.matmul(tf.tanh(tf.matmul(tf.constant(x), w1)), w2)))
        (g,) = tf.gradients(loss, w1)
        return tf.gradients(tf.reduce_sum(g * np.ones((3, 2))), w1)[0]

    check(
        lambda w1: tf.gradients(tf.reduce_mean(tf.square(tf.matmul(tf.tanh(tf.matmul(tf.constant(x), w1)), w2))), w1)[0],
        rng.normal(size=(3, 2)),
    )
    check(make, rng.normal(size=(3, 2)), tolerance=1e-5)


def test_gradient_of_gradient_norm() -> None:
    check(
        lambda x: tf.gradients(tf.reduce_sum(tf.square(tf.gradients(tf.reduce_sum(tf.sin(x) * x), x)[0])), x)[0],
        SMALL,
        tolerance=1e-5,
    )


# ---------------------------------------------------------------- unknown rank and size
def test_unknown_rank() -> None:
    x = tf.placeholder(tf.float32)
    (g,) = tf.gradients(tf.reduce_sum(x**3), x)
    (h,) = tf.gradients(g, x)
    assert g.shape.ndims is None
    with tf.Session() as session:
        for v in ([[1.0, 2.0]], 3.0, [1.0, 2.0], [[[2.0]]]):
            np.testing.assert_allclose(session.run(g, {x: v}), 3 * np.square(v))
            np.testing.assert_allclose(session.run(h, {x: v}), 6 * np.asarray(v))


def test_sizes_of_a_placeholder_whose_value_is_not_read() -> None:
    for x in (tf.placeholder(tf.float32, (None, 2)), tf.placeholder(tf.float32)):
        (g,) = tf.gradients(tf.reduce_sum(x), x)
        (m,) = tf.gradients(tf.reduce_mean(x), x)
        with tf.Session() as session:
            for rows in (3, 1, 4):
                np.testing.assert_array_equal(session.run(g, {x: np.zeros((rows, 2))}), np.ones((rows, 2)))
                np.testing.assert_allclose(session.run(m, {x: np.zeros((rows, 2))}), np.full((rows, 2), 1 / (2 * rows)), rtol=1e-6)


def test_broadcast_that_shows_only_when_fed() -> None:
    a, b = tf.placeholder(tf.float32, (None, 2)), tf.placeholder(tf.float32, (None, 2))
    ga, gb = tf.gradients(a * b, [a, b])
    with tf.Session() as session:
        for n, m in ((3, 3), (1, 3), (3, 1), (1, 1)):
            va, vb = np.arange(2.0 * n).reshape(n, 2), np.arange(2.0 * m).reshape(m, 2) + 1
            rows = max(n, m)
            wide_a, wide_b = np.broadcast_to(va, (rows, 2)), np.broadcast_to(vb, (rows, 2))
            found = session.run([ga, gb], {a: va, b: vb})
            np.testing.assert_array_equal(found[0], wide_b if n == rows else wide_b.sum(0, keepdims=True))
            np.testing.assert_array_equal(found[1], wide_a if m == rows else wide_a.sum(0, keepdims=True))


# ---------------------------------------------------------------- kinks and ties
@pytest.mark.parametrize(
    ("make", "at", "slopes"),
    [
        (lambda x: tf.nn.relu(x), [0.0, -1.0, 1.0], [0, 0, 1]),
        (lambda x: tf.abs(x), [0.0, -1.0, 1.0], [0, -1, 1]),
        (lambda x: tf.sign(x), [0.0, -1.0, 1.0], [0, 0, 0]),
        (lambda x: tf.maximum(x, 0.0), [0.0, -1.0, 1.0], [1, 0, 1]),
        (lambda x: tf.maximum(0.0, x), [0.0, -1.0, 1.0], [0, 0, 1]),
        (lambda x: tf.minimum(x, 0.0), [0.0, -1.0, 1.0], [1, 1, 0]),
        (lambda x: tf.minimum(0.0, x), [0.0, -1.0, 1.0], [0, 1, 0]),
        (lambda x: tf.maximum(0.01 * x, x), [0.0, -1.0, 1.0], [0.01, 0.01, 1]),
        (lambda x: tf.clip_by_value(x, -1.0, 1.0), [-1.0, 1.0, 2.0], [1, 1, 0]),
        (lambda x: tf.where(x > 0.0, x, 0.5 * x), [0.0, -1.0, 1.0], [0.5, 0.5, 1]),
        (lambda x: tf.reduce_max(x), [2.0, 2.0, 1.0], [0.5, 0.5, 0]),
        (lambda x: tf.reduce_min(x), [1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3]),
        (lambda x: tf.reduce_prod(x), [2.0, 0.0, 3.0], [0, 6, 0]),
        (lambda x: tf.reduce_prod(x), [0.0, 0.0, 3.0], [0, 0, 0]),
        (lambda x: x**2, [0.0, 1.0, -1.0], [0, 2, -2]),
        (lambda x: x * tf.abs(x), [0.0, -2.0, 2.0], [0, 4, 4]),
    ],
)
def test_kinks_and_ties(make: Callable, at: list, slopes: list) -> None:
    x = tf.Variable(at)
    np.testing.assert_allclose(value(tf.gradients(make(x), x)[0]), np.asarray(slopes, np.float32))


def test_no_nan_from_the_branch_that_is_not_taken() -> None:
    x = tf.Variable([-1.0, 4.0])
    (g,) = tf.gradients(tf.sqrt(tf.where(x > 0.0, x, tf.zeros_like(x))), x)  # the adjoint is infinite where 0 is chosen
    np.testing.assert_allclose(value(g), [0, 0.25])
    (g,) = tf.gradients(tf.sqrt(tf.maximum(x, 0.0)), x)
    np.testing.assert_allclose(value(g), [0, 0.25])


def test_power_at_zero() -> None:
    x, p = tf.Variable([0.0, 2.0]), tf.Variable([2.0, 3.0])
    gx, gp = value(tf.gradients(tf.pow(x, p), [x, p]))
    np.testing.assert_allclose(gx, [0, 12])
    np.testing.assert_allclose(gp, [0, 8 * np.log(2)], rtol=1e-6)


# ---------------------------------------------------------------- no rule
def test_a_missing_rule_raises_with_the_name() -> None:
    v = tf.Variable([1.0, 2.0, 3.0])
    shuffled = tf.random_shuffle(v, name="deal")
    with pytest.raises(LookupError, match="No gradient defined for operation 'deal'"):
        tf.gradients(shuffled * 2.0, v)
    with pytest.raises(tf.NoGradientError):
        tf.gradients(shuffled, v)
    assert value(tf.gradients(shuffled * v, v, stop_gradients=shuffled)[0]).sum() == 6


def test_other_graph() -> None:
    x = tf.Variable(1.0)
    with tf.Graph().as_default():
        y = tf.constant(1.0)
        with pytest.raises(ValueError, match="same graph"):
            tf.gradients(y, x)


# ---------------------------------------------------------------- every kind against differences
@pytest.mark.parametrize(
    "make",
    [
        lambda x: tf.matmul(x, x, transpose_a=True),
        lambda x: tf.matmul(tf.transpose(x), tf.sin(x)),
        lambda x: tf.matmul(x, tf.reshape(x, (3, 2))),
        lambda x: tf.concat([x, x * x, tf.exp(x)], axis=0),
        lambda x: tf.stack([x, tf.sin(x)], axis=1) * tf.reshape(x, (2, 1, 3)),
        lambda x: tf.unstack(x * x, axis=1)[1],
        lambda x: x[:, ::-1] * x,
        lambda x: x[1:, 0:2] * x[:1, 1:],
        lambda x: x[0] * x[-1],
        lambda x: x[::2, ::2] ** 2,
        lambda x: tf.reduce_sum(x, axis=0) * x,
        lambda x: tf.reduce_mean(x * x, axis=1, keepdims=True) * x,
        lambda x: tf.reduce_prod(x, axis=0),
        lambda x: tf.reduce_max(x, axis=1),
        lambda x: tf.reduce_min(x * x, axis=0),
        lambda x: tf.trace(tf.matmul(x, x, transpose_b=True)),
        lambda x: tf.norm(x),
        lambda x: tf.norm(x, axis=1),
        lambda x: tf.norm(x, ord=1, axis=0),
        lambda x: tf.norm(x, ord=3),
        lambda x: tf.norm(x, ord=np.inf),
        lambda x: tf.add_n([x, x * x, tf.sin(x)]),
        lambda x: tf.expand_dims(x, 1) * tf.expand_dims(x, 0),
        lambda x: tf.squeeze(tf.reshape(x, (2, 1, 3, 1))) * x,
        lambda x: tf.fill((2, 3), tf.reduce_sum(x * x)) * x,
        lambda x: tf.where(x > 0.1, x**3, tf.exp(x)),
        lambda x: x % 0.25,
        lambda x: tf.squared_difference(x, tf.reduce_mean(x)),
        lambda x: tf.pow(tf.abs(x) + 1.0, x),
        lambda x: tf.exp(x - tf.reduce_max(x, axis=1, keepdims=True)) / tf.reduce_sum(tf.exp(x), axis=1, keepdims=True),
        lambda x: tf.log(tf.reduce_sum(tf.exp(x), axis=1)),
    ],
)
def test_one_matrix(make: Callable) -> None:
    check(make, SMALL)


@pytest.mark.parametrize(
    "make",
    [
        tf.matrix_inverse,
        tf.matrix_determinant,
        tf.linalg.logdet,
        lambda a: tf.matrix_solve(a, a * a),
        lambda a: tf.matrix_solve(a, tf.sin(a), adjoint=True),
        lambda a: tf.cholesky(tf.matmul(a, a, transpose_b=True)),
        lambda a: tf.matmul(tf.matrix_inverse(a), tf.transpose(a)),
        lambda a: tf.matmul(tf.matmul(a, a), a, transpose_a=True),
    ],
)
def test_square_matrices(make: Callable) -> None:
    a = np.random.default_rng(3).normal(size=(3, 3)) + 3 * np.eye(3)
    check(make, a, tolerance=1e-5)
    tf.reset_default_graph()
    (g,) = tf.gradients(make(x := tf.placeholder(tf.float64, (3, 3))), x)
    assert g is not None


def test_batches_of_matrices() -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=(2, 3, 3)) + 3 * np.eye(3)
    for make in (tf.matrix_inverse, tf.matrix_determinant, tf.linalg.logdet, lambda a: tf.matmul(a, a, transpose_b=True)):
        tf.reset_default_graph()
        check(make, a, tolerance=1e-5)
    tf.reset_default_graph()
    check(tf.matmul, rng.normal(size=(2, 2, 3)), rng.normal(size=(3, 2)))
    tf.reset_default_graph()
    check(tf.matmul, rng.normal(size=(2, 1, 2, 3)), rng.normal(size=(3, 3, 2)))


@pytest.mark.parametrize(
    "shapes", [((), (2, 3)), ((3,), (2, 3)), ((2, 1), (2, 3)), ((2, 1), (1, 3)), ((1,), (1, 1)), ((0, 3), (3,)), ((2, 3), (4, 2, 3))]
)
@pytest.mark.parametrize(
    "f", [tf.add, tf.subtract, tf.multiply, tf.divide, tf.pow, tf.maximum, tf.squared_difference], ids=lambda f: f.__name__
)
def test_broadcasts(f: Callable, shapes: tuple) -> None:
    rng = np.random.default_rng(5)
    check(f, *(rng.uniform(0.5, 2, size=s) for s in shapes))


# ---------------------------------------------------------------- far from 1
def test_derivatives_stay_in_the_range_of_float32() -> None:
    x, y = tf.placeholder(tf.float32, ()), tf.placeholder(tf.float32, ())
    assert value(tf.gradients(x / y, y), {x: 1e25, y: 1e25}) == [pytest.approx(-1e-25, rel=1e-6)]
    share = tf.exp(x) / (tf.exp(x) + tf.exp(y))
    assert value(tf.gradients(share, [x, y]), {x: 50, y: 50}) == [pytest.approx(0.25), pytest.approx(-0.25)]
    tanh = (tf.exp(x) - tf.exp(-x)) / (tf.exp(x) + tf.exp(-x))
    assert value(tf.gradients(tanh, x), {x: 50}) == [pytest.approx(0, abs=1e-30)]
    logits = tf.placeholder(tf.float32, (None, 3))
    p = tf.exp(logits) / tf.reduce_sum(tf.exp(logits), 1, keepdims=True)
    (found,) = value(tf.gradients(-tf.reduce_mean(tf.log(p[:, 0])), logits), {logits: [[50, 49, 48]]})
    np.testing.assert_allclose(found, [[-0.334759, 0.244728, 0.090031]], rtol=1e-5)


@pytest.mark.parametrize(("steps", "at"), [(3, 40.0), (30, 20.0)])
def test_a_chain_of_softplus_by_hand(steps: int, at: float) -> None:
    x = tf.placeholder(tf.float32, ())
    z = x
    for _ in range(steps):
        z = tf.log(tf.exp(z) + 1.0)
    assert value(tf.gradients(z, x), {x: at}) == [pytest.approx(1, rel=1e-5)]
