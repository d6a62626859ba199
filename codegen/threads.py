"""How many threads a program may use.

Law of this file: one number, asked for when it is needed.  What `set_threads` was given wins over SYMGRAPH_THREADS, and
without either it is automatic: the CPUs that this process may run on (its affinity), not more than its control group's
quota of CPU time rounded down, than OMP_NUM_THREADS (process pools set it so that their children do not all take
the whole machine), or than MOST (a meeting of the whole team gets dearer with each thread).
"""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Iterator
from pathlib import Path

from . import config

MOST = 64
_chosen: int | None = None


def set_threads(n: int | None) -> None:
    """Let programs use n threads at once, n from 1 to 1024; None returns to the environment's number, or the automatic one.

    Results are the same bits for every number.  TypeError for what is no whole number, ValueError outside the range.

    >>> set_threads(2)
    >>> get_threads()
    2
    >>> set_threads(None)
    """
    global _chosen
    if n is None:
        _chosen = None
        return
    try:
        if isinstance(n, bool):
            raise TypeError
        value = operator.index(n)
    except TypeError:
        raise TypeError(f"set_threads takes a whole number, or None for the automatic number; got {n!r}") from None
    if not 1 <= value <= 1024:
        raise ValueError(f"set_threads takes a number from 1 to 1024, or None for the automatic number; got {value}")
    _chosen = value


def get_threads() -> int:
    """How many threads programs may use at once, at least 1.  ValueError when SYMGRAPH_THREADS holds something else."""
    return _chosen or config.get("SYMGRAPH_THREADS") or automatic()


def automatic() -> int:
    """The number for this process and machine."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    hint = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    asked = int(hint) if hint.isdecimal() and int(hint) else MOST
    return max(1, min(cpus, int(quota()), asked, MOST))


@functools.cache
def quota(groups: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> float:
    """CPUs' worth of time that the control groups above this process leave it; MOST where there is no limit."""
    return min([float(MOST), *_quotas(Path(groups), Path(root))])


def _quotas(groups: Path, root: Path) -> Iterator[float]:
    """The limit of every group from this process's to the root, in the second version's files and in the first's."""
    for line in _words(groups, "\n"):
        _, controllers, place = line.split(":", 2)
        tops = [root, root / "unified"] if not controllers else [root / controllers] if "cpu" in controllers.split(",") else []
        for top in tops:
            inner = Path(place.lstrip("/"))
            for folder in (top / inner, *(top / p for p in inner.parents)):
                for time in ([*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")], _words(folder / "cpu.max")):
                    if len(time) == 2 and time[0].isdecimal() and int(time[1]):  # no limit is 'max', or -1
                        yield int(time[0]) / int(time[1])


def _words(path: Path, separator: str | None = None) -> list[str]:
    """The words of a small file; none when it cannot be read."""
    try:
        return [word for word in path.read_text(encoding="utf-8").split(separator) if word]
    except OSError:
        return []
