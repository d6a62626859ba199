"""Variables and the operations that write them.

Law of this file: a variable is four operations (NAME/initial_value, NAME, NAME/Assign, NAME/read) around one leaf; its
value lives in a session.  An operation that writes says so in its `writes` attribute: its first `writes` inputs are
variables, and its outputs, in order, are what they become.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import build, dtypes, scalar
from ..dtypes import DType
from ..graph import Arithmetic, Attempt, Graph, Operation, Tensor, builder, convert, get_default_graph, get_default_session
from ..node import Kind, Node
from ..shapes import TensorShape, agree, is_known, text
from .control import group
from .core import recording, same_dtype

GLOBAL_VARIABLES, LOCAL_VARIABLES, TRAINABLE_VARIABLES = "variables", "local_variables", "trainable_variables"
MOVING_AVERAGE_VARIABLES = "moving_average_variables"


@builder("VariableV2", contextual=True)
def _variable(context: Any, op: Operation) -> Node:
    return op.attrs["_node"]


@builder("Assign")
def _assign(ref: Node, value: Node, writes: int) -> Node:
    agree(ref.shape, value.shape)
    return value


@builder("AssignAdd")
def _assign_add(ref: Node, value: Node, writes: int) -> Node:
    agree(ref.shape, value.shape)
    return build.elementwise(scalar.x(0) + scalar.x(1), ref, value)


@builder("AssignSub")
def _assign_sub(ref: Node, value: Node, writes: int) -> Node:
    agree(ref.shape, value.shape)
    return build.elementwise(scalar.x(0) - scalar.x(1), ref, value)


class Variable(Arithmetic):
    """A tensor that keeps its value between runs of a session.

    `initial_value` is a number, array, tensor, or a function without arguments that gives one; its shape must be
    known.  Python floats make float32, ints int32, NumPy arrays keep their dtype.  `trainable` puts the variable into
    the collection that optimizers work on."""

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: list | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: Any = None,
        constraint: Any = None,
        use_resource: Any = None,
    ) -> None:
        whole = Attempt(get_default_graph(), "VariableV2", name or "Variable", {"initial_value": initial_value}, scoped=True)
        with whole as (graph, scope), graph.control_dependencies(None):
            if constraint is not None:
                raise NotImplementedError(
                    "constraint= is not supported: after the training step, run tf.assign(variable, constraint(variable))"
                )
            if initial_value is None:
                raise ValueError("initial_value must be specified.")
            if callable(initial_value) and not isinstance(initial_value, Tensor):
                with graph.name_scope("Initializer"):
                    initial_value = initial_value()
            value = convert(initial_value, dtype=dtype, name="initial_value", graph=graph)
            if value.dtype is dtypes.string:
                raise TypeError("a variable holds numbers or truth values, not strings")
            extents = value.extents
            if extents is None or not is_known(extents):
                raise ValueError(f"initial_value must have a shape specified: {value}")
            node = build.leaf(Kind.VARIABLE, scope[:-1], extents, value.dtype)
            self.op: Operation = graph.add("VariableV2", (), {"dtype": value.dtype, "shape": extents, "_node": node}, scope)
            self._ref: Tensor = self.op.outputs[0]
            self.initializer: Operation = graph.add("Assign", (self._ref, value), {"writes": 1}, "Assign")
            self._snapshot: Tensor = graph.add("Identity", (self._ref,), {}, "read").outputs[0]
        self.initial_value: Tensor = value
        self.trainable = trainable
        keys = [GLOBAL_VARIABLES] if collections is None else list(collections)
        if trainable and TRAINABLE_VARIABLES not in keys:
            keys.append(TRAINABLE_VARIABLES)
        for key in keys:
            graph.add_to_collection(key, self)

    @classmethod
    def of(cls, op: Operation, initializer: Operation, snapshot: Tensor, initial_value: Tensor, trainable: bool) -> Variable:
        """The variable of operations that exist already: those of an imported graph."""
        self = cls.__new__(cls)
        self.op, self._ref, self.initializer, self._snapshot = op, op.outputs[0], initializer, snapshot
        self.initial_value, self.trainable = initial_value, trainable
        return self

    @property
    def name(self) -> str:
        return self._ref.name

    @property
    def dtype(self) -> DType:
        return self._ref.dtype

    @property
    def graph(self) -> Graph:
        return self.op.graph

    @property
    def shape(self) -> TensorShape:
        return self._ref.shape

    def get_shape(self) -> TensorShape:
        return self.shape

    @property
    def node(self) -> Node:
        return self.op.attrs["_node"]

    def _as_graph_element(self) -> Tensor:
        return self._snapshot

    def value(self) -> Tensor:
        """The tensor that expressions read."""
        return self._snapshot

    def read_value(self) -> Tensor:
        """A new tensor that reads the variable, under the control dependencies that stand now."""
        return self.graph.add("Identity", (self._ref,), {}, "read_value").outputs[0]

    def initialized_value(self) -> Tensor:
        """The initial value, to build other variables' initial values from."""
        return self.initial_value

    def eval(self, session: Any = None, feed_dict: dict | None = None) -> Any:
        """The value in `session`, by default the default session."""
        if isinstance(session, dict):
            session, feed_dict = None, session
        return self._snapshot.eval(feed_dict, session)

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """An operation that sets the variable; fetched, it gives the new value."""
        return assign(self, value, name=name)

    def assign_add(self, delta: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """An operation that adds to the variable."""
        return assign_add(self, delta, name=name)

    def assign_sub(self, delta: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """An operation that subtracts from the variable."""
        return assign_sub(self, delta, name=name)

    def load(self, value: Any, session: Any = None) -> None:
        """Set the value in a session at once."""
        session = session or get_default_session()
        if session is None:
            raise ValueError("Either session argument should be provided or default session should be established")
        session.run(self.initializer, {self.initializer.inputs[1]: value})

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={text(self.node.shape)} dtype={self.dtype.name}_ref>"


def ref_of(v: Any) -> Tensor:
    """The writable tensor of a variable, or of the tensor NAME:0; TypeError for anything else."""
    ref = v._ref if isinstance(v, Variable) else v
    if isinstance(ref, Tensor) and ref.op.type == "Identity" and ref.op.inputs[0].op.type == "VariableV2":
        ref = ref.op.inputs[0]
    if not isinstance(ref, Tensor) or ref.op.type != "VariableV2":
        raise TypeError("a tf.Variable is needed to write to")
    return ref


def _writer(kind: str) -> Callable[..., Tensor]:
    def function(ref: Any, value: Any, validate_shape: Any = None, use_locking: Any = None, name: str | None = None) -> Tensor:
        with recording(kind, name or kind, ref=ref, value=value) as (graph, scope):
            target = ref_of(ref)
            v = convert(value, like=target.dtype, name="value", graph=graph)
            same_dtype(kind, target, v, ("ref", "value"))
            return graph.add(kind, (target, v), {"writes": 1}, scope).outputs[0]

    function.__name__ = function.__qualname__ = {"Assign": "assign", "AssignAdd": "assign_add", "AssignSub": "assign_sub"}[kind]
    function.__doc__ = f"{kind} `value` to the variable `ref`; the result, fetched, is the new value.  Shapes must match."
    return function


assign, assign_add, assign_sub = _writer("Assign"), _writer("AssignAdd"), _writer("AssignSub")


def _collected(key: str, scope: str | None = None) -> list[Variable]:
    return get_default_graph().get_collection(key, scope)


def global_variables(scope: str | None = None) -> list[Variable]:
    """All variables of the default graph that are shared, in the order of their creation."""
    return _collected(GLOBAL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Variable]:
    """The variables that optimizers work on by default."""
    return _collected(TRAINABLE_VARIABLES, scope)


def variables_initializer(var_list: Any, name: str = "init") -> Operation:
    """One operation that initialises the variables listed."""
    return group(*(v.initializer for v in var_list), name=name)


def global_variables_initializer() -> Operation:
    """One operation that initialises all global variables that exist now."""
    return variables_initializer(global_variables())


def local_variables(scope: str | None = None) -> list[Variable]:
    """Variables of this process alone, as those of tf.metrics are."""
    return _collected(LOCAL_VARIABLES, scope)


def model_variables(scope: str | None = None) -> list[Variable]:
    """What was put into the collection 'model_variables'."""
    return _collected("model_variables", scope)


def moving_average_variables(scope: str | None = None) -> list[Variable]:
    """The variables of which a `train.ExponentialMovingAverage` is kept."""
    return _collected(MOVING_AVERAGE_VARIABLES, scope)


def local_variables_initializer() -> Operation:
    """One operation that initialises all local variables that exist now."""
    return variables_initializer(local_variables(), name="init")


initialize_all_variables, all_variables = global_variables_initializer, global_variables
initialize_variables, initialize_local_variables = variables_initializer, local_variables_initializer
