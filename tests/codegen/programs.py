"""Hand-written Programs, and the means to write them in a line each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symgraph.codegen.ir import (
    At,
    Buffer,
    Check,
    Concat,
    Last,
    Linalg,
    Map,
    MatMul,
    Place,
    Program,
    Random,
    Repeat,
    Reshape,
    Scatter,
    Size,
    SizeExpr,
    SizeOf,
    Slice,
    Stack,
)
from symgraph.codegen.scalar import Body, Builder, Instr

Shape = tuple[Size, ...]


class Writer:
    """Collects buffers and statements; every method returns the name of the buffer that it made."""

    def __init__(self, name: str = "test", around: Writer | None = None) -> None:
        self.name, self.around = name, around
        self.starts: dict[str, str] = {}
        self.slices: dict[str, str] = {}
        self.bodies: list[Writer] = []
        self.buffers: list[Buffer] = []
        self.statements: list = []
        self.sizes: list[tuple[str, SizeOf | SizeExpr]] = []
        self.checks: list[Check] = []
        self.updates: list[tuple[str, str]] = []
        self.by_name: dict[str, Buffer] = {}

    def _add(self, stem: str, dtype: str, shape: Shape, role: str = "temp", value: np.ndarray | None = None) -> str:
        name = f"{self.name}.{stem}{len(self.buffers)}" if self.around else f"{stem}{len(self.buffers)}"
        return self._buffer(name, stem, dtype, shape, role, value)

    def _buffer(self, name: str, stem: str, dtype: str, shape: Shape, role: str, value: np.ndarray | None = None) -> str:
        b = Buffer(name, dtype, tuple(shape), role, value, f"'{stem}' test.py:{len(self.buffers)}")  # type: ignore[arg-type]
        self.buffers.append(b)
        self.by_name[name] = b
        return name

    def shape(self, name: str) -> Shape:
        return self.by_name[name].shape

    def dtype(self, name: str) -> str:
        return self.by_name[name].dtype

    def const(self, value: object, dtype: str = "float32") -> str:
        value = np.array(value, dtype)
        return self._add("c", dtype, value.shape, "const", value)

    def input(self, *shape: Size, dtype: str = "float32") -> str:
        name = self._add("x", dtype, shape, "input")
        for axis, s in enumerate(shape):
            if isinstance(s, str) and s not in dict(self.sizes):
                self.sizes.append((s, SizeOf(name, axis)))
        return name

    def state(self, *shape: Size, dtype: str = "float32") -> str:
        name = self._add("s", dtype, shape, "state")
        for axis, s in enumerate(shape):
            if isinstance(s, str) and s not in dict(self.sizes):
                self.sizes.append((s, SizeOf(name, axis)))
        return name

    def map(
        self,
        fn: Callable[..., int],
        *operands: str,
        index: tuple[tuple[int | None, ...], ...] | None = None,
        space: Shape | None = None,
        reducer: str | None = None,
        rank: int | None = None,
        dtype: str | None = None,
    ) -> str:
        """fn(builder, *positions) -> position.  Without `index`, operands broadcast from the right as in NumPy."""
        shapes = [self.shape(n) for n in operands]
        if space is None:
            full = max((len(s) for s in shapes), default=0)
            padded = [(1,) * (full - len(s)) + tuple(s) for s in shapes]
            space = tuple(next((s[a] for s in padded if s[a] != 1), 1) for a in range(full))
        if index is None:
            index = tuple(
                tuple(None if e == 1 and space[len(space) - len(s) + a] != 1 else len(space) - len(s) + a for a, e in enumerate(s))
                for s in shapes
            )
        b = Builder()
        at = fn(b, *(b.emit("operand", (), self.dtype(n), k) for k, n in enumerate(operands)))
        out_dtype = dtype or b.code[at].dtype
        body = b.finish(at, b.code[at].dtype if reducer else out_dtype)
        used = sorted(body.operands())
        code = tuple(type(i)(i.fn, i.args, i.dtype, used.index(i.value)) if i.fn == "operand" else i for i in body.code)
        rank = len(space) if rank is None else rank
        if reducer in ("argmax", "argmin"):
            out_dtype = "int64"
        name = self._add("t", out_dtype, space[:rank])
        self.statements.append(
            Map(name, tuple(operands[k] for k in used), tuple(index[k] for k in used), tuple(space), Body(code), reducer)
        )
        return name

    def apply(self, fn: str, *operands: str) -> str:
        return self.map(lambda b, *at: b.apply(fn, *at), *operands)

    def reduce(self, reducer: str, x: str, axes: tuple[int, ...], fn: Callable[..., int] = lambda b, a: a, dtype: str | None = None) -> str:
        shape = self.shape(x)
        kept = [a for a in range(len(shape)) if a not in axes]
        order = [*kept, *axes]
        index = tuple(order.index(a) for a in range(len(shape)))
        return self.map(fn, x, index=(index,), space=tuple(shape[a] for a in order), reducer=reducer, rank=len(kept), dtype=dtype)

    def matmul(self, a: str, b: str, ta: bool = False, tb: bool = False) -> str:
        sa, sb = self.shape(a), self.shape(b)
        m, n = (sa[-1] if ta else sa[-2]), (sb[-2] if tb else sb[-1])
        lead = sa[:-2] if len(sa) >= len(sb) else sb[:-2]
        other = sb[:-2] if len(sa) >= len(sb) else sa[:-2]
        other = (1,) * (len(lead) - len(other)) + tuple(other)
        lead = tuple(o if e == 1 else e for e, o in zip(lead, other, strict=True))
        name = self._add("p", self.dtype(a), (*lead, m, n))
        self.statements.append(MatMul(name, a, b, ta, tb))
        return name

    def reshape(self, x: str, *shape: Size) -> str:
        name = self._add("r", self.dtype(x), shape)
        self.statements.append(Reshape(name, x))
        return name

    def gather(self, x: str, at: str, axis: int = 0) -> str:
        """Axis `axis` of x read where the elements of `at` say."""
        sx, sa = self.shape(x), self.shape(at)
        last = axis + len(sa)
        space = (*sx[:axis], *sa, *sx[axis + 1 :])
        name = self._add("g", self.dtype(x), space)
        index = ((*range(axis), At(1), *range(last, len(space))), tuple(range(axis, last)))
        self.statements.append(Map(name, (x, at), index, space, Body((Instr("operand", (), self.dtype(x), 0),))))
        return name

    def scatter(self, x: str, at: str, extent: Size) -> str:
        """Rows of x summed at the rows that `at` says, of `extent`."""
        name = self._add("z", self.dtype(x), (extent, *self.shape(x)[1:]))
        self.statements.append(Scatter(name, x, at))
        return name

    def put(self, x: str, rows: str, at: str) -> str:
        """x with rows replaced where `at` says."""
        name = self._add("z", self.dtype(x), self.shape(x))
        self.statements.append(Scatter(name, rows, at, x, put=True))
        return name

    def slice(self, x: str, shape: Shape, start: Shape, step: tuple[int, ...] | None = None) -> str:
        name = self._add("w", self.dtype(x), shape)
        self.statements.append(Slice(name, x, start, step or (1,) * len(shape)))
        return name

    def place(self, x: str, shape: Shape, start: Shape, step: tuple[int, ...] | None = None) -> str:
        name = self._add("w", self.dtype(x), shape)
        self.statements.append(Place(name, x, start, step or (1,) * len(shape)))
        return name

    def concat(self, axis: int, *xs: str, extent: Size) -> str:
        shape = tuple(extent if a == axis else e for a, e in enumerate(self.shape(xs[0])))
        name = self._add("k", self.dtype(xs[0]), shape)
        self.statements.append(Concat(name, xs, axis))
        return name

    def linalg(self, fn: str, *args: str) -> str:
        a = self.shape(args[0])
        shape = a[:-2] if fn in ("determinant", "logdet") else (*a[:-1], self.shape(args[1])[-1]) if fn == "solve" else a
        name = self._add("l", self.dtype(args[0]), shape)
        self.statements.append(Linalg(fn, name, args))
        return name

    def random(
        self,
        fn: str,
        stream: str,
        shape: Shape = (),
        a: str | None = None,
        b: str | None = None,
        x: str | None = None,
        dtype: str = "float32",
    ) -> str:
        name = self._add("u", self.dtype(x) if x else dtype, self.shape(x) if x else shape)
        self.statements.append(Random(fn, name, stream, a, b, x))
        return name

    def body(self) -> Writer:
        """What a loop here repeats."""
        self.bodies.append(Writer(f"{self.name}.{len(self.bodies)}" if self.around else f"loop{len(self.bodies)}", self))
        return self.bodies[-1]

    def carried(self, start: str) -> str:
        """A state of this body, which starts from a buffer around it."""
        assert self.around
        name = self._add("h", self.around.dtype(start), self.around.shape(start), "state")
        self.starts[name] = start
        return name

    def part(self, whole: str) -> str:
        """What a step of this body sees of a buffer around it: a slice."""
        assert self.around
        name = self._add("x", self.around.dtype(whole), self.around.shape(whole)[1:], "input")
        self.slices[name] = whole
        return name

    def capture(self, name: str, role: str = "input") -> str:
        """A buffer around this body, or with role "state" a random stream."""
        assert self.around
        return self._buffer(name, "captured", self.around.dtype(name), self.around.shape(name), role)

    def repeat(
        self,
        body: Writer,
        steps: Size | None,
        *outputs: str,
        limit: str | None = None,
        condition: str | None = None,
        backwards: bool = False,
    ) -> str:
        name = self._add("n", "int64", ())
        self.statements.append(
            Repeat(name, body.done(*outputs), steps, tuple(body.starts.items()), tuple(body.slices.items()), limit, condition, backwards)
        )
        return name

    def last(self, loop: str, body: Writer, state: str) -> str:
        name = self._add("e", body.dtype(state), body.shape(state))
        self.statements.append(Last(name, loop, state))
        return name

    def stack(self, loop: str, number: int = 0) -> str:
        made = next(s for s in self.statements if s.out == loop)
        b = made.body.table()[made.body.outputs[number]]
        name = self._add("k", b.dtype, (made.steps, *b.shape))
        self.statements.append(Stack(name, loop, number))
        return name

    def update(self, target: str, source: str) -> None:
        self.updates.append((target, source))

    def done(self, *outputs: str) -> Program:
        by_role = {r: tuple(b.name for b in self.buffers if b.role == r) for r in ("input", "state")}
        return Program(
            self.name,
            tuple(self.buffers),
            tuple(self.statements),
            outputs,
            by_role["input"],
            by_role["state"],
            tuple(self.updates),
            tuple(self.sizes),
            tuple(self.checks),
        )


def linear_regression(m: int = 1000, n: int = 9, rate: float = 0.01, seed: int = 0) -> Program:
    """One full-batch gradient step on a mean squared error: X theta - y, X'e, theta <- theta - c X'e."""
    rng = np.random.default_rng(seed)
    w = Writer("linear regression step")
    x, y = w.const(rng.standard_normal((m, n))), w.const(rng.standard_normal((m, 1)))
    theta = w.state(n, 1)
    c = w.const(2 * rate / m)
    p = w.matmul(x, theta)
    e = w.apply("sub", p, y)
    g = w.matmul(x, e, ta=True)
    new = w.map(lambda b, t, c, g: b.apply("sub", t, b.apply("mul", c, g)), theta, c, g)
    total = w.reduce("sum", e, (0, 1), lambda b, a: b.apply("mul", a, a))
    loss = w.map(lambda b, s: b.apply("mul", s, b.literal(1 / m, "float32")), total)
    w.update(theta, new)
    return w.done(loss)


def fed_regression() -> Program:
    """The same with data fed at each launch, in a batch of unknown size."""
    w = Writer("fed regression")
    x, y = w.input("m", 3), w.input("m", 1)
    theta = w.state(3, 1)
    e = w.apply("sub", w.matmul(x, theta), y)
    g = w.matmul(x, e, ta=True)

    def rate(b, t, g):
        return b.apply(
            "sub", t, b.apply("mul", b.literal(0.1, "float32"), b.apply("div", g, b.cast(b.emit("size", (), "int64", "m"), "float32")))
        )

    new = w.map(rate, theta, g)
    w.update(theta, new)
    return w.done(e, new, theta)


def softmax_net(batch: Size = 50, sizes: tuple[int, ...] = (20, 12, 5)) -> Program:
    """A two-layer net with relu, softmax cross entropy and one SGD step."""
    w = Writer("softmax net")
    x, t = w.input(batch, sizes[0]), w.input(batch, sizes[2])
    w1, b1 = w.state(sizes[0], sizes[1]), w.state(sizes[1])
    w2, b2 = w.state(sizes[1], sizes[2]), w.state(sizes[2])
    h = w.map(lambda b, a, c: b.apply("relu", b.apply("add", a, c)), w.matmul(x, w1), b1)
    z = w.apply("add", w.matmul(h, w2), b2)
    top = w.reduce("max", z, (1,))
    ez = w.map(lambda b, z, m: b.apply("exp", b.apply("sub", z, m)), z, top, index=((0, 1), (0,)), space=w.shape(z))
    total = w.reduce("sum", ez, (1,))
    d = w.map(lambda b, e, s, t: b.apply("sub", b.apply("div", e, s), t), ez, total, t, index=((0, 1), (0,), (0, 1)), space=w.shape(z))
    losses = w.map(lambda b, s, m: b.apply("add", b.apply("log", s), m), total, top)
    right = w.map(lambda b, z, t: b.apply("mul", z, t), z, t, reducer="sum", rank=1)
    loss = w.map(lambda b, a, r: b.apply("sub", a, r), losses, right, reducer="sum", rank=0)
    dw2, db2 = w.matmul(h, d, ta=True), w.reduce("sum", d, (0,))
    dh = w.map(lambda b, a, h: b.apply("mul", a, b.apply("step", h)), w.matmul(d, w2, tb=True), h)
    dw1, db1 = w.matmul(x, dh, ta=True), w.reduce("sum", dh, (0,))
    for s, g in ((w1, dw1), (b1, db1), (w2, dw2), (b2, db2)):
        w.update(s, w.map(lambda b, s, g: b.apply("sub", s, b.apply("mul", b.literal(0.01, "float32"), g)), s, g))
    right_answers = w.map(
        lambda b, p, q: b.cast(b.apply("eq", p, q), "float32"),
        w.reduce("argmax", z, (1,)),
        w.reduce("argmax", t, (1,)),
        reducer="sum",
        rank=0,
    )
    return w.done(loss, right_answers, z)


def elementwise(n: Size = "n") -> Program:
    """A chain of elementwise work with every operand of the same shape, and a sum of it."""
    w = Writer("elementwise")
    x, y = w.input(n, 7), w.input(n, 7)
    a = w.map(lambda b, x, y: b.apply("exp", b.apply("mul", x, y)), x, y)
    c = w.map(lambda b, a, x: b.apply("tanh", b.apply("add", a, x)), a, x)
    d = w.apply("mul", c, a)
    return w.done(d, w.reduce("sum", c, (0, 1)))


def deep(n: int = 5000) -> Program:
    """A long chain of one-element statements."""
    w = Writer("deep")
    x = w.input(3)
    one = w.const(1.0)
    for _ in range(n):
        x = w.apply("add", x, one)
    return w.done(x)
