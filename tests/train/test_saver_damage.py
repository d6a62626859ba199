"""Damaged and unfinished checkpoints: nothing is restored from them, and none is left by a process that dies.

Law of this file: every byte is changed, every length is cut, every step is the last one, and two hundred processes are
killed.
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
from safetensors.numpy import save_file

import symgraph as tf
from symgraph import config, record
from symgraph.errors import DataLossError, OpError
from symgraph.train import checkpoint
from symgraph.train.values import Values
from tests.train.test_saver import ROOT, files, linear_regression, variables


@pytest.fixture(autouse=True)
def reference_backend() -> Iterator[None]:
    with config.override(SYMGRAPH_BACKEND="reference"):
        yield


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "model.ckpt")


# ---------------------------------------------------------------- damage
@pytest.fixture
def small(path: str) -> tuple[tf.train.Saver, str, bytes]:
    sess, _ = variables(weights=np.arange(6.0).reshape(2, 3), bias=np.arange(4, dtype=np.int32), step=np.int64(3))
    saver = tf.train.Saver()
    saver.save(sess, path)
    return saver, path, Path(path + ".safetensors").read_bytes()


def assert_refused(saver: tf.train.Saver, path: str, *kinds: type[Exception], **words: Any) -> None:
    with tf.Session() as sess:
        with pytest.raises(kinds or (OpError, ValueError), **words):
            saver.restore(sess, path)
        assert not sess.state.initialized


def test_a_changed_bit_names_the_tensor(small: tuple) -> None:
    saver, path, data = small
    with Values(path + ".safetensors") as values:
        entries = values.entries
    for name, e in entries.items():
        for at in (e.start, (e.start + e.stop) // 2, e.stop - 1):
            changed = bytearray(data)
            changed[at] ^= 0x10
            Path(path + ".safetensors").write_bytes(changed)
            words = f"is damaged: the tensor '{name}' has other bytes than were written. Nothing was restored"
            assert_refused(saver, path, DataLossError, match=words)
    Path(path + ".safetensors").write_bytes(data)
    with tf.Session() as sess:
        saver.restore(sess, path)


def test_no_changed_byte_gives_other_values(small: tuple) -> None:
    """Wherever a byte is changed, header or values, what is restored is what was saved, or nothing is."""
    saver, path, data = small
    refused = 0
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 + at % 255
        Path(path + ".safetensors").write_bytes(changed)
        with tf.Session() as sess:
            try:
                saver.restore(sess, path)
            except (OpError, ValueError):
                refused += 1
                assert not sess.state.initialized
                continue
            assert sess.run("weights:0").tolist() == [[0, 1, 2], [3, 4, 5]]
            assert (sess.run("bias:0").tolist(), sess.run("step:0")) == ([0, 1, 2, 3], 3)
    assert refused > 0.8 * len(data)  # but for the header's padding and the graph's digest


def test_truncated(small: tuple) -> None:
    saver, path, data = small
    with Values(path + ".safetensors") as values:
        last = max(values.entries, key=lambda n: values.entries[n].stop)
    for size in range(len(data)):
        Path(path + ".safetensors").write_bytes(data[:size])
        assert_refused(saver, path)
    assert_refused(saver, path, match=f"is cut off after {len(data) - 1} bytes, inside or before the tensor '{last}'")
    Path(path + ".safetensors").write_bytes(data[:20])
    assert_refused(saver, path, match="it ends inside its header, after 20 bytes")
    Path(path + ".safetensors").write_bytes(data + b"x")
    assert_refused(saver, path, match="1 bytes follow its last tensor")


def test_other_files(small: tuple) -> None:
    saver, path, data = small
    save_file({"weights": np.zeros((2, 3))}, path + ".safetensors")
    assert_refused(saver, path, match="is not a file that symgraph wrote")
    save_file({}, path + ".safetensors", {"symgraph": json.dumps({"version": 2})})
    assert_refused(saver, path, match="written by a newer symgraph: its format is 2, this one reads up to 1")
    metadata = {"symgraph": json.dumps({"version": 1, "graph": None, "digests": {"weights": "0" * 64, "lost": "0" * 64}})}
    save_file({"weights": np.zeros((2, 3))}, path + ".safetensors", metadata)
    assert_refused(saver, path, match="what its header says of the tensor 'lost' is not as it was written")


def test_the_graph_belongs_to_the_values(path: str) -> None:
    linear_regression()
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    tf.train.Saver().save(sess, path)
    tf.reset_default_graph()
    text = Path(path + ".meta").read_text(encoding="utf-8")
    Path(path + ".meta").write_text(text.replace('"mse"', '"msf"'), encoding="utf-8")
    with pytest.raises(ValueError, match="is not the graph that .* was written with"):
        tf.train.import_meta_graph(path + ".meta")
    sess, _ = variables(a=1.0)
    Path(path + ".meta").write_text(text, encoding="utf-8")
    tf.train.Saver().save(sess, path, write_meta_graph=False)
    assert Path(path + ".meta").read_text(encoding="utf-8") == text
    tf.reset_default_graph()
    tf.train.import_meta_graph(path + ".meta")  # the values say that they have no graph
    assert record.loads(text)["saver"]["variables"] == {"theta": "theta"}


# ---------------------------------------------------------------- dying
class Died(BaseException):
    pass


def dying_at(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """After `moment` fsyncs and renames the next one does not return, nor is anything cleaned up then."""
    calls: list[int] = []

    def step(f: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            calls.append(1)
            if len(calls) > moment:
                raise Died
            return f(*args)

        return call

    remove = os.unlink
    monkeypatch.setattr(checkpoint.os, "replace", step(os.replace))
    monkeypatch.setattr(checkpoint.os, "fsync", step(os.fsync))
    monkeypatch.setattr(checkpoint.os, "unlink", lambda name: len(calls) > moment or remove(name))


def numbered(k: int) -> tuple[tf.Session, tf.train.Saver]:
    tf.reset_default_graph()
    tf.constant(k, name="marker")
    sess, _ = variables(a=np.full(3, k))
    return sess, tf.train.Saver(max_to_keep=1)


@pytest.mark.parametrize("steps", [False, True])
def test_every_moment_of_dying(steps: bool, path: str, tmp_path: Path) -> None:
    """One path written again and again, or a new one for each step, of which only the last is kept."""
    sess, saver = numbered(0)
    last = saver.save(sess, path, global_step=0 if steps else None)
    completed = 0
    for k in range(1, 40):
        sess, saver = numbered(k)
        saver.set_last_checkpoints([last])
        with pytest.MonkeyPatch.context() as patch:
            dying_at(patch, (k - 1) // 2)
            try:
                last = saver.save(sess, path, global_step=k if steps else None)
                completed += 1
            except Died:
                pass
        tf.reset_default_graph()
        found = tf.train.latest_checkpoint(str(tmp_path))
        with tf.Session() as again:
            tf.train.import_meta_graph(found + ".meta").restore(again, found)
            there = int(again.run("marker:0"))
            assert again.run("a:0").tolist() == [there] * 3
            if not steps and completed:
                assert there == k
        for leftover in tmp_path.glob(f"*.tmp{os.getpid()}"):  # the next process has another number
            leftover.rename(leftover.with_suffix(f".tmp{9_000_000 + k}"))
    assert completed > 3
    assert steps or files(tmp_path) == ["checkpoint", "model.ckpt.meta", "model.ckpt.safetensors"]


def test_two_hundred_kills(tmp_path: Path) -> None:
    environment = {**os.environ, "SYMGRAPH_BACKEND": "reference", "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    shared = Path("/dev/shm")
    folder = tmp_path
    if os.access(shared, os.W_OK):  # processes die here, not disks: memory will do, and waits for nothing
        folder = shared / f"symgraph_kills_{os.getpid()}"
        folder.mkdir()
    try:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("saver_kills.py")), str(folder), "200", "1"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        kills, newer, unfinished, _ = [int(w) for w in done.stdout.split() if w.isdecimal()]
        assert kills == 200
        assert 40 < newer < 160
        assert unfinished > 10
    finally:
        if folder is not tmp_path:
            for f in sorted(folder.rglob("*"), reverse=True):
                f.rmdir() if f.is_dir() else f.unlink()
            folder.rmdir()


def test_a_full_disk(small: tuple, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    saver, path, data = small
    with tf.Session() as sess:
        saver.restore(sess, path)

        def full(*args: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(checkpoint, "write_values", full)
        with pytest.raises(OSError, match="No space left"):
            saver.save(sess, path)
    assert Path(path + ".safetensors").read_bytes() == data
    assert files(tmp_path) == ["checkpoint", "model.ckpt.meta", "model.ckpt.safetensors"]
