"""An operation graph as JSON, and back.

Law of this file: what is written is the record alone: operations with type, name, inputs, control inputs, public
attributes and the user's line; collections; what is assumed of tensors; the seed; the counts that names and seeds go on
from.  Attributes that start with '_' are made again by the rules in `PRIVATE`, nodes by the builders.  Values that JSON
has stand for themselves, every other one is an object whose only key is its tag (`_TAGS`).  Reading executes nothing:
operation types are looked up in `BUILDERS`, and whatever is not as it was written is a ValueError that leaves the graph
as it was.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from . import build
from .dtypes import DType, as_dtype
from .facts import assume, assumed
from .graph import BUILDERS, Attempt, Graph, Operation, Tensor
from .jacobians import DERIVATIVES
from .log import LOG
from .node import Key, Kind
from .ops.state import Variable
from .replay import derivative_hints
from .shapes import from_user, symbol

FORMAT, VERSION = "symgraph graph", 1
_LEGAL = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_NUMERIC = re.compile(r"<[iuf][248]|\|[biu]1")
_FAULTS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError, RuntimeError, MemoryError)
"""What a builder may raise over attributes that it never was meant to see."""


# ---------------------------------------------------------------- attributes that are made again
def _placeholder(name: str, attrs: dict, inputs: Sequence[Tensor]) -> dict:
    if attrs["shape"] is None:
        return {"_node": None}
    attrs["shape"] = shape = from_user([d if isinstance(d, int) else None for d in attrs["shape"]], name)
    return {"_node": build.leaf(Kind.PLACEHOLDER, name, shape, attrs["dtype"])}  # type: ignore[arg-type]


def _variable(name: str, attrs: dict, inputs: Sequence[Tensor]) -> dict:
    return {"_node": build.leaf(Kind.VARIABLE, name, tuple(map(_count, attrs["shape"])), attrs["dtype"])}


def _stream(name: str, attrs: dict, inputs: Sequence[Tensor]) -> dict:
    seed = attrs["seed"]
    if seed is not None and (len(seed) != 2 or not all(0 <= _count(s) < 2**63 for s in seed)):
        raise ValueError(f"{seed!r} is no pair of seeds")
    return {"_key": Key(name, seed)}


def _derivative(kind: str, name: str, attrs: dict, inputs: Sequence[Tensor]) -> dict:
    first, count = _count(attrs["ys"]), _count(attrs["xs"])
    ys, xs = inputs[:first], inputs[first : first + count]
    if not first or not count or len(xs) != count:
        raise ValueError(f"{first} ys and {count} xs do not fit {len(inputs)} inputs")
    return derivative_hints(kind, ys, xs)


def _loop_variable(name: str, attrs: dict, inputs: Sequence[Tensor]) -> dict:
    return {"_key": Key(name)}


def _branches(name: str, attrs: dict, inputs: Sequence[Tensor]) -> dict:
    first, count = 1 + _count(attrs["captured"]), _count(attrs["results"])
    results = inputs[first : first + count]
    if len(results) != count:
        raise ValueError(f"{count} results do not fit {len(inputs)} inputs")
    hints = {"_shapes": [t.extents for t in results], "_dtypes": [t.dtype for t in results]}
    return {"_keys": [Key(f"{name}/{k}") for k in range(count)], **hints}


PRIVATE: dict[str, Callable[[str, dict, Sequence[Tensor]], dict]] = {
    "Cond": _branches,
    "LoopVariable": _loop_variable,
    "Placeholder": _placeholder,
    "PlaceholderWithDefault": _placeholder,
    "RandomDraw": _stream,
    "RandomShuffle": _stream,
    "VariableV2": _variable,
    **{kind: partial(_derivative, kind) for kind in DERIVATIVES},
}
"""By operation type: the private attributes, from the name, the public ones and the inputs."""
_HINTS = ("_shapes", "_dtypes")
"""What an operation says of its outputs for the time when their nodes are not known.  These are stored after all,
unless a rule in `PRIVATE` makes them again."""


# ---------------------------------------------------------------- values
@dataclass
class _Scope:
    """What names in a stored graph stand for while it is read."""

    operations: dict[str, Operation] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)

    def operation(self, name: object) -> Operation:
        found = self.operations.get(name) if isinstance(name, str) else None
        if found is None:
            raise ValueError(f"{name!r:.80} is no operation that stands before it (a cycle, or one is missing)")
        return found

    def tensor(self, name: object) -> Tensor:
        op_name, _, index = name.rpartition(":") if isinstance(name, str) else ("", "", "")
        outputs = self.operation(op_name or name).outputs
        if not index.isdecimal() or int(index) >= len(outputs):
            raise ValueError(f"{name!r:.80} is no tensor: '{op_name}' has {len(outputs)} outputs")
        return outputs[int(index)]

    def size(self, name: object) -> sp.Symbol:
        owner, dot, rest = _text(name).partition(".shape[")
        return symbol(self.operations[owner].name + dot + rest if owner in self.operations else owner + dot + rest)


def _text(v: object) -> str:
    if not isinstance(v, str):
        raise TypeError(f"a string is wanted, not {v!r:.80}")
    return v


def _count(v: object) -> int:
    if type(v) is not int or v < 0:
        raise TypeError(f"a number of things is wanted, not {v!r:.80}")
    return v


def _list(v: object) -> list:
    if not isinstance(v, list):
        raise TypeError(f"a list is wanted, not {v!r:.80}")
    return v


def _object(v: object) -> dict:
    if not isinstance(v, dict):
        raise TypeError(f"an object is wanted, not {v!r:.80}")
    return v


def _write_array(a: np.ndarray) -> dict:
    """Shape, dtype, and the elements' bytes in base64: all of them, or one where all are equal."""
    if a.dtype == object:
        return {"dtype": "string", "shape": list(a.shape), "strings": [_write_bytes(v) for v in a.ravel().tolist()]}
    little = np.ascontiguousarray(a, a.dtype.newbyteorder("<"))
    if not _NUMERIC.fullmatch(little.dtype.str):
        raise TypeError(f"an array of {a.dtype} cannot be stored")
    words = little.reshape(-1).view(f"u{little.itemsize}")
    same = words.size > 1 and bool((words[:16] == words[0]).all()) and bool((words == words[0]).all())
    stored = words[:1] if same else words
    return {"dtype": little.dtype.str, "shape": list(a.shape), "fill" if same else "data": _write_bytes(stored.tobytes())}


def _read_array(stored: object) -> np.ndarray:
    v = _object(stored)
    shape = tuple(map(_count, _list(v["shape"])))
    if v["dtype"] == "string":
        strings = np.empty(len(_list(v["strings"])), object)
        strings[:] = [_read_bytes(s) for s in v["strings"]]
        return strings.reshape(shape)
    if not _NUMERIC.fullmatch(_text(v["dtype"])):
        raise ValueError(f"no array has the dtype {v['dtype']!r}")
    dtype = np.dtype(v["dtype"])
    flat = np.frombuffer(_read_bytes(v["fill"] if "fill" in v else v["data"]), dtype).astype(dtype.newbyteorder("="))
    if dtype.kind == "b":
        flat = flat.view(np.uint8) != 0
    if "fill" in v:
        return np.full(shape, flat.reshape(()), flat.dtype)
    return flat.reshape(shape)


def _write_bytes(v: bytes) -> str:
    return base64.b64encode(v).decode()


def _read_bytes(v: object) -> bytes:
    return base64.b64decode(_text(v), validate=True)


def _read_number(v: object, scope: _Scope) -> Any:
    return _read_array(v).reshape(())[()]


def _read_dtype(v: object, scope: _Scope) -> DType:
    return as_dtype(_text(v))


_TAGS: tuple[tuple[str, type, Callable[[Any], Any], Callable[[Any, _Scope], Any]], ...] = (
    ("tuple", tuple, lambda v: [_encode(x) for x in v], lambda v, s: tuple(_decode(x, s) for x in _list(v))),
    ("dict", dict, lambda v: [[_encode(k), _encode(x)] for k, x in v.items()], lambda v, s: {_decode(k, s): _decode(x, s) for k, x in v}),
    ("number", np.generic, lambda v: _write_array(np.asarray(v)), _read_number),
    ("float", float, repr, lambda v, s: float({"inf": "inf", "-inf": "-inf", "nan": "nan"}[v])),
    ("bytes", bytes, _write_bytes, lambda v, s: _read_bytes(v)),
    ("slice", slice, lambda v: [_encode(x) for x in (v.start, v.stop, v.step)], lambda v, s: slice(*(_decode(x, s) for x in _list(v)))),
    ("ellipsis", type(...), lambda v: True, lambda v, s: ...),
    ("dtype", DType, lambda v: v.name, _read_dtype),
    ("array", np.ndarray, _write_array, lambda v, s: _read_array(v)),
    ("size", sp.Symbol, lambda v: v.name, lambda v, s: s.size(v)),
    ("variable", Variable, lambda v: v.op.name, lambda v, s: s.variables[v]),
    ("tensor", Tensor, lambda v: v.name, lambda v, s: s.tensor(v)),
    ("operation", Operation, lambda v: v.name, lambda v, s: s.operation(v)),
)
_READ = {tag: read for tag, _, _, read in _TAGS}


def _encode(v: Any) -> Any:
    """JSON for a value; TypeError for a kind of value that has no tag."""
    if v is None or type(v) in (bool, int, str) or type(v) is float and math.isfinite(v):
        return v
    if type(v) is list:
        return [_encode(x) for x in v]
    for tag, kind, write, _ in _TAGS:
        if isinstance(v, kind):
            return {tag: write(v)}
    raise TypeError(f"a {type(v).__name__} cannot be stored: {v!r:.80}")


def _decode(v: Any, scope: _Scope) -> Any:
    if isinstance(v, list):
        return [_decode(x, scope) for x in v]
    if not isinstance(v, dict):
        return v
    tag = next(iter(v), None)
    if len(v) != 1 or tag not in _READ:
        raise ValueError(f"no value is written as {v!r:.80}")
    return _READ[tag](v[tag], scope)


# ---------------------------------------------------------------- writing
def dumps(graph: Graph, **more: Any) -> str:
    """The graph as JSON text; see `pieces`."""
    return b"".join(pieces(graph, **more)).decode()


def pieces(graph: Graph, **more: Any) -> list[bytes]:
    """The graph as JSON text in pieces, one operation a line, with the objects in `more` under their own names.

    The lines are kept for the next time and never joined: constants can be large.  ValueError for an operation with an
    attribute that cannot be stored; such items of collections are left out, which the log says."""
    lines: list[tuple[Operation, bytes]] = graph.attached("record", list)
    operations = graph.get_operations()
    for k, op in enumerate(operations):
        if k >= len(lines) or lines[k][0] is not op:
            before = b",\n" if k else b"\n"
            lines[k:] = [(op, before + json.dumps(_operation(op), separators=(",", ":"), allow_nan=False).encode())]
    collections, variables = _collections(graph)
    names = dict(sorted(graph._taken.items()))
    head = {"format": FORMAT, "version": VERSION, "seed": graph.seed, "counted": graph.counted, "names": names}
    known = {t.name: sorted(names) for t, names in assumed(graph).items()}
    tail = {"variables": variables, "collections": collections, "facts": known, **more}
    first, last = (",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in part.items()) for part in (head, tail))
    return [b"{" + first.encode() + b',\n"operations": [', *(t for _, t in lines[: len(operations)]), b"\n],\n" + last.encode() + b"}\n"]


def _operation(op: Operation) -> dict:
    hints = () if op.type in PRIVATE else _HINTS
    stored: dict[str, Any] = {"name": op.name, "type": op.type}
    if op.inputs:
        stored["inputs"] = [t.name for t in op.inputs]
    if op.control_inputs:
        stored["control"] = [c.name for c in op.control_inputs]
    attrs = {}
    for key, value in op.attrs.items():
        if key[0] != "_" or key in hints:
            try:
                attrs[key] = _encode(value)
            except TypeError as e:
                raise ValueError(f"{op.type} '{op.name}' cannot be stored: its attribute {key!r}: {e}") from None
        elif op.type not in PRIVATE:
            raise ValueError(f"{op.type} '{op.name}' cannot be stored: nothing says how its attribute {key!r} is made again")
    return {**stored, "attrs": attrs, "at": [os.path.basename(op.site[0]), op.site[1]]}


def _collections(graph: Graph) -> tuple[dict[str, list], dict[str, dict]]:
    collections: dict[str, list] = {}
    variables: dict[str, dict] = {}
    for key, items in graph._collections.items():
        if not isinstance(key, str):
            continue
        kept = collections.setdefault(key, [])
        for v in items:
            try:
                kept.append(_encode(v))
            except TypeError as e:
                LOG.warning("collection %r: %s; it is left out of the stored graph", key, e)
            if isinstance(v, Variable):
                variables[v.op.name] = {
                    "initializer": v.initializer.name,
                    "initial_value": v.initial_value.name,
                    "snapshot": v._snapshot.name,
                    "trainable": v.trainable,
                }
    return collections, variables


# ---------------------------------------------------------------- reading
def loads(text: str | bytes, source: str = "the graph") -> dict:
    """The object that `dumps` wrote.  ValueError, which names `source`, when it is none or of a newer version."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{source} is not a stored graph, or is damaged: {e}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT or type(version := document.get("version")) is not int:
        raise ValueError(f"{source} is not a stored graph: it does not say that its format is {FORMAT!r}")
    if version > VERSION:
        raise ValueError(f"{source} was written by a newer symgraph: its format is {version}, this one reads up to {VERSION}")
    return document


@dataclass(frozen=True)
class Imported:
    """What was read: operations and variables by the names that they had in the stored graph."""

    operations: Mapping[str, Operation]
    variables: Mapping[str, Variable]


def build_graph(document: Mapping[str, Any], graph: Graph, scope: str | None = None, source: str = "the graph") -> Imported:
    """Add a stored graph's operations and collections to `graph`, inside the name scope `scope` if there is one.

    Names that are taken get _1, _2, ...; name counts and the counter of implicit seeds go on, and the stored seed is
    taken where `graph` has none.  ValueError, and an unchanged graph, when the record is not sound."""
    if graph.finalized:
        raise RuntimeError("Graph is finalized and cannot be modified.")
    names = _Scope()
    step = "the record"
    try:
        with Attempt(graph, "import_meta_graph", source, {}), graph.name_scope(None), graph.control_dependencies(None):
            prefix = f"{graph._scope_of(scope)}/" if scope else ""
            operations = _list(document["operations"])
            _check_types(operations)
            for stored in operations:
                step = f"operation {_object(stored).get('name')!r:.80} ({stored.get('type')!r:.80})"
                _add(graph, stored, prefix, names)
            step = "the variables"
            for name, stored in _object(document["variables"]).items():
                step = f"variable {name!r:.80}"
                names.variables[name] = _variable_of(stored, names.operation(name), names)
            for key, items in _object(document["collections"]).items():
                step = f"collection {key!r:.80}"
                for v in _list(items):
                    graph.add_to_collection(key, _decode(v, names))
            step = "the facts"
            for name, known in _object(document.get("facts", {})).items():  # graphs of before there were facts have none
                assume(names.tensor(name), **dict.fromkeys(map(_text, _list(known)), True))
            step = "the counts"
            for key, count in _object(document["names"]).items():
                full = prefix.lower() + key
                graph._take(full, max(graph._taken.get(full, 0), _count(count)))
            seed, counted = document["seed"], _count(document["counted"])
            if seed is not None and type(seed) is not int:
                raise TypeError(f"{seed!r:.80} is no seed")
    except _FAULTS as e:
        what = f"{e.args[0]!r} is missing" if isinstance(e, KeyError) and e.args else str(e).partition("\n")[0]
        raise ValueError(f"{source} is damaged or was not written by symgraph: {step}: {what}") from None
    graph.counted += counted
    graph.seed = seed if graph.seed is None else graph.seed
    return Imported(names.operations, names.variables)


def _check_types(operations: Sequence[Any]) -> None:
    unknown = {str(o["type"]): str(o["name"]) for o in map(_object, operations) if _text(o["type"]) not in BUILDERS}
    if unknown:
        listed = ", ".join(f"{kind} ('{name}')" for kind, name in sorted(unknown.items())[:8])
        raise ValueError(f"operation types that this symgraph does not have: {listed}")


def _add(graph: Graph, stored: dict, prefix: str, names: _Scope) -> None:
    name, kind = _text(stored["name"]), stored["type"]
    if not _LEGAL.fullmatch(name) or name.endswith("/"):
        raise ValueError("this is no name for an operation")
    if name in names.operations:
        raise ValueError("the name occurs twice")
    inputs = [names.tensor(t) for t in _list(stored.get("inputs", []))]
    control = tuple(names.operation(c) for c in _list(stored.get("control", [])))
    attrs = {k: _decode(v, names) for k, v in _object(stored["attrs"]).items()}
    _check_hints(kind, attrs)
    writes = attrs.get("writes", 0)
    if _count(writes) > len(inputs) or any(t.op.type != "VariableV2" for t in inputs[:writes]):
        raise ValueError(f"it writes {writes} variables, but those are not its first inputs")
    for key in ("dtype", "out_type"):
        if key in attrs and not isinstance(attrs[key], DType):
            raise TypeError(f"{attrs[key]!r:.80} is no dtype")
    if kind == "Const" and as_dtype(attrs["value"].dtype) is not attrs["dtype"]:
        raise TypeError(f"the value is not of {attrs['dtype'].name}")
    full = graph._op_name(f"{prefix}{name}/")
    if kind in PRIVATE:
        attrs |= PRIVATE[kind](full, attrs, inputs)
    file, line = stored.get("at", ["<unknown>", 0])
    op = graph.add(kind, inputs, attrs, full + "/", 0)
    op.control_inputs, op.site = control, (_text(file), _count(line))
    names.operations[name] = op


def _check_hints(kind: str, attrs: dict) -> None:
    private = {k for k in attrs if k[:1] == "_"}
    if "" in attrs or private and (kind in PRIVATE or not private <= set(_HINTS)):
        raise ValueError(f"the attributes {sorted(private)} are never stored")
    shapes, types = attrs.get("_shapes", []), attrs.get("_dtypes", [])
    if not all(s is None or isinstance(s, tuple) and all(isinstance(d, int | sp.Symbol) for d in s) for s in _list(shapes)):
        raise ValueError("the shapes of its outputs are no shapes")
    if not all(isinstance(t, DType) for t in _list(types)) or types and len(types) != len(shapes):
        raise ValueError("the dtypes of its outputs are no dtypes")


def _variable_of(stored: object, op: Operation, names: _Scope) -> Variable:
    v = _object(stored)
    initializer, snapshot = names.operation(v["initializer"]), names.tensor(v["snapshot"])
    if op.type != "VariableV2" or any(o.inputs[:1] != op.outputs for o in (initializer, snapshot.op)) or type(v["trainable"]) is not bool:
        raise ValueError("these operations do not make a variable")
    return Variable.of(op, initializer, snapshot, names.tensor(v["initial_value"]), v["trainable"])
