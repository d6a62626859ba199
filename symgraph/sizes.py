"""Which sizes are equal, by the nodes that read tensors together.

Law of this file: nothing is assumed; two extents are one size when some node walks both with one label.  Freezing
turns what is found into checks at launch, formulas into one letter.
"""

from __future__ import annotations

import sympy as sp

from . import build
from .looping import ends
from .node import Kind, Node
from .shapes import Extent


def _rank(d: Extent) -> int:
    """How well an extent stands for others: a letter that the user gave best, then the size of an axis."""
    return 0 if not isinstance(d, sp.Symbol) else 1 + d.name.isidentifier()


class Sizes:
    """Classes of equal extents; `checks` holds each pair that was met, with the node that made it equal."""

    def __init__(self) -> None:
        self.parent: dict[Extent, Extent] = {}
        self.checks: dict[tuple[Extent, Extent], Node] = {}

    def find(self, d: Extent) -> Extent:
        """The one that stands for all that equal d: an int where there is one, else a symbol."""
        while d in self.parent:
            d = self.parent[d]
        return d

    def same(self, a: Extent, b: Extent, where: Node) -> None:
        """a and b are equal because of the node `where`."""
        ra, rb = self.find(a), self.find(b)
        if ra == rb:
            return
        self.checks.setdefault((a, b), where)
        if isinstance(ra, int):
            ra, rb = rb, ra
        if isinstance(rb, int) or _rank(rb) > _rank(ra):
            self.parent[ra] = rb
        else:
            self.parent[rb] = ra

    def read(self, n: Node) -> None:
        """Note what a node says about its operands' extents."""
        if n.kind is Kind.GENERIC:
            _, index, space, _ = n.attrs
            for o, ix in zip(n.operands, index, strict=True):
                for label, d in zip(ix, o.shape, strict=True):
                    if label is not None and space[label] != d:
                        self.same(space[label], d, n)
        elif n.kind is Kind.MATMUL:
            a, b = n.operands
            if a.shape[-1] != b.shape[-2]:
                self.same(a.shape[-1], b.shape[-2], n)
            for o in (a, b):
                for d, e in zip(o.shape[-3::-1], n.shape[-3::-1], strict=False):
                    if d != e and d != 1:
                        self.same(e, d, n)
        elif n.kind is Kind.CONCAT:
            for o in n.operands:
                for axis, (d, e) in enumerate(zip(o.shape, n.shape, strict=True)):
                    if axis != n.attrs[0] and d != e:
                        self.same(e, d, n)
        elif n.kind in (Kind.SCATTER, Kind.PUT):
            *_, rows, at = n.operands
            for d, e in zip((*at.shape, *n.shape[1:]), rows.shape, strict=True):
                if d != e:
                    self.same(d, e, n)
        elif n.kind in (Kind.CONV, Kind.POOL) and n.attrs[0] in ("w", "pick", "route"):
            x, other = (o.shape for o in n.operands)
            same = len(x) if n.attrs[0] == "pick" else 1  # two arrays of one shape, or two of the same images
            for d, e in zip(x[:same], other[:same], strict=True):
                if d != e:
                    self.same(d, e, n)
        elif n.kind is Kind.RESHAPE:
            given, wanted = build.product(n.operands[0].shape), build.product(n.shape)
            if given != wanted:
                self.same(wanted, given, n)
        elif n.kind is Kind.LINALG and n.attrs[0] != "top":
            a = n.operands[0]
            if a.shape[-1] != a.shape[-2]:
                self.same(a.shape[-1], a.shape[-2], n)
        elif n.kind is Kind.LOOP:
            c, ends_ = n.attrs[0], ends(n)
            for m in c.nodes():
                self.read(m)
            given, leaves = (*ends_.starts, *c.new, *ends_.captured), (*c.carried, *c.carried, *c.captured)
            pairs = [(x.shape, y.shape) for x, y in zip(leaves, given, strict=True)]
            pairs += [((c.steps, *x.shape), source.shape) for x, source in zip(c.slices, ends_.sources, strict=True)]
            for left, right in pairs:
                for d, e in zip(left, right, strict=True):
                    if d != e:
                        self.same(d, e, n)
