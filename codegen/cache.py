"""Generated source as files, and the code that Numba compiled from it, kept from one process to the next.

Law of this file: compiled code is one file per source, `<stem>.code`: a seal (SHA-256 over key and contents), then the
contents.  It is read once, the seal is checked on the bytes in memory, and exactly those bytes are unpickled, so no
index and data file can disagree, no writer can come between the check and the use, and of two writers the last
wins whole.  Numba's own index is not used at all: we stand in for its cache object, so NUMBA_CACHE_DIR and its locators do not
matter, and a place where nothing can be written costs the keeping, never the run.  Loading this way also needs none of
Numba's registries: 27 ms for the first kernel in a process, nearly all of it Numba's memory runtime, against 250 ms
through `numba.core.caching`; 3 ms for each further kernel.  A symbol the code calls and the process lacks would end
the process, so the names are kept beside the code and looked up first.  And LLVM takes the first of two functions of
one name: closures of one factory (vector math for two precisions) are told apart only by a number that Numba counts up
in each process, so code from two processes met under one name and gave 42045 for 186202; hence `_number_from_here`.

Source is always executed from the text in hand, after the whitelist; the `.py` file is for people, debuggers and tracebacks.

Whom this trusts: whoever can write to a folder that is ours, is no symbolic link, and is closed to group and others, is
taken to be us.  Such a writer can forge a seal, as it could forge our Python.  The seal is against damage: disks,
crashes, half-copied homes.  A folder or file of any other kind is not read; then code lives in memory only, and says why.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import itertools
import linecache
import logging
import os
import pickle
import re
import secrets
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import platformdirs

from . import config, whitelist

_log = logging.getLogger("symgraph.cache")
_HOOK = "_symgraph_compile"
_FILES = re.compile(r"(?P<stem>[A-Za-z]\w*_[0-9a-f]{20}_[0-9a-f]{12})\.(py|code)(\.\w+\.tmp)?")
_CLOSURE = re.compile(r"_ZN.*_3clocals_3e.*?B\d+v(\d+)B")
_NUMBERED = 2**60  # numbers from here on were given by _number_from_here
_ABANDONED = 3600.0  # seconds after which a temporary file has no writer any more

_NUMBA_CONFIG = (
    "BOUNDSCHECK CPU_FEATURES CPU_NAME DEBUGINFO_DEFAULT DEBUG_NRT DISABLE_INTEL_SVML DISABLE_JIT ENABLE_AVX "
    "ENABLE_PROFILING ENABLE_SYS_MONITORING EXTEND_VARIABLE_LIFETIMES LLVM_REFPRUNE_FLAGS LLVM_REFPRUNE_PASS LOOP_VECTORIZE NRT_STATS OPT "
    "PARFOR_MAX_TUPLE_SIZE SLP_VECTORIZE USE_LLVMLITE_MEMORY_MANAGER"
).split()
"""Settings of Numba that change code and that Numba's own key leaves out; read from `numba.config`, where environment,
settings file and assignments meet."""


@dataclass(frozen=True)
class Loaded:
    """A generated module, ready to run: `module.kernel` is compiled.

    `hit`: nothing was compiled.  `why`: 'in this process', 'on disk'; or why code had to be compiled: 'new source',
    'no compiled code', 'other environment' (Python, Numba, its settings, the processor, or our runtime differ), 'damaged:
    <file>', 'unreadable: <reason>', 'unusable: <reason>', 'no writable folder: <reason>'; and '; not kept: <reason>' after
    it when the next process will have to compile again.
    """

    module: ModuleType
    path: Path | None
    hit: bool
    why: str
    seconds: float


@dataclass(frozen=True)
class Info:
    """The folder in use (None: memory only, for `reason`), its entries and bytes, and the limit."""

    folder: Path | None
    reason: str
    entries: int
    size: int
    limit: int


_lock = threading.RLock()
_loaded: dict[str, Loaded] = {}
_told: set[str] = set()
_unswept = sys.maxsize // 2  # bytes written since the folder was last measured: the first write of a process measures it


# ---------------------------------------------------------------- loading
def load(source: str, *, key_source: str | None = None, name: str = "kernel") -> Loaded:
    """The module of `source`, compiled, from this process, from disk, or anew.

    `source` is Python text inside the whitelist, in which at most one function is decorated
    `@numba.njit(<signature>, ..., cache=True)`.  Equal `key_source` (the text without comments; default: the text)
    and `name` give the same module object within a process; comments may then be those of an earlier source.
    `name` shows in file and module names.

    SourceError for text outside the whitelist, Numba's errors for text that it cannot compile, ValueError for a bad
    option.  Files and folders, missing, damaged or closed, never raise.
    """
    start = time.perf_counter()
    entry = _entry(source if key_source is None else key_source, name)
    found = _loaded.get(entry.stem)
    if found is None:
        with _lock:  # only here: a kernel that is ready never waits for another's compilation
            found = _loaded.get(entry.stem)
            if found is None:
                fresh = _load(source, entry)
                _loaded[entry.stem] = replace(fresh, hit=True, why="in this process")
                return replace(fresh, seconds=time.perf_counter() - start)
    return replace(found, seconds=time.perf_counter() - start)


def keep(name: str, make: Callable[[], bytes]) -> bytes:
    """What `make()` gives, from disk if some process on this machine has made it before.

    For code of ours that depends on nothing but `name` and what every key holds (our runtime, versions, the processor).
    """
    entry = _entry(name, name)
    folder, _ = _folder()
    path = folder / f"{entry.stem}.code" if folder else None
    with contextlib.suppress(OSError):
        data = _read(path) if path else b""
        if data and data[:32] == entry.sealed(data[32:]):
            assert path is not None
            os.utime(path)
            return data[32:]
    contents = make()
    if path and not _write(path, entry.sealed(contents) + contents):
        _sweep(path.parent, len(contents), entry.stem)
    return contents


def _load(source: str, entry: _Entry) -> Loaded:
    tree = whitelist.check(source)
    hooked = _hook(tree)
    folder, reason = _folder()
    path = folder / f"{entry.stem}.py" if folder else None
    known = path is not None and path.exists()
    store = _Store(entry, folder, f"no writable folder: {reason}" if reason else "")
    if folder and not known:
        store.why = "other environment" if any(folder.glob(f"{entry.text}_*.py")) else "new source"
    trouble = _settle(path, source) if path else ""
    if trouble:
        path, store.why = None, f"no writable folder: {trouble}"
        _tell(trouble)
    module = _execute(tree, source, entry.stem, str(path or f"<symgraph {entry.stem}>"), store)
    if not hooked:
        store.why = "nothing to compile"
    return Loaded(module, path, store.hit, store.why, 0.0)


def _settle(path: Path, source: str) -> str:
    """Make the file hold exactly `source`; what went wrong, or ''."""
    text = source.encode()
    with contextlib.suppress(OSError):
        if _read(path) == text:
            return ""
    return _write(path, text)


def _execute(tree: ast.Module, source: str, stem: str, filename: str, store: _Store) -> ModuleType:
    """Run the module under a stable name: without its place in sys.modules, code loaded later could not find it."""
    module = ModuleType(f"symgraph_{stem}")
    module.__file__ = filename
    module.__dict__[_HOOK] = store.compile
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    sys.modules[module.__name__] = module
    try:
        exec(compile(tree, filename, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    del module.__dict__[_HOOK]
    return module


def _hook(tree: ast.Module) -> bool:
    """Turn `@njit(signature, option=..., cache=True)` into a call of ours with the same arguments; was there one?"""
    calls = [
        decorator
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and any(k.arg == "cache" for k in decorator.keywords)
    ]
    if len(calls) > 1 or any(len(call.args) != 1 for call in calls):
        raise whitelist.SourceError("one function of a generated source is cached, and it has one explicit signature")
    for call in calls:
        call.args.insert(0, call.func)
        call.func = ast.copy_location(ast.Name(_HOOK, ast.Load()), call.func)
        call.keywords = [k for k in call.keywords if k.arg != "cache"]
    return bool(calls)


# ---------------------------------------------------------------- keys
@dataclass(frozen=True)
class _Entry:
    """`text` names the source, `stem` the source in this environment; `seal` is the unabridged key."""

    text: str
    stem: str
    seal: bytes

    def sealed(self, contents: bytes) -> bytes:
        """The first 32 bytes of a file with these contents."""
        return hashlib.sha256(self.seal + contents).digest()


def _entry(key_source: str, name: str) -> _Entry:
    word = re.sub(r"\W+", "_", name, flags=re.ASCII)[:40].strip("_") or "kernel"
    if not word[0].isalpha():
        word = "k" + word
    text = hashlib.sha256(key_source.encode())
    place = hashlib.sha256(_environment().encode())
    stem = f"{word}_{text.hexdigest()[:20]}"
    return _Entry(stem, f"{stem}_{place.hexdigest()[:12]}", text.digest() + place.digest())


def _environment() -> str:
    """Everything but the source on which compiled code depends."""
    from numba import config as numba_config

    settings = " ".join(f"{name}={getattr(numba_config, name, None)!r}" for name in _NUMBA_CONFIG)
    return "\n".join([_machine(), settings])


@cache
def _machine() -> str:
    """Versions, our own runtime, and the processor: what cannot change within a process.

    The processor's name and features are there for home directories that several machines share.
    """
    import llvmlite
    import llvmlite.binding
    import numba

    ours = hashlib.sha256()
    here = Path(__file__).parent
    for path in (Path(__file__), *sorted((here / "runtime").rglob("*.py"))):
        ours.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    versions = (sys.version, sys.platform, numba.__version__, llvmlite.__version__, numpy.__version__)
    release = getattr(sys.modules.get(__package__.rpartition(".")[0]), "__version__", "")
    processor = (llvmlite.binding.get_process_triple(), llvmlite.binding.get_host_cpu_name(), _features())
    return "\n".join([*versions, release, ours.hexdigest(), *processor])


def _features() -> str:
    import llvmlite.binding

    try:
        return llvmlite.binding.get_host_cpu_features().flatten()
    except RuntimeError:  # processors whose features LLVM cannot tell; Numba goes on without them too
        return ""


# ---------------------------------------------------------------- Numba's side
class _Store:
    """What `Dispatcher.compile` asks of a cache, over one sealed file; and the decorator that puts it there."""

    cache_path = None

    def __init__(self, entry: _Entry, folder: Path | None, why: str) -> None:
        self.entry, self.why, self.hit = entry, why, False
        self.path = folder / f"{entry.stem}.code" if folder else None

    def compile(self, decorate: Callable[..., Any], signature: object, **options: object) -> Callable[[Any], Any]:
        def wrap(function: Any) -> Any:
            dispatcher = decorate(**options)(function)
            if not hasattr(dispatcher, "_cache"):
                self.why = "Numba's JIT is switched off"
                return dispatcher
            _number_from_here()
            dispatcher._cache = self
            dispatcher.compile(signature)
            dispatcher.disable_compile()
            return dispatcher

        return wrap

    def load_overload(self, signature: object, context: Any) -> Any:
        """The compile result from disk, or None.  Called with Numba's compiler lock held."""
        if self.path is None:
            return None
        try:
            data = _read(self.path)
        except OSError as error:
            self.why = self.why or ("no compiled code" if isinstance(error, FileNotFoundError) else f"unreadable: {error}")
            return None
        seal, contents = data[:32], data[32:]
        result = None
        if seal != self._seal(contents):
            self.why = f"damaged: {self.path.name}"
        else:
            try:
                result = _revive(contents, context)
            except Exception as error:  # noqa: BLE001 -- whatever keeps a sealed file from being used, compiling is the answer
                self.why = f"unusable: {error}"
        if result is None:
            with contextlib.suppress(OSError):
                self.path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(self.path)  # the oldest entries go first
        self.hit, self.why = True, "on disk"
        return result

    def save_overload(self, signature: object, result: Any) -> None:
        if self.path is None:
            return
        try:
            contents = _freeze(result)
            trouble = _write(self.path, self._seal(contents) + contents)
        except Exception as error:  # noqa: BLE001 -- the code is compiled and runs; that it cannot be kept is only said
            trouble = str(error)
        if trouble:
            _tell(trouble)
            if not self.why.startswith("no writable folder"):
                self.why += f"; not kept: {trouble}"
        else:
            _sweep(self.path.parent, len(contents), self.entry.stem)

    def _seal(self, contents: bytes) -> bytes:
        return self.entry.sealed(contents)

    def flush(self) -> None:
        """Nothing is held back."""


@cache
def _number_from_here() -> None:
    """Let Numba number functions from a place that no other process has: numbers are part of the names in compiled code."""
    from numba.core.bytecode import FunctionIdentity

    FunctionIdentity._unique_ids = itertools.count(_NUMBERED + secrets.randbits(60))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_number_from_here.cache_clear)


def _freeze(result: Any) -> bytes:
    """A compile result as bytes, with the names of what it calls outside itself; ValueError when it cannot leave this process."""
    from llvmlite.binding import address_of_symbol
    from numba.core.serialize import dumps

    if result.library.has_dynamic_globals or any(not lifted.can_cache for lifted in result.lifted):
        raise ValueError("the code holds addresses of this process")
    functions = list(result.library._final_module.functions)
    closures = (_CLOSURE.match(f.name) for f in functions if not f.is_declaration)
    if any(match and int(match[1]) < _NUMBERED for match in closures):
        raise ValueError("the code holds a closure that was compiled before this cache was in use")
    symbols = [f.name for f in functions if f.is_declaration and address_of_symbol(f.name)]
    return dumps((symbols, result.reload_init, result._reduce()))


def _revive(contents: bytes, context: Any) -> Any:
    """A compile result from sealed bytes; LookupError when this process lacks something that the code calls.

    Loading needs Numba's memory runtime, but its registries (some 230 ms) only in the rare case that one brings a symbol.
    """
    from llvmlite.binding import address_of_symbol
    from numba.core.compiler import CompileResult
    from numba.core.runtime import rtsys

    symbols, starters, reduced = pickle.loads(contents)
    rtsys.initialize(context)
    for start in starters or ():  # threads of prange; _rebuild starts them too, but only after we have looked for their symbols
        start()
    if not all(map(address_of_symbol, symbols)):
        context.refresh()
        lacking = [name for name in symbols if not address_of_symbol(name)]
        if lacking:
            raise LookupError(f"nothing here is called {', '.join(lacking)}")
    return CompileResult._rebuild(context, *reduced)


# ---------------------------------------------------------------- the private folder
def _folder() -> tuple[Path | None, str]:
    """The folder, made if need be, or None and the reason."""
    chosen = config.get("SYMGRAPH_CACHE_DIR")
    if config.get("SYMGRAPH_CACHE_SIZE") == 0:
        return None, "SYMGRAPH_CACHE_SIZE is 0"
    folder = chosen or Path(platformdirs.user_cache_dir("symgraph"))
    if not folder.is_absolute():
        reason = "no home directory is known"
    else:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            reason = _distrust(folder.lstat(), stat.S_ISDIR)
        except OSError as error:
            reason = error.strerror or str(error)
    if not reason:
        return folder, ""
    _tell(f"{folder}: {reason}")
    return None, f"{folder}: {reason}"


def _distrust(status: os.stat_result, kind: Callable[[int], bool]) -> str:
    """Why a folder or file is not to be trusted; '' when it is ours alone."""
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link"
    if not kind(status.st_mode):
        return "it is of the wrong kind"
    if not hasattr(os, "getuid"):
        return ""  # Windows: the user's folders are closed to others by inherited permissions
    if status.st_uid != os.getuid():
        return f"it belongs to user {status.st_uid}"
    if status.st_mode & 0o022:
        return f"others may write to it (mode {stat.S_IMODE(status.st_mode):o})"
    return ""


def _read(path: Path) -> bytes:
    """The bytes of a file that is ours alone; OSError for any other."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        reason = _distrust(os.fstat(file.fileno()), stat.S_ISREG)
        if reason:
            raise PermissionError(f"{path}: {reason}")
        return file.read()


def _write(path: Path, data: bytes) -> str:
    """Put a whole file in place or leave what was there; what went wrong, or ''."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=path.name + ".", suffix=".tmp", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return f"{path.parent}: {error.strerror or error}"
    return ""


def _tell(trouble: str) -> None:
    """Warn once about each reason why nothing is kept."""
    if trouble not in _told:
        _told.add(trouble)
        _log.warning("compiled code is not kept on disk: %s", trouble)


# ---------------------------------------------------------------- size
def _sweep(folder: Path, written: int, keep: str) -> None:
    """Hold the folder to its limit, oldest entries first, `keep` last.

    Measuring reads the whole folder, so it is done at the first write of a process and then after every sixteenth
    part of the limit: the folder may exceed it by that much for each process at work.
    """
    global _unswept
    limit = config.get("SYMGRAPH_CACHE_SIZE")
    _unswept += written
    if _unswept <= limit // 16:
        return
    _unswept = 0
    entries = _entries(folder)
    total = sum(size for _, size, _ in entries.values())
    for stem, (_, size, files) in sorted(entries.items(), key=lambda item: (item[0] == keep, item[1][0])):
        if total <= limit:
            break
        _log.info("removing %s: the folder holds %d bytes, %d are allowed", stem, total, limit)
        _remove(files)
        total -= size


def _entries(folder: Path) -> dict[str, tuple[float, int, list[Path]]]:
    """(time of last use, bytes, files) by stem; files that were left behind half written are removed on the way."""
    entries: dict[str, tuple[float, int, list[Path]]] = {}
    for path, match, status in _ours(folder):
        if match[3] and time.time() - status.st_mtime > _ABANDONED:
            _remove([path])
        elif not match[3]:
            used, size, files = entries.get(match["stem"], (0.0, 0, []))
            entries[match["stem"]] = (max(used, status.st_mtime), size + status.st_size, [*files, path])
    return entries


def _ours(folder: Path) -> Iterator[tuple[Path, re.Match[str], os.stat_result]]:
    """The files in a folder that bear names of ours: nothing else is ever counted or removed."""
    with contextlib.suppress(OSError), os.scandir(folder) as items:
        for item in items:
            match = _FILES.fullmatch(item.name)
            if match:
                with contextlib.suppress(OSError):
                    yield Path(item.path), match, item.stat(follow_symlinks=False)


def _remove(files: list[Path]) -> int:
    removed = 0
    for path in files:
        with contextlib.suppress(OSError):
            path.unlink()
            removed += 1
    return removed


def clear() -> int:
    """Forget all modules of this process and remove all our files from the folder; how many files."""
    with _lock:
        _loaded.clear()
        folder, _ = _folder()
        return _remove([path for path, _, _ in _ours(folder)]) if folder else 0


def info() -> Info:
    """Where compiled code is kept, how much there is, and how much there may be."""
    folder, reason = _folder()
    entries = _entries(folder) if folder else {}
    return Info(folder, reason, len(entries), sum(size for _, size, _ in entries.values()), config.get("SYMGRAPH_CACHE_SIZE"))
