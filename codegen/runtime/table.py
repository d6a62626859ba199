"""Arrays by number: a table of addresses and lengths, from which a function takes the arrays it works on.

Law of this file: `table` is int64, entry 2k the address of the first element of array k, entry 2k + 1 its number of
elements; whoever fills it keeps the arrays alive for as long as the table is used.  A kernel of 1000 array arguments
took Numba 25 s to compile before it did anything; a table is one argument.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

I64 = ir.IntType(64)


@intrinsic
def array_at(typing, table, k, dtype):
    """Array k of a table, flat, of that dtype."""
    kind = types.Array(dtype.dtype, 1, "C")

    def build(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        first = builder.shl(args[1], I64(1))
        address, n = (builder.load(builder.gep(data, [builder.add(first, I64(j))])) for j in (0, 1))
        made = context.make_array(kind)(context, builder)
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        context.populate_array(
            made,
            data=builder.inttoptr(address, made.data.type),
            shape=cgutils.pack_array(builder, [n]),
            strides=cgutils.pack_array(builder, [size]),
            itemsize=size,
            meminfo=None,
            parent=None,
        )
        return made._getvalue()

    return kind(table, types.int64, dtype), build


def plain_array_at(table: np.ndarray, k: int, dtype: type) -> np.ndarray:
    """The same in plain Python."""
    address, n = (int(v) for v in table[2 * k : 2 * k + 2])
    size = n * np.dtype(dtype).itemsize
    memory = memoryview((ctypes.c_byte * size).from_address(address))
    return np.frombuffer(memory, dtype) if n else np.empty(0, dtype)


PLAIN: dict[str, Callable] = {"array_at": plain_array_at}
