"""Python inside a graph: py_func, Print, print.

Law of this file: the user's function belongs to its operation and to this process, the graph's record has only the
operation.  No derivative passes through Python; Print passes its input on, derivative included.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes, nest
from ..dtypes import as_dtype
from ..errors import InvalidArgumentError
from ..graph import Operation, Tensor, builder, convert
from ..host import host
from ..log import LOG
from ..node import Node
from .core import is_tensor, recording

_TF_NAMES = {"float32": "float", "float64": "double"}


# ---------------------------------------------------------------- functions
@host("PyFunc", first=True)
def _call(op: Operation, *values: Any) -> Any:
    function = op.graph.attached("functions", dict).get(op)
    if function is None:
        raise InvalidArgumentError("the Python function is not here: a stored graph has none, so build this part again", op)
    try:
        made = function(*values)
    except Exception as e:
        e.add_note(f"This was called by {op.described()}.")
        raise
    given = list(made) if isinstance(made, list | tuple) else [] if made is None else [made]
    if len(given) != len(op.outputs):
        raise InvalidArgumentError(f"{op.name} returns {len(given)} values, but expects to see {len(op.outputs)} values.", op)
    arrays = [_typed(op, k, v, t) for k, (v, t) in enumerate(zip(given, op.outputs, strict=True))]
    return arrays if len(arrays) != 1 else arrays[0]


def _typed(op: Operation, k: int, given: Any, t: Tensor) -> Any:
    """A returned value as an array; it has to be of the dtype that was said."""
    array = np.asarray(given)
    if t.dtype is dtypes.string:
        return np.vectorize(lambda s: s.encode() if isinstance(s, str) else bytes(s), otypes=[object])(array.astype(object))[()]
    if array.dtype != t.dtype.as_numpy_dtype:
        found, wanted = (_TF_NAMES.get(n, n) for n in (array.dtype.name, t.dtype.name))
        what = f"{k}-th value returned by {op.name} is {found}, but expects {wanted}"
        raise InvalidArgumentError(f"{what}\nreturn np.{t.dtype.as_numpy_dtype.__name__}(...) or pass another Tout", op)
    return array


def py_func(func: Callable[..., Any], inp: Sequence[Any], Tout: Any, stateful: bool = True, name: str | None = None) -> Any:
    """What the Python function gives for the values of `inp`, NumPy arrays and scalars: a tensor of dtype `Tout`, a list of
    them where Tout is a list, or an operation where it is empty.

    The function runs once in each run that needs it.  Shapes are unknown until `set_shape` says them; there is no
    derivative.  What it raises is raised by the run; InvalidArgumentError for values of other dtypes than Tout."""
    if not callable(func):
        raise ValueError(f"Expected func to be callable, got func of type {type(func)}.")
    many = isinstance(Tout, list | tuple)
    types = [as_dtype(d) for d in (Tout if many else [Tout])]
    default = "PyFunc" if stateful else "PyFuncStateless"
    with recording("PyFunc", name or default, **{f"input {k}": v for k, v in enumerate(inp)}) as (graph, scope):
        inputs = [convert(v, name=f"input_{k}", graph=graph) for k, v in enumerate(inp)]
        op = graph.add("PyFunc", inputs, {"_shapes": [None] * len(types), "_dtypes": types}, scope)
        graph.attached("functions", dict)[op] = func
    return (list(op.outputs) if types else op) if many else op.outputs[0]


def numpy_function(func: Callable[..., Any], inp: Sequence[Any], Tout: Any, name: str | None = None) -> Any:
    """`py_func` by its later name."""
    return py_func(func, inp, Tout, True, name or "PyFunc")


# ---------------------------------------------------------------- printing
def summarized(v: Any, most: int | None) -> str:
    """A value as TF1 prints it: the first `most` elements, one pair of brackets for each row of a matrix."""
    array = np.asarray(v)
    limit = array.size if most is None or most < 0 else most
    left = iter([_number(x, array.dtype) for x in array.ravel()[:limit].tolist()])
    return _rows(array.shape, left, limit, array.ndim > 1)[0] + ("..." if array.size > limit else "")


def _rows(shape: Sequence[int], left: Any, room: int, inner: bool) -> tuple[str, int]:
    if len(shape) < 2:
        count = min(shape[0] if shape else 1, room)
        return " ".join(next(left) for _ in range(count)) + ("..." if inner and count < (shape[0] if shape else 1) else ""), room - count
    text = ""
    for _ in range(shape[0]):
        if room <= 0:
            break
        row, room = _rows(shape[1:], left, room, True)
        text += f"[{row}]"
    return text, room


def _number(x: Any, dtype: np.dtype) -> str:
    """A number with as many digits as tell it from its neighbours, as C writes it."""
    if isinstance(x, bytes):
        return x.decode(errors="backslashreplace")
    if not isinstance(x, float):
        return str(int(x))
    few, all_ = (6, 9) if dtype.itemsize == 4 else (15, 17)
    short = f"{x:.{few}g}"
    return short if x != x or dtype.type(short) == x else f"{x:.{all_}g}"


@builder("Print")
def _passed(input: Node) -> Node:
    return input


@host("PrintValues")
def _print_values(op: Operation, *values: Any) -> None:
    printed = op.graph.attached("printed", Counter)
    printed[op] += 1
    if op.attrs["first_n"] < 0 or printed[op] <= op.attrs["first_n"]:
        print(op.attrs["message"] + "".join(f"[{summarized(v, op.attrs['summarize'])}]" for v in values), file=sys.stderr, flush=True)


def Print(
    input_: Any,
    data: Sequence[Any],
    message: str | None = None,
    first_n: int | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`input_` itself; each run that needs it writes `message` and the values of `data` to standard error, at most `first_n`
    times, `summarize` elements of each (3, all of them if negative)."""
    with recording("Print", name or "Print", input_=input_, data=data) as (graph, scope):
        t = convert(input_, name="input", graph=graph)
        values = [convert(v, name=f"data_{k}", graph=graph) for k, v in enumerate(data)]
        often, most = -1 if first_n is None else int(first_n), 3 if summarize is None else int(summarize)
        attrs = {"message": message or "", "first_n": often, "summarize": most, "_shapes": []}
        shown = graph.add("PrintValues", values, attrs, "values", 0)
        with graph.control_dependencies([shown]):
            return graph.add("Print", (t,), {}, scope).outputs[0]


@host("PrintV2")
def _print(op: Operation, *values: Any) -> None:
    given = iter(values)
    words = [w if w is not None else _printed(next(given), op.attrs["summarize"]) for w in op.attrs["words"]]
    text = op.attrs["sep"].join(words)
    stream = op.attrs["stream"]
    if stream == "log":
        LOG.info("%s", text)
    else:
        print(text, end=op.attrs["end"], file=sys.stdout if stream == "stdout" else sys.stderr, flush=True)


def _printed(v: Any, most: int) -> str:
    """A value as `tf.print` writes it: brackets as NumPy's, the first and last `most` of each axis."""
    array = np.asarray(v)
    if array.ndim == 0:
        return _number(array.item(), array.dtype)
    if most >= 0 and len(array) > 2 * most:
        parts = [_printed(x, most) for x in array[:most]] + ["..."] + [_printed(x, most) for x in array[len(array) - most :]]
    else:
        parts = [_printed(x, most) for x in array]
    gap = " " if array.ndim == 1 else "\n" * (array.ndim - 1) + " "
    return "[" + gap.join(p.replace("\n ", "\n  ") for p in parts) + "]"


def print_(
    *inputs: Any, output_stream: Any = None, summarize: int = 3, sep: str = " ", end: str = "\n", name: str | None = None
) -> Operation:
    """An operation that writes `inputs`, tensors or other objects, each time that it runs: fetch it, or make others depend on
    it.  `output_stream`: sys.stderr (the default), sys.stdout or tf.logging.info."""
    stream = "log" if callable(output_stream) else "stdout" if output_stream is sys.stdout else "stderr"
    with recording("PrintV2", name or "PrintV2", **{f"input {k}": v for k, v in enumerate(inputs)}) as (graph, scope):
        words: list[str | None] = []
        values: list[Tensor] = []
        for given in inputs:
            if is_tensor(given):
                values.append(convert(given, graph=graph))
                words.append(None)
            elif nest.is_nested(given) and any(map(is_tensor, nest.flatten(given))):
                raise NotImplementedError("tf.print takes tensors one by one, not in lists or dicts")
            else:
                words.append(str(given))
        attrs = {"words": words, "summarize": int(summarize), "sep": sep, "end": end, "stream": stream, "_shapes": []}
        return graph.add("PrintV2", values, attrs, scope, 1 + bool(values))
