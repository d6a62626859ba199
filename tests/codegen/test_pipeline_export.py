"""Kernels in the user's own @njit code, and saved files that run without us."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from symgraph import codegen
from symgraph.codegen import export
from symgraph.codegen.ir import Buffer, Check, Program
from tests.codegen import programs, test_repeat
from tests.codegen.programs import Writer

rng = np.random.default_rng(0)


def f32(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def linear_algebra() -> Program:
    w = Writer("linear algebra and a draw")
    a, s, n = w.input(4, 4), w.state(3, dtype="int64"), w.state()
    inverse = w.linalg("inverse", a)
    w.update(n, w.map(lambda b, n: b.apply("add", n, b.literal(1, "float32")), n))
    return w.done(inverse, w.linalg("logdet", a), w.random("uniform", s, (5,), w.const(0.0), w.const(1.0)), n)


def returned_constants() -> Program:
    """Constants that are outputs: read by the kernel or not, few elements or many, under the names of arguments too."""
    values = {n: f32(*shape) for n, shape in {"b0": (20, 30), "b1": (2, 3), "b2": (), "b3": (300,), "b4": (), "b5": (4,)}.items()}
    w = Writer("returned constants")
    w.buffers += [Buffer(n, "float32", v.shape, "const", v) for n, v in values.items()]
    w.by_name |= {b.name: b for b in w.buffers}
    total = w.map(lambda b, x, c, s: b.apply("add", x, b.apply("mul", c, s)), w.input(300), "b3", "b4")
    return w.done(total, *values, w.reshape("b5", 2, 2), w.reshape("b0", 600))


PROGRAMS = {
    "regression": (programs.linear_regression(300), [f32(9, 1)], []),
    "fed": (programs.fed_regression(), [f32(3, 1)], [f32(50, 3), f32(50, 1)]),
    "net": (programs.softmax_net(50, (100, 80, 60)), [f32(100, 80), f32(80), f32(80, 60), f32(60)], [f32(50, 100), f32(50, 60)]),
    "algebra": (linear_algebra(), [np.array([0, 1, 2]), np.array(0, np.float32)], [f32(4, 4)]),
    "recurrent": (test_repeat.recurrent(limited=True), [], [f32(6, 3, 5), f32(5, 4), f32(4, 4), f32(3, 4), np.asarray(4, np.int32)]),
    "walk": (test_repeat.walk(), [np.array([0, 1, 2])], []),
    "constants": (returned_constants(), [], [f32(300)]),
}

ALONE = """
import sys
class Block:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("symgraph", "codegen", "scipy", "sympy"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import numpy as np
import saved
given, wanted = np.load("given.npz"), np.load("wanted.npz")
got = saved.call(*(given[f"arr_{k}"] for k in range(len(given.files))))
got = got if isinstance(got, tuple) else (got,)
assert len(got) == len(wanted.files)
for x, k in zip(got, wanted.files):
    np.testing.assert_allclose(x, wanted[k], rtol=1e-4, atol=1e-4)
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_saved_source_needs_only_numpy_and_numba(name: str, tmp_path: Path) -> None:
    program, states, inputs = PROGRAMS[name]
    made = codegen.compile(program)
    made.save_source(tmp_path / "saved.py")
    large = [x for x in export._held(made).values() if x.size > export.LITERAL]
    np.savez(tmp_path / "given.npz", *inputs, *states, *large)
    np.savez(tmp_path / "wanted.npz", *made.bind([s.copy() for s in states])(*inputs))
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_kernel_in_user_code(name: str) -> None:
    import numba

    program, states, inputs = PROGRAMS[name]
    made = codegen.compile(program)
    ours, theirs = [s.copy() for s in states], [s.copy() for s in states]
    call = made.bind(ours)
    kernel = made.kernel

    @numba.njit
    def twice(*args):
        kernel(*args)
        return kernel(*args)

    call(*inputs)
    wanted = call(*inputs)
    got = twice(*inputs, *theirs)
    for x, y in zip(got if isinstance(got, tuple) else (got,), wanted, strict=True):
        np.testing.assert_array_equal(x, y)
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(x, y)


def test_kernel_says_what_does_not_fit() -> None:
    kernel = codegen.compile(PROGRAMS["fed"][0]).kernel
    with pytest.raises(ValueError, match="axis 0 has another extent"):
        kernel(f32(5, 3), f32(6, 1), f32(3, 1))
    with pytest.raises(FloatingPointError, match="inverse"):
        codegen.compile(PROGRAMS["algebra"][0]).kernel(np.zeros((4, 4), np.float32), np.array([0, 1, 2]), np.array(0, np.float32))


@pytest.mark.parametrize(
    ("message", "said"),
    {
        "Incompatible shapes: {left} vs. {right} in Add 'y' a.py:3\nn and m must be equal": (
            "Incompatible shapes in Add 'y' a.py:3\nn and m must be equal"
        ),
        "slice index 5 of dimension 0 out of bounds: its extent is {right} in Slice 's' made at a.py:3": (
            "slice index 5 of dimension 0 out of bounds in Slice 's' made at a.py:3"
        ),
        "x has {left} rows, y has {right}": "x has ? rows, y has ?",
    }.items(),
)
def test_checks_say_no_braces(message: str, said: str) -> None:
    w = Writer()
    x, y = w.input("m"), w.input("k")
    w.checks.append(Check("m", "k", message))
    program = w.done(w.reduce("sum", x, (0,)), w.reduce("sum", y, (0,)))
    with pytest.raises(ValueError) as caught:
        codegen.compile(program).kernel(f32(2), f32(3))
    assert str(caught.value) == said
    text = export.standalone(codegen.compile(program, target="python"))
    assert repr(said) in text and "{" not in text.partition("def call")[2]


@pytest.mark.parametrize("name", PROGRAMS)
def test_saved_source_reads_well(name: str) -> None:
    program = PROGRAMS[name][0]
    text = export.standalone(codegen.compile(program, target="python"))
    imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert len({line.partition(" import ")[0] for line in imports}) == len(imports) and "import numpy as np" in imports
    assert text.index(imports[-1]) < text.index("def ")
    head = text.partition("def call(")[0].rstrip().splitlines()
    count = len(program.inputs) + len(program.states)
    described = [line for line in head[len(head) - count :] if line.startswith("# x")]
    assert [line.partition(":")[0] for line in described] == [f"# x{k}" for k in range(count)]
    for line, n in zip(described, (*program.inputs, *program.states), strict=True):
        assert line.endswith(f" {program.table()[n].origin}") and program.table()[n].role in line


def test_names_stay_in_comments() -> None:
    w = Writer()
    w.reduce("sum", w.input(3), (0,))
    w.buffers[0] = replace(w.buffers[0], origin="a\nraise SystemExit\r\x0c\u2028b")
    text = export.standalone(codegen.compile(w.done(w.buffers[1].name), target="python"))
    assert "# x0: input float32[3] a\\nraise SystemExit\\r\\x0c\\u2028b\n" in text
    compile(text, "saved.py", "exec")
