"""A tensor as a formula: `formula`, and what it returns.

Law of this file: which parts have a name, and which name, is decided once, in text; every notation writes the same
formula.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import sympy as sp

from ..facts import Facts, assumed, told
from ..graph import Attempt, Graph, Operation, Tensor, convert
from ..node import Kind, Node, toposort
from ..ops.core import graph_of
from ..simplify.cost import applications
from .names import Labels
from .notation import LATEX, TEXT, Notation
from .numpy_source import source
from .parts import choose
from .symbolic import to_sympy
from .writer import Writer

MAX_LENGTH = 100_000
"""A formula that would be longer than this is not written out: nesting can double it at every level."""


@dataclass(frozen=True)
class Formula:
    """A tensor in matrix notation.  `str()` is Unicode text; notebooks show LaTeX.

    Element-wise products are written ∘; sums over some axes carry their numbers, as in sum₀(A); what is repeated along
    axes that it lacks is written as it is, as in XW + b.  What is assumed of tensors that have a name stands below."""

    _node: Node
    _names: Mapping[Node, str] = field(default_factory=dict)
    _forward: Set[Node] = frozenset()
    _sources: Sequence[Node] = ()
    _facts: Mapping[Node, Facts] = field(default_factory=dict)
    _expanded: bool = False

    @cached_property
    def _labels(self) -> Labels:
        return Labels(self._node, self._names, self._forward, self._sources)

    @cached_property
    def _parts(self) -> frozenset[Node]:
        return frozenset() if self._expanded else frozenset(choose(self._labels))

    @cached_property
    def _text(self) -> tuple[str, list[tuple[str, str]]]:
        return Writer(self._labels, TEXT, self._parts).all()

    def __str__(self) -> str:
        main, named = self._text
        assumptions = self._assumptions(TEXT, lambda words: words)
        return "\n  ".join([main, *(f"{name} = {value}" for name, value in named), *([f"with {assumptions}"] if assumptions else [])])

    def latex(self) -> str:
        """LaTeX without dollar signs, which KaTeX takes in strict mode; named parts follow in lines of their own."""
        parts = self._parts
        main, named = Writer(self._labels, LATEX, parts).all()
        lines = [main, *(f"{name} = {value}" for name, value in named)]
        if assumptions := self._assumptions(LATEX, r"\text{{{}}}".format):
            lines.append(rf"\text{{with }} {assumptions}")
        return main if len(lines) == 1 else r"\begin{aligned} & " + r" \\ & ".join(lines) + r" \end{aligned}"

    def _assumptions(self, notation: Notation, words: Callable[[str], str]) -> str:
        """What is assumed of the leaves and parts that have a name: "S symmetric, Y one-hot"."""
        said = [(n, told(self._facts[n])) for n in self._labels.order if n in self._facts and n in self._labels]
        return ", ".join(notation.name(self._labels[n]) + words(" " + " and ".join(f.says for f in facts)) for n, facts in said)

    @property
    def where(self) -> dict[str, str]:
        """The named parts, in text, in the order in which they are needed."""
        return dict(self._text[1])

    @property
    def ops(self) -> int:
        """How many distinct operator applications the formula has; numbers, sizes, signs and transposes are free."""
        return applications([self._node])

    def expand(self) -> Formula:
        """The same formula with its named parts written out.  ValueError if that is longer than 100,000 letters."""
        flat = replace(self, _expanded=True)
        Writer(flat._labels, TEXT).check_length(MAX_LENGTH)
        return flat

    def numpy_source(self, name: str = "g") -> str:
        """The source of a plain NumPy function `name` of the leaves, which are its parameters under their names.

        It imports NumPy and runs alone; shapes and dtypes are those of the tensor, and it stays finite where compiled code
        does.  Constants of more than 32 elements are parameters too.  ValueError where random numbers are drawn."""
        return source(self._labels, self._parts, name)

    def to_sympy(self) -> sp.Basic:
        """The formula as a sympy expression.

        Where everything works element by element, a symbol is one element; else matrices are `MatrixSymbol`s, vectors
        columns, and unknown sizes positive integer symbols.  Derive first: sympy's matrix derivatives are not to be
        trusted.  NotImplementedError, saying why, where sympy has nothing that is equal."""
        return to_sympy(self._labels)

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def __repr__(self) -> str:
        return str(self)


def formula(tensor: Any) -> Formula:
    """The formula of a tensor, as its graph computes it; gradients are simplified when they are derived.

    >>> import symgraph as sg
    >>> X, y = sg.placeholder(sg.float32, (None, 9), "X"), sg.placeholder(sg.float32, (None, 1), "y")
    >>> theta = sg.Variable(sg.zeros((9, 1)), name="theta")
    >>> mse = sg.reduce_mean(sg.square(sg.matmul(X, theta) - y))
    >>> print(sg.formula(sg.gradients(mse, [theta])[0]))
    2/m · Xᵀ(Xθ − y)
    """
    with Attempt(graph_of((tensor,)), "Formula", "formula", {"tensor": tensor}) as (graph, _):
        t: Tensor = convert(tensor, graph=graph)
        if t.node is None:
            raise ValueError(
                f"{t.described()} has no formula yet: the rank of a placeholder under it is not known; give the placeholder a shape"
            )
    return of_node(t.node, t.graph)


def of_node(node: Node, graph: Graph) -> Formula:
    """The formula of a node with the names that a graph has for what lies under it."""
    below = set(toposort([node]))
    names: dict[Node, str] = {}
    forward: set[Node] = set()
    for op in graph.get_operations():
        for out in op.outputs:
            if out.node is not None and out.node in below:
                if op.type != "SymbolicGradient":
                    forward.add(out.node)
                if _is_users(op) or op.type == "Const":
                    names.setdefault(out.node, op.name)
    facts = {t.node: known for t, known in assumed(graph).items() if t.node in below}
    return Formula(node, names, frozenset(forward), _sources(below, graph), facts)  # type: ignore[arg-type]


def _sources(below: Set[Node], graph: Graph) -> tuple[Node, ...]:
    """Placeholders that are not read but whose sizes are: d sum(X)/dX is ones of X's shape."""
    had = {d for n in below if n.kind in (Kind.PLACEHOLDER, Kind.CUT) for d in n.shape}
    lacking = {s for n in below for d in n.shape if isinstance(d, sp.Expr) for s in d.free_symbols} - had
    found = []
    for op in graph.get_operations() if lacking else ():
        n = op.outputs[0].node if op.type == "Placeholder" and op.outputs else None
        if n is not None and lacking.intersection(n.shape):
            found.append(n)
            lacking -= set(n.shape)
    return tuple(found)


_DEFAULTS = frozenset(
    "add sub mul truediv div floordiv mod pow matmul norm read cond zeros ones zeros_like ones_like fill eye range transpose concat stack "
    "unstack strided_slice clip_by_value tofloat toint32 logistic_loss embedding_lookup and or xor grad gradients x y a b value values "
    "softmax_cross_entropy_with_logits_sg".split()
)
"""Names that operations have when the user gives none, beside their types."""


def _is_users(op: Operation) -> bool:
    """Did the user choose the name?"""
    word = re.sub(r"(_\d+)+$", "", op.name.rsplit("/", 1)[-1]).casefold()
    return word != op.type.casefold() and word not in _DEFAULTS
