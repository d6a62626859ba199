"""Random nests of loops over two arrays: while loops with counters, arrays that are written, folds and scans in each other.

What is judged is the derivative: a nest is opened and closed again by it, and the rows of its loops must not be mixed up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as tf

STEPS = 4


class Nest:
    """A vector that a random nest of loops makes of the rows of x and y."""

    def __init__(self, seed: int, x: Any, y: Any) -> None:
        self.rng = np.random.default_rng(seed)
        self.x, self.y = x, y
        self.weights = tf.constant(self.rng.normal(size=(3, 3)) * 0.5)

    def one(self, *given: Any) -> Any:
        return given[self.rng.integers(len(given))]

    def row(self, i: Any) -> Any:
        x = self.x  # mostly one array: what differs is whose row it is
        made = lambda: x[i], lambda: tf.gather(x, i), lambda: tf.tanh(x[i][None] @ self.weights)[0], lambda: self.y[STEPS - 1 - i]
        return self.one(*made)()

    def term(self, counters: tuple, values: tuple) -> Any:
        known = [self.row(i) for i in counters] or list(values)
        a, b, c = self.one(*known), self.one(*known, *values), self.one(*known)
        return self.one(
            lambda: tf.sin(a * b) + c,
            lambda: a * tf.tanh(b) - c * 0.3,
            lambda: tf.cond(tf.reduce_sum(a) > 0.0, lambda: a * tf.sin(b), lambda: b + c),
        )()

    def body(self, depth: int, counters: tuple, values: tuple) -> Any:
        t = self.term(counters, values)
        return t + 0.3 * self.loop(depth - 1, counters, values) if depth else t

    def loop(self, depth: int, counters: tuple = (), values: tuple = ()) -> Any:
        start = 0.1 * (self.one(*values) if values else tf.ones([3], tf.float64))
        made = self.one(self.counted, self.early, self.written, self.folded, self.scanned)
        return made(start, lambda i, *more: self.body(depth, counters + i, (*values, *more)))

    def counted(self, start: Any, body: Any) -> Any:
        return tf.while_loop(lambda i, _: i < STEPS, lambda i, a: (i + 1, a * 0.5 + body((i,), a)), (0, start))[1]

    def early(self, start: Any, body: Any) -> Any:
        going = lambda i, a: tf.logical_and(i < STEPS, tf.reduce_sum(tf.abs(a)) < 5.0)  # noqa: E731
        return tf.while_loop(going, lambda i, a: (i + 1, a * 0.5 + body((i,), a)), (0, start))[1]

    def written(self, start: Any, body: Any) -> Any:
        out = tf.TensorArray(tf.float64, STEPS)
        _, out = tf.while_loop(lambda i, _: i < STEPS, lambda i, out: (i + 1, out.write(i, body((i,), start))), (0, out))
        return tf.reduce_sum(out.stack() * self.y, 0)

    def folded(self, start: Any, body: Any) -> Any:
        return tf.foldl(lambda a, e: a * 0.5 + body((), a, e), self.one(self.x, self.y), start)

    def scanned(self, start: Any, body: Any) -> Any:
        step = lambda c, e: (c[0] + 1, c[1] * 0.4 + body((c[0],), c[1], e))  # noqa: E731
        return tf.reduce_sum(tf.scan(step, self.one(self.x, self.y), (0, start))[1], 0)


@pytest.mark.parametrize("seed", range(24))
def test_derivative_of_a_nest(seed: int) -> None:
    x, y = (tf.placeholder(tf.float64, (STEPS, 3)) for _ in range(2))
    value = tf.reduce_sum(Nest(seed, x, y).loop(1 + seed % 3))
    gradients = [g if g is not None else tf.zeros([STEPS, 3], tf.float64) for g in tf.gradients(value, [x, y])]
    rng = np.random.default_rng(seed)
    at, way = rng.normal(size=(2, 2, STEPS, 3))
    with tf.Session() as session:
        run = lambda fetches, h: session.run(fetches, {x: at[0] + h * way[0], y: at[1] + h * way[1]})  # noqa: E731
        *found, beside = run([*gradients, value], 0.0)
        assert beside == pytest.approx(run(value, 0.0), rel=1e-12)  # the loop that keeps more is the same
        numbers = [(run(value, h) - run(value, -h)) / (2 * h) for h in (1e-5, 1e-6, 1e-7)]
    along = float(sum((g * w).sum() for g, w in zip(found, way, strict=True)))
    assert min(abs(along - n) for n in numbers) < 1e-5 * max(1.0, abs(along))
