"""Every function of a device compiles to PTX without one, and the PTX is assembled where ptxas is found."""

import shutil
import subprocess

import pytest

from symgraph.codegen import ptx
from symgraph.codegen.printer import MODULES

CAPABILITIES = [(8, 0), (9, 0)]
KINDS = {
    "b": "boolean",
    "i": "int64",
    "I": "int64[::1]",
    "C": "int32[::1]",
    "x": "{0}",
    "X": "{0}[::1]",
}
"""Types of arguments: a truth value, int64, an array of it, one of int32; the function's dtype, an array of it."""
FLOATS, DRAWN = ("float32", "float64"), ("float32", "float64", "int32", "int64")
SHORT = {"float32": "f32", "float64": "f64", "int32": "int32", "int64": "int64", "bool": "bool"}
WINDOW = "iiiii X iIi X iI X i II i ii"
POOL = "XX I iiiii ii"

Row = tuple[str, str, tuple[str, ...], bool]
"""Name, kinds of its arguments, dtypes, does its name say the dtype."""
TABLE: dict[str, list[Row]] = {
    "math": [
        *((name, "x", FLOATS, True) for name in MODULES["vecmath"] if name != "pow"),
        *((name, "x", FLOATS, False) for name in ("sqrt", "floor", "ceil", "rint")),
        ("pow", "xx", FLOATS, True),
        *((name, "xx", (*FLOATS, "int8", "uint8", "int32", "int64"), False) for name in ("truncdiv", "floordiv", "floormod")),
        ("int_power", "xx", ("int8", "uint8", "int32", "int64"), False),
    ],
    "team": [
        ("barrier_wait", "Ii", ("int64",), False),
        ("step_done", "Ii", ("int64",), False),
        ("tail", "Xi", FLOATS, False),
        *((f"lanes_{how}", "xi", (*FLOATS, "int64"), True) for how in ("sum", "prod", "max", "min")),
        *((f"lanes_{how}", "bi", ("bool",), True) for how in ("any", "all")),
        ("lanes_first", "xi", ("int64",), True),
        *((f"put_{how}", "xii", (*FLOATS, "int64"), True) for how in ("sum", "prod", "max", "min")),
        *((f"get_{how}", "i", (*FLOATS, "int64"), True) for how in ("sum", "prod", "max", "min")),
        *((f"put_{how}", "bii", ("bool",), True) for how in ("any", "all")),
        *((f"get_{how}", "i", ("bool",), True) for how in ("any", "all")),
    ],
    "rows": [
        *((name, "X I X ii iii", (*FLOATS, "int32", "int64"), False) for name in ("add_rows", "put_rows")),
        *((name, "X C X ii iii", ("float32",), False) for name in ("add_rows", "put_rows")),
        ("first_of_each", "XII ii", ("int32", "int64"), False),
        ("outside", "X ii I i", ("int32", "int64"), False),
    ],
    "draws": [
        ("uniform", "X i I xx ii", DRAWN, True),
        *((name, "X i I xx ii", FLOATS, True) for name in ("normal", "truncated_normal")),
        ("advance", "Ii", ("int64",), False),
        ("shuffle_permutation", "IiI", ("int64",), False),
        ("candidates", "I i I ii", ("int64",), False),
    ],
    "dense": [
        ("inverse", "XX i X i", FLOATS, True),
        ("solve", "XXX ii X i", FLOATS, True),
        ("cholesky", "XX ii", FLOATS, True),
        *((name, "X i X i", FLOATS, True) for name in ("determinant", "logdet")),
        ("top", "XC iii i", FLOATS, True),
    ],
    "windows": [
        ("indirect", WINDOW, FLOATS, True),
        ("depthwise", WINDOW.replace("i ii", "i ib ii"), FLOATS, False),
        ("pool_max", "X X I iiiii ii", FLOATS, False),
        *((name, "XX X I iiiii ii", FLOATS, False) for name in ("pool_pick", "pool_route")),
    ],
    "tiles": [("gemm", "bb iii x X i X i x X i iii", FLOATS, True)],
}
CASES = [
    (module, f"{name}_{SHORT[dtype]}" if suffixed else name, kinds, dtype)
    for module, rows in TABLE.items()
    for name, kinds, dtypes, suffixed in rows
    for dtype in dtypes
]
needs_numba_cuda = pytest.mark.skipif(not ptx.available(), reason=ptx.EXTRA)


def kernel(module, function, kinds, dtype):
    """The source of a kernel that calls the function, and keeps what it returns."""
    types = [KINDS[kind].format(dtype) for kind in kinds.replace(" ", "")]
    names = ", ".join(f"a{k}" for k in range(len(types)))
    kept = "int64" if module == "dense" and function[:3] in ("inv", "sol", "cho") else dtype
    call = f"{function}({names})"
    body = f"out[0] = {call}" if module in ("math", "dense") and function[:3] != "top" or function.startswith(("lanes", "get")) else call
    return f"""
from numba import cuda
from symgraph.codegen.runtime.device_{module} import {function}

@cuda.jit("void({kept}[::1], {", ".join(types)})")
def kernel(out, {names}):
    {body}
"""


def assemble(text, cc, folder):
    """What ptxas makes of it: its complaints."""
    path = folder / "kernel.ptx"
    path.write_text(text)
    command = [shutil.which("ptxas"), f"-arch=sm_{cc[0]}{cc[1]}", str(path), "-o", str(folder / "kernel.cubin")]
    return subprocess.run(command, capture_output=True, text=True).stderr


@needs_numba_cuda
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("module", "function", "kinds", "dtype"), CASES, ids=[f"{case[1]}-{case[3]}" for case in CASES])
def test_a_function_compiles_and_is_assembled(module, function, kinds, dtype, tmp_path):
    source = kernel(module, function, kinds, dtype)
    for cc in CAPABILITIES:
        text = ptx.ptx(source, cc=cc)
        assert f".target sm_{cc[0]}{cc[1]}" in text
        if dtype == "float32" and module != "draws":
            assert "cvt.f64" not in text, "float32 is computed in float64"
        if function.startswith("uniform"):
            assert "fma" not in text, "a uniform is rounded once, the CPU's twice"
        if shutil.which("ptxas"):
            assert not assemble(text, cc, tmp_path)


@pytest.mark.skipif(ptx.available(), reason="numba-cuda is installed")
def test_the_extra_is_named_where_it_is_missing():
    with pytest.raises(ImportError, match=r"symgraph\[cuda\]"):
        ptx.ptx(kernel("math", "exp_f32", "x", "float32"))


def test_the_signature_of_a_module_is_read():
    ((function, signature),) = ptx.read(kernel("team", "tail", "Xi", "float32")).values()
    assert (function.__name__, signature) == ("kernel", "void(float32[::1], float32[::1], int64)")
