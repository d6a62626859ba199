"""The data of the examples on images: the hand-written digits that come with scikit-learn, batches of them, and pictures as text.

Law of this file: what is drawn depends on the seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits

SHADES = " .:-=+*#%@"


@dataclass(frozen=True)
class Digits:
    """Images (m, 64), float32 from 0 to 1, and labels (m,), int32: some to train on, some to test with."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load(test: int = 450, seed: int = 42) -> Digits:
    """1797 images of 8 x 8 pixels in a random order, the last `test` of them kept back."""
    bunch = load_digits()
    order = np.random.default_rng(seed).permutation(len(bunch.data))
    images, labels = (bunch.data[order] / 16).astype(np.float32), bunch.target[order].astype(np.int32)
    return Digits(images[:-test], labels[:-test], images[-test:], labels[-test:])


def batches(rows: int, size: int, epoch: int, seed: int = 42) -> Iterator[np.ndarray]:
    """The rows of each batch of an epoch, which goes through all of them once; what is left over is left out."""
    order = np.random.default_rng((seed, epoch)).permutation(rows)
    for first in range(0, rows - size + 1, size):
        yield order[first : first + size]


def picture(images: np.ndarray) -> str:
    """Images (m, 64) side by side, two characters for each pixel."""
    shades = np.array([shade * 2 for shade in SHADES])[np.clip(images * len(SHADES), 0, len(SHADES) - 1).astype(int)]
    lines = shades.reshape(len(images), 8, 8).transpose(1, 0, 2)
    return "\n".join("  ".join("".join(part) for part in line).rstrip() for line in lines)
