"""Where programs run: names, options, hints, what is missing; and sessions on a device that stands in for one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import symgraph as sg
from symgraph import codegen, config
from symgraph.codegen import devices
from symgraph.placement import find, spec, spelled

from ..codegen.stand_in import DEVICE, Counting, on_device


@pytest.fixture
def none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU."""
    monkeypatch.setattr(devices, "_asked", lambda: "there is no NVIDIA driver (libcuda.so.1 is not found): install the driver of the GPU")
    monkeypatch.setattr(devices, "find_spec", lambda name: None)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    """A machine with two GPUs, which stand-ins serve."""
    second = devices.Device("/device:GPU:1", "GPU", 1 << 31, "another stand-in", (8, 0), 4)
    monkeypatch.setattr(devices, "_asked", lambda: (DEVICE, second))
    monkeypatch.setattr(devices, "find_spec", lambda name: object())
    made = Counting()
    monkeypatch.setitem(vars(codegen), "compile_for", made.compile_for)
    monkeypatch.setitem(vars(codegen), "compile_loop_for", made.compile_loop_for)
    with config.override(SYMGRAPH_BACKEND="auto"):
        yield made


# ---------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("/gpu:0", "/device:GPU:0"),
        ("gpu", "/device:GPU:*"),
        ("cuda:1", "/device:GPU:1"),
        ("/device:GPU:0", "/device:GPU:0"),
        ("/device:cpu:0", "/device:CPU:0"),
        ("/job:worker/task:3/GPU:2", "/job:worker/task:3/device:GPU:2"),
        ("/job:ps", "/job:ps"),
        ("", ""),
    ],
)
def test_names_are_read_as_tf1_reads_them(name: str, wanted: str) -> None:
    assert spelled(spec(name)) == wanted


@pytest.mark.parametrize("name", ["/gpu:x", "my gpu", "/device:GPU:0:1", "/gpu:0/cpu:0", "/device"])
def test_what_is_no_name_is_said_at_once(name: str) -> None:
    if name != "/device":
        with pytest.raises(ValueError, match="names no device: say '/cpu:0', '/gpu:0'"), sg.device(name):
            pass
    with pytest.raises((ValueError, RuntimeError)):
        sg.Session(device=name)


def test_operations_keep_what_was_asked_for() -> None:
    with sg.device("/gpu:0"):
        a = sg.constant(1.0)
        with sg.device("/job:worker"):
            b = sg.constant(1.0)
        with sg.device("/cpu:0"):
            c = sg.constant(1.0)
        with sg.device(None):
            d = sg.constant(1.0)
        with sg.device(lambda op: "/gpu:1" if op.type == "Const" else None):
            e, f = sg.constant(1.0), sg.square(a)
    assert [t.device for t in (a, b, c, d, e, f)] == [
        "/device:GPU:0",
        "/job:worker/device:GPU:0",
        "/device:CPU:0",
        "",
        "/device:GPU:1",
        "/device:GPU:0",
    ]
    assert a.op.device == a.device and sg.constant(1.0).device == ""
    with pytest.raises(ValueError, match="a device is a name"), sg.device(3):
        pass


# ---------------------------------------------------------------- what there is
def test_the_cpu_is_always_there(none: None) -> None:
    (cpu,) = sg.list_devices()
    assert (cpu.name, cpu.device_type, cpu.compute_capability, cpu.index) == ("/device:CPU:0", "CPU", None, 0)
    assert cpu.memory_limit_bytes >= 0 and sg.Session().list_devices() == [cpu] and find("cpu") is None
    assert not sg.test.is_gpu_available() and sg.test.gpu_device_name() == ""


def test_gpus_are_listed_where_programs_can_run_on_them(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, first, second = sg.list_devices()
    assert first is DEVICE and str(second) == "/device:GPU:1 (another stand-in)" and find("/gpu:1") is second
    assert sg.test.is_gpu_available(min_cuda_compute_capability=(9, 0)) and sg.test.gpu_device_name() == "/device:GPU:0"
    assert not sg.test.is_gpu_available(min_cuda_compute_capability=(9, 1))
    with pytest.raises(RuntimeError, match=r"there is no /device:GPU:2; there are /device:CPU:0 \(.*\), /device:GPU:0 \(a stand-in\)"):
        sg.Session(device="cuda:2")
    with pytest.raises(RuntimeError, match="there is no /device:TPU:0"):
        sg.Session(device="/tpu:0")
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    assert len(sg.list_devices()) == 1 and not sg.test.is_built_with_cuda() or devices.simulated()


def test_one_error_says_what_is_missing(none: None) -> None:
    why = r'no NVIDIA driver \(libcuda.so.1 is not found\): install.*; numba-cuda is not installed: pip install "symgraph\[cuda\]"'
    with pytest.raises(codegen.DeviceError, match=why):
        sg.Session(device="cuda")
    with pytest.raises(RuntimeError, match=why):
        sg.function([], sg.constant(1.0), device="/gpu:0")
    with config.override(SYMGRAPH_DEVICE="cuda"):
        sess = sg.Session()
        with pytest.raises(RuntimeError, match=why):
            sess.run(sg.constant(1.0) + 1.0)
        assert sg.Session(device="cpu").run(sg.constant(1.0) + 1.0) == 2
    with pytest.raises(TypeError, match="device is a name such as 'cuda'"):
        sg.Session(device=0)  # type: ignore[arg-type]


def test_operations_that_ask_in_vain() -> None:
    """As in TF1: an error, or the CPU with soft placement."""
    with sg.device("/gpu:0"):
        y = sg.square(sg.constant(3.0), name="asks")
    if sg.test.is_gpu_available():
        pytest.skip("there is one")
    with pytest.raises(sg.errors.InvalidArgumentError, match=r"(?s)explicitly assigned to /device:GPU:0 .*available.*CPU:0.*soft_"):
        sg.Session().run(y)
    assert sg.Session(config=sg.ConfigProto(allow_soft_placement=True)).run(y) == 9
    assert sg.Session(device="cpu").run(y) == 9
    with config.override(SYMGRAPH_DEVICE="cpu"):
        assert sg.Session().run(y) == 9
    assert sg.Session().run(sg.square(3.0)) == 9, "who does not need it is not asked"
    assert sg.Session().run(y, {y: 1.0}) == 1, "nor what lies behind a feed"


def test_the_option() -> None:
    with pytest.raises(ValueError, match="SYMGRAPH_DEVICE takes auto, cpu, cuda"), config.override(SYMGRAPH_DEVICE="tpu"):
        pass


def test_placement_is_logged_on_request(caplog: pytest.LogCaptureFixture) -> None:
    with sg.Session(config=sg.ConfigProto(log_device_placement=True)) as sess, caplog.at_level("INFO", "symgraph.tf"):
        sess.run(sg.square(sg.constant(2.0, name="c"), name="s"))
    assert [r.getMessage() for r in caplog.records] == ["c: (Const): /device:CPU:0", "s: (Square): /device:CPU:0"]


# ---------------------------------------------------------------- sessions on a device
def model() -> tuple[Any, ...]:
    X = sg.placeholder(sg.float32, (None, 3), name="X")
    theta = sg.Variable(np.ones((3, 1), np.float32), name="theta")
    loss = sg.reduce_mean(sg.square(sg.matmul(X, theta)), name="loss")
    return X, theta, loss, sg.train.GradientDescentOptimizer(0.1).minimize(loss)


DATA = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)


def test_a_session_on_a_device(counting: Counting, tmp_path: Path) -> None:
    X, theta, loss, step = model()
    found = {}
    for device in ("cpu", "cuda"):
        with sg.Session(device=device) as sess:
            sess.run(sg.global_variables_initializer())
            counting.counts()
            first = sess.run([loss, step], {X: DATA})[0]
            for _ in range(3):
                sess.run(step, {X: DATA})
            launches = counting.counts()
            found[device] = first, sess.run(theta), sess.run(loss, {X: DATA})
            saver = sg.train.Saver([theta])
            path = saver.save(sess, str(tmp_path / device))
            sess.run(step, {X: DATA})
            saver.restore(sess, path)
            assert_array_equal(sess.run(theta), found[device][1])
            sess.run(step, {X: DATA})
            assert np.abs(sess.run(theta) - found[device][1]).max() > 0
    assert launches[0] == 4 and launches[1] >= 4 * DATA.nbytes, "one launch a run"
    for a, b in zip(found["cpu"], found["cuda"], strict=True):
        assert_allclose(a, b, rtol=1e-5)


def test_variables_that_are_only_looked_at_stay_on_the_device(counting: Counting) -> None:
    X, theta, loss, step = model()
    with sg.Session(device="cuda") as sess:
        sess.run(sg.global_variables_initializer())
        sess.run(step, {X: DATA})
        counting.counts()
        sess.run(theta)
        sess.run(step, {X: DATA})
        assert counting.counts() == (1, DATA.nbytes, 12)
        fed = on_device(DATA)
        sess.run(step, {X: fed})
        assert counting.counts() == (1, 0, 0), "what lies on the device stays there"
        assert_allclose(sess.run(loss, {X: fed}), sess.run(loss, {X: DATA}), rtol=1e-6)
        with pytest.raises(TypeError, match="Cannot feed a float64 array on a device for Tensor 'X:0'"):
            sess.run(loss, {X: on_device(DATA.astype(np.float64))})
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            sess.run(loss, {X: on_device(DATA[:, :2])})
    with sg.Session(device="cpu") as sess:
        sess.run(sg.global_variables_initializer())
        assert_allclose(sess.run(loss, {X: fed}), sess.run(loss, {X: DATA}), rtol=1e-6)


def test_hints_choose_for_a_whole_program(counting: Counting) -> None:
    """Programs of one session on both: each variable is where it was last written."""
    v = sg.Variable([1.0, 2.0], name="v")
    with sg.device("/gpu:0"):
        there = v.assign(v * 2.0 + sg.random_normal([2], seed=1) * 0.0)
    here = v.assign_add([1.0, 1.0])
    with sg.Session() as sess:
        sess.run(sg.global_variables_initializer())
        for _ in range(2):
            assert_array_equal(sess.run(there), sess.run(v))
            sess.run(here)
        assert_array_equal(sess.run(v), [7, 11])
        assert counting.counts()[0] == 2
        assert sess.compiled(there).source
        with pytest.raises(TypeError, match="runs on the CPU"):
            sess.compiled(here).ptx()
    hidden = sg.ConfigProto(device_count={"GPU": 0}, allow_soft_placement=True)
    with sg.Session(config=hidden) as sess:
        sess.run(sg.global_variables_initializer())
        sess.run(there)
        assert counting.counts()[0] == 0
    with pytest.raises(sg.errors.InvalidArgumentError, match="device_count"):
        sg.Session(config=sg.ConfigProto(device_count={"GPU": 0})).run(there)


@pytest.mark.parametrize("batches", [None, 8])
def test_loops_on_a_device(counting: Counting, batches: int | None) -> None:
    X, theta, loss, step = model()
    found = {}
    for device in ("cpu", "cuda"):
        with sg.Session(device=device) as sess:
            sess.run(sg.global_variables_initializer())
            rows = sg.Minibatch(batches, seed=3) if batches else None
            history = sess.run_loop(step, 30, {X: DATA}, rows, record=[loss, theta], every=3)
            found[device] = history["loss"], history["theta"], sess.run(theta)
            assert "step by step" not in history.explain()
    assert "a launch: as many steps as fit in 0.1 s" in history.explain()
    for a, b in zip(found["cpu"], found["cuda"], strict=True):
        assert_allclose(a, b, rtol=1e-4)


def test_functions_on_a_device(counting: Counting) -> None:
    x = sg.placeholder(sg.float32, (None,), name="x")
    v = sg.Variable(2.0, name="v")
    f = sg.function([x], sg.reduce_sum(x) * v, updates=[(v, v + 1.0)], device="cuda")
    assert [f(np.ones(3, np.float32)) for _ in range(2)] == [6, 9] and f.variables == {"v": 4.0}
    assert "1 launch" in f.explain() and f.loop(2, [1.0])["mul"].tolist() == [4, 5]
    with pytest.raises(ValueError, match="give device to one of the two"):
        sg.function([x], x, session=sg.Session(), device="cuda")


def test_host_operations_between_launches(counting: Counting) -> None:
    x = sg.placeholder(sg.float32, (3,))
    y = sg.py_func(lambda a: a + 1, [x * 2.0], sg.float32) * x
    with sg.Session(device="cuda") as sess:
        assert_array_equal(sess.run(y, {x: on_device(np.ones(3, np.float32))}), 3)
    assert counting.counts()[0] == 2


def test_importing_asks_no_driver() -> None:
    code = "import sys, symgraph; symgraph.list_devices(); print('numba' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
