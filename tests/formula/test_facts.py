"""What is assumed of tensors: what can be said, what is refused, what is looked at, and that it travels with the graph."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as tf
from symgraph import config, facts, record
from symgraph.facts import FACTS

OK = {
    "positive": [[1e-30, 2.0], [3.0, np.inf]],
    "symmetric": [[1.0, 2.0], [2.0 + 1e-12, np.inf]],
    "orthogonal": [[0.6, -0.8], [0.8, 0.6]],
    "rows_sum_to_one": [[0.1, 0.9], [2.0, -1.0]],
    "binary": [[0.0, 1.0], [1.0, 1.0]],
    "one_hot": [[0.0, 1.0], [1.0, 0.0]],
}
BROKEN = {
    "positive": ([[1.0, 2.0], [0.0, -1.0]], "S[1, 0] is 0.0"),
    "symmetric": ([[1.0, 2.0], [3.0, 4.0]], "S[0, 1] is 2.0, not what lies across the diagonal"),
    "orthogonal": ([[1.0, 0.0], [0.0, 2.0]], "(SᵀS)[1, 1] is 4.0"),
    "rows_sum_to_one": ([[0.5, 0.5], [0.5, 0.25]], "row [1] of S sums to 0.75"),
    "binary": ([[0.0, 1.0], [0.5, 1.0]], "S[1, 0] is 0.5"),
    "one_hot": ([[0.0, 1.0], [1.0, 1.0]], "row [1] of S is no 1 among zeros"),
}


def square(dtype: tf.DType = tf.float64) -> tf.Tensor:
    return tf.placeholder(dtype, (None, None), "S")


# ---------------------------------------------------------------- saying
def test_it_returns_what_it_was_given_and_adds_no_operation() -> None:
    S, v, c = square(), tf.Variable([1.0], name="v"), tf.constant([1.0])
    count = len(tf.get_default_graph().get_operations())
    for t in (S, v, c, S @ S):
        count += t is not S and t is not v and t is not c
        assert tf.assume(t, positive=True) is t
    assert len(tf.get_default_graph().get_operations()) == count
    assert list(facts.assumed(S.graph).values()) == [{"positive"}] * 4


def test_facts_add_up_and_imply_others() -> None:
    Y = square()
    tf.assume(Y, one_hot=True)
    tf.assume(Y, symmetric=True, positive=False)
    assert facts.assumed(Y.graph) == {Y: {"one_hot", "binary", "rows_sum_to_one", "symmetric"}}
    assert [f.says for f in facts.told(facts.assumed(Y.graph)[Y])] == ["symmetric", "one-hot"]


def test_what_follows_is_in_the_table() -> None:
    assert all(i in FACTS for f in FACTS.values() for i in f.implies)
    assert set(OK) == set(BROKEN) == set(FACTS)


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("shape", "said", "error", "words"),
    [
        ((3, 4), {"symmetric": True}, ValueError, "must be equal, but are 3 and 4"),
        ((3,), {"orthogonal": True}, ValueError, "at least rank 2"),
        ((), {"one_hot": True}, ValueError, "at least rank 1"),
        ((3, 3), {"green": True}, ValueError, "'green' is no fact"),
        ((3, 3), {}, ValueError, "no fact was given"),
        ((3, 3), {"positive": 1}, TypeError, "positive=1"),
    ],
)
def test_the_impossible_is_refused_at_the_users_line(shape: tuple, said: dict, error: type, words: str) -> None:
    t = tf.placeholder(tf.float32, shape, "t")
    with pytest.raises(error) as e:
        tf.assume(t, **said)
    assert words in str(e.value) and "test_facts.py" in str(e.value)
    assert not facts.assumed(t.graph)
    if "fact" in words:
        assert all(name in str(e.value) for name in FACTS)


def test_only_numbers_have_facts() -> None:
    for t in (tf.constant("word"), tf.placeholder(tf.bool, (2, 2))):
        with pytest.raises(TypeError, match="is about numbers"):
            tf.assume(t, positive=True)


@pytest.mark.parametrize("name", FACTS)
def test_a_constant_is_looked_at_at_once(name: str) -> None:
    tf.assume(tf.constant(OK[name], tf.float64, name="S"), **{name: True})
    wrong, words = BROKEN[name]
    with pytest.raises(ValueError) as e:
        tf.assume(tf.constant(wrong, tf.float64, name="S2"), **{name: True})
    assert f"is not {name}" in str(e.value) and words.replace("S", "S2") in str(e.value)


# ---------------------------------------------------------------- looking
@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize("dtype", [tf.float64, tf.float32])
def test_fed_values_are_looked_at_on_request(name: str, dtype: tf.DType) -> None:
    S = tf.assume(square(dtype), **{name: True})
    with tf.Session() as sess:
        assert sess.check_assumptions({S: OK[name]}) == [S]
        wrong, words = BROKEN[name]
        with pytest.raises(tf.errors.InvalidArgumentError) as e:
            sess.check_assumptions({S: wrong})
        assert (
            f"'S' was assumed {name}" in str(e.value) and words in str(e.value) and "Placeholder 'S' made at test_facts.py" in str(e.value)
        )
        sess.run(S, {S: wrong})  # nothing looks unasked
        with config.override(SYMGRAPH_CHECK=2):
            other = S + 1
            sess.run(other, {S: OK[name]})
            with pytest.raises(tf.errors.InvalidArgumentError, match="assumed"):
                sess.run(other, {S: wrong})


def test_variables_and_inner_tensors_are_looked_at() -> None:
    v = tf.assume(tf.Variable([1.0, 2.0], name="v"), positive=True)
    x = tf.placeholder(tf.float32, (2,), "x")
    inner = tf.assume(v - x, positive=True)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.check_assumptions() == [v.value()]
        assert sess.check_assumptions({x: [0, 0]}) == [v.value(), inner]
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"sub\[1\] is -1.0"):
            sess.check_assumptions({x: [0, 3]})
        v.load([1, -1], sess)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"'v' was assumed positive, which is not so: v\[1\] is -1.0"):
            sess.check_assumptions()


def test_rounding_is_no_fault_and_nan_is() -> None:
    P = tf.assume(tf.placeholder(tf.float32, (None, None), "P"), rows_sum_to_one=True)
    p = np.random.default_rng(0).random((50, 1000)).astype(np.float32)
    p /= p.sum(1, keepdims=True)
    with tf.Session() as sess:
        sess.check_assumptions({P: p})
        sess.check_assumptions({P: np.zeros((0, 3))})
        p[3, 4] = np.nan
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"row \[3\] of P sums to nan"):
            sess.check_assumptions({P: p})
        tf.assume(P, symmetric=True)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"its shape is \(2, 1\)"):
            sess.check_assumptions({P: np.ones((2, 1))})


# ---------------------------------------------------------------- the record
def test_facts_are_stored_with_the_graph() -> None:
    S = tf.assume(square(), symmetric=True, positive=True)
    tf.assume(tf.Variable([0.0], name="v"), binary=True)
    text = record.dumps(S.graph)
    other = tf.Graph()
    record.build_graph(record.loads(text), other)
    assert {t.name: names for t, names in facts.assumed(other).items()} == {t.name: names for t, names in facts.assumed(S.graph).items()}
    document = record.loads(text)
    del document["facts"]
    record.build_graph(document, tf.Graph())  # from before there were facts
    with pytest.raises(ValueError, match="the facts: 'green' is no fact"):
        record.build_graph({**document, "facts": {"S:0": ["green"]}}, fresh := tf.Graph())
    assert not fresh.get_operations()


def test_what_was_taken_back_has_no_facts() -> None:
    graph = tf.get_default_graph()

    def fails() -> tf.Tensor:
        tf.assume(tf.constant([1.0]) + 1, positive=True)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        tf.Variable(fails)
    assert not facts.assumed(graph)


# ---------------------------------------------------------------- in formulas
def test_rules_use_facts_and_the_formula_shows_them() -> None:
    S, x = square(), tf.placeholder(tf.float64, (None, 1), "x")
    loss = tf.transpose(x) @ S @ x
    assert str(tf.formula(tf.gradients(loss, x)[0])) == "(S + Sᵀ)x"
    tf.assume(S, symmetric=True)
    formula = tf.formula(tf.gradients(loss, x)[0])
    assert str(formula) == "2 · Sx\n  with S symmetric"
    assert formula.latex() == r"\begin{aligned} & 2 \, S x \\ & \text{with } S\text{ symmetric} \end{aligned}"
    tf.assume(S, positive=True)
    tf.assume(x, binary=True)
    assert str(tf.formula(loss)).endswith("\n  with x binary, S positive and symmetric")
    assert str(tf.formula(x + 1)) == "x + 1\n  with x binary"
    assert str(tf.formula(tf.constant(1.0))) == "1"


def test_facts_of_inner_tensors_stand_by_their_part() -> None:
    A = tf.placeholder(tf.float64, (None, None), "A")
    K = tf.assume(tf.identity(tf.tanh(A @ tf.transpose(A)) ** 3 - 2, name="K"), symmetric=True)
    text = str(tf.formula(tf.exp(K @ K) + tf.sin(K)))
    assert text.splitlines()[-1] == "  with K symmetric"


def test_an_inverse_has_one_size_however_it_is_called() -> None:
    S = tf.assume(tf.placeholder(tf.float64, (None, None), "S"), symmetric=True)
    assert str(tf.formula(tf.gradients(tf.linalg.logdet(S), S)[0])).startswith("S⁻¹\n")
