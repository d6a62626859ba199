"""Networks unrolled: one call of the cell for each element of a list.

Law of this file: past the end of its sequence a row's output is zero and its state stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dtypes import int32
from ..graph import Attempt, Tensor, convert, get_default_graph
from ..nest import flatten, mapped, pack
from ..ops.array import concat, stack, unstack, zeros_like
from ..ops.core import INDICES, counted_as, need
from ..ops.math import _made, cast, where
from ..ops.movement import reverse_sequence
from ..scopes import variable_scope
from .cell import batch_of, frame, initial, like_a_cell

greater = _made["greater"]


def lengths_of(sequence_length: Any, graph: Any) -> Tensor:
    """Lengths as an int32 vector; ValueError for anything but a vector."""
    lengths = convert(sequence_length, name="sequence_length", graph=graph)
    need(lengths, *INDICES, parameter="sequence_length")
    if lengths.extents is not None and len(lengths.extents) != 1:
        raise ValueError(f"sequence_length must be a vector of length batch_size, but saw shape: {lengths.shape}")
    return cast(lengths, int32)


def kept(inside: Tensor, new: Any, old: Any) -> Any:
    """A structure of `new` in the rows that are `inside`, of `old` in the others."""
    return mapped(lambda n, o: where(inside, n, o), new, old)


def static_rnn(
    cell: Any, inputs: Sequence[Any], initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None
) -> tuple[list[Any], Any]:
    """(outputs, state): the cell called for each of a list of `inputs` [batch, in], from `initial_state`, or from zeros.

    `dtype` is that of the zeros.  `sequence_length`, int32 or int64 [batch]: past it a row's outputs are zero and its state
    stays.  The cell's variables lie in `scope`, by default 'rnn'."""
    graph = get_default_graph()
    with Attempt(graph, "tf.nn.static_rnn", "rnn", {"inputs": inputs, "initial_state": initial_state, "sequence_length": sequence_length}):
        like_a_cell("cell", cell)
        if not isinstance(inputs, list | tuple):
            raise TypeError(f"inputs must be a sequence, one tensor for each step, not {inputs!r}\nuse tf.unstack(x, axis=1)")
        if not inputs:
            raise ValueError("inputs must not be empty")
        with variable_scope(scope or "rnn") as own:
            state = initial(cell, initial_state, batch_of(flatten(inputs[0])), dtype)
            lengths = None if sequence_length is None else lengths_of(sequence_length, graph)
            number = len(flatten(state))
            if lengths is not None:
                graph.counted += 12  # zeros for the outputs, the shortest and the longest sequence
            outputs = []
            for t, x in enumerate(inputs):
                if t:
                    own.reuse_variables()
                if lengths is None:
                    output, state = cell(x, state)
                    outputs.append(output)
                    continue
                graph.counted += 9 + number  # TF1 asks twice whether it has to call the cell
                with frame(graph, len(graph.get_operations())):
                    output, new = cell(x, state)
                own_outputs = [o for o in flatten(output) if all(o is not n for n in flatten(new))]
                with counted_as(graph, 14 + 6 * number + 2 * len(own_outputs)):
                    inside = greater(lengths, t)
                    outputs.append(kept(inside, output, mapped(zeros_like, output)))
                    state = kept(inside, new, state)
    return outputs, state


def static_bidirectional_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Sequence[Tensor],
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any, Any]:
    """(outputs, state_fw, state_bw): one cell from the first input to the last, the other backwards; outputs side by side.

    Backwards begins, in each row, at its last element inside `sequence_length`.  Variables lie in 'fw' and 'bw' under
    `scope`, by default 'bidirectional_rnn'."""
    like_a_cell("cell_fw", cell_fw)
    like_a_cell("cell_bw", cell_bw)
    if not isinstance(inputs, list | tuple):
        raise TypeError(f"inputs must be a sequence, one tensor for each step, not {inputs!r}\nuse tf.unstack(x, axis=1)")
    if not inputs:
        raise ValueError("inputs must not be empty")
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as fw:
            forth, state_fw = static_rnn(cell_fw, inputs, initial_state_fw, dtype, sequence_length, scope=fw)
        with variable_scope("bw") as bw:
            turned = _reversed(inputs, sequence_length)
            back, state_bw = static_rnn(cell_bw, turned, initial_state_bw, dtype, sequence_length, scope=bw)
    back = _reversed(back, sequence_length)
    outputs = []
    for f, b in zip(forth, back, strict=True):
        outputs.append(pack(f, [concat([p, q], 1) for p, q in zip(flatten(f), flatten(b), strict=True)]))
    return outputs, state_fw, state_bw


def _reversed(parts: Sequence[Any], lengths: Any) -> list[Any]:
    """The list backwards, in each row from its end."""
    if lengths is None:
        return list(reversed(parts))
    columns = zip(*map(flatten, parts), strict=True)
    turned = [unstack(reverse_sequence(stack(list(c)), lengths, seq_axis=0, batch_axis=1)) for c in columns]
    return [pack(p, leaves) for p, leaves in zip(parts, zip(*turned, strict=True), strict=True)]
