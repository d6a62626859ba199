"""Planted mistakes: what a user who makes one is told.

Law of this file: every row of the tables is written to a file and run statement by statement.  The message says what,
where and with which operands, and nothing of the machinery; one fault is one traceback; after it nothing is left
behind: the graph is as it was before the statement, and goes on working.
"""

from __future__ import annotations

import ast
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import symgraph as tf
from symgraph.errors import FailedPreconditionError, InvalidArgumentError
from tests.graph.mistakes import DTYPES, GRAPHS, SHAPES, Mistake
from tests.graph.mistakes_met_running import LOOKUPS, RUNS

NOISE = (
    "Traceback",
    "numba",
    "Numba",
    "sympy",
    "Symbol(",
    "LinAlgError",
    "site-packages",
    "symgraph/",
    "codegen",
    "NoneType' object",
    "object at 0x",
)
"""What a user must never read in a message."""

ALL = SHAPES + DTYPES + GRAPHS + LOOKUPS + RUNS


# ---------------------------------------------------------------- the harness
class Program:
    """A mistake's program in a file of its own, run statement by statement."""

    def __init__(self, mistake: Mistake, folder: Path) -> None:
        self.text = mistake.program.strip("\n") + "\n"
        self.path = folder / "train.py"
        self.path.write_text(self.text)
        self.names = {"tf": tf, "np": np}
        self.marks = {m[1]: f"train.py:{n}" for n, line in enumerate(self.text.splitlines(), 1) if (m := re.search(r"#: (\w+)", line))}

    def statements(self) -> Iterator[tuple[int, int, object]]:
        """(first line, last line, code)"""
        for s in ast.parse(self.text).body:
            yield s.lineno, s.end_lineno or s.lineno, compile(ast.Module([s], []), str(self.path), "exec")

    def fails(self) -> tuple[Exception, range, dict, object]:
        """The exception, the lines of its statement, and the default graph's contents before it."""
        for first, last, code in self.statements():
            before = contents(tf.get_default_graph())
            try:
                exec(code, self.names)  # type: ignore[call-overload]
            except Exception as e:  # noqa: BLE001  whatever is raised is what the test looks at
                return e, range(first, last + 1), before, code
        pytest.fail("nothing was wrong with it")


def contents(graph: tf.Graph) -> dict:
    return {
        "operations": graph.get_operations(),
        "names": dict(graph._taken),
        "counted": graph.counted,
        "collections": {k: list(v) for k, v in graph._collections.items() if v},
        "scope": graph._scope,
        "control": graph._control,
    }


@pytest.mark.parametrize("mistake", ALL, ids=lambda m: m.name)
def test_mistake(mistake: Mistake, tmp_path: Path) -> None:
    program = Program(mistake, tmp_path)
    error, lines, before, code = program.fails()
    message = error.args[0] if isinstance(error, KeyError) else str(error)
    assert isinstance(error, mistake.kind), f"{type(error)}: {message}"
    for text in mistake.says:
        assert text.format(**program.marks) in message
    for noise in NOISE:
        assert noise not in message
    shown = "".join(traceback.format_exception(error))
    assert shown.count("Traceback (most recent call last)") == 1, "one fault is one traceback"
    assert any(f'train.py", line {n}' in shown for n in lines)
    if mistake.line:
        assert any(f"train.py:{n}" in message for n in lines), message
    if mistake.clean:
        assert contents(tf.get_default_graph()) == before
        with pytest.raises(type(error)) as again:
            exec(code, program.names)  # type: ignore[call-overload]
        assert str(again.value) == str(error), "names and all are as they were"
    assert tf.Session().run(tf.constant(1.0) + 1.0) == 2.0, "the graph goes on working"


def test_there_are_many() -> None:
    assert len(ALL) == len({m.name for m in ALL})
    assert len(ALL) >= 130


# ---------------------------------------------------------------- nothing is lost
def test_a_failed_call_gives_its_names_back() -> None:
    x, y = tf.zeros([3]), tf.zeros([4])
    with pytest.raises(ValueError):
        tf.add(x, y, name="total")
    with pytest.raises(TypeError):
        tf.Variable([1.0], dtype="nope", name="w")
    assert tf.add(x, 1.0, name="total").name == "total:0"
    assert tf.Variable([1.0], name="w").name == "w:0"
    assert (x + 1.0).name == "add:0"


def test_a_failed_composite_leaves_no_parts() -> None:
    v = tf.Variable([1.0, 2.0])
    loss = tf.reduce_sum(tf.square(v))
    optimizer = tf.train.AdamOptimizer(0.1)
    before = contents(tf.get_default_graph())
    with pytest.raises(TypeError):
        optimizer.minimize(loss, global_step=tf.constant(3))
    operations = contents(tf.get_default_graph())["operations"]
    assert [op.name for op in operations[len(before["operations"]) :]] == ["Const"]
    assert tf.global_variables() == [v]
    train = optimizer.minimize(loss)
    assert train.name == "Adam"
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        np.testing.assert_allclose(sess.run(v), [0.9, 1.9], rtol=1e-5)


def test_random_streams_do_not_notice_a_failed_call() -> None:
    def draw(fail: bool) -> np.ndarray:
        tf.reset_default_graph()
        tf.set_random_seed(42)
        x = tf.zeros([3])
        if fail:
            with pytest.raises(ValueError):
                tf.matmul(x + 1.0, [1.0])
            with pytest.raises(ValueError):
                tf.reshape(x, [5])
        else:
            x + 1.0
        r = tf.random_uniform([3])
        return tf.Session().run(r)

    np.testing.assert_array_equal(draw(True), draw(False))


def test_a_failed_run_keeps_the_variables() -> None:
    p = tf.placeholder(tf.float32, [2, 2], name="p")
    v = tf.Variable(np.ones((2, 2), np.float32))
    n = tf.Variable(0)
    count = n.assign_add(1)
    with tf.control_dependencies([count]):
        step = v.assign(tf.matrix_inverse(p))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step, {p: 2 * np.eye(2)})
        for bad in (np.zeros((2, 2)), np.zeros((2, 3)), "abc"):
            with pytest.raises((InvalidArgumentError, ValueError)):
                sess.run(step, {p: bad})
            with pytest.raises(InvalidArgumentError):
                sess.run(step)
            np.testing.assert_array_equal(sess.run(v), 0.5 * np.eye(2))
            assert sess.run(n) == 1
        sess.run(step, {p: np.eye(2)})
        np.testing.assert_array_equal(sess.run(v), np.eye(2))
        assert sess.run(n) == 2


def test_a_failed_initializer_initializes_nothing() -> None:
    p = tf.placeholder(tf.float32, [2, 2], name="p")
    v = tf.Variable(tf.matrix_inverse(p), name="v")
    with tf.Session() as sess:
        with pytest.raises(InvalidArgumentError):
            sess.run(v.initializer, {p: np.zeros((2, 2))})
        with pytest.raises(FailedPreconditionError):
            sess.run(v)
        sess.run(v.initializer, {p: np.eye(2)})
        np.testing.assert_array_equal(sess.run(v), np.eye(2))


def test_an_error_of_a_run_knows_its_operation() -> None:
    p = tf.placeholder(tf.float32, [2], name="p")
    inverse = tf.matrix_inverse(tf.zeros([2, 2]), name="inv")
    with tf.Session() as sess:
        with pytest.raises(tf.errors.InvalidArgumentError) as missing:
            sess.run(p)
        assert missing.value.op is p.op
        with pytest.raises(tf.errors.InvalidArgumentError) as singular:
            sess.run(inverse)
        assert singular.value.op is inverse.op
        assert singular.value.message == str(singular.value)


def test_the_innermost_user_line_is_named(tmp_path: Path) -> None:
    """A helper of the user's own is the user's code: the line in the helper is the one that made the operation."""
    (tmp_path / "layers.py").write_text("import symgraph as tf\n\ndef dense(x, w):\n    return tf.matmul(x, w)\n")
    names: dict = {}
    exec(compile((tmp_path / "layers.py").read_text(), str(tmp_path / "layers.py"), "exec"), names)
    with pytest.raises(ValueError, match=r"made at layers\.py:4"):
        names["dense"](tf.zeros([2, 3]), tf.zeros([2, 3]))


def test_errors_of_the_users_own_functions_are_left_alone() -> None:
    """The graph is put in order, the exception and its traceback stay the user's."""

    def start() -> float:
        raise ValueError("no start")

    def penalty(w: tf.Tensor) -> None:
        raise ArithmeticError("no penalty")

    before = contents(tf.get_default_graph())
    with pytest.raises(ValueError, match="^no start$") as error:
        tf.Variable(start)
    assert error.traceback[-1].name == "start"
    with pytest.raises(ArithmeticError, match="^no penalty$") as error:  # type: ignore[assignment]
        tf.get_variable("w", [2], regularizer=penalty)
    assert error.traceback[-1].name == "penalty"
    assert contents(tf.get_default_graph()) == before
    assert tf.get_variable("w", [2]).name == "w:0"
