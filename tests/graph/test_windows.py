"""Convolutions and poolings as TF1 has them: numbers, names, counts, errors, sizes known when fed.

The reference numbers were taken from tensorflow-cpu 2.21 in its TF1 mode, on the values of `pattern`; of each array they are the sum of
its elements, weighted by `checksum`, so an element in a wrong place shows.  Where TF pools ties abound: its gradient goes to the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as tf
from symgraph import config


def pattern(*shape: int) -> np.ndarray:
    """Multiples of a quarter, with ties."""
    return (((np.arange(int(np.prod(shape))) * 7) % 11 - 5) / 4).reshape(shape).astype(np.float32)


def checksum(a: np.ndarray) -> float:
    return float(np.sum(a.ravel().astype(np.float64) * ((np.arange(a.size) * 5) % 13 - 6)))


TF = [
    ("conv2d", (2, 7, 6, 3), (3, 3, 3, 4), {"strides": [1, 1, 1, 1], "padding": "SAME"}, [-54.3125, -221.875, 824.4375]),
    ("conv2d", (2, 7, 6, 3), (3, 3, 3, 4), {"strides": [1, 2, 2, 1], "padding": "SAME"}, [166.75, -13.0625, 159.6875]),
    ("conv2d", (2, 7, 6, 3), (3, 2, 3, 4), {"strides": [1, 3, 2, 1], "padding": "SAME"}, [12.625, 85.9375, -3.6875]),
    ("conv2d", (2, 7, 6, 3), (3, 3, 3, 4), {"strides": [1, 2, 3, 1], "padding": "VALID"}, [-43.375, 53.5625, -23.25]),
    ("conv2d", (2, 8, 9, 9), (4, 5, 9, 2), {"strides": [1, 1, 1, 1], "padding": "SAME"}, [40.875, -22.8125, -921.0625]),
    ("conv2d", (2, 8, 9, 9), (4, 5, 9, 2), {"strides": [1, 2, 3, 1], "padding": "SAME"}, [69.125, 221.4375, -247.25]),
    (
        "conv2d",
        (1, 9, 9, 2),
        (3, 3, 2, 2),
        {"strides": [1, 1, 1, 1], "padding": "SAME", "dilations": [1, 2, 3, 1]},
        [-119.25, -82.125, -153.25],
    ),
    ("conv2d", (1, 7, 7, 2), (2, 3, 2, 3), {"strides": 2, "padding": [[0, 0], [1, 2], [0, 1], [0, 0]]}, [1.125, -1.0, -11.625]),
    ("depthwise_conv2d", (2, 7, 6, 3), (3, 2, 3, 2), {"strides": [1, 1, 1, 1], "padding": "SAME"}, [25.0, -97.3125, -222.1875]),
    ("depthwise_conv2d", (2, 7, 6, 3), (3, 3, 3, 1), {"strides": [1, 2, 2, 1], "padding": "VALID"}, [-53.0625, -31.5625, 4.3125]),
    (
        "conv2d_transpose",
        (2, 4, 3, 3),
        (3, 3, 2, 3),
        {"output_shape": [2, 7, 6, 2], "strides": [1, 2, 2, 1], "padding": "SAME"},
        [31.125, -88.0625, 26.0625],
    ),
    (
        "conv2d_transpose",
        (2, 4, 3, 3),
        (2, 4, 2, 3),
        {"output_shape": [2, 11, 12, 2], "strides": [1, 3, 4, 1], "padding": "VALID"},
        [-12.25, 50.25, -3.5],
    ),
    ("conv1d", (2, 7, 3), (3, 3, 4), {"stride": 2, "padding": "SAME"}, [2.125, -25.375, -25.625]),
    ("conv3d", (1, 5, 4, 6, 2), (2, 3, 2, 2, 3), {"strides": [1, 1, 2, 1, 1], "padding": "SAME"}, [141.5625, 30.1875, -80.75]),
    ("max_pool", (2, 7, 6, 3), None, {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "SAME"}, [-36.5, 20.75]),
    ("max_pool", (2, 7, 6, 3), None, {"ksize": [1, 3, 3, 1], "strides": [1, 2, 1, 1], "padding": "SAME"}, [-4.0, 32.75]),
    ("max_pool", (2, 7, 6, 3), None, {"ksize": [1, 3, 2, 1], "strides": [1, 1, 2, 1], "padding": "VALID"}, [4.75, -0.25]),
    ("avg_pool", (2, 7, 6, 3), None, {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "SAME"}, [-20.25, 15.5]),
    ("avg_pool", (2, 7, 6, 3), None, {"ksize": [1, 3, 3, 1], "strides": [1, 1, 2, 1], "padding": "SAME"}, [7.1667, 0.8264]),
    ("lrn", (2, 3, 2, 7), None, {"depth_radius": 2, "bias": 1.5, "alpha": 0.5, "beta": 0.75}, [13.0469, 6.0114]),
]


def sums(name: str, shapes: list[tuple], keywords: dict[str, Any], known: bool) -> list[float]:
    inputs = [tf.placeholder(tf.float32, s if known else [None, *s[1:]] if k == 0 else s) for k, s in enumerate(shapes)]
    y = getattr(tf.nn, name)(*inputs, **keywords)
    with tf.Session() as sess:
        fed = {x: pattern(*s) for x, s in zip(inputs, shapes, strict=True)}
        shape = sess.run(y, fed).shape
        found = tf.gradients(tf.reduce_sum(y * pattern(*shape)), inputs)
        return [checksum(v) for v in sess.run([y, *found], fed)]


@pytest.mark.parametrize("way", ["reference", "python"])
@pytest.mark.parametrize(("name", "x", "w", "keywords", "wanted"), TF)
def test_tensorflows_numbers(name: str, x: tuple, w: tuple | None, keywords: dict[str, Any], wanted: list[float], way: str) -> None:
    tf.reset_default_graph()
    with config.override(SYMGRAPH_BACKEND=way):
        np.testing.assert_allclose(sums(name, [x] if w is None else [x, w], keywords, way == "reference"), wanted, rtol=0, atol=2e-4)


@pytest.mark.parametrize("k", [5, 14])
def test_tensorflows_numbers_compiled(k: int) -> None:
    tf.reset_default_graph()
    name, x, w, keywords, wanted = TF[k]
    np.testing.assert_allclose(sums(name, [x] if w is None else [x, w], keywords, False), wanted, rtol=0, atol=2e-4)


# ---------------------------------------------------------------- layers
def made(f: Any, *args: Any, **keywords: Any) -> tuple[tf.Tensor, int]:
    """What a call gives, and how many operations TF1 would have made."""
    graph = tf.get_default_graph()
    before = graph.counted
    return f(*args, **keywords), graph.counted - before


def test_layers_are_named_and_counted() -> None:
    tf.reset_default_graph()
    x, line = tf.placeholder(tf.float32, [None, 8, 8, 3]), tf.placeholder(tf.float32, [None, 8, 3])
    for f, inputs, args, name, shape, count in (
        (tf.layers.conv2d, x, (4, 3), "conv2d/BiasAdd", [None, 6, 6, 4], 16),
        (tf.layers.conv2d, x, (4, [3, 2], 2, "same"), "conv2d_1/BiasAdd", [None, 4, 4, 4], 16),
        (tf.layers.conv2d_transpose, x, (5, 3, 2), "conv2d_transpose/BiasAdd", [None, 17, 17, 5], 29),
        (tf.layers.conv2d_transpose, x, (5, 3, 2, "same"), "conv2d_transpose_1/BiasAdd", [None, 16, 16, 5], 29),
        (tf.layers.separable_conv2d, x, (4, 3), "separable_conv2d/BiasAdd", [None, 6, 6, 4], 29),
        (tf.layers.conv1d, line, (4, 3, 2), "conv1d/BiasAdd", [None, 3, 4], 21),
        (tf.layers.max_pooling2d, x, (2, 2), "max_pooling2d/MaxPool", [None, 4, 4, 3], 1),
        (tf.layers.average_pooling2d, x, (3, 2, "same"), "average_pooling2d/AvgPool", [None, 4, 4, 3], 1),
        (tf.layers.max_pooling1d, line, (2, 2), "max_pooling1d/MaxPool1d/Squeeze", [None, 4, 3], 4),
        (tf.layers.average_pooling1d, line, (2, 1), "average_pooling1d/AvgPool1D/Squeeze", [None, 7, 3], 4),
    ):
        y, n = made(f, inputs, *args)
        assert (y.op.name, y.shape.as_list(), n) == (name, shape, count)
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    assert shapes["conv2d_1/kernel"] == [3, 2, 3, 4] and shapes["conv2d_transpose/kernel"] == [3, 3, 5, 3]
    assert shapes["separable_conv2d/depthwise_kernel"] == [3, 3, 3, 1] and shapes["separable_conv2d/pointwise_kernel"] == [1, 1, 3, 4]


def test_layers_compute_what_their_functions_do() -> None:
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, 3, 5, 4])  # channels first
    start = tf.random_uniform_initializer(seed=1)
    y = tf.layers.conv2d(x, 2, 2, activation=tf.nn.relu, data_format="channels_first", kernel_initializer=start, name="a")
    up = tf.layers.conv2d_transpose(x, 2, 2, 2, data_format="channels_first", kernel_initializer=start, name="b")
    deep = tf.layers.separable_conv2d(x, 2, 2, (2, 1), data_format="channels_first", name="c")
    kernels = [v for v in tf.global_variables() if "kernel" in v.name]
    last = tf.transpose(x, [0, 2, 3, 1])
    same = [
        tf.nn.relu(tf.nn.conv2d(last, kernels[0], 1, "VALID")),
        tf.nn.conv2d_transpose(last, kernels[1], [2, 10, 8, 2], 2, "VALID"),
        tf.nn.separable_conv2d(last, kernels[2], kernels[3], [1, 2, 1, 1], "VALID"),
    ]
    with tf.Session() as sess, config.override(SYMGRAPH_BACKEND="reference"):
        sess.run(tf.global_variables_initializer())
        for a, b in zip(*sess.run([[y, up, deep], same], {x: pattern(2, 3, 5, 4)}), strict=True):
            np.testing.assert_allclose(np.moveaxis(a, 1, -1), b, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- sizes
def test_images_of_any_size() -> None:
    """Extents that only what is fed has: a plan for each size of image, one for all numbers of images."""
    tf.reset_default_graph()
    x, w = tf.placeholder(tf.float32, [None, None, None, 2]), tf.Variable(pattern(3, 3, 2, 4))
    y = tf.nn.avg_pool(tf.nn.conv2d(x, w, [1, 2, 2, 1], "SAME"), 2, 1, "SAME")
    assert y.shape.as_list() == [None, None, None, 4]
    known = tf.placeholder(tf.float32, [None, 9, 6, 2])
    z = tf.nn.avg_pool(tf.nn.conv2d(known, w, [1, 2, 2, 1], "SAME"), 2, 1, "SAME")
    with tf.Session() as sess, config.override(SYMGRAPH_BACKEND="reference"):
        sess.run(tf.global_variables_initializer())
        for n, h, c in ((2, 9, 6), (3, 9, 6), (2, 5, 8)):
            got = sess.run([y, *tf.gradients(y, [x, w])], {x: pattern(n, h, c, 2)})
            assert got[0].shape == (n, -(-h // 2), -(-c // 2), 4)
            if (h, c) == (9, 6):
                for a, b in zip(got, sess.run([z, *tf.gradients(z, [known, w])], {known: pattern(n, h, c, 2)}), strict=True):
                    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_output_shape_made_of_sizes() -> None:
    tf.reset_default_graph()
    y = tf.placeholder(tf.float32, [None, 4, 3, 2])
    x = tf.nn.conv2d_transpose(y, pattern(3, 3, 5, 2), tf.stack([tf.shape(y)[0], 7, 6, 5]), [1, 2, 2, 1])
    assert x.shape.as_list() == [None, 7, 6, 5]
    with tf.Session() as sess, config.override(SYMGRAPH_BACKEND="reference"):
        assert sess.run(x, {y: pattern(3, 4, 3, 2)}).shape == (3, 7, 6, 5)


# ---------------------------------------------------------------- derivatives
def test_jacobians_and_hessians() -> None:
    """Many seeds at once: the batch joins images or channels."""
    from symgraph import hessian, jacobian

    tf.reset_default_graph()
    x, w, d = (tf.placeholder(tf.float64, s) for s in ((1, 3, 4, 2), (2, 2, 2, 2), (2, 2, 2, 1)))
    fed = {x: pattern(1, 3, 4, 2) + np.linspace(0, 1, 24).reshape(1, 3, 4, 2), w: pattern(2, 2, 2, 2), d: pattern(2, 2, 2, 1)}
    for y, by in (
        (tf.nn.conv2d(x, w, 1, "SAME"), (x, w)),
        (tf.nn.depthwise_conv2d_native(x, d, [1, 2, 2, 1], "SAME"), (x, d)),
        (tf.nn.max_pool(x, 2, 1, "SAME"), (x,)),
    ):
        with tf.Session() as sess, config.override(SYMGRAPH_BACKEND="reference"):
            flat = tf.reshape(y, [-1])
            rows = int(flat.shape[0])
            for v in by:
                whole = sess.run(jacobian(flat, v), fed)
                for k in (0, rows // 2, rows - 1):
                    np.testing.assert_allclose(whole[k], sess.run(tf.gradients(flat[k], v)[0], fed), atol=1e-12)
    loss = tf.reduce_sum(tf.nn.conv2d(x, w, 2, "SAME") ** 3)
    with tf.Session() as sess, config.override(SYMGRAPH_BACKEND="reference"):
        whole = sess.run(hessian(loss, w), fed).reshape(16, 16)
        column = tf.gradients(tf.reshape(tf.gradients(loss, w)[0], [-1])[5], w)[0]
        np.testing.assert_allclose(whole[5], sess.run(column, fed).ravel(), rtol=1e-9)


def test_a_sum_over_images_and_places_gathers_along_channels() -> None:
    """The biases' gradient: its loops go as the images lie in memory."""
    tf.reset_default_graph()
    x, b = tf.placeholder(tf.float32, [None, 6, 7, 5]), tf.placeholder(tf.float32, [5])
    f = tf.function([x, b], tf.gradients(tf.reduce_sum(tf.nn.relu(tf.nn.bias_add(tf.nn.max_pool(x, 2, 1, "SAME"), b)) ** 2), b))
    f2 = tf.function([x], tf.reduce_max(x, [1, 2]))
    inner = [line.strip() for line in f.source.splitlines() if "for j2 in" in line]
    assert inner and all(line == "for j2 in range(5):" for line in inner)
    v = pattern(4, 6, 7, 5)
    assert np.array_equal(f2(v), v.max((1, 2)))
    with config.override(SYMGRAPH_BACKEND="reference"):
        g = tf.function([x, b], tf.gradients(tf.reduce_sum(tf.nn.relu(tf.nn.bias_add(tf.nn.max_pool(x, 2, 1, "SAME"), b)) ** 2), b))
    np.testing.assert_allclose(f(v, v[0, 0, 0]), g(v, v[0, 0, 0]), rtol=1e-5)


@pytest.mark.parametrize("way", ["reference", "python"])
def test_relu_and_bias_wait_for_the_maximum(way: str) -> None:
    """The same values and derivatives, with a quarter of the work; what is fed in between is taken as it is."""
    tf.reset_default_graph()
    x, b = tf.placeholder(tf.float32, [None, 6, 7, 3]), tf.placeholder(tf.float32, [3])
    h = tf.nn.relu(tf.nn.bias_add(x, b))
    y = tf.nn.max_pool(h, 3, 2, "SAME")
    w = pattern(2, 3, 4, 3)
    whole = tf.gradients(tf.reduce_sum(y * w), [x, b])
    fed = {x: pattern(2, 6, 7, 3), b: np.float32([0.25, -1, -9])}
    with tf.Session() as sess, config.override(SYMGRAPH_BACKEND=way):
        hidden, value, by_x, by_b = sess.run([h, y, *whole], fed)
        assert np.array_equal(value, sess.run(tf.nn.max_pool(x, 3, 2, "SAME"), {x: hidden}))
        by_h = sess.run(tf.gradients(tf.reduce_sum(y * w), h)[0], {h: hidden}) * (hidden > 0)
        np.testing.assert_allclose(by_x, by_h, rtol=1e-6)
        np.testing.assert_allclose(by_b, by_h.sum((0, 1, 2)), rtol=1e-5, atol=1e-5)
        assert not value[..., 2].any() and not by_x[..., 2].any()
    f = tf.function([x, b], y)
    assert [type(s).__name__ for s in f.program.statements] == ["Pool", "Map", "Map"]


# ---------------------------------------------------------------- mistakes
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x, w: tf.nn.conv2d(x, w[:, :, :2], 1, "SAME"), ValueError, "Dimensions must be equal, but are 3 and 2"),
        (lambda x, w: tf.nn.conv2d(x, w, 1, "same"), ValueError, '"same" is not in the list of allowed values: "SAME", "VALID"'),
        (lambda x, w: tf.nn.conv2d(x, w, [2, 1, 1, 1], "SAME"), NotImplementedError, "strides in the batch and depth dimensions"),
        (lambda x, w: tf.nn.conv2d(x, w, [1, 2, 3], "SAME"), ValueError, "strides should be of length 1, 2 or 4 but was 3"),
        (lambda x, w: tf.nn.conv2d(x[:, :2], w, 1, "VALID"), ValueError, "Negative dimension size caused by subtracting 3 from 2"),
        (lambda x, w: tf.nn.conv2d(tf.cast(x, tf.int32), tf.cast(w, tf.int32), 1, "SAME"), TypeError, "float32, float64"),
        (lambda x, w: tf.nn.conv2d(x, w, 1, "SAME", data_format="CHWN"), ValueError, "NHWC, NCHW"),
        (lambda x, w: tf.nn.conv2d_transpose(x, w, [2, 9, 8, 3], 3), ValueError, r"has \[3, 3\] windows"),
        (lambda x, w: tf.nn.max_pool(x, [2, 2, 2, 1], 1, "SAME"), NotImplementedError, "ksize in the batch"),
        (lambda x, w: tf.nn.pool(x, [2, 2], "AVG", "SAME", dilation_rate=[2, 2]), ValueError, "not implemented for `dilation_rate` > 1"),
        (lambda x, w: tf.layers.conv2d(x, 3, 3, padding="full"), ValueError, "one of 'valid', 'same'"),
        (lambda x, w: tf.layers.conv2d(x, 3, (3, 3, 3)), ValueError, "`kernel_size` argument must be a tuple of 2 integers"),
        (lambda x, w: tf.layers.max_pooling2d(x[0], 2, 2), ValueError, "min_ndim=4, found ndim=3"),
    ],
)
def test_mistakes_say_what_is_wrong(call: Any, error: type[Exception], words: str) -> None:
    tf.reset_default_graph()
    with pytest.raises(error, match=words):
        call(tf.placeholder(tf.float32, [2, 7, 6, 3]), tf.placeholder(tf.float32, [3, 3, 3, 4]))
