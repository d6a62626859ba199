"""Variable scopes: names, sharing and defaults of the variables that `get_variable` makes.

Law of this file: a variable scope has a name of its own, by which variables are called and found again, beside the
name scope that it opens for operations; the two differ when a scope is entered twice ('relu/threshold' and 'relu_1/add').
The store of variables and the current scope belong to the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial, wraps
from inspect import signature
from typing import Any

from .dtypes import as_dtype, float32
from .errors import at
from .graph import Attempt, Graph, Tensor, get_default_graph
from .ops.initializers import Initializer, default_initializer
from .ops.state import Variable
from .shapes import TensorShape, from_user, is_known


class _AutoReuse:
    """The marker `AUTO_REUSE`: make a variable the first time, find it afterwards."""

    def __repr__(self) -> str:
        return "tf.AUTO_REUSE"


AUTO_REUSE = _AutoReuse()


class GraphKeys:
    """Names of the standard collections."""

    GLOBAL_VARIABLES = VARIABLES = "variables"
    ACTIVATIONS = "activations"
    ASSET_FILEPATHS = "asset_filepaths"
    BIASES = "biases"
    CONCATENATED_VARIABLES = "concatenated_variables"
    COND_CONTEXT = "cond_context"
    EVAL_STEP = "eval_step"
    GLOBAL_STEP = "global_step"
    INIT_OP = "init_op"
    LOCAL_INIT_OP = "local_init_op"
    LOCAL_RESOURCES = "local_resources"
    LOCAL_VARIABLES = "local_variables"
    LOSSES = "losses"
    METRIC_VARIABLES = "metric_variables"
    MODEL_VARIABLES = "model_variables"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    QUEUE_RUNNERS = "queue_runners"
    READY_FOR_LOCAL_INIT_OP = "ready_for_local_init_op"
    READY_OP = "ready_op"
    REGULARIZATION_LOSSES = "regularization_losses"
    RESOURCES = "resources"
    SAVEABLE_OBJECTS = "saveable_objects"
    SAVERS = "savers"
    SUMMARIES = "summaries"
    SUMMARY_OP = "summary_op"
    TABLE_INITIALIZERS = "table_initializer"
    TRAINABLE_RESOURCE_VARIABLES = "trainable_resource_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    TRAIN_OP = "train_op"
    UPDATE_OPS = "update_ops"
    WEIGHTS = "weights"
    WHILE_CONTEXT = "while_context"


class VariableScope:
    """What `with tf.variable_scope(...) as scope` gives: a name, reuse, and defaults for `get_variable`."""

    def __init__(
        self, name: str, reuse: Any, initializer: Any, regularizer: Any, dtype: Any, name_scope: str, custom_getter: Any = None
    ) -> None:
        self.name, self.reuse, self.initializer, self.regularizer, self.dtype = name, reuse, initializer, regularizer, dtype
        self.original_name_scope, self.custom_getter = name_scope, custom_getter

    def reuse_variables(self) -> None:
        """From here on, `get_variable` in this scope finds variables and makes none."""
        self.reuse = True

    def set_initializer(self, initializer: Any) -> None:
        self.initializer = initializer

    def set_custom_getter(self, custom_getter: Any) -> None:
        self.custom_getter = custom_getter

    def set_regularizer(self, regularizer: Any) -> None:
        self.regularizer = regularizer

    def global_variables(self) -> list[Variable]:
        """The global variables whose names start with the scope's."""
        return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, self.name)

    def trainable_variables(self) -> list[Variable]:
        """The trainable variables whose names start with the scope's."""
        return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, self.name)

    def get_variable(self, name: str, *args: Any, **kwargs: Any) -> Variable:
        """`tf.get_variable` as if this were the current scope."""
        with _entered(_store(get_default_graph()), self):
            return get_variable(name, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<tf.VariableScope {self.name!r} reuse={self.reuse!r}>"


class _Store:
    """A graph's shared variables, its current scope, and how often each scope was opened."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.opened: dict[str, int] = {}
        self.current = VariableScope("", False, None, None, float32, "")

    def unique(self, prefix: str) -> str:
        full = f"{self.current.name}/{prefix}" if self.current.name else prefix
        if not self.opened.get(full):
            return prefix
        number = 1
        while self.opened.get(f"{full}_{number}"):
            number += 1
        return f"{prefix}_{number}"


def _store(graph: Graph) -> _Store:
    return graph.attached("variable_store", _Store)


@contextmanager
def _entered(store: _Store, scope: VariableScope) -> Iterator[None]:
    old = store.current
    store.current = scope
    try:
        yield
    finally:
        store.current = old


def get_variable_scope() -> VariableScope:
    """The current scope; outside of any, the root."""
    return _store(get_default_graph()).current


class Reusable:
    """A context that can be entered again and again, each time anew, as TF1's scopes can."""

    def __init__(self, enter: Callable[[], AbstractContextManager[Any]]) -> None:
        self._enter = enter
        self._open: list[AbstractContextManager[Any]] = []

    def __enter__(self) -> Any:
        context = self._enter()
        entered = context.__enter__()
        self._open.append(context)
        return entered

    def __exit__(self, *exc: Any) -> bool | None:
        return self._open.pop().__exit__(*exc)


def reusable(make: Callable[..., Iterator[Any]]) -> Callable[..., Reusable]:
    """Decorator: a generator with one yield, as a function that gives a `Reusable` context."""

    @wraps(make)
    def call(*args: Any, **kwargs: Any) -> Reusable:
        signature(make).bind(*args, **kwargs)
        return Reusable(partial(contextmanager(make), *args, **kwargs))

    return call


@reusable
def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> Iterator[str]:
    """Operations made inside the `with` are called name/...; yields the scope's full name with a slash."""
    with get_default_graph().name_scope(name if name is not None else default_name) as scope:
        yield scope


@reusable
def variable_scope(
    name_or_scope: Any,
    default_name: str | None = None,
    values: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    use_resource: Any = None,
    constraint: Any = None,
    auxiliary_name_scope: bool = True,
) -> Iterator[VariableScope]:
    """Variables made inside by `get_variable` are called name/..., operations too (with _1, _2, ... on re-entry).

    `name_or_scope`: a name inside the current scope, a scope object to enter again, or None for `default_name` made
    unique.  `reuse`: True finds variables, AUTO_REUSE finds or makes, None and False inherit."""
    if name_or_scope is None and default_name is None:
        raise TypeError("If default_name is None then name_or_scope is required")
    if reuse not in (None, True, False) and reuse is not AUTO_REUSE:
        raise ValueError("The reuse parameter must be True or False or None or tf.AUTO_REUSE.")
    _unpartitioned(partitioner, constraint)
    if reuse is True and name_or_scope is None:
        raise ValueError("reuse=True cannot be used without a name_or_scope")
    graph = get_default_graph()
    store = _store(graph)
    outer = store.current
    if isinstance(name_or_scope, VariableScope):
        full, called, base = name_or_scope.name, name_or_scope.name.rsplit("/", 1)[-1], name_or_scope
    else:
        if name_or_scope is not None and not isinstance(name_or_scope, str):
            raise TypeError(f"VariableScope: name_or_scope must be a string or VariableScope, not {name_or_scope!r}")
        label = store.unique(default_name or "") if name_or_scope is None else name_or_scope
        called = (default_name or "") if name_or_scope is None else label  # variables and operations are numbered apart
        full, base = (f"{outer.name}/{label}" if outer.name and label else label or outer.name), outer
    scope_of_names = graph.name_scope(called) if called and auxiliary_name_scope else nullcontext(graph.scope)
    with scope_of_names as names:
        scope = VariableScope(
            full,
            reuse if reuse is not None and reuse is not False else base.reuse if isinstance(name_or_scope, VariableScope) else outer.reuse,
            initializer if initializer is not None else base.initializer,
            regularizer if regularizer is not None else base.regularizer,
            as_dtype(dtype) if dtype is not None else base.dtype,
            name_or_scope.original_name_scope if isinstance(name_or_scope, VariableScope) else names,
            _nested(base.custom_getter, custom_getter),
        )
        store.opened[full] = store.opened.get(full, 0) + 1
        before, inside = dict(store.opened), full + "/" if full else ""
        with _entered(store, scope):
            try:
                yield scope
            finally:  # scopes inside are counted anew next time; one that is entered by its object leaves no trace
                if isinstance(name_or_scope, VariableScope):
                    store.opened = before
                else:
                    store.opened = {n: count for n, count in store.opened.items() if n == full or not n.startswith(inside)}


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: Any = None,
    custom_getter: Any = None,
    constraint: Any = None,
) -> Variable:
    """The variable called SCOPE/name: made when it does not exist, found when the scope reuses.

    `initializer`: a function of the shape, or a value that brings its own; default Glorot's uniform.  ValueError when a
    variable exists and the scope does not reuse, when it does not exist and the scope does, and when shape or dtype
    differ from what was made."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a variable must be a string, not {type(name).__name__}: {name!r}")
    _unpartitioned(partitioner, constraint)
    scope = get_variable_scope()
    full = f"{scope.name}/{name}" if scope.name else name
    getter = _nested(scope.custom_getter, custom_getter)
    given = {"shape": shape, "dtype": dtype, "initializer": initializer, "regularizer": regularizer, "trainable": trainable}
    given["collections"] = collections
    if getter is None:
        return _get(full, **given)
    with get_default_graph().name_scope(None):
        return getter(_get, name=full, reuse=scope.reuse, validate_shape=validate_shape, **given)


def _get(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    collections: Any = None,
    **unused: Any,
) -> Variable:
    """The variable of a full name: what a custom getter is given to call."""
    full, graph = name, get_default_graph()
    store = _store(graph)
    scope = store.current
    with Attempt(graph, "get_variable", full, {"shape": shape, "initializer": initializer}):
        found = store.variables.get(full)
        if found is not None and graph.holds(found.op):  # else what made it failed later, and was taken back
            return _shared(found, full, scope, shape, dtype)
        if scope.reuse is True:
            raise ValueError(
                f"Variable {full} does not exist, or was not created with tf.get_variable(). Did you mean to set reuse=tf.AUTO_REUSE in "
                "VarScope?"
            )
        d = as_dtype(dtype) if dtype is not None else scope.dtype or float32
        start = initializer if initializer is not None else scope.initializer or default_initializer(d)
        with graph.control_dependencies(None), graph.name_scope(None):
            variable = Variable(_initial(graph, full, start, shape, d), trainable=trainable, collections=collections, name=full)
            penalty = regularizer if regularizer is not None else scope.regularizer
            if penalty is not None:
                with graph.name_scope(full + "/Regularizer/"):
                    loss = penalty(variable)
                if loss is not None:
                    graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)
        store.variables[full] = variable
    return variable


def _initial(graph: Graph, full: str, start: Any, shape: Any, dtype: Any) -> Any:
    """The initial value: a tensor made by an initializer inside SCOPE/name/Initializer/, or the value given."""
    if not callable(start) or isinstance(start, Tensor):
        if shape is not None:
            raise ValueError("If initializer is a constant, do not specify shape.")
        return start
    extents = from_user(shape)
    if extents is None or not is_known(extents):
        raise ValueError(f"Shape of a new variable ({full}) must be fully defined, but instead was {TensorShape(extents)}.")
    make: Initializer = start() if isinstance(start, type) else start
    with graph.name_scope(full + "/Initializer/"):
        return make(list(extents), dtype=dtype)


def _shared(found: Variable, full: str, scope: VariableScope, shape: Any, dtype: Any) -> Variable:
    if not scope.reuse:
        raise ValueError(
            f"Variable {full} already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope? "
            f"Originally defined at {at(found.op.site)}"
        )
    if shape is not None and not found.shape.is_compatible_with(shape):
        raise ValueError(f"Trying to share variable {full}, but specified shape {TensorShape(shape)} and found shape {found.shape}.")
    if dtype is not None and as_dtype(dtype) is not found.dtype:
        raise ValueError(
            f"Trying to share variable {full}, but specified dtype {as_dtype(dtype).name} and found dtype {found.dtype.name}_ref."
        )
    return found


def _nested(outer: Any, inner: Any) -> Any:
    """The inner getter, which calls the outer one as its getter."""
    if outer is None or inner is None:
        return inner if outer is None else outer
    return lambda getter, *args, **kwargs: inner(partial(outer, getter), *args, **kwargs)


def _unpartitioned(partitioner: Any, constraint: Any) -> None:
    if partitioner is not None:
        raise NotImplementedError("partitioned variables are not supported: leave the partitioner out, one variable holds all values")
    if constraint is not None:
        raise NotImplementedError("constraint= is not supported: after the training step, run tf.assign(variable, constraint(variable))")


def get_local_variable(name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, **more: Any) -> Variable:
    """As `get_variable`, a variable that no optimizer changes and no checkpoint holds: it joins LOCAL_VARIABLES."""
    more |= {"trainable": False, "collections": [*(more.get("collections") or ()), GraphKeys.LOCAL_VARIABLES]}
    return get_variable(name, shape, dtype, initializer, **more)


# ---------------------------------------------------------------- collections of the default graph
def add_to_collection(name: Any, value: Any) -> None:
    """Append a value to a collection of the default graph; any name, any value."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    """Append a value to several collections."""
    for name in (names,) if isinstance(names, str) else names:
        add_to_collection(name, value)


def get_collection(key: Any, scope: str | None = None) -> list:
    """A new list of what a collection holds; `scope` is a regular expression matched at the start of the names."""
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: Any) -> list:
    """The collection itself, which can be changed."""
    return get_default_graph().get_collection_ref(key)


# ---------------------------------------------------------------- older ways, and templates
@reusable
def op_scope(values: Any, name: str | None, default_name: str | None = None) -> Iterator[str]:
    """`name_scope` in the order of arguments of TF 0.x."""
    with get_default_graph().name_scope(name if name is not None else default_name) as scope:
        yield scope


@reusable
def variable_op_scope(values: Any, name_or_scope: Any, default_name: str | None = None, **others: Any) -> Iterator[VariableScope]:
    """`variable_scope` in the order of arguments of TF 0.x."""
    with variable_scope(name_or_scope, default_name, values, **others) as scope:
        yield scope


@reusable
def init_scope() -> Iterator[None]:
    """Operations made inside depend on no control dependencies that stand outside, and lie in no name scope."""
    graph = get_default_graph()
    with graph.control_dependencies(None), graph.name_scope(None):
        yield


def make_template(
    name_: str, func_: Callable[..., Any], create_scope_now_: bool = False, unique_name_: str | None = None, **kwargs: Any
) -> Callable[..., Any]:
    """`func_` as a function that makes its variables in its first call and shares them in all others.

    They lie in a variable scope called `name_`, made unique, or `unique_name_`; `kwargs` are given to every call."""
    scopes: list[VariableScope] = []
    called: list[bool] = []

    def enter() -> Reusable:
        return variable_scope(scopes[0]) if scopes else variable_scope(unique_name_, name_)

    def call(*args: Any, **more: Any) -> Any:
        with enter() as scope, variable_scope(scope, reuse=True if called else None, auxiliary_name_scope=False):
            scopes[:] = [scope]
            result = func_(*args, **{**kwargs, **more})
        called[:] = [True]
        return result

    if create_scope_now_:
        with enter() as scope:
            scopes.append(scope)
    return call
