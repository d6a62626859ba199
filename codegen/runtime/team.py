"""A team of threads inside one kernel: the barrier they meet at, the control of loops, sums that LLVM may reorder.

Law of this file: a kernel is entered once by each of n Python threads (pool.py) as kernel(tid, n, barrier, ...), compiled
with nogil=True, and its threads meet only at `barrier_wait`.  The barrier is an int64 counter that only grows: each thread
takes a ticket and waits until all tickets of its round are taken, so it needs no reset and no memory of its own; start
it as zeros (BARRIER_SIZE entries, so that nothing else shares its cache line).

Waiting spins (the others are usually within a microsecond), then yields the core, then sleeps: on a machine with more
threads than cores a spinning thread would hold up the very one it waits for.  Two idle cores: 80 ns a round.

A loop of steps takes an int64 array `control` (pool.py names its entries):

    for s in range(first, last):
        if s >= control[STOP]: return
        ...                                     at least one barrier
        if tid == 0: step_done(control, s)
        barrier_wait(barrier, nthreads)         the last of the step

The threads leave after the same step.  Only thread 0 writes STOP, inside step s and only s + 1: a thread that is late and
looks at it before its own step s goes on either way, and all look again after the barrier that follows the write.
The host sets STOP before the kernel starts; while it runs it may read DONE and set DEADLINE (1 ends the loop soon).
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
from numba.np import arrayobj

from . import symbols
from .pool import DEADLINE, DONE, STOP

_LEFT, _EVERY, _LOOKED = 10, 11, 12
"""Entries of `control` that step_done keeps for itself: steps until it looks at the clock, how many these were at first, and
when it last looked."""
LOOK_NS, LOOK_STEPS = 20_000, 64
"""Time between two looks that step_done aims at (a look costs 25 ns), and steps that it lets pass at most: a step may get slower."""

SPINS, YIELDS, NAP_US = 1000, 400, 50
"""Looks at the counter before the first yield (about 2 us each thousand), yields before the first nap (together
0.2 ms: one thread's work while the others wait), length of a nap (Linux adds 70 us)."""


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


def _register_clock() -> None:
    """read_clock(int64*, NULL) is the interpreter's own time.perf_counter_ns(), which needs no lock of its own.

    From 3.13 on a public function of one argument; before, one of two; both callers' conventions ignore an argument too many.
    """
    found = getattr(ctypes.pythonapi, "PyTime_PerfCounterRaw", None) or ctypes.pythonapi._PyTime_GetPerfCounterWithInfo
    symbols.register("read_clock", symbols.address_of(found))


_register_waiting()
_register_clock()
_NAP = np.int32(1 if os.name == "nt" else NAP_US)


def _place(context, builder, signature, args):
    """The address of array[index], the first two arguments."""
    return builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])


@intrinsic
def _load(typing, array, index):
    """array[index] as the other threads have left it."""

    def build(context, builder, signature, args):
        return builder.load_atomic(_place(context, builder, signature, args), "acquire", 8)

    return types.int64(array, types.intp), build


@intrinsic
def _store(typing, array, index, value):
    """array[index] = value, at once and for all threads to see."""

    def build(context, builder, signature, args):
        builder.store_atomic(args[2], _place(context, builder, signature, args), "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), build


def _foreign(name: str, *kinds: ir.Type) -> Callable:
    def build(context, builder, signature, args):
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), kinds), symbols.PREFIX + name)
        return builder.call(function, args)

    return build


@intrinsic
def clock_ns(typing):
    """Nanoseconds, as time.perf_counter_ns() counts them."""

    def build(context, builder, signature, args):
        slot = cgutils.alloca_once(builder, ir.IntType(64))
        null = ir.Constant(ir.IntType(8).as_pointer(), None)
        _foreign("read_clock", slot.type, null.type)(context, builder, signature, [slot, null])
        return builder.load(slot)

    return types.int64(), build


def _meeting(module: ir.Module) -> ir.Function:
    """void meeting(int64 *counter, int64 n), written into the module that calls it: Numba takes 80 ms for the same in Python.

    if n == 1: return
    goal = (ticket() // n + 1) * n
    while counter < goal: the first SPINS times do nothing, then YIELDS times yield, then nap
    """
    word, small = ir.IntType(64), ir.IntType(32)
    function = cgutils.get_or_insert_function(module, ir.FunctionType(ir.VoidType(), [word.as_pointer(), word]), "symgraph_meeting")
    if not function.is_declaration:
        return function
    function.linkage = "internal"
    counter, n = function.args
    b = ir.IRBuilder(function.append_basic_block())
    with b.if_then(b.icmp_signed("==", n, word(1)), likely=False):
        b.ret_void()
    ticket = b.atomic_rmw("add", counter, word(1), "acq_rel")
    goal = b.mul(b.add(b.sdiv(ticket, n), word(1)), n)
    waited = b.alloca(word)
    b.store(word(0), waited)
    look, wait, done = (b.append_basic_block(name) for name in ("look", "wait", "done"))
    b.branch(look)
    b.position_at_end(look)
    b.cbranch(b.icmp_signed("<", b.load_atomic(counter, "acquire", 8), goal), wait, done)
    b.position_at_end(wait)
    times = b.add(b.load(waited), word(1))
    b.store(times, waited)
    with b.if_then(b.icmp_signed(">", times, word(SPINS)), likely=False):
        with b.if_else(b.icmp_signed(">", times, word(SPINS + YIELDS))) as (long, short):
            with long:
                _foreign("nap", small)(None, b, None, [small(int(_NAP))])
            with short:
                _foreign("yield_now")(None, b, None, [])
    b.branch(look)
    b.position_at_end(done)
    b.ret_void()
    return function


@intrinsic
def barrier_wait(typing, barrier, nthreads):
    """Return when all `nthreads` threads have called this for the same round.  barrier: int64[::1] zeros at first."""

    def build(context, builder, signature, args):
        counter = context.make_array(signature.args[0])(context, builder, args[0]).data
        builder.call(_meeting(builder.module), [counter, args[1]])
        return context.get_dummy_value()

    return types.void(barrier, types.int64), build


@numba.njit(error_model="numpy", fastmath=False)
def step_done(control, s):
    """Thread 0 has done step s: say so, and now and then compare the clock with the deadline."""
    _store(control, DONE, s + 1)
    deadline = _load(control, DEADLINE)
    if deadline == 0:
        return
    control[_LEFT] -= 1
    if control[_LEFT] > 0:
        return
    now = clock_ns()
    if now >= deadline:
        _store(control, STOP, s + 1)
    spent = now - control[_LOOKED]
    every = control[_EVERY] * LOOK_NS // (spent if spent > 0 else 1)
    control[_EVERY] = LOOK_STEPS if every > LOOK_STEPS else every if every > 0 else 1  # min and max take Numba 45 ms
    control[_LEFT] = control[_EVERY]
    control[_LOOKED] = now


def step_done_plain(control: np.ndarray, s: int) -> None:
    """The same for loops that run as plain Python, which are slow enough for a look at each step."""
    control[DONE] = s + 1
    if 0 < control[DEADLINE] <= time.perf_counter_ns():
        control[STOP] = s + 1


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


@intrinsic
def prefetch(typing, array, index):
    """Ask for the line of the cache in which array[index] lies; it may lie behind the end."""

    def build(context, builder, signature, args):
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, word, word, word]))
        hint = [ir.Constant(word, number) for number in (0, 2, 1)]  # to read, into the second level, data
        builder.call(function, [builder.bitcast(_place(context, builder, signature, args), byte), *hint])
        return context.get_dummy_value()

    return types.void(array, types.intp), build


@intrinsic
def tail(typing, array, first):
    """array[first:] of a flat array, for 0 <= first <= array.size, which is not looked at.

    Numba's own slices count references, ask whether `first` counts from the end, and took an eighth of a net's compile time."""
    if not isinstance(array, types.Array) or not isinstance(first, types.Integer):
        return None

    def build(context, builder, signature, args):
        kind = signature.return_type
        old, new = context.make_array(kind)(context, builder, args[0]), context.make_array(kind)(context, builder)
        size, (stride,) = builder.extract_value(old.shape, 0), cgutils.unpack_tuple(builder, old.strides, 1)
        arrayobj.populate_array(
            new, builder.gep(old.data, [args[1]]), shape=[builder.sub(size, args[1])], strides=[stride], itemsize=old.itemsize, meminfo=None
        )
        return new._getvalue()

    return array(array, types.intp), build


def tail_plain(array: np.ndarray, first: int) -> np.ndarray:
    """The same array as plain Python."""
    return array[first:]


def prefetch_plain(array: np.ndarray, index: int) -> None:
    """Plain Python asks for nothing."""


def add_plain(a, b):
    """The same sum as plain Python."""
    return a + b


PLAIN = {
    "barrier_wait": barrier_plain,
    "add_reassoc": add_plain,
    "step_done": step_done_plain,
    "prefetch": prefetch_plain,
    "tail": tail_plain,
}
if config.DISABLE_JIT:
    globals().update(PLAIN)
