"""Random compositions of operations: their gradients are the central differences, whatever the shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symgraph as tf
from tests.graph.test_gradients import differences

UNARY: list[Callable] = [
    tf.sin,
    tf.cos,
    tf.tanh,
    tf.sigmoid,
    tf.nn.softplus,
    tf.square,
    tf.negative,
    tf.atan,
    tf.erf,
    lambda x: tf.exp(-tf.square(x)),
    lambda x: tf.sqrt(1.0 + tf.square(x)),
    lambda x: tf.log(2.0 + tf.sin(x)),
    lambda x: 1.0 / (1.5 + tf.cos(x)),
    lambda x: x**3,
    lambda x: tf.expm1(tf.tanh(x)),
    lambda x: 0.3 * x + 2.0,
    lambda x: tf.transpose(x),
    lambda x: tf.reshape(x, (-1,)),
    lambda x: tf.reduce_sum(x, axis=0) if x.shape.ndims else x,
    lambda x: tf.reduce_mean(x, axis=-1, keepdims=True) if x.shape.ndims else x,
    lambda x: tf.reduce_mean(x),
    lambda x: x[::-1] if x.shape.ndims else x,
    lambda x: x[..., :1] if x.shape.ndims else x,
    lambda x: tf.concat([x, x], axis=0) if x.shape.ndims and x.shape.num_elements() < 20 else x,
    lambda x: tf.stack([x, 2.0 * x]) if x.shape.num_elements() < 20 and x.shape.ndims < 3 else x,
    lambda x: tf.identity(x),
]
BINARY: list[Callable] = [
    tf.add,
    tf.subtract,
    tf.multiply,
    lambda x, y: x / (2.0 + tf.sin(y)),
    lambda x, y: tf.pow(1.5 + tf.sin(x), tf.tanh(y)),
    lambda x, y: tf.matmul(x, y, transpose_b=True),
    lambda x, y: tf.matmul(x, y, transpose_a=True),
    tf.squared_difference,
    lambda x, y: tf.where(x > y, tf.sin(x), y),
    tf.maximum,
]


def fits(f: Callable, x: tf.Tensor, y: tf.Tensor) -> bool:
    """Do the shapes go together, and stay small?"""
    a, b = x.shape.as_list(), y.shape.as_list()
    if f in (BINARY[5], BINARY[6]):
        k = -1 if f is BINARY[5] else -2
        return len(a) == len(b) == 2 and a[k] == b[k]
    try:
        return np.prod(np.broadcast_shapes(tuple(a), tuple(b))) <= 24
    except ValueError:
        return False


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.data())
def test_random_compositions(data: st.DataObject) -> None:
    tf.reset_default_graph()
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    shapes = data.draw(st.lists(st.sampled_from([(), (3,), (2, 3), (2, 1), (3, 2), (1, 3)]), min_size=1, max_size=3))
    at = [rng.uniform(-1.5, 1.5, size=s) for s in shapes]
    xs = [tf.placeholder(tf.float64, s) for s in shapes]
    pool: list[tf.Tensor] = list(xs)
    for _ in range(data.draw(st.integers(1, 6))):
        x = pool[data.draw(st.integers(0, len(pool) - 1))]
        if data.draw(st.booleans()):
            pool.append(data.draw(st.sampled_from(UNARY))(x))
        else:
            f, y = data.draw(st.sampled_from(BINARY)), pool[data.draw(st.integers(0, len(pool) - 1))]
            if fits(f, x, y):
                pool.append(f(x, y))
    y = pool[-1]
    weights = rng.normal(size=y.shape.as_list())
    total = tf.reduce_sum(y * weights)
    derived = tf.gradients(total, xs)
    wanted = [x for x, g in zip(xs, derived, strict=True) if g is not None]
    assume(wanted)
    with tf.Session() as session:
        feed = dict(zip(xs, at, strict=True))
        assume(all(np.abs(v).max(initial=0) < 50 for v in session.run(pool, feed)))
        found = session.run([g for g in derived if g is not None], feed)
        live = [feed[x] for x in wanted]
        numeric = differences(lambda values: session.run(total, feed | dict(zip(wanted, values, strict=True))), live)
    for a, b in zip(found, numeric, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * max(1.0, np.abs(b).max()))
