"""The data of the examples: California housing where it can be had, else a set that scikit-learn carries itself.

Law of this file: never wait for a network.  Housing is taken from scikit-learn's data folder when it lies there;
otherwise one short attempt is made to download it, in a process that is ended when it takes too long, because a
machine behind a silent firewall would hang for minutes.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import fetch_california_housing, load_diabetes

PATIENCE = 15.0
"""Seconds given to a download."""

DOWNLOAD = "from sklearn.datasets import fetch_california_housing as fetch; fetch(n_retries=0, delay=0)"


@dataclass(frozen=True)
class Data:
    """`features` (m, n) as they are in the file, `scaled` the same with mean 0 and deviation 1, `target` (m, 1); float64."""

    name: str
    features: np.ndarray
    scaled: np.ndarray
    target: np.ndarray


def load() -> Data:
    """Housing (20640 x 8), or diabetes (442 x 10, its target standardised) with a line that says so."""
    bunch = _housing()
    if bunch is not None:
        return _data("California housing", bunch.data, bunch.target)
    print("California housing is not in scikit-learn's data folder and could not be downloaded:")
    print("this run uses the diabetes data that comes with scikit-learn, target standardised.\n")
    bunch = load_diabetes(scaled=False)
    return _data("diabetes", bunch.data, standardise(bunch.target))


def standardise(values: np.ndarray) -> np.ndarray:
    """Columns of `values` less their means, over their (population) deviations."""
    return (values - values.mean(axis=0)) / values.std(axis=0)


def with_bias(features: np.ndarray) -> np.ndarray:
    """`features` behind a column of ones."""
    return np.c_[np.ones(len(features)), features]


def _housing():
    try:
        return fetch_california_housing(download_if_missing=False)
    except OSError:
        pass
    try:
        subprocess.run([sys.executable, "-c", DOWNLOAD], timeout=PATIENCE, check=True, capture_output=True)
        return fetch_california_housing(download_if_missing=False)
    except (OSError, subprocess.SubprocessError):
        return None


def _data(name: str, features: np.ndarray, target: np.ndarray) -> Data:
    features = np.asarray(features, np.float64)
    return Data(name, features, standardise(features), np.asarray(target, np.float64).reshape(-1, 1))
