"""Matrix products of small and middling size for kernels: C = alpha op(A) op(B) + beta C in tiles of registers.

Law of this file: `tile_f32` and `tile_f64` take what `blas.gemm_f32` takes and keep its laws (flat or whole C-contiguous
arrays from their first element; beta = 0 overwrites C, nan included; k = 0 gives beta C; empty results are left alone),
and every element of C has the same bits whatever m is and whichever rows and columns are computed together: a team may
cut a product anywhere.  `microkernels` holds the code itself, as LLVM's assembly.

Each precision is compiled once in a process, when it is first asked for, into code of its own: a kernel holds only a
call.  That takes 60 to 90 ms, so the machine code is kept on disk (14 kB; 4 ms to load).  What it is good for, and where
BLAS stays better: `products.tiles_suit`; the figures: `python -m profiling products`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features, initialize_llvm
from numba.extending import intrinsic

from ..cache import keep
from . import microkernels, symbols
from .blas import gemm_plain

SIZES = {"tile_f32": 4, "tile_f64": 8}
_ENGINES: list = []  # machine code lives as long as its engine


def ensure(*names: str) -> None:
    """Make the named products known to LLVM, so that kernels which call them can be compiled or loaded."""
    for name in names:
        _register(name)


@functools.cache
def _register(name: str) -> None:
    symbols.register(name, link(name, keep(name, lambda: machine_code(name))))


def _target() -> tuple[llvm.TargetMachine, str, str]:
    """The machine that Numba compiles for, its features and its triple."""
    initialize_llvm()
    triple = llvm.get_process_triple()
    features = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
    cpu = config.CPU_NAME or llvm.get_host_cpu_name()
    return llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=2, jit=True), features, triple


def machine_code(name: str, machine: microkernels.Machine | None = None) -> bytes:
    """An object file with the product `name`, shaped for this processor or for the one described."""
    return compiled(lambda here: microkernels.module(name, SIZES[name], machine or here))


def compiled(text: Callable[[microkernels.Machine], str]) -> bytes:
    """An object file of the assembly that `text` gives for this processor."""
    target, features, triple = _target()
    module = llvm.parse_assembly(text(microkernels.machine(features, triple)))
    module.triple = triple
    return target.emit_object(module)


def link(name: str, code: bytes) -> int:
    """The address of the product `name` of an object file, loaded for good."""
    target, _, triple = _target()
    empty = llvm.parse_assembly("")
    empty.triple = triple
    engine = llvm.create_mcjit_compiler(empty, target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _ENGINES.append(engine)
    return engine.get_function_address(name)


def _tile(name: str, real: types.Float) -> Callable:
    @intrinsic
    def tile(typing, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        i = types.int64
        signature = types.void(i, i, i, i, i, real, a, i, b, i, real, c, i)

        def build(context, builder, signature, args):
            ensure(name)
            values = list(args)
            for at in (6, 8, 11):
                data = context.make_array(signature.args[at])(context, builder, args[at]).data
                values[at] = builder.bitcast(data, ir.IntType(8).as_pointer())
            kind = ir.FunctionType(ir.VoidType(), [v.type for v in values])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, symbols.PREFIX + name), values)
            return context.get_dummy_value()

        return signature, build

    return tile


PLAIN = {"tile_f32": gemm_plain, "tile_f64": gemm_plain}
tile_f32, tile_f64 = _tile("tile_f32", types.float32), _tile("tile_f64", types.float64)
if config.DISABLE_JIT:
    globals().update(PLAIN)
