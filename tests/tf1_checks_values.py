"""Checks of what names of values mean: functions, sums, arrays, nets, cells.

Law of this file: as in tf1_checks.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import symgraph as tf
from tests.tf1_checks import grad, holder, near, of, raises, run


# ---------------------------------------------------------------- element by element
@of("abs")
def _abs() -> None:
    assert tf.abs(tf.constant(-2.0)).op.type == "Abs"
    assert grad(tf.abs, [-2, 0, 3]).tolist() == [-1, 0, 1]


@of("add", "multiply", "negative", "pow", "cos", "sin", "exp", "log", "sqrt", "square", "tanh")
def _functions() -> None:
    x = tf.constant([0.5, 2.0])
    made = {
        "Add": (tf.add(x, 1.0, name="sum"), [1.5, 3]),
        "Mul": (tf.multiply(x, x), [0.25, 4]),
        "Neg": (tf.negative(x), [-0.5, -2]),
        "Pow": (tf.pow(x, 2), [0.25, 4]),
        "Cos": (tf.cos(x), np.cos([0.5, 2])),
        "Sin": (tf.sin(x), np.sin([0.5, 2])),
        "Exp": (tf.exp(x), np.exp([0.5, 2])),
        "Log": (tf.log(x), np.log([0.5, 2])),
        "Sqrt": (tf.sqrt(x), np.sqrt([0.5, 2])),
        "Square": (tf.square(x), [0.25, 4]),
        "Tanh": (tf.tanh(x), np.tanh([0.5, 2])),
    }
    assert made["Add"][0].name == "sum:0" and (x + 1.0).name == "add:0"
    for name, (t, value) in made.items():
        assert name == "Add" or t.name == f"{name}:0"
        near(t, value)
    near(tf.sqrt(4.0), 2)
    assert run([tf.log(0.0), 1.0 / tf.constant(0.0), tf.constant(-1.0) / 0.0]) == [-np.inf, np.inf, -np.inf]


@of("sigmoid", "nn.sigmoid", "nn.tanh")
def _sigmoid() -> None:
    assert tf.nn.tanh is tf.tanh and tf.nn.sigmoid(tf.constant(0.0), name="s").name == "s:0"
    near(tf.sigmoid(tf.constant([0.0, 100, -100])), [0.5, 1, 0])


@of("maximum")
def _maximum() -> None:
    assert grad(lambda x: tf.maximum(x, 0.0), [-1, 0, 1]).tolist() == [0, 1, 1]
    assert np.allclose(grad(lambda x: tf.maximum(0.01 * x, x, name="leaky"), [-1, 0, 1]), [0.01, 0.01, 1])


@of("nn.relu", "nn.elu")
def _relu() -> None:
    assert grad(tf.nn.relu, [-1, 0, 1]).tolist() == [0, 0, 1] and grad(tf.nn.elu, [0, 1]).tolist() == [1, 1]
    assert tf.nn.relu(tf.constant(1.0)).op.type == "Relu" and tf.nn.elu(tf.constant(1.0)).op.type == "Elu"
    near(tf.nn.elu([-1.0, 1.0]), [np.expm1(-1), 1])


@of("clip_by_value", "clip_by_norm")
def _clip() -> None:
    assert grad(lambda x: tf.clip_by_value(x, -1.0, 1.0), [-2, -1, 0, 1, 2]).tolist() == [0, 1, 1, 1, 0]
    near(tf.clip_by_norm([[3.0, 4.0], [0.3, 0.4]], clip_norm=1.0, axes=1), [[0.6, 0.8], [0.3, 0.4]])
    near(tf.clip_by_norm([3.0, 4.0], 1.0), [0.6, 0.8])
    count = tf.get_default_graph().counted
    tf.clip_by_norm(tf.ones([2]), 1.0)
    assert tf.get_default_graph().counted - count == 18  # 17 and that of tf.ones


@of("cast")
def _cast() -> None:
    x = tf.constant([1.7, -1.7])
    assert run(tf.cast(x, tf.int32)).tolist() == [1, -1] and tf.cast(x, tf.float32) is x
    assert tf.cast(tf.constant([True]), "float").dtype is tf.float32


@of("equal", "greater", "greater_equal")
def _comparisons() -> None:
    a, b = tf.constant([1, 2]), tf.constant([1, 3])
    assert run(tf.equal(a, b)).tolist() == [True, False] and (a == b) is False and tf.equal(a, b, name="e").name == "e:0"
    assert run(tf.greater(b, a)).tolist() == [False, True] and run(tf.greater_equal(a, b)).tolist() == [True, False]


@of("where")
def _where() -> None:
    near(tf.where([True, False], [1.0, 2.0], [3.0, 4.0]), [1, 4])
    assert run(tf.where([False, True])).tolist() == [[1]]


@of("stop_gradient")
def _stop() -> None:
    assert grad(lambda x: x * tf.stop_gradient(x), [3.0]).tolist() == [3]


# ---------------------------------------------------------------- sums and matrices
@of("add_n")
def _add_n() -> None:
    t = tf.add_n([tf.constant(1.0), tf.constant(2.0), tf.constant(3.0)], name="total")
    assert run(t) == 6 and t.name == "total:0" and t.op.type == "AddN"


@of("arg_min", "argmax")
def _arg() -> None:
    x = [[1.0, 3.0, 3.0], [2.0, 0.0, 0.0]]
    assert run(tf.argmax(x, 1)).tolist() == [1, 0] and run(tf.argmax(x, dimension=1)).dtype == np.int64
    assert run(tf.arg_min(x, 1)).tolist() == [0, 1] and tf.argmax(x, axis=0).op.type == "ArgMax"


@of("reduce_mean", "reduce_sum")
def _reductions() -> None:
    x = np.arange(6.0, dtype="f").reshape(2, 3)
    assert run(tf.reduce_mean(x)) == 2.5 and run(tf.reduce_mean(tf.constant([1, 2]))) == 1
    assert run(tf.reduce_sum(x, axis=1, keepdims=True)).tolist() == [[3], [12]]
    assert run(tf.reduce_sum(x, reduction_indices=[0])).tolist() == [3, 5, 7] and tf.reduce_sum(x).op.type == "Sum"
    assert tf.reduce_mean(x, name="m").name == "m:0"


@of("matmul")
def _matmul() -> None:
    a, b = np.arange(6.0, dtype="f").reshape(2, 3), np.ones((2, 3), "f")
    near(tf.matmul(a, b, transpose_b=True, name="p"), a @ b.T)
    near(tf.matmul(np.stack([a, a]), np.stack([b.T, b.T])), np.stack([a @ b.T] * 2))
    assert tf.matmul(a, b.T).op.type == "MatMul"


@of("matrix_inverse")
def _inverse() -> None:
    near(tf.matrix_inverse([[2.0, 0.0], [0.0, 4.0]]), [[0.5, 0], [0, 0.25]])


# ---------------------------------------------------------------- arrays
@of("concat", "stack", "unstack")
def _joins() -> None:
    a, b = tf.constant([[1, 2]]), tf.constant([[3, 4]])
    assert run(tf.concat([a, b], 0)).tolist() == [[1, 2], [3, 4]]
    assert run(tf.concat(axis=1, values=[a, b])).tolist() == [[1, 2, 3, 4]]
    assert tf.stack([1, 2]).op.type == "Pack" and run(tf.stack([a, b])).shape == (2, 1, 2)
    parts = tf.unstack(tf.constant([[1, 2], [3, 4]]), axis=1)
    assert [v.tolist() for v in run(parts)] == [[1, 3], [2, 4]] and isinstance(parts, list)


@of("reshape", "transpose", "shape")
def _shapes() -> None:
    x = holder([None, 6], name="x")
    assert tf.reshape(x, shape=[-1, 2, 3]).shape.as_list() == [None, 2, 3] and tf.transpose(x).shape.as_list() == [6, None]
    assert tf.shape(x).dtype is tf.int32 and run(tf.shape(x), {x: np.zeros((4, 6))}).tolist() == [4, 6]
    assert run(tf.transpose(np.zeros((2, 3, 4)), perm=[2, 0, 1], name="t")).shape == (4, 2, 3)


@of("gather")
def _gather() -> None:
    v = tf.Variable([[1.0], [2.0], [3.0]])
    (g,) = tf.gradients(tf.gather(v, [2, 0, 2]), v)
    assert run(tf.gather(v, [2, 0])).tolist() == [[3], [1]] and isinstance(g, tf.IndexedSlices)
    assert run(tf.convert_to_tensor(g)).tolist() == [[1], [0], [2]]


@of("range", "zeros")
def _ranges() -> None:
    n = holder([], tf.int32)
    assert run(tf.range(n), {n: 3}).tolist() == [0, 1, 2] and run(tf.range(1, 7, 2)).tolist() == [1, 3, 5]
    assert run(tf.zeros([2], dtype=tf.int32)).dtype == np.int32 and run(tf.zeros(3)).shape == (3,)


@of("constant")
def _constant() -> None:
    assert tf.constant(1.0).dtype is tf.float32 and tf.constant(1).dtype is tf.int32 and tf.constant("a").dtype is tf.string
    assert run(tf.constant([1, 2], shape=[2, 2])).tolist() == [[1, 2], [2, 2]] and tf.constant(1, name="c").name == "c:0"
    raises(TypeError, "Expected int32", lambda: tf.constant(1.5, dtype=tf.int32))


@of("convert_to_tensor")
def _convert() -> None:
    assert tf.convert_to_tensor([1.0, 2.0], tf.float64, "c").dtype is tf.float64


@of("float32", "int16", "int32")
def _dtypes() -> None:
    assert repr(tf.float32) == "tf.float32" and tf.float32.as_numpy_dtype is np.float32
    a, b = holder([], tf.int16), holder([], "int16")
    assert run([tf.add(a, b), tf.multiply(a, b)], {a: 3, b: 4}) == [7, 12]
    assert holder([], "float").dtype is tf.float32 and tf.constant(2, tf.int32).dtype is tf.int32


# ---------------------------------------------------------------- nn
X3 = np.float32([[1, 2, 3], [3, 2, 2]])


@of("nn.softmax", "nn.bias_add")
def _softmax() -> None:
    e = np.exp(X3 - X3.max(1, keepdims=True))
    near(tf.nn.softmax(X3, name="Y_proba"), e / e.sum(1, keepdims=True))
    near(tf.nn.bias_add(X3, [1.0, 0.0, -1.0]), X3 + [1, 0, -1])
    assert tf.nn.softmax(X3, name="named").name == "named:0"


@of(
    "nn.sigmoid_cross_entropy_with_logits",
    "nn.softmax_cross_entropy_with_logits",
    "nn.sparse_softmax_cross_entropy_with_logits",
    "losses.log_loss",
)
def _cross_entropies() -> None:
    logp = X3 - np.log(np.exp(X3).sum(1, keepdims=True))
    y = tf.placeholder(tf.int64, shape=(None))
    near(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=X3), -logp[[0, 1], [2, 0]], {y: [2, 0]})
    dense = np.float32([[0, 0.5, 0.5], [1, 0, 0]])
    near(tf.nn.softmax_cross_entropy_with_logits(labels=dense, logits=X3), -(dense * logp).sum(1))
    labels = tf.constant(dense)
    assert tf.gradients(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=X3), labels) == [None]
    z = np.float32([0, 1, 0.5])
    x = np.float32([-2, 3, 0])
    near(tf.nn.sigmoid_cross_entropy_with_logits(labels=z, logits=x), np.maximum(x, 0) - x * z + np.log1p(np.exp(-abs(x))))
    loss = tf.losses.log_loss(np.float32([[1], [0]]), np.float32([[0.8], [0.3]]), scope="log_loss")
    near(loss, -(np.log(0.8 + 1e-7) + np.log(0.7 + 1e-7)) / 2)
    assert loss.op.name == "log_loss/value" and tf.get_collection("losses") == [loss]


@of("nn.in_top_k")
def _in_top_k() -> None:
    p = np.float32([[1, 3, 3], [np.nan, 1, 0], [5, 6, 7]])
    assert run(tf.nn.in_top_k(p, [2, 1, 0], 1)).tolist() == [True, False, False]


@of("nn.dropout", "layers.dropout")
def _dropout() -> None:
    tf.set_random_seed(1)
    keep = tf.placeholder_with_default(0.5, [])
    x = tf.ones([1000])
    y = tf.nn.dropout(x, keep)
    training = tf.placeholder_with_default(False, [], name="training")
    z = tf.layers.dropout(x, rate=0.25, training=training)
    value = run(y)
    assert set(np.unique(value)) == {0, 2} and 400 < (value > 0).sum() < 600 and (run(y, {keep: 1.0}) == 1).all()
    assert (run(z) == 1).all() and 200 < (run(z, {training: True}) == 0).sum() < 300


@of("nn.embedding_lookup", "nn.nce_loss")
def _embedding() -> None:
    table = tf.Variable(tf.random_uniform([50, 4], -1.0, 1.0, seed=1))
    ids = holder([None], tf.int32)
    rows = tf.nn.embedding_lookup(table, ids)
    (g,) = tf.gradients(rows, table)
    assert rows.shape.as_list() == [None, 4] and isinstance(g, tf.IndexedSlices)
    labels, weights = holder([None, 1], tf.int64), tf.Variable(tf.zeros([50, 4]))
    loss = tf.nn.nce_loss(weights=weights, biases=tf.zeros([50]), labels=labels, inputs=rows, num_sampled=8, num_classes=50)
    assert run(loss, {ids: [1, 2, 3], labels: [[4], [5], [6]]}).shape == (3,)


@of("nn.conv2d", "nn.max_pool", "layers.conv2d", "layers.conv2d_transpose", "layers.average_pooling2d")
def _convolution() -> None:
    image = np.arange(16.0, dtype="f").reshape(1, 4, 4, 1)
    ones = np.ones((2, 2, 1, 1), "f")
    near(tf.nn.conv2d(image, ones, strides=[1, 2, 2, 1], padding="VALID"), np.float32([[10, 18], [42, 50]]).reshape(1, 2, 2, 1))
    near(
        tf.nn.max_pool(image, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME"), np.float32([[5, 7], [13, 15]]).reshape(1, 2, 2, 1)
    )
    near(tf.layers.average_pooling2d(image, 2, 2), np.float32([[2.5, 4.5], [10.5, 12.5]]).reshape(1, 2, 2, 1))
    start = tf.ones_initializer()
    near(tf.layers.conv2d(image, 1, 2, kernel_initializer=start), run(tf.nn.conv2d(image, ones, [1, 1, 1, 1], "VALID")))
    up = tf.layers.conv2d_transpose(image, 3, 2, strides=2, kernel_initializer=start)
    assert up.shape.as_list() == [1, 8, 8, 3] and run(up)[0, ::2, 1::2, 2].tolist() == image[0, :, :, 0].tolist()
    assert [v.shape.as_list() for v in tf.global_variables()] == [[2, 2, 1, 1], [1], [2, 2, 3, 1], [3]]


# ---------------------------------------------------------------- layers
@of("layers.dense")
def _dense() -> None:
    x = holder([None, 3], name="X")
    with tf.name_scope("dnn"):
        a = tf.layers.dense(x, 2, activation=tf.nn.relu, name="hidden1", kernel_initializer=tf.ones_initializer())
        b = tf.layers.dense(a, units=2)
        c = tf.layers.dense(b, 1, activation=lambda z: tf.maximum(0.01 * z, z))
    assert a.name == "dnn/hidden1/Relu:0" and b.name == "dnn/dense/BiasAdd:0" and c.op.type == "Maximum"
    assert [v.name for v in tf.trainable_variables()][:3] == ["hidden1/kernel:0", "hidden1/bias:0", "dense/kernel:0"]
    near(a, X3.sum(1, keepdims=True) * [1, 1], {x: X3})
    raises(ValueError, "hidden1/kernel already exists", lambda: tf.layers.dense(x, 2, name="hidden1"))
    assert tf.layers.dense(x, 2, name="hidden1", reuse=True).shape.as_list() == [None, 2]


@of("layers.batch_normalization")
def _batch_normalization() -> None:
    training = tf.placeholder_with_default(False, shape=(), name="training")
    x = holder([None, 2])
    y = tf.layers.batch_normalization(x, training=training, momentum=0.9)
    rows = np.float32([[1, 2], [3, 6]])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert np.allclose(sess.run(y, {x: rows}), rows / np.sqrt(1.001))
        value, _ = sess.run([y, tf.get_collection(tf.GraphKeys.UPDATE_OPS)], {x: rows, training: True})
        assert np.allclose(value, [[-1, -1], [1, 1]], atol=1e-3)
        averages = [v for v in tf.global_variables() if "moving" in v.name]
        assert np.allclose(sess.run(averages), [[0.2, 0.4], [0.9 + 0.1 * 1, 0.9 + 0.1 * 4]])
    assert [v.op.name.split("/")[-1] for v in tf.trainable_variables()] == ["gamma", "beta"]


@of("contrib.layers.flatten")
def _flatten() -> None:
    assert tf.contrib.layers.flatten(holder([None, 2, 3])).shape.as_list() == [None, 6]


@of("contrib.layers.l1_regularizer", "contrib.layers.l2_regularizer", "contrib.layers.variance_scaling_initializer")
def _regularizers() -> None:
    w = tf.constant([3.0, -4.0])
    near(tf.contrib.layers.l1_regularizer(0.1)(w), 0.7)
    near(tf.contrib.layers.l2_regularizer(0.1)(w), 0.1 * 25 / 2)
    tf.set_random_seed(1)
    draw = run(tf.Variable(tf.contrib.layers.variance_scaling_initializer()([400, 100])))
    assert abs(draw.std() - 0.87962566 * np.sqrt(1.3 * 2 / 400)) < 2e-3


# ---------------------------------------------------------------- recurrent nets
STEPS = np.float32([[[0, 1, 2], [9, 8, 7]], [[3, 4, 5], [0, 0, 0]]])


@of("nn.rnn_cell.BasicRNNCell", "nn.static_rnn", "contrib.rnn.static_rnn", "nn.dynamic_rnn")
def _recurrent() -> None:
    x = holder([None, 2, 3])
    cell = tf.nn.rnn_cell.BasicRNNCell(num_units=2, activation=tf.tanh)
    out, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, sequence_length=[2, 1])
    value, last, kernel = run([out, state, tf.trainable_variables()[0]], {x: STEPS})
    first = np.tanh(STEPS[:, 0] @ kernel[:3])
    second = np.tanh(np.concatenate([STEPS[:, 1], first], 1) @ kernel)
    assert np.allclose(value, np.stack([first, [second[0], [0, 0]]], 1), atol=1e-6) and np.allclose(last, [second[0], first[1]], atol=1e-6)
    assert [v.name for v in tf.trainable_variables()] == ["rnn/basic_rnn_cell/kernel:0", "rnn/basic_rnn_cell/bias:0"]
    with tf.variable_scope("static"):
        outputs, end = tf.contrib.rnn.static_rnn(tf.nn.rnn_cell.BasicRNNCell(2), tf.unstack(x, axis=1), dtype=tf.float32)
    assert isinstance(outputs, list) and len(outputs) == 2 and end is outputs[-1] or end.shape.as_list() == [None, 2]
    assert callable(tf.nn.static_rnn)


@of(
    "nn.rnn_cell.BasicLSTMCell",
    "nn.rnn_cell.LSTMCell",
    "nn.rnn_cell.GRUCell",
    "nn.rnn_cell.MultiRNNCell",
    "nn.rnn_cell.DropoutWrapper",
    "contrib.rnn.BasicLSTMCell",
    "contrib.rnn.OutputProjectionWrapper",
)
def _cells() -> None:
    cells = tf.nn.rnn_cell
    x = holder([None, 3])
    sigm = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    lstm = tf.contrib.rnn.BasicLSTMCell(2, forget_bias=1.0)
    with tf.variable_scope("a"):
        h, state = lstm(x, lstm.zero_state(2, tf.float32))
    value, (c, same), kernel = run([h, state, tf.trainable_variables()[0]], {x: X3})
    i, j, _, o = np.split(X3 @ kernel[:3], 4, axis=1)
    want = sigm(i) * np.tanh(j)
    assert np.allclose(c, want, atol=1e-6) and np.allclose(value, np.tanh(want) * sigm(o), atol=1e-6) and np.array_equal(value, same)
    assert tf.trainable_variables()[0].name == "a/basic_lstm_cell/kernel:0"
    peephole, gru = cells.LSTMCell(num_units=2, use_peepholes=True), cells.GRUCell(num_units=2)
    deep = cells.MultiRNNCell([cells.DropoutWrapper(c, input_keep_prob=0.5) for c in (cells.BasicLSTMCell(2), peephole, gru)])
    with tf.variable_scope("b"):
        _, states = deep(x, deep.zero_state(2, tf.float32))
    assert isinstance(states, tuple) and len(states) == 3 and states[-1].shape.as_list()[-1] == 2
    wrapped = tf.contrib.rnn.OutputProjectionWrapper(cells.BasicRNNCell(4, activation=tf.nn.relu), output_size=1)
    out, _ = tf.nn.dynamic_rnn(wrapped, holder([None, 5, 3]), dtype=tf.float32)
    assert out.shape.as_list() == [None, 5, 1]


@of("nn.rnn_cell.RNNCell")
def _own_cell() -> None:
    class Sum(tf.nn.rnn_cell.RNNCell):
        @property
        def state_size(self) -> int:
            return 3

        @property
        def output_size(self) -> int:
            return 3

        def __call__(self, inputs: Any, state: Any, scope: Any = None) -> tuple[Any, Any]:
            return inputs + state, inputs + state

    out, state = tf.nn.dynamic_rnn(Sum(), tf.constant(STEPS), dtype=tf.float32)
    near(out, np.cumsum(STEPS, 1))
    near(state, STEPS.sum(1))


@of("contrib.rnn.static_bidirectional_rnn")
def _both_ways() -> None:
    cell = tf.contrib.rnn.BasicLSTMCell
    x = tf.unstack(tf.constant(STEPS), axis=1)
    outputs, fw, bw = tf.contrib.rnn.static_bidirectional_rnn(cell(2), cell(4), x, dtype=tf.float32)
    assert len(outputs) == 2 and outputs[0].shape.as_list() == [2, 6] and fw.h.shape.as_list() == [2, 2] and bw.h.shape.as_list() == [2, 4]


@of("contrib.legacy_seq2seq.embedding_rnn_seq2seq")
def _seq2seq() -> None:
    ids = [tf.constant([1, 2]) for _ in range(3)]
    cell = tf.nn.rnn_cell.BasicLSTMCell(4)
    outputs, _ = tf.contrib.legacy_seq2seq.embedding_rnn_seq2seq(ids, ids, cell, 10, 12, embedding_size=5)
    assert len(outputs) == 3 and outputs[0].shape.as_list() == [2, 12] and np.isfinite(run(outputs[0])).all()


@of("contrib.factorization.KMeans")
def _k_means() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(c, 0.1, (50, 2)) for c in (0, 5, 10)]).astype("f")
    X = holder([None, 2])
    kmeans = tf.contrib.factorization.KMeans(inputs=X, num_clusters=3, distance_metric="squared_euclidean", use_mini_batch=True)
    graph = kmeans.training_graph()
    (all_scores, index, scores, initialized, init_op, training_op) = graph if len(graph) == 6 else (*graph[:3], *graph[4:])
    index, average = index[0], tf.reduce_mean(scores)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer(), {X: points})
        sess.run(init_op, {X: points})
        for _ in range(30):
            _, d, found = sess.run([training_op, average, index], {X: points})
    assert d < 10 and len(found) == 150 and len(set(found[:50])) >= 1
