"""tf.contrib.legacy_seq2seq: an encoder and a decoder unrolled over lists of steps.

Law of this file: the encoder has a cell like the decoder's with variables of its own.

Source: Sutskever et al. (2014); names and scopes are TF1's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any

from ..dtypes import as_dtype, float32
from ..graph import Tensor
from ..nest import mapped
from ..ops.array import reshape, shape
from ..ops.core import is_tensor
from ..ops.dense import bias_add
from ..ops.embedding import embedding_lookup
from ..ops.linalg import matmul
from ..ops.math import add_n, cast, stop_gradient, where
from ..ops.nn import sparse_softmax_cross_entropy_with_logits
from ..ops.reduce import argmax, reduce_sum
from ..rnn.cell import RNNCell
from ..rnn.static import static_rnn
from ..rnn.wrappers import EmbeddingWrapper, OutputProjectionWrapper
from ..scopes import get_variable, get_variable_scope, name_scope, variable_scope

Loss = Callable[..., Tensor]


def rnn_decoder(
    decoder_inputs: Iterable[Any], initial_state: Any, cell: Any, loop_function: Callable[[Any, int], Any] | None = None, scope: Any = None
) -> tuple[list[Any], Any]:
    """(outputs, state): the cell from `initial_state` along a list of inputs [batch, in].

    With `loop_function` each input but the first is loop_function(the output before it, its number)."""
    state, outputs = initial_state, list[Any]()
    with variable_scope(scope or "rnn_decoder") as own:
        for k, x in enumerate(decoder_inputs):
            if outputs:
                own.reuse_variables()
                if loop_function is not None:
                    with variable_scope("loop_function"):
                        x = loop_function(outputs[-1], k)
            output, state = cell(x, state)
            outputs.append(output)
    return outputs, state


def basic_rnn_seq2seq(
    encoder_inputs: Sequence[Any], decoder_inputs: Sequence[Any], cell: Any, dtype: Any = float32, scope: Any = None
) -> tuple[list[Any], Any]:
    """(outputs, state) of the decoder, which starts from the encoder's last state; lists of inputs [batch, in]."""
    with variable_scope(scope or "basic_rnn_seq2seq"):
        _, state = static_rnn(_twin(cell, {}), encoder_inputs, dtype=dtype)
        return rnn_decoder(decoder_inputs, state, cell)


def embedding_rnn_decoder(
    decoder_inputs: Sequence[Any],
    initial_state: Any,
    cell: Any,
    num_symbols: int,
    embedding_size: int,
    output_projection: tuple[Any, Any] | None = None,
    feed_previous: bool = False,
    update_embedding_for_previous: bool = True,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """(outputs, state): `rnn_decoder` for numbers of symbols, a list of int32 [batch], looked up in a table 'embedding'.

    With `feed_previous` each symbol but the first is the likeliest by the output before it, of which `output_projection`,
    weights and biases, makes logits."""
    with variable_scope(scope or "embedding_rnn_decoder"):
        table = get_variable("embedding", [num_symbols, embedding_size])

        def likeliest(output: Any, number: int) -> Tensor:
            if output_projection is not None:
                output = bias_add(matmul(output, output_projection[0]), output_projection[1])
            row = embedding_lookup(table, argmax(output, 1))
            return row if update_embedding_for_previous else stop_gradient(row)

        rows = (embedding_lookup(table, x) for x in decoder_inputs)
        return rnn_decoder(rows, initial_state, cell, likeliest if feed_previous else None)


def embedding_rnn_seq2seq(
    encoder_inputs: Sequence[Any],
    decoder_inputs: Sequence[Any],
    cell: Any,
    num_encoder_symbols: int,
    num_decoder_symbols: int,
    embedding_size: int,
    output_projection: tuple[Any, Any] | None = None,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """(outputs, state): lists of int32 [batch], the encoder's and the decoder's symbols; outputs [batch, num_decoder_symbols].

    With `output_projection` the outputs are the cell's, [batch, cell.output_size].  `feed_previous` may be a bool tensor: both
    ways are computed then."""
    with variable_scope(scope or "embedding_rnn_seq2seq", dtype=dtype) as own:
        encoder = EmbeddingWrapper(_twin(cell, {}), num_encoder_symbols, embedding_size)
        _, state = static_rnn(encoder, encoder_inputs, dtype=as_dtype(own.dtype))
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_decoder_symbols)

        def decoded(previous: bool, reuse: bool | None) -> tuple[list[Any], Any]:
            with variable_scope(get_variable_scope(), reuse=reuse):
                return embedding_rnn_decoder(
                    decoder_inputs, state, cell, num_decoder_symbols, embedding_size, output_projection, feed_previous=previous
                )

        if not is_tensor(feed_previous):
            return decoded(bool(feed_previous), None)
        return mapped(lambda a, b: where(feed_previous, a, b), decoded(True, None), decoded(False, True))


def _twin(value: Any, made: dict[int, Any]) -> Any:
    """A cell like this one that has no variables yet, with what is not a cell shared."""
    if isinstance(value, RNNCell) and id(value) not in made:
        twin = made[id(value)] = copy(value)
        vars(twin).update({k: _twin(v, made) for k, v in vars(value).items()})
    if isinstance(value, list) or type(value) is tuple:
        return type(value)(_twin(v, made) for v in value)
    return made.get(id(value), value)


# ---------------------------------------------------------------- losses
def sequence_loss_by_example(
    logits: Sequence[Any],
    targets: Sequence[Any],
    weights: Sequence[Any],
    average_across_timesteps: bool = True,
    softmax_loss_function: Loss | None = None,
    name: str | None = None,
) -> Tensor:
    """Weighted cross-entropies of each sequence, [batch]: lists of logits [batch, symbols], int targets and weights [batch]."""
    if not len(logits) == len(targets) == len(weights):
        raise ValueError(f"Lengths of logits, weights, and targets must be the same {len(logits)}, {len(weights)}, {len(targets)}.")
    loss = softmax_loss_function or sparse_softmax_cross_entropy_with_logits
    with name_scope(name, "sequence_loss_by_example"):
        terms = [loss(labels=reshape(y, [-1]), logits=z) * w for z, y, w in zip(logits, targets, weights, strict=True)]
        total = add_n(terms)
        return total / (add_n(list(weights)) + 1e-12) if average_across_timesteps else total


def sequence_loss(
    logits: Sequence[Any],
    targets: Sequence[Any],
    weights: Sequence[Any],
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    softmax_loss_function: Loss | None = None,
    name: str | None = None,
) -> Tensor:
    """The sum of `sequence_loss_by_example` over the batch, or its mean."""
    with name_scope(name, "sequence_loss"):
        cost = reduce_sum(sequence_loss_by_example(logits, targets, weights, average_across_timesteps, softmax_loss_function))
        return cost / cast(shape(targets[0])[0], cost.dtype) if average_across_batch else cost
