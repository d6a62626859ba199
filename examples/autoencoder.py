"""An autoencoder on hand-written digits: 64 pixels through a layer of a few numbers, and back, against PCA of the same size.

The weights are tied: the decoder multiplies with the encoder's matrices, transposed, so their gradients are sums over both
uses, and there are half as many.  With linear layers this could at best be PCA; what the hidden layers' curves are worth
is what it does better.

    python examples/autoencoder.py [--epochs 60] [--hidden 100] [--codes 8]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from digits import Digits, batches, load, picture
from sklearn.decomposition import PCA

import symgraph as tf

SEED = 42
BATCH = 50


@dataclass(frozen=True)
class Model:
    """What is fed and what is run."""

    X: tf.Tensor
    outputs: tf.Tensor
    error: tf.Tensor
    training_op: tf.Operation


def build(hidden: int, codes: int, steps: int) -> Model:
    tf.reset_default_graph()
    tf.set_random_seed(SEED)
    X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
    start = tf.variance_scaling_initializer()
    W1 = tf.get_variable("W1", [64, hidden], initializer=start)
    W2 = tf.get_variable("W2", [hidden, codes], initializer=start)
    b1, b2, b3, b4 = (tf.Variable(tf.zeros(size), name=f"b{k}") for k, size in enumerate((hidden, codes, hidden, 64), 1))

    with tf.name_scope("encoder"):
        code = tf.matmul(tf.nn.elu(tf.matmul(X, W1) + b1), W2) + b2
    with tf.name_scope("decoder"):
        outputs = tf.matmul(tf.nn.elu(tf.matmul(code, W2, transpose_b=True) + b3), W1, transpose_b=True) + b4
    error = tf.reduce_mean(tf.square(outputs - X), name="error")
    with tf.name_scope("train"):
        step = tf.train.get_or_create_global_step()
        rate = tf.train.polynomial_decay(0.005, step, steps, end_learning_rate=0.0)
        training_op = tf.train.AdamOptimizer(rate).minimize(error, global_step=step)
    return Model(X, outputs, error, training_op)


def train(data: Digits, epochs: int, hidden: int, codes: int) -> tuple[float, np.ndarray]:
    """The mean squared error on the images that are kept back, and what becomes of these."""
    model = build(hidden, codes, epochs * (len(data.images) // BATCH))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for epoch in range(epochs):
            if epoch % 10 == 0:
                print(f"epoch {epoch:>3}: error {sess.run(model.error, {model.X: data.images}):.5f}")
            for rows in batches(len(data.images), BATCH, epoch):
                sess.run(model.training_op, {model.X: data.images[rows]})
        print(f"epoch {epochs:>3}: error {sess.run(model.error, {model.X: data.images}):.5f}")
        return sess.run([model.error, model.outputs], {model.X: data.test_images})


def main(arguments: Sequence[str] | None = None) -> tuple[float, float]:
    """The errors of PCA and of the autoencoder on images that neither has seen."""
    parser = argparse.ArgumentParser(description="An autoencoder with tied weights on hand-written digits.")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--hidden", type=int, default=100, help="units of the hidden layers")
    parser.add_argument("--codes", type=int, default=8, help="how many numbers an image must pass through")
    options = parser.parse_args(arguments)

    data = load()
    print(f"{len(data.images)} images to train on, {len(data.test_images)} to test with; {options.codes} numbers for each\n")
    error, outputs = train(data, options.epochs, options.hidden, options.codes)
    pca = PCA(options.codes).fit(data.images)
    flat = pca.inverse_transform(pca.transform(data.test_images))
    linear = float(np.mean((flat - data.test_images) ** 2))
    print(f"\nerror on images kept back: {error:.5f}, of PCA {linear:.5f}: {1 - error / linear:.0%} less\n")
    print("Five of them, as they come out, and as PCA has them:\n")
    print("\n\n".join(picture(images[:5]) for images in (data.test_images, outputs, flat)))
    return linear, float(error)


if __name__ == "__main__":
    main()
