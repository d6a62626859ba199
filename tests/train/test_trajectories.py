"""Trajectories of every optimizer against numbers that were recorded from TensorFlow 2.21 in its TF1 mode (ref variables).

Law of this file: `OPTIMIZERS` makes each one; the lists are what TensorFlow's variables held after the same steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as tf

T = tf.train
OPTIMIZERS: dict[str, Callable[[Any], T.Optimizer]] = {
    "GradientDescent": lambda s: T.GradientDescentOptimizer(0.1),
    "Momentum": lambda s: T.MomentumOptimizer(0.1, 0.9),
    "Nesterov": lambda s: T.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "Adagrad": lambda s: T.AdagradOptimizer(0.1),
    "RMSProp": lambda s: T.RMSPropOptimizer(0.1, momentum=0.9),
    "RMSProp, centered": lambda s: T.RMSPropOptimizer(0.05, 0.8, 0.5, 1e-4, centered=True),
    "Adam": lambda s: T.AdamOptimizer(0.1),
    "Adadelta": lambda s: T.AdadeltaOptimizer(0.1),
    "Adadelta of 1": lambda s: T.AdadeltaOptimizer(1.0, 0.9, 1e-3),
    "AdagradDA": lambda s: T.AdagradDAOptimizer(0.1, s),
    "AdagradDA, l1 and l2": lambda s: T.AdagradDAOptimizer(0.1, s, 0.2, 0.05, 0.1),
    "Ftrl": lambda s: T.FtrlOptimizer(0.1),
    "Ftrl, power": lambda s: T.FtrlOptimizer(0.1, learning_rate_power=-0.7, initial_accumulator_value=0.3),
    "Ftrl, l1 and l2": lambda s: T.FtrlOptimizer(0.1, l1_regularization_strength=0.3, l2_regularization_strength=0.2),
    "Ftrl, shrinkage": lambda s: T.FtrlOptimizer(0.1, l1_regularization_strength=0.1, l2_shrinkage_regularization_strength=0.2),
    "ProximalGradientDescent": lambda s: T.ProximalGradientDescentOptimizer(0.1, 0.2, 0.3),
    "ProximalGradientDescent, plain": lambda s: T.ProximalGradientDescentOptimizer(0.1),
    "ProximalAdagrad": lambda s: T.ProximalAdagradOptimizer(0.1, 0.1, 0.2, 0.3),
    "ProximalAdagrad, plain": lambda s: T.ProximalAdagradOptimizer(0.1),
}

# x*x from 1, three steps
SQUARE: dict[str, list[float]] = {
    "GradientDescent": [0.8, 0.64, 0.51199996],
    "Momentum": [0.8, 0.46, 0.062000006],
    "Nesterov": [0.62, 0.22240001, -0.108351976],
    "Adagrad": [0.90122706, 0.8347373, 0.7822992],
    "RMSProp": [0.8245884, 0.5293809, 0.17452648],
    "RMSProp, centered": [0.91666955, 0.7996752, 0.6715212],
    "Adam": [0.90000004, 0.8004126, 0.7015873],
    "Adadelta": [0.9999553, 0.99991, 0.99986434],
    "Adadelta of 1": [0.9001248, 0.8029166, 0.71136343],
    "AdagradDA": [-0.098772965, -0.08859623, -0.07958539],
    "AdagradDA, l1 and l2": [-0.09468824, -0.08231587, -0.07141811],
    "Ftrl": [0.7450533, 0.68578196, 0.63788956],
    "Ftrl, power": [0.77287483, 0.732008, 0.7001454],
    "Ftrl, l1 and l2": [0.7160913, 0.65926206, 0.6129794],
    "Ftrl, shrinkage": [0.72036004, 0.6507905, 0.5951142],
    "ProximalGradientDescent": [0.7572816, 0.5687625, 0.4223398],
    "ProximalGradientDescent, plain": [0.8, 0.64, 0.51199996],
    "ProximalAdagrad": [0.87833637, 0.7964309, 0.7318924],
    "ProximalAdagrad, plain": [0.90122706, 0.8347373, 0.7822992],
}
# three variables one after another, twenty steps
DENSE: dict[str, list[float]] = {
    "GradientDescent": [
        0.0007979226,
        -0.0003989613,
        0.2431533,
        0.030394163,
        -0.18236497,
        0.091182485,
        0.067033224,
        -1.1787033,
        1.9647664,
        -0.53506875,
        0.11154241,
    ],
    "Momentum": [
        0.18484025,
        -0.09242012,
        0.68933463,
        0.08616683,
        -0.5170009,
        0.25850046,
        -1.3661803,
        -1.7964845,
        1.8243531,
        -1.8145621,
        0.7070165,
    ],
    "Nesterov": [
        0.009728283,
        -0.0048641413,
        0.23994435,
        0.029993044,
        -0.17995833,
        0.089979164,
        -1.7603092,
        -1.8544664,
        1.7260815,
        -1.8321788,
        1.0181513,
    ],
    "Adagrad": [
        0.37753776,
        -0.04126864,
        1.3050145,
        0.0026045304,
        -0.830224,
        0.19263712,
        -0.17335325,
        -1.4741253,
        1.6659025,
        -0.6805717,
        0.49758607,
    ],
    "RMSProp": [
        -0.28135255,
        -0.14747712,
        0.5752715,
        -0.04957343,
        -0.31664234,
        -0.05380667,
        -2.847736,
        -2.4047775,
        1.2831892,
        -2.4817657,
        0.92696923,
    ],
    "RMSProp, centered": [
        0.0011239394,
        -0.00026812032,
        0.01652217,
        0.0005549608,
        0.0052570878,
        -0.0004648792,
        -1.2753217,
        -1.6713475,
        1.7611344,
        -1.3836813,
        0.7404698,
    ],
    "Adam": [
        -0.27115422,
        -0.053186975,
        0.22245404,
        -0.008568671,
        0.136502,
        -0.16014917,
        -1.09849,
        -2.252439,
        -0.07268565,
        -1.4919237,
        0.53589755,
    ],
    "Adadelta": [
        0.99906266,
        -0.499063,
        1.9990627,
        0.24906367,
        -1.4990628,
        0.74906284,
        0.4990624,
        -1.0009369,
        1.9990621,
        -0.100937225,
        0.999063,
    ],
    "Adadelta of 1": [
        0.05153932,
        -0.0002626795,
        0.5507482,
        2.1748328e-09,
        -0.2475057,
        0.010898723,
        -1.0086107,
        -1.8443592,
        -0.7010223,
        -1.1834236,
        0.8652983,
    ],
    "AdagradDA": [
        -0.013772538,
        0.0017911863,
        -0.037582546,
        -0.00030924944,
        0.027112903,
        -0.007850389,
        -0.0044199163,
        0.05877469,
        0.17864357,
        -0.02296332,
        -0.0420154,
    ],
    "AdagradDA, l1 and l2": [-0.0, 0.0, -0.006454638, -0.0, 0.0, -0.0, -0.0, 0.0, 0.0, -0.0, -0.0],
    "Ftrl": [
        0.30255878,
        -0.01788248,
        1.0265142,
        -3.6211055e-05,
        -0.574217,
        0.058885142,
        -0.40685135,
        -1.0421829,
        -0.6390535,
        -0.7081982,
        0.838023,
    ],
    "Ftrl, power": [
        0.5727729,
        -0.054083988,
        1.2890856,
        -0.0002658369,
        -0.7339812,
        0.056832533,
        -0.2645516,
        -0.81785715,
        -0.49886423,
        -0.55234176,
        0.75184804,
    ],
    "Ftrl, l1 and l2": [
        0.29125127,
        -0.014983324,
        0.9919993,
        0.0,
        -0.54356456,
        0.048310757,
        -0.39293468,
        -0.9489146,
        -0.602952,
        -0.6614136,
        0.7910819,
    ],
    "Ftrl, shrinkage": [
        0.24802609,
        -0.00897225,
        0.80487746,
        -2.4610117e-06,
        -0.39197022,
        0.017180113,
        -0.36556092,
        -0.70224816,
        -0.62450176,
        -0.54963714,
        0.6926048,
    ],
    "ProximalGradientDescent": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.32261196, 0.7990287, 0.0, -0.044072926],
    "ProximalGradientDescent, plain": [
        0.0007979226,
        -0.0003989613,
        0.2431533,
        0.030394163,
        -0.18236497,
        0.091182485,
        0.067033224,
        -1.1787033,
        1.9647664,
        -0.53506875,
        0.11154241,
    ],
    "ProximalAdagrad": [0.28785616, 0.0, 1.0538949, 0.0, -0.5760966, 0.0, -0.15178448, -0.7146515, -0.014521255, -0.39499837, 0.4485945],
    "ProximalAdagrad, plain": [
        0.37753776,
        -0.04126864,
        1.3050145,
        0.0026045307,
        -0.830224,
        0.19263707,
        -0.17335325,
        -1.4741253,
        1.6659025,
        -0.6805717,
        0.49758607,
    ],
}
# the kernels of AdaMax and of Adam with Nesterov's momentum; the others after a decay of the variable
CONTRIB: dict[str, tuple[Callable[[], T.Optimizer], list[float]]] = {
    "AdaMax": (
        lambda: tf.contrib.opt.AdaMaxOptimizer(0.05),
        [
            0.25480574,
            0.046641503,
            1.1318406,
            -0.04311669,
            -0.67477375,
            0.07754926,
            -0.37491298,
            -1.5834402,
            1.1095722,
            -0.7927369,
            0.41157752,
        ],
    ),
    "Nadam": (
        lambda: tf.contrib.opt.NadamOptimizer(0.05),
        [
            0.054257028,
            0.091207996,
            0.93759567,
            0.024291998,
            -0.46995175,
            -0.08587381,
            -0.51319957,
            -1.8229308,
            0.81401765,
            -1.0064288,
            0.32338786,
        ],
    ),
    "MomentumW": (
        lambda: tf.contrib.opt.MomentumWOptimizer(0.01, 0.05, 0.9),
        [
            -0.061580427,
            0.030790213,
            -0.18355758,
            -0.022944698,
            0.13766822,
            -0.06883411,
            -0.00839074,
            -1.1358258,
            1.591209,
            -0.83624554,
            0.37101483,
        ],
    ),
    "AdamW": (
        lambda: tf.contrib.opt.AdamWOptimizer(0.01, 0.05),
        [
            0.03956715,
            0.124797225,
            0.7816942,
            0.029670835,
            -0.3939167,
            -0.09335987,
            -0.40905464,
            -1.5337648,
            0.6961245,
            -0.8348129,
            0.214357,
        ],
    ),
}
every = pytest.mark.parametrize("name", OPTIMIZERS)


@every
def test_three_steps(name: str) -> None:
    counter = T.get_or_create_global_step()
    v = tf.Variable(1.0)
    step = OPTIMIZERS[name](counter).minimize(v * v, counter)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = [session.run([step, v])[1] for _ in range(3)]
    assert found == pytest.approx(SQUARE[name], abs=1e-6)


@every
@pytest.mark.parametrize("loop", [False, True])
def test_twenty_steps_of_three_variables(name: str, loop: bool) -> None:
    _twenty(OPTIMIZERS[name], DENSE[name], loop)


@pytest.mark.parametrize("name", CONTRIB)
def test_contrib(name: str) -> None:
    make, wanted = CONTRIB[name]
    _twenty(lambda counter: make(), wanted, False)


def _twenty(make: Callable[[Any], T.Optimizer], wanted: list[float], loop: bool) -> None:
    counter = T.get_or_create_global_step()
    w = tf.Variable(np.array([[1.0, -0.5, 2.0], [0.25, -1.5, 0.75]], np.float32))
    b = tf.Variable(np.array([0.5, -1.0, 2.0, -0.1], np.float32))
    c = tf.Variable(1.0)
    loss = tf.reduce_sum(tf.square(w)) * 0.5 + tf.reduce_sum(tf.tanh(b)) * c + tf.reduce_sum(tf.square(w[0, :2])) + c * c
    step = make(counter).minimize(loss, counter)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        if loop:
            session.run_loop(step, 20)
        else:
            for _ in range(20):
                session.run(step)
        found = np.concatenate([np.ravel(x) for x in session.run([w, b, c])])
    np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=1e-6)


def test_lazy_adam_leaves_other_rows() -> None:
    """Adam decays the moments of all rows and so moves them all; the lazy one moves what is used."""
    moved = []
    for make in (T.AdamOptimizer, tf.contrib.opt.LazyAdamOptimizer, tf.contrib.opt.AdaMaxOptimizer):
        table, ids = tf.Variable(np.ones((3, 2), np.float32)), tf.placeholder(tf.int32, [None])
        optimizer = make(0.1)
        step = optimizer.minimize(tf.reduce_sum(tf.square(tf.gather(table, ids))))
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(step, {ids: [0, 0]})
            before = session.run([table, optimizer.get_slot(table, "m")])
            session.run(step, {ids: [1]})
            moved.append(
                [(a != b).any(1).tolist() for a, b in zip(before, session.run([table, optimizer.get_slot(table, "m")]), strict=True)]
            )
    assert moved == [[[True, True, False]] * 2, [[False, True, False]] * 2, [[False, True, False]] * 2]


def test_all_variables_of_an_optimizer() -> None:
    v = tf.Variable([1.0], name="v")
    adam, max_ = T.AdamOptimizer(0.1), tf.contrib.opt.AdaMaxOptimizer(0.1)
    assert adam.variables() == []
    for optimizer in (adam, max_):
        optimizer.minimize(v * v)
    assert [x.op.name for x in adam.variables()] == ["beta1_power", "beta2_power", "v/Adam", "v/Adam_1"]
    assert [x.op.name for x in max_.variables()] == ["beta1_power_1", "v/AdaMax", "v/AdaMax_1"]


def test_numbers_that_cannot_be() -> None:
    for make, said in (
        (lambda: T.FtrlOptimizer(0.1, learning_rate_power=0.5), "learning_rate_power 0.5 needs to be negative or zero"),
        (lambda: T.FtrlOptimizer(0.1, l1_regularization_strength=-1.0), "l1_regularization_strength -1.0 needs to be positive or zero"),
        (lambda: T.AdagradDAOptimizer(0.1, None, 0.0), "initial_gradient_squared_accumulator_value must be positive: 0.0"),
        (lambda: T.ProximalAdagradOptimizer(0.1, -1.0), "initial_accumulator_value must be positive"),
    ):
        with pytest.raises(ValueError, match=said):
            make()
    with pytest.raises(AttributeError, match="SyncReplicasOptimizer is not part of symgraph"):
        T.SyncReplicasOptimizer  # noqa: B018
    with pytest.raises(NotImplementedError, match="derivatives follow from what operations mean"):
        tf.get_default_graph().gradient_override_map({"Sign": "Identity"})
