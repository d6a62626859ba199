"""Nodes: the mathematics of a graph, a small closed set of kinds.

Law of this file: a node is immutable and interned, so equal nodes are one object and equality is `is`.  It carries
kind, operands, attributes, shape and dtype, and nothing about names or the user's lines: those live on the handles in
graph.py.  Leaves with an identity (placeholders, variables, random draws, cuts) carry a unique key and never merge.
Every walk is iterative.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable
from enum import Enum
from weakref import WeakValueDictionary

import numpy as np

from .dtypes import DType
from .shapes import Shape, text


class Kind(Enum):
    """The closed set.  What each one's `attrs` hold:"""

    CONST = "const"  # (Array,)
    PLACEHOLDER = "placeholder"  # (key,)
    VARIABLE = "variable"  # (key,)
    CUT = "cut"  # (key,)                        a stand-in leaf, used while deriving and when a tensor is fed
    RANDOM = "random"  # (key, fn)               operands: two scalar parameters, or the tensor that is shuffled
    GENERIC = "generic"  # (body, index, space, reducer)
    MATMUL = "matmul"  # ()
    RESHAPE = "reshape"  # ()
    SLICE = "slice"  # (start, step)
    PLACE = "place"  # (start, step)
    CONCAT = "concat"  # (axis,)
    GATHER = "gather"  # ()                      operands: x and whole numbers i; x[i], over the first axis
    SCATTER = "scatter"  # ()                    the transpose of gather, i a vector: rows summed where i says
    PUT = "put"  # ()                            operands: x, rows and a vector of whole numbers i; x with x[i] = rows, the last counting
    CONV = "conv"  # (role, windows, depthwise)  operands: two of images x, filter w, convolution y; see codegen/ir.py
    POOL = "pool"  # (role, windows)             operands: x, which decides, and v, which is picked or routed
    LINALG = "linalg"  # (fn,)                   also the order of rows, 'top'
    COMPOSITE = "composite"  # (fn, axes, keepdims)  a row of composites.py: softmax, norm, ...
    LOOP = "loop"  # (Cycle,)                    a body that runs many times; see looping.py
    PART = "part"  # (k,)                        operand: a loop; its k-th result


IDENTITY_LEAVES = frozenset({Kind.PLACEHOLDER, Kind.VARIABLE, Kind.CUT, Kind.RANDOM})


class Array:
    """A constant's value, hashed by content so that equal constants are one node."""

    __slots__ = ("value", "_digest")

    def __init__(self, value: np.ndarray) -> None:
        self.value = value
        raw = value.tobytes() if value.dtype != object else repr(value.tolist()).encode()
        self._digest = hashlib.blake2b(raw, digest_size=16).digest(), value.dtype.str, value.shape

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return f"Array{self.value.shape}"


class Node:
    """One value of the computation.  Made only by `make`."""

    __slots__ = ("kind", "operands", "attrs", "shape", "dtype", "serial", "__weakref__")

    kind: Kind
    operands: tuple[Node, ...]
    attrs: tuple
    shape: Shape
    dtype: DType
    serial: int

    def __repr__(self) -> str:
        return f"<{self.kind.value} #{self.serial} {self.dtype.name}{text(self.shape)}>"

    @property
    def rank(self) -> int:
        return len(self.shape)


_table: WeakValueDictionary[tuple, Node] = WeakValueDictionary()
_serial = itertools.count()


def make(kind: Kind, operands: tuple[Node, ...], attrs: tuple, shape: Shape, dtype: DType) -> Node:
    """The one node with these parts."""
    key = (kind, tuple(map(id, operands)), attrs, shape, dtype.name)
    found = _table.get(key)
    if found is not None:
        return found
    node = object.__new__(Node)
    node.kind, node.operands, node.attrs, node.shape, node.dtype = kind, operands, attrs, shape, dtype
    node.serial = next(_serial)  # operands are older than what uses them: serials are a topological order
    _table[key] = node
    return node


class Key:
    """The identity of a leaf; `name` is for people.  `shared` is a tensor whose node is this leaf, set by graph.py."""

    __slots__ = ("name", "owner")

    def __init__(self, name: str, owner: object = None) -> None:
        self.name, self.owner = name, owner

    def __repr__(self) -> str:
        return self.name


def toposort(roots: Iterable[Node], stop: Callable[[Node], bool] = lambda n: False) -> list[Node]:
    """Every node that the roots need, operands first; operands of a node for which `stop` holds are not entered."""
    seen: set[Node] = set()
    stack = list(roots)
    while stack:
        n = stack.pop()
        if n not in seen:
            seen.add(n)
            if not stop(n):
                stack.extend(n.operands)
    return sorted(seen, key=lambda n: n.serial)


def depends_on(roots: Iterable[Node], leaves: Iterable[Node]) -> set[Node]:
    """The nodes under `roots` whose value depends on one of `leaves`."""
    found = set(leaves)
    for n in toposort(roots):
        if n not in found and any(o in found for o in n.operands):
            found.add(n)
    return found


def substitute(roots: Iterable[Node], replacement: dict[Node, Node], rebuild: Callable[[Node, tuple[Node, ...]], Node]) -> list[Node]:
    """The roots with some nodes replaced; `rebuild(node, operands)` makes a node like `node` over other operands."""
    roots = list(roots)
    new: dict[Node, Node] = dict(replacement)
    for n in toposort(roots, stop=lambda n: n in replacement):
        if n not in new:
            operands = tuple(new[o] for o in n.operands)
            new[n] = n if operands == n.operands else rebuild(n, operands)
    return [new[r] for r in roots]
