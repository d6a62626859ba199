"""`tf.contrib.distributions`: those of `tf.distributions`, and of vectors."""

from ..distributions import Bernoulli, Categorical, Exponential, MultivariateNormalDiag, Normal, Uniform, kl_divergence

__all__ = ["Bernoulli", "Categorical", "Exponential", "MultivariateNormalDiag", "Normal", "Uniform", "kl_divergence"]
