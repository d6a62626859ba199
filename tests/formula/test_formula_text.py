"""Formulas: what a person would have written, the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import symgraph as tf

ROOT = Path(__file__).resolve().parents[2]


def text(t: tf.Tensor) -> str:
    return str(tf.formula(t))


def latex(t: tf.Tensor) -> str:
    return tf.formula(t).latex()


def linear() -> tuple[tf.Tensor, tf.Tensor, tf.Variable, tf.Tensor]:
    X = tf.placeholder(tf.float32, (None, 9), "X")
    y = tf.placeholder(tf.float32, (None, 1), "y")
    theta = tf.Variable(tf.zeros((9, 1)), name="theta")
    return X, y, theta, tf.matmul(X, theta, name="predictions") - y


# ---------------------------------------------------------------- the models of the chapter and their kin
def test_linear_regression() -> None:
    X, y, theta, error = linear()
    mse = tf.reduce_mean(tf.square(error), name="mse")
    (g,) = tf.gradients(mse, [theta])
    assert text(mse) == "sum((Xθ − y)²)/m"
    assert text(g) == "2/m · Xᵀ(Xθ − y)"
    assert latex(g) == r"\frac{2}{m} \, X^\top \left(X \theta - y\right)"
    assert latex(mse) == r"\frac{\operatorname{sum}\left(\left(X \theta - y\right)^{2}\right)}{m}"
    assert text(tf.gradients(mse, X)[0]) == "2/m · (Xθ − y)θᵀ"


def test_known_sizes_are_numbers() -> None:
    X = tf.constant(np.ones((20, 3), np.float32), name="X")
    y = tf.constant(np.ones((20, 1), np.float32), name="y")
    theta = tf.Variable(tf.zeros((3, 1)), name="theta")
    mse = tf.reduce_mean(tf.square(tf.matmul(X, theta) - y))
    assert text(mse) == "sum((Xθ − y)²)/20"
    (g,) = tf.gradients(mse, theta)
    assert text(g) == "1/10 · Xᵀ(Xθ − y)"
    assert text(tf.assign(theta, theta - 0.01 * g)) == "θ − 0.001 · Xᵀ(Xθ − y)"
    assert latex(tf.assign(theta, theta - 0.01 * g)) == r"\theta - 0.001 \, X^\top \left(X \theta - y\right)"


def test_hand_written_gradient_and_normal_equation() -> None:
    X, y, theta, error = linear()
    assert text(2 / 8 * tf.matmul(tf.transpose(X), error)) == "1/4 · Xᵀ(Xθ − y)"
    transposed = tf.transpose(X)
    assert text(tf.matmul(tf.matmul(tf.matrix_inverse(tf.matmul(transposed, X)), transposed), y)) == "(XᵀX)⁻¹Xᵀy"
    assert latex(tf.matrix_inverse(tf.matmul(transposed, X))) == r"\left(X^\top X\right)^{-1}"


def test_ridge() -> None:
    X, y, theta, error = linear()
    rate = tf.placeholder(tf.float32, (), "lambda")
    loss = tf.reduce_sum(tf.square(error)) + rate * tf.reduce_sum(tf.square(theta))
    assert text(loss) == "sum((Xθ − y)²) + λ·sum(θ²)"
    assert text(tf.gradients(loss, theta)[0]) == "2 · (λ · θ + Xᵀ(Xθ − y))"
    loss = tf.reduce_mean(tf.square(error)) + 0.1 * tf.reduce_sum(tf.square(theta))
    assert text(loss) == "sum((Xθ − y)²)/m + 0.1·sum(θ²)"
    assert text(tf.gradients(loss, theta)[0]) == "2 · (0.1 · θ + 1/m · Xᵀ(Xθ − y))"


def test_weighted_least_squares() -> None:
    X, y, theta, error = linear()
    w = tf.placeholder(tf.float32, (None, 1), "w")
    loss = tf.reduce_mean(w * tf.square(error))
    assert text(loss) == "sum(w ∘ (Xθ − y)²)/m"
    assert text(tf.gradients(loss, theta)[0]) == "2/m · Xᵀ((Xθ − y) ∘ w)"


def test_logistic_regression() -> None:
    X, y, theta, _ = linear()
    p = tf.sigmoid(tf.matmul(X, theta))
    loss = -tf.reduce_mean(y * tf.log(p) + (1 - y) * tf.log(1 - p))
    assert text(loss) == "−sum(y ∘ log(σ(Xθ)) + (1 − y) ∘ log(1 − σ(Xθ)))/m"
    (g,) = tf.gradients(loss, theta)
    assert text(g) == "1/m · Xᵀ(σ(Xθ) − y)"
    assert latex(g) == r"\frac{1}{m} \, X^\top \left(\sigma\left(X \theta\right) - y\right)"
    stable = tf.reduce_mean(tf.nn.softplus(tf.matmul(X, theta)) - y * tf.matmul(X, theta))
    assert text(tf.gradients(stable, theta)[0]) == "1/m · Xᵀ(σ(Xθ) − y)"


def test_a_hidden_layer() -> None:
    X, y = tf.placeholder(tf.float32, (None, 4), "X"), tf.placeholder(tf.float32, (None, 2), "y")
    w1, w2 = tf.Variable(np.ones((4, 3), np.float32), name="W1"), tf.Variable(np.ones((3, 2), np.float32), name="W2")
    b1, b2 = tf.Variable(np.zeros(3, np.float32), name="b1"), tf.Variable(np.zeros(2, np.float32), name="b2")
    hidden = tf.tanh(tf.matmul(X, w1) + b1, name="H")
    loss = tf.reduce_mean(tf.square(tf.matmul(hidden, w2) + b2 - y))
    assert text(loss) == "sum((tanh(XW₁ + b₁)W₂ + b₂ − y)²)/(2m)"
    g1, gb1, g2, gb2 = tf.gradients(loss, [w1, b1, w2, b2])
    named = "\n  H = tanh(XW₁ + b₁)"
    assert text(g1) == "1/m · Xᵀ((1 − H²) ∘ (HW₂ + b₂ − y)W₂ᵀ)" + named
    assert text(gb1) == "1/m · sum₀((1 − H²) ∘ (HW₂ + b₂ − y)W₂ᵀ)" + named
    assert text(g2) == "1/m · Hᵀ(HW₂ + b₂ − y)" + named
    assert text(gb2) == "1/m · sum₀(tanh(XW₁ + b₁)W₂ + b₂ − y)"
    assert tf.formula(g1).where == {"H": "tanh(XW₁ + b₁)"}
    assert latex(g2) == (
        r"\begin{aligned} & \frac{1}{m} \, H^\top \left(H W_{2} + b_{2} - y\right) \\ & H = \tanh\left(X W_{1} + b_{1}\right) \end{aligned}"
    )


# ---------------------------------------------------------------- piece by piece
def a() -> tf.Tensor:
    return tf.placeholder(tf.float32, (3,), "a")


def b() -> tf.Tensor:
    return tf.placeholder(tf.float32, (3,), "b")


def c() -> tf.Tensor:
    return tf.placeholder(tf.float32, (), "c")


def matrix() -> tf.Tensor:
    return tf.placeholder(tf.float32, (None, 4), "A")


PIECES: list[tuple[Callable, tuple[Callable, ...], str]] = [
    # sums and signs
    (lambda a, b: a - (b - a), (a, b), "a − (b − a)"),
    (lambda a, b, c: a - b + c, (a, b, c), "a − b + c"),
    (lambda a, b: -(a + b), (a, b), "−(a + b)"),
    (lambda a, b: a - (-b), (a, b), "a + b"),
    (lambda a, b: a + -1.0 * b, (a, b), "a − b"),
    (lambda a, b: a + -0.3 * b, (a, b), "a − 0.3 · b"),
    (lambda a, b: (-a - b) * 0.3, (a, b), "0.3 · (−a − b)"),
    (lambda a, b, c: c * (-a - b), (a, b, c), "c · (−a − b)"),
    (lambda a, c: -c * a, (a, c), "−c · a"),
    (lambda a, b, c: -(c * (a + b)), (a, b, c), "−c · (a + b)"),
    (lambda a: 1.0 - a, (a,), "1 − a"),
    (lambda a: a + 0.5, (a,), "a + 1/2"),
    (lambda a, b: tf.add_n([a, b, a]), (a, b), "a + b + a"),
    # products and quotients
    (lambda a, b, c: a * (b + c), (a, b, c), "a ∘ (b + c)"),
    (lambda a, b: a * -b, (a, b), "−a ∘ b"),
    (lambda a, b, c: c * (a + b), (a, b, c), "c · (a + b)"),
    (lambda a, c: (c + 1.0) * a, (a, c), "(c + 1) · a"),
    (lambda a, c: c * c * a, (a, c), "c² · a"),
    (lambda a, c: c / 2.0 * a, (a, c), "c/2 · a"),
    (lambda a, b: a / b, (a, b), "a/b"),
    (lambda a, b: (a + b) / (a - b), (a, b), "(a + b)/(a − b)"),
    (lambda a, b, c: a / (b * c), (a, b, c), "a/(c · b)"),
    (lambda a, b: 2.0 / (a * b), (a, b), "2/(a ∘ b)"),
    (lambda a, b: a / (1.0 + b), (a, b), "a/(b + 1)"),
    (lambda a, c: c / a, (a, c), "c/a"),
    (lambda a: a / 3.0, (a,), "1/3 · a"),
    (lambda a, b: (a - 1.0) * (b - 1.0), (a, b), "(a − 1) ∘ (b − 1)"),
    # powers
    (lambda a: -(a**2), (a,), "−a²"),
    (lambda a: (-a) ** 2, (a,), "(−a)²"),
    (lambda a, b: (a + b) ** 2, (a, b), "(a + b)²"),
    (lambda a, b: a**2 / b**3, (a, b), "a²/b³"),
    (lambda a: a**-2, (a,), "1/a²"),
    (lambda a, b: a**b, (a, b), "a^b"),
    (lambda a, b: tf.pow(a + b, a * b), (a, b), "(a + b)^(a ∘ b)"),
    (lambda a, b: tf.sqrt(a + b), (a, b), "√(a + b)"),
    (lambda a, b: tf.sqrt(a) / b, (a, b), "√a/b"),
    (lambda a: tf.rsqrt(a), (a,), "1/√a"),
    # functions
    (lambda a: tf.exp(-(a**2) / 2.0), (a,), "exp(−1/2 · a²)"),
    (lambda a, b: tf.exp(a) * b, (a, b), "exp(a) ∘ b"),
    (lambda a: 1.0 / (1.0 + tf.exp(-a)), (a,), "1/(exp(−a) + 1)"),
    (lambda a: tf.square(tf.sin(a)), (a,), "sin(a)²"),
    (lambda a, b: tf.abs(a - b), (a, b), "|a − b|"),
    (lambda a, b: tf.maximum(a, b), (a, b), "max(a, b)"),
    (lambda a, b: tf.where(a > b, a, -b), (a, b), "where(a > b, a, −b)"),
    (lambda a, b, c: tf.logical_and(a + b > c, b <= c), (a, b, c), "(a + b > c) ∧ (b ≤ c)"),
    (lambda a, b: a // b, (a, b), "⌊a/b⌋"),
    (lambda a: tf.stop_gradient(tf.cast(a, tf.float64)), (a,), "a"),
    (lambda a: tf.clip_by_value(a, 0.0, 1.0), (a,), "max(min(a, 1), 0)"),
    # numbers
    (lambda a: 1e-8 + a, (a,), "10⁻⁸ + a"),
    (lambda a: a * 2.5e10, (a,), "2.5·10¹⁰ · a"),
    (lambda a: a * 0.1 + 0.3, (a,), "0.1 · a + 0.3"),
    (lambda a: a * np.float32(1 / 3), (a,), "0.33333334 · a"),
    (lambda a: a - float("inf"), (a,), "a − ∞"),
    # reductions, products, movement
    (tf.reduce_sum, (matrix,), "sum(A)"),
    (lambda A: tf.reduce_sum(A, 0), (matrix,), "sum₀(A)"),
    (lambda A: tf.reduce_max(A, 1), (matrix,), "max₁(A)"),
    (lambda A: tf.reduce_mean(A, 0), (matrix,), "1/m · sum₀(A)"),
    (lambda A: tf.reduce_mean(A), (matrix,), "sum(A)/(4m)"),
    (lambda A: tf.reduce_sum(A) ** 2 / 2.0, (matrix,), "sum(A)²/2"),
    (lambda A: tf.norm(A, axis=1), (matrix,), "√(sum₁(A²))"),
    (lambda A: tf.transpose(A), (matrix,), "Aᵀ"),
    (lambda A: 2.0 * tf.transpose(A), (matrix,), "2 · Aᵀ"),
    (lambda A: tf.transpose(A + 1.0), (matrix,), "(A + 1)ᵀ"),
    (lambda A: tf.matmul(A, A, transpose_b=True), (matrix,), "AAᵀ"),
    (lambda A: tf.matmul(A * A, A - 1.0, transpose_a=True), (matrix,), "(A²)ᵀ(A − 1)"),
    (lambda A: tf.trace(tf.matmul(A, A, transpose_a=True)), (matrix,), "tr(AᵀA)"),
    (lambda A: tf.matrix_determinant(tf.matmul(A, A, transpose_a=True)), (matrix,), "det(AᵀA)"),
    (lambda A: tf.matrix_solve(tf.matmul(A, A, transpose_a=True), tf.transpose(A)), (matrix,), "(AᵀA)⁻¹Aᵀ"),
    (lambda A: A[0], (matrix,), "A[0]"),
    (lambda A: A[1:, :2], (matrix,), "A[1:, :2]"),
    (lambda A: A[:, ::-1], (matrix,), "A[:, ::−1]"),
    (lambda A: tf.expand_dims(A, 0), (matrix,), "A"),
    (lambda A: tf.reshape(A, [-1]), (matrix,), "reshape(A, 4m)"),
    (lambda A: tf.reshape(A, [-1, 2]), (matrix,), "reshape(A, 2m×2)"),
    (lambda A: tf.reshape(A, [2, 8]), (lambda: tf.placeholder(tf.float32, (4, 4), "A"),), "reshape(A, 2×8)"),
    (lambda A: A[1:-1], (matrix,), "A[1:1 + max(0, m − 2)]"),
    # casts
    (lambda a: tf.cast(a, tf.int32), (a,), "int32(a)"),
    (lambda a: tf.cast(tf.cast(a, tf.int32), tf.float32) * 2.0, (a,), "2 · int32(a)"),
    (lambda a: tf.cast(a, tf.bool), (a,), "bool(a)"),
    (lambda a, b: tf.cast(a > b, tf.int32), (a, b), "a > b"),
    (lambda A: tf.argmax(A, 1, output_type=tf.int32), (matrix,), "argmax₁(A)"),
    (lambda A: tf.concat([A, 2.0 * A], 0), (matrix,), "[A; 2 · A]"),
    (lambda x: tf.reduce_sum(x * tf.ones((1, 1))), (lambda: tf.placeholder(tf.float32, (3, 3), "x"),), "sum(ones · x)"),
]


@pytest.mark.parametrize("row", range(len(PIECES)), ids=[wanted for _, _, wanted in PIECES])
def test_pieces(row: int) -> None:
    make, given, wanted = PIECES[row]
    t = make(*(g() for g in given))
    assert text(t) == wanted
    assert latex(t).isascii()
    assert latex(t).count("{") == latex(t).count("}")
    assert latex(t).count(r"\left") == latex(t).count(r"\right")


def test_latex_pieces() -> None:
    x, y, s = a(), b(), c()
    assert latex(x / (1.0 + y)) == r"\frac{a}{b + 1}"
    assert latex(0.1 * (2.0 * x)) == r"0.2 \, a"
    assert latex(tf.where(x >= y, x, s * y)) == r"\begin{cases} a & \text{if } a \ge b \\ c \, b & \text{otherwise} \end{cases}"
    assert latex(tf.reduce_max(tf.placeholder(tf.float32, (2, 2), "M"), 1)) == r"\max_{1}\left(M\right)"
    assert latex(tf.argmax(tf.placeholder(tf.float32, (2, 2), "L"), 0)) == r"\operatorname{argmax}_{0}\left(L\right)"
    assert latex(tf.logical_or(x <= y, x >= s)) == r"\left(a \le b\right) \lor \left(a \ge c\right)"
    assert latex(tf.logical_and(tf.not_equal(x, y), x > s)) == r"\left(a \ne b\right) \land \left(a > c\right)"
    assert latex(tf.cast(x, tf.int32)) == r"\operatorname{int32}\left(a\right)"
    assert latex(x * float("nan")) == r"\mathrm{nan} \, a"
    assert latex(1e-8 * x) == r"10^{-8} \, a"
    assert latex(tf.floor(tf.sqrt(x))) == r"\left\lfloor \sqrt{a}\right\rfloor"


def test_diagonals_are_said() -> None:
    F, W = tf.placeholder(tf.float64, (4, 2), "F"), tf.placeholder(tf.float64, (4, 4), "W")
    laplacian = tf.diag(tf.reduce_sum(W, 1)) - W
    (g,) = tf.gradients(tf.trace(tf.matmul(tf.matmul(F, laplacian, transpose_a=True), F)), W)
    assert str(tf.formula(g)) == "diag(FFᵀ) − FFᵀ"


def test_a_root_is_raised_in_parentheses() -> None:
    s = tf.placeholder(tf.float64, (), "s")
    assert "(√s)²" in str(tf.formula(tf.square(tf.sqrt(s)) * s))


def test_powers_of_ten_are_no_digits() -> None:
    x = tf.placeholder(tf.float64, (None,), "x")
    assert str(tf.formula(x**1e20)) == "x^(10²⁰)"


def test_no_double_superscripts() -> None:
    A = tf.placeholder(tf.float32, (3, 3), "A_1")
    (g,) = tf.gradients(tf.matrix_determinant(A), [A])
    assert latex(g) == r"\det\left(A_{1}\right) \, A_{1}^{-\top}"
    (g,) = tf.gradients(tf.linalg.logdet(A), [A])
    assert latex(g) == r"A_{1}^{-\top}"
    assert latex(tf.reshape(A, [9, 1])) == r"\operatorname{reshape}\left(A_{1}, 9 \times 1\right)"


# ---------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("name", "in_text", "in_latex"),
    [
        ("theta", "θ", r"\theta"),
        ("theta_1", "θ₁", r"\theta_{1}"),
        ("W12", "W₁₂", "W_{12}"),
        ("omicron", "ο", r"\mathrm{omicron}"),
        ("rate", "rate", r"\mathrm{rate}"),
        ("y_true", "y_true", r"\mathrm{y\_true}"),
        ("my-value", "my-value", r"\mathrm{my\text{-}value}"),
        ("scope/inner/bias", "bias", r"\mathrm{bias}"),
        ("a\\b", "a\\b", r"\mathrm{a\backslash b}"),
    ],
)
def test_user_names(name: str, in_text: str, in_latex: str) -> None:
    v = tf.placeholder(tf.float32, (), name)
    assert text(v) == in_text
    assert latex(v) == in_latex


def test_names_do_not_run_together() -> None:
    x, y = (tf.placeholder(tf.float32, (3, 3), n) for n in ("x", "rate"))
    w1, w2 = (tf.placeholder(tf.float32, (3, 3), n) for n in ("W1", "W2"))
    assert text(tf.matmul(x, y)) == "x rate"
    assert text(tf.matmul(w1, w2)) == "W₁ W₂"
    assert text(tf.matmul(x, w1)) == "xW₁"
    xx = tf.placeholder(tf.float32, (3, 3), "xx")
    assert text(tf.matmul(x, x) + xx) == "x x + xx"


def test_two_things_are_never_called_the_same() -> None:
    with tf.name_scope("first"):
        a = tf.placeholder(tf.float32, (), "W")
    with tf.name_scope("second"):
        b = tf.placeholder(tf.float32, (), "W")
    assert text(a + b) == "W + second.W"
    one, other = tf.placeholder(tf.float32, (), "v1"), tf.placeholder(tf.float32, (), "v_1")
    assert len(set(text(one - other).split(" − "))) == 2


def test_sizes_do_not_take_the_letters_of_names() -> None:
    m = tf.placeholder(tf.float32, (None,), "m")
    assert text(tf.reduce_mean(m)) == "sum(m)/n"
    x, y = tf.placeholder(tf.float32, (None, None), "x"), tf.placeholder(tf.float32, (None, None), "z")
    assert text(tf.reduce_mean(x) + tf.reduce_mean(y)) == "sum(x)/(m·n) + sum(z)/(k·p)"
    assert text(tf.reduce_mean(tf.square(x - y))) == "sum((x − z)²)/(m·n)"


def test_equal_sizes_are_one_letter() -> None:
    X, y = tf.placeholder(tf.float32, (None, 3), "X"), tf.placeholder(tf.float32, (None, 3), "Y")
    assert text(tf.reduce_mean(X, 0) + tf.reduce_mean(y, 0) + tf.reduce_sum(X * y, 0)) == "1/m · sum₀(X) + 1/m · sum₀(Y) + sum₀(X ∘ Y)"


def test_parts_bear_the_users_names() -> None:
    x = tf.placeholder(tf.float32, (3,), "x")
    with tf.name_scope("model"):
        energy = tf.reduce_sum(tf.exp(x) * tf.sin(x) + 1.0, name="E")
    f = tf.formula(energy * energy + energy)
    assert str(f) == "E² + E\n  E = sum(exp(x) ∘ sin(x) + 1)"
    assert f.where == {"E": "sum(exp(x) ∘ sin(x) + 1)"}
    assert repr(f) == str(f)
    assert f._repr_latex_() == f"$${f.latex()}$$"


def test_a_part_does_not_take_the_name_of_a_leaf() -> None:
    x = tf.placeholder(tf.float32, (3,), "T")
    y = tf.exp(tf.sin(tf.cos(x) + 1.0) * 2.0, name="other/T")
    f = tf.formula(y * y + y)
    assert list(f.where) == ["T₂"]
    assert "T₂" in str(f).split("\n")[0]


def test_a_long_formula_has_parts() -> None:
    x = tf.placeholder(tf.float32, (3,), "x")
    y = x
    for k in range(1, 40):
        y = tf.sin(y) + float(k)
    f = tf.formula(y)
    assert f.where
    assert max(map(len, str(f).split("\n"))) < 260


def test_variables_and_tensors_without_a_formula() -> None:
    assert text(tf.Variable(1.0, name="v")) == "v"
    assert text(tf.constant(2.5)) == "5/2" or text(tf.constant(2.5)) == "2.5"
    with pytest.raises(ValueError, match="give the placeholder a shape"):
        tf.formula(tf.placeholder(tf.float32) * 2.0)


# ---------------------------------------------------------------- the same everywhere
PROGRAM = """
import sys
import numpy as np
import symgraph as tf
for k in range(int(sys.argv[1])):
    tf.placeholder(tf.float32, (None,), f"unrelated{k}") * 3.0
X, y = tf.placeholder(tf.float32, (None, 4), "X"), tf.placeholder(tf.float32, (None, 2), "y")
W1, W2 = tf.Variable(np.ones((4, 3), np.float32), name="W1"), tf.Variable(np.ones((3, 2), np.float32), name="W2")
b1, c, d = tf.Variable(np.zeros(3, np.float32), name="b1"), tf.Variable(0.3, name="c"), tf.Variable(0.7, name="d")
h = tf.tanh(tf.matmul(X, W1) + b1)
o = tf.exp(c * d - h) * tf.sin(h + c) / (d + tf.square(h)) - c * h - d
loss = tf.reduce_mean(tf.square(tf.matmul(o, W2) - y)) + c * tf.reduce_sum(tf.abs(W1)) + tf.norm(W2) * d / (c + d)
for t in [loss, *tf.gradients(loss, [W1, W2, b1, c, d])]:
    print(tf.formula(t))
    print(tf.formula(t).latex())
"""


def test_the_same_in_every_process() -> None:
    """Under three hash seeds, and with other tensors made before."""
    found = []
    for seed, others in (("0", "0"), ("1", "3"), ("4242", "11")):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
        ran = subprocess.run([sys.executable, "-c", PROGRAM, others], env=env, capture_output=True, text=True, encoding="utf-8", check=True)
        found.append(ran.stdout)
    assert len(found[0]) > 1000
    assert found[0] == found[1] == found[2]
