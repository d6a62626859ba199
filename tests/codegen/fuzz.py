"""Random legal programs: every kind of statement over a few shared extents, with states that are updated from anywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symgraph.codegen import cpu, fuse, launch, layout, lower, memory, nests, phases, regions, stages
from symgraph.codegen.ir import Buffer, Last, Program, Repeat, SizeOf, Stack
from symgraph.codegen.target import Limits
from tests.codegen.programs import Writer

UNARY = ("neg", "absolute", "tanh", "sigmoid", "relu", "softplus")
BINARY = ("add", "sub", "mul", "maximum", "minimum")


def program(seed: int, statements: int = 14, exact: str = "xsc") -> tuple[Program, list[np.ndarray], list[np.ndarray]]:
    """A program, its states, its inputs.  Only of arrays whose names begin with a letter of `exact` is asked where they are greatest:
    in others two values may be equal but for rounding, which a jump would show."""
    rng = np.random.default_rng(seed)
    w = Writer(f"fuzz {seed}")
    numbers = {"m": int(rng.choice([0, 1, 5, 30])), "k": 3, "n": 4, "q": int(rng.choice([2, 11]))}
    static = set(rng.choice(list(numbers), 2))
    extent = lambda e: numbers[e] if e in static or e in ("k", "n") else e  # noqa: E731
    value = lambda s: numbers[s] if isinstance(s, str) else s  # noqa: E731

    def shape() -> tuple:
        rank = int(rng.choice([0, 1, 2, 2, 2, 3]))
        return tuple(extent(rng.choice(["m", "k", "n", "q"]) if a else rng.choice(["m", "m", "k", "q"])) for a in range(rank))

    # every size is the extent of something
    pool = [w.input(*(extent(e) for e in "mk")), w.input(*(extent(e) for e in "qn")), w.input(*shape()), w.const(rng.standard_normal((2,)))]
    pool += [w.const(rng.standard_normal(tuple(value(s) for s in shape())))]
    states = [w.state(*shape()) for _ in range(3)]
    pool += states

    def pick(test=lambda s: True) -> str | None:
        fits = [n for n in pool if test(w.shape(n))]
        return str(rng.choice(fits[-8:] if rng.random() < 0.7 else fits)) if fits else None

    def map_() -> str | None:
        x, y = pick(), pick()
        assert x and y
        if rng.random() < 0.3:
            return w.apply(str(rng.choice(UNARY)), x)
        sx, sy = w.shape(x), w.shape(y)
        if len(sx) < len(sy):
            x, y, sx, sy = y, x, sy, sx
        axes = list(rng.permutation(len(sx)))[: len(sy)]  # y's axes stand anywhere in x
        index = []
        for e in sy:
            match = [a for a in range(len(sx)) if sx[a] == e and (a in axes or rng.random() < 0.5)]
            if not match and e != 1:
                return w.apply(str(rng.choice(UNARY)), x)
            index.append(int(rng.choice(match)) if match else None)
        fn = str(rng.choice(BINARY))
        return w.map(lambda b, p, q: b.apply("tanh", b.apply(fn, p, q)), x, y, index=(tuple(range(len(sx))), tuple(index)), space=sx)

    def reduce_() -> str | None:
        x = pick(lambda s: len(s) > 0)
        if x is None:
            return None
        rank = len(w.shape(x))
        reducer = str(rng.choice(["sum", "sum", "max", "min", "argmax" if x[0] in exact else "max"]))
        axes = tuple(sorted(rng.permutation(rank)[: 1 if reducer == "argmax" else rng.integers(1, rank + 1)].tolist()))
        t = w.reduce(reducer, x, axes, lambda b, a: b.apply("mul", a, b.literal(0.25, "float32")))
        if reducer == "argmax":
            t = w.map(lambda b, a: b.cast(a, "float32"), t)
        return w.apply("tanh", t)

    def matmul() -> str | None:
        a = pick(lambda s: len(s) == 2)
        if a is None:
            return None
        ta = bool(rng.random() < 0.4)
        k = w.shape(a)[0 if ta else 1]
        tb = bool(rng.random() < 0.5)
        b = pick(lambda s: len(s) == 2 and s[1 if tb else 0] == k)
        return w.apply("tanh", w.matmul(a, b, ta, tb)) if b else None

    def move() -> str | None:
        x = pick(lambda s: len(s) == 2)
        if x is None:
            return None
        s = w.shape(x)
        how = rng.integers(5)
        if how == 0 and s[1] in (3, 4):
            return w.slice(x, (s[0], 2), (0, 1))
        if how == 1 and isinstance(s[1], int) and s[1] > 1:
            return w.slice(x, (s[0], 2), (0, s[1] - 1), (1, -1))
        if how == 2 and isinstance(s[1], int):
            return w.place(x, (s[0], s[1] + 2), (0, 1))
        if how == 3 and isinstance(s[1], int):
            return w.concat(1, x, x, extent=2 * s[1])
        if how == 4 and isinstance(s[0], int) and isinstance(s[1], int):
            return w.reshape(x, s[1], s[0]) if rng.random() < 0.5 else w.reshape(x, s[0] * s[1])
        return w.reshape(x, *s, 1)

    def gather() -> str | None:
        """Rows of x by where the rows of an array are greatest, and back."""
        a = pick(lambda s: len(s) == 2 and value(s[1]) > 0)
        fits = [n for n in pool if a and w.shape(n)[:1] == w.shape(a)[1:]]
        if a is None or a[0] not in exact or not fits:
            return None
        at = w.reduce("argmax", a, (1,))
        y = w.gather(str(rng.choice(fits)), at)
        return w.apply("tanh", w.scatter(w.apply("sin", y), at, w.shape(a)[1])) if rng.random() < 0.5 else y

    for _ in range(statements):
        made = (map_, map_, map_, reduce_, matmul, move, gather)[rng.integers(7)]()
        if made is not None:
            pool.append(made)
    for s in states:
        source = pick(lambda t, s=s: t == w.shape(s))
        if source is not None and rng.random() < 0.8:
            w.update(s, source)
    temps = [n for n in pool if n[0] not in "xsc"]
    outputs = [str(n) for n in rng.choice(pool, 2)] + temps[-2:] + [s for s in states if rng.random() < 0.3]
    program = w.done(*outputs)
    fill = lambda n: rng.standard_normal(tuple(value(s) for s in w.shape(n))).astype(np.float32)  # noqa: E731
    return program, [fill(n) for n in program.states], [fill(n) for n in program.inputs]


def looped(seed: int, steps: int = 3, statements: int = 14, depth: int = 1) -> tuple[Program, list[np.ndarray], list[np.ndarray]]:
    """Such a program as the body of a loop, or of a loop in a loop: its states are carried, its inputs captured or sliced,
    its outputs stacked.  Some are limited, some run backwards."""
    made, states, inputs = program(seed, statements, exact="xc")  # what is carried was computed
    for level in range(depth):
        made, inputs = _around(made, inputs, np.random.default_rng([seed, level]), f"{level}.", steps)
    return made, states, inputs


def _around(body: Program, given: list[np.ndarray], rng: np.random.Generator, prefix: str, steps: int) -> tuple[Program, list[np.ndarray]]:
    table = body.table()
    sliced = [n for n in body.inputs if rng.random() < 0.5]
    limited = rng.random() < 0.5
    t = f"{prefix}t"
    first = Buffer(f"{prefix}steps", "float32", (t,), "input")
    limit = Buffer(f"{prefix}limit", "int32", (), "input")
    wholes = {n: replace(table[n], name=prefix + n, shape=(t, *table[n].shape)) for n in sliced}
    outer = {n: replace(table[n], name=prefix + n) for n in body.states}
    inside = replace(body, name=f"{prefix}body", sizes=(), checks=())
    loop = Repeat(
        f"{prefix}made",
        inside,
        t,
        tuple((n, b.name) for n, b in outer.items()),
        tuple((n, b.name) for n, b in wholes.items()),
        limit.name if limited else None,
        backwards=bool(rng.random() < 0.4),
    )
    ends = [Last(f"{prefix}end{k}", loop.out, n) for k, n in enumerate(body.states)]
    stacks = [Stack(f"{prefix}stack{k}", loop.out, k) for k in range(len(body.outputs))]
    buffers = [first, *wholes.values(), *outer.values(), *(table[n] for n in body.inputs if n not in sliced)]
    buffers += [limit] * limited
    buffers += [Buffer(loop.out, "int64", ())]
    buffers += [Buffer(e.out, table[e.state].dtype, table[e.state].shape) for e in ends]
    buffers += [Buffer(s.out, table[n].dtype, (t, *table[n].shape)) for s, n in zip(stacks, body.outputs, strict=True)]

    def moved(r):
        """Where the extent stands now that a size was taken from."""
        if not isinstance(r, SizeOf) or r.buffer not in wholes and r.buffer not in outer:
            return r
        return SizeOf(wholes[r.buffer].name, r.axis + 1) if r.buffer in wholes else SizeOf(outer[r.buffer].name, r.axis)

    sizes = ((t, SizeOf(first.name, 0)), *((n, moved(r)) for n, r in body.sizes))
    inputs = (*(wholes[n].name if n in wholes else n for n in body.inputs), *([limit.name] if limited else []), first.name)
    arrays = [
        np.stack([x * (1 - 0.3 * k) for k in range(steps)]).astype(x.dtype) if n in wholes else x
        for n, x in zip(body.inputs, given, strict=True)
    ]
    arrays += [np.asarray(rng.integers(-1, steps + 2), np.int32)] * limited + [np.zeros(steps, np.float32)]
    states = tuple(b.name for b in outer.values())
    updates = tuple((outer[e.state].name, e.out) for e in ends if rng.random() < 0.7)
    outputs = (*(s.out for s in stacks), *(e.out for e in ends if rng.random() < 0.7), loop.out)
    made = Program(f"{prefix}{body.name}", tuple(buffers), (loop, *ends, *stacks), outputs, inputs, states, updates, sizes)
    return made, arrays


SMALL = {
    "layout": {"ROW_BLOCK": 8, "GEMM_BLOCK": 4, "FLAT_BLOCK": 16, "FOLD_BLOCK": 8, "LEAST": 4, "MOST": 8, "UNROLLED": 2},
    "phases": {"SERIAL": 20},
    "target": {"CPU": Limits(serial=20, unroll=4, unrolled=2)},
    "fuse": {"LOOP_PRODUCT": 8, "LOOP_GRADIENT": 8},
}
"""Limits so small that a few rows make several blocks, and products reach BLAS."""


def shrink(monkeypatch) -> None:
    """Set them wherever a module of the compiler has them."""
    for values in SMALL.values():
        for limit, value in values.items():
            for module in (cpu, fuse, launch, layout, lower, memory, nests, phases, regions, stages):
                if hasattr(module, limit):
                    monkeypatch.setattr(module, limit, value)
