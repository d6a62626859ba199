"""Loop nests to Python source.

Law of this file: one node is one line or one block, and nothing is decided here.  The text without comments is the
identity of a kernel (comments hold the user's names and line numbers); user text appears in comments only, with
everything that could end a comment escaped.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping

from .cuts import pieces
from .expressions import SHORT, VECMATH, combine
from .loops import Accumulate, Barrier, Break, Call, Comment, For, Function, If, Let, Node, Return, Store, Sync
from .lower import Kernel
from .share import SLICE

FLAGS = 'nogil=True, error_model="numpy", boundscheck=False, fastmath={"contract"}'
"""Contraction to fused multiply-add is the only liberty taken everywhere; sums that may be reordered say so themselves."""
MODULES = {
    "vecmath": tuple(VECMATH.values()),
    "blas": ("gemm",),
    "tiles": ("tile",),
    "dense": ("inverse", "solve", "cholesky", "determinant", "logdet", "top"),
    "philox": ("uniform", "normal", "truncated_normal", "shuffle_permutation", "candidates"),
    "team": ("barrier_wait", "add_reassoc", "step_done", "prefetch", "tail"),
    "rows": ("outside", "zero_rows", "copy_rows", "add_rows", "put_rows", "first_of_each"),
    "table": ("array_at",),
    "indirect": ("indirect",),
    "pooling": ("pool_max", "pool_max_4", "pool_pick", "pool_route", "pool_route_4", "depthwise", "indirect_loops"),
    "integer": ("truncdiv", "floordiv", "floormod", "int_power"),
}
"""Which runtime module has which function (without its dtype's suffix)."""


_REDUCERS = ("sum", "prod", "max", "min", "any", "all")
_PRODUCTS = tuple("gemm gemm_of gemm_into gemm_part gemm_join gemm_join_into left_flat right_flat keep_flat inlined".split())
DEVICE = {
    "device_math": (*VECMATH.values(), *MODULES["integer"], "sqrt", "floor", "ceil", "rint"),
    "device_tiles": (
        "gemm",
        "gemm_of",
        "gemm_into",
        "left_flat",
        "right_flat",
        "keep_flat",
        "gemm_part",
        "gemm_join",
        "gemm_join_into",
        "inlined",
    ),
    "device_dense": MODULES["dense"],
    "device_draws": (*MODULES["philox"], "advance"),
    "device_team": ("barrier_wait", "step_done", "tail", *(f"{v}_{r}" for v in ("lanes", "put", "get") for r in _REDUCERS)),
    "device": ("sync",),
    "device_rows": ("outside", "add_rows", "put_rows", "first_of_each"),
    "device_windows": ("indirect", "pool_max", "pool_pick", "pool_route", "pool_route_once", "depthwise"),
}
"""The same where members have lanes."""


_BY_NUMPY = re.compile(r"\bnp\.(sqrt|floor|ceil|rint)\(")
"""What CUDA does not compile by NumPy's name."""
_ON_DEVICE = re.compile(r"\b(sync|tail|sqrt|floor|ceil|rint)\(")
PLACES = (1 << 40) - 1
"""More than a loop has rounds: a mask from which the compiler sees that a number is not negative, and drops tests before each load."""


def module_of(helper: str, modules: Mapping[str, tuple[str, ...]] = MODULES) -> str:
    """The runtime module of a function that generated source calls."""
    stem = helper.rpartition("_")[0] if helper.rpartition("_")[2] in ("f32", "f64", "int32", "int64", "bool") else helper
    return next(m for m, names in modules.items() if stem in names)


def signature(kernel: Kernel) -> str:
    """The one Numba signature of a kernel."""
    return f"void({', '.join(kind for _, kind in kernel.parameters())})"


def print_source(kernel: Kernel, comments: bool = True) -> str:
    """The module that defines `kernel`."""
    body = [line for f in kernel.functions for line in _function(f, comments)]
    names = ", ".join(name for name, _ in kernel.parameters())
    if comments:
        body += [f"# {line}" for line in _arguments(kernel)]
    body += [f'@numba.njit("{signature(kernel)}", {FLAGS}, cache=True)', f"def kernel({names}):"]
    body += list(_block(kernel.body, "    ", comments)) or ["    return"]
    helpers = set(kernel.helpers) | {h for h in ("add_reassoc", "tail") if any(f"{h}(" in line for line in body)}
    return _module(kernel, ["import numba", "import numpy as np", *imports(helpers)], body, comments)


def print_cuda(kernel: Kernel, lanes: int, comments: bool = True) -> str:
    """The same for a grid of blocks with so many lanes: one kernel, or several and what the host does between them."""
    names, kinds = zip(*kernel.parameters()[2:], strict=True)
    body = [line for f in _functions(kernel.body) for line in _function(f, comments, "inlined", lanes)]
    body += [f"# {line}" for line in _arguments(kernel)] if comments else []
    for piece in pieces(kernel):
        if piece.host:
            body += [f"def {piece.name}(multiply, {', '.join(names)}):", *_block(piece.body, "    ", comments, host=True), "", ""]
            continue
        body += [f'@cuda.jit("void({", ".join(kinds)})")', f"def {piece.name}({', '.join(names)}):"]
        body += ["    tid = cuda.blockIdx.x", "    nthreads = cuda.gridDim.x", f"    lane = cuda.threadIdx.x & {lanes - 1}"]
        body += [*_block(piece.body, "    ", comments, lanes), "", ""]
    body = [line if line.lstrip().startswith("#") else _BY_NUMPY.sub(r"\1(", line) for line in body[:-2]]
    helpers = set(kernel.helpers).union(*(_ON_DEVICE.findall(line) for line in body if not line.lstrip().startswith("#")))
    return _module(kernel, ["import numpy as np", "from numba import cuda", *imports(helpers - {"prefetch"}, DEVICE)], body, comments)


def _module(kernel: Kernel, head: list[str], body: list[str], comments: bool) -> str:
    """The text of a module: what it imports, the short names of dtypes that it uses, and its functions."""
    lines = [f"# {escape(kernel.name)}"] if comments else []
    lines += [*head, ""]
    used = "\n".join(line for line in body if not line.lstrip().startswith("#"))
    lines += [f"{short} = np.{dtype}" for dtype, short in SHORT.items() if f"{short}(" in used or f", {short})" in used]
    lines += ["", "", *body]
    return "\n".join(lines) + "\n"


def _functions(nodes: tuple[Node, ...]) -> Iterator[Function]:
    """Those that stand where they are handed over or called, each behind those in it."""
    for node in nodes:
        yield from _functions(getattr(node, "body", ()))
        if isinstance(node, Function):
            yield node


def _function(f: Function, comments: bool, decorator: str = f"numba.njit({FLAGS})", lanes: int = 0) -> Iterator[str]:
    """A function that the kernel calls; Numba compiles it for the types of the first call, with the kernel."""
    yield f"@{decorator}"
    yield f"def {f.name}({', '.join(f.parameters)}):"
    yield from _block(f.body, "    ", comments, lanes)
    yield ""
    yield ""


def imports(helpers: set[str], modules: Mapping[str, tuple[str, ...]] = MODULES) -> list[str]:
    """One import line for each runtime module that the source needs."""
    by_module: dict[str, list[str]] = {}
    for h in sorted(helpers):
        by_module.setdefault(module_of(h, modules), []).append(h)
    return [f"from symgraph.codegen.runtime.{m} import {', '.join(names)}" for m, names in sorted(by_module.items())]


def runtime(helpers: set[str] | frozenset[str]) -> None:
    """Import what a kernel calls, so that its foreign functions are known before it is compiled or loaded."""
    for h in sorted(helpers):
        module = importlib.import_module(f"{__package__}.runtime.{module_of(h)}")
        if hasattr(module, "ensure"):
            module.ensure(h)


def _arguments(kernel: Kernel) -> Iterator[str]:
    for a in kernel.args:
        extent = " * ".join(map(str, a.extent.factors)) or "1"
        extent += f" for each {a.extent.block} of {' * '.join(map(str, a.extent.rows))}" if a.extent.block else ""
        yield escape(f"{a.name}: {a.role} {a.dtype}[{extent}{' for each thread' if a.extent.threads else ''}] {a.buffer}").rstrip()
    for name, short in kernel.sizes:
        yield escape(f"{short}: size {name}")


def escape(text: str) -> str:
    """User text that stays inside its comment, whatever it holds."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _tails(text: str) -> str:
    """The text with slices `array[first:]` as calls of the runtime."""
    return SLICE.sub(r"tail(\1, \2)", text)


def _rounds(node: For, lanes: int) -> str:
    """What a loop's variable walks, where so many lanes may share it."""
    if not lanes or not node.spread:
        return node.extent
    if node.spread == "team":
        return f"tid * {lanes} + lane, {node.extent}, nthreads * {lanes}"
    return f"lane, {node.extent}, {lanes}"


def _block(nodes: tuple[Node, ...], indent: str, comments: bool, lanes: int = 0, host: bool = False) -> Iterator[str]:
    tails = str if host else _tails
    for node in nodes:
        match node:
            case Comment(text):
                if comments:
                    yield f"{indent}# {escape(text)}"
            case Let(name, value):
                yield f"{indent}{name} = {tails(value)}"
            case Store(array, index, value):
                yield f"{indent}{array}[{index}] = {value}"
            case Accumulate(target, "sum", value, _) if lanes:
                yield f"{indent}{target} = {target} + {value}"
            case Accumulate(target, reducer, value, dtype):
                yield f"{indent}{target} = {combine(reducer, dtype, target, value)}"
            case For(var, _, body):
                yield f"{indent}for {var} in range({_rounds(node, lanes)}):"
                inner = list(_block(body, indent + "    ", comments, lanes, host))
                if lanes and node.spread:
                    yield f"{indent}    {var} &= {PLACES}"
                yield from inner if any(not line.lstrip().startswith("#") for line in inner) else [*inner, f"{indent}    pass"]
            case If(condition, body):
                yield f"{indent}if {condition}:"
                inner = list(_block(body, indent + "    ", comments, lanes, host))
                yield from inner if any(not line.lstrip().startswith("#") for line in inner) else [*inner, f"{indent}    pass"]
            case Call(text, result):
                yield f"{indent}{result + ' = ' if result else ''}{tails(text)}"
            case Return(value):
                yield f"{indent}return {value}".rstrip()
            case Break():
                yield f"{indent}break"
            case Sync():
                yield f"{indent}sync()"
            case Barrier(reason):
                yield f"{indent}barrier_wait(barrier, nthreads)" + (f"  # {escape(reason)}" if comments else "")
