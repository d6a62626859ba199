"""A team of threads inside one kernel: the barrier they meet at, and sums that LLVM may reorder.

Law of this file: a kernel is entered once by each of n Python threads as kernel(tid, n, barrier, ...), compiled with
nogil=True, and its threads meet only at `barrier_wait`.  The barrier is an int64 counter that only grows: each thread
takes a ticket and waits until all tickets of its round are taken, so it needs no reset and no memory of its own; start
it as zeros (BARRIER_SIZE entries, so that nothing else shares its cache line).

Waiting spins (the others are usually within a microsecond), then yields the core, then sleeps: on a machine with more
threads than cores a spinning thread would hold up the very one it waits for.  Two idle cores: 80 ns a round.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from . import symbols

BARRIER_SIZE = 16
SPINS, YIELDS, NAP_US = 4000, 200, 50
"""Looks at the counter before the first yield (about 2 us each thousand), yields before the first nap, length of a nap."""


def _register_waiting() -> None:
    """yield_now() gives the core away, nap(n) sleeps: microseconds on POSIX, milliseconds on Windows."""
    if os.name == "nt":
        library = ctypes.windll.kernel32  # type: ignore[attr-defined]
        names = {"yield_now": "SwitchToThread", "nap": "Sleep"}
    else:
        library = ctypes.CDLL(None)
        names = {"yield_now": "sched_yield", "nap": "usleep"}
    for name, function in names.items():
        symbols.register(name, symbols.address_of(getattr(library, function)))


_register_waiting()
_NAP = np.int32(1 if os.name == "nt" else NAP_US)


@intrinsic
def _take_ticket(typing, counter):
    """The counter's value before it grew by one."""

    def build(context, builder, signature, args):
        data = context.make_array(counter)(context, builder, args[0]).data
        return builder.atomic_rmw("add", data, ir.IntType(64)(1), "acq_rel")

    return types.int64(counter), build


@intrinsic
def _look(typing, counter):
    """The counter's value as the other threads have left it."""

    def build(context, builder, signature, args):
        data = context.make_array(counter)(context, builder, args[0]).data
        return builder.load_atomic(data, "acquire", 8)

    return types.int64(counter), build


def _foreign(name: str, *kinds: ir.Type) -> Callable:
    def build(context, builder, signature, args):
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), kinds), symbols.PREFIX + name)
        return builder.call(function, args)

    return build


@intrinsic
def _yield_now(typing):
    return types.int32(), _foreign("yield_now")


@intrinsic
def _nap(typing, length):
    return types.int32(types.int32), _foreign("nap", ir.IntType(32))


@numba.njit(error_model="numpy")
def barrier_wait(barrier, nthreads):
    """Return when all `nthreads` threads have called this for the same round.  barrier: int64[::1] zeros at first."""
    if nthreads == 1:
        return
    goal = (_take_ticket(barrier) // nthreads + 1) * nthreads
    waited = 0
    while _look(barrier) < goal:
        waited += 1
        if waited > SPINS + YIELDS:
            _nap(_NAP)
        elif waited > SPINS:
            _yield_now()


@numba.njit(error_model="numpy", fastmath=False)
def step_done(control, s):
    control[1] = s + 1


def step_done_plain(control, s):
    control[1] = s + 1


_lock = threading.Lock()


def barrier_plain(barrier: np.ndarray, nthreads: int) -> None:
    """The same meeting for kernels that run as plain Python."""
    if nthreads == 1:
        return
    with _lock:
        ticket = int(barrier[0])
        barrier[0] = ticket + 1
    goal = (ticket // nthreads + 1) * nthreads
    while barrier[0] < goal:
        time.sleep(0)


@intrinsic
def add_reassoc(typing, a, b):
    """a + b, where LLVM may reorder a chain of such sums: lets a reduction vectorise, and only that one.

    Floats: `fadd reassoc contract`, nan and inf keep their meaning.  The result has the arguments' common dtype: int32
    plus int32 stays int32, unlike Numba's own sum.
    """
    kind = typing.unify_types(types.unliteral(a), types.unliteral(b))
    if not isinstance(kind, types.Float | types.Integer):
        return None

    def build(context, builder, signature, args):
        if isinstance(kind, types.Float):
            return builder.fadd(*args, flags=("reassoc", "contract"))
        return builder.add(*args)

    return kind(kind, kind), build


def add_plain(a, b):
    """The same sum as plain Python."""
    return a + b


def run_team(n: int, kernel: Callable, *args: object) -> None:
    """Enter kernel(tid, n, barrier, *args) from n threads at once and wait for all; the caller is thread 0.

    Raises the first error of any thread, after all have ended.  (A compiled kernel must be nogil, or n must be 1.)
    """
    barrier = np.zeros(BARRIER_SIZE, np.int64)
    errors: list[BaseException] = []
    running = set(range(n))

    def enter(tid: int) -> None:
        try:
            kernel(tid, n, barrier, *args)
        except BaseException as e:  # noqa: BLE001  handed to the caller below
            errors.append(e)
        running.discard(tid)
        while errors and running:  # the others may be waiting for one that is gone: it goes on taking tickets
            barrier[0] += 1
            time.sleep(0.001)

    threads = [threading.Thread(target=enter, args=(tid,)) for tid in range(1, n)]
    for t in threads:
        t.start()
    enter(0)
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


PLAIN = {"barrier_wait": barrier_plain, "add_reassoc": add_plain, "step_done": step_done_plain}
if config.DISABLE_JIT:
    globals().update(PLAIN)
