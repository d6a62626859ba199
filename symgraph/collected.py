"""What a graph keeps beside its operations: collections, the devices that are asked for, and hints that change nothing.

Law of this file: it knows no operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .placement import spec


class Collected:
    """Collections: lists of any values under any keys, in the order in which they were added."""

    _collections: dict[Any, list]
    _devices: tuple[Any, ...]

    def add_to_collection(self, key: Any, value: Any) -> None:
        self._collections.setdefault(key, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Append a value to several collections."""
        for key in dict.fromkeys((names,) if isinstance(names, str) else names):
            self.add_to_collection(key, value)

    def get_collection(self, key: Any, scope: str | None = None) -> list:
        """A new list; `scope` is a regular expression matched at the start of the names."""
        items = self._collections.get(key, [])
        if scope is None:
            return list(items)
        return [v for v in items if hasattr(v, "name") and re.match(scope, v.name)]

    def get_collection_ref(self, key: Any) -> list:
        return self._collections.setdefault(key, [])

    def get_all_collection_keys(self) -> list:
        """The keys of collections that were used, strings only."""
        return [key for key in self._collections if isinstance(key, str)]

    collections = property(get_all_collection_keys)

    def clear_collection(self, key: Any) -> None:
        """Empty a collection."""
        self._collections.pop(key, None)

    # -- hints
    @contextmanager
    def device(self, device_name_or_function: Any) -> Iterator[None]:
        """Operations made inside ask for a device: a name, a function of an operation that gives one, or None, which forgets
        the blocks around it.  What comes of it is said in placement.py."""
        known = device_name_or_function
        if known is not None and not isinstance(known, str) and not callable(known):
            raise ValueError(f"a device is a name like '/cpu:0', a function, or None, not {known!r}")
        if isinstance(known, str):
            spec(known)
        old = self._devices
        self._devices = (*old, known)
        try:
            yield
        finally:
            self._devices = old

    @contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """Beside which operation TF1 would have put operations.  It changes nothing here."""
        yield

    @contextmanager
    def container(self, container_name: str) -> Iterator[str]:
        """Where TF1 would have kept variables.  It changes nothing here."""
        yield container_name

    def is_feedable(self, tensor: Any) -> bool:
        """True: every tensor can be fed."""
        return True

    def is_fetchable(self, tensor_or_op: Any) -> bool:
        """True: everything can be fetched."""
        return True
