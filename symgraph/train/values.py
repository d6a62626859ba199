"""A file of values, in the safetensors format: a header in JSON, then the tensors' bytes.

Law of this file: each tensor has a sha256 over its name, dtype, shape and bytes in the header's metadata, and what does
not agree with it is refused by name.  sha256 is the fast one where the processor has instructions for it (1.7 GB/s;
blake2b 0.65); `hashlib` lets threads run, so hashing goes on while the disk writes or reads.  The format's own package
is not used: its writer wants the digests first and leaves private files behind when it is killed, and its reader does
not say which tensor is cut off.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ..errors import DataLossError, InvalidArgumentError, NotFoundError

VERSION = 1
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


# ---------------------------------------------------------------- writing
def check_storable(tensors: Mapping[str, np.ndarray]) -> None:
    """TypeError for a tensor that has no place in such a file."""
    for name, a in tensors.items():
        if a.dtype.name not in _CODES:
            raise TypeError(f"'{name}' cannot be saved: its values are {a.dtype}")


def write(file: str, tensors: Mapping[str, np.ndarray], graph: str | None) -> None:
    """Write the tensors and the digest of the graph they belong to, None for none.

    The header is written twice: the tensors' digests are made while the disk takes the bytes."""
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
    own: dict[str, Any] = {"version": VERSION, "graph": graph, "digests": dict(zip(order, digests, strict=True))}
    own["seal"] = _seal(own)
    header: dict[str, Any] = {"__metadata__": {"symgraph": json.dumps(own)}}
    at = 0
    for n in order:
        a = tensors[n]
        header[n] = {"dtype": _CODES[a.dtype.name], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _seal(own: Mapping[str, Any]) -> str:
    """The digest of what the metadata says beside it."""
    return hashlib.sha256(json.dumps({k: v for k, v in own.items() if k != "seal"}, sort_keys=True).encode()).hexdigest()


def _digest(name: str, a: np.ndarray) -> str:
    h = hashlib.sha256(json.dumps([name, a.dtype.name, a.shape]).encode())
    h.update(_raw(a))
    return h.hexdigest()


def _raw(a: np.ndarray) -> memoryview:
    """An array's bytes."""
    return memoryview(a.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


# ---------------------------------------------------------------- reading
@dataclass(frozen=True)
class Entry:
    """A tensor in the file: its dtype's name, its shape, where its bytes begin and end, and their digest."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int
    digest: str


class Values:
    """`with Values(path) as values`: an open file of values; `entries` by name, and `graph`, the graph's digest.

    It is read through the one open file: another process may replace it meanwhile."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.file: BinaryIO = open(path, "rb")
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
        return DataLossError(f"The checkpoint {self.path} is damaged: {what}. Nothing was restored.")

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
            raise ValueError(
                f"{self.path} is not a file that symgraph wrote, or its header is damaged: it has no digests. Nothing was restored."
            )
        version = own.get("version") if isinstance(own, dict) else None
        if type(version) is int and version > VERSION:
            raise ValueError(f"{self.path} was written by a newer symgraph: its format is {version}, this one reads up to {VERSION}")
        if version != VERSION or not isinstance(own.get("digests"), dict):
            raise self._damaged("its metadata is not as it was written")
        self.graph: str | None = own.get("graph")
        self.entries: dict[str, Entry] = {}
        for name in {**header, **own["digests"]}:
            self.entries[name] = self._entry(name, header.get(name), own["digests"].get(name), 8 + length)
        self._check_extent(size, 8 + length)
        if own.get("seal") != _seal(own):
            raise self._damaged("its metadata is not as it was written")

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
