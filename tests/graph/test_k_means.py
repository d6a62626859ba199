"""k-means: steps are those that NumPy makes, and clusters are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as tf

KMeans = tf.contrib.factorization.KMeans
DRAW = np.random.default_rng(0)
POINTS = np.concatenate([DRAW.normal(c, 0.3, (40, 2)) for c in ([0, 0], [4, 4], [0, 8])]).astype("f")


def steps(count: int, **how: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres, numbers and distances after so many steps."""
    x = tf.placeholder(tf.float32, [None, 2])
    _, index, scores, started, init, step = KMeans(x, 3, **how).training_graph()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert not sess.run(started)
        sess.run(init, {x: POINTS})
        assert sess.run(started)
        for _ in range(count):
            sess.run(step, {x: POINTS})
        centres = next(v for v in tf.global_variables() if "clusters" in v.name)
        return sess.run(centres), *sess.run([index[0], scores[0]], {x: POINTS})


def nearest(centres: np.ndarray) -> np.ndarray:
    return ((POINTS[:, None] - centres) ** 2).sum(2).argmin(1)


START = POINTS[[0, 40, 41]]


@pytest.mark.parametrize("mini", [False, True])
def test_steps_are_those_of_numpy(mini: bool) -> None:
    centres, seen = START.astype(np.float64), np.zeros(3)
    for _ in range(3):
        of = nearest(centres)
        counts = np.bincount(of, minlength=3)
        sums = np.stack([POINTS[of == k].sum(0) for k in range(3)])
        seen += counts
        centres = centres + (sums - counts[:, None] * centres) / seen[:, None] if mini else sums / (counts + 1e-6)[:, None]
    found, index, scores = steps(3, initial_clusters=START, use_mini_batch=mini)
    assert np.allclose(found, centres, atol=1e-5) and np.array_equal(index, nearest(found))
    assert np.allclose(scores, ((POINTS - found[index]) ** 2).sum(1), atol=1e-4)


@pytest.mark.parametrize("how", [{"initial_clusters": "kmeans_plus_plus"}, {"initial_clusters": lambda x, k: x[::40][:k]}])
def test_clusters_are_found(how: dict) -> None:
    centres, index, _ = steps(10, **how)
    assert sorted(np.bincount(index)) == [40, 40, 40]
    assert np.allclose(np.sort(centres, 0), [[0, 0], [0, 4], [4, 8]], atol=0.3)


def test_random_starts_are_rows_and_cosines_are_of_directions() -> None:
    found, *_ = steps(0)
    assert all((POINTS == c).all(1).any() for c in found) and len(np.unique(found, axis=0)) == 3
    tf.reset_default_graph()
    found, _, scores = steps(5, distance_metric="cosine", initial_clusters=POINTS[[50, 51, 90]])
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5) and scores.max() < 2.01


def test_what_is_refused() -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    with pytest.raises(ValueError, match="Unsupported distance metric"):
        KMeans(x, 3, distance_metric="manhattan")
    with pytest.raises(ValueError, match="the number of columns must be known"):
        KMeans(tf.placeholder(tf.float32), 3).training_graph()
    with pytest.raises(NotImplementedError, match="mini_batch_steps_per_iteration"):
        KMeans(x, 3, use_mini_batch=True, mini_batch_steps_per_iteration=4)
    with pytest.raises(ValueError, match="Unsupported initial_clusters: 'best'"):
        KMeans(x, 3, initial_clusters="best").training_graph()
