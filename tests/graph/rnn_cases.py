"""Recurrent programs: cells, what TensorFlow's ones give, and the formulas in NumPy.

Law of this file: weights and inputs follow from formulas, so that another library can be given the same.  The numbers of
`TENSORFLOW` were computed once by TensorFlow 2.21 in its TF1 mode, with its own cells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symgraph as tf
from symgraph import nest

cell = tf.nn.rnn_cell

X = np.sin(np.arange(3 * 4 * 2) * 0.9).reshape(3, 4, 2).astype(np.float32)
LENGTHS = np.array([4, 0, 2], np.int32)

CELLS: dict[str, Callable[[], Any]] = {
    "basic": lambda: cell.BasicRNNCell(3),
    "relu": lambda: cell.BasicRNNCell(3, activation=tf.nn.relu),
    "basic lstm": lambda: cell.BasicLSTMCell(3, forget_bias=0.5),
    "basic lstm in one tensor": lambda: cell.BasicLSTMCell(3, state_is_tuple=False),
    "lstm": lambda: cell.LSTMCell(3),
    "peepholes": lambda: cell.LSTMCell(3, use_peepholes=True, forget_bias=0.7),
    "projection": lambda: cell.LSTMCell(3, num_proj=2, proj_clip=0.1, cell_clip=0.3, use_peepholes=True),
    "projection in one tensor": lambda: cell.LSTMCell(3, num_proj=2, state_is_tuple=False),
    "gru": lambda: cell.GRUCell(3),
    "layers": lambda: cell.MultiRNNCell([cell.BasicLSTMCell(3), cell.GRUCell(2)]),
    "layers in one tensor": lambda: cell.MultiRNNCell([cell.BasicRNNCell(3), cell.GRUCell(2)], state_is_tuple=False),
    "residual": lambda: cell.ResidualWrapper(cell.GRUCell(2)),
}

TENSORFLOW: dict[tuple[str, str, bool], list[float]] = {
    ("dynamic", "basic", False): [0.39378, 0.27123, 0.47955, 6.13013, -3.78881],
    ("dynamic", "basic", True): [1.17461, 0.09506, 0.03835, 4.01009, -0.88205],
    ("dynamic", "relu", False): [0.3944, 0.47997, 0.79414, 9.18801, -4.11865],
    ("dynamic", "relu", True): [0.73785, 0.84784, 0.81685, 5.84604, -2.22941],
    ("dynamic", "basic lstm", False): [-0.13514, 0.1932, 0.05227, -0.25728, -4.92538, 0.25256],
    ("dynamic", "basic lstm", True): [-0.02606, 0.11767, 0.05087, 2.23381, -3.39332, 0.50181],
    ("both", "basic lstm", False): [2.28757, 0.1932, 0.05227, 0.40696, 0.15799, -0.25728, -4.92538, 0.07698, -4.73097, -0.12017],
    ("both", "basic lstm", True): [0.65685, 0.11767, 0.05087, 0.9757, 0.37817, 2.23381, -3.39332, 0.31698, -2.78967, 0.14114],
    ("dynamic", "basic lstm in one tensor", False): [-0.1573, 0.55689, -0.23939, -5.83915, 0.22089],
    ("dynamic", "basic lstm in one tensor", True): [-0.05043, 0.08281, 1.95515, -3.83668, 0.46096],
    ("dynamic", "lstm", False): [-0.1573, 0.21473, 0.05657, -0.23939, -5.83915, 0.22089],
    ("dynamic", "lstm", True): [-0.05043, 0.13249, 0.05604, 1.95515, -3.83668, 0.46096],
    ("dynamic", "peepholes", False): [-0.10784, 0.18971, 0.04195, -0.31599, -4.69886, 0.16627, 0.08354, 0.11115, 0.19543],
    ("dynamic", "peepholes", True): [-0.02857, 0.1196, 0.04379, 2.09044, -3.2663, 0.12606, 0.0231, 0.03166, 0.43029],
    ("dynamic", "projection", False): [
        -0.01267,
        0.12077,
        1e-05,
        -0.34694,
        -2.91496,
        0.03354,
        -0.00817,
        0.00607,
        -0.38521,
        0.33872,
    ],
    ("dynamic", "projection", True): [
        -0.03846,
        0.20838,
        -0.0165,
        1.48483,
        -2.1681,
        0.03907,
        -0.00273,
        0.0013,
        -0.32573,
        0.47133,
    ],
    ("dynamic", "projection in one tensor", False): [0.01595, 0.76569, 0.02999, -4.61135, -0.81146, 0.16668],
    ("dynamic", "projection in one tensor", True): [0.06016, 0.43393, 1.29246, -2.85816, -0.53164, 0.34812],
    ("dynamic", "gru", False): [0.43646, -0.1886, 1.44631, 0.53751, 0.38488, 1.75568, -0.99434],
    ("dynamic", "gru", True): [-0.12536, -0.55835, 0.78486, -0.0755, 0.77818, 1.23018, -0.53351],
    ("both", "gru", True): [
        -0.59366,
        -0.55835,
        0.66273,
        0.78486,
        -0.0755,
        0.77818,
        1.23018,
        -0.47887,
        0.16309,
        0.09985,
        4.20772,
        -0.943,
    ],
    ("dynamic", "layers", False): [
        -0.10949,
        0.21473,
        0.05657,
        -0.00462,
        -0.68191,
        -5.5539,
        -0.20278,
        0.51717,
        -1.08614,
        0.33867,
        0.24259,
    ],
    ("dynamic", "layers", True): [
        0.0033,
        0.13249,
        0.05604,
        -0.03169,
        1.7812,
        -3.68704,
        -0.08632,
        0.23938,
        -0.6256,
        0.74975,
        0.45747,
    ],
    ("dynamic", "layers in one tensor", False): [-0.63741, 0.0431, -0.32349, 2.08376, -0.18572, 0.44856, -1.85385, 0.00657, 0.15965],
    ("dynamic", "layers in one tensor", True): [-0.3016, -0.92903, -0.61957, 1.23905, -0.07785, 0.12143, -0.10402, 0.53913, 0.95502],
    ("dynamic", "residual", False): [-9.11401, -0.01062, 0.28973, 1.13047, -0.19745, 3.83305, -19.02746],
    ("dynamic", "residual", True): [-4.25941, -0.47585, 0.12896, 0.65909, 1.07263, 1.54829, -8.8975],
}
"""Of (how it runs, which cell, with lengths): `weighed` outputs, states, derivatives by the variables and by the inputs."""


def weighed(a: np.ndarray) -> float:
    """One number that every element changes."""
    return float(np.sum(np.asarray(a, np.float64).ravel() * np.cos(np.arange(a.size))))


def weights() -> list[tf.Tensor]:
    """Every trainable variable set to numbers of a formula."""
    return [v.assign(formula(k, v.shape.as_list())) for k, v in enumerate(tf.trainable_variables())]


def formula(k: int, shape: list[int]) -> np.ndarray:
    """0.4 sin(1.7 i + k): the weights of the k-th variable."""
    return (0.4 * np.sin(1.7 * np.arange(int(np.prod(shape))) + k)).reshape(shape).astype(np.float32)


def network(how: str, name: str, x: tf.Tensor, lengths: Any) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Outputs [batch, time, n] and the states of a network of the cells called `name` over x."""
    make, options = CELLS[name], {"sequence_length": lengths, "dtype": tf.float32}
    if how == "dynamic":
        outputs, state = tf.nn.dynamic_rnn(make(), x, **options)
    elif how == "static":
        listed, state = tf.nn.static_rnn(make(), tf.unstack(x, axis=1), **options)
        outputs = tf.stack(listed, 1)
    elif how == "both":
        pair, state = tf.nn.bidirectional_dynamic_rnn(make(), make(), x, **options)
        outputs = tf.concat(pair, 2)
    else:
        listed, *state = tf.nn.static_bidirectional_rnn(make(), make(), tf.unstack(x, axis=1), **options)
        outputs = tf.stack(listed, 1)
    return outputs, nest.flatten(state)


def values(how: str, name: str, masked: bool, shape: Any = (None, 4, 2)) -> list[np.ndarray]:
    """Outputs, states, and the derivatives of sum(outputs ** 2) + sum(sin(states)) by the variables and by the inputs."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, shape)
    lengths = tf.placeholder(tf.int32, [None]) if masked else None
    outputs, states = network(how, name, x, lengths)
    loss = tf.add_n([tf.reduce_sum(tf.square(outputs)), *(tf.reduce_sum(tf.sin(s)) for s in states)])
    gradients = tf.gradients(loss, [*tf.trainable_variables(), x])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(weights())
        return session.run([outputs, *states, *gradients], {x: X} | ({lengths: LENGTHS} if masked else {}))


# ---------------------------------------------------------------- the formulas
def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def basic_step(x: np.ndarray, h: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.tanh(np.concatenate([x, h], 1) @ kernel + bias)


def gru_step(x: np.ndarray, h: np.ndarray, gates: np.ndarray, b: np.ndarray, candidate: np.ndarray, d: np.ndarray) -> np.ndarray:
    r, u = np.split(sigmoid(np.concatenate([x, h], 1) @ gates + b), 2, 1)
    return u * h + (1 - u) * np.tanh(np.concatenate([x, r * h], 1) @ candidate + d)


def lstm_step(
    x: np.ndarray, c: np.ndarray, h: np.ndarray, kernel: np.ndarray, bias: np.ndarray, peep: Any = (0, 0, 0), forget_bias: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    i, j, f, o = np.split(np.concatenate([x, h], 1) @ kernel + bias, 4, 1)
    w_f, w_i, w_o = peep
    c = c * sigmoid(f + forget_bias + w_f * c) + sigmoid(i + w_i * c) * np.tanh(j)
    return c, np.tanh(c) * sigmoid(o + w_o * c)
