"""Learning rates that change with the step: tensors, made of plain operations.

Law of this file: a schedule is a formula of the learning rate and a step counter, computed in the learning rate's own
dtype (float32 where it is a Python number), and evaluated anew in each step.  Names of operations are TF1's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi
from typing import Any

from ..graph import Tensor, convert
from ..ops import math
from ..ops.core import is_tensor, recording
from ..ops.random import random_normal

_NAMES = ("add", "ceil", "cos", "equal", "exp", "floor", "less_equal", "log", "minimum", "multiply", "sqrt")
add, ceil, cos, equal, exp, floor, less_equal, log, minimum, multiply, sqrt = (math._made[name] for name in _NAMES)


def _record(kind: str, name: str | None, formula: Callable[..., Tensor], **numbers: Any) -> Tensor:
    """formula(full name, learning rate, *the other numbers in its dtype), recorded in a scope of its own."""
    with recording(kind, name or kind, **numbers) as (graph, scope):
        if numbers["global_step"] is None:
            raise ValueError(f"global_step is required for {kind}.")
        rate = convert(numbers.pop("learning_rate"), name="learning_rate", graph=graph)
        return formula(scope, rate, *(math.cast(x, rate.dtype) for x in numbers.values()))


def _quotient(step: Any, steps: Any, staircase: bool) -> Tensor:
    p = step / steps
    return floor(p) if staircase else p


def exponential_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None
) -> Tensor:
    """learning_rate * decay_rate^(global_step / decay_steps); with `staircase` the quotient is rounded down.

    >>> import symgraph as sg
    >>> step = sg.constant(20)
    >>> with sg.Session() as sess:
    ...     sess.run(exponential_decay(0.5, step, 10, 0.5))
    np.float32(0.125)
    """

    def formula(scope: str, rate: Any, step: Any, steps: Any, decay: Any) -> Tensor:
        return multiply(rate, math.pow(decay, _quotient(step, steps, staircase)), name=scope)

    numbers = {"learning_rate": learning_rate, "global_step": global_step, "decay_steps": decay_steps, "decay_rate": decay_rate}
    return _record("ExponentialDecay", name, formula, **numbers)


def natural_exp_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None
) -> Tensor:
    """learning_rate * exp(-decay_rate * global_step / decay_steps); with `staircase` the quotient is rounded down."""

    def formula(scope: str, rate: Any, step: Any, steps: Any, decay: Any) -> Tensor:
        return multiply(rate, exp(-decay * _quotient(step, steps, staircase)), name=scope)

    numbers = {"learning_rate": learning_rate, "global_step": global_step, "decay_steps": decay_steps, "decay_rate": decay_rate}
    return _record("NaturalExpDecay", name, formula, **numbers)


def inverse_time_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None
) -> Tensor:
    """learning_rate / (1 + decay_rate * global_step / decay_steps); with `staircase` the quotient is rounded down."""

    def formula(scope: str, rate: Any, step: Any, steps: Any, decay: Any) -> Tensor:
        return math.truediv(rate, 1.0 + decay * _quotient(step, steps, staircase), name=scope)

    numbers = {"learning_rate": learning_rate, "global_step": global_step, "decay_steps": decay_steps, "decay_rate": decay_rate}
    return _record("InverseTimeDecay", name, formula, **numbers)


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Tensor:
    """(learning_rate - end) * (1 - global_step / decay_steps)^power + end, and end after `decay_steps`.

    With `cycle`, decay_steps is instead its least multiple that is not below global_step."""

    def formula(scope: str, rate: Any, step: Any, steps: Any, end: Any, degree: Any) -> Tensor:
        if cycle:
            steps = steps * math.where(equal(step, 0.0), math.cast(1.0, rate.dtype), ceil(step / steps))
        else:
            step = minimum(step, steps)
        return add((rate - end) * math.pow(1.0 - step / steps, degree), end, name=scope)

    numbers = {"learning_rate": learning_rate, "global_step": global_step, "decay_steps": decay_steps}
    return _record("PolynomialDecay", name, formula, **numbers, end_learning_rate=end_learning_rate, power=power)


def cosine_decay(learning_rate: Any, global_step: Any, decay_steps: Any, alpha: Any = 0.0, name: str | None = None) -> Tensor:
    """learning_rate * ((1 - alpha) * (1 + cos(pi * min(global_step / decay_steps, 1))) / 2 + alpha).

    Source: Loshchilov and Hutter, "SGDR" (2017), without restarts."""

    def formula(scope: str, rate: Any, step: Any, steps: Any, least: Any) -> Tensor:
        half = 0.5 * (cos(pi * (minimum(step, steps) / steps)) + 1.0)  # type: ignore[operator]
        return multiply(rate, (1.0 - least) * half + least, name=scope)

    numbers = {"learning_rate": learning_rate, "global_step": global_step, "decay_steps": decay_steps, "alpha": alpha}
    return _record("CosineDecay", name, formula, **numbers)


def cosine_decay_restarts(
    learning_rate: Any,
    global_step: Any,
    first_decay_steps: Any,
    t_mul: Any = 2.0,
    m_mul: Any = 1.0,
    alpha: Any = 0.0,
    name: str | None = None,
) -> Tensor:
    """`cosine_decay` again and again: the first time over `first_decay_steps`, then over `t_mul` times as many steps as the
    time before, from `m_mul` times the height of the time before.

    Source: Loshchilov and Hutter, "SGDR" (2017)."""

    def formula(scope: str, rate: Any, step: Any, steps: Any, least: Any, longer: Any, lower: Any) -> Tensor:
        done = step / steps  # in lengths of the first time
        even, grown = floor(done), floor(log(1.0 - done * (1.0 - longer)) / log(longer))  # restarts so far
        length = math.pow(longer, grown)
        begun = (1.0 - length) / (1.0 - longer)
        same = equal(longer, 1.0)
        restarts = math.where(same, even, grown)
        part = math.where(same, done - even, (done - begun) / length)
        half = 0.5 * math.pow(lower, restarts) * (1.0 + cos(pi * part))  # type: ignore[operator]
        return multiply(rate, (1.0 - least) * half + least, name=scope)

    numbers = {"learning_rate": learning_rate, "global_step": global_step, "first_decay_steps": first_decay_steps}
    return _record("SGDRDecay", name, formula, **numbers, alpha=alpha, t_mul=t_mul, m_mul=m_mul)


def _halves(step: Any, steps: Any, periods: Any) -> Any:
    """(1 + cos) / 2 over so many periods."""
    return 0.5 * (1.0 + cos(pi * (2.0 * periods * (step / steps))))


def linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    num_periods: Any = 0.5,
    alpha: Any = 0.0,
    beta: Any = 0.001,
    name: str | None = None,
) -> Tensor:
    """learning_rate * ((alpha + 1 - s) * (1 + cos(2 pi num_periods s)) / 2 + beta) with s = min(global_step / decay_steps, 1).

    Source: Bello et al., "Neural Optimizer Search with Reinforcement Learning" (2017)."""

    def formula(scope: str, rate: Any, step: Any, steps: Any, periods: Any, more: Any, least: Any) -> Tensor:
        step = minimum(step, steps)
        return multiply(rate, (more + (steps - step) / steps) * _halves(step, steps, periods) + least, name=scope)

    numbers = {"learning_rate": learning_rate, "global_step": global_step, "decay_steps": decay_steps}
    return _record("LinearCosineDecay", name, formula, **numbers, num_periods=num_periods, alpha=alpha, beta=beta)


def noisy_linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    initial_variance: Any = 1.0,
    variance_decay: Any = 0.55,
    num_periods: Any = 0.5,
    alpha: Any = 0.0,
    beta: Any = 0.001,
    name: str | None = None,
) -> Tensor:
    """`linear_cosine_decay` whose linear part has normal noise of the variance initial_variance / (1 + global_step)^variance_decay.

    Source: Bello et al., "Neural Optimizer Search with Reinforcement Learning" (2017)."""

    def formula(scope: str, rate: Any, step: Any, steps: Any, first: Any, decay: Any, periods: Any, more: Any, least: Any) -> Tensor:
        step = minimum(step, steps)
        straight = (steps - step) / steps
        deviation = sqrt(first / math.pow(1.0 + step, decay))
        noisy = straight + random_normal((), stddev=deviation, dtype=rate.dtype)
        return multiply(rate, (more + noisy) * _halves(step, steps, periods) + least, name=scope)

    numbers = {"learning_rate": learning_rate, "global_step": global_step, "decay_steps": decay_steps}
    noise = {"initial_variance": initial_variance, "variance_decay": variance_decay}
    return _record("NoisyLinearCosineDecay", name, formula, **numbers, **noise, num_periods=num_periods, alpha=alpha, beta=beta)


def piecewise_constant(x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None) -> Tensor:
    """values[0] where x <= boundaries[0], values[1] where x <= boundaries[1], ..., values[-1] past the last one.

    `x` is a scalar (the global step), `boundaries` rise, and there is one value more than boundaries: else ValueError."""
    with recording("PiecewiseConstant", name or "PiecewiseConstant", x=x, boundaries=boundaries, values=values) as (graph, scope):
        if len(boundaries) != len(values) - 1:
            counts = f"{len(boundaries)} and {len(values)}"
            raise ValueError(f"The length of boundaries should be 1 less than the length of values, but they are {counts}")
        plain = [b for b in boundaries if not is_tensor(b)]
        if plain != sorted(plain):
            raise ValueError(f"boundaries must rise: {list(boundaries)}")
        at = convert(x, name="x", graph=graph)
        found = convert(values[-1], name="value", graph=graph)
        for bound, value in reversed(list(zip(boundaries, values, strict=False))):
            here = less_equal(at, convert(bound, like=at.dtype, graph=graph))
            found = math.where(here, convert(value, like=found.dtype, graph=graph), found)
        return math.identity(found, name=scope)


piecewise_constant_decay = piecewise_constant
