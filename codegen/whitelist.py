"""What generated source may contain: it is checked before it is executed, and anything not listed here is refused.

Law of this file: nothing is forbidden by name, everything is allowed by name.  Generated code is array loops, so a short
list of syntax, a few modules, the mathematical part of NumPy, and a dozen attributes of arrays are enough; every road
from there to files, processes or the interpreter is simply not on the lists.  Strings that Numba would evaluate
(signatures) are parsed and held to the names of types.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

BUILTINS = frozenset(
    "abs bool complex divmod enumerate float int len max min pow range round slice sum tuple zip True False None "
    "ArithmeticError FloatingPointError IndexError OverflowError ValueError ZeroDivisionError".split()
)
"""Builtins that no generated code can do harm with: what `allowed_names` usually is."""

_SYNTAX = frozenset(
    (
        *(ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef, ast.arguments, ast.arg, ast.keyword),
        *(ast.Assign, ast.AugAssign, ast.For, ast.While, ast.If, ast.Break, ast.Continue, ast.Pass, ast.Return, ast.Expr, ast.Raise),
        *(ast.Call, ast.Attribute, ast.Subscript, ast.Slice, ast.Name, ast.Constant, ast.Tuple, ast.Set),
        *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp),
    )
)
_LEAVES = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context)
"""Node types without content: never visited, which halves the time."""
_RUNTIME = re.compile(r"(symgraph\.codegen\.runtime)(\.[a-z][a-z0-9_]*)*")

_TYPES = frozenset(
    "void none boolean bool_ b1 int8 int16 int32 int64 intp intc uint8 uint16 uint32 uint64 uintp float32 float64 complex64 complex128 "
    "i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 Tuple UniTuple Array CPointer voidptr".split()
)
_NUMBA = frozenset("prange literally carray farray types cuda".split()) | _TYPES
_CUDA = frozenset("threadIdx blockIdx gridDim".split())
_CUDA_NUMPY = frozenset("tan arcsin arccos arctan sinh cosh".split())
_NUMPY = frozenset(
    "dot empty empty_like zeros zeros_like ones ones_like full full_like arange ascontiguousarray asarray array eye "
    "sum prod mean max min amax amin argmax argmin any all where transpose vdot outer linalg".split()
)
_INNER = ("numpy.linalg", "numba.types", "numba.cuda")
"""Modules that are found as attributes of others."""
_LINALG = frozenset("cholesky det inv norm slogdet solve".split())
_VALUES = frozenset(
    "T all any argmax argmin astype copy ctypes data dtype fill flat imag item itemsize max mean min ndim prod ravel real "
    "reshape shape size strides sum transpose view x".split()
)
"""Attributes of anything that is not a module: arrays and numbers."""
_FLAGS = frozenset(
    "nogil fastmath error_model boundscheck cache inline forceinline parallel debug no_cpython_wrapper no_cfunc_wrapper _nrt".split()
)


class SourceError(Exception):
    """Generated source holds something outside the whitelist: a fault of the printer (or an attack), never of the user."""


def check(source: str, allowed_names: set[str] | frozenset[str] = BUILTINS) -> ast.Module:
    """The syntax tree of `source`, or SourceError with line and reason when anything in it is not on the lists.

    `allowed_names` are the names that code may read although the source does not bind them (builtins, mostly).
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SourceError(f"generated source is not Python: {error}") from error
    pairs = list(_walk(tree))
    modules = dict(_imports(tree))
    bound = {name: node for node, _ in pairs for name in _binds(node)}
    names = _Names(modules, frozenset(bound), frozenset(allowed_names))
    for name, node in bound.items():
        if name.startswith("__") or name in modules or name in allowed_names or hasattr(builtins, name):
            raise _error(node, f"{name!r} may not be bound")
    for node, parent in pairs:
        reason = _refuse(node, parent, names)
        if reason:
            raise _error(node, reason)
    return tree


@dataclass(frozen=True, slots=True)
class _Names:
    """What names mean in one source."""

    modules: dict[str, str]
    bound: frozenset[str]
    allowed: frozenset[str]


def _error(node: ast.AST, reason: str) -> SourceError:
    return SourceError(f"line {getattr(node, 'lineno', '?')} of generated source: {reason}")


def _walk(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(node, its parent), outer nodes first."""
    stack: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
    while stack:
        node, parent = pair = stack.pop()
        yield pair
        stack += [(child, node) for child in _children(node)]


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """What to visit below a node: of a decorator only what it is called with, as `_refuse_decorator` knows what may be called."""
    for field in node._fields:
        value = getattr(node, field)
        if isinstance(value, list):
            for child in value:
                if field == "decorator_list" and isinstance(child, ast.Call):
                    yield from (*child.args, *child.keywords)
                elif isinstance(child, ast.AST) and not isinstance(child, _LEAVES):
                    yield child
        elif isinstance(value, ast.AST) and not isinstance(value, _LEAVES):
            yield value


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(name, what it is) of everything imported: 'numpy', 'numpy.linalg', 'runtime' for a module, 'value' for what is in one."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name if alias.name in ("numpy", "numba", "math") else "runtime"
                yield alias.asname or alias.name.partition(".")[0], root
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                in_package = node.module == "symgraph.codegen.runtime"
                yield alias.asname or alias.name, "runtime" if in_package else _member(node.module or "", alias.name)


def _member(module: str, name: str) -> str:
    return f"{module}.{name}" if f"{module}.{name}" in _INNER else "value"


def _binds(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.FunctionDef):
        yield node.name


def _refuse(node: ast.AST, parent: ast.AST, names: _Names) -> str:
    """Why this node may not stand where it stands; empty when it may."""
    if isinstance(node, ast.Name):
        return _refuse_name(node.id, parent, names)
    if isinstance(node, ast.Attribute):
        return _refuse_attribute(node, parent, names.modules)
    if isinstance(node, ast.FunctionDef):
        if not isinstance(parent, ast.Module):
            return f"function {node.name!r} inside another"
        return next((r for d in node.decorator_list if (r := _refuse_decorator(d, names.modules))), "")
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _refuse_import(node, parent)
    return "" if type(node) in _SYNTAX else f"{type(node).__name__} is not among the syntax that generated code uses"


def _refuse_name(name: str, parent: ast.AST, names: _Names) -> str:
    if name in names.bound:
        return ""
    if name in names.modules:
        whole = names.modules[name] != "value" and not isinstance(parent, ast.Attribute)
        return f"module {name!r} used as a value" if whole else ""
    return "" if name in names.allowed and not name.startswith("_") else f"unknown name {name!r}"


def _refuse_import(node: ast.Import | ast.ImportFrom, parent: ast.AST) -> str:
    if not isinstance(parent, ast.Module):
        return "import inside a function"
    for alias in node.names:
        if (alias.asname or alias.name).startswith("_") or alias.name.startswith("_") or hasattr(builtins, alias.asname or alias.name):
            return f"import of {alias.name!r} as {alias.asname or alias.name!r}"
        if isinstance(node, ast.Import):
            runtime = _RUNTIME.fullmatch(alias.name) and alias.asname  # without `as` it would bind the whole of symgraph
            if alias.name not in ("numpy", "numba", "math") and not runtime:
                return f"import of {alias.name!r}"
        elif node.level or not _allows(node.module or "", alias.name):
            return f"import of {alias.name!r} from {'.' * node.level}{node.module or ''}"
    return ""


@lru_cache(maxsize=4096)
def _allows(module: str, name: str) -> bool:
    """Is `name` on the list of what may be taken from `module`?"""
    if name.startswith("_"):
        return False
    if module == "numpy":
        value = getattr(np, name, None)
        scalar = isinstance(value, type) and issubclass(value, np.number | np.bool_)
        return scalar or isinstance(value, np.ufunc | float) or name in _NUMPY
    table = {"numba": _NUMBA, "numba.types": _TYPES, "numba.cuda": _CUDA, "numpy.linalg": _LINALG}
    return name in table[module] if module in table else module in ("math", "runtime") or _RUNTIME.fullmatch(module) is not None


def _refuse_attribute(node: ast.Attribute, parent: ast.AST, modules: dict[str, str]) -> str:
    module = _module_of(node.value, modules)
    if isinstance(node.ctx, ast.Store | ast.Del):
        return f"assignment to attribute {node.attr!r}"
    if module is None:
        return "" if node.attr in _VALUES else f"attribute {node.attr!r}"
    if not _allows(module, node.attr):
        return f"{node.attr!r} of {module}"
    if module == "numpy" and "numba.cuda" in modules.values() and not _on_device(node.attr):
        return f"{node.attr!r} of {module}, which numba-cuda does not compile"
    whole = _module_of(node, modules) is not None and not isinstance(parent, ast.Attribute)
    return f"module {node.attr!r} used as a value" if whole else ""


def _on_device(name: str) -> bool:
    """Does a kernel of a device find this of NumPy? Most of it simulators would."""
    return name in _CUDA_NUMPY or not isinstance(getattr(np, name), np.ufunc)


def _module_of(node: ast.AST, modules: dict[str, str]) -> str | None:
    """Which module an expression is, None for a value."""
    if isinstance(node, ast.Name):
        kind = modules.get(node.id)
        return None if kind == "value" else kind
    if isinstance(node, ast.Attribute):
        inner = _module_of(node.value, modules)
        name = f"{inner}.{node.attr}"
        return name if name in _INNER else None
    return None


def _refuse_decorator(node: ast.expr, modules: dict[str, str]) -> str:
    """Only cuda.jit, the runtime's `inlined`, and numba.njit with known options; a signature is a checked string or made of
    Numba's types."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=root), attr="jit"), keywords=[]) if modules.get(root) == "numba.cuda":
            pass
        case ast.Name(id="inlined") if modules.get("inlined") == "value":
            return ""
        case ast.Call(func=ast.Attribute(value=ast.Name(id=root), attr="njit")) if modules.get(root) == "numba":
            pass
        case _:
            return f"decorator {ast.unparse(node)[:60]!r}"
    for keyword in node.keywords:
        if keyword.arg not in _FLAGS:
            return f"decorator option {keyword.arg!r}"
    for argument in node.args:
        if isinstance(argument, ast.Constant) and _is_signature(argument.value):
            continue
        for part in ast.walk(argument):  # Numba evaluates strings, wherever they come from
            foreign = isinstance(part, ast.Name) and part.id not in modules
            if foreign or (isinstance(part, ast.Constant) and isinstance(part.value, str)):
                return f"signature {ast.unparse(argument)[:60]!r}"
    return ""


def _is_signature(text: object) -> bool:
    if not isinstance(text, str):
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    legal = (ast.Expression, ast.Call, ast.Subscript, ast.Slice, ast.Tuple, ast.Name, ast.Constant, ast.expr_context)
    return all(isinstance(n, legal) and (not isinstance(n, ast.Name) or n.id in _TYPES) for n in ast.walk(tree))
