"""What it costs to log: 10,000 scalars into an event file, from fetched bytes to a closed file.

Law of this file: the answer is what TensorBoard's own reader finds in the file.  TensorFlow takes part where it is installed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np

import symgraph

from .call import tensorflow
from .timing import Side, Timing, compare

COUNT = 10_000


def _writing(tf: ModuleType, folder: str) -> Side:
    """Each run writes a file of its own; the answer is read from the newest one."""
    with tf.Graph().as_default(), tf.Session() as sess:
        summary = sess.run(tf.summary.scalar("loss", tf.constant(0.5)))
    runs: list[str] = []

    def run() -> None:
        runs.append(str(Path(folder) / f"run-{len(runs)}"))
        with tf.Graph().as_default(), tf.summary.FileWriter(runs[-1]) as writer:
            for step in range(COUNT):
                writer.add_summary(summary, step)

    def answer() -> np.ndarray:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(runs[-1], size_guidance={"scalars": 0}).Reload().Scalars("loss")
        return np.array([(e.step, e.value) for e in events])

    return Side("symgraph" if tf is symgraph else "TensorFlow", run, answer)


def scalars(quick: bool) -> list[Timing]:
    """10,000 scalars written to an event file: at most 1.5 s."""
    with tempfile.TemporaryDirectory() as folder:
        sides = [_writing(tf, f"{folder}/{k}") for k, tf in enumerate([symgraph, *filter(None, [tensorflow()])])]
        return compare(sides, rounds=2 if quick else 7, least=0.0)
