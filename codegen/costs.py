"""What a step costs, roughly: flops, bytes of arrays, and a time made of the two.

Law of this file: figures for deciding between two forms of one program, never for promising a time.  Arithmetic is what
vectorised loops on one core take; an array that a step reads is paid for once a step, at the speed of the caches where
all of them fit there and of memory where they do not.  Temps cost no traffic: they live and die in a block of rows.
Measured on one core with 256-bit vectors: exp in float32 is 0.21 ns an element, memory gives 8 to 13 GB/s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from .fuse import product_as_map
from .inline import drop_dead
from .ir import (
    Buffer,
    Conv,
    Indirect,
    Last,
    Linalg,
    Map,
    MatMul,
    Pool,
    Program,
    Random,
    Repeat,
    Scatter,
    Size,
    Stack,
    Statement,
    coordinates,
    reads,
)
from .phases import ENDLESS
from .scalar import FUNCTIONS, Instr
from .sizes import count, extents
from .windows import products

SIMPLE = 0.05
"""ns an element of float32 for what is not in `NS`: sums, products, comparisons, selections, conversions."""
NS = {
    **dict.fromkeys(("div", "sqrt"), 0.15),
    **dict.fromkeys(("exp", "log", "safe_log", "log1p", "expm1", "sin", "cos", "tanh", "sigmoid"), 0.3),
    **dict.fromkeys(("truncdiv", "floordiv", "floormod"), 0.5),
    **dict.fromkeys(("tan", "asin", "acos", "atan", "sinh", "cosh", "softplus", "erf"), 0.6),
    "power": 0.9,
}
"""ns an element of float32; elements of 8 bytes take twice as long."""
GATHER = 0.3
"""ns an element that is read at a coordinate."""
DRAW = 2.0
"""ns an element that is drawn."""
NEAR, FAR = 1 / 40, 1 / 10
"""ns a byte, from the caches and from memory."""
CACHE = 1 << 20
"""Bytes of arrays a step up to which they stay in the caches."""
ARRAY = 5.0
"""ns a step for each array that it reads: its share of loops' beginnings and ends."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One step: `flops`, `bytes` of arrays read and written, and the `ns` of the slower of the two."""

    flops: int
    bytes: int
    ns: float

    def __str__(self) -> str:
        return f"{self.flops:,} flops and {self.bytes:,} bytes"


def storage(b: Buffer, sizes: Mapping[str, int]) -> int:
    """The bytes of an array."""
    return count(b.shape, sizes) * np.dtype(b.dtype).itemsize


def traffic(nbytes: int, beside: int) -> float:
    """ns to read an array in a step that reads `beside` bytes."""
    return ARRAY + nbytes * (NEAR if max(nbytes, beside) <= CACHE else FAR)


def instr_ns(i: Instr) -> float:
    """ns of one instruction for one element."""
    if not i.args:
        return 0.0
    return NS.get(i.fn, SIMPLE) * (2 if np.dtype(i.dtype).itemsize == 8 else 1)


def labels(s: Map) -> list[frozenset[int]]:
    """The labels that each instruction of the body depends on."""
    walked = [frozenset(w for w in index if isinstance(w, int)) for index in s.index]
    at = [w.union(*(walked[k] for k in coordinates(index))) for w, index in zip(walked, s.index, strict=True)]
    found: list[frozenset[int]] = []
    for i in s.body.code:
        own = at[i.value] if i.fn == "operand" else frozenset([i.value]) if i.fn == "index" else frozenset()
        found.append(own.union(*(found[a] for a in i.args)))
    return found


def times(depends: Iterable[int], space: tuple[Size, ...], sizes: Mapping[str, int]) -> int:
    """How often loops over `space`, label by label inwards, compute what depends on these labels."""
    return prod(extents(space, sizes)[: 1 + max(depends, default=-1)])


def work(s: Statement, table: Mapping[str, Buffer], sizes: Mapping[str, int]) -> tuple[int, float]:
    """(flops, ns) of one statement."""
    out = table[s.out]
    double = 2 if np.dtype(out.dtype).itemsize == 8 else 1
    match s:
        case MatMul():
            n = count(product_as_map(s, dict(table)).space, sizes)
            return 2 * n, n * SIMPLE * double
        case Conv():
            channels = () if s.depthwise else table[s.out if s.role == "x" else s.a].shape[-1:]
            y = table[s.out if s.role == "y" else s.b].shape
            n = count((*y, *(v.size for v in s.windows), *channels), sizes)
            return 2 * n, n * SIMPLE * double
        case Indirect():
            n = count(products(s, table), sizes)
            return 2 * n, n * SIMPLE * double
        case Pool():
            n = count((*table[s.v if s.role == "route" else s.out].shape, *(v.size for v in s.windows)), sizes)
            return n, n * SIMPLE * double
        case Map():
            repeated = [times(depends, s.space, sizes) for depends in labels(s)]
            flops = sum(n * FUNCTIONS[i.fn].cost for i, n in zip(s.body.code, repeated, strict=True) if i.fn in FUNCTIONS)
            ns = sum(n * instr_ns(i) for i, n in zip(s.body.code, repeated, strict=True))
            n = count(s.space, sizes)
            ns += GATHER * n * sum(len(coordinates(index)) for index in s.index)
            if s.reducer:
                flops += n
                ns += 0.0 if s.body.code[-1].fn == "mul" else n * SIMPLE * double  # a product is summed in one instruction
            return flops, ns
        case Linalg():
            *batch, rows, n = extents(table[s.args[0]].shape, sizes)
            if s.fn == "top":
                compared = int(prod(batch) * rows * n * max(1, out.shape[-1].bit_length() if isinstance(out.shape[-1], int) else 8))
                return compared, compared * SIMPLE * double
            columns = extents(table[s.args[1]].shape, sizes)[-1] if s.fn == "solve" else 0
            factor = {"inverse": 2.0, "cholesky": 1 / 3}.get(s.fn, 2 / 3)
            flops = int(prod(batch) * (factor * n**3 + 2 * n * n * columns))
            return flops, flops * SIMPLE * double
        case Random():
            n = count(out.shape, sizes)
            return 10 * n, DRAW * n
        case Repeat():
            inside = s.body.table()
            done = [work(each, inside, sizes) for each in s.body.statements]
            turns = steps_of(s, sizes)
            return turns * sum(flops for flops, _ in done), turns * sum(ns for _, ns in done)
        case Last() | Stack():
            return 0, 0.0
        case Scatter() if s.onto is not None:
            return 0, count(table[s.x].shape, sizes) * SIMPLE * double
    return 0, count(out.shape, sizes) * SIMPLE * double


def steps_of(s: Repeat, sizes: Mapping[str, int]) -> int:
    """How many steps a loop makes, at most or roughly."""
    return ENDLESS if s.steps is None else extents((s.steps,), sizes)[0]


def leaves(program: Program) -> set[str]:
    """The arrays from outside that a step reads."""
    read = {*program.outputs, *(source for _, source in program.updates), *(n for s in program.statements for n in reads(s))}
    return {b.name for b in program.buffers if b.role != "temp" and b.name in read}


def moved(program: Program, sizes: Mapping[str, int]) -> int:
    """The bytes of arrays from outside that a step reads, and of states that it writes."""
    table = program.table()
    return sum(storage(table[n], sizes) for n in (*leaves(program), *(target for target, _ in program.updates)))


def cost(program: Program, sizes: Mapping[str, int]) -> Cost:
    """One run of the program, without what nothing needs."""
    program = drop_dead(program)[0]
    table = program.table()
    done = [work(s, table, sizes) for s in program.statements]
    nbytes = moved(program, sizes)
    ns = max(sum(ns for _, ns in done), nbytes * (NEAR if nbytes <= CACHE else FAR))
    return Cost(sum(flops for flops, _ in done), nbytes, ns)
