"""Every operation on every pattern: values against NumPy, derivatives against differences, three routes against each other.

Law of this file: what is tried stands in `op_table` and `edge_table`; here is only how.  Each test counts the checks it
made and holds the count against what the table says, and the table's own size is written here as numbers, so nothing
is skipped in silence.  Numba is by far the dearest route (6 ms a line and more), so it gets a choice of the cases in which
operations, dtypes and pattern classes take turns; plain Python runs the same generated source on far more of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import symgraph as sg
from symgraph import config
from symgraph.arithmetic import Arithmetic
from tests.train import op_table
from tests.train.edge_table import EDGES, Edge
from tests.train.op_cases import FLOATS, INTS, NONE, SQUARE, Case, Row, as_list, cases

Arrays = list[np.ndarray]
EXACT = {"float32": 2e-6, "float64": 2e-14}
"""Relative to the largest element of the result; a row's `loose` multiplies it."""
BATCH = 4
"""Cases in one kernel: Numba's time grows faster than the length of a function (6 ms a line at 50 lines, 39 at 1100)."""
ROWS = op_table.table()


# ---------------------------------------------------------------- building
@dataclass
class Built:
    """A case in the default graph: what is fed, what comes out, and d sum(w * outputs) / d operand where there is one."""

    case: Case
    inputs: list[sg.Tensor]
    arrays: Arrays
    outputs: list[sg.Tensor]
    operands: list[int]
    gradients: list[sg.Tensor | None]
    weights: Arrays

    @property
    def computed(self) -> list[sg.Tensor]:
        return [*self.outputs, *(g for g in self.gradients if g is not None)]


def build(case: Case, known: bool = True) -> Built:
    """The case as tensors; with `known=False` every extent is None until it is fed."""
    arrays = case.arrays()
    inputs = [sg.placeholder(a.dtype, a.shape if known else [None] * a.ndim) for a in arrays]
    outputs = as_list(case.row.build(*inputs))
    if not case.differentiable:
        return Built(case, inputs, arrays, outputs, [], [], [])
    weights = case.weights()
    factors = [sg.constant(w) if known else sg.placeholder(w.dtype, [None] * w.ndim) for w in weights]
    loss = sg.add_n([sg.reduce_sum(y * w) for y, w in zip(outputs, factors, strict=True)])
    operands = [k for k, a in enumerate(arrays) if a.dtype.kind == "f"]
    found = sg.gradients(loss, [inputs[k] for k in operands])
    if not known:
        inputs, arrays = inputs + factors, arrays + weights
    return Built(case, inputs, arrays, outputs, operands, found, weights)


DEVICES = {
    "cuda": {"SYMGRAPH_DEVICE": "cuda", "SYMGRAPH_BACKEND": "numba"},
    "blocks": {"SYMGRAPH_DEVICE": "cuda", "SYMGRAPH_BACKEND": "python"},
}
"""Ways that lead to a device: Numba's, or blocks of lanes that Python's threads play."""


def run(way: str, inputs: Sequence[sg.Tensor], outputs: Sequence[sg.Tensor], arrays: Sequence[np.ndarray]) -> Arrays:
    with config.override(**DEVICES.get(way, {"SYMGRAPH_BACKEND": way})):
        f = sg.function(inputs, list(outputs))
        found = f(*arrays)
        assert way not in DEVICES or "/device:GPU" in f.explain(), "it was interpreted"
        return found


def by_name(rows: Sequence[Row]) -> list[Any]:
    return [pytest.param(row, id=row.name.replace(" ", "_")) for row in rows]


# ---------------------------------------------------------------- comparing
def same(what: str, got: Any, wanted: Any, loose: float = 1.0) -> None:
    """Equal dtype and shape; elements equal up to rounding, relative to the largest of them."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.dtype == wanted.dtype, f"{what}: dtype {got.dtype}, wanted {wanted.dtype}"
    assert got.shape == wanted.shape, f"{what}: shape {got.shape}, wanted {wanted.shape}"
    if wanted.dtype.kind != "f":
        assert np.array_equal(got, wanted), f"{what}:\n{got}\nwanted\n{wanted}"
        return
    finite = np.abs(wanted[np.isfinite(wanted)])
    tolerance = loose * EXACT[wanted.dtype.name] * max(1e-3, float(finite.max(initial=0)))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance, equal_nan=True, err_msg=what)


def close(what: str, value: Any, slope: np.ndarray, loose: float = 1.0) -> None:
    """A derivative against differences."""
    np.testing.assert_allclose(value, slope, rtol=1e-5 * loose, atol=2e-6 * loose * max(1.0, np.abs(slope).max(initial=0)), err_msg=what)


def differences(case: Case, arrays: Arrays, weights: Arrays, k: int) -> np.ndarray:
    """d sum(w * numpy(x)) / d x_k by central differences in float64."""
    x = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    slope = np.zeros(x[k].shape)

    def value(at: tuple[int, ...], step: float) -> float:
        moved = [a.copy() if j == k else a for j, a in enumerate(x)]
        moved[k][at] += step
        return sum(float(np.sum(w * v)) for w, v in zip(weights, case.expected(moved, real=True), strict=True))

    for at in np.ndindex(x[k].shape):
        h = 1e-6 * max(1.0, abs(float(x[k][at])))
        slope[at] = (value(at, h) - value(at, -h)) / (2 * h)
    return slope


# ---------------------------------------------------------------- value and gradient
@pytest.mark.parametrize("row", by_name(ROWS))
def test_values_and_gradients(row: Row) -> None:
    checks = 0
    for case in cases(row):
        sg.reset_default_graph()
        b = build(case)
        for y, w in zip(b.outputs, case.expected(b.arrays), strict=True):
            assert y.dtype.name == w.dtype.name, f"{case.name}: the tensor says {y.dtype.name}"
            assert y.get_shape().as_list() == list(w.shape), f"{case.name}: the tensor says {y.get_shape()}, wanted {w.shape}"
        checks += judge(b, run("reference", b.inputs, b.computed, b.arrays))
    assert checks == sum(map(planned, cases(row)))


def judge(b: Built, got: Sequence[Any]) -> int:
    """Values against NumPy, gradients against differences; how many comparisons were made."""
    case, row, checks = b.case, b.case.row, 0
    x = b.arrays[: len(case.shapes)]
    wanted = case.expected(x)
    for v, w in zip(got[: len(b.outputs)], wanted, strict=True):
        same(case.name, v, w, row.loose)
        checks += 1
    found = iter(got[len(wanted) :])
    for k, g in zip(b.operands, b.gradients, strict=True):
        what = f"{case.name}: d/d operand {k}"
        checks += 1
        if row.gradient == "none":
            assert g is None or not np.any(next(found)), f"{what} is not zero"
            continue
        assert g is not None, f"{what} is missing"
        value = np.asarray(next(found))
        assert (value.shape, value.dtype) == (x[k].shape, x[k].dtype), what
        close(what, value, differences(case, x, b.weights, k), 1.0 if case.dtype == "float64" else 50.0)
    return checks


def planned(case: Case) -> int:
    """How many comparisons `judge` makes."""
    arrays = case.arrays()
    return len(case.expected(arrays)) + case.differentiable * sum(a.dtype.kind == "f" for a in arrays)


# ---------------------------------------------------------------- second derivatives
CURVED = [row for row in ROWS if row.gradient == "yes" and row.twice and row.dtypes == FLOATS]


@pytest.mark.parametrize("row", by_name(CURVED))
def test_second_derivatives(row: Row) -> None:
    """Hessian-vector products against differences of the gradient along the vector."""
    checks = 0
    for case in cases(row):
        if case.dtype == "float64" and case.first:
            sg.reset_default_graph()
            checks += judge_twice(build(case))
    assert checks == sum(a.dtype.kind == "f" for case in cases(row) if case.dtype == "float64" and case.first for a in case.arrays())


def judge_twice(b: Built) -> int:
    rng = np.random.default_rng(11)
    vectors = [rng.uniform(-1, 1, b.arrays[k].shape) for k in b.operands]
    gradients = [g for g in b.gradients if g is not None]
    along = sg.add_n([sg.reduce_sum(g * v) for g, v in zip(gradients, vectors, strict=True)])
    products = sg.gradients(along, [b.inputs[k] for k in b.operands])
    got = iter(run("reference", b.inputs, [p for p in products if p is not None], b.arrays))
    h = 1e-5
    sides = []
    with config.override(SYMGRAPH_BACKEND="reference"):
        gradient = sg.function(b.inputs, gradients)
        for step in (h, -h):
            x = list(b.arrays)
            for k, v in zip(b.operands, vectors, strict=True):
                x[k] = x[k] + step * v
            sides.append(gradient(*x))
    for k, p, after, before in zip(b.operands, products, *sides, strict=True):
        difference = (np.asarray(after) - before) / (2 * h)
        close(f"{b.case.name}: Hessian, operand {k}", np.zeros_like(difference) if p is None else next(got), difference)
    return len(b.operands)


# ---------------------------------------------------------------- sizes known when fed
OPEN = [row for row in ROWS if row.shapes != NONE and not op_table.needs_sizes(row)]


def unknown_dtype(row: Row) -> str:
    return {FLOATS: "float64", (): "int32"}.get(row.dtypes, "bool")


@pytest.mark.parametrize("row", by_name(OPEN))
def test_unknown_sizes(row: Row) -> None:
    """One function for all shapes of one rank: nothing but None is known when it is made."""
    unknown_sizes(row, "reference")


@pytest.mark.parametrize("row", by_name(OPEN[::4]))
def test_unknown_sizes_as_plain_python(row: Row) -> None:
    unknown_sizes(row, "python")


def unknown_sizes(row: Row, way: str) -> None:
    tried = [case for case in cases(row) if case.dtype == unknown_dtype(row)]
    groups: dict[tuple, list[Case]] = {}
    for case in tried:
        groups.setdefault(tuple(map(len, case.shapes)), []).append(case)
    checks = 0
    for group in groups.values():
        sg.reset_default_graph()
        made = build(group[0], known=False)
        with config.override(SYMGRAPH_BACKEND=way):
            f = sg.function(made.inputs, made.computed)
            for case in group:
                arrays, weights = case.arrays(), case.weights() if made.weights else []
                fed = Built(case, made.inputs, arrays + weights, made.outputs, made.operands, made.gradients, weights)
                checks += judge(fed, f(*fed.arrays))
    assert checks == sum(map(planned, tried))


# ---------------------------------------------------------------- edges
@dataclass(frozen=True, eq=False)
class Probe:
    """An edge at one dtype."""

    edge: Edge
    dtype: str

    def build(self) -> tuple[list[sg.Tensor], Arrays, list[sg.Tensor], Arrays, list[str]]:
        """(fed tensors, their values, what is computed, what that must be, what it is called)."""
        edge, name = self.edge, f"{self.edge.label} {self.dtype}"
        arrays = [np.asarray(v, self.dtype) for v in edge.operands]
        inputs = [sg.placeholder(a.dtype, a.shape) for a in arrays]
        y = edge.build(*inputs)
        outputs, wanted, names = [y], [np.asarray(edge.value, edge.result or self.dtype)], [name]
        if edge.gradients:
            found = sg.gradients(y, inputs)
            outputs += [sg.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]
            wanted += [np.asarray(g, self.dtype) for g in edge.gradients]
            names += [f"{name}: d/d operand {k}" for k in range(len(inputs))]
        return inputs, arrays, outputs, wanted, names


PROBES = [Probe(edge, dtype) for edge in EDGES for dtype in edge.dtypes]
SOME = [
    Probe(edge, dtype)
    for turn, edge in enumerate(EDGES)
    for k, dtype in enumerate(edge.dtypes)
    if (turn + k) % min(2, len(edge.dtypes)) == 0
]


@pytest.mark.parametrize(("way", "probes", "size"), [("reference", PROBES, 400), ("python", PROBES, 400), ("numba", SOME, 12)])
def test_edges(way: str, probes: list[Probe], size: int) -> None:
    """Every edge; Numba gets one of the two float dtypes of each, in turn."""
    checks, complaints = 0, []
    for k in range(0, len(probes), size):
        sg.reset_default_graph()
        built = [probe.build() for probe in probes[k : k + size]]
        inputs, arrays, outputs, wanted, names = ([v for b in built for v in b[part]] for part in range(5))
        for name, g, w in zip(names, run(way, inputs, outputs, arrays), wanted, strict=True):
            checks += 1
            try:
                same(name, g, w, 4)
            except AssertionError as e:
                complaints.append(str(e))
    assert not complaints, "\n".join(complaints)
    assert checks == sum(1 + len(p.edge.gradients) for p in probes)


@pytest.mark.parametrize("way", ["reference", "python", "numba"])
def test_indices_past_what_is_fed(way: str) -> None:
    """An index into an axis of unknown extent is judged when the extent is known: never a read past the end."""
    x = sg.placeholder(sg.float32, [None])
    with config.override(SYMGRAPH_BACKEND=way):
        for part, index in ((x[4], 4), (x[-4], -4), (sg.gradients(x[5], x)[0], 5)):
            f = sg.function([x], part)
            assert np.sum(f(np.ones(6, np.float32))) == 1
            with pytest.raises(sg.errors.InvalidArgumentError, match=f"slice index {index} of dimension 0 out of bounds: its extent is 3"):
                f(np.ones(3, np.float32))


# ---------------------------------------------------------------- three routes
def chosen(tried: Sequence[Case]) -> list[Case]:
    """Of each operation and float dtype one case or more: rows and pattern classes take turns.  Python's operators,
    which are names of what is tried already, and the integer dtypes take turns too."""
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in tried:
        groups.setdefault((case.row.op, case.dtype), []).append(case)
    out: list[Case] = []
    for turn, ((op, dtype), group) in enumerate(groups.items()):
        again = op.startswith("operator") and "[]" not in op
        if (
            dtype in INTS
            and (again or (turn + INTS.index(dtype)) % 3)
            or dtype in FLOATS
            and again
            and (turn // 2 + FLOATS.index(dtype)) % 2
        ):
            continue
        rows = list(dict.fromkeys(case.row for case in group))
        count = max(1, len(rows) // 4) + (dtype == "float64" and not again and turn % 4 < 2)
        for k in range(count):
            mine = [case for case in group if case.row is rows[(turn + k * max(1, len(rows) // count)) % len(rows)]]
            out.append(mine[(turn + k) % len(mine)])
    seen = {(case.pattern, case.dtype) for case in out}
    for case in tried:  # a pattern class whose turn did not come
        if case.dtype in FLOATS and (case.pattern, case.dtype) not in seen:
            seen.add((case.pattern, case.dtype))
            out.append(case)
    return list(dict.fromkeys(out))


FIRST = [case for row in ROWS for case in cases(row) if case.first]
CHOSEN = chosen(FIRST)
OPENED = [
    case for case in CHOSEN if case.row in OPEN and case.dtype == "float64" and case.differentiable and case.row.shapes is not SQUARE
][::6]
"""Without dense algebra, whose routines take all sizes as arguments in any case and cost 5 s each to compile."""


def batches(tried: Sequence[Case], size: int) -> list[Any]:
    parts = [tried[k : k + size] for k in range(0, len(tried), size)]
    return [pytest.param(part, id=f"{part[0].row.op}_to_{part[-1].row.op}".replace(" ", "_")) for part in parts]


@pytest.mark.parametrize("tried", batches(FIRST, 50))
def test_generated_source_as_plain_python(tried: list[Case]) -> None:
    compare("python", [build(case) for case in tried])


@pytest.mark.parametrize("tried", batches(CHOSEN, BATCH))
def test_numba(tried: list[Case]) -> None:
    compare("numba", [build(case) for case in tried])


@pytest.mark.parametrize("tried", batches(OPENED, BATCH))
def test_numba_with_unknown_sizes(tried: list[Case]) -> None:
    compare("numba", [build(case, known=False) for case in tried])


def compare(way: str, built: Sequence[Built]) -> None:
    """All cases as one program, by another route and by the interpreter."""
    inputs, arrays, outputs = ([v for b in built for v in getattr(b, what)] for what in ("inputs", "arrays", "computed"))
    names = [
        (f"{way}: {b.case.name} output {k}", b.case.row.loose * (2 if k < len(b.outputs) else 10))
        for b in built
        for k in range(len(b.computed))
    ]
    wanted, got = run("reference", inputs, outputs, arrays), run(way, inputs, outputs, arrays)
    for (name, loose), g, w in zip(names, got, wanted, strict=True):
        same(name, g, w, loose)


# ---------------------------------------------------------------- the table itself
def test_every_operation_has_a_row() -> None:
    """Every function of the operation modules that symgraph exports stands in the table, under one of its names."""
    known = {id(op_table.attribute(row.op)) for row in ROWS if not row.op.startswith("operator")}
    spaces = {"": sg, **{f"{n}.": v for n, v in vars(sg).items() if type(v) is type(sg.linalg)}}
    missing = {
        prefix + name
        for prefix, space in spaces.items()
        for name, value in vars(space).items()
        if callable(value) and id(value) not in known and op_table.has_values(value) and not name.startswith("_")
    }
    elsewhere = {
        "placeholder",
        "placeholder_with_default",
        "from_sympy",
        "elementwise",
    }  # every check feeds the first; sympy's doors are tested in tests/formula
    elsewhere |= {"bitcast", "broadcast_static_shape", "to_bfloat16"}  # no values: tests/graph/test_arrays.py
    assert missing == elsewhere, f"operations without a row: {sorted(missing - elsewhere)}"


def test_every_operator_has_a_row() -> None:
    tried = {row.op for row in ROWS}
    signs = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@"}
    signs |= {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&", "or": "|", "xor": "^", "invert": "~", "getitem": "[]"}
    others = {"stack", "html"}  # a list of tensors; a picture in a notebook
    assert not {f"operator {signs.get(name, name)}" for name in Arithmetic.operators if name not in others} - tried


def test_how_much_is_tried() -> None:
    """At least so many rows, cases and checks: a table that shrinks is noticed."""
    every = [case for row in ROWS for case in cases(row)]
    assert len(ROWS) >= 638 and len(every) >= 12758 and sum(map(planned, every)) >= 21446
    assert len(CURVED) >= 415 and len(OPEN) >= 507 and len(FIRST) >= 5720 and len(CHOSEN) >= 555 and len(OPENED) >= 30
    assert len(EDGES) >= 122 and len(PROBES) >= 256 and len(SOME) >= 137
    patterns = {case.pattern for case in every} - {"none"}
    assert {(case.pattern, case.dtype) for case in CHOSEN} >= {(p, d) for p in patterns for d in FLOATS}
    assert {(case.row.op, case.dtype) for case in CHOSEN} >= {
        (row.op, d) for row in ROWS for d in row.dtypes if not row.op.startswith("operator")
    }
