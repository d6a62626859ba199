"""Reading sympy expressions: element by element, with indices, with matrices.

Law of this file: a sympy expression is walked once, bottom-up.  What works element by element grows into one body over
operands that are `held`; whatever else there is (a matrix product, a sum, an inverse) becomes an operation that exists
already, and its output is held in turn.  A node that is in no table is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices import expressions as mx
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement

from .. import bodies, dtypes, scalar
from ..graph import Graph, Tensor, convert
from ..shapes import ShapeError
from . import linalg
from .array import expand_dims, eye, squeeze, transpose
from .core import FLOATS, is_tensor, need, same_dtype
from .generic import extent
from .reduce import reduce_sum

Labels = tuple[sp.Symbol | None, ...]
"""What index walks each axis of a tensor; None for an axis of extent 1."""


class Reader:
    """Sympy expressions over tensors with names.  A value is a body over symbols that stand for held tensors."""

    def __init__(self, graph: Graph, given: Mapping[str, Any]) -> None:
        self.graph = graph
        self.given = given
        self.dtype = next((convert(v).dtype for v in given.values() if is_tensor(v)), None)
        self.held: dict[sp.Symbol, tuple[Tensor, Labels | None]] = {}  # in the order in which they were met
        self.bound: dict[str, Tensor] = {}
        self.sizes: dict[sp.Symbol, tuple[Tensor, int]] = {}
        self.value: dict[sp.Basic, sp.Expr] = {}

    def tensor(self, e: sp.Basic, scope: str, named: bool) -> Tensor:
        """The tensor of the whole expression, called `scope`."""
        self._find_sizes(e)
        body = self.read(e)
        t, labels = self.whole(body, scope)
        if free := [s for s in labels or () if s is not None]:
            raise ValueError(f"the index {free[0]} is not summed over")
        return self.graph.add("Identity", (t,), {}, scope).outputs[0] if named and body in self.held else t

    # -- names
    def operand(self, name: str, e: sp.Basic) -> Tensor:
        """The tensor that a name stands for."""
        if name not in self.bound:
            if name not in self.given:
                known = f"there are values for {', '.join(self.given)}" if self.given else "no values were given"
                raise ValueError(f"{type(e).__name__} {name} has no value\n{known}")
            t = convert(self.given[name], like=self.dtype or dtypes.float32, name=name, graph=self.graph)
            need(t, *FLOATS, parameter=name)
            if self.dtype is None:
                self.dtype = t.dtype
            for other, u in self.bound.items():
                same_dtype("FromSympy", u, t, (other, name))
            self.bound[name] = t
        return self.bound[name]

    def hold(self, t: Tensor, labels: Labels | None = ()) -> sp.Symbol:
        """A symbol for a tensor; labels None: it broadcasts."""
        s = sp.Dummy(f"h{len(self.held)}", real=True)
        self.held[s] = t, () if t.extents == () else labels
        return s

    def _find_sizes(self, e: sp.Basic) -> None:
        """Which axis tells the value of a size symbol: from limits of sums, shapes of matrices and of indexed bases."""
        claims: list[tuple[sp.Basic, Tensor, int]] = []
        inner = _all_inside(e)
        for m in sorted((u for u in inner if isinstance(u, sp.MatrixSymbol | sp.IndexedBase)), key=str):
            for axis, d in enumerate(m.shape or ()):
                claims.append((d, self.operand(str(m.args[0]), m), axis))
        for total in (u for u in inner if isinstance(u, sp.Sum)):
            indexed = _indexed(total.function)
            for i, low, high in total.limits:
                for base, name, indices in indexed:
                    claims += [(high - low + 1, self.operand(name, base), axis) for axis, at in enumerate(indices) if at == i]
        for d, t, axis in claims:
            known = None if t.extents is None or axis >= len(t.extents) else t.extents[axis]
            if isinstance(d, sp.Symbol):
                number = self.given.get(d.name)
                if number is None:
                    self.sizes.setdefault(d, (t, axis))
                    continue
                d = number  # type: ignore[assignment]
            if isinstance(known, int) and (isinstance(d, int) or getattr(d, "is_Integer", False)) and int(d) != known:  # type: ignore[arg-type]
                raise ShapeError(f"Dimensions must be equal, but are {d} and {known}\nthe expression says {d}, {t.described()} has {known}")

    # -- the walk
    def read(self, root: sp.Basic) -> Any:
        """The value of an expression: a body, or for a branch of Piecewise a pair of them."""
        stack = [root]
        while stack:
            e = stack[-1]
            todo = [a for a in _inside(e) if a not in self.value]
            if todo:
                stack.extend(reversed(todo))
                continue
            stack.pop()
            if e not in self.value:
                make = _maker(e)
                made = make(self, e, *(self.value[a] for a in _inside(e)))
                if isinstance(made, sp.Expr) and scalar.operations(made) > scalar.MAX_OPERATIONS:
                    made = self.hold(*self.whole(made))
                self.value[e] = made
        return self.value[root]

    # -- values to tensors
    def whole(self, body: sp.Expr, name: str = "Elementwise") -> tuple[Tensor, Labels | None]:
        """The tensor of a body, and the labels of its axes."""
        if body in self.held:
            return self.held[body]
        operands = self._operands(body)
        if not operands:
            return self.held[self.constant(body)]
        inputs, patterns = zip(*(self.held[s] for s in operands), strict=True)
        labels, index = _common(patterns)
        text = bodies.write(scalar.canonical(body.xreplace({s: scalar.x(k) for k, s in enumerate(operands)})))
        return self.graph.add("Elementwise", inputs, {"body": text, "index": index}, name).outputs[0], labels

    def _operands(self, body: sp.Expr) -> list[sp.Symbol]:
        free = body.free_symbols
        return [s for s in self.held if s in free]

    def labels(self, body: sp.Expr) -> Labels | None:
        """The labels of the axes of a body's tensor."""
        return _common([self.held[s][1] for s in self._operands(body)])[0]

    def constant(self, value: Any) -> sp.Symbol:
        """A number or array, held."""
        array = np.array(value, dtype=float)
        return self.hold(convert(array, (self.dtype or dtypes.float32), graph=self.graph), None)

    def matrix(self, body: sp.Expr) -> Tensor:
        """The tensor of a body that is an operand of matrix algebra."""
        t, labels = self.whole(body)
        if labels:
            raise NotImplementedError("what bears an index is a number there, not a matrix")
        return t

    def size(self, d: sp.Expr) -> sp.Expr:
        """The value of a size."""
        if d not in self.value:
            self.value[d] = self.hold(extent(*self.sizes[d], self.dtype or dtypes.float32)) if d in self.sizes else self.read(d)
        return self.value[d]

    # -- indices
    def pick(self, t: Tensor, indices: Sequence[sp.Expr], e: sp.Basic) -> sp.Symbol:
        """t[i, j, ...], where each index is a symbol or a whole number."""
        shape = t.extents
        if shape is None:
            raise NotImplementedError(f"{e}: the rank of {t.described()} is not known")
        if len(indices) > len(shape) or any(d != 1 for d in shape[len(indices) :]):
            raise ShapeError(f"{e} has {len(indices)} indices, and the tensor has {len(shape)} axes\n{t.described()}")
        if bad := [i for i in indices if not (i.is_Symbol or i.is_Integer)]:
            raise NotImplementedError(f"{type(bad[0]).__name__} has no meaning as an index: {e}")
        labels: list[sp.Symbol | None] = [i if i.is_Symbol else None for i in indices]
        labels += [None] * (len(shape) - len(indices))
        if any(i.is_Integer for i in indices):
            cut = tuple(int(i) if i.is_Integer else slice(None) for i in indices)
            t, labels = t[cut], [s for s, i in zip(labels, (*indices, *labels[len(indices) :]), strict=True) if i is None or i.is_Symbol]
        if len(set(labels) - {None}) < sum(s is not None for s in labels):
            order = list(dict.fromkeys(s for s in labels if s is not None))
            index = (tuple(None if s is None else order.index(s) for s in labels),)
            t, labels = self.graph.add("Elementwise", (t,), {"body": "x0", "index": index}, "diagonal").outputs[0], order
        if not any(labels):
            t, labels = t[(0,) * len(labels)] if labels else t, []
        return self.hold(t, tuple(labels))

    def sum(self, body: sp.Expr, i: sp.Symbol, size: sp.Expr) -> sp.Expr:
        """The body summed over an index."""
        terms = [self._product(term, i) for term in sp.Add.make_args(body)]
        if all(t is not None for t in terms):
            return sp.Add(*(t() for t in terms))  # type: ignore[misc]
        outside, inside = _parted(sp.Mul.make_args(body), lambda f: i not in (self.labels(f) or ()))
        if not inside:
            return body * self.size(size)
        t, labels = self.whole(sp.Mul(*inside))
        assert labels is not None
        rest = [s for s in labels if s is not i]
        axes = [a for a, s in enumerate(labels) if s is i or not any(rest)]
        return sp.Mul(*outside) * self.hold(reduce_sum(t, axes), tuple(rest) if any(rest) else ())

    def _product(self, term: sp.Expr, i: sp.Symbol) -> Callable[[], sp.Expr] | None:
        """How the sum of a product over an index is a product of matrices, if it is one."""
        outside, inside = _parted(sp.Mul.make_args(term), lambda f: i not in (self.labels(f) or ()))
        others = list(dict.fromkeys(s for f in inside for s in self.labels(f) or () if s not in (i, None)))
        if not 1 <= len(others) <= 2:
            return None
        right, left = _parted(inside, lambda f: others[0] not in (self.labels(f) or ()))
        a, b = sp.Mul(*left), sp.Mul(*right)
        rows: Labels = (others[0], i)
        columns: Labels = (i, others[1] if others[1:] else None)
        if not right or not _matches(self.labels(a), rows) or not _matches(self.labels(b), columns):
            return None

        def made() -> sp.Expr:
            (x, p), (y, q) = self.whole(a), self.whole(b)
            product = linalg.matmul(
                x, expand_dims(y, 1) if q == (i,) else y, transpose_a=p != rows, transpose_b=q is not None and q[0] is not i
            )
            held = self.hold(squeeze(product, 1), rows[:1]) if q == (i,) else self.hold(product, (rows[0], columns[1]))
            return sp.Mul(*outside) * held

        return made


def _parted(items: Sequence[Any], test: Callable[[Any], bool]) -> tuple[list[Any], list[Any]]:
    """Those for which the test holds, and the others."""
    return [x for x in items if test(x)], [x for x in items if not test(x)]


def _matches(labels: Labels | None, wanted: Labels) -> bool:
    """Is it that matrix or its transpose, or (for a column) that vector?"""
    return labels in (wanted, wanted[::-1]) or wanted[1] is None and labels == wanted[:1]


def _common(patterns: Sequence[Labels | None]) -> tuple[Labels | None, tuple | None]:
    """The labels of what works element by element over operands with these, and the index maps where they differ."""
    distinct = list(dict.fromkeys(p for p in patterns if p != ()))
    if not distinct:
        return (), None
    if None in distinct:
        if len(distinct) > 1:
            raise ValueError("beside what bears an index, a tensor is read at an index too: write x[i]")
        return None, None
    order = list(dict.fromkeys(s for p in distinct for s in p or () if s is not None))
    if len(distinct) == 1:
        return distinct[0], None
    return tuple(order), tuple(tuple(None if s is None else order.index(s) for s in p or ()) for p in patterns)


def _all_inside(e: sp.Basic) -> list[sp.Basic]:
    """Every node of an expression once: sympy's own walks visit what is shared as often as it is read."""
    found: dict[sp.Basic, None] = {}
    stack = [e]
    while stack:
        u = stack.pop()
        if u not in found:
            found[u] = None
            stack.extend(reversed(u.args))
    return list(found)


def _indexed(e: sp.Basic) -> list[tuple[sp.Basic, str, tuple]]:
    """(base, name, indices) of everything in the expression that bears indices."""
    found: list[tuple[sp.Basic, str, tuple]] = []
    for u in _all_inside(e):
        if isinstance(u, sp.Indexed):
            found.append((u.base, str(u.base.label), u.indices))
        elif isinstance(u, MatrixElement) and isinstance(u.parent, sp.MatrixSymbol):
            found.append((u.parent, u.parent.name, u.args[1:]))
    return found


def short(e: sp.Basic) -> str:
    """The expression as text, if it is small."""
    return str(e) if len(_all_inside(e)) < 20 else "..."


# ---------------------------------------------------------------- sympy's nodes
def _symbol(r: Reader, e: sp.Symbol) -> sp.Expr:
    if e in r.held:
        return e
    if e in r.sizes and e.name not in r.given:
        return r.size(e)
    return r.hold(r.operand(e.name, e), None)


def _number(r: Reader, e: sp.Number) -> sp.Expr:
    if isinstance(e, sp.Float):
        exact = scalar.exact(float(e))
        return r.constant(e) if exact is None else exact
    return e if e.is_Rational or not e.is_finite or e in (sp.pi, sp.E) else r.constant(e)


def _matrix(r: Reader, e: sp.MatrixBase) -> sp.Expr:
    if e.free_symbols:
        raise NotImplementedError(f"{type(e).__name__}: a matrix of expressions has no meaning here; write MatrixSymbol")
    return r.constant(e.tolist())


def _sum(r: Reader, e: sp.Sum, body: sp.Expr) -> sp.Expr:
    for i, low, high in e.limits:
        size = high - low + 1
        if low not in (0, 1) or not (size.is_Symbol or size.is_Integer):
            raise NotImplementedError(f"Sum runs over a whole axis, from 0 to n - 1 or from 1 to n, not from {low} to {high}: {short(e)}")
        body = r.sum(body, i, size)
    return body


def _matmul(r: Reader, e: mx.MatMul, *parts: sp.Expr) -> sp.Expr:
    scalars = [p for a, p in zip(e.args, parts, strict=True) if not a.is_Matrix]
    factors = [r.matrix(p) for a, p in zip(e.args, parts, strict=True) if a.is_Matrix]
    if factors[-1].extents is not None and factors[-1].extents[-1] == 1:  # a chain that ends in a column is walked from there
        product = factors.pop()
        for f in reversed(factors):
            product = linalg.matmul(f, product)
    else:
        product = factors[0]
        for f in factors[1:]:
            product = linalg.matmul(product, f)
    return sp.Mul(*scalars) * r.hold(product, None)


def _matrix_power(r: Reader, e: mx.MatPow, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    if not exponent.is_Integer or not 0 < abs(exponent) <= 64:
        raise NotImplementedError(f"MatPow takes whole numbers from 1 to 64, or their negatives: {short(e)}")
    t = r.matrix(base) if exponent > 0 else linalg.matrix_inverse(r.matrix(base))
    product = t
    for _ in range(abs(int(exponent)) - 1):
        product = linalg.matmul(product, t)
    return r.hold(product, None)


def _identity(r: Reader, e: mx.Identity) -> sp.Expr:
    n = e.shape[0]
    dtype = r.dtype or dtypes.float32
    if n.is_Integer:
        return r.hold(eye(int(n), dtype=dtype), None)
    if n not in r.sizes:
        raise ValueError(f"Identity: the size {n} is that of no tensor")
    return r.hold(eye(extent(*r.sizes[n], dtypes.int32), dtype=dtype), None)


def _applied(r: Reader, e: ElementwiseApplyFunction, body: sp.Expr) -> sp.Expr:
    s = r.hold(*r.whole(body))
    return r.read(e.function(s))


def _of_matrix(f: Callable[[Tensor], Tensor], labels: Labels | None = None) -> Callable[..., sp.Expr]:
    return lambda r, e, body, *_: r.hold(f(r.matrix(body)), labels)


_transposed = _of_matrix(transpose)


def _upright(e: sp.Basic) -> sp.Basic:
    """The matrix expression, or its transpose where that has fewer transposes in it: sympy writes (Xθ − y)ᵀ as θᵀXᵀ − yᵀ."""
    other = e.T  # type: ignore[attr-defined]
    return other if _transposes(other) < _transposes(e) else e


def _transposes(e: sp.Basic) -> int:
    return sum(isinstance(u, mx.Transpose) for u in _all_inside(e))


_NODES: dict[type, Callable[..., Any]] = {
    sp.Symbol: _symbol,
    sp.Number: _number,
    sp.NumberSymbol: _number,
    sp.logic.boolalg.BooleanAtom: lambda r, e: e,
    sp.Indexed: lambda r, e: r.pick(r.operand(str(e.base.label), e.base), e.indices, e),
    sp.Sum: _sum,
    sp.MatrixSymbol: lambda r, e: r.hold(r.operand(e.name, e), None),
    sp.MatrixBase: _matrix,
    MatrixElement: lambda r, e, body: r.pick(r.matrix(body), e.args[1:], e),
    mx.Identity: _identity,
    mx.MatMul: lambda r, e, *parts: _matmul(r, e, *parts) if _upright(e) is e else _transposed(r, e, *parts),
    mx.MatAdd: lambda r, e, *parts: sp.Add(*parts) if _upright(e) is e else _transposed(r, e, *parts),
    mx.HadamardProduct: lambda r, e, *parts: sp.Mul(*parts),
    mx.HadamardPower: lambda r, e, *parts: bodies.TRANSLATED[sp.Pow](*parts),
    ElementwiseApplyFunction: _applied,
    mx.Transpose: _transposed,
    mx.Inverse: _of_matrix(linalg.matrix_inverse),
    mx.MatPow: _matrix_power,
    mx.Trace: _of_matrix(linalg.square_trace, ()),
    mx.Determinant: _of_matrix(linalg.matrix_determinant, ()),
    mx.DotProduct: lambda r, e, a, b: r.hold(reduce_sum(r.matrix(a * b)), ()),
}
"""By the class of a sympy node, beside those that work element by element: its value, from the values of what is inside."""

_LEAVES = (sp.Indexed, sp.MatrixSymbol, sp.MatrixBase, mx.Identity)
_UNORDERED = (sp.Max, sp.Min, sp.And, sp.Or, sp.Xor)


def _maker(e: sp.Basic) -> Callable[..., Any]:
    """How the value of a node is made; NotImplementedError for a node that has no meaning here."""
    f = bodies.TRANSLATED.get(type(e))
    if f is not None:
        return lambda r, e, *parts: f(*parts)
    for kind in type(e).__mro__:
        if kind in _NODES:
            return _NODES[kind]
    raise NotImplementedError(f"{type(e).__name__} has no meaning here: {short(e)}")


def _inside(e: sp.Basic) -> Sequence[sp.Basic]:
    """The parts of a node whose values its own is made of."""
    _maker(e)
    if isinstance(e, _LEAVES):
        return ()
    if isinstance(e, sp.Sum):
        return (e.function,)
    if isinstance(e, MatrixElement):
        return (e.parent,)
    if isinstance(e, ElementwiseApplyFunction):
        return (e.expr,)
    if isinstance(e, mx.MatAdd | mx.MatMul) and (other := _upright(e)) is not e:
        return (other,)
    if isinstance(e, _UNORDERED):
        return sorted(e.args, key=sp.default_sort_key)
    return e.args
