"""What a user waits for in a fresh process: the import, and the first training step, cold and warm.

Law of this file: each sample is a process of its own; its script prints seconds as JSON, so the interpreter's start is
never counted and imports only where they are the question.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .timing import Timing, timings

ROOT = Path(__file__).resolve().parent.parent

IMPORT = """
import json, sys, time
start = time.perf_counter()
import {module}
print(json.dumps({{"seconds": time.perf_counter() - start, "numba": "numba" in sys.modules}}))
"""

FIRST_STEP = """
import json, time
import numpy as np
import numba, scipy.linalg, sympy
import symgraph as tf
import symgraph.codegen

rng = np.random.default_rng(0)
data, target = rng.standard_normal((20640, 9)), rng.standard_normal((20640, 1))
start = time.perf_counter()
tf.reset_default_graph()
tf.set_random_seed(42)
X = tf.constant(data, dtype=tf.float32, name="X")
y = tf.constant(target, dtype=tf.float32, name="y")
theta = tf.Variable(tf.random_uniform([9, 1], -1.0, 1.0, seed=42), name="theta")
mse = tf.reduce_mean(tf.square(tf.matmul(X, theta) - y), name="mse")
step = tf.train.GradientDescentOptimizer(0.01).minimize(mse)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    sess.run(step)
print(json.dumps({"seconds": time.perf_counter() - start}))
"""


def _ask(script: str, **environment: str) -> dict:
    """Run a script in a new interpreter and read the JSON that it prints last."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def imports(quick: bool) -> list[Timing]:
    """`import symgraph` beside the two packages it cannot do without; it must not load Numba."""
    modules = ["symgraph", "sympy", "numpy"]
    samples: list[list[float]] = [[] for _ in modules]
    for _ in range(3 if quick else 9):
        for k, module in enumerate(modules):
            answer = _ask(IMPORT.format(module=module))
            assert not answer["numba"], f"import {module} loads Numba"
            samples[k].append(answer["seconds"])
    return timings(modules, samples)


def first_step(quick: bool) -> list[Timing]:
    """Graph, gradient, compilation and one step of the chapter's linear regression; imports are not counted."""
    names = ["cold cache", "warm cache"]
    samples: list[list[float]] = [[], []]
    for _ in range(2 if quick else 5):
        with tempfile.TemporaryDirectory() as cache:
            for mine in samples:  # the first process fills the cache that the second one finds
                mine.append(_ask(FIRST_STEP, SYMGRAPH_CACHE_DIR=cache, SYMGRAPH_CHECK="0")["seconds"])
    return timings(names, samples)
