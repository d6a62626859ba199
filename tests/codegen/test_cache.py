"""Compiled code on disk: found again, repaired when damaged, never trusted to others, and never in the way of a run."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from symgraph.codegen import cache

SOURCE = """# {comment}
import numba

@numba.njit("int64(int64)", nogil=True, cache=True)
def kernel(x):
    if x < 0:
        raise ValueError("negative")
    return x * 10 + {k}
"""
CHILD = """
import sys
from symgraph.codegen import cache
assert "numba" not in sys.modules, "importing the cache must not import numba"
for k in map(int, sys.argv[1:]):
    got = cache.load(SOURCE.format(k=k, comment=""))
    assert got.module.kernel(4) == 40 + k
    try:
        got.module.kernel(-1)
    except ValueError as error:
        assert str(error) == "negative"
    else:
        raise AssertionError("the kernel's own error was lost")
    print(f"{got.hit}|{got.why}|{got.path}")
"""


WIDE = """
import numpy as np
from symgraph.codegen import cache
got = cache.load('''
import math
import numba
import numpy as np

@numba.njit("float64(float64[:, ::1], int64)", cache=True, boundscheck=True)
def kernel(x, n):
    y = np.dot(x, x)
    total = np.float64(0.0)
    for i in range(n):
        total += y[i, 0] * math.erf(x[0, i])
    return total
''')
a = np.eye(3) + 1
assert abs(got.module.kernel(a, 3) - 14.399) < 0.001, got.module.kernel(a, 3)
try:
    got.module.kernel(a, 4)
except IndexError:
    print(f"{got.hit}|{got.why}")
"""


CLOSURES = """
import sys
from types import ModuleType
import numba
from symgraph.codegen import cache

def make(k):  # too long to be inlined
    text = "\\n".join(f"    s += (s * {j} + k) % (x + {j + 2})" for j in range(40))
    scope = {"k": k, "numba": numba}
    exec(f"def outer(k):\\n  def f(x):\\n    s = x\\n{text}\\n    return s\\n  return numba.njit(f)", scope)
    return scope["outer"](k)

helpers = sys.modules["symgraph.codegen.runtime.helpers"] = ModuleType("symgraph.codegen.runtime.helpers")
helpers.f1, helpers.f2 = make(1), make(1000)
if sys.argv[1] == "9":
    helpers.f1(3)
for n in sys.argv[1:]:
    name = "f2" if n == "2" else "f1"
    got = cache.load('''import numba
from symgraph.codegen.runtime.helpers import NAME
@numba.njit("int64(int64)", cache=True)
def kernel(x):
    return NAME(x) + NAME(x + 1)
'''.replace("NAME", name))
    right = getattr(helpers, name).py_func
    assert got.module.kernel(6) == right(6) + right(7), name
    print(got.why)
"""


def source(k: int, comment: str = "") -> str:
    return SOURCE.format(k=k, comment=comment)


def child(*ks: int, code: str = f"SOURCE = {SOURCE!r}\n{CHILD}") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, ks)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> list[list[str]]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert not err
    return [line.split("|") for line in out.splitlines()]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of one's own, and a process that has loaded nothing yet."""
    path = tmp_path / "cache"
    monkeypatch.setenv("SYMGRAPH_CACHE_DIR", str(path))
    monkeypatch.delenv("SYMGRAPH_CACHE_SIZE", raising=False)
    forget(monkeypatch)
    yield path
    for name in [name for name in sys.modules if name.startswith("symgraph_kernel_")]:
        del sys.modules[name]


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this were a new process."""
    monkeypatch.setattr(cache, "_loaded", {})
    monkeypatch.setattr(cache, "_told", set())
    monkeypatch.setattr(cache, "_unswept", sys.maxsize // 2)


def code_file(got: cache.Loaded) -> Path:
    assert got.path is not None
    return got.path.with_suffix(".code")


def kept(monkeypatch: pytest.MonkeyPatch, k: int = 1) -> cache.Loaded:
    """An entry on disk that this process has forgotten."""
    got = cache.load(source(k))
    assert (got.hit, got.why, got.module.kernel(4)) == (False, "new source", 40 + k)
    forget(monkeypatch)
    return got


def works(k: int = 1) -> cache.Loaded:
    got = cache.load(source(k))
    assert got.module.kernel(4) == 40 + k
    return got


# ---------------------------------------------------------------- hits
def test_second_process_starts_warm(folder: Path) -> None:
    (first,), (second,) = finish(child(1)), finish(child(1))
    assert first[:2] == ["False", "new source"]
    assert second[:2] == ["True", "on disk"]
    assert first[2] == second[2]
    assert Path(second[2]).read_text() == source(1)
    assert sorted(p.suffix for p in folder.iterdir()) == [".code", ".py"]


def test_warm_code_needs_no_registries() -> None:
    """Allocation, BLAS, Numba's own errors: all work in a process that has compiled nothing."""
    assert [finish(child(code=WIDE)) for _ in range(2)] == [[["False", "new source"]], [["True", "on disk"]]]


def test_closures_of_one_factory_stay_apart() -> None:
    """Compiled in two processes and loaded in a third, they would bear one name; LLVM takes the first for both."""
    apart = [child(1, code=CLOSURES), child(2, code=CLOSURES)]
    assert [finish(process) for process in apart] == [[["new source"]]] * 2
    assert finish(child(1, 2, code=CLOSURES)) == [["on disk"], ["on disk"]]


def test_closures_compiled_before_are_not_kept(folder: Path) -> None:
    process = child(9, code=CLOSURES)
    out, err = process.communicate(timeout=120)
    assert "not kept: the code holds a closure" in out, err
    assert "compiled code is not kept" in err
    assert [p.suffix for p in folder.iterdir()] == [".py"]


def test_same_source_is_the_same_module() -> None:
    first, second = cache.load(source(1)), cache.load(source(1))
    assert first.module is second.module is sys.modules[first.module.__name__]
    assert (second.hit, second.why) == (True, "in this process")
    assert cache.load(source(2)).module is not first.module
    assert cache.load(source(1), name="step").module is not first.module


def test_comments_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    first = cache.load(source(1, "train.py:14"), key_source=source(1))
    second = cache.load(source(1, "train.py:15"), key_source=source(1))
    assert second.module is first.module
    forget(monkeypatch)
    third = cache.load(source(1, "train.py:15"), key_source=source(1))
    assert third.why == "on disk"
    assert third.path == first.path
    assert "train.py:15" in third.path.read_text()  # type: ignore[union-attr]


def test_settings_of_numba_are_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    first = kept(monkeypatch)
    monkeypatch.setattr(numba.config, "OPT", numba.config._OptLevel(1))
    second = works()
    assert second.path != first.path
    assert second.why == "other environment"


def test_processor_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    first = kept(monkeypatch)
    machine = cache._machine()
    monkeypatch.setattr(cache, "_machine", lambda: machine + "another processor")
    assert works().path != first.path


def test_numbas_own_cache_settings_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "no.such.Locator")
    kept(monkeypatch)
    assert works().why == "on disk"
    assert not (tmp_path / "elsewhere").exists()


def test_jit_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    got = works()
    assert got.why == "Numba's JIT is switched off"
    assert type(got.module.kernel).__name__ == "function"


def test_names_become_file_names() -> None:
    got = cache.load(source(1), name="../é x/" + "y" * 200)
    assert got.path is not None
    assert got.path.name.isascii()
    assert got.path.parent.name == "cache"
    assert len(got.path.name) < 100


# ---------------------------------------------------------------- damage
def _flip(path: Path, at: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= 0x40
    path.write_bytes(data)


DAMAGE = {
    "first byte": lambda path: _flip(path, 0.0),
    "in the middle": lambda path: _flip(path, 0.5),
    "last byte": lambda path: _flip(path, 1.0),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "seal only": lambda path: os.truncate(path, 32),
    "empty": lambda path: os.truncate(path, 0),
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"x"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_code_is_compiled_anew(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    path = code_file(kept(monkeypatch))
    DAMAGE[how](path)
    assert works().why == f"damaged: {path.name}"
    forget(monkeypatch)
    assert works().why == "on disk"  # and repaired


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_source_is_written_anew(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    path = kept(monkeypatch).path
    assert path is not None
    DAMAGE[how](path)
    assert works().why == "on disk"
    assert path.read_text() == source(1)


def test_deleted_files(monkeypatch: pytest.MonkeyPatch) -> None:
    got = kept(monkeypatch)
    code_file(got).unlink()
    assert works().why == "no compiled code"
    forget(monkeypatch)
    got.path.unlink()  # type: ignore[union-attr]
    assert works().why == "on disk"
    assert got.path.exists()  # type: ignore[union-attr]


def test_code_of_another_source_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = code_file(kept(monkeypatch, 1)), code_file(kept(monkeypatch, 2))
    two.write_bytes(one.read_bytes())
    assert works(2).why == f"damaged: {two.name}"


def test_missing_symbol_means_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the look-up LLVM would end the process."""
    import llvmlite.binding

    kept(monkeypatch)
    real = llvmlite.binding.address_of_symbol
    monkeypatch.setattr(llvmlite.binding, "address_of_symbol", lambda name: None if name == "PyArg_UnpackTuple" else real(name))
    assert works().why == "unusable: nothing here is called PyArg_UnpackTuple"


class _Attack:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("seal", [b"", bytes(32)], ids=["no seal", "wrong seal"])
def test_planted_code_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seal: bytes) -> None:
    path, mark = code_file(kept(monkeypatch)), tmp_path / "mark"
    path.write_bytes(seal + pickle.dumps(_Attack(mark)))
    assert works().why == f"damaged: {path.name}"
    assert not mark.exists()


def test_planted_source_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, mark = kept(monkeypatch).path, tmp_path / "mark"
    assert path is not None
    path.write_text(f"open({str(mark)!r}, 'w')")
    works()
    assert not mark.exists()


def test_hostile_source_is_refused(folder: Path) -> None:
    with pytest.raises(cache.whitelist.SourceError, match="'os'"):
        cache.load("import os\n" + source(1))
    assert not folder.exists()


@pytest.mark.parametrize("how", ["writable by all", "symbolic link"])
def test_file_that_is_not_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    path = code_file(kept(monkeypatch))
    if how == "symbolic link":
        path.rename(tmp_path / "real")
        path.symlink_to(tmp_path / "real")
    else:
        path.chmod(0o666)
    assert works().why.startswith("unreadable: ")
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# ---------------------------------------------------------------- no folder
def in_memory(caplog: pytest.LogCaptureFixture, reason: str) -> None:
    with caplog.at_level(logging.WARNING, "symgraph.cache"):
        first, second = works(1), works(2)
    for got in (first, second):
        assert not got.hit
        assert got.path is None
        assert got.why.startswith("no writable folder: ")
        assert reason in got.why
    assert works(1).why == "in this process"
    assert len(caplog.records) == 1  # once, not for each kernel


def test_folder_is_private(folder: Path) -> None:
    got = works()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(code_file(got).stat().st_mode) == 0o600


def test_folder_open_to_group(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.mkdir()
    folder.chmod(0o770)
    in_memory(caplog, "others may write")
    assert not list(folder.iterdir())


def test_folder_is_a_link(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "real")
    in_memory(caplog, "symbolic link")


def test_folder_of_someone_else(folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    folder.mkdir(mode=0o700)
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    in_memory(caplog, f"belongs to user {me}")


def test_folder_cannot_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    folder.write_text("a file")
    monkeypatch.setenv("SYMGRAPH_CACHE_DIR", str(folder / "below"))
    in_memory(caplog, "Not a directory")


def test_no_home(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("SYMGRAPH_CACHE_DIR")
    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", lambda name: f"~/.cache/{name}")  # no HOME, no such user
    in_memory(caplog, "no home directory")


def test_size_zero_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "0")
    assert works().why == "no writable folder: SYMGRAPH_CACHE_SIZE is 0"
    assert not folder.exists()
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "much")
    with pytest.raises(ValueError, match="SYMGRAPH_CACHE_SIZE='much'"):
        cache.info()


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_disk_full_at_any_point(folder: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Making a temporary file and putting it in place, for the source and then for the code: each may fail."""
    calls = iter(range(100))
    make, put = cache.tempfile.mkstemp, os.replace

    def full(real):
        def call(*args: object, **options: object) -> object:
            if next(calls) >= at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **options)

        return call

    monkeypatch.setattr(cache.tempfile, "mkstemp", full(make))
    monkeypatch.setattr(os, "replace", full(put))
    got = works()
    assert os.strerror(errno.ENOSPC) in got.why
    assert (got.path is None) == (at < 2)
    assert not [p for p in folder.iterdir() if p.suffix == ".tmp"]
    monkeypatch.setattr(cache.tempfile, "mkstemp", make)
    monkeypatch.setattr(os, "replace", put)
    forget(monkeypatch)
    assert works().why == ("new source" if at < 2 else "no compiled code")
    forget(monkeypatch)
    assert works().why == "on disk"


def test_read_only_folder_still_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    kept(monkeypatch)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(cache.tempfile, "mkstemp", refuse)
    monkeypatch.setattr(os, "utime", refuse)
    assert works().why == "on disk"
    assert works(2).path is None


# ---------------------------------------------------------------- many at once
def test_six_processes_at_once(folder: Path) -> None:
    crowd = [child(1, 2) if n % 2 else child(2, 1) for n in range(6)]
    for process in crowd:
        assert len(finish(process)) == 2
    assert sorted(p.suffix for p in folder.iterdir()) == [".code", ".code", ".py", ".py"]
    assert [line[1] for line in finish(child(1, 2))] == ["on disk", "on disk"]


def test_threads_get_one_module() -> None:
    gate = threading.Barrier(8)

    def one(n: int) -> cache.Loaded:
        gate.wait()
        return cache.load(source(n % 2))

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(one, range(8)))
    assert len({id(g.module) for g in got}) == 2
    assert sorted(g.why for g in got) == ["in this process"] * 6 + ["new source"] * 2


# ---------------------------------------------------------------- size
def test_oldest_entries_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [kept(monkeypatch, k).path for k in range(3)]
    entry = cache.info().size // 3
    for age, path in enumerate(paths):  # entry 0 is the oldest ...
        for file in (path, code_file(cache.Loaded(None, path, True, "", 0))):  # type: ignore[arg-type]
            os.utime(file, (time.time() - 1000 + age,) * 2)
    works(0)  # ... until it is used
    (folder / "mine.py").write_text("not ours")
    stale = folder / f"{paths[2].name}.abc.tmp"  # type: ignore[union-attr]
    stale.write_text("left behind")
    os.utime(stale, (0, 0))
    forget(monkeypatch)
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", str(3 * entry + entry // 2))
    works(3)
    assert [path.exists() for path in paths] == [True, False, True]  # type: ignore[union-attr]
    assert not stale.exists()
    info = cache.info()
    assert (info.folder, info.entries, info.reason) == (folder, 3, "")
    assert info.size <= info.limit
    assert cache.clear() == 6
    assert [p.name for p in folder.iterdir()] == ["mine.py"]
    assert works(3).why == "new source"


def test_folder_is_not_measured_at_each_write(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(cache, "_entries", lambda folder: looks.append(folder) or {})
    for k in range(4):
        works(k)
    assert len(looks) == 1


# ---------------------------------------------------------------- sources
def test_one_cached_function_with_one_signature() -> None:
    with pytest.raises(cache.whitelist.SourceError, match="one explicit signature"):
        cache.load(source(1).replace('"int64(int64)", ', ""))
    with pytest.raises(cache.whitelist.SourceError, match="one function"):
        cache.load(source(1) + source(1).replace("def kernel", "def other"))
    plain = cache.load("def kernel(x):\n    return x + 1\n")
    assert (plain.why, plain.module.kernel(1)) == ("nothing to compile", 2)


def test_a_failed_compilation_leaves_nothing_behind() -> None:
    import numba

    bad = source(1).replace("x * 10", "x + (1, 2)")
    before = set(sys.modules)
    for _ in range(2):
        with pytest.raises(numba.TypingError):
            cache.load(bad)
    assert not [name for name in set(sys.modules) - before if name.startswith("symgraph_kernel_")]


def test_tracebacks_show_the_source() -> None:
    import traceback

    for folder_size in ("1M", "0"):
        with cache.config.override(SYMGRAPH_CACHE_SIZE=folder_size):
            got = works(int(folder_size == "0"))
        with pytest.raises(ValueError) as caught:
            got.module.kernel(-1)
        assert 'raise ValueError("negative")' in "".join(traceback.format_exception(caught.value))
