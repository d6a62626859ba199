"""The command line: expressions in, formulas out, and what is hostile or wrong refused with its place."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import symgraph
from symgraph.__main__ import main
from symgraph.formula.command import FUNCTIONS, Request, answer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(capsys: pytest.CaptureFixture):
    def call(*words: str) -> tuple[int, str, str]:
        try:
            status = main(["formula", *words])
        except SystemExit as e:
            status = int(e.code or 0)
        out = capsys.readouterr()
        return status, out.out.rstrip("\n"), out.err.rstrip("\n")

    return call


# ---------------------------------------------------------------- answers
ANSWERS = [
    (("mean((X@theta - y)**2)",), "sum((Xθ − y)²)/m"),
    (("mean((X@theta - y)**2)", "--wrt", "theta"), "2/m · Xᵀ(Xθ − y)"),
    (("mean((X@θ - y)**2)", "--wrt", "theta", "--latex"), r"\frac{2}{m} \, X^\top \left(X \theta - y\right)"),
    (("mean((X@theta - y)**2)", "--wrt", "θ", "--hessian"), "2/m · XᵀX"),
    (("sum((y - X@w)**2)/(2*p) + λ*sum(w**2)", "--wrt", "w", "--shape", "X=p,q"), "2λ · w − 1/p · Xᵀ(y − Xw)"),
    (("sum(w**2)*lambda", "--wrt", "lambda"), "sum(w²)"),
    (("x.T @ A @ x", "--wrt", "x"), "(A + Aᵀ)x"),
    (("x.T @ A @ x", "--wrt", "x", "--assume", "A=symmetric"), "2 · Ax\n  with A symmetric"),
    (("tr(X@W)", "--wrt", "W"), "Xᵀ"),
    (("(x - mu).T @ inv(S) @ (x - mu)", "--wrt", "mu", "--assume", "S=symmetric"), "−2 · S⁻¹(x − μ)\n  with S symmetric"),
    (("logdet(S)", "--wrt", "S"), "S⁻ᵀ"),
    (("c*sum(x)", "--wrt", "c", "--shape", "c="), "sum(x)"),
    (("sum(x)/len(x)", "--wrt", "x"), "1/m"),
    (("-sum(x)",), "−sum(x)"),
    (("2*3 + 1/4",), "6.25"),
    (("sum((x > 0)*x**2)", "--wrt", "x"), None),
    (("sum(where((x > 0) & ~(x > 1), x, -x))",), None),
    (("x.T @ eye(n) @ x", "--shape", "x=n,1"), None),
]


@pytest.mark.parametrize(("words", "expected"), ANSWERS, ids=lambda v: " ".join(v) if isinstance(v, tuple) else "")
def test_answers(run, words: tuple, expected: str | None) -> None:
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    if expected is not None:
        assert out == expected


def test_several_derivatives(run) -> None:
    status, out, _ = run("sum(x*y)", "--wrt", "x", "--wrt", "y")
    assert status == 0 and out == "by x:\ny\n\nby y:\nx"


def test_a_derivation(run) -> None:
    _, out, _ = run("mean((X@theta - y)**2)", "--wrt", "theta", "--derivation")
    assert "chain rule" in out and out.rstrip().endswith("2/m · Xᵀ(Xθ − y)")
    assert r"\begin{aligned}" in run("sum(x**2)", "--wrt", "x", "--derivation", "--latex")[1]


def test_the_numpy_function_is_right() -> None:
    names: dict = {}
    exec(answer(Request("mean((X@theta - y)**2) + 0.3*sum(abs(theta))", ("theta",), style="numpy")), names)  # the generated one
    rng = np.random.default_rng(0)
    X, theta, y = rng.normal(size=(5, 3)), rng.normal(size=(3, 1)), rng.normal(size=(5, 1))
    given = {"X": X, "theta": theta, "y": y}
    code = names["g"].__code__
    value = names["g"](*(given[n] for n in code.co_varnames[: code.co_argcount]))
    np.testing.assert_allclose(value, 2 / 5 * X.T @ (X @ theta - y) + 0.3 * np.sign(theta))


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"where", "clip", "solve", "maximum", "minimum", "eye"}))
def test_every_function_reads(name: str) -> None:
    assert answer(Request(f"sum({name}(A))", shapes={"A": (3, 3)}))


# ---------------------------------------------------------------- what is refused
REFUSED = [
    ("mean((X@theta - foo(y))**2)", "there is no function 'foo'", "foo"),
    ("sum(x) + )", "unmatched ')'", ")"),
    ("sum(x", "'(' was never closed", "("),
    ("", "invalid syntax", ""),
    ("x.real", "there is no .real here, only .T", "x.real"),
    ("x.shape[0]", "there is no indexing here", "x.shape[0]"),
    ("x[0]", "there is no indexing here", "x[0]"),
    ("__import__('os').system('id')", "a function is called by its name", "__import__('os').system"),
    ("__import__('os')", "there is no function '__import__'", "__import__"),
    ("().__class__.__bases__[0]", "there is no indexing here", "().__class__.__bases__[0]"),
    ("(lambda: 0)()", "invalid syntax", ":"),
    ("[x for x in y]", "ListComp has no meaning here", "[x for x in y]"),
    ("x if y else z", "there is no `if` here", "x if y else z"),
    ("x and y", "there is no `and` and `or` here", "x and y"),
    ("a < b < c", "comparisons are not chained", "a < b < c"),
    ("'text'", "is no number", "'text'"),
    ("f'{x}'", "JoinedStr", "f'{x}'"),
    ("9**9**9**9", "too large", "9**9**9"),
    ("x*1e999", "too large", "1e999"),
    ("x + 1/0", "too large", "1/0"),
    (f"x + {'9' * 400}", "too large", "9" * 400),
    ("(-1)**0.5", "this is no number", "(-1)**0.5"),
    ("x % 2", "the operator Mod", "x % 2"),
    ("x := 3", "invalid syntax", ""),
    ("sum(*x)", "arguments are written out", "*x"),
    ("sum(X, foo=1)", "sum has no keyword 'foo': it takes axis, keepdims", "foo=1"),
    ("sum(X, axis=7)", "Invalid reduction dimension", "sum(X, axis=7)"),
    ("sum(X, axis=X)", "axis must be Python ints", "sum(X, axis=X)"),
    ("maximum(x)", "it takes 2 arguments, not 1", "maximum(x)"),
    ("exp(x, y)", "it takes 1 arguments, not 2", "exp(x, y)"),
    ("_x + 1", "is no name here", "_x"),
    ("é + 1", "is no name here", "é"),
]


@pytest.mark.parametrize(("expression", "words", "place"), REFUSED, ids=[r[0][:40] for r in REFUSED])
def test_faults_show_the_place(run, expression: str, words: str, place: str) -> None:
    status, out, err = run(expression)
    assert status == 2 and out == ""
    first, line, carets = err.split("\n")
    assert first.startswith("symgraph: ") and words in first
    start, length = carets.index("^"), carets.count("^")
    if place:
        assert line[start : start + length] == place[: len(line) - start] and carets.strip() == "^" * length


def test_shapes_that_do_not_fit_show_the_place(run) -> None:
    _, _, err = run("sum(y + X @ theta)", "--shape", "X=3,4", "--shape", "theta=5,1")
    assert err.split("\n")[0] == "symgraph: Dimensions must be equal, but are 4 and 5"
    assert err.split("\n")[2].strip() == "^" * len("X @ theta")


@pytest.mark.parametrize(
    "hostile",
    [
        "(" * 5000,
        "-" * 9000 + "x",
        "x+" * 4900 + "x",
        "sum(" * 150 + "x" + ")" * 150,
        "9" * 9000,
        "x" * 20000,
        "\x00",
        "**".join("9" * 3000),
    ],
)
def test_hostile_text_is_refused_or_answered_in_no_time(run, hostile: str) -> None:
    start = time.process_time()
    status, out, err = run(hostile)
    assert (status == 2 and err.startswith("symgraph: ")) or (status == 0 and out)
    assert len(err) < 1000 and time.process_time() - start < 10


OPTIONS = [
    (("X@theta", "--wrt", "theta"), "only a number is derived, and the expression has shape (?, 1)"),
    (("c*sum(x)", "--wrt", "x"), "c, x: columns, unless --shape NAME= says number"),
    (("sum(x)", "--wrt", "z"), "there is no 'z' in the expression; there are x"),
    (("sum(x)", "--shape", "z=3"), "there is no 'z'"),
    (("sum(x)", "--shape", "x"), "'x' is no shape"),
    (("sum(x)", "--shape", "x=-1"), "is no shape"),
    (("sum(x)", "--assume", "x=green"), "is no fact: NAME=FACT, where FACT is one of positive, symmetric"),
    (("sum(X)", "--shape", "X=2,3", "--assume", "X=symmetric"), "Dimensions must be equal, but are 2 and 3"),
    (("sum(x)", "--wrt", "x", "--derivation", "--numpy"), "a derivation is no NumPy function"),
    (("sum(x)", "--hessian"), "--hessian needs --wrt NAME"),
    (("sum(x)", "--latex", "--numpy"), "not allowed with"),
    (("floor(sum(x))", "--wrt", "x", "--derivation"), ""),
]


@pytest.mark.parametrize(("words", "message"), OPTIONS, ids=lambda v: " ".join(v) if isinstance(v, tuple) else "")
def test_options_that_do_not_fit(run, words: tuple, message: str) -> None:
    status, out, err = run(*words)
    assert status == 2 and out == "" and message in err and "Traceback" not in err


# ---------------------------------------------------------------- the process
def test_as_a_program() -> None:
    def call(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-m", "symgraph", *words], cwd=ROOT, capture_output=True, timeout=120)

    done = call("formula", "mean((X@theta - y)**2)", "--wrt", "theta")
    assert done.stdout.decode() == "2/m · Xᵀ(Xθ − y)\n" and done.returncode == 0
    assert call("formula", "foo(x)").returncode == 2


def test_version_and_help(capsys: pytest.CaptureFixture) -> None:
    for words, expected in (
        (["--version"], f"symgraph {symgraph.__version__}"),
        (["formula", "--help"], "logsumexp"),
        (["--help"], "formula"),
    ):
        with pytest.raises(SystemExit) as e:
            main(words)
        assert e.value.code == 0 and expected in capsys.readouterr().out
