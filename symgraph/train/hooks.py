"""Hooks: what is done before and after each run of a monitored session.

Law of this file: a hook never changes the graph after `begin`, and fetches what it needs together with what the caller
runs, so that all hooks see one step.  The number of a step is the graph's `global_step` as it is after the step, which is
what a counter gives that is fetched beside its update.
"""

from __future__ import annotations

import os
import time
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..event_writer import FileWriter, FileWriterCache
from ..graph import Graph, Tensor, get_default_graph
from ..graphdef import tensorboard
from ..log import LOG
from ..scopes import GraphKeys
from .coordination import write_graph
from .saver import Saver
from .steps import get_global_step

SessionRunValues = namedtuple("SessionRunValues", ["results", "options", "run_metadata"])
SessionRunValues.__doc__ = "What a run gave for a hook: `results` has the structure of what it asked for."


class SessionRunArgs(namedtuple("SessionRunArgs", ["fetches", "feed_dict", "options"])):
    """What a hook adds to a run: tensors to fetch, and feeds."""

    def __new__(cls, fetches: Any, feed_dict: Any = None, options: Any = None) -> SessionRunArgs:
        return super().__new__(cls, fetches, feed_dict, options)


class SessionRunContext:
    """The run that a hook stands beside: what the caller asked for, the session, and the way to ask for the end."""

    def __init__(self, original_args: SessionRunArgs, session: Any) -> None:
        self.original_args, self.session, self.stop_requested = original_args, session, False

    def request_stop(self) -> None:
        """From here on, the session's `should_stop` is true."""
        self.stop_requested = True


class SessionRunHook:
    """What a hook may do; each method does nothing here."""

    def begin(self) -> None:
        """Before the session is made: the last chance to add operations."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """With variables initialised or restored."""

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """What to fetch and feed besides, if anything."""

    def after_run(self, run_context: SessionRunContext, run_values: Any) -> None:
        """With what was asked for."""

    def end(self, session: Any) -> None:
        """Before the session is closed, unless an error closes it."""


class NanLossDuringTrainingError(RuntimeError):
    """The loss is no number."""

    def __str__(self) -> str:
        return "NaN loss during training."


class SecondOrStepTimer:
    """Says when it is time again: every so many seconds or every so many steps, the first time at once."""

    def __init__(self, every_secs: float | None = None, every_steps: int | None = None) -> None:
        if every_secs is None and every_steps is None:
            raise ValueError("Either every_secs or every_steps should be provided.")
        if every_secs is not None and every_steps is not None:
            raise ValueError("Can not provide both every_secs and every_steps.")
        self._secs, self._steps = every_secs, every_steps
        self.reset()

    def reset(self) -> None:
        """As if it had never been time."""
        self._last: tuple[int, float] | None = None

    def should_trigger_for_step(self, step: int) -> bool:
        """Is it time, at this step?"""
        if self._last is None:
            return True
        at, then = self._last
        if step == at:
            return False
        return time.monotonic() >= then + self._secs if self._secs is not None else step >= at + self._steps  # type: ignore[operator]

    def update_last_triggered_step(self, step: int) -> tuple[float | None, int | None]:
        """Note that it was time at this step: (seconds, steps) since the time before, None the first time."""
        now, last = time.monotonic(), self._last
        self._last = step, now
        return (None, None) if last is None else (now - last[1], step - last[0])

    def last_triggered_step(self) -> int | None:
        """The step when it was time last."""
        return None if self._last is None else self._last[0]


def one_timer(**given: Any) -> SecondOrStepTimer:
    """A timer of exactly one of two settings."""
    (secs, every_secs), (steps, every_steps) = given.items()
    if (every_secs is None) == (every_steps is None):
        raise ValueError(f"exactly one of {steps} and {secs} should be provided.")
    return SecondOrStepTimer(every_secs=every_secs, every_steps=every_steps)


def needed_step(hook: object) -> Any:
    """The graph's step counter; RuntimeError where it has none."""
    step = get_global_step()
    if step is None:
        raise RuntimeError(
            f"Global step should be created to use {type(hook).__name__}.\n"
            "tf.train.get_or_create_global_step() makes it: give it to minimize(global_step=...)"
        )
    return step


def saver_of(graph: Graph) -> Saver:
    """The graph's one saver, made when first asked for: it lies beside the collection, which stored graphs could not hold."""
    found = graph.get_collection(GraphKeys.SAVERS)
    if len(found) > 1:
        raise RuntimeError(f"More than one item in collection {GraphKeys.SAVERS}. Please pass one saver.")
    return found[0] if found else graph.attached("saver", _new_saver)


def _new_saver() -> Saver:
    if get_default_graph().finalized:
        raise RuntimeError(f"No items in collection {GraphKeys.SAVERS}. Please pass one saver.")
    return Saver(allow_empty=True)


# ---------------------------------------------------------------- when to stop
class StopAtStepHook(SessionRunHook):
    """Ends training at step `last_step`, or after `num_steps` more: one of them."""

    def __init__(self, num_steps: int | None = None, last_step: int | None = None) -> None:
        if num_steps is None and last_step is None:
            raise ValueError("One of num_steps or last_step must be specified.")
        if num_steps is not None and last_step is not None:
            raise ValueError("Only one of num_steps or last_step can be specified.")
        self._num_steps, self._last_step = num_steps, last_step

    def begin(self) -> None:
        self._step = needed_step(self)

    def after_create_session(self, session: Any, coord: Any) -> None:
        if self._last_step is None:
            self._last_step = int(session.run(self._step)) + self._num_steps  # type: ignore[operator]

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: SessionRunContext, run_values: Any) -> None:
        if run_values.results >= self._last_step:
            run_context.request_stop()


class NanTensorHook(SessionRunHook):
    """Ends training when the loss is no number: by an error, or by a stop unless `fail_on_nan_loss`."""

    def __init__(self, loss_tensor: Any, fail_on_nan_loss: bool = True) -> None:
        self._loss, self._fail = loss_tensor, fail_on_nan_loss

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._loss)

    def after_run(self, run_context: SessionRunContext, run_values: Any) -> None:
        if np.isnan(run_values.results).any():
            if self._fail:
                LOG.error("Model diverged with loss = NaN.")
                raise NanLossDuringTrainingError
            LOG.warning("Model diverged with loss = NaN.")
            run_context.request_stop()


# ---------------------------------------------------------------- what to say
class LoggingTensorHook(SessionRunHook):
    """Logs tensors (a list, or a dict with what to call them) every so many runs or seconds, or only `at_end`."""

    def __init__(
        self,
        tensors: Any,
        every_n_iter: int | None = None,
        every_n_secs: float | None = None,
        at_end: bool = False,
        formatter: Callable[[Mapping], str] | None = None,
    ) -> None:
        only_at_end = at_end and every_n_iter is None and every_n_secs is None
        if not only_at_end and (every_n_iter is None) == (every_n_secs is None):
            raise ValueError("either at_end and/or exactly one of every_n_iter and every_n_secs must be provided.")
        if every_n_iter is not None and every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        named = isinstance(tensors, Mapping)
        self._given = {k: tensors[k] for k in sorted(tensors)} if named else {getattr(t, "name", t): t for t in tensors}
        self._timer = None if only_at_end else SecondOrStepTimer(every_n_secs, every_n_iter)
        self._at_end, self._formatter = at_end, formatter

    def begin(self) -> None:
        if self._timer is not None:
            self._timer.reset()
        self._runs = 0
        graph = get_default_graph()
        self._tensors = {tag: graph.as_graph_element(t, allow_operation=False) for tag, t in self._given.items()}

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        self._now = self._timer is not None and self._timer.should_trigger_for_step(self._runs)
        return SessionRunArgs(self._tensors) if self._now else None

    def after_run(self, run_context: SessionRunContext, run_values: Any) -> None:
        if self._now:
            self._log(run_values.results)
        self._runs += 1

    def end(self, session: Any) -> None:
        if self._at_end:
            self._log(session.run(self._tensors))

    def _log(self, values: Mapping) -> None:
        seconds = None if self._timer is None else self._timer.update_last_triggered_step(self._runs)[0]
        with np.printoptions(suppress=True):
            if self._formatter:
                LOG.info(self._formatter(values))
                return
            text = ", ".join(f"{tag} = {value!s}" for tag, value in values.items())
        LOG.info("%s", text if seconds is None else f"{text} ({seconds:.3f} sec)")


class _Writing(SessionRunHook):
    """A hook that writes into a folder, or with the writer that it is given."""

    _writer: FileWriter | None
    _folder: str | None

    def begin(self) -> None:
        self._step = needed_step(self)
        if self._writer is None and self._folder:
            self._writer = FileWriterCache.get(self._folder)

    def end(self, session: Any) -> None:
        if self._writer is not None:
            self._writer.flush()


class StepCounterHook(_Writing):
    """Logs steps per second, and writes them as a summary, every so many steps or seconds."""

    def __init__(
        self,
        every_n_steps: int | None = 100,
        every_n_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: FileWriter | None = None,
    ) -> None:
        self._timer = one_timer(every_n_secs=every_n_secs, every_n_steps=every_n_steps)
        self._folder, self._writer = output_dir, summary_writer

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: SessionRunContext, run_values: Any) -> None:
        step = int(run_values.results)
        if self._timer.should_trigger_for_step(step):
            seconds, steps = self._timer.update_last_triggered_step(step)
            if seconds is not None and steps is not None:
                rate = steps / seconds if seconds else float("inf")
                if self._writer is not None:
                    made = tensorboard("compat.proto.summary_pb2").Summary()
                    made.value.add(tag=f"{self._step.op.name}/sec", simple_value=rate)
                    self._writer.add_summary(made, step)
                LOG.info("%s/sec: %g", self._step.op.name, rate)


# ---------------------------------------------------------------- what to keep
class SummarySaverHook(_Writing):
    """Writes summaries every so many steps or seconds: those of `summary_op` (a tensor, or a list), or the scaffold's."""

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: FileWriter | None = None,
        scaffold: Any = None,
        summary_op: Any = None,
    ) -> None:
        if (scaffold is None) == (summary_op is None):
            raise ValueError("Exactly one of scaffold or summary_op must be provided.")
        self._timer = one_timer(save_secs=save_secs, save_steps=save_steps)
        self._folder, self._writer, self._scaffold, self._given = output_dir, summary_writer, scaffold, summary_op

    def begin(self) -> None:
        super().begin()
        self._next: int | None = None
        self._timer.reset()

    def _summaries(self) -> list[Tensor]:
        found = self._given if self._given is not None else self._scaffold.summary_op
        return [] if found is None else list(found) if isinstance(found, list | tuple) else [found]

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        self._now = self._next is None or self._timer.should_trigger_for_step(self._next)
        return SessionRunArgs({"step": self._step, "summaries": self._summaries() if self._now else []})

    def after_run(self, run_context: SessionRunContext, run_values: Any) -> None:
        if self._writer is None:
            return
        step = int(run_values.results["step"])
        if self._now:
            self._timer.update_last_triggered_step(step)
            for made in run_values.results["summaries"]:
                self._writer.add_summary(made, step)
        self._next = step + 1


class CheckpointSaverListener:
    """What a listener of CheckpointSaverHook may do; each method does nothing here."""

    def begin(self) -> None:
        """Before the session is made."""

    def before_save(self, session: Any, global_step_value: int) -> None:
        """Before a checkpoint is written."""

    def after_save(self, session: Any, global_step_value: int) -> bool | None:
        """With the checkpoint written; True asks for the end of training."""

    def end(self, session: Any, global_step_value: int) -> None:
        """After the last checkpoint."""


class CheckpointSaverHook(SessionRunHook):
    """Saves at the start, every so many steps or seconds, and in the end."""

    def __init__(
        self,
        checkpoint_dir: str,
        save_secs: float | None = None,
        save_steps: int | None = None,
        saver: Saver | None = None,
        checkpoint_basename: str = "model.ckpt",
        scaffold: Any = None,
        listeners: Iterable[CheckpointSaverListener] | None = None,
    ) -> None:
        LOG.info("Create CheckpointSaverHook.")
        if saver is not None and scaffold is not None:
            raise ValueError("You cannot provide both saver and scaffold.")
        self._timer = one_timer(save_secs=save_secs, save_steps=save_steps)
        self._folder, self._path = checkpoint_dir, os.path.join(checkpoint_dir, checkpoint_basename)
        self._given, self._scaffold, self._listeners = saver, scaffold, list(listeners or ())

    def begin(self) -> None:
        self._step = needed_step(self)
        for listener in self._listeners:
            listener.begin()

    def after_create_session(self, session: Any, coord: Any) -> None:
        os.makedirs(self._folder, exist_ok=True)
        write_graph(session.graph, self._folder, "graph.pbtxt")
        FileWriterCache.get(self._folder).add_graph(session.graph)
        step = int(session.run(self._step))
        self._save(session, step)
        self._timer.update_last_triggered_step(step)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: SessionRunContext, run_values: Any) -> None:
        step = int(run_values.results)
        if self._timer.should_trigger_for_step(step):
            self._timer.update_last_triggered_step(step)
            if self._save(run_context.session, step):
                run_context.request_stop()

    def end(self, session: Any) -> None:
        step = int(session.run(self._step))
        if step != self._timer.last_triggered_step():
            self._save(session, step)
        for listener in self._listeners:
            listener.end(session, step)

    def _saver(self) -> Saver:
        if self._given is not None or self._scaffold is not None:
            return self._given or self._scaffold.saver
        return saver_of(get_default_graph())

    def _save(self, session: Any, step: int) -> bool:
        """Write a checkpoint; does a listener ask for the end?"""
        LOG.info("Saving checkpoints for %d into %s.", step, self._path)
        for listener in self._listeners:
            listener.before_save(session, step)
        self._saver().save(session, self._path, global_step=step)
        answers = [listener.after_save(session, step) for listener in self._listeners]
        return any(answers)


# ---------------------------------------------------------------- others
class FinalOpsHook(SessionRunHook):
    """Runs `final_ops` in the end: `final_ops_values` is what they gave."""

    def __init__(self, final_ops: Any, final_ops_feed_dict: Mapping | None = None) -> None:
        self._ops, self._feeds, self.final_ops_values = final_ops, final_ops_feed_dict, None

    def end(self, session: Any) -> None:
        if self._ops is not None:
            self.final_ops_values = session.run(self._ops, self._feeds)


class FeedFnHook(SessionRunHook):
    """Feeds what `feed_fn()` gives: a dict, at each run."""

    def __init__(self, feed_fn: Callable[[], Mapping]) -> None:
        self.feed_fn = feed_fn

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(None, self.feed_fn())
