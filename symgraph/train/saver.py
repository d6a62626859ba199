"""`tf.train.Saver`: the state of a session to a checkpoint and back.

Law of this file: a checkpoint is complete or absent, and a restore does all or nothing.  A saver of all of a graph's
global variables keeps the random streams too, so that training goes on as if it had never stopped; a saver of some of
them leaves streams alone.  Values are written into the arrays that a session has, to which its plans are bound.
"""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import record
from ..errors import FailedPreconditionError
from ..graph import Graph, Operation, Tensor, get_default_graph
from ..log import LOG
from ..node import Key
from ..ops.state import GLOBAL_VARIABLES, ref_of
from ..session import Session
from . import checkpoint
from .values import check

STREAM = "random stream:"
"""Random streams lie in the file as this and the operation's name, which no operation can be called."""
_OPERATIONS = 11  # that TF1's Saver adds to the graph, beside one for each variable


class Saver:
    """Saves and restores variables.

    `var_list`: a list of variables, saved under their names, or a dict of names and variables; by default the global
    variables that exist now.  `max_to_keep` checkpoints stay (None or 0: all), the oldest are deleted, but one for
    every `keep_checkpoint_every_n_hours` is kept.  `reshape`: restore shapes that differ but have as many elements.
    ValueError when there are no variables (unless `allow_empty`)."""

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: Any = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: Any = None,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
    ) -> None:
        graph = get_default_graph()
        if graph.finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")
        every = graph.get_collection(GLOBAL_VARIABLES)
        found = _named(every if var_list is None else var_list)
        if not found and not allow_empty:
            raise ValueError("No variables to save")
        self._begin(found, {v.op for v in every} <= {t.op for t in found.values()}, reshape, max_to_keep, keep_checkpoint_every_n_hours)
        self._pad, self._relative = pad_step_number, save_relative_paths
        if found:  # names and implicit seeds go on as after TF1's own operations
            owner = next(iter(found.values())).graph
            owner.unique_name(name or "save")
            owner.counted += _OPERATIONS + len(found)

    def _begin(self, found: Mapping[str, Tensor], whole: bool, reshape: bool, max_to_keep: int | None, hours: float) -> None:
        self._variables = dict(found)
        self._whole, self._reshape, self._max_to_keep, self._hours = whole, reshape, max_to_keep, hours
        self._pad = self._relative = False
        self._kept: dict[str, float] = {}  # path: when it was written, oldest first
        self._keep_from = time.time() + hours * 3600

    @property
    def last_checkpoints(self) -> list[str]:
        """The paths that this saver wrote and has not deleted, oldest first."""
        return list(self._kept)

    def set_last_checkpoints(self, last_checkpoints: Iterable[str]) -> None:
        """What to take for the checkpoints written so far, oldest first."""
        self._kept = {os.fspath(p): time.time() for p in last_checkpoints}

    def recover_last_checkpoints(self, checkpoint_paths: Iterable[str]) -> None:
        """Go on from the checkpoints of an earlier process: those of `checkpoint_paths` that exist."""
        self.set_last_checkpoints(p for p in checkpoint_paths if checkpoint.exists(os.fspath(p)))

    # -- saving
    def save(
        self,
        sess: Session,
        save_path: str,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
    ) -> str:
        """Write the variables' values in `sess`, and the graph; the path to restore from, with -STEP if there is a step.

        `global_step` is a number, or a variable or tensor that gives one.  FailedPreconditionError for a variable that
        is not initialised, ValueError for a folder that does not exist."""
        graph = self._check_session(sess)
        path = os.fspath(save_path)
        if os.path.basename(path) == (latest_filename or "checkpoint"):
            raise ValueError(f"'latest_filename' collides with 'save_path': '{latest_filename or 'checkpoint'}' and '{path}'")
        if not os.path.basename(path):
            raise ValueError(f"a checkpoint needs a name, not only a folder: '{path}'")
        if meta_graph_suffix != "meta":
            raise ValueError(f"graphs are saved as PATH.meta, not PATH.{meta_graph_suffix}")
        if global_step is not None:
            step = operator.index(sess.run(global_step) if hasattr(global_step, "graph") else global_step)
            path += f"-{step:08d}" if self._pad else f"-{step}"
        with sess.state.lock:
            checkpoint.write(path, self._values(sess), self._pieces(graph) if write_meta_graph else None)
        if write_state:
            self._record(path, latest_filename)
        return path

    def _check_session(self, sess: Any) -> Graph:
        if not isinstance(sess, Session):
            raise TypeError(f"'sess' must be a Session; {sess}")
        if sess._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        for t in self._variables.values():
            if t.graph is not sess.graph:
                raise ValueError(f"{t!r} is not an element of this graph.")
        return sess.graph

    def _values(self, sess: Session) -> dict[str, np.ndarray]:
        state, found = sess.state, {}
        for name, t in self._variables.items():
            node = t.op.attrs["_node"]
            if node not in state.initialized:
                raise FailedPreconditionError(f"Attempting to use uninitialized value {t.op.name}", t.op)
            found[name] = state.array(node, write=False)
        if self._whole:
            found |= {STREAM + name: state.stream(key, write=False) for name, key in _streams(sess.graph)}
        return found

    def _record(self, path: str, latest_filename: str | None) -> None:
        """Bring the file `checkpoint` up to date, and then delete what is too old: the list never names what is gone."""
        self._kept.pop(path, None)
        self._kept[path] = time.time()
        excess = list(self._kept)[: -self._max_to_keep] if self._max_to_keep else []
        gone = []
        for old in excess:
            written = self._kept.pop(old)
            if written > self._keep_from:
                self._keep_from += self._hours * 3600
            else:
                gone.append(old)
        checkpoint.write_state(os.path.dirname(path), path, list(self._kept), latest_filename, self._relative)
        for old in gone:
            checkpoint.remove(old)

    def _pieces(self, graph: Graph) -> list[bytes]:
        names = {name: t.op.name for name, t in self._variables.items()}
        saver = {"variables": names, "whole": self._whole, "reshape": self._reshape, "max_to_keep": self._max_to_keep, "hours": self._hours}
        return record.pieces(graph, saver=saver)

    def export_meta_graph(self, filename: str | None = None, **options: Any) -> dict:
        """The default graph and this saver, as `import_meta_graph` takes them; also written to a file."""
        return _exported(self._pieces(get_default_graph()), filename)

    # -- restoring
    def restore(self, sess: Session, save_path: str) -> None:
        """Set the variables in `sess` to the values of a checkpoint; none needs to be initialised.

        ValueError when there is no checkpoint at the path, NotFoundError or InvalidArgumentError when its names,
        shapes or dtypes differ, DataLossError when it is damaged: then nothing has been changed."""
        graph = self._check_session(sess)
        path = None if save_path is None else os.fspath(save_path)
        with checkpoint.open_values(path) as values:
            LOG.info("Restoring parameters from %s", path)
            wanted = {
                name: (t.dtype.name, tuple(int(d) for d in t.op.attrs["shape"]))  # type: ignore[arg-type]
                for name, t in self._variables.items()
            }
            check(values, wanted, self._reshape)
            keys = dict(_streams(graph)) if self._whole else {}
            streams = {STREAM + n: key for n, key in keys.items() if STREAM + n in values.entries}
            loaded = values.load([*wanted, *streams])
        with sess.state.lock:
            state = sess.state
            for name, t in self._variables.items():
                node, value = t.op.attrs["_node"], loaded[name].reshape(wanted[name][1])
                if node in state.variables:
                    state.array(node)[...] = value
                else:
                    state.variables[node] = value
                state.initialized.add(node)
            for name, key in streams.items():
                _resume(state.stream(key), loaded[name], key)


def _resume(stream: np.ndarray, stored: np.ndarray, key: Key) -> None:
    """Set a stream's position; one with seeds of its own stays as it is when the stored one had others."""
    if stored.shape == stream.shape and (key.owner is None or tuple(stored[1:].tolist()) == key.owner):
        stream[...] = stored


def _streams(graph: Graph) -> list[tuple[str, Key]]:
    return [(op.name, op.attrs["_key"]) for op in graph.get_operations() if "_key" in op.attrs]


def _named(var_list: Any) -> dict[str, Tensor]:
    """The variables to save by their names in the file."""
    if isinstance(var_list, Mapping):
        pairs = list(var_list.items())
    else:
        pairs = [(None, v) for v in var_list]
    found: dict[str, Tensor] = {}
    for name, v in pairs:
        try:
            ref = ref_of(v)
        except TypeError:
            raise TypeError(f"Variable to save is not a Variable: {v!r}") from None
        key = ref.op.name if name is None else name
        if not isinstance(key, str) or not key or key == "__metadata__" or key.startswith(STREAM):
            raise TypeError(f"a variable cannot be saved under the name {key!r}")
        if key in found:
            raise ValueError(f"At least two variables have the same name: {key}")
        if found and ref.graph is not next(iter(found.values())).graph:
            raise ValueError(f"{ref!r} is not of the same graph as the variables before it.")
        found[key] = ref
    return found


# ---------------------------------------------------------------- graphs
def _exported(pieces: list[bytes], filename: str | None) -> dict:
    if filename is not None:
        checkpoint.write_pieces(os.fspath(filename), pieces)
    return record.loads(b"".join(pieces))


def export_meta_graph(filename: str | None = None, graph: Graph | None = None, clear_devices: bool = False, **options: Any) -> dict:
    """A graph (by default the default one) as JSON's objects, for `import_meta_graph`; also written to `filename`."""
    return _exported(record.pieces(graph or get_default_graph()), filename)


def import_meta_graph(meta_graph_or_file: Any, clear_devices: bool = False, import_scope: str | None = None) -> Saver | None:
    """Add a saved graph to the default graph: operations, collections, seed and counts; returns the saver it was saved
    with, else one of its global variables, or None when it has none.

    `meta_graph_or_file`: PATH.meta, PATH, or what `export_meta_graph` gave.  With `import_scope`, all names get it in
    front.  OSError when there is no such file; ValueError when it is damaged, altered, of a newer version, not the
    graph of the values beside it, or has operation types unknown here."""
    if isinstance(meta_graph_or_file, Mapping):
        source, document = "the graph", dict(meta_graph_or_file)
    else:
        text, source = checkpoint.read_graph(os.fspath(meta_graph_or_file))
        document = record.loads(text, source)
    graph = get_default_graph()
    settings = _settings(document["saver"], source) if document.get("saver") is not None else None
    imported = record.build_graph(document, graph, import_scope, source)
    if settings is None:
        names = {name: v._ref for name, v in imported.variables.items() if v in graph.get_collection(GLOBAL_VARIABLES)}
        settings = {"variables": {n: n for n in names}, "whole": True, "reshape": False, "max_to_keep": 5, "hours": 10000.0}
    if not settings["variables"]:
        LOG.info("Saver not created because there are no variables in the graph to restore")
        return None
    saver = Saver.__new__(Saver)
    found = {key: _imported_variable(imported.operations, name, source) for key, name in settings["variables"].items()}
    saver._begin(found, settings["whole"], settings["reshape"], settings["max_to_keep"], settings["hours"])
    return saver


def _settings(stored: Any, source: str) -> dict[str, Any]:
    """A stored saver, after a look at every part of it."""
    kinds = {"variables": dict, "whole": bool, "reshape": bool, "max_to_keep": int | None, "hours": int | float}
    ok = isinstance(stored, dict) and set(kinds) <= set(stored) and all(isinstance(stored[k], kind) for k, kind in kinds.items())
    if not ok or not all(isinstance(v, str) for v in stored["variables"].values()):
        raise ValueError(f"{source} is damaged or was not written by symgraph: its saver is {stored!r:.80}")
    return stored


def _imported_variable(operations: Mapping[str, Operation], name: str, source: str) -> Tensor:
    op = operations.get(name)
    if op is None or op.type != "VariableV2":
        raise ValueError(f"{source} is damaged or was not written by symgraph: its saver names '{name}', which is no variable in it")
    return op.outputs[0]
