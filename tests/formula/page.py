"""`python -m tests.formula.page` writes docs/formulas.md: textbook losses, their derivatives as symgraph writes them, and NumPy.

Law of this file: everything on the page is what symgraph says now, of rows of the suite that `CHAPTERS` picks; a test holds
the file against it.  Nothing depends on the machine or on the order of hashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import symgraph as sg
from tests.formula.counting import textbook_ops
from tests.formula.suite import suite
from tests.formula.textbook import Loss, asked

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formulas.md"

HEAD = """\
# Formulas

Losses from textbooks, and what `sg.gradients`, `sg.hessian`, `sg.jacobian` and `sg.hessian_vector_product` make of them: the loss as it
was written, the derivative as `sg.formula(...)` shows it, and its `numpy_source()`, which runs alone. Nothing here was edited by hand:
`python -m tests.formula.page` writes this page, and a test holds it against what the library says.

*Operators* are distinct applications of an operator: numbers, sizes, signs and transposes are free, and what is shared counts once. The
book's count is that of the formula in the book that is named. $m$ is the number of rows, which is open; $\\circ$ multiplies element by
element; $\\operatorname{sum}_0$ and $\\operatorname{sum}_1$ add up along an axis.
"""

CHAPTERS = {
    "Least squares": """
        mean squared error; sum of squares, written out; root mean squared error; mean squared error, many outputs;
        mean squared error with bias, in b; weighted least squares; generalised least squares, inverse covariance; ridge, mean;
        ridge, inner products and a symbol; lasso; elastic net""",
    "Robust and general linear models": """
        Huber; pseudo-Huber; log-cosh; least absolute deviations; quantile; Cauchy; Poisson; gamma, logarithmic link""",
    "Two classes": """
        logistic, log1p; logistic, log(1 + exp); logistic, softplus; logistic, sigmoid and log; logistic, sigmoid written out;
        logistic, TF's stable form; logistic, TF's operation; logistic with ridge; logistic ±1, log(1 + exp); logistic ±1, softplus;
        logistic ±1, log sigmoid; hinge; squared hinge; exponential loss""",
    "Many classes": """
        softmax regression, TF's operation; softmax regression, log of exp over sum; softmax regression, log_softmax;
        softmax regression, logits less logarithm; softmax regression, labels by number; softmax regression with bias, in b;
        label smoothing; log-sum-exp of an affine map; entropy of a softmax; divergence of softmaxes, in the second""",
    "Matrices": """
        tr(XA); tr(X'AX); tr(AX⁻¹B); det X; log det X'X; |XA - B|²; departure from orthogonality; c'A⁻¹b by solve, in A; x'Ax;
        x'Ax, A symmetric; Rayleigh quotient; Procrustes, in Q""",
    "Gaussians": """
        Mahalanobis; Mahalanobis distance; Mahalanobis of many rows; Gaussian, one point, in mu; Gaussian, one point, in Sigma;
        Gaussian in Sigma, given the scatter; graphical lasso""",
    "Factors": """
        matrix factorisation, in U; matrix factorisation with a mask; matrix factorisation by gathers;
        principal components, reconstruction; principal components, variance; GloVe, in W""",
    "Distances, clusters and spread": """
        |x|; norms of rows; cosine similarity; k-means, matrices; k-means, distances; variance; standard deviation; correlation;
        covariance of two vectors; covariances""",
    "Nets": """
        one tanh layer, squares, in W1; one sigmoid layer, squares, in W1; one relu layer, squares, in W1; one relu layer, softmax, in W1;
        one sigmoid layer, logistic; two tanh layers, squares, in W1; two sigmoid layers, squares, in W1; two relu layers, softmax, in W1;
        residual block, in W1; attention, in V; attention, in Q; two steps of a tanh recurrence; joined columns, in W; embeddings""",
    "Second derivatives": """
        Hessian of the mean squared error; Hessian of logistic regression; Hessian of Poisson regression; Hessian of log-sum-exp;
        Newton step of the mean squared error; Newton step of ridge; Newton step of logistic regression; Jacobian of a softmax;
        Hessian times a vector, logistic regression""",
}
"""Names of rows by chapter."""

ASKED = {
    "gradient": "Gradient",
    "hessian": "Hessian",
    "newton": "Newton step",
    "jacobian": "Jacobian",
    "gauss_newton": "Gauss-Newton matrix",
    "hvp": "Hessian times $v$",
}


@dataclass(frozen=True)
class Entry:
    """A row of the suite as the page shows it, in a graph of its own."""

    loss: Loss
    graph: sg.Graph = field(default_factory=sg.Graph)

    @cached_property
    def made(self) -> tuple[sg.Formula, sg.Formula, dict[str, str]]:
        """The value, what is asked of it, and the LaTeX of its leaves."""
        with self.graph.as_default():
            value, wrt, leaves = self.loss.build(sg)
            names = {name: sg.formula(leaf).latex() for name, leaf in leaves.items()}
            return sg.formula(value), sg.formula(asked(sg, self.loss, value, wrt, leaves)), names

    @property
    def latex(self) -> tuple[str, str]:
        """Of the value and of what is asked of it."""
        return self.made[0].latex(), self.made[1].latex()

    def text(self) -> str:
        """Everything that symgraph writes of it, for comparing."""
        return "\n".join(f"{f}\n{f.latex()}\n{f.numpy_source()}" for f in self.made[:2])

    def markdown(self, title: str) -> str:
        value, derivative = self.latex
        _, found, names = self.made
        given = "".join(f"; ${names[leaf]}$ {', '.join(facts).replace('_', ' ')}" for leaf, facts in self.loss.facts.items())
        of = "Value" if self.loss.kind == "jacobian" else "Loss"
        return (
            f"### {title}\n\n{of}{given}:\n\n{_block('math', value)}\n{ASKED[self.loss.kind]} in ${names[self.loss.wrt]}$,"
            f" {_operators(found.ops)}; the book has {textbook_ops(self.loss)} ({self.loss.source}):\n\n{_block('math', derivative)}\n"
            f"<details><summary>NumPy</summary>\n\n{_block('python', found.numpy_source().strip())}\n</details>\n"
        )


def _operators(count: int) -> str:
    return f"{count} operator" + "s" * (count != 1)


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```\n"


def entries() -> Iterator[tuple[str, str, Entry]]:
    """(chapter, title, entry) in the page's order; a name without a row raises."""
    of = {row.name: row for row in suite()}
    for k, (chapter, names) in enumerate(CHAPTERS.items(), 1):
        for j, name in enumerate(" ".join(names.split()).split("; "), 1):
            yield chapter, f"{k}.{j} {re.sub('^[a-z](?=[a-z]{2})', lambda c: c[0].upper(), name)}", Entry(of[name])


def _slug(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return "".join("-" if c in " -" else c for c in title.lower() if c.isalnum() or c in " -_")


def page() -> str:
    """The whole page."""
    chapters: dict[str, list[tuple[str, Entry]]] = {}
    for chapter, title, entry in entries():
        chapters.setdefault(chapter, []).append((title, entry))
    parts = [HEAD]
    for chapter, rows in chapters.items():
        links = " · ".join(f"[{_escaped(title.partition(' ')[2])}](#{_slug(title)})" for title, _ in rows)
        parts.append(f"* **[{chapter}](#{_slug(chapter)})**: {links}")
    for chapter, rows in chapters.items():
        parts.append(f"\n## {chapter}\n")
        parts += [entry.markdown(_escaped(title)) for title, entry in rows]
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return "".join("\\" + c if c in "|*_[]" else c for c in text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
