"""A generative adversarial net on the line: noise is bent until a judge cannot tell it from draws of a density with two peaks.

Two networks live in two variable scopes.  The judge is used twice, on what is true and on what is made, with the same
variables; each network has an optimizer of its own, which trains the variables of its scope and no others (`var_list`).

    python examples/gan.py [--steps 4000] [--batch 200]

Source: Goodfellow et al. (2014), with the generator's loss that they use in practice.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

import symgraph as tf

SEED = 42
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MANY = 10000


def target(count: int, generator: np.random.Generator) -> np.ndarray:
    """Draws (count, 1): three in ten around -2, the others around 1."""
    left = generator.random((count, 1)) < 0.3
    return np.where(left, -2.0, 1.0) + 0.5 * generator.standard_normal((count, 1))


def generator_net(noise: tf.Tensor) -> tf.Tensor:
    with tf.variable_scope("generator"):
        hidden = tf.layers.dense(noise, 32, tf.nn.relu, name="hidden1")
        hidden = tf.layers.dense(hidden, 32, tf.nn.relu, name="hidden2")
        return tf.layers.dense(hidden, 1, name="outputs")


def judge_net(x: tf.Tensor, reuse: bool = False) -> tf.Tensor:
    """Logits (rows, 1): above 0 where x is taken for true."""
    with tf.variable_scope("judge", reuse=reuse):
        hidden = tf.layers.dense(x, 32, tf.nn.leaky_relu, name="hidden1")
        hidden = tf.layers.dense(hidden, 32, tf.nn.leaky_relu, name="hidden2")
        return tf.layers.dense(hidden, 1, name="outputs")


def cross_entropy(logits: tf.Tensor, label: float) -> tf.Tensor:
    labels = label * tf.ones_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def distance(made: np.ndarray, true: np.ndarray) -> float:
    """The mean difference of the sorted values: how far one must be carried to become the other (Wasserstein)."""
    return float(np.mean(np.abs(np.sort(made, axis=0) - np.sort(true, axis=0))))


def train(steps: int, size: int) -> list[float]:
    """The distance to the target every tenth part of the steps, printed with mean and quantiles."""
    tf.reset_default_graph()
    tf.set_random_seed(SEED)
    x = tf.placeholder(tf.float32, shape=(None, 1), name="x")
    noise = tf.random_normal([tf.shape(x)[0], 2], name="noise")
    made = generator_net(noise)
    true_logits, made_logits = judge_net(x), judge_net(made, reuse=True)
    judge_loss = cross_entropy(true_logits, 1.0) + cross_entropy(made_logits, 0.0)
    generator_loss = cross_entropy(made_logits, 1.0)

    variables = {scope: tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope) for scope in ("judge", "generator")}
    step = tf.train.get_or_create_global_step()
    rate = tf.train.polynomial_decay(0.002, step, steps, end_learning_rate=0.0)
    judge_op = tf.train.AdamOptimizer(rate, beta1=0.5).minimize(judge_loss, var_list=variables["judge"])
    generator_op = tf.train.AdamOptimizer(rate, beta1=0.5).minimize(generator_loss, step, var_list=variables["generator"])

    draws = np.random.default_rng(SEED)
    true = target(MANY, draws)
    distances = []

    def tell(name: str, values: np.ndarray) -> None:
        print(f"{name:>8}{values.mean():>8.2f}", *(f"{q:>7.2f}" for q in np.quantile(values, QUANTILES)), end="")

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        print(f"{'step':>8}{'mean':>8}", *(f"{q:>7.0%}" for q in QUANTILES), f"{'distance':>10}")
        for k in range(steps + 1):
            if k % (steps // 10) == 0:
                values = sess.run(made, {x: true})
                distances.append(distance(values, true))
                tell(str(k), values)
                print(f"{distances[-1]:>11.3f}")
            batch = target(size, draws)
            sess.run(judge_op, {x: batch})
            sess.run(generator_op, {x: batch})
    tell("target", true)
    print()
    return distances


def main(arguments: Sequence[str] | None = None) -> list[float]:
    parser = argparse.ArgumentParser(description="A generative adversarial net that learns a density with two peaks.")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=200, help="draws in a batch")
    options = parser.parse_args(arguments)
    return train(options.steps, options.batch)


if __name__ == "__main__":
    main()
