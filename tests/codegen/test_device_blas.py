"""Kernels cut at large products, with what stands in for cuBLAS: it reads memory by address and by columns, as cuBLAS does."""

from __future__ import annotations

import ctypes
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import symgraph as sg
from symgraph import codegen, config
from symgraph.codegen import cuda, cuts, device_blas, device_entry, device_launch, fuse, products, ptx
from symgraph.codegen.device_entry import driver_of
from symgraph.codegen.devices import Device
from symgraph.codegen.ir import Loop
from symgraph.codegen.resident import Cell

from . import fuzz
from .programs import Writer
from .test_device_ptx import CAPABILITIES, assemble, needs_numba_cuda
from .test_steps import compare, one_by_one

DEVICE = Device("/device:GPU:0", "GPU", 0, "simulated", (0, 0), 1)


class Columns:
    """The part of nvmath.bindings.cublas that is used, on the host's memory."""

    Operation, PointerMode = SimpleNamespace(N=0, T=1), SimpleNamespace(DEVICE=1)

    def __init__(self) -> None:
        self.calls: list[tuple[int, ...]] = []

    def create(self) -> int:
        return 7

    def set_pointer_mode(self, handle: int, mode: int) -> None:
        assert (handle, mode) == (7, 1)

    def sgemm_64(self, *args: int) -> None:
        self.gemm(np.float32, ctypes.c_float, *args)

    def dgemm_64(self, *args: int) -> None:
        self.gemm(np.float64, ctypes.c_double, *args)

    def gemm(self, dtype, word, handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) -> None:
        """C = alpha op(A) op(B) + beta C, matrices as columns of so many rows, `ld` elements apart."""

        def matrix(address: int, rows: int, columns: int, ld: int) -> np.ndarray:
            assert all(type(x) is int for x in (address, rows, columns, ld)) and ld >= max(1, rows)
            flat = np.frombuffer((word * (ld * (columns - 1) + rows)).from_address(address), dtype)
            return as_strided(flat, (rows, columns), (flat.itemsize, flat.itemsize * ld), writeable=True)

        assert handle == 7
        x = matrix(a, k, m, lda).T if ta else matrix(a, m, k, lda)
        y = matrix(b, n, k, ldb).T if tb else matrix(b, k, n, ldb)
        z, (scale,), (kept,) = matrix(c, m, n, ldc), matrix(alpha, 1, 1, 1)[0], matrix(beta, 1, 1, 1)[0]
        z[...] = scale * (x @ y) + (kept * z if kept else 0)
        self.calls.append((ta, tb, m, n, k))


@pytest.fixture
def cublas(monkeypatch):
    """All but tiny products are large, and a library is there for them."""
    made = Columns()
    monkeypatch.setattr(products, "SIDE", 3)
    monkeypatch.setattr(products, "MANY", 60)
    for limit in ("LOOP_PRODUCT", "LOOP_GRADIENT"):
        monkeypatch.setattr(fuse, limit, 8)
    with config.override(SYMGRAPH_BACKEND="python"):
        plain = driver_of(DEVICE)
        driver = replace(plain, library=lambda: device_blas.Blas(made, np.array), held={})
        monkeypatch.setattr(device_launch, "driver_of", lambda device: driver)
        yield made


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def check(cublas: Columns, w: Writer, *outputs: str, calls: int, launches: int, m: int = 9):
    """Two runs are those of the interpreter, with so many products and launches in each."""
    program = w.done(*outputs)
    shapes = {b.name: [m if isinstance(e, str) else e for e in b.shape] for b in program.buffers}
    given = [draw(*shapes[n]).astype(program.table()[n].dtype) for n in program.inputs]
    held = [draw(*shapes[n]).astype(program.table()[n].dtype) for n in program.states]
    wanted = [x.copy() for x in held]
    plain = codegen.interpret(program).bind(wanted)
    made = device_launch.compile_for(program, DEVICE)
    cells = [Cell(x) for x in held]
    call = made.bind(cells)
    for _ in range(2):
        for mine, theirs in zip(call(*given), plain(*given), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)
    for cell, theirs in zip(cells, wanted, strict=True):
        np.testing.assert_allclose(cell.host(), theirs, rtol=1e-4, atol=1e-4)
    assert len(cublas.calls) == 2 * calls
    assert sum(not piece.host for piece in cuts.pieces(made.made.kernel)) == launches
    assert (f"{launches} launches and cuBLAS for" if calls else "1 launch") in made.report
    return made


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_transposes_and_dtypes(cublas, ta, tb, dtype):
    w = Writer()
    x, y = w.input(*((5, 9) if ta else (9, 5)), dtype=dtype), w.input(*((7, 5) if tb else (5, 7)), dtype=dtype)
    made = check(cublas, w, w.apply("tanh", w.matmul(w.apply("exp", x), y, ta, tb)), calls=1, launches=2)
    assert cublas.calls[0] == (tb, ta, 7, 9, 5)
    assert "def kernel0(" in made.source and "def products1(multiply, " in made.source and "def kernel2(" in made.source
    assert "barrier_wait(" not in made.source, "the end of a kernel is a meeting"


def test_a_product_of_what_is_given_to_what_is_returned_needs_no_kernel(cublas):
    w = Writer()
    made = check(cublas, w, w.matmul(w.input(9, 5), w.input(5, 7)), calls=1, launches=0)
    assert made.entry.most >= 1 and made.entry.kernels == []


def test_products_that_wait_for_the_same_are_made_together(cublas):
    w = Writer()
    h = w.apply("relu", w.input(9, 6))
    z = w.apply("add", w.matmul(h, w.input(6, 8)), w.matmul(h, w.input(8, 6), tb=True))
    check(cublas, w, w.reduce("sum", z, (0,)), calls=2, launches=2)


def test_a_batch_is_a_loop_of_the_host(cublas):
    w = Writer()
    x, y = w.input(2, 3, 5, 4), w.input(3, 4, 6)
    check(cublas, w, w.apply("neg", w.matmul(x, y)), calls=6, launches=1)
    assert cublas.calls[0] == (0, 0, 6, 5, 4)


def descent(factor: bool = True):
    """theta <- theta - rate x'(tanh(x theta) - y), the rate a constant or computed."""
    w = Writer("descent")
    x, y, theta = w.input(9, 5), w.input(9, 4), w.state(5, 4)
    e = w.apply("sub", w.apply("tanh", w.matmul(x, theta)), y)
    gradient = w.matmul(x, e, ta=True)
    rate = w.apply("exp", w.reduce("max", theta, (0, 1), lambda b, a: b.apply("neg", b.apply("mul", a, a))))
    if factor:
        w.update(theta, w.map(lambda b, t, g, r: b.apply("sub", t, b.apply("mul", r, g)), theta, gradient, rate))
    else:
        w.update(theta, w.map(lambda b, t, g: b.apply("sub", t, b.apply("mul", b.literal(0.1, "float32"), g)), theta, gradient))
    return w, w.reduce("sum", w.apply("mul", e, e), (0, 1))


@pytest.mark.parametrize("factor", [False, True])
def test_a_product_is_added_to_a_state_in_its_place(cublas, factor):
    w, loss = descent(factor=factor)
    made = check(cublas, w, loss, calls=2, launches=2)
    assert made.source.count(", 1, ") and "updated in place" in made.report and "multiply(True, False, 5, 4, 9, " in made.source


def start(loop: Loop, states, inputs, steps: int, every: int, hints=None, lengths=None):
    cells = [Cell(s.copy()) for s in states]
    shapes = [(-(-steps // every), *out.shape[1:]) for out in one_by_one(loop, states, inputs, 1, 1, lengths)[1]]
    history = [np.full(shape, -99, loop.recorded.table()[n].dtype) for shape, n in zip(shapes, loop.recorded.outputs, strict=True)]
    made = device_launch.compile_loop_for(loop, hints or {}, DEVICE)
    return made, cells, history, made.bind(cells).start(inputs, every, history, lengths)


def test_a_loop_with_records(cublas):
    w, loss = descent()
    program = w.done(loss)
    loop = Loop("loop", program)
    states, inputs = [draw(5, 4)], [draw(9, 5), draw(9, 4)]
    made, cells, history, advance = start(loop, states, inputs, 5, 2)
    assert advance(0, 2) == 2 and advance(2, 5) == 5
    compare(([c.host() for c in cells], history), one_by_one(loop, states, inputs, 5, 2))
    assert len(cublas.calls) == 10 and "a step: 3 launches and cuBLAS for" in made.report
    assert made.source.count("for s in range(first, last):") == 5


def test_slices_and_lengths_for_each_step(cublas):
    w = Writer()
    x, theta = w.input("m", 5), w.state(5, 4)
    e = w.apply("tanh", w.matmul(x, theta))
    w.update(theta, w.apply("add", theta, w.matmul(x, e, ta=True)))
    program = w.done(w.reduce("sum", e, (0, 1)))
    ((size, _),) = program.sizes
    loop, lengths = Loop("loop", program, stepped=(x,), lengths=(size,)), {size: np.array([9, 7, 9])}
    states, given = [draw(5, 4) / 5], draw(3, 9, 5) / 5
    _, cells, history, advance = start(loop, states, [given], 3, 1, {size: 9}, lengths)
    assert advance(0, 3) == 3
    compare(([c.host() for c in cells], history), one_by_one(loop, states, [given], 3, 1, lengths))
    assert [call[-1] for call in cublas.calls] == [5, 9, 5, 7, 5, 9], "as many rows as the step has"


def test_a_two_layer_net_by_adam(cublas):
    """The same session code on the CPU and on the device; the products of both layers, forward and back, are a library's."""
    x_value, y_value = draw(12, 6), np.eye(4, dtype=np.float32)[np.arange(12) % 4]

    def train(device: str) -> list[np.ndarray]:
        sg.reset_default_graph()
        x, y = sg.constant(x_value), sg.constant(y_value)
        first, second = sg.Variable(draw(6, 8) / 3), sg.Variable(draw(8, 4) / 3)
        h = sg.tanh(sg.matmul(x, first))
        loss = sg.reduce_mean(sg.square(sg.matmul(h, second) - y))
        train_op = sg.train.AdamOptimizer(0.01).minimize(loss)
        with sg.Session(device=device) as session:
            session.run(sg.global_variables_initializer())
            for _ in range(3):
                session.run(train_op)
            return session.run([first, second, loss])

    wanted = train("cpu")
    assert not cublas.calls
    for mine, theirs in zip(train("cuda"), wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    assert len(cublas.calls) >= 3 * 5


@pytest.mark.parametrize("seed", [4, 13, 25])
def test_random_loops(cublas, seed, monkeypatch):
    for limit in ("SIDE", "MANY"):
        monkeypatch.setattr(products, limit, 1)
    program, states, inputs = fuzz.program(seed)
    fuzz.shrink(monkeypatch)
    loop = Loop("loop", program)
    made, cells, history, advance = start(loop, states, inputs, 3, 2)
    assert advance(0, 3) == 3 and made.source.count("def products")
    compare(([c.host() for c in cells], history), one_by_one(loop, states, inputs, 3, 2))


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(cublas, seed, monkeypatch):
    """What is cut gives what is not cut gives; nothing with a way to fail is cut."""
    for limit in ("SIDE", "MANY"):
        monkeypatch.setattr(products, limit, 1)
    program, states, inputs = fuzz.program(seed)
    fuzz.shrink(monkeypatch)
    wanted = [s.copy() for s in states]
    plain = codegen.interpret(program).bind(wanted)
    cells = [Cell(s.copy()) for s in states]
    call = device_launch.compile_for(program, DEVICE).bind(cells)
    for _ in range(2):
        for mine, theirs in zip(call(*inputs), plain(*inputs), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)
    for cell, theirs in zip(cells, wanted, strict=True):
        np.testing.assert_allclose(cell.host(), theirs, rtol=1e-3, atol=1e-3)


def test_what_can_fail_is_one_kernel(cublas):
    w = Writer()
    a = w.linalg("inverse", w.input(4, 4))
    program = w.done(w.matmul(w.matmul(a, w.input(4, 8)), w.input(8, 6)))
    made = device_launch.compile_for(program, DEVICE)
    assert "def kernel(" in made.source and made.made.large and "pip install" not in made.report


def test_without_the_library_products_are_made_in_the_kernel_and_it_is_named(cublas, monkeypatch):
    with config.override(SYMGRAPH_BACKEND="python"):
        monkeypatch.setattr(device_launch, "driver_of", device_entry.driver_of)
        w = Writer()
        made = device_launch.compile_for(w.done(w.matmul(w.input(9, 5), w.input(5, 7))), DEVICE)
    assert made.report.count('pip install "symgraph[cublas]"') == 1 and "gemm_f32(" in made.source
    monkeypatch.setattr(products, "MANY", 10**9)
    assert "cublas" not in device_launch.compile_for(w.done(w.matmul(w.input(9, 5), w.input(5, 7))), DEVICE).report


def test_no_library_is_no_error(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nvmath", None)
    assert device_blas.found(np.array) is None


def test_small_products_and_unknown_sizes_are_the_kernels(cublas):
    w = Writer()
    small = w.matmul(w.input(2, 5), w.input(5, 7))
    unknown = w.matmul(w.input("m", 5), w.input(5, 7))
    check(cublas, w, small, unknown, calls=0, launches=1)


@needs_numba_cuda
@pytest.mark.filterwarnings("ignore")
def test_every_piece_compiles_and_is_assembled(cublas, tmp_path):
    w, loss = descent()
    made = cuda.translate_loop(Loop("loop", w.done(loss)), {}, 256, library=True)
    kernels = ptx.read(made.source)
    assert list(kernels) == ["kernel0", "kernel2", "kernel4"]
    for cc in CAPABILITIES:
        assert ptx.ptx(made.source, cc=cc).count(f".target sm_{cc[0]}{cc[1]}") == 3
        for function, signature in kernels.values():
            if shutil.which("ptxas"):
                assert not assemble(ptx.ptx(function, signature, cc), cc, tmp_path)
