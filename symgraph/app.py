"""`tf.app`: a program's main function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from . import flags

__all__ = ["flags", "run"]


def run(main: Callable[[Sequence[str]], Any] | None = None, argv: Sequence[str] | None = None) -> NoReturn:
    """Read the flags of `argv` (sys.argv), call `main` (that of the program) with what is left, and leave with its result."""
    function = main if main is not None else sys.modules["__main__"].main  # type: ignore[attr-defined]
    rest = flags.FLAGS(list(sys.argv if argv is None else argv), known_only=True)
    sys.exit(function(rest))
