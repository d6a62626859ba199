"""Launches on a device that stands in for one: values, what is copied and what stays, errors, loops in slices."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from symgraph import codegen
from symgraph.codegen import device_launch
from symgraph.codegen.ir import Loop
from symgraph.codegen.resident import Cell, on_host

from . import fuzz
from .programs import Writer
from .stand_in import Counting, on_device
from .test_steps import compare, one_by_one


def run(made, states, inputs, steps: int = 2):
    cells = [Cell(s.copy()) for s in states]
    call = made.bind(cells)
    return [call(*inputs) for _ in range(steps)], [c.host().copy() for c in cells]


@pytest.mark.parametrize("seed", range(10))
def test_random_programs_give_what_they_give_on_the_host(seed, monkeypatch):
    program, states, inputs = fuzz.program(seed)
    fuzz.shrink(monkeypatch)
    plain = codegen.compile(program, target="python")
    held = [s.copy() for s in states]
    call = plain.bind(held)
    wanted = [call(*inputs) for _ in range(2)]
    got, left = run(Counting().compile_for(program), states, inputs)
    for mine, theirs in zip((*got[0], *got[1], *left), (*wanted[0], *wanted[1], *held), strict=True):
        assert type(mine) is type(theirs)
        assert_array_equal(mine, theirs)
    again, after = run(Counting().compile_for(program), states, [on_device(x) for x in inputs])
    for mine, theirs in zip((*again[1], *after), (*got[1], *left), strict=True):
        assert_array_equal(mine, theirs)


def descent(rows: int = 20):
    """theta <- theta - x'(x theta - y) / 10, on constant x and fed y; the error is returned."""
    w = Writer("descent")
    x = w.const(np.random.default_rng(0).standard_normal((rows, 3)))
    y, theta = w.input(rows, 1), w.state(3, 1)
    e = w.apply("sub", w.matmul(x, theta), y)
    w.update(theta, w.map(lambda b, t, g: b.apply("sub", t, b.apply("mul", b.literal(0.1, "float32"), g)), theta, w.matmul(x, e, ta=True)))
    y_value = np.random.default_rng(1).standard_normal((rows, 1)).astype(np.float32)
    return w.done(w.reduce("sum", w.apply("mul", e, e), (0, 1)), theta), [np.ones((3, 1), np.float32)], [y_value]


def test_what_stays_on_the_device_is_not_copied_again():
    program, (theta,), (y,) = descent()
    device = Counting()
    made = device.compile_for(program)
    cell = Cell(theta)
    call = made.bind([cell])
    _, there, _ = device.counts()
    assert there >= 20 * 3 * 4
    made.bind([Cell(theta.copy())])
    assert device.counts()[1] < 20 * 3 * 4, "constants are shared by programs"
    call(y)
    device.counts()
    before = theta.copy()
    loss, was = call(y)
    launches, there, back = device.counts()
    assert (launches, there, back) == (1, y.nbytes, loss.nbytes + theta.nbytes), "the fed array; what is returned"
    assert_array_equal(theta, was)
    call(on_device(y))
    assert device.counts() == (1, 0, loss.nbytes + theta.nbytes)
    assert cell.host(write=False) is theta and not np.array_equal(theta, before)
    device.counts()
    call(y)
    assert device.counts()[1] == y.nbytes, "the host has only looked"
    cell.host()[...] = 0
    call(y)
    assert device.counts()[1] == y.nbytes + theta.nbytes
    assert_array_equal(call(y)[1].shape, (3, 1))


def test_a_value_has_one_owner_at_a_time():
    one, two = Counting(), Counting()
    array = np.arange(3.0)
    cell = Cell(array)
    there = cell.device(one.driver)
    there += 1
    other = cell.device(two.driver)
    assert_array_equal(other, [1, 2, 3])
    other += 1
    assert_array_equal(cell.host(), [2, 3, 4])
    array += 1
    assert_array_equal(cell.device(one.driver, write=False), [3, 4, 5])
    assert cell.host(write=False) is array and one.counts()[2] == 24


def test_results_may_stay_on_the_device():
    w = Writer("twice")
    x = w.input("n")
    program = w.done(w.apply("add", x, x), w.reduce("sum", x, (0,)))
    device = Counting()
    call = device.compile_for(program).bind([], home=False)
    twice, total = call(np.arange(4, dtype=np.float32))
    again, _ = call(twice)
    assert total == 6 and type(total) is np.float32
    assert_array_equal(on_host(twice), [0, 2, 4, 6])
    assert_array_equal(on_host(again), [0, 4, 8, 12])


def test_failures_are_those_of_the_host_and_leave_states_alone():
    w = Writer("solve")
    a, s = w.input(2, 2), w.state(2, 2)
    inverse = w.linalg("inverse", a)
    w.update(s, inverse)
    program = w.done(inverse)
    device = Counting()
    cell = Cell(np.ones((2, 2), np.float32))
    call = device.compile_for(program).bind([cell])
    with pytest.raises(FloatingPointError, match="the matrix is singular"):
        call(np.zeros((2, 2), np.float32))
    assert_array_equal(cell.host(write=False), 1)
    assert_array_equal(call(np.eye(2, dtype=np.float32))[0], np.eye(2))
    assert_array_equal(cell.host(), np.eye(2))
    with pytest.raises(ValueError, match="has shape"):
        call(np.zeros((3, 2), np.float32))
    with pytest.raises(TypeError, match="takes 1 inputs"):
        call()


def start(loop: Loop, states, inputs, steps: int, every: int, lengths=None, device=None, kept=None):
    device = device or Counting()
    cells = [Cell(s.copy()) for s in states]
    shapes = [(-(-steps // every), *out.shape[1:]) for out in one_by_one(loop, states, inputs, 1, 1, lengths)[1]]
    history = [np.full(shape, -99, loop.recorded.table()[n].dtype) for shape, n in zip(shapes, loop.recorded.outputs, strict=True)]
    return cells, history, device.compile_loop_for(loop, {}).bind(cells).start(inputs, every, history, lengths, kept=kept)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("every", "pieces"), [(1, 1), (3, 2)])
def test_loops_do_what_their_steps_do(seed, every, pieces, monkeypatch):
    program, states, inputs = fuzz.program(seed)
    fuzz.shrink(monkeypatch)
    loop = Loop("loop", program)
    wanted = one_by_one(loop, states, inputs, 5, every)
    if not all(np.isfinite(x).all() and np.abs(x).max(initial=0) < 1e3 for x in (*wanted[0], *wanted[1])):
        pytest.skip("five steps of this one overflow")
    cells, history, advance = start(loop, states, inputs, 5, every)
    for first, last in pairwise(np.linspace(0, 5, pieces + 1).astype(int)):
        assert advance(int(first), int(last)) == last
    compare(([c.host() for c in cells], history), wanted)


def test_a_loop_comes_back_when_its_time_is_up(monkeypatch):
    program, states, inputs = descent()
    device = Counting()
    cells, history, advance = start(Loop("loop", program), states, inputs, 1000, 1, device=device)
    device.counts()
    done = advance(0, 1000, 1)
    assert done == 1, "one step at least"
    assert (history[0][0] != -99).all() and (history[0][1:] == -99).all(), "records are there when the host looks"
    assert cells[0].driver is device.driver and not cells[0].host_is_current
    launches = device.counts()[0]
    monkeypatch.setattr(device_launch, "SLICE", 10**12)
    assert advance(done, 1000) == 1000 and launches == 1
    assert device.counts()[0] <= 3, "many steps a launch, as soon as it is known how long they take"
    compare(([c.host() for c in cells], history), one_by_one(Loop("loop", program), states, inputs, 1000, 1))


def test_inputs_of_a_loop_are_sent_once_for_all_its_pieces():
    program, states, inputs = descent()
    device, kept = Counting(), {}
    bound = device.compile_loop_for(Loop("loop", program), {}).bind([Cell(s.copy()) for s in states])
    history = [np.empty((4, *shape), np.float32) for shape in ((), (3, 1))]
    bound.start(inputs, 1, history, kept=kept)(0, 2)
    device.counts()
    bound.start(inputs, 1, history, kept=kept)(0, 2)
    assert device.counts()[1] < inputs[0].nbytes + 300, "a barrier and the control"


def test_a_failing_step_says_which_and_keeps_what_was_recorded():
    w = Writer("solve")
    a, s = w.input(2, 2), w.state(2, 2)
    inverse = w.linalg("inverse", a)
    w.update(s, inverse)
    program = w.done(w.reduce("sum", inverse, (0, 1)))
    loop = Loop("loop", program, stepped=(program.inputs[0],))
    given = np.stack([np.eye(2), 2 * np.eye(2), np.zeros((2, 2)), np.eye(2)]).astype(np.float32)
    cells, history, advance = start(loop, [np.ones((2, 2), np.float32)], [given], 4, 1)
    with pytest.raises(FloatingPointError) as e:
        advance(0, 4)
    assert e.value.steps_done == 2  # type: ignore[attr-defined]
    assert_array_equal(history[0], [2, 1, -99, -99])
    assert_array_equal(cells[0].host(), np.eye(2) / 2)


def test_reports_say_what_is_launched_and_moved():
    made = Counting().compile_for(descent()[0])
    text = str(made.report)
    assert "a run: 80 bytes to the device and 16 bytes back, 1 launch" in text
    assert "a stand-in): up to 3 blocks of 8 lanes, 64 bytes of shared memory each" in text and "occupancy: unknown" in text
    assert text.splitlines()[-1].startswith("  compiled in"), "the line that SYMGRAPH_DEBUG=1 shows"
    with pytest.raises(TypeError, match=r"runs on /device:GPU:0: compiled code of the CPU cannot call it"):
        made.kernel  # noqa: B018


def test_constants_leave_the_device_with_their_arrays():
    driver = Counting().driver
    arrays = [np.ones(3)]
    first = driver.constant(arrays[0], 0, lambda: arrays[0])
    assert driver.constant(arrays[0], 0, list) is first and len(driver.held) == 1
    arrays.clear()
    assert not driver.held
