"""A formula as a sympy expression.

Law of this file: what is returned is equal to the tensor, or an error says why nothing is.  A formula that works element
by element is a plain expression in which a symbol stands for one element; any other one is a matrix expression, where a
vector is a column.  Only what sympy evaluates rightly is used; its matrix derivatives are wrong or hang, so derive first
and export afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from .. import scalar
from ..codegen import scalar as fn
from ..node import Kind, Node
from ..shapes import Extent, same_but_ones
from ..statics import known_size
from .bodies import identity
from .names import LEAVES, Labels
from .writer import is_diagonal

MAX_ELEMENTS, MAX_SIZE = 256, 20_000
"""The largest constant that is written out, and the largest expression, in nodes of its tree."""

_FUNCTIONS: dict[type, Callable[..., sp.Basic]] = {
    fn.lt: sp.StrictLessThan,
    fn.le: sp.LessThan,
    fn.gt: sp.StrictGreaterThan,
    fn.ge: sp.GreaterThan,
    fn.eq: sp.Eq,
    fn.ne: sp.Ne,
    fn.logical_and: sp.And,
    fn.logical_or: sp.Or,
    fn.logical_not: sp.Not,
    fn.absolute: sp.Abs,
    fn.sgn: sp.sign,
    fn.floor_: sp.floor,
    fn.ceil_: sp.ceiling,
    fn.floordiv: lambda x, y: sp.floor(x / y),
    fn.floormod: sp.Mod,
    fn.relu: lambda x: sp.Max(x, 0),
    fn.step: lambda x: sp.Piecewise((1, x > 0), (0, True)),
    fn.maximum: sp.Max,
    fn.minimum: sp.Min,
    fn.sigmoid: lambda x: 1 / (1 + sp.exp(-x)),
    fn.softplus: lambda x: sp.log(1 + sp.exp(x)),
    fn.log1p: lambda x: sp.log(1 + x),
    fn.expm1: lambda x: sp.exp(x) - 1,
    fn.power: sp.Pow,
    fn.safe_log: lambda x: sp.Piecewise((sp.log(x), x > 0), (0, True)),
    fn.select: lambda c, x, y: sp.Piecewise((x, c), (y, True)),
    fn.stopped: lambda x: x,
    fn.computed_as: lambda x, y: x,
}
"""What our own functions are in sympy's words; those that are missing sympy lacks."""


class _NotSympy(Exception):
    """Says what sympy lacks."""


def to_sympy(labels: Labels) -> sp.Basic:
    """The last node of a formula.  NotImplementedError, saying why, where sympy has nothing equal."""
    export = _Elements(labels) if all(_is_elementwise(n) for n in labels.order) else _Matrices(labels)
    values: dict[Node, Any] = {}
    sizes: dict[Node, int] = {}
    for n in labels.order:
        sizes[n] = 1 + sum(sizes[o] for o in n.operands)
        try:
            if (known := known_size(n)) is not None:
                values[n] = export.size(known)
                continue
            if sizes[n] > MAX_SIZE:
                raise _NotSympy("it is too large: sympy has no shared parts, so written out it has more than 20,000 operations")
            values[n] = export.node(n, [values[o] for o in n.operands])
        except _NotSympy as why:
            called = f" '{labels.given[n]}'" if n in labels.given else ""
            raise NotImplementedError(f"sympy has nothing equal to this {n.kind.value}{called} of the formula: {why}") from None
    return values[labels.order[-1]]


def _is_elementwise(n: Node) -> bool:
    """Is every element made of the elements at its place, broadcasting aside?"""
    if n.kind in LEAVES:
        return n.kind is not Kind.CONST or n.shape == ()
    if n.kind is not Kind.GENERIC or n.attrs[3] is not None or scalar.label_numbers(n.attrs[0]):
        return False
    return all(all(label in (None, axis + n.rank - len(ix)) for axis, label in enumerate(ix)) and len(ix) <= n.rank for ix in n.attrs[1])


class _Elements:
    """Nodes as expressions of one element; also the scalars of matrix expressions."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels

    def size(self, d: Extent) -> sp.Expr:
        found = self.labels.size(d)
        if isinstance(found, str):
            return sp.Symbol(found, integer=True, positive=True)
        e = sp.sympify(found)
        return e.xreplace({s: self.size(s) for s in e.free_symbols})

    def node(self, n: Node, ops: Sequence[Any]) -> Any:
        if n.kind is Kind.CONST:
            return _number(n.attrs[0].value[()])
        if n.kind is not Kind.GENERIC:
            return sp.Symbol(self.labels[n], real=True, integer=True if n.dtype.is_integer else None)
        return self.body(n.attrs[0], ops)

    def body(self, e: sp.Basic, ops: Sequence[Any]) -> Any:
        """A body of numbers."""
        if isinstance(e, sp.Symbol):
            for k in scalar.operand_numbers(e):
                return ops[k]
            if scalar.label_numbers(e):
                raise _NotSympy("it reads the position of an element")
            return self.size(e)
        if not e.args:
            return e
        if isinstance(e, fn.cast_):
            if str(e.args[1]).startswith("float"):
                return self.body(e.args[0], ops)
            raise _NotSympy(f"a cast to {e.args[1]} is no function there")
        args = [self.body(a, ops) for a in e.args]
        if type(e) in _FUNCTIONS:
            return _FUNCTIONS[type(e)](*args)
        if isinstance(e, fn.ScalarFunction):
            raise _NotSympy(f"there is no function {type(e).__name__.rstrip('_')}")
        return e.func(*args)


class _Matrices(_Elements):
    """Nodes as matrix expressions."""

    def node(self, n: Node, ops: Sequence[Any]) -> Any:
        if n.rank > 2:
            raise _NotSympy(f"it has {n.rank} axes, a matrix has two")
        return getattr(self, "_" + n.kind.value)(n, ops)

    def shape(self, n: Node) -> tuple[sp.Expr, sp.Expr]:
        rows, columns = (*n.shape, 1, 1)[:2] if n.rank else (1, 1)
        return self.size(rows), self.size(columns)

    # -- leaves
    def _leaf(self, n: Node, ops: Sequence[Any]) -> Any:
        return sp.MatrixSymbol(self.labels[n], *self.shape(n)) if n.rank else super().node(n, ops)

    _placeholder = _variable = _cut = _leaf

    def _const(self, n: Node, ops: Sequence[Any]) -> Any:
        value = n.attrs[0].value
        if value.shape == ():
            return super().node(n, ops)
        if value.size > MAX_ELEMENTS:
            return self._leaf(n, ops)
        return sp.ImmutableMatrix(*(int(d) for d in (*value.shape, 1)[:2]), [_number(v) for v in value.ravel()])

    def _random(self, n: Node, ops: Sequence[Any]) -> Any:
        raise _NotSympy("it draws random numbers")

    # -- movement
    def _reshape(self, n: Node, ops: Sequence[Any]) -> Any:
        (o,), (a,) = n.operands, ops
        if not same_but_ones(o.shape, n.shape):
            raise _NotSympy("matrices are not reshaped")
        if o.shape == ():
            return a * sp.Identity(1)
        if n.shape == ():
            return _only(a)
        return a if self.shape(o) == self.shape(n) else sp.Transpose(a).doit()

    def _slice(self, n: Node, ops: Sequence[Any]) -> Any:
        start, step = n.attrs
        if any(s < 0 for s in step):
            raise _NotSympy("matrices are not reversed")
        bounds = [(self.size(f), self.size(f) + (self.size(d) - 1) * s + 1, s) for f, d, s in zip(start, n.shape, step, strict=True)]
        return sp.matrices.expressions.slice.MatrixSlice(ops[0], *(bounds + [(0, 1, 1)])[:2])

    def _concat(self, n: Node, ops: Sequence[Any]) -> Any:
        return sp.BlockMatrix([list(ops)] if n.attrs[0] == 1 else [[a] for a in ops])

    def _place(self, n: Node, ops: Sequence[Any]) -> Any:
        raise _NotSympy("it places an array among zeros")

    def _gather(self, n: Node, ops: Sequence[Any]) -> Any:
        raise _NotSympy("it reads rows by their numbers")

    _scatter = _put = _gather

    def _conv(self, n: Node, ops: Sequence[Any]) -> Any:
        raise _NotSympy("it looks at images through windows")

    _pool = _conv

    def _loop(self, n: Node, ops: Sequence[Any]) -> Any:
        raise _NotSympy("it is a loop")

    # -- products
    def _matmul(self, n: Node, ops: Sequence[Any]) -> Any:
        return ops[0] * ops[1]

    def _linalg(self, n: Node, ops: Sequence[Any]) -> Any:
        match n.attrs[0]:
            case "inverse":
                return sp.Inverse(ops[0])
            case "solve":
                return sp.Inverse(ops[0]) * ops[1]
            case "determinant":
                return sp.Determinant(ops[0])
            case "logdet":
                return sp.log(sp.Abs(sp.Determinant(ops[0])))
        raise _NotSympy(f"there is no {n.attrs[0]}")

    def _composite(self, n: Node, ops: Sequence[Any]) -> Any:
        name, axes, _ = n.attrs
        (o,), (a,) = n.operands, ops
        if name == "norm":
            squares = sp.HadamardPower(a, 2)
            return self._elementwise(sp.sqrt, self._sum_over(squares, axes, n))
        e = self._elementwise(sp.exp, a)
        if name == "logsumexp":
            return self._elementwise(sp.log, self._sum_over(e, axes, n))
        rows, columns = self.shape(o)
        if o.rank == 1 or axes == (0,):
            total = sp.OneMatrix(rows, rows) * e
        else:
            total = e * sp.OneMatrix(columns, columns)
        return sp.HadamardProduct(e, sp.HadamardPower(total, -1)) if name == "softmax" else a - self._elementwise(sp.log, total)

    @staticmethod
    def _elementwise(f: Any, a: Any) -> Any:
        if not isinstance(a, sp.MatrixBase | sp.MatrixExpr):
            return f(a)
        d = sp.Dummy("d", real=True)
        return a.applyfunc(sp.Lambda(d, f(d)))

    # -- generic
    def _generic(self, n: Node, ops: Sequence[Any]) -> Any:
        body, index, space, reducer = n.attrs
        if reducer not in (None, "sum"):
            raise _NotSympy(f"there is no {reducer} over a matrix")
        if is_diagonal(n):
            diagonal = sp.DiagonalOf(ops[0])
            return sp.Trace(ops[0]) if reducer and n.rank == 0 else diagonal if n.rank == 1 else self._no()
        labels = [a for a, d in enumerate(space) if d != 1]  # rows and columns of the body
        if len(labels) > 2:
            raise _NotSympy(f"it sums over {len(labels)} axes at once")
        wide = (*labels, *(a for a in range(len(space)) if a not in labels))[:2] if len(space) > 1 else (*range(len(space)),)
        wide = tuple(sorted(wide))
        shape = tuple(self.size(space[a]) for a in wide) + (sp.S.One,) * (2 - len(wide))
        spread = [self._spread(o, ix, w, wide, shape) for o, ix, w in zip(n.operands, index, ops, strict=True)]
        at = {a: k for k, a in enumerate(wide)}
        body = body.xreplace({scalar.i(a): scalar.i(at[a]) for a in scalar.label_numbers(body) if a in at})
        value = self._matrix_body(body, spread, shape)
        if reducer is None:
            return self._full(value, shape) if n.rank else _only(value) if _is_matrix(value) else value
        axes = tuple(at[a] for a in wide if a >= n.rank)
        return self._sum_over(self._full(value, shape), axes, n) if axes else value

    @staticmethod
    def _no() -> Any:
        raise _NotSympy("it is no matrix")

    def _full(self, value: Any, shape: tuple) -> Any:
        return value if _is_matrix(value) else value * sp.OneMatrix(*shape)

    def _spread(self, o: Node, ix: tuple[int | None, ...], w: Any, wide: tuple[int, ...], shape: tuple) -> Any:
        """An operand as a matrix over the labels in `wide`, or as a number."""
        at = [wide.index(a) if a in wide and o.shape[axis] != 1 else None for axis, a in enumerate(ix)]
        if o.rank == 0:
            return w
        if all(p is None for p in at):
            return _only(w)
        if o.rank == 1 or None in at:  # a row or a column
            column = w if o.rank == 1 or at[0] is not None else sp.Transpose(w).doit()
            (p,) = {p for p in at if p is not None}
            if p == 0:
                return column if shape[1] == 1 else column * sp.OneMatrix(1, shape[1])
            row = sp.Transpose(column).doit()
            return row if shape[0] == 1 else sp.OneMatrix(shape[0], 1) * row
        if len(set(at)) == 1:
            raise _NotSympy("it reads a diagonal beside other things")
        return w if at == [0, 1] else sp.Transpose(w).doit()

    def _sum_over(self, a: Any, axes: Sequence[int], n: Node) -> Any:
        """The sum over axes of a matrix, in the shape of n."""
        rows, columns = a.shape
        if {*axes} >= {0, 1} or columns == 1 and 0 in axes:
            total = _total(a)
            return total if n.rank == 0 else total * sp.OneMatrix(1, 1)
        line = a * sp.OneMatrix(columns, 1) if 1 in axes else sp.OneMatrix(1, rows) * a
        return line if line.shape == self.shape(n) else sp.Transpose(line).doit()

    def _matrix_body(self, e: sp.Basic, ops: Sequence[Any], shape: tuple) -> Any:
        """A body whose operands are matrices of one shape, or numbers."""
        matrices = [k for k in sorted(scalar.operand_numbers(e)) if _is_matrix(ops[k])]
        if identity(e, 2):
            if shape[0] != shape[1]:
                raise _NotSympy("it is the identity of a matrix that is not square")
            inner, one = self._matrix_body(e.args[1], ops, shape), sp.Identity(shape[0])
            return sp.HadamardProduct(inner, one) if _is_matrix(inner) else inner * one
        if not matrices and not scalar.label_numbers(e):
            return self.body(e, ops)
        if isinstance(e, sp.Symbol):
            return ops[matrices[0]] if matrices else self.body(e, ops)
        if isinstance(e, sp.Add):
            return sp.MatAdd(*(self._full(self._matrix_body(t, ops, shape), shape) for t in e.args)).doit(deep=False)
        if isinstance(e, sp.Mul):
            parts = [self._matrix_body(f, ops, shape) for f in e.args]
            arrays = [p for p in parts if _is_matrix(p)]
            product = arrays[0] if len(arrays) == 1 else sp.HadamardProduct(*arrays)
            return sp.Mul(*(p for p in parts if not _is_matrix(p))) * product
        if isinstance(e, sp.Pow) and not scalar.operand_numbers(e.exp) & set(matrices):
            return sp.HadamardPower(self._matrix_body(e.base, ops, shape), self.body(e.exp, ops))
        if isinstance(e, fn.stopped | fn.computed_as) or isinstance(e, fn.cast_) and str(e.args[1]).startswith("float"):
            return self._matrix_body(e.args[0], ops, shape)
        if len(matrices) == 1 and not scalar.label_numbers(e):
            d = sp.Dummy("d", real=True)
            return ops[matrices[0]].applyfunc(sp.Lambda(d, self.body(e, [d if k == matrices[0] else w for k, w in enumerate(ops)])))
        inner = [self._matrix_body(a, ops, shape) for a in e.args] if len(e.args) == 1 else []
        if inner and not scalar.label_numbers(e):
            d = sp.Dummy("d", real=True)
            return inner[0].applyfunc(sp.Lambda(d, self.body(e.func(scalar.x(0)), [d])))
        raise _NotSympy(f"{type(e).__name__.rstrip('_')} of several matrices, element by element, has no name there")


def _only(a: Any) -> Any:
    """The element of a matrix that has one; `a[0, 0]` would write the products out as sums."""
    if isinstance(a, sp.MatrixBase):
        return a[0, 0]
    c, rest = a.as_coeff_mmul() if isinstance(a, sp.MatMul) else (sp.S.One, a)
    return c if rest in (sp.OneMatrix(1, 1), sp.Identity(1)) else c * sp.Trace(rest)


def _total(a: Any) -> Any:
    """The sum of all elements, as a trace: no index, and sympy does not write it out."""
    if a.shape == (1, 1):
        return _only(a)
    if isinstance(a, sp.HadamardPower) and a.exp == 2:
        return sp.Trace(sp.Transpose(a.base).doit() * a.base)
    if isinstance(a, sp.HadamardProduct) and len(a.args) == 2:
        return sp.Trace(sp.Transpose(a.args[0]).doit() * a.args[1])
    return sp.Trace(sp.OneMatrix(*reversed(a.shape)) * a)


def _is_matrix(a: Any) -> bool:
    return isinstance(a, sp.MatrixExpr | sp.MatrixBase)


def _number(v: Any) -> sp.Expr:
    """A constant: a small fraction exactly, else the decimal that it prints as."""
    exact = scalar.exact(v)
    if exact is not None:
        return exact
    return sp.Float(str(v)) if hasattr(v, "dtype") and v.dtype.kind == "f" else sp.sympify(v.item())
