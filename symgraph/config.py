"""Every SYMGRAPH_* option: the table itself lies with the compiler, which may not look up here."""

from .codegen.config import OPTIONS, Option, describe, find, get, override

__all__ = ["OPTIONS", "Option", "describe", "find", "get", "override"]
