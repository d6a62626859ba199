"""What generated source looks like, what identifies it, and what the passes and phases decide."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy

from symgraph import codegen
from symgraph.codegen import fuse, ir, printer, scalar
from symgraph.codegen.addresses import Names
from symgraph.codegen.expressions import SHORT, literal
from symgraph.codegen.ir import Buffer, Map, MatMul, Program, ProgramError, Random, Reshape
from symgraph.codegen.verify import verify
from tests.codegen import fuzz, programs
from tests.codegen.programs import Writer
from tests.codegen.routes import check


@pytest.mark.parametrize("name", ["linear_regression", "fed_regression", "softmax_net", "elementwise"])
def test_golden_sources(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"codegen_{name}.py.txt", codegen.compile(getattr(programs, name)(), target="python").source)


@pytest.mark.parametrize("seed", range(24))
def test_random_programs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, so that small arrays have many; two threads give the bits of one."""
    fuzz.shrink(monkeypatch)
    program, states, inputs = fuzz.program(seed)
    check(program, states, inputs, compiled=seed < 3, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(40))
def test_passes_keep_the_meaning(seed: int) -> None:
    program, states, inputs = fuzz.program(seed + 100)

    def after(p: Program) -> list:
        held = [s.copy() for s in states]
        return [*codegen.interpret(p).bind(held)(*inputs), *held]

    wanted = after(program)
    for rewrite in fuse.PASSES:
        program, _ = rewrite(program)
        verify(program)
        for x, y in zip(after(program), wanted, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)


def test_source_depends_on_structure_only() -> None:
    """Values of constants, names and lines do not enter the key; they stand in comments or nowhere."""

    def key(program: Program) -> str:
        made = codegen.compile(program, target="python")
        return printer.print_source(made.report.kernel, comments=False)

    one, other = programs.linear_regression(300, rate=0.1, seed=1), programs.linear_regression(300, rate=0.2, seed=2)
    moved = replace(one, name="another", buffers=tuple(replace(b, origin="elsewhere") for b in one.buffers))
    assert key(one) == key(moved)
    assert key(programs.fed_regression()) == key(programs.fed_regression())
    assert sum(a != b for a, b in zip(key(one).splitlines(), key(other).splitlines(), strict=True)) == 0


@pytest.mark.parametrize("text", ["x\nimport os", "\r\nraise SystemExit", "a\0b", "\u2028evil()", "\ud800", "'''\"\"\"\\", "\x0cx = 1"])
def test_user_text_cannot_leave_its_comment(text: str) -> None:
    program = programs.linear_regression(300)
    program = replace(program, name=text, buffers=tuple(replace(b, origin=text) for b in program.buffers))
    made = codegen.compile(program, target="python")
    plain = codegen.compile(programs.linear_regression(300), target="python")
    assert printer.print_source(made.report.kernel, comments=False) == printer.print_source(plain.report.kernel, comments=False)
    assert len(made.source.splitlines()) == len(plain.source.splitlines())
    made.source.encode()


def test_literals_read_back_equal() -> None:
    for dtype, short in (("float32", "f32"), ("float64", "f64")):
        kind = np.dtype(dtype).type
        for v in (0.1, -0.0, 1e-45, 3.4e38, np.inf, -np.inf, 1 / 3):
            value = float(kind(v))
            assert repr(eval(literal(value, dtype), {"np": np, short: kind})) == repr(kind(value))


@pytest.mark.parametrize("exponent", ["2", "3", "-1", "1/2", "3/2", "-1/2", "-5/2", "16"])
def test_small_powers_are_products_and_roots(exponent: str) -> None:
    x = sympy.Symbol("x", real=True)
    body = scalar.lower(x ** sympy.Rational(exponent), {x: ("operand", "float32", 0)}, "float32")
    assert {i.fn for i in body.code} <= {"operand", "literal", "mul", "div", "sqrt"}


def test_no_name_is_that_of_a_dtype() -> None:
    """A loop over i8 made np.int8's short name a local variable, in a program with nine loops over rows and a cast to int8."""
    names = Names({})
    made = {names.fresh(letter) for letter in "iuf" for _ in range(70)}
    assert len(made) == 210 and not made & set(SHORT.values())


def test_single_use_producers_are_inlined() -> None:
    w = Writer()
    x = w.input("n")
    y = x
    for _ in range(5):
        y = w.apply("tanh", y)
    made = codegen.compile(w.done(y), target="python")
    assert len(made.report.fused.statements) == 1
    outer = Writer()  # inlined here, exp would run for every element of the result
    a, b = outer.input("n"), outer.input("n")
    ea = outer.apply("exp", a)
    made = codegen.compile(
        outer.done(outer.map(lambda q, p, r: q.apply("mul", p, r), ea, b, index=((0,), (1,)), space=("n", "n"))), target="python"
    )
    assert len(made.report.fused.statements) == 2


def test_the_report_says_why() -> None:
    text = str(codegen.compile(programs.linear_regression(20640), target="python").report)
    for words in (
        "6 statements",
        "2 phases",
        "p6 (a row reduction)",
        "registers",
        "updated in place",
        "repacked",
        "flops",
        "bytes",
        "1 barriers",
    ):
        assert words in text


def test_importing_costs_no_numba() -> None:
    code = (
        "import sys, numpy as np; from symgraph import codegen; from tests.codegen import programs\n"
        "p = programs.linear_regression(50)\n"
        "codegen.interpret(p).bind([np.zeros((9, 1), np.float32)])()\n"
        "assert not {'numba', 'scipy', 'llvmlite'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


# ---------------------------------------------------------------- malformed programs
def _broken() -> dict[str, Program]:
    good = programs.fed_regression()
    temp = next(s for s in good.statements if isinstance(s, Map))
    product = next(s for s in good.statements if isinstance(s, MatMul))
    edit = lambda **kw: replace(good, **kw)  # noqa: E731
    swap = lambda s, **kw: edit(statements=tuple(replace(t, **kw) if t is s else t for t in good.statements))  # noqa: E731
    more = lambda s, *b: edit(statements=(*good.statements, s), buffers=(*good.buffers, *b))  # noqa: E731
    return {
        "two names": edit(buffers=good.buffers + good.buffers[:1]),
        "unknown output": edit(outputs=("nowhere",)),
        "wrong order": edit(statements=good.statements[::-1]),
        "written twice": edit(statements=good.statements + good.statements[:1]),
        "unknown dtype": edit(buffers=tuple(replace(b, dtype="float16") for b in good.buffers)),
        "unknown size": edit(sizes=()),
        "rank of an index map": swap(temp, index=((0,), (0, 1))),
        "another space": swap(temp, space=(3, 3)),
        "reducer without labels": swap(temp, reducer="sum"),
        "unknown reducer": swap(temp, reducer="median"),
        "mixed dtypes": more(
            MatMul("z", product.a, "i"), Buffer("i", "int32", (3, 1), "const", np.zeros((3, 1), "int32")), Buffer("z", "float32", ("m", 1))
        ),
        "const without value": more(Reshape("z", "i"), Buffer("i", "int32", (3,), "const"), Buffer("z", "int32", (3,))),
        "a stream that is no state": more(Random("shuffle", "z", product.b, x=product.b), Buffer("z", "float32", (3, 1))),
        "update of an input": edit(updates=((good.inputs[0], temp.out),)),
    }


@pytest.mark.parametrize("fault", _broken())
def test_malformed_programs_are_refused(fault: str) -> None:
    program = _broken()[fault]
    for door in (verify, codegen.interpret, codegen.compile):
        with pytest.raises(ProgramError):
            door(program)


def test_the_program_prints() -> None:
    assert "theta" not in str(programs.linear_regression()) and "return" in str(programs.linear_regression())
    assert isinstance(ir.Program.__str__(programs.softmax_net()), str)


def test_sums_of_exponentials_are_computed_stably() -> None:
    """What overflows or loses all digits as it is written has a function of its own."""
    x = sympy.Symbol("x", real=True)
    rows = {
        sympy.log(1 + sympy.exp(x)): (1000.0, 1000.0),
        scalar.log1p(sympy.exp(2 * x)): (1000.0, 2000.0),
        sympy.log(scalar.sigmoid(x)): (-1000.0, -1000.0),
        sympy.log(1 - scalar.sigmoid(x)): (1000.0, -1000.0),
        sympy.exp(x) - 1: (1e-20, 1e-20),
    }
    for body, (at, wanted) in rows.items():
        values: list = []
        for i in scalar.lower(body, {x: ("operand", "float64", 0)}, "float64").code:
            args = [values[a] for a in i.args]
            values.append(at if i.fn == "operand" else i.value if i.fn == "literal" else scalar.FUNCTIONS[i.fn].numpy(*args))
        assert values[-1] == wanted, body
