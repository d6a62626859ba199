"""The few error classes, and the words that point at the user's own line.

Mistakes in building a graph are `ValueError` (shapes, names) and `TypeError` (dtypes), as in TF1; mistakes met while
running are the classes below, which bear TF1's names.  Every message says what, where and what to do.
"""

from __future__ import annotations

import os
import sys
from types import FrameType

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_CODEGEN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "codegen") + os.sep


class OpError(Exception):
    """Base of the errors that running a graph can raise (`tf.errors.OpError`)."""

    def __init__(self, message: str, op: object = None) -> None:
        super().__init__(message)
        self.message, self.op = message, op


class InvalidArgumentError(OpError, ValueError):
    """A value that an operation cannot take: a missing feed, a singular matrix, a wrong shape met at run time."""


class FailedPreconditionError(OpError):
    """Something had to happen first: mostly, a variable had to be initialised."""


class NotFoundError(OpError):
    """Something named does not exist."""


class UnimplementedError(OpError, NotImplementedError):
    """The operation exists in TF1 but not (yet) here; the message says what to use instead."""


class NoGradientError(LookupError):
    """A path from y to x runs through an operation whose derivative is not defined."""


def user_site() -> tuple[str, int]:
    """(file, line) of the innermost frame outside this package: where the user made the op."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not (name.startswith(_HERE) or name.startswith(_CODEGEN) or name.startswith("<frozen")) and name != _CONTEXTLIB:
            return name, frame.f_lineno
        frame = frame.f_back
    return "<unknown>", 0


_CONTEXTLIB = os.path.join(os.path.dirname(os.__file__), "contextlib.py")


def at(site: tuple[str, int]) -> str:
    """'train.py:14'"""
    return f"{os.path.basename(site[0])}:{site[1]}"
