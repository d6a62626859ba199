"""What the checks of names share (tf1_contract.py collects them).

Law of this file: a check is a function of the name, with the facts that programs rely on: names of operations, dtypes,
edge cases, keywords.  Numbers are TensorFlow's (its TF1 mode).  What is missing has no check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import symgraph as tf

CHECKS: dict[str, Callable[..., None]] = {}


def of(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: the check of these names."""

    def add(check: Callable[..., None]) -> Callable[..., None]:
        CHECKS.update(dict.fromkeys(names, check))
        return check

    return add


def run(fetches: Any, feed: dict | None = None) -> Any:
    """What a session gives, with all variables initialised."""
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feed)


def near(t: Any, value: Any, feed: dict | None = None, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(run(t, feed), value, rtol=tolerance, atol=tolerance)


def grad(f: Callable[[Any], Any], at: Any) -> Any:
    """The gradient of sum(f) at a vector."""
    x = tf.constant(at, tf.float32)
    return run(tf.gradients(f(x), x)[0])


def holder(shape: Sequence[int | None] | None = None, dtype: Any = tf.float32, name: str | None = None) -> Any:
    return tf.placeholder(dtype, shape, name)


def raises(kind: type[BaseException], words: str, f: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=words):
        f()
