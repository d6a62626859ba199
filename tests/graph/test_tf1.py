"""What is missing says so, `symgraph check` reads programs, and docs/tf1.md is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import symgraph as sg
from symgraph import check, tf1
from symgraph.__main__ import main
from tests import tf1_page
from tests.tf1_contract import CONTRACT

PROGRAM = """\
import numpy as np
import tensorflow as tf
from tensorflow.examples.tutorials.mnist import input_data

mnist = input_data.read_data_sets("/tmp/data", one_hot=True)
nn = tf.nn

def layer(x, activation=tf.nn.relu, tf2=None):
    return activation(nn.softmax(logits=x, nam="y"))

class Model:
    def fit(self, tf_data, tf=tf):
        ds = tf.data.Dataset.from_tensor_slices(tf_data)
        with tf.Session() as sess:
            sess.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        return ds, tf.float32.as_numpy_dtype, np.float32

mystery = lambda tf: tf.nothing
"""


# ---------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("data.Dataset", "tf.data.Dataset is not part of symgraph: input pipelines: feed NumPy arrays"),
        ("keras.datasets.mnist.load_data", "sklearn.datasets.load_digits"),
        ("examples.tutorials.mnist.input_data.read_data_sets", "np.load.'mnist.npz'."),
        ("estimator.DNNClassifier", "estimators: write the graph with tf.layers"),
        ("contrib.learn.DNNClassifier", "estimators: write the graph"),
        ("train.ProfilerHook", "tf.train.ProfilerHook is not part of symgraph: managed sessions: tf.train.MonitoredTrainingSession"),
        ("nn.ctc_loss", "tf.nn.ctc_loss is not part of symgraph"),
        ("linalg.LinearOperator", "tf.linalg.LinearOperator is not part"),
        ("Placeholder", "tf.Placeholder: .*did you mean tf.placeholder?"),
        ("nonsense", "tf.nonsense: symgraph has no such name"),
    ],
)
def test_what_is_missing_raises_at_once(path: str, words: str) -> None:
    assert not tf1.works(sg, path)
    *spaces, name = path.split(".")
    found = sg
    for space in spaces:
        found = getattr(found, space)
    with pytest.raises(AttributeError, match=words):
        getattr(found, name)


def test_a_namespace_cannot_be_called() -> None:
    with pytest.raises(NotImplementedError, match="tf.keras.datasets is not part of symgraph"):
        sg.keras.datasets()


def test_namespaces_say_again_what_lies_elsewhere() -> None:
    assert sg.random.normal is sg.random_normal
    assert sg.initializers.zeros is sg.zeros_initializer
    assert sg.linalg.solve is sg.matrix_solve
    assert sg.math.argmax is sg.argmax


def test_names_are_names() -> None:
    known = tf1.names()
    assert len(known) > 1500
    assert all(part.isidentifier() for path in known for part in path.split("."))
    assert set(CONTRACT) <= set(known)
    assert not [path for path in known if not tf1.reason(path)]


# ---------------------------------------------------------------- programs
def test_a_program_is_read(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM, encoding="utf-8")
    assert main(["check", str(file)]) == 1
    said = capsys.readouterr().out
    assert "line 5: tf.examples.tutorials.mnist.input_data.read_data_sets is not part" in said
    assert "line 9: tf.nn.softmax(nam=...): it takes logits" in said
    assert "line 13: tf.data.Dataset is not part" in said
    assert said.splitlines()[0].endswith("8 names of TF1, 3 missing")
    assert said.splitlines()[-1].split()[1:] == ["nn.relu", "Session", "get_collection", "GraphKeys.UPDATE_OPS", "float32"]
    assert "nothing" not in said


def test_a_notebook_is_read(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    cells = ["%matplotlib inline\nimport symgraph.compat.v1 as tf", "!ls\nX = tf.placeholder(tf.float32)\nY = tf.data.Dataset"]
    made = {"cells": [{"cell_type": "markdown", "source": ["tf.no"]}, *({"cell_type": "code", "source": [c]} for c in cells)]}
    file = tmp_path / "book.ipynb"
    file.write_text(json.dumps(made), encoding="utf-8")
    assert main(["check", str(file)]) == 1
    assert "cell 3, line 3: tf.data.Dataset" in capsys.readouterr().out


def test_a_program_without_faults(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "fine.py"
    file.write_text("from symgraph import placeholder, float32 as f\nx = placeholder(f, shape=None)\n", encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert "2 names of TF1, none missing" in capsys.readouterr().out


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "old.py"
    file.write_text("print 'hello'\n", encoding="utf-8")
    assert main(["check", str(file), str(tmp_path / "none.py")]) == 2
    assert capsys.readouterr().err.count("symgraph: ") == 2


def test_aliases_hide_and_are_hidden(tmp_path: Path) -> None:
    file = tmp_path / "alias.py"
    lines = [
        "import tensorflow.compat.v1 as tf",
        "L = tf.layers",
        "L.dense",
        "L = 3",
        "L.nothing",
        "def f():",
        "    return g.exp",
        "g = tf",
    ]
    file.write_text("\n".join([*lines, "for tf in []:", "    tf.no", ""]), encoding="utf-8")
    assert [u.path for u in check.uses(file)] == ["layers.dense", "exp"]


# ---------------------------------------------------------------- the page
def test_the_page_is_current(request: pytest.FixtureRequest) -> None:
    now = tf1_page.page()
    if request.config.getoption("--renew-goldens"):
        tf1_page.PAGE.write_text(now, encoding="utf-8")
    kept = tf1_page.PAGE.read_text(encoding="utf-8")
    assert kept.splitlines() == now.splitlines(), "if this is meant, renew with: python -m tests.tf1_page"
