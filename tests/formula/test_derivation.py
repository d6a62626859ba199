"""Derivations: what a reader is told, and that every step of it holds.

Law of this file: goldens are whole texts of small losses whose rules have long settled; of the suite of textbook losses
every derivation is held to what must be true of any.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import symgraph as tf
from symgraph.formula.reasons import latex_words
from symgraph.simplify.rules import RULES
from tests.formula.suite import suite

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = [loss for loss in suite() if loss.kind == "gradient"][::14]


def linear() -> tuple[tf.Tensor, tf.Tensor, tf.Variable]:
    X = tf.placeholder(tf.float32, (None, 9), "X")
    y = tf.placeholder(tf.float32, (None, 1), "y")
    return X, y, tf.Variable(tf.zeros((9, 1)), name="theta")


def without_facts(formula: tf.Formula) -> str:
    """Steps name a fact where it is used, formulas below."""
    return str(formula).partition("\n  with ")[0]


def unnumbered(written: object) -> str:
    return re.sub("[₀-₉]", "", str(written))


def told(loss: tf.Tensor, x: object) -> str:
    d = tf.derivation(loss, x)
    assert d.check() < 1e-5
    return str(d)


# ---------------------------------------------------------------- whole texts
MSE = """\
   mse = sum((Xθ − y)²)/m
1. a constant factor stays a factor; every term of a sum has the derivative of the sum
   ∂mse/∂sum((Xθ − y)²) = ∂mse/∂(Xθ − y)² = 1/m
2. chain rule: d(u²)/du = 2u; a term of a sum has the derivative of the sum
   ∂mse/∂(Xθ − y) = ∂mse/∂(Xθ) = 2/m · (Xθ − y)
3. of C = AB, the derivative by B is Aᵀ times that by C
   ∂mse/∂θ = 2/m · Xᵀ(Xθ − y)"""


def test_mean_squared_error() -> None:
    X, y, theta = linear()
    assert told(tf.reduce_mean(tf.square(tf.matmul(X, theta) - y), name="mse"), theta) == MSE


def test_ridge() -> None:
    X, y, theta = linear()
    text = told(tf.reduce_sum(tf.square(X @ theta - y)) + 0.5 * tf.reduce_sum(tf.square(theta)), theta)
    assert (
        text
        == """\
   loss = sum((Xθ − y)²) + sum(θ²)/2
1. a constant factor stays a factor; every term of a sum has the derivative of the sum
   ∂loss/∂sum(θ²) = ∂loss/∂θ² = 1/2
2. chain rule: d(u²)/du = 2u; a term of a sum has the derivative of the sum
   ∂loss/∂(Xθ − y) = ∂loss/∂(Xθ) = 2 · (Xθ − y)
3. of C = AB, the derivative by B is Aᵀ times that by C; chain rule: d(u²)/du = 2u; read in several places, it adds up what comes from each
   ∂loss/∂θ = θ + 2 · Xᵀ(Xθ − y)"""
    )


def test_logistic_by_hand() -> None:
    X, y, theta = linear()
    p = tf.sigmoid(X @ theta)
    d = tf.derivation(-tf.reduce_mean(y * tf.log(p) + (1 - y) * tf.log(1 - p)), theta)
    d.check()
    lines = str(d).splitlines()
    assert (
        lines[:9]
        == """\
   loss = −sum(y ∘ log(σ(Xθ)) + (1 − y) ∘ log(1 − σ(Xθ)))/m
1. what is subtracted has minus the derivative
   ∂loss/∂(sum(T)/m) = −1
     T = y ∘ log(σ(Xθ)) + (1 − y) ∘ log(1 − σ(Xθ))
2. a constant factor stays a factor; every term of a sum has the derivative of the sum; a term of a sum has the derivative of the sum
   ∂loss/∂sum(T) = ∂loss/∂(y ∘ log(σ(Xθ))) = −1/m
3. chain rule: d(v·u)/du = v
   ∂loss/∂log(1 − σ(Xθ)) = −1/m · (1 − y)
4. chain rule: d log(u)/du = 1/u""".splitlines()
    )
    assert lines[-1] == "   = 1/m · Xᵀ(σ(Xθ) − y)"


def test_tanh_layer() -> None:
    X, y, _ = linear()
    W1, b1 = tf.Variable(tf.zeros((9, 5)), name="W1"), tf.Variable(tf.zeros((5,)), name="b1")
    W2 = tf.Variable(tf.zeros((5, 1)), name="W2")
    H = tf.tanh(X @ W1 + b1, name="H")
    assert (
        told(tf.reduce_mean(tf.square(H @ W2 - y)), b1)
        == """\
   loss = sum((tanh(XW₁ + b₁)W₂ − y)²)/m
1. a constant factor stays a factor; every term of a sum has the derivative of the sum
   ∂loss/∂sum((HW₂ − y)²) = ∂loss/∂(HW₂ − y)² = 1/m
     H = tanh(XW₁ + b₁)
2. chain rule: d(u²)/du = 2u; a term of a sum has the derivative of the sum
   ∂loss/∂(HW₂ − y) = ∂loss/∂(HW₂) = 2/m · (HW₂ − y)
3. of C = AB, the derivative by A is that by C times Bᵀ
   ∂loss/∂H = 2/m · (HW₂ − y)W₂ᵀ
4. chain rule: d tanh(u)/du = 1 − tanh(u)²
   ∂loss/∂(XW₁ + b₁) = 2/m · (1 − H²) ∘ (HW₂ − y)W₂ᵀ
5. a term of a sum has the derivative of the sum; summed over where it is repeated
   ∂loss/∂b₁ = sum₀(2/m · (1 − H²) ∘ (HW₂ − y)W₂ᵀ)
6. a scalar factor comes out of a sum
   = 2/m · sum₀((1 − H²) ∘ (HW₂ − y)W₂ᵀ)"""
    )


def test_softmax() -> None:
    X, _, _ = linear()
    W = tf.Variable(tf.zeros((9, 3)), name="W")
    Y = tf.assume(tf.placeholder(tf.float32, (None, 3), "Y"), rows_sum_to_one=True)
    d = tf.derivation(-tf.reduce_mean(tf.reduce_sum(Y * tf.nn.log_softmax(X @ W), 1)), W)
    d.check()
    assert (
        str(d).splitlines()[:4]
        == """\
   loss = −sum(sum₁(Y₁ ∘ log_softmax(XW)))/m
1. what is subtracted has minus the derivative
   ∂loss/∂t = −1
     t = sum(sum₁(Y₁ ∘ log_softmax(XW)))/m""".splitlines()
    )


# ---------------------------------------------------------------- what is true of any
@pytest.mark.parametrize("row", [pytest.param(row, id=row.name.replace(" ", "-")) for row in SAMPLE])
def test_of_the_suite(row) -> None:
    """It starts with the loss and ends with the gradient's formula, says nothing twice, and every step holds."""
    loss, wrt, leaves = row.build(tf)
    for name, facts in row.facts.items():
        tf.assume(leaves[name], **dict.fromkeys(facts, True))
    d = tf.derivation(loss, wrt)
    assert unnumbered(d.steps[0].after) == unnumbered(without_facts(tf.formula(loss)))  # its parts are numbered after the gradient's
    assert str(d.steps[-1].after) == without_facts(d.formula) and str(d.formula) == str(tf.formula(tf.gradients(loss, wrt)[0]))
    lines = str(d).splitlines()
    assert all(a != b for a, b in pairwise(lines))
    assert all(s.reason for s in d.steps[1:])
    assert d.check({leaves[n]: v for n, v in row.data(np.random.default_rng(5)).items()}) < 1e-5
    assert d.latex().isascii() and d.latex().count(r"\begin{aligned}") == 1


def test_a_wrong_step_is_found() -> None:
    X, y, theta = linear()
    d = tf.derivation(tf.reduce_mean(tf.square(X @ theta - y)), theta)
    loss, by_residual, *_ = d.steps
    nodes = ((by_residual._told.nodes[0][0], d.steps[2]._told.nodes[0][1]),)
    wrong = replace(d, steps=(loss, replace(by_residual, _told=replace(by_residual._told, nodes=nodes))))
    with pytest.raises(ArithmeticError, match="the sides of a step differ by"):
        wrong.check()


def test_facts_are_said() -> None:
    Q = tf.assume(tf.placeholder(tf.float64, (4, 4), "Q"), orthogonal=True)
    x = tf.placeholder(tf.float64, (4, 1), "x")
    d = tf.derivation(tf.reduce_sum(tf.square(tf.matmul(Q, x))), x)
    d.check()
    assert "(Q: orthogonal)" in str(d) and str(d.formula) == "2 · x"


def test_by_an_inner_tensor() -> None:
    X, y, theta = linear()
    z = tf.matmul(X, theta, name="z")
    d = tf.derivation(tf.reduce_mean(tf.square(tf.tanh(z) - y)), z)
    assert d.check() < 1e-5
    assert str(d.steps[-1].after) == str(d.formula)


def test_latex() -> None:
    X, y, theta = linear()
    d = tf.derivation(tf.reduce_mean(tf.square(X @ theta - y), name="mse"), theta)
    assert d.latex().startswith(r"\begin{aligned} \mathrm{mse} &= \frac{")
    assert r"\frac{\partial \mathrm{mse}}{\partial \theta} &= \frac{2}{m} \, X^\top" in d.latex()
    assert d._repr_latex_() == f"$${d.latex()}$$"
    assert latex_words("A_ik Aᵀ, 50% ‖u‖²") == r"\text{A\_ik A$^\top$, 50\% $\|$u$\|$$^{2}$}"


def test_what_cannot_be_told() -> None:
    X, y, theta = linear()
    mse = tf.reduce_mean(tf.square(X @ theta - y))
    before = len(tf.get_default_graph().get_operations())
    with pytest.raises(ValueError, match="does not depend on x"):
        tf.derivation(mse, tf.placeholder(tf.float32, (3,), "unread"))
    with pytest.raises(ValueError, match="by one x"):
        tf.derivation(mse, [theta])
    p = tf.placeholder(tf.float32, name="p")
    total = tf.reduce_sum(p)
    with pytest.raises(ValueError, match="has no formula yet"):
        tf.derivation(total, p)
    names = [op.name for op in tf.get_default_graph().get_operations()[before:]]
    assert names == ["unread", "p", "Sum"]


def test_every_rule_has_words_for_latex() -> None:
    assert all(latex_words(r.reason).isascii() for r in RULES.rules)


def test_the_same_in_every_process() -> None:
    program = (
        "import symgraph as tf\n"
        "X, W = tf.placeholder(tf.float64, (None, 4), 'X'), tf.placeholder(tf.float64, (4, 3), 'W')\n"
        "p = tf.nn.softmax(tf.tanh(X @ W))\n"
        "print(d := tf.derivation(tf.reduce_sum(p * tf.log(p)) + tf.norm(W), W), d.latex())\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(seen) == 1
