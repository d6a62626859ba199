"""Linear regression in six ways, from a formula in closed form to mini-batches fed through placeholders.

Each way builds its own graph from the same start (seed 42), so their tables can be laid side by side: the gradient that
is written by hand, the one that `gradients` derives, and the one inside an optimizer are the same mathematics.

    python examples/linear_regression.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from data import Data, load, with_bias
from sklearn.linear_model import LinearRegression

import symgraph as tf

EPOCHS = 1000
RATE = 0.01
MOMENTUM = 0.9
BATCH_EPOCHS = 10
BATCH_SIZE = 100


@dataclass(frozen=True)
class Fit:
    """What one way of training gave: (epoch, mean squared error) pairs, theta, seconds, and where its source lies."""

    history: list[tuple[int, np.float32]]
    theta: np.ndarray
    seconds: float
    source: Path | None


def reset(seed: int = 42) -> None:
    """An empty graph whose random operations start from `seed`."""
    tf.reset_default_graph()
    tf.set_random_seed(seed)
    np.random.seed(seed)


def linear_model(X: tf.Tensor, y: tf.Tensor, columns: int) -> tuple[tf.Variable, tf.Tensor, tf.Tensor]:
    """Theta (columns, 1), the error of its predictions (rows, 1), and the mean of the squared errors."""
    theta = tf.Variable(tf.random_uniform([columns, 1], -1.0, 1.0, seed=42), name="theta")
    predictions = tf.matmul(X, theta, name="predictions")
    error = predictions - y
    return theta, error, tf.reduce_mean(tf.square(error), name="mse")


# ---------------------------------------------------------------- the closed form
def normal_equation(data: Data) -> np.ndarray:
    """(X'X)^-1 X'y in double precision, on the features as they are."""
    reset()
    X = tf.constant(with_bias(data.features), name="X")
    y = tf.constant(data.target, name="y")
    XT = tf.transpose(X)
    theta = tf.matmul(tf.matmul(tf.matrix_inverse(tf.matmul(XT, X)), XT), y)
    with tf.Session():
        return theta.eval()


# ---------------------------------------------------------------- full batches
def by_hand(mse: tf.Tensor, theta: tf.Variable, X: tf.Tensor, error: tf.Tensor) -> tf.Operation | tf.Tensor:
    rows = int(X.get_shape()[0])
    gradient = 2 / rows * tf.matmul(tf.transpose(X), error)
    return tf.assign(theta, theta - RATE * gradient)


def by_gradients(mse: tf.Tensor, theta: tf.Variable, X: tf.Tensor, error: tf.Tensor) -> tf.Operation | tf.Tensor:
    (gradient,) = tf.gradients(mse, [theta])
    return tf.assign(theta, theta - RATE * gradient)


def by_gradient_descent(mse: tf.Tensor, theta: tf.Variable, X: tf.Tensor, error: tf.Tensor) -> tf.Operation | tf.Tensor:
    return tf.train.GradientDescentOptimizer(learning_rate=RATE).minimize(mse)


def by_momentum(mse: tf.Tensor, theta: tf.Variable, X: tf.Tensor, error: tf.Tensor) -> tf.Operation | tf.Tensor:
    return tf.train.MomentumOptimizer(learning_rate=RATE, momentum=MOMENTUM).minimize(mse)


FULL_BATCH = {"by hand": by_hand, "gradients": by_gradients, "GradientDescent": by_gradient_descent, "Momentum": by_momentum}


def full_batch(data: Data, way: Callable[..., tf.Operation | tf.Tensor]) -> Fit:
    """`EPOCHS` steps over all rows, which are constants of the graph."""
    reset()
    rows = with_bias(data.scaled)
    X = tf.constant(rows, dtype=tf.float32, name="X")
    y = tf.constant(data.target, dtype=tf.float32, name="y")
    theta, error, mse = linear_model(X, y, rows.shape[1])
    training_op = way(mse, theta, X, error)
    history = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        start = time.perf_counter()
        for epoch in range(EPOCHS):
            if epoch % 100 == 0:
                history.append((epoch, mse.eval()))
            sess.run(training_op)
        seconds = time.perf_counter() - start
        return Fit(history, theta.eval(), seconds, sess.compiled(training_op).path)


# ---------------------------------------------------------------- mini-batches
def batch(data: Data, number: int) -> tuple[np.ndarray, np.ndarray]:
    """`BATCH_SIZE` rows drawn with replacement; the draw depends on the batch's number alone."""
    np.random.seed(number)
    drawn = np.random.randint(len(data.target), size=BATCH_SIZE)
    return with_bias(data.scaled[drawn]), data.target[drawn]


def mini_batches(data: Data) -> Fit:
    """Gradient descent on batches that are fed into placeholders, so one compiled step serves any number of rows."""
    reset()
    columns = data.scaled.shape[1] + 1
    X = tf.placeholder(tf.float32, shape=(None, columns), name="X")
    y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
    theta, _, mse = linear_model(X, y, columns)
    training_op = tf.train.GradientDescentOptimizer(learning_rate=RATE).minimize(mse)
    print("The gradient of the mean squared error, as it was derived:\n")
    print(f"    {tf.formula(tf.gradients(mse, [theta])[0])}\n")

    batches = -(-len(data.target) // BATCH_SIZE)
    everything = {X: with_bias(data.scaled), y: data.target}
    history = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        start = time.perf_counter()
        for epoch in range(BATCH_EPOCHS):
            history.append((epoch, mse.eval(feed_dict=everything)))
            for index in range(batches):
                X_batch, y_batch = batch(data, epoch * batches + index)
                sess.run(training_op, feed_dict={X: X_batch, y: y_batch})
        seconds = time.perf_counter() - start
        return Fit(history, theta.eval(), seconds, sess.compiled(training_op).path)


# ---------------------------------------------------------------- the tables
def print_errors(fits: dict[str, Fit]) -> None:
    """Mean squared error by epoch, a column for each fit; the last line has the seconds."""
    print(f"{'epoch':>7}" + "".join(f"{name:>17}" for name in fits))
    for lines in zip(*(fit.history for fit in fits.values()), strict=True):
        print(f"{lines[0][0]:>7}" + "".join(f"{error!s:>17}" for _, error in lines))
    print(f"{'seconds':>7}" + "".join(f"{fit.seconds:>17.3f}" for fit in fits.values()) + "\n")


def print_thetas(thetas: dict[str, np.ndarray]) -> None:
    """Parameters, a column for each fit; single precision in its shortest form."""
    print("".join(f"{name:>17}" for name in thetas))
    for values in zip(*(theta.ravel() for theta in thetas.values()), strict=True):
        print("".join(f"{value!s:>17}" if value.dtype == np.float32 else f"{value:>17.8g}" for value in values))
    print()


def scikit_learn(features: np.ndarray, target: np.ndarray) -> np.ndarray:
    model = LinearRegression().fit(features, target)
    return np.r_[model.intercept_.reshape(-1, 1), model.coef_.T]


def main() -> None:
    data = load()
    print(f"{data.name}: {len(data.target)} rows, {data.features.shape[1]} features\n")

    print("Normal equation, features as they are\n")
    print_thetas({"symgraph": normal_equation(data), "scikit-learn": scikit_learn(data.features, data.target)})

    print(f"Gradient descent over all rows, features scaled: mean squared error (rate {RATE}, momentum {MOMENTUM})\n")
    fits = {name: full_batch(data, way) for name, way in FULL_BATCH.items()}
    print_errors(fits)

    print(f"Mini-batches of {BATCH_SIZE} rows: mean squared error over all rows\n")
    fits["mini-batches"] = mini_batches(data)
    print_errors({"mini-batches": fits["mini-batches"]})

    print("Theta, features scaled\n")
    print_thetas({name: fit.theta for name, fit in fits.items()} | {"scikit-learn": scikit_learn(data.scaled, data.target)})

    print("The training steps were compiled from these files:\n")
    for name, fit in fits.items():
        print(f"{name:>17}  {fit.source or 'held in memory: a GPU runs it, or no folder could be written'}")


if __name__ == "__main__":
    main()
