"""Two nets: 784-300-100-10 by plain descent, where matrix products decide, and 64-32-10 by Adam, where small steps do.

Law of this file: relu, softmax and cross-entropy with one-hot labels; 50 and 32 given rows a step.  The small net is
judged by its loss on all rows: Adam divides by tiny gradients, so float32 rounding moves single parameters visibly.
"""

from __future__ import annotations

import numpy as np

from .problem import Descent, Problem, Target, Workload, layers, pick


def large(rows: int = 10_000, batch: int = 50, steps: int = 200, thinner: int = 1) -> Problem:
    rng = np.random.default_rng(0)
    widths = [n // thinner for n in (784, 300, 100)]
    X = rng.random((rows, widths[0]), np.float32)
    y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, rows)]
    return Problem((X, y), layers(rng, (*widths, 10)), steps, Descent("GradientDescent", 0.01), pick(1, steps, batch, rows))


def digits(rows: int = 1797, batch: int = 32, steps: int = 2000) -> Problem:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X, y = (X[:rows] / 16).astype(np.float32), np.eye(10, dtype=np.float32)[y[:rows]]
    rng = np.random.default_rng(0)
    return Problem((X, y), layers(rng, (64, 32, 10)), steps, Descent("Adam", 0.001), pick(1, steps, batch, rows))


def graph(tf, parameters, data):
    hidden, labels = data
    for k in range(0, len(parameters) - 2, 2):
        hidden = tf.nn.relu(tf.matmul(hidden, parameters[k]) + parameters[k + 1])
    logits = tf.matmul(hidden, parameters[-2]) + parameters[-1]
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def jax(jax, parameters, data):
    hidden, labels = data
    for k in range(0, len(parameters) - 2, 2):
        hidden = jax.nn.relu(hidden @ parameters[k] + parameters[k + 1])
    logits = hidden @ parameters[-2] + parameters[-1]
    return -jax.numpy.mean(jax.numpy.sum(labels * jax.nn.log_softmax(logits), axis=1))


def torch(torch, parameters, data):
    hidden, labels = data
    for k in range(0, len(parameters) - 2, 2):
        hidden = torch.relu(torch.addmm(parameters[k + 1], hidden, parameters[k]))
    logits = torch.addmm(parameters[-1], hidden, parameters[-2])
    return torch.nn.functional.cross_entropy(logits, labels)


def pytensor(pytensor, parameters, data):
    pt = pytensor.tensor
    hidden, labels = data
    for k in range(0, len(parameters) - 2, 2):
        hidden = pt.maximum(hidden @ parameters[k] + parameters[k + 1], 0)
    logits = hidden @ parameters[-2] + parameters[-1]
    return -pt.mean(pt.sum(labels * pt.special.log_softmax(logits, axis=1), axis=1))


def losses(problem, parameters):
    """The mean loss over all rows, computed the same way for every side."""
    hidden, labels = problem.data
    for k in range(0, len(parameters) - 2, 2):
        hidden = np.maximum(hidden @ parameters[k] + parameters[k + 1], 0)
    logits = hidden @ parameters[-2] + parameters[-1]
    logits = logits - logits.max(1, keepdims=True)
    return [np.mean(np.log(np.exp(logits).sum(1)) - (labels * logits).sum(1))]


def numpy(problem, parameters):
    X, Y = problem.data
    batch, depth = problem.rows.shape[1], len(parameters) // 2
    flat, flat_change = np.empty((2, sum(p.size for p in parameters)), np.float32)
    views, changes = _views(flat, parameters), _views(flat_change, parameters)
    for view, p in zip(views, parameters):
        view[:] = p
    W, b, dW, db = views[::2], views[1::2], changes[::2], changes[1::2]
    outputs = [np.empty((batch, w.shape[1]), np.float32) for w in W]
    deltas = [np.empty_like(a) for a in outputs]
    masks = [np.empty(a.shape, bool) for a in outputs]
    x, y = np.empty((batch, X.shape[1]), np.float32), np.empty((batch, Y.shape[1]), np.float32)
    descend = _rule(problem.descent, flat, flat_change)
    for step in range(problem.steps):
        np.take(X, problem.rows[step], axis=0, out=x, mode="clip")
        np.take(Y, problem.rows[step], axis=0, out=y, mode="clip")
        inputs = [x, *outputs[:-1]]
        for k in range(depth):
            np.matmul(inputs[k], W[k], out=outputs[k])
            outputs[k] += b[k]
            if k < depth - 1:
                np.maximum(outputs[k], 0, out=outputs[k])
        delta, logits = deltas[-1], outputs[-1]
        logits -= logits.max(1, keepdims=True)
        np.exp(logits, out=delta)
        delta /= delta.sum(1, keepdims=True)
        delta -= y
        delta *= np.float32(1 / batch)
        for k in reversed(range(depth)):
            np.matmul(inputs[k].T, deltas[k], out=dW[k])
            np.sum(deltas[k], axis=0, out=db[k])
            if k:
                np.matmul(deltas[k], W[k].T, out=deltas[k - 1])
                np.greater(outputs[k - 1], 0, out=masks[k - 1])
                deltas[k - 1] *= masks[k - 1]
        descend(step)
    for view, p in zip(views, parameters):
        p[:] = view


def _views(flat, like):
    """Arrays of the shapes of `like` that lie one after the other in `flat`."""
    ends = np.cumsum([a.size for a in like])
    return [flat[end - a.size : end].reshape(a.shape) for a, end in zip(like, ends)]


def _rule(descent, flat, change):
    """The update of all parameters at once, in place."""
    if descent.kind == "GradientDescent":
        rate = np.float32(descent.rate)

        def plain(step):
            change.__imul__(rate)
            flat.__isub__(change)

        return plain
    m, v = np.zeros((2, flat.size), np.float32)
    scratch = np.empty_like(flat)

    def adam(step):
        np.subtract(change, m, out=scratch)
        scratch.__imul__(np.float32(1 - descent.beta1))
        m.__iadd__(scratch)
        np.square(change, out=scratch)
        scratch.__isub__(v)
        scratch.__imul__(np.float32(1 - descent.beta2))
        v.__iadd__(scratch)
        np.sqrt(v, out=scratch)
        scratch.__iadd__(np.float32(descent.epsilon))
        np.divide(m, scratch, out=scratch)
        scratch.__imul__(np.float32(descent.corrected(step)))
        flat.__isub__(scratch)

    return adam


LARGE = Workload(
    "mlp",
    "net 784-300-100-10, relu, softmax, plain descent, 200 steps of 50 of 10000 rows",
    large,
    {"rows": 100, "batch": 10, "steps": 5},
    graph,
    numpy,
    jax,
    torch,
    pytensor,
    targets=(Target("JAX", 1.8), Target("NumPy", 1.3)),
    rtol=1e-3,
    atol=1e-4,
)
DIGITS = Workload(
    "digits",
    "net 64-32-10, relu, softmax, Adam, 2000 steps of 32 of scikit-learn's 1797 digits",
    digits,
    {"rows": 100, "batch": 10, "steps": 20},
    graph,
    numpy,
    jax,
    torch,
    pytensor,
    targets=(Target("JAX", 2),),
    answer=losses,
    rtol=1e-2,
    atol=1e-3,
)
