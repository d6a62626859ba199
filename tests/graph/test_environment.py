"""The small things that programs lean on: flags, app, logging, files, settings, devices, coordinators, test cases.

Law of this file: each is used as TF1 programs use it.
"""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgraph as tf
from symgraph import flags as flags_module


# ---------------------------------------------------------------- flags
@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> Any:
    """tf.flags with no flag defined yet, and an empty command line."""
    monkeypatch.setattr(sys, "argv", ["prog"])
    before = dict(tf.flags.FLAGS._flags)
    tf.flags.FLAGS._flags.clear()
    tf.flags.FLAGS._aliases.clear()
    tf.flags.FLAGS.unparse_flags()
    yield tf.flags
    tf.flags.FLAGS._flags.clear()
    tf.flags.FLAGS._flags.update(before)


def test_flags_are_read_when_first_asked_for(flags: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flags.DEFINE_string("data", "/tmp/data", "where")
    flags.DEFINE_integer("steps", 100, "how many")
    flags.DEFINE_float("rate", 1e-3, "how fast")
    flags.DEFINE_boolean("train", False, "or not")
    flags.DEFINE_bool("save", True, "or not")
    flags.DEFINE_enum("mode", "a", ["a", "b"], "which")
    flags.DEFINE_list("sizes", "1,2", "many")
    flags.DEFINE_multi_integer("layer", [3], "again and again")
    monkeypatch.setattr(
        sys, "argv", ["prog", "--data=x", "-steps", "7", "--train", "--nosave", "--mode=b", "--layer=1", "--layer=2", "--rate", "0.5"]
    )
    FLAGS = flags.FLAGS
    assert (FLAGS.data, FLAGS.steps, FLAGS.rate, FLAGS.train, FLAGS.save, FLAGS.mode) == ("x", 7, 0.5, True, False, "b")
    assert FLAGS.sizes == ["1", "2"] and FLAGS.layer == [1, 2] and "data" in FLAGS and len(FLAGS) == 8
    assert FLAGS.flag_values_dict()["steps"] == 7 and FLAGS.__flags["data"].value == "x"
    FLAGS.steps = 9
    assert FLAGS.steps == 9
    with pytest.raises(AttributeError, match="no flag is called nothing"):
        FLAGS.nothing  # noqa: B018


def test_flags_take_the_older_keywords(flags: Any) -> None:
    flags.DEFINE_integer(flag_name="n", default_value=3, docstring="how many")
    flags.DEFINE_alias("count", "n")
    assert flags.FLAGS.n == flags.FLAGS.count == 3
    assert flags.FLAGS["n"].help == "how many"


def test_mistakes_with_flags(flags: Any) -> None:
    flags.DEFINE_integer("n", 3, "how many", lower_bound=0)
    flags.DEFINE_enum("mode", None, ["a", "b"], "which")
    for line, words in [
        (["--n=x"], "flag --n=x: invalid literal"),
        (["--n=-1"], r"-1 is not in \[0, None\]"),
        (["--mode=c"], r"one of <a\|b>"),
        (["--no"], "Unknown command line flag 'no'"),
        (["--n"], "Missing value for flag --n"),
    ]:
        with pytest.raises(flags.Error, match=words):
            flags.FLAGS(["prog", *line])
    assert flags.FLAGS(["prog", "--unknown", "rest", "--", "--n=9"], known_only=True) == ["prog", "--unknown", "rest", "--n=9"]
    flags.mark_flag_as_required("mode")
    with pytest.raises(flags.IllegalFlagValueError, match="Flag --mode must have a value other than None"):
        flags.FLAGS.n  # noqa: B018
    flags.DEFINE_integer("n", 4, "defined again by the same file, as in a notebook")
    exec(compile("define('n', 5, 'elsewhere')", "other.py", "exec"), {"define": lambda *a: None})
    with pytest.raises(flags.DuplicateFlagError):
        exec(compile("flags.DEFINE_integer('n', 5, 'elsewhere')", "other.py", "exec"), {"flags": flags})


def test_help_lists_the_flags(flags: Any, capsys: pytest.CaptureFixture) -> None:
    flags.DEFINE_boolean("train", True, "or not")
    with pytest.raises(SystemExit):
        flags.FLAGS(["prog", "--help"])
    assert "--[no]train: or not\n    (default: True)" in capsys.readouterr().out


def test_app_run(flags: Any) -> None:
    flags.DEFINE_integer("n", 3, "how many")
    seen: list[Any] = []
    with pytest.raises(SystemExit) as e:
        tf.app.run(main=lambda argv: seen.append((argv, flags.FLAGS.n)), argv=["prog", "--n=5", "file"])
    assert seen == [(["prog", "file"], 5)] and e.value.code is None
    assert tf.app.flags is tf.flags is flags_module


# ---------------------------------------------------------------- logging
def test_logging(caplog: pytest.LogCaptureFixture) -> None:
    before = tf.logging.get_verbosity()
    caplog.set_level(logging.DEBUG, "symgraph.tf")
    try:
        tf.logging.set_verbosity(tf.logging.WARN)
        tf.logging.info("no %d", 1)
        tf.logging.warn("yes %d", 2)
        tf.logging.set_verbosity("INFO")
        for k in range(5):
            tf.logging.log_every_n(tf.logging.INFO, "every %d", 2, k)
            tf.logging.log_first_n(tf.logging.ERROR, "first %d", 1, k)
        tf.logging.vlog(tf.logging.DEBUG, "no")
        tf.logging.log_if(tf.logging.INFO, "no", False)
        tf.logging.flush()
    finally:
        tf.logging.set_verbosity(before)
    assert [r.getMessage() for r in caplog.records] == ["yes 2", "every 0", "first 0", "every 2", "every 4"]
    assert (tf.logging.DEBUG, tf.logging.INFO, tf.logging.WARN, tf.logging.ERROR, tf.logging.FATAL) == (10, 20, 30, 40, 50)


# ---------------------------------------------------------------- files
def test_files(tmp_path: Path) -> None:
    g, folder = tf.gfile, str(tmp_path / "a" / "b")
    g.MakeDirs(folder)
    g.MakeDirs(folder)
    with g.GFile(f"{folder}/x.txt", "w") as f:
        f.write("one\n")
        f.write(b"two\n")
    with g.Open(f"file://{folder}/x.txt") as f:
        assert f.readline() == "one\n" and list(f) == ["two\n"] and f.size() == 8
        f.seek(0)
        assert f.read(3) == "one" and f.tell() == 3
    assert g.FastGFile(f"{folder}/x.txt", "rb").read() == b"one\ntwo\n"
    g.Copy(f"{folder}/x.txt", f"{folder}/y.txt")
    with pytest.raises(tf.errors.AlreadyExistsError):
        g.Copy(f"{folder}/x.txt", f"{folder}/y.txt")
    g.Rename(f"{folder}/y.txt", f"{folder}/z.txt")
    assert g.ListDirectory(folder) == ["x.txt", "z.txt"] and g.Glob(f"{folder}/*.txt") == [f"{folder}/x.txt", f"{folder}/z.txt"]
    assert g.Exists(folder) and g.IsDirectory(folder) and g.Stat(f"{folder}/x.txt").length == 8
    assert [names for *_, names in g.Walk(str(tmp_path / "a"))] == [[], ["x.txt", "z.txt"]]
    g.Remove(f"{folder}/z.txt")
    g.DeleteRecursively(str(tmp_path / "a"))
    assert not g.Exists(folder) and tf.io.gfile.exists(str(tmp_path))
    with pytest.raises(tf.errors.NotFoundError, match="No such file"):
        g.GFile(f"{folder}/none").read()
    with pytest.raises(tf.errors.UnimplementedError, match="File system scheme 'gs' not implemented"):
        g.Exists("gs://bucket/x")


# ---------------------------------------------------------------- settings
def test_settings_are_accepted() -> None:
    config = tf.ConfigProto(allow_soft_placement=True, intra_op_parallelism_threads=1, device_count={"GPU": 0})
    config.gpu_options.allow_growth = True
    config.gpu_options.per_process_gpu_memory_fraction = 0.4
    config.graph_options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
    assert config == config and config != tf.ConfigProto(gpu_options=tf.GPUOptions(allow_growth=True))
    assert "allow_growth=True" in repr(config)
    other = tf.ConfigProto()
    other.CopyFrom(config)
    assert other == config and tf.ConfigProto().gpu_options.allow_growth is False
    x = tf.constant(2.0)
    with tf.Session(config=config) as sess:
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        assert sess.run(x, options=options, run_metadata=tf.RunMetadata()) == 2
        assert sess.make_callable(x * 3.0, [x])(5.0) == 15 and sess.list_devices() == tf.list_devices()
    with pytest.raises(AttributeError, match="ConfigProto has no field 'gpus'; it has device_count"):
        tf.ConfigProto(gpus=2)
    with pytest.raises(TypeError, match="config must be a tf.ConfigProto"):
        tf.Session(config=tf.GPUOptions())


def test_switches_and_versions() -> None:
    tf.disable_v2_behavior()
    tf.disable_eager_execution()
    tf.disable_resource_variables()
    assert not tf.executing_eagerly() and tf.VERSION == tf.version.VERSION and tf.VERSION.startswith("1.")
    assert tf.get_logger().name == "symgraph.tf" and tf.AggregationMethod.ADD_N == 0
    assert tf.double is tf.float64 and tf.is_tensor(tf.constant(1)) and not tf.is_tensor(1)
    assert issubclass(tf.errors.OutOfRangeError, tf.OpError)


# ---------------------------------------------------------------- threads
def test_a_coordinator_stops_threads() -> None:
    coord = tf.train.Coordinator()
    assert tf.train.start_queue_runners(coord=coord) == []
    done: list[int] = []

    def work() -> None:
        with coord.stop_on_exception():
            while not coord.should_stop():
                done.append(1)
                if len(done) == 3:
                    raise KeyError("mine")

    threads = [threading.Thread(target=work)]
    threads[0].start()
    with pytest.raises(KeyError, match="mine"):
        coord.join(threads)
    assert coord.should_stop() and coord.joined and len(done) == 3
    coord.clear_stop()
    coord.request_stop(tf.errors.OutOfRangeError("the data is at its end"))
    assert coord.wait_for_stop(0)
    coord.join([])


# ---------------------------------------------------------------- graphs and variables
def test_what_a_graph_tells() -> None:
    g = tf.Graph()
    with g.as_default(), tf.name_scope("a"):
        before = g.version
        x = tf.constant(1.0)
        g.add_to_collections(["one", "two"], x)
        assert g.version > before and g.get_name_scope() == "a" and x.op.values() == (x,)
    assert g.get_all_collection_keys() == ["one", "two"] and g.is_feedable(x) and g.is_fetchable(x)
    g.clear_collection("one")
    assert g.get_collection("one") == [] and g.get_collection("two") == [x]
    assert tf.GraphKeys.WHILE_CONTEXT == "while_context" and tf.GraphKeys.TABLE_INITIALIZERS == "table_initializer"


def test_which_variables_have_values() -> None:
    v, w = tf.Variable(1.0, name="v"), tf.Variable(2.0, name="w")
    has, report, check = tf.is_variable_initialized(v), tf.report_uninitialized_variables(), tf.assert_variables_initialized([v])
    with tf.Session() as sess:
        assert not sess.run(has) and sess.run(report).tolist() == [b"v", b"w"]
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value v"):
            sess.run(check)
        sess.run(tf.variables_initializer([v]))
        assert sess.run(has) and sess.run(report).tolist() == [b"w"] and sess.run(check) is None
        assert sess.run(tf.report_uninitialized_variables([v])).tolist() == [] and w.name == "w:0"


def test_templates_share_variables() -> None:
    def layer(x: Any, name: str, size: int = 2) -> Any:
        return x * tf.get_variable(name, [size], initializer=tf.ones_initializer())

    shared = tf.make_template("layer", layer, name="w")
    a, b = shared(tf.constant([1.0, 2.0])), shared(tf.constant([3.0, 4.0]))
    tf.make_template("layer", layer, name="w")(tf.constant([1.0, 2.0]))
    assert [v.name for v in tf.global_variables()] == ["layer/w:0", "layer_1/w:0"] and a.shape == b.shape
    with tf.op_scope([a], "s"), tf.control_dependencies([a]), tf.init_scope():
        c = tf.constant(1.0, name="c")
    assert c.name == "c:0" and c.op.control_inputs == ()
    with tf.variable_op_scope([a], "v"):
        assert tf.get_variable("x", []).name == "v/x:0"


# ---------------------------------------------------------------- event files and test cases
def test_messages_and_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    x = tf.constant(1.0, name="x")
    summary = tf.Summary(value=[tf.Summary.Value(tag="loss", simple_value=2.5)])
    with tf.Session() as sess, tf.summary.FileWriter(tmp_path, sess.graph_def) as writer:
        writer.add_summary(summary, 3)
        writer.add_run_metadata(tf.RunMetadata(), "step 3")
    (file,) = tmp_path.iterdir()
    events = list(tf.train.summary_iterator(file))
    assert [(e.step, v.tag, v.simple_value) for e in events for v in e.summary.value] == [(3, "loss", 2.5)]
    assert any(e.graph_def for e in events)
    path = tf.train.write_graph(x.graph, str(tmp_path / "g"), "graph.pbtxt")
    assert 'name: "x"' in Path(path).read_text(encoding="utf-8")
    assert Path(tf.train.write_graph(x.graph.as_graph_def(), str(tmp_path), "graph.pb", as_text=False)).stat().st_size


class TestOfTensors(tf.test.TestCase):
    """As programs of TF1 test themselves."""

    def test_values(self) -> None:
        with self.test_session():
            x = tf.constant([1.0, 2.0])
            self.assertAllClose((x * 2.0).eval(), [2, 4])
            self.assertAllClose({"a": [1.0, [2.0]]}, {"a": [1.0, [2.0 + 1e-9]]})
            self.assertAllEqual(x.eval(), np.float32([1, 2]))
            self.assertShapeEqual(np.zeros(2), x)
            self.assertNear(1.0, 1.1, 0.2)
            self.assertArrayNear([1.0], [1.1], 0.2)
        assert self.evaluate(tf.constant(3)) == 3
        with pytest.raises(AssertionError):
            self.assertAllClose([1.0], [1.1])
        with self.test_session() as sess, self.assertRaisesOpError("assertion failed"):
            sess.run(tf.Assert(tf.constant(False), ["no"]))
