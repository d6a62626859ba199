"""The files of a checkpoint: its values, its graph, and the list of the latest ones.

Law of this file: PATH.safetensors holds the values, PATH.meta the graph, `checkpoint` beside them names the latest.  A
file is replaced, never changed: written under another name, fsynced, renamed, and the folder fsynced.  The rename of
the values is the moment at which a checkpoint exists: the graph waits for it as PATH.meta.next, the values name the
graph's sha256, and the graph of a checkpoint is whichever of PATH.meta and PATH.meta.next has it.  So a process that
dies at any moment leaves the old checkpoint or the new one, whole.

Values are in the safetensors format (a header in JSON, then the bytes), readable by whatever reads that; each tensor
has a sha256 over its name, dtype, shape and bytes in the header's metadata.  sha256 is the fast one where the processor
has instructions for it (1.7 GB/s; blake2b 0.65).  `hashlib` lets threads run, so hashing goes on while the disk writes
or reads.  The format's own package is not used: its writer wants the digests first, waits for nothing, and leaves
private files behind when it is killed; its reader does not say which tensor is cut off.
"""

from __future__ import annotations

import difflib
import glob
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ..errors import DataLossError, InvalidArgumentError, NotFoundError
from ..log import LOG

VERSION = 1
VALUES, GRAPH, WAITING = ".safetensors", ".meta", ".meta.next"
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F32": "float32",
    "F64": "float64",
}
_CODES = {name: code for code, name in _DTYPES.items()}
_HEADER_LIMIT = 100_000_000
_THREADS = min(4, os.cpu_count() or 1)
_writing = threading.Lock()


# ---------------------------------------------------------------- replacing files
def _sync(path: str) -> None:
    """Wait until a file's bytes, or a folder's entries, are on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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
    _sync(os.path.dirname(target) or ".")


def _write_text(text: str) -> Callable[[str], object]:
    def write(name: str) -> None:
        with open(name, "w", encoding="utf-8") as f:
            f.write(text)

    return write


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
def write(path: str, tensors: Mapping[str, np.ndarray], graph: str | None) -> None:
    """Write a checkpoint.  `graph` is the graph's text, None for a checkpoint without one (a graph that lies at
    PATH.meta already stays).  ValueError when the folder does not exist."""
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise ValueError(f"Parent directory of {path} doesn't exist, can't save.")
    for name, a in tensors.items():
        if a.dtype.name not in _CODES:
            raise TypeError(f"'{name}' cannot be saved: its values are {a.dtype}")
    text = None if graph is None else graph.encode()
    named = None if text is None else hashlib.sha256(text).hexdigest()
    with _writing:
        _finish(path)
        waits = text is not None and text != _read_bytes(path + GRAPH)
        if waits:
            _replace(path + WAITING, _write_text(graph or ""))
        _replace(path + VALUES, lambda name: _write_values(name, tensors, named))
        if waits:
            os.replace(path + WAITING, path + GRAPH)
            _sync(folder or ".")


def _write_values(file: str, tensors: Mapping[str, np.ndarray], graph: str | None) -> None:
    """The values' file.  Its header is written twice: the digests are made while the disk takes the bytes."""
    order = sorted(tensors, key=lambda n: (-tensors[n].itemsize, n))  # so that all are aligned, as the format asks
    with ThreadPoolExecutor(_THREADS) as pool, open(file, "wb") as f:
        f.write(_header(order, tensors, graph, ["0" * 64] * len(order)))
        for n in order:
            f.write(_raw(tensors[n]))
        f.flush()
        found = [pool.submit(_digest, n, tensors[n]) for n in order]
        os.fsync(f.fileno())
        f.seek(0)
        f.write(_header(order, tensors, graph, [d.result() for d in found]))


def _header(order: Sequence[str], tensors: Mapping[str, np.ndarray], graph: str | None, digests: Sequence[str]) -> bytes:
    own = {"version": VERSION, "graph": graph, "digests": dict(zip(order, digests, strict=True))}
    header: dict[str, Any] = {"__metadata__": {"symgraph": json.dumps(own)}}
    at = 0
    for n in order:
        a = tensors[n]
        header[n] = {"dtype": _CODES[a.dtype.name], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _finish(path: str) -> None:
    """Complete what a process that died between its two last renames has left undone."""
    waiting = _read_bytes(path + WAITING)
    if waiting is None:
        return
    if hashlib.sha256(waiting).hexdigest() == _graph_digest(path):
        os.replace(path + WAITING, path + GRAPH)
    else:
        os.unlink(path + WAITING)


def _digest(name: str, a: np.ndarray) -> str:
    h = hashlib.sha256(json.dumps([name, a.dtype.name, a.shape]).encode())
    h.update(_raw(a))
    return h.hexdigest()


def _raw(a: np.ndarray) -> memoryview:
    """An array's bytes."""
    return memoryview(a.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def remove(path: str) -> None:
    """Delete a checkpoint, its values first."""
    for suffix in (VALUES, GRAPH, WAITING):
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)


def exists(path: str) -> bool:
    """Are there values at this path?"""
    return os.path.isfile(path + VALUES)


# ---------------------------------------------------------------- reading values
@dataclass(frozen=True)
class Entry:
    """A tensor in the file: its dtype's name, its shape, where its bytes begin and end, and their digest."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int
    digest: str


class Values:
    """`with Values(path) as values`: an open file of values; `entries` by name, and `graph`, the graph's digest."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.file: BinaryIO = open(path + VALUES, "rb")
        try:
            self._read_header()
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Values:
        return self

    def __exit__(self, *exc: object) -> None:
        self.file.close()

    def _damaged(self, what: str) -> DataLossError:
        return DataLossError(f"The checkpoint {self.path}{VALUES} is damaged: {what}. Nothing was restored.")

    def _read_header(self) -> None:
        size = os.fstat(self.file.fileno()).st_size
        length = int.from_bytes(self.file.read(8), "little")
        if size < 8 or length > min(size - 8, _HEADER_LIMIT):
            raise self._damaged(f"it ends inside its header, after {size} bytes, so that not even the names of its tensors are known")
        try:
            header = json.loads(self.file.read(length))
            own = json.loads(header.pop("__metadata__", {}).get("symgraph", "null"))
        except (ValueError, AttributeError, TypeError, RecursionError) as e:
            raise self._damaged(f"its header cannot be read ({e})") from None
        if own is None:
            raise ValueError(f"{self.path}{VALUES} is a safetensors file, but not one that symgraph wrote: it has no digests")
        version = own.get("version") if isinstance(own, dict) else None
        if type(version) is int and version > VERSION:
            raise ValueError(
                f"{self.path}{VALUES} was written by a newer symgraph: its format is {version}, this one reads up to {VERSION}"
            )
        if version != VERSION or not isinstance(own.get("digests"), dict):
            raise self._damaged("its metadata is not as it was written")
        self.graph: str | None = own.get("graph")
        self.entries: dict[str, Entry] = {}
        for name in {**header, **own["digests"]}:
            self.entries[name] = self._entry(name, header.get(name), own["digests"].get(name), 8 + length)
        self._check_extent(size, 8 + length)

    def _entry(self, name: str, stored: Any, digest: Any, base: int) -> Entry:
        try:
            (start, stop), shape, dtype = stored["data_offsets"], tuple(stored["shape"]), _DTYPES[stored["dtype"]]
            numbers = [start, stop, *shape]
            if not isinstance(digest, str) or any(type(n) is not int or n < 0 for n in numbers):
                raise ValueError
            count = 1
            for d in shape:
                count *= d
            if stop - start != count * np.dtype(dtype).itemsize:
                raise ValueError
        except (TypeError, ValueError, LookupError):
            raise self._damaged(f"what its header says of the tensor '{name}' is not as it was written") from None
        return Entry(dtype, shape, base + start, base + stop, digest)

    def _check_extent(self, size: int, base: int) -> None:
        lost = [n for n, e in self.entries.items() if e.stop > size]
        if lost:
            raise self._damaged(f"it is cut off after {size} bytes, inside or before {_listed(lost)}")
        end = max([base, *(e.stop for e in self.entries.values())])
        if size != end:
            raise self._damaged(f"{size - end} bytes follow its last tensor")

    def load(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """The tensors called `names`, each held against its digest while the next one is read."""
        found: dict[str, np.ndarray] = {}
        with ThreadPoolExecutor(_THREADS) as pool:
            seen = {}
            for name in names:
                e = self.entries[name]
                a = found[name] = np.empty(e.shape, e.dtype)
                self.file.seek(e.start)
                if self.file.readinto(_raw(a)) != a.nbytes:  # type: ignore[attr-defined]
                    raise self._damaged(f"it ends inside the tensor '{name}'")
                seen[name] = pool.submit(_digest, name, a)
            wrong = [name for name, digest in seen.items() if digest.result() != self.entries[name].digest]
        if wrong:
            raise self._damaged(f"{_listed(wrong)} {'has' if len(wrong) == 1 else 'have'} other bytes than were written")
        return found


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{n}'" for n in names[:10]) + (", ..." if len(names) > 10 else "")
    return f"the tensor {shown}" if len(names) == 1 else f"{len(names)} tensors ({shown})"


def open_values(path: str) -> Values:
    """The values at `path`; ValueError in TF's words when there are none."""
    if path is None:
        raise ValueError("Can't load save_path when it is None.")
    try:
        return Values(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"The passed save_path is not a valid checkpoint: {path}") from None


def check(values: Values, wanted: Mapping[str, tuple[str, tuple[int, ...]]], reshape: bool = False) -> None:
    """Do all of `wanted` (name: dtype, shape) lie in the file?  One error says everything that does not fit:
    NotFoundError when names are missing, else InvalidArgumentError."""
    missing, others = [], []
    spare = [n for n in values.entries if n not in wanted]
    for name, (dtype, shape) in wanted.items():
        e = values.entries.get(name)
        if e is None:
            near = difflib.get_close_matches(name, spare, 3, 0.5) or difflib.get_close_matches(name, list(values.entries), 3, 0.5)
            missing.append(f"Key {name} not found in checkpoint" + (f" (near it: {', '.join(near)})" if near else ""))
        elif e.shape != shape and not (reshape and np.prod(e.shape, dtype=np.int64) == np.prod(shape, dtype=np.int64)):
            ours, theirs = ("[" + ",".join(map(str, s)) + "]" for s in (shape, e.shape))
            others.append(f"Assign requires shapes of both tensors to match. lhs shape= {ours} rhs shape= {theirs} for '{name}'")
        elif e.dtype != dtype:
            others.append(f"Assign requires dtypes of both tensors to match: {name} is {dtype}, but {e.dtype} in the checkpoint")
    faults = missing + others
    if not faults:
        return
    if missing and (kept := [n for n in spare if ":" not in n]):
        faults.append("the checkpoint also has: " + ", ".join(kept[:20]) + (", ..." if len(kept) > 20 else ""))
    message = "\n  ".join([*faults, f"in the checkpoint {values.path}; nothing was restored"])
    raise (NotFoundError if missing else InvalidArgumentError)(message)


# ---------------------------------------------------------------- reading the graph
def _graph_digest(path: str) -> str | None:
    """The digest of the graph that the values at `path` name; None without values or without a graph."""
    try:
        with Values(path) as values:
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


def write_text(path: str, text: str) -> None:
    """Replace a text file."""
    _replace(path, _write_text(text))


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
    write_text(os.path.join(folder, filename or "checkpoint"), "\n".join(lines) + "\n")


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
