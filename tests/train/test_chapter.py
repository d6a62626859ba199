"""The chapter that the library set out from, executed as it is printed and held against the outputs printed in it.

Law of this file: nothing of the chapter stands here.  Programs and expected outputs are both read from the document,
which lies beside the checkout; where it is absent these tests are skipped.  Only the import is replaced, and paths are
moved into a temporary folder.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import symgraph as tf

CHAPTER = Path(__file__).resolve().parents[3] / "shared" / "chapter.md"
BLOCK = re.compile(r"^```python\n(?P<source>.*?)^```[ ]*\n(?P<after>(?:[ ]{4}[^\n]*\n|[ ]*\n)*)", re.DOTALL | re.MULTILINE)
LEFT_OUT = {"!pip ": "a shell command", "%matplotlib": "plots", "[...]": "a part of a program, with places left open"}
"""Text by which a block is known that is not executed, and why."""
REPLACED = {"import tensorflow as tf": "import symgraph as tf"}
NOT_PRINTED = re.compile(r"Downloading |INFO:tensorflow:|/Users/|\s+warnings\.warn")
"""Lines among the outputs that the programs did not print."""
NUMBER = re.compile(r"[-+]?\d+\.\d*(?:e[-+]?\d+)?$")
TOLERANCES = {
    "matrix_inverse": (0.2, 0.0),  # the inverse in float32 of a matrix with a condition number past 1e9
    "fetch_batch(": (0.0, 1e-5),
    "LinearRegression": (1e-6, 1e-9),
    "": (2e-6, 1e-6),
}
"""Relative and absolute tolerance of the numbers that a block prints, by text that the block holds: the first that fits."""

pytestmark = [
    pytest.mark.skipif(not CHAPTER.exists(), reason="the chapter's document does not lie beside this checkout"),
    pytest.mark.filterwarnings(r"ignore:datetime\.datetime\.utcnow:DeprecationWarning:chapter$"),
]


@dataclass(frozen=True)
class Block:
    """A program of the chapter: where it stands, its text, and the lines printed below it."""

    line: int
    source: str
    expected: list[str]

    @property
    def left_out(self) -> str | None:
        return next((why for mark, why in LEFT_OUT.items() if mark in self.source), None)

    @property
    def tolerance(self) -> tuple[float, float]:
        return next(tolerance for mark, tolerance in TOLERANCES.items() if mark in self.source)


@dataclass(frozen=True)
class Run:
    """What executing a block gave: its lines, and all names of the program after it."""

    block: Block
    printed: list[str]
    names: dict[str, object]


@dataclass
class Chapter:
    """All runs in their order, the pictures that were shown, and the folder that was written to."""

    folder: Path
    runs: list[Run] = field(default_factory=list)
    pictures: list[object] = field(default_factory=list)

    def show_graph(self, graph: object) -> None:
        self.pictures.append(tf.show_graph(graph))

    def with_text(self, *texts: str) -> list[Run]:
        found = [run for run in self.runs if all(text in run.block.source for text in texts)]
        assert found, f"no block with {texts}"
        return found


def blocks(document: str) -> Iterator[Block]:
    for match in BLOCK.finditer(document):
        printed = [line[4:] for line in match["after"].splitlines() if line.strip()]
        line = document.count("\n", 0, match.start("source")) + 1
        yield Block(line, match["source"], [text for text in printed if not NOT_PRINTED.match(text)])


@pytest.fixture(scope="module")
def chapter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chapter]:
    """Every block executed in one namespace; errors show the chapter's own lines."""
    from sklearn.datasets import fetch_california_housing

    try:
        fetch_california_housing(download_if_missing=False)
    except OSError:
        pytest.skip("California housing is not in scikit-learn's data folder")
    done = Chapter(tmp_path_factory.mktemp("chapter"))
    names: dict[str, object] = {"__name__": "chapter", "show_graph": done.show_graph}
    replaced = REPLACED | {'"/tmp/': f'"{done.folder.as_posix()}/'}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(done.folder)
        for block in blocks(CHAPTER.read_text(encoding="utf-8")):
            if block.left_out:
                continue
            source = block.source
            for old, new in replaced.items():
                source = source.replace(old, new)
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec(compile("\n" * (block.line - 1) + source, str(CHAPTER), "exec"), names)
            done.runs.append(Run(block, printed.getvalue().splitlines(), dict(names)))
        yield done
    tf.reset_default_graph()


def numbers(lines: list[str]) -> np.ndarray:
    """The numbers with a point among the words of `lines`."""
    words = " ".join(lines).replace("[", " ").replace("]", " ").split()
    return np.array([float(word) for word in words if NUMBER.match(word)])


def words(lines: list[str]) -> list[str]:
    """Everything but those: words, whole numbers, and the brackets around."""
    spread = " ".join(lines).replace("[", " [ ").replace("]", " ] ").split()
    return ["#" if NUMBER.match(word) else word for word in spread]


def test_little_is_left_out() -> None:
    every = list(blocks(CHAPTER.read_text(encoding="utf-8")))
    assert len(every) >= 30
    assert len([block for block in every if block.left_out]) == 4


def test_everything_printed(chapter: Chapter) -> None:
    """42; 10 and 15; fed arrays; errors by epoch; thetas; names of operations: whatever the document prints."""
    compared = [run for run in chapter.runs if run.block.expected]
    assert len(compared) >= 14
    for run in compared:
        relative, absolute = run.block.tolerance
        where = f"{CHAPTER.name}:{run.block.line}"
        assert words(run.printed) == words(run.block.expected), where
        np.testing.assert_allclose(numbers(run.printed), numbers(run.block.expected), rtol=relative, atol=absolute, err_msg=where)


def test_nothing_else_is_printed(chapter: Chapter) -> None:
    for run in chapter.runs:
        assert bool(run.printed) == bool(run.block.expected), f"{CHAPTER.name}:{run.block.line}"


def test_restored_theta(chapter: Chapter) -> None:
    """Bit for bit what was saved, and the values that the chapter prints for the same program without saving."""
    (restored,) = chapter.with_text("saver.restore")
    (printed,) = (run for run in chapter.with_text("Best theta", "optimizer.minimize", "tf.constant") if run.block.expected)
    np.testing.assert_array_equal(restored.names["best_theta_restored"], restored.names["best_theta"])
    np.testing.assert_allclose(restored.names["best_theta"].ravel(), numbers(printed.block.expected)[-9:], atol=1e-6)


def test_saved_under_another_name(chapter: Chapter) -> None:
    (made,) = chapter.with_text('{"weights": theta}')
    saver, theta = made.names["saver"], made.names["theta"]
    with tf.Session(graph=theta.graph) as sess:
        theta.initializer.run()
        saved = theta.eval()
        path = saver.save(sess, str(chapter.folder / "renamed.ckpt"))
    with tf.Session(graph=theta.graph) as sess:
        saver.restore(sess, path)
        np.testing.assert_array_equal(theta.eval(), saved)
    with tf.Graph().as_default(), tf.Session() as sess:
        weights = tf.get_variable("weights", shape=saved.shape)
        tf.train.Saver().restore(sess, path)
        np.testing.assert_array_equal(weights.eval(), saved)


def test_mini_batches_while_logging(chapter: Chapter) -> None:
    """The same theta as without TensorBoard, and the logged errors can be read back."""
    (plain,) = (run for run in chapter.with_text("fetch_batch(") if "summary" not in run.block.source)
    for logged in chapter.with_text("fetch_batch(", "mse_summary.eval"):
        np.testing.assert_array_equal(logged.names["best_theta"], plain.names["best_theta"])
        assert list(Path(chapter.folder, logged.names["logdir"]).glob("events.out.tfevents.*"))


def test_logged_errors(chapter: Chapter) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = chapter.with_text("fetch_batch(", "mse_summary.eval")[-1]
    files = Path(chapter.folder, run.names["logdir"]).glob("events.out.tfevents.*")  # two runs in one second share a folder
    accumulator = accumulators.EventAccumulator(str(max(files, key=lambda file: file.stat().st_mtime_ns)), {"scalars": 0})
    accumulator.Reload()
    steps = [event.step for event in accumulator.Scalars("MSE")]
    epoch = range(0, run.names["n_batches"], 10)
    assert steps == [start * run.names["n_batches"] + index for start in range(run.names["n_epochs"]) for index in epoch]
    assert {"loss/sub", "loss/mse"} <= {node.name for node in accumulator.Graph().node}


def test_written_graphs(chapter: Chapter) -> None:
    for folder in ("relu6", "relu8", "relu9"):
        assert list((chapter.folder / "logs" / folder).glob("events.out.tfevents.*")), folder


def test_shared_threshold(chapter: Chapter) -> None:
    """However it is shared there is one threshold, and five pairs of weights and biases."""
    shared = [run for run in chapter.with_text("def relu(X)", 'tf.get_variable("threshold"') if "FileWriter" in run.block.source]
    assert len(shared) == 3
    for run in shared:
        names = [variable.op.name for variable in run.names["output"].graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)]
        assert names.count("relu/threshold") == 1
        assert sum("weights" in name for name in names) == sum("bias" in name for name in names) == 5
        assert len(names) == 11


def test_pictures(chapter: Chapter) -> None:
    assert len(chapter.pictures) == 4
    for picture in chapter.pictures:
        html = picture._repr_html_()
        assert "<svg" in html or "<pre>" in html
        assert "predictions" in repr(picture) or "relu" in repr(picture)
