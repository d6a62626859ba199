"""A side in a process of its own: `serve` is what that process does, `Apart` is the side as its racers see it.

Law of this file: one process holds one library, so nobody's idle threads, allocator or signal handlers are there while
another is timed; clocks are read where the work is done, and only numbers and final parameters cross the pipe.  The processes
live through the whole race and take turns.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..timing import Side, sample

ROOT = Path(__file__).resolve().parents[2]


def command(workload: str, side: str, quick: bool) -> list[str]:
    """What runs `alone.py` for a side."""
    return [sys.executable, "-m", "profiling.loops.alone", workload, side, *(["--quick"] if quick else [])]


def serve(side: Side, orders: BinaryIO, replies: BinaryIO) -> None:
    """Answer orders until there are none: None asks for what the side computes, a number for a sample of so many runs."""
    while True:
        try:
            order = pickle.load(orders)
        except EOFError:
            return
        pickle.dump(side.first_answer() if order is None else sample(side.run, order, side.reset), replies)
        replies.flush()


class Apart:
    """A process that runs one side of a workload, in this environment and more; a context, at whose end the process ends."""

    def __init__(self, workload: str, side: str, quick: bool = False, **environment: str) -> None:
        self.side = Side(side, self._unused, lambda: self._ask(None), clock=self._ask)
        self._process = subprocess.Popen(
            [*command(workload, side, quick), "--serve"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *failure: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _unused(self) -> None:
        """What runs, runs over there."""

    def _ask(self, order: int | None) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            pickle.dump(order, self._process.stdin)
            self._process.stdin.flush()
            return pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError):
            raise RuntimeError(f"{self.side.name} ended with exit code {self._process.wait()}") from None
