"""What programs used of TF1's contrib."""

from . import opt

__all__ = ["opt"]
