"""Networks, unrolled and as loops: values and derivatives are TensorFlow's, and so are names and counts of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as tf
from tests.graph.rnn_cases import CELLS, LENGTHS, TENSORFLOW, X, basic_step, formula, values, weighed, weights

cell = tf.nn.rnn_cell
UNROLLED = {"dynamic": "static", "both": "both static"}


# ---------------------------------------------------------------- values
@pytest.mark.parametrize(("how", "name", "masked"), TENSORFLOW)
def test_values_and_derivatives_are_tensorflows(how: str, name: str, masked: bool) -> None:
    found = values(how, name, masked)
    np.testing.assert_allclose(list(map(weighed, found)), TENSORFLOW[how, name, masked], rtol=2e-5, atol=2e-5)
    for a, b in zip(found, values(UNROLLED[how], name, True) if masked else (), strict=masked):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("shape", [(3, 4, 2), (None, None, 2), (3, None, 2)])
def test_sizes_may_be_unknown(shape: Any) -> None:
    for how in ("dynamic", "both"):
        for a, b in zip(values(how, "basic lstm", True, shape), values(how, "basic lstm", True), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)


def test_past_its_length_a_row_is_zero_and_its_state_stays() -> None:
    x, n = tf.placeholder(tf.float32, [None, None, 2]), tf.placeholder(tf.int64, [None])
    start = tf.placeholder(tf.float32, [None, 3])
    outputs, state = tf.nn.dynamic_rnn(cell.BasicRNNCell(3), x, sequence_length=n, initial_state=start)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(weights())
        h = wanted = np.cos(np.arange(9)).reshape(3, 3).astype(np.float32)
        got, last = session.run([outputs, state], {x: X, n: LENGTHS, start: h})
        np.testing.assert_array_equal(last[1], h[1])
        assert not got[1].any() and not got[2, 2:].any()
        np.testing.assert_array_equal(last[2], got[2, 1])
        for k in range(4):
            wanted = basic_step(X[:, k], wanted, formula(0, [5, 3]), formula(1, [3]))
        np.testing.assert_allclose(last[0], wanted[0], rtol=1e-5, atol=1e-6)
        again, _ = session.run([outputs, state], {x: np.repeat(X, 3, 1), n: [0, 0, 0], start: h})  # no step at all
        assert again.shape == (3, 12, 3) and not again.any()


def test_time_first() -> None:
    x = tf.placeholder(tf.float32, [None, None, 2])
    outputs, state = tf.nn.dynamic_rnn(cell.GRUCell(3), tf.transpose(x, [1, 0, 2]), dtype=tf.float32, time_major=True)
    with tf.variable_scope("", reuse=True):
        usual, same = tf.nn.dynamic_rnn(cell.GRUCell(3), x, dtype=tf.float32)
    (forth, back), _ = tf.nn.bidirectional_dynamic_rnn(
        cell.GRUCell(3), cell.GRUCell(3), tf.transpose(x, [1, 0, 2]), sequence_length=LENGTHS, dtype=tf.float32, time_major=True
    )
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        a, b, c, d, f, r = session.run([outputs, usual, state, same, forth, back], {x: X})
    np.testing.assert_allclose(a, b.transpose(1, 0, 2), rtol=1e-6)
    np.testing.assert_allclose(c, d, rtol=1e-6)
    assert f.shape == r.shape == (4, 3, 3)
    assert not r[:, 1].any() and not r[2:, 2].any() and r[1, 2].any()


def test_inputs_and_outputs_may_be_structures() -> None:
    class Pair(cell.RNNCell):
        state_size, output_size = {"sum": 2}, (2, 1)

        def call(self, inputs: Any, state: Any) -> Any:
            total = state["sum"] + inputs["a"] * inputs["b"]
            return (total, tf.reduce_sum(total, 1, keepdims=True)), {"sum": total}

    x = tf.placeholder(tf.float32, [None, None, 2])
    (sums, totals), state = tf.nn.dynamic_rnn(Pair(), {"a": x, "b": 2 * x}, dtype=tf.float32, sequence_length=LENGTHS)
    with tf.Session() as session:
        a, b, c = session.run([sums, totals, state["sum"]], {x: X})
    inside = np.arange(4) < LENGTHS[:, None]
    wanted = np.cumsum(2 * X * X, 1)
    np.testing.assert_allclose(a, wanted * inside[..., None], rtol=1e-6)
    np.testing.assert_allclose(b[..., 0], wanted.sum(2) * inside, rtol=1e-6)
    np.testing.assert_allclose(c[0], wanted[0, 3], rtol=1e-6)


def test_derivatives_are_differences() -> None:
    """By the inputs, the first state and the kernel, in float64, through lengths."""
    x, h = tf.placeholder(tf.float64, [None, None, 2]), tf.placeholder(tf.float64, [None, 3])
    outputs, state = tf.nn.dynamic_rnn(cell.GRUCell(3), x, sequence_length=LENGTHS, initial_state=h)
    loss = tf.reduce_sum(tf.square(outputs)) + tf.reduce_sum(tf.exp(state))
    kernel = tf.trainable_variables()[2]
    gradients = tf.gradients(loss, [x, h, kernel])
    rng = np.random.default_rng(1)
    given: dict[Any, np.ndarray] = {x: X.astype(np.float64), h: rng.normal(size=(3, 3)), kernel.value(): rng.normal(size=(5, 3))}
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = session.run(gradients, given)
        for at, g in zip(given, found, strict=True):
            direction = rng.normal(size=g.shape)
            up, down = (session.run(loss, given | {at: given[at] + d * direction}) for d in (1e-6, -1e-6))
            np.testing.assert_allclose(np.sum(g * direction), (up - down) / 2e-6, rtol=1e-6)


def test_a_loss_of_the_last_state_alone_and_of_one_output() -> None:
    x = tf.placeholder(tf.float32, [None, 4, 2])
    outputs, state = tf.nn.dynamic_rnn(cell.BasicLSTMCell(3), x, dtype=tf.float32)
    by_state, by_output = (tf.gradients(tf.reduce_sum(t), tf.trainable_variables()) for t in (state.h, outputs[:, -1]))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for a, b in zip(*session.run([by_state, by_output], {x: X}), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_dropout_is_drawn_anew_at_each_step() -> None:
    tf.set_random_seed(1)
    ones = np.ones((1, 50, 20), np.float32)

    class Same(cell.RNNCell):
        state_size = output_size = 20

        def call(self, inputs: Any, state: Any) -> Any:
            return inputs, state

    outputs, _ = tf.nn.dynamic_rnn(cell.DropoutWrapper(Same(), output_keep_prob=0.5), tf.constant(ones), dtype=tf.float32)
    with tf.Session() as session:
        kept, again = session.run(outputs)[0], session.run(outputs)[0]
    assert set(np.unique(kept)) == {0.0, 2.0} and 0.4 < (kept > 0).mean() < 0.6
    assert len({tuple(row) for row in (*kept, *again)}) == 100


# ---------------------------------------------------------------- names, variables, counts
def test_variables_lie_where_tensorflow_puts_them() -> None:
    listed = [tf.placeholder(tf.float32, [None, 2]) for _ in range(2)]
    made = cell.MultiRNNCell([cell.BasicLSTMCell(3), cell.DropoutWrapper(cell.GRUCell(2), 0.5)])
    tf.nn.static_bidirectional_rnn(made, cell.BasicRNNCell(3), listed, dtype=tf.float32)
    tf.nn.dynamic_rnn(cell.LSTMCell(3), tf.placeholder(tf.float32, [None, None, 2]), dtype=tf.float32, scope="own")
    assert [v.op.name for v in tf.trainable_variables()] == [
        "bidirectional_rnn/fw/multi_rnn_cell/cell_0/basic_lstm_cell/kernel",
        "bidirectional_rnn/fw/multi_rnn_cell/cell_0/basic_lstm_cell/bias",
        "bidirectional_rnn/fw/multi_rnn_cell/cell_1/gru_cell/gates/kernel",
        "bidirectional_rnn/fw/multi_rnn_cell/cell_1/gru_cell/gates/bias",
        "bidirectional_rnn/fw/multi_rnn_cell/cell_1/gru_cell/candidate/kernel",
        "bidirectional_rnn/fw/multi_rnn_cell/cell_1/gru_cell/candidate/bias",
        "bidirectional_rnn/bw/basic_rnn_cell/kernel",
        "bidirectional_rnn/bw/basic_rnn_cell/bias",
        "own/lstm_cell/kernel",
        "own/lstm_cell/bias",
    ]


def test_sharing_variables() -> None:
    x = tf.placeholder(tf.float32, [None, None, 2])
    shared = cell.GRUCell(3)
    tf.nn.dynamic_rnn(shared, x, dtype=tf.float32)
    tf.nn.dynamic_rnn(shared, x, dtype=tf.float32)
    assert len(tf.trainable_variables()) == 4
    with pytest.raises(ValueError, match="Variable rnn/gru_cell/gates/kernel already exists"):
        tf.nn.dynamic_rnn(cell.GRUCell(3), x, dtype=tf.float32)
    with tf.variable_scope("", reuse=True):
        tf.nn.dynamic_rnn(cell.GRUCell(3), x, dtype=tf.float32)
    with tf.variable_scope("rnn", reuse=tf.AUTO_REUSE) as scope:
        tf.nn.static_rnn(cell.GRUCell(3), [x[:, 0]], dtype=tf.float32, scope=scope)
    assert len(tf.trainable_variables()) == 4


COUNTED: dict[str, Callable[[], Any]] = {
    "basic": lambda: cell.BasicRNNCell(5),
    "lstm": lambda: cell.BasicLSTMCell(5),
    "gru": lambda: cell.GRUCell(5),
    "projection": lambda: cell.LSTMCell(5, num_proj=4, proj_clip=0.5, cell_clip=0.3, use_peepholes=True),
    "layers": lambda: cell.MultiRNNCell([cell.LSTMCell(5) for _ in range(2)]),
    "dropout": lambda: cell.DropoutWrapper(cell.BasicLSTMCell(5), 0.5, 0.5, 0.5),
    "residual": lambda: cell.ResidualWrapper(cell.GRUCell(3)),
}
COUNTS: dict[str, dict[str, tuple[int, list[int]]]] = {
    "basic": {"static": (39, [19]), "static masked": (119, [41]), "dynamic": (129, [87]), "dynamic masked": (150, [105])},
    "lstm": {"static": (73, [29]), "static masked": (169, [52]), "dynamic": (157, [101]), "dynamic masked": (179, [119])},
    "gru": {"static": (79, [19, 33]), "static masked": (163, [41, 55]), "dynamic": (158, [87, 101]), "dynamic masked": (179, [105, 119])},
    "projection": {
        "static": (143, [29, 43, 53, 63, 73]),
        "static masked": (247, [52, 66, 76, 86, 96]),
        "dynamic": (216, [101, 115, 125, 135, 145]),
        "dynamic masked": (238, [119, 133, 143, 153, 163]),
    },
    "layers": {
        "static": (141, [49, 80]),
        "static masked": (273, [74, 110]),
        "dynamic": (222, [129, 162]),
        "dynamic masked": (246, [147, 180]),
    },
    "dropout": {
        "static": (124, [32, 40, 71, 79, 87, 112, 120]),
        "static masked": (224, [56, 64, 99, 107, 155, 184, 192]),
        "dynamic": (184, [104, 112, 145, 153]),
        "dynamic masked": (206, [122, 130, 163, 171]),
    },
    "residual": {
        "static": (81, [19, 33]),
        "static masked": (169, [41, 55]),
        "dynamic": (159, [87, 101]),
        "dynamic masked": (180, [105, 119]),
    },
}
"""How many operations TensorFlow 2.21 makes in its TF1 mode of two steps or of a loop, and which of them draw."""


def counted(make: Callable[[], Any]) -> tuple[int, list[int]]:
    """How many operations a call counts as, and the places of those that draw."""
    graph = tf.get_default_graph()
    before, recorded = graph.counted, len(graph.get_operations())
    make()
    drawn = [op.attrs["seed"][1] - before + 1 for op in graph.get_operations()[recorded:] if op.type == "RandomDraw"]
    return graph.counted - before, drawn


@pytest.mark.parametrize("name", COUNTED)
def test_counts_are_tensorflows(name: str) -> None:
    for how, wanted in COUNTS[name].items():
        tf.reset_default_graph()
        tf.set_random_seed(42)
        x = tf.placeholder(tf.float32, [None, 2, 3])
        options = {"dtype": tf.float32} | ({"sequence_length": tf.placeholder(tf.int32, [None])} if "masked" in how else {})
        function, inputs = (tf.nn.static_rnn, tf.unstack(x, axis=1)) if "static" in how else (tf.nn.dynamic_rnn, x)
        assert counted(lambda f=function, i=inputs, o=options: f(COUNTED[name](), i, **o)) == wanted, how


def test_other_counts_are_tensorflows() -> None:
    """Known sizes, a state that is given, time first, and both directions; of TensorFlow 2.21."""
    tf.set_random_seed(42)
    x, first, n = (tf.placeholder(tf.float32, s) for s in ([None, 2, 3], [None, 5], [None]))
    lengths = tf.cast(n, tf.int32)
    known = tf.placeholder(tf.float32, [4, 2, 3])
    unknown = tf.placeholder(tf.float32, [2, None, 3])
    basic, lstm = cell.BasicRNNCell, cell.BasicLSTMCell
    assert counted(lambda: tf.nn.dynamic_rnn(basic(5), known, dtype=tf.float32, scope="a")) == (117, [74])
    assert counted(lambda: tf.nn.dynamic_rnn(basic(5), x, initial_state=first, scope="b")) == (119, [77])
    assert counted(lambda: tf.nn.dynamic_rnn(basic(5), unknown, dtype=tf.float32, time_major=True, scope="c")) == (113, [79])
    listed = tf.unstack(known, axis=1)
    assert counted(lambda: tf.nn.static_rnn(lstm(5), listed, dtype=tf.float32, scope="d")) == (64, [20])
    listed = tf.unstack(x, axis=1)
    assert counted(lambda: tf.nn.static_bidirectional_rnn(basic(5), basic(5), listed, dtype=tf.float32, scope="e")) == (82, [19, 58])
    for options, count in (({"sequence_length": lengths, "scope": "f"}, (348, [52, 224])),):
        assert counted(lambda o=options: tf.nn.static_bidirectional_rnn(lstm(5), lstm(5), listed, dtype=tf.float32, **o)) == count
    wide = tf.placeholder(tf.float32, [None, None, 3])
    for options, count in (({"scope": "g"}, (318, [101, 260])), ({"sequence_length": lengths, "scope": "h"}, (360, [119, 299]))):
        assert counted(lambda o=options: tf.nn.bidirectional_dynamic_rnn(lstm(5), lstm(5), wide, dtype=tf.float32, **o)) == count


def test_the_recorded_numbers_of_a_notebook() -> None:
    """Implicit seeds under graph seed 42 after the programs' own placeholders: 20, 22, 87 and 106 were recorded with TF1."""
    for how, wanted in (("static", 20), ("unstacked", 22), ("dynamic", 87), ("masked", 106)):
        tf.reset_default_graph()
        tf.set_random_seed(42)
        if how == "static":
            listed = [tf.placeholder(tf.float32, [None, 3]) for _ in range(2)]
            tf.nn.static_rnn(cell.BasicRNNCell(5), listed, dtype=tf.float32)
        else:
            x = tf.placeholder(tf.float32, [None, 2, 3])
            if how == "unstacked":
                tf.nn.static_rnn(cell.BasicRNNCell(5), tf.unstack(tf.transpose(x, perm=[1, 0, 2])), dtype=tf.float32)
            else:
                lengths = tf.placeholder(tf.int32, [None]) if how == "masked" else None
                tf.nn.dynamic_rnn(cell.BasicRNNCell(5), x, dtype=tf.float32, sequence_length=lengths)
        (draw,) = [op for op in tf.get_default_graph().get_operations() if op.type == "RandomDraw"]
        assert draw.attrs["seed"] == (42, wanted), how


# ---------------------------------------------------------------- mistakes
@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda x: tf.nn.dynamic_rnn(cell.GRUCell(3), x), ValueError, "If there is no initial_state, you must give a dtype"),
        (lambda x: tf.nn.dynamic_rnn("a", x, dtype=tf.float32), TypeError, "The argument 'cell' .* is not an RNNCell"),
        (lambda x: tf.nn.dynamic_rnn(cell.GRUCell(3), x[0], dtype=tf.float32), ValueError, "must have rank at least 3"),
        (
            lambda x: tf.nn.dynamic_rnn(cell.GRUCell(3), tf.placeholder(tf.float32), dtype=tf.float32),
            ValueError,
            "must have rank at least 3",
        ),
        (
            lambda x: tf.nn.dynamic_rnn(cell.GRUCell(3), tf.placeholder(tf.float32, [2, 3, None]), dtype=tf.float32),
            ValueError,
            "Input size .* must be accessible",
        ),
        (lambda x: tf.nn.dynamic_rnn(cell.GRUCell(3), x, dtype=tf.float32, sequence_length=[1.0]), TypeError, "sequence_length"),
        (lambda x: tf.nn.static_rnn(cell.GRUCell(3), x, dtype=tf.float32), TypeError, "inputs must be a sequence"),
        (lambda x: tf.nn.static_rnn(cell.GRUCell(3), [], dtype=tf.float32), ValueError, "inputs must not be empty"),
        (lambda x: tf.nn.static_bidirectional_rnn(cell.GRUCell(3), cell.GRUCell(3), x), TypeError, "inputs must be a sequence"),
        (lambda x: tf.nn.dynamic_rnn(cell.GRUCell(3), x, initial_state=tf.zeros([3, 4])), ValueError, "are 6 and 5"),
        (lambda x: tf.nn.raw_rnn, AttributeError, "tf.nn.raw_rnn is not part of symgraph: .*tf.scan"),
        (lambda x: tf.nn.static_state_saving_rnn, AttributeError, "static_state_saving_rnn is not part of symgraph: .*initial_state"),
        (lambda x: tf.nn.ctc_loss, AttributeError, "tf.nn.ctc_loss is not part of symgraph"),
    ],
)
def test_mistakes(make: Any, error: type[Exception], words: str) -> None:
    x = tf.placeholder(tf.float32, [3, 4, 2])
    with pytest.raises(error, match=words):
        make(x)


def test_a_mistake_leaves_the_graph_as_it_was() -> None:
    x = tf.placeholder(tf.float32, [3, 4, 2])
    with pytest.raises(ValueError):
        tf.nn.dynamic_rnn(cell.GRUCell(3), x, initial_state=tf.zeros([3, 4]))
    made = {op.name for op in tf.get_default_graph().get_operations()}
    assert made == {"Placeholder", "zeros"} and not tf.global_variables()


def test_graphs_with_networks_are_stored(tmp_path: Any) -> None:
    x = tf.placeholder(tf.float32, [None, None, 2], name="x")
    outputs, _ = tf.nn.dynamic_rnn(
        cell.MultiRNNCell([cell.BasicLSTMCell(3), cell.GRUCell(2)]), x, sequence_length=LENGTHS, dtype=tf.float32
    )
    loss = tf.reduce_sum(tf.square(outputs), name="loss")
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss, name="step")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        path = tf.train.Saver().save(session, str(tmp_path / "net"))
        session.run(step, {x: X})
        wanted = session.run(loss, {x: X})
    tf.reset_default_graph()
    saver = tf.train.import_meta_graph(path + ".meta")
    with tf.Session() as session:
        saver.restore(session, path)
        session.run("step", {"x:0": X})
        np.testing.assert_allclose(session.run("loss:0", {"x:0": X}), wanted, rtol=1e-6)


def test_every_cell_is_tried() -> None:
    assert {name for _, name, _ in TENSORFLOW} == set(CELLS)
