"""Saving: what comes back is what was there, bit for bit, or nothing.

Law of this file: programs run in the interpreter; a checkpoint is judged by going on with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import symgraph as tf
from symgraph import config
from symgraph.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from symgraph.train import checkpoint
from symgraph.train.saver import STREAM

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def reference_backend() -> Iterator[None]:
    with config.override(SYMGRAPH_BACKEND="reference"):
        yield


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "model.ckpt")


def files(folder: Path | str) -> list[str]:
    return sorted(os.listdir(folder))


def variables(**values: Any) -> tuple[tf.Session, dict[str, tf.Variable]]:
    """A session with these variables, initialised."""
    made = {name: tf.Variable(np.asarray(value), name=name) for name, value in values.items()}
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    return sess, made


# ---------------------------------------------------------------- the calls
def test_files_and_names(path: str, tmp_path: Path) -> None:
    sess, v = variables(a=np.arange(3.0), b=np.int32(4), c=[True, False])
    assert tf.train.Saver().save(sess, path) == path
    assert files(tmp_path) == ["checkpoint", "model.ckpt.meta", "model.ckpt.safetensors"]
    stored = load_file(path + ".safetensors")  # any reader of the format can
    assert {name: (a.dtype.name, a.tolist()) for name, a in stored.items()} == {
        "a": ("float64", [0.0, 1.0, 2.0]),
        "b": ("int32", 4),
        "c": ("bool", [True, False]),
    }
    assert json.loads(Path(path + ".meta").read_text(encoding="utf-8"))["format"] == "symgraph graph"
    assert len({os.stat(tmp_path / name).st_mode for name in files(tmp_path)}) == 1


def test_restore_needs_no_initializer(path: str, caplog: pytest.LogCaptureFixture) -> None:
    sess, v = variables(a=np.arange(3.0), b=np.zeros((0, 2), np.float32))
    saver = tf.train.Saver()
    saver.save(sess, path)
    with tf.Session() as fresh:
        saver.restore(fresh, path)
        assert fresh.run(v["a"]).tolist() == [0, 1, 2]
        assert fresh.run(v["b"]).shape == (0, 2)
    assert caplog.messages == [f"Restoring parameters from {path}"]


def test_restore_reaches_plans_that_were_made_before(path: str) -> None:
    sess, v = variables(a=[1.0, 2.0])
    saver = tf.train.Saver()
    total, add = tf.reduce_sum(v["a"]), v["a"].assign_add([1.0, 1.0])
    saver.save(sess, path)
    for _ in range(2):
        assert sess.run(total) == 3
        sess.run(add)
        assert sess.run(total) == 5
        saver.restore(sess, path)


def test_a_dict_names_what_is_saved(path: str) -> None:
    sess, v = variables(theta=[[1.0], [2.0]], other=3.0)
    tf.train.Saver({"weights": v["theta"]}).save(sess, path)
    assert list(load_file(path + ".safetensors")) == ["weights"]
    with tf.Graph().as_default(), tf.Session() as fresh:
        w = tf.Variable(np.zeros((2, 1)), name="w")
        tf.train.Saver({"weights": w}).restore(fresh, path)
        assert fresh.run(w).tolist() == [[1], [2]]


def test_some_of_the_variables(path: str) -> None:
    sess, v = variables(a=1.0, b=2.0)
    tf.train.Saver().save(sess, path)
    sess.run([v["a"].assign(10.0), v["b"].assign(20.0)])
    tf.train.Saver([v["b"]]).restore(sess, path)
    assert sess.run([v["a"], v["b"]]) == [10, 2]


def test_steps(path: str) -> None:
    sess, v = variables(a=1.0)
    step = tf.Variable(6, name="step", trainable=False)
    sess.run(step.initializer)
    saver = tf.train.Saver(max_to_keep=None)
    assert saver.save(sess, path, global_step=7) == path + "-7"
    assert saver.save(sess, path, global_step=np.int64(8)) == path + "-8"
    assert saver.save(sess, path, global_step=step) == path + "-6"
    assert saver.save(sess, path, step.assign_add(3)) == path + "-9"
    assert tf.train.Saver(pad_step_number=True).save(sess, path, 5) == path + "-00000005"
    assert saver.last_checkpoints == [f"{path}-{k}" for k in (7, 8, 6, 9)]


def test_the_oldest_are_deleted(path: str, tmp_path: Path) -> None:
    sess, _ = variables(a=1.0)
    saver = tf.train.Saver(max_to_keep=2)
    for k in (1, 2, 1, 3):  # writing 1 again makes it young
        saver.save(sess, path, k)
    assert saver.last_checkpoints == [path + "-1", path + "-3"]
    assert files(tmp_path) == ["checkpoint", *(f"model.ckpt-{k}.{s}" for k in (1, 3) for s in ("meta", "safetensors"))]
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert (state.model_checkpoint_path, state.all_model_checkpoint_paths) == (path + "-3", (path + "-1", path + "-3"))
    assert tf.train.latest_checkpoint(str(tmp_path)) == path + "-3"
    following = tf.train.Saver(max_to_keep=2)
    following.recover_last_checkpoints([path + "-0", *state.all_model_checkpoint_paths])
    following.save(sess, path, 4)
    assert following.last_checkpoints == [path + "-3", path + "-4"]
    assert not tf.train.checkpoint_exists(path + "-1")


def test_one_in_hours_is_kept(path: str) -> None:
    sess, _ = variables(a=1.0)
    saver = tf.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=1)
    saver._keep_from -= 3700
    for k in range(4):
        saver.save(sess, path, k)
    assert [k for k in range(4) if tf.train.checkpoint_exists(f"{path}-{k}")] == [0, 3]


def test_the_list_of_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    sess, _ = variables(a=1.0)
    monkeypatch.chdir(tmp_path)
    assert tf.train.latest_checkpoint(".") is None
    (tmp_path / 'a "b" é').mkdir()
    saver = tf.train.Saver()
    assert saver.save(sess, 'a "b" é/model') == 'a "b" é/model'
    assert (tmp_path / 'a "b" é' / "checkpoint").read_text(encoding="utf-8") == (
        'model_checkpoint_path: "model"\nall_model_checkpoint_paths: "model"\n'
    )
    assert tf.train.latest_checkpoint('a "b" é') == 'a "b" é/model'
    (tmp_path / "alone").mkdir()
    saver.save(sess, "alone/model", latest_filename="latest", write_meta_graph=False)
    assert files("alone") == ["latest", "model.safetensors"]
    assert tf.train.latest_checkpoint("alone", "latest") == "alone/model"
    saver.save(sess, "alone/more", write_state=False)
    assert tf.train.latest_checkpoint("alone") is None
    checkpoint.remove("alone/model")
    assert tf.train.latest_checkpoint("alone", "latest") is None
    assert "Couldn't match files for checkpoint alone/model" in caplog.text
    (tmp_path / "alone" / "checkpoint").write_text("model_checkpoint_path: x\n", encoding="utf-8")
    assert tf.train.get_checkpoint_state("alone") is None
    assert "Checkpoint ignored" in caplog.text
    saver.save(sess, "in_this_folder")
    assert tf.train.latest_checkpoint(".") == "./in_this_folder"


def test_names_and_implicit_seeds_go_on() -> None:
    variables(a=1.0, b=2.0)
    before = tf.get_default_graph().counted
    tf.train.Saver()
    assert tf.get_default_graph().counted == before + 13
    assert tf.no_op("save").name == "save_1"


# ---------------------------------------------------------------- refusals
def test_mistakes(path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No variables to save"):
        tf.train.Saver()
    tf.train.Saver(allow_empty=True)
    sess, v = variables(a=1.0)
    later = tf.Variable(2.0, name="later")
    saver = tf.train.Saver()
    missing = str(tmp_path / "none" / "model")
    with pytest.raises(FailedPreconditionError, match="Attempting to use uninitialized value later"):
        saver.save(sess, path)
    sess.run(later.initializer)
    with pytest.raises(ValueError, match=f"Parent directory of {missing} doesn't exist, can't save."):
        saver.save(sess, missing)
    with pytest.raises(ValueError, match="'latest_filename' collides with 'save_path': 'checkpoint' and"):
        saver.save(sess, str(tmp_path / "checkpoint"))
    with pytest.raises(ValueError, match="needs a name"):
        saver.save(sess, str(tmp_path) + "/")
    assert files(tmp_path) == []
    for wrong in (path, missing):
        with pytest.raises(ValueError, match=f"The passed save_path is not a valid checkpoint: {wrong}"):
            saver.restore(sess, wrong)
    with pytest.raises(ValueError, match="Can't load save_path when it is None"):
        saver.restore(sess, None)
    with pytest.raises(TypeError, match="'sess' must be a Session"):
        saver.save(None, path)
    with pytest.raises(TypeError, match="Variable to save is not a Variable"):
        tf.train.Saver([tf.constant(1.0)])
    with pytest.raises(ValueError, match="At least two variables have the same name: a"):
        tf.train.Saver([v["a"], v["a"]])
    for name in (STREAM + "a", "__metadata__", "", 3):
        with pytest.raises(TypeError, match="cannot be saved under the name"):
            tf.train.Saver({name: later})
    with tf.Graph().as_default(), tf.Session() as other, pytest.raises(ValueError, match="is not an element of this graph"):
        saver.save(other, path)
    sess.close()
    with pytest.raises(RuntimeError, match="Attempted to use a closed Session"):
        saver.save(sess, path)
    tf.get_default_graph().finalize()
    with pytest.raises(RuntimeError, match="finalized"):
        tf.train.Saver()


def test_one_message_says_all_that_does_not_fit(path: str) -> None:
    sess, _ = variables(weight=np.ones((2, 3)), bias=np.ones(3), step=np.int32(1), fine=1.0)
    tf.train.Saver().save(sess, path)
    with tf.Graph().as_default():
        tf.Variable(np.zeros((2, 3)), name="weights")
        tf.Variable(np.zeros(4), name="bias")
        tf.Variable(0.0, name="step")
        fine = tf.Variable(5.0, name="fine", dtype=tf.float64)
        with tf.Session() as other:
            other.run(fine.initializer)
            with pytest.raises(NotFoundError) as caught:
                tf.train.Saver().restore(other, path)
            assert str(caught.value).splitlines() == [
                "Key weights not found in checkpoint (near it: weight)",
                "  Assign requires shapes of both tensors to match. lhs shape= [4] rhs shape= [3] for 'bias'",
                "  Assign requires dtypes of both tensors to match: step is float32, but int32 in the checkpoint",
                "  the checkpoint also has: weight",
                f"  in the checkpoint {path}.safetensors; nothing was restored",
            ]
            assert other.run(fine) == 5
            with pytest.raises(InvalidArgumentError, match="lhs shape= \\[4\\] rhs shape= \\[3\\]"):
                tf.train.Saver(tf.global_variables("bias")).restore(other, path)


def test_reshape(path: str) -> None:
    sess, _ = variables(a=np.arange(6.0))
    tf.train.Saver().save(sess, path)
    with tf.Graph().as_default(), tf.Session() as other:
        a = tf.Variable(np.zeros((2, 3)), name="a")
        tf.train.Saver(reshape=True).restore(other, path)
        assert other.run(a).tolist() == [[0, 1, 2], [3, 4, 5]]


# ---------------------------------------------------------------- going on
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "Adam": lambda: tf.train.AdamOptimizer(0.05),
    "Momentum": lambda: tf.train.MomentumOptimizer(0.05, 0.9, use_nesterov=True),
    "RMSProp": lambda: tf.train.RMSPropOptimizer(0.05, momentum=0.5),
}
FED = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


def noisy_program(optimizer: str, seeded: bool) -> None:
    """Training whose loss is full of noise: 'training_op', 'loss:0' and every variable depend on the streams."""
    if seeded:
        tf.set_random_seed(11)
    x = tf.placeholder(tf.float32, (None, 3), name="x")
    theta = tf.Variable(tf.random_uniform([3, 1], -1.0, 1.0), name="theta")
    step = tf.Variable(0, trainable=False, name="step")
    noise = tf.random_uniform([3, 1], name="noise") + tf.random_normal([1], seed=4, name="more")
    loss = tf.reduce_mean(tf.square(tf.matmul(x, theta + noise) - 1.0), name="loss")
    OPTIMIZERS[optimizer]().minimize(loss, step, name="training_op")
    tf.truncated_normal([2], name="only_drawn_later")
    tf.global_variables_initializer()


def train(sess: tf.Session, steps: int) -> list[bytes]:
    """The bits of everything after some more steps."""
    losses = [sess.run(["loss:0", "training_op"], {"x:0": FED})[0] for _ in range(steps)]
    names = [v.name for v in sess.graph.get_collection("variables")]
    return [np.asarray(v).tobytes() for v in (losses, sess.run("only_drawn_later:0"), sess.run(names[0]), *sess.run(names))]


@pytest.mark.parametrize("seeded", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resumed_is_uninterrupted(optimizer: str, seeded: bool, path: str) -> None:
    noisy_program(optimizer, seeded)
    with tf.Session() as sess:
        sess.run("init")
        train(sess, 3)
        saver = tf.train.Saver()
        saver.save(sess, path)
        wanted = train(sess, 4)
        saver.restore(sess, path)
        assert train(sess, 4) == wanted
    with tf.Session() as sess:
        saver.restore(sess, path)
        assert train(sess, 4) == wanted
    with tf.Graph().as_default(), tf.Session() as sess:
        noisy_program(optimizer, seeded)
        tf.train.Saver().restore(sess, path)
        assert train(sess, 4) == wanted
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.train.import_meta_graph(path + ".meta").restore(sess, path)
        assert train(sess, 4) == wanted


def test_streams_of_other_seeds_stay(path: str) -> None:
    noisy_program("Adam", True)
    with tf.Session() as sess:
        sess.run("init")
        tf.train.Saver().save(sess, path)
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(12)
        noisy_program("Adam", False)
        before = sess.run("noise:0")
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(12)
        noisy_program("Adam", False)
        tf.train.Saver().restore(sess, path)
        assert sess.run("noise:0").tolist() == before.tolist()


def test_a_saver_of_some_variables_leaves_streams_alone(path: str) -> None:
    noisy_program("Momentum", True)
    with tf.Session() as sess:
        sess.run("init")
        some = tf.train.Saver(tf.trainable_variables())
        some.save(sess, path)
        assert list(load_file(path + ".safetensors")) == ["theta"]
        tf.train.Saver().save(sess, path)
        first = sess.run("noise:0")
        some.restore(sess, path)
        assert sess.run("noise:0").tolist() != first.tolist()


# ---------------------------------------------------------------- import_meta_graph
def test_in_a_new_process(path: str) -> None:
    noisy_program("Adam", False)
    with tf.Session() as sess:
        sess.run("init")
        train(sess, 2)
        tf.train.Saver().save(sess, path, global_step=2)
        wanted = train(sess, 3)
    code = (
        "import symgraph as tf, sys; from tests.train.test_saver import train\n"
        "with tf.Session() as sess:\n"
        "    path = sys.argv[1]\n"
        "    saver = tf.train.import_meta_graph(path + '.meta')\n"
        "    saver.restore(sess, path)\n"
        "    print(*[v.hex() or '-' for v in train(sess, 3)])\n"
    )
    environment = {**os.environ, "SYMGRAPH_BACKEND": "reference", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, path + "-2"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == [v.hex() for v in wanted]
    assert done.stderr == f"INFO:tensorflow:Restoring parameters from {path}-2\n"


def linear_regression() -> None:
    x = tf.placeholder(tf.float32, (None, 2), name="X")
    theta = tf.Variable([[1.0], [2.0]], name="theta")
    prediction = tf.matmul(x, theta, name="predictions")
    mse = tf.reduce_mean(tf.square(prediction - 1.0), name="mse")
    tf.train.GradientDescentOptimizer(0.1).minimize(mse)
    tf.add_to_collection("update_ops", tf.no_op("an_update"))


def saved_regression(path: str) -> None:
    linear_regression()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        tf.train.Saver().save(sess, path)
    tf.reset_default_graph()


def test_a_program_goes_on_from_names(path: str) -> None:
    saved_regression(path)
    saver = tf.train.import_meta_graph(path + ".meta")
    graph = tf.get_default_graph()
    theta, x = graph.get_tensor_by_name("theta:0"), graph.get_tensor_by_name("X:0")
    data = np.eye(2, dtype=np.float32)
    with tf.Session() as sess:
        saver.restore(sess, path)
        assert theta.eval().tolist() == [[1], [2]]
        assert sess.run("predictions:0", {x: data}).tolist() == [[1], [2]]
        assert sess.run("predictions:0", {x: data, theta: [[5.0], [6.0]]}).tolist() == [[5], [6]]
        sess.run(tf.assign(theta, [[3.0], [4.0]]))
        assert theta.eval().tolist() == [[3], [4]]
        sess.run(graph.get_operation_by_name("GradientDescent"), {x: data})
        np.testing.assert_allclose(theta.eval(), [[2.8], [3.7]], rtol=1e-6)
        (variable,) = tf.trainable_variables()
        assert variable.op is theta.op
        assert variable.initializer is graph.get_operation_by_name("theta/Assign")
        assert [op.name for op in tf.get_collection("update_ops")] == ["an_update"]
        layer = tf.Variable([[2.0]], name="layer")
        deeper = tf.reduce_sum(tf.matmul(graph.get_tensor_by_name("predictions:0"), layer))
        sess.run(layer.initializer)
        np.testing.assert_allclose(sess.run(tf.gradients(deeper, [theta, variable, layer]), {x: data})[0], [[2], [2]])
        train_more = tf.train.AdamOptimizer().minimize(deeper)
        sess.run(tf.global_variables_initializer())
        sess.run(train_more, {x: data})
        assert tf.placeholder(tf.float32, name="X").name == "X_1:0"


def test_path_and_document(path: str) -> None:
    saved_regression(path)
    assert tf.train.import_meta_graph(path).last_checkpoints == []
    tf.reset_default_graph()
    linear_regression()
    document = tf.train.export_meta_graph(path + "-only.meta")
    tf.reset_default_graph()
    for source in (document, path + "-only.meta", path + "-only"):
        tf.reset_default_graph()
        saver = tf.train.import_meta_graph(source, clear_devices=True)
        with tf.Session() as sess:
            saver.restore(sess, path)
            assert sess.run("theta:0").tolist() == [[1], [2]]
    tf.reset_default_graph()
    tf.constant(1.0, name="c")
    other = path + ".json"
    tf.train.export_meta_graph(other, graph=tf.get_default_graph())
    tf.reset_default_graph()
    assert tf.train.import_meta_graph(other) is None
    assert tf.get_default_graph().get_tensor_by_name("c:0").name == "c:0"
    with pytest.raises(OSError, match=r"none\.meta does not exist"):
        tf.train.import_meta_graph(path + "-none.meta")


def test_import_scope(path: str) -> None:
    saved_regression(path)
    saver = tf.train.import_meta_graph(path, import_scope="old")
    linear_regression()
    with tf.Session() as sess:
        saver.restore(sess, path)
        assert sess.run("old/theta:0").tolist() == [[1], [2]]
        assert [v.name for v in tf.global_variables()] == ["old/theta:0", "theta:0"]
        sess.run("old/GradientDescent", {"old/X:0": np.eye(2)})
        with pytest.raises(FailedPreconditionError, match="uninitialized value theta"):
            sess.run("theta:0")


def test_import_beside_the_same_program(path: str) -> None:
    saved_regression(path)
    linear_regression()
    saver = tf.train.import_meta_graph(path)
    with tf.Session() as sess:
        sess.run(tf.global_variables()[0].assign([[7.0], [8.0]]))
        saver.restore(sess, path)
        assert sess.run(["theta:0", "theta_1:0"])[0].tolist() == [[7], [8]]
        assert sess.run("predictions_1:0", {"X_1:0": np.eye(2)}).tolist() == [[1], [2]]


def test_settings_of_the_saver_come_back(path: str) -> None:
    sess, v = variables(a=1.0, b=2.0)
    tf.train.Saver({"weights": v["b"]}, max_to_keep=3).save(sess, path)
    tf.reset_default_graph()
    saver = tf.train.import_meta_graph(path)
    assert {name: t.name for name, t in saver._variables.items()} == {"weights": "b:0"}
    assert (saver._max_to_keep, saver._whole) == (3, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(saver=3),
        lambda d: d["saver"].update(variables={"theta": "X"}),
        lambda d: d["saver"].update(variables={"theta": "nowhere"}),
        lambda d: d["saver"].update(variables={"theta": 3}),
        lambda d: d["saver"].pop("whole"),
        lambda d: d["saver"].update(max_to_keep="x"),
    ],
)
def test_a_damaged_saver(change: Callable[[dict], Any], path: str) -> None:
    linear_regression()
    document = tf.train.Saver().export_meta_graph()
    change(document)
    tf.reset_default_graph()
    with pytest.raises(ValueError, match="damaged or was not written by symgraph: its saver"):
        tf.train.import_meta_graph(document)
