"""`tf.train`: what programs of input queues and threads lean on, without queues.

Law of this file: a `Coordinator` is what TF1's is, for a program's own threads; there are no queue runners to start.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import OutOfRangeError
from ..graph import Graph
from ..graphdef import graph_def, tensorboard


class Coordinator:
    """Lets threads of a program stop together: any of them asks with `request_stop`, all look at `should_stop`."""

    def __init__(self, clean_stop_exception_types: tuple[type[BaseException], ...] | None = None) -> None:
        self._clean = (OutOfRangeError,) if clean_stop_exception_types is None else clean_stop_exception_types
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self.joined = False

    def should_stop(self) -> bool:
        """Was a stop asked for?"""
        return self._stop.is_set()

    def request_stop(self, ex: Any = None) -> None:
        """Ask all to stop; `join` raises `ex`, unless it only means that the data came to its end."""
        error = ex[1] if isinstance(ex, tuple) else ex
        if error is not None and self._error is None and not isinstance(error, self._clean):
            self._error = error
        self._stop.set()

    def clear_stop(self) -> None:
        """As before any stop was asked for."""
        self._stop.clear()
        self._error, self.joined = None, False

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        """Wait until a stop is asked for, or for so many seconds; was it?"""
        return self._stop.wait(timeout)

    def register_thread(self, thread: threading.Thread) -> None:
        """A thread that `join` waits for."""
        self._threads.append(thread)

    @contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """What is raised inside is a reason to stop."""
        try:
            yield
        except Exception as e:  # noqa: BLE001  whatever it is, it ends all threads and `join` raises it
            self.request_stop(e)

    def join(
        self, threads: Iterable[threading.Thread] | None = None, stop_grace_period_secs: float = 120, ignore_live_threads: bool = False
    ) -> None:
        """Wait for the threads, so many seconds at most once a stop is asked for, and raise what one of them gave as its reason."""
        waited = [*self._threads, *(threads or ())]
        end: float | None = None
        while alive := [t for t in waited if t.is_alive()]:
            if self.should_stop() and end is None:
                end = time.monotonic() + stop_grace_period_secs
            if end is not None and time.monotonic() > end:
                break
            alive[0].join(0.05)
        self.joined = True
        if self._error is not None:
            raise self._error
        if alive and not ignore_live_threads:
            raise RuntimeError(f"Coordinator stopped with threads still running: {' '.join(t.name for t in alive)}")

    def raise_requested_exception(self) -> None:
        """Raise what `request_stop` was given."""
        if self._error is not None:
            raise self._error


def start_queue_runners(
    sess: Any = None, coord: Any = None, daemon: bool = True, start: bool = True, collection: str = "queue_runners"
) -> list[threading.Thread]:
    """No threads: there are no queues."""
    return []


def write_graph(graph_or_graph_def: Any, logdir: Any, name: str, as_text: bool = True) -> str:
    """Write a graph as TensorFlow's GraphDef, in text or binary, to LOGDIR/NAME; returns the path.  Needs TensorBoard.

    It is for looking at; `tf.train.export_meta_graph` writes what can be read again."""
    is_graph = isinstance(graph_or_graph_def, Graph)
    message = graph_def(graph_or_graph_def) if is_graph else graph_or_graph_def
    path = os.path.join(os.fspath(logdir), name)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    if as_text:
        with open(path, "w", encoding="utf-8") as text:
            text.write(str(message))
    else:
        with open(path, "wb") as binary:
            binary.write(message.SerializeToString())
    return path


def summary_iterator(path: Any) -> Iterator[Any]:
    """The Event messages of an event file.  Needs TensorBoard."""
    loader = tensorboard("backend.event_processing.event_file_loader").LegacyEventFileLoader
    return iter(loader(os.fspath(path)).Load())
