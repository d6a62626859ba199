"""Plans: a request frozen, compiled and bound to the state of a session.

Law of this file: a `Family` is a request with its fed tensors; a plan in it is keyed on the ranks of what is fed, on
which sizes are 0 and which ambiguous ones are 1, on the extents of images under windows, and on the values that shapes depend
on.  So a new batch size is not a new compile.
Which way a program runs is one rule, `route`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf, prod
from typing import Any

import numpy as np

from . import build, codegen, config, facts
from .codegen import ir
from .codegen.devices import Device
from .codegen.resident import as_numba, is_device_array, on_host
from .emit import MissingExtent, MissingSize, origin
from .errors import FailedPreconditionError, InvalidArgumentError, locate, shown, user_site
from .freeze import Frozen, Request, freeze, needed_operations
from .graph import NeedsValue, Operation, Tensor, Unknown
from .host import HOST
from .log import tell
from .node import Kind, Node
from .ops.core import is_tensor
from .shapes import brackets, symbol, text
from .state import State
from .statics import leaf_behind

_EXACT_AND_SMALL = 4096


def route(program: ir.Program) -> str:
    """'numba', 'python' or 'reference': how a program runs.

    Initialisers run once and integer programs on a few elements give the same bits either way, so the interpreter
    serves them without a compile; programs past codegen's limit would compile for minutes."""
    chosen = config.get("SYMGRAPH_BACKEND")
    if chosen != "auto":
        return chosen
    if not program.statements or not codegen.worth_compiling(program):
        return "reference"
    read = {n for s in program.statements for n in ir.reads(s)}
    streams = {n for s in program.statements for n in ir.streams(s)}
    if not program.inputs and not program.outputs and not (read - streams) & set(program.states):
        return "reference"
    return "reference" if _exact(program) <= _EXACT_AND_SMALL else "numba"


def _exact(program: ir.Program) -> float:
    """How many elements an integer program of known sizes writes, in all steps of its loops; infinity for any other."""
    table, total = program.table(), 0.0
    for s in program.statements:
        b = table[s.out]
        known = [d for d in b.shape if isinstance(d, int)]
        if b.dtype[0] == "f" or len(known) < len(b.shape):
            return inf
        total += prod(known)
        if isinstance(s, ir.Repeat):
            total += s.steps * _exact(s.body) if isinstance(s.steps, int) else inf
    return total


def executable_of(program: ir.Program, device: Device | None = None) -> Any:
    """The program, ready to run the way that `route` says; what is compiled runs on `device`."""
    way = route(program)
    executable: Any = None
    if way != "reference":
        try:
            executable = compiled(program, device)
        except codegen.ProgramTooLong as e:  # known only when its source is there
            if device is not None:
                warnings.warn(f"{program.name} is interpreted on the host, not run on {device.name}: {e}", RuntimeWarning, stacklevel=2)
    judged = executable is not None and config.get("SYMGRAPH_CHECK") >= 2
    executable = executable or codegen.interpret(program)
    tell_of(executable, program)
    return codegen.Judged(executable) if judged else executable


def compiled(program: ir.Program, device: Device | None) -> Any:
    """The program compiled for a device, None for the CPU; or as plain Python."""
    if device is not None:
        return codegen.compile_for(program, device)
    return codegen.compile(program, target="python" if config.get("SYMGRAPH_BACKEND") == "python" else "cpu")


def compiled_loop(loop: ir.Loop, hints: Mapping[str, int], device: Device | None) -> Any:
    """The same of a loop."""
    return codegen.compile_loop(loop, hints) if device is None else codegen.compile_loop_for(loop, hints, device)


Held = tuple[tuple[Node, bool], ...]
"""State leaves that a program of the host touches, and whether it writes them; see `State.bring_home`."""


def bound(
    executable: Any, names: Sequence[str], states: Mapping[str, Node], state: State, programs: Sequence[ir.Program], **how: Any
) -> tuple[Any, Held]:
    """The executable on the values of the states of these names, and what has to be at home when it runs.

    `how` is for a device: `home=False` leaves results there."""
    nodes = [states[name] for name in names]
    if executable.device is not None:
        return executable.bind([state.cell(n) for n in nodes], **how), ()
    changed = {n for p in programs for n in ir.written(p)}
    return executable.bind([state.array(n, write=False) for n in nodes]), tuple((states[n], n in changed) for n in names)


def tell_of(executable: Any, *programs: ir.Program) -> None:
    """What SYMGRAPH_DEBUG asks to tell of a compile."""
    report = str(executable.report).splitlines()
    tell(1, report[0] + (f"; {report[-1].strip()}" if len(report) > 1 else ""))
    tell(2, "\n".join(report))
    tell(3, "\n".join(map(str, programs)))
    tell(4, f"# {executable.path}\n{executable.source}")


@dataclass
class Plan:
    """A compiled request: `run(*arrays)` on the fed arrays that the program reads, at positions `takes`."""

    frozen: Frozen
    executable: Any
    run: Callable[..., tuple]
    takes: tuple[int, ...]
    reads: tuple[Node, ...]
    writes: tuple[Node, ...]
    operations: Callable[[], list[Operation]]
    held: Held
    device: Device | None = None
    ready: bool = False

    @property
    def program(self) -> ir.Program:
        return self.frozen.program

    @property
    def compiled(self) -> Any:
        """The executable to look at: a program that the interpreter runs is compiled for those who ask for its source."""
        if isinstance(self.executable, codegen.Interpreted) and self.program.statements:
            try:
                return compiled(self.program, self.device)
            except codegen.ProgramTooLong:
                pass
        return self.executable

    def __call__(self, state: State, arrays: Sequence[np.ndarray]) -> tuple:
        """The fetched arrays; variables that the program reads must be initialised."""
        if not self.ready:
            need_initialized(self.reads, state, self.operations)
        if state.cells:
            state.bring_home(self.held)
        try:
            out = self.run(*[arrays[k] for k in self.takes])
        except (FloatingPointError, IndexError, ValueError) as e:
            raise fault(e, self.operations()) from None
        if not self.ready:
            state.initialized.update(self.writes)
            self.ready = True
        return out


def need_initialized(variables: Sequence[Node], state: State, operations: Callable[[], list[Operation]]) -> None:
    """FailedPreconditionError unless all of them have a value."""
    for v in variables:
        if v not in state.initialized:
            raise FailedPreconditionError(
                f"Attempting to use uninitialized value {v.attrs[0].name}\nrun its initializer or tf.global_variables_initializer() first",
                next(op for op in operations() if op.attrs.get("_node") is v),
            )


def fault(error: Exception, operations: Sequence[Operation]) -> InvalidArgumentError:
    """What failed in the running program, in TF's words and with the operation that the program's words name."""
    what = str(error)
    op = next((op for op in operations if origin(op) in what), None)
    if isinstance(error, IndexError):
        what = what.rpartition(": ")[2]
    if op is None:
        return InvalidArgumentError(what.replace("\n", "\n  "))
    if isinstance(error, FloatingPointError):
        what = _SINGULAR.get(op.type, "Input is not invertible.") + "\n" + what.rpartition(": ")[2]
    return InvalidArgumentError(what.replace(f" in {origin(op)}", ""), op)


_SINGULAR = {
    "Cholesky": "Cholesky decomposition was not successful. The input might not be valid.",
    "MatrixSolve": "Input matrix is not invertible.",
}
"""TF's words for a failed factorisation, by operation type."""


class UnknownExtent(ValueError):
    """An extent of images or of a filter that only what is fed has."""


class Family:
    """Plans of one request under varying feeds."""

    python = ""
    """Which operation calls Python (stages.py has those that do)."""

    def __init__(self, request: Request, fed: Sequence[Tensor], state: State, name: str = "step") -> None:
        self.request, self.fed, self.state, self.name = request, tuple(fed), state, name
        self.plans: dict[tuple, Plan] = {}
        self.ones: list[tuple[int, int]] = []
        self.exact: list[tuple[int, int]] = []
        self.valued: list[int] = []
        self._leaves: dict[tuple, Node] = {}
        self._last: tuple[list | None, Any] = (None, None)
        roots = [*request.tensors, *request.operations, *(t for pair in request.updates for t in pair), *self.fed]
        hinted = bool(roots) and roots[0].graph.hinted  # type: ignore[attr-defined]
        self.device = state.placement.choose(hinted, lambda: self._operations(dict.fromkeys(self.fed)))  # type: ignore[arg-type]

    def plan(self, arrays: Sequence[np.ndarray], fed: bool = True) -> Plan:
        """The plan for arrays of these ranks (and, where it matters, extents and values).

        When they are not `fed` but stand for any of their ranks: UnknownExtent where extents matter."""
        key = self._key(arrays)
        found = self.plans.get(key)
        if found is None:
            found = self._make(arrays, fed)
            self.plans[self._key(arrays)] = found
        return found

    def run(self, arrays: Sequence[np.ndarray]) -> tuple:
        """The fetched arrays for these fed ones.  One run at a time on one state: plans share its arrays and their scratch."""
        with self.state.lock:
            shapes = [a.shape for a in arrays]
            if shapes != self._last[0] or self.valued:
                self._last = shapes, self.plan(arrays)
            return self._last[1](self.state, arrays)

    def symbolic(self) -> Plan:
        """The plan for feeds of the shapes that are declared, with every unknown size general."""
        for p in self.plans.values():
            return p
        for t in self.fed:
            if t.extents is None:
                raise ValueError(f"the rank of {t.described()} is not known before it is fed: run once, or give the placeholder a shape")
        guess = [np.empty([d if isinstance(d, int) else 2 for d in t.extents], t.dtype.as_numpy_dtype) for t in self.fed]  # type: ignore[union-attr]
        return self.plan(guess, fed=False)

    def _key(self, arrays: Sequence[np.ndarray]) -> tuple:
        key: tuple = tuple([a.ndim if a.size else a.shape for a in arrays])
        if self.ones:
            key += tuple([arrays[k].ndim > axis and arrays[k].shape[axis] == 1 for k, axis in self.ones])
        if self.exact:
            key += tuple([arrays[k].shape[axis : axis + 1] for k, axis in self.exact])
        if self.valued:
            key += tuple([(arrays[k].shape, on_host(arrays[k]).tobytes()) for k in self.valued])
        return key

    def _leaf(self, k: int, shape: tuple[int, ...], ones: frozenset[int]) -> Node:
        """The node that stands for fed tensor k, with extent 1 at the axes in `ones`.

        An extent of 0 is always its own plan: derivatives move factors like 1/m out of sums over m, which holds for
        m > 0 only, and for m = 0 the derivative is 0."""
        t = self.fed[k]
        static = t.extents
        if static is None:
            static = tuple(symbol(f"{t.op.name}.shape[{a}]") for a in range(len(shape)))
        extents = tuple(shape[a] if shape[a] == 0 or a in ones or (k, a) in self.exact else d for a, d in enumerate(static))
        leaf = t.op.type == "Placeholder" or t.op.type in HOST
        if leaf and t.node is not None and extents == t.node.shape:
            return t.node
        # a computed tensor's extents may be made of other tensors' sizes: what is fed has sizes of its own
        own = tuple(
            d
            if isinstance(d, int)
            else symbol(f"{t.op.name}.shape[{a}]" if t.op.type == "Placeholder" else f"{t.op.name}:{t.value_index}.shape[{a}]")
            for a, d in enumerate(extents)
        )
        key = (k, own)
        if key not in self._leaves:
            self._leaves[key] = build.leaf(Kind.PLACEHOLDER, t.op.name, own, t.dtype)
        return self._leaves[key]

    def _make(self, arrays: Sequence[np.ndarray], fed_now: bool) -> Plan:
        while True:
            fed: dict[Tensor, Node] = {}
            for k, t in enumerate(self.fed):
                if k in self.valued:
                    fed[t] = build.const(on_host(arrays[k]), t.dtype)
                else:
                    ones = frozenset(axis for j, axis in self.ones if j == k and arrays[k].ndim > axis and arrays[k].shape[axis] == 1)
                    fed[t] = self._leaf(k, arrays[k].shape, ones)
            self._check_fed(fed)
            try:
                frozen = self._freeze(fed)
            except NeedsValue as e:
                if not self._note_value(e.leaf, fed):
                    raise InvalidArgumentError(
                        f"A shape depends on the value of '{e.leaf.attrs[0]}', which is not fed\n"
                        "shapes are made of constants, sizes and fed values",
                        next((op for op in self._operations(fed) if op.attrs.get("_node") is e.leaf), None),
                    ) from None
                continue
            except Unknown:
                raise InvalidArgumentError("A tensor's rank is not known: feed the placeholders that it is computed from") from None
            except MissingSize as e:
                if (leaf := leaf_behind(e.args[0])) is not None and self._note_value(leaf, fed):
                    continue
                raise InvalidArgumentError(f"The size {e} is needed: feed the placeholder that has it") from None
            except MissingExtent as e:
                if not fed_now:
                    raise UnknownExtent(f"the extent {e} is known when it is fed: run once, or give the placeholder a shape") from None
                if not self._note_exact(e.symbols, fed):
                    raise InvalidArgumentError(f"The extent {e} is needed: feed the placeholder that has it") from None
                continue
            except ValueError as e:  # shapes that only the fed ones contradict
                raise InvalidArgumentError(str(e)) from None
            if self._note_ones(frozen, fed, arrays):
                continue
            self._check_links(frozen.feeds, fed)
            return self._compile(frozen, fed)

    def _check_fed(self, fed: Mapping[Tensor, Node]) -> None:
        for op in self._operations(fed):
            if op.type == "Placeholder" and op.outputs[0] not in fed:
                raise _unfed(op)

    def _check_links(self, leaves: Sequence[Node], fed: Mapping[Tensor, Node]) -> None:
        """A derivative goes on into what a fed tensor is computed from, whose placeholders may be needed too."""
        if inside := next((n for n in leaves if n.kind is Kind.CUT), None):
            raise ValueError(f"what is computed from '{inside.attrs[0]}' is not fetchable: it is inside of the body of a loop")
        wanted = set(leaves).difference(fed.values())
        for op in self.fed[0].graph.get_operations() if self.fed and wanted else ():
            if op.type == "Placeholder" and op.outputs[0] not in fed and op.attrs["_node"] in wanted:
                raise _unfed(op, "\na derivative goes through a fed tensor into what that is computed from, and there reads it")

    def _operations(self, fed: Mapping[Tensor, Node]) -> list[Operation]:
        """All that has to run, in order."""
        wanted = [*self.request.tensors, *(t for _, t in self.request.updates)]
        return needed_operations([*self.request.operations, *(t.op for t in wanted if t not in fed)], fed, self.request.done)

    def _note_value(self, leaf: Node, fed: Mapping[Tensor, Node]) -> bool:
        for k, t in enumerate(self.fed):
            if fed[t] is leaf:
                self.valued.append(k)
                self.plans.clear()
                return True
        return False

    def _note_exact(self, symbols: Sequence[Any], fed: Mapping[Tensor, Node]) -> bool:
        """Remember which extents are compiled as the numbers that they are."""
        found = [(k, a) for k, t in enumerate(self.fed) for a, d in enumerate(fed[t].shape) if d in symbols and (k, a) not in self.exact]
        self.exact += found
        self.plans.clear()
        return bool(found)

    def _note_ones(self, frozen: Any, fed: Mapping[Tensor, Node], arrays: Sequence[np.ndarray]) -> bool:
        """Remember which extents must not be 1; True when one of these arrays has a 1 there."""
        again = False
        for k, t in enumerate(self.fed):
            for axis, d in enumerate(fed[t].shape):
                if d in frozen.ambiguous:
                    if (k, axis) not in self.ones:
                        self.ones.append((k, axis))
                        self.plans.clear()
                    again |= arrays[k].shape[axis] == 1
        return again

    def _freeze(self, fed: dict[Tensor, Node]) -> Any:
        return freeze(replace(self.request, fed=fed), self.name)

    def _compile(self, frozen: Any, fed: Mapping[Tensor, Node]) -> Any:
        program = frozen.program
        executable = executable_of(program, self.device)
        leaves = [fed[t] for t in self.fed]
        takes = tuple(leaves.index(n) for n in frozen.feeds)
        states = dict(zip(program.states, frozen.states, strict=True))
        run, held = bound(executable, program.states, states, self.state, (program,))
        if self.device is not None and executable.device is None:
            run = partial(_at_home, run)
        reads, writes = touched((program,), states)
        return Plan(frozen, executable, run, takes, reads, writes, lambda: self._operations(fed), held, self.device)


def _at_home(run: Callable[..., tuple], *given: Any) -> tuple:
    """Run on the host what may be fed from a device."""
    return run(*map(on_host, given))


def _unfed(op: Operation, why: str = "") -> InvalidArgumentError:
    dtype, shape = op.attrs["dtype"].name, brackets(op.attrs["shape"])
    what = f"You must feed a value for placeholder tensor '{op.name}' with dtype {_TF_NAMES.get(dtype, dtype)} and shape {shape}"
    return InvalidArgumentError(what + why, op)


def touched(programs: Sequence[ir.Program], states: Mapping[str, Node]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """The variables that programs read, and those that they write."""
    read: set[str] = set()
    for p in programs:
        read |= {n for s in p.statements for n in ir.reads(s)} | set(p.outputs) | {s for _, s in p.updates}
    variables = {b: n for b, n in states.items() if n.kind is Kind.VARIABLE}
    return tuple(n for b, n in variables.items() if b in read), tuple(variables[b] for p in programs for b, _ in p.updates)


_TF_NAMES = {"float32": "float", "float64": "double"}


def feeder(t: Tensor, device: Device | None = None) -> Callable[[Any], np.ndarray]:
    """`feed_array` for this tensor: what needs no conversion is recognised in a third of the time."""
    if facts.watched(t) or device is not None:
        return partial(feed_array, t, device=device)
    dtype, extents = np.dtype(t.dtype.as_numpy_dtype), t.extents
    rank = None if extents is None else len(extents)
    fixed = tuple((axis, d) for axis, d in enumerate(extents or ()) if type(d) is int)

    def feed(value: Any) -> np.ndarray:
        if type(value) is np.ndarray and value.dtype is dtype and value.flags.carray:
            shape = value.shape
            if rank is None or len(shape) == rank:
                for axis, d in fixed:
                    if shape[axis] != d:
                        break
                else:
                    return value
        return feed_array(t, value)

    return feed


def feed_array(t: Tensor, value: Any, device: Device | None = None) -> np.ndarray:
    """The fed value as a C-contiguous array of the tensor's dtype; errors in TF's words.

    What lies on a device stays there for a program that runs on one."""
    if is_device_array(value):
        if device is not None and not facts.watched(t):
            return _fitting(t, _on_device(t, value))
        value = on_host(value)
    if type(value) is np.ndarray and value.dtype == t.dtype.as_numpy_dtype and value.flags.c_contiguous:
        array = value
    else:
        array = _as_array(t, value)
    if not array.flags.writeable:  # compiled code takes writable arrays only, though it never writes to this one
        array = array.copy()
    _fitting(t, array)
    if facts.watched(t):
        facts.look(t, array)
    return array


def _fitting(t: Tensor, array: Any) -> Any:
    """The array, if the tensor can have its shape."""
    extents, shape = t.extents, array.shape
    if extents is not None:
        if len(shape) != len(extents) or any(d != n for d, n in zip(extents, shape, strict=True) if type(d) is int):
            fault = ValueError(f"Cannot feed value of shape {tuple(shape)} for Tensor '{t.name}', which has shape '{text(extents)}'")
            raise locate(fault, "fed", user_site(), {"key": t})
    return array


def _on_device(t: Tensor, value: Any) -> Any:
    """An array that lies on a device, as Numba sees it; nothing is converted there."""
    array = as_numba(value)
    if array.dtype != t.dtype.as_numpy_dtype or not array.is_c_contiguous():
        what = f"Cannot feed a {array.dtype} array on a device for Tensor '{t.name}' of dtype {t.dtype.name}"
        raise locate(TypeError(f"{what}\nit must be of this dtype and lie in C order"), "fed", user_site(), {"key": t})
    return array


def _as_array(t: Tensor, value: Any) -> np.ndarray:
    try:
        if is_tensor(value):
            raise TypeError(
                "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, strings, lists, numpy "
                f"ndarrays. For reference, the tensor object was {value} which was passed to the feed with key {t}."
            )
        if value is None:
            raise TypeError(f"Cannot feed None for Tensor '{t.name}'")
        try:
            with np.errstate(all="ignore"):
                return np.asarray(value, dtype=t.dtype.as_numpy_dtype, order="C")
        except (TypeError, ValueError, OverflowError) as e:
            kind = TypeError if isinstance(e, TypeError) else ValueError
            raise kind(f"Cannot feed {shown(value)} for Tensor '{t.name}' of dtype {t.dtype.name}\n{e}") from None
    except (TypeError, ValueError) as e:
        raise locate(e, "fed", user_site(), {"key": t, "value": value}) from None
