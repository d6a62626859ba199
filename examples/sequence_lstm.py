"""An LSTM remembers for as long as it must: sample and hold, which no net can do that sees only the last few steps.

At each step come a number from -1 to 1 and a switch.  At the end the number is wanted that came when the switch was on for
the last time, however long ago that was.  A net of dense layers that sees a window of steps cannot know it when the switch
was on before: the best that it could ever come to is printed for several windows, and the LSTM falls below all of them.

The sequences are of several lengths, so they are padded: past its length the state of a sequence stays as it is.  The LSTM
is tested with sequences that are twice as long as those it was trained on.

    python examples/sequence_lstm.py [--steps 500] [--units 24]

Source: long short-term memory, Hochreiter and Schmidhuber (1997).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import symgraph as tf

SEED = 42
BATCH = 50
LONGEST = 20
ON = 0.2
"""How often the switch is on."""
WINDOWS = (1, 4, 10)


@dataclass(frozen=True)
class Batch:
    """Inputs (rows, time, 2), lengths (rows,), what is wanted (rows,), and how many steps before the end that was (rows,)."""

    inputs: np.ndarray
    lengths: np.ndarray
    wanted: np.ndarray
    age: np.ndarray


def draw(rows: int, longest: int, generator: np.random.Generator) -> Batch:
    """Sequences from half of `longest` to it, padded with zeros; the switch of the first step is on."""
    lengths = generator.integers(longest // 2, longest + 1, rows, dtype=np.int32)
    there = np.arange(longest) < lengths[:, None]
    numbers = generator.uniform(-1, 1, (rows, longest)) * there
    switch = (generator.random((rows, longest)) < ON) & there
    switch[:, 0] = True
    last = np.max(np.where(switch, np.arange(longest), 0), axis=1)
    return Batch(np.stack([numbers, switch], axis=2), lengths, numbers[np.arange(rows), last], lengths - last)


def best_of_window(batch: Batch, window: int) -> float:
    """The squared error of a net that sees the last `window` steps: it says 0 when the switch was on before, and is right otherwise."""
    return float(np.mean(np.where(batch.age > window, batch.wanted**2, 0)))


def train(test: Batch, steps: int, units: int, generator: np.random.Generator) -> float:
    """The mean squared error of the LSTM on `test`, after `steps` batches of shorter sequences."""
    tf.reset_default_graph()
    tf.set_random_seed(SEED)
    X = tf.placeholder(tf.float32, shape=(None, None, 2), name="X")
    y = tf.placeholder(tf.float32, shape=(None,), name="y")
    lengths = tf.placeholder(tf.int32, shape=(None,), name="lengths")

    cell = tf.nn.rnn_cell.LSTMCell(units)
    _, state = tf.nn.dynamic_rnn(cell, X, sequence_length=lengths, dtype=tf.float32)
    said = tf.squeeze(tf.layers.dense(state.h, 1, name="outputs"), axis=1)
    error = tf.reduce_mean(tf.square(said - y))
    training_op = tf.train.AdamOptimizer(0.01).minimize(error)

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for k in range(1, steps + 1):
            batch = draw(BATCH, LONGEST, generator)
            sess.run(training_op, {X: batch.inputs, y: batch.wanted, lengths: batch.lengths})
            if k % (steps // 5) == 0:
                found = sess.run(error, {X: test.inputs, y: test.wanted, lengths: test.lengths})
                print(f"step {k:>4}: mean squared error {found:.5f}")
    return float(found)


def main(arguments: Sequence[str] | None = None) -> tuple[float, list[float]]:
    """The error of the LSTM, and the least ones of nets that see a window of steps."""
    parser = argparse.ArgumentParser(description="An LSTM learns to remember, which a net that sees a few steps cannot.")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--units", type=int, default=24, help="of the LSTM")
    options = parser.parse_args(arguments)

    generator = np.random.default_rng(SEED)
    test = draw(500, 2 * LONGEST, generator)
    print(f"trained on sequences of {LONGEST // 2} to {LONGEST} steps, tested with {LONGEST} to {2 * LONGEST}\n")
    found = train(test, options.steps, options.units, generator)
    least = [best_of_window(test, window) for window in WINDOWS]
    print("\nthe least error that a net could have which sees")
    for window, error in zip(WINDOWS, least, strict=True):
        print(f"{window:>8} steps: {error:.5f}")
    return found, least


if __name__ == "__main__":
    main()
