"""tf.layers: names, counts of operations, sharing, values.

Names and counts are those that TensorFlow 2.21 gives in its TF1 mode with the old layers.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

import symgraph as tf


@pytest.fixture(autouse=True)
def _fresh():
    tf.reset_default_graph()


def counted(make):
    """How many operations TF1 would have made."""
    graph = tf.get_default_graph()
    before = graph.counted
    made = make()
    return graph.counted - before, made


def names(scope=None):
    return [v.op.name for v in tf.global_variables(scope)]


def run(fetch, feed=None):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetch, feed)


# ---------------------------------------------------------------- names
def test_variables_are_named_by_variable_scopes_and_operations_by_both():
    x = tf.placeholder(tf.float32, [None, 5], name="X")
    with tf.name_scope("dnn"):
        hidden = tf.layers.dense(x, 3, name="hidden1", activation=tf.nn.relu)
        again = tf.layers.dense(hidden, 2, name="outputs")
    assert hidden.name == "dnn/hidden1/Relu:0" and again.name == "dnn/outputs/BiasAdd:0"
    assert names() == ["hidden1/kernel", "hidden1/bias", "outputs/kernel", "outputs/bias"]
    kinds = {op.name: op.type for op in tf.get_default_graph().get_operations()}
    assert kinds["dnn/hidden1/MatMul"] == "MatMul" and "hidden1/kernel/Initializer/random_uniform" in kinds
    assert tf.get_default_graph().get_tensor_by_name("hidden1/kernel:0").shape.as_list() == [5, 3]


def test_layers_without_a_name_are_counted_in_their_variable_scope():
    x = tf.placeholder(tf.float32, [None, 4])
    assert [tf.layers.dense(x, 4).name for _ in range(3)] == [f"dense{k}/BiasAdd:0" for k in ("", "_1", "_2")]
    with tf.variable_scope("g"):
        assert tf.layers.dense(x, 4).name == "g/dense/BiasAdd:0"
    with tf.variable_scope("g", reuse=True):
        assert tf.layers.dense(x, 4).name == "g_1/dense/BiasAdd:0"
        with pytest.raises(ValueError, match="Variable g/dense_1/kernel does not exist"):
            tf.layers.dense(x, 4)
    assert names("g/") == ["g/dense/kernel", "g/dense/bias"]


def test_a_scope_that_is_entered_by_its_object_leaves_no_count():
    x = tf.placeholder(tf.float32, [None, 4])
    with tf.variable_scope("a") as scope:
        tf.layers.dense(x, 4)
        with tf.variable_scope(scope):
            tf.layers.dense(x, 4)
        with pytest.raises(ValueError, match="a/dense_1/kernel already exists"):
            tf.layers.dense(x, 4)
    assert names("a/") == ["a/dense/kernel", "a/dense/bias", "a/dense_1/kernel", "a/dense_1/bias"]


def test_a_name_twice_needs_reuse():
    x = tf.placeholder(tf.float32, [None, 4])
    tf.layers.dense(x, 4, name="h")
    with pytest.raises(ValueError, match="Variable h/kernel already exists, disallowed. Did you mean to set reuse=True"):
        tf.layers.dense(x, 4, name="h")
    tf.layers.dense(x, 4, name="h", reuse=True)
    tf.layers.dense(x, 4, name="h", reuse=tf.AUTO_REUSE)
    with pytest.raises(ValueError, match="specified shape \\(4, 5\\) and found shape \\(4, 4\\)"):
        tf.layers.dense(x, 5, name="h", reuse=True)
    assert names() == ["h/kernel", "h/bias"]


def test_a_layer_as_an_object_is_used_again_and_again():
    x = tf.placeholder(tf.float32, [None, 4])
    layer = tf.layers.Dense(3, name="proj", use_bias=False)
    assert not layer.built and layer.variables == []
    first, second = layer(x), layer(x)
    assert (first.name, second.name) == ("proj/MatMul:0", "proj/MatMul_1:0")
    assert layer.variables == [layer.kernel] and layer.bias is None and layer.built and layer.trainable_weights == [layer.kernel]
    assert layer.name == layer.scope_name == "proj" and layer.dtype == tf.float32
    assert tf.layers.Dense(3, name="proj")(x).name == "proj_1/BiasAdd:0"
    frozen = tf.layers.Dense(3, trainable=False)
    frozen(x)
    assert frozen.trainable_weights == [] and len(frozen.non_trainable_weights) == 2


def test_a_failure_leaves_nothing_behind():
    x = tf.placeholder(tf.float32, [None, 4])
    with pytest.raises(ValueError, match="Shape must be rank 1 but is rank 2 for 'h/BiasAdd'"):
        tf.layers.dense(x, 4, name="h", bias_initializer=lambda shape, dtype: tf.constant([[1.0], [2.0]]))
    assert names() == [] and len(tf.get_default_graph().get_operations()) == 1
    tf.layers.dense(x, 4, name="h")
    assert names() == ["h/kernel", "h/bias"]


# ---------------------------------------------------------------- counts and seeds
@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda x: tf.layers.dense(x, 3), 16),
        (lambda x: tf.layers.dense(x, 3, use_bias=False), 11),
        (lambda x: tf.layers.dense(x, 3, tf.nn.relu, kernel_initializer=tf.variance_scaling_initializer()), 16),
        (lambda x: tf.layers.dense(x, 1000), 18),
        (lambda x: tf.layers.flatten(x), 2),
        (lambda x: tf.layers.dense(tf.reshape(x, [-1, 1, 5]), 3), 36 + 2),
        (lambda x: tf.layers.dense(tf.ones([2, 3, 5]), 3), 20 + 1),
    ],
)
def test_operations_counted(make, wanted):
    x = tf.placeholder(tf.float32, [None, 5])
    assert counted(lambda: make(x))[0] == wanted


def test_initial_values_under_a_graph_seed_are_those_of_tf1():
    tf.set_random_seed(42)
    x = tf.placeholder(tf.float32, [None, 3])
    h = tf.layers.batch_normalization(tf.layers.dense(x, 2, tf.nn.elu), training=True)
    tf.layers.dense(tf.layers.dropout(h, training=True), 2)
    seeds = [op.attrs["seed"] for op in tf.get_default_graph().get_operations() if op.type == "RandomDraw"]
    before = 1 + 16 + 1 + 40  # the placeholder, the layer, elu, the averages
    assert seeds == [(42, 4), (42, before + 3), (42, before + 8 + 3)]


# ---------------------------------------------------------------- values
def test_dense_is_a_product_with_a_bias_on_any_rank():
    w, b = np.arange(6.0, dtype=np.float32).reshape(3, 2), np.array([0.5, -1], np.float32)
    for shape in ((4, 3), (2, 4, 3), (2, 1, 4, 3)):
        a = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        tf.reset_default_graph()
        x = tf.placeholder(tf.float32, [None, *shape[1:]])
        start = tf.constant_initializer(w), tf.constant_initializer(b)
        y = tf.layers.dense(x, 2, tf.nn.relu, kernel_initializer=start[0], bias_initializer=start[1])
        assert y.shape.as_list() == [None, *shape[1:-1], 2]
        np.testing.assert_allclose(run(y, {x: a}), np.maximum(a @ w + b, 0), rtol=1e-5, atol=1e-6)


def test_flatten_keeps_the_first_axis():
    a = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    for known in ([None, 3, 4], [None, None, 4]):
        x = tf.placeholder(tf.float32, known)
        y = tf.layers.flatten(x)
        np.testing.assert_array_equal(run(y, {x: a}), a.reshape(2, 12))
    assert tf.layers.flatten(tf.placeholder(tf.float32, [None])).shape.as_list() == [None, 1]


def test_penalties_are_collected_once():
    x = tf.placeholder(tf.float32, [None, 4])
    dense = functools.partial(tf.layers.dense, kernel_regularizer=tf.l1_regularizer(0.5), activity_regularizer=tf.reduce_sum)
    with tf.name_scope("dnn"):
        y = dense(x, 2, name="h", kernel_initializer=tf.ones_initializer())
        dense(x, 2, name="h", reuse=True)
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    assert [t.op.name.split("/")[1:3] for t in losses] == [["h", "kernel"], ["h", "ActivityRegularizer"], ["h_1", "ActivityRegularizer"]]
    assert run(losses[0]) == 4.0 and y.op.name == "dnn/h/BiasAdd"


def test_layers_of_ones_own():
    class Scale(tf.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_variable("w", [int(input_shape[-1])], initializer=tf.ones_initializer())

        def call(self, inputs, by=1.0):
            return inputs * self.w * by

    x = tf.placeholder(tf.float32, [None, 2])
    layer = Scale()
    np.testing.assert_array_equal(run(layer(x, by=3.0), {x: [[1, 2]]}), [[3, 6]])
    assert names() == ["scale/w"]


# ---------------------------------------------------------------- mistakes
def test_mistakes():
    with pytest.raises(ValueError, match="The last dimension of the inputs to `Dense` should be defined"):
        tf.layers.dense(tf.placeholder(tf.float32, [3, None]), 2)
    with pytest.raises(ValueError, match="expected min_ndim=2, found ndim=1"):
        tf.layers.dense(tf.placeholder(tf.float32, [3]), 2)
    with pytest.raises(ValueError, match="its rank is undefined"):
        tf.layers.dense(tf.placeholder(tf.float32), 2)
    with pytest.raises(NotImplementedError, match="kernel_constraint is not supported"):
        tf.layers.dense(tf.placeholder(tf.float32, [3, 3]), 2, kernel_constraint=abs)
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
        tf.layers.dense(tf.placeholder(tf.float32, [3, 3]), 2, wrong=1)


# ---------------------------------------------------------------- batch normalisation and dropout
IMAGES = (np.arange(12, dtype=np.float32).reshape(3, 2, 1, 2) ** 1.5 / 10).astype(np.float32)
ROWS = (np.arange(6, dtype=np.float32).reshape(2, 3) ** 1.5 / 10).astype(np.float32)
NORMALISED = np.array([[-0.9926739, -0.9959432, -0.997145], [0.9926739, 0.9959432, 0.99714494]], np.float32)
AVERAGES = {  # TensorFlow 2.21: of three channels as they are, of two of images as the fused kind; after one and two updates
    "rows": (
        [0.02598076, 0.045, 0.07004384],
        [0.90675, 0.91225, 0.9174386],
        [0.04936345, 0.0855, 0.13308328],
        [0.822825, 0.83327496, 0.8431334],
    ),
    "images": ([0.13295929, 0.16563275], [1.047862, 1.0819896], [0.25262266, 0.3147022], [1.0909379, 1.1557804]),
}


@pytest.mark.parametrize(("kind", "fed"), [("rows", ROWS), ("images", IMAGES)])
@pytest.mark.parametrize("fed_flag", [False, True])
def test_batch_normalization_keeps_averages(kind, fed, fed_flag):
    x = tf.placeholder(tf.float32, [None, *fed.shape[1:]])
    training = tf.placeholder(tf.bool, []) if fed_flag else True
    y = tf.layers.batch_normalization(x, training=training, momentum=0.9)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    assert names() == [f"batch_normalization/{n}" for n in ("gamma", "beta", "moving_mean", "moving_variance")]
    assert [v.op.name.split("/")[1] for v in tf.trainable_variables()] == ["gamma", "beta"] and len(updates) == 2
    averages = tf.global_variables()[2:]
    feed = {x: fed} | ({training: True} if fed_flag else {})
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        if kind == "rows":
            np.testing.assert_allclose(sess.run(y, feed), NORMALISED, rtol=2e-6)
        for k in (0, 2):
            sess.run(updates, feed)
            for got, wanted in zip(sess.run(averages), AVERAGES[kind][k : k + 2], strict=True):
                np.testing.assert_allclose(got, wanted, rtol=1e-6)
        if fed_flag:
            before = sess.run(averages)
            shown = sess.run([y, updates], feed | {training: False})[0]
            mean, variance = sess.run(averages)
            np.testing.assert_array_equal([mean, variance], before)
            np.testing.assert_allclose(shown, (fed - mean) / np.sqrt(variance + 1e-3), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda x, y, t: tf.layers.batch_normalization(x, training=True), 40),
        (lambda x, y, t: tf.layers.batch_normalization(x, training=tf.constant(True)), 41),
        (lambda x, y, t: tf.layers.batch_normalization(x, training=t), 72),
        (lambda x, y, t: tf.layers.batch_normalization(x), 24),
        (lambda x, y, t: tf.layers.batch_normalization(x, training=True, center=False, scale=False), 31),
        (lambda x, y, t: tf.layers.batch_normalization(y, training=True), 28),
        (lambda x, y, t: tf.layers.batch_normalization(y, training=True, axis=1), 28),
        (lambda x, y, t: tf.layers.batch_normalization(y, training=True, fused=False), 40),
        (lambda x, y, t: tf.layers.batch_normalization(y, training=True, axis=2), 48),
        (lambda x, y, t: tf.layers.batch_normalization(y, training=t), 52),
        (lambda x, y, t: tf.layers.batch_normalization(y, training=t, axis=2), 80),
        (lambda x, y, t: tf.layers.batch_normalization(y), 17),
        (lambda x, y, t: tf.layers.dropout(x), 1),
        (lambda x, y, t: tf.layers.dropout(x, training=True), 8),
        (lambda x, y, t: tf.layers.dropout(x, training=tf.constant(True)), 9),
        (lambda x, y, t: tf.layers.dropout(x, training=t), 16),
    ],
)
def test_operations_counted_of_layers_that_know_training(make, wanted):
    x, y, t = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None, 4, 5, 3]), tf.placeholder(tf.bool, [])
    assert counted(lambda: make(x, y, t))[0] == wanted


def test_averages_move_with_the_training_step():
    x = tf.placeholder(tf.float32, [None, 3])
    loss = tf.reduce_mean(tf.square(tf.layers.batch_normalization(tf.layers.dense(x, 2), training=True)))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step, {x: ROWS})
        assert np.all(sess.run("batch_normalization/moving_mean:0") != 0)


def test_other_axes_and_mistakes_of_batch_normalization():
    x = tf.placeholder(tf.float32, [None, 2, 3])
    y = tf.layers.batch_normalization(x, axis=1, training=True)
    fed = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    wanted = (fed - fed.mean((0, 2), keepdims=True)) / np.sqrt(fed.var((0, 2), keepdims=True) + 1e-3)
    np.testing.assert_allclose(run(y, {x: fed}), wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="Invalid axis: 3"):
        tf.layers.batch_normalization(x, axis=3)
    with pytest.raises(ValueError, match="fused=True only support 4D"):
        tf.layers.batch_normalization(x, fused=True)
    with pytest.raises(NotImplementedError, match="takes no renorm here"):
        tf.layers.batch_normalization(x, renorm=True)
    with pytest.raises(TypeError, match="training must be a bool"):
        tf.layers.batch_normalization(x, training=tf.constant(1.0))


def test_dropout_is_a_fraction_that_is_dropped():
    x, training = tf.ones([200, 50]), tf.placeholder(tf.bool, [])
    y = tf.layers.dropout(x, 0.2, seed=3, training=training)
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(y, {training: False}), np.ones((200, 50)))
        kept = sess.run(y, {training: True})
        assert set(np.unique(kept)) == {0, np.float32(1.25)} and abs((kept == 0).mean() - 0.2) < 0.02
    assert tf.layers.dropout(x, 0.2).op.type == "Identity"


def test_dropout_draws_tensorflows_masks():
    """Which elements TensorFlow 2.21 drops under graph seed 42."""
    tf.set_random_seed(42)
    x, keep = 2 * tf.ones([3, 5]), tf.placeholder_with_default(1.0, [])
    fixed, fed = tf.nn.dropout(x, 0.6, seed=7), tf.nn.dropout(x, keep, seed=7)
    rows = tf.nn.dropout(x, rate=0.25, noise_shape=[None, 1], seed=7)
    slope = tf.gradients(fixed, x)[0]
    mask = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 1, 1, 1]])
    with tf.Session() as sess:
        got = sess.run([fixed, fed, rows, slope])
        np.testing.assert_array_equal(got[0] > 0, mask)
        np.testing.assert_allclose(got[0][0], 2 / 0.6, rtol=1e-6)
        np.testing.assert_array_equal(got[1], np.full((3, 5), 2))
        assert all(len(set(row)) == 1 for row in got[2].tolist())
        np.testing.assert_allclose(got[3], got[0] / 2, rtol=1e-6)
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(fed, {keep: 0.6}) > 0, mask)
    for wrong in (0.0, 1.5):
        with pytest.raises(ValueError, match=r"keep_prob must be a scalar tensor or a float in the range \(0, 1\]"):
            tf.nn.dropout(x, wrong)
    with pytest.raises(ValueError, match="one of the two"):
        tf.nn.dropout(x)
    assert tf.nn.dropout(x, 1.0) is x


def test_a_stored_graph_has_its_layers(tmp_path):
    tf.set_random_seed(1)
    x, y = tf.placeholder(tf.float32, [None, 6], name="x"), tf.placeholder(tf.int32, [None], name="y")
    training = tf.placeholder_with_default(False, [], name="training")
    h = tf.layers.dropout(tf.layers.batch_normalization(tf.layers.dense(x, 8, tf.nn.selu), training=training), training=training)
    out = tf.layers.dense(tf.nn.leaky_relu(h), 3, name="out")
    first = tf.nn.top_k(out, 2)
    loss = tf.losses.sparse_softmax_cross_entropy(y, out)
    tf.train.GradientDescentOptimizer(0.1).minimize(loss, name="step")
    asked = [t.name for t in (out, *first, tf.nn.in_top_k(out, y, 1), loss)]
    fed = {"x:0": np.random.default_rng(0).normal(size=(7, 6)), "y:0": np.arange(7) % 3}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        wanted = sess.run(asked, fed)
        path = tf.train.Saver().save(sess, str(tmp_path / "model"))
    with tf.Graph().as_default():
        saver = tf.train.import_meta_graph(path + ".meta")
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        assert len(updates) == 2 and [t.name for t in tf.losses.get_losses()] == [loss.name]
        with tf.Session() as sess:
            saver.restore(sess, path)
            for got, w in zip(sess.run(asked, fed), wanted, strict=True):
                np.testing.assert_array_equal(got, w)
            sess.run(["step", *updates], {**fed, "training:0": True})
            assert np.any(sess.run("batch_normalization/moving_mean:0"))
