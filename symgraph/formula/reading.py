"""How an element-wise node reads its operands, where rows and columns alone do not tell.

Law of this file: axes of extent 1 go unsaid.  A node over two other axes is a matrix: what is read along its columns
is a transpose, and vectors are columns as soon as one of them is read along the rows.  A node over more axes whose
operands lie otherwise than NumPy would broadcast them is written by positions: A_ji is element (j, i) of A, and i, j, k,
l are the axes of the node in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from .. import scalar
from ..node import Node
from ..shapes import wide_axes

LETTERS = "ijklmnop"


@dataclass(frozen=True)
class Reading:
    """`turned`: operands that are transposed; `at`: the letters of operands that are read by positions, None in matrix
    notation; `letters`: those of the node's labels."""

    turned: frozenset[int] = frozenset()
    at: Mapping[int, str] | None = None
    letters: Mapping[int, str] = field(default_factory=dict)


def reading(n: Node) -> Reading | None:
    """How a node without a reduction reads its operands; None where that goes without saying."""
    wide = wide_axes(n.shape)
    if len(wide) < 2 or len(wide) > len(LETTERS) or not scalar.label_numbers(n.attrs[0]) <= set(wide):
        return None
    letters = {a: LETTERS[k] for k, a in enumerate(wide)}
    labels = [
        tuple(a for a, d in zip(ix, o.shape, strict=True) if d != 1 and a is not None) for o, ix in zip(n.operands, n.attrs[1], strict=True)
    ]
    if len(wide) > 2:
        aligned = all(
            a is None or a == n.rank - o.rank + axis for o, ix in zip(n.operands, n.attrs[1], strict=True) for axis, a in enumerate(ix)
        )
        if aligned and not scalar.label_numbers(n.attrs[0]):
            return None
        return Reading(at={k: "".join(letters[a] for a in ls) for k, ls in enumerate(labels) if ls}, letters=letters)
    row, column = wide
    inside = _only_on_diagonals(n.attrs[0])
    columns = any(o.rank == 1 and ls == (row,) and k not in inside for k, (o, ls) in enumerate(zip(n.operands, labels, strict=True)))
    if n.rank == 2 and not columns:
        return None
    turned = set()
    for k, (o, ls) in enumerate(zip(n.operands, labels, strict=True)):
        lies = o.rank > 1 and o.shape[-1] != 1  # as a row
        if ls in ((column, row), (column,)) and not (len(ls) == 1 and (lies or o.rank == 1 and not columns)) or ls == (row,) and lies:
            if k not in inside:
                turned.add(k)
    return Reading(frozenset(turned), letters=letters)


def _only_on_diagonals(body: sp.Basic) -> frozenset[int]:
    """The operands that only diagonal matrices read."""
    found, elsewhere = frozenset[int](), set()
    stack = [body]
    while stack:
        e = stack.pop()
        if isinstance(e, sp.Symbol):
            elsewhere |= scalar.operand_numbers(e)
        elif diagonal := scalar.delta(e):
            found |= scalar.operand_numbers(diagonal[2])
        else:
            stack.extend(e.args)
    return found - elsewhere


def innermost_delta(body: sp.Basic) -> sp.Basic | None:
    """A factor of the body that is something on a diagonal, and nothing that holds another."""
    found = [e for e in sp.preorder_traversal(body) if e.is_Function and scalar.delta(e)]
    return min(found, key=lambda e: (sum(f in found for f in sp.preorder_traversal(e)), sp.default_sort_key(e)), default=None)
