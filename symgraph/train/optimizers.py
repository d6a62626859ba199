"""Optimizers: each is its update rule, as expressions over parameter, gradient, slots and hyper-parameters.

Law of this file: a rule is a function of sympy symbols that returns the new parameter and the new slots in order; the
compiler fuses it with whatever computes the gradient.  Arguments, and their defaults, are TF1's.

Sources: momentum after Polyak (1964) and Nesterov (1983) as TF1 writes them; Adagrad, Duchi et al. (2011), and its dual
averaging (AdagradDA); RMSProp, Hinton's lecture 6e (2012), centered after Graves (2013); Adam, Kingma and Ba (2015);
Adadelta, Zeiler (2012); Ftrl, McMahan et al. (2013); proximal steps, Duchi and Singer (2009).
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from .. import dtypes
from ..codegen import scalar as fn
from ..graph import Graph, Operation
from ..ops.math import identity
from ..ops.state import Variable, assign
from .optimizer import Numbers, Optimizer, register


def shrunk(x: sp.Expr, by: sp.Expr) -> sp.Expr:
    """x moved towards 0 by that much, and 0 where it would pass it: what an L1 term does."""
    return fn.sgn(x) * fn.maximum(fn.absolute(x) - by, 0)


def not_below(least: float, **numbers: float) -> None:
    """ValueError for a number that is less."""
    for name, value in numbers.items():
        if value < least:
            raise ValueError(f"{name} {value} needs to be positive or zero")


def above_zero(**numbers: float) -> None:
    """ValueError for a number that is not positive."""
    for name, value in numbers.items():
        if value <= 0.0:
            raise ValueError(f"{name} must be positive: {value}")


@register
class GradientDescentOptimizer(Optimizer):
    """p <- p - lr g."""

    kind = "GradientDescent"
    rowwise = False  # where nothing is added nothing changes
    hyper = ("learning_rate",)

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(name, learning_rate=learning_rate)

    def rule(self, p, g, lr):  # type: ignore[override]
        return (p - lr * g,)


@register
class MomentumOptimizer(Optimizer):
    """a <- m a + g;  p <- p - lr a, or with `use_nesterov` p <- p - lr (g + m a)."""

    kind = "Momentum"
    hyper: tuple[str, ...] = ("learning_rate", "momentum")
    slots = (("momentum", 0.0),)

    def __init__(
        self, learning_rate: Any, momentum: Any, use_locking: bool = False, name: str = "Momentum", use_nesterov: bool = False
    ) -> None:
        super().__init__(name, learning_rate=learning_rate, momentum=momentum)
        self.nesterov = bool(use_nesterov)

    def _flags(self) -> dict[str, Any]:
        return {"nesterov": self.nesterov}

    def rule(self, p, g, a, lr, m):  # type: ignore[override]
        a = m * a + g
        return p - lr * (g + m * a if self.nesterov else a), a


@register
class AdagradOptimizer(Optimizer):
    """s <- s + g^2;  p <- p - lr g / sqrt(s); s starts at `initial_accumulator_value`."""

    kind = "Adagrad"
    hyper = ("learning_rate",)

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1, use_locking: bool = False, name: str = "Adagrad"
    ) -> None:
        above_zero(initial_accumulator_value=initial_accumulator_value)
        super().__init__(name, learning_rate=learning_rate)
        self.slots = (("accumulator", initial_accumulator_value),)

    def rule(self, p, g, s, lr):  # type: ignore[override]
        s = s + g**2
        return p - lr * g / sp.sqrt(s), s


@register
class RMSPropOptimizer(Optimizer):
    """s <- d s + (1 - d) g^2;  v <- m v + lr g / sqrt(s + eps);  p <- p - v; s starts at 1.

    With `centered`, c <- d c + (1 - d) g, and s - c^2, the variance, takes the place of s under the root."""

    kind = "RMSProp"
    kinds = ("RMSProp", "CenteredRMSProp")
    hyper = ("learning_rate", "decay", "momentum", "epsilon")
    slots: tuple[tuple[str, float], ...] = (("rms", 1.0), ("momentum", 0.0))
    centered = False

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(name, learning_rate=learning_rate, decay=decay, momentum=momentum, epsilon=epsilon)
        if centered:
            self.kind, self.centered = "CenteredRMSProp", True
            self.slots = (("rms", 1.0), ("mg", 0.0), ("momentum", 0.0))

    def _flags(self) -> dict[str, Any]:
        return {"centered": True} if self.centered else {}

    def rule(self, p, g, s, *rest):  # type: ignore[override]
        *c, v, lr, d, m, eps = rest
        s = d * s + (1 - d) * g**2
        c = [d * x + (1 - d) * g for x in c]
        v = m * v + lr * g / sp.sqrt(s - sum(x**2 for x in c) + eps)
        return p - v, s, *c, v


@register
class AdamOptimizer(Optimizer):
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- p - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)."""

    kind = "Adam"
    powers: tuple[str, ...] = ("beta1", "beta2")
    """Numbers whose powers are kept, one more in each step."""
    rowwise = False  # as in TF1, the moments of all rows decay
    hyper: tuple[str, ...] = ("learning_rate", "beta1", "beta2", "epsilon")
    slots = (("m", 0.0), ("v", 0.0))

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(name, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon)

    def _create(self, graph: Graph) -> None:
        """beta1^t and beta2^t, as float32 variables in the scope in which the optimizer is used."""
        if not self._own or not graph.holds(self._own[0].op):
            self._own = tuple(Variable(self._numbers[h], trainable=False, name=f"{h}_power", dtype=dtypes.float32) for h in self.powers)

    def _finish(self, number: Numbers) -> list[Operation]:
        return [assign(v, v * number(h, v.dtype)).op for v, h in zip(self._own, self.powers, strict=True)]  # type: ignore[operator]

    def rule(self, p, g, m, v, t1, t2, lr, b1, b2, eps):  # type: ignore[override]
        m = m + (g - m) * (1 - b1)
        v = v + (g**2 - v) * (1 - b2)
        return p - lr * sp.sqrt(1 - t2) / (1 - t1) * m / (sp.sqrt(v) + eps), m, v


@register
class AdadeltaOptimizer(Optimizer):
    """s <- r s + (1 - r) g^2;  d = sqrt(u + eps) / sqrt(s + eps) g;  u <- r u + (1 - r) d^2;  p <- p - lr d."""

    kind = "Adadelta"
    hyper = ("lr", "rho", "epsilon")
    slots = (("accum", 0.0), ("accum_update", 0.0))

    def __init__(
        self, learning_rate: Any = 0.001, rho: Any = 0.95, epsilon: Any = 1e-8, use_locking: bool = False, name: str = "Adadelta"
    ) -> None:
        super().__init__(name, lr=learning_rate, rho=rho, epsilon=epsilon)

    def rule(self, p, g, s, u, lr, r, eps):  # type: ignore[override]
        s = r * s + (1 - r) * g**2
        d = sp.sqrt(u + eps) / sp.sqrt(s + eps) * g
        return p - lr * d, s, r * u + (1 - r) * d**2


@register
class AdagradDAOptimizer(Optimizer):
    """a <- a + g;  s <- s + g^2;  p <- -lr a' / (l2 t lr + sqrt(s)), where a' is a shrunk by l1 t and t counts from 1.

    `global_step` is the counter of steps, which `minimize` must be given too."""

    kind = "AdagradDA"
    hyper = ("learning_rate", "l1_regularization_strength", "l2_regularization_strength")

    def __init__(
        self,
        learning_rate: Any,
        global_step: Any,
        initial_gradient_squared_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "AdagradDA",
    ) -> None:
        above_zero(initial_gradient_squared_accumulator_value=initial_gradient_squared_accumulator_value)
        l1, l2 = l1_regularization_strength, l2_regularization_strength
        super().__init__(name, learning_rate=learning_rate, l1_regularization_strength=l1, l2_regularization_strength=l2)
        self.slots = (("gradient_accumulator", 0.0), ("gradient_squared_accumulator", initial_gradient_squared_accumulator_value))
        self._step = global_step

    def _shared(self) -> list[Any]:
        return [identity(self._step) + 1]  # type: ignore[operator]

    def rule(self, p, g, a, s, t, lr, l1, l2):  # type: ignore[override]
        a, s = a + g, s + g**2
        return -lr * shrunk(a, l1 * t) / (l2 * t * lr + sp.sqrt(s)), a, s


@register
class FtrlOptimizer(Optimizer):
    """s' = s + g^2;  z <- z + g - (s'^q - s^q) / lr p;  p <- -z' / (s'^q / lr + 2 l2), z' being z shrunk by l1;  s <- s'.

    q is -learning_rate_power.  With `l2_shrinkage_regularization_strength`, z takes g + 2 shrinkage p in the place of g."""

    kind = "Ftrl"
    kinds = ("Ftrl", "FtrlV2")
    hyper: tuple[str, ...] = ("learning_rate", "l1_regularization_strength", "l2_regularization_strength")

    def __init__(
        self,
        learning_rate: Any,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "Ftrl",
        accum_name: str | None = None,
        linear_name: str | None = None,
        l2_shrinkage_regularization_strength: float = 0.0,
    ) -> None:
        l1, l2, shrinkage = l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength
        not_below(0.0, initial_accumulator_value=initial_accumulator_value, l1_regularization_strength=l1)
        not_below(0.0, l2_regularization_strength=l2, l2_shrinkage_regularization_strength=shrinkage)
        if learning_rate_power > 0.0:
            raise ValueError(f"learning_rate_power {learning_rate_power} needs to be negative or zero")
        super().__init__(name, learning_rate=learning_rate, l1_regularization_strength=l1, l2_regularization_strength=l2)
        self.slots = (("accum", initial_accumulator_value), ("linear", 0.0))
        self._slot_names = {"accum": accum_name, "linear": linear_name}
        self.power = float(learning_rate_power)
        if shrinkage > 0.0:
            self.kind, self.hyper = "FtrlV2", (*self.hyper, "l2_shrinkage_regularization_strength")
            self._numbers["l2_shrinkage_regularization_strength"] = shrinkage

    def _flags(self) -> dict[str, Any]:
        return {"power": self.power}

    def rule(self, p, g, s, z, lr, l1, l2, shrinkage=0):  # type: ignore[override]
        q = -sp.Rational(repr(self.power))
        new = s + g**2
        z = z + g + 2 * shrinkage * p - (new**q - s**q) / lr * p
        return -shrunk(z, l1) / (new**q / lr + 2 * l2), new, z


@register
class ProximalGradientDescentOptimizer(Optimizer):
    """x = p - lr g;  p <- x' / (1 + lr l2), where x' is x shrunk by lr l1."""

    kind = "ProximalGradientDescent"
    hyper = ("learning_rate", "l1_regularization_strength", "l2_regularization_strength")

    def __init__(
        self,
        learning_rate: Any,
        l1_regularization_strength: Any = 0.0,
        l2_regularization_strength: Any = 0.0,
        use_locking: bool = False,
        name: str = "ProximalGradientDescent",
    ) -> None:
        l1, l2 = l1_regularization_strength, l2_regularization_strength
        super().__init__(name, learning_rate=learning_rate, l1_regularization_strength=l1, l2_regularization_strength=l2)

    def rule(self, p, g, lr, l1, l2):  # type: ignore[override]
        return (shrunk(p - lr * g, lr * l1) / (1 + lr * l2),)


@register
class ProximalAdagradOptimizer(Optimizer):
    """s <- s + g^2;  h = lr / sqrt(s);  x = p - h g;  p <- x' / (1 + h l2), where x' is x shrunk by h l1."""

    kind = "ProximalAdagrad"
    hyper = ("learning_rate", "l1_regularization_strength", "l2_regularization_strength")

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: Any = 0.0,
        l2_regularization_strength: Any = 0.0,
        use_locking: bool = False,
        name: str = "ProximalAdagrad",
    ) -> None:
        above_zero(initial_accumulator_value=initial_accumulator_value)
        l1, l2 = l1_regularization_strength, l2_regularization_strength
        super().__init__(name, learning_rate=learning_rate, l1_regularization_strength=l1, l2_regularization_strength=l2)
        self.slots = (("accumulator", initial_accumulator_value),)

    def rule(self, p, g, s, lr, l1, l2):  # type: ignore[override]
        s = s + g**2
        h = lr / sp.sqrt(s)
        return shrunk(p - h * g, h * l1) / (1 + h * l2), s
