"""`tf.gfile`: files, on this machine.

Law of this file: names are TF1's, what they do is os's and shutil's; errors are those of tf.errors.  Files elsewhere
(gs://, hdfs://) are refused.
"""

from __future__ import annotations

import glob as _glob
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any

from .errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnimplementedError,
)


def _path(name: Any) -> str:
    path = os.fspath(name)
    path = path.decode() if isinstance(path, bytes) else path
    scheme, found, rest = path.partition("://")
    if found and scheme != "file":
        raise UnimplementedError(f"File system scheme '{scheme}' not implemented (file: '{path}')")
    return rest if found else path


_KINDS: tuple[tuple[type[OSError], type[Exception]], ...] = (
    (FileNotFoundError, NotFoundError),
    (FileExistsError, AlreadyExistsError),
    (PermissionError, PermissionDeniedError),
    (NotADirectoryError, FailedPreconditionError),
    (IsADirectoryError, FailedPreconditionError),
    (OSError, FailedPreconditionError),
)
"""Python's errors, and TF1's for them."""


def _in_tf_words(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function with TF1's errors."""

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return f(*args, **kwargs)
        except OSError as e:
            kind = next(ours for theirs, ours in _KINDS if isinstance(e, theirs))
            raise kind(f"{e.filename}; {e.strerror}") from None

    return call


class GFile:
    """An open file: modes 'r', 'w', 'a', with 'b' for bytes and '+' for both ways.  It is opened when first used."""

    _file: Any = None

    def __init__(self, name: Any, mode: str = "r") -> None:
        if mode.replace("b", "") not in ("r", "w", "a", "r+", "w+", "a+"):
            raise InvalidArgumentError(f"mode is not 'r' or 'w' or 'a' or 'r+' or 'w+' or 'a+': {mode!r}")
        self.name, self.mode = _path(name), mode

    @property
    def _open(self) -> Any:
        if self._file is None:
            self._file = _opened(self.name, self.mode)
        return self._file

    def read(self, n: int = -1) -> Any:
        """The rest of the file, or n characters (bytes)."""
        return self._open.read(n)

    def readline(self) -> Any:
        return self._open.readline()

    def readlines(self) -> list[Any]:
        return self._open.readlines()

    def write(self, file_content: Any) -> None:
        """Write text, or bytes (text that says bytes is encoded)."""
        f = self._open
        if "b" in self.mode and isinstance(file_content, str):
            file_content = file_content.encode()
        elif "b" not in self.mode and isinstance(file_content, bytes):
            file_content = file_content.decode()
        f.write(file_content)

    def seek(self, offset: int | None = None, whence: int = 0, position: int | None = None) -> None:
        self._open.seek(position if offset is None else offset, whence)

    def tell(self) -> int:
        return self._open.tell()

    def seekable(self) -> bool:
        return True

    def size(self) -> int:
        """Bytes of the file."""
        self.flush()
        return Stat(self.name).length

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> GFile:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._open)


@_in_tf_words
def _opened(path: str, mode: str) -> Any:
    return open(path, mode, encoding=None if "b" in mode else "utf-8")


Open = FastGFile = GFile


@dataclass(frozen=True)
class FileStatistics:
    """What `Stat` gives: bytes, time of the last change in nanoseconds, is it a folder?"""

    length: int
    mtime_nsec: int
    is_directory: bool


def Exists(filename: Any) -> bool:
    """Is there a file or folder of this name?"""
    return os.path.exists(_path(filename))


def IsDirectory(dirname: Any) -> bool:
    """Is there a folder of this name?"""
    return os.path.isdir(_path(dirname))


@_in_tf_words
def Stat(filename: Any) -> FileStatistics:
    """Size, time and kind of a file."""
    found = os.stat(_path(filename))
    return FileStatistics(found.st_size, found.st_mtime_ns, os.path.isdir(_path(filename)))


def Glob(filename: Any) -> list[str]:
    """The files that match a pattern, or any of a list of patterns, in order."""
    patterns = filename if isinstance(filename, list | tuple) else [filename]
    return [found for p in patterns for found in sorted(_glob.glob(_path(p)))]


@_in_tf_words
def ListDirectory(dirname: Any) -> list[str]:
    """The names inside a folder, in order."""
    return sorted(os.listdir(_path(dirname)))


@_in_tf_words
def MkDir(dirname: Any) -> None:
    """Make a folder inside one that is there."""
    os.mkdir(_path(dirname))


@_in_tf_words
def MakeDirs(dirname: Any) -> None:
    """Make a folder, and those that it lies in."""
    os.makedirs(_path(dirname), exist_ok=True)


@_in_tf_words
def Remove(filename: Any) -> None:
    """Remove a file."""
    os.remove(_path(filename))


@_in_tf_words
def DeleteRecursively(dirname: Any) -> None:
    """Remove a folder with all that is in it, or a file."""
    path = _path(dirname)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


@_in_tf_words
def Copy(oldpath: Any, newpath: Any, overwrite: bool = False) -> None:
    """Copy a file; AlreadyExistsError where there is one already, unless `overwrite`."""
    _free(newpath, overwrite)
    shutil.copyfile(_path(oldpath), _path(newpath))


@_in_tf_words
def Rename(oldname: Any, newname: Any, overwrite: bool = False) -> None:
    """Move a file; AlreadyExistsError where there is one already, unless `overwrite`."""
    _free(newname, overwrite)
    os.replace(_path(oldname), _path(newname))


def _free(name: Any, overwrite: bool) -> None:
    if not overwrite and os.path.exists(_path(name)):
        raise AlreadyExistsError(f"file already exists: {name}")


def Walk(top: Any, in_order: bool = True) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder, folders in it, files in it) for a folder and all below, from the top (or from the bottom)."""
    return os.walk(_path(top), topdown=in_order)
