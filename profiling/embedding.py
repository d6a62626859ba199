"""What a step costs that changes few rows of a large table: Adagrad on an embedding of 200,000 words.

Law of this file: a run is one step for each of the batches, whose words repeat, so that their gradients must add up; every
library gets its own sparse gradients (PyTorch: `sparse=True`).  A library that is not installed takes no part.
"""

from __future__ import annotations

import importlib.util
from types import ModuleType

import numpy as np

import symgraph

from .call import tensorflow
from .timing import Side, Timing, compare

WORDS, WIDTH, BATCH, BATCHES = 200_000, 64, 128, 50
RATE, FIRST = 0.1, 0.1
"""Adagrad's learning rate, and what its sums of squares begin with."""


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The table, the words of each batch, which fall off as those of a language do, and targets for what they look up."""
    rng = np.random.default_rng(0)
    table = rng.uniform(-0.1, 0.1, (WORDS, WIDTH)).astype(np.float32)
    ids = (WORDS ** rng.random((BATCHES, BATCH)) - 1).astype(np.int64)
    return table, ids, rng.standard_normal((BATCH, WIDTH)).astype(np.float32)


def session(tf: ModuleType) -> Side:
    """A session that does one step of a run per batch."""
    table, batches, target = problem()
    with tf.Graph().as_default():
        ids, y = tf.placeholder(tf.int64, [None]), tf.placeholder(tf.float32, [None, WIDTH])
        start = tf.placeholder(tf.float32, table.shape)
        embedding = tf.Variable(tf.zeros(table.shape))
        loss = tf.reduce_mean(tf.square(tf.nn.embedding_lookup(embedding, ids) - y))
        step = tf.train.AdagradOptimizer(RATE, FIRST).minimize(loss)
        looked, begin = tf.gather(embedding, np.unique(batches)), tf.assign(embedding, start)
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
        sess.run(begin.op, {start: table})

    def run() -> None:
        for words in batches:
            sess.run(step, {ids: words, y: target})

    return Side("symgraph" if tf is symgraph else "TensorFlow", run, lambda: sess.run(looked))


def torch() -> Side:
    """The same with PyTorch's sparse gradients."""
    import torch

    table, batches, target = problem()
    embedding = torch.nn.Embedding.from_pretrained(torch.from_numpy(table), freeze=False, sparse=True)
    optimizer = torch.optim.Adagrad(embedding.parameters(), RATE, initial_accumulator_value=FIRST)
    y, words = torch.from_numpy(target), torch.from_numpy(batches)

    def run() -> None:
        for ids in words:
            optimizer.zero_grad()
            (embedding(ids) - y).square().mean().backward()
            optimizer.step()

    return Side("PyTorch", run, lambda: embedding.weight.detach().numpy()[np.unique(batches)])


def adagrad(quick: bool) -> list[Timing]:
    """Fifty Adagrad steps of 128 words on a table of 200,000 x 64."""
    peers = [session(tf) for tf in filter(None, [tensorflow()])]
    peers += [torch()] if importlib.util.find_spec("torch") else []
    return compare([session(symgraph), *peers], rounds=3 if quick else 15, least=0.0 if quick else 0.05, rtol=1e-4, atol=1e-5)
