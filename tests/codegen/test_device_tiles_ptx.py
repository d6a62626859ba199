"""What the compiler makes of products and windows for devices: sums in registers, and no function left to call."""

from __future__ import annotations

import re

import pytest

from symgraph.codegen import ptx

pytestmark = pytest.mark.skipif(not ptx.available(), reason="numba-cuda and its toolkit are not installed")

WHO = "cuda.blockIdx.x, cuda.gridDim.x, cuda.threadIdx.x"
LANE = "cuda.blockIdx.x * 256 + cuda.threadIdx.x, cuda.gridDim.x * 256"
TABLES = "n, a, n, left, 1, b, 0, turns, c, n, left, turns, m"
CALLS = {
    "gemm_{}": f"gemm_{{}}(False, True, m, n, k, one, a, k, b, k, one, c, n, {WHO})",
    "gemm_part_{}": f"gemm_part_{{}}(True, False, m, n, k, a, m, b, n, c, 128, {WHO})",
    "gemm_join": f"gemm_join(m, n, 4, one, a, one, c, n, {LANE})",
    "indirect_{}": f"indirect_{{}}(m, 2, 0, n, {TABLES}, {LANE})",
    "depthwise": f"depthwise(m, 2, 0, n, {TABLES}, 2, True, {LANE})",
    "pool_max": f"pool_max(a, c, left, m, n, 4, 32, 196, {LANE})",
    "pool_pick": f"pool_pick(a, b, c, left, m, n, 4, 32, 196, {LANE})",
    "pool_route": f"pool_route(a, b, c, left, m, n, 4, 32, 196, {LANE})",
    "pool_route_once": f"pool_route_once(a, b, c, left, m, n, 4, 32, 196, {LANE})",
}
SOURCE = """
from numba import cuda
from symgraph.codegen.runtime.device_{module} import {name}

@cuda.jit("void({real}[::1], {real}[::1], {real}[::1], int64[::1], int64[::1], {real}, int64, int64, int64)")
def kernel(a, b, c, left, turns, one, m, n, k):
    {call}
"""


@pytest.mark.parametrize("short", ["f32", "f64"])
@pytest.mark.parametrize("name", CALLS)
def test_registers(name: str, short: str) -> None:
    module, real = "tiles" if name.startswith("gemm") else "windows", f"float{short[1:]}"
    source = SOURCE.format(module=module, name=name.format(short), real=real, call=CALLS[name].format(short))
    text = ptx.ptx(source, cc=(8, 0) if short == "f64" else (9, 0))
    assert not re.search(r"\b(ld|st)\.local|\bcall\b", text)
    assert ("ld.shared.v" in text) == ("fma.rn" in text and name.endswith("_{}"))
