"""What every layer shares: its names, its variables, and its function.

Law of this file: a layer lives in a variable scope of its own, taken when it is first called (functions with a name: at
once).  Variables are named by variable scopes alone ('hidden1/kernel'), operations by the name scope that was opened with
the layer's ('dnn/hidden1/MatMul').  Layers without a name are counted per variable scope, and a scope that is entered
again counts from the start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter, Signature, signature
from types import MappingProxyType
from typing import Any

from ..dtypes import DType, as_dtype
from ..graph import Attempt, Graph, Operation, Tensor, as_operation, convert, get_default_graph
from ..ops.state import Variable
from ..scopes import GraphKeys, VariableScope, get_variable, variable_scope
from ..shapes import TensorShape


class Layer:
    """A part of a network that makes its variables when it is first called, and uses them ever after.

    A subclass makes variables with `add_variable` in `build(input_shape)` and computes in `call(inputs, ...)`.
    `variable_names` renames variables: {'kernel': 'weights'}.  TypeError for arguments that no layer has."""

    namespace = "tf.layers"
    """Where users find the class."""
    least_rank = 0
    """How many axes the input must have."""
    updates_collections: Any = GraphKeys.UPDATE_OPS
    variable_names: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
        activity_regularizer: Callable[[Tensor], Tensor] | None = None,
        _scope: Any = None,
        _reuse: Any = None,
    ) -> None:
        self.trainable, self.built, self.activity_regularizer = bool(trainable), False, activity_regularizer
        self.weights: list[Variable] = []
        self.updates: list[Operation] = []
        self.losses: list[Tensor] = []
        self._dtype = None if dtype is None else as_dtype(dtype)
        self._reuse, self._base_name = _reuse, name or snake_case(type(self).__name__)
        self._scope: VariableScope | None = _scope if isinstance(_scope, VariableScope) else None
        if isinstance(_scope, str):
            with variable_scope(_scope) as scope:
                self._scope = scope

    # -- what a subclass gives
    def build(self, input_shape: TensorShape) -> None:
        """Make the variables; `input_shape` is that of the first input."""

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The output for `inputs`."""
        raise NotImplementedError(f"{type(self).__name__} has no call(inputs)")

    # -- what it may use
    def add_variable(
        self,
        name: str,
        shape: Any,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Callable[[Any], Tensor | None] | None = None,
        trainable: bool = True,
        constraint: Any = None,
        partitioner: Any = None,
    ) -> Variable:
        """A variable of the layer; a regularizer's loss joins REGULARIZATION_LOSSES, once for each variable."""
        no_constraint(f"{name}_constraint", constraint)
        with self._entered() as graph:
            mark = len(graph.get_operations())
            d = as_dtype(dtype) if dtype is not None else self._dtype
            full = self.variable_names.get(name, name)
            v = get_variable(full, shape, d, initializer, trainable=trainable and self.trainable, partitioner=partitioner)
            if regularizer is not None and v.op.number >= mark:
                with graph.name_scope(f"{full}/Regularizer"):
                    self.add_loss(regularizer(v))
        if v not in self.weights:
            self.weights.append(v)
        return v

    add_weight = add_variable

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Join REGULARIZATION_LOSSES; None is nothing."""
        for loss in losses if isinstance(losses, list | tuple) else [losses]:
            if loss is not None:
                self.losses.append(loss)
                loss.graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Join UPDATE_OPS: operations that the program has to run beside its training step."""
        for update in updates if isinstance(updates, list | tuple) else [updates]:
            op = as_operation(update)
            self.updates.append(op)
            for key in [keys] if isinstance(keys := self.updates_collections, str) else keys or ():
                op.graph.add_to_collection(key, op)

    # -- calling
    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        graph = get_default_graph()
        scope = kwargs.pop("scope", None)
        with Attempt(graph, f"{self.namespace}.{type(self).__name__}", self._base_name, {"inputs": inputs}):
            first = self._input(inputs, graph)
            self._take_scope(scope)
            with self._entered():
                if not self.built:
                    self._dtype = self._dtype or first.dtype
                    self.build(first.shape)
                    self.built = True
                outputs = self.call(inputs if isinstance(inputs, list | tuple | dict) else first, *args, **kwargs)
                if self.activity_regularizer is not None:
                    with graph.name_scope("ActivityRegularizer"):
                        self.add_loss(self.activity_regularizer(outputs))
        return outputs

    apply = __call__

    def _input(self, inputs: Any, graph: Graph) -> Tensor:
        """The input, or the first of several, as a tensor of rank enough."""
        t = convert(inputs[0] if isinstance(inputs, list | tuple) and inputs else inputs, name="inputs", graph=graph)
        if self.least_rank and t.extents is None:
            raise ValueError(
                f"Input 0 of layer {self._base_name} is incompatible with the layer: its rank is undefined, "
                f"but the layer requires a defined rank.\nuse tf.reshape, or give the placeholder a shape"
            )
        if t.extents is not None and len(t.extents) < self.least_rank:
            raise ValueError(
                f"Input 0 of layer {self._base_name} is incompatible with the layer: expected min_ndim={self.least_rank}, "
                f"found ndim={len(t.extents)}. Full shape received: {t.shape.as_list()}"
            )
        return t

    def _take_scope(self, scope: Any) -> None:
        """The layer's own variable scope: under its name as it is when it reuses, else under one that is free."""
        if self._scope is None:
            named = scope if scope is not None else self._base_name if self._reuse else None
            with variable_scope(named, default_name=self._base_name) as own:
                self._scope = own

    @contextmanager
    def _entered(self) -> Iterator[Graph]:
        """The layer's variable scope, and the name scope that was opened with it."""
        self._take_scope(None)
        graph = get_default_graph()
        with variable_scope(self._scope, reuse=self.built or self._reuse, auxiliary_name_scope=False) as scope:
            with graph.name_scope(scope.original_name_scope):
                yield graph

    # -- what it is
    @property
    def name(self) -> str:
        """The name of its scope, without the scopes around it."""
        return self._base_name if self._scope is None else self._scope.name.rsplit("/", 1)[-1]

    @property
    def scope_name(self) -> str:
        if self._scope is None:
            raise ValueError(f"No name available for layer scope because the layer {self._base_name!r} has not been used yet.")
        return self._scope.name

    @property
    def dtype(self) -> DType | None:
        return self._dtype

    @property
    def graph(self) -> Graph:
        return self.weights[0].graph

    @property
    def variables(self) -> list[Variable]:
        return list(self.weights)

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if v.trainable]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if not v.trainable]

    trainable_variables, non_trainable_variables = trainable_weights, non_trainable_weights


def snake_case(name: str) -> str:
    """Conv2DTranspose -> conv2d_transpose: what a layer without a name is called."""
    apart = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", apart).lower()


def no_constraint(parameter: str, constraint: Any) -> None:
    """NotImplementedError for a constraint, which TF1 applies after each training step."""
    if constraint is not None:
        raise NotImplementedError(f"{parameter} is not supported: after the training step, run tf.assign(variable, constraint(variable))")


def functional(layer: type[Layer], *called: str) -> Callable[..., Any]:
    """tf.layers' function of a layer class: f(inputs, <what the class takes>, name=None, reuse=None).

    `called` are parameters of the class's `call`; they stand before `trainable`, or before `name`."""
    own = [p for p in signature(layer.__init__).parameters.values() if p.name != "self" and p.kind is not Parameter.VAR_KEYWORD]
    at_call = [p for p in signature(layer.call).parameters.values() if p.name in called]
    names = [p.name for p in own]
    place, end = names.index("trainable" if "trainable" in names else "name"), names.index("name") + 1
    first, reuse = (Parameter(n, Parameter.POSITIONAL_OR_KEYWORD, default=d) for n, d in (("inputs", Parameter.empty), ("reuse", None)))
    form = Signature([first, *own[:place], *at_call, *own[place:end], reuse, *own[end:]])

    def function(*args: Any, **kwargs: Any) -> Any:
        given = form.bind(*args, **kwargs).arguments
        inputs, reuse, scope = given.pop("inputs"), given.pop("reuse", None), given.get("name")
        now = {p.name: given.pop(p.name) for p in at_call if p.name in given}
        return layer(**given, _scope=scope, _reuse=reuse)(inputs, **now)

    function.__name__ = function.__qualname__ = snake_case(layer.__name__)
    function.__doc__, function.__signature__ = layer.__doc__, form  # type: ignore[attr-defined]
    return function
