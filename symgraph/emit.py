"""Nodes to statements: the second half of the door, after effects are ordered.

Law of this file: every node becomes at most one statement over named buffers.  Sizes are settled (equal ones share a
name, and the equality is checked at launch), transposes are folded into whoever reads them, and bodies become typed
scalar code.  Several programs may share inputs, states, constants and sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from . import build, scalar
from .codegen import ir
from .codegen import scalar as fn
from .codegen.verify import verify
from .errors import at
from .graph import Operation
from .looping import Cycle, Ends, by_steps, ends, merged, normal, parts, pruned, same_steps
from .node import Key, Kind, Node, substitute, toposort
from .shapes import Extent
from .sizes import Sizes


@dataclass(frozen=True)
class Work:
    """A request as nodes: what is returned, what variables become, what is drawn, and which operation made what."""

    name: str
    names: dict[Node, tuple[Operation, int]]
    results: Sequence[Node]
    versions: Mapping[Node, Node]
    draws: Sequence[Node]

    @property
    def roots(self) -> list[Node]:
        return [*self.results, *self.versions.values(), *self.versions, *self.draws]


def origin(op: Operation) -> str:
    """What generated code and errors at run time call an operation."""
    return f"{op.type} '{op.name}' {at(op.site)}"


class MissingSize(Exception):
    """A size that no fed tensor has."""


class MissingExtent(Exception):
    """Sizes of images that must be numbers: convolutions are compiled for the extents that they meet."""

    def __init__(self, symbols: Sequence[sp.Symbol]) -> None:
        super().__init__(", ".join(map(str, symbols)))
        self.symbols = symbols


class Emitter:
    """Builds programs that share inputs, states, constants and sizes."""

    def __init__(self, names: Mapping[Node, tuple[Operation, int]]) -> None:
        self.names = names
        self.count = 0
        self.sizes = Sizes()
        self.buffers: list[ir.Buffer] = []
        self.statements: list[ir.Statement] = []
        self.of: dict[Node, str] = {}
        self.size_rules: dict[str, ir.SizeOf | ir.SizeExpr] = {}
        self.rule_names: dict[ir.SizeExpr, str] = {}
        self.size_names: dict[Extent, str] = {}
        self.symbols: dict[sp.Symbol, str] = {}
        self.shapes: dict[str, tuple[ir.Size, ...]] = {}
        self._late: list[tuple[int, Node]] = []
        self.feeds: list[Node] = []
        self.states: list[Node] = []
        self.state_names: list[str] = []
        self.streams: dict[Key, ir.Buffer] = {}
        self.levels: list[list[ir.Buffer]] = [self.buffers]
        self.parts: dict[Node, Node] = {}
        self.lowered: dict[tuple, fn.Body] = {}

    def _in_order(self, nodes: Sequence[Node]) -> list[Node]:
        """Operands first, otherwise as the operations were made: an order that depends on the graph alone.

        (Serials also tell which equal nodes an older graph left behind, and so would the source and its place in the
        cache.)  The last output of an operation comes first: so a gradient is computed backwards, layer by layer."""
        wanted, done = set(nodes), dict.fromkeys(())
        for root in [*sorted(self.names, key=lambda n: (self.names[n][0].number, -self.names[n][1])), *nodes]:
            stack = [root] if root in wanted else []
            while stack:
                n = stack[-1]
                todo = [o for o in n.operands if o not in done]
                if todo and n not in done:
                    stack.extend(reversed(todo))
                else:
                    done[stack.pop()] = None
        return list(done)

    # -- the whole
    def run(self, works: Sequence[Work], fed: Sequence[Node]) -> list[ir.Program]:
        roots = [n for work in works for n in work.roots]
        order = toposort(roots)
        if lacking := _lacking(order):  # d sum(X)/dX reads no X, but has its shape
            order = toposort([*roots, *(n for n in fed if lacking.intersection(n.shape))])
        order = self._in_order(order)
        for n in order:
            self.sizes.read(n)
        everything = [m for n in order for m in ((*n.attrs[0].nodes(), n) if n.kind is Kind.LOOP else (n,))]
        for n in order:  # sizes belong to inputs, so these come first
            if n.kind in (Kind.PLACEHOLDER, Kind.CUT):
                self._input(n)
        for at_, n in self._late:  # shapes by the names that equal sizes share, known when all inputs are
            b = self.buffers[at_]
            self.buffers[at_] = ir.Buffer(b.name, b.dtype, tuple(self.size(d) for d in n.shape), "input", None, b.origin)
            self.shapes[b.name] = self.buffers[at_].shape
        self._free_symbols(everything)
        for n in order:
            if n.kind is Kind.VARIABLE:
                self._state(n, n.shape, n.dtype.name)
        return [self._program(work, order, everything) for work in works]

    def _program(self, work: Work, order: Sequence[Node], everything: Sequence[Node]) -> ir.Program:
        """One program; what it has of its own is then forgotten."""
        shared = set(self.of)
        mine = set(toposort(work.roots))
        self._emit_all([n for n in order if n in mine], {*work.results, *work.versions.values()})
        outputs = tuple(self._buffer(n) for n in work.results)
        updates = tuple((self.of[v], self._buffer(n)) for v, n in work.versions.items() if n is not v)
        inputs = tuple(self.of[n] for n in self.feeds)
        states = tuple(b.name for b in self.buffers if b.role == "state")
        checks = (
            *(self._check(a, b, where) for (a, b), where in self.sizes.checks.items()),
            *(c for n in everything for c in self._inside(n)),
        )
        program = ir.Program(
            work.name,
            tuple(self._prune(outputs, updates)),
            tuple(self.statements),
            outputs,
            inputs,
            states,
            updates,
            tuple(self.size_rules.items()),
            tuple(checks),
        )
        verify(program)
        self.statements = []
        self.buffers[:] = [b for b in self.buffers if b.role != "temp"]
        self.of = {n: name for n, name in self.of.items() if n in shared or n.kind is Kind.CONST}
        return program

    def _emit_all(self, order: Sequence[Node], roots: Set[Node]) -> None:
        """Statements for nodes, operands first; what only transposes read is left to them."""
        uses = {o for n in order for o in n.operands} | roots
        self.parts = self._joined([n for n in order if n.kind is Kind.PART])
        for n in order:
            if n not in self.of and (n in uses or n.kind is Kind.RANDOM):
                self._emit(n)

    def ambiguous(self) -> frozenset[sp.Symbol]:
        """Sizes that were taken to equal another one."""
        return frozenset(s for pair in self.sizes.checks for d in pair if isinstance(d, sp.Expr) for s in d.free_symbols)

    def _name(self) -> str:
        self.count += 1
        return f"b{self.count - 1}"

    def _prune(self, outputs: Sequence[str], updates: Sequence[tuple[str, str]]) -> list[ir.Buffer]:
        """Drop statements and constants that nothing reads (a transpose that every reader folded in)."""
        needed = {*outputs, *(s for _, s in updates)}
        kept: list[ir.Statement] = []
        for s in reversed(self.statements):
            if s.out in needed or isinstance(s, ir.Random):
                kept.append(s)
                needed.update((s.out, *ir.reads(s)))
        self.statements = kept[::-1]
        return [b for b in self.buffers if b.role in ("input", "state") or b.name in needed]

    # -- sizes
    def _free_symbols(self, order: Sequence[Node]) -> None:
        for n in order:
            for s in _symbols(n):
                if s not in self.symbols:
                    raise MissingSize(s)

    def size(self, d: Extent) -> ir.Size:
        """The extent as an int or the name of a size."""
        d = self.sizes.find(d)
        if isinstance(d, int):
            return d
        if d in self.size_names:
            return self.size_names[d]
        if isinstance(d, sp.Symbol):
            return self.symbols[d]
        name = self._derive(d)
        if isinstance(name, str):
            self.size_names[d] = name
        return name

    def _derive(self, d: sp.Expr) -> ir.Size:
        if d.is_Integer:
            return int(d)
        if isinstance(d, sp.Symbol):
            return self.size(d)
        if isinstance(d, sp.Add):
            return self._fold("add", d.args)
        if isinstance(d, sp.floor):
            p, q = sp.fraction(sp.together(d.args[0]))
            return self._rule("floordiv", (self._derive(p), self._derive(q)))
        if isinstance(d, sp.Mul):
            p, q = sp.fraction(d)
            if q != 1:
                return self._rule("floordiv", (self._derive(p), self._derive(q)))
            return self._fold("mul", d.args)
        if isinstance(d, sp.Pow) and d.exp.is_Integer and d.exp > 0:
            return self._fold("mul", (d.base,) * int(d.exp))
        if isinstance(d, sp.Max):
            return self._fold("max", d.args)
        if isinstance(d, sp.Min):  # min(a, b) = a + b - max(a, b)
            a, *rest = d.args
            b = rest[0] if len(rest) == 1 else sp.Min(*rest)
            x, y = self._derive(a), self._derive(b)
            return self._rule("sub", (self._rule("add", (x, y)), self._rule("max", (x, y))))
        raise NotImplementedError(f"a size of the form {d} is not supported")

    def _fold(self, rule: str, args: Sequence[sp.Expr]) -> ir.Size:
        total = self._derive(args[0])
        for a in args[1:]:
            total = self._rule(rule, (total, self._derive(a)))
        return total

    def _rule(self, rule: str, args: tuple[ir.Size, ...]) -> str:
        entry = ir.SizeExpr(rule, args)  # type: ignore[arg-type]
        if entry not in self.rule_names:
            self.rule_names[entry] = name = f"n{len(self.size_rules)}"
            self.size_rules[name] = entry
        return self.rule_names[entry]

    def _check(self, a: Extent, b: Extent, where: Node) -> ir.Check:
        op = self.names.get(where)
        what = f" in {origin(op[0])}" if op else ""
        return ir.Check(
            self._raw(a),
            self._raw(b),
            f"Incompatible shapes: {{left}} vs. {{right}}{what}\n{a} and {b} must be equal",
        )

    def _inside(self, n: Node) -> list[ir.Check]:
        """An index into an axis whose extent is known when fed must lie in it (slices are cut to fit when built)."""
        if n.kind not in (Kind.SLICE, Kind.PLACE):
            return []
        whole, part = (n.operands[0], n) if n.kind is Kind.SLICE else (n, n.operands[0])
        checks = []
        for axis, (first, step, count, d) in enumerate(zip(*n.attrs, part.shape, whole.shape, strict=True)):
            if isinstance(d, int) or not isinstance(count, int) or count == 0:
                continue
            ends = first, first + (count - 1) * step
            bounds = [*(e + 1 for e in ends), *(d - e for e in ends)]  # e < d and e >= 0, as least values of d
            least = max((int(b) for b in bounds if isinstance(b, int | sp.Integer)), default=0)
            if least > 0:
                op = self.names.get(n) or next((self.names[m] for m in self.names if n in m.operands), None)
                where = f" in {op[0].type} '{op[0].name}' made at {at(op[0].site)}" if op else ""
                index = first if isinstance(first, int) else first - d
                words = f"slice index {index} of dimension {axis} out of bounds: its extent is {{right}}{where}"
                checks.append(ir.Check(self._rule("max", (self._raw(d), least)), self._raw(d), words))
        return checks

    def _raw(self, d: Extent) -> ir.Size:
        """The size itself, before sizes were found equal."""
        return d if isinstance(d, int) else self._derive(d) if not isinstance(d, sp.Symbol) else self.symbols[d]

    # -- leaves
    def _input(self, n: Node) -> None:
        name = self._new(n.dtype.name, (), "input", n, declare=False)
        for axis, d in enumerate(n.shape):
            if isinstance(d, sp.Symbol) and d not in self.symbols:
                size = f"n{len(self.size_rules)}"
                self.size_rules[size] = ir.SizeOf(name, axis)
                self.symbols[d] = size
        self.of[n] = name
        self.feeds.append(n)
        self._late.append((len(self.buffers), n))
        self.buffers.append(ir.Buffer(name, n.dtype.name, (), "input", None, self._origin(n)))

    def _state(self, n: Node, shape: Sequence[Extent], dtype: str) -> str:
        name = self._name()
        self.buffers.append(ir.Buffer(name, dtype, tuple(int(d) for d in shape), "state", None, self._origin(n)))  # type: ignore[arg-type]
        self.states.append(n)
        self.state_names.append(name)
        self.shapes[name] = self.buffers[-1].shape
        if n.kind is Kind.VARIABLE:
            self.of[n] = name
        return name

    def _new(self, dtype: str, shape: Sequence[Extent], role: str, n: Node, value: np.ndarray | None = None, declare: bool = True) -> str:
        name = self._name()
        if declare:
            sizes = tuple(self.size(d) for d in shape)
            self.shapes[name] = sizes
            self.buffers.append(ir.Buffer(name, dtype, sizes, role, value, self._origin(n)))  # type: ignore[arg-type]
        return name

    def _origin(self, n: Node) -> str:
        found = self.names.get(n)
        if found:
            return origin(found[0])
        return getattr(n.attrs[0], "name", "") if n.kind in (Kind.PLACEHOLDER, Kind.VARIABLE, Kind.RANDOM, Kind.CUT) else ""

    # -- statements
    def _buffer(self, n: Node) -> str:
        if n not in self.of:
            self._emit(n)
        return self.of[n]

    def _emit(self, n: Node) -> None:
        getattr(self, f"_emit_{n.kind.value}")(n)

    def _emit_const(self, n: Node) -> None:
        self.of[n] = self._new(n.dtype.name, n.shape, "const", n, n.attrs[0].value)

    def _out(self, n: Node) -> str:
        self.of[n] = self._new(n.dtype.name, n.shape, "temp", n)
        return self.of[n]

    def _emit_generic(self, n: Node) -> None:
        body, index, space, reducer = n.attrs
        operands, at_ = self._untransposed(n.operands, index)
        names = [self._buffer(o) for o in operands]
        sizes = tuple(self.size(d) for d in space)
        at_ = [tuple(None if d == 1 else a for a, d in zip(ix, self._shape(b), strict=True)) for ix, b in zip(at_, names, strict=True)]
        lowered = self._lower(body, operands, n.dtype.name if reducer not in ("argmax", "argmin") else operands[0].dtype.name)
        out = self._out(n)
        self.statements.append(ir.Map(out, tuple(names), tuple(at_), sizes, lowered, reducer))

    @staticmethod
    def _untransposed(operands: Sequence[Node], index: Sequence[tuple[ir.Walk, ...]]) -> tuple[list[Node], list[tuple[ir.Walk, ...]]]:
        """The arrays that transposes are made of, read along other axes."""
        found, walks = list(operands), list(index)
        for k, o in enumerate(found):
            while build.is_pure(o) and o.dtype is o.operands[0].dtype:
                walks[k] = tuple(None if a is None else walks[k][a] for a in o.attrs[1][0])
                o = o.operands[0]
            found[k] = o
        return found, walks

    def _emit_gather(self, n: Node) -> None:
        rank = n.operands[1].rank
        walks = (ir.At(1), *range(rank, n.rank)), tuple(range(rank))
        (x, i), (ix, ii) = self._untransposed(n.operands, walks)
        if ir.At(1) not in ix:  # the same row everywhere: a wrong index is an error all the same
            x, ix = n.operands[0], walks[0]
        names = self._buffer(x), self._buffer(i)
        body = self._lower(scalar.x(0), (x,), n.dtype.name)
        self.statements.append(ir.Map(self._out(n), names, (ix, ii), tuple(self.size(d) for d in n.shape), body))

    def _emit_scatter(self, n: Node) -> None:
        x, i = (self._buffer(o) for o in n.operands)
        self.statements.append(ir.Scatter(self._out(n), x, i))

    def _emit_put(self, n: Node) -> None:
        onto, x, i = (self._buffer(o) for o in n.operands)
        self.statements.append(ir.Scatter(self._out(n), x, i, onto, put=True))

    def _emit_conv(self, n: Node) -> None:
        a, b = (self._buffer(o) for o in n.operands)
        role, windows, depthwise = n.attrs
        self.statements.append(ir.Conv(self._out(n), role, a, b, self._windows(n, windows), depthwise))

    def _emit_pool(self, n: Node) -> None:
        x, v = (self._buffer(o) for o in n.operands)
        self.statements.append(ir.Pool(self._out(n), n.attrs[0], x, v, self._windows(n, n.attrs[1])))

    def _windows(self, n: Node, windows: Sequence[ir.Window]) -> tuple[ir.Window, ...]:
        """Windows as numbers; so must be all extents of what they lie in and of filters, but for the number of images."""
        filters = {"w": n, "x": n.operands[0], "y": n.operands[1]}.get(n.attrs[0])
        extents = [d for m in (n, *n.operands) for d in (m.shape if m is filters else m.shape[1:])]
        extents += [d for v in windows for d in (v.size, v.before)]
        unknown = {s for d in extents if not isinstance(d, int) and not isinstance(self.size(d), int) for s in sp.sympify(d).free_symbols}
        if unknown:
            raise MissingExtent(sorted(unknown, key=str))
        return tuple(replace(v, size=int(self.size(v.size)), before=int(self.size(v.before))) for v in windows)

    def _shape(self, name: str) -> tuple[ir.Size, ...]:
        return self.shapes[name]

    def _lower(self, body: sp.Expr, operands: Sequence[Node], dtype: str) -> fn.Body:
        leaves: dict[sp.Symbol, fn.Leaf] = {}
        for s in scalar.sizes(body):
            size = self.size(s)
            leaves[s] = ("literal", "int64", size) if isinstance(size, int) else ("size", "int64", size)
        for k in scalar.operand_numbers(body):
            leaves[scalar.x(k)] = ("operand", operands[k].dtype.name, k)
        for k in scalar.label_numbers(body):
            leaves[scalar.i(k)] = ("index", "int64", k)
        key = body, frozenset(leaves.items()), dtype
        if key not in self.lowered:  # a deep graph repeats few bodies: 10,000 operations freeze in half the time
            self.lowered[key] = fn.lower(body, leaves, dtype)
        return self.lowered[key]

    def _emit_matmul(self, n: Node) -> None:
        flags: list[bool] = []
        sources: list[Node] = []
        for o in n.operands:
            inner = build.is_swap(o)
            flags.append(inner is not None)
            sources.append(o if inner is None else inner)
        a, b = (self._buffer(s) for s in sources)
        if n.dtype.is_floating:
            self.statements.append(ir.MatMul(self._out(n), a, b, flags[0], flags[1]))
            return
        r = n.rank
        ends = ((r - 2, r), (r, r - 1))  # integers have no BLAS: a sum over k of products
        index = []
        for s, flag, (p, q), name in zip(sources, flags, ends, (a, b), strict=True):
            batch = [r - s.rank + k for k in range(s.rank - 2)]
            labels = [*batch, q, p] if flag else [*batch, p, q]
            index.append(tuple(None if d == 1 else label for label, d in zip(labels, self._shape(name), strict=True)))
        space = tuple(self.size(d) for d in (*n.shape, n.operands[0].shape[-1]))
        body = self._lower(scalar.x(0) * scalar.x(1), sources, n.dtype.name)
        self.statements.append(ir.Map(self._out(n), (a, b), tuple(index), space, body, "sum"))

    def _emit_reshape(self, n: Node) -> None:
        x = self._buffer(n.operands[0])
        self.statements.append(ir.Reshape(self._out(n), x))

    def _emit_slice(self, n: Node) -> None:
        x = self._buffer(n.operands[0])
        start = tuple(self._derive(sp.sympify(d)) for d in n.attrs[0])
        self.statements.append(ir.Slice(self._out(n), x, start, n.attrs[1]))

    def _emit_place(self, n: Node) -> None:
        x = self._buffer(n.operands[0])
        start = tuple(self._derive(sp.sympify(d)) for d in n.attrs[0])
        self.statements.append(ir.Place(self._out(n), x, start, n.attrs[1]))

    def _emit_concat(self, n: Node) -> None:
        xs = tuple(self._buffer(o) for o in n.operands)
        self.statements.append(ir.Concat(self._out(n), xs, n.attrs[0]))

    def _emit_linalg(self, n: Node) -> None:
        args = tuple(self._buffer(o) for o in n.operands)
        self.statements.append(ir.Linalg(n.attrs[0], self._out(n), args))

    def _emit_random(self, n: Node) -> None:
        operands = [self._buffer(o) for o in n.operands]
        stream, out = self._stream(n), self._out(n)
        if n.attrs[1] == "shuffle":
            self.statements.append(ir.Random("shuffle", out, stream, x=operands[0]))
        else:
            self.statements.append(ir.Random(n.attrs[1], out, stream, *operands))

    def _stream(self, n: Node) -> str:
        """The state of a random stream: one of the whole program, also where a body draws from it."""
        key = n.attrs[0]
        if key not in self.streams:
            name = self._name()
            self.streams[key] = ir.Buffer(name, "int64", (3,), "state", None, self._origin(n))
            self.states.append(n)
            self.state_names.append(name)
        stream = self.streams[key]
        for level in self.levels:
            if stream not in level:
                level.append(stream)
        return stream.name

    # -- loops
    @staticmethod
    def _joined(wanted: Sequence[Node]) -> dict[Node, Node]:
        """For each result of a loop that is wanted, the same one of a loop that gives what is wanted and no more.

        A loop and the one that its derivative walks back through are one, which keeps what both want."""
        groups: dict[tuple, dict[Node, list[Node]]] = {}
        for part in wanted:
            n = normal(part.operands[0])
            groups.setdefault(same_steps(n), {}).setdefault(n, []).append(part)
        found: dict[Node, Node] = {}
        for asked, loops in [(g, loops) for g in groups.values() for loops in by_steps(g)]:
            whole = merged(loops)
            carried, stacked = len(whole.attrs[0].carried), whole.attrs[0].stacked
            at: dict[Node, int] = {}
            for n in loops:
                own = n.attrs[0].stacked
                for p in asked[n]:
                    k = p.attrs[0]
                    inside = carried <= k < carried + len(own)
                    at[p] = carried + stacked.index(own[k - carried]) if inside else k if k < carried else carried + len(stacked)
            least, number = pruned(whole, frozenset(at.values()))
            results = parts(least)
            found |= {p: results[number[k]] for p, k in at.items()}
        return found

    def _emit_loop(self, n: Node) -> None:
        """Written when its first result is wanted."""

    def _emit_part(self, n: Node) -> None:
        least = self.parts[n]
        if least not in self.of:
            self._repeat(least.operands[0], [p for p in self.parts.values() if p.operands == least.operands])
        self.of[n] = self.of[least]

    def _repeat(self, n: Node, wanted: Sequence[Node]) -> None:
        """A loop, and its results that are wanted."""
        c, e = n.attrs[0], ends(n)
        read = {m: self._buffer(m) for m in e.all}
        out = self._new("int64", (), "temp", n)
        outer = self.statements, self.buffers, self.of, self.parts
        self.statements, self.buffers, self.of = [], [], {}
        self.levels.append(self.buffers)
        for leaf, m in zip(c.captured, e.captured, strict=True):
            self.of[leaf] = read[m]
            self.buffers.append(ir.Buffer(read[m], m.dtype.name, self.shapes[read[m]], "input", None, self._origin(m)))
        for role, leaves in (("input", c.slices), ("state", c.carried)):
            for leaf in leaves:
                self.of[leaf] = self._new(leaf.dtype.name, leaf.shape, role, leaf)
        own = {leaf: self.of[leaf] for leaf in (*c.slices, *c.carried)}
        body = self._body(c)
        self.statements, self.buffers, self.of, self.parts = outer
        self.levels.pop()
        starts = tuple((own[leaf], read[m]) for leaf, m in zip(c.carried, e.starts, strict=True))
        slices = tuple((own[leaf], read[m]) for leaf, m in zip(c.slices, e.sources, strict=True) if own[leaf] in body.inputs)
        steps = None if c.steps is None else self.size(c.steps)
        limit = None if e.limit is None else read[e.limit]
        condition = None if c.condition is None else body.states[-1]
        if condition is not None:
            starts = (*starts, (condition, self._first(n, c, e)))
        self.statements.append(ir.Repeat(out, body, steps, starts, slices, limit, condition, c.backwards))
        stacks = len(c.carried)
        for p in dict.fromkeys(wanted):
            k = p.attrs[0]
            if k == stacks + len(c.stacked):
                self.of[p] = out
                continue
            name = self._out(p)
            self.statements.append(ir.Last(name, out, own[c.carried[k]]) if k < stacks else ir.Stack(name, out, k - stacks))

    def _body(self, c: Cycle) -> ir.Program:
        """The program of one step."""
        condition = None if c.condition is None else self._next_condition(c)
        results = [*c.new, *c.stacked, *(() if condition is None else (condition,))]
        self._emit_all(self._in_order(toposort(results)), set(results))
        updates = tuple((self.of[x], self._buffer(y)) for x, y in zip(c.carried, c.new, strict=True) if x is not y)
        outputs = tuple(self._buffer(y) for y in c.stacked)
        states = [self.of[x] for x in c.carried]
        if condition is not None:
            name = self._new("bool", (), "state", condition)
            updates = (*updates, (name, self._buffer(condition)))
            states.append(name)
        streams = [b.name for b in self.buffers if b.role == "state" and b.name not in states]
        buffers = self._prune(outputs, updates)
        needed = {*outputs, *(s for _, s in updates), *(name for s in self.statements for name in ir.reads(s))}
        kept = tuple(b for b in buffers if b.role != "input" or b.name in needed)
        inputs = tuple(b.name for b in kept if b.role == "input")
        return ir.Program("body", kept, tuple(self.statements), outputs, inputs, (*streams, *states), updates)

    @staticmethod
    def _next_condition(c: Cycle) -> Node:
        """The condition after a step: over what is carried on."""
        assert c.condition is not None
        return substitute([c.condition], dict(zip(c.carried, c.new, strict=True)), build.rebuild)[0]

    def _first(self, n: Node, c: Cycle, e: Ends) -> str:
        """The condition before the first step."""
        assert c.condition is not None
        given = dict(zip((*c.carried, *c.captured), (*e.starts, *e.captured), strict=True))
        (first,) = substitute([c.condition], given, build.rebuild)
        outside = {*e.starts, *e.captured}
        for m in toposort([first], stop=outside.__contains__):
            self._buffer(m)
        return self._buffer(first)


def _lacking(order: Sequence[Node]) -> set[sp.Symbol]:
    """Size symbols that are needed and that no input among these nodes has."""
    had = {d for n in order if n.kind in (Kind.PLACEHOLDER, Kind.CUT) for d in n.shape}
    return {s for n in order for s in _symbols(n)} - had


def _symbols(n: Node) -> set[sp.Symbol]:
    """Size symbols that a node mentions."""
    walked = n.attrs[2] if n.kind is Kind.GENERIC else n.shape  # a sum of zeros still counts them
    found = {s for d in walked if isinstance(d, sp.Expr) for s in d.free_symbols}
    if n.kind is Kind.GENERIC:
        found |= scalar.sizes(n.attrs[0])
    elif n.kind is Kind.LOOP and isinstance(n.attrs[0].steps, sp.Expr):  # no stack need have it as its size
        found |= n.attrs[0].steps.free_symbols
    return found
