"""Monitored sessions and their hooks: what runs, what is said, what is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgraph as tf


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What is logged, without times."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage().split(" (")[0])

    handler, log, old = Kept(), tf.get_logger(), tf.logging.get_verbosity()
    log.addHandler(handler)
    tf.logging.set_verbosity(tf.logging.INFO)
    yield lines
    log.removeHandler(handler)
    tf.logging.set_verbosity(old)


@pytest.fixture(autouse=True)
def _writers() -> Iterator[None]:
    yield
    tf.summary.FileWriterCache.clear()


def model(counted: bool = True) -> tuple[Any, Any]:
    """w goes to 3; (training operation, loss)."""
    w = tf.Variable(8.0, name="w")
    loss = tf.multiply(tf.placeholder_with_default(2.0, [], name="k"), tf.square(w - 3.0), name="loss")
    step = tf.train.get_or_create_global_step() if counted else None
    return tf.train.GradientDescentOptimizer(0.05).minimize(loss, global_step=step), loss


class Noted(tf.train.SessionRunHook):
    """Notes what it is called with."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def begin(self) -> None:
        self.notes.append("begin")

    def after_create_session(self, session: Any, coord: Any) -> None:
        self.notes.append(("created", float(session.run("w:0"))))

    def before_run(self, run_context: Any) -> Any:
        assert run_context.original_args.fetches is not None and run_context.session.graph is tf.get_default_graph()
        return tf.train.SessionRunArgs({"l": "loss:0"}, {"k:0": 4.0})

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.notes.append((round(float(run_values.results["l"]), 3), int(run_context.session.run("global_step:0"))))

    def end(self, session: Any) -> None:
        self.notes.append("end")


# ---------------------------------------------------------------- sessions
def test_training_that_goes_on_from_its_checkpoint(tmp_path: Path, said: list[str]) -> None:
    """Steps, checkpoints, log and summaries of two sessions in one folder are TensorFlow's."""
    seen = []
    for _ in range(2):
        tf.reset_default_graph()
        train, loss = model()
        tf.summary.scalar("loss", loss)
        noted = Noted()
        hooks = [noted, tf.train.StopAtStepHook(num_steps=7), tf.train.LoggingTensorHook({"a": loss}, every_n_iter=3)]
        settings: dict[str, Any] = {
            "save_checkpoint_steps": 4,
            "save_checkpoint_secs": None,
            "save_summaries_steps": 2,
            "log_step_count_steps": 3,
        }
        with tf.train.MonitoredTrainingSession(checkpoint_dir=str(tmp_path), hooks=hooks, **settings) as session:
            while not session.should_stop():
                session.run(train)
        seen.append(noted.notes)
    rate = 0.6**2  # of the loss, where k = 4
    losses = [100.0 * rate**n for n in range(14)]
    for notes, first in zip(seen, (0, 7), strict=True):
        assert notes[0] == "begin" and notes[-1] == "end"
        np.testing.assert_allclose(notes[1][1], 3.0 + 5.0 * 0.6**first, rtol=1e-5)
        np.testing.assert_allclose([n[0] for n in notes[2:-1]], losses[first : first + 7], atol=2e-3)
        assert [n[1] for n in notes[2:-1]] == list(range(first + 1, first + 8))
    saved = [line for line in said if line.startswith("Saving")]
    assert saved == [f"Saving checkpoints for {n} into {tmp_path / 'model.ckpt'}." for n in (0, 4, 7, 7, 11, 14)]
    assert f"Restoring parameters from {tmp_path / 'model.ckpt-7'}" in said
    logged = [line for line in said if line.startswith("a = ")]
    assert len(logged) == 6 and logged[0] == "a = 100.0"
    rates = [line for line in said if line.startswith("global_step/sec: ")]
    assert len(rates) == 4
    tf.summary.FileWriterCache.clear()
    (file,) = tmp_path.glob("events.*")  # one writer for all
    values = [(e.step, v.tag) for e in tf.train.summary_iterator(str(file)) for v in e.summary.value]
    assert sorted(s for s, tag in values if tag.startswith("loss")) == [1, 3, 5, 7, 8, 10, 12, 14]
    assert sorted(s for s, tag in values if tag == "global_step/sec") == [4, 7, 11, 14]
    assert (tmp_path / "graph.pbtxt").exists()


def test_what_a_scaffold_says(said: list[str]) -> None:
    train, loss = model()
    start = tf.placeholder(tf.float32, [])
    set_w = tf.assign(tf.trainable_variables()[0], start)
    calls = []
    scaffold = tf.train.Scaffold(
        init_op=tf.group(set_w, tf.train.get_global_step().initializer),
        init_feed_dict={start: 5.0},
        init_fn=lambda s, session: calls.append((s, float(session.run("w:0")))),
    )
    with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
        assert calls == [(scaffold, 5.0)] and session.run(loss) == 8.0 and session.graph is tf.get_default_graph()
        assert session.raw_session().run(loss, {"k:0": 1.0}) == 4.0 and session.run([loss, {"x": loss}], {"k:0": 1.0}) == [4.0, {"x": 4.0}]
        with pytest.raises(RuntimeError, match="finalized"):
            tf.constant(1)
    assert isinstance(scaffold.saver, tf.train.Saver) and scaffold.summary_op is None
    assert "Graph was finalized." in said and session.should_stop()
    with pytest.raises(RuntimeError, match="after should_stop"):
        session.run(loss)


def test_step_functions() -> None:
    train, loss = model()
    noted = Noted()
    with tf.train.MonitoredSession(hooks=[noted]) as session:

        def step(context: Any) -> float:
            before = float(context.session.run(loss))  # without hooks: k is 2
            context.run_with_hooks(train)
            if before < 10.0:
                context.request_stop()
            return before

        found = []
        while not session.should_stop():
            found.append(session.run_step_fn(step))
    assert found == [50.0, pytest.approx(18.0)]  # the stop ends the `with`
    assert len(noted.notes) == 2 + 3 + 1


def test_the_end_of_the_data_is_no_fault() -> None:
    train, _ = model()
    noted = Noted()
    rows = iter(range(3))
    with tf.train.MonitoredSession(hooks=[noted]) as session:
        while not session.should_stop():
            next(rows)
            session.run(train)
    assert noted.notes[-1] == "end" and len(noted.notes) == 2 + 3 + 1
    tf.reset_default_graph()
    train, _ = model()
    noted = Noted()
    with pytest.raises(ZeroDivisionError), tf.train.MonitoredSession(hooks=[noted]) as session:
        raise ZeroDivisionError
    assert noted.notes[-1] != "end"  # nothing is saved of a training that failed
    with pytest.raises(RuntimeError):
        session.run(train)


def test_one_graph_in_two_sessions(tmp_path: Path) -> None:
    """Trained in one, evaluated in the next; a hook for checkpoints needs neither saver nor scaffold."""
    train, loss = model()
    tf.summary.scalar("loss", loss)
    with tf.train.MonitoredSession(hooks=[tf.train.CheckpointSaverHook(str(tmp_path), save_steps=5)]) as session:
        session.run(train)
    creator = tf.train.ChiefSessionCreator(checkpoint_dir=str(tmp_path))
    with tf.train.MonitoredSession(creator, hooks=[tf.train.StopAtStepHook(last_step=1)]) as session:
        np.testing.assert_allclose(session.run(loss), 32.0, rtol=1e-6)
        assert session.should_stop()
        with pytest.raises(RuntimeError, match="after should_stop"):
            session.run(loss)
    tf.reset_default_graph()
    model()
    scaffold = tf.train.Scaffold(saver=tf.train.Saver())
    hook = tf.train.CheckpointSaverHook(str(tmp_path / "x"), save_steps=5)
    with pytest.raises(RuntimeError, match="No items in collection savers"):
        tf.train.SingularMonitoredSession(hooks=[hook], scaffold=scaffold)


@pytest.mark.parametrize("every", [1, 3, 10])
def test_when_summaries_are_written(tmp_path: Path, every: int) -> None:
    train, loss = model()
    hook = tf.train.SummarySaverHook(every, output_dir=str(tmp_path), summary_op=[tf.summary.scalar("loss", loss)])
    with tf.train.MonitoredSession(hooks=[hook, tf.train.StopAtStepHook(last_step=25)]) as session:
        while not session.should_stop():
            session.run(train)
    tf.summary.FileWriterCache.clear()
    (file,) = tmp_path.glob("events.*")
    assert [e.step for e in tf.train.summary_iterator(str(file)) if e.summary.value] == list(range(1, 26, every))


# ---------------------------------------------------------------- hooks
def run_with(*hooks: Any, steps: int = 5, counted: bool = True) -> list[float]:
    train, loss = model(counted)
    found = []
    with tf.train.MonitoredSession(hooks=hooks) as session:
        while not session.should_stop() and len(found) < steps:
            found.append(float(session.run([train, loss])[1]))
    return found


def test_stops(said: list[str]) -> None:
    assert len(run_with(tf.train.StopAtStepHook(last_step=3))) == 3
    tf.reset_default_graph()
    with pytest.raises(RuntimeError, match=r"Global step should be created to use StopAtStepHook(.|\n)*get_or_create_global_step"):
        run_with(tf.train.StopAtStepHook(num_steps=3), counted=False)
    tf.reset_default_graph()
    feeds = iter([1.0, float("nan"), 1.0])
    nan = tf.train.FeedFnHook(lambda: {"k:0": next(feeds)})
    with pytest.raises(tf.train.NanLossDuringTrainingError, match="NaN loss during training"):
        run_with(nan, tf.train.NanTensorHook("loss:0"))
    tf.reset_default_graph()
    feeds = iter([1.0, float("nan"), 1.0])
    assert len(run_with(nan, tf.train.NanTensorHook("loss:0", fail_on_nan_loss=False))) == 2
    assert said.count("Model diverged with loss = NaN.") == 2


def test_what_is_logged(said: list[str]) -> None:
    hooks = [
        tf.train.LoggingTensorHook(["loss:0"], every_n_iter=2),
        tf.train.LoggingTensorHook({"w": "w:0"}, at_end=True),
        tf.train.LoggingTensorHook(["loss:0"], every_n_secs=1000, formatter=lambda values: f"it is {values['loss:0']:.1f}"),
    ]
    run_with(*hooks)
    logged = [line for line in said if line[:4] in ("loss", "w = ", "it i")]
    assert [line[:12] for line in logged] == ["loss:0 = 50.", "it is 50.0", "loss:0 = 20.", "loss:0 = 8.3", "w = 4.6384"]


def test_listeners_and_savers(tmp_path: Path) -> None:
    notes: list[Any] = []

    class Listener(tf.train.CheckpointSaverListener):
        def begin(self) -> None:
            notes.append("begin")

        def before_save(self, session: Any, global_step_value: int) -> None:
            notes.append(("before", global_step_value))

        def after_save(self, session: Any, global_step_value: int) -> bool:
            notes.append(("after", global_step_value))
            return global_step_value >= 4  # asks for the end

        def end(self, session: Any, global_step_value: int) -> None:
            notes.append(("end", global_step_value))

    train, _ = model()
    saver = tf.train.Saver()
    hook = tf.train.CheckpointSaverHook(str(tmp_path / "new"), save_steps=2, saver=saver, checkpoint_basename="m", listeners=[Listener()])
    last = tf.train.FinalOpsHook("w:0")
    with tf.train.MonitoredSession(hooks=[hook, last]) as session:
        while not session.should_stop():
            session.run(train)
    assert notes == ["begin", *((what, n) for n in (0, 2, 4) for what in ("before", "after")), ("end", 4)]
    assert tf.train.latest_checkpoint(str(tmp_path / "new")) == str(tmp_path / "new" / "m-4")
    np.testing.assert_allclose(last.final_ops_values, 3.0 + 5.0 * 0.8**4, rtol=1e-6)


def test_timers() -> None:
    timer = tf.train.SecondOrStepTimer(every_steps=3)
    assert timer.should_trigger_for_step(5) and timer.update_last_triggered_step(5) == (None, None)
    assert [timer.should_trigger_for_step(n) for n in (5, 7, 8)] == [False, False, True]
    assert timer.update_last_triggered_step(9)[1] == 4 and timer.last_triggered_step() == 9
    timer = tf.train.SecondOrStepTimer(every_secs=1000)
    timer.update_last_triggered_step(1)
    assert not timer.should_trigger_for_step(100)
    timer.reset()
    assert timer.should_trigger_for_step(100) and timer.last_triggered_step() is None


def test_two_who_feed_one_tensor() -> None:
    one = tf.train.FeedFnHook(lambda: {"k:0": 1.0})
    with pytest.raises(RuntimeError, match="fed by two hooks"):
        run_with(one, one)
    tf.reset_default_graph()
    train, _ = model()
    with tf.train.MonitoredSession(hooks=[one]) as session, pytest.raises(RuntimeError, match="fed by a hook and user"):
        session.run(train, {"k:0": 1.0})


FAULTS: list[tuple[str, Callable[[], Any]]] = [
    ("One of num_steps or last_step", tf.train.StopAtStepHook),
    ("Only one of num_steps", lambda: tf.train.StopAtStepHook(1, 2)),
    ("exactly one of every_n_iter and every_n_secs", lambda: tf.train.LoggingTensorHook(["a"])),
    ("invalid every_n_iter=0", lambda: tf.train.LoggingTensorHook(["a"], every_n_iter=0)),
    ("exactly one of save_steps and save_secs", lambda: tf.train.CheckpointSaverHook("a")),
    ("both saver and scaffold", lambda: tf.train.CheckpointSaverHook("a", 1, saver=object(), scaffold=object())),  # type: ignore[arg-type]
    ("one of scaffold or summary_op", lambda: tf.train.SummarySaverHook(1)),
    ("Either every_secs or every_steps", tf.train.SecondOrStepTimer),
]


@pytest.mark.parametrize(("message", "call"), FAULTS)
def test_settings_that_do_not_fit(message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=message):
        call()
