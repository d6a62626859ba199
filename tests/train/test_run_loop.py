"""Training loops: the same numbers, records and states as the loop in Python that they stand for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any, ClassVar

import numpy as np
import pytest

import symgraph as sg
from tests.train.loop_models import BATCHED, MODELS, ROWS, Model, linear

WAYS = pytest.mark.parametrize("backend", ["auto", "reference"])


def started() -> sg.Session:
    sess = sg.Session()
    sess.run(sg.global_variables_initializer())
    return sess


def state(sess: sg.Session) -> dict[str, np.ndarray]:
    return {v.name: sess.run(v) for v in sg.global_variables()}


def in_python(sess: sg.Session, model: Model, steps: int, every: int, rows: list[np.ndarray] | None = None) -> dict[str, list]:
    """The loop as its documentation writes it."""
    kept: dict[str, list] = {name: [] for name in model.record}
    for s in range(steps):
        feed = model.feeds if rows is None else {t: x[rows[s]] for t, x in model.feeds.items()}
        if s % every == 0:
            for name, value in sess.run(model.record, feed).items():
                kept[name].append(value)
        sess.run(model.step, feed)
    return kept


def same(model: Model, steps: int, every: int, minibatch: sg.Minibatch | None = None, tolerance: float = 1e-6, **more: Any) -> sg.History:
    """Run both loops from the same start; values, records and random streams must agree."""
    rows = None if minibatch is None else minibatch.rows(ROWS, steps)
    with started() as theirs:
        wanted = in_python(theirs, model, steps, every, rows)
        wanted_state, wanted_next = state(theirs), theirs.run(model.record, model.feeds)
    with started() as ours:
        history = ours.run_loop(model.step, steps, model.feeds, minibatch, model.record, every, **more)
        found_state, found_next = state(ours), ours.run(model.record, model.feeds)
    assert history.steps.tolist() == list(range(0, steps, every))
    assert (history.steps_done, history.interrupted) == (steps, False)
    assert list(history) == list(model.record)
    for name in model.record:
        np.testing.assert_allclose(history[name], np.array(wanted[name]), rtol=tolerance, atol=tolerance, err_msg=name)
        assert history[name].dtype == np.array(wanted[name]).dtype
        np.testing.assert_allclose(found_next[name], wanted_next[name], rtol=tolerance, atol=tolerance, err_msg=name)
    for name, value in wanted_state.items():
        np.testing.assert_allclose(found_state[name], value, rtol=tolerance, atol=tolerance, err_msg=name)
    return history


# ---------------------------------------------------------------- the same numbers
@pytest.mark.parametrize("name", MODELS)
def test_as_the_loop_in_python(name: str) -> None:
    sg.set_random_seed(1)
    same(MODELS[name](), 20, 3)


@pytest.mark.parametrize("every", [1, 3, 7, 100])
@pytest.mark.parametrize("name", ["linear with Momentum", "swap", "noise", "dropout"])
def test_records_before_every_so_many_steps(name: str, every: int) -> None:
    sg.set_random_seed(1)
    history = same(MODELS[name](), 23, every)
    assert all(len(x) == len(range(0, 23, every)) for x in history.values())


@pytest.mark.parametrize("name", BATCHED)
def test_mini_batches_with_a_smaller_last_one(name: str) -> None:
    sg.set_random_seed(1)
    same(MODELS[name](), 12, 5, sg.Minibatch(10, seed=3))


@WAYS
@pytest.mark.parametrize(
    "minibatch",
    [
        sg.Minibatch(10, shuffle=False),
        sg.Minibatch(10, drop_last=True),
        sg.Minibatch(12),  # the last batch has one row
        sg.Minibatch(1),
        sg.Minibatch(100),
        sg.Minibatch(indices=np.random.default_rng(0).integers(0, ROWS, (9, 4))),
        sg.Minibatch(indices=[[0, 1, 2], [3], [4, 5]] * 3),
    ],
    ids=["in order", "drop_last", "rest of 1", "one row", "more than all", "indices", "ragged indices"],
)
def test_kinds_of_mini_batches(minibatch: sg.Minibatch, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_BACKEND", backend)
    same(linear(), 9, 2, minibatch)


@pytest.mark.parametrize("every", [1, 2, 3, 4, 7, 100])
def test_rows_are_drawn_in_pieces(every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece starts with a recorded step, or has none."""
    monkeypatch.setattr("symgraph.loop.ROWS", 30)
    assert "step by step" not in same(linear(), 17, every, sg.Minibatch(10, seed=3)).explain()


def test_a_second_loop_goes_on() -> None:
    model = linear()
    with started() as twice, started() as once:
        for _ in range(2):
            twice.run_loop(model.step, 10, model.feeds)
        once.run_loop([model.step], 20, model.feeds)
        for name, value in state(twice).items():
            np.testing.assert_array_equal(value, state(once)[name])


def test_fetched_tensors_have_their_effects() -> None:
    v = sg.Variable(0.0)
    with started() as sess:
        assert len(sess.run_loop({"a": [sg.assign_add(v, 1.0)]}, 5)) == 0
        assert sess.run(v) == 5.0


# ---------------------------------------------------------------- what is compiled
def test_what_is_shared_is_computed_once() -> None:
    same(linear(), 30, 10, tolerance=1e-4, reassociate=True)
    model = linear()
    with started() as sess:
        assert "computed once" in sess.run_loop(model.step, 30, model.feeds, reassociate=True).explain()
        assert "with reassociate=True: sums of products formed once" in sess.run_loop(model.step, 30, model.feeds).explain()


def test_a_rare_record_is_a_program_of_its_own() -> None:
    model = linear()
    with started() as sess:
        reports = [sess.run_loop(model.step, 10, model.feeds, record=model.record["mse"], every=n).explain() for n in (1, 100)]
    assert ["record:" in report for report in reports] == [False, True]


def test_a_by_product_needs_no_program() -> None:
    """The error that the gradient is made of costs the step nothing, however rare it is recorded."""
    X = sg.constant(np.ones((5, 3), np.float32))
    theta = sg.Variable(np.zeros((3, 1), np.float32), name="theta")
    error = sg.matmul(X, theta) - 1.0
    step = sg.train.GradientDescentOptimizer(0.1).minimize(sg.reduce_mean(sg.square(error)))
    with started() as sess:
        assert "record:" not in sess.run_loop(step, 10, record=[error, theta], every=100).explain()


def test_a_second_call_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = linear()
    with started() as sess:
        sess.run_loop(model.step, 10, model.feeds)
        monkeypatch.setattr(sg.codegen, "compile_loop", None, raising=False)
        sess.run_loop(model.step, 20, model.feeds)


def test_a_far_array_is_asked_for_a_block_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((700, 30)).astype(np.float32), rng.uniform(size=(700, 1)).astype(np.float32)
    theta = sg.Variable(sg.zeros([30, 1]))
    loss = sg.reduce_mean(sg.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=sg.matmul(X, theta)))
    step = sg.train.GradientDescentOptimizer(0.5).minimize(loss)
    found = []
    for far in (2**40, 0):
        monkeypatch.setattr("symgraph.codegen.layout.FAR", far)
        with started() as sess:
            asks = "prefetch(" in sess.compiled_loop(step).source
            assert asks == (far == 0)
            sess.run_loop(step, 20)
            found.append(sess.run(theta))
    assert np.array_equal(*found) and found[0].any()


def test_why_a_loop_runs_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    v = sg.Variable(0.0)
    with started() as sess:
        assert sess.run_loop(sg.no_op(), 3).explain() == "step by step: there is nothing to compute"
        history = sess.run_loop(sg.no_op(), 3, record=sg.assign_add(v, 1.0))
        assert history.explain() == "step by step: what is recorded writes variables"
        assert next(iter(history.values())).tolist() == [1.0, 2.0, 3.0]
        monkeypatch.setenv("SYMGRAPH_CHECK", "2")
        assert "SYMGRAPH_CHECK=2" in sess.run_loop(sg.assign_add(v, 1.0), 3).explain()


def test_a_compiled_loop_can_be_looked_at() -> None:
    model = linear()
    with started() as sess:
        made = sess.compiled_loop(model.step, model.feeds)
        assert "def kernel(" in made.source and "phase 0" in made.explain()
        assert made.path is None or made.path.exists()
        with pytest.raises(ValueError, match="step by step: there is nothing to compute\n  compiled_loop at test_run_loop.py"):
            sess.compiled_loop(sg.no_op())


def test_a_fault_names_the_operation() -> None:
    A = sg.Variable(np.eye(2, dtype=np.float32), name="A")
    inverse = sg.matrix_inverse(A, name="inverse")
    step = sg.assign(A, sg.where(sg.reduce_sum(inverse) > 3.9, sg.zeros_like(A), inverse * 0.5))
    with started() as sess, pytest.raises(sg.errors.InvalidArgumentError, match="not invertible") as e:
        sess.run_loop(step, 10)
    assert "'inverse' made" in str(e.value) and "run_loop at test_run_loop.py" in str(e.value)


# ---------------------------------------------------------------- functions
@WAYS
def test_a_function_keeps_its_outputs(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_BACKEND", backend)
    x = sg.placeholder(sg.float32, (None,), "x")
    w = sg.Variable(1.0, name="w")
    total = sg.reduce_sum(w * x, name="total")
    step = sg.function([x], [total, w], updates=[(w, w * 0.5)])
    history = step.loop(5, [1.0, 2.0], every=2)
    assert history["total"].tolist() == [3.0, 0.75, 0.1875]
    assert history[w].tolist() == history["w"].tolist() == [1.0, 0.25, 0.0625]
    assert step.variables["w"] == 1 / 32


def test_a_function_takes_mini_batches() -> None:
    x = sg.placeholder(sg.float32, (None,), "x")
    step = sg.function([x], sg.reduce_sum(x, name="total"))
    assert step.loop(3, [1.0, 2.0, 4.0], minibatch=sg.Minibatch(2, shuffle=False))["total"].tolist() == [3.0, 4.0, 3.0]
    with pytest.raises(TypeError, match=r"takes 1 arrays \(x\), 0 were given\n  loop at test_run_loop.py"):
        step.loop(3)


# ---------------------------------------------------------------- mini-batches
def test_rows_are_drawn_as_documented() -> None:
    generator, wanted = np.random.default_rng(7), []
    while len(wanted) < 11:
        order = generator.permutation(23)
        wanted += [order[first : first + 5].tolist() for first in range(0, 23, 5)]
    assert [rows.tolist() for rows in sg.Minibatch(5, seed=7).rows(23, 11)] == wanted[:11]


def test_a_generator_goes_on() -> None:
    minibatch, generator = sg.Minibatch(4, seed=np.random.default_rng(7)), np.random.default_rng(7)
    for _ in range(2):
        assert minibatch.rows(4, 1)[0].tolist() == generator.permutation(4).tolist()


def test_rows_come_in_pieces() -> None:
    minibatch = sg.Minibatch(5, seed=7)
    found = [r[:k].tolist() for table in minibatch.pieces(23, (3, 4, 11)) for r, k in zip(*table, strict=True)]
    assert found == [rows.tolist() for rows in minibatch.rows(23, 11)]


def test_only_open_dimensions_are_cut() -> None:
    X = sg.placeholder(sg.float32, (None, 2), "X")
    scale, rate, other = (sg.placeholder(sg.float32, shape) for shape in ((2,), (), (None,)))
    seen = sg.reduce_sum(X * scale * rate) + sg.reduce_sum(other)
    total = sg.Variable(0.0)
    step = sg.assign_add(total, seen)
    feeds = {X: np.ones((6, 2)), scale: [1.0, 10.0], rate: 2.0, other: np.zeros(5)}
    with started() as sess:
        sess.run_loop(step, 3, feeds, sg.Minibatch(2, tensors=[X]))
        assert sess.run(total) == 3 * 2 * 22.0
        with pytest.raises(ValueError, match="'X:0' has 6, 'Placeholder_2:0' has 5") as e:
            sess.run_loop(step, 3, feeds, sg.Minibatch(2))
        assert "Minibatch(tensors=[...])" in str(e.value)


# ---------------------------------------------------------------- histories
def test_what_a_history_shows() -> None:
    model = linear()
    mse, theta = model.record.values()
    with started() as sess:
        history = sess.run_loop(model.step, 10, model.feeds, record=[mse, theta, mse], every=4)
    assert history["mse"].shape == (3,) and history["theta"].shape == (3, 3, 1)
    assert history[theta] is history["theta"] and history["mse:0"] is history[mse]
    assert [*history] == ["mse", "theta"] and len(history) == 2 and "mse" in history
    assert history != history.arrays and repr(history).splitlines()[1].endswith("int64[3]          0, 4, 8")
    assert "float32[3, 3, 1]" in repr(history) and "<td>mse</td>" in history._repr_html_()
    with pytest.raises(KeyError, match="there are: mse, theta"):
        history["loss"]


def test_no_steps() -> None:
    model = linear()
    with started() as sess:
        history = sess.run_loop(model.step, 0, model.feeds, record=model.record)
    assert (history["theta"].shape, history["mse"].dtype, len(history.steps)) == ((0, 3, 1), np.float32, 0)


@WAYS
def test_one_tensor_under_two_names(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_BACKEND", backend)
    v = sg.Variable(1.0)
    step = sg.assign_add(v, 1.0)
    with started() as sess:
        history = sess.run_loop(step, 3, record={"a": v, "b": v})
    assert history["a"].tolist() == history["b"].tolist() == history[v].tolist() == [1, 2, 3]


@WAYS
@pytest.mark.parametrize("every", [1, 3])
def test_an_error_keeps_what_was_recorded(every: int, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_BACKEND", backend)
    places = sg.placeholder(sg.int32, [None])
    count = sg.Variable(0)
    total = sg.Variable(0.0)
    step = sg.group(sg.assign_add(count, 1), sg.assign_add(total, sg.reduce_sum(sg.gather(sg.constant([1.0, 2.0, 3.0]), places))))
    rows = np.array([[0, 1]] * 7 + [[1, 2]] + [[0, 0]] * 4)
    with started() as sess:
        with pytest.raises(sg.errors.InvalidArgumentError, match="indices") as caught:
            sess.run_loop(step, 12, {places: np.array([0, 2, 7])}, sg.Minibatch(indices=rows), record=count, every=every)
        history = caught.value.history
        assert history[count].tolist() == history.steps.tolist() == list(range(0, 7, every))
        assert history.steps_done == sess.run(count) == 7
    assert any("step 7" in note for note in caught.value.__notes__)


# ---------------------------------------------------------------- mistakes
def mistakes() -> list[Any]:
    batch, table = sg.Minibatch, np.zeros((5, 4), np.int64)
    return [
        pytest.param({"steps": -1}, ValueError, "steps must be at least 0, not -1", id="steps"),
        pytest.param({"steps": 2.5}, TypeError, "steps must be a whole number, not 2.5", id="half a step"),
        pytest.param({"every": 0}, ValueError, "every must be at least 1, not 0", id="every"),
        pytest.param({"record": "step"}, TypeError, "record takes tensors, but step is an operation", id="operation"),
        pytest.param({"record": {1: "mse:0"}}, TypeError, "names of what is recorded are strings, not 1", id="name"),
        pytest.param({"minibatch": 10}, TypeError, "minibatch must be a sg.Minibatch, not 10", id="batch size"),
        pytest.param({"minibatch": batch(indices=table)}, ValueError, "indices has rows for 5 steps, the loop has 6", id="indices"),
        pytest.param({"minibatch": batch(indices=[[1]] * 5 + [[-1]])}, ValueError, "row -1 in step 5, .* the rows 0 to 36", id="range"),
        pytest.param({"minibatch": batch(40, drop_last=True)}, ValueError, "no batch of 40 can be had", id="few rows"),
        pytest.param({"minibatch": batch(4, tensors=["mse:0"])}, ValueError, "Minibatch names .*mse.*, which is not fed", id="not fed"),
        pytest.param({"minibatch": batch(30), "record": "rows:0"}, ValueError, "whose shape does not change", id="shapes"),
        pytest.param({"feed_dict": {}}, sg.errors.InvalidArgumentError, "You must feed a value for placeholder tensor 'X'", id="no feed"),
    ]


@pytest.mark.parametrize(("arguments", "kind", "words"), mistakes())
def test_mistakes_are_told_at_the_users_line(arguments: dict, kind: type, words: str) -> None:
    X = sg.placeholder(sg.float32, (None, 3), "X")
    theta = sg.Variable(np.ones((3, 1), np.float32), name="theta")
    mse = sg.reduce_mean(sg.square(sg.identity(sg.matmul(X, theta), name="rows")), name="mse")
    sg.train.GradientDescentOptimizer(0.1).minimize(mse, name="step")
    with started() as sess, pytest.raises(kind, match=words) as e:
        sess.run_loop("step", **{"steps": 6, "feed_dict": {X: np.ones((ROWS, 3))}, **arguments})
    assert "test_run_loop.py" in str(e.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sg.Minibatch(), "either batch_size or indices"),
        (lambda: sg.Minibatch(0), "batch_size must be at least 1"),
        (lambda: sg.Minibatch(3, seed=-1), "non-negative"),
        (lambda: sg.Minibatch(indices=[[0.5]]), "indices of step 0 is float64; rows are whole numbers"),
        (lambda: sg.Minibatch(indices=np.zeros(3, int)), r"indices has shape \(3,\)"),
        (lambda: sg.Minibatch(indices=[[0], []]), "indices of step 1 has shape"),
    ],
)
def test_mini_batches_that_cannot_be(make: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words) as e:
        make()
    assert "Minibatch at test_run_loop.py" in str(e.value)


def test_variables_must_be_initialized() -> None:
    model = linear()
    with sg.Session() as sess, pytest.raises(sg.errors.FailedPreconditionError, match="uninitialized value theta"):
        sess.run_loop(model.step, 3, model.feeds)


def test_a_closed_session() -> None:
    sess = sg.Session()
    sess.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        sess.run_loop(sg.no_op(), 3)


# ---------------------------------------------------------------- progress
class Bar:
    """What of tqdm a loop uses."""

    made: ClassVar[list[Bar]] = []

    def __init__(self, total: int, initial: int, unit: str) -> None:
        self.total, self.n, self.unit, self.closed = total, initial, unit, False
        Bar.made.append(self)

    def update(self, more: int) -> None:
        self.n += more

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    Bar.made = []
    fake: Any = type(sys)("tqdm.auto")
    fake.tqdm = Bar
    monkeypatch.setitem(sys.modules, "tqdm", type(sys)("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", fake)
    return Bar.made


def test_a_bar_is_drawn(bars: list[Bar]) -> None:
    model = linear()
    with started() as sess:
        sess.run_loop(model.step, 50, model.feeds, progress=True)
    (bar,) = bars
    assert (bar.total, bar.n, bar.closed) == (50, 50, True)


@pytest.mark.parametrize(("progress", "looked_at", "drawn"), [(None, True, 1), (None, False, 0), (False, True, 0)])
def test_a_bar_where_a_loop_lasts(
    progress: bool | None, looked_at: bool, drawn: int, bars: list[Bar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symgraph.watch.PATIENCE", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: looked_at, raising=False)
    model = linear()
    with started() as sess:
        sess.run_loop(model.step, 50, model.feeds, progress=progress)
    assert len(bars) == drawn


def test_no_bar_for_short_loops(bars: list[Bar], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with started() as sess:
        sess.run_loop(sg.no_op(), 5)
    assert not bars


def test_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with started() as sess, pytest.raises(ImportError, match=r"pip install 'symgraph\[progress\]'"):
        sess.run_loop(sg.no_op(), 5, progress=True)


# ---------------------------------------------------------------- Ctrl-C
INTERRUPTED = """
import signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background has it ignored
import numpy as np
import symgraph as sg
n = sg.Variable(np.int64(0), name="n")
w = sg.Variable(np.zeros(100, np.float32), name="w")
step = sg.group(sg.assign_add(n, 1), sg.assign(w, 0.5 * w + 1.0))
with sg.Session() as sess:
    sess.run(sg.global_variables_initializer())
    sess.run_loop(step, 2, record=n, every=1000)
    print("ready", flush=True)
    history = sess.run_loop(step, 10**9, record=n, every=1000)
    print("back", time.time(), flush=True)
    made = int(sess.run(n)) - 2
    assert history.interrupted and made == history.steps_done > 0, (made, history)
    assert (history["n"] == np.arange(2, 2 + made, 1000)).all() and len(history.steps) == len(history["n"])
    print("valid", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@WAYS
def test_ctrl_c_ends_a_loop_between_steps(backend: str) -> None:
    env = {**os.environ, "SYMGRAPH_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    time.sleep(0.5)
    pressed = time.time()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out.split()[0] == "back" and out.split()[-1] == "valid", err
    assert float(out.split()[1]) - pressed < 0.5
    assert err.count("\n") == 1 and "the loop was interrupted after" in err


def test_arrays_that_batches_are_taken_of_need_not_be_read():
    with sg.Graph().as_default(), sg.Session() as sess:
        X = sg.placeholder(sg.float32, (None, 3))
        w = sg.Variable(np.ones((4, 3), np.float32))
        step = sg.assign(w, w * 0.5)
        sess.run(w.initializer)
        sess.run_loop(step, 2, {X: np.zeros((10, 3), np.float32)}, minibatch=sg.Minibatch(4))
        np.testing.assert_array_equal(sess.run(w), np.full((4, 3), 0.25))


def test_batches_of_nothing():
    with sg.Graph().as_default(), sg.Session() as sess:
        X = sg.placeholder(sg.float32, (None, 3))
        w = sg.Variable(np.ones(3, np.float32))
        step = sg.assign(w, w + sg.reduce_sum(X, axis=0))
        sess.run(w.initializer)
        with pytest.raises(ValueError, match="no batch of 5 can be had from arrays of 0 rows"):
            sess.run_loop(step, 2, {X: np.zeros((0, 3), np.float32)}, minibatch=sg.Minibatch(5))
        for none in (np.zeros((0, 3), int), []):
            history = sess.run_loop(step, 0, {X: np.ones((4, 3), np.float32)}, minibatch=sg.Minibatch(indices=none), record=w)
            assert history.steps_done == 0 and len(history.steps) == 0


def test_sizes_that_contradict_each_other_are_the_same_error_as_in_a_run():
    with sg.Graph().as_default(), sg.Session() as sess:
        u, r = (sg.placeholder(sg.float32, (None,)) for _ in range(2))
        w = sg.Variable(1.0)
        step = sg.assign(w, 0.5 * w + sg.reduce_mean(u * r))
        sess.run(w.initializer)
        for rows in (39, 40, 39):
            feed = {u: np.ones(40, np.float32), r: np.ones(rows, np.float32)}
            if rows == 40:
                sess.run_loop(step, 3, feed)
                continue
            with pytest.raises(sg.errors.InvalidArgumentError, match=r"Incompatible shapes: 40 vs\. 39"):
                sess.run_loop(step, 3, feed)


def test_a_loop_over_given_rows_can_be_looked_at_before_it_runs():
    with sg.Graph().as_default(), sg.Session() as sess:
        X = sg.placeholder(sg.float32, (None, 3))
        w = sg.Variable(np.ones(3, np.float32))
        step = sg.assign(w, w + sg.reduce_sum(X, axis=0))
        sess.run(w.initializer)
        rows = sg.Minibatch(indices=np.zeros((7, 4), int))  # for 7 steps
        assert "phase" in sess.compiled_loop(step, {X: np.ones((9, 3), np.float32)}, minibatch=rows).explain()
