"""Word vectors from the text of Python's own reference manual, the one that `help()` reads: words that stand in like company
come to lie side by side.

A skip-gram model: the vector of a word is to tell its neighbours from words drawn at random (`tf.nn.nce_loss`), so that a step
touches the rows of a batch and of a few drawn words only, not all of the vocabulary.

    python examples/word2vec.py [--steps 15000] [--size 48]

Source: Mikolov et al. (2013); noise-contrastive estimation, Gutmann and Hyvärinen (2010).
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pydoc_data.topics import topics

import numpy as np

import symgraph as tf

SEED = 42
BATCH = 256
WINDOW = 4
DRAWN = 64
LEAST = 10
"""How often a word must occur to have a vector."""

PAIRS = [
    ("true", "false"),
    ("left", "right"),
    ("list", "tuple"),
    ("class", "instance"),
    ("bytes", "string"),
    ("integer", "float"),
    ("method", "function"),
    ("try", "except"),
    ("import", "module"),
    ("set", "dictionary"),
    ("positional", "keyword"),
    ("global", "nonlocal"),
]
"""Words that anybody who knows Python would put side by side."""


def read() -> tuple[list[str], np.ndarray]:
    """The vocabulary, most frequent words first, and the text as numbers of words, rarer words left out."""
    words = re.findall(r"[a-z]+", " ".join(topics[name] for name in sorted(topics)).lower())
    counts = Counter(words)
    vocabulary = sorted((word for word in counts if counts[word] >= LEAST), key=lambda word: (-counts[word], word))
    number = {word: k for k, word in enumerate(vocabulary)}
    return vocabulary, np.array([number[word] for word in words if word in number])


def skip_grams(text: np.ndarray, seed: int = SEED) -> np.ndarray:
    """Pairs (m, 2) of a word and one that stands at most `WINDOW` words away; of frequent words most occurrences are skipped."""
    generator = np.random.default_rng(seed)
    share = np.bincount(text)[text] / len(text)
    kept = text[generator.random(len(text)) < np.sqrt(1e-3 / share)]
    pairs = [np.c_[kept[:-k], kept[k:]] for k in range(1, WINDOW + 1)]
    return generator.permutation(np.concatenate([*pairs, *(pair[:, ::-1] for pair in pairs)]))


def train(pairs: np.ndarray, words: int, size: int, steps: int) -> tuple[float, float, np.ndarray]:
    """The loss over the first and the last tenth of the steps, and the vectors (words, size), each of length 1."""
    tf.reset_default_graph()
    tf.set_random_seed(SEED)
    centre = tf.placeholder(tf.int32, shape=(None,), name="centre")
    company = tf.placeholder(tf.int32, shape=(None, 1), name="company")
    with tf.name_scope("vectors"):
        table = tf.Variable(tf.random_uniform([words, size], -0.5, 0.5), name="table")
        vectors = tf.nn.embedding_lookup(table, centre)
        unit = tf.nn.l2_normalize(table, 1)
    with tf.name_scope("noise_contrastive"):
        weights = tf.Variable(tf.truncated_normal([words, size], stddev=size**-0.5), name="weights")
        biases = tf.Variable(tf.zeros([words]), name="biases")
        loss = tf.reduce_mean(tf.nn.nce_loss(weights, biases, company, vectors, num_sampled=DRAWN, num_classes=words))
    with tf.name_scope("train"):
        training_op = tf.train.AdagradOptimizer(0.5).minimize(loss)

    losses = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for k in range(steps):
            batch = np.take(pairs, range(k * BATCH, (k + 1) * BATCH), axis=0, mode="wrap")
            losses.append(sess.run([training_op, loss], {centre: batch[:, 0], company: batch[:, 1:]})[1])
            if k % (steps // 5) == steps // 5 - 1:
                print(f"step {k + 1:>6}: loss {np.mean(losses[-steps // 10 :]):.3f}")
        return float(np.mean(losses[: steps // 10])), float(np.mean(losses[-(steps // 10) :])), sess.run(unit)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """The losses, and where the second word of a pair stands among the neighbours of the first, the median, by chance as well."""
    parser = argparse.ArgumentParser(description="Word vectors from Python's reference manual.")
    parser.add_argument("--steps", type=int, default=15000)
    parser.add_argument("--size", type=int, default=48, help="numbers in a vector")
    options = parser.parse_args(arguments)

    vocabulary, text = read()
    pairs = skip_grams(text)
    print(f"{len(text)} words, {len(vocabulary)} different ones, {len(pairs)} pairs\n")
    first, last, vectors = train(pairs, len(vocabulary), options.size, options.steps)
    print()
    number = {word: k for k, word in enumerate(vocabulary)}
    ranks = []
    for word, other in PAIRS:
        near = np.argsort(-vectors @ vectors[number[word]], kind="stable")[1:]
        ranks.append(int(np.flatnonzero(near == number[other])[0]) + 1)
        print(f"{word:>12}: {', '.join(vocabulary[k] for k in near[:6])}")
    print("\nWhere the word that one would think of stands among the neighbours:\n")
    print(", ".join(f"{word} - {other} {rank}" for (word, other), rank in zip(PAIRS, ranks, strict=True)))
    print(f"\nmedian {np.median(ranks):g}, by chance {len(vocabulary) // 2}")
    return {"first": first, "last": last, "rank": float(np.median(ranks)), "chance": len(vocabulary) / 2}


if __name__ == "__main__":
    main()
