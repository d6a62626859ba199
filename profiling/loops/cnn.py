"""The convolutional net of every tutorial: 28 x 28 images, 5 x 5 windows to 32 and to 64 channels, each with relu and a 2 x 2
maximum, then 128 units and 10 classes, by Adam on 64 given images a step.

Law of this file: it is judged by its loss on the first images; Adam divides by tiny gradients, so float32 rounding moves single
parameters visibly.  NumPy has no convolution, and PyTensor's is left out: they have no side here.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .problem import Descent, Problem, Target, Workload, layers, pick

SIDE, CHANNELS, UNITS = 28, (1, 32, 64), 128
JUDGED = 32


def problem(rows: int = 1024, batch: int = 64, steps: int = 20) -> Problem:
    rng = np.random.default_rng(0)
    X = rng.random((rows, SIDE, SIDE, 1), np.float32)
    y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, rows)]
    filters = []
    for a, b in pairwise(CHANNELS):
        filters += [(rng.standard_normal((5, 5, a, b)) * (2 / (25 * a)) ** 0.5).astype(np.float32), np.zeros(b, np.float32)]
    start = (*filters, *layers(rng, ((SIDE // 4) ** 2 * CHANNELS[-1], UNITS, 10)))
    return Problem((X, y), start, steps, Descent("Adam", 0.001), pick(1, steps, batch, rows))


def graph(tf, parameters, data):
    hidden, labels = data
    for k in (0, 2):
        hidden = tf.nn.relu(tf.nn.conv2d(hidden, parameters[k], [1, 1, 1, 1], "SAME") + parameters[k + 1])
        hidden = tf.nn.max_pool(hidden, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    hidden = tf.reshape(hidden, [-1, parameters[4].shape.as_list()[0]])
    hidden = tf.nn.relu(tf.matmul(hidden, parameters[4]) + parameters[5])
    logits = tf.matmul(hidden, parameters[6]) + parameters[7]
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def jax(jax, parameters, data):
    hidden, labels = data
    for k in (0, 2):
        layout = ("NHWC", "HWIO", "NHWC")
        hidden = jax.lax.conv_general_dilated(hidden, parameters[k], (1, 1), "SAME", dimension_numbers=layout)
        hidden = jax.nn.relu(hidden + parameters[k + 1])
        hidden = jax.lax.reduce_window(hidden, -jax.numpy.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")
    hidden = jax.nn.relu(hidden.reshape(len(labels), -1) @ parameters[4] + parameters[5])
    logits = hidden @ parameters[6] + parameters[7]
    return -jax.numpy.mean(jax.numpy.sum(labels * jax.nn.log_softmax(logits), axis=1))


def torch(torch, parameters, data):
    """Channels first, as PyTorch has them; the images are the same memory, as they have one channel."""
    images, labels = data
    hidden = images.permute(0, 3, 1, 2)
    for k in (0, 2):
        hidden = torch.nn.functional.conv2d(hidden, parameters[k].permute(3, 2, 0, 1), parameters[k + 1], padding=2)
        hidden = torch.nn.functional.max_pool2d(torch.relu(hidden), 2)
    hidden = hidden.permute(0, 2, 3, 1).reshape(len(labels), -1)
    hidden = torch.relu(torch.addmm(parameters[5], hidden, parameters[4]))
    return torch.nn.functional.cross_entropy(torch.addmm(parameters[7], hidden, parameters[6]), labels)


def losses(problem, parameters):
    """The mean loss over the first images, computed the same way for every side."""
    hidden, labels = (a[:JUDGED] for a in problem.data)
    for k in (0, 2):
        patches = np.lib.stride_tricks.sliding_window_view(np.pad(hidden, ((0, 0), (2, 2), (2, 2), (0, 0))), (5, 5), (1, 2))
        hidden = np.maximum(np.tensordot(patches, parameters[k], ((4, 5, 3), (0, 1, 2))) + parameters[k + 1], 0)
        b, h, w, c = hidden.shape
        hidden = hidden.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))
    hidden = np.maximum(hidden.reshape(len(labels), -1) @ parameters[4] + parameters[5], 0)
    logits = hidden @ parameters[6] + parameters[7]
    logits = logits - logits.max(1, keepdims=True)
    return [np.mean(np.log(np.exp(logits).sum(1)) - (labels * logits).sum(1))]


CNN = Workload(
    "cnn",
    "two 5 x 5 convolutions to 32 and 64 channels, maxima, 128 units, Adam, 20 steps of 64 of 1024 images of 28 x 28",
    problem,
    {"rows": 40, "batch": 4, "steps": 2},
    graph,
    None,
    jax,
    torch,
    None,
    targets=(Target("TensorFlow", 1), Target("PyTorch", 1)),
    more=("symgraph, a run per step",),
    answer=losses,
    rtol=1e-2,
    atol=1e-3,
)
