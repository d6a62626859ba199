"""Products by tables of addresses: right for every shape and target, equal bits however rows are cut, nothing touched outside."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config

from symgraph.codegen.runtime import indirect, tiles
from symgraph.codegen.runtime.microkernels import Machine

if config.DISABLE_JIT:
    pytest.skip("plain twins are tested with the programs that use them", allow_module_level=True)

I64, POINTER = ctypes.c_int64, ctypes.c_void_p
TARGETS = {"here": None, "avx2": Machine(32, 16, True), "neon": Machine(16, 32, False), "sse": Machine(16, 16, False)}


@pytest.fixture(scope="module", params=[(name, target) for target in TARGETS for name in indirect.SIZES], ids="-".join)
def product(request):
    """(dtype, product of arrays) for each precision, on this processor and in the shapes that others get."""
    name, target = request.param
    kinds = [I64, I64, I64, I64, I64, POINTER, I64, POINTER, I64, POINTER, I64, POINTER, POINTER, I64, POINTER, POINTER, I64]
    call = ctypes.CFUNCTYPE(None, *kinds)(tiles.link(name, indirect.machine_code(name, TARGETS[target])))

    def run(*args):
        call(*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in args))

    return np.dtype(f"float{name[-2:]}").type, run


def problem(rng, real, images, group, parts, n, step, summed):
    """Arguments of a product with random tables; rows of the result lie apart, between elements that must stay."""
    lines, left, turns, at = [], [], [], 0
    for rows, count, run in parts:
        lines.append([at, rows, sum(map(len, turns)), count, run])
        left.append(rng.integers(0, 40, group * rows))
        turns.append(np.stack([rng.integers(0, 40, count), rng.integers(0, 5, count) * n], 1).reshape(-1, 2))
        at += group * rows
    some = sum(rows for rows, _, _ in parts)
    each_c = 0 if summed else some * (n + 1)
    to = np.concatenate([(image * each_c + first + np.arange(rows)[:, None] * (n + 1)).reshape(-1)
                         for (rows, _, _), first in zip(parts, np.cumsum([0] + [r for r, _, _ in parts[:-1]]) * (n + 1), strict=True)
                         for image in range(group)])  # fmt: skip
    each_a, each_b = 17, 3 * n if summed else 0
    a = rng.standard_normal(images * each_a + 90 + step * 9).astype(real)
    b = rng.standard_normal(images * each_b + 20 * n).astype(real)
    c = np.full(max(1, images) * some * (n + 1) + n, np.nan, real)
    tables = [np.concatenate([np.zeros(0, np.int64), *t]).astype(np.int64) for t in (left, [to])]
    pairs = np.ascontiguousarray(np.concatenate([np.zeros((0, 2), np.int64), *turns]).astype(np.int64))
    return a, each_a, tables[0], step, b, each_b, pairs, c, each_c, tables[1], np.array(lines, np.int64).reshape(-1, 5), len(lines)


PART = st.tuples(st.sampled_from([1, 2, 5, 14, 31]), st.integers(0, 3), st.sampled_from([0, 1, 4, 9]))


@settings(max_examples=60, deadline=None)
@given(
    images=st.integers(0, 5),
    group=st.integers(1, 3),
    parts=st.lists(PART, min_size=1, max_size=3),
    n=st.sampled_from([1, 3, 8, 16, 17, 32, 50]),
    step=st.integers(1, 3),
    summed=st.booleans(),
    cut=st.integers(0, 40),
    seed=st.integers(0, 100),
)
def test_any_product(product, images, group, parts, n, step, summed, cut, seed):
    real, multiply = product
    group = 1 if summed else group
    rng = np.random.default_rng(seed)
    *arrays, table, count = problem(rng, real, images, group, parts, n, step, summed)
    c, each_c, rows = arrays[7:10]
    height = sum(group * r for r, _, _ in parts)
    want, pieces = c.astype(np.float64), c.copy()
    indirect.indirect_plain(images, group, 0, height, n, *arrays[:7], want, each_c, rows, table, count)
    multiply(images, group, 0, height, n, *arrays, table, count)
    np.testing.assert_allclose(c, want, rtol=1e-5 if real is np.float32 else 1e-12, atol=1e-5)
    for first, last in ((0, cut), (cut, height)):  # the bits do not depend on the cut
        multiply(images, group, first, last, n, *arrays[:7], pieces, each_c, rows, table, count)
    assert pieces.tobytes() == c.tobytes()
