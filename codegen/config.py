"""Every SYMGRAPH_* option, in one table.

Law of this file: an option is an environment variable, a row of `OPTIONS`, and nothing else.  It is read when it is
needed, never kept, so setting it takes effect at once; an unset or empty variable means the row's default; a bad value
is an error that names the variable, the value and what would be accepted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Check = tuple[str, Callable[[str], Any]]
"""What is accepted, in words; and the function from text to value that raises ValueError for anything else."""


@dataclass(frozen=True, slots=True)
class Option:
    """One row."""

    name: str
    default: str
    check: Check
    help: str


# ---------------------------------------------------------------- checks
_UNITS = {"": 0, "B": 0, "K": 1, "KB": 1, "KIB": 1, "M": 2, "MB": 2, "MIB": 2, "G": 3, "GB": 3, "GIB": 3, "T": 4, "TB": 4, "TIB": 4}


def _whole(low: int, high: int | None = None) -> Check:
    def check(text: str) -> int:
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError
        return value

    return f"a whole number from {low}" + (f" to {high}" if high is not None else ""), check


def _one_of(*words: str) -> Check:
    def check(text: str) -> str:
        return words[words.index(text.lower())]

    return "one of " + ", ".join(words), check


def _size(text: str) -> int:
    number = text.rstrip("BKMGTIbkmgti ")
    value = float(number) * 1024 ** _UNITS.get(text[len(number) :].strip().upper(), 99)
    if not 0 <= value < 2**63:
        raise ValueError
    return int(value)


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|(/?(device:)?)(cpu|gpu|cuda)(:\d+)?", text.lower()):
        raise ValueError
    return text.lower()


def _folder(text: str) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


# ---------------------------------------------------------------- the table
OPTIONS = (
    Option(
        "SYMGRAPH_DEBUG",
        "0",
        _whole(0, 5),
        "what to tell: 1 a line per compile (hit or miss, why, time), 2 passes, 3 the program, 4 the generated source and its path, "
        "5 each rewrite with its rule",
    ),
    Option(
        "SYMGRAPH_CHECK",
        "0",
        _whole(0, 2),
        "what to check: 1 verify after every pass, 2 also compare values with the reference, and fed values with what is assumed of them",
    ),
    Option(
        "SYMGRAPH_BACKEND",
        "auto",
        _one_of("auto", "numba", "python", "reference"),
        "how to run: numba compiles, python runs the generated source as it is, reference is plain NumPy, auto chooses",
    ),
    Option(
        "SYMGRAPH_DEVICE",
        "auto",
        ("auto, cpu, cuda, or one of several GPUs as in cuda:1", _device),
        "where sessions run that are not told: cpu, cuda, or auto, which is the CPU but for programs that ask for a GPU with tf.device",
    ),
    Option("SYMGRAPH_CACHE_DIR", "", ("a folder", _folder), "where generated source and compiled code are kept; default: the user's cache"),
    Option(
        "SYMGRAPH_CACHE_SIZE",
        "512 MiB",
        ("a number of bytes such as 1000000, 64M or 2 GiB", _size),
        "how much may be kept there; 0 keeps nothing, and nothing is read",
    ),
    Option("SYMGRAPH_THREADS", "0", _whole(0, 1024), "how many threads programs may use at once; 0 chooses (see codegen/threads.py)"),
)
_TABLE = {option.name: option for option in OPTIONS}


def find(name: str) -> Option:
    """The row called `name`; KeyError, listing the names, when there is none."""
    if name not in _TABLE:
        raise KeyError(f"no option {name!r}; there are {', '.join(_TABLE)}")
    return _TABLE[name]


def get(name: str) -> Any:
    """The option's present value, in its own type (int, str, or for SYMGRAPH_CACHE_DIR an absolute Path or None).

    ValueError when the environment holds something that the option does not accept.

    >>> with override(SYMGRAPH_CACHE_SIZE="2 MiB"):
    ...     get("SYMGRAPH_CACHE_SIZE")
    2097152
    """
    option = find(name)
    text = os.environ.get(name, "").strip() or option.default
    accepted, check = option.check
    try:
        return check(text)
    except (ValueError, OverflowError, RuntimeError):  # RuntimeError: a '~user' whose home is unknown
        raise ValueError(f"{name}={text!r}: {name} takes {accepted} (it says {option.help}); its default is {option.default!r}") from None


@contextmanager
def override(**values: object) -> Iterator[None]:
    """Give options other values inside a `with` block (for all threads: it is the environment that changes).

    KeyError for an unknown name and ValueError for a bad value; the environment is then as it was.
    """
    saved = {find(name).name: os.environ.get(name) for name in values}
    try:
        os.environ.update({name: str(value) for name, value in values.items()})
        for name in values:
            get(name)
        yield
    finally:
        for name, text in saved.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text


def describe() -> str:
    """The table as text: a line for each option with its present value, then what it does."""
    return "\n".join(f"{option.name}={get(option.name)}\n    {option.help}; takes {option.check[0]}" for option in OPTIONS)
