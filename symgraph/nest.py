"""Structures of values: tuples, lists, namedtuples and dicts, taken apart into what they hold and put together again.

Law of this file: whatever is not one of those four is a leaf, a tensor and a TensorShape too.  Dicts are read in the order
of their sorted keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any


def is_nested(value: Any) -> bool:
    """Is it a structure, no leaf?"""
    return isinstance(value, tuple | list | dict)


def _children(structure: Any) -> list[Any]:
    return [structure[k] for k in sorted(structure)] if isinstance(structure, dict) else list(structure)


def _like(structure: Any, children: Sequence[Any]) -> Any:
    """A structure of the same kind over other children."""
    if isinstance(structure, dict):
        made = dict(zip(sorted(structure), children, strict=True))
        return type(structure)((k, made[k]) for k in structure)
    if hasattr(structure, "_fields"):
        return type(structure)(*children)
    return type(structure)(children)


def flatten(structure: Any) -> list[Any]:
    """The leaves from the first to the last."""
    return [leaf for child in _children(structure) for leaf in flatten(child)] if is_nested(structure) else [structure]


def flatten_as(structure: Any, value: Any) -> list[Any]:
    """What of a value stands where the structure's leaves are; ValueError where it is of another structure."""
    if not is_nested(structure):
        return [value]
    if not isinstance(value, tuple | list | dict) or len(value) != len(structure) or isinstance(value, dict) != isinstance(structure, dict):
        raise ValueError(f"a value of the structure of {structure!r} is wanted")
    return [leaf for a, b in zip(_children(structure), _children(value), strict=True) for leaf in flatten_as(a, b)]


def pack(structure: Any, leaves: Sequence[Any]) -> Any:
    """A structure like this one with other leaves, as many."""
    rest = iter(leaves)
    packed = _packed(structure, rest)
    if next(rest, rest) is not rest:
        raise ValueError(f"the structure has {len(flatten(structure))} leaves, not {len(leaves)}: {structure!r}")
    return packed


def _packed(structure: Any, rest: Iterator[Any]) -> Any:
    return _like(structure, [_packed(child, rest) for child in _children(structure)]) if is_nested(structure) else next(rest)


def mapped(function: Callable[..., Any], structure: Any, *more: Any) -> Any:
    """A structure of function(leaf, ...) for the leaves in the same places of all structures."""
    same(structure, *more)
    return pack(structure, [function(*leaves) for leaves in zip(*(flatten(s) for s in (structure, *more)), strict=True)])


def same(structure: Any, *more: Any) -> None:
    """ValueError for structures that differ in more than their leaves."""
    for other in more:
        if not _alike(structure, other):
            raise ValueError(f"The two structures don't have the same nested structure: {structure!r} and {other!r}")


def _alike(a: Any, b: Any) -> bool:
    if not is_nested(a) or not is_nested(b):
        return is_nested(a) is is_nested(b)
    if type(a) is not type(b) or len(a) != len(b) or isinstance(a, dict) and sorted(a) != sorted(b):
        return False
    return all(map(_alike, _children(a), _children(b)))
