"""Graphs as JSON: every operation comes back with its meaning, and nothing but a sound record is taken.

Law of this file: a graph is rebuilt in a graph of its own and held against the first, names and values; damage is done
to the text, piece by piece.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as tf
from symgraph import record
from symgraph.builders import BUILDERS, Builder
from symgraph.dtypes import DType


def rebuilt(graph: tf.Graph, scope: str | None = None) -> tf.Graph:
    new = tf.Graph()
    record.build_graph(record.loads(record.dumps(graph)), new, scope)
    return new


def named(graph: tf.Graph, tensors: Any) -> list[tf.Tensor]:
    return [graph.get_tensor_by_name(t.name) for t in tensors]


# ---------------------------------------------------------------- every operation
def test_every_operation_comes_back() -> None:
    """Each row of the table of operations, its gradients too: same names, same bits, with known and unknown shapes."""
    op_table, op_cases = pytest.importorskip("tests.train.op_table"), pytest.importorskip("tests.train.op_cases")
    built: dict[str, tuple] = {}
    for row in op_table.table():
        case = next(op_cases.cases(row))
        for known in (True, False):
            arrays = case.arrays()
            inputs = [tf.placeholder(a.dtype, a.shape if known else [None] * a.ndim) for a in arrays]
            try:
                outputs = op_cases.as_list(row.build(*inputs))
            except (ValueError, TypeError):
                assert not known  # some need to know an extent
                continue
            floats = [x for x in inputs if x.dtype.is_floating]
            if case.dtype in op_cases.FLOATS and row.gradient == "yes":
                outputs += [g for g in tf.gradients([o for o in outputs if o.dtype.is_floating], floats) if g is not None]
            built[row.name] = inputs, outputs, arrays
    graph = tf.get_default_graph()
    new = rebuilt(graph)
    assert [op.name for op in new.get_operations()] == [op.name for op in graph.get_operations()]
    assert record.dumps(new) == record.dumps(graph)
    for name, (inputs, outputs, arrays) in built.items():
        after, before = tf.function(named(new, inputs), named(new, outputs))(*arrays), tf.function(inputs, outputs)(*arrays)
        for mine, theirs in zip(after, before, strict=True):
            assert mine.dtype == theirs.dtype, name
            assert np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f"), name
    assert len(built) > 150


# ---------------------------------------------------------------- the rest of a graph
def program() -> None:
    """A little of everything, in the default graph."""
    tf.set_random_seed(5)
    x = tf.placeholder(tf.float32, (None, 3), name="x")
    y = tf.placeholder(tf.float32, name="y")
    with tf.variable_scope("layer"):
        w = tf.get_variable("w", [3, 2], regularizer=tf.l2_regularizer(0.1))
    b = tf.Variable(np.zeros(2), name="b", trainable=False)
    with tf.name_scope("loss"):
        h = tf.matmul(x, w) + tf.cast(b, tf.float32) + tf.random_normal([2], seed=3)
        loss = tf.reduce_mean(tf.square(h[:, ::-1] - y[..., tf.newaxis, :]), name="mse")
    with tf.control_dependencies([loss]):
        tf.identity(h, name="after")
    tf.unstack(tf.random_shuffle(x), num=3, axis=1, name="columns")
    tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, name="training_op")
    tf.constant([b"text", b"\xff"], name="strings")
    tf.constant([np.inf, -0.0, np.nan], name="odd")
    for item in (w, loss, loss.op, "a name", 3, 2.5, None, float("inf"), ("x", [1, {"k": b"v"}]), np.float32(7), tf.int32):
        tf.add_to_collection("mine", item)


def test_the_whole_record_comes_back() -> None:
    program()
    graph = tf.get_default_graph()
    new = rebuilt(graph)
    for old, op in zip(graph.get_operations(), new.get_operations(), strict=True):
        assert (op.type, op.name, op.site[1]) == (old.type, old.name, old.site[1])
        assert [t.name for t in op.inputs] == [t.name for t in old.inputs]
        assert [c.name for c in op.control_inputs] == [c.name for c in old.control_inputs]
        assert [repr(t) for t in op.outputs] == [repr(t) for t in old.outputs]
        assert [k for k in op.attrs if k[0] != "_"] == [k for k in old.attrs if k[0] != "_"]
    assert (new.seed, new.counted, new._taken) == (graph.seed, graph.counted, graph._taken)
    w, loss, op, *rest = new.get_collection("mine")
    assert isinstance(w, tf.Variable)
    assert (w.name, loss.name, op.name) == ("layer/w:0", "loss/mse:0", "loss/mse")
    assert rest == ["a name", 3, 2.5, None, float("inf"), ("x", [1, {"k": b"v"}]), 7, tf.int32]
    assert [v.name for v in new.get_collection("variables")] == ["layer/w:0", "b:0", "layer/w/Momentum:0"]
    assert new.get_collection("trainable_variables") == [w]
    assert [t.name for t in new.get_collection("regularization_losses")] == [t.name for t in graph.get_collection("regularization_losses")]
    assert new.get_collection("train_op") == [new.get_operation_by_name("training_op")]


def test_names_and_seeds_go_on() -> None:
    program()
    graph = tf.get_default_graph()
    new = rebuilt(graph)
    for g in (graph, new):
        with g.as_default():
            with tf.name_scope("loss"):
                t = tf.random_uniform([])
            assert t.name == "loss_1/random_uniform:0"
            assert tf.Variable(1.0).name == "Variable:0"
            assert tf.get_seed(None) == (5, g.counted)
    assert [op.attrs.get("seed") for op in graph.get_operations()] == [op.attrs.get("seed") for op in new.get_operations()]


def test_inside_a_scope() -> None:
    program()
    graph = tf.get_default_graph()
    new = rebuilt(graph, "old")
    assert {op.name for op in new.get_operations()} == {f"old/{op.name}" for op in graph.get_operations()}
    assert str(new.get_tensor_by_name("old/x:0").extents[0]) == "old/x.shape[0]"
    with new.as_default():
        assert tf.constant(1.0, name="x").name == "x:0"
        with tf.name_scope("old"):
            assert tf.constant(1.0, name="x").name == "old_1/x:0"
    twice = rebuilt(graph, "old")
    record.build_graph(record.loads(record.dumps(graph)), twice, "old")
    assert twice.get_operation_by_name("old_1/training_op")


def test_beside_operations_of_the_same_names() -> None:
    tf.placeholder(tf.float32, (None,), name="x")
    v = tf.Variable([1.0, 2.0], name="v")
    tf.reduce_sum(v * 3, name="sum")
    graph = tf.get_default_graph()
    imported = record.build_graph(record.loads(record.dumps(graph)), graph)
    assert imported.variables["v"].name == "v_1:0"
    assert imported.operations["x"].name == "x_1"
    assert str(imported.operations["x"].outputs[0].extents[0]) == "x_1.shape[0]"
    assert imported.operations["sum"].inputs[0].op is imported.operations["mul"]
    with tf.Session() as sess:
        sess.run(imported.variables["v"].initializer)
        assert sess.run("sum_1:0") == 9


def test_items_that_cannot_be_stored_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    for item in (1, lambda: 0, 2):
        tf.add_to_collection("mixed", item)
    assert rebuilt(tf.get_default_graph()).get_collection("mixed") == [1, 2]
    assert "collection 'mixed'" in caplog.text


def test_attributes_that_cannot_be_stored() -> None:
    op = tf.no_op(name="odd")
    op.attrs["f"] = print
    with pytest.raises(ValueError, match=r"NoOp 'odd' cannot be stored: its attribute 'f': a builtin_function"):
        record.dumps(tf.get_default_graph())


def test_finalized() -> None:
    graph = tf.Graph()
    graph.finalize()
    with pytest.raises(RuntimeError, match="finalized"):
        record.build_graph(record.loads(record.dumps(tf.Graph())), graph)


def test_ten_thousand_operations() -> None:
    t = tf.placeholder(tf.float32, (None, 4))
    for _ in range(5000):
        t = tf.tanh(t) + t
    start = time.perf_counter()
    assert len(rebuilt(tf.get_default_graph()).get_operations()) == 10001
    assert time.perf_counter() - start < 10


# ---------------------------------------------------------------- values
def carried(attrs: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The attributes after a way through the text, and the text; of an operation type that takes any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUILDERS, "Carrier", Builder(lambda context, op: None, contextual=True))
        graph = tf.Graph()
        graph.add("Carrier", (), attrs)
        return rebuilt(graph).get_operation_by_name("Carrier").attrs, record.dumps(graph)


_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.just(...), st.sampled_from([tf.int8, tf.string])
)
_values = st.recursive(
    _scalars,
    lambda v: st.lists(v) | st.lists(v).map(tuple) | st.dictionaries(st.text() | st.integers(), v) | st.builds(slice, v, v, v),
    max_leaves=8,
)
_dtypes = st.sampled_from([np.bool_, np.int8, np.uint8, np.int16, np.int32, np.int64, np.float32, np.float64])


def alike(a: Any, b: Any) -> bool:
    if isinstance(a, slice) and isinstance(b, slice):
        return alike((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return type(a) is type(b) and alike(list(a.items()), list(b.items()))
    if isinstance(a, float):
        return type(b) is float and np.array(a).tobytes() == np.array(b).tobytes() or a != a and b != b
    return type(a) is type(b) and a == b


@settings(max_examples=150, deadline=None)
@given(_values)
def test_attributes(value: Any) -> None:
    attrs, _ = carried({"value": value})
    assert alike(attrs["value"], value)


@settings(max_examples=60, deadline=None)
@given(_dtypes, st.lists(st.integers(0, 3), max_size=3), st.binary(min_size=216, max_size=216), st.booleans())
def test_arrays(dtype: type, shape: list[int], raw: bytes, equal: bool) -> None:
    words = np.frombuffer(raw, np.uint8)[: 27 * np.dtype(dtype).itemsize]
    flat = words % 2 == 1 if dtype is np.bool_ else words.view(dtype)
    a = np.resize(flat[:1] if equal else flat, shape)
    attrs, text = carried({"a": a, "n": flat[0]})
    assert (attrs["a"].dtype, attrs["a"].shape, attrs["a"].tobytes()) == (a.dtype, a.shape, a.tobytes())
    assert type(attrs["n"]) is type(flat[0])
    assert attrs["n"].tobytes() == flat[0].tobytes()
    assert "fill" in text or not equal or a.size < 2


def test_a_large_constant_of_equal_elements_is_small() -> None:
    tf.constant(np.zeros((1000, 1000), np.float32))
    assert len(record.dumps(tf.get_default_graph())) < 1000


# ---------------------------------------------------------------- damage
def stored() -> dict:
    program()
    document = record.loads(record.dumps(tf.get_default_graph()))
    tf.reset_default_graph()
    return document


def operation(document: dict, name: str) -> dict:
    return next(o for o in document["operations"] if o["name"] == name)


def _cycle(d: dict) -> None:
    operation(d, "loss/MatMul")["inputs"][0] = "loss/mse:0"


DAMAGE: dict[str, tuple[Callable[[dict], Any], str]] = {
    "cycle": (_cycle, r"operation 'loss/MatMul' \('MatMul'\): 'loss/mse' is no operation that stands before it"),
    "name twice": (lambda d: operation(d, "after").update(name="x"), r"operation 'x' \('Identity'\): the name occurs twice"),
    "illegal name": (lambda d: operation(d, "after").update(name="a b"), "'a b'.*no name for an operation"),
    "unknown type": (lambda d: operation(d, "after").update(type="Quine"), r"does not have: Quine \('after'\)"),
    "no such output": (lambda d: operation(d, "after").update(inputs=["x:1"]), "'x:1' is no tensor: 'x' has 1 outputs"),
    "no such control": (lambda d: operation(d, "after").update(control=["zz"]), "'zz' is no operation"),
    "private attribute": (lambda d: operation(d, "x")["attrs"].update(_node=1), "are never stored"),
    "unknown attribute": (lambda d: operation(d, "loss/MatMul")["attrs"].update(color=1), "'loss/MatMul'.*color"),
    "no attribute": (lambda d: operation(d, "x")["attrs"].pop("dtype"), "'x'.*'dtype' is missing"),
    "unknown dtype": (lambda d: operation(d, "x")["attrs"].update(dtype={"dtype": "float1"}), "'x'.*float1"),
    "no dtype": (lambda d: operation(d, "x")["attrs"].update(dtype="float32"), "'x'.*is no dtype"),
    "a shape that does not fit": (
        lambda d: operation(d, "x")["attrs"].update(shape={"tuple": [4, 4]}),
        "'loss/MatMul'.*Dimensions must be equal",
    ),
    "not base64": (lambda d: operation(d, "odd")["attrs"]["value"]["array"].update(data="!"), "'odd'"),
    "too few bytes": (lambda d: operation(d, "odd")["attrs"]["value"]["array"].update(data="AAAA"), "'odd'"),
    "objects": (lambda d: operation(d, "odd")["attrs"]["value"]["array"].update(dtype="|O8"), "no array has the dtype"),
    "unknown tag": (lambda d: operation(d, "odd")["attrs"].update(value={"eval": "1"}), "no value is written as"),
    "writes a constant": (lambda d: operation(d, "loss/MatMul")["attrs"].update(writes=1), "it writes 1 variables"),
    "no seeds": (lambda d: operation(d, "RandomShuffle")["attrs"].update(seed={"tuple": [1, "x"]}), "'RandomShuffle'"),
    "no variable": (lambda d: d["variables"]["b"].update(initializer="x"), "variable 'b'.*do not make a variable"),
    "no collection": (lambda d: d["collections"].update(mine=3), "collection 'mine'"),
    "no operations": (lambda d: d.pop("operations"), "'operations' is missing"),
    "counts": (lambda d: d["names"].update(x=-1), "the counts"),
    "seed": (lambda d: d.update(seed="five"), "no seed"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damage(how: str) -> None:
    document = stored()
    change, words = DAMAGE[how]
    change(document)
    with pytest.raises(ValueError, match=words) as caught:
        record.build_graph(document, tf.get_default_graph(), source="my.meta")
    assert str(caught.value).startswith("my.meta is damaged or was not written by symgraph")
    assert_untouched()


def assert_untouched() -> None:
    g = tf.get_default_graph()
    assert (g.get_operations(), g._taken, g.counted, g.seed) == ([], {}, 0, None)
    assert not any(g._collections.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a stored graph"),
        ("[1]", "does not say that its format"),
        ('{"format": "other", "version": 1}', "does not say that its format"),
        ("[" * 100_000, "not a stored graph, or is damaged"),
        ('{"format": "symgraph graph", "version": 2}', "written by a newer symgraph: its format is 2, this one reads up to 1"),
        ('{"format": "symgraph graph", "version": "2"}', "does not say"),
    ],
)
def test_not_a_graph(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        record.loads(text)


def places(v: Any, path: tuple = ()) -> list[tuple]:
    inner = list(v.items()) if isinstance(v, dict) else list(enumerate(v)) if isinstance(v, list) else []
    return [path, *(p for k, x in inner for p in places(x, (*path, k)))]


def test_random_damage_is_a_value_error() -> None:
    """Any piece replaced by any other kind of piece: a ValueError and no trace, or a graph (not every change is damage)."""
    text = json.dumps(stored())
    rng = np.random.default_rng(0)
    everywhere = places(json.loads(text))[1:]
    pieces: list[Any] = [
        None,
        -1,
        10**30,
        1.5,
        "x",
        "x:0",
        [],
        {},
        True,
        ["x"],
        {"tuple": 3},
        {"tensor": "x:0"},
        {"slice": [1]},
        {"dict": [1]},
    ]
    refused = 0
    for k in rng.choice(len(everywhere), 300, replace=False):
        document = json.loads(text)
        *path, last = everywhere[k]
        inner: Any = document
        for step in path:
            inner = inner[step]
        inner[last] = pieces[rng.integers(len(pieces))]
        tf.reset_default_graph()
        try:
            record.build_graph(document, tf.get_default_graph())
        except ValueError:
            refused += 1
            assert_untouched()
    assert refused > 200


def test_dtypes_are_the_one_object() -> None:
    tf.constant(1.0, name="c")
    assert rebuilt(tf.get_default_graph()).get_operation_by_name("c").attrs["dtype"] is tf.float32
    assert isinstance(tf.float32, DType)
