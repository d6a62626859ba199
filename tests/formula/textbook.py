"""What a row of the suite of textbook losses is, and what can be asked of it.

Law of this file: the textbook side of a row is NumPy text written from the book, never from what symgraph prints; it is
read twice, by `eval` for its value and by `counting` for its size.  Rows lie by subject in `losses_*`.

A row's text may use `np`, the helpers in `HELPERS`, the leaves by their names, the parts in `where`, and the sizes by
their letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SIZES = {"m": 7, "n": 4, "k": 3, "d": 2, "h": 5}
"""Extents by letter; `m`, the number of rows, is unknown while the graph is built."""
UNKNOWN = frozenset("m")

Array = np.ndarray
Domain = Callable[[np.random.Generator, tuple[int, ...]], Array]


# ---------------------------------------------------------------- what texts may call
def softmax(z: Array, axis: int = -1) -> Array:
    e = np.exp(z - np.max(z, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def logsumexp(z: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    return np.log(np.sum(np.exp(z), axis, keepdims=keepdims))


HELPERS: dict[str, Any] = {
    "np": np,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "relu": lambda z: np.maximum(z, 0),
    "softmax": softmax,
    "log_softmax": lambda z, axis=-1: np.log(softmax(z, axis)),
    "logsumexp": logsumexp,
    "norm": np.linalg.norm,
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "solve": np.linalg.solve,
    "diag": lambda v: np.diag(v.ravel()),
    "one_hot": lambda i, count: np.eye(count)[i],
    "scatter": lambda rows, i, count: np.array([rows[i == j].sum(0) for j in range(count)]),
}
"""`diag` puts a vector on a diagonal; `scatter(rows, i, count)` adds each row up in the place that `i` says."""


# ---------------------------------------------------------------- domains
def _orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.linalg.qr(rng.normal(size=shape))[0]


def _definite(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    a = rng.normal(size=shape)
    return a @ a.T / shape[0] + np.eye(shape[0])


def _one_hot(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


DOMAINS: dict[str, Domain] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "small": lambda rng, shape: rng.uniform(-0.3, 0.3, shape),
    "positive": lambda rng, shape: rng.uniform(0.4, 2.2, shape),
    "fraction": lambda rng, shape: rng.uniform(0.1, 0.9, shape),
    "binary": lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    "sign": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "one_hot": _one_hot,
    "stochastic": lambda rng, shape: softmax(rng.normal(size=shape)),
    "symmetric": lambda rng, shape: _definite(rng, shape) - 1.3 * np.eye(shape[0]),
    "definite": _definite,
    "orthogonal": _orthogonal,
    "regular": lambda rng, shape: rng.uniform(-0.6, 0.6, shape) + 2 * np.eye(*shape),
    **{f"below_{letter}": lambda rng, shape, size=size: rng.integers(0, size, shape) for letter, size in SIZES.items()},
}
"""How random values of a leaf are drawn; 'below_k' are positions along an axis of extent k."""

_LEAF = re.compile(r"(\w+)\(([\w,]*)\)(?::(\w+))?")


@dataclass(frozen=True)
class Leaf:
    """One input: its extents by letter or digit, and where its values come from."""

    name: str
    extents: tuple[str, ...]
    domain: str

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(SIZES.get(e) or int(e) for e in self.extents)


def leaves_of(text: str) -> dict[str, Leaf]:
    """Leaves from text such as 'X(m,n) y(m,1):binary'."""
    found = [Leaf(name, tuple(e for e in extents.split(",") if e), domain or "normal") for name, extents, domain in _LEAF.findall(text)]
    assert len(found) == len(text.split()), f"not a list of leaves: {text!r}"
    return {leaf.name: leaf for leaf in found}


# ---------------------------------------------------------------- rows
@dataclass(frozen=True)
class Loss:
    """One loss and what the book gives for it.

    `inputs` is text for `leaves_of`; `value` builds the loss of tensors, in the order of the inputs; `gradient` is the
    book's text for what `kind` says ('gradient', 'hessian', 'newton': the Newton step, 'jacobian', 'gauss_newton': J'J,
    'hvp': the Hessian times the leaf v), by the leaf `wrt`.  `where` are its shared parts in order, `facts` what the
    book takes for granted about leaves."""

    name: str
    inputs: str
    value: Callable[..., Any]
    wrt: str
    gradient: str
    where: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: str = ""
    kind: str = "gradient"

    @property
    def leaves(self) -> dict[str, Leaf]:
        return leaves_of(self.inputs)

    def build(self, sg: Any) -> tuple[Any, Any, dict[str, Any]]:
        """(loss, wrt, leaves by name) in the default graph: float64 placeholders, positions int64."""
        made = {
            leaf.name: sg.placeholder(
                sg.int64 if leaf.domain.startswith("below") else sg.float64,
                [None if e in UNKNOWN else size for e, size in zip(leaf.extents, leaf.shape, strict=True)],
                leaf.name,
            )
            for leaf in self.leaves.values()
        }
        return self.value(*made.values()), made[self.wrt], made

    def data(self, rng: np.random.Generator) -> dict[str, Array]:
        """Random values of the leaves inside their domains."""
        return {leaf.name: DOMAINS[leaf.domain](rng, leaf.shape) for leaf in self.leaves.values()}

    def expected(self, values: Mapping[str, Array]) -> Array:
        """The value of the book's text at values of the leaves."""
        scope = {**HELPERS, **SIZES, **values}
        for name, text in self.where.items():
            scope[name] = eval(text, scope)
        return np.asarray(eval(self.gradient, scope))


def asked(sg: Any, loss: Loss, value: Any, wrt: Any, leaves: Mapping[str, Any]) -> Any:
    """The tensor whose formula is compared with the book's, once the row's facts are recorded.

    AttributeError where symgraph lacks what is asked."""
    for name, facts in loss.facts.items():
        sg.assume(leaves[name], **dict.fromkeys(facts, True))
    if loss.kind == "gradient":
        return sg.gradients(value, wrt)[0]
    if loss.kind == "jacobian":
        return sg.jacobian(value, wrt)
    if loss.kind == "gauss_newton":
        j = _matrix(sg, sg.jacobian(value, wrt), _count(wrt))
        return sg.matmul(j, j, transpose_a=True)
    if loss.kind == "hvp":
        return sg.hessian_vector_product(value, wrt, leaves["v"])
    hessian = _matrix(sg, sg.hessian(value, wrt), _count(wrt))
    return hessian if loss.kind == "hessian" else sg.matrix_solve(hessian, sg.gradients(value, wrt)[0])


def _count(wrt: Any) -> int:
    return int(np.prod(wrt.shape.as_list(), dtype=int))


def _matrix(sg: Any, t: Any, columns: int) -> Any:
    """Derivatives as a matrix with a column for each element of what was derived by."""
    return t if t.shape.ndims == 2 else sg.reshape(t, [-1, columns])
