"""`tf.logging`: lines on standard error, 'INFO:tensorflow:...'.

Law of this file: everything goes through the one logger of log.py; levels are those of Python's logging.
"""

from __future__ import annotations

from collections import Counter
from logging import DEBUG, ERROR, FATAL, INFO, WARN
from typing import Any

from .log import LOG

__all__ = [
    "DEBUG",
    "ERROR",
    "FATAL",
    "INFO",
    "WARN",
    "debug",
    "error",
    "fatal",
    "flush",
    "get_verbosity",
    "info",
    "log",
    "log_every_n",
    "log_first_n",
    "log_if",
    "set_verbosity",
    "vlog",
    "warn",
    "warning",
]

debug, info, error, fatal = LOG.debug, LOG.info, LOG.error, LOG.critical
warn = warning = LOG.warning
log = LOG.log
_said: Counter[tuple[int, str]] = Counter()


def vlog(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """As `log`."""
    LOG.log(level, msg, *args, **kwargs)


def log_if(level: int, msg: str, condition: Any, *args: Any) -> None:
    """Log where the condition holds."""
    if condition:
        LOG.log(level, msg, *args)


def log_every_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Log the first of every n calls with this message."""
    log_if(level, msg, _count(level, msg) % n == 0, *args)


def log_first_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Log the first n calls with this message."""
    log_if(level, msg, _count(level, msg) < n, *args)


def _count(level: int, msg: str) -> int:
    """How often this was asked for before."""
    _said[level, msg] += 1
    return _said[level, msg] - 1


def get_verbosity() -> int:
    """The level below which nothing is told."""
    return LOG.level


def set_verbosity(v: Any) -> None:
    """Tell lines of this level and above: tf.logging.INFO, or 'INFO'."""
    LOG.setLevel(v)


def flush() -> None:
    """Nothing to do: lines are written at once."""
