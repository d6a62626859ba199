"""What programs used of TF1's contrib."""

from . import factorization, framework, layers, legacy_seq2seq, opt, rnn, seq2seq

__all__ = ["factorization", "framework", "layers", "legacy_seq2seq", "opt", "rnn", "seq2seq"]
