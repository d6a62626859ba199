"""Teams from the pool: reuse, callers side by side and inside one another, errors, interrupts, forks, process pools, exits.

What must hold when a process forks, is interrupted or ends is tried in processes of their own, which must end in time,
with status 0 and without a word on stderr.
"""

import gc
import os
import subprocess
import sys
import threading
import weakref

import numba
import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen.runtime import pool
from symgraph.codegen.runtime.pool import borrow, run_team
from symgraph.codegen.runtime.team import barrier_plain, barrier_wait


@numba.njit("void(int64, int64, int64[::1], int64, int64[:, ::1])", nogil=True)
def count(tid, n, barrier, rounds, seen):
    """Each thread adds one to what its neighbour had the round before: n and rounds decide the result."""
    for s in range(rounds):
        seen[s + 1, tid] = seen[s, (tid + 1) % n] + 1
        barrier_wait(barrier, n)


def counted(n, rounds=50):
    seen = np.zeros((rounds + 1, n), np.int64)
    run_team(n, count, rounds, seen)
    return seen[-1].tolist() == [rounds] * n


def identities(n):
    found = [0] * n

    def kernel(tid, n, barrier):
        found[tid] = threading.get_ident()
        barrier_plain(barrier, n)

    run_team(n, kernel)
    return found


@pytest.fixture
def four():
    sg.set_threads(4)
    yield
    sg.set_threads(None)


# ---------------------------------------------------------------- in this process
def test_workers_are_kept_and_are_not_the_caller():
    first = identities(3)
    assert len(set(first)) == 3 and first[0] == threading.get_ident()
    before = threading.active_count()
    for _ in range(20):
        assert set(identities(3)) <= {t.ident for t in threading.enumerate()}
    assert threading.active_count() == before


def test_more_threads_than_cores():
    assert counted(4, 300)


def test_callers_side_by_side():
    right = []

    def caller():
        right.append(all(counted(2) for _ in range(100)))

    callers = [threading.Thread(target=caller) for _ in range(3)]
    for t in callers:
        t.start()
    for t in callers:
        t.join(120)
    assert right == [True] * 3


def test_a_team_inside_a_team():
    right = []

    def outer(tid, n, barrier):
        right.append(counted(2))
        barrier_plain(barrier, n)

    run_team(3, outer)
    assert right == [True] * 3


def test_borrowing_shares_what_there_is(four):
    with borrow(3) as m:
        assert m == 3
        with borrow(3) as rest:
            assert rest == 1
            with borrow() as own:
                assert own == 1
        with borrow(1) as m:
            assert m == 1
    with borrow() as m:
        assert m == 4
    with pytest.raises(ZeroDivisionError), borrow():
        raise ZeroDivisionError
    with borrow(100) as m:
        assert m == 4


def test_no_more_threads_to_be_had(monkeypatch):
    """Where the system starts no more threads, the team is smaller and says so to its kernel."""

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "_pool", pool._Pool())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    told = []
    run_team(3, lambda tid, n, barrier: told.append((tid, n)))
    assert told == [(0, 1)]


@pytest.mark.parametrize("culprit", [0, 1, 2])
def test_an_error_in_any_thread_ends_the_team_and_spares_the_next(culprit):
    left = []

    def kernel(tid, n, barrier):
        barrier_plain(barrier, n)
        if tid == culprit:
            raise ZeroDivisionError(f"thread {tid}")
        for _ in range(3):
            barrier_plain(barrier, n)
        left.append(tid)

    with pytest.raises(ZeroDivisionError, match=f"thread {culprit}"):
        run_team(3, kernel)
    assert sorted(left) == sorted({0, 1, 2} - {culprit})
    assert counted(3)


def test_an_error_releases_threads_that_wait_in_compiled_code():
    done = []
    compiled_wait = numba.njit("void(int64[::1], int64)", nogil=True)(lambda barrier, n: barrier_wait(barrier, n))

    def kernel(tid, n, barrier):
        if tid == 0:
            raise KeyError("caller")
        for _ in range(5):
            compiled_wait(barrier, n)
        done.append(tid)

    with pytest.raises(KeyError):
        run_team(2, kernel)
    assert done == [1]


def test_idle_workers_keep_nothing_alive():
    class Big(np.ndarray):
        pass

    x = np.zeros(10).view(Big)
    gone = weakref.ref(x)
    run_team(2, lambda tid, n, barrier, x: None, x)
    assert counted(2)  # the worker has left the first job
    del x
    gc.collect()
    assert gone() is None


# ---------------------------------------------------------------- in processes of their own
HEAD = """
import atexit, multiprocessing, os, signal, threading, time
import numba, numpy as np
from symgraph.codegen.runtime.pool import borrow, run_team
from symgraph.codegen.runtime.team import barrier_plain, barrier_wait

@numba.njit("void(int64, int64, int64[::1], int64, int64[:, ::1])", nogil=True)
def count(tid, n, barrier, rounds, seen):
    for s in range(rounds):
        seen[s % 2 - 1, tid] = seen[s % 2, (tid + 1) % n] + 1
        barrier_wait(barrier, n)

def counted(n=2, rounds=50):
    seen = np.zeros((2, n), np.int64)
    run_team(n, count, rounds, seen)
    return seen.max() == rounds
"""


def alone(tmp_path, body):
    """Run HEAD and `body` in a process; what it printed."""
    path = tmp_path / "alone.py"
    path.write_text(HEAD + body)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *(p for p in sys.path if p)])}
    env.pop("PYTHONWARNINGS", None)
    done = subprocess.run([sys.executable, str(path)], env=env, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@needs_fork
def test_fork_beside_a_running_team(tmp_path):
    """The child has none of the parent's workers and none of its debts, also when the fork came inside `borrow`."""
    body = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
stop = []
def others():
    while not stop:
        assert counted(2, 20000)
os.environ["SYMGRAPH_THREADS"] = "3"
t = threading.Thread(target=others); t.start()
assert counted()
for _ in range(5):
    with borrow(2):
        child = os.fork()
        if not child:
            with borrow(3) as m:
                ok = m == 3 and counted(3)
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert counted(3)
stop.append(1); t.join()
with borrow(3) as m:
    print(m)
"""
    assert alone(tmp_path, body) == ["3"]


@pytest.mark.parametrize("method", ["spawn", pytest.param("fork", marks=needs_fork), pytest.param("forkserver", marks=needs_fork)])
def test_multiprocessing(tmp_path, method):
    body = f"""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
if __name__ == "__main__":
    assert counted()
    with multiprocessing.get_context({method!r}).Pool(2) as processes:
        print(all(processes.map(counted, [2, 3, 2, 3])))
    assert counted()
"""
    assert alone(tmp_path, body) == ["True"]


def test_loky_children_share_the_machine(tmp_path):
    """Their automatic numbers add up to no more than there are CPUs; teams run in each."""
    body = """
from joblib import Parallel, cpu_count, delayed
from symgraph.codegen.threads import get_threads
def ask(n):
    return bool(counted(n)), get_threads()
if __name__ == "__main__":
    assert counted()
    found = Parallel(n_jobs=2, backend="loky")(delayed(ask)(n) for n in (2, 3, 2))
    print(all(ok for ok, _ in found), max(m for _, m in found) <= max(1, cpu_count() // 2))
"""
    assert alone(tmp_path, body) == ["True", "True"]


def test_the_end_of_a_process_right_after_a_team(tmp_path):
    assert alone(tmp_path, "print(counted(3))") == ["True"]


def test_the_end_of_a_process_while_a_daemon_runs_a_team(tmp_path):
    body = """
def forever():
    while True:
        counted(2, 3000)
threading.Thread(target=forever, daemon=True).start()
endless = threading.Thread(target=counted, args=(2, 10**12), daemon=True)
endless.start()
time.sleep(0.3)
print("over")
"""
    assert alone(tmp_path, body) == ["over"]


def test_a_team_at_exit(tmp_path):
    assert alone(tmp_path, "atexit.register(lambda: print(counted(3)))") == ["True"]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupt_comes_when_all_have_ended(tmp_path):
    """In compiled code: the loop runs to its end in all threads, then KeyboardInterrupt; and the next team runs."""
    body = """
@numba.njit("void(int64, int64, int64[::1], int64[::1], int64[::1])", nogil=True)
def slow(tid, n, barrier, rounds, ended):
    x = 0.0
    for s in range(rounds[0]):
        for i in range(10000):
            x += i * 0.5
        barrier_wait(barrier, n)
    ended[tid] = 1 + int(x < 0)

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background has it ignored
for n in (1, 2, 3):
    ended = np.zeros(n, np.int64)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        run_team(n, slow, np.array([30000 // n]), ended)
        time.sleep(60)
    except KeyboardInterrupt:
        print(ended.sum() == n)
    assert counted(n)
"""
    assert alone(tmp_path, body) == ["True"] * 3


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupts_at_any_moment(tmp_path):
    """Many of them, also while threads are handed out and waited for: no hang, and every thread has ended each time."""
    body = """
inside = []
def kernel(tid, n, barrier):
    inside.append(tid)
    try:
        barrier_plain(barrier, n)
        time.sleep(0.0005)
        barrier_plain(barrier, n)
    finally:
        inside.remove(tid)

def ring(signum, frame):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, ring)
hits = 0
for k in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-5 * (k % 150 + 1))
        run_team(3, kernel)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        hits += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert not inside, inside
print(hits > 0, counted(3))
"""
    assert alone(tmp_path, body) == ["True", "True"]
