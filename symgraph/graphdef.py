"""The operation graph as the GraphDef that TensorBoard draws.

Law of this file: one NodeDef per operation and nothing invented.  Slashes in the names make the boxes, the attribute
`_output_shapes` the labels of the edges.  Of constants only small values travel: the picture has no use for the others,
and a GraphDef past 2 GB cannot be written.  TensorBoard is imported when something is asked for, never before.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import sympy as sp

from .dtypes import DType
from .graph import Graph, Operation, Tensor
from .shapes import Shape

_LARGEST_VALUE = 64
"""Elements of a constant whose value is shown."""

_TYPES = {
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
    "int8": "DT_INT8",
    "int16": "DT_INT16",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "uint8": "DT_UINT8",
    "bool": "DT_BOOL",
    "string": "DT_STRING",
}


def tensorboard(module: str) -> Any:
    """A module of TensorBoard; ImportError that says how to get it where it is not installed."""
    try:
        return importlib.import_module(f"tensorboard.{module}")
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] != "tensorboard":
            raise
        raise ImportError("event files need TensorBoard, which is not installed: pip install 'symgraph[tensorboard]'") from None


def type_number(dtype: DType) -> int:
    """The number of a dtype in TensorBoard's messages."""
    return tensorboard("compat.proto.types_pb2").DataType.Value(_TYPES[dtype.name])


def graph_def(graph: Graph) -> Any:
    """A GraphDef message with every operation of the graph, in the order of creation."""
    message = tensorboard("compat.proto.graph_pb2").GraphDef()
    message.versions.producer = 22
    for op in graph.get_operations():
        _write_node(message.node.add(), op)
    return message


Graph.as_graph_def = lambda self, from_version=None, add_shapes=False: graph_def(self)


def _write_node(node: Any, op: Operation) -> None:
    node.name, node.op = op.name, op.type
    node.input.extend([_edge(t) for t in op.inputs])
    node.input.extend([f"^{c.name}" for c in op.control_inputs])
    if op.outputs:
        node.attr["_output_shapes"].list.shape.extend([shape_proto(t.extents) for t in op.outputs])
        if "dtype" not in op.attrs:
            node.attr["T"].type = type_number(op.outputs[0].dtype)
    for key, value in op.attrs.items():
        if key[0] != "_" and value is not None:
            _write_attr(node.attr, key, value)


def _edge(t: Tensor) -> str:
    """How an input is written: the operation's name, and the output's number when it is not the first."""
    return f"{t.op.name}:{t.value_index}" if t.value_index else t.op.name


def shape_proto(shape: Shape | None) -> Any:
    """A TensorShapeProto; -1 for what is not known yet."""
    message = tensorboard("compat.proto.tensor_shape_pb2").TensorShapeProto()
    if shape is None:
        message.unknown_rank = True
        return message
    for d in shape:
        message.dim.add(size=d if isinstance(d, int) else -1)
    return message


def _write_attr(attrs: Any, key: str, value: Any) -> None:
    """One attribute of the recorded call; what a GraphDef has no form for is left out."""
    match value:
        case DType():
            attrs[key].type = type_number(value)
        case bool():
            attrs[key].b = value
        case int() | np.integer():
            attrs[key].i = int(value)
        case float() | np.floating():
            attrs[key].f = float(value)
        case str():
            attrs[key].s = value.encode()
        case np.ndarray() if value.size <= _LARGEST_VALUE:
            attrs[key].tensor.CopyFrom(tensorboard("util.tensor_util").make_tensor_proto(value))
        case tuple() | list() if any(isinstance(v, sp.Basic) for v in value) or key == "shape":
            attrs[key].shape.CopyFrom(shape_proto(tuple(value)))
        case tuple() | list() if all(isinstance(v, int | np.integer) for v in value):
            attrs[key].list.i.extend([int(v) for v in value])
