"""How many threads a running loop is given: a story of slices, told without a clock, and a real loop."""

import time

import numba
import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen.runtime.pace import PAUSES, SLICE, Pace, paced
from symgraph.codegen.runtime.pool import CONTROL_SIZE, DEADLINE, DONE, STOP, borrow, run_team
from symgraph.codegen.runtime.team import barrier_wait, step_done


def story(costs, seconds, pace=None):
    """The threads of each slice, when `costs(threads, now)` says nanoseconds a step and the caller's share of a core."""
    pace, now, told = pace or Pace(), 10**12, []
    while now < 10**12 + seconds * 1e9:
        n = 2 if pace.wants_team(now) else 1
        cost, share = costs(n, now - 10**12)
        now += SLICE
        pace.note(n, cost, share, now)
        told.append(n)
    return told


def test_a_calm_team_is_never_compared():
    assert set(story(lambda n, now: (100 / n, 0.99), 3)) == {2}


def test_a_team_that_is_held_up_gives_way_and_is_tried_again_now_and_then():
    told = story(lambda n, now: (100, 0.99) if n == 1 else (300, 0.5), 5)
    assert told[:3] == [2, 1, 2]
    assert told.count(2) < 0.06 * len(told)
    assert 2 in told[-60:]


def test_a_team_that_is_held_up_but_faster_goes_on():
    told = story(lambda n, now: (100, 0.99) if n == 1 else (80, 0.6), 5)
    assert told.count(1) <= 5


def test_the_team_returns_when_the_machine_is_free_again():
    told = story(lambda n, now: (100, 0.99) if n == 1 else (300, 0.5) if now < 2e9 else (50, 0.99), 4)
    assert set(told[-40:]) == {2}


def test_pauses_are_bounded():
    pace = Pace()
    story(lambda n, now: (100, 0.99) if n == 1 else (300, 0.5), 20, pace)
    assert pace.pause == PAUSES[1]
    pace.retry = 0
    story(lambda n, now: (50, 0.99), 2, pace)
    assert pace.pause == PAUSES[0]


@numba.njit("void(int64, int64, int64[::1], int64[::1], int64, int64, int64[:, ::1])", nogil=True, error_model="numpy", fastmath=False)
def loop(tid, nthreads, barrier, control, first, last, steps):
    for s in range(first, last):
        if s >= control[0]:
            return
        steps[tid, nthreads] += 1
        if tid == 0:
            step_done(control, s)
        barrier_wait(barrier, nthreads)


@pytest.fixture
def counting():
    """(enter, steps): a loop that counts its steps by thread and team."""
    control, steps = np.zeros(CONTROL_SIZE, np.int64), np.zeros((3, 4), np.int64)

    def enter(n, first, last, deadline):
        control[[STOP, DONE, DEADLINE]] = 2**62, first, deadline
        run_team(n, loop, control, first, last, steps)
        return int(control[DONE])

    sg.set_threads(2)
    yield enter, steps
    sg.set_threads(None)


def test_every_step_is_run_once_whatever_the_slices(counting):
    enter, steps = counting
    advance = paced(enter, 2, Pace())
    assert advance(3, 100_003) == 100_003
    done = advance(0, 2**62, time.perf_counter_ns() + 70_000_000)
    assert 0 < done < 2**62
    assert steps[0].sum() == 100_000 + done
    assert steps[1].sum() == steps[1, 2] == steps[0, 2]


def test_a_deadline_that_has_passed_lets_one_step_run(counting):
    enter, steps = counting
    assert paced(enter, 2, Pace())(5, 100, 1) == 6
    assert steps[0].sum() == 1


def test_threads_are_borrowed(counting):
    enter, steps = counting
    with borrow():
        paced(enter, 2, Pace())(0, 1000)
    assert steps[0].tolist() == [0, 1000, 0, 0]
