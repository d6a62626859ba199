"""`FileWriter`: event files, as TensorBoard reads them.

Law of this file: everything goes through TensorBoard's own event writer, which has a thread of its own; the file is
there as soon as the writer is, and is completed when the writer is closed, collected, or the process ends.
A graph brings with it what symgraph knows of it: the derived gradients under Text, the hyper-parameters of its
optimizers under HParams.
"""

from __future__ import annotations

import os
import time
import warnings
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from . import graphdef
from .dtypes import string
from .errors import at
from .formula import formula
from .function import Function
from .graph import Graph, Operation
from .graphdef import tensorboard
from .session import Session


class FileWriter:
    """Writes summaries and graphs into a new file events.out.tfevents.TIME.HOST... in `logdir`, which is made at once.

    `graph` is added right away.  `max_queue` events wait in memory before a call blocks; the file is flushed every
    `flush_secs` seconds.  Usable in `with`, which closes it.  Needs TensorBoard (extra `tensorboard`)."""

    def __init__(
        self,
        logdir: Any,
        graph: Graph | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Session | None = None,
    ) -> None:
        self._logdir = os.fspath(logdir)
        self._settings = max_queue, flush_secs, filename_suffix or ""
        self._hparams: dict[str, Any] = {}
        self._hparams_written = False
        self._open()
        if graph is not None or graph_def is not None:
            self.add_graph(graph, graph_def=graph_def)

    def _open(self) -> None:
        writer = tensorboard("summary.writer.event_file_writer").EventFileWriter(self._logdir, *self._settings)
        self._writer = writer
        self._end = weakref.finalize(self, writer.close)

    # -- what TF1's writer has
    def get_logdir(self) -> str:
        """The folder that is written to."""
        return self._logdir

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Write a summary: the bytes that a fetched summary operation gave, or a Summary message."""
        message = tensorboard("compat.proto.event_pb2").Event()
        if isinstance(summary, bytes):
            message.summary.ParseFromString(summary)
        else:
            message.summary.CopyFrom(summary)
        self._add(message, global_step)

    def add_graph(self, graph: Graph | None, global_step: Any = None, graph_def: Any = None) -> None:
        """Write a graph for the Graphs tab, its gradients as formulas for the Text tab.

        The numbers that its optimizers were given are written under HParams with the next `flush` or `close`."""
        message = tensorboard("compat.proto.event_pb2").Event()
        if hasattr(graph, "SerializeToString"):
            graph, graph_def = None, graph
        if graph is None and graph_def is not None:
            message.graph_def = graph_def.SerializeToString()
            self._add(message, global_step)
            return
        if not isinstance(graph, Graph):
            raise TypeError(f"The passed graph must be an instance of `Graph` or the deprecated `GraphDef`, not {type(graph).__name__}")
        message.graph_def = graphdef.graph_def(graph).SerializeToString()
        self._add(message, global_step)
        derived = gradient_text(graph)
        if derived:
            self.add_text("gradients", derived, global_step)
        self._hparams = {**hyper_parameters(graph), **self._hparams}

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """Nothing: a run leaves no trace to write (`Session.compiled(...).explain()` tells its times)."""

    def add_session_log(self, session_log: Any, global_step: Any = None) -> None:
        """Write a SessionLog message."""
        self._add(tensorboard("compat.proto.event_pb2").Event(session_log=session_log), global_step)

    def add_event(self, event: Any) -> None:
        """Write an Event message as it is."""
        if not self._end.alive:
            warnings.warn(
                "Attempting to use a closed FileWriter. The operation will be a noop unless the FileWriter is explicitly reopened.",
                stacklevel=4,
            )
            return
        self._writer.add_event(event)

    def flush(self) -> None:
        """Everything added so far is in the file when this returns."""
        if self._end.alive:
            self._write_hparams()
            self._writer.flush()

    def close(self) -> None:
        """Flush and close the file; closing twice does nothing."""
        if self._end.alive:
            self._write_hparams()
            self._end()

    def reopen(self) -> None:
        """After `close`, go on in a new file of the same folder; an open writer stays as it is."""
        if not self._end.alive:
            self._open()

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def _add(self, message: Any, global_step: Any) -> None:
        message.wall_time = time.time()
        if global_step is not None:
            message.step = int(global_step)
        self.add_event(message)

    # -- what is symgraph's own
    def add_text(self, name: str, markdown: str, global_step: Any = None) -> None:
        """Write Markdown for the Text tab, without an operation."""
        self.add_summary(text_message(name, markdown.encode()), global_step)

    def add_source(self, name: str, what: Function | Session, global_step: Any = None) -> None:
        """Write generated source for the Text tab: of a compiled function, or of all that a session has run so far."""
        if not isinstance(what, Function | Session):
            raise TypeError(f"a compiled function or a session is needed, not a {type(what).__name__}")
        sources = [what.source] if isinstance(what, Function) else _sources(what)
        self.add_text(name, "\n\n---\n\n".join(map(_code, sources)) or "nothing has run yet", global_step)

    def add_hparams(self, hparams: Mapping[str, Any], metrics: Mapping[str, float] | None = None, global_step: Any = None) -> None:
        """Name the hyper-parameters of this run (bools, numbers, strings) for the HParams tab, once per run.

        They go beside those found in the graph and before them where names are equal.  `metrics` are written as
        scalars.  ValueError when a run's are in the file already: TensorBoard reads the first only."""
        if self._hparams_written:
            raise ValueError("this run's hyper-parameters are written already: name them once, before flush() and close()")
        self._hparams |= hparams
        self._write_hparams()
        summary = tensorboard("compat.proto.summary_pb2").Summary()
        for name, value in (metrics or {}).items():
            summary.value.add(tag=name, simple_value=float(value))
        if metrics:
            self.add_summary(summary, global_step)

    def _write_hparams(self) -> None:
        if self._hparams and not self._hparams_written:
            self._hparams_written = True
            name = os.path.basename(os.path.abspath(self._logdir))
            self.add_summary(tensorboard("plugins.hparams.summary_v2").hparams_pb(self._hparams, trial_id=name))


class FileWriterCache:
    """One writer for each folder, for all who write there: two would make two files."""

    _writers: ClassVar[dict[str, FileWriter]] = {}

    @staticmethod
    def get(logdir: Any) -> FileWriter:
        """The folder's writer, made when first asked for."""
        folder = os.fspath(logdir)
        if folder not in FileWriterCache._writers:
            FileWriterCache._writers[folder] = FileWriter(folder)
        return FileWriterCache._writers[folder]

    @staticmethod
    def clear() -> None:
        """Close them all."""
        while FileWriterCache._writers:
            FileWriterCache._writers.popitem()[1].close()


def text_message(tag: str, value: Any) -> Any:
    """A Summary message with strings (bytes, or an array of them) for the Text tab."""
    array = np.asarray(value, object)
    made = tensorboard("compat.proto.summary_pb2").Summary()
    row = made.value.add(tag=tag)
    row.metadata.plugin_data.plugin_name = "text"
    row.tensor.dtype = graphdef.type_number(string)
    row.tensor.tensor_shape.CopyFrom(graphdef.shape_proto(array.shape))
    row.tensor.string_val.extend(array.ravel().tolist())
    return made


# ---------------------------------------------------------------- what a graph tells
def gradient_text(graph: Graph) -> str:
    """Markdown with the formula of every derivative that the graph asks for; '' when there is none."""
    sections = [_derivatives(op) for op in graph.get_operations() if op.type == "SymbolicGradient"]
    return "\n\n".join(sections)


def _derivatives(op: Operation) -> str:
    count = op.attrs["ys"]
    loss = " + ".join(t.op.name for t in op.inputs[:count])
    rows = [f"**{op.name}**, made at {at(op.site)}"]
    for x, d in zip(op.inputs[count:], op.outputs, strict=False):
        right = str(formula(d)) if d.node is not None else "not known before the shapes are"
        rows.append(_code(f"∂ {loss} / ∂ {x.op.name}  =  {right}"))
    return "\n\n".join(rows)


def _sources(session: Session) -> list[str]:
    """What the session has run, in the order in which it was first asked for."""
    plans = [plan for family in session._families.values() for plan in family.plans.values()]
    return _unique(plan.executable.source for plan in plans)


def _code(source: str) -> str:
    """Markdown's block of code: indented, so that nothing inside can end it."""
    return "\n".join("    " + line for line in source.splitlines())


def hyper_parameters(graph: Graph) -> dict[str, Any]:
    """The constants that the graph's optimizers were given, by name, and the optimizers' kinds.

    A name is its last part (learning_rate) where that says which one is meant, else the operation's."""
    updates = [op for op in graph.get_operations() if op.type.startswith("Apply") and "writes" in op.attrs]
    found = {t.op.name: t.op.attrs["value"] for op in updates for t in op.inputs[op.attrs["writes"] + 1 :] if _is_number(t)}
    if not updates:
        return {}
    short = Counter(name.rsplit("/", 1)[-1] for name in found)
    kinds = _unique(op.type.removeprefix("Apply") for op in updates)
    named = {_shortest(name, short): float(str(value)) for name, value in found.items()}
    return {"optimizer": ", ".join(kinds), **named}


def _is_number(t: Any) -> bool:
    return t.op.type == "Const" and t.extents == () and np.issubdtype(t.op.attrs["value"].dtype, np.number)


def _shortest(name: str, counts: Counter[str]) -> str:
    last = name.rsplit("/", 1)[-1]
    return last if counts[last] == 1 else name


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
