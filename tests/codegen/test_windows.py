"""Convolutions and poolings by every route, with teams of one, two and three threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgraph.codegen import interpret, ir, windows
from symgraph.codegen.ir import Conv, Indirect, Place, Pool, Program, ProgramError, Window
from symgraph.codegen.verify import verify
from tests.codegen.programs import Writer
from tests.codegen.routes import check

rng = np.random.default_rng(0)
Arrays = list[np.ndarray]


def laid(e: int, size: int, stride: int, dilation: int, same: bool) -> tuple[Window, int]:
    """A window as TF lays it, and how many of them there are."""
    reach = (size - 1) * dilation + 1
    if same:
        n = -(-e // stride)
        return Window(size, stride, dilation, max((n - 1) * stride + reach - e, 0) // 2), n
    return Window(size, stride, dilation), max(0, (e - reach) // stride + 1)


def convolution(
    role: str, images: int | str, extents: tuple, sizes: tuple, strides: tuple, dilations: tuple, same: bool, c: int, n: int, deep: bool
) -> tuple[Program, Arrays]:
    """A program with one convolution, and what it is fed (5 images where their number is unknown)."""
    pairs = [laid(*four, same) for four in zip(extents, sizes, strides, dilations, strict=True)]
    counts = tuple(k for _, k in pairs)
    shapes = {"x": (images, *extents, c), "w": (*sizes, c, n), "y": (images, *counts, c * n if deep else n)}
    w = Writer()
    a, b = (w.input(*shapes[r]) for r in "xwy" if r != role)
    out = w._add("t", "float32", shapes[role])
    w.statements.append(Conv(out, role, a, b, tuple(v for v, _ in pairs), deep))  # type: ignore[arg-type]
    fed = [rng.standard_normal([5 if isinstance(d, str) else d for d in shapes[r]]).astype(np.float32) for r in "xwy" if r != role]
    return w.done(out), fed


CASES = {
    "3 x 3": ((9, 8), (3, 3), (1, 1), (1, 1), True, 3, 5, False),
    "many channels": ((9, 8), (5, 3), (1, 1), (1, 1), True, 9, 17, False),
    "strides": ((9, 11), (3, 4), (2, 3), (1, 1), True, 9, 4, False),
    "valid": ((9, 8), (3, 2), (2, 1), (1, 1), False, 3, 33, False),
    "dilations": ((9, 11), (3, 3), (1, 1), (2, 3), True, 9, 4, False),
    "strides and dilations": ((10, 9), (3, 2), (2, 3), (3, 2), True, 8, 2, False),
    "skipping": ((5, 6), (1, 1), (2, 2), (1, 1), True, 8, 5, False),
    "a line": ((7,), (3,), (2,), (1,), True, 2, 3, False),
    "a volume": ((4, 3, 5), (2, 2, 3), (1, 2, 1), (1, 1, 1), True, 8, 3, False),
    "depthwise": ((7, 6), (3, 3), (1, 1), (1, 1), True, 17, 1, True),
    "depthwise, two each": ((7, 6), (3, 2), (2, 1), (1, 1), True, 3, 2, True),
}


@pytest.mark.parametrize("role", ["x", "w", "y"])
@pytest.mark.parametrize("case", CASES)
def test_every_role(role: str, case: str) -> None:
    program, fed = convolution(role, "n" if case != "strides" else 3, *CASES[case])
    check(program, (), fed, compiled=case in ("many channels", "strides", "depthwise, two each"))


@pytest.mark.parametrize("role", ["x", "w", "y"])
def test_no_images(role: str) -> None:
    program, fed = convolution(role, "n", *CASES["many channels"])
    fed = [
        x[:0] if x.shape[0] == 5 and b.shape[0] == "n" else x for x, b in zip(fed, map(program.table().get, program.inputs), strict=True)
    ]
    check(program, (), fed, compiled=role == "w")


axis = st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))


@settings(max_examples=60, deadline=None)
@given(
    axes=st.lists(axis, min_size=1, max_size=2),
    same=st.booleans(),
    c=st.sampled_from([1, 2, 8, 9]),
    n=st.integers(1, 3),
    deep=st.booleans(),
    role=st.sampled_from("xwy"),
)
def test_any_tables(axes, same, c, n, deep, role) -> None:
    """What a convolution becomes means the same, for all extents, sizes, strides and dilations."""
    program, fed = convolution(role, 3, *zip(*axes, strict=True), same, c, n, deep)
    tabled, _ = windows.windows_to_tables(program)
    verify(tabled)
    assert not any(isinstance(s, Conv) for s in tabled.statements)
    (want,), (got,) = interpret(program).bind()(*fed), interpret(tabled).bind()(*fed)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_cells_outside_cost_nothing_where_channels_fill_tiles() -> None:
    for c, pads, products in ((1, True, 9 * 81 * 4), (8, False, 25 * 25 * 8 * 4)):
        program, _ = convolution("y", 3, (9, 9), (3, 3), (1, 1), (1, 1), True, c, 4, False)
        tabled, _ = windows.windows_to_tables(program)
        assert any(isinstance(s, Place) for s in tabled.statements) == pads
        (found,) = (s for s in tabled.statements if isinstance(s, Indirect))
        assert windows.products(found, tabled.table()) == (3, products)


# ---------------------------------------------------------------- pooling
def pooling(
    role: str, dtype: str, fed_v: bool, sizes: tuple, strides: tuple, same: bool, extents: tuple = (5, 6)
) -> tuple[Program, Arrays]:
    extents = extents[: len(sizes)]
    pairs = [laid(e, k, s, 1, same) for e, k, s in zip(extents, sizes, strides, strict=True)]
    shape, one = ("n", *extents, 3), ("n", *(k for _, k in pairs), 3)
    w = Writer()
    x = w.input(*shape, dtype=dtype)
    v = w.input(*(one if role == "route" else shape), dtype=dtype) if fed_v or role == "route" else x
    out = w._add("t", dtype, shape if role == "route" else one)
    w.statements.append(Pool(out, role, x, v, tuple(p for p, _ in pairs)))  # type: ignore[arg-type]
    fed = [rng.integers(-3, 4, [4 if isinstance(d, str) else d for d in w.shape(name)]).astype(dtype) for name in dict.fromkeys((x, v))]
    return w.done(out), fed


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize(
    ("sizes", "strides", "same"), [((2, 2), (2, 2), True), ((3, 2), (1, 2), True), ((2, 2), (2, 2), False), ((2,), (1,), False)]
)
def test_pooling(dtype: str, sizes: tuple, strides: tuple, same: bool) -> None:
    """Ties abound: the first of the greatest is picked."""
    for role, fed_v in (("pick", False), ("pick", True), ("route", True)):
        program, fed = pooling(role, dtype, fed_v, sizes, strides, same)
        check(program, (), fed, compiled=dtype == "float32" and (same or fed_v))


@pytest.mark.parametrize("role", ["pick", "route"])
def test_four_cells_each_in_one_window_have_kernels_of_their_own(role: str) -> None:
    program, fed = pooling(role, "float32", role == "route", (2, 2), (2, 2), True, (4, 6))
    made = check(program, (), fed)
    assert ("pool_max_4" if role == "pick" else "pool_route_4") in made.source


@pytest.mark.parametrize("extents", [(5, 6), (4, 6)])
def test_nan_is_the_greatest(extents: tuple) -> None:
    program, (x,) = pooling("pick", "float32", False, (2, 2), (2, 2), True, extents)
    x[:, ::2, ::2] = np.nan
    made = check(program, (), [x])
    assert np.isnan(made.bind()(x)[0]).all()


def test_a_window_outside_picks_nothing() -> None:
    w = Writer()
    x = w.input("n", 2, 3)
    out = w._add("t", "float32", ("n", 3, 3))
    w.statements.append(Pool(out, "pick", x, x, (Window(1, 2),)))
    program = w.done(out)
    made = check(program, (), [-np.ones((2, 2, 3), np.float32)])
    assert made.bind()(-np.ones((1, 2, 3), np.float32))[0][0, :, 0].tolist() == [-1, 0, 0]


# ---------------------------------------------------------------- laws
@pytest.mark.parametrize("wrong", [{"windows": ()}, {"windows": (Window(2), Window(3))}, {"depthwise": True}, {"role": "x"}])
def test_what_does_not_fit_is_refused(wrong: dict) -> None:
    program, _ = convolution("y", 3, *CASES["3 x 3"])
    with pytest.raises(ProgramError):
        verify(replace(program, statements=(replace(program.statements[0], **wrong),)))


def test_images_stay_in_the_cache() -> None:
    """A block of images goes through convolution, bias, relu and pooling; a dense product has blocks of its own."""
    w = Writer()
    x, k, b, d = w.input("n", 16, 16, 8), w.input(3, 3, 8, 16), w.input(16), w.input(1024, 100)
    y = w._add("t", "float32", ("n", 16, 16, 16))
    w.statements.append(Conv(y, "y", x, k, (Window(3, before=1), Window(3, before=1))))
    z = w.map(lambda g, a, c: g.apply("relu", g.apply("add", a, c)), y, b)
    p = w._add("t", "float32", ("n", 8, 8, 16))
    w.statements.append(Pool(p, "pick", z, z, (Window(2, 2), Window(2, 2))))
    flat = w._add("t", "float32", ("n", 1024))
    w.statements.append(ir.Reshape(flat, p))
    program = w.done(w.matmul(flat, d))
    made = check(program, (), [rng.standard_normal(s).astype(np.float32) / 8 for s in ((70, 16, 16, 8), (3, 3, 8, 16), (16,), (1024, 100))])
    phases = [plan for plan in made.report.plans if plan.phase.kind == "rows"]
    assert [len(plan.phase.members) for plan in phases] == [3, 1] and phases[0].block < phases[1].block
    assert {made.report.memory.homes[n].kind for n in (y, z)} == {"tile"}
