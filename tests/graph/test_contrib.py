"""tf.contrib.layers and tf.contrib.framework: names, defaults, collections."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf

layers, framework = tf.contrib.layers, tf.contrib.framework
FED = np.array([[1, 2, -1], [0.5, -2, 3], [2, 2, 2], [0, 1, 0]], np.float32)


@pytest.fixture(autouse=True)
def _fresh():
    tf.reset_default_graph()


def names(variables=None):
    return [v.op.name for v in (tf.global_variables() if variables is None else variables)]


def run(fetch, feed=None):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetch, feed)


def test_fully_connected_has_weights_biases_and_relu():
    x = tf.placeholder(tf.float32, [None, 3])
    h = layers.fully_connected(x, 4, scope="hidden1", weights_initializer=tf.ones_initializer())
    logits = layers.fully_connected(h, 2, activation_fn=None, outputs_collections=["outs"], variables_collections={"biases": ["b"]})
    assert (h.op.name, logits.op.name) == ("hidden1/Relu", "fully_connected/BiasAdd")
    assert names() == ["hidden1/weights", "hidden1/biases", "fully_connected/weights", "fully_connected/biases"]
    assert names(tf.model_variables()) == names() and names(tf.get_collection("b")) == ["fully_connected/biases"]
    assert tf.get_collection("outs") == [logits] and layers.linear(h, 2).op.type == "BiasAdd"
    np.testing.assert_allclose(run(h, {x: FED}), np.maximum(FED.sum(1, keepdims=True), 0) * np.ones(4))
    with tf.variable_scope("again", reuse=tf.AUTO_REUSE):
        for _ in range(2):
            layers.fully_connected(x, 4, scope="h")
    assert names(framework.get_model_variables("again")) == ["again/h/weights", "again/h/biases"]


def test_batch_norm_in_place_of_biases():
    x, training = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.bool, [])
    params = {"is_training": training, "decay": 0.5, "updates_collections": None, "scale": True}
    with framework.arg_scope([layers.fully_connected], normalizer_fn=layers.batch_norm, normalizer_params=params):
        h = layers.fully_connected(x, 2, scope="h")
    assert names() == ["h/weights", *(f"h/BatchNorm/{n}" for n in ("gamma", "beta", "moving_mean", "moving_variance"))]
    assert tf.get_collection(tf.GraphKeys.UPDATE_OPS) == []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(h, {x: FED, training: False})
        assert not np.any(sess.run("h/BatchNorm/moving_mean:0"))
        sess.run(h, {x: FED, training: True})
        product = FED @ sess.run("h/weights:0")
        np.testing.assert_allclose(sess.run("h/BatchNorm/moving_mean:0"), product.mean(0) / 2, rtol=1e-5)
        np.testing.assert_allclose(sess.run("h/BatchNorm/moving_variance:0"), 0.5 + product.var(0, ddof=1) / 2, rtol=1e-5)
    layers.batch_norm(x)
    assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 2 and "BatchNorm/gamma" not in names()


def test_arg_scopes_nest_and_stand_again():
    x = tf.placeholder(tf.float32, [None, 3])
    with framework.arg_scope([layers.fully_connected], activation_fn=tf.nn.tanh, weights_regularizer=layers.l2_regularizer(0.1)) as outer:
        with framework.arg_scope([layers.fully_connected, layers.dropout], activation_fn=None):
            assert layers.fully_connected(x, 2).op.type == "BiasAdd"
            with framework.arg_scope(outer):
                assert layers.fully_connected(x, 2).op.type == "Tanh"
        assert layers.fully_connected(x, 2, tf.nn.elu).op.type == "Elu"
    assert layers.fully_connected(x, 2).op.type == "Relu"
    assert len(tf.losses.get_regularization_losses()) == 3
    with pytest.raises(ValueError, match="matmul is not decorated with @add_arg_scope"), framework.arg_scope([tf.matmul], name="x"):
        pass

    @framework.add_arg_scope
    def own(x, by=1.0):
        return x * by

    with tf.contrib.slim.arg_scope([own], by=3.0):
        assert own(2.0) == 6.0


def test_small_layers():
    x = tf.placeholder(tf.float32, [None, 3])
    found = {
        "flat": layers.flatten(tf.reshape(x, [-1, 3, 1])),
        "hot": layers.one_hot_encoding([2, 0], 3),
        "norm": layers.layer_norm(x),
        "unit": layers.unit_norm(x, 1),
        "kept": layers.dropout(x, 0.5, is_training=False),
        "stacked": layers.stack(x, layers.fully_connected, [5, 4], scope="fc"),
        "repeated": layers.repeat(x, 2, layers.fully_connected, 3, scope="re"),
        "rows": layers.embed_sequence(np.array([[1, 2]]), 5, 7),
    }
    got = run(found, {x: FED})
    np.testing.assert_array_equal(got["flat"], FED)
    np.testing.assert_array_equal(got["kept"], FED)
    np.testing.assert_array_equal(got["hot"], [[0, 0, 1], [1, 0, 0]])
    wanted = (FED - FED.mean(1, keepdims=True)) / np.maximum(FED.std(1, keepdims=True), 1e-6)
    np.testing.assert_allclose(got["norm"], wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(got["unit"], axis=1), 1, rtol=1e-5)
    assert got["stacked"].shape == (4, 4) and got["repeated"].shape == (4, 3) and got["rows"].shape == (1, 2, 7)
    assert names(framework.get_variables_by_suffix("weights")) == [f"{a}/{a}_{k}/weights" for a in ("fc", "re") for k in (1, 2)]
    assert names(framework.get_variables_by_name("embeddings")) == ["EmbedSequence/embeddings"]
    dropped = run(layers.dropout(tf.ones([100, 100]), 0.8))
    assert set(np.unique(dropped)) == {0, np.float32(1.25)} and abs((dropped > 0).mean() - 0.8) < 0.03


def test_what_is_missing_says_what_does_it():
    for name, words in (
        ("learn.DNNClassifier", "estimators"),
        ("layers.optimize_loss", "tf.clip_by_global_norm"),
    ):
        space, _, last = name.partition(".")
        with pytest.raises(AttributeError, match=words):
            getattr(getattr(tf.contrib, space), last)
    with pytest.raises(NotImplementedError, match="takes no batch_weights here"):
        layers.batch_norm(tf.ones([2, 3]), batch_weights=[1.0, 2.0])
    with pytest.raises(TypeError, match="Unknown mode fan_in"):
        layers.variance_scaling_initializer(mode="fan_in")


def test_convolutions():
    x = tf.placeholder(tf.float32, [None, 8, 8, 3])
    with framework.arg_scope([layers.conv2d], normalizer_fn=layers.batch_norm, weights_regularizer=layers.l2_regularizer(0.1)):
        h = layers.conv2d(x, 4, 3, scope="conv1")
    h = layers.max_pool2d(h, 2, scope="pool1")
    up = layers.conv2d_transpose(layers.avg_pool2d(h, [2, 2]), 2, [3, 3], stride=2)
    line = layers.conv1d(tf.zeros([1, 5, 2]), 3, 2, padding="VALID", activation_fn=None)
    assert (h.op.name, up.op.name, line.op.name) == ("pool1/MaxPool", "Conv2d_transpose/Relu", "Conv/BiasAdd")
    assert [t.shape.as_list() for t in (h, up, line)] == [[None, 4, 4, 4], [None, 4, 4, 2], [1, 4, 3]]
    scopes = ("conv1/weights", "conv1/BatchNorm/beta", "conv1/BatchNorm/moving_mean", "conv1/BatchNorm/moving_variance")
    assert names() == [*scopes, *(f"{s}/{n}" for s in ("Conv2d_transpose", "Conv") for n in ("weights", "biases"))]
    assert len(tf.losses.get_regularization_losses()) == 1 and len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 2
    weights, fed = tf.global_variables()[0], np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    plain = tf.nn.conv2d(x, weights, [1, 1, 1, 1], "SAME")
    y = tf.get_default_graph().get_tensor_by_name("conv1/Relu:0")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got, raw = sess.run([y, plain], {x: fed})
        wanted = (raw - raw.mean((0, 1, 2))) / np.sqrt(raw.var((0, 1, 2)) + 1e-3)
        np.testing.assert_allclose(got, np.maximum(wanted, 0), rtol=1e-3, atol=1e-4)
        assert sess.run(up, {x: fed}).shape == (2, 4, 4, 2)
