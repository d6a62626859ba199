"""What programs used of TF1's contrib."""

from . import distributions, factorization, framework, layers, legacy_seq2seq, opt, rnn, seq2seq

__all__ = ["distributions", "factorization", "framework", "layers", "legacy_seq2seq", "opt", "rnn", "seq2seq"]
