"""Compiled functions: a piece of graph as a Python callable, without a session.

Law of this file: a `Function` is a family of plans with a calling convention; what can be inspected of a plan (source,
path, kernel, report) is inspected here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from html import escape
from typing import Any

import numpy as np

from . import dtypes
from .errors import OpError, locate, user_site
from .freeze import Request, needed_operations
from .graph import Attempt, Graph, Operation, Tensor, convert
from .history import History
from .loop import Loop, own_name
from .minibatch import Minibatch, whole
from .ops.core import graph_of, same_dtype
from .ops.state import ref_of
from .placement import Placement
from .plan import Family, Plan, UnknownExtent, feed_array
from .stages import family, python_in
from .state import State


class Function:
    """Callable with one array per input; made by `function` or `Session.compiled`."""

    def __init__(self, family: Family, many: bool) -> None:
        self._family, self._many = family, many
        self._loop = Loop(family, None, {t: (own_name(t),) for t in family.request.tensors})

    def __call__(self, *args: Any) -> Any:
        """The outputs for these inputs: one array, or a list when `outputs` was a list."""
        try:
            self._count(args)
            arrays = [feed_array(t, a, self._family.device) for t, a in zip(self._family.fed, args, strict=True)]
            out = [v[()] if v.ndim == 0 else v for v in self._family.run(arrays)]
        except (OpError, TypeError, ValueError) as e:
            raise locate(e, "called", user_site(), {}) from None
        if self._many:
            return out
        return out[0] if out else None

    def loop(
        self,
        steps: int,
        *args: Any,
        minibatch: Minibatch | None = None,
        every: int = 1,
        progress: bool | None = None,
        reassociate: bool = False,
    ) -> History:
        """Call the function `steps` times with these inputs, and keep the outputs of calls 0, every, 2 every, ...

        `minibatch` says which rows of the inputs each call sees; everything else is as in `Session.run_loop`.

        >>> import symgraph as sg
        >>> w = sg.Variable(8.0, name="w")
        >>> halve = sg.function([], w, updates=[(w, w / 2.0)])
        >>> halve.loop(4)[w]
        array([8., 4., 2., 1.], dtype=float32)
        """
        try:
            self._count(args)
            steps = whole("steps", steps, 0)
            return self._loop.run(self._loop.job(args, minibatch, every, reassociate, convert), steps, progress)
        except (OpError, TypeError, ValueError) as e:
            raise locate(e, "loop", user_site(), {}) from None

    def _count(self, args: Sequence[Any]) -> None:
        fed = self._family.fed
        if len(args) != len(fed):
            raise TypeError(f"this function takes {len(fed)} arrays ({', '.join(t.op.name for t in fed)}), {len(args)} were given")

    @property
    def _plan(self) -> Plan:
        return self._family.symbolic()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self._family.fed

    @property
    def program(self) -> Any:
        """The typed program that is compiled (`print` it)."""
        return self._plan.program

    @property
    def source(self) -> str:
        """The generated Python source, with comments that name operations and the user's lines."""
        return self._plan.compiled.source

    @property
    def path(self) -> Any:
        """The file of the generated source in the cache; None when it lives in memory only."""
        return self._plan.compiled.path

    @property
    def kernel(self) -> Any:
        """A Numba dispatcher `kernel(*inputs, *states)` that can be called from other compiled code."""
        return self._plan.compiled.kernel

    def save_source(self, path: Any) -> Any:
        """Write the source as a file that runs with only numpy and numba installed."""
        return self._plan.compiled.save_source(path)

    def ptx(self, compute_capability: tuple[int, int] | None = None) -> str:
        """What a GPU is given: the PTX of the kernel, for the device's own compute capability or another one.

        TypeError for a function that runs on the CPU."""
        made = self._plan.compiled
        if made.device is None:
            raise TypeError(f"{self.program.name} runs on the CPU: only a function with device='cuda' has PTX")
        return made.ptx(compute_capability)

    def explain(self) -> str:
        """What the compiler did: passes, fusion and its reasons, flops, bytes, times."""
        return str(self._plan.executable.report)

    @property
    def variables(self) -> dict[str, np.ndarray]:
        """Copies of the variables that the function reads or writes, by name."""
        plan = self._plan
        return {n.attrs[0].name: self._family.state.array(n, write=False).copy() for n in plan.frozen.states if n.kind.value == "variable"}

    def _repr_html_(self) -> str:
        return f"<details><summary>{escape(repr(self))}</summary><pre>{escape(self.source)}</pre></details>"

    def __repr__(self) -> str:
        return f"<symgraph function of ({', '.join(t.op.name for t in self.inputs)})>"


def function(
    inputs: Sequence[Any] = (),
    outputs: Any = (),
    updates: Any = None,
    session: Any = None,
    name: str = "step",
    device: str | None = None,
) -> Function:
    """Compile outputs as a function of inputs, with updates of variables, as Theano's `function` does.

    `inputs`: tensors to be given (placeholders, or any others), in calling order.  `outputs`: a tensor or a list of
    tensors.  `updates`: pairs (variable, new value), or a dict; outputs and new values are computed from the values before the call.
    The variables live in `session`, or in the function itself, where they start from their initial values.  `device` is as
    in `Session`; with a session it is the session's.

    >>> import symgraph as sg
    >>> x = sg.placeholder(sg.float32, (None,))
    >>> sg.function([x], sg.reduce_sum(x * x))([1.0, 2.0])
    np.float32(5.0)
    """
    many = isinstance(outputs, list | tuple)
    pairs = list(updates.items() if isinstance(updates, Mapping) else updates or ())
    results, arguments = list(outputs) if many else [outputs], list(inputs)
    whole = Attempt(graph_of([*results, *arguments, *(v for v, _ in pairs)]), "function", name, {"inputs": arguments, "outputs": results})
    with whole as (graph, _):
        given = [convert(t, graph=graph) for t in arguments]
        request = Request([convert(t, graph=graph) for t in results], (), updates=[_change(v, t, graph) for v, t in pairs])
        if len(set(given)) < len(given):
            raise ValueError(f"an input is named twice: {', '.join(t.op.name for t in given)}")
        written = [ref for ref, _ in request.updates]
        if len(set(written)) < len(written):
            raise ValueError(f"a variable is updated twice: {', '.join(t.op.name for t in written)}")
        if any(t.dtype is dtypes.string for t in [*given, *request.tensors]):
            raise TypeError("a compiled function takes and gives numbers and truth values, not strings")
        for t in [*given, *request.tensors, *(ref for ref, _ in request.updates)]:
            if t.graph is not graph:
                raise ValueError(f"Tensor {t} is not an element of this graph.")
        if why := python_in(request, given):
            raise ValueError(f"a compiled function cannot call Python: {why}\nrun it in a session")
        if session is not None and device is not None:
            raise ValueError("the variables live in the session, which says where it runs: give device to one of the two")
        state = session.state if session is not None else State(Placement.of(device, None))
        if session is None:
            _initialize(request, given, state)
        family = Family(request, given, state, name)
        if all(t.extents is not None for t in given):
            with suppress(UnknownExtent):  # images: compiled for the extents that are given
                family.symbolic()
    return Function(family, many)


def _change(v: Any, value: Any, graph: Graph) -> tuple[Tensor, Tensor]:
    """The variable's tensor and what it becomes."""
    ref = ref_of(v)
    new = convert(value, like=ref.dtype, graph=graph)
    same_dtype("update", ref, new, ("variable", "value"))
    if not new.shape.is_compatible_with(ref.shape):
        raise ValueError(f"the update {new.described()} does not fit the variable {ref.described()}")
    return ref, new


def _initialize(request: Request, given: Sequence[Tensor], state: State) -> None:
    """Run the initialisers of the variables that a request needs."""
    wanted = [*(t.op for t in request.tensors), *(op for pair in request.updates for op in (pair[0].op, pair[1].op))]
    starts: dict[Operation, None] = {}
    while wanted:  # an initial value may itself read variables
        needed = needed_operations(wanted, dict.fromkeys(given))  # type: ignore[arg-type]
        variables = {op.name: op for op in needed if op.type == "VariableV2"}
        found = [op for v in variables.values() if (op := v.graph.get_operation_by_name(f"{v.name}/Assign")) not in starts]
        starts |= dict.fromkeys(found)
        wanted = [op.inputs[1].op for op in found]
    for op in sorted(starts, key=lambda o: o.number):
        family(Request((), (op,)), (), state).run([])
