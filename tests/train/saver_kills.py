"""A process that saves in a loop is killed, again and again; what it leaves is held against what it wrote.

Law of this file: it is run by test_saver_damage.py as a program of its own, `python saver_kills.py FOLDER KILLS SEED`, so that
it can fork without threads.  Round k of a child writes a graph whose constant `marker` is k and variables that are all
k, under one path, so that values and graph of different rounds cannot pass for one another.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import time
from itertools import count

import numpy as np

import symgraph as tf

logging.getLogger("symgraph.tf").setLevel(logging.WARNING)
SHAPES = ((300, 400), (7,), ())


def program(k: int) -> tuple[tf.Graph, tf.Session, tf.train.Saver]:
    """A session whose variables are all k, in a graph that says so."""
    graph = tf.Graph()
    with graph.as_default():
        tf.constant(k, name="marker")
        variables = [tf.Variable(np.zeros(s, np.float32), name=f"v{i}") for i, s in enumerate(SHAPES)]
        noise = tf.random_uniform([2], name="noise")
        sess, saver = tf.Session(), tf.train.Saver(max_to_keep=1)
        for v in variables:
            v.load(np.full(v.shape.as_list(), k, np.float32), sess)
        sess.run(noise)
    return graph, sess, saver


def save_until_killed(path: str, start: int, ready: int) -> None:
    """Rounds from `start` on; a byte to the pipe `ready` when the first is about to be saved."""
    for k in count(start):
        graph, sess, saver = program(k)
        if k == start:
            os.write(ready, b"!")
        with graph.as_default():
            saver.save(sess, path)


def found(path: str) -> int:
    """The round whose checkpoint lies there; an AssertionError if it is of two rounds."""
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        saver = tf.train.import_meta_graph(path + ".meta")
        saver.restore(sess, path)
        k = int(sess.run("marker:0"))
        for v in tf.global_variables():
            assert (np.asarray(sess.run(v)) == k).all(), f"the graph is of round {k}, {v.name} is not"
        assert graph.get_operation_by_name("noise")
    assert tf.train.latest_checkpoint(os.path.dirname(path)) == path
    return k


def main() -> None:
    folder, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    path = os.path.join(folder, "model.ckpt")
    graph, sess, saver = program(0)
    with graph.as_default():
        saver.save(sess, path)
    rng = random.Random(seed)
    last, advanced, leftovers = found(path), 0, 0
    heard, ready = os.pipe()
    patience = 0.01  # grows and shrinks until about half of the children complete a round
    for _ in range(kills):
        child = os.fork()
        if not child:
            try:
                save_until_killed(path, last + 1, ready)
            finally:
                os._exit(1)
        os.read(heard, 1)
        time.sleep(rng.uniform(0, patience))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        now = found(path)
        assert now >= last, f"round {last} was complete, then round {now} lay there"
        advanced += now > last
        patience *= 0.9 if now > last else 1.1
        leftovers += len(set(os.listdir(folder)) - {"checkpoint", "model.ckpt.meta", "model.ckpt.safetensors"}) > 0
        last = now
    graph, sess, saver = program(last + 1)
    with graph.as_default():
        saver.save(sess, path)
    assert found(path) == last + 1
    assert sorted(os.listdir(folder)) == ["checkpoint", "model.ckpt.meta", "model.ckpt.safetensors"], os.listdir(folder)
    print(f"{kills} kills, {advanced} found a newer checkpoint, {leftovers} left unfinished files, {last} rounds")


if __name__ == "__main__":
    main()
