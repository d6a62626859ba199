"""The regions of a long kernel as functions beside it, equal ones as one function.

Law of this file: it changes what is written, never what is computed.  Some of Numba's analyses take names times blocks of a
function, so a kernel of 2000 lines takes a third longer for each line than one of 500; NVVM puts the functions back in their
places.  A region is a loop or branch that no name leaves: what it reads becomes its parameters, in the order of its text.
Regions that differ in nothing but names are one function, which the first of them gives its names and comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .loops import Barrier, Break, Call, Comment, For, Function, Host, If, Let, Node, Return
from .lower import Kernel
from .share import bound, inside, renamed, words_of

LONG = 300
"""Statements from which on a kernel is worth it."""
LEAST, MOST = 8, 400
"""Statements of a region that becomes a function; larger ones are looked into."""


def outline(kernel: Kernel) -> Kernel:
    """The kernel with its regions as functions, where it is long."""
    if _length(kernel.body) < LONG:
        return kernel
    made = _Outliner(kernel)
    body = tuple(made.block(kernel.body, frozenset()))
    return replace(kernel, body=body, helpers=kernel.helpers | {"inlined"}) if made.known else kernel


class _Outliner:
    def __init__(self, kernel: Kernel) -> None:
        everything = [n for node in kernel.body for n in inside(node)]
        self.variables = {name for name, _ in kernel.parameters()} | {"lane"} | {n.var for n in everything if isinstance(n, For)}
        self.variables.update(name for node in kernel.body for name in bound(node))
        self.known: dict[tuple, str] = {}

    def block(self, nodes: Sequence[Node], outside: frozenset[str]) -> list[Node]:
        """The nodes with regions as calls; `outside` are names that are read elsewhere before they are given a value there."""
        free = [self.free([node]) for node in nodes]
        found: list[Node] = []
        for k, node in enumerate(nodes):
            if not isinstance(node, For | If):
                found.append(node)
                continue
            others = outside.union(*free[:k], *free[k + 1 :])
            length = _length([node])
            if LEAST <= length <= MOST and not _leaves(node) and not self.own(node) & (others | free[k]):
                found += self.call(node, free[k])
            elif length > LEAST:
                head = frozenset(self.words(replace(node, body=())))
                found.append(replace(node, body=tuple(self.block(node.body, others | head))))
            else:
                found.append(node)
        return found

    def call(self, node: For | If, free: frozenset[str]) -> list[Node]:
        """A region as a call of its function, behind the function where it is the first."""
        taken = [name for name in dict.fromkeys(self.all_words(node)) if name in free]
        order = dict.fromkeys([*taken, *(name for name in self.all_words(node) if name in self.variables)])
        key = len(taken), renamed(node, {name: f"r{k}" for k, name in enumerate(order)}, lanes=True)
        name = self.known.get(key)
        if name is not None:
            return [Call(f"{name}({', '.join(taken)})")]
        name = self.known[key] = f"region{len(self.known)}"
        return [Function(name, tuple(taken), (node,)), Call(f"{name}({', '.join(taken)})")]

    def own(self, node: Node) -> frozenset[str]:
        """The names that a region gives a value."""
        return frozenset([*bound(node), *(n.var for n in inside(node) if isinstance(n, For))])

    def free(self, nodes: Iterable[Node]) -> frozenset[str]:
        """The variables that nodes may read before they give them a value."""
        given: set[str] = set()
        found: set[str] = set()
        for node in nodes:
            match node:
                case For(var, _, body):
                    found |= (self.words(replace(node, var="", body=())) | (self.free(body) - {var})) - given
                case If(_, body):
                    found |= (self.words(replace(node, body=())) | self.free(body)) - given
                case Let(name, value):
                    found |= self.words(Call(value)) - given
                    given.add(name)
                case Call(text, result) if result.isidentifier():
                    found |= self.words(Call(text)) - given
                    given.add(result)
                case _:
                    found |= self.words(node) - given
        return frozenset(found)

    def words(self, node: Node) -> set[str]:
        return self.variables.intersection(self.all_words(node))

    def all_words(self, node: Node) -> Iterable[str]:
        """Every word of a node in the order of its text, and those that printing it adds."""
        for n in inside(node):
            match n:
                case For(spread="member"):
                    yield "lane"
                case For(spread="team"):
                    yield from ("tid", "nthreads", "lane")
                case Barrier():
                    yield from ("barrier", "nthreads")
            yield from words_of(n)


def _leaves(node: Node, loops: int = 0) -> bool:
    """Does a region end more than itself?"""
    match node:
        case Return() | Host():
            return True
        case Break():
            return not loops
        case For(body=body):
            return any(_leaves(n, loops + 1) for n in body)
        case If(body=body):
            return any(_leaves(n, loops) for n in body)
    return False


def _length(nodes: Iterable[Node]) -> int:
    return sum(not isinstance(n, Comment) for node in nodes for n in inside(node))
