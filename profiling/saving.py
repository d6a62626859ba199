"""What saving and restoring costs, against the disk that it is saved to.

Law of this file: 100 MB of variables; the first side writes the same bytes to a file beside the checkpoints and waits
for the disk, with no checkpoint around them.  The target is a ratio of at most 2 (half of the disk's speed).
"""

from __future__ import annotations

import logging
import os
import tempfile

import numpy as np

import symgraph as tf

from .timing import Side, Timing, compare

COUNT, ROWS = 10, 2_500_000


def hundred_megabytes(quick: bool) -> list[Timing]:
    """A checkpoint of 100 MB, written and read, against the disk's own speed."""
    rng = np.random.default_rng(0)
    values = [rng.random(ROWS, np.float32) for _ in range(COUNT)]
    log = logging.getLogger("symgraph.tf")
    level = log.level
    with tempfile.TemporaryDirectory(prefix="symgraph_saving_", dir=os.environ.get("SYMGRAPH_SAVING_FOLDER")) as folder:
        with tf.Graph().as_default(), tf.Session() as sess:
            variables = [tf.Variable(np.zeros(ROWS, np.float32), name=f"v{k}") for k in range(COUNT)]
            for v, value in zip(variables, values, strict=True):
                v.load(value, sess)
            saver = tf.train.Saver()
            path, plain = os.path.join(folder, "model"), os.path.join(folder, "plain")
            saver.save(sess, path)

            def write() -> None:
                with open(plain, "wb") as f:
                    for value in values:
                        f.write(value.data)
                    f.flush()
                    os.fsync(f.fileno())

            def restore_elsewhere() -> None:
                with tf.Session() as fresh:
                    saver.restore(fresh, path)

            sides = [
                Side("plain write and fsync", write),
                Side("Saver.save", lambda: saver.save(sess, path), lambda: None),
                Side("Saver.restore", lambda: saver.restore(sess, path)),
                Side("Saver.restore, new session", restore_elsewhere),
            ]
            log.setLevel(logging.WARNING)
            try:
                return compare(sides, rounds=3 if quick else 11, least=0.05 if quick else 0.2)
            finally:
                log.setLevel(level)
