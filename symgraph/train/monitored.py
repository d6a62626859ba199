"""Monitored sessions: sessions that initialise, restore, save and stop by themselves, with hooks on the way.

Law of this file: the graph is complete when the session is made, and finalized; a run is one run of the session, with
what the hooks ask for beside what the caller asks for.  There is one process: it is the chief, and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import OutOfRangeError
from ..graph import Graph, get_default_graph
from ..log import LOG
from ..ops.control import group
from ..ops.state import global_variables_initializer, local_variables_initializer
from ..scopes import GraphKeys
from ..session import Session
from ..summary import merge_all
from .checkpoint import latest_checkpoint
from .coordination import Coordinator
from .hooks import (
    CheckpointSaverHook,
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
    StepCounterHook,
    SummarySaverHook,
    saver_of,
)
from .saver import Saver

USE_DEFAULT = object()


class Scaffold:
    """How a graph is initialised, saved and summarised; what is not given is made when the session is."""

    def __init__(
        self,
        init_op: Any = None,
        init_feed_dict: Mapping | None = None,
        init_fn: Callable[..., Any] | None = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        local_init_op: Any = None,
        summary_op: Any = None,
        saver: Saver | None = None,
        copy_from_scaffold: Scaffold | None = None,
        local_init_feed_dict: Mapping | None = None,
    ) -> None:
        given = {
            "init_op": init_op,
            "init_feed_dict": init_feed_dict,
            "init_fn": None if init_fn is None else lambda session: init_fn(self, session),
            "ready_op": ready_op,
            "ready_for_local_init_op": ready_for_local_init_op,
            "local_init_op": local_init_op,
            "local_init_feed_dict": local_init_feed_dict,
            "summary_op": summary_op,
            "saver": saver,
        }
        other: dict[str, Any] = {} if copy_from_scaffold is None else copy_from_scaffold._given
        self._given = {k: other.get(k) if v is None else v for k, v in given.items()}

    def __getattr__(self, name: str) -> Any:
        given = self.__dict__.get("_given", {})
        if name not in given:
            raise AttributeError(name)
        return given[name]

    def finalize(self) -> Scaffold:
        """Make what is missing, and end the making of the graph."""
        g, graph = self._given, get_default_graph()
        made: dict[str, tuple[str, Callable[[], Any]]] = {
            "init_op": (GraphKeys.INIT_OP, global_variables_initializer),
            "local_init_op": (GraphKeys.LOCAL_INIT_OP, lambda: group(local_variables_initializer())),
            "summary_op": (GraphKeys.SUMMARY_OP, merge_all),
        }
        for name, (key, make) in made.items():
            if g[name] is None:
                g[name] = self.get_or_default(name, key, make)
        g["saver"] = g["saver"] or saver_of(graph)
        graph.finalize()
        LOG.info("Graph was finalized.")
        return self

    @staticmethod
    def get_or_default(arg_name: str, collection_key: Any, default_constructor: Callable[[], Any]) -> Any:
        """What the collection has, one thing, or else what the constructor makes, which joins it."""
        found = get_default_graph().get_collection(collection_key)
        if len(found) > 1:
            raise RuntimeError(
                f"More than one item in the collection {collection_key!r}. Please indicate which one to use by '{arg_name}'."
            )
        if found:
            return found[0]
        made = default_constructor()
        if made is not None:
            get_default_graph().add_to_collection(collection_key, made)
        return made


class SessionCreator:
    """What makes the session of a MonitoredSession: `create_session()`."""

    def create_session(self) -> Session:
        """A session that is ready to run."""
        raise NotImplementedError("create_session is not implemented")


class ChiefSessionCreator(SessionCreator):
    """A session whose variables are those of the latest checkpoint in `checkpoint_dir`, or of one file, or initial."""

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        self._scaffold, self._master, self._config = scaffold or Scaffold(), master, config
        self._folder, self._file = checkpoint_dir, checkpoint_filename_with_path

    def create_session(self) -> Session:
        scaffold = self._scaffold.finalize()
        session = Session(self._master, config=self._config)
        path = self._file or (latest_checkpoint(self._folder) if self._folder else None)
        if path:
            scaffold.saver.restore(session, path)
        else:
            session.run(scaffold.init_op, scaffold.init_feed_dict)
            if scaffold.init_fn is not None:
                scaffold.init_fn(session)
        LOG.info("Running local_init_op.")
        session.run(scaffold.local_init_op, scaffold.local_init_feed_dict)
        LOG.info("Done running local_init_op.")
        return session


class WorkerSessionCreator(ChiefSessionCreator):
    """The same: there is one process, and it is the chief."""


class _Monitored:
    def __init__(self, creator: SessionCreator, hooks: Iterable[SessionRunHook]) -> None:
        self._hooks = list(hooks)
        for hook in self._hooks:
            hook.begin()
        self._coordinator, self._session = Coordinator(), creator.create_session()
        self._open = True
        for hook in self._hooks:
            hook.after_create_session(self._session, self._coordinator)

    @property
    def graph(self) -> Graph:
        """The graph that runs."""
        return self._session.graph

    def run(self, fetches: Any, feed_dict: Mapping | None = None, options: Any = None, run_metadata: Any = None) -> Any:
        """As `Session.run`, with the hooks."""
        self._check()
        context = SessionRunContext(SessionRunArgs(fetches, feed_dict, options), self._session)
        asked: dict[int, Any] = {}
        feeds = dict(feed_dict or {})
        by_hooks: set[Any] = set()
        for k, hook in enumerate(self._hooks):
            request = hook.before_run(context)
            if request is None:
                continue
            if request.fetches is not None:
                asked[k] = request.fetches
            for t, value in (request.feed_dict or {}).items():
                if t in by_hooks:
                    raise RuntimeError("Same tensor is fed by two hooks.")
                if t in feeds:
                    raise RuntimeError("Same tensor is fed by a hook and user.")
                by_hooks.add(t)
                feeds[t] = value
        try:
            found = self._session.run({"caller": fetches, **asked} if asked else fetches, feeds)
        except OutOfRangeError as e:
            self._coordinator.request_stop(e)
            raise
        for k, hook in enumerate(self._hooks):
            hook.after_run(context, SessionRunValues(found[k] if k in asked else None, options, run_metadata))
        if context.stop_requested:
            self._coordinator.request_stop()
        return found["caller"] if asked else found

    def run_step_fn(self, step_fn: Callable[..., Any]) -> Any:
        """What `step_fn(context)` gives: `context.session` runs without hooks, `context.run_with_hooks(...)` with them, and
        `context.request_stop()` ends the function and the training."""
        self._check()
        try:
            return step_fn(StepContext(self._session, self.run))
        except StopIteration:  # which ends the `with`, too
            self._coordinator.request_stop()
            raise

    def should_stop(self) -> bool:
        """Has a hook asked for the end?"""
        return not self._open or self._coordinator.should_stop()

    def _check(self) -> None:
        if self.should_stop():
            raise RuntimeError("Run called even after should_stop requested.")

    def close(self) -> None:
        """Let the hooks end, and close the session."""
        self._close(True)

    def _close(self, well: bool) -> None:
        if not self._open:
            return
        try:
            if well:
                for hook in self._hooks:
                    hook.end(self._session)
        finally:
            self._open = False
            self._coordinator.request_stop()
            self._session.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, traceback: Any) -> bool:
        over = kind is not None and issubclass(kind, OutOfRangeError | StopIteration)
        self._close(kind is None or over)
        return over  # the data have come to their end: no fault


class StepContext:
    """What a step function works with."""

    def __init__(self, session: Session, run_with_hooks: Callable[..., Any]) -> None:
        self.session, self.run_with_hooks = session, run_with_hooks

    def request_stop(self) -> None:
        """End the step function, and the training."""
        raise StopIteration("step_fn has requested the iterations to stop.")


class MonitoredSession(_Monitored):
    """A session that initialises or restores itself and calls hooks: `while not sess.should_stop(): sess.run(train_op)`.

    The graph can have no more operations once it is made.  It is no default session: `tensor.eval` needs `session=`."""

    StepContext = StepContext

    def __init__(
        self,
        session_creator: SessionCreator | None = None,
        hooks: Iterable[SessionRunHook] | None = None,
        stop_grace_period_secs: float = 120,
    ) -> None:
        super().__init__(session_creator or ChiefSessionCreator(), hooks or ())


class SingularMonitoredSession(_Monitored):
    """The same with its settings in one call; `raw_session()` is the session underneath."""

    def __init__(
        self,
        hooks: Iterable[SessionRunHook] | None = None,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        stop_grace_period_secs: float = 120,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        super().__init__(ChiefSessionCreator(scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path), hooks or ())

    def raw_session(self) -> Session:
        """The session that runs."""
        return self._session


def MonitoredTrainingSession(
    master: str = "",
    is_chief: bool = True,
    checkpoint_dir: str | None = None,
    scaffold: Scaffold | None = None,
    hooks: Iterable[SessionRunHook] | None = None,
    chief_only_hooks: Iterable[SessionRunHook] | None = None,
    save_checkpoint_secs: Any = USE_DEFAULT,
    save_summaries_steps: Any = USE_DEFAULT,
    save_summaries_secs: Any = USE_DEFAULT,
    config: Any = None,
    stop_grace_period_secs: float = 120,
    log_step_count_steps: int | None = 100,
    max_wait_secs: float = 7200,
    save_checkpoint_steps: Any = USE_DEFAULT,
    summary_dir: str | None = None,
) -> MonitoredSession:
    """A MonitoredSession that saves to `checkpoint_dir` and goes on from there: a checkpoint every 600 seconds or
    `save_checkpoint_steps`, summaries every 100 steps or as said, steps per second every `log_step_count_steps`.

    The step counter must exist: tf.train.get_or_create_global_step()."""
    scaffold = scaffold or Scaffold()
    every: list[SessionRunHook] = list(chief_only_hooks or ())
    steps, seconds = _chosen(save_summaries_steps, save_summaries_secs, (100, None))
    saves, saved_seconds = _chosen(save_checkpoint_steps, save_checkpoint_secs, (None, 600))
    folder = summary_dir or checkpoint_dir
    if folder:
        if log_step_count_steps and log_step_count_steps > 0:
            every.append(StepCounterHook(log_step_count_steps, output_dir=folder))
        if steps or seconds:
            every.append(SummarySaverHook(steps or None, seconds or None, folder, scaffold=scaffold))
    if checkpoint_dir and (saves or saved_seconds):
        every.append(CheckpointSaverHook(checkpoint_dir, saved_seconds or None, saves or None, scaffold=scaffold))
    return MonitoredSession(ChiefSessionCreator(scaffold, master, config, checkpoint_dir), [*every, *(hooks or ())])


def _chosen(steps: Any, seconds: Any, default: tuple[Any, Any]) -> tuple[Any, Any]:
    """(steps, seconds): the default where neither is said, else what is said alone."""
    if steps is USE_DEFAULT and seconds is USE_DEFAULT:
        return default
    return None if steps is USE_DEFAULT else steps, None if seconds is USE_DEFAULT else seconds
