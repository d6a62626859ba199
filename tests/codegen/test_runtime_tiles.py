"""Products in tiles of registers: right for every shape and target, equal bits however they are cut, nothing touched outside."""

import ctypes
import itertools
import mmap
import os
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config

from symgraph.codegen.products import tiles_suit
from symgraph.codegen.runtime import microkernels, tiles
from symgraph.codegen.runtime.microkernels import Machine

if config.DISABLE_JIT:
    pytest.skip("plain twins are tested with those of blas", allow_module_level=True)

I64, POINTER = ctypes.c_int64, ctypes.c_void_p
TARGETS = {"here": None, "avx2": Machine(32, 16, True), "neon": Machine(16, 32, False), "sse": Machine(16, 16, False)}


def function(name, target):
    real = ctypes.c_float if name == "tile_f32" else ctypes.c_double
    kind = ctypes.CFUNCTYPE(None, I64, I64, I64, I64, I64, real, POINTER, I64, POINTER, I64, real, POINTER, I64)
    return kind(tiles.link(name, tiles.machine_code(name, TARGETS[target])))


@pytest.fixture(scope="module", params=[(name, target) for target in TARGETS for name in tiles.SIZES], ids="-".join)
def product(request):
    """(dtype, product of arrays) for each precision, on this processor and in the shapes that others get."""
    name, target = request.param
    call = function(name, target)

    def run(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        call(ta, tb, m, n, k, alpha, a.ctypes.data, lda, b.ctypes.data, ldb, beta, c.ctypes.data, ldc)

    return np.dtype(f"float{name[-2:]}").type, run


def factors(rng, real, ta, tb, m, n, k, padding=(0, 0)):
    """Random factors in memory with `padding` elements after each row, filled with NaN."""
    found = []
    for (rows, columns), more in zip(((k, m) if ta else (m, k), (n, k) if tb else (k, n)), padding, strict=True):
        whole = np.full((rows, columns + more), np.nan, real)
        whole[:, :columns] = rng.standard_normal((rows, columns))
        found.append(whole)
    return found


def right(a, b, ta, tb, m, n, k):
    x, y = (a[:, :m].T if ta else a[:, :k]), (b[:, :k].T if tb else b[:, :n])
    return x.astype(np.float64) @ y.astype(np.float64)


EXTENTS = st.one_of(st.integers(0, 9), st.integers(0, 70), st.sampled_from([255, 256, 257, 300, 520]))


@settings(max_examples=60, deadline=None)
@given(
    flips=st.tuples(st.booleans(), st.booleans()),
    sizes=st.tuples(EXTENTS, EXTENTS, EXTENTS),
    scale=st.tuples(st.sampled_from([1.0, -0.5]), st.sampled_from([0.0, 1.0, 0.25])),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    seed=st.integers(0, 1000),
)
def test_any_product(product, flips, sizes, scale, padding, seed):
    real, multiply = product
    (ta, tb), (m, n, k), (alpha, beta) = flips, sizes, scale
    rng = np.random.default_rng(seed)
    a, b = factors(rng, real, ta, tb, m, n, k, padding[:2])
    c = rng.standard_normal((m + 1, n + padding[2])).astype(real)
    want = c.astype(np.float64)
    if beta == 0:
        c[:m, :n] = np.nan
        want[:m, :n] = 0
    want[:m, :n] = alpha * right(a, b, ta, tb, m, n, k) + beta * want[:m, :n]
    multiply(ta, tb, m, n, k, alpha, a, a.shape[1], b, b.shape[1], beta, c, c.shape[1])
    accuracy = 1e-12 if real is np.float64 else 2e-4
    np.testing.assert_allclose(c, want, rtol=accuracy, atol=accuracy)
    if c.size:
        np.testing.assert_array_equal(c[m:], want[m:].astype(real))
        np.testing.assert_array_equal(c[:, n:], want[:, n:].astype(real))


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
def test_bits_do_not_depend_on_the_cut(product, flips):
    """Rows cut anywhere, columns at whole vectors, first elements anywhere: the same bits."""
    real, multiply = product
    (ta, tb), (m, n, k) = flips, (61, 83, 300)
    rng = np.random.default_rng(0)
    a, b = factors(rng, real, ta, tb, m, n, k)
    start = rng.standard_normal((m, n)).astype(real)

    def cut(rows, columns):
        c = start.copy()
        for i, i1 in itertools.pairwise(rows):
            for j, j1 in itertools.pairwise(columns):
                x, y = a.ravel()[i if ta else i * k :], b.ravel()[j * k if tb else j :]
                multiply(ta, tb, i1 - i, j1 - j, k, 0.5, x, a.shape[1], y, b.shape[1], 2.0, c.ravel()[i * n + j :], n)
        return c

    whole = cut([0, m], [0, n])
    for rows in ([0, 1, 3, 6, 10, 15, 23, 32, 45, 61], [0, 60, 61], list(range(m + 1))):
        for columns in ([0, n], [0, 16, 48, n], [0, 64, n]):
            np.testing.assert_array_equal(whole, cut(rows, columns))


def test_bits_do_not_depend_on_alignment(product):
    real, multiply = product
    m, n, k = 9, 21, 33
    a, b = factors(np.random.default_rng(0), real, False, False, m, n, k)
    results = []
    for shift in range(4):
        x, y, z = (np.zeros(size + 16, real)[shift:] for size in (a.size, b.size, m * n))
        x[: a.size], y[: b.size] = a.ravel(), b.ravel()
        multiply(False, False, m, n, k, 1.0, x, k, y, n, 0.0, z, n)
        results.append(z[: m * n])
    assert all(np.array_equal(results[0], r) for r in results)


def guarded(size: int, at_end: bool):
    """An array of `size` bytes that ends (or begins) where memory may be neither read nor written."""
    page = mmap.PAGESIZE
    pages = -(-size // page) or 1
    whole = mmap.mmap(-1, (pages + 2) * page)
    base = ctypes.addressof(ctypes.c_char.from_buffer(whole))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for address in (base, base + (pages + 1) * page):
        assert protect(address, page, 0) == 0
    return whole, page + (pages * page - size if at_end else 0)


@pytest.mark.skipif(os.name == "nt", reason="needs mprotect")
@pytest.mark.parametrize("at_end", [False, True])
def test_nothing_outside_is_touched(product, at_end):
    real, multiply = product
    rng = np.random.default_rng(0)
    for m, n, k in ((1, 1, 1), (3, 5, 7), (9, 17, 5), (8, 33, 18), (5, 50, 16)):
        for ta in (False, True):
            for tb in (False, True):
                a, b = factors(rng, real, ta, tb, m, n, k)
                views = []
                for values in (a.ravel(), b.ravel(), np.full(m * n, np.nan, real)):
                    memory, offset = guarded(values.nbytes, at_end)
                    views.append(np.frombuffer(memory, real, values.size, offset))
                    views[-1][:] = values
                multiply(ta, tb, m, n, k, 1.0, views[0], a.shape[1], views[1], b.shape[1], 0.0, views[2], n)
                np.testing.assert_allclose(views[2].reshape(m, n), right(a, b, ta, tb, m, n, k), rtol=1e-4, atol=1e-4)


def test_nan_and_infinity_keep_their_meaning(product):
    real, multiply = product
    a, b, c = np.array([[np.inf, 1]], real), np.array([[1, 0], [1, np.nan]], real), np.full((1, 2), np.nan, real)
    multiply(False, False, 1, 2, 2, 1.0, a, 2, b, 2, 0.0, c, 2)
    assert c[0, 0] == np.inf and np.isnan(c[0, 1])
    c[:] = 3
    multiply(False, False, 1, 2, 0, np.nan, a, 2, b, 2, 2.0, c, 2)
    np.testing.assert_array_equal(c, 6)


# ---------------------------------------------------------------- in compiled code
@numba.njit(nogil=True, fastmath=False)
def windows(ta, tb, m, n, k, a, lda, b, ldb, c, ldc):
    tiles.tile_f32(ta, tb, m, n, k, 1.0, a[11:], lda, b[2:], ldb, 0.0, c[9:], ldc)


def test_windows_of_flat_arrays():
    """A kernel hands over the tail of a buffer from where its window starts, with the row length of the whole."""
    whole = np.arange(60, dtype=np.float32).reshape(6, 10)
    c = np.zeros((5, 8), np.float32)
    windows(False, True, 2, 3, 4, whole.ravel(), 10, whole.ravel(), 10, c.ravel(), 8)
    want = np.zeros_like(c)
    want[1:3, 1:4] = whole[1:3, 1:5] @ whole[0:3, 2:6].T
    np.testing.assert_array_equal(c, want)


def test_threads_do_not_share_scratch():
    """Packed panels lie on the stack of the thread that packs them."""
    rng = np.random.default_rng(0)
    work = [(rng.standard_normal(40 * 90).astype(np.float32), rng.standard_normal(70 * 90).astype(np.float32)) for _ in range(4)]
    results = [np.zeros(40 * 70, np.float32) for _ in work]

    def run(i):
        for _ in range(200):
            windows(False, True, 29, 69, 80, work[i][0], 90, work[i][1], 90, results[i], 70)

    for i in range(4):
        run(i)
    alone = [r.copy() for r in results]
    crowd = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for t in crowd:
        t.start()
    for t in crowd:
        t.join()
    assert all(np.array_equal(x, y) for x, y in zip(alone, results, strict=True))


CHILD = """
import os, sys
import numpy as np
from symgraph import codegen
from symgraph.codegen.runtime import tiles
from tests.codegen import programs
made = codegen.compile(programs.softmax_net(50, (100, 80, 64)))
assert "tile_f32" in made.source
sizes = ((100, 80), (80,), (80, 64), (64,))
rng = np.random.default_rng(0)
states = [rng.standard_normal(s).astype(np.float32) for s in sizes]
labels = np.eye(64, dtype=np.float32)[np.arange(50)]
x = rng.standard_normal((50, 100)).astype(np.float32)
step = made.bind(states)
def run():
    step(x, labels)
    return float(states[0].sum())
if sys.argv[1] == "fork":
    start = [s.copy() for s in states]
    here = run()
    for s, t in zip(states, start):
        s[...] = t
    child = os.fork()
    if not child:
        os._exit(0 if run() == here else 1)
    assert os.waitpid(child, 0)[1] == 0
print(made.report.cache.partition(":")[0], run())
"""


def child(folder, how):
    environment = {**os.environ, "SYMGRAPH_CACHE_DIR": str(folder)}
    ran = subprocess.run([sys.executable, "-c", CHILD, how], env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_another_process_finds_code_and_kernel(tmp_path):
    first, again = child(tmp_path, ""), child(tmp_path, "")
    assert (first[0], again[0]) == ("miss", "hit") and first[1] == again[1]
    assert len(list(tmp_path.glob("tile_f32_*.code"))) == 1
    for path in tmp_path.glob("tile_f32_*.code"):
        path.write_bytes(path.read_bytes()[:-1])
    assert child(tmp_path, "") == again


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_code_survives_a_fork(tmp_path):
    child(tmp_path, "fork")


# ---------------------------------------------------------------- which code
def test_machines_are_told_from_features():
    assert microkernels.machine("+avx2,+avx512f", "x86_64-unknown-linux-gnu") == Machine(64, 32, True)
    assert microkernels.machine("+avx2,-avx512f", "x86_64-unknown-linux-gnu") == Machine(32, 16, True)
    assert microkernels.machine("+sse2", "x86_64-unknown-linux-gnu") == Machine(16, 16, False)
    assert microkernels.machine("", "arm64-apple-darwin") == Machine(16, 32, False)


@pytest.mark.parametrize(
    ("n", "k", "ta", "tb", "dtype", "suits"),
    [
        (300, 784, False, False, "float32", True),
        (300, "m", True, False, "float32", True),
        (100, 300, False, False, "float32", True),
        (50, 800, False, False, "float32", True),
        (50, 32, False, False, "float32", False),
        (50, 32, False, True, "float32", True),
        (10, 100, False, False, "float64", False),
        (1, 300, False, False, "float32", False),
        ("n", 300, False, False, "float32", False),
        (0, 0, False, False, "float32", False),
        (32, 32, True, True, "float64", False),
        (300, 300, True, True, "float64", True),
        (32, 100000, True, False, "float32", True),
        (2000, 2000, False, False, "float32", False),
    ],
)
def test_who_multiplies(n, k, ta, tb, dtype, suits):
    assert tiles_suit(n, k, ta, tb, dtype) is suits
