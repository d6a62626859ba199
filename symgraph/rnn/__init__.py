"""Recurrent networks: cells, and what runs them along a sequence."""

from .dynamic import bidirectional_dynamic_rnn, dynamic_rnn
from .static import static_bidirectional_rnn, static_rnn

__all__ = ("bidirectional_dynamic_rnn", "dynamic_rnn", "static_bidirectional_rnn", "static_rnn")
