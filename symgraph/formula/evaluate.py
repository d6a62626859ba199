"""The values of nodes at given leaves, in float64, whatever they are computed in: what a derivation is checked with.

Law of this file: sizes become numbers and leaves constants, node by node, and the interpreter does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from .. import build, config, dtypes
from ..graph import Graph, builder
from ..node import Array, Kind, Node, make, toposort
from ..session import Session

Values = Mapping[Node, np.ndarray]


@builder("Nodes", lambda op: dtypes.float64)
def _nodes(nodes: Sequence[Node]) -> tuple[Node, ...]:
    return tuple(nodes)


def evaluate(roots: Sequence[Node], values: Values, sizes: Mapping[sp.Symbol, int]) -> list[np.ndarray]:
    """The value of each root; `values` has all leaves under them, `sizes` all symbols."""
    concrete = Concrete(values, sizes).all(roots)
    graph = Graph()
    op = graph.add("Nodes", (), {"nodes": concrete}, "nodes")
    with config.override(SYMGRAPH_BACKEND="reference"), np.errstate(all="ignore"), Session(graph=graph) as sess:
        return [np.asarray(v) for v in sess.run(list(op.outputs))]


class Concrete:
    """Nodes over the values of their leaves."""

    def __init__(self, values: Values, sizes: Mapping[sp.Symbol, int]) -> None:
        self.sizes = dict(sizes)
        self.memo: dict[Node, Node] = {n: build.const(v, _wide(n)) for n, v in values.items()}

    def all(self, roots: Sequence[Node]) -> list[Node]:
        for n in toposort(roots, stop=self.memo.__contains__):
            if n not in self.memo:
                self.memo[n] = self._again(n, tuple(self.memo[o] for o in n.operands))
        return [self.memo[r] for r in roots]

    def _at(self, e: Any) -> Any:
        """An extent, position or body with numbers for sizes."""
        if not isinstance(e, sp.Basic):
            return e
        new = sp.sympify(e.xreplace(self.sizes))
        return int(new) if new.is_Integer else new

    def _tuple(self, extents: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(self._at(d) for d in extents)

    def _again(self, n: Node, operands: tuple[Node, ...]) -> Node:
        shape = self._tuple(n.shape)
        match n.kind:
            case Kind.GENERIC:
                body, index, space, reducer = n.attrs
                narrow = {sp.Symbol("float32"): sp.Symbol("float64")}
                body = sp.sympify(self._at(body)).xreplace(narrow)
                return build.generic(body, operands, index, self._tuple(space), n.rank, reducer, _wide(n))
            case Kind.RESHAPE:
                return build.reshape(operands[0], shape)
            case Kind.SLICE:
                return build.slice_(operands[0], self._tuple(n.attrs[0]), shape, n.attrs[1])
            case Kind.PLACE:
                return build.place(operands[0], self._tuple(n.attrs[0]), shape, n.attrs[1])
            case Kind.SCATTER:
                return build.scatter(operands[0], operands[1], shape)
            case Kind.CONV | Kind.POOL:
                windows = [replace(v, size=self._at(v.size), before=self._at(v.before)) for v in n.attrs[1]]
                if n.kind is Kind.CONV:
                    return build.conv(n.attrs[0], operands, windows, n.attrs[2], shape)
                return build.pool(n.attrs[0], operands[0], operands[1], windows, shape)
            case Kind.LOOP:
                raise NotImplementedError("a derivation through a loop is not checked: its body would have to be widened to float64")
            case Kind.CONST if n.dtype.is_floating:
                return make(n.kind, (), (Array(n.attrs[0].value.astype(np.float64)),), shape, _wide(n))
            case Kind.CONST | Kind.RANDOM:
                return make(n.kind, operands, n.attrs, shape, _wide(n))
        return build.rebuild(n, operands)


def _wide(n: Node) -> dtypes.DType:
    return dtypes.float64 if n.dtype.is_floating else n.dtype
