"""In a notebook: graphs as pictures, and HTML for tensors, variables and compiled functions.

Law of this file: everything is made from the operation graph when it is shown and depends on nothing else; all text
from the user is escaped; a picture is one self-contained SVG.  Without pygraphviz a graph is shown as a tree of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any

from . import dtypes
from .arithmetic import Arithmetic
from .formula import formula
from .graph import Graph, Operation, Tensor, convert, get_default_graph
from .jacobians import DERIVATIVES
from .replay import upstream
from .shapes import text

_FILL = {"VariableV2": "#f9e0b0", "Placeholder": "#cfe3f7", "Const": "#eeeeee", "NoOp": "#ffffff"} | dict.fromkeys(DERIVATIVES, "#e3d4f1")
_WRITES, _OTHER = "#f6cfc8", "#d8ecd2"


@dataclass
class _Scope:
    """A name scope: its operations and the scopes inside it."""

    name: str
    operations: list[Operation] = field(default_factory=list)
    scopes: dict[str, _Scope] = field(default_factory=dict)


def _scopes(operations: Iterable[Operation]) -> _Scope:
    """The tree of name scopes; an operation that shares its name with a scope (a variable) lies inside it."""
    ops = list(operations)
    inner = {op.name.rsplit("/", 1)[0] for op in ops if "/" in op.name}
    root = _Scope("")
    for op in ops:
        path = op.name.split("/")
        if op.name not in inner:
            path = path[:-1]
        scope = root
        for k, part in enumerate(path):
            scope = scope.scopes.setdefault(part, _Scope("/".join(path[: k + 1])))
        scope.operations.append(op)
    return root


@dataclass(frozen=True)
class GraphPicture:
    """A graph to look at: SVG in a notebook (with pygraphviz), text elsewhere."""

    operations: tuple[Operation, ...]

    def svg(self) -> str:
        """One self-contained SVG element.  ImportError, saying what to install, without pygraphviz."""
        try:
            import pygraphviz
        except ImportError:
            raise ImportError("drawing a graph needs pygraphviz, which brings Graphviz: pip install 'symgraph[viz]'") from None
        dot = pygraphviz.AGraph(directed=True, strict=False, rankdir="BT", fontname="Helvetica", fontsize="11", compound="true")
        dot.node_attr.update(shape="box", style="filled,rounded", fontname="Helvetica", fontsize="10", margin="0.08,0.04", height="0.25")
        dot.edge_attr.update(fontname="Helvetica", fontsize="8", color="#555555", arrowsize="0.6")
        shown = set(self.operations)
        self._fill(dot, _scopes(self.operations))
        for op in self.operations:
            for t in op.inputs:
                if t.op in shown:
                    dot.add_edge(f"o{t.op.number}", f"o{op.number}", label=_plain(text(t.extents)))
            for c in op.control_inputs:
                if c in shown:
                    dot.add_edge(f"o{c.number}", f"o{op.number}", style="dashed")
        drawn = dot.draw(format="svg", prog="dot").decode()
        return drawn[drawn.index("<svg") :]

    def _fill(self, dot: Any, scope: _Scope) -> None:
        for op in scope.operations:
            fill = _WRITES if op.attrs.get("writes") else _FILL.get(op.type, _OTHER)
            label = op.name.rsplit("/", 1)[-1]
            kind = "" if label.lower().startswith(op.type.lower()) else f"\n{op.type}"
            dot.add_node(f"o{op.number}", label=_plain(label + kind), fillcolor=fill, tooltip=_plain(op.name))
        for name, inner in scope.scopes.items():
            box = dot.subgraph(
                name=f"cluster_{_word(inner.name)}", label=_plain(name), style="rounded", color="#999999", tooltip=_plain(inner.name)
            )
            self._fill(box, inner)

    def tree(self) -> str:
        """Names in the tree of their scopes, with type, shape and inputs."""
        lines: list[str] = []
        stack: list[tuple[int, _Scope]] = [(0, _scopes(self.operations))]
        while stack:
            depth, scope = stack.pop()
            if scope.name:
                lines.append("  " * (depth - 1) + scope.name.rsplit("/", 1)[-1] + "/")
            for op in scope.operations:
                inputs = ", ".join(t.op.name for t in op.inputs)
                shapes = " ".join(f"{t.dtype.name}{text(t.extents)}" for t in op.outputs)
                lines.append("  " * depth + f"{op.name.rsplit('/', 1)[-1]}  {op.type} {shapes}" + (f"  <- {inputs}" if inputs else ""))
            stack.extend((depth + 1, s) for s in reversed(scope.scopes.values()))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.tree()

    def _repr_html_(self) -> str:
        try:
            return f'<div style="overflow:auto">{self.svg()}</div>'
        except ImportError:
            return f"<pre>{escape(self.tree())}</pre>"


def _plain(label: str) -> str:
    """A label for Graphviz: no escape sequences of its own, and never its HTML."""
    return label.replace("\\", "\\\\").replace("<", "‹").replace(">", "›")


def _word(name: str) -> str:
    return re.sub(r"\W", lambda m: f"_{ord(m[0]):x}_", name)


def show_graph(graph_or_tensor: Any = None) -> GraphPicture:
    """The picture of a graph (by default the default graph), or of all that a tensor or operation is computed from."""
    what = get_default_graph() if graph_or_tensor is None else graph_or_tensor
    if isinstance(what, Graph):
        return GraphPicture(tuple(what.get_operations()))
    if hasattr(what, "_as_graph_element"):
        what = what._as_graph_element()
    if isinstance(what, Tensor):
        below = {t.op for t in upstream([what])}
    elif isinstance(what, Operation):
        below = {t.op for t in upstream(what.inputs)} | {what}
    else:
        raise TypeError(f"show_graph takes a graph, a tensor or an operation, not {type(what).__name__}")
    return GraphPicture(tuple(sorted(below, key=lambda op: op.number)))


# ---------------------------------------------------------------- rich reprs
def _html(value: Any) -> str:
    """A tensor or variable in a notebook: its repr, and its formula where there is one."""
    head = f"<code>{escape(repr(value))}</code>"
    t = convert(value)
    if t.node is None or t.dtype is dtypes.string:
        return head
    return f"{head}<br>$$\\displaystyle {escape(formula(t).latex())}$$"


Arithmetic.operators["html"] = _html
