"""`tf.contrib.framework`: defaults for the arguments of many calls, and variables by scope and suffix.

Law of this file: inside `with arg_scope([f, g], a=1)` the functions f and g, which were made with `add_arg_scope`, take a=1
where the call does not say otherwise; inner scopes go before outer ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import signature
from typing import Any

from ..graph import get_default_graph
from ..ops.state import Variable
from ..scopes import GraphKeys

Defaults = Mapping[str, Mapping[str, Any]]
_current: ContextVar[Defaults] = ContextVar("defaults", default={})  # noqa: B039  never changed in place


def add_arg_scope(func: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a function whose arguments can have defaults by `arg_scope`."""
    key, order = f"{func.__module__}.{func.__qualname__}", list(signature(func).parameters)

    @wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = {*order[: len(args)], *kwargs}
        return func(*args, **kwargs, **{n: v for n, v in _current.get().get(key, {}).items() if n not in given})

    call._key_op = key  # type: ignore[attr-defined]
    return call


def has_arg_scope(func: Callable[..., Any]) -> bool:
    """Was the function made with `add_arg_scope`?"""
    return hasattr(func, "_key_op")


@contextmanager
def arg_scope(list_ops_or_scope: Any, **kwargs: Any) -> Iterator[Defaults]:
    """Defaults for the functions listed; yields what stands, which can be given to another `arg_scope` to stand again."""
    if isinstance(list_ops_or_scope, Mapping):
        if kwargs:
            raise ValueError("When attempting to re-use a scope by suppling a dictionary, kwargs must be empty.")
        new: dict[str, Mapping[str, Any]] = dict(list_ops_or_scope)
    else:
        if not isinstance(list_ops_or_scope, Sequence):
            raise TypeError("list_ops_or_scope must either be a list/tuple or reused scope (i.e. dict)")
        new = dict(_current.get())
        for f in list_ops_or_scope:
            if not has_arg_scope(f):
                raise ValueError(f"{getattr(f, '__name__', f)} is not decorated with @add_arg_scope")
            new[f._key_op] = {**new.get(f._key_op, {}), **kwargs}
    token = _current.set(new)
    try:
        yield new
    finally:
        _current.reset(token)


def get_variables(scope: Any = None, suffix: str | None = None, collection: str = GraphKeys.GLOBAL_VARIABLES) -> list[Variable]:
    """The variables of a scope (a name, a regular expression at the start of names, or the scope itself) whose names end so."""
    found = get_default_graph().get_collection(collection, getattr(scope, "name", scope))
    return [v for v in found if suffix is None or v.op.name.endswith(suffix)]


def get_trainable_variables(scope: Any = None, suffix: str | None = None) -> list[Variable]:
    """Those that optimizers work on."""
    return get_variables(scope, suffix, GraphKeys.TRAINABLE_VARIABLES)


def get_model_variables(scope: Any = None, suffix: str | None = None) -> list[Variable]:
    """Those that the functions of tf.contrib.layers made."""
    return get_variables(scope, suffix, GraphKeys.MODEL_VARIABLES)


def get_variables_by_name(given_name: str, scope: Any = None) -> list[Variable]:
    """Those of that name, in whatever scope."""
    return [v for v in get_variables(scope) if v.op.name.rsplit("/", 1)[-1] == given_name or v.op.name == given_name]


def get_variables_by_suffix(suffix: str, scope: Any = None) -> list[Variable]:
    """Those whose names end so."""
    return get_variables(scope, suffix)
