"""The rules of the house, read from the files themselves.

Law of this file: it parses the sources with `ast` and imports nothing of the library; what an import loads is asked of
a fresh process.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"symgraph": "symgraph", "codegen": "symgraph.codegen"}  # folder -> the package it is imported as
READ = ("symgraph", "codegen", "tests", "profiling", "examples", "docs", ".ci")
MAX_LINES = 600
LAZY = (
    *("numba", "llvmlite", "scipy", "sklearn", "tensorboard", "google.protobuf", "threadpoolctl", "pygraphviz", "IPython", "tqdm"),
    "nvmath",
)
"""What may be imported inside a function: Numba, what it brings, and what only some programs use."""
UNLOADED = ("numba", "llvmlite", "scipy", "sklearn", "tensorboard", "pygraphviz", "IPython", "tqdm")
"""What `import symgraph` must leave alone."""
COMMANDS = (
    "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/python examples/linear_regression.py",
    'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/python -m pytest -n 2',
)


# ---------------------------------------------------------------- reading
def written_files() -> list[Path]:
    """Every text file that people wrote: not the goldens, which are generated."""
    suffixes = {".py", ".md", ".toml", ""}
    files = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in {".md", ".toml"}]
    for folder in READ:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in suffixes]
    return sorted(path for path in files if "__pycache__" not in path.parts and ROOT / "tests" / "golden" / "sources" not in path.parents)


def python_files() -> list[Path]:
    return [path for path in written_files() if path.suffix == ".py"]


def module_name(path: Path) -> str:
    """The dotted name under which a library file is imported."""
    folder, *rest = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([FOLDERS[folder], *rest]).removesuffix(".__init__")


@cache
def library() -> dict[str, Path]:
    return {module_name(path): path for path in python_files() if path.relative_to(ROOT).parts[0] in FOLDERS}


@cache
def imports(path: Path) -> tuple[tuple[str, int, int, bool], ...]:
    """(absolute dotted target, its relative level, line, is it inside a function) of every import in a file.

    Targets of `from a import b` are `a.b` when that is a module of ours, else `a`.  Imports that only a type checker
    runs are left out.
    """
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, int, int, bool]]:
    pending: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text(encoding="utf-8")), False)]
    while pending:
        node, inside = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, 0, node.lineno, inside
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            for alias in node.names:
                longer = f"{base}.{alias.name}"
                yield longer if longer in library() else base, node.level, node.lineno, inside
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        pending += [(child, inside) for child in ast.iter_child_nodes(node)]


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


def within(target: str, *packages: str) -> bool:
    return any(target == package or target.startswith(package + ".") for package in packages)


def is_codegen(name: str) -> bool:
    return within(name, "symgraph.codegen")


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@cache
def loads_numba() -> frozenset[str]:
    """Modules of ours that import Numba when they are imported, themselves or through others."""
    top = {name: [target for target, _, _, inside in imports(path) if not inside] for name, path in library().items()}
    found: set[str] = {name for name, targets in top.items() if any(within(t, "numba", "llvmlite") for t in targets)}
    while True:
        more = {name for name, targets in top.items() if found.intersection(targets)} - found
        if not more:
            return frozenset(found)
        found |= more


# ---------------------------------------------------------------- the arrows
def test_codegen_never_imports_the_front_end() -> None:
    wrong = []
    for name, path in library().items():
        if not is_codegen(name):
            continue
        for target, level, line, _ in imports(path):
            if within(target, "symgraph", "codegen") and not (level and is_codegen(target)):
                wrong.append(f"{where(path, line)} imports {target}")
    assert not wrong, "codegen/ imports only its own files, and only relatively:\n" + "\n".join(wrong)


def test_only_codegen_imports_numba() -> None:
    wrong = [
        f"{where(path, line)} imports {target}"
        for name, path in library().items()
        for target, _, line, _ in imports(path)
        if within(target, "numba", "llvmlite") and not is_codegen(name)
    ]
    assert not wrong, "\n".join(wrong)


def test_one_file_of_codegen_imports_sympy() -> None:
    inside = {name: path for name, path in library().items() if is_codegen(name)}
    importers = {name for name, path in inside.items() if any(within(target, "sympy", "mpmath") for target, *_ in imports(path))}
    assert importers <= {"symgraph.codegen.scalar"}


def test_hidden_imports_are_numba_or_extras() -> None:
    """An import inside a function is for what is slow or optional, never a way around a cycle."""
    wrong = [
        f"{where(path, line)} hides {target}"
        for path in library().values()
        for target, _, line, inside in imports(path)
        if inside and not within(target, *LAZY) and target not in loads_numba()
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_point_down() -> None:
    """The library's modules can be put in an order in which each imports only earlier ones."""
    edges = {
        name: {target for target, _, _, inside in imports(path) if target in library() and not inside and target != name}
        for name, path in library().items()
    }
    settled: set[str] = set()
    while ready := {name for name, targets in edges.items() if name not in settled and targets <= settled}:
        settled |= ready
    tangled = {name: sorted(targets - settled) for name, targets in edges.items() if name not in settled}
    assert not tangled, f"an import cycle among (or below) {tangled}"


@pytest.mark.parametrize("module", ["symgraph", "symgraph.codegen"])
def test_import_leaves_slow_packages_alone(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {UNLOADED!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert not done.stdout.split(), f"import {module} loads {done.stdout.strip()}"


# ---------------------------------------------------------------- the files
def test_files_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert not {name: count for name, count in lengths.items() if count > MAX_LINES}


def test_every_module_says_what_it_is() -> None:
    silent = [str(path.relative_to(ROOT)) for path in python_files() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not silent


def test_no_machine_is_named() -> None:
    """Paths of one machine, and of folders that lie outside the checkout (only .ci/ may look for those)."""
    words = ["/" + folder + "/" for folder in ("work", "root", "home")]
    outside = "../" + "shared"
    wrong = []
    for path in written_files():
        banned = words if path.parent.name == ".ci" else [*words, outside]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            wrong += [f"{where(path, number)} says {word}" for word in banned if word in line]
    assert not wrong, "\n".join(wrong)


# ---------------------------------------------------------------- the package
def test_packages_are_listed() -> None:
    """Folders without an __init__.py are none of ours; every other one must be in pyproject.toml, or the wheel lacks it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert set(settings["packages"]) == {name for name, path in library().items() if path.name == "__init__.py"}
    assert settings["package-dir"] == {"symgraph.codegen": "codegen"}


def test_library_folders_are_packages() -> None:
    for path in library().values():
        assert (path.parent / "__init__.py").exists(), f"{path.parent} has no __init__.py"


def test_readme_commands_are_what_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert tuple(line for line in readme if line.startswith("python3 -m venv")) == COMMANDS
    listed = subprocess.run(["bash", ".ci/run", "--list"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert tuple(listed.stdout.splitlines()) == COMMANDS
