"""Straight-line functions of numbers, written once in Python: LLVM code for kernels, and themselves as plain Python.

Law of this file: a function is traced, not compiled.  Called with a kernel's values in place of numbers it appends
its instructions to the kernel, so Numba never types or lowers its lines (exp adds 10 ms to a new kernel and erf 15, as
ordinary functions 240 and 270), and what is computed twice in one loop, exp(-x*x) by `erf` and by its derivative say, is
LLVM's to share.  Such a function has operators, `abs`, `view` and `astype` of NumPy's scalars, and from here `select`,
`clamp`, `fma`; constants are NumPy scalars; whatever is not traced (loops over coefficients) runs while it is traced.
Products and sums may contract to fused multiply-adds; `fma` always is one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

KINDS: dict[type, ir.Type] = {
    np.float32: ir.FloatType(),
    np.float64: ir.DoubleType(),
    np.int32: ir.IntType(32),
    np.int64: ir.IntType(64),
}
CONTRACT = ("contract",)
_WHOLE = {np.float32: np.int32, np.float64: np.int64}


def _arithmetic(real: str, whole: str = "", turned: bool = False) -> Callable:
    def method(self: Value, other: Any) -> Value:
        a, b = self.raw, self.lift(other)
        if turned:
            a, b = b, a
        if isinstance(a.type, ir.IntType):
            return self.of(getattr(self.builder, whole)(a, b))
        return self.of(getattr(self.builder, real)(a, b, flags=CONTRACT))

    return method


def _comparison(symbol: str) -> Callable:
    def method(self: Value, other: Any) -> Value:
        a, b = self.raw, self.lift(other)
        if isinstance(a.type, ir.IntType):
            return self.of(self.builder.icmp_signed(symbol, a, b))
        return self.of((self.builder.fcmp_unordered if symbol == "!=" else self.builder.fcmp_ordered)(symbol, a, b))

    return method


class Value:
    """A number of the kernel that is being traced: one LLVM value, with the operators of NumPy's scalars."""

    __array_ufunc__ = None  # np.float32(1) + value asks the value
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, builder: ir.IRBuilder, raw: ir.Value) -> None:
        self.builder, self.raw = builder, raw

    def of(self, raw: ir.Value) -> Value:
        return Value(self.builder, raw)

    def lift(self, x: Any) -> ir.Value:
        """The LLVM value of x: traced, or a constant given as a NumPy scalar."""
        return x.raw if isinstance(x, Value) else ir.Constant(KINDS[type(x)], x.item())

    def llvm(self, name: str, *others: Any) -> Value:
        """An intrinsic of LLVM on numbers of one type."""
        kind = self.raw.type
        signature = ir.FunctionType(kind, [kind] * (1 + len(others)))
        function = self.builder.module.declare_intrinsic(f"llvm.{name}", [kind], signature)
        return self.of(self.builder.call(function, [self.raw, *map(self.lift, others)]))

    __add__, __radd__ = _arithmetic("fadd", "add"), _arithmetic("fadd", "add", True)
    __sub__, __rsub__ = _arithmetic("fsub", "sub"), _arithmetic("fsub", "sub", True)
    __mul__, __rmul__ = _arithmetic("fmul"), _arithmetic("fmul", "", True)
    __truediv__, __rtruediv__ = _arithmetic("fdiv"), _arithmetic("fdiv", "", True)
    __lshift__, __rshift__ = _arithmetic("", "shl"), _arithmetic("", "ashr")
    __and__, __or__, __xor__ = _arithmetic("", "and_"), _arithmetic("", "or_"), _arithmetic("", "xor")
    __lt__, __gt__, __le__, __ge__ = (_comparison(symbol) for symbol in ("<", ">", "<=", ">="))
    __eq__, __ne__ = _comparison("=="), _comparison("!=")  # type: ignore[assignment]

    def __neg__(self) -> Value:
        return self.of(self.builder.fneg(self.raw, flags=CONTRACT))

    def __abs__(self) -> Value:
        return self.llvm("fabs")

    def round(self) -> Value:
        return self.llvm("rint")

    def view(self, kind: type) -> Value:
        return self.of(self.builder.bitcast(self.raw, KINDS[kind]))

    def astype(self, kind: type) -> Value:
        if self.raw.type == KINDS[kind]:
            return self
        return self.of((self.builder.fpext if kind is np.float64 else self.builder.fptrunc)(self.raw, KINDS[kind]))


def select(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, else y; both are computed."""
    if not isinstance(condition, Value):
        return x if condition else y
    return condition.of(condition.builder.select(condition.raw, condition.lift(x), condition.lift(y)))


def below(x: Any, y: Any) -> Any:
    """x < y for whole numbers read without their sign."""
    if not isinstance(x, Value):
        unsigned = f"u{x.itemsize}"
        return x.view(unsigned) < y.view(unsigned)
    return x.of(x.builder.icmp_unsigned("<", x.raw, x.lift(y)))


def least(x: Any, high: Any) -> Any:
    """The lesser of x and high > 0; nan becomes high if its sign is +.

    As whole numbers of the same bits: positive floats are in order, negative ones in reverse, and above all positive
    ones when they are read without sign.  (`clamp` costs exp 1 cycle of 15, minimum and maximum of floats cost it 4.)"""
    i, most = x.view(_WHOLE[type(high)]), high.view(_WHOLE[type(high)])
    return select(i < most, i, most).view(type(high))


def clamp(x: Any, low: Any, high: Any) -> Any:
    """x brought to between low < 0 and high > 0; nan becomes one of them."""
    i, bound = least(x, high).view(_WHOLE[type(low)]), low.view(_WHOLE[type(low)])
    return select(below(i, bound), i, bound).view(type(low))


def fma(x: Any, y: Any, z: Any) -> Any:
    """x * y + z rounded once."""
    traced = next((v for v in (x, y, z) if isinstance(v, Value)), None)
    if traced is not None:
        return traced.of(traced.lift(x)).llvm("fma", y, z)
    if not (np.isfinite(x) and np.isfinite(y) and np.isfinite(z)):
        return x * y + z
    exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
    return type(x)(float(exact)) if exact and abs(exact) < np.finfo(type(x)).max else x * y + z


def compiled(function: Callable, real: type) -> Callable:
    """What kernels call: `function` of one or two numbers of type `real`, traced into them."""
    kind = numba.from_dtype(np.dtype(real))

    def build(context, builder, signature, args):
        return function(*(Value(builder, a) for a in args)).raw

    if function.__code__.co_argcount == 1:
        return intrinsic(lambda typing, x: (kind(kind), build))
    return intrinsic(lambda typing, x, y: (kind(kind, kind), build))
