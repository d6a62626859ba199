"""The threads that run kernels: kept, woken for a team, given back.

Law of this file: a team is the caller and workers from the pool, all inside one kernel; nothing ever waits for a worker
to become free.  Idle workers lie in a list; who needs more than lie there starts more, so two callers, and a caller
inside a team, never wait for each other.  How many threads are worth having is another question, asked with `borrow`.
Workers are daemon threads that sleep in a queue: the interpreter ends without waiting for them.  A forked child has
none of its parent's threads, so it begins with an empty pool.

Waking a worker costs 10 to 30 us (starting a thread 70 us to 4 ms).  A queue, a pair of locks and a semaphore wake alike; a
worker that spins first is woken in 15 us at best, but holds up a busy machine: 50 to 250 us.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np

from ..threads import get_threads

BARRIER_SIZE = 16
"""Entries of the barrier's counter, so that nothing else shares its cache line."""
CONTROL_SIZE = 16
STOP, DONE, DEADLINE = 0, 8, 9
"""Entries of a loop's `control`, an int64 array of zeros else: the first step that is not run, how many steps are done, and
time.perf_counter_ns() from which the loop is to end (0: never).  All threads read STOP at each step and one writes DONE:
in one cache line that cost two threads 480 ns a step, in two 160."""


@dataclass(eq=False, slots=True)
class _Pool:
    """The inboxes of idle workers, and how many threads `borrow` has granted; `lock` guards the latter."""

    idle: list[SimpleQueue] = field(default_factory=list)
    granted: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)  # type: ignore[valid-type]  # a signal's handler may run inside


_pool = _Pool()


def _forget() -> None:
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@dataclass(eq=False, slots=True)
class _Job:
    """One team's run.  `running`: the threads that have not left the kernel; who finds it empty puts a word into `done`."""

    kernel: Callable
    args: tuple
    n: int
    barrier: np.ndarray
    running: set[int]
    errors: list[BaseException] = field(default_factory=list)
    done: SimpleQueue = field(default_factory=SimpleQueue)

    def leave(self, tid: int) -> None:
        self.running.discard(tid)
        while self.errors and self.running:  # the others may be waiting for one that is gone: it goes on taking tickets
            self.barrier[0] += 1
            time.sleep(0.001)
        if not self.running:
            self.done.put(None)


def _serve(inbox: SimpleQueue, pool: _Pool) -> None:
    """A worker's life."""
    while True:
        job, tid = inbox.get()
        try:
            job.kernel(tid, job.n, job.barrier, *job.args)
        except BaseException as e:  # noqa: BLE001  handed to the caller
            job.errors.append(e)
        pool.idle.append(inbox)  # before the caller hears of it: its next team finds this worker
        job.leave(tid)
        del job  # what the arguments hold is not kept while idle


def _crew(k: int) -> list[SimpleQueue]:
    """The inboxes of k workers; fewer only where the system starts no more threads."""
    pool, found = _pool, []
    while len(found) < k:
        try:
            found.append(pool.idle.pop())
        except IndexError:
            inbox: SimpleQueue = SimpleQueue()
            try:
                threading.Thread(target=_serve, args=(inbox, pool), name="symgraph worker", daemon=True).start()
            except RuntimeError:
                break
            found.append(inbox)
    return found


def run_team(n: int, kernel: Callable, *args: object) -> None:
    """Enter kernel(tid, n, barrier, *args) from n threads at once and wait for all; the caller is thread 0.

    Raises the first error of any thread, after all have ended; an interrupt of the caller counts as its error.  (A
    compiled kernel must be nogil, or n must be 1.)  Where the system starts no more threads the kernel is told a smaller n.
    """
    barrier = np.zeros(BARRIER_SIZE, np.int64)
    if n == 1:
        return kernel(0, 1, barrier, *args)
    crew, pool = _crew(n - 1), _pool
    job = _Job(kernel, args, len(crew) + 1, barrier, set(range(len(crew) + 1)))
    jobs = enumerate(crew, 1)  # an interrupt falls between two steps of this iterator: what it has given out was sent
    try:
        for tid, inbox in jobs:
            inbox.put((job, tid))
        kernel(0, job.n, barrier, *args)
    except BaseException as e:  # noqa: BLE001  raised below
        job.errors.append(e)
    while True:
        try:
            for tid, inbox in jobs:
                job.running.discard(tid)
                pool.idle.append(inbox)
            job.leave(0)
            while job.running:
                job.done.get()
            break
        except BaseException as e:  # noqa: BLE001  an interrupt: raised when all have ended
            job.errors.append(e)
    if job.errors:
        first = job.errors[0]
        job.errors.clear()  # an error's traceback holds the job: no ring
        raise first
    return None


@contextmanager
def borrow(n: int | None = None) -> Iterator[int]:
    """For `with borrow(n) as m:` the number of threads, 1 <= m <= n, that are worth using now; None asks for all.

    All blocks together are granted `get_threads()`, and each at least 1: its own.  So the second of two callers, or one
    inside a team, gets what is left, and never waits.
    """
    pool, mine = _pool, 0
    try:
        with pool.lock:
            most = get_threads()
            mine = max(1, min(most if n is None else n, most - pool.granted))
            pool.granted += mine
        yield mine
    finally:
        with pool.lock:
            pool.granted -= mine
