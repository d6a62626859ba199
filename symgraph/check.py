"""`symgraph check`: which names of TensorFlow 1 a program uses, read from its text and never run.

Law of this file: a scope maps variables to dotted names of TF1; imports and assignments of attribute chains bind them,
every other binding hides them, and a function is read after the code around it, as Python runs it.  What a name is here
is asked of the package itself (tf1.py).
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from . import tf1

_ROOTS = ("symgraph", "tensorflow")
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Use:
    """A name that a program uses, dotted and without 'tf.', where, and the keywords of the call."""

    path: str
    place: str
    keywords: tuple[str, ...] = ()


# ---------------------------------------------------------------- reading programs
def uses(path: Path) -> list[Use]:
    """The uses in a .py or .ipynb file, in the order of the text; SyntaxError for what is not Python 3."""
    text = path.read_text(encoding="utf-8")
    cells = [("", text)] if path.suffix != ".ipynb" else list(_cells(text))
    scope: dict[str, str | None] = {}
    return [u for place, source in cells for u in _Reader(scope, place).read(source)]


def _cells(text: str) -> Iterator[tuple[str, str]]:
    """The code of a notebook; lines for the shell and magic ones are left out."""
    for number, cell in enumerate(json.loads(text)["cells"], 1):
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).split("\n")
            if not lines[0].startswith("%%"):
                yield f"cell {number}, ", "\n".join("" if line.lstrip()[:1] in ("%", "!", "?") else line for line in lines)


def _path_of(module: str) -> str | None:
    """The dotted name of TF1 that a module is; None where it is no part of TensorFlow."""
    root, _, rest = module.partition(".")
    if root not in _ROOTS:
        return None
    return rest.removeprefix("compat.v1").removeprefix(".") if f"{rest}.".startswith("compat.v1.") else rest


class _Reader(ast.NodeVisitor):
    """Walks one module, or one function in it."""

    def __init__(self, scope: dict[str, str | None], place: str) -> None:
        self.scope, self.place = scope, place
        self.found: list[tuple[int, int, Use]] = []
        self.later: list[tuple[ast.AST, dict[str, str | None]]] = []

    def read(self, source: str) -> list[Use]:
        self.visit(ast.parse(source))
        while self.later:  # functions see what the module is when it has been read
            body, own = self.later.pop(0)
            outer, self.scope = self.scope, {**self.scope, **own}
            for part in body.body if isinstance(body.body, list) else [body.body]:  # type: ignore[attr-defined]
                self.visit(part)
            self.scope = outer
        return [u for *_, u in sorted(self.found, key=lambda f: f[:2])]

    # -- what binds names
    def visit_Import(self, node: ast.Import) -> None:
        for a in node.names:
            if (path := _path_of(a.name)) is not None:
                self.scope[a.asname or a.name.partition(".")[0]] = path if a.asname else ""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for a in node.names:
            if node.level == 0 and node.module and (path := _path_of(f"{node.module}.{a.name}")) is not None:
                self.scope[a.asname or a.name] = path
                if path:
                    self._use(path, node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        path = self._chain(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.scope[target.id] = path
            else:
                self.visit(target)

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.scope[node.id] = None

    def _function(self, node: Any) -> None:
        a = node.args
        for part in [*a.defaults, *a.kw_defaults, *getattr(node, "decorator_list", ())]:
            if part is not None:
                self.visit(part)
        given = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        defaults = dict(zip([p.arg for p in (*a.posonlyargs, *a.args)][::-1], a.defaults[::-1]))
        own = {p.arg: self._chain(defaults[p.arg]) if p.arg in defaults else None for p in given}
        if hasattr(node, "name"):
            self.scope[node.name] = None
        self.later.append((node, own))

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    # -- what uses them
    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = self._chain(node)
        if path:
            self._use(path, node)
        else:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        path = self._chain(node.func)
        if path:
            self._use(path, node.func, tuple(k.arg for k in node.keywords if k.arg))
        else:
            self.visit(node.func)
        for part in [*node.args, *(k.value for k in node.keywords)]:
            self.visit(part)

    def _chain(self, node: ast.AST) -> str | None:
        """The dotted name of TF1 that an expression is."""
        if isinstance(node, ast.Name):
            return self.scope.get(node.id)
        if not isinstance(node, ast.Attribute):
            return None
        owner = self._chain(node.value)
        if owner is None or owner and owner in tf1.names():  # what hangs on a value is no name of a module
            return None if owner is None else owner if f"{owner}.{node.attr}" not in tf1.names() else f"{owner}.{node.attr}"
        return (f"{owner}.{node.attr}" if owner else node.attr).removeprefix("compat.v1.").removesuffix("compat.v1")

    def _use(self, path: str, node: Any, keywords: tuple[str, ...] = ()) -> None:
        if path not in tf1.spaces() and path != "compat":
            self.found.append((node.lineno, node.col_offset, Use(path, f"{self.place}line {node.lineno}", keywords)))


# ---------------------------------------------------------------- judging them
def faults(found: Iterable[Use], root: Any) -> Iterator[tuple[Use, str]]:
    """What of it does not work, and why."""
    for use in found:
        what = tf1.find(root, use.path)
        if not tf1.works(root, use.path):
            yield use, tf1.missing(use.path)
        elif callable(what):
            for keyword in use.keywords:
                if (why := _refuses(what, keyword)) is not None:
                    yield use, f"tf.{use.path}({keyword}=...): {why}"


def _refuses(function: Any, keyword: str) -> str | None:
    try:
        taken: Mapping[str, Parameter] = signature(function).parameters
    except (TypeError, ValueError):
        return None
    if keyword in taken or any(p.kind is Parameter.VAR_KEYWORD for p in taken.values()):
        return None
    return f"it takes {', '.join(taken)}"


def report(path: Path, root: Any) -> tuple[str, bool]:
    """What `symgraph check` says of a file, and whether all of it works."""
    found = uses(path)
    wrong = list(faults(found, root))
    bad = {u.path for u, _ in wrong}
    fine = dict.fromkeys(u.path for u in found if u.path not in bad)
    lines = [f"{path}: {len({u.path for u in found})} names of TF1, {len(bad) or 'none'} missing"]
    reasons: dict[str, list[str]] = {}
    for use, why in wrong:
        reasons.setdefault(why, []).append(use.place)
    lines += [f"  {'; '.join(dict.fromkeys(places))}: {why}" for why, places in reasons.items()]
    return "\n".join([*lines, *(["  working: " + " ".join(fine)] if fine else [])]), not wrong
