"""A multi-layer perceptron on hand-written digits: dense layers, batch normalisation, dropout, and a rate that falls.

What differs between training and testing hangs on one placeholder, `training`: it says whether dropout drops and which means
and variances normalise.  The moving averages of these are moved by operations of their own, in the collection UPDATE_OPS,
which the training step is told to wait for.

    python examples/digits_mlp.py [--epochs 30] [--batch 60] [--units 100 50]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from digits import Digits, batches, load
from sklearn.linear_model import LogisticRegression

import symgraph as tf

SEED = 42


@dataclass(frozen=True)
class Model:
    """What is fed and what is run."""

    X: tf.Tensor
    y: tf.Tensor
    training: tf.Tensor
    logits: tf.Tensor
    loss: tf.Tensor
    accuracy: tf.Tensor
    training_op: tf.Operation


def network(X: tf.Tensor, training: tf.Tensor, units: Sequence[int]) -> tf.Tensor:
    """Logits (rows, 10) of images (rows, 64)."""
    start = tf.variance_scaling_initializer()
    hidden1 = tf.layers.dense(X, units[0], tf.nn.relu, kernel_initializer=start, name="hidden1")
    dropped = tf.layers.dropout(hidden1, rate=0.3, training=training)
    hidden2 = tf.layers.dense(dropped, units[1], kernel_initializer=start, name="hidden2")
    normalised = tf.layers.batch_normalization(hidden2, training=training, momentum=0.9)
    return tf.layers.dense(tf.nn.relu(normalised), 10, name="outputs")


def build(units: Sequence[int]) -> Model:
    tf.reset_default_graph()
    tf.set_random_seed(SEED)
    X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
    y = tf.placeholder(tf.int32, shape=(None,), name="y")
    training = tf.placeholder_with_default(False, shape=(), name="training")
    with tf.name_scope("dnn"):
        logits = network(X, training, units)
    with tf.name_scope("loss"):
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    with tf.name_scope("train"):
        step = tf.train.get_or_create_global_step()
        rate = tf.train.exponential_decay(0.01, step, decay_steps=100, decay_rate=0.7)
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            training_op = tf.train.AdamOptimizer(rate).minimize(loss, global_step=step)
    with tf.name_scope("eval"):
        accuracy = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
    return Model(X, y, training, logits, loss, accuracy, training_op)


def train(data: Digits, epochs: int, size: int, units: Sequence[int]) -> tuple[float, np.ndarray]:
    """The accuracy on the images that are kept back, and what is said of each of them."""
    model = build(units)
    test = {model.X: data.test_images, model.y: data.test_labels}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        print(f"{'epoch':>6}{'loss':>10}{'accuracy':>10}   on the images that are kept back")
        for epoch in range(epochs):
            for rows in batches(len(data.images), size, epoch):
                sess.run(model.training_op, {model.X: data.images[rows], model.y: data.labels[rows], model.training: True})
            if epoch % 5 == 4 or epoch == epochs - 1:
                loss, accuracy, logits = sess.run([model.loss, model.accuracy, model.logits], test)
                print(f"{epoch + 1:>6}{loss:>10.4f}{accuracy:>10.3f}")
    return float(accuracy), np.argmax(logits, axis=1)


def main(arguments: Sequence[str] | None = None) -> tuple[float, float]:
    """The accuracies of a linear model and of the perceptron."""
    parser = argparse.ArgumentParser(description="A multi-layer perceptron on hand-written digits.")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=60, help="images in a batch")
    parser.add_argument("--units", type=int, nargs=2, default=[100, 50], help="sizes of the hidden layers")
    options = parser.parse_args(arguments)

    data = load()
    print(f"{len(data.images)} images to train on, {len(data.test_images)} to test with\n")
    accuracy, said = train(data, options.epochs, options.batch, options.units)
    linear = LogisticRegression(max_iter=1000).fit(data.images, data.labels).score(data.test_images, data.test_labels)
    print(f"\nscikit-learn's logistic regression, a model without hidden layers, comes to {linear:.3f}")
    wrong = said != data.test_labels
    mistakes = zip(data.test_labels[wrong], said[wrong], strict=True)
    print(f"{wrong.sum()} of {len(said)} are taken for something else:", ", ".join(f"{label} for {guess}" for label, guess in mistakes))
    return linear, accuracy


if __name__ == "__main__":
    main()
