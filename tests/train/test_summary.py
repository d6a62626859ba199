"""Summaries and event files: names and messages as TF1 has them, files as TensorBoard's own reader sees them."""

from __future__ import annotations

import gc
import io
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgraph as tf
from symgraph import event_writer, summary
from symgraph.codegen import config
from symgraph.graphdef import graph_def

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

KINDS = ("scalars", "histograms", "images", "tensors", "compressedHistograms", "audio")


@pytest.fixture(autouse=True)
def reference_backend() -> Iterator[None]:
    with config.override(SYMGRAPH_BACKEND="reference"):
        yield


def read(folder: Any) -> EventAccumulator:
    """All that TensorBoard finds in a folder."""
    return EventAccumulator(str(folder), size_guidance=dict.fromkeys(KINDS, 0)).Reload()


def run(fetches: Any, feed: dict | None = None) -> Any:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feed)


def message(t: tf.Tensor, feed: dict | None = None) -> Summary:
    fetched = run(t, feed)
    assert type(fetched) is bytes
    return Summary.FromString(fetched)


def program() -> tuple[tf.Tensor, tf.Operation, dict]:
    """The name-scope program on a handful of rows: error, training operation, feed."""
    X, y = tf.placeholder(tf.float32, (None, 3), "X"), tf.placeholder(tf.float32, (None, 1), "y")
    theta = tf.Variable(tf.random_uniform([3, 1], -1.0, 1.0, seed=42), name="theta")
    predictions = tf.matmul(X, theta, name="predictions")
    with tf.name_scope("loss"):
        mse = tf.reduce_mean(tf.square(predictions - y), name="mse")
    step = tf.train.GradientDescentOptimizer(0.01).minimize(mse)
    rng = np.random.default_rng(0)
    return mse, step, {X: rng.standard_normal((5, 3)), y: rng.standard_normal((5, 1))}


# ---------------------------------------------------------------- names and collections
def test_tag_is_the_scoped_name() -> None:
    with tf.name_scope("loss"):
        a = tf.summary.scalar("MSE", 1.0)
        b = tf.summary.scalar("MSE", 2.0)
    assert (a.name, b.name) == ("loss/MSE:0", "loss/MSE_1:0")
    assert str(a) == 'Tensor("loss/MSE:0", shape=(), dtype=string)'
    assert a.op.type == "ScalarSummary"
    assert a.op.inputs[0].name == "loss/MSE/tags:0"
    assert [message(t).value[0].tag for t in (a, b)] == ["loss/MSE", "loss/MSE_1"]


def test_illegal_names_are_changed_and_said(caplog: pytest.LogCaptureFixture) -> None:
    w = tf.Variable([1.0, 2.0], name="W1")
    with caplog.at_level(logging.INFO, "symgraph.tf"):
        t = tf.summary.histogram(w.name, w)
    assert t.op.name == message(t).value[0].tag == "W1_0"
    assert "Summary name W1:0 is illegal; using W1_0 instead." in caplog.text
    assert tf.summary.scalar("/a b?", 1.0).op.name == "a_b_"
    with pytest.raises(TypeError, match="must be a string"):
        tf.summary.scalar(3, 1.0)  # type: ignore[arg-type]


def test_family_stands_before_the_tag() -> None:
    with tf.name_scope("a"):
        t = tf.summary.scalar("x", 1.0, family="group")
    assert t.op.name == "a/group/x"
    assert message(t).value[0].tag == "group/a/group/x"


def test_collections_and_merging() -> None:
    assert tf.summary.merge_all() is None
    with tf.name_scope("a"):
        a = tf.summary.scalar("x", 1.0)
    b = tf.summary.scalar("y", 2.0)
    other = tf.summary.scalar("z", 3.0, collections=["mine"])
    assert tf.get_collection(tf.GraphKeys.SUMMARIES) == [a, b]
    merged = tf.summary.merge_all()
    assert merged.name == "Merge/MergeSummary:0"
    assert [(v.tag, v.simple_value) for v in message(merged).value] == [("a/x", 1.0), ("y", 2.0)]
    assert [v.tag for v in message(tf.summary.merge_all(scope="a/")).value] == ["a/x"]
    assert [v.tag for v in message(tf.summary.merge_all("mine")).value] == ["z"]
    assert [v.tag for v in message(tf.summary.merge([merged, other])).value] == ["a/x", "y", "z"]
    assert tf.get_collection("summaries") == [a, b]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Duplicate tag a/x found in summary inputs"):
        run(tf.summary.merge([a, merged]))
    with pytest.raises(ValueError, match="at least one"):
        tf.summary.merge([])
    with pytest.raises(TypeError, match="not in list of allowed values: string"):
        tf.summary.merge([tf.constant(1.0)])


def test_a_refused_summary_leaves_nothing() -> None:
    before = len(tf.get_default_graph().get_operations())
    refused = [
        lambda: tf.summary.scalar("x", [1.0, 2.0]),
        lambda: tf.summary.scalar("x", True),
        lambda: tf.summary.image("x", np.zeros((2, 3, 4), np.float32)),
        lambda: tf.summary.image("x", np.zeros((1, 2, 3, 2), np.float32)),
        lambda: tf.summary.image("x", np.zeros((1, 2, 3, 3), np.int32)),
        lambda: tf.summary.image("x", np.zeros((1, 2, 3, 3), np.float32), max_outputs=0),
        lambda: tf.summary.text("x", 1.0),
    ]
    for call in refused:
        with pytest.raises((ValueError, TypeError), match="test_summary"):
            call()
    assert len(tf.get_default_graph().get_operations()) == before
    assert tf.summary.merge_all() is None
    assert tf.summary.scalar("x", 1).op.name == "x"


# ---------------------------------------------------------------- values
def test_scalars_of_every_number() -> None:
    for dtype in (np.float32, np.float64, np.int32, np.int64, np.uint8):
        assert message(tf.summary.scalar("x", tf.constant(dtype(7)))).value[0].simple_value == 7.0
    with pytest.raises(ValueError, match=r"tags and values not the same shape: \[\] != \[2\] \(tag 'loss'\)"):
        tf.summary.scalar("loss", tf.constant([1.0, 2.0]))


def test_scalar_of_an_unknown_rank_is_checked_when_it_runs() -> None:
    p = tf.placeholder(tf.float32)
    t = tf.summary.scalar("p", p)
    assert message(t, {p: 2.0}).value[0].simple_value == 2.0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[\] != \[1\] \(tag 'p'\)"):
        run(t, {p: [1.0]})


def test_a_summary_is_fetched_beside_the_step() -> None:
    mse, step, feed = program()
    t = tf.summary.scalar("MSE", mse)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        _, value, made = sess.run([step, mse, t], feed)
        assert Summary.FromString(made).value[0].simple_value == value
        assert Summary.FromString(t.eval(feed)).value[0].simple_value < value


def slow_buckets(values: np.ndarray) -> tuple[list[float], list[float]]:
    """TF1's histogram, element by element."""
    up, v = [], 1e-12
    while v < 1e20:
        up.append(v)
        v *= 1.1
    largest = float(np.finfo(np.float64).max)
    limits = [-largest, *(-u for u in reversed(up)), 0.0, *up, largest]
    counts = [0.0] * len(limits)
    for x in values.ravel():
        counts[next((k for k, limit in enumerate(limits) if limit > x), len(limits) - 1)] += 1
    kept: list[tuple[float, float]] = []
    for limit, count in zip(limits, counts):
        if kept and not kept[-1][1] and not count:
            kept.pop()
        kept.append((limit, count))
    return [limit for limit, _ in kept], [count for _, count in kept]


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).standard_normal((20, 5)),
        np.array([0.0, -0.0, 1e-12, -1e-12, 1e30, -1e30, np.finfo(np.float64).max]),
        np.arange(-3, 4, dtype=np.int32),
        np.zeros(0),
        np.float64(2.5),
    ],
    ids=["normal", "borders", "int", "empty", "one"],
)
def test_histograms_have_the_buckets_of_tf1(values: np.ndarray) -> None:
    h = message(tf.summary.histogram("h", tf.constant(values))).value[0].histo
    limits, counts = slow_buckets(np.asarray(values, np.float64))
    assert list(h.bucket_limit) == limits
    assert list(h.bucket) == counts
    assert (h.num, sum(h.bucket)) == (values.size, values.size)
    if values.size and abs(values).max() < 1e9:
        assert (h.min, h.max) == (values.min(), values.max())
        np.testing.assert_allclose([h.sum, h.sum_squares], [values.sum(), (values.astype(np.float64) ** 2).sum()], rtol=1e-12)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "Nan"), (np.inf, "Infinity")])
def test_histograms_need_finite_values(value: float, word: str) -> None:
    t = tf.summary.histogram("weights", tf.constant([1.0, value]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{word} in summary histogram for: weights"):
        run(t)


def pixels(value: Any) -> np.ndarray:
    Image = pytest.importorskip("PIL.Image")

    with Image.open(io.BytesIO(value.image.encoded_image_string)) as picture:
        found = np.asarray(picture)
    assert (value.image.height, value.image.width) == found.shape[:2]
    return found.reshape(*found.shape[:2], value.image.colorspace)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_bytes_come_back(channels: int) -> None:
    pictures = np.random.default_rng(channels).integers(0, 256, (5, 4, 7, channels), dtype=np.uint8)
    with tf.name_scope("in"):
        made = message(tf.summary.image("batch", pictures)).value
    assert [v.tag for v in made] == [f"in/batch/image/{k}" for k in range(3)]
    for k, v in enumerate(made):
        np.testing.assert_array_equal(pixels(v), pictures[k])


def test_images_of_floats_are_scaled() -> None:
    pictures = np.array([[[0.0, 1.0], [2.0, 4.0]], [[-1.0, 0.0], [0.5, 1.0]], [[0.0, 0.0], [0.0, 0.0]], [[np.nan, 0.0], [1.0, 2.0]]])
    made = message(tf.summary.image("x", pictures[..., None], max_outputs=4)).value
    expected = [[[0, 63], [127, 255]], [[1, 128], [191, 255]], [[0, 0], [0, 0]], [[255, 0], [127, 255]]]
    np.testing.assert_array_equal([pixels(v)[..., 0] for v in made], expected)
    single = message(tf.summary.image("one", np.full((2, 1, 1, 3), np.inf, np.float32), max_outputs=1)).value
    assert [v.tag for v in single] == ["one/image"]
    assert pixels(single[0]).tolist() == [[[255, 0, 0]]]


def test_images_of_unknown_shape_are_checked_when_they_run() -> None:
    p = tf.placeholder(tf.float32)
    t = tf.summary.image("p", p)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"4-D with last dim 1, 3, or 4, not \[2,2\]"):
        run(t, {p: np.zeros((2, 2))})


def test_strings_may_be_fed() -> None:
    p = tf.placeholder(tf.string, (None,), name="p")
    t = tf.summary.text("note", p)
    value = message(t, {p: ["a", b"b"]}).value[0].tensor
    assert (list(value.string_val), value.tensor_shape.dim[0].size) == ([b"a", b"b"], 2)
    assert run(p, {p: ["x"]}).tolist() == [b"x"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value for placeholder tensor 'p'"):
        run(t)
    made = message(tf.summary.merge([t]), {t: Summary(value=[Summary.Value(tag="mine")]).SerializeToString()})
    assert made.value[0].tag == "mine"


# ---------------------------------------------------------------- files
def test_everything_reads_back(tmp_path: Path) -> None:
    mse, step, feed = program()
    theta = tf.global_variables()[0]
    tf.summary.scalar("MSE", mse)
    tf.summary.histogram("theta_values", theta)
    tf.summary.image("picture", tf.reshape(theta, [1, 1, 3, 1]), max_outputs=1)
    tf.summary.text("notes", tf.constant(["one", "two"]))
    merged = tf.summary.merge_all()
    drawn = graph_def(tf.get_default_graph())
    errors = []
    with tf.summary.FileWriter(tmp_path, tf.get_default_graph()) as writer, tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for k in range(50):
            value, made = sess.run([mse, merged], feed)
            errors.append(value)
            writer.add_summary(made, k)
            sess.run(step, feed)
    found = read(tmp_path)
    assert [(e.step, np.float32(e.value)) for e in found.Scalars("MSE")] == list(enumerate(errors))
    assert [e.step for e in found.Histograms("theta_values")] == list(range(50))
    assert len(found.Images("picture/image")) == 50
    (notes,) = found.Tensors("notes")[:1]
    assert list(notes.tensor_proto.string_val) == [b"one", b"two"]
    assert found.summary_metadata["notes"].plugin_data.plugin_name == "text"
    assert found.Graph() == drawn
    (gradients,) = found.Tensors("gradients")
    assert "∂ loss/mse / ∂ theta  =  2/m · Xᵀ(Xθ − y)" in gradients.tensor_proto.string_val[0].decode()


def test_a_file_is_there_at_once_and_a_closed_writer_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    writer = tf.summary.FileWriter(str(folder), filename_suffix=".mine")
    (name,) = [f.name for f in folder.iterdir()]
    assert name.startswith(f"events.out.tfevents.{int(time.time())}"[:-2])
    assert name.endswith(".mine")
    assert writer.get_logdir() == str(folder)
    writer.add_summary(Summary(value=[Summary.Value(tag="a", simple_value=1.0)]), np.int64(3))
    writer.flush()
    assert [(e.step, e.value) for e in read(folder).Scalars("a")] == [(3, 1.0)]
    writer.close()
    writer.close()
    writer.flush()
    with pytest.warns(UserWarning, match="closed FileWriter") as caught:
        writer.add_summary(b"", 4)
    assert caught[0].filename == __file__
    writer.reopen()
    writer.reopen()
    writer.add_session_log(SessionLog(status=SessionLog.START), 5)
    writer.close()
    assert len(list(folder.iterdir())) == 2


def test_a_forgotten_writer_is_completed(tmp_path: Path) -> None:
    writer = tf.summary.FileWriter(tmp_path, flush_secs=1000, max_queue=1000)
    for k in range(20):
        writer.add_summary(Summary(value=[Summary.Value(tag="a", simple_value=k)]), k)
    del writer
    gc.collect()
    assert len(read(tmp_path).Scalars("a")) == 20


def test_the_end_of_a_process_completes_the_file(tmp_path: Path) -> None:
    code = """
import sys, symgraph as tf
writer = tf.summary.FileWriter(sys.argv[1])
with tf.Session() as sess:
    made = sess.run(tf.summary.scalar("a", 2.0))
for k in range(500):
    writer.add_summary(made, k)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120, cwd=Path(__file__).parents[2])
    assert len(read(tmp_path).Scalars("a")) == 500


def test_without_tensorboard_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    summary._messages.cache_clear()
    t = tf.summary.scalar("x", 1.0)
    for call in (lambda: tf.summary.FileWriter(tmp_path), lambda: run(t)):
        with pytest.raises(ImportError, match=r"pip install 'symgraph\[tensorboard\]'"):
            call()


# ---------------------------------------------------------------- graphs, sources, hyper-parameters
def test_graph_has_every_operation_with_edges_and_shapes() -> None:
    program()
    graph = tf.get_default_graph()
    with graph.control_dependencies([graph.get_operation_by_name("GradientDescent")]):
        tf.constant(np.zeros(1000), name="big")
        tf.unstack(tf.constant([[1.0, 2.0]]), axis=1, name="parts")[1] + 1.0
        tf.summary.scalar("MSE", 1.0)
        tf.placeholder(tf.float32, name="anything")
    message = graph_def(graph)
    nodes = {n.name: n for n in message.node}
    assert [n.name for n in message.node] == [op.name for op in graph.get_operations()]
    assert [n.op for n in message.node] == [op.type for op in graph.get_operations()]

    def shapes(name: str) -> list:
        return [None if s.unknown_rank else [d.size for d in s.dim] for s in nodes[name].attr["_output_shapes"].list.shape]

    assert list(nodes["predictions"].input) == ["X", "theta/read"]
    assert shapes("predictions") == [[-1, 1]]
    assert shapes("loss/mse") == [[]]
    assert shapes("anything") == [None]
    assert list(nodes["gradients/SymbolicGradient"].input) == ["loss/mse", "theta"]
    assert list(nodes["GradientDescent"].input) == ["^GradientDescent/update_theta/ApplyGradientDescent"]
    assert list(nodes["add"].input)[:2] == ["parts:1", "add/y"]
    assert "value" not in nodes["big"].attr
    assert nodes["GradientDescent/learning_rate"].attr["value"].tensor.float_val[0] == np.float32(0.01)
    assert nodes["X"].attr["dtype"].type == 1
    assert nodes["MSE/tags"].attr["value"].tensor.string_val[0] == b"MSE"


def test_sources_appear_under_text(tmp_path: Path) -> None:
    mse, step, feed = program()
    with tf.summary.FileWriter(tmp_path) as writer, tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step, feed)
        with config.override(SYMGRAPH_BACKEND="python"):
            function = sess.compiled(mse)
            function(*feed.values())
            writer.add_source("function", function)
        writer.add_source("session", sess, global_step=2)
        with pytest.raises(TypeError, match="a compiled function or a session"):
            writer.add_source("x", mse)  # type: ignore[arg-type]
        source = function.source
    found = read(tmp_path)
    (shown,) = found.Tensors("function")
    assert shown.tensor_proto.string_val[0].decode().replace("\n    ", "\n")[4:] == source.rstrip("\n")
    (shown,) = found.Tensors("session")
    assert shown.step == 2
    assert "predictions" in shown.tensor_proto.string_val[0].decode()


def hparams(folder: Path) -> dict[str, Any]:
    data = HParamsPluginData.FromString(read(folder).summary_metadata["_hparams_/session_start_info"].plugin_data.content)
    values = data.session_start_info.hparams
    return {name: getattr(v, v.WhichOneof("kind")) for name, v in values.items()}


def test_numbers_of_optimizers_appear_under_hparams(tmp_path: Path) -> None:
    mse, _, _ = program()
    tf.summary.FileWriter(tmp_path / "a", tf.get_default_graph()).close()
    assert hparams(tmp_path / "a") == {"optimizer": "GradientDescent", "learning_rate": 0.01}
    tf.train.AdamOptimizer(0.1).minimize(mse)
    found = event_writer.hyper_parameters(tf.get_default_graph())
    assert found["optimizer"] == "GradientDescent, Adam"
    assert (found["GradientDescent/learning_rate"], found["Adam/learning_rate"], found["beta1"]) == (0.01, 0.1, 0.9)
    assert event_writer.hyper_parameters(tf.Graph()) == {}


def test_hparams_are_named_once(tmp_path: Path) -> None:
    program()
    with tf.summary.FileWriter(tmp_path, tf.get_default_graph()) as writer:
        writer.add_hparams({"learning_rate": 0.5, "batch": 50, "shuffle": True, "name": "x"}, {"score": np.float32(0.25)})
        with pytest.raises(ValueError, match="written already"):
            writer.add_hparams({"batch": 60})
    assert hparams(tmp_path) == {"optimizer": "GradientDescent", "learning_rate": 0.5, "batch": 50.0, "shuffle": True, "name": "x"}
    assert [e.value for e in read(tmp_path).Scalars("score")] == [0.25]


def test_graphs_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with tf.summary.FileWriter(tmp_path) as writer:
        with pytest.raises(TypeError, match="must be an instance of `Graph`"):
            writer.add_graph("graph")  # type: ignore[arg-type]
        program()
        writer.add_graph(None, graph_def=graph_def(tf.get_default_graph()))
    assert len(read(tmp_path).Graph().node) == len(tf.get_default_graph().get_operations())
