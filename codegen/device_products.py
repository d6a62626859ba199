"""Products where members have lanes, and what is computed with them element by element.

Law of this file: a Map that takes a product's elements as they are made, or gives those of a factor as they are read, is
written as a function beside the kernel, which the product calls for each; arrays, sizes and scalars that the function
reads are handed to it in a tuple.  What they are called there says nothing of where they come from, so that equal layers
have one function, and one product, which Numba compiles once.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .addresses import flat_index, product
from .expressions import SHORT
from .ir import MatMul
from .loops import Call, For, Function, Host, If, Let, Node, Return, Store
from .products import STEP
from .share import renamed
from .stages import Stage, Work

if TYPE_CHECKING:
    from .lanes import LaneWriter

_WORD = re.compile(r"\b[a-z]+\d+\b")
_FREE = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(?![\w(])")
PARAMETERS = ("zs", "c", "i", "j", "value")


def write(p: LaneWriter, stage: Stage) -> Iterator[list[Node]]:
    """What the team does, one part after the other: where one reads what another wrote, it meets between them."""
    s = stage.call
    assert isinstance(s, MatMul)
    out = p.table[s.out]
    if is_copied(p, s):
        yield added_to(p, s)
    if len(out.shape) > 2:
        yield _batched(p, s, lambda x, y, z: _gemm(p, s, x, y, z, "0, 1"), "tid, {}, nthreads")
        return
    real, (m, n, k, lda, ldb) = SHORT[out.dtype], _sizes(p, s)
    factors = f"{p.whole(s.a)}, {lda}, {p.whole(s.b)}, {ldb}" if not stage.first else ""
    works = stage.groups[0].works if stage.groups else ()
    if stage.first:
        yield _given(p, s, stage.first, works)
    elif stage.parts == 1 and not works:
        yield [_gemm(p, s, p.whole(s.a), p.whole(s.b), p.whole(s.out, True), _team(p))]
    elif stage.parts == 1:
        taker, *taken = _taker(p, s, works)
        p.helpers.add(f"gemm_into_{real}")
        yield [taker, Call(f"gemm_into_{real}({s.ta}, {s.tb}, {m}, {n}, {k}, {factors}, {', '.join(taken)}, {_team(p)}, lane)")]
    else:
        parts, step = p.memory.partials[s.out], stage.parts * STEP
        p.writes.add(parts)
        length = str(-(-int(k) // step) * STEP) if k.isdigit() else p.names.fresh("n")
        head = [] if k.isdigit() else [Let(length, f"max({STEP}, ({k} + {step - 1}) // {step} * {STEP})")]
        p.helpers.add(f"gemm_part_{real}")
        yield [*head, Call(f"gemm_part_{real}({s.ta}, {s.tb}, {m}, {n}, {k}, {factors}, {parts}, {length}, {_team(p)}, lane)")]
        p.reads.add(parts)
        made = f"{m}, {n}, {-(-int(k) // int(length)) if k.isdigit() else f'({k} + {length} - 1) // {length}'}"
        who = f"tid * {p.lanes} + lane, nthreads * {p.lanes}"
        if works:
            taker, *taken = _taker(p, s, works)
            p.helpers.add("gemm_join_into")
            yield [taker, Call(f"gemm_join_into({made}, {parts}, {', '.join(taken)}, {who})")]
        else:
            factor, kept = _scales(p, s)
            p.helpers.add("gemm_join")
            yield [Call(f"gemm_join({made}, {factor}, {parts}, {kept}, {p.whole(s.out, True)}, {n}, {who})")]


def _given(p: LaneWriter, s: MatMul, first: Sequence[Work], works: Sequence[Work]) -> list[Node]:
    """A product of factors whose elements are made as they are read."""
    real, (m, n, k, *strides) = SHORT[p.table[s.out].dtype], _sizes(p, s)
    made = {w.statement.out: w for w in first}
    found: list[Node] = []
    sides: list[str] = []
    factors = zip((s.a, s.b), (s.ta, s.tb), strides, (("i", "p"), ("p", "j")), ("left", "right"), strict=True)
    for name, turned, stride, (rows, columns), side in factors:
        if name in made:
            body, values = p.elements([made[name]], {0: columns, 1: rows} if turned else {0: rows, 1: columns}, {})
            giver, *taken = _function(p.names.fresh("give"), ("xs", "c", rows, columns), (*body, Return(values[name])))
            found.append(giver)
            sides.append(", ".join(taken))
        else:
            p.helpers.add(f"{side}_flat")
            sides.append(f"{side}_flat, ({p.whole(name)}, {turned}, {stride})")
    if works:
        taker, *keeper = _taker(p, s, works)
        found.append(taker)
    else:
        p.helpers.add("keep_flat")
        factor, kept = _scales(p, s)
        keeper = ["keep_flat", f"({p.whole(s.out, True)}, {n}, {factor}, {kept})"]
    p.helpers |= {f"gemm_of_{real}", "inlined"}
    return [*found, Call(f"gemm_of_{real}({', '.join([str(s.ta), str(s.tb), m, n, k, *sides, *keeper])}, {_team(p)}, lane)")]


def _team(p: LaneWriter) -> str:
    """The members in order; for every other product of a phase from the last on, so that those who have no tile of one get one
    of the next."""
    p.turns += 1
    return "tid, nthreads" if p.turns % 2 else "nthreads - 1 - tid, nthreads"


def is_copied(p: LaneWriter, s: MatMul) -> bool:
    """Does a product replace what it is added to elsewhere than in its place?"""
    return s.onto is not None and p.memory.homes[s.onto] != p.memory.homes[s.out]


def added_to(p: LaneWriter, s: MatMul) -> list[Node]:
    """What a product is added to, copied to its place."""
    assert s.onto is not None
    j = p.names.fresh("j")
    return [For(j, product(p.table[s.out].shape, p.names), (Store(p.whole(s.out, True), j, f"{p.whole(s.onto)}[{j}]"),), "team")]


def _sizes(p: LaneWriter, s: MatMul) -> list[str]:
    """m, n and k, and how long the rows of both factors are."""
    a, b = p.table[s.a].shape, p.table[s.b].shape
    return [p.names.size(e) for e in (*p.table[s.out].shape[-2:], a[-2] if s.ta else a[-1], a[-1], b[-1])]


def _scales(p: LaneWriter, s: MatMul) -> tuple[str, str]:
    """What a product is multiplied by, and what stands in its place before."""
    real = SHORT[p.table[s.out].dtype]
    return f"{real}(1.0)" if s.factor is None else p.scalar(s.factor), f"{real}({0.0 if s.onto is None else 1.0})"


def _gemm(p: LaneWriter, s: MatMul, x: str, y: str, z: str, who: str) -> Call:
    real, (m, n, k, lda, ldb), (factor, kept) = SHORT[p.table[s.out].dtype], _sizes(p, s), _scales(p, s)
    p.helpers.add(f"gemm_{real}")
    return Call(f"gemm_{real}({s.ta}, {s.tb}, {m}, {n}, {k}, {factor}, {x}, {lda}, {y}, {ldb}, {kept}, {z}, {n}, {who}, lane)")


def by_library(p: LaneWriter, s: MatMul) -> list[Node]:
    """The host's call for a product, and one for each of a batch; what it multiplies by lies on the device."""
    m, n, k, lda, ldb = _sizes(p, s)
    factor = "None"
    if s.factor is not None:
        home = p.memory.homes[s.factor]
        p.touch(home.arg)
        factor = f"{home.arg}[{home.slot}:]"

    def call(x: str, y: str, z: str) -> Call:
        return Call(f"multiply({s.ta}, {s.tb}, {m}, {n}, {k}, {factor}, {x}, {lda}, {y}, {ldb}, {int(s.onto is not None)}, {z}, {n})")

    if len(p.table[s.out].shape) > 2:
        return _batched(p, s, call, "{}")
    return [call(p.whole(s.a), p.whole(s.b), p.whole(s.out, True))]


def _batched(p: LaneWriter, s: MatMul, one: Callable[[str, str, str], Call], rounds: str) -> list[Node]:
    """A product of a batch is one member's, or one call of the host."""
    lead = p.table[s.out].shape[:-2]
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

    each = one(part(s.a), part(s.b), part(s.out, True))
    return [For(q, rounds.format(product(lead, p.names)), (*found, each))]


def _taker(p: LaneWriter, s: MatMul, works: Sequence[Work]) -> tuple[Function, str, str]:
    """The function that takes a product's elements, to Maps and to an array where others read it; its name; what it is handed."""
    p.helpers.add("inlined")
    body, _ = p.elements(works, {0: "i", 1: "j"}, {s.out: "value"})
    if p.memory.homes[s.out].kind != "local":
        body.insert(0, Store(p.whole(s.out, True), f"i * {_sizes(p, s)[1]} + j", "value"))
    if s.factor is not None:
        body.insert(0, Let("value", f"value * {p.scalar(s.factor)}"))
    return _function(p.names.fresh("keep"), PARAMETERS, body)


def _function(name: str, parameters: tuple[str, ...], body: Sequence[Node]) -> tuple[Function, str, str]:
    """The function of these lines, its name, and the tuple of what they read, its first parameter."""
    taken = list(dict.fromkeys(_free(body, parameters)))
    own = dict.fromkeys(node.name for node in body if isinstance(node, Let) and node.name not in parameters)
    names = {a: f"z{k}" for k, a in enumerate(taken)} | {a: f"v{k}" for k, a in enumerate(own)}
    head = Let(f"{', '.join(names[a] for a in taken)},", parameters[0])
    return Function(name, parameters, (head, *(renamed(node, names) for node in body))), name, f"({', '.join(taken)},)"


def each_once(nodes: Sequence[Node], known: dict[tuple, str] | None = None, names: dict[str, str] | None = None) -> tuple[Node, ...]:
    """The nodes with the first of equal functions in the place of the others."""
    known, names = {} if known is None else known, {} if names is None else names
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, Function):
            first = known.setdefault((node.parameters, node.body), node.name)
            if first != node.name:
                names[node.name] = first
                continue
        elif isinstance(node, Call):
            node = replace(node, text=_WORD.sub(lambda m: names.get(m[0], m[0]), node.text))
        elif isinstance(node, For | If | Host):
            node = replace(node, body=each_once(node.body, known, names))
        found.append(node)
    return tuple(found)


def _free(nodes: Sequence[Node], parameters: Sequence[str]) -> Iterator[str]:
    """What a function's lines read that is not their own."""
    own = {*parameters, *SHORT.values(), "np"}
    for node in nodes:
        match node:
            case Let(name, text):
                texts: tuple[str, ...] = (text,)
                own.add(name)
            case Store(array, index, text):
                texts = array, index, text
            case If(condition, body):
                texts = (condition,)
                yield from (n for n in _free(body, parameters) if n not in own)
            case Return(text):
                texts = (text,)
            case _:
                continue
        yield from (n for text in texts for n in _FREE.findall(text) if n not in own and not keyword.iskeyword(n))
