"""Maps that take a product's elements as they are made, on a grid of blocks of lanes."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen import products, stages
from tests.codegen.programs import Writer
from tests.codegen.test_grid import check

M, N, K = 15, 21, 9


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def draws(w: Writer) -> list[np.ndarray]:
    """What a program is fed, with M rows where their number is unknown."""
    return [draw(*(M if e == "m" else e for e in b.shape)) for b in w.buffers if b.role == "input"]


def check_net(w: Writer, *outputs: str, states: int = 0):
    held = [draw(*b.shape) for b in w.buffers if b.role == "state"]
    return check(w.done(*outputs), held, draws(w), tolerance=1e-3)


@pytest.mark.parametrize("rows", [M, "m"])
def test_bias_and_activation(rows):
    """The sum with the bias is read by the gradient too: both are stored, the product is not."""
    w = Writer()
    x, y, b = w.input(rows, 12), w.input(12, N), w.input(N)
    z = w.apply("add", w.matmul(x, y), b)
    h = w.apply("relu", z)
    made = check_net(w, h, w.reduce("sum", w.apply("mul", h, z), (0,)))
    assert made.source.count("def keep") == 1 and "local): p" in str(made.reports[0])


def test_a_product_that_others_read_is_stored_as_well():
    w = Writer()
    p = w.matmul(w.input(M, 12), w.input(N, 12), tb=True)
    made = check_net(w, w.apply("tanh", p), w.reduce("max", p, (1,)))
    assert "def keep" in made.source


def test_states_are_updated_in_place_behind_a_product():
    w = Writer()
    g = w.matmul(w.input("m", 12), w.input("m", N), ta=True)
    moment, weight = w.state(12, N), w.state(12, N)
    new = w.map(lambda b, m, p: b.apply("add", b.apply("mul", m, b.literal(0.9, "float32")), p), moment, g)
    step = w.map(lambda b, s, m, p: b.apply("sub", s, b.apply("tanh", b.apply("add", m, p))), weight, moment, g)
    w.updates += [(moment, new), (weight, step)]
    made = check_net(w)
    assert made.source.count("def keep") == 1 and "updated in place" in str(made.reports[0]) and not made.memory.commits


def test_a_state_that_the_product_itself_reads_is_not_changed_meanwhile():
    w = Writer()
    s = w.state(12, N)
    p = w.matmul(w.input(12, 12), s)
    w.updates.append((s, w.map(lambda b, a, c: b.apply("sub", b.apply("tanh", a), b.apply("mul", c, c)), s, p)))
    made = check_net(w)
    assert "def keep" in made.source and made.memory.commits


def test_elements_of_other_places_wait():
    w = Writer()
    p = w.matmul(w.input(M, 12), w.input(12, M))
    turned = w.map(lambda b, a, c: b.apply("add", a, c), p, p, index=((0, 1), (1, 0)), space=(M, M))
    late = w.matmul(w.input(M, 9), w.input(9, M))
    both = w.apply("mul", p, late)
    made = check_net(w, turned, both, w.apply("add", late, w.apply("exp", turned)))
    assert made.source.count("def keep") == 1


def test_a_state_that_other_products_read_is_updated_after_them():
    """The gradient of the inner weights stands after the product that carries the error past them."""
    w = Writer()
    e, h, weight = w.input("m", N), w.input("m", 12), w.state(12, N)
    g = w.matmul(h, e, ta=True)
    past = w.matmul(e, weight, tb=True)
    new = w.map(lambda b, s, p: b.apply("sub", s, b.apply("tanh", p)), weight, g)
    w.updates.append((weight, new))
    made = check_net(w, w.apply("mul", past, h))
    assert made.source.count("def keep") == 2 and not made.memory.commits


@pytest.mark.parametrize("length", [40, 43])
@pytest.mark.parametrize("how", ["alone", "behind", "onto"])
def test_a_long_inner_axis_is_cut(monkeypatch, how, length):
    """Parts of it are made side by side and added up in order: with Maps behind them, or onto a state."""
    monkeypatch.setattr(products, "CHUNK", 8)
    w = Writer()
    p = w.matmul(w.input(length, 12), w.input(length, N), ta=True)
    outputs = [p] if how == "alone" else [w.apply("tanh", p)]
    if how == "onto":
        outputs, s = [], w.state(12, N)
        w.updates.append((s, w.map(lambda b, s, p: b.apply("sub", s, b.apply("mul", p, b.literal(0.1, "float32"))), s, p)))
    made = check_net(w, *outputs)
    assert "gemm_part_f32(" in made.source and ("gemm_join_into(" in made.source) == (how == "behind") and made.kernel.barriers == 1


def test_an_axis_whose_length_comes_with_the_launch_is_cut_there(monkeypatch):
    monkeypatch.setattr(stages, "_parts", lambda *_: 3)
    w = Writer()
    made = check_net(w, w.apply("tanh", w.matmul(w.input("m", 12), w.input("m", N), ta=True)))
    assert "max(32, (n0 + 95) // 96 * 32)" in made.source


def test_what_is_cut():
    assert products.inner_parts(50, 300, 784) == 6 and products.inner_parts(784, 300, 50) == 1
    assert products.inner_parts(784, 300, 60000) == 1 and products.inner_parts(10, 10, 100000) == 128


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("rows", [M, "m"])
def test_factors_are_made_as_they_are_read(rows, turned):
    w = Writer()
    x, mean, mask = w.input(rows, 12), w.input(12), w.input(12, N)
    left = w.apply("sub", x, mean)
    walks, space = ((1, 0), (N, 12)) if turned else ((0, 1), (12, N))
    right = w.map(lambda b, a: b.apply("mul", a, a), mask, index=(walks,), space=space)
    made = check_net(w, w.apply("tanh", w.matmul(left, right, tb=turned)), w.matmul(w.apply("neg", w.input(11, rows)), x))
    assert made.source.count("def give") == 3 and made.source.count("def keep") == 1 and made.kernel.barriers == 0


def test_a_state_that_a_factor_is_made_of_is_not_changed_meanwhile():
    w = Writer()
    s = w.state(12, N)
    p = w.matmul(w.input(12, 12), w.apply("neg", s))
    w.updates.append((s, w.map(lambda b, a, c: b.apply("sub", b.apply("tanh", a), b.apply("mul", c, c)), s, p)))
    made = check_net(w)
    assert "def give" in made.source and made.memory.commits


def test_equal_layers_have_one_function():
    w = Writer()
    h, weights = w.input(M, 12), [w.input(12, 12) for _ in range(3)]
    for weight in weights:
        h = w.apply("relu", w.matmul(h, weight))
    made = check_net(w, w.apply("sqrt", w.matmul(h, w.input(12, N))))
    assert made.source.count("def keep") == 2 and made.source.count("keep0, (") == 3
