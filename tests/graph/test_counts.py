"""Operations that a call adds in TF1: implicit seeds of random operations are made of their number.

Law of this file: a row is a call and TensorFlow's count of operations for it; rows of names that are not there are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import symgraph as tf

X = (4, 3)


def held(*shape: int | None) -> Any:
    """A placeholder: one operation more."""
    return tf.placeholder(tf.float32, shape)


ROWS: dict[str, tuple[Callable[..., Any], int]] = {
    "placeholder": (lambda x: tf.placeholder(tf.float32), 1),
    "placeholder_with_default": (lambda x: tf.placeholder_with_default(1.0, []), 2),
    "constant": (lambda x: tf.constant(1.0), 1),
    "Variable of a value": (lambda x: tf.Variable(1.0), 4),
    "Variable of a tensor": (lambda x: tf.Variable(x), 3),
    "get_variable of zeros": (lambda x: tf.get_variable("v", [2], initializer=tf.zeros_initializer()), 4),
    "get_variable of many zeros": (lambda x: tf.get_variable("v", [1000], initializer=tf.zeros_initializer()), 6),
    "get_variable": (lambda x: tf.get_variable("v", [2, 2]), 10),
    "zeros": (lambda x: tf.zeros([999]), 1),
    "many zeros": (lambda x: tf.zeros([1000]), 3),
    "random_uniform": (lambda x: tf.random_uniform([2]), 7),
    "random_normal": (lambda x: tf.random_normal([2]), 6),
    "truncated_normal": (lambda x: tf.truncated_normal([2]), 6),
    "random_shuffle": (lambda x: tf.random_shuffle(x), 1),
    "operator, tensor": (lambda x: x + x, 1),
    "operator, number": (lambda x: x + 1.0, 2),
    "indexing": (lambda x: x[0], 4),
    "matmul": (lambda x: tf.matmul(x, x, transpose_b=True), 1),
    "square": (lambda x: tf.square(x), 1),
    "reduce_sum": (lambda x: tf.reduce_sum(x), 2),
    "transpose": (lambda x: tf.transpose(x), 2),
    "reshape": (lambda x: tf.reshape(x, [-1]), 2),
    "argmax": (lambda x: tf.argmax(x, 0), 2),
    "concat": (lambda x: tf.concat([x, x], 0), 2),
    "stack": (lambda x: tf.stack([x, x]), 1),
    "unstack": (lambda x: tf.unstack(x), 1),
    "add_n": (lambda x: tf.add_n([x, x]), 1),
    "shape": (lambda x: tf.shape(x), 1),
    "equal": (lambda x: tf.equal(x, x), 1),
    "cast": (lambda x: tf.cast(x, tf.int32), 1),
    "cast to its own dtype": (lambda x: tf.cast(x, tf.float32), 0),
    "gather": (lambda x: tf.gather(x, [0]), 3),
    "embedding_lookup": (lambda x: tf.nn.embedding_lookup(x, [0]), 4),
    "one_hot": (lambda x: tf.one_hot([1], 3), 5),  # 4 and the constant
    "clip_by_value": (lambda x: tf.clip_by_value(x, 0.0, 1.0), 4),
    "clip_by_norm": (lambda x: tf.clip_by_norm(x, 1.0), 17),
    "maximum": (lambda x: tf.maximum(x, 0.0), 2),
    "where": (lambda x: tf.where(x > 0.0, x, x), 3),
    "in_top_k": (lambda x: tf.nn.in_top_k(x, [0, 1, 2, 0], 1), 3),  # 2 and the constant
    "sparse_softmax_xent": (lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 1, 2, 0], logits=x), 3),
    "softmax_xent": (lambda x: tf.nn.softmax_cross_entropy_with_logits(labels=x, logits=x), 32),
    "sigmoid_xent": (lambda x: tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=x), 10),
    "log_loss": (lambda x: tf.losses.log_loss(x, x), 48),
    "dense": (lambda x: tf.layers.dense(x, 2), 16),
    "batch_normalization": (lambda x: tf.layers.batch_normalization(x, training=tf.constant(True)), 41),
    "layers.dropout": (lambda x: tf.layers.dropout(x, training=tf.constant(True)), 9),
    "layers.dropout, off": (lambda x: tf.layers.dropout(x, training=False), 1),
    "nn.dropout": (lambda x: tf.nn.dropout(x, 0.5), 8),
    "layers.conv2d": (lambda x: tf.layers.conv2d(tf.zeros([1, 4, 4, 1]), 2, 2), 17),
    "layers.conv2d_transpose": (lambda x: tf.layers.conv2d_transpose(tf.zeros([1, 4, 4, 1]), 2, 2), 30),
    "layers.average_pooling2d": (lambda x: tf.layers.average_pooling2d(tf.zeros([1, 4, 4, 1]), 2, 2), 2),
    "layers.flatten": (lambda x: tf.layers.flatten(x), 2),
    "static_rnn": (lambda x: tf.nn.static_rnn(tf.nn.rnn_cell.BasicRNNCell(2), [held(None, 3)] * 2, dtype=tf.float32), 40),
    "static_rnn, LSTM": (lambda x: tf.nn.static_rnn(tf.nn.rnn_cell.BasicLSTMCell(2), [held(None, 3)] * 2, dtype=tf.float32), 74),
    "dynamic_rnn": (lambda x: tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicRNNCell(2), held(None, 5, 3), dtype=tf.float32), 130),
    "initializer": (lambda x: tf.global_variables_initializer(), 1),
    "exponential_decay": (lambda x: tf.train.exponential_decay(0.1, tf.constant(1), 10, 0.5), 9),
    "Where": (lambda x: tf.where(x > 0.0), 3),
    "py_func": (lambda x: tf.py_func(abs, [x], tf.float32), 1),
    "Print": (lambda x: tf.Print(x, [x]), 1),
    "unique": (lambda x: tf.unique([1]), 2),
    "Assert": (lambda x: tf.Assert(tf.placeholder(tf.bool, []), [x]), 12),
    "assert_equal": (lambda x: tf.assert_equal(tf.placeholder(tf.float32, [None]), tf.placeholder(tf.float32, [None])), 23),
    "assert_positive": (lambda x: tf.assert_positive(tf.placeholder(tf.float32, [None])), 22),
    "boolean_mask": (lambda x: tf.boolean_mask(tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.bool, [None])), 29),
    "dynamic_partition": (lambda x: tf.dynamic_partition(x, tf.placeholder(tf.int32, [None]), 2), 2),
    "verify_tensor_all_finite": (lambda x: tf.verify_tensor_all_finite(x, "m"), 2),
}


@pytest.mark.parametrize("name", ROWS)
def test_counts(name: str) -> None:
    call, count = ROWS[name]
    x = tf.constant(1.0, shape=X)
    before = x.graph.counted
    try:
        call(x)
    except AttributeError as e:
        if "is not part of symgraph" not in str(e):
            raise
        pytest.skip(str(e))
    assert x.graph.counted - before == count
