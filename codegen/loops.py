"""Loop nests as data: what a kernel does, before it is text.

Law of this file: a kernel is a tree of these few nodes; expressions in them are Python text made of counter-named
identifiers, indices and literals, with the same meaning for every target.  Whoever prints them decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Comment:
    """What the lines below compute, in the user's words; the printer escapes it."""

    text: str


@dataclass(frozen=True, slots=True)
class Let:
    """name = value"""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Store:
    """array[index] = value"""

    array: str
    index: str
    value: str


@dataclass(frozen=True, slots=True)
class Accumulate:
    """target = target (reducer) value, where target is a local name or array[index]."""

    target: str
    reducer: str
    value: str
    dtype: str


@dataclass(frozen=True, slots=True)
class For:
    """for var in range(...): the extent, or start, stop and step as text.

    `spread`: the lanes of a member share its rounds, or those of the whole team; the extent is then one number."""

    var: str
    extent: str
    body: tuple[Node, ...]
    spread: Literal["", "member", "team"] = ""


@dataclass(frozen=True, slots=True)
class If:
    """if condition:"""

    condition: str
    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A call for its effect: `text`; `result` is the name or element that takes its value, if any."""

    text: str
    result: str = ""


@dataclass(frozen=True, slots=True)
class Return:
    """Leave the kernel, every thread by this road together; or a function, with a value."""

    value: str = ""


@dataclass(frozen=True, slots=True)
class Break:
    """Leave the loop around: every thread takes this road together."""


@dataclass(frozen=True, slots=True)
class Barrier:
    """Every member has done what stands above."""

    reason: str


@dataclass(frozen=True, slots=True)
class Sync:
    """Every lane of the member has done what stands above."""


@dataclass(frozen=True, slots=True)
class Host:
    """What the host does when the whole team has done what stands above, and before it does what stands below."""

    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A nest that stands in several places, or is handed to what calls it, as a function beside the kernel."""

    name: str
    parameters: tuple[str, ...]
    body: tuple[Node, ...]


Node = Comment | Let | Store | Accumulate | For | If | Call | Return | Break | Barrier | Sync | Host | Function


def count(nodes: tuple[Node, ...]) -> dict[str, int]:
    """How many nodes of each kind a tree holds, by class name."""
    total: dict[str, int] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        total[type(node).__name__] = total.get(type(node).__name__, 0) + 1
        stack.extend(getattr(node, "body", ()))
    return total
