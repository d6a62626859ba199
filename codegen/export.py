"""A compiled program for other people's code: a function to call from @njit, and a file that needs only NumPy and Numba.

Law of this file: `call(*inputs, *states)` stands beside `kernel`, does in the user's function what a launch does from
Python (sizes, checks, scratch, results), and is compiled only when somebody asks for it.  The saved file holds the
kernel's own text, the runtime functions it uses (cut out of the runtime's modules), and constants of up to
LITERAL elements as text; larger constants are further arguments of the saved `call`, in the order its comment gives.
It runs on one thread, and multiplies matrices with the BLAS it finds or else with loops, and convolves with loops: what takes
the same arguments in `runtime.tiles` and `runtime.indirect` is machine code of this process.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .addresses import Names, product, size_text
from .ir import Linalg, SizeOf, whole_table
from .memory import STATUS
from .printer import escape, module_of
from .reference import failure

if TYPE_CHECKING:
    from .cpu import Executable
    from .lower import Kernel

LITERAL = 256
"""Elements up to which a constant is written into a saved file."""

THAW = '''def thaw(a):
    """A constant array as Numba's ordinary, writable type: kernels have one signature, and only read it."""
    return a


@numba.extending.intrinsic
def _thawed(typing, a):
    def build(context, builder, signature, args):
        context.nrt.incref(builder, signature.return_type, args[0])
        return args[0]

    return a.copy(readonly=False)(a), build


@numba.extending.overload(thaw)
def _thaw(a):
    return lambda a: _thawed(a)
'''


def _constants(made: Executable) -> dict[str, np.ndarray]:
    """The arrays of constants that a kernel takes, by the name of the argument."""
    found = {a.name: made.launcher._fixed(a, {}) for a in made.launcher.kernel.args if a.role in ("const", "constants")}
    return {name: x for name, x in found.items() if x is not None}


def call_source(made: Executable, extra: tuple[str, ...] = ()) -> str:
    """The text of `call`; constants are read from globals K_<name>, except those in `extra`, which are arguments."""
    return "\n".join(_call_lines(made, extra)) + "\n"


def _call_lines(made: Executable, extra: tuple[str, ...]) -> Iterator[str]:
    launcher = made.launcher
    program, kernel, memory = launcher.program, launcher.kernel, launcher.memory
    table = whole_table(program)
    names = Names({name: f"n{k}" for k, (name, _) in enumerate(program.sizes)})
    given = {n: f"x{k}" for k, n in enumerate((*program.inputs, *program.states))}
    for n, x in given.items():
        b = table[n]
        shape = ", ".join(names.size(e) for e in b.shape)
        yield escape(f"# {x}: {b.role} {b.dtype}[{shape}] {b.origin or n}")
    yield f"def call({', '.join([*given.values(), *extra])}):"
    for name, rule in program.sizes:
        short = names.size(name)
        if isinstance(rule, SizeOf):
            yield f"    {short} = {given[rule.buffer]}.shape[{rule.axis}]"
        else:
            yield f"    {short} = {size_text(rule, names)}"
    for c in program.checks:
        yield f"    if {names.size(c.left)} != {names.size(c.right)}:"
        yield f"        raise ValueError({_without_numbers(c.message)!r})"
    for n, x in given.items():
        for axis, extent in enumerate(table[n].shape):
            yield f"    if {x}.shape[{axis}] != {names.size(extent)}:"
            refusal = f"{table[n].role} {table[n].origin or n}: axis {axis} has another extent than the program says"
            yield f"        raise ValueError({refusal!r})"
    for target, source in program.updates:
        for axis, (old, new) in enumerate(zip(table[target].shape, table[source].shape, strict=True)):
            if old != new:
                yield f"    if {names.size(old)} != {names.size(new)}:"
                yield f"        raise ValueError({f'the new value of {target} has another extent on axis {axis}'!r})"
    arguments = []
    for a in kernel.args:
        if a.role in ("input", "state"):
            arguments.append(f"{given[a.buffer]}.reshape(-1)")
        elif a.role in ("const", "constants"):
            arguments.append(a.name if a.name in extra else f"thaw(K_{a.name})")
        else:
            n = product(a.extent.factors, names)
            if a.extent.block:
                n += f" * ((({product(a.extent.rows, names)}) + {a.extent.block - 1}) // {a.extent.block})"
            fill = "empty" if a.role in ("output", "scratch") else "zeros"
            yield f"    {a.name} = np.{fill}({n}, np.{a.dtype if a.dtype != 'bool' else 'bool_'})"
            arguments.append(a.name)
    results: list[str] = []
    for k, r in enumerate(memory.results):
        shape = f"({', '.join(names.size(s) for s in r.shape)}{',' if len(r.shape) == 1 else ''})"
        flat = dict(zip((a.name for a in kernel.args), arguments, strict=True))
        if r.kind == "before":
            held = next((a.name for a in kernel.args if a.buffer == r.arg), _returned(r.arg))
            source = given.get(r.arg) or (held if held in extra else f"thaw(K_{held})")
            yield f"    r{k} = {source}.copy().reshape({shape})" if r.shape else f"    r{k} = {source}.reshape(-1)[0]"
            results.append(f"r{k}")
        elif r.kind == "slot":
            results.append(f"{r.arg}[{r.slot}]")
        elif r.shape:
            results.append(f"{flat[r.arg]}{'' if r.kind == 'fresh' else '.copy()'}.reshape({shape})")
        else:
            results.append(f"{flat[r.arg]}[0]")
    sizes = [short for _, short in kernel.sizes]
    yield from _entering(kernel, arguments, sizes)
    for k, s in enumerate(launcher.failing):
        where = table[s.out].origin or s.out
        words = failure(s.fn, where) if isinstance(s, Linalg) else f"{where}: an index is out of range"
        yield f"    if status[{STATUS * k}] != 0:"
        yield f"        raise {'FloatingPointError' if isinstance(s, Linalg) else 'IndexError'}({words!r})"
    yield "    return " + (results[0] if len(results) == 1 else f"({', '.join(results)})" if results else "None")


def _entering(kernel: Kernel, arguments: list[str], sizes: list[str]) -> Iterator[str]:
    """The call of the kernel, with the table that it wants; Numba must not free what the table points to."""
    given = dict(zip((a.name for a in kernel.args), arguments, strict=True))
    named = [x for name, x in given.items() if name not in kernel.unnamed]
    head = ["0", "1", "np.zeros(16, np.int64)"]
    entries: dict[str, list[int]] = {}
    for k, name in enumerate(kernel.table):
        entries.setdefault(name, []).append(k)
    if entries:
        head.append("table")
        yield f"    table = np.empty({2 * len(kernel.table)}, np.int64)"
    for name, places in entries.items():
        yield f"    t_{name} = {given[name]}"
        for k in places:
            yield f"    table[{2 * k}] = t_{name}.ctypes.data"
            yield f"    table[{2 * k + 1}] = t_{name}.size"
    yield f"    kernel({', '.join([*head, *named, *sizes])})"
    for name in entries:
        yield f"    table[0] = t_{name}.size"


def _without_numbers(message: str) -> str:
    """The message of a `Check` for compiled code, which cannot print numbers: the clause that holds them is left out."""
    side = r"\{(?:left|right)\}"
    return re.sub(side, "?", re.sub(rf":[^:{{}}\n]*{side}(?:[^:{{}}\n]*{side})?", "", message))


def _held(made: Executable) -> dict[str, np.ndarray]:
    """Every constant that `call` may name: arguments of the kernel, and constants that are only returned."""
    held = _constants(made)
    arguments = {a.buffer for a in made.launcher.kernel.args}
    returned = {r.arg for r in made.launcher.memory.results if r.kind == "before"} - arguments
    for b in made.launcher.program.buffers:
        if b.value is not None and b.name in returned:
            held[_returned(b.name)] = b.value.reshape(-1)
    return held


def _returned(buffer: str) -> str:
    """The name of a constant that no kernel reads: an argument of the kernel may be called as the buffer is."""
    return f"r_{buffer}"


def dispatcher(made: Executable) -> Any:
    """`call` as a Numba dispatcher; it takes C-contiguous arrays of the declared dtypes."""
    import numba
    import numba.extending

    names: dict[str, Any] = {"np": np, "numba": numba, "kernel": made.entry}
    names |= {f"K_{name}": x for name, x in _held(made).items()}
    exec(THAW + "\n\n" + call_source(made), names)
    return numba.njit(names["call"], error_model="numpy", nogil=True)


# ---------------------------------------------------------------- a file of its own
def standalone(made: Executable) -> str:
    """A module with `kernel` and `call` that imports only NumPy and Numba."""
    source = re.sub(r"\btile_(f32|f64)\b", r"gemm_\1", re.sub(r"\bindirect_f(32|64)\b", "indirect_loops", made.source))
    helpers = {h for line in source.splitlines() if line.startswith("from symgraph") for h in line.partition(" import ")[2].split(", ")}
    body = [line for line in source.splitlines() if not line.startswith(("from symgraph", "import "))]
    held = _held(made)
    large = tuple(name for name, x in held.items() if x.size > LITERAL)
    lines = [f"# {escape(made.program.name)}: generated source and what it needs; it imports only NumPy and Numba.", "#"]
    lines.append(
        "# kernel() is the step over flat arrays; call(*inputs, *states"
        + (", *constants" if large else "")
        + ") does everything around it,"
    )
    lines.append("# updates the states in place, and may itself be compiled with numba.njit.")
    lines += [f"# constant argument {n}: {held[n].dtype}[{held[n].size}], flat, as the kernel wants it" for n in large]
    imported, text = cut_out(helpers)
    lines += ["", "from __future__ import annotations", "", *_import_lines(imported), "", text, "", THAW, ""]
    lines += [
        f"K_{n} = np.array({_literal(x)}, np.{x.dtype if x.dtype != bool else 'bool_'}).reshape({x.shape})"
        for n, x in held.items()
        if n not in large
    ]
    lines += [
        "",
        *(line.replace(", cache=True", "") if line.startswith("@numba") else line for line in body),
        "",
        "",
        call_source(made, large),
    ]
    return "\n".join(lines)


def _literal(x: np.ndarray) -> str:
    words = [repr(v) for v in x.reshape(-1).tolist()]
    return "[" + ", ".join({"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}.get(w, w) for w in words) + "]"


BARRIER = '''@numba.njit
def barrier_wait(barrier, nthreads):
    """One thread never waits."""
'''


Imports = dict[str, tuple[str, str]]
"""What a name that is imported means: the module, and the name there ('' for the module itself)."""


def _import_lines(imported: Imports) -> Iterator[str]:
    """Each module once, the standard library first."""
    lines: dict[str, list[str]] = {"import numba": [], "import numba.extending": [], "import numpy as np": []}
    for bound, (module, name) in sorted(imported.items()):
        if name:
            lines.setdefault(f"from {module} import ", []).append(name if name == bound else f"{name} as {bound}")
        else:
            lines.setdefault(f"import {module}" if module.partition(".")[0] == bound else f"import {module} as {bound}", [])
    ordered = sorted((head + ", ".join(names) for head, names in lines.items()), key=lambda line: (line.startswith("from"), line))
    standard = [line for line in ordered if line.split()[1].partition(".")[0] in sys.stdlib_module_names]
    yield from standard
    yield from [""] if standard else []
    yield from (line for line in ordered if line not in standard)


def cut_out(helpers: set[str]) -> tuple[Imports, str]:
    """The text of runtime functions and of everything they need, module by module, and what it imports."""
    imported: Imports = {}
    wanted: dict[str, set[str]] = {}
    for h in sorted(helpers - {"barrier_wait"}):
        wanted.setdefault(module_of(h), set()).add(h)
    pieces: dict[str, dict[int, str]] = {}
    todo = [(m, n) for m, names in sorted(wanted.items()) for n in sorted(names)]
    seen = set(todo)
    order: list[str] = []
    while todo:
        module, name = todo.pop()
        for needed in _needs(module, name, pieces, imported):
            if needed not in seen:
                seen.add(needed)
                todo.append(needed)
    for module in "symbols traced vecmath integer philox_numpy philox blas dense rows table team pooling".split():
        if module in pieces:
            order.append(f"# ---- {module}")
            order += [text for _, text in sorted(pieces[module].items())]
    return imported, "\n".join([*order, BARRIER] if "barrier_wait" in helpers else order)


def _needs(module: str, name: str, pieces: dict[str, dict[int, str]], imported: Imports) -> Iterator[tuple[str, str]]:
    """Add the statements that bind a name to `pieces`, imports to `imported`; the (module, name) pairs that they refer to."""
    source, tree = _parsed(module)
    lines = source.splitlines()
    for node in _top_level(tree):
        if name not in _bound(node):
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name and node.module:
                    yield node.module, alias.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            source_of = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                if (alias.asname or alias.name.partition(".")[0]) == name:
                    imported[name] = (source_of, alias.name) if source_of else (alias.name, "")
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        text = textwrap.dedent("\n".join(lines[first - 1 : node.end_lineno]))
        siblings = {alias.name for n in tree.body if isinstance(n, ast.ImportFrom) and n.level and not n.module for alias in n.names}
        for sibling in siblings:
            text = re.sub(rf"\b{sibling}\.(\w+)", r"\1", text)
        pieces.setdefault(module, {})[first] = text + ("\n\n" if isinstance(node, ast.FunctionDef | ast.ClassDef) else "")
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in siblings:
                yield part.value.id, part.attr
            elif isinstance(part, ast.Name) and part.id not in siblings:
                yield module, part.id


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a module, with those of `if not config.DISABLE_JIT:` among them."""
    for node in tree.body:
        yield from node.body if isinstance(node, ast.If) and isinstance(node.test, ast.UnaryOp) else [node]


def _parsed(module: str) -> tuple[str, ast.Module]:
    source = inspect.getsource(importlib.import_module(f"{__package__}.runtime.{module}"))
    return source, ast.parse(source)


def _bound(node: ast.stmt) -> set[str]:
    """Names that a top-level statement binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {a.asname or a.name.partition(".")[0] for a in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return set()
