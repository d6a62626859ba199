"""Assert and its kin: what they say, when they say it, and that nothing is written when one fails.

Law of this file: the words were read off TensorFlow 2.21's TF1 mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as tf


def fails(op: Any, feed: dict) -> str:
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError) as e:
        sess.run(op, feed)
    return str(e.value).partition("\n")[0]


def passes(op: Any, feed: dict) -> Any:
    with tf.Session() as sess:
        return sess.run(op, feed)


# ---------------------------------------------------------------- values
def test_assert_says_its_data() -> None:
    x = tf.placeholder(tf.float32, [None])
    cube = tf.constant(np.arange(24.0, dtype="f").reshape(2, 3, 4))
    check, short = (tf.Assert(tf.reduce_all(x > 0.0), [x, "hello", cube], summarize=n) for n in (None, 1))
    assert fails(check, {x: [0, 1]}) == "assertion failed: [0 1] [hello] [[[0 1 2...]]...]"
    assert fails(short, {x: [0, 1]}) == "assertion failed: [0...] [hello] [[[0...]]...]"
    assert passes(check, {x: [1, 1]}) is None


X = "[x (x:0) = ] [0 1]"
CASES: list[tuple[Callable[[Any], Any], list, str]] = [
    (lambda x: tf.assert_equal(x, 2.0), [2, 2], f"[Condition x == y did not hold element-wise:] {X} [y (assert_equal/y:0) = ] [2]"),
    (lambda x: tf.assert_none_equal(x, x), [], f"[Condition x != y did not hold element-wise:] {X} [y (x:0) = ] [0 1]"),
    (lambda x: tf.assert_less(x, 0.5, data=["d", x], message="boo"), [0, 0.1], "[boo] [d] [0 1]"),
    (
        lambda x: tf.assert_less_equal(x, 0.5),
        [0.5],
        f"[Condition x <= y did not hold element-wise:] {X} [y (assert_less_equal/y:0) = ] [0.5]",
    ),
    (lambda x: tf.assert_greater(x, 0.5), [1], f"[Condition x > y did not hold element-wise:] {X} [y (assert_greater/y:0) = ] [0.5]"),
    (lambda x: tf.assert_greater_equal(x, 0.5), [0.5], "[Condition x >= y did not hold"),
    (lambda x: tf.assert_positive(x, message="boo"), [1, 2], f"[boo] [Condition x > 0 did not hold element-wise:] {X}"),
    (lambda x: tf.assert_negative(x), [-1], f"[] [Condition x < 0 did not hold element-wise:] {X}"),
    (lambda x: tf.assert_non_negative(x - 0.5), [3], "[] [Condition x >= 0 did not hold element-wise:] [x (sub:0) = ] [-0.5 0.5]"),
    (lambda x: tf.assert_non_positive(x), [0, -1], f"[] [Condition x <= 0 did not hold element-wise:] {X}"),
    (lambda x: tf.assert_near(x, x + 0.1, atol=0.2, rtol=0.0), [0, 1], ""),
    (lambda x: tf.assert_near(x, 1.0, message="far"), [1, 1.0000001], "[far] [x and y not equal to tolerance rtol = "),
]


@pytest.mark.parametrize(("make", "good", "words"), CASES, ids=[w[-20:] for *_, w in CASES])
def test_comparisons(make: Callable[[Any], Any], good: list, words: str) -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    check = make(x)
    assert passes(check, {x: good}) is None
    if words:
        assert fails(check, {x: [0, 1]}).startswith(f"assertion failed: {words}")


def test_constants_are_checked_at_once() -> None:
    assert tf.assert_equal([1, 2], [1, 2]).type == "NoOp" and tf.assert_positive([1.0]).type == "NoOp"
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Condition x == y did not hold element-wise:\nx \(assert_equal"):
        tf.assert_equal([1, 2], [1, 3])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"mm\nCondition x > 0 did not hold element-wise:\n.*\n\[-1.  2.\]"):
        tf.assert_positive([-1.0, 2.0], message="mm")


# ---------------------------------------------------------------- ranks and dtypes
@pytest.mark.parametrize(
    ("check", "rank", "words"),
    [
        (tf.assert_rank, 2, "have rank] [2] [Received"),
        (tf.assert_rank_at_least, 2, "have rank at least] [2] [Received"),
        (tf.assert_rank_in, [2, 3], "have rank in] [2] [3] [Received"),
    ],
)
def test_ranks(check: Callable[..., Any], rank: Any, words: str) -> None:
    u = tf.placeholder(tf.float32, name="u")
    op = check(u, rank, message="m")
    assert fails(op, {u: [1.0]}) == f"assertion failed: [m] [Tensor u:0 must {words} shape: ] [1]"
    assert passes(op, {u: [[1.0]]}) is None
    assert check(tf.zeros([1, 2]), rank).type == "NoOp"
    with pytest.raises(ValueError, match=r"Tensor zeros_1:0 must have rank .*2.*\.  Received rank 1, shape \(1,\)"):
        check(tf.zeros([1]), rank)


def test_dtypes_and_scalars() -> None:
    x = tf.zeros([2], name="x")
    with pytest.raises(TypeError, match='Expected "x" to be integer type.  Found: x:0'):
        tf.assert_integer(x)
    with pytest.raises(TypeError, match="x:0 must be of type tf.int32; got tf.float32"):
        tf.assert_type(x, tf.int32)
    with pytest.raises(ValueError, match=r"Expected scalar shape for x:0, saw shape: \(2,\)"):
        tf.assert_scalar(x)
    with pytest.raises(ValueError, match="Expected one floating point type, got float32, float64"):
        tf.assert_same_float_dtype([x, tf.constant(1.0, tf.float64)])
    with pytest.raises(TypeError, match="proper"):
        tf.assert_proper_iterable(x)
    assert tf.assert_same_float_dtype([x]) is tf.float32 and tf.assert_type(x, tf.float32).type == "NoOp"
    assert tf.is_numeric_tensor(x) and not tf.is_numeric_tensor(3)


# ---------------------------------------------------------------- numbers that are none
def test_check_numerics() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.check_numerics(x, "hey")
    (g,) = tf.gradients(tf.reduce_sum(y * y), x)
    assert passes(g, {x: [1, 2]}).tolist() == [2, 4] and y.name == "CheckNumerics:0"
    for bad, words in [([np.nan], "NaN"), ([np.inf], "Inf"), ([np.nan, -np.inf], "Inf and NaN")]:
        assert fails(y, {x: bad}) == f"hey : Tensor had {words} values"
    assert fails(tf.verify_tensor_all_finite(x, "oh"), {x: [np.nan]}) == "oh : Tensor had NaN values"
    logarithm = tf.log(x, name="logarithm")
    everything = tf.add_check_numerics_ops()
    assert fails([logarithm, everything], {x: [0]}).startswith("logarithm:0 : Tensor had Inf")


# ---------------------------------------------------------------- nothing is written
def test_a_check_that_fails_leaves_variables_alone() -> None:
    x = tf.placeholder(tf.float32, [])
    v, w = tf.Variable(3.0), tf.Variable(2.0)
    with tf.control_dependencies([tf.assert_positive(x)]):
        inside = tf.assign_add(v, x)
    beside = [tf.assign(w, 9.0), tf.assert_positive(x)]
    loss = tf.square(v * tf.check_numerics(tf.sqrt(x), "root"))
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for what in (inside, beside, step):
            with pytest.raises(tf.errors.InvalidArgumentError):
                sess.run(what, {x: -1.0})
        assert sess.run([v, w]) == [3, 2]
        assert sess.run(inside, {x: 2.0}) == 5 and sess.run(beside, {x: 1.0})[0] == 9
        sess.run(step, {x: 1.0})
        assert np.allclose(sess.run([v, w]), [4, 9])


def test_a_check_inside_a_branch_counts_when_it_is_taken() -> None:
    x = tf.placeholder(tf.float32, [])

    def checked() -> Any:
        with tf.control_dependencies([tf.assert_less(x, 5.0)]):
            return tf.identity(x)

    y = tf.cond(x > 0.0, checked, lambda: -x)
    assert passes(y, {x: 2.0}) == 2 and passes(y, {x: -9.0}) == 9
    assert fails(y, {x: 7.0}).startswith("assertion failed: [Condition x < y")
