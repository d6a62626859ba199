"""The chapter's exercise: logistic regression with mini-batches on scikit-learn's moons, all of it put together.

One function builds the model, in name scopes.  A training that is interrupted, even killed, goes on from its last
checkpoint and ends in the very numbers of one that never was: a checkpoint holds the step and the optimizer's momentum, and
a batch depends on the seed and the step alone.  A small search over learning rates and sizes of batches trains several
models, each with its own checkpoints and its own curves in TensorBoard.

    python examples/moons.py [--folder moons_runs] [--epochs 200] [--rates 0.03 0.3] [--batches 20 200]
    tensorboard --logdir moons_runs
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from data import with_bias
from sklearn.datasets import make_moons
from sklearn.metrics import precision_score, recall_score

import symgraph as tf

SEED = 42
MOMENTUM = 0.9
SAVE_EVERY = 500
LOG_EVERY = 50


# ---------------------------------------------------------------- the data
@dataclass(frozen=True)
class Moons:
    """Rows (m, 7), labels 0 or 1 (m, 1), split into those to train on and those to test with."""

    rows: np.ndarray
    labels: np.ndarray
    test_rows: np.ndarray
    test_labels: np.ndarray


def moons(count: int = 1000, test: float = 0.2) -> Moons:
    """Two half moons with noise; squares and cubes of both coordinates let a linear boundary bend."""
    points, labels = make_moons(count, noise=0.1, random_state=SEED)
    rows = with_bias(np.c_[points, points**2, points**3])
    labels = labels.reshape(-1, 1)
    border = int(count * (1 - test))
    return Moons(rows[:border], labels[:border], rows[border:], labels[border:])


def batch(data: Moons, size: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """The batch of a step: each epoch goes through all rows once, in an order that depends on the epoch alone."""
    per_epoch = steps_per_epoch(data, size)
    epoch, index = divmod(step, per_epoch)
    order = np.random.default_rng((SEED, epoch)).permutation(len(data.rows))
    chosen = order[index * size : (index + 1) * size]
    return data.rows[chosen], data.labels[chosen]


def steps_per_epoch(data: Moons, size: int) -> int:
    return -(-len(data.rows) // size)


# ---------------------------------------------------------------- the model
@dataclass(frozen=True)
class Model:
    """What is run: tensors, operations and the saver of one logistic regression."""

    theta: tf.Variable
    probability: tf.Tensor
    loss: tf.Tensor
    step: tf.Variable
    training_op: tf.Operation
    init: tf.Operation
    curve: tf.Tensor
    saver: tf.train.Saver


def logistic_regression(X: tf.Tensor, y: tf.Tensor, learning_rate: float | tf.Tensor = 0.1, momentum: float = MOMENTUM) -> Model:
    """A logistic regression of `y` (rows, 1) on `X` (rows, n), with its loss, its training step and all that goes with it."""
    features = int(X.get_shape()[1])
    with tf.name_scope("model"):
        theta = tf.Variable(tf.random_uniform([features, 1], -1.0, 1.0, seed=SEED), name="theta")
        logits = tf.matmul(X, theta, name="logits")
        probability = tf.sigmoid(logits, name="probability")
    with tf.name_scope("loss"):  # the cross-entropy, written so that no logarithm sees a 0
        loss = tf.reduce_mean(tf.nn.softplus(logits) - y * logits, name="log_loss")
    with tf.name_scope("train"):
        step = tf.train.get_or_create_global_step()
        optimizer = tf.train.MomentumOptimizer(learning_rate, momentum)
        training_op = optimizer.minimize(loss, global_step=step)
    with tf.name_scope("save"):
        init = tf.global_variables_initializer()
        curve = tf.summary.scalar("log_loss", loss)
        saver = tf.train.Saver(max_to_keep=2)
    return Model(theta, probability, loss, step, training_op, init, curve, saver)


# ---------------------------------------------------------------- training
@dataclass(frozen=True)
class Result:
    """What a training came to: its settings, theta, and how it does on the rows that it was not trained on."""

    rate: float
    size: int
    theta: np.ndarray
    loss: float
    precision: float
    recall: float


def train(data: Moons, rate: float, size: int, epochs: int, folder: Path) -> Result:
    """Train, or go on with a training whose checkpoints lie in `folder`, up to the end of the last epoch."""
    tf.reset_default_graph()
    X = tf.placeholder(tf.float32, shape=(None, data.rows.shape[1]), name="X")
    y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
    model = logistic_regression(X, y, rate)
    run = folder / f"rate-{rate:g}-batch-{size}"
    run.mkdir(parents=True, exist_ok=True)
    checkpoint = str(run / "model.ckpt")
    writer = curves(run)
    with tf.Session() as sess:
        saved = tf.train.latest_checkpoint(str(run))
        if saved is None:
            sess.run(model.init)
        else:
            model.saver.restore(sess, saved)
            print(f"{run.name}: going on from step {model.step.eval()}")
        for step in range(int(model.step.eval()), epochs * steps_per_epoch(data, size)):
            rows, labels = batch(data, size, step)
            if writer and step % LOG_EVERY == 0:
                writer.add_summary(model.curve.eval({X: data.rows, y: data.labels}), step)
            if step % SAVE_EVERY == 0:
                model.saver.save(sess, checkpoint, global_step=model.step)
            sess.run(model.training_op, {X: rows, y: labels})
        model.saver.save(sess, checkpoint, global_step=model.step)
        theta, probability, loss = sess.run([model.theta, model.probability, model.loss], {X: data.test_rows, y: data.test_labels})
    if writer:
        writer.close()
    said = probability >= 0.5
    return Result(rate, size, theta, float(loss), precision_score(data.test_labels, said), recall_score(data.test_labels, said))


def curves(folder: Path) -> tf.summary.FileWriter | None:
    """Where the training is logged, with its graph; None, saying so, without TensorBoard."""
    try:
        return tf.summary.FileWriter(str(folder), tf.get_default_graph())
    except ImportError as error:
        print(f"Nothing is logged: {error}")
        return None


# ---------------------------------------------------------------- the search
def search(data: Moons, rates: Sequence[float], sizes: Sequence[int], epochs: int, folder: Path) -> list[Result]:
    """Every learning rate with every size of batch, best first: the smallest loss on the rows that are kept back."""
    results = [train(data, rate, size, epochs, folder) for rate in rates for size in sizes]
    return sorted(results, key=lambda result: result.loss)


def gradient() -> tf.Formula:
    """The formula of the loss's gradient, as it is derived."""
    with tf.Graph().as_default():
        X = tf.placeholder(tf.float32, shape=(None, 7), name="X")
        y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
        model = logistic_regression(X, y)
        return tf.formula(tf.gradients(model.loss, [model.theta])[0])


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    parser = argparse.ArgumentParser(description="Logistic regression on moons: training that survives interruption, and a small search.")
    parser.add_argument("--folder", type=Path, default=Path("moons_runs"), help="for checkpoints and curves; a training in it goes on")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.01, 0.1, 1.0], help="learning rates to try")
    parser.add_argument("--batches", type=int, nargs="+", default=[20, 100, 400], help="numbers of rows to try")
    options = parser.parse_args(arguments)

    data = moons()
    print(f"{len(data.rows)} rows to train on, {len(data.test_rows)} to test with\n")
    print(f"The gradient of the loss:\n\n    {gradient()}\n")
    results = search(data, options.rates, options.batches, options.epochs, options.folder)
    print(f"{'rate':>8}{'batch':>8}{'loss':>10}{'precision':>11}{'recall':>8}")
    for result in results:
        print(f"{result.rate:>8g}{result.size:>8}{result.loss:>10.5f}{result.precision:>11.3f}{result.recall:>8.3f}")
    print("\ntheta of the best:", *(f"{value:.4f}" for value in results[0].theta.ravel()))
    return results


if __name__ == "__main__":
    main()
