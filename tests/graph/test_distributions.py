"""tf.distributions against SciPy's, draws against TensorFlow's numbers and against what they should look like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import symgraph as tf
from tests.graph.test_control_flow import check_gradient, run

D = tf.distributions
LOC = np.array([[-1.0, 0.5, 2.0], [0.3, -0.2, 0.0]])
SCALE = np.array([0.5, 1.5, 2.0])
X = np.random.default_rng(0).normal(size=(4, 2, 3))
LOGITS = np.array([[-1.0, 0.5, 2.0], [0.3, -0.2, 0.0]])
PROBS = np.array([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]])

PAIRS: dict[str, tuple[Callable[[], Any], Any, np.ndarray]] = {
    "normal": (lambda: D.Normal(LOC, SCALE), stats.norm(LOC, SCALE), X),
    "laplace": (lambda: D.Laplace(LOC, SCALE), stats.laplace(LOC, SCALE), X),
    "exponential": (lambda: D.Exponential(SCALE), stats.expon(scale=1 / SCALE), np.abs(X)),
    "uniform": (lambda: D.Uniform(LOC, LOC + SCALE), stats.uniform(LOC, np.broadcast_to(SCALE, LOC.shape)), X),
    "bernoulli": (lambda: D.Bernoulli(LOGITS), stats.bernoulli(1 / (1 + np.exp(-LOGITS))), (X > 0).astype(int)),
    "bernoulli of probs": (lambda: D.Bernoulli(probs=PROBS), stats.bernoulli(PROBS), (X > 0).astype(int)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_against_scipy(name: str) -> None:
    make, wanted, x = PAIRS[name]
    d = make()
    discrete = name.startswith("bernoulli")
    density = wanted.pmf if discrete else wanted.pdf
    shape = np.broadcast_shapes(np.shape(wanted.mean()))
    found = run([d.prob(x), d.log_prob(x), d.mean(), d.variance(), d.stddev(), d.entropy(), d.batch_shape_tensor()])
    expected = [density(x), np.log(np.maximum(density(x), 0)) if density(x).all() else None, wanted.mean(), wanted.var(), wanted.std()]
    for got, want in zip(found, [*expected, wanted.entropy(), shape], strict=True):
        if want is not None:
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    assert tuple(d.batch_shape.as_list()) == shape and d.event_shape.as_list() == []
    if not discrete:
        np.testing.assert_allclose(run(d.cdf(x)), wanted.cdf(x), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(run(d.survival_function(x)), wanted.sf(x), rtol=1e-9, atol=1e-12)
        if name != "normal":
            p = np.random.default_rng(1).random(wanted.mean().shape)
            np.testing.assert_allclose(run(d.quantile(p)), wanted.ppf(p), rtol=1e-9)


def test_outside_of_the_interval() -> None:
    d = D.Uniform(0.0, 2.0)
    assert run(d.prob([-1.0, 0.0, 1.0, 2.0, 3.0])).tolist() == [0.0, 0.5, 0.5, 0.0, 0.0]
    assert run(d.log_prob(2.5)) == -np.inf and run(d.range()) == 2.0 and np.isnan(run(d.prob(np.nan)))


def test_the_tails_of_the_normal_distribution() -> None:
    z = np.concatenate([np.linspace(-37, 37, 500), [0.0, 0.66291, 0.66292, 5.6568, 5.6569]])
    d = D.Normal(np.float64(0.0), 1.0)
    low, high, logs = run([d.cdf(z), d.survival_function(z), d.log_cdf(z)])
    np.testing.assert_allclose(low, stats.norm.cdf(z), rtol=1e-12)
    np.testing.assert_allclose(high, stats.norm.sf(z), rtol=1e-12)
    np.testing.assert_allclose(logs, stats.norm.logcdf(z), rtol=1e-12)
    x = tf.placeholder(tf.float64, z.shape)
    (g,) = tf.gradients(d.cdf(x), x)
    np.testing.assert_allclose(run(g, {x: z}), stats.norm.pdf(z), rtol=1e-8)
    single = run(D.Normal(0.0, 1.0).cdf(z[(z > -12.0)].astype(np.float32)))
    np.testing.assert_allclose(single, stats.norm.cdf(z[(z > -12.0)].astype(np.float32)), rtol=3e-5)


def test_classes() -> None:
    k = np.array([[0, 1], [2, 2], [1, 0]], np.int32)
    soft = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    for d, p in ((D.Categorical(LOGITS), soft), (D.Categorical(probs=PROBS), PROBS)):
        np.testing.assert_allclose(run(d.prob(k)), np.stack([[p[0, a], p[1, b]] for a, b in k]), rtol=1e-12)
        np.testing.assert_allclose(run(d.entropy()), -(p * np.log(p)).sum(1), rtol=1e-12)
        np.testing.assert_allclose(run(d.probs), p, rtol=1e-12)
        assert run(d.mode()).tolist() == p.argmax(1).tolist() and run(d.event_size) == 3
        assert d.batch_shape.as_list() == [2] and d.event_shape.as_list() == []
    one = D.Categorical(LOGITS[0])
    np.testing.assert_allclose(run(one.log_prob([0, 1, 2])), np.log(soft[0]), rtol=1e-12)
    drawn = run(one.sample(20000, seed=1))
    assert drawn.dtype == np.int32
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 20000, soft[0], atol=0.015)
    assert run(D.Categorical(LOGITS).sample([4, 5])).shape == (4, 5, 2) and run(one.sample()).shape == ()


def test_vectors() -> None:
    d = tf.contrib.distributions.MultivariateNormalDiag(LOC, np.broadcast_to(SCALE, LOC.shape))
    wanted = [stats.multivariate_normal(m, np.diag(SCALE**2)) for m in LOC]
    np.testing.assert_allclose(run(d.log_prob(X)), np.stack([w.logpdf(X[:, k]) for k, w in enumerate(wanted)], 1), rtol=1e-9)
    np.testing.assert_allclose(run(d.entropy()), [w.entropy() for w in wanted], rtol=1e-9)
    np.testing.assert_allclose(run(d.covariance())[0], np.diag(SCALE**2))
    assert d.batch_shape.as_list() == [2] and d.event_shape.as_list() == [3] and run(d.sample(5)).shape == (5, 2, 3)
    assert run([d.batch_shape_tensor(), d.event_shape_tensor()])[1].tolist() == [3]
    standard = tf.contrib.distributions.MultivariateNormalDiag(LOC)
    np.testing.assert_allclose(run(d.kl_divergence(standard)), 0.5 * (SCALE**2 - 1 - np.log(SCALE**2)).sum() * np.ones(2), rtol=1e-9)


def test_divergences() -> None:
    for a, b, p, q in (
        (D.Normal(0.5, 2.0), D.Normal(-1.0, 1.5), stats.norm(0.5, 2.0), stats.norm(-1.0, 1.5)),
        (D.Laplace(0.5, 2.0), D.Laplace(-1.0, 1.5), stats.laplace(0.5, 2.0), stats.laplace(-1.0, 1.5)),
        (D.Exponential(2.0), D.Exponential(0.5), stats.expon(scale=0.5), stats.expon(scale=2.0)),
        (D.Uniform(0.0, 1.0), D.Uniform(-1.0, 3.0), stats.uniform(0.0, 1.0), stats.uniform(-1.0, 4.0)),
    ):
        low, high = p.ppf(1e-14), p.ppf(1 - 1e-14)
        wanted = integrate.quad(lambda v, p=p, q=q: p.pdf(v) * (p.logpdf(v) - q.logpdf(v)), low, high, points=[p.mean()])[0]
        np.testing.assert_allclose(run(D.kl_divergence(a, b)), wanted, rtol=1e-5)
        np.testing.assert_allclose(run(a.cross_entropy(b)), wanted + p.entropy(), rtol=1e-5)
    soft = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    found = run(D.kl_divergence(D.Categorical(LOGITS), D.Categorical(probs=PROBS)))
    np.testing.assert_allclose(found, (soft * np.log(soft / PROBS)).sum(1), rtol=1e-9)
    s = 1 / (1 + np.exp(-LOGITS))
    found = run(D.kl_divergence(D.Bernoulli(LOGITS), D.Bernoulli(probs=PROBS)))
    np.testing.assert_allclose(found, s * np.log(s / PROBS) + (1 - s) * np.log((1 - s) / (1 - PROBS)), rtol=1e-9)
    assert run(D.kl_divergence(D.Uniform(-1.0, 3.0), D.Uniform(0.0, 1.0))) == np.inf


# ---------------------------------------------------------------- draws
TENSORFLOWS: dict[str, tuple[Callable[[], Any], list[float]]] = {
    "normal": (lambda: D.Normal(0.5, 2.0), [-1.7694788, 1.9921612, -3.4362605, -4.763231]),
    "laplace": (lambda: D.Laplace(0.5, 2.0), [0.04202494, 2.8112314, -8.912628, 0.95731837]),
    "exponential": (lambda: D.Exponential(2.0), [0.46106738, 0.085650362, 2.6997337, 0.25358272]),
    "uniform": (lambda: D.Uniform(-1.0, 3.0), [0.5906768, 2.3702726, -0.98192406, 1.4088006]),
    "bernoulli": (lambda: D.Bernoulli(probs=0.5), [1, 0, 1, 0]),
}


@pytest.mark.parametrize("name", ["normal", "laplace", "exponential", "uniform", "bernoulli"])
def test_draws_look_like_it(name: str) -> None:
    make, wanted, _ = PAIRS[name]
    drawn = run(make().sample(20000, seed=3))
    assert drawn.shape == (20000, *np.shape(wanted.mean()))
    np.testing.assert_allclose(drawn.mean(0), wanted.mean(), atol=0.06)
    np.testing.assert_allclose(drawn.std(0), wanted.std(), rtol=0.05, atol=0.01)


@pytest.mark.parametrize("name", TENSORFLOWS)
def test_draws_under_a_seed_are_tensorflows(name: str) -> None:
    make, wanted = TENSORFLOWS[name]
    tf.set_random_seed(3)
    np.testing.assert_allclose(run(make().sample([2, 2], seed=5)).ravel(), wanted, rtol=1e-6)


def test_gradients_reach_the_parameters() -> None:
    loc, scale = tf.placeholder(tf.float64, (2, 3)), tf.constant(SCALE)
    for kind in (D.Normal, D.Laplace):
        d = kind(loc, scale)
        check_gradient(d.log_prob(X) * tf.constant(X) + d.entropy(), loc, LOC + 0.01)
        tf.set_random_seed(1)
        (g,) = tf.gradients(d.sample(4, seed=1), loc)
        assert run(g, {loc: LOC}).tolist() == np.full((2, 3), 4.0).tolist()
    z = tf.placeholder(tf.float64, (2, 3))
    check_gradient(D.Categorical(z).log_prob([1, 2]) + D.Categorical(z).entropy(), z, LOGITS)
    check_gradient(D.Bernoulli(z).log_prob([1, 0, 1]) * D.Bernoulli(z).entropy(), z, LOGITS)


def test_a_policy_learns() -> None:
    """The score-function gradient of what a draw earns moves the mean to where the most is earned."""
    mean = tf.Variable(0.0, name="mean")
    d = D.Normal(mean, 0.5)
    action = tf.stop_gradient(d.sample(64, seed=1))
    earned = -tf.square(action - 2.0)
    loss = -tf.reduce_mean(d.log_prob(action) * (earned - tf.reduce_mean(earned)))
    step = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(100):
            session.run(step)
        assert abs(session.run(mean) - 2.0) < 0.1


def test_shapes_that_are_fed() -> None:
    loc = tf.placeholder(tf.float32, (None, 2))
    d = D.Normal(loc, [1.0, 2.0])
    assert d.batch_shape.as_list() == [None, 2] and "batch_shape=(?, 2)" in repr(d)
    drawn, sizes = run([d.sample(3), d.batch_shape_tensor()], {loc: np.zeros((5, 2))})
    assert drawn.shape == (3, 5, 2) and sizes.tolist() == [5, 2]


def test_faults() -> None:
    with pytest.raises(ValueError, match="Must pass probs or logits, but not both"):
        D.Bernoulli(logits=[0.0], probs=[0.5])
    with pytest.raises(ValueError, match="Must pass probs or logits"):
        D.Categorical()
    with pytest.raises(TypeError, match="int32 not in list of allowed values"):
        D.Normal(1, 2)
    with pytest.raises(ValueError, match="Dimensions must be equal"):
        D.Normal([0.0, 1.0], [1.0, 2.0, 3.0])
    with pytest.raises(NotImplementedError, match="No KL(.|\n)*Normal and distribution_b type Laplace(.|\n)*estimates it"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Laplace(0.0, 1.0))
    with pytest.raises(NotImplementedError, match="Categorical has no cdf here"):
        D.Categorical(LOGITS).cdf(1)
    with pytest.raises(AttributeError, match=r"tf.distributions.Normal.param_shapes is not part of symgraph: .*log_prob, prob, cdf"):
        D.Normal(0.0, 1.0).param_shapes  # noqa: B018
    with pytest.raises(AttributeError, match="tf.distributions.Beta is not part of symgraph"):
        D.Beta  # noqa: B018
