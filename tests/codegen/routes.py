"""One program by every route: the interpreter, generated source as plain Python, and compiled, on one thread and two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symgraph import codegen
from symgraph.codegen.ir import Program

Arrays = Sequence[np.ndarray]


def run(made, states: Arrays, inputs: Arrays, threads: int = 1, steps: int = 2) -> tuple[list[tuple], list[np.ndarray]]:
    """The results of some steps, and the states after them."""
    held = [s.copy() for s in states]
    call = made.bind(held) if threads == 1 else made.bind_team(held, threads)
    return [call(*inputs) for _ in range(steps)], held


def close(got, wanted, rtol: float, atol: float) -> None:
    for a, b in zip(got[0], wanted[0], strict=True):
        for x, y in zip(a, b, strict=True):
            assert np.shape(x) == np.shape(y) and np.asarray(x).dtype == np.asarray(y).dtype, (
                np.shape(x),
                np.shape(y),
                np.asarray(x).dtype,
            )
            np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)
    for x, y in zip(got[1], wanted[1], strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)


def same_bits(got, wanted) -> None:
    for a, b in ([got[1]], [wanted[1]]), (got[0], wanted[0]):
        for xs, ys in zip(a, b, strict=True):
            for x, y in zip(xs, ys, strict=True):
                assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def check(program: Program, states: Arrays = (), inputs: Arrays = (), compiled: bool = True, rtol: float = 2e-5, atol: float = 2e-5):
    """Every route gives what the interpreter gives; a team of two gives the very bits of one thread.  The plain executable."""
    wanted = run(codegen.interpret(program), states, inputs)
    plain = codegen.compile(program, target="python")
    close(run(plain, states, inputs), wanted, rtol, atol)
    same_bits(run(plain, states, inputs, threads=2), run(plain, states, inputs))
    if compiled:
        made = codegen.compile(program)
        one = run(made, states, inputs)
        close(one, wanted, rtol, atol)
        same_bits(run(made, states, inputs, threads=2), one)
    return plain
