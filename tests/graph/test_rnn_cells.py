"""Cells: their formulas, variables, states and wrappers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as tf
from tests.graph.rnn_cases import LENGTHS, X, basic_step, formula, gru_step, lstm_step, weights

cell = tf.nn.rnn_cell
A = X[:, 0]


def one_step(made: Any, states: Any, x: np.ndarray = A) -> tuple[Any, Any]:
    """Output and new state of one call, with weights of a formula."""
    output, new = made(tf.constant(x), states)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(weights())
        return session.run((output, new))


def shapes() -> dict[str, tuple[int, ...]]:
    return {v.op.name: tuple(v.shape.as_list()) for v in tf.global_variables()}


H = np.cos(np.arange(9.0)).reshape(3, 3).astype(np.float32)
C = np.sin(np.arange(9.0)).reshape(3, 3).astype(np.float32)


# ---------------------------------------------------------------- formulas
def test_basic_cell() -> None:
    output, new = one_step(cell.BasicRNNCell(3), tf.constant(H))
    wanted = basic_step(A, H, formula(0, [5, 3]), formula(1, [3]))
    np.testing.assert_allclose(output, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(output, new)
    assert shapes() == {"basic_rnn_cell/kernel": (5, 3), "basic_rnn_cell/bias": (3,)}


def test_gru_cell() -> None:
    output, _ = one_step(cell.GRUCell(3), tf.constant(H))
    wanted = gru_step(A, H, formula(0, [5, 6]), formula(1, [6]), formula(2, [5, 3]), formula(3, [3]))
    np.testing.assert_allclose(output, wanted, rtol=1e-5, atol=1e-6)
    assert shapes() == {
        "gru_cell/gates/kernel": (5, 6),
        "gru_cell/gates/bias": (6,),
        "gru_cell/candidate/kernel": (5, 3),
        "gru_cell/candidate/bias": (3,),
    }


@pytest.mark.parametrize("kind", [cell.BasicLSTMCell, cell.LSTMCell])
def test_lstm_cells(kind: Any) -> None:
    output, new = one_step(kind(3, forget_bias=0.25), cell.LSTMStateTuple(tf.constant(C), tf.constant(H)))
    c, h = lstm_step(A, C, H, formula(0, [5, 12]), formula(1, [12]), forget_bias=0.25)
    np.testing.assert_allclose(new.c, c, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(new.h, h, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(output, new.h)


def test_peepholes_clips_and_projection() -> None:
    made = cell.LSTMCell(3, use_peepholes=True, cell_clip=0.3, num_proj=2, proj_clip=0.1)
    assert made.state_size == cell.LSTMStateTuple(3, 2) and made.output_size == 2
    output, new = one_step(made, (tf.constant(C), tf.constant(H[:, :2])))
    peep = [formula(k, [3]) for k in (2, 3, 4)]
    c, _ = lstm_step(A, C, H[:, :2], formula(0, [4, 12]), formula(1, [12]), peep)
    np.testing.assert_allclose(new.c, np.clip(c, -0.3, 0.3), rtol=1e-5, atol=1e-6)
    o = np.split(np.concatenate([A, H[:, :2]], 1) @ formula(0, [4, 12]) + formula(1, [12]), 4, 1)[3]
    h = np.tanh(new.c) / (1 + np.exp(-o - peep[2] * new.c)) @ formula(5, [3, 2])
    np.testing.assert_allclose(output, np.clip(h, -0.1, 0.1), rtol=1e-5, atol=1e-6)
    assert list(shapes()) == [f"lstm_cell/{n}" for n in ("kernel", "bias", "w_f_diag", "w_i_diag", "w_o_diag", "projection/kernel")]


def test_normalised_lstm() -> None:
    """Each gate has mean 0 and deviation 1 over the units, then gamma and beta; no bias."""
    made = tf.contrib.rnn.LayerNormBasicLSTMCell(3)
    output, new = one_step(made, (tf.constant(C), tf.constant(H)))
    assert shapes()["layer_norm_basic_lstm_cell/kernel"] == (5, 12) and len(shapes()) == 11
    numbers = {n.split("/", 1)[1]: formula(k, list(s)) for k, (n, s) in enumerate(shapes().items())}

    def normal(x: np.ndarray, scope: str) -> np.ndarray:
        return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) * numbers[f"{scope}/gamma"] + numbers[f"{scope}/beta"]

    gates = np.split(np.concatenate([A, H], 1) @ numbers["kernel"], 4, 1)
    i, j, f, o = (normal(g, s) for g, s in zip(gates, ("input", "transform", "forget", "output"), strict=True))
    s = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    c = normal(C * s(f + 1) + s(i) * np.tanh(j), "state")
    np.testing.assert_allclose(new.c, c, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(output, np.tanh(c) * s(o), rtol=1e-4, atol=1e-5)


def test_derivatives_of_cells_are_differences() -> None:
    """In float64, by the input, the state and a weight."""
    x, h = (tf.placeholder(tf.float64, [3, n]) for n in (2, 3))
    for made, state in ((cell.GRUCell(3, name="g"), h), (cell.LSTMCell(3, use_peepholes=True, name="l"), (h, tf.sin(h)))):
        output, _ = made(x, state)
        loss = tf.reduce_sum(tf.square(output))
        kernel = made.weights[0]
        gradients = tf.gradients(loss, [x, h, kernel])
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            start = np.random.default_rng(0).normal(size=kernel.shape.as_list())
            given = {x: A.astype(np.float64), h: H.astype(np.float64), kernel.value(): start}
            found = session.run(gradients, given)
            for at, g in zip(given, found, strict=True):
                direction = np.cos(np.arange(g.size)).reshape(g.shape)
                up, down = (session.run(loss, given | {at: given[at] + d * direction}) for d in (1e-6, -1e-6))
                np.testing.assert_allclose(np.sum(g * direction), (up - down) / 2e-6, rtol=1e-6)


# ---------------------------------------------------------------- states
def test_zero_states() -> None:
    made = cell.MultiRNNCell([cell.BasicLSTMCell(3), cell.GRUCell(2)])
    assert made.state_size == (cell.LSTMStateTuple(3, 3), 2) and made.output_size == 2
    (c, h), g = made.zero_state(4, tf.float32)
    assert [t.shape.as_list() for t in (c, h, g)] == [[4, 3], [4, 3], [4, 2]]
    assert c.op.name == "MultiRNNCellZeroState/BasicLSTMCellZeroState/zeros"
    rows = tf.placeholder(tf.int32, [])
    unknown = cell.BasicRNNCell(3).zero_state(rows, tf.float64)
    with tf.Session() as session:
        assert session.run(unknown, {rows: 5}).tolist() == np.zeros((5, 3)).tolist()
    assert tf.get_default_graph().counted == 8 * 3 + 1 + 10


def test_a_state_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"the state of BasicLSTMCell is a pair \(c, h\)"):
        cell.BasicLSTMCell(3)(tf.constant(A), tf.constant(H))
    with pytest.raises(ValueError, match="Expected state to be a tuple of length 2"):
        cell.MultiRNNCell([cell.GRUCell(3), cell.GRUCell(3)])(tf.constant(A), tf.constant(H))


# ---------------------------------------------------------------- variables
def test_a_cell_keeps_its_variables() -> None:
    made = cell.BasicLSTMCell(3)
    state = made.zero_state(3, tf.float32)
    _, state = made(tf.constant(A), state)
    made(tf.constant(A), state)
    assert list(shapes()) == ["basic_lstm_cell/kernel", "basic_lstm_cell/bias"]
    assert made.weights == made.trainable_weights == tf.trainable_variables()
    cell.BasicLSTMCell(3)(tf.constant(A), state)
    assert list(shapes())[2:] == ["basic_lstm_cell_1/kernel", "basic_lstm_cell_1/bias"]


def test_names_scopes_and_reuse() -> None:
    state = cell.GRUCell(3).zero_state(3, tf.float32)
    cell.GRUCell(3, name="mine")(tf.constant(A), state)
    with tf.variable_scope("outer", initializer=tf.constant_initializer(0.5)):
        cell.GRUCell(3, name="mine")(tf.constant(A), state)
        cell.GRUCell(3)(tf.constant(A), state, scope="given")
    made = set(shapes())
    with tf.variable_scope("outer", reuse=True):
        cell.GRUCell(3, name="mine")(tf.constant(A), state)
    assert set(shapes()) == made and {n.rsplit("/", 2)[0] for n in made} == {"mine", "outer/mine", "outer/given"}
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        kernel, bias = session.run([v for v in tf.global_variables() if v.op.name.startswith("outer/mine/gates")])
    assert np.all(kernel == 0.5) and np.all(bias == 1)


def test_a_cell_of_the_users_with_call() -> None:
    class Decay(cell.RNNCell):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.n = n

        state_size = output_size = property(lambda self: self.n)

        def call(self, inputs: Any, state: Any) -> Any:
            w = tf.get_variable("w", [inputs.shape[1].value, self.n])
            new = 0.5 * state + tf.matmul(inputs, w)
            return new, new

    made = Decay(3)
    outputs, _ = tf.nn.static_rnn(made, [tf.constant(X[:, k]) for k in range(2)], dtype=tf.float32)
    assert shapes() == {"rnn/decay/w": (2, 3)} and made.weights == tf.trainable_variables()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(weights())
        got = session.run(outputs[1])
    w = formula(0, [2, 3])
    np.testing.assert_allclose(got, 0.5 * X[:, 0] @ w + X[:, 1] @ w, rtol=1e-5, atol=1e-6)


def test_a_cell_of_the_users_with_a_call_of_its_own() -> None:
    """The first style of TF1: no constructor of the base, a scope by hand."""

    class Old(cell.RNNCell):
        def __init__(self, n: int) -> None:
            self._n = n

        @property
        def state_size(self) -> int:
            return self._n

        @property
        def output_size(self) -> int:
            return self._n

        def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
            with tf.variable_scope(scope or type(self).__name__):
                w, u = tf.get_variable("w", [2, self._n]), tf.get_variable("u", [self._n, self._n])
                new = tf.tanh(tf.matmul(inputs, w) + tf.matmul(state, u))
                return new, new

    x = tf.placeholder(tf.float32, [None, None, 2])
    outputs, state = tf.nn.dynamic_rnn(Old(3), x, dtype=tf.float32)
    listed, _ = tf.nn.static_rnn(Old(3), [x[:, k] for k in range(4)], dtype=tf.float32, scope="again")
    assert list(shapes()) == ["rnn/Old/w", "rnn/Old/u", "again/Old/w", "again/Old/u"]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run([v.assign(formula(k % 2, v.shape.as_list())) for k, v in enumerate(tf.trainable_variables())])
        got, last, unrolled = session.run([outputs, state, tf.stack(listed, 1)], {x: X})
    np.testing.assert_array_equal(got[:, -1], last)
    np.testing.assert_allclose(got, unrolled, rtol=1e-5, atol=1e-6)
    assert tf.get_default_graph().get_tensor_by_name("rnn/Old/w:0") is not None


# ---------------------------------------------------------------- wrappers
def test_projections_and_embedding() -> None:
    around = tf.contrib.rnn.OutputProjectionWrapper(cell.BasicRNNCell(3), output_size=4, activation=tf.nn.relu)
    before = tf.contrib.rnn.InputProjectionWrapper(cell.BasicRNNCell(3), 4)
    table = tf.contrib.rnn.EmbeddingWrapper(cell.BasicRNNCell(3), 7, 2)
    assert (around.output_size, around.state_size, before.output_size, table.state_size) == (4, 3, 3, 3)
    h = tf.constant(H)
    outputs = [around(tf.constant(A), h)[0], before(tf.constant(A), h)[0], table(tf.constant([1, 6, 0]), h)[0]]
    assert shapes() == {
        "output_projection_wrapper/basic_rnn_cell/kernel": (5, 3),
        "output_projection_wrapper/basic_rnn_cell/bias": (3,),
        "output_projection_wrapper/kernel": (3, 4),
        "output_projection_wrapper/bias": (4,),
        "input_projection_wrapper/kernel": (2, 4),
        "input_projection_wrapper/bias": (4,),
        "input_projection_wrapper/basic_rnn_cell/kernel": (7, 3),
        "input_projection_wrapper/basic_rnn_cell/bias": (3,),
        "embedding_wrapper/embedding": (7, 2),
        "embedding_wrapper/basic_rnn_cell/kernel": (5, 3),
        "embedding_wrapper/basic_rnn_cell/bias": (3,),
    }
    w = [formula(k, list(s)) for k, s in enumerate(shapes().values())]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert np.abs(session.run(tf.global_variables()[8])).max() <= 3**0.5
        session.run(weights())
        got = session.run(outputs)
    wanted = (
        np.maximum(basic_step(A, H, w[0], w[1]) @ w[2] + w[3], 0),
        basic_step(A @ w[4] + w[5], H, w[6], w[7]),
        basic_step(w[8][[1, 6, 0]], H, w[9], w[10]),
    )
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_wrappers_have_no_names() -> None:
    made = cell.DeviceWrapper(cell.ResidualWrapper(cell.DropoutWrapper(cell.GRUCell(2), input_keep_prob=0.5)), "/cpu:0")
    made(tf.constant(A), made.zero_state(3, tf.float32))
    assert {n.split("/")[0] for n in shapes()} == {"gru_cell"}
    assert made.weights == tf.trainable_variables() and made.state_size == made.output_size == 2


def test_dropout_keeps_scales_and_spares_the_memory() -> None:
    tf.set_random_seed(3)
    ones = tf.constant(np.ones((2, 400), np.float32))

    class Same(cell.RNNCell):
        state_size, output_size = cell.LSTMStateTuple(400, 400), 400

        def call(self, inputs: Any, state: Any) -> Any:
            return inputs, state

    keep = tf.placeholder(tf.float32, [])
    made = cell.DropoutWrapper(Same(), input_keep_prob=keep, state_keep_prob=0.25)
    output, (c, h) = made(ones, cell.LSTMStateTuple(ones, ones))
    with tf.Session() as session:
        out, memory, said = session.run([output, c, h], {keep: 0.5})
        again = session.run(output, {keep: 0.5})
        np.testing.assert_array_equal(session.run(output, {keep: 1.0}), np.ones((2, 400)))
    assert set(np.unique(out)) == {0.0, 2.0} and 0.4 < (out > 0).mean() < 0.6
    assert np.all(memory == 1) and set(np.unique(said)) == {0.0, 4.0}
    assert not np.array_equal(out, again)


def test_dropout_that_stays_along_the_sequence() -> None:
    tf.set_random_seed(3)
    made = cell.DropoutWrapper(
        cell.BasicRNNCell(3), input_keep_prob=0.5, output_keep_prob=0.5, variational_recurrent=True, input_size=2, dtype=tf.float32, seed=1
    )
    outputs, _ = tf.nn.dynamic_rnn(made, tf.constant(X + 2), dtype=tf.float32)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        runs = [session.run(outputs) != 0 for _ in range(8)]
    assert all(np.all(kept == kept[0, 0]) for kept in runs)
    assert len({tuple(kept[0, 0]) for kept in runs}) > 1


def test_seeds_of_dropout_are_tensorflows() -> None:
    """Of input, state h and output: what TensorFlow 2.21's wrapper gives its draws."""
    tf.set_random_seed(42)

    def seeds() -> list[int]:
        return [op.attrs["seed"][1] for op in tf.get_default_graph().get_operations() if op.type == "RandomDraw"]

    keep = dict.fromkeys(("input_keep_prob", "output_keep_prob", "state_keep_prob"), 0.5)
    made = cell.DropoutWrapper(cell.BasicLSTMCell(3), **keep, seed=7)
    made(tf.constant(A), made.zero_state(3, tf.float32))
    assert seeds()[:1] + seeds()[2:] == [1933561695, 839511211, 992545650]
    tf.reset_default_graph()
    tf.set_random_seed(42)
    cell.DropoutWrapper(cell.BasicLSTMCell(3), **keep, seed=7, variational_recurrent=True, input_size=2, dtype=tf.float32)
    assert seeds() == [1933561695, 1658466891, 839511211, 992545650]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: cell.MultiRNNCell(cell.GRUCell(2)), TypeError, "cells must be a list or tuple"),
        (lambda: cell.MultiRNNCell([]), ValueError, "at least one cell"),
        (lambda: cell.MultiRNNCell([3]), TypeError, "is not an RNNCell: 'output_size' is missing"),
        (lambda: cell.MultiRNNCell([cell.BasicLSTMCell(2)], state_is_tuple=False), ValueError, "Some cells return tuples of states"),
        (lambda: cell.DropoutWrapper(cell.GRUCell(2), input_keep_prob=1.5), ValueError, "input_keep_prob must be between 0 and 1"),
        (lambda: cell.DropoutWrapper(cell.GRUCell(2), variational_recurrent=True), ValueError, "dtype must be provided"),
        (
            lambda: cell.DropoutWrapper(cell.GRUCell(2), 0.5, variational_recurrent=True, dtype=tf.float32),
            ValueError,
            "input_size must be provided",
        ),
        (lambda: tf.contrib.rnn.OutputProjectionWrapper(cell.GRUCell(2), 0), ValueError, "output_size must be > 0"),
        (lambda: tf.contrib.rnn.EmbeddingWrapper(cell.GRUCell(2), 0, 3), ValueError, "must be > 0"),
        (lambda: cell.BasicRNNCell(2, activation="wobble"), ValueError, "Unknown activation function: 'wobble'"),
        (lambda: cell.RNNCell().state_size, NotImplementedError, "state_size"),
        (lambda: tf.contrib.rnn.NASCell, AttributeError, "tf.contrib.rnn.NASCell is not part of symgraph: this cell"),
        (lambda: cell.BasicRNNCell(2)(tf.placeholder(tf.float32, [2, None]), H), ValueError, r"Expected inputs.shape\[-1\] to be known"),
    ],
)
def test_mistakes(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_lengths_are_a_vector() -> None:
    with pytest.raises(ValueError, match="sequence_length must be a vector"):
        tf.nn.dynamic_rnn(cell.GRUCell(2), tf.constant(X), sequence_length=[LENGTHS], dtype=tf.float32)
