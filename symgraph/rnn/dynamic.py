"""Networks as loops: the cell recorded once, run for every step of sequences whose length may be unknown.

Law of this file: one loop, no unrolling.  Past the end of its sequence a row's output is zero and its state stays; steps
past the end of all sequences are not made.
"""

from __future__ import annotations

from typing import Any

from ..graph import Attempt, Graph, Tensor, convert, get_default_graph
from ..nest import flatten, mapped, pack, same
from ..ops import array
from ..ops.array import expand_dims, shape, transpose, zeros_like
from ..ops.control_flow import counted
from ..ops.core import counted_as
from ..ops.math import _made, identity
from ..ops.movement import reverse, reverse_sequence
from ..ops.reduce import reduce_max
from ..scopes import variable_scope
from .cell import batch_of, frame, initial, like_a_cell
from .static import kept, lengths_of

less = _made["less"]


def dynamic_rnn(
    cell: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[Any, Any]:
    """(outputs, state): the cell called along axis 1 of `inputs` [batch, time, in], or along axis 0 if `time_major`.

    `inputs` may be a structure of tensors; batch and time may be unknown.  Outputs are [batch, time, out], the state is the
    last one.  `sequence_length`, int32 or int64 [batch]: past it a row's outputs are zero and its state stays.  The first
    state is `initial_state`, or zeros of `dtype`.  Variables lie in `scope`, by default 'rnn'.  `parallel_iterations` and
    `swap_memory` change nothing here."""
    graph = get_default_graph()
    given = {"inputs": inputs, "initial_state": initial_state, "sequence_length": sequence_length}
    with Attempt(graph, "tf.nn.dynamic_rnn", "rnn", given), variable_scope(scope or "rnn"):
        like_a_cell("cell", cell)
        sequences = [_sequence(x, graph) for x in flatten(inputs)]
        if not time_major:
            sequences = [_turned(x, graph) for x in sequences]
        lengths = None if sequence_length is None else identity(lengths_of(sequence_length, graph), name="sequence_length")
        batch = batch_of(sequences, 1)
        state = initial(cell, initial_state, batch, dtype)
        outputs, last = _loop(cell, pack(inputs, sequences), state, lengths, isinstance(batch, int), graph)
        if not time_major:
            outputs = mapped(lambda t: _turned(t, graph), outputs)
    return outputs, last


def _sequence(x: Any, graph: Graph) -> Tensor:
    t = convert(x, name="inputs", graph=graph)
    if t.extents is None or len(t.extents) < 3:
        raise ValueError(
            f"Shape {t.shape} must have rank at least 3\ninputs are [batch, time, ...]: use tf.reshape, or tf.expand_dims(x, -1)"
        )
    if t.shape.as_list()[2] is None:
        raise ValueError(f"Input size (depth of inputs) must be accessible via shape inference, but saw value None: {t.shape}")
    return t


def _turned(x: Tensor, graph: Graph) -> Tensor:
    """Axes 0 and 1 exchanged."""
    rank = len(x.extents)  # type: ignore[arg-type]
    with counted_as(graph, 8):
        return transpose(x, [1, 0, *range(2, rank)])


def _loop(cell: Any, inputs: Any, state: Any, lengths: Tensor | None, known: bool, graph: Graph) -> tuple[Any, Any]:
    """The loop over axis 0 of `inputs`."""
    xs, states = flatten(inputs), flatten(state)
    number, masked = len(states), lengths is not None
    before, outside = graph.counted, len(graph.get_operations())
    sequences, limit = list(xs), None
    if lengths is not None:
        times = array.range(shape(xs[0])[0])
        sequences.append(less(expand_dims(times, 1), expand_dims(lengths, 0)))
        limit = reduce_max(lengths)
    made: dict[str, Any] = {}

    def step(carried: list[Tensor], slices: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        # what TF1 makes of it: checks, zeros, arrays of the steps, and a frame with an operation for each that is carried
        graph.counted = before + 43 + 4 * number + 13 * len(xs) - (6 if known else 0) + (17 if masked else 0)
        x, old = pack(inputs, slices[: len(xs)]), pack(state, carried)
        with frame(graph, outside):
            output, new = cell(x, old)
        same(state, new)
        made["output"], made["counted"] = output, graph.counted
        if masked:
            inside = slices[-1]
            output, new = kept(inside, output, mapped(zeros_like, output)), kept(inside, new, old)
        return flatten(new), flatten(output)

    finals, stacks = counted(step, states, sequences, name="while", limit=limit)
    graph.counted = made["counted"] + 6 + 2 * number + 9 * len(stacks) + (2 + number if masked else 0) + (1 if known else 0)
    return pack(made["output"], stacks), pack(state, finals)


def bidirectional_dynamic_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((outputs_fw, outputs_bw), (state_fw, state_bw)): `dynamic_rnn` forth and back; nothing is concatenated.

    Backwards begins, in each row, at its last element inside `sequence_length`.  Variables lie in 'fw' and 'bw' under
    `scope`, by default 'bidirectional_rnn'."""
    like_a_cell("cell_fw", cell_fw)
    like_a_cell("cell_bw", cell_bw)
    time, batch = (0, 1) if time_major else (1, 0)

    def turned(x: Any) -> Any:
        if sequence_length is None:
            return mapped(lambda t: reverse(t, [time]), x)
        return mapped(lambda t: reverse_sequence(t, sequence_length, seq_axis=time, batch_axis=batch), x)

    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as fw:
            forth, state_fw = dynamic_rnn(
                cell_fw, inputs, sequence_length, initial_state_fw, dtype, parallel_iterations, swap_memory, time_major, fw
            )
        with variable_scope("bw") as bw:
            back, state_bw = dynamic_rnn(
                cell_bw, turned(inputs), sequence_length, initial_state_bw, dtype, parallel_iterations, swap_memory, time_major, bw
            )
    return (forth, turned(back)), (state_fw, state_bw)
