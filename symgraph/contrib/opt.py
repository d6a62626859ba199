"""`tf.contrib.opt`: the optimizers that are one rule each.

Law of this file: as in train/optimizers.py, each is its update rule.  Of a table that is only looked up in, the rows that are
used change alone, their moments included.

Sources: AdaMax, Kingma and Ba (2015), section 7.1; Nadam, Dozat (2016); decoupled decay, Loshchilov and Hutter (2019).
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from ..codegen import scalar as fn
from ..train.optimizer import register
from ..train.optimizers import AdamOptimizer, MomentumOptimizer


class LazyAdamOptimizer(AdamOptimizer):
    """Adam, but of a table that is only looked up in the moments of other rows stay as they are."""

    rowwise = True


@register
class AdaMaxOptimizer(AdamOptimizer):
    """m <- b1 m + (1 - b1) g;  v <- max(b2 v, |g|);  p <- p - lr / (1 - b1^t) m / (v + eps)."""

    kind = "AdaMax"
    powers = ("beta1",)
    rowwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "AdaMax",
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)

    def rule(self, p, g, m, v, t1, lr, b1, b2, eps):  # type: ignore[override]
        m = m + (g - m) * (1 - b1)
        v = fn.maximum(b2 * v, fn.absolute(g))
        return p - lr / (1 - t1) * m / (v + eps), m, v


@register
class NadamOptimizer(AdamOptimizer):
    """Adam with Nesterov's momentum: p <- p - lr sqrt(1 - b2^t) / (1 - b1^t) (b1 m + (1 - b1) g) / (sqrt(v) + eps)."""

    kind = "Nadam"
    rowwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Nadam",
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)

    def rule(self, p, g, m, v, t1, t2, lr, b1, b2, eps):  # type: ignore[override]
        m = m + (g - m) * (1 - b1)
        v = v + (g**2 - v) * (1 - b2)
        return p - lr * sp.sqrt(1 - t2) / (1 - t1) * (b1 * m + (1 - b1) * g) / (sp.sqrt(v) + eps), m, v


@register
class AdamWOptimizer(AdamOptimizer):
    """Adam, after p <- (1 - weight_decay) p."""

    kind = "AdamW"
    hyper = (*AdamOptimizer.hyper, "weight_decay")
    rowwise = True

    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "AdamW",
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)
        self._numbers["weight_decay"] = weight_decay

    def rule(self, p, g, *rest):  # type: ignore[override]
        *others, decay = rest
        return AdamOptimizer.rule(self, p - decay * p, g, *others)


@register
class MomentumWOptimizer(MomentumOptimizer):
    """Momentum, after p <- (1 - weight_decay) p."""

    kind = "MomentumW"
    hyper = (*MomentumOptimizer.hyper, "weight_decay")

    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "MomentumW",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(learning_rate, momentum, use_locking, name, use_nesterov)
        self._numbers["weight_decay"] = weight_decay

    def rule(self, p, g, a, lr, m, decay):  # type: ignore[override]
        return MomentumOptimizer.rule(self, p - decay * p, g, a, lr, m)
