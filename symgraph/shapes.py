"""Shapes: extents as ints or sympy expressions, and TF1's view of them.

Law of this file: inside, a shape is a tuple whose entries are ints or sympy expressions over size symbols (positive
integers, one per unknown dimension of a fed tensor); None is a shape of unknown rank.  Outside, users see
`TensorShape` and `Dimension`, where anything that is not an int shows as '?'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce as _fold
from typing import TypeAlias

import sympy as sp

Extent: TypeAlias = int | sp.Expr
Shape: TypeAlias = tuple[Extent, ...]


class ShapeError(ValueError):
    """Shapes that do not fit; the caller adds which op, whose tensors, and the user's line.

    The first line of the message is TF's words, a second one says it for the operation at hand."""


def symbol(name: str) -> sp.Symbol:
    """The size symbol of a dimension that is not known; equal names are the same symbol."""
    return sp.Symbol(name, integer=True, positive=True)


def normal(extent: object) -> Extent:
    """An int where the extent is one, else the sympy expression."""
    if isinstance(extent, sp.Expr):
        return int(extent) if extent.is_Integer else extent
    return int(extent)  # type: ignore[call-overload]


def is_known(shape: Shape | None) -> bool:
    return shape is not None and all(isinstance(d, int) for d in shape)


def wide_axes(shape: Shape) -> list[int]:
    """The axes of extent other than 1."""
    return [a for a, d in enumerate(shape) if d != 1]


def same_but_ones(a: Shape, b: Shape) -> bool:
    """Do the shapes differ in axes of extent 1 only?"""
    return [d for d in a if d != 1] == [d for d in b if d != 1]


def product(extents: Iterable[Extent]) -> Extent:
    return normal(_fold(lambda a, b: a * b, extents, 1))


def quotient(total: Extent, part: Extent) -> Extent:
    """total / part, which must come out whole."""
    if isinstance(total, int) and isinstance(part, int):
        if part == 0:
            return 0
        if total % part:
            raise ShapeError(f"Dimension size must be evenly divisible by {part} but is {total}")
        return total // part
    q = sp.cancel(sp.sympify(total) / sp.sympify(part))
    return normal(q) if q.is_polynomial() and q.is_integer else sp.floor(q)


def compatible(a: Extent, b: Extent) -> bool:
    """Could the two be equal?  Only two different ints cannot."""
    return not (isinstance(a, int) and isinstance(b, int)) or a == b


def agree(a: Shape, b: Shape, free: int | None = None) -> None:
    """ShapeError unless the two could be equal, the axis `free` aside."""
    if len(a) != len(b):
        raise ShapeError(f"Shapes must be equal rank, but are {len(a)} and {len(b)}")
    for axis, (d, e) in enumerate(zip(a, b, strict=True)):
        if axis != free and not compatible(d, e):
            raise ShapeError(
                f"Dimension {axis} in both shapes must be equal, but are {d} and {e}. Shapes are {brackets(a)} and {brackets(b)}."
            )


def merge(a: Extent, b: Extent) -> Extent:
    """The better known of two extents that are equal: an int before a symbol, else the first."""
    return b if isinstance(b, int) and not isinstance(a, int) else a


def broadcast(*shapes: Shape) -> Shape:
    """NumPy's broadcasting.  A symbol is taken to be more than 1; when it turns out to be 1, the graph is frozen again
    with 1 in its place."""
    rank = max(map(len, shapes), default=0)
    out: list[Extent] = [1] * rank
    for s in shapes:
        for axis, d in enumerate(s, rank - len(s)):
            if d == 1:
                continue
            if out[axis] == 1:
                out[axis] = d
            elif not compatible(out[axis], d):
                raise ShapeError(f"Dimensions must be equal, but are {out[axis]} and {d}\naxis {axis - rank} of neither is 1")
            else:
                out[axis] = merge(out[axis], d)
    return tuple(out)


def text(shape: Shape | None) -> str:
    """'(?, 9)', as TF1 prints it."""
    return "<unknown>" if shape is None else str(TensorShape(shape))


def brackets(shape: Shape | None) -> str:
    """'[?,9]', as TF1 writes shapes inside messages."""
    return "<unknown>" if shape is None else "[" + ",".join(str(Dimension(d)) for d in shape) + "]"


class Dimension:
    """One extent of a TensorShape; `value` is an int or None."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        if isinstance(value, Dimension):
            value = value.value
        self.value: int | None = None if value is None or isinstance(value, sp.Expr) else int(value)  # type: ignore[call-overload]
        if self.value is not None and self.value < 0:
            raise ValueError(f"Dimension {self.value} must be >= 0")

    def __int__(self) -> int:
        if self.value is None:
            raise TypeError("__int__ returned non-int (type NoneType): this dimension is not known")
        return self.value

    __index__ = __int__

    def __eq__(self, other: object) -> bool | None:  # type: ignore[override]
        other_value = other.value if isinstance(other, Dimension) else other
        if self.value is None or other_value is None:
            return None
        return self.value == other_value

    def __hash__(self) -> int:
        return hash(self.value)

    def _arith(self, other: object, f) -> Dimension:
        other_value = Dimension(other).value
        return Dimension(None if self.value is None or other_value is None else f(self.value, other_value))

    def __add__(self, other: object) -> Dimension:
        return self._arith(other, lambda a, b: a + b)

    __radd__ = __add__

    def __sub__(self, other: object) -> Dimension:
        return self._arith(other, lambda a, b: a - b)

    def __mul__(self, other: object) -> Dimension:
        return self._arith(other, lambda a, b: a * b)

    __rmul__ = __mul__

    def __rsub__(self, other: object) -> Dimension:
        return Dimension(other) - self

    def __floordiv__(self, other: object) -> Dimension:
        return self._arith(other, lambda a, b: a // b)

    def __rfloordiv__(self, other: object) -> Dimension:
        return Dimension(other) // self

    def __mod__(self, other: object) -> Dimension:
        return self._arith(other, lambda a, b: a % b)

    def __rmod__(self, other: object) -> Dimension:
        return Dimension(other) % self

    def _compare(self, other: object, f) -> bool | None:
        other_value = Dimension(other).value
        return None if self.value is None or other_value is None else f(self.value, other_value)

    def __lt__(self, other: object) -> bool | None:
        return self._compare(other, lambda a, b: a < b)

    def __le__(self, other: object) -> bool | None:
        return self._compare(other, lambda a, b: a <= b)

    def __gt__(self, other: object) -> bool | None:
        return self._compare(other, lambda a, b: a > b)

    def __ge__(self, other: object) -> bool | None:
        return self._compare(other, lambda a, b: a >= b)

    def is_compatible_with(self, other: object) -> bool:
        """Could the two be equal?"""
        other_value = Dimension(other).value
        return self.value is None or other_value is None or self.value == other_value

    def assert_is_compatible_with(self, other: object) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {Dimension(other)} are not compatible")

    def merge_with(self, other: object) -> Dimension:
        """The one of two equal dimensions that is known."""
        self.assert_is_compatible_with(other)
        return Dimension(other) if self.value is None else self

    def __str__(self) -> str:
        return "?" if self.value is None else str(self.value)

    def __repr__(self) -> str:
        return f"Dimension({self.value})"


class TensorShape:
    """What `Tensor.shape` and `get_shape()` give: a list of Dimension, or unknown rank."""

    def __init__(self, dims: object = None) -> None:
        if isinstance(dims, TensorShape):
            dims = dims._dims
        if dims is not None and not isinstance(dims, Iterable):
            dims = (dims,)
        self._dims: list[Dimension] | None = None if dims is None else [Dimension(d) for d in dims]  # type: ignore[attr-defined]

    @property
    def dims(self) -> list[Dimension] | None:
        return self._dims

    @property
    def ndims(self) -> int | None:
        return None if self._dims is None else len(self._dims)

    rank = ndims

    def _need(self) -> list[Dimension]:
        if self._dims is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return self._dims

    def as_list(self) -> list[int | None]:
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return [d.value for d in self._dims]

    def is_fully_defined(self) -> bool:
        return self._dims is not None and all(d.value is not None for d in self._dims)

    def num_elements(self) -> int | None:
        return int(product(self.as_list())) if self.is_fully_defined() else None  # type: ignore[arg-type]

    def is_compatible_with(self, other: object) -> bool:
        a, b = self._dims, TensorShape(other)._dims
        if a is None or b is None:
            return True
        return len(a) == len(b) and all(x.value is None or y.value is None or x.value == y.value for x, y in zip(a, b, strict=True))

    def assert_is_compatible_with(self, other: object) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {TensorShape(other)} are incompatible")

    def merge_with(self, other: object) -> TensorShape:
        """What two shapes of one tensor say together; ValueError where they contradict each other."""
        self.assert_is_compatible_with(other)
        b = TensorShape(other)
        if self._dims is None or b._dims is None:
            return b if self._dims is None else self
        return TensorShape([p.merge_with(q) for p, q in zip(self._dims, b._dims, strict=True)])

    def concatenate(self, other: object) -> TensorShape:
        """The axes of both, one after the other."""
        b = TensorShape(other)
        return TensorShape(None if self._dims is None or b._dims is None else [*self._dims, *b._dims])

    def __add__(self, other: object) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: object) -> TensorShape:
        return TensorShape(other).concatenate(self)

    def with_rank(self, rank: int) -> TensorShape:
        """The shape with so many axes; ValueError if it has others."""
        if self._dims is None:
            return TensorShape([None] * rank)
        if len(self._dims) != rank:
            raise ValueError(f"Shape {self} must have rank {rank}")
        return self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """The shape itself; ValueError if it has fewer axes."""
        if self._dims is not None and len(self._dims) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """The shape itself; ValueError if it has more axes."""
        if self._dims is not None and len(self._dims) > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def assert_has_rank(self, rank: int) -> None:
        if self.ndims not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def assert_same_rank(self, other: object) -> None:
        b = TensorShape(other)
        if self.ndims is not None and b.ndims is not None and self.ndims != b.ndims:
            raise ValueError(f"Shapes {self} and {b} must have the same rank")

    def assert_is_fully_defined(self) -> None:
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def __len__(self) -> int:
        return len(self._need())

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self._need())

    def __getitem__(self, key):
        return TensorShape(self._need()[key]) if isinstance(key, slice) else self._need()[key]

    def __bool__(self) -> bool:
        return self._dims is not None

    def __eq__(self, other: object) -> bool:
        try:
            b = TensorShape(other)._dims
        except TypeError:
            return NotImplemented
        a = self._dims
        if a is None or b is None:
            return a is b
        return [d.value for d in a] == [d.value for d in b]

    def __hash__(self) -> int:
        return hash(None if self._dims is None else tuple(d.value for d in self._dims))

    def __str__(self) -> str:
        if self._dims is None:
            return "<unknown>"
        inner = ", ".join(map(str, self._dims))
        return f"({inner},)" if len(self._dims) == 1 else f"({inner})"

    def __repr__(self) -> str:
        return f"TensorShape({None if self._dims is None else self._dims!r})"


def dimension_value(dimension: object) -> object:
    """The int or None that a Dimension holds; anything else itself."""
    return dimension.value if isinstance(dimension, Dimension) else dimension


def dimension_at_index(shape: TensorShape, index: int) -> Dimension:
    """The Dimension of an axis, unknown where the rank is."""
    return Dimension(None) if shape.ndims is None else shape[index]


def from_user(shape: object, names: Sequence[str] | str = "d") -> Shape | None:
    """A shape as TF1 programs write it: None (unknown rank), an int, or a sequence of ints, None, Dimension.

    Unknown entries become size symbols called `names` + '.shape[axis]'."""
    if shape is None:
        return None
    if isinstance(shape, TensorShape):
        if shape.dims is None:
            return None
        shape = shape.as_list()
    if not isinstance(shape, Iterable):
        shape = (shape,)
    dims: list[Extent] = []
    for axis, d in enumerate(shape):
        value = d.value if isinstance(d, Dimension) else d
        if value is None:
            dims.append(symbol(f"{names}.shape[{axis}]"))
        elif isinstance(value, sp.Expr):
            dims.append(value)
        else:
            if not hasattr(value, "__index__"):
                raise TypeError(f"Dimension value must be integer or None or have an __index__ method, got {value!r}")
            n = value.__index__()
            if n < 0:
                raise ValueError(f"Dimension {n} must be >= 0")
            dims.append(n)
    return tuple(dims)
