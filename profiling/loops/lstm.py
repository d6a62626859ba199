"""An LSTM of 128 units over 28 steps of 28 numbers, its last output classified: as a loop, and unrolled.

Law of this file: gates i, j, f, o in the columns of one kernel, a forget bias of 1, softmax and cross-entropy with one-hot
labels, plain descent, 64 given rows a step.  TensorFlow and we run the same cell by `tf.nn.dynamic_rnn`, or written out 28
times; JAX scans; PyTorch has its own kernel for LSTMs, given the same weights in its order of gates.  PyTensor takes no
part: it compiles for minutes.
"""

from __future__ import annotations

import numpy as np

from .problem import Descent, Problem, Target, Workload, layers, pick


def problem(rows: int = 2000, steps: int = 20, batch: int = 64, length: int = 28, width: int = 28, units: int = 128) -> Problem:
    rng = np.random.default_rng(0)
    X = rng.random((rows, length, width), np.float32)
    y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, rows)]
    kernel, bias = layers(rng, (width + units, 4 * units), gain=1.0)
    return Problem((X, y), (kernel, bias, *layers(rng, (units, 10))), steps, Descent("GradientDescent", 0.1), pick(1, steps, batch, rows))


class Cell:
    """What `tf.nn.dynamic_rnn` asks of a cell, over given weights."""

    def __init__(self, tf, kernel, bias):
        self.tf, self.kernel, self.bias = tf, kernel, bias
        self.output_size = int(kernel.shape[1]) // 4
        self.state_size = (self.output_size, self.output_size)

    def zero_state(self, batch, dtype):
        return tuple(self.tf.zeros([batch, n], dtype) for n in self.state_size)

    def __call__(self, x, state, scope=None):
        tf, (c, h) = self.tf, state
        i, j, f, o = tf.split(tf.matmul(tf.concat([x, h], 1), self.kernel) + self.bias, 4, axis=1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(j)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, (c, h)


def graph(tf, parameters, data):
    X, labels = data
    _, (_, h) = tf.nn.dynamic_rnn(Cell(tf, *parameters[:2]), X, dtype=tf.float32)
    return _loss(tf, h, parameters, labels)


def unrolled(tf, parameters, data):
    X, labels = data
    cell = Cell(tf, *parameters[:2])
    state = cell.zero_state(tf.shape(X)[0], tf.float32)
    for x in tf.unstack(X, axis=1):
        h, state = cell(x, state)
    return _loss(tf, h, parameters, labels)


def _loss(tf, h, parameters, labels):
    logits = tf.matmul(h, parameters[2]) + parameters[3]
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def jax(jax, parameters, data):
    kernel, bias, W, b = parameters
    X, labels = data
    np_, sigmoid = jax.numpy, jax.nn.sigmoid

    def step(state, x):
        c, h = state
        i, j, f, o = np_.split(np_.concatenate([x, h], 1) @ kernel + bias, 4, 1)
        c = sigmoid(f + 1.0) * c + sigmoid(i) * np_.tanh(j)
        return (c, sigmoid(o) * np_.tanh(c)), None

    zeros = np_.zeros((X.shape[0], W.shape[0]), X.dtype)
    (_, h), _ = jax.lax.scan(step, (zeros, zeros), X.swapaxes(0, 1))
    return -np_.mean(np_.sum(labels * jax.nn.log_softmax(h @ W + b), axis=1))


def torch(torch, parameters, data):
    kernel, bias, W, b = parameters
    X, labels = data
    units, width = W.shape[0], X.shape[2]
    i, j, f, o = kernel.chunk(4, 1)
    ordered = torch.cat([i, f, j, o], 1)
    i, j, f, o = bias.chunk(4)
    weights = [ordered[:width].t().contiguous(), ordered[width:].t().contiguous(), torch.cat([i, f + 1.0, j, o]), torch.zeros(4 * units)]
    state = torch.zeros((2, 1, X.shape[0], units))
    _, h, _ = torch._VF.lstm(X, (state[0], state[1]), weights, True, 1, 0.0, True, False, True)
    return torch.nn.functional.cross_entropy(torch.addmm(b, h[0], W), labels)


def numpy(problem, parameters):
    X, Y = problem.data
    kernel, bias, W, b = parameters
    rate = np.float32(problem.descent.rate)
    for rows in problem.rows:
        x, y = X[rows], Y[rows]
        count, length, width = x.shape
        units = W.shape[0]
        joined = np.zeros((length, count, width + units), np.float32)
        gates = np.empty((length, count, 4, units), np.float32)
        cells = np.zeros((length + 1, count, units), np.float32)
        tanhs = np.empty((length, count, units), np.float32)
        h = np.zeros((count, units), np.float32)
        for t in range(length):
            joined[t, :, :width], joined[t, :, width:] = x[:, t], h
            g = gates[t]
            g[:] = (joined[t] @ kernel + bias).reshape(count, 4, units)
            g[:, 2] += 1
            g[:, 1] = np.tanh(g[:, 1])
            for k in (0, 2, 3):
                g[:, k] = 1 / (1 + np.exp(-g[:, k]))
            cells[t + 1] = g[:, 2] * cells[t] + g[:, 0] * g[:, 1]
            tanhs[t] = np.tanh(cells[t + 1])
            h = g[:, 3] * tanhs[t]
        logits = h @ W + b
        logits -= logits.max(1, keepdims=True)
        delta = np.exp(logits)
        delta /= delta.sum(1, keepdims=True)
        delta -= y
        delta *= np.float32(1 / count)
        dW, db, dh = h.T @ delta, delta.sum(0), delta @ W.T
        dc = np.zeros((count, units), np.float32)
        for t in reversed(range(length)):
            g = gates[t]
            dc += dh * g[:, 3] * (1 - tanhs[t] ** 2)
            i, j, f, o = (g[:, k].copy() for k in range(4))
            g[:, 0] = dc * j * i * (1 - i)
            g[:, 1] = dc * i * (1 - j**2)
            g[:, 2] = dc * cells[t] * f * (1 - f)
            g[:, 3] = dh * tanhs[t] * o * (1 - o)
            dc *= f
            dh = g.reshape(count, 4 * units) @ kernel[width:].T
        flat = gates.reshape(length * count, 4 * units)
        for p, change in zip(parameters, (joined.reshape(length * count, -1).T @ flat, flat.sum(0), dW, db)):
            p -= rate * change


TINY = {"rows": 100, "steps": 3, "batch": 8, "length": 5, "width": 6, "units": 8}
LSTM = Workload(
    "lstm",
    "LSTM of 128 units over 28 steps of 28, softmax, plain descent, 20 steps of 64 of 2000 rows",
    problem,
    TINY,
    graph,
    numpy,
    jax,
    torch,
    None,
    targets=(Target("TensorFlow", 1), Target("PyTorch", 1)),
    more=("symgraph, a run per step",),
    rtol=1e-3,
    atol=1e-4,
)
UNROLLED = Workload(
    "lstm-unrolled",
    "the same with its 28 steps written out",
    problem,
    TINY,
    unrolled,
    numpy,
    jax,
    torch,
    None,
    targets=(Target("TensorFlow", 1), Target("PyTorch", 1)),
    more=("symgraph, a run per step",),
    rtol=1e-3,
    atol=1e-4,
)
