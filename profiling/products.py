"""Our matrix products against BLAS, one thread, over shapes that nets have.

Law of this file: both are called from compiled code through the same arguments, many times in a row, taking turns; the
clock is the thread's own, so that a busy machine spoils fewer samples, and the fastest of each counts.
`suits` is what `codegen.products` says of the shape, and that is what a kernel would call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.codegen.products import tiles_suit

SHAPES = (
    ((32, 32, 64), False, False),
    ((32, 10, 32), False, False),
    ((64, 32, 32), True, False),
    ((25, 300, 784), False, False),
    ((25, 100, 300), False, False),
    ((25, 10, 100), False, False),
    ((784, 300, 25), True, False),
    ((784, 300, 50), True, False),
    ((300, 100, 50), True, False),
    ((25, 300, 100), False, True),
    ((50, 784, 300), False, False),
    ((128, 128, 128), False, False),
    ((512, 512, 512), False, False),
    ((1000, 1000, 1000), False, False),
    ((100000, 8, 8), False, False),
    ((4096, 1, 300), False, False),
    ((1, 300, 784), False, False),
)
"""((m, n, k), is A transposed, is B)."""


def _repeated(product: Callable) -> Callable:
    import numba

    @numba.njit(fastmath=False)
    def call(times, ta, tb, m, n, k, a, lda, b, ldb, c):
        for _ in range(times):
            product(ta, tb, m, n, k, 1.0, a, lda, b, ldb, 0.0, c, n)

    return call


def run(quick: bool) -> list[dict[str, Any]]:
    """Microseconds of both for every shape and precision."""
    from symgraph.codegen.runtime import blas, tiles

    results = []
    with blas.threads(1):
        for dtype, short in (("float32", "f32"), ("float64", "f64")):
            sides = [_repeated(getattr(tiles, f"tile_{short}")), _repeated(getattr(blas, f"gemm_{short}"))]
            for (m, n, k), ta, tb in SHAPES[:3] if quick else SHAPES:
                rng = np.random.default_rng(0)
                a, b = (rng.standard_normal(s).astype(dtype) for s in ((k, m) if ta else (m, k), (n, k) if tb else (k, n)))
                c, times = np.zeros((m, n), dtype), max(1, int(5e6 / (m * n * k)))
                best, answers = [float("inf")] * 2, []
                for turn in range(3 if quick else 40):
                    for side, call in enumerate(sides):
                        start = time.thread_time()
                        call(times, ta, tb, m, n, k, a, a.shape[1], b, b.shape[1], c)
                        if turn:
                            best[side] = min(best[side], (time.thread_time() - start) / times * 1e6)
                        else:
                            answers.append(c.copy())
                np.testing.assert_allclose(answers[0], answers[1], rtol=1e-4, atol=1e-3)
                row = {"shape": [m, n, k], "ta": ta, "tb": tb, "dtype": dtype, "suits": tiles_suit(n, k, ta, tb, dtype)}
                results.append(row | {"tiles": best[0], "blas": best[1]})
    return results


def text(results: Sequence[dict[str, Any]]) -> str:
    """One line for each product: microseconds, GFLOP/s, and how many times longer BLAS takes."""
    lines = [f"{'m x n x k':<22}{'':<9}{'tiles us':>10}{'GFLOP/s':>9}{'BLAS us':>10}{'GFLOP/s':>9}{'ratio':>7}  called"]
    for r in results:
        work = 2e-3 * np.prod(r["shape"])
        name = " x ".join(map(str, r["shape"])) + (" A'" if r["ta"] else "") + (" B'" if r["tb"] else "")
        both = "".join(f"{r[side]:>10.2f}{work / r[side]:>9.0f}" for side in ("tiles", "blas"))
        lines.append(f"{name:<22}{r['dtype']:<9}{both}{r['blas'] / r['tiles']:>7.2f}  {'tiles' if r['suits'] else 'BLAS'}")
    return "\n".join(lines)
