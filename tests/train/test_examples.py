"""Every example is run, and what it says is held against what it shows.

Law of this file: nothing of an example is replaced.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SECTIONS = ["graph_and_session", "placeholders", "training_loop", "saving", "training_curves", "name_scopes", "modularity"]
SAYS = {
    "graph_and_session": ["area 42 rim 26", "Attempting to use uninitialized value width", "-> 2.0", "True False"],
    "placeholders": ["[10. 13. 17.]", "Cannot feed value of shape (1, 3)", "2/m · Xᵀ(Xθ − y)", "epoch 9"],
    "training_loop": ["the same errors: True", "the same theta: True", "close to the same errors: True", "computed once"],
    "saving": ["model.ckpt-250", "same theta: True at step 300", "the same as without a stop: True"],
    "training_curves": ["epoch 9", "tensorboard --logdir tf_logs"],
    "name_scopes": ["layer_1/rate_1", "'loss/sub', 'loss/mse'", "train/GradientDescent", "Placeholder float32(?, 3)"],
    "modularity": ["unit_4/bias", "one variable: True", "already exists", "AUTO_REUSE"],
}
TRAINING = ["--epochs", "150", "--rates", "0.1", "--batches", "10"]
"""12000 steps of the moons in one run, long enough to be interrupted."""

Start = Callable[[str], SimpleNamespace]


@pytest.fixture
def no_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where TensorBoard is not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)

    class Missing:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            if name.partition(".")[0] == "tensorboard":
                raise ModuleNotFoundError(f"No module named {name!r}", name="tensorboard")

    monkeypatch.setattr(sys, "meta_path", [Missing, *sys.meta_path])


# ---------------------------------------------------------------- the chapter's sections
@pytest.mark.parametrize("name", SECTIONS)
def test_section(name: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start(name)
    said = capsys.readouterr().out
    for text in SAYS[name]:
        assert text in said, f"{text!r} in\n{said}"


def test_every_way_of_sharing_gives_the_same(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start("modularity")
    outputs = [line.rsplit("] [", 1)[1] for line in capsys.readouterr().out.splitlines() if "threshold'] [" in line]
    assert len(outputs) == 6
    assert len(set(outputs)) == 1


def test_curves_are_written(start: Start) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = start("training_curves")
    accumulator = accumulators.EventAccumulator(run.FOLDER, {"scalars": 0})
    accumulator.Reload()
    assert [event.step for event in accumulator.Scalars("MSE")] == list(range(0, run.step, 10))


@pytest.mark.usefixtures("no_tensorboard")
def test_curves_without_tensorboard(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start("training_curves")
    said = capsys.readouterr().out
    assert "Nothing is logged: event files need TensorBoard" in said
    assert "epoch 9" in said


# ---------------------------------------------------------------- the moons
@pytest.fixture
def moons(start: Start) -> SimpleNamespace:
    return start("moons", "moons")


def test_moons(moons: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    results = moons.main(["--epochs", "20", "--rates", "0.01", "0.3", "--batches", "50", "200"])
    said = capsys.readouterr().out
    assert "1/m · Xᵀ(σ(Xθ) − y)" in said
    assert "precision" in said and "recall" in said
    assert len(results) == 4
    assert [result.loss for result in results] == sorted(result.loss for result in results)
    assert results[0].precision > 0.9 and results[0].recall > 0.9
    assert len({path.parent.name for path in Path("moons_runs").rglob("events.out.tfevents.*")}) == 4


def test_moons_learn_what_scikit_learn_learns(moons: SimpleNamespace, tmp_path: Path) -> None:
    """The loss of full batches comes close to the smallest that there is."""
    from sklearn.linear_model import LogisticRegression

    data = moons.moons()
    found = moons.train(data, rate=1.0, size=len(data.rows), epochs=3000, folder=tmp_path)
    judge = LogisticRegression(C=np.inf, fit_intercept=False, max_iter=10000, tol=1e-8).fit(data.rows, data.labels.ravel())

    def loss(theta: np.ndarray) -> float:
        logits = data.rows @ theta.reshape(-1, 1)
        return float(np.mean(np.logaddexp(0, logits) - data.labels * logits))

    assert loss(judge.coef_) <= loss(found.theta) <= loss(judge.coef_) + 5e-3


@pytest.mark.usefixtures("no_tensorboard")
def test_moons_without_tensorboard(moons: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    moons.main(["--epochs", "2", "--rates", "0.1", "--batches", "100"])
    said = capsys.readouterr().out
    assert "Nothing is logged: event files need TensorBoard" in said
    assert "theta of the best" in said


def test_killed_training_goes_on(moons: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A process that is killed and another one that goes on: the same bits as without."""
    (expected,) = moons.main([*TRAINING, "--folder", str(tmp_path / "whole")])
    broken = tmp_path / "broken"
    command = [sys.executable, str(EXAMPLES / "moons.py"), *TRAINING, "--folder", str(broken)]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": paths}, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list(broken.rglob("model.ckpt-[1-9]*")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL, "the training ended before it could be killed"
    capsys.readouterr()
    (found,) = moons.main([*TRAINING, "--folder", str(broken)])
    assert "going on from step" in capsys.readouterr().out
    np.testing.assert_array_equal(found.theta, expected.theta)
    assert found == type(found)(**vars(expected) | {"theta": found.theta})


# ---------------------------------------------------------------- the notebook
def test_notebook_is_what_the_scripts_say(start: Start) -> None:
    made = start("make_notebook", "make_notebook")
    assert set(made.SECTIONS) == {*SECTIONS, "linear_regression"}
    assert made.NOTEBOOK.read_text(encoding="utf-8") == made.notebook(), "write it anew: python examples/make_notebook.py"


def twice(cells: list[dict]) -> Iterator[dict]:
    """Every code cell two times in a row; those that only run something also count the operations before and after."""
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            if source.startswith("with tf.Session"):
                source = f"_size = len(tf.get_default_graph().get_operations())\n{source}\n"
                source += "assert len(tf.get_default_graph().get_operations()) == _size, 'running grew the graph'"
            for turn in "ab":
                yield cell | {"id": f"{cell['id']}-{turn}", "source": source}


@pytest.mark.slow
def test_notebook_runs_twice(tmp_path: Path) -> None:
    """Cell by cell with every cell run again at once, and then from the top in the same kernel."""
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = json.loads((EXAMPLES / "chapter.ipynb").read_text(encoding="utf-8"))
    plain = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    path = tmp_path / "chapter.ipynb"
    path.write_text(json.dumps(notebook | {"cells": [*twice(plain), *plain]}), encoding="utf-8")
    paths = os.pathsep.join([str(EXAMPLES), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    folders = {name: str(tmp_path / name.lower()) for name in names}
    # a process of its own: the client's event loop and sockets are none of these tests' warnings
    execute = "import sys, nbformat, nbclient; nb = nbformat.read(sys.argv[1], 4); nbclient.execute(nb); nbformat.write(nb, sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", execute, path.name],
        cwd=tmp_path,
        env=os.environ | folders | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    outputs = [output for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] for output in cell["outputs"]]
    shown = [output["data"] for output in outputs if "data" in output]
    assert any("text/latex" in data for data in shown), "no formula was shown"
    assert sum("<svg" in "".join(data.get("text/html", "")) or "<pre>" in "".join(data.get("text/html", "")) for data in shown) >= 6
