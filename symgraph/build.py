"""Constructors of nodes: each checks its operands' shapes and returns the node in its normal form.

Law of this file: plain functions from nodes to nodes.  Normal forms change no value: an exact scalar constant moves
into the body, a transpose of a transpose is one, an identity is its operand.  Anything that needs a reason to be done
is a rule (see simplify/), not a normal form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sympy as sp

from . import dtypes, scalar
from .codegen import scalar as fn
from .codegen.ir import Window
from .dtypes import DType
from .node import Array, Key, Kind, Node, make
from .shapes import Extent, Shape, ShapeError, agree, brackets, broadcast, compatible, merge, product, quotient, text

Index = tuple[tuple[int | None, ...], ...]


# ---------------------------------------------------------------- leaves
def const(value: object, dtype: DType | None = None) -> Node:
    """A constant; Python numbers take `dtype` or TF1's default for them."""
    if dtype is None:
        dtype = dtypes.of_python(value)
        assert dtype is not None
    array = np.array(value, dtype=dtype.as_numpy_dtype, order="C")
    return make(Kind.CONST, (), (Array(array),), array.shape, dtype)


def leaf(kind: Kind, name: str, shape: Shape, dtype: DType, owner: object = None) -> Node:
    """A placeholder, variable or cut: a value that comes from elsewhere, equal only to itself."""
    return make(kind, (), (Key(name, owner),), shape, dtype)


def filled(value: object, shape: Shape, dtype: DType) -> Node:
    """The same number everywhere; `value` may be a sympy expression over sizes."""
    return generic(sp.sympify(value), (), (), shape, len(shape), None, dtype)


def is_filled(n: Node) -> sp.Expr | None:
    """The number, if the node is `filled` with one."""
    if n.kind is Kind.GENERIC and not n.operands and n.attrs[3] is None and not scalar.label_numbers(n.attrs[0]):
        return n.attrs[0]
    if n.kind is Kind.CONST and n.shape == () and n.dtype is not dtypes.string:
        return scalar.exact(n.attrs[0].value)
    return None


# ---------------------------------------------------------------- generic
def generic(
    body: sp.Expr,
    operands: Sequence[Node],
    index: Index,
    space: Shape,
    rank: int,
    reducer: str | None,
    dtype: DType,
    fold: bool = True,
) -> Node:
    """out[labels < rank] = reduce over the other labels of body(operands at their labels).

    Operands are merged, dropped when unread, and replaced by numbers where they are exact scalars."""
    body = scalar.canonical(body)
    numbers = scalar.operand_numbers(body)
    new_operands: list[Node] = []
    new_index: list[tuple[int | None, ...]] = []
    rename: dict[sp.Symbol, sp.Expr] = {}
    for k in sorted(numbers):
        o, ix = operands[k], index[k]
        number = is_filled(o) if fold and o.dtype is not dtypes.bool else None
        if number is not None:
            rename[scalar.x(k)] = number
            continue
        at = next((p for p, q in enumerate(new_operands) if q is o and new_index[p] == ix), None)
        if at is None:
            at = len(new_operands)
            new_operands.append(o)
            new_index.append(ix)
        if at != k:
            rename[scalar.x(k)] = scalar.x(at)
    if rename:
        given, body = body, scalar.canonical(body.xreplace(rename))
        if fold and body.has(sp.zoo, sp.nan, sp.I):  # log(0), 1/0 and sqrt(-1) have a value that only floats know
            return generic(given, operands, index, space, rank, reducer, dtype, fold=False)
        if scalar.operand_numbers(body) != frozenset(range(len(new_operands))):
            return generic(body, new_operands, tuple(new_index), space, rank, reducer, dtype, fold)
    if reducer is None and body == scalar.x(0):
        (o,) = new_operands
        in_place = all(a == axis or a is None and d == 1 for axis, (a, d) in enumerate(zip(new_index[0], o.shape, strict=True)))
        if o.dtype is dtype and in_place and o.shape == tuple(space):
            return o  # a shape that is only claimed to be o's stays on record: launching checks it
        if is_pure(o) and o.dtype is dtype:  # a permutation of a permutation
            inner = o.attrs[1][0]
            outer = new_index[0]
            return generic(body, o.operands, (tuple(None if a is None else outer[a] for a in inner),), space, rank, None, dtype)
    return make(Kind.GENERIC, tuple(new_operands), (body, tuple(new_index), tuple(space), reducer), tuple(space[:rank]), dtype)


def is_pure(n: Node) -> bool:
    """A node that only re-labels the axes of its operand: transpose, broadcast, diagonal."""
    return n.kind is Kind.GENERIC and n.attrs[3] is None and n.attrs[0] == scalar.x(0)


def aligned(shapes: Sequence[Shape]) -> tuple[Shape, Index]:
    """The broadcast space of shapes, and the index map of each."""
    space = broadcast(*shapes)
    rank = len(space)
    return space, tuple(tuple(None if d == 1 and space[a] != 1 else a for a, d in enumerate(s, rank - len(s))) for s in shapes)


def elementwise(body: sp.Expr | Callable[..., sp.Expr], *operands: Node, dtype: DType | None = None) -> Node:
    """body(x0, x1, ...) with NumPy's broadcasting; dtype of the result defaults to that of the first operand."""
    if callable(body) and not isinstance(body, sp.Basic):
        body = body(*(scalar.x(k) for k in range(len(operands))))
    space, index = aligned([o.shape for o in operands])
    return generic(body, operands, index, space, len(space), None, dtype or operands[0].dtype)


def cast(n: Node, dtype: DType) -> Node:
    """Converted elements: float to int truncates, to bool is != 0."""
    if n.dtype is dtype:
        return n
    if n.kind is Kind.CONST and n.shape == ():
        return const(n.attrs[0].value.astype(dtype.as_numpy_dtype), dtype)
    return generic(fn.cast_(scalar.x(0), sp.Symbol(dtype.name)), (n,), (tuple(range(n.rank)),), n.shape, n.rank, None, dtype)


def reduce(reducer: str, n: Node, axes: Sequence[int] | None = None, keepdims: bool = False, dtype: DType | None = None) -> Node:
    """Reduction over `axes` (all by default) by 'sum', 'prod', 'max', 'min', 'any', 'all', 'argmax' or 'argmin'."""
    rank = n.rank
    axes = tuple(range(rank)) if axes is None else tuple(axis_in(a, rank) for a in axes)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"the axes {axes} name one axis twice")
    dtype = dtype or n.dtype
    if not axes:
        return cast(n, dtype)
    kept = [a for a in range(rank) if a not in axes]
    labels: dict[int, int] = {}
    if keepdims:
        out: Shape = tuple(1 if a in axes else n.shape[a] for a in range(rank))
        labels = {a: a for a in kept}
    else:
        out = tuple(n.shape[a] for a in kept)
        labels = {a: k for k, a in enumerate(kept)}
    labels |= {a: len(out) + k for k, a in enumerate(axes)}
    space = out + tuple(n.shape[a] for a in axes)
    return generic(scalar.x(0), (n,), (tuple(labels[a] for a in range(rank)),), space, len(out), reducer, dtype)


def axis_in(axis: int, rank: int, what: str = "dimension") -> int:
    """The axis counted from the front; ShapeError outside [-rank, rank)."""
    axis = int(axis)
    if not -rank <= axis < rank:
        raise ShapeError(
            f"Invalid {what} {axis} for input with {rank} dimensions\n" + (f"axes are {-rank} to {rank - 1}" if rank else "it has no axes")
        )
    return axis % rank


def permute(n: Node, perm: Sequence[int]) -> Node:
    """NumPy's transpose: out[i_0, ...] with out axis k walking axis perm[k] of n."""
    if sorted(p % max(n.rank, 1) for p in perm) != list(range(n.rank)) or not all(-n.rank <= p < n.rank for p in perm):
        raise ShapeError(f"perm {list(perm)} is not a permutation of the {n.rank} axes of {brackets(n.shape)}")
    perm = [p % n.rank for p in perm]
    labels = tuple(perm.index(a) for a in range(n.rank))
    return generic(scalar.x(0), (n,), (labels,), tuple(n.shape[p] for p in perm), n.rank, None, n.dtype)


def swap(n: Node) -> Node:
    """The last two axes exchanged: the matrix transpose."""
    return permute(n, [*range(n.rank - 2), n.rank - 1, n.rank - 2])


def is_swap(n: Node) -> Node | None:
    """A, if n is the matrix transpose of A."""
    if is_pure(n) and n.rank >= 2 and n.operands[0].rank == n.rank and n.operands[0].dtype is n.dtype:
        if n.attrs[1][0] == (*range(n.rank - 2), n.rank - 1, n.rank - 2):
            return n.operands[0]
    return None


def broadcast_to(n: Node, shape: Shape) -> Node:
    """n repeated along new and size-1 axes."""
    space, (index, _) = aligned([n.shape, shape])
    if len(space) != len(shape) or not all(compatible(a, b) for a, b in zip(space, shape, strict=True)):
        raise ShapeError(f"{text(n.shape)} does not broadcast to {text(shape)}")
    return generic(scalar.x(0), (n,), (index,), shape, len(shape), None, n.dtype)


def unbroadcast(n: Node, shape: Shape) -> Node:
    """The transpose of `broadcast_to`: n summed down to `shape`."""
    lead = n.rank - len(shape)
    axes = [*range(lead), *(a + lead for a, d in enumerate(shape) if d == 1 and n.shape[a + lead] != 1)]
    if axes:
        n = reduce("sum", n, axes, keepdims=True)
    return reshape(n, shape) if lead else n


# ---------------------------------------------------------------- products
def matmul(a: Node, b: Node) -> Node:
    """A B over the last two axes, leading axes broadcast."""
    if a.rank < 2 or b.rank < 2:
        raise ShapeError("Shape must be at least rank 2")
    k, l = a.shape[-1], b.shape[-2]
    if not compatible(k, l):
        raise ShapeError(f"Dimensions must be equal, but are {k} and {l}\nleft has {k} columns, right has {l} rows")
    batch = broadcast(a.shape[:-2], b.shape[:-2])
    return make(Kind.MATMUL, (a, b), (), (*batch, a.shape[-2], b.shape[-1]), a.dtype)


# ---------------------------------------------------------------- movement
def reshape(n: Node, shape: Shape) -> Node:
    """The same elements in C order; the sizes must agree where they are known."""
    if len(shape) == n.rank and all(a == b for a, b in zip(shape, n.shape, strict=True)):
        return n
    total, wanted = product(n.shape), product(shape)
    if isinstance(total, int) and isinstance(wanted, int) and total != wanted:
        raise ShapeError(f"Cannot reshape a tensor with {total} elements to shape {brackets(shape)} ({wanted} elements)")
    if n.kind is Kind.RESHAPE:
        return reshape(n.operands[0], shape)
    number = is_filled(n) if n.kind is Kind.GENERIC else None
    if number is not None and total == wanted:
        return filled(number, shape, n.dtype)
    return make(Kind.RESHAPE, (n,), (), shape, n.dtype)


def resolve_shape(n: Node, entries: Sequence[Extent]) -> Shape:
    """The target of a reshape with at most one -1 made definite."""
    wild = [a for a, d in enumerate(entries) if d == -1]
    if len(wild) > 1:
        raise ShapeError(f"Only one input size may be -1, not both axis {wild[0]} and axis {wild[1]}")
    if any(isinstance(d, int) and d < -1 for d in entries):
        raise ShapeError(f"Size {min(d for d in entries if isinstance(d, int))} must be non-negative")
    if not wild:
        return tuple(entries)
    known = product(d for d in entries if d != -1)
    try:
        rest = quotient(product(n.shape), known)
    except ShapeError as e:
        raise ShapeError(f"{e}\nto make {brackets(n.shape)} into {list(entries)}") from None
    return tuple(rest if d == -1 else d for d in entries)


def slice_(n: Node, start: Sequence[Extent], size: Shape, step: Sequence[int]) -> Node:
    """out[i, ...] = n[start + i * step, ...]."""
    if tuple(size) == n.shape and all(s == 0 for s in start) and all(s == 1 for s in step):
        return n
    if n.kind is Kind.CONCAT and (part := _part(n, start, size, step)) is not None:
        return part
    return make(Kind.SLICE, (n,), (tuple(start), tuple(step)), tuple(size), n.dtype)


def _part(n: Node, start: Sequence[Extent], size: Shape, step: Sequence[int]) -> Node | None:
    """The window of a concatenation, if it lies inside of one part at a known place."""
    (axis,) = n.attrs
    first, count, stride = start[axis], size[axis], step[axis]
    if not isinstance(first, int) or not isinstance(count, int) or count < 1:
        return None
    ends, at = {first, first + (count - 1) * stride}, 0
    for o in n.operands:
        extent = o.shape[axis]
        if not isinstance(extent, int):
            return None
        if at <= min(ends) and max(ends) < at + extent:
            return slice_(o, (*start[:axis], first - at, *start[axis + 1 :]), size, step)
        at += extent
    return None


def place(n: Node, start: Sequence[Extent], shape: Shape, step: Sequence[int]) -> Node:
    """Zeros of `shape`, with n at start, start + step, ..."""
    if tuple(shape) == n.shape and all(s == 0 for s in start) and all(s == 1 for s in step):
        return n
    return make(Kind.PLACE, (n,), (tuple(start), tuple(step)), tuple(shape), n.dtype)


def concat(parts: Sequence[Node], axis: int) -> Node:
    """Parts one after another along an axis; all other extents agree.  Parts of a part are parts."""
    first = parts[0]
    axis = axis_in(axis, first.rank)
    parts = [p for part in parts for p in (part.operands if part.kind is Kind.CONCAT and part.attrs == (axis,) else (part,))]
    if len(parts) == 1:
        return first
    shape = list(first.shape)
    for p in parts[1:]:
        agree(tuple(shape), p.shape, free=axis)
        shape = [merge(d, e) for d, e in zip(shape, p.shape, strict=True)]
    total: Extent = 0
    for p in parts:
        total = total + p.shape[axis]
    shape[axis] = int(total) if isinstance(total, int | sp.Integer) else total
    return make(Kind.CONCAT, tuple(parts), (axis,), tuple(shape), first.dtype)


def gather(n: Node, at: Node) -> Node:
    """n[at]: the slices along the first axis that `at`, whole numbers of any rank, says."""
    if n.rank == 0:
        raise ShapeError("Shape must be at least rank 1 but is rank 0")
    _inside(at, n.shape[0])
    return make(Kind.GATHER, (n, at), (), (*at.shape, *n.shape[1:]), n.dtype)


def _inside(at: Node, extent: Extent) -> None:
    """ShapeError for a constant coordinate outside of a known extent."""
    if at.kind is Kind.CONST and isinstance(extent, int):
        value = at.attrs[0].value
        for place in np.argwhere((value < 0) | (value >= extent)).tolist():
            where = f"[{', '.join(map(str, place))}]" if place else ""
            raise ShapeError(f"indices{where} = {value[tuple(place)]} is not in [0, {extent})")


def positions(extent: Extent) -> Node:
    """0, 1, 2, ...: int64 [extent].  Gathered from, it gives the places themselves, and they must be some."""
    return generic(scalar.i(0), (), (), (extent,), 1, None, dtypes.int64)


def is_positions(n: Node) -> bool:
    return n.kind is Kind.GENERIC and n.attrs[0] == scalar.i(0) and n.rank == 1


def scatter(n: Node, at: Node, shape: Shape) -> Node:
    """The transpose of `gather` from an array of `shape`: zeros of it, with the slices of n added where `at` says."""
    _inside(at, shape[0])
    if at.rank != 1:
        rows = product(at.shape)
        n, at = reshape(n, (rows, *n.shape[at.rank :])), reshape(at, (rows,))
    return make(Kind.SCATTER, (n, at), (), tuple(shape), n.dtype)


def put(n: Node, rows: Node, at: Node) -> Node:
    """n with the slices along the first axis that `at` says replaced by those of `rows`; of one that is named again, by the last."""
    if n.rank == 0:
        raise ShapeError("Shape must be at least rank 1 but is rank 0")
    agree((*at.shape, *n.shape[1:]), rows.shape)
    _inside(at, n.shape[0])
    if at.rank != 1:
        count = product(at.shape)
        rows, at = reshape(rows, (count, *n.shape[1:])), reshape(at, (count,))
    return make(Kind.PUT, (n, rows, at), (), n.shape, n.dtype)


# ---------------------------------------------------------------- windows
def conv(role: str, given: Sequence[Node], windows: Sequence[Window], depthwise: bool, shape: Shape) -> Node:
    """One of images x, filter w and convolution y from the other two, in that order; `shape` is that of the result.

    The sum over everything of x[b, p, c] w[k, c, n] y[b, o, n], p being where window o has cell k, is linear in each: this
    is its derivative by the one that `role` names."""
    shapes = dict(zip((r for r in "xwy" if r != role), (g.shape for g in given), strict=True)) | {role: tuple(shape)}
    x, w, y = (shapes[r] for r in "xwy")
    if not compatible(x[-1], w[-2]):
        raise ShapeError(f"Dimensions must be equal, but are {x[-1]} and {w[-2]}\nthe images and the filter differ in channels")
    if not compatible(y[-1], product(w[-2:]) if depthwise else w[-1]):
        raise ShapeError(f"Dimensions must be equal, but are {y[-1]} and {w[-1]}\nthe result and the filter differ in channels")
    if any(not compatible(v.size, d) for v, d in zip(windows, w, strict=False)) or not compatible(x[0], y[0]):
        raise ShapeError(f"images {brackets(x)}, filter {brackets(w)} and result {brackets(y)} of a convolution do not fit")
    return make(Kind.CONV, tuple(given), (role, tuple(windows), depthwise), tuple(shape), given[0].dtype)


def pool(role: str, x: Node, v: Node, windows: Sequence[Window], shape: Shape) -> Node:
    """'pick': v where x is greatest in each window, the first of ties; 'route', its transpose: v added there."""
    return make(Kind.POOL, (x, v), (role, tuple(windows)), tuple(shape), v.dtype)


# ---------------------------------------------------------------- linear algebra
def linalg(name: str, *operands: Node) -> Node:
    """inverse, solve, cholesky, determinant, logdet over the last two axes."""
    a = operands[0]
    if a.rank < 2:
        raise ShapeError(f"Shape must be at least rank 2 but is rank {a.rank}")
    if not compatible(a.shape[-1], a.shape[-2]):
        raise ShapeError(f"Dimensions must be equal, but are {a.shape[-2]} and {a.shape[-1]}\nthe matrix must be square")
    if not a.dtype.is_floating:
        raise TypeError(f"Value passed to parameter 'input' has DataType {a.dtype.name} not in list of allowed values: float32, float64")
    if name == "solve":
        b = operands[1]
        if b.rank != a.rank or not all(compatible(p, q) for p, q in zip(a.shape[:-1], b.shape[:-1], strict=True)):
            raise ShapeError(
                f"Dimensions must be equal, but are {brackets(a.shape[:-1])} and {brackets(b.shape[:-1])}\n"
                "the right-hand side has a row for each row of the matrix"
            )
        shape = b.shape
    else:
        shape = a.shape[:-2] if name in ("determinant", "logdet") else a.shape
    return make(Kind.LINALG, tuple(operands), (name,), shape, a.dtype)


def top(n: Node, k: Extent) -> Node:
    """[..., n] of floats to int32 [..., k]: the places of the k greatest elements along the last axis, in their order, the first of
    ties first."""
    if n.rank < 1:
        raise ShapeError("input must have at least 1 axis")
    if isinstance(k, int) and isinstance(n.shape[-1], int) and k > n.shape[-1]:
        raise ShapeError(f"input must have last dimension >= k = {k} but is {n.shape[-1]}")
    if n.rank == 1:
        return reshape(top(reshape(n, (1, *n.shape)), k), (k,))
    return make(Kind.LINALG, (n,), ("top",), (*n.shape[:-1], k), dtypes.int32)


# ---------------------------------------------------------------- by name
SAME_SHAPE = frozenset({"softmax", "log_softmax"})
"""The composites of their operand's shape; the others reduce."""


def composite(name: str, n: Node, axes: Sequence[int], keepdims: bool = False) -> Node:
    """A row of composites.py of a floating tensor: softmax and log_softmax along `axes`, logsumexp and norm over them."""
    axes = tuple(sorted(axis_in(a, n.rank) for a in axes))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"the axes {axes} name one axis twice")
    if name in SAME_SHAPE:
        axes = tuple(a for a in axes if n.shape[a] != 1) or axes
        return make(Kind.COMPOSITE, (n,), (name, axes, True), n.shape, n.dtype)
    shape = tuple(1 if a in axes else d for a, d in enumerate(n.shape) if keepdims or a not in axes)
    return make(Kind.COMPOSITE, (n,), (name, axes, keepdims), shape, n.dtype)


# ---------------------------------------------------------------- again
def rebuild(n: Node, operands: tuple[Node, ...]) -> Node:
    """A node like n over other operands of the same ranks (extents may differ)."""
    match n.kind:
        case Kind.GENERIC:
            body, index, space, reducer = n.attrs
            return generic(body, operands, index, _respace(n, operands), n.rank, reducer, n.dtype)
        case Kind.MATMUL:
            return matmul(*operands)
        case Kind.RESHAPE:
            return reshape(operands[0], n.shape)
        case Kind.SLICE:
            return slice_(operands[0], n.attrs[0], n.shape, n.attrs[1])
        case Kind.PLACE:
            return place(operands[0], n.attrs[0], n.shape, n.attrs[1])
        case Kind.CONCAT:
            return concat(operands, n.attrs[0])
        case Kind.GATHER:
            return gather(operands[0], operands[1])
        case Kind.SCATTER:
            return scatter(operands[0], operands[1], n.shape)
        case Kind.PUT:
            return put(*operands)
        case Kind.CONV | Kind.POOL:
            batch = () if n.attrs[0] == "w" else operands[n.attrs[0] == "x"].shape[:1]
            shape = (*batch, *n.shape[len(batch) :])
            if n.kind is Kind.CONV:
                return conv(n.attrs[0], operands, n.attrs[1], n.attrs[2], shape)
            return pool(n.attrs[0], operands[0], operands[1], n.attrs[1], shape)
        case Kind.LINALG:
            return top(operands[0], n.shape[-1]) if n.attrs[0] == "top" else linalg(n.attrs[0], *operands)
        case Kind.COMPOSITE:
            return composite(n.attrs[0], operands[0], n.attrs[1], n.attrs[2])
        case _:
            return make(n.kind, operands, n.attrs, n.shape, n.dtype)


def _respace(n: Node, operands: tuple[Node, ...]) -> Shape:
    space = list(n.attrs[2])
    for o, ix in zip(operands, n.attrs[1], strict=True):
        for label, d in zip(ix, o.shape, strict=True):
            if label is not None:
                space[label] = merge(space[label], d)
    return tuple(space)
