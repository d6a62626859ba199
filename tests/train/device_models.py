"""Whole models for devices: those of `loop_models`, and one of each kind of step that the table of operations has no row for.

Law of this file: data and sizes are tiny; `trained` is what a way of running makes of a model, and must not depend on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symgraph as sg
from symgraph import config
from tests.train import loop_models
from tests.train.loop_models import Model, rows
from tests.train.test_op_table import DEVICES

F32 = sg.float32


def _classified(logits: sg.Tensor, feeds: dict[sg.Tensor, np.ndarray], classes: int) -> Model:
    """Cross-entropy with labels that are fed, by Adam; what layers have to update is updated."""
    labels = sg.placeholder(sg.int32, (None,))
    loss = sg.reduce_mean(sg.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits), name="loss")
    with sg.control_dependencies(sg.get_collection(sg.GraphKeys.UPDATE_OPS)):
        step = sg.train.AdamOptimizer(0.05).minimize(loss)
    n = len(next(iter(feeds.values())))
    return Model(step, {"loss": loss}, {**feeds, labels: np.arange(n, dtype=np.int32) % classes})


def softmax() -> Model:
    x = sg.placeholder(F32, (None, 5))
    hidden = sg.layers.dense(x, 6, sg.tanh)
    return _classified(sg.layers.dense(sg.nn.dropout(hidden, 0.8, seed=2), 3), {x: rows(11, 5)}, 3)


def layered() -> Model:
    """Equal wide layers: their products and updates are functions that stand once."""
    x = hidden = sg.placeholder(F32, (7, 12))
    for _ in range(3):
        hidden = sg.layers.dense(hidden, 12, sg.nn.relu)
    return _classified(hidden, {x: rows(7, 12)}, 3)


def convolution() -> Model:
    x = sg.placeholder(F32, (None, 6, 6, 2))
    maps = sg.layers.max_pooling2d(sg.layers.conv2d(x, 3, 3, padding="same", activation=sg.nn.relu), 2, 2)
    maps = sg.layers.average_pooling2d(sg.layers.conv2d(maps, 4, 2), 2, 1)
    return _classified(sg.layers.dense(sg.layers.flatten(maps), 3), {x: rows(4, 6, 6, 2)}, 3)


def normalized() -> Model:
    x = sg.placeholder(F32, (None, 4))
    hidden = sg.layers.batch_normalization(sg.layers.dense(x, 5), training=True)
    return _classified(sg.layers.dense(sg.nn.elu(hidden), 2), {x: rows(9, 4)}, 2)


def recurrent() -> Model:
    x, lengths = sg.placeholder(F32, (None, 4, 3)), sg.placeholder(sg.int32, (None,))
    _, state = sg.nn.dynamic_rnn(sg.nn.rnn_cell.LSTMCell(4), x, lengths, dtype=F32)
    return _classified(sg.layers.dense(state.h, 3), {x: rows(5, 4, 3), lengths: np.array([4, 0, 2, 3, 4], np.int32)}, 3)


def gated() -> Model:
    x = sg.placeholder(F32, (None, 3, 2))
    outputs, _ = sg.nn.bidirectional_dynamic_rnn(sg.nn.rnn_cell.GRUCell(3), sg.nn.rnn_cell.GRUCell(3), x, dtype=F32)
    return _classified(sg.layers.dense(sg.concat(outputs, 2)[:, -1], 2), {x: rows(4, 3, 2)}, 2)


def _embedding(optimizer: Callable[[], Any]) -> Model:
    table, words = sg.Variable(rows(7, 3), name="table"), sg.placeholder(sg.int32, (None, 4))
    found = sg.reduce_mean(sg.nn.embedding_lookup(table, words), axis=1)
    loss = sg.reduce_sum(sg.square(found - 1.0), name="loss")
    feeds = {words: np.array([[0, 1, 1, 5], [5, 5, 2, 0], [6, 1, 0, 1]], np.int32)}
    return Model(optimizer().minimize(loss), {"loss": loss, "table": table}, feeds)


def sampled() -> Model:
    weights, biases = sg.Variable(rows(20, 4), name="weights"), sg.Variable(rows(20), name="biases")
    x, labels = sg.placeholder(F32, (None, 4)), sg.placeholder(sg.int64, (None, 1))
    loss = sg.reduce_mean(sg.nn.nce_loss(weights, biases, labels, x, 6, 20))
    loss = sg.add(loss, sg.reduce_mean(sg.nn.sampled_softmax_loss(weights, biases, labels, x, 6, 20)), name="loss")
    step = sg.train.GradientDescentOptimizer(0.01).minimize(loss)
    return Model(step, {"loss": loss}, {x: rows(5, 4, seed=3), labels: np.array([[3], [0], [19], [7], [7]], np.int64)})


def draws() -> Model:
    """Every kind of draw, and the same streams in each step."""
    sg.set_random_seed(5)
    w = sg.Variable(np.zeros(13, np.float32), name="w")
    record = {
        "uniform": sg.random_uniform([13], -1.0, 2.0),
        "double": sg.random_uniform([3], dtype=sg.float64),
        "whole": sg.random_uniform([9], -5, 90, dtype=sg.int32),
        "long": sg.random_uniform([9], -5, 90, dtype=sg.int64),
        "normal": sg.random_normal([7, 3], 1.0, 2.0),
        "truncated": sg.truncated_normal([13]),
        "gamma": sg.random_shuffle(sg.range(11)),
        "classes": sg.multinomial(sg.constant(rows(2, 4)), 5),
        "sampled": sg.nn.log_uniform_candidate_sampler(sg.constant([[1]], sg.int64), 1, 6, True, 20)[0],
    }
    return Model(sg.assign_add(w, sg.random_normal([13])), record)


def a_loop() -> Model:
    """A number of steps that values decide, and its derivative."""
    w = sg.Variable(0.7, name="w")
    _, y = sg.while_loop(lambda k, y: (k < 9) & (y < 4.0), lambda k, y: (k + 1, y * (1.0 + w)), (sg.constant(0), sg.constant(1.0)))
    loss = sg.square(y - 3.0, name="loss")
    return Model(sg.train.GradientDescentOptimizer(0.001).minimize(loss), {"loss": loss, "y": y})


def a_scan() -> Model:
    w, x = sg.Variable(rows(3), name="w"), sg.placeholder(F32, (None, 3))
    sums = sg.scan(lambda a, v: sg.tanh(a * w + v), x, sg.zeros([3]))
    loss = sg.reduce_sum(sg.square(sums)) + sg.foldl(lambda a, v: a * 0.5 + sg.reduce_sum(v * w), x, 0.0)
    return Model(sg.train.MomentumOptimizer(0.01, 0.9).minimize(loss), {"loss": loss, "last": sums[-1]}, {x: rows(6, 3)})


def arrays() -> Model:
    """Rows of a TensorArray: one a step, which makes a stack, and two, for which the whole is carried."""
    w, x = sg.Variable(rows(3), name="w"), sg.placeholder(F32, (5, 3))
    one = lambda i, a: (i + 1, a.write(i, sg.tanh(x[i] * w)))  # noqa: E731
    two = lambda i, a: (i + 1, a.write(2 * i, x[i] * w).write(2 * i + 1, sg.square(x[i])))  # noqa: E731
    stacks = [sg.while_loop(lambda i, _: i < 5, f, (0, sg.TensorArray(F32, n)))[1].stack() for f, n in ((one, 5), (two, 10))]
    loss = sg.add_n([sg.reduce_sum(sg.square(s)) for s in stacks])
    return Model(sg.train.GradientDescentOptimizer(0.01).minimize(loss), {"loss": loss, "rows": stacks[1]}, {x: rows(5, 3)})


def branches() -> Model:
    w, k = sg.Variable(rows(5), name="w"), sg.Variable(0, name="k")
    y = sg.cond(sg.equal(k % 2, 0), lambda: sg.reduce_sum(w * w), lambda: sg.reduce_max(sg.abs(w)))
    z = sg.case([(k < 1, lambda: y * 2.0), (k < 3, lambda: sg.reduce_mean(w))], default=lambda: sg.reduce_min(w))
    loss = sg.add(y, z, name="loss")
    with sg.control_dependencies([sg.train.GradientDescentOptimizer(0.1).minimize(loss)]):
        return Model(sg.assign_add(k, 1), {"loss": loss, "k": k})


def rows_of_variables() -> Model:
    v, at = sg.Variable(rows(5, 3), name="v"), sg.placeholder(sg.int32, (None,))
    w = sg.Variable(np.arange(12, dtype=np.int32).reshape(4, 3), name="w")
    with sg.control_dependencies([sg.scatter_add(v, at, sg.gather(v, at) * 0.5), sg.scatter_nd_add(w, [[1, 2], [1, 2]], [4, 5])]):
        step = sg.group(sg.scatter_sub(v, [4, 4], sg.ones([2, 3])), sg.scatter_update(w, [0], [[7, 8, 9]]))
    return Model(step, {"v": v, "w": w}, {at: np.array([1, 1, 3], np.int32)})


def normal_equation() -> Model:
    x, y = sg.placeholder(sg.float64, (None, 3)), sg.placeholder(sg.float64, (None, 1))
    theta = sg.Variable(np.zeros((3, 1)), dtype=sg.float64, name="theta")
    gram = sg.matmul(x, x, transpose_a=True)
    found = sg.matmul(sg.matrix_inverse(gram), sg.matmul(x, y, transpose_a=True))
    record = {"solved": sg.matrix_solve(gram, found), "root": sg.cholesky(gram), "logdet": sg.linalg.logdet(gram)}
    data = rows(9, 3).astype(np.float64)
    return Model(sg.assign(theta, theta * 0.5 + found), record, {x: data, y: data @ [[1.0], [2.0], [3.0]]})


def averages() -> Model:
    """Moving averages, clipped gradients and weights that decay."""
    model_x = sg.placeholder(F32, (None, 3))
    w = sg.Variable(rows(3, 2), name="w")
    loss = sg.add(sg.reduce_mean(sg.square(sg.matmul(model_x, w) - 1.0)), 0.1 * sg.nn.l2_loss(w), name="loss")
    optimizer, mean = sg.train.RMSPropOptimizer(0.05), sg.train.ExponentialMovingAverage(0.9)
    pairs = optimizer.compute_gradients(loss)
    clipped, norm = sg.clip_by_global_norm([g for g, _ in pairs], 0.5)
    with sg.control_dependencies([optimizer.apply_gradients([(g, v) for g, (_, v) in zip(clipped, pairs, strict=True)])]):
        return Model(mean.apply([w]), {"loss": loss, "norm": norm}, {model_x: rows(8, 3)})


ALONE = (softmax, layered, convolution, normalized, recurrent, gated, sampled, draws, a_loop, a_scan, arrays, branches, rows_of_variables)
SPARSE = {
    "GradientDescent": lambda: sg.train.GradientDescentOptimizer(0.1),
    "Momentum": lambda: sg.train.MomentumOptimizer(0.1, 0.9),
    "Adagrad": lambda: sg.train.AdagradOptimizer(0.1),
    "Adam": lambda: sg.train.AdamOptimizer(0.1),
    "LazyAdam": lambda: sg.contrib.opt.LazyAdamOptimizer(0.1),
    "Ftrl": lambda: sg.train.FtrlOptimizer(0.1),
}
MODELS: dict[str, Callable[[], Model]] = {
    **loop_models.MODELS,
    **{f.__name__: f for f in (*ALONE, normal_equation, averages)},
    **{f"embedding with {name}": (lambda make=make: _embedding(make)) for name, make in SPARSE.items()},
}


def trained(name: str) -> dict[str, np.ndarray]:
    """What two runs, a loop of steps that records, one of mini-batches, and the variables in the end say."""
    sg.reset_default_graph()
    sg.set_random_seed(1)
    model = MODELS[name]()
    found: dict[str, Any] = {}
    with sg.Session() as session:
        session.run(sg.global_variables_initializer())
        for k in range(2):
            session.run(model.step, model.feeds)
            found |= {f"{n} {k}": v for n, v in session.run(model.record, model.feeds).items()}
        history = session.run_loop(model.step, 5, model.feeds, record=model.record, every=2)
        assert config.get("SYMGRAPH_DEVICE") == "auto" or "/device:GPU" in history.explain(), history.explain()
        found |= {f"{n} of the loop": history[n] for n in model.record}
        if name in loop_models.BATCHED:
            history = session.run_loop(model.step, 5, model.feeds, sg.Minibatch(16, seed=3), record=model.record)
            found |= {f"{n} of mini-batches": history[n] for n in model.record}
        return found | {v.name: session.run(v) for v in sg.global_variables()}


def compare(name: str, way: str) -> None:
    """The model on a device against the interpreter."""
    with config.override(SYMGRAPH_BACKEND="reference"):
        wanted = trained(name)
    with config.override(**DEVICES[way]):
        found = trained(name)
    assert list(found) == list(wanted)
    for what, value in wanted.items():
        got = np.asarray(found[what])
        assert got.dtype == np.asarray(value).dtype
        if got.dtype.kind == "f":
            np.testing.assert_allclose(got, value, rtol=2e-4, atol=2e-5, err_msg=f"{name}: {what}")
        else:
            np.testing.assert_array_equal(got, value, err_msg=f"{name}: {what}")
