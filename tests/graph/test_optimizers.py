"""Optimizers: TF1's trajectories, names, slots and conveniences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as tf

train = tf.train

OPTIMIZERS: dict[str, tuple[Callable[[], train.Optimizer], list[float]]] = {
    # recorded from TensorFlow: v*v from 1, three steps
    "GradientDescent": (lambda: train.GradientDescentOptimizer(0.1), [0.8, 0.64, 0.512]),
    "Momentum": (lambda: train.MomentumOptimizer(0.1, 0.9), [0.8, 0.46, 0.062]),
    "Nesterov": (lambda: train.MomentumOptimizer(0.1, 0.9, use_nesterov=True), [0.62, 0.2224, -0.10835198]),
    "Adagrad": (lambda: train.AdagradOptimizer(0.1), [0.90122706, 0.8347374, 0.7822992]),
    "RMSProp": (lambda: train.RMSPropOptimizer(0.1, momentum=0.9), [0.8245884, 0.5293809, 0.17452648]),
    "Adam": (lambda: train.AdamOptimizer(0.1), [0.90000004, 0.8004126, 0.7015873]),
}
every = pytest.mark.parametrize("name", OPTIMIZERS)


def names() -> list[str]:
    return [op.name for op in tf.get_default_graph().get_operations()]


def started() -> tf.Session:
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    return session


def trajectory(step: Any, v: Any, times: int = 3, feed: dict | None = None) -> list[float]:
    with started() as session:
        out = []
        for _ in range(times):
            assert session.run(step, feed) is None
            out.append(session.run(v))
    return out


# ---------------------------------------------------------------- numbers
@every
def test_trajectory(name: str) -> None:
    make, wanted = OPTIMIZERS[name]
    v = tf.Variable(1.0)
    assert trajectory(make().minimize(v * v), v) == pytest.approx(wanted, abs=1e-6)


@every
def test_trajectory_in_float64_and_as_a_matrix(name: str) -> None:
    make, wanted = OPTIMIZERS[name]
    v = tf.Variable(np.ones((2, 3)))
    found = trajectory(make().minimize(tf.reduce_sum(v * v)), v)
    assert found[0].dtype == np.float64
    for x, w in zip(found, wanted, strict=True):
        np.testing.assert_allclose(x, np.full((2, 3), w), atol=5e-7)


@every
def test_two_dtypes_in_one_step(name: str) -> None:
    make, wanted = OPTIMIZERS[name]
    v, w = tf.Variable(1.0), tf.Variable(np.float64(1.0))
    step = make().minimize(v * v + tf.cast(w * w, tf.float32))
    with started() as session:
        for expected in wanted:
            session.run(step)
            assert session.run([v, w]) == pytest.approx([expected, expected], abs=1e-6)


def test_plain_rmsprop_and_its_epsilon() -> None:
    v = tf.Variable(1.0)
    rms, x = 1.0, 1.0
    wanted = []
    for _ in range(3):
        g = 2 * x
        rms = 0.5 * rms + 0.5 * g * g
        x -= 0.1 * g / np.sqrt(rms + 0.25)
        wanted.append(x)
    assert trajectory(train.RMSPropOptimizer(0.1, decay=0.5, epsilon=0.25).minimize(v * v), v) == pytest.approx(wanted, abs=1e-6)


def test_adagrad_starts_where_it_is_told() -> None:
    v = tf.Variable(1.0)
    (first, *_) = trajectory(train.AdagradOptimizer(0.1, initial_accumulator_value=5.0).minimize(v * v), v)
    assert first == pytest.approx(1 - 0.2 / 3, abs=1e-6)
    with pytest.raises(ValueError, match="positive"):
        train.AdagradOptimizer(0.1, initial_accumulator_value=0.0)


def test_updates_are_simultaneous() -> None:
    """Both gradients are of the values before the step."""
    x, y = tf.Variable(2.0), tf.Variable(3.0)
    step = train.GradientDescentOptimizer(0.1).minimize(x * y)
    with started() as session:
        session.run(step)
        assert session.run([x, y]) == pytest.approx([2 - 0.3, 3 - 0.2])


def test_loss_beside_its_step_is_the_one_before() -> None:
    v = tf.Variable(1.0)
    loss = v * v
    step = train.GradientDescentOptimizer(0.1).minimize(loss)
    with started() as session:
        assert [session.run([loss, step])[0] for _ in range(2)] == pytest.approx([1, 0.64])


# ---------------------------------------------------------------- names
def test_names_of_gradient_descent() -> None:
    theta = tf.Variable(1.0, name="theta")
    step = train.GradientDescentOptimizer(0.1).minimize(theta * theta)
    assert step.name == "GradientDescent"
    assert step.type == "NoOp"
    assert {"GradientDescent/learning_rate", "GradientDescent/update_theta/ApplyGradientDescent"} <= set(names())
    assert [v.name for v in tf.global_variables()] == ["theta:0"]
    assert train.GradientDescentOptimizer(0.1).minimize(theta * theta).name == "GradientDescent_1"


@pytest.mark.parametrize(
    ("name", "slots"),
    [
        ("Momentum", ["h/w/Momentum:0"]),
        ("Adagrad", ["h/w/Adagrad:0"]),
        ("RMSProp", ["h/w/RMSProp:0", "h/w/RMSProp_1:0"]),
        ("Adam", ["train/beta1_power:0", "train/beta2_power:0", "h/w/Adam:0", "h/w/Adam_1:0"]),
    ],
)
def test_slots_lie_beside_their_variable(name: str, slots: list[str]) -> None:
    with tf.name_scope("h"):
        w = tf.Variable(1.0, name="w")
    with tf.name_scope("train"):
        step = OPTIMIZERS[name][0]().minimize(w * w)
    assert step.name == f"train/{name}"
    assert f"train/{name}/update_h/w/Apply{name}" in names()
    assert [v.name for v in tf.global_variables()] == ["h/w:0", *slots]
    assert tf.trainable_variables() == [w]


def test_slots_are_named_after_the_optimizer() -> None:
    w = tf.Variable(1.0, name="w")
    adam = train.AdamOptimizer(0.1, name="Adam2")
    adam.minimize(w * w)
    assert adam.get_name() == "Adam2"
    assert adam.get_slot_names() == ["m", "v"]
    assert adam.get_slot(w, "m").name == "w/Adam2:0"
    assert adam.get_slot(w, "v").name == "w/Adam2_1:0"
    assert adam.get_slot(w, "momentum") is None
    assert {"Adam2/mul", "Adam2/Assign", "Adam2/mul_1", "Adam2/Assign_1"} <= set(names())


def test_minimize_with_a_name() -> None:
    v = tf.Variable(1.0)
    step = train.MomentumOptimizer(0.1, 0.9).minimize(v * v, name="training_op")
    assert step.name == "training_op"
    assert tf.get_default_graph().get_operation_by_name("training_op") is step
    assert [x.name for x in tf.global_variables()] == ["Variable:0", "Variable/Momentum:0"]


def test_beta_powers() -> None:
    v = tf.Variable(np.float64(1.0))
    step = train.AdamOptimizer(0.1, beta1=0.5, beta2=0.25).minimize(v * v)
    power1, power2 = (x for x in tf.global_variables() if "power" in x.name)
    assert power1.dtype is power2.dtype is tf.float32
    with started() as session:
        assert session.run([power1, power2]) == [0.5, 0.25]
        session.run(step)
        session.run(step)
        assert session.run([power1, power2]) == [0.125, 0.015625]


# ---------------------------------------------------------------- what is minimised
def test_var_list() -> None:
    x, y, z = tf.Variable(2.0), tf.Variable(3.0), tf.Variable(1.0, trainable=False)
    loss = x * y * z
    step = train.GradientDescentOptimizer(0.1).minimize(loss)
    only = train.GradientDescentOptimizer(0.1).minimize(loss, var_list=[y])
    untrained = train.GradientDescentOptimizer(0.1).minimize(loss, var_list=z)
    with started() as session:
        session.run(only)
        assert session.run([x, y, z]) == pytest.approx([2, 2.8, 1])
        session.run(step)
        assert session.run([x, y, z]) == pytest.approx([2 - 0.28, 2.8 - 0.2, 1])
        session.run(untrained)
        assert session.run(z) == pytest.approx(1 - 0.1 * 1.72 * 2.6)


@every
def test_unknown_ranks_change_nothing(name: str) -> None:
    """A loss over a tensor of unknown rank: the slots are kept all the same."""
    make, wanted = OPTIMIZERS[name]
    v, y = tf.Variable(1.0), tf.placeholder(tf.float32)
    assert trajectory(make().minimize(tf.square(v - y)), v, feed={y: 0.0}) == pytest.approx(wanted, abs=1e-6)


def test_a_step_counter_is_one_whole_number() -> None:
    train.assert_global_step(train.create_global_step())
    with pytest.raises(ValueError, match="already exists"):
        train.create_global_step()
    for wrong, said in ((tf.Variable(1.0), "integer type"), (tf.Variable([1, 2]), "not scalar")):
        with pytest.raises(TypeError, match=said):
            train.assert_global_step(wrong)
    with started() as session:
        assert train.global_step(session, train.get_global_step()) == 0
    v = tf.Variable(1.0)
    assert train.GradientDescentOptimizer(0.1).minimize(
        v * v, gate_gradients=train.Optimizer.GATE_OP, aggregation_method=tf.AggregationMethod.ADD_N
    )


def test_variables_without_a_gradient_stay() -> None:
    x, other = tf.Variable(2.0), tf.Variable(3.0)
    pairs = train.GradientDescentOptimizer(0.1).compute_gradients(x * x)
    assert [v for _, v in pairs] == [x, other]
    assert pairs[1][0] is None
    step = train.GradientDescentOptimizer(0.1).apply_gradients(pairs)
    with started() as session:
        session.run(step)
        assert session.run([x, other]) == pytest.approx([1.6, 3])


def test_compute_then_apply() -> None:
    x = tf.Variable([3.0, 4.0])
    optimizer = train.GradientDescentOptimizer(1.0)
    pairs = optimizer.compute_gradients(tf.reduce_sum(x * x) / 2.0)
    clipped = [(tf.clip_by_value(g, -1.0, 3.5), v) for g, v in pairs]
    step = optimizer.apply_gradients(clipped, name="clipped")
    assert step.name == "clipped"
    with started() as session:
        session.run(step)
        assert session.run(x).tolist() == [0, 0.5]


def test_grad_loss() -> None:
    x = tf.Variable([1.0, 2.0])
    ((g, _),) = train.GradientDescentOptimizer(1.0).compute_gradients(x * x, grad_loss=tf.constant([10.0, 100.0]))
    with started() as session:
        assert session.run(g).tolist() == [20, 400]


def test_global_step() -> None:
    step_count = tf.Variable(0, trainable=False, name="global_step")
    v = tf.Variable(1.0)
    step = train.GradientDescentOptimizer(0.1).minimize(v * v, global_step=step_count)
    assert step.name == "GradientDescent"
    assert step.type == "AssignAdd"
    assert "GradientDescent/update" in names()
    with started() as session:
        for _ in range(3):
            session.run(step)
        assert session.run(step_count) == 3
        assert session.run(v) == pytest.approx(0.512)


def test_get_or_create_global_step() -> None:
    assert train.get_global_step() is None
    step = train.get_or_create_global_step()
    assert step is train.get_or_create_global_step() is train.get_global_step()
    assert step.name == "global_step:0"
    assert step.dtype is tf.int64
    assert step not in tf.trainable_variables()


def test_train_op_collection() -> None:
    v = tf.Variable(1.0)
    step = train.GradientDescentOptimizer(0.1).minimize(v * v)
    assert tf.get_default_graph().get_collection("train_op") == [step]


# ---------------------------------------------------------------- numbers that vary
def test_a_fed_learning_rate() -> None:
    rate = tf.placeholder(tf.float32, ())
    v = tf.Variable(1.0)
    step = train.GradientDescentOptimizer(rate).minimize(v * v)
    with started() as session:
        session.run(step, {rate: 0.1})
        session.run(step, {rate: 0.25})
        assert session.run(v) == pytest.approx(0.4)


@every
def test_a_learning_rate_that_is_computed(name: str) -> None:
    make, wanted = OPTIMIZERS[name]
    optimizer = make()
    optimizer._numbers["learning_rate"] = tf.Variable(0.05, trainable=False) * 2.0
    v = tf.Variable(1.0)
    assert trajectory(optimizer.minimize(v * v, var_list=[v]), v) == pytest.approx(wanted, abs=1e-6)


def test_a_decaying_learning_rate() -> None:
    count = tf.Variable(0, trainable=False)
    rate = 0.1 * tf.pow(0.5, tf.cast(count, tf.float32))
    v = tf.Variable(1.0)
    step = train.GradientDescentOptimizer(rate).minimize(v * v, global_step=count)
    found = trajectory(step, v)
    assert found == pytest.approx([0.8, 0.8 * 0.9, 0.8 * 0.9 * 0.95])


def test_feeding_the_constant_rate() -> None:
    v = tf.Variable(1.0)
    step = train.GradientDescentOptimizer(0.1).minimize(v * v)
    assert trajectory(step, v, 1, {"GradientDescent/learning_rate:0": 0.25}) == [0.5]


# ---------------------------------------------------------------- several
def test_two_optimizers_in_one_graph() -> None:
    x, y = tf.Variable(1.0), tf.Variable(1.0)
    loss = x * x + y * y
    first = train.AdamOptimizer(0.1).minimize(loss, var_list=[x])
    second = train.AdamOptimizer(0.1).minimize(loss, var_list=[y])
    assert (first.name, second.name) == ("Adam", "Adam_1")
    assert [v.name for v in tf.global_variables()][2:] == [
        *("beta1_power:0", "beta2_power:0", "Variable/Adam:0", "Variable/Adam_1:0"),
        *("beta1_power_1:0", "beta2_power_1:0", "Variable_1/Adam:0", "Variable_1/Adam_1:0"),
    ]
    with started() as session:
        session.run(first)
        session.run(first)
        session.run(second)
        assert session.run([x, y]) == pytest.approx([0.8004126, 0.9], abs=1e-6)
        session.run([first, second])
        assert session.run([x, y]) == pytest.approx([0.7015873, 0.8004126], abs=1e-6)


def test_one_optimizer_used_twice_shares_its_slots() -> None:
    x = tf.Variable(1.0)
    momentum = train.MomentumOptimizer(0.1, 0.9)
    a, b = momentum.minimize(x * x), momentum.minimize(x * x)
    assert len(tf.global_variables()) == 2
    with started() as session:
        session.run(a)
        session.run(b)
        assert session.run(x) == pytest.approx(0.46)


def test_an_optimizer_class_passed_as_a_value() -> None:
    def build(optimizer_class: type = train.AdamOptimizer, learning_rate: float = 0.1) -> tf.Operation:
        v = tf.Variable(1.0)
        return optimizer_class(learning_rate=learning_rate).minimize(v * v)

    for cls in (train.AdamOptimizer, train.GradientDescentOptimizer, train.AdagradOptimizer, train.RMSPropOptimizer):
        with started() as session:
            step = build(cls)
            session.run(tf.global_variables_initializer())
            session.run(step)


def test_slots_need_their_initialiser() -> None:
    v = tf.Variable(1.0)
    early = tf.global_variables_initializer()
    step = train.MomentumOptimizer(0.1, 0.9).minimize(v * v)
    session = tf.Session()
    session.run(early)
    with pytest.raises(tf.errors.FailedPreconditionError, match="Variable/Momentum"):
        session.run(step)
    session.run(tf.global_variables_initializer())
    session.run(step)


# ---------------------------------------------------------------- mistakes
def test_mistakes() -> None:
    optimizer = train.GradientDescentOptimizer(0.1)
    with pytest.raises(ValueError, match="No variables"):
        optimizer.minimize(tf.constant(1.0))
    v = tf.Variable(1.0)
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.minimize(tf.constant(1.0))
    with pytest.raises(TypeError, match="tf.Variable"):
        optimizer.minimize(v * v, var_list=[tf.constant(1.0)])
    with pytest.raises(ValueError, match="Invalid type"):
        optimizer.minimize(tf.argmax([1.0]))
    with pytest.raises(ValueError, match="does not fit"):
        optimizer.apply_gradients([(tf.constant([1.0, 2.0]), v)])
    with pytest.raises(ValueError, match="No variables provided"):
        optimizer.apply_gradients([])
