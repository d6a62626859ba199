"""Optimizers: each is its update rule, as expressions over parameter, gradient, slots and hyper-parameters.

Law of this file: a rule is a function of sympy symbols that returns the new parameter and the new slots in order; the
compiler fuses it with whatever computes the gradient.  Names of operations and slots are TF1's.

Sources: momentum after Polyak (1964) and Nesterov (1983) as TF1 writes them; Adagrad, Duchi et al. (2011); RMSProp,
Hinton's lecture 6e (2012); Adam, Kingma and Ba (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

from .. import build, dtypes, scalar
from ..graph import BUILDERS, Attempt, Graph, Operation, Tensor, builder, convert, get_default_graph
from ..node import Node
from ..ops.control import group
from ..ops.core import graph_of
from ..ops.derivative import gradients
from ..ops.math import cast
from ..ops.state import Variable, assign, assign_add, ref_of, trainable_variables

GLOBAL_STEP = "global_step"


class Optimizer:
    """Base: computes gradients and applies them.

    A subclass gives `kind` (the operation type), `hyper` (names of its numbers, in the rule's order), `slots` (names
    and initial values) and `rule(p, g, *slots, *hyper) -> (p, *slots)`."""

    kind = ""
    hyper: tuple[str, ...] = ()
    slots: tuple[tuple[str, float], ...] = ()
    shared: tuple[Variable, ...] = ()
    """Variables that every update reads after its own."""

    def __init__(self, name: str, **numbers: Any) -> None:
        self._name = name
        self._numbers = numbers
        self._slots: dict[tuple[Variable, str], Variable] = {}

    def get_name(self) -> str:
        return self._name

    def rule(self, p: sp.Expr, g: sp.Expr, *rest: sp.Expr) -> tuple[sp.Expr, ...]:
        raise NotImplementedError

    # -- the three public steps
    def minimize(
        self,
        loss: Tensor,
        global_step: Variable | None = None,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: int = 1,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Operation:
        """The training operation: gradients of `loss` for `var_list` (default: the trainable variables), applied."""
        with Attempt(graph_of((loss,)), "minimize", name or self._name, {"loss": loss}):
            pairs = self.compute_gradients(loss, var_list, grad_loss=grad_loss)
            if all(g is None for g, _ in pairs):
                raise ValueError(
                    f"No gradients provided for any variable, check your graph for ops that do not support gradients, between variables "
                    f"{[repr(v) for _, v in pairs]} and loss {loss}."
                )
            return self.apply_gradients(pairs, global_step, name)

    def compute_gradients(
        self,
        loss: Tensor,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: int = 1,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Tensor | None, Variable]]:
        """[(gradient or None, variable)]."""
        loss = convert(loss)
        if not loss.dtype.is_floating:
            raise ValueError(f"Invalid type {loss.dtype!r} for {loss.name}, expected: [tf.float32, tf.float64].")
        variables = trainable_variables() if var_list is None else list(var_list) if isinstance(var_list, list | tuple) else [var_list]
        if not variables:
            raise ValueError("No variables to optimize.")
        for v in variables:
            if not isinstance(v, Variable):
                raise TypeError(f"Argument is not a tf.Variable: {v!r}")
        return list(zip(gradients(loss, variables, grad_loss), variables, strict=True))

    def apply_gradients(self, grads_and_vars: Any, global_step: Variable | None = None, name: str | None = None) -> Operation:
        """The operation that updates each variable by its gradient, and adds 1 to `global_step`."""
        if global_step is not None:
            ref_of(global_step)
        pairs = [(g, v) for g, v in grads_and_vars]
        if not pairs:
            raise ValueError("No variables provided.")
        live = [(convert(g), v) for g, v in pairs if g is not None]
        if not live:
            raise ValueError(f"No gradients provided for any variable: {[str(v.name) for _, v in pairs]}.")
        graph: Graph = live[0][1].graph
        for g, v in live:
            if g.dtype is not v.dtype or not g.shape.is_compatible_with(v.shape):
                raise ValueError(f"the gradient {g.described()} does not fit the variable {v!r}")
        with graph.control_dependencies(None):
            self._create(graph)
            slots = [[self._slot(v, s, start) for s, start in self.slots] for _, v in live]
        with graph.name_scope(name or self._name) as scope:
            number = _Numbers(self._numbers)
            updates = []
            for (g, v), own in zip(live, slots, strict=True):
                hyper = [number(h, v.dtype) for h in self.hyper]
                more = [cast(e, v.dtype) for e in self.shared]
                inputs = [v._ref, *(s._ref for s in own), g, *more, *hyper]
                attrs = {"writes": 1 + len(own), **self._flags()}
                updates.append(graph.add(f"Apply{self.kind}", inputs, attrs, f"update_{v.op.name}/Apply{self.kind}"))
            with graph.control_dependencies(updates):
                updates += self._finish(number)
            if global_step is None:
                done = group(*updates, name=scope)
            else:
                with graph.control_dependencies([group(*updates, name="update")]):
                    done = assign_add(global_step, np.asarray(1, global_step.dtype.as_numpy_dtype), name=scope).op
        train = graph.get_collection_ref("train_op")
        if done not in train:
            train.append(done)
        return done

    # -- what subclasses may add
    def _flags(self) -> dict[str, Any]:
        return {}

    def _create(self, graph: Graph) -> None:
        """Make the variables that all updates share."""

    def _finish(self, number: _Numbers) -> list[Operation]:
        """Operations to run after the updates."""
        return []

    # -- slots
    def _slot(self, v: Variable, name: str, start: float) -> Variable:
        key = (v, name)
        if key not in self._slots or not v.graph.holds(self._slots[key].op):
            with v.graph.name_scope(None):
                self._slots[key] = Variable(
                    np.full(tuple(v.shape.as_list()), start, v.dtype.as_numpy_dtype),
                    trainable=False,
                    name=f"{v.op.name}/{self._slot_name()}",
                )
        return self._slots[key]

    def _slot_name(self) -> str:
        return self._name

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """The slot variable of `var` called `name` ('momentum', 'm', 'v', ...), or None."""
        return self._slots.get((var, name))

    def get_slot_names(self) -> list[str]:
        return [s for s, _ in self.slots]


class _Numbers:
    """Hyper-parameters as tensors.  As in TF1 a Python number is float32 first, also beside float64 variables."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.made: dict[tuple[str, str | None], Tensor] = {}

    def __call__(self, name: str, dtype: dtypes.DType | None = None) -> Tensor:
        key = (name, dtype.name if dtype else None)
        if key not in self.made:
            if dtype is not None:
                self.made[key] = cast(self(name), dtype)
            else:
                value = self.given[name]
                self.made[key] = convert(value() if callable(value) else value, name=name)
        return self.made[key]


def _register(cls: type[Optimizer]) -> type[Optimizer]:
    """Make the builder of an optimizer's update operation from its rule."""

    def make(*operands: Node, writes: int, **flags: Any) -> tuple[Node, ...]:
        symbols = [scalar.x(k) for k in range(len(operands))]
        p, slots, g, rest = symbols[0], symbols[1:writes], symbols[writes], symbols[writes + 1 :]
        new = cls.rule(_Flags(flags), p, g, *slots, *rest)  # type: ignore[arg-type]
        return tuple(build.elementwise(sp.sympify(e), *operands, dtype=operands[0].dtype) for e in new)

    if f"Apply{cls.kind}" not in BUILDERS:
        builder(f"Apply{cls.kind}")(make)
    return cls


class _Flags:
    """Stands in for the optimizer when a recorded update is built: its flags only."""

    def __init__(self, flags: dict[str, Any]) -> None:
        self.__dict__.update(flags)


@_register
class GradientDescentOptimizer(Optimizer):
    """p <- p - lr g."""

    kind = "GradientDescent"
    hyper = ("learning_rate",)

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(name, learning_rate=learning_rate)

    def rule(self, p, g, lr):  # type: ignore[override]
        return (p - lr * g,)


@_register
class MomentumOptimizer(Optimizer):
    """a <- m a + g;  p <- p - lr a, or with `use_nesterov` p <- p - lr (g + m a)."""

    kind = "Momentum"
    hyper = ("learning_rate", "momentum")
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


@_register
class AdagradOptimizer(Optimizer):
    """s <- s + g^2;  p <- p - lr g / sqrt(s); s starts at `initial_accumulator_value`."""

    kind = "Adagrad"
    hyper = ("learning_rate",)

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1, use_locking: bool = False, name: str = "Adagrad"
    ) -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(name, learning_rate=learning_rate)
        self.slots = (("accumulator", initial_accumulator_value),)

    def rule(self, p, g, s, lr):  # type: ignore[override]
        s = s + g**2
        return p - lr * g / sp.sqrt(s), s


@_register
class RMSPropOptimizer(Optimizer):
    """s <- d s + (1 - d) g^2;  v <- m v + lr g / sqrt(s + eps);  p <- p - v; s starts at 1."""

    kind = "RMSProp"
    hyper = ("learning_rate", "decay", "momentum", "epsilon")
    slots = (("rms", 1.0), ("momentum", 0.0))

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
        if centered:
            raise NotImplementedError("RMSPropOptimizer(centered=True) is not supported; centered=False is")
        super().__init__(name, learning_rate=learning_rate, decay=decay, momentum=momentum, epsilon=epsilon)

    def rule(self, p, g, s, v, lr, d, m, eps):  # type: ignore[override]
        s = d * s + (1 - d) * g**2
        v = m * v + lr * g / sp.sqrt(s + eps)
        return p - v, s, v


@_register
class AdamOptimizer(Optimizer):
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- p - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)."""

    kind = "Adam"
    hyper = ("learning_rate", "beta1", "beta2", "epsilon")
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
        if not self.shared or not graph.holds(self.shared[0].op):
            self.shared = tuple(Variable(number, trainable=False, name=f"{h}_power", dtype=dtypes.float32) for h, number in self._decays())

    def _decays(self) -> list[tuple[str, Any]]:
        return [(h, self._numbers[h]) for h in ("beta1", "beta2")]

    def _finish(self, number: _Numbers) -> list[Operation]:
        return [assign(v, v * number(h, v.dtype)).op for v, (h, _) in zip(self.shared, self._decays(), strict=True)]  # type: ignore[operator]

    def rule(self, p, g, m, v, t1, t2, lr, b1, b2, eps):  # type: ignore[override]
        m = m + (g - m) * (1 - b1)
        v = v + (g**2 - v) * (1 - b2)
        return p - lr * sp.sqrt(1 - t2) / (1 - t1) * m / (sp.sqrt(v) + eps), m, v


# ---------------------------------------------------------------- the global step
def get_global_step(graph: Graph | None = None) -> Variable | None:
    """The graph's step counter, if it has one."""
    found = (graph or get_default_graph()).get_collection(GLOBAL_STEP)
    return found[0] if found else None


def get_or_create_global_step(graph: Graph | None = None) -> Variable:
    """The graph's step counter: an int64 variable 'global_step', 0 at first."""
    graph = graph or get_default_graph()
    found = get_global_step(graph)
    if found is None:
        with graph.as_default(), graph.name_scope(None):
            found = Variable(np.asarray(0, np.int64), trainable=False, name=GLOBAL_STEP)
        graph.add_to_collection(GLOBAL_STEP, found)
    return found
