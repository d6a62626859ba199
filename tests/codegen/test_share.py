"""Equal nests as functions: which are, what the calls look like, and that nothing else has changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symgraph import codegen
from symgraph.codegen import printer, share
from symgraph.codegen.expressions import SHORT
from symgraph.codegen.ir import Loop, Program
from symgraph.codegen.loops import Accumulate, Barrier, Call, For, If, Let, Node, Store
from symgraph.codegen.lower import Kernel
from symgraph.codegen.memory import Arg
from symgraph.codegen.table import Table
from tests.codegen import fuzz, programs
from tests.codegen.programs import Writer
from tests.codegen.routes import check
from tests.codegen.test_pipeline_export import ALONE
from tests.codegen.test_steps import compare, one_by_one, run


def deep_net(layers: int, units: int = 40, inputs: int = 40, batch: int | str = "m", momentum: bool = False) -> Program:
    """Equal layers of relu under a sum of squares, and one descent step, with two states for each weight on request."""
    w = Writer("deep net")
    x, t, rate = w.input(batch, inputs), w.input(batch, units), w.const(0.001)
    weights, hidden = [], [x]
    for k in range(layers):
        weights.append((w.state(units if k else inputs, units), w.state(units)))
        product = w.matmul(hidden[-1], weights[-1][0])
        hidden.append(w.map(lambda b, a, c: b.apply("relu", b.apply("add", a, c)), product, weights[-1][1]))
    d = w.apply("sub", hidden[-1], t)
    loss = w.map(lambda b, a: b.apply("mul", a, a), d, reducer="sum", rank=0)
    for k in reversed(range(layers)):
        d = w.map(lambda b, a, h: b.apply("mul", a, b.apply("step", h)), d, hidden[k + 1])
        for s, g in zip(weights[k], (w.matmul(hidden[k], d, ta=True), w.reduce("sum", d, (0,))), strict=True):
            if momentum:
                v = w.state(*w.shape(s))
                g = w.map(lambda b, v, g: b.apply("add", b.apply("mul", b.literal(0.9, "float32"), v), g), v, g)
                w.update(v, g)
            w.update(s, w.map(lambda b, s, g, c: b.apply("sub", s, b.apply("mul", c, g)), s, g, rate))
        if k:
            d = w.matmul(d, weights[k][0], tb=True)
    return w.done(loss)


def arrays(program: Program, batch: int = 70, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    table = program.table()
    draw = lambda n: rng.standard_normal([batch if e == "m" else int(e) for e in table[n].shape]).astype(np.float32) / 6  # noqa: E731
    return [draw(n) for n in program.states], [draw(n) for n in program.inputs]


def source(program: Program) -> str:
    return printer.print_source(codegen.compile(program, target="python").report.kernel, comments=False)


# ---------------------------------------------------------------- nets
@pytest.mark.parametrize("momentum", [False, True])
def test_source_does_not_grow_with_equal_layers(momentum: bool) -> None:
    few, many = (source(deep_net(n, momentum=momentum)) for n in (6, 50))
    assert abs(many.count("\n") - few.count("\n")) <= 4
    assert many.count("float32[::1]") == few.count("float32[::1]"), "arrays that are arguments"


def test_a_net_is_five_functions() -> None:
    """Forward, backward, its sums' start and end, and the update: each is called in one loop."""
    kernel = codegen.compile(deep_net(8), target="python").report.kernel
    text = printer.print_source(kernel, comments=False)
    before, _, main = text.partition("def kernel(")
    functions = before.split("def shared")[1:]
    assert len(functions) == main.count("for q in range") == main.count("(table, q") == 5
    assert all(f.count("array_at(") <= 6 for f in functions)
    forward = next(f for f in functions if "<= f32(0.0)" in f)
    assert "_f32(False, False" in forward, "a product and the walk after it are one function"
    assert len(kernel.table) > 8 * 6 and len(kernel.unnamed) > 8 * 4


@pytest.mark.parametrize("program", [deep_net(4), deep_net(5, momentum=True), deep_net(4, 12, 12), deep_net(5, 30, 50, batch=65)])
def test_nets_compute_what_the_interpreter_computes(program: Program) -> None:
    made = check(program, *arrays(program, 65), rtol=2e-4, atol=2e-4)
    assert made.report.kernel.functions


def test_other_arrays_and_other_sizes_from_call_to_call() -> None:
    """The table follows what each call brings."""
    program = deep_net(5)
    states, _ = arrays(program)
    made, wanted = codegen.compile(program, target="python"), codegen.interpret(program)
    mine, theirs = [s.copy() for s in states], [s.copy() for s in states]
    call, expected = made.bind(mine), wanted.bind(theirs)
    for k, batch in enumerate((70, 70, 130, 70, 0)):
        _, inputs = arrays(program, batch, seed=k)
        np.testing.assert_allclose(call(*inputs)[0], expected(*inputs)[0], rtol=1e-4)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_loops_of_steps(target) -> None:
    program = deep_net(4)
    states, inputs = arrays(program)
    loop = Loop("loop", program, stepped=frozenset(program.inputs))
    inputs = [np.stack([x, x * 2, -x]) for x in inputs]
    compare(run(loop, states, inputs, 3, 1, target=target), one_by_one(loop, states, inputs, 3, 1))
    one, two = (run(loop, states, inputs, 3, 1, target=target, nthreads=n) for n in (1, 2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip((*one[0], *one[1]), (*two[0], *two[1]), strict=True))


def test_saved_sources_and_njit_callers(tmp_path: Path) -> None:
    program = deep_net(4)
    states, inputs = arrays(program)
    made = codegen.compile(program)
    assert made.report.kernel.table
    wanted = made.bind([s.copy() for s in states])(*inputs)
    np.testing.assert_allclose(made.kernel(*inputs, *(s.copy() for s in states)), wanted[0], rtol=1e-6)
    made.save_source(tmp_path / "saved.py")
    np.savez(tmp_path / "given.npz", *inputs, *states)
    np.savez(tmp_path / "wanted.npz", *wanted)
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seed", range(30))
def test_random_programs_with_everything_shared(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two places are enough, or one, and so is a nest of any size anywhere."""
    fuzz.shrink(monkeypatch)
    monkeypatch.setattr(share, "OCCURRENCES", 1 + seed % 2)
    monkeypatch.setattr(share, "HOT", 1)
    program, states, inputs = fuzz.program(seed, statements=20)
    check(program, states, inputs, compiled=seed < 3, rtol=1e-4, atol=1e-4)


def test_random_programs_have_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz.shrink(monkeypatch)
    for places, least in ((1, 30), (2, 1)):
        monkeypatch.setattr(share, "OCCURRENCES", places)
        kernels = [codegen.compile(fuzz.program(seed, statements=20)[0], target="python").report.kernel for seed in range(10)]
        assert sum(len(k.functions) for k in kernels) >= least


@pytest.mark.parametrize("name", ["linear_regression", "fed_regression", "softmax_net", "elementwise"])
def test_small_programs_keep_their_arguments(name: str) -> None:
    kernel = codegen.compile(getattr(programs, name)(), target="python").report.kernel
    assert not kernel.functions and not kernel.table and not kernel.unnamed


# ---------------------------------------------------------------- kernels by hand
def kernel(*body: Node, arrays: int = 12) -> Kernel:
    args = tuple(Arg(f"b{k}", "float32" if k < 8 else "int64", "state") for k in range(arrays))
    return Kernel("by hand", args, (("n", "n0"),), body, frozenset(), 0, {})


def nest(j: str, out: str, x: str, factor: str = "f32(2.0)", extent: str = "n0") -> For:
    return For(j, extent, (Store(out, j, f"{x}[{j}] * {factor}"),))


def same(*body: Node) -> bool:
    return share.share(kernel(*body)) == kernel(*body)


def test_neighbours_become_a_loop_of_calls() -> None:
    made = share.share(kernel(nest("j0", "b0", "b1"), nest("j1", "b1", "b2"), nest("j2", "b3", "b0")))
    (f,) = made.functions
    assert f.parameters == ("table", "q", "n_0")
    assert made.table == ("b0", "b1", "b1", "b2", "b3", "b0")
    assert made.body == (For("q", "0, 6, 2", (Call("shared0(table, q, n0)"),)),)
    assert made.unnamed == {"b0", "b1", "b2", "b3"}
    assert [name for name, _ in made.parameters()][:4] == ["tid", "nthreads", "barrier", "table"]


def test_what_stands_between_keeps_its_place() -> None:
    body = (nest("j0", "b0", "b1"), Barrier("here"), nest("j1", "b1", "b2"), Store("b0", "0", "b4[0]"), nest("j2", "b3", "b0"))
    made = share.share(kernel(*body))
    calls = [Call(f"shared0(table, i64({k}), n0)") for k in (0, 2, 4)]
    assert made.body == (calls[0], body[1], calls[1], body[3], calls[2])
    assert made.unnamed == {"b1", "b2", "b3"}, "b0 is still named"


def test_slices_go_along() -> None:
    """Slices from outside are made again inside of the function, in the order in which they build on each other."""
    lets = [Let(f"x{k}", f"b{k}[tid * 4:]") for k in range(3)] + [Let(f"x{k + 3}", f"x{k}[2:]") for k in range(3)]
    made = share.share(kernel(*lets, *(nest(f"j{k}", f"x{k + 3}", "b7") for k in range(3))))
    assert made.body == (For("q", "0, 6, 2", (Call("shared0(table, q, tid, n0)"),)),)
    assert [n.value for n in made.functions[0].body if isinstance(n, Let)] == [
        "array_at(table, q, f32)",
        "array_at(table, q + 1, f32)",
        "b_0[tid_0 * 4:]",
        "x_0[2:]",
    ]


def test_a_slice_that_somebody_else_reads_stays() -> None:
    lets = [Let(f"x{k}", f"b{k}[4:]") for k in range(3)]
    made = share.share(kernel(*lets, *(nest(f"j{k}", f"x{k}", "b7") for k in range(3)), Store("b6", "0", "x1[0]")))
    assert lets[1] in made.body and lets[0] not in made.body and "b1" not in made.unnamed


@pytest.mark.parametrize(
    ("why", "body"),
    {
        "two places": (nest("j0", "b0", "b1"), nest("j1", "b1", "b2")),
        "other numbers": tuple(nest(f"j{k}", f"b{k}", "b7", f"f32({k}.0)") for k in range(3)),
        "other extents": tuple(nest(f"j{k}", f"b{k}", "b7", extent=str(k + 5)) for k in range(3)),
        "another pattern of names": (nest("j0", "b0", "b1"), nest("j1", "b1", "b1"), nest("j2", "b2", "b3")),
        "other dtypes": (nest("j0", "b0", "b1"), nest("j1", "b9", "b1"), nest("j2", "b2", "b3")),
        "a value for the outside": tuple(
            n for k in range(3) for n in (Let(f"a{k}", "f32(0.0)"), For("j", "n0", (Accumulate(f"a{k}", "sum", f"b{k}[j]", "float32"),)))
        )
        + tuple(Store("b5", str(k), f"a{k}") for k in range(3)),
        "a barrier inside": tuple(For(f"j{k}", "4", (Store(f"b{k}", "0", "b7[0]"), Barrier("now"))) for k in range(3)),
        "small and inside of a loop": (For("i", "n0", tuple(nest(f"j{k}", f"b{k}", "b7", extent="8") for k in range(3))),),
        "a slice of something that changes": tuple(
            For("k", "n0", (Let("lo", "k * 2"), Let(f"x{k}", f"b{k}[lo:]"), nest("j", f"x{k}", "b7", extent="9"))) for k in range(2)
        ),
    }.items(),
)
def test_not_shared(why: str, body: tuple[Node, ...]) -> None:
    assert same(*body), why


def test_work_enough_is_called_from_inside_of_a_loop() -> None:
    made = share.share(kernel(For("i", "n0", tuple(nest(f"j{k}", f"b{k}", "b7", extent="5000") for k in range(3)))))
    assert made.body == (For("i", "n0", (For("q", "0, 6, 2", (Call("shared0(table, q)"),)),)),)
    team = For("k", "tid, nb, nthreads", (If("tid == 0", tuple(nest(f"j{k}", f"b{k}", "b7", extent="5") for k in range(3))),))
    assert share.share(kernel(team)).functions


def test_several_statements_are_one_function() -> None:
    pairs = [n for k in range(4) for n in (Call(f"gemm(b{k}, b{k + 1})"), nest(f"j{k}", f"b{k}", "b7"))]
    made = share.share(kernel(*pairs))
    assert len(made.functions) == 1 and made.body == (For("q", "0, 12, 3", (Call("shared0(table, q, n0)"),)),)


def test_every_dtype_has_its_place_in_the_table() -> None:
    from symgraph.codegen.runtime.table import plain_array_at

    for dtype in SHORT:
        x = np.arange(6).astype(dtype)
        table = np.array([0, 0, x.ctypes.data, 6, 0, 0])
        np.testing.assert_array_equal(plain_array_at(table, 1, np.dtype(dtype).type), x)
        assert plain_array_at(table, 2, np.dtype(dtype).type).size == 0
    made = share.share(kernel(nest("j0", "b0", "b1"), nest("j1", "b1", "b2"), nest("j2", "b3", "b0")))
    held = [np.full(k + 1, k, a.dtype) for k, a in enumerate(made.args)]
    table = Table.of(made)
    filled = table.filled(held)
    assert filled[1::2].tolist() == [1, 2, 2, 3, 4, 1] and filled[0] == held[0].ctypes.data
    passed = table.passed(filled, held)
    assert passed[0] is filled and [x.size for x in passed[1:]] == [5, 6, 7, 8, 9, 10, 11, 12]


def test_narrow_layers_are_called_from_inside_of_the_walk() -> None:
    """Layers of 8 units share one walk over rows; once the source is long, calls in it are cheaper than its lines."""
    few, many = (source(deep_net(n, 8, 8)) for n in (12, 40))
    assert abs(few.count("\n") - many.count("\n")) <= 4
    check(deep_net(12, 8, 8), *arrays(deep_net(12, 8, 8)), rtol=2e-4, atol=2e-4)
