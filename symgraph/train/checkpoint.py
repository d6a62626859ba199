"""The files of a checkpoint: its values, its graph, and the list of the latest ones.

Law of this file: PATH.safetensors holds the values, PATH.meta the graph, `checkpoint` beside them names the latest.  A
file is replaced, never changed: written under another name, fsynced, renamed, and the folder fsynced.  The rename of
the values is the moment at which a checkpoint exists: the graph waits for it as PATH.meta.next, the values name the
graph's sha256, and the graph of a checkpoint is whichever of PATH.meta and PATH.meta.next has it.  So a process that
dies at any moment leaves the old checkpoint or the new one, whole.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ..errors import DataLossError
from ..log import LOG
from .values import Values, check_storable
from .values import write as write_values

VALUES, GRAPH, WAITING = ".safetensors", ".meta", ".meta.next"
_writing = threading.Lock()


# ---------------------------------------------------------------- replacing files
def _sync(path: str) -> None:
    """Wait until a file's bytes are on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(path: str) -> None:
    """Wait until the names in a file's folder are on the disk, where the system can say so."""
    with suppress(OSError):
        _sync(os.path.dirname(path) or ".")


def _replace(target: str, write: Callable[[str], object]) -> None:
    """`write(name)` makes the file under another name; then it takes the place of `target`."""
    _sweep(target)
    temporary = f"{target}.tmp{os.getpid()}"
    try:
        write(temporary)
        _sync(temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(target)


def write_pieces(path: str, pieces: Iterable[bytes]) -> None:
    """Replace a file by these bytes."""

    def write(name: str) -> None:
        with open(name, "wb") as f:
            f.writelines(pieces)

    _replace(path, write)


def _holds(path: str, pieces: Iterable[bytes]) -> bool:
    """Does the file consist of these bytes?"""
    try:
        with open(path, "rb") as f:
            return all(f.read(len(p)) == p for p in pieces) and not f.read(1)
    except FileNotFoundError:
        return False


def _read_bytes(path: str) -> bytes | None:
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def _sweep(target: str) -> None:
    """Remove what processes that died while they wrote this file have left."""
    for name in glob.glob(glob.escape(target) + ".tmp*"):
        pid = name.removeprefix(target + ".tmp")
        if pid.isdecimal() and not _alive(int(pid)):
            with suppress(OSError):
                os.unlink(name)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # it lives, and belongs to someone else
    return True


# ---------------------------------------------------------------- writing
def write(path: str, tensors: Mapping[str, np.ndarray], graph: Sequence[bytes] | None) -> None:
    """Write a checkpoint.  `graph` is the graph's text in pieces, None for a checkpoint without one (a graph that lies
    at PATH.meta already stays).  ValueError when the folder does not exist."""
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise ValueError(f"Parent directory of {path} doesn't exist, can't save.")
    check_storable(tensors)
    digest = hashlib.sha256()
    for piece in graph or ():
        digest.update(piece)
    with _writing:
        _finish(path)
        waits = graph is not None and not _holds(path + GRAPH, graph)
        if waits:
            write_pieces(path + WAITING, graph or ())
        _replace(path + VALUES, lambda name: write_values(name, tensors, None if graph is None else digest.hexdigest()))
        if waits:
            os.replace(path + WAITING, path + GRAPH)
            _sync_folder(path)


def _finish(path: str) -> None:
    """Complete what a process that died between its two last renames has left undone."""
    waiting = _read_bytes(path + WAITING)
    if waiting is None:
        return
    if hashlib.sha256(waiting).hexdigest() == _graph_digest(path):
        os.replace(path + WAITING, path + GRAPH)
    else:
        os.unlink(path + WAITING)


def remove(path: str) -> None:
    """Delete a checkpoint, its values first."""
    for suffix in (VALUES, GRAPH, WAITING):
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)


def exists(path: str) -> bool:
    """Are there values at this path?"""
    return os.path.isfile(path + VALUES)


def open_values(path: str) -> Values:
    """The values at `path`; ValueError in TF's words when there are none."""
    if path is None:
        raise ValueError("Can't load save_path when it is None.")
    try:
        return Values(path + VALUES)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"The passed save_path is not a valid checkpoint: {path}") from None


# ---------------------------------------------------------------- reading the graph
def _graph_digest(path: str) -> str | None:
    """The digest of the graph that the values at `path` name; None without values or without a graph."""
    try:
        with Values(path + VALUES) as values:
            return values.graph
    except (OSError, DataLossError, ValueError):
        return None


def read_graph(file: str) -> tuple[bytes, str]:
    """The text of a graph and the name of its file, for PATH, PATH.meta, or a file of another name.

    ValueError when the graph at PATH is not the one that the values beside it belong to."""
    path = file.removesuffix(GRAPH)
    if not file.endswith(GRAPH) and os.path.isfile(file):
        path = file
        candidates = [file]
    else:
        candidates = [path + GRAPH, path + WAITING]
    texts = {c: t for c in candidates if (t := _read_bytes(c)) is not None}
    named = _graph_digest(path)
    if named is None and candidates[0] in texts:
        return texts[candidates[0]], candidates[0]
    for name, text in texts.items():
        if hashlib.sha256(text).hexdigest() == named:
            return text, name
    if candidates[0] not in texts:
        raise OSError(f"File {candidates[0]} does not exist.")
    raise ValueError(f"{candidates[0]} is not the graph that {path}{VALUES} was written with: one of the two was altered or replaced")


# ---------------------------------------------------------------- the list of checkpoints
@dataclass(frozen=True)
class CheckpointState:
    """What the file `checkpoint` says: the latest path, and all that are kept, oldest first."""

    model_checkpoint_path: str
    all_model_checkpoint_paths: tuple[str, ...] = ()


def write_state(folder: str, latest: str, kept: Sequence[str], filename: str | None = None, relative: bool = False) -> None:
    """Write `checkpoint` in TF1's text form; paths are relative to the folder when the folder is."""

    def shown(p: str) -> str:
        return json.dumps(os.path.relpath(p, folder or ".") if relative or not os.path.isabs(folder) else p, ensure_ascii=False)

    every = list(kept) if latest in kept else [*kept, latest]
    lines = [f"model_checkpoint_path: {shown(latest)}", *(f"all_model_checkpoint_paths: {shown(p)}" for p in every)]
    write_pieces(os.path.join(folder, filename or "checkpoint"), [f"{line}\n".encode() for line in lines])


def get_checkpoint_state(checkpoint_dir: str, latest_filename: str | None = None) -> CheckpointState | None:
    """What the file `checkpoint` in a folder says; None when there is none, or when it cannot be read."""
    file = os.path.join(os.fspath(checkpoint_dir), latest_filename or "checkpoint")
    found: dict[str, list[str]] = {"model_checkpoint_path": [], "all_model_checkpoint_paths": []}
    text = _read_bytes(file)
    if text is None:
        return None
    try:
        for line in text.decode().splitlines():
            key, colon, value = line.partition(":")
            if colon and key.strip() in found:
                found[key.strip()].append(os.path.join(os.fspath(checkpoint_dir), str(json.loads(value))))
        (latest,) = found["model_checkpoint_path"]
    except ValueError as e:
        LOG.warning("%s: %s", file, e)
        LOG.warning("%s: Checkpoint ignored", file)
        return None
    return CheckpointState(latest, tuple(found["all_model_checkpoint_paths"]))


def latest_checkpoint(checkpoint_dir: str, latest_filename: str | None = None) -> str | None:
    """The path of the latest checkpoint in a folder, for `Saver.restore`; None when there is none."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if not exists(state.model_checkpoint_path):
        LOG.error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
        return None
    return state.model_checkpoint_path


def checkpoint_exists(checkpoint_prefix: str) -> bool:
    """Is there a checkpoint at this path?"""
    return exists(os.fspath(checkpoint_prefix))
