"""What programs used of TF1's contrib."""

from . import factorization, framework, layers, opt

__all__ = ["factorization", "framework", "layers", "opt"]
