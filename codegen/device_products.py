"""Products where members have lanes, and what is computed with them element by element.

Law of this file: a Map that takes a product's elements as they are made is written as a function beside the kernel, which
the product calls with each of its elements; arrays, sizes and scalars that it reads are handed to it in a tuple.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .addresses import flat_index, product
from .expressions import SHORT
from .ir import MatMul
from .loops import Call, For, Function, If, Let, Node, Store
from .stages import Work

if TYPE_CHECKING:
    from .lanes import LaneWriter

_FREE = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(?![\w(])")
PARAMETERS = ("zs", "c", "i", "j", "value")


def write(p: LaneWriter, s: MatMul) -> list[Node]:
    """A product alone."""
    a, b, out = (p.table[n] for n in (s.a, s.b, s.out))
    real = SHORT[out.dtype]
    p.helpers.add(f"gemm_{real}")
    m, n, k = (p.names.size(e) for e in (*out.shape[-2:], a.shape[-2] if s.ta else a.shape[-1]))
    lda, ldb = p.names.size(a.shape[-1]), p.names.size(b.shape[-1])
    factor = f"{real}(1.0)" if s.factor is None else p.scalar(s.factor)
    kept = f"{real}({0.0 if s.onto is None else 1.0})"

    def call(x: str, y: str, z: str, who: str) -> Call:
        return Call(f"gemm_{real}({s.ta}, {s.tb}, {m}, {n}, {k}, {factor}, {x}, {lda}, {y}, {ldb}, {kept}, {z}, {n}, {who}, lane)")

    lead = out.shape[:-2]
    if not lead:
        return [call(p.whole(s.a), p.whole(s.b), p.whole(s.out, True), "tid, nthreads")]
    q = p.names.fresh("e")
    variables = [p.names.fresh("j") for _ in lead]
    found: list[Node] = []
    for axis, v in enumerate(variables):
        stride, extent = product(lead[axis + 1 :], p.names), p.names.size(lead[axis])
        at = q if stride == "1" else f"{q} // ({stride})"
        found.append(Let(v, at if axis == 0 else f"{at} % {extent}" if " " not in at else f"({at}) % {extent}"))

    def part(name: str, write: bool = False) -> str:
        shape = p.table[name].shape
        offset = len(lead) - (len(shape) - 2)
        coordinates = ["0" if shape[axis] == 1 else variables[offset + axis] for axis in range(len(shape) - 2)] + ["0", "0"]
        index = flat_index(shape, coordinates, p.names).text
        return p.whole(name, write) if index == "0" else f"{p.whole(name, write)}[{index}:]"

    each = call(part(s.a), part(s.b), part(s.out, True), "0, 1")
    return [For(q, f"tid, {product(lead, p.names)}, nthreads", (*found, each))]


def write_with(p: LaneWriter, s: MatMul, works: Sequence[Work]) -> list[Node]:
    """A product whose elements go to Maps, and to an array only where others read it."""
    a, b, out = (p.table[n] for n in (s.a, s.b, s.out))
    real = SHORT[out.dtype]
    m, n, k = (p.names.size(e) for e in (*out.shape, a.shape[-2] if s.ta else a.shape[-1]))
    lda, ldb = p.names.size(a.shape[-1]), p.names.size(b.shape[-1])
    p.helpers |= {f"gemm_into_{real}", "inlined"}
    keep = p.names.fresh("keep")
    body = p.elements(works, {0: "i", 1: "j"}, {s.out: "value"})
    if p.memory.homes[s.out].kind != "local":
        body.insert(0, Store(p.whole(s.out, True), f"i * {n} + j", "value"))
    if s.factor is not None:
        body.insert(0, Let("value", f"value * {p.scalar(s.factor)}"))
    taken = sorted(set(_free(body)))
    factors = f"{s.ta}, {s.tb}, {m}, {n}, {k}, {p.whole(s.a)}, {lda}, {p.whole(s.b)}, {ldb}"
    call = f"gemm_into_{real}({factors}, {keep}, ({', '.join(taken)},), tid, nthreads, lane)"
    return [Function(keep, PARAMETERS, (Let(f"{', '.join(taken)},", "zs"), *body)), Call(call)]


def _free(nodes: Sequence[Node]) -> Iterator[str]:
    """What a function's lines read that is not their own."""
    own = {*PARAMETERS, *SHORT.values(), "np"}
    for node in nodes:
        match node:
            case Let(name, text):
                texts: tuple[str, ...] = (text,)
                own.add(name)
            case Store(array, index, text):
                texts = array, index, text
            case If(condition, body):
                texts = (condition,)
                yield from (n for n in _free(body) if n not in own)
            case _:
                continue
        yield from (n for text in texts for n in _FREE.findall(text) if n not in own and not keyword.iskeyword(n))
