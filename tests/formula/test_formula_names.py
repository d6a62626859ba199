"""What things are called: distinct in every notation, by the user's names, and whatever else is in the graph."""

from __future__ import annotations

import keyword
from functools import reduce

import numpy as np
import pytest

import symgraph as sg
from symgraph import build, dtypes
from symgraph.formula.api import Formula
from symgraph.formula.names import Labels
from symgraph.formula.spelling import identifier, latex_name, text_name
from symgraph.node import Kind, Node
from tests.formula.test_katex import NAMES


def leaves(names: list[str]) -> list[Node]:
    return [build.leaf(Kind.PLACEHOLDER, name, (), dtypes.float64) for name in names]


def test_any_names_stay_apart() -> None:
    """In text, in LaTeX and in Python, however alike they are spelled."""
    given = leaves([*NAMES, "x", "x_1", "alpha", "a-b", "a_b", "a+b", "np", "lambda"])
    total = reduce(lambda a, b: build.elementwise(lambda x, y: x * y, a, b), given)
    labels = Labels(total, {})
    names = [labels[n] for n in given]
    assert len({text_name(n) for n in names}) == len({latex_name(n) for n in names}) == len(given)
    source = Formula(total).numpy_source()
    head = next(line for line in source.splitlines() if line.startswith("def g("))
    parameters = head.removeprefix("def g(").removesuffix("):").split(", ")
    assert len(set(parameters)) == len(given)
    assert all(p.isidentifier() and p.isascii() and not keyword.iskeyword(p) for p in parameters)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("θ", "theta"),
        ("my-var", "my_var"),
        ("100%", "x100"),
        ("a b", "a_b"),
        ("lambda", "lambda_"),
        ("sum", "sum_"),
        ("W_1", "W_1"),
        ("变量", "x"),
    ],
)
def test_identifiers(name: str, wanted: str) -> None:
    assert identifier(name) == wanted


def test_parameters_do_not_hide_what_the_source_calls() -> None:
    softmax, g = sg.placeholder(sg.float64, (2, 3), "softmax"), sg.placeholder(sg.float64, (2, 3), "g")
    source = sg.formula(sg.nn.softmax(softmax) * g).numpy_source()
    assert "def g(softmax_2, g_2):" in source
    space: dict = {}
    exec(source, space)
    np.testing.assert_allclose(space["g"](np.zeros((2, 3)), np.ones((2, 3))), 1 / 3)


def hidden(before: int, name: str | None) -> sg.Tensor:
    """A gradient beside other operations, the hidden layer with a name or without."""
    sg.reset_default_graph()
    for k in range(before):
        sg.tanh(sg.placeholder(sg.float32, (None,), f"other{k}") * 3.0 + 1.0)
    X, y = sg.placeholder(sg.float32, (None, 4), "X"), sg.placeholder(sg.float32, (None, 2), "y")
    w1, w2 = sg.Variable(np.ones((4, 3), np.float32), name="W1"), sg.Variable(np.ones((3, 2), np.float32), name="W2")
    h = sg.tanh(2.0 * sg.matmul(X, w1), name=name)
    return sg.gradients(sg.reduce_mean(sg.square(sg.matmul(h, w2) - y)), w1)[0]


@pytest.mark.parametrize(("name", "called"), [("layer", "layer"), ("Tanh", "H"), (None, "H"), ("model/h_1", "h₁")])
def test_parts_have_the_users_names_and_no_others(name: str | None, called: str) -> None:
    found = {str(sg.formula(hidden(k, name))) for k in (0, 1, 5)}
    assert found == {f"2/m · Xᵀ((1 − {called}²) ∘ ({called}{' ' if len(called) > 1 else ''}W₂ − y)W₂ᵀ)\n  {called} = tanh(2 · XW₁)"}


def test_a_short_name_for_little_is_worth_it() -> None:
    """What the user named is a part sooner than what nobody did, and never shorter than its name deserves."""
    x, w = sg.placeholder(sg.float32, (3, 3), "x"), sg.placeholder(sg.float32, (3, 3), "w")
    named, plain = sg.tanh(sg.matmul(x, w) + x, name="H"), sg.cos(sg.matmul(x, w))
    error = sg.subtract(x, w, name="error")
    assert str(sg.formula(named * named + named)) == "H² + H\n  H = tanh(xw + x)"
    assert sg.formula(plain * plain + plain).where == {}
    assert sg.formula(error * error + error).where == {}


def test_an_identity_gives_a_name() -> None:
    x = sg.placeholder(sg.float32, (3,), "x")
    e = sg.identity(sg.exp(sg.sin(x) + 2.0 * x), name="energy")
    assert sg.formula(e * e + e).where == {"energy": "exp(sin(x) + 2 · x)"}


def test_operations_without_a_name_have_none() -> None:
    """What operations are called when nobody names them is not taken for the user's word."""
    x = sg.placeholder(sg.float32, (4, 4), "x")
    made = [
        x + 1.0,
        1.0 - x,
        x * 2.0,
        x / 3.0,
        x // 2.0,
        x % 2.0,
        x**3.0,
        -x,
        abs(x),
        x > 0.0,
        x @ x,
        sg.matmul(x, x),
        sg.norm(x),
        sg.nn.softmax(x),
        sg.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=x),
        sg.reduce_sum(x),
        sg.reduce_mean(x, 0),
        sg.transpose(x),
        sg.concat([x, x], 0),
        sg.stack([x, x]),
        x[1:],
        sg.reshape(x, [-1]),
        sg.expand_dims(x, 0),
        sg.clip_by_value(x, 0.0, 1.0),
        sg.where(x > 0.0, x, -x),
        sg.cast(x, sg.float64),
        sg.trace(x),
        sg.zeros_like(x),
        sg.eye(3),
        sg.gather(x, [0]),
        sg.add_n([x, x]),
        sg.squeeze(x[:1]),
        sg.to_float(sg.cast(x, sg.int32)),
        sg.tanh(x),
        sg.nn.softplus(x),
        sg.truediv(x, 2.0),
    ]
    for t in made:
        assert not [name for n, name in sg.formula(t)._names.items() if n.operands], t
