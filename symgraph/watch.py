"""What looks after a loop between its steps: Ctrl-C and the progress bar.

Law of this file: while a loop runs in the main thread, the first Ctrl-C only asks it to stop after the step that it is
in; a second one is Python's own.  A bar is drawn at most every LOOK seconds and costs nothing before.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import warnings
from typing import Any

LOOK = 0.1
"""Seconds between looks at the bar; a compiled loop comes back to Python as often."""
PATIENCE = 1.5
"""Seconds after which a loop shows a bar, where nothing else was said."""


class Watch:
    """`with Watch(steps, progress) as watch`, and after each step `if not watch(steps_done): break`.

    `progress`: True draws a bar from the start (ImportError without tqdm), False none, None one for loops that last,
    where standard error is a terminal or in a notebook, if tqdm is there.  `done` is how many steps were made."""

    def __init__(self, steps: int, progress: bool | None) -> None:
        self.steps, self.done, self.stopped = steps, 0, False
        self.start = time.perf_counter()
        self._kind = _tqdm(required=True) if progress else None
        self._bar: Any = None
        self._next = self.start + (0 if progress else PATIENCE if progress is None and _seen() else float("inf"))

    def __enter__(self) -> Watch:
        mine = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        self._before = signal.signal(signal.SIGINT, self._pressed) if mine else None
        return self

    def _pressed(self, number: int, frame: Any) -> None:
        self.stopped = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __call__(self, done: int) -> bool:
        """Go on?"""
        self.done = done
        now = time.perf_counter()
        if now >= self._next:
            self._next = now + LOOK
            self._draw()
        return not self.stopped

    def _draw(self) -> None:
        if self._bar is None:
            self._kind = self._kind or _tqdm(required=False)
            if self._kind is None:
                self._next = float("inf")
                return
            self._bar = self._kind(total=self.steps, initial=self.done, unit="step")
        self._bar.update(self.done - self._bar.n)

    def close(self) -> None:
        """The bar as it stands at the end."""
        if self._bar is not None:
            self._bar.update(self.done - self._bar.n)

    def __exit__(self, *exc: Any) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if self._bar is not None:
            self._bar.close()

    @property
    def seconds(self) -> float:
        """Since the loop began."""
        return time.perf_counter() - self.start


def _seen() -> bool:
    """Does a person look at standard error: is it a terminal, or are we in a notebook?"""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") or sys.stderr is not None and sys.stderr.isatty()


def _tqdm(required: bool) -> Any:
    """tqdm's bar for where we are; without tqdm None, or an ImportError that says what to do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a notebook without widgets gets a bar of text
            from tqdm.auto import tqdm
    except ImportError:
        if required:
            raise ImportError("progress=True needs tqdm: pip install 'symgraph[progress]'") from None
        return None
    return tqdm
