"""The operation graph: recorded calls, with TF1's names, that build nodes.

Law of this file: a `Graph` is an append-only list of `Operation`s; each has a type, a unique name, input tensors,
attributes and the user's line.  A `Tensor` is one output of an operation and carries the node that the operation's
builder made of its inputs' nodes (None while a rank is unknown).  `BUILDERS` maps an operation's type to its builder,
a plain function from nodes and attributes to nodes; nothing else is known about a type, so a graph can be replayed
from its record with any tensor replaced.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import CO_VARARGS
from typing import Any, NoReturn

import numpy as np

from . import build, dtypes
from .arithmetic import Arithmetic
from .builders import BUILDERS, NeedsValue, Unknown, builder
from .collected import Collected
from .dtypes import DType
from .errors import at, locate, user_site
from .node import Kind, Node
from .placement import placed
from .shapes import Shape, TensorShape, brackets, from_user, merge, text
from .values import to_array

_LEGAL = re.compile(r"^[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*$")
_LEGAL_INSIDE = re.compile(r"^[A-Za-z0-9_.\\/>-]+$")


# ---------------------------------------------------------------- handles
class Operation:
    """A recorded call.  `site` is the user's (file, line)."""

    __slots__ = ("graph", "type", "name", "inputs", "control_inputs", "attrs", "outputs", "site", "number", "device", "__weakref__")

    graph: Graph
    type: str
    name: str
    inputs: tuple[Tensor, ...]
    control_inputs: tuple[Operation, ...]
    attrs: dict[str, Any]
    outputs: tuple[Tensor, ...]
    site: tuple[str, int]
    number: int
    device: str
    """What `tf.device` asked for; see placement.py."""

    def values(self) -> tuple[Tensor, ...]:
        """The outputs."""
        return self.outputs

    def run(self, feed_dict: dict | None = None, session: Any = None) -> None:
        """Run in `session`, by default the default session."""
        _session(self, session, "run", "Cannot execute operation using `run()`").run(self, feed_dict)

    def get_attr(self, name: str) -> Any:
        """An attribute of the recorded call; ValueError if there is none of that name."""
        if name not in self.attrs:
            raise ValueError(f"No attr named '{name}' in {self!r}")
        return self.attrs[name]

    def __repr__(self) -> str:
        return f"<tf.Operation '{self.name}' type={self.type}>"

    def described(self) -> str:
        """For messages: 'init' NoOp made at train.py:14."""
        return f"'{self.name}' {self.type} made at {at(self.site)}"


def _session(what: Operation | Tensor, session: Any, verb: str, start: str) -> Any:
    if session is None:
        session = what.graph.default_session()
    if session is None:
        fault = ValueError(
            f"{start}: No default session is registered. Use `with sess.as_default()` or pass an explicit session to `{verb}(session=sess)`"
        )
    elif session.graph is not what.graph:
        doing, thing = ("evaluate tensor", "tensor") if verb == "eval" else ("execute operation", "operation")
        fault = ValueError(f"Cannot use the given session to {doing}: the {thing}'s graph is different from the session's graph.")
    else:
        return session
    raise locate(fault, verb, user_site(), {"of": what})


class Tensor(Arithmetic):
    """One output of an operation: name, dtype, shape, and the node that is its mathematics."""

    __slots__ = ("op", "value_index", "dtype", "node", "_shape", "__weakref__")

    op: Operation
    value_index: int
    dtype: DType
    node: Node | None
    _shape: Shape | None

    @property
    def name(self) -> str:
        return f"{self.op.name}:{self.value_index}"

    @property
    def graph(self) -> Graph:
        return self.op.graph

    @property
    def device(self) -> str:
        """The device that was asked for, '' for none."""
        return self.op.device

    @property
    def extents(self) -> Shape | None:
        """The shape with size symbols, or None for unknown rank."""
        return self.node.shape if self.node is not None else self._shape

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self.extents)

    def get_shape(self) -> TensorShape:
        return self.shape

    def set_shape(self, shape: object) -> None:
        """Say what is known of the shape; ValueError where it cannot be so.  Extents that a node knows stay as they are."""
        self.shape.assert_is_compatible_with(shape)
        told = from_user(shape, self.op.name + (f":{self.value_index}" if self.value_index else ""))
        if self.node is None and told is not None:
            self._shape = told if self._shape is None else tuple(map(merge, self._shape, told))
            if BUILDERS[self.op.type].leaf:
                self.node = build.leaf(Kind.PLACEHOLDER, self.op.name, self._shape, self.dtype)
                if "_node" in self.op.attrs:
                    self.op.attrs.update(shape=self._shape, _node=self.node)
                else:
                    self.op.attrs["_shapes"][self.value_index] = self._shape

    def consumers(self) -> list[Operation]:
        """The operations that read this tensor."""
        return [op for op in self.graph.get_operations() if self in op.inputs]

    def eval(self, feed_dict: dict | None = None, session: Any = None) -> Any:
        """The value in `session`, by default the default session."""
        return _session(self, session, "eval", "Cannot evaluate tensor using `eval()`").run(self, feed_dict)

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.name}' shape={text(self.extents)} dtype={self.dtype.name}>"

    def __str__(self) -> str:
        shape = "" if self.extents is None else f", shape={text(self.extents)}"
        return f'Tensor("{self.name}"{shape}, dtype={self.dtype.name})'

    def described(self) -> str:
        """For messages: 'X' (?, 9) float32 made at train.py:14.  What a variable reads as bears the variable's name."""
        op = self.op.inputs[0].op if self.op.type == "Identity" and self.op.inputs[0].op.type == "VariableV2" else self.op
        return f"'{op.name}' {text(self.extents)} {self.dtype.name} made at {at(op.site)}"


# ---------------------------------------------------------------- the graph
class Graph(Collected):
    """A list of operations with unique names, collections, and a random seed."""

    as_graph_def: Callable[..., Any]
    """The graph as TensorFlow's message (graphdef.py)."""

    def __init__(self) -> None:
        self._operations: list[Operation] = []
        self._by_name: dict[str, Operation] = {}
        self._taken: dict[str, int] = {}
        self._journal: list[tuple[str, int | None]] = []  # what `_taken` held before each change: see `Attempt`
        self._scope = ""
        self._attached: dict[str, Any] = {}
        self._control: tuple[Operation, ...] = ()
        self._collections: dict[Any, list] = {}
        self._finalized = False
        self._devices: tuple[Any, ...] = ()
        self.hinted = False  # does any operation ask for a device?
        self.seed: int | None = None
        self.counted = 0  # operations that TF1 would have made so far: its implicit seeds

    # -- names
    def unique_name(self, name: str, mark: bool = True) -> str:
        """`name` inside the current scope, with _1, _2, ... when it is taken (compared without case)."""
        if self._scope:
            name = f"{self._scope}/{name}"
        number = self._taken.get(name.lower(), 0)
        if not mark:
            return name if number == 0 else f"{name}_{number}"
        unique, key = name, name.lower()
        while number and (unique := f"{name}_{number}").lower() in self._taken:
            number += 1
        self._take(key, number + 1)
        if unique != name:
            self._take(unique.lower(), 1)
        return unique

    def _take(self, key: str, count: int) -> None:
        self._journal.append((key, self._taken.get(key)))
        self._taken[key] = count

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Operations made inside are called name/...; a trailing slash re-enters a scope, None is the root."""
        with Attempt(self, "name_scope", name, {}):
            new = self._scope_of(name)
        old, self._scope = self._scope, new
        try:
            yield new + "/" if new else ""
        finally:
            self._scope = old

    def _scope_of(self, name: str | None) -> str:
        """What the scope called `name` is called in full."""
        if not name:
            return ""
        if isinstance(name, str) and name.endswith("/"):
            return name[:-1]
        self._check_name(name)
        return self.unique_name(name)

    @contextmanager
    def control_dependencies(self, control_inputs: Sequence[Any] | None) -> Iterator[None]:
        """Operations made inside run after `control_inputs`; None clears what stands."""
        old = self._control
        if control_inputs is None:
            self._control = ()
        else:
            with Attempt(self, "control_dependencies", "", {f"input {k}": c for k, c in enumerate(control_inputs)}):
                ops = [as_operation(c) for c in control_inputs]
            self._control = tuple(dict.fromkeys([*old, *ops]))
        try:
            yield
        finally:
            self._control = old

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a name must be a string, not {type(name).__name__}: {name!r}")
        legal = _LEGAL_INSIDE if self._scope else _LEGAL
        if not legal.fullmatch(name):
            kind = "scope" if self._scope else "root scope"
            raise ValueError(f"'{name}' is not a valid {kind} name. A {kind} name has to match the following pattern: {legal.pattern}")

    # -- operations
    def add(
        self,
        kind: str,
        inputs: Sequence[Tensor] = (),
        attrs: dict[str, Any] | None = None,
        name: str | None = None,
        count: int = 1,
    ) -> Operation:
        """Record a call and build its nodes.

        `name` is made unique in the current scope; one that ends in a slash is taken as it stands.  `count` is how
        many operations TF1 would have made.  Shape and dtype faults are raised here, with the user's line."""
        with Attempt(self, kind, name or kind, inputs):
            if self._finalized:
                raise RuntimeError("Graph is finalized and cannot be modified.")
            op = Operation()
            op.graph, op.type, op.attrs, op.site, op.number = self, kind, attrs or {}, user_site(), len(self._operations)
            op.inputs, op.control_inputs, op.outputs = tuple(inputs), self._control, ()
            sources: tuple[Any, ...] = (*op.inputs, *op.control_inputs)
            for t in sources:
                if t.graph is not self:
                    beside = next((str(u) for u in op.inputs if u.graph is self), "the default graph")
                    raise ValueError(
                        f"{t} must be from the same graph as {beside}.\nthe two are of different graphs (was one made before a reset?)"
                    )
            op.name, op.device = self._op_name(name or kind), ""
            if self._devices:
                self.hinted = placed(self._devices, op) != "" or self.hinted
            op.outputs = _outputs(op)
            self._operations.append(op)
            self._by_name[op.name] = op
            self.counted += count
        return op

    def _op_name(self, name: str) -> str:
        if isinstance(name, str) and name.endswith("/"):
            full = name[:-1]
            if full in self._by_name:
                return self.unique_name(full)
            if full.lower() not in self._taken:
                self._take(full.lower(), 1)
            return full
        self._check_name(name)
        return self.unique_name(name)

    @property
    def scope(self) -> str:
        """The current name scope with a slash at its end, or ''."""
        return f"{self._scope}/" if self._scope else ""

    def holds(self, op: Operation) -> bool:
        """Is the operation (still) one of this graph's?"""
        return self._by_name.get(op.name) is op

    def attached(self, key: str, make: Callable[[], Any]) -> Any:
        """Something that belongs to this graph and lives with it, made when first asked for."""
        if key not in self._attached:
            self._attached[key] = make()
        return self._attached[key]

    def get_operations(self) -> list[Operation]:
        """All operations in the order of their creation."""
        return list(self._operations)

    def get_operation_by_name(self, name: str) -> Operation:
        if not isinstance(name, str):
            raise TypeError(f"Operation names are strings (or similar), not {type(name).__name__}.")
        if ":" in name:
            raise ValueError(f"Name '{name}' appears to refer to a Tensor, not a Operation.")
        if name not in self._by_name:
            raise KeyError(f"The name '{name}' refers to an Operation not in the graph.")
        return self._by_name[name]

    def get_tensor_by_name(self, name: str) -> Tensor:
        if not isinstance(name, str):
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        op_name, colon, index = name.partition(":")
        if not colon or not index.isdigit():
            raise ValueError(
                f"The name '{name}' refers to an Operation, not a Tensor. Tensor names must be of the form \"<op_name>:<output_index>\"."
                if name in self._by_name
                else f"The name '{name}' looks like an (invalid) Operation name, not a Tensor. Tensor names must be of the form "
                '"<op_name>:<output_index>".'
            )
        if op_name not in self._by_name:
            raise KeyError(
                f"The name '{name}' refers to a Tensor which does not exist. The operation, '{op_name}', does not exist in the graph."
            )
        outputs = self._by_name[op_name].outputs
        if int(index) >= len(outputs):
            raise KeyError(
                f"The name '{name}' refers to a Tensor which does not exist. The operation, '{op_name}', exists but only has "
                f"{len(outputs)} outputs."
            )
        return outputs[int(index)]

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Tensor | Operation:
        """The tensor or operation that an object or name stands for; errors in TF's words."""
        if isinstance(obj, str):
            found: Tensor | Operation = self.get_tensor_by_name(obj) if ":" in obj else self.get_operation_by_name(obj)
        else:
            found = obj._as_graph_element() if hasattr(obj, "_as_graph_element") else obj
        if not isinstance(found, Tensor | Operation):
            raise TypeError(f"Can not convert a {type(obj).__name__} into a Tensor or Operation.")
        if found.graph is not self:
            raise ValueError(f"{type(found).__name__} {found} is not an element of this graph.")
        if isinstance(found, Operation) and not allow_operation:
            raise ValueError(f"{found!r} is an Operation, not a Tensor; name one of its outputs, as in '{found.name}:0'")
        return found

    # -- its life
    def finalize(self) -> None:
        """No operations can be added from here on."""
        self._finalized = True

    @property
    def version(self) -> int:
        """A number that grows with every operation."""
        return len(self._operations)

    def get_name_scope(self) -> str:
        """The current name scope, without a slash at its end."""
        return self._scope

    @property
    def finalized(self) -> bool:
        return self._finalized

    def gradient_override_map(self, op_type_map: Mapping[str, str]) -> NoReturn:
        """Refused: derivatives follow from what operations mean."""
        raise NotImplementedError(
            "Graph.gradient_override_map has no place here: derivatives follow from what operations mean\n"
            "tf.stop_gradient(y - x) + x gives the value of y and the derivative of x"
        )

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Make this the default graph inside the `with`."""
        stack = _state.graphs
        stack.append(self)
        try:
            yield self
        finally:
            leave(stack, self)

    def default_session(self) -> Any:
        sessions = _state.sessions
        return sessions[-1] if sessions else None


def as_operation(x: Any) -> Operation:
    """The operation itself, or that of a tensor or variable; TypeError for anything else."""
    op = x if isinstance(x, Operation) else getattr(x, "op", None)
    if not isinstance(op, Operation):
        raise TypeError(f"Can not convert a {type(x).__name__} into a Tensor or Operation: {x!r}")
    return op


class Attempt:
    """`with Attempt(graph, kind, name, operands):` all of it or nothing.

    What fails inside leaves the graph as it was, names included, and says which call it was, what it was given and the
    user's line.  With `scoped`, what is recorded inside lies in a name scope called `name`.
    The `with` yields the graph and the full name.
    Nothing else in the front end locates a fault."""

    __slots__ = ("graph", "kind", "name", "operands", "scoped", "_mark", "_outer")

    def __init__(self, graph: Graph, kind: str, name: Any, operands: Mapping[str, object] | Sequence[Tensor], scoped: bool = False) -> None:
        self.graph, self.kind, self.name, self.operands, self.scoped = graph, kind, name, operands, scoped

    def __enter__(self) -> tuple[Graph, str]:
        g = self.graph
        self._outer = g._scope
        self._mark = (len(g._operations), len(g._journal), g.counted, {k: len(v) for k, v in g._collections.items()})
        if not self.scoped:
            return g, self.name
        try:
            g._scope = g._scope_of(self.name)
        except (TypeError, ValueError) as e:
            self.__exit__(type(e), e, None)
            raise
        self.name = g._scope + "/" if g._scope else ""
        return g, self.name

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        g = self.graph
        g._scope = self._outer
        if error is None:
            return
        operations, names, g.counted, collected = self._mark
        for op in g._operations[operations:]:
            del g._by_name[op.name]
        del g._operations[operations:]
        for key, old in reversed(g._journal[names:]):
            if old is None:
                del g._taken[key]
            else:
                g._taken[key] = old
        del g._journal[names:]
        for key, items in g._collections.items():
            del items[collected.get(key, 0) :]
        given = self.operands if isinstance(self.operands, Mapping) else _labelled(self.kind, self.operands)
        fault = locate(error, f"{self.kind} {str(self.name).rstrip('/')!r} made", user_site(), given)
        if fault is not error:
            raise fault from None


def _outputs(op: Operation) -> tuple[Tensor, ...]:
    """Build the operation's nodes and wrap them; unknown ranks and sizes give tensors without a node."""
    how = BUILDERS[op.type]
    try:
        made = build_nodes(op, [t.node for t in op.inputs], _BUILD_TIME)
    except (NeedsValue, Unknown):
        written = op.inputs[: op.attrs.get("writes", 0)]  # what is written stays as it is
        shapes: list = op.attrs.get("_shapes", [t.extents for t in written] or [None])
        types: Any = op.attrs.get("_dtypes") or [t.dtype for t in written] or [how.dtype(op)] * len(shapes)
        return tuple(_tensor(op, k, None, d, s) for k, (d, s) in enumerate(zip(types, shapes, strict=True)))
    return tuple(_tensor(op, k, n, n.dtype, None) for k, n in enumerate(made))


def rebuilt(op: Operation) -> None:
    """Give the operation's tensors the nodes that they can have by now."""
    for t, new in zip(op.outputs, _outputs(op), strict=True):
        t.node = new.node


def _tensor(op: Operation, index: int, node: Node | None, dtype: DType, shape: Shape | None) -> Tensor:
    t = Tensor()
    t.op, t.value_index, t.node, t.dtype, t._shape = op, index, node, dtype, shape
    return t


class _BuildTime:
    """The context of graph building: every tensor has the node it was made with."""

    def node(self, t: Tensor) -> Node:
        if t.node is None:
            raise Unknown
        return t.node

    def changes(self, t: Tensor) -> bool:
        return False


_BUILD_TIME = _BuildTime()


def build_nodes(op: Operation, operands: Sequence[Node | None], context: Any) -> tuple[Node, ...]:
    """The nodes of an operation over the nodes of its inputs; faults say which op, which inputs and the user's line."""
    how = BUILDERS[op.type]
    if not how.contextual and any(o is None for o in operands):
        raise Unknown
    attrs = {k: v for k, v in op.attrs.items() if k[0] != "_"}
    try:
        made = how.make(context, op) if how.contextual else how.make(*operands, **attrs)
    except (TypeError, ValueError, LookupError, NotImplementedError) as e:
        shapes = ", ".join("?" if o is None else brackets(o.shape) for o in operands)
        clause = f" for '{op.name}' (op: '{op.type}') with input shapes: {shapes}." if isinstance(e, ValueError) else ""
        raise locate(e, f"{op.type} '{op.name}' made", op.site, _labelled(op.type, op.inputs), clause) from None
    if made is None:
        return ()
    return made if isinstance(made, tuple) else (made,)


def _labelled(kind: str, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
    """The inputs by the names that the operation's builder has for them."""
    how, count = BUILDERS[kind], len(inputs)
    code = how.make.__code__
    if how.contextual:
        names: Sequence[str] = [f"input {k}" for k in range(count)]
    elif code.co_flags & CO_VARARGS:
        rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount].removesuffix("s")
        names = [f"{rest} {k}" for k in range(count)]
    else:
        names = code.co_varnames[:count]
    return dict(zip(names, inputs, strict=True))


# ---------------------------------------------------------------- defaults
class _Defaults(threading.local):
    def __init__(self) -> None:
        self.graphs: list[Graph] = []
        self.sessions: list[Any] = []
        self.root: Graph | None = None


_state = _Defaults()
_shared_root: list[Graph] = []


def leave(stack: list, item: object) -> None:
    """Take the innermost `item` off a stack of defaults, which may hold it more than once."""
    del stack[len(stack) - 1 - stack[::-1].index(item)]


def get_default_graph() -> Graph:
    """The innermost `with graph.as_default()`, else the global default graph (one for all threads)."""
    if _state.graphs:
        return _state.graphs[-1]
    if not _shared_root:
        _shared_root.append(Graph())
    return _shared_root[0]


def get_default_session() -> Any:
    """The innermost default session of this thread, or None."""
    return _state.sessions[-1] if _state.sessions else None


def reset_default_graph() -> None:
    """A new, empty default graph.  AssertionError inside a `with graph` or `with session`."""
    if _state.graphs or any(getattr(s, "_entered", False) for s in _state.sessions):
        raise AssertionError(
            "Do not use tf.reset_default_graph() to clear nested graphs. If you need a cleared graph, "
            "exit the nesting and create a new graph."
        )
    _shared_root[:] = [Graph()]


# ---------------------------------------------------------------- conversion
def convert(
    value: object, dtype: object = None, name: str | None = None, like: DType | None = None, graph: Graph | None = None, count: int = 1
) -> Tensor:
    """A tensor for a tensor, variable, number, array or nested list.

    `dtype` is required, `like` is tried first for values that bring no dtype of their own (an int beside float32
    becomes float32; 1.5 beside int32 is a TypeError)."""
    if hasattr(value, "_as_graph_element"):
        value = value._as_graph_element()  # type: ignore[attr-defined]
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(value, Tensor):
        if wanted is not None and value.dtype is not wanted:
            raise TypeError(f"Tensor conversion requested dtype {wanted.name} for Tensor with dtype {value.dtype.name}: {value!r}")
        return value
    if isinstance(value, Operation):
        raise TypeError(f"Can't convert Operation '{value.name}' to Tensor")
    if isinstance(value, list | tuple) and _holds_tensor(value):
        return Arithmetic.operators["stack"](value)
    array = to_array(value, wanted, like)
    graph = graph or get_default_graph()
    return graph.add("Const", (), {"value": array, "dtype": dtypes.as_dtype(array.dtype)}, name or "Const", count).outputs[0]


def _holds_tensor(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_tensor(v) for v in value)
    return isinstance(value, Tensor) or hasattr(value, "_as_graph_element")


@builder("Const")
def _const(value: np.ndarray, dtype: DType) -> Node:
    return build.const(value, dtype)
