"""Named parts: which, in which order, written out again; and that a deep formula costs what its depth is."""

from __future__ import annotations

import time

import numpy as np
import pytest

import symgraph as sg


def net(depth: int, skip: bool = False, names: bool = False) -> sg.Tensor:
    """The gradient by the first weights of a net of tanh layers."""
    sg.reset_default_graph()
    X, Y = sg.placeholder(sg.float32, (None, 8), "X"), sg.placeholder(sg.float32, (None, 8), "Y")
    h, first = X, None
    for k in range(1, depth + 1):
        W, b = sg.Variable(np.eye(8, dtype=np.float32), name=f"W{k}"), sg.Variable(np.zeros(8, np.float32), name=f"b{k}")
        first = first if first is not None else W
        layer = sg.tanh(sg.matmul(h, W) + b, name=f"H{k}" if names else None)
        h = layer + h if skip else layer
    return sg.gradients(sg.reduce_mean(sg.square(h - Y)), first)[0]


@pytest.mark.parametrize("names", [False, True])
def test_a_net_reads_as_in_a_book(names: bool) -> None:
    assert str(sg.formula(net(2, names=names))) == (
        "1/(4m) · Xᵀ((1 − H₁²) ∘ ((1 − H₂²) ∘ (H₂ − Y))W₂ᵀ)\n  H₁ = tanh(XW₁ + b₁)\n  H₂ = tanh(H₁ W₂ + b₂)"
    )
    f = sg.formula(net(6, names=names))
    assert list(f.where) == ["H₁", "H₂", "H₃", "H₄", "H₅", "H₆", "D"]
    assert f.where["D"] == "(1 − H₃²) ∘ ((1 − H₄²) ∘ ((1 − H₅²) ∘ ((1 − H₆²) ∘ (H₆ − Y))W₆ᵀ)W₅ᵀ)W₄ᵀ"


def test_derivatives_are_counted_backwards() -> None:
    found = [name for name in sg.formula(net(12)).where if name.startswith("D")]
    assert len(found) > 1
    assert found == sorted(found, reverse=True)


def test_expand() -> None:
    f = sg.formula(net(2))
    flat = f.expand()
    assert flat.where == {}
    assert str(flat) == ("1/(4m) · Xᵀ((1 − tanh(XW₁ + b₁)²) ∘ ((1 − tanh(tanh(XW₁ + b₁)W₂ + b₂)²) ∘ (tanh(tanh(XW₁ + b₁)W₂ + b₂) − Y))W₂ᵀ)")
    assert "aligned" not in flat.latex()
    assert flat.ops == f.ops
    assert str(f).count("\n") == 2


def test_what_is_too_long_is_not_written_out() -> None:
    x = sg.placeholder(sg.float64, (3,), "x")
    y = x
    for _ in range(40):
        y = sg.sin(y) * y + sg.cos(y)
    with pytest.raises(ValueError, match="more than 100000 letters"):
        sg.formula(y).expand()
    assert len(str(sg.formula(y))) < 10_000


def test_ops_count_what_is_shared_once() -> None:
    f = sg.formula(net(2))
    assert f.ops == 15
    x = sg.placeholder(sg.float64, (3, 3), "x")
    assert sg.formula(2.0 * sg.transpose(x) / 3.0).ops == 0


@pytest.mark.parametrize("skip", [False, True])
def test_deep_nets_are_written_in_no_time(skip: bool) -> None:
    """Linear in depth: 50 layers take 0.1 s on two cores, the bound leaves room for a busy machine."""
    t = net(50, skip)
    started = time.process_time()
    f = sg.formula(t)
    texts = [str(f), f.latex(), f.numpy_source()]
    assert time.process_time() - started < 2
    assert max(len(line) for text in texts[::2] for line in text.splitlines() if "def " not in line) < 200
