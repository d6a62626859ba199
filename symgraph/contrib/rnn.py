"""tf.contrib.rnn: the cells, their wrappers, and networks unrolled."""

from ..rnn.cell import LSTMStateTuple, RNNCell
from ..rnn.cells import BasicLSTMCell, BasicRNNCell, GRUCell, LayerNormBasicLSTMCell, LSTMCell
from ..rnn.static import static_bidirectional_rnn, static_rnn
from ..rnn.wrappers import (
    DeviceWrapper,
    DropoutWrapper,
    EmbeddingWrapper,
    InputProjectionWrapper,
    MultiRNNCell,
    OutputProjectionWrapper,
    ResidualWrapper,
)

__all__ = (
    "BasicLSTMCell",
    "BasicRNNCell",
    "DeviceWrapper",
    "DropoutWrapper",
    "EmbeddingWrapper",
    "GRUCell",
    "InputProjectionWrapper",
    "LSTMCell",
    "LSTMStateTuple",
    "LayerNormBasicLSTMCell",
    "MultiRNNCell",
    "OutputProjectionWrapper",
    "RNNCell",
    "ResidualWrapper",
    "static_bidirectional_rnn",
    "static_rnn",
)
