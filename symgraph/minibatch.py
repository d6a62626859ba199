"""Mini-batches: which rows of the fed arrays each step of a loop sees.

Law of this file: rows are drawn by NumPy alone and in a documented order, so that anybody can draw the same ones; a
table of them is int64 [steps, longest batch], in which a shorter batch is filled up with row 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .errors import locate, shown, user_site
from .graph import Tensor

Table = tuple[np.ndarray, np.ndarray]
"""Rows int64 [steps, longest batch], and how many of them each step sees, int64 [steps]."""


class Minibatch:
    """Which rows of the fed arrays each step of `Session.run_loop` or `Function.loop` sees.

    `batch_size` rows a step, in epochs: each epoch goes through all n rows once, shuffled or in their order, and its
    last batch is smaller where n is no multiple (with `drop_last` it is left out).  The rows are those of

        generator = np.random.default_rng(seed)
        while True:                                     # one epoch
            order = generator.permutation(n)            # without shuffle: np.arange(n)
            for first in range(0, n, batch_size):
                rows = order[first : first + batch_size]

    Each call of a loop starts with a new epoch, and with the same ones again unless `seed` is a generator
    (`np.random.default_rng(0)`), which goes on from where it is.

    Or `indices`: an integer array [steps, batch], or a sequence of one integer array for each step.

    `tensors` are the fed tensors whose arrays are cut; by default all those whose first dimension is unknown (None).
    Everything else that is fed is the same in each step.

    >>> [rows.tolist() for rows in Minibatch(2, shuffle=False).rows(5, steps=4)]
    [[0, 1], [2, 3], [4], [0, 1]]
    """

    def __init__(
        self,
        batch_size: int | None = None,
        shuffle: bool = True,
        seed: Any = 0,
        drop_last: bool = False,
        indices: Any = None,
        tensors: Sequence[Any] | None = None,
    ) -> None:
        try:
            if (batch_size is None) == (indices is None):
                raise TypeError("Minibatch takes either batch_size or indices")
            self.batch_size = None if batch_size is None else whole("batch_size", batch_size, 1)
            self.indices: Any = None if indices is None else _table(indices)
            _generator(seed)
        except (TypeError, ValueError) as e:
            raise locate(e, "Minibatch", user_site(), {}) from None
        self.shuffle, self.seed, self.drop_last, self.tensors = bool(shuffle), seed, bool(drop_last), tensors

    def rows(self, n: int, steps: int) -> list[np.ndarray]:
        """The rows, of n, that each of `steps` steps sees: one int64 array a step."""
        try:
            self.check(n, steps)
        except ValueError as e:
            raise locate(e, "Minibatch.rows", user_site(), {}) from None
        return [r[:k] for rows, lengths in self.pieces(n, (steps,)) for r, k in zip(rows, lengths, strict=True)]

    def check(self, n: int, steps: int) -> None:
        """ValueError unless these mini-batches can be had from n rows in so many steps."""
        if self.indices is None:
            assert self.batch_size is not None
            if n == 0 or self.drop_last and n < self.batch_size:
                raise ValueError(f"no batch of {self.batch_size} can be had from arrays of {n} rows")
            return
        rows, lengths = self.indices
        if len(lengths) != steps:
            raise ValueError(f"indices has rows for {len(lengths)} steps, the loop has {steps}")
        if rows.size and not 0 <= rows.min() <= rows.max() < n:
            step = int(np.flatnonzero(((rows < 0) | (rows >= n)).any(axis=1))[0])
            worst = next(int(r) for r in rows[step] if not 0 <= r < n)
            raise ValueError(f"indices names row {worst} in step {step}, but the fed arrays have the rows 0 to {n - 1}")

    def longest(self, n: int) -> int:
        """Rows of the largest batch."""
        return self.indices[0].shape[1] if self.batch_size is None else min(self.batch_size, n)

    def sizes(self, n: int) -> set[int]:
        """The numbers of rows that a step may see."""
        return set(next(self._epochs(n, np.random.default_rng(0)))[1].tolist())

    def pieces(self, n: int, ends: Iterable[int]) -> Iterator[Table]:
        """The table of one piece of a loop after another; `ends` are the steps at which they end."""
        source = self._epochs(n, _generator(self.seed))
        rows, lengths = np.empty((0, self.longest(n)), np.int64), np.empty(0, np.int64)
        first = 0
        for end in ends:
            count, first = end - first, end
            parts, have = [(rows, lengths)], len(lengths)
            while have < count:
                parts.append(next(source))
                have += len(parts[-1][1])
            if len(parts) > 1:
                rows, lengths = (np.concatenate(part) for part in zip(*parts, strict=True))
            yield rows[:count], lengths[:count]
            rows, lengths = rows[count:], lengths[count:]

    def _epochs(self, n: int, generator: np.random.Generator) -> Iterator[Table]:
        if self.batch_size is None:
            yield self.indices
            return
        width = self.longest(n)
        count = n // width if self.drop_last else -(-n // width)
        lengths = np.full(count, width, np.int64)
        if not self.drop_last:
            lengths[-1] = n - (count - 1) * width
        while True:
            order = generator.permutation(n) if self.shuffle else np.arange(n)
            table = np.zeros(count * width, np.int64)
            table[: len(order)] = order[: len(table)]
            yield table.reshape(count, width), lengths


def _generator(seed: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as e:
        raise type(e)(f"seed must be what np.random.default_rng takes, not {shown(seed)}\n{e}") from None


def _table(indices: Any) -> Table:
    """Rows for each step, given as an array or one by one."""
    if isinstance(indices, list | tuple):
        each = [np.asarray(rows) for rows in indices]
    else:
        whole_array = np.asarray(indices)
        if whole_array.ndim != 2:
            raise ValueError(f"indices has shape {whole_array.shape}; it has one row of indices for each step: [steps, batch]")
        each = list(whole_array)
    for step, rows in enumerate(each):
        if rows.ndim != 1 or not rows.size:
            raise ValueError(f"indices of step {step} has shape {rows.shape}; it must be a vector of at least one row")
        if rows.dtype.kind not in "iu":
            raise TypeError(f"indices of step {step} is {rows.dtype}; rows are whole numbers")
    lengths = np.array([len(rows) for rows in each], np.int64)
    table = np.zeros((len(each), lengths.max(initial=0)), np.int64)
    for step, rows in enumerate(each):
        table[step, : len(rows)] = rows
    return table, lengths


def whole(name: str, value: Any, least: int) -> int:
    """The value as an int of at least `least`; TypeError, ValueError in words."""
    try:
        number = value.__index__()
    except AttributeError:
        raise TypeError(f"{name} must be a whole number, not {shown(value)}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def taking_part(minibatch: Minibatch, fed: Sequence[Tensor], arrays: Sequence[np.ndarray], find: Any) -> tuple[int, ...]:
    """Which fed tensors mini-batches are taken of, by position; their arrays have the same number of rows.

    `find` gives the tensor of one that `Minibatch(tensors=...)` names."""
    if minibatch.tensors is None:
        part = [k for k, x in enumerate(arrays) if _open(fed[k], x)]
        if not part:
            raise ValueError(
                "nothing is fed that mini-batches can be taken of\n"
                "they are taken of fed tensors whose first dimension is unknown: placeholder(..., shape=(None, ...))"
            )
    else:
        part = []
        for given in minibatch.tensors:
            t = find(given)
            if t not in fed:
                raise ValueError(f"Minibatch names {t.described()}, which is not fed")
            k = list(fed).index(t)
            if not _open(t, arrays[k]):
                raise ValueError(f"the first dimension of {t.described()} is fixed: mini-batches need one that is unknown (None)")
            part.append(k)
        if not part:
            raise ValueError("Minibatch(tensors=[]) names no tensor to take mini-batches of")
    rows = {arrays[k].shape[0] for k in part}
    if len(rows) > 1:
        each = ", ".join(f"'{fed[k].name}' has {arrays[k].shape[0]}" for k in part)
        what = f"arrays of different numbers of rows share mini-batches: {each}"
        raise ValueError(f"{what}\nname the ones that are meant: Minibatch(tensors=[...])")
    return tuple(part)


def _open(t: Tensor, array: np.ndarray) -> bool:
    """Is the first dimension of the tensor unknown until it is fed?"""
    return array.ndim > 0 and (t.extents is None or not isinstance(t.extents[0], int))
