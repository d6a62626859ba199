"""`sg.function`: compiled pieces of graph, what they return beside updates, and what can be inspected."""

from __future__ import annotations

import gc
import threading
from collections import defaultdict

import numba
import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen import Disagreement, Judged, config


@pytest.fixture
def step() -> sg.Function:
    X, y = sg.placeholder(sg.float32, (None, 3), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    theta = sg.Variable(np.zeros((3, 1), np.float32), name="theta")
    mse = sg.reduce_mean(sg.square(sg.matmul(X, theta) - y))
    (gradient,) = sg.gradients(mse, [theta])
    return sg.function([X, y], mse, updates=[(theta, theta - 0.1 * gradient)])


def rows(m: int) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(m).random((m, 3), np.float32)
    return X, X @ np.array([[1], [2], [3]], np.float32)


def test_a_training_step(step: sg.Function) -> None:
    X, y = rows(50)
    theta = np.zeros((3, 1))
    for _ in range(5):
        error = X @ theta - y
        assert step(X, y) == pytest.approx((error**2).mean(), rel=1e-5)
        theta -= 0.1 * 2 / 50 * X.T @ error
    np.testing.assert_allclose(step.variables["theta"], theta, rtol=1e-5)


def test_another_batch_size_is_no_new_plan(step: sg.Function) -> None:
    for m in (50, 7, 2):
        step(*rows(m))
    assert len(step._family.plans) == 1


def test_kernel_inside_compiled_code(step: sg.Function) -> None:
    kernel = step.kernel

    @numba.njit
    def loop(X: np.ndarray, y: np.ndarray, theta: np.ndarray, n: int) -> float:
        loss = np.float32(0)
        for _ in range(n):
            loss = kernel(X, y, theta)
        return loss

    X, y = rows(50)
    theta = np.zeros((3, 1), np.float32)
    loss = loop(X, y, theta, 5)
    wanted = [step(X, y) for _ in range(5)]
    assert loss == wanted[-1]
    np.testing.assert_array_equal(theta, step.variables["theta"])


def test_outputs_are_from_before_the_updates() -> None:
    v, w = sg.Variable(1.0), sg.Variable(2.0)
    f = sg.function([], [v, v * 1.0, sg.identity(v), w], updates=[(v, w + 1.0), (w, v)])
    assert f() == [1, 1, 1, 2]
    assert f() == [3, 3, 3, 1]


def test_initial_values_that_read_other_variables() -> None:
    a = sg.Variable(3.0)
    b = sg.Variable(a * 2.0)
    assert sg.function([], b)() == 6


def test_named_twice() -> None:
    v, x = sg.Variable(0.0), sg.placeholder(sg.float32, [1])
    with pytest.raises(ValueError, match="updated twice"):
        sg.function([], v, updates=[(v, v + 1.0), (v, v * 5.0)])
    with pytest.raises(ValueError, match="an input is named twice"):
        sg.function([x, x], x * 2.0)
    with pytest.raises(TypeError, match="not strings"):
        sg.function([], sg.constant("text"))


def test_threads_share_a_function() -> None:
    x = sg.placeholder(sg.float32, [None])
    f = sg.function([x], [x * 2.0, sg.reduce_sum(x)])
    wrong = []

    def work(k: int) -> None:
        given = np.full(2000, k, np.float32)
        for _ in range(200):
            double, total = f(given)
            if total != 2000 * k or not np.all(double == 2 * k):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_function_shares_a_session_across_threads() -> None:
    v = sg.Variable(0.0)
    with sg.Session() as sess:
        sess.run(sg.global_variables_initializer())
        f, op = sg.function([], [], updates=[(v, v + 1.0)], session=sess), sg.assign_add(v, 1.0).op
        threads = [threading.Thread(target=lambda call=call: [call() for _ in range(2000)]) for call in (f, lambda: sess.run(op))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sess.run(v) == 4000


def test_interpreted_functions_have_a_source_too() -> None:
    i = sg.placeholder(sg.int32, [2])
    f = sg.function([i], i + 1)
    assert f([1, 2]).tolist() == [2, 3]
    assert "def kernel" in f.source
    assert f.kernel(np.array([4, 5], np.int32)).tolist() == [5, 6]


def test_explain_is_of_the_first_compile() -> None:
    x = sg.placeholder(sg.float32, [None, 5])
    f = sg.function([x], sg.reduce_sum(sg.tanh(x) * 3.25))
    assert "in this process" not in f.explain()
    f(np.zeros((4, 5)))
    assert len(f._family.plans) == 1


def test_a_dict_of_defaults_keeps_its_kind() -> None:
    fetches = defaultdict(list, a=sg.constant(1))
    with sg.Session() as sess:
        found = sess.run(fetches)
    assert isinstance(found, defaultdict)
    assert found["a"] == 1


def test_debug_tells_what_is_compiled(capfd: pytest.CaptureFixture) -> None:
    x = sg.placeholder(sg.float32, [None])
    with config.override(SYMGRAPH_DEBUG=4):
        sg.function([x], x * 2.5)
    told = capfd.readouterr().err
    assert "compiled in" in told
    assert "program step" in told
    assert "def kernel" in told
    sg.function([x], x * 3.5)
    assert not capfd.readouterr().err


def test_check_2_compares_every_run_with_the_interpreter() -> None:
    x, v = sg.placeholder(sg.float32, [3]), sg.Variable(np.ones(3, np.float32))
    with config.override(SYMGRAPH_CHECK=2):
        f = sg.function([x], sg.exp(x) * v, updates=[(v, v * 0.5)])
        for _ in range(3):
            f([1.0, np.nan, np.inf])
    judged = f._plan.executable
    assert isinstance(judged, Judged)
    run = Judged(_Liar(judged.executable)).bind([np.ones(3, np.float32)])
    with pytest.raises(Disagreement, match="the interpreter says"):
        run(np.zeros(3, np.float32))


class _Liar:
    """An executable whose first result is off."""

    def __init__(self, honest: object) -> None:
        self.honest = honest

    def __getattr__(self, name: str) -> object:
        return getattr(self.honest, name)

    def bind(self, states: list) -> object:
        run = self.honest.bind(states)
        return lambda *inputs: tuple(v + 1 for v in run(*inputs))


def test_the_program_depends_on_the_graph_alone() -> None:
    def program(first: bool) -> str:
        sg.reset_default_graph()
        x = sg.placeholder(sg.float32, [3], "x")
        a, b = sg.constant([0.1, 0.2, 0.3]), sg.constant([0.5, 0.6, 0.7])
        parts = [lambda: sg.exp(a), lambda: sg.sin(b)]
        kept.extend(p().node for p in (parts if first else parts[::-1]))  # nodes outlive their graph
        f = sg.function([x], [x + sg.exp(a), x * sg.sin(b)])
        return "\n".join(line.split("#")[0].rstrip() for line in str(f.program).splitlines())

    kept: list = []
    programs = {program(True)}
    kept.clear()
    sg.reset_default_graph()
    gc.collect()
    programs |= {program(False), program(True)}
    assert len(programs) == 1
