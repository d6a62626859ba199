"""Ten descent steps on the volatilities of 2,000,000 call options: a long element-wise formula and its derivative.

Law of this file: each option is alone, so a step could go through memory once and all ten could stay in the cache.
Spot and strike lie in 10..50, years in 0.2..2, volatilities in 0.1..0.5; the interest is 2 % and every price should be 3.
"""

from __future__ import annotations

import numpy as np

from .problem import Descent, Problem, Target, Workload

INTEREST, PRICE = 0.02, 3.0
BLOCK = 8192
"""Options that NumPy's scratch arrays hold: they stay in the cache of one core."""


def problem(rows: int = 2_000_000, steps: int = 10) -> Problem:
    rng = np.random.default_rng(0)
    spot, strike, years, volatility = (
        (low + (high - low) * rng.random(rows, np.float32)).astype(np.float32) for low, high in ((10, 50), (10, 50), (0.2, 2), (0.1, 0.5))
    )
    return Problem((spot, strike, years), (volatility,), steps, Descent("GradientDescent", 1e-5))


def _price(data, volatility, log, exp, sqrt, erf):
    """Black and Scholes' price of a call."""
    spot, strike, years = data
    spread = volatility * sqrt(years)
    d1 = (log(spot / strike) + (INTEREST + 0.5 * volatility * volatility) * years) / spread
    d2 = d1 - spread
    return 0.5 * spot * (1 + erf(d1 * 0.5**0.5)) - 0.5 * strike * exp(-INTEREST * years) * (1 + erf(d2 * 0.5**0.5))


def graph(tf, parameters, data):
    return tf.reduce_sum(tf.square(_price(data, parameters[0], tf.log, tf.exp, tf.sqrt, tf.erf) - PRICE))


def jax(jax, parameters, data):
    jnp = jax.numpy
    return jnp.sum(jnp.square(_price(data, parameters[0], jnp.log, jnp.exp, jnp.sqrt, jax.scipy.special.erf) - PRICE))


def torch(torch, parameters, data):
    return torch.sum(torch.square(_price(data, parameters[0], torch.log, torch.exp, torch.sqrt, torch.erf) - PRICE))


def pytensor(pytensor, parameters, data):
    pt = pytensor.tensor
    return pt.sum(pt.sqr(_price(data, parameters[0], pt.log, pt.exp, pt.sqrt, pt.erf) - np.float32(PRICE)))


def numpy(problem, parameters):
    """In place and block by block, what does not change computed once; the derivative is the textbook's vega."""
    from scipy.special import erf

    (spot, strike, years), (volatility,) = problem.data, parameters
    root, logs, discounted = np.sqrt(years), np.log(spot / strike), 0.5 * strike * np.exp(np.float32(-INTEREST) * years)
    d1s, d2s, prices = np.empty((3, BLOCK), np.float32)
    half, slope = np.float32(0.5**0.5), np.float32(2 * problem.descent.rate / (2 * np.pi) ** 0.5)
    for _ in range(problem.steps):
        for first in range(0, len(spot), BLOCK):
            part = slice(first, first + BLOCK)
            S, T, v = spot[part], years[part], volatility[part]
            d1, d2, price = d1s[: len(S)], d2s[: len(S)], prices[: len(S)]
            np.multiply(v, v, out=d1)
            d1 *= np.float32(0.5)
            d1 += np.float32(INTEREST)
            d1 *= T
            d1 += logs[part]
            np.multiply(v, root[part], out=d2)
            d1 /= d2
            np.subtract(d1, d2, out=d2)
            d1 *= half
            d2 *= half
            erf(d1, out=price)
            price += 1
            price *= S
            price *= np.float32(0.5)
            erf(d2, out=d2)
            d2 += 1
            d2 *= discounted[part]
            price -= d2
            price -= np.float32(PRICE)
            np.square(d1, out=d1)
            np.negative(d1, out=d1)
            np.exp(d1, out=d1)
            d1 *= S
            d1 *= root[part]
            d1 *= price
            d1 *= slope
            v -= d1


OPTIONS = Workload(
    "options",
    "10 descent steps on 2,000,000 volatilities of Black-Scholes prices",
    problem,
    {"rows": 10_000, "steps": 3},
    graph,
    numpy,
    jax,
    torch,
    pytensor,
    targets=(Target("JAX", 1.7),),
    rtol=1e-3,
    mode=None,
)
