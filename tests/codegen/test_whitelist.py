"""Generated source stays inside the lists: what kernels look like passes, every road out of them is closed."""

from __future__ import annotations

import pytest

from symgraph.codegen.whitelist import SourceError, check

KERNEL = '''"""Written by the printer."""
import math
import numba
import numpy as np
from numba import float32, types
from symgraph.codegen.runtime import gemm
from symgraph.codegen.runtime.vector import exp_f32, log_f32 as lg
import symgraph.codegen.runtime.team as team

K = 64

@numba.njit(inline="always", fastmath={"contract", "arcp"}, error_model="numpy")
def tile(x, n):
    return np.float32(x) * np.exp(n)  # origin: train.py:14 "import os"

@numba.njit("void(float32[:, ::1], int64, Tuple((f4, i8)))", nogil=True, cache=True)
def kernel(x, n, t):
    a = x[:n].reshape(n * K)
    s = np.float32(0.0)
    for i in range(a.shape[0]):
        if not (i < 3 and n >= 2):
            s += exp_f32(a[i]) if np.isfinite(a[i]) else np.float32(np.inf)
        else:
            continue
    gemm.sgemm(a, team.barrier(lg(s)))
    b, c = tile(s, n), math.sqrt(2.0)
    while b < c:
        b -= 1
    x[0, :] = np.linalg.solve(x, x)[0]
    if n < 0:
        raise FloatingPointError("singular")

@numba.njit(types.void(float32[:, ::1], numba.int64))
def other(x, n):
    x[0, 0] = n
'''

HOSTILE = r"""
import os
import numpy.f2py
import numba.core.caching as c
import symgraph
import symgraph.codegen.runtime
import numpy as open
from os import system
from numpy import load
from numpy import *
from numba import njit
from numba import jit
from symgraph import session
from symgraph.codegen.cache import load
from symgraph.codegen.runtimes import x
from symgraph.codegen.runtime.x import _private
from symgraph.codegen.runtime.x import exec
from symgraph.codegen.runtime.x import f as __builtins__
from symgraph.codegen.runtime.x import os; os.system("id")
import symgraph.codegen.runtime.x as r; r.os.system("id")
from . import x
x = eval("1")
x = open("f")
x = print(1)
x = getattr(1, "real")
x = __import__("os")
x = __builtins__
x = __name__
x = unknown
x = (1).__class__
x = 1; x.__globals__
x = 1; x.format
x = lambda: 1
x = [i for i in range(3)]
x = {1: 2}
x = f"{1}"
x = *range(3),
x: int = 3
(x := 3)
import numpy as np; x = np
import numpy as np; np.load("x")
import numpy as np; np.lib.npyio
import numpy as np; np.float32 = 1
import numpy as np; x = np.linalg; x.inv
import numpy as np; np.linalg._umath_linalg
import numpy as np\nnp = 3
import numpy as np\ndef f(np): pass
import numba; numba.core.caching.os.system("id")
import numba; x = numba.njit("exec()")
import numba; x = numba.types; y = x.misc
class A: pass
global x
assert True
del x
try:\n    pass\nexcept ValueError:\n    pass
with x: pass
async def f(): pass
def f():\n    yield 1
def f():\n    def g(): pass
def f():\n    import math
def f():\n    global z
def f(*, __x): pass
def range(): pass
range = 3
import numba\n@numba.njit("__import__('os').system('id')")\ndef f(): pass
import numba\n@numba.njit("exec(input())")\ndef f(): pass
import numba\n@numba.njit(["exec(input())"])\ndef f(): pass
import numba\n@numba.njit("ex" + "ec()")\ndef f(): pass
import numba\nS = "exec(input())"\n@numba.njit(S)\ndef f(): pass
import numba\n@numba.njit(locals={})\ndef f(): pass
import numba\n@numba.jit("f4(f4)")\ndef f(): pass
import numba\n@numba.njit\ndef f(): pass
import symgraph.codegen.runtime.x as numba\n@numba.njit("f4(f4)")\ndef f(): pass
@staticmethod\ndef f(): pass
"""


def test_what_kernels_look_like_passes() -> None:
    assert check(KERNEL).body
    assert check("x = 3\ny = print(x)", {"print"}).body


@pytest.mark.parametrize("line", HOSTILE.strip().splitlines())
def test_every_road_out_is_closed(line: str) -> None:
    with pytest.raises(SourceError, match="line"):
        check(line.replace("\\n", "\n"))


def test_reason_and_line_are_named() -> None:
    with pytest.raises(SourceError, match=r"line 2 .*unknown name 'exec'"):
        check("x = 1\nexec(x)")


@pytest.mark.parametrize("text", ["\0", "def", "(" * 5000, "x" + "+1" * 100000])
def test_what_python_cannot_parse(text: str) -> None:
    with pytest.raises(SourceError, match="not Python"):
        check(text)


def test_a_device_has_little_of_numpy() -> None:
    """What numba-cuda does not know simulators do know, so they would not tell."""
    source = "import numpy as np\nfrom numba import cuda\n\n\ndef f(x):\n    return np.cosh(x) + np.inf * np.float32(2)\n"
    check(source)
    for name in ("sqrt", "rint", "exp"):
        with pytest.raises(SourceError, match=f"'{name}' of numpy, which numba-cuda"):
            check(source.replace("cosh", name))
        check(source.replace("cosh", name).replace("from numba import cuda", ""))
