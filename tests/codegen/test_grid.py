"""CUDA kernels on a grid that Python's threads play: against the interpreter, and the same bits on any number of blocks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from symgraph import codegen
from symgraph.codegen import cuda
from symgraph.codegen.ir import Program
from tests.codegen import fuzz, grids, programs
from tests.codegen.routes import close, same_bits


def check(program: Program, states=(), inputs=(), tolerance: float = 2e-4, steps: int = 2) -> cuda.CudaKernel:
    """What one block, two and three give is the interpreter's, and the same bits."""
    held = [s.copy() for s in states]
    call = codegen.interpret(program).bind(held)
    wanted = [call(*inputs) for _ in range(steps)], held
    found = []
    for blocks in grids.BLOCKS:
        mine = [s.copy() for s in states]
        grid = grids.Grid(program, mine, blocks)
        found.append(([grid(*inputs) for _ in range(steps)], mine))
    close(found[0], wanted, tolerance, tolerance)
    for other in found[1:]:
        same_bits(other, found[0])
    return grid.made


def f32(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def test_linear_regression_is_one_pass_over_packed_rows():
    made = check(programs.linear_regression(300), [f32(9, 1)])
    assert made.kernel.barriers == 1 and "for i0 in range(lane, w0, 8):" in made.source


@pytest.mark.parametrize("rows", [1, 7, 50])
def test_fed_rows(rows):
    check(programs.fed_regression(), [f32(3, 1)], [f32(rows, 3), f32(rows, 1)])


def test_a_net_with_products_and_softmax():
    sizes = (20, 12, 5)
    states = [f32(a, b) * 0.3 for a, b in pairwise(sizes)]
    states = [x for w in states for x in (w, np.zeros(w.shape[1], np.float32))]
    program = programs.softmax_net(10, sizes)
    labels = np.eye(5, dtype=np.float32)[np.arange(10) % 5]
    check(program, states, [f32(10, 20), labels], tolerance=1e-3)


def test_element_by_element():
    check(programs.elementwise(), (), [f32(40, 7), f32(40, 7)])


@pytest.mark.parametrize("seed", range(20))
def test_random_programs(seed):
    check(*fuzz.program(seed))


@pytest.mark.parametrize("seed", range(10))
def test_random_loops(seed):
    check(*fuzz.looped(seed))
