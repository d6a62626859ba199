"""Python's operators on what stands for a value.

Law of this file: `Arithmetic` gives tensors and variables one set of operators; what an operator does is an entry of
`Arithmetic.operators`, put there by the files of ops/.  A tensor has no value while the graph is built, so asking for
its truth, length, elements or number is a TypeError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from .errors import locate, user_site

if TYPE_CHECKING:
    from .graph import Tensor


class Arithmetic:
    """Python's operators, shared by tensors and variables; ops/math.py fills `operators`."""

    __slots__ = ()
    __array_priority__ = 100
    operators: ClassVar[dict[str, Callable[..., Any]]] = {}

    def _binary(self, name: str, other: object, swapped: bool = False) -> Tensor:
        f = Arithmetic.operators[name]
        return f(other, self) if swapped else f(self, other)

    def __bool__(self) -> bool:
        raise self._valueless(
            "Using a `tf.Tensor` as a Python `bool` is not allowed. Use `if t is not None:` instead of `if t:` to test if a tensor is "
            "defined, and use TensorFlow ops such as tf.cond to execute subgraphs conditioned on the value of a tensor."
        )

    def __iter__(self) -> Iterator:
        raise self._valueless(
            "Tensor objects are only iterable when eager execution is enabled. To iterate over this tensor use tf.map_fn."
        )

    def __len__(self) -> int:
        raise self._valueless(
            "len is not well defined for symbolic Tensors. Please call `x.shape` rather than `len(x)` for shape information."
        )

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        raise self._valueless("Cannot convert a symbolic Tensor to a numpy array. Use sess.run(t) or t.eval() to get its value.")

    def __float__(self) -> NoReturn:
        raise self._valueless("A symbolic Tensor is not a number. Use sess.run(t) or t.eval() to get its value.")

    __int__ = __float__

    def _valueless(self, why: str) -> BaseException:
        return locate(TypeError(why), "used", user_site(), {"tensor": self})

    if TYPE_CHECKING:  # what `_add_operators` makes, for those who use it here
        __add__: Callable[[Any, Any], Tensor]
        __sub__: Callable[[Any, Any], Tensor]
        __mul__: Callable[[Any, Any], Tensor]
        __truediv__: Callable[[Any, Any], Tensor]
        __radd__: Callable[[Any, Any], Tensor]
        __rsub__: Callable[[Any, Any], Tensor]
        __rmul__: Callable[[Any, Any], Tensor]
        __rtruediv__: Callable[[Any, Any], Tensor]

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __getitem__(self, key: object) -> Tensor:
        return Arithmetic.operators["getitem"](self, key)

    def _repr_html_(self) -> str:
        return Arithmetic.operators["html"](self)

    def __neg__(self) -> Tensor:
        return Arithmetic.operators["neg"](self)

    def __abs__(self) -> Tensor:
        return Arithmetic.operators["abs"](self)

    def __invert__(self) -> Tensor:
        return Arithmetic.operators["invert"](self)


def _add_operators() -> None:
    def forward(name: str):
        return lambda self, other: self._binary(name, other)

    def backward(name: str):
        return lambda self, other: self._binary(name, other, swapped=True)

    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
        setattr(Arithmetic, f"__{name}__", forward(name))
        setattr(Arithmetic, f"__r{name}__", backward(name))
    for name in ("lt", "le", "gt", "ge"):
        setattr(Arithmetic, f"__{name}__", forward(name))


_add_operators()
