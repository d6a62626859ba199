"""Whole programs compile to PTX for two generations of devices, without one; ptxas assembles them where it is found."""

import shutil
from functools import partial

import pytest

from symgraph.codegen import cuda, ptx
from symgraph.codegen.expressions import RULES, VECMATH
from tests.codegen import fuzz, programs
from tests.codegen.test_device_ptx import CAPABILITIES, assemble, needs_numba_cuda

LANES = 256
TWO = set("add sub mul div truncdiv floordiv floormod maximum minimum lt le gt ge eq ne power".split())
NUMBERS = [f for f in (*RULES, *VECMATH) if f not in ("select", "safe_log") and not f.startswith("logical")]


def of_numbers(dtype):
    """Every function of floats, one after the other."""
    w = programs.Writer("numbers")
    x, y = w.input("n", 3, dtype=dtype), w.input("n", 3, dtype=dtype)
    return w.done(*(w.apply(f, x, y) if f in TWO else w.apply(f, x) for f in NUMBERS))


PROGRAMS = {
    "linear_regression": partial(programs.linear_regression, 300),
    "fed_regression": programs.fed_regression,
    "softmax_net": partial(programs.softmax_net, 10, (20, 12, 5)),
    "numbers_float32": partial(of_numbers, "float32"),
    "numbers_float64": partial(of_numbers, "float64"),
    **{f"random_{seed}": lambda seed=seed: fuzz.program(seed)[0] for seed in (2, 3, 9)},
    **{f"loop_{seed}": lambda seed=seed: fuzz.looped(seed)[0] for seed in (4, 5)},
}


@needs_numba_cuda
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_compiles_and_is_assembled(name, tmp_path):
    made = cuda.translate(PROGRAMS[name](), LANES)
    for cc in CAPABILITIES:
        text = ptx.ptx(made.source, cc=cc)
        assert f".target sm_{cc[0]}{cc[1]}" in text
        if shutil.which("ptxas"):
            assert not assemble(text, cc, tmp_path)
