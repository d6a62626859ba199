"""A convolutional net on hand-written digits: what is learned about a few pixels holds wherever they lie.

Two convolutions, each with a pooling behind it, and a dense layer.  Beside it stands what a linear model comes to, which must
learn every pixel for itself.

    python examples/digits_cnn.py [--epochs 15] [--batch 50] [--filters 16 32]

Source: LeCun, Bottou, Bengio and Haffner (1998).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from digits import Digits, batches, load, picture
from sklearn.linear_model import LogisticRegression

import symgraph as tf

SEED = 42


def network(X: tf.Tensor, filters: Sequence[int]) -> tf.Tensor:
    """Logits (rows, 10) of images (rows, 64)."""
    layer = tf.reshape(X, [-1, 8, 8, 1])
    for number, count in enumerate(filters, 1):
        layer = tf.layers.conv2d(layer, count, kernel_size=3, padding="same", activation=tf.nn.relu, name=f"conv{number}")
        layer = tf.layers.max_pooling2d(layer, pool_size=2, strides=2, name=f"pool{number}")
    return tf.layers.dense(tf.layers.flatten(layer), 10, name="outputs")


def train(data: Digits, epochs: int, size: int, filters: Sequence[int]) -> np.ndarray:
    """What is said of each of the images that are kept back."""
    tf.reset_default_graph()
    tf.set_random_seed(SEED)
    X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
    y = tf.placeholder(tf.int32, shape=(None,), name="y")
    logits = network(X, filters)
    loss = tf.losses.sparse_softmax_cross_entropy(labels=y, logits=logits)
    training_op = tf.train.AdamOptimizer(0.01).minimize(loss)
    said = tf.argmax(logits, axis=1)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(said, tf.cast(y, tf.int64)), tf.float32))

    weights = sum(int(np.prod(v.shape.as_list())) for v in tf.trainable_variables())
    print(f"{weights} weights, {', '.join(v.op.name for v in tf.trainable_variables())}\n")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        print(f"{'epoch':>6}{'loss':>10}{'accuracy':>10}   on the images that are kept back")
        for epoch in range(epochs):
            for rows in batches(len(data.images), size, epoch):
                sess.run(training_op, {X: data.images[rows], y: data.labels[rows]})
            if epoch % 3 == 2 or epoch == epochs - 1:
                found = sess.run([loss, accuracy, said], {X: data.test_images, y: data.test_labels})
                print(f"{epoch + 1:>6}{found[0]:>10.4f}{found[1]:>10.3f}")
    return found[2]


def main(arguments: Sequence[str] | None = None) -> tuple[float, float]:
    """The accuracies of a linear model and of the net."""
    parser = argparse.ArgumentParser(description="A convolutional net on hand-written digits.")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=50, help="images in a batch")
    parser.add_argument("--filters", type=int, nargs="+", default=[16, 32], help="of each convolution")
    options = parser.parse_args(arguments)

    data = load()
    print(f"{len(data.images)} images to train on, {len(data.test_images)} to test with")
    said = train(data, options.epochs, options.batch, options.filters)
    linear = LogisticRegression(max_iter=1000).fit(data.images, data.labels).score(data.test_images, data.test_labels)
    wrong = np.flatnonzero(said != data.test_labels)
    print(f"\na linear model comes to {linear:.3f}, the net to {1 - len(wrong) / len(said):.3f}; {len(wrong)} images are taken for others")
    if len(wrong):
        shown = wrong[:5]
        print("\n" + "".join(f"{data.test_labels[k]} as {said[k]}".ljust(18) for k in shown).rstrip())
        print(picture(data.test_images[shown]))
    return linear, float(np.mean(said == data.test_labels))


if __name__ == "__main__":
    main()
