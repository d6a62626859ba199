"""Sessions: where variables live and graphs run.

Law of this file: `run` flattens fetches, converts feeds, finds the plan, and gives the results back in the shape of
the fetches.  Nothing is cached between runs but plans; every needed operation is evaluated once per run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from . import facts, nest
from .codegen.devices import list_devices
from .errors import OpError, locate, shown, user_site
from .freeze import Request, needed_operations
from .function import Function
from .graph import Graph, Operation, Tensor, _state, get_default_graph, leave
from .history import History
from .loop import Loop, recorded
from .loop_plan import FEW, CompiledLoop
from .minibatch import Minibatch, whole
from .ops.indexed_slices import IndexedSlices, IndexedSlicesValue
from .placement import Placement
from .plan import Family, feeder
from .stages import Stages, family
from .state import State


class Session:
    """Runs operations of one graph and keeps its variables.

    As a context manager it is the default session inside the `with`, and is closed at the end.  `device` is where its programs
    run: 'cuda' (or '/gpu:0', 'cuda:1', ...), 'cpu', or None: as SYMGRAPH_DEVICE says, or as the operations ask with
    `tf.device`.  RuntimeError when it is not there."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None, device: str | None = None) -> None:
        if graph is not None and not isinstance(graph, Graph):
            raise TypeError(f"graph must be a tf.Graph, but got {type(graph)}")
        if not isinstance(target, str | bytes):
            raise TypeError(f"target must be a string, but got {type(target)}")
        if config is not None and type(config).__name__ != "ConfigProto":
            raise TypeError(f"config must be a tf.ConfigProto, but got {type(config)}")
        self.graph = graph or get_default_graph()
        self.state = State(Placement.of(device, config))
        self._families: dict[tuple, Family | Stages] = {}
        self._calls: dict[Any, Callable[[Any], Any]] = {}
        self._loops: dict[tuple, Loop] = {}
        self._closed = False
        self._entered = False
        self._contexts: list[Any] = []

    # -- running
    def run(self, fetches: Any, feed_dict: Mapping | None = None, options: Any = None, run_metadata: Any = None) -> Any:
        """The values of `fetches`: a tensor, operation, variable or name, or lists, tuples, dicts of them, nested.

        `feed_dict` maps tensors (any of them, or their names) to values.  A tensor gives an ndarray or NumPy scalar,
        an operation None."""
        try:
            key = _key(fetches, feed_dict)
            call = None if key is None else self._calls.get(key)
            if call is None:
                call = self._prepare(fetches, feed_dict or {})
                if key is not None:
                    self._calls[key] = call
            return call(feed_dict.values() if feed_dict else ())
        except (OpError, TypeError, ValueError, RuntimeError) as e:
            raise locate(e, "run", user_site(), {}) from None

    def _prepare(self, fetches: Any, feed_dict: Mapping) -> Callable[[Any], Any]:
        """How to serve these fetches under feeds of these tensors: everything that does not depend on the fed values."""
        if isinstance(feed_dict, Mapping) and any(map(nest.is_nested, feed_dict)):
            keys, flat = list(feed_dict), self._prepare(fetches, _flat(feed_dict))
            return lambda values: flat([leaf for k, v in zip(keys, values, strict=True) for leaf in nest.flatten_as(k, v)])
        fed = self._fed(feed_dict)
        leaves: list[Tensor | Operation] = []
        rebuild = _structure(fetches, self._leaf_of, leaves)
        tensors = [x for x in leaves if isinstance(x, Tensor)]
        operations = [x for x in leaves if isinstance(x, Operation)]
        family = self.family(tensors, operations, fed)
        single = isinstance(fetches, Tensor)
        nothing = isinstance(fetches, Operation)

        feeders = [feeder(t, family.device) for t in fed]

        def call(values: Any) -> Any:
            arrays = [feed(v) for feed, v in zip(feeders, values)] if feeders else []
            out = family.run(arrays)
            if nothing:
                return None
            if single:
                v = out[0]
                return v if np.ndim(v) else v[()] if isinstance(v, np.ndarray) else v
            values = iter([v if np.ndim(v) or not isinstance(v, np.ndarray) else v[()] for v in out])
            return rebuild(iter([next(values) if isinstance(x, Tensor) else None for x in leaves]))

        return call

    def run_loop(
        self,
        fetches: Any,
        steps: int,
        feed_dict: Mapping | None = None,
        minibatch: Minibatch | None = None,
        record: Any = None,
        every: int = 1,
        progress: bool | None = None,
        reassociate: bool = False,
    ) -> History:
        """Run `fetches` (a training operation) `steps` times, and record on the way.  This means

            for s in range(steps):
                if s % every == 0: self.run(record, feed_dict)      # kept: history[name][s // every]
                self.run(fetches, feed_dict)

        `fetches` and `feed_dict` are as in `run`; the values of fetched tensors are not kept.  `minibatch` (a
        `Minibatch`) says which rows of the fed arrays each step and its record see.  `record` is a tensor, a list of
        tensors, or {name: tensor}, each of a shape that does not change.  `progress` draws a bar (with tqdm): True
        always, False never, None for loops that last more than a second where somebody looks at standard error.
        `reassociate` lets sums be taken in another order where that moves work out of the loop: faster, and equal up
        to rounding only.

        What another thread does to the session's variables in the meantime is seen at the next look around (a tenth of a
        second), except by what was computed once for all steps.

        Ctrl-C ends the loop after the step that it is in, with every variable as that step left it: `run_loop` returns
        the history so far, with `history.interrupted` set, and the program goes on behind it.  A second Ctrl-C in the
        same loop raises KeyboardInterrupt.  The `history` of an error in a step is what was recorded before that step.

        >>> import symgraph as sg
        >>> w = sg.Variable(8.0, name="w")
        >>> loss = sg.square(w - 3.0, name="loss")
        >>> step = sg.train.GradientDescentOptimizer(0.25).minimize(loss)
        >>> with sg.Session() as sess:
        ...     sess.run(sg.global_variables_initializer())
        ...     history = sess.run_loop(step, steps=4, record=loss, every=2)
        >>> history["loss"], history.steps
        (array([25.    ,  1.5625], dtype=float32), array([0, 2]))
        """
        try:
            feeds = {} if feed_dict is None else _flat(feed_dict)
            loop, steps = self._loop(fetches, feeds, record), whole("steps", steps, 0)
            job = loop.job(list(feeds.values()), minibatch, every, reassociate, self._fed_tensor)
            return loop.run(job, steps, progress)
        except (OpError, TypeError, ValueError, RuntimeError) as e:
            raise locate(e, "run_loop", user_site(), {}) from None

    def compiled_loop(
        self,
        fetches: Any,
        feed_dict: Mapping | None = None,
        minibatch: Minibatch | None = None,
        record: Any = None,
        every: int = 1,
        reassociate: bool = False,
    ) -> CompiledLoop:
        """What a long `run_loop` of these arguments compiles to, to look at: `.source`, `.path`, `.explain()`.

        ValueError, saying why, for a loop that runs step by step."""
        try:
            feeds = {} if feed_dict is None else _flat(feed_dict)
            loop = self._loop(fetches, feeds, record)
            made, why = loop.plan(loop.job(list(feeds.values()), minibatch, every, reassociate, self._fed_tensor), FEW)
            if made is None:
                raise ValueError(f"this loop runs step by step: {why}")
            return made
        except (OpError, TypeError, ValueError, RuntimeError) as e:
            raise locate(e, "compiled_loop", user_site(), {}) from None

    def _loop(self, fetches: Any, feed_dict: Mapping, record: Any) -> Loop:
        """The loop of these fetches and records under feeds of these tensors."""
        fed = self._fed(feed_dict)
        leaves: list[Tensor | Operation] = []
        _structure(fetches, self._leaf_of, leaves)
        operations = tuple(dict.fromkeys(x.op if isinstance(x, Tensor) else x for x in leaves if x not in fed))
        names = recorded(record, self._leaf_of)
        key = (operations, fed, *names.items())
        if key not in self._loops:
            family = self.family(list(names), (), fed) if names else None
            self._loops[key] = Loop(self.family((), operations, fed), family, names)
        return self._loops[key]

    def _fed(self, feed_dict: Mapping) -> tuple[Tensor, ...]:
        """The tensors that are fed."""
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        if not isinstance(feed_dict, Mapping):
            raise TypeError(f"feed_dict must be a dictionary, not {shown(feed_dict)}")
        fed = tuple(k if isinstance(k, Tensor) and k.op.graph is self.graph else self._fed_tensor(k) for k in feed_dict)
        if len(set(fed)) < len(fed):
            raise ValueError(f"the feed dict names a tensor twice: {', '.join(t.name for t in fed)}")
        return fed

    def family(self, tensors: Sequence[Tensor], operations: Sequence[Operation], fed: Sequence[Tensor]) -> Family | Stages:
        """The plans of one set of fetches under one set of fed tensors."""
        key = (tuple(tensors), tuple(operations), tuple(fed))
        if key not in self._families:
            self._families[key] = family(Request(tuple(tensors), tuple(operations)), fed, self.state)
        return self._families[key]

    def _leaf_of(self, fetch: Any) -> Tensor | Operation:
        if fetch is None or not (hasattr(fetch, "_as_graph_element") or isinstance(fetch, Tensor | Operation | str)):
            raise TypeError(
                f"Fetch argument {fetch!r} has invalid type {type(fetch)}, must be a string or Tensor. "
                f"(Can not convert a {type(fetch).__name__} into a Tensor or Operation.)"
            )
        try:
            return self.graph.as_graph_element(fetch)
        except KeyError as e:
            raise ValueError(f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({e.args[0]})") from None
        except ValueError as e:
            raise ValueError(f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({e})") from None

    def _fed_tensor(self, key: Any) -> Tensor:
        try:
            found = self.graph.as_graph_element(key, allow_operation=False)
        except (ValueError, KeyError, TypeError) as e:
            raise TypeError(f"Cannot interpret feed_dict key as Tensor: {e.args[0] if e.args else e}") from None
        assert isinstance(found, Tensor)
        return found

    # -- looking
    def check_assumptions(self, feed_dict: Mapping | None = None) -> list[Tensor]:
        """Look whether what was assumed (`sg.assume`) is so: of what is fed, of variables, and of all that can be computed
        from them.  Returns the tensors that were looked at; those that need a placeholder that is not fed are left out.

        InvalidArgumentError names the tensor, the line that made it, the fact, and the first place where it is not so."""
        feeds = {} if feed_dict is None else _flat(feed_dict)
        try:
            fed = dict.fromkeys(self._fed(feeds))
            tensors = [
                t
                for t in facts.assumed(self.graph)
                if t in fed or not any(op.type == "Placeholder" and op.outputs[0] not in fed for op in needed_operations([t.op], fed))
            ]
            for t, value in zip(tensors, self.run(tensors, feeds), strict=True):
                facts.look(t, value)
        except (OpError, TypeError, ValueError, RuntimeError) as e:
            raise locate(e, "check_assumptions", user_site(), {}) from None
        return tensors

    def compiled(self, fetches: Any, feed: Sequence[Tensor] | None = None) -> Function:
        """What a run of `fetches` compiles to: `.source`, `.path`, `.explain()`, callable with the fed arrays.

        `feed` is the fed tensors in calling order; by default all placeholders that the fetches need."""
        leaves: list[Tensor | Operation] = []
        _structure(fetches, self._leaf_of, leaves)
        tensors = [x for x in leaves if isinstance(x, Tensor)]
        operations = [x for x in leaves if isinstance(x, Operation)]
        if feed is None:
            ops = needed_operations([*operations, *(t.op for t in tensors)], {})
            feed = [op.outputs[0] for op in ops if op.type == "Placeholder"]
        made = self.family(tensors, operations, tuple(feed))
        if isinstance(made, Stages):
            raise ValueError(f"this run is not one program: {made.python or 'strings are made in Python'}")
        return Function(made, isinstance(fetches, list | tuple))

    def make_callable(self, fetches: Any, feed_list: Sequence[Any] | None = None, accept_options: bool = False) -> Callable[..., Any]:
        """A function of the values of `feed_list` that runs `fetches`."""
        keys = list(feed_list or ())
        return lambda *values, **options: self.run(fetches, dict(zip(keys, values, strict=True)))

    @property
    def graph_def(self) -> Any:
        """The graph as TensorFlow's message."""
        return self.graph.as_graph_def()

    def list_devices(self) -> list[Any]:
        """The devices that programs can run on."""
        return list_devices()

    # -- life
    def close(self) -> None:
        """Give the variables up.  Running afterwards is a RuntimeError."""
        self._closed = True
        self._calls.clear()
        self._families.clear()
        self._loops.clear()
        self.state = State()

    def as_default(self) -> _Default:
        """A `with` that makes this the default session and does not close it."""
        return _Default(self)

    def __enter__(self) -> Session:
        if self._entered:
            raise RuntimeError(
                "Session context managers are not re-entrant. Use `Session.as_default()` if you want to enter a session multiple times."
            )
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        self._entered = True
        graph = self.graph.as_default()
        graph.__enter__()
        self._contexts.append(graph)
        _state.sessions.append(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        leave(_state.sessions, self)
        self._contexts.pop().__exit__(*exc)
        self._entered = False
        self.close()


class _Default:
    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> Session:
        self._graph = self.session.graph.as_default()
        self._graph.__enter__()
        _state.sessions.append(self.session)
        return self.session

    def __exit__(self, *exc: Any) -> None:
        leave(_state.sessions, self.session)
        self._graph.__exit__(*exc)


class InteractiveSession(Session):
    """A session that is the default one from its construction until `close()`."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None, device: str | None = None) -> None:
        super().__init__(target, graph, config, device)
        self._pushed_graph = None
        if graph is not None:
            self._pushed_graph = graph.as_default()
            self._pushed_graph.__enter__()
        _state.sessions.append(self)

    def close(self) -> None:
        if self in _state.sessions:
            leave(_state.sessions, self)
        if self._pushed_graph is not None:
            self._pushed_graph.__exit__(None, None, None)
            self._pushed_graph = None
        super().close()


def _key(fetches: Any, feed_dict: Mapping | None) -> tuple | None:
    """What a call is remembered by: the fetches (nested ones are not) and the fed keys."""
    kind = type(fetches)
    try:
        if feed_dict and not isinstance(feed_dict, dict):
            return None
        if kind is list or kind is tuple:
            if not all(isinstance(f, Tensor | Operation) for f in fetches):
                return None
            key = (kind, *fetches, None, *(feed_dict or ()))
        else:
            key = (fetches, *(feed_dict or ()))
        hash(key)
    except TypeError:
        return None
    return key


def _flat(feed_dict: Mapping) -> Mapping:
    """The feeds with those of structures (the state of a recurrent net) taken apart."""
    if not isinstance(feed_dict, Mapping) or not any(map(nest.is_nested, feed_dict)):
        return feed_dict
    return {t: leaf for k, v in feed_dict.items() for t, leaf in zip(nest.flatten(k), nest.flatten_as(k, v), strict=True)}


def _structure(fetch: Any, leaf_of: Callable[[Any], Tensor | Operation], leaves: list) -> Callable[[Any], Any]:
    """Collect the leaves of nested fetches; the result rebuilds the nesting from an iterator over values."""
    if isinstance(fetch, IndexedSlices):
        fetch = IndexedSlicesValue(fetch.values, fetch.indices, () if fetch.dense_shape is None else fetch.dense_shape)
    if isinstance(fetch, Mapping):
        keys = list(fetch)
        parts = [_structure(fetch[k], leaf_of, leaves) for k in keys]
        kind = partial(defaultdict, fetch.default_factory) if isinstance(fetch, defaultdict) else type(fetch)
        return lambda values: kind(zip(keys, [p(values) for p in parts], strict=True))  # type: ignore[call-arg]
    if isinstance(fetch, list | tuple):
        inner = [_structure(f, leaf_of, leaves) for f in fetch]
        if isinstance(fetch, list):
            return lambda values: [p(values) for p in inner]
        named = type(fetch)
        if hasattr(fetch, "_fields"):
            return lambda values: named(*[p(values) for p in inner])
        return lambda values: tuple([p(values) for p in inner])
    leaves.append(leaf_of(fetch))
    return next
