"""Kernels cut where the host has something to do: cuBLAS multiplies what the one has made, the next takes the product.

Law of this file: pieces are entered in order, on one stream, all with the same arguments; the end of a kernel is a meeting of
everybody, so no piece ends with one.  A loop of steps stands around each piece, which is entered for one step at a time.
Regions have no name in common, so of what stands at the head of the kernel or of its step each piece repeats what it reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from .loops import Barrier, Comment, For, Host, If, Let, Node, Return

if TYPE_CHECKING:
    from .lower import Kernel

_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A function of the generated module: a kernel, or what the `host` does."""

    name: str
    body: tuple[Node, ...]
    host: bool = False


def pieces(kernel: Kernel) -> tuple[Piece, ...]:
    """A kernel as `kernel`, or cut at each `Host` node of its step: `kernel0`, `products1`, `kernel2`, ..."""
    head = tuple(takewhile(_is_head, kernel.body))
    rest = kernel.body[len(head) :]
    step = rest[0].body if kernel.loop and rest and isinstance(rest[0], For) else rest
    if not any(isinstance(node, Host) for node in step):
        return (Piece("kernel", kernel.body),)
    first = tuple(takewhile(_is_head, step)) if kernel.loop else ()
    found = []
    for host, body in _cut(step[len(first) :]):
        if kernel.loop:
            assert isinstance(rest[0], For)
            top = tuple(node for node in first if not (host and isinstance(node, If)))
            body = (replace(rest[0], body=(*_read(top, body), *body)),)
        found.append(Piece(f"{'products' if host else 'kernel'}{len(found)}", (*_read(head, body), *body), host))
    return tuple(found)


def _is_head(node: Node) -> bool:
    """Is a node what may stand before the first region: a name, or the end of the loop?"""
    return isinstance(node, Let) or isinstance(node, If) and node.body == (Return(),)


def _cut(nodes: Sequence[Node]) -> Iterator[tuple[bool, tuple[Node, ...]]]:
    """The stretches between what the host does, and that: is it the host's, and what it is."""
    body: list[Node] = []
    for node in (*nodes, Host(())):
        if not isinstance(node, Host):
            body.append(node)
            continue
        while body and isinstance(body[-1], Barrier | Comment):
            body.pop()
        if any(not isinstance(x, Comment) for x in body):
            yield False, tuple(body)
        if node.body:
            yield True, node.body
        body = []


def _read(head: Sequence[Node], body: Sequence[Node]) -> list[Node]:
    """What of a head the nodes below it read, at once or by what they read."""
    kept: list[Node] = []
    wanted = set(_names(body))
    for node in reversed(head):
        if not isinstance(node, Let) or node.name in wanted:
            kept.insert(0, node)
            wanted.update(_names([node]))
    return kept


def _names(nodes: Sequence[Node]) -> Iterator[str]:
    """The names in nodes, whatever they are."""
    for node in nodes:
        for field in node.__slots__:
            value = getattr(node, field)
            if isinstance(value, str):
                yield from _NAME.findall(value)
            elif isinstance(value, tuple):
                yield from _names([x for x in value if not isinstance(x, str)])
