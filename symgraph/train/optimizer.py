"""What all optimizers share: gradients, slots, names, and how an update rule becomes an operation.

Law of this file: an optimizer is a table (`kind`, `hyper`, `slots`) and a rule, a function of sympy symbols from parameter,
gradient, slots and numbers to the new parameter and the new slots; nothing here knows a rule.  Names of operations and
slots are TF1's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

from .. import build, dtypes, scalar
from ..graph import BUILDERS, Attempt, Graph, Operation, Tensor, builder, convert
from ..node import Node
from ..ops.control import group
from ..ops.core import graph_of
from ..ops.derivative import gradients
from ..ops.indexed_slices import IndexedSlices
from ..ops.math import cast
from ..ops.state import Variable, assign_add, ref_of, trainable_variables
from .slots import filled, slot


class Optimizer:
    """Base: computes gradients and applies them.

    A subclass gives `kind` (the operation type), `hyper` (names of its numbers, in the rule's order), `slots` (names
    and initial values) and `rule(p, g, *slots, *shared, *hyper) -> (p, *slots)`."""

    GATE_NONE, GATE_OP, GATE_GRAPH = 0, 1, 2
    kind = ""
    hyper: tuple[str, ...] = ()
    slots: tuple[tuple[str, float], ...] = ()
    rowwise = True
    """Does `IndexedSlices` change the rows that it has alone?  Else it is taken as the array that it stands for."""
    kinds: tuple[str, ...] = ()
    """All that `kind` may be, where objects of a class differ in it."""

    def __init__(self, name: str, **numbers: Any) -> None:
        self._name = name
        self._numbers = numbers
        self._own: tuple[Variable, ...] = ()
        self._slot_names: dict[str, str | None] = {}
        self._slots: dict[tuple[Variable, str], Variable] = {}

    def get_name(self) -> str:
        return self._name

    def rule(self, p: sp.Expr, g: sp.Expr, *rest: sp.Expr) -> tuple[sp.Expr, ...]:
        raise NotImplementedError("an optimizer of one's own gives `kind`, `hyper`, `slots` and a `rule`: see tf.train.Optimizer")

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
        """[(gradient or None, variable)].  `loss` may be a function without arguments that gives it."""
        loss = convert(loss() if callable(loss) else loss)
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
        live = [(g if isinstance(g, IndexedSlices) else convert(g), v) for g, v in pairs if g is not None]
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
            number = Numbers(self._numbers)
            updates = []
            shared = self._shared()
            for (g, v), own in zip(live, slots, strict=True):
                hyper = [number(h, v.dtype) for h in self.hyper]
                more = [cast(e, v.dtype) for e in shared]
                rows = (g.values, g.indices) if self.rowwise and isinstance(g, IndexedSlices) else ()
                inputs = [v._ref, *(s._ref for s in own), *(rows or (convert(g),)), *more, *hyper]
                attrs = {"writes": 1 + len(own), **self._flags()}
                kind = f"SparseApply{self.kind}" if rows else f"Apply{self.kind}"
                updates.append(graph.add(kind, inputs, attrs, f"update_{v.op.name}/{kind}"))
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
        """Make `_own`, the variables that all updates share."""

    def _shared(self) -> Sequence[Any]:
        """Variables and tensors that every update reads after its slots and its gradient."""
        return self._own

    def _finish(self, number: Numbers) -> list[Operation]:
        """Operations to run after the updates."""
        return []

    # -- slots
    def _slot(self, v: Variable, name: str, start: float) -> Variable:
        key = (v, name)
        if key not in self._slots or not v.graph.holds(self._slots[key].op):
            self._slots[key] = slot(v, filled(v, start), self._slot_names.get(name) or self._name)
        return self._slots[key]

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """The slot variable of `var` called `name` ('momentum', 'm', 'v', ...), or None."""
        return self._slots.get((var, name))

    def get_slot_names(self) -> list[str]:
        return sorted(s for s, _ in self.slots)

    def variables(self) -> list[Variable]:
        """All variables that this optimizer made, by name."""
        return sorted((*self._own, *self._slots.values()), key=lambda v: v.name)


class Numbers:
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


def register(cls: type[Optimizer]) -> type[Optimizer]:
    """Make the builders of an optimizer's update operations from its rule, one for each of its `kinds`."""

    def dense(*operands: Node, writes: int, **flags: Any) -> tuple[Node, ...]:
        symbols = [scalar.x(k) for k in range(len(operands))]
        p, slots, g, rest = symbols[0], symbols[1:writes], symbols[writes], symbols[writes + 1 :]
        new = cls.rule(_Flags(flags), p, g, *slots, *rest)  # type: ignore[arg-type]
        return tuple(build.elementwise(sp.sympify(e), *operands, dtype=operands[0].dtype) for e in new)

    def sparse(*operands: Node, writes: int, **flags: Any) -> tuple[Node, ...]:
        """The rule on the rows that are used, of which one that is used again has one gradient: the sum."""
        own, (values, at), rest = operands[:writes], operands[writes : writes + 2], operands[writes + 2 :]
        total = build.gather(build.scatter(values, at, own[0].shape), at)
        rows = dense(*(build.gather(o, at) for o in own), total, *rest, writes=writes, **flags)
        return tuple(build.put(o, new, at) for o, new in zip(own, rows, strict=True))

    for kind in cls.kinds or (cls.kind,):
        if f"Apply{kind}" not in BUILDERS:
            builder(f"Apply{kind}")(dense)
            builder(f"SparseApply{kind}")(sparse)
    return cls


class _Flags:
    """Stands in for the optimizer when a recorded update is built: its flags only."""

    def __init__(self, flags: dict[str, Any]) -> None:
        self.__dict__.update(flags)
