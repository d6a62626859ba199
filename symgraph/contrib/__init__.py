"""What programs used of TF1's contrib."""

from . import factorization, opt

__all__ = ["factorization", "opt"]
