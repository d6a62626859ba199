"""The few error classes, and the words that point at the user's own line.

Mistakes in building a graph are `ValueError` (shapes, names) and `TypeError` (dtypes), as in TF1; mistakes met while
running are the classes below, which bear TF1's names.  Every message says what, where and what to do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_CODEGEN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "codegen") + os.sep


class OpError(Exception):
    """Base of the errors that running a graph can raise (`tf.errors.OpError`); the message says where `op` was made."""

    def __init__(self, message: str, op: Any = None) -> None:
        if op is not None:
            message = _worded(message, f"{op.type} '{op.name}' made", op.site)
        super().__init__(message)
        self.message, self.op = message, op


class InvalidArgumentError(OpError, ValueError):
    """A value that an operation cannot take: a missing feed, a singular matrix, a wrong shape met at run time."""


class FailedPreconditionError(OpError):
    """Something had to happen first: mostly, a variable had to be initialised."""


class NotFoundError(OpError):
    """Something named does not exist."""


class DataLossError(OpError):
    """A file is damaged: shorter than it was, or different from what was written."""


class AlreadyExistsError(OpError):
    """Something of this name is there already."""


class PermissionDeniedError(OpError):
    """The system does not allow it."""


class UnimplementedError(OpError):
    """Nobody has made this."""


class _NeverRaised(OpError):
    """Base of TF1's errors that programs catch and that nothing here raises."""


class AbortedError(_NeverRaised): ...


class CancelledError(_NeverRaised): ...


class DeadlineExceededError(_NeverRaised): ...


class InternalError(_NeverRaised): ...


class OutOfRangeError(_NeverRaised): ...


class ResourceExhaustedError(_NeverRaised): ...


class UnauthenticatedError(_NeverRaised): ...


class UnavailableError(_NeverRaised): ...


class UnknownError(_NeverRaised): ...


class NoGradientError(LookupError):
    """A path from y to x runs through an operation whose derivative is not defined."""


def user_site() -> tuple[str, int]:
    """(file, line) of the innermost frame outside this package: where the user made the op."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((_HERE, _CODEGEN, "<frozen")) and name != _CONTEXTLIB:
            return name, frame.f_lineno
        frame = frame.f_back
    return "<unknown>", 0


_STDLIB = os.path.dirname(os.__file__) + os.sep
_CONTEXTLIB = _STDLIB + "contextlib.py"


def at(site: tuple[str, int]) -> str:
    """'train.py:14'"""
    return f"{os.path.basename(site[0])}:{site[1]}"


_KINDS = (NoGradientError, NotImplementedError, TypeError, ValueError)
"""What a fault that a user made can be; a subclass is shown as the first of these that it is."""


def locate(error: BaseException, call: str, site: tuple[str, int], operands: Mapping[str, object], clause: str = "") -> BaseException:
    """The error with the call that it happened in ("MatMul 'dense/MatMul' made"), the user's line, and what it was given.

    The first line of `error` is kept as it is (TF's words) and `clause` is put behind it; a second line is a remark
    that goes to the call.  An error that is located already, or that no user can have made, is returned itself."""
    if getattr(error, "located", False) or _is_the_users(error):
        return error
    if isinstance(error, OpError):
        error.message += f"\n  {call} at {at(site)}"
        error.args, error.located = (error.message,), True  # type: ignore[attr-defined]
        return error
    if isinstance(error, IndexError | OverflowError):
        error = ValueError(str(error))
    kind = RuntimeError if type(error) is RuntimeError else next((k for k in _KINDS if isinstance(error, k)), None)
    if kind is None:
        return error
    lines = [_worded(str(error), call, site, clause)]
    lines += [f"  {label} {shown(value)}" for label, value in operands.items() if value is not None]
    new: Any = kind("\n".join(lines))
    new.located = True
    return new


def _is_the_users(error: BaseException) -> bool:
    """Was it raised by the user's own code, in an initial value's function or a regularizer?"""
    step = error.__traceback__
    if step is None:
        return False
    while step.tb_next is not None:
        step = step.tb_next
    name = step.tb_frame.f_code.co_filename
    return not name.startswith((_HERE, _CODEGEN, _STDLIB)) and "site-packages" not in name


def _worded(message: str, call: str, site: tuple[str, int], clause: str = "") -> str:
    what, _, remark = message.partition("\n")
    return f"{what}{clause}\n  {call} at {at(site)}" + (f": {remark}" if remark else "")


def shown(value: object) -> str:
    """An operand in a few words: a tensor with its shape, dtype and line, an array with its shape, else its repr."""
    if hasattr(value, "_as_graph_element"):
        value = value._as_graph_element()
    if hasattr(value, "described"):
        return value.described()
    if isinstance(value, list | tuple) and any(hasattr(v, "described") or hasattr(v, "_as_graph_element") for v in value):
        return ", ".join(map(shown, value[:8])) + (", ..." if len(value) > 8 else "")
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"array {value.shape} {value.dtype}"
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."
